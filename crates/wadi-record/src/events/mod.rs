//! Every type of event, who may say it, and what it holds.
//!
//! An event is one canonical JSON object (RFC 8785) with a `type`. What it does, asks for and is
//! found by stands in its row of one table, `table/`, whose columns are in `columns.rs`. Events of
//! a type unknown here are kept, merged and shown as unknown, and let nothing go; only what is
//! written *here* is checked against the table.

mod check;
mod columns;
mod row;
mod table;
mod value_type;

pub use check::check_event;
pub use columns::{
    Asks, Begins, Departments, Effect, EventType, Gives, Member, Revoked, Right, Term, TermValue,
    Together,
};
pub use value_type::ValueType;
pub(crate) use value_type::is_day;

use crate::Guarded;
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Every type of event: first the services of a crossing point in the order of the commission's
/// list, then the life of each kind of record.
pub static EVENTS: &[EventType] = &table::joined();

/// The channels of a customs entry, the least strict first. On the wire a channel is a `lane`.
pub(crate) const CHANNELS: [&str; 4] = ["GREEN", "BLUE", "YELLOW", "RED"];
const OUTCOMES: [&str; 3] = [SATISFACTORY, UNSATISFACTORY, "inconclusive"];
/// The one outcome of a laboratory that does not speak against a release.
pub(crate) const SATISFACTORY: &str = "satisfactory";
/// The outcome of a laboratory by which goods are bad.
pub(crate) const UNSATISFACTORY: &str = "unsatisfactory";

/// The event that brings an officer's own signature over the rest of its entry.
pub const SIGNATURE_EVENT: &str = "decision.signed";

/// Decisions that rest on fields of their record, besides those that guard them; and the one after
/// which a declarant's import is over.
const RESTED_ON: [&str; 8] = [
    "cleared",
    "gate.out",
    "released",
    "conditional",
    "rad.adjudicated",
    "registered",
    "paid",
    "entry.released",
];

/// The type of that name.
pub fn event_type(name: &str) -> Option<&'static EventType> {
    static BY_NAME: LazyLock<HashMap<&str, &EventType>> =
        LazyLock::new(|| EVENTS.iter().map(|e| (e.name, e)).collect());

    BY_NAME.get(name).copied()
}

/// Types of events from which on some fields of their record are guarded.
pub(crate) fn guarding(fields: Guarded) -> impl Iterator<Item = &'static str> {
    let of = EVENTS.iter().filter(move |e| e.guards == fields);
    of.map(|e| e.name)
}

/// Whether entries that say such an event are asked for while others are judged: for the fields
/// that it guards, for what is changed after it, or by an event that may only be said after it.
pub(crate) fn is_asked_for(event: &EventType) -> bool {
    static CONDITIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let asked_for = |e: &EventType| match e.asks {
            Asks::Seen { event, .. } => Some(event),
            _ => None,
        };
        EVENTS.iter().filter_map(asked_for).collect()
    });

    event.guards != Guarded::Never
        || RESTED_ON.contains(&event.name)
        || CONDITIONS.contains(event.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Department,
        Kind::{self, CustomsEntry as E, Passage as P, QuarantineHold as H, SiteDay as S},
        RecordError,
    };
    use serde_json::{Value, json};

    fn check(kind: Kind, event: Value) -> Result<String, RecordError> {
        check_event(kind, event.as_object().unwrap())
    }

    #[test]
    fn the_table_is_well_formed_and_every_department_is_in_it() {
        for event in EVENTS {
            assert!(
                !event.members.is_empty() && !event.kinds.is_empty(),
                "{}",
                event.name
            );

            assert_eq!(
                EVENTS.iter().filter(|e| e.name == event.name).count(),
                1,
                "{}",
                event.name
            );
        }

        for department in Department::ALL {
            assert!(
                EVENTS.iter().any(|e| e.departments.names(department)),
                "{department} says nothing"
            );
        }
    }

    #[test]
    fn an_event_is_checked_and_made_canonical() {
        let text = check(
            P,
            json!({"type": "weighed", "scale": "S1", "gross_kg": 31240}),
        )
        .unwrap();

        assert_eq!(text, r#"{"gross_kg":31240,"scale":"S1","type":"weighed"}"#);

        let whole = json!({
            "type": "weighed",
            "scale": "S",
            "gross_kg": 40,
            "tare_kg": 10,
            "net_kg": 30,
            "calibration_due": "2020-11-24",
        });
        check(P, whole).unwrap();

        for (kind, event, code) in [
            (
                P,
                json!({"type": "wieghed", "scale": "S1"}),
                "unknown_event",
            ),
            (S, json!({"type": "weighed", "scale": "S1"}), "wrong_kind"),
            (P, json!({"type": "weighed"}), "bad_value"),
            (
                P,
                json!({"type": "weighed", "scale": "S1", "gross_kg": "31"}),
                "bad_value",
            ),
            (
                P,
                json!({"type": "weighed", "scale": "S1", "gros_kg": 31}),
                "bad_value",
            ),
            (P, json!({"type": "diverted", "to": "nowhere"}), "bad_value"),
            (
                P,
                json!({
                    "type": "weighed",
                    "scale": "S",
                    "gross_kg": 40,
                    "tare_kg": 10,
                    "net_kg": 20,
                }),
                "bad_value",
            ),
            (
                P,
                json!({"type": "weighed", "scale": "S", "calibration_due": "2020/11/24"}),
                "bad_value",
            ),
            (
                P,
                json!({"type": "weighed", "scale": "S", "calibration_due": "20201124"}),
                "bad_value",
            ),
            (
                P,
                json!({"type": "weighed", "scale": "S", "calibration_due": "2020-11-31"}),
                "bad_value",
            ),
            (
                P,
                json!({"type": "weighed", "scale": "S", "calibration_due": " 2020-11-24 "}),
                "bad_value",
            ),
            (
                E,
                json!({"type": "lane.assigned", "lane": "PINK"}),
                "bad_value",
            ),
            (
                H,
                json!({"type": "rad.adjudicated", "code": 12}),
                "bad_value",
            ),
        ] {
            assert_eq!(
                check(kind, event.clone()).unwrap_err().code(),
                code,
                "{event}"
            );
        }
    }

    #[test]
    fn what_a_row_names_exists() {
        for event in EVENTS {
            let has = |member: &str| event.members.iter().any(|m| m.name == member);
            let name = event.name;

            for (n, member) in event.members.iter().enumerate() {
                let before = &event.members[..n];
                assert!(
                    member.name != "type" && before.iter().all(|m| m.name != member.name),
                    "{name}.{}",
                    member.name
                );
            }

            match event.begins {
                Begins::Named(member) | Begins::AlarmIf(member, _) => {
                    assert!(has(member), "{name}")
                }
                Begins::Nothing | Begins::Alarm(_) => {}
            }

            match event.together {
                Together::Free => {}
                Together::ReadOrReason => assert!(has("read") && has("reason"), "{name}"),
                Together::MassesAgree => {
                    assert!(has("gross_kg") && has("tare_kg") && has("net_kg"), "{name}")
                }
                Together::InOrder(first, last) => assert!(has(first) && has(last), "{name}"),
            }

            if let Asks::Seen { event: other, .. } = event.asks {
                assert!(event_type(other).is_some(), "{name} asks for {other}");
            }

            for term in event.terms {
                match term.value {
                    TermValue::Member(member) | TermValue::OfficerIf(member) => {
                        assert!(has(member), "{name}")
                    }
                    TermValue::Members(one, other) | TermValue::MemberOfSome(one, other) => {
                        assert!(has(one) && has(other), "{name}")
                    }
                    TermValue::Officer | TermValue::Always(_) => {}
                }
            }
        }
    }

    #[test]
    fn what_is_under_way_passes_and_what_is_decided_is_found_by_its_officer() {
        let under_way = EVENTS.iter().filter(|e| e.under_way);
        assert!(under_way.clone().all(|e| e.kinds.contains(&P)));
        assert!(under_way.count() > 0);

        // The fold of holds names the state that an end of the goods comes to after its event.
        for end in EVENTS.iter().filter(|e| e.effect == Effect::Ends) {
            let state = end.name.to_uppercase();
            assert!(crate::STATE_NAMES.contains(&state.as_str()), "{}", end.name);
        }

        let decided = EVENTS.iter().filter(|e| e.decision);
        assert!(decided.clone().all(|e| e.terms.contains(&columns::ACTS)));
        assert!(decided.count() > 0);
    }
}
