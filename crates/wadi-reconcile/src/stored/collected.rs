//! Goods that lay in a store and were collected by another truck: what one brought the other takes,
//! and a scale that shows them on both shows them twice.
//!
//! That is so where packages came off a truck, went into the store on a hold on their entry, and
//! came out again, before they were loaded on another truck that had been empty: no more than came
//! off, than went in and than came out. One officer alone says neither pair of these.

use super::{are_two, officers};
use crate::{Dossier, Fact, Facts, consignment::PUT_ON, numbers::total};
use std::collections::BTreeSet;

/// What a load has to do with goods that lay in a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreRide {
    /// It brought them.
    Brought,
    /// It collected them.
    Collected,
}

/// The passages that brought goods of the anchor, an entry, into a store, and that collected them.
#[derive(Default, Debug)]
pub(crate) struct StoreRides {
    brought: BTreeSet<String>,
    collected: BTreeSet<String>,
}

impl StoreRides {
    /// Those of a dossier.
    pub(crate) fn of(dossier: &Dossier) -> Self {
        let holds = dossier.named_holds().filter(|hold| hold.has("store.in"));
        let holds: Vec<&Facts> = holds.collect();
        let stored_by = officers(holds.iter().flat_map(|hold| hold.events("store.in")));
        let let_out_by = officers(holds.iter().flat_map(|hold| hold.events("store.out")));
        let brought = |truck: &&Facts| brought_in(dossier, truck, &stored_by);
        let brought: Vec<&Facts> = match stored_by.is_empty() || let_out_by.is_empty() {
            true => Vec::new(),
            false => dossier.of("passage").filter(brought).collect(),
        };

        let off_ms = brought.iter().filter_map(|t| t.first_ms("unloaded")).min();
        let Some(off_ms) = off_ms else {
            return Self::default();
        };

        let came_off = brought.iter().map(|t| t.came_off(dossier.left_by_ms(t)));
        let went_in = holds.iter().map(|hold| hold.sum_of("store.in", |_| true));
        let most = total(came_off).min(total(went_in));
        let mut out = Self {
            brought: brought.iter().map(|truck| truck.id.clone()).collect(),
            collected: BTreeSet::new(),
        };

        let came_out = CameOut::of(&holds);
        let mut taken = 0;
        for truck in out.loaded_since(dossier, off_ms) {
            let loaded = || truck.moved(dossier, &PUT_ON);
            let out_then = came_out.by(dossier.left_by_ms(truck));
            let packages = total(loaded().filter_map(|e| e.packages_moved()));
            let with_it = packages.saturating_add(taken);

            let is_there = with_it <= most.min(out_then);
            if is_there && are_two(&officers(loaded()), &let_out_by) {
                taken = with_it;
                out.collected.insert(truck.id.clone());
            }
        }

        out
    }

    /// The other trucks on which something was loaded since goods came off, in that order. What was
    /// laden before brought goods of its own.
    fn loaded_since<'a>(&self, dossier: &'a Dossier, off_ms: i64) -> Vec<&'a Facts> {
        let others = dossier.of("passage");
        let others = others.filter(|truck| !self.brought.contains(&truck.id));
        let loaded = others.filter_map(|truck| {
            let first_ms = truck.moved(dossier, &PUT_ON).map(|e| e.at_ms()).min()?;
            let was_empty = truck.laden_from_ms().is_none_or(|ms| ms >= first_ms);
            (was_empty && first_ms >= off_ms).then_some((first_ms, truck))
        });

        let mut loaded: Vec<(i64, &Facts)> = loaded.collect();
        loaded.sort_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)));
        loaded.into_iter().map(|(_, truck)| truck).collect()
    }

    /// What the passages of a load have to do with goods that lay in a store.
    pub(crate) fn of_load<'p>(
        &self,
        mut passages: impl Iterator<Item = &'p Facts> + Clone,
    ) -> Option<StoreRide> {
        if passages.clone().all(|p| self.collected.contains(&p.id)) {
            return Some(StoreRide::Collected);
        }
        let is_brought = passages.any(|p| self.brought.contains(&p.id));
        is_brought.then_some(StoreRide::Brought)
    }
}

/// How many packages had come out of a store.
struct CameOut {
    /// From a time on, Unix milliseconds, so many together, the earliest first.
    running: Vec<(i64, i64)>,
}

impl CameOut {
    fn of(holds: &[&Facts]) -> Self {
        let all = holds.iter().flat_map(|hold| hold.events("store.out"));
        let told = all.filter_map(|e| Some((e.known_from_ms(), e.packages_moved()?)));
        let mut running: Vec<(i64, i64)> = told.collect();
        running.sort_unstable();

        let mut together: i64 = 0;
        for (_, packages) in &mut running {
            together = together.saturating_add(*packages);
            *packages = together;
        }

        Self { running }
    }

    /// By what was known by a time, Unix milliseconds.
    fn by(&self, until_ms: i64) -> i64 {
        let known = self.running.partition_point(|(ms, _)| *ms <= until_ms);
        let last = known.checked_sub(1).and_then(|n| self.running.get(n));
        last.map_or(0, |(_, packages)| *packages)
    }
}

/// Whether packages came off a truck before it left, by the word of somebody else than of who put
/// them into the store, and no attested weighing since shows a load.
fn brought_in(dossier: &Dossier, truck: &Facts, stored_by: &BTreeSet<String>) -> bool {
    let Some(last_ms) = truck.last_ms("unloaded") else {
        return false;
    };
    let attested = truck.weighings().filter(Fact::attested);
    let mut after = attested.filter(|w| w.at_ms() >= last_ms);
    let is_off = truck.came_off(dossier.left_by_ms(truck)) > 0;

    let unloaded_by = officers(truck.events("unloaded"));
    is_off && are_two(&unloaded_by, stored_by) && !after.any(|w| w.shows_a_load())
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn weighed(at_ms: i64, net_kg: i64) -> Json {
        let mut weighed = event("weighed", at_ms, json!({"net_kg": net_kg}));
        weighed["attested"] = true.into();
        weighed
    }

    fn packages(count: i64) -> Json {
        json!({"slot": "A", "packages": count})
    }

    /// An entry of twenty tonnes, which customs link with the truck that collects them.
    fn goods() -> Facts {
        let events = [
            event("registered", 0, json!({})),
            event("entry.released", 30 * H, json!({})),
            event("link", 30 * H, json!({"record": "P2"})),
        ];
        let fields = json!({"goods.1.gross_g": 20_000_000, "total_packages": 200});
        entry("E1", fields, &events)
    }

    fn first(more: &[Json]) -> Facts {
        let gates = [
            event("gate.in", H, json!({})),
            weighed(H + 1, 20_000),
            event("gate.out", 5 * H, json!({})),
        ];
        let fields = json!({"direction": "in", "purpose": "goods"});
        passage("P1", fields, &[&gates, more].concat())
    }

    fn second(more: &[Json]) -> Facts {
        let gates = [
            event("gate.in", 30 * H, json!({})),
            event("gate.out", 33 * H, json!({})),
        ];
        let fields = json!({"vehicle.plate": "22B2", "direction": "in", "purpose": "goods"});
        passage("P2", fields, &[&gates, more].concat())
    }

    fn held(more: &[Json]) -> Facts {
        let placed = [
            event("hold.placed", H, json!({})),
            event("link", H, json!({"record": "E1"})),
        ];
        hold("H1", json!({}), &[&placed, more].concat())
    }

    #[test]
    fn goods_that_another_truck_collects_from_the_store_are_weighed_once() {
        let off = || said_by("OF-O1", "unloaded", 2 * H, packages(200));
        let on = |count: i64| said_by("OF-O1", "reloaded", 31 * H, packages(count));
        let went_in = |who: &str| said_by(who, "store.in", 3 * H, packages(200));
        let came_out = |count: i64| said_by("OF-C2", "store.out", 30 * H, packages(count));
        let shown = |kg: i64| weighed(32 * H, kg);
        let found = |first: Facts, second: Facts, held: Facts| {
            let all = vec![first, second, held];
            firm("R03", goods(), all).len()
        };
        let stored = || held(&[went_in("OF-C2"), came_out(200)]);
        let took = || second(&[on(200), shown(20_000)]);

        assert_eq!(found(first(&[off()]), took(), stored()), 0);
        let more = second(&[on(200), shown(28_000)]);
        assert_eq!(
            found(first(&[off()]), more, stored()),
            1,
            "more than it was"
        );

        assert_eq!(found(first(&[]), took(), stored()), 1, "nothing came off");
        let kept = first(&[off(), weighed(4 * H, 20_000)]);
        assert_eq!(found(kept, took(), stored()), 1, "it has its load yet");
        let lies = held(&[went_in("OF-C2")]);
        assert_eq!(found(first(&[off()]), took(), lies), 1, "it lies there yet");
        let part = held(&[went_in("OF-C2"), came_out(100)]);
        assert_eq!(found(first(&[off()]), took(), part), 1);
        let alone = held(&[went_in("OF-O1"), came_out(200)]);
        assert_eq!(found(first(&[off()]), took(), alone), 1, "one officer");
        let laden = second(&[weighed(30 * H, 20_000), on(200), shown(20_000)]);
        assert_eq!(
            found(first(&[off()]), laden, stored()),
            1,
            "goods of its own"
        );
    }

    #[test]
    fn the_truck_that_customs_link_with_goods_from_the_store_is_declared() {
        let on = said_by("OF-O1", "reloaded", 31 * H, packages(200));
        let truck = || second(&[on.clone(), weighed(32 * H, 20_000)]);
        assert_eq!(firm("R15", truck(), vec![goods()]), []);
        assert_eq!(firm("R15", truck(), vec![]), [Phase::Firm]);
    }
}
