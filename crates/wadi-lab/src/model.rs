//! A link: two ways, and whether anything gets through.

use crate::{
    command::LinkCommand,
    counters::WayCounters,
    profile::LinkProfile,
    way::{LinkWay, PacketArrival, SegmentTimes},
};
use std::time::Instant;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heading {
    /// From who dials to who is dialled.
    Up,
    /// Back.
    Down,
}

impl Heading {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Up, Self::Down];

    fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}

/// Told apart, so that the ways of one seed lose different packets.
const SALTS: [u64; 2] = [0x5eed, 0xbacc];

/// A link. It knows no clock and no socket: whoever runs it says what time it is.
#[derive(Debug)]
pub struct LinkModel {
    ways: [LinkWay; 2],
    is_up: bool,
    /// The way that swallows everything, where one does.
    black_hole: Option<Heading>,
}

impl LinkModel {
    /// A link that is up and on which nothing waits.
    pub fn new(profile: LinkProfile, seed: u64, start: Instant) -> Self {
        let way = |profile, salt: u64| LinkWay::new(profile, seed ^ salt, start);
        Self {
            ways: [way(profile.up, SALTS[0]), way(profile.down, SALTS[1])],
            is_up: true,
            black_hole: None,
        }
    }

    /// Whether packets of a way get through now.
    pub fn is_open(&self, heading: Heading) -> bool {
        self.is_up && self.black_hole != Some(heading)
    }

    /// Whether it is up, black holes apart.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// What a way is like.
    pub fn way(&self, heading: Heading) -> &LinkWay {
        &self.ways[heading.index()]
    }

    /// Changes the link. A move is for whoever has addresses: the model has none.
    pub fn apply(&mut self, command: &LinkCommand) {
        match command {
            LinkCommand::Up => self.is_up = true,
            LinkCommand::Down => self.is_up = false,
            LinkCommand::BlackHole(way) => self.black_hole = *way,
            LinkCommand::Profile(profile) => {
                self.ways[0].reshape(profile.up);
                self.ways[1].reshape(profile.down);
            }
            LinkCommand::Move => {}
        }
    }

    /// Gives it a packet; when it arrives, if it does.
    pub fn send(&mut self, now: Instant, way: Heading, payload_bytes: usize) -> Vec<PacketArrival> {
        let is_open = self.is_open(way);
        let way = &mut self.ways[way.index()];
        if !is_open {
            way.block(payload_bytes);
            return Vec::new();
        }

        way.send(now, payload_bytes)
    }

    /// Gives it a segment of a byte stream.
    pub fn send_segment(&mut self, now: Instant, way: Heading, bytes: usize) -> SegmentTimes {
        self.ways[way.index()].send_segment(now, bytes)
    }

    /// Counts a segment that has arrived.
    pub fn deliver_segment(&mut self, way: Heading, bytes: usize) {
        self.ways[way.index()].deliver_segment(bytes);
    }

    /// Counts a packet for which whoever runs the link has no room.
    pub fn refuse(&mut self, way: Heading, payload_bytes: usize) {
        self.ways[way.index()].refuse(payload_bytes);
    }

    /// Whether a packet that is due arrives: what is on its way when a link goes down does not.
    pub fn deliver(&mut self, way: Heading, arrival: &PacketArrival, payload_bytes: usize) -> bool {
        let is_open = self.is_open(way);
        let way = &mut self.ways[way.index()];
        match is_open {
            true => way.deliver(arrival, payload_bytes),
            false if arrival.is_copy => {}
            false => way.cut_off(payload_bytes),
        }

        is_open
    }

    /// What became of packets of a way so far.
    pub fn counters(&self, way: Heading) -> WayCounters {
        self.ways[way.index()].counters()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn link() -> (LinkModel, Instant) {
        let now = Instant::now();
        let profile = LinkProfile::named("vsat-256").unwrap();
        (LinkModel::new(profile, 1, now), now)
    }

    #[test]
    fn a_link_that_goes_down_takes_along_what_is_on_its_way() {
        let (mut link, now) = link();
        let arrivals = link.send(now, Heading::Up, 100);
        link.apply(&LinkCommand::Down);
        assert!(!link.deliver(Heading::Up, &arrivals[0], 100));
        assert!(link.send(now, Heading::Up, 100).is_empty());
        assert!(link.send(now, Heading::Down, 100).is_empty());

        link.apply(&LinkCommand::Up);
        assert_eq!(link.send(now, Heading::Up, 100).len(), 1);

        let up = link.counters(Heading::Up);
        assert_eq!((up.offered.packets, up.blocked.packets), (3, 1));
        assert_eq!(up.cut_off.packets, 1);
        assert_eq!(link.counters(Heading::Down).blocked.packets, 1);
    }

    #[test]
    fn a_black_hole_swallows_one_way_and_leaves_the_other() {
        let (mut link, now) = link();
        link.apply(&LinkCommand::BlackHole(Some(Heading::Down)));
        assert!(link.send(now, Heading::Down, 100).is_empty());
        assert_eq!(link.send(now, Heading::Up, 100).len(), 1);
        assert!(link.is_up());

        link.apply(&LinkCommand::BlackHole(None));
        assert_eq!(link.send(now, Heading::Down, 100).len(), 1);
    }

    #[test]
    fn a_reshaped_link_is_the_new_one_at_once() {
        let (mut link, now) = link();
        let profile = LinkProfile::named("fibre").unwrap();
        (0..9).for_each(|_| drop(link.send(now, Heading::Up, 3_972)));
        link.apply(&LinkCommand::Profile(profile));

        let arrival = link.send(now, Heading::Up, 1_222)[0];
        assert!(arrival.at - now < Duration::from_secs(2));
        assert_eq!(link.counters(Heading::Up).offered.packets, 10);
    }

    #[test]
    fn everything_offered_is_accounted_for() {
        let start = Instant::now();
        let profile = LinkProfile::named("sandstorm").unwrap();
        let mut link = LinkModel::new(profile, 4, start);
        let mut flying = Vec::new();
        for n in 0..5_000 {
            let now = start + Duration::from_millis(60 * n);
            if n == 2_000 {
                link.apply(&LinkCommand::Down);
            }
            if n == 2_500 {
                link.apply(&LinkCommand::Up);
            }
            flying.extend(link.send(now, Heading::Up, 1_200));
            flying.retain(|arrival| {
                let is_due = arrival.at <= now;
                if is_due {
                    link.deliver(Heading::Up, arrival, 1_200);
                }
                !is_due
            });
        }
        for arrival in &flying {
            link.deliver(Heading::Up, arrival, 1_200);
        }

        let c = link.counters(Heading::Up);
        let ends = [c.delivered, c.lost, c.dropped, c.blocked, c.cut_off];
        assert_eq!(c.offered.packets, 5_000);
        assert_eq!(ends.iter().map(|c| c.packets).sum::<u64>(), 5_000);
        assert_eq!(ends.iter().map(|c| c.bytes).sum::<u64>(), c.offered.bytes);
        assert!(ends.iter().all(|c| c.packets > 0), "{c:?}");
    }
}
