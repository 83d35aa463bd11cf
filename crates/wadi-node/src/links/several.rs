//! What a link does as one of several with its peer: it sends the lanes that are its own, gives
//! others up, and says what it learned of the peer to the others.

use super::Link;
use crate::door::{
    Door,
    peer_links::{BeginningLink, LinkOrder, LinkPlace},
    peers::LinkAsk,
};
use std::sync::Arc;
use tokio::sync::mpsc;
use wadi_log::{LogId, NodeId};
use wadi_sync::{Input, LaneSet, LinkSpec};

/// What is known of a link before it begins.
#[derive(Clone, Debug)]
pub struct LinkPlan {
    /// Who is at the other end.
    pub peer: NodeId,
    /// The SHA-256 of the peer's certified key, which its enrolment has to name.
    pub tls_key: [u8; 32],
    /// The peer's certificate has expired.
    pub late: bool,
    /// Which of several links with the peer it is; none where there is one.
    pub link: Option<LinkSpec>,
    /// What this node has provisioned for it, bits a second.
    pub rate_bits_s: Option<u64>,
}

/// A link's place on the node's list, which it leaves when it ends.
pub(super) struct Registered {
    door: Arc<Door>,
    pub(super) place: LinkPlace,
}

impl Registered {
    pub(super) fn new(door: &Arc<Door>, plan: &LinkPlan, asks: mpsc::Sender<LinkAsk>) -> Self {
        let place = door.links.begin(BeginningLink {
            peer: plan.peer,
            link: plan.link.clone(),
            rate_bits_s: plan.rate_bits_s,
            asks,
        });
        Self {
            door: door.clone(),
            place,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let led = self.door.links.end(&self.place);
        if led {
            // What it asked for is asked for by the next one that leads.
            let mut wants = self.door.wants.lock().expect("no panic holds it");
            wants.gone(self.place.peer);
        }
    }
}

/// How a link stands among those with its peer.
#[derive(Default)]
pub(super) struct LinkTurn {
    /// What it was told last.
    order: LinkOrder,
    /// It said that it can send.
    runs: bool,
}

impl Link<'_> {
    /// Whether it speaks of what is said to the peer once, and not once a link.
    pub(super) fn leads(&self) -> bool {
        self.turn.order.leads
    }

    /// Whether it brings what is no urgent matter, and leads: records handed over, and what is
    /// remembered of the peer.
    pub(super) fn leads_in_all(&self) -> bool {
        self.leads() && self.session.compares_everything()
    }

    /// Whether what is carried of a log goes over it.
    pub(super) fn sends(&self, log: &LogId) -> bool {
        self.turn.order.sends.contains(log.lane)
    }

    /// Says that it can send, once what both hold was compared, and that nothing of a lane that it
    /// gives up is on its way any more.
    pub(super) async fn tell_turn(&mut self) {
        if !self.turn.runs && self.session.is_running() {
            self.turn.runs = true;
            let is_whole = self.session.compares_everything();
            self.door.links.runs(&self.registered.place, is_whole);
            self.take_turn().await;
        }

        let given_up = self.turn.order.gives_up;
        if !given_up.is_empty() && !self.session.is_sending(given_up) {
            self.turn.order.gives_up = LaneSet::NONE;
            self.door.links.gave_up(&self.registered.place, given_up);
        }
    }

    /// Takes what it is told, and what the other links learned of the peer.
    pub(super) async fn take_turn(&mut self) {
        let held = self.registered.place.take_held();
        if !held.is_empty() {
            self.inputs.push_back(Input::PeerHolds(held));
        }

        let order = self.registered.place.order();
        let before = std::mem::replace(&mut self.turn.order, order);
        if before.sends != self.turn.order.sends && self.turn.runs {
            self.inputs
                .push_back(Input::SendLanes(self.turn.order.sends));
            // What is carried of these lanes is offered over it from now on.
            self.carrying.may_have_grown = true;
        }

        if before.leads && !self.leads() && self.memory.is_due() {
            self.write_memory().await;
        }
        if self.leads() && !before.leads && self.turn.runs {
            // Another one led before: what it wrote down is read.
            self.recall_peer().await;
            self.find_excerpts_anew();
        }
    }

    /// Tells the other links how much the peer holds of a log.
    pub(super) fn tell_other_links(&self, log: LogId, size: u64) {
        self.door.links.tell_held(&self.registered.place, log, size);
    }
}
