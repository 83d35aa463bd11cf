//! A second holder of a node's key, and what it signs, fed to whom it pleases.

use integration_tests::network::*;
use std::sync::Arc;
use wadi_log::*;
use wadi_node::Node;

/// A second holder of a key continues its log from some position on, in the same epoch.
pub(crate) struct Thief {
    pub(crate) key: LogKey,
    pub(crate) log: LogId,
    pub(crate) peaks: Peaks,
    pub(crate) blocks: Vec<Block>,
}

impl Thief {
    pub(crate) fn of(country: &Country, name: &str, log: LogId) -> Self {
        Self {
            key: country.key(name),
            log,
            peaks: Peaks::default(),
            blocks: vec![],
        }
    }

    pub(crate) fn take(&mut self, entries: Vec<Vec<u8>>) {
        let entries: Vec<Entry> = entries
            .iter()
            .map(|e| match Entry::read(e) {
                Ok(Reading::Entry(e)) => e,
                other => panic!("{other:?}"),
            })
            .collect();

        self.sign(&entries);
    }

    pub(crate) fn sign(&mut self, entries: &[Entry]) {
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, entries, 0, vec![]).unwrap();
        self.blocks.push(Block {
            from: self.peaks.size(),
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        });

        self.peaks = block.peaks().clone();
    }

    /// A truck that never was, or a hold, said in the crossing's name.
    pub(crate) fn ghost(&mut self, n: usize) {
        let puts = vec![
            Put {
                key: "direction".into(),
                value: Value::Text("in".into()),
            },
            Put {
                key: "vehicle.plate".into(),
                value: Value::Text(format!("GHOST{n}")),
            },
            Put {
                key: "vehicle.plate_raw".into(),
                value: Value::Text(format!("GHOST{n}")),
            },
        ];

        let change = Change {
            puts,
            ..Default::default()
        };
        let common = Common {
            officer: "OF-9".into(),
            department: "PORT".into(),
            ..Default::default()
        };

        self.sign(&[Entry {
            common,
            body: Body::Change(change),
        }]);
    }
}

/// Gives a node blocks as a peer would that has the crossing's papers.
pub(crate) async fn feed(country: &Country, node: &Arc<Node>, blocks: &[Block]) {
    use tokio::sync::mpsc;
    use wadi_node::{Arriving, run_link};
    use wadi_sync::{BlockEncoder, Message};

    let me = country.member("trb");
    let (to, incoming) = mpsc::channel(64);
    let (out, mut from) = mpsc::channel(64);
    let link = tokio::spawn(run_link(
        node.door().clone(),
        me.node(),
        me.tls_key,
        incoming,
        out,
    ));
    for message in Message::opening(me, 0) {
        to.send(Arriving::Message(message)).await.unwrap();
    }

    let mut encoder = BlockEncoder::new().unwrap();
    for block in blocks {
        let lane = block.checkpoint.checkpoint.log.lane;
        to.send(Arriving::Frame(lane, encoder.encode(block).unwrap()))
            .await
            .unwrap();

        loop {
            let next = tokio::time::timeout(std::time::Duration::from_secs(20), from.recv())
                .await
                .expect("an answer");
            if let Some(wadi_node::Leaving::Message(Message::Ack { .. })) = next {
                break;
            }
        }
    }

    drop(to);
    link.abort();
}
