//! What a draft may say: an event held against its row of the table.

use super::{EVENTS, EventType, Member, Together, event_type};
use crate::{
    Kind, RecordError,
    error::{hint, nearest},
};
use serde_json::{Map, Value};

/// What is wrong with a member: its name, and why.
type Wrong = (&'static str, String);

/// Checks that an event may be drafted on a record of that kind, and returns its canonical text.
pub fn check_event(kind: Kind, event: &Map<String, Value>) -> Result<String, RecordError> {
    let name = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(found) = event_type(name) else {
        let suggestion = nearest(name, EVENTS.iter().map(|e| e.name)).map(String::from);
        return Err(RecordError::UnknownEvent {
            event: name.into(),
            suggestion,
        });
    };

    if !found.kinds.contains(&kind) {
        let belongs = found
            .kinds
            .iter()
            .map(|k| k.name())
            .collect::<Vec<_>>()
            .join(", ");

        return Err(RecordError::WrongKind {
            event: name.into(),
            kind: kind.name(),
            belongs,
        });
    }

    let bad = |member: &str, why: String| RecordError::BadValue {
        field: format!("{name}.{member}"),
        why,
    };

    // Forms before values: whoever names a member wrongly is told that first.
    let wrong_form = found.members.iter().find_map(|m| wrong_form(m, event));
    if let Some((member, why)) = wrong_form {
        return Err(bad(member, why));
    }

    if let Some((member, why)) = foreign_member(found, event) {
        return Err(bad(member, why));
    }

    let wrong_value = || found.members.iter().find_map(|m| wrong_value(m, event));
    if let Some((member, why)) = wrong_together(found.together, event).or_else(wrong_value) {
        return Err(bad(member, why));
    }

    Ok(serde_json_canonicalizer::to_string(event)
        .expect("a JSON object of text, numbers and lists serialises"))
}

fn wrong_form(member: &Member, event: &Map<String, Value>) -> Option<Wrong> {
    let why = match event.get(member.name) {
        // RFC 8785 writes numbers as IEEE doubles: beyond 2^53 a whole number would change
        // unseen.
        Some(value) if value.as_i64().is_some_and(|i| i.unsigned_abs() > 1 << 53) => {
            "is beyond 2^53, which JSON cannot hold exactly"
        }
        Some(value) => member.value.wrong_form(value)?,
        None if member.required => "is required",
        None => return None,
    };

    Some((member.name, why.into()))
}

fn foreign_member<'e>(
    found: &EventType,
    event: &'e Map<String, Value>,
) -> Option<(&'e str, String)> {
    let names = || found.members.iter().map(|m| m.name);
    let foreign = event
        .keys()
        .find(|given| *given != "type" && !names().any(|n| n == *given))?;

    let near = hint(&nearest(foreign, names()));

    Some((foreign, format!("is not a member of {}{near}", found.name)))
}

fn wrong_value(member: &Member, event: &Map<String, Value>) -> Option<Wrong> {
    let why = member.value.wrong_value(event.get(member.name)?)?;
    Some((member.name, why))
}

fn wrong_together(together: Together, event: &Map<String, Value>) -> Option<Wrong> {
    match together {
        Together::Free => None,
        Together::ReadOrReason => {
            let is_given = event.contains_key("read") || event.contains_key("reason");
            let why = "is required: a device's read, or a `reason` why there is none";
            (!is_given).then(|| ("read", why.into()))
        }
        Together::MassesAgree => {
            let kg = |member: &str| event.get(member).and_then(Value::as_i64);
            let gross = kg("gross_kg")?;
            let more_than_gross = |member: &'static str| {
                let part = kg(member).filter(|part| *part > gross)?;
                Some((member, format!("{part} is more than the gross {gross}")))
            };

            let disagree = || {
                let (net, tare) = (kg("net_kg")?, kg("tare_kg")?);
                let why = format!("{net} is not the gross {gross} less the tare {tare}");
                (net != gross - tare).then_some(("net_kg", why))
            };

            more_than_gross("net_kg")
                .or_else(|| more_than_gross("tare_kg"))
                .or_else(disagree)
        }
        Together::InOrder(first, last) => {
            let ms = |member: &str| event.get(member).and_then(Value::as_i64);
            let (from, until) = (ms(first)?, ms(last)?);
            (until < from).then(|| (last, format!("{until} is before `{first}`, {from}")))
        }
    }
}
