//! Hub times that the heads of a node's control log name, and how much of its other logs they list:
//! what stands in a log past that was written later, whatever the log's own heads leave out.

use std::{collections::BTreeMap, num::NonZeroUsize};

use lru::LruCache;
use wadi_log::{Checkpoint, Lane, LogId};

/// Logs of which it is known: more than are written at a time.
const LOGS_MAX: usize = 16_384;
/// Listed sizes of one log that is not held so far. Whoever lists more loses the latest, and the
/// earliest bind it as before.
const SIZES_MAX: usize = 64;

/// The newest hub time for each size of a log at which it was listed.
#[derive(Debug)]
pub(crate) struct NamedTimes(LruCache<LogId, BTreeMap<u64, i64>>);

impl Default for NamedTimes {
    fn default() -> Self {
        Self(LruCache::new(
            NonZeroUsize::new(LOGS_MAX).expect("not zero"),
        ))
    }
}

impl NamedTimes {
    /// Takes in the head of a control log. `held` tells how much of each log is held.
    pub(crate) fn take(&mut self, head: &Checkpoint, held: impl Fn(&LogId) -> u64) {
        let is_told = head.log.lane == Lane::Control && head.hub_time_s > 0;
        if !is_told || wadi_store::defence::off("named-times") {
            return;
        }

        for (lane, crossing, size) in &head.logs {
            let log = LogId {
                lane: *lane,
                crossing: *crossing,
                ..head.log
            };
            let sizes = self.0.get_or_insert_mut(log, BTreeMap::new);
            let newest = sizes.entry(*size).or_insert(head.hub_time_s);
            *newest = head.hub_time_s.max(*newest);
            prune(sizes, held(&log));
        }
    }

    /// The newest hub time that a node had named when it wrote an entry at this position of a log,
    /// Unix seconds; 0 for none.
    pub(crate) fn before(&mut self, log: &LogId, seq: u64) -> i64 {
        let sizes = self.0.get(log);
        let listed = sizes.into_iter().flat_map(|sizes| sizes.range(..=seq));
        listed.map(|(_, time_s)| *time_s).max().unwrap_or(0)
    }
}

/// What is still to come lies past what is held: of the sizes up to there the newest time tells
/// all.
fn prune(sizes: &mut BTreeMap<u64, i64>, held: u64) {
    let beyond = sizes.split_off(&held.saturating_add(1));
    let newest = sizes.values().max().copied();
    sizes.clear();
    sizes.extend(newest.map(|time_s| (held, time_s)));
    sizes.extend(beyond.into_iter().take(SIZES_MAX));
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Hash, NodeId};

    fn control() -> LogId {
        LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Control,
            crossing: Crossing::HUB,
        }
    }

    fn passages() -> LogId {
        LogId {
            lane: Lane::Passage,
            ..control()
        }
    }

    fn head(hub_time_s: i64, size: u64) -> Checkpoint {
        Checkpoint {
            log: control(),
            size: 1,
            root: Hash::default(),
            hub_time_s,
            logs: vec![(Lane::Passage, Crossing::HUB, size)],
        }
    }

    #[test]
    fn what_stands_past_a_listed_size_was_written_after_the_time_that_was_named() {
        let mut times = NamedTimes::default();
        times.take(&head(100, 3), |_| 3);
        times.take(&head(200, 5), |_| 3);
        let at = [2, 3, 4, 5, 9].map(|seq| times.before(&passages(), seq));
        assert_eq!(at, [0, 100, 100, 200, 200]);

        // Once so much is held, what comes lies past it.
        times.take(&head(300, 7), |_| 6);
        let at = [6, 7].map(|seq| times.before(&passages(), seq));
        assert_eq!(at, [200, 300]);
    }

    #[test]
    fn who_lists_ever_more_keeps_what_bound_it_before_and_fills_nothing() {
        let mut times = NamedTimes::default();
        times.take(&head(100, 3), |_| 3);
        for size in 4..10_000 {
            times.take(&head(100 + size as i64, size), |_| 3);
        }
        assert_eq!(times.before(&passages(), 3), 100);
        assert!(times.0.get(&passages()).unwrap().len() <= SIZES_MAX + 1);
    }
}
