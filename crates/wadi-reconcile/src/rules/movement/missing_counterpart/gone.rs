//! Links to an entry whose goods are gone: its own vehicle had left with all of them.
//!
//! The entry sees both vehicles, that which it names and that which is linked with it. Who is only
//! linked does not see the other, and asks the entry; so the entry tells of it.

use super::{Says, load_kg, stands};
use crate::{
    Contradiction, Dossier, Fact, Facts,
    consignment::TAKEN_OFF,
    numbers::{apart, total},
    shown_load::allowed_kg,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What makes a vehicle known as one that left with the goods of an entry.
const LEFT_BY: [&str; 2] = ["weighed", "gate.out"];

/// A plate or a number, as it is compared.
type VehicleTerm = (&'static str, String);

/// A record with what its vehicles were when it was let go, and when it began.
struct ToldRecord<'a> {
    record: &'a Facts,
    vehicles: BTreeSet<VehicleTerm>,
    began_ms: i64,
}

/// Records by their vehicles: each is read once, however many others it is held against.
struct ByVehicle<'a> {
    records: Vec<ToldRecord<'a>>,
    places: BTreeMap<VehicleTerm, Vec<usize>>,
}

impl<'a> ByVehicle<'a> {
    fn of(records: impl Iterator<Item = &'a Facts>) -> Self {
        let records: Vec<ToldRecord<'a>> = records
            .map(|record| ToldRecord {
                record,
                vehicles: record.vehicles_told(),
                began_ms: record.began_ms(),
            })
            .collect();

        let mut places: BTreeMap<VehicleTerm, Vec<usize>> = BTreeMap::new();
        for (place, told) in records.iter().enumerate() {
            for vehicle in &told.vehicles {
                places.entry(vehicle.clone()).or_default().push(place);
            }
        }

        Self { records, places }
    }

    /// Those of one of these vehicles that began so near to a time, in their order.
    fn near(
        &self,
        vehicles: &BTreeSet<VehicleTerm>,
        began_ms: i64,
        near_ms: i64,
    ) -> impl Iterator<Item = &ToldRecord<'a>> {
        let places = vehicles
            .iter()
            .filter_map(|vehicle| self.places.get(vehicle));
        let places: BTreeSet<usize> = places.flatten().copied().collect();
        let all = places.into_iter().filter_map(move |n| self.records.get(n));
        all.filter(move |told| apart(told.began_ms, began_ms) <= near_ms)
    }
}

/// The passages and entries of a dossier by their vehicles.
pub(super) struct GoneByVehicle<'a> {
    dossier: &'a Dossier,
    passages: ByVehicle<'a>,
    entries: ByVehicle<'a>,
}

impl<'a> GoneByVehicle<'a> {
    /// Reads a dossier.
    pub(super) fn of(dossier: &'a Dossier) -> Self {
        let passages = dossier.of("passage").filter(|p| stands(p));
        let entries = dossier.of("customs-entry").filter(|e| stands(e));

        Self {
            dossier,
            passages: ByVehicle::of(passages),
            entries: ByVehicle::of(entries),
        }
    }

    /// The vehicles that an entry names, which scales showed, with everything yet on them. Not
    /// those that may have carried the goods of another entry: then this one's are still to come.
    fn with_goods_of(&self, entry: &Facts) -> Vec<&'a Facts> {
        let dossier = self.dossier;
        let near_ms = dossier.near_ms();
        let is_of_another = |own: &ToldRecord<'a>| {
            let mut entries = self.entries.near(&own.vehicles, own.began_ms, near_ms);
            entries.any(|other| other.record.id != entry.id)
        };
        let has_them = |own: &ToldRecord<'a>| {
            let mut attested = own.record.weighings().filter(Fact::attested);
            let is_weighed = attested.any(|w| w.net_kg().is_some());
            let is_whole = own.record.moved(dossier, &TAKEN_OFF).next().is_none();
            is_weighed && is_whole && !is_of_another(own)
        };

        let vehicles = entry.vehicles_told();
        let own = self.passages.near(&vehicles, entry.began_ms(), near_ms);
        let own = own.filter(|own| has_them(own));
        own.map(|own| own.record).collect()
    }

    /// The vehicle that an entry names, where scales showed all its goods on such, and they had
    /// left with them when it was released, before the truck came or was linked with it.
    pub(super) fn left_with_all(&self, truck: &Facts, entry: &Facts) -> Option<&'a Facts> {
        self.left_of(&self.with_goods_of(entry), truck, entry)
    }

    fn left_of(&self, own: &[&'a Facts], truck: &Facts, entry: &Facts) -> Option<&'a Facts> {
        let dossier = self.dossier;
        let released_ms = entry.first_ms("entry.released")?;
        let linked_ms = truck.linked_from_ms(entry).unwrap_or(i64::MIN);
        let since_ms = linked_ms.max(truck.began_ms());

        // What is written beside its exit, by another clock, was written while it was there.
        let had_left = |own: &&Facts| {
            let left_by_ms = own.left().map(|left| dossier.within_doubt(left.at_ms));
            left_by_ms.is_some_and(|ms| ms >= released_ms && ms < since_ms)
        };
        let is_another =
            |own: &&Facts| own.is_inbound() == truck.is_inbound() && !own.shares_vehicle(truck);

        let own = own.iter().copied().filter(had_left);
        let own: Vec<&'a Facts> = own.filter(is_another).collect();
        let gone_kg = total(own.iter().map(|own| load_kg(own)));
        let declared_kg = entry.sum("goods", "gross_g")?.max(0) / 1_000;
        let short_kg = declared_kg.saturating_sub(gone_kg);

        let is_all = short_kg <= allowed_kg(dossier, declared_kg);
        own.first().copied().filter(|_| is_all)
    }
}

/// Vehicles that have nothing of the anchor, an entry, but a link to it, where its own had left.
pub(super) fn linked_to_it(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    if !entry.is_customs_entry() || !stands(entry) {
        return Vec::new();
    }

    let shares = |truck: &Facts| {
        truck.shares_vehicle(entry)
            || truck.shares_any(entry, "container")
            || truck.shares_any(entry, "seal")
            || truck.shares(entry, "transit.ref")
    };
    let is_only_linked = |truck: &&Facts| truck.is_linked_to(entry) && !shares(truck);
    let brings_goods = |truck: &&Facts| {
        let came = truck.any(&["gate.in", "gate.out"]).next().is_some();
        stands(truck) && came && truck.carries_goods()
    };

    let trucks = dossier.of("passage").filter(is_only_linked);
    let trucks: Vec<&Facts> = trucks.filter(brings_goods).collect();
    if trucks.is_empty() {
        return Vec::new();
    }

    let gone = GoneByVehicle::of(dossier);
    let with_goods = gone.with_goods_of(entry);
    let told = trucks.into_iter().filter_map(|truck| {
        let own = gone.left_of(&with_goods, truck, entry)?;
        // Where each names the entry they see each other: then the vehicle itself is asked.
        let names = |passage: &Facts| passage.naming(entry).next().is_some();
        let sees_it = names(truck) && names(own);
        (!sees_it).then(|| found(dossier, truck, own))
    });
    told.collect()
}

fn found(dossier: &Dossier, truck: &Facts, own: &Facts) -> Contradiction {
    let entry = &dossier.anchor;
    let linked_ms = truck.linked_from_ms(entry).unwrap_or(i64::MIN);
    let at_ms = linked_ms.max(truck.began_ms());
    let left_ms = own.left().map_or(at_ms, |left| left.at_ms);
    let says = Says::Gone {
        truck: truck.printed(),
        entry: entry.printed(),
        own: own.printed(),
    };
    let evidence = json!({"passage": truck.printed(), "other": own.printed(), "left_ms": left_ms});

    let concerns = [entry.crossing(), truck.crossing(), own.crossing(), "HUB"];
    let of_entry = entry.begun_by().into_iter();
    let of_entry = of_entry.chain(entry.said_by(&["link"]));
    let of_truck = truck.begun_by().into_iter();
    let of_truck = of_truck.chain(truck.said_by(&["link"]));

    Contradiction::new(format!("gone {}", truck.id), at_ms, says, evidence)
        .until(concerns, at_ms.max(left_ms))
        .citing(entry, of_entry)
        .citing(truck, of_truck)
        .citing(own, own.said_by(&LEFT_BY))
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn goods(grams: i64) -> Facts {
        let events = [
            event("registered", 0, json!({})),
            event("entry.released", 2 * H, json!({})),
        ];
        let fields = json!({"vehicle.plate": "11A1", "goods.1.gross_g": grams});
        entry("E1", fields, &events)
    }

    /// The vehicle that the entry names, weighed with twenty tonnes.
    fn own(left_ms: i64, more: &[Json]) -> Facts {
        let mut weighed = event("weighed", H, json!({"net_kg": 20_000}));
        weighed["attested"] = true.into();
        let came = event("gate.in", H, json!({}));
        let left = event("gate.out", left_ms, json!({}));
        let fields = json!({"vehicle.plate": "11A1", "purpose": "goods"});
        passage("P1", fields, &[&[came, weighed, left], more].concat())
    }

    fn linked(plate: &str, purpose: &str) -> Facts {
        let events = [
            event("gate.in", 4 * H, json!({})),
            event("link", 4 * H, json!({"record": "E1"})),
            event("gate.out", 5 * H, json!({})),
        ];
        let fields = json!({"vehicle.plate": plate, "purpose": purpose});
        passage("P2", fields, &events)
    }

    #[test]
    fn a_link_to_an_entry_whose_truck_left_with_all_goods_is_told_by_the_entry() {
        let stranger = || linked("22B2", "goods");
        let found = |entry: Facts, own: Facts, other: Facts| firm("R15", entry, vec![own, other]);
        let all = || goods(20_000_000);
        let gone = || own(3 * H, &[]);

        assert_eq!(found(all(), gone(), stranger()), [Phase::Firm]);
        assert_eq!(found(goods(20_300_000), gone(), stranger()), [Phase::Firm]);
        let rest = found(goods(40_000_000), gone(), stranger());
        assert_eq!(rest, [], "it brings the rest");
        let here = found(all(), own(6 * H, &[]), stranger());
        assert_eq!(here, [], "its own is there yet");
        assert_eq!(found(all(), gone(), linked("11A1", "goods")), [], "itself");
        assert_eq!(found(all(), gone(), linked("22B2", "empty")), []);

        let unloaded = event("unloaded", 2 * H, json!({"packages": 90}));
        let moved = found(all(), own(3 * H, &[unloaded]), stranger());
        assert_eq!(moved, [], "they were taken off it");

        let registered = [event("registered", 0, json!({}))];
        let other = entry("E2", json!({"vehicle.plate": "11A1"}), &registered);
        let series = firm("R15", all(), vec![gone(), stranger(), other]);
        assert_eq!(series, [], "it may have carried those of another entry");
    }

    #[test]
    fn a_truck_that_sees_that_the_goods_were_gone_is_asked_itself() {
        let link = event("link", 2 * H, json!({"record": "E1"}));
        let gone = || own(3 * H, std::slice::from_ref(&link));
        let stranger = || linked("22B2", "goods");
        let all = || goods(20_000_000);

        assert_eq!(firm("R15", stranger(), vec![all(), gone()]), [Phase::Firm]);
        assert_eq!(firm("R15", all(), vec![stranger(), gone()]), []);
        let rest = vec![goods(40_000_000), gone()];
        assert_eq!(firm("R15", stranger(), rest), [], "it brings the rest");
    }
}
