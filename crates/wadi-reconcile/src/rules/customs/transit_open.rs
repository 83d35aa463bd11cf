//! R27: a transit that was not terminated.

use crate::{Contradiction, Dossier, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use wadi_record::says_nothing;

pub(crate) const RULE: Rule = Rule {
    code: "R27",
    name: "transit_open",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Open = "R27-open" { passage: record, transit: name }
    NeverLeft = "R27-never-left" { passage: record, transit: name }
    Elsewhere = "R27-elsewhere" {
        passage: record, transit: name, exit: crossing, ended: crossing,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let told = passage.field("transit.ref");
    let Some(reference) = told.filter(|text| !says_nothing(text)) else {
        return Vec::new();
    };
    if !passage.is_passage() || !passage.is_inbound() || may_be_an_exit(dossier) {
        return Vec::new();
    }

    let left_ms = passage.last_ms("gate.out");
    let Some(since_ms) = left_ms.or_else(|| still_here_since(dossier)) else {
        return Vec::new();
    };

    let exits = dossier.of("passage").filter(|p| ends(dossier, p));
    let exit = exits.min_by_key(|p| (p.began_ms(), p.id.clone()));
    let declared = passage.field("declared_exit");
    let printed = passage.printed();
    let due_ms = since_ms.saturating_add(hours_ms(dossier.policy.transit_h));
    let concerns = declared.map_or_else(|| dossier.everywhere(), |to| vec![to]);

    match exit {
        None => {
            let says = match left_ms {
                Some(_) => Says::Open {
                    passage: printed,
                    transit: reference,
                },
                None => Says::NeverLeft {
                    passage: printed,
                    transit: reference,
                },
            };
            let evidence = json!({
                "transit": reference,
                "left_ms": left_ms,
                "due_ms": due_ms,
                "exit": declared,
            });
            let own = dossier.anchor.crossing();
            let concerns = concerns.into_iter().chain(left_ms.is_none().then_some(own));
            vec![Contradiction::new("open", since_ms, says, evidence).until(concerns, due_ms)]
        }
        // A diversion changes where it ends.
        Some(out) if out.has("diverted") || passage.has("diverted") => Vec::new(),
        Some(out) if declared.is_some_and(|to| to != out.crossing()) => {
            let says = Says::Elsewhere {
                passage: printed,
                transit: reference,
                exit: declared.unwrap_or_default(),
                ended: out.crossing(),
            };

            let evidence =
                json!({"transit": reference, "exit": declared, "ended_at": out.crossing()});
            vec![Contradiction::new(
                "elsewhere",
                out.ended_ms(),
                says,
                evidence,
            )]
        }
        Some(_) => Vec::new(),
    }
}

/// Since when a vehicle is here that came in and of which nobody said that it went on; nothing
/// where something is known of it: a hold keeps it, or it was sent away.
fn still_here_since(dossier: &Dossier) -> Option<i64> {
    let passage = &dossier.anchor;
    let went_elsewhere = matches!(
        passage.state(),
        "VOID" | "TURNED_BACK" | "DIVERTED" | "ARRIVED_ELSEWHERE" | "ABANDONED"
    );
    if went_elsewhere || passage.flag("HANDED_OVER") {
        return None;
    }

    let known = passage.known_by();
    let keeps_it = |hold: &Facts| hold.is_open_hold() && known.is_named_by(&hold.known_by());
    let is_kept = dossier.of("hold").any(keeps_it);
    passage.last_ms("gate.in").filter(|_| !is_kept)
}

/// Whether a passage that tells no direction may be the end of the transit: the same load had come
/// in with it before.
fn may_be_an_exit(dossier: &Dossier) -> bool {
    let passage = &dossier.anchor;
    let came_before = |p: &Facts| {
        p.direction() == Some("in")
            && p.began_ms() < passage.began_ms()
            && p.shares(passage, "transit.ref")
            && p.is_same_load(passage)
    };

    passage.direction().is_none() && dossier.of("passage").any(came_before)
}

/// Whether a passage took the load out of the country. What left before the goods came in, or was
/// recorded in error, or carries another load of the same transit, ends nothing; nor does what ends
/// a later arrival of the same load.
fn ends(dossier: &Dossier, out: &Facts) -> bool {
    let passage = &dossier.anchor;
    let left_ms = out.last_ms("gate.out");
    let is_exit = out.direction() == Some("out")
        && !matches!(out.state(), "VOID" | "TURNED_BACK" | "CANCELLED")
        && left_ms >= Some(passage.began_ms());
    if !is_exit || !passage.shares(out, "transit.ref") || !passage.is_same_load(out) {
        return false;
    }

    let is_later_arrival = |p: &Facts| {
        p.direction() == Some("in")
            && p.state() != "VOID"
            && p.has("gate.out")
            && (p.began_ms(), &p.id) > (passage.began_ms(), &passage.id)
            && Some(p.began_ms()) < left_ms
            && p.shares(passage, "transit.ref")
            && p.is_same_load(passage)
            && p.is_same_load(out)
    };
    // A truck that was sent on comes in twice, and goes out once.
    let is_named = passage.has("diverted") || passage.is_linked_to(out);
    is_named || !dossier.of("passage").any(is_later_arrival)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::Value as Json;

    #[test]
    fn a_transit_ends_where_it_said_it_would() {
        let begun = passage(
            "P1",
            json!({"transit.ref": "T1", "direction": "in", "declared_exit": "QAM"}),
            &[event("gate.out", 100, json!({}))],
        );

        let due = 100 + 240 * HOUR_MS;
        assert_eq!(
            phases("R27", &dossier(begun.clone(), vec![], due - 1)),
            [Phase::Pending]
        );
        assert_eq!(
            phases("R27", &dossier(begun.clone(), vec![], due)),
            [Phase::Firm]
        );

        let ended = |at: &str| {
            vec![
                passage(
                    "P2",
                    json!({"transit.ref": "T1", "direction": "out"}),
                    &[event("gate.out", 900, json!({}))],
                )
                .at(at),
            ]
        };

        assert_eq!(firm("R27", begun.clone(), ended("QAM")), []);
        for (state, left_ms) in [("VOID", 900), ("EXITED", 99)] {
            let fields = json!({"transit.ref": "T1", "direction": "out"});
            let left = event("gate.out", left_ms, json!({}));
            let out = passage("P2", fields, &[left]).state_is(state).at("QAM");
            let found = firm("R27", begun.clone(), vec![out]);
            assert_eq!(found, [Phase::Firm], "{state} at {left_ms}");
        }
        assert_eq!(firm("R27", begun.clone(), ended("MUN")), [Phase::Firm]);

        let written = passage(
            "P2",
            json!({"transit.ref": "t-1\u{200F}", "direction": "out"}),
            &[event("gate.out", 900, json!({}))],
        );
        assert_eq!(
            firm("R27", begun, vec![written.at("QAM")]),
            [],
            "its end, written otherwise"
        );
    }

    fn of_transit(id: &str, plate: &str, way: &str, at_ms: i64, more: &[Json]) -> Facts {
        let fields = json!({"transit.ref": "T1", "direction": way, "vehicle.plate": plate});
        let out = event("gate.out", at_ms, json!({}));
        passage(id, fields, &[more, &[out]].concat())
    }

    #[test]
    fn another_truck_ends_only_what_went_over_to_it() {
        let begun = |more: &[Json]| of_transit("P1", "11A1", "in", 100, more);
        let other = || vec![of_transit("P2", "22B2", "out", 900, &[])];
        assert_eq!(firm("R27", begun(&[]), other()), [Phase::Firm]);

        for over in [
            event("transhipped", 90, json!({"to_plate": "22-B-2"})),
            event("link", 90, json!({"record": "P2"})),
        ] {
            assert_eq!(firm("R27", begun(&[over]), other()), []);
        }
        let third = event("transhipped", 90, json!({"to_plate": "33C3"}));
        assert_eq!(firm("R27", begun(&[third]), other()), [Phase::Firm]);
    }

    #[test]
    fn a_transit_that_never_goes_on_is_open_as_well() {
        let came = |more: &[Json]| {
            let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": "QAM"});
            let came = [event("gate.in", 100, json!({}))];
            passage("P1", fields, &[&came[..], more].concat())
        };
        let due = 100 + 240 * HOUR_MS;
        let waits = |ms| phases("R27", &dossier(came(&[]), vec![], ms));
        assert_eq!(waits(due - 1), [Phase::Pending]);
        assert_eq!(waits(due), [Phase::Firm]);

        let mut dark = dossier(came(&[]), vec![], due);
        dark.watermarks.insert("TRB".into(), due - 1);
        assert_eq!(phases("R27", &dark), [Phase::Pending], "its own exit");

        let ended = of_transit("P2", "11A1", "out", 900, &[]).at("QAM");
        assert_eq!(firm("R27", came(&[]), vec![ended]), []);
        for state in ["DIVERTED", "TURNED_BACK", "VOID"] {
            assert_eq!(
                firm("R27", came(&[]).state_is(state), vec![]),
                [],
                "{state}"
            );
        }

        let held = [
            event("link", 200, json!({"record": "P1"})),
            event("hold.placed", 200, json!({})),
        ];
        let kept = hold("H1", json!({}), &held);
        assert_eq!(firm("R27", came(&[]), vec![kept]), [], "a hold keeps it");
        let announced = passage("P1", json!({"transit.ref": "T1", "direction": "in"}), &[]);
        assert_eq!(firm("R27", announced, vec![]), []);
    }

    #[test]
    fn one_exit_ends_one_arrival() {
        let came = |id: &str, at_ms| of_transit(id, "11A1", "in", at_ms, &[]);
        let out = |id: &str, at_ms| of_transit(id, "11A1", "out", at_ms, &[]);
        let first = || came("P1", 100);
        let second = || came("P2", 500);

        let one_exit = vec![second(), out("P3", 900)];
        assert_eq!(firm("R27", first(), one_exit), [Phase::Firm]);
        assert_eq!(firm("R27", second(), vec![first(), out("P3", 900)]), []);

        let both = vec![second(), out("P3", 300), out("P4", 900)];
        assert_eq!(firm("R27", first(), both), []);
    }

    #[test]
    fn a_direction_that_nobody_told_hides_no_transit() {
        let silent = |plate: &str| {
            let fields = json!({"transit.ref": "T1", "vehicle.plate": plate});
            passage("P9", fields, &[event("gate.out", 900, json!({}))])
        };
        assert_eq!(firm("R27", silent("11A1"), vec![]), [Phase::Firm]);

        let before = || vec![of_transit("P1", "11A1", "in", 100, &[])];
        assert_eq!(firm("R27", silent("11A1"), before()), [], "its own end");
        assert_eq!(firm("R27", silent("22B2"), before()), [Phase::Firm]);

        let fields = json!({"transit.ref": "N/A", "direction": "in"});
        let none = passage("P1", fields, &[event("gate.out", 100, json!({}))]);
        assert_eq!(firm("R27", none, vec![]), [], "it is on no transit");
    }
}
