//! Stories of one load that comes by twice with its seal, and of what is written afterwards.

use crate::{Facts, HOUR_MS, Phase, tests::*};
use serde_json::{Value as Json, json};

fn at(kind: &str, hour: i64, data: Json) -> Json {
    event(kind, hour * HOUR_MS, data)
}

/// A truck without containers that comes at an hour with the seal, as these fields and events have
/// it.
fn tilt(id: &str, hour: i64, mut fields: Json, events: &[Json]) -> Facts {
    fields["purpose"] = "goods".into();
    fields["seal.1"] = "S1".into();
    let came = at("gate.in", hour, json!({}));
    passage(id, fields, &[&[came], events].concat())
}

#[test]
fn a_transit_goes_out_with_the_seal_that_it_came_in_with() {
    let way = |way: &str, reference: &str| json!({"direction": way, "transit.ref": reference});
    let found = |opened: &[Json], out: Json| {
        let left = [at("gate.out", 2, json!({}))];
        let came = tilt("P1", 1, way("in", "T-1"), &[opened, &left].concat());
        firm("R09", tilt("P2", 30, out, &[]), vec![came])
    };

    assert_eq!(found(&[], way("out", "t 1")), []);
    let other = found(&[], way("out", "T-2"));
    assert_eq!(other, [Phase::Firm], "another transit");
    let again = found(&[], way("in", "T-1"));
    assert_eq!(again, [Phase::Firm], "it comes in with other goods");
    let opened = at("unloaded", 2, json!({"packages": 3}));
    let emptied = found(&[opened], way("out", "T-1"));
    assert_eq!(emptied, [Phase::Firm], "its doors were opened");
}

#[test]
fn a_truck_that_was_sent_back_or_on_keeps_its_seal() {
    let found = |first: &[Json], plate: &str| {
        let before = tilt("P1", 1, json!({}), first);
        let again = tilt("P2", 30, json!({"vehicle.plate": plate}), &[]);
        firm("R09", again, vec![before])
    };
    let left = || at("gate.out", 3, json!({}));
    let back = || at("turned_back", 2, json!({"reason": "papers"}));
    let sent = at("diverted", 2, json!({"to": "QAM"}));

    assert_eq!(found(&[left()], "11A1"), [Phase::Firm]);
    assert_eq!(found(&[back(), left()], "11A1"), []);
    assert_eq!(found(&[sent], "11A1"), []);
    assert_eq!(found(&[back()], "22B2"), [Phase::Firm], "a stranger");

    let mut late = back();
    late["entered_ms"] = (40 * HOUR_MS).into();
    assert_eq!(found(&[late], "11A1"), [Phase::Firm], "said since it came");
}

#[test]
fn what_was_recorded_twice_has_its_seal_once() {
    let found = |hour: i64, state: &str| {
        let before = tilt("P1", 1, json!({}), &[]).state_is(state);
        firm("R09", tilt("P2", hour, json!({}), &[]), vec![before])
    };

    assert_eq!(found(30, "VOID"), []);
    assert_eq!(found(2, "ADMITTED"), [], "a camera and a clerk");
    assert_eq!(found(30, "ADMITTED"), [Phase::Firm]);
}

#[test]
fn a_seal_of_a_truck_that_is_only_announced_closes_nothing() {
    let of = |id: &str, events: &[Json]| {
        let fields = json!({"purpose": "goods", "seal.1": "S1"});
        passage(id, fields, events).state_is("ANNOUNCED")
    };
    let came = || tilt("P2", 30, json!({}), &[]);
    let told = at("link", 1, json!({"record": "E1"}));
    let seen = at("sighted", 1, json!({}));

    let announced = of("P1", std::slice::from_ref(&told));
    assert_eq!(firm("R09", came(), vec![announced]), []);
    let sighted = of("P1", &[seen]);
    assert_eq!(firm("R09", came(), vec![sighted]), [Phase::Firm]);
    let before = tilt("P1", 0, json!({}), &[]);
    assert_eq!(firm("R09", of("P2", &[told]), vec![before]), []);
}

/// What R09 says of a truck on which seal BB1 was found, with these events of customs.
fn found_with(of_truck: &[Json], of_hold: &[Json]) -> Vec<Phase> {
    let fields = json!({"container.1": "C1", "seal.1": "AA1"});
    let came = at("gate.in", 1, json!({}));
    let truck = passage("P1", fields, &[&[came], of_truck].concat());
    let link = at("link", 1, json!({"record": "P1"}));
    let opened = at("search.opened", 9, json!({"seal_before": "BB1"}));
    let held = hold("H1", json!({}), &[&[link, opened], of_hold].concat());
    firm("R09", truck, vec![held])
}

#[test]
fn a_seal_that_is_explained_once_it_was_found_is_not_explained() {
    let by_customs = |mut said: Json, entered: i64| {
        said["entered_ms"] = (entered * HOUR_MS).into();
        said["department"] = "CUS".into();
        said
    };
    let searched = |entered| {
        let data = json!({"seal_before": "AA1", "seal_after": "BB1", "findings": "ok"});
        by_customs(at("search.found", 8, data), entered)
    };
    let loaded = |packages: i64, entered| {
        let data = json!({"packages": packages, "seals": ["BB1"]});
        by_customs(at("reloaded", 8, data), entered)
    };

    assert_eq!(found_with(&[], &[]), [Phase::Firm]);
    assert_eq!(found_with(&[], &[searched(8)]), []);
    assert_eq!(found_with(&[], &[searched(10)]), [Phase::Firm]);
    assert_eq!(found_with(&[loaded(4, 8)], &[]), []);
    assert_eq!(found_with(&[loaded(4, 10)], &[]), [Phase::Firm]);
    assert_eq!(
        found_with(&[loaded(0, 8)], &[]),
        [Phase::Firm],
        "of nothing"
    );
}

#[test]
fn a_search_that_is_linked_with_a_truck_afterwards_was_of_another_one() {
    let found = |linked: i64, searched: i64, fields: Json| {
        let came = at("gate.in", 10, json!({}));
        let left = at("gate.out", 20, json!({}));
        let mut own = json!({"container.1": "C1", "seal.1": "AA1"});
        own["vehicle.plate"] = fields["vehicle.plate"].clone();
        let truck = passage("P1", own, &[came, left]);
        let link = at("link", linked, json!({"record": "P1"}));
        let opened = at("search.opened", searched, json!({"seal_before": "BB1"}));
        let goods = entry("E1", json!({"vehicle.plate": "33C3"}), &[opened, link]);
        firm("R09", truck, vec![goods])
    };
    let stranger = || json!({"vehicle.plate": "22B2"});

    assert_eq!(found(1, 5, stranger()), [], "before it came");
    assert_eq!(found(30, 15, stranger()), []);
    assert_eq!(found(12, 15, stranger()), [Phase::Firm], "it was known");
    let own = json!({"vehicle.plate": "33C3"});
    assert_eq!(found(30, 15, own), [Phase::Firm], "it is its own entry");
}

#[test]
fn a_seal_that_is_written_beside_the_exit_by_another_clock_was_on_the_door() {
    let truck = |minutes: i64| {
        let entered_ms = 5 * HOUR_MS + minutes * 60_000;
        let recorded = json!([{"seal": "S1", "entered_ms": entered_ms, "entry": "e"}]);
        let fields = json!({"purpose": "goods", "container.1": "C1", "seal.1": "S1"});
        let left = at("gate.out", 5, json!({}));
        let truck = passage("P1", fields, &[left]).state_is("EXITED");
        truck.with("seals_recorded", recorded)
    };
    let found = |minutes: i64| firm("R09", truck(minutes), vec![]);

    assert_eq!(found(5), []);
    assert_eq!(found(15), [Phase::Firm]);
    // As long as the entry that tells the seal may be on its way.
    let at_ms = |ms: i64| phases("R09", &dossier(truck(15), vec![], ms));
    let until_ms = 5 * HOUR_MS + 10 * 60_000;
    assert_eq!(at_ms(until_ms - 1), [Phase::Pending]);
    assert_eq!(at_ms(until_ms), [Phase::Firm]);
}

#[test]
fn a_laden_container_is_sealed_before_it_leaves() {
    let found = |recorded: Json, more: &[Json]| {
        let left = at("gate.out", 5, json!({}));
        let mut fields = json!({"purpose": "goods", "container.1": "C1"});
        if let Some(seal) = recorded[0]["seal"].as_str() {
            fields["seal.1"] = seal.into();
        }
        let truck = passage("P1", fields, &[&[left], more].concat()).state_is("EXITED");
        firm("R09", truck.with("seals_recorded", recorded), vec![])
    };
    let sealed = |hour: i64| json!([{"seal": "S1", "entered_ms": hour * HOUR_MS, "entry": "e"}]);
    let loaded = |department: &str, packages: i64, entered: i64| {
        let mut again = at(
            "reloaded",
            4,
            json!({"packages": packages, "seals": ["S1"]}),
        );
        again["department"] = department.into();
        again["entered_ms"] = (entered * HOUR_MS).into();
        [again]
    };

    assert_eq!(found(json!([]), &[]), [Phase::Firm]);
    assert_eq!(found(sealed(5), &[]), [], "with the exit");
    assert_eq!(found(sealed(6), &[]), [Phase::Firm]);
    assert_eq!(found(json!([]), &loaded("CUS", 9, 4)), []);
    assert_eq!(found(json!([]), &loaded("CUS", 9, 6)), [Phase::Firm]);
    assert_eq!(found(json!([]), &loaded("CUS", 0, 4)), [Phase::Firm]);
    assert_eq!(found(json!([]), &loaded("OPS", 9, 4)), [Phase::Firm]);
}
