//! What rules ask of all the records of a dossier: answered once, for whoever asks first.
//!
//! A dossier holds up to some thousands of records. A rule that reads all of them anew for each of
//! them reads millions, and whoever fills a dossier holds up the hub. So what is read off a record
//! whatever it is held against is read here, and kept as long as the dossier is.

use crate::{
    Dossier, Facts,
    marks::KnownMarks,
    searches::SearchTie,
    stored::{StoreRides, UnloadedTruck},
    trailers::{TakenTrailers, taken_trailers},
};
use std::sync::OnceLock;
use wadi_record::KnownBy;

/// What was asked of a dossier's records, once somebody did.
#[derive(Debug, Default)]
pub struct AskedOnce {
    beside: OnceLock<Vec<KnownBy>>,
    marks: OnceLock<Vec<KnownMarks>>,
    search_ties: OnceLock<Vec<SearchTie>>,
    unloaded: OnceLock<Vec<UnloadedTruck>>,
    sent_over: OnceLock<Vec<usize>>,
    trailers: OnceLock<TakenTrailers>,
    store_rides: OnceLock<StoreRides>,
    entries_of_journey: OnceLock<Vec<usize>>,
}

/// Whoever copies a dossier may change its records: of the copy nothing was asked yet.
impl Clone for AskedOnce {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Dossier {
    /// What holds know the linked passages and entries by.
    pub(crate) fn beside(&self) -> &[KnownBy] {
        let can_carry = |r: &&Facts| r.is_passage() || r.is_customs_entry();
        self.asked.beside.get_or_init(|| {
            let all = self.linked.iter().filter(can_carry);
            all.map(Facts::known_by).collect()
        })
    }

    /// The linked passages and entries, each with what holds know it by.
    pub(crate) fn known_beside(&self) -> impl Iterator<Item = (&Facts, &KnownBy)> {
        let can_carry = |r: &&Facts| r.is_passage() || r.is_customs_entry();
        self.linked.iter().filter(can_carry).zip(self.beside())
    }

    /// The linked records, each with what records of one journey share.
    pub(crate) fn marked(&self) -> impl Iterator<Item = (&Facts, &KnownMarks)> {
        let marks = self.asked.marks.get_or_init(|| {
            let all = self.linked.iter();
            all.map(KnownMarks::of).collect()
        });

        self.linked.iter().zip(marks)
    }

    /// The linked records on which searches stand, and what they have to do with the anchor.
    pub(crate) fn search_ties(&self) -> &[SearchTie] {
        let ties = &self.asked.search_ties;
        ties.get_or_init(|| SearchTie::all_of(self))
    }

    /// The passages, the anchor among them, off which something came.
    pub(crate) fn unloaded_trucks(&self) -> &[UnloadedTruck] {
        let trucks = &self.asked.unloaded;
        trucks.get_or_init(|| UnloadedTruck::all_of(self))
    }

    /// The linked holds of which something went back over the border.
    pub(crate) fn sent_over(&self) -> impl Iterator<Item = &Facts> {
        let places = self.asked.sent_over.get_or_init(|| {
            let all = self.linked.iter().enumerate();
            let sent = all.filter(|(_, r)| r.is_hold() && r.has("re_exported"));
            sent.map(|(place, _)| place).collect()
        });

        places.iter().filter_map(|place| self.linked.get(*place))
    }

    /// Whether one passage took a trailer with its load over from another one.
    pub(crate) fn took_trailer(&self, taker: &Facts, giver: &Facts) -> bool {
        let taken = &self.asked.trailers;
        let taken = taken.get_or_init(|| taken_trailers(self));
        taken.has(&taker.id, &giver.id)
    }

    /// The passages that brought goods of the anchor into a store, and that collected them.
    pub(crate) fn store_rides(&self) -> &StoreRides {
        let rides = &self.asked.store_rides;
        rides.get_or_init(|| StoreRides::of(self))
    }

    /// The linked customs entries of the anchor's journey.
    pub(crate) fn entries_of_journey(&self) -> impl Iterator<Item = &Facts> {
        let places = self.asked.entries_of_journey.get_or_init(|| {
            let all = self.linked.iter().enumerate();
            let own = all.filter(|(_, r)| r.is_customs_entry() && self.is_of_journey(r));
            own.map(|(place, _)| place).collect()
        });

        places.iter().filter_map(|place| self.linked.get(*place))
    }
}
