//! Why a node did not do what it was asked.

use thiserror::Error;
use wadi_log::LogError;
use wadi_record::RecordError;
use wadi_store::StoreError;
use wadi_sync::BundleError;

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
    /// The node may not write that crossing's records.
    #[error("{0}")]
    ForeignCrossing(String),
    /// The act would not count.
    #[error("{why}")]
    Refused {
        /// The code.
        code: String,
        /// The reason.
        why: String,
    },
    /// A dependency given is not an entry of the record.
    #[error("based_on names {0}, which is no entry of this record held here")]
    UnknownEntry(String),
    /// An entry is held without its log, so that this node cannot prove it.
    #[error("{0} is held here without its log: ask the hub, or the node of its birthplace")]
    Unproven(String),
    /// The sender's key stood for something else before.
    #[error(
        "the key {key:?} stood for something else before, in {entry}: nothing was written; give what is new a key of its own"
    )]
    KeyReused {
        /// The key.
        key: String,
        /// The entry that it stands for.
        entry: String,
    },
    /// The device gave this number before, with something else.
    #[error(
        "{device} gave the number {number} before, for something else, in {entry}: nothing was written; another device has \
         this name, or the counter began anew, which `device_session` or `wadi token anew` says"
    )]
    NumberReused {
        /// The device.
        device: String,
        /// The number.
        number: u64,
        /// The entry that it stands for.
        entry: String,
    },
    /// Only a hub may do that.
    #[error("{0}")]
    NotAHub(String),
    /// The queue is full; try again.
    #[error("the node is busy: too many writes wait")]
    Busy,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
}

impl NodeError {
    /// A stable code.
    pub fn code(&self) -> String {
        match self {
            Self::Record(e) => e.code().into(),
            Self::Log(e) => e.code().into(),
            Self::Store(e) => e.code().into(),
            Self::Bundle(e) => e.code.into(),
            Self::NoRecord(_) => "no_such_record".into(),
            Self::Ambiguous { .. } => "ambiguous_record".into(),
            Self::ForeignCrossing(_) => "foreign_crossing".into(),
            Self::Refused { code, .. } => code.clone(),
            Self::UnknownEntry(_) => "unknown_entry".into(),
            Self::Unproven(_) => "unproven_here".into(),
            Self::KeyReused { .. } => "key_reused".into(),
            Self::NumberReused { .. } => "device_sequence".into(),
            Self::NotAHub(_) => "not_a_hub".into(),
            Self::Busy => "busy".into(),
            Self::Stopping => "stopping".into(),
        }
    }
}
