//! R02: a truck left while a hold on it was open.

use crate::{Contradiction, Dossier, Facts, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R02", name: "passed_while_held", severity: 1, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if passage.kind() != "passage" {
        return Vec::new();
    }
    let Some(left_ms) = passage.events("gate.out").filter_map(|e| e["at_ms"].as_i64()).min() else {
        return Vec::new();
    };
    dossier
        .linked
        .iter()
        .filter(|r| r.kind() == "hold" && holds(r, passage))
        .filter_map(|h| check(dossier, h, left_ms))
        .collect()
}

/// Whether a hold names the passage, by its id or by a lookout's term that is its own plate.
fn holds(hold: &Facts, passage: &Facts) -> bool {
    let names = |e: &serde_json::Value| e["data"]["record"] == passage.id.as_str();
    let looked_for = hold.field("target.term").is_some_and(|t| passage.field("vehicle.plate") == Some(t));
    hold.events("link").any(names) || looked_for
}

fn check(dossier: &Dossier, hold: &Facts, left_ms: i64) -> Option<Contradiction> {
    let placed_ms = hold.events("hold.placed").filter_map(|e| e["at_ms"].as_i64()).min()?;
    let still_open = hold.json["open_holds"].as_array().is_some_and(|o| !o.is_empty());
    let ended_ms = ["released", "destroyed", "re_exported", "seized"]
        .iter()
        .flat_map(|k| hold.events(k))
        .filter_map(|e| e["at_ms"].as_i64())
        .max();
    let was_open = placed_ms <= left_ms && (still_open || ended_ms.is_none_or(|t| t > left_ms));
    was_open.then(|| Contradiction {
        discriminator: hold.id.clone(),
        text: format!("{} left while hold {} was open ({})", dossier.anchor.printed(), hold.printed(), hold.state()),
        evidence: json!({"hold": hold.printed(), "placed_ms": placed_ms, "left_ms": left_ms, "ended_ms": ended_ms}),
        // A release made before the truck left may still be on its way, from the hold's crossing or from the hub.
        phase: dossier.phase([hold.crossing(), dossier.anchor.crossing()], left_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, reconcile, tests::*};

    fn found(released_ms: Option<i64>, received_ms: i64) -> Vec<Phase> {
        let out = event("gate.out", 500, json!({}));
        let passage = facts("P1", "passage", "TRB", json!({"events": [out]}));
        let mut events = vec![event("hold.placed", 100, json!({})), event("link", 100, json!({"record": "P1"}))];
        let mut open = vec!["h"];
        if let Some(at) = released_ms {
            events.push(event("released", at, json!({})));
            open.clear();
        }
        let hold = facts("H1", "hold", "TRB", json!({"events": events, "open_holds": open}));
        let all = reconcile(&dossier(passage, vec![hold], received_ms));
        all.iter().filter(|f| f.rule.code == "R02").map(|f| f.contradiction.phase).collect()
    }

    #[test]
    fn it_fires_when_the_hold_was_open_and_waits_for_what_is_on_its_way() {
        assert_eq!(found(None, 499), [Phase::Pending]);
        assert_eq!(found(None, 500), [Phase::Firm]);
        assert_eq!(found(Some(501), 900), [Phase::Firm], "released only after it left");
    }

    #[test]
    fn a_release_before_the_gate_clears_it() {
        assert_eq!(found(Some(499), 900), []);
    }
}
