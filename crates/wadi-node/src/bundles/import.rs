//! Taking a bundle in: by the road that everything from peers takes, through the sequencer, once
//! the seal over it is checked. Importing the same again changes nothing, and what does not follow
//! on what is held waits for the part that brings it.

use crate::{
    bundles::{
        Bundles,
        parts::{CARRIED_LOGS_MAX, Cosigned, LAST_FROM, LOCAL_SCOPE, carried_key, open},
    },
    door::{
        Door,
        command::{BlockOutcome, Command},
        error::{BundleError, NodeError},
    },
    ledger::hub_time::How,
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::oneshot;
use wadi_log::{Block, Enrolment, ForkProof, LogId, RecordId, Reference, Role, leaf_hash};
use wadi_store::{LocalKey, StoreError};
use wadi_sync::{ExcerptEntry, Frame, Manifest, Message, Range, SealedBlock, may_take};

/// Blocks given to the sequencer and not yet durable: reading stops until they are.
const INGESTING_MAX: usize = 32;
/// Proofs of forks that are handed over again when their logs may have come.
const PROOFS_MAX: usize = 256;
/// Logs named in an answer at most; the rest is counted.
const NAMED_MAX: usize = 1_000;

/// A log whose next entries are in another part, or another bundle.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Waits {
    /// The log's origin.
    pub log: String,
    /// Entries held: what is missing begins there …
    pub held: u64,
    /// … and what is here begins there.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// Something that was not taken.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NotTaken {
    /// A log's origin, or a record's id.
    pub subject: String,
    /// A stable code; the refusals say more.
    pub code: String,
}

/// What became of a part.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct BundleTaken {
    /// The bundle's id.
    pub bundle: String,
    /// Which part it is.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// The name of the node that made it.
    pub from: String,
    /// Entries that are new here.
    pub taken: u64,
    /// Entries that were here before.
    pub already: u64,
    /// Entries that wait for what comes before them.
    pub waits: u64,
    /// Entries that are not taken, or not from here on.
    pub refused: u64,
    /// Cosignatures that are new here.
    pub cosignatures: u64,
    /// Entries of records handed over that are new here.
    pub excerpts: u64,
    /// What waits, log by log.
    pub waiting: Vec<Waits>,
    /// What was not taken, and why.
    pub not_taken: Vec<NotTaken>,
}

/// One part on its way in.
struct Taking<'n> {
    door: &'n Door,
    from: &'n Enrolment,
    /// How far each log is held, or will be when the sequencer has done what it was given.
    reach: BTreeMap<LogId, u64>,
    waiting: BTreeMap<LogId, Waits>,
    /// Logs of which nothing more is taken from this part.
    stopped: BTreeSet<LogId>,
    ingesting: VecDeque<(LogId, u64, u64, oneshot::Receiver<BlockOutcome>)>,
    cosigned: Cosigned,
    /// Proofs of forks, which are taken of logs that are held alone: those that came before their
    /// log are handed over again once it is there.
    proofs: Vec<ForkProof>,
    said: BundleTaken,
}

impl Bundles {
    /// Takes in one part of a bundle. What was taken is durable when it returns. An error means
    /// that nothing was, unless it is the store's, or the part's maker sealed a body that breaks
    /// off. Importing it again is always safe.
    pub async fn import(&self, part: &[u8]) -> Result<BundleTaken, NodeError> {
        let (manifest, seal, body) = Manifest::read(part)?;
        let maker = manifest.maker()?;
        if maker.verify(&self.door.keys.root).is_err() {
            let maker = manifest.from.name;
            return Err(BundleError::Foreign { maker }.into());
        }

        seal.verify(&maker)?;
        if !manifest.to.is(&self.door.id()) {
            return Err(BundleError::NotForMe {
                recipient: manifest.to.name,
                me: self.door.me.name.clone(),
            }
            .into());
        }

        manifest.check_body(body)?;
        let mut frames = open(body, &self.door.keys.log_key)?;

        // From here on every byte is one that an enrolled node sealed for this one.
        self.door
            .put(Command::Learn(vec![maker.clone()], maker.node()))
            .await;
        let said = BundleTaken {
            bundle: manifest.bundle.clone(),
            part: manifest.part,
            parts: manifest.parts,
            from: maker.name.clone(),
            ..BundleTaken::default()
        };

        let mut taking = Taking {
            door: &self.door,
            from: &maker,
            reach: BTreeMap::new(),
            waiting: BTreeMap::new(),
            stopped: BTreeSet::new(),
            ingesting: VecDeque::new(),
            cosigned: self.cosigned().await?,
            proofs: Vec::new(),
            said,
        };

        let broken = loop {
            match frames.read() {
                Ok(Some(frame)) => taking.frame(frame).await?,
                Ok(None) => break None,
                // Its maker sealed it so: what came before is good all the same.
                Err(error) => break Some(error),
            }
        };

        let said = taking.finish().await?;
        self.remember_bundle(&manifest, &maker).await?;
        tracing::info!(
            from = %maker.name,
            part = said.part,
            parts = said.parts,
            entries = said.taken,
            "took a bundle",
        );

        match broken {
            Some(error) => Err(error.into()),
            None => Ok(said),
        }
    }

    /// Remembers whose bundle came last, for the receipt, and which logs its maker carried for
    /// others. A hub's bundle brings the hub's time. When it returns, everything that was put
    /// before is durable.
    async fn remember_bundle(
        &self,
        manifest: &Manifest,
        maker: &Enrolment,
    ) -> Result<(), NodeError> {
        let id = maker.node();
        if self
            .door
            .with_control(|c| c.role(&id) == Some(Role::Hub) && !c.is_cut(&id))
        {
            self.door
                .put(Command::HubTime(id, manifest.made_s, How::Past))
                .await;
        }

        let mut keys = Vec::new();
        let last = (LAST_FROM.to_string(), id.to_string());
        let mut carried = self.carried_by(&id).await?;
        let before = carried.len();
        let new = manifest
            .logs
            .iter()
            .filter(|l| l.carried)
            .filter_map(|l| l.id().ok());

        carried.extend(new.take(CARRIED_LOGS_MAX.saturating_sub(before)));
        let lines: Vec<String> = carried.iter().map(LogId::origin).collect();
        let carried = (carried_key(&id), lines.join("\n"));
        for (key, value) in [last, carried] {
            let held = self
                .door
                .store
                .local(&LOCAL_SCOPE, &key)
                .await?
                .unwrap_or_default();

            if held != value {
                keys.push(LocalKey {
                    scope: LOCAL_SCOPE,
                    key,
                    value,
                });
            }
        }

        self.door.set_local(keys, vec![]).await
    }
}

impl Taking<'_> {
    async fn frame(&mut self, frame: Frame) -> Result<(), NodeError> {
        let peer = self.from.node();
        match frame {
            Frame::Block(block) => self.block(block).await?,
            Frame::Sealed(sealed) => self.sealed(sealed).await?,
            Frame::Message(Message::Members(all)) => self.door.put(Command::Learn(all, peer)).await,
            Frame::Message(Message::ForkProofs(all)) => {
                let frontier = self.door.frontier();
                let early = all.iter().filter(|p| !frontier.0.contains_key(&p.log()));
                let room = PROOFS_MAX.saturating_sub(self.proofs.len());
                self.proofs.extend(early.take(room).cloned());
                self.door.put(Command::Forks(all, peer)).await
            }
            Frame::Message(Message::Cosigned {
                checkpoint,
                cosignature,
            }) => {
                if self.cosigned.is_news(&checkpoint, &cosignature) {
                    self.said.cosignatures += 1;
                    self.door
                        .put(Command::Cosigned(checkpoint, cosignature))
                        .await;
                }
            }
            Frame::Message(Message::Excerpt {
                record, entries, ..
            }) => self.excerpt(record, entries).await?,
            // Sessions say more to each other; in a file it means nothing.
            Frame::Message(_) => {}
        }

        Ok(())
    }

    async fn block(&mut self, mut block: Block) -> Result<(), NodeError> {
        let (log, from, to) = (
            block.checkpoint.checkpoint.log,
            block.from,
            block.checkpoint.checkpoint.size,
        );

        let count = block.entries.len() as u64;
        if self.stopped.contains(&log) {
            self.said.refused += count;
            return Ok(());
        }

        if !may_take(&self.door.me, &log) {
            let why = "the bundle holds a log that this node may not take".to_string();
            self.refuse(log, "outside_grant", why, count).await;
            return Ok(());
        }

        let reach = match self.reach.get(&log) {
            Some(reach) => *reach,
            None => self.door.frontier().0.get(&log).map_or(0, |t| t.size),
        };

        if from > reach {
            self.said.waits += count;
            let new = Waits {
                log: log.origin(),
                held: reach,
                from,
                to,
            };

            self.waiting
                .entry(log)
                .and_modify(|w| w.to = w.to.max(to))
                .or_insert(new);
            return Ok(());
        }

        self.said.already += count.min(reach - from);
        if to < reach {
            return Ok(());
        }

        if to == reach {
            let held = self.door.frontier().0.get(&log).copied();

            if held.is_some_and(|t| t.size == to && t.root != block.checkpoint.checkpoint.root) {
                let why = format!(
                    "{} holds another branch of this log: let the nodes connect",
                    self.from.name
                );
                self.refuse(log, "fork_unproven", why, 0).await;
                return Ok(());
            }

            // Held to its end: its head may have been signed anew since, with a newer hub time.
            block = Block {
                from: to,
                entries: Vec::new(),
                ..block
            };
        }

        self.reach.insert(log, to);
        let done = self.door.ingest(block, self.from.node()).await;
        self.ingesting.push_back((log, reach, to, done));
        if self.ingesting.len() >= INGESTING_MAX {
            self.settle_oldest().await?;
        }

        Ok(())
    }

    /// A block that the bundle's maker carried for its author.
    async fn sealed(&mut self, sealed: SealedBlock) -> Result<(), NodeError> {
        match self.door.open_carried(&sealed, &self.from.node()).await {
            Ok(block) => self.block(block).await,
            Err(fault) => {
                let Range { log, from, to } = sealed.range;
                self.stop(log, fault.code(), to - from);
                Ok(())
            }
        }
    }

    /// Notes why no more of a log is taken from this bundle, and stops taking it.
    async fn refuse(&mut self, log: LogId, code: &str, why: String, entries: u64) {
        let peer = self.from.node().to_string();
        self.door
            .note_refusal(log.origin(), code.into(), why, peer)
            .await;
        self.stop(log, code, entries);
    }

    fn stop(&mut self, log: LogId, code: &str, entries: u64) {
        self.said.refused += entries;
        if self.stopped.insert(log) && self.said.not_taken.len() < NAMED_MAX {
            self.said.not_taken.push(NotTaken {
                subject: log.origin(),
                code: code.into(),
            });
        }
    }

    /// Waits for the block that was given to the sequencer first.
    async fn settle_oldest(&mut self) -> Result<(), NodeError> {
        let Some((log, reach, to, done)) = self.ingesting.pop_front() else {
            return Ok(());
        };
        match done.await.map_err(|_| NodeError::Stopping)? {
            BlockOutcome::Durable { .. } => self.said.taken += to - reach,
            BlockOutcome::Refused { reason, .. } => match of_store(reason.code()) {
                Some(error) => return Err(error.into()),
                None => self.stop(log, reason.code(), to - reach),
            },
        }

        Ok(())
    }

    /// What is held already is not taken again: it would change nothing but the record's place in
    /// the order of changes.
    async fn excerpt(
        &mut self,
        record: RecordId,
        entries: Vec<ExcerptEntry>,
    ) -> Result<(), NodeError> {
        let mut new = Vec::new();
        for e in entries {
            let reference = Reference {
                log: e.log,
                seq: e.seq,
                leaf: leaf_hash(&e.bytes),
            };

            if self.door.store.entry(&reference).await?.is_none() {
                new.push(e);
            }
        }

        let count = new.len() as u64;
        if count == 0 {
            return Ok(());
        }

        let (reply, taken) = oneshot::channel();
        let peer = self.from.node();
        self.door
            .put(Command::Excerpt {
                record,
                entries: new,
                peer,
                reply,
            })
            .await;

        if taken.await.map_err(|_| NodeError::Stopping)? {
            self.said.excerpts += count;
        } else {
            self.said.refused += count;
            if self.said.not_taken.len() < NAMED_MAX {
                self.said.not_taken.push(NotTaken {
                    subject: record.to_string(),
                    code: "excerpt_refused".into(),
                });
            }
        }

        Ok(())
    }

    async fn finish(mut self) -> Result<BundleTaken, NodeError> {
        while !self.ingesting.is_empty() {
            self.settle_oldest().await?;
        }

        if !self.proofs.is_empty() {
            let proofs = std::mem::take(&mut self.proofs);
            let peer = self.from.node();
            self.door.put(Command::Forks(proofs, peer)).await;
        }

        let waiting = std::mem::take(&mut self.waiting);
        self.said.waiting = waiting.into_values().take(NAMED_MAX).collect();
        Ok(self.said)
    }
}

/// The store's own failures are nobody's fault: the part is whole, and is to be imported again.
fn of_store(code: &str) -> Option<StoreError> {
    let why = "the bundle is whole; import it again when this is mended".to_string();
    Some(match code {
        "disk_full" => StoreError::Full(why),
        "write_failed" => StoreError::Failed(why),
        "database_error" | "store_conflict" => StoreError::Database(why),
        "database_down" => StoreError::Down(why),
        "database_slow" => StoreError::Slow(why),
        "database_read_only" => StoreError::ReadOnly(why),
        "store_closed" => StoreError::Closed,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_store_said_ends_an_import() {
        for code in ["disk_full", "write_failed", "database_down", "store_closed"] {
            assert_eq!(of_store(code).map(|e| e.code()), Some(code));
        }
        assert!(of_store("outside_grant").is_none());
    }
}
