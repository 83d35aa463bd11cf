//! Carries commands out: each adds to the commit in the making, and is answered when that is
//! durable.

use crate::{
    door::{
        command::{BlockOutcome, Command, Reply},
        error::NodeError,
        event::Event,
    },
    ledger::repair::Why,
    pipeline::{
        commit::Commit,
        outcome_of,
        sequencer::{Sequencer, TASK},
    },
};
use tokio::sync::oneshot;
use wadi_log::{Block, LogId, NodeId, VerifiedStretch};
use wadi_store::{Batch, Carried};
use wadi_sync::RefuseReason;

impl Commit {
    /// Answers once this is durable, and at once where nothing was done.
    fn answer<T>(&mut self, reply: Reply<T>, done: Result<T, NodeError>)
    where
        T: Send + Sync + 'static,
    {
        match done {
            Ok(value) => self.done.push(Box::new(move |outcome| {
                let _ = reply.send(outcome.map(|()| value).map_err(Into::into));
            })),
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Tells once this is durable, or failed, whether it was done.
    fn tell(&mut self, reply: oneshot::Sender<bool>, is_done: bool) {
        self.done.push(Box::new(move |outcome| {
            let _ = reply.send(is_done && outcome.is_ok());
        }));
    }

    /// Tells that a command is through, whatever becomes of the commit.
    fn end(&mut self, reply: oneshot::Sender<()>) {
        self.done.push(Box::new(move |_| {
            let _ = reply.send(());
        }));
    }
}

impl Sequencer {
    /// Carries one command out, unless there is no room for it or an earlier start ended over it.
    pub(crate) async fn carry_out(&mut self, g: &mut Commit, command: Command) {
        let Some(command) = self.begun(g, command) else {
            return;
        };

        match command {
            Command::Write(write, reply) => {
                let written = self.write_one(g, *write).await;
                g.answer(reply, written);
            }
            Command::Control(bodies, signatory, reply) => {
                let references = self.write_control(g, bodies, signatory).await;
                g.answer(reply, references);
            }
            Command::Ingest(block, peer, reply) => self.ingest_block(g, block, peer, reply).await,
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
                let is_taken = self.take_excerpt(g, record, entries, peer).await;
                g.tell(reply, is_taken);
            }
            Command::Carry(carried, reply) => carry(g, carried, reply),
            Command::CarriedBad(log) => drop_carried(g, log),
            Command::Refusal(row) => g.batch.refuse(row),
            Command::Peer(row) => g.batch.local.peers.push(row),
            Command::Local(keys, gone, reply) => {
                g.batch.local.keys.extend(keys);
                g.batch.local.keys_gone.extend(gone);
                g.answer(reply, Ok(()));
            }
            Command::Keep(batch, reply) => self.keep(*batch, reply),
            Command::BeginAnew(device, reply) => {
                let begun = self.begin_anew(g, device).await;
                g.answer(reply, begun);
            }
            Command::At {
                record,
                at,
                time_ms,
                reply,
            } => {
                let _ = reply.send(self.record_at(g, record, &at, time_ms).await);
            }
            Command::Account {
                record,
                part,
                reply,
            } => {
                let _ = reply.send(self.account(g, record, &part).await);
            }
            Command::Document { record, reply } => {
                let _ = reply.send(self.record_apart(g, record).await);
            }
            Command::CutForks => self.cut_forks(g).await,
            Command::Stretches(fetched, peer, reply) => {
                self.take_stretches(g, fetched, peer).await;
                g.end(reply);
            }
            Command::PutBack(all, switches, reply) => self.put_back(g, all, switches, reply).await,
            Command::Mend(mended, switches, reply) => self.mend(g, *mended, switches, reply),
            Command::Rederive { ids, mend, reply } => {
                let count = self.rederive(g, ids, mend).await.map_err(Into::into);
                g.answer(reply, count);
            }
            Command::Stop(reply) => {
                debug_assert!(false, "the sequencer's loop takes it");
                let _ = reply.send(());
            }
        }
    }

    /// What is left of a command to be carried out, with its suspects named; none where it was
    /// turned away or set aside.
    fn begun(&mut self, g: &mut Commit, command: Command) -> Option<Command> {
        let command = self.admit(command)?;
        let command = self.set_aside(g, command)?;

        let suspect = command.suspect();
        self.tasks.at(TASK, suspect.iter().cloned().collect());
        g.suspects.extend(suspect);
        Some(command)
    }

    /// Writes rows that a wing made, apart from the commit in the making: they can be made again,
    /// and no write fails with them.
    fn keep(&self, batch: Batch, reply: Reply<()>) {
        let durable = self.hand_to_store(batch);
        tokio::spawn(async move {
            let outcome = outcome_of(durable.await);
            let _ = reply.send(outcome.map_err(Into::into));
        });
    }

    async fn ingest_block(
        &mut self,
        g: &mut Commit,
        block: Block,
        peer: NodeId,
        reply: oneshot::Sender<BlockOutcome>,
    ) {
        let held = self.ledger.held(&block.checkpoint.checkpoint.log);
        match self.ingest(g, block, peer).await {
            Ok(done) => g.done.push(Box::new(move |outcome| {
                let _ = reply.send(match outcome {
                    Ok(()) => done,
                    Err(error) => BlockOutcome::Refused {
                        held,
                        reason: RefuseReason::from_code(error.code()),
                    },
                });
            })),
            Err(refused) => {
                let _ = reply.send(refused);
            }
        }
    }

    /// Takes entries that the scrub had proven by what is held of their log, unless another branch
    /// became it since.
    async fn put_back(
        &mut self,
        g: &mut Commit,
        proven: Vec<VerifiedStretch>,
        switches: u64,
        reply: Reply<bool>,
    ) {
        let now = self.wants.lock().expect("no panic holds it").switches();
        let is_same = now == switches;
        for stretch in proven.into_iter().filter(|_| is_same) {
            if let Err(error) = self.take_stretch(g, stretch, Why::Mend).await {
                g.broken = Some(error);
                break;
            }
        }

        g.answer(reply, Ok(is_same));
    }

    /// Writes what a scrub or a resync made of the logs as they were, unless another branch became
    /// the log of one since.
    fn mend(&mut self, g: &mut Commit, mended: Batch, switches: Option<u64>, reply: Reply<()>) {
        let now = self.wants.lock().expect("no panic holds it").switches();
        if switches.is_some_and(|before| before != now) {
            let _ = reply.send(Ok(()));
            return;
        }

        g.take_mending(mended);
        g.answer(reply, Ok(()));
    }
}

fn carry(g: &mut Commit, carried: Carried, reply: oneshot::Sender<bool>) {
    g.batch.local.carry.push(carried);
    g.events.push(Event::Carried);
    g.tell(reply, true);
}

/// Drops all that is carried of a log, as far as a database counts.
fn drop_carried(g: &mut Commit, log: LogId) {
    g.batch.local.carried_done.push((log, i64::MAX as u64));
}
