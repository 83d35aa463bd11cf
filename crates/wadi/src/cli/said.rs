//! What an entry says, in words: each event with its members, each value with its unit. In another
//! language than English the texts of the catalogue stand beside the codes.

use crate::{
    print::{shown, time_text},
    words::{self, beside_in},
};
use serde_json::{Map, Value};
use wadi_record::{FieldType, Kind, Unit, ValueType, event_type, known_field};
use wadi_words::{Filling, Group, Language};

/// An event's type and members, as `weighed gross_kg 31000 kg, scale S1`.
pub(crate) fn event_words(event: &Map<String, Value>) -> String {
    event_words_in(words::language(), event)
}

/// [`event_words`] in a language.
pub(crate) fn event_words_in(language: Language, event: &Map<String, Value>) -> String {
    let name = event.get("type").and_then(Value::as_str).unwrap_or("?");
    let known = event_type(name);
    // A published finding is told by its sentence, which stands there in a form for programs.
    let is_told = |member: &str| match (language, name) {
        (Language::English, _) => true,
        (_, "finding") => member != "sentence",
        _ => true,
    };
    let members = event
        .iter()
        .filter(|(member, _)| *member != "type" && is_told(member));
    let words = members.map(|(member, value)| {
        let row = known.and_then(|t| t.members.iter().find(|m| m.name == member));
        let unit = row.map_or(Shown::Plain, |m| match m.value {
            ValueType::Int(unit) | ValueType::Number(unit) | ValueType::Ints(unit) => {
                Shown::Unit(unit)
            }
            ValueType::Time => Shown::Time,
            ValueType::TypeOfHold => Shown::Named(Group::HoldType),
            _ => Shown::member(member),
        });

        let value = match (name, member.as_str(), language) {
            ("finding", "text", Language::Arabic) => {
                words::found_text_in(language, &Value::Object(event.clone()))
            }
            _ => value_text(language, value, unit),
        };
        format!("{} {value}", member_name(language, member))
    });

    let words: Vec<String> = words.collect();
    let name = beside_in(language, Group::Event, name);
    match words.is_empty() {
        true => name,
        false => format!("{name} {}", words.join(", ")),
    }
}

/// What a member is called: its code, and in another language its name beside it.
fn member_name(language: Language, member: &str) -> String {
    let id = format!("records-member-{member}");
    let named = match language {
        Language::English => None,
        other => Some(other.sentence(&id, [])).filter(|named| *named != id),
    };
    match named {
        Some(named) => format!("{} ({named})", shown(member)),
        None => shown(member).into_owned(),
    }
}

/// A field and its value, as `vehicle.plate = "11A00042"`.
pub(crate) fn put_words(field: &str, value: &Value) -> String {
    put_words_in(words::language(), field, value)
}

/// [`put_words`] in a language.
pub(crate) fn put_words_in(language: Language, field: &str, value: &Value) -> String {
    let name = beside_in(language, Group::Field, field);
    format!("{name} = {}", field_value_in(language, field, value))
}

/// A field's value with its unit.
pub(crate) fn field_value_text(field: &str, value: &Value) -> String {
    field_value_in(words::language(), field, value)
}

fn field_value_in(language: Language, field: &str, value: &Value) -> String {
    let row = Kind::ALL.iter().find_map(|kind| known_field(*kind, field));
    let unit = row.map_or(Shown::Plain, |row| match row.value {
        FieldType::Int(unit) => Shown::Unit(unit),
        FieldType::Time => Shown::Time,
        _ if field == "type" => Shown::Named(Group::HoldType),
        _ => Shown::Plain,
    });

    value_text(language, value, unit)
}

/// How long after it happened something was entered; nothing where that was at once.
pub(crate) fn entered_later(happened_ms: Option<i64>, entered_ms: i64) -> Option<String> {
    entered_later_in(words::language(), happened_ms, entered_ms)
}

fn entered_later_in(
    language: Language,
    happened_ms: Option<i64>,
    entered_ms: i64,
) -> Option<String> {
    let minutes = entered_ms.saturating_sub(happened_ms?) / 60_000;
    let (name, n, unit) = match minutes {
        1..120 => ("records-later-minutes", minutes, "min"),
        120..2_880 => ("records-later-hours", minutes / 60, "h"),
        2_880.. => ("records-later-days", minutes / 1_440, "days"),
        _ => return None,
    };

    let english = || format!("entered {n} {unit} later");
    Some(words::told(
        language,
        name,
        [("n", Filling::from(n))],
        english,
    ))
}

/// How a value is shown.
#[derive(Clone, Copy)]
enum Shown {
    Plain,
    Unit(Unit),
    Time,
    /// The name of something that the catalogue knows.
    Named(Group),
}

impl Shown {
    /// How a member of an event is shown that is a text.
    fn member(member: &str) -> Self {
        match member {
            "attester_department" | "department" => Self::Named(Group::Department),
            "rule" => Self::Named(Group::Rule),
            "phase" => Self::Named(Group::Phase),
            "resolution" => Self::Named(Group::FindingState),
            "disposition" => Self::Named(Group::Disposition),
            _ => Self::Plain,
        }
    }
}

fn unit_text(language: Language, unit: Unit) -> String {
    let name = match unit {
        Unit::Kilograms => "kg",
        Unit::Grams => "g",
        Unit::Bytes => "bytes",
        Unit::Litres => "l",
        Unit::Minutes => "min",
        Unit::Celsius => "celsius",
        Unit::MicrosievertsPerHour => "usvh",
        Unit::MinorUnits => "minor",
        Unit::Ordinal | Unit::Reading | Unit::OfRecord | Unit::Pieces => {
            return unit.name().to_string();
        }
    };

    let id = format!("records-unit-{name}");
    words::told(language, &id, [], || unit.name().to_string())
}

fn value_text(language: Language, value: &Value, as_what: Shown) -> String {
    match (value, as_what) {
        (Value::Null, _) => words::told(language, "records-nothing", [], || "nothing".into()),
        (Value::Bool(flag), _) => {
            let name = if *flag { "records-yes" } else { "records-no" };
            words::told(language, name, [], || flag.to_string())
        }
        (Value::Number(n), Shown::Time) => n.as_i64().map_or_else(|| n.to_string(), time_text),
        (Value::Number(n), Shown::Unit(unit)) => match unit {
            Unit::Ordinal | Unit::Reading => n.to_string(),
            unit => format!("{n} {}", unit_text(language, unit)),
        },
        (Value::Array(all), _) => {
            let all = all.iter().map(|v| value_text(language, v, as_what));
            all.collect::<Vec<_>>().join(" + ")
        }
        (Value::String(text), Shown::Named(group))
            if language != Language::English && language.has(group, text) =>
        {
            beside_in(language, group, text)
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
        event_words_in(Language::English, event.as_object().unwrap())
    }

    fn put_words(field: &str, value: &Value) -> String {
        put_words_in(Language::English, field, value)
    }

    fn entered_later(happened_ms: Option<i64>, entered_ms: i64) -> Option<String> {
        entered_later_in(Language::English, happened_ms, entered_ms)
    }

    #[test]
    fn an_arabic_speaker_reads_what_each_code_is_called_beside_it() {
        let weighed = json!({"type": "weighed", "gross_kg": 31_000});
        let told = event_words_in(Language::Arabic, weighed.as_object().unwrap());
        assert!(told.starts_with("weighed ("), "{told}");
        assert!(
            told.contains("gross_kg (") && told.contains("31000 "),
            "{told}"
        );
        assert!(!told.contains("31000 kg"), "{told}");

        let finding = json!({
            "type": "finding", "rule": "R02", "text": "as it was written", "sentence": "{}",
        });
        let told = event_words_in(Language::Arabic, finding.as_object().unwrap());
        assert!(!told.contains("sentence"), "{told}");
        assert!(told.contains("as it was written"), "{told}");
        let put = put_words_in(Language::Arabic, "container.1", &Value::Null);
        assert!(put.starts_with("container.1 ("), "{put}");
        let later = entered_later_in(Language::Arabic, Some(0), 14 * 3_600_000).unwrap();
        assert!(!later.contains("entered"), "{later}");
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
