//! What numbers and times can be, and what they hardly ever are. Impossible ones are refused before
//! anything is written; unlikely ones are written, and whoever writes them is told.

use crate::Unit;
use std::{fmt::Display, ops::RangeInclusive};

/// 1970 and the end of the year 9999, Unix milliseconds.
const TIME_POSSIBLE_MS: [i64; 2] = [0, 253_402_300_799_999];
/// 2000 and 2100, Unix milliseconds. Seconds given for milliseconds lie before.
const TIME_USUAL_MS: [i64; 2] = [946_684_800_000, 4_102_444_800_000];

/// The years of days that somebody writes down today.
const YEARS_USUAL: RangeInclusive<i16> = 2000..=2100;

impl Unit {
    /// The least and the most that a number of this unit can be: no count, mass or sum is negative,
    /// no lorry weighs a thousand tonnes, nothing is colder than it can be.
    fn possible(self) -> [f64; 2] {
        match self {
            Self::Reading | Self::Ordinal => [f64::NEG_INFINITY, f64::INFINITY],
            Self::Kilograms | Self::Litres => [0.0, 1e6],
            Self::Grams => [0.0, 1e13],
            Self::Pieces => [0.0, 1e9],
            Self::Celsius => [-273.15, 1e3],
            Self::OfRecord
            | Self::Bytes
            | Self::Minutes
            | Self::MicrosievertsPerHour
            | Self::MinorUnits => [0.0, f64::INFINITY],
        }
    }

    /// Between these nobody asks.
    fn usual(self) -> [f64; 2] {
        match self {
            Self::Kilograms => [0.0, 150_000.0],
            Self::Grams => [0.0, 1e10],
            Self::Litres => [0.0, 3_000.0],
            Self::Pieces => [0.0, 1e6],
            Self::Celsius => [-60.0, 70.0],
            Self::MicrosievertsPerHour => [0.0, 1e6],
            Self::MinorUnits => [0.0, 1e15],
            Self::Ordinal => [0.0, f64::INFINITY],
            Self::OfRecord | Self::Reading | Self::Bytes | Self::Minutes => self.possible(),
        }
    }

    /// Why no number of this unit can be that. It is told as it was given: a large whole number is
    /// not the nearest one of floating point.
    pub(crate) fn impossible(self, number: f64, given: &dyn Display) -> Option<String> {
        let [least, most] = self.possible();
        beyond(number, [least, most]).then(|| {
            if number < least && least == 0.0 {
                return format!("{given} is less than nothing ({})", self.name());
            }
            format!(
                "{given} is out of all range ({least} to {most} {})",
                self.name()
            )
        })
    }

    /// Why a number of this unit is hardly ever that; told as it was given.
    pub(crate) fn unlikely(self, number: f64, given: &dyn Display) -> Option<String> {
        let [least, most] = self.usual();
        beyond(number, [least, most])
            .then(|| format!("{given} {} is unusual ({least} to {most})", self.name()))
    }
}

fn beyond(number: f64, [least, most]: [f64; 2]) -> bool {
    number < least || number > most
}

/// The greatest distance of a place's time from UTC, in seconds.
const OFFSET_MAX_S: i32 = 14 * 3_600;

/// A time that somebody wrote with its offset, as `2026-11-24T08:00:00+03:00`, Unix milliseconds.
/// Where it names a zone, too, the offset has to be the one of that zone then.
pub fn read_time_ms(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|e: jiff::Error| e.to_string())?;
    if text.contains('[') {
        let zoned: jiff::Zoned = text.parse().map_err(|e: jiff::Error| e.to_string())?;
        if zoned.timestamp() != time {
            return Err(format!(
                "{text:?} is another time by its zone than by its offset"
            ));
        }
    }

    let offset = jiff::fmt::temporal::Pieces::parse(text)
        .ok()
        .and_then(|pieces| pieces.to_numeric_offset());
    match offset {
        Some(offset) if offset.seconds().saturating_abs() > OFFSET_MAX_S => Err(format!(
            "{text:?} has an offset that no place has: 14 hours from UTC are the most"
        )),
        _ => Ok(time.as_millisecond()),
    }
}

/// Why nothing has that time, Unix milliseconds.
pub fn impossible_time(ms: i64) -> Option<String> {
    let [from, to] = TIME_POSSIBLE_MS;
    (!(from..=to).contains(&ms))
        .then(|| format!("{ms} is no time between 1970 and 9999 (Unix time in milliseconds)"))
}

/// Why hardly anything has that time, Unix milliseconds.
pub fn unlikely_time(ms: i64) -> Option<String> {
    let [from, to] = TIME_USUAL_MS;
    (!(from..=to).contains(&ms)).then(|| match jiff::Timestamp::from_millisecond(ms) {
        Ok(shown) => format!("{ms} is {shown}; times are Unix times in milliseconds"),
        // The last hours of 9999 are beyond what a calendar of any zone can show.
        Err(_) => format!("{ms} is the end of 9999; times are Unix times in milliseconds"),
    })
}

/// Why nothing has happened at that time yet, where it is after the latest that is believed; Unix
/// milliseconds.
pub(crate) fn time_ahead(ms: i64, latest_ms: i64) -> Option<String> {
    (ms > latest_ms).then(|| {
        let shown = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        format!("{ms} is {shown}, which lies ahead, and this tells when something happened")
    })
}

/// Why nothing holds or is due by that time any more, where it is before the time at which that is
/// said; Unix milliseconds.
pub(crate) fn time_behind(ms: i64, said_ms: i64) -> Option<String> {
    (ms < said_ms).then(|| {
        let shown = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
        format!("{ms} is {shown}, which lies behind already, and this tells until when")
    })
}

/// The day on which it is that time somewhere on Earth first, or last: the zones lie up to 14 hours
/// apart from UTC.
fn day_somewhere(ms: i64, hours: i64) -> Option<jiff::civil::Date> {
    const HOUR_MS: i64 = 3_600_000;
    let ms = ms.saturating_add(hours.saturating_mul(HOUR_MS));
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// Why nothing has happened on that day yet, where it is after the latest time that is believed.
pub(crate) fn day_ahead(text: &str, latest_ms: i64) -> Option<String> {
    let day: jiff::civil::Date = text.parse().ok()?;
    (day > day_somewhere(latest_ms, 14)?)
        .then(|| format!("{text} lies ahead, and this tells on which day something happened"))
}

/// Why nothing holds any more that holds until that day, where it is said later.
pub(crate) fn day_behind(text: &str, said_ms: i64) -> Option<String> {
    let day: jiff::civil::Date = text.parse().ok()?;
    (day < day_somewhere(said_ms, -14)?)
        .then(|| format!("{text} lies behind already, and this tells until when"))
}

/// Why hardly anything is of that day. One of another calendar has the same form.
pub(crate) fn unlikely_day(text: &str) -> Option<String> {
    let day: jiff::civil::Date = text.parse().ok()?;
    (!YEARS_USUAL.contains(&day.year()))
        .then(|| format!("{text} lies far away; days are of the Gregorian calendar, as 2026-03-01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mass_or_sum_is_less_than_nothing_and_no_lorry_weighs_a_thousand_tonnes() {
        for unit in [
            Unit::Kilograms,
            Unit::Grams,
            Unit::Pieces,
            Unit::MinorUnits,
            Unit::Litres,
        ] {
            assert!(unit.impossible(-1.0, &-1.0).is_some(), "{unit:?}");
            assert_eq!(unit.impossible(0.0, &0.0), None, "{unit:?}");
        }

        assert!(
            Unit::Kilograms
                .impossible(1_000_001.0, &1_000_001.0)
                .is_some()
        );
        assert_eq!(Unit::Kilograms.unlikely(44_000.0, &44_000.0), None);
        assert!(
            Unit::Kilograms.unlikely(440_000.0, &440_000.0).is_some(),
            "a zero too many"
        );
        assert_eq!(Unit::Celsius.impossible(-18.0, &-18.0), None);
        assert!(Unit::Celsius.impossible(-300.0, &-300.0).is_some());
        assert_eq!(
            Unit::Reading.impossible(-1e9, &-1e9),
            None,
            "a device's own scale"
        );
        assert_eq!(
            Unit::Ordinal.impossible(-3.0, &-3.0),
            None,
            "a label, whoever gives it"
        );
        assert!(Unit::Ordinal.unlikely(-3.0, &-3.0).is_some());
    }

    #[test]
    fn a_large_whole_number_is_told_as_it_was_given() {
        for given in [9_007_199_254_740_993_i64, i64::MAX] {
            let told = Unit::MinorUnits.unlikely(given as f64, &given);
            assert!(told.is_some_and(|told| told.starts_with(&given.to_string())));
        }
    }

    #[test]
    fn seconds_are_not_milliseconds() {
        assert!(unlikely_time(1_772_323_200).is_some());
        assert_eq!(unlikely_time(1_772_323_200_000), None);
        assert!(impossible_time(-1).is_some());
        assert!(impossible_time(i64::MAX).is_some());
        assert_eq!(impossible_time(1), None);
    }

    #[test]
    fn a_time_is_read_where_its_offset_is_one() {
        let baghdad = read_time_ms("2026-11-28T08:00:00+03:00");
        assert_eq!(baghdad, Ok(1_795_842_000_000));
        for same in [
            "2026-11-28T05:00:00Z",
            "2026-11-28T08:00:00+03:00[Asia/Baghdad]",
            "2026-11-28T19:00:00+14:00",
        ] {
            assert_eq!(read_time_ms(same), baghdad, "{same}");
        }

        for wrong in [
            "2026-11-28T08:00:00+02:00[Asia/Baghdad]",
            "2026-11-28T08:00:00+25:59",
            "2026-11-28T08:00:00",
            "yesterday",
        ] {
            assert!(read_time_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_lies_ahead_or_behind_wherever_it_is_told() {
        // 2026-03-01T12:00:00Z: on some islands it is the next day, on others it was the last.
        let noon_ms = 1_772_366_400_000;
        assert!(day_ahead("2062-03-01", noon_ms).is_some());
        assert!(day_ahead("2026-03-03", noon_ms).is_some());
        assert_eq!(day_ahead("2026-03-02", noon_ms), None);
        assert!(day_behind("2026-02-27", noon_ms).is_some());
        assert_eq!(day_behind("2026-02-28", noon_ms), None);
        assert!(time_behind(noon_ms - 1, noon_ms).is_some());
        assert_eq!(time_behind(noon_ms, noon_ms), None);
    }

    #[test]
    fn a_day_of_another_calendar_is_far_away() {
        for far in [
            "1405-09-06",
            "1448-06-07",
            "0000-01-01",
            "9999-12-31",
            "1999-12-31",
        ] {
            assert!(unlikely_day(far).is_some(), "{far}");
        }
        for near in ["2000-01-01", "2026-03-01", "2100-12-31"] {
            assert_eq!(unlikely_day(near), None, "{near}");
        }
    }
}
