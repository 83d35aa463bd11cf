//! Who acted off shift, as the shift books of the crossing tell it.
//!
//! Who keeps the book can write it afterwards, and make an officer off shift who was on duty. So
//! it speaks against an officer by what stood in it when he acted, and by what he wrote there
//! himself at its time. What somebody else wrote later may still show that he was on duty: a day's
//! paper is typed in the evening.

use super::Says;
use crate::{
    Contradiction, Dossier, Fact, Facts,
    numbers::{apart, hours_ms, seconds_ms},
};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::{SHIFT_EVENTS, ShiftTurn, is_off_shift, normalise_reference};

/// Turns of one officer that are looked at, those that were written first: a book tells two or
/// three of a day, and a dossier reaches over sixty days.
const TURNS_MAX: usize = 1_024;

/// A shift that began or ended, as somebody wrote it.
struct KeptTurn<'a> {
    turn: ShiftTurn,
    said: Fact<'a>,
    day: &'a Facts,
}

impl KeptTurn<'_> {
    /// Whether it stood in the book when an officer acted, or the officer wrote it himself at its
    /// time.
    fn speaks_of(&self, act: &Fact<'_>, doubt_ms: i64) -> bool {
        let by = |ms: i64| self.said.entered_ms() <= ms.saturating_add(doubt_ms);
        by(act.known_from_ms()) || self.is_by(act.officer()) && by(self.said.at_ms())
    }

    /// Whether an officer wrote it himself.
    fn is_by(&self, officer: &str) -> bool {
        normalise_reference(self.said.officer()) == normalise_reference(officer)
    }
}

/// The shifts that the site days of the crossing tell, by officer, the oldest first.
pub(super) struct Shifts<'a>(BTreeMap<&'a str, Vec<KeptTurn<'a>>>);

impl<'a> Shifts<'a> {
    pub(super) fn of(dossier: &'a Dossier) -> Self {
        let here = dossier.anchor.crossing();
        let days = dossier.of("site-day").filter(|d| d.crossing() == here);
        let kept = days.flat_map(|day| day.any(&SHIFT_EVENTS).map(move |said| (day, said)));

        let mut by_officer: BTreeMap<&str, Vec<KeptTurn<'_>>> = BTreeMap::new();
        for (day, said) in kept {
            let officer = said.text("officer").unwrap_or_default();
            let turn = ShiftTurn::of(said.kind(), said.at_ms());
            let turns = by_officer.entry(officer).or_default();
            turns.push(KeptTurn { turn, said, day });
        }

        for turns in by_officer.values_mut() {
            turns.sort_by_key(|kept| (kept.said.entered_ms(), kept.said.entry()));
            turns.truncate(TURNS_MAX);
            turns.sort_by_key(|kept| (kept.turn.at_ms, kept.turn.is_on, kept.said.entry()));
        }

        Self(by_officer)
    }

    /// Of an officer whom none of the site days names nothing is known.
    pub(super) fn off_shift(&self, dossier: &Dossier, act: Fact<'_>) -> Option<Contradiction> {
        let anchor = &dossier.anchor;
        let turns = self.0.get(act.officer())?;
        let at_ms = act.at_ms();
        let doubt_ms = seconds_ms(dossier.policy.clock_doubt_s);

        let speaks = |kept: &&KeptTurn<'a>| kept.speaks_of(&act, doubt_ms);
        let against: Vec<&KeptTurn<'a>> = turns.iter().filter(speaks).collect();
        let heard = |kept: &&KeptTurn<'a>| speaks(kept) || !kept.is_by(act.officer());
        let all: Vec<ShiftTurn> = turns.iter().filter(heard).map(|kept| kept.turn).collect();
        let then: Vec<ShiftTurn> = against.iter().map(|kept| kept.turn).collect();
        let is_off = |turns: &[ShiftTurn]| is_off_shift(turns, at_ms, &dossier.policy);
        if !is_off(&then) || !is_off(&all) {
            return None;
        }

        let found = Contradiction::new(
            format!("off shift {} {}", act.kind(), act.officer()),
            at_ms,
            Says::OffShift {
                officer: act.officer(),
                event: act.kind(),
                record: anchor.printed(),
            },
            json!({"type": act.kind(), "officer": act.officer()}),
        );
        let found = found
            .each(act.entry())
            .until([anchor.crossing()], at_ms)
            .citing(anchor, [act.entry()]);

        // The book of that day is the other side.
        let near_ms = hours_ms(dossier.policy.shift_h);
        let of_day = against
            .into_iter()
            .filter(|kept| apart(kept.turn.at_ms, at_ms) <= near_ms);
        Some(of_day.fold(found, |found, kept| {
            found.citing(kept.day, [kept.said.entry()])
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    fn left(at_ms: i64) -> crate::Facts {
        passage("P1", json!({}), &[event("gate.out", at_ms, json!({}))])
    }

    fn shift(kind: &str, at_ms: i64) -> Json {
        event(
            kind,
            at_ms,
            json!({"officer": "OF-1", "department": "PORT"}),
        )
    }

    fn book(events: &[Json]) -> Vec<crate::Facts> {
        vec![facts("S1", "site-day", "TRB", json!({"events": events}))]
    }

    #[test]
    fn an_officer_acts_on_shift_as_far_as_shifts_are_kept() {
        let day = |from: i64, to: i64| book(&[shift("shift.on", from), shift("shift.off", to)]);
        let short = || day(HOUR_MS, 2 * HOUR_MS);

        assert_eq!(firm("R21", left(3 * HOUR_MS), short()), [Phase::Firm]);
        assert_eq!(
            phases("R21", &dossier(left(3 * HOUR_MS), short(), 0)),
            [Phase::Pending]
        );
        assert_eq!(
            firm("R21", left(3 * HOUR_MS), day(HOUR_MS, 4 * HOUR_MS)),
            []
        );
        assert_eq!(
            firm("R21", left(3 * HOUR_MS), vec![]),
            [],
            "nobody kept the day"
        );
    }

    #[test]
    fn how_long_a_shift_lasts_that_nobody_ended_is_the_policys_to_say() {
        let found = |shift_h: u32, since_h: i64| {
            // The officer's own book of the next day was kept, so that he is known to be off whose
            // shift is over.
            let next = shift("shift.on", (since_h + 1) * HOUR_MS);
            let days = book(&[shift("shift.on", 0), next]);
            let mut d = dossier(left(since_h * HOUR_MS), days, i64::MAX);
            d.policy.shift_h = shift_h;
            phases("R21", &d)
        };

        assert_eq!(found(24, 23), []);
        assert_eq!(found(24, 25), [Phase::Firm]);
        assert_eq!(found(36, 25), []);
        assert_eq!(found(12, 13), [Phase::Firm]);
    }

    /// A turn that somebody wrote at a time.
    fn kept(kind: &str, at_ms: i64, entered_ms: i64, by: &str) -> Json {
        let mut turn = shift(kind, at_ms);
        turn["entered_ms"] = entered_ms.into();
        turn["officer"] = by.into();
        turn["entry"] = format!("{kind} of {by}").into();
        turn
    }

    #[test]
    fn a_book_that_is_written_afterwards_makes_nobody_off_shift() {
        let found = |entered_ms: i64, by: &str| {
            let on = kept("shift.on", HOUR_MS, entered_ms, by);
            let off = kept("shift.off", 2 * HOUR_MS, entered_ms, by);
            firm("R21", left(3 * HOUR_MS), book(&[on, off]))
        };

        assert_eq!(found(2 * HOUR_MS, "OF-8"), [Phase::Firm]);
        assert_eq!(found(3 * HOUR_MS + 600_000, "OF-8"), [Phase::Firm]);
        assert_eq!(found(5 * HOUR_MS, "OF-8"), [], "nobody knew of it then");

        let next = kept("shift.on", 4 * HOUR_MS, 4 * HOUR_MS, "OF-8");
        assert_eq!(firm("R21", left(3 * HOUR_MS), book(&[next])), []);
    }

    #[test]
    fn a_days_paper_that_a_colleague_types_shows_who_was_on_duty() {
        let found = |by: &str| {
            let yesterday = [
                kept("shift.on", 0, 0, "OF-8"),
                kept("shift.off", HOUR_MS, HOUR_MS, "OF-8"),
            ];
            let today = kept("shift.on", 2 * HOUR_MS, 9 * HOUR_MS, by);
            let all = [&yesterday[..], &[today]].concat();
            firm("R21", left(3 * HOUR_MS), book(&all))
        };

        assert_eq!(found("OF-8"), []);
        assert_eq!(found("OF-1"), [Phase::Firm], "his own word, and late");
    }

    #[test]
    fn the_act_and_the_book_are_cited() {
        let on = kept("shift.on", HOUR_MS, HOUR_MS, "OF-8");
        let off = kept("shift.off", 2 * HOUR_MS, 2 * HOUR_MS, "OF-8");
        let late = kept("shift.off", 2 * HOUR_MS, 9 * HOUR_MS, "OF-9");
        assert_eq!(
            cited("R21", left(3 * HOUR_MS), book(&[on, off, late])),
            [
                side("P1", &["entry gate.out@10800000"]),
                side("S1", &["shift.off of OF-8", "shift.on of OF-8"]),
            ]
        );
    }
}
