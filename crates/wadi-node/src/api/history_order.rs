//! In which order a record's history is told. Clocks jump and fall back; what an author wrote after
//! something, or had before him when he wrote, came after it all the same.

use super::history::HistoryLine;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};
use wadi_log::{LogId, Reference};

/// Puts the oldest claim first, and none before what it is based on, or what stands before it in
/// its log. What happened at another time than it was entered stands where it happened: a backlog
/// is told where it belongs.
pub(super) fn in_order(lines: Vec<HistoryLine>) -> Vec<HistoryLine> {
    let mut followers = followers(&lines);
    let mut waits_for = vec![0_usize; lines.len()];
    followers
        .iter()
        .flatten()
        .for_each(|later| waits_for[*later] += 1);

    let key = |n: usize| {
        let line = &lines[n];
        let happened = line.happened_ms.unwrap_or(line.claimed_ms);
        (happened, line.claimed_ms, line.entry.clone(), n)
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

    let mut lines: Vec<Option<HistoryLine>> = lines.into_iter().map(Some).collect();
    order.into_iter().filter_map(|n| lines[n].take()).collect()
}

/// By each line those that are told after it.
fn followers(lines: &[HistoryLine]) -> Vec<Vec<usize>> {
    let is_bound = |line: &HistoryLine| line.happened_ms.is_none();
    let by_entry: BTreeMap<&str, usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| is_bound(line))
        .map(|(n, line)| (line.entry.as_str(), n))
        .collect();

    let mut by_log: BTreeMap<LogId, Vec<(u64, usize)>> = BTreeMap::new();
    let mut out = vec![Vec::new(); lines.len()];
    for (n, line) in lines.iter().enumerate().filter(|(_, line)| is_bound(line)) {
        if let Ok(Reference { log, seq, .. }) = line.entry.parse() {
            by_log.entry(log).or_default().push((seq, n));
        }

        let based_on = line.based_on.iter().map(String::as_str);
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
