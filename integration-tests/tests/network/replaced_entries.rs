//! Entries that somebody replaced, or that a disk lost: found to the position and mended in few
//! bytes, whoever lies about them.

use integration_tests::network::{Country, agree, entries_on_disk, until};
use sqlx::Connection;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};
use wadi_log::{Hash, Role, leaf_hash};
use wadi_node::{Arriving, Leaving, Node, Target, Write, run_link};
use wadi_record::Passage;
use wadi_sync::Message;

/// Passages that Traibeel recorded.
const PASSAGES: usize = 700;

/// What becomes of a message of the hub's on its way.
type Spoiled = fn(Message) -> Message;
/// An entry as it lies on a disk: log, position, leaf and bytes.
type Row = (Vec<u8>, i64, Vec<u8>, Vec<u8>);

/// A link between a hub and a crossing, with all messages that passed. It ends when dropped.
struct TappedLink {
    _tasks: JoinSet<()>,
    heard: Arc<Mutex<Vec<Message>>>,
}

impl TappedLink {
    fn between(hub: &Arc<Node>, trb: &Arc<Node>, spoil: Spoiled) -> Self {
        let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (to_hub, hub_in) = mpsc::channel(64);
        let (to_trb, trb_in) = mpsc::channel(64);
        let (hub_out, from_hub) = mpsc::channel(64);
        let (trb_out, from_trb) = mpsc::channel(64);
        for (node, peer, incoming, out) in
            [(hub, trb, hub_in, hub_out), (trb, hub, trb_in, trb_out)]
        {
            let (node, peer_id, tls_key) = (node.clone(), peer.id(), peer.me().tls_key);
            tasks.spawn(async move {
                drop(run_link(node.door().clone(), peer_id, tls_key, incoming, out).await)
            });
        }

        tasks.spawn(pass_on(from_hub, to_trb, heard.clone(), spoil));
        tasks.spawn(pass_on(from_trb, to_hub, heard.clone(), |m| m));
        Self {
            _tasks: tasks,
            heard,
        }
    }

    fn count(&self, is: impl Fn(&Message) -> bool) -> usize {
        self.heard.lock().unwrap().iter().filter(|m| is(m)).count()
    }

    /// Bytes on the wire of the messages that are so, each with its length in front.
    fn bytes(&self, is: impl Fn(&Message) -> bool) -> usize {
        let heard = self.heard.lock().unwrap();
        let all = heard.iter().filter(|m| is(m));
        all.map(|m| m.encode().len() + 4).sum()
    }

    /// The positions that were asked for without a proof.
    fn picked(&self) -> BTreeSet<u64> {
        let heard = self.heard.lock().unwrap();
        let ranges = heard.iter().flat_map(|m| match m {
            Message::Pick { ranges, .. } => ranges.clone(),
            _ => vec![],
        });
        ranges.flat_map(|(from, to)| from..to).collect()
    }
}

async fn pass_on(
    mut from: mpsc::Receiver<Leaving>,
    to: mpsc::Sender<Arriving>,
    heard: Arc<Mutex<Vec<Message>>>,
    spoil: Spoiled,
) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(message) => {
                let message = spoil(message);
                heard.lock().unwrap().push(message.clone());
                Arriving::Message(message)
            }
            Leaving::Frame(lane, bytes) => Arriving::Frame(lane, bytes),
        };

        if to.send(arriving).await.is_err() {
            return;
        }
    }
}

fn is_search(message: &Message) -> bool {
    matches!(message, Message::Sketch { .. } | Message::SketchIs { .. })
}

fn is_pick(message: &Message) -> bool {
    matches!(message, Message::Pick { .. } | Message::Picked(_))
}

/// A hub and a crossing that hold the same passages, and those that stand on the crossing's disk.
async fn in_step() -> (Country, Arc<Node>, Vec<Row>) {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let hub = country.start("hub").await;
    let trb = country.start("trb").await;
    let link = TappedLink::between(&hub, &trb, |m| m);
    let mut writing = JoinSet::new();
    for n in 0..PASSAGES {
        let trb = trb.clone();
        writing.spawn(async move {
            let draft = Passage::announce("in").plate(&format!("11-A-{n:05}"), "IQ");
            let write = Write::by("OF-0001", "PORT", Target::New(None), draft);
            trb.write(write).await.unwrap();
        });
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }

    until("the hub holds all of it", async || {
        let status = trb.status().await.unwrap();
        status.unsent == 0 && status.peers.iter().any(|p| p["in_step"] == true)
    })
    .await;

    drop(link);
    trb.stop().await;
    let rows = entries_on_disk(&country.dir_of("trb"), country.member("trb").node()).await;
    let rows: Vec<Row> = rows.into_iter().filter(|(log, ..)| log[24] == 3).collect();
    assert_eq!(rows.len(), PASSAGES);
    (country, hub, rows)
}

/// Changes rows on the crossing's disk: each to what `change` makes of its bytes, with the hash
/// that fits, or to none.
async fn on_disk(country: &Country, rows: &[&Row], change: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let path = country.dir_of("trb").join("node.sqlite");
    let path = format!("sqlite://{}", path.display());
    let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
    for (log, seq, leaf, bytes) in rows {
        let place = "WHERE log = ?1 AND seq = ?2 AND leaf = ?3";
        let changed = change(bytes);
        let sql = match &changed {
            Some(_) => format!("UPDATE entries SET leaf = ?4, bytes = ?5 {place}"),
            None => format!("DELETE FROM entries {place}"),
        };
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(log)
            .bind(seq)
            .bind(leaf);
        let query = match changed {
            Some(bytes) => query.bind(leaf_hash(&bytes).0.to_vec()).bind(bytes),
            None => query,
        };
        assert_eq!(query.execute(&mut conn).await.unwrap().rows_affected(), 1);
    }

    conn.close().await.unwrap();
}

/// Another entry of the same length.
fn another(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut other = bytes.to_vec();
    let at = other.len() / 2;
    other[at] ^= 1;
    Some(other)
}

/// Starts the crossing again, links it, and has its logs read through.
async fn scrubbed(country: &Country, hub: &Arc<Node>, spoil: Spoiled) -> (Arc<Node>, TappedLink) {
    let trb = country.start("trb").await;
    let link = TappedLink::between(hub, &trb, spoil);
    until("the hub is in contact", async || {
        let status = trb.status().await.unwrap();
        status.peers.iter().any(|p| p["in_step"] == true)
    })
    .await;
    // Nobody waits for answers that a peer does not know how to give.
    let scrub = tokio::time::timeout(Duration::from_secs(60), trb.scrub().verify_own());
    scrub.await.expect("it is over within a minute").unwrap();
    (trb, link)
}

/// Waits until every row lies on the crossing's disk as it did, and both read it alike.
async fn is_whole(country: &Country, hub: &Arc<Node>, trb: &Arc<Node>, before: &[Row]) {
    until("every entry is as it was", async || {
        let now = entries_on_disk(&country.dir_of("trb"), country.member("trb").node()).await;
        let now: BTreeSet<Row> = now.into_iter().collect();
        before.iter().all(|row| now.contains(row))
    })
    .await;
    until("both agree", async || agree(hub, trb).await).await;
}

/// Every eleventh passage, and five in a row.
fn scattered(rows: &[Row]) -> Vec<&Row> {
    let of = |(n, row)| (n % 11 == 3 || (300..305).contains(&n)).then_some(row);
    rows.iter().enumerate().filter_map(of).collect()
}

fn positions(rows: &[&Row]) -> BTreeSet<u64> {
    rows.iter().map(|(_, seq, ..)| *seq as u64).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_entries_are_found_to_the_position_and_mended_in_few_bytes() {
    let (country, hub, before) = in_step().await;
    let replaced = scattered(&before);
    on_disk(&country, &replaced, another).await;

    let (trb, link) = scrubbed(&country, &hub, |m| m).await;
    assert_eq!(link.picked(), positions(&replaced), "these, and no others");
    is_whole(&country, &hub, &trb, &before).await;

    let bytes: usize = replaced.iter().map(|(.., bytes)| bytes.len()).sum();
    let (search, mend) = (link.bytes(is_search), link.bytes(is_pick));
    let rounds = link.count(|m| matches!(m, Message::Sketch { .. }));
    println!(
        "{} found in {search} bytes and {rounds} rounds, mended in {mend} for {bytes}",
        replaced.len()
    );
    assert!(
        rounds <= 3 && search <= 3_000,
        "{search} bytes, {rounds} rounds"
    );
    assert!(mend * 10 <= bytes * 13 + 10_000, "{mend} for {bytes}");
    let proven = link.count(|m| matches!(m, Message::Fetch { .. } | Message::Tree { .. }));
    assert_eq!(proven, 0, "no proof travels, and no tree");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_and_rotten_entries_come_back_without_a_proof_each() {
    let (country, hub, before) = in_step().await;
    let lost = scattered(&before);
    on_disk(&country, &lost, |_| None).await;

    let (trb, link) = scrubbed(&country, &hub, |m| m).await;
    assert_eq!(link.picked(), positions(&lost));
    assert_eq!(link.count(is_search), 0, "this disk tells which they are");
    is_whole(&country, &hub, &trb, &before).await;
    assert_eq!(link.count(|m| matches!(m, Message::Fetch { .. })), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_and_what_is_replaced_in_one_log_comes_back_one_after_the_other() {
    let (country, hub, before) = in_step().await;
    let damaged = scattered(&before);
    let (lost, replaced): (Vec<&Row>, Vec<&Row>) = damaged.iter().partition(|row| row.1 % 2 == 0);
    on_disk(&country, &lost, |_| None).await;
    on_disk(&country, &replaced, another).await;

    // What is lost does not make the root alone, and comes with proofs; then the rest is seen.
    let (trb, link) = scrubbed(&country, &hub, |m| m).await;
    is_whole(&country, &hub, &trb, &before).await;
    assert!(link.count(is_search) > 0 && link.count(is_pick) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_peer_that_gives_other_entries_nothing_is_written_and_proofs_are_asked_for() {
    let (country, hub, before) = in_step().await;
    let replaced = scattered(&before);
    on_disk(&country, &replaced, another).await;

    // One of them is another one than it gives with a proof.
    let (trb, link) = scrubbed(&country, &hub, |message| match message {
        Message::Picked(mut picked) => {
            picked.entries[0] = another(&picked.entries[0]).unwrap();
            Message::Picked(picked)
        }
        other => other,
    })
    .await;

    until("it is shown who sent them", async || {
        let refusals = trb.store().refusals(100).await.unwrap();
        let told = refusals.iter().find(|r| r.code == "entries_unproven");
        told.is_some_and(|r| r.peer == hub.id().to_string())
    })
    .await;
    is_whole(&country, &hub, &trb, &before).await;
    assert!(link.count(|m| matches!(m, Message::Fetched(_))) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_peer_of_an_earlier_version_the_tree_is_compared_level_by_level() {
    let (country, hub, before) = in_step().await;
    let replaced = scattered(&before);
    on_disk(&country, &replaced, another).await;

    let (trb, link) = scrubbed(&country, &hub, |message| match message {
        Message::Hello {
            version,
            enrolment,
            digest,
            members,
            hub_time_s,
            remembers,
            rate_bits_s,
            mut codecs,
            software,
            link,
        } => {
            codecs.retain(|mark| *mark != 0x2f);
            Message::Hello {
                version,
                enrolment,
                digest,
                members,
                hub_time_s,
                remembers,
                rate_bits_s,
                codecs,
                software,
                link,
            }
        }
        other => other,
    })
    .await;

    is_whole(&country, &hub, &trb, &before).await;
    assert_eq!(link.count(|m| is_search(m) || is_pick(m)), 0);
    assert!(link.count(|m| matches!(m, Message::Tree { .. })) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_where_a_tree_differs_keeps_nobody_from_mending() {
    let (country, hub, before) = in_step().await;
    let replaced = scattered(&before);
    on_disk(&country, &replaced, another).await;

    // Cells that say anything.
    let (trb, link) = scrubbed(&country, &hub, |message| match message {
        Message::SketchIs {
            log,
            tip,
            salt,
            mut sketch,
        } => {
            let garbage = Hash([0x5a; 32]).0;
            for (byte, other) in sketch.iter_mut().zip(garbage.iter().cycle()) {
                *byte ^= other & 0x0f;
            }
            Message::SketchIs {
                log,
                tip,
                salt,
                sketch,
            }
        }
        other => other,
    })
    .await;

    is_whole(&country, &hub, &trb, &before).await;
    assert!(link.count(is_search) <= 60, "{}", link.count(is_search));
}
