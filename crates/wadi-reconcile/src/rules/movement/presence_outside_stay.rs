//! R05: seen after the exit or before the entry.

use crate::{Contradiction, Dossier, Rule, numbers::seconds_ms, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R05",
    name: "presence_outside_stay",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    AfterExit = "R05-after-exit" { passage: record, event: event }
    BeforeEntry = "R05-before-entry" { passage: record, event: event }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if !passage.is_passage() || passage.flag("HANDED_OVER") {
        return Vec::new();
    }

    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let came_ms = passage.first_ms("gate.in");

    // A truck may come back: it is gone with the first exit after it last came in.
    let last_in_ms = passage.last_ms("gate.in").unwrap_or(i64::MIN);
    let left_ms = passage
        .events("gate.out")
        .map(|out| out.at_ms())
        .filter(|out_ms| *out_ms >= last_in_ms)
        .min();
    let stray = passage
        .of_types(|t| t.proves_presence)
        .filter(|e| !matches!(e.kind(), "gate.in" | "gate.out" | "gate.read"))
        .filter(|e| {
            left_ms.is_some_and(|t| e.at_ms() > t.saturating_add(doubt_ms))
                || came_ms.is_some_and(|t| e.at_ms() < t.saturating_sub(doubt_ms))
        });

    stray
        .map(|e| {
            let (passage, event) = (passage.printed(), e.kind());
            let (when, says) = if left_ms.is_some_and(|t| e.at_ms() > t) {
                ("after it had left", Says::AfterExit { passage, event })
            } else {
                ("before it had come", Says::BeforeEntry { passage, event })
            };
            Contradiction::new(
                format!("{} {when}", e.kind()),
                e.at_ms(),
                says,
                json!({
                    "type": e.kind(),
                    "at_ms": e.at_ms(),
                    "came_ms": came_ms,
                    "left_ms": left_ms,
                }),
            )
            .of_cause(json!({"type": e.kind(), "came_ms": came_ms, "left_ms": left_ms}))
            .each(e.entry())
            // The gate's own record may be behind that of the pump.
            .until([dossier.anchor.crossing()], e.at_ms())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    const H: i64 = 3_600_000;

    #[test]
    fn it_fires_on_fuel_taken_after_the_exit_and_waits_for_the_gate() {
        let fuelled = |at| {
            let events = [
                event("gate.in", H, json!({})),
                event("gate.out", 2 * H, json!({})),
                event("fuelled", at, json!({"plate": "1"})),
            ];
            passage("P1", json!({}), &events)
        };

        assert_eq!(
            phases("R05", &dossier(fuelled(3 * H), vec![], 2 * H)),
            [Phase::Pending]
        );
        assert_eq!(firm("R05", fuelled(3 * H), vec![]), [Phase::Firm]);
        assert_eq!(firm("R05", fuelled(0), vec![]), [Phase::Firm]);
        assert_eq!(
            firm("R05", fuelled(2 * H + 599_000), vec![]),
            [],
            "within the clocks' doubt"
        );
    }

    #[test]
    fn a_truck_that_came_back_is_there() {
        let events = [
            event("gate.in", H, json!({})),
            event("gate.out", 2 * H, json!({})),
            event("fuelled", 4 * H, json!({})),
            event("gate.in", 3 * H, json!({})),
        ];

        assert_eq!(firm("R05", passage("P1", json!({}), &events), vec![]), []);
    }
}
