//! R01: a release, with or without conditions, by somebody who could not know of another open hold
//! on the same target.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R01",
    name: "released_unseen_hold",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Unseen = "R01-unseen" { officer: officer, hold: record, other: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let hold = &dossier.anchor;
    if !hold.is_hold() {
        return Vec::new();
    }

    let mut out = Vec::new();
    let others: Vec<&Facts> = dossier
        .of("hold")
        .filter(|o| shares_target(hold, o))
        .collect();

    for released in hold.any(&["released", "conditional"]) {
        for other in &others {
            let Some(placed) = unseen(dossier, released, other) else {
                continue;
            };
            out.push(
                Contradiction::new(
                    format!("{} {}", released.officer(), other.id),
                    released.at_ms(),
                    Says::Unseen {
                        officer: released.officer(),
                        hold: hold.printed(),
                        other: other.printed(),
                    },
                    json!({
                        "officer": released.officer(),
                        "hold": other.printed(),
                        "placed": placed,
                    }),
                )
                .each(released.entry())
                // A release of the other hold may still be on its way.
                .until([other.crossing(), "HUB"], released.at_ms()),
            );
        }
    }

    out
}

/// A placement of another hold that held at a release, and that whoever released could not know of:
/// the entry that says it.
fn unseen<'a>(dossier: &Dossier, released: Fact<'_>, other: &'a Facts) -> Option<&'a str> {
    if !other.was_open_at(released.at_ms()) {
        return None;
    }
    other
        .placed_by(released.at_ms())
        .find(|entry| !dossier.knew(released, entry))
}

fn shares_target(a: &Facts, b: &Facts) -> bool {
    let theirs = b.links();
    a.links().iter().any(|l| theirs.contains(l)) || a.shares(b, "target.term")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn two(released_ms: i64) -> (Facts, Facts) {
        let link = || event("link", 1, json!({"record": "P1"}));
        let released = hold(
            "H1",
            json!({}),
            &[link(), event("released", released_ms, json!({}))],
        );

        let other = hold(
            "H2",
            json!({}),
            &[link(), event("hold.placed", 50, json!({}))],
        )
        .at("QAM");

        (released, other)
    }

    #[test]
    fn it_fires_where_the_officer_could_not_know_and_waits_for_the_other_crossing() {
        let (released, other) = two(60);
        assert_eq!(
            phases("R01", &dossier(released.clone(), vec![other.clone()], 59)),
            [Phase::Pending]
        );
        assert_eq!(
            firm("R01", released.clone(), vec![other.clone()]),
            [Phase::Firm]
        );

        let ended = hold(
            "H2",
            json!({}),
            &[
                event("link", 1, json!({"record": "P1"})),
                event("hold.placed", 50, json!({})),
                event("released", 55, json!({"holds": ["hold.placed@50"]})),
            ],
        );

        assert_eq!(
            firm("R01", released, vec![ended]),
            [],
            "the release that was on its way came"
        );
    }

    #[test]
    fn what_is_let_go_under_conditions_is_let_go_all_the_same() {
        let (_, other) = two(60);
        let link = event("link", 1, json!({"record": "P1"}));
        let conditions = json!({"conditions": "keep cold", "second_officer": "OF-2"});
        let let_go = event("conditional", 60, conditions);
        let let_go = hold("H1", json!({}), &[link, let_go]);
        assert_eq!(
            firm("R01", let_go.clone(), vec![other.clone()]),
            [Phase::Firm]
        );

        let mut known = dossier(let_go, vec![other], 99);
        known
            .knew
            .insert(("entry conditional@60".into(), "entry hold.placed@50".into()));
        assert_eq!(phases("R01", &known), []);
    }

    #[test]
    fn it_is_silent_where_the_officer_knew_or_the_hold_came_later() {
        let (released, other) = two(60);
        let mut known = dossier(released, vec![other.clone()], 99);
        known
            .knew
            .insert(("entry released@60".into(), "entry hold.placed@50".into()));
        assert_eq!(phases("R01", &known), []);

        let (early, _) = two(49);
        assert_eq!(firm("R01", early, vec![other]), []);
    }
}
