//! The statements of lists, built from the filters that are set, once for both engines.
//!
//! A page is found first, by one index that holds all that is asked; only then are its rows read.
//! So a filter that few rows pass costs a walk over narrow keys and not over whole rows.

mod findings;
mod held;
#[cfg(test)]
mod held_tests;
mod records;
#[cfg(test)]
mod tests;
mod trips;

pub(crate) use findings::{
    FINDING_COLUMNS, OVERDUE, case_records, cases, contested, course_officers, courses,
    finding_counts, findings,
};
pub(crate) use held::holds_on;
pub(crate) use records::{of_hold_types, records};

pub(crate) const RECORD_COLUMNS: &str = "r.id, r.printed, r.lane, r.crossing, r.state, r.open, \
                                         r.contested, r.json, r.digest, r.entries, r.at_ms, \
                                         r.changed, r.born_ms";

/// A condition that no row meets.
pub(crate) const NOTHING: &str = "1 = 0";

/// The term of every type that a hold is or was said to be of.
pub(crate) const TOLD_TYPE: &str = "told_type";

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

    /// Adds that a text is, or is none, of a list.
    fn add_ids(&mut self, condition: &str, ids: &[String]) {
        let places = vec!["?"; ids.len()].join(", ");
        let values = ids.iter().map(|id| BoundValue::Text(id.clone()));
        self.add(&format!("{condition} ({places})"), values);
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
