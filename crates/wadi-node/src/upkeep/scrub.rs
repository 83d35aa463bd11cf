//! The scrub: everything held is read through in the background, because a disk says nothing of
//! what rots on it.
//!
//! Each log is read as it lies there, its leaves and its root computed anew and held against what
//! its author signed. What is missing or rotten is asked for at the peers; what is derived (kept
//! hashes, the index by record, records) is made again here. What the engine itself cannot read any
//! more ends the process: at the next start the database is set aside.

use crate::{
    door::{
        Door,
        command::Command,
        error::NodeError,
        event::Event,
        proofs::record_of,
        status::{Damage, ScrubStatus},
    },
    ledger::repair::{Why, joined},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, broadcast::error::RecvError};
use wadi_log::{
    Body, Hash, Lane, LogId, Peaks, RecordId, Reference, Role, SignedCheckpoint, Subtree,
    TILE_LEVELS, VerifiedEntry, leaf_hash, node_hash,
};
use wadi_store::{Batch, CosignedHead, LocalScope, LogRow, Projection, Repair, StoreError};

/// Rows read at once.
pub(crate) const PAGE: u32 = 512;
/// Records built afresh at once: the sequencer does other things in between.
const RECORDS: usize = 32;
/// Damaged runs named in the status; all of them are asked for.
pub(crate) const NAMED_MAX: usize = 50;

/// How often and how fast everything held is read through.
#[derive(Clone, Copy, Debug)]
pub struct ScrubPace {
    /// From the start of one round to the start of the next.
    pub every: Duration,
    /// Bytes of entries read a second at most; a round that somebody waits for knows no limit.
    pub bytes_s: u64,
}

impl Default for ScrubPace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(24 * 3600),
            bytes_s: 4 << 20,
        }
    }
}

/// How a round goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Bytes of entries read a second at most.
    pub(crate) bytes_s: Option<u64>,
    /// Whether what is found is mended, or only told.
    pub(crate) mend: bool,
}

/// What is damaged of each log: from, to, and how.
pub(crate) type DamageOf = BTreeMap<LogId, Vec<(u64, u64, &'static str)>>;

/// What one log came to.
struct Walked {
    damage: Vec<(u64, u64, &'static str)>,
    tiles: Vec<Hash>,
    tail: Vec<Hash>,
    kept: Vec<(Subtree, Hash)>,
    whole: bool,
    root_fits: bool,
}

pub(crate) struct Scrubber {
    scrub: Weak<Scrub>,
    pace: ScrubPace,
    now: Arc<Notify>,
}

impl Scrubber {
    pub(crate) fn new(scrub: &Arc<Scrub>, pace: ScrubPace) -> Self {
        Self {
            scrub: Arc::downgrade(scrub),
            pace,
            now: scrub.door.scrub_now.clone(),
        }
    }

    pub(crate) async fn run(self) {
        let mut events = match self.scrub.upgrade() {
            Some(scrub) => scrub.door.listen(),
            None => return,
        };

        // A node that starts again and again is read through all the same: the first round begins
        // soon.
        let mut due = Instant::now() + self.pace.every.min(Duration::from_secs(600));
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {
                    let Some(scrub) = self.scrub.upgrade() else { return };
                    due = Instant::now() + self.pace.every;
                    let _ = scrub.run(Round { bytes_s: Some(self.pace.bytes_s), mend: true }).await;
                }
                () = self.now.notified() => {
                    let Some(scrub) = self.scrub.upgrade() else { return };
                    due = Instant::now() + self.pace.every;
                    let _ = scrub.run(Round { bytes_s: None, mend: true }).await;
                }
                event = events.recv() => match event {
                    // What is derived from entries that came back is made again at once.
                    Ok(Event::Mended(log)) => {
                        let Some(scrub) = self.scrub.upgrade() else { return };
                        scrub.scrub_again(Some(log), self.pace).await;
                    }
                    Err(RecvError::Lagged(_)) => {
                        let Some(scrub) = self.scrub.upgrade() else { return };
                        scrub.scrub_again(None, self.pace).await;
                    }
                    Ok(_) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        }
    }
}

/// Reads everything held through.
pub struct Scrub {
    pub(crate) door: Arc<Door>,
    /// One round at a time.
    alone: tokio::sync::Mutex<()>,
    /// Records may have been made while entries were missing: they are made again when all are
    /// back.
    rederive_due: AtomicBool,
}

impl Scrub {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            alone: tokio::sync::Mutex::new(()),
            rederive_due: AtomicBool::new(false),
        }
    }

    pub(crate) fn note_scrub(&self, change: impl FnOnce(&mut ScrubStatus)) {
        change(&mut self.door.scrub.lock().expect("no panic holds it"));
    }

    /// Reads everything through; returns what was found. One round at a time.
    pub(crate) async fn run(&self, round: Round) -> Result<DamageOf, StoreError> {
        let _alone = self.alone.lock().await;
        let outcome = self.scrub_round(round).await;
        self.note_scrub(|s| s.running = false);

        match outcome {
            // A page that does not read is not repaired by reading on.
            Err(error @ (StoreError::Malformed(_) | StoreError::Damaged { .. })) => {
                self.note_scrub(|s| s.structure.push(error.to_string()));
                let _ = self.door.events.send(Event::Broken(error.to_string()));
                Err(error)
            }
            Err(error) => {
                tracing::warn!(%error, "the scrub could not read on");
                self.rederive_due.store(true, Ordering::Relaxed);
                Err(error)
            }
            Ok(damage) => Ok(damage),
        }
    }

    async fn scrub_round(&self, round: Round) -> Result<DamageOf, StoreError> {
        let mut switches = self.switches();
        let logs = self.door.store.logs().await?;
        let of = logs.iter().map(|l| l.peaks.size()).sum();
        let began_ms = self.door.now_ms();

        self.note_scrub(|s| {
            *s = ScrubStatus {
                running: true,
                began_ms,
                of,
                ended_ms: s.ended_ms,
                ..Default::default()
            }
        });

        let structure = self.door.store.structure().await?;
        if let Some(first) = structure.first().cloned() {
            self.note_scrub(|s| s.structure = structure);
            return Err(StoreError::Malformed(format!(
                "the database's structure is damaged: {first}"
            )));
        }

        let mut damage = DamageOf::new();
        let mut logs: BTreeMap<LogId, LogRow> =
            logs.into_iter().map(|row| (row.log, row)).collect();
        let all: Vec<LogId> = logs.keys().copied().collect();

        for log in all {
            if self.switches() != switches {
                // Another branch became its log since the rows were read: each is read through as
                // what it is now.
                switches = self.switches();
                logs = self
                    .door
                    .store
                    .logs()
                    .await?
                    .into_iter()
                    .map(|row| (row.log, row))
                    .collect();
            }

            let Some(row) = logs.remove(&log) else {
                continue;
            };
            let of_log = self.scrub_log(&row, switches, round).await?;

            if !of_log.is_empty() {
                damage.insert(row.log, of_log);
            }
        }

        self.scrub_rest(round).await?;
        if !damage.is_empty() && round.mend {
            self.rederive_due.store(true, Ordering::Relaxed);
        }

        if !self.judges_blindly(&damage) {
            self.rederive_all(round).await?;
        }

        let ended_ms = self.door.now_ms();
        self.note_scrub(|s| s.ended_ms = ended_ms);
        let found = self.door.scrub_status();
        if found.damaged > 0 || found.rederived > 0 || found.remade > 0 {
            tracing::warn!(
                damaged = found.damaged,
                rederived = found.rederived,
                remade = found.remade,
                "the scrub found rot"
            );

            if round.mend && self.door.me.role == Role::Hub {
                // Findings follow from the records: they are found again, and what differs is put
                // right.
                self.door.recheck.store(true, Ordering::Relaxed);
                self.door.reconcile.notify_one();
            }
        }

        Ok(damage)
    }

    /// After a stop that was not in order: reads through what this node wrote in its last epoch,
    /// where a failed write or a power cut could have left something, before anybody relies on it.
    /// The rest is the first round's, at its own pace.
    pub async fn verify_own(&self) -> Result<(), StoreError> {
        let _alone = self.alone.lock().await;
        let last = self
            .door
            .store
            .local(&LocalScope::Epoch, &self.door.id().to_string())
            .await?;
        let switches = self.switches();
        for row in self.door.store.logs().await? {
            if row.log.node == self.door.id()
                && last
                    .as_ref()
                    .is_none_or(|l| *l == row.log.epoch.to_string())
            {
                self.scrub_log(
                    &row,
                    switches,
                    Round {
                        bytes_s: None,
                        mend: true,
                    },
                )
                .await?;
            }
        }

        Ok(())
    }

    /// One log once more, after entries of it came back or another branch became it; and once all
    /// are back, what may have been made without them.
    async fn scrub_again(&self, log: Option<LogId>, pace: ScrubPace) {
        let _alone = self.alone.lock().await;
        if let Some(log) = log
            && let Err(error) = self.read_again(log).await
        {
            tracing::warn!(%error, log = %log, "a mended log could not be read again");
            self.rederive_due.store(true, Ordering::Relaxed);
        }

        let all_back = self
            .door
            .wants
            .lock()
            .expect("no panic holds it")
            .missing_count()
            == 0;

        if all_back && self.rederive_due.swap(false, Ordering::Relaxed) {
            let round = Round {
                bytes_s: Some(pace.bytes_s),
                mend: true,
            };
            if let Err(error) = self.rederive_all(round).await {
                tracing::warn!(%error, "records could not be made again from entries that came back");
                self.rederive_due.store(true, Ordering::Relaxed);
            }
        }
    }

    /// A log, and the records that hang on it: its own, which its `Seen` entries judge, and where
    /// it is a control log all.
    async fn read_again(&self, log: LogId) -> Result<(), StoreError> {
        let (round, switches) = (
            Round {
                bytes_s: None,
                mend: true,
            },
            self.switches(),
        );

        let rows = self.door.store.logs().await?;
        if let Some(row) = rows.into_iter().find(|r| r.log == log) {
            self.scrub_log(&row, switches, round).await?;
        }

        if self.judges_blindly(&DamageOf::new()) {
            self.rederive_due.store(true, Ordering::Relaxed);
            return Ok(());
        }

        match log.lane {
            Lane::Control => self.rederive_all(round).await,
            _ => {
                self.rederive(self.door.store.records_of_log(&log, 0).await?, round)
                    .await
            }
        }
    }

    /// Whether control entries are missing: by what is left nobody can judge what was said on
    /// records.
    fn judges_blindly(&self, damage: &DamageOf) -> bool {
        let missing = self.door.wants.lock().expect("no panic holds it").missing();
        damage
            .keys()
            .chain(missing.keys())
            .any(|log| log.lane == Lane::Control)
    }

    pub(crate) fn switches(&self) -> u64 {
        self.door
            .wants
            .lock()
            .expect("no panic holds it")
            .switches()
    }

    /// One log; `switches` is how often another branch had become its log before the row was read.
    async fn scrub_log(
        &self,
        row: &LogRow,
        switches: u64,
        round: Round,
    ) -> Result<Vec<(u64, u64, &'static str)>, StoreError> {
        let log = row.log;
        let walked = self.walk(row, switches, round).await?;
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
        tracing::error!(log = %log, entries = count, "entries are damaged; they are asked for at the peers");
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
            "{count} entries are missing or do not have their hash; they are fetched back from peers"
        );
        self.door
            .note_refusal(log.origin(), "entry_damaged".into(), why, String::new())
            .await;

        // Asked for in the tree that a hub cosigned, which it holds for certain; what lies past it,
        // in the whole one.
        let cosigned = self.cosigned_head(&row.checkpoint).await?;
        let through = cosigned.as_ref().map_or(0, |c| c.checkpoint.size);
        let mut wants = self.door.wants.lock().expect("no panic holds it");
        if wants.switches() != switches {
            return Ok(Vec::new());
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
        Ok(named)
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
    async fn walk(&self, row: &LogRow, switches: u64, round: Round) -> Result<Walked, StoreError> {
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
                        project: Projection {
                            about,
                            ..Projection::default()
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
            Err(StoreError::Damaged { .. }) => seen.clone(), // it is rotten, and on the list already
            Err(error) => return Err(error),
        };

        let missing: Vec<Reference> = seen.difference(&held).copied().collect();
        if !missing.is_empty() {
            self.remake(
                Batch::from(Projection {
                    seen: missing,
                    ..Projection::default()
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

    /// Writes what was found. What was read of logs is written while no other branch became its log
    /// since: so often had that been before.
    pub(crate) async fn remake(
        &self,
        batch: Batch,
        switches: Option<u64>,
        mend: bool,
    ) -> Result<(), StoreError> {
        self.note_scrub(|s| s.remade += 1);
        if !mend {
            return Ok(());
        }

        self.door
            .ask(|reply| Command::Mend(Box::new(batch), switches, reply))
            .await
            .map_err(of_desk)
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

    /// All records built afresh from their entries, and those that nothing speaks of taken out.
    async fn rederive_all(&self, round: Round) -> Result<(), StoreError> {
        let mut ids: BTreeSet<RecordId> = self.door.store.record_ids().await?.into_iter().collect();
        let mut after = Some(RecordId([0; 32]));
        while let Some(from) = after {
            let page = self.door.store.record_rows(&from, PAGE).await?;
            after = page.last().copied();
            ids.extend(page);
        }

        self.rederive(ids.into_iter().collect(), round).await
    }

    async fn rederive(&self, ids: Vec<RecordId>, round: Round) -> Result<(), StoreError> {
        for part in ids.chunks(RECORDS) {
            let done = self
                .door
                .ask(|reply| Command::Rederive {
                    ids: part.to_vec(),
                    mend: round.mend,
                    reply,
                })
                .await;

            let count = done.map_err(of_desk)?;
            self.note_scrub(|s| s.rederived += count);
            pause(part.len() as u64 * 2_048, round.bytes_s).await;
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

/// Why the sequencer did not do it: what passes is nobody's damage. A damaged entry may be that of
/// anything in the same commit: it is on its way back, and no reason to give up the database.
fn of_desk(error: NodeError) -> StoreError {
    match error {
        NodeError::Store(error)
            if error.is_passing() || matches!(error, StoreError::Malformed(_)) =>
        {
            error
        }
        other => StoreError::Conflict(other.to_string()),
    }
}

/// Waits as long as so many bytes may take.
async fn pause(bytes: u64, bytes_s: Option<u64>) {
    if let Some(rate) = bytes_s.filter(|r| *r > 0) {
        tokio::time::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64)).await;
    }
}
