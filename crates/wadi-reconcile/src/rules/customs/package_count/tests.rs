use super::*;
use crate::{HOUR_MS, Phase, tests::*};

#[test]
fn packages_are_counted_three_times() {
    let declared = entry("E1", json!({"total_packages": 10}), &[]);
    let truck = |n| {
        vec![passage(
            "P1",
            json!({}),
            &[event("unloaded", 5, json!({"packages": n}))],
        )]
    };

    assert_eq!(
        phases("R16", &dossier(declared.clone(), truck(11), 4)),
        [Phase::Pending]
    );
    assert_eq!(
        phases("R16", &dossier(declared.clone(), truck(11), 5)),
        [Phase::Firm],
        "more than was declared is wrong at once"
    );
    assert_eq!(firm("R16", declared.clone(), truck(9)), [Phase::Firm]);
    assert_eq!(firm("R16", declared, truck(10)), []);

    let items = entry(
        "E1",
        json!({"total_packages": 10, "goods.1.packages": 4, "goods.2.packages": 5}),
        &[],
    );

    assert_eq!(firm("R16", items, vec![]), [Phase::Firm]);

    let slot = |n| {
        let events = [
            event("store.in", 1, json!({"slot": "A", "packages": 10})),
            event("store.counted", 2, json!({"slot": "A", "packages": n})),
        ];
        hold("H1", json!({}), &events)
    };

    assert_eq!(firm("R16", slot(8), vec![]), [Phase::Firm]);
    assert_eq!(firm("R16", slot(10), vec![]), []);
}

#[test]
fn work_that_goes_on_has_a_day() {
    let due_ms = 6 + 24 * HOUR_MS;
    let packages = |kind, at_ms, n: i64| event(kind, at_ms, json!({"packages": n}));
    let left = || event("gate.out", 9, json!({}));

    let declared = || entry("E1", json!({"total_packages": 10}), &[link("P1")]);
    let shift = |more: &[serde_json::Value]| {
        let events = [&[packages("unloaded", 6, 4)], more].concat();
        vec![passage("P1", json!({}), &events)]
    };
    let found =
        |more: &[serde_json::Value], ms| phases("R16", &dossier(declared(), shift(more), ms));
    assert_eq!(found(&[], due_ms - 1), [Phase::Pending]);
    assert_eq!(found(&[], due_ms), [Phase::Firm]);
    assert_eq!(found(&[left()], 9), [Phase::Firm], "nothing more comes off");

    let inspected = |again: i64, more: &[serde_json::Value]| {
        let moved = [packages("unloaded", 5, 10), packages("reloaded", 6, again)];
        passage("P1", json!({}), &[&moved, more].concat())
    };
    let found = |again, more: &[serde_json::Value], ms| {
        phases("R16", &dossier(inspected(again, more), vec![], ms))
    };
    assert_eq!(found(6, &[], due_ms - 1), [Phase::Pending]);
    assert_eq!(found(6, &[], due_ms), [Phase::Firm]);
    assert_eq!(found(6, &[left()], 9), [Phase::Firm]);
    assert_eq!(found(11, &[], 6), [Phase::Firm], "more than came off");
    assert_eq!(found(10, &[], due_ms), []);
}

#[test]
fn a_slot_is_one_however_it_is_written() {
    let found = |put: &str, counted: &str, n: i64| {
        let events = [
            event("store.in", 1, json!({"slot": put, "packages": 10})),
            event("store.counted", 2, json!({"slot": counted, "packages": n})),
        ];
        firm("R16", hold("H1", json!({}), &events), vec![])
    };
    assert_eq!(found("A-1", "a-1", 10), []);
    assert_eq!(found("ع-١", "ع-1", 10), []);
    assert_eq!(found("A-1", "a-1", 9), [Phase::Firm]);
    assert_eq!(found("A-1", "A-2", 10), [Phase::Firm], "another slot");
}

fn link(to: &str) -> serde_json::Value {
    event("link", 0, json!({"record": to}))
}

fn lorry(id: &str, packages: i64, more: &[serde_json::Value]) -> Facts {
    let mut events = vec![event("unloaded", 5, json!({"packages": packages}))];
    events.extend_from_slice(more);
    passage(id, json!({}), &events)
}

/// A hold on a truck whose goods went into a slot.
fn keeping(id: &str, truck: &str, packages: i64, more: &[serde_json::Value]) -> Facts {
    let mut events = vec![
        link(truck),
        event("store.in", 6, json!({"slot": "A", "packages": packages})),
    ];
    events.extend_from_slice(more);
    hold(id, json!({}), &events)
}

#[test]
fn what_was_unloaded_is_what_was_stored() {
    let found = |packages, received_ms| {
        phases(
            "R16",
            &dossier(
                keeping("H1", "P1", packages, &[]),
                vec![lorry("P1", 10, &[])],
                received_ms,
            ),
        )
    };

    assert_eq!(found(10, i64::MAX), []);
    // More than came off the truck is wrong at once; the rest of it has a day to reach the
    // store.
    assert_eq!(found(11, 5), [Phase::Pending]);
    assert_eq!(found(11, 6), [Phase::Firm]);
    assert_eq!(found(9, 5 + 24 * HOUR_MS - 1), [Phase::Pending]);
    assert_eq!(found(9, 5 + 24 * HOUR_MS), [Phase::Firm]);

    let other = keeping("H2", "P1", 4, &[]);
    assert_eq!(
        firm(
            "R16",
            keeping("H1", "P1", 6, &[]),
            vec![lorry("P1", 10, &[]), other.clone()]
        ),
        []
    );

    assert_eq!(
        firm(
            "R16",
            keeping("H1", "P1", 7, &[]),
            vec![lorry("P1", 10, &[]), other.clone()]
        ),
        [Phase::Firm]
    );

    let first = keeping("H1", "P1", 7, &[]);
    assert_eq!(
        firm("R16", other, vec![lorry("P1", 10, &[]), first]),
        [],
        "the first hold carries it"
    );

    let own = event("unloaded", 5, json!({"packages": 8}));
    assert_eq!(
        firm(
            "R16",
            keeping("H1", "P1", 8, &[own]),
            vec![lorry("P1", 10, &[])]
        ),
        [],
        "its own unloading"
    );
}

#[test]
fn what_went_on_or_was_only_moved_is_not_missed() {
    let found = |more: &[serde_json::Value], on_truck: &[serde_json::Value]| {
        firm(
            "R16",
            keeping("H1", "P1", 10, more),
            vec![lorry("P1", 12, on_truck)],
        )
    };

    assert_eq!(found(&[], &[]), [Phase::Firm]);
    assert_eq!(
        found(&[], &[event("transhipped", 7, json!({"packages": 2}))]),
        []
    );

    let moved = |kind, at_ms| event(kind, at_ms, json!({"slot": "B", "packages": 10}));
    let enough = |more: &[serde_json::Value]| {
        firm(
            "R16",
            keeping("H1", "P1", 10, more),
            vec![lorry("P1", 10, &[])],
        )
    };

    assert_eq!(
        enough(&[moved("store.out", 60_000), moved("store.in", 60_001)]),
        []
    );
    assert_eq!(
        enough(&[moved("store.in", 60_000), moved("store.out", 60_001)]),
        [],
        "within the clocks' doubt"
    );

    assert_eq!(enough(&[moved("store.out", 7)]), [], "taken out at once");
    assert_eq!(enough(&[moved("store.in", 60_000)]), [Phase::Firm]);
    assert_eq!(
        enough(&[event("store.in", 7, json!({"slot": "B", "quantity": 3}))]),
        [],
        "not counted in packages"
    );

    let two = keeping("H1", "P1", 5, &[link("P2")]);
    let trucks = vec![lorry("P1", 10, &[]), lorry("P2", 10, &[])];
    assert_eq!(
        firm("R16", two.clone(), trucks),
        [],
        "which truck's are they?"
    );

    assert_eq!(
        firm("R16", two, vec![lorry("P1", 10, &[])]),
        [],
        "nobody knows what the other record is"
    );
}

#[test]
fn whoever_declared_unloaded_and_stored_is_cited() {
    let declared = entry(
        "E1",
        json!({"total_packages": 10, "goods.1.packages": 9}),
        &[],
    );
    assert_eq!(
        cited("R16", declared, vec![lorry("P1", 11, &[])]),
        [
            side("E1", &["fields of E1"]),
            side("E1", &["fields of E1"]),
            side("P1", &["entry unloaded@5"]),
        ]
    );

    let again = event("reloaded", 9, json!({"packages": 12}));
    assert_eq!(
        cited("R16", lorry("P1", 10, &[again]), vec![]),
        [side("P1", &["entry unloaded@5", "entry reloaded@9"])]
    );

    let stored = keeping("H1", "P1", 11, &[]);
    assert_eq!(
        cited("R16", stored, vec![lorry("P1", 10, &[])]),
        [
            side("H1", &["entry store.in@6"]),
            side("P1", &["entry unloaded@5"]),
        ]
    );

    let counted = event("store.counted", 9, json!({"slot": "A", "packages": 3}));
    let counted = keeping("H1", "P9", 10, &[counted]);
    assert_eq!(
        cited("R16", counted, vec![]),
        [side("H1", &["entry store.in@6", "entry store.counted@9"])]
    );
}

/// A truck of a plate that came and left in these hours, with these events between.
fn trip(id: &str, plate: &str, [came, left]: [i64; 2], between: &[serde_json::Value]) -> Facts {
    let came = event("gate.in", came * HOUR_MS, json!({}));
    let left = event("gate.out", left * HOUR_MS, json!({}));
    let fields = json!({"vehicle.plate": plate, "direction": "in", "purpose": "goods"});
    passage(id, fields, &[&[came][..], between, &[left]].concat())
}

fn packages(kind: &str, hour: i64, packages: i64) -> serde_json::Value {
    event(kind, hour * HOUR_MS, json!({"packages": packages}))
}

#[test]
fn a_truck_that_is_only_announced_or_goes_home_hides_no_count() {
    let declared = || entry("E1", json!({"total_packages": 200}), &[]);
    let found = |unloaded: i64, other: Facts| {
        let first = trip("P1", "11A1", [1, 4], &[packages("unloaded", 2, unloaded)]);
        firm("R16", declared(), vec![first, other])
    };
    let announced = || passage("P2", json!({"direction": "in"}), &[]);
    let home = || {
        let out = event("gate.out", 20 * HOUR_MS, json!({}));
        passage(
            "P2",
            json!({"direction": "out", "purpose": "empty"}),
            &[out],
        )
    };

    assert_eq!(found(150, announced()), [Phase::Firm]);
    assert_eq!(found(150, home()), [Phase::Firm]);
    assert_eq!(found(200, home()), []);
    let rest = || trip("P2", "11A1", [20, 24], &[]);
    assert_eq!(found(150, rest()), [], "it may bring the rest");
    assert_eq!(found(201, rest()), [Phase::Firm], "more than all of it");
}

#[test]
fn what_lies_in_a_store_came_off_and_the_rest_goes_on() {
    let declared = || entry("E1", json!({"total_packages": 200}), &[]);
    let found = |stored: Option<(i64, i64)>, to: &str, received_ms: i64| {
        let truck = trip("P1", "11A1", [1, 9], &[packages("unloaded", 2, 50)]);
        let stored = stored.map(|(packages, hour)| {
            let data = json!({"slot": "A", "packages": packages});
            event("store.in", hour * HOUR_MS, data)
        });
        let events: Vec<_> = [link(to)].into_iter().chain(stored).collect();
        let held = hold("H1", json!({}), &events);
        let linked = vec![truck, held];
        phases("R16", &dossier(declared(), linked, received_ms))
    };

    for to in ["E1", "P1"] {
        assert_eq!(found(Some((50, 3)), to, i64::MAX), [], "{to}");
        assert_eq!(found(Some((40, 3)), to, i64::MAX), [Phase::Firm], "{to}");
        assert_eq!(found(Some((50, 40)), to, i64::MAX), [Phase::Firm], "{to}");
    }
    assert_eq!(found(Some((50, 3)), "E9", i64::MAX), [Phase::Firm]);

    let due_ms = (2 + 24) * HOUR_MS;
    assert_eq!(found(None, "E1", due_ms - 1), [Phase::Pending]);
    assert_eq!(found(None, "E1", due_ms), [Phase::Firm]);
}

#[test]
fn whoever_moves_no_package_changes_no_count() {
    let declared = || entry("E1", json!({"total_packages": 200}), &[]);
    let found = |events: &[serde_json::Value]| {
        firm("R16", declared(), vec![trip("P1", "11A1", [1, 9], events)])
    };

    assert_eq!(found(&[packages("unloaded", 2, 0)]), []);
    let part = || packages("unloaded", 2, 150);
    assert_eq!(found(&[part()]), [Phase::Firm]);
    assert_eq!(found(&[part(), packages("reloaded", 3, 0)]), [Phase::Firm]);
    assert_eq!(found(&[part(), packages("reloaded", 3, 150)]), []);

    let truck = trip("P1", "11A1", [1, 9], &[part(), packages("reloaded", 3, 0)]);
    assert_eq!(firm("R16", truck, vec![]), [], "nothing was loaded again");

    let kept = |more: &[serde_json::Value]| {
        firm(
            "R16",
            keeping("H1", "P1", 10, more),
            vec![lorry("P1", 12, &[])],
        )
    };
    assert_eq!(kept(&[packages("unloaded", 7, 0)]), [Phase::Firm]);
    assert_eq!(kept(&[packages("transhipped", 7, 0)]), [Phase::Firm]);
    assert_eq!(kept(&[packages("transhipped", 7, 2)]), []);
}

/// What R16 says of an entry with these records: its sentence in English.
fn sentences_of(declared: Facts, linked: Vec<Facts>) -> Vec<String> {
    let all = crate::reconcile(&dossier(declared, linked, i64::MAX));
    let of_rule = all.into_iter().filter(|f| f.rule.code == "R16");
    of_rule.map(|f| f.text).collect()
}

#[test]
fn every_truck_is_named_that_the_packages_came_off_and_of_many_how_many() {
    let found = |trucks: i64| {
        let declared = entry(
            "E1",
            json!({"total_packages": 10, "transit.ref": "T-1"}),
            &[],
        );
        let truck = |n: i64| {
            let events = [
                event("gate.in", HOUR_MS, json!({})),
                event("unloaded", 2 * HOUR_MS, json!({"packages": 10})),
            ];
            let fields = json!({
                "vehicle.plate": format!("{n}{n} C {n}"),
                "transit.ref": "T-1",
                "direction": "in",
                "purpose": "goods",
            });
            passage(&format!("P{n}"), fields, &events)
        };
        sentences_of(declared, (1..=trucks).map(truck).collect())
    };

    let two = "10 packages declared, 20 unloaded from P1, P2";
    assert_eq!(found(2), [two]);
    let five = "10 packages declared, 50 unloaded from P1, P2, P3 and 2 more";
    assert_eq!(found(5), [five]);
}

#[test]
fn fewer_that_came_off_wait_where_a_hold_may_name_the_truck_alone() {
    let declared = || entry("E1", json!({"total_packages": 200}), &[]);
    let truck = || vec![trip("P1", "11A1", [1, 9], &[packages("unloaded", 2, 50)])];
    let at = |ms: i64| phases("R16", &dossier(declared(), truck(), ms));
    let due_ms = (2 + 24 + 24) * HOUR_MS;
    assert_eq!(at(due_ms - 1), [Phase::Pending]);
    assert_eq!(at(due_ms), [Phase::Firm]);
    let told = sentences_of(declared(), truck());
    assert!(told[0].contains("nothing was heard of a hold"), "{told:?}");

    let named = sentences_of(
        entry("E1", json!({"total_packages": 200}), &[link("P1")]),
        truck(),
    );
    assert_eq!(named, ["200 packages declared, 50 unloaded from P1"]);
}

#[test]
fn fewer_that_came_off_are_held_against_the_holds_of_the_truck() {
    let found = |links: &[serde_json::Value], unloaded: i64, stored: Option<i64>| {
        let declared = entry("E1", json!({"total_packages": 200}), links);
        let truck = trip("P1", "11A1", [1, 9], &[packages("unloaded", 2, unloaded)]);
        let hold = stored.map(|stored| {
            let data = json!({"slot": "A", "packages": stored});
            let into = event("store.in", 3 * HOUR_MS, data);
            hold("H1", json!({}), &[link("P1"), into])
        });
        let linked: Vec<Facts> = [truck].into_iter().chain(hold).collect();
        phases("R16", &dossier(declared, linked, 1_000 * HOUR_MS))
    };
    let named = [link("P1")];

    assert_eq!(found(&[], 50, None), [Phase::Firm], "nothing was heard");
    assert_eq!(found(&named, 50, None), [Phase::Firm], "it has no hold");
    assert_eq!(found(&named, 50, Some(50)), []);
    assert_eq!(found(&named, 50, Some(40)), [Phase::Firm]);
    let more = found(&[], 201, None);
    assert_eq!(more, [Phase::Firm], "no hold explains it");
}
