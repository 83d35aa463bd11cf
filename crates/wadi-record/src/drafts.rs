//! Typed drafts: what an officer or a device wants to say, checked before it is signed.
//!
//! ```
//! use wadi_record::{Draft, Passage};
//! let draft = Passage::announce("in").plate("11-A-12345", "IQ").gate_in("G1", "ANPR-17");
//! assert_eq!(draft.check().unwrap().1.len(), 1);
//! ```

use crate::{
    HoldType, Kind, RecordError, check_event, check_put,
    doubts::read_off_as,
    is_blank,
    normal::{is_official_number, meant_in_utf8, noncharacter_in},
    normalise_plate,
};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use wadi_log::{Put, Value};

/// Fields and events to be recorded on one record.
#[derive(Clone, PartialEq, Debug)]
pub struct Draft {
    /// Kind of record.
    pub kind: Kind,
    /// Values by field.
    pub fields: BTreeMap<String, Value>,
    /// Events, each an object with a `type`.
    pub events: Vec<Map<String, Json>>,
}

impl Draft {
    /// An empty draft.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            fields: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    /// Puts a text into a field.
    pub fn text(mut self, field: &str, value: impl Into<String>) -> Self {
        self.fields.insert(field.into(), Value::Text(value.into()));
        self
    }

    /// Puts a number into a field.
    pub fn int(mut self, field: &str, value: i64) -> Self {
        self.fields.insert(field.into(), Value::Int(value));
        self
    }

    /// Clears a field.
    pub fn clear(mut self, field: &str) -> Self {
        self.fields.insert(field.into(), Value::Null);
        self
    }

    /// Adds an event: a type, and its members as a JSON object.
    pub fn event(mut self, kind: &str, members: Json) -> Self {
        let mut event = match members {
            Json::Object(map) => map,
            _ => Map::new(),
        };

        event.insert("type".into(), kind.into());
        self.events.push(event);
        self
    }

    /// Checks fields and events against their tables; returns puts in order and events as canonical
    /// text.
    pub fn check(&self) -> Result<(Vec<Put>, Vec<String>), RecordError> {
        if self.fields.is_empty() && self.events.is_empty() {
            return Err(RecordError::Empty);
        }

        for (key, value) in &self.fields {
            check_put(self.kind, key, value)?;
            if let Value::Text(text) = value {
                check_letters(key, text, is_official_number(key))?;
            }
        }

        let puts = self
            .fields
            .iter()
            .map(|(k, v)| Put {
                key: k.clone(),
                value: v.clone(),
            })
            .collect();

        let events = self
            .events
            .iter()
            .map(|e| check_event(self.kind, e).and_then(|text| check_words(e).map(|()| text)))
            .collect::<Result<_, _>>()?;

        Ok((puts, events))
    }
}

/// Refuses an event with a text in which nobody sees anything: a reason of blanks is none. Only
/// what is written here is held to it; what was written elsewhere is judged as it always was.
fn check_words(event: &Map<String, Json>) -> Result<(), RecordError> {
    let is_blank_text = |value: &Json| value.as_str().is_some_and(is_blank);
    let holds_blank = |value: &Json| {
        is_blank_text(value)
            || value
                .as_array()
                .is_some_and(|a| a.iter().any(is_blank_text))
    };
    let name = event.get("type").and_then(Json::as_str).unwrap_or_default();
    if let Some((member, _)) = event.iter().find(|(_, value)| holds_blank(value)) {
        return Err(RecordError::BadValue {
            field: format!("{name}.{member}"),
            why: "expected text that is not empty, and this holds nothing that is seen".into(),
        });
    }

    for (member, value) in event {
        let texts = value
            .as_array()
            .map_or(std::slice::from_ref(value), Vec::as_slice);
        for text in texts.iter().filter_map(Json::as_str) {
            let is_number = read_off_as(member).is_some();
            check_letters(&format!("{name}.{member}"), text, is_number)?;
        }
    }

    check_way(name, event)
}

/// Refuses what is no character, and a number that was surely read in the wrong alphabet: another
/// letter would stand in the place of each, and two things come to one. Names are theirs whose they
/// are, and whoever writes one that looks so is warned.
fn check_letters(field: &str, text: &str, is_number: bool) -> Result<(), RecordError> {
    let bad = |why: String| {
        Err(RecordError::BadValue {
            field: field.into(),
            why,
        })
    };
    if let Some(c) = noncharacter_in(text) {
        return bad(format!(
            "holds U+{:04X}, which is no character of any alphabet: send UTF-8",
            u32::from(c)
        ));
    }

    let meant = is_number.then(|| meant_in_utf8(text)).flatten();
    match meant {
        Some(meant) => bad(format!(
            "{text:?} is {meant:?}, read in the wrong alphabet: send UTF-8"
        )),
        None => Ok(()),
    }
}

/// The ways in which a vehicle goes through a gate.
const WAYS: [&str; 2] = ["in", "out"];

/// Which way a text tells, as rules take it.
pub(crate) fn way(text: &str) -> Option<&'static str> {
    let text = text.trim();
    WAYS.into_iter().find(|way| way.eq_ignore_ascii_case(text))
}

/// Refuses an event with a direction that no rule knows, which would be taken for none.
fn check_way(name: &str, event: &Map<String, Json>) -> Result<(), RecordError> {
    let given = event.get("direction").and_then(Json::as_str);
    match given.filter(|text| way(text).is_none()) {
        None => Ok(()),
        Some(text) => Err(RecordError::BadValue {
            field: format!("{name}.direction"),
            why: format!("{text:?} is none of {}", WAYS.join(", ")),
        }),
    }
}

/// Drafts on passages.
pub struct Passage;

impl Passage {
    /// A new passage; `direction` is `in` or `out`.
    pub fn announce(direction: &str) -> Draft {
        Draft::new(Kind::Passage).text("direction", direction)
    }

    /// More on a passage that exists.
    pub fn on() -> Draft {
        Draft::new(Kind::Passage)
    }
}

/// Drafts on quarantine holds.
pub struct QuarantineHold;

impl QuarantineHold {
    /// Places a hold.
    pub fn place(hold: HoldType, legal_basis: &str) -> Draft {
        Draft::new(Kind::QuarantineHold)
            .text("type", hold.name())
            .text("legal_basis", legal_basis)
            .event(
                "hold.placed",
                json!({"type_of_hold": hold.name(), "legal_basis": legal_basis}),
            )
    }

    /// More on a hold that exists.
    pub fn on() -> Draft {
        Draft::new(Kind::QuarantineHold)
    }

    /// Releases the named placements, and no others.
    pub fn release(holds: &[String], second_officer: &str) -> Draft {
        Self::on().event(
            "released",
            json!({"holds": holds, "second_officer": second_officer}),
        )
    }
}

/// Drafts on customs entries.
pub struct CustomsEntry;

impl CustomsEntry {
    /// A new entry.
    pub fn store(declarant: &str, declarant_ref: &str) -> Draft {
        Draft::new(Kind::CustomsEntry)
            .text("declarant", declarant)
            .text("declarant_ref", declarant_ref)
    }

    /// More on an entry that exists.
    pub fn on() -> Draft {
        Draft::new(Kind::CustomsEntry)
    }

    /// Assesses the duty, in minor units of an ISO 4217 currency.
    pub fn assess(duty_minor: i64, currency: &str) -> Draft {
        Self::on().event(
            "assessed",
            json!({"duty_minor": duty_minor, "currency": currency}),
        )
    }
}

/// Drafts on site days.
pub struct SiteDay;

impl SiteDay {
    /// A new day, as `YYYY-MM-DD`.
    pub fn open(date: &str) -> Draft {
        Draft::new(Kind::SiteDay).text("date", date)
    }

    /// More on a day that exists.
    pub fn on() -> Draft {
        Draft::new(Kind::SiteDay)
    }
}

impl Draft {
    /// The vehicle's plate, raw and normalised, and its country.
    pub fn plate(self, raw: &str, country: &str) -> Self {
        self.text("vehicle.plate_raw", raw)
            .text("vehicle.plate", normalise_plate(raw))
            .text("vehicle.plate_country", country)
    }

    /// Admits through a gate, on a device's read.
    pub fn gate_in(self, gate: &str, read: &str) -> Self {
        self.event("gate.in", json!({"gate": gate, "read": read}))
    }

    /// Lets out through a gate, on a device's read.
    pub fn gate_out(self, gate: &str, read: &str) -> Self {
        self.event("gate.out", json!({"gate": gate, "read": read}))
    }

    /// Weighs on a scale; kilograms.
    pub fn weigh(self, scale: &str, gross_kg: i64, attested_by: Option<(&str, &str)>) -> Self {
        let mut members = json!({"scale": scale, "gross_kg": gross_kg});
        if let Some((officer, department)) = attested_by {
            members["attested_by"] = officer.into();
            members["attester_department"] = department.into();
        }
        self.event("weighed", members)
    }

    /// Links to another record by its printed id.
    pub fn link(self, record: &str, why: &str) -> Self {
        self.event("link", json!({"record": record, "why": why}))
    }

    /// Hands the record over to another crossing.
    pub fn hand_over(self, to: &str, reason: &str) -> Self {
        self.event("handed_over", json!({"to": to, "reason": reason}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why a draft is refused; empty where it is not.
    fn refused(draft: &Draft) -> String {
        let checked = draft.check().map(|_| String::new());
        checked.unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_text_that_was_read_in_the_wrong_alphabet_is_refused_where_its_letters_are_compared() {
        let entry = || Draft::new(Kind::CustomsEntry);
        let read = |members: Json| Passage::on().event("fuelled", members);
        for (draft, field) in [
            (
                Passage::on().text("vehicle.plate_raw", "22 Ø£ 12345"),
                "vehicle.plate_raw",
            ),
            (Passage::on().text("container.1", "Ù¢Ù£"), "container.1"),
            (Passage::on().text("seal.1", "Ø®ØªÙ…-7"), "seal.1"),
            (
                Passage::on().text("vehicle.plate_raw", "22 ط\u{AD} 12345"),
                "vehicle.plate_raw",
            ),
            (entry().text("registration_no", "Ø±-101"), "registration_no"),
        ] {
            let why = refused(&draft);
            assert!(why.starts_with(field), "{field}: {why}");
            assert!(
                why.ends_with("read in the wrong alphabet: send UTF-8"),
                "{why}"
            );
        }
        let fuelled = read(json!({"plate": "22 Ø£ 12345", "litres": 5}));
        assert!(
            refused(&fuelled).contains("fuelled.plate"),
            "{}",
            refused(&fuelled)
        );

        // Names and notes stay as they were said.
        for usual in [
            Passage::on().text("note", "Ø¨"),
            Passage::on().text("vehicle.plate_raw", "22 أ 12345"),
            entry().text("declarant", "Østergård & Søn"),
            entry().text("declarant", "SØ® A/S"),
            entry().text("declarant", "شركة مصنع® للتجارة"),
            entry().text("declarant", "Ø´Ø±ÙƒØ©"),
            entry().text("declarant_ref", "Ø±-101"),
        ] {
            assert_eq!(refused(&usual), "", "{usual:?}");
        }
    }

    #[test]
    fn what_is_no_character_is_refused_in_every_text() {
        for draft in [
            Passage::on().text("note", "a\u{FFFE}"),
            Passage::on().text("vehicle.plate_raw", "51\u{FDD0}7"),
            Passage::on().event("status.noted", json!({"status": "\u{FFFF}in"})),
        ] {
            let why = refused(&draft);
            assert!(why.contains("which is no character"), "{why}");
        }
        let unread = Passage::on().text("vehicle.plate_raw", "51 \u{FFFD} 75667");
        assert_eq!(refused(&unread), "");
    }
}
