//! What links of every kind are used to, in virtual time: the figures of `docs/performance.md`.
//! They are exact: one seed gives one figure, on any machine.

use crate::{
    LinkRate,
    transport::Transport,
    windows::{FOLLOW_PERIOD, LinkSample, WindowFollower},
};
use quinn_proto::{Connection, VarInt};
use std::time::{Duration, Instant};
use wadi_lab::{EndSettings, HUB, Heading, LinkProfile, SITE, Tuner, VirtualWorld};

/// The priorities of bulk and of holds.
const BULK: i32 = 1;
pub(crate) const URGENT: i32 = 9;
/// Bytes of a block of bulk, and what a session has of them in flight at least.
const BLOCK_BYTES: usize = 4_096;
const WINDOW_BYTES: usize = 80 * 1024;
/// Bytes of a hold on the wire.
const HOLD_BYTES: usize = 300;

/// Sets the windows of a connection, as `streams.rs` does of one of quinn's.
fn follow(rate: LinkRate) -> Tuner {
    let mut follower = WindowFollower::new(rate);
    let mut due = None;
    Box::new(move |now: Instant, connection: &mut Connection| {
        if due.is_some_and(|due| now < due) {
            return;
        }
        due = Some(now + FOLLOW_PERIOD);
        let sample = LinkSample {
            rtt: connection.rtt(),
            congestion_window: connection.congestion_state().window(),
            received_bytes: connection.stats().udp_rx.bytes,
        };
        if let Some(windows) = follower.follow(now, sample) {
            connection.set_send_window(windows.send);
            let receive = VarInt::from_u64(windows.receive).expect("it is bounded");
            connection.set_receive_window(receive);
        }
    })
}

/// One end with this node's settings.
pub(crate) fn end(rate: LinkRate) -> EndSettings {
    let transport = Transport {
        idle: Duration::from_secs(30),
        own_links: true,
    };
    EndSettings {
        transport: transport.config(&rate),
        tuner: Box::new(move || Some(follow(rate.clone()))),
    }
}

/// A site that has its link's rate provisioned, and a hub that was told of it.
fn world(link: &str, seed: u64) -> VirtualWorld {
    let profile: LinkProfile = link.parse().expect("a kind of link");
    let told = LinkRate::default();
    let site = LinkRate::provisioned(profile.provisioned_bits_s());
    let mut world = VirtualWorld::new(profile, seed, end(site), end(told.clone()));
    world.connect();
    told.peer_told(profile.provisioned_bits_s());
    world
}

/// How a link was used.
#[derive(Clone, Copy, Debug)]
struct Usage {
    /// Payload over what the raw rate would have carried in that time.
    goodput: f64,
    /// Bytes offered to the modem over the payload.
    offered: f64,
}

/// Sends so much one way, after the handshake. The time on the way is part of it.
fn usage(link: &str, seed: u64, from: usize, bytes: usize) -> Usage {
    let profile: LinkProfile = link.parse().expect("a kind of link");
    let (way, rate) = match from {
        SITE => (Heading::Up, profile.up.rate_bits_s),
        _ => (Heading::Down, profile.provisioned_bits_s() as f64),
    };
    let mut world = world(link, seed);
    let before = world.counters(way).offered.bytes;
    // In frames as large as blocks are.
    for _ in 0..bytes / 50_000 {
        world.send(from, BULK, 50_000);
    }
    let taken = world.settle(Duration::from_secs(36_000));

    let usage = Usage {
        goodput: bytes as f64 * 8.0 / rate / taken.as_secs_f64(),
        offered: (world.counters(way).offered.bytes - before) as f64 / bytes as f64,
    };
    println!(
        "{link} seed {seed} from {from}: {:.1} % of the raw rate, {:.3} offered a byte",
        usage.goodput * 100.0,
        usage.offered
    );
    usage
}

#[test]
fn five_percent_of_loss_cost_a_quarter_megabit_next_to_nothing() {
    for seed in 1..=5 {
        for from in [SITE, HUB] {
            let usage = usage("vsat-256,loss=5%", seed, from, 2_000_000);
            assert!(usage.goodput >= 0.85, "{usage:?}");
            assert!(usage.offered <= 1.15, "{usage:?}");
        }
    }
}

#[test]
fn a_fat_link_far_away_is_filled() {
    let clear = usage("vsat-10m", 1, SITE, 50_000_000);
    assert!(clear.goodput >= 0.90, "{clear:?}");
    let lossy = usage("vsat-10m,loss=1%", 1, SITE, 50_000_000);
    assert!(lossy.goodput >= 0.80, "{lossy:?}");
}

#[test]
fn a_hub_that_was_only_told_of_a_fat_link_fills_it_too() {
    let clear = usage("vsat-10m", 1, HUB, 50_000_000);
    assert!(clear.goodput >= 0.90, "{clear:?}");
}

#[test]
fn a_satellite_that_passes_by_is_followed() {
    for seed in 1..=3 {
        let usage = usage("leo", seed, SITE, 60_000_000);
        assert!(usage.goodput >= 0.80, "{usage:?}");
    }
}

#[test]
fn every_kind_of_link_makes_progress() {
    for (link, bytes, least) in [
        ("hf-32", 200_000, 0.6),
        ("vsat-64", 500_000, 0.85),
        ("vsat-256", 2_000_000, 0.88),
        ("vsat-512", 4_000_000, 0.88),
        ("cellular", 5_000_000, 0.8),
        ("sandstorm", 500_000, 0.6),
        ("fibre", 50_000_000, 0.8),
    ] {
        let usage = usage(link, 1, SITE, bytes);
        assert!(usage.goodput >= least, "{link}: {usage:?}");
        // Nothing is poured into a queue that cannot hold it.
        assert!(usage.offered <= 1.2, "{link}: {usage:?}");
    }
}

/// Runs for so long, while the session's window of bulk is full all the time.
fn run_under_bulk(world: &mut VirtualWorld, time: Duration) {
    let until = world.elapsed() + time;
    while world.elapsed() < until {
        let waiting = world.transfers().iter().rev().take(200);
        let waiting = waiting.filter(|t| t.priority == BULK && t.arrived.is_none());
        for _ in waiting.count()..WINDOW_BYTES / BLOCK_BYTES {
            world.send(SITE, BULK, BLOCK_BYTES);
        }

        let step = Duration::from_millis(50).min(until - world.elapsed());
        world.run_for(step);
    }
}

/// How long holds take while bulk fills the link, seconds, sorted. Each is sent so many times, so
/// far apart, each time on a stream of its own; what counts is the first that arrives.
fn urgent_seconds(link: &str, copies: u32, apart: Duration) -> Vec<f64> {
    let mut taken = Vec::new();
    for seed in 1..=4 {
        let mut world = world(link, seed);
        run_under_bulk(&mut world, Duration::from_secs(10));

        for n in 0..50 {
            // At no fixed distance, so that they meet the bulk at every moment of its pace.
            run_under_bulk(&mut world, Duration::from_millis(1_900 + 37 * (n % 11)));
            let mut holds = vec![world.send(SITE, URGENT, HOLD_BYTES)];
            for copy in 1..copies {
                run_under_bulk(&mut world, apart);
                holds.push(world.send(SITE, URGENT + copy as i32, HOLD_BYTES));
            }
            run_under_bulk(&mut world, Duration::from_secs(8));
            let given = world.transfers()[holds[0]].given;
            let arrived = holds.iter().filter_map(|n| world.transfers()[*n].arrived);
            let first = arrived.min().expect("8 s are enough");
            taken.push((first - given).as_secs_f64());
        }
    }

    taken.sort_by(f64::total_cmp);
    let [median, p95, p99] = [0.5, 0.95, 0.99].map(|share| quantile(&taken, share));
    println!(
        "urgent under bulk, {link}, {copies} times, {apart:?} apart: median {median:.2}, p95 \
         {p95:.2}, p99 {p99:.2} s"
    );
    taken
}

/// The share of values that is no larger.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

#[test]
fn a_hold_overtakes_bulk() {
    let clear = urgent_seconds("vsat-256", 1, Duration::ZERO);
    assert!(quantile(&clear, 0.95) <= 0.7);
}

/// Measured and held: a packet that is lost is sent again a round trip later at the earliest, so
/// that sent once a hold cannot be there sooner with more certainty than the link has.
#[test]
fn a_hold_that_is_lost_costs_a_round_trip_unless_it_is_sent_twice() {
    let lossy = "vsat-256,loss=5%";
    let once = urgent_seconds(lossy, 1, Duration::ZERO);
    assert!(quantile(&once, 0.5) <= 0.6 && quantile(&once, 0.95) <= 1.4);
    let twice = urgent_seconds(lossy, 2, Duration::from_millis(150));
    assert!(quantile(&twice, 0.99) <= 0.9);
}

#[test]
fn a_fade_takes_copies_that_follow_too_soon() {
    for (copies, apart_ms) in [(1, 0), (2, 150), (2, 300), (3, 150), (3, 200)] {
        urgent_seconds(
            "vsat-256,burst=10%x4",
            copies,
            Duration::from_millis(apart_ms),
        );
    }
}
