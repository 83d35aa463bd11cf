//! Charts as SVG, drawn here: lines and bars over time, and spans of time in rows.
//!
//! A chart stands in the page as markup, takes its colours from the page's tokens (so it follows
//! light and dark), and carries no style of its own, which the page's policy would forbid. Time
//! goes from left to right in each language, as clocks and tables of it do.

use askama::filters::{Escaper, Html};
use plotters::{
    coord::{
        Shift,
        combinators::{BindKeyPoints, WithKeyPoints},
        types::{RangedCoordf64, RangedCoordi64},
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::ops::Range;

/// A chart's size in its own units; the page stretches it to the place that there is.
const WIDTH: u32 = 720;
const HEIGHT: u32 = 200;
/// What one row of spans takes of the height, and what the axis below takes.
const ROW_HEIGHT: u32 = 26;
const AXIS_HEIGHT: u32 = 30;
/// Rows of spans that one chart draws at most.
const ROWS_MAX: usize = 60;
/// Points, bars or spans that one chart draws at most: a page stays small.
const MARKS_MAX: usize = 400;

/// What names of rows, and values beside the upright axis, take of the width.
const NAMES_WIDTH: u32 = 130;
const VALUES_WIDTH: u32 = 76;

type Along = WithKeyPoints<RangedCoordi64>;
type OnSvg<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Along, RangedCoordf64>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The colour of a mark, by what it means. A chart says the same by place or by words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChartTone {
    /// What the chart is about.
    Main,
    /// As it should be.
    Good,
    /// What somebody should look at.
    Warn,
    /// What is wrong.
    Bad,
    /// A second thing beside the first.
    Note,
    /// What stands behind.
    Faint,
}

impl ChartTone {
    const ALL: [Self; 6] = [
        Self::Main,
        Self::Good,
        Self::Warn,
        Self::Bad,
        Self::Note,
        Self::Faint,
    ];

    /// What stands for the tone while it is drawn: no page has such a colour.
    fn colour(self) -> RGBColor {
        RGBColor(1, 2, self as u8)
    }

    /// The token of the page's colours.
    fn token(self) -> &'static str {
        match self {
            Self::Main => "var(--accent)",
            Self::Good => "var(--good)",
            Self::Warn => "var(--warn)",
            Self::Bad => "var(--bad)",
            Self::Note => "var(--note)",
            Self::Faint => "var(--line-strong)",
        }
    }
}

/// The colours of letters and of the lines behind, as [`ChartTone::colour`].
const INK: RGBColor = RGBColor(1, 3, 0);
const GRID: RGBColor = RGBColor(1, 3, 1);

/// The axis along the bottom: from where to where, and what is written where.
#[derive(Clone, Debug)]
pub(crate) struct ChartAxis {
    /// Where it begins; of times, Unix milliseconds.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// What is written at which places.
    pub ticks: Vec<(i64, String)>,
}

/// Units of the axis that one name takes in [`ChartAxis::of_names`].
const NAME_WIDTH: i64 = 10;

impl ChartAxis {
    /// An axis with a place for each name; [`ChartBar::at`] puts a bar there.
    pub(crate) fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let ticks: Vec<(i64, String)> = names
            .into_iter()
            .zip(0..)
            .map(|(name, n)| (n * NAME_WIDTH + NAME_WIDTH / 2, name.to_string()))
            .collect();
        Self {
            from: 0,
            to: ticks.len() as i64 * NAME_WIDTH,
            ticks,
        }
    }

    /// The range as it can be drawn: never empty.
    fn range(&self) -> Range<i64> {
        self.from..self.to.max(self.from + 1)
    }

    fn coordinates(&self) -> Along {
        let places = self.ticks.iter().map(|(at, _)| *at).collect();
        RangedCoordi64::from(self.range()).with_key_points(places)
    }

    fn written(&self, at: i64) -> String {
        let found = self.ticks.iter().find(|(place, _)| *place == at);
        found.map_or_else(String::new, |(_, text)| text.clone())
    }
}

/// A line of points over the axis.
#[derive(Clone, Debug)]
pub(crate) struct ChartLine {
    /// Its colour.
    pub tone: ChartTone,
    /// The points, in order.
    pub points: Vec<(i64, f64)>,
}

/// A bar over a part of the axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChartBar {
    /// Where it begins.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// How high it is.
    pub value: f64,
    /// Its colour.
    pub tone: ChartTone,
}

impl ChartBar {
    /// A bar at the nth name of [`ChartAxis::of_names`].
    pub(crate) fn at(n: usize, value: f64, tone: ChartTone) -> Self {
        let from = n as i64 * NAME_WIDTH;
        Self {
            from: from + 1,
            to: from + NAME_WIDTH - 1,
            value,
            tone,
        }
    }
}

/// A row with spans of time.
#[derive(Clone, Debug)]
pub(crate) struct ChartRow {
    /// What the row is called.
    pub name: String,
    /// From when, until when, and in which colour.
    pub spans: Vec<(i64, i64, ChartTone)>,
}

/// Lines over the axis. `written` writes a value at the side; `title` is read to those who do not
/// see the chart.
pub(crate) fn lines(
    title: &str,
    axis: &ChartAxis,
    written: &dyn Fn(f64) -> String,
    lines: &[ChartLine],
) -> String {
    let values = || lines.iter().flat_map(|line| &line.points).map(|p| p.1);
    // What is below nothing, as a store that freezes, is drawn below it.
    let lowest = values().filter(|v| v.is_finite()).fold(0.0, f64::min) * 1.08;
    let highest = values().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let top = match (lowest < 0.0, highest > 0.0) {
        (true, false) => 0.0,
        _ => top_of(values()),
    };
    drawn_over(title, axis, written, lowest..top, |chart| {
        for line in lines {
            let points = line.points.iter().copied().filter(|p| p.1.is_finite());
            let points: Vec<(i64, f64)> = points.take(MARKS_MAX).collect();
            let style = line.tone.colour().stroke_width(2);
            chart.draw_series([PathElement::new(points, style)])?;
        }
        Ok(())
    })
}

/// Bars over the axis. Bars of one place lie in front of each other: give the highest first.
pub(crate) fn bars(
    title: &str,
    axis: &ChartAxis,
    written: &dyn Fn(f64) -> String,
    bars: &[ChartBar],
) -> String {
    let top = top_of(bars.iter().map(|bar| bar.value));
    drawn_over(title, axis, written, 0.0..top, |chart| {
        let rectangles = bars.iter().take(MARKS_MAX).map(|bar| {
            let corners = [(bar.from, 0.0), (bar.to, bar.value)];
            Rectangle::new(corners, bar.tone.colour().filled())
        });
        chart.draw_series(rectangles)?;
        Ok(())
    })
}

/// Rows with spans of time, the first one at the top.
pub(crate) fn spans(title: &str, axis: &ChartAxis, rows: &[ChartRow]) -> String {
    let rows = rows.get(..ROWS_MAX).unwrap_or(rows);
    let count = rows.len().max(1);
    let height = AXIS_HEIGHT + ROW_HEIGHT * count as u32;

    let drawn = on_svg(height, |area| {
        let over = RangedCoordf64::from(0.0..count as f64);
        let mut chart = ChartBuilder::on(area)
            .margin(4)
            .x_label_area_size(AXIS_HEIGHT - 8)
            .y_label_area_size(NAMES_WIDTH)
            .build_cartesian_2d(axis.coordinates(), over)?;
        draw_mesh(&mut chart, axis, &|_| String::new())?;

        for (row, n) in rows.iter().zip(1..) {
            let middle = (count - n) as f64 + 0.5;
            let (x, y) = chart.backend_coord(&(axis.from, middle));
            let place = letters().pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(row.name.clone(), (x - 8, y), place))?;

            let marks = row.spans.iter().take(MARKS_MAX);
            chart.draw_series(marks.map(|(from, to, tone)| {
                let from = (*from).clamp(axis.from, axis.range().end);
                let to = (*to).clamp(from, axis.range().end);
                let corners = [(from, middle - 0.3), (to, middle + 0.3)];
                Rectangle::new(corners, tone.colour().filled())
            }))?;
        }
        Ok(())
    });
    finished(title, height, &drawn)
}

/// The letters of axes.
fn letters() -> TextStyle<'static> {
    ("sans-serif", 13).into_font().color(&INK)
}

/// The end of the upright axis, for these values: something stands above nothing, too.
fn top_of(values: impl Iterator<Item = f64>) -> f64 {
    let highest = values.filter(|v| v.is_finite()).fold(0.0, f64::max);
    if highest > 0.0 { highest * 1.08 } else { 1.0 }
}

/// A chart with an upright axis over `values`.
fn drawn_over(
    title: &str,
    axis: &ChartAxis,
    written: &dyn Fn(f64) -> String,
    values: Range<f64>,
    draw: impl FnOnce(&mut OnSvg<'_>) -> Drawn,
) -> String {
    let drawn = on_svg(HEIGHT, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(6)
            .x_label_area_size(AXIS_HEIGHT - 8)
            .y_label_area_size(VALUES_WIDTH)
            .build_cartesian_2d(axis.coordinates(), RangedCoordf64::from(values))?;
        draw_mesh(&mut chart, axis, written)?;
        draw(&mut chart)
    });
    finished(title, HEIGHT, &drawn)
}

/// The lines behind, and what stands along the axes.
fn draw_mesh(chart: &mut OnSvg<'_>, axis: &ChartAxis, written: &dyn Fn(f64) -> String) -> Drawn {
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .label_style(letters())
        .x_labels(axis.ticks.len().max(1))
        .x_label_formatter(&|at| axis.written(*at))
        .y_labels(4)
        .y_label_formatter(&|value| written(*value))
        .draw()
}

/// What is drawn by `draw`, as the drawing crate writes it. One that cannot be drawn is a fault of
/// ours; the page stands without it.
fn on_svg(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        if let Err(error) = draw(&area).and_then(|()| area.present()) {
            tracing::error!(%error, "a chart could not be drawn");
        }
    }
    text
}

/// The drawing as a part of a page: under its title, in the page's colours.
fn finished(title: &str, height: u32, drawn: &str) -> String {
    let inner = drawn.split_once('>').map_or("", |(_, inner)| inner);
    let mut inner = inner
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "")
        .replace(&hex(INK), "currentColor")
        .replace(&hex(GRID), "var(--line)");
    for tone in ChartTone::ALL {
        inner = inner.replace(&hex(tone.colour()), tone.token());
    }

    let mut name = String::new();
    // Writing to a text cannot fail.
    let _ = Html.write_escaped_str(&mut name, title);
    format!(
        "<div class=\"chart\" tabindex=\"0\"><svg viewBox=\"0 0 {WIDTH} {height}\" \
         role=\"img\" direction=\"ltr\" aria-label=\"{name}\">{inner}</div>"
    )
}

/// A colour as the drawing crate writes it.
fn hex(colour: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis() -> ChartAxis {
        ChartAxis {
            from: 0,
            to: 100,
            ticks: vec![(0, "الآن".into()), (50, "<b>".into())],
        }
    }

    /// The page's policy forbids styles that stand in it, and a name is never markup.
    fn assert_is_plain(svg: &str) {
        for forbidden in ["style", "<b>", "<script", "#01"] {
            assert!(!svg.contains(forbidden), "{forbidden}: {svg}");
        }
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }

    #[test]
    fn a_chart_takes_its_colours_from_the_page_and_its_words_as_text() {
        let line = ChartLine {
            tone: ChartTone::Bad,
            points: vec![(0, 1.0), (50, 7.0), (100, 3.0)],
        };
        let svg = lines("\"<b>&", &axis(), &|v| format!("{v} <b>"), &[line]);
        assert!(svg.contains("var(--bad)"), "{svg}");
        assert!(svg.contains("الآن"), "{svg}");
        assert_is_plain(&svg);

        let row = ChartRow {
            name: "<b>منفذ".into(),
            spans: vec![(-50, 20, ChartTone::Good), (90, 900, ChartTone::Warn)],
        };
        let svg = spans("x", &axis(), &[row]);
        assert!(svg.contains("var(--good)"), "{svg}");
        assert_is_plain(&svg);
    }

    #[test]
    fn bars_stand_at_their_names() {
        let names = ChartAxis::of_names(["R01", "R02", "R03"]);
        let drawn = bars(
            "rules",
            &names,
            &|v| format!("{v:.0}"),
            &[
                ChartBar::at(0, 12.0, ChartTone::Main),
                ChartBar::at(2, 3.0, ChartTone::Note),
            ],
        );
        for name in ["R01", "R02", "R03"] {
            assert!(drawn.contains(name), "{drawn}");
        }
        assert_is_plain(&drawn);
    }

    #[test]
    fn nothing_and_what_is_no_number_are_drawn_without_a_fault() {
        let empty = ChartAxis {
            from: 5,
            to: 5,
            ticks: Vec::new(),
        };
        for points in [
            vec![],
            vec![(5, f64::NAN)],
            vec![(5, f64::INFINITY), (5, 0.0)],
        ] {
            let line = ChartLine {
                tone: ChartTone::Main,
                points,
            };
            assert_is_plain(&lines("x", &empty, &|v| v.to_string(), &[line]));
        }
        assert_is_plain(&spans("x", &empty, &[]));
        assert_is_plain(&bars("x", &empty, &|v| v.to_string(), &[]));
    }

    #[test]
    fn a_chart_of_a_year_of_minutes_stays_small() {
        let points = (0..500_000).map(|n| (n, 1.0)).collect();
        let line = ChartLine {
            tone: ChartTone::Main,
            points,
        };
        let svg = lines("x", &axis(), &|v| v.to_string(), &[line]);
        assert!(svg.len() < 20_000, "{}", svg.len());
    }
}
