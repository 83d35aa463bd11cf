//! Which terms more than one record has. A node asks the store who else has a term only where
//! somebody else can: of most plates, seals and containers there is one record. A hub asks about
//! all terms, and any other node about those that a write is held against.
//!
//! What is known here never says too little: terms are taken in before they are written, and none
//! is taken out. Until all that the store holds is taken in, and of terms that there was no room
//! for, it says that they may be shared.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
    sync::{Mutex, MutexGuard},
};
use wadi_log::{RecordId, Role};
use wadi_store::{Store, StoreError};

/// Terms that are known at most: some 35 MiB of them.
const TERMS_MAX: usize = 1 << 20;
/// Records whose terms are taken in together.
const TERMS_OF: u32 = 1_024;
/// What a plate or a container looks like: whoever writes one down is told of others alike.
const SHAPES: [&str; 2] = ["plate_shape", "target_shape"];

/// Terms, and the records that have them.
#[derive(Default)]
pub(crate) struct SharedTerms {
    known: Mutex<Known>,
    /// Keyed anew at each start: nobody can make two records look like one.
    keys: RandomState,
    is_of_shapes_alone: bool,
}

#[derive(Default)]
struct Known {
    /// By the hash of a term: the hash of the one record that has it.
    by_term: HashMap<u64, Holder>,
    is_whole: bool,
    is_full: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    One(NonZeroU64),
    Many,
}

impl SharedTerms {
    /// Those that a node asks about.
    pub(crate) fn of(role: Role) -> Self {
        Self {
            is_of_shapes_alone: role != Role::Hub,
            ..Self::default()
        }
    }

    fn takes(&self, what: &str) -> bool {
        !self.is_of_shapes_alone || SHAPES.contains(&what)
    }

    fn hash_of(&self, record: &RecordId) -> NonZeroU64 {
        NonZeroU64::MIN | self.keys.hash_one(record)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no panic holds it")
    }

    /// Takes in the terms of a record.
    pub(crate) fn add<'t>(
        &self,
        record: &RecordId,
        terms: impl IntoIterator<Item = &'t (String, String)>,
    ) {
        let record = self.hash_of(record);
        let mut known = self.known();
        for (what, value) in terms.into_iter().filter(|(what, _)| self.takes(what)) {
            let term = self.keys.hash_one((what.as_str(), value.as_str()));
            let has_room = known.by_term.len() < TERMS_MAX;

            match known.by_term.get_mut(&term) {
                Some(holder) if *holder == Holder::One(record) => {}
                Some(holder) => *holder = Holder::Many,
                None if has_room => drop(known.by_term.insert(term, Holder::One(record))),
                None => known.is_full = true,
            }
        }
    }

    /// Takes in the terms of the next records that changed after a cursor. The next cursor, or none
    /// at the end: a record that changes meanwhile is taken in where it is written.
    pub(crate) async fn read_in(
        &self,
        store: &dyn Store,
        cursor: i64,
    ) -> Result<Option<i64>, StoreError> {
        let records = store.changed(cursor, TERMS_OF).await?;
        let ids: Vec<RecordId> = records.iter().map(|(_, id)| *id).collect();
        for (id, what, value) in store.terms_of(&ids).await? {
            self.add(&id, &[(what, value)]);
        }

        let last = records.last().map(|(cursor, _)| *cursor);
        if last.is_none() {
            self.known().is_whole = true;
        }

        Ok(last)
    }

    /// Takes in the terms of all records that were written before this start. Where they do not
    /// read, each term is asked for.
    pub(crate) async fn read_all(&self, store: &dyn Store) {
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            cursor = match self.read_in(store, from).await {
                Ok(further) => further,
                Err(error) => {
                    tracing::warn!(%error, "the terms held do not read; each is asked for");
                    return;
                }
            };
        }
    }

    /// All that the store holds is taken in.
    #[cfg(test)]
    pub(crate) fn is_whole_now(&self) {
        self.known().is_whole = true;
    }

    /// Whether a record other than this one may have a term.
    pub(crate) fn may_be_shared(&self, record: &RecordId, what: &str, value: &str) -> bool {
        let term = self.keys.hash_one((what, value));
        let known = self.known();
        if !known.is_whole || !self.takes(what) {
            return true;
        }

        match known.by_term.get(&term) {
            None => known.is_full,
            Some(Holder::One(holder)) => *holder != self.hash_of(record),
            Some(Holder::Many) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        RecordId([n; 32])
    }

    fn plate(value: &str) -> Vec<(String, String)> {
        vec![("plate".into(), value.into())]
    }

    #[test]
    fn a_term_takes_two_words() {
        assert_eq!(size_of::<(u64, Holder)>(), 16);
    }

    #[test]
    fn a_term_is_shared_where_another_record_has_it() {
        let terms = SharedTerms::default();
        terms.add(&id(1), &plate("11A1"));
        assert!(
            terms.may_be_shared(&id(1), "plate", "11A1"),
            "not all is taken in yet"
        );

        terms.is_whole_now();
        assert!(!terms.may_be_shared(&id(1), "plate", "11A1"), "its own");
        assert!(terms.may_be_shared(&id(2), "plate", "11A1"), "another's");
        assert!(!terms.may_be_shared(&id(2), "seal", "11A1"), "nobody's");

        // Projected anew it is still one record's.
        terms.add(&id(1), &plate("11A1"));
        assert!(!terms.may_be_shared(&id(1), "plate", "11A1"));

        terms.add(&id(2), &plate("11A1"));
        terms.add(&id(1), &plate("11A1"));
        assert!(terms.may_be_shared(&id(1), "plate", "11A1"));
        assert!(terms.may_be_shared(&id(2), "plate", "11A1"));
    }

    #[test]
    fn a_site_knows_of_what_looks_alike_and_takes_the_rest_for_shared() {
        let terms = SharedTerms::of(Role::Crossing);
        terms.is_whole_now();
        terms.add(&id(1), &plate("11A1"));
        terms.add(&id(1), &[("plate_shape".into(), "11A1".into())]);

        assert!(terms.may_be_shared(&id(1), "plate", "11A1"));
        assert!(!terms.may_be_shared(&id(1), "plate_shape", "11A1"));
        assert!(terms.may_be_shared(&id(2), "plate_shape", "11A1"));
        assert!(!terms.may_be_shared(&id(2), "target_shape", "11A1"));
    }

    #[test]
    fn what_there_is_no_room_for_may_be_shared() {
        let terms = SharedTerms::default();
        terms.is_whole_now();
        for n in 0..TERMS_MAX as u32 {
            let term = [("seal".to_string(), n.to_string())];
            terms.add(&id(1), &term);
        }
        assert!(!terms.may_be_shared(&id(1), "plate", "11A1"));

        terms.add(&id(1), &plate("11A1"));
        assert!(terms.may_be_shared(&id(1), "plate", "11A1"));
        assert!(!terms.may_be_shared(&id(1), "seal", "7"), "known before");
    }
}
