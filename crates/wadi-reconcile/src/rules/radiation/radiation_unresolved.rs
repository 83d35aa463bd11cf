//! R12: an alarm that nobody adjudicated; an innocent code for goods that are not naturally
//! radioactive; no secondary inspection.

use crate::{Contradiction, Dossier, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::lies_under;

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

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    let mut out = Vec::new();
    let limit_ms = hours_ms(dossier.policy.hold_deadline_h);
    if let Some(alarm_ms) = hold.last_ms("rad.alarm")
        && hold.last_ms("rad.adjudicated").is_none_or(|t| t < alarm_ms)
    {
        let due_ms = alarm_ms.saturating_add(limit_ms);
        out.push(
            Contradiction::new(
                "alarm",
                alarm_ms,
                Says::Alarm {
                    hold: hold.printed(),
                },
                json!({"alarm_ms": alarm_ms, "due_ms": due_ms}),
            )
            .until([hold.crossing()], due_ms),
        );
    }

    // What the hold says of its goods; else what the passages say that it names.
    let named = dossier.of("passage").filter(|p| p.is_linked_to(hold));
    let of_named: BTreeSet<&str> = named.filter_map(|p| p.field("goods.hs_code")).collect();
    let codes: Vec<&str> = match hold.field("hs_code") {
        Some(own) => vec![own],
        None => of_named.into_iter().collect(),
    };
    let last_judged_ms = hold.last_ms("rad.adjudicated");

    for judged in hold.events("rad.adjudicated") {
        let code = judged.int("code").unwrap_or(0);
        let is_norm = |hs: &&str| {
            dossier
                .policy
                .norm_chapters
                .iter()
                .any(|c| lies_under(hs, c))
        };

        if code == NORM_CODE && !codes.is_empty() && !codes.iter().any(is_norm) {
            let found = Contradiction::new(
                format!("innocent {}", judged.officer()),
                judged.at_ms(),
                Says::Innocent {
                    hold: hold.printed(),
                    goods: &codes,
                },
                json!({"officer": judged.officer(), "code": code, "hs_codes": codes}),
            );

            out.push(found.each(judged.entry()));
        }

        if (1..=2).contains(&code) && judged.text("secondary") != Some("COMPLETE") {
            let due_ms = judged.at_ms().saturating_add(limit_ms);
            if last_judged_ms == Some(judged.at_ms()) {
                out.push(
                    Contradiction::new(
                        format!("secondary {}", judged.officer()),
                        judged.at_ms(),
                        Says::Secondary {
                            hold: hold.printed(),
                        },
                        json!({"officer": judged.officer(), "code": code, "due_ms": due_ms}),
                    )
                    .each(judged.entry())
                    .until([hold.crossing()], due_ms),
                );
            }
        }
    }

    out
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
}
