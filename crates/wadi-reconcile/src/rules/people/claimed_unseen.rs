//! R33: a decision whose author claims to have taken in what is not there.

use crate::{
    ClaimedHead, Contradiction, Dossier, Fact, Facts, Rule, numbers::seconds_ms, sentences,
};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R33",
    name: "claimed_unseen",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Differs = "R33-differs" { node: node, hold: record, other: node, size: name }
    Missing = "R33-missing" { node: node, hold: record, other: node, size: name }
    DecidedDiffers = "R33-decided-differs" {
        node: node,
        event: event,
        record: record,
        other: node,
        size: name,
    }
    DecidedMissing = "R33-decided-missing" {
        node: node,
        event: event,
        record: record,
        other: node,
        size: name,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let found = dossier.claims.iter().map(|claim| told(dossier, claim));
    found.collect()
}

fn told(dossier: &Dossier, claim: &ClaimedHead) -> Contradiction {
    let anchor = &dossier.anchor;
    let is_it = |e: &Fact<'_>| e.entry() == claim.decision;
    let decided = anchor.decisions().find(is_it);
    let said = decided.or_else(|| anchor.said().find(is_it));
    let at_ms = said.map_or(0, |e| e.at_ms());
    let event = said.map_or("", |e| e.kind());
    let size = claim.size.to_string();
    let says = sentence(anchor, event, claim, &size);

    let claimed = claim.claimed.as_str();
    let evidence = json!({"claimed": claimed, "size": size, "seen": claim.seen});
    let name = format!("{} {claimed} {size}", claim.seen);
    if claim.is_there {
        return Contradiction::new(name, at_ms, says, evidence).each(&claim.decision);
    }

    // What its author had written by then may still be on its way, and its clock may be off.
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    Contradiction::new(name, at_ms, says, evidence)
        .each(&claim.decision)
        .until(
            [claim.crossing.as_str(), "HUB"],
            at_ms.saturating_add(doubt_ms),
        )
}

/// What is said: of a release of a hold that it is one, and of any other decision which it is.
fn sentence<'a>(
    anchor: &'a Facts,
    event: &'a str,
    claim: &'a ClaimedHead,
    size: &'a str,
) -> Says<'a> {
    let record = anchor.printed();
    let (node, other) = (claim.node.as_str(), claim.of.as_str());
    let is_release = anchor.is_hold() && matches!(event, "released" | "conditional");

    match (is_release, claim.is_there) {
        (true, true) => Says::Differs {
            node,
            hold: record,
            other,
            size,
        },
        (true, false) => Says::Missing {
            node,
            hold: record,
            other,
            size,
        },
        (false, true) => Says::DecidedDiffers {
            node,
            event,
            record,
            other,
            size,
        },
        (false, false) => Says::DecidedMissing {
            node,
            event,
            record,
            other,
            size,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn claim(decision: &serde_json::Value, is_there: bool) -> ClaimedHead {
        ClaimedHead {
            decision: decision["entry"].as_str().unwrap().to_string(),
            seen: "a Seen".into(),
            node: "trb".into(),
            claimed: "a log".into(),
            of: "qam".into(),
            crossing: "QAM".into(),
            size: 1 << 60,
            is_there,
        }
    }

    fn found(is_there: bool, received_ms: i64) -> Vec<Phase> {
        let released = event("released", 50, json!({}));
        let claim = claim(&released, is_there);
        let mut d = dossier(hold("H1", json!({}), &[released]), vec![], received_ms);
        d.claims.push(claim);
        phases("R33", &d)
    }

    #[test]
    fn of_any_decision_it_is_told_which_it_is_and_of_a_hold_that_it_was_released() {
        let told = |record: Facts, decided: &serde_json::Value| {
            let mut d = dossier(record, vec![], 0);
            d.claims.push(claim(decided, true));
            let found = judge(&d).into_iter();
            let texts: Vec<String> = found
                .map(|c| crate::sentence::english(&c.sentence))
                .collect();
            texts.join("; ")
        };

        let out = event("gate.out", 50, json!({"gate": "G2", "read": "R2"}));
        let text = told(passage("P1", json!({}), std::slice::from_ref(&out)), &out);
        assert!(
            text.starts_with("trb said") && text.contains("P1"),
            "{text}"
        );

        let released = event("released", 50, json!({}));
        let hold = hold("H1", json!({}), std::slice::from_ref(&released));
        let text = told(hold, &released);
        assert!(text.starts_with("trb released hold H1"), "{text}");
    }

    #[test]
    fn what_differs_is_firm_and_what_is_not_held_waits_for_the_crossing_of_the_log() {
        assert_eq!(found(true, 0), [Phase::Firm]);
        assert_eq!(found(false, 0), [Phase::Pending]);
        assert_eq!(found(false, i64::MAX), [Phase::Firm]);
    }

    #[test]
    fn who_names_nothing_that_is_not_there_is_no_finding() {
        let released = event("released", 50, json!({}));
        let honest = hold("H1", json!({}), &[released]);
        assert_eq!(firm("R33", honest, vec![]), []);
    }
}
