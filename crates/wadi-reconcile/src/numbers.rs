//! Sums of what others have written. Anything at all may stand in a record, the ends of the range
//! of numbers among it, so that every sum here ends at the range's end and none wraps or panics.

use crate::HOUR_MS;

/// So many hours, in milliseconds.
pub(crate) fn hours_ms(hours: u32) -> i64 {
    i64::from(hours).saturating_mul(HOUR_MS)
}

/// So many seconds, in milliseconds.
pub(crate) fn seconds_ms(seconds: u32) -> i64 {
    i64::from(seconds).saturating_mul(1_000)
}

/// How far apart two times or amounts are, in whichever order.
pub(crate) fn apart(a: i64, b: i64) -> i64 {
    a.saturating_sub(b).saturating_abs()
}

/// The sum of foreign numbers.
pub(crate) fn total(all: impl IntoIterator<Item = i64>) -> i64 {
    all.into_iter().fold(0, i64::saturating_add)
}

/// A count, for a sentence.
pub(crate) fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count's order of magnitude: none, one, up to nine, up to ninety-nine, … What rests on it
/// changes when the count grows beyond reason, and not with each repetition.
pub(crate) fn magnitude(count: usize) -> u32 {
    match count {
        0 | 1 => count as u32,
        more => more.ilog10().saturating_add(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_at_the_end_of_the_range() {
        assert_eq!(total([i64::MAX, 1, 5]), i64::MAX);
        assert_eq!(total([i64::MIN, -1]), i64::MIN);
        assert_eq!(apart(i64::MIN, i64::MAX), i64::MAX);
        assert_eq!(apart(3, 10), 7);
        assert_eq!(hours_ms(u32::MAX), 4_294_967_295 * HOUR_MS);
    }

    #[test]
    fn a_count_changes_its_magnitude_five_times_up_to_ten_thousand() {
        let all: Vec<u32> = [0, 1, 2, 9, 10, 99, 100, 999, 1_000]
            .map(magnitude)
            .to_vec();
        assert_eq!(all, [0, 1, 2, 2, 3, 3, 4, 4, 5]);
    }
}
