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
    if was_cleared_inland(dossier) {
        return Vec::new();
    }

    let left_ms = passage.last_ms("gate.out");
    let Some(since_ms) = left_ms.or_else(|| still_here_since(dossier)) else {
        return Vec::new();
    };

    let exits = dossier.of("passage").filter(|p| ends(dossier, p));
    let exit = exits.min_by_key(|p| (p.began_ms(), p.id.clone()));
    let exit = handed_over_exit(passage).or_else(|| exit.map(TransitEnd::by));
    let printed = passage.printed();
    let due_ms = since_ms.saturating_add(hours_ms(dossier.policy.transit_h));
    // Who names another exit once the transit is overdue keeps nothing waiting for it.
    let declared = passage.field_by("declared_exit", due_ms);
    let declared = declared.filter(|exit| !says_nothing(exit));
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
            let concerns = concerns.chain(passage.handed_over_to());
            vec![Contradiction::new("open", since_ms, says, evidence).until(concerns, due_ms)]
        }
        // A diversion changes where it ends.
        Some(end) if end.was_diverted || passage.has("diverted") => Vec::new(),
        Some(end) if declared.is_some_and(|to| to != end.at) => {
            let says = Says::Elsewhere {
                passage: printed,
                transit: reference,
                exit: declared.unwrap_or_default(),
                ended: end.at,
            };

            let evidence = json!({"transit": reference, "exit": declared, "ended_at": end.at});
            vec![Contradiction::new("elsewhere", end.at_ms, says, evidence)]
        }
        Some(_) => Vec::new(),
    }
}

/// Where and when a load left the country.
struct TransitEnd<'a> {
    at: &'a str,
    at_ms: i64,
    was_diverted: bool,
}

impl<'a> TransitEnd<'a> {
    /// By another passage.
    fn by(out: &'a Facts) -> Self {
        Self {
            at: out.crossing(),
            at_ms: out.ended_ms(),
            was_diverted: out.has("diverted"),
        }
    }
}

/// The exit by which a vehicle left on the record with which it came: handed over to the crossing
/// that let it out.
fn handed_over_exit(passage: &Facts) -> Option<TransitEnd<'_>> {
    let exits = passage.events("gate.out");
    let there = exits.filter_map(|out| Some((out.written_at()?, out.at_ms())));
    let (at, at_ms) = there.max_by_key(|(_, at_ms)| *at_ms)?;
    Some(TransitEnd {
        at,
        at_ms,
        was_diverted: false,
    })
}

/// Whether the transit ended in the country, at the customs office that released its goods. What is
/// to leave by an exit that the truck declares, or is declared for transit, has to leave.
fn was_cleared_inland(dossier: &Dossier) -> bool {
    let passage = &dossier.anchor;
    let declared = passage.field("declared_exit");
    if declared.is_some_and(|exit| !says_nothing(exit)) {
        return false;
    }

    // Goods are released before they come, but not long before: a carnet's number comes again.
    let from_ms = passage.began_ms().saturating_sub(dossier.near_ms());
    let is_end = |entry: &Facts| {
        let mut released = entry.events("entry.released");
        entry.state() != "CANCELLED"
            && entry.shares(passage, "transit.ref")
            && may_be_carried_by(entry, passage)
            && !is_for_transit(entry)
            && released.any(|e| e.at_ms() >= from_ms)
    };
    dossier.of("customs-entry").any(is_end)
}

/// Whether an entry names the vehicle, or a container of it, or none at all: of a convoy on one
/// carnet each truck has its own.
fn may_be_carried_by(entry: &Facts, passage: &Facts) -> bool {
    let containers = entry.texts("container", "").into_iter();
    let mut carriers = containers.chain(entry.field("vehicle.plate"));
    let names_one = carriers.any(|text| !says_nothing(text));

    !names_one
        || entry.shares_vehicle(passage)
        || entry.shares_any(passage, "container")
        || entry.is_linked_to(passage)
}

/// Whether goods are declared to go through the country: by the declaration's type (T1, TR8), or by
/// the procedure of an item (80).
fn is_for_transit(entry: &Facts) -> bool {
    let told = entry.field("declaration_type").unwrap_or_default().trim();
    let by_type = told.starts_with(['T', 't']) || told.ends_with('8');
    let procedures = entry.texts("goods", "procedure").into_iter();
    let mut through = procedures.filter(|procedure| procedure.trim().starts_with('8'));
    by_type || through.next().is_some()
}

/// Since when a vehicle is here that came in and of which nobody said that it went on; nothing
/// where something is known of it: a hold keeps it, or it was sent away.
fn still_here_since(dossier: &Dossier) -> Option<i64> {
    let passage = &dossier.anchor;
    let went_elsewhere = matches!(
        passage.state(),
        "VOID" | "TURNED_BACK" | "DIVERTED" | "ARRIVED_ELSEWHERE" | "ABANDONED"
    );
    if went_elsewhere || passage.was_taken_over() {
        return None;
    }

    let known = passage.known_by();
    let keeps_it = |hold: &Facts| hold.is_open_hold() && known.is_named_by(&hold.known_by());
    let is_kept = dossier.of("hold").any(keeps_it);
    passage.last_ms("gate.in").filter(|_| !is_kept)
}

/// Whether a passage that told no direction may be the end of the transit: the same load had come
/// in with it before.
fn may_be_an_exit(dossier: &Dossier) -> bool {
    let passage = &dossier.anchor;
    let came_before = |p: &Facts| {
        p.direction() == Some("in")
            && p.began_ms() < passage.began_ms()
            && p.shares(passage, "transit.ref")
            && p.is_same_load(passage)
    };

    passage.direction() != Some("in") && dossier.of("passage").any(came_before)
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
    // Of a truck that is missing nobody says later that it was another one, which left.
    let known_ms = out.left().map_or(i64::MIN, |left| left.known_ms);
    let is_it = || passage.is_same_load_by(out, known_ms);
    if !is_exit || !passage.shares(out, "transit.ref") || !is_it() {
        return false;
    }

    let is_later_arrival = |p: &Facts| {
        p.direction() == Some("in")
            && p.state() != "VOID"
            && p.has("gate.out")
            && (p.began_ms(), &p.id) > (passage.began_ms(), &passage.id)
            && Some(p.began_ms()) < left_ms
            && p.shares(passage, "transit.ref")
            && came_again(passage, p)
            && p.is_same_load(out)
    };
    // A truck that was sent on comes in twice, and goes out once.
    let is_named = passage.has("diverted") || passage.is_linked_to(out);
    is_named || !dossier.of("passage").any(is_later_arrival)
}

/// Whether a later passage is of the same vehicle, or of a container that no other one took over.
/// The truck that the goods went on to goes on with the same transit.
fn came_again(first: &Facts, later: &Facts) -> bool {
    let went_on = || first.transhipped_to(later).next().is_some();
    first.shared_vehicle(later) || first.shared_container(later) && !went_on()
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
    fn a_carnet_ends_where_customs_released_its_goods() {
        let truck = |exit: &str| {
            let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": exit});
            let out = event("gate.out", 100, json!({}));
            passage("P1", fields, &[out])
        };
        let goods = |fields: Json, released_ms: i64| {
            let mut own = json!({"transit.ref": "t-1"});
            for (name, value) in fields.as_object().unwrap() {
                own[name] = value.clone();
            }
            entry(
                "E1",
                own,
                &[event("entry.released", released_ms, json!({}))],
            )
        };
        let found = |fields: Json, released_ms: i64| {
            firm("R27", truck("-"), vec![goods(fields, released_ms)])
        };

        assert_eq!(found(json!({}), 900), []);
        assert_eq!(found(json!({}), -90 * HOUR_MS), [Phase::Firm], "long ago");
        let stranger = json!({"vehicle.plate": "22B2"});
        assert_eq!(found(stranger, 900), [Phase::Firm], "of the convoy");
        let through = json!({"declaration_type": "T1"});
        assert_eq!(found(through, 900), [Phase::Firm], "it goes through");
        let through = json!({"goods.1.procedure": "8000"});
        assert_eq!(found(through, 900), [Phase::Firm]);

        let declared = firm("R27", truck("QAM"), vec![goods(json!({}), 900)]);
        assert_eq!(declared, [Phase::Firm], "it said where it would leave");
        let open = entry("E1", json!({"transit.ref": "T1"}), &[]);
        assert_eq!(firm("R27", truck("-"), vec![open]), [Phase::Firm]);
    }

    #[test]
    fn a_truck_that_is_missing_did_not_leave_as_another_one() {
        let begun = |more: Json| of_transit("P1", "11A1", "in", 100, &[more]);
        let other = || vec![of_transit("P2", "22B2", "out", 900, &[]).at("QAM")];
        let over =
            |at_ms: i64, packages: i64| event("transhipped", at_ms, json!({"packages": packages}));

        assert_eq!(firm("R27", begun(over(90, 5)), other()), []);
        assert_eq!(firm("R27", begun(over(90, 0)), other()), [Phase::Firm]);
        assert_eq!(firm("R27", begun(over(901, 5)), other()), [Phase::Firm]);
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

    #[test]
    fn a_load_that_went_over_to_another_truck_leaves_with_it() {
        let boxed = |id: &str, plate: &str, way: &str, events: &[Json]| {
            let fields = json!({
                "transit.ref": "T1",
                "direction": way,
                "vehicle.plate": plate,
                "container.1": "C1",
            });
            passage(id, fields, events)
        };
        let out = |at_ms: i64| event("gate.out", at_ms, json!({}));
        let over = event(
            "transhipped",
            110,
            json!({"packages": 5, "to_plate": "22B2"}),
        );
        let first = || boxed("P1", "11A1", "in", &[over.clone(), out(120)]);
        let own = || {
            boxed(
                "P2",
                "22B2",
                "in",
                &[event("gate.in", 115, json!({})), out(130)],
            )
        };
        let exit = || boxed("P3", "22B2", "out", &[out(900)]).at("QAM");

        assert_eq!(firm("R27", first(), vec![own(), exit()]), []);
        assert_eq!(firm("R27", own(), vec![first(), exit()]), []);
        assert_eq!(firm("R27", first(), vec![own()]), [Phase::Firm]);
    }

    #[test]
    fn a_record_that_was_handed_over_ends_where_it_was_taken_over() {
        let found = |to: &str, there: Option<&str>| {
            let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": "QAM"});
            let mut out = event("gate.out", 900, json!({}));
            out["written_at"] = there.into();
            let events = [
                event("gate.in", 100, json!({})),
                event("gate.out", 200, json!({})),
                event("handed_over", 300, json!({"to": to})),
                out,
            ];
            let events = if there.is_some() {
                &events[..]
            } else {
                &events[..3]
            };
            firm("R27", passage("P1", fields, events), vec![])
        };

        assert_eq!(found("QAM", Some("QAM")), []);
        assert_eq!(found("MUN", Some("MUN")), [Phase::Firm], "elsewhere");
        assert_eq!(found("QAM", None), [Phase::Firm], "nobody there saw it");
    }

    #[test]
    fn whoever_hands_a_truck_over_to_nobody_ends_no_transit() {
        let found = |spoke: bool, received_ms: i64| {
            let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": "QAM"});
            let mut there = event("cleared", 300, json!({}));
            there["written_at"] = spoke.then_some("XYZ").into();
            let events = [
                event("gate.in", 100, json!({})),
                event("handed_over", 200, json!({"to": "XYZ"})),
                there,
            ];
            let truck = passage("P1", fields, &events);
            phases("R27", &dossier(truck, vec![], received_ms))
        };
        let due_ms = 100 + 240 * HOUR_MS;

        assert_eq!(found(true, due_ms), [], "it is there");
        assert_eq!(found(false, due_ms), [Phase::Pending]);
        assert_eq!(found(false, due_ms + 48 * HOUR_MS), [Phase::Firm]);
    }

    #[test]
    fn an_exit_that_is_declared_once_the_transit_is_overdue_keeps_nothing_waiting() {
        let found = |captured_ms: i64| {
            let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": "XYZ"});
            let captured = json!([{"entered_ms": captured_ms, "fields": ["declared_exit"]}]);
            let truck = passage("P1", fields, &[event("gate.out", 100, json!({}))]);
            let due_ms = 100 + 240 * HOUR_MS;
            let truck = truck.with("captured", captured);
            phases("R27", &dossier(truck, vec![], due_ms))
        };

        assert_eq!(found(100), [Phase::Pending]);
        assert_eq!(found(999 * HOUR_MS), [Phase::Firm]);
    }

    #[test]
    fn a_direction_that_is_told_when_the_truck_is_gone_ends_no_transit_of_its_own() {
        let captured = json!([{"entered_ms": 48 * HOUR_MS, "fields": ["direction"]}]);
        let late = || of_transit("P9", "11A1", "out", 900, &[]).with("captured", captured.clone());
        assert_eq!(firm("R27", late(), vec![]), [Phase::Firm]);

        let came = vec![of_transit("P1", "11A1", "in", 100, &[])];
        assert_eq!(firm("R27", late(), came), [], "it is an exit");
    }
}
