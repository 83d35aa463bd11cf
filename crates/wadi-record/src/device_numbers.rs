//! Entries of fields alone that a device numbered: no event tells their numbers, and one that is
//! recorded is not missing.

use crate::{
    judged_change::{JudgedChange, Verdict},
    record::Record,
};
use serde_json::{Value as Json, json};

/// Such entries of one record that are told: the first ones, by their references.
const NUMBERED_MAX: usize = 256;

/// A number that a device gave, and the run of its counter that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct DeviceNumber<'a> {
    pub(crate) device: &'a str,
    pub(crate) run: &'a str,
    pub(crate) number: u64,
}

impl DeviceNumber<'_> {
    /// The terms by which it is found: by those beside it, and where a run begins with it, by the
    /// beginnings of the device's other runs.
    pub(crate) fn terms(self, record: &Record) -> impl Iterator<Item = (&'static str, String)> {
        let Self {
            device,
            run,
            number,
        } = self;
        let crossing = record.crossing();
        let within = match run {
            "" => format!("{crossing}/{device}"),
            run => format!("{crossing}/{device}@{run}"),
        };

        let begins = (number == 1).then(|| ("device_run", format!("{crossing}/{device}")));
        [("device_seq", format!("{within}#{number}"))]
            .into_iter()
            .chain(begins)
    }
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
pub(crate) fn numbers_of_puts(record: &Record) -> impl Iterator<Item = (&'static str, String)> {
    numbered(record).flat_map(move |said| {
        let number = DeviceNumber {
            device: &said.common.device,
            run: &said.common.device_run,
            number: said.common.device_seq,
        };
        number.terms(record)
    })
}

impl Record {
    /// The numbers that devices gave to entries of fields alone, as JSON.
    pub(crate) fn device_numbers(&self) -> Vec<Json> {
        let line = |said: &JudgedChange| {
            let mut line = json!({
                "device": said.common.device,
                "device_seq": said.common.device_seq,
                "at_ms": said.at_ms(),
                "entry": said.reference.to_string(),
            });
            if !said.common.device_run.is_empty() {
                line["device_run"] = said.common.device_run.as_str().into();
            }

            line
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
