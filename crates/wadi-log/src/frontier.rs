//! Frontiers: what a node holds, as sizes and roots, and how two of them differ.

use crate::{Hash, LogId, NodeId, Scope, merkle::sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Size and root of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tip {
    /// Entries held.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// What a node holds of every log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier(pub BTreeMap<LogId, Tip>);

/// A frontier as it travels: open logs one by one, the closed logs of each node folded into one
/// digest.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Folded {
    /// Logs that may still grow.
    pub open: BTreeMap<LogId, Tip>,
    /// Per node: how many closed logs, and a digest over them.
    pub closed: BTreeMap<NodeId, (u64, Hash)>,
}

/// What comparing two holders of one log says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Difference {
    /// I hold entries from that size on that they lack.
    Ahead {
        /// What they hold.
        theirs: Tip,
    },
    /// They hold entries that I lack.
    Behind {
        /// What they hold.
        theirs: Tip,
    },
    /// Equal sizes, different roots: a fork, not "nothing to do".
    Forked {
        /// What they hold.
        theirs: Tip,
    },
}

impl Frontier {
    /// The part of it that lies within both scopes.
    pub fn within(&self, a: &Scope, b: &Scope) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(l, _)| a.takes_log(l) && b.takes_log(l))
                .map(|(l, t)| (*l, *t))
                .collect(),
        )
    }

    /// SHA-256 over log, size and root of all logs in ascending order. Empty logs do not count:
    /// holding nothing of a log and not knowing it are the same.
    pub fn digest(&self) -> Hash {
        let parts: Vec<[u8; 68]> = self
            .0
            .iter()
            .filter(|(_, t)| t.size > 0)
            .map(|(l, t)| row(l, t))
            .collect();

        sha256(&parts.iter().map(|p| &p[..]).collect::<Vec<_>>())
    }

    /// Folds the closed logs of each node into one digest.
    pub fn fold(&self, closed: &BTreeSet<LogId>) -> Folded {
        let mut out = Folded::default();
        let mut per_node: BTreeMap<NodeId, Frontier> = BTreeMap::new();
        for (log, tip) in self.0.iter().filter(|(_, t)| t.size > 0) {
            if closed.contains(log) {
                per_node.entry(log.node).or_default().0.insert(*log, *tip);
            } else {
                out.open.insert(*log, *tip);
            }
        }

        out.closed = per_node
            .into_iter()
            .map(|(n, f)| (n, (f.0.len() as u64, f.digest())))
            .collect();

        out
    }
}

fn row(log: &LogId, tip: &Tip) -> [u8; 68] {
    let mut out = [0; 68];
    out[..28].copy_from_slice(&log.to_bytes());
    out[28..36].copy_from_slice(&tip.size.to_be_bytes());
    out[36..].copy_from_slice(&tip.root.0);
    out
}

/// Compares what I hold with what a peer says it holds: the differing logs, and the nodes whose
/// closed logs have to be named one by one because the digests over them differ.
pub fn compare(
    mine: &Frontier,
    my_closed: &BTreeSet<LogId>,
    theirs: &Folded,
) -> (BTreeMap<LogId, Difference>, BTreeSet<NodeId>) {
    let empty = Tip {
        size: 0,
        root: sha256(&[]),
    };
    let mut differences = BTreeMap::new();
    let my_folded = mine.fold(my_closed);
    let unfold: BTreeSet<NodeId> = my_folded
        .closed
        .iter()
        .filter(|(n, d)| theirs.closed.get(n) != Some(d))
        .map(|(n, _)| *n)
        .chain(
            theirs
                .closed
                .iter()
                .filter(|(n, d)| my_folded.closed.get(n) != Some(d))
                .map(|(n, _)| *n),
        )
        .collect();

    let logs: BTreeSet<&LogId> = my_folded.open.keys().chain(theirs.open.keys()).collect();
    for log in logs {
        let my_tip = mine.0.get(log).copied().unwrap_or(empty);
        // A log that is open here and not named there may be closed there: unfolding its node will
        // tell. Where the closed logs of its node agree, it is unknown there.
        let their_tip = match theirs.open.get(log) {
            Some(tip) => *tip,
            None if unfold.contains(&log.node) && theirs.closed.contains_key(&log.node) => continue,
            None => empty,
        };

        let difference = match my_tip.size.cmp(&their_tip.size) {
            std::cmp::Ordering::Greater => Difference::Ahead { theirs: their_tip },
            std::cmp::Ordering::Less => Difference::Behind { theirs: their_tip },
            std::cmp::Ordering::Equal if my_tip.root != their_tip.root => {
                Difference::Forked { theirs: their_tip }
            }
            std::cmp::Ordering::Equal => continue,
        };

        differences.insert(*log, difference);
    }

    (differences, unfold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, Lane};

    fn log(node: u8, epoch: u8) -> LogId {
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([epoch; 8]),
            lane: Lane::Passage,
            crossing: "WLD".parse().unwrap(),
        }
    }
    fn tip(size: u64) -> Tip {
        Tip {
            size,
            root: Hash([size as u8; 32]),
        }
    }

    #[test]
    fn equal_size_with_another_root_is_a_fork() {
        let mine = Frontier([(log(1, 1), tip(4))].into());
        let mut theirs = mine.clone();
        theirs.0.get_mut(&log(1, 1)).unwrap().root = Hash([77; 32]);
        let (differences, _) = compare(&mine, &BTreeSet::new(), &theirs.fold(&BTreeSet::new()));
        assert!(matches!(differences[&log(1, 1)], Difference::Forked { .. }));
    }

    #[test]
    fn folding_closed_logs_hides_no_difference() {
        // Node 1 has two closed epochs and an open one; the peer lacks one closed epoch, and the
        // open one.
        let closed = BTreeSet::from([log(1, 1), log(1, 2)]);
        let mine = Frontier(
            [
                (log(1, 1), tip(4)),
                (log(1, 2), tip(9)),
                (log(1, 3), tip(2)),
            ]
            .into(),
        );

        let theirs = Frontier([(log(1, 1), tip(4))].into());
        let folded = theirs.fold(&closed);
        let (differences, unfold) = compare(&mine, &closed, &folded);
        assert_eq!(unfold, BTreeSet::from([NodeId([1; 16])]));
        assert!(
            differences.is_empty(),
            "the open log waits for the unfolding"
        );

        let (differences, unfold) =
            compare(&mine, &BTreeSet::new(), &theirs.fold(&BTreeSet::new()));
        assert!(unfold.is_empty());
        assert_eq!(differences.len(), 2);

        // With the closed epochs equal, an open log that is not named is one they lack.
        let theirs = Frontier([(log(1, 1), tip(4)), (log(1, 2), tip(9))].into());
        let (differences, unfold) = compare(&mine, &closed, &theirs.fold(&closed));
        assert!(unfold.is_empty());
        assert!(
            matches!(differences[&log(1, 3)], Difference::Ahead { theirs } if theirs.size == 0)
        );
    }
}
