//! Traffic both ways over thin links, in virtual time: what the congestion controller is for.

use crate::{LinkRate, transport::Transport};
use std::time::Duration;
use wadi_lab::{EndSettings, HUB, SITE, VirtualWorld};

/// Bytes of an outage's work: a crossing's, and the hub's.
const UP_BYTES: usize = 168_000;
const DOWN_BYTES: usize = 60_000;

/// A site that knows its link, and a hub that has been told of it.
fn world(link: &str, told: u64, seed: u64) -> VirtualWorld {
    let transport = Transport {
        idle: Duration::from_secs(30),
        own_links: true,
    };
    let site = LinkRate::provisioned(told);
    let hub = LinkRate::default();
    let mut world = VirtualWorld::new(
        link.parse().expect("a kind of link"),
        seed,
        EndSettings::plain(transport.config(&site)),
        EndSettings::plain(transport.config(&hub)),
    );

    world.connect();
    hub.peer_told(told);
    world
}

/// Seconds until both have all of the other's work, the handshake apart.
fn both_ways(world: &mut VirtualWorld) -> f64 {
    world.send(SITE, 1, UP_BYTES);
    world.send(HUB, 1, DOWN_BYTES);
    world.settle(Duration::from_secs(600)).as_secs_f64()
}

#[test]
fn traffic_both_ways_takes_hardly_longer_than_the_link_needs_for_it() {
    // At 256 kbit/s the site's work alone takes 5.3 s, and 0.3 s on the way.
    let mut world = world("vsat-256", 256_000, 1);
    let seconds = both_ways(&mut world);
    println!("both ways: {seconds:.2} s");
    assert!(seconds < 7.35, "{seconds:.2} s");

    // 256 kbit/s in the path's 600 ms.
    for side in [SITE, HUB] {
        assert!(
            world.window_min(side) >= 19_200,
            "side {side}: {} B",
            world.window_min(side)
        );
    }
}

#[test]
fn traffic_both_ways_bears_loss() {
    for seed in 1..=5 {
        let mut world = world("vsat-256,loss=5%", 256_000, seed);
        let seconds = both_ways(&mut world);
        println!("seed {seed}: {seconds:.2} s");
        assert!(seconds < 10.0, "seed {seed}: {seconds:.1} s");
    }
}

#[test]
fn a_packet_that_takes_longer_than_the_target_does_not_stop_a_link() {
    // 64 kbit/s: 168 kB take 21 s; a packet takes 157 ms, which is more than the queue of 100 ms
    // that is aimed at.
    let mut world = world("vsat-64", 64_000, 1);
    let seconds = both_ways(&mut world);
    println!("64 kbit/s: {seconds:.2} s");
    assert!(seconds < 30.0, "{seconds:.1} s");
}

#[test]
fn a_rate_that_is_four_times_too_high_costs_delay_and_not_the_link() {
    let mut world = world("vsat-64", 256_000, 1);
    let seconds = both_ways(&mut world);
    println!("told 256 of 64 kbit/s: {seconds:.2} s");
    assert!(seconds < 45.0, "{seconds:.1} s");
}

#[test]
fn a_link_of_which_nobody_knows_the_rate_is_used_all_the_same() {
    let mut world = world("vsat-256", 0, 1);
    let seconds = both_ways(&mut world);
    println!("no rate known: {seconds:.2} s");
    assert!(seconds < 20.0, "{seconds:.1} s");
}

#[test]
fn bulk_in_one_direction_reaches_the_rate_at_once() {
    let mut world = world("vsat-256,loss=5%", 256_000, 3);
    world.send(SITE, 1, 1_000_000);
    let seconds = world.settle(Duration::from_secs(600)).as_secs_f64();
    println!("1 MB: {seconds:.2} s");
    // 31.3 s of payload alone: 87 % of the raw rate, at 5 % loss.
    assert!(seconds < 36.0, "{seconds:.1} s");
}
