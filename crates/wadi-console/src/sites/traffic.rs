//! What went over a site's link today, by what it was for, and this month.

use super::{
    answers::{PeerRead, WayBytesRead},
    when::bytes,
};
use crate::frame::PageFrame;

/// A line of the table.
pub(super) struct TrafficLine {
    pub(super) what: String,
    pub(super) sent: String,
    pub(super) received: String,
    /// A sum of others.
    pub(super) is_sum: bool,
}

/// The lines, the sums last; none where nothing went over.
pub(super) fn lines(f: &PageFrame, peer: &PeerRead) -> Vec<TrafficLine> {
    let traffic = &peer.traffic;
    if traffic.month == WayBytesRead::default() {
        return Vec::new();
    }

    let line = |what: String, ways: WayBytesRead, is_sum| TrafficLine {
        what,
        sent: bytes(ways.sent as f64),
        received: bytes(ways.received as f64),
        is_sum,
    };
    let mut today = WayBytesRead::default();
    let mut out = Vec::new();
    for (purpose, ways) in &traffic.day {
        today.sent = today.sent.saturating_add(ways.sent);
        today.received = today.received.saturating_add(ways.received);
        out.push(line(
            f.say(&format!("sites-traffic-{purpose}")),
            *ways,
            false,
        ));
    }

    out.push(line(f.say("sites-traffic-today"), today, true));
    out.push(line(f.say("sites-traffic-month"), traffic.month, true));
    out
}

/// What may go over it in a month; none where nobody counts.
pub(super) fn budget(peer: &PeerRead) -> Option<String> {
    peer.traffic.month_bytes_max.map(|most| bytes(most as f64))
}
