//! How much a rule reads of a large dossier: twice as many records are read twice, and not each of
//! them for each of the others. Readings are counted, for a time tells nothing on a busy machine.

use crate::{tests::*, *};
use serde_json::json;
use std::cell::Cell;

thread_local! {
    static READINGS: Cell<u64> = const { Cell::new(0) };
}

/// Somebody reads all events, or all fields, of a record, or which node wrote an event.
pub(crate) fn note_reading() {
    READINGS.set(READINGS.get().saturating_add(1));
}

/// How often a rule reads a record of a dossier, and how many findings it makes.
pub(crate) fn work(rule: &str, dossier: &Dossier) -> (u64, usize) {
    let rule = RULES.iter().find(|r| r.code == rule).expect("a rule");
    let before = READINGS.get();
    let found = (rule.judge)(dossier).len();
    (READINGS.get() - before, found)
}

/// Twice the records are at most a little more than twice the work.
fn assert_grows_with(rule: &str, of: impl Fn(i64) -> Dossier) {
    let (small, found) = work(rule, &of(60));
    let (large, found_more) = work(rule, &of(120));
    assert!(small > 0 && found > 0 && found_more > 0, "{rule}: {found}");
    let most = small * 5 / 2;
    assert!(large <= most, "{rule}: {small} readings, and then {large}");
}

/// A quarter of an hour after the other.
fn quarter(n: i64) -> i64 {
    n * HOUR_MS / 4
}

/// One truck to and fro, some trips of it with the container of an entry, and entries of everybody
/// else who sent goods with it.
#[test]
fn a_truck_with_many_trips_and_entries_is_read_once_for_each() {
    let trips = |count: i64| {
        let trip = |n: i64| {
            let mut fields = json!({"direction": "in"});
            if n % 2 == 0 {
                fields["container.1"] = "CSQU3054383".into();
            }
            let gates = [
                event("gate.in", quarter(n), json!({})),
                event("gate.out", quarter(n) + 9, json!({})),
            ];
            passage(&format!("P{n}"), fields, &gates)
        };
        let other = |n: i64| {
            let registered = event("registered", quarter(n) - 9, json!({}));
            let released = event("entry.released", quarter(n), json!({}));
            entry(&format!("E{n}"), json!({}), &[registered, released])
        };
        let moved = |n: i64| {
            let off = event("unloaded", quarter(n), json!({"packages": 1}));
            passage(&format!("U{n}"), json!({"direction": "in"}), &[off])
        };

        let fields = json!({"container.1": "CSQU3054383", "total_packages": 1_000});
        let goods = entry("E", fields, &[event("registered", 0, json!({}))]);
        let all = (1..count).flat_map(|n| [trip(n), other(n), moved(n)]);
        dossier(goods, all.collect(), i64::MAX)
    };

    assert_grows_with("R26", trips);
}

/// Somebody fills the dossier of a truck with holds, each with a search, and with entries.
#[test]
fn a_truck_with_many_searches_and_entries_is_read_once_for_each() {
    let held = |count: i64| {
        let search = |n: i64| {
            let link = event("link", 1, json!({"record": "P"}));
            let found = json!({"seal_before": format!("X{n}"), "seal_after": format!("Y{n}")});
            let searched = event("search.found", quarter(n), found);
            hold(&format!("H{n}"), json!({}), &[link, searched])
        };
        let other = |n: i64| entry(&format!("E{n}"), json!({"seal.1": "S1"}), &[]);

        let fields = json!({"seal.1": "S1", "container.1": "CSQU3054383"});
        let truck = passage("P", fields, &[event("gate.in", 0, json!({}))]);
        let all = (1..count).flat_map(|n| [search(n), other(n)]);
        dossier(truck, all.collect(), i64::MAX)
    };

    assert_grows_with("R09", held);
}

/// Somebody tells one trailer for many tractors, and customs link each of the later ones with the
/// entry of an earlier one.
#[test]
fn the_tractors_of_one_trailer_are_read_once_for_each() {
    let tractor = |id: String, plate: String, at_ms: i64| {
        let fields = json!({"vehicle.plate": plate, "trailer.plate": "T-1", "purpose": "goods"});
        let events = [
            event("gate.in", at_ms, json!({})),
            event("parked", at_ms + 1, json!({"bay": "B1"})),
            event("gate.out", at_ms + 9, json!({})),
        ];
        let told = json!([{"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]}]);
        passage(&id, fields, &events).with("put_by", told)
    };
    let fetched = |count: i64| {
        let brought = |n: i64| tractor(format!("G{n}"), format!("22G{n}"), quarter(n));
        let took = |n: i64| tractor(format!("T{n}"), format!("33T{n}"), quarter(n + 200));
        let other = |n: i64| {
            let mut link = event("link", quarter(200), json!({"record": format!("T{n}")}));
            link["department"] = "CUS".into();
            let fields = json!({"vehicle.plate": format!("22G{n}")});
            entry(&format!("E{n}"), fields, &[link])
        };

        let last = tractor("P".into(), "44A1".into(), quarter(400));
        let all = (1..count).flat_map(|n| [brought(n), took(n), other(n)]);
        dossier(last, all.collect(), i64::MAX)
    };

    assert_grows_with("R15", fetched);
}

/// An entry of many items, held against entries of as many.
#[test]
fn the_peers_of_many_items_are_read_once_for_each() {
    let declared = |id: &str, items: i64, value: i64| {
        let mut fields = json!({"currency": "USD"});
        for n in 1..=items {
            fields[format!("goods.{n}.hs_code")] = "8517.13".into();
            fields[format!("goods.{n}.net_g")] = 1_000.into();
            fields[format!("goods.{n}.statistical_value_minor")] = value.into();
        }
        entry(id, fields, &[])
    };
    let market = |count: i64| {
        let mut all = dossier(declared("E", count, 10), vec![], 0);
        let peer = |n: i64| declared(&format!("Q{n}"), 1, 10_000);
        all.peers = (1..count).map(peer).collect();
        all
    };

    assert_grows_with("R28", market);
}

/// A truck that is weighed and unloaded again and again, beside the entry of its goods: who wrote
/// each is read once, and not for each pair of a weighing and a movement.
#[test]
fn a_truck_with_many_weighings_and_movements_is_read_once_for_each() {
    let events = |count: i64| {
        let step = |n: i64| {
            let mut weighed = event("weighed", quarter(n), json!({"net_kg": 20_000}));
            weighed["attested"] = true.into();
            let mut off = event("unloaded", quarter(n) + 9, json!({"packages": 1}));
            off["entered_ms"] = quarter(200).into();
            [weighed, off]
        };
        let mut all = vec![event("gate.in", 0, json!({}))];
        all.extend((1..count).flat_map(step));
        all
    };

    let declared = |count: i64| {
        let mut events = events(count);
        events.push(event("gate.out", quarter(201), json!({})));
        let truck = passage("P1", json!({"direction": "in"}), &events);
        let fields = json!({"goods.1.gross_g": 30_000_000});
        let goods = entry("E1", fields, &[event("registered", 0, json!({}))]);
        dossier(goods, vec![truck], i64::MAX)
    };
    assert_grows_with("R03", declared);

    let spread = |count: i64| {
        let mut events = events(count);
        let mut last = event("weighed", quarter(count), json!({"net_kg": 10_000}));
        last["attested"] = true.into();
        events.push(last);
        dossier(passage("P1", json!({}), &events), vec![], i64::MAX)
    };
    assert_grows_with("R03", spread);
}
