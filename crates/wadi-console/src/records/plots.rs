//! What one rather looks at than reads: a record's weighings beside each other.

use super::answers::ShownRecord;
use crate::chart::{self, ChartAxis, ChartBar, ChartTone};
use crate::moment::Moment;
use wadi_words::Language;

/// Weighings that are drawn: of more, the latest.
const WEIGHINGS_MAX: usize = 12;

/// A weighing that counts: when, and what was on the scale, kilograms.
struct Weighing {
    at: String,
    gross_kg: f64,
    tare_kg: Option<f64>,
}

fn weighings(record: &ShownRecord) -> Vec<Weighing> {
    let of_scales = record.events.iter();
    let of_scales = of_scales.filter(|e| e.counts && e.of.as_deref() == Some("weighed"));
    of_scales
        .filter_map(|event| {
            let kilograms = |member: &str| event.data.get(member)?.as_f64();
            // The year says nothing between two weighings of one truck.
            let at = Moment::of_ms(event.at_ms).here;
            let at = at
                .split_once('-')
                .map_or(at.as_str(), |(_, rest)| rest)
                .to_string();
            Some(Weighing {
                at,
                gross_kg: kilograms("gross_kg")?,
                tare_kg: kilograms("tare_kg"),
            })
        })
        .collect()
}

/// The weighings of a record as SVG; nothing where there are not two to compare.
pub(super) fn weighings_svg(language: Language, record: &ShownRecord) -> Option<String> {
    let all = weighings(record);
    let shown = all.get(all.len().saturating_sub(WEIGHINGS_MAX)..)?;
    if shown.len() < 2 {
        return None;
    }

    let axis = ChartAxis::of_names(shown.iter().map(|w| w.at.as_str()));
    let mut bars = Vec::new();
    for (n, weighing) in shown.iter().enumerate() {
        bars.push(ChartBar::at(n, weighing.gross_kg, ChartTone::Main));
        bars.extend(
            weighing
                .tare_kg
                .map(|kg| ChartBar::at(n, kg, ChartTone::Faint)),
        );
    }

    let title = language.sentence("records-weighings", []);
    let unit = language.sentence("records-unit-kg", []);
    let written = |kg: f64| format!("{kg:.0} {unit}");
    Some(chart::bars(&title, &axis, &written, &bars))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(weights: &[i64]) -> ShownRecord {
        let weighed = |kg: &i64| {
            json!({
                "type": "weighed", "data": {"gross_kg": kg, "tare_kg": 14_000}, "officer": "<b>",
                "department": "OPS", "at_ms": 1_772_341_200_000_i64, "counts": true,
            })
        };
        let events: Vec<_> = weights.iter().map(weighed).collect();
        serde_json::from_value(json!({"events": events})).unwrap()
    }

    #[test]
    fn two_weighings_are_compared_and_one_is_not() {
        let language = Language::Arabic;
        assert_eq!(weighings_svg(language, &record(&[])), None);
        assert_eq!(weighings_svg(language, &record(&[31_000])), None);
        let svg = weighings_svg(language, &record(&[31_000, 30_900])).unwrap();
        assert!(svg.contains("<svg") && svg.contains("الوزنات"), "{svg}");
        assert!(!svg.contains("<b>") && !svg.contains("style="), "{svg}");
    }
}
