//! Values as they are typed at a prompt: whether digits are a number or a text is for their field
//! or member to say, and a text stays as it was typed.

use crate::failure::Failure;
use serde_json::{Map, Value};
use wadi_record::{Kind, ValueType, event_type, known_field};

/// Reads JSON as everywhere: an object that names a member twice is refused.
pub(super) fn strict_json(text: &str) -> Result<Value, Failure> {
    wadi_web::parse_json(text).map_err(|problem| {
        let why = format!("{text}: {}", problem.detail);
        Failure::usage(problem.code.clone(), why)
    })
}

/// Whether a field holds text; one that nobody knows is told by the node, with the nearest.
pub(super) fn field_is_text(name: &str) -> bool {
    let rows = Kind::ALL.iter().filter_map(|kind| known_field(*kind, name));
    !rows.into_iter().any(|row| row.value.is_number())
}

/// Whether a member of an event holds text.
pub(super) fn member_is_text(event: &str, member: &str) -> bool {
    let members = event_type(event).map_or(&[][..], |row| row.members);
    let row = members.iter().find(|row| row.name == member);
    row.is_none_or(|row| match row.value {
        ValueType::Text
        | ValueType::OneOf(_)
        | ValueType::Day
        | ValueType::Digest
        | ValueType::Crossing
        | ValueType::Currency
        | ValueType::TypeOfHold => true,
        ValueType::Int(_)
        | ValueType::Number(_)
        | ValueType::Flag
        | ValueType::Time
        | ValueType::Ints(_)
        | ValueType::Texts
        | ValueType::Codes { .. } => false,
    })
}

/// A value: null, and text in quotation marks of JSON, stand for what they are in JSON; of a text
/// everything else is the text.
fn value_of(text: &str, is_text: bool) -> Result<Value, Failure> {
    let is_json =
        text == "null" || (text.len() > 1 && text.starts_with('"') && text.ends_with('"'));
    match (is_text, is_json) {
        (_, true) => strict_json(text),
        (true, false) => Ok(text.into()),
        (false, false) => match strict_json(text) {
            Err(failure) if failure.code == "duplicate_member" => Err(failure),
            // What it should have been the node says.
            Err(_) => Ok(text.into()),
            read => read,
        },
    }
}

/// Pairs as NAME=VALUE, each name once.
pub(super) fn pairs(
    all: &[String],
    is_text: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, Failure> {
    let mut out = Map::new();
    for pair in all {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage("bad_pair", format!("{pair:?} is not NAME=VALUE")))?;
        let value = value_of(text, is_text(name))?;
        if out.insert(name.into(), value).is_some() {
            let why = format!("{name:?} is given twice: say which of its values counts");
            return Err(Failure::usage("duplicate_member", why));
        }
    }

    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(all: &[&str], is_text: impl Fn(&str) -> bool) -> Result<Value, String> {
        let all: Vec<String> = all.iter().map(|pair| pair.to_string()).collect();
        let read = pairs(&all, is_text).map(Value::Object);
        read.map_err(|failure| failure.code)
    }

    #[test]
    fn a_field_is_given_once() {
        let two = of(&["direction=in", "note=in"], field_is_text).unwrap();
        assert_eq!(two, json!({"direction": "in", "note": "in"}));
        let twice = of(&["direction=in", "direction=out"], field_is_text);
        assert_eq!(twice.unwrap_err(), "duplicate_member");
        assert_eq!(of(&["direction"], field_is_text).unwrap_err(), "bad_pair");
    }

    #[test]
    fn a_text_of_digits_stays_the_text_that_was_typed() {
        let texts = [
            "vehicle.plate_raw=22E123",
            "seal.1=12E7",
            "declarant_ref=1.10",
            "registration_no=123456789012345678901234",
            "goods.1.hs_code=2710.1900",
        ];
        let read = of(&texts, field_is_text).unwrap();
        for text in texts {
            let (name, value) = text.split_once('=').unwrap();
            assert_eq!(read[name], value, "{text}");
        }

        let numbers = ["lane=3", "goods.1.gross_g=1000", "vehicle.plate=null"];
        let read = of(&numbers, field_is_text).unwrap();
        assert_eq!(
            read,
            json!({"lane": 3, "goods.1.gross_g": 1_000, "vehicle.plate": null})
        );
        let quoted = of(&["vehicle.plate_raw=\"null\""], field_is_text).unwrap();
        assert_eq!(quoted, json!({"vehicle.plate_raw": "null"}));
    }

    #[test]
    fn members_of_events_are_what_their_row_says() {
        let of_event = |event: &'static str, all: &[&str]| {
            of(all, move |member| member_is_text(event, member)).unwrap()
        };
        assert_eq!(
            of_event("registered", &["registration_no=12345"]),
            json!({"registration_no": "12345"})
        );
        assert_eq!(
            of_event("weighed", &["scale=1", "gross_kg=31000"]),
            json!({"scale": "1", "gross_kg": 31_000})
        );
    }

    #[test]
    fn an_object_that_names_a_member_twice_is_refused_as_everywhere() {
        let twice = r#"{"type":"weighed","gross_kg":1000,"gross\u005fkg":99000}"#;
        assert_eq!(strict_json(twice).unwrap_err().code, "duplicate_member");
    }
}
