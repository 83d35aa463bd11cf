//! Every type of event, who may say it, and what it holds.
//!
//! An event is one canonical JSON object (RFC 8785) with a `type`. Events of a type unknown here
//! are kept, merged and shown as unknown; only what is written *here* is checked against the table.

use crate::{
    Department::{self, *},
    Kind::{self, CustomsEntry as E, Passage as P, QuarantineHold as H, SiteDay as S},
    RecordError,
    error::nearest,
};
use serde_json::{Map, Value};

/// What a member of an event holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// Yes or no.
    Flag,
    /// A Unix time in milliseconds.
    Time,
    /// A list of whole numbers.
    Ints,
    /// A list of text.
    Texts,
}

/// A type of event.
#[derive(Debug)]
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// The kinds of records that have it.
    pub kinds: &'static [Kind],
    /// The departments that may say it unless the policy in force says otherwise; empty: the owner
    /// of the hold, or any.
    pub departments: &'static [Department],
    /// Members as `name:type`, a required one with `!`: t text, i int, n number, b flag, d time, I
    /// ints, T texts.
    members: &'static str,
}

const fn ev(
    name: &'static str,
    kinds: &'static [Kind],
    departments: &'static [Department],
    members: &'static str,
) -> EventType {
    EventType {
        name,
        kinds,
        departments,
        members,
    }
}

/// Every type of event: first the services of a crossing point in the order of the commission's
/// list, then the life of each kind of record.
pub const EVENTS: &[EventType] = &[
    // Entrances.
    ev(
        "gate.in",
        &[P],
        &[Port],
        "gate:t! direction:t lane:i read:t reason:t",
    ),
    ev(
        "gate.out",
        &[P],
        &[Port],
        "gate:t! direction:t lane:i read:t reason:t",
    ),
    ev(
        "turned_back",
        &[P],
        &[Port, Pas],
        "gate:t direction:t lane:i reason:t!",
    ),
    // Electrical gates: sonar, scale, biometric.
    ev(
        "gate.read",
        &[P],
        &[Ops, Port, Pas],
        "plate_raw:t container:t axle_kg:I biometric_score:n device:t! device_seq:i!",
    ),
    // Balanced scales.
    ev(
        "weighed",
        &[P, E],
        &[Ops, Cus],
        "gross_kg:i tare_kg:i net_kg:i scale:t! calibration_due:t ticket:t device_seq:i attested_by:t attester_department:t",
    ),
    ev(
        "weighing.disputed",
        &[P, E],
        &[Cus],
        "weighing:t! reason:t!",
    ),
    // Sonar machines, persons and luggage.
    ev(
        "scanned",
        &[P, H],
        &[Ops, Sec],
        "image_sha256:t! image_bytes:i place:t anomaly:b operator:t attested_by:t attester_department:t",
    ),
    // Radiological testing machines and laboratory.
    ev(
        "rad.alarm",
        &[H],
        &[Ops, Rad],
        "occupancy:t gamma:n neutron:n lane:i device:t device_seq:i",
    ),
    ev(
        "rad.adjudicated",
        &[H],
        &[Rad],
        "sample:t isotopes:T dose_rate_usv_h:n code:i! secondary:t attested_by:t attester_department:t",
    ),
    // Health laboratory, and the laboratories of all specialised departments.
    ev(
        "sample.taken",
        &[H],
        &[Hlt, Agr, Vet, Cos, Rad],
        "sample:t! subject:t test:t due_at:d",
    ),
    ev(
        "result.issued",
        &[H],
        &[Hlt, Agr, Vet, Cos],
        "sample:t! subject:t test:t method:t lab:t result:t! outcome:t! due_at:d attested_by:t attester_department:t",
    ),
    ev(
        "result.amended",
        &[H],
        &[Hlt, Agr, Vet, Cos],
        "sample:t! method:t lab:t result:t! outcome:t! reason:t attested_by:t attester_department:t",
    ),
    // Testing, searching and control laboratories.
    ev(
        "search.opened",
        &[H, E],
        &[Cus, Sec],
        "seal_before:t reason:t",
    ),
    ev(
        "search.found",
        &[H, E],
        &[Cus, Sec],
        "seal_before:t seal_after:t findings:t! contraband:b seizure_no:t",
    ),
    // Dogs.
    ev(
        "k9.indicated",
        &[H],
        &[K9, Sec],
        "dog:t! handler:t! target:t!",
    ),
    ev("k9.clear", &[H], &[K9, Sec], "dog:t! handler:t!"),
    // Cooled and non-cooled stores.
    ev(
        "store.in",
        &[H],
        &[Agr, Vet, Hlt, Cus],
        "slot:t! quantity:i packages:i mass_g:i temp_c:n",
    ),
    ev(
        "store.out",
        &[H],
        &[Agr, Vet, Hlt, Cus],
        "slot:t! quantity:i packages:i mass_g:i temp_c:n",
    ),
    ev(
        "store.temperature",
        &[H],
        &[Agr, Vet, Hlt],
        "slot:t! temp_c:n! device:t device_seq:i",
    ),
    ev(
        "store.counted",
        &[H],
        &[Cus, Agr],
        "slot:t! packages:i! mass_g:i",
    ),
    // Shaded waiting areas.
    ev("parked", &[P], &[Port], "bay:t!"),
    ev("unparked", &[P], &[Port], "bay:t!"),
    // Cameras, surveillance.
    ev(
        "sighted",
        &[P],
        &[Port, Sec],
        "camera:t! clip_sha256:t clip_bytes:i place:t from:d until:d",
    ),
    // Services offices: charging, discharging.
    ev(
        "unloaded",
        &[P, H],
        &[Ops, Cus],
        "order:t seals:T packages:i!",
    ),
    ev(
        "reloaded",
        &[P, H],
        &[Ops, Cus],
        "order:t seals:T packages:i!",
    ),
    ev(
        "transhipped",
        &[P, H],
        &[Ops, Cus],
        "order:t seals:T packages:i! to_plate:t",
    ),
    // IT and internet centre.
    ev("link.up", &[S], &[It], "link:t!"),
    ev("link.down", &[S], &[It], "link:t!"),
    ev("software.version", &[S], &[It], "version:t! component:t"),
    ev(
        "certificate.expiry",
        &[S],
        &[It],
        "certificate:t! expires_at:d!",
    ),
    ev("restarted", &[S], &[It], "component:t! reason:t"),
    ev(
        "replica.digest",
        &[S],
        &[It],
        "scope:t! entries:t! documents:t! states:t!",
    ),
    // Power station, water.
    ev("power.lost", &[S], &[Ops], "source:t! battery_minutes:i"),
    ev("power.back", &[S], &[Ops], "source:t! battery_minutes:i"),
    ev("water.breach", &[S], &[Ops, Hlt], "plant:t! what:t!"),
    // Fuel station, rest houses, VIP building, medical care centre.
    ev("fuelled", &[P], &[Ops], "plate:t! litres:n!"),
    ev(
        "stayed",
        &[P],
        &[Ops, Pas],
        "document_hash:t! check_in:d! check_out:d house:t",
    ),
    ev("vip.arrived", &[P], &[Port, Hlt], "protocol:t!"),
    ev("referred", &[P], &[Port, Hlt], "clinic:t! reason:t"),
    // Department buildings, sleeping halls.
    ev("shift.on", &[S], &[Port], "officer:t! department:t!"),
    ev("shift.off", &[S], &[Port], "officer:t! department:t!"),
    // The life of a passage.
    ev("person.admitted", &[P], &[Pas], "document_hash:t! visa:t"),
    ev(
        "status.noted",
        &[P],
        &[Port, Cus, Pas, Ops],
        "status:t! cleared_at:d",
    ),
    ev(
        "check.opened",
        &[P],
        &[Port, Cus, Pas, Agr, Vet, Hlt, Cos, Rad, Sec],
        "check:t!",
    ),
    ev(
        "check.closed",
        &[P],
        &[Port, Cus, Pas, Agr, Vet, Hlt, Cos, Rad, Sec],
        "check:t! result:t",
    ),
    ev("cleared", &[P], &[Port, Cus], "until:d"),
    ev("diverted", &[P], &[Port, Hub], "to:t! reason:t"),
    ev("arrived", &[P], &[Port], "from:t"),
    ev("abandoned", &[P], &[Port, Sec], "reason:t!"),
    ev("voided", &[P], &[Port], "reason:t!"),
    // The life of a hold.
    ev(
        "hold.placed",
        &[H],
        &[],
        "type_of_hold:t! legal_basis:t! reason:t",
    ),
    ev("release.requested", &[H], &[], "holds:T reason:t"),
    ev(
        "released",
        &[H],
        &[],
        "holds:T! second_officer:t! reason:t token:t",
    ),
    ev(
        "conditional",
        &[H],
        &[],
        "holds:T! conditions:t! second_officer:t!",
    ),
    ev("rejected", &[H], &[], "reason:t!"),
    ev("re_exported", &[H], &[], "passage:t"),
    ev("destroyed", &[H], &[], "method:t! witness:t!"),
    ev("seized", &[H], &[Cus, Sec], "seizure_no:t!"),
    ev("recalled", &[H], &[], "reason:t!"),
    ev("token.spent", &[H], &[], "token:t!"),
    // The life of a customs entry.
    ev("registered", &[E], &[Cus], "registration_no:t!"),
    ev("lane.assigned", &[E], &[Cus], "lane:t!"),
    ev("lane.lowered", &[E], &[Cus], "lane:t! reason:t!"),
    ev(
        "inspected",
        &[E],
        &[Cus],
        "result:t! attested_by:t attester_department:t",
    ),
    ev("queried", &[E], &[Cus], "question:t!"),
    ev("query.answered", &[E], &[Cus], "query:t! answer:t!"),
    ev("assessed", &[E], &[Cus], "duty_minor:i! currency:t!"),
    ev(
        "paid",
        &[E],
        &[Cus],
        "amount_minor:i! currency:t! receipt:t!",
    ),
    ev("entry.released", &[E], &[Cus], "release_no:t"),
    ev("entry.exited", &[E], &[Cus, Port], "gate:t"),
    ev("cancel.requested", &[E], &[Cus], "reason:t!"),
    ev("cancelled", &[E], &[Cus], "reason:t!"),
    // Any record.
    ev("link", &[P, H, E], &[], "record:t! why:t item:i"),
    ev("handed_over", &[P, H, E], &[], "to:t! reason:t"),
    ev("remark", &[P, H, E, S], &[], "text:t!"),
    // What the hub publishes on an anchor record.
    ev(
        "finding",
        &[P, H, E, S],
        &[Hub],
        "finding:t! rule:t! phase:t! evidence:t! text:t",
    ),
    ev(
        "finding.assigned",
        &[P, H, E, S],
        &[Hub],
        "finding:t! assignee:t!",
    ),
    ev(
        "finding.proposed",
        &[P, H, E, S],
        &[Hub],
        "finding:t! evidence:t! resolution:t! reason:t!",
    ),
    ev(
        "finding.decided",
        &[P, H, E, S],
        &[Hub],
        "finding:t! evidence:t! proposal:t! decision:t! reason:t",
    ),
    ev(
        "finding.undone",
        &[P, H, E, S],
        &[Hub],
        "finding:t! undoes:t! reason:t!",
    ),
];

/// The type of that name.
pub fn event_type(name: &str) -> Option<&'static EventType> {
    EVENTS.iter().find(|e| e.name == name)
}

impl EventType {
    /// Name, type and whether required, of every member.
    pub fn members(&self) -> impl Iterator<Item = (&'static str, ValueType, bool)> {
        self.members.split_whitespace().map(|m| {
            let (name, code) = m.split_once(':').expect("name:type in the table");
            let kind = match code.trim_end_matches('!') {
                "t" => ValueType::Text,
                "i" => ValueType::Int,
                "n" => ValueType::Number,
                "b" => ValueType::Flag,
                "d" => ValueType::Time,
                "I" => ValueType::Ints,
                "T" => ValueType::Texts,
                other => unreachable!("type {other:?} in the table"),
            };

            (name, kind, code.ends_with('!'))
        })
    }
}

/// Checks that an event may be drafted on a record of that kind, and returns its canonical text.
pub fn check_event(kind: Kind, event: &Map<String, Value>) -> Result<String, RecordError> {
    let name = event
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(found) = event_type(name) else {
        let suggestion = nearest(name, EVENTS.iter().map(|e| e.name));
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

    let bad = |member: &str, why: &str| {
        Err(RecordError::BadValue {
            field: format!("{name}.{member}"),
            why: why.into(),
        })
    };

    for (member, value_type, required) in found.members() {
        match event.get(member) {
            // RFC 8785 writes numbers as IEEE doubles: beyond 2^53 a whole number would change
            // unseen.
            Some(value) if value.as_i64().is_some_and(|i| i.unsigned_abs() > 1 << 53) => {
                return bad(member, "is beyond 2^53, which JSON cannot hold exactly");
            }
            None if required => return bad(member, "is required"),
            Some(value) if !value_type.fits(value) => return bad(member, value_type.expected()),
            _ => {}
        }
    }

    for member in event.keys().filter(|m| *m != "type") {
        if !found.members().any(|(n, ..)| n == member) {
            let near = nearest(member, found.members().map(|(n, ..)| n));
            let near = near
                .map(|n| format!("; did you mean {n:?}?"))
                .unwrap_or_default();
            return bad(member, &format!("is not a member of {name}{near}"));
        }
    }

    if let "weighed" = name
        && let Some((member, why)) = wrong_weighing(event)
    {
        return bad(member, &why);
    }

    match name {
        "rad.adjudicated" if !(1..=11).contains(&event["code"].as_i64().unwrap_or(0)) => {
            bad("code", "adjudication codes are 1 to 11")
        }
        "gate.in" | "gate.out" if !event.contains_key("read") && !event.contains_key("reason") => {
            bad(
                "read",
                "is required: a device's read, or a `reason` why there is none",
            )
        }
        "hold.placed"
            if crate::HoldType::from_name(event["type_of_hold"].as_str().unwrap_or_default())
                .is_none() =>
        {
            bad("type_of_hold", "is no type of hold")
        }
        "diverted" | "handed_over"
            if event["to"]
                .as_str()
                .is_none_or(|t| t.parse::<wadi_log::Crossing>().is_err()) =>
        {
            bad("to", "is not a crossing's code")
        }
        "finding.proposed"
            if !["RESOLVED", "WAIVED"]
                .contains(&event["resolution"].as_str().unwrap_or_default()) =>
        {
            bad("resolution", "is none of RESOLVED, WAIVED")
        }
        "finding.decided"
            if !["APPROVED", "REJECTED"]
                .contains(&event["decision"].as_str().unwrap_or_default()) =>
        {
            bad("decision", "is none of APPROVED, REJECTED")
        }
        "lane.assigned" | "lane.lowered"
            if !LANES.contains(&event["lane"].as_str().unwrap_or_default()) =>
        {
            bad("lane", "is none of GREEN, BLUE, YELLOW, RED")
        }
        "result.issued" | "result.amended"
            if !OUTCOMES.contains(&event["outcome"].as_str().unwrap_or_default()) =>
        {
            bad(
                "outcome",
                "is none of satisfactory, unsatisfactory, inconclusive",
            )
        }
        _ => Ok(serde_json_canonicalizer::to_string(event)
            .expect("a JSON object of text, numbers and lists serialises")),
    }
}

/// What a weighing says that cannot be: three masses that do not agree, or a day that is none.
fn wrong_weighing(event: &Map<String, Value>) -> Option<(&'static str, String)> {
    let kg = |member: &str| event.get(member).and_then(Value::as_i64);
    if let Some(net) = kg("net_kg")
        && let Some(gross) = kg("gross_kg")
        && let Some(tare) = kg("tare_kg")
        && net != gross - tare
    {
        return Some((
            "net_kg",
            format!("{net} is not the gross {gross} less the tare {tare}"),
        ));
    }

    // Rules compare it as text with the day of the weighing.
    let due = event.get("calibration_due").and_then(Value::as_str)?;
    let is_day = due.len() == 10 && due.bytes().all(|c| c.is_ascii_digit() || c == b'-');

    match is_day && due.parse::<jiff::civil::Date>().is_ok() {
        true => None,
        false => Some((
            "calibration_due",
            format!("{due:?} is no day, as 2026-03-01"),
        )),
    }
}

/// The lanes of a customs entry, the least strict first.
pub(crate) const LANES: [&str; 4] = ["GREEN", "BLUE", "YELLOW", "RED"];
const OUTCOMES: [&str; 3] = ["satisfactory", "unsatisfactory", "inconclusive"];

impl ValueType {
    fn fits(self, value: &Value) -> bool {
        let list = |each: fn(&Value) -> bool| value.as_array().is_some_and(|a| a.iter().all(each));
        match self {
            Self::Text => value.as_str().is_some_and(|t| !t.is_empty()),
            Self::Int | Self::Time => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::Ints => list(Value::is_i64),
            Self::Texts => list(Value::is_string),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Text => "expected text that is not empty",
            Self::Int => "expected a whole number",
            Self::Number => "expected a number",
            Self::Flag => "expected true or false",
            Self::Time => "expected a Unix time in milliseconds",
            Self::Ints => "expected a list of whole numbers",
            Self::Texts => "expected a list of text",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: Kind, event: Value) -> Result<String, RecordError> {
        check_event(kind, event.as_object().unwrap())
    }

    #[test]
    fn the_table_is_well_formed_and_every_department_is_in_it() {
        for event in EVENTS {
            assert!(
                event.members().count() > 0 && !event.kinds.is_empty(),
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
                EVENTS.iter().any(|e| e.departments.contains(&department)),
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

        let whole = json!({"type": "weighed", "scale": "S", "gross_kg": 40, "tare_kg": 10, "net_kg": 30, "calibration_due": "2020-11-24"});
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
                json!({"type": "weighed", "scale": "S", "gross_kg": 40, "tare_kg": 10, "net_kg": 20}),
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
}
