//! What is asked for in a search by sketches, and what the one who is asked makes of its hashes.

use super::{
    CELL_BYTES, CellTable, FIELD, POSITIONS_MAX, TILE_LEAVES,
    estimator::{Estimator, estimator_bytes},
    value_of,
};
use crate::bisect::{SHORT_BYTES, short_hash};
use wadi_log::{Hash, Peaks, TILE_LEVELS};

/// Cells that are asked for at once at most: an answer stays under 64 KiB, for urgent messages go
/// on the same stream.
pub(crate) const SKETCH_CELLS_MAX: usize = 8_192;
/// Tiles of which a row is told at once at most.
pub(crate) const ROW_TILES_MAX: usize = 16_384;
/// Tiles whose leaves are sketched at once at most.
pub(crate) const SKETCH_TILES_MAX: usize = 2_048;
/// Tiles whose leaves are told one by one at once at most.
pub(crate) const RAW_TILES_MAX: usize = 256;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SketchAsk {
    /// A sketch over the roots of all tiles, and before it an estimator.
    Tiles {
        /// Whether the estimator is asked for.
        estimator: bool,
        /// Cells of the sketch.
        cells: u32,
    },
    /// The short hashes of the roots of a run of tiles.
    Row {
        /// The first tile.
        from: u64,
        /// How many.
        count: u32,
    },
    /// A sketch over the leaves of single tiles, a cell for each tile and some over all of them;
    /// then the short hashes of the leaves of others.
    Leaves {
        /// Tiles to be sketched, ascending.
        tiles: Vec<u64>,
        /// Cells over all of them.
        cells: u32,
        /// Tiles whose leaves are told one by one, ascending.
        raw: Vec<u64>,
    },
}

/// Tiles of a tree, the part of one at its end counted as one.
pub(crate) fn tiles_of(size: u64) -> u64 {
    size.div_ceil(TILE_LEAVES)
}

/// The leaves of a tile.
pub(crate) fn tile_range(tile: u64, size: u64) -> (u64, u64) {
    let from = tile << TILE_LEVELS;
    (from, size.min(from + TILE_LEAVES))
}

/// The roots of a tree's tiles, that over the leaves after the last full one with them.
pub fn tile_row(mut tiles: Vec<Hash>, tail: &[Hash]) -> Vec<Hash> {
    if !tail.is_empty() {
        let mut peaks = Peaks::default();
        tail.iter().for_each(|leaf| drop(peaks.append(*leaf)));
        tiles.push(peaks.root());
    }

    tiles
}

impl SketchAsk {
    /// Whether it asks for no more than may be asked for at once, in an order that is ever the
    /// same.
    pub(crate) fn is_bounded(&self) -> bool {
        let ascend = |tiles: &[u64]| tiles.windows(2).all(|w| w[0] < w[1]);
        match self {
            Self::Tiles { estimator, cells } => {
                *cells as usize <= SKETCH_CELLS_MAX && (*estimator || *cells > 0)
            }
            Self::Row { count, .. } => (1..=ROW_TILES_MAX).contains(&(*count as usize)),
            Self::Leaves { tiles, cells, raw } => {
                tiles.len() + raw.len() > 0
                    && tiles.len() <= SKETCH_TILES_MAX
                    && raw.len() <= RAW_TILES_MAX
                    && *cells as usize <= SKETCH_CELLS_MAX
                    && ascend(tiles)
                    && ascend(raw)
            }
        }
    }

    /// Whether a tree of that size can be asked it.
    pub fn fits(&self, size: u64) -> bool {
        let all = tiles_of(size);
        let last = match self {
            Self::Tiles { .. } => 0,
            Self::Row { from, count } => from.saturating_add(u64::from(*count) - 1),
            Self::Leaves { tiles, raw, .. } => {
                let lasts = [tiles.last(), raw.last()];
                lasts.into_iter().flatten().copied().max().unwrap_or(0)
            }
        };

        self.is_bounded() && last < all && all <= POSITIONS_MAX
    }

    /// The leaves that it asks about, as ranges of the tree, those that are sketched first.
    pub fn leaf_ranges(&self, size: u64) -> Vec<(u64, u64)> {
        match self {
            Self::Leaves { tiles, raw, .. } => {
                let all = tiles.iter().chain(raw);
                all.map(|tile| tile_range(*tile, size)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Bytes of the answer of a tree of that size.
    pub(crate) fn answer_bytes(&self, size: u64) -> usize {
        match self {
            Self::Tiles { estimator, cells } => {
                let estimator = if *estimator {
                    estimator_bytes(tiles_of(size))
                } else {
                    0
                };
                estimator + *cells as usize * CELL_BYTES
            }
            Self::Row { count, .. } => *count as usize * SHORT_BYTES,
            Self::Leaves { tiles, cells, raw } => {
                let leaves = raw.iter().map(|tile| tile_range(*tile, size));
                let leaves: u64 = leaves.map(|(from, to)| to.saturating_sub(from)).sum();
                (tiles.len() + *cells as usize) * CELL_BYTES + leaves as usize * SHORT_BYTES
            }
        }
    }
}

/// The answer about all tiles, in the making.
#[derive(Debug)]
pub struct TileSketch {
    salt: u64,
    next: u64,
    pub(crate) estimator: Option<Estimator>,
    pub(crate) cells: CellTable,
}

impl TileSketch {
    /// Over the tiles of a tree of that size.
    pub fn new(salt: u64, size: u64, estimator: bool, cells: u32) -> Self {
        Self {
            salt,
            next: 0,
            estimator: estimator.then(|| Estimator::new(salt, tiles_of(size))),
            cells: CellTable::mixed(salt, cells as usize),
        }
    }

    /// The root of the next tile, from the first on.
    pub fn add(&mut self, root: &Hash) {
        let (position, value) = (self.next, value_of(self.salt, root));
        self.next += 1;
        if let Some(estimator) = &mut self.estimator {
            estimator.add(position, value);
        }
        self.cells.add(position, value);
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(estimator) = &self.estimator {
            estimator.write_to(&mut out);
        }
        self.cells.write_to(&mut out);
        out
    }
}

/// The answer about the leaves of single tiles, in the making.
#[derive(Debug)]
pub struct LeafSketch {
    salt: u64,
    next: u64,
    sketched: u64,
    pub(crate) tiles: CellTable,
    pub(crate) cells: CellTable,
    pub(crate) raw: Vec<u8>,
}

impl LeafSketch {
    /// Over so many tiles that are sketched.
    pub fn new(salt: u64, sketched: usize, cells: u32) -> Self {
        Self {
            salt,
            next: 0,
            sketched: sketched as u64,
            tiles: CellTable::by_tile(sketched),
            cells: CellTable::mixed(salt, cells as usize),
            raw: Vec::new(),
        }
    }

    /// The leaves of the next tile that is asked about: first those that are sketched.
    pub fn add(&mut self, leaves: &[Hash]) {
        let tile = self.next;
        self.next += 1;
        if tile >= self.sketched {
            let told = leaves.iter().flat_map(|leaf| short_hash(self.salt, leaf));
            self.raw.extend(told);
            return;
        }

        let from = tile * TILE_LEAVES;
        debug_assert!(from + (leaves.len() as u64) < FIELD);
        for (position, leaf) in (from..).zip(leaves) {
            let value = value_of(self.salt, leaf);
            self.tiles.add(position, value);
            self.cells.add(position, value);
        }
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.tiles.write_to(&mut out);
        self.cells.write_to(&mut out);
        out.extend(&self.raw);
        out
    }
}
