//! What the rules' own tests share: small records, and what a rule makes of them.

mod hostile;
mod repetition;
pub(crate) mod work;

use crate::*;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::Policy;

/// A record; `more` overrides members of its projection.
pub(crate) fn facts(id: &str, kind: &str, crossing: &str, more: Json) -> Facts {
    let mut json = json!({
        "id": id,
        "kind": kind,
        "crossing": crossing,
        "state": "",
        "flags": [],
        "fields": {},
        "contested": {},
        "events": [],
        "open_holds": [],
        "warnings": [],
        "time_reversals": [],
        "after_assessment": [],
        "changed_after": [],
    });

    json.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    // One entry puts all fields of a record that does not say otherwise.
    if json["put_by"].is_null() {
        let fields = json["fields"].as_object().into_iter().flatten();
        let put: Vec<&String> = fields.map(|(name, _)| name).collect();
        let put_by = json!([{"entry": format!("fields of {id}"), "fields": put}]);
        json["put_by"] = put_by;
    }

    Facts {
        id: id.into(),
        json: json.into(),
    }
}

/// Fields of a record about one truck, where they say nothing else.
fn of_a_truck(mut fields: Json) -> Json {
    let known = fields.as_object_mut().expect("an object");
    known.entry("vehicle.plate").or_insert("11A1".into());
    fields
}

/// Records of Traibeel.
pub(crate) fn passage(id: &str, fields: Json, events: &[Json]) -> Facts {
    facts(
        id,
        "passage",
        "TRB",
        json!({"fields": of_a_truck(fields), "events": events}),
    )
}
pub(crate) fn entry(id: &str, fields: Json, events: &[Json]) -> Facts {
    facts(
        id,
        "customs-entry",
        "TRB",
        json!({"fields": of_a_truck(fields), "events": events}),
    )
}
pub(crate) fn hold(id: &str, fields: Json, events: &[Json]) -> Facts {
    let placed = events.iter().filter(|e| e["type"] == "hold.placed");
    let placements: Vec<Json> = placed.map(|p| placement(p, events)).collect();
    facts(
        id,
        "hold",
        "TRB",
        json!({"fields": fields, "events": events, "placements": placements}),
    )
}

/// A placement as the fold has it, where every author had seen what was said before.
fn placement(placed: &Json, events: &[Json]) -> Json {
    let names = |e: &Json| {
        e["data"]["holds"]
            .as_array()
            .is_some_and(|h| h.contains(&placed["id"]))
    };

    let ends = events.iter().filter(|e| match e["type"].as_str() {
        Some("released" | "conditional") => names(e),
        Some("destroyed" | "re_exported" | "seized") => true,
        _ => false,
    });

    let recalled = |since: i64| {
        let all = events
            .iter()
            .filter(|e| e["type"] == "recalled")
            .filter_map(|e| e["at_ms"].as_i64());
        all.filter(|at_ms| *at_ms >= since).min()
    };

    let ends: Vec<Json> = ends
        .map(|e| {
            json!({
                "id": e["id"],
                "at_ms": e["at_ms"],
                "reopened_ms": recalled(e["at_ms"].as_i64().unwrap_or(0)),
            })
        })
        .collect();
    let open = ends.iter().all(|e| !e["reopened_ms"].is_null());

    json!({
        "id": placed["id"],
        "entry": placed["entry"],
        "placed_ms": placed["at_ms"],
        "open": open,
        "ends": ends,
    })
}
impl Facts {
    pub(crate) fn with(mut self, member: &str, value: Json) -> Self {
        std::sync::Arc::make_mut(&mut self.json)[member] = value;
        self
    }

    pub(crate) fn at(self, crossing: &str) -> Self {
        self.with("crossing", json!(crossing))
    }

    pub(crate) fn state_is(self, state: &str) -> Self {
        let is_state = wadi_record::STATE_NAMES.contains(&state);
        assert!(is_state, "no fold says {state}");
        self.with("state", json!(state))
    }
}

pub(crate) fn dossier(anchor: Facts, linked: Vec<Facts>, received_ms: i64) -> Dossier {
    let watermarks = ["TRB", "QAM", "HUB"]
        .map(|c| (c.to_string(), received_ms))
        .into();
    Dossier {
        anchor,
        linked,
        peers: vec![],
        watermarks,
        policy: Policy::default(),
        revoked: BTreeMap::new(),
        keys_taken_back: BTreeMap::new(),
        knew: BTreeSet::new(),
        claims: vec![],
        clock_doubts: vec![],
        cut: BTreeMap::new(),
        asked: AskedOnce::default(),
    }
}

/// The same event, said by another officer.
pub(crate) fn by(officer: &str, mut said: Json) -> Json {
    said["officer"] = officer.into();
    said
}

/// An event of another officer's than the record's first.
pub(crate) fn said_by(officer: &str, kind: &str, at_ms: i64, data: Json) -> Json {
    by(officer, event(kind, at_ms, data))
}

/// An event that counts, of a record's first officer, in an entry of its own.
pub(crate) fn event(kind: &str, at_ms: i64, data: Json) -> Json {
    json!({
        "type": kind,
        "at_ms": at_ms,
        "counts": true,
        "data": data,
        "id": format!("{kind}@{at_ms}"),
        "officer": "OF-1",
        "entry": format!("entry {kind}@{at_ms}"),
    })
}

/// A sentence that is nothing but a text.
pub(crate) fn said(text: &str) -> wadi_words::Sentence {
    let warning = wadi_words::SentenceValue::Text(text.into());
    wadi_words::Sentence::new("R24-other", [("warning", warning)])
}

/// Phases of what one rule finds.
pub(crate) fn phases(rule: &str, dossier: &Dossier) -> Vec<Phase> {
    reconcile(dossier)
        .iter()
        .filter(|f| f.rule.code == rule)
        .map(|f| f.phase)
        .collect()
}

/// The entries that one rule's findings on an anchor with linked records cite, by record.
pub(crate) fn cited(rule: &str, anchor: Facts, linked: Vec<Facts>) -> Vec<(String, Vec<String>)> {
    let d = dossier(anchor, linked, i64::MAX);
    cited_of(rule, &d, "cites")
}

/// The same of a member of their evidence.
pub(crate) fn cited_of(rule: &str, d: &Dossier, member: &str) -> Vec<(String, Vec<String>)> {
    let text = |value: &Json| value.as_str().unwrap().to_string();
    let mut out = Vec::new();
    for found in reconcile(d).iter().filter(|f| f.rule.code == rule) {
        let json = found.json(&d.anchor);
        for line in json["evidence"][member].as_array().into_iter().flatten() {
            let entries = line["entries"].as_array().unwrap().iter().map(text);
            out.push((text(&line["record"]), entries.collect()));
        }
    }

    out
}

/// What a record is cited by, for comparing.
pub(crate) fn side(record: &str, entries: &[&str]) -> (String, Vec<String>) {
    let mut entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
    entries.sort();
    (record.into(), entries)
}

/// Phases of what one rule finds on an anchor with linked records, once everything is received.
pub(crate) fn firm(rule: &str, anchor: Facts, linked: Vec<Facts>) -> Vec<Phase> {
    phases(rule, &dossier(anchor, linked, i64::MAX))
}

#[test]
fn identity_stays_when_the_evidence_changes() {
    let at = |value: &str| {
        let contested = json!({"contested": {"seal.1": [{"value": value}, {"value": "b"}]}});
        let all = reconcile(&dossier(
            facts("P1", "passage", "TRB", contested),
            vec![],
            0,
        ));

        all.into_iter().find(|f| f.rule.code == "R13").unwrap()
    };

    assert_eq!(at("a").id, at("c").id);
    assert_ne!(at("a").evidence_digest, at("c").evidence_digest);
}

#[test]
fn there_are_thirty_three_rules_in_order() {
    let codes: Vec<String> = RULES.iter().map(|r| r.code.to_string()).collect();
    let wanted: Vec<String> = (1..=33).map(|n| format!("R{n:02}")).collect();
    assert_eq!(codes, wanted);
}

#[test]
fn whoever_asks_is_asked() {
    let terms = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(w, v)| (w.to_string(), v.to_string()))
            .collect::<Vec<_>>()
    };

    for (a, b) in [
        (vec![("plate", "1")], vec![("target", "1")]),
        (vec![("was", "1")], vec![("target", "1")]),
        (vec![("was", "1")], vec![("carried", "1")]),
        (vec![("moved_to", "1")], vec![("plate", "1")]),
        (vec![("goods", "080390+EC")], vec![("target", "080390+EC")]),
        (vec![("acts", "OF-1")], vec![("shift", "OF-1")]),
        (vec![("device_seq", "S1#7")], vec![("device_seq", "S1#9")]),
        (vec![("link", "P1")], vec![("link", "P1")]),
    ] {
        let finds = |asker: &[(String, String)], asked: &[(String, String)]| {
            asks("self", asker, &Policy::default())
                .iter()
                .any(|q| asked.iter().any(|(w, v)| w == q.what && *v == q.value))
        };

        let (a, b) = (terms(&a), terms(&b));
        assert!(finds(&a, &b) && finds(&b, &a), "{a:?} {b:?}");
    }
}

#[test]
fn a_devices_numbers_are_asked_for_as_far_as_the_policy_says_and_no_further_than_a_dossier_holds() {
    let asked = |sequence_back| {
        let terms = [("device_seq".to_string(), "TRB/S1#1000".to_string())];
        asks(
            "self",
            &terms,
            &Policy {
                sequence_back,
                ..Policy::default()
            },
        )
        .iter()
        .filter(|q| q.what == "device_seq")
        .count()
    };

    assert_eq!(asked(10), 21);
    assert_eq!(asked(60), 121);
    assert_eq!(asked(u32::MAX), 401);
}
