//! In which order a record's history is told. Clocks jump and fall back; what an author wrote after
//! something, or had before him when he wrote, came after it all the same.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};
use wadi_log::{Change, Common, LogId, Reference};

/// What puts an entry in its place.
pub(super) struct HistoryPlace<'a> {
    pub(super) entry: Reference,
    pub(super) common: &'a Common,
    pub(super) change: &'a Change,
}

/// Puts the oldest claim first, and none before what it is based on, or what stands before it in
/// its log. What happened at another time than it was entered stands where it happened: a backlog
/// is told where it belongs. By their numbers among those given.
pub(super) fn in_order(lines: &[HistoryPlace<'_>]) -> Vec<usize> {
    let mut followers = followers(lines);
    let mut waits_for = vec![0_usize; lines.len()];
    followers
        .iter()
        .flatten()
        .for_each(|later| waits_for[*later] += 1);

    let key = |n: usize| {
        let line = &lines[n];
        let claimed = line.common.wall_ms;
        let happened = line.common.happened_ms.unwrap_or(claimed);
        (happened, claimed, line.entry.to_string(), n)
    };
    let mut ready: BinaryHeap<_> = (0..lines.len())
        .filter(|n| waits_for[*n] == 0)
        .map(|n| Reverse(key(n)))
        .collect();
    let mut order = Vec::with_capacity(lines.len());
    while let Some(Reverse((.., n))) = ready.pop() {
        order.push(n);
        for later in std::mem::take(&mut followers[n]) {
            waits_for[later] -= 1;
            if waits_for[later] == 0 {
                ready.push(Reverse(key(later)));
            }
        }
    }

    // What stands in a circle is told last, by its claims.
    let mut left: Vec<_> = (0..lines.len())
        .filter(|n| waits_for[*n] > 0)
        .map(key)
        .collect();
    left.sort();
    order.extend(left.into_iter().map(|(.., n)| n));
    order
}

/// By each line those that are told after it.
fn followers(lines: &[HistoryPlace<'_>]) -> Vec<Vec<usize>> {
    let is_bound = |line: &HistoryPlace<'_>| line.common.happened_ms.is_none();
    let by_entry: BTreeMap<&Reference, usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| is_bound(line))
        .map(|(n, line)| (&line.entry, n))
        .collect();

    let mut by_log: BTreeMap<LogId, Vec<(u64, usize)>> = BTreeMap::new();
    let mut out = vec![Vec::new(); lines.len()];
    for (n, line) in lines.iter().enumerate().filter(|(_, line)| is_bound(line)) {
        let Reference { log, seq, .. } = line.entry;
        by_log.entry(log).or_default().push((seq, n));

        let based_on = line.change.based_on.iter();
        let earlier = based_on.filter_map(|entry| by_entry.get(entry));
        earlier.for_each(|earlier| out[*earlier].push(n));
    }

    for mut places in by_log.into_values() {
        places.sort_unstable();
        let pairs = places.windows(2);
        pairs.for_each(|pair| out[pair[0].1].push(pair[1].1));
    }

    out
}
