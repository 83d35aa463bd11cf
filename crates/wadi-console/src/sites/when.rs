//! Lengths of time and numbers of bytes as these pages write them.

use crate::{frame::PageFrame, moment::ZONE};
use jiff::Timestamp;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A Unix time in milliseconds, written so in the zone of the crossings.
pub(crate) fn written(ms: i64, form: &str) -> String {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(ZONE.clone()).strftime(form).to_string()
}

/// A length of time in words, in the one unit that tells it: 3 hours, 2 days.
pub(crate) fn length(f: &PageFrame, ms: i64) -> String {
    match ms.max(0) {
        ms if ms >= 2 * DAY_MS => f.say_n("sites-days", ms / DAY_MS),
        ms if ms >= 2 * HOUR_MS => f.say_n("sites-hours", ms / HOUR_MS),
        ms if ms >= 2 * MINUTE_MS => f.say_n("sites-minutes", ms / MINUTE_MS),
        ms => f.say_n("sites-seconds", ms / 1_000),
    }
}

/// A number of bytes as people read it. The unit is the same in each language.
pub(crate) fn bytes(count: f64) -> String {
    match count {
        c if c >= 1e9 => format!("{:.1} GB", c / 1e9),
        c if c >= 1e6 => format!("{:.1} MB", c / 1e6),
        c if c >= 1e3 => format!("{:.0} kB", c / 1e3),
        c => format!("{c:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_short() {
        assert_eq!(bytes(812.0), "812 B");
        assert_eq!(bytes(64_200.0), "64 kB");
        assert_eq!(bytes(3_250_000.0), "3.2 MB");
    }
}
