//! Messages, with their types back. Decoding checks lengths and limits; what a message claims is
//! checked by the session.

use crate::{bounds::count_fields, frontiers::FrontierPart, pb};
use prost::Message as _;
use std::collections::BTreeMap;
use thiserror::Error;
use wadi_log::{
    BLOCK_ENTRIES_MAX, Branch, Cosignature, Crossing, Enrolment, Epoch, Folded, ForkProof, Hash,
    Lane, LogError, LogId, NodeId, RecordId, SignedCheckpoint, Stretch, Subtree, Tip,
};

/// Bytes of a message at most.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// Ranges that one `Fetch` names at most.
pub const FETCH_RANGES_MAX: usize = 64;
/// Hashes of subtrees that one message asks for at most.
pub const TREE_HASHES_MAX: usize = 16_384;

/// What lies at these fields of a message, at most: entries of an `Excerpt`; of all stretches of a
/// `Fetched` entries, and hashes around them. Earlier versions put some 770 entries into one
/// `Fetched`.
const LISTS: [(&[u32], usize, &str); 3] = [
    (&[11, 3], BLOCK_ENTRIES_MAX, "entries of an excerpt"),
    (&[19, 4, 2], 1_536, "entries fetched"),
    (
        &[19, 4, 3],
        64 * FETCH_RANGES_MAX,
        "hashes around what was fetched",
    ),
];

/// Lanes and crossings that one message sums up at most.
pub(crate) const SCOPES_MAX: usize = 1_500;
/// Bytes of a refusal's code at most.
const CODE_BYTES_MAX: usize = 64;

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
        enrolment: Box<Enrolment>,
        digest: Hash,
        members: Hash,
        hub_time_s: i64,
        remembers: Hash,
        /// What the sender has provisioned for this link, bits a second; 0 where it does not know.
        rate_bits_s: u64,
    },
    Members(Vec<Enrolment>),
    Frontier {
        folded: Folded,
        told: FrontierPart,
    },
    Unfold(Vec<NodeId>),
    Ack {
        log: LogId,
        size: u64,
        cosignature: Option<Cosignature>,
        refused: String,
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
    ExcerptAck {
        record: RecordId,
        entries: u32,
    },
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
    Recompare,
    AskDigests,
    Digests(Vec<ScopeSum>),
}

fn log_out(log: &LogId) -> Vec<u8> {
    log.to_bytes().to_vec()
}

fn hashes_in(hashes: &[Vec<u8>]) -> Result<Vec<Hash>, LogError> {
    hashes.iter().map(|h| Hash::from_slice(h)).collect()
}

fn hashes_out(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|h| h.0.to_vec()).collect()
}

fn ranges_out(ranges: &[Range]) -> Vec<pb::Range> {
    ranges
        .iter()
        .map(|r| pb::Range {
            log: log_out(&r.log),
            start: r.from,
            size: r.to,
        })
        .collect()
}

fn ranges_in(ranges: &[pb::Range]) -> Result<Vec<Range>, LogError> {
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

fn frontier_out(folded: &Folded, told: FrontierPart) -> pb::Frontier {
    let mut nodes: BTreeMap<NodeId, (BTreeMap<Epoch, Vec<pb::TipOf>>, u64, Vec<u8>)> =
        BTreeMap::new();
    for (log, tip) in &folded.open {
        nodes
            .entry(log.node)
            .or_default()
            .0
            .entry(log.epoch)
            .or_default()
            .push(pb::TipOf {
                lane: log.lane as u32,
                crossing: log.crossing.to_string(),
                size: tip.size,
                root: tip.root.0.to_vec(),
            });
    }

    for (node, (count, digest)) in &folded.closed {
        let entry = nodes.entry(*node).or_default();
        (entry.1, entry.2) = (*count, digest.0.to_vec());
    }

    let epochs = |e: BTreeMap<Epoch, Vec<pb::TipOf>>| {
        e.into_iter()
            .map(|(epoch, tips)| pb::EpochTips {
                epoch: epoch.0.to_vec(),
                tips,
            })
            .collect()
    };

    pb::Frontier {
        nodes: nodes
            .into_iter()
            .map(|(node, (e, closed, closed_digest))| pb::NodeTips {
                node: node.0.to_vec(),
                epochs: epochs(e),
                closed,
                closed_digest,
            })
            .collect(),
        unfolded: told.unfolded,
        since: told.since,
        more: told.more,
    }
}

fn frontier_in(f: &pb::Frontier) -> Result<Folded, LogError> {
    let mut out = Folded::default();
    for n in &f.nodes {
        let node = NodeId::from_slice(&n.node)?;
        if n.closed > 0 {
            out.closed
                .insert(node, (n.closed, Hash::from_slice(&n.closed_digest)?));
        }

        for e in &n.epochs {
            let epoch = Epoch(e.epoch.clone().try_into().map_err(|_| bad("epoch"))?);
            for t in &e.tips {
                let lane = Lane::from_u8(u8::try_from(t.lane).unwrap_or(u8::MAX))?;
                let log = LogId {
                    node,
                    epoch,
                    lane,
                    crossing: t.crossing.parse()?,
                };

                out.open.insert(
                    log,
                    Tip {
                        size: t.size,
                        root: Hash::from_slice(&t.root)?,
                    },
                );
            }
        }
    }

    Ok(out)
}

fn pairs_out(ranges: &[(u64, u64)]) -> Vec<u64> {
    ranges.iter().flat_map(|(from, to)| [*from, *to]).collect()
}

/// Ranges ascend and do not overlap; none is empty.
fn pairs_in(flat: &[u64], max: usize) -> Result<Vec<(u64, u64)>, LogError> {
    let (pairs, rest) = flat.as_chunks::<2>();
    let pairs: Vec<(u64, u64)> = pairs.iter().map(|[from, to]| (*from, *to)).collect();
    let ascending =
        pairs.windows(2).all(|w| w[0].1 <= w[1].0) && pairs.iter().all(|(from, to)| from < to);

    if rest.is_empty() && ascending && pairs.len() <= max {
        Ok(pairs)
    } else {
        Err(bad("ranges"))
    }
}

fn ask_out(ask: &TreeAsk) -> pb::TreeAsk {
    let before = std::iter::once(0).chain(ask.indices.iter().copied());
    let indices = ask
        .indices
        .iter()
        .zip(before)
        .map(|(index, before)| index - before)
        .collect();

    pb::TreeAsk {
        level: ask.level.into(),
        step: ask.step.into(),
        indices,
    }
}

fn ask_in(ask: &pb::TreeAsk) -> Result<TreeAsk, LogError> {
    let mut at = 0u64;
    let mut indices = Vec::with_capacity(ask.indices.len());
    for (n, more) in ask.indices.iter().enumerate() {
        at = at
            .checked_add(*more)
            .filter(|at| *at < 1 << 48 && (n == 0 || *more > 0))
            .ok_or_else(|| bad("tree"))?;
        indices.push(at);
    }

    match (u8::try_from(ask.level), u8::try_from(ask.step)) {
        (Ok(level), Ok(step)) if level < 63 && step <= level && step <= 8 => Ok(TreeAsk {
            level,
            step,
            indices,
        }),
        _ => Err(bad("tree")),
    }
}

fn tip_in(size: u64, root: &[u8]) -> Result<Tip, LogError> {
    Ok(Tip {
        size,
        root: Hash::from_slice(root)?,
    })
}

/// Counts what the lists of a message hold before any of it is decoded.
fn check_lists(bytes: &[u8]) -> Result<(), SyncError> {
    for (path, most, what) in LISTS {
        let count = count_fields(bytes, path).map_err(|e| SyncError::BadMessage(e.to_string()))?;
        if count > most {
            return Err(SyncError::BadMessage(format!(
                "{count} {what}; the limit is {most}"
            )));
        }
    }

    Ok(())
}

fn bad(why: &str) -> LogError {
    LogError::Malformed {
        what: "message",
        why: why.into(),
    }
}

impl Message {
    /// The message's bytes.
    pub fn encode(&self) -> Vec<u8> {
        use pb::message::Of;
        let of = match self {
            Self::Hello {
                version,
                enrolment,
                digest,
                members,
                hub_time_s,
                remembers,
                rate_bits_s,
            } => Of::Hello(pb::Hello {
                rate_bits_s: *rate_bits_s,
                remembers: if *remembers == Hash::default() {
                    vec![]
                } else {
                    remembers.0.to_vec()
                },
                version: *version,
                enrolment: enrolment.to_bytes(),
                digest: digest.0.to_vec(),
                members: members.0.to_vec(),
                hub_time_s: *hub_time_s,
            }),
            Self::Members(all) => Of::Members(pb::Members {
                enrolments: all.iter().map(Enrolment::to_bytes).collect(),
            }),
            Self::Frontier { folded, told } => Of::Frontier(frontier_out(folded, *told)),
            Self::Unfold(nodes) => Of::Unfold(pb::Unfold {
                nodes: nodes.iter().map(|n| n.0.to_vec()).collect(),
            }),
            Self::Ack {
                log,
                size,
                cosignature,
                refused,
            } => Of::Ack(pb::Ack {
                log: log_out(log),
                size: *size,
                cosignature: cosignature.map(|c| c.to_bytes()).unwrap_or_default(),
                refused: refused.clone(),
            }),
            Self::Probe { log, sizes } => Of::Probe(pb::Probe {
                log: log_out(log),
                sizes: sizes.clone(),
            }),
            Self::Roots { log, roots } => Of::Roots(pb::Roots {
                log: log_out(log),
                sizes: roots.keys().copied().collect(),
                roots: roots.values().map(|r| r.0.to_vec()).collect(),
            }),
            Self::WantBranch { log, at } => Of::WantBranch(pb::WantBranch {
                log: log_out(log),
                at: *at,
            }),
            Self::BranchAt { log, at, branch } => Of::BranchAt(pb::BranchAt {
                log: log_out(log),
                at: *at,
                checkpoint: branch.checkpoint.to_bytes(),
                leaf: branch.leaf.0.to_vec(),
                path: hashes_out(&branch.path),
            }),
            Self::ForkProofs(proofs) => Of::ForkProofs(pb::ForkProofs {
                proofs: proofs.iter().map(ForkProof::to_bytes).collect(),
            }),
            Self::Excerpt {
                record,
                from,
                entries,
            } => Of::Excerpt(pb::Excerpt {
                record: record.0.to_vec(),
                from: *from,
                entries: entries
                    .iter()
                    .map(|e| pb::ExcerptEntry {
                        log: log_out(&e.log),
                        seq: e.seq,
                        bytes: e.bytes.clone(),
                        path: hashes_out(&e.path),
                        checkpoint: e.checkpoint.to_bytes(),
                        cosignature: e.cosignature.to_bytes(),
                    })
                    .collect(),
            }),
            Self::ExcerptAck { record, entries } => Of::ExcerptAck(pb::ExcerptAck {
                record: record.0.to_vec(),
                entries: *entries,
            }),
            Self::Cosigned {
                checkpoint,
                cosignature,
            } => Of::Cosigned(pb::Cosigned {
                checkpoint: checkpoint.to_bytes(),
                cosignature: cosignature.to_bytes(),
            }),
            Self::CarryOffer(r) => Of::CarryOffer(pb::CarryOffer {
                ranges: ranges_out(r),
            }),
            Self::CarryWant(r) => Of::CarryWant(pb::CarryWant {
                ranges: ranges_out(r),
            }),
            Self::Carry { log, block } => Of::Carry(pb::Carry {
                log: log_out(log),
                block: block.clone(),
            }),
            Self::CarryAck { log, size } => Of::CarryAck(pb::CarryAck {
                log: log_out(log),
                size: *size,
            }),
            Self::Fetch { log, tip, ranges } => Of::Fetch(pb::Fetch {
                log: log_out(log),
                size: tip.size,
                root: tip.root.0.to_vec(),
                ranges: pairs_out(ranges),
            }),
            Self::Fetched(f) => Of::Fetched(pb::Fetched {
                log: log_out(&f.log),
                size: f.tip.size,
                root: f.tip.root.0.to_vec(),
                stretches: f
                    .stretches
                    .iter()
                    .map(|s| pb::Stretch {
                        start: s.from,
                        entries: s.entries.clone(),
                        around: hashes_out(&s.around),
                    })
                    .collect(),
                absent: pairs_out(&f.absent),
            }),
            Self::Tree {
                log,
                tip,
                salt,
                asks,
            } => Of::Tree(pb::Tree {
                log: log_out(log),
                size: tip.size,
                root: tip.root.0.to_vec(),
                salt: *salt,
                asks: asks.iter().map(ask_out).collect(),
            }),
            Self::TreeIs {
                log,
                tip,
                salt,
                hashes,
            } => Of::TreeIs(pb::TreeIs {
                log: log_out(log),
                size: tip.size,
                root: tip.root.0.to_vec(),
                salt: *salt,
                hashes: hashes.clone(),
            }),
            Self::AskDigests => Of::AskDigests(true),
            Self::Digests(sums) => Of::Digests(pb::Digests {
                scopes: sums
                    .iter()
                    .map(|s| pb::ScopeSum {
                        lane: s.lane as u32,
                        crossing: s.crossing.to_string(),
                        records: s.records,
                        entries: s.entries,
                        logs: s.logs.0.to_vec(),
                        documents: s.documents.0.to_vec(),
                        states: s.states.0.to_vec(),
                    })
                    .collect(),
            }),
            Self::Recompare => Of::Recompare(true),
        };

        pb::Message { of: Some(of) }.encode_to_vec()
    }

    /// Reads a message's bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SyncError> {
        use pb::message::Of;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(SyncError::BadMessage(format!(
                "{} bytes; the limit is {MESSAGE_BYTES_MAX}",
                bytes.len()
            )));
        }

        check_lists(bytes)?;
        let message =
            pb::Message::decode(bytes).map_err(|e| SyncError::BadMessage(e.to_string()))?;
        let cosignature = |c: &[u8]| {
            if c.is_empty() {
                Ok(None)
            } else {
                Cosignature::from_slice(c).map(Some)
            }
        };

        Ok(
            match message
                .of
                .ok_or_else(|| SyncError::BadMessage("it says nothing this version knows".into()))?
            {
                Of::Hello(h) => Self::Hello {
                    remembers: if h.remembers.is_empty() {
                        Hash::default()
                    } else {
                        Hash::from_slice(&h.remembers)?
                    },
                    version: h.version,
                    enrolment: Box::new(Enrolment::from_bytes(&h.enrolment)?),
                    digest: Hash::from_slice(&h.digest)?,
                    members: Hash::from_slice(&h.members)?,
                    hub_time_s: h.hub_time_s,
                    rate_bits_s: h.rate_bits_s,
                },
                Of::Members(m) => Self::Members(
                    m.enrolments
                        .iter()
                        .map(|e| Enrolment::from_bytes(e))
                        .collect::<Result<_, _>>()?,
                ),
                Of::Frontier(f) => Self::Frontier {
                    folded: frontier_in(&f)?,
                    told: FrontierPart {
                        unfolded: f.unfolded,
                        since: f.since,
                        more: f.more,
                    },
                },
                Of::Unfold(u) => Self::Unfold(
                    u.nodes
                        .iter()
                        .map(|n| NodeId::from_slice(n))
                        .collect::<Result<_, _>>()?,
                ),
                Of::Ack(a) => Self::Ack {
                    log: LogId::from_slice(&a.log)?,
                    size: a.size,
                    cosignature: cosignature(&a.cosignature)?,
                    refused: Some(a.refused)
                        .filter(|r| r.len() <= CODE_BYTES_MAX)
                        .ok_or_else(|| bad("refusal"))?,
                },
                Of::Probe(p) => Self::Probe {
                    log: LogId::from_slice(&p.log)?,
                    sizes: p.sizes,
                },
                Of::Roots(r) => Self::Roots {
                    log: LogId::from_slice(&r.log)?,
                    roots: r.sizes.into_iter().zip(hashes_in(&r.roots)?).collect(),
                },
                Of::WantBranch(w) => Self::WantBranch {
                    log: LogId::from_slice(&w.log)?,
                    at: w.at,
                },
                Of::BranchAt(b) => Self::BranchAt {
                    log: LogId::from_slice(&b.log)?,
                    at: b.at,
                    branch: Box::new(Branch {
                        checkpoint: SignedCheckpoint::from_bytes(&b.checkpoint)?,
                        leaf: Hash::from_slice(&b.leaf)?,
                        path: hashes_in(&b.path)?,
                    }),
                },
                Of::ForkProofs(f) => Self::ForkProofs(
                    f.proofs
                        .iter()
                        .map(|p| ForkProof::from_bytes(p))
                        .collect::<Result<_, _>>()?,
                ),
                Of::Excerpt(e) => Self::Excerpt {
                    record: RecordId::from_slice(&e.record)?,
                    from: e.from,
                    entries: e
                        .entries
                        .into_iter()
                        .map(|e| {
                            Ok(ExcerptEntry {
                                log: LogId::from_slice(&e.log)?,
                                seq: e.seq,
                                path: hashes_in(&e.path)?,
                                checkpoint: SignedCheckpoint::from_bytes(&e.checkpoint)?,
                                cosignature: Cosignature::from_slice(&e.cosignature)?,
                                bytes: e.bytes,
                            })
                        })
                        .collect::<Result<_, LogError>>()?,
                },
                Of::ExcerptAck(a) => Self::ExcerptAck {
                    record: RecordId::from_slice(&a.record)?,
                    entries: a.entries,
                },
                Of::Cosigned(c) => Self::Cosigned {
                    checkpoint: Box::new(SignedCheckpoint::from_bytes(&c.checkpoint)?),
                    cosignature: Cosignature::from_slice(&c.cosignature)?,
                },
                Of::CarryOffer(c) => Self::CarryOffer(ranges_in(&c.ranges)?),
                Of::CarryWant(c) => Self::CarryWant(ranges_in(&c.ranges)?),
                Of::Carry(c) => Self::Carry {
                    log: LogId::from_slice(&c.log)?,
                    block: c.block,
                },
                Of::CarryAck(c) => Self::CarryAck {
                    log: LogId::from_slice(&c.log)?,
                    size: c.size,
                },
                Of::Fetch(f) => Self::Fetch {
                    log: LogId::from_slice(&f.log)?,
                    tip: tip_in(f.size, &f.root)?,
                    ranges: pairs_in(&f.ranges, FETCH_RANGES_MAX)?,
                },
                Of::Fetched(f) => Self::Fetched(Fetched {
                    log: LogId::from_slice(&f.log)?,
                    tip: tip_in(f.size, &f.root)?,
                    absent: pairs_in(&f.absent, FETCH_RANGES_MAX)?,
                    stretches: f
                        .stretches
                        .into_iter()
                        .map(|s| {
                            Ok(Stretch {
                                from: s.start,
                                entries: s.entries,
                                around: hashes_in(&s.around)?,
                            })
                        })
                        .collect::<Result<_, LogError>>()?,
                }),
                Of::Tree(t) => {
                    let asks = t.asks.iter().map(ask_in).collect::<Result<Vec<_>, _>>()?;
                    let hashes: usize = asks.iter().map(|a| a.indices.len() << a.step).sum();
                    if hashes > TREE_HASHES_MAX {
                        return Err(SyncError::BadMessage(format!(
                            "{hashes} hashes asked for at once"
                        )));
                    }

                    Self::Tree {
                        log: LogId::from_slice(&t.log)?,
                        tip: tip_in(t.size, &t.root)?,
                        salt: t.salt,
                        asks,
                    }
                }
                Of::TreeIs(t) => Self::TreeIs {
                    log: LogId::from_slice(&t.log)?,
                    tip: tip_in(t.size, &t.root)?,
                    salt: t.salt,
                    hashes: t.hashes,
                },
                Of::AskDigests(_) => Self::AskDigests,
                Of::Digests(d) => Self::Digests(
                    d.scopes
                        .iter()
                        .map(|s| {
                            Ok(ScopeSum {
                                lane: Lane::from_u8(u8::try_from(s.lane).unwrap_or(u8::MAX))?,
                                crossing: s.crossing.parse()?,
                                records: s.records,
                                entries: s.entries,
                                logs: Hash::from_slice(&s.logs)?,
                                documents: Hash::from_slice(&s.documents)?,
                                states: Hash::from_slice(&s.states)?,
                            })
                        })
                        .collect::<Result<_, LogError>>()?,
                ),
                Of::Recompare(_) => Self::Recompare,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{LogKey, Role, Scope};

    /// `Hello` as versions before the link's rate knew it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct EarlierHello {
        #[prost(uint32, tag = "1")]
        version: u32,
        #[prost(bytes = "vec", tag = "2")]
        enrolment: Vec<u8>,
        #[prost(bytes = "vec", tag = "3")]
        digest: Vec<u8>,
        #[prost(bytes = "vec", tag = "4")]
        members: Vec<u8>,
        #[prost(int64, tag = "5")]
        hub_time_s: i64,
        #[prost(bytes = "vec", tag = "6")]
        remembers: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct EarlierMessage {
        #[prost(message, optional, tag = "1")]
        hello: Option<EarlierHello>,
    }

    fn hello(rate_bits_s: u64) -> Message {
        let key = LogKey::from_seed(&[2; 32]);
        let enrolment = Enrolment {
            name: "hub".into(),
            role: Role::Hub,
            crossing: Some(Crossing::HUB),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::all(),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };

        Message::Hello {
            version: 1,
            enrolment: Box::new(enrolment),
            digest: Hash([1; 32]),
            members: Hash([2; 32]),
            hub_time_s: 7,
            remembers: Hash([3; 32]),
            rate_bits_s,
        }
    }

    #[test]
    fn earlier_versions_read_a_hello_with_a_rate_and_are_read_without_one() {
        let told = hello(256_000).encode();
        assert_eq!(Message::decode(&told).unwrap(), hello(256_000));

        let earlier = EarlierMessage::decode(&told[..]).expect("it skips what it does not know");
        assert_eq!(Message::decode(&earlier.encode_to_vec()).unwrap(), hello(0));
    }

    #[test]
    fn lists_without_number_are_refused_before_they_are_decoded() {
        use pb::message::Of;
        let bytes = |of| pb::Message { of: Some(of) }.encode_to_vec();
        let stretch = |n| pb::Stretch {
            start: 0,
            entries: vec![vec![]; n],
            around: vec![],
        };

        let fetched = |stretches| {
            bytes(Of::Fetched(pb::Fetched {
                stretches,
                ..Default::default()
            }))
        };

        let excerpt = |n| {
            let entries = vec![pb::ExcerptEntry::default(); n];
            bytes(Of::Excerpt(pb::Excerpt {
                entries,
                ..Default::default()
            }))
        };

        for (message, what) in [
            (fetched(vec![stretch(100_000)]), "100000 entries fetched"),
            (fetched(vec![stretch(1); 1_537]), "1537 entries fetched"),
            (excerpt(513), "513 entries of an excerpt"),
        ] {
            let refused = Message::decode(&message).unwrap_err().to_string();
            assert!(refused.contains(what), "{refused}");
        }
    }
}
