//! R26: goods let inland before their entry was released, and not cleared within the limit (72
//! hours by default).

use crate::{Contradiction, Dossier, Rule, numbers::hours_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R26",
    name: "inland_overdue",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Inland = "R26-inland" { passage: record, entry: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let settled = entry.has("entry.released") || entry.has("cancelled");

    if !entry.is_customs_entry() || settled {
        return Vec::new();
    }

    let inbound = dossier
        .journey("passage")
        .filter(|p| p.field("direction") == Some("in") && p.state() != "TURNED_BACK");
    // A transit is terminated at its exit and not cleared inland: R27 looks at the truck that says
    // so, too.
    let inland = inbound.filter(|p| !entry.shares(p, "transit.ref"));
    let left = inland.filter_map(|p| Some((p, p.last_ms("gate.out")?)));

    left.map(|(truck, left_ms)| {
        let due_ms = left_ms.saturating_add(hours_ms(dossier.policy.inland_h));
        Contradiction::new(
            truck.id.clone(),
            left_ms,
            Says::Inland {
                passage: truck.printed(),
                entry: entry.printed(),
            },
            json!({"passage": truck.printed(), "left_ms": left_ms, "due_ms": due_ms}),
        )
        .until([entry.crossing(), "HUB"], due_ms)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn goods_inland_have_three_days() {
        let truck = || {
            vec![passage(
                "P1",
                json!({"direction": "in"}),
                &[event("gate.out", 100, json!({}))],
            )]
        };

        let open = entry("E1", json!({}), &[]);
        assert_eq!(
            phases("R26", &dossier(open.clone(), truck(), 99 + 72 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(firm("R26", open, truck()), [Phase::Firm]);

        let released = entry("E1", json!({}), &[event("entry.released", 50, json!({}))]);
        assert_eq!(firm("R26", released, truck()), []);

        let transit = |reference| entry("E1", json!({"transit.ref": reference}), &[]);
        let in_transit = passage(
            "P1",
            json!({"direction": "in", "transit.ref": "T-1"}),
            &[event("gate.out", 100, json!({}))],
        );
        assert_eq!(firm("R26", transit("t 1"), vec![in_transit]), []);
        for reference in ["T-1", "-"] {
            let found = firm("R26", transit(reference), truck());
            assert_eq!(found, [Phase::Firm], "its truck says nothing of a transit");
        }
    }
}
