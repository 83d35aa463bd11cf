//! What became of writes, and of imports.

use super::DetentionAnswer;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a write came to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenAnswer {
    /// The record's id for people.
    id: String,
    /// The record's full id.
    record: String,
    /// The entry.
    entry: String,
    /// Whether it was written before, under the same key or number.
    repeated: bool,
    /// What looks wrong about it.
    warnings: Vec<String>,
    /// What the record has come to.
    state: Option<String>,
    /// The record's flags.
    flags: Option<Vec<String>>,
    /// The open holds that detain the record; left out where none does.
    detained_by: Option<Vec<DetentionAnswer>>,
    /// What it changed; left out where it was written before.
    changed: Option<ChangedAnswer>,
    /// Changed fields, and what of `detained_by`, was taken out because the token does not read it;
    /// `state`, `flags`, `heads` and `changed` of a record that it does not read at all.
    withheld: Option<Vec<String>>,
    /// The record's newest entries.
    heads: Option<Vec<String>>,
}

/// What a write changed of its record, and of nothing else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangedAnswer {
    /// The state; left out where it stayed.
    state: Option<StateChangeAnswer>,
    /// Flags of its own that are there now and were not before. DETAINED is none: `detained_by`
    /// tells.
    flags_came: Vec<String>,
    /// Flags of its own that were there before and are no more.
    flags_went: Vec<String>,
    /// Ids of the placements of a hold that it opened, or opened again.
    holds_opened: Vec<String>,
    /// Ids of the placements of a hold that it ended.
    holds_ended: Vec<String>,
    /// The fields: the first fifty.
    fields: Vec<FieldChangeAnswer>,
    /// How many fields and placements more it changed than are told.
    more: u64,
}

/// A change of state.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StateChangeAnswer {
    /// The state before; null of a record that began with it.
    #[schema(required = true)]
    before: Option<String>,
    /// The state now.
    after: String,
}

/// A field that a write changed. Without a value it is empty; with several it is contested.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldChangeAnswer {
    /// The field.
    field: String,
    /// What it held before: the first eight values.
    before: Vec<Value>,
    /// What it holds now: the first eight values.
    after: Vec<Value>,
}

/// What became of an import.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportAnswer {
    /// Lines that were written.
    written: u64,
    /// Lines that had been written before.
    repeated: u64,
    /// Lines that were not taken.
    bad: u64,
    /// Each line that holds something.
    lines: Vec<ImportLineAnswer>,
}

/// What became of one line.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ImportLineAnswer {
    /// It was not taken.
    Bad(BadLineAnswer),
    /// It was written, now or before.
    Written(WrittenLineAnswer),
}

/// A line that was not taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BadLineAnswer {
    /// Its number, from 1.
    line: u64,
    /// The stable code.
    code: String,
    /// The reason, and what to do about it.
    detail: String,
}

/// A line that was written.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenLineAnswer {
    /// Its number, from 1.
    line: u64,
    /// The record's id for people.
    id: String,
    /// The record's full id.
    record: String,
    /// The entry.
    entry: String,
    /// Whether it was written before.
    repeated: bool,
    /// What looks wrong about it.
    warnings: Vec<String>,
    /// True of an edit that was written before, where something else was said since: the last of
    /// `warnings` tells it.
    overtaken: Option<bool>,
    /// What the record has come to.
    state: Option<String>,
    /// The record's flags.
    flags: Option<Vec<String>>,
    /// The open holds that detain the record; left out where none does.
    detained_by: Option<Vec<DetentionAnswer>>,
    /// What it changed; left out where it was written before.
    changed: Option<ChangedAnswer>,
    /// Changed fields, and what of `detained_by`, was taken out because the token does not read it;
    /// `state`, `flags`, `heads` and `changed` of a record that it does not read at all.
    withheld: Option<Vec<String>>,
}
