//! A node's handle: it starts and stops the parts, and leads to each of them.

use crate::{
    api::{Reads, cursors::Cursors, status::Status, tokens::Tokens},
    bundles::Bundles,
    door::{Door, NodeKeys, clock::Clock, command::Command, error::NodeError, suspects::Suspects},
    hub::{
        life::Findings,
        reconciler::{self, Reconciler},
    },
    ledger::Ledger,
    links,
    parts::Parts,
    upkeep::{
        resync::Resyncs,
        resync_run::Runner,
        salvage::Salvager,
        scrub::{Scrub, ScrubPace, Scrubber},
    },
};
use std::{
    ops::Deref,
    sync::{Arc, Mutex},
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use wadi_log::{Enrolment, Role};
use wadi_store::Store;

/// Things that may wait for the sequencer; more, and their senders wait.
const QUEUE_MAX: usize = 1_024;

/// What a node starts from.
pub struct Start {
    /// Its keys.
    pub keys: NodeKeys,
    /// Its own enrolment.
    pub me: Enrolment,
    /// Enrolments handed out with its papers, the hub's among them.
    pub known: Vec<Enrolment>,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// How often and how fast everything held is read through.
    pub scrub: ScrubPace,
    /// What earlier starts ended over.
    pub suspects: Suspects,
}

/// A running node: its door, and a handle for each of its parts.
pub struct Node {
    door: Arc<Door>,
    reads: Reads,
    tokens: Tokens,
    bundles: Bundles,
    findings: Findings,
    scrub: Arc<Scrub>,
    resyncs: Arc<Resyncs>,
    salvager: Arc<Salvager>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    /// Tasks that stop at once: what each is at is begun again from its cursor.
    others: Mutex<Vec<JoinHandle<()>>>,
}

/// Starts the tasks that work beside the sequencer for as long as the node runs.
fn watched(
    door: &Arc<Door>,
    scrub: &Arc<Scrub>,
    pace: ScrubPace,
    resyncs: &Arc<Resyncs>,
) -> Vec<JoinHandle<()>> {
    let mut others = Vec::new();
    others.extend(door.spawn_watched("scrubber", Scrubber::new(scrub, pace).run()));
    others.extend(door.spawn_watched("resyncs", Runner::new(resyncs).run()));
    if door.me.role == Role::Hub {
        let task = Reconciler::new(door, door.reconcile.clone()).run();
        others.extend(door.spawn_watched(reconciler::TASK, task));
    }

    others
}

/// A node can do what its door can: write, listen, say who it is.
impl Deref for Node {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Node {
    /// Reads what is stored and starts the sequencer.
    pub async fn start(start: Start) -> Result<Arc<Self>, NodeError> {
        start.me.verify(&start.keys.root)?;
        if start.keys.log_key.node() != start.me.node() {
            let node = start.me.name;
            return Err(NodeError::KeyMismatch { node });
        }

        let (known, pace, me) = (start.known.clone(), start.scrub, start.me.clone());
        let parts = Parts::new(start).await?;
        let mut ledger = Ledger::new(parts.keys.root, me.clone());
        let (publish, views) = watch::channel(ledger.snapshot());
        let mut sequencer = parts.sequencer(ledger, publish);
        sequencer.recall().await?;

        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let handle = parts.tasks.spawn("sequencer", sequencer.run(receiver));
        let door = Arc::new(parts.door(queue, views));

        links::recall_hubs(&door).await;
        door.introduce(me).await?;
        door.put(Command::Learn(known, door.id())).await;
        door.set_alarm("set_aside", door.suspects.alarm());

        let cursors = Cursors::start(&door).await?;
        let scrub = Arc::new(Scrub::new(door.clone()));
        let resyncs = Arc::new(Resyncs::new(door.clone(), scrub.clone()));
        let others = watched(&door, &scrub, pace, &resyncs);

        Ok(Arc::new(Self {
            reads: Reads::new(door.clone(), cursors),
            tokens: Tokens::new(door.clone()),
            bundles: Bundles::new(door.clone()),
            findings: Findings::new(door.clone()),
            salvager: Arc::new(Salvager::new(door.clone())),
            scrub,
            resyncs,
            sequencer: Mutex::new(Some(handle)),
            others: Mutex::new(others),
            door,
        }))
    }

    /// The one way in, for tasks that need nothing else of the node.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// What people and programs read.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The API's tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Bundles and receipts.
    pub fn bundles(&self) -> &Bundles {
        &self.bundles
    }

    /// What becomes of findings.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Reading everything through.
    pub fn scrub(&self) -> &Arc<Scrub> {
        &self.scrub
    }

    /// Forced resyncs.
    pub fn resyncs(&self) -> &Arc<Resyncs> {
        &self.resyncs
    }

    /// Databases that were set aside.
    pub fn salvager(&self) -> &Arc<Salvager> {
        &self.salvager
    }

    /// How the node stands.
    pub async fn status(&self) -> Result<Status, NodeError> {
        self.reads.status().await
    }

    /// Finishes what is queued, closes the store and returns when all is on disk.
    pub async fn stop(&self) {
        self.door.tasks.stopping();
        let others = std::mem::take(&mut *self.others.lock().expect("no panic holds it"));
        for task in others.into_iter().rev() {
            // What it was at is begun again from its cursor at the next start.
            task.abort();
            let _ = task.await;
        }

        let (reply, done) = oneshot::channel();
        let closed = self.door.queue.send(Command::Stop(reply)).await.is_ok() && done.await.is_ok();
        if !closed {
            // The sequencer is gone, and closes nothing any more.
            self.door.store.close().await;
        }

        let handle = self.sequencer.lock().expect("no panic holds it").take();
        if let Some(handle) = handle {
            let _ = handle.await;
        }
    }
}
