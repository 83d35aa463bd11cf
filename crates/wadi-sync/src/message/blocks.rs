//! What becomes of blocks: acknowledged, refused, cosigned, carried for a hub, and taken apart into
//! excerpts.

use super::{
    ExcerptAmount, ExcerptEntry, Message, Range,
    wire::{bad, hashes_in, hashes_out, log_out},
};
use crate::{pb, refuse_reason::RefuseReason};
use wadi_log::{Cosignature, LogError, LogId, RecordId, SignedCheckpoint};

/// Bytes of a refusal's code at most.
const CODE_BYTES_MAX: usize = 64;
/// The record that stands for all of them on the wire.
const ALL_RECORDS: RecordId = RecordId([0; 32]);

pub(super) fn ack_out(
    log: &LogId,
    size: u64,
    cosignature: Option<Cosignature>,
    refused: Option<&RefuseReason>,
) -> pb::Ack {
    pb::Ack {
        log: log_out(log),
        size,
        cosignature: cosignature.map(|c| c.to_bytes()).unwrap_or_default(),
        refused: refused.map(|r| r.code().to_string()).unwrap_or_default(),
        reason: refused.map_or(0, RefuseReason::number),
    }
}

pub(super) fn ack_in(m: pb::Ack) -> Result<Message, LogError> {
    if m.refused.len() > CODE_BYTES_MAX {
        return Err(bad("refusal"));
    }

    let cosignature = if m.cosignature.is_empty() {
        None
    } else {
        Some(Cosignature::from_slice(&m.cosignature)?)
    };

    Ok(Message::Ack {
        log: LogId::from_slice(&m.log)?,
        size: m.size,
        cosignature,
        refused: RefuseReason::from_wire(m.reason, m.refused),
    })
}

pub(super) fn cosigned_out(
    checkpoint: &SignedCheckpoint,
    cosignature: &Cosignature,
) -> pb::Cosigned {
    pb::Cosigned {
        checkpoint: checkpoint.to_bytes(),
        cosignature: cosignature.to_bytes(),
    }
}

pub(super) fn cosigned_in(m: &pb::Cosigned) -> Result<Message, LogError> {
    Ok(Message::Cosigned {
        checkpoint: Box::new(SignedCheckpoint::from_bytes(&m.checkpoint)?),
        cosignature: Cosignature::from_slice(&m.cosignature)?,
    })
}

pub(super) fn ranges_out(ranges: &[Range]) -> Vec<pb::Range> {
    ranges
        .iter()
        .map(|r| pb::Range {
            log: log_out(&r.log),
            start: r.from,
            size: r.to,
        })
        .collect()
}

pub(super) fn ranges_in(ranges: &[pb::Range]) -> Result<Vec<Range>, LogError> {
    ranges
        .iter()
        .map(|r| {
            Ok(Range {
                log: LogId::from_slice(&r.log)?,
                from: r.start,
                to: r.size,
            })
        })
        .collect()
}

pub(super) fn excerpt_out(record: &RecordId, from: u32, entries: &[ExcerptEntry]) -> pb::Excerpt {
    let entry_out = |e: &ExcerptEntry| pb::ExcerptEntry {
        log: log_out(&e.log),
        seq: e.seq,
        bytes: e.bytes.clone(),
        path: hashes_out(&e.path),
        checkpoint: e.checkpoint.to_bytes(),
        cosignature: e.cosignature.to_bytes(),
    };

    pb::Excerpt {
        record: record.0.to_vec(),
        from,
        entries: entries.iter().map(entry_out).collect(),
    }
}

pub(super) fn excerpt_in(m: pb::Excerpt) -> Result<Message, LogError> {
    let entry_in = |e: pb::ExcerptEntry| {
        Ok(ExcerptEntry {
            log: LogId::from_slice(&e.log)?,
            seq: e.seq,
            path: hashes_in(&e.path)?,
            checkpoint: SignedCheckpoint::from_bytes(&e.checkpoint)?,
            cosignature: Cosignature::from_slice(&e.cosignature)?,
            bytes: e.bytes,
        })
    };

    Ok(Message::Excerpt {
        record: RecordId::from_slice(&m.record)?,
        from: m.from,
        entries: m
            .entries
            .into_iter()
            .map(entry_in)
            .collect::<Result<_, LogError>>()?,
    })
}

pub(super) fn excerpt_ack_out(amount: ExcerptAmount) -> pb::ExcerptAck {
    let (record, entries) = match amount {
        ExcerptAmount::NothingOfAny => (ALL_RECORDS, 0),
        ExcerptAmount::Entries { record, entries } => (record, entries),
    };

    pb::ExcerptAck {
        record: record.0.to_vec(),
        entries,
    }
}

pub(super) fn excerpt_ack_in(m: &pb::ExcerptAck) -> Result<ExcerptAmount, LogError> {
    let record = RecordId::from_slice(&m.record)?;
    Ok(if record == ALL_RECORDS {
        ExcerptAmount::NothingOfAny
    } else {
        ExcerptAmount::Entries {
            record,
            entries: m.entries,
        }
    })
}
