//! Answers out of the store: what the session needs to go on, and what the peer wants to know.

use super::Link;
use crate::{
    door::proofs::{given, held_parts, known_root},
    links::{
        questions::Questions,
        sketches::{pick, sketch},
        stretches::{short_hashes, stretches},
    },
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use wadi_log::{BLOCK_ENTRIES_MAX, Block, Branch, LogId};
use wadi_store::StoreError;
use wadi_sync::{Input, Query, QueryAnswer};

/// Bytes of the entries of a block at most, where it can end at a checkpoint by then. In columns
/// they travel in some 1.5 KB, of which a signature of 64 bytes is a small part.
const BLOCK_BYTES: usize = 32 * 1024;

/// What an answer with digests costs at least, although it may be known from the last time: whoever
/// asks for them without end is not worth an answer each.
const DIGESTS_COST: Duration = Duration::from_millis(10);

/// What a link answers.
#[derive(Default)]
pub(super) struct Answers {
    /// What the peer asks, to be answered in its turn.
    pub(super) questions: Questions,
    /// Whether this link had everything read through already.
    scrubbed: AtomicBool,
}

impl Link<'_> {
    /// Puts a question of the peer's behind those that wait; a peer that asks without end is left.
    pub(super) async fn queue_question(&mut self, query: Query) {
        if self.answers.questions.put(query) {
            return;
        }

        let why = "the peer asks more than can be answered, and does not wait for what it asked";
        let peer = self.peer.to_string();
        self.door
            .note_refusal(peer.clone(), "too_many_questions".into(), why.into(), peer)
            .await;
        self.ending.closed = Some(why.into());
    }

    /// Answers the session out of the store.
    pub(super) async fn answer_session(&mut self, query: Query) {
        match self.read_answer(&query).await {
            Ok(answer) => self.inputs.push_back(Input::StoreAnswered(query, answer)),
            // What was asked is asked again on the next connection.
            Err(error) => self.ending.closed = Some(format!("the store does not answer: {error}")),
        }
    }

    /// Answers the peer's next question.
    pub(super) async fn answer_question(&mut self) {
        let Some(query) = self.answers.questions.pop() else {
            return;
        };
        let least = match query {
            Query::Digests => DIGESTS_COST,
            _ => Duration::ZERO,
        };
        let began = Instant::now();
        self.answer_session(query).await;
        self.charge_answer(began.elapsed().max(least));
    }

    /// An answer out of the store; an error where the store may give it in a moment, and not now.
    pub(super) async fn read_answer(&self, query: &Query) -> Result<QueryAnswer, StoreError> {
        Ok(match query {
            Query::Block { log, from } => {
                QueryAnswer::Block(given(self.read_block(log, *from).await)?.flatten())
            }
            Query::HeldForBlock { keys, .. } | Query::HeldForFrame { keys, .. } => {
                QueryAnswer::Held(held_parts(&*self.door.store, keys).await?)
            }
            Query::Carried { log, from } => {
                let found = given(self.door.store.carried_block(log, *from).await)?.flatten();
                QueryAnswer::Carried(found.and_then(|bytes| {
                    let block = wadi_sync::read_carried(&bytes).ok()?;
                    Some((block, bytes))
                }))
            }
            Query::Roots { log, sizes, .. } => {
                let mut roots = BTreeMap::new();
                for size in sizes.iter().filter(|s| **s > 0) {
                    if let Some(root) = known_root(&*self.door.store, log, *size).await? {
                        roots.insert(*size, root);
                    } else if self.held(log) >= *size
                        && !self.answers.scrubbed.swap(true, Ordering::Relaxed)
                    {
                        // It is held and does not read: what is damaged keeps the log from being
                        // sent until it is mended.
                        self.door.scrub_soon();
                    }
                }

                QueryAnswer::Roots(roots)
            }
            Query::Branch { log, at, .. } => {
                QueryAnswer::Branch(given(self.read_branch(log, *at).await)?.flatten())
            }
            Query::Digests => QueryAnswer::Digests(self.door.own_digests().await),
            Query::Stretches { log, tip, ranges } => {
                QueryAnswer::Stretches(stretches(self.door, *log, *tip, ranges).await)
            }
            Query::Tree {
                log,
                tip,
                salt,
                parts,
            } => QueryAnswer::Tree(short_hashes(self.door, log, *tip, *salt, parts).await),
            Query::Sketch {
                log,
                tip,
                salt,
                ask,
            } => {
                let told = sketch(self.door, log, *tip, *salt, ask).await;
                QueryAnswer::Sketch(told.unwrap_or_default())
            }
            Query::Pick { log, tip, ranges } => {
                QueryAnswer::Picked(pick(self.door, *log, *tip, ranges).await)
            }
        })
    }

    /// The block of a log from a position on: to the last checkpoint within [`BLOCK_BYTES`], or
    /// else to the first.
    pub(super) async fn read_block(
        &self,
        log: &LogId,
        from: u64,
    ) -> Result<Option<Block>, StoreError> {
        let held = self.door.frontier().0.get(log).map(|tip| tip.size);

        let Some(held) = held else { return Ok(None) };
        if from >= held {
            // The head signed anew, with a newer hub time: it stands with the log.
            let row = self.door.store.log(log).await?;
            let at_end = row
                .map(|row| row.checkpoint)
                .filter(|c| c.checkpoint.size == from);
            return Ok(at_end.map(|checkpoint| Block {
                from,
                entries: vec![],
                checkpoint,
            }));
        }

        let checkpoints = self.door.store.checkpoints(log, from).await?;
        let mut entries = self.door.store.entries(log, from, BLOCK_BYTES).await?;
        let within = from + entries.len().min(BLOCK_ENTRIES_MAX) as u64;
        let fits = |c: &&wadi_log::SignedCheckpoint| c.checkpoint.size <= within;
        let Some(checkpoint) = checkpoints
            .iter()
            .rev()
            .find(fits)
            .or(checkpoints.first())
            .cloned()
        else {
            return Ok(None);
        };

        let count = (checkpoint.checkpoint.size - from) as usize;
        while entries.len() < count {
            let next = from + entries.len() as u64;
            let more = self.door.store.entries(log, next, 8 * BLOCK_BYTES).await?;
            if more.is_empty() {
                return Ok(None);
            }
            entries.extend(more);
        }

        entries.truncate(count);
        let entries = entries
            .into_iter()
            .map(|e| e.entry.bytes().to_vec())
            .collect();

        Ok(Some(Block {
            from,
            entries,
            checkpoint,
        }))
    }

    pub(super) async fn read_branch(
        &self,
        log: &LogId,
        at: u64,
    ) -> Result<Option<Branch>, StoreError> {
        let Some(row) = self.door.store.log(log).await? else {
            return Ok(None);
        };
        let size = row.checkpoint.checkpoint.size;
        let first = self.door.store.entries(log, at, 1).await?;
        let leaf = first.first().map(|e| e.entry.reference().leaf);
        let path = self.door.path(log, at, size).await?;

        Ok(leaf.zip(path).map(|(leaf, path)| Branch {
            checkpoint: row.checkpoint,
            leaf,
            path,
        }))
    }

    pub(super) fn held(&self, log: &LogId) -> u64 {
        self.door.frontier().0.get(log).map_or(0, |t| t.size)
    }
}
