//! Findings, and what auditors did with them.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A page of findings.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingPageAnswer {
    /// How many there are, whatever the page shows.
    count: u64,
    /// How many of each rule, phase and state; a hub's alone.
    counts: Vec<FindingCountAnswer>,
    /// The findings.
    findings: Vec<FindingAnswer>,
    /// What `after` of the next page is; null where there is none.
    #[schema(required = true)]
    next_after: Option<String>,
}

/// How many findings of a rule, a phase and a state.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingCountAnswer {
    /// The rule's code.
    rule: String,
    /// PENDING or FIRM.
    phase: String,
    /// The state of their life.
    state: String,
    /// How many.
    count: u64,
}

/// A contradiction between records.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingAnswer {
    /// Its id.
    finding: String,
    /// The rule's code.
    rule: String,
    /// The rule's name; a hub's alone.
    name: Option<String>,
    /// 1 is highest; a hub's alone.
    severity: Option<u8>,
    /// PENDING or FIRM.
    phase: String,
    /// The record that it is anchored at.
    record: String,
    /// The crossing's code.
    crossing: String,
    /// What was found, in a sentence.
    text: String,
    /// The facts that it rests on; a hub's alone.
    evidence: Option<Value>,
    /// The digest of those facts.
    evidence_digest: String,
    /// When what it is about happened, Unix milliseconds.
    at_ms: i64,
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    state: String,
    /// Who looks into it.
    assignee: String,
    /// What was taken out because the token does not read it.
    withheld: Option<Vec<String>>,
    /// What people have made of it.
    life: FindingLifeAnswer,
    /// What must be received before it is firm; null once it is. A hub's alone.
    waits_for: Option<FindingWaitsAnswer>,
    /// Where not all records that it might concern were looked at, by kind.
    dossier_cut: Option<BTreeMap<String, DossierCutAnswer>>,
}

/// What must be received before a finding is firm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingWaitsAnswer {
    /// The crossings.
    crossings: Vec<String>,
    /// Through when, Unix milliseconds.
    through_ms: i64,
}

/// How many of the records that share something were looked at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DossierCutAnswer {
    /// Those that were.
    taken: u64,
    /// Those that there are.
    of: u64,
}

/// What people have made of a finding.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingLifeAnswer {
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    state: String,
    /// Who looks into it.
    assignee: String,
    /// Why it was settled as it was.
    reason: String,
    /// Whether it was settled, and its facts changed since.
    reopened: bool,
    /// The proposal that waits or was decided.
    #[schema(required = true)]
    proposal: Option<Value>,
    /// The decision.
    #[schema(required = true)]
    decision: Option<Value>,
}

/// An act on a finding.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingActAnswer {
    /// The finding.
    finding: String,
    /// The record that it is anchored at.
    record: String,
    /// The signed entry.
    entry: String,
}

/// What became of findings that were to be assigned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignedAnswer {
    /// Those that were.
    assigned: Vec<String>,
    /// Those that could not be.
    refused: Vec<NotAssignedAnswer>,
}

/// A finding that could not be assigned.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotAssignedAnswer {
    /// The finding.
    finding: String,
    /// The stable code.
    code: String,
    /// The reason.
    why: String,
}

/// That something was begun.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecheckAnswer {
    /// Always `begun`.
    recheck: String,
}
