//! R31: a vehicle left that nobody had cleared, or goods whose entry nobody had released; a scanner
//! found something strange, and nobody looked into it before it left.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentence::reason_given, sentences};
use serde_json::json;
use wadi_record::Lack;

pub(crate) const RULE: Rule = Rule {
    code: "R31",
    name: "left_uncleared",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Left = "R31-left" { officer: officer, record: record, lack: code, why: clause }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let left = anchor
        .unfounded()
        .filter(|(act, _)| matches!(act.kind(), "gate.out" | "entry.exited"));

    left.filter_map(|(act, lacks)| found(dossier, act, &lacks))
        .collect()
}

fn found(dossier: &Dossier, act: Fact<'_>, lacks: &[&str]) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let is_lacking = |lack: Lack| lacks.contains(&lack.name());
    let what = if is_lacking(Lack::Clearance) {
        "clearance"
    } else if is_lacking(Lack::ClosedCheck) {
        "closed-check"
    } else if is_lacking(Lack::CheckOfAnomaly) && !hold_looked_into(dossier, act) {
        "anomaly"
    } else if is_lacking(Lack::Release) {
        "release"
    } else {
        return None;
    };

    let says = Says::Left {
        officer: act.officer(),
        record: anchor.printed(),
        lack: what,
        why: reason_given(act.text("reason")),
    };
    let evidence = json!({
        "officer": act.officer(),
        "lacks": lacks,
        "reason": act.text("reason"),
    });
    let basis = json!({"officer": act.officer(), "lacks": lacks});

    // What the officer had seen is told by the act itself: nothing on its way changes it.
    let found = Contradiction::new(
        format!("{} {}", lacks.join(" "), act.officer()),
        act.at_ms(),
        says,
        evidence,
    )
    .of_cause(basis)
    .each(act.entry());

    Some(match is_lacking(Lack::CheckOfAnomaly) {
        // A hold that looked into it stands on another record, and may be on its way.
        true => found.until([anchor.crossing(), "HUB"], act.at_ms()),
        false => found,
    })
}

/// Whether a hold that names the passage began with or after its latest anomaly, and was let go
/// before it left.
fn hold_looked_into(dossier: &Dossier, out: Fact<'_>) -> bool {
    let passage = &dossier.anchor;
    let anomalies = passage
        .said()
        .filter(|e| e.restricts() && e.kind() == "scanned" && e.flag("anomaly"));
    let Some(latest_ms) = anomalies
        .map(|e| e.at_ms())
        .filter(|t| *t <= out.at_ms())
        .max()
    else {
        return false;
    };

    let is_answer = |hold: &Facts| {
        hold.links().contains(&passage.id.as_str())
            && hold.held_from_ms().is_some_and(|t| t >= latest_ms)
            && !hold.was_open_at(out.at_ms())
    };
    dossier.of("hold").any(is_answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};
    use serde_json::Value as Json;

    fn out(lacks: &[&str], more: &[Json]) -> Facts {
        let left = event("gate.out", 50, json!({"gate": "G1"}));
        let unfounded = json!([{"id": "gate.out@50", "lacks": lacks}]);
        let events = [more, std::slice::from_ref(&left)].concat();

        match lacks {
            [] => passage("P1", json!({}), &events),
            _ => passage("P1", json!({}), &events).with("unfounded", unfounded),
        }
    }

    #[test]
    fn a_forced_exit_is_told_always_and_an_orderly_one_never() {
        for lack in [Lack::Clearance, Lack::ClosedCheck] {
            assert_eq!(firm("R31", out(&[lack.name()], &[]), vec![]), [Phase::Firm]);
        }
        assert_eq!(firm("R31", out(&[], &[]), vec![]), []);

        let goods = entry("E1", json!({}), &[event("entry.exited", 5, json!({}))]).with(
            "unfounded",
            json!([{"id": "entry.exited@5", "lacks": ["release"]}]),
        );
        assert_eq!(firm("R31", goods, vec![]), [Phase::Firm]);
    }

    #[test]
    fn exits_by_one_officer_are_one_finding() {
        let exits: Vec<Json> = (0..20)
            .map(|n| event("gate.out", n, json!({"gate": "G1"})))
            .collect();
        let unfounded: Vec<Json> = (0..20)
            .map(|n| json!({"id": format!("gate.out@{n}"), "lacks": ["clearance"]}))
            .collect();
        let forced = passage("P1", json!({}), &exits).with("unfounded", json!(unfounded));
        assert_eq!(firm("R31", forced, vec![]).len(), 1);
    }

    #[test]
    fn an_anomaly_is_looked_into_by_a_check_or_by_a_hold_that_was_let_go() {
        let strange = event("scanned", 10, json!({"anomaly": true}));
        let left = || {
            out(
                &[Lack::CheckOfAnomaly.name()],
                std::slice::from_ref(&strange),
            )
        };
        assert_eq!(firm("R31", left(), vec![]), [Phase::Firm]);

        let held = |placed_ms: i64, released_ms: i64| {
            let events = [
                event("link", placed_ms, json!({"record": "P1"})),
                event("hold.placed", placed_ms, json!({})),
                event(
                    "released",
                    released_ms,
                    json!({"holds": [format!("hold.placed@{placed_ms}")]}),
                ),
            ];
            vec![hold("H1", json!({}), &events)]
        };
        assert_eq!(firm("R31", left(), held(11, 40)), []);
        assert_eq!(
            firm("R31", left(), held(5, 40)),
            [Phase::Firm],
            "a hold of another cause, placed before"
        );
        assert_eq!(
            firm("R31", left(), held(11, 60)),
            [Phase::Firm],
            "it was open when the truck left"
        );
    }
}
