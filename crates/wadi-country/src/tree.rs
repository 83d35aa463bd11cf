//! The tree as tiles: what is kept while it grows, and which tiles a proof needs.

use crate::{CountryError, TILE_WIDTH};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_log::{Hash, Peaks, Subtree, node_hash, proof};

/// A tile that has come to be full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FullTile {
    /// Where it stands.
    pub at: TileAt,
    /// Its hashes, [`TILE_WIDTH`] of them.
    pub hashes: Vec<Hash>,
}

/// Where a tile of hashes stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TileAt {
    /// 0 for hashes of leaves.
    pub level: u8,
    /// Which of its level.
    pub index: u64,
}

/// The tiles at the right edge of a tree, which are not full yet: all that appending needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RightEdge {
    size: u64,
    /// Of each level the hashes of its last tile, from leaves up.
    levels: Vec<Vec<Hash>>,
}

impl RightEdge {
    /// How many hashes each level's tile has in a tree of that size, from leaves up.
    pub fn widths(size: u64) -> impl Iterator<Item = usize> {
        let levels = (u64::BITS - size.leading_zeros()).div_ceil(8);
        (0..levels).map(move |level| (size >> (8 * level)) as usize % TILE_WIDTH)
    }

    /// What was kept of a tree of `size` leaves, from leaves up.
    pub fn from_levels(size: u64, levels: Vec<Vec<Hash>>) -> Result<Self, CountryError> {
        if levels.iter().map(Vec::len).eq(Self::widths(size)) {
            Ok(Self { size, levels })
        } else {
            Err(CountryError::malformed(
                "right edge",
                "its tiles are not those of its size",
            ))
        }
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends the hash of a leaf; tiles that are full now are given back, to be kept.
    pub fn append(&mut self, leaf: Hash) -> Vec<FullTile> {
        let mut full = Vec::new();
        let mut hash = leaf;
        self.size += 1;
        for level in 0u8.. {
            let place = usize::from(level);
            if self.levels.len() == place {
                self.levels.push(Vec::new());
            }

            self.levels[place].push(hash);
            if self.levels[place].len() < TILE_WIDTH {
                break;
            }

            let hashes = std::mem::take(&mut self.levels[place]);
            hash = fold_tile(&hashes);
            let index = (self.size >> (8 * u32::from(level))) / TILE_WIDTH as u64 - 1;
            let at = TileAt { level, index };
            full.push(FullTile { at, hashes });
        }

        full
    }

    /// The hashes of a level's last tile, where it has any.
    pub fn tile(&self, at: TileAt) -> Option<&[Hash]> {
        let hashes = self.levels.get(usize::from(at.level))?;
        let index = (self.size >> (8 * u32::from(at.level))) / TILE_WIDTH as u64;
        (at.index == index && !hashes.is_empty()).then_some(hashes.as_slice())
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let width = 1 << rest.len().ilog2();
                let (peak, right) = rest.split_at(width);
                peaks.extend_from_slice(&fold_tile(peak).0);
                rest = right;
            }
        }

        let peaks = Peaks::from_parts(self.size, &peaks);
        peaks.expect("a peak for each set bit of the size").root()
    }
}

/// The root over hashes, as many as a power of two.
pub fn fold_tile(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(fold_pair).collect();
    }
    row.first().copied().unwrap_or_default()
}

fn fold_pair(pair: &[Hash]) -> Hash {
    match pair {
        [left, right] => node_hash(left, right),
        [alone] => *alone,
        _ => Hash::default(),
    }
}

/// In which tile a perfect subtree lies, from which hash on, and how many of them it spans.
fn place_of(subtree: &Subtree) -> (TileAt, usize, usize) {
    let inner = subtree.level % 8;
    let first = subtree.index << inner;
    let at = TileAt {
        level: subtree.level / 8,
        index: first / TILE_WIDTH as u64,
    };
    (at, first as usize % TILE_WIDTH, 1 << inner)
}

/// The tiles that the roots of these ranges are made of.
pub fn tiles_of(ranges: &[(u64, u64)]) -> BTreeSet<TileAt> {
    let subtrees = ranges.iter().flat_map(|range| proof::subtrees(*range));
    subtrees.map(|subtree| place_of(&subtree).0).collect()
}

/// Tiles as they were read.
pub type Tiles = BTreeMap<TileAt, Vec<Hash>>;

/// The hashes of subtrees, out of tiles.
fn hashes_of(ranges: &[(u64, u64)], tiles: &Tiles) -> Result<HashMap<Subtree, Hash>, CountryError> {
    let mut out = HashMap::new();
    for subtree in ranges.iter().flat_map(|range| proof::subtrees(*range)) {
        let (at, first, width) = place_of(&subtree);
        let hashes = tiles
            .get(&at)
            .and_then(|tile| tile.get(first..first + width));
        let hashes = hashes.ok_or(CountryError::Mismatch("a tile that is not there"))?;
        out.insert(subtree, fold_tile(hashes));
    }

    Ok(out)
}

/// The roots of ranges, out of tiles: the elements of a proof.
pub fn roots_of(ranges: &[(u64, u64)], tiles: &Tiles) -> Result<Vec<Hash>, CountryError> {
    let hashes = hashes_of(ranges, tiles)?;
    proof::assemble(ranges, &hashes).map_err(|_| CountryError::Mismatch("a tile"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wadi_log::leaf_hash;

    fn grown(size: u64) -> (RightEdge, Tiles, Vec<Hash>) {
        let (mut edge, mut tiles, mut roots) = (RightEdge::default(), Tiles::new(), vec![]);
        let mut peaks = Peaks::default();
        for n in 0..size {
            let leaf = leaf_hash(&n.to_be_bytes());
            let full = edge.append(leaf);
            tiles.extend(full.into_iter().map(|tile| (tile.at, tile.hashes)));
            peaks.append(leaf);
            roots.push(peaks.root());
        }

        for (level, width) in RightEdge::widths(size).enumerate() {
            let index = (size >> (8 * level)) / TILE_WIDTH as u64;
            let level = level as u8;
            let last = edge.tile(TileAt { level, index });
            assert_eq!(last.map_or(0, <[Hash]>::len), width);
            tiles.extend(last.map(|hashes| (TileAt { level, index }, hashes.to_vec())));
        }
        (edge, tiles, roots)
    }

    #[test]
    fn the_root_is_the_trees_at_every_size() {
        let (mut edge, mut peaks) = (RightEdge::default(), Peaks::default());
        assert_eq!(edge.root(), peaks.root());
        for n in 0..66_000u64 {
            let leaf = leaf_hash(&n.to_be_bytes());
            edge.append(leaf);
            peaks.append(leaf);
            if n % 251 == 0 || n.is_power_of_two() || n > 65_500 {
                assert_eq!((edge.size(), edge.root()), (peaks.size(), peaks.root()));
                let again = RightEdge::from_levels(edge.size(), edge.levels.clone());
                assert_eq!(
                    again.is_ok(),
                    edge.levels.len() == RightEdge::widths(n + 1).count()
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn proofs_out_of_tiles_lead_to_the_root(size in 1u64..1_500, at in 0u64..1_500) {
            let at = at % size;
            let (edge, tiles, roots) = grown(size);
            let leaf = leaf_hash(&at.to_be_bytes());

            let ranges = proof::inclusion_ranges(at, size);
            prop_assert!(tiles_of(&ranges).iter().all(|at| tiles.contains_key(at)));
            let path = roots_of(&ranges, &tiles).unwrap();
            let root = proof::root_from_inclusion(leaf, at, size, &path).unwrap();
            prop_assert_eq!(root, edge.root());

            let old = at + 1;
            let path = roots_of(&proof::consistency_ranges(old, size), &tiles).unwrap();
            let was = (old, roots[at as usize]);
            proof::check_consistency(was, (size, edge.root()), &path).unwrap();
        }
    }
}
