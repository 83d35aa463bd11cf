//! About how many bytes of memory a record takes, for caches that are bounded by bytes.

use crate::Record;
use wadi_log::Value;

/// What an entry costs besides its text: its row, its place in the document, its operations.
const ENTRY_BYTES: usize = 3 * 1024;
/// What a record costs before its first entry.
const RECORD_BYTES: usize = 12 * 1024;
/// How many times a text is held: as signed, in the document, as an event's members.
const COPIES: usize = 3;

impl Record {
    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        let entries = self.rows.values().map(|said| {
            let puts = said
                .change
                .puts
                .iter()
                .map(|put| put.key.len().saturating_add(value_bytes(&put.value)));

            let events = said.change.events.iter().map(String::len);
            let text: usize = puts.chain(events).sum();
            ENTRY_BYTES.saturating_add(text.saturating_mul(COPIES))
        });

        entries.fold(RECORD_BYTES, usize::saturating_add)
    }
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Null | Value::Int(_) | Value::Flag(_) => 8,
    }
}
