//! Vehicles that by one officer's word alone were sent back, and that the same officer let out.
//!
//! The fold of states believes who says so: the vehicle stays `TURNED_BACK`, and its exit takes no
//! clearing. Whoever lets one go into the country would say so, too. Somebody else who sent it
//! back, or who opened the gate for it, knows that it went where it came from; and so does whoever
//! writes, with a second officer, that what it had brought was sent back over the border.

use crate::{Dossier, Fact, Facts, passages::BETWEEN_GATES_MS};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::normalise_reference;

/// The event that sends a vehicle back.
const TURNED_BACK: &str = "turned_back";

/// The exits of a vehicle that one officer alone sent back and let out.
pub(crate) struct LetOutAlone<'a> {
    first: Fact<'a>,
    exits: Vec<Fact<'a>>,
}

impl<'a> LetOutAlone<'a> {
    /// The one that was known first.
    pub(crate) fn first(&self) -> Fact<'a> {
        self.first
    }

    /// Whether an exit is one of them.
    pub(crate) fn is_of(&self, exit: &Fact<'_>) -> bool {
        self.exits.iter().any(|out| out.id() == exit.id())
    }
}

/// What was said of a vehicle between two arrivals.
#[derive(Default)]
struct Stay<'a> {
    back: Vec<Fact<'a>>,
    exits: Vec<Fact<'a>>,
}

/// The stays of a vehicle, by the order in which they were known: an arrival that somebody puts
/// between the two words once the vehicle is gone parts nothing.
fn stays(truck: &Facts) -> impl Iterator<Item = Stay<'_>> {
    let came = truck.events("gate.in").map(|e| e.known_from_ms());
    let came: BTreeSet<i64> = came.collect();
    let mut stays: BTreeMap<Option<i64>, Stay<'_>> = BTreeMap::new();

    for said in truck.any(&[TURNED_BACK, "gate.out"]) {
        let came_ms = came.range(..=said.known_from_ms()).next_back().copied();
        let stay = stays.entry(came_ms).or_default();
        match said.kind() {
            TURNED_BACK => stay.back.push(said),
            _ => stay.exits.push(said),
        }
    }

    stays.into_values()
}

impl Dossier {
    /// The exits by which one officer let a vehicle out that by the same officer's word alone was
    /// sent back, by what was written then; those of its first stay of which that is so.
    pub(crate) fn let_out_alone<'a>(&self, truck: &'a Facts) -> Option<LetOutAlone<'a>> {
        if truck.state() != "TURNED_BACK" {
            return None;
        }

        stays(truck).find_map(|stay| self.alone_in(truck, stay))
    }

    /// Whether a vehicle went back where it came from, as far as that does not rest on the word of
    /// the one officer who let it out.
    pub(crate) fn went_back(&self, truck: &Facts) -> bool {
        truck.state() == "TURNED_BACK" && self.let_out_alone(truck).is_none()
    }

    fn alone_in<'a>(&self, truck: &Facts, stay: Stay<'a>) -> Option<LetOutAlone<'a>> {
        let exits = stay.exits;
        let first = exits
            .iter()
            .copied()
            .min_by_key(|out| (out.known_from_ms(), out.id()))?;
        let out_ms = first.known_from_ms();

        // Who says it when the vehicle is gone bears nothing out, but at an outer gate.
        let by_ms = self.within_doubt(out_ms);
        let outer_ms = out_ms.saturating_add(BETWEEN_GATES_MS);
        let mut back = stay.back.iter().filter(|e| e.known_from_ms() <= by_ms);
        let gates = exits.iter().filter(|e| e.known_from_ms() <= outer_ms);
        let gates: BTreeSet<String> = gates.map(who).collect();

        let own = who(&first);
        let is_said = stay.back.iter().any(|e| e.known_from_ms() <= by_ms);
        let is_alone = is_said && back.all(|e| who(e) == own) && gates.len() == 1;
        let is_told_alone = is_alone && !self.is_sent_over_the_border(truck, &own, by_ms);
        is_told_alone.then_some(LetOutAlone { first, exits })
    }

    /// Whether two others than an officer wrote by a time, Unix milliseconds, that what a vehicle
    /// had brought went back over the border.
    fn is_sent_over_the_border(&self, truck: &Facts, own: &str, by_ms: i64) -> bool {
        let is_by_two = |e: &Fact<'_>| {
            let second = e.text("second_officer").map(normalise_reference);
            let first = who(e);
            second.is_some_and(|second| second != own && second != first && first != own)
        };
        let names_it = |hold: &Facts, e: &Fact<'_>| match e.text("passage") {
            Some(passage) => passage == truck.id || passage == truck.printed(),
            None => hold.first_naming(truck).is_some(),
        };
        let says_so = |hold: &Facts| {
            let all = hold.events("re_exported");
            let mut known = all.filter(|e| e.known_from_ms() <= by_ms);
            known.any(|e| is_by_two(&e) && names_it(hold, &e))
        };

        self.sent_over().any(says_so)
    }
}

/// The officer who says something, as officers are compared.
fn who(said: &Fact<'_>) -> String {
    normalise_reference(said.officer())
}

#[cfg(test)]
mod tests {
    use crate::{Facts, tests::*};
    use serde_json::{Value as Json, json};

    fn back(officer: &str, at_ms: i64) -> Json {
        by(officer, event("turned_back", at_ms, json!({})))
    }

    fn out(officer: &str, at_ms: i64) -> Json {
        by(officer, event("gate.out", at_ms, json!({})))
    }

    fn truck(events: &[Json]) -> Facts {
        passage("P1", json!({}), events).state_is("TURNED_BACK")
    }

    fn is_alone(events: &[Json], holds: Vec<Facts>) -> bool {
        let d = dossier(truck(events), holds, i64::MAX);
        d.let_out_alone(&d.anchor).is_some()
    }

    const HOUR: i64 = crate::HOUR_MS;

    #[test]
    fn one_officer_who_sends_a_vehicle_back_and_opens_for_it_is_alone() {
        let alone = |events: &[Json]| is_alone(events, vec![]);

        assert!(alone(&[back("OF-1", 500), out("OF-1", 900)]));
        assert!(!alone(&[back("OF-1", 500), out("OF-2", 900)]));
        assert!(!alone(&[back("OF-1", 500)]), "it did not leave");
        let device = out("", 900);
        assert!(!alone(&[back("OF-1", 500), device]), "a device saw it go");
        let outer = [back("OF-1", 500), out("OF-1", 900), out("OF-2", 900_000)];
        assert!(!alone(&outer), "an outer gate");
        let d = dossier(truck(&[back("OF-1", 500)]), vec![], i64::MAX);
        assert!(d.went_back(&d.anchor));
    }

    #[test]
    fn what_is_written_when_the_vehicle_is_gone_bears_nothing_out() {
        let written = |mut said: Json, entered_ms: i64| {
            said["entered_ms"] = entered_ms.into();
            said
        };
        let with = |more: Json| is_alone(&[back("OF-1", 500), out("OF-1", 900), more], vec![]);

        assert!(with(written(back("OF-2", 600), 9 * HOUR)), "back-dated");
        assert!(with(back("OF-1", 5_000)), "again, and later");
        assert!(with(out("OF-2", 9 * HOUR)));
        let came = by("OF-2", event("gate.in", 700, json!({})));
        assert!(with(written(came, 9 * HOUR)), "an arrival between the two");
    }

    #[test]
    fn two_who_sent_back_what_it_brought_know_where_it_went() {
        let found = |entered_ms: i64, data: Json| {
            let mut gone = by("OF-A1", event("re_exported", 1_000, data));
            gone["entered_ms"] = entered_ms.into();
            let link = event("link", 100, json!({"record": "P1"}));
            let held = hold("H1", json!({}), &[link, gone]);
            is_alone(&[back("OF-1", 500), out("OF-1", 900)], vec![held])
        };
        let by_two = json!({"second_officer": "OF-A2"});

        assert!(!found(1_000, by_two.clone()), "seconds after the gate");
        assert!(found(HOUR, by_two), "an hour after it");
        assert!(found(1_000, json!({})), "nobody beside the first");
        assert!(found(1_000, json!({"second_officer": "of-1"})));
        let other = json!({"second_officer": "OF-A2", "passage": "P9"});
        assert!(found(1_000, other), "of another truck");
    }
}
