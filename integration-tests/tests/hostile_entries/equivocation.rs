//! Equivocation: a member signs two or three branches of one log. Whoever has heard one of them is
//! shown the proofs of the others, in any order.

use super::{
    forge::{Delivery, sign_onto},
    hostile_texts::DAY_MS,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use wadi_log::*;

/// A member that equivocates.
pub(crate) struct Equivocator {
    r: StdRng,
    name: &'static str,
    key: LogKey,
    crossing: Crossing,
}

/// One branch as its author has it.
struct ForkedBranch {
    leaves: Vec<Hash>,
    blocks: Vec<Block>,
}

impl ForkedBranch {
    fn root(&self, from: u64, to: u64) -> Hash {
        let mut peaks = Peaks::default();
        self.leaves[from as usize..to as usize]
            .iter()
            .for_each(|leaf| drop(peaks.append(*leaf)));
        peaks.root()
    }

    fn at(&self, at: u64) -> Branch {
        let size = self.leaves.len() as u64;
        let ranges = proof::inclusion_ranges(at, size);
        Branch {
            checkpoint: self.blocks.last().expect("a block").checkpoint.clone(),
            leaf: self.leaves[at as usize],
            path: ranges
                .iter()
                .map(|(from, to)| self.root(*from, *to))
                .collect(),
        }
    }
}

impl Equivocator {
    pub(crate) fn new(seed: u64, name: &'static str, key: LogKey, crossing: &str) -> Self {
        Self {
            r: StdRng::seed_from_u64(seed ^ 0x000e_9014_0ca7),
            name,
            key,
            crossing: crossing.parse().expect("a code"),
        }
    }

    /// A log of holds with two branches, or three: the blocks of one, and the proofs of all pairs.
    pub(crate) fn forked_log(&mut self) -> (Vec<Delivery>, Vec<ForkProof>) {
        let log = LogId {
            node: self.key.node(),
            epoch: Epoch(self.r.random()),
            lane: Lane::Hold,
            crossing: self.crossing,
        };
        let common: u64 = self.r.random_range(0..6);
        let branches: Vec<ForkedBranch> = (0..self.r.random_range(2..4))
            .map(|n| self.branch(log, common, n))
            .collect();

        let mut proofs = Vec::new();
        for (n, one) in branches.iter().enumerate() {
            for other in &branches[n + 1..] {
                proofs.push(ForkProof::new(common, one.at(common), other.at(common)));
            }
        }

        let heard = &branches[0];
        let deliveries = heard.blocks.iter().map(|block| Delivery {
            by: self.name,
            block: block.clone(),
        });
        (deliveries.collect(), proofs)
    }

    fn branch(&mut self, log: LogId, common: u64, n: usize) -> ForkedBranch {
        let (mut peaks, mut out) = (
            Peaks::default(),
            ForkedBranch {
                leaves: vec![],
                blocks: vec![],
            },
        );
        let size = common + self.r.random_range(1..6);
        for at in 0..size {
            let of = if at < common { 0 } else { n };
            let bytes = hold(&format!("{at} of branch {of}"));
            out.leaves.push(leaf_hash(&bytes));
            let head = (DAY_MS / 1_000, vec![]);
            out.blocks
                .push(sign_onto(&self.key, log, &mut peaks, vec![bytes], head));
        }

        out
    }
}

/// A hold that begins a record.
fn hold(note: &str) -> Vec<u8> {
    let put = |key: &str, value: &str| Put {
        key: key.into(),
        value: Value::Text(value.into()),
    };
    let entry = Entry {
        common: Common {
            wall_ms: DAY_MS,
            officer: "OF-7".into(),
            department: "VET".into(),
            ..Default::default()
        },
        body: Body::Change(Change {
            puts: vec![put("note", note), put("type", "VETERINARY")],
            ..Default::default()
        }),
    };
    entry.encode().expect("a hold")
}
