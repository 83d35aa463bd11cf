//! R31: a vehicle left that nobody had cleared, or goods whose entry nobody had released; a scanner
//! found something strange, and nobody looked into it before it left; or a check, or an anomaly, of
//! another record of the stay. Or one officer alone says that it was sent back, and let it out.

mod alone;
mod beside;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    held_spans::HeldSpan,
    numbers::{hours_ms, seconds_ms},
    sentence::reason_given,
    sentences,
};
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
    Beside = "R31-beside" { record: record, other: record, lack: code }
    Alone = "R31-let-out-alone" { officer: officer, record: record, lack: code }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let left = anchor
        .unfounded()
        .filter(|(act, _)| matches!(act.kind(), "gate.out" | "entry.exited"));

    left.filter_map(|(act, lacks)| found(dossier, act, &lacks))
        .chain(beside::left_beside(dossier))
        .chain(alone::let_out_alone(dossier))
        .collect()
}

fn found(dossier: &Dossier, act: Fact<'_>, lacks: &[&str]) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let is_lacking = |lack: Lack| lacks.contains(&lack.name());
    let what = if is_lacking(Lack::Clearance) {
        "clearance"
    } else if is_lacking(Lack::ClosedCheck) {
        "closed-check"
    } else if is_lacking(Lack::CheckOfAnomaly) && !hold_looked_into(dossier, anchor, act) {
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

    if is_lacking(Lack::CheckOfAnomaly) {
        // A hold that looked into it stands on another record, and may be on its way.
        return Some(found.until([anchor.crossing(), "HUB"], act.at_ms()));
    }

    // The forms of a day that was written on paper are typed in whatever order they lie in.
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let is_on_paper = act.entered_ms().saturating_sub(act.at_ms()) > doubt_ms;
    let due_ms = act
        .entered_ms()
        .saturating_add(hours_ms(dossier.policy.counterpart_h));
    Some(match is_on_paper && anchor.is_passage() {
        true => found.until([anchor.crossing()], due_ms),
        false => found,
    })
}

/// Whether a hold that was known to name a passage began with or after its latest anomaly, and
/// was let go before it left, by all that is said and by what was written then.
fn hold_looked_into(dossier: &Dossier, passage: &Facts, out: Fact<'_>) -> bool {
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

    let known_ms = out.known_from_ms();
    let is_known = |e: &Fact<'_>| e.at_ms() <= out.at_ms() && e.known_from_ms() <= known_ms;
    let is_answer = |hold: &Facts| {
        let spans = hold.spans();
        let is_held = |s: &HeldSpan<'_>| s.held_at(out.at_ms()) || s.ended_by_word(&out).is_some();

        hold.first_naming(passage)
            .is_some_and(|link| is_known(&link))
            && spans.first().is_some_and(|s| s.placed_ms >= latest_ms)
            && !spans.iter().any(is_held)
    };
    dossier.of("hold").any(is_answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};
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
    fn forms_of_an_outage_have_a_day_to_be_typed() {
        let left = out(&[Lack::Clearance.name()], &[]);
        let mut typed: Json = (*left.json).clone();
        typed["events"][0]["entered_ms"] = HOUR_MS.into();
        let typed = || left.clone().with("events", typed["events"].clone());

        let waits = dossier(typed(), vec![], 25 * HOUR_MS - 1);
        assert_eq!(phases("R31", &waits), [Phase::Pending]);
        assert_eq!(firm("R31", typed(), vec![]), [Phase::Firm]);
        let live = dossier(left.clone(), vec![], 50);
        assert_eq!(phases("R31", &live), [Phase::Firm]);
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

        // What somebody writes once the truck is gone shows no look at it before.
        let afterwards = |member: &str| {
            let mut events = [
                event("link", 11, json!({"record": "P1"})),
                event("hold.placed", 11, json!({})),
                event("released", 40, json!({"holds": ["hold.placed@11"]})),
            ];
            let said = events.iter_mut().find(|e| e["type"] == member);
            said.expect("one of them")["entered_ms"] = 70.into();
            firm("R31", left(), vec![hold("H1", json!({}), &events)])
        };
        assert_eq!(afterwards("link"), [Phase::Firm], "a stranger's hold");
        assert_eq!(afterwards("released"), [Phase::Firm]);
    }
}
