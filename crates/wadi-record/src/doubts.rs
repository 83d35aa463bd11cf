//! What is strange about a draft: nothing that would keep it from being recorded, and whoever
//! writes it is told at once.

use crate::{
    Draft, FieldType, ValueType, event_type,
    fields::known_field,
    normal::{country_doubt, field_term, hs_doubt, mixed_alphabets},
    ranges::unlikely_time,
};
use serde_json::{Map, Value as Json};
use wadi_log::Value;

/// Terms that are read off things: a letter of another alphabet among Latin ones hides them.
const READ_OFF_THINGS: [&str; 5] = ["plate", "container", "vin", "seal", "target"];

impl Draft {
    /// What is strange about the draft, in sentences.
    pub fn doubts(&self) -> Vec<String> {
        let of_fields = self.fields.iter().flat_map(|(name, value)| {
            let why = self.field_doubts(name, value);
            why.into_iter().map(move |why| format!("{name}: {why}"))
        });

        of_fields
            .chain(self.events.iter().flat_map(event_doubts))
            .collect()
    }

    fn field_doubts(&self, name: &str, value: &Value) -> Vec<String> {
        let Some(row) = known_field(self.kind, name) else {
            return Vec::new();
        };

        match (row.value, value) {
            (FieldType::Int(unit), Value::Int(number)) => {
                unit.unlikely(*number as f64).into_iter().collect()
            }
            (FieldType::Time, Value::Int(ms)) => unlikely_time(*ms).into_iter().collect(),
            (FieldType::Country | FieldType::Nationality, Value::Text(code)) => {
                country_doubt(code).into_iter().collect()
            }
            (FieldType::HsCode, Value::Text(code)) => hs_doubt(code).into_iter().collect(),
            (_, Value::Text(text)) => text_doubts(name, text),
            _ => Vec::new(),
        }
    }
}

/// What is strange about a text by which records are looked up.
fn text_doubts(name: &str, text: &str) -> Vec<String> {
    // What is looked up by its field, and says nothing: any text that does has a term there.
    if field_term(name, "1").is_some() && field_term(name, text).is_none() {
        return vec![format!(
            "{text:?} holds neither a letter nor a digit: nothing is found by it"
        )];
    }

    let is_read_off =
        field_term(name, text).is_some_and(|(what, _)| READ_OFF_THINGS.contains(&what));
    let twin = mixed_alphabets(text).filter(|_| is_read_off);

    let told = twin.map(|letter| {
        format!(
            "lookalike letter: {letter:?} among Latin letters is of another alphabet, and is taken \
             for the one that it looks like"
        )
    });
    told.into_iter().collect()
}

fn event_doubts(event: &Map<String, Json>) -> Vec<String> {
    let name = event.get("type").and_then(Json::as_str).unwrap_or_default();
    let members = event_type(name).map_or(&[][..], |row| row.members);

    let doubts = members.iter().flat_map(|member| {
        let value = event.get(member.name).unwrap_or(&Json::Null);
        let why = value_doubts(member.value, value);
        why.into_iter()
            .map(|why| format!("{name}.{}: {why}", member.name))
    });
    doubts.collect()
}

fn value_doubts(holds: ValueType, value: &Json) -> Vec<String> {
    match holds {
        ValueType::Int(unit) | ValueType::Number(unit) => value
            .as_f64()
            .and_then(|n| unit.unlikely(n))
            .into_iter()
            .collect(),
        ValueType::Ints(unit) => {
            let all = value
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Json::as_f64);
            all.filter_map(|n| unit.unlikely(n)).collect()
        }
        ValueType::Time => value.as_i64().and_then(unlikely_time).into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, Passage};
    use serde_json::json;

    #[test]
    fn what_is_unlikely_is_told_and_what_is_usual_is_not() {
        let usual = Passage::announce("in")
            .plate("22 A 12345", "IQ")
            .text("person.1.nationality", "XXB")
            .int("arrived_at_ms", 1_772_323_200_000)
            .event("weighed", json!({"scale": "S", "gross_kg": 44_000}));
        assert_eq!(usual.doubts(), Vec::<String>::new());

        let strange = Passage::announce("in")
            .plate("22 \u{410}B 12345", "QQ")
            .text("person.1.nationality", "ZZ")
            .text("seal.1", "--")
            .int("arrived_at_ms", 1_772_323_200)
            .event("weighed", json!({"scale": "S", "gross_kg": 440_000}));
        let told = strange.doubts().join("\n");
        for what in [
            "vehicle.plate_raw: lookalike letter",
            "vehicle.plate_country: QQ",
            "person.1.nationality: ZZ",
            "seal.1: \"--\" holds neither",
            "arrived_at_ms: 1772323200 is 1970-01-21",
            "weighed.gross_kg: 440000 kg is unusual",
        ] {
            assert!(told.contains(what), "{what}: {told}");
        }
    }

    #[test]
    fn what_is_impossible_is_refused_with_the_reason() {
        let entry = |field: &str, value| Draft::new(Kind::CustomsEntry).int(field, value);
        let hold = |term: &str| Draft::new(Kind::QuarantineHold).text("target.term", term);
        for (draft, why) in [
            (entry("goods.1.gross_g", -1), "less than nothing"),
            (entry("invoice_minor", -1), "less than nothing"),
            (entry("total_packages", -3), "less than nothing"),
            (Passage::on().int("arrived_at_ms", -1), "no time"),
            (hold("--"), "nothing matches it"),
            (hold("80390+EC"), "leading zero was lost"),
            (
                Draft::new(Kind::SiteDay).text("date", "2026-02-30"),
                "no day",
            ),
            (
                Draft::new(Kind::SiteDay).text("date", "2025-02-29"),
                "no day",
            ),
            (
                Passage::on().event("weighed", json!({"scale": "S", "gross_kg": -5})),
                "less than nothing",
            ),
            (
                Passage::on().event("weighed", json!({"scale": "S", "gross_kg": 4_400_000})),
                "out of all range",
            ),
        ] {
            let told = draft.check().unwrap_err();
            assert_eq!(told.code(), "bad_value");
            assert!(told.to_string().contains(why), "{why}: {told}");
        }
    }
}
