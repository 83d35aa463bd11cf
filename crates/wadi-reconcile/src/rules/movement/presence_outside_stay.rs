//! R05: seen after the exit or before the entry.

use crate::{
    Contradiction, Dossier, Fact, Rule,
    numbers::{apart, seconds_ms},
    passages::BETWEEN_GATES_MS,
    sentences,
};
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
    if !passage.is_passage() || passage.was_taken_over() {
        return Vec::new();
    }

    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let came_ms = passage.first_ms("gate.in");

    let left_ms = left_ms(dossier, doubt_ms);
    let stray = passage
        .of_types(|t| t.proves_presence)
        .filter(|e| !matches!(e.kind(), "gate.in" | "gate.out" | "gate.read"))
        .filter(|e| {
            left_ms.is_some_and(|t| e.at_ms() > t.saturating_add(doubt_ms))
                || came_ms.is_some_and(|t| e.at_ms() < t.saturating_sub(doubt_ms))
        });

    stray
        .map(|e| {
            let own = [dossier.anchor.crossing()].into_iter();
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
            // The gate's own record may be behind that of the pump, and whoever took it over has
            // not been heard yet.
            .until(own.chain(dossier.anchor.handed_over_to()), e.at_ms())
        })
        .collect()
}

/// When a truck left, Unix milliseconds. It may come back: it is gone with the first exit after it
/// last came in, or with the outer gate of that one. A gate that is written down later than the
/// first puts off nothing.
fn left_ms(dossier: &Dossier, doubt_ms: i64) -> Option<i64> {
    let passage = &dossier.anchor;
    let last_in_ms = passage.last_ms("gate.in").unwrap_or(i64::MIN);
    let exits = || {
        let all = passage.events("gate.out");
        all.filter(move |out| out.at_ms() >= last_in_ms)
    };
    let first = exits().min_by_key(|out| out.at_ms())?;

    let late_ms = |out: &Fact<'_>| out.entered_ms().saturating_sub(out.at_ms()).max(0);
    let most_ms = late_ms(&first).saturating_add(doubt_ms);
    let outer = exits().filter(|out| {
        apart(out.at_ms(), first.at_ms()) <= BETWEEN_GATES_MS && late_ms(out) <= most_ms
    });
    outer.map(|out| out.at_ms()).max()
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
    fn a_truck_between_the_inner_and_the_outer_gate_is_there() {
        let found = |outer_ms: i64, entered_ms: i64| {
            let mut outer = event("gate.out", outer_ms, json!({}));
            outer["entered_ms"] = entered_ms.into();
            let events = [
                event("gate.in", H, json!({})),
                event("gate.out", 2 * H, json!({})),
                event("fuelled", 2 * H + H / 2, json!({"plate": "1"})),
                outer,
            ];
            firm("R05", passage("P1", json!({}), &events), vec![])
        };
        let outer_ms = 2 * H + H * 3 / 4;

        assert_eq!(found(outer_ms, outer_ms), []);
        assert_eq!(found(4 * H, 4 * H), [Phase::Firm], "another exit");
        let written = found(outer_ms, 9 * H);
        assert_eq!(written, [Phase::Firm], "a gate that is written down later");
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

    #[test]
    fn a_truck_that_was_handed_over_is_seen_where_it_was_taken_over() {
        let found = |there: Option<&str>, received_ms: i64| {
            let mut weighed = event("weighed", 5 * H, json!({}));
            weighed["written_at"] = there.into();
            let events = [
                event("gate.in", H, json!({})),
                event("gate.out", 2 * H, json!({})),
                event("handed_over", 2 * H, json!({"to": "MAN"})),
                weighed,
            ];
            phases(
                "R05",
                &dossier(passage("P1", json!({}), &events), vec![], received_ms),
            )
        };

        assert_eq!(found(Some("MAN"), 9 * H), []);
        assert_eq!(found(None, 9 * H), [Phase::Pending], "it may yet be heard");
        assert_eq!(found(None, 53 * H), [Phase::Firm], "nobody took it over");
    }
}
