//! Messages, with their types back. Decoding checks lengths and limits; what a message claims is
//! checked by the session.

mod blocks;
mod compared;
mod forks;
mod greeting;
mod sketches;
mod wire;

use crate::{
    bounds::count_fields, frontiers::FrontierPart, link_spec::LinkSpec, pb,
    refuse_reason::RefuseReason, sketch::SketchAsk,
};
use prost::Message as _;
use std::collections::BTreeMap;
use thiserror::Error;
use wadi_log::{
    BLOCK_ENTRIES_MAX, Branch, Cosignature, Crossing, Enrolment, Folded, ForkProof, Hash, Lane,
    LogError, LogId, NodeId, RecordId, SignedCheckpoint, Stretch, Subtree, Tip,
};

/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Ranges that one `Fetch` names at most.
pub const FETCH_RANGES_MAX: usize = 64;
/// Hashes of subtrees that one message asks for at most.
pub const TREE_HASHES_MAX: usize = 16_384;
/// Ranges that one `Pick` names at most.
pub const PICK_RANGES_MAX: usize = 160;
/// Entries that one `Pick` asks for at most.
pub const PICK_ENTRIES_MAX: usize = BLOCK_ENTRIES_MAX;

/// What lies at these fields of a message, at most: every list whose items may be as short as two
/// bytes, and take a hundred here. What is honest is longer, and no more of it fits a message.
/// Earlier versions put some 770 entries into one `Fetched`.
const LIST_LIMITS: [(&[u32], usize, &str); 14] = [
    (&[2, 1], 2_048, "enrolments"),
    (&[3, 1], 6_144, "nodes of a frontier"),
    (&[3, 1, 2], 6_144, "epochs of a frontier"),
    (&[3, 1, 2, 2], 7_500, "logs of a frontier"),
    (&[4, 1], 16_384, "nodes to unfold"),
    (&[10, 1], 1_024, "proofs of forks"),
    (&[11, 3], BLOCK_ENTRIES_MAX, "entries of an excerpt"),
    (&[11, 3, 4], 8_192, "hashes of an excerpt"),
    (&[14, 1], 4_096, "ranges that are carried"),
    (&[15, 1], 4_096, "ranges that are wanted"),
    (&[19, 4, 2], 1_536, "entries fetched"),
    (
        &[19, 4, 3],
        64 * FETCH_RANGES_MAX,
        "hashes around what was fetched",
    ),
    (&[28, 5], PICK_ENTRIES_MAX, "entries picked"),
    (&[24, 1], 2_048, "sums"),
];

/// Bytes of single kinds of messages at most: a list of numbers of a byte each takes eight times as
/// much here, and what answers a search for a fork is kept until the search is over.
const KIND_LIMITS: [(u32, usize, &str); 10] = [
    (1, 32 * 1024, "Hello"),
    (5, 4 * 1024, "Ack"),
    (6, 4 * 1024, "Probe"),
    (7, 4 * 1024, "Roots"),
    (9, 32 * 1024, "BranchAt"),
    (13, 32 * 1024, "Cosigned"),
    (18, 4 * 1024, "Fetch"),
    (20, 96 * 1024, "Tree"),
    (25, 96 * 1024, "Sketch"),
    (27, 16 * 1024, "Pick"),
];

/// Lanes and crossings that one message sums up at most.
pub(crate) const SCOPES_MAX: usize = 1_500;
/// What a peer can do wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A block frame does not read.
    #[error("block does not read: {0}")]
    BadBlock(String),
    /// A message does not read.
    #[error("message does not read: {0}")]
    BadMessage(String),
    /// The peer speaks another version.
    #[error("the peer speaks version {theirs}, this node {ours}")]
    Version {
        /// Theirs.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// The peer's enrolment is not one of the commission, or not of the node that the certificate
    /// names.
    #[error("{0}")]
    NotEnrolled(String),
    /// Something that may only follow came first.
    #[error("{0} before Hello")]
    OutOfOrder(&'static str),
}

impl SyncError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadBlock(_) => "bad_block",
            Self::BadMessage(_) => "bad_message",
            Self::Version { .. } => "version",
            Self::NotEnrolled(_) => "not_enrolled",
            Self::OutOfOrder(_) => "out_of_order",
        }
    }
}

impl From<LogError> for SyncError {
    fn from(e: LogError) -> Self {
        Self::BadMessage(e.to_string())
    }
}

/// A run of a log, from a position to a size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Range {
    /// The log.
    pub log: LogId,
    /// Position of the first entry.
    pub from: u64,
    /// The log's size after the last.
    pub to: u64,
}

/// One entry of a record, proven without its log.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct ExcerptEntry {
    pub log: LogId,
    pub seq: u64,
    pub bytes: Vec<u8>,
    pub path: Vec<Hash>,
    pub checkpoint: SignedCheckpoint,
    pub cosignature: Cosignature,
}

/// How much of the records handed over to a node it holds as excerpts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExcerptAmount {
    /// Nothing of any: all are to be sent again.
    NothingOfAny,
    /// So many entries of one record; fewer than before where some were lost.
    Entries {
        /// The record.
        record: RecordId,
        /// Its entries.
        entries: u32,
    },
}

/// Entries fetched of one tree.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub struct Fetched {
    pub log: LogId,
    /// The tree that they are proven in.
    pub tip: Tip,
    pub stretches: Vec<Stretch>,
    /// What the peer does not hold, or cannot read.
    pub absent: Vec<(u64, u64)>,
}

/// Entries of one tree, without a proof.
#[derive(Clone, PartialEq, Debug)]
pub struct Picked {
    /// The log.
    pub log: LogId,
    /// The tree that they were asked of.
    pub tip: Tip,
    /// Where the first range that was asked for begins.
    pub from: u64,
    /// In the order in which they were asked for, as many as the peer holds and as fit.
    pub entries: Vec<Vec<u8>>,
}

/// Subtrees whose parts are asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeAsk {
    /// The subtrees' level.
    pub level: u8,
    /// How many levels lower the parts lie.
    pub step: u8,
    /// Which of their level, ascending.
    pub indices: Vec<u64>,
}

impl TreeAsk {
    /// The parts, from left to right.
    pub fn parts(&self) -> impl Iterator<Item = Subtree> + '_ {
        let level = self.level - self.step;
        let of = move |i: &u64| {
            (*i << self.step..i.saturating_add(1) << self.step)
                .map(move |index| Subtree { level, index })
        };
        self.indices.iter().flat_map(of)
    }
}

/// What a node's records of one lane and crossing come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScopeSum {
    /// The lane.
    pub lane: Lane,
    /// The crossing.
    pub crossing: Crossing,
    /// Records.
    pub records: u64,
    /// Entries.
    pub entries: u64,
    /// Digest over the logs' sizes and roots.
    pub logs: Hash,
    /// Digest over the documents.
    pub documents: Hash,
    /// Digest over the states.
    pub states: Hash,
}

/// What two nodes say to each other.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Message {
    Hello {
        version: u32,
        /// The sender's own; none where the peer held it when they last met.
        enrolment: Option<Box<Enrolment>>,
        digest: Hash,
        members: Hash,
        hub_time_s: i64,
        /// The digest of what both held alike at the last contact, where the sender remembers it.
        remembers: Option<Hash>,
        /// What the sender has provisioned for this link, bits a second, where it knows.
        rate_bits_s: Option<u64>,
        /// Marks of the versions of the block codec that the sender reads beside the first.
        codecs: Vec<u8>,
        /// The version of the sender's software; empty where it does not say. It is told to
        /// people, and nothing is decided by it.
        software: String,
        /// Which of several links between the two this is; none where there is one.
        link: Option<LinkSpec>,
    },
    Members(Vec<Enrolment>),
    Frontier {
        folded: Folded,
        part: FrontierPart,
    },
    Unfold(Vec<NodeId>),
    Ack {
        log: LogId,
        size: u64,
        cosignature: Option<Cosignature>,
        /// Why the block is not taken; none where it is durable.
        refused: Option<RefuseReason>,
    },
    Probe {
        log: LogId,
        sizes: Vec<u64>,
    },
    Roots {
        log: LogId,
        roots: BTreeMap<u64, Hash>,
    },
    WantBranch {
        log: LogId,
        at: u64,
    },
    BranchAt {
        log: LogId,
        at: u64,
        branch: Box<Branch>,
    },
    ForkProofs(Vec<ForkProof>),
    Excerpt {
        record: RecordId,
        from: u32,
        entries: Vec<ExcerptEntry>,
    },
    ExcerptAck(ExcerptAmount),
    Cosigned {
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    },
    CarryOffer(Vec<Range>),
    CarryWant(Vec<Range>),
    Carry {
        log: LogId,
        block: Vec<u8>,
    },
    CarryAck {
        log: LogId,
        size: u64,
    },
    Fetch {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    },
    Fetched(Fetched),
    Tree {
        log: LogId,
        tip: Tip,
        salt: u64,
        asks: Vec<TreeAsk>,
    },
    TreeIs {
        log: LogId,
        tip: Tip,
        salt: u64,
        hashes: Vec<u8>,
    },
    Sketch {
        log: LogId,
        tip: Tip,
        salt: u64,
        ask: SketchAsk,
    },
    SketchIs {
        log: LogId,
        tip: Tip,
        salt: u64,
        /// What was asked for; nothing where the tree is not held.
        sketch: Vec<u8>,
    },
    /// Only for whoever holds all other entries of that tree.
    Pick {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    },
    Picked(Picked),
    Recompare,
    AskDigests,
    Digests(Vec<ScopeSum>),
}

/// Counts what the lists of a message hold, and how long it is for what it is, before any of it is
/// decoded.
fn check_lists(bytes: &[u8]) -> Result<(), SyncError> {
    for (kind, most, what) in KIND_LIMITS {
        let is_one = bytes.len() > most
            && count_fields(bytes, &[kind]).map_err(|e| SyncError::BadMessage(e.to_string()))? > 0;
        if is_one {
            return Err(SyncError::BadMessage(format!(
                "{what} of {} bytes; the limit is {most}",
                bytes.len()
            )));
        }
    }

    for (path, most, what) in LIST_LIMITS {
        let count = count_fields(bytes, path).map_err(|e| SyncError::BadMessage(e.to_string()))?;
        if count > most {
            return Err(SyncError::BadMessage(format!(
                "{count} {what}; the limit is {most}"
            )));
        }
    }

    Ok(())
}

impl Message {
    /// What a peer says first that holds nothing, is in step with nobody and reads the first
    /// version of the block codec alone: its `Hello`, and an empty frontier. `hub_time_s` is in
    /// Unix seconds, 0 where it heard of no hub.
    pub fn opening(enrolment: &Enrolment, hub_time_s: i64) -> [Self; 2] {
        let hello = Self::Hello {
            version: 1,
            enrolment: Some(Box::new(enrolment.clone())),
            digest: Hash([9; 32]),
            members: Hash([9; 32]),
            hub_time_s,
            remembers: None,
            rate_bits_s: None,
            codecs: vec![],
            software: String::new(),
            link: None,
        };
        let frontier = Self::Frontier {
            folded: Folded::default(),
            part: FrontierPart::default(),
        };

        [hello, frontier]
    }

    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        pb::Message {
            of: Some(self.to_wire()),
        }
        .encode_to_vec()
    }

    /// Reads a message's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SyncError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(SyncError::BadMessage(format!(
                "{} bytes; the limit is {MESSAGE_BYTES_MAX}",
                bytes.len()
            )));
        }

        check_lists(bytes)?;
        let message =
            pb::Message::decode(bytes).map_err(|e| SyncError::BadMessage(e.to_string()))?;
        let of = message
            .of
            .ok_or_else(|| SyncError::BadMessage("it says nothing this version knows".into()))?;

        Self::from_wire(of)
    }
}

#[cfg(test)]
mod tests;
