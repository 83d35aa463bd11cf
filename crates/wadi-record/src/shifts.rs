//! Who is on shift, as the site days of a crossing tell it.
//!
//! Whoever writes is warned by this, and rule R21 finds by it.

use crate::Policy;

/// The events of a site day that tell of an officer's shifts.
pub const SHIFT_EVENTS: [&str; 2] = ["shift.on", "shift.off"];

const HOUR_MS: i64 = 3_600_000;

/// A shift of an officer that began or ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShiftTurn {
    /// When, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// Whether it began.
    pub is_on: bool,
}

impl ShiftTurn {
    /// The turn that an event of a site day tells.
    pub fn of(kind: &str, at_ms: i64) -> Self {
        Self {
            at_ms,
            is_on: kind == SHIFT_EVENTS[0],
        }
    }
}

/// Whether an officer who acts at a time is off shift, by that officer's turns at one crossing, the
/// oldest first. Of an officer of whom no shift near that time is known nothing is known.
pub fn is_off_shift(turns: &[ShiftTurn], at_ms: i64, policy: &Policy) -> bool {
    // The clocks of the gate and of the shift book may differ a little.
    let doubt_ms = i64::from(policy.clock_doubt_s).saturating_mul(1_000);
    // A shift that nobody ended is taken for one of so many hours.
    let shift_ms = i64::from(policy.shift_h).saturating_mul(HOUR_MS);
    let may_be = [
        at_ms,
        at_ms.saturating_sub(doubt_ms),
        at_ms.saturating_add(doubt_ms),
    ];

    let is_on = may_be.into_iter().any(|at_ms| {
        let last = turns
            .partition_point(|turn| turn.at_ms <= at_ms)
            .checked_sub(1)
            .and_then(|n| turns.get(n));
        last.is_some_and(|turn| turn.is_on && at_ms.saturating_sub(turn.at_ms) <= shift_ms)
    });

    // Only where a shift of that very day is known: a day that nobody kept proves nothing.
    let near_ms = shift_ms / 2;
    let first = turns.partition_point(|turn| turn.at_ms < at_ms.saturating_sub(near_ms));
    let is_kept = turns
        .get(first)
        .is_some_and(|turn| turn.at_ms <= at_ms.saturating_add(near_ms));

    is_kept && !is_on
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_officer_is_off_shift_only_where_a_shift_near_that_time_is_known() {
        let policy = Policy::default();
        let on = |hour: i64| ShiftTurn::of("shift.on", hour * HOUR_MS);
        let off = |hour: i64| ShiftTurn::of("shift.off", hour * HOUR_MS);
        let is_off = |turns: &[ShiftTurn], hour: i64| is_off_shift(turns, hour * HOUR_MS, &policy);

        assert!(is_off(&[on(1), off(2)], 3), "after its end");
        assert!(is_off(&[on(5), off(9)], 3), "before its beginning");
        assert!(!is_off(&[on(1), off(4)], 3), "within it");
        assert!(!is_off(&[on(1)], 3), "it has not ended");
        assert!(!is_off(&[], 3), "nobody keeps shifts");
        assert!(
            !is_off(&[on(1), off(2)], 60),
            "nobody kept the book that day"
        );

        let doubt_ms = i64::from(policy.clock_doubt_s) * 1_000;
        let turns = [on(1), off(2)];
        let ended_ms = 2 * HOUR_MS;
        assert!(!is_off_shift(&turns, ended_ms + doubt_ms - 1, &policy));
        assert!(is_off_shift(&turns, ended_ms + doubt_ms, &policy));
        assert!(!is_off_shift(&turns, i64::MAX, &policy));
        assert!(!is_off_shift(&turns, i64::MIN, &policy));
    }
}
