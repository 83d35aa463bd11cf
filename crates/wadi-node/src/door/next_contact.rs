//! When a link that is dark is expected to be up again, as it was at this hour of earlier weeks: a
//! satellite's pass, a shift that starts the generator, a market day. Where earlier weeks say
//! nothing, earlier days do; where those say nothing, nobody knows.
//!
//! From the same moment of each earlier week it is counted how long the link was dark from then on;
//! the middle of those is what is expected. The same estimate is made for times that are past, from
//! what was known then, and what it was wrong by is told beside it.

use super::contacts::{Contact, PeerContacts};
use serde::Serialize;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Weeks and days that are looked back.
const WEEKS_MAX: i64 = 12;
const DAYS_MAX: i64 = 28;
/// Weeks that make an hour of the week known, and days that make an hour of the day known.
const WEEKS_LEAST: usize = 2;
const DAYS_LEAST: usize = 3;
/// Past estimates that are held against what came.
const CHECKED_MAX: usize = 20;
/// A link that was dark for less was not dark: contacts end and begin within a moment.
const MOMENT_MS: i64 = MINUTE_MS;

/// What an estimate rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EstimatedBy {
    /// The same hour of earlier weeks.
    HourOfWeek,
    /// The same hour of earlier days.
    HourOfDay,
    /// The pace at which a link that is up takes the backlog.
    Pace,
}

/// When a contact is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct NextContact {
    /// When, this node's clock, Unix milliseconds.
    pub at_ms: i64,
    /// What it rests on.
    pub by: EstimatedBy,
    /// By how much such estimates were wrong before: half of them by no more, milliseconds. None
    /// where none was made yet.
    pub wrong_by_ms: Option<i64>,
}

/// The middle one; the later of two.
fn middle(mut all: Vec<i64>) -> Option<i64> {
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

impl PeerContacts {
    /// When a link that is dark now is expected to be up. None where what is remembered says
    /// nothing of such an hour.
    pub fn next_contact(&self, now_ms: i64) -> Option<NextContact> {
        let (at_ms, by) = self.estimated(now_ms, self.contacts.len())?;
        Some(NextContact {
            at_ms,
            by,
            wrong_by_ms: self.wrong_by_ms(),
        })
    }

    /// The estimate at a time, from the first so many contacts.
    fn estimated(&self, now_ms: i64, known: usize) -> Option<(i64, EstimatedBy)> {
        let weeks = self.dark_from(now_ms, WEEK_MS, WEEKS_MAX, known);
        if weeks.len() >= WEEKS_LEAST {
            return Some((now_ms + middle(weeks)?, EstimatedBy::HourOfWeek));
        }

        let days = self.dark_from(now_ms, DAY_MS, DAYS_MAX, known);
        if days.len() >= DAYS_LEAST {
            return Some((now_ms + middle(days)?, EstimatedBy::HourOfDay));
        }

        None
    }

    /// For how long the link was dark from the same moment of earlier weeks or days on. What ended
    /// after this time, or was not remembered yet at it, is not counted.
    fn dark_from(&self, now_ms: i64, step_ms: i64, steps: i64, known: usize) -> Vec<i64> {
        let first_ms = self.contacts.front().map_or(i64::MAX, |c| c.began_ms);
        let then = (1..=steps).map(|n| now_ms - n * step_ms);
        then.take_while(|then_ms| *then_ms >= first_ms)
            .filter_map(|then_ms| {
                let up = self.up_from(then_ms, known)?;
                Some((up.began_ms - then_ms).max(0)).filter(|dark_ms| *dark_ms < step_ms)
            })
            .collect()
    }

    /// The first contact that goes on at a time, or begins after it.
    fn up_from(&self, then_ms: i64, known: usize) -> Option<&Contact> {
        let ended = self.contacts.partition_point(|c| c.ended_ms < then_ms);
        self.contacts.get(ended).filter(|_| ended < known)
    }

    /// By how much estimates were wrong that were made when the link went dark, from what was known
    /// then: the middle of the last ones, milliseconds.
    fn wrong_by_ms(&self) -> Option<i64> {
        let pairs = self.contacts.iter().zip(self.contacts.iter().skip(1));
        let wrong = pairs
            .enumerate()
            .rev()
            .filter(|(_, (before, after))| after.began_ms - before.ended_ms > MOMENT_MS)
            .filter_map(|(n, (before, after))| {
                let (at_ms, _) = self.estimated(before.ended_ms + 1, n + 1)?;
                Some((at_ms - after.began_ms).abs())
            });
        middle(wrong.take(CHECKED_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * MINUTE_MS;
    /// Monday, 00:00 UTC.
    const MONDAY: i64 = 4 * DAY_MS;

    fn contact(began_ms: i64, length_ms: i64) -> Contact {
        Contact {
            began_ms,
            ended_ms: began_ms + length_ms,
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    fn known(contacts: impl IntoIterator<Item = Contact>) -> PeerContacts {
        let mut known = PeerContacts::default();
        known.contacts = contacts.into_iter().collect();
        known
    }

    /// Up for an hour each day at 04:12, and on Fridays at 09:00 alone.
    fn desert(weeks: i64) -> PeerContacts {
        let days = (0..weeks * 7).map(|day| {
            let at = match day % 7 {
                4 => 9 * HOUR,
                _ => 4 * HOUR + 12 * MINUTE_MS,
            };
            contact(MONDAY + day * DAY_MS + at, HOUR)
        });
        known(days)
    }

    #[test]
    fn an_hour_of_the_week_is_told_from_the_same_hour_of_other_days() {
        let known = desert(4);
        let monday = MONDAY + 4 * WEEK_MS;
        let early = known.next_contact(monday + HOUR).unwrap();
        assert_eq!(early.at_ms, monday + 4 * HOUR + 12 * MINUTE_MS);
        assert_eq!(early.by, EstimatedBy::HourOfWeek);
        assert_eq!(early.wrong_by_ms, Some(0));

        let friday = monday + 4 * DAY_MS;
        let on_friday = known.next_contact(friday + HOUR).unwrap();
        assert_eq!(on_friday.at_ms, friday + 9 * HOUR);
    }

    #[test]
    fn a_link_of_a_few_days_goes_by_the_day_and_one_of_less_is_unknown() {
        let days = (0..5).map(|day| contact(MONDAY + day * DAY_MS + 4 * HOUR, HOUR));
        let now = MONDAY + 5 * DAY_MS + HOUR;
        let told = known(days).next_contact(now).unwrap();
        assert_eq!(
            (told.at_ms, told.by),
            (now + 3 * HOUR, EstimatedBy::HourOfDay)
        );

        let two = [contact(MONDAY, HOUR), contact(MONDAY + DAY_MS, HOUR)];
        assert_eq!(known(two).next_contact(now), None);
        assert_eq!(known([]).next_contact(now), None);
    }

    #[test]
    fn what_estimates_were_wrong_by_is_what_came_against_what_was_known_then() {
        // Ten minutes later from week to week: each estimate is too early.
        let weeks =
            (0..10).map(|week| contact(MONDAY + week * (WEEK_MS + 10 * MINUTE_MS), 30 * MINUTE_MS));
        let told = known(weeks).next_contact(MONDAY + 10 * WEEK_MS + HOUR);
        let wrong_by_ms = told.unwrap().wrong_by_ms.unwrap();
        assert!(
            (10 * MINUTE_MS..=HOUR).contains(&wrong_by_ms),
            "{wrong_by_ms}"
        );
    }

    #[test]
    fn a_link_that_is_dark_for_weeks_is_expected_by_nothing() {
        let known = desert(2);
        assert_eq!(known.next_contact(MONDAY + 30 * WEEK_MS), None);
    }
}
