//! What is strange about a draft: nothing that would keep it from being recorded, and whoever
//! writes it is told at once.

mod alphabet;
mod masses;
mod seals;

use crate::{
    Draft, Field, FieldType, Member, Record, ValueType,
    check_digits::container_misread,
    drafts::way,
    error::nearest,
    event_type,
    fields::known_field,
    normal::{
        NoTerm, OtherNumbers, StrangeLetter, country_doubt, currency_doubt, field_has_no_term,
        field_term, has_digit, hs_doubt, is_digest, is_hash_of_nothing, is_official_number,
        no_digit_told, no_term, normalise_plate, says_nothing, strange_letter, target_doubt,
        unit_doubt,
    },
    ranges::{day_ahead, day_behind, time_ahead, time_behind, unlikely_day, unlikely_time},
};
use alphabet::alphabet_doubt;
use seals::seals_doubt;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use wadi_log::{Crossing, Value};

/// Hexadecimal digits that a number on a thing may have by chance.
const HEXADECIMAL_MAX: usize = 24;

/// What is looked up by a hash: its letters are digits.
const HASHED: &str = "document";

/// What an act rests on: an order, or a law.
const LEGAL_BASIS: &str = "legal_basis";

/// Members of events that hold what is read off things, or a reference, each with what its text is
/// compared as. Fields of that kind are those by which records are looked up.
const READ_OFF_THINGS: [(&str, &str); 9] = [
    ("plate", "plate"),
    ("plate_raw", "plate"),
    ("to_plate", "plate"),
    ("container", "container"),
    ("seals", "seal"),
    ("seal_before", "seal"),
    ("seal_after", "seal"),
    ("registration_no", "registration"),
    ("receipt", "receipt"),
];

/// Times and days until which something holds or by which it is due: fields, and events with their
/// members. They lie ahead when they are told; all others are of what has happened.
const DEADLINES: [&str; 6] = [
    "due_at_ms",
    "certificate.expiry.expires_at",
    "cleared.until",
    "result.issued.due_at",
    "sample.taken.due_at",
    "weighed.calibration_due",
];

/// Whether a field, or a member of an event, tells until when something holds or by when it is due,
/// and no time of what has happened. Fields have no event.
pub fn is_deadline(event: Option<&str>, name: &str) -> bool {
    is_among(&DEADLINES, event, name)
}

/// Whether a list of fields, and of events with their members, has one.
fn is_among(list: &[&str], event: Option<&str>, name: &str) -> bool {
    list.iter().any(|listed| match event {
        None => *listed == name,
        Some(event) => listed
            .strip_prefix(event)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|member| member == name),
    })
}

/// Those among the deadlines that somebody reads off a thing or its paper, and does not set: what a
/// label names may have passed when it is read, and then that is what matters.
const READ_OFF_DEADLINES: [&str; 2] = ["certificate.expiry.expires_at", "weighed.calibration_due"];

/// Whether a member of an event tells a deadline that is read off a thing, as until when a scale is
/// calibrated. It may have passed.
pub fn is_read_off_deadline(event: Option<&str>, name: &str) -> bool {
    is_among(&READ_OFF_DEADLINES, event, name)
}

/// Crossings that are named where none is like the one that was given.
const CROSSINGS_NAMED: usize = 40;

/// What a draft is held against besides itself.
#[derive(Clone, Copy)]
pub struct DraftContext<'a> {
    /// The node's clock, Unix milliseconds.
    pub now_ms: i64,
    /// How far ahead of that a time of what has happened may lie, in milliseconds.
    pub ahead_ms: i64,
    /// When what is drafted was said, Unix milliseconds: now, or when a paper was written.
    pub said_ms: i64,
    /// The record as it stands; none where the draft begins one.
    pub record: Option<&'a Record>,
    /// The crossings known here, asked for where a draft names one. Where there are none, nobody
    /// knows.
    pub crossings: &'a dyn Fn() -> BTreeSet<Crossing>,
}

impl Draft {
    /// What is strange about the draft, in sentences.
    pub fn doubts(&self, context: &DraftContext) -> Vec<String> {
        let of_fields = self.fields.iter().flat_map(|(name, value)| {
            let why = self.field_doubts(name, value, context);
            why.into_iter().map(move |why| format!("{name}: {why}"))
        });
        let of_events = self.events.iter().flat_map(|e| event_doubts(e, context));

        of_fields
            .chain(self.disagreements(context.record))
            .chain(of_events)
            .collect()
    }

    /// Fields that speak against each other: those of the draft, and those of its record that it
    /// leaves as they are.
    fn disagreements(&self, record: Option<&Record>) -> Vec<String> {
        let of_plates = self.plates_disagree(record);
        let items: BTreeSet<&str> = self
            .fields
            .keys()
            .filter_map(|name| {
                name.strip_suffix(".gross_g")
                    .or_else(|| name.strip_suffix(".net_g"))
            })
            .collect();

        let of_masses = items.into_iter().filter_map(|item| {
            let net_name = format!("{item}.net_g");
            let grams = |name: &str| {
                let values = self.values(name, record).into_iter();
                values.filter_map(|value| match value {
                    Value::Int(grams) => Some(grams),
                    _ => None,
                })
            };

            // Of a contested field every value has to disagree.
            let net = grams(&net_name).min()?;
            let gross = grams(&format!("{item}.gross_g")).max()?;
            (net > gross)
                .then(|| format!("{net_name}: {net} g net is more than the gross, {gross} g"))
        });

        of_plates
            .into_iter()
            .chain(of_masses)
            .chain(self.has_no_currency(record))
            .chain(self.has_no_unit(record))
            .chain(self.has_no_direction(record))
            .chain(self.gate_disagrees(record))
            .chain(self.weighings_disagree())
            .chain(self.certificates_of_another_field(record))
            .collect()
    }

    /// Certificates that the draft names by what another field holds.
    fn certificates_of_another_field(&self, record: Option<&Record>) -> Vec<String> {
        let named = self.fields.iter().filter_map(|(name, value)| match value {
            Value::Text(text) if name.starts_with("certificate.") => Some((name, text)),
            _ => None,
        });
        let mut named = named.peekable();
        if named.peek().is_none() {
            return Vec::new();
        }

        let of_record = record.map(Record::field_names).unwrap_or_default();
        let names: BTreeSet<&String> = self.fields.keys().chain(&of_record).collect();
        let others: Vec<(&String, OtherNumbers)> = names
            .into_iter()
            .map(|name| {
                let values = self.values(name, record);
                let texts = values.iter().filter_map(|value| match value {
                    Value::Text(text) => Some((name.as_str(), text.as_str())),
                    _ => None,
                });
                (name, OtherNumbers::of(texts))
            })
            .collect();

        let told = named.filter_map(|(name, text)| {
            let (other, _) = others.iter().find(|(_, numbers)| numbers.has(text))?;
            Some(format!(
                "{name}: {text:?} is what {other} holds: it is no certificate, and counts as none"
            ))
        });
        told.collect()
    }

    /// Where a value is put and no currency says of what.
    fn has_no_currency(&self, record: Option<&Record>) -> Option<String> {
        let says_money =
            |name: &&String| *name == "invoice_minor" || name.ends_with(".statistical_value_minor");
        let name = self.fields.keys().find(says_money)?;
        let says = |value: &Value| matches!(value, Value::Text(text) if !text.is_empty());
        (!self.values("currency", record).iter().any(says))
            .then(|| format!("{name}: an amount without a currency is compared with no other"))
    }

    /// Where a quantity is put and no unit says of what.
    fn has_no_unit(&self, record: Option<&Record>) -> Option<String> {
        if !matches!(self.fields.get("quantity"), Some(Value::Int(_))) {
            return None;
        }

        let says = |value: &Value| matches!(value, Value::Text(text) if !text.is_empty());
        (!self.values("unit", record).iter().any(says))
            .then(|| "quantity: a number without a unit is compared with no other".into())
    }

    /// Where a vehicle is let in the other way than its passage goes.
    fn gate_disagrees(&self, record: Option<&Record>) -> Vec<String> {
        let ways = self.values("direction", record);
        let ways: Vec<&str> = ways
            .iter()
            .filter_map(|value| match value {
                Value::Text(text) => way(text),
                _ => None,
            })
            .collect();
        let Some(of_passage) = ways.first() else {
            return Vec::new();
        };

        let gates = self
            .events
            .iter()
            .filter(|event| event.get("type").and_then(Json::as_str) == Some("gate.in"));
        let said = gates.filter_map(|event| way(event.get("direction")?.as_str()?));
        said.filter(|said| !ways.contains(said))
            .map(|said| {
                format!("gate.in.direction: {said:?} is not how the passage goes, {of_passage:?}")
            })
            .collect()
    }

    /// Where a vehicle is let out and nobody ever told whether it goes in or out.
    fn has_no_direction(&self, record: Option<&Record>) -> Option<String> {
        let record = record?;
        let mut own = self.events.iter();
        if !own.any(|event| event.get("type").and_then(Json::as_str) == Some("gate.out")) {
            return None;
        }

        let is_way = |value: &Value| matches!(value, Value::Text(text) if way(text).is_some());
        let mut own = self.events.iter();
        let mut said = record.events();
        let is_told = self.values("direction", Some(record)).iter().any(is_way)
            || own.any(|event| event.contains_key("direction"))
            || said.any(|event| event.counts() && event.text("direction").and_then(way).is_some());

        (!is_told).then(|| {
            "direction: nobody told whether it goes in or out, and it is taken for going in".into()
        })
    }

    /// Where the plate that a draft leaves is none of those that were read.
    fn plates_disagree(&self, record: Option<&Record>) -> Option<String> {
        let names = ["vehicle.plate", "vehicle.plate_raw"];
        if !names.iter().any(|name| self.fields.contains_key(*name)) {
            return None;
        }

        let [plates, read] = names.map(|name| {
            let values = self.values(name, record).into_iter();
            let texts = values.filter_map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            });
            texts.collect::<Vec<String>>()
        });
        let is_one = |plate: &String| {
            let plate = normalise_plate(plate);
            read.iter().any(|raw| normalise_plate(raw) == plate)
        };

        let (plate, raw) = (plates.first()?, read.first()?);
        (!plates.iter().any(is_one)).then(|| {
            format!("vehicle.plate: {plate:?} is another plate than the one that was read, {raw:?}")
        })
    }

    /// What a field holds once the draft is written: what it puts, else each value of the record.
    fn values(&self, name: &str, record: Option<&Record>) -> Vec<Value> {
        if let Some(put) = self.fields.get(name) {
            return vec![put.clone()];
        }

        match record.and_then(|record| record.field(name)) {
            Some(Field::Settled(value)) => vec![value],
            Some(Field::Contested(claims)) => claims.into_iter().map(|c| c.value).collect(),
            None => Vec::new(),
        }
    }

    fn field_doubts(&self, name: &str, value: &Value, context: &DraftContext) -> Vec<String> {
        let Some(row) = known_field(self.kind, name) else {
            return Vec::new();
        };

        match (row.value, value) {
            (FieldType::Int(unit), Value::Int(number)) => {
                unit.unlikely(*number as f64, number).into_iter().collect()
            }
            (FieldType::Time, Value::Int(ms)) => {
                time_doubt(name, *ms, context).into_iter().collect()
            }
            (FieldType::Crossing, Value::Text(code)) => {
                crossing_doubt(code, context).into_iter().collect()
            }
            (FieldType::Country | FieldType::Nationality, Value::Text(code)) => {
                country_doubt(code).into_iter().collect()
            }
            (FieldType::HsCode, Value::Text(code)) => hs_doubt(code).into_iter().collect(),
            (FieldType::Currency, Value::Text(code)) => currency_doubt(code).into_iter().collect(),
            (FieldType::Day, Value::Text(day)) => {
                day_doubt(name, day, context).into_iter().collect()
            }
            (FieldType::Lookout, Value::Text(term)) if is_cut_digest(term) => {
                vec![format!(
                    "a SHA-256 has 64 hexadecimal digits, and this has {}: no document is found by \
                     it",
                    hexadecimal_digits(term)
                )]
            }
            (FieldType::Lookout, Value::Text(term)) if target_doubt(term).is_some() => {
                target_doubt(term).into_iter().collect()
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
    if let Some(why) = field_has_no_term(name, text) {
        let told = no_term_told(text, why);
        return match why {
            NoTerm::SaysNone => vec![format!("{told}: leave the field out")],
            _ => vec![told],
        };
    }

    if name == LEGAL_BASIS {
        return legal_basis_doubt(text).into_iter().collect();
    }

    let told = field_term(name, text)
        .filter(|(what, _)| *what != HASHED)
        .and_then(|(what, _)| {
            letter_doubt(text)
                .or_else(|| plate_doubt(what, text))
                .or_else(|| seals_doubt(what, text))
        });
    let read_wrongly = alphabet_doubt(name, is_official_number(name), text);
    told.into_iter().chain(read_wrongly).collect()
}

/// What is strange about a plate without a digit: a word that says that there is none looks so.
fn plate_doubt(what: &str, text: &str) -> Option<String> {
    (what == "plate" && !has_digit(text)).then(|| no_digit_told(text))
}

/// Why nothing is found by a text, in a sentence.
fn no_term_told(text: &str, why: NoTerm) -> String {
    match why {
        NoTerm::Signs => {
            format!("{text:?} holds neither a letter nor a digit: nothing is found by it")
        }
        NoTerm::SaysNone => format!("{text:?} says that there is none, and counts as none"),
        NoTerm::Unread => format!(
            "{text:?} has a place that nobody read, as a question mark: what is left is no other \
             number, and nothing is found by it"
        ),
        NoTerm::HashOfNothing => hash_of_nothing_told(text),
        NoTerm::NoNumber(why) => format!("{text:?} {why}"),
    }
}

fn hash_of_nothing_told(text: &str) -> String {
    format!("{text:?} is a hash of nothing: whatever made it had read nothing")
}

/// Why nobody can look up what an act rests on.
fn legal_basis_doubt(text: &str) -> Option<String> {
    says_nothing(text).then(|| format!("{text:?} names neither an order nor a law"))
}

/// What is strange about a member's text that is read off a thing, or a reference.
fn read_off_doubt(what: &str, text: &str) -> Option<String> {
    if let Some(why) = no_term(what, text) {
        return Some(no_term_told(text, why));
    }

    letter_doubt(text)
        .or_else(|| plate_doubt(what, text))
        .or_else(|| seals_doubt(what, text))
        .or_else(|| {
            (what == "container")
                .then(|| container_misread(text))
                .flatten()
        })
}

/// What is strange about the letters of a number or a reference.
fn letter_doubt(text: &str) -> Option<String> {
    Some(match strange_letter(text)? {
        StrangeLetter::Lookalike(letter) => format!(
            "lookalike letter: {letter:?} is of another alphabet, and is taken for the one that it \
             looks like"
        ),
        StrangeLetter::Foreign(letter) => format!(
            "foreign letter: {letter:?} is of an alphabet that nothing of this kind is written in, \
             and is taken for no other"
        ),
    })
}

/// What is strange about a time: of what has happened, if it lies ahead; of what is due, if it lies
/// behind.
fn time_doubt(name: &str, ms: i64, context: &DraftContext) -> Option<String> {
    let latest_ms = context.now_ms.saturating_add(context.ahead_ms);
    unlikely_time(ms).or_else(|| match DEADLINES.contains(&name) {
        true => time_behind(ms, context.said_ms),
        false => time_ahead(ms, latest_ms),
    })
}

/// The same of a day.
fn day_doubt(name: &str, day: &str, context: &DraftContext) -> Option<String> {
    let latest_ms = context.now_ms.saturating_add(context.ahead_ms);
    unlikely_day(day).or_else(|| match DEADLINES.contains(&name) {
        true => day_behind(day, context.said_ms),
        false => day_ahead(day, latest_ms),
    })
}

/// Why nothing is sent to a crossing, or leaves by it, as far as this node knows: one may be
/// enrolled later.
fn crossing_doubt(code: &str, context: &DraftContext) -> Option<String> {
    let known: BTreeSet<String> = (context.crossings)()
        .iter()
        .map(Crossing::to_string)
        .collect();
    if known.is_empty() || known.contains(code) {
        return None;
    }

    let near = nearest(code, known.iter().map(String::as_str));
    let hint = match near {
        Some(near) => format!("did you mean {near:?}?"),
        None => {
            let named: Vec<String> = known.into_iter().take(CROSSINGS_NAMED).collect();
            format!("there are: {}", named.join(", "))
        }
    };
    Some(format!("no crossing {code:?} is known here; {hint}"))
}

fn event_doubts(event: &Map<String, Json>, context: &DraftContext) -> Vec<String> {
    let name = event.get("type").and_then(Json::as_str).unwrap_or_default();
    let members = event_type(name).map_or(&[][..], |row| row.members);

    let masses = ["gross_kg", "tare_kg", "net_kg"];
    let says_nothing = name == "weighed" && !masses.iter().any(|m| event.contains_key(*m));
    let empty = says_nothing.then(|| format!("{name}: no mass is given, gross, tare or net"));

    let doubts = members.iter().flat_map(|member| {
        let value = event.get(member.name).unwrap_or(&Json::Null);
        let why = member_doubts(name, member, value, context);
        why.into_iter()
            .map(|why| format!("{name}.{}: {why}", member.name))
    });
    empty.into_iter().chain(doubts).collect()
}

fn member_doubts(
    event: &str,
    member: &Member,
    value: &Json,
    context: &DraftContext,
) -> Vec<String> {
    match member.value {
        ValueType::Int(unit) | ValueType::Number(unit) => value
            .as_f64()
            .and_then(|n| unit.unlikely(n, value))
            .into_iter()
            .collect(),

        ValueType::Ints(unit) => {
            let all = value.as_array().into_iter().flatten();
            all.filter_map(|given| unit.unlikely(given.as_f64()?, given))
                .collect()
        }

        ValueType::Time => {
            let name = format!("{event}.{}", member.name);
            let doubt = value.as_i64().and_then(|ms| time_doubt(&name, ms, context));
            doubt.into_iter().collect()
        }

        ValueType::Crossing => {
            let doubt = value
                .as_str()
                .and_then(|code| crossing_doubt(code, context));
            doubt.into_iter().collect()
        }

        ValueType::Digest => {
            let hash = value.as_str().filter(|text| is_hash_of_nothing(text));
            hash.map(hash_of_nothing_told).into_iter().collect()
        }

        ValueType::Text | ValueType::Texts => {
            let all = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            let texts = all.iter().filter_map(Json::as_str);
            texts
                .filter_map(|text| member_text_doubt(member.name, text))
                .collect()
        }
        ValueType::Day => {
            let name = format!("{event}.{}", member.name);
            let doubt = value
                .as_str()
                .and_then(|day| day_doubt(&name, day, context));
            doubt.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn member_text_doubt(member: &str, text: &str) -> Option<String> {
    if member == LEGAL_BASIS {
        return legal_basis_doubt(text);
    }

    let what = read_off_as(member);
    alphabet_doubt(member, what.is_some(), text).or_else(|| read_off_doubt(what?, text))
}

/// What the text of a member of an event is compared as that is read off a thing, or a reference.
pub(crate) fn read_off_as(member: &str) -> Option<&'static str> {
    let mut all = READ_OFF_THINGS.iter();
    all.find(|(name, _)| *name == member).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests;
