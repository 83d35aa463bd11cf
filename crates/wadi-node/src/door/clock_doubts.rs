//! Entries that say a time which the hub's word does not allow, as the hub took them in: what the
//! clock's rule reads. An entry's bracket is the hub time that its node had named before, and when
//! this hub first had it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};
use wadi_log::{Body, Hash, NodeId, RecordId, Reference, VerifiedEntry};
use wadi_reconcile::ClockDoubt;
use wadi_store::{LocalKey, LocalScope};

/// Entries of one node that are remembered: a clock that is wrong for weeks is one cause, and the
/// site's alarm says it. Of more those count whose hashes are the lowest, whatever came first: two
/// hubs remember the same ones.
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
    of_node: HashMap<NodeId, BTreeMap<(Hash, Reference), RecordId>>,
    /// Entries that were remembered and had to go, until their keys are taken off the disk.
    gone: Vec<Reference>,
    /// The records of those, until they are looked at anew.
    due: BTreeSet<RecordId>,
}

impl DoubtBoard {
    fn takes(&self, entry: &Reference) -> bool {
        let Some(known) = self.of_node.get(&entry.log.node) else {
            return true;
        };
        let highest = known.last_key_value().map(|(key, _)| key);
        known.len() < OF_NODE_MAX || highest.is_some_and(|key| (entry.leaf, *entry) <= *key)
    }

    fn add(&mut self, doubtful: Doubtful) {
        let reference = doubtful.reference;
        if !self.takes(&reference) {
            // It came in one commit with others that took its place.
            self.gone.push(reference);
            return;
        }

        let known = self.of_node.entry(reference.log.node).or_default();
        known.insert((reference.leaf, reference), doubtful.record);
        let of_record = self.by_record.entry(doubtful.record).or_default();
        of_record.insert(reference, doubtful);

        if known.len() > OF_NODE_MAX
            && let Some(((_, highest), record)) = known.pop_last()
        {
            if let Some(of_record) = self.by_record.get_mut(&record) {
                of_record.remove(&highest);
                if of_record.is_empty() {
                    self.by_record.remove(&record);
                }
            }
            self.gone.push(highest);
            self.due.insert(record);
        }
    }
}

impl ClockDoubts {
    /// Whether an entry is remembered beside those that are, or in the place of one.
    pub(crate) fn takes(&self, entry: &Reference) -> bool {
        self.0.lock().expect("no panic holds it").takes(entry)
    }

    /// The keys of those that had to go since this was asked last.
    pub(crate) fn keys_gone(&self) -> Vec<(LocalScope, String)> {
        let gone = std::mem::take(&mut self.0.lock().expect("no panic holds it").gone);
        gone.into_iter().map(|r| (SCOPE, r.to_string())).collect()
    }

    /// The records of those that had to go since this was asked last.
    pub(crate) fn due(&self) -> BTreeSet<RecordId> {
        std::mem::take(&mut self.0.lock().expect("no panic holds it").due)
    }

    /// Takes in those that an earlier start kept.
    pub(crate) fn recall(&self, kept: &[LocalKey]) {
        self.add(kept.iter().filter_map(Doubtful::read));
    }

    /// Takes in those that are durable now.
    pub(crate) fn add(&self, new: impl IntoIterator<Item = Doubtful>) {
        let mut board = self.0.lock().expect("no panic holds it");
        new.into_iter().for_each(|doubtful| board.add(doubtful));
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
    use wadi_log::{Epoch, Lane, LogId};

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
            leaf: wadi_log::leaf_hash(&seq.to_be_bytes()),
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
    fn a_node_whose_clock_is_wrong_for_weeks_takes_bounded_room_and_the_same_everywhere() {
        let all: Vec<Doubtful> = (0..2 * OF_NODE_MAX as u64)
            .map(|seq| doubtful(seq, None))
            .collect();
        let (one, other) = (ClockDoubts::default(), ClockDoubts::default());
        one.add(all.iter().cloned());
        for doubtful in all.iter().rev() {
            other.add([doubtful.clone()]);
            other.add([doubtful.clone()]);
        }

        let kept = |doubts: &ClockDoubts| -> Vec<usize> {
            let of = |d: &Doubtful| doubts.of_record(&d.record, |_| "trb".into()).len();
            all.iter().map(of).collect()
        };
        assert_eq!(kept(&one), kept(&other));
        assert_eq!(kept(&one).iter().sum::<usize>(), OF_NODE_MAX);

        // Whoever had to go is told, and its record looked at.
        let gone = other.keys_gone();
        assert!(!gone.is_empty() && other.keys_gone().is_empty());
        assert!(!other.due().is_empty() && other.due().is_empty());
        let is_kept = |d: &Doubtful| other.takes(&d.reference);
        assert_eq!(all.iter().filter(|d| is_kept(d)).count(), OF_NODE_MAX);
    }
}
