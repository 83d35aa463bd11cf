//! R33: a release whose author claims to have taken in what is not there.

use crate::{ClaimedHead, Contradiction, Dossier, Rule, numbers::seconds_ms, sentences};
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
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let found = dossier.claims.iter().map(|claim| told(dossier, claim));
    found.collect()
}

fn told(dossier: &Dossier, claim: &ClaimedHead) -> Contradiction {
    let anchor = &dossier.anchor;
    let said = anchor.said().find(|e| e.entry() == claim.decision);
    let at_ms = said.map_or(0, |e| e.at_ms());
    let size = claim.size.to_string();
    let (node, hold, other) = (claim.node.as_str(), anchor.printed(), claim.of.as_str());
    let (size, claimed) = (size.as_str(), claim.claimed.as_str());

    let evidence = json!({"claimed": claimed, "size": size, "seen": claim.seen});
    let name = format!("{} {claimed} {size}", claim.seen);
    if claim.is_there {
        let says = Says::Differs {
            node,
            hold,
            other,
            size,
        };
        return Contradiction::new(name, at_ms, says, evidence).each(&claim.decision);
    }

    // What its author had written by then may still be on its way, and its clock may be off.
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let says = Says::Missing {
        node,
        hold,
        other,
        size,
    };
    Contradiction::new(name, at_ms, says, evidence)
        .each(&claim.decision)
        .until(
            [claim.crossing.as_str(), "HUB"],
            at_ms.saturating_add(doubt_ms),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn found(is_there: bool, received_ms: i64) -> Vec<Phase> {
        let released = event("released", 50, json!({}));
        let decision = released["entry"].as_str().unwrap().to_string();
        let mut d = dossier(hold("H1", json!({}), &[released]), vec![], received_ms);
        d.claims.push(ClaimedHead {
            decision,
            seen: "a Seen".into(),
            node: "trb".into(),
            claimed: "a log".into(),
            of: "qam".into(),
            crossing: "QAM".into(),
            size: 1 << 60,
            is_there,
        });
        phases("R33", &d)
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
