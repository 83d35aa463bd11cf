//! The signing keys of officers' own that hubs named and took back.

use super::Control;
use crate::{LogId, OfficerKeyEntry, Reference, SshKey};
use std::collections::{BTreeMap, BTreeSet};

/// What was said of officers' keys.
#[derive(Clone, Debug, Default)]
pub(super) struct OfficerKeys {
    /// By officer, each word with the clock of the hub that said it, Unix milliseconds.
    by_officer: BTreeMap<String, BTreeMap<Reference, (OfficerKeyEntry, i64)>>,
    /// The officers for whom each key was ever named.
    named_for: BTreeMap<SshKey, BTreeSet<String>>,
}

impl OfficerKeys {
    fn said_of(
        &self,
        officer: &str,
    ) -> impl Iterator<Item = (&Reference, &(OfficerKeyEntry, i64))> {
        self.by_officer.get(officer).into_iter().flatten()
    }
}

impl Control {
    pub(super) fn learn_officer_key(
        &mut self,
        at: Reference,
        said: &OfficerKeyEntry,
        wall_ms: i64,
    ) -> bool {
        let keys = &mut *self.officer_keys;
        let named_for = keys.named_for.entry(said.key).or_default();
        named_for.insert(said.officer.clone());

        let of = keys.by_officer.entry(said.officer.clone()).or_default();
        of.insert(at, (said.clone(), wall_ms)).is_none()
    }

    /// Of each key of an officer the word in force for somebody who had taken in `covered` of each
    /// control log, with when it was said.
    fn key_words(
        &self,
        officer: &str,
        covered: impl Fn(&LogId) -> u64,
    ) -> BTreeMap<SshKey, (&OfficerKeyEntry, i64)> {
        let mut newest: BTreeMap<SshKey, ((u64, bool, crate::Hash), &OfficerKeyEntry, i64)> =
            BTreeMap::new();
        let all = self.officer_keys.said_of(officer);
        let heard = all.filter(|(at, _)| at.seq < covered(&at.log) && self.fact_counts(at));

        for (at, (said, ms)) in heard {
            // Of two words that hubs signed without knowing of each other, the one that takes back.
            let rank = (said.revision, said.taken_back, at.leaf);
            let held = newest.get(&said.key);
            if held.is_none_or(|(of_held, ..)| *of_held < rank) {
                newest.insert(said.key, (rank, said, *ms));
            }
        }

        newest
            .into_iter()
            .map(|(key, (_, said, ms))| (key, (said, ms)))
            .collect()
    }

    /// The keys that an officer may sign with, for somebody who had taken in `covered` of each
    /// control log. One key is one person: what is named for two officers signs for neither, until
    /// it is taken back from one of them.
    pub fn officer_keys(
        &self,
        officer: &str,
        covered: impl Fn(&LogId) -> u64 + Copy,
    ) -> BTreeSet<SshKey> {
        let words = self.key_words(officer, covered).into_iter();
        words
            .filter(|(_, (said, _))| !said.taken_back)
            .map(|(key, _)| key)
            .filter(|key| self.other_holder(key, officer, covered).is_none())
            .collect()
    }

    /// Another officer than this one who may sign with a key.
    pub fn other_holder(
        &self,
        key: &SshKey,
        officer: &str,
        covered: impl Fn(&LogId) -> u64 + Copy,
    ) -> Option<&str> {
        let named_for = self.officer_keys.named_for.get(key).into_iter().flatten();
        let mut others = named_for.map(String::as_str).filter(|of| *of != officer);
        others.find(|other| {
            let words = self.key_words(other, covered);
            words.get(key).is_some_and(|(said, _)| !said.taken_back)
        })
    }

    /// What is in force of all keys of an officer, those taken back among them.
    pub fn all_officer_keys(&self, officer: &str) -> Vec<&OfficerKeyEntry> {
        let words = self.key_words(officer, |_| u64::MAX).into_values();
        words.map(|(said, _)| said).collect()
    }

    /// The revision of the newest word on a key, 0 where there is none.
    pub fn officer_key_revision(&self, officer: &str, key: &SshKey) -> u64 {
        let all = self.officer_keys.said_of(officer);
        let of_key = all.filter(|(_, (said, _))| said.key == *key);
        of_key
            .map(|(_, (said, _))| said.revision)
            .max()
            .unwrap_or(0)
    }

    /// The keys of an officer that are taken back by now, and when, by the hub's clock, Unix
    /// milliseconds.
    pub fn keys_taken_back(&self, officer: &str) -> BTreeMap<SshKey, i64> {
        let words = self.key_words(officer, |_| u64::MAX).into_iter();
        words
            .filter(|(_, (said, _))| said.taken_back)
            .map(|(key, (_, ms))| (key, ms))
            .collect()
    }

    /// The control entries that name or take back keys of an officer.
    pub(super) fn officer_key_entries(&self, officer: &str) -> impl Iterator<Item = Reference> {
        let all = self.officer_keys.said_of(officer);
        all.map(|(at, _)| *at)
    }
}
