//! Messages between their types and the wire: which is which, and the pieces that they share.

use super::{Message, SyncError, blocks, compared, forks, greeting, sketches};
use crate::pb::{self, message::Of};
use wadi_log::{Hash, Lane, LogError, LogId, Tip};

impl Message {
    /// The message as the wire has it.
    pub(super) fn to_wire(&self) -> Of {
        match self {
            Self::Hello { .. } => Of::Hello(greeting::hello_out(self)),
            Self::Members(all) => Of::Members(greeting::members_out(all)),
            Self::Frontier { folded, part } => Of::Frontier(greeting::frontier_out(folded, *part)),
            Self::Unfold(nodes) => Of::Unfold(greeting::unfold_out(nodes)),

            Self::Ack {
                log,
                size,
                cosignature,
                refused,
            } => Of::Ack(blocks::ack_out(log, *size, *cosignature, refused.as_ref())),
            Self::Cosigned {
                checkpoint,
                cosignature,
            } => Of::Cosigned(blocks::cosigned_out(checkpoint, cosignature)),
            Self::CarryOffer(ranges) => Of::CarryOffer(pb::CarryOffer {
                ranges: blocks::ranges_out(ranges),
            }),
            Self::CarryWant(ranges) => Of::CarryWant(pb::CarryWant {
                ranges: blocks::ranges_out(ranges),
            }),
            Self::Carry { log, block } => Of::Carry(pb::Carry {
                log: log_out(log),
                block: block.clone(),
            }),
            Self::CarryAck { log, size } => Of::CarryAck(pb::CarryAck {
                log: log_out(log),
                size: *size,
            }),
            Self::Excerpt {
                record,
                from,
                entries,
            } => Of::Excerpt(blocks::excerpt_out(record, *from, entries)),
            Self::ExcerptAck(amount) => Of::ExcerptAck(blocks::excerpt_ack_out(*amount)),

            Self::Probe { log, sizes } => Of::Probe(pb::Probe {
                log: log_out(log),
                sizes: sizes.clone(),
            }),
            Self::Roots { log, roots } => Of::Roots(forks::roots_out(log, roots)),
            Self::WantBranch { log, at } => Of::WantBranch(pb::WantBranch {
                log: log_out(log),
                at: *at,
            }),
            Self::BranchAt { log, at, branch } => {
                Of::BranchAt(forks::branch_at_out(log, *at, branch))
            }
            Self::ForkProofs(proofs) => Of::ForkProofs(forks::fork_proofs_out(proofs)),

            Self::Fetch { log, tip, ranges } => Of::Fetch(compared::fetch_out(log, *tip, ranges)),
            Self::Fetched(fetched) => Of::Fetched(compared::fetched_out(fetched)),
            Self::Tree {
                log,
                tip,
                salt,
                asks,
            } => Of::Tree(compared::tree_out(log, *tip, *salt, asks)),
            Self::TreeIs {
                log,
                tip,
                salt,
                hashes,
            } => Of::TreeIs(compared::tree_is_out(log, *tip, *salt, hashes)),
            Self::Sketch { .. } => Of::Sketch(sketches::sketch_out(self)),
            Self::SketchIs { .. } => Of::SketchIs(sketches::sketch_is_out(self)),
            Self::Pick { log, tip, ranges } => Of::Pick(sketches::pick_out(log, *tip, ranges)),
            Self::Picked(picked) => Of::Picked(sketches::picked_out(picked)),
            Self::AskDigests => Of::AskDigests(true),
            Self::Digests(sums) => Of::Digests(compared::digests_out(sums)),
            Self::Recompare => Of::Recompare(true),
        }
    }

    /// A message out of what the wire had.
    ///
    /// # Errors
    ///
    /// Some field of it has a length or a value that no message has.
    pub(super) fn from_wire(of: Of) -> Result<Self, SyncError> {
        Ok(match of {
            Of::Hello(m) => greeting::hello_in(&m)?,
            Of::Members(m) => Self::Members(greeting::members_in(&m)?),
            Of::Frontier(m) => greeting::frontier_message_in(&m)?,
            Of::Unfold(m) => Self::Unfold(greeting::unfold_in(&m)?),

            Of::Ack(m) => blocks::ack_in(m)?,
            Of::Cosigned(m) => blocks::cosigned_in(&m)?,
            Of::CarryOffer(m) => Self::CarryOffer(blocks::ranges_in(&m.ranges)?),
            Of::CarryWant(m) => Self::CarryWant(blocks::ranges_in(&m.ranges)?),
            Of::Carry(m) => Self::Carry {
                log: LogId::from_slice(&m.log)?,
                block: m.block,
            },
            Of::CarryAck(m) => Self::CarryAck {
                log: LogId::from_slice(&m.log)?,
                size: m.size,
            },
            Of::Excerpt(m) => blocks::excerpt_in(m)?,
            Of::ExcerptAck(m) => Self::ExcerptAck(blocks::excerpt_ack_in(&m)?),

            Of::Probe(m) => Self::Probe {
                log: LogId::from_slice(&m.log)?,
                sizes: m.sizes,
            },
            Of::Roots(m) => forks::roots_in(m)?,
            Of::WantBranch(m) => Self::WantBranch {
                log: LogId::from_slice(&m.log)?,
                at: m.at,
            },
            Of::BranchAt(m) => forks::branch_at_in(&m)?,
            Of::ForkProofs(m) => Self::ForkProofs(forks::fork_proofs_in(&m)?),

            Of::Fetch(m) => compared::fetch_in(&m)?,
            Of::Fetched(m) => Self::Fetched(compared::fetched_in(m)?),
            Of::Tree(m) => compared::tree_in(&m)?,
            Of::TreeIs(m) => Self::TreeIs {
                log: LogId::from_slice(&m.log)?,
                tip: tip_in(m.size, &m.root)?,
                salt: m.salt,
                hashes: m.hashes,
            },
            Of::Sketch(m) => sketches::sketch_in(&m)?,
            Of::SketchIs(m) => sketches::sketch_is_in(m)?,
            Of::Pick(m) => sketches::pick_in(&m)?,
            Of::Picked(m) => Self::Picked(sketches::picked_in(m)?),
            Of::AskDigests(_) => Self::AskDigests,
            Of::Digests(m) => Self::Digests(compared::digests_in(&m)?),
            Of::Recompare(_) => Self::Recompare,
        })
    }
}

pub(super) fn log_out(log: &LogId) -> Vec<u8> {
    log.to_bytes().to_vec()
}

pub(super) fn tip_in(size: u64, root: &[u8]) -> Result<Tip, LogError> {
    Ok(Tip {
        size,
        root: Hash::from_slice(root)?,
    })
}

pub(super) fn hashes_in(hashes: &[Vec<u8>]) -> Result<Vec<Hash>, LogError> {
    hashes.iter().map(|h| Hash::from_slice(h)).collect()
}

pub(super) fn hashes_out(hashes: &[Hash]) -> Vec<Vec<u8>> {
    hashes.iter().map(|h| h.0.to_vec()).collect()
}

pub(super) fn bad(why: &str) -> LogError {
    LogError::Malformed {
        what: "message",
        why: why.into(),
    }
}

pub(super) fn lane_in(lane: u32) -> Result<Lane, LogError> {
    let lane = u8::try_from(lane).map_err(|_| bad("lane"))?;
    Lane::from_u8(lane)
}
