//! A node's handle: it starts and stops the parts, and leads to each of them.

use crate::{
    api::{
        Reads, cursors::Cursors, local_chain::LocalChain, local_table::LocalTable, status::Status,
        tokens::Tokens,
    },
    bundles::Bundles,
    door::{
        Door, NodeKeys,
        clock::Clock,
        clock_doubts::{self, ClockDoubts},
        command::Command,
        device_habits::DeviceHabits,
        disk::DiskBudget,
        error::NodeError,
        known_time::KnownTime,
        orders::Orders,
        projections::Projections,
        shared_terms::SharedTerms,
        suspects::Suspects,
        tasks::Tasks,
    },
    hub::{
        life::Findings,
        reconciler::{self, Reconciler},
    },
    ledger::{Ledger, repair::RepairQueue},
    links,
    pipeline::sequencer::Sequencer,
    upkeep::{
        resync::Resyncs,
        resync_run::Runner,
        salvage::Salvager,
        scrub::{Scrub, ScrubPace, Scrubber},
    },
};
use std::{
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64},
    },
};
use tokio::{
    sync::{Notify, broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};
use wadi_log::{Enrolment, ForkProof, Role};
use wadi_store::{LocalScope, Store};

/// Things that may wait for the sequencer; more, and their senders wait.
const QUEUE_MAX: usize = 1_024;
/// Events kept for a session that is slow to listen; one that falls behind compares frontiers
/// instead.
const EVENTS_MAX: usize = 1_024;
/// Looks at personal data that are kept; the oldest go first.
const LOOKS_MAX: u64 = 2_000_000;
/// Lines of the audit of sign-ins that are kept.
const SIGN_INS_MAX: u64 = 20_000;

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
    accounts: LocalTable,
    sign_in_pauses: LocalTable,
    sign_ins: LocalChain,
    looks: LocalChain,
    bundles: Bundles,
    findings: Findings,
    scrub: Arc<Scrub>,
    resyncs: Arc<Resyncs>,
    salvager: Arc<Salvager>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    /// Tasks that stop at once: what each is at is begun again from its cursor.
    others: Mutex<Vec<JoinHandle<()>>>,
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
        let Start {
            keys,
            me,
            known,
            store,
            clock,
            scrub: pace,
            suspects,
        } = start;

        me.verify(&keys.root)?;
        if keys.log_key.node() != me.node() {
            return Err(NodeError::KeyMismatch { node: me.name });
        }

        let mut ledger = Ledger::new(keys.root, me.clone());
        let (publish, views) = watch::channel(ledger.snapshot());
        let time = Arc::new(KnownTime::new(clock.clone(), me.role == Role::Hub));
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let reconcile = Arc::new(Notify::new());
        let recheck = Arc::new(AtomicBool::new(false));
        let wants = Arc::new(Mutex::new(RepairQueue::default()));
        let orders = Arc::new(Mutex::new(Orders::default()));
        let room = Arc::new(DiskBudget::default());
        let scrub_now: Arc<Notify> = Arc::default();
        let tasks: Arc<Tasks> = Arc::default();
        let suspects = Arc::new(suspects);
        let projections: Arc<Projections> = Arc::default();
        let shared_terms: Arc<SharedTerms> = Arc::default();
        let clock_doubts: Arc<ClockDoubts> = Arc::default();
        clock_doubts.recall(&store.local_all(&clock_doubts::SCOPE).await?);
        let device_habits: Arc<DeviceHabits> = Arc::default();
        let mut sequencer = Sequencer {
            store: store.clone(),
            keys: keys.clone(),
            me: me.clone(),
            clock: clock.clone(),
            ledger,
            views: publish,
            time: time.clone(),
            events: events.clone(),
            records: Default::default(),
            projections: projections.clone(),
            shared_terms: shared_terms.clone(),
            clock_doubts: clock_doubts.clone(),
            device_habits: device_habits.clone(),
            clock_doubt: None,
            reconcile: reconcile.clone(),
            recheck: recheck.clone(),
            room: room.clone(),
            stale: false,
            last_ms: 0,
            wants: wants.clone(),
            orders: orders.clone(),
            side: Default::default(),
            scrub_now: scrub_now.clone(),
            tasks: tasks.clone(),
            suspects: suspects.clone(),
            in_flight: None,
            pending_seen: Default::default(),
        };

        sequencer.load().await?;
        sequencer.recall_time().await?;
        sequencer.find_watermarks();
        let view = sequencer.ledger.snapshot();
        sequencer.publish(view);

        let proofs: Vec<ForkProof> = sequencer
            .ledger
            .control()
            .forks()
            .values()
            .cloned()
            .collect();

        for proof in &proofs {
            sequencer.want_branches(proof).await?;
        }

        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let handle = tasks.spawn("sequencer", sequencer.run(receiver));
        let door = Arc::new(Door {
            queue,
            store,
            views: views.clone(),
            time,
            events,
            me: me.clone(),
            keys,
            clock,
            peers: Mutex::default(),
            hub_holdings: Default::default(),
            links: Mutex::default(),
            alarms: Mutex::default(),
            orders,
            wants,
            scrub: Mutex::default(),
            scrub_now,
            reconcile: reconcile.clone(),
            recheck,
            reconciled: AtomicI64::new(0),
            reconciler_rests: AtomicU64::new(0),
            room,
            tasks,
            suspects,
            projections,
            shared_terms,
            clock_doubts,
            device_habits,
            #[cfg(test)]
            heard_in_tests: Mutex::default(),
        });

        links::recall_hubs(&door).await;
        door.introduce(me).await?;
        door.put(Command::Learn(known, door.id())).await;
        door.set_alarm("set_aside", door.suspects.alarm());

        let cursors = Cursors::start(&door).await?;
        let scrub = Arc::new(Scrub::new(door.clone()));
        let resyncs = Arc::new(Resyncs::new(door.clone(), scrub.clone()));
        let mut others = Vec::new();
        others.extend(door.spawn_watched("scrubber", Scrubber::new(&scrub, pace).run()));
        others.extend(door.spawn_watched("resyncs", Runner::new(&resyncs).run()));
        if door.me.role == Role::Hub {
            let task = Reconciler::new(&door, reconcile).run();
            others.extend(door.spawn_watched(reconciler::TASK, task));
        }

        Ok(Arc::new(Self {
            reads: Reads::new(door.clone(), cursors),
            tokens: Tokens::new(door.clone()),
            accounts: LocalTable::new(door.clone(), LocalScope::Account),
            sign_in_pauses: LocalTable::new(door.clone(), LocalScope::SignInPause),
            sign_ins: LocalChain::new(door.clone(), LocalScope::SignIn, SIGN_INS_MAX),
            looks: LocalChain::new(door.clone(), LocalScope::Look, LOOKS_MAX),
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

    /// Accounts of people who may sign in here.
    pub fn accounts(&self) -> &LocalTable {
        &self.accounts
    }

    /// Failures to sign in.
    pub fn sign_in_pauses(&self) -> &LocalTable {
        &self.sign_in_pauses
    }

    /// Who signed in.
    pub fn sign_ins(&self) -> &LocalChain {
        &self.sign_ins
    }

    /// Who looked at personal data.
    pub fn looks(&self) -> &LocalChain {
        &self.looks
    }

    /// How many times as fast as people's time this node's clock runs.
    pub fn pace(&self) -> f64 {
        self.door.clock.pace()
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
