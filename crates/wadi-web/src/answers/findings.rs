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
    /// What was found, in an English sentence.
    text: String,
    /// The same as a message of the catalogue with its values, for other languages. Left
    /// out where the finding was made by a version that had none.
    sentence: Option<FindingSentenceAnswer>,
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
    /// What it is about, by name: `record`, `plate`, `container`, `officer`. A hub's alone.
    about: Option<BTreeMap<String, Vec<String>>>,
    /// How it stands: another text after each act, and where its facts change. A hub's alone.
    version: Option<String>,
    /// Where not all records that it might concern were looked at, by kind.
    dossier_cut: Option<BTreeMap<String, DossierCutAnswer>>,
}

/// What a finding says: a message of the catalogue of texts, with its values.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingSentenceAnswer {
    /// The message's id, as R02-left.
    id: String,
    /// Its values by name. Each is an object of one member, named for what the value is: `record`,
    /// `officer`, `crossing`, `number`, `event` and others.
    values: BTreeMap<String, Value>,
    /// What is said after it: sentences of the same form.
    then: Option<Vec<Value>>,
}

/// What must be received before a finding is firm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingWaitsAnswer {
    /// The crossings.
    crossings: Vec<String>,
    /// Through when, Unix milliseconds.
    through_ms: i64,
    /// Those of the crossings that are not received so far.
    missing: Vec<String>,
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
    /// What it was decided to be: true, explained, false_alarm or duplicate. Null where no
    /// decision holds, and where that says nothing that this version knows.
    #[schema(required = true)]
    disposition: Option<String>,
    /// When the decision that holds was made, Unix milliseconds.
    #[schema(required = true)]
    decided_ms: Option<i64>,
    /// The event of the last act; empty where there was none.
    last: String,
    /// What people did with it, the oldest first; the last fifty.
    acts: Vec<FindingLifeActAnswer>,
}

/// What somebody did with a finding.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingLifeActAnswer {
    /// The event.
    event: String,
    /// assigned, proposed, decided or undone.
    act: String,
    /// Who.
    officer: String,
    /// When, Unix milliseconds.
    at_ms: i64,
    /// The signed entry.
    entry: String,
    /// Whether it was undone since.
    undone: bool,
    /// To whom it was assigned.
    assignee: Option<String>,
    /// RESOLVED or WAIVED, of a proposal.
    resolution: Option<String>,
    /// APPROVED or REJECTED, of a decision.
    decision: Option<String>,
    /// What it was, of a decision.
    disposition: Option<String>,
    /// The other finding, of a duplicate.
    duplicate_of: Option<String>,
    /// Why.
    reason: Option<String>,
    /// The event that was undone.
    undoes: Option<String>,
}

/// What an auditor keeps at hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeskAnswer {
    /// Views, in the order of their names.
    views: Vec<SavedViewAnswer>,
    /// Findings put aside that have not come back yet.
    snoozed: Vec<SnoozeAnswer>,
}

/// A view of the queue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedViewAnswer {
    /// What its owner calls it.
    name: String,
    /// The query of the list.
    query: String,
}

/// A finding put aside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnoozeAnswer {
    /// The finding.
    finding: String,
    /// Until all these crossings are received.
    crossings: Vec<String>,
    /// Through that time, Unix milliseconds.
    through_ms: i64,
}

/// That a desk was changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeskChangedAnswer {
    /// Always `changed`.
    desk: String,
}

/// A page of cases.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CasePageAnswer {
    /// The cases.
    cases: Vec<CaseAnswer>,
    /// What `after` of the next page is; null where there is none.
    #[schema(required = true)]
    next_after: Option<String>,
}

/// Findings about one truck, container, officer or outage.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseAnswer {
    /// plate, container, officer or outage.
    kind: String,
    /// Which.
    key: String,
    /// How many findings.
    findings: u64,
    /// How many of them nobody has settled.
    undecided: u64,
    /// How many of those are firm.
    firm: u64,
    /// When the latest of what they are about happened, Unix milliseconds.
    last_ms: i64,
    /// An outage's crossing.
    crossing: Option<String>,
    /// What there was none of in an outage: power or link.
    of: Option<String>,
    /// When an outage began, Unix milliseconds.
    from_ms: Option<i64>,
    /// When it ended, Unix milliseconds; null where it goes on.
    until_ms: Option<i64>,
    /// Its records in the order in which they began, 200 at most; of one case alone.
    records: Option<Vec<CaseRecordAnswer>>,
}

/// A record of a case.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseRecordAnswer {
    /// Its printed id.
    record: String,
    /// Its kind.
    kind: Option<String>,
    /// Its crossing.
    crossing: String,
    /// Its state.
    state: Option<String>,
    /// Its flags.
    flags: Option<Vec<String>>,
    /// When it began, Unix milliseconds.
    born_ms: i64,
    /// When something of it happened last, Unix milliseconds.
    at_ms: i64,
    /// How many of the case's findings cite it.
    findings: u64,
}

/// What findings came to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingFiguresAnswer {
    /// Found at that time or later, Unix milliseconds.
    from_ms: i64,
    /// Found before that time, Unix milliseconds.
    until_ms: i64,
    /// There were more than are counted: only those found last are.
    cut: bool,
    /// All together.
    total: FindingTallyAnswer,
    /// By rule.
    rules: Vec<FindingTallyAnswer>,
    /// By crossing.
    crossings: Vec<FindingTallyAnswer>,
    /// By officer whom their facts name, those with the most first, 200 at most.
    officers: Vec<FindingTallyAnswer>,
    /// By month in the zone of the place, as 2026-03.
    months: Vec<FindingTallyAnswer>,
    /// Fields of records that began in that time and are contested now.
    contested: ContestedFiguresAnswer,
}

/// What some findings came to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindingTallyAnswer {
    /// Of which rule, crossing, officer or month.
    key: String,
    /// How many were found.
    found: u64,
    /// How many nobody has settled.
    undecided: u64,
    /// How many something that came later explained.
    explained_itself: u64,
    /// How many were decided to be true.
    r#true: u64,
    /// To be explained.
    explained: u64,
    /// To be false alarms.
    false_alarm: u64,
    /// To be duplicates.
    duplicate: u64,
    /// How many were decided without a disposition.
    without: u64,
    /// The median time from finding to decision, milliseconds; null where nothing was decided.
    #[schema(required = true)]
    median_age_ms: Option<i64>,
}

/// How many fields are contested.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContestedFiguresAnswer {
    /// In how many records.
    records: u64,
    /// How many fields.
    fields_count: u64,
    /// There are more records than are counted: only the youngest are.
    cut: bool,
    /// By field, `N` for its number.
    fields: Vec<ContestedTallyAnswer>,
    /// By crossing.
    crossings: Vec<ContestedTallyAnswer>,
    /// By officer who put one of the values.
    officers: Vec<ContestedTallyAnswer>,
    /// By month in which the record began.
    months: Vec<ContestedTallyAnswer>,
}

/// Contested fields of one name, crossing, officer or month.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContestedTallyAnswer {
    /// Of which.
    key: String,
    /// How many.
    fields: u64,
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
