//! Records: list, show, create, append, history.

use crate::{
    DraftBody, Problem, Token,
    answers::{HistoryAnswer, RecordAnswer, RecordPageAnswer, WrittenAnswer},
    bundles::File,
    filters, limits, pages,
    strict::{StrictBody, content_hash},
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::IntoParams;
use wadi_log::RecordId;
use wadi_node::{DETAINED, Members, Node, NodeError, RecordFilter, Written};
use wadi_record::{Kind, normalise_plate, term};

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
    /// In the order of ids, those after this one (64 hexadecimal digits): for reading all, each
    /// exactly once.
    after: Option<String>,
    /// Members of the records to show, comma between, as `id,state,safety`; all of them, where it
    /// is left out.
    fields: Option<String>,
    /// At most so many, 500 at most. Where it is left out, 100 or as many as fit in 50,000 bytes,
    /// whichever are fewer.
    #[param(minimum = 1, maximum = 500)]
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

/// Records, those changed last first. Where there may be more, `next_before` is what `before` of
/// the next page is; in the order of ids, `next_after` is what `after` is.
#[utoipa::path(
    get,
    path = "/v1/records",
    params(ListQuery),
    tag = "records",
    responses(
        (status = 200, description = "a page of records", body = RecordPageAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let reading = token.reading(&node)?;
    let term = match (q.plate, q.container) {
        (Some(_), Some(_)) => return Err(filters::one_of("plate", "container")),
        (Some(plate), None) => Some(("plate".to_string(), term(&normalise_plate(&plate)))),
        (None, Some(container)) => {
            Some(("container".to_string(), term(&normalise_plate(&container))))
        }
        (None, None) => None,
    };

    let kind = q.kind.as_deref().map(filters::kind).transpose()?;
    let lane = reading.kind(kind)?.map(|k| k.lane() as u8);

    let state = q
        .state
        .map(|state| filters::record_state(&state))
        .transpose()?;
    let detained = state.as_deref() == Some(DETAINED);
    let filter = RecordFilter {
        lane,
        crossing: q
            .crossing
            .map(|code| filters::crossing(&node, &code))
            .transpose()?,
        state: state.filter(|_| !detained),
        term,
        contested: q.contested.unwrap_or(false),
        detained: detained.then(|| node.reads().hold_terms()),
        before: q.before,
        after: q
            .after
            .map(|id| id.parse())
            .transpose()
            .map_err(NodeError::Log)?,
        limit: pages::rows(q.limit)?,
    };

    let members = q.fields.as_deref().map(members).transpose()?;
    let _turn = limits::expensive().await?;
    let mut listed = node
        .reads()
        .list_records(&filter, &members.unwrap_or_default())
        .await?;

    for one in &mut listed {
        reading.show_record(&mut one.json);
    }

    // The cursors as long as they can be.
    let beside = json!({
        "records": [],
        "next_before": i64::MIN,
        "next_after": RecordId([0; 32]).to_string(),
    });
    let may_be_more = listed.len() as u32 == filter.limit;
    let shown = pages::fitting(listed.iter().map(|r| &r.json), &beside, q.limit);
    let is_cut = shown < listed.len();
    listed.truncate(shown);

    let last = listed.last().filter(|_| may_be_more || is_cut);
    let mut answer = json!({"records": [], "next_before": last.map(|r| r.changed)});
    if filter.after.is_some() {
        answer["next_after"] = json!(last.map(|r| r.id.to_string()));
    }

    answer["records"] = listed.into_iter().map(|r| r.json).collect();
    Ok(Json(answer))
}

/// The members of records that a list is to show.
fn members(given: &str) -> Result<Members, Problem> {
    let one = |name| filters::one("member of records", name, Members::NAMES);
    let names: Vec<String> = given.split(',').map(one).collect::<Result<_, _>>()?;
    Ok(Members::named(names.iter().map(String::as_str)))
}

/// One record; with `at`, as somebody saw it who had seen those entries, or as of a time.
#[utoipa::path(
    get,
    path = "/v1/records/{id}",
    params(("id" = String, Path, description = "printed or full id"), AtQuery),
    tag = "records",
    responses(
        (status = 200, description = "the record", body = RecordAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    query: Result<Query<AtQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let reading = token.reading(&node)?;
    let id = node.reads().find_record(&id).await?;
    let mut record = match q.at {
        None => node.reads().record(&id).await?,
        Some(at) => record_at(&node, &id, &at).await?,
    };

    match reading.show_record(&mut record) {
        true => Ok(Json(record)),
        false => Err(reading.not_readable()),
    }
}

/// A record as somebody saw it who had seen those entries, or as of a time.
async fn record_at(node: &Node, id: &RecordId, at: &str) -> Result<Value, Problem> {
    let _turn = limits::expensive().await?;
    if let Ok(time_ms) = at.parse() {
        return Ok(node.reads().record_at(id, &[], Some(time_ms)).await?);
    }

    let entries: Result<Vec<_>, _> = at.split(',').map(str::parse).collect();
    let bad = |e: wadi_log::LogError| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_reference",
            e.to_string(),
        )
    };

    Ok(node
        .reads()
        .record_at(id, &entries.map_err(bad)?, None)
        .await?)
}

/// All entries of a record: who said what, when by their clock, between which hub times, who
/// witnessed it and whether it counts; of each field who set it, what that replaced and who
/// contests it; at each decision what its author could have known.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/history",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (status = 200, description = "the history", body = HistoryAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn history(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    let id = node.reads().find_record(&id).await?;
    let _turn = limits::expensive().await?;

    let mut history = json!(node.reads().history(&id).await?);
    let record = node.reads().record(&id).await?;
    reading.show_history(&mut history, &record)?;
    Ok(Json(history))
}

/// The id of a record that is to be given whole, with all that was ever said of it.
async fn whole_record(node: &Arc<Node>, token: &Token, id: &str) -> Result<RecordId, Problem> {
    let reading = token.reading(node)?;
    let id = node.reads().find_record(id).await?;
    let record = node.reads().record(&id).await?;
    reading.show_whole(&record)?;
    Ok(id)
}

/// A record's document in Automerge's format, with every change since its first entry: any tool
/// that reads Automerge opens it. Nodes that hold the same give equal documents.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/document",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (
            status = 200,
            description = "the document",
            content_type = "application/octet-stream",
            body = String,
        ),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn document(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<File<Vec<u8>>, Problem> {
    let id = whole_record(&node, &token, &id).await?;
    let _turn = limits::expensive().await?;

    Ok((
        [(CONTENT_TYPE, "application/octet-stream")],
        node.reads().document(&id).await?,
    ))
}

/// Everything said of a record with its proofs, in a file that verifies without this network
/// (`docs/evidence.md`).
#[utoipa::path(
    get,
    path = "/v1/records/{id}/evidence",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (
            status = 200,
            description = "the file",
            content_type = "application/x-ndjson",
            body = String,
        ),
        (status = 404, body = Problem),
        (status = 409, description = "held here without its log", body = Problem),
    ),
)]
pub(crate) async fn evidence(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<File<String>, Problem> {
    let id = whole_record(&node, &token, &id).await?;
    let _turn = limits::expensive().await?;
    Ok((
        [(CONTENT_TYPE, "application/x-ndjson")],
        node.reads().evidence(&id).await?,
    ))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if (1..=128).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic()) => {
            Ok(Some(key.into()))
        }
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            "1 to 128 visible ASCII characters",
        )),
    }
}

/// Writes, and answers with what the record has come to.
async fn write_draft(
    node: &Node,
    token: &Token,
    headers: &HeaderMap,
    body: StrictBody<DraftBody>,
    on: Option<(RecordId, Kind)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key = idempotency_key(headers)?;
    let mrz = body.said.zone_warnings(node);

    let record = on.map(|(id, _)| id.to_string());
    let content = content_hash(&[&body.sent, &json!(record), &json!(token.scope)]);

    let mut write = body.said.into_write(node, token, on, key).await?;
    write.content = Some(content);
    let written = node.write(write).await?;

    let status = if written.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };

    let mut answer = written_json(&written, mrz);
    put_standing(node, &mut [(written.record, &mut answer)]).await;
    Ok((status, Json(answer)))
}

pub(crate) fn written_json(w: &Written, more: Vec<String>) -> Value {
    let warnings: Vec<&String> = w.warnings.iter().chain(&more).collect();
    json!({
        "id": w.printed,
        "record": w.record.to_string(),
        "entry": w.entry.to_string(),
        "repeated": w.repeated,
        "warnings": warnings,
    })
}

/// Says in the answers what the records came to: state, flags, and who detains them. Everything is
/// written by now: where it cannot be read the answer stands without.
pub(crate) async fn put_standing(node: &Node, answers: &mut [(RecordId, &mut Value)]) {
    let ids: BTreeSet<RecordId> = answers.iter().map(|(id, _)| *id).collect();
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let standings = match node.reads().standings(&ids).await {
        Ok(standings) => standings,
        Err(error) => {
            tracing::warn!(%error, "what was written could not be read back for its answer");
            return;
        }
    };

    for (id, answer) in answers {
        let Some(standing) = standings.get(id) else {
            continue;
        };
        for member in ["state", "flags", "detained_by", "heads"] {
            if !standing[member].is_null() {
                answer[member] = standing[member].clone();
            }
        }
    }
}

/// Begins a record. Durable when it answers.
#[utoipa::path(
    post,
    path = "/v1/records",
    request_body = DraftBody,
    tag = "records",
    params(
        (
            "Idempotency-Key" = Option<String>,
            Header,
            description = "the same key twice is one write",
        ),
    ),
    responses(
        (status = 201, description = "written", body = WrittenAnswer),
        (status = 200, description = "written before", body = WrittenAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn create(
    State(node): State<Arc<Node>>,
    token: Token,
    headers: HeaderMap,
    body: StrictBody<DraftBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    write_draft(&node, &token, &headers, body, None).await
}

/// Puts fields and says events on a record. Durable when it answers.
#[utoipa::path(
    post,
    path = "/v1/records/{id}/events",
    request_body = DraftBody,
    tag = "records",
    params(
        ("id" = String, Path, description = "printed or full id"),
        (
            "Idempotency-Key" = Option<String>,
            Header,
            description = "the same key twice is one write",
        ),
    ),
    responses(
        (status = 201, description = "written", body = WrittenAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn append(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: StrictBody<DraftBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let on = node.reads().find_kind(&id).await?;
    write_draft(&node, &token, &headers, body, Some(on)).await
}
