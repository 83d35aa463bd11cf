//! Times on pages: in the zone of the crossings, with UTC beside them. Every page writes and reads
//! them in this one zone.

use jiff::{
    Timestamp,
    tz::{TimeZone, offset},
};
use std::sync::LazyLock;

/// The zone of the crossings. Where the system has no list of zones, its offset since 2008.
pub(crate) static ZONE: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Asia/Baghdad").unwrap_or_else(|_| TimeZone::fixed(offset(3))));

/// A moment as a page shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Moment {
    /// In the zone of the crossings.
    pub here: String,
    /// The same in UTC, for whoever looks closer.
    pub utc: String,
    /// For programs: RFC 3339.
    pub exact: String,
}

impl Moment {
    /// A Unix time in milliseconds. One that no calendar has stands as its number.
    pub(crate) fn of_ms(ms: i64) -> Self {
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
    pub(crate) fn of_s(s: i64) -> Self {
        Self::of_ms(s.saturating_mul(1_000))
    }

    /// A Unix time in milliseconds where there is one; none for 0.
    pub(crate) fn if_any(ms: i64) -> Option<Self> {
        (ms > 0).then(|| Self::of_ms(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stands_in_the_zone_of_the_crossings_with_utc_beside_it() {
        let shown = Moment::of_ms(1_764_111_600_000);
        assert_eq!(shown.here, "2025-11-26 02:00");
        assert_eq!(shown.utc, "2025-11-25 23:00:00 UTC");
        assert_eq!(Moment::if_any(0), None);
    }

    #[test]
    fn a_time_that_no_calendar_has_stands_as_its_number() {
        assert_eq!(Moment::of_ms(i64::MAX).here, i64::MAX.to_string());
        assert_eq!(Moment::of_s(0).utc, "1970-01-01 00:00:00 UTC");
    }
}
