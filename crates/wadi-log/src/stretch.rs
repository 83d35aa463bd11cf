//! Stretches: runs of entries from anywhere in a log, proven by the hashes around them.
//!
//! A block extends a log; a stretch mends one. Whoever lost entries in the middle, or holds another
//! branch of a forked log, fetches just those and proves them against a root that the author
//! signed, without the log around them.

use crate::{
    Enrolment, Entry, Hash, LogError, LogId, Peaks, Reference, SignedCheckpoint, VerifiedEntry,
    leaf_hash, merkle::node_hash, proof,
};

/// A run of entries as it came from anywhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// Position of the first entry.
    pub from: u64,
    /// Entries' bytes.
    pub entries: Vec<Vec<u8>>,
    /// Roots of [`stretch_ranges`], in their order.
    pub around: Vec<Hash>,
}

/// A run of entries proven to stand in the tree that its author signed.
#[derive(Clone, PartialEq, Debug)]
pub struct VerifiedStretch {
    log: LogId,
    entries: Vec<VerifiedEntry>,
}

impl VerifiedStretch {
    /// For whoever has just proven it.
    pub(crate) fn proven(log: LogId, entries: Vec<VerifiedEntry>) -> Self {
        Self { log, entries }
    }

    /// The log.
    pub fn log(&self) -> LogId {
        self.log
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[VerifiedEntry] {
        &self.entries
    }
}

/// The ranges of leaves whose roots prove the leaves `[from, to)` in a tree of `size`, from left to
/// right: the largest subtrees of the tree that lie wholly outside. Nothing where the run is empty
/// or does not lie in the tree.
pub fn stretch_ranges((from, to): proof::LeafRange, size: u64) -> Vec<proof::LeafRange> {
    let mut out = Vec::new();
    if from >= to || to > size {
        return out;
    }

    // The right half waits on the stack while the left one is looked at: at most one a level, 64 in
    // all.
    let mut waiting = vec![(0, size)];
    while let Some((lo, hi)) = waiting.pop() {
        if hi <= from || lo >= to {
            out.push((lo, hi));
        } else if lo < from || hi > to {
            let mid = lo + proof::split(hi - lo);
            waiting.push((mid, hi));
            waiting.push((lo, mid));
        }
    }

    out
}

/// The root of the tree of `size` leaves that holds these from position `from` on, given the roots
/// around them.
fn root_around(from: u64, leaves: &[Hash], size: u64, around: &[Hash]) -> Result<Hash, LogError> {
    let to = from
        .checked_add(leaves.len() as u64)
        .filter(|to| *to <= size && !leaves.is_empty());
    let to = to.ok_or_else(|| LogError::malformed("stretch", "it does not lie in the tree"))?;

    if around.len() != stretch_ranges((from, to), size).len() {
        return Err(LogError::malformed(
            "stretch",
            "too many or too few hashes around it",
        ));
    }

    let mut around = around.iter().copied();
    fn root(
        (lo, hi): proof::LeafRange,
        run: (u64, u64, &[Hash]),
        around: &mut impl Iterator<Item = Hash>,
    ) -> Result<Hash, LogError> {
        let (from, to, leaves) = run;
        if hi <= from || lo >= to {
            around
                .next()
                .ok_or_else(|| LogError::malformed("stretch", "a hash is missing"))
        } else if from <= lo && hi <= to {
            let mut peaks = Peaks::default();
            leaves[(lo - from) as usize..(hi - from) as usize]
                .iter()
                .for_each(|l| drop(peaks.append(*l)));
            Ok(peaks.root())
        } else {
            // Each level halves the range: no deeper than 64.
            let mid = lo + proof::split(hi - lo);
            let left = root((lo, mid), run, around)?;
            Ok(node_hash(&left, &root((mid, hi), run, around)?))
        }
    }

    root((0, size), (from, to, leaves), &mut around)
}

/// Checks a run of entries against a checkpoint that the log's author signed.
pub fn verify_stretch(
    stretch: Stretch,
    signed: &SignedCheckpoint,
    author: &Enrolment,
) -> Result<VerifiedStretch, LogError> {
    let head = &signed.checkpoint;
    if author.node() != head.log.node {
        return Err(LogError::NotEnrolled(head.log.node.to_string()));
    }

    if let Some(large) = stretch
        .entries
        .iter()
        .find(|e| e.len() > crate::ENTRY_BYTES_MAX)
    {
        return Err(LogError::TooLarge {
            bytes: large.len(),
            max: crate::ENTRY_BYTES_MAX,
        });
    }

    let leaves: Vec<Hash> = stretch.entries.iter().map(|e| leaf_hash(e)).collect();
    if root_around(stretch.from, &leaves, head.size, &stretch.around)? != head.root {
        return Err(LogError::Mismatch { what: "stretch" });
    }

    signed.verify(&author.log_key)?;
    let entries = stretch
        .entries
        .into_iter()
        .zip(leaves)
        .zip(stretch.from..)
        .map(|((bytes, leaf), seq)| {
            let reference = Reference {
                log: head.log,
                seq,
                leaf,
            };
            VerifiedEntry::proven(reference, Entry::read(&bytes), bytes)
        });

    Ok(VerifiedStretch {
        log: head.log,
        entries: entries.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, Crossing, Epoch, Lane, LogKey, Role, Scope};

    fn tree(leaves: &[Hash]) -> Hash {
        let mut peaks = Peaks::default();
        leaves.iter().for_each(|l| drop(peaks.append(*l)));
        peaks.root()
    }

    #[test]
    fn every_run_of_every_small_log_is_proven_and_nothing_else_is() {
        let key = LogKey::from_seed(&[3; 32]);
        let crossing: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing,
        };

        let author = Enrolment {
            name: "trb".into(),
            role: Role::Crossing,
            crossing: Some(crossing),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::of_crossing(crossing),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };

        for size in 1..=19u64 {
            let entries: Vec<Vec<u8>> = (0..size).map(|n| vec![n as u8; 3]).collect();
            let leaves: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
            let root = tree(&leaves);
            let signed = key.sign(Checkpoint {
                log,
                size,
                root,
                hub_time_s: 0,
                logs: vec![],
            });

            for from in 0..size {
                for to in from + 1..=size {
                    let around: Vec<Hash> = stretch_ranges((from, to), size)
                        .iter()
                        .map(|(a, b)| tree(&leaves[*a as usize..*b as usize]))
                        .collect();
                    let good = Stretch {
                        from,
                        entries: entries[from as usize..to as usize].to_vec(),
                        around,
                    };

                    let taken = verify_stretch(good.clone(), &signed, &author).unwrap();
                    assert_eq!(taken.entries().len() as u64, to - from);
                    assert_eq!(taken.entries()[0].reference().seq, from);

                    let mut other = good.clone();
                    other.entries[0][0] ^= 1;
                    assert!(verify_stretch(other, &signed, &author).is_err());

                    let mut moved = good.clone();
                    moved.from += 1;
                    assert!(
                        verify_stretch(moved, &signed, &author).is_err(),
                        "{from}..{to} of {size}"
                    );

                    let mut longer = good.clone();
                    longer.around.push(root);
                    assert!(verify_stretch(longer, &signed, &author).is_err());
                }
            }

            let nothing = Stretch {
                from: 0,
                entries: vec![],
                around: vec![root],
            };

            assert!(
                verify_stretch(nothing, &signed, &author).is_err(),
                "an empty run proves nothing"
            );
        }

        let far = Stretch {
            from: u64::MAX,
            entries: vec![vec![1]],
            around: vec![],
        };

        let signed = key.sign(Checkpoint {
            log,
            size: u64::MAX,
            root: tree(&[]),
            hub_time_s: 0,
            logs: vec![],
        });

        assert!(verify_stretch(far, &signed, &author).is_err());
    }
}
