//! R23: a scale past its date.

use crate::{Contradiction, Dossier, HOUR_MS, Rule, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R23",
    name: "calibration_expired",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Expired = "R23-expired" { record: record, scale: name, due: name }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let late = anchor.events("weighed").filter_map(|e| {
        let due = e.text("calibration_due")?;
        (e.at_ms() >= end_of_day_ms(due)?).then_some((e, due))
    });

    late.map(|(e, due)| {
        let scale = e.text("scale").unwrap_or_default();
        Contradiction::new(
            format!("{scale} {due}"),
            e.at_ms(),
            Says::Expired {
                record: anchor.printed(),
                scale,
                due,
            },
            json!({"scale": scale, "calibration_due": due}),
        )
        .each(e.entry())
    })
    .collect()
}

/// The end of a day `YYYY-MM-DD`, UTC, Unix milliseconds; nothing for any other text.
// The pattern bounds year, month and day, so that no sum of them leaves the range.
#[allow(clippy::arithmetic_side_effects)]
fn end_of_day_ms(text: &str) -> Option<i64> {
    let date: Vec<i64> = text
        .split('-')
        .map(|p| p.parse().ok())
        .collect::<Option<_>>()?;
    let [year @ 1..=9_999, month @ 1..=12, day @ 1..=31] = date[..] else {
        return None;
    };

    // Days since the epoch in the proleptic Gregorian calendar, years counted from March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };

    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 719_469;

    Some((days + 1) * 24 * HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn a_scale_serves_until_the_end_of_its_day() {
        // 2026-03-01T00:00:00Z is 1772323200.
        let end = 1_772_323_200_000;
        let weighed = |at| {
            passage(
                "P1",
                json!({}),
                &[event(
                    "weighed",
                    at,
                    json!({"calibration_due": "2026-02-28"}),
                )],
            )
        };

        assert_eq!(firm("R23", weighed(end), vec![]), [Phase::Firm]);
        assert_eq!(firm("R23", weighed(end - 1), vec![]), []);
        assert_eq!(end_of_day_ms("1970-01-01"), Some(24 * HOUR_MS));
        assert_eq!(end_of_day_ms("next spring"), None);
    }
}
