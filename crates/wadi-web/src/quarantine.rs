//! What does not count for a cut or a fork.

use crate::{Problem, Token, answers::QuarantineAnswer, filters, pages, problem::unprocessable};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use wadi_node::Node;

/// Which entries.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantineQuery {
    /// A log's origin; all logs, where it is left out.
    log: Option<String>,
    /// The last entry of the page before.
    after: Option<String>,
}

/// Changes past a cut, or on another branch of a forked log, that were not admitted: as many as fit
/// in 50,000 bytes, and the cursor of the next.
#[utoipa::path(
    get,
    path = "/v1/quarantine",
    tag = "sites",
    params(
        ("log" = Option<String>, Query, description = "a log's origin"),
        ("after" = Option<String>, Query, description = "the last entry of the page before"),
    ),
    responses(
        (status = 200, description = "entries in quarantine", body = QuarantineAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<QuarantineQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    // What lies there is of every kind and crossing.
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    if let Some(log) = &query.log {
        filters::held_log(&node, log)?;
    }

    let (entries, more) = node
        .reads()
        .quarantined(query.log.as_deref(), query.after.as_deref())
        .await?;

    // A cursor is given only where more follows.
    if let Some(after) = query.after.as_ref().filter(|_| entries.is_empty()) {
        let why = format!(
            "{after:?} stands in no quarantine, or nothing follows it any more: begin anew"
        );
        return Err(unprocessable("bad_cursor", why));
    }

    let lines: Vec<Value> = entries.iter().map(|e| json!(e)).collect();
    let longest = entries.iter().map(|e| &e.entry).max_by_key(|e| e.len());
    let beside = json!({"entries": [], "next_after": longest});
    let shown = pages::fitting(lines.iter(), &beside, None);
    let last = entries.iter().take(shown).next_back();
    let next = last
        .filter(|_| more || shown < lines.len())
        .map(|e| &e.entry);

    Ok(Json(json!({"entries": lines[..shown], "next_after": next})))
}
