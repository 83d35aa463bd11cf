//! Who may set a field on which something rests. One table; what it guards is refused to everybody
//! whom it does not name.
//!
//! Such a field weighs as much as an event: a clerk who clears the plate of a truck that is looked
//! for lets it go. A value put without the right is kept and shown as refused, and does not count.
//! What rests on a field in other records cannot be known from its own; so a field is guarded as
//! soon as something may: the fields of a passage once it came through a gate, was checked, linked
//! or handed on, those of a hold from its beginning, and those of a customs entry once it is
//! assessed.
//!
//! Before that, anybody may set them: a camera that reads a plate, a clerk whom the hub has not
//! registered. And a field that holds nothing yet may still be captured afterwards, where that only
//! adds to what is found: of a passage.
//!
//! Judged by what the author had seen and by what its own log had said before, so that nobody gets
//! around it by being based on an old screen.

use crate::{
    Department::{self, Cus, Hub, Pas, Port, Sec},
    HoldType, Kind,
    ancestry::Past,
    authority::{Judge, Refusal, may_end, registered},
    event_index::{Owned, begun_hold, is_alarm},
    judged_change::{EventView, JudgedChange, RefusedPut},
    settle::{AuthorView, Rows, Settled},
};
use wadi_log::{Put, Role, Value};

/// The code of a refusal by this table.
const GUARDED_FIELD: &str = "guarded_field";

/// From when on a field is guarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    /// Once a passage was let in, checked, linked or handed on; a field that holds nothing may
    /// still be captured.
    Passing,
    /// From the hold's beginning.
    Placement,
    /// Once the entry is assessed.
    Assessment,
}

/// Who may set a guarded field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    /// Registered officers of these departments.
    Officers(&'static [Department]),
    /// With the hold's first entry the department that owns its type, or a machine's alarm;
    /// afterwards its registered officers.
    HoldOwner,
}

const IDENTITY: Who = Who::Officers(&[Port, Cus, Sec, Hub]);
const TRAVELLER: Who = Who::Officers(&[Pas, Hub]);
const CUSTOMS: Who = Who::Officers(&[Cus, Hub]);

/// Kind of record, field, from when on it is guarded, and who may set it then.
const RIGHTS: &[(Kind, &str, From, Who)] = &[
    (Kind::Passage, "vehicle.plate", From::Passing, IDENTITY),
    (Kind::Passage, "vehicle.plate_raw", From::Passing, IDENTITY),
    (Kind::Passage, "vehicle.vin", From::Passing, IDENTITY),
    (Kind::Passage, "trailer.plate", From::Passing, IDENTITY),
    (Kind::Passage, "container.N", From::Passing, IDENTITY),
    (
        Kind::Passage,
        "person.N.document_hash",
        From::Passing,
        TRAVELLER,
    ),
    (
        Kind::QuarantineHold,
        "target.term",
        From::Placement,
        Who::HoldOwner,
    ),
    (
        Kind::QuarantineHold,
        "type",
        From::Placement,
        Who::HoldOwner,
    ),
    (
        Kind::QuarantineHold,
        "legal_basis",
        From::Placement,
        Who::HoldOwner,
    ),
    (
        Kind::QuarantineHold,
        "due_at_ms",
        From::Placement,
        Who::HoldOwner,
    ),
    (
        Kind::CustomsEntry,
        "goods.N.hs_code",
        From::Assessment,
        CUSTOMS,
    ),
    (
        Kind::CustomsEntry,
        "goods.N.statistical_value_minor",
        From::Assessment,
        CUSTOMS,
    ),
    (
        Kind::CustomsEntry,
        "invoice_minor",
        From::Assessment,
        CUSTOMS,
    ),
    (Kind::CustomsEntry, "currency", From::Assessment, CUSTOMS),
];

/// What others may rest on a passage's fields from.
const PASSING: [&str; 9] = [
    "gate.in",
    "gate.out",
    "turned_back",
    "person.admitted",
    "check.opened",
    "cleared",
    "diverted",
    "handed_over",
    "link",
];

fn right(kind: Kind, field: &str) -> Option<(From, Who)> {
    let general = crate::fields::general_name(field);
    RIGHTS
        .iter()
        .find(|(k, name, ..)| *k == kind && *name == general)
        .map(|(_, _, from, who)| (*from, *who))
}

/// Whether a field is one that something may come to rest on, so that who sets it is judged.
pub fn is_guarded(kind: Kind, field: &str) -> bool {
    right(kind, field).is_some()
}

/// The puts of an entry that its author had no right to. Its own events are given as judged.
pub(crate) fn refused_puts(
    record: &Settled,
    rows: &Rows,
    said: &JudgedChange,
    view: &AuthorView,
    events: &[EventView],
) -> Vec<RefusedPut> {
    let Some(kind) = record.kind() else {
        return Vec::new();
    };
    let guarded = said
        .change
        .puts
        .iter()
        .filter_map(|put| Some((put, right(kind, &put.key)?)));

    let guarded: Vec<(&Put, (From, Who))> = guarded.collect();
    if guarded.is_empty() {
        return Vec::new();
    }

    let mut known = record
        .document
        .causal_past(&said.reference.log, &view.based_on);
    known.unite(&view.shown);

    let act = Act {
        record,
        rows,
        said,
        known,
        events,
    };

    let refused = |(put, (from, who)): (&Put, (From, Who))| {
        let refusal = act.judge(put, from, who).err()?;
        let entry = said.reference;
        Some(RefusedPut {
            entry,
            field: put.key.clone(),
            value: put.value.clone(),
            refusal,
        })
    };

    guarded.into_iter().filter_map(refused).collect()
}

/// An entry that sets guarded fields.
struct Act<'a> {
    record: &'a Settled,
    rows: &'a Rows,
    said: &'a JudgedChange,
    /// What its author had seen, and what its log had said before.
    known: Past,
    events: &'a [EventView],
}

fn refuse(why: String) -> Result<(), Refusal> {
    Err(Refusal {
        code: GUARDED_FIELD,
        why,
    })
}

impl Act<'_> {
    fn judge(&self, put: &Put, from: From, who: Who) -> Result<(), Refusal> {
        let stood = self.values(&put.key);
        let holds_nothing = stood.iter().all(|v| **v == Value::Null);
        let holds_the_same = !stood.is_empty() && stood.iter().all(|v| **v == put.value);
        let is_guarded = match from {
            From::Passing => {
                !holds_nothing
                    && PASSING
                        .iter()
                        .any(|e| self.record.events.any_said(e, &self.known))
            }
            From::Placement => true,
            From::Assessment => self.record.events.any_said("assessed", &self.known),
        };

        if !is_guarded || holds_the_same {
            return Ok(());
        }

        match who {
            Who::Officers(departments) => self.by_officer_of(put, departments),
            Who::HoldOwner if self.record.first == Some(self.said.reference) => {
                self.by_who_begins(put)
            }
            Who::HoldOwner => self.by_owner_of_hold(put),
        }
    }

    /// All values that the field held as far as the author, or its log, knew.
    fn values(&self, field: &str) -> Vec<&Value> {
        let puts = self.record.document.claims_within(field, &self.known);
        puts.into_iter()
            .map(|put| self.record.value(self.rows, put))
            .collect()
    }

    fn department(&self) -> Option<Department> {
        let department = self.said.common.department.parse().ok()?;
        // The commission speaks from a hub's node only.
        (department != Hub || self.said.judge.author.role == Role::Hub).then_some(department)
    }

    fn by_officer_of(&self, put: &Put, departments: &[Department]) -> Result<(), Refusal> {
        let names = departments
            .iter()
            .map(|d| d.code())
            .collect::<Vec<_>>()
            .join(", ");

        match self.department().filter(|d| departments.contains(d)) {
            Some(department) => self.registered(put, department),
            None => refuse(format!(
                "{} rests on more than this record by now: only {names} may change it",
                put.key
            )),
        }
    }

    fn registered(&self, put: &Put, department: Department) -> Result<(), Refusal> {
        let officer = &self.said.common.officer;
        match registered(&self.said.judge, officer, Some(department)) {
            Ok(()) if !officer.is_empty() => Ok(()),
            Ok(()) => refuse(format!(
                "{} is set by an officer, and none is named",
                put.key
            )),
            Err(refusal) => refuse(format!(
                "{} is set by a registered officer only: {}",
                put.key, refusal.why
            )),
        }
    }

    /// Who places a hold owns its type. What a machine begins with its alarm is of the type that
    /// the alarm tells.
    fn by_who_begins(&self, put: &Put) -> Result<(), Refusal> {
        let alarm = self
            .events
            .iter()
            .filter(|e| e.restricts() && is_alarm(e))
            .find_map(begun_hold);

        if let Some(alarm) = alarm
            && put.key != "target.term"
            && (put.key != "type" || put.value == Value::Text(alarm.name().into()))
        {
            return Ok(());
        }

        let Some(department) = self.department() else {
            return refuse(format!(
                "{} is set by the department that owns the hold",
                put.key
            ));
        };

        let placed = self
            .events
            .iter()
            .filter(|e| e.kind() == "hold.placed")
            .filter_map(begun_hold);

        let named = self
            .said
            .change
            .puts
            .iter()
            .find(|p| p.key == "type")
            .and_then(|p| hold_type(&p.value));

        let types: Vec<HoldType> = placed.chain(named).collect();
        let policy = &self.said.judge.policy;
        let owns_one = || {
            HoldType::ALL
                .into_iter()
                .any(|t| policy.owns(department, t))
        };

        match types.iter().find(|t| !policy.owns(department, **t)) {
            Some(hold) => refuse(format!(
                "{department} does not own {} holds and may not set {}",
                hold.name(),
                put.key
            )),
            None if types.is_empty() && !owns_one() => refuse(format!(
                "{department} owns no type of hold and may not set {}",
                put.key
            )),
            None => Ok(()),
        }
    }

    fn by_owner_of_hold(&self, put: &Put) -> Result<(), Refusal> {
        let Some(department) = self.department() else {
            return refuse(format!(
                "{} is set by the department that owns the hold",
                put.key
            ));
        };

        let judge = &self.said.judge;
        let mut holds = self.record.events.placed_within(&self.known);
        let claimed = self.values("type").into_iter().filter_map(hold_type);
        holds.extend(claimed.map(|hold| Owned {
            by_commission: false,
            hold: Some(hold),
        }));

        let new_type = if put.key == "type" {
            hold_type(&put.value)
        } else {
            None
        };

        holds.extend(new_type.map(|hold| Owned {
            by_commission: false,
            hold: Some(hold),
        }));

        let owns_one = HoldType::ALL
            .into_iter()
            .any(|t| judge.policy.owns(department, t));
        let owns_all = holds.iter().all(|hold| owns(*hold, judge, department));

        if holds.is_empty() && !owns_one || !owns_all {
            return refuse(format!(
                "{department} does not own this hold and may not set {}",
                put.key
            ));
        }

        self.registered(put, department)
    }
}

/// Whether a department sets the fields of such a hold: as who may end it, and security its own at
/// its crossing, too.
fn owns(placed: Owned, judge: &Judge, department: Department) -> bool {
    let is_securitys = !placed.by_commission && placed.hold == Some(HoldType::Security);
    may_end(placed, judge, department) || is_securitys && department == Sec
}

fn hold_type(value: &Value) -> Option<HoldType> {
    match value {
        Value::Text(name) => HoldType::from_name(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_fields_that_exist_once_each() {
        for (n, (kind, name, ..)) in RIGHTS.iter().enumerate() {
            let numbered = name.replace('N', "1");
            assert!(crate::field_type(*kind, &numbered).is_some(), "{name}");
            assert!(
                !RIGHTS
                    .iter()
                    .skip(n + 1)
                    .any(|(k, other, ..)| k == kind && other == name),
                "{name} stands twice"
            );
        }
    }

    #[test]
    fn what_others_rest_on_is_asked_for_by_events_that_are_marked() {
        let mut events = crate::event_index::Events::default();
        for kind in PASSING.into_iter().chain(["assessed"]) {
            let mut one = Past::default();
            one.insert(1);
            events.take(1, &Past::default(), false, vec![EventView::for_test(kind)]);
            assert!(events.any_said(kind, &one), "{kind}");
        }
    }
}
