//! A link to a node in this process, with somebody's papers at the other end.

use integration_tests::network::Country;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};
use wadi_log::*;
use wadi_node::{Arriving, Leaving, Node, run_link};
use wadi_sync::{BlockEncoder, Message};

/// Blocks that are not answered yet at most.
const IN_FLIGHT_MAX: usize = 8;
/// How long an answer may take on a machine that has other things to do.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);

/// An open link.
pub(crate) struct HostileLink {
    to: mpsc::Sender<Arriving>,
    acks: mpsc::UnboundedReceiver<Option<String>>,
    encoders: BTreeMap<Lane, BlockEncoder>,
    in_flight: usize,
    refused: Vec<String>,
    tasks: [JoinHandle<()>; 2],
    /// Why the other end closed it.
    why: Arc<Mutex<String>>,
}

impl Drop for HostileLink {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl HostileLink {
    /// A link with a member's papers, on which hello was said.
    pub(crate) async fn open(country: &Country, node: &Arc<Node>, by: &str) -> Self {
        let link = Self::with(node, country.member(by));
        link.greet(country.member(by)).await;
        link
    }

    pub(crate) fn with(node: &Arc<Node>, peer: &Enrolment) -> Self {
        let (to, incoming) = mpsc::channel(64);
        let (out, mut from) = mpsc::channel(64);
        let (told, acks) = mpsc::unbounded_channel();
        let (door, id, tls_key) = (node.door().clone(), peer.node(), peer.tls_key);
        let why = Arc::new(Mutex::new(String::new()));
        let said = why.clone();
        let driver = tokio::spawn(async move {
            let why = run_link(door, id, tls_key, incoming, out).await;
            *said.lock().expect("no panic holds it") = why;
        });
        let reader = tokio::spawn(async move {
            while let Some(leaving) = from.recv().await {
                if let Leaving::Message(Message::Ack { refused, .. }) = leaving {
                    let _ = told.send(refused.map(|r| r.code().to_string()));
                }
            }
        });

        Self {
            to,
            acks,
            encoders: BTreeMap::new(),
            in_flight: 0,
            refused: vec![],
            tasks: [driver, reader],
            why,
        }
    }

    pub(crate) async fn greet(&self, enrolment: &Enrolment) {
        self.greet_at(enrolment, 0).await;
    }

    /// Says hello, and what time it is.
    pub(crate) async fn greet_at(&self, enrolment: &Enrolment, hub_time_s: i64) {
        for message in Message::opening(enrolment, hub_time_s) {
            let _ = self.to.send(Arriving::Message(message)).await;
        }
    }

    /// Whether the other end has closed it.
    pub(crate) fn has_ended(&self) -> bool {
        self.to.is_closed()
    }

    /// Sends whatever it is, and waits for nothing.
    pub(crate) async fn throw(&self, what: Arriving) {
        let _ = self.to.send(what).await;
    }

    /// Sends a block; where many are not answered yet, answers come first.
    pub(crate) async fn send_block(&mut self, block: &Block) {
        while self.in_flight >= IN_FLIGHT_MAX {
            self.take_answer().await;
        }

        let lane = block.checkpoint.checkpoint.log.lane;
        let encoder = self
            .encoders
            .entry(lane)
            .or_insert_with(|| BlockEncoder::new().expect("an encoder"));
        let frame = encoder.encode(block).expect("a block is encoded");
        self.in_flight += 1;
        // A link that has ended is told where its answer is missed.
        let _ = self.to.send(Arriving::Frame(lane, frame)).await;
    }

    async fn take_answer(&mut self) {
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.acks.recv()).await;
        let answer = answer.expect("a block is answered");
        let why = || self.why.lock().expect("no panic holds it").clone();
        let answer = answer.unwrap_or_else(|| panic!("the link ended: {}", why()));
        self.in_flight -= 1;
        self.refused.extend(answer);
    }

    /// The next answer to a block: taken, or why it was refused; none where the link ended first.
    pub(crate) async fn answer(&mut self) -> Option<Option<String>> {
        let answer = tokio::time::timeout(ANSWERS_WITHIN, self.acks.recv()).await;
        self.in_flight = self.in_flight.saturating_sub(1);
        answer.expect("a block is answered, or the link ends")
    }

    /// Whether the other end closes the link within a time that is long for it.
    pub(crate) async fn ends(&self) -> bool {
        let ended = tokio::time::timeout(Duration::from_secs(15), self.to.closed()).await;
        ended.is_ok()
    }

    /// Waits until all is answered; why blocks were refused since the last time.
    pub(crate) async fn settle(&mut self) -> Vec<String> {
        while self.in_flight > 0 {
            self.take_answer().await;
        }

        std::mem::take(&mut self.refused)
    }

    /// Somebody knocks whose papers another commission signed, or who shows another's.
    pub(crate) async fn knock(country: &Country, node: &Arc<Node>, seed: u64) {
        let key = LogKey::from_seed(&[(seed % 251) as u8; 32]);
        let honest = country.member("qam");
        let ghost = Enrolment {
            name: "ghost".into(),
            log_key: key.public(),
            ..honest.clone()
        };
        let ghost = ghost
            .issue(&LogKey::from_seed(&[77; 32]))
            .expect("plain parts");

        let link = Self::with(node, &ghost);
        let shown = match seed.is_multiple_of(2) {
            true => &ghost,
            false => honest,
        };
        link.greet(shown).await;
        let closed = tokio::time::timeout(ANSWERS_WITHIN, link.to.closed()).await;
        closed.expect("a stranger's link is closed");
    }
}
