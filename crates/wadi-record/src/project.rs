//! A record as JSON, and the terms by which records are looked up and linked.

use crate::{
    Kind,
    book::{Book, Claim, EventView, Field, Row},
    check_digits,
    fields::normalise_plate,
    state::state,
};
use serde_json::{Map, Value as Json, json};
use wadi_log::Value;

/// What records are looked up and linked by: (what, value), ascending.
pub type Terms = Vec<(String, String)>;

/// A value as JSON.
pub(crate) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(t) => Json::from(t.as_str()),
        Value::Int(i) => Json::from(*i),
        Value::Flag(b) => Json::from(*b),
    }
}

impl Claim {
    /// The claim as JSON.
    pub fn json(&self) -> Json {
        json!({
            "value": value_json(&self.value),
            "officer": self.officer,
            "department": self.department,
            "at_ms": self.at_ms,
            "entry": self.entry.to_string(),
        })
    }
}

impl EventView {
    /// The event as JSON: its members, who said it and when, and why it does not count where it does not.
    pub fn json(&self) -> Json {
        let mut data = self.members.clone();
        let kind = data.remove("type").unwrap_or(Json::Null);
        let mut out = Map::new();
        out.insert("id".into(), self.id.as_str().into());
        out.insert("type".into(), kind);
        out.insert("known".into(), crate::event_type(self.kind()).is_some().into());
        if self.members.is_empty() {
            out.insert("text".into(), self.text.as_str().into());
        }
        out.insert("data".into(), Json::Object(data));
        out.insert("officer".into(), self.officer.as_str().into());
        out.insert("department".into(), self.department.map(|d| d.code()).into());
        if !self.device.is_empty() {
            out.insert("device".into(), self.device.as_str().into());
        }
        out.insert("at_ms".into(), self.at_ms.into());
        out.insert("entered_ms".into(), self.entered_ms.into());
        out.insert("entry".into(), self.reference.to_string().into());
        out.insert("counts".into(), self.counts().into());
        if let Some(refusal) = &self.refusal {
            out.insert("refused".into(), json!({"code": refusal.code, "why": refusal.why}));
        }
        if self.quarantined {
            out.insert("quarantined".into(), true.into());
        }
        Json::Object(out)
    }
}

impl Book {
    /// The record as JSON: fields settled and contested, events by the time they happened, state, heads, what waits and
    /// what was refused.
    pub fn json(&self) -> Json {
        let state = state(self);
        let (mut fields, mut contested, mut warnings) = (Map::new(), Map::new(), Vec::new());
        for name in self.field_names() {
            match self.field(&name) {
                Some(Field::Settled(Value::Null)) | None => {}
                Some(Field::Settled(value)) => {
                    warnings.extend(check_digits::warnings(&name, &value));
                    fields.insert(name, value_json(&value));
                }
                Some(Field::Contested(claims)) => {
                    contested.insert(name, claims.iter().map(Claim::json).collect());
                }
            }
        }
        let mut events: Vec<&EventView> = self.events().collect();
        events.sort_by_key(|e| (e.at_ms, e.entered_ms, e.reference, e.id.clone()));
        let (mut refused, mut waiting) = (Vec::new(), Vec::new());
        for (said, row) in self.rows() {
            let entry = said.reference.to_string();
            match row {
                Row::Counts => {}
                Row::Refused(r) => refused.push(json!({"entry": entry, "code": r.code, "why": r.why})),
                Row::Waits(_) => {
                    let missing = self.missing(&said.reference);
                    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                    waiting.push(json!({"entry": entry, "for": missing}));
                }
            }
        }
        json!({
            "id": self.printed(),
            "record": self.id().to_string(),
            "kind": self.kind().map(Kind::name),
            "crossing": self.crossing().to_string(),
            "state": state.name,
            "flags": state.flags,
            "open_holds": state.open_holds,
            "fields": fields,
            "contested": contested,
            "events": events.iter().map(|e| e.json()).collect::<Vec<_>>(),
            "heads": self.heads().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "warnings": warnings,
            "refused": refused,
            "waiting": waiting,
        })
    }
}

/// The terms of a record, contested values included: what may be meant is found.
pub fn terms(book: &Book) -> Terms {
    let mut out = Vec::new();
    let mut put = |what: &str, value: String| {
        if !value.is_empty() {
            out.push((what.to_string(), value));
        }
    };
    for name in book.field_names() {
        let what = match name.as_str() {
            "vehicle.plate" | "vehicle.plate_raw" | "trailer.plate" => "plate",
            "vehicle.vin" => "vin",
            "transit.ref" => "transit",
            "declarant_ref" => "declarant_ref",
            "target.term" => "target",
            n if n.starts_with("container.") => "container",
            n if n.starts_with("person.") && n.ends_with(".document_hash") => "document",
            _ => continue,
        };
        for text in book.texts(&name) {
            let value = if matches!(what, "plate" | "container" | "vin") { normalise_plate(&text) } else { text };
            put(what, value);
        }
    }
    for event in book.events().filter(|e| e.restricts()) {
        if event.kind() == "link" {
            put("link", event.text("record").unwrap_or_default().to_string());
        }
        if matches!(event.kind(), "handed_over" | "diverted") {
            put(event.kind(), event.text("to").unwrap_or_default().to_string());
        }
    }
    out.sort();
    out.dedup();
    out
}
