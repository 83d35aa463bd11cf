//! What records of one journey share.

use crate::Facts;
use std::collections::BTreeSet;
use wadi_record::field_term;

/// What records of one journey share, in its normal forms: read once off a record that is held
/// against many others.
#[derive(Debug)]
pub(crate) struct KnownMarks {
    id: String,
    pub(crate) containers: BTreeSet<String>,
    pub(crate) transit: Option<String>,
    pub(crate) vehicles: BTreeSet<(&'static str, String)>,
    pub(crate) seals: BTreeSet<String>,
    /// Ids of the records that its links name.
    pub(crate) named: BTreeSet<String>,
}

impl KnownMarks {
    pub(crate) fn of(record: &Facts) -> Self {
        let form = |name: &str, text: &str| field_term(name, text).map(|(_, value)| value);
        let all = |prefix: &str| {
            let name = format!("{prefix}.1");
            let texts = record.texts(prefix, "").into_iter();
            texts.filter_map(|text| form(&name, text)).collect()
        };
        let transit = record.field("transit.ref");

        Self {
            id: record.id.clone(),
            containers: all("container"),
            transit: transit.and_then(|text| form("transit.ref", text)),
            vehicles: record.vehicles(),
            seals: all("seal"),
            named: record.links().into_iter().map(String::from).collect(),
        }
    }

    /// Whether one of the two names the other.
    pub(crate) fn is_linked_to(&self, other: &Self) -> bool {
        self.named.contains(&other.id) || other.named.contains(&self.id)
    }

    pub(crate) fn shares_transit(&self, other: &Self) -> bool {
        self.transit.is_some() && self.transit == other.transit
    }

    pub(crate) fn shares_container(&self, other: &Self) -> bool {
        !self.containers.is_disjoint(&other.containers)
    }

    pub(crate) fn shares_vehicle(&self, other: &Self) -> bool {
        !self.vehicles.is_disjoint(&other.vehicles)
    }

    pub(crate) fn shares_seal(&self, other: &Self) -> bool {
        !self.seals.is_disjoint(&other.seals)
    }
}
