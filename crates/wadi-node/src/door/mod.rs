//! The one way in, and what all wings share.
//!
//! Whoever wants something changed sends a [`command::Command`] through the [`Door`] and waits for
//! the answer; whoever only reads, reads what the sequencer published, or the store. What two wings
//! have in common lies here, so that none of them needs another.

pub(crate) mod based_on;
mod beside;
pub(crate) mod budget_limits;
pub(crate) mod budgets;
pub(crate) mod budgets_kept;
pub(crate) mod clock;
pub(crate) mod clock_doubts;
pub(crate) mod command;
pub(crate) mod command_queue;
pub(crate) mod contacts;
pub(crate) mod device_habits;
pub(crate) mod disk;
mod ended_alone;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod excerpt;
pub(crate) mod held_of_peers;
pub(crate) mod hold_terms;
pub(crate) mod hub_holdings;
mod introduce;
pub(crate) mod known_time;
pub(crate) mod live;
pub(crate) mod losses;
pub(crate) mod next_contact;
mod off_shift;
pub(crate) mod orders;
pub(crate) mod own_papers;
pub(crate) mod pace;
pub(crate) mod peer_links;
pub(crate) mod peers;
pub(crate) mod projections;
pub(crate) mod proofs;
mod read_again;
pub(crate) mod refused_callers;
pub(crate) mod resync_state;
pub(crate) mod scopes;
pub(crate) mod sealing;
mod second_look;
pub(crate) mod shared_terms;
pub(crate) mod signatory;
pub(crate) mod status;
pub(crate) mod suspects;
pub(crate) mod tasks;
mod told_chain;
pub(crate) mod traffic;
pub(crate) mod write;

use crate::ledger::{repair::RepairQueue, view::LedgerView};
use budget_limits::Cost;
use budgets::{Budgets, MemberCost};
use clock::Clock;
use clock_doubts::ClockDoubts;
use command::{BlockOutcome, Command, Reply};
use command_queue::CommandQueue;
use contacts::Contacts;
use device_habits::DeviceHabits;
use disk::DiskBudget;
use error::NodeError;
use event::Event;
use held_of_peers::PeerHoldings;
use hub_holdings::HubHoldings;
use known_time::KnownTime;
use live::{LiveParts, LiveVersions};
use orders::Orders;
use own_papers::OwnPapersHeld;
use peer_links::PeerLinks;
use projections::Projections;
use refused_callers::RefusedCallers;
use scopes::DigestsRead;
use second_look::SecondLook;
use shared_terms::SharedTerms;
use signatory::Signatory;
use status::{CountryStanding, PeerStatus, ScrubStatus};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64},
    },
    time::{Duration, Instant},
};
use suspects::Suspects;
use tasks::Tasks;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use wadi_log::{
    Block, Body, Control, Enrolment, Frontier, Lane, LogKey, NodeId, Reference, Role, RootKey,
};
use wadi_record::Policy;
use wadi_store::{Batch, Carried, LocalKey, LocalScope, PeerRow, RefusalRow, Store, StoreError};
use write::{Write, Written};

/// A node's keys and papers.
#[derive(Clone)]
pub struct NodeKeys {
    /// Signs checkpoints and cosignatures.
    pub log_key: LogKey,
    /// The commission's root.
    pub root: RootKey,
}

/// Rows that a wing handed in; nothing to wait for where there were none.
pub(crate) struct HandedIn(Option<oneshot::Receiver<Result<(), NodeError>>>);

impl HandedIn {
    /// Waits until they are durable.
    pub(crate) async fn durable(self) -> Result<(), StoreError> {
        let Some(answer) = self.0 else {
            return Ok(());
        };
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(NodeError::Store(error))) => Err(error),
            // Nothing else is said of rows: the sequencer is stopping.
            Ok(Err(_)) | Err(_) => Err(StoreError::Closed),
        }
    }
}

/// The one way in. It sends commands to the sequencer, and holds what every wing may read.
pub struct Door {
    /// What the sequencer works off, in order.
    pub(crate) queue: CommandQueue,
    /// For reading: the pipeline writes.
    pub(crate) store: Arc<dyn Store>,
    /// What is known of logs, as far as it is durable.
    pub(crate) views: watch::Receiver<Arc<LedgerView>>,
    /// What is known of the hub's time.
    pub(crate) time: Arc<KnownTime>,
    /// What happens, for whoever listens.
    pub(crate) events: broadcast::Sender<Event>,
    /// What changed, for whoever shows it.
    pub(crate) live: Arc<LiveParts>,
    /// The node's own enrolment.
    pub(crate) me: Enrolment,
    pub(crate) keys: NodeKeys,
    pub(crate) clock: Arc<dyn Clock>,
    /// How each peer stands.
    pub(crate) peers: Mutex<BTreeMap<NodeId, PeerStatus>>,
    /// When each peer was in contact.
    pub(crate) contacts: Contacts,
    /// What hubs hold of others' logs, as they said.
    pub(crate) hub_holdings: HubHoldings,
    /// What peers have this node hold in memory.
    pub(crate) held_of_peers: Arc<PeerHoldings>,
    /// Which peers hold the node's own enrolment.
    pub(crate) own_papers: OwnPapersHeld,
    /// The links that stand.
    pub(crate) links: PeerLinks,
    /// Alarms of the porches and the daemon, by what they are about.
    pub(crate) alarms: Mutex<BTreeMap<&'static str, String>>,
    /// Callers who were turned away.
    pub(crate) refused_callers: RefusedCallers,
    /// Orders of resyncs, as the control logs have them.
    pub(crate) orders: Arc<Mutex<Orders>>,
    /// What this node lacks and peers may hold.
    pub(crate) wants: Arc<Mutex<RepairQueue>>,
    /// When this node's own certificate ends, Unix seconds; 0 where nobody said.
    pub(crate) own_certificate_ends_s: AtomicI64,
    /// How the country log stands; none before it has a checkpoint, and where none is kept.
    pub(crate) country_log: Mutex<Option<CountryStanding>>,
    /// How the scrub stands.
    pub(crate) scrub: Mutex<ScrubStatus>,
    /// Has everything read through soon.
    pub(crate) scrub_now: Arc<Notify>,
    /// Wakes the reconciler.
    pub(crate) reconcile: Arc<Notify>,
    /// Every record is to be looked at afresh by the reconciler.
    pub(crate) recheck: Arc<AtomicBool>,
    /// The cursor of the newest change that was reconciled.
    pub(crate) reconciled: watch::Sender<i64>,
    /// How often the reconciler found nothing left to look at.
    pub(crate) reconciler_rests: AtomicU64,
    /// Logs that were counted anew since the start.
    #[cfg(test)]
    pub(crate) logs_counted: Arc<AtomicU64>,
    /// What there is room for on the disk.
    pub(crate) room: Arc<DiskBudget>,
    /// The tasks that this node lives by.
    pub(crate) tasks: Arc<Tasks>,
    /// What earlier starts ended over.
    pub(crate) suspects: Arc<Suspects>,
    /// What the rules are to read of the records that were written last.
    pub(crate) projections: Arc<Projections>,
    /// Which terms more than one record has; at a hub.
    pub(crate) shared_terms: Arc<SharedTerms>,
    /// Entries whose times the hub's word does not allow; at a hub.
    pub(crate) clock_doubts: Arc<ClockDoubts>,
    /// How often each device gives readings.
    pub(crate) device_habits: Arc<DeviceHabits>,
    /// What members may cost, and did.
    pub(crate) budgets: Arc<Budgets>,
    /// What this node's records come to, as it was read last for a peer.
    pub(crate) digests: DigestsRead,
    /// Through which times crossings are heard whatever they signed: a test's word.
    #[cfg(test)]
    pub(crate) heard_in_tests: Mutex<BTreeMap<String, i64>>,
}

impl Door {
    /// The node's id.
    pub fn id(&self) -> NodeId {
        self.me.node()
    }

    /// The node's own enrolment.
    pub fn me(&self) -> &Enrolment {
        &self.me
    }

    /// A node's name, or its id where it is not known.
    pub(crate) fn name_of(&self, id: &NodeId) -> String {
        self.with_control(|c| {
            c.enrolment(id)
                .map_or_else(|| id.to_string(), |e| e.name.clone())
        })
    }

    /// The node's clock, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// What is known of the time; it moves as the hub is heard.
    pub fn time(&self) -> &Arc<KnownTime> {
        &self.time
    }

    /// The store, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A listener for what happens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Which parts of what is shown change from now on. It is told when they are durable.
    pub fn live(&self) -> watch::Receiver<LiveVersions> {
        self.live.follow()
    }

    /// What is known of logs, as far as it is durable. It stays what it is while it is looked at.
    pub fn view(&self) -> Arc<LedgerView> {
        self.views.borrow().clone()
    }

    /// Reads control facts.
    pub fn with_control<T>(&self, read: impl FnOnce(&Control) -> T) -> T {
        read(&self.view().control)
    }

    /// How far each log has come.
    pub(crate) fn frontier(&self) -> Arc<Frontier> {
        self.view().frontier.clone()
    }

    /// The newest policy, and its revision: 0 where the hub said none yet, and all are defaults.
    pub fn policy_in_force(&self) -> (u64, Policy) {
        self.with_control(|c| {
            let newest = c.policy(|_| u64::MAX);
            newest.map_or_else(
                || (0, Policy::default()),
                |(_, p)| (p.revision, Policy::read(&p.text).unwrap_or_default()),
            )
        })
    }

    /// The policy now in force.
    pub(crate) fn policy_now(&self) -> Policy {
        self.policy_in_force().1
    }

    /// The heads held of a node's logs, ascending: where a cut would fall.
    pub fn heads_of(&self, node: &NodeId) -> Vec<wadi_log::Head> {
        let frontier = self.frontier();
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

    /// What each member costs this node, and how it stands.
    pub fn costs(&self) -> Vec<MemberCost> {
        let now = Instant::now();
        let held = |id: &NodeId| self.held_of_peers.of(id);
        self.budgets.of_members(now, |id| self.name_of(id), held)
    }

    /// What peers have this node hold in memory, for whoever carries their messages to count, too.
    pub fn held_of_peers(&self) -> &Arc<PeerHoldings> {
        &self.held_of_peers
    }

    /// Commands that wait for the sequencer: this node's own, and by the name of the peer.
    pub fn waiting_commands(&self) -> (usize, BTreeMap<String, usize>) {
        let (own, of_peers) = self.queue.depths();
        let named = of_peers.into_iter().map(|(id, n)| (self.name_of(&id), n));
        (own, named.collect())
    }

    /// How this node stands for room on its disk.
    pub fn room(&self) -> &DiskBudget {
        &self.room
    }

    /// The tasks that this node lives by.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    /// What earlier starts ended over.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
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

    /// Sends a command; waits for nothing but a place in the queue.
    pub(crate) async fn put(&self, work: Command) {
        self.queue.send(work).await;
    }

    /// Sends what a peer brought; waits for one of its places in the queue.
    pub(crate) async fn put_from(&self, peer: NodeId, work: Command) {
        self.queue.send_from(peer, work).await;
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        work: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(work(reply)).await;
        answer.await.map_err(|_| NodeError::Stopping)?
    }

    /// Writes; durable, with its anchor, when it returns. A hold that found the disk full is
    /// written again in the room that the ballast gave up.
    pub async fn write(&self, write: Write) -> Result<Written, NodeError> {
        let look = SecondLook::of(self, &write);
        let mut written = self.write_kept(write).await?;
        self.look_again(look, &mut written).await;
        Ok(written)
    }

    async fn write_kept(&self, write: Write) -> Result<Written, NodeError> {
        let again = (write.draft.kind.lane() == Lane::Hold).then(|| write.clone());
        let done = self
            .ask(|reply| Command::Write(Box::new(write), reply))
            .await;
        let full = matches!(done, Err(NodeError::Store(StoreError::Full(_))));

        if let Some(write) = again.filter(|_| full)
            && self.room.make_way().await
        {
            return self
                .ask(|reply| Command::Write(Box::new(write), reply))
                .await;
        }

        done
    }

    /// Writes rows that a wing made; durable when it returns.
    pub(crate) async fn keep(&self, batch: Batch) -> Result<(), StoreError> {
        self.hand_in(batch).await.durable().await
    }

    /// Hands in rows that a wing made, which may go on while they are written.
    pub(crate) async fn hand_in(&self, batch: Batch) -> HandedIn {
        if batch.is_empty() {
            return HandedIn(None);
        }

        let (reply, answer) = oneshot::channel();
        self.put(Command::Keep(Box::new(batch), reply)).await;
        HandedIn(Some(answer))
    }

    /// Writes many at once, each for itself, in order; many share a commit. They are a backlog:
    /// none of them is held against shift books and lookalikes, which are for who stands at the
    /// gate.
    pub async fn write_all(&self, writes: Vec<Write>) -> Vec<Result<Written, NodeError>> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            let (reply, answer) = oneshot::channel();
            self.put(Command::Write(Box::new(write), reply)).await;
            answers.push(answer);
        }

        let mut out = Vec::with_capacity(answers.len());
        for answer in answers {
            out.push(answer.await.unwrap_or(Err(NodeError::Stopping)));
        }

        out
    }

    /// Writes control entries into this node's own control log; most kinds are a hub's alone.
    pub async fn write_control(
        &self,
        bodies: Vec<Body>,
        signatory: impl Into<Signatory>,
    ) -> Result<Vec<Reference>, NodeError> {
        let signatory = signatory.into();
        self.ask(|reply| Command::Control(bodies, signatory, reply))
            .await
    }

    /// Hands over a block that a peer sent; the answer comes when it is durable, or refused.
    pub(crate) async fn ingest(
        &self,
        block: Block,
        peer: NodeId,
    ) -> oneshot::Receiver<BlockOutcome> {
        let (reply, answer) = oneshot::channel();
        self.put_from(peer, Command::Ingest(block, peer, reply))
            .await;
        answer
    }

    /// Keeps a block for its owner. Whether it is kept.
    pub(crate) async fn carry(&self, carried: Carried) -> bool {
        let (reply, answer) = oneshot::channel();
        self.put_from(carried.log.node, Command::Carry(carried, reply))
            .await;
        answer.await.unwrap_or(false)
    }

    /// Notes something refused, to be shown.
    pub async fn note_refusal(&self, subject: String, code: String, why: String, peer: String) {
        let at_ms = self.now_ms();
        let from: Option<NodeId> = peer.parse().ok();
        let refusal = Command::Refusal(RefusalRow {
            subject,
            code,
            why,
            peer,
            at_ms,
            times: 1,
        });

        match from {
            Some(from) if self.charges_refusal(from) => self.put_from(from, refusal).await,
            // It has so many that no more are written down.
            Some(_) => {}
            None => self.put(refusal).await,
        }
    }

    fn charges_refusal(&self, peer: NodeId) -> bool {
        let role = self.with_control(|c| c.role(&peer));
        let role = role.unwrap_or(Role::Crossing);
        let now = Instant::now();
        self.budgets.charge(peer, role, Cost::Refusals, 1.0, now);
        self.budgets.pauses_peer(&peer, now) != Some(Cost::Refusals)
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

    /// Whether the sequencer works off commands and its commits come to an end: it answers within
    /// that time. Nothing is written.
    pub async fn answers_within(&self, time: Duration) -> bool {
        let asked = self.set_local(vec![], vec![]);
        matches!(tokio::time::timeout(time, asked).await, Ok(Ok(())))
    }

    /// The devices that gave numbers here.
    pub async fn numbered_devices(&self) -> Result<std::collections::BTreeSet<String>, NodeError> {
        let newest = self.store.local_all(&LocalScope::Device).await?;
        let names = newest.iter().map(|kept| write::device_of_run(&kept.key));
        Ok(names.map(String::from).collect())
    }

    /// Lets a device's counter begin anew: no number that it gives from now on was given before.
    /// How often that was done.
    pub async fn begin_anew(&self, device: &str) -> Result<u64, NodeError> {
        self.ask(|reply| Command::BeginAnew(device.into(), reply))
            .await
    }

    /// The cursor of the newest change that was reconciled, with all before it.
    pub fn reconciled(&self) -> i64 {
        *self.reconciled.borrow()
    }
}
