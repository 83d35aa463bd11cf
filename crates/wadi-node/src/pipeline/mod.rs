//! The sequencer's loop: one commit becomes durable while the next one is made.
//!
//! What is sequenced and not yet durable is the [`Overlay`], which is asked before the store. What
//! reads more of the store than the overlay answers for waits until nothing is in flight; so does
//! whatever moves verdicts. Nobody is answered, and no frontier is published, before a commit is
//! durable. Where one fails, the commit that was built on it fails with it.

mod account;
mod admit;
mod author;
mod carry_out;
mod changed;
pub(crate) mod commit;
mod derive;
mod excerpts;
mod forks;
mod ingest;
mod judging;
mod mend;
mod projecting;
mod repeats;
mod rested_on;
mod room;
pub(crate) mod sequencer;
mod set_aside;
mod turns;
mod watermarks;
mod write;

use crate::{
    door::{budget_limits::Cost, command::Command, command_queue::CommandReceiver},
    pipeline::{
        commit::Commit,
        sequencer::{Sequencer, TASK},
        turns::Inbox,
    },
};
use std::{collections::HashMap, time::Duration};
use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle},
    time::{Instant, sleep_until},
};
use wadi_log::{Head, Lane, LogId, NodeId, RecordId, Role, VerifiedEntry};
use wadi_store::{LocalKey, LocalScope, StoreError};

/// So long what nobody waits for waits for company: a commit costs two syncs.
const RIDE: Duration = Duration::from_millis(250);

/// What became of a commit.
pub(crate) type Outcome = Result<(), StoreError>;

/// What is sequenced and not yet durable, as far as the next commit may ask for it.
#[derive(Default)]
pub(crate) struct Overlay {
    /// Changes, by record.
    pub(crate) changes: HashMap<RecordId, Vec<VerifiedEntry>>,
    /// What the `Seen` entries of a log name, by position.
    pub(crate) seen: HashMap<LogId, Vec<(u64, Vec<Head>)>>,
    /// Local keys, the newest last.
    pub(crate) local: Vec<LocalKey>,
}

/// A commit that the store is writing.
pub(crate) struct InFlight {
    durable: JoinHandle<Outcome>,
    commit: Commit,
    pub(crate) overlay: Overlay,
}

impl Command {
    /// Whether it may be worked off while a commit is in flight: all that it asks for is in memory,
    /// in the overlay, or older than whatever is in flight.
    fn is_fast(&self, sequencer: &Sequencer) -> bool {
        match self {
            // Where the head lies is looked up in the store.
            Self::Cosigned(head, _) => !sequencer.grows_in_flight(&head.checkpoint.log),
            Self::Write(..)
            | Self::HubTime(..)
            | Self::Refresh { .. }
            | Self::Carry(..)
            | Self::CarriedBad(_)
            | Self::Refusal(_)
            | Self::Peer(_)
            | Self::Local(..)
            | Self::Keep(..) => true,
            // A control log's entries set off what waited for them, and a forked log's are of one
            // branch or another: both are looked up in the store.
            Self::Ingest(block, ..) => {
                let log = &block.checkpoint.checkpoint.log;
                log.lane != Lane::Control && !sequencer.ledger.is_forked(log)
            }
            _ => false,
        }
    }

    /// Whether nobody waits for the commit that it goes into: a cosignature, a refusal, what a hub
    /// or a peer said. It rides on the next one.
    fn may_ride(&self) -> bool {
        matches!(
            self,
            Self::Cosigned(..)
                | Self::HubTime(..)
                | Self::Refusal(_)
                | Self::CarriedBad(_)
                | Self::Peer(_)
                | Self::Keep(..)
        )
    }
}

impl Sequencer {
    /// Works off commands until it is told to stop, or nobody is left to send any.
    pub(crate) async fn run(mut self, queue: CommandReceiver) {
        // After an end over a whole commit, a second one is to name the one thing that it was.
        let is_careful = self.suspects.careful(TASK);
        let mut inbox = Inbox::new(queue, is_careful);
        let mut open: Option<Commit> = None;
        let mut stop: Option<oneshot::Sender<()>> = None;
        let mut is_closed = false;

        while stop.is_none() && !is_closed {
            let mut received = Vec::new();
            let has_room = open.as_ref().is_none_or(|commit| !commit.is_full());
            let has_unprojected = |commit: &Commit| !commit.touched.are_projected();
            match &mut self.in_flight {
                // Both branches may be dropped half-way: a handle is asked again, and what is
                // received stays in the inbox.
                Some(flight) => tokio::select! {
                    biased;
                    ended = &mut flight.durable => self.land(outcome_of(ended), &mut open).await,
                    turns = inbox.receive(), if has_room => {
                        is_closed = turns.is_empty();
                        received = turns;
                    }
                    // Nothing else is to be done: it needs nothing but the records.
                    () = std::future::ready(()), if open.as_ref().is_some_and(has_unprojected) => {
                        if let Some(commit) = &mut open {
                            self.project_ahead(commit);
                        }

                        // Whoever shares this thread has a turn between two helpings.
                        tokio::task::yield_now().await;
                    }
                },
                None => {
                    let due = open.as_ref().map(|commit| commit.begun + RIDE);
                    tokio::select! {
                        turns = inbox.receive() => {
                            is_closed = turns.is_empty();
                            received = turns;
                        }
                        () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                    }
                }
            }

            let unread = self.read_anew(&mut open).await.err();
            for (from, command) in received {
                match (command, &unread) {
                    (Command::Stop(reply), _) => stop = Some(reply),
                    (other, Some(error)) => other.refuse(error),
                    (other, None) => self.work_off(from, other, &mut open).await,
                }

                if is_careful {
                    self.launch(&mut open).await;
                    self.drain(&mut open).await;
                }
            }

            for (peer, took) in std::mem::take(&mut self.took) {
                inbox.turns.charge(&peer, took);
            }

            // While one is in flight, the next one grows.
            let more_waits = inbox.has_more();
            if self.in_flight.is_none() && open.as_ref().is_some_and(|c| c.is_due(more_waits)) {
                self.launch(&mut open).await;
            }
        }

        self.drain(&mut open).await;
        self.launch(&mut open).await;
        self.drain(&mut open).await;
        self.store.close().await;
        if let Some(reply) = stop {
            let _ = reply.send(());
        }
    }

    /// Takes one command into the commit that is being made.
    async fn work_off(
        &mut self,
        from: Option<NodeId>,
        command: Command,
        open: &mut Option<Commit>,
    ) {
        if self.stale {
            return refuse_unread(command);
        }

        let is_fast = command.is_fast(self);
        if !is_fast {
            self.drain(open).await;
            if self.stale {
                return refuse_unread(command);
            }
        }

        let weight = command.entry_weight();
        let may_ride = command.may_ride();
        let is_written_here = matches!(command, Command::Write(..));
        if open.is_none() {
            *open = Some(self.new_commit());
        }

        if let Some(commit) = open.as_mut() {
            commit.entry_weight = commit.entry_weight.saturating_add(weight);
            commit.is_exclusive |= !is_fast;
            let began = std::time::Instant::now();
            self.carry_out(commit, command).await;
            let took = began.elapsed();

            commit.note_waiting(from, took, may_ride);
            commit.is_written_here |= is_written_here;
            if let Some(peer) = from {
                self.charge_time(peer, took);
            }
            if is_written_here || commit.has_light_peer() {
                self.contention.note();
            }
        }

        if open.as_ref().is_some_and(Commit::is_full) {
            self.drain(open).await;
            self.launch(open).await;
        }
    }

    /// A member pays; one of whom nothing is known is judged as a crossing.
    pub(crate) fn charge(&self, member: NodeId, cost: Cost, amount: f64) {
        let role = self.ledger.control().role(&member);
        let role = role.unwrap_or(Role::Crossing);
        let now = std::time::Instant::now();
        self.budgets.charge(member, role, cost, amount, now);
    }

    /// What a peer brought took so long.
    fn charge_time(&mut self, peer: NodeId, took: Duration) {
        self.charge(peer, Cost::Ingest, took.as_micros() as f64);
        *self.took.entry(peer).or_default() += took;
    }

    /// Projecting the records of a commit is charged to whoever brought it, each for its part of
    /// the time before.
    pub(crate) fn charge_projecting(&mut self, commit: &Commit) {
        let all = commit.took.values().sum::<Duration>().as_secs_f64();
        if all <= 0.0 {
            return;
        }

        for (peer, took) in &commit.took {
            let part = took.as_secs_f64() / all;
            self.charge_time(*peer, commit.projecting.mul_f64(part));
        }
    }

    /// Reads the store anew, where it did not read after a write that failed: once for all that
    /// was received meanwhile, for a store that is away takes its time to say so.
    async fn read_anew(&mut self, open: &mut Option<Commit>) -> Outcome {
        if self.stale {
            self.drain(open).await;
            self.load().await?;
            self.stale = false;
        }

        Ok(())
    }

    /// Hands the commit that was made to the store. One that moves verdicts, or that has to be
    /// followed up, is seen through before anything else is done.
    async fn launch(&mut self, open: &mut Option<Commit>) {
        debug_assert!(self.in_flight.is_none(), "commits become durable in order");
        let Some(mut commit) = open.take() else {
            return;
        };

        if !commit.is_plain() {
            self.commit(commit).await;
            return;
        }

        self.suspect(&mut commit);
        let began = std::time::Instant::now();
        let prepared = self.prepare(&mut commit).await;
        commit.projecting += began.elapsed();
        self.charge_projecting(&commit);
        if prepared.is_err() || commit.batch.is_empty() {
            self.pending_seen.clear();
            self.finish(commit, prepared).await;
            return;
        }

        self.keep_records(&mut commit);
        let overlay = Overlay {
            changes: std::mem::take(&mut commit.fresh),
            seen: std::mem::take(&mut self.pending_seen),
            local: commit.batch.local.keys.clone(),
        };
        let batch = std::mem::take(&mut commit.batch);

        self.in_flight = Some(InFlight {
            durable: self.hand_to_store(batch),
            commit,
            overlay,
        });
    }

    /// Waits until nothing is in flight.
    pub(crate) async fn drain(&mut self, open: &mut Option<Commit>) {
        if let Some(flight) = &mut self.in_flight {
            let ended = (&mut flight.durable).await;
            self.land(outcome_of(ended), open).await;
        }
    }

    /// A commit is durable, or failed. In that case the one that was built on it fails as well.
    async fn land(&mut self, outcome: Outcome, open: &mut Option<Commit>) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        let failed = outcome.clone().err();

        self.finish(flight.commit, outcome).await;
        if let Some(error) = failed {
            self.pending_seen.clear();
            if let Some(built_on_it) = open.take() {
                built_on_it.fail(&error);
            }
        }
    }

    /// Whether entries of a log are sequenced and not durable yet.
    fn grows_in_flight(&self, log: &LogId) -> bool {
        let flight = self.in_flight.as_ref();
        flight.is_some_and(|flight| flight.commit.grown.contains_key(log))
    }

    /// What a local key holds once all that is sequenced is durable.
    pub(crate) fn local_in_flight(&self, scope: &LocalScope, key: &str) -> Option<&LocalKey> {
        let local = &self.in_flight.as_ref()?.overlay.local;
        local
            .iter()
            .rev()
            .find(|l| l.scope == *scope && l.key == key)
    }

    /// Changes of a record that are not durable yet.
    pub(crate) fn changes_in_flight(&self, id: &RecordId) -> &[VerifiedEntry] {
        let overlay = self.in_flight.as_ref().map(|flight| &flight.overlay);
        overlay
            .and_then(|overlay| overlay.changes.get(id))
            .map_or(&[], Vec::as_slice)
    }
}

/// A commit failed, and the store did not read since: nothing is built on what is not known.
fn refuse_unread(command: Command) {
    let error = "it could not be read after a write that failed";
    command.refuse(&StoreError::Database(error.into()));
}

/// What came of the task that commits: should it end, nobody knows what the disk holds.
pub(crate) fn outcome_of(ended: Result<Outcome, JoinError>) -> Outcome {
    ended.unwrap_or_else(|error| Err(StoreError::Failed(format!("a commit ended: {error}"))))
}
