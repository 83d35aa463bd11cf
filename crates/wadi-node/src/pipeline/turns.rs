//! Who is next: this node's own commands go first, then peers in turn, by what they cost so far.
//!
//! A peer whose commands take long has fewer of them worked off: each that has something to do gets
//! the same share of the time. One that was quiet saves nothing up.

use crate::door::{
    command::Command,
    command_queue::{CommandReceiver, PeerCommand},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::sync::mpsc;
use wadi_log::NodeId;

/// Own commands that are worked off in one go, at most: then peers have a turn, too.
const OWN_AT_ONCE: usize = 256;
/// Peers' commands that are worked off before it is looked again what else there is.
const PEERS_AT_ONCE: usize = 8;
/// Bytes of entries in them.
const PEERS_BYTES_AT_ONCE: usize = 32 * 1024;
/// What a command costs at least: none is free.
const COST_MIN: Duration = Duration::from_micros(20);
/// Peers that are remembered although nothing of theirs waits.
const IDLE_LINES_MAX: usize = 1_024;

/// A command, and the peer that brought it; none for this node's own.
pub(super) type NextCommand = (Option<NodeId>, Command);

/// What waits of one peer.
#[derive(Default)]
struct PeerLine {
    waiting: VecDeque<PeerCommand>,
    /// What it cost so far, beside others that had something to do meanwhile.
    spent: Duration,
}

/// What waits, by who brought it.
#[derive(Default)]
pub(super) struct PeerTurns {
    own: VecDeque<Command>,
    lines: BTreeMap<NodeId, PeerLine>,
    /// What the peer had cost whose turn was last.
    reached: Duration,
}

impl PeerTurns {
    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.lines.values().all(|line| line.waiting.is_empty())
    }

    fn put(&mut self, command: PeerCommand) {
        if self.lines.len() >= IDLE_LINES_MAX && !self.lines.contains_key(&command.from) {
            self.lines.retain(|_, line| !line.waiting.is_empty());
        }

        let line = self.lines.entry(command.from).or_default();
        if line.waiting.is_empty() {
            line.spent = line.spent.max(self.reached);
        }
        line.waiting.push_back(command);
    }

    /// The next command of a peer's: of the one that cost least so far.
    fn pop_peers(&mut self) -> Option<PeerCommand> {
        let busy = self.lines.values_mut();
        let least = busy
            .filter(|line| !line.waiting.is_empty())
            .min_by_key(|line| line.spent)?;

        self.reached = self.reached.max(least.spent);
        least.spent += COST_MIN;
        least.waiting.pop_front()
    }

    /// What a peer brought took so long.
    pub(super) fn charge(&mut self, peer: &NodeId, took: Duration) {
        if let Some(line) = self.lines.get_mut(peer) {
            line.spent += took;
        }
    }

    /// Takes out what is to be worked off before it is looked again what else there is.
    fn take(&mut self, peers_max: usize, out: &mut Vec<NextCommand>) {
        let own = self.own.len().min(OWN_AT_ONCE);
        out.extend(self.own.drain(..own).map(|command| (None, command)));

        let (mut taken, mut bytes) = (0, 0);
        while taken < peers_max && bytes < PEERS_BYTES_AT_ONCE {
            let Some(next) = self.pop_peers() else { break };
            taken += 1;
            bytes += next.command.entry_bytes();
            out.push((Some(next.from), next.command));
        }
    }
}

/// The sequencer's end of the queue.
pub(super) struct Inbox {
    receiver: CommandReceiver,
    pub(super) turns: PeerTurns,
    /// One command at a time, so that a second end names the one thing that it was.
    is_careful: bool,
}

impl Inbox {
    pub(super) fn new(receiver: CommandReceiver, is_careful: bool) -> Self {
        Self {
            receiver,
            turns: PeerTurns::default(),
            is_careful,
        }
    }

    /// Waits for commands, and takes out those whose turn it is; none where nobody is left to send
    /// any. Dropped half-way, it loses nothing: what is received waits here.
    pub(super) async fn receive(&mut self) -> Vec<NextCommand> {
        self.sort();
        if self.turns.is_empty() {
            tokio::select! {
                biased;
                Some(command) = self.receiver.local.recv() => self.turns.own.push_back(command),
                Some(command) = self.receiver.peers.recv() => self.turns.put(command),
                else => return Vec::new(),
            }
            self.sort();
        }

        let mut out = Vec::new();
        if self.is_careful {
            let own = self.turns.own.pop_front().map(|command| (None, command));
            let next = || self.turns.pop_peers().map(|p| (Some(p.from), p.command));
            out.extend(own.or_else(next));
        } else {
            self.turns.take(PEERS_AT_ONCE, &mut out);
        }

        out
    }

    /// Whether something waits that could be worked off at once.
    pub(super) fn has_more(&mut self) -> bool {
        self.sort();
        !self.turns.is_empty()
    }

    /// Sorts what was sent by who sent it. Peers have a bounded number of places each.
    fn sort(&mut self) {
        while self.turns.own.len() < OWN_AT_ONCE {
            match self.receiver.local.try_recv() {
                Ok(command) => self.turns.own.push_back(command),
                Err(_) => break,
            }
        }

        loop {
            match self.receiver.peers.try_recv() {
                Ok(command) if wadi_store::defence::off("turns") => {
                    self.turns.own.push_back(command.command);
                }
                Ok(command) => self.turns.put(command),
                Err(mpsc::error::TryRecvError::Empty | mpsc::error::TryRecvError::Disconnected) => {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::command_queue::{CommandQueue, command_queue};

    const FLOOD: NodeId = NodeId([1; 16]);
    const TRB: NodeId = NodeId([2; 16]);
    const QAM: NodeId = NodeId([3; 16]);

    async fn send(queue: &CommandQueue, from: NodeId, count: usize) {
        for _ in 0..count {
            assert!(queue.send_from(from, Command::CutForks).await);
        }
    }

    fn from(turns: &[NextCommand]) -> Vec<Option<NodeId>> {
        turns.iter().map(|(from, _)| *from).collect()
    }

    #[tokio::test]
    async fn own_commands_go_first_and_then_everybody_has_a_turn() {
        let (queue, receiver) = command_queue();
        let mut inbox = Inbox::new(receiver, false);
        send(&queue, FLOOD, 60).await;
        send(&queue, TRB, 1).await;
        assert!(queue.send(Command::CutForks).await);

        let turns = from(&inbox.receive().await);
        assert_eq!(turns[0], None);
        assert!(turns[1..3].contains(&Some(TRB)), "{turns:?}");
        assert_eq!(turns.len(), 1 + PEERS_AT_ONCE);
    }

    #[tokio::test]
    async fn whoever_costs_ten_times_as_much_has_a_tenth_of_the_turns() {
        let (queue, receiver) = command_queue();
        let mut inbox = Inbox::new(receiver, true);
        let mut counts: BTreeMap<NodeId, u32> = BTreeMap::new();
        send(&queue, FLOOD, 60).await;
        send(&queue, TRB, 60).await;
        for _ in 0..44 {
            let (from, _) = inbox.receive().await.remove(0);
            let peer = from.expect("a peer's");
            *counts.entry(peer).or_default() += 1;
            let took = if peer == FLOOD { 100 } else { 10 };
            inbox.turns.charge(&peer, Duration::from_millis(took));
        }

        assert!(counts[&FLOOD] <= 5, "{counts:?}");
    }

    #[tokio::test]
    async fn a_quiet_peer_saves_nothing_up_and_is_next_when_it_speaks() {
        let (queue, receiver) = command_queue();
        let mut inbox = Inbox::new(receiver, true);
        send(&queue, FLOOD, 50).await;
        for _ in 0..40 {
            inbox.receive().await;
            inbox.turns.charge(&FLOOD, Duration::from_millis(50));
        }

        send(&queue, QAM, 40).await;
        let mut turns = Vec::new();
        for _ in 0..20 {
            let turn = from(&inbox.receive().await)[0].expect("a peer's");
            inbox.turns.charge(&turn, Duration::from_millis(50));
            turns.push(turn);
        }

        assert_eq!(turns[0], QAM, "it waited for nobody");
        let flood = turns.iter().filter(|turn| **turn == FLOOD).count();
        assert!((8..=11).contains(&flood), "{flood} of 20");
    }

    #[tokio::test]
    async fn an_end_of_all_senders_is_told_once_everything_is_worked_off() {
        let (queue, receiver) = command_queue();
        let mut inbox = Inbox::new(receiver, false);
        send(&queue, TRB, 2).await;
        drop(queue);
        assert_eq!(inbox.receive().await.len(), 2);
        assert!(inbox.receive().await.is_empty());
    }
}
