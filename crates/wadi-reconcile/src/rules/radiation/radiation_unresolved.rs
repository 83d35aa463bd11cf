//! R12: an alarm that nobody adjudicated; an innocent code for goods that are not naturally
//! radioactive; no secondary inspection.

use crate::{
    Contradiction, Dossier, Fact, Rule,
    numbers::{hours_ms, seconds_ms},
    sentences,
};
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::{lies_under, normalise_reference};

pub(crate) const RULE: Rule = Rule {
    code: "R12",
    name: "radiation_unresolved",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Alarm = "R12-alarm" { hold: record }
    Innocent = "R12-innocent" { hold: record, goods: names }
    Secondary = "R12-secondary" { hold: record }
}

/// Adjudicated as naturally occurring.
const NORM_CODE: i64 = 4;
/// Adjudications of which the later ones are looked through for each real alarm: no hold has more.
const LATER_MAX: usize = 256;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    let mut out: Vec<Contradiction> = not_adjudicated(dossier).into_iter().collect();
    let judged: Vec<Fact<'_>> = hold.events("rad.adjudicated").collect();
    for own in &judged {
        out.extend(innocent(dossier, own));
        out.extend(not_inspected(dossier, own, &judged));
    }

    out
}

/// The latest alarm, where nobody adjudicated it.
fn not_adjudicated(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let alarm_ms = hold.last_ms("rad.alarm")?;
    if hold
        .last_ms("rad.adjudicated")
        .is_some_and(|t| t >= alarm_ms)
    {
        return None;
    }

    let due_ms = alarm_ms.saturating_add(hours_ms(dossier.policy.hold_deadline_h));
    let says = Says::Alarm {
        hold: hold.printed(),
    };
    let evidence = json!({"alarm_ms": alarm_ms, "due_ms": due_ms});
    let found = Contradiction::new("alarm", alarm_ms, says, evidence);
    Some(found.until([hold.crossing()], due_ms))
}

/// What goods an adjudication was of: what the hold said of them by then; else what the passages
/// say that it names.
fn codes_of<'a>(dossier: &'a Dossier, judged: &Fact<'_>) -> Vec<&'a str> {
    let hold = &dossier.anchor;
    if let Some(own) = hold.field_by("hs_code", judged.known_from_ms()) {
        return vec![own];
    }

    let named = dossier.of("passage").filter(|p| p.is_linked_to(hold));
    let of_named: BTreeSet<&str> = named.filter_map(|p| p.field("goods.hs_code")).collect();
    of_named.into_iter().collect()
}

/// An adjudication as naturally occurring of goods of which none is.
fn innocent(dossier: &Dossier, judged: &Fact<'_>) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let code = judged.int("code").filter(|code| *code == NORM_CODE)?;
    let codes = codes_of(dossier, judged);
    let mut chapters = dossier.policy.norm_chapters.iter();
    let is_norm = chapters.any(|chapter| codes.iter().any(|hs| lies_under(hs, chapter)));
    if codes.is_empty() || is_norm {
        return None;
    }

    let found = Contradiction::new(
        format!("innocent {}", judged.officer()),
        judged.at_ms(),
        Says::Innocent {
            hold: hold.printed(),
            goods: &codes,
        },
        json!({"officer": judged.officer(), "code": code, "hs_codes": codes}),
    );
    Some(found.each(judged.entry()))
}

/// A real alarm without a completed secondary inspection.
fn not_inspected(dossier: &Dossier, judged: &Fact<'_>, all: &[Fact<'_>]) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let code = judged.int("code").filter(|code| (1..=2).contains(code))?;
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    let mut later = all.iter().rev().take(LATER_MAX);
    if is_complete(judged) || later.any(|other| answers(other, judged, doubt_ms)) {
        return None;
    }

    let due_ms = judged
        .at_ms()
        .saturating_add(hours_ms(dossier.policy.hold_deadline_h));
    let found = Contradiction::new(
        format!("secondary {}", judged.officer()),
        judged.at_ms(),
        Says::Secondary {
            hold: hold.printed(),
        },
        json!({"officer": judged.officer(), "code": code, "due_ms": due_ms}),
    );
    Some(found.each(judged.entry()).until([hold.crossing()], due_ms))
}

fn is_complete(judged: &Fact<'_>) -> bool {
    judged.text("secondary") == Some("COMPLETE")
}

/// Whether a later adjudication answers one of a real alarm: it tells of the inspection, or another
/// officer looked, or whoever said it put a slip right at once. Nobody talks his own alarm away
/// later.
fn answers(later: &Fact<'_>, real: &Fact<'_>, doubt_ms: i64) -> bool {
    if later.at_ms() <= real.at_ms() || later.known_from_ms() < real.known_from_ms() {
        return false;
    }

    let by = |e: &Fact<'_>| normalise_reference(e.officer());
    let slip_ms = real.known_from_ms().saturating_add(doubt_ms);
    is_complete(later) || by(later) != by(real) || later.known_from_ms() <= slip_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn an_alarm_waits_for_its_adjudication() {
        let alarm = event("rad.alarm", 100, json!({}));
        let dark = hold("H1", json!({}), std::slice::from_ref(&alarm));
        assert_eq!(
            phases("R12", &dossier(dark.clone(), vec![], 99 + 72 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(firm("R12", dark, vec![]), [Phase::Firm]);

        let judged = event("rad.adjudicated", 200, json!({"code": 6}));
        assert_eq!(
            firm("R12", hold("H1", json!({}), &[alarm, judged]), vec![]),
            []
        );
    }

    #[test]
    fn tiles_are_naturally_radioactive_and_telephones_are_not() {
        let judged = [event("rad.adjudicated", 200, json!({"code": 4}))];
        assert_eq!(
            firm(
                "R12",
                hold("H1", json!({"hs_code": "8517.13"}), &judged),
                vec![]
            ),
            [Phase::Firm]
        );

        assert_eq!(
            firm(
                "R12",
                hold("H1", json!({"hs_code": "6907.21"}), &judged),
                vec![]
            ),
            []
        );
    }

    #[test]
    fn a_real_alarm_needs_a_second_look() {
        let judged = |secondary: &str| {
            [event(
                "rad.adjudicated",
                200,
                json!({"code": 1, "secondary": secondary}),
            )]
        };

        assert_eq!(
            phases(
                "R12",
                &dossier(hold("H1", json!({}), &judged("REQUESTED")), vec![], 0)
            ),
            [Phase::Pending]
        );

        assert_eq!(
            firm("R12", hold("H1", json!({}), &judged("REQUESTED")), vec![]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R12", hold("H1", json!({}), &judged("COMPLETE")), vec![]),
            []
        );
    }

    #[test]
    fn nobody_talks_his_own_alarm_away_without_a_second_look() {
        let found = |at_ms: i64, by: &str, data: serde_json::Value| {
            let real = event("rad.adjudicated", 200, json!({"code": 1}));
            let mut later = event("rad.adjudicated", at_ms, data);
            later["officer"] = by.into();
            firm("R12", hold("H1", json!({}), &[real, later]), vec![])
        };
        let days_later = 8 * 24 * HOUR_MS;

        assert_eq!(found(days_later, "OF-1", json!({"code": 8})), [Phase::Firm]);
        let inspected = json!({"code": 8, "secondary": "COMPLETE"});
        assert_eq!(found(days_later, "OF-1", inspected), []);
        assert_eq!(found(days_later, "OF-2", json!({"code": 8})), []);
        assert_eq!(
            found(200 + 600_000, "OF-1", json!({"code": 8})),
            [],
            "a slip"
        );
        assert_eq!(
            found(100, "OF-2", json!({"code": 8})),
            [Phase::Firm],
            "it came before"
        );
    }

    #[test]
    fn goods_that_are_named_after_the_adjudication_explain_it_no_more() {
        let judged = [event("rad.adjudicated", 200, json!({"code": 4}))];
        let found = |captured_ms: i64| {
            let captured = json!([{"entered_ms": captured_ms, "fields": ["hs_code"]}]);
            let link = event("link", 1, json!({"record": "P1"}));
            let held = hold(
                "H1",
                json!({"hs_code": "6907.21"}),
                &[link, judged[0].clone()],
            );
            let truck = passage("P1", json!({"goods.hs_code": "8517.13"}), &[]);
            firm("R12", held.with("captured", captured), vec![truck])
        };

        assert_eq!(found(100), []);
        assert_eq!(found(24 * HOUR_MS), [Phase::Firm]);
    }
}
