//! A congestion controller for thin links whose losses are the radio's and not a queue's: it aims
//! at a small standing queue, ignores single losses, and shrinks on persistent congestion (after
//! LEDBAT, RFC 6817, and TCP Vegas).
//!
//! `set_priority` cannot reach bytes that already wait in a modem; only a small queue can. Use it
//! on links that the commission owns; elsewhere Cubic is fairer to strangers.
//!
//! Where the link's rate is known, the window begins at the link's bandwidth-delay product and
//! stays between one and one and a quarter of it. The lower bound is for traffic both ways: quinn
//! withholds acknowledgements while stream data waits for the window or the pacer, so each side
//! reads the other's backlog as a queue of its own. Without the bound both shrink to two packets
//! and stay there. For the same reason a queue is what the quickest of the last acknowledgements
//! says, not their mean.
//!
//! The path of a satellite that passes by grows longer in steps, which are no queue: on short paths
//! the round trip that counts as empty is the least of the last seconds.

use crate::link_rate::LinkRate;
use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use std::{
    any::Any,
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// Initial window where the link's rate is not known, bytes: four packets.
const INITIAL_WINDOW_BYTES: f64 = 4_800.0;
/// The round trip taken for granted until one is measured: VSAT.
const INITIAL_RTT: Duration = Duration::from_millis(700);
/// The least window, in packets.
const PACKETS_MIN: f64 = 2.0;
/// The least window where the rate is known, in bandwidth-delay products. Measured with traffic
/// both ways at 256 kbit/s: with 0.8 it takes 8.9 s, with one 7.3 s and with 1.1 7.9 s.
const FLOOR_PRODUCTS: f64 = 1.0;
/// The largest window where the rate is known: one product and a quarter keep the link busy through
/// acknowledgements that bunch up.
const CAP_PRODUCTS: f64 = 1.25;
/// The floor in bytes at most, where only the peer told the rate: whatever it says, and however
/// long it delays its acknowledgements. What it brings about goes to that peer alone. With 48 KiB
/// the hub's acknowledgements held a site's blocks up: 9.3 s in place of 4.1 for 3.6 MB over
/// 10 Mbit/s and 600 ms.
const TOLD_FLOOR_BYTES_MAX: f64 = 256.0 * 1024.0;
/// The window in bytes at most: four times 10 Mbit/s in 600 ms.
const WINDOW_BYTES_MAX: f64 = 3.0 * 1024.0 * 1024.0;
/// The queue aimed at, in packets, where these take longer than the target: at 64 kbit/s one packet
/// takes 157 ms.
const TARGET_PACKETS: f64 = 2.0;
/// Bytes of IP and UDP headers in front of a packet.
const HEADER_BYTES: f64 = 28.0;
/// What the window grows by in a round trip at least where nothing queues, as a share of itself: a
/// packet a round trip would take minutes to fill a fat link.
const GAIN_MIN: f64 = 0.05;
/// The queue aimed at on a path whose round trip is shorter than the target: as long as the path,
/// and so long at least. The modems of short paths have short queues.
const TARGET_MIN: Duration = Duration::from_millis(10);
/// Of how many acknowledgements the quickest counts (RFC 6817, section 2.4.2).
const RECENT_ACKS: usize = 4;
/// A path whose round trip is shorter than this may step: satellites in low orbit, radio cells.
/// That of a geostationary satellite does not.
const STEPPING_PATH_MAX: Duration = Duration::from_millis(250);
/// By how much a path steps at most, both ways together.
const STEP_MAX: Duration = Duration::from_millis(160);
/// How long the least round trip of a stepping path counts; twice as long at most.
const STEP_PERIOD: Duration = Duration::from_millis(1_500);

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct DelayTarget {
    /// Queueing delay aimed at: 100 ms, less on short paths, and two packets where these take
    /// longer.
    pub target: Duration,
    /// The link's rate, as this node has it provisioned and as the peer tells.
    pub rate: LinkRate,
}

impl ControllerFactory for DelayTarget {
    fn build(self: Arc<Self>, _now: Instant, mtu: u16) -> Box<dyn Controller> {
        let mut state = WindowState {
            settings: (*self).clone(),
            window: INITIAL_WINDOW_BYTES,
            mtu: f64::from(mtu),
            starting: true,
            last_cut: None,
            path: PathTimes::default(),
        };
        // The rate that this node knows itself is where it begins; one that a peer told is grown
        // into.
        if let Some(rate) = self.rate.provisioned_bits_s() {
            state.window = product(rate, INITIAL_RTT);
        }

        Box::new(state)
    }
}

/// Bytes that a link holds in a time.
fn product(rate_bits_s: u64, time: Duration) -> f64 {
    rate_bits_s as f64 / 8.0 * time.as_secs_f64()
}

/// Round trips of one connection.
#[derive(Clone, Debug, Default)]
struct PathTimes {
    /// The least ever, and the smoothed one; none before the first.
    least: Option<Duration>,
    smoothed: Option<Duration>,
    /// The quickest of each of the last acknowledgements, and of the one that is being read.
    recent: VecDeque<Duration>,
    reading: Option<Duration>,
    /// The least of this period and of the one before, and when this one began.
    period: Option<Duration>,
    period_before: Option<Duration>,
    period_began: Option<Instant>,
}

impl PathTimes {
    fn take_sample(&mut self, now: Instant, sample: Duration, rtt: &RttEstimator) {
        self.least = Some(rtt.min());
        self.smoothed = Some(rtt.get());
        self.reading = Some(self.reading.map_or(sample, |least| least.min(sample)));

        let began = *self.period_began.get_or_insert(now);
        if now.duration_since(began) > STEP_PERIOD {
            self.period_before = self.period.take();
            self.period_began = Some(now);
        }
        self.period = Some(self.period.map_or(sample, |least| least.min(sample)));
    }

    fn end_ack(&mut self) {
        self.recent.extend(self.reading.take());
        while self.recent.len() > RECENT_ACKS {
            self.recent.pop_front();
        }
    }

    /// The longest that the empty path may be by now.
    fn longest_base(&self) -> Duration {
        let least = self.least.unwrap_or(INITIAL_RTT);
        match least < STEPPING_PATH_MAX {
            true => least + STEP_MAX,
            false => least,
        }
    }

    /// The round trip of the path without a queue.
    fn base(&self) -> Duration {
        let least = self.least.unwrap_or(INITIAL_RTT);
        let lately = [self.period, self.period_before]
            .into_iter()
            .flatten()
            .min();
        lately.map_or(least, |lately| lately.clamp(least, self.longest_base()))
    }

    /// The round trip that the window must fill at least: on a path that has just grown longer it
    /// is not known yet what of it is queue.
    fn floor_rtt(&self) -> Duration {
        let least = self.least.unwrap_or(INITIAL_RTT);
        let now = self.smoothed.unwrap_or(least);
        now.clamp(least, self.longest_base())
    }

    /// How long what is sent waits in the modem.
    fn queue(&self) -> Duration {
        let quickest = self.recent.iter().chain(&self.reading).min();
        quickest.map_or(Duration::ZERO, |rtt| rtt.saturating_sub(self.base()))
    }
}

#[derive(Clone, Debug)]
struct WindowState {
    settings: DelayTarget,
    /// As acknowledgements moved it. What counts is [`WindowState::bounded`]: the bounds move when
    /// the peer tells its rate.
    window: f64,
    mtu: f64,
    starting: bool,
    last_cut: Option<Instant>,
    path: PathTimes,
}

impl WindowState {
    /// The window within its bounds.
    fn bounded(&self) -> f64 {
        let least = PACKETS_MIN * self.mtu;
        let Some(rate) = self.settings.rate.bits_s() else {
            return self.window.clamp(least, WINDOW_BYTES_MAX);
        };

        let floor_max = match self.settings.rate.provisioned_bits_s() {
            Some(_) => WINDOW_BYTES_MAX,
            None => TOLD_FLOOR_BYTES_MAX,
        };
        let floor = FLOOR_PRODUCTS * product(rate, self.path.floor_rtt());
        let floor = floor.min(floor_max).max(least);

        let base = self.path.base();
        let cap = CAP_PRODUCTS * product(rate, base + self.target_delay());
        let cap = cap.min(WINDOW_BYTES_MAX).max(floor);
        self.window.clamp(floor, cap)
    }

    /// The queueing delay aimed at, packets apart.
    fn target_delay(&self) -> Duration {
        let base = self.path.base().max(TARGET_MIN);
        self.settings.target.min(base)
    }

    /// The queueing delay aimed at, seconds.
    fn target_s(&self, rtt: Duration) -> f64 {
        let packet_s = match self.settings.rate.bits_s() {
            Some(rate) => (self.mtu + HEADER_BYTES) * 8.0 / rate as f64,
            // What the window holds takes a round trip.
            None => rtt.as_secs_f64() * self.mtu / self.bounded(),
        };

        self.target_delay()
            .as_secs_f64()
            .max(TARGET_PACKETS * packet_s)
    }

    /// Whether the window has reached what the link is known to hold.
    fn fills_link(&self) -> bool {
        let rate = self.settings.rate.bits_s();
        rate.is_some_and(|rate| self.window >= product(rate, self.path.base()))
    }

    fn follow(&mut self, now: Instant, bytes: f64, app_limited: bool, rtt: Duration) {
        let target = self.target_s(rtt);
        let queue = self.path.queue().as_secs_f64();
        if self.starting {
            self.starting = queue <= target && !self.fills_link();
            if self.starting && !app_limited {
                self.window += bytes;
            }
            return;
        }

        let off = ((target - queue) / target).max(-1.0);
        if off < 0.0 || !app_limited {
            let gain = (self.mtu / self.window).max(GAIN_MIN);
            self.window += off * bytes * gain;
        }

        let cuts = |last: Instant| now.duration_since(last) > rtt;
        if queue > 3.0 * target && self.last_cut.is_none_or(cuts) {
            self.window *= 0.8;
            self.last_cut = Some(now);
        }
    }
}

impl Controller for WindowState {
    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let sample = now.saturating_duration_since(sent);
        self.path.take_sample(now, sample, rtt);
        self.window = self.bounded();
        self.follow(now, bytes as f64, app_limited, rtt.get());
        self.window = self.bounded();
    }

    fn on_end_acks(&mut self, _now: Instant, _in_flight: u64, _limited: bool, _top: Option<u64>) {
        self.path.end_ack();
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        _sent: Instant,
        persistent: bool,
        _lost_bytes: u64,
    ) {
        if persistent {
            self.window = PACKETS_MIN * self.mtu;
            self.starting = true;
            self.last_cut = Some(now);
        }
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.mtu = f64::from(mtu);
    }

    fn window(&self) -> u64 {
        self.bounded() as u64
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.bounded() as u64
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(rate: &LinkRate) -> Box<dyn Controller> {
        let settings = DelayTarget {
            target: Duration::from_millis(100),
            rate: rate.clone(),
        };
        Arc::new(settings).build(Instant::now(), 1200)
    }

    #[test]
    fn a_rate_that_the_peer_tells_counts_at_once_and_survives_persistent_congestion() {
        let rate = LinkRate::default();
        let mut state = controller(&rate);
        assert_eq!(state.window(), 4_800);

        rate.peer_told(256_000);
        // 256 kbit/s in 700 ms.
        assert_eq!(state.window(), 22_400);

        state.on_congestion_event(Instant::now(), Instant::now(), true, 9_000);
        assert_eq!(state.window(), 22_400, "the floor holds");
    }

    #[test]
    fn a_peer_that_tells_any_rate_at_all_moves_no_bound_out_of_reach() {
        for told in [0, 1, 100, 64_000, 100_000_000_000, u64::MAX] {
            let rate = LinkRate::default();
            rate.peer_told(told);
            let window = controller(&rate).window();
            assert!(
                (2_400..=TOLD_FLOOR_BYTES_MAX as u64).contains(&window),
                "{told} bits/s: {window} B"
            );

            // Where this node knows the link itself, nobody raises that.
            let rate = LinkRate::provisioned(256_000);
            rate.peer_told(told);
            let window = controller(&rate).window();
            assert!(
                window <= 22_400,
                "{told} bits/s beside 256 kbit/s of its own: {window} B"
            );
        }
    }
}
