//! What only the sequencer can tell of a record: how each entry stands, who set each field, and
//! what was known at each decision.

use crate::{
    door::{
        command::{Account, DecidedOn, HistoryPart},
        error::NodeError,
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_log::{RecordId, Reference};
use wadi_record::{Blame, EventView, Verdict, is_decision};

/// Entries that the screens of a record's decisions did not show, of which it is told. Ten thousand
/// decisions that know nothing of each other would take gigabytes; an honest record has hundreds.
const NOT_SHOWN_MAX: usize = 20_000;
/// Of these, how many each decision has at the least.
const NOT_SHOWN_OF_EACH: usize = 50;

/// As many of the entries that a decision's screen did not show as there is room for.
fn told_of(mut not_shown: Vec<Reference>, room: &mut usize) -> Vec<Reference> {
    not_shown.truncate((*room).max(NOT_SHOWN_OF_EACH));
    not_shown.shrink_to_fit();
    *room = room.saturating_sub(not_shown.len());
    not_shown
}

impl Sequencer {
    pub(crate) async fn account(
        &mut self,
        g: &mut Commit,
        record: RecordId,
        part: &HistoryPart,
    ) -> Result<Account, NodeError> {
        let record = self
            .record(g, record)
            .await?
            .ok_or_else(|| NodeError::NoRecord(record.to_string()))?;
        let mut stands = BTreeMap::new();
        let mut not_shown = BTreeMap::new();

        let rows = record.rows();
        for (said, row) in rows.filter(|(said, _)| part.entries.contains(&said.reference)) {
            let told = match row {
                Verdict::Counts => json!({"counts": true}),
                Verdict::Refused(r) => json!({"counts": false, "code": r.code, "why": r.why}),
                Verdict::Waits(_) => {
                    json!({"counts": false, "code": "waits", "why": "something it builds on is not held"})
                }
            };

            stands.insert(said.reference, told);
        }

        for put in record.refused_puts() {
            if let Some(told) = stands.get_mut(&put.entry) {
                told["refused_fields"][put.field.as_str()] =
                    json!({"code": put.refusal.code, "why": put.refusal.why});
            }
        }

        let mut room = NOT_SHOWN_MAX;
        let is_told = |e: &&EventView| is_decision(e.kind()) && part.entries.contains(&e.reference);
        for event in record.events().filter(is_told) {
            let unseen = told_of(record.not_shown(&event.reference), &mut room);
            not_shown.insert(event.reference, unseen);
        }

        let signatures = record.signatures_json();
        let fields = match part.has_fields {
            true => record.blame(),
            false => Blame::default(),
        };

        let mut decisions = BTreeMap::new();
        for (reference, not_shown) in not_shown {
            let seen = self.seen_index(&reference.log).await?;
            decisions.insert(reference, DecidedOn { not_shown, seen });
        }

        Ok(Account {
            stands,
            signatures,
            fields,
            decisions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Hash, Lane, LogId, NodeId};

    fn entries(count: u64) -> Vec<Reference> {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        };
        let entry = |seq| Reference {
            log,
            seq,
            leaf: Hash::default(),
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn what_screens_did_not_show_is_told_whole_until_there_are_thousands_of_decisions() {
        let mut room = NOT_SHOWN_MAX;
        for _ in 0..40 {
            assert_eq!(told_of(entries(300), &mut room).len(), 300);
        }

        let mut all = 0;
        for _ in 0..1_000 {
            let told = told_of(entries(200), &mut room).len();
            assert!(told >= NOT_SHOWN_OF_EACH);
            all += told;
        }
        assert!(all <= NOT_SHOWN_MAX + 1_000 * NOT_SHOWN_OF_EACH, "{all}");
    }
}
