//! Whose time has come: which pending findings may have become firm since it was last looked.

use std::collections::BTreeMap;

/// Since when and through when crossings were heard: what waits for a time in one of these ranges
/// may be firm by now. Ascending, each without its beginning, none touching another. The hub's own
/// time is one of the crossings: it passes without anybody writing anything.
pub(crate) fn passed(
    before: &BTreeMap<String, i64>,
    now: &BTreeMap<String, i64>,
) -> Vec<(i64, i64)> {
    let moved = now.iter().map(|(crossing, now_ms)| {
        // A crossing that is heard for the first time may settle whatever is before that.
        let before_ms = before.get(crossing).copied().unwrap_or(i64::MIN);
        (before_ms, *now_ms)
    });

    let mut ranges: Vec<(i64, i64)> = moved
        .filter(|(before_ms, now_ms)| before_ms < now_ms)
        .collect();
    ranges.sort_unstable();

    let mut out: Vec<(i64, i64)> = Vec::new();
    for (from, to) in ranges {
        match out.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(all: &[(&str, i64)]) -> BTreeMap<String, i64> {
        all.iter()
            .map(|(crossing, ms)| (crossing.to_string(), *ms))
            .collect()
    }

    #[test]
    fn only_what_was_passed_since_is_due() {
        let before = heard(&[("TRB", 100), ("QAM", 50), ("HUB", 900)]);
        assert_eq!(passed(&before, &before), []);
        let now = heard(&[("TRB", 160), ("QAM", 50), ("HUB", 910)]);
        assert_eq!(passed(&before, &now), [(100, 160), (900, 910)]);
        let caught_up = heard(&[("TRB", 160), ("QAM", 905), ("HUB", 910)]);
        assert_eq!(passed(&before, &caught_up), [(50, 910)]);
    }

    #[test]
    fn at_the_start_everything_is_due_and_a_watermark_put_back_passes_again() {
        let now = heard(&[("TRB", 160), ("HUB", 910)]);
        assert_eq!(passed(&BTreeMap::new(), &now), [(i64::MIN, 910)]);
        let back = heard(&[("TRB", 10), ("HUB", 910)]);
        assert_eq!(passed(&now, &back), []);
        assert_eq!(passed(&back, &now), [(10, 160)]);
    }
}
