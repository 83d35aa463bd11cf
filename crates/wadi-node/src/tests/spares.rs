//! Nodes that were enrolled and never started: nobody waits for one that a hub declared a spare,
//! and once anything of it is held everybody does, in whatever order both are heard.

use crate::{
    door::write::Target,
    node::Node,
    tests::{
        order::{Country, MINUTE, blocks, deliver, looked},
        reconciler::{of_rule, write},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
};
use wadi_log::{
    Block, Body, Boot, Closure, Common, Crossing, Entry, Epoch, Lane, LogId, LogKey, Peaks,
    Reference, SpareEntry, VerifiedBlock,
};
use wadi_record::{HoldType, Passage, QuarantineHold};

/// The seeds of the keys of Traibeel's node, of its spare, and of the hub that speaks.
const TRB: u8 = 10;
const SPARE: u8 = 11;
const HUB: u8 = 2;
/// The hub that listens.
const LISTENER: u8 = 3;
/// Seconds, as the clock of these stories begins.
const BEGIN_S: i64 = 1_767_225_600;

fn key(seed: u8) -> LogKey {
    LogKey::from_seed(&[seed; 32])
}

/// A control log of one block, whose head names a hub's time.
fn control(seed: u8, crossing: &str, epoch: u8, hub_time_s: i64, bodies: Vec<Body>) -> Block {
    let key = key(seed);
    let log = LogId {
        node: key.node(),
        epoch: Epoch([epoch; 8]),
        lane: Lane::Control,
        crossing: crossing.parse::<Crossing>().unwrap(),
    };
    let entry = |body| Entry {
        common: Common {
            wall_ms: BEGIN_S * 1_000,
            officer: "Layla".into(),
            ..Common::default()
        },
        body,
    };
    let entries: Vec<Entry> = bodies.into_iter().map(entry).collect();
    let made =
        VerifiedBlock::author(&key, log, &Peaks::default(), &entries, hub_time_s, vec![]).unwrap();

    Block {
        from: 0,
        entries: made.entries().iter().map(|e| e.bytes().to_vec()).collect(),
        checkpoint: made.checkpoint().clone(),
    }
}

fn boot(seed: u8, epoch: u8, hub_time_s: i64) -> Block {
    let boot = Boot {
        software: "wadi".into(),
        previous: vec![],
    };
    control(seed, "TRB", epoch, hub_time_s, vec![Body::Boot(boot)])
}

fn spare(seed: u8, ends: Vec<Reference>) -> Body {
    Body::Spare(SpareEntry {
        node: key(seed).node(),
        ends,
        reason: "it stands in the depot".into(),
    })
}

/// A hub's word that the spare is one.
fn declared() -> Block {
    control(HUB, "HUB", 1, 0, vec![spare(SPARE, vec![])])
}

fn first_of(block: &Block) -> Reference {
    let log = block.checkpoint.checkpoint.log;
    let leaf = wadi_log::leaf_hash(&block.entries[0]);
    Reference { log, seq: 0, leaf }
}

fn country() -> Country {
    Country::of(&[("trb", "TRB"), ("trb2", "TRB")], &["hub", "hub2"])
}

async fn hear(node: &Node, block: &Block) {
    let peer = block.checkpoint.checkpoint.log.node;
    node.ingest(block.clone(), peer).await.await.unwrap();
}

/// Through when Traibeel is received, seconds from the beginning; none where nobody speaks for it.
fn received(node: &Node) -> Option<i64> {
    let ms = node.view().watermarks.get("TRB").copied()?;
    Some(if ms == 0 { 0 } else { ms / 1_000 - BEGIN_S })
}

fn orders(of: &[Block]) -> Vec<Vec<Block>> {
    if of.len() < 2 {
        return vec![of.to_vec()];
    }

    let mut out = Vec::new();
    for n in 0..of.len() {
        let mut rest = of.to_vec();
        let first = rest.remove(n);
        out.extend(orders(&rest).into_iter().map(|mut order| {
            order.insert(0, first.clone());
            order
        }));
    }
    out
}

/// Has a hub hear these in every order; what it comes to is the same in all.
async fn alike(dir: &Path, story: &[Block], received_s: Option<i64>, is_spare: bool) {
    let country = country();
    let dir = tempfile::tempdir_in(dir).unwrap();
    let spare = key(SPARE).node();
    for (n, order) in orders(story).into_iter().enumerate() {
        let at = dir.path().join(format!("order-{n}"));
        let hub = country.node(&at, LISTENER, "hub2").await;
        for block in &order {
            hear(&hub, block).await;
        }

        let came = |node: &Node| (received(node), node.view().is_spare(&spare));
        assert_eq!(came(&hub), (received_s, is_spare), "order {n}");
        hub.stop().await;
        drop(hub);

        let again = country.node(&at, LISTENER, "hub2").await;
        assert_eq!(
            came(&again),
            (received_s, is_spare),
            "a start changes nothing"
        );
        again.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spare_is_waited_for_by_nobody_until_it_is_heard_in_whatever_order_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (trb, heard) = (boot(TRB, 1, BEGIN_S - 100), boot(SPARE, 1, BEGIN_S - 300));

    // A node that was never heard holds its crossing back for ever, until it is declared a spare.
    alike(dir.path(), std::slice::from_ref(&trb), Some(0), false).await;
    alike(dir.path(), &[trb.clone(), declared()], Some(-100), true).await;

    // Once it is heard it counts, by what it names itself: the word of a hub hides nothing.
    let story = [trb.clone(), declared(), heard.clone()];
    alike(dir.path(), &story, Some(-300), false).await;

    // A hub takes it back, and another one says it again.
    let more = |epoch| {
        control(
            HUB,
            "HUB",
            epoch,
            0,
            vec![spare(SPARE, vec![first_of(&declared())])],
        )
    };
    let ended = [trb.clone(), declared(), more(2)];
    alike(dir.path(), &ended, Some(0), false).await;
    let anew = control(HUB, "HUB", 3, 0, vec![spare(SPARE, vec![])]);
    alike(
        dir.path(),
        &[trb, declared(), more(2), anew],
        Some(-100),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crossing_of_spares_alone_is_received_through_no_time_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let both = control(
        HUB,
        "HUB",
        1,
        0,
        vec![spare(SPARE, vec![]), spare(TRB, vec![])],
    );
    alike(dir.path(), &[both], None, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_hears_a_spare_says_so_and_the_word_of_no_site_makes_one() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let hub = country.node(dir.path(), LISTENER, "hub2").await;
    let node = key(SPARE).node();

    // A captured site says it of its neighbour.
    let forged = control(TRB, "TRB", 7, 0, vec![spare(SPARE, vec![])]);
    hear(&hub, &forged).await;
    assert!(hub.with_control(|c| c.spare_declarations(&node).is_empty()));

    hear(&hub, &declared()).await;
    assert!(hub.view().is_spare(&node));
    hear(&hub, &boot(SPARE, 1, BEGIN_S - 300)).await;
    let ended = hub.with_control(|c| {
        let acts = c
            .member_acts()
            .filter(|act| act.reference.log.node == hub.id());
        acts.map(|act| format!("{:?}", act.act)).collect::<Vec<_>>()
    });
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert!(ended[0].contains("it was heard"), "{ended:?}");

    // Whoever lost what the spare said waits for it, by that word.
    let other = country.node(dir.path(), HUB, "hub").await;
    hear(&other, &boot(TRB, 1, BEGIN_S - 100)).await;
    other
        .write_control(vec![spare(SPARE, vec![])], "Layla")
        .await
        .unwrap();
    assert_eq!(received(&other), Some(-100));
    let at = other.with_control(|c| c.spare_declarations(&node));
    let end = control(
        LISTENER,
        "HUB",
        8,
        0,
        vec![spare(SPARE, at.into_iter().collect())],
    );
    hear(&other, &end).await;
    assert_eq!(received(&other), Some(0), "nothing of it is here");
}

/// A truck leaves under a hold.
async fn leaves_under_hold(site: &Node, plate: &str, country: &Country) {
    let truck = Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", plate);
    let truck = write(site, "PORT", Target::New(None), truck).await;
    let hold =
        QuarantineHold::place(HoldType::Customs, "order 4").link(&truck.to_string(), "suspected");
    write(site, "CUS", Target::New(None), hold).await;
    country.clock.0.fetch_add(MINUTE, Ordering::Relaxed);
    let out = json!({"gate": "G2", "read": plate, "reason": "camera down"});
    let out = Passage::on().event("gate.out", out);
    write(site, "PORT", Target::On(truck), out).await;
}

async fn phases(hub: &Arc<Node>) -> Vec<String> {
    looked(hub).await;
    let mut found: Vec<String> = of_rule(hub, "R02")
        .await
        .into_iter()
        .map(|f| f.phase)
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_for_a_spare_alone_becomes_firm_and_what_comes_after_it_is_heard_waits_again() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let hub = country.node(dir.path(), HUB, "hub").await;
    let trb = country.node(dir.path(), TRB, "trb").await;
    let mut taken = BTreeMap::new();
    let mut hand_in = async || {
        let mut logs = BTreeMap::new();
        blocks(&trb, &mut taken, &mut logs).await;
        deliver(&hub, &logs, &mut StdRng::seed_from_u64(1), false).await;
    };

    leaves_under_hold(&trb, "11-A-1", &country).await;
    hand_in().await;
    country.clock.0.fetch_add(10 * MINUTE, Ordering::Relaxed);
    hear(&hub, &boot(TRB, 7, BEGIN_S + 600)).await;
    assert_eq!(
        phases(&hub).await,
        ["PENDING"],
        "for the node that never started"
    );

    // Nothing but the word comes.
    hub.write_control(vec![spare(SPARE, vec![])], "Layla")
        .await
        .unwrap();
    assert_eq!(phases(&hub).await, ["FIRM"]);

    // The spare is unpacked, and heard: what happens from now on waits for it.
    hear(&hub, &boot(SPARE, 1, BEGIN_S + 120)).await;
    assert_eq!(received(&hub), Some(120));
    leaves_under_hold(&trb, "11-A-2", &country).await;
    hand_in().await;
    country.clock.0.fetch_add(10 * MINUTE, Ordering::Relaxed);
    hear(&hub, &boot(TRB, 8, BEGIN_S + 1_200)).await;
    assert_eq!(received(&hub), Some(120), "the slower of the two");
    assert_eq!(phases(&hub).await, ["FIRM", "PENDING"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_runs_and_is_declared_a_spare_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let spare = country.node(dir.path(), SPARE, "trb2").await;
    let told = async || {
        let alarms = spare.reads().alarms().await.unwrap();
        alarms.iter().any(|alarm| alarm.about == "spare")
    };
    assert!(!told().await);

    hear(&spare, &declared()).await;
    assert!(told().await, "whom a hub keeps out knows of it");
    let end = control(
        LISTENER,
        "HUB",
        2,
        0,
        vec![self::spare(SPARE, vec![first_of(&declared())])],
    );
    hear(&spare, &end).await;
    assert!(!told().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closure_counts_as_soon_as_it_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let hub = country.node(dir.path(), HUB, "hub").await;
    hear(&hub, &boot(TRB, 1, BEGIN_S - 100)).await;
    assert_eq!(received(&hub), Some(0));

    let closure = Closure {
        crossing: "TRB".parse().unwrap(),
        closed_s: BEGIN_S - 50,
        reason: "a flood".into(),
    };
    hub.write_control(vec![Body::Closure(closure)], "Layla")
        .await
        .unwrap();
    assert_eq!(received(&hub), Some(-50));
}

/// The alarm of a hub that says this, once it has looked who is heard: once a minute, in so many
/// rests of its reconciler.
async fn alarm_after_a_minute(hub: &Arc<Node>, said: &str) -> Option<String> {
    for _ in 0..13 {
        looked(hub).await;
    }

    let alarms = hub.reads().alarms().await.unwrap();
    let mut texts = alarms.into_iter().map(|a| a.text);
    texts.find(|text| text.contains(said))
}

/// A crossing was closed yesterday, and somebody works there.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_crossing_whose_node_is_heard_on_is_an_alarm() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let hub = country.node(dir.path(), HUB, "hub").await;
    let told = async || alarm_after_a_minute(&hub, "TRB was closed at").await;

    hear(&hub, &boot(TRB, 1, BEGIN_S - 10 * 3_600)).await;
    let closure = Closure {
        crossing: "TRB".parse().unwrap(),
        closed_s: BEGIN_S - 5 * 3_600,
        reason: "a flood".into(),
    };
    hub.write_control(vec![Body::Closure(closure)], "Layla")
        .await
        .unwrap();
    assert_eq!(told().await, None, "nobody was heard since");

    hear(&hub, &boot(TRB, 2, BEGIN_S - 60)).await;
    let alarm = told().await.expect("its node is heard on");
    assert!(alarm.contains("its node trb is heard"), "{alarm}");
}

/// A truck left under a hold, and what its crossing did until then is not received.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fell_silent_is_named_with_what_waits_for_it_until_it_is_heard_again() {
    let dir = tempfile::tempdir().unwrap();
    let country = country();
    let hub = country.node(dir.path(), HUB, "hub").await;
    let trb = country.node(dir.path(), TRB, "trb").await;
    let told = async || alarm_after_a_minute(&hub, "wait for it").await;

    let not_this_one = vec![spare(SPARE, vec![])];
    hub.write_control(not_this_one, "Layla").await.unwrap();
    leaves_under_hold(&trb, "11-A-1", &country).await;
    let (mut taken, mut logs) = (BTreeMap::new(), BTreeMap::new());
    blocks(&trb, &mut taken, &mut logs).await;
    deliver(&hub, &logs, &mut StdRng::seed_from_u64(1), false).await;
    hear(&hub, &boot(TRB, 7, BEGIN_S + 30)).await;
    assert_eq!(phases(&hub).await, ["PENDING"]);
    assert_eq!(told().await, None, "a dark site comes back within a day");

    let later_ms = (BEGIN_S + 26 * 3_600) * 1_000;
    *hub.heard_in_tests.lock().unwrap() = [("HUB".to_string(), later_ms)].into();
    let alarm = told().await.expect("a finding waits for it");
    let heard = "node trb of TRB is heard through 2026-01-01 00:00:30Z and no further: \
                 1 findings wait for it";
    assert!(alarm.contains(heard), "{alarm}");
    let is_no_spare = alarm.contains("or cut it") && !alarm.contains("a spare");
    assert!(is_no_spare, "it was heard: {alarm}");

    // It comes back, and says what there was.
    country.clock.0.fetch_add(30 * MINUTE, Ordering::Relaxed);
    hear(&hub, &boot(TRB, 8, BEGIN_S + 1_200)).await;
    assert_eq!(phases(&hub).await, ["FIRM"]);
    assert_eq!(told().await, None, "nothing waits for it any more");
}
