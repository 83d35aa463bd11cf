//! Goods that came off a truck and lie in a store: they ride with it no longer.
//!
//! What lies in a store is held there, and its truck goes home empty. That is so once all packages
//! that were declared were unloaded before the truck left, and as many went into the store on the
//! hold. One officer alone says neither for both: whoever lets a held truck go would say so, too.

use crate::{
    Dossier, Fact, Facts,
    numbers::{hours_ms, seconds_ms, total},
};
use std::collections::BTreeSet;
use wadi_record::normalise_reference;

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
fn are_two(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
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
        let unloaded = self.sum_of("unloaded", |e| e.known_from_ms() <= by_ms);
        let reloaded = self.sum_of("reloaded", |e| e.known_from_ms() <= by_ms);
        unloaded.saturating_sub(reloaded) >= packages
    }

    /// The packages that an entry declares.
    fn packages_declared(&self) -> Option<i64> {
        self.int("total_packages").filter(|packages| *packages > 0)
    }

    /// Whether a truck left without anything of what an entry declares: all was unloaded before, by
    /// somebody else than whoever let it out, and no attested weighing since shows a load.
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

        self.gave_up(packages, by_ms)
            && are_two(&officers(unloaded()), &gate)
            && !after.any(|w| w.shows_a_load())
    }
}

/// What was written by then, within the clocks' doubt, was there when a truck left.
fn until_ms(dossier: &Dossier, out: &Fact<'_>) -> i64 {
    let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);
    out.known_from_ms().saturating_add(doubt_ms)
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
    let declared: Option<Vec<i64>> = named.map(Facts::packages_declared).collect();
    let packages = total(declared.into_iter().flatten());
    if packages <= 0 {
        return InStore::No;
    }

    let by_ms = until_ms(dossier, out);
    let mut trucks = trucks.iter();
    let Some(truck) = trucks.find(|truck| truck.gave_up(packages, by_ms)) else {
        return InStore::No;
    };

    // What went out of the store before the truck left may lie on it again.
    let due_ms = by_ms.saturating_add(hours_ms(dossier.policy.counterpart_h));
    let came = hold.sum_of("store.in", |e| e.known_from_ms() <= due_ms);
    let is_before = |e: &Fact<'_>| e.known_from_ms() <= by_ms;
    let went = hold.sum_of("store.out", is_before);
    let mut outs = hold.events("store.out").filter(is_before);
    let is_told = outs.all(|e| e.int("packages").is_some());
    let unloaded = officers(truck.events("unloaded"));
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

    fn by(officer: &str, mut said: Json) -> Json {
        said["officer"] = officer.into();
        said
    }

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

        assert_eq!(found(&[unloaded(2 * H, 200)]), []);
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
