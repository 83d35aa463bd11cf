//! What an entry says, in words: events with their members, values with their units.

use crate::{found_sentence::FoundSentence, moment::Moment};
use serde_json::{Map, Value};
use wadi_record::{FieldType, Kind, Unit, ValueType, event_type, known_field};
use wadi_words::{Filling, Language};

/// Letters of one value that a page shows; the rest is in the evidence.
const VALUE_CHARS_MAX: usize = 400;
/// Members of an event, and lists in a value, that a page shows.
const MEMBERS_MAX: usize = 40;
/// From this number on thousands are parted.
const PARTED_FROM: i64 = 10_000;

/// A name and a value beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NamedValue {
    /// What it is called.
    pub name: String,
    /// The value, with its unit.
    pub value: ShownValue,
}

/// A value as a page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ShownValue {
    /// The text.
    pub text: String,
    /// The unit after it, or nothing.
    pub unit: String,
    /// The page of the record that it names.
    pub record: Option<String>,
    /// Whether it is a code or a hash, which is written from left to right.
    pub is_code: bool,
    /// The moment, where it is one.
    pub moment: Option<Moment>,
}

/// An event in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EventWords {
    /// What happened.
    pub title: String,
    /// Its members.
    pub members: Vec<NamedValue>,
}

/// How a value is shown.
#[derive(Clone, Copy)]
enum As {
    Plain,
    Unit(Unit),
    Time,
    HoldType,
    Record,
}

impl ShownValue {
    fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            unit: String::new(),
            record: None,
            is_code: false,
            moment: None,
        }
    }
}

/// A number with its thousands parted.
fn parted(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    if n.abs() < PARTED_FROM {
        return n.to_string();
    }

    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if n < 0 {
        out.insert(0, '-');
    }
    out
}

/// The text of a length that a page can show.
fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.into(),
    }
}

fn unit_word(language: Language, unit: Unit) -> String {
    let name = match unit {
        Unit::Ordinal | Unit::Reading | Unit::OfRecord | Unit::Pieces => return String::new(),
        Unit::Kilograms => "kg",
        Unit::Grams => "g",
        Unit::Bytes => "bytes",
        Unit::Litres => "l",
        Unit::Minutes => "min",
        Unit::Celsius => "celsius",
        Unit::MicrosievertsPerHour => "usvh",
        Unit::MinorUnits => "minor",
    };
    language.sentence(&format!("records-unit-{name}"), [])
}

/// Whether a text is a hash, or another long code.
fn is_code(text: &str) -> bool {
    text.len() >= 20
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:@/".contains(&b))
}

fn value(language: Language, value: &Value, shown: As) -> ShownValue {
    match (value, shown) {
        (Value::Null, _) => ShownValue::text(language.sentence("records-nothing", [])),
        (Value::Bool(flag), _) => {
            let name = if *flag { "records-yes" } else { "records-no" };
            ShownValue::text(language.sentence(name, []))
        }
        (Value::Number(n), As::Time) => match n.as_i64() {
            Some(ms) => ShownValue {
                moment: Some(Moment::of_ms(ms)),
                ..ShownValue::text("")
            },
            None => ShownValue::text(n.to_string()),
        },
        (Value::Number(n), shown) => {
            let number = n.as_i64().map_or_else(|| n.to_string(), parted);
            let unit = match shown {
                As::Unit(unit) => unit_word(language, unit),
                _ => String::new(),
            };
            ShownValue {
                unit,
                ..ShownValue::text(number)
            }
        }
        (Value::String(text), As::HoldType) => ShownValue::text(language.hold_type(text)),
        // A hold that is not read has no name.
        (Value::String(text), As::Record) if !text.is_empty() => ShownValue {
            record: Some(super::record_path(text, "")),
            is_code: true,
            ..ShownValue::text(short(text))
        },
        (Value::String(text), _) => ShownValue {
            is_code: is_code(text),
            ..ShownValue::text(short(text))
        },
        (Value::Array(all), shown) => {
            let each = all.iter().take(MEMBERS_MAX);
            let each: Vec<ShownValue> = each.map(|v| self::value(language, v, shown)).collect();
            let texts: Vec<&str> = each.iter().map(|v| v.text.as_str()).collect();
            let unit = each.first().map(|v| v.unit.clone()).unwrap_or_default();
            ShownValue {
                unit,
                ..ShownValue::text(texts.join(" + "))
            }
        }
        (Value::Object(_), _) => ShownValue::text(short(&value.to_string())),
    }
}

/// A field's value with its unit.
pub(crate) fn field_value(language: Language, field: &str, of: &Value) -> ShownValue {
    let row = Kind::ALL.iter().find_map(|kind| known_field(*kind, field));
    let shown = match (field, row.map(|row| row.value)) {
        ("type", _) => As::HoldType,
        (_, Some(FieldType::Int(unit))) => As::Unit(unit),
        (_, Some(FieldType::Time)) => As::Time,
        _ => As::Plain,
    };
    let mut told = value(language, of, shown);
    if field == "direction" || field == "purpose" {
        told.text = chosen_word(language, &told.text);
    }
    told
}

/// A word out of a short list that fields and members have, in the language. One that has no word
/// there stands as it came.
fn chosen_word(language: Language, word: &str) -> String {
    let name = format!("records-word-{word}");
    let told = language.sentence(&name, []);
    if told == name { word.into() } else { told }
}

/// A member's name. One that is unknown stands as it is written.
fn member_name(language: Language, member: &str) -> String {
    let id = format!("records-member-{member}");
    let named = language.sentence(&id, []);
    match named == id {
        true => member.replace('_', " "),
        false => named,
    }
}

/// The members of an event in the order of the table, then those that it does not know.
fn in_table_order<'e>(
    name: &str,
    of: &'e Map<String, Value>,
) -> impl Iterator<Item = (&'e String, &'e Value)> {
    let known = event_type(name).map_or(&[][..], |row| row.members);
    let place = |member: &str| known.iter().position(|m| m.name == member);
    let mut all: Vec<(&String, &Value)> = of.iter().filter(|(m, _)| *m != "type").collect();
    all.sort_by_key(|(member, _)| place(member).unwrap_or(known.len()));
    all.into_iter().take(MEMBERS_MAX)
}

/// A member's value: some are names of things that have words of their own.
fn member_value(language: Language, event: &str, member: &str, given: &Value) -> ShownValue {
    let row = event_type(event).and_then(|row| row.members.iter().find(|m| m.name == member));
    let shown = match (event, member, row.map(|m| m.value)) {
        ("link", "record", _) | (_, "passage", _) => As::Record,
        (_, _, Some(ValueType::Int(u) | ValueType::Number(u) | ValueType::Ints(u))) => As::Unit(u),
        (_, _, Some(ValueType::Time)) => As::Time,
        (_, _, Some(ValueType::TypeOfHold)) => As::HoldType,
        _ => As::Plain,
    };

    let text = given.as_str().unwrap_or_default();
    match member {
        "attester_department" | "department" => ShownValue::text(language.department(text)),
        "rule" => ShownValue::text(language.rule_title(text)),
        "phase" => ShownValue::text(language.phase(text)),
        "resolution" => ShownValue::text(language.finding_state(text)),
        "lane" if !text.is_empty() => ShownValue::text(language.state(text)),
        "direction" | "outcome" | "status" => {
            let mut told = value(language, given, shown);
            told.text = chosen_word(language, &told.text);
            told
        }
        _ => value(language, given, shown),
    }
}

/// An event's type and members.
pub(crate) fn event_words(language: Language, name: &str, of: &Map<String, Value>) -> EventWords {
    // What a finding rests on is a digest, and its id a hash: its own page tells of both.
    let is_of_finding = name.starts_with("finding");
    let is_shown =
        |member: &str| !is_of_finding || !matches!(member, "evidence" | "finding" | "sentence");
    let members = in_table_order(name, of).filter(|(member, _)| is_shown(member));

    EventWords {
        title: language.event(name),
        members: members
            .map(|(member, given)| NamedValue {
                name: member_name(language, member),
                value: match (name, member.as_str()) {
                    ("finding", "text") => ShownValue::text(found_text(language, of)),
                    _ => member_value(language, name, member, given),
                },
            })
            .collect(),
    }
}

/// What a published finding says, in the language.
fn found_text(language: Language, event: &Map<String, Value>) -> String {
    let text = |member: &str| {
        event
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let sentence: Option<Value> = serde_json::from_str(text("sentence")).ok();
    let told = FoundSentence::of(language, sentence.as_ref(), text("text"));
    short(&told.text())
}

/// An event as a history has it: an object, or a text that does not read.
pub(crate) fn raw_event_words(language: Language, event: &Value) -> EventWords {
    match event {
        Value::Object(members) => {
            let name = members.get("type").and_then(Value::as_str).unwrap_or("?");
            event_words(language, name, members)
        }
        other => EventWords {
            title: language.sentence("records-event-unread", []),
            members: vec![NamedValue {
                name: String::new(),
                value: value(language, other, As::Plain),
            }],
        },
    }
}

/// How long after it happened something was entered; nothing where that was at once.
pub(crate) fn entered_later(
    language: Language,
    happened_ms: i64,
    entered_ms: i64,
) -> Option<String> {
    let minutes = entered_ms.saturating_sub(happened_ms) / 60_000;
    let (name, n) = match minutes {
        i64::MIN..1 => return None,
        1..120 => ("records-later-minutes", minutes),
        120..2_880 => ("records-later-hours", minutes / 60),
        2_880.. => ("records-later-days", minutes / 1_440),
    };
    Some(language.sentence(name, [("n", Filling::from(n))]))
}

/// Whether a badge for this flag or state warns, and how loudly.
pub(crate) fn tone_of(word: &str) -> &'static str {
    match word {
        "DETAINED"
        | "FORCED_EXIT"
        | "RELEASED_UNDULY"
        | "PAID_UNDULY"
        | "ASSESSED_UNDULY"
        | "ANOMALY"
        | "SEIZED"
        | "VOIDED_AFTER_EXIT"
        | "CANCELLED_AFTER_RELEASE"
        | "DIVERTED_TWICE"
        | "RECALLED"
        | "REJECTED"
        | "FOREIGN"
        | "UNREADABLE" => "bad",
        "CONTESTED"
        | "REFUSED_ACTS"
        | "CHANGED_AFTER"
        | "CHECK_OPEN"
        | "QUERY"
        | "RED"
        | "YELLOW"
        | "RELEASED_WHILE_OPEN"
        | "RELEASE_REFUSED"
        | "CANCEL_REQUESTED"
        | "PLACED"
        | "LOOKOUT"
        | "POWER_LOST"
        | "LINK_DOWN"
        | "WATER_BREACH" => "warn",
        "CLEARED" | "RELEASED" | "EXITED" | "GREEN" | "PAID" | "ARRIVED_ELSEWHERE" => "good",
        "HANDED_OVER" | "BLUE" | "IN_PROCESS" | "ADMITTED" | "REGISTERED" | "ASSESSED" => "note",
        _ => "plain",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wadi_record::EVENTS;

    #[test]
    fn members_stand_with_their_units_in_both_languages() {
        let weighed = json!({"type": "weighed", "gross_kg": 31_000});
        let words = |language| raw_event_words(language, &weighed);
        let english = words(Language::English);
        let gross = english
            .members
            .iter()
            .find(|m| m.value.text == "31,000")
            .unwrap();
        assert_eq!(gross.value.unit, "kg");
        let read = json!({"type": "gate.read", "axle_kg": [7_000, 8_000]});
        let axles = raw_event_words(Language::English, &read);
        let axles = axles
            .members
            .iter()
            .find(|m| m.value.text == "7000 + 8000")
            .unwrap();
        assert_eq!(axles.value.unit, "kg");
        assert_ne!(words(Language::Arabic).title, english.title);
    }

    /// Whoever adds a member names it on the pages, too.
    #[test]
    fn every_member_has_a_name_in_both_languages() {
        for language in Language::ALL {
            let members = EVENTS.iter().flat_map(|event| event.members);
            let missing: std::collections::BTreeSet<&str> = members
                .map(|member| member.name)
                .filter(|name| {
                    let id = format!("records-member-{name}");
                    language.sentence(&id, []) == id
                })
                .collect();
            assert!(missing.is_empty(), "{}: {missing:?}", language.tag());
        }
    }

    #[test]
    fn what_is_unknown_or_does_not_read_is_shown_as_it_came() {
        let unknown = raw_event_words(Language::English, &json!({"type": "of.tomorrow", "x_y": 1}));
        assert_eq!(unknown.title, "of.tomorrow");
        assert_eq!(unknown.members[0].name, "x y");
        let unread = raw_event_words(Language::Arabic, &json!("no {json"));
        assert_eq!(unread.members[0].value.text, "no {json");
    }

    #[test]
    fn long_values_are_cut_between_letters() {
        let long = "ع".repeat(VALUE_CHARS_MAX + 1);
        assert_eq!(short(&long).chars().count(), VALUE_CHARS_MAX + 1);
        assert_eq!(short("short"), "short");
    }

    #[test]
    fn thousands_are_parted() {
        let texts = [0, 999, 9_999, 10_000, -1_234_567].map(parted);
        assert_eq!(texts, ["0", "999", "9999", "10,000", "-1,234,567"]);
    }

    #[test]
    fn what_came_from_paper_says_how_late() {
        let later = |ms| entered_later(Language::English, 0, ms);
        assert_eq!(later(59_000), None);
        assert_eq!(later(-5), None);
        assert_eq!(later(14 * 3_600_000).unwrap(), "entered 14 hours later");
    }
}
