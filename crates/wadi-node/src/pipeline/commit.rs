//! Where every road meets: a group of things to do becomes one batch and one commit.

use crate::{
    door::{
        budget_limits::Cost, clock_doubts::Doubtful, event::Event, live, projections::Projected,
        suspects::Suspect,
    },
    ledger::view::LedgerView,
    pipeline::{
        Outcome, outcome_of,
        projecting::{Touched, handed_over},
        room::{SHORT_TIME, TOUCHED_MAX},
        sequencer::{Sequencer, TASK},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};
use wadi_log::{LogId, NodeId, Peaks, RecordId, Reference, Role, Tip, VerifiedEntry};
use wadi_record::Record;
use wadi_store::{Batch, RefusalRow, StoreError};

/// Of which logs more or less may count since a commit.
pub(crate) struct MovedVerdicts {
    /// Of any log there is.
    pub(super) of_all: bool,
    pub(super) of: BTreeSet<LogId>,
}

type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send + Sync>;

/// One commit in the making.
pub(crate) struct Commit {
    pub(crate) batch: Batch,
    /// Own entries that are not signed yet.
    pub(super) pending: BTreeMap<LogId, Vec<VerifiedEntry>>,
    pub(super) own_start: BTreeMap<LogId, Peaks>,
    pub(crate) records: HashMap<RecordId, Record>,
    pub(crate) fresh: HashMap<RecordId, Vec<VerifiedEntry>>,
    /// What the store holds of records that this group is about to touch.
    pub(super) prefetched: HashMap<RecordId, Vec<VerifiedEntry>>,
    pub(crate) unjudged: HashMap<RecordId, Vec<(Reference, Reference)>>,
    pub(crate) touched: Touched,
    pub(crate) retry: BTreeSet<RecordId>,
    /// Records that are built again by further commits: a log may be of more than memory holds at
    /// once.
    pub(super) later: BTreeSet<RecordId>,
    pub(crate) verdicts_moved: bool,
    /// Logs of which more or less may count, where the other logs' verdicts stay.
    pub(crate) bounds_moved: BTreeSet<LogId>,
    pub(crate) grown: BTreeMap<LogId, Tip>,
    pub(crate) events: Vec<Event>,
    pub(crate) done: Vec<Done>,
    pub(crate) watermark_moved: bool,
    /// Logs of which another branch is held whole now.
    pub(crate) branched: BTreeSet<LogId>,
    /// Logs whose fork was proven.
    pub(crate) forked: BTreeSet<LogId>,
    /// Control entries came back to their places: everything is read anew.
    pub(crate) reload: bool,
    /// Something failed half-way: nothing of this group may be committed.
    pub(crate) broken: Option<StoreError>,
    pub(super) refresh: bool,
    /// What is suspected, should the sequencer end over this commit.
    pub(super) suspects: Vec<Suspect>,
    /// What the entries weigh that peers brought.
    pub(crate) entry_weight: usize,
    /// Something in it reads or changes more of the store than may be in flight beside it.
    pub(crate) is_exclusive: bool,
    /// How long what peers brought took, by peer.
    pub(super) took: BTreeMap<NodeId, Duration>,
    /// How long its records took to be projected.
    pub(super) projecting: Duration,
    /// When the first command went into it.
    pub(super) begun: Instant,
    /// Whether somebody waits for it, or it has to be seen through at once.
    pub(super) is_awaited: bool,
    /// Whether somebody at this node does.
    pub(super) is_awaited_here: bool,
    /// Whether somebody at this node writes in it.
    pub(super) is_written_here: bool,
    /// Peers who wait for it.
    pub(super) awaited_by: BTreeSet<NodeId>,
    /// What peers' commands may take in it where somebody waits.
    pub(super) short_time: Duration,
    /// Whether somebody waited a short while ago behind what others brought.
    pub(super) is_contended: bool,
    /// Whether all records are to be looked at afresh, by what is known once this is durable.
    pub(super) recheck: bool,
    /// What is known of logs once this is durable.
    pub(super) view: Option<Arc<LedgerView>>,
    /// Entries in it whose times the hub's word does not allow; at a hub.
    pub(super) doubtful: Vec<Doubtful>,
    /// Devices whose readings it takes in.
    pub(super) read_by: Vec<String>,
    /// What the rules are to read of the records in it once this is durable; at a hub.
    pub(super) projected: Vec<(RecordId, Projected)>,
}

impl Commit {
    pub(super) fn new(batch: Batch) -> Self {
        Self {
            batch,
            pending: BTreeMap::new(),
            own_start: BTreeMap::new(),
            records: HashMap::new(),
            fresh: HashMap::new(),
            prefetched: HashMap::new(),
            unjudged: HashMap::new(),
            touched: Touched::default(),
            retry: BTreeSet::new(),
            later: BTreeSet::new(),

            verdicts_moved: false,
            bounds_moved: BTreeSet::new(),
            grown: BTreeMap::new(),
            events: Vec::new(),
            done: Vec::new(),
            watermark_moved: false,
            branched: BTreeSet::new(),
            forked: BTreeSet::new(),
            reload: false,

            broken: None,
            refresh: false,
            suspects: Vec::new(),
            entry_weight: 0,
            is_exclusive: false,
            took: BTreeMap::new(),
            projecting: Duration::ZERO,
            begun: Instant::now(),
            is_awaited: false,
            is_awaited_here: false,
            is_written_here: false,
            awaited_by: BTreeSet::new(),
            is_contended: false,
            short_time: SHORT_TIME,
            recheck: false,
            view: None,
            doubtful: Vec::new(),
            read_by: Vec::new(),
            projected: Vec::new(),
        }
    }

    /// Whether it neither reads more of the store than is durable nor leaves anything to be
    /// followed up: then the next commit may be made while this one is written.
    pub(crate) fn is_plain(&self) -> bool {
        let follows_up = self.verdicts_moved
            || !self.bounds_moved.is_empty()
            || self.reload
            || !self.branched.is_empty()
            || !self.forked.is_empty()
            || !self.retry.is_empty()
            || !self.later.is_empty();

        !self.is_exclusive && !follows_up && self.broken.is_none()
    }

    /// Tells whoever waits for it that the commit before it, which it was built on, failed.
    pub(crate) fn fail(self, error: &StoreError) {
        for done in self.done {
            done(Err(error.clone()));
        }
    }

    /// What a scrub or a resync writes.
    pub(super) fn take_mending(&mut self, mended: Batch) {
        // What verdicts hang on, or what they are remembered by, was put right: it is read anew.
        self.reload |= !(mended.repair.enrolments_gone.is_empty()
            && mended.repair.forks_gone.is_empty()
            && mended.repair.cosignatures_gone.is_empty()
            && mended.repair.entries_gone.is_empty()
            && mended.repair.reindexed.is_empty()
            && mended.project.seen.is_empty());

        // Branches that are held no more are asked for again.
        let rotten = mended.repair.branches_rotten.iter();
        self.forked
            .extend(rotten.filter_map(|(log, _)| LogId::from_slice(log).ok()));

        // The commit has a time of its own, which no other one has.
        self.batch.merge(Batch { at_ms: 0, ..mended });
    }
}

impl Sequencer {
    pub(crate) fn new_commit(&mut self) -> Commit {
        let mut commit = Commit::new(self.new_batch());
        commit.is_contended = self.contention.is_recent();
        commit.short_time = self.contention.short_time();
        commit
    }

    /// Signs what was written, projects what was touched, commits, and sees it through, while
    /// nothing else is made or written.
    /// Returns whether it is durable.
    pub(crate) async fn commit(&mut self, mut g: Commit) -> bool {
        self.suspect(&mut g);
        let outcome = match g.broken.take() {
            Some(error) => Err(error),
            None => {
                let began = std::time::Instant::now();
                let prepared = self.prepare(&mut g).await;
                g.projecting += began.elapsed();
                self.charge_projecting(&g);
                prepared
            }
        };
        let outcome = match outcome {
            Ok(()) if g.batch.is_empty() => Ok(()),
            Ok(()) => {
                let batch = std::mem::take(&mut g.batch);
                outcome_of(self.hand_to_store(batch).await)
            }
            Err(error) => Err(error),
        };

        self.pending_seen.clear();
        if outcome.is_ok() {
            self.keep_records(&mut g);
        }

        let is_durable = outcome.is_ok();
        self.finish(g, outcome).await;

        // What was counted anew after it belongs to what is durable: nothing is sequenced beyond
        // it, unless the ledger is ahead of a store that does not read.
        if !self.stale {
            let view = self.ledger.snapshot();
            self.publish(view);
        }

        is_durable
    }

    /// Hands a batch to the store: the one place that does. From here on nobody knows which
    /// projections of its records the store holds, until it is durable.
    pub(crate) fn hand_to_store(&self, batch: Batch) -> JoinHandle<Outcome> {
        let written = batch.project.records.iter().map(|row| row.id);
        let gone = batch.repair.records_gone.iter().copied();
        self.projections.withdraw(written.chain(gone));
        for row in &batch.project.records {
            self.shared_terms.add(&row.id, &row.terms);
        }

        let (moved, live) = (live::moved_by(&batch), self.live.clone());
        let (store, contention) = (self.store.clone(), self.contention.clone());
        tokio::spawn(async move {
            let began = std::time::Instant::now();
            let outcome = store.commit(batch).await;
            contention.note_stored(began.elapsed());
            if outcome.is_ok() {
                live.all_moved(&moved);
            }

            outcome
        })
    }

    /// What is suspected, should the sequencer end over this commit.
    pub(crate) fn suspect(&self, g: &mut Commit) {
        self.tasks.at(TASK, std::mem::take(&mut g.suspects));
    }

    /// Keeps the records of a commit in memory.
    pub(crate) fn keep_records(&mut self, g: &mut Commit) {
        for (id, record) in g.records.drain() {
            // A record that lacks entries which wait to be judged is built again when it is next
            // touched.
            if g.unjudged.get(&id).is_none_or(Vec::is_empty) {
                self.records.put(id, record);
            }
        }
    }

    /// Publishes what a commit brought and tells whoever waits; after one that failed, reads the
    /// store anew.
    pub(crate) async fn finish(&mut self, mut g: Commit, outcome: Outcome) {
        let grown: Vec<LogId> = g.grown.keys().copied().collect();
        match &outcome {
            Ok(()) => self.show_durable(&mut g),
            Err(error) => self.throw_away(&mut g, error).await,
        }

        self.side.clear();
        let moved = MovedVerdicts {
            of_all: g.verdicts_moved,
            of: g.bounds_moved.union(&g.branched).copied().collect(),
        };
        let reload = g.reload;
        let logs: BTreeSet<LogId> = g.forked.iter().chain(&grown).copied().collect();
        let mut otherwise = Vec::new();

        if outcome.is_ok()
            && let Err(error) = self
                .after_mending(reload, &logs, &moved, &mut otherwise)
                .await
        {
            tracing::error!(%error, "what a commit left to be followed up could not be");
            self.stale = true;
            self.scrub_now.notify_one();
        }

        for done in g.done.drain(..) {
            done(outcome.clone());
        }

        for event in g.events.drain(..) {
            let _ = self.events.send(event);
        }

        if outcome.is_err() {
            return;
        }

        if self.me.role == Role::Hub && (g.watermark_moved || !g.touched.is_empty()) {
            self.reconcile.notify_one();
        }

        if g.verdicts_moved || !g.bounds_moved.is_empty() {
            self.follow_verdicts(g.verdicts_moved, std::mem::take(&mut g.bounds_moved))
                .await;
        }

        let mut later = std::mem::take(&mut g.later);
        for (log, from) in otherwise {
            match self.store.records_of_log(&log, from).await {
                Ok(ids) => later.extend(ids),
                Err(error) => {
                    tracing::error!(%error, log = %log, "records of a log could not be built again");
                    self.scrub_now.notify_one();
                }
            }
        }

        self.rebuild_all(later.into_iter().collect()).await;
    }

    /// Shows everybody else what a durable commit brought.
    fn show_durable(&mut self, g: &mut Commit) {
        let handed_over = handed_over(&g.projected);
        self.clock_doubts.add(g.doubtful.drain(..));
        self.device_habits.count(&g.read_by, self.clock.steady_ms());
        self.projections.publish(g.projected.drain(..));
        if let Some(view) = g.view.take() {
            self.publish(view);
        }

        // Only now does whoever looks go by the new policy.
        if g.recheck {
            self.recheck.store(true, Ordering::Relaxed);
            self.reconcile.notify_one();
        }

        if !g.grown.is_empty() {
            let grown = std::mem::take(&mut g.grown);
            g.events.push(Event::Grew(grown.into_iter().collect()));
        }

        if !g.touched.is_empty() {
            g.events.push(Event::Records(handed_over));
        }
    }

    /// Forgets all that a failed commit had made: memory is ahead of the disk, and nothing of the
    /// group may be built upon.
    async fn throw_away(&mut self, g: &mut Commit, error: &StoreError) {
        tracing::error!(code = error.code(), %error, "commit failed; reading the store anew");
        self.ledger.end_epoch();
        self.room.heard(error);
        match error {
            StoreError::Failed(why) => {
                self.tasks.trouble("store", Some(why.clone()));
                let _ = self.events.send(Event::Failed(why.clone()));
            }
            StoreError::Malformed(why) => drop(self.events.send(Event::Broken(why.clone()))),
            _ => {}
        }

        if let Err(error) = self.load().await {
            tracing::error!(%error, "the store does not read");
            self.stale = true;
        }

        g.events.clear();
    }

    /// Verdicts that hang on what a commit brought (a bound reached, a fork cut) move records of
    /// their own.
    async fn follow_verdicts(&mut self, of_all: bool, of: BTreeSet<LogId>) {
        let mut after = Commit::new(self.new_batch());
        after.verdicts_moved = of_all;
        after.bounds_moved = of;
        match self.move_verdicts(&mut after).await {
            Ok(true) => {
                after.verdicts_moved = false;
                after.bounds_moved.clear();
                self.follow_up(after).await;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(%error, "verdicts moved, and their records could not be built again");
                self.scrub_now.notify_one();
            }
        }
    }

    /// Builds records again, a bounded number in each commit.
    async fn rebuild_all(&mut self, records: Vec<RecordId>) {
        for part in records.chunks(TOUCHED_MAX) {
            let mut after = Commit::new(self.new_batch());
            for id in part {
                if let Err(error) = self.rebuild(&mut after, *id).await {
                    tracing::error!(%error, record = %id, "a record could not be built again");
                    self.scrub_now.notify_one();
                }
            }

            self.follow_up(after).await;
        }
    }

    /// Commits what a durable commit left to be built again. Where that fails, a scrub does it.
    async fn follow_up(&mut self, after: Commit) {
        if !Box::pin(self.commit(after)).await {
            self.scrub_now.notify_one();
        }
    }

    /// What a commit leaves to be followed up: control entries that came back, and forks. Adds the
    /// logs whose records are to be built again, each from a position on: those whose other branch
    /// became the log, and those of which more or less counts.
    async fn after_mending(
        &mut self,
        reload: bool,
        logs: &BTreeSet<LogId>,
        moved: &MovedVerdicts,
        otherwise: &mut Vec<(LogId, u64)>,
    ) -> Result<(), StoreError> {
        if reload {
            otherwise.extend(self.load().await?.into_iter().map(|log| (log, 0)));
        }

        let switched = self.follow_forks(logs, moved).await?;
        if switched.is_empty() {
            return Ok(());
        }

        otherwise.extend(self.load().await?.into_iter().map(|log| (log, 0)));
        let proofs: Vec<_> = {
            let control = self.ledger.control();
            switched
                .iter()
                .filter_map(|log| control.forks().get(log).cloned())
                .collect()
        };

        for proof in &proofs {
            otherwise.push((proof.log(), proof.at));
            // The branch that was the log may end before what is known of it.
            self.want_branches(proof).await?;
            // Sessions compare anew, and what is judged by a control log is built again.
            let _ = self.events.send(Event::Mended(proof.log()));
        }

        Ok(())
    }

    pub(crate) async fn prepare(&mut self, g: &mut Commit) -> Result<(), StoreError> {
        if g.verdicts_moved || !g.bounds_moved.is_empty() {
            self.move_verdicts(g).await?;
        }

        for id in std::mem::take(&mut g.retry) {
            self.rebuild(g, id).await?;
        }

        self.sign(g)?;
        g.view = Some(self.ledger.snapshot());
        self.project_touched(g);

        Ok(())
    }

    /// Counts anew what counts of each log and rebuilds the records concerned. Returns whether any
    /// was.
    async fn move_verdicts(&mut self, g: &mut Commit) -> Result<bool, StoreError> {
        if g.verdicts_moved {
            // An admission stands or falls with its hub, and moves no bound.
            for log in self.ledger.control().admitted_logs() {
                self.ledger.weigh_anew(&log);
            }
        }

        let moved = match g.verdicts_moved {
            true => self.recount().await?,
            false => self.recount_of(g.bounds_moved.clone()).await?,
        };
        let mut any = false;
        for log in moved {
            // An admission may lie anywhere past the cut: all records of the log are looked at.
            let mut ids = self.store.records_of_log(&log, 0).await?;
            ids.extend(
                g.fresh
                    .iter()
                    .filter(|(_, e)| e.iter().any(|e| e.reference().log == log))
                    .map(|(id, _)| *id),
            );

            for id in ids {
                any = true;
                if g.records.len() < TOUCHED_MAX {
                    self.rebuild(g, id).await?;
                } else {
                    g.later.insert(id);
                }
            }
        }

        Ok(any)
    }

    pub(crate) fn note(
        &self,
        g: &mut Commit,
        subject: String,
        code: &str,
        why: String,
        peer: String,
    ) {
        if !self.charges_refusal(&subject, code, &peer) {
            return;
        }

        let at_ms = self.clock.now_ms();
        g.batch.refuse(RefusalRow {
            subject,
            code: code.into(),
            why,
            peer,
            at_ms,
            times: 1,
        });
    }

    /// A refusal costs whoever it is about, where that is a member, else whoever brought it. False
    /// where that one has so many that no more are written down.
    fn charges_refusal(&self, subject: &str, code: &str, peer: &str) -> bool {
        let about: Option<NodeId> = subject.parse().ok().or_else(|| peer.parse().ok());
        // What only newer software reads is nobody's fault.
        let Some(about) = about.filter(|_| code != "later_version") else {
            return true;
        };

        self.charge(about, Cost::Refusals, 1.0);
        let now = std::time::Instant::now();
        self.budgets.pauses_peer(&about, now) != Some(Cost::Refusals)
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
