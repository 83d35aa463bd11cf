//! A hold that one officer alone ended, saying that the goods are gone, and a truck that went
//! inland all the same.
//!
//! A release asks for a second officer. Whoever says that goods were seized, destroyed or sent back
//! needs none: a store keeper, an operator or whoever searched the truck says what came off it. A
//! truck that goes on with what was left is nothing strange where somebody else stands for it.

use crate::{
    Dossier, Fact, Facts,
    held_spans::{HeldSpan, SpanEnd},
    numbers::total,
};
use std::collections::BTreeMap;
use wadi_record::normalise_reference;

/// What says that goods came off a truck, or that it went back.
const TAKEN_OFF: [&str; 5] = [
    "unloaded",
    "transhipped",
    "store.in",
    "search.found",
    "turned_back",
];

/// What stands for a truck that went on: asked once for all its exits.
pub(super) struct StandsFor {
    /// It went out of the country.
    abroad: bool,
    /// Of each officer who said that something came off it, when that was known first, Unix
    /// milliseconds.
    taken_off: BTreeMap<String, i64>,
}

impl StandsFor {
    /// What was said on a truck, on these others and on the entries of its journey.
    pub(super) fn of(dossier: &Dossier, truck: &Facts, others: [Option<&Facts>; 2]) -> Self {
        let mut records: Vec<&Facts> = vec![truck];
        records.extend(others.into_iter().flatten());
        records.extend(dossier.journey("customs-entry"));

        let mut taken_off = BTreeMap::new();
        for record in records {
            let is_back_on = is_loaded_again(record);
            let said = record.any(&TAKEN_OFF);
            let said = said.filter(|e| e.kind() != "unloaded" || !is_back_on);
            for e in said.filter(is_of_weight) {
                let first = taken_off.entry(normalise_reference(e.officer()));
                let first_ms = first.or_insert(i64::MAX);
                *first_ms = e.known_from_ms().min(*first_ms);
            }
        }

        Self {
            abroad: went_abroad(truck),
            taken_off,
        }
    }
}

/// The end by which a truck went inland from under a placement, where one officer alone said it:
/// no second officer stands beside it, nothing else let the goods go, and nobody else had written
/// by then that something came off it.
pub(super) fn ended_alone<'a, 's>(
    dossier: &Dossier,
    span: &HeldSpan<'a>,
    exit: Fact<'_>,
    stands_for: &impl Fn() -> &'s StandsFor,
) -> Option<Fact<'a>> {
    let ends = span.ended_before(&exit);
    let of_goods = |end: &&SpanEnd<'a>| end.event.filter(|_| end.is_of_goods());
    let said: Option<Vec<Fact<'a>>> = ends.iter().map(of_goods).collect();
    let said = said?;
    let first = *said.first()?;

    let own = normalise_reference(first.officer());
    let is_own = |e: &Fact<'_>| normalise_reference(e.officer()) == own;
    let is_alone = |e: &Fact<'a>| is_own(e) && e.text("second_officer").is_none();
    if !said.iter().all(is_alone) {
        return None;
    }

    let until_ms = dossier.within_doubt(exit.known_from_ms());
    let stands_for = stands_for();
    let mut others = stands_for.taken_off.iter();
    let is_stood_for = others.any(|(who, known_ms)| *who != own && *known_ms <= until_ms);
    (!stands_for.abroad && !is_stood_for).then_some(first)
}

/// Whether it says that something was found or taken: a search may find nothing.
fn is_of_weight(e: &Fact<'_>) -> bool {
    e.kind() != "search.found" || e.flag("contraband") || e.text("seizure_no").is_some()
}

/// Whether all that was unloaded was loaded again.
fn is_loaded_again(record: &Facts) -> bool {
    let sum = |kind| total(record.events(kind).filter_map(|e| e.int("packages")));
    record.has("reloaded") && sum("reloaded") >= sum("unloaded")
}

/// Whether a truck goes out of the country, and did so before anybody changed what it says.
fn went_abroad(truck: &Facts) -> bool {
    let changes = truck.json["changed_after"].as_array().into_iter().flatten();
    let mut of_direction = changes.filter(|change| change["field"] == "direction");
    !truck.is_inbound() && of_direction.next().is_none()
}

#[cfg(test)]
mod tests {
    use crate::{Phase, tests::*};
    use serde_json::{Value as Json, json};

    /// A truck that came in and left at 500, with more events and fields.
    fn truck(fields: Json, more: &[Json]) -> crate::Facts {
        let left = [by("OF-8", event("gate.out", 500, json!({})))];
        passage("P1", fields, &[more, &left].concat())
    }

    fn inbound(more: &[Json]) -> crate::Facts {
        truck(json!({"direction": "in"}), more)
    }

    /// A hold on it that OF-1 placed, with more events.
    fn held(more: &[Json]) -> crate::Facts {
        let placed = [
            event("hold.placed", 100, json!({})),
            event("link", 100, json!({"record": "P1"})),
        ];
        hold("H1", json!({}), &[&placed, more].concat())
    }

    fn seized(data: Json) -> Json {
        event("seized", 400, data)
    }

    fn found(truck: crate::Facts, more: &[Json]) -> Vec<Phase> {
        firm("R02", truck, vec![held(more)])
    }

    #[test]
    fn a_truck_that_goes_inland_after_one_officer_alone_said_that_its_goods_are_gone_is_told() {
        let alone = seized(json!({"seizure_no": "1"}));
        assert_eq!(
            found(inbound(&[]), std::slice::from_ref(&alone)),
            [Phase::Firm]
        );
        assert_eq!(
            found(truck(json!({}), &[]), &[alone]),
            [Phase::Firm],
            "it does not tell where it goes"
        );

        for data in [json!({"method": "burnt", "witness": "W"}), json!({})] {
            let kind = match data["method"].is_null() {
                true => "re_exported",
                false => "destroyed",
            };
            let gone = event(kind, 400, data);
            assert_eq!(found(inbound(&[]), &[gone]), [Phase::Firm], "{kind}");
        }
    }

    #[test]
    fn what_somebody_else_stands_for_is_nothing_strange() {
        let alone = seized(json!({"seizure_no": "1"}));
        let with = |on_truck: &[Json], on_hold: &[Json]| {
            let more = [std::slice::from_ref(&alone), on_hold].concat();
            found(inbound(on_truck), &more)
        };

        let unloaded = event("unloaded", 300, json!({"packages": 10}));
        assert_eq!(with(&[by("OF-O1", unloaded.clone())], &[]), []);
        assert_eq!(
            with(std::slice::from_ref(&unloaded), &[]),
            [Phase::Firm],
            "his own word"
        );
        let again = event("reloaded", 350, json!({"packages": 10}));
        assert_eq!(
            with(&[by("OF-O1", unloaded.clone()), again], &[]),
            [Phase::Firm],
            "all of it went on again"
        );
        let part = event("reloaded", 350, json!({"packages": 7}));
        assert_eq!(with(&[by("OF-O1", unloaded), part], &[]), []);

        let searched = |data| by("OF-3", event("search.found", 300, data));
        assert_eq!(with(&[], &[searched(json!({"seizure_no": "1"}))]), []);
        assert_eq!(
            with(&[], &[searched(json!({"findings": "nothing"}))]),
            [Phase::Firm]
        );
        let stored = by("OF-4", event("store.in", 420, json!({"slot": "A"})));
        assert_eq!(with(&[], std::slice::from_ref(&stored)), []);
        let mut later = stored;
        later["entered_ms"] = 9_000_000.into();
        assert_eq!(
            with(&[], &[later]),
            [Phase::Firm],
            "written long after it left"
        );

        let beside = seized(json!({"seizure_no": "1", "second_officer": "OF-2"}));
        assert_eq!(found(inbound(&[]), &[beside]), []);
    }

    #[test]
    fn a_truck_that_goes_back_over_the_border_takes_its_goods_with_it() {
        let gone = event("re_exported", 400, json!({}));
        let out = truck(json!({"direction": "out"}), &[]);
        assert_eq!(found(out.clone(), std::slice::from_ref(&gone)), []);

        let turned = json!([{"field": "direction", "before": ["in"], "entry": "e"}]);
        assert_eq!(
            found(
                out.with("changed_after", turned),
                std::slice::from_ref(&gone)
            ),
            [Phase::Firm]
        );
        let back = by(
            "OF-9",
            event("turned_back", 450, json!({"reason": "rejected"})),
        );
        assert_eq!(found(inbound(&[back]), &[gone]), []);
    }

    #[test]
    fn a_release_by_two_of_what_was_left_lets_it_go() {
        let alone = seized(json!({"seizure_no": "1"}));
        let let_go = event("released", 450, json!({"holds": ["hold.placed@100"]}));
        assert_eq!(found(inbound(&[]), &[alone, let_go]), []);
    }
}
