//! A hub's country log, as C2SP tlog-tiles has it, for whoever mirrors it; and what it shows of a
//! record.

use crate::{Problem, Token, answers::CountryProofsAnswer, limits, records::whole_record};
use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{
        HeaderName, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
};
use serde_json::{Value, json};
use std::sync::Arc;
use wadi_node::{Node, TILE_WIDTH, TilePath};

/// What does not change is kept for a year, as long as caches keep anything.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What is public and changes: caches ask again.
const SHORTLY: &str = "no-cache";
/// What was read with a token, which no cache gives to others.
const NOT_KEPT: &str = "private, no-store";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Whoever may watch: anybody where the log is public, else the commission's auditors and the
/// operator.
pub(crate) struct Watcher {
    is_public: bool,
}

impl FromRequestParts<Arc<Node>> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let is_public = node.country().is_public();
        if !is_public {
            let token = Token::from_request_parts(parts, node).await?;
            token.auditor()?;
            token.reading(node)?.all_records()?;
        }
        Ok(Self { is_public })
    }
}

impl Watcher {
    fn caching(&self, public: &'static str) -> (HeaderName, &'static str) {
        let told = if self.is_public { public } else { NOT_KEPT };
        (CACHE_CONTROL, told)
    }

    /// What stands as long as no newer checkpoint does.
    fn shown(&self, text: Option<String>) -> Result<WatchedAnswer<String>, Problem> {
        let why = "no checkpoint is published here; a hub that keeps a country log has one";
        let text = text.ok_or_else(|| nothing(why))?;
        Ok(([(CONTENT_TYPE, TEXT), self.caching(SHORTLY)], text))
    }
}

type WatchedAnswer<Body> = ([(HeaderName, &'static str); 2], Body);

fn nothing(why: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_in_country_log", why)
}

/// The newest checkpoint: a signed note, with the cosignatures that came so far.
#[utoipa::path(
    get,
    path = "/tlog/checkpoint",
    tag = "country-log",
    responses(
        (status = 200, description = "a C2SP checkpoint", body = String,
            content_type = "text/plain; charset=utf-8"),
        (status = 404, description = "nothing is published here", body = Problem),
    ),
)]
pub(crate) async fn checkpoint(
    State(node): State<Arc<Node>>,
    watcher: Watcher,
) -> Result<WatchedAnswer<String>, Problem> {
    watcher.shown(node.country().checkpoint())
}

/// The verifier keys of the log, one a line. Whoever relies on them has them from the commission.
#[utoipa::path(
    get,
    path = "/tlog/vkeys",
    tag = "country-log",
    responses(
        (status = 200, description = "C2SP verifier keys", body = String,
            content_type = "text/plain; charset=utf-8"),
        (status = 404, description = "nothing is published here", body = Problem),
    ),
)]
pub(crate) async fn vkeys(
    State(node): State<Arc<Node>>,
    watcher: Watcher,
) -> Result<WatchedAnswer<String>, Problem> {
    watcher.shown(node.country().vkeys())
}

/// A tile of the log's tree, or a bundle of its leaves (c2sp.org/tlog-tiles).
#[utoipa::path(
    get,
    path = "/tlog/tile/{path}",
    tag = "country-log",
    params(("path" = String, Path, description = "as 0/x001/234, entries/000.p/7",
        min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "hashes, or leaves each behind its length", body = String,
            content_type = "application/octet-stream"),
        (status = 404, description = "the newest checkpoint has no such tile", body = Problem),
    ),
)]
pub(crate) async fn tile(
    State(node): State<Arc<Node>>,
    watcher: Watcher,
    Path(path): Path<String>,
) -> Result<WatchedAnswer<Vec<u8>>, Problem> {
    let why = "the newest checkpoint has no such tile";
    let path = TilePath::parse(&path).map_err(|_| nothing(why))?;
    let bytes = node.country().tile(&path).await?;
    let bytes = bytes.ok_or_else(|| nothing(why))?;

    // What a partial tile has stays, too; it is asked for while its checkpoint is the newest.
    let caching = match path.width {
        TILE_WIDTH => FOR_EVER,
        _ => "public, max-age=3600, immutable",
    };
    Ok(([(CONTENT_TYPE, BYTES), watcher.caching(caching)], bytes))
}

/// Proofs that the entries of a record lie below heads that the country log lists: texts of C2SP
/// tlog-proof, with the entries in their extra data (`docs/evidence.md`).
#[utoipa::path(
    get,
    path = "/v1/records/{id}/country",
    params(("id" = String, Path, description = "printed or full id")),
    tag = "records",
    responses(
        (status = 200, description = "the proofs", body = CountryProofsAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn proofs(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = whole_record(&node, &token, &id).await?;
    let _turn = limits::expensive(&token).await?;
    let made = node.country().proofs_of(&id).await?;
    Ok(Json(
        json!({"proofs": made.proofs, "not_listed": made.not_listed}),
    ))
}
