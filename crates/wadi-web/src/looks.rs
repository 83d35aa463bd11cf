//! Looks at personal data: who was shown who a traveller is, or what a lookout seeks, and of which
//! record. Each is a line of a chain of this node's, written before the answer goes out.

use crate::{
    Problem, Token,
    accounts::{PersonAccount, chain_page},
    answers::{ChainReadingAnswer, LooksAnswer},
    filters,
};
use axum::{
    Json,
    extract::{Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::BTreeSet, sync::Arc};
use utoipa::IntoParams;
use wadi_node::{ChainVerdict, Node, ToldHeads};

/// Lines of the chain that are read for one page that asks for a person or a record.
const SEARCHED_MAX: u32 = 20_000;
/// Lines read at once in a search.
const SEARCH_STEP: u32 = 1_000;

/// Which looks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct LooksQuery {
    /// Lines before this number.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Lines at most, 500 at most; 100, where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only lines of this person.
    who: Option<String>,
    /// Only lines about this record.
    record: Option<String>,
    /// Read the whole chain before the answer, and say whether it is whole.
    verify: bool,
    /// Read what is newer than what was read before, and say whether it follows on that; of a
    /// chain of which nothing was read since the node's start, the newest 20,000 lines.
    newer: bool,
}

tokio::task_local! {
    /// Looks of the request that is being answered.
    static LOOKS: RefCell<Vec<Value>>;
}

/// Notes a look of the request that is being answered. What streams on after its answer began
/// writes its own.
pub(crate) fn note_look(node: &Arc<Node>, token: &Token, record: &str, what: &'static str) {
    let line = json!({
        "at_ms": node.now_ms(),
        "who": token.who(),
        "token": token.name,
        "record": record,
        "what": what,
    });
    let alone = match LOOKS.try_with(|looks| looks.borrow_mut().push(line.clone())) {
        Ok(()) => return,
        Err(_) => line,
    };

    let node = node.clone();
    tokio::spawn(async move { append_looks(&node, vec![alone]).await });
}

/// Writes down what was looked at before the answer goes out. While the disk takes nothing, the
/// looks wait and the answer goes: who stands at a gate has to see whom a hold is about. Where too
/// many wait, nothing more is shown.
pub(crate) async fn looks_are_kept(
    State(node): State<Arc<Node>>,
    request: Request,
    next: Next,
) -> Response {
    let answered = async {
        let answer = next.run(request).await;
        let looks = LOOKS.with(|looks| looks.take());
        (answer, looks)
    };
    let (answer, looks) = LOOKS.scope(RefCell::default(), answered).await;
    if looks.is_empty() || append_looks(&node, looks).await {
        return answer;
    }

    let why = "looks at personal data cannot be written down at this moment, and too many wait";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "look_not_kept", why).into_response()
}

/// Whether they are written, or wait for the next.
async fn append_looks(node: &Node, looks: Vec<Value>) -> bool {
    match node.looks().append(looks).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "looks at personal data are not written yet");
            !matches!(error, wadi_node::NodeError::Busy)
        }
    }
}

/// Who looked at personal data: the newest first, of one person or record where that is asked for.
/// For the auditors of the commission and the operator.
#[utoipa::path(
    get,
    path = "/v1/looks",
    params(LooksQuery),
    tag = "accounts",
    responses(
        (status = 200, description = "looks", body = LooksAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn looks(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<LooksQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.auditor()?;
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    let (mut before, limit) = chain_page(query.before, query.limit)?;
    let from_newest = before.is_none();
    let id = match &query.record {
        Some(text) => node.reads().find_record(text).await.ok(),
        None => None,
    };
    let id = id.map(|id| id.to_string());

    let is_asked = |line: &Value| {
        let who = query.who.as_deref();
        let record = query.record.as_deref();
        let is_about =
            |text| line["record"] == text || id.as_ref().is_some_and(|id| line["record"] == *id);
        who.is_none_or(|who| line["who"] == who) && record.is_none_or(is_about)
    };
    let step = match query.who.is_some() || query.record.is_some() {
        true => SEARCH_STEP,
        false => limit,
    };

    let (mut told, mut searched, mut seen) = (Vec::new(), 0, BTreeSet::new());
    while told.len() < limit as usize && searched < SEARCHED_MAX {
        let lines = node.looks().page(before, step).await?;
        before = None;
        for line in &lines {
            let said = serde_json::from_str::<Value>(&line.text).unwrap_or_default();
            before = Some(line.n).filter(|n| *n > 1);
            if let Some(who) = said["who"].as_str().filter(|who| !seen.contains(*who)) {
                seen.insert(who.to_string());
            }
            if is_asked(&said) {
                told.push(said);
            }
            if told.len() == limit as usize {
                break;
            }
        }

        searched += step;
        if before.is_none() {
            break;
        }
    }

    if told.is_empty() && from_newest {
        check_exists(&node, &query, seen).await?;
    }

    let is_judged = query.verify || query.newer || node.looks().reading().is_some();
    let told_heads = match is_judged {
        true => node.looks().told_heads().await?,
        false => ToldHeads::default(),
    };
    let verdict = match (query.verify, query.newer) {
        (true, _) => {
            let _turn = crate::limits::expensive(&token).await?;
            Some(node.looks().verify().await?)
        }
        (false, true) => Some(node.looks().verify_newer().await?),
        (false, false) => None,
    };
    Ok(Json(json!({
        "looks": told,
        "before": before,
        "verified": verdict.map(|verdict| verdict_json(&verdict, &told_heads)),
        "reading": reading_json(&node, &told_heads),
    })))
}

/// Refuses a person or a record that there is none of: an empty list would read as if nobody had
/// looked. `seen` are the persons whose looks were read through.
async fn check_exists(
    node: &Node,
    query: &LooksQuery,
    mut seen: BTreeSet<String>,
) -> Result<(), Problem> {
    if let Some(text) = &query.record
        && node.reads().finding(text).await.is_err()
    {
        node.reads().find_kind(text).await?;
    }

    if let Some(who) = &query.who {
        seen.extend(
            node.with_control(|c| c.officers().map(|o| o.officer.clone()).collect::<Vec<_>>()),
        );
        seen.extend(
            PersonAccount::all(node)
                .await?
                .into_iter()
                .map(|a| a.person),
        );
        for kept in node.tokens().all().await? {
            if let Ok(token) = serde_json::from_str::<Token>(&kept.scope) {
                seen.insert(token.who());
            }
        }

        filters::one("person known here", who, seen.iter().map(String::as_str))?;
    }

    Ok(())
}

/// Begins to read the whole chain of looks; `/v1/looks` tells how far that has come (`reading`).
/// One that is under way goes on. For the auditors of the commission and the operator.
#[utoipa::path(
    post,
    path = "/v1/looks/reading",
    tag = "accounts",
    responses(
        (status = 202, description = "it is being read", body = ChainReadingAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn read_whole(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.auditor()?;
    token.reading(&node)?.all_records()?;
    let reader = node.clone();
    tokio::spawn(async move { reader.looks().read_whole().await });
    let told_heads = node.looks().told_heads().await?;
    Ok((StatusCode::ACCEPTED, Json(reading_json(&node, &told_heads))))
}

/// How far the last reading of the whole chain has come, and what it found.
fn reading_json(node: &Node, told_heads: &ToldHeads) -> Value {
    let told = |reading: wadi_node::ChainReading| {
        json!({
            "read": reading.read,
            "of": reading.of,
            "ended_ms": reading.ended_ms,
            "failed": reading.failed,
            "verdict": reading.verdict.as_ref().map(|verdict| verdict_json(verdict, told_heads)),
        })
    };
    node.looks().reading().map_or_else(
        || json!({"read": 0, "of": 0, "ended_ms": null, "failed": null, "verdict": null}),
        told,
    )
}

pub(crate) fn verdict_json(verdict: &ChainVerdict, told: &ToldHeads) -> Value {
    json!({
        "whole": verdict.broken_at.is_none() && told.contradicted.is_none(),
        "first": verdict.first,
        "last": verdict.last,
        "head": verdict.head,
        "broken_at": verdict.broken_at,
        "told_heads": told.borne_out,
        "contradicts_told": told.contradicted,
    })
}
