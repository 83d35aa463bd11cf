//! Times and lengths of time as these pages write them: in the zone of the crossings, with UTC
//! beside it.

use crate::frame::PageFrame;
use jiff::{
    Timestamp,
    tz::{TimeZone, offset},
};
use std::sync::LazyLock;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The zone of the crossings. Where the system has no list of zones, its offset since 2008.
static ZONE: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Asia/Baghdad").unwrap_or_else(|_| TimeZone::fixed(offset(3))));

/// A time as a page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ShownTime {
    /// In the zone of the crossings.
    pub here: String,
    /// In UTC, for whoever looks closer.
    pub utc: String,
}

/// A Unix time in milliseconds.
pub(crate) fn shown_ms(ms: i64) -> ShownTime {
    let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    ShownTime {
        here: written(ms, "%Y-%m-%d %H:%M"),
        utc: time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    }
}

/// The same, where there is such a time; none for 0.
pub(crate) fn shown_if(ms: i64) -> Option<ShownTime> {
    (ms > 0).then(|| shown_ms(ms))
}

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
    fn a_time_stands_in_the_zone_of_the_crossings_with_utc_beside_it() {
        let shown = shown_ms(1_764_111_600_000);
        assert_eq!(shown.here, "2025-11-26 02:00");
        assert_eq!(shown.utc, "2025-11-25 23:00:00 UTC");
        assert_eq!(shown_if(0), None);
    }

    #[test]
    fn bytes_are_written_short() {
        assert_eq!(bytes(812.0), "812 B");
        assert_eq!(bytes(64_200.0), "64 kB");
        assert_eq!(bytes(3_250_000.0), "3.2 MB");
    }
}
