//! Goods that came off a truck and lie in a store: they ride with it no longer.
//!
//! What lies in a store is held there, and its truck goes home empty. That is so once all packages
//! that were declared were unloaded, from the truck before it left and from the others that brought
//! them, and as many went into the store on the hold. One officer alone says neither for both:
//! whoever lets a held truck go would say so, too. Nor is it so where a scale shows that the truck
//! is as heavy as before.

mod collected;

pub(crate) use collected::{StoreRide, StoreRides};

use crate::{
    Dossier, Fact, Facts,
    numbers::{hours_ms, total},
    still_laden::is_still_laden,
};
use std::{collections::BTreeSet, sync::OnceLock};
use wadi_record::{KnownBy, normalise_reference};

/// Whether the goods of a hold lay in a store when a truck left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum InStore {
    /// All of them.
    All,
    /// All came off the truck, and the store has until then to say that they are there, Unix
    /// milliseconds.
    MayCome(i64),
    /// Not all, or nobody can tell.
    No,
}

/// Whether somebody else said the one than the other.
pub(crate) fn are_two(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    one.iter()
        .any(|who| other.iter().any(|second| second != who))
}

fn officers<'a>(said: impl Iterator<Item = Fact<'a>>) -> BTreeSet<String> {
    said.map(|e| normalise_reference(e.officer())).collect()
}

impl Facts {
    /// Packages that an event moved; nothing where it moves none or does not tell.
    fn sum_of(&self, kind: &str, is_meant: impl Fn(&Fact<'_>) -> bool) -> i64 {
        let all = self.events(kind).filter(is_meant);
        total(all.filter_map(|e| e.packages_moved()))
    }

    /// Whether so many packages were unloaded by a time, and not loaded again: by what was written
    /// by then.
    fn gave_up(&self, packages: i64, by_ms: i64) -> bool {
        self.came_off(by_ms) >= packages
    }

    /// How many packages were unloaded by a time, and not loaded again.
    fn came_off(&self, by_ms: i64) -> i64 {
        let unloaded = self.sum_of("unloaded", |e| e.known_from_ms() <= by_ms);
        let reloaded = self.sum_of("reloaded", |e| e.known_from_ms() <= by_ms);
        unloaded.saturating_sub(reloaded)
    }

    /// The packages that an entry declares: its total, else the sum of its items.
    fn packages_declared(&self) -> Option<i64> {
        let items = self.sum("goods", "packages");
        let packages = self.int("total_packages").or(items);
        packages.filter(|packages| *packages > 0)
    }

    /// Whether a truck left without anything of what an entry declares: all was unloaded before,
    /// with what came off the entry's other trucks, by somebody else than whoever let it out, and
    /// no attested weighing since shows a load.
    pub(crate) fn left_without(&self, entry: &Facts, dossier: &Dossier, out: &Fact<'_>) -> bool {
        let Some(packages) = entry.packages_declared() else {
            return false;
        };
        let by_ms = until_ms(dossier, out);
        let unloaded = || self.events("unloaded");
        let last_ms = unloaded().map(|e| e.at_ms()).max().unwrap_or(i64::MAX);
        let attested = self.weighings().filter(Fact::attested);
        let mut after = attested.filter(|w| w.at_ms() >= last_ms);
        let gate = BTreeSet::from([normalise_reference(out.officer())]);

        let by = match self.gave_up(packages, by_ms) {
            true => Some(officers(unloaded())),
            false => gave_up_together(dossier, &[self], &[entry], by_ms),
        };

        by.is_some_and(|by| are_two(&by, &gate)) && !after.any(|w| w.shows_a_load())
    }
}

/// A passage of a dossier off which something came: what of it is asked for each of its trucks.
#[derive(Debug)]
pub(crate) struct UnloadedTruck {
    id: String,
    known: KnownBy,
    unloaded_by: BTreeSet<String>,
    /// When packages were unloaded, as it was known, Unix milliseconds, and how many.
    unloaded: Vec<(i64, i64)>,
    /// The same of those that were loaded again.
    reloaded: Vec<(i64, i64)>,
    /// Whether it carried what the anchor enters.
    carries_anchor: OnceLock<bool>,
}

impl UnloadedTruck {
    /// Those of a dossier.
    pub(crate) fn all_of(dossier: &Dossier) -> Vec<Self> {
        let all = std::iter::once(&dossier.anchor).chain(dossier.of("passage"));
        let unloaded = all.filter(|r| r.is_passage() && r.has("unloaded"));
        unloaded.map(Self::of).collect()
    }

    fn of(truck: &Facts) -> Self {
        let moved = |kind: &str| {
            let all = truck.events(kind);
            let moved = all.filter_map(|e| Some((e.known_from_ms(), e.packages_moved()?)));
            moved.collect::<Vec<(i64, i64)>>()
        };

        Self {
            id: truck.id.clone(),
            known: truck.known_by(),
            unloaded_by: officers(truck.events("unloaded")),
            unloaded: moved("unloaded"),
            reloaded: moved("reloaded"),
            carries_anchor: OnceLock::new(),
        }
    }

    /// How many packages were unloaded by a time, and not loaded again.
    fn came_off(&self, by_ms: i64) -> i64 {
        let sum = |moved: &[(i64, i64)]| {
            let by_then = moved.iter().filter(|(known_ms, _)| *known_ms <= by_ms);
            total(by_then.map(|(_, packages)| *packages))
        };
        sum(&self.unloaded).saturating_sub(sum(&self.reloaded))
    }

    fn carries_anchor(&self, dossier: &Dossier) -> bool {
        *self.carries_anchor.get_or_init(|| {
            let entry = dossier.anchor.known_by();
            let beside = dossier.beside();
            self.known.carries_beside(&entry, beside, &dossier.policy)
        })
    }
}

/// What was written by then, within the clocks' doubt, was there when a truck left.
fn until_ms(dossier: &Dossier, out: &Fact<'_>) -> i64 {
    dossier.within_doubt(out.known_from_ms())
}

/// Who unloaded, where all that entries declare came off a truck, of which these are the records,
/// and the others that carried it. Where something came off this one by a time, the others have as
/// long as a store has to tell; where nothing did, all had come off them before it began.
fn gave_up_together(
    dossier: &Dossier,
    trucks: &[&Facts],
    entries: &[&Facts],
    by_ms: i64,
) -> Option<BTreeSet<String>> {
    let began_ms = trucks.iter().map(|truck| truck.began_ms()).min()?;
    let due_ms = match trucks.iter().any(|truck| truck.gave_up(1, by_ms)) {
        true => store_due_ms(dossier, by_ms),
        false => began_ms,
    };

    let declared: Vec<i64> = entries
        .iter()
        .filter_map(|entry| entry.packages_declared())
        .collect();
    let packages = total(declared);

    let is_own = |id: &str| trucks.iter().any(|own| own.id == id);
    let others = dossier.unloaded_trucks().iter();
    let others: Vec<&UnloadedTruck> = others.filter(|other| !is_own(&other.id)).collect();
    let came_off = |others: &[&UnloadedTruck]| {
        let own = trucks.iter().map(|truck| truck.came_off(by_ms));
        total(own.chain(others.iter().map(|truck| truck.came_off(due_ms))))
    };

    // Which of them carried it is asked where it makes a difference.
    if packages <= 0 || came_off(&others) < packages {
        return None;
    }

    let is_of_others = |entry: &&&Facts| entry.id != dossier.anchor.id;
    let known = entries.iter().filter(is_of_others);
    let known: Vec<KnownBy> = known.map(|entry| entry.known_by()).collect();
    let is_of_anchor = known.len() < entries.len();
    let beside = dossier.beside();
    let carries = |truck: &&UnloadedTruck| {
        let mut known = known.iter();
        is_of_anchor && truck.carries_anchor(dossier)
            || known.any(|entry| truck.known.carries_beside(entry, beside, &dossier.policy))
    };

    let others: Vec<&UnloadedTruck> = others.into_iter().filter(carries).collect();
    if came_off(&others) < packages {
        return None;
    }

    let own = officers(trucks.iter().flat_map(|truck| truck.events("unloaded")));
    let theirs = || others.iter().flat_map(|truck| truck.unloaded_by.clone());
    Some(if own.is_empty() {
        theirs().collect()
    } else {
        own
    })
}

/// Until when a store, or another truck, has to tell what it took in, or gave up.
fn store_due_ms(dossier: &Dossier, by_ms: i64) -> i64 {
    by_ms.saturating_add(hours_ms(dossier.policy.counterpart_h))
}

/// Whether all goods of a hold that names their entry lay in a store when one of these passages
/// left: they are records of one truck.
pub(crate) fn in_store(
    dossier: &Dossier,
    trucks: &[&Facts],
    hold: &Facts,
    out: &Fact<'_>,
) -> InStore {
    let links = hold.links();
    let known = std::iter::once(&dossier.anchor).chain(dossier.of("customs-entry"));
    let named = known.filter(|r| r.is_customs_entry() && links.contains(&r.id.as_str()));
    let entries: Vec<&Facts> = named.collect();
    let declared = entries.iter().map(|entry| entry.packages_declared());
    let declared: Option<Vec<i64>> = declared.collect();
    let packages = total(declared.into_iter().flatten());
    if packages <= 0 {
        return InStore::No;
    }

    let by_ms = until_ms(dossier, out);
    let alone = trucks.iter().find(|truck| truck.gave_up(packages, by_ms));
    if is_still_laden(dossier, trucks, (&entries, alone.is_some()), by_ms) {
        return InStore::No;
    }

    let alone = alone.map(|truck| officers(truck.events("unloaded")));
    let together = || gave_up_together(dossier, trucks, &entries, by_ms);
    let Some(unloaded) = alone.or_else(together) else {
        return InStore::No;
    };

    // What went out of the store before the truck left may lie on it again.
    let due_ms = store_due_ms(dossier, by_ms);
    let came = hold.sum_of("store.in", |e| e.known_from_ms() <= due_ms);
    let is_before = |e: &Fact<'_>| e.known_from_ms() <= by_ms;
    let went = hold.sum_of("store.out", is_before);
    let mut outs = hold.events("store.out").filter(is_before);
    let is_told = outs.all(|e| e.int("packages").is_some());
    let stored = officers(hold.events("store.in"));

    let is_there = came.saturating_sub(went) >= packages && is_told;
    match is_there && are_two(&unloaded, &stored) {
        true => InStore::All,
        false => InStore::MayCome(due_ms),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn unloaded(at_ms: i64, packages: i64) -> Json {
        by(
            "OF-2",
            event("unloaded", at_ms, json!({"packages": packages})),
        )
    }

    fn stored(officer: &str, at_ms: i64, packages: i64) -> Json {
        let data = json!({"slot": "A", "packages": packages});
        by(officer, event("store.in", at_ms, data))
    }

    fn declared() -> Facts {
        let registered = event("registered", 0, json!({}));
        entry("E1", json!({"total_packages": 200}), &[registered])
    }

    /// A hold on the entry, with more events.
    fn held(more: &[Json]) -> Facts {
        let placed = [
            event("hold.placed", 1, json!({})),
            event("link", 1, json!({"record": "E1"})),
        ];
        hold("H1", json!({}), &[&placed, more].concat())
    }

    /// A truck that came after an hour and left after ten, with more events.
    fn truck(more: &[Json]) -> Facts {
        let gates = [
            event("gate.in", H, json!({})),
            by("OF-9", event("gate.out", 10 * H, json!({}))),
        ];
        passage("P1", json!({"direction": "in"}), &[&gates, more].concat())
    }

    #[test]
    fn held_goods_that_lie_in_the_store_left_with_no_truck() {
        let found = |on_truck: &[Json], on_hold: &[Json]| {
            let linked = vec![held(on_hold), truck(on_truck)];
            firm("R02", declared(), linked)
        };
        let all = || unloaded(2 * H, 200);

        assert_eq!(found(&[all()], &[stored("OF-3", 3 * H, 200)]), []);
        assert_eq!(found(&[], &[]), [Phase::Firm]);
        let part = [unloaded(2 * H, 150)];
        assert_eq!(found(&part, &[stored("OF-3", 3 * H, 150)]), [Phase::Firm]);
        let half = found(&[all()], &[stored("OF-3", 3 * H, 150)]);
        assert_eq!(half, [Phase::Firm], "not all went into the store");
        let alone = found(&[all()], &[stored("OF-2", 3 * H, 200)]);
        assert_eq!(alone, [Phase::Firm], "one officer alone says so");

        let again = event("reloaded", 4 * H, json!({"packages": 50}));
        let reloaded = found(&[all(), again], &[stored("OF-3", 3 * H, 200)]);
        assert_eq!(reloaded, [Phase::Firm]);
        let late = found(&[unloaded(11 * H, 200)], &[stored("OF-3", 12 * H, 200)]);
        assert_eq!(late, [Phase::Firm], "after it had left");
        let out = event("store.out", 5 * H, json!({"slot": "A", "packages": 200}));
        let taken = found(&[all()], &[stored("OF-3", 3 * H, 200), out]);
        assert_eq!(taken, [Phase::Firm], "it lay there no more");
    }

    #[test]
    fn the_items_of_an_entry_tell_how_many_packages_it_declares() {
        let found = |packages: i64| {
            let registered = event("registered", 0, json!({}));
            let fields = json!({"goods.1.packages": 150, "goods.2.packages": 50});
            let goods = entry("E1", fields, &[registered]);
            let stored = stored("OF-3", 3 * H, packages);
            let truck = truck(&[unloaded(2 * H, packages)]);
            firm("R02", goods, vec![held(&[stored]), truck])
        };

        assert_eq!(found(200), []);
        assert_eq!(found(150), [Phase::Firm]);
    }

    #[test]
    fn what_came_off_all_trucks_of_an_entry_counts_together() {
        let second = |packages: i64| {
            let events = [
                event("gate.in", H, json!({})),
                unloaded(3 * H, packages),
                by("OF-9", event("gate.out", 11 * H, json!({}))),
            ];
            passage("P2", json!({"direction": "in"}), &events)
        };
        let found = |rule, first: &[Json], packages: i64| {
            let held = held(&[stored("OF-3", 4 * H, 200)]);
            firm(rule, declared(), vec![held, truck(first), second(packages)]).len()
        };
        let half = [unloaded(2 * H, 100)];

        for rule in ["R02", "R26"] {
            assert_eq!(found(rule, &half, 100), 0, "{rule}");
            assert_eq!(found(rule, &half, 99), 2, "{rule}: not all came off");
            let laden = found(rule, &[], 200);
            assert_eq!(laden, 1, "{rule}: nothing came off the first");
        }
    }

    #[test]
    fn a_trip_that_begins_when_all_lies_in_the_store_takes_nothing_of_it() {
        let found = |rule, packages: i64| {
            let stored = stored("OF-3", 3 * H, packages);
            let first = truck(&[unloaded(2 * H, packages)]);
            let events = [
                event("gate.in", 24 * H, json!({})),
                by("OF-9", event("gate.out", 25 * H, json!({}))),
            ];
            let second = passage("P2", json!({"direction": "in"}), &events);
            firm(rule, declared(), vec![held(&[stored]), first, second]).len()
        };

        assert_eq!(found("R02", 200), 0);
        assert_eq!(found("R26", 200), 0);
        assert_eq!(found("R02", 199), 2, "one may ride with either");
    }

    #[test]
    fn a_store_has_a_day_to_tell_what_it_took_in() {
        let at = |received_ms| {
            let linked = vec![held(&[]), truck(&[unloaded(2 * H, 200)])];
            phases("R02", &dossier(declared(), linked, received_ms))
        };

        assert_eq!(at(30 * H), [Phase::Pending]);
        assert_eq!(at(35 * H), [Phase::Firm]);
    }

    #[test]
    fn a_truck_that_left_everything_in_a_bonded_store_took_nothing_inland() {
        let found = |more: &[Json]| firm("R26", declared(), vec![truck(more)]);

        assert_eq!(found(&[unloaded(2 * H, 200)]), [Phase::Firm], "one word");
        let second = by("OF-3", unloaded(2 * H, 200));
        assert_eq!(found(&[unloaded(2 * H, 200), second]), []);
        assert_eq!(found(&[]), [Phase::Firm]);
        assert_eq!(found(&[unloaded(2 * H, 199)]), [Phase::Firm]);
        let own = by("OF-9", unloaded(2 * H, 200));
        assert_eq!(found(&[own]), [Phase::Firm], "said by whoever let it out");
        let mut weighed = event("weighed", 3 * H, json!({"net_kg": 20_000}));
        weighed["attested"] = true.into();
        let laden = found(&[unloaded(2 * H, 200), weighed]);
        assert_eq!(laden, [Phase::Firm], "a scale shows a load");
    }
}
