//! What officers and devices ask to be written.

use wadi_log::{Crossing, RecordId, Reference};
use wadi_record::Draft;

/// The record that a write is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A new one, of that crossing; `None` for the node's own.
    New(Option<Crossing>),
    /// One that exists.
    On(RecordId),
}

/// The entries that the author's screen showed.
#[derive(Clone, PartialEq, Debug)]
pub enum Based {
    /// Everything held: the record's heads.
    Heads,
    /// These.
    Entries(Vec<Reference>),
}

/// One write.
#[derive(Clone, PartialEq, Debug)]
pub struct Write {
    /// About which record.
    pub target: Target,
    /// On top of what.
    pub based_on: Based,
    /// What.
    pub draft: Draft,
    /// Who: service number; empty for a device.
    pub officer: String,
    /// For which department; empty for a device.
    pub department: String,
    /// The device, where one says it.
    pub device: String,
    /// The device's own counter.
    pub device_seq: u64,
    /// When it happened, where that differs from now, and where that is known from.
    pub happened: Option<(i64, String)>,
    /// The sender's key: the same key twice is one write. Scope and key.
    pub key: Option<(String, String)>,
}

impl Write {
    /// A write by an officer, on everything held, now.
    pub fn by(officer: &str, department: &str, target: Target, draft: Draft) -> Self {
        Self {
            target,
            based_on: Based::Heads,
            draft,
            officer: officer.into(),
            department: department.into(),
            device: String::new(),
            device_seq: 0,
            happened: None,
            key: None,
        }
    }
}

/// What was written, durably.
#[derive(Clone, PartialEq, Debug)]
pub struct Written {
    /// The record.
    pub record: RecordId,
    /// Its printed id.
    pub printed: String,
    /// The entry; the sender's key was used before where it is one from then.
    pub entry: Reference,
    /// Whether the sender's key was used before, and nothing was written now.
    pub repeated: bool,
    /// What looks wrong and was recorded all the same.
    pub warnings: Vec<String>,
}
