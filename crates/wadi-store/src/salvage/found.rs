//! What was found, log by log, and the blocks that can be made of it.

use super::{
    PageCell, Place, Salvage,
    layout::{
        CellKind::{Blob, Int},
        Layout,
    },
};
use crate::CosignedHead;
use std::{cmp::Reverse, collections::BTreeMap};
use wadi_log::{
    Block, Cosignature, Enrolment, ForkProof, Hash, LogId, NodeId, Peaks, SignedCheckpoint,
};

/// Statements that are kept side by side where only one of them can be true: rot may have made one
/// of two.
pub(super) const CLAIMS_MAX: usize = 8;

/// Branches that are followed at once where a position has more than one entry.
pub(super) const TRAILS_MAX: usize = 64;

/// What was found of one log.
#[derive(Clone, Debug, Default)]
pub struct FoundLog {
    /// Its entries by position: leaf and place; a forked log has more than one at a position.
    pub entries: BTreeMap<u64, Vec<(Hash, Place)>>,
    /// Its checkpoints by size, those with the newest hub time first. Their signatures are not
    /// checked.
    pub checkpoints: BTreeMap<u64, Vec<SignedCheckpoint>>,
}

/// What was found. Nothing of it is verified but that entries have their hashes.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Logs.
    pub logs: BTreeMap<LogId, FoundLog>,
    /// Cosignatures by log and witness, the longest first.
    pub cosignatures: BTreeMap<(LogId, NodeId), Vec<CosignedHead>>,
    /// Enrolments by node.
    pub enrolments: BTreeMap<NodeId, Vec<Enrolment>>,
    /// Fork proofs by log.
    pub forks: BTreeMap<LogId, Vec<ForkProof>>,
    /// Pages that were looked at, frames among them.
    pub pages: u64,
    /// Those that the disk did not give, or that hold nothing but zeros.
    pub unreadable_pages: u64,
}

impl Found {
    /// Takes a cell for what its shape says, where what it holds bears that out.
    pub(super) fn take_cell(
        &mut self,
        salvage: &Salvage,
        cell: &PageCell<'_>,
        wanted: &dyn Fn(&LogId) -> bool,
    ) -> Option<()> {
        let local = salvage.local(cell.page, cell.at)?;
        let row = Layout::of(local.bytes)?;
        match row.kinds[..] {
            [Blob(16), Blob(_)] => {
                let read = |r: &[u8]| Enrolment::from_bytes(row.bytes(r, 1)?).ok();
                let (enrolment, _) = salvage.first(cell, read)?;
                claim(
                    self.enrolments.entry(enrolment.node()).or_default(),
                    enrolment,
                    |e| Reverse(e.serial),
                );
            }
            [Blob(LogId::BYTES), Blob(_)] => {
                row.log(local.bytes).filter(wanted)?;
                let (proof, _) =
                    salvage.first(cell, |r| ForkProof::from_bytes(row.bytes(r, 1)?).ok())?;
                claim(self.forks.entry(proof.log()).or_default(), proof, |p| p.at);
            }
            [Blob(LogId::BYTES), Blob(16), Int, Int, Blob(_), Blob(88)] => {
                row.log(local.bytes).filter(wanted)?;
                let read = |r: &[u8]| {
                    let checkpoint = SignedCheckpoint::from_bytes(row.bytes(r, 4)?).ok()?;
                    let cosignature = Cosignature::from_slice(row.bytes(r, 5)?).ok()?;
                    Some(CosignedHead {
                        checkpoint,
                        cosignature,
                    })
                };

                let (head, _) = salvage.first(cell, read)?;
                self.keep_checkpoint(head.checkpoint.clone(), wanted);
                let key = (head.checkpoint.checkpoint.log, head.cosignature.witness);
                let all = self.cosignatures.entry(key).or_default();

                if all
                    .iter()
                    .all(|known| known.cosignature != head.cosignature)
                {
                    all.push(head);
                    all.sort_by_key(|c| {
                        Reverse((c.checkpoint.checkpoint.size, c.cosignature.time_s))
                    });
                    all.truncate(CLAIMS_MAX);
                }
            }
            // Entries, and rows of `logs` whose sizes are powers of two.
            [Blob(LogId::BYTES), Int, Blob(32), Blob(_), Int, Int] => {
                let log = row.log(local.bytes).filter(wanted)?;
                if self.entry(salvage, cell, &row, local.bytes, log).is_none() {
                    self.checkpoint(salvage, cell, &row, 3, wanted);
                }
            }
            // `logs`, `checkpoints`, and the other branches of forked logs.
            [Blob(LogId::BYTES), Int, Blob(_), Blob(_), Int, Int]
            | [Blob(LogId::BYTES), Blob(32), Int, Blob(_), Blob(_)] => {
                row.log(local.bytes).filter(wanted)?;
                self.checkpoint(salvage, cell, &row, 3, wanted);
            }
            [Blob(LogId::BYTES), Int, Blob(_), Int] => {
                row.log(local.bytes).filter(wanted)?;
                self.checkpoint(salvage, cell, &row, 2, wanted);
            }
            _ => {}
        }

        Some(())
    }

    fn entry(
        &mut self,
        salvage: &Salvage,
        cell: &PageCell<'_>,
        row: &Layout,
        local: &[u8],
        log: LogId,
    ) -> Option<()> {
        let seq = u64::try_from(row.int(local, 1)?).ok()?;
        let leaf = Hash::from_slice(row.bytes(local, 2)?).ok()?;
        let known = self.logs.get(&log).and_then(|l| l.entries.get(&seq));
        if known.is_some_and(|all| all.iter().any(|(known, _)| *known == leaf)) {
            return Some(());
        }

        let read = |r: &[u8]| salvage.entry_bytes(row.bytes(r, 3)?, &leaf.0).map(drop);

        let ((), view) = salvage.first(cell, read)?;
        let all = self
            .logs
            .entry(log)
            .or_default()
            .entries
            .entry(seq)
            .or_default();

        if all.len() < CLAIMS_MAX {
            all.push((leaf, cell.place(view)));
        }

        Some(())
    }

    fn checkpoint(
        &mut self,
        salvage: &Salvage,
        cell: &PageCell<'_>,
        row: &Layout,
        column: usize,
        wanted: &dyn Fn(&LogId) -> bool,
    ) {
        if let Some((signed, _)) = salvage.first(cell, |r| {
            SignedCheckpoint::from_bytes(row.bytes(r, column)?).ok()
        }) {
            self.keep_checkpoint(signed, wanted);
        }
    }

    fn keep_checkpoint(&mut self, signed: SignedCheckpoint, wanted: &dyn Fn(&LogId) -> bool) {
        let head = &signed.checkpoint;
        if wanted(&head.log) {
            let of = self.logs.entry(head.log).or_default();
            claim(of.checkpoints.entry(head.size).or_default(), signed, |c| {
                Reverse(c.checkpoint.hub_time_s)
            });
        }
    }

    /// The blocks of a log on top of what is held of it, each up to a checkpoint that `proven` says
    /// is signed and whose root the entries found make. They end where an entry is missing. Where a
    /// position has more than one entry, that one is taken whose branch comes to such a root.
    pub fn blocks<'a, P: Fn(&SignedCheckpoint) -> bool>(
        &'a self,
        salvage: &'a Salvage,
        log: &LogId,
        held: &Peaks,
        proven: P,
    ) -> Blocks<'a, P> {
        let trails = vec![Trail {
            peaks: held.clone(),
            places: Vec::new(),
        }];
        let (from, size) = (held.size(), held.size());

        Blocks {
            salvage,
            of: self.logs.get(log),
            from,
            size,
            trails,
            proven,
        }
    }
}

/// One way in which the log may go on.
#[derive(Clone)]
pub(super) struct Trail {
    pub(super) peaks: Peaks,
    pub(super) places: Vec<Place>,
}

impl Trail {
    fn on(mut self, (leaf, place): &(Hash, Place)) -> Self {
        self.peaks.append(*leaf);
        self.places.push(*place);
        self
    }
}

/// Blocks of a log, as [`Found::blocks`] finds them.
pub struct Blocks<'a, P> {
    pub(super) salvage: &'a Salvage,
    pub(super) of: Option<&'a FoundLog>,
    pub(super) from: u64,
    pub(super) size: u64,
    pub(super) trails: Vec<Trail>,
    pub(super) proven: P,
}

impl<P: Fn(&SignedCheckpoint) -> bool> Iterator for Blocks<'_, P> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let of = self.of?;
        loop {
            let (last, others) = of.entries.get(&self.size)?.split_last()?;
            let mut trails = Vec::with_capacity(self.trails.len());
            for trail in self.trails.drain(..) {
                trails.extend(others.iter().map(|entry| trail.clone().on(entry)));
                trails.push(trail.on(last));
            }

            trails.truncate(TRAILS_MAX);
            self.trails = trails;
            self.size += 1;

            for signed in of.checkpoints.get(&self.size).into_iter().flatten() {
                let fits = self
                    .trails
                    .iter()
                    .position(|trail| trail.peaks.root() == signed.checkpoint.root);
                let Some(at) = fits.filter(|_| (self.proven)(signed)) else {
                    continue;
                };
                let Trail { peaks, places } = self.trails.swap_remove(at);

                self.trails = vec![Trail {
                    peaks,
                    places: Vec::new(),
                }];

                let from = std::mem::replace(&mut self.from, self.size);
                let entries = places
                    .iter()
                    .map(|place| self.salvage.read(place))
                    .collect::<Option<_>>()?;

                return Some(Block {
                    from,
                    entries,
                    checkpoint: signed.clone(),
                });
            }
        }
    }
}

/// Keeps one more of several that cannot all be true, the most promising first.
pub(super) fn claim<T: PartialEq, K: Ord>(all: &mut Vec<T>, new: T, order: impl Fn(&T) -> K) {
    if !all.contains(&new) {
        all.push(new);
        all.sort_by_key(order);
        all.truncate(CLAIMS_MAX);
    }
}
