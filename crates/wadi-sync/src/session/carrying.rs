//! What a neighbour keeps for the hub: own logs that are given to it, and blocks kept for others
//! that a hub wants.

use super::LIST_ITEMS_MAX;
use crate::{message::Range, sealed_block::SEALED_MARK};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wadi_log::LogId;

/// One session's part in carrying.
#[derive(Debug, Default)]
pub(crate) struct Carrying {
    /// Own logs that the peer keeps for the hub, and how much of each it holds or the hub does.
    given: BTreeMap<LogId, u64>,
    /// Blocks kept here that the peer, a hub, wants.
    wanted: VecDeque<Range>,
    /// Logs of which the hub was handed what is kept here.
    handed: BTreeSet<LogId>,
    /// The peer takes sealed blocks.
    peer_takes_sealed: bool,
    /// It was said that it takes none.
    is_told: bool,
}

impl Carrying {
    /// The peer told what it reads.
    pub(crate) fn note_marks(&mut self, marks: &[u8]) {
        self.peer_takes_sealed = marks.contains(&SEALED_MARK);
    }

    /// Ranges and logs that wait because the peer asked for them.
    pub(crate) fn listed(&self) -> usize {
        self.wanted.len() + self.handed.len()
    }

    /// Whether the peer takes sealed blocks.
    pub(crate) fn takes_sealed(&self) -> bool {
        self.peer_takes_sealed
    }

    /// Whether it has to be said that the peer takes none; once.
    pub(crate) fn has_to_tell(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }

    /// How much of an own log the peer keeps; none where it keeps nothing of it.
    pub(crate) fn given(&self, log: &LogId) -> Option<u64> {
        self.given.get(log).copied()
    }

    /// Gives the peer these logs from these sizes on, and no others. Those that are new are
    /// returned; what both may see is sent as any log is.
    pub(crate) fn give(
        &mut self,
        from: BTreeMap<LogId, u64>,
        both_see: impl Fn(&LogId) -> bool,
    ) -> Vec<(LogId, u64)> {
        self.given.retain(|log, _| from.contains_key(log));
        let new: Vec<(LogId, u64)> = from
            .into_iter()
            .filter(|(log, _)| !self.given.contains_key(log) && !both_see(log))
            .collect();

        self.given.extend(new.iter().copied());
        new
    }

    /// The peer keeps so much of a log; false where it was given nothing of it.
    pub(crate) fn kept(&mut self, log: &LogId, size: u64) -> bool {
        let Some(held) = self.given.get_mut(log) else {
            return false;
        };

        *held = size.max(*held);
        true
    }

    /// The hub wants these blocks; as many are taken up as there is room for.
    pub(crate) fn want(&mut self, ranges: impl Iterator<Item = Range>) {
        let room = LIST_ITEMS_MAX - self.wanted.len();
        self.wanted.extend(ranges.take(room));
    }

    /// The hub is handed what is kept of a log.
    pub(crate) fn hand(&mut self, log: LogId) {
        if self.handed.len() < LIST_ITEMS_MAX {
            self.handed.insert(log);
        }
    }

    /// Whether the hub was handed what is kept of a log; it is asked once.
    pub(crate) fn take_handed(&mut self, log: &LogId) -> bool {
        self.handed.remove(log)
    }

    /// The next block that the hub wants.
    pub(crate) fn next_wanted(&mut self) -> Option<Range> {
        self.wanted.pop_front()
    }
}

/// Which of the ranges that a peer offers go on where something ends: `held` says how much of a log
/// is held, and none where it may not be taken.
pub(crate) fn wanted_of(ranges: &[Range], held: impl Fn(&LogId) -> Option<u64>) -> Vec<Range> {
    let mut ranges: Vec<Range> = ranges.iter().take(LIST_ITEMS_MAX).copied().collect();
    ranges.sort();

    let mut reach: BTreeMap<LogId, u64> = BTreeMap::new();
    let mut wanted = Vec::new();
    for range in ranges {
        let Some(held) = reach.get(&range.log).copied().or_else(|| held(&range.log)) else {
            continue;
        };

        if range.from <= held && range.to > held {
            reach.insert(range.log, range.to);
            wanted.push(range);
        }
    }

    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId};

    fn log(node: u8) -> LogId {
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    fn range(node: u8, from: u64, to: u64) -> Range {
        Range {
            log: log(node),
            from,
            to,
        }
    }

    #[test]
    fn only_what_goes_on_from_what_is_held_is_wanted() {
        let offered = [
            range(1, 9, 12),
            range(1, 5, 9),
            range(1, 0, 3),
            range(1, 20, 30),
            range(2, 0, 7),
        ];
        let held = |of: &LogId| (*of == log(1)).then_some(5);
        assert_eq!(
            wanted_of(&offered, held),
            [range(1, 5, 9), range(1, 9, 12)],
            "a gap, what is held, and what may not be taken are left out"
        );
    }

    #[test]
    fn a_log_is_given_once_and_moves_only_forward() {
        let mut carrying = Carrying::default();
        let from = BTreeMap::from([(log(1), 4), (log(2), 0)]);
        let both_see = |of: &LogId| *of == log(2);
        assert_eq!(carrying.give(from.clone(), both_see), [(log(1), 4)]);
        assert!(carrying.kept(&log(1), 9) && carrying.kept(&log(1), 3));
        assert!(carrying.give(from, both_see).is_empty());
        assert_eq!(carrying.given(&log(1)), Some(9));
        assert!(!carrying.kept(&log(2), 1));

        carrying.give(BTreeMap::new(), both_see);
        assert_eq!(carrying.given(&log(1)), None);
    }

    #[test]
    fn a_hub_wants_no_more_than_there_is_room_for() {
        let mut carrying = Carrying::default();
        let many = (0..2 * LIST_ITEMS_MAX as u64).map(|n| range(1, n, n + 1));
        carrying.want(many);
        carrying.want(std::iter::once(range(2, 0, 1)));

        let taken = std::iter::from_fn(|| carrying.next_wanted()).count();
        assert_eq!(taken, LIST_ITEMS_MAX);
    }
}
