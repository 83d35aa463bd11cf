//! Typed drafts: what an officer or a device wants to say, checked before it is signed.
//!
//! ```
//! use wadi_record::{Draft, Passage};
//! let draft = Passage::announce("in").plate("11-A-12345", "IQ").gate_in("G1", "ANPR-17");
//! assert_eq!(draft.check().unwrap().1.len(), 1);
//! ```

use crate::{HoldType, Kind, RecordError, check_event, check_put, is_blank, normalise_plate};
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
    let Some((member, _)) = event.iter().find(|(_, value)| holds_blank(value)) else {
        return check_way(name, event);
    };

    Err(RecordError::BadValue {
        field: format!("{name}.{member}"),
        why: "expected text that is not empty, and this holds nothing that is seen".into(),
    })
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
