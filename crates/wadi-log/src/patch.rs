//! Entries that go back into a log of which everything else is held.
//!
//! They are proven all together: by the root that they make with what is held, which has to be the
//! one that the author signed. No hash of it travels. One wrong entry among them, and none is
//! proven; a stretch ([`crate::verify_stretch`]) then tells which.

use crate::{
    Enrolment, Entry, Hash, LogError, Reference, SignedCheckpoint, Subtree, TILE_LEVELS,
    VerifiedEntry, VerifiedStretch, leaf_hash,
    merkle::{fold, node_hash, proof},
};
use std::collections::BTreeMap;

/// Leaves of a tile.
const TILE_LEAVES: u64 = 1 << TILE_LEVELS;

/// A run of entries: the position of the first, and their bytes.
pub type EntryRun = (u64, Vec<Vec<u8>>);

/// What is held of a log's tree: the roots of its tiles, and the leaves of those that are touched.
#[derive(Clone, Debug, Default)]
pub struct HeldTree {
    /// Roots of full tiles, from the first on. Those of opened ones are not heeded.
    pub tiles: Vec<Hash>,
    /// Leaves after the last full tile.
    pub tail: Vec<Hash>,
    /// The leaves of single tiles, by their index. What is missing there is any hash.
    pub opened: BTreeMap<u64, Vec<Hash>>,
}

impl HeldTree {
    /// Leaves in all.
    pub fn size(&self) -> u64 {
        (self.tiles.len() as u64) * TILE_LEAVES + self.tail.len() as u64
    }

    /// Puts a leaf in its place; false where that place is in no opened tile.
    fn put(&mut self, seq: u64, leaf: Hash) -> bool {
        let (tile, at) = (seq >> TILE_LEVELS, (seq % TILE_LEAVES) as usize);
        let leaves = match tile == self.tiles.len() as u64 {
            true => Some(&mut self.tail),
            false => self.opened.get_mut(&tile),
        };

        let Some(place) = leaves.and_then(|l| l.get_mut(at)) else {
            return false;
        };
        *place = leaf;
        true
    }

    /// Makes the roots of opened tiles out of their leaves; false where one is not whole.
    fn close_tiles(&mut self) -> bool {
        for (tile, leaves) in std::mem::take(&mut self.opened) {
            let place = usize::try_from(tile).ok().map(|t| self.tiles.get_mut(t));
            let Some(Some(place)) = place else {
                return false;
            };

            if leaves.len() as u64 != TILE_LEAVES {
                return false;
            }
            *place = perfect_root(&leaves);
        }

        true
    }

    /// The root over everything.
    fn root(&self) -> Hash {
        let whole = (self.tiles.len() as u64) * TILE_LEAVES;
        let part = |s: Subtree| {
            if s.level >= TILE_LEVELS {
                let up = s.level - TILE_LEVELS;
                let range = (s.index << up) as usize..((s.index + 1) << up) as usize;
                perfect_root(&self.tiles[range])
            } else {
                let from = ((s.index << s.level) - whole) as usize;
                perfect_root(&self.tail[from..from + (1 << s.level)])
            }
        };

        let parts: Vec<Hash> = proof::subtrees((0, self.size()))
            .into_iter()
            .map(part)
            .collect();
        fold(&parts)
    }
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
    }
    row[0]
}

/// Checks that entries, put in their places in what is held, come to the root that the log's author
/// signed. `held` is what lies there; the places of the entries are in its opened tiles or its
/// tail.
///
/// # Errors
///
/// [`LogError::Mismatch`] where they do not: one of them is another entry, or what is held differs
/// elsewhere, too. Nothing is proven then.
pub fn verify_patch(
    runs: Vec<EntryRun>,
    mut held: HeldTree,
    signed: &SignedCheckpoint,
    author: &Enrolment,
) -> Result<Vec<VerifiedStretch>, LogError> {
    let head = &signed.checkpoint;
    if author.node() != head.log.node {
        return Err(LogError::NotEnrolled(head.log.node.to_string()));
    }

    let large = runs.iter().flat_map(|(_, entries)| entries);
    let large = large.map(Vec::len).find(|n| *n > crate::ENTRY_BYTES_MAX);
    if let Some(bytes) = large {
        let max = crate::ENTRY_BYTES_MAX;
        return Err(LogError::TooLarge { bytes, max });
    }

    if held.size() != head.size {
        return Err(LogError::Mismatch { what: "patch" });
    }

    let mut hashed = Vec::with_capacity(runs.len());
    for (from, entries) in runs {
        let mut run = Vec::with_capacity(entries.len());
        for (seq, bytes) in (from..).zip(entries) {
            let leaf = leaf_hash(&bytes);
            if !held.put(seq, leaf) {
                return Err(LogError::malformed("patch", "it does not lie in the tree"));
            }
            run.push((seq, leaf, bytes));
        }

        hashed.push(run);
    }

    if !held.close_tiles() || held.root() != head.root {
        return Err(LogError::Mismatch { what: "patch" });
    }
    signed.verify(&author.log_key)?;

    let entry_of = |(seq, leaf, bytes): (u64, Hash, Vec<u8>)| {
        let log = head.log;
        let reference = Reference { log, seq, leaf };
        VerifiedEntry::proven(reference, Entry::read(&bytes), bytes)
    };
    let proven = hashed.into_iter().filter(|run| !run.is_empty());
    let proven = proven.map(|run| {
        let entries = run.into_iter().map(entry_of).collect();
        VerifiedStretch::proven(head.log, entries)
    });

    Ok(proven.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checkpoint, Epoch, Lane, LogId, LogKey, Peaks, Role, Scope};

    /// A signed log of so many entries, its leaves, and who wrote it.
    fn log_of(size: u64) -> (Vec<Vec<u8>>, Vec<Hash>, SignedCheckpoint, Enrolment) {
        let key = LogKey::from_seed(&[3; 32]);
        let crossing = "TRB".parse().unwrap();
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

        let entries: Vec<Vec<u8>> = (0..size).map(|n| n.to_be_bytes().to_vec()).collect();
        let leaves: Vec<Hash> = entries.iter().map(|e| leaf_hash(e)).collect();
        let mut peaks = Peaks::default();
        leaves.iter().for_each(|l| drop(peaks.append(*l)));
        let signed = key.sign(Checkpoint {
            log: LogId {
                node: key.node(),
                epoch: Epoch([1; 8]),
                lane: Lane::Passage,
                crossing,
            },
            size,
            root: peaks.root(),
            hub_time_s: 0,
            logs: vec![],
        });

        (entries, leaves, signed, author)
    }

    /// What is held of these leaves, with the tiles of `open` open.
    fn held(leaves: &[Hash], open: impl Fn(u64) -> bool) -> HeldTree {
        let (tiles, tail) = leaves.as_chunks::<64>();
        let opened = tiles.iter().enumerate().map(|(n, t)| (n as u64, t));
        HeldTree {
            tiles: tiles.iter().map(|t| perfect_root(t)).collect(),
            tail: tail.to_vec(),
            opened: opened
                .filter(|(n, _)| open(*n))
                .map(|(n, t)| (n, t.to_vec()))
                .collect(),
        }
    }

    #[test]
    fn entries_that_come_back_make_the_root_that_was_signed_and_no_others_do() {
        for size in [1, 2, 63, 64, 65, 128, 1_000, 4_160] {
            let (entries, leaves, signed, author) = log_of(size);
            let lost: Vec<u64> = (0..size)
                .filter(|n| n % 37 == 0 || *n == size - 1)
                .collect();
            let mut lying = leaves.clone();
            lost.iter().for_each(|n| lying[*n as usize] = Hash([7; 32]));

            let open = |tile| lost.iter().any(|n| n >> TILE_LEVELS == tile);
            let run = |n: &u64| (*n, vec![entries[*n as usize].clone()]);
            let runs: Vec<EntryRun> = lost.iter().map(run).collect();
            let proven = verify_patch(runs.clone(), held(&lying, open), &signed, &author).unwrap();
            let places = proven.iter().flat_map(VerifiedStretch::entries);
            let places: Vec<u64> = places.map(|e| e.reference().seq).collect();
            assert_eq!(places, lost, "of {size}");

            // One that was changed on the way, one too few, one in another place, another head.
            let mut other = runs.clone();
            other[0].1[0].push(0);
            assert!(verify_patch(other, held(&lying, open), &signed, &author).is_err());
            let fewer = runs[1..].to_vec();
            assert!(verify_patch(fewer, held(&lying, open), &signed, &author).is_err());
            let mut moved = runs.clone();
            moved[0].0 = size;
            assert!(verify_patch(moved, held(&lying, open), &signed, &author).is_err());
            let (_, _, longer, _) = log_of(size + 1);
            assert!(verify_patch(runs.clone(), held(&lying, open), &longer, &author).is_err());

            // What is held differs elsewhere, too.
            if let Some(sound) = (0..size).find(|n| !lost.contains(n)) {
                lying[sound as usize] = Hash([8; 32]);
                assert!(verify_patch(runs, held(&lying, open), &signed, &author).is_err());
            }
        }
    }

    #[test]
    fn a_head_that_its_author_did_not_sign_proves_nothing() {
        let (entries, leaves, mut signed, author) = log_of(70);
        let runs = vec![(3, vec![entries[3].clone()])];
        let open = |tile| tile == 0;
        assert!(verify_patch(runs.clone(), held(&leaves, open), &signed, &author).is_ok());
        signed.signature[0] ^= 1;
        assert!(verify_patch(runs, held(&leaves, open), &signed, &author).is_err());
    }
}
