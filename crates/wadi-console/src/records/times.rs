//! Times as the forms of records write and read them.

use crate::moment::ZONE;
use jiff::{Timestamp, civil};

/// The beginning of a day, as `2026-03-01`, in the zone of the place: Unix milliseconds.
pub(crate) fn day_begins_ms(text: &str) -> Option<i64> {
    begins(text.trim().parse().ok()?)
}

/// The end of a day: the beginning of the next.
pub(crate) fn day_ends_ms(text: &str) -> Option<i64> {
    let day: civil::Date = text.trim().parse().ok()?;
    begins(day.tomorrow().ok()?)
}

fn begins(day: civil::Date) -> Option<i64> {
    let zoned = day.to_zoned(ZONE.clone()).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// A time as forms give it: a day (its end), a day with a time, or Unix milliseconds.
pub(crate) fn time_ms(text: &str) -> Option<i64> {
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
pub(crate) fn form_time(ms: i64) -> String {
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
}
