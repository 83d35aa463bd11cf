//! One log read through: its leaves and its root computed anew, and held against what its author
//! signed.

use crate::{
    door::{event::Event, status::Damage},
    ledger::repair::{Why, joined},
    upkeep::{
        scrub::{NAMED_MAX, PAGE, Round, Scrub},
        scrub_walk::{DamagedRun, Walked},
    },
};
use std::collections::{BTreeMap, HashMap};
use wadi_log::{Hash, LogId, Role, SignedCheckpoint, Subtree, TILE_LEVELS, node_hash};
use wadi_store::{Batch, CosignedHead, LogRow, Repair, StoreError};

impl Scrub {
    /// One log; `switches` is how often another branch had become its log before the row was read.
    pub(super) async fn scrub_log(
        &self,
        row: &LogRow,
        switches: u64,
        round: Round,
    ) -> Result<Vec<DamagedRun>, StoreError> {
        let log = row.log;
        let walked = self.walk_log(row, switches, round).await?;
        self.check_head(row, switches, round.mend).await?;
        let (ranges, named) = self.damage_of(row, &walked).await;

        if self.switches() != switches {
            // What was read may be of two branches, and is of none: the log is read once more when
            // the switch is told of.
            return Ok(Vec::new());
        }

        if ranges.is_empty() {
            if walked.root_fits {
                self.mend_tree(log, &walked.kept, switches, round.mend)
                    .await?;
            }
            return Ok(named);
        }

        let count = self.tell_damage(&log, &ranges, &named);
        if !round.mend {
            return Ok(named);
        }

        let why = format!(
            "{count} entries are missing or do not have their hash; they are fetched back from \
             peers",
        );
        self.door
            .note_refusal(log.origin(), "entry_damaged".into(), why, String::new())
            .await;

        if self
            .pick_back(row, &joined(ranges.clone()), &walked, switches)
            .await?
        {
            return Ok(named);
        }

        let asked = self.ask_peers(row, ranges, switches).await?;
        Ok(if asked { named } else { Vec::new() })
    }

    /// Holds a log's row against what its author signed.
    async fn check_head(&self, row: &LogRow, switches: u64, mend: bool) -> Result<(), StoreError> {
        let log = row.log;
        let author = self
            .door
            .with_control(|c| c.enrolment(&log.node).map(|e| e.log_key));
        let head = &row.checkpoint.checkpoint;

        // Of an author whose enrolment is not back yet nobody can say.
        let signed = author.is_none_or(|key| row.checkpoint.verify(&key).is_ok());
        if !signed || (head.size, head.root) != (row.peaks.size(), row.peaks.root()) {
            // Nothing in this database says what the log should be: the row itself is rotten.
            return Err(StoreError::Damaged {
                entry: format!("the head of {log}"),
            });
        }

        if let Some(key) = author {
            self.mend_checkpoints(row, &key, switches, mend).await?;
        }

        if self.door.store.goes_on(&log).await? {
            // An earlier head came back: what was written after it lies there, and can be read from
            // its pages.
            return Err(StoreError::Damaged {
                entry: format!("the head of {log}, which is not the last one"),
            });
        }

        Ok(())
    }

    /// The places whose entries are to be fetched back, and what is wrong with them.
    async fn damage_of(&self, row: &LogRow, walked: &Walked) -> (Vec<(u64, u64)>, Vec<DamagedRun>) {
        let found = walked.damage.iter().map(|(from, to, _)| (*from, *to));
        let ranges: Vec<(u64, u64)> = found.collect();
        if !walked.whole || walked.root_fits || !ranges.is_empty() {
            return (ranges, walked.damage.clone());
        }

        // Bytes and hashes fit each other and not what was signed: somebody replaced them. Peers
        // tell where.
        let tip = wadi_log::Tip {
            size: row.peaks.size(),
            root: row.peaks.root(),
        };
        let ranges = self
            .find_replaced(row.log, tip, walked)
            .await
            .unwrap_or_else(|| vec![(0, tip.size)]);
        let named = ranges.iter().map(|(from, to)| (*from, *to, "replaced"));

        let named = named.collect();
        (ranges, named)
    }

    /// Tells of damaged entries in log and status; how many they are.
    fn tell_damage(&self, log: &LogId, ranges: &[(u64, u64)], named: &[DamagedRun]) -> u64 {
        let count: u64 = ranges.iter().map(|(from, to)| to - from).sum();
        tracing::error!(
            log = %log,
            entries = count,
            "entries are damaged; they are asked for at the peers",
        );
        self.note_scrub(|s| {
            s.damaged += count;
            let room = NAMED_MAX.saturating_sub(s.damage.len());
            let of = |(from, to, kind): &DamagedRun| Damage {
                log: log.to_string(),
                from: *from,
                to: *to,
                kind,
            };

            s.damage.extend(named.iter().take(room).map(of));
        });

        count
    }

    /// Asks the peers for ranges of a log. Returns whether that was possible: not where another
    /// branch became its log since.
    async fn ask_peers(
        &self,
        row: &LogRow,
        ranges: Vec<(u64, u64)>,
        switches: u64,
    ) -> Result<bool, StoreError> {
        // Asked for in the tree that a hub cosigned, which it holds for certain; what lies past it,
        // in the whole one.
        let cosigned = self.cosigned_head(&row.checkpoint).await?;
        let through = cosigned.as_ref().map_or(0, |c| c.checkpoint.size);
        let mut wants = self.door.wants.lock().expect("no panic holds it");
        if wants.switches() != switches {
            return Ok(false);
        }

        let ranges = joined(ranges);
        if let Some(cosigned) = cosigned {
            let below: Vec<(u64, u64)> = ranges
                .iter()
                .map(|(from, to)| (*from, (*to).min(through)))
                .collect();
            wants.add(cosigned, Why::Mend, &below);
        }

        let past: Vec<(u64, u64)> = ranges
            .iter()
            .map(|(from, to)| ((*from).max(through), *to))
            .collect();

        wants.add(row.checkpoint.clone(), Why::Mend, &past);
        drop(wants);
        Ok(true)
    }

    /// The longest head of a log that a hub has cosigned, up to what is held; none of a forked log,
    /// where it may be of another branch.
    async fn cosigned_head(
        &self,
        held: &SignedCheckpoint,
    ) -> Result<Option<SignedCheckpoint>, StoreError> {
        let log = held.checkpoint.log;
        let cosigned = self.door.store.cosignatures(Some(&log)).await?;
        Ok(self.door.with_control(|control| {
            let by_hub = |c: &CosignedHead| {
                let size = c.checkpoint.checkpoint.size;
                size <= held.checkpoint.size
                    && control.role(&c.cosignature.witness) == Some(Role::Hub)
                    && c.checkpoint.checkpoint.log == log
            };

            let key = control.enrolment(&log.node).map(|e| e.log_key)?;
            let heads = cosigned.into_iter().filter(by_hub).map(|c| c.checkpoint);
            let signed =
                heads.filter(|c| !control.forks().contains_key(&log) && c.verify(&key).is_ok());

            signed.max_by_key(|c| c.checkpoint.size)
        }))
    }

    /// Kept checkpoints that their author did not sign go, and the head's is kept. Blocks may end
    /// at any that is left.
    async fn mend_checkpoints(
        &self,
        row: &LogRow,
        key: &[u8; 32],
        switches: u64,
        mend: bool,
    ) -> Result<(), StoreError> {
        let (log, size) = (row.log, row.peaks.size());
        let (mut gone, mut head_kept, mut from) = (Vec::new(), false, Some(i64::MIN));
        while let Some(at) = from {
            let page = self.door.store.raw_checkpoints(&log, at, PAGE).await?;
            from = page.last().and_then(|(last, _)| last.checked_add(1));
            for (place, bytes) in page {
                let right = SignedCheckpoint::from_bytes(&bytes).ok().filter(|signed| {
                    let head = &signed.checkpoint;
                    head.log == log
                        && i64::try_from(head.size) == Ok(place)
                        && signed.verify(key).is_ok()
                });

                match right {
                    Some(signed) => head_kept |= signed.checkpoint.size >= size,
                    None => gone.push((log, place)),
                }
            }
        }

        if gone.is_empty() && head_kept {
            return Ok(());
        }

        tracing::error!(log = %log, gone = gone.len(), "checkpoints were damaged");
        let heads = if head_kept {
            vec![]
        } else {
            vec![row.checkpoint.clone()]
        };

        self.remake(
            Batch::from(Repair {
                checkpoints_gone: gone,
                heads,
                ..Repair::default()
            }),
            Some(switches),
            mend,
        )
        .await?;

        if mend {
            // A block that ended at one of them may have been refused: the log is offered anew.
            let _ = self.door.events.send(Event::Mended(log));
        }

        Ok(())
    }

    /// Kept hashes that do not lie there as the entries say are written again.
    async fn mend_tree(
        &self,
        log: LogId,
        kept: &[(Subtree, Hash)],
        switches: u64,
        mend: bool,
    ) -> Result<(), StoreError> {
        let mut by_level: BTreeMap<u8, BTreeMap<u64, Hash>> = BTreeMap::new();
        for (subtree, hash) in kept {
            by_level
                .entry(subtree.level)
                .or_default()
                .insert(subtree.index, *hash);
        }

        let mut wrong = Vec::new();
        for (level, hashes) in by_level {
            let mut lies: HashMap<u64, Vec<u8>> = HashMap::new();
            let mut from = 0;
            loop {
                let page = self.door.store.raw_tree(&log, level, from, 4_096).await?;
                let Some((last, _)) = page.last() else { break };
                from = last.saturating_add(1);
                lies.extend(page);
            }

            let differs =
                |(index, hash): &(u64, Hash)| lies.get(index).is_none_or(|l| l[..] != hash.0[..]);
            let wrongs = hashes.into_iter().filter(differs);
            wrong.extend(wrongs.map(|(index, hash)| (log, Subtree { level, index }, hash)));
        }

        if !wrong.is_empty() {
            self.remake(
                Batch::from(Repair {
                    tree: wrong,
                    ..Repair::default()
                }),
                Some(switches),
                mend,
            )
            .await?;
        }

        Ok(())
    }
}

impl Walked {
    /// The root of a perfect subtree as recomputed here.
    pub(super) fn hash(&self, s: Subtree) -> Option<Hash> {
        if s.level >= TILE_LEVELS {
            let up = s.level - TILE_LEVELS;
            let tiles = self
                .tiles
                .get((s.index << up) as usize..((s.index + 1) << up) as usize)?;
            return Some(perfect_root(tiles));
        }

        let start =
            (s.index << s.level).checked_sub((self.tiles.len() as u64) << TILE_LEVELS)? as usize;
        Some(perfect_root(self.tail.get(start..start + (1 << s.level))?))
    }
}

/// The root over a power of two of hashes.
pub(super) fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Peaks, leaf_hash};

    #[test]
    fn a_perfect_tree_has_the_root_that_its_log_has() {
        let leaves: Vec<Hash> = (0..8u8).map(|n| leaf_hash(&[n])).collect();
        for size in [1, 2, 4, 8] {
            let mut peaks = Peaks::default();
            for leaf in &leaves[..size] {
                peaks.append(*leaf);
            }
            assert_eq!(perfect_root(&leaves[..size]), peaks.root(), "of {size}");
        }
    }
}
