//! What a neighbour carries for the hub is sealed to the hub: neither its disk nor what travels
//! shows a word of it, whoever changes a byte is named, and whoever holds it back costs nothing.

use integration_tests::network::{Country, connect, scopes, until};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::{sync::mpsc, task::JoinSet};
use wadi_log::Role;
use wadi_node::{Arriving, Leaving, Node, Target, Write, run_link};
use wadi_record::Passage;
use wadi_sync::SealedBlock;

const PASSAGES: usize = 30;

/// What every plate of these stories begins with.
const PLATE: &str = "33-C-";

/// What somebody on the way does to a frame.
type Meddling = fn(&mut [u8]);

/// A link on which all bytes are looked at, and may be changed from the first node to the second.
struct WatchedLink {
    _tasks: JoinSet<()>,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl WatchedLink {
    fn between(a: &Arc<Node>, b: &Arc<Node>, meddling: Meddling) -> Self {
        let bytes: Arc<Mutex<Vec<u8>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (to_a, a_in) = mpsc::channel(64);
        let (to_b, b_in) = mpsc::channel(64);
        let (a_out, from_a) = mpsc::channel(64);
        let (b_out, from_b) = mpsc::channel(64);
        for (node, peer, incoming, out) in [(a, b, a_in, a_out), (b, a, b_in, b_out)] {
            let (node, peer_id, tls_key) = (node.clone(), peer.id(), peer.me().tls_key);
            tasks.spawn(async move {
                drop(run_link(node.door().clone(), peer_id, tls_key, incoming, out).await)
            });
        }

        tasks.spawn(pass_on(from_a, to_b, bytes.clone(), meddling));
        tasks.spawn(pass_on(from_b, to_a, bytes.clone(), honest));
        Self {
            _tasks: tasks,
            bytes,
        }
    }

    fn shows(&self, text: &str) -> bool {
        has(&self.bytes.lock().unwrap(), text)
    }
}

fn honest(_: &mut [u8]) {}

/// Changes a byte of what was encrypted.
fn change_a_byte(frame: &mut [u8]) {
    if SealedBlock::is_one(frame) {
        let at = frame.len() - 100;
        frame[at] ^= 1;
    }
}

async fn pass_on(
    mut from: mpsc::Receiver<Leaving>,
    to: mpsc::Sender<Arriving>,
    seen: Arc<Mutex<Vec<u8>>>,
    meddling: Meddling,
) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(m) => {
                seen.lock().unwrap().extend(m.encode());
                Arriving::Message(m)
            }
            Leaving::Frame(lane, mut bytes) => {
                meddling(&mut bytes);
                seen.lock().unwrap().extend(&bytes);
                Arriving::Frame(lane, bytes)
            }
        };
        if to.send(arriving).await.is_err() {
            return;
        }
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Whether any file of a database holds a text.
fn disk_shows(dir: &Path, text: &str) -> bool {
    let files = ["node.sqlite", "node.sqlite-wal"];
    files
        .iter()
        .filter_map(|name| std::fs::read(dir.join(name)).ok())
        .any(|bytes| has(&bytes, text))
}

/// Al-Qaem, Traibeel and the hub. Al-Qaem has written passages, and reaches no hub.
struct DarkSite {
    country: Country,
    hub: Arc<Node>,
    qam: Arc<Node>,
    trb: Arc<Node>,
}

impl DarkSite {
    async fn begin() -> Self {
        let country = Country::of(&[
            ("hub", Role::Hub, "HUB"),
            ("hub2", Role::Hub, "HUB"),
            ("qam", Role::Crossing, "QAM"),
            ("trb", Role::Crossing, "TRB"),
        ]);
        let (hub, qam) = (country.start("hub").await, country.start("qam").await);
        let trb = country.start("trb").await;
        for n in 0..PASSAGES {
            let draft = Passage::announce("in").plate(&format!("{PLATE}{n:05}"), "IQ");
            qam.write(Write::by("OF-0001", "PORT", Target::New(None), draft))
                .await
                .unwrap();
        }

        Self {
            country,
            hub,
            qam,
            trb,
        }
    }

    /// Waits until Traibeel carries all of Al-Qaem's passages.
    async fn all_is_carried(&self) {
        let log = |c: &(wadi_log::LogId, u64, u64)| c.0.lane == wadi_log::Lane::Passage;
        until("Traibeel carries it", async || {
            let carried = self.trb.store().carried_ranges().await.unwrap();
            let ends = carried.iter().filter(|c| log(c)).map(|c| c.2);
            ends.max() == Some(self.written())
        })
        .await;
    }

    /// Entries of Al-Qaem's passages.
    fn written(&self) -> u64 {
        let heads = self.qam.heads_of(&self.qam.id());
        let passages = heads
            .iter()
            .filter(|h| h.log.lane == wadi_log::Lane::Passage);
        passages.map(|h| h.size).sum()
    }

    async fn hub_passages(&self) -> u64 {
        let scopes = scopes(&self.hub).await;
        let key = ("passage".to_string(), "QAM".to_string());
        scopes.get(&key).map_or(0, |s| s.entries)
    }

    async fn is_safe(&self) -> bool {
        self.qam.status().await.unwrap().unsent == 0
    }

    async fn stop(self) {
        for node in [self.hub, self.qam, self.trb] {
            node.stop().await;
        }
    }
}

#[tokio::test]
async fn neither_the_carriers_disk_nor_what_travels_shows_a_plate_and_the_hub_reads_all() {
    let site = DarkSite::begin().await;
    let to_neighbour = WatchedLink::between(&site.qam, &site.trb, honest);
    site.all_is_carried().await;

    // The owner's disk shows what is looked for.
    assert!(disk_shows(&site.country.dir_of("qam"), PLATE));
    assert!(!disk_shows(&site.country.dir_of("trb"), PLATE));
    assert!(!to_neighbour.shows(PLATE));

    let to_hub = WatchedLink::between(&site.trb, &site.hub, honest);
    until("the hub has all of it", async || {
        site.hub_passages().await == site.written()
    })
    .await;
    assert!(!to_hub.shows(PLATE));
    assert!(disk_shows(&site.country.dir_of("hub"), PLATE));

    // The hub's word goes back the same way: the carrier is free of it, and the owner knows.
    until("Al-Qaem knows", async || site.is_safe().await).await;
    until("Traibeel carries nothing any more", async || {
        site.trb.store().carried_bytes().await.unwrap().is_empty()
    })
    .await;
    drop((to_neighbour, to_hub));
    site.stop().await;
}

#[tokio::test]
async fn a_carrier_that_changes_a_byte_is_named_and_nothing_is_lost() {
    let site = DarkSite::begin().await;
    let to_neighbour = connect(&site.qam, &site.trb);
    site.all_is_carried().await;
    drop(to_neighbour);

    let to_hub = WatchedLink::between(&site.trb, &site.hub, change_a_byte);
    let trb = site.trb.id().to_string();
    until("the hub names Traibeel", async || {
        let refused = site.hub.store().refusals(100).await.unwrap();
        refused
            .iter()
            .any(|r| r.code == "carried_seal_broken" && r.peer == trb && r.why.contains("trb"))
    })
    .await;
    assert_eq!(site.hub_passages().await, 0);

    // It is good for nobody: it is not offered again and again.
    until("Traibeel drops it", async || {
        let carried = site.trb.store().carried_ranges().await.unwrap();
        let is_passage = |c: &&(wadi_log::LogId, u64, u64)| c.0.lane == wadi_log::Lane::Passage;
        carried.iter().filter(is_passage).count() == 0
    })
    .await;
    drop(to_hub);

    // Al-Qaem holds it still, and its own link brings it.
    let own = connect(&site.qam, &site.hub);
    until("all is there", async || {
        site.hub_passages().await == site.written() && site.is_safe().await
    })
    .await;
    drop(own);
    site.stop().await;
}

#[tokio::test]
async fn a_carrier_that_holds_back_is_no_loss() {
    let site = DarkSite::begin().await;
    let to_neighbour = connect(&site.qam, &site.trb);
    site.all_is_carried().await;
    assert!(!site.is_safe().await, "a carrier's word is not the hub's");
    drop(to_neighbour);

    let own = connect(&site.qam, &site.hub);
    until("all is there", async || {
        site.hub_passages().await == site.written() && site.is_safe().await
    })
    .await;
    drop(own);
    site.stop().await;
}
