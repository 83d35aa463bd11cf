//! R10: a hold past its deadline without a result; a sample without one, also where the hold was
//! let go.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::{
    Department, Effect, EventType, Gives, HoldType, Policy, event_type, normalise_label,
};

pub(crate) const RULE: Rule = Rule {
    code: "R10",
    name: "result_overdue",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Sample = "R10-sample" { hold: record, sample: name }
    LetGo = "R10-let-go" { hold: record, sample: name }
    Hold = "R10-hold" { hold: record }
}

/// Results on a hold, of whatever kind.
fn results(hold: &Facts) -> impl Iterator<Item = Fact<'_>> {
    let is_result = |e: &Fact<'_>| event_type(e.kind()).is_some_and(EventType::answers_hold);
    hold.said().filter(move |e| e.counts() && is_result(e))
}

/// Whether a result answers what a hold of a type waits for: by a department that owns it, or by
/// anybody who searched what customs or security hold. Where no type is known, any does.
fn answers(result: &Fact<'_>, hold: Option<HoldType>, policy: &Policy) -> bool {
    let Some(hold) = hold else {
        return true;
    };
    let gives = event_type(result.kind()).map(|row| row.gives);
    let is_search = matches!(gives, Some(Gives::Search | Gives::AllClear));
    let is_searched = matches!(hold, HoldType::Security | HoldType::Customs);

    let by = result.department().parse::<Department>();
    is_search && is_searched || by.is_ok_and(|by| policy.owns(by, hold))
}

/// Whether something of a hold is open that no result answers.
fn is_unanswered(hold: &Facts, policy: &Policy) -> bool {
    let all = hold.json["placements"].as_array().into_iter().flatten();
    let types: BTreeSet<Option<HoldType>> = all
        .filter(|placed| placed["open"] == true)
        .map(|placed| placed["type"].as_str().and_then(HoldType::from_name))
        .collect();

    types
        .into_iter()
        .any(|of| !results(hold).any(|result| answers(&result, of, policy)))
}

/// Whether a hold waits for what it looks out for, and not for a laboratory: it names no record,
/// nothing was sampled for it, and none of its goods lie in a store. A term that is put beside what
/// a hold has already makes no lookout of it.
fn is_lookout(hold: &Facts) -> bool {
    let seeks = hold.field("target.term").is_some();
    let has_some = hold.any(&["sample.taken", "store.in"]).next().is_some();
    seeks && hold.links().is_empty() && !has_some
}

/// When a hold was let go last: what was sampled by then has a result all the same. What was
/// destroyed, seized or sent back needs none.
fn let_go_ms(hold: &Facts) -> Option<i64> {
    let releases = hold.any(&["released", "conditional"]);
    let released_ms = releases.map(|e| e.at_ms()).max();
    let is_gone = hold
        .of_types(|row| row.effect == Effect::Ends)
        .next()
        .is_some();
    released_ms.filter(|_| !is_gone)
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() || is_lookout(hold) {
        return Vec::new();
    }

    let is_open = hold.is_open_hold();
    let let_go_ms = let_go_ms(hold);
    if !is_open && let_go_ms.is_none() {
        return Vec::new();
    }

    let limit_ms = hours_ms(dossier.policy.hold_deadline_h);
    let mut out = Vec::new();
    let mut overdue = |name: &str, says: Says<'_>, times: (i64, i64), rests_on: &[&str]| {
        let (at_ms, due_ms) = times;
        let evidence = json!({"since_ms": at_ms, "due_ms": due_ms});
        let cited = hold.placements().chain(rests_on.iter().copied());
        out.push(
            Contradiction::new(name, at_ms, says, evidence)
                .until([hold.crossing()], due_ms)
                .citing(hold, cited),
        );
    };

    let named = results(hold).filter_map(|r| r.text("sample"));
    let answered: BTreeSet<String> = named.map(normalise_label).collect();

    let is_due = |sample: &Fact<'_>| is_open || let_go_ms.is_some_and(|ms| sample.at_ms() <= ms);
    for sample in hold.events("sample.taken").filter(is_due) {
        let name = sample.text("sample").unwrap_or_default();
        if !answered.contains(&normalise_label(name)) {
            let due_ms = sample
                .int("due_at")
                .unwrap_or(sample.at_ms().saturating_add(limit_ms));
            let (of, named) = (hold.printed(), name);
            let says = match is_open {
                true => Says::Sample {
                    hold: of,
                    sample: named,
                },
                false => Says::LetGo {
                    hold: of,
                    sample: named,
                },
            };
            // What let the goods go stands against the sample that has no result.
            let let_go = hold.said_by(&["released", "conditional"]);
            let rests_on: Vec<&str> = let_go.chain([sample.entry()]).collect();
            let times = (sample.at_ms(), due_ms);
            overdue(&format!("sample {name}"), says, times, &rests_on);
        }
    }

    if let Some(placed_ms) = hold.held_from_ms()
        && is_open
        && is_unanswered(hold, &dossier.policy)
        && !hold.has("sample.taken")
    {
        let due_ms = hold
            .int("due_at_ms")
            .unwrap_or(placed_ms.saturating_add(limit_ms));
        let says = Says::Hold {
            hold: hold.printed(),
        };
        let deadline: Vec<&str> = hold.put_by(|name| name == "due_at_ms").collect();
        overdue("hold", says, (placed_ms, due_ms), &deadline);
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn a_hold_without_a_result_is_overdue_when_its_crossing_is_heard_through_the_deadline() {
        let placed = event("hold.placed", 100, json!({}));
        let open = |events: &[serde_json::Value]| {
            hold("H1", json!({}), events)
                .with("placements", json!([{"placed_ms": 100, "open": true}]))
        };
        let waiting = open(std::slice::from_ref(&placed));
        assert_eq!(
            phases("R10", &dossier(waiting.clone(), vec![], 99 + 72 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(
            phases("R10", &dossier(waiting.clone(), vec![], 100 + 72 * HOUR_MS)),
            [Phase::Firm]
        );
        assert_eq!(
            firm(
                "R10",
                waiting.with("placements", json!([{"placed_ms": 100, "open": false}])),
                vec![]
            ),
            [],
            "released"
        );

        let result = event("result.issued", 200, json!({"sample": "S1"}));
        assert_eq!(firm("R10", open(&[placed.clone(), result]), vec![]), []);

        let by_a_machine = open(&[event("rad.alarm", 100, json!({}))]);
        assert_eq!(
            firm("R10", by_a_machine, vec![]),
            [Phase::Firm],
            "a hold that began with an alarm waits, too"
        );
    }

    #[test]
    fn what_another_department_finds_answers_no_owner() {
        let found = |of: &str, mut result: serde_json::Value, department: &str| {
            result["department"] = department.into();
            let events = [event("hold.placed", 100, json!({})), result];
            let placed = json!([{"placed_ms": 100, "open": true, "type": of}]);
            firm(
                "R10",
                hold("H1", json!({}), &events).with("placements", placed),
                vec![],
            )
        };
        let search = || event("search.found", 200, json!({"findings": "x"}));
        let result = || event("result.issued", 200, json!({"sample": "S1"}));

        assert_eq!(found("AGRICULTURAL", search(), "CUS"), [Phase::Firm]);
        assert_eq!(found("AGRICULTURAL", result(), "VET"), [Phase::Firm]);
        assert_eq!(found("AGRICULTURAL", result(), "AGR"), []);
        assert_eq!(found("CUSTOMS", search(), "SEC"), []);
        assert_eq!(
            found("SECURITY", event("k9.clear", 200, json!({})), "K9"),
            []
        );
        assert_eq!(found("of tomorrow", search(), "CUS"), []);
    }

    #[test]
    fn a_sample_of_what_was_let_go_needs_its_result_all_the_same() {
        let sample = |at_ms: i64| {
            event(
                "sample.taken",
                at_ms,
                json!({"sample": "S1", "due_at": 900}),
            )
        };
        let result = |of: &str| event("result.issued", 200, json!({"sample": of}));
        let ended = |kind: &str| event(kind, 300, json!({"holds": ["hold.placed@100"]}));
        let told = |events: &[serde_json::Value], received_ms: i64| {
            let placed = event("hold.placed", 100, json!({}));
            let held = hold("H1", json!({}), &[&[placed], events].concat());
            phases("R10", &dossier(held, vec![], received_ms))
        };

        for kind in ["released", "conditional"] {
            let events = [sample(150), result("ZZZ"), ended(kind)];
            assert_eq!(told(&events, 899), [Phase::Pending], "{kind}");
            assert_eq!(told(&events, 900), [Phase::Firm], "{kind}");
        }

        let answered = [sample(150), result("s1"), ended("released")];
        assert_eq!(told(&answered, 900), []);
        let later = [result("S0"), ended("released"), sample(350)];
        assert_eq!(told(&later, 900), [], "taken of what was let go before");
        for kind in ["destroyed", "seized", "re_exported"] {
            assert_eq!(told(&[sample(150), ended(kind)], 900), [], "{kind}");
        }
    }

    #[test]
    fn a_term_to_look_out_for_excuses_no_hold_that_has_its_goods() {
        let found = |more: &[serde_json::Value]| {
            let placed = event("hold.placed", 100, json!({}));
            let events = [&[placed], more].concat();
            let fields = json!({"target.term": "99ZZ991"});
            firm("R10", hold("H1", fields, &events), vec![])
        };

        assert_eq!(found(&[]), [], "it waits for its target");
        let names = event("link", 100, json!({"record": "P1"}));
        assert_eq!(found(&[names]), [Phase::Firm], "it has a truck");
        let stored = event("store.in", 200, json!({"slot": "A1", "packages": 9}));
        assert_eq!(found(&[stored]), [Phase::Firm], "its goods lie in a store");
        let sample = event("sample.taken", 150, json!({"sample": "S1"}));
        assert_eq!(found(&[sample]), [Phase::Firm]);
    }

    #[test]
    fn every_sample_needs_its_own_result() {
        let sample = |n: &str| event("sample.taken", 100, json!({"sample": n, "due_at": 900}));
        let result = event("result.issued", 200, json!({"sample": "S1"}));
        let open = |events: &[serde_json::Value]| {
            hold("H1", json!({}), events)
                .with("placements", json!([{"placed_ms": 100, "open": true}]))
        };
        assert_eq!(
            phases(
                "R10",
                &dossier(open(&[sample("S2"), result.clone()]), vec![], 899)
            ),
            [Phase::Pending]
        );

        assert_eq!(
            firm("R10", open(&[sample("S2"), result.clone()]), vec![]),
            [Phase::Firm]
        );
        assert_eq!(firm("R10", open(&[sample("S1"), result]), vec![]), []);

        // A laboratory has another keyboard.
        for (taken, answered) in [("ع-١٢", "ع-12"), ("S 12", "s-12"), ("A1/٢", "a1-2")] {
            let result = event("result.issued", 200, json!({"sample": answered}));
            let found = firm("R10", open(&[sample(taken), result]), vec![]);
            assert_eq!(found, [], "{taken} {answered}");
        }
        for (taken, other) in [("S-12", "S-1-2"), ("ع-١٢", "غ-12"), ("S-1", "S-01")] {
            let result = event("result.issued", 200, json!({"sample": other}));
            let found = firm("R10", open(&[sample(taken), result]), vec![]);
            assert_eq!(found, [Phase::Firm], "{taken} {other}");
        }
    }

    #[test]
    fn what_was_asked_and_what_let_it_go_are_cited() {
        let placed = event("hold.placed", 100, json!({}));
        let sample = event("sample.taken", 150, json!({"sample": "S1", "due_at": 900}));
        let ended = event("released", 300, json!({"holds": ["hold.placed@100"]}));
        let held = |fields, events: &[serde_json::Value]| hold("H1", fields, events);

        let let_go = held(json!({}), &[placed.clone(), sample, ended]);
        let entries = [
            "entry hold.placed@100",
            "entry sample.taken@150",
            "entry released@300",
        ];
        assert_eq!(cited("R10", let_go, vec![]), [side("H1", &entries)]);

        let waiting = held(json!({"due_at_ms": 900}), &[placed]);
        let entries = ["entry hold.placed@100", "fields of H1"];
        assert_eq!(cited("R10", waiting, vec![]), [side("H1", &entries)]);
    }
}
