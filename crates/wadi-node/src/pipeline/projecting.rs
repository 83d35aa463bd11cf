//! Rows of the records that a commit touches, and what the rules read of them.
//!
//! Projecting takes the longest of all that is done to a change in the sequencer. It needs nothing
//! but the record, so it is done while the store writes the commit before: a record that is touched
//! again after that is projected anew.

use crate::{
    door::{budget_limits::Cost, excerpt::HANDED_OVER, projections::Projected},
    pipeline::{
        commit::Commit,
        sequencer::{Sequencer, TASK},
    },
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};
use wadi_log::{Crossing, Hash, RecordId, Reference, Role, VerifiedEntry};
use wadi_reconcile::Facts;
use wadi_record::{Record, Verdict};
use wadi_store::{RecordRow, Waiting};

/// Records projected between two looks at what else there is to do: about a millisecond of work.
const PROJECTED_AT_ONCE: usize = 32;

/// The records that a commit touches, and the projections already made of them.
#[derive(Default)]
pub(crate) struct Touched {
    all: BTreeSet<RecordId>,
    unprojected: BTreeSet<RecordId>,
    made: HashMap<RecordId, Made>,
}

/// What is made of a record.
struct Made {
    row: RecordRow,
    /// What the rules read of it; at a hub.
    projected: Option<Projected>,
}

impl Touched {
    /// A record changes: what was made of it is void.
    pub(crate) fn insert(&mut self, id: RecordId) {
        self.all.insert(id);
        self.unprojected.insert(id);
        self.made.remove(&id);
    }

    /// Whether a record was touched.
    pub(crate) fn contains(&self, id: &RecordId) -> bool {
        self.all.contains(id)
    }

    /// Whether no record was.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether all of them are projected.
    pub(crate) fn are_projected(&self) -> bool {
        self.unprojected.is_empty()
    }

    /// The records touched, ascending.
    pub(crate) fn ids(&self) -> Vec<RecordId> {
        self.all.iter().copied().collect()
    }
}

impl Sequencer {
    /// Projects some of the records that a commit touches, ahead of the time when it is due.
    pub(super) fn project_ahead(&self, commit: &mut Commit) {
        // Any of what it was made of may be at fault, should the sequencer end over this.
        self.tasks.at(TASK, commit.suspects.clone());
        let began = Instant::now();

        for _ in 0..PROJECTED_AT_ONCE {
            let Some(id) = commit.touched.unprojected.pop_first() else {
                break;
            };

            if let Some(record) = commit.records.get(&id) {
                let made = self.make(record);
                commit.touched.made.insert(id, made);
            }
        }

        commit.projecting += began.elapsed();
    }

    fn make(&self, record: &Record) -> Made {
        let (row, json) = project(record);
        let is_hub = self.me.role == Role::Hub;
        let projected = is_hub.then(|| Projected {
            facts: Facts::of(row.id.to_string(), json, row.born_ms),
            terms: Arc::new(row.terms.clone()),
            letters: row.json.len(),
        });

        Made { row, projected }
    }

    /// Puts the rows of all records touched into the batch.
    pub(super) fn project_touched(&self, g: &mut Commit) {
        for id in g.touched.ids() {
            let unjudged = g.unjudged.get(&id).cloned().unwrap_or_default();
            let made = g.touched.made.remove(&id);
            let made = made.or_else(|| g.records.get(&id).map(|record| self.make(record)));

            let Some(Made { mut row, projected }) = made else {
                let waiting = unjudged.iter().map(|(entry, missing)| Waiting {
                    record: id,
                    entry: *entry,
                    missing: Some(*missing),
                });
                g.batch.project.waiting.extend(waiting);
                continue;
            };

            if let Some(projected) = projected {
                g.projected.push((id, projected));
            }

            let unjudged = unjudged.into_iter();
            row.waiting
                .extend(unjudged.map(|(entry, missing)| (entry, Some(missing))));
            self.charge_waiting(g, &id, &row);
            g.batch.project.records.push(row);
        }
    }

    /// Entries that this commit brought and that wait cost their authors something.
    fn charge_waiting(&self, g: &Commit, id: &RecordId, row: &RecordRow) {
        // Of nearly all records nothing waits.
        if row.waiting.is_empty() {
            return;
        }

        let fresh = g.fresh.get(id).into_iter().flatten();
        let fresh: BTreeSet<Reference> = fresh.map(VerifiedEntry::reference).collect();
        for (entry, _) in row.waiting.iter().filter(|(e, _)| fresh.contains(e)) {
            self.charge(entry.log.node, Cost::Waiting, 1.0);
        }
    }
}

/// Which of these records are handed over, each with a crossing that it is handed over to.
pub(super) fn handed_over(projected: &[(RecordId, Projected)]) -> Arc<[(Crossing, RecordId)]> {
    let of = |(id, projected): &(RecordId, Projected)| {
        let to = projected
            .terms
            .iter()
            .filter(|(what, _)| what == HANDED_OVER);
        let to = to.filter_map(|(_, crossing)| crossing.parse().ok());

        to.map(|crossing| (crossing, *id)).collect::<Vec<_>>()
    };

    projected.iter().flat_map(of).collect()
}

/// A record's row, and the projection of which its text is.
pub(super) fn project(record: &Record) -> (RecordRow, Json) {
    let made = record.projection();
    let waiting = record.rows().filter_map(|(said, row)| match row {
        Verdict::Waits(missing) => Some((said.reference, *missing)),
        _ => None,
    });

    let waiting = waiting.collect();
    let happened_ms = || record.rows().map(|(said, _)| said.at_ms());
    let row = RecordRow {
        id: record.id(),
        printed: record.printed(),
        lane: record.lane() as u8,
        crossing: record
            .listed_under()
            .map_or_else(String::new, |crossing| crossing.to_string()),
        open: made.state.is_open(),
        contested: made.is_contested,
        state: made.state.line(),
        json: made.json.to_string(),
        digest: Hash(record.digest()),
        entries: record.rows().count() as u32,
        at_ms: happened_ms().max().unwrap_or(0),
        born_ms: happened_ms().min().unwrap_or(0),
        terms: made.terms,
        waiting,
        changed: 0,
    };

    (row, made.json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(id: RecordId) -> Made {
        let row = RecordRow {
            id,
            printed: "TRB-P-1".into(),
            lane: 2,
            crossing: "TRB".into(),
            state: "ANNOUNCED".into(),
            open: true,
            contested: false,
            json: "{}".into(),
            digest: Hash::default(),
            entries: 1,
            at_ms: 0,
            born_ms: 0,
            terms: Vec::new(),
            waiting: Vec::new(),
            changed: 0,
        };
        Made {
            row,
            projected: None,
        }
    }

    #[test]
    fn what_was_made_of_a_record_is_void_once_it_is_touched_again() {
        let id = RecordId([1; 32]);
        let mut touched = Touched::default();
        assert!(touched.is_empty() && touched.are_projected());

        touched.insert(id);
        assert!(touched.contains(&id) && !touched.are_projected());

        touched.unprojected.remove(&id);
        touched.made.insert(id, made(id));
        assert!(touched.are_projected());

        touched.insert(id);
        assert!(touched.made.is_empty() && !touched.are_projected());
        assert_eq!(touched.ids(), [id]);
    }
}
