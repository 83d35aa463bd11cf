//! R30, over the cohort of an officer: the rate of forced acts.

use crate::{Contradiction, Dossier, Facts, HOUR_MS, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) const RULE: Rule = Rule {
    code: "R30",
    name: "override_outlier",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Forced = "R30-forced" { officer: officer, times: number, hours: number }
    Entered = "R30-entered" { officer: officer, times: number, hours: number }
}

/// A gate opened without a device's read, or for a truck that was not cleared, with a reason.
fn forced(p: &Facts) -> impl Iterator<Item = crate::Fact<'_>> {
    p.events("gate.out").filter(|e| e.text("reason").is_some())
}

/// Whether with this act an officer's forced ones reach the limit within the window that ends with
/// it. The act that reaches it carries the finding: a busy officer is one line and not twenty.
fn reaches_limit(
    acts: &BTreeSet<(i64, &str)>,
    own: (i64, &str),
    window_ms: i64,
    limit: u32,
) -> bool {
    let until = acts.range(..=own);
    let within = until.filter(|act| own.0.saturating_sub(act.0) <= window_ms);
    within.count() as u32 == limit
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let window_ms = hours_ms(dossier.policy.forced_window_h);
    let limit = dossier.policy.forced_max.max(1);
    let mut out = Vec::new();
    for act in forced(anchor) {
        let others = dossier
            .peers
            .iter()
            .chain(&dossier.linked)
            .chain([anchor])
            .flat_map(|p| forced(p).map(move |o| (p, o)));

        let by_same: Vec<(&Facts, crate::Fact<'_>)> = others
            .filter(|(_, o)| o.officer() == act.officer())
            .collect();
        let by = |clock: fn(&crate::Fact<'_>) -> i64| {
            let own = (clock(&act), act.entry());
            let all: BTreeSet<(i64, &str)> =
                by_same.iter().map(|(_, o)| (clock(o), o.entry())).collect();
            reaches_limit(&all, own, window_ms, limit).then_some(own.0)
        };

        // Whoever says himself when it was may spread it over as many weeks as he likes.
        let (officer, times, hours) = (act.officer(), limit.into(), window_ms / HOUR_MS);
        let told = match (by(|f| f.at_ms()), by(|f| f.entered_ms())) {
            (Some(through_ms), _) => {
                let says = Says::Forced {
                    officer,
                    times,
                    hours,
                };
                Some((through_ms, says))
            }
            (None, Some(through_ms)) => {
                let says = Says::Entered {
                    officer,
                    times,
                    hours,
                };
                Some((through_ms, says))
            }
            (None, None) => None,
        };

        if let Some((through_ms, says)) = told {
            let found = Contradiction::new(
                format!("{officer} {}", act.id()),
                act.at_ms(),
                says,
                json!({"officer": officer, "count": limit, "through_ms": through_ms}),
            )
            .citing(anchor, [act.entry()]);

            // The acts before it within the window, by either clock, are what it is counted with.
            let is_within = |ms: i64| (0..=window_ms).contains(&through_ms.saturating_sub(ms));
            let counted = by_same.iter().filter(|(p, o)| {
                p.id != anchor.id && (is_within(o.at_ms()) || is_within(o.entered_ms()))
            });
            out.push(counted.fold(found, |found, (p, o)| found.beside(p, [o.entry()])));
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

    #[test]
    fn forced_exits_that_are_said_to_lie_weeks_apart_are_counted_by_when_they_were_written() {
        let out = |n: i64, entered_ms: i64| {
            let mut said = event(
                "gate.out",
                n * 43 * HOUR_MS,
                json!({"reason": "camera down"}),
            );
            said["entered_ms"] = entered_ms.into();
            passage(&format!("P{n}"), json!({}), &[said])
        };
        let found = |anchor: i64, apart_ms: i64| {
            let written = |n: i64| out(n, 1_000 * HOUR_MS + n * apart_ms);
            let mut d = dossier(written(anchor), vec![], 0);
            d.peers = (0..5).filter(|n| *n != anchor).map(written).collect();
            phases("R30", &d)
        };

        assert_eq!(found(4, 10_000), [Phase::Firm]);
        assert_eq!(found(3, 10_000), [], "the fifth of them carries it");
        assert_eq!(found(4, 43 * HOUR_MS), [], "five in seven days and a bit");
    }

    #[test]
    fn the_exits_that_it_is_counted_with_are_named() {
        let out = |n: i64| {
            let said = event("gate.out", n * HOUR_MS, json!({"reason": "camera down"}));
            passage(&format!("P{n}"), json!({}), &[said])
        };
        let mut d = dossier(out(500), vec![], 0);
        d.peers = [1, 496, 497, 498, 499].map(out).to_vec();

        let of = |n: i64| {
            side(
                &format!("P{n}"),
                &[&format!("entry gate.out@{}", n * HOUR_MS)],
            )
        };
        assert_eq!(cited_of("R30", &d, "cites"), [of(500)]);
        assert_eq!(
            cited_of("R30", &d, "peers"),
            [of(496), of(497), of(498), of(499)],
            "the first one is three weeks old"
        );
    }
}
