//! Times as people at a crossing read and write them: in the place's own zone.

use crate::digits::latin;
use crate::moment::{Moment, ZONE};
use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time},
};

/// What is wrong with a time that somebody wrote, as a sentence of the console.
pub(super) type WrongTime = &'static str;

/// Where the day lies that somebody writes without its year.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DayLies {
    /// Today or before: something happened then.
    Behind,
    /// Today or later: something is due then, or holds until then.
    Ahead,
    /// On whichever side it is nearer: what is read off a thing may hold no longer.
    Near,
}

impl DayLies {
    /// Whether such a day may be that one.
    fn may_be(self, day: Date, today: Date) -> bool {
        match self {
            Self::Behind => day <= today,
            Self::Ahead => day >= today,
            Self::Near => true,
        }
    }
}

/// The day of a time.
pub(super) fn day_of(ms: i64) -> Date {
    local(ms).date()
}

fn local(ms: i64) -> DateTime {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(ZONE.clone()).datetime()
}

/// When a day begins and when it ends, Unix milliseconds.
pub(super) fn bounds(day: Date) -> (i64, i64) {
    let begins = |day: Date| {
        let zoned = day.to_zoned(ZONE.clone());
        zoned.map_or(0, |z| z.timestamp().as_millisecond())
    };
    let next = day.tomorrow().unwrap_or(Date::MAX);
    (begins(day), begins(next))
}

/// The days beside one.
pub(super) fn beside(day: Date) -> (Date, Date) {
    let before = day.yesterday().unwrap_or(Date::MIN);
    (before, day.tomorrow().unwrap_or(Date::MAX))
}

/// A time on the same day, as 14:05; on another one, with the day.
pub(super) fn clock(ms: i64, today: Date) -> String {
    match day_of(ms) == today {
        true => local(ms).strftime("%H:%M").to_string(),
        false => stamp(ms),
    }
}

/// A time with its day.
pub(super) fn stamp(ms: i64) -> String {
    Moment::of_ms(ms).here
}

/// A time as UTC, for whoever asks.
pub(super) fn utc(ms: i64) -> String {
    Moment::of_ms(ms).utc
}

/// A day that somebody wrote: 2026-11-25, 25/11/2026, or 25/11 of the year in which it lies where
/// such a day does, in digits of every script.
pub(super) fn read_day(text: &str, today: Date, lies: DayLies) -> Result<Date, WrongTime> {
    const WRONG: WrongTime = "today-wrong-day";
    let text = latin(text);
    let parts: Vec<&str> = text.trim().split(['-', '/', '.']).map(str::trim).collect();
    let number = |text: &str| text.parse::<i16>().map_err(|_| WRONG);
    let date = |year: i16, month: i16, day: i16| {
        let part = |n: i16| i8::try_from(n).map_err(|_| WRONG);
        Date::new(year, part(month)?, part(day)?).map_err(|_| WRONG)
    };

    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => date(number(year)?, number(month)?, number(day)?),
        [day, month, year] if year.len() == 4 => date(number(year)?, number(month)?, number(day)?),
        [day, month] => {
            let (month, day) = (number(month)?, number(day)?);
            // 29 February may be of one of the years alone.
            let years = [-1, 0, 1].map(|n| today.year().saturating_add(n));
            let days = years
                .into_iter()
                .filter_map(|year| date(year, month, day).ok())
                .filter(|day| lies.may_be(*day, today));

            // Of two that are as far away the one ahead: it accuses nobody.
            let apart = |day: &Date| today.duration_until(*day).as_hours().unsigned_abs();
            days.min_by_key(|day| (apart(day), *day < today))
                .ok_or(WRONG)
        }
        _ => Err(WRONG),
    }
}

/// A time of a day that somebody wrote: 14:05, 14.05, 1405 or 9:30, in digits of every script.
fn read_clock(text: &str) -> Result<Time, WrongTime> {
    const WRONG: WrongTime = "today-wrong-clock";
    let text = latin(text);
    let text = text.trim();
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let (hours, minutes) = match (text.split_once([':', '.']), text.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 3 | 4) if is_plain => text.split_at_checked(text.len() - 2).ok_or(WRONG)?,
        _ => return Err(WRONG),
    };
    if minutes.len() != 2 {
        return Err(WRONG);
    }

    let number = |text: &str| text.parse::<i8>().map_err(|_| WRONG);
    Time::new(number(hours)?, number(minutes)?, 0, 0).map_err(|_| WRONG)
}

/// When something happened, by the day and the time that somebody wrote, Unix milliseconds. What
/// lies ahead has not happened.
pub(super) fn read_when(day: &str, clock: &str, now_ms: i64) -> Result<i64, WrongTime> {
    let day = match day.trim() {
        "" => day_of(now_ms),
        day => read_day(day, day_of(now_ms), DayLies::Behind)?,
    };
    let zoned = day.to_datetime(read_clock(clock)?).to_zoned(ZONE.clone());
    let ms = zoned
        .map_err(|_| "today-wrong-clock")?
        .timestamp()
        .as_millisecond();

    // A clock that runs a minute behind the officer's watch refuses nothing.
    let is_ahead = Timestamp::from_millisecond(now_ms)
        .ok()
        .and_then(|now| now.checked_add(1.minute()).ok())
        .is_some_and(|soon| ms > soon.as_millisecond());
    match is_ahead {
        true => Err("today-wrong-ahead"),
        false => Ok(ms),
    }
}

/// A time with its day that somebody wrote in one line, as 2026-11-25 14:05.
pub(super) fn read_stamp(text: &str, now_ms: i64, lies: DayLies) -> Result<i64, WrongTime> {
    let text = latin(text).replace('T', " ");
    let (day, clock) = text.trim().split_once(' ').ok_or("today-wrong-stamp")?;
    let day = read_day(day, day_of(now_ms), lies)?;
    let zoned = day.to_datetime(read_clock(clock)?).to_zoned(ZONE.clone());
    let zoned = zoned.map_err(|_| "today-wrong-stamp")?;
    Ok(zoned.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-26 10:00 at the crossing.
    const NOW_MS: i64 = 1_795_676_400_000;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_place() {
        let (from, until) = bounds(day("2026-11-26"));
        assert_eq!(utc(from), "2026-11-25 21:00:00 UTC");
        assert_eq!(until - from, 86_400_000);
        assert_eq!(day_of(from), day("2026-11-26"));
        assert_eq!(day_of(from - 1), day("2026-11-25"));
        assert_eq!(stamp(NOW_MS), "2026-11-26 10:00");
        assert_eq!(clock(NOW_MS, day("2026-11-26")), "10:00");
        assert_eq!(clock(NOW_MS, day("2026-11-27")), "2026-11-26 10:00");
    }

    #[test]
    fn days_are_read_as_people_write_them() {
        let today = day("2026-11-26");
        for text in [
            "2026-11-25",
            "25/11/2026",
            "25.11.2026",
            "25/11",
            "٢٥/١١",
            " ٢٠٢٦-١١-٢٥ ",
            "\u{200F}٢٥/١١",
            "２５／１１",
            "२५/११\u{202C}",
        ] {
            assert_eq!(
                read_day(text, today, DayLies::Behind),
                Ok(day("2026-11-25")),
                "{text}"
            );
        }
        for text in [
            "",
            "yesterday",
            "32/11",
            "2026-13-01",
            "1-2-3-4",
            "25/11/26",
        ] {
            assert!(read_day(text, today, DayLies::Behind).is_err(), "{text}");
            assert!(read_day(text, today, DayLies::Ahead).is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_without_its_year_lies_where_such_a_day_does() {
        let today = day("2026-11-26");
        let read = |text: &str, lies| read_day(text, today, lies).unwrap().to_string();
        for (text, behind, ahead) in [
            ("30/12", "2025-12-30", "2026-12-30"),
            ("٣٠/١٢", "2025-12-30", "2026-12-30"),
            ("01/02", "2026-02-01", "2027-02-01"),
            ("26/11", "2026-11-26", "2026-11-26"),
            ("25/11", "2026-11-25", "2027-11-25"),
            ("30/12/2025", "2025-12-30", "2025-12-30"),
        ] {
            assert_eq!(read(text, DayLies::Behind), behind, "{text}");
            assert_eq!(read(text, DayLies::Ahead), ahead, "{text}");
        }

        // What a label names may have passed, and is looked for in both directions.
        for (text, near) in [
            ("25/10", "2026-10-25"),
            ("٢٥/١٠", "2026-10-25"),
            ("30/12", "2026-12-30"),
            ("٣٠/١٢", "2026-12-30"),
            ("01/02", "2027-02-01"),
            ("٠١/٠٢", "2027-02-01"),
            ("26/11", "2026-11-26"),
            ("01/02/2026", "2026-02-01"),
        ] {
            assert_eq!(read(text, DayLies::Near), near, "{text}");
        }
        let in_january = read_day("28/12", day("2026-01-05"), DayLies::Near);
        assert_eq!(in_january, Ok(day("2025-12-28")));

        let leap = |lies| read_day("29/02", day("2027-03-01"), lies);
        assert_eq!(leap(DayLies::Ahead), Ok(day("2028-02-29")));
        assert!(leap(DayLies::Behind).is_err());

        let due = read_stamp("30/12 08:00", NOW_MS, DayLies::Ahead).unwrap();
        assert_eq!(stamp(due), "2026-12-30 08:00");
    }

    #[test]
    fn a_papers_time_is_read_in_the_zone_of_the_place_and_never_lies_ahead() {
        for clock in ["14:05", "1405", "14.05", "١٤:٠٥"] {
            let ms = read_when("2026-11-25", clock, NOW_MS).unwrap();
            assert_eq!(utc(ms), "2026-11-25 11:05:00 UTC", "{clock}");
        }
        assert_eq!(
            stamp(read_when("", "930", NOW_MS).unwrap()),
            "2026-11-26 09:30"
        );
        assert_eq!(read_when("", "10:02", NOW_MS), Err("today-wrong-ahead"));
        assert!(read_when("", "10:01", NOW_MS).is_ok());
        for clock in ["", "25:00", "14:5", "14:60", "noon", "١٤"] {
            assert!(read_when("2026-11-25", clock, NOW_MS).is_err(), "{clock}");
        }
        assert_eq!(
            stamp(read_stamp("٢٠٢٦-١٢-٠١ ٠٨:٠٠", NOW_MS, DayLies::Behind).unwrap()),
            "2026-12-01 08:00"
        );
    }
}
