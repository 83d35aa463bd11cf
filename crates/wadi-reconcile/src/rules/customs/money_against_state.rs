//! R14: paid and cancelled; released and unpaid; paid another sum than assessed; paid or released
//! without an assessment, declared goods or a registration, over a contested field or an open
//! question, or under an open hold; assessed for less without a supervisor's reason.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    held_spans::HeldSpan,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use std::collections::BTreeSet;
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
    OtherCurrency = "R14-other-currency" {
        entry: record, assessed: number, currency: name, other: number, other_currency: name,
        paid: number,
    }
    Unduly = "R14-unduly" { officer: officer, act: code, entry: record, why: clauses }
    NotAssessed = "R14-not-assessed" {}
    NoGoods = "R14-no-goods" {}
    NotRegistered = "R14-not-registered" {}
    LessThanBefore = "R14-less-than-before" {}
    LessThanItems = "R14-less-than-items" {}
    Contested = "R14-contested" {}
    Question = "R14-question" {}
    UnderHold = "R14-under-hold" { entry: record, hold: record }
    UnderHoldByWord = "R14-under-hold-by-word" { entry: record, hold: record }
    UnderHoldSaidAfter = "R14-under-hold-said-after" { entry: record, hold: record }
}

/// An amount in a currency.
#[derive(Clone, Copy)]
struct Sum<'a> {
    minor: i64,
    currency: Option<&'a str>,
}

impl<'a> Sum<'a> {
    /// The duty that an assessment tells.
    fn assessed(event: Fact<'a>) -> Option<Self> {
        Some(Self {
            minor: event.int("duty_minor")?,
            currency: event.text("currency"),
        })
    }

    /// All that was paid in its currency: sums of several are not added.
    fn paid(&self, entry: &Facts) -> i64 {
        let alike = entry
            .events("paid")
            .filter(|e| e.text("currency") == self.currency);
        total(alike.filter_map(|e| e.int("amount_minor")))
    }

    fn currency(&self) -> &'a str {
        self.currency.unwrap_or("?")
    }
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
    let now = entry.events("assessed").filter_map(Sum::assessed).last();
    let currencies: BTreeSet<&str> = entry
        .any(&["assessed", "paid"])
        .filter_map(|e| e.text("currency"))
        .collect();
    let mut out = Vec::new();
    let mut found = |what: &str, at_ms: i64, says: Says<'_>| {
        let mut evidence =
            json!({"assessed_minor": assessed, "paid_minor": paid, "state": entry.state()});
        // Of one currency the amounts tell all.
        if currencies.len() > 1 {
            evidence["assessed_currency"] = now.map(|sum| sum.currency()).into();
            evidence["currencies"] = json!(currencies);
        }
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

        if let Some(due) = now
            && due.minor != due.paid(entry)
        {
            let paid = due.paid(entry);
            let says = Says::Amount {
                entry: printed,
                assessed: due.minor,
                currency: due.currency(),
                paid,
            };

            // The rest may be paid as long as nothing was released.
            let open = paid < due.minor && !entry.has("entry.released");
            let more_ms = if open {
                hours_ms(dossier.policy.counterpart_h)
            } else {
                0
            };

            found("amount", at_ms.saturating_add(more_ms), says);
        }
    }

    if let Some(says) = lowered(entry, now) {
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

/// A duty that was lowered after the goods went, or told in another currency, and was not paid as
/// it was.
fn lowered<'a>(entry: &'a Facts, now: Option<Sum<'a>>) -> Option<Says<'a>> {
    let (then, now) = (due_at_release(entry)?, now?);
    let paid = then.paid(entry);
    if paid >= then.minor {
        return None;
    }

    let printed = entry.printed();
    if now.currency != then.currency {
        return Some(Says::OtherCurrency {
            entry: printed,
            assessed: then.minor,
            currency: then.currency(),
            other: now.minor,
            other_currency: now.currency(),
            paid,
        });
    }

    (now.minor < then.minor).then_some(Says::Lowered {
        entry: printed,
        assessed: then.minor,
        lowered: now.minor,
        paid,
    })
}

/// What the duty was when the goods were first let go: by what had been written down by then.
fn due_at_release(entry: &Facts) -> Option<Sum<'_>> {
    let released = entry.events("entry.released");
    let released_ms = released.map(|e| e.entered_ms()).min()?;
    let assessed = entry.events("assessed");
    let by_then = assessed.filter(|a| a.entered_ms() <= released_ms);
    by_then.filter_map(Sum::assessed).last()
}

/// Money taken, or goods let go, by somebody who had seen no assessment of them, or had seen what
/// speaks against it; or less assessed than before, or than the items say, without a supervisor's
/// reason. Nothing on its way changes what was seen.
fn unduly(entry: &Facts) -> impl Iterator<Item = Contradiction> {
    let released = entry.events("entry.released").map(|e| e.entered_ms());
    let released_ms = released.min().unwrap_or(i64::MAX);

    // What is assessed after the goods went is told beside what was due then.
    let forms = entry.unfounded().filter(move |(act, _)| match act.kind() {
        "paid" | "entry.released" => true,
        "assessed" => act.entered_ms() <= released_ms,
        _ => false,
    });

    forms.map(|(act, lacks)| {
        let done = match act.kind() {
            "paid" => "paid",
            "assessed" => "assessed",
            _ => "released",
        };
        let because = |(lack, why): (Lack, Says<'_>)| {
            let is_lacking = lacks.contains(&lack.name());
            is_lacking.then(|| Sentence::from(why))
        };
        let why: Vec<Sentence> = [
            (Lack::Assessment, Says::NotAssessed {}),
            (Lack::Goods, Says::NoGoods {}),
            (Lack::Registration, Says::NotRegistered {}),
            (Lack::ReasonToLower, Says::LessThanBefore {}),
            (Lack::ReasonBelowItems, Says::LessThanItems {}),
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

/// How goods were let go under a hold, the surest way first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// It was open.
    Open,
    /// It is said to have been placed before, and was written down after it.
    PlacedByWord,
    /// What ended it is said to lie before, and was written down after it.
    EndedByWord,
}

/// Goods let go while a hold that names their entry was open, by all that is said, or by all that
/// was written down then.
fn under_hold<'a>(dossier: &'a Dossier) -> impl Iterator<Item = Contradiction> + 'a {
    let entry = &dossier.anchor;
    let holds = dossier
        .of("hold")
        .filter(|hold| hold.links().contains(&entry.id.as_str()));

    holds.filter_map(|hold| {
        let spans = hold.spans();
        let (how, at_ms, entered_ms) = entry
            .events("entry.released")
            .filter_map(|released| under_spans(&spans, &released))
            .min()?;

        let (entry_id, hold_id) = (entry.printed(), hold.printed());
        let mut evidence = json!({"hold": hold_id, "released_ms": at_ms});
        if how != How::Open {
            evidence["entered_ms"] = entered_ms.into();
        }

        let says = match how {
            How::Open => Says::UnderHold {
                entry: entry_id,
                hold: hold_id,
            },
            How::PlacedByWord => Says::UnderHoldSaidAfter {
                entry: entry_id,
                hold: hold_id,
            },
            How::EndedByWord => Says::UnderHoldByWord {
                entry: entry_id,
                hold: hold_id,
            },
        };
        let found = Contradiction::new(format!("hold {}", hold.id), entered_ms, says, evidence);

        // The hold's own release may still be on its way.
        Some(found.until([hold.crossing(), entry.crossing(), "HUB"], entered_ms))
    })
}

/// Whether one of a hold's placements held at a release of goods: how, when that was, and when what
/// is said to lie before it was written.
fn under_spans(spans: &[HeldSpan<'_>], released: &Fact<'_>) -> Option<(How, i64, i64)> {
    let at_ms = released.at_ms();
    let passed = spans.iter().filter_map(|span| {
        if !span.held_at(at_ms) {
            let entered_ms = span.ended_by_word(released)?;
            return Some((How::EndedByWord, at_ms, entered_ms));
        }

        Some(match span.placed_by_word(released) {
            Some(entered_ms) => (How::PlacedByWord, at_ms, entered_ms),
            None => (How::Open, at_ms, at_ms),
        })
    });
    passed.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, reconcile, tests::*};

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
            ("assessed@1", Lack::ReasonToLower),
            ("assessed@1", Lack::ReasonBelowItems),
            ("paid@2", Lack::Assessment),
            ("paid@2", Lack::Goods),
            ("entry.released@9", Lack::Goods),
            ("entry.released@9", Lack::Registration),
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
    fn what_is_assessed_less_after_the_goods_went_is_told_once() {
        let assessed = |at_ms: i64, duty: i64| {
            let data = json!({"duty_minor": duty, "currency": "IQD"});
            event("assessed", at_ms, data)
        };
        let data = json!({"amount_minor": 5, "currency": "IQD", "receipt": "R"});
        let found = |lowered_ms: i64| {
            let events = [
                assessed(1, 50),
                event("paid", 2, data.clone()),
                event("entry.released", 9, json!({})),
                assessed(lowered_ms, 5),
            ];
            let id = format!("assessed@{lowered_ms}");
            let lacks = json!([{"id": id, "lacks": [Lack::ReasonToLower.name()]}]);
            firm(
                "R14",
                entry("E1", json!({}), &events).with("unfounded", lacks),
                vec![],
            )
        };
        assert_eq!(found(8), [Phase::Firm], "before they went");
        assert_eq!(found(20), [Phase::Firm], "beside what was due then");
    }

    #[test]
    fn a_hold_that_is_written_after_the_goods_went_is_told_as_such() {
        let found = |entered_ms: i64| {
            let events = [
                event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
                event("entry.released", 9, json!({})),
            ];
            let mut placed = event("hold.placed", 2, json!({}));
            placed["entered_ms"] = entered_ms.into();
            let link = event("link", 2, json!({"record": "E1"}));
            let held = hold("H1", json!({}), &[link, placed]);
            let all = reconcile(&dossier(
                entry("E1", json!({}), &events),
                vec![held],
                i64::MAX,
            ));
            let told = all.iter().filter(|f| f.rule.code == "R14");
            let ids = told.map(|f| f.contradiction.sentence.id.to_string());
            ids.collect::<Vec<String>>()
        };
        assert_eq!(found(2), ["R14-under-hold"]);
        assert_eq!(found(9), ["R14-under-hold"]);
        assert_eq!(found(10), ["R14-under-hold-said-after"]);
    }

    #[test]
    fn an_end_of_a_hold_that_is_written_after_the_goods_went_excuses_nothing() {
        let events = [
            event("assessed", 1, json!({"duty_minor": 0, "currency": "IQD"})),
            event("entry.released", 9, json!({})),
        ];
        let with = |kind: &str, entered_ms: i64| {
            let names = json!({"holds": ["hold.placed@2"], "seizure_no": "1"});
            let mut ended = event(kind, 8, names);
            ended["entered_ms"] = entered_ms.into();
            let link = event("link", 2, json!({"record": "E1"}));
            let placed = event("hold.placed", 2, json!({}));
            let held = hold("H1", json!({}), &[link, placed, ended]);
            firm("R14", entry("E1", json!({}), &events), vec![held])
        };

        for kind in ["released", "conditional", "seized"] {
            assert_eq!(with(kind, 20), [Phase::Firm], "{kind}");
            assert_eq!(with(kind, 8), [], "{kind}");
        }
    }

    #[test]
    fn sums_of_two_currencies_are_two_sums() {
        let assessed = |at_ms: i64, duty: i64, currency: &str| {
            event(
                "assessed",
                at_ms,
                json!({"duty_minor": duty, "currency": currency}),
            )
        };
        let paid = |at_ms: i64, amount: i64, currency: &str| {
            let data = json!({"amount_minor": amount, "currency": currency, "receipt": "R"});
            event("paid", at_ms, data)
        };
        let released = || event("entry.released", 30, json!({}));

        let usd = assessed(10, 100, "USD");
        let in_dinars = paid(20, 100, "IQD");
        assert_eq!(
            found(&[usd.clone(), in_dinars.clone(), released()]).len(),
            1,
            "another currency than was assessed"
        );
        let again = assessed(40, 100, "IQD");
        assert_eq!(
            found(&[usd.clone(), in_dinars, released(), again.clone()]).len(),
            1,
            "what was paid is not what was due when the goods went"
        );
        let later = paid(50, 100, "IQD");
        assert_eq!(
            found(&[usd.clone(), released(), again.clone(), later.clone()]).len(),
            1,
            "nothing was paid of it"
        );

        let right = paid(20, 100, "USD");
        assert_eq!(found(&[usd.clone(), right.clone(), released()]), []);
        let before = assessed(15, 100, "IQD");
        assert_eq!(
            found(&[usd.clone(), before, paid(20, 100, "IQD"), released()]),
            [],
            "told in another currency before the goods went"
        );
        let more = found(&[usd, right, released(), again, later]);
        assert_eq!(more, [], "paid as it was, and once more");
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
