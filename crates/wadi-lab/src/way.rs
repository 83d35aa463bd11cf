//! One direction of a link.

use crate::{
    counters::WayCounters,
    loss::LossState,
    profile::{Handover, WayProfile},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::time::{Duration, Instant};

/// Bytes of IP and UDP headers in front of a payload.
const HEADER_BYTES: usize = 28;

/// Bytes of a full packet, by which a fade's time is counted.
const FULL_PACKET_BYTES: usize = 1_200 + HEADER_BYTES;
/// Bytes of IP and TCP headers in front of a segment.
const SEGMENT_HEADER_BYTES: usize = 40;

/// What becomes of a segment of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentTimes {
    /// When it arrives at the other end.
    pub arrives: Instant,
    /// From when on the modem has room for the next one.
    pub has_room: Instant,
}

/// A packet that will arrive, unless the link is down by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketArrival {
    /// When.
    pub at: Instant,
    /// Its place in the order in which packets were given to the modem.
    pub number: u64,
    /// It is the second of its kind.
    pub is_copy: bool,
}

/// One direction of a link. The same seed and the same packets at the same times have the same
/// fate.
#[derive(Debug)]
pub struct LinkWay {
    profile: WayProfile,
    seed: u64,
    /// From when periods of handovers are counted.
    start: Instant,
    /// When the modem has sent all that it was given; none before the first packet.
    free: Option<Instant>,
    /// The latest arrival of those packets that keep their order.
    latest: Option<Instant>,
    rng: StdRng,
    loss: LossState,
    given: u64,
    /// The largest number that was delivered.
    newest: Option<u64>,
    counters: WayCounters,
}

impl LinkWay {
    /// A direction on which nothing waits. Handovers are counted from `start`.
    pub fn new(profile: WayProfile, seed: u64, start: Instant) -> Self {
        Self {
            profile,
            seed,
            start,
            free: None,
            latest: None,
            rng: StdRng::seed_from_u64(seed),
            loss: LossState::default(),
            given: 0,
            newest: None,
            counters: WayCounters::default(),
        }
    }

    /// Makes it another one, on which nothing waits; what is on its way arrives as it would have.
    pub fn reshape(&mut self, profile: WayProfile) {
        self.profile = profile;
        self.free = None;
        self.loss = LossState::default();
    }

    /// What it is like.
    pub fn profile(&self) -> &WayProfile {
        &self.profile
    }

    /// What became of packets so far.
    pub fn counters(&self) -> WayCounters {
        self.counters
    }

    /// Gives the modem a packet. It arrives never, once or twice.
    pub fn send(&mut self, now: Instant, payload_bytes: usize) -> Vec<PacketArrival> {
        self.counters.offered.add(payload_bytes);
        let begins = self.free.map_or(now, |free| free.max(now));
        if begins - now > self.profile.queue {
            self.counters.dropped.add(payload_bytes);
            return Vec::new();
        }

        let on_the_wire_bits = ((payload_bytes + HEADER_BYTES) * 8) as f64;
        let ends = begins + Duration::from_secs_f64(on_the_wire_bits / self.profile.rate_bits_s);
        let before = self.free.replace(ends);

        // All draws are made for each packet that leaves the modem: what is lost takes its time
        // there all the same, and moves no other packet's fate.
        let full_s = (FULL_PACKET_BYTES * 8) as f64 / self.profile.rate_bits_s;
        let since = before.map_or(Duration::MAX, |before| ends - before);
        let packets = since.as_secs_f64() / full_s;
        let lost = self
            .loss
            .next_is_lost(&self.profile.loss, packets, &mut self.rng);
        let jitter = self.profile.jitter.mul_f64(self.rng.random::<f64>());
        let is_held_back = self.rng.random_bool(self.profile.reorder);
        let is_doubled = self.rng.random_bool(self.profile.duplicate);

        let number = self.given;
        self.given += 1;
        if lost {
            self.counters.lost.add(payload_bytes);
            return Vec::new();
        }

        let mut at = ends + self.profile.delay + self.step(ends) + jitter;
        if is_held_back {
            at += self.profile.reorder_by;
        } else {
            if !self.profile.jitter_reorders {
                at = self.latest.map_or(at, |latest| at.max(latest));
            }
            self.latest = self.latest.max(Some(at));
        }

        let arrival = |is_copy| PacketArrival {
            at,
            number,
            is_copy,
        };

        [false, true][..1 + usize::from(is_doubled)]
            .iter()
            .map(|is_copy| arrival(*is_copy))
            .collect()
    }

    /// Gives the modem a piece of a byte stream, as one segment of TCP: nothing of it is lost,
    /// doubled or overtaken, and jitter is left out.
    pub fn send_segment(&mut self, now: Instant, bytes: usize) -> SegmentTimes {
        self.counters.offered.add(bytes);
        let begins = self.free.map_or(now, |free| free.max(now));
        let on_the_wire_bits = ((bytes + SEGMENT_HEADER_BYTES) * 8) as f64;
        let ends = begins + Duration::from_secs_f64(on_the_wire_bits / self.profile.rate_bits_s);
        self.free = Some(ends);

        let arrives = ends + self.profile.delay + self.step(ends);
        let arrives = self.latest.map_or(arrives, |latest| arrives.max(latest));
        self.latest = Some(arrives);

        SegmentTimes {
            arrives,
            has_room: ends.checked_sub(self.profile.queue).unwrap_or(now),
        }
    }

    /// Counts a segment that has arrived.
    pub fn deliver_segment(&mut self, bytes: usize) {
        self.counters.delivered.add(bytes);
    }

    /// Counts a packet for which whoever runs the link has no room.
    pub fn refuse(&mut self, payload_bytes: usize) {
        self.counters.offered.add(payload_bytes);
        self.counters.dropped.add(payload_bytes);
    }

    /// Counts a packet that has arrived.
    pub fn deliver(&mut self, arrival: &PacketArrival, payload_bytes: usize) {
        if arrival.is_copy {
            self.counters.duplicated.add(payload_bytes);
            return;
        }

        self.counters.delivered.add(payload_bytes);
        if self.newest.is_some_and(|newest| arrival.number < newest) {
            self.counters.reordered.add(payload_bytes);
        }
        self.newest = self.newest.max(Some(arrival.number));
    }

    /// Counts a packet that is given to a link that is down.
    pub fn block(&mut self, payload_bytes: usize) {
        self.counters.offered.add(payload_bytes);
        self.counters.blocked.add(payload_bytes);
    }

    /// Counts a packet that was on its way when the link went down.
    pub fn cut_off(&mut self, payload_bytes: usize) {
        self.counters.cut_off.add(payload_bytes);
    }

    /// What the satellite of this moment adds to the delay. It is a function of seed and period, so
    /// that traffic does not move it.
    fn step(&self, at: Instant) -> Duration {
        let Some(handover) = self.profile.handover else {
            return Duration::ZERO;
        };

        let Handover {
            every,
            step_min,
            step_max,
        } = handover;
        let period = at.saturating_duration_since(self.start).as_nanos() / every.as_nanos().max(1);
        if period.is_multiple_of(2) {
            return Duration::ZERO;
        }

        let mut rng = StdRng::seed_from_u64(self.seed ^ (period as u64).rotate_left(32));
        step_min
            + step_max
                .saturating_sub(step_min)
                .mul_f64(rng.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkProfile, PacketLoss};

    /// A second of packets at this pace, from the start on.
    fn way(text: &str, seed: u64) -> (LinkWay, Instant) {
        let start = Instant::now();
        let profile: LinkProfile = text.parse().unwrap();
        (LinkWay::new(profile.up, seed, start), start)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_packet_takes_its_time_and_what_does_not_fit_the_queue_is_dropped() {
        let (mut way, now) = way("vsat-256", 1);

        // 32,000 bits at 256 kbit/s are 125 ms, and 300 ms on the way.
        let first = way.send(now, 3_972);
        assert_eq!(first[0].at - now, ms(425));

        // Nine wait a second and more; the tenth finds no room.
        let arrived: usize = (0..20).map(|_| way.send(now, 3_972).len()).sum();
        assert_eq!(arrived, 8);
        assert_eq!(way.counters().dropped.packets, 12);
        assert_eq!(way.counters().dropped.bytes, 12 * 3_972);
        assert!(
            !way.send(now + ms(126), 3_972).is_empty(),
            "there is room again"
        );
    }

    #[test]
    fn one_seed_gives_one_fate() {
        let fate = |seed| {
            let (mut way, start) = way("sandstorm", seed);
            let arrivals = (0..2_000).map(|n| {
                let sent = start + ms(100 * n);
                let arrivals = way.send(sent, 1_200);
                arrivals.iter().map(|a| a.at - start).collect::<Vec<_>>()
            });
            arrivals.collect::<Vec<_>>()
        };

        assert_eq!(fate(7), fate(7));
        assert_ne!(fate(7), fate(8));
    }

    #[test]
    fn jitter_moves_arrivals_and_keeps_their_order_unless_it_is_told_not_to() {
        let reordered = |reorders| {
            let (mut way, start) = way("lan,jitter=50ms,delay=10ms", 3);
            way.profile.jitter_reorders = reorders;
            let mut arrivals: Vec<PacketArrival> = (0..1_000)
                .flat_map(|n| way.send(start + ms(n), 100))
                .collect();

            let waits = arrivals.iter().map(|a| a.at - (start + ms(a.number)));
            let (least, most) = (waits.clone().min().unwrap(), waits.max().unwrap());
            // Who waits for an earlier one waits longer than was drawn for it.
            let least_max = if reorders { ms(12) } else { ms(50) };
            assert!(least >= ms(10) && least < least_max, "{least:?}");
            assert!(most > ms(58) && most < ms(61), "{most:?}");

            arrivals.sort_by_key(|a| (a.at, a.number));
            arrivals.iter().for_each(|a| way.deliver(a, 100));
            way.counters().reordered.packets
        };

        assert_eq!(reordered(false), 0);
        assert!(reordered(true) > 500);
    }

    #[test]
    fn what_is_held_back_is_overtaken_and_what_is_doubled_arrives_twice() {
        let (mut way, start) = way("lan,reorder=10%x20ms,duplicate=5%", 5);
        let mut arrivals: Vec<PacketArrival> = (0..10_000)
            .flat_map(|n| way.send(start + ms(n), 100))
            .collect();
        arrivals.sort_by_key(|a| (a.at, a.number));
        arrivals.iter().for_each(|a| way.deliver(a, 100));

        let counters = way.counters();
        assert_eq!(counters.delivered.packets, 10_000, "copies are apart");
        assert!((900..1_100).contains(&counters.reordered.packets));
        assert!((430..570).contains(&counters.duplicated.packets));
        assert_eq!(counters.duplicated.bytes, counters.duplicated.packets * 100);
    }

    #[test]
    fn a_handover_steps_the_delay_every_fifteen_seconds() {
        let (mut way, start) = way("leo", 9);
        way.profile.jitter = Duration::ZERO;
        way.profile.loss = PacketLoss::NONE;
        let mut delay = |s: f64| {
            let sent = start + Duration::from_secs_f64(s);
            way.send(sent, 972)[0].at - sent
        };

        // 8,000 bits at 10 Mbit/s take 0.8 ms.
        let least = Duration::from_micros(20_800);
        assert_eq!(delay(1.0), least);
        assert_eq!(delay(14.9), least);

        let second = delay(15.1);
        assert!(second >= least + ms(30) && second <= least + ms(80));
        assert_eq!(delay(29.9), second, "it is one step a period");
        assert_eq!(delay(30.1), least);
        assert_ne!(delay(45.1), second, "each step is drawn");
    }

    #[test]
    fn segments_wait_for_room_and_none_is_lost() {
        let (mut way, now) = way("vsat-256,loss=50%,duplicate=50%", 2);
        let mut times = way.send_segment(now, 3_960);
        assert_eq!(times.arrives - now, ms(425));
        assert_eq!(times.has_room, now + ms(125) - ms(1_000));

        for _ in 0..15 {
            times = way.send_segment(now, 3_960);
        }
        assert_eq!(times.arrives - now, ms(2_300));
        assert_eq!(times.has_room - now, ms(1_000));
        assert_eq!(way.counters().offered.packets, 16);
        assert_eq!(way.counters().lost.packets, 0);
    }

    #[test]
    fn what_is_lost_takes_its_time_in_the_modem_all_the_same() {
        let (mut way, now) = way("vsat-256,loss=50%", 2);
        let arrivals: Vec<PacketArrival> = (0..8).flat_map(|_| way.send(now, 3_972)).collect();
        for arrival in &arrivals {
            let waits = ms(300 + 125 * (arrival.number + 1));
            assert_eq!(arrival.at - now, waits);
        }

        let counters = way.counters();
        assert_eq!(counters.offered.packets, 8);
        assert_eq!(counters.lost.packets, 8 - arrivals.len() as u64);
        assert!(counters.lost.packets > 0);
    }
}
