//! How fast a backlog goes over a link, and when it will be gone.
//!
//! A pace is told in entries: what a lane holds up is known in entries on both sides, in bytes only
//! where they lie. The pace of the backlog under way is the best word on it; before any of it went,
//! the last pace that was worth remembering is.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The part of a backlog that is gone before anybody is told when the rest will be, one of so many.
const TOLD_PART: u64 = 10;
/// Entries that went before their pace is remembered: what one round trip took says nothing of a
/// thousand.
const REMEMBERED_ENTRIES: u64 = 50;
/// Past estimates that are held against what came.
const CHECKED_MAX: usize = 20;

/// How many entries went, and in which time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pace {
    /// Entries that went.
    pub entries: u64,
    /// What they took, milliseconds.
    pub took_ms: u64,
}

impl Pace {
    /// What so many entries take, milliseconds.
    pub(crate) fn takes_ms(&self, entries: u64) -> i64 {
        let took = u128::from(self.took_ms) * u128::from(entries);
        let takes_ms = took / u128::from(self.entries.max(1));
        i64::try_from(takes_ms).unwrap_or(i64::MAX)
    }
}

/// What is still to go over a link one way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerBacklog {
    left: u64,
    /// The most that was left since nothing was, and when that was, node's clock.
    most: u64,
    most_ms: i64,
    /// When it would be gone, as was told of it first.
    told_ms: Option<i64>,
    /// By how much such words were wrong, the oldest first.
    wrong_ms: VecDeque<i64>,
    /// The last pace worth remembering.
    remembered: Option<Pace>,
}

impl PeerBacklog {
    /// Takes in how many entries are left now.
    pub(crate) fn note(&mut self, left: u64, now_ms: i64) {
        self.left = left;

        if left >= self.most {
            (self.most, self.most_ms, self.told_ms) = (left, now_ms, None);
            return;
        }

        let went = self.most - left;
        let pace = self.pace_under_way(now_ms);
        if let Some(pace) = pace.filter(|_| went >= REMEMBERED_ENTRIES) {
            self.remembered = Some(pace);
        }

        if left > 0 && self.told_ms.is_none() && went.saturating_mul(TOLD_PART) >= self.most {
            self.told_ms = pace.map(|pace| now_ms.saturating_add(pace.takes_ms(left)));
        }

        if left == 0 {
            self.end(now_ms);
        }
    }

    /// Nothing is left: what was told of it is held against the clock.
    fn end(&mut self, now_ms: i64) {
        if let Some(told_ms) = self.told_ms.take() {
            self.wrong_ms.push_back((told_ms - now_ms).abs());
        }
        if self.wrong_ms.len() > CHECKED_MAX {
            self.wrong_ms.pop_front();
        }

        (self.most, self.most_ms) = (0, now_ms);
    }

    /// How fast it went since it was most; none where nothing of it went.
    fn pace_under_way(&self, now_ms: i64) -> Option<Pace> {
        let entries = self.most.checked_sub(self.left).filter(|n| *n > 0)?;
        let took_ms = now_ms.checked_sub(self.most_ms).filter(|ms| *ms > 0)?;
        Some(Pace {
            entries,
            took_ms: u64::try_from(took_ms).ok()?,
        })
    }

    /// How fast it goes: as it went since it was most, else as the last one went that was worth
    /// remembering. None where neither is known.
    pub(crate) fn pace(&self, now_ms: i64) -> Option<Pace> {
        self.pace_under_way(now_ms).or(self.remembered)
    }

    /// The last pace worth remembering.
    pub(crate) fn remembered(&self) -> Option<Pace> {
        self.remembered
    }

    /// By how much it was wrong what was told of earlier ones: half of them by no more,
    /// milliseconds. None where none was told yet.
    pub(crate) fn wrong_by_ms(&self) -> Option<i64> {
        let mut wrong: Vec<i64> = self.wrong_ms.iter().copied().collect();
        wrong.sort_unstable();
        wrong.get(wrong.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone_in_ms(backlog: &PeerBacklog, entries: u64, now_ms: i64) -> Option<i64> {
        Some(backlog.pace(now_ms)?.takes_ms(entries))
    }

    #[test]
    fn a_backlog_that_shrinks_says_when_it_will_be_gone() {
        let mut backlog = PeerBacklog::default();
        backlog.note(100, 0);
        assert_eq!(gone_in_ms(&backlog, 100, 5_000), None, "nothing went yet");

        backlog.note(75, 10_000);
        assert_eq!(gone_in_ms(&backlog, 75, 10_000), Some(30_000));
        assert_eq!(
            gone_in_ms(&backlog, 3, 10_000),
            Some(1_200),
            "an urgent part of it"
        );
        backlog.note(120, 12_000);
        assert_eq!(gone_in_ms(&backlog, 120, 13_000), None, "it grew");
    }

    #[test]
    fn the_pace_of_the_last_large_backlog_is_remembered_for_the_next() {
        let mut backlog = PeerBacklog::default();
        backlog.note(200, 0);
        backlog.note(0, 20_000);
        // Ten entries in one round trip: the next thousand will not go as fast.
        backlog.note(10, 30_000);
        backlog.note(0, 30_100);

        backlog.note(1_000, 40_000);
        assert_eq!(gone_in_ms(&backlog, 1_000, 40_000), Some(100_000));
    }

    #[test]
    fn what_was_told_of_a_backlog_is_held_against_what_came() {
        let mut backlog = PeerBacklog::default();
        assert_eq!(backlog.wrong_by_ms(), None);
        backlog.note(100, 0);
        // Ninety in nine times one second more: gone at 10 s, as is told first.
        backlog.note(90, 1_000);
        // It came slower than that.
        backlog.note(10, 12_000);
        backlog.note(0, 13_000);
        assert_eq!(backlog.wrong_by_ms(), Some(3_000));
    }
}
