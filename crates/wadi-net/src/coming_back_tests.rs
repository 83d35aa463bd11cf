//! How soon a link that is back is used again, in virtual time, by the dialler's own rules.

use crate::{
    LinkRate,
    liveness::{ANSWER_MAX, HANDSHAKE_MAX, LOOK_PERIOD, SilenceWatch, next_pause},
    thin_link_tests::{URGENT, end},
};
use std::time::{Duration, Instant};
use wadi_lab::{HUB, Heading, LinkCommand, LinkProfile, LinkSchedule, SITE, VirtualWorld};

/// The pause that is configured where nothing else is.
const REDIAL: Duration = Duration::from_secs(2);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A site that dials as `dialler.rs` does, and gives up connections as `porch.rs` does.
struct DiallingSite {
    world: VirtualWorld,
    watches: [SilenceWatch; 2],
    began: Instant,
    /// Draws of a pause's jitter, evenly spread.
    drawn: f64,
}

impl DiallingSite {
    fn new(link: &str, seed: u64) -> Self {
        let profile: LinkProfile = link.parse().expect("a kind of link");
        let rate = profile.provisioned_bits_s();
        let (site, hub) = (LinkRate::provisioned(rate), LinkRate::default());
        hub.peer_told(rate);
        let world = VirtualWorld::new(profile, seed, end(site), end(hub));

        Self {
            world,
            watches: Default::default(),
            began: Instant::now(),
            drawn: seed as f64 * 0.381_966,
        }
    }

    /// Runs until something holds, or for so long; dials whenever there is no connection.
    fn run_until(&mut self, most: Duration, is_done: impl Fn(&VirtualWorld) -> bool) -> bool {
        let deadline = self.world.elapsed() + most;
        while self.world.elapsed() < deadline {
            let done = |world: &VirtualWorld| is_done(world) || world.elapsed() >= deadline;
            if self.world.is_connected(SITE) {
                self.world
                    .run_until(LOOK_PERIOD, |w| done(w) || !w.is_connected(SITE));
                self.look();
            } else {
                self.attempt(&done);
            }

            if is_done(&self.world) {
                return true;
            }
        }

        false
    }

    fn attempt(&mut self, is_done: &impl Fn(&VirtualWorld) -> bool) {
        let world = &mut self.world;
        world.dial();
        self.watches[SITE] = SilenceWatch::default();
        let is_answered = world.run_until(ANSWER_MAX, |w| w.is_answered(SITE));
        if is_answered {
            world.run_until(HANDSHAKE_MAX, |w| w.is_connected(SITE));
        }
        if world.is_connected(SITE) {
            return;
        }

        world.hang_up(SITE);
        self.drawn = (self.drawn + 0.618_034).fract();
        world.run_until(next_pause(REDIAL, self.drawn), is_done);
    }

    /// Gives up a connection on which no answer comes.
    fn look(&mut self) {
        let now = self.began + self.world.elapsed();
        for of in [SITE, HUB] {
            let Some((received, sent)) = self.world.datagrams(of) else {
                continue;
            };
            let rtt = self.world.rtt(of).unwrap_or_default();
            if self.watches[of].is_half_dead(now, received, sent, rtt) {
                self.world.hang_up(of);
                self.watches[of] = SilenceWatch::default();
            }
        }
    }
}

/// Seconds from when the link is back until the first useful bytes are at the hub.
fn seconds_to_contact(link: &str, seed: u64, outage: Duration) -> f64 {
    let mut site = DiallingSite::new(link, seed);
    assert!(site.run_until(MINUTE, |w| w.is_connected(HUB)));
    site.run_until(Duration::from_secs(5), |_| false);

    // No outage is as long as the one before: the link comes back at any moment of an attempt.
    let outage = outage + Duration::from_millis(613 * seed);
    let lines = format!("0s down\n{}ms up", outage.as_millis());
    let schedule = LinkSchedule::parse_lines(&lines).expect("two lines");
    let back = site.world.elapsed() + outage;
    site.world.set_schedule(schedule);

    let hold = site.world.send(SITE, URGENT, 300);
    let arrived = |w: &VirtualWorld| w.transfers()[hold].arrived.is_some();
    assert!(site.run_until(outage + MINUTE, arrived), "{link}, {seed}");
    (site.world.elapsed() - back).as_secs_f64()
}

fn median_contact(link: &str, outage: Duration, seeds: u64) -> f64 {
    let mut taken: Vec<f64> = (1..=seeds)
        .map(|seed| seconds_to_contact(link, seed, outage))
        .collect();
    taken.sort_by(f64::total_cmp);
    let (median, worst) = (taken[taken.len() / 2], taken[taken.len() - 1]);
    println!("{link} after {outage:?}: median {median:.2} s, worst {worst:.2} s");
    median
}

#[test]
fn a_link_that_is_back_is_used_within_three_seconds_however_long_it_was_gone() {
    let minute = median_contact("vsat-256", MINUTE, 41);
    assert!(minute <= 3.0, "{minute}");
    let hours = median_contact("vsat-256", HOUR * 6, 9);
    assert!(hours <= 3.0, "{hours}");
}

#[test]
fn short_outages_leave_no_connection_half_dead() {
    // Shorter than the idle timeout: QUIC alone would wait for its next probe.
    let median = median_contact("vsat-256", Duration::from_secs(20), 41);
    assert!(median <= 3.0, "{median}");
}

#[test]
fn a_link_that_flaps_every_twenty_seconds_carries_what_is_given() {
    let mut site = DiallingSite::new("vsat-256", 1);
    assert!(site.run_until(MINUTE, |w| w.is_connected(HUB)));
    let flaps = LinkSchedule::alternating(Duration::from_secs(20), Duration::from_secs(20));
    site.world.set_schedule(flaps);

    // 20 frames of 50 kB are 31 s of the raw rate: two rounds of 40 s, and what contact costs.
    let before = site.world.counters(Heading::Up).offered.bytes;
    for _ in 0..20 {
        site.world.send(SITE, 1, 50_000);
    }
    let all = |w: &VirtualWorld| w.transfers().iter().all(|t| t.arrived.is_some());
    assert!(site.run_until(MINUTE * 10, all));

    let taken = site.world.elapsed().as_secs_f64();
    let counters = site.world.counters(Heading::Up);
    println!(
        "flapping: {taken:.0} s, {} B offered",
        counters.offered.bytes - before
    );
    assert!(taken < 130.0, "{taken}");
}

#[test]
fn a_flap_sends_no_more_than_what_was_on_its_way_twice() {
    const FRAME_BYTES: usize = 4_096;
    let mut site = DiallingSite::new("vsat-256", 1);
    assert!(site.run_until(MINUTE, |w| w.is_connected(HUB)));
    let flaps = LinkSchedule::alternating(Duration::from_secs(20), Duration::from_secs(20));
    site.world.set_schedule(flaps);

    let before = site.world.counters(Heading::Up);
    let payload: usize = 500 * FRAME_BYTES;
    for _ in 0..500 {
        site.world.send(SITE, 1, FRAME_BYTES);
    }
    let all = |w: &VirtualWorld| w.transfers().iter().all(|t| t.arrived.is_some());
    assert!(site.run_until(MINUTE * 10, all));

    // Dials and probes meet a link that is down: those bytes are sent into the dark.
    let after = site.world.counters(Heading::Up);
    let offered = after.offered.bytes - before.offered.bytes;
    let dark = after.blocked.bytes - before.blocked.bytes;
    let flaps = site.world.established(HUB) - 1;
    let twice = (offered - dark) as f64 - 1.03 * payload as f64;
    println!("{flaps} flaps: {twice:.0} B twice, {dark} B into the dark");
    assert!(flaps >= 3, "{flaps}");

    // A bandwidth-delay product, and a handshake.
    let most = 256_000.0 / 8.0 * 0.6 + 2_500.0;
    assert!(twice <= flaps as f64 * most, "{twice}");
}

/// Days of outages: a month in the long sweeps, and a week where the time is short.
fn days_of_outages() -> u32 {
    match std::env::var("WADI_LONG").as_deref() {
        Ok("1") => 30,
        _ => 7,
    }
}

#[test]
fn days_and_weeks_of_outages_need_nobody() {
    let days = days_of_outages();
    let mut site = DiallingSite::new("vsat-256", 3);
    assert!(site.run_until(MINUTE, |w| w.is_connected(HUB)));
    let total = HOUR * 24 * days;
    let outages = LinkSchedule::outages(5, MINUTE * 20..HOUR * 20, MINUTE..HOUR, total);
    site.world.set_schedule(outages);

    // One hold every six hours.
    for _ in 0..4 * days {
        site.world.send(SITE, URGENT, 300);
        site.run_until(HOUR * 6, |_| false);
    }
    site.world.apply(&LinkCommand::Up);
    let all = |w: &VirtualWorld| w.transfers().iter().all(|t| t.arrived.is_some());
    assert!(site.run_until(HOUR, all));
    println!(
        "connections in {days} days: {}",
        site.world.established(SITE)
    );
}
