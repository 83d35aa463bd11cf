//! A congestion controller for thin links whose losses are the radio's and not a queue's: it aims at a small standing
//! queue, ignores single losses, and shrinks on persistent congestion (after LEDBAT, RFC 6817, and TCP Vegas).
//!
//! `set_priority` cannot reach bytes that already wait in a modem; only a small queue can. Use it on links that the
//! commission owns; elsewhere Cubic is fairer to strangers.

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use std::{
    any::Any,
    sync::Arc,
    time::{Duration, Instant},
};

/// Initial window, bytes: four packets.
const INITIAL_WINDOW: f64 = 4_800.0;

/// Settings of the controller.
#[derive(Clone, Debug)]
pub struct DelayTarget {
    /// Queueing delay aimed at: 100 ms; 200 ms on 64 and 512 kbit/s links.
    pub target: Duration,
    /// The link's provisioned rate in bits a second, as a cap; none where it is not known.
    pub rate_bits_s: Option<u64>,
}

impl ControllerFactory for DelayTarget {
    fn build(self: Arc<Self>, _now: Instant, mtu: u16) -> Box<dyn Controller> {
        Box::new(State {
            settings: (*self).clone(),
            window: INITIAL_WINDOW,
            mtu: f64::from(mtu),
            starting: true,
            last_cut: None,
            min_rtt: Duration::from_millis(700),
        })
    }
}

#[derive(Clone, Debug)]
struct State {
    settings: DelayTarget,
    window: f64,
    mtu: f64,
    starting: bool,
    last_cut: Option<Instant>,
    min_rtt: Duration,
}

impl State {
    fn cap(&self) -> f64 {
        // One and a quarter bandwidth-delay products keep the link busy through acknowledgements that bunch up.
        let by_rate = |rate: u64| rate as f64 / 8.0 * (self.min_rtt + self.settings.target).as_secs_f64() * 1.25;
        self.settings.rate_bits_s.map_or(f64::MAX, by_rate)
    }
}

impl Controller for State {
    fn on_ack(&mut self, now: Instant, _sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.min_rtt = rtt.min();
        let target = self.settings.target.as_secs_f64();
        let queue = rtt.get().saturating_sub(rtt.min()).as_secs_f64();
        if self.starting {
            if queue > target * 0.5 {
                self.starting = false;
            } else if !app_limited {
                self.window += bytes as f64;
            }
        } else {
            let off = ((target - queue) / target).max(-1.0);
            if off < 0.0 || !app_limited {
                self.window += off * bytes as f64 * self.mtu / self.window;
            }
            if queue > 3.0 * target && self.last_cut.is_none_or(|t| now.duration_since(t) > rtt.get()) {
                self.window *= 0.8;
                self.last_cut = Some(now);
            }
        }
        self.window = self.window.min(self.cap()).max(2.0 * self.mtu);
    }

    fn on_congestion_event(&mut self, now: Instant, _sent: Instant, persistent: bool, _lost_bytes: u64) {
        if persistent {
            self.window = 2.0 * self.mtu;
            self.starting = true;
            self.last_cut = Some(now);
        }
    }

    fn on_mtu_update(&mut self, mtu: u16) {
        self.mtu = f64::from(mtu);
    }
    fn window(&self) -> u64 {
        self.window as u64
    }
    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }
    fn initial_window(&self) -> u64 {
        INITIAL_WINDOW as u64
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
