//! Entries of a database that was set aside are put back into their places, proven as a peer's are.

use crate::{
    door::{command::BlockOutcome, error::NodeError},
    upkeep::salvage::Salvager,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use wadi_log::{Body, Checkpoint, Lane, LogId, Peaks, SignedCheckpoint, Tip};
use wadi_store::{AnchorState, Found, Salvage};

/// Blocks read ahead of the sequencer.
const BLOCKS_AHEAD: usize = 16;
/// Blocks at the sequencer at once, to share commits.
const IN_FLIGHT: usize = 64;

impl Salvager {
    /// Puts entries into their places, on top of what is held, until no more of them find one.
    /// Returns how many did.
    pub(super) async fn place(
        &self,
        salvage: &Arc<Salvage>,
        found: &mut Arc<Found>,
        grown: &mut BTreeSet<LogId>,
    ) -> Result<u64, NodeError> {
        let mut all = 0;
        loop {
            let vouched = self.vouched().await?;
            if let Some(found) = Arc::get_mut(found) {
                self.sign_anew(found, &vouched);
            }

            let rows = self.door.store.logs().await?;
            let held: BTreeMap<LogId, Peaks> =
                rows.into_iter().map(|row| (row.log, row.peaks)).collect();
            let mut logs: Vec<LogId> = found.logs.keys().copied().collect();

            logs.sort_by_key(|log| (log.lane, log.node != self.door.id(), *log));
            let mut taken = 0;
            for log in logs {
                let peaks = held.get(&log).cloned().unwrap_or_default();
                let goes_on = found
                    .logs
                    .get(&log)
                    .is_some_and(|of| of.entries.contains_key(&peaks.size()));
                if !goes_on || !(self.door.me.scope.takes_log(&log) || log.node == self.door.id()) {
                    continue;
                }

                let Some(author) = self
                    .door
                    .with_control(|c| c.enrolment(&log.node).map(|e| e.log_key))
                else {
                    continue;
                };
                let count = self
                    .place_log(salvage.clone(), Arc::clone(found), log, peaks, author)
                    .await?;

                if count > 0 {
                    grown.insert(log);
                    taken += count;
                }
            }

            if taken == 0 {
                return Ok(all);
            }

            all += taken;
        }
    }

    async fn place_log(
        &self,
        salvage: Arc<Salvage>,
        found: Arc<Found>,
        log: LogId,
        held: Peaks,
        author: [u8; 32],
    ) -> Result<u64, NodeError> {
        let (send, mut blocks) = mpsc::channel(BLOCKS_AHEAD);
        let reader = tokio::task::spawn_blocking(move || {
            let proven = |c: &SignedCheckpoint| c.verify(&author).is_ok();
            for block in found.blocks(&salvage, &log, &held, proven) {
                if send.blocking_send(block).is_err() {
                    return;
                }
            }
        });

        let (mut taken, mut refused) = (0, false);
        let mut answers: VecDeque<(u64, oneshot::Receiver<BlockOutcome>)> = VecDeque::new();
        loop {
            let block = if refused { None } else { blocks.recv().await };
            let more = block.is_some();
            if let Some(block) = block {
                let count = block.entries.len() as u64;
                answers.push_back((count, self.door.ingest(block, self.door.id()).await));
            }

            while answers.len() > IN_FLIGHT || !more && !answers.is_empty() {
                let Some((count, answer)) = answers.pop_front() else {
                    break;
                };
                match answer.await.map_err(|_| NodeError::Stopping)? {
                    BlockOutcome::Durable { .. } => taken += count,
                    BlockOutcome::Refused { reason, .. } => {
                        tracing::warn!(
                            log = %log,
                            code = reason.code(),
                            "a block of a database that was set aside is refused",
                        );
                        refused = true;
                    }
                }
            }

            if !more {
                break;
            }
        }

        drop(blocks);
        let _ = reader.await;
        Ok(taken)
    }

    /// Heads that this node has signed, whether or not a checkpoint is left of them: those of the
    /// anchor, and those that its boots name.
    pub(super) async fn vouched(&self) -> Result<Vec<(LogId, Tip)>, NodeError> {
        let mut out = match self.door.store.anchor_state() {
            AnchorState::LostTail { heads, .. } => heads.clone(),
            _ => Vec::new(),
        };

        for row in self.door.store.logs().await? {
            if row.log.node != self.door.id() || row.log.lane != Lane::Control {
                continue;
            }

            let first = self
                .door
                .store
                .entries(&row.log, 0, 1)
                .await
                .unwrap_or_default();
            if let Some(Body::Boot(boot)) =
                first.first().and_then(|e| e.entry.entry()).map(|e| &e.body)
            {
                out.extend(boot.previous.iter().map(|h| {
                    (
                        h.log,
                        Tip {
                            size: h.size,
                            root: h.root,
                        },
                    )
                }));
            }
        }

        out.retain(|(log, _)| log.node == self.door.id());
        Ok(out)
    }

    fn sign_anew(&self, found: &mut Found, vouched: &[(LogId, Tip)]) {
        for (log, tip) in vouched {
            let Some(of) = found.logs.get_mut(log) else {
                continue;
            };
            let all = of.checkpoints.entry(tip.size).or_default();
            let is_it = |c: &SignedCheckpoint| {
                c.checkpoint.root == tip.root && c.verify(&self.door.me.log_key).is_ok()
            };

            if !all.iter().any(is_it) {
                let head = Checkpoint {
                    log: *log,
                    size: tip.size,
                    root: tip.root,
                    hub_time_s: 0,
                    logs: Vec::new(),
                };

                all.push(self.door.keys.log_key.sign(head));
            }
        }
    }
}
