//! Records.

use super::ExpectedAnswer;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A page of records.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordPageAnswer {
    /// The records.
    records: Vec<RecordAnswer>,
    /// What `before` of the next page is; null where there is none.
    next_before: Option<i64>,
    /// What `after` of the next page is, where the page is in the order of ids.
    next_after: Option<String>,
    /// What `older` of the next page is, where the page is in the order of beginnings.
    next_older: Option<String>,
    /// What was sought, where something was typed.
    understood: Option<UnderstoodAnswer>,
    /// As of which Unix time in milliseconds this is what the node knew.
    known_ms: Option<i64>,
    /// How many records were looked at for such a page: those that were not known are left out.
    looked_at: Option<u64>,
}

/// What a text that was typed was taken for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnderstoodAnswer {
    /// Each thing that it may be: all of them were sought.
    #[serde(rename = "as")]
    meanings: Vec<MeaningAnswer>,
    /// What was not sought because the token does not read it.
    withheld: Vec<String>,
}

/// One thing that a text may be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeaningAnswer {
    /// id, plate, container, seal, vin, declarant_ref, registration, receipt, transit, certificate,
    /// document, plate_shape or was.
    what: String,
    /// In its normal form.
    value: String,
}

/// What a hub's country log shows of a record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountryProofsAnswer {
    /// Texts of C2SP tlog-proof, one for each log in which something of the record stands.
    proofs: Vec<String>,
    /// Entries that no listed head covers yet, by their references.
    not_listed: Vec<String>,
}

/// Records that belong with one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelatedAnswer {
    /// The records, the latest first.
    records: Vec<RelatedRecordAnswer>,
    /// Whether there are more.
    cut: bool,
}

/// A record that belongs with another one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelatedRecordAnswer {
    /// The id for people.
    id: String,
    /// The full id.
    record: String,
    /// passage, hold, customs-entry or site-day.
    kind: String,
    /// The crossing's code.
    crossing: String,
    /// What it has come to.
    state: String,
    /// What else is to be known of it.
    flags: Vec<String>,
    /// When it begins, Unix milliseconds.
    begun_ms: i64,
    /// What they share.
    by: Vec<SharedAnswer>,
}

/// What two records share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharedAnswer {
    /// A kind of term; `names` or `named_by` where one names the other.
    what: String,
    /// In its normal form.
    value: String,
}

/// The check of a record's evidence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationAnswer {
    /// Whether every step passed.
    valid: bool,
    /// Each step, in the order in which they are taken.
    steps: Vec<ProofStepAnswer>,
    /// Bytes of the file that was checked.
    bytes: u64,
    /// What the record's entries in it are; left out where the check failed.
    statements: Option<u64>,
    /// How many of them a hub vouches for.
    vouched_for_by_hub: Option<u64>,
    /// Control entries in the file.
    control: Option<u64>,
    /// Proofs that a log was forked.
    forks: Option<u64>,
    /// The node that made the file.
    made_by: Option<String>,
    /// When, Unix seconds.
    made_s: Option<i64>,
    /// The code of what failed.
    code: Option<String>,
    /// What failed, in words.
    why: Option<String>,
}

/// One step of a check.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofStepAnswer {
    /// read, whole, members, checkpoints, entries, seal, record or complete.
    step: String,
    /// passed, failed or not_reached.
    outcome: String,
    /// How many things the step checks: bytes, lines, certificates, checkpoints, entries.
    amount: u64,
}

/// A record as it stands. A list that asks for some members alone leaves out the others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordAnswer {
    /// The id for people, as TRB-P-1NAZ630PAYKST.
    id: Option<String>,
    /// The full id: 64 hexadecimal digits.
    record: Option<String>,
    /// passage, hold, customs-entry or site-day.
    kind: Option<String>,
    /// The crossing's code.
    crossing: Option<String>,
    /// What it has come to.
    state: Option<String>,
    /// What else is to be known of it, as DETAINED or CONTESTED.
    flags: Option<Vec<String>>,
    /// Given as true where nothing but its name can be told: making it failed.
    unreadable: Option<bool>,
    /// The open holds that detain it; left out where none does.
    detained_by: Option<Vec<DetentionAnswer>>,
    /// The open holds that its own events began.
    open_holds: Option<Vec<String>>,
    /// How a hold was placed, by whom, and what ended it.
    placements: Option<Vec<PlacementAnswer>>,
    /// Of a hold, every type that it is or was said to be of.
    hold_types: Option<Vec<String>>,
    /// Events that count and that lack what they rest on.
    unfounded: Option<Vec<UnfoundedAnswer>>,
    /// Every seal that was ever recorded and counts.
    seals: Option<Vec<String>>,
    /// The same, each with when it was first recorded.
    seals_recorded: Option<Vec<RecordedSealAnswer>>,
    /// The numbers that devices gave to entries of fields alone, the first 256.
    device_numbers: Option<Vec<DeviceNumberAnswer>>,
    /// When the first entry of it that counts was written, by the clock of the node that wrote it,
    /// Unix milliseconds; null where none counts.
    written_ms: Option<i64>,
    /// The settled values, by field.
    fields: Option<BTreeMap<String, Value>>,
    /// Which entries put what stands in the fields.
    put_by: Option<Vec<PutByAnswer>>,
    /// When fields that held nothing as the record began were captured first.
    captured: Option<Vec<CapturedAnswer>>,
    /// The contested values, by field: each with who set it.
    contested: Option<BTreeMap<String, Vec<ClaimAnswer>>>,
    /// The events, in the order in which they happened.
    events: Option<Vec<RecordEventAnswer>>,
    /// The newest entries, which no other is based on.
    heads: Option<Vec<String>>,
    /// What looks wrong, as a check digit.
    warnings: Option<Vec<String>>,
    /// Entries that do not count, and why.
    refused: Option<Vec<RefusedEntryAnswer>>,
    /// Values that were put without the right to.
    refused_fields: Option<Vec<RefusedFieldAnswer>>,
    /// Entries that wait for others which are not held: the first hundred, and of each the first
    /// hundred that it waits for.
    waiting: Option<Vec<WaitingEntryAnswer>>,
    /// How many such entries there are in all.
    waiting_count: Option<u64>,
    /// Entries whose authors' clocks stood before those of what they are based on.
    time_reversals: Option<Vec<TimeReversalAnswer>>,
    /// Values that were changed after something rested on them: the first hundred, those after a
    /// decision first.
    changed_after: Option<Vec<ChangedAfterAnswer>>,
    /// How many such changes there are in all.
    changed_after_count: Option<u64>,
    /// Fields of legal weight that were set after the assessment.
    after_assessment: Option<Vec<String>>,
    /// How many lines each list has that is not told whole, by its name; of a contested field
    /// `contested.` and the field. The history has the rest.
    truncated: Option<BTreeMap<String, u64>>,
    /// What was taken out because the token does not read it.
    withheld: Option<Vec<String>>,
    /// local_only, carried or at_hub: where its least safe entry is.
    safety: Option<String>,
    /// When it is expected at a hub, of one record that is asked for and is not there; null where
    /// nobody knows.
    expected_at_hub: Option<ExpectedAnswer>,
    /// The cursor of its last change on this node.
    changed: Option<i64>,
    /// When it begins, as claimed, Unix milliseconds.
    begun_ms: Option<i64>,
    /// When something last happened to it, as claimed, Unix milliseconds.
    last_ms: Option<i64>,
}

/// An open hold that detains a record: who asked for it, why, and since when. What a lookout seeks
/// is not told here. Of holds of types that the token does not read it is told that there are some,
/// in one line whose `hold` is empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetentionAnswer {
    /// The hold's id for people; empty of what the token does not read.
    hold: String,
    /// The type of hold; null for one that this version does not know.
    #[serde(rename = "type")]
    #[schema(required = true)]
    of: Option<String>,
    /// Every type that it is or was said to be of; left out where there is none but `type`.
    types: Option<Vec<String>>,
    /// The department that placed it; null for a machine.
    #[schema(required = true)]
    department: Option<String>,
    /// The order or the law that it rests on; null where none is settled.
    #[schema(required = true)]
    legal_basis: Option<String>,
    /// When it was placed, as claimed, Unix milliseconds.
    #[schema(required = true)]
    placed_ms: Option<i64>,
    /// The customs entry through which it holds a passage, or the passage whose goods went on to
    /// it; left out where it holds the record itself.
    through: Option<String>,
}

/// How a hold was placed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacementAnswer {
    /// The event that placed it.
    id: String,
    /// Its entry.
    #[schema(required = true)]
    entry: Option<String>,
    /// The type of hold.
    #[serde(rename = "type")]
    #[schema(required = true)]
    of: Option<String>,
    /// Whose it is: a department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// When it was placed, Unix milliseconds.
    placed_ms: i64,
    /// Whether it is open.
    open: bool,
    /// The events that ended it.
    ends: Vec<HoldEndAnswer>,
}

/// What ended a hold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldEndAnswer {
    /// The event.
    id: String,
    /// Its entry.
    entry: String,
    /// The event's type.
    #[serde(rename = "type")]
    of: String,
    /// When, Unix milliseconds.
    at_ms: i64,
    /// When the hold was opened again after it, Unix milliseconds.
    #[schema(required = true)]
    reopened_ms: Option<i64>,
}

/// An event that lacks what it rests on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnfoundedAnswer {
    /// The event.
    id: String,
    /// What it lacks.
    lacks: Vec<String>,
}

/// A value with who set it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimAnswer {
    /// Text, a whole number, a flag or null.
    value: Value,
    /// The officer.
    officer: String,
    /// The department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// When, Unix milliseconds by its author's clock.
    at_ms: i64,
    /// The entry.
    entry: String,
}

/// A value that was put without the right to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedFieldAnswer {
    /// The field.
    field: String,
    /// Why it does not count: a stable code.
    code: String,
    /// Why, in words.
    why: String,
    /// The value.
    value: Value,
    /// The officer.
    officer: String,
    /// The department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// When, Unix milliseconds by its author's clock.
    at_ms: i64,
    /// The entry.
    entry: String,
}

/// A value that was changed after something rested on it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedAfterAnswer {
    /// The field.
    field: String,
    /// What it held before.
    before: Vec<Value>,
    /// The decision that rested on it; null where one of another record may have.
    #[schema(required = true)]
    after: Option<String>,
    /// The reason that was given.
    #[schema(required = true)]
    reason: Option<String>,
    /// The value.
    value: Value,
    /// The officer.
    officer: String,
    /// The department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// When, Unix milliseconds by its author's clock.
    at_ms: i64,
    /// When it was written down, by the same clock.
    entered_ms: i64,
    /// The entry.
    entry: String,
}

/// Why something does not count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalReasonAnswer {
    /// The stable code.
    code: String,
    /// The reason, in words.
    why: String,
}

/// An event of a record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordEventAnswer {
    /// Its id.
    id: String,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(required = true)]
    of: Option<String>,
    /// Whether this version knows the type.
    known: bool,
    /// The text as it came, where it does not read.
    text: Option<String>,
    /// Its members.
    data: BTreeMap<String, Value>,
    /// The officer.
    officer: String,
    /// The department's code.
    #[schema(required = true)]
    department: Option<String>,
    /// The device that said it.
    device: Option<String>,
    /// The device's own number.
    device_seq: Option<u64>,
    /// The run of the device's counter, where it began anew: as the device names it, or # and how
    /// often an operator let it begin.
    device_run: Option<String>,
    /// Whether a second person attests it.
    attested: Option<bool>,
    /// When it happened, Unix milliseconds.
    at_ms: i64,
    /// When it was entered, Unix milliseconds by its author's clock.
    entered_ms: i64,
    /// The entry.
    entry: String,
    /// Whether it counts.
    counts: bool,
    /// Why it does not.
    refused: Option<RefusalReasonAnswer>,
    /// Whether it lies past a cut, or on another branch of a forked log.
    quarantined: Option<bool>,
    /// Whether its officer is registered for another crossing than the one that wrote it.
    elsewhere: Option<bool>,
    /// Whether it is a link that joins nothing, being said by a department that has to do with
    /// neither record.
    unjoined: Option<bool>,
    /// The crossing of the node that wrote it, where it is not the record's own.
    written_at: Option<String>,
    /// The fingerprint of its officer's own key that signed its entry.
    signed_by: Option<String>,
}

/// A number that a device gave to an entry of fields alone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceNumberAnswer {
    /// The device.
    device: String,
    /// The number.
    device_seq: u64,
    /// The run of the device's counter, where it began anew.
    device_run: Option<String>,
    /// When it happened, as claimed, Unix milliseconds.
    at_ms: i64,
    /// The entry.
    entry: String,
}

/// A seal, and when it was first written down.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordedSealAnswer {
    /// The seal, as it was written.
    seal: String,
    /// When that was, by the clock of the node that wrote it, Unix milliseconds.
    entered_ms: i64,
    /// The entry.
    entry: String,
}

/// An entry that put what stands in fields.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutByAnswer {
    /// The entry.
    entry: String,
    /// Its officer; empty for a device.
    officer: String,
    /// The fields.
    fields: Vec<String>,
}

/// Fields that held nothing as the record began, and when something was put into them first.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapturedAnswer {
    /// By the clock of the node that wrote it, Unix milliseconds.
    entered_ms: i64,
    /// The fields.
    fields: Vec<String>,
}

/// An entry that does not count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusedEntryAnswer {
    /// The entry.
    entry: String,
    /// The stable code.
    code: String,
    /// The reason, in words.
    why: String,
}

/// An entry that waits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitingEntryAnswer {
    /// The entry.
    entry: String,
    /// The entries that it waits for.
    #[serde(rename = "for")]
    missing: Vec<String>,
}

/// An entry whose author's clock stood before that of what it is based on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeReversalAnswer {
    /// The entry.
    entry: String,
    /// The node that wrote it.
    node: String,
    /// By how much, milliseconds.
    by_ms: i64,
}
