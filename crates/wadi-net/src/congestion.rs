//! A congestion controller for thin links whose losses are the radio's and not a queue's: it aims
//! at a small standing queue, ignores single losses, and shrinks on persistent congestion (after
//! LEDBAT, RFC 6817, and TCP Vegas).
//!
//! `set_priority` cannot reach bytes that already wait in a modem; only a small queue can. Use it
//! on links that the commission owns; elsewhere Cubic is fairer to strangers.
//!
//! Where the link's rate is known, the window stays between 0.8 and 1.25 of its bandwidth-delay
//! product. The lower bound is for traffic both ways: quinn withholds acknowledgements while stream
//! data waits for the window or the pacer, so each side reads the other's backlog as a queue of its
//! own. Without the bound both shrink to two packets and stay there.

use crate::link_rate::LinkRate;
use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

/// Initial window where the link's rate is not known, bytes: four packets.
const INITIAL_WINDOW_BYTES: f64 = 4_800.0;
/// The round trip taken for granted until one is measured: VSAT.
const INITIAL_RTT: Duration = Duration::from_millis(700);
/// The least window, in packets.
const PACKETS_MIN: f64 = 2.0;
/// The least window where the rate is known, in bandwidth-delay products.
const FLOOR_PRODUCTS: f64 = 0.8;
/// The largest window where the rate is known: one product and a quarter keep the link busy through
/// acknowledgements that bunch up.
const CAP_PRODUCTS: f64 = 1.25;
/// The floor in bytes at most, whatever rate a peer told and however long it delays its
/// acknowledgements.
const FLOOR_BYTES_MAX: f64 = 48.0 * 1024.0;
/// The window in bytes at most: twice what a connection keeps to send.
const WINDOW_BYTES_MAX: f64 = 128.0 * 1024.0;
/// The queue aimed at, in packets, where these take longer than the target: at 64 kbit/s one packet
/// takes 157 ms.
const TARGET_PACKETS: f64 = 2.0;
/// Bytes of IP and UDP headers in front of a packet.
const HEADER_BYTES: f64 = 28.0;

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct DelayTarget {
    /// Queueing delay aimed at: 100 ms, or two packets where these take longer.
    pub target: Duration,
    /// The link's rate, as this node has it provisioned and as the peer tells.
    pub rate: LinkRate,
}

impl ControllerFactory for DelayTarget {
    fn build(self: Arc<Self>, _now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(WindowState {
            settings: (*self).clone(),
            window: INITIAL_WINDOW_BYTES,
            mtu: f64::from(mtu),
            starting: true,
            last_cut: None,
            min_rtt: INITIAL_RTT,
        })
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
    min_rtt: Duration,
}

impl WindowState {
    /// The window within its bounds.
    fn bounded(&self) -> f64 {
        let least = PACKETS_MIN * self.mtu;
        let Some(rate) = self.settings.rate.bits_s() else {
            return self.window.clamp(least, WINDOW_BYTES_MAX);
        };

        let bytes_s = rate as f64 / 8.0;
        let floor = FLOOR_PRODUCTS * bytes_s * self.min_rtt.as_secs_f64();
        let cap = CAP_PRODUCTS * bytes_s * (self.min_rtt + self.settings.target).as_secs_f64();

        let floor = floor.min(FLOOR_BYTES_MAX).max(least);
        let cap = cap.min(WINDOW_BYTES_MAX).max(floor);
        self.window.clamp(floor, cap)
    }

    /// The queueing delay aimed at, seconds.
    fn target_s(&self, rtt: Duration) -> f64 {
        let packet_s = match self.settings.rate.bits_s() {
            Some(rate) => (self.mtu + HEADER_BYTES) * 8.0 / rate as f64,
            // What the window holds takes a round trip.
            None => rtt.as_secs_f64() * self.mtu / self.bounded(),
        };

        self.settings
            .target
            .as_secs_f64()
            .max(TARGET_PACKETS * packet_s)
    }
}

impl Controller for WindowState {
    fn on_ack(
        &mut self,
        now: Instant,
        _sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        self.min_rtt = rtt.min();
        self.window = self.bounded();

        let target = self.target_s(rtt.get());
        let queue = rtt.get().saturating_sub(rtt.min()).as_secs_f64();
        if self.starting {
            if queue > target {
                self.starting = false;
            } else if !app_limited {
                self.window += bytes as f64;
            }
        } else {
            let off = ((target - queue) / target).max(-1.0);
            if off < 0.0 || !app_limited {
                self.window += off * bytes as f64 * self.mtu / self.window;
            }

            if queue > 3.0 * target
                && self
                    .last_cut
                    .is_none_or(|t| now.duration_since(t) > rtt.get())
            {
                self.window *= 0.8;
                self.last_cut = Some(now);
            }
        }

        self.window = self.bounded();
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
        // 0.8 of 256 kbit/s in 700 ms.
        assert_eq!(state.window(), 17_920);

        state.on_congestion_event(Instant::now(), Instant::now(), true, 9_000);
        assert_eq!(state.window(), 17_920, "the floor holds");
    }

    #[test]
    fn a_peer_that_tells_any_rate_at_all_moves_no_bound_out_of_reach() {
        for told in [0, 1, 100, 64_000, 100_000_000_000, u64::MAX] {
            let rate = LinkRate::default();
            rate.peer_told(told);
            let window = controller(&rate).window();
            assert!(
                (2_400..=FLOOR_BYTES_MAX as u64).contains(&window),
                "{told} bits/s: {window} B"
            );

            // Where this node knows the link itself, nobody raises that.
            let rate = LinkRate::provisioned(256_000);
            rate.peer_told(told);
            let window = controller(&rate).window();
            assert!(
                window <= 17_920,
                "{told} bits/s beside 256 kbit/s of its own: {window} B"
            );
        }
    }
}
