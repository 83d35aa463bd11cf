//! A log's entries in blocks, as a bundle takes them.

use std::collections::VecDeque;
use wadi_log::{BLOCK_ENTRIES_MAX, Block, LogId, SignedCheckpoint};
use wadi_store::{Store, StoreError};
use wadi_sync::fits_frame;

/// Bytes of a block: about 8 KiB, ending at a checkpoint.
const BLOCK_BYTES: usize = 8 * 1024;
/// Bytes of a block's entries at most; none that an honest node signs comes near it.
const BLOCK_BYTES_MAX: usize = 3 * wadi_log::ENTRY_BYTES_MAX;
/// Bytes read from the store at once.
const READ_BYTES: usize = 16 * BLOCK_BYTES;

/// Reads a log from a position on, block by block.
pub(super) struct BlockReader<'s> {
    store: &'s dyn Store,
    log: LogId,
    pub(super) at: u64,
    to: u64,
    checkpoints: VecDeque<SignedCheckpoint>,
    entries: VecDeque<Vec<u8>>,
}

impl<'s> BlockReader<'s> {
    pub(super) fn new(store: &'s dyn Store, log: LogId, from: u64, to: u64) -> Self {
        Self {
            store,
            log,
            at: from,
            to,
            checkpoints: VecDeque::new(),
            entries: VecDeque::new(),
        }
    }

    /// Whether something is left that does not read.
    pub(super) fn is_stuck(&self) -> bool {
        self.at < self.to
    }

    /// The next block: to the last checkpoint within about 8 KiB, or else to the first. Nothing at
    /// the end, and where the store does not give what it should.
    pub(super) async fn next_block(&mut self) -> Result<Option<Block>, StoreError> {
        if self.at >= self.to {
            return Ok(None);
        }

        while self.entries.iter().map(Vec::len).sum::<usize>() < BLOCK_BYTES
            && self.read_entries().await?
        {}
        let mut bytes = 0;
        let within = self.entries.iter().take(BLOCK_ENTRIES_MAX).take_while(|e| {
            bytes += e.len();
            bytes <= BLOCK_BYTES
        });
        let within = self.at + within.count() as u64;
        if self.checkpoints.is_empty() {
            self.checkpoints = self.store.checkpoints(&self.log, self.at).await?.into();
        }

        let fits = |c: &&SignedCheckpoint| c.checkpoint.size <= within;
        let last = self
            .checkpoints
            .iter()
            .rev()
            .find(fits)
            .or(self.checkpoints.front());

        let Some(checkpoint) = last.cloned() else {
            return Ok(None);
        };
        let count = (checkpoint.checkpoint.size - self.at) as usize;

        while self.entries.len() < count {
            if self.entries.iter().map(Vec::len).sum::<usize>() > BLOCK_BYTES_MAX
                || !self.read_entries().await?
            {
                return Ok(None);
            }
        }

        if self.entries.iter().take(count).map(Vec::len).sum::<usize>() > BLOCK_BYTES_MAX {
            return Ok(None);
        }

        let block = Block {
            from: self.at,
            entries: self.entries.drain(..count).collect(),
            checkpoint,
        };

        if !fits_frame(&block) {
            return Ok(None);
        }

        self.at += count as u64;
        self.checkpoints.retain(|c| c.checkpoint.size > self.at);
        Ok(Some(block))
    }

    /// Reads on; whether anything came.
    pub(super) async fn read_entries(&mut self) -> Result<bool, StoreError> {
        let next = self.at + self.entries.len() as u64;
        match self.store.entries(&self.log, next, READ_BYTES).await {
            Ok(more) => {
                self.entries
                    .extend(more.iter().map(|e| e.entry.bytes().to_vec()));
                Ok(!more.is_empty())
            }
            // What is rotten holds up the rest of its log, and nothing else.
            Err(error @ StoreError::Damaged { .. }) => {
                tracing::error!(code = error.code(), %error, "a log cannot be exported to its end");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

pub(super) fn block_bytes(block: &Block) -> usize {
    block.entries.iter().map(|e| e.len() + 4).sum()
}
