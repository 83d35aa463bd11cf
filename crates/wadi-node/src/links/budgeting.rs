//! What the peer of a link costs: it is charged for what it sends, read more slowly where it sends
//! too much, and told why where its blocks have to wait.

use super::{Arriving, Link, ingesting::IngestDone};
use crate::door::{budget_limits::Cost, command::BlockOutcome};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use wadi_log::{Block, LogId, Role};
use wadi_sync::{Input, RefuseReason};

/// Logs that are asked for again once their author's budget allows; the others on the next
/// connection.
const RESTING_MAX: usize = 4_096;

/// Logs of which blocks were refused because a budget is used up.
#[derive(Default)]
pub(super) struct RestingLogs {
    logs: BTreeSet<LogId>,
    /// Whether it was said for this pause.
    is_told: bool,
}

impl Link<'_> {
    pub(super) fn peer_role(&self) -> Role {
        self.session.peer().map_or(Role::Crossing, |p| p.role)
    }

    /// Something came from the peer: it pays for the bytes, and is read more slowly where it owes.
    pub(super) fn charge_arriving(&mut self, arriving: &Arriving) {
        let bytes = match arriving {
            Arriving::Message(message) => message.encode().len(),
            Arriving::Frame(_, bytes) => bytes.len(),
            // Not from the peer.
            Arriving::LinkHolds(_) => return,
        };

        let (budgets, role, now) = (&self.door.budgets, self.peer_role(), Instant::now());
        if matches!(arriving, Arriving::Message(_)) {
            budgets.charge(self.peer, role, Cost::Messages, 1.0, now);
        }
        budgets.charge_wire(self.peer, role, bytes, now);
        self.slow_down(now);
    }

    /// The peer pays for what a block of few bytes on the wire becomes here.
    pub(super) fn charge_inflated(&mut self, block: &Block, bytes: usize) {
        let entries = block.entries.len() * Cost::INFLATED_BYTES_PER_ENTRY;
        let (role, now) = (self.peer_role(), Instant::now());
        let inflated = (bytes + entries) as f64;
        self.door
            .budgets
            .charge(self.peer, role, Cost::Inflated, inflated, now);
        self.slow_down(now);
    }

    fn slow_down(&mut self, now: Instant) {
        let slowed = self.door.budgets.slows(&self.peer, now);
        self.reads_at = (!slowed.is_zero()).then(|| now + slowed);
    }

    /// Whose budget a block of a log waits for now; none where it is taken.
    pub(super) fn pauses(&self, log: &LogId) -> Option<Cost> {
        let (budgets, now) = (&self.door.budgets, Instant::now());
        let of_peer = budgets.pauses_peer(&self.peer, now);
        let opens = || self.held(log) == 0;

        of_peer.or_else(|| budgets.pauses_author(&log.node, log.lane, opens(), now))
    }

    /// Refuses a block for now, behind those that are on their way to the disk.
    pub(super) async fn refuse_for(&mut self, cost: Cost, log: LogId, to: u64, bytes: usize) {
        let held = self.held(&log);
        if self.resting.logs.len() < RESTING_MAX {
            self.resting.logs.insert(log);
        }

        if !std::mem::replace(&mut self.resting.is_told, true) {
            let why = format!(
                "{}: the budget {} of its author or of whoever brings it is used up; it is asked \
                 for again later",
                log.origin(),
                cost.name()
            );
            let peer = self.peer.to_string();
            self.door
                .note_refusal(log.node.to_string(), "over_budget".into(), why, peer)
                .await;
        }

        let done = IngestDone {
            log,
            to,
            bytes,
            outcome: Some(BlockOutcome::Refused {
                held,
                reason: RefuseReason::OverBudget,
            }),
        };
        self.ingesting
            .queue
            .push_back(Box::pin(std::future::ready(done)));
    }

    /// Asks again for logs whose budget is no longer used up.
    pub(super) fn ask_for_resting(&mut self) {
        let resting = std::mem::take(&mut self.resting.logs);
        let (still, again): (BTreeSet<_>, BTreeSet<_>) = resting
            .into_iter()
            .partition(|log| self.pauses(log).is_some());

        self.resting.is_told &= !still.is_empty();
        self.resting.logs = still;
        if !again.is_empty() {
            self.inputs
                .push_back(Input::AskAgain(again.into_iter().collect()));
        }
    }

    /// When the peer's next question is answered; none while it asks nothing.
    pub(super) fn question_at(&self, now: Instant) -> Option<Instant> {
        let waits = !self.answers.questions.is_empty();
        waits.then(|| self.door.budgets.answers_at(&self.peer, now))
    }

    /// An answer to the peer took so long.
    pub(super) fn charge_answer(&self, took: Duration) {
        let (role, now) = (self.peer_role(), Instant::now());
        let us = took.as_micros() as f64;
        self.door
            .budgets
            .charge(self.peer, role, Cost::Answers, us, now);
    }
}
