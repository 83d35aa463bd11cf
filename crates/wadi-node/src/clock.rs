//! Where a node takes the time from.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock, handed in: a site's may be wrong by years, and a demonstration's runs faster.
pub trait Clock: Send + Sync + 'static {
    /// Unix milliseconds.
    fn now_ms(&self) -> i64;
}

/// The machine's clock, or one that runs `scale` times as fast from some time on.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin_ms: i64,
    started: Instant,
    scale: f64,
}

impl SystemClock {
    /// The machine's clock.
    pub fn real() -> Self {
        let now = Self::wall_ms();
        Self { origin_ms: now, started: Instant::now(), scale: 1.0 }
    }
    /// A clock that showed `origin_ms` when the machine's showed `real_ms`, and has run `scale` times as fast since.
    pub fn scaled(origin_ms: i64, real_ms: i64, scale: f64) -> Self {
        let wall = Self::wall_ms();
        let origin = origin_ms + ((wall - real_ms) as f64 * scale) as i64;
        Self { origin_ms: origin, started: Instant::now(), scale }
    }
    fn wall_ms() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        if self.scale == 1.0 {
            return Self::wall_ms();
        }
        self.origin_ms + (self.started.elapsed().as_millis() as f64 * self.scale) as i64
    }
}
