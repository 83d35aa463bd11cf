//! What one rather looks at than reads: a record's weighings beside each other, the temperatures of
//! a cooled load, and where goods and vehicle were while they waited. A table says the same.

use super::{
    answers::{ShownEvent, ShownRecord},
    words::{ShownValue, event_words},
};
use crate::chart::{self, ChartAxis, ChartBar, ChartLine, ChartRow, ChartTone};
use crate::moment::{Moment, ZONE};
use jiff::Timestamp;
use std::collections::BTreeMap;
use wadi_words::Language;

/// Readings and moves that a table shows: of more, the latest.
const LINES_MAX: usize = 24;
/// Stores that are drawn.
const STORES_MAX: usize = 6;
/// Places along the axis of time at which something is written.
const TICKS: i64 = 5;
const DAY_MS: i64 = 86_400_000;
/// The tones of stores, in turn.
const TONES: [ChartTone; 4] = [
    ChartTone::Main,
    ChartTone::Note,
    ChartTone::Warn,
    ChartTone::Good,
];

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

/// A plot with what it draws as lines of a table.
pub(super) struct PlotWithTable {
    /// The plot as SVG.
    pub svg: String,
    /// The latest lines, the newest first.
    pub lines: Vec<PlotLine>,
    /// Lines that the table leaves out.
    pub left_out: usize,
}

/// A line of a plot's table.
pub(super) struct PlotLine {
    /// When.
    pub at: Moment,
    /// What it was.
    pub what: String,
    /// Where: a store's slot, a bay.
    pub place: String,
    /// What was measured or counted.
    pub values: Vec<ShownValue>,
}

/// An axis of time.
fn time_axis(from: i64, to: i64) -> ChartAxis {
    let to = to.max(from + 1);
    let form = match to - from > 2 * DAY_MS {
        true => "%m-%d",
        false => "%m-%d %H:%M",
    };
    let step = (to - from) / TICKS;
    let written = |ms: i64| {
        let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        time.to_zoned(ZONE.clone()).strftime(form).to_string()
    };
    let at = |n: i64| from + step / 2 + n * step;
    ChartAxis {
        from,
        to,
        ticks: (0..TICKS).map(|n| (at(n), written(at(n)))).collect(),
    }
}

fn counting<'e>(
    record: &'e ShownRecord,
    names: &'e [&str],
) -> impl Iterator<Item = &'e ShownEvent> {
    let is_one = |e: &&ShownEvent| e.counts && e.of.as_deref().is_some_and(|n| names.contains(&n));
    record.events.iter().filter(is_one)
}

fn place_of(event: &ShownEvent) -> String {
    let member = |name: &str| event.data.get(name).and_then(|v| v.as_str());
    let place = member("slot").or_else(|| member("bay"));
    place.unwrap_or_default().to_string()
}

/// Events as lines of a table, the newest first.
fn table(language: Language, mut events: Vec<&ShownEvent>) -> (Vec<PlotLine>, usize) {
    events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
    let left_out = events.len().saturating_sub(LINES_MAX);
    let line = |event: &&ShownEvent| {
        let words = event_words(
            language,
            event.of.as_deref().unwrap_or_default(),
            &event.data,
        );
        let is_measured = |name: &str| !name.is_empty();
        let shown = ["slot", "bay", "device", "device_seq"];
        let kept: serde_json::Map<_, _> = event
            .data
            .iter()
            .filter(|(name, _)| !shown.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let measured = event_words(language, event.of.as_deref().unwrap_or_default(), &kept);
        PlotLine {
            at: Moment::of_ms(event.at_ms),
            what: words.title,
            place: place_of(event),
            values: measured
                .members
                .into_iter()
                .filter(|m| is_measured(&m.name))
                .map(|m| m.value)
                .collect(),
        }
    };
    (events.iter().take(LINES_MAX).map(line).collect(), left_out)
}

/// The temperatures of the stores that a load is kept in; nothing where there are not two.
pub(super) fn temperatures(language: Language, record: &ShownRecord) -> Option<PlotWithTable> {
    let names = ["store.temperature", "store.in", "store.out"];
    let read: Vec<&ShownEvent> = counting(record, &names)
        .filter(|event| event.data.get("temp_c").is_some_and(|c| c.is_number()))
        .collect();
    if read.len() < 2 {
        return None;
    }

    let mut stores: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for event in &read {
        let degrees = event.data.get("temp_c").and_then(|c| c.as_f64());
        if let Some(degrees) = degrees {
            let points = stores.entry(place_of(event)).or_default();
            points.push((event.at_ms, degrees));
        }
    }

    let times = || read.iter().map(|event| event.at_ms);
    let axis = time_axis(times().min()?, times().max()?);
    let lines: Vec<ChartLine> = stores
        .into_values()
        .take(STORES_MAX)
        .zip(TONES.into_iter().cycle())
        .map(|(mut points, tone)| {
            points.sort_by_key(|(at_ms, _)| *at_ms);
            ChartLine { tone, points }
        })
        .collect();

    let title = language.sentence("records-temperatures", []);
    let written = |degrees: f64| format!("{degrees:.0} °C");
    let (table, left_out) = table(language, read);
    Some(PlotWithTable {
        svg: chart::lines(&title, &axis, &written, &lines),
        lines: table,
        left_out,
    })
}

/// Where goods and vehicle were while they waited, through `now_ms`; nothing where that was never
/// said.
pub(super) fn moves(
    language: Language,
    record: &ShownRecord,
    now_ms: i64,
) -> Option<PlotWithTable> {
    let (into, out_of) = (["store.in", "parked"], ["store.out", "unparked"]);
    let mut moved: Vec<&ShownEvent> = counting(record, &["store.in", "store.out"])
        .chain(counting(record, &["parked", "unparked"]))
        .collect();
    moved.sort_by_key(|event| event.at_ms);
    let from = moved.first()?.at_ms;

    let mut rows: BTreeMap<String, Vec<(i64, i64, ChartTone)>> = BTreeMap::new();
    let mut entered: BTreeMap<String, i64> = BTreeMap::new();
    for event in &moved {
        let (name, place) = (event.of.as_deref().unwrap_or_default(), place_of(event));
        if into.contains(&name) {
            entered.entry(place).or_insert(event.at_ms);
        } else if out_of.contains(&name)
            && let Some(since) = entered.remove(&place)
        {
            let spans = rows.entry(place).or_default();
            spans.push((since, event.at_ms, ChartTone::Good));
        }
    }
    for (place, since) in entered {
        let spans = rows.entry(place).or_default();
        spans.push((since, now_ms.max(since), ChartTone::Main));
    }

    let last = rows.values().flatten().map(|span| span.1).max();
    let axis = time_axis(from, last.unwrap_or(now_ms));
    let row = |(name, spans)| ChartRow { name, spans };
    let rows: Vec<ChartRow> = rows.into_iter().map(row).collect();
    let title = language.sentence("records-moves", []);
    let (table, left_out) = table(language, moved);
    Some(PlotWithTable {
        svg: chart::spans(&title, &axis, &rows),
        lines: table,
        left_out,
    })
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

    fn stored(events: &[(&str, i64, serde_json::Value)]) -> ShownRecord {
        let event = |(name, hour, data): &(&str, i64, serde_json::Value)| {
            json!({
                "type": name, "data": data, "officer": "OF-1", "department": "VET",
                "at_ms": 1_772_341_200_000_i64 + hour * 3_600_000, "counts": true,
            })
        };
        let events: Vec<_> = events.iter().map(event).collect();
        serde_json::from_value(json!({"events": events})).unwrap()
    }

    #[test]
    fn temperatures_below_nothing_are_drawn_and_stand_in_a_table_the_newest_first() {
        let read = |slot: &str, c: f64| json!({"slot": slot, "temp_c": c, "device_seq": 4});
        let record = stored(&[
            ("store.in", 0, read("<b>C1", -18.5)),
            ("store.temperature", 1, read("<b>C1", -12.0)),
            ("store.temperature", 2, read("C2", 4.0)),
        ]);
        let plot = temperatures(Language::Arabic, &record).unwrap();
        assert!(plot.svg.contains("<svg") && !plot.svg.contains("<b>"));
        assert!(
            !plot.svg.contains("NaN") && plot.svg.contains("°C"),
            "{}",
            plot.svg
        );
        assert_eq!((plot.lines.len(), plot.left_out), (3, 0));
        assert_eq!(plot.lines[0].place, "C2");
        assert_eq!(
            plot.lines[2].values.len(),
            1,
            "the number of a device says nothing"
        );

        let one = stored(&[("store.temperature", 1, read("C1", -12.0))]);
        assert!(temperatures(Language::English, &one).is_none());
    }

    #[test]
    fn what_is_still_in_a_store_is_drawn_through_now() {
        let slot = |name: &str| json!({"slot": name, "packages": 40});
        let record = stored(&[
            ("store.in", 0, slot("A1")),
            ("store.out", 5, slot("A1")),
            ("store.in", 6, slot("B2")),
        ]);
        let now_ms = 1_772_341_200_000 + 30 * 3_600_000;
        let plot = moves(Language::English, &record, now_ms).unwrap();
        for place in ["A1", "B2"] {
            assert!(plot.svg.contains(place), "{}", plot.svg);
        }
        assert_eq!(plot.lines.len(), 3);
        assert!(moves(Language::English, &stored(&[]), now_ms).is_none());
    }

    #[test]
    fn more_lines_than_a_table_shows_are_counted() {
        let read = |n: i64| ("store.temperature", n, json!({"slot": "C1", "temp_c": 4}));
        let all: Vec<_> = (0..100).map(read).collect();
        let plot = temperatures(Language::English, &stored(&all)).unwrap();
        assert_eq!(
            (plot.lines.len(), plot.left_out),
            (LINES_MAX, 100 - LINES_MAX)
        );
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
