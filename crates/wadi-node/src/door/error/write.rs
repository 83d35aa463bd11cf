//! Why a write was not taken.

use super::ErrorClass;
use std::fmt;
use thiserror::Error;
use wadi_log::Crossing;
use wadi_record::{Kind, Refusal, SIGN_IT};

/// Why a write was not taken; nothing of it was written.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The node only watches.
    #[error("{node} is an observer: it writes nothing")]
    Observer {
        /// The node's name.
        node: String,
    },
    /// A record of another crossing begins at that crossing, or at the hub.
    #[error("this node writes records of {own}; one of {crossing} is begun there or at the hub")]
    ForeignCrossing {
        /// This node's crossing.
        own: Crossing,
        /// The record's.
        crossing: Crossing,
    },
    /// The draft is about another kind of record than the one that it names.
    #[error("{record} is a {is}, the draft is of a {draft}")]
    WrongKind {
        /// The record's printed id.
        record: String,
        /// What it is.
        is: &'static str,
        /// What the draft says.
        draft: Kind,
    },
    /// The act would be kept, and would not count.
    #[error("{}", .0.why)]
    Refused(Refusal),
    /// The sender's key stood for something else before.
    #[error(
        "the key {key:?} stood for something else before, in {entry}: nothing was written; {}",
        OWN_KEY
    )]
    KeyReused {
        /// The key.
        key: String,
        /// The entry that it stands for.
        entry: String,
    },
    /// The device gave this number before, with something else.
    #[error(
        "{device} gave the number {number} before, for something else, in {entry}: nothing was written; {}",
        NEW_RUN
    )]
    NumberReused {
        /// The device.
        device: String,
        /// The number.
        number: u64,
        /// The entry that it stands for.
        entry: String,
    },
}

const OWN_KEY: &str = "give what is new a key of its own";
const NEW_RUN: &str = "another device has this name, or the counter began anew, which `device_session` or `wadi token anew` says";

impl WriteError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Observer { .. } | Self::ForeignCrossing { .. } => "foreign_crossing",
            Self::WrongKind { .. } => "wrong_kind",
            Self::Refused(refusal) => refusal.code,
            Self::KeyReused { .. } => "key_reused",
            Self::NumberReused { .. } => "device_sequence",
        }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Observer { .. }
            | Self::ForeignCrossing { .. }
            | Self::WrongKind { .. }
            | Self::Refused(_) => ErrorClass::Forbidden,
            Self::KeyReused { .. } => ErrorClass::Invalid,
            Self::NumberReused { .. } => ErrorClass::Conflict,
        }
    }

    /// What can be done about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::KeyReused { .. } => Some(OWN_KEY),
            Self::NumberReused { .. } => Some(NEW_RUN),
            Self::Refused(refusal) if refusal.code == "decision_unsigned" => Some(SIGN_IT),
            _ => None,
        }
    }
}

/// Work that ended the sequencer once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetAsideWork {
    /// A write.
    Write,
    /// A look at a record as of a time or of entries.
    Past,
    /// A record's history.
    History,
}

impl fmt::Display for SetAsideWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "this very write",
            Self::Past => "reading the past of this record",
            Self::History => "reading the history of this record",
        })
    }
}
