//! Which positions of two equally long rows of hashes differ, for bytes in proportion to how many
//! do and not to how long the rows are: an invertible sketch.
//!
//! A cell holds two sums over the positions that fall into it, in the field of [`FIELD`]: of their
//! hashes' short values, and of those values times their positions. Whoever asks subtracts a sketch
//! of its own row; what is equal vanishes. A cell with one difference left tells its position, the
//! quotient of its sums, and is peeled: that difference is taken out of its other cells, too, which
//! may leave one alone there (Goodrich and Mitzenmacher, "Invertible Bloom Lookup Tables", 2011;
//! Eppstein et al., "What's the Difference?", SIGCOMM 2011). As positions are compared and not
//! members of sets, a difference is one element and not two, and a cell needs no count.
//!
//! Everything is salted by whoever asks: nobody can make entries whose values are equal in a sketch
//! that is yet to be asked for.

mod ask;
mod estimator;
mod search;

pub use ask::{LeafSketch, SketchAsk, TileSketch, tile_row};
pub use search::SketchSearch;

use crate::bisect::short_hash;
use std::collections::{BTreeMap, VecDeque};
use wadi_log::{Hash, TILE_LEVELS};

/// Stands among the marks of block codecs in a `Hello` of whoever answers sketches, and picks
/// single entries. No frame begins with it.
pub(crate) const SKETCH_MARK: u8 = 0x2f;
/// Leaves of a tile.
pub(crate) const TILE_LEAVES: u64 = 1 << TILE_LEVELS;
/// The largest prime of 24 bits.
pub(crate) const FIELD: u64 = 16_777_213;
/// Positions in a sketch at most: each is a quotient in the field.
pub(crate) const POSITIONS_MAX: u64 = FIELD - 1;
/// Bytes of a cell on the wire.
pub(crate) const CELL_BYTES: usize = 6;
/// Cells from which on a position falls into three of them, and not four. Four are decoded from
/// fewer cells where there are few differences, three where there are many.
const WAYS_3_FROM: usize = 600;
const WAYS_MAX: usize = 4;
/// How often a cell is peeled at most. One that is peeled again and again holds several
/// differences, or is a liar's.
const PEELS_A_CELL_MAX: u8 = 8;

/// Cells that are decoded almost always where so many positions differ at most.
pub(crate) fn cells_for(differences: f64) -> usize {
    let few = (1.45 * differences).ceil() as usize + 16;
    match few < WAYS_3_FROM {
        true => few,
        false => ((1.34 * differences).ceil() as usize + 24).max(WAYS_3_FROM),
    }
}

/// A hash's value in the sums.
pub(crate) fn value_of(salt: u64, hash: &Hash) -> u64 {
    let [a, b, c] = short_hash(salt, hash);
    u64::from(u32::from_be_bytes([0, a, b, c])) % FIELD
}

/// A well mixed number out of two (the finalizer of SplitMix64, Steele et al., OOPSLA 2014).
pub(crate) fn mix(seed: u64, n: u64) -> u64 {
    let mut x = seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// One divided by a number of the field; nothing of value for 0.
fn inverse(n: u64) -> u64 {
    let (mut out, mut base, mut exponent) = (1, n % FIELD, FIELD - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            out = out * base % FIELD;
        }
        base = base * base % FIELD;
        exponent >>= 1;
    }

    out
}

/// Two sums over what falls into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct SketchCell {
    values: u64,
    /// Each value times its position and one.
    weighted: u64,
}

impl SketchCell {
    const EMPTY: Self = Self {
        values: 0,
        weighted: 0,
    };

    fn add(&mut self, position: u64, value: u64) {
        self.values = (self.values + value) % FIELD;
        self.weighted = (self.weighted + (position + 1) * value) % FIELD;
    }

    fn subtract(&mut self, other: Self) {
        self.values = (self.values + FIELD - other.values) % FIELD;
        self.weighted = (self.weighted + FIELD - other.weighted) % FIELD;
    }

    /// The position of the one difference in it, if there is one alone.
    fn position(self) -> Option<u64> {
        let quotient = self.weighted * inverse(self.values) % FIELD;
        (self.values != 0)
            .then(|| quotient.checked_sub(1))
            .flatten()
    }
}

/// Which cells a position falls into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Placing {
    /// One of each third or fourth of the cells, chosen by chance out of this seed.
    Mixed(u64),
    /// The one of its tile.
    ByTile,
}

/// Cells over one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CellTable {
    placing: Placing,
    cells: Vec<SketchCell>,
}

impl CellTable {
    /// So many cells. Tables of one salt and different sizes place what is in them differently.
    pub(crate) fn mixed(salt: u64, cells: usize) -> Self {
        let seed = mix(salt, cells as u64);
        Self {
            placing: Placing::Mixed(seed),
            cells: vec![SketchCell::EMPTY; cells],
        }
    }

    /// A cell a tile.
    pub(crate) fn by_tile(tiles: usize) -> Self {
        Self {
            placing: Placing::ByTile,
            cells: vec![SketchCell::EMPTY; tiles],
        }
    }

    /// The cells of a position: as many as the number says, none twice.
    fn places(&self, position: u64) -> ([usize; WAYS_MAX], usize) {
        let mut out = [0; WAYS_MAX];
        let count = self.cells.len();
        let seed = match self.placing {
            Placing::Mixed(seed) => seed,
            Placing::ByTile => {
                out[0] = (position / TILE_LEAVES) as usize;
                return (out, usize::from(out[0] < count));
            }
        };

        let ways = if count < WAYS_3_FROM { 4 } else { 3 };
        if count < ways {
            return (out, 0);
        }
        for (way, place) in out.iter_mut().enumerate().take(ways) {
            let (from, to) = (way * count / ways, (way + 1) * count / ways);
            let drawn = mix(seed.wrapping_add(way as u64), position);
            let within = (u128::from(drawn) * (to - from) as u128) >> 64;
            *place = from + within as usize;
        }

        (out, ways)
    }

    pub(crate) fn add(&mut self, position: u64, value: u64) {
        let (places, count) = self.places(position);
        for place in &places[..count] {
            self.cells[*place].add(position, value);
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        for cell in &self.cells {
            out.extend(&(cell.values as u32).to_be_bytes()[1..]);
            out.extend(&(cell.weighted as u32).to_be_bytes()[1..]);
        }
    }

    /// Subtracts a table as [`Self::write_to`] wrote it; false where it does not read, and then
    /// nothing is of value any more.
    pub(crate) fn subtract(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() != self.cells.len() * CELL_BYTES {
            return false;
        }

        for (cell, theirs) in self.cells.iter_mut().zip(bytes.as_chunks::<CELL_BYTES>().0) {
            let [a, b, c, d, e, f] = *theirs;
            let theirs = SketchCell {
                values: u32::from_be_bytes([0, a, b, c]).into(),
                weighted: u32::from_be_bytes([0, d, e, f]).into(),
            };

            if theirs.values >= FIELD || theirs.weighted >= FIELD {
                return false;
            }
            cell.subtract(theirs);
        }

        true
    }

    /// Whether nothing is left in a cell.
    pub(crate) fn is_empty_at(&self, cell: usize) -> bool {
        self.cells.get(cell).is_none_or(|c| *c == SketchCell::EMPTY)
    }

    /// Whether nothing is left in any.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.iter().all(|cell| *cell == SketchCell::EMPTY)
    }
}

/// What was peeled out of differences of tables over one row.
#[derive(Debug)]
pub(crate) struct Peeled {
    /// The positions that differ, as far as they were found.
    pub(crate) found: Vec<u64>,
    /// Whether that is all of them.
    pub(crate) whole: bool,
}

/// Peels differences of tables over the first `size` positions of one row. Those whose cells are
/// told best come first. The work is bounded by the number of cells, whatever is in them.
pub(crate) fn peel(tables: &mut [CellTable], size: u64) -> Peeled {
    // In the order in which they changed: what looks like one difference by chance is another cell
    // when it comes to its turn again.
    let mut due: VecDeque<(usize, usize)> = VecDeque::new();
    let mut peels: Vec<Vec<u8>> = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        due.extend((0..table.cells.len()).map(|cell| (number, cell)));
        peels.push(vec![0; table.cells.len()]);
    }

    // One that was peeled by mistake, where several made a cell that looks like one, stands in
    // other cells afterwards, and is peeled once more: what comes to nothing in sum did not differ.
    let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
    while let Some((number, cell)) = due.pop_front() {
        let found = tables[number].cells[cell];
        let position = found.position().filter(|p| *p < size);
        let Some(position) = position else { continue };
        let (places, count) = tables[number].places(position);
        if !places[..count].contains(&cell) {
            continue;
        }

        let times = &mut peels[number][cell];
        if *times >= PEELS_A_CELL_MAX {
            continue;
        }
        *times += 1;
        let sum = sums.entry(position).or_default();
        *sum = (*sum + found.values) % FIELD;
        for (number, table) in tables.iter_mut().enumerate() {
            let (places, count) = table.places(position);
            for place in &places[..count] {
                let mut one = SketchCell::EMPTY;
                one.add(position, found.values);
                table.cells[*place].subtract(one);
                due.push_back((number, *place));
            }
        }
    }

    let found = sums.into_iter().filter(|(_, sum)| *sum != 0);
    Peeled {
        found: found.map(|(position, _)| position).collect(),
        whole: tables.iter().all(CellTable::is_empty),
    }
}

#[cfg(test)]
mod tests;
