//! R30, over the cohort of an officer: the rate of forced acts.

use crate::{Contradiction, Dossier, Facts, HOUR_MS, Rule, numbers::hours_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R30",
    name: "override_outlier",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Forced = "R30-forced" { officer: officer, times: number, hours: number }
}

/// A gate opened without a device's read, or for a truck that was not cleared, with a reason.
fn forced(p: &Facts) -> impl Iterator<Item = crate::Fact<'_>> {
    p.events("gate.out").filter(|e| e.text("reason").is_some())
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let window_ms = hours_ms(dossier.policy.forced_window_h);
    let mut out = Vec::new();
    for act in forced(anchor) {
        let others = dossier
            .peers
            .iter()
            .chain(&dossier.linked)
            .chain([anchor])
            .flat_map(forced);

        let by_same = others.filter(|o| o.officer() == act.officer());
        let mut all: Vec<(i64, &str)> = by_same.map(|o| (o.at_ms(), o.entry())).collect();
        all.sort_unstable();
        all.dedup();

        // The act that reaches the limit carries the finding, so that a busy officer is one line
        // and not twenty.
        let own = (act.at_ms(), act.entry());
        let count = all
            .iter()
            .filter(|o| **o <= own && own.0.saturating_sub(o.0) <= window_ms)
            .count() as u32;
        let limit = dossier.policy.forced_max.max(1);

        if count == limit {
            out.push(Contradiction::new(
                format!("{} {}", act.officer(), act.id()),
                act.at_ms(),
                Says::Forced {
                    officer: act.officer(),
                    times: count.into(),
                    hours: window_ms / HOUR_MS,
                },
                json!({"officer": act.officer(), "count": count, "through_ms": own.0}),
            ));
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn five_forced_exits_in_a_week_are_an_outlier_told_once() {
        let out = |n: i64| {
            passage(
                &format!("P{n}"),
                json!({}),
                &[event(
                    "gate.out",
                    n * HOUR_MS,
                    json!({"reason": "camera down"}),
                )],
            )
        };

        let found = |anchor: i64, count: i64| {
            let mut d = dossier(out(anchor), vec![], 0);
            d.peers = (0..count).filter(|n| *n != anchor).map(out).collect();
            phases("R30", &d)
        };

        assert_eq!(found(4, 5), [Phase::Firm]);
        assert_eq!(found(3, 5), [], "the fifth of them carries it");
        assert_eq!(found(3, 4), []);
        assert_eq!(found(5, 6), [], "once");
    }
}
