//! What a side task of a link has to look at.

use std::collections::BTreeSet;

/// What a side task has to look at.
#[derive(Default)]
pub(super) enum Due<T> {
    /// Any of them: nothing is known of what was looked at.
    #[default]
    Any,
    /// These, and no others.
    These(BTreeSet<T>),
}

impl<T: Ord> Due<T> {
    /// These are due, too.
    pub(super) fn add(&mut self, more: impl IntoIterator<Item = T>) {
        if let Self::These(due) = self {
            due.extend(more);
        }
    }

    /// The next one by name, if there is one.
    pub(super) fn pop_first(&mut self) -> Option<T> {
        match self {
            Self::Any => None,
            Self::These(due) => due.pop_first(),
        }
    }

    /// Whether nothing is due.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::These(due) if due.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_anything_takes_no_names_and_is_never_nothing() {
        let mut due = Due::Any;
        due.add([7]);
        assert!(due.pop_first().is_none() && !due.is_empty());

        let mut due = Due::These(BTreeSet::new());
        assert!(due.is_empty());
        due.add([7, 3]);
        assert_eq!(due.pop_first(), Some(3));
        assert!(!due.is_empty());
    }
}
