//! Imports: many operations in one request; the bad are reported, the good are kept, and many share
//! a commit.

use crate::{
    DraftBody, Problem, Token,
    answers::ImportAnswer,
    body::operation_writes,
    import_edits::{Edit, LATE, OVERTAKEN, OperationKeys, last_edits, late_edits, warn_of},
    language::language_for,
    problem::unprocessable,
    records::idempotency_key,
    strict::{
        check_encoding, content_hash, decode_text, parse_object, read_members, unread_body,
        wide_to_utf8,
    },
    written::{Answered, put_standing, tell_warnings, written_json},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use unicode_normalization::UnicodeNormalization;
use wadi_log::RecordId;
use wadi_node::LocalScope;
use wadi_node::{Node, NodeError, SentContent, Target, Write, Written, check_person};
use wadi_words::Language;

/// Operations of one request at most.
const LINES_MAX: usize = 20_000;
/// Lines of a batch whose records are read at once for the answers.
const STANDINGS: usize = 500;

/// Takes NDJSON: operations of the common workload, or drafts with a `key`. Answers line by line.
#[utoipa::path(
    post,
    path = "/v1/imports",
    request_body(content = Value, content_type = "application/x-ndjson"),
    params((
        "Idempotency-Key" = Option<String>,
        Header,
        description = "the same key twice is one import: its drafts without a `key` have it, with \
                       the number of their line",
    )),
    tag = "records",
    responses(
        (status = 200, description = "what became of each line", body = ImportAnswer),
        (status = 413, body = Problem),
    ),
)]
pub(crate) async fn import(
    State(node): State<Arc<Node>>,
    token: Token,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    check_encoding(&headers)?;
    let key = idempotency_key(&headers)?;
    let body = body.map_err(unread_body)?;
    if body.is_empty() {
        let why = "there is nothing in it: send a line of JSON for each operation";
        return Err(unprocessable("empty_body", why));
    }

    let lines = lines_of(&body)?;
    if lines.len() > LINES_MAX {
        let why = format!("{} lines; the limit is {LINES_MAX} a request", lines.len());
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_many_lines",
            why,
        ));
    }

    let mut run = Run::new(&node, &token, key, lines.len());
    run.language = language_for(&headers, &token);
    for (n, line) in lines.iter().enumerate() {
        run.take_line(n, line).await;
    }

    run.flush().await;
    Ok(Json(run.finish().await))
}

/// The lines of a body. Where it says by its mark that it is UTF-16 it is read as that; else each
/// line is read for itself.
fn lines_of(body: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
    let whole = match body {
        [0xFF, 0xFE, 0, 0, ..] => decode_text(body)?.into_owned().into_bytes(),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => wide_to_utf8(body),
        [0xEF, 0xBB, 0xBF, rest @ ..] => rest.to_vec(),
        _ => body.to_vec(),
    };

    let lines = whole
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
    Ok(lines.collect())
}

/// One import under way.
struct Run<'a> {
    node: &'a Arc<Node>,
    token: &'a Token,
    /// In which reasons and warnings are told.
    language: Language,
    /// The key of the whole request: a draft without one of its own has it, with its line's number.
    key: Option<String>,
    keys: OperationKeys,
    results: Vec<Option<Value>>,
    /// Lines that wait to be written together, with their numbers.
    pending: Vec<(usize, Write)>,
    /// The senders' keys of those: a line that names one waits until it is written.
    begun: BTreeSet<String>,
    /// The records of the lines that were written, and the decisions that each said.
    records: BTreeMap<usize, (RecordId, Vec<String>)>,
    /// The lines that edit records.
    edits: Vec<Edit>,
    warnings: BTreeMap<usize, Vec<String>>,
    /// Lines that were not taken.
    bad: usize,
}

impl<'a> Run<'a> {
    fn new(node: &'a Arc<Node>, token: &'a Token, key: Option<String>, lines: usize) -> Self {
        Self {
            node,
            token,
            language: Language::English,
            key,
            keys: OperationKeys::default(),
            results: vec![None; lines],
            pending: Vec::new(),
            begun: BTreeSet::new(),
            records: BTreeMap::new(),
            edits: Vec::new(),
            warnings: BTreeMap::new(),
            bad: 0,
        }
    }

    async fn take_line(&mut self, n: usize, line: &[u8]) {
        let read = decode_text(line).and_then(|text| match text.trim() {
            "" => Ok(None),
            text => parse_object(text).map(Some),
        });
        let map = match read {
            Ok(Some(map)) => with_composed_names(map),
            Ok(None) => return,
            Err(problem) => return self.fail(n, &problem),
        };

        let sender = sender_key(&map);
        if sender.as_ref().is_some_and(|key| self.begun.contains(key)) {
            self.flush().await;
        }

        // Counted whatever becomes of the line, as by a client that reckons the keys of a whole
        // file before it sends it.
        let key = self.keys.next(&map);
        match self.prepare_line(n, map, key).await {
            Ok(write) => {
                self.begun.extend(sender);
                self.pending.push((n, write));
            }
            Err(problem) => self.fail(n, &problem),
        }
    }

    fn fail(&mut self, n: usize, problem: &Problem) {
        self.bad += 1;
        let told = self.language.problem_detail(&problem.code, &problem.detail);
        let detail = told.unwrap_or_else(|| problem.detail.clone());
        self.results[n] = Some(json!({"line": n + 1, "code": problem.code, "detail": detail}));
    }

    async fn prepare_line(
        &mut self,
        n: usize,
        mut map: Map<String, Value>,
        key: Option<String>,
    ) -> Result<Write, Problem> {
        if map.contains_key("kind") {
            let content = content_hash(&[&Value::Object(map.clone())]);
            let of_request = || Some(format!("{}#{}", self.key.as_ref()?, n + 1));
            let key = take_key(&mut map)?.or_else(of_request);
            if let Some(key) = &key {
                check_own_key(self.node, key).await?;
            }

            let draft: DraftBody = read_members(Value::Object(map))?;
            let mut warnings = draft.zone_warnings(self.node);
            if key.is_none() {
                warnings
                    .push("without a `key` it is written anew whenever it is sent again".into());
            }
            self.warnings.insert(n, warnings);
            let mut write = draft.into_write(self.node, self.token, None, None).await?;
            write.key = key.map(|k| (LocalScope::Import, k));
            write.content = Some(SentContent::of_line(content));
            return Ok(write);
        }

        take_key(&mut map)?;
        let content = content_hash(&[&Value::Object(map.clone())]);
        let (id, is_new, draft, officer) = operation_writes(&map)?;
        check_person(&officer)?;
        let target = if is_new {
            check_own_key(self.node, &id).await?;
            Target::New(None)
        } else {
            Target::On(imported(self.node, &id).await?)
        };

        // A line holds plates, seals and masses: customs is the one that may say all of them.
        let edit = Edit::of(n, &id, &map, &draft);
        let mut write = Write::by(&officer, "CUS", target, draft);
        write.content = Some(SentContent::of_line(content));

        // A device-less backlog: the import itself is the source of what it says.
        write.key = match key {
            Some(key) if !is_new => {
                self.edits.push(edit);
                Some((LocalScope::ImportOp, key))
            }
            _ => Some((LocalScope::Import, id)),
        };

        Ok(write)
    }

    async fn flush(&mut self) {
        self.begun.clear();
        let (lines, writes): (Vec<usize>, Vec<Write>) =
            std::mem::take(&mut self.pending).into_iter().unzip();
        for (n, result) in lines.into_iter().zip(self.node.write_all(writes).await) {
            match result {
                Ok(written) => self.written(n, &written),
                Err(error) => self.fail(n, &error.into()),
            }
        }
    }

    fn written(&mut self, n: usize, written: &Written) {
        let warnings = self.warnings.remove(&n).unwrap_or_default();
        let mut json = written_json(self.node, self.token, written, warnings);
        json["line"] = (n + 1).into();
        self.records
            .insert(n, (written.record, written.decisions.clone()));
        self.results[n] = Some(json);
    }

    /// The lines that were imported before, and whose record says something else by now. Where it
    /// cannot be read nobody is told.
    async fn overtaken_edits(&self) -> Vec<usize> {
        let suspect = |edit: &Edit| {
            let line = self.results.get(edit.line)?.as_ref()?;
            let heads = line["heads"].as_array();
            let is_newest = heads.is_none_or(|heads| heads.contains(&line["entry"]));
            let (record, _) = self.records.get(&edit.line)?;
            (line["repeated"] == true && !is_newest).then_some(*record)
        };
        let suspects: Vec<(RecordId, Edit)> = last_edits(&self.edits)
            .into_iter()
            .filter_map(|edit| Some((suspect(&edit)?, edit)))
            .collect();

        let mut overtaken = Vec::new();
        for part in suspects.chunks(STANDINGS) {
            let ids: BTreeSet<RecordId> = part.iter().map(|(id, _)| *id).collect();
            let ids: Vec<RecordId> = ids.into_iter().collect();
            let rows = match self.node.store().records_by_id(&ids).await {
                Ok(rows) => rows,
                Err(error) => {
                    tracing::warn!(%error, "what was imported before could not be read");
                    continue;
                }
            };

            for row in rows {
                let record: Value = serde_json::from_str(&row.json).unwrap_or_default();
                let of_it = part.iter().filter(|(id, _)| *id == row.id);
                let told = of_it.filter(|(_, edit)| edit.is_overtaken(&record));
                overtaken.extend(told.map(|(_, edit)| edit.line));
            }
        }

        overtaken
    }

    /// What became of all lines, with what their records have come to.
    async fn finish(mut self) -> Value {
        let mut answers: Vec<Answered<'_>> = Vec::new();
        for (n, result) in self.results.iter_mut().enumerate() {
            if let (Some(json), Some((record, decisions))) = (result.as_mut(), self.records.get(&n))
            {
                answers.push(Answered {
                    record: *record,
                    decisions,
                    json,
                });
            }
        }

        for part in answers.chunks_mut(STANDINGS) {
            put_standing(self.node, self.token, part).await;
        }

        for n in late_edits(&self.edits, &self.results) {
            if let Some(line) = self.results.get_mut(n).and_then(Option::as_mut) {
                warn_of(line, LATE);
            }
        }
        for n in self.overtaken_edits().await {
            if let Some(line) = self.results.get_mut(n).and_then(Option::as_mut) {
                warn_of(line, OVERTAKEN);
                line["overtaken"] = true.into();
            }
        }

        let mut results = Vec::new();
        for result in self.results {
            let Some(mut json) = result else { continue };
            tell_warnings(&mut json, self.language);
            if let Some(json) = json.as_object_mut() {
                json.remove("heads");
            }

            results.push(json);
        }

        let bad = self.bad;
        let repeated = results.iter().filter(|r| r["repeated"] == true).count();
        json!({
            "written": results.len() - bad - repeated,
            "repeated": repeated,
            "bad": bad,
            "lines": results,
        })
    }
}

/// The line's own key, where it has one.
fn take_key(map: &mut Map<String, Value>) -> Result<Option<String>, Problem> {
    // A bare record of a base file has none: there it would be a member like others.
    if !map.contains_key("op") && !map.contains_key("kind") {
        return Ok(None);
    }

    match map.remove("key") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) if !key.is_empty() => Ok(Some(key)),
        Some(other) => Err(unprocessable(
            "bad_value",
            format!("key: expected text, found {other}"),
        )),
    }
}

/// A line whose own names for itself and its record are in Unicode's composed form (NFC): programs
/// that pass a file on write the same letters decomposed, and mean the same.
fn with_composed_names(mut map: Map<String, Value>) -> Map<String, Value> {
    for member in ["key", "id"] {
        if let Some(Value::String(name)) = map.get_mut(member) {
            *name = name.nfc().collect();
        }
    }
    map
}

fn sender_key(map: &Map<String, Value>) -> Option<String> {
    map.get("id")
        .or(map.get("key"))
        .and_then(Value::as_str)
        .map(String::from)
}

/// The record that a sender's key stands for: begun by an import here, or found by its printed id.
/// Where it is one record's key and another's id, somebody chose it so: neither is written to.
async fn imported(node: &Node, id: &str) -> Result<RecordId, Problem> {
    // A key with such a character begins nothing, and no database has to be asked for it.
    if id.chars().any(char::is_control) {
        return Err(unprocessable(
            "bad_value",
            format!("id: {id:?} holds a control character"),
        ));
    }

    let by_key = node.reads().imported_record(id).await?;
    match (by_key, of_id(node, id).await?) {
        (Some(key), Some(named)) if key != named => {
            let all = [key, named].map(|record| record.to_string()).into();
            return Err(NodeError::Ambiguous { id: id.into(), all }.into());
        }
        (Some(record), _) | (None, Some(record)) => return Ok(record),
        (None, None) => {}
    }

    if id.len() == 64 || id.contains('-') {
        return Ok(node.reads().find_record(id).await?);
    }

    let why = format!(
        "{id:?} was not imported here before; import the line that begins it first, or map it \
         (docs/import.md)",
    );

    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_sender_key",
        why,
    ))
}

/// The record here whose printed or full id a text is.
async fn of_id(node: &Node, text: &str) -> Result<Option<RecordId>, Problem> {
    match node.reads().find_record(text).await {
        Ok(record) => {
            let row = node
                .store()
                .record(&record)
                .await
                .map_err(NodeError::from)?;
            Ok(row.map(|_| record))
        }
        Err(error @ (NodeError::Ambiguous { .. } | NodeError::Store(_))) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Refuses a sender's key that is the id of another record: what is meant for that one would be
/// written to the one that the key begins.
async fn check_own_key(node: &Node, key: &str) -> Result<(), Problem> {
    let by_key = node.reads().imported_record(key).await?;
    match of_id(node, key).await? {
        Some(other) if by_key.is_none() => {
            let why = format!(
                "id: {key:?} is the id of a record here, {other}: `\"op\":\"set\"` writes on \
                 that one; what begins a record has a key of the sender's own"
            );
            Err(unprocessable("bad_value", why))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_each_for_itself() {
        let lines = lines_of(b"\xEF\xBB\xBF{}\r\n{\xFF}\n{}").unwrap();
        assert_eq!(lines, [b"{}".to_vec(), b"{\xFF}".to_vec(), b"{}".to_vec()]);

        let wide: Vec<u8> = "\u{feff}{}\n[]"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(lines_of(&wide).unwrap(), [b"{}".to_vec(), b"[]".to_vec()]);
    }
}
