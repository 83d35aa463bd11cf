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
