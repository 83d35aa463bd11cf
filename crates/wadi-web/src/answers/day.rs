//! A crossing's day.

use super::RecordAnswer;
use serde::Deserialize;
use utoipa::ToSchema;

/// What began at a crossing within a time, and which holds are open there.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayAnswer {
    /// The crossing's code.
    crossing: String,
    /// From then on, Unix milliseconds.
    from_ms: i64,
    /// Before then, Unix milliseconds.
    until_ms: i64,
    /// How many records began, by kind and state: all of them, whatever the limit.
    counts: Vec<DayCountAnswer>,
    /// The passages that began last.
    passages: Vec<DayRecordAnswer>,
    /// The holds that began last.
    holds: Vec<DayRecordAnswer>,
    /// The customs entries that began last.
    entries: Vec<DayRecordAnswer>,
    /// The records of the day itself, with their events.
    site_days: Vec<DayRecordAnswer>,
    /// The holds that are open now, whenever they began: the crossing's own and the commission's.
    open_holds: Vec<DayRecordAnswer>,
}

/// How many records of one kind and state.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayCountAnswer {
    /// passage, hold, customs-entry or site-day.
    kind: String,
    /// The state.
    state: String,
    /// How many.
    count: u64,
}

/// A record, and when it began.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayRecordAnswer {
    /// When it first happened, as claimed, Unix milliseconds.
    began_ms: i64,
    /// When it last happened, as claimed, Unix milliseconds.
    last_ms: i64,
    /// The record, with the members that a list needs.
    record: RecordAnswer,
}
