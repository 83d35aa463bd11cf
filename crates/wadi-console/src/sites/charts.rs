//! A site's contacts, volumes and backlog as plots.

use super::{
    answers::ContactsRead,
    when::{bytes, written},
};
use crate::{
    chart::{self, ChartAxis, ChartBar, ChartLine, ChartRow, ChartTone},
    frame::PageFrame,
};

/// What the plots show at most: a week.
const SPAN_MS: i64 = 7 * 86_400_000;
/// The least that they show: an hour, so that a new link is not a single stroke.
const SPAN_LEAST_MS: i64 = 3_600_000;
/// Parts of the time for which volumes are summed.
const PARTS: i64 = 42;
/// Times written below.
const TICKS: i64 = 6;

/// The plots of a site.
pub(crate) struct SiteCharts {
    pub contacts: String,
    pub sent: String,
    pub received: String,
    pub backlog: Option<String>,
}

/// The plots; none where there was no contact yet.
pub(crate) fn of(f: &PageFrame, read: &ContactsRead) -> Option<SiteCharts> {
    let first_ms = read.contacts.first()?.began_ms;
    let to = read.now_ms;
    let from = first_ms.clamp(to - SPAN_MS, to - SPAN_LEAST_MS);
    let axis = ChartAxis {
        from,
        to,
        ticks: ticks(from, to),
    };

    let spans = read.contacts.iter().filter(|c| c.ended_ms >= from);
    let row = ChartRow {
        name: f.say("sites-chart-in-contact"),
        spans: spans
            // One that lasted seconds is still seen.
            .map(|c| (c.began_ms, c.ended_ms.max(c.began_ms + (to - from) / 400)))
            .map(|(began, ended)| (began, ended, ChartTone::Good))
            .collect(),
    };
    let volume = |of: fn(&super::answers::ContactRead) -> u64, title: &str| {
        let bars = volumes(read, from, to, of);
        chart::bars(&f.say(title), &axis, &bytes, &bars)
    };
    let points: Vec<(i64, f64)> = read
        .backlog
        .iter()
        .filter(|b| b.at_ms >= from)
        .map(|b| (b.at_ms, b.unsent as f64))
        .collect();
    let line = ChartLine {
        tone: ChartTone::Warn,
        points,
    };

    Some(SiteCharts {
        contacts: chart::spans(&f.say("sites-chart-contacts"), &axis, &[row]),
        sent: volume(|c| c.sent_bytes, "sites-chart-sent"),
        received: volume(|c| c.received_bytes, "sites-chart-received"),
        backlog: (line.points.len() > 1).then(|| {
            let title = f.say("sites-chart-backlog");
            chart::lines(&title, &axis, &|v| format!("{v:.0}"), &[line])
        }),
    })
}

/// Bytes that went over, by when their contact ended.
fn volumes(
    read: &ContactsRead,
    from: i64,
    to: i64,
    of: fn(&super::answers::ContactRead) -> u64,
) -> Vec<ChartBar> {
    let part_ms = ((to - from) / PARTS).max(1);
    let mut sums = vec![0_u64; PARTS as usize];
    for contact in read.contacts.iter().filter(|c| c.ended_ms >= from) {
        let part = ((contact.ended_ms - from) / part_ms).clamp(0, PARTS - 1);
        if let Some(sum) = sums.get_mut(part as usize) {
            *sum = sum.saturating_add(of(contact));
        }
    }

    let bar = |(n, sum): (i64, u64)| ChartBar {
        from: from + n * part_ms,
        to: from + (n + 1) * part_ms - part_ms / 8,
        value: sum as f64,
        tone: ChartTone::Main,
    };
    (0..).zip(sums).map(bar).collect()
}

fn ticks(from: i64, to: i64) -> Vec<(i64, String)> {
    let form = match to - from > 2 * 86_400_000 {
        true => "%m-%d",
        false => "%m-%d %H:%M",
    };
    let step = (to - from) / TICKS;
    let at = |n: i64| from + step / 2 + n * step;
    (0..TICKS).map(|n| (at(n), written(at(n), form))).collect()
}
