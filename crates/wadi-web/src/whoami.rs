//! Who speaks, and with whom: what a page or a program begins with.

use crate::{Token, TokenScope, answers::WhoAnswer, live::versions_json};
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::sync::Arc;
use wadi_node::Node;

/// Who bears the token, and which node answers.
#[utoipa::path(
    get,
    path = "/v1/whoami",
    tag = "tokens",
    responses((status = 200, description = "who speaks", body = WhoAnswer)),
)]
pub(crate) async fn whoami(State(node): State<Arc<Node>>, token: Token) -> Json<Value> {
    let (is, officer, department, device) = match &token.scope {
        TokenScope::Officer {
            officer,
            department,
        } => ("officer", officer.as_str(), department.as_str(), ""),
        TokenScope::Device { device, .. } => ("device", "", "", device.as_str()),
        TokenScope::Operator => ("operator", "", "", ""),
        TokenScope::Reader => ("reader", "", "", ""),
    };

    let me = node.door().me();
    Json(json!({
        "name": token.who(),
        "token": token.name,
        "is": is,
        "person": token.person,
        "officer": officer,
        "department": department,
        "device": device,
        "account": token.session.as_ref().map(|of| &of.account),
        "expires_ms": token.expires_ms,
        "language": token.language,
        "node": me.name,
        "role": me.role.name(),
        "crossing": me.crossing.map(|c| c.to_string()).unwrap_or_default(),
        "now_ms": node.time().best_ms(),
        "live": versions_json(&node.live().borrow()),
    }))
}
