//! The order in which the entries of a record settle.
//!
//! An entry settles after the record's first entry, after those that it is based on and after its
//! log's entry before it. What is decided of an entry rests on these alone, so that any order that
//! keeps to them gives the same record, and an entry that nothing else waits for may simply follow.
//!
//! An entry keeps its place in its log whatever it is based on. One that is based on what its own
//! log says only later is refused, and so is one through which logs lean on each other in a circle:
//! no honest author can write either. What belongs to a circle is a property of the entries held,
//! not of the order in which they came.

use crate::judged_change::JudgedChange;
use std::collections::{BTreeMap, HashMap, VecDeque};
use wadi_log::{LogVerdict, Reference};

/// Why an entry is refused for its place alone.
pub(crate) type Circle = &'static str;
pub(crate) const OWN_LATER: Circle = "it is based on what its own log says only later";
const LEANING: Circle = "its log and the entries it is based on lean on each other in a circle";

/// The order of settling.
pub(crate) struct Plan<'a> {
    /// Entries that settle, in order, each with the reason why it cannot count where its place
    /// forbids it.
    pub(crate) order: Vec<(&'a JudgedChange, Option<Circle>)>,
    /// Entries that wait for what is not held.
    pub(crate) waiting: Vec<&'a JudgedChange>,
}

/// Whether an entry claims to be based on what its own log says later. Every entry but the first
/// one is based on that.
pub(crate) fn leans_on_own_later(said: &JudgedChange, first: &Reference) -> bool {
    if wadi_log::defence::off("no-circles") {
        return false;
    }

    let own = said.reference;
    let is_later = |r: &Reference| r.log == own.log && r.seq >= own.seq;

    own != *first && (is_later(first) || said.change.based_on.iter().any(is_later))
}

struct ChangeNode<'a> {
    said: &'a JudgedChange,
    circle: Option<Circle>,
    is_ready: bool,
    /// What it is based on, apart from the record's first entry; nothing where it is refused for
    /// its place.
    needs: Vec<usize>,
    /// The entry of its log that it follows, apart from the record's first entry.
    previous: Option<usize>,
}

/// Plans the settling of these entries, of which `first` is the record's first.
pub(crate) fn plan<'a>(rows: &'a BTreeMap<Reference, JudgedChange>, first: &Reference) -> Plan<'a> {
    let mut nodes = nodes(rows, first);
    mark_ready(&mut nodes, rows, first);
    chain_logs(&mut nodes, first);

    let first_at = nodes
        .iter()
        .position(|n| n.said.reference == *first)
        .expect("the first entry is held");
    let mut order = topological(&nodes, first_at);
    let ready = nodes.iter().filter(|n| n.is_ready).count();
    if order.len() < ready {
        open_circles(&mut nodes);
        order = topological(&nodes, first_at);
    }

    debug_assert_eq!(order.len(), ready, "no circle is left");

    Plan {
        order: order
            .into_iter()
            .map(|n| (nodes[n].said, nodes[n].circle))
            .collect(),
        waiting: nodes
            .iter()
            .filter(|n| !n.is_ready)
            .map(|n| n.said)
            .collect(),
    }
}

fn nodes<'a>(
    rows: &'a BTreeMap<Reference, JudgedChange>,
    first: &Reference,
) -> Vec<ChangeNode<'a>> {
    let node = |said: &'a JudgedChange| ChangeNode {
        said,
        circle: leans_on_own_later(said, first).then_some(OWN_LATER),
        is_ready: false,
        needs: Vec::new(),
        previous: None,
    };

    rows.values().map(node).collect()
}

/// Finds the entries whose dependencies, and theirs, are all held. What is refused for its place
/// needs nothing.
fn mark_ready(
    nodes: &mut [ChangeNode<'_>],
    rows: &BTreeMap<Reference, JudgedChange>,
    first: &Reference,
) {
    let numbers: HashMap<Reference, usize> =
        rows.keys().enumerate().map(|(n, r)| (*r, n)).collect();
    let mut lacking = vec![0; nodes.len()];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut queue = Vec::new();

    for n in 0..nodes.len() {
        let said = nodes[n].said;
        if said.reference != *first && nodes[n].circle.is_none() {
            let others = said.change.based_on.iter().filter(|d| *d != first);
            for d in others {
                lacking[n] += 1;
                if let Some(&d) = numbers.get(d) {
                    dependents[d].push(n);
                    nodes[n].needs.push(d);
                }
            }
        }

        if lacking[n] == 0 {
            queue.push(n);
        }
    }

    while let Some(n) = queue.pop() {
        nodes[n].is_ready = true;
        for &dependent in &dependents[n] {
            lacking[dependent] -= 1;
            if lacking[dependent] == 0 {
                queue.push(dependent);
            }
        }
    }
}

/// Lets each entry follow the one before it in its log that counts so far.
fn chain_logs(nodes: &mut [ChangeNode<'_>], first: &Reference) {
    let mut previous: Option<usize> = None;
    let mut log = None;

    for (n, node) in nodes.iter_mut().enumerate() {
        let reference = node.said.reference;
        if log != Some(reference.log) {
            log = Some(reference.log);
            previous = None;
        }

        if !node.is_ready || reference == *first {
            continue;
        }

        node.previous = previous;
        if node.said.verdict == LogVerdict::Counts {
            previous = Some(n);
        }
    }
}

/// Orders the ready entries. Those in a circle, and what follows them, are left out.
fn topological(nodes: &[ChangeNode<'_>], first_at: usize) -> Vec<usize> {
    let mut before: Vec<usize> = nodes
        .iter()
        .map(|n| n.needs.len() + usize::from(n.previous.is_some()))
        .collect();
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (n, node) in nodes.iter().enumerate().filter(|(_, node)| node.is_ready) {
        for &need in node.needs.iter().chain(&node.previous) {
            after[need].push(n);
        }
    }

    let free = (0..nodes.len()).filter(|n| *n != first_at && nodes[*n].is_ready && before[*n] == 0);
    let mut queue: VecDeque<usize> = std::iter::once(first_at).chain(free).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(n) = queue.pop_front() {
        order.push(n);
        for &next in &after[n] {
            before[next] -= 1;
            if before[next] == 0 {
                queue.push_back(next);
            }
        }
    }

    order
}

/// Refuses the entries through which logs lean on each other. Dependencies alone make no circle,
/// since an entry is named by its hash, and the places of a log make none either. So every circle
/// has an entry that is based on one of the circle and that its own log carries on within the
/// circle: it cannot have been written where it stands.
fn open_circles(nodes: &mut [ChangeNode<'_>]) {
    let of = components(nodes);
    let mut goes_on = vec![false; nodes.len()];
    for (n, node) in nodes.iter().enumerate() {
        if let Some(previous) = node.previous
            && of[previous] == of[n]
        {
            goes_on[previous] = true;
        }
    }

    for n in 0..nodes.len() {
        if goes_on[n] && nodes[n].needs.iter().any(|need| of[*need] == of[n]) {
            nodes[n].circle = Some(LEANING);
            nodes[n].needs.clear();
        }
    }
}

/// The strongly connected component of each entry, after Tarjan, without recursion: circles may be
/// long.
fn components(nodes: &[ChangeNode<'_>]) -> Vec<usize> {
    const NEW: usize = usize::MAX;
    let mut index = vec![NEW; nodes.len()];
    let mut low = vec![0; nodes.len()];
    let mut of = vec![NEW; nodes.len()];
    let mut stack = Vec::new();
    let mut visited = 0;

    for root in (0..nodes.len()).filter(|n| nodes[*n].is_ready) {
        if index[root] != NEW {
            continue;
        }

        // Each with how many of its edges were walked.
        let mut walk = vec![(root, 0)];
        while let Some((n, edge)) = walk.pop() {
            if edge == 0 {
                index[n] = visited;
                low[n] = visited;
                visited += 1;
                stack.push(n);
            }

            let next = nodes[n]
                .needs
                .iter()
                .chain(&nodes[n].previous)
                .nth(edge)
                .copied();

            if let Some(next) = next {
                walk.push((n, edge + 1));
                if index[next] == NEW {
                    walk.push((next, 0));
                } else if of[next] == NEW {
                    low[n] = low[n].min(index[next]);
                }

                continue;
            }

            if low[n] == index[n] {
                while let Some(member) = stack.pop() {
                    of[member] = n;
                    if member == n {
                        break;
                    }
                }
            }

            if let Some((parent, _)) = walk.last() {
                low[*parent] = low[*parent].min(low[n]);
            }
        }
    }

    of
}
