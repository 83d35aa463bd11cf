//! Clocks that are wrong by decades, at sites and at the hub, from the start and all of a sudden:
//! nobody is locked out, and no time is signed that lies years off.

mod doubts;

use integration_tests::{
    Site, World,
    network::{Country, connect, until},
    papers,
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};
use wadi_log::Role;
use wadi_node::{Clock, Node, Target, Write};
use wadi_record::{Draft, Kind};

const DAY_S: i64 = 86_400;
/// Weeks after which a receiver of GPS begins to count anew.
const ROLLOVER_S: i64 = 1_024 * 7 * DAY_S;
const TEN_YEARS_S: i64 = 3_650 * DAY_S;

fn real_s() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

/// Configuration of a clock that is off by so much.
fn off_by(seconds: i64) -> String {
    let now_ms = real_s() * 1_000;
    format!(
        "\n[clock]\norigin_ms = {}\nreal_ms = {now_ms}\nscale = 1.0\n",
        now_ms + seconds * 1_000
    )
}

/// Starts a node again with a clock that is off by so much.
fn restart_off_by(world: &World, name: &str, seconds: i64) {
    let site = world.site(name);
    site.stop();
    let path: PathBuf = site.dir.join("node.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let plain = text.split("\n[clock]").next().unwrap().to_string();

    std::fs::write(
        &path,
        plain
            + &if seconds == 0 {
                String::new()
            } else {
                off_by(seconds)
            },
    )
    .unwrap();

    world.boot(name);
}

fn alarms(site: &Site) -> String {
    site.get("/v1/sites").unwrap_or_default()["alarms"].to_string()
}

/// A truck at a site comes to the hub, and the site knows it.
fn hands_in(world: &World, plate: &str) -> String {
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let id = trb.truck(plate);
    world.wait("the hub hears of it", || hub.record(&id).is_ok());
    world.wait("the site knows that it is safe", || {
        trb.record(&id).is_ok_and(|r| r["safety"] == "at_hub")
    });

    id
}

/// The brackets of a record's entries, as the site tells them.
fn brackets(site: &Site, id: &str) -> Vec<(Option<i64>, Option<i64>)> {
    let history = site.get(&format!("/v1/records/{id}/history")).unwrap();
    let bracket = |e: &Value| (e["not_before_s"].as_i64(), e["not_after_s"].as_i64());
    history["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(bracket)
        .collect()
}

fn two_nodes() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world
}

#[test]
fn a_site_that_never_met_the_hub_and_starts_in_1970_connects() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.prepare("trb", &[("hub", world.site("hub").listen)], "");

    let site = world.site("trb");
    let text = std::fs::read_to_string(site.dir.join("node.toml")).unwrap();
    std::fs::write(site.dir.join("node.toml"), text + &off_by(-real_s() + 5)).unwrap();
    world.boot("trb");

    let id = hands_in(&world, "11-A-00001");
    assert!(
        alarms(world.site("trb")).contains("clock: this machine's clock shows 1970"),
        "{}",
        alarms(world.site("trb"))
    );

    for (before, after) in brackets(world.site("trb"), &id) {
        assert!(
            after.is_some_and(|t| (t - real_s()).abs() < 600),
            "{before:?} {after:?}"
        );
    }
}

#[test]
fn a_site_whose_clock_is_wrong_after_a_restart_hands_in_and_says_so() {
    let world = two_nodes();
    hands_in(&world, "11-A-00001");
    for (seconds, said) in [
        (TEN_YEARS_S, "10 years ahead of"),
        (-ROLLOVER_S, "cannot be right"),
        (-9 * DAY_S, "behind"),
    ] {
        restart_off_by(&world, "trb", seconds);
        hands_in(
            &world,
            &format!("22-A-{:05}", seconds.unsigned_abs() % 10_000),
        );

        let trb = world.site("trb");
        // Papers may have been issued today: then nine days back lies before them.
        world.wait(said, || {
            alarms(trb).contains(said)
                || seconds > -ROLLOVER_S && alarms(trb).contains("cannot be right")
        });
        assert!(
            !alarms(trb).contains("certificate has expired"),
            "{}",
            alarms(trb)
        );
    }

    restart_off_by(&world, "trb", 0);
    hands_in(&world, "33-A-00001");
    let trb = world.site("trb");
    world.wait("all is well", || alarms(trb) == "[]");
}

#[test]
fn a_hub_that_starts_with_a_wrong_clock_goes_by_what_it_signed_and_locks_nobody_out() {
    let world = two_nodes();
    let first = hands_in(&world, "11-A-00001");
    let before = brackets(world.site("trb"), &first);
    for seconds in [
        -real_s() + 5,
        -ROLLOVER_S,
        TEN_YEARS_S,
        40 * TEN_YEARS_S / 10,
    ] {
        restart_off_by(&world, "hub", seconds);
        let id = hands_in(
            &world,
            &format!("22-A-{:05}", seconds.unsigned_abs() % 10_000),
        );

        for site in ["hub", "trb"] {
            for (_, after) in brackets(world.site(site), &id) {
                assert!(
                    after.is_some_and(|t| (t - real_s()).abs() < 600),
                    "{site}, a hub off by {seconds} s: {after:?}"
                );
            }
        }

        let hub = world.site("hub");
        assert!(alarms(hub).contains("clock: "), "{}", alarms(hub));

        let health = hub.get("/healthz").unwrap();
        assert_eq!(health["status"], "degraded", "{health}");
        assert_eq!(health["alarms"], json!(["clock"]), "{health}");
    }

    restart_off_by(&world, "hub", 0);
    hands_in(&world, "33-A-00001");
    let hub = world.site("hub");
    world.wait("all is well", || alarms(hub) == "[]");
    assert_eq!(
        brackets(world.site("trb"), &first),
        before,
        "what was cosigned first bounds it for ever"
    );

    assert_eq!(brackets(hub, &first), before);
}

#[test]
fn an_alarm_of_a_site_is_in_its_health_its_log_and_at_the_hub_until_it_ends() {
    let world = two_nodes();
    hands_in(&world, "11-A-00001");
    restart_off_by(&world, "trb", TEN_YEARS_S);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let told = || {
        let peers = hub.get("/v1/sites").unwrap_or_default()["peers"].clone();
        let of = |p: &Value| p["node"] == "trb";
        let found = peers.as_array().and_then(|all| all.iter().find(|p| of(p)));
        found.map(|p| p["alarms"].clone()).unwrap_or_default()
    };
    world.wait("the hub shows the site's alarm", || {
        told()[0]["about"] == "clock"
    });
    assert!(told()[0]["text"].to_string().contains("10 years ahead"));
    let shown = integration_tests::run(&hub.dir, &["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("ALARM at trb, since "), "{shown}");

    let health = trb.get("/healthz").unwrap();
    assert_eq!(health["alarms"], json!(["clock"]), "{health}");
    let log = std::fs::read_to_string(trb.dir.join("stderr.log")).unwrap();
    assert_eq!(log.matches("ALARM: clock: ").count(), 1, "{log}");

    // Somebody sets the clock: what an earlier start told is ended.
    restart_off_by(&world, "trb", 0);
    world.wait("the hub shows it no longer", || {
        told().as_array().is_some_and(Vec::is_empty)
    });
    let health = world.site("trb").get("/healthz").unwrap();
    assert_eq!(health["status"], "ok", "{health}");
}

#[test]
fn a_new_hub_whose_clock_lies_beyond_all_certificates_takes_what_sites_hand_in() {
    let mut world = World::default();
    let path = papers().join("certs/nodes/hub");
    assert!(path.exists());

    world.prepare("hub", &[], "");
    let text = std::fs::read_to_string(world.site("hub").dir.join("node.toml")).unwrap();

    // Certificates hold three years; a hub that has signed nothing yet has only its own clock to go
    // by.
    std::fs::write(
        world.site("hub").dir.join("node.toml"),
        text + &off_by(5 * 365 * DAY_S),
    )
    .unwrap();

    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);
    hands_in(&world, "11-A-00001");

    let trb = world.site("trb");
    assert!(
        !alarms(trb).contains("certificate has expired"),
        "a hub's word alone does not make it expire: {}",
        alarms(trb)
    );

    // Set right, it is heard as ever.
    restart_off_by(&world, "hub", 0);
    hands_in(&world, "22-A-00001");
}

/// A clock that jumps when somebody pushes it.
struct JumpClock {
    off_s: AtomicI64,
    started: Instant,
}

impl JumpClock {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            off_s: AtomicI64::new(0),
            started: Instant::now(),
        })
    }

    fn jump(&self, off_s: i64) {
        self.off_s.store(off_s, Ordering::Relaxed);
    }
}

impl Clock for JumpClock {
    fn now_ms(&self) -> i64 {
        real_s() * 1_000 + self.off_s.load(Ordering::Relaxed) * 1_000
    }

    fn steady_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64
    }
}

async fn passage(node: &Arc<Node>, plate: &str) -> wadi_log::RecordId {
    let draft = Draft::new(Kind::Passage)
        .text("direction", "in")
        .text("vehicle.plate_raw", plate);
    node.write(Write::by("OF-1", "PORT", Target::New(None), draft))
        .await
        .unwrap()
        .record
}

/// Writes at the site and waits until it is safe at the hub.
async fn safe(hub: &Arc<Node>, site: &Arc<Node>, plate: &str) -> wadi_log::RecordId {
    let id = passage(site, plate).await;
    until("the hub has cosigned it", async || {
        let mut lines = site
            .reads()
            .history(&id)
            .await
            .map(|h| h.entries)
            .unwrap_or_default();

        // What the hub finds about it stands in the hub's own log, which no other hub cosigns.
        lines.retain(|line| line.node == site.me().name);
        !lines.is_empty()
            && lines.iter().all(|l| l.not_after_s.is_some())
            && hub.reads().record(&id).await.is_ok()
    })
    .await;

    id
}

async fn bounds(node: &Arc<Node>, id: &wadi_log::RecordId) -> Vec<(Option<i64>, Option<i64>)> {
    node.reads()
        .history(id)
        .await
        .unwrap()
        .entries
        .iter()
        .map(|l| (l.not_before_s, l.not_after_s))
        .collect()
}

fn is_now(time_s: i64) -> bool {
    (time_s - real_s()).abs() < 600
}

#[tokio::test]
async fn a_hub_whose_clock_jumps_while_it_runs_signs_no_such_time_and_says_so() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let clock = JumpClock::new();
    let hub = country.start_with("hub", clock.clone()).await;
    let trb = country.start("trb").await;
    let wire = connect(&hub, &trb);
    let first = safe(&hub, &trb, "11-A-1").await;
    let kept = bounds(&trb, &first).await;

    for (n, jump) in [
        TEN_YEARS_S,
        -ROLLOVER_S,
        50 * 365 * DAY_S,
        -50 * 365 * DAY_S,
        4 * 3_600,
    ]
    .into_iter()
    .enumerate()
    {
        clock.jump(jump);
        let id = safe(&hub, &trb, &format!("22-A-{n}")).await;
        assert!(
            hub.status()
                .await
                .unwrap()
                .alarms
                .iter()
                .any(|a| a.starts_with("clock: ")),
            "a jump by {jump} s"
        );

        for node in [&hub, &trb] {
            for (before, after) in bounds(node, &id).await {
                assert!(
                    after.is_some_and(is_now) && before.is_none_or(is_now),
                    "{jump}: {before:?} {after:?}"
                );
            }
        }

        clock.jump(0);
        safe(&hub, &trb, &format!("33-A-{n}")).await;
        assert!(
            is_now(trb.time().hub_time_s()),
            "a jump by {jump} s is not heard"
        );
        assert_eq!(hub.status().await.unwrap().alarms, Vec::<String>::new());
    }

    // Another connection begins with the hub's word.
    clock.jump(TEN_YEARS_S);
    drop(wire);
    let _wire = connect(&hub, &trb);
    safe(&hub, &trb, "44-A-1").await;
    assert!(is_now(trb.time().hub_time_s()) && is_now(trb.time().expiry_s()));
    assert!(
        hub.status()
            .await
            .unwrap()
            .watermarks
            .values()
            .all(|ms| *ms < (real_s() + 600) * 1_000)
    );

    assert_eq!(bounds(&trb, &first).await, kept);
    assert_eq!(bounds(&hub, &first).await, kept);
}

#[tokio::test]
async fn what_a_site_took_from_a_hub_ten_years_ahead_is_forgotten_once_it_is_right() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let clock = JumpClock::new();
    let hub = country.start_with("hub", clock.clone()).await;

    // As an older version wrote it down.
    let trb = country.start("trb").await;
    let taken = (real_s() + TEN_YEARS_S).to_string();
    let key = wadi_store::LocalKey {
        scope: wadi_store::LocalScope::Hub,
        key: "time_s".into(),
        value: taken,
    };

    trb.set_local(vec![key], vec![]).await.unwrap();
    trb.stop().await;
    drop(trb);

    let trb = country.start("trb").await;
    assert!(trb.time().hub_time_s() > real_s() + TEN_YEARS_S - 60);
    assert!(
        is_now(trb.time().expiry_s()),
        "no certificate expires by it"
    );

    let _wire = connect(&hub, &trb);
    safe(&hub, &trb, "11-A-1").await;
    until("the wrong time is forgotten", async || {
        is_now(trb.time().hub_time_s())
    })
    .await;

    let refusals = trb.status().await.unwrap().last_refused;
    assert!(
        refusals
            .iter()
            .any(|r| r["code"] == json!("hub_time_corrected")),
        "{refusals:?}"
    );

    // Its head named the wrong time, and tells nothing until it is signed anew: then the watermark
    // is right.
    until("the watermark is right", async || {
        let marks = hub.status().await.unwrap().watermarks;
        marks.get("TRB").is_some_and(|ms| is_now(ms / 1_000))
    })
    .await;

    trb.stop().await;
    drop(trb);
    let trb = country.start("trb").await;
    assert!(is_now(trb.time().hub_time_s()), "it stays forgotten");
}

#[tokio::test]
async fn the_first_cosignature_over_an_entry_bounds_it_for_ever() {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ]);

    let clock = JumpClock::new();
    let hub = country.start_with("hub", clock.clone()).await;
    let (trb, qam) = (country.start("trb").await, country.start("qam").await);
    let wire = connect(&hub, &trb);
    let first = safe(&hub, &trb, "11-A-1").await;
    let kept = [bounds(&hub, &first).await, bounds(&trb, &first).await];

    // Later heads of the same log, each cosigned some minutes later.
    for n in 1..6 {
        clock.jump(n * 300);
        safe(&hub, &trb, &format!("22-A-{n}")).await;
        assert_eq!(
            [bounds(&hub, &first).await, bounds(&trb, &first).await],
            kept,
            "after {n} more heads"
        );
    }

    // By way of a neighbour.
    drop(wire);
    trb.note_peer(hub.id(), |p| p.connected = false);
    let _wires = [connect(&trb, &qam), connect(&qam, &hub)];
    clock.jump(1_800);
    safe(&hub, &trb, "33-A-1").await;
    assert_eq!(
        [bounds(&hub, &first).await, bounds(&trb, &first).await],
        kept
    );

    // And after restarts.
    for node in [&hub, &trb] {
        node.stop().await;
    }

    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    assert_eq!(
        [bounds(&hub, &first).await, bounds(&trb, &first).await],
        kept
    );

    let _wire = connect(&hub, &trb);
    safe(&hub, &trb, "44-A-1").await;
    assert_eq!(
        [bounds(&hub, &first).await, bounds(&trb, &first).await],
        kept
    );
}
