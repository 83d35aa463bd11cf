//! What an officer's own key signs of a decision, before it is said.

use crate::{
    Problem, Token,
    answers::StatementAnswer,
    body::DraftBody,
    finding_acts::{ActBody, said_act, speaker},
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};
use std::sync::Arc;
use wadi_node::{Node, StatementToSign};
use wadi_record::DECISION_NAMESPACE;

/// The statement that an officer's own key signs of a write on a record. Nothing is written: the
/// same body is sent to `/events` then, with the `based_on` of this answer and with one event more,
/// `decision.signed`, which brings `signed_at_ms` and the signature.
#[utoipa::path(
    post,
    path = "/v1/records/{id}/statement",
    request_body = DraftBody,
    tag = "records",
    params(("id" = String, Path, description = "printed or full id")),
    responses(
        (status = 200, description = "what is signed", body = StatementAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn draft_statement(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    body: StrictBody<DraftBody>,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    let on = node.reads().find_kind(&id).await?;
    let write = body.said.into_write(&node, &token, Some(on), None).await?;
    Ok(Json(told(node.reads().statement(&write).await?)))
}

/// The statement that an auditor's own key signs of an act on a finding. Nothing is written: the
/// same act is said then with `signature`, which brings `based_on` and `signed_at_ms` of this
/// answer and the signature.
#[utoipa::path(
    post,
    path = "/v1/findings/{id}/statement",
    request_body = ActBody,
    tag = "findings",
    params(("id" = String, Path, description = "the finding's id")),
    responses(
        (status = 200, description = "what is signed", body = StatementAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
pub(crate) async fn act_statement(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    body: StrictBody<ActBody>,
) -> Result<Json<Value>, Problem> {
    let said = said_act(body.said)?;
    let officer = speaker(&token, &said.act, said.officer)?;
    let write = node
        .findings()
        .drafted(&id, &said.act, &officer, said.version.as_deref())
        .await?;
    Ok(Json(told(node.reads().statement(&write).await?)))
}

fn told(statement: StatementToSign) -> Value {
    let based_on: Vec<String> = statement.based_on.iter().map(ToString::to_string).collect();
    let keys: Vec<String> = statement.keys.iter().map(|k| k.fingerprint()).collect();
    json!({
        "namespace": DECISION_NAMESPACE,
        "statement": statement.text,
        "signed_at_ms": statement.signed_at_ms,
        "based_on": based_on,
        "keys": keys,
        "signed_decisions": statement.asked,
    })
}
