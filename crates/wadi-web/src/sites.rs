//! The node itself: how it stands, what it refused, its health.

use crate::{
    Problem, Token,
    answers::{ContactsAnswer, HealthAnswer, ReadyAnswer, SitesAnswer},
    reading::ReadRight,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use wadi_log::{Lane, Role};
use wadi_node::Node;

/// How this node and its peers stand.
#[utoipa::path(
    get,
    path = "/v1/sites",
    tag = "sites",
    responses((status = 200, description = "status", body = SitesAnswer)),
)]
pub(crate) async fn sites(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.no_device()?;
    let status = node.status().await?;
    let mut told = serde_json::to_value(status).unwrap_or_default();
    token.reading(&node)?.show_status(&mut told);
    Ok(Json(told))
}

/// When this node was in contact with another one, and what that one lacked: the oldest first.
#[utoipa::path(
    get,
    path = "/v1/sites/{site}/contacts",
    params(("site" = String, Path, description = "the node's name")),
    tag = "sites",
    responses(
        (status = 200, description = "contacts", body = ContactsAnswer),
        (status = 403, description = "a node of a crossing that is not read", body = Problem),
        (status = 404, description = "no such node is enrolled", body = Problem),
    ),
)]
pub(crate) async fn contacts(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(site): Path<String>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    check_shown(&node, &reading, &site)?;
    let known = node.reads().contacts_with(&site).ok_or_else(|| {
        let why = format!("no node {site:?} is enrolled");
        Problem::new(StatusCode::NOT_FOUND, "unknown_node", why)
    })?;

    let day = |(began_ms, by)| json!({"began_ms": began_ms, "by": by});
    Ok(Json(json!({
        "node": site,
        "now_ms": node.now_ms(),
        "usual_dark_ms": known.usual_dark_ms(),
        "contacts": known.contacts,
        "backlog": known.backlog,
        "days": known.traffic.days().map(day).collect::<Vec<_>>(),
    })))
}

/// Refuses a node of a crossing that is not read.
fn check_shown(node: &Node, reading: &ReadRight<'_>, site: &str) -> Result<(), Problem> {
    let crossing = node.with_control(|c| {
        let mut members = c.enrolments().filter(|e| e.role != Role::Hub);
        members.find(|e| e.name == site).and_then(|e| e.crossing)
    });
    match crossing {
        Some(crossing) => reading.check_crossing(&crossing.to_string()),
        None => Ok(()),
    }
}

/// Alive: the process answers. `degraded` says what is given up for want of room on the disk,
/// `troubles` which tasks cannot work, and why; `alarms` what asks for somebody, by what it is
/// about: the rest stands in `/v1/sites`.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    responses((status = 200, description = "alive", body = HealthAnswer)),
)]
pub(crate) async fn healthz(State(node): State<Arc<Node>>) -> Json<Value> {
    let degraded = node.room().degraded();
    let troubles = node.tasks().troubles();
    let mut alarms: BTreeSet<&str> = match node.reads().alarms().await {
        Ok(all) => all.iter().map(|alarm| alarm.about).collect(),
        Err(_) => ["store"].into(),
    };
    alarms.extend(troubles.keys());
    let is_well = degraded.is_none() && alarms.is_empty();
    let status = if is_well { "ok" } else { "degraded" };

    Json(json!({
        "status": status,
        "degraded": degraded,
        "troubles": troubles,
        "alarms": alarms,
    }))
}

/// A standby's: alive, and no more.
pub(crate) async fn standby_healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// How long the sequencer may take to answer before the node counts as not ready.
const SEQUENCER_MAX: Duration = Duration::from_secs(5);

/// Ready: every task that the node lives by can work, the store answers, and takes more than holds.
/// `degraded` says what is given up for want of room on the disk.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "ready", body = ReadyAnswer),
        (status = 503, body = Problem),
    ),
)]
pub(crate) async fn readyz(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let records = node.reads().record_count().await;
    let down = |code: &str, why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why);
    if let Some((task, why)) = node.tasks().troubles().first_key_value() {
        return Err(down("task_in_trouble", format!("{task}: {why}")));
    }

    let records = records.map_err(|e| down(e.code(), e.to_string()))?;
    if !node.door().answers_within(SEQUENCER_MAX).await {
        let why = format!(
            "nothing could be written for {} s: another program locks the database, its disk is \
             slow, or a commit takes long; `/v1/sites` and the log say more",
            SEQUENCER_MAX.as_secs()
        );
        return Err(down("cannot_write", why));
    }

    node.room()
        .check(Lane::Site)
        .map_err(|e| down(e.code(), e.to_string()))?;

    Ok(Json(
        json!({"status": "ready", "records": records, "degraded": node.room().degraded()}),
    ))
}
