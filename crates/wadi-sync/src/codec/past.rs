//! What follows from what both ends hold: hashes of entries and records that need not travel.

use std::collections::{BTreeMap, HashMap, VecDeque};
use wadi_log::{Hash, LogId, Peaks, RecordId, Reference};

/// Entries of a stream whose hashes both ends remember. Older ones are looked up in the store.
const REMEMBERED_ENTRIES: usize = 4_096;
/// What the place of an entry takes, and what one of its logs does, about.
const PLACE_BYTES: usize = 20;
const LOG_BYTES: usize = 128;

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

/// The log of an entry, by its number among those of the stream, and the entry's position in two
/// halves: twelve bytes in place of forty, four thousand times.
type PastKey = [u32; 3];

/// The entries of a stream, the newest of them.
#[derive(Default)]
pub(super) struct StreamPast {
    /// From the oldest on.
    entries: VecDeque<(PastKey, Option<StreamEntry>)>,
    /// Where each lies, counted from the first that ever came; the count may begin anew.
    places: HashMap<PastKey, u32>,
    /// How many were forgotten, counted alike.
    forgotten: u32,
    logs: PastLogs,
}

/// Numbers of the logs that the entries are of.
#[derive(Default)]
struct PastLogs {
    numbers: HashMap<LogId, u32>,
    /// By number: the log, and how many entries are remembered of it.
    named: HashMap<u32, (LogId, usize)>,
    next: u32,
}

fn past_key(log: u32, seq: u64) -> PastKey {
    [log, (seq >> 32) as u32, seq as u32]
}

impl PastLogs {
    /// The number of a log of which one more entry is remembered.
    fn add(&mut self, log: &LogId) -> u32 {
        if let Some(number) = self.numbers.get(log)
            && let Some((_, count)) = self.named.get_mut(number)
        {
            *count += 1;
            return *number;
        }

        while self.named.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let number = self.next;
        self.numbers.insert(*log, number);
        self.named.insert(number, (*log, 1));
        number
    }

    /// One entry less is remembered of a log.
    fn remove(&mut self, number: u32) {
        let Some((log, count)) = self.named.get_mut(&number) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            let log = *log;
            self.named.remove(&number);
            self.numbers.remove(&log);
        }
    }
}

impl StreamPast {
    /// Bytes that it takes, about.
    pub(super) fn held_bytes(&self) -> usize {
        let entry = size_of::<(PastKey, Option<StreamEntry>)>();
        self.entries.capacity() * entry
            + self.places.capacity() * PLACE_BYTES
            + self.logs.named.len() * LOG_BYTES
    }

    fn place(&self, log: &LogId, seq: u64) -> Option<usize> {
        let number = self.logs.numbers.get(log)?;
        let place = self.places.get(&past_key(*number, seq))?;
        Some(place.wrapping_sub(self.forgotten) as usize)
    }

    /// Takes an entry in; none where its bytes could not be rebuilt.
    pub(super) fn push(&mut self, at: (LogId, u64), entry: Option<StreamEntry>) {
        let (log, seq) = at;
        if let Some(place) = self.place(&log, seq) {
            if let Some((_, known)) = self.entries.get_mut(place) {
                *known = entry;
            }
            return;
        }

        if self.entries.len() >= REMEMBERED_ENTRIES
            && let Some((oldest, _)) = self.entries.pop_front()
        {
            self.places.remove(&oldest);
            self.logs.remove(oldest[0]);
            self.forgotten = self.forgotten.wrapping_add(1);
        }

        let key = past_key(self.logs.add(&log), seq);
        let place = self.forgotten.wrapping_add(self.entries.len() as u32);
        self.entries.push_back((key, entry));
        self.places.insert(key, place);
    }

    pub(super) fn entry(&self, log: &LogId, seq: u64) -> Option<HeldEntry> {
        let (_, entry) = self.entries.get(self.place(log, seq)?)?;
        entry.map(|entry| entry.held(*log, seq))
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

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId};

    fn log(node: u8) -> LogId {
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    #[test]
    fn the_newest_entries_are_remembered_in_half_a_mebibyte() {
        let mut past = StreamPast::default();
        let leaf = |n: u64| wadi_log::leaf_hash(&n.to_be_bytes());
        let far = u64::from(u32::MAX);
        let all = 3 * REMEMBERED_ENTRIES as u64;
        for n in 0..all {
            let entry = StreamEntry::other(leaf(n));
            past.push((log((n % 3) as u8), far + n), Some(entry));
        }

        let found = |past: &StreamPast, n: u64| past.entry(&log((n % 3) as u8), far + n);
        let oldest = all - REMEMBERED_ENTRIES as u64;
        assert_eq!(found(&past, oldest - 1), None);
        for n in oldest..all {
            assert_eq!(found(&past, n).map(|e| e.leaf), Some(leaf(n)));
        }

        // One that comes once more takes its own place, and no other's.
        past.push((log((oldest % 3) as u8), far + oldest), None);
        assert_eq!(found(&past, oldest), None);
        assert!(found(&past, oldest + 1).is_some());
        assert!(past.held_bytes() <= 512 * 1024, "{}", past.held_bytes());

        // Logs of which nothing is left are forgotten, too.
        for n in 0..REMEMBERED_ENTRIES as u64 {
            past.push((log(9), n), None);
        }
        assert_eq!(past.logs.named.len(), 1);
        assert_eq!(past.logs.numbers.len(), 1);
    }
}
