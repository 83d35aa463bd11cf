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

/// How this node and its peers stand. A token that does not read every kind and crossing is told
/// of alarms how many there are of which kind, here and at peers, and not what they say.
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
    let reading = token.reading(&node)?;
    reading.show_status(&mut told);
    if reading.all_records().is_err() {
        hide_alarms(&mut told);
    }

    Ok(Json(told))
}

/// Takes what alarms say out of a status: they name records, plates, devices and people of any
/// crossing. Their kinds stay.
fn hide_alarms(status: &mut Value) {
    status["alarms"] = json!([]);
    for peer in listed(status, "peers") {
        for alarm in listed(peer, "alarms") {
            if let Some(told) = alarm.as_object_mut() {
                told.remove("text");
            }
        }
    }

    if let Some(withheld) = status["withheld"].as_array_mut() {
        withheld.push("alarms".into());
    }
}

/// The lines of a list that an answer holds.
fn listed<'v>(told: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    let lines = told.get_mut(list).and_then(Value::as_array_mut);
    lines.into_iter().flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_alarms_that_are_hidden_their_kinds_are_told_and_of_whom_they_speak_is_not() {
        let of_device = "device \"ANPR-9\" gave no reading for 90 min, while 40 others were";
        let mut status = json!({
            "alarms": [of_device, "rules failed on QAM-P-7"],
            "alarm_kinds": {"device": 1, "rules_failed": 1},
            "peers": [
                {"node": "trb", "alarms": [
                    {"about": "disk", "text": "the disk of QAM-P-7", "since_ms": 5},
                ]},
                {"node": "qam", "alarms": []},
            ],
            "withheld": ["forks"],
        });

        hide_alarms(&mut status);
        assert_eq!(status["alarms"], json!([]));
        assert_eq!(status["alarm_kinds"]["device"], 1);
        let told = json!([{"about": "disk", "since_ms": 5}]);
        assert_eq!(status["peers"][0]["alarms"], told);
        assert_eq!(status["withheld"], json!(["forks", "alarms"]));
        assert!(!status.to_string().contains("QAM-P-7"), "{status}");
    }
}
