//! R02: a truck left while a hold on it, or on the customs entry of what it carries, was open.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
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
    LeftByWord = "R02-left-by-word" { passage: record, hold: record }
    LeftByWordWithGoods = "R02-left-by-word-with-goods" {
        passage: record, hold: record, goods: record,
    }
    ReleasedByWord = "R02-released-by-word" { passage: record, hold: record }
    ReleasedByWordWithGoods = "R02-released-by-word-with-goods" {
        passage: record, hold: record, goods: record,
    }
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
        .filter_map(|hold| Some(HowPassed::of(anchor, hold)?.told(anchor, hold, None)))
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

            let found = HowPassed::of(truck, hold);
            all.extend(found.map(|found| found.told(truck, hold, Some(goods))));
        }
    }

    all
}

/// How a truck passed a hold: as all that was written tells, or by times that were said afterwards.
/// Whoever lets a held truck go would say so, too; a book of the gate that is entered later looks
/// the same, and an auditor lays it beside the finding.
enum HowPassed {
    /// It left while the hold was open.
    Left { left_ms: i64 },
    /// Its exit is said to lie before the hold, and was written down while that was open.
    LeftByWord { left_ms: i64, entered_ms: i64 },
    /// The release is said to lie before its exit, and was written down after it.
    ReleasedByWord { left_ms: i64, entered_ms: i64 },
}

impl HowPassed {
    fn of(passage: &Facts, hold: &Facts) -> Option<Self> {
        let exits: Vec<Fact<'_>> = passage.events("gate.out").collect();
        // Of several exits the first that passed the hold.
        let open = exits
            .iter()
            .map(Fact::at_ms)
            .filter(|t| hold.was_open_at(*t));
        if let Some(left_ms) = open.min() {
            return Some(Self::Left { left_ms });
        }

        let by_word = exits.iter().filter_map(|exit| {
            let (left_ms, entered_ms) = (exit.at_ms(), exit.entered_ms());
            let placed_between = hold.held_from_ms().is_some_and(|placed| placed > left_ms);
            let is_late = entered_ms > left_ms && placed_between && hold.was_open_at(entered_ms);
            is_late.then_some(Self::LeftByWord {
                left_ms,
                entered_ms,
            })
        });
        let released = exits.iter().filter_map(|exit| {
            let left_ms = exit.at_ms();
            let entered_ms = released_after(hold, left_ms, exit.entered_ms())?;
            Some(Self::ReleasedByWord {
                left_ms,
                entered_ms,
            })
        });

        by_word.chain(released).min_by_key(Self::left_ms)
    }

    fn left_ms(&self) -> i64 {
        match self {
            Self::Left { left_ms }
            | Self::LeftByWord { left_ms, .. }
            | Self::ReleasedByWord { left_ms, .. } => *left_ms,
        }
    }

    /// The finding, on the passage, or on the entry of the goods that it carries.
    fn told(&self, truck: &Facts, hold: &Facts, goods: Option<&Facts>) -> Contradiction {
        let (passage, held) = (truck.printed(), hold.printed());
        let (left_ms, placed_ms) = (self.left_ms(), hold.held_from_ms());
        let mut evidence = json!({"hold": held, "placed_ms": placed_ms, "left_ms": left_ms});
        let mut through_ms = left_ms;
        if let Self::LeftByWord { entered_ms, .. } | Self::ReleasedByWord { entered_ms, .. } = self
        {
            evidence["entered_ms"] = (*entered_ms).into();
            through_ms = *entered_ms;
        }

        let says = self.sentence(passage, held, goods.map(Facts::printed));
        let discriminator = match goods {
            Some(_) => format!("{} {}", hold.id, truck.id),
            None => hold.id.clone(),
        };
        // A release made before the truck left may still be on its way, from the hold's crossing or
        // from the hub.
        Contradiction::new(discriminator, through_ms, says, evidence)
            .until([hold.crossing(), truck.crossing(), "HUB"], through_ms)
    }

    fn sentence<'a>(&self, passage: &'a str, hold: &'a str, goods: Option<&'a str>) -> Says<'a> {
        match (self, goods) {
            (Self::Left { .. }, None) => Says::Left { passage, hold },
            (Self::LeftByWord { .. }, None) => Says::LeftByWord { passage, hold },
            (Self::ReleasedByWord { .. }, None) => Says::ReleasedByWord { passage, hold },
            (Self::Left { .. }, Some(goods)) => Says::LeftWithGoods {
                passage,
                hold,
                goods,
            },
            (Self::LeftByWord { .. }, Some(goods)) => Says::LeftByWordWithGoods {
                passage,
                hold,
                goods,
            },
            (Self::ReleasedByWord { .. }, Some(goods)) => Says::ReleasedByWordWithGoods {
                passage,
                hold,
                goods,
            },
        }
    }
}

/// When a release was written down that is said to lie before an exit and was written after it:
/// without it the hold was open then.
fn released_after(hold: &Facts, left_ms: i64, exit_entered_ms: i64) -> Option<i64> {
    let is_held = hold.held_from_ms().is_some_and(|placed| placed <= left_ms);
    let before = hold
        .any(&["released", "conditional"])
        .filter(|r| r.at_ms() <= left_ms);
    let entered_ms = before.map(|r| r.entered_ms()).min()?;
    let is_late = entered_ms > left_ms.max(exit_entered_ms);

    (is_held && is_late).then_some(entered_ms)
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
}
