//! R14: paid and cancelled; cancelled when the goods were gone; released and unpaid; paid another
//! sum than assessed; paid or released without an assessment, declared goods or a registration,
//! over a contested field or an open question, or under an open hold; assessed for less without a
//! supervisor's reason.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    consignment::Consignment,
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
    CancelledWhenGone = "R14-cancelled-when-gone" {
        officer: officer, entry: record, passage: record,
    }
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

        if let Some((more_ms, says)) = other_amount(dossier, now) {
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

    out.extend(cancelled_when_gone(dossier));
    out.extend(unduly(entry));
    out.extend(under_hold(dossier));
    out
}

/// Goods that left under an entry that was let go with their truck, and was cancelled once that was
/// gone: what it declared stands under no entry since. Where something was paid, the money tells.
fn cancelled_when_gone(dossier: &Dossier) -> Option<Contradiction> {
    let entry = &dossier.anchor;
    if entry.has("paid") || !entry.has("entry.released") {
        return None;
    }

    let cancelled = entry.events("cancelled");
    let cancelled = cancelled.min_by_key(|e| e.known_from_ms())?;
    let known_ms = cancelled.known_from_ms();
    let was_released = |by_ms: i64| {
        let mut released = entry.events("entry.released");
        released.any(|e| e.known_from_ms() <= by_ms)
    };

    let all = Consignment::of(dossier, |_| true)?;
    let stations = all.loads.iter().flat_map(|load| &load.stations);
    let gone = stations.filter_map(|station| {
        let truck = station.passage;
        let left = truck.left().filter(|_| truck.state() != "TURNED_BACK")?;
        let by_ms = dossier.left_by_ms(truck);
        (by_ms < known_ms && was_released(by_ms)).then_some((truck, left))
    });
    let first =
        gone.min_by(|(a, own), (b, other)| (own.known_ms, &a.id).cmp(&(other.known_ms, &b.id)));
    let (truck, left) = first?;
    if is_declared_otherwise(dossier, truck) {
        return None;
    }

    let says = Says::CancelledWhenGone {
        officer: cancelled.officer(),
        entry: entry.printed(),
        passage: truck.printed(),
    };
    let evidence = json!({
        "officer": cancelled.officer(),
        "passage": truck.printed(),
        "left_ms": left.at_ms,
    });
    let found = Contradiction::new("cancelled when gone", known_ms, says, evidence);
    let found = found.until([entry.crossing(), truck.crossing(), "HUB"], known_ms);
    let exits: Vec<&str> = truck.said_by(&["gate.out"]).collect();
    Some(
        found
            .citing(entry, [cancelled.entry()])
            .citing(truck, exits),
    )
}

/// Whether another entry of the same truck stands that was let go and declares as much: what was
/// cancelled was replaced by it, or was made twice.
fn is_declared_otherwise(dossier: &Dossier, truck: &Facts) -> bool {
    let entry = &dossier.anchor;
    let declared = |e: &Facts| {
        let grams = e.sum("goods", "gross_g").unwrap_or(0);
        (grams, e.int("total_packages").unwrap_or(0))
    };
    let (grams, packages) = declared(entry);

    dossier.of("customs-entry").any(|other| {
        let (other_grams, other_packages) = declared(other);
        let is_as_much = other_grams >= grams && other_packages >= packages;
        let is_of_truck = other.shares_vehicle(truck) || other.shares_any(truck, "container");
        let stands = other.has("entry.released") && !other.has("cancelled");
        other.id != entry.id && grams > 0 && is_as_much && is_of_truck && stands
    })
}

/// Another amount paid than what is assessed now, and how much longer the rest may be paid,
/// milliseconds: as long as nothing was released.
fn other_amount<'a>(dossier: &'a Dossier, now: Option<Sum<'a>>) -> Option<(i64, Says<'a>)> {
    let entry = &dossier.anchor;
    let due = now?;
    let paid = due.paid(entry);
    if due.minor == paid {
        return None;
    }

    let is_open = paid < due.minor && !entry.has("entry.released");
    let more_ms = match is_open {
        true => hours_ms(dossier.policy.counterpart_h),
        false => 0,
    };
    let says = Says::Amount {
        entry: entry.printed(),
        assessed: due.minor,
        currency: due.currency(),
        paid,
    };
    Some((more_ms, says))
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
enum HowLetGo {
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
    let known = entry.known_by();
    let named = dossier
        .of("hold")
        .filter_map(|hold| Some((hold, hold.first_naming(entry)?)));

    named.filter_map(move |(hold, link)| {
        let spans = hold.spans_on(entry, known.is_sought_by(&hold.known_by()));
        let (how, at_ms, entered_ms) = entry
            .events("entry.released")
            .filter_map(|released| under_spans(&spans, &released))
            .min()?;

        let (entry_id, hold_id) = (entry.printed(), hold.printed());
        let mut evidence = json!({"hold": hold_id, "released_ms": at_ms});
        if how != HowLetGo::Open {
            evidence["entered_ms"] = entered_ms.into();
        }

        let says = match how {
            HowLetGo::Open => Says::UnderHold {
                entry: entry_id,
                hold: hold_id,
            },
            HowLetGo::PlacedByWord => Says::UnderHoldSaidAfter {
                entry: entry_id,
                hold: hold_id,
            },
            HowLetGo::EndedByWord => Says::UnderHoldByWord {
                entry: entry_id,
                hold: hold_id,
            },
        };
        let found = Contradiction::new(format!("hold {}", hold.id), entered_ms, says, evidence);

        // The hold's own release may still be on its way.
        let found = found.until([hold.crossing(), entry.crossing(), "HUB"], entered_ms);
        Some(found.citing(hold, hold.placements().chain([link.entry()])))
    })
}

/// Whether one of a hold's placements held at a release of goods: how, when that was, and when what
/// is said to lie before it was written.
fn under_spans(spans: &[HeldSpan<'_>], released: &Fact<'_>) -> Option<(HowLetGo, i64, i64)> {
    let at_ms = released.at_ms();
    let passed = spans.iter().filter_map(|span| {
        if !span.held_at(at_ms) {
            let entered_ms = span.ended_by_word(released)?;
            return Some((HowLetGo::EndedByWord, at_ms, entered_ms));
        }

        Some(match span.placed_by_word(released) {
            Some(entered_ms) => (HowLetGo::PlacedByWord, at_ms, entered_ms),
            None => (HowLetGo::Open, at_ms, at_ms),
        })
    });
    passed.min()
}

#[cfg(test)]
mod tests;
