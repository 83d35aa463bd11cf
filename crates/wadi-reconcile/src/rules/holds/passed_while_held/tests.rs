use super::*;
use crate::{HOUR_MS, Phase, reconcile, tests::*};
use serde_json::Value as Json;

fn found(released_ms: Option<i64>, received_ms: i64) -> Vec<Phase> {
    let left = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
    let mut events = vec![
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "P1"})),
    ];

    events
        .extend(released_ms.map(|at| event("released", at, json!({"holds": ["hold.placed@100"]}))));

    phases(
        "R02",
        &dossier(left, vec![hold("H1", json!({}), &events)], received_ms),
    )
}

#[test]
fn it_fires_when_the_hold_was_open_and_waits_for_what_is_on_its_way() {
    assert_eq!(found(None, 499), [Phase::Pending]);
    assert_eq!(found(None, 500), [Phase::Firm]);
    assert_eq!(
        found(Some(501), 900),
        [Phase::Firm],
        "released only after it left"
    );
}

#[test]
fn an_exit_that_is_dated_before_the_hold_and_written_after_it_is_told() {
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "P1"})),
    ];
    let released = event("released", 300, json!({"holds": ["hold.placed@100"]}));
    let open = hold("H1", json!({}), &placed);
    let gone = hold("H1", json!({}), &[&placed[..], &[released]].concat());
    let left = |entered_ms: i64| {
        let mut out = event("gate.out", 50, json!({}));
        out["entered_ms"] = entered_ms.into();
        passage("P1", json!({}), &[out])
    };

    assert_eq!(firm("R02", left(200), vec![open.clone()]), [Phase::Firm]);
    assert_eq!(firm("R02", left(50), vec![open.clone()]), [], "at once");
    assert_eq!(firm("R02", left(99), vec![open]), [], "before the hold");
    assert_eq!(firm("R02", left(400), vec![gone]), [], "after its release");
}

#[test]
fn a_hold_that_is_dated_before_the_exit_and_written_after_it_is_told_as_such() {
    let found = |placed_entered_ms: i64, left_entered_ms: i64, names: &str| {
        let placed = written(event("hold.placed", 100, json!({})), placed_entered_ms);
        let link = event("link", 100, json!({"record": names}));
        let out = written(event("gate.out", 500, json!({})), left_entered_ms);
        let truck = passage("P1", json!({"container.1": "CSQU3054383"}), &[out]);
        let held = hold("H1", json!({}), &[placed, link]);
        let goods = entry("E1", json!({"container.1": "CSQU3054383"}), &[]);
        let (anchor, linked) = match names {
            "E1" => (goods, vec![truck, held]),
            _ => (truck, vec![held]),
        };
        let all = reconcile(&dossier(anchor, linked, i64::MAX));
        let told = all.iter().filter(|f| f.rule.code == "R02").map(|f| {
            let c = &f.contradiction;
            (c.sentence.id.to_string(), c.evidence["entered_ms"].as_i64())
        });
        told.collect::<Vec<_>>()
    };
    let one = |id: &str, entered_ms: Option<i64>| vec![(id.to_string(), entered_ms)];

    assert_eq!(
        found(900, 500, "P1"),
        one("R02-placed-by-word", Some(900)),
        "nobody at the gate could have seen it"
    );
    assert_eq!(
        found(900, 500, "E1"),
        one("R02-placed-by-word-with-goods", Some(900))
    );
    assert_eq!(found(100, 500, "P1"), one("R02-left", None));
    assert_eq!(found(400, 500, "P1"), one("R02-left", None), "entered late");
    assert_eq!(
        found(700, 800, "P1"),
        one("R02-left", None),
        "the exit was written down later still"
    );
}

#[test]
fn a_release_that_is_dated_before_the_exit_and_written_after_it_is_told() {
    let released = |entered_ms: i64| {
        let mut released = event("released", 300, json!({"holds": ["hold.placed@100"]}));
        released["entered_ms"] = entered_ms.into();
        let placed = event("hold.placed", 100, json!({}));
        let link = event("link", 100, json!({"record": "P1"}));
        hold("H1", json!({}), &[placed, link, released])
    };
    let left = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);

    assert_eq!(
        firm("R02", left.clone(), vec![released(900)]),
        [Phase::Firm]
    );
    assert_eq!(firm("R02", left.clone(), vec![released(300)]), []);
    assert_eq!(firm("R02", left, vec![released(499)]), [], "before it left");
}

#[test]
fn a_release_before_the_gate_clears_it() {
    assert_eq!(found(Some(499), 900), []);
}

#[test]
fn a_recall_after_the_exit_opens_nothing_before_it_and_a_release_clears_what_it_names() {
    let with = |events: &[serde_json::Value]| {
        let placed = [
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "P1"})),
        ];
        hold("H1", json!({}), &[&placed, events].concat())
    };

    let left = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
    let released = |id: &str| event("released", 400, json!({"holds": [id]}));
    let recalled = |at| event("recalled", at, json!({}));
    assert_eq!(
        firm(
            "R02",
            left.clone(),
            vec![with(&[released("hold.placed@100"), recalled(600)])]
        ),
        []
    );

    assert_eq!(
        firm(
            "R02",
            left.clone(),
            vec![with(&[released("hold.placed@100"), recalled(450)])]
        ),
        [Phase::Firm]
    );

    assert_eq!(
        firm("R02", left, vec![with(&[released("another")])]),
        [Phase::Firm]
    );
}

#[test]
fn a_lookout_holds_whatever_carries_its_term() {
    let lookout = |term: &str| {
        let placed = [event("hold.placed", 1, json!({}))];
        hold("H1", json!({"target.term": term}), &placed)
    };
    let left = passage(
        "P1",
        json!({
            "trailer.plate": "22 A 123", "container.1": "CSQU 305438-3",
            "goods.hs_code": "0803.9010", "goods.origin": "EC",
            "person.1.document_hash": "AB".repeat(32), "note": "22 A 124",
        }),
        &[event("gate.out", 5, json!({}))],
    );

    let hash = format!("sha256:{}", "ab".repeat(32));
    for term in [
        "22-A-123",
        "٢٢ A ١٢٣",
        "csqu3054383",
        "0803+EC",
        "080390+ECU",
        &hash,
    ] {
        assert_eq!(
            firm("R02", left.clone(), vec![lookout(term)]),
            [Phase::Firm],
            "{term}"
        );
    }

    for term in ["22-A-124", "CSQU3054384", "0804+EC", "0803+CO", "--", ""] {
        assert_eq!(firm("R02", left.clone(), vec![lookout(term)]), [], "{term}");
    }
}

#[test]
fn a_hold_on_an_entry_holds_the_truck_that_carries_it() {
    let truck = |container: &str| {
        let left = [event("gate.out", 500, json!({}))];
        passage("P1", json!({"container.1": container}), &left)
    };
    let held = |released_ms: i64, more: &[serde_json::Value]| {
        let events = [
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "E1"})),
            event(
                "released",
                released_ms,
                json!({"holds": ["hold.placed@100"]}),
            ),
        ];
        hold("H1", json!({}), &[&events, more].concat())
    };
    let goods = || entry("E1", json!({"container.1": "CSQU3054383"}), &[]);

    let found = |truck, hold| firm("R02", goods(), vec![truck, hold]);
    assert_eq!(found(truck("CSQU 305438-3"), held(900, &[])), [Phase::Firm]);
    assert_eq!(found(truck("CSQU3054383"), held(499, &[])), []);

    let names_both = [event("link", 101, json!({"record": "P1"}))];
    assert_eq!(
        found(truck("CSQU3054383"), held(900, &names_both)),
        [],
        "it is told on the truck, once"
    );

    let other_day = truck("MSKU1234565").with(
        "events",
        json!([event("gate.out", 90 * 24 * crate::HOUR_MS, json!({}))]),
    );
    assert_eq!(
        found(other_day, held(i64::MAX, &[])),
        [],
        "a truck of another journey"
    );
}

#[test]
fn a_lookout_for_the_goods_of_an_entry_holds_its_truck() {
    let left = [event("gate.out", 500, json!({}))];
    let truck = passage("P1", json!({"container.1": "CSQU3054383"}), &left);
    let placed = [event("hold.placed", 100, json!({}))];
    let lookout = |term: &str| hold("H1", json!({"target.term": term}), &placed);
    let goods = json!({"container.1": "CSQU3054383", "goods.1.hs_code": "08039010",
        "goods.1.origin": "EC"});
    let found = |term| {
        firm(
            "R02",
            entry("E1", goods.clone(), &[]),
            vec![truck.clone(), lookout(term)],
        )
    };
    assert_eq!(found("0803+EC"), [Phase::Firm]);
    assert_eq!(found("0803+CO"), []);
    assert_eq!(found("CSQU3054383"), [], "it is told on the truck, once");
}

#[test]
fn a_plate_that_is_contested_may_be_the_one_that_is_looked_for() {
    let left = [event("gate.out", 500, json!({}))];
    let claims = json!({"vehicle.plate": [{"value": "11A1"}, {"value": "22B2"}]});
    let truck = passage("P1", json!({}), &left).with("contested", claims);
    let placed = [event("hold.placed", 100, json!({}))];
    let lookout = |term: &str| hold("H1", json!({"target.term": term}), &placed);
    let found = |term| firm("R02", truck.clone(), vec![lookout(term)]);
    assert_eq!(found("22-B-2"), [Phase::Firm]);
    assert_eq!(found("33-C-3"), []);
}

/// A hold on P1 that was placed at 100 and again at 700, with ends.
fn placed_twice(ends: &[serde_json::Value]) -> Facts {
    let placed = [
        event("hold.placed", 100, json!({})),
        event("hold.placed", 700, json!({})),
        event("link", 100, json!({"record": "P1"})),
    ];
    hold("H1", json!({}), &[&placed, ends].concat())
}

pub(super) fn written(mut said: serde_json::Value, entered_ms: i64) -> serde_json::Value {
    said["entered_ms"] = entered_ms.into();
    said
}

#[test]
fn every_exit_is_held_against_every_placement_by_its_own_times() {
    let left = |entered_ms: i64| {
        let out = written(event("gate.out", 500, json!({})), entered_ms);
        passage("P1", json!({}), &[out])
    };
    let names = |id: &str, at_ms: i64| event("released", at_ms, json!({"holds": [id]}));

    let first_ended = placed_twice(&[names("hold.placed@100", 300)]);
    assert_eq!(
        firm("R02", left(800), vec![first_ended.clone()]),
        [Phase::Firm],
        "said to lie before the second placement, and written under it"
    );
    assert_eq!(firm("R02", left(600), vec![first_ended]), []);

    let again = [
        names("hold.placed@100", 200),
        written(names("hold.placed@700", 750), 750),
    ];
    assert_eq!(firm("R02", left(500), vec![placed_twice(&again)]), []);

    let out = passage("P1", json!({}), &[event("gate.out", 900, json!({}))]);
    let late = [
        names("hold.placed@100", 200),
        written(names("hold.placed@700", 750), 1_000),
    ];
    assert_eq!(
        firm("R02", out, vec![placed_twice(&late)]),
        [Phase::Firm],
        "the first release excuses nothing of the second placement"
    );
}

#[test]
fn no_end_that_is_written_after_the_exit_excuses_it() {
    let kinds = [
        "released",
        "conditional",
        "seized",
        "destroyed",
        "re_exported",
    ];
    for kind in kinds {
        let found = |entered_ms: i64| {
            let data = json!({"holds": ["hold.placed@100"], "second_officer": "OF-2"});
            let ended = written(event(kind, 300, data), entered_ms);
            let placed = event("hold.placed", 100, json!({}));
            let link = event("link", 100, json!({"record": "P1"}));
            let left = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
            firm(
                "R02",
                left,
                vec![hold("H1", json!({}), &[placed, link, ended])],
            )
        };
        assert_eq!(found(900), [Phase::Firm], "{kind}");
        assert_eq!(found(300), [], "{kind}");
    }
}

#[test]
fn a_second_exit_under_a_hold_is_another_finding_to_whoever_excused_the_first() {
    let digest = |events: &[serde_json::Value]| {
        let placed = [
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "P1"})),
        ];
        let truck = passage("P1", json!({}), events);
        let held = hold("H1", json!({}), &placed);
        let found = crate::reconcile(&dossier(truck, vec![held], i64::MAX));
        let mut of_it = found.into_iter().filter(|f| f.rule.code == "R02");
        of_it.next().map(|f| (f.id, f.evidence_digest))
    };

    let out = |at_ms: i64| event("gate.out", at_ms, json!({}));
    let once = digest(&[out(500)]);
    assert!(once.is_some());
    assert_eq!(digest(&[out(500), out(900)]), once, "an outer gate");

    let back = event("gate.in", 700, json!({}));
    let twice = digest(&[out(500), back, out(900)]);
    assert_eq!(
        twice.as_ref().map(|(id, _)| id),
        once.as_ref().map(|(id, _)| id)
    );
    assert_ne!(twice, once, "it came back, and left again");
    let later = digest(&[out(500), out(501 + HOUR_MS)]);
    assert_eq!(later, twice);
}

#[test]
fn goods_that_went_on_to_another_truck_are_held_there() {
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "P1"})),
    ];
    let held = || hold("H1", json!({}), &placed);
    let first = |more: &[serde_json::Value]| {
        let came = [event("gate.in", 50, json!({}))];
        passage(
            "P1",
            json!({"container.1": "CSQU3054383"}),
            &[&came, more].concat(),
        )
    };
    let second = |fields, at_ms: i64| {
        let events = [
            event("gate.in", at_ms, json!({})),
            event("gate.out", 900 + at_ms, json!({})),
        ];
        passage("P2", fields, &events)
    };
    let found = |first, second| firm("R02", first, vec![second, held()]);
    let other = || json!({"vehicle.plate": "22-B-2"});

    let moved = event(
        "transhipped",
        300,
        json!({"packages": 9, "to_plate": "22 b 2"}),
    );
    assert_eq!(
        found(first(std::slice::from_ref(&moved)), second(other(), 60)),
        [Phase::Firm]
    );
    assert_eq!(
        found(first(&[]), second(other(), 60)),
        [],
        "nothing went on to it"
    );
    let before = [
        event("gate.in", 60, json!({})),
        event("gate.out", 250, json!({})),
    ];
    assert_eq!(
        found(
            first(std::slice::from_ref(&moved)),
            passage("P2", other(), &before)
        ),
        [],
        "it left before the goods went over to it"
    );
    let third = json!({"vehicle.plate": "33-C-3"});
    assert_eq!(
        found(first(std::slice::from_ref(&moved)), second(third, 60)),
        []
    );
    let days = 50 * HOUR_MS;
    assert_eq!(
        found(first(&[moved]), second(other(), days)),
        [],
        "another day"
    );

    let with_it = json!({"vehicle.plate": "22-B-2", "container.1": "csqu 305438-3"});
    assert_eq!(
        found(first(&[]), second(with_it.clone(), 60)),
        [Phase::Firm]
    );
    let gone = event("gate.out", 90, json!({}));
    assert_eq!(
        found(first(&[gone]), second(with_it, 95)),
        [],
        "the first truck had left with it, before the hold and before the other came"
    );
}

#[test]
fn a_truck_that_left_before_an_entry_began_carried_nothing_of_it() {
    let placed = [event("hold.placed", 10, json!({}))];
    let lookout = || hold("H1", json!({"target.term": "0803+EC"}), &placed);
    let fields = json!({"container.1": "CSQU3054383", "goods.1.hs_code": "08039010",
        "goods.1.origin": "EC"});
    let stored = [event("entry.stored", 40 * HOUR_MS, json!({}))];
    let goods = || entry("E1", fields.clone(), &stored);
    let truck = |id: &str, left_ms: i64| {
        let left = [event("gate.out", left_ms, json!({}))];
        passage(id, json!({"container.1": "CSQU3054383"}), &left)
    };
    let found = |trucks: Vec<Facts>| firm("R02", goods(), [trucks, vec![lookout()]].concat()).len();

    assert_eq!(found(vec![truck("P1", 10 * HOUR_MS)]), 0, "long before");
    assert_eq!(found(vec![truck("P1", 39 * HOUR_MS)]), 1, "entered late");
    let both = vec![truck("P1", 39 * HOUR_MS), truck("P2", 50 * HOUR_MS)];
    assert_eq!(found(both), 1, "the one that was there carries it");
}

/// A hold on the truck that stands from 100 on, with more events.
pub(super) fn held(more: &[Json]) -> Facts {
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "P1"})),
    ];
    hold("H1", json!({}), &[&placed, more].concat())
}

/// What R02 says of the truck: sentences and how often it left.
pub(super) fn told(truck: Facts, holds: Vec<Facts>) -> Vec<(String, i64, Option<u64>)> {
    let all = reconcile(&dossier(truck, holds, i64::MAX));
    let found = all.iter().filter(|f| f.rule.code == "R02").map(|f| {
        let evidence = &f.contradiction.evidence;
        let left_ms = evidence["left_ms"].as_i64().unwrap();
        let id = f.contradiction.sentence.id.to_string();
        (id, left_ms, evidence["exits"].as_u64())
    });
    found.collect()
}

#[test]
fn the_exit_and_the_placement_are_cited() {
    let truck = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
    assert_eq!(
        cited("R02", truck, vec![held(&[])]),
        [
            side("H1", &["entry hold.placed@100", "entry link@100"]),
            side("P1", &["entry gate.out@500"]),
        ]
    );
}

#[test]
fn two_vehicles_under_the_hold_of_one_entry_are_told_apart_by_what_they_are() {
    let out = |id: &str, plate: &str| {
        let events = [
            event("link", 2, json!({"record": "E1"})),
            event("gate.out", 500, json!({})),
        ];
        passage(id, json!({"vehicle.plate": plate}), &events)
    };
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "E1"})),
    ];
    let goods = entry("E1", json!({}), &[event("registered", 1, json!({}))]);
    let held = hold("H1", json!({}), &placed);
    let all = vec![held, out("P1", "22B2"), out("P2", "33C3")];

    let found = crate::reconcile(&dossier(goods, all, i64::MAX));
    let of_rule = found.iter().filter(|f| f.rule.code == "R02");
    let named = of_rule.map(|f| f.contradiction.evidence["passage"].as_str());
    let named: std::collections::BTreeSet<_> = named.collect();
    let both: std::collections::BTreeSet<_> = [Some("P1"), Some("P2")].into();
    assert_eq!(named, both);
}
