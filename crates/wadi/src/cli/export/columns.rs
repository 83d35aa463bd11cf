//! The columns of the flat formats, and what of a record stands in them.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wadi_record::FIELDS;

/// A column of the flat formats.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) number: bool,
}

/// Columns of the flat formats: what every record has, every field that is there once, and JSON for
/// the rest.
pub(super) fn columns() -> Vec<Column> {
    let text = |name: &str| Column {
        name: name.into(),
        number: false,
    };
    let mut out: Vec<Column> = [
        "id", "record", "kind", "crossing", "state", "flags", "safety",
    ]
    .into_iter()
    .map(text)
    .collect();

    out.push(Column {
        name: "changed".into(),
        number: true,
    });

    let mut fields = BTreeMap::new();
    for row in FIELDS.iter().filter(|row| !repeats(row.name)) {
        fields.entry(row.name).or_insert(row.value.is_number());
    }

    out.extend(fields.into_iter().map(|(name, number)| Column {
        name: name.into(),
        number,
    }));
    out.extend(["more_fields", "contested", "events"].into_iter().map(text));

    out
}

pub(super) fn repeats(field: &str) -> bool {
    field.split('.').any(|part| part == "N")
}

/// What stands in a column of a record; `None` for nothing.
pub(super) fn cell(record: &Value, column: &Column) -> Option<Value> {
    let words = |v: &Value| {
        let all: Vec<&str> = v
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();

        Value::from(all.join(" "))
    };

    let value = match column.name.as_str() {
        name @ ("id" | "record" | "kind" | "crossing" | "state" | "safety" | "changed") => {
            record[name].clone()
        }
        "flags" => words(&record["flags"]),
        "contested" | "events" => Value::from(record[&column.name].to_string()),
        "more_fields" => {
            let known = columns();
            let is_column = |name: &str| known.iter().any(|c| c.name == name);
            let fields = record["fields"].as_object().cloned().unwrap_or_default();
            let more: Map<String, Value> = fields
                .into_iter()
                .filter(|(name, _)| !is_column(name))
                .collect();

            Value::from(Value::Object(more).to_string())
        }
        field => record["fields"][field].clone(),
    };

    match &value {
        Value::Null => None,
        // A value that does not fit its column is not bent: it stands in the record's own JSON, in
        // NDJSON.
        Value::Number(_) if !column.number => Some(Value::from(value.to_string())),
        Value::String(_) if column.number => None,
        _ => Some(value),
    }
}
