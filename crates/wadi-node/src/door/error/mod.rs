//! Why a node did not do what it was asked.
//!
//! Each error says in one place what it is: its stable code, the class that callers decide by, its
//! reason by `Display`, and where somebody can do something about it the remedy. Nobody decides
//! anything by a code or by a text.

mod bundle;
mod finding;
mod resync;
mod write;

pub use bundle::BundleError;
pub use finding::FindingError;
pub use resync::{ResyncError, StalePlan};
pub use write::{SetAsideWork, WriteError};

use thiserror::Error;
use wadi_log::LogError;
use wadi_record::RecordError;
use wadi_store::StoreError;

/// What kind of trouble an error is: whoever answers for a node chooses by this, and by nothing
/// else, what to tell a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorClass {
    /// What was sent does not read.
    Malformed,
    /// What was sent reads, and is wrong.
    Invalid,
    /// The caller, or this node, may not do that.
    Forbidden,
    /// There is no such thing here.
    NotFound,
    /// It does not fit what is held here now.
    Conflict,
    /// Not now: the same may go well in a moment.
    Unavailable,
    /// The disk is full.
    NoRoom,
    /// The node itself is in trouble.
    Internal,
}

/// An error of a node; where nothing else is said, nothing was written.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The draft is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The bytes are wrong.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bundle or receipt is wrong, or there is none such.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The write was not taken.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The resync cannot do that.
    #[error(transparent)]
    Resync(#[from] ResyncError),
    /// The act on a finding may not be.
    #[error(transparent)]
    Finding(#[from] FindingError),
    /// No such record.
    #[error("no record {0}")]
    NoRecord(String),
    /// A printed id stands for more than one record.
    #[error("{id} stands for more than one record: {}", .all.join(", "))]
    Ambiguous {
        /// The printed id.
        id: String,
        /// The full ids.
        all: Vec<String>,
    },
    /// A dependency given is not an entry of the record.
    #[error("based_on names {0}, which is no entry of this record held here")]
    UnknownEntry(String),
    /// An entry is held without its log, so that this node cannot prove it.
    #[error("{} is held here without its log: {}", .0, ASK_ITS_HOLDER)]
    Unproven(String),
    /// The work ended the sequencer once, and is not tried again by the same software.
    #[error(
        "{0} once ended this node's sequencer; it is set aside until the software is renewed, and nothing was written"
    )]
    SetAside(SetAsideWork),
    /// The keys are another node's.
    #[error("the log key is not the one that the enrolment of {node} names")]
    KeyMismatch {
        /// The node's name.
        node: String,
    },
    /// The queue is full; try again.
    #[error("the node is busy: too many writes wait")]
    Busy,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

const ASK_ITS_HOLDER: &str = "ask the hub, or the node of its birthplace";

impl NodeError {
    /// A stable code for people and programs; it does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Record(e) => e.code(),
            Self::Log(e) => e.code(),
            Self::Store(e) => e.code(),
            Self::Bundle(e) => e.code(),
            Self::Write(e) => e.code(),
            Self::Resync(e) => e.code(),
            Self::Finding(e) => e.code(),
            Self::NoRecord(_) => "no_such_record",
            Self::Ambiguous { .. } => "ambiguous_record",
            Self::UnknownEntry(_) => "unknown_entry",
            Self::Unproven(_) => "unproven_here",
            Self::SetAside(_) => crate::door::suspects::SET_ASIDE,
            Self::KeyMismatch { .. } => "key_mismatch",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Record(_) | Self::UnknownEntry(_) => ErrorClass::Invalid,
            Self::Log(LogError::NoRight(_)) => ErrorClass::Forbidden,
            Self::Log(_) => ErrorClass::Malformed,
            Self::Store(StoreError::Full(_)) => ErrorClass::NoRoom,
            Self::Store(e) if e.is_passing() => ErrorClass::Unavailable,
            Self::Store(_) => ErrorClass::Internal,
            Self::Bundle(e) => e.class(),
            Self::Write(e) => e.class(),
            Self::Resync(e) => e.class(),
            Self::Finding(e) => e.class(),
            Self::NoRecord(_) => ErrorClass::NotFound,
            Self::Ambiguous { .. } | Self::Unproven(_) => ErrorClass::Conflict,
            Self::SetAside(_) | Self::KeyMismatch { .. } => ErrorClass::Forbidden,
            Self::Busy | Self::Stopping => ErrorClass::Unavailable,
        }
    }

    /// What can be done about it, where the reason alone does not say; it stands in the reason,
    /// too.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Bundle(e) => e.remedy(),
            Self::Write(e) => e.remedy(),
            Self::Resync(e) => e.remedy(),
            Self::Finding(e) => e.remedy(),
            Self::Unproven(_) => Some(ASK_ITS_HOLDER),
            _ => None,
        }
    }
}

impl From<wadi_sync::BundleFileError> for NodeError {
    fn from(error: wadi_sync::BundleFileError) -> Self {
        Self::Bundle(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    /// What callers were told before there were types for it: code, class and text are promises.
    #[test]
    fn each_error_keeps_its_code_its_class_and_its_words() {
        use ErrorClass::{Conflict, Forbidden, Invalid, NotFound, Unavailable};
        let id = || "RS-1".to_string();
        let cases: Vec<(NodeError, &str, ErrorClass, &str)> = vec![
            (
                FindingError::NoSuchFinding { id: "F1".into() }.into(),
                "no_such_finding",
                NotFound,
                "no finding F1; it may have vanished as records came in",
            ),
            (
                FindingError::AlreadyDecided {
                    state: "WAIVED".into(),
                }
                .into(),
                "already_decided",
                Conflict,
                "it is WAIVED already; undo that first",
            ),
            (
                FindingError::OwnProposal.into(),
                "own_proposal",
                Forbidden,
                "who decides is not who proposed",
            ),
            (
                FindingError::FoundAtHub.into(),
                "not_a_hub",
                Forbidden,
                "findings are found at the hub",
            ),
            (
                ResyncError::NotPlanned {
                    id: id(),
                    state: crate::ResyncState::Done,
                }
                .into(),
                "resync_not_planned",
                Forbidden,
                "RS-1 is Done; make a new plan",
            ),
            (
                ResyncError::PlanStale(StalePlan::Forked { log: "L".into() }).into(),
                "plan_stale",
                Forbidden,
                "L was found forked since: make a new plan",
            ),
            (
                ResyncError::UnknownAct {
                    act: "dance".into(),
                }
                .into(),
                "unknown_act",
                Forbidden,
                "a resync does not dance; run, pause, resume and cancel are what there is",
            ),
            (
                ResyncError::NoSuchResync { id: "R-1".into() }.into(),
                "no_such_resync",
                NotFound,
                "no resync \"R-1\"; `wadi resync status` lists them",
            ),
            (
                ResyncError::PeerDark { peer: "hub".into() }.into(),
                "peer_dark",
                Unavailable,
                "hub is not in contact: nothing can be said about it but what was compared last",
            ),
            (
                WriteError::KeyReused {
                    key: "k".into(),
                    entry: "E".into(),
                }
                .into(),
                "key_reused",
                Invalid,
                "the key \"k\" stood for something else before, in E: nothing was written; give what is new a key of its own",
            ),
            (
                BundleError::NoSuchPart { parts: 3 }.into(),
                "no_such_part",
                NotFound,
                "the bundle has parts 1 to 3",
            ),
            (
                NodeError::SetAside(SetAsideWork::Write),
                "set_aside",
                Forbidden,
                "this very write once ended this node's sequencer; it is set aside until the software is renewed, and \
                 nothing was written",
            ),
        ];

        for (error, code, class, text) in cases {
            assert_eq!(
                (error.code(), error.class(), error.to_string().as_str()),
                (code, class, text)
            );

            // What can be done is part of what is said: no reader misses it.
            assert!(
                error.remedy().is_none_or(|remedy| text.contains(remedy)),
                "{error}"
            );
        }
    }

    #[test]
    fn what_lies_beneath_an_error_stays_with_it() {
        let beneath = wadi_sync::BundleFileError::new("bundle_cut", "cut short");
        let error = BundleError::from(beneath);
        assert_eq!(error.to_string(), "cut short");
        assert_eq!(NodeError::from(error).code(), "bundle_cut");

        let stale = ResyncError::PlanStale(StalePlan::TooOld);
        assert!(stale.source().is_some_and(|s| s.is::<StalePlan>()));
    }
}
