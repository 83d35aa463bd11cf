//! Carrying on a link: what is offered to a hub of what is kept for others, what a neighbour is
//! given while no hub can be reached, and what it gives.

use super::Link;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Block, LogId, Role};
use wadi_store::Carried;
use wadi_sync::{Input, Range};

/// Ranges carried for others that are offered in one message.
const OFFERED_AT_ONCE: usize = 1_024;
/// What is carried for others at most.
const CARRIED_BYTES_MAX: i64 = 64 * 1024 * 1024;

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
        let ranges = carried
            .into_iter()
            .map(|(log, from, to)| Range { log, from, to });
        let new: Vec<Range> = ranges
            .filter(|r| !self.carrying.offered.contains(r))
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
            let own = frontier.0.keys().filter(|l| l.node == self.door.id());
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

    pub(super) async fn keep_carried(&mut self, block: Block, bytes: Vec<u8>) {
        if !self.door.room.level().carries() {
            self.ending.short_of_room = true;
            return;
        }

        let head = &block.checkpoint.checkpoint;
        let counts = self.door.store.counts().await.unwrap_or_default();
        let known = self
            .door
            .with_control(|c| c.enrolment(&head.log.node).map(|e| e.log_key));
        let signed = known.is_some_and(|key| block.checkpoint.verify(&key).is_ok());
        if !signed || counts.carried_bytes + bytes.len() as i64 > CARRIED_BYTES_MAX {
            // Not acknowledged: the owner keeps it, and gives it to the hub itself.
            return;
        }

        let carried = Carried {
            log: head.log,
            from: block.from,
            to: head.size,
            bytes,
        };

        if self.door.carry(carried).await {
            self.inputs.push_back(Input::CarriedStored {
                log: head.log,
                to: head.size,
            });
        }
    }
}
