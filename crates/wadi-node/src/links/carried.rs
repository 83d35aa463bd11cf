//! Carrying on a link: what is offered to a hub of what is kept for others, what a neighbour is
//! given while no hub can be reached, and what it gives.

use super::{Leaving, Link};
use crate::door::{command::Command, sealing::seal_block};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Block, LogId, NodeId, Role};
use wadi_store::{Carried, defence};
use wadi_sync::{CarriedBlock, Input, Message, Range, RefuseReason, SealedBlock};

/// Ranges carried for others that are offered in one message.
const OFFERED_AT_ONCE: usize = 1_024;
/// What is carried for others at most, and for one of them: nobody takes another's part.
const CARRIED_BYTES_MAX: u64 = 64 * 1024 * 1024;
const CARRIED_FOR_ONE_MAX: u64 = 16 * 1024 * 1024;

/// A link's part in carrying.
pub(super) struct LinkCarrying {
    /// The peer is given own logs, as no hub can be reached.
    pub(super) to_peer: bool,
    /// Which own logs it is given.
    given: BTreeSet<LogId>,
    /// What of others' the peer, a hub, was offered.
    offered: BTreeSet<Range>,
    /// Whether there may be more to offer.
    pub(super) may_have_grown: bool,
}

impl Default for LinkCarrying {
    fn default() -> Self {
        Self {
            to_peer: false,
            given: BTreeSet::new(),
            offered: BTreeSet::new(),
            may_have_grown: true,
        }
    }
}

impl Link<'_> {
    /// Offers a hub what is carried here for others.
    pub(super) async fn offer_carried(&mut self) {
        if !std::mem::take(&mut self.carrying.may_have_grown) {
            return;
        }

        let Ok(carried) = self.door.store.carried_ranges().await else {
            self.carrying.may_have_grown = true;
            return;
        };
        // No hub takes what a node says that is cut: nobody keeps it, either.
        let control = self.door.view().control.clone();
        let (cut, carried): (Vec<_>, Vec<_>) = carried
            .into_iter()
            .partition(|(log, ..)| control.is_cut(&log.node));
        let cut: BTreeSet<LogId> = cut.into_iter().map(|(log, ..)| log).collect();
        for log in cut {
            self.door.put(Command::CarriedBad(log)).await;
        }

        let ranges = carried
            .into_iter()
            .map(|(log, from, to)| Range { log, from, to });
        let new: Vec<Range> = ranges
            .filter(|r| self.sends(&r.log) && !self.carrying.offered.contains(r))
            .take(OFFERED_AT_ONCE)
            .collect();

        self.carrying.may_have_grown = new.len() == OFFERED_AT_ONCE;
        if !new.is_empty() {
            self.carrying.offered.extend(new.iter().copied());
            self.inputs.push_back(Input::OfferCarried(new));
        }
    }

    /// While no hub is connected, a neighbour is given what the hub lacks of this node's own logs.
    pub(super) fn ask_to_carry(&mut self) {
        let hub_is_up = {
            let peers = self.door.peers.lock().expect("no panic holds it");
            peers.iter().any(|(id, p)| {
                p.connected && self.door.with_control(|c| c.role(id) == Some(Role::Hub))
            })
        };

        if hub_is_up {
            if std::mem::take(&mut self.carrying.to_peer) {
                self.carrying.given.clear();
                self.inputs.push_back(Input::CarryFor(BTreeMap::new()));
            }
            return;
        }

        self.carrying.to_peer = true;
        let frontier = self.door.frontier();

        let from = self.door.with_control(|c| {
            let own = frontier.0.keys();
            let own = own.filter(|l| l.node == self.door.id() && self.sends(l));
            own.map(|l| (*l, c.cosigned(l).map_or(0, |t| t.size)))
                .collect::<BTreeMap<_, _>>()
        });

        // Logs that were opened meanwhile are given, too.
        let keys: BTreeSet<LogId> = from.keys().copied().collect();
        if keys == self.carrying.given {
            return;
        }

        self.carrying.given = keys;
        self.inputs.push_back(Input::CarryFor(from));
    }

    /// A hub does not take what is carried of a log, for a reason that lies with it: it is kept no
    /// longer, and not offered again.
    pub(super) async fn drop_carried(&self, log: LogId) {
        self.door.put(Command::CarriedBad(log)).await;
    }

    /// Hands the peer a block of this node's own that it is to carry, sealed to the hubs.
    pub(super) async fn hand_to_carry(&mut self, block: Block) {
        let log = block.checkpoint.checkpoint.log;
        let sealed = seal_block(&block, &self.door.keys.log_key, &self.door.hubs());
        match sealed {
            Ok(sealed) => {
                let block = sealed.encode();
                let message = Message::Carry { log, block };
                self.send_peer(Leaving::Message(message)).await;
            }
            Err(why) => {
                let why = format!("it cannot be given to a neighbour for the hub: {why}");
                self.note_refusal(&log.origin(), "carry_unsealed".into(), why)
                    .await;
            }
        }
    }

    /// Opens what the peer carried for its author, and gives it to the sequencer.
    pub(super) async fn ingest_carried(&mut self, sealed: SealedBlock) {
        let Range { log, to, .. } = sealed.range;
        match self.door.open_carried(&sealed, &self.peer).await {
            Ok(block) => {
                self.ingesting.note_sealed(block.checkpoint.clone());
                self.ingest(block).await;
            }
            // It is answered behind the blocks of its log that came before it.
            Err(fault) => {
                let held = self.held(&log);
                let reason = RefuseReason::from_code(fault.code());
                self.ingesting.refuse(log, to, held, reason);
            }
        }
    }

    pub(super) async fn keep_carried(&mut self, block: CarriedBlock, bytes: Vec<u8>) {
        if !self.door.room.level().carries() {
            self.ending.short_of_room = true;
            return;
        }

        let Range { log, from, to } = block.range();
        let known = self.door.with_control(|c| {
            let author = c.enrolment(&log.node).map(|e| e.log_key);
            author.filter(|_| !c.is_cut(&log.node))
        });
        let signed = known.is_some_and(|key| block.is_made_by(&key));
        let Ok(carried) = self.door.store.carried_bytes().await else {
            return;
        };
        if !signed || !has_room(&carried, &log.node, bytes.len() as u64) {
            // Not acknowledged: the owner keeps it, and gives it to the hub itself.
            return;
        }

        let carried = Carried {
            log,
            from,
            to,
            bytes,
        };
        if self.door.carry(carried).await {
            self.inputs.push_back(Input::CarriedStored { log, to });
        }
    }
}

/// Whether there is room to carry so many bytes more for a node.
fn has_room(carried: &[(LogId, u64)], owner: &NodeId, bytes: u64) -> bool {
    let of = |owner: Option<&NodeId>| {
        let some = carried
            .iter()
            .filter(|(log, _)| owner.is_none_or(|o| log.node == *o));
        some.map(|(_, bytes)| *bytes)
            .fold(bytes, u64::saturating_add)
    };

    let has_part = of(Some(owner)) <= CARRIED_FOR_ONE_MAX || defence::off("carried-share");
    of(None) <= CARRIED_BYTES_MAX && has_part
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane};

    #[test]
    fn one_neighbour_fills_its_own_part_and_no_other() {
        let log = |node: u8| LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        };
        let (flood, honest) = (NodeId([1; 16]), NodeId([2; 16]));
        let carried = [(log(1), CARRIED_FOR_ONE_MAX - 10)];
        assert!(has_room(&carried, &flood, 10));
        assert!(!has_room(&carried, &flood, 11));
        assert!(has_room(&carried, &honest, CARRIED_FOR_ONE_MAX));

        let full: Vec<(LogId, u64)> = (1..=4).map(|n| (log(n), CARRIED_FOR_ONE_MAX)).collect();
        assert!(!has_room(&full, &NodeId([9; 16]), 1));
    }
}
