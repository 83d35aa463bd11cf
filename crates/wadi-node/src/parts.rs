//! What a node starts from, and what its sequencer and its door share from the first moment on.

use crate::{
    door::{
        Door, NodeKeys,
        budget_limits::BudgetLimits,
        budgets::Budgets,
        budgets_kept,
        clock::Clock,
        clock_doubts::{self, ClockDoubts},
        command_queue::CommandQueue,
        contacts::{self, Contacts},
        device_habits::{self, DeviceHabits},
        disk::DiskBudget,
        error::NodeError,
        event::Event,
        known_time::KnownTime,
        live::LiveParts,
        orders::Orders,
        peer_links::PeerLinks,
        projections::Projections,
        shared_terms::SharedTerms,
        suspects::Suspects,
        tasks::Tasks,
    },
    ledger::{Ledger, repair::RepairQueue, view::LedgerView},
    pipeline::sequencer::Sequencer,
    upkeep::scrub::ScrubPace,
};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicU64},
    },
    time::Instant,
};
use tokio::sync::{Notify, broadcast, watch};
use wadi_log::{Enrolment, Role};
use wadi_store::Store;

/// Events kept for a session that is slow to listen; one that falls behind compares frontiers
/// instead.
const EVENTS_MAX: usize = 1_024;

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
    /// What members may cost.
    pub budgets: BudgetLimits,
}

/// What both hold. Whoever writes tells the other through it.
pub(crate) struct SharedParts {
    pub(crate) keys: NodeKeys,
    pub(crate) tasks: Arc<Tasks>,
    me: Enrolment,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    time: Arc<KnownTime>,
    events: broadcast::Sender<Event>,
    live: Arc<LiveParts>,
    reconcile: Arc<Notify>,
    recheck: Arc<AtomicBool>,
    wants: Arc<Mutex<RepairQueue>>,
    orders: Arc<Mutex<Orders>>,
    room: Arc<DiskBudget>,
    scrub_now: Arc<Notify>,
    logs_counted: Arc<AtomicU64>,
    suspects: Arc<Suspects>,
    projections: Arc<Projections>,
    shared_terms: Arc<SharedTerms>,
    clock_doubts: Arc<ClockDoubts>,
    device_habits: Arc<DeviceHabits>,
    contacts: Contacts,
    budgets: Arc<Budgets>,
}

impl SharedParts {
    /// The parts of a node that starts. Doubts about clocks, the habits of devices, and when peers
    /// were in contact, are remembered from earlier starts.
    pub(crate) async fn new(start: Start) -> Result<Self, NodeError> {
        let (events, _) = broadcast::channel(EVENTS_MAX);
        let clock_doubts: Arc<ClockDoubts> = Arc::default();
        let kept = start.store.local_all(&clock_doubts::SCOPE).await?;
        clock_doubts.recall(&kept);
        let device_habits: Arc<DeviceHabits> = Arc::default();
        let kept = start.store.local_all(&device_habits::SCOPE).await?;
        device_habits.recall(&kept, start.clock.steady_ms());
        let contacts = Contacts::default();
        contacts.recall(&start.store.local_all(&contacts::SCOPE).await?);
        let is_hub = start.me.role == Role::Hub;
        let shared_terms = SharedTerms::of(start.me.role);
        let budgets = Arc::new(Budgets::new(start.me.node(), start.budgets));
        let kept = start.store.local_all(&budgets_kept::SCOPE).await?;
        budgets.recall(&kept, Instant::now(), start.clock.now_ms());

        Ok(Self {
            keys: start.keys,
            tasks: Arc::default(),
            me: start.me,
            store: start.store,
            time: Arc::new(KnownTime::new(start.clock.clone(), is_hub)),
            live: Arc::new(LiveParts::new(start.clock.now_ms())),
            clock: start.clock,
            events,
            reconcile: Arc::default(),
            recheck: Arc::default(),
            wants: Arc::default(),
            orders: Arc::default(),
            room: Arc::default(),
            scrub_now: Arc::default(),
            logs_counted: Arc::default(),
            suspects: Arc::new(start.suspects),
            projections: Arc::default(),
            shared_terms: Arc::new(shared_terms),
            clock_doubts,
            device_habits,
            contacts,
            budgets,
        })
    }

    /// The sequencer, which knows nothing yet of what is stored.
    pub(crate) fn sequencer(
        &self,
        ledger: Ledger,
        views: watch::Sender<Arc<LedgerView>>,
    ) -> Sequencer {
        Sequencer {
            store: self.store.clone(),
            keys: self.keys.clone(),
            me: self.me.clone(),
            clock: self.clock.clone(),
            ledger,
            views,
            time: self.time.clone(),
            events: self.events.clone(),
            live: self.live.clone(),
            records: Default::default(),
            projections: self.projections.clone(),
            shared_terms: self.shared_terms.clone(),
            clock_doubts: self.clock_doubts.clone(),
            device_habits: self.device_habits.clone(),
            clock_doubt: None,
            reconcile: self.reconcile.clone(),
            recheck: self.recheck.clone(),
            room: self.room.clone(),
            stale: false,
            last_ms: 0,
            wants: self.wants.clone(),
            orders: self.orders.clone(),
            side: Default::default(),
            scrub_now: self.scrub_now.clone(),
            tasks: self.tasks.clone(),
            suspects: self.suspects.clone(),
            in_flight: None,
            pending_seen: Default::default(),
            logs_counted: self.logs_counted.clone(),
            budgets: self.budgets.clone(),
            took: Default::default(),
            contention: Default::default(),
        }
    }

    /// The door before the sequencer that works off `queue`.
    pub(crate) fn door(self, queue: CommandQueue, views: watch::Receiver<Arc<LedgerView>>) -> Door {
        Door {
            queue,
            store: self.store,
            views,
            time: self.time,
            events: self.events,
            live: self.live,
            me: self.me,
            keys: self.keys,
            clock: self.clock,
            peers: Mutex::default(),
            contacts: self.contacts,
            hub_holdings: Default::default(),
            held_of_peers: Default::default(),
            own_papers: Default::default(),
            links: PeerLinks::default(),
            alarms: Mutex::default(),
            refused_callers: Default::default(),
            orders: self.orders,
            wants: self.wants,
            scrub: Mutex::default(),
            scrub_now: self.scrub_now,
            reconcile: self.reconcile,
            recheck: self.recheck,
            reconciled: watch::Sender::new(0),
            own_certificate_ends_s: AtomicI64::new(0),
            country_log: Mutex::default(),
            reconciler_rests: AtomicU64::new(0),
            #[cfg(test)]
            logs_counted: self.logs_counted,
            room: self.room,
            tasks: self.tasks,
            suspects: self.suspects,
            projections: self.projections,
            shared_terms: self.shared_terms,
            clock_doubts: self.clock_doubts,
            device_habits: self.device_habits,
            budgets: self.budgets,
            digests: Default::default(),
            #[cfg(test)]
            heard_in_tests: Mutex::default(),
        }
    }
}
