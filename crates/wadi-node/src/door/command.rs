//! What may be asked of the sequencer, and how it answers.

use crate::{
    door::{
        error::NodeError,
        signatory::Signatory,
        suspects::Suspect,
        write::{Write, Written},
    },
    ledger::{hub_time::How, seen::SeenIndex},
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::oneshot;
use wadi_log::{
    Block, Body, Cosignature, Enrolment, ForkProof, LogId, NodeId, RecordId, Reference,
    SignedCheckpoint, Tip, VerifiedStretch,
};
use wadi_record::{Blame, Record};
use wadi_store::{Batch, Carried, LocalKey, LocalScope, PeerRow, RefusalRow, StoreError};
use wadi_sync::{ExcerptEntry, Fetched, RefuseReason};

/// Where an answer goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, NodeError>>;

/// Something to be done at the sequencer.
pub(crate) enum Command {
    Write(Box<Write>, Reply<Written>),
    Control(Vec<Body>, Signatory, Reply<Vec<Reference>>),
    Ingest(Block, NodeId, oneshot::Sender<BlockOutcome>),
    Learn(Vec<Enrolment>, NodeId),
    Forks(Vec<ForkProof>, NodeId),
    Cosigned(Box<SignedCheckpoint>, Cosignature),
    /// A hub said its time.
    HubTime(NodeId, i64, How),
    /// The control log's head is to be signed anew, with the newest hub time: where that is due, or
    /// wherever there is a newer.
    Refresh {
        at_once: bool,
    },
    Excerpt {
        record: RecordId,
        entries: Vec<ExcerptEntry>,
        peer: NodeId,
        reply: oneshot::Sender<bool>,
    },
    Carry(Carried, oneshot::Sender<bool>),
    /// What is carried of a log is good for nobody.
    CarriedBad(LogId),
    Refusal(RefusalRow),
    Peer(PeerRow),
    Local(Vec<LocalKey>, Vec<(LocalScope, String)>, Reply<()>),
    /// Rows that a wing made: findings, cursors, and what the node keeps of itself. They are
    /// written apart from commits, so that no write fails with them.
    Keep(Box<Batch>, Reply<()>),
    /// A device's counter begins anew.
    BeginAnew(String, Reply<u64>),
    /// The record as it was. What it comes to is for the asker to find: no write waits for that.
    At {
        record: RecordId,
        at: Vec<Reference>,
        time_ms: Option<i64>,
        reply: Reply<Record>,
    },
    Account {
        record: RecordId,
        part: HistoryPart,
        reply: Reply<Account>,
    },
    /// The record apart from the sequencer's own, for its document as any Automerge tool opens it.
    Document {
        record: RecordId,
        reply: Reply<Record>,
    },
    /// The past is known as far as a peer knows it: forks can be answered with cuts.
    CutForks,
    /// Entries that were asked for.
    Stretches(Fetched, NodeId, oneshot::Sender<()>),
    /// Damaged entries that came back, proven; answers whether they were written. The number is as
    /// with `Mend`.
    PutBack(Vec<VerifiedStretch>, u64, Reply<bool>),
    /// What a scrub or a resync writes: kept hashes, indexes, and how far they have come. The
    /// number is how often another branch had become a log when the logs were read: where that
    /// happened once more since, nothing is written.
    Mend(Box<Batch>, Option<u64>, Reply<()>),
    /// Builds records afresh; answers how many stood differently, and with `mend` writes those.
    Rederive {
        ids: Vec<RecordId>,
        mend: bool,
        reply: Reply<u64>,
    },
    Stop(oneshot::Sender<()>),
}

/// Bytes of an entry that weigh what they are: most entries have fewer.
const USUAL_BYTES: usize = 1024;
/// What a byte beyond them weighs.
const LONG_BYTE_WEIGHT: usize = 16;

/// What an entry of so many bytes weighs in a commit.
fn weight(bytes: usize) -> usize {
    let beyond = bytes.saturating_sub(USUAL_BYTES);
    bytes.saturating_add(beyond.saturating_mul(LONG_BYTE_WEIGHT - 1))
}

impl Command {
    /// Bytes of entries that it brings.
    pub(crate) fn entry_bytes(&self) -> usize {
        match self {
            Self::Ingest(block, ..) => block.entries.iter().map(Vec::len).sum(),
            Self::Excerpt { entries, .. } => entries.iter().map(|e| e.bytes.len()).sum(),
            _ => 0,
        }
    }

    /// The same as a commit counts them: what an entry is longer than entries usually are weighs
    /// more. Long values cost a member next to nothing on the wire, and whoever's entry comes next
    /// waits for the disk to take them.
    pub(crate) fn entry_weight(&self) -> usize {
        match self {
            Self::Ingest(block, ..) => block.entries.iter().map(|e| weight(e.len())).sum(),
            Self::Excerpt { entries, .. } => entries.iter().map(|e| weight(e.bytes.len())).sum(),
            _ => 0,
        }
    }

    /// What is suspected, should the sequencer end over this.
    pub(crate) fn suspect(&self) -> Option<Suspect> {
        match self {
            Self::Ingest(block, _, _) => {
                let head = &block.checkpoint.checkpoint;
                Some(Suspect::block(&head.log, block.from, head.size))
            }
            Self::Excerpt { record, .. } => Some(Suspect::Excerpt {
                record: record.to_string(),
            }),
            Self::Write(write, _) => Some(Suspect::Write {
                digest: write.digest(),
            }),
            Self::At { record, .. }
            | Self::Account { record, .. }
            | Self::Document { record, .. } => Some(Suspect::Record {
                record: record.to_string(),
            }),
            _ => None,
        }
    }

    /// Tells whoever waits that it was not done.
    pub(crate) fn refuse(self, error: &StoreError) {
        match self {
            Self::Write(_, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::Control(_, _, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::Ingest(_, _, reply) => drop(reply.send(BlockOutcome::Refused {
                held: 0,
                reason: RefuseReason::from_code(error.code()),
            })),
            Self::Excerpt { reply, .. } | Self::Carry(_, reply) => drop(reply.send(false)),
            Self::Local(_, _, reply) | Self::Keep(_, reply) | Self::Mend(_, _, reply) => {
                drop(reply.send(Err(error.clone().into())))
            }
            Self::BeginAnew(_, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::At { reply, .. } => drop(reply.send(Err(error.clone().into()))),
            Self::Account { reply, .. } => drop(reply.send(Err(error.clone().into()))),
            Self::Document { reply, .. } => drop(reply.send(Err(error.clone().into()))),
            Self::Stop(reply) => drop(reply.send(())),
            Self::Stretches(_, _, reply) => drop(reply.send(())),
            Self::PutBack(_, _, reply) => drop(reply.send(Err(error.clone().into()))),
            Self::Rederive { reply, .. } => drop(reply.send(Err(error.clone().into()))),
            Self::Learn(..)
            | Self::CutForks
            | Self::CarriedBad(_)
            | Self::Forks(..)
            | Self::Cosigned(..)
            | Self::HubTime(..)
            | Self::Refresh { .. }
            | Self::Refusal(_)
            | Self::Peer(_) => {}
        }
    }
}

/// What became of a block.
#[derive(Clone, Debug)]
pub(crate) enum BlockOutcome {
    Durable {
        tip: Tip,
        cosignature: Box<Cosignature>,
    },
    Refused {
        held: u64,
        reason: RefuseReason,
    },
}

/// Of what a history tells.
pub(crate) struct HistoryPart {
    /// Of these entries.
    pub(crate) entries: BTreeSet<Reference>,
    /// And of all that was put into the fields.
    pub(crate) has_fields: bool,
}

/// What only the sequencer can tell of a record.
pub(crate) struct Account {
    pub(crate) stands: BTreeMap<Reference, Json>,
    /// Of entries that decide, or are signed by their officers: how that signature stands.
    pub(crate) signatures: BTreeMap<Reference, Json>,
    pub(crate) fields: Blame,
    pub(crate) decisions: BTreeMap<Reference, DecidedOn>,
}

/// What the author of a decision had before it.
pub(crate) struct DecidedOn {
    /// Entries of the record that others had made and that the screen did not show.
    pub(crate) not_shown: Vec<Reference>,
    /// What the author's log says that it had taken in, before the decision and after it.
    pub(crate) seen: Arc<SeenIndex>,
}
