//! Links between records: which names which, and since when anybody could know of it.
//!
//! A link counts where it is said by who has to do with one of the two records, as
//! `wadi-record/src/joins.rs` has it. It says what belongs together from when it was written on:
//! who let a truck go an hour before knew nothing of it, whatever time it claims.

use crate::{Fact, Facts};

impl Facts {
    /// Links that count, and join what they name.
    pub(crate) fn joining(&self) -> impl Iterator<Item = Fact<'_>> {
        self.events("link").filter(Fact::joins)
    }

    /// Ids of the records that its links name.
    pub fn links(&self) -> Vec<&str> {
        self.joining().filter_map(|e| e.text("record")).collect()
    }

    /// Whether one of the two names the other.
    pub(crate) fn is_linked_to(&self, other: &Facts) -> bool {
        self.linked_from_ms(other).is_some()
    }

    /// Since when it is known that one of the two names the other, Unix milliseconds.
    pub(crate) fn linked_from_ms(&self, other: &Facts) -> Option<i64> {
        self.links_with(other).map(|e| e.known_from_ms()).min()
    }

    /// Whether it was known by a time, Unix milliseconds, that one of the two names the other.
    pub(crate) fn was_linked_by(&self, other: &Facts, known_ms: i64) -> bool {
        let from_ms = self.linked_from_ms(other);
        from_ms.is_some_and(|from_ms| from_ms <= known_ms)
    }

    /// The link by which it was first known that one of the two names the other.
    pub(crate) fn first_link_with<'a>(&'a self, other: &'a Facts) -> Option<Fact<'a>> {
        let all = self.links_with(other);
        all.min_by_key(|e| (e.known_from_ms(), e.at_ms()))
    }

    /// The link of this record by which it was known first to name another one.
    pub(crate) fn first_naming<'a>(&'a self, other: &'a Facts) -> Option<Fact<'a>> {
        let own = self.naming(other);
        own.min_by_key(|e| (e.known_from_ms(), e.at_ms()))
    }

    /// Links of this record that name another one.
    pub(crate) fn naming<'a>(&'a self, other: &'a Facts) -> impl Iterator<Item = Fact<'a>> {
        self.joining().filter(move |e| e.names(other))
    }

    fn links_with<'a>(&'a self, other: &'a Facts) -> impl Iterator<Item = Fact<'a>> {
        self.naming(other).chain(other.naming(self))
    }
}

impl Fact<'_> {
    /// Whether it is a link that names a record.
    fn names(&self, other: &Facts) -> bool {
        self.text("record") == Some(other.id.as_str())
    }
}
