//! The statements of lists, built from the filters that are set, once for both engines.
//!
//! A page is found first, by one index that holds all that is asked; only then are its rows read.
//! So a filter that few rows pass costs a walk over narrow keys and not over whole rows.

mod records;
#[cfg(test)]
mod tests;

use crate::FindingFilter;
pub(crate) use records::{holds_on, records};

pub(crate) const RECORD_COLUMNS: &str = "r.id, r.printed, r.lane, r.crossing, r.state, r.open, \
                                         r.contested, r.json, r.digest, r.entries, r.at_ms, \
                                         r.changed, r.born_ms";
pub(crate) const FINDING_COLUMNS: &str = "f.id, f.rule, f.severity, f.phase, f.state, f.crossing, \
                                          f.assignee, f.anchor, f.evidence, f.at_ms, f.due_ms, \
                                          f.json";

/// A condition that no row meets.
pub(crate) const NOTHING: &str = "1 = 0";

/// Whether no row can hold a text: PostgreSQL keeps no NUL, and takes none in a question.
pub(crate) fn is_no_text(text: &str) -> bool {
    text.contains('\0')
}

/// A value for one of a statement's places.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum BoundValue {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A statement, and the values for its places in their order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Listing {
    pub(crate) sql: String,
    pub(crate) values: Vec<BoundValue>,
}

/// The conditions of a statement, and their values. A condition that is always true stands in none:
/// it would keep a planner from the index that the others have.
#[derive(Default)]
struct Conditions {
    all: Vec<String>,
    values: Vec<BoundValue>,
}

impl Conditions {
    /// Adds a condition; each `?` of it stands for one of the values.
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = BoundValue>) {
        let values: Vec<BoundValue> = values.into_iter().collect();
        let is_no_text = |v: &BoundValue| matches!(v, BoundValue::Text(text) if is_no_text(text));
        if values.iter().any(is_no_text) {
            self.all.push(NOTHING.into());
            return;
        }

        let mut parts = condition.split('?');
        let mut text = parts.next().unwrap_or_default().to_string();

        for (part, value) in parts.zip(values) {
            text += &self.place(value);
            text += part;
        }

        self.all.push(text);
    }

    fn add_int(&mut self, condition: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.add(condition, [BoundValue::Int(value)]);
        }
    }

    fn add_text(&mut self, condition: &str, value: Option<&String>) {
        if let Some(value) = value {
            self.add(condition, [BoundValue::Text(value.clone())]);
        }
    }

    /// The place of a value.
    fn place(&mut self, value: BoundValue) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn clause(&self) -> String {
        match self.all.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", self.all.join(" AND ")),
        }
    }
}

/// What a filter of findings takes.
fn of_findings(f: &FindingFilter) -> Conditions {
    let mut wanted = Conditions::default();
    wanted.add_text("f.rule = ?", f.rule.as_ref());
    wanted.add_text("f.crossing = ?", f.crossing.as_ref());
    wanted.add_text("f.phase = ?", f.phase.as_ref());
    wanted.add_text("f.state = ?", f.state.as_ref());
    wanted.add_text("f.assignee = ?", f.assignee.as_ref());
    wanted.add_int("f.severity = ?", f.severity.map(i64::from));
    wanted.add_int("f.at_ms <= ?", f.until_ms);
    if let Some(anchor) = f.anchor {
        wanted.add("f.anchor = ?", [BoundValue::Bytes(anchor.0.to_vec())]);
    }
    wanted
}

/// A page of findings.
pub(crate) fn findings(f: &FindingFilter) -> Listing {
    const ORDER: &str = "f.severity, f.at_ms, f.id";
    let mut wanted = of_findings(f);
    if let Some((severity, at_ms, id)) = &f.after {
        let last = [
            BoundValue::Int(i64::from(*severity)),
            BoundValue::Int(*at_ms),
            BoundValue::Text(id.clone()),
        ];
        wanted.add(&format!("({ORDER}) > (?, ?, ?)"), last);
    }

    let clause = wanted.clause();
    let limit = wanted.place(BoundValue::Int(i64::from(f.limit)));
    Listing {
        sql: format!(
            "SELECT {FINDING_COLUMNS} FROM \
             (SELECT f.id FROM findings f {clause} ORDER BY {ORDER} LIMIT {limit}) AS page \
             JOIN findings f ON f.id = page.id ORDER BY {ORDER}"
        ),
        values: wanted.values,
    }
}

/// How many findings there are, by rule, phase and state.
pub(crate) fn finding_counts(f: &FindingFilter) -> Listing {
    let wanted = of_findings(f);
    Listing {
        sql: format!(
            "SELECT f.rule, f.phase, f.state, count(*) AS count FROM findings f {} \
             GROUP BY f.rule, f.phase, f.state ORDER BY f.rule, f.phase, f.state",
            wanted.clause()
        ),
        values: wanted.values,
    }
}
