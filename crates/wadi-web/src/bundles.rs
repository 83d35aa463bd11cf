//! Bundles: files for the stick in the truck. The operator of this machine makes them, takes them
//! in, and gives receipts.

use crate::{
    Problem, Token,
    answers::{BundleAnswer, BundleTakenAnswer, ReceiptAnswer},
    strict::StrictBody,
};
use axum::{
    Json,
    body::Bytes,
    extract::{
        Path, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use wadi_node::Node;

/// A file that is served, with its content type.
pub(crate) type File<T> = ([(HeaderName, &'static str); 1], T);

/// Which bundle is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleBody {
    /// The node that is to read it, by its name or id.
    #[serde(rename = "for")]
    to: String,
    /// Its receipt, as it came: only what it lacks by that goes in.
    #[serde(default)]
    since_receipt: Option<String>,
    /// Bytes that a part may have, before compression; 32 MiB where nothing is said.
    #[serde(default)]
    split: Option<u64>,
}

/// For whom a receipt is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ReceiptQuery {
    /// A node's name or id; the one whose bundle came last, where nothing is said.
    #[serde(rename = "for")]
    to: Option<String>,
}

/// Plans a bundle for a node. Its parts are fetched one by one; nothing is deleted here.
#[utoipa::path(
    post,
    path = "/v1/bundles",
    request_body = BundleBody,
    tag = "bundles",
    responses(
        (
            status = 201,
            description = "the bundle's id, and how many parts it has",
            body = BundleAnswer,
        ),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn plan(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<BundleBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let body = body.said;
    let planned = node
        .bundles()
        .plan(&body.to, body.since_receipt.as_deref(), body.split)
        .await?;
    tracing::info!(who = token.who(), to = body.to, "a bundle is made");
    let mut answer = json!(planned);
    answer["by"] = token.who().into();
    Ok((StatusCode::CREATED, Json(answer)))
}

/// One part of a bundle that was planned: a file (`docs/bundles.md`).
#[utoipa::path(
    get,
    path = "/v1/bundles/{id}/parts/{part}",
    tag = "bundles",
    params(
        ("id" = String, Path, description = "the bundle's id"),
        ("part" = u32, Path, description = "from 1"),
    ),
    responses(
        (
            status = 200,
            description = "the file",
            content_type = "application/octet-stream",
            body = String,
        ),
        (status = 404, description = "not planned here, or long ago", body = Problem),
    ),
)]
pub(crate) async fn part(
    State(node): State<Arc<Node>>,
    token: Token,
    Path((id, part)): Path<(String, String)>,
) -> Result<File<Vec<u8>>, Problem> {
    token.operator()?;
    // What is no number is no part.
    let part = part.parse().unwrap_or(0);
    Ok((
        [(CONTENT_TYPE, "application/octet-stream")],
        node.bundles().part(&id, part).await?,
    ))
}

/// Takes in one part. Durable when it answers; the same part again changes nothing.
#[utoipa::path(
    post,
    path = "/v1/bundles/import",
    tag = "bundles",
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (
            status = 200,
            description = "what was taken, what waits, and what was not taken",
            body = BundleTakenAnswer,
        ),
        (status = 413, body = Problem),
        (status = 422, description = "not for this node, cut short, changed …", body = Problem),
    ),
)]
pub(crate) async fn import(
    State(node): State<Arc<Node>>,
    token: Token,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let body = body.map_err(|e| {
        let large = e.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Problem::new(
            e.status(),
            if large { "body_too_large" } else { "bad_body" },
            e.body_text(),
        )
    })?;

    let taken = node.bundles().import(&body).await?;
    tracing::info!(
        who = token.who(),
        bytes = body.len(),
        "a bundle's part was taken in"
    );
    let mut answer = json!(taken);
    answer["by"] = token.who().into();
    Ok(Json(answer))
}

/// A receipt: what this node holds, for a node that sent it bundles.
#[utoipa::path(
    get,
    path = "/v1/bundles/receipt",
    params(ReceiptQuery),
    tag = "bundles",
    responses(
        (
            status = 200,
            description = "the receipt, on one line",
            body = ReceiptAnswer,
        ),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn receipt(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<ReceiptQuery>, QueryRejection>,
) -> Result<File<String>, Problem> {
    token.operator()?;
    let Query(query) = query?;
    Ok((
        [(CONTENT_TYPE, "application/json")],
        node.bundles().receipt(query.to.as_deref()).await?,
    ))
}
