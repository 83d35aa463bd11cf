//! What follows from what both ends hold: hashes of entries and records that need not travel.

use std::collections::{BTreeMap, HashMap, VecDeque};
use wadi_log::{Hash, LogId, Peaks, RecordId, Reference};

/// Entries of a stream whose hashes both ends remember. Older ones are looked up in the store.
const REMEMBERED_ENTRIES: usize = 4_096;

/// An entry that stands in a log that is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldEntry {
    /// Its leaf.
    pub leaf: Hash,
    /// The record that it changes or begins; none where it is no change.
    pub record: Option<RecordId>,
}

/// What a block leaves out because the receiver holds it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HeldKey {
    /// The entry of a log at a position.
    Entry(LogId, u64),
    /// The root of a log at a size.
    Root(LogId, u64),
    /// The peaks of a log at a size: its root behind further entries follows from them.
    Peaks(LogId, u64),
}

impl HeldKey {
    /// The log, and how many entries of it have to be held.
    pub fn reach(&self) -> (LogId, u64) {
        match *self {
            Self::Entry(log, seq) => (log, seq.saturating_add(1)),
            Self::Root(log, size) | Self::Peaks(log, size) => (log, size),
        }
    }
}

/// Answers out of a store. What is not held is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)]
pub struct HeldParts {
    pub entries: BTreeMap<(LogId, u64), HeldEntry>,
    pub roots: BTreeMap<(LogId, u64), Hash>,
    pub peaks: BTreeMap<(LogId, u64), Peaks>,
}

/// An entry of the stream.
#[derive(Clone, Copy)]
pub(super) struct StreamEntry {
    pub(super) leaf: Hash,
    /// None where it begins a record.
    record: Option<RecordId>,
    is_change: bool,
}

/// The entries of a stream, the newest of them.
#[derive(Default)]
pub(super) struct StreamPast {
    entries: HashMap<(LogId, u64), Option<StreamEntry>>,
    order: VecDeque<(LogId, u64)>,
}

impl StreamPast {
    /// Takes an entry in; none where its bytes could not be rebuilt.
    pub(super) fn push(&mut self, at: (LogId, u64), entry: Option<StreamEntry>) {
        if self.entries.insert(at, entry).is_some() {
            return;
        }

        self.order.push_back(at);
        if self.order.len() > REMEMBERED_ENTRIES
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    pub(super) fn entry(&self, log: &LogId, seq: u64) -> Option<HeldEntry> {
        let entry = self.entries.get(&(*log, seq)).copied().flatten()?;
        Some(entry.held(*log, seq))
    }
}

impl StreamEntry {
    pub(super) fn change(leaf: Hash, record: Option<RecordId>) -> Self {
        Self {
            leaf,
            record,
            is_change: true,
        }
    }

    pub(super) fn other(leaf: Hash) -> Self {
        Self {
            leaf,
            record: None,
            is_change: false,
        }
    }

    fn held(&self, log: LogId, seq: u64) -> HeldEntry {
        let first = Reference {
            log,
            seq,
            leaf: self.leaf,
        };
        let record = self
            .is_change
            .then(|| self.record.unwrap_or_else(|| RecordId::of_first(&first)));

        HeldEntry {
            leaf: self.leaf,
            record,
        }
    }
}
