//! The sequencer: the one task that changes a node. It keeps in memory what every write and every
//! block needs.

use crate::{
    door::{
        NodeKeys, budgets::Budgets, clock::Clock, clock_doubts::ClockDoubts,
        device_habits::DeviceHabits, disk::DiskBudget, error::NodeError, event::Event,
        known_time::KnownTime, live::LiveParts, orders::Orders, projections::Projections,
        shared_terms::SharedTerms, suspects::Suspects, tasks::Tasks,
    },
    ledger::{Ledger, LogHead, repair::RepairQueue, view::LedgerView},
    pipeline::{InFlight, room::Contention},
    records::shelf::RecordCache,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};
use tokio::sync::{Notify, broadcast, watch};
use wadi_log::{
    Control, Enrolment, Epoch, ForkProof, Hash, Head, Lane, LogId, NodeId, Reference, Tip,
    VerifiedEntry,
};
use wadi_store::{AnchorState, Batch, LocalScope, Store, StoreError};

/// The sequencer's name among the tasks.
pub(crate) const TASK: &str = "sequencer";

/// Control entries read at once.
const LOAD_ROWS: u32 = 512;

pub(crate) struct Sequencer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: NodeKeys,
    pub(crate) me: Enrolment,
    pub(crate) clock: Arc<dyn Clock>,
    /// What is known of logs, with all that is sequenced and not yet durable.
    pub(crate) ledger: Ledger,
    /// What everybody else reads of logs.
    pub(crate) views: watch::Sender<Arc<LedgerView>>,
    pub(crate) time: Arc<KnownTime>,
    pub(crate) events: broadcast::Sender<Event>,
    /// What changed, for whoever shows it.
    pub(crate) live: Arc<LiveParts>,
    pub(crate) records: RecordCache,
    /// What the rules are to read of the records that were written last.
    pub(crate) projections: Arc<Projections>,
    /// Which terms more than one record has; at a hub.
    pub(crate) shared_terms: Arc<SharedTerms>,
    /// Entries whose times the hub's word does not allow; at a hub.
    pub(crate) clock_doubts: Arc<ClockDoubts>,
    /// How often each device gives readings.
    pub(crate) device_habits: Arc<DeviceHabits>,
    /// By how much clocks may differ, milliseconds, and the policy that says it.
    pub(crate) clock_doubt: Option<(Option<Reference>, i64)>,
    pub(crate) reconcile: Arc<Notify>,
    pub(crate) recheck: Arc<AtomicBool>,
    pub(crate) room: Arc<DiskBudget>,
    pub(crate) stale: bool,
    pub(crate) last_ms: i64,
    pub(crate) wants: Arc<Mutex<RepairQueue>>,
    pub(crate) orders: Arc<Mutex<Orders>>,
    /// Entries of other branches that this group brought and that the store does not hold yet.
    pub(crate) side: HashSet<Reference>,
    /// Has everything read through, where something was found or missed that only that sets right.
    pub(crate) scrub_now: Arc<Notify>,
    pub(crate) tasks: Arc<Tasks>,
    /// What earlier starts ended over: refused by name.
    pub(crate) suspects: Arc<Suspects>,
    /// The commit that the store is writing.
    pub(crate) in_flight: Option<InFlight>,
    /// Logs that were counted anew since the start, for whoever measures what a flood costs.
    pub(crate) logs_counted: Arc<AtomicU64>,
    /// What the `Seen` entries of the commit in the making name, by log and position.
    pub(crate) pending_seen: HashMap<LogId, Vec<(u64, Vec<Head>)>>,
    /// What members may cost, and did.
    pub(crate) budgets: Arc<Budgets>,
    /// How long what peers brought took, by peer, until it is charged to their turns.
    pub(crate) took: BTreeMap<NodeId, Duration>,
    /// When somebody last waited behind what others brought.
    pub(crate) contention: Contention,
}

impl Sequencer {
    /// Recalls at the start what is stored, says it to whoever reads, and asks for the branches of
    /// forked logs.
    pub(crate) async fn recall(&mut self) -> Result<(), NodeError> {
        self.load().await?;
        self.recall_time().await?;
        self.find_watermarks();
        let view = self.ledger.snapshot();
        self.publish(view);

        let proofs: Vec<ForkProof> = self.ledger.control().forks().values().cloned().collect();
        for proof in &proofs {
            self.want_branches(proof).await?;
        }

        Ok(())
    }

    /// Reads logs, enrolments, control entries, forks and cosignatures out of the store: at the
    /// start, after a commit that failed and left memory ahead of the disk, and where control
    /// entries or whole branches came to stand otherwise. Returns the logs of which more or less
    /// counts than was known.
    pub(crate) async fn load(&mut self) -> Result<Vec<LogId>, StoreError> {
        // Everybody goes by what was known until all of it is read.
        let mut control = self.stored_members().await?;
        let cosigned_s = self.load_cosignatures(&mut control).await?;
        for proof in self.store.forks().await? {
            // One that rotted would put a bound to a log that was never forked.
            if control
                .enrolment(&proof.log().node)
                .is_none_or(|author| proof.verify(author).is_ok())
            {
                control.learn_fork(proof);
            }
        }

        let rows = self.store.logs().await?;
        let controls: Vec<(LogId, u64)> = {
            let held = rows.iter().filter(|row| row.log.lane == Lane::Control);
            held.map(|row| (row.log, row.peaks.size())).collect()
        };

        // Hubs' logs twice: the first reading may bring the enrolment that the right of another's
        // entries rests on.
        for (log, size) in controls.iter().chain(&controls) {
            self.load_control(log, *size, &mut control).await?;
        }

        let heads = rows.into_iter().map(|row| {
            self.last_ms = self.last_ms.max(row.grew_ms);
            let head = LogHead {
                peaks: row.peaks,
                checkpoint: Some(row.checkpoint),
            };
            (row.log, head)
        });

        self.ledger.reload(control, heads, cosigned_s);
        self.records.clear();
        self.projections.clear();

        let before = self.ledger.uncount();
        self.recount().await?;
        let moved = self.ledger.moved_since(&before);
        self.find_watermarks();

        let view = self.ledger.snapshot();
        self.publish(view);

        let last = self.stored_epoch().await?;
        self.ledger.recall_epoch(last);

        Ok(moved)
    }

    /// The members whose enrolments are stored, this node among them.
    async fn stored_members(&self) -> Result<Control, StoreError> {
        let mut control = Control::new(*self.ledger.control().root());
        let stored = self.store.enrolments().await?;
        for e in stored.into_iter().chain([self.me.clone()]) {
            let _ = control.enrol(e);
        }

        Ok(control)
    }

    /// Learns who cosigned which head. Answers when this node itself did, Unix seconds.
    async fn load_cosignatures(
        &self,
        control: &mut Control,
    ) -> Result<HashMap<LogId, i64>, StoreError> {
        let mut cosigned_s = HashMap::new();
        for c in self.store.cosignatures(None).await? {
            let head = &c.checkpoint.checkpoint;
            let tip = Tip {
                size: head.size,
                root: head.root,
            };

            control.learn_cosigned(c.cosignature.witness, head.log, tip);
            if c.cosignature.witness == self.ledger.node() {
                cosigned_s.insert(head.log, c.cosignature.time_s as i64);
            }
        }

        Ok(cosigned_s)
    }

    /// The epoch in which this node wrote last.
    async fn stored_epoch(&self) -> Result<Option<Epoch>, StoreError> {
        let last = self
            .store
            .local(&LocalScope::Epoch, &self.ledger.node().to_string())
            .await?;
        let last = match last {
            Some(last) => Some(last),
            // As versions wrote it that knew one node to a database.
            None => self.store.local(&LocalScope::Epoch, "last").await?,
        };

        let last = last.and_then(|text| text.parse().ok());
        Ok(last.or_else(|| match self.store.anchor_state() {
            // A database that was begun anew knows of none; the anchor does.
            AnchorState::LostTail { heads, .. } => heads.first().map(|(log, _)| log.epoch),
            _ => None,
        }))
    }

    /// Takes in what a control log says. An entry that is rotten says nothing until it is fetched
    /// back; the node runs all the same, or nobody would fetch it.
    async fn load_control(
        &self,
        log: &LogId,
        size: u64,
        control: &mut Control,
    ) -> Result<(), StoreError> {
        let mut from = Some(0);
        while let Some(at) = from {
            let mut part = self.store.raw_entries(log, at, LOAD_ROWS).await?;
            // A position that does not read, or lies past the head, is none of the log.
            part.retain(|raw| (at..size).contains(&raw.seq));
            from = part.last().and_then(|last| last.seq.checked_add(1));

            for raw in part {
                let leaf = Hash::from_slice(&raw.leaf).unwrap_or_default();
                let reference = Reference {
                    log: *log,
                    seq: raw.seq,
                    leaf,
                };

                let Ok(verified) = VerifiedEntry::recheck(reference, raw.bytes) else {
                    tracing::error!(entry = %reference, "a control entry is damaged; what it says is not known");
                    self.scrub_now.notify_one();
                    continue;
                };

                if let Some(entry) = verified.entry()
                    && control.check_right(log, entry).is_ok()
                {
                    control.learn(reference, entry);
                    self.orders
                        .lock()
                        .expect("no panic holds it")
                        .learn(reference, &entry.body);
                }
            }
        }

        Ok(())
    }

    /// Lets everybody read what is known of logs now that it is durable.
    pub(crate) fn publish(&self, view: Arc<LedgerView>) {
        debug_assert!(
            view.generation > self.views.borrow().generation,
            "never back"
        );
        self.views.send_replace(view);
    }

    pub(crate) fn new_batch(&mut self) -> Batch {
        // Never the same time twice, and never back: the order in which entries came is read from
        // it.
        self.last_ms = self.clock.now_ms().max(self.last_ms + 1);
        let remember_gone = self.me.role == wadi_log::Role::Hub;
        Batch {
            at_ms: self.last_ms,
            remember_gone,
            ..Batch::default()
        }
    }
}
