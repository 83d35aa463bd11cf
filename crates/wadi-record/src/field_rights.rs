//! Who may set a field. The table of fields says it: nobody whom it does not name.
//!
//! A field on which something rests weighs as much as an event: a clerk who clears the plate of a
//! truck that is looked for lets it go. A value put without the right is kept and shown as refused,
//! and does not count. What rests on a field in other records cannot be known from its own; so a
//! field is guarded as soon as something may: the fields of a passage once it came through a gate,
//! was checked, linked or handed on, those of a hold from its beginning, and those of a customs
//! entry once it is assessed.
//!
//! Before that, officers set it whom the hub need not have registered, and the devices that the
//! table lets. Afterwards registered ones do, and of what a decision rests on those alone who may
//! say why. And a field of a passage that holds nothing yet may still be captured afterwards, where
//! that only adds to what is found.
//!
//! Judged by what the author had seen and by what its own log had said before, so that nobody gets
//! around it by being based on an old screen. A change that is permitted all the same after a
//! decision rested on the field is kept as a [`ChangedPut`], for whoever looks into it.

mod changes;

use crate::{
    ChangedBy,
    Department::{self, Hub, Sec},
    DeviceSets, FieldRow, Guarded, HoldType, Kind, SetBy,
    ancestry::Past,
    authority::{Judge, Refusal, believed, may_end, registered},
    event_index::{Owned, begun_hold, is_alarm, is_placement},
    events::guarding,
    fields::known_field,
    judged_change::{ChangedPut, EventView, JudgedChange, RefusedPut},
    normal::{field_term, normalise_hs_code},
    settle::{AuthorView, HeldChanges, Settled},
};
use std::cell::OnceCell;
use wadi_log::{Put, Role, Value};

/// The code of a refusal to change a field that is guarded.
const GUARDED_FIELD: &str = "guarded_field";
/// The code of a refusal of somebody whom the table does not name at all.
const NO_AUTHORITY: &str = "no_authority";
/// The event that says why a field is changed on which something rests.
pub(crate) const CORRECTION: &str = "fields.corrected";

fn guarded_row(kind: Kind, field: &str) -> Option<&'static FieldRow> {
    known_field(kind, field).filter(|row| row.guarded != Guarded::Never)
}

/// Whether a field is one that something may come to rest on, so that who sets it is judged more
/// strictly from then on.
pub fn is_guarded(kind: Kind, field: &str) -> bool {
    guarded_row(kind, field).is_some()
}

/// Whether a field is one that a lookout or a link may match, and who changes it then says why.
pub fn is_matched(kind: Kind, field: &str) -> bool {
    known_field(kind, field).is_some_and(|row| {
        matches!(
            row.changed_by,
            ChangedBy::UntilMatched(..) | ChangedBy::SupervisorsOnceSought(_)
        )
    })
}

/// What the puts of an entry come to.
#[derive(Default)]
pub(crate) struct JudgedPuts {
    /// Those that its author had no right to.
    pub(crate) refused: Vec<RefusedPut>,
    /// Those that changed what a decision rests on, or may rest on in another record.
    pub(crate) changed: Vec<ChangedPut>,
}

/// Judges the puts of an entry. Its own events are given as judged. `is_matched` tells that a link
/// or a lookout of another record rests on what this record is known by.
pub(crate) fn judge_puts(
    record: &Settled,
    rows: &HeldChanges,
    said: &JudgedChange,
    view: &AuthorView,
    events: &[EventView],
    is_matched: bool,
) -> JudgedPuts {
    let mut out = JudgedPuts::default();
    let Some(kind) = record.kind() else {
        return out;
    };

    let act = FieldAct {
        record,
        rows,
        said,
        view,
        known: OnceCell::new(),
        events,
        is_matched,
    };

    for put in &said.change.puts {
        // A field of a newer version: what it needs is not known here.
        let Some(row) = known_field(kind, &put.key) else {
            continue;
        };

        match act.judge(put, row) {
            Ok(changed) => out.changed.extend(changed),
            Err(refusal) => out.refused.push(RefusedPut {
                entry: said.reference,
                field: put.key.clone(),
                value: put.value.clone(),
                refusal,
            }),
        }
    }

    out
}

/// Whether two values of a field say the same, however they are written.
fn say_the_same(field: &str, one: &Value, other: &Value) -> bool {
    let (Value::Text(a), Value::Text(b)) = (one, other) else {
        return one == other;
    };

    if field.ends_with("hs_code") {
        return normalise_hs_code(a) == normalise_hs_code(b);
    }
    let form = |text: &str| field_term(field, text);
    a == b || form(a).is_some() && form(a) == form(b)
}

/// An entry that sets fields.
struct FieldAct<'a> {
    record: &'a Settled,
    rows: &'a HeldChanges,
    said: &'a JudgedChange,
    view: &'a AuthorView,
    known: OnceCell<Past>,
    events: &'a [EventView],
    is_matched: bool,
}

fn refuse(code: &'static str, why: String) -> Result<(), Refusal> {
    Err(Refusal { code, why })
}

fn names_of(departments: &[Department]) -> String {
    let names: Vec<&str> = departments.iter().map(|d| d.code()).collect();
    names.join(", ")
}

impl FieldAct<'_> {
    /// What its author had seen, and what its log had said before.
    fn known(&self) -> &Past {
        self.known.get_or_init(|| {
            let based_on = &self.view.based_on;
            let document = &self.record.document;
            let mut known = document.causal_past(&self.said.reference.log, based_on);
            known.unite(&self.view.shown);
            known
        })
    }

    /// The change that a put is, where it is permitted and something rests on the field.
    fn judge(&self, put: &Put, row: &FieldRow) -> Result<Option<ChangedPut>, Refusal> {
        let stood = self.values(&put.key);
        let holds_nothing = stood.iter().all(|v| **v == Value::Null);
        let holds_the_same = !stood.is_empty() && stood.iter().all(|v| **v == put.value);

        // It changes nothing, and is nobody's to refuse.
        if holds_the_same {
            return Ok(None);
        }

        let was_said =
            || guarding(row.guarded).any(|e| self.record.events.any_said(e, self.known()));
        let is_guarded = match row.guarded {
            Guarded::Never => false,
            Guarded::Passing => !holds_nothing && (self.is_matched || was_said()),
            Guarded::Placement => true,
            Guarded::Assessment => was_said() || self.is_sought(row) && !holds_nothing,
        };

        self.may_put(put, row, is_guarded)?;
        if holds_nothing {
            return Ok(self.capture(put, row));
        }
        if stood.iter().all(|v| say_the_same(&put.key, v, &put.value)) {
            return Ok(None);
        }

        Ok(self.change(put, row, &stood))
    }

    fn may_put(&self, put: &Put, row: &FieldRow, is_guarded: bool) -> Result<(), Refusal> {
        let begins = self.record.first == Some(self.said.reference);
        match row.set_by {
            SetBy::HoldOwner if begins => return self.by_who_begins(put, row),
            SetBy::RegisteredHoldOwner if begins => {
                self.by_who_begins(put, row)?;
                return self.by_registered_for_lookouts(put);
            }
            _ => {}
        }

        if self.is_device() {
            return self.by_device(put, row, is_guarded);
        }

        match (row.set_by, row.changed_by) {
            (SetBy::Departments(list), _) if !is_guarded => self.by_department(put, row, list),
            (_, ChangedBy::UntilMatched(_, supervised)) if self.is_matched_by_now() => {
                self.by_who_may_say_why(put, supervised)
            }
            (_, ChangedBy::Officers(list) | ChangedBy::UntilMatched(list, _)) => {
                self.by_officer_of(put, list).map(drop)
            }
            (_, ChangedBy::Supervisors(list) | ChangedBy::SupervisorsOnceSought(list)) => {
                self.by_officer_of(put, list)?;
                self.by_supervisor(put)?;
                self.with_reason(put)
            }
            (_, ChangedBy::HoldOwner) => self.by_owner_of_hold(put),
            (_, ChangedBy::HoldOwnerWithReason) => {
                self.by_owner_of_hold(put)?;
                self.with_reason(put)
            }
            (_, ChangedBy::Nobody) => {
                self.by_owner_of_hold(put)?;
                self.stands(put)?;
                self.with_reason(put)
            }
            (_, ChangedBy::Setters) => {
                refuse(NO_AUTHORITY, format!("{} is set by nobody", put.key))
            }
        }
    }

    fn is_device(&self) -> bool {
        let common = &self.said.common;
        common.officer.is_empty() && common.department.is_empty() && !common.device.is_empty()
    }

    fn by_device(&self, put: &Put, row: &FieldRow, is_guarded: bool) -> Result<(), Refusal> {
        let is_registered = || self.record.events.any_said("registered", self.known());
        let may = match row.device {
            DeviceSets::Always => true,
            DeviceSets::UntilGuarded => !is_guarded,
            DeviceSets::UntilRegistered => !is_guarded && !is_registered(),
            DeviceSets::WithAlarm | DeviceSets::Never => false,
        };

        if may {
            return Ok(());
        }

        let code = if is_guarded {
            GUARDED_FIELD
        } else {
            NO_AUTHORITY
        };
        let why = format!("a device cannot set {} here: an officer has to", put.key);
        refuse(code, why)
    }

    /// Somebody of these departments, or of those that the policy names, registered or not; an
    /// officer of another one is not of this.
    fn by_department(&self, put: &Put, row: &FieldRow, list: &[Department]) -> Result<(), Refusal> {
        let common = &self.said.common;
        let judge = &self.said.judge;
        let kind = self.record.kind();
        let named = kind.and_then(|kind| judge.policy.setters(kind, row.name));
        let list = named.unwrap_or(list);

        let given = common.department.as_str();
        if !given.is_empty() && given.parse::<Department>().is_err() {
            let why = format!("{:?} is no department", common.department);
            return refuse("unknown_department", why);
        }

        let Some(department) = self.department().filter(|d| list.contains(d)) else {
            let who = match common.department.as_str() {
                "" => "nobody's department",
                department => department,
            };
            let why = format!("{who} may not set {}: {} may", put.key, names_of(list));
            return refuse(NO_AUTHORITY, why);
        };

        believed(judge, &common.officer, department)
    }

    /// Whether a link, here or in another record, or a lookout rests on what the record is known
    /// by.
    fn is_matched_by_now(&self) -> bool {
        self.is_matched || self.record.events.any_said("link", self.known())
    }

    /// Whether a lookout seeks what a field of goods holds, as far as the writing node knows.
    fn is_sought(&self, row: &FieldRow) -> bool {
        self.is_matched && matches!(row.changed_by, ChangedBy::SupervisorsOnceSought(_))
    }

    /// Whoever made a lookout seek something else would let go what it stopped, and needs neither a
    /// second officer for it nor a result.
    fn stands(&self, put: &Put) -> Result<(), Refusal> {
        if self.values(&put.key).iter().all(|v| **v == Value::Null) {
            return Ok(());
        }

        let why = format!(
            "what {} seeks stands: let the hold go, and place another",
            put.key
        );
        refuse(GUARDED_FIELD, why)
    }

    fn by_who_may_say_why(&self, put: &Put, supervised: Department) -> Result<(), Refusal> {
        let department = self.by_officer_of(put, &[Sec, Hub, supervised])?;
        if department == supervised {
            self.by_supervisor(put)?;
        }

        self.with_reason(put)
    }

    fn by_supervisor(&self, put: &Put) -> Result<(), Refusal> {
        let officer = self.said.judge.officers.get(&self.said.common.officer);
        if officer.is_some_and(|o| o.supervisor) || !self.said.judge.policy.registered_officers {
            return Ok(());
        }

        let why = format!(
            "a decision rests on {} by now: only a supervisor may change it",
            put.key
        );
        refuse(GUARDED_FIELD, why)
    }

    /// Who changes what a decision rests on says why, in the same entry.
    fn with_reason(&self, put: &Put) -> Result<(), Refusal> {
        let says_why = |e: &EventView| e.kind() == CORRECTION && e.counts();
        if self.events.iter().any(says_why) {
            return Ok(());
        }

        let why = format!(
            "a decision rests on {} by now: say why it is changed, with the event {CORRECTION} \
             and its reason beside it",
            put.key
        );
        refuse(GUARDED_FIELD, why)
    }

    /// All values that the field held as far as the author, or its log, knew.
    fn values(&self, field: &str) -> Vec<&Value> {
        let puts = self.record.document.claims_within(field, self.known());
        puts.into_iter()
            .map(|put| self.record.value(self.rows, put))
            .collect()
    }

    fn department(&self) -> Option<Department> {
        let department = self.said.common.department.parse().ok()?;
        // The commission speaks from a hub's node only.
        (department != Hub || self.said.judge.author.role == Role::Hub).then_some(department)
    }

    fn by_officer_of(&self, put: &Put, list: &[Department]) -> Result<Department, Refusal> {
        match self.department().filter(|d| list.contains(d)) {
            Some(department) => self.registered(put, department).map(|()| department),
            None => Err(Refusal {
                code: GUARDED_FIELD,
                why: format!(
                    "{} rests on more than this record by now: only {} may change it",
                    put.key,
                    names_of(list)
                ),
            }),
        }
    }

    fn registered(&self, put: &Put, department: Department) -> Result<(), Refusal> {
        let officer = &self.said.common.officer;
        let why = match registered(&self.said.judge, officer, Some(department)) {
            Ok(()) if !officer.is_empty() => return Ok(()),
            Ok(()) => "is set by an officer, and none is named".into(),
            Err(refusal) => format!("is set by a registered officer only: {}", refusal.why),
        };

        refuse(GUARDED_FIELD, format!("{} {why}", put.key))
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
            return refuse(
                GUARDED_FIELD,
                format!("{} is set by the department that owns the hold", put.key),
            );
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
            Some(hold) => refuse(
                GUARDED_FIELD,
                format!(
                    "{department} does not own {} holds and may not set {}",
                    hold.name(),
                    put.key
                ),
            ),
            None if types.is_empty() && !owns_one() => refuse(
                GUARDED_FIELD,
                format!(
                    "{department} owns no type of hold and may not set {}",
                    put.key
                ),
            ),
            None => Ok(()),
        }
    }

    /// Who looks out for something holds it all over the country, at crossings that cannot ask
    /// back: where the policy asks for it, the hub knows who that is. Whoever is not registered
    /// can still hold what stands at the own gate, by its record.
    fn by_registered_for_lookouts(&self, put: &Put) -> Result<(), Refusal> {
        match self.department() {
            Some(department) if self.said.judge.policy.registered_lookouts => {
                self.registered(put, department)
            }
            // A department of which there is none began nothing.
            _ => Ok(()),
        }
    }

    fn by_owner_of_hold(&self, put: &Put) -> Result<(), Refusal> {
        let Some(department) = self.department() else {
            return refuse(
                GUARDED_FIELD,
                format!("{} is set by the department that owns the hold", put.key),
            );
        };

        let judge = &self.said.judge;
        let mut holds = self.record.events.placed_within(self.known());
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
            return refuse(
                GUARDED_FIELD,
                format!(
                    "{department} does not own this hold and may not set {}",
                    put.key
                ),
            );
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
