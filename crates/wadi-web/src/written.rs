//! What a write is answered with: what it changed, what the record has come to, who detains it, and
//! what looks wrong.

use crate::Token;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_log::RecordId;
use wadi_node::{Changed, ChangedField, Node, Written};
use wadi_record::Value as FieldValue;
use wadi_words::Language;

/// Decisions of one write, and holds on its record, that whoever decides is warned of: all holds
/// stand in `detained_by`.
const WARNED_MAX: usize = 3;

/// An answer to which is to be added what the record has come to.
pub(crate) struct Answered<'a> {
    /// The record that was written.
    pub(crate) record: RecordId,
    /// The decisions that were said.
    pub(crate) decisions: &'a [String],
    /// The answer.
    pub(crate) json: &'a mut Value,
}

/// The answer to a write, as far as this token reads what was changed.
pub(crate) fn written_json(
    node: &Arc<Node>,
    token: &Token,
    w: &Written,
    more: Vec<String>,
) -> Value {
    let warnings: Vec<&String> = w.warnings.iter().chain(&more).collect();
    let mut answer = json!({
        "id": w.printed,
        "record": w.record.to_string(),
        "entry": w.entry.to_string(),
        "repeated": w.repeated,
        "warnings": warnings,
    });

    if let Some(changed) = &w.changed {
        answer["changed"] = changed_json(changed);
        token.show_written(node, w, &mut answer);
    }

    answer
}

/// A value of a field as JSON.
pub(crate) fn value_json(value: &FieldValue) -> Value {
    match value {
        FieldValue::Null => Value::Null,
        FieldValue::Text(text) => text.as_str().into(),
        FieldValue::Int(number) => (*number).into(),
        FieldValue::Flag(flag) => (*flag).into(),
    }
}

fn changed_json(changed: &Changed) -> Value {
    let field = |change: &ChangedField| {
        let values = |all: &[FieldValue]| all.iter().map(value_json).collect::<Vec<_>>();
        json!({
            "field": change.field,
            "before": values(&change.before),
            "after": values(&change.after),
        })
    };
    let mut json = json!({
        "flags_came": changed.flags_came,
        "flags_went": changed.flags_went,
        "holds_opened": changed.holds_opened,
        "holds_ended": changed.holds_ended,
        "fields": changed.fields.iter().map(field).collect::<Vec<_>>(),
        "more": changed.more,
    });

    if changed.state_before != Some(changed.state) {
        json["state"] = json!({"before": changed.state_before, "after": changed.state});
    }
    json
}

/// Tells what looks wrong about a write in a language, as far as the catalogue has it.
pub(crate) fn tell_warnings(answer: &mut Value, language: Language) {
    let warnings = answer.get_mut("warnings").and_then(Value::as_array_mut);
    for warning in warnings.into_iter().flatten() {
        let told = warning.as_str().and_then(|text| language.warning(text));
        if let Some(told) = told {
            *warning = told.into();
        }
    }
}

/// Says in the answers what the records came to: state, flags and heads, as far as this token reads
/// the records, and who detains them, as far as it reads the holds; and warns whoever decided on
/// what is detained. Everything is written by now: where it cannot be read the answer stands
/// without.
pub(crate) async fn put_standing(node: &Arc<Node>, token: &Token, answers: &mut [Answered<'_>]) {
    let ids: BTreeSet<RecordId> = answers.iter().map(|answer| answer.record).collect();
    let ids: Vec<RecordId> = ids.into_iter().collect();
    let mut standings = match node.reads().standings(&ids).await {
        Ok(standings) => standings,
        Err(error) => {
            tracing::warn!(%error, "what was written could not be read back for its answer");
            return;
        }
    };

    // A device, and whose right to read has ended, hears what its word came to.
    let reading = token.reading(node).ok();
    let mut withheld = BTreeMap::new();
    for (record, standing) in &mut standings {
        if let Some(right) = &reading {
            withheld.insert(*record, right.show_standing(standing));
        }
    }

    for answer in answers {
        let Some(standing) = standings.get(&answer.record) else {
            continue;
        };
        for member in withheld.get(&answer.record).into_iter().flatten() {
            name_withheld(answer.json, member);
        }
        for member in ["state", "flags", "detained_by", "heads"] {
            if !standing[member].is_null() {
                answer.json[member] = standing[member].clone();
            }
        }

        let detained = detained_warnings(answer.decisions, &standing["detained_by"]);
        if let Some(warnings) = answer.json["warnings"].as_array_mut() {
            let mut all: Vec<Value> = detained.into_iter().map(Value::from).collect();
            all.append(warnings);
            *warnings = all;
        }
    }
}

/// Names a member of an answer of which something was taken out.
pub(crate) fn name_withheld(answer: &mut Value, member: &str) {
    match answer.get_mut("withheld").and_then(Value::as_array_mut) {
        Some(names) => names.push(member.into()),
        None => answer["withheld"] = json!([member]),
    }
}

/// What whoever decides on a record is told of the holds that detain it.
fn detained_warnings(decisions: &[String], detained_by: &Value) -> Vec<String> {
    let holds = detained_by.as_array().map_or(&[][..], Vec::as_slice);
    let decisions: BTreeSet<&String> = decisions.iter().collect();
    let mut out = Vec::new();
    for event in decisions.into_iter().take(WARNED_MAX) {
        let holds = holds.iter().take(WARNED_MAX);
        out.extend(holds.map(|one| {
            let hold = one["hold"].as_str().unwrap_or_default();
            let of = one["type"].as_str().unwrap_or("unknown");
            match one["department"].as_str() {
                None if hold.is_empty() => format!(
                    "{event}: DETAINED by a hold that this token does not read: it must not leave \
                     before that is released"
                ),
                Some(department) => format!(
                    "{event}: DETAINED by {hold}, a {of} hold of {department}: it must not leave \
                     before that is released"
                ),
                None => format!(
                    "{event}: DETAINED by {hold}, a hold that no department placed: it must not \
                     leave before that is released"
                ),
            }
        }));
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::Crossing;

    #[test]
    fn who_decides_on_what_is_detained_is_told_by_which_holds() {
        let by = json!([
            {"hold": "TRB-H-1", "type": "SECURITY", "department": "SEC"},
            {"hold": "TRB-H-2", "type": "RADIATION", "department": null},
            {"hold": "", "type": null, "department": null},
        ]);
        let out = ["gate.out".to_string(), "gate.out".to_string()];
        let told = detained_warnings(&out, &by);
        let released = "it must not leave before that is released";
        assert_eq!(
            told,
            [
                format!("gate.out: DETAINED by TRB-H-1, a SECURITY hold of SEC: {released}"),
                format!(
                    "gate.out: DETAINED by TRB-H-2, a hold that no department placed: {released}"
                ),
                format!("gate.out: DETAINED by a hold that this token does not read: {released}"),
            ]
        );

        for text in &told {
            let arabic = Language::Arabic.warning(text).expect("in the catalogue");
            assert!(!arabic.contains("must not leave"), "{arabic}");
        }

        assert_eq!(detained_warnings(&[], &by), [""; 0], "nothing was decided");
        assert_eq!(detained_warnings(&out, &Value::Null), [""; 0], "it is free");
        let many: Vec<Value> = vec![by[0].clone(); 50];
        assert_eq!(detained_warnings(&out, &many.into()).len(), WARNED_MAX);
    }

    #[test]
    fn a_change_is_told_with_what_stood_before() {
        let mut changed = Changed {
            kind: None,
            crossing: Crossing::HUB,
            hold_type: None,
            told_types: BTreeSet::new(),
            state_before: Some("ANNOUNCED"),
            state: "ADMITTED",
            flags_came: vec!["CONTESTED"],
            flags_went: vec![],
            holds_opened: vec![],
            holds_ended: vec!["H#0".into()],
            fields: vec![ChangedField {
                field: "note".into(),
                before: vec![],
                after: vec![FieldValue::Int(1), FieldValue::Text("n".into())],
            }],
            more: 2,
        };
        let told = json!({
            "state": {"before": "ANNOUNCED", "after": "ADMITTED"},
            "flags_came": ["CONTESTED"],
            "flags_went": [],
            "holds_opened": [],
            "holds_ended": ["H#0"],
            "fields": [{"field": "note", "before": [], "after": [1, "n"]}],
            "more": 2,
        });
        assert_eq!(changed_json(&changed), told);

        changed.state_before = Some("ADMITTED");
        assert!(changed_json(&changed)["state"].is_null(), "it stayed");
    }
}
