//! Resyncs: planned, approved by a second person where the machine knows one, steered, verified; at
//! a hub, ordered for a site.

use crate::{
    Problem, Token, TokenScope,
    accounts::PersonAccount,
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
use std::{collections::BTreeSet, sync::Arc};
use utoipa::ToSchema;
use wadi_node::{Node, NodeError, Resync, ResyncAct, Signatory};
use wadi_record::normalise_reference;

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
    /// The person who asks for it: needed where the token is nobody's own.
    #[serde(default)]
    by: Option<String>,
}

/// Who acts on a resync.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResyncActBody {
    /// The person who approves or steers: needed where the token is nobody's own.
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
    // What is compared is of every kind and crossing.
    token.reading(&node)?.all_records()?;
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
    token.reading(&node)?.all_records()?;
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
    let by = token.signatory(body.by.as_deref())?;
    let resync = match &body.site {
        Some(site) => node.resyncs().order(site, &body.reason, by).await?,
        None => {
            node.resyncs()
                .plan(body.peer.as_deref(), &body.reason, by)
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
    let by = token.signatory(body.said.by.as_deref())?;
    let resync = match act.as_str() {
        "run" => {
            check_second_person(&node, &node.resyncs().get(&id).await?, &by).await?;
            node.resyncs().run(&id, by).await?
        }
        other => {
            let act: ResyncAct = other.parse().map_err(NodeError::Resync)?;
            node.resyncs().steer(&id, act, by).await?
        }
    };

    Ok(told(&resync))
}

/// Refuses an approval by the person who planned, wherever this machine knows two persons. They are
/// told apart by their tokens and not by what they call themselves.
async fn check_second_person(node: &Node, plan: &Resync, by: &Signatory) -> Result<(), Problem> {
    if operators(node).await?.len() < 2 {
        return Ok(());
    }

    if by.is_claimed() || !plan.planned_by_token.is_empty() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "own_token_needed",
            "several persons operate this machine: who plans a resync and who approves it do so \
             with tokens of their own, as `wadi token issue layla --operator --person \"Layla \
             Hasan\"` makes them",
        ));
    }

    match normalise_reference(&plan.planned_by) == normalise_reference(&by.name) {
        true => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "own_proposal",
            "who approves a resync is not who planned it",
        )),
        false => Ok(()),
    }
}

/// The persons who operate this machine: by tokens of their own that hold, or by accounts that they
/// took up. However a name is written, it is one person's.
async fn operators(node: &Node) -> Result<BTreeSet<String>, Problem> {
    let mut persons = BTreeSet::new();
    for kept in node.tokens().all().await? {
        let Ok(token) = serde_json::from_str::<Token>(&kept.scope) else {
            continue;
        };
        let is_persons = token.scope == TokenScope::Operator && !token.person.is_empty();
        if is_persons && !token.has_expired(node) {
            persons.insert(normalise_reference(&token.person));
        }
    }

    for account in PersonAccount::all(node).await? {
        let is_used = !account.locked && account.signed_in_ms.is_some();
        if account.scope == TokenScope::Operator && is_used {
            persons.insert(normalise_reference(&account.person));
        }
    }

    Ok(persons)
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
        (status = 404, description = "no such node is enrolled", body = Problem),
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
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    Ok(Json(node.resyncs().verify_with(&peer, !query.quick).await?))
}
