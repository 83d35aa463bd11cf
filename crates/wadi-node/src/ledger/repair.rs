//! What this node lacks and peers may hold: entries that rotted or went missing, and other branches
//! of forked logs.
//!
//! The list is made by the scrub, by resyncs and by fork proofs; each link asks its peer for what
//! it may have, one message at a time. It is not kept on disk: whatever made an entry of it is
//! found again after a start.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use wadi_log::{Hash, LogId, NodeId, SignedCheckpoint, Tip};
use wadi_sync::FETCH_RANGES_MAX;

/// A peer that did not hold something is asked again after that time.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// An answer that does not come in that time is not waited for.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// Why it is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// It belongs to the branch that this node holds as the log.
    Mend,
    /// It is another branch, which begins there.
    Branch { at: u64 },
}

/// Entries wanted of one tree.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    /// The tree, as its author signed it.
    pub(crate) signed: SignedCheckpoint,
    pub(crate) why: Why,
    pub(crate) ranges: Vec<(u64, u64)>,
    /// Of a branch: the leaves taken so far.
    pub(crate) leaves: BTreeMap<u64, Hash>,
    asked: Option<(NodeId, Instant)>,
    absent: BTreeMap<NodeId, Instant>,
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct RepairQueue {
    all: BTreeMap<(LogId, Hash), Want>,
    /// How often another branch became its log: what was read of a log before that may be of
    /// another tree since.
    switches: u64,
}

impl RepairQueue {
    /// Adds ranges of a tree; those wanted already are wanted once.
    pub(crate) fn add(&mut self, signed: SignedCheckpoint, why: Why, ranges: &[(u64, u64)]) {
        let key = (signed.checkpoint.log, signed.checkpoint.root);
        let new = || Want {
            signed,
            why,
            ranges: vec![],
            leaves: BTreeMap::new(),
            asked: None,
            absent: BTreeMap::new(),
        };

        if ranges.iter().all(|(from, to)| from >= to) {
            return;
        }

        let want = self.all.entry(key).or_insert_with(new);
        want.ranges.extend_from_slice(ranges);
        want.ranges = joined(std::mem::take(&mut want.ranges));
        want.absent.clear();
    }

    /// How often another branch became its log.
    pub(crate) fn switches(&self) -> u64 {
        self.switches
    }

    /// Another branch became the log: nothing of the tree that it was is to be put into its place.
    pub(crate) fn switched(&mut self, log: &LogId) {
        self.switches += 1;
        self.all
            .retain(|(l, _), want| l != log || want.why != Why::Mend);
    }

    /// What to ask this peer for, of the logs that both may see.
    pub(crate) fn ask(
        &mut self,
        peer: NodeId,
        may: impl Fn(&LogId) -> bool,
        now: Instant,
    ) -> Option<(LogId, Tip, Vec<(u64, u64)>)> {
        let lacks = |w: &Want| {
            w.absent
                .get(&peer)
                .is_some_and(|at| now.duration_since(*at) < ASK_AGAIN)
        };

        let waits = |w: &Want| {
            w.asked
                .is_some_and(|(_, at)| now.duration_since(at) < ANSWER_WAIT)
        };
        let ((log, root), want) = self
            .all
            .iter_mut()
            .find(|((log, _), w)| may(log) && !lacks(w) && !waits(w))?;

        want.asked = Some((peer, now));
        let tip = Tip {
            size: want.signed.checkpoint.size,
            root: *root,
        };

        Some((
            *log,
            tip,
            want.ranges.iter().take(FETCH_RANGES_MAX).copied().collect(),
        ))
    }

    /// What is wanted of that tree.
    pub(crate) fn get(&self, log: &LogId, root: &Hash) -> Option<&Want> {
        self.all.get(&(*log, *root))
    }

    /// A peer answered: these ranges came, and whether it holds no more. Returns the want where
    /// nothing is left of it.
    pub(crate) fn answered(
        &mut self,
        (log, root): (LogId, Hash),
        peer: NodeId,
        came: &[(u64, u64, Vec<Hash>)],
        nothing_more: bool,
        now: Instant,
    ) -> Option<Want> {
        let want = self.all.get_mut(&(log, root))?;
        want.asked = None;
        let before = count(&want.ranges);
        for (from, to, leaves) in came {
            want.ranges = without(&want.ranges, (*from, *to));
            if want.why != Why::Mend {
                want.leaves.extend((*from..).zip(leaves.iter().copied()));
            }
        }

        // Who sends what was not asked for has nothing more, either.
        if nothing_more || count(&want.ranges) == before {
            want.absent.insert(peer, now);
        }

        if want.ranges.is_empty() {
            self.all.remove(&(log, root))
        } else {
            None
        }
    }

    /// A link ended: what it was asked for is free to be asked of others.
    pub(crate) fn gone(&mut self, peer: NodeId) {
        for want in self.all.values_mut() {
            want.asked = want.asked.filter(|(p, _)| *p != peer);
        }
    }

    /// Entries wanted for mending, by log.
    pub(crate) fn missing(&self) -> BTreeMap<LogId, Vec<(u64, u64)>> {
        let mut out: BTreeMap<LogId, Vec<(u64, u64)>> = BTreeMap::new();
        for ((log, _), want) in self.all.iter().filter(|(_, w)| w.why == Why::Mend) {
            out.entry(*log).or_default().extend(&want.ranges);
        }

        out.into_iter()
            .map(|(log, ranges)| (log, joined(ranges)))
            .collect()
    }

    /// Entries wanted for mending.
    pub(crate) fn missing_count(&self) -> u64 {
        self.all
            .values()
            .filter(|w| w.why == Why::Mend)
            .map(|w| count(&w.ranges))
            .sum()
    }
}

/// Ranges ascending, those that touch made one.
pub(crate) fn joined(mut ranges: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    ranges.sort();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges.into_iter().filter(|(from, to)| from < to) {
        match out.last_mut() {
            Some(last) if last.1 >= from => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }

    out
}

fn count(ranges: &[(u64, u64)]) -> u64 {
    ranges.iter().map(|(from, to)| to - from).sum()
}

fn without(ranges: &[(u64, u64)], (from, to): (u64, u64)) -> Vec<(u64, u64)> {
    let parts = ranges
        .iter()
        .flat_map(|(a, b)| [(*a, (*b).min(from)), ((*a).max(to), *b)]);
    parts.filter(|(a, b)| a < b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Checkpoint, Crossing, Epoch, Lane, LogKey};

    #[test]
    fn what_came_is_wanted_no_more_and_who_lacks_it_is_left_in_peace() {
        let key = LogKey::from_seed(&[3; 32]);
        let crossing: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing,
        };

        let root = Hash([9; 32]);
        let signed = key.sign(Checkpoint {
            log,
            size: 100,
            root,
            hub_time_s: 0,
            logs: vec![],
        });

        let (one, other, now) = (NodeId([1; 16]), NodeId([2; 16]), Instant::now());
        let mut wants = RepairQueue::default();
        wants.add(signed.clone(), Why::Mend, &[(10, 20), (40, 41)]);
        wants.add(signed, Why::Mend, &[(20, 25)]);
        assert_eq!(wants.missing()[&log], [(10, 25), (40, 41)]);
        assert!(
            wants.ask(one, |_| false, now).is_none(),
            "outside the peer's grant"
        );

        let asked = wants.ask(one, |_| true, now).unwrap();
        assert_eq!(asked.2, [(10, 25), (40, 41)]);
        assert!(
            wants.ask(other, |_| true, now).is_none(),
            "one peer at a time"
        );
        assert!(
            wants
                .answered((log, root), one, &[(12, 14, vec![])], true, now)
                .is_none()
        );

        assert_eq!(wants.missing()[&log], [(10, 12), (14, 25), (40, 41)]);
        assert!(wants.ask(one, |_| true, now).is_none(), "it holds no more");
        assert!(wants.ask(other, |_| true, now).is_some());

        wants.gone(other);
        assert!(
            wants.ask(one, |_| true, now + ASK_AGAIN).is_some(),
            "later it may"
        );
        assert!(
            wants
                .answered((log, root), one, &[(50, 60, vec![])], false, now)
                .is_none()
        );

        assert!(
            wants.ask(one, |_| true, now).is_none(),
            "it sends what nobody asked for"
        );

        let done = wants.answered(
            (log, root),
            one,
            &[(0, 30, vec![]), (40, 41, vec![])],
            false,
            now,
        );

        assert!(done.is_some() && wants.missing_count() == 0);
    }

    #[test]
    fn nothing_of_a_tree_that_a_log_was_is_wanted_when_another_branch_became_it() {
        let key = LogKey::from_seed(&[3; 32]);
        let crossing: Crossing = "TRB".parse().unwrap();
        let log = |lane| LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane,
            crossing,
        };

        let head = |lane, n: u8| {
            key.sign(Checkpoint {
                log: log(lane),
                size: 100,
                root: Hash([n; 32]),
                hub_time_s: 0,
                logs: vec![],
            })
        };

        let mut wants = RepairQueue::default();
        wants.add(head(Lane::Passage, 1), Why::Mend, &[(10, 20)]);
        wants.add(head(Lane::Passage, 2), Why::Branch { at: 7 }, &[(7, 100)]);
        wants.add(head(Lane::Hold, 3), Why::Mend, &[(1, 2)]);

        let before = wants.switches();
        wants.switched(&log(Lane::Passage));
        assert_ne!(wants.switches(), before);
        assert_eq!(
            wants.missing().into_keys().collect::<Vec<_>>(),
            [log(Lane::Hold)]
        );
        assert!(wants.get(&log(Lane::Passage), &Hash([2; 32])).is_some());
    }

    #[test]
    fn ranges_that_touch_are_one_and_what_came_leaves_holes() {
        let mixed = vec![(5, 7), (1, 3), (3, 4), (9, 9), (6, 10)];
        assert_eq!(joined(mixed), [(1, 4), (5, 10)]);
        assert_eq!(joined(Vec::new()), []);

        let ranges = [(0, 10), (20, 30)];
        assert_eq!(without(&ranges, (5, 25)), [(0, 5), (25, 30)]);
        assert_eq!(without(&ranges, (10, 20)), ranges);
        assert_eq!(without(&ranges, (0, 30)), []);
        assert_eq!(count(&ranges), 20);
    }

    #[test]
    fn a_branch_keeps_its_leaves_until_all_of_them_are_there() {
        let key = LogKey::from_seed(&[3; 32]);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };
        let root = Hash([2; 32]);
        let signed = key.sign(Checkpoint {
            log,
            size: 9,
            root,
            hub_time_s: 0,
            logs: vec![],
        });

        let mut wants = RepairQueue::default();
        let (peer, now) = (NodeId([1; 16]), Instant::now());
        wants.add(signed, Why::Branch { at: 7 }, &[(7, 9)]);
        assert!(wants.missing().is_empty() && wants.missing_count() == 0);

        let leaf = |n| Hash([n; 32]);
        let mut came = |from, leaf| {
            let came = [(from, from + 1, vec![leaf])];
            wants.answered((log, root), peer, &came, false, now)
        };
        assert!(came(8, leaf(8)).is_none());
        let whole = came(7, leaf(7)).unwrap();
        assert_eq!(whole.leaves, BTreeMap::from([(7, leaf(7)), (8, leaf(8))]));
        assert!(wants.get(&log, &root).is_none());
    }
}
