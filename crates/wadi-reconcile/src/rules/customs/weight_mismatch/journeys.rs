//! Which trucks carried which goods, as R03 sees it.

use super::*;
use crate::{HOUR_MS, Phase, reconcile, tests::*};
use serde_json::{Value as Json, json};

fn hours(hours: i64) -> i64 {
    hours.saturating_mul(HOUR_MS)
}

fn weighed(at_ms: i64, net_kg: i64) -> Json {
    let mut weighed = event(
        "weighed",
        at_ms,
        json!({"gross_kg": 15_000 + net_kg, "tare_kg": 15_000}),
    );
    weighed["attested"] = true.into();
    weighed
}

/// An entry over twenty tonnes that was registered and released in these hours.
fn goods(id: &str, fields: Json, [registered, released]: [i64; 2]) -> Facts {
    let mut fields = fields;
    fields["goods.1.gross_g"] = 20_000_000.into();
    let events = [
        event("registered", hours(registered), json!({})),
        event("entry.released", hours(released), json!({})),
    ];
    entry(id, fields, &events)
}

/// A truck that came and left in these hours, weighed an hour after it came.
fn truck(id: &str, fields: Json, [came, left]: [i64; 2], net_kg: Option<i64>) -> Facts {
    with_events(id, fields, [came, left], net_kg, &[])
}

fn with_events(
    id: &str,
    fields: Json,
    [came, left]: [i64; 2],
    net_kg: Option<i64>,
    more: &[Json],
) -> Facts {
    let mut all = json!({"direction": "in", "purpose": "goods"});
    let known = all.as_object_mut().expect("an object");
    known.extend(fields.as_object().expect("an object").clone());

    let mut events = vec![event("gate.in", hours(came), json!({}))];
    events.extend(net_kg.map(|net_kg| weighed(hours(came + 1), net_kg)));
    events.extend_from_slice(more);
    events.push(event("gate.out", hours(left), json!({})));
    passage(id, all, &events)
}

/// Which of these records carry R03, once all is received.
fn told(all: &[Facts]) -> Vec<&str> {
    let is_told = |anchor: &&Facts| {
        let others = all.iter().filter(|other| other.id != anchor.id);
        let others = others.cloned().collect();
        !firm("R03", (*anchor).clone(), others).is_empty()
    };
    all.iter().filter(is_told).map(|f| f.id.as_str()).collect()
}

#[test]
fn each_trip_of_a_truck_stands_beside_its_own_entry_however_many_there_are() {
    let series = |every_h: i64, net_kg: [i64; 6]| -> Vec<Facts> {
        let trips = net_kg.into_iter().zip(0..).flat_map(|(net_kg, n)| {
            let from = n * every_h;
            [
                goods(&format!("E{n}"), json!({}), [from, from + 3]),
                truck(
                    &format!("P{n}"),
                    json!({}),
                    [from + 1, from + 4],
                    Some(net_kg),
                ),
            ]
        });
        trips.collect()
    };

    for every_h in [8, 12, 23, 24, 30] {
        assert_eq!(told(&series(every_h, [20_000; 6])), [] as [&str; 0]);
        for n in [0, 4, 5] {
            let mut net_kg = [20_000; 6];
            net_kg[n] = 30_000;
            let one = format!("E{n}");
            assert_eq!(told(&series(every_h, net_kg)), [one.as_str()], "{every_h}");
        }
    }
}

#[test]
fn what_is_entered_for_tomorrow_is_not_on_todays_truck() {
    let today = || {
        vec![
            goods("E1", json!({}), [0, 3]),
            truck("P1", json!({}), [1, 5], Some(20_000)),
        ]
    };
    let tomorrow = |registered: i64| goods("E2", json!({}), [registered, 27]);
    for registered in [4, 7] {
        let all = [today(), vec![tomorrow(registered)]].concat();
        assert_eq!(told(&all), [] as [&str; 0], "{registered}");
    }

    let both = vec![tomorrow(4), truck("P2", json!({}), [25, 28], Some(20_000))];
    assert_eq!(told(&[today(), both].concat()), [] as [&str; 0]);
}

#[test]
fn a_second_trip_without_an_entry_is_added_once_its_own_is_overdue() {
    let first = goods("E1", json!({}), [0, 3]);
    let trucks = vec![
        truck("P1", json!({}), [1, 4], Some(20_000)),
        truck("P2", json!({}), [25, 28], Some(20_000)),
    ];
    let due_ms = hours(25 + 24);
    let found = |ms: i64| phases("R03", &dossier(first.clone(), trucks.clone(), ms));
    assert_eq!(found(due_ms - 1), [Phase::Pending]);
    assert_eq!(found(due_ms), [Phase::Firm]);
}

#[test]
fn one_load_that_is_weighed_at_several_stations_counts_once() {
    let transit = || json!({"transit.ref": "T-1"});
    let out = |net_kg: i64| {
        let way_out = json!({"transit.ref": "T-1", "direction": "out"});
        truck("P2", way_out, [20, 22], Some(net_kg)).at("QAM")
    };
    let found = |in_kg: i64, second: Facts| {
        let first = truck("P1", transit(), [1, 4], Some(in_kg));
        told(&[goods("E1", transit(), [0, 3]), first, second]).len()
    };
    assert_eq!(found(20_000, out(20_000)), 0);
    assert_eq!(found(27_000, out(20_000)), 1, "it lost some on its way");
    assert_eq!(found(20_000, out(12_000)), 1, "so it did here");
    let convoy = json!({"transit.ref": "T-1", "vehicle.plate": "22B2"});
    let second = || truck("P2", convoy.clone(), [1, 4], Some(20_000));
    assert_eq!(found(20_000, second()), 1, "another truck of one transit");
    assert_eq!(
        found(10_000, truck("P2", convoy.clone(), [1, 4], Some(10_000))),
        0
    );

    let diverted = |at_h: i64| {
        let sent = event("diverted", hours(at_h), json!({"to": "QAM"}));
        let came = [
            event("gate.in", hours(1), json!({})),
            weighed(hours(2), 20_000),
            sent,
        ];
        let first = passage("P1", json!({"direction": "in"}), &came);
        let second = truck("P2", json!({}), [12, 15], Some(20_000)).at("QAM");
        told(&[goods("E1", json!({}), [0, 14]), first, second]).len()
    };
    assert_eq!(diverted(3), 0);
    assert_eq!(diverted(16), 1, "said once the other was gone");
}

#[test]
fn goods_that_are_moved_to_another_truck_are_one_load() {
    let found = |moved: Json, at_h: i64| {
        let fields = |plate: &str| json!({"vehicle.plate": plate, "transit.ref": "T-1"});
        let moved = event("transhipped", hours(at_h), moved);
        let first = with_events("P1", fields("11A1"), [1, 9], Some(20_000), &[moved]);
        let second = truck("P2", fields("22B2"), [4, 8], Some(20_000));
        told(&[goods("E1", fields("11A1"), [0, 3]), first, second]).len()
    };
    let to = |packages: i64| json!({"packages": packages, "to_plate": "22-B-2"});

    assert_eq!(found(to(100), 4), 0);
    assert_eq!(found(to(0), 4), 1, "nothing was moved");
    assert_eq!(found(to(100), 9), 1, "said once the other was gone");
    assert_eq!(found(to(100), 7), 1, "it was laden before");
    let elsewhere = json!({"packages": 100, "to_plate": "33C3"});
    assert_eq!(found(elsewhere, 4), 1);
}

/// A container, by its number.
const BOX: &str = "CSQU3054383";

/// Twenty tonnes are declared, 24 are weighed at two, and then customs types a container on the
/// truck and on its entry.
#[test]
fn a_container_that_is_typed_once_the_scale_has_shown_more_weighs_nothing() {
    let captured = |of: Facts, minutes: Option<i64>| match minutes {
        Some(minutes) => {
            let entered_ms = hours(2) + minutes * 60_000;
            let line = json!({"entered_ms": entered_ms, "fields": ["container.1"]});
            of.with("captured", json!([line]))
        }
        None => of,
    };
    let found = |on_entry: Option<i64>, on_truck: Option<i64>, more: &[Json]| {
        let of = || json!({"container.1": BOX});
        let goods = captured(goods("E1", of(), [0, 3]), on_entry);
        let truck = with_events("P1", of(), [1, 4], Some(24_000), more);
        told(&[goods, captured(truck, on_truck)]).len()
    };

    assert_eq!(found(Some(60), Some(60), &[]), 1);
    let again = weighed(hours(3) + 1_800_000, 24_000);
    assert_eq!(found(Some(60), Some(60), &[again]), 1, "weighed anew");
    let read = |at_ms: i64| {
        [event(
            "gate.read",
            at_ms,
            json!({"container": "csqu 305438-3"}),
        )]
    };
    assert_eq!(
        found(Some(60), Some(60), &read(hours(4))),
        0,
        "a camera saw it"
    );
    assert_eq!(
        found(Some(60), Some(60), &read(hours(6))),
        1,
        "when it was gone"
    );

    assert_eq!(
        found(None, Some(60), &[]),
        0,
        "the declaration told it before"
    );
    assert_eq!(found(Some(60), None, &[]), 0, "the gate told it before");
    assert_eq!(found(Some(9), Some(9), &[]), 0, "typed at the scale");
}

/// A second entry over eight tonnes of salt, for a truck of 28.
#[test]
fn what_is_cancelled_before_the_truck_leaves_declares_nothing_of_its_load() {
    let found = |cancelled: Option<i64>| {
        let released = [
            event("registered", 0, json!({})),
            event("entry.released", hours(3), json!({})),
        ];
        let cancelled = cancelled.map(|ms| event("cancelled", ms, json!({})));
        let events: Vec<Json> = released.into_iter().chain(cancelled).collect();
        let salt = entry("E2", json!({"goods.1.gross_g": 8_000_000}), &events);
        let truck = truck("P1", json!({}), [1, 5], Some(28_000));
        told(&[goods("E1", json!({}), [0, 3]), salt, truck]).len()
    };

    assert_eq!(found(None), 0, "two entries on one truck");
    assert_eq!(found(Some(hours(4))), 1);
    assert_eq!(found(Some(hours(7))), 0, "it declared it at the gate");
}

#[test]
fn a_scale_weighs_the_container_with_the_goods() {
    let found = |declared: &str, carried: &str, net_kg: i64| {
        let of = |container: &str| json!({"container.1": container});
        let first = truck("P1", of(carried), [1, 4], Some(net_kg));
        told(&[goods("E1", of(declared), [0, 3]), first]).len()
    };

    assert_eq!(found(BOX, BOX, 24_000), 0);
    assert_eq!(found(BOX, BOX, 20_000), 0, "it is part of the tare");
    assert_eq!(found(BOX, BOX, 27_000), 1);
    assert_eq!(found(BOX, BOX, 15_000), 1);
    assert_eq!(found(BOX, "none", 24_000), 1, "nobody saw it");
    assert_eq!(found("none", BOX, 24_000), 1, "nobody declared it");
    let misread = "CSQU3054384";
    assert_eq!(found(misread, misread, 24_000), 1, "no container has that");
}

#[test]
fn what_nobody_weighed_hides_nothing_that_was() {
    let found = |net_kg: i64, other: Facts| {
        let first = truck("P1", json!({}), [1, 4], Some(net_kg));
        told(&[goods("E1", json!({}), [0, 3]), first, other]).len()
    };
    let home = || json!({"direction": "out", "purpose": "empty"});
    let others = || {
        [
            truck("P2", home(), [20, 21], None),
            truck("P2", home(), [20, 21], None).at("QAM"),
            passage("P2", json!({"direction": "in"}), &[]),
            truck("P2", json!({}), [20, 21], None),
            truck("P2", json!({"direction": "out"}), [20, 21], Some(18_000)),
        ]
    };

    for other in others() {
        assert_eq!(found(27_000, other), 1);
    }
    for other in others() {
        assert_eq!(found(20_000, other), 0, "nor does it add any");
    }

    assert_eq!(found(12_000, truck("P2", home(), [20, 21], None)), 1);
    let with_the_rest = truck("P2", json!({}), [20, 21], None);
    assert_eq!(found(12_000, with_the_rest), 0, "nobody knows how much");
}

#[test]
fn a_second_record_of_one_arrival_is_no_second_load() {
    let came = [
        event("gate.in", hours(1), json!({})),
        weighed(hours(2), 20_000),
    ];
    let first = passage("P1", json!({"direction": "in"}), &came);
    let found =
        |second: Facts| told(&[goods("E1", json!({}), [0, 3]), first.clone(), second]).len();

    assert_eq!(found(truck("P2", json!({}), [3, 5], None)), 0);
    assert_eq!(found(truck("P2", json!({}), [3, 5], Some(20_000))), 1);
}

#[test]
fn a_link_makes_no_load_of_a_truck_that_has_its_own_entry_or_was_gone() {
    let plate = |plate: &str| json!({"vehicle.plate": plate});
    let first = |net_kg| truck("P1", plate("11A1"), [1, 4], Some(net_kg));
    let second = |net_kg| truck("P2", plate("22B2"), [1, 4], net_kg);
    let linked = |at_h: i64, declared_g: i64| {
        let events = [
            event("registered", 0, json!({})),
            event("link", hours(at_h), json!({"record": "P2"})),
        ];
        entry("E1", json!({"goods.1.gross_g": declared_g}), &events)
    };
    let other = || goods("E2", plate("22B2"), [0, 3]);

    for at_h in [2, 9] {
        let forged = [
            linked(at_h, 20_000_000),
            first(20_000),
            second(Some(20_000)),
            other(),
        ];
        assert_eq!(told(&forged), [] as [&str; 0], "{at_h}");
        let hidden = [
            linked(at_h, 20_000_000),
            first(27_000),
            second(None),
            other(),
        ];
        assert_eq!(told(&hidden), ["E1"], "{at_h}");
    }

    let both = |at_h| {
        [
            linked(at_h, 40_000_000),
            first(20_000),
            second(Some(20_000)),
        ]
    };
    assert_eq!(told(&both(2)), [] as [&str; 0], "two trucks carry it");
    assert_eq!(told(&both(9)), ["E1"], "said once it was gone");
}

#[test]
fn an_entry_that_is_cancelled_or_another_truck_that_was_turned_back_adds_nothing() {
    let cancelled = goods("E1", json!({}), [0, 3]).state_is("CANCELLED");
    let first = || truck("P1", json!({}), [1, 4], Some(20_000));
    let anew = goods("E2", json!({}), [0, 3]);
    assert_eq!(told(&[cancelled, anew.clone(), first()]), [] as [&str; 0]);

    let came = [
        event("gate.in", hours(-9), json!({})),
        weighed(hours(-8), 27_000),
    ];
    let back = passage("P0", json!({"direction": "in"}), &came).state_is("TURNED_BACK");
    assert_eq!(told(&[anew, first(), back]), [] as [&str; 0]);
}

#[test]
fn only_goods_that_were_moved_explain_another_mass() {
    let found = |moved: Option<(&str, i64, i64)>, masses: [i64; 2]| {
        let moved = moved
            .map(|(kind, packages, at_h)| event(kind, hours(at_h), json!({"packages": packages})));
        let tickets = [weighed(hours(2), masses[0]), weighed(hours(6), masses[1])];
        let events: Vec<Json> = tickets.into_iter().chain(moved).collect();
        let truck = with_events("P1", json!({}), [1, 9], None, &events);
        told(&[truck]).len()
    };
    let less = [30_000, 20_000];

    assert_eq!(found(None, less), 1);
    assert_eq!(found(Some(("unloaded", 50, 4)), less), 0);
    assert_eq!(found(Some(("unloaded", 0, 4)), less), 1, "nothing came off");
    assert_eq!(
        found(Some(("unloaded", 50, 7)), less),
        1,
        "it came off later"
    );
    assert_eq!(
        found(Some(("reloaded", 50, 4)), less),
        1,
        "it would weigh more"
    );

    let written = |entered_ms: i64| {
        let mut unloaded = event("unloaded", hours(4), json!({"packages": 50}));
        unloaded["entered_ms"] = entered_ms.into();
        let tickets = [weighed(hours(2), 30_000), weighed(hours(6), 20_000)];
        let events: Vec<Json> = tickets.into_iter().chain([unloaded]).collect();
        told(&[with_events("P1", json!({}), [1, 9], None, &events)]).len()
    };
    assert_eq!(written(hours(5)), 0);
    assert_eq!(written(hours(7)), 1, "it was written once it was weighed");

    let more = [20_000, 30_000];
    assert_eq!(found(Some(("reloaded", 50, 4)), more), 0);
    assert_eq!(found(Some(("unloaded", 50, 4)), more), 1);
}

#[test]
fn what_came_off_a_truck_was_on_it_when_it_came() {
    let found = |first_kg: i64, second_kg: i64, declared_g: i64| {
        let moved = [
            event("unloaded", hours(4), json!({"packages": 50})),
            weighed(hours(5), second_kg),
        ];
        let truck = with_events("P1", json!({}), [1, 9], Some(first_kg), &moved);
        let declared = entry("E1", json!({"goods.1.gross_g": declared_g}), &[]);
        told(&[declared, truck]).len()
    };

    assert_eq!(found(30_000, 20_000, 30_000_000), 0);
    assert_eq!(found(30_000, 20_000, 20_000_000), 1);
    assert_eq!(found(22_000, 20_000, 30_000_000), 1);
}

#[test]
fn both_sides_are_cited() {
    let all = [
        goods("E1", json!({"container.1": BOX}), [0, 3]).with(
            "put_by",
            json!([{"entry": "declares", "fields": ["goods.1.gross_g"]}]),
        ),
        truck("P1", json!({"container.1": BOX}), [1, 4], Some(30_000)),
    ];
    let found = reconcile(&dossier(all[0].clone(), vec![all[1].clone()], i64::MAX));
    let found = found.iter().find(|f| f.rule.code == "R03").expect("told");
    let json = found.json(&all[0]);

    let evidence = &json["evidence"];
    assert_eq!(evidence["containers"], json!([BOX]));
    let cited = evidence["cites"].to_string();
    let weighing = format!("entry weighed@{}", hours(2));
    assert!(
        cited.contains("declares") && cited.contains(&weighing),
        "{cited}"
    );
}

#[test]
fn entries_that_were_made_in_advance_stand_beside_their_own_trips() {
    let trips = |net_kg: [i64; 7]| -> Vec<Facts> {
        let all = net_kg.into_iter().zip(0..).flat_map(|(net_kg, n)| {
            let from = n * 6;
            [
                goods(&format!("E{n}"), json!({}), [0, from + 3]),
                truck(
                    &format!("P{n}"),
                    json!({}),
                    [from + 1, from + 4],
                    Some(net_kg),
                ),
            ]
        });
        all.collect()
    };

    assert_eq!(told(&trips([20_000; 7])), [] as [&str; 0]);
    for n in [0, 1, 6] {
        let mut net_kg = [20_000; 7];
        net_kg[n] = 23_500;
        let one = format!("E{n}");
        assert_eq!(told(&trips(net_kg)), [one.as_str()]);
    }
}

#[test]
fn an_entry_that_is_released_beside_the_exit_by_another_clock_went_with_that_truck() {
    let released = |minutes: i64| {
        let events = [
            event("registered", 0, json!({})),
            event("entry.released", hours(4) + minutes * 60_000, json!({})),
        ];
        entry("E1", json!({"goods.1.gross_g": 20_000_000}), &events)
    };
    let found = |minutes: i64, net_kg: i64| {
        let first = goods("E0", json!({}), [0, 3]);
        let truck = truck("P0", json!({}), [1, 4], Some(net_kg));
        told(&[first, truck, released(minutes)]).len()
    };

    assert_eq!(found(5, 40_000), 0, "two entries on one truck");
    assert_eq!(found(15, 40_000), 1, "that one was let go when it had left");
    // Made in advance, and released when the first truck had left: it goes with its own.
    let own = truck("P1", json!({}), [5, 8], Some(20_000));
    let first = goods("E0", json!({}), [0, 3]);
    let trips = [
        first,
        truck("P0", json!({}), [1, 4], Some(20_000)),
        released(5),
        own,
    ];
    assert_eq!(told(&trips), [] as [&str; 0]);
}

#[test]
fn an_entry_in_advance_waits_for_its_own_truck() {
    let ahead = |id: &str| {
        let registered = event("registered", 0, json!({}));
        entry(id, json!({"goods.1.gross_g": 20_000_000}), &[registered])
    };
    let so_far = |second_kg: i64| {
        [
            goods("E0", json!({}), [0, 3]),
            truck("P0", json!({}), [1, 4], Some(20_000)),
            goods("E1", json!({}), [0, 16]),
            truck("P1", json!({}), [14, 17], Some(second_kg)),
            ahead("E2"),
        ]
    };

    assert_eq!(told(&so_far(20_000)), [] as [&str; 0]);
    assert_eq!(told(&so_far(27_000)), ["E1"]);
    let third = truck("P2", json!({}), [45, 48], Some(20_000));
    let all = [&so_far(20_000)[..], &[third]].concat();
    assert_eq!(told(&all), [] as [&str; 0]);
}

#[test]
fn of_several_entries_that_were_let_go_at_once_the_rest_has_two_days_to_come() {
    let first = goods("E1", json!({}), [0, 3]);
    let others = vec![
        goods("E2", json!({}), [0, 3]),
        truck("P1", json!({}), [1, 4], Some(20_000)),
    ];
    let due_ms = hours(2 + 48);
    let found = |ms: i64| phases("R03", &dossier(first.clone(), others.clone(), ms));
    assert_eq!(found(due_ms - 1), [Phase::Pending]);
    assert_eq!(found(due_ms), [Phase::Firm]);
}
