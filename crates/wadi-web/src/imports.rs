//! Imports: many operations in one request; the bad are reported, the good are kept, and many share a commit.

use crate::{DraftBody, Problem, Token, TokenScope, body::operation_writes, records::written_json};
use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use wadi_log::RecordId;
use wadi_node::{Node, NodeError, Target, Write};

/// Operations of one request at most.
const LINES_MAX: usize = 20_000;

/// Takes NDJSON: operations of the common workload, or drafts with a `key`. Answers line by line.
#[utoipa::path(post, path = "/v1/imports", request_body(content = String, content_type = "application/x-ndjson"),
    tag = "records", responses((status = 200, description = "what became of each line", body = Object),
        (status = 413, body = Problem)))]
pub(crate) async fn import(State(node): State<Arc<Node>>, token: Token, body: Bytes) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let Ok(text) = std::str::from_utf8(&body) else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "not_utf8", "an import is UTF-8 text"));
    };
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > LINES_MAX {
        let why = format!("{} lines; the limit is {LINES_MAX} a request", lines.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_lines", why));
    }
    let mut results: Vec<Option<Value>> = vec![None; lines.len()];
    let mut pending: Vec<(usize, Write)> = Vec::new();
    // Lines that name a record begun earlier in this import wait until that is written.
    let mut begun: std::collections::BTreeSet<String> = Default::default();
    for (n, line) in lines.iter().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let key = sender_key(line);
        if key.as_ref().is_some_and(|k| begun.contains(k)) {
            flush(&node, &mut pending, &mut results).await;
            begun.clear();
        }
        match prepare(&node, &token, line).await {
            Ok(write) => {
                begun.extend(key);
                pending.push((n, write));
            }
            Err(problem) => results[n] = Some(failed(n, &problem)),
        }
    }
    flush(&node, &mut pending, &mut results).await;
    let results: Vec<Value> = results.into_iter().flatten().collect();
    let bad = results.iter().filter(|r| r.get("code").is_some()).count();
    let repeated = results.iter().filter(|r| r["repeated"] == true).count();
    Ok(Json(json!({
        "written": results.len() - bad - repeated, "repeated": repeated, "bad": bad, "lines": results,
    })))
}

fn failed(n: usize, problem: &Problem) -> Value {
    json!({"line": n + 1, "code": problem.code, "detail": problem.detail})
}

fn sender_key(line: &str) -> Option<String> {
    let map: Map<String, Value> = serde_json::from_str(line).ok()?;
    map.get("id").or(map.get("key")).and_then(Value::as_str).map(String::from)
}

async fn flush(node: &Node, pending: &mut Vec<(usize, Write)>, results: &mut [Option<Value>]) {
    let (lines, writes): (Vec<usize>, Vec<Write>) = std::mem::take(pending).into_iter().unzip();
    for (n, result) in lines.into_iter().zip(node.write_all(writes).await) {
        results[n] = Some(match result {
            Ok(written) => {
                let mut json = written_json(&written, vec![]);
                json["line"] = (n + 1).into();
                json
            }
            Err(error) => failed(n, &error.into()),
        });
    }
}

async fn prepare(node: &Node, token: &Token, line: &str) -> Result<Write, Problem> {
    let broken = |e: serde_json::Error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "broken_json", e.to_string());
    let mut map: Map<String, Value> = serde_json::from_str(line).map_err(broken)?;
    if map.contains_key("kind") {
        let key = map.remove("key").and_then(|k| k.as_str().map(String::from));
        let draft: DraftBody = serde_json::from_value(Value::Object(map)).map_err(broken)?;
        let mut write = draft.into_write(node, token, None, None).await?;
        write.key = key.map(|k| ("import".to_string(), k));
        return Ok(write);
    }
    let (id, is_new, draft, officer) = operation_writes(&map)?;
    let target = if is_new { Target::New(None) } else { Target::On(imported(node, &id).await?) };
    let mut write = Write::by(&officer, "OPS", target, draft);
    // A device-less backlog: the import itself is the source of what it says.
    let digest = crate::hash_token(line);
    write.key = Some(if is_new { ("import".into(), id) } else { ("import-op".into(), digest) });
    if matches!(token.scope, TokenScope::Operator) { Ok(write) } else { token.operator().map(|()| write) }
}

/// The record that a sender's key stands for: begun by an import here, or found by its printed id.
async fn imported(node: &Node, id: &str) -> Result<RecordId, Problem> {
    let value = node.store().local("import", id).await.map_err(NodeError::from)?;
    if let Some(record) = value.as_deref().and_then(|v| v.split(' ').next()) {
        return Ok(node.find(record).await?);
    }
    if id.len() == 64 || id.contains('-') {
        return Ok(node.find(id).await?);
    }
    let why = format!(
        "{id:?} was not imported here before; import the line that begins it first, or map it (docs/import.md)"
    );
    Err(Problem::new(StatusCode::NOT_FOUND, "unknown_sender_key", why))
}
