//! A peer that listens, and says no more than it has to: what a node sends it, and in which order.

use integration_tests::network::Country;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};
use wadi_log::*;
use wadi_node::{Arriving, Leaving, Node, run_late_link, run_link};
use wadi_sync::{BlockDecoder, BlockEncoder, Message};

/// How long an answer may take on a machine that has other things to do.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// A block that came: its log, and where it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Came {
    pub(crate) log: LogId,
    pub(crate) size: u64,
}

/// What comes next.
enum Heard {
    Block(Came),
    /// So much of a log is held at the node.
    Taken(LogId),
}

/// A member's link to a node, on which hello was said.
pub(crate) struct SilentPeer {
    to: mpsc::Sender<Arriving>,
    from: mpsc::Receiver<Leaving>,
    decoders: BTreeMap<Lane, BlockDecoder>,
    link: JoinHandle<()>,
}

impl Drop for SilentPeer {
    fn drop(&mut self) {
        self.link.abort();
    }
}

impl SilentPeer {
    /// A member that comes as ever.
    pub(crate) async fn open(country: &Country, node: &Arc<Node>, by: &str) -> Self {
        Self::with(country, node, by, false).await
    }

    /// A member whose certificate has expired.
    pub(crate) async fn late(country: &Country, node: &Arc<Node>, by: &str) -> Self {
        Self::with(country, node, by, true).await
    }

    async fn with(country: &Country, node: &Arc<Node>, by: &str, late: bool) -> Self {
        let (to, incoming) = mpsc::channel(64);
        let (out, from) = mpsc::channel(64);
        let (door, peer) = (node.door().clone(), country.member(by).clone());
        let (id, tls_key) = (peer.node(), peer.tls_key);
        let link = tokio::spawn(async move {
            match late {
                true => drop(run_late_link(door, id, tls_key, incoming, out).await),
                false => drop(run_link(door, id, tls_key, incoming, out).await),
            }
        });

        let this = Self {
            to,
            from,
            decoders: BTreeMap::new(),
            link,
        };
        for message in Message::opening(&peer, 0) {
            this.say(message).await;
        }
        this
    }

    async fn say(&self, message: Message) {
        let sent = self.to.send(Arriving::Message(message)).await;
        sent.expect("the link stands");
    }

    /// Says that it holds what came.
    pub(crate) async fn acknowledge(&self, came: Came) {
        self.say(Message::Ack {
            log: came.log,
            size: came.size,
            cosignature: None,
            refused: None,
        })
        .await;
    }

    /// The next block, or answer to one.
    async fn hear(&mut self) -> Heard {
        loop {
            let next = tokio::time::timeout(ANSWERS_WITHIN, self.from.recv()).await;
            let next = next.expect("something comes");
            match next.expect("the link stands") {
                Leaving::Message(Message::Ack { log, .. }) => return Heard::Taken(log),
                Leaving::Message(_) => {}
                Leaving::Frame(lane, bytes) => {
                    let decoder = self.decoders.entry(lane).or_default();
                    let block = decoder.decode(&bytes).expect("a block");
                    let head = block.checkpoint.checkpoint;
                    return Heard::Block(Came {
                        log: head.log,
                        size: head.size,
                    });
                }
            }
        }
    }

    /// The next block.
    pub(crate) async fn next_block(&mut self) -> Came {
        loop {
            if let Heard::Block(came) = self.hear().await {
                return came;
            }
        }
    }

    /// Hands a block of its own over, and returns what came before that was answered: by then all
    /// has come that the node sends of itself.
    pub(crate) async fn blocks_before_answer(&mut self, own: &Block) -> Vec<Came> {
        let log = own.checkpoint.checkpoint.log;
        let mut encoder = BlockEncoder::new().expect("an encoder");
        let frame = encoder.encode(own).expect("a block is encoded");
        let sent = self.to.send(Arriving::Frame(log.lane, frame)).await;
        sent.expect("the link stands");

        let mut came = Vec::new();
        loop {
            match self.hear().await {
                Heard::Block(block) => came.push(block),
                Heard::Taken(of) if of == log => return came,
                Heard::Taken(_) => {}
            }
        }
    }
}
