//! R09: a missing, changed or reused seal.

mod lawful;
mod reuse;

use crate::{Contradiction, Dossier, Fact, Facts, Rule, sentences};
use lawful::{LawfulSeals, is_among};
use reuse::reused;
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::{field_term, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R09",
    name: "seal_broken",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Missing = "R09-missing" { passage: record }
    Strange = "R09-strange" { seals: names, passage: record }
    Reused = "R09-reused" { seal: name, other: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    if !passage.is_passage() {
        return Vec::new();
    }

    let seals: BTreeSet<&str> = passage.texts("seal", "").into_iter().collect();
    let is_sealed = seals.iter().any(|seal| !says_nothing(seal));
    let mut out = Vec::new();
    let mut containers = passage.texts("container", "");
    containers.retain(|container| !says_nothing(container));
    let laden = passage.carries_goods() && !containers.is_empty();
    let known_ms = dossier.left_by_ms(passage);
    let mut under = reloaded_under(passage).filter(|e| e.known_from_ms() <= known_ms);
    let resealed = under.any(|e| !e.texts("seals").is_empty());
    let contested = passage.json["contested"]
        .as_object()
        .is_some_and(|c| c.keys().any(|k| k.starts_with("seal.")));

    // What is written once it has left was on no door at the gate.
    let was_sealed = (is_sealed || contested) && was_sealed_by(passage, known_ms);
    let left_ms = passage.left().map_or(i64::MIN, |_| known_ms);
    let sealed_by_ms = left_ms.max(passage.ended_ms());
    if laden && passage.state() == "EXITED" && !was_sealed && !resealed {
        out.push(
            Contradiction::new(
                "missing",
                passage.ended_ms(),
                Says::Missing {
                    passage: passage.printed(),
                },
                json!({"containers": containers}),
            )
            .until([passage.crossing()], sealed_by_ms),
        );
    }

    out.extend(strange_seals(dossier));

    // Of all that had the seal before the last one is named: one line, however often it went round.
    let elsewhere = dossier
        .of("passage")
        .filter(|p| p.was_written_before(passage));
    let others =
        elsewhere.filter_map(|p| Some(((p.written_ms(), &p.id), reused(dossier, &seals, p)?)));

    out.extend(
        others
            .max_by_key(|(place, _)| *place)
            .map(|(_, found)| found),
    );

    out
}

/// Seals that were found on what is opened, and that were never put on it.
fn strange_seals(dossier: &Dossier) -> Vec<Contradiction> {
    let passage = &dossier.anchor;
    let mut out = Vec::new();
    let broken = passage.events("unloaded").map(|e| (e, e.texts("seals")));
    let searched = dossier.searches();
    let searched = searched.map(|e| (e, e.text("seal_before").into_iter().collect()));
    let lawful = LawfulSeals::of(dossier);

    for (event, on_it) in broken.chain(searched) {
        if on_it.is_empty() {
            continue;
        }

        let stood = lawful.before(event);
        let strange: Vec<&str> = on_it
            .into_iter()
            .filter(|seal| !is_among(&stood, seal))
            .collect();
        if !strange.is_empty() && !stood.is_empty() {
            let recorded: BTreeSet<&str> = stood.iter().map(|put| put.seal).collect();
            out.push(
                Contradiction::new(
                    format!("found {}", strange.join(" ")),
                    event.at_ms(),
                    Says::Strange {
                        seals: &strange,
                        passage: passage.printed(),
                    },
                    json!({"found": strange, "recorded": recorded}),
                )
                .each(event.entry())
                .until([passage.crossing()], event.at_ms()),
            );
        }
    }

    out
}

/// What customs says was loaded again, or went over, under new seals.
fn reloaded_under(passage: &Facts) -> impl Iterator<Item = Fact<'_>> {
    let all = passage.any(&["reloaded", "transhipped"]);
    all.filter(|e| e.department() == "CUS" && moves_goods(e))
}

/// Whether an event that moves packages moved some: for none no seal was broken by right.
fn moves_goods(e: &Fact<'_>) -> bool {
    e.int("packages").is_none_or(|packages| packages > 0)
}

/// Whether a seal was recorded by a time, as it was written, Unix milliseconds.
fn was_sealed_by(passage: &Facts, known_ms: i64) -> bool {
    let Some(all) = passage.json["seals_recorded"].as_array() else {
        return true;
    };

    all.iter().any(|put| {
        let is_seal = put["seal"].as_str().is_some_and(|seal| !says_nothing(seal));
        is_seal && put["entered_ms"].as_i64().is_none_or(|ms| ms <= known_ms)
    })
}

/// Whether a seal of the passage gave way by right, as had been told by a time, Unix milliseconds,
/// and while the vehicle was there: a search opened it, or customs unloaded what it closed; and
/// what stands there now a search put in its place, or customs had the goods loaded again under it.
pub(crate) fn is_changed_by_right(
    dossier: &Dossier,
    before: &[&str],
    now: Option<&str>,
    by_ms: i64,
) -> bool {
    let by_ms = by_ms.min(there_until_ms(dossier));
    let is_told = move |e: &Fact<'_>| e.known_from_ms() <= by_ms;
    let by_customs = |kinds: &'static [&'static str]| {
        let all = dossier.anchor.any(kinds);
        let told = all.filter(move |e| e.department() == "CUS" && moves_goods(e) && is_told(e));
        told.flat_map(|e| e.texts("seals"))
    };
    let by_search = |member: &'static str| {
        let told = dossier.searches().filter(is_told);
        told.filter_map(move |e| e.text(member))
    };

    match now {
        Some(now) => by_search("seal_after")
            .chain(by_customs(&["reloaded", "transhipped"]))
            .any(|seal| is_same(seal, now)),
        None => by_search("seal_before")
            .chain(by_customs(&["unloaded"]))
            .any(|seal| before.iter().any(|stood| is_same(stood, seal))),
    }
}

/// Until when what is written of the vehicle was written while it was there, Unix milliseconds: by
/// its exit or, where another crossing took it over, by the exit there.
fn there_until_ms(dossier: &Dossier) -> i64 {
    let passage = &dossier.anchor;
    let left_ms = dossier.left_by_ms(passage);
    if !passage.was_taken_over() {
        return left_ms;
    }

    let exits = passage.events("gate.out").map(|e| e.known_from_ms());
    exits
        .max()
        .map_or(left_ms, |ms| dossier.within_doubt(ms).max(left_ms))
}

fn is_same(one: &str, other: &str) -> bool {
    let form = |text: &str| field_term("seal.1", text);
    form(one).is_some_and(|one| Some(one) == form(other))
}

#[cfg(test)]
mod said_later;

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

    #[test]
    fn a_lawful_search_puts_a_new_seal_in_the_place_of_the_one_it_opened() {
        let unloaded = |seal: &str| {
            [event(
                "unloaded",
                50,
                json!({"seals": [seal], "packages": 1}),
            )]
        };
        let searched = |at_ms: i64, before: &str, after: &str| {
            let found = json!({"seal_before": before, "seal_after": after, "findings": "none"});
            let link = event("link", 1, json!({"record": "P1"}));
            vec![hold(
                "H1",
                json!({}),
                &[link, event("search.found", at_ms, found)],
            )]
        };
        let truck = |seal: &str| laden("P1", "C1", Some("S1"), &unloaded(seal));

        assert_eq!(firm("R09", truck("S2"), searched(9, "S1", "S2")), []);
        assert_eq!(
            firm("R09", truck("S3"), searched(9, "S1", "S2")),
            [Phase::Firm],
            "a third seal"
        );
        assert_eq!(
            firm("R09", truck("S2"), searched(60, "S1", "S2")),
            [Phase::Firm],
            "it was on before the search"
        );
        assert_eq!(
            firm("R09", truck("S2"), searched(9, "S7", "S2")),
            [Phase::Firm],
            "the search itself found another seal"
        );

        // The field names the new seal since: the one that it came with is remembered.
        let renamed = laden("P1", "C1", Some("S2"), &unloaded("S2"));
        let renamed = renamed.with(
            "seals_recorded",
            json!([written("S1", 1), written("S2", 10)]),
        );
        assert_eq!(firm("R09", renamed, searched(9, "S1", "S2")), []);
    }

    #[test]
    fn a_laden_container_is_sealed_whatever_its_truck_says() {
        let found = |mut fields: serde_json::Value| {
            fields["container.1"] = "C1".into();
            let left = event("gate.out", 5, json!({}));
            let truck = passage("P1", fields, &[left]).state_is("EXITED");
            firm("R09", truck, vec![])
        };
        let laden = json!({"purpose": "empty", "goods.hs_code": "0701"});
        assert_eq!(found(laden), [Phase::Firm]);
        assert_eq!(found(json!({"goods.hs_code": "0701"})), [Phase::Firm]);
        assert_eq!(found(json!({"purpose": "empty"})), []);
    }

    fn written(seal: &str, entered_ms: i64) -> serde_json::Value {
        json!({"seal": seal, "entered_ms": entered_ms, "entry": format!("put {entered_ms}")})
    }

    #[test]
    fn a_seal_that_is_recorded_after_it_was_found_excuses_nothing() {
        let found = |seals: serde_json::Value, entered_ms: i64| {
            let link = event("link", 1, json!({"record": "P1"}));
            let mut opened = event("search.opened", 9, json!({"seal_before": "BB19"}));
            opened["entered_ms"] = entered_ms.into();
            let mut truck = laden("P1", "C1", Some("AA11"), &[event("gate.in", 2, json!({}))]);
            std::sync::Arc::make_mut(&mut truck.json)["fields"]["seal.2"] = "BB19".into();
            let truck = truck.with("seals_recorded", seals);
            firm("R09", truck, vec![hold("H1", json!({}), &[link, opened])])
        };
        let both = |second_ms| json!([written("AA11", 2), written("BB19", second_ms)]);

        assert_eq!(found(both(10), 9), [Phase::Firm]);
        assert_eq!(found(both(2), 9), [], "it was there");
        assert_eq!(found(both(9), 9), []);
        assert_eq!(found(both(10), 20), [], "the search was written down later");

        let mut own = both(9);
        own[1]["entry"] = json!("entry search.opened@9");
        assert_eq!(
            found(own, 9),
            [Phase::Firm],
            "one entry found and recorded it"
        );

        let late = json!([written("AA11", 10), written("BB19", 10)]);
        assert_eq!(found(late, 9), [], "no seal was known when it was found");
        let other = json!([written("AA11", 10)]);
        assert_eq!(found(other, 9), [Phase::Firm], "another was recorded since");
    }

    #[test]
    fn a_seal_that_says_that_there_is_none_is_none() {
        let came = |id, container, seal, at_ms| {
            let came = [event("gate.in", at_ms, json!({}))];
            laden(id, container, Some(seal), &came)
        };
        for none in ["N/A", "0", "-", "none", "بدون", "XXX"] {
            let before = came("P1", "C1", none, 1);
            assert_eq!(
                firm("R09", came("P2", "C2", none, 2), vec![before]),
                [],
                "{none}"
            );

            let found = event("unloaded", 5, json!({"seals": ["S2"], "packages": 1}));
            let truck = laden("P1", "C1", Some(none), &[found]);
            assert_eq!(firm("R09", truck, vec![]), [], "no seal is known: {none}");
        }

        let gone = event("unloaded", 5, json!({"seals": ["none"], "packages": 1}));
        let truck = laden("P1", "C1", Some("S1"), &[gone]);
        assert_eq!(firm("R09", truck, vec![]), [Phase::Firm], "it is gone");

        let left = [event("gate.out", 5, json!({}))];
        let truck = laden("P1", "C1", Some("N/A"), &left).state_is("EXITED");
        assert_eq!(
            firm("R09", truck, vec![]),
            [Phase::Firm],
            "it left without one"
        );
        let truck = laden("P1", "N/A", None, &left).state_is("EXITED");
        assert_eq!(firm("R09", truck, vec![]), [], "it has no container");
    }

    #[test]
    fn goods_loaded_again_are_under_the_seals_that_customs_names() {
        let events = |department: &str| {
            let mut again = event("reloaded", 5, json!({"seals": ["S2"], "packages": 1}));
            again["department"] = json!(department);
            let unloaded = event("unloaded", 50, json!({"seals": ["S2"], "packages": 1}));
            [again, unloaded]
        };

        let by = |department| laden("P1", "C1", Some("S1"), &events(department));
        assert_eq!(firm("R09", by("CUS"), vec![]), []);
        assert_eq!(
            firm("R09", by("OPS"), vec![]),
            [Phase::Firm],
            "the operator alone puts on no seal"
        );
    }
}
