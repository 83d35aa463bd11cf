//! R02: a truck left while a hold on it, or on the customs entry of what it carries, was open.

use crate::{Contradiction, Dossier, Facts, Rule, sentences};
use serde_json::json;
use wadi_record::KnownBy;

pub(crate) const RULE: Rule = Rule {
    code: "R02",
    name: "passed_while_held",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Left = "R02-left" { passage: record, hold: record }
    LeftWithGoods = "R02-left-with-goods" { passage: record, hold: record, goods: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if anchor.is_customs_entry() {
        return carrying(dossier);
    }

    if !anchor.is_passage() {
        return Vec::new();
    }

    let passage = anchor.known_by();
    dossier
        .of("hold")
        .filter(|hold| passage.is_named_by(&hold.known_by()))
        .filter_map(|hold| check(anchor, hold))
        .collect()
}

/// A hold on an entry holds the trucks that carry it. The finding stands on the entry, since a
/// passage does not know the holds of its entries; a hold that names the truck, too, is told there.
fn carrying(dossier: &Dossier) -> Vec<Contradiction> {
    let goods = &dossier.anchor;
    let entry = goods.known_by();
    let trucks: Vec<(&Facts, KnownBy)> = dossier
        .of("passage")
        .map(|truck| (truck, truck.known_by()))
        .filter(|(_, known)| known.carries(&entry, &dossier.policy))
        .collect();

    let mut all = Vec::new();
    for hold in dossier.of("hold") {
        let held = hold.known_by();
        if !entry.is_named_by(&held) {
            continue;
        }

        for (truck, known) in &trucks {
            if known.is_named_by(&held) {
                continue;
            }

            all.extend(check(truck, hold).map(|found| {
                Contradiction {
                    discriminator: format!("{} {}", hold.id, truck.id),
                    sentence: Says::LeftWithGoods {
                        passage: truck.printed(),
                        hold: hold.printed(),
                        goods: goods.printed(),
                    }
                    .into(),
                    ..found
                }
            }));
        }
    }

    all
}

fn check(passage: &Facts, hold: &Facts) -> Option<Contradiction> {
    // Of several exits the first that passed the hold.
    let left_ms = passage
        .events("gate.out")
        .map(|e| e.at_ms())
        .filter(|t| hold.was_open_at(*t))
        .min()?;

    Some(
        Contradiction::new(
            hold.id.clone(),
            left_ms,
            Says::Left {
                passage: passage.printed(),
                hold: hold.printed(),
            },
            json!({"hold": hold.printed(), "placed_ms": hold.held_from_ms(), "left_ms": left_ms}),
        )
        // A release made before the truck left may still be on its way, from the hold's crossing or
        // from the hub.
        .until([hold.crossing(), passage.crossing(), "HUB"], left_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn found(released_ms: Option<i64>, received_ms: i64) -> Vec<Phase> {
        let left = passage("P1", json!({}), &[event("gate.out", 500, json!({}))]);
        let mut events = vec![
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "P1"})),
        ];

        events.extend(
            released_ms.map(|at| event("released", at, json!({"holds": ["hold.placed@100"]}))),
        );

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
}
