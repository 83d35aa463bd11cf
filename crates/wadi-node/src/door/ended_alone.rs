//! Whether whoever ends a hold does so alone: by the same words as R02, which tells of a vehicle
//! that goes inland after it. A release asks for a second officer; who says that goods were seized,
//! destroyed or sent back may be alone with them, and is told what that looks like.

use super::write::Write;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use wadi_record::{Effect, event_type, normalise_reference};

/// The text of a member of an event.
fn text<'a>(event: &'a Map<String, Json>, member: &str) -> Option<&'a str> {
    event.get(member).and_then(Json::as_str)
}

/// The ends of a hold that a write says with no other officer beside.
pub(super) fn ended_alone(write: &Write) -> BTreeSet<String> {
    let own = normalise_reference(&write.officer);
    let is_alone = |event: &Map<String, Json>| {
        let second = text(event, "second_officer");
        second.is_none_or(|second| normalise_reference(second) == own)
    };

    let events = write.draft.events.iter().filter(|event| is_alone(event));
    events
        .filter_map(|event| text(event, "type"))
        .filter(|kind| event_type(kind).is_some_and(|row| row.effect == Effect::Ends))
        .map(String::from)
        .collect()
}

/// What an officer is told who ended a hold alone with these, his own one where he had placed it.
pub(super) fn told_alone(kinds: &BTreeSet<String>, officer: &str, is_own: bool) -> Vec<String> {
    let told = kinds.iter().map(|event| match is_own {
        true => format!(
            "{event}: {officer} alone ended the hold that the same officer placed, and no second \
             officer is named: if its vehicle goes inland, that is a finding (R02), unless \
             somebody else writes before what came off it"
        ),
        false => format!(
            "{event}: {officer} alone ended the hold, and no second officer is named: if its \
             vehicle goes inland, that is a finding (R02), unless somebody else writes before \
             what came off it"
        ),
    });
    told.collect()
}

/// Whether an officer placed one of these holds, by the projection of their record.
pub(super) fn was_placed_by(officer: &str, holds: &[String], record: &str) -> bool {
    let record: Json = serde_json::from_str(record).unwrap_or_default();
    let own = normalise_reference(officer);
    let mut events = record["events"].as_array().into_iter().flatten();

    events.any(|event| {
        let text = |member: &str| event[member].as_str().unwrap_or_default();
        let is_placement = holds.iter().any(|hold| hold == text("id"));
        is_placement && normalise_reference(text("officer")) == own
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::write::Target;
    use serde_json::json;
    use wadi_record::QuarantineHold;

    #[test]
    fn who_ends_alone_is_one_beside_whom_no_other_is_named() {
        let alone = |kind: &str, members: Json| {
            let draft = QuarantineHold::on().event(kind, members);
            ended_alone(&Write::by("OF-1", "CUS", Target::New(None), draft))
        };
        let seized = BTreeSet::from(["seized".to_string()]);

        assert_eq!(alone("seized", json!({"seizure_no": "1"})), seized);
        let own = json!({"seizure_no": "1", "second_officer": "of-1"});
        assert_eq!(alone("seized", own), seized, "the same person");
        let two = json!({"seizure_no": "1", "second_officer": "OF-2"});
        assert_eq!(alone("seized", two), BTreeSet::new());
        assert_eq!(alone("rejected", json!({})), BTreeSet::new());
    }

    #[test]
    fn a_hold_is_placed_by_whoever_said_the_event_that_it_began_with() {
        let events = [
            json!({"id": "h1", "officer": "OF-1"}),
            json!({"id": "h2", "officer": "OF-2"}),
        ];
        let record = json!({ "events": events }).to_string();
        let own = |officer: &str, hold: &str| was_placed_by(officer, &[hold.into()], &record);

        assert!(own("OF-1", "h1") && own("of 1", "h1"));
        assert!(!own("OF-1", "h2") && !own("OF-1", "unplaced"));
    }
}
