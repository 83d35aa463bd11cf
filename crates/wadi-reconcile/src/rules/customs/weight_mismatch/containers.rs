//! What stands on a scale with the goods: containers, whose own mass no vehicle's tare tells.

use super::WeighedMass;
use crate::{
    consignment::{Consignment, Load},
    passages::empty_containers_kg,
    stood::{known_first, stood_beside},
};
use std::collections::{BTreeMap, BTreeSet};

/// Containers that both the entries and the trucks name, and that were known to stand on the scale
/// with the goods when it showed so much first.
pub(super) fn containers_weighed(
    all: &Consignment<'_>,
    masses: &[WeighedMass<'_>],
    permille: u32,
) -> BTreeSet<String> {
    let mut weighed = BTreeSet::new();
    if all.containers.is_empty() {
        return weighed;
    }

    let mut declared: BTreeMap<String, i64> = BTreeMap::new();
    for (number, since_ms) in all.entries.iter().flat_map(|e| e.containers_known()) {
        known_first(&mut declared, number, since_ms);
    }

    let mut loads: BTreeMap<&str, &Load<'_>> = BTreeMap::new();
    for load in &all.loads {
        let ids = load.stations.iter().map(|s| s.passage.id.as_str());
        loads.extend(ids.map(|id| (id, load)));
    }

    for mass in masses {
        let weighing = mass.net.shown_first(mass.truck, permille);
        let load = loads.get(mass.truck.id.as_str());
        for station in load.into_iter().flat_map(|load| &load.stations) {
            let known = station.passage.containers_known();
            let is_weighed = |number: &String| {
                let mut since = known.get(number).into_iter().chain(declared.get(number));
                since.any(|since_ms| stood_beside(*since_ms, &weighing))
            };
            let named = station.passage.containers_told().into_iter();
            weighed.extend(named.filter(is_weighed));
        }
    }

    all.containers.intersection(&weighed).cloned().collect()
}

/// A mass without what the containers on the vehicles may weigh at most.
pub(super) fn without_containers(net_kg: i64, containers: usize, vehicles: usize) -> i64 {
    let empty_kg = empty_containers_kg(containers, vehicles);
    net_kg.saturating_sub(empty_kg).max(net_kg.min(0))
}
