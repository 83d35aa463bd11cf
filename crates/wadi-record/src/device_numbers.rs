//! Entries of fields alone that a device numbered: no event tells their numbers, and one that is
//! recorded is not missing.

use crate::{
    judged_change::{JudgedChange, Verdict},
    record::Record,
};
use serde_json::{Value as Json, json};

/// Such entries of one record that are told: the first ones, by their references.
const NUMBERED_MAX: usize = 256;

/// The term by which a number of a device is found, and by which those beside it find it.
pub(crate) fn device_term(record: &Record, device: &str, number: u64) -> String {
    format!("{}/{device}#{number}", record.crossing())
}

fn counting(record: &Record) -> impl Iterator<Item = &JudgedChange> {
    let rows = record.rows();
    rows.filter_map(|(said, row)| matches!(row, Verdict::Counts).then_some(said))
}

/// Entries that count, that a device numbered and that hold fields alone.
fn numbered(record: &Record) -> impl Iterator<Item = &JudgedChange> {
    let is_numbered = |said: &&JudgedChange| {
        let common = &said.common;
        common.device_seq > 0 && !common.device.is_empty() && said.change.events.is_empty()
    };

    let counting = counting(record);
    counting.filter(is_numbered).take(NUMBERED_MAX)
}

/// The terms of their numbers.
pub(crate) fn numbers_of_puts(record: &Record) -> impl Iterator<Item = String> {
    numbered(record).map(move |said| {
        let common = &said.common;
        device_term(record, &common.device, common.device_seq)
    })
}

impl Record {
    /// The numbers that devices gave to entries of fields alone, as JSON.
    pub(crate) fn device_numbers(&self) -> Vec<Json> {
        let line = |said: &JudgedChange| {
            json!({
                "device": said.common.device,
                "device_seq": said.common.device_seq,
                "at_ms": said.at_ms(),
                "entry": said.reference.to_string(),
            })
        };

        numbered(self).map(line).collect()
    }

    /// When the first entry of it that counts was written, by the clock of the node that wrote it,
    /// Unix milliseconds. Of two records that contradict each other this tells which one came
    /// second, whatever times they claim.
    pub(crate) fn written_ms(&self) -> Option<i64> {
        counting(self).map(|said| said.common.wall_ms).min()
    }
}
