//! Fork proofs: two checkpoints of one log that cannot both be true.

use crate::{Enrolment, Hash, LogError, LogId, SignedCheckpoint, pb, proof};
use prost::Message;

/// One side of a fork: its checkpoint, and the leaf at the fork with its audit path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    /// Signed by the log's author.
    pub checkpoint: SignedCheckpoint,
    /// The leaf at the fork.
    pub leaf: Hash,
    /// Its audit path in the checkpoint's tree.
    pub path: Vec<Hash>,
}

/// Two branches of one log with different leaves at one position: the author signed both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForkProof {
    /// The first position at which the two differ.
    pub at: u64,
    /// The branch with the smaller leaf hash, so that one fork has one proof whoever finds it.
    pub one: Branch,
    /// The other branch.
    pub other: Branch,
}

impl ForkProof {
    /// Puts two branches in order.
    pub fn new(at: u64, a: Branch, b: Branch) -> Self {
        let (one, other) = if a.leaf <= b.leaf { (a, b) } else { (b, a) };
        Self { at, one, other }
    }

    /// The forked log.
    pub fn log(&self) -> LogId {
        self.one.checkpoint.checkpoint.log
    }

    /// Checks that the log's author signed both branches and that they differ.
    pub fn verify(&self, author: &Enrolment) -> Result<(), LogError> {
        let (a, b) = (&self.one, &self.other);
        if a.checkpoint.checkpoint.log != b.checkpoint.checkpoint.log {
            return Err(LogError::malformed("fork proof", "two different logs"));
        }

        if a.leaf >= b.leaf {
            return Err(LogError::malformed(
                "fork proof",
                "the branches do not differ, or stand in the wrong order",
            ));
        }

        for branch in [a, b] {
            let head = &branch.checkpoint.checkpoint;
            let root = proof::root_from_inclusion(branch.leaf, self.at, head.size, &branch.path)?;
            if root != head.root {
                return Err(LogError::Mismatch { what: "fork proof" });
            }
            if !crate::defence::off("fork-signature") {
                branch.checkpoint.verify(&author.log_key)?;
            }
        }

        // The siblings on the left of an audit path are the perfect subtrees of everything before
        // the leaf, whatever the tree's size: equal ones prove that this is the first position at
        // which the branches differ.
        if self.before(a) != self.before(b) {
            return Err(LogError::malformed(
                "fork proof",
                "the branches differ before that position",
            ));
        }

        Ok(())
    }

    /// Takes over what another proof of the same fork shows further of its branches; whether there
    /// was anything. Both were verified for themselves: that all four trees agree before the fork
    /// is left to be checked.
    pub(crate) fn take_longer(&mut self, new: &ForkProof) -> bool {
        if new.at != self.at || self.before(&self.one) != new.before(&new.one) {
            return false;
        }

        let end = |b: &Branch| (b.checkpoint.checkpoint.size, b.checkpoint.checkpoint.root);
        let mut any = false;
        for (held, new) in [(&mut self.one, &new.one), (&mut self.other, &new.other)] {
            if held.leaf == new.leaf && end(held) < end(new) {
                *held = new.clone();
                any = true;
            }
        }

        any
    }

    /// What both branches agree on: everything before the fork, with its root; nothing where they
    /// differ from the start.
    pub fn agreed(&self) -> Option<(u64, Hash)> {
        // From the leaf upward the left siblings grow: the last one is the leftmost.
        let left: Vec<Hash> = self.before(&self.one).into_iter().rev().collect();
        (self.at > 0).then(|| (self.at, crate::merkle::fold(&left)))
    }

    fn before(&self, branch: &Branch) -> Vec<Hash> {
        let ranges = proof::inclusion_ranges(self.at, branch.checkpoint.checkpoint.size);
        ranges
            .iter()
            .zip(&branch.path)
            .filter(|((_, end), _)| *end <= self.at)
            .map(|(_, h)| *h)
            .collect()
    }

    /// The encoded proof.
    pub fn to_bytes(&self) -> Vec<u8> {
        let branch = |b: &Branch| pb::Branch {
            checkpoint: Some(b.checkpoint.to_pb(true)),
            leaf: b.leaf.0.to_vec(),
            path: b.path.iter().map(|h| h.0.to_vec()).collect(),
        };

        pb::ForkProof {
            at: self.at,
            one: Some(branch(&self.one)),
            other: Some(branch(&self.other)),
        }
        .encode_to_vec()
    }

    /// Reads an encoded proof; nothing is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LogError> {
        let missing = || LogError::malformed("fork proof", "a part is missing");
        let p = pb::ForkProof::decode(bytes).map_err(|e| LogError::malformed("fork proof", e))?;
        let branch = |b: Option<pb::Branch>| {
            let b = b.ok_or_else(missing)?;
            Ok::<_, LogError>(Branch {
                checkpoint: SignedCheckpoint::from_pb(b.checkpoint.ok_or_else(missing)?)?,
                leaf: Hash::from_slice(&b.leaf)?,
                path: b
                    .path
                    .iter()
                    .map(|h| Hash::from_slice(h))
                    .collect::<Result<_, _>>()?,
            })
        };

        Ok(Self {
            at: p.at,
            one: branch(p.one)?,
            other: branch(p.other)?,
        })
    }
}
