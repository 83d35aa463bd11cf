//! Which terms more than one record has. A hub asks the store who else has a term only where
//! somebody else can: of most plates, seals and containers there is one record.
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
use wadi_log::RecordId;

/// Terms that are known at most: some 35 MiB of them.
const TERMS_MAX: usize = 1 << 20;

/// Terms, and the records that have them.
#[derive(Default)]
pub(crate) struct SharedTerms {
    known: Mutex<Known>,
    /// Keyed anew at each start: nobody can make two records look like one.
    keys: RandomState,
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
        for (what, value) in terms {
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

    /// All that the store holds is taken in.
    pub(crate) fn is_whole_now(&self) {
        self.known().is_whole = true;
    }

    /// Whether a record other than this one may have a term.
    pub(crate) fn may_be_shared(&self, record: &RecordId, what: &str, value: &str) -> bool {
        let term = self.keys.hash_one((what, value));
        let known = self.known();
        if !known.is_whole {
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
