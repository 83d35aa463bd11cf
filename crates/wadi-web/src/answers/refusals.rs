//! What was refused, and what lies in quarantine.

use serde::Deserialize;
use utoipa::ToSchema;

/// Refusals.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalsAnswer {
    /// The newest first.
    refusals: Vec<RefusalLineAnswer>,
    /// What `after` of the next page is; null where there is none.
    #[schema(required = true)]
    next_after: Option<String>,
}

/// Somebody found that nothing more is to be done about a refusal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DismissalAnswer {
    /// Who.
    by: String,
    /// Why.
    reason: String,
    /// When, Unix milliseconds.
    at_ms: i64,
}

/// Something that was refused, and whose it was.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefusalLineAnswer {
    /// Who dismissed it since it came last, and why; null where nobody did.
    #[schema(required = true)]
    dismissed: Option<DismissalAnswer>,
    /// What was.
    subject: String,
    /// The stable code.
    code: String,
    /// The reason.
    why: String,
    /// Who gave it.
    peer: String,
    /// When last, Unix milliseconds.
    at_ms: i64,
    /// How often.
    times: u64,
}

/// Entries in quarantine.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantineAnswer {
    /// The entries.
    entries: Vec<QuarantinedAnswer>,
    /// What `after` of the next page is; null where there is none.
    #[schema(required = true)]
    next_after: Option<String>,
}

/// An entry that does not count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantinedAnswer {
    /// The entry.
    entry: String,
    /// Its log's origin.
    log: String,
    /// Why.
    why: String,
    /// The record.
    #[schema(required = true)]
    record: Option<String>,
    /// Its kind.
    #[schema(required = true)]
    kind: Option<String>,
    /// The officer.
    officer: String,
    /// The department's code.
    department: String,
    /// When, Unix milliseconds by its author's clock.
    claimed_ms: i64,
    /// The types of its events.
    events: Vec<String>,
    /// The fields that it puts.
    fields: Vec<String>,
}
