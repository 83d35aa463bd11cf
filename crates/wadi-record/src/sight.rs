//! Who had seen what: whether the author of one event knew of another.

use crate::{ancestry::Past, judged_change::EventView, record::Record};
use std::{cell::Cell, collections::HashMap};
use wadi_log::Reference;

/// What the authors of a record's events had on their screens.
pub(crate) struct Sight<'a> {
    record: &'a Record,
    nothing: Past,
    /// Questions answered, for tests of what a fold costs.
    asked: Cell<u64>,
}

/// All that the authors of some events had seen together.
pub(crate) struct SeenTogether {
    entries: Past,
    /// Of entries that say such an event, the last of them: who says two things in one entry knew
    /// of the first.
    last_of: HashMap<Reference, usize>,
}

impl<'a> Sight<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        Self {
            record,
            nothing: Past::default(),
            asked: Cell::new(0),
        }
    }

    pub(crate) fn asked(&self) -> u64 {
        self.asked.get()
    }

    /// The entries that an event's author had seen.
    pub(crate) fn shown(&self, event: &EventView) -> &Past {
        self.asked.set(self.asked.get() + 1);
        self.record
            .now()
            .shown(&event.reference)
            .unwrap_or(&self.nothing)
    }

    pub(crate) fn number(&self, event: &EventView) -> u32 {
        self.record
            .now()
            .number(&event.reference)
            .expect("an entry whose events are told is settled")
    }

    /// Whether the author of `later` had seen `event`, or says both in one entry, `event` first.
    pub(crate) fn saw(&self, later: &EventView, event: &EventView) -> bool {
        self.shown(later).contains(self.number(event))
            || later.reference == event.reference && event.ordinal < later.ordinal
    }

    /// What the authors of these events had seen together.
    pub(crate) fn together<'e>(&self, events: impl Iterator<Item = &'e EventView>) -> SeenTogether {
        let mut seen = SeenTogether {
            entries: Past::default(),
            last_of: HashMap::new(),
        };
        for event in events {
            seen.entries.unite(self.shown(event));
            let last = seen.last_of.entry(event.reference).or_insert(event.ordinal);
            *last = (*last).max(event.ordinal);
        }

        seen
    }

    /// Whether one of them had seen this event.
    pub(crate) fn is_among(&self, event: &EventView, seen: &SeenTogether) -> bool {
        seen.entries.contains(self.number(event))
            || seen
                .last_of
                .get(&event.reference)
                .is_some_and(|last| event.ordinal < *last)
    }

    /// The entries of these events.
    pub(crate) fn entries<'e>(&self, events: impl Iterator<Item = &'e EventView>) -> Past {
        let mut out = Past::default();
        events.for_each(|e| out.insert(self.number(e)));
        out
    }
}
