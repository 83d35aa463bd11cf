//! What a token may say and set.

use serde::Deserialize;
use utoipa::ToSchema;

/// What somebody may say and set here, out of the tables and the policy in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthorityAnswer {
    /// For which department; empty where the token speaks for none.
    department: String,
    /// Every department's code.
    departments: Vec<String>,
    /// The types of hold that the department owns.
    owns: Vec<String>,
    /// The events that it may say.
    events: Vec<SayableEventAnswer>,
    /// The fields that it may set.
    fields: Vec<SettableFieldAnswer>,
}

/// An event that may be said. Whether it counts depends on the record, too: what its author had
/// seen, and which holds are open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SayableEventAnswer {
    /// Its type.
    event: String,
    /// What it says, in one sentence.
    meaning: String,
    /// The kinds of records that have it.
    kinds: Vec<String>,
    /// notes, restricts, releases or ends.
    effect: String,
    /// Whether a hold begins with it.
    begins_hold: bool,
    /// Whether a passage is at the crossing because of it: it proves that the vehicle was there.
    at_gate: bool,
    /// The member that names the type of the hold that begins.
    hold_type_member: Option<String>,
    /// Whether it names a device's `read`, or a `reason` why there is none.
    read_or_reason: bool,
    /// Its members, besides `type`.
    members: Vec<ValueShapeAnswer>,
}

/// A field that may be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettableFieldAnswer {
    /// The kind of record.
    kind: String,
    /// Whether it is set with the record's first entry.
    at_beginning: bool,
    /// What it holds, under its name; `N` in it stands for a number from 1 to 999.
    value: ValueShapeAnswer,
}

/// What a member of an event or a field holds.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ValueShapeAnswer {
    /// Its name.
    name: String,
    /// What it means; left out of members, which their event explains.
    meaning: Option<String>,
    /// text, whole, number, flag, time, wholes, texts, choice, code, day, crossing, country,
    /// currency, hs_code, digest or lookout.
    holds: String,
    /// The unit of a number.
    unit: Option<String>,
    /// What can be chosen.
    choices: Option<Vec<String>>,
    /// The first code.
    from: Option<i64>,
    /// The last code.
    to: Option<i64>,
    /// Whether it has to be there.
    required: bool,
}
