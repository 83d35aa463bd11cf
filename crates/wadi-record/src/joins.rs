//! Whose word joins two records.
//!
//! Anybody may say that a record belongs with another one, and it is kept and shown. It joins the
//! two, for holds, dossiers and rules, where it is said by who has to do with one of them: what a
//! hold holds its owner says, or who placed it, and of the traffic those who set the fields of
//! passages and entries. A `link` of anybody else would stop a truck by another department's hold,
//! or draw a stranger's load into a weighing.

use crate::{
    Department::{self, Cus, Hub, Pas, Port, Sec},
    HoldType, Kind, Policy,
    held::{Placement, UNPLACED},
    judged_change::EventView,
    record::Record,
};
use serde_json::Value as Json;

/// The event that says that a record belongs with another one.
pub(crate) const LINK: &str = "link";
/// The member of such an event, as it is projected, that tells that it joins nothing.
pub(crate) const UNJOINED: &str = "unjoined";

/// Who says which entry a passage carries, which vehicle brings an entry, and what travels
/// together.
const OF_TRAFFIC: [Department; 5] = [Port, Cus, Sec, Pas, Hub];

/// Whether a department has to do with passages and customs entries. A link that counts is always
/// some department's: a device says none.
pub(crate) fn is_of_traffic(department: Option<Department>) -> bool {
    department.is_none_or(|by| OF_TRAFFIC.contains(&by))
}

/// The events of a record that it is found by: all that restrict, but links that join nothing.
/// `placements` are those of the record.
pub(crate) fn joining_events<'a>(
    record: &'a Record,
    placements: &'a [Placement],
) -> impl Iterator<Item = &'a EventView> {
    let all = record.events().filter(|e| e.restricts());
    all.filter(move |e| joins(record, e, placements))
}

/// Events of a record as JSON; links that join nothing are told as such.
pub(crate) fn told_events(
    record: &Record,
    events: &[&EventView],
    placements: &[Placement],
) -> Vec<Json> {
    let line = |event: &&EventView| {
        let mut line = event.json();
        if !joins(record, event, placements) {
            line[UNJOINED] = true.into();
        }

        line
    };

    events.iter().map(line).collect()
}

/// Whether an event joins what it names, where it is a link.
fn joins(record: &Record, event: &EventView, placements: &[Placement]) -> bool {
    if event.kind() != LINK {
        return true;
    }

    match (record.kind(), event.department) {
        (Some(Kind::QuarantineHold), Some(by)) => is_of_hold(record, event, by, placements),
        (_, by) => is_of_traffic(by),
    }
}

/// Whether a link is said by who may say what a hold holds: in the entry that places it, by the
/// department that placed it, or by one that owns its type.
fn is_of_hold(
    record: &Record,
    event: &EventView,
    by: Department,
    placements: &[Placement],
) -> bool {
    let said = record.row(&event.reference).map(|(said, _)| said);
    let policy = said.map(|said| &*said.judge.policy);
    let is_own = |placed: &Placement| {
        let places = placed.id != UNPLACED && placed.entry == Some(event.reference);
        places || placed.department == Some(by) || policy.is_some_and(|p| owns(p, by, placed.hold))
    };

    by == Hub || placements.iter().any(is_own)
}

/// Whether a department owns a type of hold; where none is known, any type.
fn owns(policy: &Policy, by: Department, hold: Option<HoldType>) -> bool {
    match hold {
        Some(hold) => policy.owns(by, hold),
        None => policy.hold_owners.keys().any(|of| policy.owns(by, *of)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dogs_scales_and_computers_join_no_truck_with_an_entry() {
        use Department::{Agr, It, K9, Ops};

        for by in [Port, Cus, Sec, Pas, Hub] {
            assert!(is_of_traffic(Some(by)), "{by}");
        }
        for by in [It, K9, Ops, Agr] {
            assert!(!is_of_traffic(Some(by)), "{by}");
        }
    }
}
