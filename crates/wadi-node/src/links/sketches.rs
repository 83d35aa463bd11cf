//! Answers peers who look for single entries that they lost: sketches of a tree, and entries
//! without a proof. Only of trees that are held as their logs: whoever asks about another branch
//! asks for stretches.

use crate::door::{Door, proofs::root_at};
use wadi_log::{Hash, LogId, TILE_LEVELS, Tip};
use wadi_store::Store;
use wadi_sync::{LeafSketch, Picked, SketchAsk, TileSketch, short_hash, tile_row};

/// Bytes of entries in one answer: it goes out beside urgent blocks, and is asked for one after the
/// other.
const PICKED_BYTES_MAX: usize = 48 * 1024;
/// Hashes of tiles read at once.
const TILE_PAGE: u32 = 4_096;
/// What an entry has at least: how many rows of so many bytes are read at once.
const ENTRY_BYTES_LEAST: usize = 64;

/// A tree that is held as its log.
struct HeldMain<'a> {
    store: &'a dyn Store,
    log: &'a LogId,
    size: u64,
}

impl<'a> HeldMain<'a> {
    async fn find(store: &'a dyn Store, log: &'a LogId, tip: Tip) -> Option<Self> {
        let held = root_at(store, log, tip.size).await.ok().flatten();
        (held == Some(tip.root)).then_some(Self {
            store,
            log,
            size: tip.size,
        })
    }

    /// The leaves of a range, all of them.
    async fn leaves(&self, (from, to): (u64, u64)) -> Option<Vec<Hash>> {
        let found = self.store.leaves(self.log, from, to).await.ok()?;
        let in_place = (from..to).zip(&found).filter(|(at, (seq, _))| at == seq);
        let whole = found.len() as u64 == to - from && in_place.count() == found.len();
        whole.then(|| found.into_iter().map(|(_, leaf)| leaf).collect())
    }

    /// Tells the roots of a run of tiles one by one, the part of a tile at the end as one.
    async fn each_tile(&self, from: u64, to: u64, mut tell: impl FnMut(&Hash)) -> Option<()> {
        let full = self.size >> TILE_LEVELS;
        let mut at = from;
        while at < to.min(full) {
            let page = self.store.raw_tree(self.log, TILE_LEVELS, at, TILE_PAGE);
            let page = page.await.ok()?;
            if page.is_empty() {
                return None;
            }

            for (index, hash) in page.into_iter().take((to.min(full) - at) as usize) {
                if index != at {
                    return None;
                }
                tell(&Hash::from_slice(&hash).ok()?);
                at += 1;
            }
        }

        if at < to {
            let tail = self.leaves((full << TILE_LEVELS, self.size)).await?;
            tell(tile_row(Vec::new(), &tail).first()?);
        }

        Some(())
    }
}

/// A sketch of a tree of a log; nothing where that tree is not held as the log, or not whole.
pub(crate) async fn sketch(
    door: &Door,
    log: &LogId,
    tip: Tip,
    salt: u64,
    ask: &SketchAsk,
) -> Option<Vec<u8>> {
    if !ask.fits(tip.size) {
        return None;
    }

    let held = HeldMain::find(&*door.store, log, tip).await?;
    let tiles = tip.size.div_ceil(1 << TILE_LEVELS);
    match ask {
        SketchAsk::Tiles { estimator, cells } => {
            let mut sketch = TileSketch::new(salt, tip.size, *estimator, *cells);
            held.each_tile(0, tiles, |root| sketch.add(root)).await?;
            Some(sketch.to_bytes())
        }
        SketchAsk::Row { from, count } => {
            let mut out = Vec::new();
            let tell = |root: &Hash| out.extend(short_hash(salt, root));
            let to = from.saturating_add(u64::from(*count));
            held.each_tile(*from, to, tell).await?;
            Some(out)
        }
        SketchAsk::Leaves { tiles, cells, .. } => {
            let mut sketch = LeafSketch::new(salt, tiles.len(), *cells);
            for range in ask.leaf_ranges(tip.size) {
                sketch.add(&held.leaves(range).await?);
            }
            Some(sketch.to_bytes())
        }
    }
}

/// Entries of a tree of a log without a proof: from the first on, as far as they are held, read and
/// fit into one answer.
pub(crate) async fn pick(door: &Door, log: LogId, tip: Tip, ranges: &[(u64, u64)]) -> Picked {
    let mut out = Picked {
        log,
        tip,
        from: ranges.first().map_or(0, |(from, _)| *from),
        entries: Vec::new(),
    };

    let Some(held) = HeldMain::find(&*door.store, &log, tip).await else {
        return out;
    };
    let mut room = PICKED_BYTES_MAX;

    for (from, to) in ranges {
        let (mut at, to) = (*from, (*to).min(tip.size));
        while at < to {
            let bytes = room.min((to - at) as usize * ENTRY_BYTES_LEAST);
            let Ok(found) = held.store.entries(&log, at, bytes).await else {
                return out;
            };

            let found = found.into_iter().zip(at..to);
            let in_order = found.take_while(|(e, seq)| e.entry.reference().seq == *seq);
            let before = at;
            for (entry, _) in in_order {
                let bytes = entry.entry.bytes();
                if bytes.len() > room && !out.entries.is_empty() {
                    return out;
                }
                room = room.saturating_sub(bytes.len());
                out.entries.push(bytes.to_vec());
                at += 1;
            }

            // Whoever asks puts them in their places by their order: a gap ends the answer.
            if at == before {
                return out;
            }
        }
    }

    out
}
