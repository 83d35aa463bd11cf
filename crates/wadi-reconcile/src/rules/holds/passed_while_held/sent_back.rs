//! Stories of held trucks that are sent back where they came from, or said to be.

use super::tests::{held, told, written};
use crate::{Phase, tests::*};
use serde_json::{Value as Json, json};

#[test]
fn a_truck_that_is_turned_back_or_abandoned_while_it_is_held_gets_around_nothing() {
    let back = |at_ms| event("turned_back", at_ms, json!({"reason": "no visa"}));
    let came = |at_ms| event("gate.in", at_ms, json!({}));
    let out = |at_ms| event("gate.out", at_ms, json!({}));
    let found = |events: &[Json]| told(passage("P1", json!({}), events), vec![held(&[])]);
    let left = |id: &str, left_ms: i64, exits: Option<u64>| vec![(id.to_string(), left_ms, exits)];
    let one = |id: &str, left_ms| left(id, left_ms, None);

    assert_eq!(found(&[came(50), back(500)]), one("R02-turned-back", 500));
    assert_eq!(
        found(&[back(500), out(600)]),
        one("R02-left", 600),
        "out by the gate that let it go back"
    );
    assert_eq!(
        found(&[back(500), came(600), out(5_000_000)]),
        left("R02-turned-back", 500, Some(2)),
        "it came again, and left again"
    );
    assert_eq!(found(&[back(99)]), [], "before the hold");

    let abandoned = event("abandoned", 300, json!({"reason": "no driver"}));
    assert_eq!(
        found(std::slice::from_ref(&abandoned)),
        [],
        "it is still there"
    );
    assert_eq!(found(&[abandoned, out(500)]), one("R02-left", 500));

    let backdated = written(back(50), 500);
    assert_eq!(found(&[backdated]), one("R02-left-by-word", 50));
}

#[test]
fn a_truck_that_is_turned_back_after_the_release_or_with_what_was_rejected_is_silent() {
    let back = |at_ms| {
        let data = json!({"reason": "refused by the driver"});
        passage("P1", json!({}), &[event("turned_back", at_ms, data)])
    };
    let released = event("released", 400, json!({"holds": ["hold.placed@100"]}));
    let let_go = || held(std::slice::from_ref(&released));
    assert_eq!(told(back(500), vec![let_go()]), []);
    assert_eq!(told(back(300), vec![let_go()]).len(), 1);

    let rejected = event("rejected", 2_000_000, json!({"reason": "rotten"}));
    let goes_back = || held(std::slice::from_ref(&rejected));
    assert_eq!(told(back(2_100_000), vec![goes_back()]), []);
    let minutes = told(back(2_000_000 - 600_000), vec![goes_back()]);
    assert_eq!(minutes, [], "rejected at the same visit, by another clock");
    let before = told(back(2_000_000 - 900_000), vec![goes_back()]);
    assert_eq!(before.len(), 1, "a quarter of an hour before that");
    let late = held(&[written(rejected.clone(), 3_000_000)]);
    assert_eq!(
        told(back(2_100_000), vec![late]).len(),
        1,
        "written afterwards"
    );

    let out = passage("P1", json!({}), &[event("gate.out", 2_100_000, json!({}))]);
    let found = told(out, vec![goes_back()]);
    assert_eq!(found[0].0, "R02-left", "by a gate it went on");
}

#[test]
fn a_rejection_that_is_written_minutes_after_a_truck_was_sent_back_is_waited_for() {
    let at = |received_ms| {
        let back = event("turned_back", 500, json!({"reason": "rotten"}));
        let truck = passage("P1", json!({}), &[back]);
        phases("R02", &dossier(truck, vec![held(&[])], received_ms))
    };

    assert_eq!(at(500 + 600_000 - 1), [Phase::Pending]);
    assert_eq!(at(500 + 600_000), [Phase::Firm]);
}

#[test]
fn one_officer_who_sends_a_truck_back_and_lets_it_out_alone_excuses_nothing() {
    let by = |officer: &str, mut said: Json| {
        said["officer"] = officer.into();
        said
    };
    let back = || by("OF-1", event("turned_back", 500, json!({"reason": "r"})));
    let out = |officer: &str| by(officer, event("gate.out", 900, json!({})));
    let rejected = || held(&[by("OF-7", event("rejected", 400, json!({"reason": "r"})))]);
    let found = |events: &[Json]| {
        let truck = passage("P1", json!({}), events).state_is("TURNED_BACK");
        let told = told(truck, vec![rejected()]);
        told.into_iter().map(|(id, ..)| id).collect::<Vec<_>>()
    };

    assert_eq!(found(&[back(), out("OF-1")]), ["R02-let-out-alone"]);
    assert_eq!(found(&[back(), out("of-1")]), ["R02-let-out-alone"]);
    assert_eq!(found(&[back(), out("OF-2")]), [""; 0], "two know of it");
    assert_eq!(found(&[back()]), [""; 0]);
    let another = by("OF-2", event("turned_back", 510, json!({"reason": "r"})));
    assert_eq!(found(&[back(), another, out("OF-1")]), [""; 0]);
}

#[test]
fn a_rejected_load_that_two_send_over_the_border_as_the_gate_opens_went_back() {
    let by = |officer: &str, mut said: Json| {
        said["officer"] = officer.into();
        said
    };
    let found = |at_ms: i64, data: Json| {
        let said = [
            by("OF-1", event("turned_back", 500, json!({"reason": "r"}))),
            by("OF-1", event("gate.out", 900, json!({}))),
        ];
        let truck = passage("P1", json!({}), &said).state_is("TURNED_BACK");
        let rejected = by("OF-7", event("rejected", 400, json!({"reason": "r"})));
        let gone = by("OF-7", event("re_exported", at_ms, data));
        let told = told(truck, vec![held(&[rejected, gone])]);
        told.into_iter().map(|(id, ..)| id).collect::<Vec<_>>()
    };
    let by_two = || json!({"passage": "P1", "second_officer": "OF-8"});

    assert_eq!(found(5_000, by_two()), [""; 0], "seconds after the gate");
    assert_eq!(found(2_000_000, by_two()), ["R02-let-out-alone"]);
    let own = json!({"passage": "P1", "second_officer": "OF-1"});
    assert_eq!(found(5_000, own), ["R02-let-out-alone"]);
}

#[test]
fn goods_of_an_entry_are_let_out_by_one_officer_alone_no_more_than_a_held_truck() {
    let back = event("turned_back", 500, json!({"reason": "r"}));
    let out = event("gate.out", 900, json!({}));
    let truck = passage("P1", json!({"container.1": "CSQU3054383"}), &[back, out]);
    let goods = entry("E1", json!({"container.1": "CSQU3054383"}), &[]);
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "E1"})),
    ];
    let held = hold("H1", json!({}), &placed);
    let found = told(goods, vec![truck.state_is("TURNED_BACK"), held]);
    assert_eq!(found[0].0, "R02-let-out-alone-with-goods");
}

#[test]
fn goods_of_a_held_entry_are_not_turned_back_unseen() {
    let back = event("turned_back", 500, json!({"reason": "no visa"}));
    let truck = passage("P1", json!({"container.1": "CSQU3054383"}), &[back]);
    let goods = entry("E1", json!({"container.1": "CSQU3054383"}), &[]);
    let placed = [
        event("hold.placed", 100, json!({})),
        event("link", 100, json!({"record": "E1"})),
    ];
    let found = told(goods, vec![truck, hold("H1", json!({}), &placed)]);
    assert_eq!(found[0].0, "R02-turned-back-with-goods");
}
