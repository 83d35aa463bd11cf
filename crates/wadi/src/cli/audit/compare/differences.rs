//! In what two nodes differ: counted, and the first of it shown with its values.

use super::holder::{ComparedNode, ComparedRecord, RecordDetail};
use crate::print;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a value in the table; `--json` shows it whole.
pub(super) const CELL_CHARS: usize = 60;

/// What was found, counted; the first of it with its values.
#[derive(Default)]
pub(super) struct Differences {
    pub(super) limit: usize,
    pub(super) shown: Vec<Value>,
    pub(super) records_a: u64,
    pub(super) records_b: u64,
    pub(super) only_a: u64,
    pub(super) only_b: u64,
    pub(super) entries_differ: u64,
    pub(super) fields_differ: u64,
    pub(super) states_differ: u64,
    pub(super) logs: u64,
    pub(super) logs_differ: u64,
    pub(super) forked: u64,
}

impl Differences {
    pub(super) fn is_full(&self) -> bool {
        self.shown.len() >= self.limit
    }

    pub(super) fn add_lines(&mut self, lines: impl IntoIterator<Item = Value>) {
        let room = self.limit.saturating_sub(self.shown.len());
        self.shown.extend(lines.into_iter().take(room));
    }

    pub(super) fn is_equal(&self) -> bool {
        let of_records = self.only_a
            + self.only_b
            + self.entries_differ
            + self.fields_differ
            + self.states_differ;
        of_records + self.logs_differ + self.forked == 0
    }

    pub(super) fn counts(&self, a: &str, b: &str) -> Value {
        json!({
            "equal": self.is_equal(),
            "a": a,
            "b": b,
            "records_a": self.records_a,
            "records_b": self.records_b,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "entries_differ": self.entries_differ,
            "fields_differ": self.fields_differ,
            "states_differ": self.states_differ,
            "logs": self.logs,
            "logs_differ": self.logs_differ,
            "forked": self.forked,
            "shown": self.shown.len(),
        })
    }

    pub(super) fn text(&self, a: &ComparedNode, b: &ComparedNode) -> String {
        let mut out = format!(
            "A is {} ({}): {} records. B is {} ({}): {} records. Compared is what both may take.\n",
            a.name, a.named, self.records_a, b.name, b.named, self.records_b
        );

        if self.is_equal() {
            return out
                + &format!(
                    "Equal: every entry, field and state, and {} logs by size and root.",
                    self.logs
                );
        }

        let mut table = print::table(["record", "differs", "", "A", "B"]);
        for line in &self.shown {
            let cells = ["record", "differs", "key", "a", "b"].map(|member| cell(&line[member]));
            table.add_row(print::row(cells));
        }

        if !self.shown.is_empty() {
            out += &format!("{table}\n");
        }

        out += &format!(
            "only in A: {}   only in B: {}   other entries: {}   other fields or events: {}   \
             other state: {}\n\
             logs that differ: {} of {}   forked: {}",
            self.only_a,
            self.only_b,
            self.entries_differ,
            self.fields_differ,
            self.states_differ,
            self.logs_differ,
            self.logs,
            self.forked
        );

        if self.is_full() {
            out += &format!(
                "\nThe first {} differences are shown; --limit shows more.",
                self.shown.len()
            );
        }

        out
    }
}

pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };

    match text.chars().nth(CELL_CHARS) {
        Some(_) => format!("{}…", text.chars().take(CELL_CHARS).collect::<String>()),
        None => text,
    }
}

pub(super) fn line(record: &str, differs: &str, key: &str, a: Value, b: Value) -> Value {
    json!({"record": record, "differs": differs, "key": key, "a": a, "b": b})
}

pub(super) fn held(is: bool) -> Value {
    if is { "held".into() } else { "lacks it".into() }
}

/// In what two nodes differ over a record.
pub(super) fn differences(
    (one, in_a): (&ComparedRecord, &RecordDetail),
    (other, in_b): (&ComparedRecord, &RecordDetail),
) -> Vec<Value> {
    let record = &one.printed;
    let mut out = Vec::new();
    for entry in in_a.entries.symmetric_difference(&in_b.entries) {
        let here = in_a.entries.contains(entry);
        out.push(line(record, "entry", entry, held(here), held(!here)));
    }

    let (a, b) = (flat(&in_a.record), flat(&in_b.record));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut any = false;
    for name in names {
        let (x, y) = (
            a.get(name).cloned().unwrap_or_default(),
            b.get(name).cloned().unwrap_or_default(),
        );

        if x != y {
            any = true;
            out.push(line(
                record,
                if name.starts_with("ev.") {
                    "event"
                } else {
                    "field"
                },
                name,
                x,
                y,
            ));
        }
    }

    if one.document != other.document && !any {
        // What is overwritten by now, or cleared.
        let (x, y) = (one.document.as_str().into(), other.document.as_str().into());
        out.push(line(record, "document", "", x, y));
    }

    if one.state != other.state {
        out.push(line(
            record,
            "state",
            "",
            one.state.as_str().into(),
            other.state.as_str().into(),
        ));
    }

    if out.is_empty() {
        out.push(line(
            record,
            "meanwhile",
            "it changed while it was compared",
            Value::Null,
            Value::Null,
        ));
    }

    out
}

/// A record's fields by name, contested ones as the list of their values, and its events by id.
pub(super) fn flat(record: &Value) -> BTreeMap<String, Value> {
    let mut out: BTreeMap<String, Value> = record["fields"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();

    for (name, claims) in record["contested"].as_object().into_iter().flatten() {
        let values: Value = claims
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| c["value"].clone())
            .collect();

        out.insert(name.clone(), json!({"contested": values}));
    }

    for event in record["events"].as_array().into_iter().flatten() {
        let mut event = event.clone();
        let id = event
            .as_object_mut()
            .and_then(|e| e.remove("id"))
            .unwrap_or_default();
        out.insert(format!("ev.{}", id.as_str().unwrap_or_default()), event);
    }

    out
}
