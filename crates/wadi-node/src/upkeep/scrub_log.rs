//! One log read through: its leaves and its root computed anew, and held against what its author
//! signed.

use crate::{
    door::{event::Event, proofs::record_of, status::Damage},
    ledger::repair::{Why, joined},
    upkeep::scrub::{NAMED_MAX, PAGE, Round, Scrub, pause},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_log::{
    Body, Hash, LogId, Peaks, RecordId, Reference, Role, SignedCheckpoint, Subtree, TILE_LEVELS,
    VerifiedEntry, leaf_hash, node_hash,
};
use wadi_store::{Batch, CosignedHead, LogRow, ProjectedRows, Repair, StoreError};

/// What one log came to.
struct Walked {
    damage: Vec<(u64, u64, &'static str)>,
    tiles: Vec<Hash>,
    tail: Vec<Hash>,
    kept: Vec<(Subtree, Hash)>,
    whole: bool,
    root_fits: bool,
}

impl Scrub {
    /// One log; `switches` is how often another branch had become its log before the row was read.
    pub(super) async fn scrub_log(
        &self,
        row: &LogRow,
        switches: u64,
        round: Round,
    ) -> Result<Vec<(u64, u64, &'static str)>, StoreError> {
        let log = row.log;
        let walked = self.walk_log(row, switches, round).await?;
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
            self.mend_checkpoints(row, &key, switches, round.mend)
                .await?;
        }

        if self.door.store.goes_on(&log).await? {
            // An earlier head came back: what was written after it lies there, and can be read from
            // its pages.
            return Err(StoreError::Damaged {
                entry: format!("the head of {log}, which is not the last one"),
            });
        }

        let mut ranges: Vec<(u64, u64)> = walked
            .damage
            .iter()
            .map(|(from, to, _)| (*from, *to))
            .collect();

        let mut named = walked.damage.clone();
        if walked.whole && !walked.root_fits && ranges.is_empty() {
            // Bytes and hashes fit each other and not what was signed: somebody replaced them.
            // Peers tell where.
            let tip = wadi_log::Tip {
                size: row.peaks.size(),
                root: row.peaks.root(),
            };

            ranges = self
                .find_replaced(log, tip, &walked)
                .await
                .unwrap_or_else(|| vec![(0, tip.size)]);
            named = ranges
                .iter()
                .map(|(from, to)| (*from, *to, "replaced"))
                .collect();
        }

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

        let count: u64 = ranges.iter().map(|(from, to)| to - from).sum();
        tracing::error!(
            log = %log,
            entries = count,
            "entries are damaged; they are asked for at the peers",
        );
        self.note_scrub(|s| {
            s.damaged += count;
            let room = NAMED_MAX.saturating_sub(s.damage.len());
            let of = |(from, to, kind): &(u64, u64, &'static str)| Damage {
                log: log.to_string(),
                from: *from,
                to: *to,
                kind,
            };

            s.damage.extend(named.iter().take(room).map(of));
        });

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

        let asked = self.ask_peers(row, ranges, switches).await?;
        Ok(if asked { named } else { Vec::new() })
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

    /// Reads a log as it lies there.
    async fn walk_log(
        &self,
        row: &LogRow,
        switches: u64,
        round: Round,
    ) -> Result<Walked, StoreError> {
        let (log, size) = (row.log, row.peaks.size());
        let mut out = Walked {
            damage: vec![],
            tiles: vec![],
            tail: vec![],
            kept: vec![],
            whole: true,
            root_fits: false,
        };

        let mut peaks = Peaks::default();
        let mut seen: BTreeSet<Reference> = BTreeSet::new();
        let mut at = 0;
        while at < size {
            let mut page = self.door.store.raw_entries(&log, at, PAGE).await?;
            page.retain(|e| e.seq >= at && e.seq < size);
            let end = page.last().map_or(size, |last| last.seq + 1);
            let (from, mut bytes) = (at, 0u64);

            // What has to stand in the index; and what may, though its author had no right to say
            // it when it came, or has none by now.
            let mut expected: BTreeSet<(RecordId, u64, Vec<u8>)> = BTreeSet::new();
            let mut possible: BTreeSet<(RecordId, u64, Vec<u8>)> = BTreeSet::new();
            for raw in page {
                if raw.seq < at {
                    // A second entry in one place: the one that does not belong there goes when the
                    // other comes once more.
                    out.damage.push((raw.seq, raw.seq + 1, "replaced"));
                    continue;
                }

                if raw.seq > at {
                    out.damage.push((at, raw.seq, "missing"));
                    out.whole = false;
                }

                at = raw.seq + 1;
                bytes += raw.bytes.len() as u64;
                let stored = Hash::from_slice(&raw.leaf).ok();
                let leaf = leaf_hash(&raw.bytes);
                let reference = Reference {
                    log,
                    seq: raw.seq,
                    leaf,
                };

                if stored != Some(leaf) {
                    out.damage.push((raw.seq, at, "rotten"));
                    out.whole &= stored.is_some();
                } else if let Ok(entry) = VerifiedEntry::recheck(reference, raw.bytes) {
                    let may = entry.entry().is_some_and(|e| {
                        self.door.with_control(|c| c.check_right(&log, e).is_ok())
                    });
                    if let Some(record) = record_of(&entry) {
                        if may {
                            expected.insert((record, raw.seq, raw.leaf.clone()));
                        }
                        possible.insert((record, raw.seq, raw.leaf));
                    } else if may && matches!(entry.entry().map(|e| &e.body), Some(Body::Seen(_))) {
                        seen.insert(reference);
                    }
                }

                if out.whole {
                    let leaf = stored.unwrap_or(leaf);
                    out.tail.push(leaf);
                    if out.tail.len() == 1 << TILE_LEVELS {
                        out.tiles.push(perfect_root(&out.tail));
                        out.tail.clear();
                    }

                    out.kept.extend(peaks.append(leaf));
                }
            }

            if end == size && at < size {
                out.damage.push((at, size, "missing"));
                out.whole = false;
                at = size;
            }

            let lies: BTreeSet<(RecordId, u64, Vec<u8>)> = self
                .door
                .store
                .index(&log, from, end)
                .await?
                .into_iter()
                .collect();

            // An entry that is rotten keeps its place in the index: it comes back.
            let damaged = |seq: &u64| out.damage.iter().any(|(a, b, _)| a <= seq && seq < b);
            let side = |seq: &u64| {
                self.door
                    .with_control(|c| c.forks().get(&log).is_some_and(|f| f.at <= *seq))
            };
            let stays = |row: &&(RecordId, u64, Vec<u8>)| {
                possible.contains(*row) || damaged(&row.1) || side(&row.1)
            };
            let odd = !lies.iter().all(|row| stays(&row));

            if odd || !expected.is_subset(&lies) {
                let reindexed = if odd { vec![(log, from, end)] } else { vec![] };
                let row = |(record, seq, leaf): &(RecordId, u64, Vec<u8>)| {
                    Some((
                        *record,
                        Reference {
                            log,
                            seq: *seq,
                            leaf: Hash::from_slice(leaf).ok()?,
                        },
                    ))
                };

                let about = expected
                    .iter()
                    .chain(lies.iter().filter(stays))
                    .filter_map(row)
                    .collect();

                self.remake(
                    Batch {
                        project: ProjectedRows {
                            about,
                            ..ProjectedRows::default()
                        },
                        repair: Repair {
                            reindexed,
                            ..Repair::default()
                        },
                        ..Batch::default()
                    },
                    Some(switches),
                    round.mend,
                )
                .await?;
            }

            self.note_scrub(|s| s.entries += end - from);
            pause(bytes, round.bytes_s).await;
        }

        let held: BTreeSet<Reference> = match self.door.store.seen(&log).await {
            Ok(held) => held.iter().map(VerifiedEntry::reference).collect(),
            // It is rotten, and on the list already.
            Err(StoreError::Damaged { .. }) => seen.clone(),
            Err(error) => return Err(error),
        };

        let missing: Vec<Reference> = seen.difference(&held).copied().collect();
        if !missing.is_empty() {
            self.remake(
                Batch::from(ProjectedRows {
                    seen: missing,
                    ..ProjectedRows::default()
                }),
                Some(switches),
                round.mend,
            )
            .await?;
        }

        out.root_fits =
            out.whole && peaks == row.peaks && peaks.root() == row.checkpoint.checkpoint.root;
        Ok(out)
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

    /// Where a log that was replaced here differs from what a peer holds, in runs of 64 entries.
    async fn find_replaced(
        &self,
        log: LogId,
        tip: wadi_log::Tip,
        own: &Walked,
    ) -> Option<Vec<(u64, u64)>> {
        let peers: Vec<_> = self
            .door
            .links
            .lock()
            .expect("no panic holds it")
            .keys()
            .copied()
            .collect();

        for peer in peers {
            if let Some((found, _)) = self.door.bisect(peer, log, tip, &|s| own.hash(s)).await
                && !found.is_empty()
            {
                return Some(found);
            }
        }

        None
    }
}

impl Walked {
    /// The root of a perfect subtree as recomputed here.
    fn hash(&self, s: Subtree) -> Option<Hash> {
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
fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
    }
    row[0]
}

#[cfg(test)]
mod tests {
    use super::*;

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
