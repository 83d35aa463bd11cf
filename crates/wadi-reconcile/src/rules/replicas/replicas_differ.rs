//! R29, over the cohort of one state of the logs: two nodes that hold the same entries and come to
//! other documents.

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::SYSTEM_OFFICER;

pub(crate) const RULE: Rule = Rule {
    code: "R29",
    name: "replicas_differ",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Differ = "R29-differ" { one: crossing, other: crossing, scope: name }
}

/// Others that read the same entries differently from one digest, of which so many are compared.
const DIFFERING_MAX: usize = 64;

/// What nodes say by themselves. Nobody types in what a machine has counted.
fn digests(p: &Facts) -> impl Iterator<Item = Fact<'_>> {
    p.events("replica.digest")
        .filter(|e| e.officer() == SYSTEM_OFFICER)
}

/// What was held.
fn key<'a>(e: &Fact<'a>) -> (&'a str, &'a str) {
    (
        e.text("scope").unwrap_or_default(),
        e.text("entries").unwrap_or_default(),
    )
}

/// What it came to.
fn came_to<'a>(e: &Fact<'a>) -> (&'a str, &'a str) {
    (
        e.text("documents").unwrap_or_default(),
        e.text("states").unwrap_or_default(),
    )
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let all = dossier.peers.iter().chain(&dossier.linked).chain([anchor]);
    let mut said: BTreeMap<(&str, &str), Vec<(&Facts, Fact<'_>)>> = BTreeMap::new();
    for (peer, digest) in all.flat_map(|p| digests(p).map(move |e| (p, e))) {
        said.entry(key(&digest)).or_default().push((peer, digest));
    }

    let mut out = Vec::new();
    for own in digests(anchor) {
        let others = said.get(&key(&own)).into_iter().flatten();
        let differing = others
            .filter(|(_, e)| came_to(e) != came_to(&own))
            // Of the two the one with the smaller entry carries the finding.
            .filter(|(_, e)| own.entry() < e.entry());

        for (peer, other) in differing.take(DIFFERING_MAX) {
            let found = Contradiction::new(
                format!("{} {} {}", key(&own).0, key(&own).1, peer.crossing()),
                own.at_ms().max(other.at_ms()),
                Says::Differ {
                    one: anchor.crossing(),
                    other: peer.crossing(),
                    scope: key(&own).0,
                },
                json!({
                    "scope": key(&own).0,
                    "entries": key(&own).1,
                    "one": came_to(&own),
                    "other": came_to(other),
                }),
            );

            out.push(found.each(own.entry()).each(other.entry()));
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn day(id: &str, entries: &str, documents: &str) -> Facts {
        let mut e = event(
            "replica.digest",
            5,
            json!({"scope": "hold TRB", "entries": entries, "documents": documents, "states": "s"}),
        );

        e["entry"] = format!("entry of {id}").into();
        e["officer"] = SYSTEM_OFFICER.into();
        facts(id, "site-day", "TRB", json!({"events": [e]}))
    }

    #[test]
    fn the_same_entries_make_the_same_documents() {
        let found = |other: Facts| {
            let mut d = dossier(day("S1", "e", "d"), vec![], 0);
            d.peers.push(other);
            phases("R29", &d)
        };

        assert_eq!(found(day("S2", "e", "another")), [Phase::Firm]);
        assert_eq!(found(day("S2", "e", "d")), []);
        assert_eq!(
            found(day("S2", "other entries", "another")),
            [],
            "they do not hold the same yet"
        );

        let mut typed = day("S2", "e", "another").json.as_ref().clone();
        typed["events"][0]["officer"] = "OF-IT".into();
        let typed = facts("S2", "site-day", "TRB", typed);
        assert_eq!(found(typed), [], "somebody typed it in");
    }
}
