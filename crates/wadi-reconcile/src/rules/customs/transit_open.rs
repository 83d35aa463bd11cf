//! R27: a transit that was not terminated.

use crate::{Contradiction, Dossier, Rule, numbers::hours_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R27",
    name: "transit_open",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Open = "R27-open" { passage: record, transit: name }
    Elsewhere = "R27-elsewhere" {
        passage: record, transit: name, exit: crossing, ended: crossing,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let (Some(reference), Some("in")) = (passage.field("transit.ref"), passage.field("direction"))
    else {
        return Vec::new();
    };
    let Some(left_ms) = passage.last_ms("gate.out").filter(|_| passage.is_passage()) else {
        return Vec::new();
    };

    // What left before the goods came in, or was recorded in error, ends nothing.
    let ends = |p: &&crate::Facts| {
        let is_exit = p.field("direction") == Some("out")
            && !matches!(p.state(), "VOID" | "TURNED_BACK" | "CANCELLED");
        let left_after = p.last_ms("gate.out") >= Some(passage.began_ms());
        passage.shares(p, "transit.ref") && is_exit && left_after
    };

    let exits = dossier.of("passage").filter(ends);
    let exit = exits.min_by_key(|p| (p.began_ms(), p.id.clone()));
    let declared = passage.field("declared_exit");
    let printed = passage.printed();
    let due_ms = left_ms.saturating_add(hours_ms(dossier.policy.transit_h));
    let concerns = declared.map_or_else(|| dossier.everywhere(), |to| vec![to]);

    match exit {
        None => {
            let says = Says::Open {
                passage: printed,
                transit: reference,
            };
            let evidence = json!({
                "transit": reference,
                "left_ms": left_ms,
                "due_ms": due_ms,
                "exit": declared,
            });
            vec![Contradiction::new("open", left_ms, says, evidence).until(concerns, due_ms)]
        }
        // A diversion changes where it ends.
        Some(out) if out.has("diverted") || passage.has("diverted") => Vec::new(),
        Some(out) if declared.is_some_and(|to| to != out.crossing()) => {
            let says = Says::Elsewhere {
                passage: printed,
                transit: reference,
                exit: declared.unwrap_or_default(),
                ended: out.crossing(),
            };

            let evidence =
                json!({"transit": reference, "exit": declared, "ended_at": out.crossing()});
            vec![Contradiction::new(
                "elsewhere",
                out.ended_ms(),
                says,
                evidence,
            )]
        }
        Some(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn a_transit_ends_where_it_said_it_would() {
        let begun = passage(
            "P1",
            json!({"transit.ref": "T1", "direction": "in", "declared_exit": "QAM"}),
            &[event("gate.out", 100, json!({}))],
        );

        let due = 100 + 240 * HOUR_MS;
        assert_eq!(
            phases("R27", &dossier(begun.clone(), vec![], due - 1)),
            [Phase::Pending]
        );
        assert_eq!(
            phases("R27", &dossier(begun.clone(), vec![], due)),
            [Phase::Firm]
        );

        let ended = |at: &str| {
            vec![
                passage(
                    "P2",
                    json!({"transit.ref": "T1", "direction": "out"}),
                    &[event("gate.out", 900, json!({}))],
                )
                .at(at),
            ]
        };

        assert_eq!(firm("R27", begun.clone(), ended("QAM")), []);
        for (state, left_ms) in [("VOID", 900), ("EXITED", 99)] {
            let fields = json!({"transit.ref": "T1", "direction": "out"});
            let left = event("gate.out", left_ms, json!({}));
            let out = passage("P2", fields, &[left]).state_is(state).at("QAM");
            let found = firm("R27", begun.clone(), vec![out]);
            assert_eq!(found, [Phase::Firm], "{state} at {left_ms}");
        }
        assert_eq!(firm("R27", begun.clone(), ended("MUN")), [Phase::Firm]);

        let written = passage(
            "P2",
            json!({"transit.ref": "t-1\u{200F}", "direction": "out"}),
            &[event("gate.out", 900, json!({}))],
        );
        assert_eq!(
            firm("R27", begun, vec![written.at("QAM")]),
            [],
            "its end, written otherwise"
        );
    }
}
