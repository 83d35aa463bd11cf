//! A vehicle that one officer alone sent back and let out.
//!
//! The exit of whoever was sent back takes no clearing. Whoever lets a vehicle go into the country
//! without one would say so, too: then it lacks what any other exit does.

use super::{
    Says,
    beside::{open_check, unseen_anomaly},
};
use crate::{Contradiction, Dossier, Fact, Facts};
use serde_json::json;
use wadi_record::Lack;

/// The exit of the anchor, by the word of one officer alone, and what lacked.
pub(super) fn let_out_alone(dossier: &Dossier) -> Option<Contradiction> {
    let truck = &dossier.anchor;
    // A car or a coach whose people may not come in is sent back at the barrier, by whoever is
    // there.
    let has_people = truck.field_when_let_go("purpose") == Some("passengers");
    if !truck.is_passage() || has_people && !truck.carries_goods() {
        return None;
    }

    let out = dossier.let_out_alone(truck)?.first();
    let is_told = truck.unfounded().any(|(act, _)| act.id() == out.id());
    let (lack, name) = lacking(dossier, out).filter(|_| !is_told)?;

    let says = Says::Alone {
        officer: out.officer(),
        record: truck.printed(),
        lack,
    };
    let evidence = json!({
        "officer": out.officer(),
        "lacks": [name],
        "left_ms": out.at_ms(),
    });

    // Somebody else may have sent it back, or opened for it, and written that beside the exit; and
    // a hold may tell that its goods went back.
    let due_ms = dossier.within_doubt(out.known_from_ms());
    let back = truck.said_by(&["turned_back"]);
    Some(
        Contradiction::new("let out alone", out.at_ms(), says, evidence)
            .until([truck.crossing(), "HUB"], due_ms)
            .citing(truck, [out.entry()].into_iter().chain(back)),
    )
}

/// What an exit lacked that led nobody back, by what was known then: as the sentence and as the
/// fold of states name it.
fn lacking(dossier: &Dossier, out: Fact<'_>) -> Option<(&'static str, &'static str)> {
    let truck = &dossier.anchor;
    if !was_cleared(truck, out) {
        return Some(("clearance", Lack::Clearance.name()));
    }
    if open_check([truck, truck], &out).is_some() {
        return Some(("closed-check", Lack::ClosedCheck.name()));
    }

    let anomaly = unseen_anomaly(dossier, truck, out);
    anomaly.map(|_| ("anomaly", Lack::CheckOfAnomaly.name()))
}

fn was_cleared(truck: &Facts, out: Fact<'_>) -> bool {
    let mut cleared = truck.events("cleared");
    cleared.any(|e| e.at_ms() <= out.at_ms() && e.known_from_ms() <= out.known_from_ms())
}

#[cfg(test)]
mod tests {
    use crate::{Phase, reconcile, tests::*};
    use serde_json::{Value as Json, json};

    fn by(officer: &str, kind: &str, at_ms: i64) -> Json {
        let mut said = event(kind, at_ms, json!({}));
        said["officer"] = officer.into();
        said
    }

    /// A truck that OF-1 sent back at 500 and that somebody let out, with more events.
    fn found(purpose: &str, gate: &str, more: &[Json]) -> Vec<Phase> {
        let said = [by("OF-1", "turned_back", 500), by(gate, "gate.out", 900)];
        let fields = json!({"direction": "in", "purpose": purpose});
        let truck = passage("P1", fields, &[more, &said].concat());
        firm("R31", truck.state_is("TURNED_BACK"), vec![])
    }

    #[test]
    fn a_truck_that_one_officer_sends_back_and_lets_out_left_without_a_clearing() {
        assert_eq!(found("goods", "OF-1", &[]), [Phase::Firm]);
        assert_eq!(found("empty", "OF-1", &[]), [Phase::Firm]);
        assert_eq!(found("goods", "OF-2", &[]), [], "two know of it");
        assert_eq!(found("goods", "", &[]), [], "a device saw it go");
        assert_eq!(found("passengers", "OF-1", &[]), [], "at the barrier");

        let cleared = || by("OF-8", "cleared", 100);
        assert_eq!(found("goods", "OF-1", &[cleared()]), []);
        let check = by("OF-9", "check.opened", 200);
        let checked = found("goods", "OF-1", &[cleared(), check]);
        assert_eq!(checked, [Phase::Firm], "a check of it was open");
    }

    #[test]
    fn it_says_who_and_waits_for_what_others_write_at_that_visit() {
        let said = [by("OF-1", "turned_back", 500), by("OF-1", "gate.out", 900)];
        let fields = json!({"direction": "in", "purpose": "goods"});
        let truck = passage("P1", fields, &said).state_is("TURNED_BACK");

        let at = |received_ms| phases("R31", &dossier(truck.clone(), vec![], received_ms));
        assert_eq!(at(900 + 600_000 - 1), [Phase::Pending]);
        assert_eq!(at(900 + 600_000), [Phase::Firm]);
        let all = reconcile(&dossier(truck.clone(), vec![], i64::MAX));
        let found = all.iter().find(|f| f.rule.code == "R31");
        let found = found.expect("it is told");
        assert_eq!(found.contradiction.sentence.id, "R31-let-out-alone");
        assert_eq!(found.contradiction.evidence["officer"], "OF-1");
    }
}
