//! What a site says of where its records are safe: what the hub wrote is at the hub, and a hub's
//! cosignature that was lost on its way is asked for again on the link that stands.

use integration_tests::{
    World,
    network::{Country, connect, until},
};
use serde_json::{Value, json};
use sqlx::Connection;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};
use wadi_log::{
    Body, Branch, Checkpoint, Cut, CutTarget, Epoch, ForkProof, Lane, LogId, LogKey, Peaks, Role,
    leaf_hash,
};
use wadi_node::{Arriving, Leaving, Node, Target, Write, run_link};
use wadi_record::Passage;
use wadi_sync::Message;

/// What was lost is asked for again within so long.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

fn safety(site: &integration_tests::Site, id: &str) -> Value {
    site.record(id).unwrap_or_default()["safety"].clone()
}

#[test]
fn what_the_hub_and_other_crossings_say_is_at_the_hub_also_while_it_is_dark() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("trb", &[("hub", hub_at)]);
    world.start("qam", &[("hub", hub_at)]);

    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let wrong = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in", "container.1": "CSQU3054384"},
    });
    let passage = trb.post("/v1/records", &wrong).unwrap()["id"].clone();
    let passage = passage.as_str().unwrap();
    let placed = json!({"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "law"});
    let hold = json!({
        "kind": "hold",
        "officer": "OF-1",
        "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "law"},
        "events": [placed],
    });
    let hold = qam.post("/v1/records", &hold).unwrap()["id"].clone();
    let hold = hold.as_str().unwrap();

    world.wait("the hub publishes that the container is none", || {
        let found = hub.get("/v1/findings?rule=R24").unwrap_or_default();
        !found["findings"].as_array().is_none_or(Vec::is_empty)
    });
    let findings = || {
        let history = trb.get(&format!("/v1/records/{passage}/history"));
        let history = history.unwrap_or_default();
        let by_hub = |e: &&Value| e["node"] == "hub" && e["safety"] == "at_hub";
        let entries = history["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().filter(by_hub).count()
    };
    world.wait("the site hears of it, and that it is at the hub", || {
        findings() > 0
    });
    let both = || [safety(trb, passage), safety(trb, hold)];
    world.wait("all of it is at the hub", || {
        both().iter().all(|s| s == "at_hub")
    });

    // The hub goes dark, and the site starts anew: it still knows.
    world.settle(&["hub", "trb", "qam"]);
    hub.stop();
    world.wait("the hub is dark", || {
        let peers = trb.get("/v1/sites").unwrap_or_default()["peers"].clone();
        let up = |p: &Value| p["node"] == "hub" && p["connected"] == true;
        peers.as_array().is_some_and(|all| !all.iter().any(up))
    });
    trb.stop();
    world.boot("trb");
    let trb = world.site("trb");
    assert_eq!(safety(trb, passage), "at_hub");
    assert_eq!(safety(trb, hold), "at_hub");

    let peers = trb.get("/v1/sites").unwrap()["peers"].clone();
    let dark = peers
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["node"] == "hub");
    let dark = dark.unwrap_or(&Value::Null);
    assert!(
        dark["unsent"].is_null() && dark["in_step"].is_null(),
        "nobody knows what a dark peer lacks: {dark}"
    );

    let truck = trb.truck("11-A-00001");
    assert_eq!(safety(trb, &truck), "local_only");
}

/// A link between two nodes whose messages may be changed on the way to the second one.
fn bent_link(
    a: &Arc<Node>,
    b: &Arc<Node>,
    bend: impl Fn(Message) -> Vec<Message> + Send + 'static,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (to_a, a_in) = mpsc::channel(64);
    let (to_b, b_in) = mpsc::channel(64);
    let (a_out, from_a) = mpsc::channel(64);
    let (b_out, from_b) = mpsc::channel(64);
    for (node, peer, incoming, out) in [(a, b, a_in, a_out), (b, a, b_in, b_out)] {
        let (door, peer_id, tls_key) = (node.door().clone(), peer.id(), peer.me().tls_key);
        tasks.spawn(async move { drop(run_link(door, peer_id, tls_key, incoming, out).await) });
    }

    tasks.spawn(pass_on(from_a, to_b, bend));
    tasks.spawn(pass_on(from_b, to_a, |message| vec![message]));
    tasks
}

async fn pass_on(
    mut from: mpsc::Receiver<Leaving>,
    to: mpsc::Sender<Arriving>,
    bend: impl Fn(Message) -> Vec<Message>,
) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(message) => bend(message).into_iter().map(Arriving::Message).collect(),
            Leaving::Frame(lane, bytes) => vec![Arriving::Frame(lane, bytes)],
        };
        for arriving in arriving {
            if to.send(arriving).await.is_err() {
                return;
            }
        }
    }
}

async fn truck(node: &Node, plate: &str) -> wadi_log::RecordId {
    let draft = Passage::announce("in").plate(plate, "IQ");
    let write = Write::by("OF-0001", "PORT", Target::New(None), draft);
    node.write(write).await.unwrap().record
}

async fn unsent(node: &Node) -> u64 {
    node.status().await.unwrap().unsent
}

#[tokio::test]
async fn a_cosignature_lost_on_the_wire_is_asked_for_again_on_the_link_that_stands() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let lost: Arc<AtomicU32> = Arc::default();
    let counted = lost.clone();
    // The first answers of the hub come without what it signed.
    let bend = move |message| match message {
        Message::Ack {
            log,
            size,
            cosignature: Some(_),
            refused,
        } if counted.fetch_add(1, Ordering::Relaxed) < 2 => vec![Message::Ack {
            log,
            size,
            cosignature: None,
            refused,
        }],
        other => vec![other],
    };
    let _link = bent_link(&hub, &trb, bend);

    let id = truck(&trb, "11-A-00001").await;
    until("the hub holds it", async || {
        hub.reads().record(&id).await.is_ok()
    })
    .await;
    assert!(unsent(&trb).await > 0, "the site has not heard of it");

    let began = Instant::now();
    until("the site asks again", async || unsent(&trb).await == 0).await;
    assert!(lost.load(Ordering::Relaxed) >= 2);
    assert!(began.elapsed() < ASKED_AGAIN, "{:?}", began.elapsed());
}

/// Keeps a node's database from being written until it is dropped.
async fn locked(dir: &Path) -> sqlx::SqliteConnection {
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut lock = sqlx::SqliteConnection::connect(&path).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut lock)
        .await
        .unwrap();
    lock
}

#[tokio::test]
async fn a_cosignature_that_a_neighbour_told_while_the_database_was_locked_is_not_lost() {
    let members = [
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ];
    let country = Country::of(&members);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let qam = country.start("qam").await;
    let _neighbours = connect(&trb, &qam);
    let id = truck(&trb, "11-A-00001").await;
    until("the neighbour carries it", async || {
        qam.status().await.unwrap().carried_bytes > 0
    })
    .await;

    // The neighbour meets the hub while another program has the site's database.
    let lock = locked(&country.dir_of("trb")).await;
    let _uplink = connect(&qam, &hub);
    until("the hub holds it", async || {
        hub.reads().record(&id).await.is_ok()
    })
    .await;
    // A writer waits ten seconds for whoever has the database; then its commit has failed.
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert!(unsent(&trb).await > 0);
    lock.close().await.unwrap();

    let began = Instant::now();
    until("the site knows that all is safe", async || {
        unsent(&trb).await == 0
    })
    .await;
    assert!(began.elapsed() < ASKED_AGAIN, "{:?}", began.elapsed());
}

/// Two entries that one node signed as the first of one log.
fn forked(key: &LogKey) -> ForkProof {
    let branch = |text: &[u8]| {
        let mut peaks = Peaks::default();
        peaks.append(leaf_hash(text));
        let checkpoint = Checkpoint {
            log: LogId {
                node: key.node(),
                epoch: Epoch([1; 8]),
                lane: Lane::Passage,
                crossing: "QAM".parse().unwrap(),
            },
            size: 1,
            root: peaks.root(),
            hub_time_s: 0,
            logs: Vec::new(),
        };
        Branch {
            checkpoint: key.sign(checkpoint),
            leaf: leaf_hash(text),
            path: Vec::new(),
        }
    };
    ForkProof::new(0, branch(b"a truck"), branch(b"a ghost"))
}

#[tokio::test]
async fn a_member_and_a_fork_that_a_peer_told_while_the_database_was_locked_are_not_lost() {
    let members = [
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ];
    let country = Country::of(&members);
    let hub = country.start("hub").await;
    let trb = country.start_knowing("trb", &["hub", "trb"]).await;
    let (qam, proof) = (country.member("qam").node(), forked(&country.key("qam")));
    let log = proof.log();

    // The hub tells of the new crossing, and that its key was stolen.
    let lock = locked(&country.dir_of("trb")).await;
    let bend = move |message| match message {
        Message::Members(all) => vec![
            Message::Members(all),
            Message::ForkProofs(vec![proof.clone()]),
        ],
        other => vec![other],
    };
    let _link = bent_link(&hub, &trb, bend);
    tokio::time::sleep(Duration::from_secs(13)).await;
    let knows_member = || trb.with_control(|c| c.enrolment(&qam).is_some());
    let knows_fork = || trb.with_control(|c| c.forks().contains_key(&log));
    assert!(!knows_member() && !knows_fork());
    lock.close().await.unwrap();

    let began = Instant::now();
    until("the site knows both", async || {
        knows_member() && knows_fork()
    })
    .await;
    assert!(began.elapsed() < ASKED_AGAIN, "{:?}", began.elapsed());

    // That is for the hub and for the crossing itself to see to.
    let alarms = trb.reads().alarms().await.unwrap();
    assert!(alarms.iter().all(|a| a.about != "clone"), "{alarms:?}");
}

#[tokio::test]
async fn two_machines_under_one_key_are_an_alarm_there_and_at_the_hub_until_the_node_is_cut() {
    let members = [("hub", Role::Hub, "HUB"), ("qam", Role::Crossing, "QAM")];
    let country = Country::of(&members);
    let (hub, qam) = (country.start("hub").await, country.start("qam").await);
    let of_clone = async |node: &Node| {
        let alarms = node.reads().alarms().await.unwrap();
        let found = alarms.into_iter().find(|a| a.about == "clone");
        found.map(|a| a.text).unwrap_or_default()
    };
    assert_eq!(of_clone(&qam).await, "");

    let proof = forked(&country.key("qam"));
    let bend = move |message| match message {
        hello @ Message::Hello { .. } => vec![hello, Message::ForkProofs(vec![proof.clone()])],
        other => vec![other],
    };
    let _link = bent_link(&hub, &qam, bend);
    until("both tell of it", async || {
        of_clone(&qam).await.contains("qam") && of_clone(&hub).await.contains("qam")
    })
    .await;

    let target = CutTarget::Node(qam.id());
    let cut = Cut::of(target, hub.heads_of(&qam.id()), "its key was stolen".into());
    hub.write_control(vec![Body::Cut(cut)], "AU-1")
        .await
        .unwrap();
    until("the hub has seen to it", async || {
        of_clone(&hub).await.is_empty()
    })
    .await;
}
