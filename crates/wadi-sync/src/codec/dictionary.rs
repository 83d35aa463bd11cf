//! What a stream expects before anything of it has come: learned from a dictionary of entries as
//! crossings and hubs write them.

use super::column_stream::{ColumnStream, Forms, HashForm};
use super::range_coder::RangeEncoder;
use std::sync::OnceLock;
use wadi_log::{Crossing, Epoch, Lane, LogId, NodeId};

/// The entries of dictionary 1, each behind its length of two bytes (big endian), under zstd.
static ENTRIES: &[u8] = include_bytes!("dictionary_1.zst");
/// Bytes of a dictionary at most.
const DICTIONARY_BYTES_MAX: usize = 1 << 20;

struct AllHeld;

impl Forms for AllHeld {
    fn leaf(&self, _: &LogId, _: u64, _: &[u8; 32]) -> HashForm {
        HashForm::Held
    }

    fn is_record_of(&self, _: &LogId, _: u64, _: &[u8; 32]) -> bool {
        true
    }

    fn root(&self, _: &LogId, _: u64, _: &[u8; 32]) -> HashForm {
        HashForm::Held
    }
}

/// A stream that has learned the dictionary. It is learned once in a process.
pub(super) fn primed() -> &'static ColumnStream {
    static PRIMED: OnceLock<ColumnStream> = OnceLock::new();
    PRIMED.get_or_init(|| {
        let bytes = zstd::bulk::decompress(ENTRIES, DICTIONARY_BYTES_MAX)
            .expect("the dictionary is part of the program");
        learned(&entries_of(&bytes))
    })
}

fn entries_of(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut entries = Vec::new();
    while let [high, low, rest @ ..] = bytes {
        let length = usize::from(*high) << 8 | usize::from(*low);
        let (entry, rest) = rest.split_at(length.min(rest.len()));
        entries.push(entry);
        bytes = rest;
    }
    entries
}

fn learned(entries: &[&[u8]]) -> ColumnStream {
    let mut stream = ColumnStream::new();
    let log = LogId {
        node: NodeId([1; 16]),
        epoch: Epoch([1; 8]),
        lane: Lane::Passage,
        crossing: Crossing::HUB,
    };

    for (seq, entry) in (0..).zip(entries) {
        let mut nowhere = RangeEncoder::new();
        stream.columns.begin_frame(usize::MAX);
        stream
            .entry(&mut nowhere, &AllHeld, (log, seq), entry)
            .expect("a dictionary of entries is encoded");
    }

    stream.forget_logs();
    stream.columns.share_all();
    stream
}
