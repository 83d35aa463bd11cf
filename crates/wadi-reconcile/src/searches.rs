//! Which searches were searches of a truck.
//!
//! A search stands on a hold or on an entry. It was of this truck where the two were known to be
//! joined by then, since the truck came, and of others while the truck was there. It may come
//! again, with other goods and other seals; and what is linked with it afterwards may have been a
//! search of another truck.

use crate::{
    Dossier, Fact, Facts,
    marks::KnownMarks,
    numbers::{apart, seconds_ms},
};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};
use wadi_record::KnownBy;

/// What is said of searches.
const SEARCHED: [&str; 2] = ["search.opened", "search.found"];

/// A hold or an entry on which searches stand, and what it has to do with the anchor.
#[derive(Debug)]
pub(crate) struct SearchTie {
    /// Its place among the linked records.
    place: usize,
    /// Since when it is known that one of the two names the other, Unix milliseconds.
    joined_ms: Option<i64>,
    /// It has to do with the truck by more than a link between the two, or by none.
    may_be_of_stay: bool,
}

impl SearchTie {
    /// Those of a dossier. What is asked of the passage, and of its entries, is asked once, however
    /// many holds there are.
    pub(crate) fn all_of(dossier: &Dossier) -> Vec<Self> {
        let passage = &dossier.anchor;
        let named_ms = OnceCell::new();
        let beside = OnceCell::new();
        let tie = |(place, record): (usize, &Facts)| {
            let names = record.naming(passage).map(|e| e.known_from_ms());
            let named_ms = named_ms.get_or_init(|| named_from_ms(passage));
            let named = named_ms.get(record.id.as_str()).copied();
            let joined_ms = names.chain(named).min();
            let is_beside = || beside.get_or_init(|| Beside::of(dossier)).has(record);

            Self {
                place,
                joined_ms,
                may_be_of_stay: joined_ms.is_none() || is_beside(),
            }
        };

        let linked = dossier.linked.iter().enumerate();
        let searched = linked.filter(|(_, r)| {
            let may_hold = r.is_hold() || r.is_customs_entry();
            may_hold && r.any(&SEARCHED).next().is_some()
        });
        searched.map(tie).collect()
    }
}

/// The records that a passage names, and since when that is known, Unix milliseconds.
fn named_from_ms(passage: &Facts) -> BTreeMap<&str, i64> {
    let mut out: BTreeMap<&str, i64> = BTreeMap::new();
    for link in passage.joining() {
        let Some(record) = link.text("record") else {
            continue;
        };
        let known_ms = out.entry(record).or_insert(i64::MAX);
        *known_ms = link.known_from_ms().min(*known_ms);
    }

    out
}

/// What has to do with a truck by more than a link between the two.
struct Beside<'a> {
    known: KnownBy,
    /// The records that the passage names.
    named: BTreeSet<&'a str>,
    /// The entries that share something with it.
    entries: BTreeSet<&'a str>,
    /// The records that those entries name.
    named_by_entries: BTreeSet<&'a str>,
}

impl<'a> Beside<'a> {
    fn of(dossier: &'a Dossier) -> Self {
        let passage = &dossier.anchor;
        let own = KnownMarks::of(passage);
        let began_ms = passage.began_ms();
        let near_ms = dossier.near_ms();
        let shares = |entry: &Facts, marks: &KnownMarks| {
            let is_same = own.shares_vehicle(marks) || own.shares_seal(marks);
            own.shares_container(marks)
                || own.shares_transit(marks)
                || is_same && apart(began_ms, entry.began_ms()) <= near_ms
        };

        let marked = dossier.marked().filter(|(r, _)| r.is_customs_entry());
        let entries: Vec<&Facts> = marked
            .filter(|(entry, marks)| shares(entry, marks))
            .map(|(entry, _)| entry)
            .collect();

        Self {
            known: passage.known_by(),
            named: passage.links().into_iter().collect(),
            named_by_entries: entries.iter().flat_map(|entry| entry.links()).collect(),
            entries: entries.iter().map(|entry| entry.id.as_str()).collect(),
        }
    }

    fn has(&self, record: &Facts) -> bool {
        if record.is_customs_entry() {
            return self.entries.contains(record.id.as_str());
        }

        let is_named = |link: &str| self.named.contains(link) || self.entries.contains(link);
        record.links().into_iter().any(is_named)
            || self.named_by_entries.contains(record.id.as_str())
            || self.known.is_sought_by(&record.known_by())
    }
}

impl Dossier {
    /// What is said of searches of this truck.
    pub(crate) fn searches(&self) -> impl Iterator<Item = Fact<'_>> {
        let passage = &self.anchor;
        let left_ms = passage.last_ms("gate.out").unwrap_or(i64::MAX);
        let stay_ms = passage.began_ms()..=left_ms;
        let doubt_ms = seconds_ms(self.policy.clock_doubt_s);
        let came_ms = passage.began_ms().saturating_sub(doubt_ms);

        let ties = self.search_ties().iter();
        let searched = ties.filter_map(move |tie| Some((tie, self.linked.get(tie.place)?)));
        searched.flat_map(move |(tie, record)| {
            let stay_ms = stay_ms.clone();
            record.any(&SEARCHED).filter(move |e| {
                let is_named = tie.joined_ms.is_some_and(|ms| ms <= e.known_from_ms());
                let is_of_stay = tie.may_be_of_stay && stay_ms.contains(&e.at_ms());
                is_named && e.at_ms() >= came_ms || is_of_stay
            })
        })
    }
}
