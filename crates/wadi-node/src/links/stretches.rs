//! Answers peers who lost entries, or hold another branch: stretches of a tree with the hashes
//! around them.

use crate::door::{Door, proofs::root_at};
use std::collections::HashMap;
use wadi_log::{
    BLOCK_ENTRIES_MAX, Hash, LogId, Peaks, Stretch, Subtree, Tip, node_hash, proof, stretch_ranges,
};
use wadi_store::{BranchRow, Store};
use wadi_sync::{Fetched, short_hash};

/// Bytes of entries in one answer: it goes out beside urgent blocks, and is asked for one after the
/// other.
const ANSWER_BYTES: usize = 48 * 1024;
/// What an entry counts in it at least: an answer has 512 at most.
const ENTRY_COST: usize = ANSWER_BYTES / BLOCK_ENTRIES_MAX;

/// The tree that was asked about, as it is held here.
enum Held {
    Main,
    Beside(Box<BranchRow>),
}

impl Held {
    async fn find(store: &dyn Store, log: &LogId, tip: Tip) -> Option<Self> {
        if root_at(store, log, tip.size).await.ok().flatten() == Some(tip.root) {
            return Some(Self::Main);
        }

        let branches = store.branches(Some(log)).await.ok()?;
        let is_it = |b: &BranchRow| {
            let head = &b.checkpoint.checkpoint;
            (head.size, head.root) == (tip.size, tip.root)
        };

        branches
            .into_iter()
            .find(is_it)
            .map(|b| Self::Beside(Box::new(b)))
    }

    /// Hashes of perfect subtrees: what lies before the fork is the main branch's.
    async fn subtrees(
        &self,
        store: &dyn Store,
        log: &LogId,
        wanted: &[Subtree],
    ) -> Option<HashMap<Subtree, Hash>> {
        let branch = match self {
            Self::Main => return store.subtrees(log, wanted).await.ok(),
            Self::Beside(branch) => branch,
        };
        let mut out = HashMap::new();

        for subtree in wanted {
            // Once is enough, however often somebody asks: it may be of all leaves.
            if out.contains_key(subtree) {
                continue;
            }

            let (lo, hi) = (
                subtree.index << subtree.level,
                (subtree.index + 1) << subtree.level,
            );

            // Down to subtrees that lie on one side of the fork; each level halves what is left.
            let mut parts = vec![(lo, hi)];
            while let Some(n) = parts
                .iter()
                .position(|(a, b)| *a < branch.from && branch.from < *b)
            {
                let (a, b) = parts[n];
                parts.splice(n..=n, [(a, a + (b - a) / 2), (a + (b - a) / 2, b)]);
            }

            let mut hashes = Vec::with_capacity(parts.len());
            for (a, b) in parts {
                hashes.push((
                    b - a,
                    if b <= branch.from {
                        let level = (b - a).trailing_zeros() as u8;
                        let part = Subtree {
                            level,
                            index: a >> level,
                        };
                        *store.subtrees(log, &[part]).await.ok()?.get(&part)?
                    } else {
                        let leaves = branch
                            .leaves
                            .get((a - branch.from) as usize..(b - branch.from) as usize)?;
                        let mut peaks = Peaks::default();
                        leaves.iter().for_each(|l| drop(peaks.append(*l)));
                        peaks.root()
                    },
                ));
            }

            // Neighbours of one size make the subtree above them, until one is left.
            while hashes.len() > 1 {
                let n = hashes.windows(2).position(|w| w[0].0 == w[1].0)?;
                let joined = (hashes[n].0 * 2, node_hash(&hashes[n].1, &hashes[n + 1].1));
                hashes.splice(n..=n + 1, [joined]);
            }

            out.insert(*subtree, hashes.pop()?.1);
        }

        Some(out)
    }

    async fn stretch(
        &self,
        store: &dyn Store,
        log: &LogId,
        size: u64,
        (from, to): (u64, u64),
        bytes: usize,
    ) -> Option<Stretch> {
        let entries: Vec<Vec<u8>> = match self {
            Self::Main => {
                let stored = store.entries(log, from, bytes).await.ok()?;
                // A gap of our own ends the stretch: what lies behind it has other positions.
                let in_order = stored
                    .into_iter()
                    .zip(from..to)
                    .take_while(|(s, seq)| s.entry.reference().seq == *seq);

                in_order.map(|(s, _)| s.entry.bytes().to_vec()).collect()
            }
            Self::Beside(branch) if from < branch.from => {
                let stored = store.entries(log, from, bytes).await.ok()?;
                stored
                    .into_iter()
                    .zip(from..to.min(branch.from))
                    .map(|(s, _)| s.entry.bytes().to_vec())
                    .collect()
            }
            Self::Beside(branch) => {
                let stored = store.branch_entries(branch, from, bytes).await.ok()?;
                stored
                    .into_iter()
                    .zip(from..to)
                    .map(|(e, _)| e.bytes().to_vec())
                    .collect()
            }
        };

        if entries.is_empty() {
            return None;
        }

        let ranges = stretch_ranges((from, from + entries.len() as u64), size);
        let wanted: Vec<Subtree> = ranges.iter().flat_map(|r| proof::subtrees(*r)).collect();
        let hashes = self.subtrees(store, log, &wanted).await?;

        Some(Stretch {
            from,
            entries,
            around: proof::assemble(&ranges, &hashes).ok()?,
        })
    }
}

/// Entries of a tree of a log, as far as they are held and fit into one answer.
pub(crate) async fn stretches(door: &Door, log: LogId, tip: Tip, ranges: &[(u64, u64)]) -> Fetched {
    let mut out = Fetched {
        log,
        tip,
        stretches: vec![],
        absent: vec![],
    };

    let Some(held) = Held::find(&*door.store, &log, tip).await else {
        out.absent = ranges.to_vec();
        return out;
    };
    let mut room = ANSWER_BYTES;

    for (from, to) in ranges
        .iter()
        .map(|(from, to)| (*from, (*to).min(tip.size)))
        .filter(|(from, to)| from < to)
    {
        let to = to.min(from.saturating_add((room / ENTRY_COST).max(1) as u64));
        match held
            .stretch(&*door.store, &log, tip.size, (from, to), room)
            .await
        {
            None => out.absent.push((from, to)),
            Some(stretch) => {
                room = room.saturating_sub(
                    stretch
                        .entries
                        .iter()
                        .map(|e| e.len().max(ENTRY_COST))
                        .sum(),
                );

                out.stretches.push(stretch);
            }
        }

        if room == 0 {
            break;
        }
    }

    out
}

/// Short hashes of subtrees of a tree of a log; none where that tree is not held.
pub(crate) async fn short_hashes(
    door: &Door,
    log: &LogId,
    tip: Tip,
    salt: u64,
    parts: &[Subtree],
) -> Vec<u8> {
    let Some(held) = Held::find(&*door.store, log, tip).await else {
        return vec![];
    };
    let inside =
        |s: &Subtree| s.level < 64 && (u128::from(s.index) + 1) << s.level <= u128::from(tip.size);
    if !parts.iter().all(inside) {
        return vec![];
    }

    let Some(hashes) = held.subtrees(&*door.store, log, parts).await else {
        return vec![];
    };

    parts
        .iter()
        .flat_map(|p| {
            hashes
                .get(p)
                .map(|h| short_hash(salt, h))
                .unwrap_or_default()
        })
        .collect()
}
