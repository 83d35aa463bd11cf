//! Who may set a field on which something rests. The table of fields says it; what it guards is
//! refused to everybody whom it does not name.
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
    Department::{self, Hub, Sec},
    DeviceSets, FieldRow, Guarded, HoldType, Kind, SetBy,
    ancestry::Past,
    authority::{Judge, Refusal, may_end, registered},
    event_index::{Owned, begun_hold, is_alarm, is_placement},
    events::guarding,
    fields::known_field,
    judged_change::{EventView, JudgedChange, RefusedPut},
    settle::{AuthorView, HeldChanges, Settled},
};
use wadi_log::{Put, Role, Value};

/// The code of a refusal by this table.
const GUARDED_FIELD: &str = "guarded_field";

fn guarded_row(kind: Kind, field: &str) -> Option<&'static FieldRow> {
    known_field(kind, field).filter(|row| row.guarded != Guarded::Never)
}

/// Whether a field is one that something may come to rest on, so that who sets it is judged.
pub fn is_guarded(kind: Kind, field: &str) -> bool {
    guarded_row(kind, field).is_some()
}

/// The puts of an entry that its author had no right to. Its own events are given as judged.
pub(crate) fn refused_puts(
    record: &Settled,
    rows: &HeldChanges,
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
        .filter_map(|put| Some((put, guarded_row(kind, &put.key)?)));

    let guarded: Vec<(&Put, &FieldRow)> = guarded.collect();
    if guarded.is_empty() {
        return Vec::new();
    }

    let mut known = record
        .document
        .causal_past(&said.reference.log, &view.based_on);
    known.unite(&view.shown);

    let act = FieldAct {
        record,
        rows,
        said,
        known,
        events,
    };

    let refused = |(put, row): (&Put, &FieldRow)| {
        let refusal = act.judge(put, row).err()?;
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
struct FieldAct<'a> {
    record: &'a Settled,
    rows: &'a HeldChanges,
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

impl FieldAct<'_> {
    fn judge(&self, put: &Put, row: &FieldRow) -> Result<(), Refusal> {
        let stood = self.values(&put.key);
        let holds_nothing = stood.iter().all(|v| **v == Value::Null);
        let holds_the_same = !stood.is_empty() && stood.iter().all(|v| **v == put.value);
        let was_said =
            || guarding(row.guarded).any(|e| self.record.events.any_said(e, &self.known));
        let is_guarded = match row.guarded {
            Guarded::Never => false,
            Guarded::Passing => !holds_nothing && was_said(),
            Guarded::Placement => true,
            Guarded::Assessment => was_said(),
        };

        if !is_guarded || holds_the_same {
            return Ok(());
        }

        match row.set_by {
            SetBy::Anybody => Ok(()),
            SetBy::Officers(departments) => self.by_officer_of(put, departments),
            SetBy::HoldOwner if self.record.first == Some(self.said.reference) => {
                self.by_who_begins(put, row)
            }
            SetBy::HoldOwner => self.by_owner_of_hold(put),
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
    fn by_who_begins(&self, put: &Put, row: &FieldRow) -> Result<(), Refusal> {
        let alarm = self
            .events
            .iter()
            .filter(|e| e.restricts() && is_alarm(e))
            .find_map(begun_hold);

        // Beside the type itself, which has to be the alarm's, finer than the column says.
        if let Some(alarm) = alarm
            && row.device == DeviceSets::WithAlarm
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
            .filter(|e| is_placement(e))
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
        let rights = crate::FIELDS
            .iter()
            .filter(|row| row.guarded != Guarded::Never);
        let rights: Vec<(Kind, &str)> = rights
            .flat_map(|row| row.kinds.iter().map(|kind| (*kind, row.name)))
            .collect();
        assert!(!rights.is_empty());

        for (n, (kind, name)) in rights.iter().enumerate() {
            let numbered = name.replace('N', "1");
            assert!(is_guarded(*kind, &numbered), "{name}");
            assert!(
                !rights
                    .iter()
                    .skip(n + 1)
                    .any(|(k, other)| k == kind && other == name),
                "{name} stands twice"
            );
        }
    }

    #[test]
    fn what_others_rest_on_is_asked_for_by_events_that_are_marked() {
        let mut events = crate::event_index::Events::default();
        let (passing, assessing) = (guarding(Guarded::Passing), guarding(Guarded::Assessment));
        for kind in passing.chain(assessing) {
            let mut one = Past::default();
            one.insert(1);
            events.take(1, &Past::default(), false, vec![EventView::for_test(kind)]);
            assert!(events.any_said(kind, &one), "{kind}");
        }
    }
}
