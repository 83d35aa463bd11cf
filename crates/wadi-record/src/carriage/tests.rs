//! What carries what, told of single vehicles.

use super::*;
use serde_json::json;

const DAY_MS: i64 = 24 * HOUR_MS;

fn event(kind: &str, at_ms: i64, data: Json) -> Json {
    json!({"type": kind, "at_ms": at_ms, "entered_ms": at_ms, "counts": true, "data": data})
}

fn known(id: &str, kind: Kind, born_ms: i64, fields: Json, events: &[Json]) -> KnownBy {
    let projection = json!({"kind": kind.name(), "fields": fields, "events": events});
    KnownBy::of(id, born_ms, &projection)
}

fn passage(id: &str, born_ms: i64, plate: &str, events: &[Json]) -> KnownBy {
    let fields = json!({"vehicle.plate": plate, "container.1": "C1"});
    known(id, Kind::Passage, born_ms, fields, events)
}

fn diverted(at_ms: i64) -> Json {
    event("diverted", at_ms, json!({"to": "QAM"}))
}

#[test]
fn a_diverted_vehicle_is_known_wherever_it_comes_next() {
    let policy = Policy::default();
    let vehicle = |id: &str, born_ms: i64, plate: &str, events: &[Json]| {
        known(
            id,
            Kind::Passage,
            born_ms,
            json!({"vehicle.plate": plate}),
            events,
        )
    };
    let took_over = |first: &KnownBy, born_ms: i64, plate: &str| {
        vehicle("P2", born_ms, plate, &[]).took_over(first, &policy)
    };

    let sent = vehicle("P1", 0, "22 A 1", &[diverted(HOUR_MS)]);
    assert!(took_over(&sent, 3 * DAY_MS, "22-A-1"));
    assert!(!took_over(&sent, 3 * DAY_MS, "22-A-2"), "another vehicle");
    assert!(!took_over(&sent, 5 * DAY_MS, "22-A-1"), "another journey");

    let stayed = vehicle("P1", 0, "22 A 1", &[]);
    assert!(!took_over(&stayed, DAY_MS, "22-A-1"), "it was sent nowhere");
    let out = event("gate.out", HOUR_MS, json!({}));
    let gone = vehicle("P1", 0, "22 A 1", &[out, diverted(0)]);
    assert!(!took_over(&gone, DAY_MS, "22-A-1"), "it had left before");
}

#[test]
fn a_container_that_the_entrys_vehicle_gave_up_carries_nothing_of_it() {
    let policy = Policy::default();
    let fields = json!({"vehicle.plate": "11A1", "container.1": "C1"});
    let entry = known("E1", Kind::CustomsEntry, DAY_MS, fields, &[]);
    let later = passage("P2", 20 * DAY_MS, "22B2", &[]);
    let carries = |events: &[Json], plate: &str| {
        let first = passage("P1", DAY_MS, plate, events);
        later.carries_beside(&entry, &[first], &policy)
    };
    let unloaded = |at_ms| event("unloaded", at_ms, json!({"packages": 9}));
    let out = |at_ms| event("gate.out", at_ms, json!({}));

    assert!(later.carries(&entry, &policy));
    assert!(carries(&[], "11A1"), "nobody said that it was emptied");
    assert!(!carries(&[unloaded(2 * DAY_MS)], "11A1"));
    assert!(!carries(&[out(20 * DAY_MS - 1)], "11A1"));

    assert!(
        carries(&[unloaded(19 * DAY_MS)], "11A1"),
        "it may be laden again"
    );
    assert!(carries(&[unloaded(21 * DAY_MS)], "11A1"), "it was laden");
    assert!(carries(&[out(DAY_MS - 1)], "11A1"), "an earlier journey");
    assert!(carries(&[unloaded(2 * DAY_MS)], "33C3"), "a stranger's");
    let back = event("gate.in", 3 * DAY_MS, json!({}));
    assert!(carries(&[out(2 * DAY_MS), back], "11A1"), "it came back");

    let mut claimed = unloaded(2 * DAY_MS);
    claimed["entered_ms"] = (21 * DAY_MS).into();
    assert!(carries(&[claimed], "11A1"), "said after the other had come");

    let own = passage("P2", 20 * DAY_MS, "22B2", &[]);
    let link = event("link", 20 * DAY_MS, json!({"record": "E1"}));
    let linked = passage("P2", 20 * DAY_MS, "22B2", &[link]);
    let first = || [passage("P1", DAY_MS, "11A1", &[unloaded(2 * DAY_MS)])];
    assert!(!own.carries_beside(&entry, &first(), &policy));
    assert!(linked.carries_beside(&entry, &first(), &policy));
}

/// A passage of one plate at a crossing.
fn at(crossing: &str, id: &str, born_ms: i64, events: &[Json]) -> KnownBy {
    let projection = json!({
        "kind": Kind::Passage.name(),
        "crossing": crossing,
        "fields": {"vehicle.plate": "11A1"},
        "events": events,
    });
    KnownBy::of(id, born_ms, &projection)
}

#[test]
fn a_second_record_of_a_vehicle_that_nobody_let_out_is_the_same_vehicle() {
    let policy = Policy::default();
    let out = |at_ms| event("gate.out", at_ms, json!({}));
    let back = |at_ms| event("turned_back", at_ms, json!({"reason": "papers"}));
    let took_over = |events: &[Json], crossing: &str, born_ms: i64| {
        let (first, second) = (at("TRB", "P1", 0, events), at(crossing, "P2", born_ms, &[]));
        let (took, is_beside) = (
            second.took_over(&first, &policy),
            second.is_beside(&first, &policy),
        );
        assert_eq!(took, is_beside);
        took
    };

    assert!(took_over(&[], "TRB", HOUR_MS));
    assert!(took_over(&[], "TRB", 5 * DAY_MS), "it waits there");
    assert!(took_over(&[out(2 * HOUR_MS)], "TRB", HOUR_MS));
    assert!(!took_over(&[out(HOUR_MS)], "TRB", DAY_MS), "another trip");
    assert!(
        !took_over(&[back(HOUR_MS)], "TRB", DAY_MS),
        "it was sent back"
    );
    assert!(!took_over(&[], "QAM", HOUR_MS), "another crossing");

    let mut written = out(HOUR_MS);
    written["entered_ms"] = (2 * DAY_MS).into();
    assert!(took_over(&[written], "TRB", DAY_MS), "said afterwards");
}

#[test]
fn what_moves_no_package_moves_nothing() {
    let policy = Policy::default();
    let took_over = |packages: i64| {
        let moved = json!({"packages": packages, "to_plate": "22B2"});
        let first = at("TRB", "P1", 0, &[event("transhipped", HOUR_MS, moved)]);
        passage("P2", HOUR_MS, "22B2", &[]).took_over(&first, &policy)
    };

    assert!(took_over(3));
    assert!(!took_over(0));
}

#[test]
fn a_truck_that_came_again_with_an_entry_of_its_own_carries_nothing_of_the_first() {
    let policy = Policy::default();
    let entry = |id: &str, born_ms: i64, state: &str| {
        let projection = json!({
            "kind": Kind::CustomsEntry.name(),
            "state": state,
            "fields": {"vehicle.plate": "11A1"},
        });
        KnownBy::of(id, born_ms, &projection)
    };
    let first_trip = || {
        let out = event("gate.out", 5 * HOUR_MS, json!({}));
        at("TRB", "P1", HOUR_MS, &[out])
    };
    let carries = |others: &[KnownBy]| {
        let second = at("TRB", "P2", DAY_MS, &[]);
        let goods = entry("E1", 0, "REGISTERED");
        let carries = second.carries_beside(&goods, others, &policy);
        assert_eq!(carries, !second.is_later_trip(&goods, others, &policy));
        carries
    };
    let own = || entry("E2", 20 * HOUR_MS, "RELEASED");

    assert!(!carries(&[first_trip(), own()]));
    assert!(carries(&[first_trip()]), "it may bring the rest");
    assert!(carries(&[own()]), "it has not left yet");
    let mut typed = event("gate.out", 5 * HOUR_MS, json!({}));
    typed["entered_ms"] = (2 * DAY_MS).into();
    let on_paper = at("TRB", "P1", HOUR_MS, &[typed]);
    assert!(!carries(&[on_paper.clone(), own()]), "a form typed later");
    assert!(carries(&[on_paper]));
    let cancelled = entry("E2", 20 * HOUR_MS, "CANCELLED");
    assert!(carries(&[first_trip(), cancelled]));
    let stays = at("TRB", "P1", HOUR_MS, &[]);
    assert!(carries(&[stays, own()]));
}

#[test]
fn the_entry_of_a_later_trip_names_its_container_or_the_trip_alone() {
    let policy = Policy::default();
    let plate = json!({"vehicle.plate": "11A1"});
    let goods = known("E1", Kind::CustomsEntry, 0, plate, &[]);
    let first = || {
        let out = event("gate.out", 5 * HOUR_MS, json!({}));
        at("TRB", "P1", HOUR_MS, &[out])
    };
    let carries = |fields: Json, events: &[Json]| {
        let own = known("E2", Kind::CustomsEntry, 20 * HOUR_MS, fields, events);
        let second = passage("P2", DAY_MS, "11A1", &[]);
        second.carries_beside(&goods, &[first(), own], &policy)
    };

    assert!(!carries(json!({"container.1": "C1"}), &[]));
    assert!(carries(json!({"container.1": "C2"}), &[]), "a stranger's");
    let link = event("link", 20 * HOUR_MS, json!({"record": "P2"}));
    assert!(!carries(json!({}), &[link]));
}

#[test]
fn a_word_that_goods_went_over_means_the_trip_that_was_there_when_it_was_written() {
    let policy = Policy::default();
    let took_over = |written_h: i64, others: &[KnownBy]| {
        let data = json!({"packages": 5, "to_plate": "11A1"});
        let mut moved = event("transhipped", 2 * HOUR_MS, data);
        moved["entered_ms"] = (written_h * HOUR_MS).into();
        let fields = json!({"vehicle.plate": "99Z9"});
        let first = known("P1", Kind::Passage, 0, fields, &[moved]);
        let later = at("TRB", "P3", 25 * HOUR_MS, &[]);
        later.took_over_beside(&first, others, &policy)
    };
    let gone = || {
        let out = event("gate.out", 3 * HOUR_MS, json!({}));
        at("TRB", "P2", HOUR_MS, &[out])
    };

    assert!(!took_over(5, &[gone()]));
    assert!(took_over(26, &[gone()]), "it is there when it is written");
    assert!(took_over(5, &[]), "no other trip of it is known");
    let stays = at("TRB", "P2", HOUR_MS, &[]);
    assert!(took_over(5, &[stays]), "it has not left");
}
