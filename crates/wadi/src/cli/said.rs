//! What an entry says, in words: each event with its members, each value with its unit.

use crate::print::{shown, time_text};
use serde_json::{Map, Value};
use wadi_record::{FieldType, Kind, Unit, ValueType, event_type, known_field};

/// An event's type and members, as `weighed gross_kg 31000 kg, scale S1`.
pub(crate) fn event_words(event: &Map<String, Value>) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or("?");
    let known = event_type(name);
    let members = event.iter().filter(|(member, _)| *member != "type");
    let words = members.map(|(member, value)| {
        let row = known.and_then(|t| t.members.iter().find(|m| m.name == member));
        let unit = row.map_or(Shown::Plain, |m| match m.value {
            ValueType::Int(unit) | ValueType::Number(unit) | ValueType::Ints(unit) => {
                Shown::Unit(unit)
            }
            ValueType::Time => Shown::Time,
            _ => Shown::Plain,
        });

        format!("{} {}", shown(member), value_text(value, unit))
    });

    let words: Vec<String> = words.collect();
    let name = shown(name);
    match words.is_empty() {
        true => name.into_owned(),
        false => format!("{name} {}", words.join(", ")),
    }
}

/// A field and its value, as `vehicle.plate = "11A00042"`.
pub(crate) fn put_words(field: &str, value: &Value) -> String {
    format!("{} = {}", shown(field), field_value_text(field, value))
}

/// A field's value with its unit.
pub(crate) fn field_value_text(field: &str, value: &Value) -> String {
    let row = Kind::ALL.iter().find_map(|kind| known_field(*kind, field));
    let unit = row.map_or(Shown::Plain, |row| match row.value {
        FieldType::Int(unit) => Shown::Unit(unit),
        FieldType::Time => Shown::Time,
        _ => Shown::Plain,
    });

    value_text(value, unit)
}

/// How long after it happened something was entered; nothing where that was at once.
pub(crate) fn entered_later(happened_ms: Option<i64>, entered_ms: i64) -> Option<String> {
    let minutes = entered_ms.saturating_sub(happened_ms?) / 60_000;
    match minutes {
        1..120 => Some(format!("entered {minutes} min later")),
        120..2_880 => Some(format!("entered {} h later", minutes / 60)),
        2_880.. => Some(format!("entered {} days later", minutes / 1_440)),
        _ => None,
    }
}

/// How a value is shown.
#[derive(Clone, Copy)]
enum Shown {
    Plain,
    Unit(Unit),
    Time,
}

fn value_text(value: &Value, as_what: Shown) -> String {
    match (value, as_what) {
        (Value::Null, _) => "nothing".into(),
        (Value::Number(n), Shown::Time) => n.as_i64().map_or_else(|| n.to_string(), time_text),
        (Value::Number(n), Shown::Unit(unit)) => match unit {
            Unit::Ordinal | Unit::Reading => n.to_string(),
            unit => format!("{n} {}", unit.name()),
        },
        (Value::Array(all), _) => {
            let all: Vec<String> = all.iter().map(|v| value_text(v, as_what)).collect();
            all.join(" + ")
        }
        (Value::String(text), _) => format!("\"{}\"", shown(text)),
        (other, _) => shown(&other.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn words(event: Value) -> String {
        event_words(event.as_object().unwrap())
    }

    #[test]
    fn members_stand_with_their_units() {
        let weighed = json!({"type": "weighed", "gross_kg": 31_000, "scale": "S1"});
        assert_eq!(words(weighed), "weighed gross_kg 31000 kg, scale \"S1\"");
        let read = json!({"type": "gate.read", "axle_kg": [7_000, 8_000]});
        assert_eq!(words(read), "gate.read axle_kg 7000 kg + 8000 kg");
        assert_eq!(words(json!({"type": "seized"})), "seized");
        assert_eq!(
            words(json!({"type": "of.tomorrow", "x": 1})),
            "of.tomorrow x 1"
        );
    }

    #[test]
    fn values_stand_with_their_units_and_times_are_times() {
        assert_eq!(
            put_words("goods.3.gross_g", &json!(5)),
            "goods.3.gross_g = 5 g"
        );
        assert_eq!(
            put_words("seal.1", &json!("JO\u{202e}1")),
            "seal.1 = \"JO\\u{202e}1\""
        );
        assert_eq!(put_words("note", &Value::Null), "note = nothing");
        assert!(put_words("due_at_ms", &json!(1_795_000_000_000_i64)).contains("2026-11-18"));
    }

    #[test]
    fn what_was_entered_from_paper_says_how_late() {
        let hour = 3_600_000;
        assert_eq!(entered_later(None, 5), None);
        assert_eq!(entered_later(Some(0), 59_000), None);
        assert_eq!(
            entered_later(Some(0), hour).unwrap(),
            "entered 60 min later"
        );
        assert_eq!(
            entered_later(Some(0), 14 * hour).unwrap(),
            "entered 14 h later"
        );
        assert_eq!(
            entered_later(Some(0), 72 * hour).unwrap(),
            "entered 3 days later"
        );
    }
}
