//! Goods that stayed behind when their truck left, as in a bonded store.
//!
//! Whoever lets undeclared goods inland says that they came off the truck, and one word of the
//! operator's is soon said. So it has to be borne out: by another officer, by a scale, or by the
//! store that took them in.

use crate::{
    Dossier, Fact, Facts,
    stored::{InStore, in_store},
};
use std::collections::BTreeSet;
use wadi_record::normalise_reference;

/// Whether all goods were unloaded from a truck before each of its exits, and not by one officer's
/// word alone.
pub(super) fn left_without(dossier: &Dossier, truck: &Facts) -> bool {
    let is_without = |out: &Fact<'_>| {
        truck.left_without(&dossier.anchor, dossier, out) && is_borne_out(dossier, truck, out)
    };
    let mut exits = truck.events("gate.out");
    exits.all(|out| is_without(&out))
}

/// Whether the word that all came off a truck does not stand alone, by what was written when it
/// left: two officers say so, or somebody stands for it; or an attested weighing since shows no
/// load; or all lies in the store of a hold.
fn is_borne_out(dossier: &Dossier, truck: &Facts, out: &Fact<'_>) -> bool {
    let by_ms = dossier.within_doubt(out.known_from_ms());
    let own = unloaded(truck, by_ms);
    // Where nothing came off it, all had come off the others before.
    let said: Vec<Fact<'_>> = match own.is_empty() {
        true => {
            let others = dossier.of("passage");
            others.flat_map(|other| unloaded(other, by_ms)).collect()
        }
        false => own,
    };

    let officers: BTreeSet<String> = said
        .iter()
        .map(|e| normalise_reference(e.officer()))
        .collect();
    if officers.len() > 1 || said.iter().any(Fact::attested) {
        return true;
    }

    let last_ms = unloaded(truck, by_ms).iter().map(Fact::at_ms).max();
    let is_after = |w: &Fact<'_>| last_ms.is_none_or(|ms| dossier.within_doubt(w.at_ms()) >= ms);
    let shows_none = |w: &Fact<'_>| w.net_kg().is_some() && !w.shows_a_load();
    let mut attested = truck.weighings().filter(Fact::attested);
    let is_weighed = attested.any(|w| w.known_from_ms() <= by_ms && is_after(&w) && shows_none(&w));

    let lies = |hold: &Facts| in_store(dossier, &[truck], hold, out) == InStore::All;
    is_weighed || dossier.of("hold").any(lies)
}

/// What is said of packages that came off a truck, as was written by a time, Unix milliseconds.
fn unloaded(truck: &Facts, by_ms: i64) -> Vec<Fact<'_>> {
    let all = truck.events("unloaded");
    let some = all.filter(|e| e.packages_moved().is_some());
    some.filter(|e| e.known_from_ms() <= by_ms).collect()
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn unloaded(officer: &str) -> Json {
        by(officer, event("unloaded", 2 * H, json!({"packages": 200})))
    }

    fn declared() -> Facts {
        let registered = event("registered", 0, json!({}));
        entry("E1", json!({"total_packages": 200}), &[registered])
    }

    /// What is found of a truck that came after an hour and left after ten.
    fn found(on_truck: &[Json], on_hold: &[Json]) -> Vec<Phase> {
        let gates = [
            event("gate.in", H, json!({})),
            by("OF-9", event("gate.out", 10 * H, json!({}))),
        ];
        let fields = json!({"direction": "in"});
        let truck = passage("P1", fields, &[&gates, on_truck].concat());
        let placed = [
            event("hold.placed", 1, json!({})),
            event("link", 1, json!({"record": "E1"})),
        ];
        let held = hold("H1", json!({}), &[&placed, on_hold].concat());
        firm("R26", declared(), vec![truck, held])
    }

    #[test]
    fn one_officers_word_that_all_came_off_a_truck_ends_nothing() {
        assert_eq!(found(&[unloaded("OF-2")], &[]), [Phase::Firm]);
        let twice = [unloaded("OF-2"), unloaded("of-2")];
        assert_eq!(found(&twice, &[]), [Phase::Firm], "the same officer");
        assert_eq!(found(&[unloaded("OF-2"), unloaded("OF-3")], &[]), []);
        let mut attested = unloaded("OF-2");
        attested["attested"] = true.into();
        assert_eq!(found(&[attested], &[]), [], "customs stand for it");

        let mut late = unloaded("OF-3");
        late["entered_ms"] = (30 * H).into();
        let late = found(&[unloaded("OF-2"), late], &[]);
        assert_eq!(late, [Phase::Firm], "written a day after it left");
    }

    #[test]
    fn a_scale_or_a_store_bears_out_what_one_officer_says() {
        let weighed = |at_ms: i64, net_kg: i64| {
            let mut weighed = event("weighed", at_ms, json!({"net_kg": net_kg}));
            weighed["attested"] = true.into();
            found(&[unloaded("OF-2"), weighed], &[])
        };
        assert_eq!(weighed(3 * H, 100), []);
        assert_eq!(weighed(3 * H, 20_000), [Phase::Firm], "it has its load");
        assert_eq!(weighed(H + 1, 100), [Phase::Firm], "before that");

        let stored = |officer: &str, packages: i64| {
            let data = json!({"slot": "A", "packages": packages});
            let stored = by(officer, event("store.in", 3 * H, data));
            found(&[unloaded("OF-2")], &[stored])
        };
        assert_eq!(stored("OF-3", 200), []);
        assert_eq!(stored("OF-3", 150), [Phase::Firm], "not all of it");
        assert_eq!(stored("OF-2", 200), [Phase::Firm], "the same officer");
    }
}
