//! R15: a customs entry without its passage, a laden passage without its entry.

use crate::{Contradiction, Dossier, Rule, numbers::hours_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R15",
    name: "missing_counterpart",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Missing = "R15-missing" { record: record, missing: code }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let wanted = match anchor.kind() {
        "customs-entry" if anchor.state() != "CANCELLED" => "passage",
        "passage"
            if anchor.field("purpose") == Some("goods")
                && !matches!(anchor.state(), "VOID" | "TURNED_BACK") =>
        {
            "customs-entry"
        }
        _ => return Vec::new(),
    };

    let stands = |r: &&crate::Facts| !matches!(r.state(), "CANCELLED" | "VOID" | "TURNED_BACK");
    if dossier.journey(wanted).any(|r| stands(&r)) {
        return Vec::new();
    }

    let due_ms = anchor
        .began_ms()
        .saturating_add(hours_ms(dossier.policy.counterpart_h));

    // A truck that was diverted is declared where it arrives.
    let elsewhere = anchor
        .said()
        .filter(|e| e.kind() == "diverted")
        .filter_map(|e| e.text("to"));

    // An entry's truck may come by any crossing.
    let anywhere = if anchor.is_customs_entry() {
        dossier.everywhere()
    } else {
        vec![anchor.crossing(), "HUB"]
    };

    let concerns: Vec<&str> = elsewhere.chain(anywhere).collect();
    let says = Says::Missing {
        record: anchor.printed(),
        missing: wanted,
    };
    let evidence = json!({"record": anchor.printed(), "missing": wanted, "due_ms": due_ms});

    vec![Contradiction::new(wanted, anchor.began_ms(), says, evidence).until(concerns, due_ms)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Facts, HOUR_MS, Phase, tests::*};

    const DAY_MS: i64 = 24 * HOUR_MS;

    fn found(linked: Vec<Facts>, purpose: &str, received_ms: i64) -> Vec<Phase> {
        let truck = passage(
            "P1",
            json!({"purpose": purpose}),
            &[event("gate.in", 1_000, json!({}))],
        );
        phases("R15", &dossier(truck, linked, received_ms))
    }

    #[test]
    fn a_late_entry_is_not_a_missing_one() {
        assert_eq!(found(vec![], "goods", 999 + DAY_MS), [Phase::Pending]);
        assert_eq!(found(vec![], "goods", 1_000 + DAY_MS), [Phase::Firm]);
        assert_eq!(
            found(vec![entry("E1", json!({}), &[])], "goods", 9 * DAY_MS),
            []
        );
        assert_eq!(
            found(
                vec![entry("E1", json!({}), &[]).state_is("CANCELLED")],
                "goods",
                9 * DAY_MS
            ),
            [Phase::Firm]
        );

        let last_month = entry(
            "E1",
            json!({}),
            &[event("registered", -30 * DAY_MS, json!({}))],
        );

        assert_eq!(
            found(vec![last_month], "goods", 9 * DAY_MS),
            [Phase::Firm],
            "another journey's"
        );
    }

    #[test]
    fn passengers_need_no_entry() {
        assert_eq!(found(vec![], "passengers", 9 * DAY_MS), []);
    }
}
