//! What `wadi audit compare` reads of a running node: its logs, and its records in the order of
//! their ids.

use crate::{
    Problem, Token,
    answers::{ComparePageAnswer, CompareRecordAnswer, LogRootAnswer, LogsAnswer},
    limits, pages,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_log::{Lane, LogId, RecordId, hex};
use wadi_node::{CompareRow, Node, NodeError, entries_digest};

/// Which page of records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// Those after this id (64 hexadecimal digits): the last one of the page before.
    after: Option<String>,
    /// At most so many; 500 by default and at most.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Which root.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RootQuery {
    /// The log, by its checkpoints' origin.
    log: String,
    /// Of how many entries from its first on.
    size: u64,
}

fn row_json(row: &CompareRow) -> Value {
    json!({
        "record": row.id.to_string(),
        "id": row.printed,
        "lane": Lane::from_u8(row.lane).map_or("", Lane::name),
        "crossing": row.crossing,
        "state": row.state,
        "document": row.document.to_string(),
        "entries": row.entries.len(),
        "entries_digest": entries_digest(&row.entries).to_string(),
    })
}

/// Records in the order of their ids: state, digest of the document, digest over the entries held.
/// For the operator.
#[utoipa::path(
    get,
    path = "/v1/compare",
    params(CompareQuery),
    tag = "compare",
    responses(
        (status = 200, description = "a page of records", body = ComparePageAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn page(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<CompareQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    // It tells of records of every kind and crossing.
    token.reading(&node)?.all_records()?;
    let Query(q) = query?;
    let after = q
        .after
        .as_deref()
        .map(str::parse::<RecordId>)
        .transpose()
        .map_err(NodeError::Log)?;

    let limit = pages::rows_or(q.limit, pages::ROWS_MAX)?;
    let _turn = limits::expensive(&token).await?;
    let rows = node
        .reads()
        .compare_page(after.unwrap_or(RecordId([0; 32])), limit)
        .await?;

    Ok(Json(
        json!({"records": rows.iter().map(row_json).collect::<Vec<_>>()}),
    ))
}

/// Whose node this is, and size and root of every log that it holds. For the operator.
#[utoipa::path(
    get,
    path = "/v1/compare/logs",
    tag = "compare",
    responses(
        (status = 200, description = "the logs", body = LogsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn logs(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    token.reading(&node)?.all_records()?;
    let held = node.reads().held_logs().await?;
    let logs: Vec<Value> = held
        .iter()
        .map(|l| json!({"log": l.log.origin(), "size": l.size, "root": l.root.to_string()}))
        .collect();

    Ok(Json(
        json!({"node": node.me().name, "enrolment": hex(&node.me().to_bytes()), "logs": logs}),
    ))
}

/// The root of a log's first entries: whether two holders of unequal parts of it hold the same log.
/// For the operator.
#[utoipa::path(
    get,
    path = "/v1/compare/root",
    params(RootQuery),
    tag = "compare",
    responses(
        (status = 200, description = "the root", body = LogRootAnswer),
        (status = 403, body = Problem),
        (status = 404, description = "so much of it is not held", body = Problem),
    ),
)]
pub(crate) async fn root(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<RootQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    token.reading(&node)?.all_records()?;
    let Query(q) = query?;
    let log = LogId::from_origin(&q.log).map_err(NodeError::Log)?;
    let none = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not_held",
            format!("{log} has no {} entries here", q.size),
        )
    };

    let root = node
        .reads()
        .log_root(&log, q.size)
        .await?
        .ok_or_else(none)?;
    Ok(Json(
        json!({"log": q.log, "size": q.size, "root": root.to_string()}),
    ))
}

/// One record as every holder of its entries has it, and the entries held of it. For the operator.
#[utoipa::path(
    get,
    path = "/v1/compare/{id}",
    params(("id" = String, Path, description = "full id")),
    tag = "compare",
    responses(
        (status = 200, description = "the record", body = CompareRecordAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn record(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let id = node.reads().find_record(&id).await?;
    let (record, entries) = node.reads().compare_record(&id).await?;
    let mut history = json!(node.reads().history(&id).await?);
    let named = token.named_in(&node, &[&history]).await?;
    let reading = token.reading(&node)?;
    reading.go_by(named);
    reading.show_whole(&record, &mut history)?;
    let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    Ok(Json(json!({"record": record, "entries": entries})))
}
