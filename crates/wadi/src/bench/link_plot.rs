//! `wadi bench link --plot FILE`: the bytes that each side offered to the link over time, beside
//! what its rate carries, as SVG; and the same run as a table.

use crate::{failure::Failure, print};
use plotters::prelude::*;
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use wadi_lab::UdpLink;

/// How often the link is looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// Samples of one run: ten minutes of them.
const SAMPLES_MAX: usize = 6_000;
/// The picture, in its own units.
const SIZE: (u32, u32) = (900, 420);
const UP: RGBColor = RGBColor(0x0b, 0x5f, 0xa5);
const DOWN: RGBColor = RGBColor(0xb3, 0x54, 0x00);
const RATE: RGBColor = RGBColor(0x77, 0x77, 0x77);

/// What had been offered at some time since the link came back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    seconds: f64,
    up_kb: f64,
    down_kb: f64,
}

/// Looks at a link until it is told to end.
pub(super) struct Sampler(JoinHandle<Vec<Sample>>, tokio::sync::oneshot::Sender<()>);

impl Sampler {
    /// Begins to look; the time counts from here, and so do the bytes.
    pub(super) fn begin(link: Arc<UdpLink>) -> Self {
        let (end, mut ended) = tokio::sync::oneshot::channel();
        let (began, up, down) = (Instant::now(), link.up_bytes(), link.down_bytes());
        let task = tokio::spawn(async move {
            let mut samples = Vec::new();
            let kb = |bytes: u64, before: u64| bytes.saturating_sub(before) as f64 / 1_000.0;
            while samples.len() < SAMPLES_MAX {
                samples.push(Sample {
                    seconds: began.elapsed().as_secs_f64(),
                    up_kb: kb(link.up_bytes(), up),
                    down_kb: kb(link.down_bytes(), down),
                });

                tokio::select! {
                    () = tokio::time::sleep(SAMPLE_INTERVAL) => {}
                    _ = &mut ended => break,
                }
            }
            samples
        });
        Self(task, end)
    }

    /// What was seen.
    pub(super) async fn end(self) -> Vec<Sample> {
        let _ = self.1.send(());
        self.0.await.unwrap_or_default()
    }
}

/// The picture of a run. `rate_bits_s` is the link's, each way; `converged_s` is when both held
/// everything.
pub(super) fn svg(
    title: &str,
    samples: &[Sample],
    rate_bits_s: u64,
    converged_s: f64,
) -> Result<String, Failure> {
    let mut text = String::new();
    draw(&mut text, title, samples, rate_bits_s, converged_s)
        .map_err(|error| Failure::new("bench", error.to_string()))?;
    Ok(text)
}

fn draw(
    text: &mut String,
    title: &str,
    samples: &[Sample],
    rate_bits_s: u64,
    converged_s: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    let last_s = samples.last().map_or(1.0, |s| s.seconds).max(1.0);
    let most_kb = samples
        .iter()
        .map(|s| s.up_kb.max(s.down_kb))
        .fold(1.0, f64::max)
        * 1.1;

    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(14)
        .caption(title, ("sans-serif", 17))
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..last_s, 0.0..most_kb)?;
    chart
        .configure_mesh()
        .x_desc("seconds since the link came back")
        .y_desc("kB offered to the link")
        .draw()?;

    let kb_s = rate_bits_s as f64 / 8_000.0;
    let full_s = (most_kb / kb_s).min(last_s);
    chart
        .draw_series([line(&[(0.0, 0.0), (full_s, full_s * kb_s)], RATE, 1)])?
        .label("what the rate carries one way")
        .legend(|at| key(at, RATE));

    type Way = fn(&Sample) -> f64;
    let ways: [(&str, RGBColor, Way); 2] = [
        ("from the site to the hub", UP, |s| s.up_kb),
        ("from the hub to the site", DOWN, |s| s.down_kb),
    ];
    for (name, colour, of) in ways {
        let points: Vec<(f64, f64)> = samples.iter().map(|s| (s.seconds, of(s))).collect();
        chart
            .draw_series([line(&points, colour, 2)])?
            .label(name)
            .legend(move |at| key(at, colour));
    }

    let both = [(converged_s, 0.0), (converged_s, most_kb)];
    chart
        .draw_series([line(&both, BLACK, 1)])?
        .label("both hold everything")
        .legend(|at| key(at, BLACK));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleLeft)
        .background_style(WHITE)
        .border_style(RATE)
        .draw()?;
    drop(chart);
    area.present()?;
    Ok(())
}

fn line(points: &[(f64, f64)], colour: RGBColor, width: u32) -> PathElement<(f64, f64)> {
    PathElement::new(points.to_vec(), colour.stroke_width(width))
}

fn key((x, y): (i32, i32), colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
}

/// A run as a table: what was measured, beside the plain JSON of the same operations.
pub(super) fn table(value: &Value) -> String {
    let json_bytes = value["json_zstd19_bytes"].as_f64().unwrap_or(0.0);
    let bytes = |members: &[&str]| -> f64 {
        let each = members.iter().map(|m| value[*m].as_f64().unwrap_or(0.0));
        each.sum()
    };
    let beside = |n: f64| match json_bytes > 0.0 {
        true => format!("{:.2}", n / json_bytes),
        false => String::new(),
    };
    let in_bytes = |name: &str, members: &[&str]| {
        let n = bytes(members);
        [name.to_string(), format!("{n:.0}"), beside(n)]
    };
    let plain = |name: &str, member: &str| {
        let of = print::member_text(value, member);
        [name.to_string(), of, String::new()]
    };

    let mut table = print::table(["measured", "", "of the JSON under zstd -19"]);
    table.add_row(plain("links", "links"));
    table.add_row(plain("contact, ms", "contact_ms"));
    table.add_row(plain("both hold everything, ms", "converge_ms"));
    table.add_row(in_bytes(
        "plain JSON, zstd -19, bytes",
        &["json_zstd19_bytes"],
    ));
    table.add_row(in_bytes("plain JSON, bytes", &["json_bytes"]));
    table.add_row(in_bytes("block frames both ways, bytes", &["block_bytes"]));
    table.add_row(in_bytes("offered by the site, bytes", &["wire_up_bytes"]));
    table.add_row(in_bytes("offered by the hub, bytes", &["wire_down_bytes"]));
    table.add_row(in_bytes(
        "all on the wire, bytes",
        &["wire_up_bytes", "wire_down_bytes"],
    ));
    table.add_row(plain(
        "a connection that finds nothing new, bytes",
        "idle_cold_bytes",
    ));
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_picture_with_both_ways_the_rate_and_the_end() {
        let samples: Vec<Sample> = (0..50)
            .map(|n| Sample {
                seconds: f64::from(n) / 10.0,
                up_kb: f64::from(n),
                down_kb: f64::from(n) / 2.0,
            })
            .collect();
        let drawn = svg("vsat-256 <loss>", &samples, 256_000, 4.5).expect("it is drawn");
        assert!(drawn.starts_with("<svg") && drawn.contains("both hold everything"));
        assert!(drawn.contains("vsat-256 &lt;loss&gt;"), "no markup");

        // A run in which nothing went over is drawn, too.
        assert!(svg("quiet", &[], 256_000, 0.0).is_ok());
    }

    #[test]
    fn a_table_says_each_number_beside_the_plain_json() {
        let told = table(&serde_json::json!({
            "links": "vsat-256", "contact_ms": 2300, "converge_ms": 6500,
            "json_zstd19_bytes": 70_000, "block_bytes": 49_000,
            "wire_up_bytes": 37_000, "wire_down_bytes": 26_000, "idle_cold_bytes": 4877,
        }));
        assert!(told.contains("0.70"), "{told}");
        assert!(told.contains("0.90"), "all both ways: {told}");
    }
}
