//! Where a node takes the time from.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// No software of this kind existed before: 1 July 2025, Unix seconds.
const FLOOR_S: i64 = 1_751_328_000;

/// When this software was built, as reproducible builds say it; the fixed bound where they do not.
/// Nothing happens before.
fn built_s() -> i64 {
    option_env!("SOURCE_DATE_EPOCH")
        .and_then(|s| s.parse().ok())
        .unwrap_or(FLOOR_S)
        .max(FLOOR_S)
}

/// A clock, handed in: a site's may be wrong by years, and a demonstration's runs faster.
pub trait Clock: Send + Sync + 'static {
    /// Unix milliseconds.
    fn now_ms(&self) -> i64;

    /// Milliseconds since some moment, at the same pace, whatever becomes of the clock itself: what
    /// jumps is told by it.
    fn steady_ms(&self) -> i64 {
        self.now_ms()
    }

    /// A time, Unix seconds, before which it cannot be.
    fn floor_s(&self) -> i64 {
        FLOOR_S
    }

    /// How many times as fast as the world's it runs.
    fn pace(&self) -> f64 {
        1.0
    }
}

/// The machine's clock, or one that runs `scale` times as fast from some time on.
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin_ms: i64,
    /// How far it differs from the machine's, where it runs no faster.
    ahead_ms: i64,
    started: Instant,
    scale: f64,
    floor_s: i64,
}

impl SystemClock {
    /// The machine's clock.
    pub fn real() -> Self {
        let now = Self::wall_ms();
        Self::scaled(now, now, 1.0)
    }

    /// A clock that showed `origin_ms` when the machine's showed `real_ms`, and has run `scale`
    /// times as fast since.
    pub fn scaled(origin_ms: i64, real_ms: i64, scale: f64) -> Self {
        let wall = Self::wall_ms();
        let origin = origin_ms + ((wall - real_ms) as f64 * scale) as i64;
        let floor_s = if scale == 1.0 { built_s() } else { FLOOR_S };

        Self {
            origin_ms: origin,
            ahead_ms: origin_ms - real_ms,
            started: Instant::now(),
            scale,
            floor_s,
        }
    }

    /// The same, where papers say that they were issued at a time: it cannot be earlier. A
    /// demonstration's clock tells a story, whose papers were issued today.
    pub fn not_before(mut self, issued_s: i64) -> Self {
        if self.scale == 1.0 {
            self.floor_s = self.floor_s.max(issued_s);
        }
        self
    }

    fn wall_ms() -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64)
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        if self.scale == 1.0 {
            return Self::wall_ms() + self.ahead_ms;
        }
        self.origin_ms + self.steady_ms()
    }

    fn steady_ms(&self) -> i64 {
        (self.started.elapsed().as_millis() as f64 * self.scale) as i64
    }

    fn floor_s(&self) -> i64 {
        self.floor_s
    }

    fn pace(&self) -> f64 {
        self.scale.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_runs_on_beside_the_machines() {
        let wall = SystemClock::wall_ms();
        let wrong = SystemClock::scaled(0, wall, 1.0);
        assert!((0..60_000).contains(&wrong.now_ms()), "{}", wrong.now_ms());
        assert!(SystemClock::real().now_ms() >= wall);
    }

    #[test]
    fn papers_raise_the_floor_of_a_real_clock_and_not_of_a_demonstrations() {
        let wall = SystemClock::wall_ms();
        assert_eq!(
            SystemClock::real().not_before(4_000_000_000).floor_s(),
            4_000_000_000
        );
        assert!(SystemClock::real().not_before(0).floor_s() >= FLOOR_S);
        assert_eq!(
            SystemClock::scaled(wall, wall, 3_600.0)
                .not_before(4_000_000_000)
                .floor_s(),
            FLOOR_S
        );
    }
}
