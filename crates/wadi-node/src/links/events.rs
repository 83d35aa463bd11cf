//! What a link does when something happened on its node, and when time has passed.

use super::{Due, Link};
use crate::door::event::Event;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};
use wadi_log::{Control, Enrolment, Lane, LogId, NodeId, Role, Tip};
use wadi_sync::Input;

/// Of each node that is cut its cuts, and of each cut the logs that tell of it, with how much of
/// each does.
type CutsOfNodes = BTreeMap<NodeId, Vec<BTreeMap<LogId, u64>>>;

/// The cuts in force, and where they are told. What a node says of itself is no place.
fn places_of_cuts(control: &Control) -> CutsOfNodes {
    if !control.has_cuts() {
        return BTreeMap::new();
    }

    let nodes = control.enrolments().map(Enrolment::node);
    let cut = nodes.filter(|node| control.is_cut(node));
    let said = cut.map(|node| {
        let mut cuts = control.cut_places(&node);
        for places in &mut cuts {
            places.retain(|log, _| log.node != node);
        }
        (node, cuts)
    });

    in_no_circle(said.collect())
}

/// The places of cuts that go before all that waits for them. A node that is cut itself waits for
/// its own cut, and what it tells of others comes behind: two hubs of which each tells that the
/// other is cut would wait for each other. Of such ones the first waits for nothing.
fn in_no_circle(mut waiting: CutsOfNodes) -> CutsOfNodes {
    let mut out = BTreeMap::new();
    loop {
        let goes_before = |log: &LogId| !waiting.contains_key(&log.node);
        let has_place =
            |places: &BTreeMap<LogId, u64>| places.is_empty() || places.keys().any(goes_before);
        let next = waiting.iter().find(|(_, cuts)| cuts.iter().all(has_place));
        let Some(next) = next
            .or_else(|| waiting.first_key_value())
            .map(|(node, _)| *node)
        else {
            return out;
        };

        let others: BTreeSet<NodeId> = waiting.keys().copied().collect();
        let mut cuts = waiting.remove(&next).unwrap_or_default();
        for places in &mut cuts {
            places.retain(|log, _| !others.contains(&log.node));
        }
        cuts.retain(|places| !places.is_empty());
        out.insert(next, cuts);
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch};

    fn node(n: u8) -> NodeId {
        NodeId([n; 16])
    }

    fn word_of(n: u8) -> LogId {
        LogId {
            node: node(n),
            epoch: Epoch([1; 8]),
            lane: Lane::Control,
            crossing: Crossing::HUB,
        }
    }

    /// Of each node its cuts, each with the nodes that tell of it.
    fn waits(of: &[(u8, &[&[u8]])]) -> CutsOfNodes {
        let cut = |tellers: &&[u8]| tellers.iter().map(|n| (word_of(*n), 1)).collect();
        let of = of.iter();
        of.map(|(n, cuts)| (node(*n), cuts.iter().map(cut).collect()))
            .collect()
    }

    #[test]
    fn what_a_hub_tells_that_stays_goes_before_and_a_cut_one_of_a_circle_waits_for_nothing() {
        // Trebil is cut by two hubs, each of which has the copy of the other.
        let both = waits(&[(9, &[&[1, 2]])]);
        assert_eq!(in_no_circle(both.clone()), both);

        // One of them is cut itself: its word comes behind, and the other's is waited for.
        let one_is_cut = waits(&[(1, &[&[2]]), (9, &[&[1, 2]])]);
        assert_eq!(in_no_circle(one_is_cut.clone()), one_is_cut);

        // Who told of a cut is cut in its turn: each waits for the one before.
        let in_turn = waits(&[(1, &[&[9]]), (9, &[&[5]])]);
        assert_eq!(in_no_circle(in_turn.clone()), in_turn);

        let circle = waits(&[(1, &[&[2]]), (2, &[&[1]])]);
        assert_eq!(
            in_no_circle(circle),
            waits(&[(1, &[]), (2, &[&[1]])]),
            "one goes first"
        );
        let beside = waits(&[(1, &[&[2, 5]]), (2, &[&[1]])]);
        assert_eq!(
            in_no_circle(beside),
            waits(&[(1, &[&[5]]), (2, &[&[1]])]),
            "a third one tells of it"
        );
    }
}
