//! What R27 finds, and what it does not.

use super::*;
use crate::{Phase, reconcile, tests::*};
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
    let found =
        |fields: Json, released_ms: i64| firm("R27", truck("-"), vec![goods(fields, released_ms)]);

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

const DUE_MS: i64 = 100 + 240 * HOUR_MS;

/// A truck that left inland for an exit, and has to be there by [`DUE_MS`].
fn under_way(exit: &str, more: &[Json]) -> Facts {
    let fields = json!({"transit.ref": "T1", "direction": "in", "declared_exit": exit});
    let left = [event("gate.out", 100, json!({}))];
    passage("P1", fields, &[&left[..], more].concat())
}

/// Its exit, at such a time, as it was written at another one.
fn left_by(exit: &str, at_ms: i64, entered_ms: i64) -> Facts {
    let mut out = event("gate.out", at_ms, json!({}));
    out["entered_ms"] = entered_ms.into();
    let fields = json!({"transit.ref": "T1", "direction": "out"});
    passage("P2", fields, &[out]).at(exit)
}

/// The id, the severity and the text of what is found.
fn told(truck: Facts, linked: Vec<Facts>) -> Option<(String, u8, String)> {
    let all = reconcile(&dossier(truck, linked, i64::MAX)).into_iter();
    let mut of_rule = all.filter(|f| f.rule.code == "R27");
    let found = of_rule.next()?;
    assert_eq!(found.phase, Phase::Firm);
    assert!(of_rule.next().is_none(), "one finding");
    Some((found.id.clone(), found.severity(), found.text))
}

#[test]
fn a_transit_that_ends_late_stays_and_says_so() {
    let truck = || under_way("QAM", &[]);
    let open = told(truck(), vec![]).expect("nobody saw it leave");
    assert_eq!(open.1, 2);

    let in_time = left_by("QAM", DUE_MS, DUE_MS);
    assert_eq!(told(truck(), vec![in_time]), None);
    let late_ms = DUE_MS + 5 * HOUR_MS;
    let late = told(truck(), vec![left_by("QAM", late_ms, late_ms)]).expect("it was late");
    let (id, severity, text) = late;
    assert_eq!((id, severity), (open.0, 3), "the same one, and milder");
    assert!(text.contains("5 hours after it was due"), "{text}");

    let at_another = told(truck(), vec![left_by("MUN", late_ms, late_ms)]);
    let (_, severity, text) = at_another.expect("elsewhere");
    assert_eq!(severity, 2);
    assert!(text.contains("was to end at"), "{text}");
}

#[test]
fn an_end_that_is_written_long_after_it_was_due_is_told_as_that() {
    let truck = || under_way("QAM", &[]);
    let written = |at_ms: i64, entered_ms: i64| {
        let found = told(truck(), vec![left_by("QAM", at_ms, entered_ms)]);
        found.map(|(_, severity, text)| (severity, text))
    };

    let dark_ms = DUE_MS + 48 * HOUR_MS;
    assert_eq!(written(900, dark_ms), None, "a dark crossing's papers");
    let (severity, text) = written(900, dark_ms + 1).expect("nobody waits so long");
    assert_eq!(severity, 2, "no milder for a word");
    assert!(text.contains("is said to have ended"), "{text}");
    assert!(text.contains("48 hours after it was due"), "{text}");

    // Said to be a little late, and written long after that.
    let later = written(DUE_MS + HOUR_MS, DUE_MS + 99 * HOUR_MS);
    assert_eq!(later.map(|(severity, _)| severity), Some(2));
}

#[test]
fn customs_ends_no_overdue_transit_by_an_entry_that_is_made_later() {
    let goods = |at_ms: i64, entered_ms: i64| {
        let mut released = event("entry.released", at_ms, json!({}));
        released["entered_ms"] = entered_ms.into();
        entry("E1", json!({"transit.ref": "T1"}), &[released])
    };
    let found = |goods: Facts| {
        let found = told(under_way("-", &[]), vec![goods]);
        found.map(|(_, severity, _)| severity)
    };

    assert_eq!(found(goods(900, 900)), None);
    assert_eq!(found(goods(DUE_MS, DUE_MS)), None);
    let late_ms = DUE_MS + HOUR_MS;
    assert_eq!(found(goods(late_ms, late_ms)), Some(3), "late");
    let backdated = goods(900, DUE_MS + 60 * 24 * HOUR_MS);
    assert_eq!(found(backdated), Some(2), "dated back");

    let named_later = json!([{"entered_ms": 48 * HOUR_MS, "fields": ["transit.ref"]}]);
    let of_others = goods(900, 900).with("captured", named_later);
    assert_eq!(found(of_others), Some(2), "it was of other goods");

    // Of two ends it is the one that was known first.
    let again = goods(late_ms, late_ms);
    let left = left_by("QAM", 900, 900);
    assert_eq!(told(under_way("-", &[]), vec![again, left]), None);
}

#[test]
fn a_transit_that_is_named_when_the_truck_is_gone_is_not_ended_by_it() {
    let named = |at_ms: i64| {
        let captured = json!([{"entered_ms": at_ms, "fields": ["transit.ref"]}]);
        let out = left_by("QAM", 900, 900).with("captured", captured);
        told(under_way("QAM", &[]), vec![out]).map(|(_, severity, _)| severity)
    };

    assert_eq!(named(900), None);
    assert_eq!(named(48 * HOUR_MS), Some(2));
}

#[test]
fn a_diversion_that_is_written_long_after_the_exit_excuses_no_other_one() {
    let found = |entered_ms: i64| {
        let mut diverted = event("diverted", 200, json!({"to": "MUN"}));
        diverted["entered_ms"] = entered_ms.into();
        let truck = under_way("QAM", &[diverted]);
        let left = left_by("MUN", 900, 900);
        told(truck, vec![left]).map(|(_, severity, _)| severity)
    };

    assert_eq!(found(200), None);
    assert_eq!(found(24 * HOUR_MS), None, "on paper");
    assert_eq!(found(999 * HOUR_MS), Some(2));
}

#[test]
fn a_record_that_was_handed_over_is_due_from_its_own_exit() {
    let found = |out_ms: i64| {
        let mut there = event("gate.out", out_ms, json!({}));
        there["written_at"] = "QAM".into();
        let handed_over = event("handed_over", 200, json!({"to": "QAM"}));
        let truck = under_way("QAM", &[handed_over, there]);
        told(truck, vec![]).map(|(_, severity, _)| severity)
    };

    assert_eq!(found(900), None);
    assert_eq!(found(DUE_MS + HOUR_MS), Some(3), "late");
}

/// A truck comes in under a transit, and three days later its goods are cleared in the country.
#[test]
fn a_transit_and_the_import_that_ends_it_are_no_entry_made_twice() {
    let of = |id: &str, kind: &str, plate: &str, at_h: i64| {
        let fields = json!({
            "declaration_type": kind,
            "transit.ref": "XC-1",
            "vehicle.plate": plate,
            "goods.1.gross_g": 20_000_000,
        });
        entry(
            id,
            fields,
            &[event("registered", at_h * HOUR_MS, json!({}))],
        )
    };
    let transit = || of("E1", "T1", "11A1", 0);
    let import = || of("E2", "IM4", "11A1", 54);
    let found = |own: Facts, others: Vec<Facts>| firm("R08", own, others);

    assert_eq!(found(import(), vec![transit()]), []);
    let again = of("E2", "T1", "11A1", 54);
    assert_eq!(
        found(again, vec![transit()]),
        [Phase::Firm],
        "one procedure"
    );
    let third = of("E3", "IM4", "11A1", 60);
    let twice = found(third, vec![transit(), import()]);
    assert_eq!(twice, [Phase::Firm], "cleared twice");
    let convoy = vec![transit(), of("E0", "T1", "22B2", 0)];
    assert_eq!(found(import(), convoy), [], "of two trucks");
    let before = of("E2", "T1", "11A1", 54);
    let first = of("E1", "IM4", "11A1", 0);
    assert_eq!(found(before, vec![first]), [Phase::Firm], "cleared before");

    let changed = json!([{
        "field": "declaration_type",
        "before": ["T1"],
        "value": "IM4",
        "at_ms": 90 * HOUR_MS,
        "entered_ms": 90 * HOUR_MS,
    }]);
    let assessed = json!([
        event("registered", 54 * HOUR_MS, json!({})),
        event("assessed", 55 * HOUR_MS, json!({})),
    ]);
    let later = import().with("events", assessed);
    let later = later.with("changed_after", changed);
    let later = found(later, vec![transit()]);
    assert_eq!(
        later,
        [Phase::Firm],
        "it was a second transit when it was assessed"
    );
}
