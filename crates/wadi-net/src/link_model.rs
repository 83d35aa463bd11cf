//! A model of a thin link: rate, delay, a queue that drops what does not fit, and loss from a seed.
//! It knows no clock and no socket: the demonstration and the benches send real packets through it,
//! and tests let quinn's state machines talk over it in virtual time.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::{Duration, Instant};

/// Bytes of IP and UDP headers in front of a payload.
const HEADER_BYTES: usize = 28;

/// What a link is like, each way.
#[derive(Clone, Copy, Debug)]
pub struct LinkProfile {
    /// One way.
    pub delay: Duration,
    /// Bits a second, each way.
    pub rate_bits_s: f64,
    /// Loss, 0 to 1, each way; each packet for itself.
    pub loss: f64,
    /// How long a packet waits in the modem's queue at most.
    pub queue: Duration,
}

impl LinkProfile {
    /// Names that [`LinkProfile::named`] knows.
    pub const NAMES: [&str; 5] = ["brisk", "vsat", "vsat-clear", "vsat-64k", "lan"];

    /// A profile by name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            // Loopback with a little of everything, so that a minute shows days.
            "brisk" => Self::of(20, 8e6, 0.01, 500),

            // The link to expect: VSAT, with the rain and without.
            "vsat" => Self::of(300, 256e3, 0.05, 1000),
            "vsat-clear" => Self::of(300, 256e3, 0.0, 1000),
            "vsat-64k" => Self::of(300, 64e3, 0.05, 1000),

            "lan" => Self::of(0, 1e9, 0.0, 200),
            _ => return None,
        })
    }

    const fn of(delay_ms: u64, rate_bits_s: f64, loss: f64, queue_ms: u64) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            rate_bits_s,
            loss,
            queue: Duration::from_millis(queue_ms),
        }
    }
}

/// One direction of a link. The same seed and the same packets at the same times have the same
/// fate.
#[derive(Debug)]
pub struct LinkWay {
    profile: LinkProfile,
    /// When the modem has sent all that it was given; none before the first packet.
    free: Option<Instant>,
    rng: StdRng,
}

impl LinkWay {
    /// A direction on which nothing waits.
    pub fn new(profile: LinkProfile, seed: u64) -> Self {
        Self {
            profile,
            free: None,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Gives the modem a packet. When it arrives at the other end, if it does: what is given later
    /// never arrives sooner.
    pub fn send(&mut self, now: Instant, payload_bytes: usize) -> Option<Instant> {
        let begins = self.free.map_or(now, |free| free.max(now));
        if begins - now > self.profile.queue {
            return None;
        }

        let on_the_wire_bits = ((payload_bytes + HEADER_BYTES) * 8) as f64;
        let ends = begins + Duration::from_secs_f64(on_the_wire_bits / self.profile.rate_bits_s);
        self.free = Some(ends);

        // The draw is made for each packet that leaves the modem: what is lost takes its time there
        // all the same.
        let lost = self.rng.random_bool(self.profile.loss);
        (!lost).then(|| ends + self.profile.delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_takes_its_time_and_what_does_not_fit_the_queue_is_dropped() {
        let profile = LinkProfile::named("vsat-clear").unwrap();
        let mut way = LinkWay::new(profile, 1);
        let now = Instant::now();

        // 32,000 bits at 256 kbit/s are 125 ms, and 300 ms on the way.
        let first = way.send(now, 3_972).unwrap();
        assert_eq!(first - now, Duration::from_millis(425));

        // Nine wait a second and more; the tenth finds no room.
        let arrived = (0..20).filter_map(|_| way.send(now, 3_972)).count();
        assert_eq!(arrived, 8);
        assert!(
            way.send(now + Duration::from_millis(126), 3_972).is_some(),
            "there is room again"
        );
    }

    #[test]
    fn the_same_seed_loses_the_same_packets_about_as_many_as_it_should() {
        let fate = |seed| {
            let mut way = LinkWay::new(LinkProfile::named("vsat").unwrap(), seed);
            let start = Instant::now();
            let at = |n| start + Duration::from_secs(n);
            (0..10_000)
                .map(|n| way.send(at(n), 1_200).is_none())
                .collect::<Vec<bool>>()
        };

        assert_eq!(fate(7), fate(7));
        assert_ne!(fate(7), fate(8));

        let lost = fate(7).into_iter().filter(|lost| *lost).count();
        assert!((400..600).contains(&lost), "{lost} of 10,000 at 5 %");
    }
}
