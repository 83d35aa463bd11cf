//! What the pages read of the API's answers.

use crate::expected::ExpectedRead;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A page of records.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownPage {
    pub records: Vec<ShownRecord>,
    pub next_before: Option<i64>,
    pub next_older: Option<String>,
    pub understood: Option<ShownMeanings>,
    pub looked_at: Option<u64>,
}

/// What a search was taken for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownMeanings {
    #[serde(rename = "as")]
    pub meanings: Vec<WhatAndValue>,
    pub withheld: Vec<String>,
}

/// A kind of term and its value.
#[derive(Default, Deserialize)]
pub(super) struct WhatAndValue {
    pub what: String,
    pub value: String,
}

/// A record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownRecord {
    pub id: String,
    pub record: String,
    pub kind: Option<String>,
    pub crossing: String,
    pub state: String,
    pub flags: Vec<String>,
    pub detained_by: Vec<ShownDetention>,
    pub placements: Vec<ShownPlacement>,
    pub unfounded: Vec<ShownLack>,
    pub fields: BTreeMap<String, Value>,
    pub contested: BTreeMap<String, Vec<ShownClaim>>,
    pub events: Vec<ShownEvent>,
    pub warnings: Vec<String>,
    pub refused: Vec<ShownRefusal>,
    pub refused_fields: Vec<ShownClaim>,
    pub waiting_count: usize,
    pub time_reversals: Vec<Value>,
    pub changed_after: Vec<ShownClaim>,
    pub changed_after_count: u64,
    pub after_assessment: Vec<String>,
    pub withheld: Vec<String>,
    pub safety: Option<String>,
    pub expected_at_hub: Option<ExpectedRead>,
    pub begun_ms: Option<i64>,
    pub last_ms: Option<i64>,
}

/// A hold that holds a record.
#[derive(Deserialize)]
pub(super) struct ShownDetention {
    pub hold: String,
    #[serde(rename = "type")]
    pub of: Option<String>,
    pub department: Option<String>,
    pub legal_basis: Option<String>,
    pub placed_ms: Option<i64>,
    pub through: Option<String>,
}

/// How a hold was placed, and what ended it.
#[derive(Deserialize)]
pub(super) struct ShownPlacement {
    #[serde(rename = "type")]
    pub of: Option<String>,
    pub department: Option<String>,
    pub placed_ms: i64,
    pub open: bool,
    pub ends: Vec<ShownEnd>,
}

/// What ended a hold.
#[derive(Deserialize)]
pub(super) struct ShownEnd {
    #[serde(rename = "type")]
    pub of: String,
    pub at_ms: i64,
    pub reopened_ms: Option<i64>,
}

/// An event that lacks what it rests on.
#[derive(Deserialize)]
pub(super) struct ShownLack {
    pub id: String,
    pub lacks: Vec<String>,
}

/// A value with who set it; where it does not count, why not.
#[derive(Clone, Deserialize)]
pub(super) struct ShownClaim {
    #[serde(default)]
    pub field: String,
    pub value: Value,
    pub officer: String,
    pub department: Option<String>,
    pub at_ms: i64,
    #[serde(default)]
    pub code: String,
    #[serde(default)]
    pub why: String,
    #[serde(default)]
    pub before: Vec<Value>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Why something does not count.
#[derive(Clone, Deserialize)]
pub(super) struct ShownRefusal {
    pub code: String,
    pub why: String,
}

/// An event of a record.
#[derive(Deserialize)]
pub(super) struct ShownEvent {
    #[serde(default)]
    pub id: String,
    #[serde(rename = "type")]
    pub of: Option<String>,
    #[serde(default)]
    pub data: Map<String, Value>,
    pub officer: String,
    pub department: Option<String>,
    #[serde(default)]
    pub device: Option<String>,
    pub at_ms: i64,
    #[serde(default)]
    pub entered_ms: i64,
    pub counts: bool,
    #[serde(default)]
    pub refused: Option<ShownRefusal>,
    #[serde(default)]
    pub quarantined: Option<bool>,
    #[serde(default)]
    pub signed_by: Option<String>,
}

/// A record's history.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownHistory {
    pub entries: Vec<ShownEntry>,
    pub next_after: Option<String>,
    pub fields: BTreeMap<String, Vec<ShownSetting>>,
    pub left_out: BTreeMap<String, usize>,
    pub withheld: Vec<String>,
}

/// One entry of a history.
#[derive(Deserialize)]
pub(super) struct ShownEntry {
    pub entry: String,
    pub node: String,
    pub officer: String,
    pub department: String,
    pub device: String,
    pub claimed_ms: i64,
    pub happened_ms: Option<i64>,
    pub received_ms: i64,
    pub not_before_s: Option<i64>,
    pub not_after_s: Option<i64>,
    pub safety: String,
    pub witnessed: Vec<String>,
    pub stands: ShownStanding,
    #[serde(default)]
    pub signature: Option<ShownSignature>,
    pub based_on: Vec<String>,
    pub puts: BTreeMap<String, Value>,
    pub events: Vec<Value>,
    #[serde(default)]
    pub knew: Option<ShownKnowledge>,
}

/// How an officer's own signature over an entry stands.
#[derive(Deserialize)]
pub(super) struct ShownSignature {
    pub state: String,
    #[serde(default)]
    pub key: String,
}

/// Whether an entry counts.
#[derive(Deserialize)]
pub(super) struct ShownStanding {
    #[serde(default)]
    pub counts: bool,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub why: Option<String>,
    #[serde(default)]
    pub refused_fields: BTreeMap<String, ShownRefusal>,
}

/// What the author of a decision could have known.
#[derive(Deserialize)]
pub(super) struct ShownKnowledge {
    pub not_shown: Vec<String>,
    pub holds: Vec<ShownKnownHold>,
}

/// A hold at a decision.
#[derive(Deserialize)]
pub(super) struct ShownKnownHold {
    pub hold: String,
    pub taken_in: bool,
    #[serde(default)]
    pub claimed: bool,
}

/// One value that was put into a field.
#[derive(Deserialize)]
pub(super) struct ShownSetting {
    pub value: Value,
    pub officer: String,
    pub department: Option<String>,
    pub at_ms: i64,
    pub entry: String,
    pub stands: bool,
    #[serde(default)]
    pub contested_by: Vec<String>,
    #[serde(default)]
    pub signed_by: Option<String>,
    #[serde(default)]
    pub refused: Option<ShownRefusal>,
}

/// Records that belong with one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownRelated {
    pub records: Vec<ShownRelation>,
    pub cut: bool,
}

/// A record that belongs with another one.
#[derive(Deserialize)]
pub(super) struct ShownRelation {
    pub id: String,
    /// Its hash, by which entries name it.
    #[serde(default)]
    pub record: String,
    pub kind: Option<String>,
    pub crossing: String,
    pub state: String,
    pub flags: Vec<String>,
    pub begun_ms: i64,
    pub by: Vec<WhatAndValue>,
}

/// Findings about a record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownFindings {
    pub findings: Vec<ShownFinding>,
}

/// A finding.
#[derive(Deserialize)]
pub(super) struct ShownFinding {
    pub finding: String,
    pub rule: String,
    pub phase: String,
    pub state: String,
    pub text: String,
    #[serde(default)]
    pub sentence: Option<Value>,
    pub at_ms: i64,
}

/// The check of a record's evidence.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownProof {
    pub valid: bool,
    pub steps: Vec<ShownStep>,
    pub bytes: u64,
    pub statements: Option<u64>,
    pub vouched_for_by_hub: Option<u64>,
    pub forks: Option<u64>,
    pub made_by: Option<String>,
    pub made_s: Option<i64>,
    pub code: Option<String>,
    pub why: Option<String>,
}

/// One step of a check.
#[derive(Deserialize)]
pub(super) struct ShownStep {
    pub step: String,
    pub outcome: String,
    pub amount: u64,
}

/// The members of the network, as far as their crossings go.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShownMembers {
    pub members: Vec<ShownMember>,
}

/// A member.
#[derive(Deserialize)]
pub(super) struct ShownMember {
    #[serde(default)]
    pub crossing: Option<String>,
}
