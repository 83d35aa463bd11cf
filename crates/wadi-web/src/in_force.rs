//! What is in force by what hubs said: the policy, and the officers.

use crate::{
    Problem, Token,
    answers::{OfficersAnswer, PolicyAnswer},
    policy::{not_default, whole},
};
use axum::{Json, extract::State};
use serde_json::{Value, json};
use std::sync::Arc;
use wadi_log::{Control, OfficerEntry, OfficerKeyEntry};
use wadi_node::Node;
use wadi_record::Policy;

/// The policy in force, whole, the defaults beside it, and what of it is otherwise.
#[utoipa::path(
    get,
    path = "/v1/policy",
    tag = "sites",
    responses((status = 200, description = "the policy", body = PolicyAnswer)),
)]
pub(crate) async fn policy(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    let (revision, policy) = node.policy_in_force();
    let policy = whole(&policy);
    let entry = node.with_control(|c| c.policy(|_| u64::MAX).map(|(entry, _)| *entry));
    let said = match &entry {
        Some(entry) => node.reads().said_by(entry).await?,
        None => None,
    };

    Ok(Json(json!({
        "revision": revision,
        "entry": entry.map(|e| e.to_string()),
        "by": said.as_ref().map(|s| &s.officer),
        "by_token": said.as_ref().map(|s| &s.by_token),
        "since_ms": said.as_ref().map(|s| s.at_ms),
        "policy": policy,
        "default": Policy::default(),
        "not_default": not_default(&policy),
    })))
}

/// The officers whom a hub registered, those whose registration ended among them.
#[utoipa::path(
    get,
    path = "/v1/officers",
    tag = "sites",
    responses(
        (status = 200, description = "officers", body = OfficersAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn officers(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    let told = |c: &Control, officer: &OfficerEntry| {
        let mut told = officer_json(officer);
        let keys = c.all_officer_keys(&officer.officer).into_iter();
        told["keys"] = keys.map(key_json).collect();
        told
    };
    let mut officers: Vec<Value> =
        node.with_control(|c| c.officers().map(|officer| told(c, officer)).collect());
    officers.retain(|officer| reading.shows_place(officer));
    Ok(Json(json!({"officers": officers})))
}

/// A key of an officer's own.
pub(crate) fn key_json(key: &OfficerKeyEntry) -> Value {
    json!({
        "fingerprint": key.key.fingerprint(),
        "key": key.key.to_openssh(),
        "taken_back": key.taken_back,
        "revision": key.revision,
    })
}

pub(crate) fn officer_json(o: &OfficerEntry) -> Value {
    json!({
        "officer": o.officer,
        "department": o.department,
        "crossing": o.crossing.map(|c| c.to_string()),
        "supervisor": o.supervisor,
        "revoked": o.revoked,
        "name": o.name,
        "revision": o.revision,
    })
}
