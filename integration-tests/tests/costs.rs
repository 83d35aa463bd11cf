//! Members with valid papers that cost more than they may: nobody fills the hub's disk, nobody
//! starves another site, and what waits arrives later.

use integration_tests::{
    World,
    network::{Country, connect, fails_without, until},
};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use wadi_log::*;
use wadi_node::{
    Arriving, BudgetLimits, Cost, Leaving, Limit, Node, PEER_BYTES_MAX, Target, Write, run_link,
};
use wadi_record::Passage;
use wadi_sync::{BlockEncoder, CodecVersion, FrontierPart, Message, encode_plain};

/// A hub, an honest crossing and one that is captured.
fn country() -> Country {
    Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ])
}

fn limited(cost: Cost, burst: f64, per_s: f64) -> BudgetLimits {
    BudgetLimits::default().with(cost, Limit { burst, per_s })
}

fn truck(n: usize) -> Write {
    let draft = Passage::announce("in").plate(&format!("11-A-{n:05}"), "IQ");
    Write::by("OF-1", "PORT", Target::New(None), draft)
}

/// A captured node: its key signs whatever its captor likes.
struct Captor {
    key: LogKey,
    enrolment: Enrolment,
    log: LogId,
    peaks: Peaks,
}

impl Captor {
    fn of(country: &Country, name: &str) -> Self {
        let key = country.key(name);
        let enrolment = country.member(name).clone();
        let log = LogId {
            node: key.node(),
            epoch: Epoch([9; 8]),
            lane: Lane::Passage,
            crossing: enrolment.crossing.expect("a crossing's"),
        };

        Self {
            key,
            enrolment,
            log,
            peaks: Peaks::default(),
        }
    }

    /// Three entries with values of 30,000 equal letters, in one block.
    fn long_block(&mut self) -> Block {
        let put = |key: &str| Put {
            key: key.into(),
            value: wadi_log::Value::Text("a".repeat(15_000)),
        };
        let entry = Entry {
            common: Common {
                officer: "OF-1".into(),
                department: "PORT".into(),
                ..Common::default()
            },
            body: Body::Change(Change {
                puts: vec![put("note"), put("vehicle.plate")],
                ..Change::default()
            }),
        };

        let from = self.peaks.size();
        let entries = [entry.clone(), entry.clone(), entry];
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, &entries, 0, vec![]).unwrap();
        self.peaks = block.peaks().clone();
        Block {
            from,
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        }
    }

    /// Connects to a node, and says Hello.
    async fn connect(&self, to: &Arc<Node>) -> (mpsc::Sender<Arriving>, mpsc::Receiver<Leaving>) {
        let (sender, incoming) = mpsc::channel(8);
        let (out, receiver) = mpsc::channel(256);
        let (door, peer) = (to.door().clone(), self.enrolment.clone());
        tokio::spawn(run_link(door, peer.node(), peer.tls_key, incoming, out));

        for message in Message::opening(&peer, 0) {
            sender.send(Arriving::Message(message)).await.unwrap();
        }

        (sender, receiver)
    }
}

fn state_of(node: &Node, name: &str) -> Value {
    let all = serde_json::to_value(node.costs()).expect("costs");
    let mut members = all.as_array().expect("members").iter();
    let member = members.find(|member| member["node"] == name);
    member.cloned().unwrap_or_default()
}

async fn codes(node: &Node) -> Vec<String> {
    let all = node.store().refusals(100).await.unwrap();
    all.into_iter().map(|r| r.code).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_sends_letters_that_cost_nothing_on_the_wire_stores_no_more_than_its_share() {
    let country = country();
    let per_s = 64.0 * 1024.0;
    let hub = country
        .start_costing("hub", limited(Cost::Inflated, 1_048_576.0, per_s))
        .await;
    let trb = country.start("trb").await;
    let _link = connect(&hub, &trb);

    let mut captor = Captor::of(&country, "qam");
    let (wire, mut answers) = captor.connect(&hub).await;
    let (mut encoder, mut sent) = (BlockEncoder::new().unwrap(), 0);
    let mut frames = Vec::new();
    for _ in 0..60 {
        let frame = encoder.encode(&captor.long_block()).unwrap();
        sent += frame.len();
        frames.push(frame);
    }

    let began = Instant::now();
    let sending = tokio::spawn(async move {
        for frame in frames {
            if wire
                .send(Arriving::Frame(Lane::Passage, frame))
                .await
                .is_err()
            {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
    let listening = tokio::spawn(async move { while answers.recv().await.is_some() {} });

    // Meanwhile an honest site posts, and the hub shows it.
    for n in 0..10 {
        let record = trb.write(truck(n)).await.expect("it is written").record;
        until("the hub shows the honest truck", async || {
            hub.store().record(&record).await.unwrap().is_some()
        })
        .await;
    }

    let rest = Duration::from_secs(3).saturating_sub(began.elapsed());
    tokio::time::sleep(rest).await;
    let held = hub.door().heads_of(&captor.key.node());
    let stored: u64 = held.iter().map(|head| head.size * 30_000).sum();
    let allowed = 1_048_576.0 + 8.0 * sent as f64 + per_s * began.elapsed().as_secs_f64() + 200e3;
    println!("{sent} bytes on the wire became {stored}; {allowed:.0} may be");
    assert!((stored as f64) < allowed, "{stored} bytes were stored");
    assert!(stored > 0, "it goes on, only more slowly");
    assert_ne!(state_of(&hub, "qam")["state"], "open");
    assert_eq!(state_of(&hub, "trb")["state"], "open");

    sending.abort();
    listening.abort();
    trb.stop().await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_site_that_stores_too_much_is_paused_with_a_reason_that_both_see_and_arrives_later() {
    let country = country();
    let hub = country
        .start_costing("hub", limited(Cost::Stored, 30_000.0, 500.0))
        .await;
    let qam = country.start("qam").await;
    let _link = connect(&hub, &qam);
    for n in 0..50 {
        qam.write(truck(n)).await.expect("it is written");
    }

    until("the hub pauses it, and tells", async || {
        let alarms = hub.reads().alarms().await.unwrap();
        alarms
            .iter()
            .any(|a| a.about == "cost" && a.text.contains("qam (stored_bytes)"))
    })
    .await;
    for n in 50..55 {
        qam.write(truck(n)).await.expect("it is written");
    }
    until("its own operator sees why", async || {
        codes(&qam).await.contains(&"over_budget".to_string())
    })
    .await;
    until("the hub's operator sees it, too", async || {
        codes(&hub).await.contains(&"over_budget".to_string())
    })
    .await;

    // Nothing is refused for good, and nobody has to connect anew.
    until("all of it arrived", async || {
        hub.status().await.unwrap().records == 55
    })
    .await;
    until("the pause is over", async || {
        hub.reads().alarms().await.unwrap().is_empty()
    })
    .await;

    qam.stop().await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hub_that_starts_anew_gives_no_site_a_new_share_of_its_disk() {
    let country = country();
    // What is used up here is there again after hours.
    let slow = || limited(Cost::Stored, 30_000.0, 1.0);
    let hub = country.start_costing("hub", slow()).await;
    let qam = country.start("qam").await;
    let link = connect(&hub, &qam);
    for n in 0..50 {
        qam.write(truck(n)).await.expect("it is written");
    }
    until("the hub pauses it", async || {
        state_of(&hub, "qam")["over"] == "stored_bytes"
    })
    .await;

    hub.stop().await;
    drop(link);
    let hub = country.start_costing("hub", slow()).await;
    assert_eq!(state_of(&hub, "qam")["state"], "paused");

    // All that it wrote may have come in one block, before anybody knew what it costs.
    let held = hub.status().await.unwrap().records;
    let _link = connect(&hub, &qam);
    for n in 50..55 {
        qam.write(truck(n)).await.expect("it is written");
    }
    until("it is told so", async || {
        codes(&hub).await.contains(&"over_budget".to_string())
    })
    .await;
    assert_eq!(hub.status().await.unwrap().records, held);

    qam.stop().await;
    hub.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_carried_block_that_no_hub_takes_is_dropped_and_not_offered_again() {
    let country = country();
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);

    // Its checkpoint is signed by its author, and its entries are others.
    let mut captor = Captor::of(&country, "qam");
    let mut block = captor.long_block();
    let at = block.entries[0].len() - 3;
    block.entries[0][at] ^= 1;
    let (wire, mut answers) = captor.connect(&trb).await;
    let carry = Message::Carry {
        log: captor.log,
        block: encode_plain(&block),
    };
    wire.send(Arriving::Message(carry)).await.unwrap();
    let listening = tokio::spawn(async move { while answers.recv().await.is_some() {} });
    until("the neighbour keeps it", async || {
        trb.status().await.unwrap().carried_bytes > 0
    })
    .await;

    let _link = connect(&hub, &trb);
    until("the hub refuses it", async || !codes(&hub).await.is_empty()).await;
    until("the neighbour keeps it no longer", async || {
        trb.status().await.unwrap().carried_bytes == 0
    })
    .await;

    listening.abort();
    trb.stop().await;
    hub.stop().await;
}

/// A block of one entry of each lane of a captured crossing.
fn block_of_each_lane(captor: &Captor) -> Vec<(Lane, Block)> {
    let put = Put {
        key: "note".into(),
        value: wadi_log::Value::Text("a".repeat(15_000)),
    };
    let entry = Entry {
        common: Common::default(),
        body: Body::Change(Change {
            puts: vec![put],
            ..Change::default()
        }),
    };

    let of = |lane: Lane| {
        let log = LogId { lane, ..captor.log };
        let nothing = Peaks::default();
        let made = VerifiedBlock::author(
            &captor.key,
            log,
            &nothing,
            std::slice::from_ref(&entry),
            0,
            vec![],
        );
        let made = made.expect("a block");
        let block = Block {
            from: 0,
            entries: made.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: made.checkpoint().clone(),
        };
        (lane, block)
    };
    Lane::ALL.into_iter().map(of).collect()
}

/// Part of a frontier that never ends: 1,000 logs that nobody has.
fn endless_part(captor: &Captor, nth: u64) -> Message {
    let tip = Tip {
        size: 5,
        root: Hash([5; 32]),
    };
    let named = (0..1_000u64).map(|n| {
        let epoch = Epoch((nth * 1_000 + n).to_be_bytes());
        let log = LogId {
            epoch,
            ..captor.log
        };
        (log, tip)
    });
    Message::Frontier {
        folded: Folded {
            open: named.collect(),
            closed: Default::default(),
        },
        part: FrontierPart {
            more: true,
            ..FrontierPart::default()
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_fills_whatever_it_can_over_four_links_has_little_held_and_others_go_on() {
    let country = country();
    let hub = country.start("hub").await;
    let trb = country.start("trb").await;
    let _link = connect(&hub, &trb);

    // Its papers are good, it opens streams in both codecs on every lane, and reads nothing.
    let captor = Captor::of(&country, "qam");
    let blocks = block_of_each_lane(&captor);
    let mut sending = Vec::new();
    for _ in 0..4 {
        let (wire, answers) = captor.connect(&hub).await;
        let mut frames = Vec::new();
        for codec in CodecVersion::ALL {
            for (lane, block) in &blocks {
                let mut encoder = BlockEncoder::of_version(codec).unwrap();
                frames.push(Arriving::Frame(*lane, encoder.encode(block).unwrap()));
            }
        }
        let parts: Vec<Message> = (0..20).map(|nth| endless_part(&captor, nth)).collect();
        let parts = parts.into_iter().map(Arriving::Message);
        let all: Vec<Arriving> = frames.into_iter().chain(parts).collect();
        sending.push(tokio::spawn(async move {
            for arriving in all {
                if wire.send(arriving).await.is_err() {
                    return;
                }
            }
            std::future::pending::<()>().await;
            drop(answers);
        }));
    }

    let node = captor.key.node();
    let (began, mut most) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(5) {
        let held = hub.door().held_of_peers().of(&node).held;
        most = most.max(held);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    println!("{most} bytes were held for it at most");
    assert!(most > 1_000_000, "it is counted");
    assert!(most <= PEER_BYTES_MAX as u64, "{most} bytes were held");
    assert!(state_of(&hub, "qam")["memory"]["most"].as_u64() > Some(0));

    // An honest site goes on meanwhile.
    let record = trb.write(truck(1)).await.expect("it is written").record;
    until("the hub shows the honest truck", async || {
        hub.store().record(&record).await.unwrap().is_some()
    })
    .await;

    sending.iter().for_each(|task| task.abort());
    trb.stop().await;
    hub.stop().await;
}

#[test]
fn these_turn_red_without_budgets() {
    if !wadi_store::defence::SWITCHABLE {
        return;
    }

    for test in [
        "who_sends_letters_that_cost_nothing_on_the_wire_stores_no_more_than_its_share",
        "a_site_that_stores_too_much_is_paused_with_a_reason_that_both_see_and_arrives_later",
    ] {
        assert!(fails_without("budgets", test), "{test} holds without them");
    }

    let test = "a_hub_that_starts_anew_gives_no_site_a_new_share_of_its_disk";
    assert!(fails_without("kept-budgets", test), "{test} holds anyway");
}

#[test]
fn an_operator_reads_metrics_and_nobody_else_does() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let hub = world.site("hub");
    let (status, answer) = hub.exchange("GET", "/metrics", None);
    let text = answer["text"].as_str().unwrap_or_default();
    assert_eq!(status, 200, "{answer}");
    for line in [
        "wadi_held{what=\"records\"} 1",
        "wadi_cost_state{node=\"trb\"} 0",
        "wadi_cost_used{node=\"trb\",budget=\"stored_bytes\"} ",
        "wadi_cost_memory_bytes{node=\"trb\",which=\"most\"} ",
        "wadi_stored_bytes{what=\"database\"} ",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }

    let screen = serde_json::json!({"name": "screen", "scope": {"is": "reader"}});
    let issued = hub.post("/v1/tokens", &screen).expect("a token");
    let token = issued["token"].as_str().expect("a token");
    let refused = hub.get_as(token, "/metrics").expect_err("a reader's token");
    assert_eq!(refused["code"], "operator_only", "{refused}");
}

#[test]
fn an_attack_is_measured_kind_by_kind() {
    let measured = std::process::Command::new(integration_tests::wadi())
        .args([
            "--json",
            "bench",
            "hostile",
            "--seconds",
            "1",
            "--frames",
            "40",
        ])
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&measured.stdout);
    assert!(measured.status.success(), "{measured:?}");

    let value: Value = serde_json::from_str(told.trim()).expect("one object");
    let attacks = value["attacks"].as_array().expect("attacks");
    assert_eq!(attacks.len(), 5);
    for attack in attacks {
        assert!(
            attack["honest"]["attacked"]["p99_ms"].as_f64() > Some(0.0),
            "{attack}"
        );
        assert!(attack["sent_bytes"].as_u64() > Some(0), "{attack}");
    }
}
