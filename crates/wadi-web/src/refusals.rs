//! What was refused, and what was made of it: an operator dismisses a refusal with a reason, and it
//! is shown again once more of the same came.

use crate::{
    Problem, Token,
    answers::{RefusalLineAnswer, RefusalsAnswer},
    pages,
    problem::unprocessable,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use wadi_node::{Node, RefusalRow};

/// Refusals that are looked through for those which are not dismissed.
const SEARCHED_MAX: u32 = 5_000;
/// Characters of a reason.
const REASON_CHARS_MIN: usize = 3;
const REASON_CHARS_MAX: usize = 400;

/// Which refusals to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RefusalQuery {
    /// At most so many, 500 at most. Where it is left out, as many as fit in 50,000 bytes.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only those that nobody dismissed since they came last.
    open: bool,
}

/// A dismissal, as it is kept.
#[derive(Serialize, Deserialize)]
struct Dismissal {
    by: String,
    reason: String,
    at_ms: i64,
    /// How often it had been refused then.
    times: u64,
}

/// What was refused of whom: the key of its dismissal.
fn dismissal_key(subject: &str, code: &str) -> String {
    format!("{code} {subject}")
}

fn refusal_json(row: &RefusalRow, dismissal: Option<&Dismissal>) -> Value {
    // One that came again asks for somebody once more.
    let dismissal = dismissal.filter(|d| d.times >= row.times);
    json!({
        "subject": row.subject,
        "code": row.code,
        "why": row.why,
        "peer": row.peer,
        "at_ms": row.at_ms,
        "times": row.times,
        "dismissed": dismissal.map(|d| json!({"by": d.by, "reason": d.reason, "at_ms": d.at_ms})),
    })
}

/// What was refused, and why: the newest first.
#[utoipa::path(
    get,
    path = "/v1/refusals",
    params(RefusalQuery),
    tag = "sites",
    responses((status = 200, description = "refusals", body = RefusalsAnswer)),
)]
pub(crate) async fn refusals(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<RefusalQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    let Query(RefusalQuery { limit, open }) = query?;
    let most = pages::rows_or(limit, pages::ROWS_MAX)?;
    let read = if open { SEARCHED_MAX } else { most };
    let rows = node.reads().refusals(read).await?;
    let dismissals: BTreeMap<String, Dismissal> = node
        .dismissals()
        .all()
        .await?
        .into_iter()
        .filter_map(|(key, kept)| Some((key, serde_json::from_str(&kept).ok()?)))
        .collect();

    let mut told: Vec<Value> = rows
        .iter()
        .map(|row| refusal_json(row, dismissals.get(&dismissal_key(&row.subject, &row.code))))
        .filter(|row| !open || row["dismissed"].is_null())
        .take(most as usize)
        .collect();
    told.truncate(pages::fitting(told.iter(), &json!({"refusals": []}), limit));
    Ok(Json(json!({"refusals": told})))
}

/// Which refusal is dismissed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DismissBody {
    /// What was refused, as the list names it.
    subject: String,
    /// The refusal's code.
    code: String,
    /// How often it had been refused when it was looked at: one that came again since is not
    /// dismissed unseen.
    times: u64,
    /// Why nothing more is to be done about it: 3 to 400 characters.
    #[schema(min_length = 3, max_length = 400)]
    reason: String,
}

/// Dismisses a refusal. It stands as before, with who dismissed it and why; should the same be
/// refused again, it asks for somebody once more.
#[utoipa::path(
    post,
    path = "/v1/refusals/dismiss",
    request_body = DismissBody,
    tag = "sites",
    responses(
        (status = 200, description = "dismissed", body = RefusalLineAnswer),
        (status = 403, body = Problem),
        (status = 404, description = "nothing such was refused", body = Problem),
        (status = 409, description = "it was refused again since", body = Problem),
        (status = 422, description = "no reason", body = Problem),
    ),
)]
pub(crate) async fn dismiss(
    State(node): State<Arc<Node>>,
    token: Token,
    StrictBody { said: body, .. }: StrictBody<DismissBody>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let reason = body.reason.trim();
    if !(REASON_CHARS_MIN..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        let why = format!("reason: {REASON_CHARS_MIN} to {REASON_CHARS_MAX} characters");
        return Err(unprocessable("bad_value", why));
    }

    let row = node.reads().refusal(&body.subject, &body.code).await?;
    let row = row.ok_or_else(|| {
        let why = format!(
            "nothing of {:?} was refused as {:?}",
            body.subject, body.code
        );
        Problem::new(StatusCode::NOT_FOUND, "no_such_refusal", why)
    })?;
    if row.times != body.times {
        let why = format!(
            "it has been refused {} times by now, and {} times when it was looked at",
            row.times, body.times
        );
        return Err(Problem::new(StatusCode::CONFLICT, "refusal_moved", why));
    }

    let dismissal = Dismissal {
        by: token.who(),
        reason: reason.into(),
        at_ms: node.now_ms(),
        times: row.times,
    };
    let kept = serde_json::to_string(&dismissal).unwrap_or_default();
    let key = dismissal_key(&row.subject, &row.code);
    node.dismissals().change(&key, |_| (Some(kept), ())).await?;
    tracing::info!(
        subject = row.subject,
        code = row.code,
        by = dismissal.by,
        "a refusal was dismissed"
    );
    Ok(Json(refusal_json(&row, Some(&dismissal))))
}
