//! What the events and fields of a record say that holds know it by.

use super::{MOVED_MS, moves_nothing};
use crate::{TermValue, event_type, normal::member_term};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// When it was written that goods went over, as a term.
pub(super) fn said_term(known_ms: i64) -> (String, String) {
    (MOVED_MS.to_string(), known_ms.to_string())
}

/// The terms that the members of an event make, in their normal forms: what it links, and the
/// plates, containers and documents that somebody, or a camera, saw.
pub(super) fn terms_said(event: &Json) -> impl Iterator<Item = (String, String)> {
    let row = event["type"].as_str().and_then(event_type);
    let named = row.map_or(&[][..], |row| row.terms).iter();
    named.filter_map(|named| {
        let data = &event["data"];
        let member = match named.value {
            TermValue::Member(member) => member,
            TermValue::MemberOfSome(member, count) if !moves_nothing(data[count].as_i64()) => {
                member
            }
            _ => return None,
        };

        let said = member_term(named.what, data[member].as_str()?);
        (!said.is_empty()).then(|| (named.what.to_string(), crate::term(&said)))
    })
}

/// When it was written that goods went over to another vehicle, each time.
pub(super) fn words_of_moves(projection: &Json) -> impl Iterator<Item = (String, String)> {
    let events = projection["events"].as_array().into_iter().flatten();
    let moves =
        |e: &&Json| e["type"] == "transhipped" && !moves_nothing(e["data"]["packages"].as_i64());
    let moved = events.filter(|e| restricts(e)).filter(moves);
    moved.filter_map(|e| {
        let at_ms = e["at_ms"].as_i64()?;
        let known_ms = e["entered_ms"].as_i64().map_or(at_ms, |ms| ms.max(at_ms));
        Some(said_term(known_ms))
    })
}

/// An event that counts, or would but for a cut behind which its author stands.
pub(super) fn restricts(event: &Json) -> bool {
    event["refused"].is_null() && (event["counts"] == true || event["quarantined"] == true)
}

/// All texts of a projection's fields, settled and contested.
pub(super) fn texts_of(projection: &Json) -> BTreeMap<&str, Vec<&str>> {
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in projection["fields"].as_object().into_iter().flatten() {
        texts.entry(name).or_default().extend(value.as_str());
    }

    for (name, claims) in projection["contested"].as_object().into_iter().flatten() {
        let claims = claims.as_array().into_iter().flatten();
        let values = claims.filter_map(|claim| claim["value"].as_str());
        texts.entry(name).or_default().extend(values);
    }

    texts
}
