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

/// The range of times of findings that waited for so long beyond them, by the hub's own time: those
/// that wait for a crossing of which nothing was ever heard may be firm by now.
pub(crate) fn waited_out(
    before: &BTreeMap<String, i64>,
    now: &BTreeMap<String, i64>,
    limit_ms: i64,
) -> Option<(i64, i64)> {
    let now_ms = now.get("HUB").copied()?;
    let before_ms = before.get("HUB").copied().unwrap_or(i64::MIN);
    let passed = (
        before_ms.saturating_sub(limit_ms),
        now_ms.saturating_sub(limit_ms),
    );

    (before_ms < now_ms).then_some(passed)
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
    fn what_waits_beyond_its_time_is_due_by_the_hubs_own_time() {
        let before = heard(&[("TRB", 100), ("HUB", 900)]);
        let now = heard(&[("TRB", 950), ("HUB", 910)]);
        assert_eq!(waited_out(&before, &now, 50), Some((850, 860)));
        assert_eq!(waited_out(&now, &now, 50), None);
        assert_eq!(waited_out(&before, &BTreeMap::new(), 50), None);
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
