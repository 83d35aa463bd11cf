//! Stories of links that are said once a truck is gone, or by whom nothing concerns.

use crate::{Phase, reconcile, tests::*};
use serde_json::{Value as Json, json};

fn written(mut said: Json, entered_ms: i64) -> Json {
    said["entered_ms"] = entered_ms.into();
    said
}

/// What R02 says of a truck that left at 500 and of a hold of long ago, which names it by a link
/// that was said and written so.
fn linked(said_ms: i64, entered_ms: i64) -> Vec<String> {
    let link = written(event("link", said_ms, json!({"record": "P1"})), entered_ms);
    let placed = event("hold.placed", 100, json!({}));
    let held = hold("H1", json!({}), &[placed, link]);
    let truck = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
    let all = reconcile(&dossier(truck, vec![held], i64::MAX));
    let found = all.iter().filter(|f| f.rule.code == "R02");
    found
        .map(|f| f.contradiction.sentence.id.to_string())
        .collect()
}

#[test]
fn a_hold_that_is_linked_with_a_truck_that_is_gone_did_not_hold_it() {
    assert_eq!(linked(900, 900), [""; 0]);
    assert_eq!(linked(400, 400), ["R02-left"], "it was told in time");
    let by_word = linked(400, 900);
    assert_eq!(by_word, ["R02-placed-by-word"], "it is said to have been");
}

#[test]
fn an_entry_that_is_linked_with_a_truck_that_is_gone_was_not_carried_by_it() {
    let found = |linked_ms: i64, mut fields: Json| {
        fields["vehicle.plate"] = "99Z9".into();
        let link = event("link", linked_ms, json!({"record": "P1"}));
        let goods = entry("E1", fields, &[event("registered", 90, json!({})), link]);
        let placed = [
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "E1"})),
        ];
        let out = event("gate.out", 500, json!({}));
        let truck = passage("P1", json!({"container.1": "CSQU3054383"}), &[out]);
        firm("R02", goods, vec![truck, hold("H1", json!({}), &placed)])
    };

    assert_eq!(found(900, json!({})), []);
    assert_eq!(found(95, json!({})), [Phase::Firm]);
    let of_container = json!({"container.1": "CSQU3054383"});
    assert_eq!(
        found(900, of_container),
        [Phase::Firm],
        "it has its container"
    );
}

#[test]
fn a_link_of_a_department_that_has_to_do_with_neither_side_holds_nothing() {
    let found = |unjoined: bool| {
        let mut link = event("link", 100, json!({"record": "P1"}));
        link["unjoined"] = unjoined.into();
        let placed = event("hold.placed", 100, json!({}));
        let held = hold("H1", json!({}), &[placed, link]);
        let out = event("gate.out", 500, json!({}));
        firm("R02", passage("P1", json!({}), &[out]), vec![held])
    };

    assert_eq!(found(false), [Phase::Firm]);
    assert_eq!(found(true), []);
}
