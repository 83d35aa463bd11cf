//! R18: stored and never taken out after the release; more taken out than came in; a cold chain
//! broken.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{hours_ms, total},
    sentences,
};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) const RULE: Rule = Rule {
    code: "R18",
    name: "custody_broken",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Left = "R18-left" { hold: record }
    Surplus = "R18-surplus" { hold: record, unit: code, came: number, went: number }
    Warm = "R18-warm" { hold: record, temp: decimal, slot: name, limit: decimal }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    let mut out = Vec::new();
    out.extend(left_in_store(dossier));
    out.extend(surplus(hold));
    out.extend(warmed(dossier));
    out
}

/// Released, and never taken out of the store.
fn left_in_store(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let released_ms = hold.last_ms("released")?;
    if !hold.has("store.in") || hold.has("store.out") || hold.is_open_hold() {
        return None;
    }

    let due_ms = released_ms.saturating_add(hours_ms(dossier.policy.store_out_h));
    let says = Says::Left {
        hold: hold.printed(),
    };
    let evidence = json!({"released_ms": released_ms, "due_ms": due_ms});

    Some(Contradiction::new("left", released_ms, says, evidence).until([hold.crossing()], due_ms))
}

/// More went out of the store than came in.
fn surplus(hold: &Facts) -> Vec<Contradiction> {
    let mut out = Vec::new();
    for unit in ["quantity", "packages"] {
        let sum = |kind| {
            let all: Vec<Option<i64>> = hold.events(kind).map(|e| e.int(unit)).collect();
            // A movement that was not counted in this unit leaves its sum unknown.
            all.iter()
                .all(Option::is_some)
                .then(|| total(all.into_iter().flatten()))
        };

        let (Some(came), Some(went)) = (sum("store.in"), sum("store.out")) else {
            continue;
        };
        if went <= came {
            continue;
        }

        let at_ms = hold.last_ms("store.out").unwrap_or_default();
        let says = Says::Surplus {
            hold: hold.printed(),
            unit,
            came,
            went,
        };
        let found = Contradiction::new(
            format!("surplus {unit}"),
            at_ms,
            says,
            json!({"in": came, "out": went}),
        );

        out.push(found.until([hold.crossing()], at_ms));
    }

    out
}

/// Goods that came in cold and were warm later.
fn warmed(dossier: &Dossier) -> Option<Contradiction> {
    let hold = &dossier.anchor;
    let limit = f64::from(dossier.policy.cold_max_c);

    // A slot whose goods came in cold is a cooled one.
    let cold = |e: &Fact<'_>| e.number("temp_c").is_some_and(|t| t <= limit);
    let cooled: BTreeSet<&str> = hold
        .events("store.in")
        .filter(cold)
        .filter_map(|e| e.text("slot"))
        .collect();

    let warm = |e: &Fact<'_>| {
        e.number("temp_c").is_some_and(|t| t > limit)
            && e.text("slot").is_some_and(|s| cooled.contains(s))
    };
    let first = hold
        .any(&["store.in", "store.temperature", "store.out"])
        .find(warm)?;

    let slot = first.text("slot").unwrap_or_default();
    let temp = first.number("temp_c").unwrap_or_default();
    let says = Says::Warm {
        hold: hold.printed(),
        temp,
        slot,
        limit,
    };
    let evidence = json!({"event": first.entry(), "temp_c": temp, "limit_c": limit});

    Some(Contradiction::new(
        format!("warm {slot}"),
        first.at_ms(),
        says,
        evidence,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn released_goods_have_two_days_to_leave_the_store() {
        let store_in = event("store.in", 1, json!({"slot": "A", "quantity": 5}));
        let released = event("released", 100, json!({}));
        let kept = hold("H1", json!({}), &[store_in.clone(), released.clone()]);
        assert_eq!(
            phases("R18", &dossier(kept.clone(), vec![], 99 + 48 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(firm("R18", kept, vec![]), [Phase::Firm]);

        let out = |n| event("store.out", 200, json!({"slot": "A", "quantity": n}));
        assert_eq!(
            firm(
                "R18",
                hold(
                    "H1",
                    json!({}),
                    &[store_in.clone(), released.clone(), out(5)]
                ),
                vec![]
            ),
            []
        );

        assert_eq!(
            firm(
                "R18",
                hold("H1", json!({}), &[store_in, released, out(6)]),
                vec![]
            ),
            [Phase::Firm]
        );
    }

    #[test]
    fn a_cooled_slot_stays_cold() {
        let chain = |temp: f64| {
            let events = [
                event("store.in", 1, json!({"slot": "A", "temp_c": 4.0})),
                event("store.temperature", 2, json!({"slot": "A", "temp_c": temp})),
            ];
            hold("H1", json!({}), &events)
        };

        assert_eq!(firm("R18", chain(8.5), vec![]), [Phase::Firm]);
        assert_eq!(firm("R18", chain(8.0), vec![]), []);
    }
}
