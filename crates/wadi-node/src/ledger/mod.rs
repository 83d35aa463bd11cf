//! What is known of logs: plain types, without locks, tasks or clocks. Only `seen` reads a store,
//! to find what an author had taken in.
//!
//! The [`Ledger`] is the sequencer's alone, and ahead of the disk while a commit is written. What
//! everybody else reads is a [`view::LedgerView`], published once what it tells is durable.

pub(crate) mod hub_time;
mod judging;
mod named_times;
pub(crate) mod repair;
pub(crate) mod seen;
#[cfg(test)]
mod tests;
pub(crate) mod view;
mod watermarks;

use lru::LruCache;
use seen::SeenIndex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    num::NonZeroUsize,
    sync::Arc,
};
use view::LedgerView;
use wadi_log::{
    Bound, Checkpoint, Control, Crossing, Enrolment, Epoch, Frontier, Hash, Head, Lane, LogId,
    LogState, NodeId, Peaks, Reference, Role, RootKey, SignedCheckpoint, Tip, VerifiedBlock,
    VerifiedEntry,
};
use wadi_record::Policy;

/// Forked logs of one node at which it is cut as a whole. One or two come of a restored machine;
/// nobody forks eight of a node's logs but whoever has its key. Of logs that are not held fewer
/// proofs than that are taken.
pub(crate) const FORKED_LOGS_MAX: usize = 8;

/// Logs whose `Seen` entries are kept in memory.
const SEEN_LOGS_MAX: usize = 4_096;

/// A log as held.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogHead {
    pub(crate) peaks: Peaks,
    /// The newest head that its author signed; none while the first entries are not signed yet.
    pub(crate) checkpoint: Option<SignedCheckpoint>,
}

impl LogHead {
    fn tip(&self) -> Tip {
        Tip {
            size: self.peaks.size(),
            root: self.peaks.root(),
        }
    }
}

/// What is known of logs, with all that is sequenced and not yet durable.
pub(crate) struct Ledger {
    me: Enrolment,
    control: Arc<Control>,
    heads: BTreeMap<LogId, LogHead>,
    /// The tips of signed heads.
    frontier: Arc<Frontier>,
    /// How many entries count of each log that is bounded by a cut; of the others all do.
    effective_len: HashMap<LogId, u64>,
    /// Logs whose records are weighed anew at the next count, though no more and no less may count.
    weighed_anew: BTreeSet<LogId>,
    /// What the authors of logs had taken in, of those looked at last.
    seen: LruCache<LogId, Arc<SeenIndex>>,
    /// Policies as they are read, by the entries that say them.
    policies: HashMap<Reference, Arc<Policy>>,
    default_policy: Arc<Policy>,
    /// The epoch of this start; none before its first write.
    epoch: Option<Epoch>,
    /// The epoch in which this node wrote last.
    last_epoch: Option<Epoch>,
    /// When this node cosigned the head that it holds of a log, Unix seconds.
    cosigned_s: HashMap<LogId, i64>,
    /// Through which time each crossing is received, Unix milliseconds.
    watermarks: Arc<BTreeMap<String, i64>>,
    /// Of each crossing the node that is received least far.
    slowest: Arc<BTreeMap<String, watermarks::HeardNode>>,
    /// Of each closed crossing the node that is received furthest past its end.
    past_closure: Arc<BTreeMap<String, watermarks::HeardNode>>,
    /// Hub times that heads of control logs name, by the logs that they list.
    named_times: named_times::NamedTimes,
    generation: u64,
}

impl Ledger {
    /// A ledger that knows nothing but the commission's root and whose it is.
    pub(crate) fn new(root: RootKey, me: Enrolment) -> Self {
        Self {
            me,
            control: Arc::new(Control::new(root)),
            heads: BTreeMap::new(),
            frontier: Arc::default(),
            effective_len: HashMap::new(),
            weighed_anew: BTreeSet::new(),
            seen: LruCache::new(NonZeroUsize::new(SEEN_LOGS_MAX).expect("not zero")),
            policies: HashMap::new(),
            default_policy: Arc::default(),
            epoch: None,
            last_epoch: None,
            cosigned_s: HashMap::new(),
            watermarks: Arc::default(),
            slowest: Arc::default(),
            past_closure: Arc::default(),
            named_times: named_times::NamedTimes::default(),
            generation: 0,
        }
    }

    /// What is known now, for whoever may see it once it is durable.
    pub(crate) fn snapshot(&mut self) -> Arc<LedgerView> {
        self.generation += 1;
        Arc::new(LedgerView {
            generation: self.generation,
            control: self.control.clone(),
            frontier: self.frontier.clone(),
            watermarks: self.watermarks.clone(),
            slowest: self.slowest.clone(),
            past_closure: self.past_closure.clone(),
        })
    }

    pub(crate) fn node(&self) -> NodeId {
        self.me.node()
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

    /// Control facts.
    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Control facts, to be added to. Views that were taken before keep theirs.
    pub(crate) fn control_mut(&mut self) -> &mut Control {
        Arc::make_mut(&mut self.control)
    }

    pub(crate) fn enrolment(&self, node: &NodeId) -> Option<&Enrolment> {
        self.control.enrolment(node)
    }

    /// Whether two branches of a log are known.
    pub(crate) fn is_forked(&self, log: &LogId) -> bool {
        self.control.forks().contains_key(log)
    }

    /// Entries held of a log.
    pub(crate) fn held(&self, log: &LogId) -> u64 {
        self.heads.get(log).map_or(0, |head| head.peaks.size())
    }

    pub(crate) fn head(&self, log: &LogId) -> Option<&LogHead> {
        self.heads.get(log)
    }

    /// The peaks of a log, empty where nothing is held of it.
    pub(crate) fn peaks(&self, log: &LogId) -> Peaks {
        self.heads
            .get(log)
            .map(|head| head.peaks.clone())
            .unwrap_or_default()
    }

    pub(crate) fn logs(&self) -> impl Iterator<Item = (&LogId, &LogHead)> {
        self.heads.iter()
    }

    /// The logs of one node.
    pub(crate) fn logs_of(&self, node: &NodeId) -> impl Iterator<Item = (&LogId, &LogHead)> {
        let node = *node;
        self.heads
            .range(LogId::first_of(node)..)
            .take_while(move |(log, _)| log.node == node)
    }

    /// Takes in what a log came to with a block that follows on what is held.
    pub(crate) fn extend(&mut self, block: &VerifiedBlock) {
        self.set_head(
            block.log(),
            block.peaks().clone(),
            Some(block.checkpoint().clone()),
        );
    }

    /// Sets where a log ends, as its author signed it.
    pub(crate) fn set_head(
        &mut self,
        log: LogId,
        peaks: Peaks,
        checkpoint: Option<SignedCheckpoint>,
    ) {
        let head = LogHead { peaks, checkpoint };
        Arc::make_mut(&mut self.frontier).0.insert(log, head.tip());
        self.heads.insert(log, head);
    }

    /// Takes in which hub time a control log's head names, and what it lists.
    pub(crate) fn take_named_time(&mut self, head: &Checkpoint) {
        let heads = &self.heads;
        let held = |log: &LogId| heads.get(log).map_or(0, |head| head.peaks.size());
        self.named_times.take(head, held);
    }

    /// The newest hub time that a node had named when it wrote at a position of a log, by its
    /// control log, Unix seconds; 0 for none.
    pub(crate) fn named_before(&mut self, log: &LogId, seq: u64) -> i64 {
        self.named_times.before(log, seq)
    }

    /// Puts an own entry at the end of an own log. The head is signed, and set, with its group;
    /// until then nobody sees it.
    pub(crate) fn append(&mut self, own: &VerifiedEntry) {
        let at = own.reference();
        let head = self.heads.entry(at.log).or_default();
        debug_assert_eq!(head.peaks.size(), at.seq, "it was made for this place");
        head.peaks.append(at.leaf);
    }

    /// Begins with what the store holds: what was known of logs before is forgotten.
    pub(crate) fn reload(
        &mut self,
        control: Control,
        heads: impl IntoIterator<Item = (LogId, LogHead)>,
        cosigned_s: HashMap<LogId, i64>,
    ) {
        self.control = Arc::new(control);
        self.heads = heads.into_iter().collect();
        let tips = self.heads.iter().map(|(log, head)| (*log, head.tip()));
        self.frontier = Arc::new(Frontier(tips.collect()));
        self.cosigned_s = cosigned_s;
        self.seen.clear();
    }

    /// Forgets how much of each log counts, to have it counted anew. What was known.
    pub(crate) fn uncount(&mut self) -> HashMap<LogId, u64> {
        std::mem::take(&mut self.effective_len)
    }

    /// The logs of which more or less counts than was known before.
    pub(crate) fn moved_since(&self, before: &HashMap<LogId, u64>) -> Vec<LogId> {
        let all: BTreeSet<LogId> = before
            .keys()
            .chain(self.effective_len.keys())
            .copied()
            .collect();

        let of =
            |known: &HashMap<LogId, u64>, log: &LogId| known.get(log).copied().unwrap_or(u64::MAX);
        all.into_iter()
            .filter(|log| of(before, log) != of(&self.effective_len, log))
            .collect()
    }

    /// Whether any cut is known: without one, all that is held counts.
    pub(crate) fn has_cuts(&self) -> bool {
        self.control.has_cuts()
    }

    /// Where a log is bounded, and whether its root there has to be known to tell which branch
    /// counts.
    pub(crate) fn bound(&self, log: &LogId) -> Option<(Bound, bool)> {
        let bound = self.control.bound(log)?;
        let is_within = bound.size > 0 && bound.size <= self.held(log);
        Some((bound, is_within))
    }

    /// Counts how much of a log counts, given its root at its bound where that is held. Returns
    /// whether its records are to be weighed anew: that changed, or somebody asked for it.
    pub(crate) fn recount(&mut self, log: &LogId, root_at_bound: Option<Hash>) -> bool {
        let now = match self.control.bound(log) {
            None => u64::MAX,
            Some(_) => {
                let size = self.held(log);
                self.control.counts_to(
                    log,
                    LogState {
                        size,
                        root_at_bound,
                    },
                )
            }
        };

        let is_asked = self.weighed_anew.remove(log);
        let before = self.effective_len.get(log).copied().unwrap_or(u64::MAX);
        if now == before {
            return is_asked;
        }

        self.effective_len.insert(*log, now);
        if log.lane == Lane::Control {
            self.control_mut().stand(*log, now);
        }

        true
    }

    /// The logs of which it is known how much counts, held or not.
    pub(crate) fn counted_logs(&self) -> impl Iterator<Item = LogId> {
        self.effective_len.keys().copied()
    }

    /// An admission moves single entries of a log and not its bound: its records are weighed anew.
    pub(crate) fn weigh_anew(&mut self, log: &LogId) {
        self.weighed_anew.insert(*log);
    }

    /// What a log's author had taken in, where it is known.
    pub(crate) fn seen(&mut self, log: &LogId) -> Option<Arc<SeenIndex>> {
        self.seen.get(log).cloned()
    }

    pub(crate) fn know_seen(&mut self, log: LogId, index: Arc<SeenIndex>) {
        self.seen.put(log, index);
    }

    /// Adds what a `Seen` names to what is known of its log, where anything is.
    pub(crate) fn add_seen(&mut self, at: &Reference, heads: &[Head]) {
        if let Some(index) = self.seen.get_mut(&at.log) {
            Arc::make_mut(index).push(at.seq, heads);
        }
    }

    pub(crate) fn forget_seen(&mut self, log: &LogId) {
        self.seen.pop(log);
    }

    /// Which control heads, and with `holds` which hold logs, have come further than an own log
    /// has taken them in.
    pub(crate) fn unseen(&self, log: &LogId, seen: &SeenIndex, holds: bool) -> Vec<Head> {
        let counts = |l: &LogId| match l.lane {
            Lane::Control => self.control.role(&l.node) == Some(Role::Hub),
            Lane::Hold => holds,
            _ => false,
        };

        let moved = self.heads.iter().filter(|(l, head)| {
            *l != log && counts(l) && head.peaks.size() > seen.covered(u64::MAX, l)
        });
        moved.map(|(l, head)| head_of(*l, head.tip())).collect()
    }

    /// The other logs of a control log's node and epoch, as its head lists them: lane, crossing and
    /// size.
    pub(crate) fn lists(&self, log: &LogId) -> Vec<(Lane, Crossing, u64)> {
        self.logs_of(&log.node)
            .filter(|(l, _)| l.epoch == log.epoch && l.lane != Lane::Control)
            .map(|(l, head)| (l.lane, l.crossing, head.peaks.size()))
            .collect()
    }

    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    pub(crate) fn last_epoch(&self) -> Option<Epoch> {
        self.last_epoch
    }

    pub(crate) fn begin_epoch(&mut self, epoch: Epoch) {
        self.epoch = Some(epoch);
        self.last_epoch = Some(epoch);
    }

    /// The next own entry opens an epoch of its own.
    pub(crate) fn end_epoch(&mut self) {
        self.epoch = None;
    }

    /// Sets the epoch in which this node wrote last, as it is remembered.
    pub(crate) fn recall_epoch(&mut self, last: Option<Epoch>) {
        self.last_epoch = last;
    }

    /// Where this node's logs of its last epoch end, those of `lost` among them: what was lost was
    /// said all the same.
    pub(crate) fn ends_of_last_epoch(&self, lost: &[(LogId, Tip)]) -> Vec<Head> {
        let is_mine = |log: &LogId| log.node == self.node() && Some(log.epoch) == self.last_epoch;
        let held = self.heads.iter().filter(|(_, head)| head.peaks.size() > 0);
        let mut ends: BTreeMap<LogId, Tip> = held
            .filter(|(log, _)| is_mine(log))
            .map(|(log, head)| (*log, head.tip()))
            .collect();

        for (log, tip) in lost.iter().filter(|(log, _)| is_mine(log)) {
            let end = ends.entry(*log).or_insert(*tip);
            *end = if end.size < tip.size { *tip } else { *end };
        }

        ends.into_iter()
            .map(|(log, tip)| head_of(log, tip))
            .collect()
    }

    /// When this node cosigned the head that it holds of a log, Unix seconds.
    pub(crate) fn cosigned_s(&self, log: &LogId) -> Option<i64> {
        self.cosigned_s.get(log).copied()
    }

    /// Takes in a cosignature that was verified. Returns whether verdicts may hang on it.
    pub(crate) fn learn_cosigned(
        &mut self,
        witness: NodeId,
        log: LogId,
        tip: Tip,
        at_s: i64,
    ) -> bool {
        if witness == self.node() {
            self.cosigned_s.insert(log, at_s);
        }

        let is_longer = self.control_mut().learn_cosigned(witness, log, tip);
        is_longer && self.control.bound(&log).is_some()
    }
}

fn head_of(log: LogId, tip: Tip) -> Head {
    Head {
        log,
        size: tip.size,
        root: tip.root,
    }
}
