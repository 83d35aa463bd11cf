//! The sequencer: the one task that changes a node. It keeps in memory what every write and every
//! block needs.

use crate::{
    door::{
        NodeKeys, clock::Clock, disk::DiskBudget, event::Event, known_time::KnownTime,
        orders::Orders, projections::Projections, suspects::Suspects, tasks::Tasks,
    },
    ledger::{repair::RepairQueue, seen::SeenIndex},
    pipeline::InFlight,
    records::shelf::RecordCache,
};
use lru::LruCache;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    num::NonZeroUsize,
    sync::{Arc, Mutex, RwLock, atomic::AtomicBool},
};
use tokio::sync::{Notify, broadcast};
use wadi_log::{
    Control, Crossing, Enrolment, Epoch, Frontier, Hash, Head, Lane, LogId, NodeId, Peaks,
    Reference, SignedCheckpoint, Tip, VerifiedEntry,
};
use wadi_record::Policy;
use wadi_store::{AnchorState, Batch, LocalScope, Store, StoreError};

/// The sequencer's name among the tasks.
pub(crate) const TASK: &str = "sequencer";

/// Logs whose `Seen` entries are kept in memory.
const SEEN_MAX: usize = 4_096;
/// Control entries read at once.
const LOAD_ROWS: u32 = 512;

/// A log as held.
#[derive(Clone, Debug)]
pub(crate) struct LogHead {
    pub(crate) peaks: Peaks,
    pub(crate) checkpoint: Option<SignedCheckpoint>,
}

pub(crate) struct Sequencer {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: NodeKeys,
    pub(crate) me: Enrolment,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) control: Arc<RwLock<Control>>,
    pub(crate) frontier: Arc<RwLock<Frontier>>,
    pub(crate) time: Arc<KnownTime>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) logs: BTreeMap<LogId, LogHead>,
    pub(crate) effective_len: HashMap<LogId, u64>,
    pub(crate) records: RecordCache,
    /// What the rules are to read of the records that were written last.
    pub(crate) projections: Arc<Projections>,
    pub(crate) seen: LruCache<LogId, Arc<SeenIndex>>,
    pub(crate) policies: HashMap<Reference, Arc<Policy>>,
    pub(crate) default_policy: Arc<Policy>,
    pub(crate) epoch: Option<Epoch>,
    pub(crate) last_epoch: Option<Epoch>,
    pub(crate) watermarks: Arc<RwLock<BTreeMap<String, i64>>>,
    pub(crate) reconcile: Arc<Notify>,
    pub(crate) recheck: Arc<AtomicBool>,
    pub(crate) room: Arc<DiskBudget>,
    pub(crate) stale: bool,
    pub(crate) last_ms: i64,
    /// When this node cosigned the head that it holds of a log, Unix seconds.
    pub(crate) taken_s: HashMap<LogId, i64>,
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
    /// What the `Seen` entries of the commit in the making name, by log and position.
    pub(crate) pending_seen: HashMap<LogId, Vec<(u64, Vec<Head>)>>,
    /// The watermarks as they will be when all that is sequenced is durable.
    pub(crate) latest_watermarks: BTreeMap<String, i64>,
}

impl Sequencer {
    pub(crate) fn node(&self) -> NodeId {
        self.me.node()
    }

    pub(crate) fn held(&self, log: &LogId) -> u64 {
        self.logs.get(log).map_or(0, |h| h.peaks.size())
    }

    pub(crate) fn own_crossing(&self) -> Crossing {
        self.me.crossing.unwrap_or(Crossing::HUB)
    }

    pub(crate) fn own_log(&self, epoch: Epoch, lane: Lane, crossing: Crossing) -> LogId {
        LogId {
            node: self.node(),
            epoch,
            lane,
            crossing,
        }
    }

    /// Reads logs, enrolments, control entries, forks and cosignatures out of the store: at the
    /// start, after a commit that failed and left memory ahead of the disk, and where control
    /// entries or whole branches came to stand otherwise. Returns the logs of which more or less
    /// counts than was known.
    pub(crate) async fn load(&mut self) -> Result<Vec<LogId>, StoreError> {
        // Everybody goes by what was known until all of it is read.
        let mut control = Control::new(*self.control.read().expect("no panic holds it").root());
        for e in self
            .store
            .enrolments()
            .await?
            .into_iter()
            .chain([self.me.clone()])
        {
            let _ = control.enrol(e);
        }

        let rows = self.store.logs().await?;
        for c in self.store.cosignatures(None).await? {
            let head = &c.checkpoint.checkpoint;
            control.learn_cosigned(
                c.cosignature.witness,
                head.log,
                Tip {
                    size: head.size,
                    root: head.root,
                },
            );

            if c.cosignature.witness == self.node() {
                self.taken_s.insert(head.log, c.cosignature.time_s as i64);
            }
        }

        for proof in self.store.forks().await? {
            // One that rotted would put a bound to a log that was never forked.
            if control
                .enrolment(&proof.log().node)
                .is_none_or(|author| proof.verify(author).is_ok())
            {
                control.learn_fork(proof);
            }
        }

        let controls: Vec<(LogId, u64)> = {
            let held = rows.iter().filter(|row| row.log.lane == Lane::Control);
            held.map(|row| (row.log, row.peaks.size())).collect()
        };

        // Hubs' logs twice: the first reading may bring the enrolment that the right of another's
        // entries rests on.
        for (log, size) in controls.iter().chain(&controls) {
            self.load_control(log, *size, &mut control).await?;
        }

        self.logs.clear();
        for row in rows {
            self.last_ms = self.last_ms.max(row.grew_ms);
            self.logs.insert(
                row.log,
                LogHead {
                    peaks: row.peaks,
                    checkpoint: Some(row.checkpoint),
                },
            );
        }

        *self.control.write().expect("no panic holds it") = control;
        self.records.clear();
        self.projections.clear();
        self.seen.clear();

        let before = std::mem::take(&mut self.effective_len);
        self.publish_frontier();
        self.recount().await?;

        let all: BTreeSet<LogId> = before
            .keys()
            .chain(self.effective_len.keys())
            .copied()
            .collect();

        let of = |effective_len: &HashMap<LogId, u64>, log: &LogId| {
            effective_len.get(log).copied().unwrap_or(u64::MAX)
        };
        let moved = all
            .into_iter()
            .filter(|log| of(&before, log) != of(&self.effective_len, log))
            .collect();
        let last = self
            .store
            .local(&LocalScope::Epoch, &self.node().to_string())
            .await?;
        let last = match last {
            Some(last) => Some(last),
            // As versions wrote it that knew one node to a database.
            None => self.store.local(&LocalScope::Epoch, "last").await?,
        };

        self.last_epoch =
            last.and_then(|text| text.parse().ok())
                .or_else(|| match self.store.anchor_state() {
                    // A database that was begun anew knows of none; the anchor does.
                    AnchorState::LostTail { heads, .. } => heads.first().map(|(log, _)| log.epoch),
                    _ => None,
                });

        Ok(moved)
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

    /// Publishes how far logs have come with a commit that is durable.
    pub(crate) fn extend_frontier(&self, grown: &BTreeMap<LogId, Tip>) {
        let mut frontier = self.frontier.write().expect("no panic holds it");
        frontier
            .0
            .extend(grown.iter().map(|(log, tip)| (*log, *tip)));
    }

    /// Whether two branches of a log are known.
    pub(crate) fn is_forked(&self, log: &LogId) -> bool {
        let control = self.control.read().expect("no panic holds it");
        control.forks().contains_key(log)
    }

    fn publish_frontier(&self) {
        let tips = self
            .logs
            .iter()
            .map(|(l, h)| {
                (
                    *l,
                    Tip {
                        size: h.peaks.size(),
                        root: h.peaks.root(),
                    },
                )
            })
            .collect();

        *self.frontier.write().expect("no panic holds it") = Frontier(tips);
    }

    pub(crate) fn new_seen() -> LruCache<LogId, Arc<SeenIndex>> {
        LruCache::new(NonZeroUsize::new(SEEN_MAX).expect("not zero"))
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
