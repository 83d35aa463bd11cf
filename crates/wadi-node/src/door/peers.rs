//! Comparing with a peer over the link that stands: frontiers read anew, trees level by level, and
//! what the records come to.

use crate::door::Door;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::oneshot;
use wadi_log::{Difference, Frontier, Hash, LogId, NodeId, Role, Subtree, Tip};
use wadi_store::StoreError;
use wadi_sync::{Bisect, ScopeSum, SketchAsk, TreeAsk};

/// An answer that takes longer does not come: the link went down.
const ANSWER_WAIT: Duration = Duration::from_secs(90);

/// What a link is asked to find out from its peer.
#[derive(Debug)]
pub(crate) enum LinkAsk {
    /// Compare everything once more, from what was read anew; answers what differs, and the bytes
    /// both ways.
    Compare(
        Frontier,
        oneshot::Sender<(BTreeMap<LogId, Difference>, u64)>,
    ),
    /// What the peer's records come to.
    Digests(oneshot::Sender<Vec<ScopeSum>>),
    /// Short hashes of a tree's subtrees, and the bytes both ways.
    Tree {
        log: LogId,
        tip: Tip,
        salt: u64,
        asks: Vec<TreeAsk>,
        reply: oneshot::Sender<(Vec<u8>, u64)>,
    },
    /// A sketch of a tree, and the bytes both ways.
    Sketch {
        log: LogId,
        tip: Tip,
        salt: u64,
        ask: SketchAsk,
        reply: oneshot::Sender<(Vec<u8>, u64)>,
    },
    /// Entries of a tree without a proof.
    Pick {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
        reply: oneshot::Sender<Vec<Vec<u8>>>,
    },
}

/// What comparing with a peer came to.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    /// What was read anew here.
    pub(crate) mine: Frontier,
    /// Logs that differ.
    pub(crate) differences: BTreeMap<LogId, Difference>,
    /// Bytes on the wire, both ways.
    pub(crate) bytes: u64,
}

impl Door {
    /// The frontier as the disk has it, not as memory does.
    pub(crate) async fn frontier_on_disk(&self) -> Result<Frontier, StoreError> {
        let rows = self.store.logs().await?;
        Ok(Frontier(
            rows.into_iter()
                .map(|r| {
                    (
                        r.log,
                        Tip {
                            size: r.peaks.size(),
                            root: r.peaks.root(),
                        },
                    )
                })
                .collect(),
        ))
    }

    async fn ask_link<T>(
        &self,
        peer: NodeId,
        ask: impl FnOnce(oneshot::Sender<T>) -> LinkAsk,
    ) -> Option<T> {
        let link = self.links.asks_of(&peer)?;
        let (reply, answer) = oneshot::channel();
        link.send(ask(reply)).await.ok()?;
        tokio::time::timeout(ANSWER_WAIT, answer).await.ok()?.ok()
    }

    /// Compares everything that both may see once more; nothing where the peer is not connected, or
    /// the link went down.
    pub(crate) async fn compare(&self, peer: NodeId) -> Result<Option<Compared>, StoreError> {
        let mine = self.frontier_on_disk().await?;
        let asked = mine.clone();
        let answer = self
            .ask_link(peer, |reply| LinkAsk::Compare(asked, reply))
            .await;

        Ok(answer.map(|(differences, bytes)| Compared {
            mine,
            differences,
            bytes,
        }))
    }

    /// Where a tree as recomputed here differs from the one that a peer holds, and the bytes that
    /// it took; nothing where the peer does not hold it.
    pub(crate) async fn bisect(
        &self,
        peer: NodeId,
        log: LogId,
        tip: Tip,
        own: &(dyn Fn(Subtree) -> Option<Hash> + Sync),
    ) -> Option<(Vec<(u64, u64)>, u64)> {
        let mut bisect = Bisect::new(tip.size, rand::random());
        let mut bytes = 0;
        loop {
            let asks = bisect.ask();
            if asks.is_empty() {
                return Some((bisect.found(), bytes));
            }

            let (salt, asked) = (bisect.salt(), asks.clone());
            let (hashes, cost) = self
                .ask_link(peer, |reply| LinkAsk::Tree {
                    log,
                    tip,
                    salt,
                    asks: asked,
                    reply,
                })
                .await?;

            bytes += cost;
            if !bisect.answer(&asks, &hashes, own) {
                return None;
            }
        }
    }

    /// A peer's sketch of a tree, and the bytes both ways; nothing at once where the peer does not
    /// know sketches, and an empty one where it does not hold the tree.
    pub(crate) async fn ask_sketch(
        &self,
        peer: NodeId,
        log: LogId,
        tip: Tip,
        salt: u64,
        ask: &SketchAsk,
    ) -> Option<(Vec<u8>, u64)> {
        let ask = ask.clone();
        self.ask_link(peer, |reply| LinkAsk::Sketch {
            log,
            tip,
            salt,
            ask,
            reply,
        })
        .await
    }

    /// Entries of a tree as a peer gives them, without a proof, in the order of the ranges; nothing
    /// at once where the peer does not know the question.
    pub(crate) async fn ask_pick(
        &self,
        peer: NodeId,
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    ) -> Option<Vec<Vec<u8>>> {
        self.ask_link(peer, |reply| LinkAsk::Pick {
            log,
            tip,
            ranges,
            reply,
        })
        .await
    }

    /// What a peer's records come to, of each lane and crossing that this node takes.
    pub(crate) async fn digests_of(&self, peer: NodeId) -> Option<Vec<ScopeSum>> {
        self.ask_link(peer, LinkAsk::Digests).await
    }

    /// The peer of that name that is connected, or the first hub that is.
    pub(crate) fn connected(&self, name: Option<&str>) -> Option<NodeId> {
        let links = self.links.peers();
        self.with_control(|c| {
            links.into_iter().find(|id| match (name, c.enrolment(id)) {
                (Some(name), Some(e)) => e.name == name,
                (None, Some(e)) => e.role == Role::Hub,
                (_, None) => false,
            })
        })
    }
}
