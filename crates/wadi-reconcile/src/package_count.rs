//! R16: declared, unloaded and stored counts differ.

use crate::{Contradiction, Dossier, Facts, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R16", name: "package_count", severity: 2, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    match anchor.kind() {
        "customs-entry" => declared(dossier),
        "passage" => reloaded(anchor).into_iter().collect(),
        "hold" => stored(anchor).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn total(record: &Facts, kind: &str) -> Option<i64> {
    let all: Vec<i64> = record.events(kind).filter_map(|e| e.int("packages")).collect();
    (!all.is_empty()).then(|| all.iter().sum())
}

fn declared(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let items = entry.sum("goods", "packages");
    let mut out = Vec::new();
    if let (Some(total), Some(items)) = (entry.int("total_packages"), items)
        && total != items
    {
        let text = format!("{}: {total} packages declared in all, {items} by its items", entry.printed());
        out.push(Contradiction::new("items", entry.began_ms(), text, json!({"total": total, "items": items})));
    }
    let Some(declared) = entry.int("total_packages").or(items) else { return out };
    // Only where one entry and one truck stand for each other can the counts be compared.
    let alone = dossier.journey("passage").count() == 1 && dossier.journey("customs-entry").next().is_none();
    for truck in dossier.journey("passage").filter(|_| alone) {
        // What is loaded again was taken off for an inspection.
        if let Some(unloaded) = total(truck, "unloaded")
            && !truck.has("reloaded")
            && unloaded != declared
        {
            let at_ms = truck.last_ms("unloaded").unwrap_or_default();
            out.push(
                Contradiction::new(
                    format!("unloaded {}", truck.id),
                    at_ms,
                    format!("{declared} packages declared, {unloaded} unloaded from {}", truck.printed()),
                    json!({"declared": declared, "unloaded": unloaded}),
                )
                // The rest may have been unloaded and not be heard of yet.
                .until([truck.crossing(), entry.crossing()], at_ms),
            );
        }
    }
    out
}

fn reloaded(truck: &Facts) -> Option<Contradiction> {
    let (unloaded, reloaded) = (total(truck, "unloaded")?, total(truck, "reloaded")?);
    let at_ms = truck.last_ms("reloaded").unwrap_or_default();
    (unloaded != reloaded).then(|| {
        let text = format!("{}: {unloaded} packages unloaded, {reloaded} reloaded", truck.printed());
        Contradiction::new("reloaded", at_ms, text, json!({"unloaded": unloaded, "reloaded": reloaded}))
            .until([truck.crossing()], at_ms)
    })
}

/// What was counted in a slot against what went in and out of it before.
fn stored(hold: &Facts) -> Option<Contradiction> {
    let counted = hold.events("store.counted").last()?;
    let moved = |kind: &'static str| -> i64 {
        let here = hold.events(kind).filter(|e| e.text("slot") == counted.text("slot") && e.at_ms() <= counted.at_ms());
        here.filter_map(|e| e.int("packages")).sum()
    };
    let (held, found) = (moved("store.in") - moved("store.out"), counted.int("packages")?);
    (held != found).then(|| {
        let slot = counted.text("slot").unwrap_or_default();
        let text = format!("{}: {held} packages should lie in {slot}, {found} were counted", hold.printed());
        Contradiction::new(format!("slot {slot}"), counted.at_ms(), text, json!({"held": held, "counted": found}))
            .until([hold.crossing()], counted.at_ms())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn packages_are_counted_three_times() {
        let declared = entry("E1", json!({"total_packages": 10}), &[]);
        let truck = |n| vec![passage("P1", json!({}), &[event("unloaded", 5, json!({"packages": n}))])];
        assert_eq!(phases("R16", &dossier(declared.clone(), truck(9), 4)), [Phase::Pending]);
        assert_eq!(firm("R16", declared.clone(), truck(9)), [Phase::Firm]);
        assert_eq!(firm("R16", declared, truck(10)), []);
        let items = entry("E1", json!({"total_packages": 10, "goods.1.packages": 4, "goods.2.packages": 5}), &[]);
        assert_eq!(firm("R16", items, vec![]), [Phase::Firm]);
        let slot = |n| {
            let events = [
                event("store.in", 1, json!({"slot": "A", "packages": 10})),
                event("store.counted", 2, json!({"slot": "A", "packages": n})),
            ];
            hold("H1", json!({}), &events)
        };
        assert_eq!(firm("R16", slot(8), vec![]), [Phase::Firm]);
        assert_eq!(firm("R16", slot(10), vec![]), []);
    }
}
