//! What is strange about a draft: nothing that would keep it from being recorded, and whoever
//! writes it is told at once.

use crate::{
    Draft, FieldType, ValueType, event_type,
    fields::known_field,
    normal::{
        country_doubt, currency_doubt, field_term, hs_doubt, is_digest, mixed_alphabets,
        normalise_plate, unit_doubt,
    },
    ranges::{unlikely_day, unlikely_time},
};
use serde_json::{Map, Value as Json};
use wadi_log::Value;

/// Hexadecimal digits that a number on a thing may have by chance.
const HEXADECIMAL_MAX: usize = 24;

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
            .chain(self.disagreements())
            .chain(self.events.iter().flat_map(event_doubts))
            .collect()
    }

    /// Fields of one draft that speak against each other.
    fn disagreements(&self) -> Vec<String> {
        let text = |name: &str| match self.fields.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        };

        let mut out = Vec::new();
        if let (Some(plate), Some(raw)) = (text("vehicle.plate"), text("vehicle.plate_raw"))
            && normalise_plate(plate) != normalise_plate(raw)
        {
            out.push(format!(
                "vehicle.plate: {plate:?} is another plate than the one that was read, {raw:?}"
            ));
        }

        for (name, gross) in &self.fields {
            let net_name = name
                .strip_suffix(".gross_g")
                .map(|item| format!("{item}.net_g"));
            let net = net_name.as_ref().and_then(|name| self.fields.get(name));
            if let (Some(Value::Int(net)), Value::Int(gross)) = (net, gross)
                && net > gross
            {
                let net_name = net_name.unwrap_or_default();
                out.push(format!(
                    "{net_name}: {net} g net is more than the gross, {gross} g"
                ));
            }
        }

        out
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
            (FieldType::Currency, Value::Text(code)) => currency_doubt(code).into_iter().collect(),
            (FieldType::Day, Value::Text(day)) => unlikely_day(day).into_iter().collect(),
            (FieldType::Lookout, Value::Text(term)) if is_cut_digest(term) => {
                vec![format!(
                    "a SHA-256 has 64 hexadecimal digits, and this has {}: no document is found by \
                     it",
                    hexadecimal_digits(term)
                )]
            }
            (FieldType::Text, Value::Text(text)) if name == "unit" => {
                unit_doubt(text).into_iter().collect()
            }
            (_, Value::Text(text)) => text_doubts(name, text),
            _ => Vec::new(),
        }
    }
}

/// How many hexadecimal digits a text of nothing else has.
fn hexadecimal_digits(term: &str) -> usize {
    let text = normalise_plate(term);
    match text.bytes().all(|c| c.is_ascii_hexdigit()) {
        true => text.len(),
        false => 0,
    }
}

/// Whether a lookout is likely to be meant as a document's hash of which a part is missing, or more
/// was taken along. No number that stands on a thing is so long.
fn is_cut_digest(term: &str) -> bool {
    hexadecimal_digits(term) > HEXADECIMAL_MAX && !is_digest(term)
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

    let masses = ["gross_kg", "tare_kg", "net_kg"];
    let says_nothing = name == "weighed" && !masses.iter().any(|m| event.contains_key(*m));
    let empty = says_nothing.then(|| format!("{name}: no mass is given, gross, tare or net"));

    let doubts = members.iter().flat_map(|member| {
        let value = event.get(member.name).unwrap_or(&Json::Null);
        let why = value_doubts(member.value, value);
        why.into_iter()
            .map(|why| format!("{name}.{}: {why}", member.name))
    });
    empty.into_iter().chain(doubts).collect()
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
        ValueType::Day => value.as_str().and_then(unlikely_day).into_iter().collect(),
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
    fn what_speaks_against_itself_is_told() {
        let told = |draft: Draft| draft.doubts().join("\n");
        let entry = || Draft::new(Kind::CustomsEntry);

        for (draft, why) in [
            (
                Passage::on()
                    .text("vehicle.plate", "99Z99")
                    .text("vehicle.plate_raw", "11-A-11"),
                "another plate than the one that was read",
            ),
            (
                entry()
                    .int("goods.2.gross_g", 1_000)
                    .int("goods.2.net_g", 2_000),
                "goods.2.net_g: 2000 g net is more than the gross, 1000 g",
            ),
            (entry().text("currency", "ZZZ"), "ISO 4217 has no currency"),
            (
                Draft::new(Kind::SiteDay).text("date", "1405-09-06"),
                "days are of the Gregorian calendar",
            ),
            (
                Draft::new(Kind::QuarantineHold).text("target.term", "ab".repeat(31)),
                "and this has 62",
            ),
            (
                Passage::on().event("weighed", json!({"scale": "S"})),
                "no mass is given",
            ),
            (
                Passage::on().event(
                    "weighed",
                    json!({"scale": "S", "gross_kg": 1, "calibration_due": "2600-01-01"}),
                ),
                "weighed.calibration_due: 2600-01-01",
            ),
        ] {
            assert!(told(draft.clone()).contains(why), "{why}: {}", told(draft));
        }

        let in_order = entry()
            .int("goods.1.gross_g", 1_000)
            .int("goods.1.net_g", 1_000)
            .text("currency", "IQD");
        assert_eq!(told(in_order), "");
        assert_eq!(
            told(Draft::new(Kind::QuarantineHold).text("target.term", "CSQU3054383")),
            ""
        );
    }

    #[test]
    fn a_text_in_which_nobody_sees_anything_is_none() {
        let gate = |members: Json| Passage::on().event("gate.out", members);
        for draft in [
            gate(json!({"gate": "G1", "reason": "   "})),
            gate(json!({"gate": " ", "read": "R1"})),
            gate(json!({"gate": "G1", "read": "\u{200B}\u{200F}"})),
            Passage::on().text("note", " \u{A0}"),
            Passage::on().text("vehicle.plate_raw", "\u{200F}"),
            Draft::new(Kind::QuarantineHold).event(
                "hold.placed",
                json!({"type_of_hold": "SECURITY", "legal_basis": "\t"}),
            ),
        ] {
            let told = draft.check().unwrap_err();
            assert_eq!(told.code(), "bad_value", "{draft:?}");
            assert!(told.to_string().contains("empty"), "{told}");
        }

        gate(json!({"gate": "G1", "reason": "-"})).check().unwrap();
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
            (
                Passage::on().event("weighed", json!({"scale": "S", "gross_kg": 1, "net_kg": 2})),
                "net_kg: 2 is more than the gross 1",
            ),
            (
                Passage::on().event(
                    "weighed",
                    json!({"scale": "S", "gross_kg": 1, "tare_kg": 2}),
                ),
                "tare_kg: 2 is more than the gross 1",
            ),
            (
                Passage::on().event("scanned", json!({"image_sha256": "xyz"})),
                "expected a SHA-256",
            ),
            (
                Passage::on().event(
                    "stayed",
                    json!({"document_hash": "ab".repeat(32), "check_in": 9, "check_out": 5}),
                ),
                "5 is before `check_in`, 9",
            ),
        ] {
            let told = draft.check().unwrap_err();
            assert_eq!(told.code(), "bad_value");
            assert!(told.to_string().contains(why), "{why}: {told}");
        }
    }
}
