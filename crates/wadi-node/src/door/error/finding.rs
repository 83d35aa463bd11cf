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
            Self::NothingToUndo => "nothing_to_undo",
            Self::FoundAtHub | Self::DecidedAtHub => "not_a_hub",
        }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoSuchFinding { .. } => ErrorClass::NotFound,
            Self::AlreadyDecided { .. }
            | Self::AlreadyProposed
            | Self::NothingProposed
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
