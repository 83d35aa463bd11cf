//! R11: a result contradicts the release; a recall within sixty days.

use crate::{Contradiction, Dossier, Fact, HOUR_MS, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R11", name: "released_against_result", severity: 1, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }
    let recall_ms = i64::from(dossier.policy.recall_h) * HOUR_MS;
    let mut out = Vec::new();
    for released in hold.events("released") {
        for bad in hold.said().filter(|e| speaks_against(e)) {
            // A better result of the same sample, or a second release, answered it before this one.
            let between = |e: &Fact<'_>| (bad.at_ms()..=released.at_ms()).contains(&e.at_ms());
            let answered = match bad.kind() {
                "recalled" => bad.at_ms() <= released.at_ms(),
                "rad.adjudicated" => hold.events("rad.adjudicated").any(|a| between(&a) && !speaks_against(&a)),
                _ => hold.events("result.amended").any(|a| {
                    between(&a) && a.text("sample") == bad.text("sample") && a.text("outcome") == Some("satisfactory")
                }),
            };
            if !answered && bad.at_ms() <= released.at_ms() + recall_ms {
                out.push(Contradiction::new(
                    format!("{} {}", released.id(), bad.id()),
                    released.at_ms().max(bad.at_ms()),
                    format!("{} was released, and {} speaks against it", hold.printed(), bad.kind()),
                    json!({"release": released.entry(), "against": bad.entry()}),
                ));
            }
        }
    }
    out
}

fn speaks_against(e: &Fact<'_>) -> bool {
    match e.kind() {
        "recalled" => e.refused().is_none(),
        "result.issued" | "result.amended" => e.refused().is_none() && e.text("outcome") == Some("unsatisfactory"),
        "rad.adjudicated" => e.refused().is_none() && e.int("code").is_some_and(|c| c <= 2 || c == 10),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn found(events: &[serde_json::Value]) -> Vec<Phase> {
        let mut all = vec![event("released", 100, json!({}))];
        all.extend(events.iter().cloned());
        firm("R11", hold("H1", json!({}), &all), vec![])
    }

    #[test]
    fn a_second_adjudication_or_a_second_release_settles_it() {
        let judged = |at, code| event("rad.adjudicated", at, json!({"code": code}));
        assert_eq!(found(&[judged(50, 1)]), [Phase::Firm]);
        assert_eq!(found(&[judged(50, 1), judged(60, 6)]), []);
        assert_eq!(found(&[event("recalled", 50, json!({}))]), [], "recalled, and released after that");
    }

    #[test]
    fn a_bad_result_or_a_recall_contradicts_a_release() {
        let result = |kind, at, outcome: &str| event(kind, at, json!({"sample": "S1", "outcome": outcome}));
        assert_eq!(found(&[result("result.amended", 150, "unsatisfactory")]), [Phase::Firm]);
        assert_eq!(found(&[result("result.issued", 50, "satisfactory")]), []);
        let answered = [result("result.issued", 50, "unsatisfactory"), result("result.amended", 60, "satisfactory")];
        assert_eq!(found(&answered), [], "amended before the release");
        assert_eq!(found(&[event("recalled", 100 + 60 * 24 * HOUR_MS, json!({"reason": "symptoms"}))]), [Phase::Firm]);
        assert_eq!(found(&[event("recalled", 101 + 60 * 24 * HOUR_MS, json!({"reason": "symptoms"}))]), []);
    }
}
