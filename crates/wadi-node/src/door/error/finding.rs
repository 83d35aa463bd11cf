//! Why an act on a finding may not be.

use super::ErrorClass;
use thiserror::Error;

/// Why an act on a finding may not be; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FindingError {
    /// There is none of that id, or there is none any more.
    #[error("no finding {id}; it may have vanished as records came in")]
    NoSuchFinding {
        /// The id.
        id: String,
    },
    /// It was resolved or waived.
    #[error("it is {state} already; {}", UNDO_FIRST)]
    AlreadyDecided {
        /// Its state.
        state: String,
    },
    /// Somebody proposed already how to settle it.
    #[error("a proposal waits for its decision")]
    AlreadyProposed,
    /// There is nothing to decide on.
    #[error("there is no proposal on the evidence as it now stands")]
    NothingProposed,
    /// Two people settle a finding.
    #[error("who decides is not who proposed")]
    OwnProposal,
    /// Somebody else acted since it was looked at, or its facts changed.
    #[error("{}", told_moved(officer, act, state))]
    Moved {
        /// The finding.
        finding: String,
        /// Who acted; empty where its facts changed.
        officer: String,
        /// The act: assigned, proposed, decided or undone.
        act: String,
        /// Its state now.
        state: String,
    },
    /// An approval says what the finding was.
    #[error("name what it was: {}", DISPOSITIONS)]
    NoDisposition,
    /// A duplicate names another finding, and nothing else does.
    #[error("{why}")]
    BadDuplicate {
        /// What is wrong.
        why: &'static str,
    },
    /// Whoever is to look into it, or says so, is no auditor.
    #[error("{why}")]
    NotAnAuditor {
        /// Who is meant, and what is wrong.
        why: String,
    },
    /// The finding has no such act.
    #[error("no act {event} on this finding; name the event of one, or none for the last")]
    NoSuchAct {
        /// The event that was named.
        event: String,
    },
    /// A person's desk is bounded.
    #[error("{most} {what} at most on one desk")]
    DeskFull {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// There is no view of that name.
    #[error("no saved view {name:?}")]
    NoSuchView {
        /// The name.
        name: String,
    },
    /// A view has a name, and a query of a bounded length.
    #[error("{why}")]
    BadView {
        /// What is wrong.
        why: String,
    },
    /// What it would wait for has come, or is too far off.
    #[error("{why}")]
    BadSnooze {
        /// What is wrong.
        why: String,
    },
    /// There is no act to undo.
    #[error("nothing was decided or proposed; {}", NAME_THE_EVENT)]
    NothingToUndo,
    /// Only a hub looks for findings.
    #[error("findings are found at the hub")]
    FoundAtHub,
    /// Only a hub's auditors act on findings.
    #[error("findings are assigned and decided at the hub")]
    DecidedAtHub,
}

const DISPOSITIONS: &str = "true, explained, false_alarm or duplicate";

fn told_moved(officer: &str, act: &str, state: &str) -> String {
    match officer {
        "" => format!("its facts changed since you looked; it is {state} now"),
        _ => format!("{officer} {act} it since you looked; it is {state} now"),
    }
}

const UNDO_FIRST: &str = "undo that first";
const NAME_THE_EVENT: &str = "name the event to undo";

impl FindingError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchFinding { .. } => "no_such_finding",
            Self::AlreadyDecided { .. } => "already_decided",
            Self::AlreadyProposed => "already_proposed",
            Self::NothingProposed => "nothing_proposed",
            Self::OwnProposal => "own_proposal",
            Self::NothingToUndo | Self::NoSuchAct { .. } => "nothing_to_undo",
            Self::NotAnAuditor { .. } => "bad_value",
            Self::Moved { .. } => "finding_moved",
            Self::NoDisposition => "no_disposition",
            Self::BadDuplicate { .. } => "bad_duplicate",
            Self::DeskFull { .. } => "desk_full",
            Self::NoSuchView { .. } => "no_such_view",
            Self::BadView { .. } => "bad_view",
            Self::BadSnooze { .. } => "bad_snooze",
            Self::FoundAtHub | Self::DecidedAtHub => "not_a_hub",
        }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoSuchFinding { .. } | Self::NoSuchView { .. } => ErrorClass::NotFound,
            Self::NoDisposition
            | Self::NotAnAuditor { .. }
            | Self::NoSuchAct { .. }
            | Self::BadDuplicate { .. }
            | Self::BadView { .. }
            | Self::BadSnooze { .. } => ErrorClass::Invalid,
            Self::AlreadyDecided { .. }
            | Self::AlreadyProposed
            | Self::NothingProposed
            | Self::Moved { .. }
            | Self::DeskFull { .. }
            | Self::NothingToUndo => ErrorClass::Conflict,
            Self::OwnProposal | Self::FoundAtHub | Self::DecidedAtHub => ErrorClass::Forbidden,
        }
    }

    /// What can be done about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::AlreadyDecided { .. } => Some(UNDO_FIRST),
            Self::NothingToUndo => Some(NAME_THE_EVENT),
            _ => None,
        }
    }
}
