//! Bundles: files for the stick in the truck. The operator of this machine makes them, takes them
//! in, and gives receipts. Who made which, and who took which in, stands in a chain of this node's.

use crate::{
    Problem, Token,
    accounts::chain_page,
    answers::{BundleActsAnswer, BundleAnswer, BundleTakenAnswer, ReceiptAnswer},
    looks::verdict_json,
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
use wadi_node::{Node, NodeError, Signatory};

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

/// Whose act it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct PersonQuery {
    /// The person whose act it is: needed where the token is nobody's own.
    person: Option<String>,
}

impl PersonQuery {
    pub(crate) fn named(&self) -> Option<&str> {
        self.person.as_deref()
    }
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

/// Notes who made a bundle, or took a part of one in, with these members beside it. Durable when it
/// returns. Where the disk takes no line, the log alone tells: what was done stays done.
async fn note_act(node: &Node, act: &str, signatory: &Signatory, about: Value) {
    if let Err(unwritten) = append_act(node, act, signatory, about).await {
        tracing::warn!(%unwritten, act, "who handled a bundle was not written down");
    }
}

/// What of an act tells that it is the same as another.
const SAME: [&str; 6] = ["act", "by", "by_token", "bundle", "part", "code"];

/// Whether nothing came of an act, as of the newest one: nobody drives the others out by saying the
/// same again and again.
async fn is_said_already(node: &Node, about: &Value) -> Result<bool, NodeError> {
    if about["entries"] != 0 || about["act"] == "made" {
        return Ok(false);
    }

    let newest = node.bundle_acts().page(None, 1).await?;
    let newest = newest.first().map(|line| line.text.as_str());
    let newest: Value = serde_json::from_str(newest.unwrap_or_default()).unwrap_or_default();
    Ok(SAME.iter().all(|member| newest[*member] == about[*member]))
}

async fn append_act(
    node: &Node,
    act: &str,
    signatory: &Signatory,
    mut about: Value,
) -> Result<(), NodeError> {
    about["at_ms"] = node.now_ms().into();
    about["act"] = act.into();
    about["by"] = signatory.name.clone().into();
    about["by_token"] = signatory.by_token.clone().into();
    tracing::info!(
        by = signatory.name,
        by_token = signatory.by_token,
        act,
        "somebody handled a bundle"
    );
    match is_said_already(node, &about).await? {
        true => Ok(()),
        false => node.bundle_acts().append(vec![about]).await,
    }
}

/// Plans a bundle for a node, in a person's name. Its parts are fetched one by one; nothing is
/// deleted here.
#[utoipa::path(
    post,
    path = "/v1/bundles",
    params(PersonQuery),
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
    query: Result<Query<PersonQuery>, QueryRejection>,
    body: StrictBody<BundleBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let Query(query) = query?;
    let signatory = token.signatory(query.named())?;
    let body = body.said;
    let planned = node
        .bundles()
        .plan(&body.to, body.since_receipt.as_deref(), body.split)
        .await?;
    let about = json!({
        "bundle": planned.bundle,
        "node": planned.to,
        "part": null,
        "parts": planned.parts,
        "entries": planned.entries,
        "code": null,
    });
    note_act(&node, "made", &signatory, about).await;

    let mut answer = json!(planned);
    answer["by"] = signatory.name.into();
    answer["by_token"] = signatory.by_token.into();
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
    // A bundle has entries of every kind and crossing.
    token.reading(&node)?.all_records()?;
    // What is no number is no part.
    let part = part.parse().unwrap_or(0);
    Ok((
        [(CONTENT_TYPE, "application/octet-stream")],
        node.bundles().part(&id, part).await?,
    ))
}

/// Takes in one part, in a person's name. Durable when it answers; the same part again changes
/// nothing.
#[utoipa::path(
    post,
    path = "/v1/bundles/import",
    params(PersonQuery),
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
    query: Result<Query<PersonQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let Query(query) = query?;
    let signatory = token.signatory(query.named())?;
    let body = body.map_err(|e| {
        let large = e.status() == StatusCode::PAYLOAD_TOO_LARGE;
        Problem::new(
            e.status(),
            if large { "body_too_large" } else { "bad_body" },
            e.body_text(),
        )
    })?;

    let taken = match node.bundles().import(&body).await {
        Ok(taken) => taken,
        Err(error) => {
            let about = json!({
                "bundle": "", "node": "", "part": null, "parts": null, "entries": 0,
                "code": error.code(),
            });
            note_act(&node, "not_taken_in", &signatory, about).await;
            return Err(error.into());
        }
    };
    let about = json!({
        "bundle": taken.bundle,
        "node": taken.from,
        "part": taken.part,
        "parts": taken.parts,
        "entries": taken.taken,
        "code": null,
    });
    note_act(&node, "taken_in", &signatory, about).await;

    let mut answer = json!(taken);
    answer["by"] = signatory.name.into();
    answer["by_token"] = signatory.by_token.into();
    Ok(Json(answer))
}

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct BundleActsQuery {
    /// Lines before this number.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Lines at most, 500 at most; 100, where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Read the whole chain, and say whether it is whole.
    verify: bool,
}

/// Who made a bundle here, and who took one in: the newest first. For the auditors of the
/// commission and the operator.
#[utoipa::path(
    get,
    path = "/v1/bundles/acts",
    params(BundleActsQuery),
    tag = "bundles",
    responses(
        (status = 200, description = "lines", body = BundleActsAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn acts(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<BundleActsQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.auditor()?;
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    let (before, limit) = chain_page(query.before, query.limit)?;
    let chain = node.bundle_acts();
    let lines = chain.page(before, limit).await?;
    let next = lines.last().filter(|line| line.n > 1).map(|line| line.n);
    let told: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str(&line.text).ok())
        .collect();

    let verified = match query.verify {
        true => {
            let _turn = crate::limits::expensive(&token).await?;
            let told_heads = chain.told_heads().await?;
            Some(verdict_json(&chain.verify().await?, &told_heads))
        }
        false => None,
    };
    Ok(Json(
        json!({"acts": told, "before": next, "verified": verified}),
    ))
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
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    Ok((
        [(CONTENT_TYPE, "application/json")],
        node.bundles().receipt(query.to.as_deref()).await?,
    ))
}
