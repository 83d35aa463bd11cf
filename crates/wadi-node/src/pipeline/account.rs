//! What only the sequencer can tell of a record: how each entry stands, who set each field, and
//! what was known at each decision.

use crate::{
    door::{
        command::{Account, DecidedOn},
        error::NodeError,
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_log::RecordId;
use wadi_record::{Verdict, is_decision};

impl Sequencer {
    pub(crate) async fn account(
        &mut self,
        g: &mut Commit,
        record: RecordId,
    ) -> Result<Account, NodeError> {
        let record = self
            .record(g, record)
            .await?
            .ok_or_else(|| NodeError::NoRecord(record.to_string()))?;
        let mut stands = BTreeMap::new();
        let mut not_shown = BTreeMap::new();

        for (said, row) in record.rows() {
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

        for event in record.events().filter(|e| is_decision(e.kind())) {
            let unseen = record.not_shown(&event.reference);
            not_shown.insert(event.reference, unseen);
        }

        let signatures = record.signatures_json();
        let fields = record.blame_json();

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
