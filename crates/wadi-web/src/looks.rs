//! Looks at personal data: who was shown who a traveller is, or what a lookout seeks, and of which
//! record. Each is a line of a chain of this node's, written before the answer goes out.

use crate::{Problem, Token, accounts::ChainQuery, answers::LooksAnswer};
use axum::{
    Json,
    extract::{Query, Request, State, rejection::QueryRejection},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use std::{cell::RefCell, sync::Arc};
use wadi_node::Node;

/// Lines of the chain that are read for one page that asks for a person or a record.
const SEARCHED_MAX: u32 = 20_000;
/// Lines read at once in a search.
const SEARCH_STEP: u32 = 1_000;

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
    Problem::new(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        "look_not_kept",
        why,
    )
    .into_response()
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
    params(ChainQuery),
    tag = "accounts",
    responses(
        (status = 200, description = "looks", body = LooksAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn looks(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<ChainQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.auditor()?;
    let Query(query) = query?;
    let (mut before, limit) = query.page()?;
    let is_asked = |line: &Value| {
        let is = |member: &str, asked: &Option<String>| {
            asked.as_deref().is_none_or(|asked| line[member] == asked)
        };
        is("who", &query.who) && is("record", &query.record)
    };
    let step = match query.who.is_some() || query.record.is_some() {
        true => SEARCH_STEP,
        false => limit,
    };

    let (mut told, mut searched) = (Vec::new(), 0);
    while told.len() < limit as usize && searched < SEARCHED_MAX {
        let lines = node.looks().page(before, step).await?;
        before = None;
        for line in &lines {
            let said = serde_json::from_str::<Value>(&line.text).unwrap_or_default();
            before = Some(line.n).filter(|n| *n > 1);
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

    let verdict = match query.verify {
        true => Some(verdict_json(&node).await?),
        false => None,
    };
    Ok(Json(
        json!({"looks": told, "before": before, "verified": verdict}),
    ))
}

async fn verdict_json(node: &Node) -> Result<Value, Problem> {
    let _turn = crate::limits::expensive().await?;
    let verdict = node.looks().verify().await?;
    let told = node.looks().told_heads().await?;
    Ok(json!({
        "whole": verdict.broken_at.is_none() && told.contradicted.is_none(),
        "first": verdict.first,
        "last": verdict.last,
        "head": verdict.head,
        "broken_at": verdict.broken_at,
        "told_heads": told.borne_out,
        "contradicts_told": told.contradicted,
    }))
}
