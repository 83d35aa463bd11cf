//! Blocks of the peer's on their way to the disk.

use super::Link;
use crate::door::command::BlockOutcome;
use futures_util::stream::FuturesOrdered;
use std::collections::BTreeMap;
use wadi_log::{Block, LogId, Role, SignedCheckpoint};
use wadi_sync::{Input, RefuseReason};

/// Blocks given to the sequencer and not yet durable, per session: reading stops until they are.
const INGESTING_BLOCKS_MAX: usize = 32;
/// Bytes of entries in them: a block of few bytes on the wire may inflate to 92 KiB.
const INGESTING_BYTES_MAX: usize = 1024 * 1024;
/// What an entry of them takes beside its bytes, about.
const ENTRY_BYTES: usize = 64;

type IngestFuture = std::pin::Pin<Box<dyn Future<Output = IngestDone> + Send + Sync>>;

/// What became of a block: its log, where it ends, the bytes that it took while it waited.
pub(super) struct IngestDone {
    pub(super) log: LogId,
    pub(super) to: u64,
    pub(super) bytes: usize,
    pub(super) outcome: Option<BlockOutcome>,
}

/// Heads of blocks that came sealed and are on their way: as many as blocks may be.
type SealedHeads = BTreeMap<(LogId, u64), SignedCheckpoint>;

/// Blocks given to the sequencer, in the order in which they are answered.
#[derive(Default)]
pub(super) struct Ingesting {
    pub(super) queue: FuturesOrdered<IngestFuture>,
    /// Bytes of entries in them.
    bytes: usize,
    /// Where the last block of each log ended.
    received: BTreeMap<LogId, u64>,
    /// Whoever carried these is told the head with the cosignature: it cannot read it.
    sealed: SealedHeads,
}

impl Ingesting {
    /// Whether more is read of the peer: what waits for the disk here is bounded by number and by
    /// bytes, whatever the peer sends.
    pub(super) fn has_room(&self) -> bool {
        let is_full = self.queue.len() >= INGESTING_BLOCKS_MAX || self.bytes >= INGESTING_BYTES_MAX;
        !is_full || wadi_store::defence::off("ingest-room")
    }

    /// Bytes that wait for the disk: they are given back as it is written.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// A block that came sealed is on its way.
    pub(super) fn note_sealed(&mut self, checkpoint: SignedCheckpoint) {
        let head = &checkpoint.checkpoint;
        self.sealed.insert((head.log, head.size), checkpoint);
    }

    /// Refuses a block behind those that came before it.
    pub(super) fn refuse(&mut self, log: LogId, to: u64, held: u64, reason: RefuseReason) {
        let done = IngestDone {
            log,
            to,
            bytes: 0,
            outcome: Some(BlockOutcome::Refused { held, reason }),
        };
        self.queue.push_back(Box::pin(std::future::ready(done)));
    }
}

impl Link<'_> {
    /// Gives a block to the sequencer.
    pub(super) async fn ingest(&mut self, block: Block) {
        let (log, to) = (
            block.checkpoint.checkpoint.log,
            block.checkpoint.checkpoint.size,
        );

        // Two peers may bring the same block; one peer that brings it twice in one session
        // replays it.
        let before = self.ingesting.received.entry(log).or_insert(0);
        if to <= *before && !block.entries.is_empty() {
            let why = format!(
                "entries {}..{to} were sent a second time; nothing was written",
                block.from
            );
            let peer = self.peer.to_string();
            let why = format!("{}: {why}", log.origin());

            self.door
                .note_refusal(peer.clone(), "replayed_block".into(), why, peer)
                .await;
        }

        *before = to.max(*before);
        // A head that is shown once more asks for the time.
        self.hub_word.time_asked |= block.entries.is_empty() && log.node == self.peer;
        let bytes: usize = block.entries.iter().map(Vec::len).sum();
        let held = bytes + block.entries.len() * ENTRY_BYTES;
        self.ingesting.bytes = self.ingesting.bytes.saturating_add(held);

        if let Some(cost) = self.pauses(&log) {
            self.refuse_for(cost, log, to, held).await;
            return;
        }

        self.charge_inflated(&block, bytes);
        let done = self.door.ingest(block, self.peer).await;
        self.ingesting.queue.push_back(Box::pin(async move {
            IngestDone {
                log,
                to,
                bytes: held,
                outcome: done.await.ok(),
            }
        }));
    }

    pub(super) fn takes_more(&self) -> bool {
        self.reads_at.is_none() && self.ingesting.has_room() && self.held.has_room()
    }

    pub(super) fn ingested(&mut self, done: IngestDone) {
        let IngestDone {
            log,
            to,
            bytes,
            outcome,
        } = done;

        self.ingesting.bytes = self.ingesting.bytes.saturating_sub(bytes);
        let sealed = self.ingesting.sealed.remove(&(log, to));
        if let Some(BlockOutcome::Durable { tip, cosignature }) = &outcome
            && let Some(checkpoint) = sealed.filter(|_| tip.size == to)
        {
            self.inputs.push_back(Input::TellCosigned {
                checkpoint: Box::new(checkpoint),
                cosignature: **cosignature,
            });
        }

        self.inputs.push_back(match outcome {
            Some(BlockOutcome::Durable { tip, cosignature }) => {
                // The acknowledgement says the cosignature: it need not be told once more.
                if self.door.me.role == Role::Hub && log.node == self.peer && tip.size == to {
                    self.hub_word.told.insert(log, tip.size);
                }

                Input::BlockCommitted {
                    log,
                    to,
                    tip,
                    cosignature: *cosignature,
                }
            }
            Some(BlockOutcome::Refused { held, reason }) => {
                // What was not taken may be sent again, in full: that is no repetition.
                if let Some(received) = self.ingesting.received.get_mut(&log) {
                    *received = held.min(*received);
                }
                self.ending.short_of_room |= reason == RefuseReason::DiskLow;
                Input::BlockRefused { log, held, reason }
            }
            None => Input::BlockRefused {
                log,
                held: 0,
                reason: RefuseReason::Stopping,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks, and bytes of them, that wait at most where a peer sends blocks of so many bytes and
    /// the disk writes none.
    fn waiting(block_bytes: usize) -> (usize, usize) {
        let mut ingesting = Ingesting::default();
        for _ in 0..10_000 {
            if !ingesting.has_room() {
                break;
            }
            ingesting.bytes = ingesting.bytes.saturating_add(block_bytes);
            let never = std::future::pending::<IngestDone>();
            ingesting.queue.push_back(Box::pin(never));
        }

        (ingesting.queue.len(), ingesting.bytes)
    }

    #[test]
    fn whoever_sends_faster_than_the_disk_writes_has_little_waiting() {
        let inflated_max = 92 * 1_024;
        assert_eq!(waiting(1).0, INGESTING_BLOCKS_MAX);

        let (_, bytes) = waiting(inflated_max);
        assert!(bytes < INGESTING_BYTES_MAX + inflated_max, "{bytes}");
    }
}
