//! Where two holders of one tree differ, found level by level, with three bytes a subtree on the
//! wire.
//!
//! Both believe to hold the tree of one size and root; one of them recomputed it from its entries
//! and came to another. A short hash that is equal by chance hides a difference: the root tells
//! after mending, and the next search has another salt.

use crate::message::{TREE_HASHES_MAX, TreeAsk};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Hash, Subtree, TILE_LEVELS, proof};

/// Bytes of a short hash.
pub(crate) const SHORT_BYTES: usize = 3;
/// Levels between two rounds: four parts a subtree are the fewest bytes for scattered differences.
const STEP_LEVELS: u8 = 2;

/// The first three bytes of SHA-256 over the salt (8 bytes, big endian) and the hash.
pub fn short_hash(salt: u64, hash: &Hash) -> [u8; SHORT_BYTES] {
    let mut text = [0; 41];
    text[0] = b't';
    text[1..9].copy_from_slice(&salt.to_be_bytes());
    text[9..].copy_from_slice(&hash.0);
    let digest = wadi_log::leaf_hash(&text);
    [digest.0[0], digest.0[1], digest.0[2]]
}

/// One search.
#[derive(Debug)]
pub struct Bisect {
    salt: u64,
    /// Subtrees whose parts are still to be compared, by level.
    open: BTreeMap<u8, BTreeSet<u64>>,
    /// The peaks are compared themselves before their parts are.
    peaks: Vec<Subtree>,
    found: Vec<(u64, u64)>,
}

impl Bisect {
    /// A search in a tree of that size.
    pub fn new(size: u64, salt: u64) -> Self {
        Self {
            salt,
            open: BTreeMap::new(),
            peaks: proof::subtrees((0, size)),
            found: Vec::new(),
        }
    }

    /// What salts the short hashes.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// What to ask next; nothing when the search is over.
    pub fn ask(&self) -> Vec<TreeAsk> {
        if !self.peaks.is_empty() {
            return self
                .peaks
                .iter()
                .map(|p| TreeAsk {
                    level: p.level,
                    step: 0,
                    indices: vec![p.index],
                })
                .collect();
        }

        let (mut out, mut room) = (Vec::new(), TREE_HASHES_MAX);
        for (level, indices) in self.open.iter().rev() {
            let step = STEP_LEVELS.min(level - TILE_LEVELS);
            let indices: Vec<u64> = indices.iter().take(room >> step).copied().collect();
            room -= indices.len() << step;

            if !indices.is_empty() {
                out.push(TreeAsk {
                    level: *level,
                    step,
                    indices,
                });
            }
        }

        out
    }

    /// Takes the peer's short hashes of what was asked; `mine` knows the hashes as recomputed here.
    /// False where the answer does not fit the question: nothing changed then.
    pub fn answer(
        &mut self,
        asked: &[TreeAsk],
        theirs: &[u8],
        mine: impl Fn(Subtree) -> Option<Hash>,
    ) -> bool {
        let parts: Vec<Subtree> = asked.iter().flat_map(TreeAsk::parts).collect();
        if theirs.len() != parts.len() * SHORT_BYTES {
            return false;
        }

        self.peaks.clear();
        for ask in asked {
            if let Some(open) = self.open.get_mut(&ask.level) {
                open.retain(|i| ask.indices.binary_search(i).is_err());
            }
        }

        self.open.retain(|_, indices| !indices.is_empty());
        for (part, their) in parts.into_iter().zip(theirs.chunks(SHORT_BYTES)) {
            if mine(part).is_some_and(|hash| short_hash(self.salt, &hash) == their) {
                continue;
            }

            if part.level > TILE_LEVELS {
                self.open.entry(part.level).or_default().insert(part.index);
            } else {
                self.found
                    .push((part.index << part.level, (part.index + 1) << part.level));
            }
        }

        true
    }

    /// The ranges of leaves that differ, ascending, adjacent ones joined; no finer than 64 entries.
    pub fn found(&self) -> Vec<(u64, u64)> {
        let mut all = self.found.clone();
        all.sort();
        let mut out: Vec<(u64, u64)> = Vec::new();
        for (from, to) in all {
            match out.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }

        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use std::collections::HashMap;
    use wadi_log::{Crossing, Epoch, Lane, LogId, NodeId, Tip, node_hash};

    /// All perfect subtrees of a log from level 6 on, and those of its ragged end.
    fn tree(size: u64, leaf: impl Fn(u64) -> Hash) -> HashMap<Subtree, Hash> {
        let mut out = HashMap::new();
        let mut row: Vec<Hash> = (0..size >> TILE_LEVELS)
            .map(|tile| {
                let mut hashes: Vec<Hash> = (tile << TILE_LEVELS..(tile + 1) << TILE_LEVELS)
                    .map(&leaf)
                    .collect();
                while hashes.len() > 1 {
                    hashes = hashes.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
                }

                hashes[0]
            })
            .collect();

        let mut level = TILE_LEVELS;
        while !row.is_empty() {
            out.extend(row.iter().enumerate().map(|(n, h)| {
                (
                    Subtree {
                        level,
                        index: n as u64,
                    },
                    *h,
                )
            }));

            row = row
                .chunks_exact(2)
                .map(|c| node_hash(&c[0], &c[1]))
                .collect();
            level += 1;
        }

        for part in proof::subtrees((0, size))
            .into_iter()
            .filter(|p| p.level < TILE_LEVELS)
        {
            let mut hashes: Vec<Hash> = (part.index << part.level..(part.index + 1) << part.level)
                .map(&leaf)
                .collect();
            while hashes.len() > 1 {
                hashes = hashes.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
            }

            out.insert(part, hashes[0]);
        }

        out
    }

    fn leaf(n: u64) -> Hash {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        Hash(hash)
    }

    /// Finds what differs; returns it with the bytes on the wire and the rounds.
    fn search(size: u64, lost: &BTreeSet<u64>) -> (Vec<(u64, u64)>, usize, u32) {
        let theirs = tree(size, leaf);
        let mine = tree(size, |n| {
            if lost.contains(&n) {
                Hash([1; 32])
            } else {
                leaf(n)
            }
        });

        let crossing: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([2; 8]),
            lane: Lane::Passage,
            crossing,
        };

        let tip = Tip {
            size,
            root: Hash([9; 32]),
        };
        let mut bisect = Bisect::new(size, 5);
        let (mut bytes, mut rounds) = (0, 0);

        loop {
            let asks = bisect.ask();
            if asks.is_empty() {
                return (bisect.found(), bytes, rounds);
            }

            let message = Message::Tree {
                log,
                tip,
                salt: 5,
                asks: asks.clone(),
            }
            .encode();

            assert_eq!(
                Message::decode(&message).unwrap(),
                Message::Tree {
                    log,
                    tip,
                    salt: 5,
                    asks: asks.clone()
                }
            );

            let hashes: Vec<u8> = asks
                .iter()
                .flat_map(TreeAsk::parts)
                .flat_map(|p| short_hash(5, &theirs[&p]))
                .collect();

            let answer = Message::TreeIs {
                log,
                tip,
                salt: 5,
                hashes: hashes.clone(),
            }
            .encode();

            // Each frame has its length in front.
            bytes += message.len() + answer.len() + 8;
            rounds += 1;
            assert!(
                !bisect.answer(&asks, &hashes[1..], |p| mine.get(&p).copied()),
                "a short answer is none"
            );
            assert!(bisect.answer(&asks, &hashes, |p| mine.get(&p).copied()));
        }
    }

    #[test]
    fn a_thousand_lost_of_five_million_are_found_within_fifty_kilobytes() {
        let size = 5_000_000;
        // Scattered as badly as can be, and all in one place.
        let scattered: BTreeSet<u64> = (0..1_000).map(|n| n * 4_999 + n % 7).collect();
        let (found, bytes, rounds) = search(size, &scattered);
        println!(
            "scattered: {bytes} bytes, {rounds} rounds, {} ranges",
            found.len()
        );
        assert!(
            scattered
                .iter()
                .all(|n| found.iter().any(|(from, to)| from <= n && n < to))
        );

        assert!(found.iter().map(|(from, to)| to - from).sum::<u64>() <= 64 * 1_000);
        assert!(bytes <= 50_000, "{bytes} bytes");
        assert!(rounds <= 12);

        let run: BTreeSet<u64> = (4_321_000..4_322_000).collect();
        let (found, bytes, rounds) = search(size, &run);
        println!("in one run: {bytes} bytes, {rounds} rounds");
        assert_eq!(found, [(4_320_960, 4_322_048)]);
        assert!(bytes <= 2_000, "{bytes} bytes");
    }

    #[test]
    fn every_difference_of_a_ragged_log_is_found_and_equal_ones_cost_one_round() {
        for size in [1, 63, 64, 65, 1_000, 4_097] {
            assert_eq!(search(size, &BTreeSet::new()).0, []);

            for at in [0, size / 2, size - 1] {
                let found = search(size, &BTreeSet::from([at])).0;
                assert_eq!(found.len(), 1);
                assert!(
                    found[0].0 <= at && at < found[0].1 && found[0].1 <= size,
                    "{found:?} of {size}"
                );
            }
        }
    }
}
