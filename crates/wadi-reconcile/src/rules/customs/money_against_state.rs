//! R14: paid and cancelled; released and unpaid; paid another sum than assessed.

use crate::{
    Contradiction, Dossier, Rule,
    numbers::{hours_ms, total},
};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R14",
    name: "money_against_state",
    severity: 1,
    judge,
};

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
    let mut found = |what: &str, at_ms: i64, text: String| {
        let evidence =
            json!({"assessed_minor": assessed, "paid_minor": paid, "state": entry.state()});
        out.push(
            Contradiction::new(what, at_ms, text, evidence).until([entry.crossing(), "HUB"], at_ms),
        );
    };

    let printed = entry.printed();
    if let Some(at_ms) = entry.last_ms("paid") {
        if entry.has("cancelled") {
            found(
                "cancelled",
                at_ms,
                format!("{printed} was paid and cancelled"),
            );
        } else if entry.flag("CANCEL_REQUESTED") {
            found(
                "cancel requested",
                at_ms,
                format!("{printed} was paid while its cancellation was asked for"),
            );
        }

        let money = currency("assessed");
        let alike = entry.events("paid").filter(|e| e.text("currency") == money);
        let total = total(alike.filter_map(|e| e.int("amount_minor")));

        if let Some(due) = assessed.last()
            && *due != total
        {
            let text = format!(
                "{printed}: {due} {} assessed, {total} paid (minor units)",
                money.unwrap_or("?")
            );

            // The rest may be paid as long as nothing was released.
            let open = total < *due && !entry.has("entry.released");
            let more_ms = if open {
                hours_ms(dossier.policy.counterpart_h)
            } else {
                0
            };

            found("amount", at_ms.saturating_add(more_ms), text);
        }
    }

    if let Some(at_ms) = entry.last_ms("entry.released")
        && paid.is_empty()
        && assessed.last().is_none_or(|due| *due > 0)
    {
        found("unpaid", at_ms, format!("{printed} was released unpaid"));
    }

    out
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
}
