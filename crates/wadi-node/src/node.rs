//! The node's handle: what porches and sessions call.

use crate::{
    api::read::Digests,
    bundles::export::Plan,
    door::{
        NodeKeys,
        clock::Clock,
        command::{BlockOutcome, Command, Reply},
        disk::DiskBudget,
        error::NodeError,
        event::Event,
        excerpt::{ALL_EXCERPTS, EXCERPT_LOST},
        known_time::KnownTime,
        orders::Orders,
        suspects::Suspects,
        tasks::Tasks,
        write::{Write, Written},
    },
    hub::reconciler::{self, Reconciler},
    ledger::repair::RepairQueue,
    links::LinkAsk,
    pipeline::sequencer::Sequencer,
    records::projections::Projections,
    upkeep::{
        resync_run::Runner,
        scrub::{ScrubPace, ScrubStatus, Scrubber},
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use wadi_log::{Block, Body, Control, Enrolment, ForkProof, Frontier, NodeId, Reference, Role};
use wadi_store::{
    AnchorState, Batch, Carried, LocalKey, LocalScope, LocalState, PeerRow, RefusalRow, Store,
    StoreError,
};

/// Things that may wait for the sequencer; more, and their senders wait.
const QUEUE_MAX: usize = 1_024;
/// Events kept for a session that is slow to listen; one that falls behind compares frontiers
/// instead.
const EVENTS_MAX: usize = 1_024;
/// The local key that says which loss of the database's tail was told to the hub: scope and key.
const LOSS_TOLD: (LocalScope, &str) = (LocalScope::Excerpts, "loss_told");
/// The local key that says which version projected the records: scope and key.
const PROJECTION: (LocalScope, &str) = (LocalScope::Projection, "version");
/// What a record's projection holds; another number where it holds more or other things.
const PROJECTION_VERSION: &str = "2";

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

/// How a peer stands, for status.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PeerStatus {
    /// Whether connected now.
    pub connected: bool,
    /// Last contact, node's clock, Unix milliseconds; 0 for never.
    pub last_contact_ms: i64,
    /// Entries that the peer is known to lack.
    pub unsent: u64,
    /// Whether both held the same when last compared.
    pub in_step: bool,
    /// Bytes of blocks sent.
    pub sent_bytes: u64,
    /// The link's provisioned rate, bits a second, where the configuration names one.
    pub rate_bits_s: Option<u64>,
    /// Round trip of the link, milliseconds.
    pub rtt_ms: u64,
    /// Why the last connection failed or ended.
    pub last_error: String,
}

/// A running node.
pub struct Node {
    pub(crate) queue: mpsc::Sender<Command>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) control: Arc<RwLock<Control>>,
    pub(crate) frontier: Arc<RwLock<Frontier>>,
    pub(crate) time: Arc<KnownTime>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) me: Enrolment,
    pub(crate) keys: NodeKeys,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) peers: Mutex<BTreeMap<NodeId, PeerStatus>>,
    pub(crate) bundles: Mutex<VecDeque<Arc<Plan>>>,
    /// What the records came to when status was last asked for, and of which newest change and how
    /// many records.
    pub(crate) digests: Mutex<Option<((i64, i64), Vec<Digests>)>>,
    sequencer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    reconciler: Mutex<Option<tokio::task::JoinHandle<()>>>,
    scrubber: Mutex<Option<tokio::task::JoinHandle<()>>>,
    runner: Mutex<Option<tokio::task::JoinHandle<()>>>,
    pub(crate) orders: Arc<Mutex<Orders>>,
    pub(crate) resync_wake: Arc<Notify>,
    /// Alarms of the porches and the daemon, by what they are about.
    pub(crate) alarms: Mutex<BTreeMap<&'static str, String>>,
    /// Who changes a resync's state has it alone.
    pub(crate) resync_step: tokio::sync::Mutex<()>,
    pub(crate) wants: Arc<Mutex<RepairQueue>>,
    /// What links are asked to find out, by peer.
    pub(crate) links: Mutex<BTreeMap<NodeId, mpsc::Sender<LinkAsk>>>,
    pub(crate) scrub: Arc<Mutex<ScrubStatus>>,
    pub(crate) scrub_now: Arc<Notify>,
    /// Records may have been made while entries were missing: they are made again when all are
    /// back.
    pub(crate) rederive_due: AtomicBool,
    /// One round at a time.
    pub(crate) scrubbing: tokio::sync::Mutex<()>,
    pub(crate) reconcile: Arc<Notify>,
    pub(crate) recheck: Arc<AtomicBool>,
    /// Through which time each crossing is received, Unix milliseconds.
    pub(crate) watermarks: Arc<RwLock<BTreeMap<String, i64>>>,
    pub(crate) reconciled: Arc<AtomicI64>,
    /// How often the reconciler found nothing left to look at.
    pub(crate) reconciler_rests: AtomicU64,
    pub(crate) room: Arc<DiskBudget>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) suspects: Arc<Suspects>,
    /// What the rules are to read of the records that were written last.
    pub(crate) projections: Arc<Projections>,
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

        let control = Arc::new(RwLock::new(Control::new(keys.root)));
        let frontier = Arc::new(RwLock::new(Frontier::default()));
        let time = Arc::new(KnownTime::new(clock.clone(), me.role == Role::Hub));
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let watermarks = Arc::new(RwLock::new(BTreeMap::new()));
        let reconcile = Arc::new(Notify::new());
        let recheck = Arc::new(AtomicBool::new(false));
        let wants = Arc::new(Mutex::new(RepairQueue::default()));
        let orders = Arc::new(Mutex::new(Orders::default()));
        let room = Arc::new(DiskBudget::default());
        let scrub_now: Arc<Notify> = Arc::default();
        let tasks: Arc<Tasks> = Arc::default();
        let suspects = Arc::new(suspects);
        let projections: Arc<Projections> = Arc::default();
        let mut sequencer = Sequencer {
            store: store.clone(),
            keys: keys.clone(),
            me: me.clone(),
            clock: clock.clone(),
            control: control.clone(),
            frontier: frontier.clone(),
            time: time.clone(),
            events: events.clone(),
            logs: BTreeMap::new(),
            effective_len: Default::default(),
            records: Default::default(),
            projections: projections.clone(),
            seen: Sequencer::new_seen(),
            policies: Default::default(),
            default_policy: Arc::default(),
            epoch: None,
            last_epoch: None,
            watermarks: watermarks.clone(),
            reconcile: reconcile.clone(),
            recheck: recheck.clone(),
            room: room.clone(),
            stale: false,
            last_ms: 0,
            taken_s: Default::default(),
            wants: wants.clone(),
            orders: orders.clone(),
            side: Default::default(),
            scrub_now: scrub_now.clone(),
            tasks: tasks.clone(),
            suspects: suspects.clone(),
            in_flight: None,
            pending_seen: Default::default(),
            latest_watermarks: Default::default(),
        };

        sequencer.load().await?;
        sequencer.recall_time().await?;
        *watermarks.write().expect("no panic holds it") = sequencer.find_watermarks().clone();

        let proofs: Vec<ForkProof> = sequencer
            .control
            .read()
            .expect("no panic holds it")
            .forks()
            .values()
            .cloned()
            .collect();

        for proof in &proofs {
            sequencer.want_branches(proof).await?;
        }

        let (queue, receiver) = mpsc::channel(QUEUE_MAX);
        let handle = tasks.spawn("sequencer", sequencer.run(receiver));
        let node = Arc::new(Self {
            queue,
            store,
            control,
            frontier,
            time,
            events,
            keys,
            clock,
            peers: Mutex::default(),
            bundles: Mutex::default(),
            digests: Mutex::default(),
            sequencer: Mutex::new(Some(handle)),
            reconciler: Mutex::new(None),
            scrubber: Mutex::new(None),
            runner: Mutex::new(None),
            orders,
            resync_wake: Arc::default(),
            alarms: Mutex::default(),
            resync_step: tokio::sync::Mutex::new(()),
            wants,
            links: Mutex::default(),
            scrub: Arc::default(),
            scrub_now,
            rederive_due: AtomicBool::new(false),
            scrubbing: tokio::sync::Mutex::new(()),
            reconcile: reconcile.clone(),
            recheck,
            watermarks: watermarks.clone(),
            reconciled: Arc::new(AtomicI64::new(0)),
            reconciler_rests: AtomicU64::new(0),
            room,
            tasks,
            suspects,
            projections,
            me: me.clone(),
        });

        let id = node.id();
        node.introduce(me).await?;
        node.put(Command::Learn(known, id)).await;
        node.set_alarm("set_aside", node.suspects.alarm());

        let scrubber = node.spawn_watched("scrubber", Scrubber::new(&node, pace).run());
        *node.scrubber.lock().expect("no panic holds it") = scrubber;
        let runner = node.spawn_watched("resyncs", Runner::new(&node).run());
        *node.runner.lock().expect("no panic holds it") = runner;
        if node.me.role == Role::Hub {
            let task = Reconciler::new(&node, watermarks, reconcile).run();
            *node.reconciler.lock().expect("no panic holds it") =
                node.spawn_watched(reconciler::TASK, task);
        }

        Ok(node)
    }

    /// Runs a task whose end ends the process; nothing where it is left off, because it ended again
    /// and again.
    pub fn spawn_watched<T: Send + 'static>(
        &self,
        task: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<tokio::task::JoinHandle<()>> {
        if let Some(why) = self.suspects.left_off(task) {
            tracing::error!(task, why, "a task is left off");
            self.set_alarm("left_off", Some(why.clone()));
            self.tasks.trouble(task, Some(why));
            return None;
        }

        Some(self.tasks.spawn(task, work))
    }

    /// The tasks that this node lives by.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    /// What earlier starts ended over.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }

    /// Writes what the database has to hold of the node itself. One that is new, or lost its tail,
    /// may hold less of the records handed over to this crossing than the hub remembers.
    async fn introduce(&self, me: Enrolment) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        if !self.store.enrolments().await?.contains(&me) {
            batch.append.enrolments.push(me);
        }

        let loss = match self.store.anchor_state() {
            AnchorState::LostTail { anchored, held, .. } => Some(format!("{anchored} {held}")),
            AnchorState::Unanchored => Some("unanchored".into()),
            _ => None,
        };

        let (scope, key) = LOSS_TOLD;
        let told = self.store.local(&scope, key).await?;
        if self.me.role == Role::Crossing && (!batch.append.enrolments.is_empty() || told != loss) {
            let local = |scope: LocalScope, key: &str, value| LocalKey {
                scope,
                key: key.into(),
                value,
            };

            if !batch.append.enrolments.is_empty() || loss.is_some() {
                batch
                    .local
                    .keys
                    .push(local(EXCERPT_LOST, ALL_EXCERPTS, String::new()));
            }

            match loss {
                Some(loss) => batch.local.keys.push(local(scope, key, loss)),
                None => batch
                    .local
                    .keys_gone
                    .extend(told.map(|_| (scope, key.to_string()))),
            }
        }

        if !batch.is_empty() {
            self.store.commit(batch).await?;
        }

        self.renew_projections().await
    }

    /// Records that another version projected are projected anew by the next round of the scrub,
    /// which is now.
    async fn renew_projections(&self) -> Result<(), StoreError> {
        let (scope, key) = PROJECTION;
        if self.store.local(&scope, key).await?.as_deref() == Some(PROJECTION_VERSION) {
            return Ok(());
        }

        if self.store.counts().await?.records > 0 {
            tracing::info!("another version projected the records: they are projected anew");
            self.scrub_now.notify_one();
        }

        let version = LocalKey {
            scope,
            key: key.into(),
            value: PROJECTION_VERSION.into(),
        };

        match self
            .store
            .commit(Batch::from(LocalState {
                keys: vec![version],
                ..LocalState::default()
            }))
            .await
        {
            // A full disk keeps nobody from starting: the next start projects once more.
            Err(error) if error.is_passing() => Ok(()),
            done => done,
        }
    }

    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.me.node()
    }

    /// The node's own enrolment.
    pub fn me(&self) -> &Enrolment {
        &self.me
    }

    /// The node's clock, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The store, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What is known of the time; it moves as the hub is heard.
    pub fn time(&self) -> &Arc<KnownTime> {
        &self.time
    }

    /// A listener for what happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Reads control facts.
    pub fn with_control<T>(&self, read: impl FnOnce(&Control) -> T) -> T {
        read(&self.control.read().expect("no panic holds it"))
    }

    pub(crate) async fn put(&self, work: Command) {
        let _ = self.queue.send(work).await;
    }

    pub(crate) async fn ask<T>(
        &self,
        work: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.queue
            .send(work(reply))
            .await
            .map_err(|_| NodeError::Stopping)?;
        answer.await.map_err(|_| NodeError::Stopping)?
    }

    /// Writes; durable, with its anchor, when it returns.
    pub async fn write(&self, write: Write) -> Result<Written, NodeError> {
        self.write_in_room(write).await
    }

    /// Writes many at once, each for itself, in order; many share a commit.
    pub async fn write_all(&self, writes: Vec<Write>) -> Vec<Result<Written, NodeError>> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            let (reply, answer) = oneshot::channel();
            let sent = self
                .queue
                .send(Command::Write(Box::new(write), reply))
                .await;
            answers.push((sent, answer));
        }

        let mut out = Vec::with_capacity(answers.len());
        for (sent, answer) in answers {
            out.push(match sent {
                Ok(()) => answer.await.unwrap_or(Err(NodeError::Stopping)),
                Err(_) => Err(NodeError::Stopping),
            });
        }

        out
    }

    /// Writes control entries into this node's own control log; most kinds are a hub's alone.
    pub async fn write_control(
        &self,
        bodies: Vec<Body>,
        officer: &str,
    ) -> Result<Vec<Reference>, NodeError> {
        self.ask(|reply| Command::Control(bodies, officer.into(), reply))
            .await
    }

    pub(crate) async fn ingest(
        &self,
        block: Block,
        peer: NodeId,
    ) -> oneshot::Receiver<BlockOutcome> {
        let (reply, answer) = oneshot::channel();
        self.put(Command::Ingest(block, peer, reply)).await;
        answer
    }

    pub(crate) async fn carry(&self, carried: Carried) -> bool {
        let (reply, answer) = oneshot::channel();
        self.put(Command::Carry(carried, reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Notes something refused, to be shown.
    pub async fn note_refusal(&self, subject: String, code: String, why: String, peer: String) {
        let at_ms = self.now_ms();
        self.put(Command::Refusal(RefusalRow {
            subject,
            code,
            why,
            peer,
            at_ms,
            times: 1,
        }))
        .await;
    }

    /// Remembers something of a peer.
    pub(crate) async fn remember_peer(&self, row: PeerRow) {
        self.put(Command::Peer(row)).await;
    }

    /// Writes local keys, durably: they never leave this node.
    pub async fn set_local(
        &self,
        keys: Vec<LocalKey>,
        gone: Vec<(LocalScope, String)>,
    ) -> Result<(), NodeError> {
        self.ask(|reply| Command::Local(keys, gone, reply)).await
    }

    /// Lets a device's counter begin anew: no number that it gives from now on was given before.
    /// How often that was done.
    pub async fn begin_anew(&self, device: &str) -> Result<u64, NodeError> {
        self.ask(|reply| Command::BeginAnew(device.into(), reply))
            .await
    }

    /// The cursor of the newest change that was reconciled, with all before it.
    pub fn reconciled(&self) -> i64 {
        self.reconciled.load(Ordering::Relaxed)
    }

    /// Raises an alarm of the daemon's, or ends it.
    pub fn set_alarm(&self, about: &'static str, alarm: Option<String>) {
        let mut alarms = self.alarms.lock().expect("no panic holds it");
        match alarm {
            Some(text) => drop(alarms.insert(about, text)),
            None => drop(alarms.remove(about)),
        }
    }

    /// Changes how a peer stands, for status.
    pub fn note_peer(&self, peer: NodeId, change: impl FnOnce(&mut PeerStatus)) {
        change(
            self.peers
                .lock()
                .expect("no panic holds it")
                .entry(peer)
                .or_default(),
        );
    }

    /// Finishes what is queued, closes the store and returns when all is on disk.
    pub async fn stop(&self) {
        self.tasks.stopping();
        let reconciler = self.reconciler.lock().expect("no panic holds it").take();
        let scrubber = self.scrubber.lock().expect("no panic holds it").take();
        let runner = self.runner.lock().expect("no panic holds it").take();
        for task in [reconciler, scrubber, runner].into_iter().flatten() {
            // What it was at is begun again from its cursor at the next start.
            task.abort();
            let _ = task.await;
        }

        let (reply, done) = oneshot::channel();
        let closed = self.queue.send(Command::Stop(reply)).await.is_ok() && done.await.is_ok();
        if !closed {
            // The sequencer is gone, and closes nothing any more.
            self.store.close().await;
        }

        let handle = self.sequencer.lock().expect("no panic holds it").take();
        if let Some(handle) = handle {
            let _ = handle.await;
        }
    }
}

impl Node {
    /// The heads held of a node's logs, ascending: where a cut would fall.
    pub fn heads_of(&self, node: &NodeId) -> Vec<wadi_log::Head> {
        let frontier = self.frontier.read().expect("no panic holds it");
        let own = frontier
            .0
            .iter()
            .filter(|(l, t)| l.node == *node && t.size > 0);

        own.map(|(l, t)| wadi_log::Head {
            log: *l,
            size: t.size,
            root: t.root,
        })
        .collect()
    }
}
