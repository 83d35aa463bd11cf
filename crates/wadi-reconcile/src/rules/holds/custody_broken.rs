//! R18: stored and never taken out after the release, with or without conditions; taken out while
//! the hold was open; more taken out than came in; a cold chain broken.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    held_spans::HeldSpan,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use std::collections::BTreeSet;
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

    let mut out = Vec::new();
    out.extend(left_in_store(dossier));
    out.extend(taken_under_hold(dossier));
    out.extend(surplus(hold));
    out.extend(warmed(dossier));
    out
}

/// Released, and never taken out of the store.
fn left_in_store(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let releases = hold.any(&["released", "conditional"]);
    let released_ms = releases.map(|e| e.at_ms()).max()?;
    if !hold.has("store.in") || hold.has("store.out") || hold.is_open_hold() {
        return None;
    }

    let due_ms = released_ms.saturating_add(hours_ms(dossier.policy.store_out_h));
    let says = Says::Left {
        hold: hold.printed(),
    };
    let evidence = json!({"released_ms": released_ms, "due_ms": due_ms});

    Some(Contradiction::new("left", released_ms, says, evidence).until([hold.crossing()], due_ms))
}

/// Goods that were taken out of the store while the hold was open, and did not come back into one.
/// What was rejected is taken out to be destroyed, or sent back.
fn taken_under_hold(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    let rejected_ms = hold.first_ms("rejected").unwrap_or(i64::MAX);
    let spans = hold.spans();
    let outs = hold.events("store.out").filter(|e| e.at_ms() < rejected_ms);
    let outs = outs.filter(|e| !is_of_part_let_go(hold, &spans, e) && !is_sample(hold, e));
    let taken: Vec<(i64, Fact<'_>)> = outs
        .filter_map(|e| Some((held_since(&spans, &e)?, e)))
        .collect();
    let Some(first_ms) = taken.iter().map(|(at_ms, _)| *at_ms).min() else {
        return Vec::new();
    };

    // It may have been put into another slot.
    let taken: Vec<Fact<'_>> = taken.into_iter().map(|(_, e)| e).collect();
    let came = hold.events("store.in");
    let back: Vec<Fact<'_>> = came.filter(|e| e.at_ms() >= first_ms).collect();
    let amount = |all: &[Fact<'_>], unit: &str| total(all.iter().filter_map(|e| e.int(unit)));
    let mut units = UNITS.into_iter();
    if !back.is_empty() && units.all(|unit| amount(&back, unit) >= amount(&taken, unit)) {
        return Vec::new();
    }

    let wait_ms = hours_ms(dossier.policy.counterpart_h);
    let told = taken.into_iter().map(|e| {
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

/// What a store counts in.
const UNITS: [&str; 3] = ["quantity", "packages", "mass_g"];
/// A sample is at most so small a part of what came in, and all samples together are.
const SAMPLE_PART: i64 = 100;
const SAMPLES_PART: i64 = 10;

/// How much of a unit some movements told.
fn amount_of<'a>(moved: impl Iterator<Item = Fact<'a>>, unit: &str) -> i64 {
    total(moved.filter_map(|e| e.int(unit)))
}

/// Whether goods that were taken out may be those of a placement that was let go by then: of a hold
/// with several, what is left lies there for those that are open.
fn is_of_part_let_go(hold: &Facts, spans: &[HeldSpan<'_>], out: &Fact<'_>) -> bool {
    if !spans.iter().any(|span| !span.ended_before(out).is_empty()) {
        return false;
    }

    let by_then = |kind| {
        let all = hold.events(kind);
        all.filter(|e| (e.at_ms(), e.id()) <= (out.at_ms(), out.id()))
    };
    let told = UNITS.map(|unit| {
        let came = amount_of(by_then("store.in"), unit);
        let went = amount_of(by_then("store.out"), unit);
        (went > 0).then_some(came.saturating_sub(went))
    });
    let mut left = told.into_iter().flatten().peekable();
    left.peek().is_some() && left.all(|left| left > 0)
}

/// Whether goods that were taken out are the sample that the same entry tells of: one package, or a
/// small part of all.
fn is_sample(hold: &Facts, out: &Fact<'_>) -> bool {
    let takes_sample = |e: &Fact<'_>| {
        let mut samples = hold.events("sample.taken");
        samples.any(|sample| sample.entry() == e.entry())
    };
    if !takes_sample(out) || UNITS.iter().all(|unit| out.int(unit).is_none()) {
        return false;
    }

    let is_small = |unit: &str| {
        let came = amount_of(hold.events("store.in"), unit);
        let samples = hold.events("store.out").filter(takes_sample);
        let least = i64::from(unit != "mass_g");
        let own = out.int(unit).unwrap_or(0);
        own <= (came / SAMPLE_PART).max(least)
            && amount_of(samples, unit) <= (came / SAMPLES_PART).max(least)
    };
    UNITS.into_iter().all(is_small)
}

/// When goods were taken from under one of a hold's placements: while it was open, or by a word
/// that was written while it was.
fn held_since(spans: &[HeldSpan<'_>], e: &Fact<'_>) -> Option<i64> {
    let is_open = |span: &HeldSpan<'_>| span.held_at(e.at_ms()) && span.placed_by_word(e).is_none();
    if spans.iter().any(is_open) {
        return Some(e.at_ms());
    }

    let is_written = spans.iter().any(|span| span.held_when_written(e));
    is_written.then(|| e.entered_ms())
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
