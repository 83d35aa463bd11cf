//! The queue before the sequencer: one way for this node's own commands, one for what peers bring.
//!
//! A peer has so many places at most, so that one that sends without end keeps nobody else out.

use crate::door::command::Command;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wadi_log::NodeId;

/// Own commands that may wait; more, and their senders wait.
const LOCAL_MAX: usize = 1_024;
/// Commands of peers that may wait before they are sorted by peer.
const PEERS_MAX: usize = 1_024;
/// Commands of one peer that may wait: twice the blocks of a link that are not durable yet.
const PLACES: usize = 64;
/// Peers whose places are remembered although none of them is taken.
const IDLE_PEERS_MAX: usize = 1_024;

/// A command that a peer brought about, in one of its places.
pub(crate) struct PeerCommand {
    pub(crate) from: NodeId,
    pub(crate) command: Command,
    /// Given back when the command is taken out.
    _place: OwnedSemaphorePermit,
}

/// Where commands are sent.
pub(crate) struct CommandQueue {
    local: mpsc::Sender<Command>,
    peers: mpsc::Sender<PeerCommand>,
    places: Mutex<BTreeMap<NodeId, Arc<Semaphore>>>,
}

/// Where they come out.
pub(crate) struct CommandReceiver {
    pub(crate) local: mpsc::Receiver<Command>,
    pub(crate) peers: mpsc::Receiver<PeerCommand>,
}

/// A queue in which nothing waits.
pub(crate) fn command_queue() -> (CommandQueue, CommandReceiver) {
    let (local_in, local) = mpsc::channel(LOCAL_MAX);
    let (peers_in, peers) = mpsc::channel(PEERS_MAX);
    let queue = CommandQueue {
        local: local_in,
        peers: peers_in,
        places: Mutex::default(),
    };

    (queue, CommandReceiver { local, peers })
}

impl CommandQueue {
    /// Sends one of this node's own commands; waits for a place. False where nobody works them off
    /// any more.
    pub(crate) async fn send(&self, command: Command) -> bool {
        self.local.send(command).await.is_ok()
    }

    /// Sends what a peer brought; waits for one of its places.
    pub(crate) async fn send_from(&self, from: NodeId, command: Command) -> bool {
        let places = self.places_of(from);
        let Ok(place) = places.acquire_owned().await else {
            return false;
        };

        let command = PeerCommand {
            from,
            command,
            _place: place,
        };
        self.peers.send(command).await.is_ok()
    }

    /// Commands that wait: this node's own, and by peer.
    pub(crate) fn depths(&self) -> (usize, BTreeMap<NodeId, usize>) {
        let own = LOCAL_MAX - self.local.capacity();
        let places = self.places.lock().expect("no panic holds it");
        let taken = places
            .iter()
            .map(|(id, places)| (*id, PLACES - places.available_permits().min(PLACES)))
            .filter(|(_, taken)| *taken > 0);

        (own, taken.collect())
    }

    fn places_of(&self, peer: NodeId) -> Arc<Semaphore> {
        let mut places = self.places.lock().expect("no panic holds it");
        if places.len() >= IDLE_PEERS_MAX {
            places.retain(|_, places| Arc::strong_count(places) > 1);
        }

        let of = places.entry(peer);
        of.or_insert_with(|| Arc::new(Semaphore::new(PLACES)))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn one_peer_takes_its_places_and_no_others() {
        let (queue, mut out) = command_queue();
        let (one, other) = (NodeId([1; 16]), NodeId([2; 16]));
        let send = |from| queue.send_from(from, Command::CutForks);
        for _ in 0..PLACES {
            // What takes no time at all is put off by tokio now and then.
            tokio::task::yield_now().await;
            assert!(send(one).now_or_never().expect("there is a place"));
        }

        tokio::task::yield_now().await;
        assert!(send(one).now_or_never().is_none(), "it has to wait");
        assert!(send(other).now_or_never().expect("there is a place"));
        assert!(queue.send(Command::CutForks).now_or_never().unwrap());
        let depths = BTreeMap::from([(one, PLACES), (other, 1)]);
        assert_eq!(queue.depths(), (1, depths));

        drop(out.peers.recv().await);
        assert!(send(one).now_or_never().expect("one is free again"));
    }
}
