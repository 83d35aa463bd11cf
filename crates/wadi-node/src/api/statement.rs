//! What an officer's own key would sign of a write, before it is written.

use crate::{
    api::Reads,
    door::{
        based_on::{base_as_given, base_of_heads},
        error::{NodeError, WriteError},
        write::{Based, Target, Write},
    },
};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::{Common, Reference, Role, SshKey};
use wadi_record::{DecisionStatement, SignedDecisions};

/// A statement to be signed, and what the write has to say besides to be the one that is signed.
#[derive(Clone, PartialEq, Debug)]
pub struct StatementToSign {
    /// What is signed, to its last byte.
    pub text: String,
    /// When, by this node's clock, Unix milliseconds: it is said within a quarter of an hour.
    pub signed_at_ms: i64,
    /// The entries that the write has to be based on.
    pub based_on: Vec<Reference>,
    /// The keys of the officer that this node knows.
    pub keys: BTreeSet<SshKey>,
    /// What the policy in force asks of decisions.
    pub asked: SignedDecisions,
}

impl Reads {
    /// The statement of a write on a record that exists, based on what is held of it now unless the
    /// write says otherwise. Nothing is written.
    ///
    /// # Errors
    ///
    /// Those of the draft, and `decision_signature` where it cannot be said exactly.
    pub async fn statement(&self, write: &Write) -> Result<StatementToSign, NodeError> {
        let Target::On(record) = write.target else {
            return Err(NodeError::NoRecord("that does not exist yet".into()));
        };
        let row = self.door.store.record(&record).await?;
        let row = row.ok_or_else(|| NodeError::NoRecord(record.to_string()))?;
        let (puts, events) = write.draft.check()?;

        // As the write is based on them.
        let based_on = match &write.based_on {
            Based::Entries(given) => base_as_given(given)?,
            Based::Heads => base_of_heads(heads(&row.json)),
        };

        let common = Common {
            officer: write.officer.clone(),
            department: write.department.clone(),
            device: write.device.clone(),
            happened_ms: write.happened.as_ref().map(|(at, _)| *at),
            happened_source: write
                .happened
                .as_ref()
                .map_or_else(String::new, |(_, source)| source.clone()),
            ..Common::default()
        };
        // As entries are given their times.
        let signed_at_ms = match self.door.me.role {
            Role::Hub => self.door.time.now_ms(),
            Role::Crossing | Role::Observer => self.door.clock.now_ms(),
        };
        let statement = DecisionStatement {
            node: self.door.id(),
            crossing: row.crossing.parse()?,
            lane: write.draft.kind.lane(),
            record,
            based_on: &based_on,
            puts: &puts,
            events: &events,
            common: &common,
            signed_at_ms,
        };
        let text = statement.text().map_err(WriteError::Refused)?;

        let keys = self
            .door
            .with_control(|c| c.officer_keys(&write.officer, |_| u64::MAX));

        Ok(StatementToSign {
            text,
            signed_at_ms,
            based_on,
            keys,
            asked: self.door.policy_now().signed_decisions,
        })
    }
}

fn heads(row: &str) -> Vec<Reference> {
    let json: Json = serde_json::from_str(row).unwrap_or_default();
    let heads = json["heads"].as_array().into_iter().flatten();
    heads
        .filter_map(|head| head.as_str()?.parse().ok())
        .collect()
}
