use super::*;
use crate::{Phase, tests::*};

fn weighed(at_ms: i64, gross_kg: i64, attested: bool) -> serde_json::Value {
    let mut e = event(
        "weighed",
        at_ms,
        json!({"gross_kg": gross_kg, "tare_kg": 10_000}),
    );

    e["attested"] = attested.into();
    e
}

#[test]
fn it_compares_what_was_declared_with_the_latest_attested_weighing() {
    let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);
    let truck = |kg, attested| vec![passage("P1", json!({}), &[weighed(5, kg, attested)])];
    assert_eq!(
        phases("R03", &dossier(declared.clone(), truck(31_000, true), 4)),
        [Phase::Pending]
    );
    assert_eq!(
        firm("R03", declared.clone(), truck(31_000, true)),
        [Phase::Firm]
    );
    assert_eq!(
        firm("R03", declared.clone(), truck(30_500, true)),
        [],
        "within three in a hundred"
    );

    assert_eq!(
        firm("R03", declared.clone(), truck(31_000, false)),
        [],
        "unattested"
    );

    let again = vec![passage(
        "P1",
        json!({}),
        &[weighed(5, 31_000, true), weighed(6, 30_000, true)],
    )];

    assert_eq!(
        firm("R03", declared.clone(), again),
        [],
        "weighed again, and attested"
    );

    let second = |at, kg| passage("P2", json!({}), &[weighed(at, kg, true)]);
    let two = |kg| vec![truck(20_000, true).remove(0), second(6, kg)];
    assert_eq!(
        firm("R03", declared.clone(), two(20_000)),
        [],
        "two trucks carry it"
    );

    assert_eq!(firm("R03", declared.clone(), two(23_000)), [Phase::Firm]);

    let earlier = vec![
        truck(30_500, true).remove(0),
        second(-9_000_000_000, 44_000),
    ];
    assert_eq!(firm("R03", declared, earlier), [], "another journey");
}

#[test]
fn what_only_shares_a_declarants_reference_is_another_journey() {
    let of_plate = |id: &str, plate: &str, kg: i64| {
        let fields = json!({
            "vehicle.plate": plate, "declarant_ref": "REF-7", "goods.1.gross_g": 20_000_000,
        });
        (
            entry(&format!("E{id}"), fields, &[]),
            passage(
                &format!("P{id}"),
                json!({"vehicle.plate": plate}),
                &[weighed(5, kg, true)],
            ),
        )
    };
    let (honest, its_truck) = of_plate("1", "11A1", 30_000);
    let (other, other_truck) = of_plate("2", "22B2", 40_000);
    let all = |without: &str| -> Vec<Facts> {
        let all = [&honest, &its_truck, &other, &other_truck];
        all.into_iter()
            .filter(|f| f.id != without)
            .cloned()
            .collect()
    };

    assert_eq!(firm("R03", honest.clone(), all("E1")), []);
    assert_eq!(firm("R03", other.clone(), all("E2")), [Phase::Firm]);
}

#[test]
fn it_fires_on_weighings_that_spread_and_on_mass_changed_after_the_assessment() {
    let truck = |second| {
        passage(
            "P1",
            json!({}),
            &[weighed(1, 30_000, false), weighed(2, second, false)],
        )
    };

    assert_eq!(firm("R03", truck(31_000), vec![]), [Phase::Firm]);
    assert_eq!(firm("R03", truck(30_500), vec![]), []);
    assert_eq!(
        firm("R03", truck(10_100), vec![]),
        [],
        "empty on the way out"
    );

    let late = |field: &str| entry("E1", json!({}), &[]).with("after_assessment", json!([field]));
    assert_eq!(firm("R03", late("goods.1.net_g"), vec![]), [Phase::Firm]);
    assert_eq!(firm("R03", late("goods.1.origin"), vec![]), []);
}

fn ticket(at_ms: i64, attested: bool, masses: serde_json::Value) -> serde_json::Value {
    let mut e = event("weighed", at_ms, masses);
    e["attested"] = attested.into();
    e
}

#[test]
fn net_and_tare_spread_as_well_and_nobody_alone_calls_a_truck_empty() {
    let found = |tickets: &[(bool, serde_json::Value)]| {
        let events: Vec<_> = tickets
            .iter()
            .zip(1..)
            .map(|((attested, masses), at_ms)| ticket(at_ms, *attested, masses.clone()))
            .collect();
        firm("R03", passage("P1", json!({}), &events), vec![])
    };
    let of = |gross: i64, tare: i64| json!({"gross_kg": gross, "tare_kg": tare});
    let gross = |gross: i64| json!({"gross_kg": gross});
    let first = || (true, of(45_000, 15_000));

    let other_tare = [first(), (true, of(45_000, 25_000))];
    assert_eq!(found(&other_tare), [Phase::Firm]);
    let net_alone = [first(), (true, json!({"net_kg": 20_000}))];
    assert_eq!(found(&net_alone), [Phase::Firm]);
    assert_eq!(found(&[first(), (true, json!({"net_kg": 30_500}))]), []);
    assert_eq!(found(&[first(), (true, of(45_900, 15_100))]), []);

    let less = || (true, of(35_000, 15_000));
    let called_empty = [first(), less(), (false, of(45_000, 45_000))];
    assert_eq!(found(&called_empty), [Phase::Firm]);
    let alone = [(true, gross(45_000)), (true, gross(35_000))];
    let as_tare = [&alone[..], &[(false, of(60_000, 45_000))]].concat();
    assert_eq!(found(&as_tare), [Phase::Firm]);

    let empty_again = [first(), (false, of(15_100, 15_100))];
    assert_eq!(found(&empty_again), [], "empty on the way out");
    assert_eq!(found(&[first(), (true, gross(15_100))]), []);
    assert_eq!(
        found(&[(false, of(45_000, 15_000)), (false, gross(15_100))]),
        []
    );
}

#[test]
fn the_rest_of_the_goods_has_a_day_to_come() {
    let declared =
        |more: &[serde_json::Value]| entry("E1", json!({"goods.1.gross_g": 40_000_000}), more);
    let truck = || vec![passage("P1", json!({}), &[weighed(5, 30_000, true)])];
    let due_ms = 5 + 24 * crate::HOUR_MS;
    let found = |anchor: Facts, ms| phases("R03", &dossier(anchor, truck(), ms));

    assert_eq!(found(declared(&[]), due_ms - 1), [Phase::Pending]);
    assert_eq!(found(declared(&[]), due_ms), [Phase::Firm]);
    let released = declared(&[event("entry.released", 9, json!({}))]);
    assert_eq!(found(released, 9), [Phase::Firm], "nothing more may come");
}

#[test]
fn an_empty_truck_on_its_way_out_is_not_what_was_declared() {
    let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);
    let tickets = [
        weighed(5, 30_000, true),
        ticket(6, true, json!({"gross_kg": 10_000, "tare_kg": 10_000})),
    ];
    let truck = |tickets: &[serde_json::Value]| vec![passage("P1", json!({}), tickets)];
    assert_eq!(firm("R03", declared.clone(), truck(&tickets)), []);
    let came_empty = truck(&tickets[1..]);
    assert_eq!(firm("R03", declared, came_empty), [Phase::Firm]);
}

#[test]
fn weighings_of_an_entry_are_compared_with_it_and_with_each_other() {
    let goods = |weighings: &[serde_json::Value]| {
        entry("E1", json!({"goods.1.gross_g": 20_000_000}), weighings)
    };
    let found = |weighings: &[serde_json::Value]| firm("R03", goods(weighings), vec![]);

    assert_eq!(found(&[weighed(5, 31_000, true)]), [Phase::Firm]);
    assert_eq!(found(&[weighed(5, 30_500, true)]), []);
    assert_eq!(found(&[weighed(5, 31_000, false)]), [], "unattested");
    assert_eq!(
        found(&[weighed(5, 33_000, false), weighed(6, 30_000, true)]),
        [Phase::Firm],
        "they spread"
    );
}

#[test]
fn a_weighing_that_is_disputed_counts_until_the_truck_is_weighed_again() {
    let declared =
        |more: &[serde_json::Value]| entry("E1", json!({"goods.1.gross_g": 20_000_000}), more);
    let disputed = event("weighing.disputed", 7, json!({"weighing": "weighed@5"}));
    let truck = |more: &[serde_json::Value]| {
        let first = [weighed(5, 40_000, true), disputed.clone()];
        vec![passage("P1", json!({}), &[&first[..], more].concat())]
    };
    let found = |more: &[serde_json::Value]| firm("R03", declared(&[]), truck(more));

    assert_eq!(found(&[]), [Phase::Firm], "and never weighed again");
    assert_eq!(found(&[weighed(9, 30_000, true)]), []);
    assert_eq!(
        found(&[weighed(9, 30_000, false)]),
        [Phase::Firm],
        "nobody stands for the second one"
    );
    let before = [
        weighed(3, 30_000, true),
        weighed(5, 40_000, true),
        disputed.clone(),
    ];
    assert_eq!(
        firm(
            "R03",
            declared(&[]),
            vec![passage("P1", json!({}), &before)]
        ),
        [Phase::Firm],
        "the other one was there when it was weighed"
    );

    let due_ms = 5 + 24 * crate::HOUR_MS;
    let waits = |anchor, ms| phases("R03", &dossier(anchor, truck(&[]), ms));
    assert_eq!(waits(declared(&[]), due_ms - 1), [Phase::Pending]);
    let released = declared(&[event("entry.released", 9, json!({}))]);
    assert_eq!(waits(released, 9), [Phase::Firm]);

    let spread = [weighed(5, 40_000, true), weighed(6, 30_000, true)];
    let passage_of =
        |more: &[serde_json::Value]| passage("P1", json!({}), &[&spread[..], more].concat());
    assert_eq!(firm("R03", passage_of(&[disputed]), vec![]), []);
    let last = event("weighing.disputed", 7, json!({"weighing": "weighed@6"}));
    assert_eq!(firm("R03", passage_of(&[last]), vec![]), [Phase::Firm]);
}

#[test]
fn a_tanker_is_weighed_when_it_comes_and_when_it_leaves() {
    let gross = |at_ms: i64, kg: i64| ticket(at_ms, true, json!({"gross_kg": kg}));
    let truck = |tickets: &[serde_json::Value]| passage("P1", json!({}), tickets);
    let spread = |tickets: &[serde_json::Value]| firm("R03", truck(tickets), vec![]);
    let declared = |kg: i64, tickets: &[serde_json::Value]| {
        let goods = entry("E1", json!({"goods.1.gross_g": kg * 1_000}), &[]);
        firm("R03", goods, vec![truck(tickets)])
    };

    let none_off = event("unloaded", 6, json!({"packages": 0}));
    let uncounted = event("unloaded", 6, json!({}));
    let called_empty = ticket(7, true, json!({"gross_kg": 15_000, "tare_kg": 15_000}));
    let weighed_twice = [
        vec![gross(5, 45_000), gross(7, 15_000)],
        vec![gross(5, 15_000), gross(7, 45_000)],
        vec![gross(5, 45_000), none_off, gross(7, 15_000)],
        vec![gross(5, 45_000), uncounted, gross(7, 15_000)],
        vec![gross(5, 45_000), called_empty],
    ];
    for tickets in weighed_twice {
        assert_eq!(spread(&tickets), []);
        assert_eq!(declared(30_000, &tickets), []);
        assert_eq!(declared(20_000, &tickets), [Phase::Firm]);
        assert_eq!(declared(40_000, &tickets), [Phase::Firm]);
    }

    let lost_some = [gross(5, 45_000), gross(6, 35_000)];
    assert_eq!(spread(&lost_some), [Phase::Firm], "no truck weighs that");
    let and_empty = [&lost_some[..], &[gross(7, 15_000)]].concat();
    assert_eq!(spread(&and_empty), [Phase::Firm]);
    let alone = ticket(5, false, json!({"gross_kg": 45_000}));
    let unattested = spread(&[alone, gross(7, 15_000)]);
    assert_eq!(unattested, [Phase::Firm], "nobody stands for the first");

    let some_off = event("unloaded", 6, json!({"packages": 5}));
    let in_part = [gross(5, 30_000), some_off, gross(7, 19_000)];
    assert_eq!(spread(&in_part), []);
    assert_eq!(declared(20_000, &in_part), [], "some may be on it still");
}

#[test]
fn the_tare_of_an_empty_truck_is_cited_with_its_gross() {
    let tickets = [45_000, 15_000].into_iter().zip(5..);
    let tickets = tickets.map(|(kg, at_ms)| ticket(at_ms, true, json!({"gross_kg": kg})));
    let tickets: Vec<serde_json::Value> = tickets.collect();
    let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);

    let cites = cited("R03", declared, vec![passage("P1", json!({}), &tickets)]);
    let both = side("P1", &["entry weighed@5", "entry weighed@6"]);
    assert!(cites.contains(&both), "{cites:?}");
}

#[test]
fn a_tractor_without_its_trailer_is_not_weighed_against_both() {
    let shown = |at_ms: i64, gross_kg: i64, tare_kg: i64| {
        let data = json!({"gross_kg": gross_kg, "tare_kg": tare_kg});
        let mut e = event("weighed", at_ms, data);
        e["attested"] = true.into();
        e
    };
    let found = |trailer: &str, light_kg: i64| {
        let events = [shown(5, 35_000, 15_000), shown(9, light_kg, light_kg)];
        let fields = json!({"trailer.plate": trailer});
        firm("R03", passage("P1", fields, &events), vec![])
    };

    assert_eq!(found("T-1", 8_000), []);
    assert_eq!(found("none", 8_000), [Phase::Firm], "it has no trailer");
    let tare = found("T-1", 13_000);
    assert_eq!(tare, [Phase::Firm], "no trailer is so light");
}

#[test]
fn a_trailer_that_another_tractor_fetches_is_one_load() {
    let tractor = |id: &str, plate: &str, at_ms: i64, seal: &str| {
        let events = [
            event("gate.in", at_ms, json!({})),
            weighed(at_ms + 1, 30_000, true),
            event("parked", at_ms + 2, json!({"bay": "B1"})),
            event("gate.out", at_ms + 3, json!({})),
        ];
        let fields = json!({
            "direction": "in",
            "purpose": "goods",
            "seal.1": seal,
            "trailer.plate": "T-1",
            "vehicle.plate": plate,
        });
        let told = json!([
            {"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]},
            {"entry": "s", "officer": "OF-C2", "fields": ["seal.1"]},
        ]);
        passage(id, fields, &events).with("put_by", told)
    };
    let found = |seal: &str| {
        let link = event("link", 20 * crate::HOUR_MS, json!({"record": "P2"}));
        let registered = event("registered", 0, json!({}));
        let fields = json!({"goods.1.gross_g": 20_000_000});
        let goods = entry("E1", fields, &[registered, link]);
        let second = tractor("P2", "22B2", 20 * crate::HOUR_MS, seal);
        firm("R03", goods, vec![tractor("P1", "11A1", 1, "S1"), second])
    };

    assert_eq!(found("S1"), []);
    assert_eq!(found("S2"), [Phase::Firm], "another load on it");
}
