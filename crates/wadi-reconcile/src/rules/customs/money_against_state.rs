//! R14: paid and cancelled; released and unpaid; paid another sum than assessed; paid or released
//! without an assessment, over a contested field or an open question, or under an open hold.

use crate::{
    Contradiction, Dossier, Facts, Rule,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use wadi_record::Lack;
use wadi_words::Sentence;

pub(crate) const RULE: Rule = Rule {
    code: "R14",
    name: "money_against_state",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Cancelled = "R14-cancelled" { entry: record }
    CancelRequested = "R14-cancel-requested" { entry: record }
    Amount = "R14-amount" { entry: record, assessed: number, currency: name, paid: number }
    Unpaid = "R14-unpaid" { entry: record }
    Lowered = "R14-lowered" { entry: record, assessed: number, lowered: number, paid: number }
    Unduly = "R14-unduly" { officer: officer, act: code, entry: record, why: clauses }
    NotAssessed = "R14-not-assessed" {}
    Contested = "R14-contested" {}
    Question = "R14-question" {}
    UnderHold = "R14-under-hold" { entry: record, hold: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    if !entry.is_customs_entry() {
        return Vec::new();
    }

    let amounts = |kind, member: &str| {
        entry
            .events(kind)
            .filter_map(|e| e.int(member))
            .collect::<Vec<i64>>()
    };

    let (assessed, paid) = (
        amounts("assessed", "duty_minor"),
        amounts("paid", "amount_minor"),
    );
    let currency = |kind| entry.events(kind).filter_map(|e| e.text("currency")).last();
    let mut out = Vec::new();
    let mut found = |what: &str, at_ms: i64, says: Says<'_>| {
        let evidence =
            json!({"assessed_minor": assessed, "paid_minor": paid, "state": entry.state()});
        out.push(
            Contradiction::new(what, at_ms, says, evidence).until([entry.crossing(), "HUB"], at_ms),
        );
    };

    let printed = entry.printed();
    if let Some(at_ms) = entry.last_ms("paid") {
        if entry.has("cancelled") {
            found("cancelled", at_ms, Says::Cancelled { entry: printed });
        } else if entry.flag("CANCEL_REQUESTED") {
            found(
                "cancel requested",
                at_ms,
                Says::CancelRequested { entry: printed },
            );
        }

        let money = currency("assessed");
        let alike = entry.events("paid").filter(|e| e.text("currency") == money);
        let total = total(alike.filter_map(|e| e.int("amount_minor")));

        if let Some(due) = assessed.last()
            && *due != total
        {
            let says = Says::Amount {
                entry: printed,
                assessed: *due,
                currency: money.unwrap_or("?"),
                paid: total,
            };

            // The rest may be paid as long as nothing was released.
            let open = total < *due && !entry.has("entry.released");
            let more_ms = if open {
                hours_ms(dossier.policy.counterpart_h)
            } else {
                0
            };

            found("amount", at_ms.saturating_add(more_ms), says);
        }
    }

    if let Some(says) = lowered(entry, &assessed, &paid) {
        found("lowered", entry.last_ms("assessed").unwrap_or(0), says);
    }

    if let Some(at_ms) = entry.last_ms("entry.released")
        && paid.is_empty()
        && assessed.last().is_none_or(|due| *due > 0)
    {
        found("unpaid", at_ms, Says::Unpaid { entry: printed });
    }

    out.extend(unduly(entry));
    out.extend(under_hold(dossier));
    out
}

/// A duty that was lowered after the goods went, and was not paid as it was.
fn lowered<'a>(entry: &'a Facts, assessed: &[i64], paid: &[i64]) -> Option<Says<'a>> {
    let (then, now) = (due_at_release(entry)?, *assessed.last()?);
    let paid = total(paid.iter().copied());
    (now < then && paid < then).then(|| Says::Lowered {
        entry: entry.printed(),
        assessed: then,
        lowered: now,
        paid,
    })
}

/// What the duty was when the goods were first let go: by what had been written down by then.
fn due_at_release(entry: &Facts) -> Option<i64> {
    let released = entry.events("entry.released");
    let released_ms = released.map(|e| e.entered_ms()).min()?;
    let assessed = entry.events("assessed");
    let by_then = assessed.filter(|a| a.entered_ms() <= released_ms);
    by_then.filter_map(|a| a.int("duty_minor")).last()
}

/// Money taken, or goods let go, by somebody who had seen no assessment of them, or had seen what
/// speaks against it. Nothing on its way changes what was seen.
fn unduly(entry: &Facts) -> impl Iterator<Item = Contradiction> {
    let forms = entry
        .unfounded()
        .filter(|(act, _)| matches!(act.kind(), "paid" | "entry.released"));

    forms.map(|(act, lacks)| {
        let done = match act.kind() {
            "paid" => "paid",
            _ => "released",
        };
        let because = |(lack, why): (Lack, Says<'_>)| {
            let is_lacking = lacks.contains(&lack.name());
            is_lacking.then(|| Sentence::from(why))
        };
        let why: Vec<Sentence> = [
            (Lack::Assessment, Says::NotAssessed {}),
            (Lack::SettledFields, Says::Contested {}),
            (Lack::Answer, Says::Question {}),
        ]
        .into_iter()
        .filter_map(because)
        .collect();

        let says = Says::Unduly {
            officer: act.officer(),
            act: done,
            entry: entry.printed(),
            why,
        };
        let evidence = json!({"type": act.kind(), "officer": act.officer(), "lacks": lacks});
        Contradiction::new(
            format!("{} {} {}", act.kind(), lacks.join(" "), act.officer()),
            act.at_ms(),
            says,
            evidence.clone(),
        )
        .of_cause(evidence)
        .each(act.entry())
    })
}

/// Goods let go while a hold that names their entry was open.
fn under_hold<'a>(dossier: &'a Dossier) -> impl Iterator<Item = Contradiction> + 'a {
    let entry = &dossier.anchor;
    let holds = dossier
        .of("hold")
        .filter(|hold| hold.links().contains(&entry.id.as_str()));

    holds.filter_map(|hold| {
        let released = entry.events("entry.released");
        let at_ms = released
            .map(|e| e.at_ms())
            .filter(|t| hold.was_open_at(*t))
            .min()?;

        let says = Says::UnderHold {
            entry: entry.printed(),
            hold: hold.printed(),
        };
        let evidence = json!({"hold": hold.printed(), "released_ms": at_ms});
        let found = Contradiction::new(format!("hold {}", hold.id), at_ms, says, evidence);

        // The hold's own release may still be on its way.
        Some(found.until([hold.crossing(), entry.crossing(), "HUB"], at_ms))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    fn found(events: &[serde_json::Value]) -> Vec<Phase> {
        firm("R14", entry("E1", json!({}), events), vec![])
    }

    #[test]
    fn money_and_state_have_to_agree() {
        let assessed = |duty| {
            event(
                "assessed",
                1,
                json!({"duty_minor": duty, "currency": "IQD"}),
            )
        };

        let paid = |amount, at| {
            event(
                "paid",
                at,
                json!({"amount_minor": amount, "currency": "IQD", "receipt": "R"}),
            )
        };

        let released = event("entry.released", 9, json!({}));
        assert_eq!(found(&[assessed(500), paid(500, 2), released.clone()]), []);
        assert_eq!(
            found(&[assessed(500), paid(200, 2), paid(300, 3)]),
            [],
            "in two parts"
        );

        assert_eq!(found(&[assessed(500), paid(400, 2)]), [Phase::Firm]);

        let part = entry("E1", json!({}), &[assessed(500), paid(400, 2)]);
        assert_eq!(
            phases("R14", &dossier(part, vec![], 24 * HOUR_MS)),
            [Phase::Pending],
            "the rest has a day"
        );

        assert_eq!(
            found(&[
                assessed(500),
                paid(500, 2),
                event("cancelled", 3, json!({}))
            ]),
            [Phase::Firm]
        );

        assert_eq!(found(&[assessed(500), released.clone()]), [Phase::Firm]);
        assert_eq!(
            found(&[assessed(0), released.clone()]),
            [],
            "nothing was due"
        );

        let unpaid = entry("E1", json!({}), &[assessed(500), released]);
        assert_eq!(
            phases("R14", &dossier(unpaid, vec![], 8)),
            [Phase::Pending],
            "the receipt may be on its way"
        );
    }

    #[test]
    fn whoever_takes_money_or_lets_goods_go_has_seen_an_assessment() {
        let events = [
            event("assessed", 1, json!({"duty_minor": 5, "currency": "IQD"})),
            event(
                "paid",
                2,
                json!({"amount_minor": 5, "currency": "IQD", "receipt": "R"}),
            ),
            event("entry.released", 9, json!({})),
        ];
        let with = |unfounded: serde_json::Value| {
            firm(
                "R14",
                entry("E1", json!({}), &events).with("unfounded", unfounded),
                vec![],
            )
        };

        assert_eq!(with(json!([])), []);
        for (id, lack) in [
            ("paid@2", Lack::Assessment),
            ("entry.released@9", Lack::Assessment),
            ("entry.released@9", Lack::SettledFields),
            ("entry.released@9", Lack::Answer),
        ] {
            assert_eq!(
                with(json!([{"id": id, "lacks": [lack.name()]}])),
                [Phase::Firm],
                "{id} {lack:?}"
            );
        }
    }

    #[test]
    fn goods_under_a_hold_are_not_released() {
        let events = [
            event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
            event("entry.released", 9, json!({})),
        ];
        let with = |names: &str, released_ms: i64| {
            let held = [
                event("link", 2, json!({"record": names})),
                event("hold.placed", 2, json!({})),
                event("released", released_ms, json!({"holds": ["hold.placed@2"]})),
            ];
            let held = hold("H1", json!({}), &held).at("QAM");
            dossier(entry("E1", json!({}), &events), vec![held], 8)
        };

        assert_eq!(phases("R14", &with("E1", 20)), [Phase::Pending]);
        assert_eq!(phases("R14", &with("E1", 8)), [], "let go before");
        assert_eq!(phases("R14", &with("E2", 20)), [], "another entry's");
    }

    #[test]
    fn a_duty_that_is_lowered_after_the_goods_went_is_owed_all_the_same() {
        let assessed = |at_ms: i64, entered_ms: i64, duty: i64| {
            let data = json!({"duty_minor": duty, "currency": "IQD"});
            let mut said = event("assessed", at_ms, data);
            said["entered_ms"] = entered_ms.into();
            said
        };
        let paid = |amount: i64| {
            let data = json!({"amount_minor": amount, "currency": "IQD", "receipt": "R"});
            event("paid", 20, data)
        };
        let found = |lowered: &[serde_json::Value], amount: i64| {
            let mut events = vec![
                assessed(10, 10, 100),
                event("entry.released", 30, json!({})),
            ];
            if amount > 0 {
                events.push(paid(amount));
            }
            events.extend(lowered.iter().cloned());
            events.sort_by_key(|e| e["at_ms"].as_i64());
            firm("R14", entry("E1", json!({}), &events), vec![]).len()
        };

        assert_eq!(found(&[], 0), 1, "released unpaid");
        assert_eq!(found(&[assessed(40, 40, 0)], 0), 1);
        assert_eq!(found(&[assessed(15, 40, 0)], 0), 1, "said to lie before");
        assert_eq!(found(&[assessed(40, 40, 10)], 10), 1, "what was paid");
        assert_eq!(found(&[assessed(15, 15, 0)], 0), 0);
        assert_eq!(
            found(&[assessed(40, 40, 10)], 100),
            1,
            "too much, which is paid back"
        );
    }
}
