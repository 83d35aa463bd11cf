//! What the ledger needs of the store to judge by: what authors had taken in, on which branch an
//! entry stands, and roots where logs are bounded.

use crate::{
    door::proofs::root_at,
    ledger::seen::{self, SeenIndex},
    pipeline::sequencer::Sequencer,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};
use wadi_log::{Lane, LogId, Reference, VerifiedEntry};
use wadi_record::JudgedChange;
use wadi_store::StoreError;

impl Sequencer {
    /// The entry with everything it is judged by, or the head that it waits for.
    pub(crate) async fn said(
        &mut self,
        entry: &VerifiedEntry,
    ) -> Result<Result<JudgedChange, Reference>, StoreError> {
        let reference = entry.reference();
        let seen = self.seen_index(&reference.log).await?;
        let is_side = self.is_side(&reference).await?;

        Ok(self.ledger.judge(entry, &seen, is_side))
    }

    /// What the log's author had taken in, from the store where it is not known.
    pub(crate) async fn seen_index(&mut self, log: &LogId) -> Result<Arc<SeenIndex>, StoreError> {
        if let Some(known) = self.ledger.seen(log) {
            return Ok(known);
        }

        let mut index = seen::seen_index(&*self.store, log).await?;
        let overlay = self.in_flight.as_ref().map(|flight| &flight.overlay.seen);
        let pending = [overlay, Some(&self.pending_seen)];
        let pending = pending
            .into_iter()
            .flatten()
            .filter_map(|seen| seen.get(log));
        for (seq, heads) in pending.flatten() {
            index.push(*seq, heads);
        }

        let index = Arc::new(index);
        self.ledger.know_seen(*log, index.clone());
        Ok(index)
    }

    /// Takes what a `Seen` of a log names into what is known of it.
    pub(crate) async fn take_seen(
        &mut self,
        at: Reference,
        heads: &[wadi_log::Head],
    ) -> Result<(), StoreError> {
        // From the store first, where it is not known: it may say more than this one.
        self.seen_index(&at.log).await?;
        self.ledger.add_seen(&at, heads);

        let pending = self.pending_seen.entry(at.log).or_default();
        pending.push((at.seq, heads.to_vec()));
        Ok(())
    }

    /// How many entries of each log count; returns the logs for which that changed.
    pub(crate) async fn recount(&mut self) -> Result<Vec<LogId>, StoreError> {
        let mut logs: BTreeSet<LogId> = self.ledger.logs().map(|(log, _)| *log).collect();
        // A bound may be known, and fall, before the log comes.
        logs.extend(self.ledger.counted_logs());
        if self.ledger.has_cuts() {
            logs.extend(self.store.loose_logs().await?);
        }

        self.recount_of(logs).await
    }

    /// The same of some logs. Hubs' control logs go first: what is said past what counts of them
    /// bounds no other log.
    pub(crate) async fn recount_of(
        &mut self,
        logs: BTreeSet<LogId>,
    ) -> Result<Vec<LogId>, StoreError> {
        let (first, rest): (Vec<LogId>, Vec<LogId>) =
            logs.into_iter().partition(|log| log.lane == Lane::Control);
        let count = (first.len() + rest.len()) as u64;
        self.logs_counted.fetch_add(count, Ordering::Relaxed);
        let logs = first.into_iter().chain(rest);
        let mut changed = Vec::new();
        for log in logs {
            let root_at_bound = match self.ledger.bound(&log) {
                // What this very group has just brought is not in the store yet; it is asked again
                // after the commit.
                Some((bound, true)) => root_at(&*self.store, &log, bound.size).await?,
                _ => None,
            };

            if self.ledger.recount(&log, root_at_bound) {
                changed.push(log);
            }
        }

        Ok(changed)
    }
}
