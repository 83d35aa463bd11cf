//! Every way in which a draft can be wrong, one variant each.

use thiserror::Error;

/// Why a draft was not taken. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The field does not exist on this kind of record.
    #[error("{kind} has no field {field:?}{}", hint(.suggestion))]
    UnknownField {
        /// Kind of record.
        kind: &'static str,
        /// What was asked for.
        field: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// The value does not fit the field.
    #[error("{field}: {why}")]
    BadValue {
        /// The field, of a record or of an event.
        field: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The event type does not exist.
    #[error("no event type {event:?}{}", hint(.suggestion))]
    UnknownEvent {
        /// What was asked for.
        event: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// The event does not belong on this kind of record.
    #[error("{event} is not an event of a {kind}; it belongs to {belongs}")]
    WrongKind {
        /// The event type.
        event: String,
        /// Kind of record.
        kind: &'static str,
        /// The kinds that have it.
        belongs: String,
    },
    /// The department or officer may not do that.
    #[error("{0}")]
    NoAuthority(String),
    /// The kind of record does not exist.
    #[error(
        "no kind of record {kind:?}; kinds are passage, hold, customs-entry and site-day{}",
        hint(.suggestion)
    )]
    UnknownKind {
        /// What was asked for.
        kind: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// The department does not exist.
    #[error(
        "no department {department:?}; departments are OPS PORT CUS PAS AGR VET HLT COS RAD SEC K9 \
         IT HUB{}",
        hint(.suggestion)
    )]
    UnknownDepartment {
        /// What was asked for.
        department: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// Nothing in the tables has that name.
    #[error("no table, kind of record, event or field {name:?}{}", hint(.suggestion))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// The draft says nothing.
    #[error("nothing to record: neither fields nor events were given")]
    Empty,
}

/// What was probably meant; nothing where nothing is near.
pub fn hint(suggestion: &Option<impl AsRef<str>>) -> String {
    let meant = suggestion.as_ref().map(AsRef::as_ref);
    meant.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

impl RecordError {
    /// A stable code for people and programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownField { .. } => "unknown_field",
            Self::BadValue { .. } => "bad_value",
            Self::UnknownEvent { .. } => "unknown_event",
            Self::WrongKind { .. } => "wrong_kind",
            Self::NoAuthority(_) => "no_authority",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::UnknownDepartment { .. } => "unknown_department",
            Self::UnknownName { .. } => "unknown_name",
            Self::Empty => "empty_draft",
        }
    }
}

/// How alike a name has to be, of 1, to be taken for what was meant (Jaro and Winkler's measure).
const LIKENESS_MIN: f64 = 0.75;

/// The name that is most like the one that was given, where one is. Capital letters, and blanks at
/// the ends, make no difference.
pub fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.trim().to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&given, &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (likeness(name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map(|(_, name)| name)
}
