//! The windows of a connection follow its link: twice what the link holds, and no more than memory
//! is there for. Fixed ones are too small for a fat link or too large for a thin one: what waits in
//! quinn can be overtaken only by what has a stream of its own.

use crate::link_rate::LinkRate;
use std::time::{Duration, Instant};

/// What a connection keeps to send again and waits to send has room beyond what the session has in
/// flight, bytes. quinn frees what it keeps in the order in which it was written: behind one lost
/// packet of bulk there is no room for a round trip, and what is urgent must not wait for it.
const SEND_ROOM_BYTES: u64 = 128 * 1024;
/// The least of it: the session's least window, and that room.
pub(crate) const SEND_BYTES_MIN: u64 = 80 * 1024 + SEND_ROOM_BYTES;
/// At most of either window: two bandwidth-delay products of 20 Mbit/s in 600 ms.
pub(crate) const WINDOW_BYTES_MAX: u64 = 3 * 1024 * 1024 + SEND_ROOM_BYTES;
/// Bytes that a peer may send beyond what was read, at least.
pub(crate) const RECEIVE_BYTES_MIN: u64 = 256 * 1024;
/// How many times what the link holds a window is.
const PRODUCTS: f64 = 2.0;
/// How often windows are looked at.
pub(crate) const FOLLOW_PERIOD: Duration = Duration::from_millis(200);
/// By what share a window must change to be changed.
const CHANGE_MIN: f64 = 0.125;

/// What a connection shows of its link at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkSample {
    pub(crate) rtt: Duration,
    /// The congestion window, bytes: what the link holds, as the controller measured it.
    pub(crate) congestion_window: u64,
    /// Bytes of UDP payload that came so far.
    pub(crate) received_bytes: u64,
}

/// Both windows, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkWindows {
    pub(crate) send: u64,
    pub(crate) receive: u64,
}

/// Follows one connection's link.
#[derive(Debug)]
pub(crate) struct WindowFollower {
    rate: LinkRate,
    /// When it was last looked at, and what had come by then.
    last: Option<(Instant, u64)>,
    windows: LinkWindows,
}

impl WindowFollower {
    /// One that begins with the windows of a connection's settings.
    pub(crate) fn new(rate: LinkRate) -> Self {
        let windows = LinkWindows {
            send: SEND_BYTES_MIN,
            receive: RECEIVE_BYTES_MIN,
        };
        Self {
            rate,
            last: None,
            windows,
        }
    }

    /// The windows to set, where they change.
    pub(crate) fn follow(&mut self, now: Instant, sample: LinkSample) -> Option<LinkWindows> {
        let rtt_s = sample.rtt.as_secs_f64();
        let came_bytes_s = match self.last.replace((now, sample.received_bytes)) {
            None => 0.0,
            Some((at, before)) => {
                let seconds = now.saturating_duration_since(at).as_secs_f64();
                let came = sample.received_bytes.saturating_sub(before);
                came as f64 / seconds.max(0.05)
            }
        };

        // What comes may grow to twice as much before it is looked at again.
        let known_bytes_s = self.rate.bits_s().unwrap_or(0) as f64 / 8.0;
        let incoming = PRODUCTS * rtt_s * known_bytes_s.max(2.0 * came_bytes_s);
        let outgoing = PRODUCTS * sample.congestion_window as f64;

        let wanted = LinkWindows {
            send: (outgoing as u64)
                .saturating_add(SEND_ROOM_BYTES)
                .clamp(SEND_BYTES_MIN, WINDOW_BYTES_MAX),
            receive: (incoming as u64).clamp(RECEIVE_BYTES_MIN, WINDOW_BYTES_MAX),
        };
        let now = LinkWindows {
            send: moved(self.windows.send, wanted.send),
            receive: moved(self.windows.receive, wanted.receive),
        };

        let changed = now != self.windows;
        self.windows = now;
        changed.then_some(now)
    }
}

/// A window where it is to be, or as it was where that is hardly elsewhere.
fn moved(was: u64, wanted: u64) -> u64 {
    let is_near = wanted.abs_diff(was) as f64 <= CHANGE_MIN * was as f64;
    if is_near { was } else { wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(congestion_window: u64, received_bytes: u64) -> LinkSample {
        LinkSample {
            rtt: Duration::from_millis(600),
            congestion_window,
            received_bytes,
        }
    }

    #[test]
    fn windows_are_twice_what_the_link_holds_within_bounds() {
        let mut follower = WindowFollower::new(LinkRate::provisioned(10_000_000));
        let now = Instant::now();
        let windows = follower.follow(now, sample(750_000, 0)).unwrap();
        let room = SEND_ROOM_BYTES;
        assert_eq!(
            (windows.send, windows.receive),
            (1_500_000 + room, 1_500_000)
        );

        // Hardly anything changes: nothing is set.
        assert_eq!(follower.follow(now, sample(760_000, 0)), None);

        let thin = LinkRate::provisioned(64_000);
        let mut follower = WindowFollower::new(thin);
        assert_eq!(follower.follow(now, sample(5_000, 0)), None, "the least");

        let mut follower = WindowFollower::new(LinkRate::provisioned(u64::MAX));
        let windows = follower.follow(now, sample(u64::MAX, 0)).unwrap();
        assert_eq!(windows.send, WINDOW_BYTES_MAX);
        assert_eq!(windows.receive, WINDOW_BYTES_MAX);
    }

    #[test]
    fn what_comes_opens_the_window_where_nobody_knows_the_rate() {
        let mut follower = WindowFollower::new(LinkRate::default());
        let start = Instant::now();
        assert_eq!(follower.follow(start, sample(5_000, 0)), None);

        let later = start + Duration::from_secs(1);
        let windows = follower.follow(later, sample(5_000, 500_000)).unwrap();
        assert_eq!(windows.receive, 1_200_000);
    }
}
