//! R09: a missing, changed or reused seal.

use crate::{Contradiction, Dossier, Facts, Rule};
use serde_json::json;
use std::collections::BTreeSet;

pub(crate) const RULE: Rule = Rule {
    code: "R09",
    name: "seal_broken",
    severity: 1,
    judge,
};

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if !passage.is_passage() {
        return Vec::new();
    }

    let seals: BTreeSet<&str> = passage.texts("seal", "").into_iter().collect();
    let mut out = Vec::new();
    let laden =
        passage.field("purpose") == Some("goods") && !passage.texts("container", "").is_empty();
    let resealed = passage
        .events("reloaded")
        .any(|e| !e.texts("seals").is_empty());
    let contested = passage.json["contested"]
        .as_object()
        .is_some_and(|c| c.keys().any(|k| k.starts_with("seal.")));

    if laden && passage.state() == "EXITED" && seals.is_empty() && !resealed && !contested {
        out.push(
            Contradiction::new(
                "missing",
                passage.ended_ms(),
                format!(
                    "{} left laden, and no seal of its container was recorded",
                    passage.printed()
                ),
                json!({"containers": passage.texts("container", "")}),
            )
            .until([passage.crossing()], passage.ended_ms()),
        );
    }

    let broken = passage.events("unloaded").map(|e| (e, e.texts("seals")));
    let searched = dossier
        .linked
        .iter()
        .filter(|r| r.is_hold() || r.is_customs_entry());
    let searched = searched.flat_map(|r| r.any(&["search.opened", "search.found"]));
    let found = broken.chain(searched.map(|e| (e, e.text("seal_before").into_iter().collect())));

    for (event, on_it) in found {
        let strange: Vec<&str> = on_it
            .into_iter()
            .filter(|s| !passage.has_among("seal", s))
            .collect();
        if !strange.is_empty() && !seals.is_empty() && !resealed {
            out.push(
                Contradiction::new(
                    format!("found {}", strange.join(" ")),
                    event.at_ms(),
                    format!(
                        "seal {} was found on {}, which came with other seals",
                        strange.join(", "),
                        passage.printed()
                    ),
                    json!({"found": strange, "recorded": seals}),
                )
                .each(event.entry())
                .until([passage.crossing()], event.at_ms()),
            );
        }
    }

    // Of all that had the seal before the last one is named: one line, however often it went round.
    let elsewhere = dossier
        .of("passage")
        .filter(|p| (p.began_ms(), &p.id) < (passage.began_ms(), &passage.id));
    let others =
        elsewhere.filter_map(|p| Some(((p.began_ms(), &p.id), reused(passage, &seals, p)?)));

    out.extend(
        others
            .max_by_key(|(place, _)| *place)
            .map(|(_, found)| found),
    );

    out
}

/// A seal closes one door once.
fn reused(passage: &Facts, seals: &BTreeSet<&str>, other: &Facts) -> Option<Contradiction> {
    let mut same = seals.iter().filter(|s| other.has_among("seal", s));
    let seal = same.next().filter(|_| !passage.shares_container(other))?;

    Some(Contradiction::new(
        format!("reused {seal}"),
        passage.began_ms(),
        format!(
            "seal {seal} closed another container on {}",
            other.printed()
        ),
        json!({"seal": seal, "other": other.printed()}),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn laden(id: &str, container: &str, seal: Option<&str>, events: &[serde_json::Value]) -> Facts {
        let mut fields = json!({"purpose": "goods", "container.1": container});
        if let Some(seal) = seal {
            fields["seal.1"] = seal.into();
        }
        passage(id, fields, events)
    }

    #[test]
    fn it_fires_on_a_laden_container_that_left_unsealed_once_the_crossing_is_heard() {
        let left =
            |seal| laden("P1", "C1", seal, &[event("gate.out", 5, json!({}))]).state_is("EXITED");
        assert_eq!(
            phases("R09", &dossier(left(None), vec![], 4)),
            [Phase::Pending]
        );
        assert_eq!(firm("R09", left(None), vec![]), [Phase::Firm]);
        assert_eq!(firm("R09", left(Some("S1")), vec![]), []);
    }

    #[test]
    fn it_fires_on_a_seal_found_changed_and_on_one_used_twice() {
        let opened = |seal: &str| {
            [event(
                "unloaded",
                5,
                json!({"seals": [seal], "packages": 1}),
            )]
        };

        assert_eq!(
            firm("R09", laden("P1", "C1", Some("S1"), &opened("S2")), vec![]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R09", laden("P1", "C1", Some("S1"), &opened("S1")), vec![]),
            []
        );
        assert_eq!(
            firm(
                "R09",
                laden("P1", "C1", Some("S1"), &opened("s-1 ")),
                vec![]
            ),
            [],
            "the same seal, written otherwise"
        );

        let came = |id, container, at| {
            laden(
                id,
                container,
                Some("S1"),
                &[event("gate.in", at, json!({}))],
            )
        };

        assert_eq!(
            firm("R09", came("P2", "C2", 2), vec![came("P1", "C1", 1)]),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R09", came("P2", "c 1", 2), vec![came("P1", "C1", 1)]),
            [],
            "the same container, written otherwise"
        );
        assert_eq!(
            firm("R09", came("P2", "C1", 2), vec![came("P1", "C1", 1)]),
            [],
            "the same container goes on"
        );
    }
}
