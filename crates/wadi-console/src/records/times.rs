//! Times of records, in the zone of the place with UTC beside them.

use jiff::{
    Timestamp, civil,
    tz::{self, TimeZone},
};
use std::sync::LazyLock;

/// The zone of the crossings, where this machine has none of its own: three hours before UTC, in
/// summer, too.
static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
    let system = TimeZone::system();
    match system.to_offset(Timestamp::UNIX_EPOCH).is_zero() {
        true => TimeZone::fixed(tz::offset(3)),
        false => system,
    }
});

/// A moment as a page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    /// In the zone of the place.
    pub here: String,
    /// The same in UTC, for whoever looks closer.
    pub utc: String,
    /// For programs: RFC 3339.
    pub exact: String,
}

impl Moment {
    /// A Unix time in milliseconds. One that no calendar has stands as its number.
    pub(super) fn of_ms(ms: i64) -> Self {
        let Ok(time) = Timestamp::from_millisecond(ms) else {
            return Self {
                here: ms.to_string(),
                utc: ms.to_string(),
                exact: String::new(),
            };
        };

        let here = time.to_zoned(ZONE.clone());
        Self {
            here: here.strftime("%Y-%m-%d %H:%M").to_string(),
            utc: time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            exact: time.to_string(),
        }
    }

    /// A Unix time in seconds.
    pub(super) fn of_s(s: i64) -> Self {
        Self::of_ms(s.saturating_mul(1_000))
    }
}

/// The beginning of a day, as `2026-03-01`, in the zone of the place: Unix milliseconds.
pub(super) fn day_begins_ms(text: &str) -> Option<i64> {
    begins(text.trim().parse().ok()?)
}

/// The end of a day: the beginning of the next.
pub(super) fn day_ends_ms(text: &str) -> Option<i64> {
    let day: civil::Date = text.trim().parse().ok()?;
    begins(day.tomorrow().ok()?)
}

fn begins(day: civil::Date) -> Option<i64> {
    let zoned = day.to_zoned(ZONE.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// A time as forms give it: a day (its end), a day with a time, or Unix milliseconds.
pub(super) fn time_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(ms) = text.parse::<i64>() {
        return Some(ms);
    }
    if let Ok(time) = text.parse::<civil::DateTime>()
        && text.contains('T')
    {
        let zoned = time.to_zoned(ZONE.clone()).ok()?;
        return Some(zoned.timestamp().as_millisecond());
    }
    Some(day_ends_ms(text)? - 1)
}

/// A time as a form's field has it.
pub(super) fn form_time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(
        |_| String::new(),
        |time| {
            time.to_zoned(ZONE.clone())
                .strftime("%Y-%m-%dT%H:%M")
                .to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins_and_a_time_is_read_as_it_was_written() {
        let (from, until) = (day_begins_ms("2026-03-01"), day_ends_ms("2026-03-01"));
        assert_eq!(until.unwrap() - from.unwrap(), 86_400_000);
        assert_eq!(time_ms("2026-03-01"), until.map(|ms| ms - 1));
        assert_eq!(time_ms("1772341200000"), Some(1_772_341_200_000));

        let written = form_time(1_772_341_200_000);
        assert_eq!(time_ms(&written), Some(1_772_341_200_000));
        for none in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-30T10:00",
            "01/03/2026",
        ] {
            assert_eq!(time_ms(none), None, "{none}");
        }
    }

    #[test]
    fn a_time_that_no_calendar_has_stands_as_its_number() {
        assert_eq!(Moment::of_ms(i64::MAX).here, i64::MAX.to_string());
        assert_eq!(Moment::of_s(0).utc, "1970-01-01 00:00:00 UTC");
    }
}
