//! What is held: the one place that decides which holds of a record are open, now and at any time.
//!
//! The fold of states and the rules of reconciliation ask here. [`holds`] decides by what the
//! author of each release had seen; its result stands in the record's projection as `placements`,
//! and [`held_now`] and [`held_at`] read it there.

use crate::{
    Begins, Department, Effect, EventType, HoldType, Kind, Right,
    ancestry::Past,
    event_index::{Owned, begun_hold},
    event_type,
    evidence::speaks_against,
    foreign::Beginning,
    judged_change::EventView,
    record::Record,
    settle::{HeldChanges, Settled},
    sight::Sight,
};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wadi_log::{Reference, Value};

/// The id of the hold of a record whose first entry does not count, or has not come: it restricts
/// all the same.
pub const UNPLACED: &str = "unplaced";

/// What stands for a type of hold that this version does not know.
const UNKNOWN_TYPE: &str = "UNKNOWN";

/// One hold of a record, from its placement on.
#[derive(Clone, PartialEq, Debug)]
pub struct Placement {
    /// The id of the event that it began with, or [`UNPLACED`].
    pub id: String,
    /// The entry that says it; none where the record's first entry has not come.
    pub entry: Option<Reference>,
    /// Its type, where this version knows it.
    pub hold: Option<HoldType>,
    /// The department that placed it; none for a machine.
    pub department: Option<Department>,
    /// When it was placed, as claimed, Unix milliseconds.
    pub placed_ms: i64,
    /// Whether nothing has ended it, and nothing let it go.
    pub open: bool,
    /// Whether it was let go, and that was overtaken by a recall or a result.
    pub reopened: bool,
    /// What let it go or ended it.
    pub ends: Vec<End>,
}

/// What let a hold go, or ended it.
#[derive(Clone, PartialEq, Debug)]
pub struct End {
    /// The event's id.
    pub id: String,
    /// The entry that says it.
    pub entry: Reference,
    /// The event's type.
    pub kind: String,
    /// When, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// When a recall or a result overtook it that its author had not seen.
    pub reopened_ms: Option<i64>,
}

/// All holds of a record, in the order of its events. Empty for what is no hold.
pub fn holds(record: &Record) -> Vec<Placement> {
    if record.kind() != Some(Kind::QuarantineHold) {
        return Vec::new();
    }

    let sight = Sight::of(record);
    let mut placements: Vec<Placement> = record.placed().map(placement).collect();
    let ends: Vec<&EventView> = record
        .events()
        .filter(|e| has_effect(e, Effect::Ends) && e.counts())
        .collect();
    let has_first = placements
        .iter()
        .any(|p| p.entry.is_some() && p.entry == record.first());
    // Of what only others speak of, and whose first entry nobody has seen, nothing is held.
    let is_known = record.now().beginning != Beginning::AwaitedByOthers;
    if !has_first && is_known {
        placements.push(unplaced(record, &ends));
    }

    take_releases(record, &sight, &mut placements);
    take_ends(record, &sight, &mut placements, ends);
    placements
}

impl Record {
    /// Every type that a hold is or was said to be of: by what placed it, and by all that was ever
    /// put into its field and counted. Who reads holds of some types alone reads one where each of
    /// them is among those. Empty for what is no hold.
    pub fn told_types(&self) -> BTreeSet<String> {
        if self.kind() != Some(Kind::QuarantineHold) {
            return BTreeSet::new();
        }

        let placed = self.placed().map(|event| {
            let hold = begun_hold(event);
            hold.map_or(UNKNOWN_TYPE, HoldType::name).to_string()
        });
        let puts = self.now().document.puts("type");
        let put = puts.filter_map(|(put, _)| match self.value(put) {
            Value::Null => None,
            Value::Text(name) => Some(name.clone()),
            _ => Some(UNKNOWN_TYPE.to_string()),
        });

        placed.chain(put).collect()
    }
}

fn has_effect(event: &EventView, effect: Effect) -> bool {
    event_type(event.kind()).is_some_and(|t| t.effect == effect)
}

/// Whether it lets go, or lets go under conditions, the holds that it names.
fn names_holds(event: &EventView) -> bool {
    event_type(event.kind()).is_some_and(|t| t.right == Right::EndsNamedHolds)
}

fn placement(event: &EventView) -> Placement {
    Placement {
        id: event.id.clone(),
        entry: Some(event.reference),
        hold: begun_hold(event),
        department: event.department,
        placed_ms: event.at_ms,
        open: true,
        reopened: false,
        ends: Vec::new(),
    }
}

/// A hold whose first placement does not count, or has not come. It is of the type that its field
/// tells, and let go like any other by a release that names it; any end of the goods ends it.
fn unplaced(record: &Record, ends: &[&EventView]) -> Placement {
    let earliest = ends.iter().min_by_key(|e| (e.at_ms, e.reference));
    let placed_ms = match record.first().and_then(|first| record.row(&first)) {
        Some((said, _)) => said.at_ms(),
        None => record
            .rows()
            .map(|(said, _)| said.at_ms())
            .min()
            .unwrap_or(0),
    };

    Placement {
        id: UNPLACED.into(),
        entry: record.first(),
        hold: record
            .text("type")
            .and_then(|name| HoldType::from_name(&name)),
        department: None,
        placed_ms,
        open: ends.is_empty(),
        reopened: false,
        ends: earliest.map(|e| end(e, None)).into_iter().collect(),
    }
}

fn end(event: &EventView, reopened_ms: Option<i64>) -> End {
    End {
        id: event.id.clone(),
        entry: event.reference,
        kind: event.kind().into(),
        at_ms: event.at_ms,
        reopened_ms,
    }
}

/// A release, with or without conditions, lets go the holds that it names. A recall, or a result
/// that speaks against it, reopens what was let go by somebody who did not know of it; so does a
/// rejection, of what was let go under conditions.
fn take_releases(record: &Record, sight: &Sight<'_>, placements: &mut [Placement]) {
    // Of all evidence only a laboratory's and an adjudication come in after a release: what a
    // search or a dog found later is of what was released no more. A machine's new alarm holds
    // anew: the goods went by it once more.
    let is_against = |e: &&EventView| {
        let row = event_type(e.kind());
        let is_result = row.is_some_and(EventType::is_of_laboratory) && speaks_against(e);
        let is_alarm = row.is_some_and(|row| matches!(row.begins, Begins::Alarm(_)));
        let is_withdrawn = matches!(e.kind(), "recalled" | "rejected");
        e.restricts() && (is_withdrawn || is_result || is_alarm)
    };

    let against: Vec<(u32, &EventView)> = record
        .events()
        .filter(is_against)
        .map(|bad| (sight.number(bad), bad))
        .collect();

    let all_against = sight.entries(against.iter().map(|(_, bad)| *bad));
    let by_id: HashMap<String, usize> = placements
        .iter()
        .enumerate()
        .map(|(n, p)| (p.id.clone(), n))
        .collect();

    for release in record.events().filter(|e| names_holds(e) && e.counts()) {
        let shown = sight.shown(release);
        let is_unseen = |number: u32, bad: &EventView| {
            let is_said_before =
                bad.reference == release.reference && bad.ordinal < release.ordinal;
            // Goods that went free are called back, and not rejected.
            let concerns_it = bad.kind() != "rejected" || release.kind() != "released";
            concerns_it && !shown.contains(number) && !is_said_before
        };

        let unseen: Vec<&EventView> = if shown.has_all_of(&all_against) {
            Vec::new()
        } else {
            let unseen = against
                .iter()
                .filter(|(number, bad)| is_unseen(*number, bad));
            unseen.map(|(_, bad)| *bad).collect()
        };
        let reopened_ms = unseen.iter().map(|bad| bad.at_ms).min();
        // What was rejected is held as such.
        let is_recalled = unseen.iter().any(|bad| bad.kind() != "rejected");

        let named: BTreeSet<&str> = release.texts("holds").into_iter().collect();
        for placement in named.into_iter().filter_map(|id| by_id.get(id)) {
            let placement = &mut placements[*placement];
            placement.ends.push(end(release, reopened_ms));
            match reopened_ms {
                None => placement.open = false,
                Some(_) => placement.reopened |= is_recalled,
            }
        }
    }
}

/// An end of the goods ends the holds that whoever ended them had seen; one placed meanwhile stays
/// open.
fn take_ends(
    record: &Record,
    sight: &Sight<'_>,
    placements: &mut [Placement],
    mut ends: Vec<&EventView>,
) {
    ends.sort_by_key(|e| (e.at_ms, e.reference));
    let mut left: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (n, placement) in placements
        .iter()
        .enumerate()
        .filter(|(_, p)| p.id != UNPLACED)
    {
        let number = placement.entry.and_then(|r| record.now().number(&r));
        left.entry(number.expect("its events count"))
            .or_default()
            .push(n);
    }

    let mut still_held = Past::default();
    left.keys().for_each(|number| still_held.insert(*number));

    for ended in ends {
        let seen = sight.shown(ended);
        if !still_held.meets(seen) {
            continue;
        }

        let ended_here: Vec<u32> = left
            .keys()
            .copied()
            .filter(|number| seen.contains(*number))
            .collect();

        for n in ended_here
            .iter()
            .filter_map(|number| left.remove(number))
            .flatten()
        {
            placements[n].open = false;
            placements[n].ends.push(end(ended, None));
        }

        still_held = Past::default();
        left.keys().for_each(|number| still_held.insert(*number));
    }
}

impl Settled {
    /// Who owns what is held of a hold whose first entry places nothing, as far as somebody knew
    /// who had seen these entries: the department of its type, like any other, and where no type
    /// is settled those who end a hold of security.
    pub(crate) fn unplaced(&self, rows: &HeldChanges, shown: &Past) -> Option<Owned> {
        let first = self
            .first
            .filter(|_| self.kind() == Some(Kind::QuarantineHold))?;
        let number = self.number(&first).filter(|n| shown.contains(*n))?;
        let mut begun = Past::default();
        begun.insert(number);
        if !self.events.placed_within(&begun).is_empty() {
            return None;
        }

        let types = self.document.claims_within("type", shown);
        let mut types = types.into_iter().map(|put| match self.value(rows, put) {
            Value::Text(name) => HoldType::from_name(name),
            _ => None,
        });
        let hold = types.next().flatten();
        let is_settled = types.all(|other| other == hold);

        Some(Owned {
            by_commission: rows[&first].common.department == Department::Hub.code(),
            hold: hold.filter(|_| is_settled).or(Some(HoldType::Security)),
        })
    }
}

impl Placement {
    /// Whether it was let go under conditions, and by nothing else.
    pub fn is_conditional(&self) -> bool {
        let mut lets_go = self.ends.iter().filter(|e| e.reopened_ms.is_none());
        !self.open && lets_go.all(|e| e.kind == "conditional")
    }

    /// Whether it held something back at a time: placed by then, and neither let go nor ended by
    /// then, or reopened since.
    pub fn held_at(&self, at_ms: i64) -> bool {
        held(
            self.placed_ms,
            self.ends.iter().map(|e| (e.at_ms, e.reopened_ms)),
            at_ms,
        )
    }

    /// The placement as it stands in the record's projection.
    pub fn json(&self) -> Json {
        let end = |e: &End| {
            json!({
                "id": e.id,
                "entry": e.entry.to_string(),
                "type": e.kind,
                "at_ms": e.at_ms,
                "reopened_ms": e.reopened_ms,
            })
        };

        json!({
            "id": self.id,
            "entry": self.entry.map(|r| r.to_string()),
            "type": self.hold.map(HoldType::name),
            "department": self.department.map(Department::code),
            "placed_ms": self.placed_ms,
            "open": self.open,
            "ends": self.ends.iter().map(end).collect::<Vec<_>>(),
        })
    }
}

fn held(placed_ms: i64, mut ends: impl Iterator<Item = (i64, Option<i64>)>, at_ms: i64) -> bool {
    let let_go = |(ended, reopened): (i64, Option<i64>)| {
        ended <= at_ms && reopened.is_none_or(|r| r > at_ms)
    };
    placed_ms <= at_ms && !ends.any(let_go)
}

fn placements(record: &Json) -> impl Iterator<Item = &Json> {
    record["placements"].as_array().into_iter().flatten()
}

/// Whether some hold of a projected record is open.
pub fn held_now(record: &Json) -> bool {
    placements(record).any(|p| p["open"] == true)
}

/// Whether some hold of a projected record held something back at a time, by the claims of those
/// who placed and released.
pub fn held_at(record: &Json, at_ms: i64) -> bool {
    let time = |of: &Json, member: &str| of[member].as_i64();
    placements(record).any(|p| {
        let ends = p["ends"].as_array().into_iter().flatten();
        let spans = ends.filter_map(|e| Some((time(e, "at_ms")?, time(e, "reopened_ms"))));
        time(p, "placed_ms").is_some_and(|placed_ms| held(placed_ms, spans, at_ms))
    })
}
