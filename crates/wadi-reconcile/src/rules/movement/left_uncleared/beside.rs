//! What stands on another record of the same stay when a vehicle leaves.
//!
//! A camera and a clerk may begin a record each of one arrival, and whoever begins a second one may
//! mean to leave behind what stands on the first. Whichever record the vehicle leaves by, an open
//! check and an anomaly of any other are held against its exit. Who let it out need not have seen
//! the other record: the sentence accuses nobody.

use super::{Says, hold_looked_into};
use crate::{Contradiction, Dossier, Fact, Facts};
use serde_json::json;
use wadi_record::{KnownBy, Lack};

/// Departments that look into what a scanner found.
const LOOK_INTO_IT: [&str; 3] = ["CUS", "SEC", "HUB"];

/// What lacked on other records of the stay when the vehicle of the anchor left, once for each.
pub(super) fn left_beside(dossier: &Dossier) -> Vec<Contradiction> {
    let truck = &dossier.anchor;
    let is_asked = truck.is_passage()
        && truck.state() != "VOID"
        && truck.has("gate.out")
        && !dossier.went_back(truck);
    if !is_asked {
        return Vec::new();
    }

    let known: Vec<(&Facts, KnownBy)> = dossier
        .of("passage")
        .map(|passage| (passage, passage.known_by()))
        .collect();
    let own = truck.known_by();
    // What a truck left behind once is told of its next record, and not of all that come after.
    let is_over = |other: &KnownBy| {
        let mut between = known
            .iter()
            .filter(|(_, p)| p.is_beside(other, &dossier.policy));
        between.any(|(_, p)| p.left_before(&own, 0))
    };
    let others = known.iter().filter(|(other, known)| {
        let stands = other.state() != "VOID";
        stands && own.is_beside(known, &dossier.policy) && !is_over(known)
    });

    others
        .filter_map(|(other, _)| found(dossier, other))
        .collect()
}

fn found(dossier: &Dossier, other: &Facts) -> Option<Contradiction> {
    let truck = &dossier.anchor;
    let lacks = |out: Fact<'_>| {
        let check = open_check([other, truck], &out).map(|e| ("closed-check", e));
        check.or_else(|| unseen_anomaly(dossier, other, out).map(|e| ("anomaly", e)))
    };
    let mut exits: Vec<Fact<'_>> = truck.events("gate.out").collect();
    exits.sort_by_key(|out| out.at_ms());
    let (out, (lack, said)) = exits.into_iter().find_map(|out| Some((out, lacks(out)?)))?;

    let says = Says::Beside {
        record: truck.printed(),
        other: other.printed(),
        lack,
    };
    let name = match lack {
        "anomaly" => Lack::CheckOfAnomaly.name(),
        _ => Lack::ClosedCheck.name(),
    };
    let evidence = json!({
        "other": other.printed(),
        "lacks": [name],
        "left_ms": out.at_ms(),
    });
    let through_ms = out.known_from_ms();

    Some(
        Contradiction::new(format!("beside {}", other.id), out.at_ms(), says, evidence)
            .until([truck.crossing(), other.crossing(), "HUB"], through_ms)
            .citing(truck, [out.entry()])
            .citing(other, [said.entry()]),
    )
}

/// Whether something was known when a vehicle left, by what is said and by when it was written.
fn was_known(e: &Fact<'_>, out: &Fact<'_>) -> bool {
    e.at_ms() <= out.at_ms() && e.known_from_ms() <= out.known_from_ms()
}

/// A check of the first of these that nothing on either had closed.
pub(super) fn open_check<'a>([other, truck]: [&'a Facts; 2], out: &Fact<'_>) -> Option<Fact<'a>> {
    let is_closed = |check: &Fact<'_>| {
        let closed = [other, truck]
            .into_iter()
            .flat_map(|of| of.events("check.closed"));
        let mut known = closed.filter(|e| was_known(e, out));
        known.any(|e| e.text("check") == Some(check.id()))
    };

    let opened = other
        .said()
        .filter(|e| e.restricts() && e.kind() == "check.opened");
    opened
        .filter(|e| was_known(e, out))
        .find(|check| !is_closed(check))
}

/// The latest anomaly of another record that nobody had looked into on either.
pub(super) fn unseen_anomaly<'a>(
    dossier: &Dossier,
    other: &'a Facts,
    out: Fact<'_>,
) -> Option<Fact<'a>> {
    let scans = other
        .said()
        .filter(|e| e.restricts() && e.kind() == "scanned" && e.flag("anomaly"));
    let latest = scans
        .filter(|e| was_known(e, &out))
        .max_by_key(|e| e.at_ms())?;

    let is_look = |e: &Fact<'_>| {
        let by_owner = LOOK_INTO_IT.contains(&e.department());
        by_owner && e.at_ms() >= latest.at_ms() && was_known(e, &out)
    };
    let mut checks = [other, &dossier.anchor]
        .into_iter()
        .flat_map(|of| of.events("check.opened"));
    let is_looked_into = checks.any(|e| is_look(&e)) || hold_looked_into(dossier, other, out);
    (!is_looked_into).then_some(latest)
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn came(id: &str, at_ms: i64, more: &[Json]) -> Facts {
        let gate = event("gate.in", at_ms, json!({}));
        passage(id, json!({"direction": "in"}), &[&[gate], more].concat())
    }

    fn by(department: &str, mut said: Json) -> Json {
        said["department"] = department.into();
        said
    }

    /// What is found on the second record of one stay, which leaves after ten hours.
    fn found(first: &[Json], second: &[Json]) -> Vec<Phase> {
        let out = event("gate.out", 10 * H, json!({}));
        let left = came("P2", 5 * H, &[second, &[out]].concat());
        firm("R31", left, vec![came("P1", 0, first)])
    }

    #[test]
    fn a_check_of_another_record_of_the_stay_is_closed_before_the_truck_leaves() {
        let opened = || by("SEC", event("check.opened", H, json!({"check": "SEC"})));
        let closed = |at_ms| {
            let named = json!({"check": format!("check.opened@{H}")});
            event("check.closed", at_ms, named)
        };

        assert_eq!(found(&[opened()], &[]), [Phase::Firm]);
        assert_eq!(found(&[opened(), closed(2 * H)], &[]), []);
        let later = [opened(), closed(11 * H)];
        assert_eq!(found(&later, &[]), [Phase::Firm], "after it had left");
        assert_eq!(found(&[], &[]), [], "a camera and a clerk");

        let left = event("gate.out", 2 * H, json!({}));
        assert_eq!(found(&[opened(), left], &[]), [], "another trip");
    }

    #[test]
    fn an_anomaly_is_looked_into_on_either_record() {
        let strange = || event("scanned", H, json!({"anomaly": true}));
        let check = |department| by(department, event("check.opened", 6 * H, json!({})));
        let closed = || {
            let named = json!({"check": format!("check.opened@{}", 6 * H)});
            event("check.closed", 7 * H, named)
        };

        assert_eq!(found(&[strange()], &[]), [Phase::Firm]);
        assert_eq!(found(&[strange()], &[check("CUS"), closed()]), []);
        let of_port = found(&[strange()], &[check("PORT"), closed()]);
        assert_eq!(of_port, [Phase::Firm], "nobody who owns it");
    }

    #[test]
    fn what_was_left_behind_is_told_of_the_next_record_alone() {
        let opened = event("check.opened", H, json!({"check": "SEC"}));
        let first = || came("P1", 0, std::slice::from_ref(&opened));
        let left = |id: &str, at_ms: i64| {
            let out = event("gate.out", at_ms + H, json!({}));
            came(id, at_ms, &[out])
        };

        assert_eq!(firm("R31", left("P2", 5 * H), vec![first()]).len(), 1);
        let third = firm("R31", left("P3", 50 * H), vec![first(), left("P2", 5 * H)]);
        assert_eq!(third, []);
        let elsewhere = left("P2", 5 * H).at("QAM");
        assert_eq!(firm("R31", elsewhere, vec![first()]), []);
    }
}
