//! The scrub: everything held is read through in the background, because a disk says nothing of
//! what rots on it.
//!
//! Each log is read as it lies there, its leaves and its root computed anew and held against what
//! its author signed. What is missing or rotten is asked for at the peers; what is derived (kept
//! hashes, the index by record, records) is made again here. What the engine itself cannot read any
//! more ends the process: at the next start the database is set aside.

use crate::door::{Door, command::Command, error::NodeError, event::Event, status::ScrubStatus};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, broadcast::error::RecvError};
use wadi_log::{Lane, LogId, RecordId, Role};
use wadi_store::{Batch, LocalScope, LogRow, StoreError};

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

    async fn logs_by_id(&self) -> Result<BTreeMap<LogId, LogRow>, StoreError> {
        let logs = self.door.store.logs().await?;
        Ok(logs.into_iter().map(|row| (row.log, row)).collect())
    }

    async fn scrub_round(&self, round: Round) -> Result<DamageOf, StoreError> {
        let mut switches = self.switches();
        let mut logs = self.logs_by_id().await?;
        let of = logs.values().map(|l| l.peaks.size()).sum();
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
        let all: Vec<LogId> = logs.keys().copied().collect();

        for log in all {
            if self.switches() != switches {
                // Another branch became its log since the rows were read: each is read through as
                // what it is now.
                switches = self.switches();
                logs = self.logs_by_id().await?;
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
                tracing::warn!(
                    %error,
                    "records could not be made again from entries that came back",
                );
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
            .map_err(of_sequencer)
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

            let count = done.map_err(of_sequencer)?;
            self.note_scrub(|s| s.rederived += count);
            pause(part.len() as u64 * 2_048, round.bytes_s).await;
        }

        Ok(())
    }
}

/// Why the sequencer did not do it: what passes is nobody's damage. A damaged entry may be that of
/// anything in the same commit: it is on its way back, and no reason to give up the database.
pub(super) fn of_sequencer(error: NodeError) -> StoreError {
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
pub(super) async fn pause(bytes: u64, bytes_s: Option<u64>) {
    if let Some(rate) = bytes_s.filter(|r| *r > 0) {
        tokio::time::sleep(Duration::from_secs_f64(bytes as f64 / rate as f64)).await;
    }
}
