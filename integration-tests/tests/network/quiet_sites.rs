//! A crossing that went quiet: the hub still learns that there was nothing more, and what waited
//! for it becomes firm. Real processes on real time.

use integration_tests::{
    Cable, PATIENCE, Site, World,
    network::{Country, connect, until},
    run_json,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use wadi_log::{Lane, Role};
use wadi_node::{Arriving, Leaving, Node, Target, Write, run_late_link, run_link};
use wadi_record::Passage;

/// Within so long of contact, what a quiet crossing did is firm.
const FIRM_WITHIN: Duration = Duration::from_secs(60);

/// A truck leaves while a hold on it is open; after that nothing is written.
fn leave_while_held(site: &Site) {
    let truck = site.truck("77-B-00042");
    let named = site.record(&truck).unwrap()["record"].clone();
    let placed =
        json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12"});
    let hold = json!({
        "kind": "hold", "officer": "OF-7", "department": "SEC",
        "events": [placed, {"type": "link", "record": named}],
        "fields": {"type": "SECURITY", "legal_basis": "order 12"},
    });

    site.post("/v1/records", &hold).unwrap();
    site.say(
        &truck,
        "PORT",
        json!({"type": "gate.out", "gate": "G2", "read": "R2"}),
    )
    .unwrap();
}

fn phase(hub: &Site) -> Option<String> {
    let all = hub.get("/v1/findings?rule=R02").ok()?;
    Some(
        all["findings"].as_array()?.first()?["phase"]
            .as_str()?
            .to_string(),
    )
}

fn wait(world: &World, within: Duration, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        let hub = world.site("hub").get("/v1/sites").unwrap_or_default();
        assert!(
            Instant::now() < deadline,
            "waited {within:?} for: {what}; watermarks {}",
            hub["watermarks"]
        );

        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_happened_at_a_connected_site_that_went_quiet_is_firm_within_a_minute() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    leave_while_held(trb);
    wait(&world, FIRM_WITHIN, "the finding is firm", || {
        phase(hub).as_deref() == Some("FIRM")
    });

    let status = hub.get("/v1/sites").unwrap();
    assert_eq!(status["overdue"], 0, "{status}");

    let before = status["watermarks"]["TRB"].as_i64().unwrap();
    // It goes on moving although nobody says anything.
    let moved = || {
        hub.get("/v1/sites").unwrap()["watermarks"]["TRB"]
            .as_i64()
            .unwrap()
            > before + 20_000
    };

    wait(&world, FIRM_WITHIN, "the watermark moves", moved);
}

#[test]
fn a_site_that_has_written_nothing_since_it_started_moves_its_watermark_too() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let hub = world.site("hub");
    let watermark = || {
        hub.get("/v1/sites").unwrap()["watermarks"]["TRB"]
            .as_i64()
            .unwrap_or(0)
    };

    wait(
        &world,
        FIRM_WITHIN,
        "a crossing that never wrote is received",
        || watermark() > 0,
    );
}

#[test]
fn what_happened_at_a_site_that_only_a_neighbour_hears_becomes_firm() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("qam", &[("hub", world.site("hub").listen)]);

    let dark = Cable::to(world.site("hub").listen);
    dark.pull();
    world.start(
        "trb",
        &[("hub", dark.address), ("qam", world.site("qam").listen)],
    );

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    leave_while_held(trb);
    world.wait("the hub hears of it through the neighbour", || {
        phase(hub).is_some()
    });
    // Each of the two links tells once in half a minute: a minute has no room for a busy machine.
    wait(&world, PATIENCE, "the finding is firm", || {
        phase(hub).as_deref() == Some("FIRM")
    });

    let status = hub.get("/v1/sites").unwrap();
    assert_eq!(status["overdue"], 0, "{status}");

    let status = trb.get("/v1/sites").unwrap();
    let connected = |p: &Value| p["node"] == "hub" && p["connected"] == true;
    assert!(
        !status["peers"].as_array().unwrap().iter().any(connected),
        "it never met the hub"
    );
}

#[test]
fn what_happened_at_a_site_that_only_sticks_reach_becomes_firm() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let file = |name: &str| world.dir().join(name).to_str().unwrap().to_string();
    let (out, receipt) = (file("trb.wadi"), file("hub.receipt"));
    let carry = |more: &[&str]| {
        let made = run_json(
            &trb.dir,
            &[
                &["bundle", "export", "--for", "hub", "--force", "-o", &out][..],
                more,
            ]
            .concat(),
        );

        run_json(
            &hub.dir,
            &[
                "bundle",
                "import",
                &out,
                "--receipt-out",
                &receipt,
                "--force",
            ],
        );

        made
    };

    leave_while_held(trb);
    // Hub time is named in whole seconds: the one in which the truck left has to be over.
    let now_ms = || hub.get("/v1/sites").unwrap()["now_ms"].as_i64().unwrap();
    let left_ms = now_ms();
    world.wait("the second is over", || now_ms() > left_ms + 1_000);
    carry(&[]);
    world.wait("the hub finds it", || phase(hub).is_some());
    assert_eq!(
        phase(hub).as_deref(),
        Some("PENDING"),
        "the site has never heard of the hub's time"
    );

    // The receipt brings the hub's time; the next bundle holds little more than a head that names
    // it.
    let made = carry(&["--since-receipt", &receipt]);
    assert!(made["entries"].as_u64().unwrap() < 5, "{made}");

    wait(&world, FIRM_WITHIN, "the finding is firm", || {
        phase(hub).as_deref() == Some("FIRM")
    });
}

#[tokio::test]
async fn a_quiet_site_whose_certificate_has_expired_still_moves_its_watermark() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let mut tasks = tokio::task::JoinSet::new();
    let (to_hub, hub_in) = mpsc::channel(64);
    let (to_trb, trb_in) = mpsc::channel(64);
    let (hub_out, from_hub) = mpsc::channel(64);
    let (trb_out, from_trb) = mpsc::channel(64);
    tasks.spawn(pass_on(from_hub, to_trb));
    tasks.spawn(pass_on(from_trb, to_hub));

    // It is the hub that finds the certificate expired; to the site the hub's is in order.
    let (door, key) = (hub.door().clone(), trb.me().tls_key);
    tasks.spawn({
        let trb = trb.id();
        async move { drop(run_late_link(door, trb, key, hub_in, hub_out).await) }
    });
    let (door, key) = (trb.door().clone(), hub.me().tls_key);
    tasks.spawn({
        let hub = hub.id();
        async move { drop(run_link(door, hub, key, trb_in, trb_out).await) }
    });

    until("the site that may only hand in is heard", async || {
        let marks = hub.status().await.unwrap().watermarks;
        marks.get("TRB").is_some_and(|through_ms| *through_ms > 0)
    })
    .await;
}

async fn pass_on(mut from: mpsc::Receiver<Leaving>, to: mpsc::Sender<Arriving>) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(message) => Arriving::Message(message),
            Leaving::Frame(lane, bytes) => Arriving::Frame(lane, bytes),
        };
        if to.send(arriving).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_head_that_was_signed_anew_while_dark_is_shown_to_the_hub_at_the_next_contact() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let wire = connect(&hub, &trb);
    let draft = Passage::announce("in").plate("11-A-00001", "IQ");
    let write = Write::by("OF-1", "PORT", Target::New(None), draft);
    let id = trb.write(write).await.unwrap().record;
    let safe = async || trb.status().await.unwrap().unsent == 0;
    until("the hub holds it", async || {
        hub.reads().record(&id).await.is_ok() && safe().await
    })
    .await;

    // The hub says a later time than the head names; then the link is cut.
    let named_s = async |node: &Node| {
        let logs = node.store().logs().await.unwrap();
        let own = logs.iter().filter(|l| l.log.node == trb.id());
        let control = own.filter(|l| l.log.lane == Lane::Control);
        control.map(|l| l.checkpoint.checkpoint.hub_time_s).max()
    };
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let truck = Passage::announce("in").plate("11-A-00002", "IQ");
    let write = Write::by("OF-1", "PORT", Target::New(None), truck);
    trb.write(write).await.unwrap();
    until("the second is safe, too", safe).await;
    drop(wire);

    // A bundle is planned, which begins with signing the head anew.
    let before = named_s(&trb).await;
    trb.bundles().plan("hub", None, None).await.unwrap();
    until("the head names the later time", async || {
        named_s(&trb).await > before
    })
    .await;
    let named = named_s(&trb).await;
    assert!(named_s(&hub).await < named);

    // Half a minute later it would be shown anyway.
    let began = Instant::now();
    let _wire = connect(&hub, &trb);
    until("the hub has it", async || named_s(&hub).await >= named).await;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}
