//! Entries that say a time which the hub's word does not allow, as the hub took them in: what the
//! clock's rule reads. An entry's bracket is the hub time that its node had named before, and when
//! this hub first had it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};
use wadi_log::{Body, NodeId, RecordId, Reference, VerifiedEntry};
use wadi_reconcile::ClockDoubt;
use wadi_store::{LocalKey, LocalScope};

/// Entries of one node that are remembered: a clock that is wrong for weeks is one cause, and the
/// site's alarm says it.
const OF_NODE_MAX: usize = 4_096;
/// What is remembered lies under this scope, each entry by its reference.
pub(crate) const SCOPE: LocalScope = LocalScope::ClockDoubt;

/// One of them, and the record that it is about.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Doubtful {
    record: RecordId,
    reference: Reference,
    said_ms: i64,
    happened: bool,
    after_ms: Option<i64>,
    before_ms: i64,
}

impl Doubtful {
    /// Times of an entry that lie outside its bracket by more than the doubt, milliseconds.
    pub(crate) fn of_entry(
        entry: &VerifiedEntry,
        after_ms: Option<i64>,
        before_ms: i64,
        doubt_ms: i64,
    ) -> Option<Self> {
        let said = entry.entry()?;
        let Body::Change(change) = &said.body else {
            return None;
        };

        let reference = entry.reference();
        let with = |(said_ms, happened)| Self {
            record: change.record.unwrap_or(RecordId::of_first(&reference)),
            reference,
            said_ms,
            happened,
            after_ms,
            before_ms,
        };

        let written = Some((said.common.wall_ms, false));
        let happened = said.common.happened_ms.map(|at_ms| (at_ms, true));
        let mut both = written.into_iter().chain(happened).map(with);
        both.find(|d| {
            let outside_ms = d.doubt(String::new()).outside_ms();
            outside_ms > doubt_ms || outside_ms < doubt_ms.saturating_neg()
        })
    }

    /// As it is kept on disk.
    pub(crate) fn key(&self) -> LocalKey {
        let kind = if self.happened { "happened" } else { "written" };
        let after = self.after_ms.map_or_else(|| "-".into(), |a| a.to_string());
        LocalKey {
            scope: SCOPE,
            key: self.reference.to_string(),
            value: format!(
                "{} {kind} {} {after} {}",
                self.record, self.said_ms, self.before_ms
            ),
        }
    }

    /// Reads what [`Self::key`] wrote; nothing where it does not read.
    fn read(key: &LocalKey) -> Option<Self> {
        let mut words = key.value.split(' ');
        let record = words.next()?.parse().ok()?;
        let happened = words.next()? == "happened";
        let said_ms = words.next()?.parse().ok()?;
        let after_ms = words.next()?.parse().ok();
        let before_ms = words.next()?.parse().ok()?;

        Some(Self {
            record,
            reference: key.key.parse().ok()?,
            said_ms,
            happened,
            after_ms,
            before_ms,
        })
    }

    fn doubt(&self, node: String) -> ClockDoubt {
        ClockDoubt {
            entry: self.reference.to_string(),
            node,
            said_ms: self.said_ms,
            happened: self.happened,
            after_ms: self.after_ms,
            before_ms: self.before_ms,
        }
    }
}

/// Those that are durable.
#[derive(Default)]
pub(crate) struct ClockDoubts(Mutex<DoubtBoard>);

#[derive(Default)]
struct DoubtBoard {
    by_record: HashMap<RecordId, BTreeMap<Reference, Doubtful>>,
    of_node: HashMap<NodeId, usize>,
}

impl ClockDoubts {
    /// Whether more of a node are remembered.
    pub(crate) fn has_room(&self, node: &NodeId) -> bool {
        let board = self.0.lock().expect("no panic holds it");
        board.of_node.get(node).is_none_or(|n| *n < OF_NODE_MAX)
    }

    /// Takes in those that an earlier start kept.
    pub(crate) fn recall(&self, kept: &[LocalKey]) {
        self.add(kept.iter().filter_map(Doubtful::read));
    }

    /// Takes in those that are durable now.
    pub(crate) fn add(&self, new: impl IntoIterator<Item = Doubtful>) {
        let mut board = self.0.lock().expect("no panic holds it");
        for doubtful in new {
            let node = doubtful.reference.log.node;
            let of_record = board.by_record.entry(doubtful.record).or_default();
            if of_record.insert(doubtful.reference, doubtful).is_none() {
                *board.of_node.entry(node).or_default() += 1;
            }
        }
    }

    /// Those of a record. `name` names a node.
    pub(crate) fn of_record(
        &self,
        record: &RecordId,
        name: impl Fn(&NodeId) -> String,
    ) -> Vec<ClockDoubt> {
        let of_record = {
            let board = self.0.lock().expect("no panic holds it");
            board.by_record.get(record).cloned().unwrap_or_default()
        };

        let all = of_record.values();
        all.map(|d| d.doubt(name(&d.reference.log.node))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Epoch, Hash, Lane, LogId};

    fn doubtful(seq: u64, after_ms: Option<i64>) -> Doubtful {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };
        let reference = Reference {
            log,
            seq,
            leaf: Hash::default(),
        };
        Doubtful {
            record: RecordId::of_first(&reference),
            reference,
            said_ms: 7,
            happened: seq.is_multiple_of(2),
            after_ms,
            before_ms: -3,
        }
    }

    #[test]
    fn what_is_kept_reads_back() {
        for kept in [doubtful(1, Some(-9)), doubtful(2, None)] {
            assert_eq!(Doubtful::read(&kept.key()), Some(kept));
        }
    }

    #[test]
    fn a_node_whose_clock_is_wrong_for_weeks_takes_bounded_room() {
        let doubts = ClockDoubts::default();
        for seq in 0..OF_NODE_MAX as u64 {
            assert!(doubts.has_room(&NodeId([1; 16])));
            doubts.add([doubtful(seq, None)]);
            doubts.add([doubtful(seq, None)]);
        }

        assert!(!doubts.has_room(&NodeId([1; 16])));
        assert!(doubts.has_room(&NodeId([2; 16])));
        let found = doubts.of_record(&doubtful(3, None).record, |_| "trb".into());
        assert_eq!(found.len(), 1);
    }
}
