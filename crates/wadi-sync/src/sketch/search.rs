//! One search: an estimator, a sketch over tiles, sketches over the leaves of those that differ.
//!
//! 1. All tiles: an estimator of how many differ, and cells enough for a handful.
//! 2. All tiles again, with cells for the estimate. Both sketches are peeled together.
//! 3. The leaves of tiles that differ: a cell a tile, which tells one difference in it, and cells
//!    over all of them for tiles with several. Tiles that lie in a longer run than chance makes are
//!    told leaf by leaf: what is lost in one run fills them.
//!
//! What a sketch does not tell is asked for again with more cells, and at last as plain short
//! hashes: three bytes an entry are the most that a search costs.

use super::{
    CELL_BYTES, CellTable, TILE_LEAVES,
    ask::{
        LeafSketch, RAW_TILES_MAX, ROW_TILES_MAX, SKETCH_CELLS_MAX, SKETCH_TILES_MAX, SketchAsk,
        TileSketch, tile_range,
    },
    cells_for, peel,
};
use crate::bisect::{SHORT_BYTES, short_hash};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::Hash;

/// Cells of the first sketch over the tiles: what differs is mostly little.
const FIRST_CELLS: usize = 24;
/// How many times as large as the last sketch the next one is at most for both to be peeled
/// together.
const TABLES_APART_MAX: usize = 4;
/// Sketches over the tiles that are tried before their row is read.
const TILE_TRIES_MAX: u32 = 3;
/// Sketches over the leaves of a tile that are tried before they are told one by one.
const LEAF_TRIES_MAX: u32 = 2;
/// So few tiles are told leaf by leaf at once: a sketch of them is no smaller.
const FEW_TILES: usize = 2;
/// Tiles whose leaves are compared at most. Where more differ, all leaves of each count as
/// different: positions by the million are no finding any more.
const LEAF_TILES_MAX: usize = 65_536;
/// A run of fewer tiles that differ is none.
const RUN_TILES_MIN: usize = 3;

/// How far a search has come.
#[derive(Debug)]
enum SearchPhase {
    Tiles {
        /// Cells to be asked for.
        cells: usize,
        tries: u32,
        /// What differs, as far as it was told.
        tables: Vec<CellTable>,
    },
    Row {
        from: u64,
        differing: Vec<u64>,
    },
    Leaves(OpenTiles),
}

/// Tiles that differ and whose leaves are yet to be compared.
#[derive(Debug, Default)]
struct OpenTiles {
    /// The tiles, and how many sketches of each were in vain.
    tries: BTreeMap<u64, u32>,
    /// Tiles in a longer run than chance makes.
    in_runs: BTreeSet<u64>,
    /// Differences beyond one that a tile has on average.
    excess: f64,
}

/// A search for the leaves of a tree that differ from those of another of the same size.
#[derive(Debug)]
pub struct SketchSearch {
    salt: u64,
    size: u64,
    /// The roots of the tiles here.
    row: Vec<Hash>,
    phase: SearchPhase,
    /// Runs of leaves that differ, in the order in which they were found.
    found: Vec<(u64, u64)>,
}

impl SketchSearch {
    /// A search in a tree of that size, of which these are the roots of the tiles
    /// ([`super::tile_row`]). Nothing where it has more tiles than a sketch takes.
    pub fn new(size: u64, salt: u64, row: Vec<Hash>) -> Option<Self> {
        let phase = SearchPhase::Tiles {
            cells: FIRST_CELLS,
            tries: 0,
            tables: Vec::new(),
        };
        let search = Self {
            salt,
            size,
            row,
            phase,
            found: Vec::new(),
        };

        let first = search.ask()?;
        let whole = search.row.len() as u64 == super::ask::tiles_of(size);
        (whole && first.fits(size)).then_some(search)
    }

    /// What salts the values.
    pub fn salt(&self) -> u64 {
        self.salt
    }

    /// What to ask next; nothing when the search is over.
    pub fn ask(&self) -> Option<SketchAsk> {
        match &self.phase {
            SearchPhase::Tiles { cells, tries, .. } => Some(SketchAsk::Tiles {
                estimator: *tries == 0,
                cells: u32::try_from(*cells).ok()?,
            }),
            SearchPhase::Row { from, .. } => {
                let left = (self.row.len() as u64).saturating_sub(*from);
                let count = left.min(ROW_TILES_MAX as u64);
                Some(SketchAsk::Row {
                    from: *from,
                    count: u32::try_from(count).ok()?,
                })
            }
            SearchPhase::Leaves(open) => open.ask(),
        }
    }

    /// Takes the peer's answer to what was asked. `leaves` are the own ones that the question is
    /// about, a tile each ([`SketchAsk::leaf_ranges`]). False where the answer does not fit the
    /// question: nothing changed then.
    pub fn answer(&mut self, asked: &SketchAsk, theirs: &[u8], leaves: &[Vec<Hash>]) -> bool {
        if theirs.len() != asked.answer_bytes(self.size) {
            return false;
        }

        match asked {
            SketchAsk::Tiles { estimator, cells } => self.hear_tiles(*estimator, *cells, theirs),
            SketchAsk::Row { from, .. } => self.hear_row(*from, theirs),
            SketchAsk::Leaves { tiles, cells, raw } => {
                let (sketched, told) =
                    theirs.split_at((tiles.len() + *cells as usize) * CELL_BYTES);
                let whole = leaves.len() == tiles.len() + raw.len();
                if !whole || !self.hear_sketched(tiles, *cells, sketched, leaves) {
                    return false;
                }

                self.hear_raw(raw, told, &leaves[tiles.len()..]);
                true
            }
        }
    }

    /// The ranges of leaves that differ, ascending, adjacent ones joined.
    pub fn found(&self) -> Vec<(u64, u64)> {
        let mut all = self.found.clone();
        all.sort_unstable();
        let mut out: Vec<(u64, u64)> = Vec::new();
        for (from, to) in all {
            match out.last_mut() {
                Some(last) if last.1 >= from => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }

        out
    }

    fn hear_tiles(&mut self, estimator: bool, cells: u32, theirs: &[u8]) -> bool {
        let mut mine = TileSketch::new(self.salt, self.size, estimator, cells);
        self.row.iter().for_each(|root| mine.add(root));
        let (told, told_cells) = theirs.split_at(theirs.len() - cells as usize * CELL_BYTES);
        if !mine.cells.subtract(told_cells) {
            return false;
        }

        let tiles = self.row.len() as u64;
        let SearchPhase::Tiles { tries, tables, .. } = &mut self.phase else {
            return false;
        };
        tables.push(mine.cells);
        let peeled = peel(&mut tables.clone(), tiles);
        if peeled.whole {
            self.open_tiles(peeled.found);
            return true;
        }

        // Cells for the estimate; where that was too low, twice as many as before.
        *tries += 1;
        let next = match mine.estimator {
            Some(mine) => mine.differences_at_most(told).map(cells_for),
            None => Some(2 * cells as usize),
        };
        let is_worth = |cells: &usize| {
            let row_bytes = self.row.len() * SHORT_BYTES;
            *cells <= SKETCH_CELLS_MAX && *cells * CELL_BYTES < row_bytes
        };
        let next = next.filter(is_worth).filter(|_| *tries < TILE_TRIES_MAX);

        match (next, &mut self.phase) {
            (Some(next), SearchPhase::Tiles { cells, tables, .. }) => {
                // One that is far too small tells nothing beside a larger one.
                if next > TABLES_APART_MAX * *cells {
                    tables.clear();
                }
                *cells = next;
            }
            _ => {
                self.phase = SearchPhase::Row {
                    from: 0,
                    differing: Vec::new(),
                }
            }
        }

        true
    }

    fn hear_row(&mut self, at: u64, theirs: &[u8]) -> bool {
        let SearchPhase::Row { from, differing } = &mut self.phase else {
            return false;
        };
        if *from != at {
            return false;
        }

        let rest = self.row.get(at as usize..).unwrap_or_default();
        let theirs = theirs.as_chunks::<SHORT_BYTES>().0;
        for (tile, (mine, their)) in (at..).zip(rest.iter().zip(theirs)) {
            if short_hash(self.salt, mine) != *their {
                differing.push(tile);
            }
        }

        *from += theirs.len() as u64;
        if *from >= self.row.len() as u64 {
            let differing = std::mem::take(differing);
            self.open_tiles(differing);
        }

        true
    }

    /// These tiles differ: their leaves are next.
    fn open_tiles(&mut self, mut tiles: Vec<u64>) {
        if tiles.len() > LEAF_TILES_MAX {
            let whole = tiles.drain(..).map(|tile| tile_range(tile, self.size));
            self.found.extend(whole);
        }

        self.phase = SearchPhase::Leaves(OpenTiles::new(tiles, self.row.len()));
    }

    fn hear_sketched(
        &mut self,
        tiles: &[u64],
        cells: u32,
        theirs: &[u8],
        leaves: &[Vec<Hash>],
    ) -> bool {
        let SearchPhase::Leaves(open) = &mut self.phase else {
            return false;
        };
        let mut mine = LeafSketch::new(self.salt, tiles.len(), cells);
        leaves[..tiles.len()]
            .iter()
            .for_each(|of_tile| mine.add(of_tile));
        let (of_tiles, of_all) = theirs.split_at(tiles.len() * CELL_BYTES);
        if !mine.tiles.subtract(of_tiles) || !mine.cells.subtract(of_all) {
            return false;
        }

        let mut tables = [mine.tiles, mine.cells];
        let peeled = peel(&mut tables, tiles.len() as u64 * TILE_LEAVES);
        // Cells over all of them may be left where no tile's is: then nothing of it is told.
        let torn = !peeled.whole && tables[0].is_empty();
        let told = |rank: usize| !torn && tables[0].is_empty_at(rank);
        for place in peeled.found {
            let rank = (place / TILE_LEAVES) as usize;
            let (from, to) = tile_range(tiles[rank], self.size);
            let leaf = from + place % TILE_LEAVES;
            if told(rank) && leaf < to {
                self.found.push((leaf, leaf + 1));
            }
        }

        for (rank, tile) in tiles.iter().enumerate() {
            open.told(*tile, told(rank));
        }

        true
    }

    fn hear_raw(&mut self, raw: &[u64], theirs: &[u8], leaves: &[Vec<Hash>]) {
        let SearchPhase::Leaves(open) = &mut self.phase else {
            return;
        };
        let mut theirs = theirs.as_chunks::<SHORT_BYTES>().0.iter();
        for (tile, leaves) in raw.iter().zip(leaves) {
            open.told(*tile, true);
            let (from, to) = tile_range(*tile, self.size);
            for (n, their) in (from..to).zip(theirs.by_ref()) {
                let mine = leaves.get((n - from) as usize);
                if mine.is_none_or(|leaf| short_hash(self.salt, leaf) != *their) {
                    self.found.push((n, n + 1));
                }
            }
        }
    }
}

impl OpenTiles {
    fn new(tiles: Vec<u64>, of: usize) -> Self {
        let share = tiles.len() as f64 / of.max(1) as f64;
        // By chance there is no run of so many: fewer than half of one is expected.
        let by_chance = ((0.5 / of.max(1) as f64).ln() / share.ln()).ceil();
        let run_min = match share < 1.0 {
            true => RUN_TILES_MIN.max(by_chance as usize),
            false => 1,
        };

        let mut in_runs = BTreeSet::new();
        for run in tiles.chunk_by(|a, b| a + 1 == *b) {
            if run.len() >= run_min {
                in_runs.extend(run);
            }
        }

        // As many differences as leave so many tiles untouched, where they are scattered.
        let scattered = (tiles.len() - in_runs.len()) as f64;
        let share = scattered / of.max(1) as f64;
        let differences = -(1.0 - share).ln() * of as f64;
        let excess = (differences / scattered - 1.0).max(0.0);

        Self {
            tries: tiles.into_iter().map(|tile| (tile, 0)).collect(),
            in_runs,
            excess: if excess.is_finite() { excess } else { 0.0 },
        }
    }

    /// The leaves of a tile were told, or a sketch of them was in vain.
    fn told(&mut self, tile: u64, whole: bool) {
        if whole {
            self.tries.remove(&tile);
        } else if let Some(tries) = self.tries.get_mut(&tile) {
            *tries += 1;
        }
    }

    fn ask(&self) -> Option<SketchAsk> {
        let few = self.tries.len() <= FEW_TILES;
        let is_raw =
            |tile: &u64, tries: u32| few || tries >= LEAF_TRIES_MAX || self.in_runs.contains(tile);

        let (mut raw, mut sketched) = (Vec::new(), Vec::new());
        for (tile, tries) in &self.tries {
            match is_raw(tile, *tries) {
                true => raw.push(*tile),
                false => sketched.push((*tries, *tile)),
            }
        }

        // One sketch is of tiles that were tried as often as each other.
        let tried = sketched.iter().map(|(tries, _)| *tries).min().unwrap_or(0);
        let per_tile = match tried {
            0 => 2.0 * self.excess,
            _ => 4.0,
        };
        let room = (SKETCH_CELLS_MAX / 2) as f64 / per_tile.max(1.0);
        let most = SKETCH_TILES_MAX.min(room as usize).max(1);
        let tiles = sketched.into_iter().filter(|(tries, _)| *tries == tried);
        let tiles: Vec<u64> = tiles.map(|(_, tile)| tile).take(most).collect();
        raw.truncate(RAW_TILES_MAX);
        if tiles.is_empty() && raw.is_empty() {
            return None;
        }

        let several = tiles.len() as f64 * per_tile;
        let cells = (several + 4.0 * several.sqrt()).ceil() as usize + FIRST_CELLS;
        let cells = match tiles.is_empty() {
            true => 0,
            false => cells.min(SKETCH_CELLS_MAX),
        };

        Some(SketchAsk::Leaves {
            tiles,
            cells: u32::try_from(cells).ok()?,
            raw,
        })
    }
}
