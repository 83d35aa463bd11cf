//! Where every road meets: a group of things to do becomes one batch and one commit.

use crate::{
    door::{
        command::{BlockOutcome, Command},
        error::{NodeError, WriteError},
        event::Event,
        excerpt::EXCERPT_LOST,
        projections::Projected,
        suspects::Suspect,
        write::{Based, Target, Write, Written},
    },
    ledger::view::LedgerView,
    pipeline::{
        Outcome, outcome_of,
        repeats::Sent,
        sequencer::{Sequencer, TASK},
    },
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
};
use tokio::task::JoinHandle;
use wadi_log::{
    BLOCK_ENTRIES_MAX, Body, Boot, Change, Common, Entry, Epoch, Hash, Lane, LogId, OfficerEntry,
    Peaks, RecordId, Reference, Role, Seen, Tip, VerifiedBlock, VerifiedEntry,
};
use wadi_reconcile::Facts;
use wadi_record::{Kind, Objection, Record, Verdict, is_decision, is_guarded, warnings};
use wadi_store::{
    AnchorState, Batch, CosignedHead, LocalKey, LocalScope, RecordRow, RefusalRow, StoreError,
    Waiting,
};

/// Own entries are signed at about this spacing, so that blocks can end there.
const RUN_BYTES: usize = 8 * 1024;
/// Records touched by one commit, beyond which the rest of a group waits for the next.
const TOUCHED_MAX: usize = 1_500;
/// Bytes of peers' entries in one commit, beyond which the rest waits for the next: a block of
/// little bytes on the wire may inflate to a megabyte.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Heads that one `Seen` names.
const SEEN_HEADS_MAX: usize = 200;

type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send + Sync>;

/// One commit in the making.
pub(crate) struct Commit {
    pub(crate) batch: Batch,
    pending: BTreeMap<LogId, Vec<Entry>>,
    own_start: BTreeMap<LogId, Peaks>,
    pub(crate) records: HashMap<RecordId, Record>,
    pub(crate) fresh: HashMap<RecordId, Vec<VerifiedEntry>>,
    /// What the store holds of records that this group is about to touch.
    prefetched: HashMap<RecordId, Vec<VerifiedEntry>>,
    pub(crate) unjudged: HashMap<RecordId, Vec<(Reference, Reference)>>,
    pub(crate) touched: BTreeSet<RecordId>,
    pub(crate) retry: BTreeSet<RecordId>,
    /// Records that are built again by further commits: a log may be of more than memory holds at
    /// once.
    later: BTreeSet<RecordId>,
    pub(crate) verdicts_moved: bool,
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
    refresh: bool,
    /// What is suspected, should the sequencer end over this commit.
    suspects: Vec<Suspect>,
    /// Bytes of entries that peers brought.
    pub(crate) entry_bytes: usize,
    /// Something in it reads or changes more of the store than may be in flight beside it.
    pub(crate) is_exclusive: bool,
    /// What is known of logs once this is durable.
    view: Option<Arc<LedgerView>>,
    /// What the rules are to read of the records in it once this is durable; at a hub.
    projected: Vec<(RecordId, Projected)>,
}

impl Commit {
    fn new(batch: Batch) -> Self {
        Self {
            batch,
            pending: BTreeMap::new(),
            own_start: BTreeMap::new(),
            records: HashMap::new(),
            fresh: HashMap::new(),
            prefetched: HashMap::new(),
            unjudged: HashMap::new(),
            touched: BTreeSet::new(),
            retry: BTreeSet::new(),
            later: BTreeSet::new(),
            verdicts_moved: false,
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
            entry_bytes: 0,
            is_exclusive: false,
            view: None,
            projected: Vec::new(),
        }
    }

    /// Whether whatever comes next has to wait for the next commit.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() > TOUCHED_MAX || self.entry_bytes > GROUP_BYTES_MAX
    }

    /// Whether it neither reads more of the store than is durable nor leaves anything to be followed
    /// up: then the next commit may be made while this one is written.
    pub(crate) fn is_plain(&self) -> bool {
        let follows_up = self.verdicts_moved
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
    fn take_mending(&mut self, mended: Batch) {
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

        self.batch.merge(mended);
    }
}

impl Sequencer {
    pub(crate) fn new_commit(&mut self) -> Commit {
        Commit::new(self.new_batch())
    }

    pub(crate) async fn take(&mut self, g: &mut Commit, item: Command) {
        let Some(item) = self.admit(item) else { return };
        let Some(item) = self.set_aside(g, item) else {
            return;
        };
        let suspect = item.suspect();

        self.tasks.at(TASK, suspect.iter().cloned().collect());
        g.suspects.extend(suspect);

        match item {
            Command::Write(write, reply) => match self.write_one(g, *write).await {
                Ok(written) => g.done.push(Box::new(move |r| {
                    let _ = reply.send(r.map(|()| written).map_err(Into::into));
                })),
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            },
            Command::Control(bodies, officer, reply) => {
                match self.write_control(g, bodies, officer).await {
                    Ok(references) => g.done.push(Box::new(move |r| {
                        let _ = reply.send(r.map(|()| references).map_err(Into::into));
                    })),
                    Err(error) => {
                        let _ = reply.send(Err(error));
                    }
                }
            }
            Command::Ingest(block, peer, reply) => {
                let log = block.checkpoint.checkpoint.log;
                let held = self.ledger.held(&log);
                match self.ingest(g, block, peer).await {
                    Ok(done) => g.done.push(Box::new(move |r| {
                        let refused = |e: StoreError| BlockOutcome::Refused {
                            held,
                            code: e.code().into(),
                        };
                        let _ = reply.send(r.map(|()| done).unwrap_or_else(refused));
                    })),
                    Err(refused) => {
                        let _ = reply.send(refused);
                    }
                }
            }
            Command::Learn(enrolments, peer) => self.learn(g, enrolments, peer),
            Command::Forks(proofs, peer) => self.take_forks(g, proofs, peer).await,
            Command::Cosigned(checkpoint, cosignature) => {
                self.take_cosignature(g, *checkpoint, cosignature).await
            }
            Command::HubTime(hub, time_s, how) => self.take_hub_time(g, hub, time_s, how),
            Command::Refresh { at_once } => self.refresh_now(g, at_once),
            Command::Excerpt {
                record,
                entries,
                peer,
                reply,
            } => {
                let taken = self.take_excerpt(g, record, entries, peer).await;
                g.done.push(Box::new(move |r| {
                    let _ = reply.send(taken && r.is_ok());
                }));
            }
            Command::Carry(carried, reply) => {
                g.batch.local.carry.push(carried);
                g.events.push(Event::Carried);
                g.done.push(Box::new(move |r| {
                    let _ = reply.send(r.is_ok());
                }));
            }
            Command::Refusal(row) => g.batch.refuse(row),
            Command::Peer(row) => g.batch.local.peers.push(row),
            Command::Local(keys, gone, reply) => {
                g.batch.local.keys.extend(keys);
                g.batch.local.keys_gone.extend(gone);
                g.done.push(Box::new(move |r| {
                    let _ = reply.send(r.map_err(Into::into));
                }));
            }
            Command::BeginAnew(device, reply) => match self.begin_anew(g, device).await {
                Ok(begun) => g.done.push(Box::new(move |r| {
                    drop(reply.send(r.map(|()| begun).map_err(Into::into)))
                })),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::At {
                record,
                at,
                time_ms,
                reply,
            } => {
                let _ = reply.send(self.record_at(g, record, &at, time_ms).await);
            }
            Command::Account { record, reply } => {
                let _ = reply.send(self.account(g, record).await);
            }
            Command::CutForks => self.cut_forks(g).await,
            Command::Stretches(fetched, peer, reply) => {
                self.take_stretches(g, fetched, peer).await;
                g.done.push(Box::new(move |_| {
                    let _ = reply.send(());
                }));
            }
            Command::Mend(mended, switches, reply) => {
                let now = self.wants.lock().expect("no panic holds it").switches();
                if switches.is_some_and(|before| before != now) {
                    let _ = reply.send(Ok(()));
                    return;
                }

                g.take_mending(*mended);
                g.done
                    .push(Box::new(move |r| drop(reply.send(r.map_err(Into::into)))));
            }
            Command::Rederive { ids, mend, reply } => match self.rederive(g, ids, mend).await {
                Ok(count) => g.done.push(Box::new(move |r| {
                    drop(reply.send(r.map(|()| count).map_err(Into::into)))
                })),
                Err(error) => drop(reply.send(Err(error.into()))),
            },
            Command::Stop(_) => unreachable!("the sequencer's loop takes it"),
        }
    }

    /// Signs what was written, projects what was touched, commits, and sees it through, while
    /// nothing else is made or written.
    pub(crate) async fn commit(&mut self, mut g: Commit) {
        self.suspect(&mut g);
        let outcome = match g.broken.take() {
            Some(error) => Err(error),
            None => self.prepare(&mut g).await,
        };
        let outcome = match outcome {
            Ok(()) if g.batch.is_empty() => Ok(()),
            Ok(()) => outcome_of(self.hand_to_store(&mut g).await),
            Err(error) => Err(error),
        };

        self.pending_seen.clear();
        if outcome.is_ok() {
            self.keep_records(&mut g);
        }

        self.finish(g, outcome).await;

        // What was counted anew after it is durable as well: nothing is sequenced beyond it.
        let view = self.ledger.snapshot();
        self.publish(view);
    }

    /// Hands a commit's batch to the store: from here on nobody knows which projections of its
    /// records the store holds, until it is durable.
    pub(crate) fn hand_to_store(&self, g: &mut Commit) -> JoinHandle<Outcome> {
        let batch = std::mem::take(&mut g.batch);
        let written = batch.project.records.iter().map(|row| row.id);
        let gone = batch.repair.records_gone.iter().copied();
        self.projections.withdraw(written.chain(gone));

        let store = self.store.clone();
        tokio::spawn(async move { store.commit(batch).await })
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
            Ok(()) => {
                self.projections.publish(g.projected.drain(..));
                if let Some(view) = g.view.take() {
                    self.publish(view);
                }

                if !g.grown.is_empty() {
                    let grown = std::mem::take(&mut g.grown);
                    g.events.push(Event::Grew(grown.into_iter().collect()));
                }

                if !g.touched.is_empty() {
                    g.events.push(Event::Records);
                }
            }
            Err(error) => {
                tracing::error!(code = error.code(), %error, "commit failed; reading the store anew");
                // Memory is ahead of the disk: nothing of this group may be built upon.
                self.ledger.end_epoch();
                self.room.heard(error);
                match error {
                    StoreError::Failed(why) => {
                        self.tasks.trouble("store", Some(why.clone()));
                        let _ = self.events.send(Event::Failed(why.clone()));
                    }
                    StoreError::Malformed(why) => {
                        drop(self.events.send(Event::Broken(why.clone())))
                    }
                    _ => {}
                }

                if let Err(error) = self.load().await {
                    tracing::error!(%error, "the store does not read");
                    self.stale = true;
                }

                g.events.clear();
            }
        }

        self.side.clear();
        let (reload, verdicts_moved) = (g.reload, g.verdicts_moved || !g.branched.is_empty());
        let logs: BTreeSet<LogId> = g.forked.iter().chain(&grown).copied().collect();
        let mut otherwise = Vec::new();

        if outcome.is_ok()
            && let Err(error) = self
                .after_mending(reload, &logs, verdicts_moved, &mut otherwise)
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

        // Verdicts that hang on what this commit brought (a bound reached, a fork cut) move records
        // of their own.
        if g.verdicts_moved {
            let mut after = Commit::new(self.new_batch());
            after.verdicts_moved = true;
            match self.move_verdicts(&mut after).await {
                Ok(true) => {
                    Box::pin(self.commit(Commit {
                        verdicts_moved: false,
                        ..after
                    }))
                    .await
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "verdicts moved, and their records could not be built again");
                    self.scrub_now.notify_one();
                }
            }
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

        let later: Vec<RecordId> = later.into_iter().collect();
        for part in later.chunks(TOUCHED_MAX) {
            let mut after = Commit::new(self.new_batch());
            for id in part {
                if let Err(error) = self.rebuild(&mut after, *id).await {
                    tracing::error!(%error, record = %id, "a record could not be built again");
                    self.scrub_now.notify_one();
                }
            }

            Box::pin(self.commit(after)).await;
        }
    }

    /// What a commit leaves to be followed up: control entries that came back, and forks. Adds the
    /// logs whose records are to be built again, each from a position on: those whose other branch
    /// became the log, and those of which more or less counts.
    async fn after_mending(
        &mut self,
        reload: bool,
        logs: &BTreeSet<LogId>,
        verdicts_moved: bool,
        otherwise: &mut Vec<(LogId, u64)>,
    ) -> Result<(), StoreError> {
        if reload {
            otherwise.extend(self.load().await?.into_iter().map(|log| (log, 0)));
        }

        let switched = self.follow_forks(logs, verdicts_moved).await?;
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

    /// Builds records afresh and writes those that stood differently, or should not stand at all.
    /// One of which an entry is on its way back stands as it was made when all of it was there.
    async fn rederive(
        &mut self,
        g: &mut Commit,
        ids: Vec<RecordId>,
        mend: bool,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        let before = g.touched.clone();
        let missing = self.wants.lock().expect("no panic holds it").missing();
        let lost: BTreeSet<String> = self
            .store
            .local_all(&EXCERPT_LOST)
            .await?
            .into_iter()
            .map(|l| l.key)
            .collect();

        for id in ids.into_iter().filter(|id| !before.contains(id)) {
            if self.is_damaged(&id, &missing, &lost).await? {
                continue;
            }

            self.records.pop(&id);
            g.records.remove(&id);
            match self.build(g, id).await {
                // What it is judged by is on its way back.
                Err(StoreError::Damaged { .. }) => {
                    g.records.remove(&id);
                    g.unjudged.remove(&id);
                    continue;
                }
                built => built?,
            }

            // A row that does not read stands differently, too.
            let stood = match self.store.record(&id).await {
                Err(error) if error.is_rot() => Some(None),
                stood => stood?.map(Some),
            };
            let terms = self
                .store
                .terms_of(&[id])
                .await?
                .into_iter()
                .map(|(_, what, value)| (what, value));

            let now = g.records.get(&id).map(|record| project(record).0);
            // An entry that is on its way back may be gone from the index, too. Until then what
            // stands is the last that anybody can read of it.
            let fewer =
                |stood: &RecordRow| now.as_ref().is_none_or(|now| now.entries < stood.entries);
            if !missing.is_empty()
                && stood
                    .as_ref()
                    .is_some_and(|stood| stood.as_ref().is_some_and(fewer))
            {
                g.records.remove(&id);
                g.unjudged.remove(&id);
                continue;
            }

            let as_it_stood = |stood: RecordRow, now: &RecordRow| RecordRow {
                changed: now.changed,
                waiting: now.waiting.clone(),
                terms: terms.collect::<BTreeSet<_>>().into_iter().collect(),
                ..stood
            };

            let is_right = match (stood, now) {
                (None, None) => true,
                (Some(Some(stood)), Some(mut now)) => {
                    now.terms = now
                        .terms
                        .into_iter()
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .collect();

                    as_it_stood(stood, &now) == now
                }
                (Some(_), None) => {
                    if mend {
                        g.batch.repair.records_gone.push(id);
                    }
                    count += 1;
                    true
                }
                (None | Some(None), Some(_)) => false,
            };

            count += u64::from(!is_right);
            if is_right || !mend {
                g.records.remove(&id);
                g.unjudged.remove(&id);
            } else {
                g.touched.insert(id);
            }
        }

        Ok(count)
    }

    pub(crate) async fn prepare(&mut self, g: &mut Commit) -> Result<(), StoreError> {
        if g.verdicts_moved {
            self.move_verdicts(g).await?;
        }

        for id in std::mem::take(&mut g.retry) {
            self.rebuild(g, id).await?;
        }

        self.sign(g)?;
        g.view = Some(self.ledger.snapshot());
        let touched: Vec<RecordId> = g.touched.iter().copied().collect();
        for id in touched {
            let unjudged = g.unjudged.get(&id).cloned().unwrap_or_default();
            if let Some(record) = g.records.get(&id) {
                let (mut row, json) = project(record);
                if self.me.role == Role::Hub {
                    let projected = Projected {
                        facts: Facts::of(id.to_string(), json, row.born_ms),
                        terms: Arc::new(row.terms.clone()),
                        letters: row.json.len(),
                    };
                    g.projected.push((id, projected));
                }

                row.waiting.extend(
                    unjudged
                        .iter()
                        .map(|(entry, missing)| (*entry, Some(*missing))),
                );

                g.batch.project.records.push(row);
            } else {
                let waiting = unjudged.iter().map(|(entry, missing)| Waiting {
                    record: id,
                    entry: *entry,
                    missing: Some(*missing),
                });
                g.batch.project.waiting.extend(waiting);
            }
        }

        Ok(())
    }

    /// Counts anew what counts of each log and rebuilds the records concerned. Returns whether any
    /// was.
    async fn move_verdicts(&mut self, g: &mut Commit) -> Result<bool, StoreError> {
        let moved = self.recount().await?;
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

    /// Signs the entries written in this group, a run of about 8 KiB at a time.
    fn sign(&mut self, g: &mut Commit) -> Result<(), StoreError> {
        let hub_time_s = self.time.heard_s();
        if g.refresh
            && let Some(epoch) = self.ledger.epoch()
        {
            let log = self
                .ledger
                .own_log(epoch, Lane::Control, self.ledger.own_crossing());
            g.pending.entry(log).or_default();
            let peaks = self.ledger.peaks(&log);
            g.own_start.entry(log).or_insert(peaks);
            self.time.to_show(log);
            g.events.push(Event::Refreshed(log));
        }

        for (log, entries) in std::mem::take(&mut g.pending) {
            let mut peaks = g.own_start.remove(&log).unwrap_or_default();
            let list = match log.lane {
                Lane::Control => self.ledger.lists(&log),
                _ => Vec::new(),
            };

            for run in runs(&entries) {
                let block = VerifiedBlock::author(
                    &self.keys.log_key,
                    log,
                    &peaks,
                    run,
                    hub_time_s,
                    list.clone(),
                )
                .map_err(|e| StoreError::Conflict(e.to_string()))?;

                peaks = block.peaks().clone();
                g.batch.append.blocks.push(block);
            }

            if log.lane == Lane::Control {
                self.time.signed_head(log, hub_time_s);
            }

            let tip = Tip {
                size: peaks.size(),
                root: peaks.root(),
            };
            let checkpoint = g.batch.append.blocks.last().map(|b| b.checkpoint().clone());

            if let Some(checkpoint) = &checkpoint
                && self.me.role == Role::Hub
            {
                // A hub stores its own logs as it stores everybody's: its cosignature says so.
                let cosignature = self
                    .keys
                    .log_key
                    .cosign(&checkpoint.checkpoint, self.time.signing_s());

                self.ledger
                    .control_mut()
                    .learn_cosigned(cosignature.witness, log, tip);
                g.batch.append.kept_heads.push(checkpoint.clone());
                g.batch.append.cosignatures.push(CosignedHead {
                    checkpoint: checkpoint.clone(),
                    cosignature,
                });
            }

            self.ledger.set_head(log, peaks, checkpoint);
            g.batch.own_heads.push((log, tip));
            g.grown.insert(log, tip);
        }

        Ok(())
    }

    /// Puts an own entry at the end of an own log; it is signed when the group is.
    fn append(
        &mut self,
        g: &mut Commit,
        log: LogId,
        entry: Entry,
    ) -> Result<VerifiedEntry, NodeError> {
        let bytes = entry.encode()?;
        g.own_start
            .entry(log)
            .or_insert_with(|| self.ledger.peaks(&log));

        let reference = self.ledger.author(log, &bytes);
        g.pending.entry(log).or_default().push(entry);
        Ok(VerifiedEntry::recheck(reference, bytes)?)
    }

    /// The epoch of this start; the first write opens it with a `Boot` that names where the last
    /// one ended.
    pub(crate) fn open_epoch(&mut self, g: &mut Commit) -> Result<Epoch, NodeError> {
        if let Some(epoch) = self.ledger.epoch() {
            return Ok(epoch);
        }

        let epoch = match self.ledger.last_epoch() {
            Some(last) if wadi_store::defence::off("new-epoch") => last,
            _ => Epoch(rand::random()),
        };

        // What was lost was said all the same: nobody is to think that this is all there was.
        let lost = match self.store.anchor_state() {
            AnchorState::LostTail { heads, .. } => heads.clone(),
            _ => Vec::new(),
        };

        let mut previous = self.ledger.ends_of_last_epoch(&lost);
        previous.truncate(SEEN_HEADS_MAX);
        self.ledger.begin_epoch(epoch);

        let boot = Boot {
            software: format!("wadi {}", env!("CARGO_PKG_VERSION")),
            previous,
        };
        let log = self
            .ledger
            .own_log(epoch, Lane::Control, self.ledger.own_crossing());
        let entry = Entry {
            common: self.common_now(),
            body: Body::Boot(boot),
        };

        let verified = self.append(g, log, entry)?;
        if let Some(entry) = verified.entry() {
            self.ledger.control_mut().learn(verified.reference(), entry);
        }

        g.batch.local.keys.push(LocalKey {
            scope: LocalScope::Epoch,
            key: self.ledger.node().to_string(),
            value: epoch.to_string(),
        });

        Ok(epoch)
    }

    /// Writes down which control heads, and before a decision which holds, this node has taken in,
    /// where they moved.
    async fn write_seen(
        &mut self,
        g: &mut Commit,
        log: LogId,
        holds: bool,
    ) -> Result<(), NodeError> {
        let seen = self.seen_index(&log).await?;
        let moved = self.ledger.unseen(&log, &seen, holds);

        for heads in moved.chunks(SEEN_HEADS_MAX) {
            let seen = Seen {
                heads: heads.to_vec(),
            };
            let entry = Entry {
                common: self.common_now(),
                body: Body::Seen(seen),
            };
            let written = self.append(g, log, entry)?.reference();

            g.batch.project.seen.push(written);
            self.take_seen(written, heads).await?;
        }

        Ok(())
    }

    async fn write_one(&mut self, g: &mut Commit, write: Write) -> Result<Written, NodeError> {
        if self.me.role == Role::Observer {
            let node = self.me.name.clone();
            return Err(WriteError::Observer { node }.into());
        }

        write.check_names()?;
        let mut marks = match self.sent_before(g, &write).await? {
            Sent::Before(written) => return Ok(*written),
            Sent::First(marks) => marks,
        };
        let (puts, events) = write.draft.check()?;
        let kind = write.draft.kind;
        let (crossing, record) = match write.target {
            Target::New(crossing) => (crossing.unwrap_or(self.ledger.own_crossing()), None),
            Target::On(id) => {
                let record = self
                    .record(g, id)
                    .await?
                    .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;

                if record.kind() != Some(kind) {
                    let is = record.kind().map_or("record", Kind::name);
                    return Err(WriteError::WrongKind {
                        record: record.printed(),
                        is,
                        draft: kind,
                    }
                    .into());
                }

                (record.crossing(), Some(id))
            }
        };

        if record.is_none() && self.me.role == Role::Crossing && Some(crossing) != self.me.crossing
        {
            let own = self.ledger.own_crossing();
            return Err(WriteError::ForeignCrossing { own, crossing }.into());
        }

        let based_on = match (&write.based_on, record) {
            (_, None) => Vec::new(),
            (Based::Heads, Some(id)) => self
                .record(g, id)
                .await?
                .map(|b| b.heads())
                .unwrap_or_default(),
            (Based::Entries(given), Some(id)) => {
                let record = self
                    .record(g, id)
                    .await?
                    .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;
                if let Some(unknown) = given.iter().find(|r| record.row(r).is_none()) {
                    return Err(NodeError::UnknownEntry(unknown.to_string()));
                }

                let mut given = given.clone();
                given.sort();
                given.dedup();

                given
            }
        };

        let epoch = self.open_epoch(g)?;
        let log = self.ledger.own_log(epoch, kind.lane(), crossing);

        // Who sets a field on which something rests has to be registered, and so it is judged like
        // an event.
        let is_judged = !events.is_empty() || puts.iter().any(|p| is_guarded(kind, &p.key));
        if is_judged && !write.officer.is_empty() {
            let decides = write
                .draft
                .events
                .iter()
                .filter_map(|e| e.get("type")?.as_str())
                .any(is_decision);

            self.write_seen(g, log, decides).await?;
        }

        let mut looks_wrong: Vec<String> = puts
            .iter()
            .filter_map(|p| warnings(&p.key, &p.value))
            .collect();
        let ahead = write.time_warning(self.clock.now_ms());
        let common = Common {
            officer: write.officer,
            department: write.department,
            device: write.device,
            device_seq: write.device_seq,
            happened_ms: write.happened.as_ref().map(|(at, _)| *at),
            happened_source: write.happened.map(|(_, source)| source).unwrap_or_default(),
            ..self.common_now()
        };

        let entry = Entry {
            common,
            body: Body::Change(Change {
                record,
                based_on,
                puts,
                events,
            }),
        };

        // Judge before it is appended: what would not count is told to whoever says it, and leaves
        // no trace.
        let bytes = entry.encode()?;
        wadi_store::defence::trip("write", &bytes);
        let reference = Reference {
            log,
            seq: self.ledger.held(&log),
            leaf: wadi_log::leaf_hash(&bytes),
        };

        let id = record.unwrap_or_else(|| RecordId::of_first(&reference));
        let verified = VerifiedEntry::recheck(reference, bytes)?;
        let said = self
            .said(&verified)
            .await?
            .map_err(|missing| NodeError::UnknownEntry(missing.to_string()))?;

        match g.records.get_mut(&id) {
            Some(record) => match record.objection_to(&said) {
                Some(objection) => return Err(refusal(objection)),
                None => record.add(said),
            },
            None => {
                let record = Record::build(id, [said]).expect("one row");
                if let Some(objection) = record.objection(&reference) {
                    return Err(refusal(objection));
                }
                g.records.insert(id, record);
            }
        }

        let verified = self.append(g, log, entry)?;
        debug_assert_eq!(verified.reference(), reference);
        g.batch.project.about.push((id, reference));
        g.fresh.entry(id).or_default().push(verified);
        g.touched.insert(id);

        let printed = g.records[&id].printed();
        looks_wrong.extend(marks.warning.take().into_iter().chain(ahead));
        marks.keep(&mut g.batch, id, reference);

        Ok(Written {
            record: id,
            printed,
            entry: reference,
            repeated: false,
            warnings: looks_wrong,
        })
    }

    async fn write_control(
        &mut self,
        g: &mut Commit,
        bodies: Vec<Body>,
        officer: String,
    ) -> Result<Vec<Reference>, NodeError> {
        let epoch = self.open_epoch(g)?;
        let log = self
            .ledger
            .own_log(epoch, Lane::Control, self.ledger.own_crossing());
        let department = if self.me.role == Role::Hub { "HUB" } else { "" };
        let common = Common {
            officer,
            department: department.into(),
            ..self.common_now()
        };

        let entries: Vec<Entry> = bodies
            .into_iter()
            .map(|body| Entry {
                common: common.clone(),
                body,
            })
            .collect();

        for entry in &entries {
            entry.encode()?;
            self.ledger.control().check_right(&log, entry)?;
        }

        let mut out = Vec::new();
        for entry in entries {
            let verified = self.append(g, log, entry)?;
            out.push(verified.reference());
            self.learn_control(g, &verified);
        }

        Ok(out)
    }

    pub(crate) async fn write_cut(
        &mut self,
        g: &mut Commit,
        cut: wadi_log::Cut,
    ) -> Result<(), NodeError> {
        self.write_control(g, vec![Body::Cut(cut)], String::new())
            .await
            .map(drop)
    }

    /// Takes a control entry into what is known.
    pub(crate) fn learn_control(&mut self, g: &mut Commit, verified: &VerifiedEntry) {
        let Some(entry) = verified.entry() else {
            return;
        };
        let moved = self.ledger.control_mut().learn(verified.reference(), entry);

        g.verdicts_moved |= moved
            && matches!(
                entry.body,
                Body::Cut(_) | Body::Admit(_) | Body::Enrolment(_)
            );

        // Tolerances moved, or an officer is revoked: what was found before is looked at afresh.
        if moved
            && matches!(
                &entry.body,
                Body::Policy(_) | Body::Officer(OfficerEntry { revoked: true, .. })
            )
        {
            self.recheck.store(true, Ordering::Relaxed);
            self.reconcile.notify_one();
        }

        self.orders
            .lock()
            .expect("no panic holds it")
            .learn(verified.reference(), &entry.body);

        if let Body::Admit(admit) = &entry.body {
            // An admission moves single entries, not the bound of their log.
            for r in &admit.entries {
                self.ledger.uncount_log(&r.log);
            }
        }

        if moved && let Body::Enrolment(e) = &entry.body {
            g.batch.append.enrolments.push(e.clone());
            g.events.push(Event::Members(vec![e.clone()]));
        }
    }

    /// Signs the head of the control log anew at the end of this group, so that the hub learns how
    /// far it has heard us.
    pub(crate) fn refresh(&self, g: &mut Commit) {
        g.refresh = true;
    }

    /// A record's record: of this group, of memory, or out of the store.
    pub(crate) async fn record<'g>(
        &mut self,
        g: &'g mut Commit,
        id: RecordId,
    ) -> Result<Option<&'g mut Record>, StoreError> {
        if !g.records.contains_key(&id) {
            match self.records.pop(&id) {
                Some(record) => drop(g.records.insert(id, record)),
                None => self.build(g, id).await?,
            }
        }

        Ok(g.records.get_mut(&id))
    }

    async fn record_at(
        &mut self,
        g: &mut Commit,
        record: RecordId,
        at: &[Reference],
        time_ms: Option<i64>,
    ) -> Result<serde_json::Value, NodeError> {
        let record = self
            .record(g, record)
            .await?
            .ok_or_else(|| NodeError::NoRecord(record.to_string()))?;
        if let Some(unknown) = at.iter().find(|r| record.row(r).is_none()) {
            return Err(NodeError::UnknownEntry(unknown.to_string()));
        }

        let then = match time_ms {
            Some(time_ms) => record.at_time(time_ms),
            None => record.as_of(at),
        };
        let nothing = || NodeError::NoRecord(format!("{} at that time", record.printed()));

        then.map(|b| b.json()).ok_or_else(nothing)
    }

    /// Reads what the store holds of these records at once, for building those that memory does not
    /// have. A record that this group has touched is not read again: what was read holds until the
    /// group is committed.
    pub(crate) async fn prefetch(
        &self,
        g: &mut Commit,
        ids: BTreeSet<RecordId>,
    ) -> Result<(), StoreError> {
        let unknown = |id: &RecordId| {
            !g.records.contains_key(id)
                && !self.records.contains(id)
                && self.changes_in_flight(id).is_empty()
                && !g.prefetched.contains_key(id)
                && !g.touched.contains(id)
        };

        let ids: Vec<RecordId> = ids.into_iter().filter(unknown).collect();
        if ids.len() < 2 {
            return Ok(());
        }

        g.prefetched.extend(ids.iter().map(|id| (*id, Vec::new())));
        for (id, stored) in self.store.entries_of(&ids).await? {
            g.prefetched.entry(id).or_default().push(stored.entry);
        }

        Ok(())
    }

    /// Builds a record from the store and from what this group brought.
    async fn build(&mut self, g: &mut Commit, id: RecordId) -> Result<(), StoreError> {
        let mut entries = match g.prefetched.remove(&id) {
            Some(entries) => entries,
            None => self
                .store
                .record_entries(&id)
                .await?
                .into_iter()
                .map(|s| s.entry)
                .collect(),
        };

        let stored: HashSet<Reference> = match self.changes_in_flight(&id) {
            [] => HashSet::new(),
            _ => entries.iter().map(VerifiedEntry::reference).collect(),
        };

        let in_flight = self.changes_in_flight(&id).iter();
        // The commit may have become durable between the two.
        entries.extend(
            in_flight
                .filter(|e| !stored.contains(&e.reference()))
                .cloned(),
        );
        entries.extend(g.fresh.get(&id).into_iter().flatten().cloned());
        let mut rows = Vec::with_capacity(entries.len());
        g.unjudged.remove(&id);
        for entry in &entries {
            if !matches!(entry.entry().map(|e| &e.body), Some(Body::Change(_))) {
                continue;
            }

            match self.said(entry).await? {
                Ok(said) => rows.push(said),
                Err(missing) => g
                    .unjudged
                    .entry(id)
                    .or_default()
                    .push((entry.reference(), missing)),
            }
        }

        if let Some(record) = Record::build(id, rows) {
            g.records.insert(id, record);
        }

        Ok(())
    }

    /// Builds a record afresh: verdicts on its entries, or what they are judged by, have moved.
    pub(crate) async fn rebuild(&mut self, g: &mut Commit, id: RecordId) -> Result<(), StoreError> {
        self.records.pop(&id);
        g.records.remove(&id);
        g.touched.insert(id);
        self.build(g, id).await
    }

    /// Adds one change of a peer to its record.
    pub(crate) async fn add_change(
        &mut self,
        g: &mut Commit,
        entry: &VerifiedEntry,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let reference = entry.reference();
        wadi_store::defence::trip(TASK, entry.bytes());
        g.batch.project.about.push((record, reference));
        g.touched.insert(record);

        let known = self.record(g, record).await?.is_some();
        g.fresh.entry(record).or_default().push(entry.clone());
        match self.said(entry).await? {
            Err(missing) => g
                .unjudged
                .entry(record)
                .or_default()
                .push((reference, missing)),
            Ok(said) if known => g.records.get_mut(&record).expect("known").add(said),
            Ok(said) => {
                let built = Record::build(record, [said]).expect("one row");
                g.records.insert(record, built);
            }
        }

        Ok(())
    }

    pub(crate) fn note(
        &self,
        g: &mut Commit,
        subject: String,
        code: &str,
        why: String,
        peer: String,
    ) {
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
}

fn runs(entries: &[Entry]) -> Vec<&[Entry]> {
    let (mut out, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (n, entry) in entries.iter().enumerate() {
        let size = entry.encode().map_or(0, |b| b.len());
        if bytes > 0 && bytes + size > RUN_BYTES || n - start == BLOCK_ENTRIES_MAX {
            out.push(&entries[start..n]);
            (start, bytes) = (n, 0);
        }
        bytes += size;
    }

    out.push(&entries[start..]);
    out
}

/// What whoever writes is told of an entry that would not count, or not with all its events and
/// values.
fn refusal(objection: Objection) -> NodeError {
    match objection {
        Objection::Refused(refusal) => WriteError::Refused(refusal).into(),
        Objection::Waits(missing) => NodeError::UnknownEntry(missing.to_string()),
    }
}

/// A record's row, and the projection of which its text is.
fn project(record: &Record) -> (RecordRow, Json) {
    let made = record.projection();
    let waiting = record.rows().filter_map(|(said, row)| match row {
        Verdict::Waits(missing) => {
            Some((said.reference, Some(*missing).filter(|m| m.seq != u64::MAX)))
        }
        _ => None,
    });

    let waiting = waiting.collect();
    let happened_ms = || record.rows().map(|(said, _)| said.at_ms());
    let row = RecordRow {
        id: record.id(),
        printed: record.printed(),
        lane: record.lane() as u8,
        crossing: record.crossing().to_string(),
        open: made.state.is_open(),
        contested: made.is_contested,
        state: made.state.line(),
        json: made.json.to_string(),
        digest: Hash(record.digest()),
        entries: record.rows().count() as u32,
        at_ms: happened_ms().max().unwrap_or(0),
        born_ms: happened_ms().min().unwrap_or(0),
        terms: made.terms,
        waiting,
        changed: 0,
    };

    (row, made.json)
}
