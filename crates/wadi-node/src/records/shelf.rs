//! Records kept in memory, bounded by bytes: a few heavy ones cost what many light ones do.

use lru::LruCache;
use wadi_log::RecordId;
use wadi_record::Record;

/// About how many bytes of records are kept in memory.
const CACHE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The records looked at last.
pub(crate) struct RecordCache {
    records: LruCache<RecordId, (Record, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Default for RecordCache {
    fn default() -> Self {
        Self::of(CACHE_BYTES_MAX)
    }
}

impl RecordCache {
    fn of(bytes_max: usize) -> Self {
        Self {
            records: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    /// Keeps a record; those looked at longest ago make room for it. The last one stays whatever it
    /// weighs, or a heavy record would be read anew at each touch.
    pub(crate) fn put(&mut self, id: RecordId, record: Record) {
        self.pop(&id);
        let weight = record.weight();
        self.bytes = self.bytes.saturating_add(weight);
        self.records.put(id, (record, weight));

        while self.bytes > self.bytes_max && self.records.len() > 1 {
            if let Some((_, (_, weight))) = self.records.pop_lru() {
                self.bytes = self.bytes.saturating_sub(weight);
            }
        }
    }

    /// Takes a record out.
    pub(crate) fn pop(&mut self, id: &RecordId) -> Option<Record> {
        let (record, weight) = self.records.pop(id)?;
        self.bytes = self.bytes.saturating_sub(weight);
        Some(record)
    }

    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.records.contains(id)
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wadi_log::{
        Change, Common, Crossing, Epoch, Hash, Lane, LogId, LogVerdict, NodeId, Put, Reference,
        Role, Value,
    };
    use wadi_record::{Author, Judge, JudgedChange};

    /// A record of one entry with a note of that many letters.
    fn record(seq: u64, letters: usize) -> (RecordId, Record) {
        let node = NodeId([1; 16]);
        let reference = Reference {
            log: LogId {
                node,
                epoch: Epoch([1; 8]),
                lane: Lane::Passage,
                crossing: Crossing::HUB,
            },
            seq,
            leaf: Hash([seq as u8; 32]),
        };
        let note = Put {
            key: "note".into(),
            value: Value::Text("n".repeat(letters)),
        };
        let author = Author {
            node,
            name: "hub".into(),
            role: Role::Hub,
            crossing: None,
        };

        let id = RecordId::of_first(&reference);
        let judged = JudgedChange {
            reference,
            common: Common::default(),
            change: Change {
                record: None,
                based_on: vec![],
                puts: vec![note],
                events: vec![],
            },
            verdict: LogVerdict::Counts,
            judge: Judge {
                author,
                policy: Arc::default(),
                officers: Arc::default(),
                tokens: Default::default(),
            },
        };
        (id, Record::build(id, [judged]).unwrap())
    }

    #[test]
    fn what_was_looked_at_longest_ago_makes_room() {
        let (first, one) = record(1, 10);
        let mut shelf = RecordCache::of(one.weight() * 5 / 2);
        shelf.put(first, one);
        let (second, two) = record(2, 10);
        shelf.put(second, two);

        // Looked at once more, the first one is the newest.
        let one = shelf.pop(&first).unwrap();
        shelf.put(first, one);
        let (third, three) = record(3, 10);
        shelf.put(third, three);

        let kept = [first, second, third].map(|id| shelf.contains(&id));
        assert_eq!(kept, [true, false, true]);
    }

    #[test]
    fn a_heavy_record_stays_and_counts_once() {
        let (light, one) = record(1, 10);
        let mut shelf = RecordCache::of(one.weight() * 2);
        shelf.put(light, one);

        let (heavy, huge) = record(2, 30_000);
        shelf.put(heavy, huge);
        assert!(shelf.contains(&heavy) && !shelf.contains(&light));

        let (_, again) = record(2, 30_000);
        let weight = again.weight();
        shelf.put(heavy, again);
        assert_eq!(shelf.bytes, weight);

        assert!(shelf.pop(&heavy).is_some() && shelf.pop(&heavy).is_none());
        assert_eq!(shelf.bytes, 0);
        shelf.clear();
        assert!(!shelf.contains(&heavy));
    }
}
