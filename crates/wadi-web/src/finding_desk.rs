//! An auditor's desk: saved views of the queue, and findings put aside for a while.

use crate::{
    Problem, Token, TokenScope,
    answers::{DeskAnswer, DeskChangedAnswer},
    filters,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::{Node, SavedView, Snooze};

/// Whose desk it is: an officer's, by the service number, whatever token they come with; else the
/// token's.
pub(crate) fn person(token: &Token) -> String {
    match &token.scope {
        TokenScope::Officer { officer, .. } => format!("officer/{officer}"),
        _ => format!("token/{}", token.name),
    }
}

/// Whoever settles findings has a desk.
fn owner(token: &Token) -> Result<String, Problem> {
    let is_auditor = match &token.scope {
        TokenScope::Officer { department, .. } => department == "HUB",
        TokenScope::Operator => true,
        _ => false,
    };
    match is_auditor {
        true => Ok(person(token)),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_authority",
            "findings are the commission's auditors' to work on",
        )),
    }
}

/// The caller's own desk.
#[utoipa::path(
    get,
    path = "/v1/findings/desk",
    tag = "findings",
    responses(
        (status = 200, description = "views, and what is put aside", body = DeskAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn desk(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    let desk = node.findings().desk(&owner(&token)?).await?;
    Ok(Json(json!({"views": desk.views, "snoozed": desk.snoozed})))
}

/// A view to save.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewBody {
    /// What its owner calls it.
    name: String,
    /// The query of the list, without its question mark; 500 bytes at most.
    query: String,
}

/// Saves a view of the queue on the caller's desk, in place of the one of that name.
#[utoipa::path(
    post,
    path = "/v1/findings/desk/views",
    request_body = ViewBody,
    tag = "findings",
    responses(
        (status = 200, description = "saved", body = DeskChangedAnswer),
        (status = 403, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn save_view(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<ViewBody>,
) -> Result<Json<Value>, Problem> {
    let ViewBody { name, query } = body.said;
    let view = SavedView { name, query };
    node.findings().save_view(&owner(&token)?, view).await?;
    Ok(Json(json!({"desk": "changed"})))
}

/// Forgets a view on the caller's desk.
#[utoipa::path(
    delete,
    path = "/v1/findings/desk/views/{name}",
    tag = "findings",
    params(("name" = String, Path, description = "the view's name")),
    responses(
        (status = 200, description = "forgotten", body = DeskChangedAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn forget_view(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    node.findings().forget_view(&owner(&token)?, &name).await?;
    Ok(Json(json!({"desk": "changed"})))
}

/// Until when a finding is put aside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SnoozeBody {
    /// Crossings' codes; `HUB` is the hub's own time.
    crossings: Vec<String>,
    /// Once all of them are received through that time, it is back; Unix milliseconds, a month
    /// ahead at most.
    through_ms: i64,
}

/// Crossings that one snooze waits for.
const CROSSINGS_MAX: usize = 64;

/// Puts a finding aside on the caller's desk, until crossings are received through a time. It
/// comes back by itself; others see it all the while.
#[utoipa::path(
    post,
    path = "/v1/findings/{id}/snooze",
    request_body = SnoozeBody,
    tag = "findings",
    params(("id" = String, Path, description = "the finding's id")),
    responses(
        (status = 200, description = "put aside", body = DeskChangedAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn snooze(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    body: StrictBody<SnoozeBody>,
) -> Result<Json<Value>, Problem> {
    let owner = owner(&token)?;
    let given = body.said.crossings.iter().take(CROSSINGS_MAX);
    let crossings = given.map(|code| filters::crossing(&node, code));
    let snooze = Snooze {
        finding: id,
        crossings: crossings.collect::<Result<_, _>>()?,
        through_ms: body.said.through_ms,
    };
    node.findings().snooze(&owner, snooze).await?;
    Ok(Json(json!({"desk": "changed"})))
}

/// Takes a finding up again before its time.
#[utoipa::path(
    delete,
    path = "/v1/findings/{id}/snooze",
    tag = "findings",
    params(("id" = String, Path, description = "the finding's id")),
    responses(
        (status = 200, description = "taken up again", body = DeskChangedAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn wake(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    node.findings().wake(&owner(&token)?, &id).await?;
    Ok(Json(json!({"desk": "changed"})))
}
