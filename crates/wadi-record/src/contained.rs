//! Each record for itself: what somebody wrote into one, and nobody thought of, ends neither the
//! node that reads it nor the other records.
//!
//! Whatever is contained here is a pure function of entries, so that it fails alike on every node:
//! all of them refuse the entry, or show the record as one that could not be read. A panic is
//! mended in the code all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use wadi_log::Change;

/// The code of a refusal of an entry on which something failed that nobody thought of.
pub(crate) const DERIVATION_FAILED: &str = "derivation_failed";

/// What some work comes to; nothing where it fails. What the work was changing is half changed
/// then, and has to be thrown away.
pub(crate) fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Where a test may have something fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trip {
    /// While an entry is judged.
    Judging,
    /// While the entries of a record are put in order.
    Ordering,
    /// While a record's events are folded.
    Folding,
    /// While terms are made of a record.
    Terms,
}

/// Fails where a test asked for that, on an event that holds this text.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub(crate) fn trip<'a>(here: Trip, changes: impl IntoIterator<Item = &'a Change>) {
    let wanted = wanted().read().expect("no panic holds it").clone();
    let Some((_, text)) = wanted.filter(|(place, _)| *place == here) else {
        return;
    };

    let mut events = changes.into_iter().flat_map(|change| &change.events);
    assert!(!events.any(|e| e.contains(&text)), "tripped over {text:?}");
}

/// Fails nowhere.
#[cfg(not(all(feature = "defences-off", debug_assertions)))]
pub(crate) fn trip<'a>(_here: Trip, _changes: impl IntoIterator<Item = &'a Change>) {}

#[cfg(all(feature = "defences-off", debug_assertions))]
type Wanted = std::sync::RwLock<Option<(Trip, String)>>;

#[cfg(all(feature = "defences-off", debug_assertions))]
fn wanted() -> &'static Wanted {
    static WANTED: Wanted = Wanted::new(None);
    &WANTED
}

/// Has records fail, in this process, on events that hold this text. It stands for a fault that
/// nobody knows of yet.
#[cfg(all(feature = "defences-off", debug_assertions))]
pub fn trip_over(wanted_trip: Option<(Trip, &str)>) {
    let wanted_trip = wanted_trip.map(|(place, text)| (place, text.to_string()));
    *wanted().write().expect("no panic holds it") = wanted_trip;
}
