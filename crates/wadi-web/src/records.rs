//! Records: list, show, create, append, history.

use crate::{DraftBody, Problem, Token, TokenScope};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_log::RecordId;
use wadi_node::{Node, NodeError, Written};
use wadi_record::{Kind, mrz_warning, normalise_plate};
use wadi_store::{LocalKey, RecordFilter};

/// Which records to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// passage, hold, customs-entry or site-day.
    kind: Option<String>,
    /// Crossing's code.
    crossing: Option<String>,
    /// A state's name or a flag, as EXITED or CONTESTED.
    state: Option<String>,
    /// A plate, in any spelling.
    plate: Option<String>,
    /// A container number.
    container: Option<String>,
    /// Only those with contested fields.
    contested: Option<bool>,
    /// Only those changed before this cursor: the last one of the page before.
    before: Option<i64>,
    /// In the order of ids, those after this one (64 hexadecimal digits): for reading all, each exactly once.
    after: Option<String>,
    /// At most so many, 100 by default, 500 at most.
    limit: Option<u32>,
}

/// As of which entries or which time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AtQuery {
    /// Entries (comma between), or a Unix time in milliseconds by the authors' clocks.
    at: Option<String>,
}

/// Records, those changed last first.
#[utoipa::path(get, path = "/v1/records", params(ListQuery), tag = "records",
    responses((status = 200, description = "a page of records", body = Object), (status = 422, body = Problem)))]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    _token: Token,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let term = match (q.plate, q.container) {
        (Some(plate), _) => Some(("plate".to_string(), normalise_plate(&plate))),
        (None, Some(container)) => Some(("container".to_string(), normalise_plate(&container))),
        (None, None) => None,
    };
    let filter = RecordFilter {
        lane: q.kind.map(|k| k.parse::<Kind>()).transpose()?.map(|k| k.lane() as u8),
        crossing: q.crossing,
        state: q.state,
        term,
        contested: q.contested.unwrap_or(false),
        before: q.before,
        after: q.after.map(|id| id.parse()).transpose().map_err(NodeError::Log)?,
        limit: q.limit.unwrap_or(100).clamp(1, 500),
    };
    let rows = node.store().records(&filter).await.map_err(NodeError::from)?;
    let next = (rows.len() as u32 == filter.limit).then(|| rows.last().map(|r| r.changed)).flatten();
    let mut records = Vec::with_capacity(rows.len());
    for row in &rows {
        records.push(node.record_json(row).await?);
    }
    Ok(Json(json!({"records": records, "next_before": next})))
}

/// One record; with `at`, as somebody saw it who had seen those entries, or as of a time.
#[utoipa::path(get, path = "/v1/records/{id}", params(("id" = String, Path, description = "printed or full id"), AtQuery),
    tag = "records", responses((status = 200, description = "the record", body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    _token: Token,
    Path(id): Path<String>,
    query: Result<Query<AtQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let id = node.find(&id).await?;
    let Some(at) = q.at else { return Ok(Json(node.record(&id).await?)) };
    if let Ok(time_ms) = at.parse() {
        return Ok(Json(node.record_at(&id, &[], Some(time_ms)).await?));
    }
    let entries: Result<Vec<_>, _> = at.split(',').map(str::parse).collect();
    let bad = |e: wadi_log::LogError| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_reference", e.to_string());
    Ok(Json(node.record_at(&id, &entries.map_err(bad)?, None).await?))
}

/// All entries of a record: who said what, when by their clock, between which hub times, who witnessed it and whether it
/// counts; of each field who set it, what that replaced and who contests it; at each decision what its author could have known.
#[utoipa::path(get, path = "/v1/records/{id}/history", params(("id" = String, Path, description = "printed or full id")),
    tag = "records", responses((status = 200, description = "the history", body = Object), (status = 404, body = Problem)))]
pub(crate) async fn history(
    State(node): State<Arc<Node>>,
    _token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = node.find(&id).await?;
    Ok(Json(json!(node.history(&id).await?)))
}

/// Everything said of a record with its proofs, in a file that verifies without this network (`docs/evidence.md`).
#[utoipa::path(get, path = "/v1/records/{id}/evidence", params(("id" = String, Path, description = "printed or full id")),
    tag = "records", responses((status = 200, description = "the file", content_type = "application/x-ndjson", body = String),
        (status = 404, body = Problem), (status = 409, description = "held here without its log", body = Problem)))]
pub(crate) async fn evidence(
    State(node): State<Arc<Node>>,
    _token: Token,
    Path(id): Path<String>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let id = node.find(&id).await?;
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], node.evidence(&id).await?))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= 128 => Ok(Some(key.into())),
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", "1 to 128 visible ASCII characters")),
    }
}

/// A device's counter only ever grows: a repeat is a replay or a second device of that name.
async fn check_device_seq(node: &Node, token: &Token, body: &DraftBody, repeated: bool) -> Result<(), Problem> {
    let (TokenScope::Device { device }, Some(seq)) = (&token.scope, body.device_seq) else { return Ok(()) };
    if repeated {
        return Ok(());
    }
    let last = node.store().local("device", device).await.map_err(NodeError::from)?;
    let last: u64 = last.and_then(|l| l.parse().ok()).unwrap_or(0);
    if seq <= last {
        let why = format!(
            "{device} gave device_seq {seq} after {last}: it was recorded before, or another device has this token"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "device_sequence", why));
    }
    let key = LocalKey { scope: "device".into(), key: device.clone(), value: seq.to_string() };
    node.set_local(vec![key], vec![]).await?;
    Ok(())
}

async fn write(
    node: &Node,
    token: &Token,
    headers: &HeaderMap,
    body: DraftBody,
    on: Option<(RecordId, Kind)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key = idempotency_key(headers)?;
    let scope = format!("idempotency/{}", token.name);
    let repeated = match &key {
        Some(key) => node.store().local(&scope, key).await.map_err(NodeError::from)?.is_some(),
        None => false,
    };
    // What there is no room for leaves a device's counter where it was: the reading is sent again.
    let kind = on.map(|(_, kind)| kind).or_else(|| body.kind.as_deref()?.parse::<Kind>().ok());
    if let Some(kind) = kind.filter(|_| !repeated) {
        node.room().check(kind.lane())?;
    }
    check_device_seq(node, token, &body, repeated).await?;
    let mrz: Vec<String> = body.check_mrz.iter().filter_map(|zone| mrz_warning(zone)).collect();
    let written = node.write(body.into_write(node, token, on, key).await?).await?;
    let status = if written.repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(written_json(&written, mrz))))
}

pub(crate) fn written_json(w: &Written, more: Vec<String>) -> Value {
    let warnings: Vec<&String> = w.warnings.iter().chain(&more).collect();
    json!({
        "id": w.printed, "record": w.record.to_string(), "entry": w.entry.to_string(), "repeated": w.repeated,
        "warnings": warnings,
    })
}

/// Begins a record. Durable when it answers.
#[utoipa::path(post, path = "/v1/records", request_body = DraftBody, tag = "records",
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key twice is one write")),
    responses((status = 201, description = "written", body = Object), (status = 200, description = "written before", body = Object),
        (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(
    State(node): State<Arc<Node>>,
    token: Token,
    headers: HeaderMap,
    body: Result<Json<DraftBody>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    write(&node, &token, &headers, body?.0, None).await
}

/// Puts fields and says events on a record. Durable when it answers.
#[utoipa::path(post, path = "/v1/records/{id}/events", request_body = DraftBody, tag = "records",
    params(("id" = String, Path, description = "printed or full id"),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key twice is one write")),
    responses((status = 201, description = "written", body = Object), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn append(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Json<DraftBody>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = body?.0;
    let on = node.find_kind(&id).await?;
    write(&node, &token, &headers, body, Some(on)).await
}
