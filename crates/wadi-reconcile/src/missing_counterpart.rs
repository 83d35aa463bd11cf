//! R15: a customs entry without its passage, a laden passage without its entry.

use crate::{Contradiction, Dossier, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R15", name: "missing_counterpart", severity: 1, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let wanted = match anchor.kind() {
        "customs-entry" if anchor.state() != "CANCELLED" => "passage",
        "passage" if anchor.field("purpose") == Some("goods") && !matches!(anchor.state(), "VOID" | "TURNED_BACK") => {
            "customs-entry"
        }
        _ => return Vec::new(),
    };
    if dossier.linked.iter().any(|r| r.kind() == wanted) {
        return Vec::new();
    }
    let due_ms = anchor.began_ms() + i64::from(dossier.policy.counterpart_h) * 3_600_000;
    vec![Contradiction {
        discriminator: wanted.into(),
        text: format!("{} has no {wanted} that shares its plate, container or reference", anchor.printed()),
        evidence: json!({"record": anchor.printed(), "missing": wanted, "due_ms": due_ms}),
        phase: dossier.phase([anchor.crossing()], due_ms),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, reconcile, tests::*};

    const DAY_MS: i64 = 24 * 3_600_000;

    fn found(linked: Vec<crate::Facts>, purpose: &str, received_ms: i64) -> Vec<Phase> {
        let more = json!({"fields": {"purpose": purpose}, "events": [event("gate.in", 1_000, json!({}))]});
        let anchor = facts("P1", "passage", "TRB", more);
        let all = reconcile(&dossier(anchor, linked, received_ms));
        all.iter().filter(|f| f.rule.code == "R15").map(|f| f.contradiction.phase).collect()
    }

    #[test]
    fn a_late_entry_is_not_a_missing_one() {
        assert_eq!(found(vec![], "goods", 999 + DAY_MS), [Phase::Pending]);
        assert_eq!(found(vec![], "goods", 1_000 + DAY_MS), [Phase::Firm]);
        let entry = facts("E1", "customs-entry", "TRB", json!({}));
        assert_eq!(found(vec![entry], "goods", 9 * DAY_MS), []);
    }

    #[test]
    fn passengers_need_no_entry() {
        assert_eq!(found(vec![], "passengers", 9 * DAY_MS), []);
    }
}
