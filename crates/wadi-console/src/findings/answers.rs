//! What the pages read of the API's answers.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A page of findings.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct QueueAnswer {
    pub count: u64,
    pub counts: Vec<QueueCount>,
    pub findings: Vec<SeenFinding>,
    pub next_after: Option<String>,
}

/// How many there are of one rule and phase, in one state each.
#[derive(Deserialize)]
pub(super) struct QueueCount {
    pub rule: String,
    pub phase: String,
    pub count: u64,
}

/// A finding.
#[derive(Deserialize)]
pub(super) struct SeenFinding {
    pub finding: String,
    pub rule: String,
    #[serde(default)]
    pub severity: Option<u8>,
    pub phase: String,
    pub record: String,
    pub crossing: String,
    pub text: String,
    /// The text for other languages, as the API gives it.
    #[serde(default)]
    pub sentence: Option<Value>,
    #[serde(default)]
    pub evidence: Option<Value>,
    pub at_ms: i64,
    pub state: String,
    pub assignee: String,
    #[serde(default)]
    pub waits_for: Option<SeenWait>,
    #[serde(default)]
    pub life: SeenLife,
    #[serde(default)]
    pub about: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub withheld: Vec<String>,
}

/// What a pending finding waits for.
#[derive(Deserialize)]
pub(super) struct SeenWait {
    #[serde(default)]
    pub crossings: Vec<String>,
    pub through_ms: i64,
    #[serde(default)]
    pub missing: Vec<String>,
}

/// What people made of it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenLife {
    pub reason: String,
    pub reopened: bool,
    pub disposition: Option<String>,
    pub proposal: Option<SeenProposal>,
    pub acts: Vec<SeenAct>,
}

impl SeenLife {
    /// Who proposed; empty where nobody did.
    pub(super) fn proposer(&self) -> &str {
        self.proposal.as_ref().map_or("", |p| p.officer.as_str())
    }
}

/// The proposal that waits, or was decided.
#[derive(Deserialize)]
pub(super) struct SeenProposal {
    pub officer: String,
}

/// One act.
#[derive(Deserialize)]
pub(super) struct SeenAct {
    pub event: String,
    pub act: String,
    pub officer: String,
    pub at_ms: i64,
    pub undone: bool,
    #[serde(default)]
    pub assignee: Option<String>,
    #[serde(default)]
    pub resolution: Option<String>,
    #[serde(default)]
    pub decision: Option<String>,
    #[serde(default)]
    pub disposition: Option<String>,
    #[serde(default)]
    pub duplicate_of: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// The visitor's desk.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenDesk {
    pub views: Vec<SeenView>,
    pub snoozed: Vec<SeenSnooze>,
}

/// A saved view.
#[derive(Deserialize)]
pub(super) struct SeenView {
    pub name: String,
    pub query: String,
}

/// A finding put aside.
#[derive(Deserialize)]
pub(super) struct SeenSnooze {
    pub finding: String,
    pub crossings: Vec<String>,
    pub through_ms: i64,
}

/// What became of findings that were to be assigned.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AssignedTold {
    pub refused: Vec<NotAssignedTold>,
}

/// One that could not be.
#[derive(Deserialize)]
pub(super) struct NotAssignedTold {
    pub finding: String,
    pub code: String,
    pub why: String,
}

/// A page of cases.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenCases {
    pub cases: Vec<SeenCase>,
    pub next_after: Option<String>,
}

/// A case.
#[derive(Deserialize)]
pub(super) struct SeenCase {
    pub key: String,
    pub findings: u64,
    pub undecided: u64,
    pub firm: u64,
    pub last_ms: i64,
    #[serde(default)]
    pub crossing: Option<String>,
    #[serde(default)]
    pub of: Option<String>,
    #[serde(default)]
    pub from_ms: Option<i64>,
    #[serde(default)]
    pub until_ms: Option<i64>,
    #[serde(default)]
    pub records: Vec<SeenCaseRecord>,
}

/// A record of a case.
#[derive(Deserialize)]
pub(super) struct SeenCaseRecord {
    pub record: String,
    #[serde(default)]
    pub kind: Option<String>,
    pub crossing: String,
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub flags: Option<Vec<String>>,
    pub born_ms: i64,
    pub at_ms: i64,
    pub findings: u64,
}

/// What findings came to.
#[derive(Deserialize)]
pub(super) struct SeenFigures {
    pub from_ms: i64,
    pub until_ms: i64,
    pub cut: bool,
    pub total: SeenTally,
    pub rules: Vec<SeenTally>,
    pub crossings: Vec<SeenTally>,
    pub officers: Vec<SeenTally>,
    pub months: Vec<SeenTally>,
    pub contested: SeenContested,
}

/// What some findings came to.
#[derive(Deserialize)]
pub(super) struct SeenTally {
    pub key: String,
    pub found: u64,
    pub undecided: u64,
    pub explained_itself: u64,
    pub r#true: u64,
    pub explained: u64,
    pub false_alarm: u64,
    pub duplicate: u64,
    pub without: u64,
    pub median_age_ms: Option<i64>,
}

/// Which fields are contested.
#[derive(Deserialize)]
pub(super) struct SeenContested {
    pub records: u64,
    pub fields_count: u64,
    pub cut: bool,
    pub fields: Vec<SeenContestedLine>,
    pub crossings: Vec<SeenContestedLine>,
    pub officers: Vec<SeenContestedLine>,
    pub months: Vec<SeenContestedLine>,
}

/// Contested fields of one name, crossing, officer or month.
#[derive(Deserialize)]
pub(super) struct SeenContestedLine {
    pub key: String,
    pub fields: u64,
}

/// The entries of a record.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenHistory {
    pub entries: Vec<SeenEntry>,
}

/// One entry.
#[derive(Deserialize)]
pub(super) struct SeenEntry {
    pub entry: String,
    pub officer: String,
    pub department: String,
    pub device: String,
    pub claimed_ms: i64,
    pub happened_ms: Option<i64>,
    pub stands: SeenStanding,
    pub puts: BTreeMap<String, Value>,
    pub events: Vec<Value>,
    #[serde(default)]
    pub signature: Option<SeenSignature>,
    #[serde(default)]
    pub knew: Option<SeenKnowledge>,
}

/// How an officer's own signature over an entry stands.
#[derive(Deserialize)]
pub(super) struct SeenSignature {
    pub state: String,
}

/// Whether an entry counts.
#[derive(Deserialize)]
pub(super) struct SeenStanding {
    #[serde(default)]
    pub counts: bool,
    #[serde(default)]
    pub code: Option<String>,
}

/// What the author of a decision could have known.
#[derive(Deserialize)]
pub(super) struct SeenKnowledge {
    pub not_shown: Vec<String>,
    pub holds: Vec<SeenKnownHold>,
}

/// A hold at a decision.
#[derive(Deserialize)]
pub(super) struct SeenKnownHold {
    pub hold: String,
    pub taken_in: bool,
    #[serde(default)]
    pub claimed: bool,
}
