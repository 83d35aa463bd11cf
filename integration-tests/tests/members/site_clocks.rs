//! Sites whose clocks are wrong by decades, from their first start, all of a sudden and little by
//! little, with the hub there and without: they record on, in order, nobody is locked out, and what
//! the hub says of them is true.

use integration_tests::{
    World,
    network::{Country, connect, until},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};
use wadi_log::{RecordId, Role};
use wadi_node::{Clock, Node, Target, Write};
use wadi_record::{Draft, Kind};

const YEAR_S: i64 = 365 * 86_400;
/// How far what is said of a time may lie from what it was: these stories take a moment.
const NEAR_S: i64 = 600;

fn real_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

fn is_now(time_s: i64) -> bool {
    (time_s - real_s()).abs() < NEAR_S
}

/// Fifty years each way, 1970, and before it.
fn decades() -> [i64; 4] {
    [
        50 * YEAR_S,
        -50 * YEAR_S,
        5 - real_s(),
        -real_s() - 20 * YEAR_S,
    ]
}

/// A clock that shows whatever somebody makes it show, beside a steady one.
struct WrongClock {
    off_s: AtomicI64,
    started: Instant,
}

impl WrongClock {
    fn off_by(off_s: i64) -> Arc<Self> {
        Arc::new(Self {
            off_s: AtomicI64::new(off_s),
            started: Instant::now(),
        })
    }

    fn jump(&self, off_s: i64) {
        self.off_s.store(off_s, Ordering::Relaxed);
    }
}

impl Clock for WrongClock {
    fn now_ms(&self) -> i64 {
        (real_s() + self.off_s.load(Ordering::Relaxed)) * 1_000
    }

    fn steady_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }
}

fn country() -> Country {
    Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")])
}

async fn passage(site: &Node, plate: &str) -> RecordId {
    let draft = Draft::new(Kind::Passage)
        .text("direction", "in")
        .text("vehicle.plate_raw", plate);
    let write = Write::by("OF-1", "PORT", Target::New(None), draft);
    site.write(write).await.unwrap().record
}

/// Says one more thing of a truck.
async fn note(site: &Node, truck: RecordId, text: &str) {
    let draft = Draft::new(Kind::Passage).text("note", text);
    let write = Write::by("OF-1", "PORT", Target::On(truck), draft);
    site.write(write).await.unwrap();
}

async fn is_safe(hub: &Node, site: &Node, id: &RecordId) -> bool {
    let history = site.reads().history(id).await;
    let mut lines = history.map(|h| h.entries).unwrap_or_default();
    lines.retain(|line| line.node == site.me().name);
    let all = lines.iter().all(|line| line.not_after_s.is_some());
    !lines.is_empty() && all && hub.reads().record(id).await.is_ok()
}

/// The notes of a record, in the order in which its history tells them.
async fn told(node: &Node, id: &RecordId) -> Vec<String> {
    let history = node.reads().history(id).await.unwrap();
    let notes = history
        .entries
        .iter()
        .filter_map(|line| line.puts.get("note"));
    notes
        .filter_map(|note| note.as_str().map(String::from))
        .collect()
}

/// That the hub says of the site what is true: it has heard it through a time that was, and of each
/// entry it knows bounds within which it was written.
async fn holds_true(hub: &Node, site: &Node, id: &RecordId, why: &str) {
    let marks = hub.status().await.unwrap().watermarks;
    let heard_s = marks.get("TRB").copied().unwrap_or_default() / 1_000;
    assert!(heard_s <= real_s() + 60, "{why}: heard through {heard_s}");

    for node in [hub, site] {
        let history = node.reads().history(id).await.unwrap();
        for line in history.entries.iter().filter(|line| line.node == "trb") {
            let (before, after) = (line.not_before_s, line.not_after_s);
            assert!(after.is_none_or(is_now), "{why}: {after:?}");
            assert!(
                before.is_none_or(|s| s <= real_s() + 60),
                "{why}: {before:?}"
            );
        }
    }
}

async fn alarms(node: &Node) -> String {
    node.status().await.unwrap().alarms.join("; ")
}

/// A site that is off by so much from its first start, and dark from its first day.
async fn records_and_hands_in(off_s: i64) {
    let country = country();
    let hub = country.start("hub").await;
    let trb = country.start_with("trb", WrongClock::off_by(off_s)).await;

    // Dark from the first day.
    let truck = passage(&trb, "11-A-1").await;
    for n in 0..5 {
        note(&trb, truck, &n.to_string()).await;
    }
    assert_eq!(
        told(&trb, &truck).await,
        ["0", "1", "2", "3", "4"],
        "{off_s}"
    );

    let _wire = connect(&hub, &trb);
    until("all of it is safe", async || {
        is_safe(&hub, &trb, &truck).await
    })
    .await;
    assert_eq!(
        told(&hub, &truck).await,
        ["0", "1", "2", "3", "4"],
        "{off_s}"
    );
    holds_true(&hub, &trb, &truck, &format!("off by {off_s} s")).await;

    until("the site says that its clock is wrong", async || {
        alarms(&trb).await.contains("clock: ")
    })
    .await;
    until("it goes by the hub's time", async || {
        is_now(trb.time().hub_time_s())
    })
    .await;
    let expiry_s = trb.time().expiry_s();
    assert!(expiry_s <= real_s() + NEAR_S, "a paper ends by it: {off_s}");
    until("the hub has heard it through now", async || {
        let marks = hub.status().await.unwrap().watermarks;
        marks.get("TRB").is_some_and(|ms| is_now(ms / 1_000))
    })
    .await;
}

#[tokio::test]
async fn a_site_decades_off_from_its_first_start_records_while_dark_and_hands_in() {
    let [ahead, behind, at_the_start, before_it] = decades();
    tokio::join!(
        records_and_hands_in(ahead),
        records_and_hands_in(behind),
        records_and_hands_in(at_the_start),
        records_and_hands_in(before_it),
    );
}

#[tokio::test]
async fn a_sites_clock_that_is_pushed_back_and_forth_changes_neither_order_nor_bounds() {
    let country = country();
    let clock = WrongClock::off_by(0);
    let hub = country.start("hub").await;
    let trb = country.start_with("trb", clock.clone()).await;
    let mut wire = Some(connect(&hub, &trb));
    let truck = passage(&trb, "11-A-1").await;
    until("the hub has it", async || is_safe(&hub, &trb, &truck).await).await;

    let mut said = Vec::new();
    let steps = decades()
        .into_iter()
        .chain([3_600, -3_600, 86_400, -86_400]);
    for (n, off_s) in steps.enumerate() {
        // Every other time the hub is away.
        let is_dark = n % 2 == 1;
        if is_dark {
            wire = None;
            trb.note_peer(hub.id(), |p| p.connected = false);
        }

        clock.jump(off_s);
        said.push(format!("wrong {n}"));
        note(&trb, truck, &said[said.len() - 1]).await;
        passage(&trb, &format!("22-A-{n}")).await;
        assert!(
            is_now(trb.time().hub_time_s()),
            "the hub's time runs on: {off_s}"
        );

        if is_dark {
            wire = Some(connect(&hub, &trb));
        }
        until("it is safe", async || is_safe(&hub, &trb, &truck).await).await;
        holds_true(&hub, &trb, &truck, &format!("pushed by {off_s} s")).await;
        assert_eq!(told(&trb, &truck).await, said);
        assert_eq!(told(&hub, &truck).await, said);

        clock.jump(0);
        said.push(format!("right {n}"));
        note(&trb, truck, &said[said.len() - 1]).await;
    }

    until("all is safe", async || is_safe(&hub, &trb, &truck).await).await;
    assert_eq!(told(&hub, &truck).await, said);
    until("nothing is wrong any more", async || {
        alarms(&trb).await.is_empty()
    })
    .await;
    drop(wire);
}

#[tokio::test]
async fn a_sites_clock_that_drifts_is_told_once_it_matters_and_moves_no_bound() {
    let country = country();
    let clock = WrongClock::off_by(0);
    let hub = country.start("hub").await;
    let trb = country.start_with("trb", clock.clone()).await;
    let _wire = connect(&hub, &trb);
    let truck = passage(&trb, "11-A-1").await;
    until("the hub has it", async || is_safe(&hub, &trb, &truck).await).await;

    // Two minutes at a time, as over weeks.
    let mut said = Vec::new();
    for n in 1..=20 {
        clock.jump(n * 120);
        said.push(n.to_string());
        note(&trb, truck, &said[said.len() - 1]).await;
        assert!(is_now(trb.time().hub_time_s()), "{n}");
    }

    until("it is safe", async || is_safe(&hub, &trb, &truck).await).await;
    assert_eq!(told(&hub, &truck).await, said);
    holds_true(&hub, &trb, &truck, "drifted by 40 minutes").await;
    until("the site says so", async || {
        alarms(&trb).await.contains("clock: ")
    })
    .await;

    // What is claimed outside the hub's bounds is found, and what lay within is not.
    until("the hub doubts it", async || {
        let record = hub.reads().record(&truck).await.unwrap();
        record.to_string().contains("R20")
    })
    .await;
}

/// Configuration of a clock that is off by so much.
fn off_by(seconds: i64) -> String {
    let now_ms = real_s() * 1_000;
    let origin_ms = now_ms + seconds * 1_000;
    format!("\n[clock]\norigin_ms = {origin_ms}\nreal_ms = {now_ms}\nscale = 1.0\n")
}

/// Certificates look expired, or not valid yet, to whoever goes by such a clock.
#[test]
fn certificates_lock_no_new_node_out_whose_clock_is_half_a_century_off() {
    for (hub_off_s, trb_off_s) in [
        (0, 50 * YEAR_S),
        (0, -50 * YEAR_S),
        (-50 * YEAR_S, 0),
        (50 * YEAR_S, 50 * YEAR_S),
    ] {
        let mut world = World::default();
        world.prepare("hub", &[], &off_by(hub_off_s));
        world.boot("hub");
        let hub_at = world.site("hub").listen;
        world.prepare("trb", &[("hub", hub_at)], &off_by(trb_off_s));
        world.boot("trb");

        let (hub, trb) = (world.site("hub"), world.site("trb"));
        let truck = trb.truck("11-A-00001");
        let why = format!("the hub off by {hub_off_s} s, the site by {trb_off_s} s");
        world.wait(&format!("{why}: the hub hears of it"), || {
            hub.record(&truck).is_ok()
        });
        world.wait(&format!("{why}: it is safe"), || {
            trb.record(&truck).is_ok_and(|r| r["safety"] == "at_hub")
        });

        // It hands in, and takes the hub's word as well; no certificate is told to have expired.
        let said = json!({"say": "officer", "officer": "OF-9", "department": "VET"});
        hub.post("/v1/control", &said).unwrap();
        world.wait(&format!("{why}: the site hears the hub"), || {
            let officers = trb.get("/v1/officers").unwrap_or_default();
            officers.to_string().contains("OF-9")
        });
        world.wait(&format!("{why}: its papers hold"), || {
            let sites = trb.get("/v1/sites").unwrap_or_default();
            !sites["alarms"]
                .to_string()
                .contains("certificate has expired")
        });
    }
}
