//! R10: a hold past its deadline without a result; a sample without one.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::{EventType, event_type};

pub(crate) const RULE: Rule = Rule {
    code: "R10",
    name: "result_overdue",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Sample = "R10-sample" { hold: record, sample: name }
    Hold = "R10-hold" { hold: record }
}

/// Results on a hold, of whatever kind.
fn results(hold: &Facts) -> impl Iterator<Item = Fact<'_>> {
    let is_result = |e: &Fact<'_>| event_type(e.kind()).is_some_and(EventType::answers_hold);
    hold.said().filter(move |e| e.counts() && is_result(e))
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    // A lookout waits for its target, not for a laboratory.
    if !hold.is_hold() || !hold.is_open_hold() || hold.field("target.term").is_some() {
        return Vec::new();
    }

    let limit_ms = hours_ms(dossier.policy.hold_deadline_h);
    let mut out = Vec::new();
    let mut overdue = |discriminator: &str, says: Says<'_>, at_ms: i64, due_ms: i64| {
        let evidence = json!({"since_ms": at_ms, "due_ms": due_ms});
        out.push(
            Contradiction::new(discriminator, at_ms, says, evidence)
                .until([hold.crossing()], due_ms),
        );
    };

    let answered: BTreeSet<&str> = results(hold).filter_map(|r| r.text("sample")).collect();

    for sample in hold.events("sample.taken") {
        let name = sample.text("sample").unwrap_or_default();
        if !answered.contains(name) {
            let due_ms = sample
                .int("due_at")
                .unwrap_or(sample.at_ms().saturating_add(limit_ms));
            overdue(
                &format!("sample {name}"),
                Says::Sample {
                    hold: hold.printed(),
                    sample: name,
                },
                sample.at_ms(),
                due_ms,
            );
        }
    }

    if let Some(placed_ms) = hold.held_from_ms()
        && results(hold).next().is_none()
        && !hold.has("sample.taken")
    {
        let due_ms = hold
            .int("due_at_ms")
            .unwrap_or(placed_ms.saturating_add(limit_ms));
        let says = Says::Hold {
            hold: hold.printed(),
        };
        overdue("hold", says, placed_ms, due_ms);
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
    }
}
