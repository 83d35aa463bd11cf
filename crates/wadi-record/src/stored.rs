//! What lies in a store, and rides with no truck: packages that came off it and went in.
//!
//! A truck leaves without the goods that a hold holds once all packages that the entry declares
//! were unloaded from it and the other trucks that brought them, and as many lie in the store on
//! that hold; and where one officer did not say both. The three stand on three records. Each tells
//! its number as a term, so that the store finds what is held by its index; R02 asks the records,
//! and when each was written.

use crate::{Field, Kind, normalise_reference, project::Terms, record::Record};
use wadi_log::Value;

/// What a passage is known by from which packages came off.
const CAME_OFF: &str = "came_off";
const CAME_OFF_BY: &str = "came_off_by";
/// What a hold is known by on which packages lie in a store.
const STORED: &str = "stored";
const STORED_BY: &str = "stored_by";
/// What a customs entry is known by: how many packages it declares.
const PACKAGES: &str = "packages";
/// More are none that a truck brings: the store adds up what came off several.
const PACKAGES_MAX: i64 = 1_000_000_000;

/// How it is known that all goods of a truck lie in a store, on a hold that names their entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredTerms {
    /// How many packages came off a passage.
    pub came_off: &'static str,
    /// Who said so, each.
    pub came_off_by: &'static str,
    /// How many packages lie in a store on a hold.
    pub stored: &'static str,
    /// Who said that they went in, each.
    pub stored_by: &'static str,
    /// How many packages an entry declares.
    pub declared: &'static str,
}

/// How goods are known that lie in a store.
pub fn stored_terms() -> StoredTerms {
    StoredTerms {
        came_off: CAME_OFF,
        came_off_by: CAME_OFF_BY,
        stored: STORED,
        stored_by: STORED_BY,
        declared: PACKAGES,
    }
}

/// The terms of a record that tell of packages.
pub(crate) fn terms_of_stores(record: &Record) -> Terms {
    match record.kind() {
        Some(Kind::Passage) => moved(record, ["unloaded", "reloaded"], [CAME_OFF, CAME_OFF_BY]),
        Some(Kind::QuarantineHold) => moved(record, ["store.in", "store.out"], [STORED, STORED_BY]),
        Some(Kind::CustomsEntry) => declared(record),
        _ => Vec::new(),
    }
}

/// What was moved one way and not back, and by whom. A movement that was not counted in packages
/// leaves unknown how many there are.
fn moved(record: &Record, [there, back]: [&str; 2], [number, by]: [&str; 2]) -> Terms {
    let sum = |kind: &str| {
        let of_kind = record.events().filter(|e| e.counts() && e.kind() == kind);
        let mut packages = of_kind.map(|e| e.int("packages"));
        packages.try_fold(0i64, |sum, packages| Some(sum.saturating_add(packages?)))
    };
    let (Some(there_sum), Some(back_sum)) = (sum(there), sum(back)) else {
        return Vec::new();
    };
    let left = there_sum.saturating_sub(back_sum).min(PACKAGES_MAX);
    if left <= 0 {
        return Vec::new();
    }

    let said = record.events().filter(|e| e.counts() && e.kind() == there);
    let officers = said.map(|e| normalise_reference(&e.officer));
    let mut terms: Terms = officers
        .map(|officer| (by.to_string(), crate::term(&officer)))
        .collect();
    terms.push((number.to_string(), left.to_string()));
    terms
}

/// What an entry declares: its total, else the sum of its items.
fn declared(record: &Record) -> Terms {
    let whole = |name: &str| match record.field(name) {
        Some(Field::Settled(Value::Int(packages))) => Some(packages),
        _ => None,
    };
    let items = || {
        let names = record.field_names().into_iter();
        let of_items = names.filter(|n| n.starts_with("goods.") && n.ends_with(".packages"));
        let packages = of_items.filter_map(|name| whole(&name));
        packages.fold(0i64, i64::saturating_add)
    };

    let packages = whole("total_packages").unwrap_or_else(items);
    if packages <= 0 {
        return Vec::new();
    }

    let packages = packages.min(PACKAGES_MAX).to_string();
    vec![(PACKAGES.to_string(), packages)]
}
