//! What is said on a link: nothing twice, and no more answers than a peer's share of the time.

use integration_tests::network::{Country, until};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};
use wadi_log::Role;
use wadi_node::{Arriving, Leaving, Node, Target, Write, run_link};
use wadi_record::Passage;
use wadi_sync::Message;

/// A link between two nodes, with all messages that passed. It ends when dropped.
struct HeardLink {
    _tasks: JoinSet<()>,
    heard: Arc<Mutex<Vec<Message>>>,
}

impl HeardLink {
    fn between(a: &Arc<Node>, b: &Arc<Node>) -> Self {
        let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
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

        tasks.spawn(pass_on(from_a, to_b, heard.clone()));
        tasks.spawn(pass_on(from_b, to_a, heard.clone()));

        Self {
            _tasks: tasks,
            heard,
        }
    }

    fn count(&self, is: impl Fn(&Message) -> bool) -> usize {
        self.heard.lock().unwrap().iter().filter(|m| is(m)).count()
    }

    fn cosigned(&self) -> usize {
        self.count(|m| matches!(m, Message::Cosigned { .. }))
    }

    /// Cosignatures that were told although an acknowledgement had brought one over the same head.
    /// On a busy machine one may be told while its acknowledgement still waits for more blocks.
    fn told_again(&self) -> usize {
        let mut brought = BTreeSet::new();
        let mut again = 0;
        for message in self.heard.lock().unwrap().iter() {
            match message {
                Message::Ack {
                    log,
                    size,
                    cosignature: Some(_),
                    ..
                } => drop(brought.insert((*log, *size))),
                Message::Cosigned { checkpoint, .. } => {
                    let head = &checkpoint.checkpoint;
                    again += usize::from(brought.contains(&(head.log, head.size)));
                }
                _ => {}
            }
        }
        again
    }

    fn acknowledged(&self) -> usize {
        self.count(|m| {
            matches!(
                m,
                Message::Ack {
                    cosignature: Some(_),
                    ..
                }
            )
        })
    }
}

async fn pass_on(
    mut from: mpsc::Receiver<Leaving>,
    to: mpsc::Sender<Arriving>,
    heard: Arc<Mutex<Vec<Message>>>,
) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(m) => {
                heard.lock().unwrap().push(m.clone());
                Arriving::Message(m)
            }
            Leaving::Frame(lane, bytes) => Arriving::Frame(lane, bytes),
        };

        if to.send(arriving).await.is_err() {
            return;
        }
    }
}

async fn record(node: &Node, n: usize) {
    let draft = Passage::announce("in").plate(&format!("11-A-{n:05}"), "IQ");
    node.write(Write::by("OF-0001", "PORT", Target::New(None), draft))
        .await
        .unwrap();
}

async fn all_is_cosigned(node: &Node) -> bool {
    let status = node.status().await.unwrap();
    status.unsent == 0 && status.peers.iter().any(|p| p["in_step"] == true)
}

/// Lets at least two ticks of a link pass: what is told by time is told within one.
async fn two_ticks() {
    tokio::time::sleep(Duration::from_millis(1_200)).await;
}

#[tokio::test]
async fn a_hub_does_not_say_again_what_its_acknowledgement_said_nor_at_the_next_connection() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let hub = country.start("hub").await;
    let trb = country.start("trb").await;
    let link = HeardLink::between(&hub, &trb);
    for n in 0..10 {
        record(&trb, n).await;
    }

    until("the hub has cosigned all of it", async || {
        all_is_cosigned(&trb).await
    })
    .await;
    two_ticks().await;
    assert!(link.acknowledged() > 0);
    assert_eq!(link.told_again(), 0, "its acknowledgement had brought it");

    drop(link);

    // The next connection finds nothing new, and nothing is told anew.
    let again = HeardLink::between(&hub, &trb);
    until("both are in step again", async || {
        all_is_cosigned(&trb).await
    })
    .await;
    two_ticks().await;
    assert_eq!(again.cosigned(), 0);

    drop(again);

    // After a start of its own a crossing has a new epoch; the logs of the old one are old news all
    // the same.
    trb.stop().await;
    let trb = country.start("trb").await;
    record(&trb, 99).await;

    let after = HeardLink::between(&hub, &trb);
    until("the new epoch is cosigned", async || {
        all_is_cosigned(&trb).await
    })
    .await;
    two_ticks().await;
    assert_eq!(after.cosigned(), 0);

    trb.stop().await;
    hub.stop().await;
}

#[tokio::test]
async fn a_carrier_tells_cosignatures_and_no_more_of_them_at_the_next_connection() {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ]);

    let hub = country.start("hub").await;
    let (trb, qam) = (country.start("trb").await, country.start("qam").await);

    // The uplink of one crossing is down: its neighbour carries for it, and tells it what the hub
    // has cosigned.
    record(&trb, 1).await;
    let neighbours = HeardLink::between(&qam, &trb);
    let uplink = HeardLink::between(&hub, &qam);
    until(
        "the hub's cosignature comes by way of the neighbour",
        async || trb.status().await.unwrap().unsent == 0,
    )
    .await;

    two_ticks().await;
    let told = neighbours.cosigned();
    assert!(told > 0, "somebody has to tell it");

    drop(neighbours);

    let again = HeardLink::between(&qam, &trb);
    until("the neighbours are in step again", async || {
        trb.status()
            .await
            .unwrap()
            .peers
            .iter()
            .any(|p| p["in_step"] == true)
    })
    .await;

    two_ticks().await;
    assert!(
        again.cosigned() <= told,
        "what is ten minutes old is told again, and no more"
    );

    drop((again, uplink));
    for node in [hub, trb, qam] {
        node.stop().await;
    }
}

#[tokio::test]
async fn two_thousand_questions_of_ten_bytes_are_answered_once_and_records_flow_on() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let hub = country.start("hub").await;
    let trb = country.member("trb");
    let (to, incoming) = mpsc::channel(64);
    let (out, mut from) = mpsc::channel(64);

    tokio::spawn(run_link(
        hub.door().clone(),
        trb.node(),
        trb.tls_key,
        incoming,
        out,
    ));

    for message in Message::opening(trb, 0) {
        to.send(Arriving::Message(message)).await.unwrap();
    }

    let asking = tokio::spawn(async move {
        for _ in 0..2_000 {
            to.send(Arriving::Message(Message::AskDigests))
                .await
                .unwrap();
        }
        to
    });

    let mut answers = 0;
    let listening = async {
        while let Some(leaving) = from.recv().await {
            answers += usize::from(matches!(leaving, Leaving::Message(Message::Digests(_))));
        }
    };

    let _ = tokio::time::timeout(Duration::from_secs(3), listening).await;
    let _to = asking
        .await
        .expect("the link takes questions all the while");
    assert!(
        (1..=100).contains(&answers),
        "{answers} answers to 2,000 equal questions"
    );

    hub.stop().await;
}
