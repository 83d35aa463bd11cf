//! What a write changed: what stood in the record before it beside what stands there now. Only the
//! fields that it puts are looked at, and no entry but its own.

use crate::door::write::{Changed, ChangedField};
use std::collections::BTreeSet;
use wadi_record::{ComeTo, Field, Lack, Record, State, Value, state};

/// Fields, and holds, of one write that are told each for itself; the rest is counted.
const TOLD_MAX: usize = 50;
/// Values of a contested field that are told.
const VALUES_MAX: usize = 8;

/// What stood in a record before a write.
pub(super) struct StoodBefore {
    state: State,
    /// The values of the fields that are put, in their order.
    fields: Vec<Vec<Value>>,
}

impl StoodBefore {
    /// What stands in a record of these fields.
    pub(super) fn of(record: &Record, names: &[String]) -> Self {
        Self {
            state: state(record),
            fields: names.iter().map(|name| values(record, name)).collect(),
        }
    }
}

/// What a field holds: nothing where it is empty, several values where it is contested.
fn values(record: &Record, name: &str) -> Vec<Value> {
    match record.field(name) {
        None | Some(Field::Settled(Value::Null)) => Vec::new(),
        Some(Field::Settled(value)) => vec![value],
        Some(Field::Contested(claims)) => {
            let values: BTreeSet<Value> = claims.into_iter().map(|claim| claim.value).collect();
            values.into_iter().collect()
        }
    }
}

/// What is in the one and not in the other, as far as it is told, and how much more there is.
fn missing_in(one: &[String], other: &[String]) -> (Vec<String>, usize) {
    let other: BTreeSet<&String> = other.iter().collect();
    let mut missing: Vec<String> = one
        .iter()
        .filter(|id| !other.contains(id))
        .cloned()
        .collect();
    let more = missing.len().saturating_sub(TOLD_MAX);
    missing.truncate(TOLD_MAX);
    (missing, more)
}

/// What a write changed that put these fields, and after which the record has come to that. Before
/// a record's first entry nothing stood there.
pub(super) fn changed(
    before: Option<StoodBefore>,
    names: &[String],
    record: &Record,
    now: &State,
) -> Changed {
    let (was, stood) = match before {
        Some(before) => (Some(before.state), before.fields),
        None => (None, Vec::new()),
    };

    let mut fields = Vec::new();
    let mut more = 0usize;
    for (n, name) in names.iter().enumerate() {
        let mut change = ChangedField {
            field: name.clone(),
            before: stood.get(n).cloned().unwrap_or_default(),
            after: values(record, name),
        };
        if change.before == change.after {
            continue;
        }
        if fields.len() == TOLD_MAX {
            more = more.saturating_add(1);
            continue;
        }

        change.before.truncate(VALUES_MAX);
        change.after.truncate(VALUES_MAX);
        fields.push(change);
    }

    let state_before = was.as_ref().map(|was| was.name);
    let (flags, holds) = was.map_or_else(Default::default, |was| (was.flags, was.open_holds));
    let (holds_opened, opened_more) = missing_in(&now.open_holds, &holds);
    let (holds_ended, ended_more) = missing_in(&holds, &now.open_holds);

    Changed {
        kind: record.kind(),
        crossing: record.crossing(),
        hold_type: record.text("type"),
        told_types: record.told_types(),
        state_before,
        state: now.name,
        flags_came: now.flags.difference(&flags).copied().collect(),
        flags_went: flags.difference(&now.flags).copied().collect(),
        holds_opened,
        holds_ended,
        fields,
        more: more.saturating_add(opened_more).saturating_add(ended_more),
    }
}

/// What an act lacks, in a sentence.
fn lack_told(lack: Lack) -> &'static str {
    match lack {
        Lack::Assessment => "what stands there is not assessed",
        Lack::Goods => "no item is declared with its code, a mass and a value",
        Lack::Registration => "it was not registered",
        Lack::ReasonToLower => "less is assessed than before, without a supervisor's reason",
        Lack::ReasonBelowItems => {
            "less is assessed than its items say, without a supervisor's reason"
        }
        Lack::SettledFields => "legal fields are contested",
        Lack::Answer => "a question of customs is not answered",
        Lack::Release => "the goods were not released",
        Lack::Clearance => "the vehicle was not cleared, or is so no longer",
        Lack::ClosedCheck => "a check of it is open",
        Lack::CheckOfAnomaly => "nobody looked into what a scanner found",
    }
}

/// What whoever said an act of legal weight is told that it lacks.
pub(super) fn lack_warnings(come_to: &ComeTo) -> Vec<String> {
    let mut out = Vec::new();
    for act in &come_to.lacking {
        let event = &act.event;
        let is_exit = matches!(event.as_str(), "gate.out" | "entry.exited");
        for lack in &act.lacks {
            let why = lack_told(*lack);
            out.push(match is_exit {
                // A hold may have looked into it, which stands on another record.
                true if *lack == Lack::CheckOfAnomaly => format!("{event}: {why}"),
                true => format!("{event}: a forced exit, which is a finding (R31): {why}"),
                false => format!("{event}: it counts and is flagged, for it lacks this: {why}"),
            });
        }
    }

    let told: BTreeSet<String> = out.into_iter().collect();
    told.into_iter().take(TOLD_MAX).collect()
}
