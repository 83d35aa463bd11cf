//! What a link does when something happened on its node, and when time has passed.

use super::{Due, Link};
use crate::door::event::Event;
use std::{collections::BTreeMap, time::Instant};
use wadi_log::{Control, Enrolment, Lane, LogId, NodeId, Role, Tip};
use wadi_sync::Input;

/// Of each node that is cut the places of its cuts, and how much of each log tells of one. What it
/// says of itself is no place.
fn places_of_cuts(control: &Control) -> BTreeMap<NodeId, Vec<(LogId, u64)>> {
    if !control.has_cuts() {
        return BTreeMap::new();
    }

    let nodes = control.enrolments().map(Enrolment::node);
    let cut = nodes.filter(|node| control.is_cut(node));
    cut.map(|node| {
        let places = control.standing_cuts(&node).into_iter();
        let mut reaches: BTreeMap<LogId, u64> = BTreeMap::new();
        for at in places.filter(|at| at.log.node != node) {
            let size = reaches.entry(at.log).or_default();
            *size = at.seq.saturating_add(1).max(*size);
        }

        (node, reaches.into_iter().collect())
    })
    .collect()
}

impl Link<'_> {
    /// Something happened on this node.
    pub(super) async fn handle_event(&mut self, event: Event) {
        match event {
            Event::Grew(tips) => {
                if tips.iter().any(|(log, _)| log.lane == Lane::Control) {
                    self.heed_cuts();
                    if self.ending.closed.is_some() {
                        return;
                    }
                }
                let own = tips.iter().map(|(log, _)| *log);
                self.hub_word.due.add(own.filter(|l| l.node == self.peer));
                self.inputs.push_back(Input::LogsGrew(tips));
            }
            Event::Refreshed(log) if self.leads() && self.shows_head(&log) => {
                self.inputs.push_back(Input::HeadRefreshed(log))
            }
            Event::Members(new) => self.inputs.push_back(Input::NewMembers(new)),
            Event::Forks(proofs) => {
                self.cuts_due = self.door.me.role == Role::Hub;
                self.inputs.push_back(Input::NewForks(proofs));
            }
            Event::HubCosigned(checkpoint, cosignature) => {
                // What was carried of it is no more: there is room to offer for what is.
                self.carrying.may_have_grown = true;
                if self.leads() {
                    self.tell_cosigned(checkpoint, cosignature);
                }
            }
            Event::Records(handed_over) => self.note_handed_over(&handed_over),
            Event::RecordsAnew => self.find_excerpts_anew(),
            Event::ExcerptsLost => self.excerpts.doubted = true,
            Event::RoomAgain if self.ending.short_of_room => {
                self.ending.closed = Some(
                    "there is room on the disk again: what was refused is taken from anew".into(),
                );
            }
            // Its log may have rested because of what was missing, and excerpts, too.
            Event::Mended(_) => {
                let frontier = self.door.frontier();

                self.inputs
                    .push_back(Input::CompareAnew(Box::new(frontier.as_ref().clone())));
                self.find_excerpts_anew();
            }
            Event::Carried => self.carrying.may_have_grown = true,
            Event::Refreshed(_) | Event::RoomAgain | Event::Failed(_) | Event::Broken(_) => {}
        }
    }

    /// What nodes that are cut wrote goes to the peer behind their cuts.
    pub(super) fn note_places_of_cuts(&mut self) {
        let places = self.door.with_control(places_of_cuts);
        self.inputs.push_back(Input::NodesCut(places));
    }

    /// Control entries may have cut nodes, or taken that back. A peer that is cut while it is
    /// connected is captured: nothing more is said to it.
    fn heed_cuts(&mut self) {
        let is_cut = self.door.with_control(|c| c.is_cut(&self.peer));
        if is_cut && !wadi_store::defence::off("cut-link") {
            self.ending.closed = Some("the peer was cut".into());
            return;
        }

        self.note_places_of_cuts();
    }

    /// Tells the session everything held, where events were lost.
    pub(super) fn tell_all_held(&mut self) {
        self.heed_cuts();
        if self.ending.closed.is_some() {
            return;
        }

        let frontier = self.door.frontier();
        let tips: Vec<(LogId, Tip)> = frontier.0.iter().map(|(log, tip)| (*log, *tip)).collect();
        self.inputs.push_back(Input::LogsGrew(tips));
        let (members, forks) = self.door.with_control(|c| {
            (
                c.enrolments().cloned().collect::<Vec<_>>(),
                c.forks().values().cloned().collect::<Vec<_>>(),
            )
        });

        self.inputs.push_back(Input::NewMembers(members));
        self.inputs.push_back(Input::NewForks(forks));
        self.find_excerpts_anew();
        self.carrying.may_have_grown = true;
        self.excerpts.doubted = true;
        self.hub_word.due = Due::Any;
    }

    /// What time alone brings about: carrying, excerpts, what is written down.
    pub(super) async fn on_tick(&mut self) {
        let Some(peer) = self.session.peer().cloned() else {
            return;
        };

        // A fork that was proven, or a cosignature, may put a cut in force without a control entry.
        self.heed_cuts();
        if self.ending.closed.is_some() {
            return;
        }

        if self.leads_in_all() && self.memory.is_due_at(Instant::now()) {
            self.write_memory().await;
        }

        self.mend_unkept().await;
        self.mend_cosigned().await;
        if self.plan.late {
            return;
        }

        self.ask_for_resting();
        if self.leads() {
            self.fetch_wanted();
        }
        if peer.role == Role::Hub && self.leads_in_all() {
            self.ask_for_excerpts().await;
        }

        match (self.door.me.role, peer.role) {
            (_, Role::Hub) => {
                if self.leads() {
                    self.keep_fresh().await;
                }
                self.offer_carried().await;
            }
            (Role::Hub, Role::Crossing) => {
                if let Some(crossing) = peer.crossing.filter(|_| self.leads_in_all()) {
                    self.send_excerpts(&crossing.to_string()).await;
                }
                if self.leads() {
                    self.tell_owner_cosigned().await;
                }
            }
            (Role::Crossing, Role::Crossing) => {
                self.ask_to_carry();
                if self.leads() {
                    self.talk_with_neighbour().await;
                }
            }
            _ => {}
        }
    }

    /// What a neighbour is told: the time, where this node's hub or its own is dark, and what hubs
    /// cosigned.
    async fn talk_with_neighbour(&mut self) {
        if self.carrying.to_peer {
            self.keep_fresh().await;
        }
        self.tell_owner_cosigned().await;
        self.tell_time().await;
    }
}
