//! R18: stored and never taken out after the release, with or without conditions; taken out while
//! the hold was open; more taken out than came in; a cold chain broken.

mod amounts;
mod stock;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use std::collections::BTreeSet;
use stock::HoldStock;
use wadi_record::normalise_label;

pub(crate) const RULE: Rule = Rule {
    code: "R18",
    name: "custody_broken",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Left = "R18-left" { hold: record }
    UnderHold = "R18-under-hold" { hold: record, officer: officer }
    Surplus = "R18-surplus" { hold: record, unit: code, came: number, went: number }
    Warm = "R18-warm" { hold: record, temp: decimal, slot: name, limit: decimal }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    let stock = HoldStock::of(dossier);
    let mut out = Vec::new();
    out.extend(left_in_store(dossier, &stock));
    out.extend(taken_under_hold(dossier, &stock));
    out.extend(surplus(hold));
    out.extend(warmed(dossier));
    out
}

/// Released, and never taken out of the store.
fn left_in_store(dossier: &Dossier, stock: &HoldStock<'_>) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let released_ms = stock.left_since()?;
    let due_ms = released_ms.saturating_add(hours_ms(dossier.policy.store_out_h));
    let says = Says::Left {
        hold: hold.printed(),
    };
    let evidence = json!({"released_ms": released_ms, "due_ms": due_ms});

    Some(Contradiction::new("left", released_ms, says, evidence).until([hold.crossing()], due_ms))
}

/// Goods that were taken out of the store while the hold was open, and did not come back into one.
/// What was rejected is taken out to be destroyed, or sent back.
fn taken_under_hold<'a>(dossier: &'a Dossier, stock: &HoldStock<'a>) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    let wait_ms = hours_ms(dossier.policy.counterpart_h);
    // Who writes afterwards that they had been rejected, and dates it back, lets nothing go.
    let rejected = first_written(hold.events("rejected"));
    let is_rejected = |e: &Fact<'_>| {
        let until_ms = e.known_from_ms().saturating_add(wait_ms);
        let count = rejected.partition_point(|(at_ms, _)| *at_ms <= e.at_ms());
        let last = count.checked_sub(1).and_then(|n| rejected.get(n));
        last.is_some_and(|(_, first_ms)| *first_ms <= until_ms)
    };

    let outs = hold.events("store.out").filter(|e| !is_rejected(e));
    let held = outs.filter(|e| stock.held_since(e).is_some());
    let taken = held.filter(|e| !stock.lets_go(e) && !stock.is_sample(e));
    let taken: Vec<Fact<'a>> = taken.collect();

    let told = stock.not_brought_back(&taken).into_iter().map(|e| {
        let says = Says::UnderHold {
            hold: hold.printed(),
            officer: e.officer(),
        };
        let evidence = json!({"officer": e.officer()});
        let found = Contradiction::new(
            format!("under hold {}", e.officer()),
            e.at_ms(),
            says,
            evidence,
        );
        let due_ms = e.known_from_ms().saturating_add(wait_ms);
        found
            .each(e.entry())
            .until([hold.crossing(), "HUB"], due_ms)
    });
    told.collect()
}

/// When each is said to have happened, in that order, with when the first of all up to it was
/// written down, Unix milliseconds.
fn first_written<'a>(said: impl Iterator<Item = Fact<'a>>) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = said.map(|e| (e.at_ms(), e.entered_ms())).collect();
    all.sort_unstable();

    let mut first_ms = i64::MAX;
    for (_, entered_ms) in &mut all {
        first_ms = first_ms.min(*entered_ms);
        *entered_ms = first_ms;
    }
    all
}

/// More went out of the store than came in.
fn surplus(hold: &Facts) -> Vec<Contradiction> {
    let mut out = Vec::new();
    for unit in ["quantity", "packages"] {
        let sum = |kind| {
            let all: Vec<Option<i64>> = hold.events(kind).map(|e| e.int(unit)).collect();
            // A movement that was not counted in this unit leaves its sum unknown.
            all.iter()
                .all(Option::is_some)
                .then(|| total(all.into_iter().flatten()))
        };

        let (Some(came), Some(went)) = (sum("store.in"), sum("store.out")) else {
            continue;
        };
        if went <= came {
            continue;
        }

        let at_ms = hold.last_ms("store.out").unwrap_or_default();
        let says = Says::Surplus {
            hold: hold.printed(),
            unit,
            came,
            went,
        };
        let found = Contradiction::new(
            format!("surplus {unit}"),
            at_ms,
            says,
            json!({"in": came, "out": went}),
        );

        out.push(found.until([hold.crossing()], at_ms));
    }

    out
}

/// Goods that came in cold and were warm later.
fn warmed(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let limit = f64::from(dossier.policy.cold_max_c);

    // A slot whose goods came in cold is a cooled one.
    let cold = |e: &Fact<'_>| e.number("temp_c").is_some_and(|t| t <= limit);
    let slot_of = |e: &Fact<'_>| e.text("slot").map(normalise_label);
    let cooled: BTreeSet<String> = hold
        .events("store.in")
        .filter(cold)
        .filter_map(|e| slot_of(&e))
        .collect();

    let warm = |e: &Fact<'_>| {
        e.number("temp_c").is_some_and(|t| t > limit)
            && slot_of(e).is_some_and(|slot| cooled.contains(&slot))
    };
    let first = hold
        .any(&["store.in", "store.temperature", "store.out"])
        .find(warm)?;

    let slot = first.text("slot").unwrap_or_default();
    let temp = first.number("temp_c").unwrap_or_default();
    let says = Says::Warm {
        hold: hold.printed(),
        temp,
        slot,
        limit,
    };
    let evidence = json!({"event": first.entry(), "temp_c": temp, "limit_c": limit});

    Some(Contradiction::new(
        format!("warm {}", normalise_label(slot)),
        first.at_ms(),
        says,
        evidence,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn released_goods_have_two_days_to_leave_the_store() {
        let store_in = event("store.in", 1, json!({"slot": "A", "quantity": 5}));
        let released = event("released", 100, json!({}));
        let kept = hold("H1", json!({}), &[store_in.clone(), released.clone()]);
        assert_eq!(
            phases("R18", &dossier(kept.clone(), vec![], 99 + 48 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(firm("R18", kept, vec![]), [Phase::Firm]);

        let conditions = event("conditional", 100, json!({"conditions": "keep cold"}));
        let kept = hold("H1", json!({}), &[store_in.clone(), conditions]);
        assert_eq!(firm("R18", kept, vec![]), [Phase::Firm]);

        let out = |n| event("store.out", 200, json!({"slot": "A", "quantity": n}));
        assert_eq!(
            firm(
                "R18",
                hold(
                    "H1",
                    json!({}),
                    &[store_in.clone(), released.clone(), out(5)]
                ),
                vec![]
            ),
            []
        );

        assert_eq!(
            firm(
                "R18",
                hold("H1", json!({}), &[store_in, released, out(6)]),
                vec![]
            ),
            [Phase::Firm]
        );
    }

    #[test]
    fn what_is_held_stays_in_the_store() {
        let stored = |at_ms: i64, n: i64| event("store.in", at_ms, json!({"packages": n}));
        let taken = |at_ms: i64| event("store.out", at_ms, json!({"packages": 5}));
        let with = |events: &[serde_json::Value]| {
            let held = [event("hold.placed", 1, json!({})), stored(2, 5)];
            hold("H1", json!({}), &[&held[..], events].concat())
        };
        let found = |events: &[serde_json::Value]| firm("R18", with(events), vec![]);

        assert_eq!(found(&[taken(50)]), [Phase::Firm]);
        let waits = dossier(with(&[taken(50)]), vec![], 49 + 24 * HOUR_MS);
        assert_eq!(phases("R18", &waits), [Phase::Pending], "it may come back");

        let released = |at_ms: i64| event("released", at_ms, json!({"holds": ["hold.placed@1"]}));
        assert_eq!(found(&[taken(50), released(60)]), [Phase::Firm]);
        assert_eq!(found(&[released(40), taken(50)]), []);
        let rejected = event("rejected", 40, json!({"reason": "pests"}));
        assert_eq!(found(&[rejected, taken(50)]), [], "to be destroyed");

        assert_eq!(found(&[taken(50), stored(51, 5)]), [], "to another slot");
        assert_eq!(found(&[taken(50), stored(51, 4)]), [Phase::Firm], "not all");

        let mut before = taken(0);
        before["entered_ms"] = 50.into();
        assert_eq!(found(&[before]), [Phase::Firm], "said to lie before it");
        let by_two = [
            taken(50),
            {
                let mut again = taken(51);
                again["officer"] = "OF-2".into();
                again
            },
            stored(55, 3),
        ];
        assert_eq!(found(&by_two).len(), 3, "two officers, and a surplus");
    }

    #[test]
    fn the_goods_of_a_placement_that_was_let_go_leave_the_store_of_a_hold_with_two() {
        let stored = event("store.in", 3, json!({"packages": 200}));
        let placed = [1, 2].map(|at_ms| event("hold.placed", at_ms, json!({})));
        let released = |at_ms: i64| event("released", at_ms, json!({"holds": ["hold.placed@1"]}));
        let taken = |n: i64| event("store.out", 50, json!({"packages": n}));
        let found = |events: &[serde_json::Value]| {
            let all = [&placed[..], std::slice::from_ref(&stored), events].concat();
            firm("R18", hold("H1", json!({}), &all), vec![])
        };

        assert_eq!(found(&[released(40), taken(100)]), []);
        assert_eq!(found(&[released(60), taken(100)]), [Phase::Firm]);
        assert_eq!(found(&[released(40), taken(200)]), [Phase::Firm], "all");
    }

    #[test]
    fn a_sample_is_taken_out_of_the_store_with_the_word_that_it_is_one() {
        let found = |n: i64, entry: &str| {
            let mut sample = event("sample.taken", 50, json!({"sample": "S1"}));
            let taken = event("store.out", 50, json!({"packages": n}));
            sample["entry"] = match entry {
                "" => taken["entry"].clone(),
                other => other.into(),
            };
            let events = [
                event("hold.placed", 1, json!({})),
                event("store.in", 2, json!({"packages": 200})),
                sample,
                taken,
            ];
            firm("R18", hold("H1", json!({}), &events), vec![])
        };

        assert_eq!(found(1, ""), []);
        assert_eq!(found(1, "another"), [Phase::Firm]);
        assert_eq!(found(150, ""), [Phase::Firm], "that is no sample");
    }

    /// A hold on two loads, each placed and stored by itself, of a hundred packages.
    fn two_loads(more: &[serde_json::Value]) -> Facts {
        let stored = |at_ms: i64, slot: &str| {
            let data = json!({"slot": slot, "packages": 100});
            event("store.in", at_ms, data)
        };
        let loads = [
            event("hold.placed", 1, json!({})),
            stored(2, "A"),
            event("hold.placed", 3, json!({})),
            stored(4, "B"),
        ];
        hold("H1", json!({}), &[&loads[..], more].concat())
    }

    fn taken_from(slot: &str, at_ms: i64, packages: i64) -> serde_json::Value {
        let data = json!({"slot": slot, "packages": packages});
        event("store.out", at_ms, data)
    }

    fn let_go(placement: &str, at_ms: i64) -> serde_json::Value {
        event("released", at_ms, json!({"holds": [placement]}))
    }

    #[test]
    fn the_release_of_one_load_lets_no_other_one_go() {
        let first = || let_go("hold.placed@1", 40);
        let found = |more: &[serde_json::Value]| firm("R18", two_loads(more), vec![]);

        assert_eq!(found(&[first(), taken_from("a", 50, 100)]), []);
        let part = [first(), taken_from("A", 45, 100), taken_from("B", 50, 60)];
        assert_eq!(found(&part), [Phase::Firm], "something stays, of the other");
        let both = let_go("hold.placed@3", 41);
        let all = [
            first(),
            both,
            taken_from("A", 50, 100),
            taken_from("B", 50, 100),
        ];
        assert_eq!(found(&all), []);

        // More than there was of it is of the other, whatever slot somebody writes.
        let too_much = [first(), taken_from("A", 50, 150)];
        assert_eq!(found(&too_much), [Phase::Firm]);
        let elsewhere = [first(), taken_from("A", 45, 50), taken_from("Z", 50, 50)];
        assert_eq!(found(&elsewhere), [Phase::Firm]);
    }

    #[test]
    fn a_sample_of_one_load_makes_the_next_one_no_part_of_it() {
        let of_entry = |mut said: serde_json::Value| {
            said["entry"] = "sampling".into();
            said
        };
        let events = [
            event("hold.placed", 1, json!({})),
            event("store.in", 2, json!({"slot": "A", "packages": 100})),
            of_entry(event("sample.taken", 3, json!({"sample": "S1"}))),
            of_entry(taken_from("A", 3, 1)),
            event("hold.placed", 4, json!({})),
            event("store.in", 5, json!({"slot": "B", "packages": 100})),
            let_go("hold.placed@4", 40),
            taken_from("B", 50, 100),
        ];
        let found = |events: &[serde_json::Value]| {
            let held = hold("H1", json!({}), events);
            firm("R18", held, vec![])
        };

        assert_eq!(found(&events), []);
        let more = [&events[..], &[taken_from("A", 55, 5)]].concat();
        assert_eq!(found(&more), [Phase::Firm], "the first one is held");
    }

    #[test]
    fn a_placement_that_is_made_later_and_let_go_opens_no_store() {
        let events = |more: &[serde_json::Value]| {
            let held = [
                event("hold.placed", 1, json!({})),
                event("store.in", 2, json!({"slot": "A", "packages": 200})),
                event("hold.placed", 30, json!({})),
            ];
            let held = hold("H1", json!({}), &[&held[..], more].concat());
            firm("R18", held, vec![])
        };

        let later = let_go("hold.placed@30", 40);
        let found = events(&[later.clone(), taken_from("A", 50, 100)]);
        assert_eq!(found, [Phase::Firm], "the first one holds all of it");
        let moved = event("store.in", 51, json!({"slot": "C", "packages": 100}));
        let found = events(&[later, taken_from("A", 50, 100), moved.clone()]);
        assert_eq!(found, [], "it was put into another slot");
        let mut before = moved;
        before["at_ms"] = 36.into();
        let found = events(&[
            taken_from("A", 35, 100),
            before,
            let_go("hold.placed@30", 40),
            taken_from("C", 50, 100),
        ]);
        assert_eq!(found, [Phase::Firm], "and is what it was there, too");

        // The one that was placed later holds what was stored before, until it is let go as well.
        let first = || let_go("hold.placed@1", 40);
        assert_eq!(events(&[first(), taken_from("A", 50, 200)]), [Phase::Firm]);
        let both = [
            first(),
            let_go("hold.placed@30", 41),
            taken_from("A", 50, 200),
        ];
        assert_eq!(events(&both), []);
    }

    #[test]
    fn who_moved_goods_is_not_told_for_what_another_one_took() {
        let by = |officer: &str, mut said: serde_json::Value| {
            said["officer"] = officer.into();
            said
        };
        let back = json!({"slot": "C", "packages": 60});
        let more = [
            by("OF-1", taken_from("A", 50, 60)),
            event("store.in", 51, back),
            by("OF-2", taken_from("A", 60, 40)),
        ];

        let all = crate::reconcile(&dossier(two_loads(&more), vec![], i64::MAX));
        let of_rule: Vec<_> = all.iter().filter(|f| f.rule.code == "R18").collect();
        assert_eq!(of_rule.len(), 1);
        assert_eq!(of_rule[0].contradiction.evidence["officer"], "OF-2");
    }

    #[test]
    fn each_load_that_was_let_go_has_to_leave_the_store() {
        let found = |more: &[serde_json::Value]| firm("R18", two_loads(more), vec![]);
        let first = || let_go("hold.placed@1", 40);
        assert_eq!(found(&[first()]), [Phase::Firm], "the other is still held");
        let second = || let_go("hold.placed@3", 41);
        let one = [first(), second(), taken_from("B", 50, 100)];
        assert_eq!(found(&one), [Phase::Firm], "it lies there");
        let both = [&one[..], &[taken_from("A", 50, 100)]].concat();
        assert_eq!(found(&both), []);
    }

    #[test]
    fn one_sample_is_taken_of_a_slot_once() {
        let found = |samples: i64, taken: &[(&str, i64)], later: i64| {
            let mut events = vec![
                event("hold.placed", 1, json!({})),
                event("store.in", 2, json!({"slot": "A", "packages": 20})),
                event("store.in", 3, json!({"slot": "B", "packages": 20})),
                event(
                    "store.in",
                    48 * HOUR_MS,
                    json!({"slot": "A", "packages": later}),
                ),
            ];
            let of_entry = |n: i64, mut said: serde_json::Value| {
                said["id"] = format!("sampling#{n}").into();
                said["entry"] = "sampling".into();
                said
            };
            for n in 0..samples {
                let sample = json!({"sample": format!("S{n}")});
                events.push(of_entry(n, event("sample.taken", 50, sample)));
            }
            for (n, (slot, packages)) in (samples..).zip(taken) {
                events.push(of_entry(n, taken_from(slot, 50, *packages)));
            }
            firm("R18", hold("H1", json!({}), &events), vec![])
        };

        assert_eq!(found(1, &[("A", 1)], 1), []);
        assert_eq!(found(1, &[("A", 1), ("B", 1)], 1), [], "of all that came");
        let twice = found(1, &[("A", 1), ("A", 1)], 1);
        assert_eq!(twice, [Phase::Firm], "one of them is none");
        assert_eq!(found(2, &[("A", 1), ("A", 1)], 1), []);
        let grown = found(1, &[("A", 9)], 10_000);
        assert_eq!(grown, [Phase::Firm], "what came later was no part of it");
    }

    #[test]
    fn who_writes_later_that_goods_had_been_rejected_lets_none_of_them_go() {
        let found = |entered_ms: i64| {
            let mut rejected = event("rejected", 40, json!({"reason": "pests"}));
            rejected["entered_ms"] = entered_ms.into();
            let more = [rejected, taken_from("A", 50, 100)];
            firm("R18", two_loads(&more), vec![])
        };

        assert_eq!(found(40), []);
        assert_eq!(found(HOUR_MS), [], "on paper");
        assert_eq!(found(99 * HOUR_MS), [Phase::Firm]);
    }

    #[test]
    fn a_cooled_slot_is_one_however_it_is_written() {
        let warm_in = |slot: &str| {
            let events = [
                event("store.in", 1, json!({"slot": "C-4", "temp_c": 4.0})),
                event(
                    "store.temperature",
                    2,
                    json!({"slot": slot, "temp_c": 15.0}),
                ),
            ];
            firm("R18", hold("H1", json!({}), &events), vec![])
        };
        assert_eq!(warm_in("c 4"), [Phase::Firm]);
        assert_eq!(warm_in("C-5"), []);
    }

    #[test]
    fn a_cooled_slot_stays_cold() {
        let chain = |temp: f64| {
            let events = [
                event("store.in", 1, json!({"slot": "A", "temp_c": 4.0})),
                event("store.temperature", 2, json!({"slot": "A", "temp_c": temp})),
            ];
            hold("H1", json!({}), &events)
        };

        assert_eq!(firm("R18", chain(8.5), vec![]), [Phase::Firm]);
        assert_eq!(firm("R18", chain(8.0), vec![]), []);
    }
}
