//! Records: show, create, append, history. Lists of them are in `record_lists.rs`.

use crate::{
    DraftBody, Problem, Token,
    answers::{HistoryAnswer, RecordAnswer, RelatedAnswer, VerificationAnswer, WrittenAnswer},
    body::{hash_of_number, speaker},
    bundles::File,
    filters,
    language::language_for,
    limits, proof,
    strict::{StrictBody, content_hash},
    written::{Answered, put_standing, tell_warnings, written_json},
};
use axum::{
    Json,
    extract::{MatchedPath, Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_log::RecordId;
use wadi_node::{ErrorClass, Node, NodeError, SentContent};
use wadi_record::Kind;

/// As of which entries or which time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AtQuery {
    /// Entries (comma between), or a Unix time in milliseconds by the authors' clocks.
    at: Option<String>,
    /// As this node knew it at a Unix time in milliseconds: of the entries that it had taken in.
    known_ms: Option<i64>,
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
    let is_past = q.at.is_some() || q.known_ms.is_some();
    if is_past && reading.hold_types().is_some() {
        // Of which types a hold was said to be since tells who reads what it was.
        let now = node.reads().record(&id).await?;
        reading.check_record(&now)?;
    }

    let mut record = match (q.at, q.known_ms) {
        (None, None) => node.reads().record(&id).await?,
        (Some(at), None) => {
            let _turn = limits::expensive(&token).await?;
            record_at(&node, &id, &at).await?
        }
        (None, Some(known_ms)) => {
            let _turn = limits::expensive(&token).await?;
            record_known_at(&node, &id, known_ms).await?
        }
        (Some(_), Some(_)) => return Err(filters::one_of("at", "known_ms")),
    };

    reading.check_record(&record)?;
    let named = token.named_in(&node, &[&record]).await?;
    reading.go_by(named);
    reading.show_record(&mut record);
    Ok(Json(record))
}

/// A record as somebody saw it who had seen those entries, or as of a time.
async fn record_at(node: &Node, id: &RecordId, at: &str) -> Result<Value, Problem> {
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

/// A record as this node knew it at a time.
async fn record_known_at(node: &Node, id: &RecordId, known_ms: i64) -> Result<Value, Problem> {
    let known = node.reads().record_known_at(id, known_ms).await?;
    known.ok_or_else(|| {
        let why = format!("this node had taken in nothing of {id} by then");
        Problem::new(StatusCode::NOT_FOUND, "not_known_then", why)
    })
}

/// Behind which entry of a history a page begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HistoryAfter {
    /// The entry that the page before ends with; none for the first page.
    after: Option<String>,
}

/// The entries of a record, a thousand to a page: who said what, when by their clock, between which
/// hub times, who witnessed it and whether it counts; of each field who set it, what that replaced
/// and who contests it; at each decision what its author could have known.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/history",
    params(("id" = String, Path, description = "printed or full id"), HistoryAfter),
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
    query: Result<Query<HistoryAfter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let reading = token.reading(&node)?;
    let id = node.reads().find_record(&id).await?;
    let _turn = limits::expensive(&token).await?;

    let page = node.reads().history_page(&id, q.after.as_deref()).await?;
    let mut history = json!(page);
    let record = node.reads().record(&id).await?;
    let named = token.named_in(&node, &[&history]).await?;
    reading.go_by(named);
    reading.show_history(&mut history, &record)?;
    reading.take_known_holds(&mut history);
    Ok(Json(history))
}

/// Whether a record is read, by its id: not one that nobody here knows, nor one of several.
pub(crate) async fn reads_record(
    node: &Arc<Node>,
    token: &Token,
    id: &str,
) -> Result<bool, Problem> {
    let record = match node.reads().find_kind(id).await {
        Ok((id, _)) => node.reads().record(&id).await?,
        Err(NodeError::Ambiguous { .. }) => return Ok(false),
        Err(error) if matches!(error.class(), ErrorClass::NotFound) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    Ok(token.reading(node)?.check_record(&record).is_ok())
}

/// The id of a record that is to be given whole, with all that was ever said of it.
pub(crate) async fn whole_record(
    node: &Arc<Node>,
    token: &Token,
    id: &str,
) -> Result<RecordId, Problem> {
    let reading = token.reading(node)?;
    let id = node.reads().find_record(id).await?;
    let record = node.reads().record(&id).await?;
    let mut history = json!(node.reads().history(&id).await?);
    let named = token.named_in(node, &[&history]).await?;
    reading.go_by(named);
    reading.show_whole(&record, &mut history)?;
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
    let _turn = limits::expensive(&token).await?;

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
    let _turn = limits::expensive(&token).await?;
    Ok((
        [(CONTENT_TYPE, "application/x-ndjson")],
        node.reads().evidence(&id).await?,
    ))
}

/// Makes the evidence of a record and checks it as an outsider would, against the commission's root
/// alone: each step, whether it passed, and how much was checked.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/verification",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (status = 200, description = "each step of the proof", body = VerificationAnswer),
        (status = 404, body = Problem),
        (status = 409, description = "held here without its log", body = Problem),
    ),
)]
pub(crate) async fn verification(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = whole_record(&node, &token, &id).await?;
    let _turn = limits::expensive(&token).await?;
    let (text, verdict) = node.reads().verify_evidence(&id).await?;
    Ok(Json(proof::told(&text, &verdict)))
}

/// Other records that belong with one: that carry the same plate, container, seal or papers, or
/// name each other by a link.
#[utoipa::path(
    get,
    path = "/v1/records/{id}/related",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (status = 200, description = "the records", body = RelatedAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn related(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    let id = node.reads().find_record(&id).await?;
    let record = node.reads().record(&id).await?;
    reading.check_record(&record)?;
    let _turn = limits::expensive(&token).await?;

    let hold_types = reading.hold_types();
    let mut related = node.reads().related(&id, hold_types).await?;
    let found: Vec<&Value> = related.records.iter().collect();
    let named = token.named_in(&node, &found).await?;
    reading.go_by(named);
    related
        .records
        .retain_mut(|record| reading.show_found(record));
    Ok(Json(
        json!({"records": related.records, "cut": related.cut}),
    ))
}

/// Routes that keep the key of a request, and answer the same again as before.
const KEYED_ROUTES: [&str; 3] = ["/v1/records", "/v1/records/{id}/events", "/v1/imports"];

/// Refuses a key where none is kept: whoever sends one expects that the same again is no second
/// act. What is only read may have any.
pub(crate) async fn keys_are_heeded(request: Request, next: Next) -> Result<Response, Problem> {
    let is_keyed = request.headers().contains_key("idempotency-key");
    let route = request.extensions().get::<MatchedPath>();
    let keeps = route.is_none_or(|route| KEYED_ROUTES.contains(&route.as_str()));
    if is_keyed && !keeps && !request.method().is_safe() {
        let why = "this route keeps no keys, and would do the same again: send it without \
                   `Idempotency-Key`, and where no answer came look what became of it";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_idempotency_key",
            why,
        ));
    }

    Ok(next.run(request).await)
}

/// The key of a request. One of two would be dropped, and with it what makes a repeat known.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let bad = |why: &str| Problem::new(StatusCode::BAD_REQUEST, "bad_idempotency_key", why);
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };

    if given.any(|other| other != key) {
        return Err(bad(
            "one key for a request: there are two headers, which differ",
        ));
    }

    match key.to_str() {
        Ok(key) if (1..=128).contains(&key.len()) && key.bytes().all(|c| c.is_ascii_graphic()) => {
            Ok(Some(key.into()))
        }
        _ => Err(bad("1 to 128 visible ASCII characters")),
    }
}

/// Writes, and answers with what the record has come to.
async fn write_draft(
    node: &Arc<Node>,
    token: &Token,
    headers: &HeaderMap,
    body: StrictBody<DraftBody>,
    on: Option<(RecordId, Kind)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let key = idempotency_key(headers)?;
    let mrz = body.said.zone_warnings(node);

    let on_record = on.as_ref().map(|(id, _)| id);
    let printed = on_record.map(RecordId::to_string);
    let content = SentContent {
        of_key: content_hash(&[&body.sent, &json!(printed), &speaker(&token.scope)]),
        of_number: hash_of_number(&body.sent, on_record),
    };

    let mut write = body.said.into_write(node, token, on, key).await?;
    write.content = Some(content);
    let written = node.write(write).await?;

    let status = if written.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };

    let mut answer = written_json(node, token, &written, mrz);
    let answered = Answered {
        record: written.record,
        decisions: &written.decisions,
        json: &mut answer,
    };
    put_standing(node, token, &mut [answered]).await;
    tell_warnings(&mut answer, language_for(headers, token));
    Ok((status, Json(answer)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_key() {
        let told = |keys: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append("idempotency-key", key.parse().unwrap());
            }
            idempotency_key(&headers).map_err(|problem| problem.code)
        };

        assert_eq!(told(&[]), Ok(None));
        assert_eq!(told(&["a"]), Ok(Some("a".into())));
        assert_eq!(told(&["a", "a"]), Ok(Some("a".into())));
        for wrong in [&["a", "b"][..], &[""], &["a b"]] {
            assert_eq!(told(wrong), Err("bad_idempotency_key".into()), "{wrong:?}");
        }
    }
}
