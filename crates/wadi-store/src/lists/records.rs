//! Lists of records.

use super::{
    BoundValue, Conditions, Listing, NOTHING, RECORD_COLUMNS, TOLD_TYPE,
    held::{HOLD_LANE, detained},
    is_no_text,
};
use crate::{HoldTerms, RecordFilter, SoughtBy};

/// A page of records.
pub(crate) fn records(f: &RecordFilter) -> Listing {
    let mut wanted = Conditions::default();
    wanted.add_int("r.lane = ?", f.lane.map(i64::from));
    wanted.add_text("r.crossing = ?", f.crossing.as_ref());
    if let Some(state) = &f.state {
        // One word among several. Most rows do not have its letters, and cost no text put together.
        wanted.add(
            "instr(r.state, ?) > 0 AND instr(' ' || r.state || ' ', ' ' || ? || ' ') > 0",
            [
                BoundValue::Text(state.clone()),
                BoundValue::Text(state.clone()),
            ],
        );
    }
    wanted.add_int("r.changed < ?", f.before);

    if let Some((what, value)) = &f.term {
        wanted.add(
            "r.id IN (SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?)",
            [
                BoundValue::Text(what.clone()),
                BoundValue::Text(value.clone()),
            ],
        );
    }
    if let Some(after) = f.after {
        wanted.add("r.id > ?", [BoundValue::Bytes(after.0.to_vec())]);
    }
    if f.contested {
        wanted.add("r.contested", []);
    }
    if !f.sought.is_empty() {
        add_sought(&mut wanted, &f.sought);
    }
    add_times(&mut wanted, f);
    if let Some(types) = &f.hold_types {
        let types = types.iter().map(|of| BoundValue::Text(of.clone()));
        let places: Vec<String> = types.map(|of| wanted.place(of)).collect();
        wanted.all.push(of_hold_types(&places));
    }
    match &f.detained {
        Some(terms) => add_detained(&mut wanted, terms, f),
        None => add_of_holds(&mut wanted, &f.of_holds),
    }

    let order = order_of(f);
    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT {RECORD_COLUMNS} FROM \
             (SELECT r.id FROM records r {clause} ORDER BY {order} LIMIT {limit}) AS page \
             JOIN records r ON r.id = page.id ORDER BY {order}"
        ),
        values: wanted.values,
    }
}

/// The order of a page. Few records have a term, and few are detained: they are sorted. With the
/// sign, no planner walks all that was ever changed to find them in their order.
fn order_of(f: &RecordFilter) -> &'static str {
    let are_few = f.term.is_some() || f.detained.is_some() || !f.sought.is_empty();
    match (f.after, f.by_beginning) {
        (Some(_), _) => "r.id",
        (None, true) if are_few => "+r.born_ms DESC, r.id DESC",
        (None, true) => "r.born_ms DESC, r.id DESC",
        (None, false) if are_few => "+r.changed DESC",
        (None, false) => "r.changed DESC",
    }
}

/// Any one of the things that records are sought by. Each is found by an index of its own.
fn add_sought(wanted: &mut Conditions, sought: &[SoughtBy]) {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    for one in sought {
        match one {
            SoughtBy::Term { what, value } if !is_no_text(value) => {
                parts.push("SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?");
                values.extend([what, value].map(|text| BoundValue::Text(text.clone())));
            }
            SoughtBy::Ids { from, to, of } => {
                values.extend([from, to].map(|id| BoundValue::Bytes(id.0.to_vec())));
                parts.push(match of {
                    None => "SELECT k.id FROM records k WHERE k.id >= ? AND k.id <= ?",
                    Some((crossing, lane)) => {
                        values.push(BoundValue::Text(crossing.clone()));
                        values.push(BoundValue::Int(i64::from(*lane)));
                        "SELECT k.id FROM records k WHERE k.id >= ? AND k.id <= ? \
                         AND k.crossing = ? AND k.lane = ?"
                    }
                });
            }
            SoughtBy::Term { .. } => {}
        }
    }

    match parts.is_empty() {
        true => wanted.all.push(NOTHING.into()),
        false => wanted.add(&format!("r.id IN ({})", parts.join(" UNION ")), values),
    }
}

/// The times within which records begin, and the cursor in that order.
fn add_times(wanted: &mut Conditions, f: &RecordFilter) {
    wanted.add_int("r.born_ms >= ?", f.from_ms);
    wanted.add_int("r.born_ms < ?", f.until_ms);
    if let Some((born_ms, id)) = &f.older {
        let last = [BoundValue::Int(*born_ms), BoundValue::Bytes(id.0.to_vec())];
        wanted.add("(r.born_ms, r.id) < (?, ?)", last);
    }
}

/// Whether a record is no hold, or one of which it is told of which types it is or was, and whose
/// types are all among those of these places: a condition.
pub(crate) fn of_hold_types(places: &[String]) -> String {
    let within = within_types('r', &places.join(", "));
    format!("(r.lane <> {HOLD_LANE} OR {within})")
}

/// The same of what is a hold. It has a handful of terms: they are looked at, and not all holds of
/// the term.
fn within_types(hold: char, places: &str) -> String {
    if places.is_empty() {
        return NOTHING.into();
    }

    let told = format!(
        "SELECT 1 FROM terms y WHERE y.record = {hold}.id AND y.what || '' = '{TOLD_TYPE}'"
    );
    format!("EXISTS ({told}) AND NOT EXISTS ({told} AND y.value || '' NOT IN ({places}))")
}

/// Holds of a department or a type: there are many, and the newest are wanted. Behind a function no
/// planner begins with all of them to sort them afterwards.
fn add_of_holds(wanted: &mut Conditions, of_holds: &[(&'static str, String)]) {
    for (what, value) in of_holds {
        wanted.add(
            "coalesce(r.id IN (SELECT t.record FROM terms t WHERE t.what = ? AND t.value = ?), \
             1 = 0)",
            [
                BoundValue::Text((*what).into()),
                BoundValue::Text(value.clone()),
            ],
        );
    }
}

/// What open holds hold, of those that have all the terms that are asked for. Who asks for some
/// holds, and reads those of some types alone, is told of what these hold.
fn add_detained(wanted: &mut Conditions, terms: &HoldTerms, f: &RecordFilter) {
    let of_holds = &f.of_holds;
    // A hold has a handful of terms: they are looked at, and not all holds of the term.
    let one = " AND EXISTS (SELECT 1 FROM terms o WHERE o.record = h.id AND o.what || '' = ? \
               AND o.value || '' = ?)";
    let mut of_hold = one.repeat(of_holds.len());
    let values = of_holds.iter().flat_map(|(what, value)| {
        [
            BoundValue::Text((*what).into()),
            BoundValue::Text(value.clone()),
        ]
    });
    let mut values: Vec<BoundValue> = values.collect();

    let types = f.hold_types.as_ref().filter(|_| !of_holds.is_empty());
    if let Some(types) = types {
        let places = vec!["?"; types.len()].join(", ");
        of_hold += &format!(" AND {}", within_types('h', &places));
        values.extend(types.iter().map(|of| BoundValue::Text(of.clone())));
    }

    wanted.add(&detained(terms, &of_hold), values);
}
