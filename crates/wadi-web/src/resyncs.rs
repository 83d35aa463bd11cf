//! Resyncs: planned, approved, steered, verified; at a hub, ordered for a site.

use crate::{
    Problem, Token,
    answers::{ResyncAnswer, ResyncsAnswer, VerifyAnswer},
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::{Node, NodeError, Resync, ResyncAct};

/// What is to be compared, or ordered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResyncBody {
    /// A peer's name; the hub where it is left out.
    #[serde(default)]
    peer: Option<String>,
    /// A crossing or the name of a node there, for which this hub orders one.
    #[serde(default)]
    site: Option<String>,
    /// Why.
    #[serde(default)]
    reason: String,
    /// Who asks for it; the token's name where it is left out.
    #[serde(default)]
    by: Option<String>,
}

/// Who acts on a resync.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResyncActBody {
    /// Who approves or steers; the token's name where it is left out.
    #[serde(default)]
    by: Option<String>,
}

fn told(resync: &Resync) -> Json<Value> {
    Json(serde_json::to_value(resync).unwrap_or_default())
}

/// Resyncs, the newest first.
#[utoipa::path(
    get,
    path = "/v1/resyncs",
    tag = "resyncs",
    responses((status = 200, description = "resyncs", body = ResyncsAnswer)),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    Ok(Json(
        json!({"resyncs": node.resyncs().list().await?, "scrub": node.scrub_status()}),
    ))
}

/// One resync.
#[utoipa::path(
    get,
    path = "/v1/resyncs/{id}",
    params(("id" = String, Path, description = "the resync's id")),
    tag = "resyncs",
    responses(
        (status = 200, description = "the resync", body = ResyncAnswer),
        (status = 404, description = "there is none of that id", body = Problem),
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    Ok(told(&node.resyncs().get(&id).await?))
}

/// Begins a plan, which compares and changes nothing; or, with a site, orders a resync for it.
#[utoipa::path(
    post,
    path = "/v1/resyncs",
    request_body = ResyncBody,
    tag = "resyncs",
    responses(
        (status = 202, description = "the plan in the making, or the order", body = ResyncAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn plan(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<ResyncBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let body = body.said;
    let by = token.who_or(body.by.clone())?;
    let resync = match &body.site {
        Some(site) => node.resyncs().order(site, &body.reason, &by).await?,
        None => {
            node.resyncs()
                .plan(body.peer.as_deref(), &body.reason, &by)
                .await?
        }
    };

    Ok((StatusCode::ACCEPTED, told(&resync)))
}

/// `run` approves a plan and carries it out; `pause`, `resume` and `cancel` steer it.
#[utoipa::path(
    post,
    path = "/v1/resyncs/{id}/{act}",
    params(
        ("id" = String, Path, description = "the resync's id"),
        ("act" = String, Path, description = "run, pause, resume or cancel"),
    ),
    request_body = ResyncActBody,
    tag = "resyncs",
    responses(
        (status = 200, description = "the resync", body = ResyncAnswer),
        (status = 403, description = "not as it stands", body = Problem),
        (status = 404, description = "there is none of that id", body = Problem),
    ),
)]
pub(crate) async fn act(
    State(node): State<Arc<Node>>,
    token: Token,
    Path((id, act)): Path<(String, String)>,
    body: StrictBody<ResyncActBody>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let by = token.who_or(body.said.by)?;
    let resync = match act.as_str() {
        "run" => node.resyncs().run(&id, &by).await?,
        other => {
            let act: ResyncAct = other.parse().map_err(NodeError::Resync)?;
            node.resyncs().steer(&id, act, &by).await?
        }
    };

    Ok(told(&resync))
}

/// How thoroughly to verify.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyQuery {
    /// Take the last scrub's word for what lies on this disk, in place of reading everything
    /// through.
    #[serde(default)]
    quick: bool,
}

/// Whether this node and a peer in contact hold the same, by digest, through a stated time.
#[utoipa::path(
    get,
    path = "/v1/verify/{peer}",
    params(
        ("peer" = String, Path, description = "the peer's name"),
        ("quick" = Option<bool>, Query, description = "take the last scrub's word for this disk"),
    ),
    tag = "resyncs",
    responses(
        (status = 200, description = "what comparing came to", body = VerifyAnswer),
        (status = 403, body = Problem),
        (status = 503, description = "the peer is not in contact", body = Problem),
    ),
)]
pub(crate) async fn verify(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(peer): Path<String>,
    query: Result<Query<VerifyQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let Query(query) = query?;
    Ok(Json(node.resyncs().verify_with(&peer, !query.quick).await?))
}
