//! The placements of a hold, each with what ended it: an act is held against every one of them, by
//! the times that are said and by those at which they were written down.

use crate::{Fact, Facts};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use wadi_record::{Effect, event_type};

/// What let a placement go, or ended it.
pub(crate) struct SpanEnd<'a> {
    /// The event that says so; none where the record does not hold it.
    pub(crate) event: Option<Fact<'a>>,
    at_ms: i64,
    reopened_ms: Option<i64>,
}

impl SpanEnd<'_> {
    /// When it was written down, Unix milliseconds.
    fn entered_ms(&self) -> i64 {
        self.event.map_or(self.at_ms, |event| event.entered_ms())
    }

    /// Whether it says that the goods are gone, and lets nothing go.
    pub(crate) fn is_of_goods(&self) -> bool {
        let row = self.event.and_then(|event| event_type(event.kind()));
        row.is_some_and(|row| row.effect == Effect::Ends)
    }
}

/// One placement of a hold, as it held one of the records that it holds.
pub(crate) struct HeldSpan<'a> {
    /// When it was placed, or was said to hold that record, whichever is later, as claimed, Unix
    /// milliseconds.
    pub(crate) placed_ms: i64,
    /// When both were written down, Unix milliseconds.
    pub(crate) entered_ms: i64,
    /// The entry that placed it.
    pub(crate) entry: &'a str,
    /// Whether it holds something back still.
    pub(crate) is_open: bool,
    ends: Vec<SpanEnd<'a>>,
}

impl<'a> HeldSpan<'a> {
    fn of(placement: &'a Json, events: &BTreeMap<&'a str, Fact<'a>>) -> Option<Self> {
        let end = |end: &'a Json| {
            Some(SpanEnd {
                event: end["id"].as_str().and_then(|id| events.get(id)).copied(),
                at_ms: end["at_ms"].as_i64()?,
                reopened_ms: end["reopened_ms"].as_i64(),
            })
        };

        let ends = placement["ends"].as_array().into_iter().flatten();
        let placed_ms = placement["placed_ms"].as_i64()?;
        let placed = placement["id"].as_str().and_then(|id| events.get(id));
        Some(Self {
            placed_ms,
            entered_ms: placed.map_or(placed_ms, Fact::entered_ms),
            entry: placement["entry"].as_str().unwrap_or_default(),
            is_open: placement["open"] == true,
            ends: ends.filter_map(end).collect(),
        })
    }

    /// The same of what it holds by a word: not before that was said.
    pub(crate) fn since(mut self, said: &Fact<'_>) -> Self {
        self.placed_ms = self.placed_ms.max(said.at_ms());
        self.entered_ms = self.entered_ms.max(said.entered_ms());
        self
    }

    /// What had let it go by a time, as claimed, and was not overtaken by then.
    fn let_go_by(&self, at_ms: i64) -> impl Iterator<Item = &SpanEnd<'a>> {
        self.ends
            .iter()
            .filter(move |e| e.at_ms <= at_ms && e.reopened_ms.is_none_or(|r| r > at_ms))
    }

    /// When its goods were let go last, as claimed, Unix milliseconds; none where nothing let them
    /// go, or where they are said to be gone.
    pub(crate) fn let_go_ms(&self) -> Option<i64> {
        let lets_go = |e: &&SpanEnd<'a>| e.reopened_ms.is_none() && !e.is_of_goods();
        self.ends.iter().filter(lets_go).map(|e| e.at_ms).max()
    }

    /// Whether it held something back at a time, by all that is claimed.
    pub(crate) fn held_at(&self, at_ms: i64) -> bool {
        self.placed_ms <= at_ms && self.let_go_by(at_ms).next().is_none()
    }

    /// When it was written down, where that was after an act before which it is said to have been
    /// placed: nobody could have seen it then.
    pub(crate) fn placed_by_word(&self, act: &Fact<'_>) -> Option<i64> {
        let written_ms = act.known_from_ms();
        let is_by_word = self.placed_ms <= act.at_ms() && self.entered_ms > written_ms;
        is_by_word.then_some(self.entered_ms)
    }

    /// Whether an act that is said to lie before it was written down while it held.
    pub(crate) fn held_when_written(&self, act: &Fact<'_>) -> bool {
        let is_late = act.entered_ms() > act.at_ms() && self.placed_ms > act.at_ms();
        is_late && self.held_at(act.entered_ms())
    }

    /// When the first of its ends was written down, where all of those that are said to lie before
    /// an act were written after it: without them it held then.
    pub(crate) fn ended_by_word(&self, act: &Fact<'_>) -> Option<i64> {
        let written_ms = act.known_from_ms();
        let is_held = self.placed_ms <= act.at_ms();
        let first_ms = self.let_go_by(act.at_ms()).map(SpanEnd::entered_ms).min()?;
        (is_held && first_ms > written_ms).then_some(first_ms)
    }

    /// What had ended it when an act was said, by what was written then.
    pub(crate) fn ended_before(&self, act: &Fact<'_>) -> Vec<&SpanEnd<'a>> {
        let written_ms = act.known_from_ms();
        let is_held = self.placed_ms <= act.at_ms();
        self.let_go_by(act.at_ms())
            .filter(|e| is_held && e.entered_ms() <= written_ms)
            .collect()
    }
}

impl Facts {
    /// The placements of this hold as they held another record: from when it was named, unless the
    /// hold looks out for what that carries. A hold of long ago that is linked with a truck today
    /// did not hold it yesterday.
    pub(crate) fn spans_on(&self, target: &Facts, is_sought: bool) -> Vec<HeldSpan<'_>> {
        let spans = self.spans();
        if is_sought {
            return spans;
        }

        match self.first_naming(target) {
            Some(link) => spans.into_iter().map(|span| span.since(&link)).collect(),
            None => spans,
        }
    }

    /// The placements of this hold, the first one first.
    pub(crate) fn spans(&self) -> Vec<HeldSpan<'_>> {
        let events: BTreeMap<&str, Fact<'_>> = self.said().map(|e| (e.id(), e)).collect();
        let all = self.json["placements"].as_array().into_iter().flatten();
        let mut spans: Vec<HeldSpan<'_>> = all
            .filter_map(|placement| HeldSpan::of(placement, &events))
            .collect();

        spans.sort_by_key(|span| span.placed_ms);
        spans
    }
}
