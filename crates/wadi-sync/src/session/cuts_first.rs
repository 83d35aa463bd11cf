//! What a node that was cut wrote goes to a peer behind the cut. Lanes have streams of their own
//! and overtake each other: without that a peer would believe for a while what the commission
//! believes no longer, and serve it on.

use super::{Output, Session};
use std::collections::BTreeMap;
use wadi_log::{LogId, NodeId};

/// Of each node that was cut its cuts, and of each cut its places: logs, and how much of each has
/// to be held to know of it.
pub(super) type CutPlaces = BTreeMap<NodeId, Vec<BTreeMap<LogId, u64>>>;

impl Session {
    /// These nodes are cut now, and no others.
    pub(super) fn note_cuts(&mut self, cuts: CutPlaces, out: &mut Vec<Output>) {
        if self.cuts == cuts {
            return;
        }

        let before = std::mem::replace(&mut self.cuts, cuts);
        let is_taken_back = |node: &NodeId, cut| {
            let now = self.cuts.get(node);
            now.is_none_or(|now| !now.contains(cut))
        };
        let mut all = before.iter();
        if all.any(|(node, cuts)| cuts.iter().any(|cut| is_taken_back(node, cut))) {
            self.pump(out);
        }
    }

    /// Whether a block of a log waits until the peer holds each cut of its node. What hubs carry
    /// for each other stands at several places, and the peer knows of it by any of them.
    pub(super) fn waits_for_cut(&self, log: &LogId) -> bool {
        let Some(cuts) = self.cuts.get(&log.node) else {
            return false;
        };
        let mut cuts = cuts.iter();
        cuts.any(|places| self.is_cut_to_come(places)) && !wadi_log::defence::off("cut-first")
    }

    /// Whether the peer knows of a cut by none of its places, and is going to by one of them.
    fn is_cut_to_come(&self, places: &BTreeMap<LogId, u64>) -> bool {
        let mut all = places.iter();
        let is_known = all.any(|(log, size)| {
            let at_peer = self.logs.get(log);
            at_peer.is_some_and(|l| !l.stuck && l.theirs >= *size)
        });

        let mut all = places.iter();
        !is_known && all.any(|(log, size)| self.is_yet_to_come(log, *size))
    }

    /// Whether the peer is going to hold so much of a log, and does not yet. What it may not see,
    /// or does not take, it never will.
    fn is_yet_to_come(&self, log: &LogId, size: u64) -> bool {
        let known = self.logs.get(log);
        let is_sent = self.visible(log) && self.own_tip(log).size >= size;

        is_sent && known.is_none_or(|l| !l.stuck && l.theirs < size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::Message,
        session::{Input, Query, Snapshot},
    };
    use std::collections::BTreeSet;
    use wadi_log::{
        Crossing, Enrolment, Epoch, Frontier, Hash, Lane, LogKey, Role, RootKey, Scope, Tip,
    };

    fn root() -> LogKey {
        LogKey::from_seed(&[1; 32])
    }

    fn enrolled(seed: u8, role: Role, crossing: &str) -> Enrolment {
        let crossing: Crossing = crossing.parse().unwrap();
        let unsigned = Enrolment {
            name: format!("node{seed}"),
            role,
            crossing: Some(crossing),
            log_key: LogKey::from_seed(&[seed; 32]).public(),
            tls_key: [0; 32],
            scope: match role {
                Role::Hub => Scope::all(),
                _ => Scope::of_crossing(crossing),
            },
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };
        unsigned.issue(&root()).unwrap()
    }

    fn log(of: &Enrolment, lane: Lane) -> LogId {
        LogId {
            node: of.node(),
            epoch: Epoch([1; 8]),
            lane,
            crossing: of.crossing.unwrap(),
        }
    }

    /// What a hub's session asks its store for: lane by lane.
    fn loaded(out: &[Output]) -> Vec<Lane> {
        let lane = |o: &Output| match o {
            Output::AskStore(Query::Block { log, .. }) => Some(log.lane),
            _ => None,
        };
        out.iter().filter_map(lane).collect()
    }

    /// A hub that holds three control entries of its own, of which the second cuts Mandeli, and
    /// holds of Mandeli's, meets Traibeel, which holds nothing. What it loads at once, and once the
    /// peer holds so many of the control entries.
    fn loaded_before_and_after(held_there: u64, is_cut: bool) -> [Vec<Lane>; 2] {
        let (hub, trb) = (
            enrolled(2, Role::Hub, "HUB"),
            enrolled(3, Role::Crossing, "TRB"),
        );
        let man = enrolled(4, Role::Crossing, "MAN");
        let (word, holds) = (log(&hub, Lane::Control), log(&man, Lane::Hold));
        let tip = |size: u64| Tip {
            size,
            root: Hash([size as u8; 32]),
        };
        let snapshot = Snapshot {
            root: RootKey(root().public()),
            me: hub.clone(),
            peer_holds_me: false,
            members: vec![hub, trb.clone(), man.clone()],
            frontier: Frontier([(word, tip(3)), (holds, tip(5))].into()),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        };

        let mut session = Session::new(trb.node());
        session.handle(Input::Connected(Box::new(snapshot)));
        if is_cut {
            let places = BTreeMap::from([(man.node(), vec![[(word, 2)].into()])]);
            session.handle(Input::NodesCut(places));
        }

        let mut before = Vec::new();
        for message in Message::opening(&trb, 0) {
            let out = session.handle(Input::MessageReceived(message));
            before.extend(loaded(&out));
        }
        let after = session.handle(Input::PeerHolds(vec![(word, held_there)]));
        [before, loaded(&after)]
    }

    #[test]
    fn what_a_cut_node_wrote_waits_until_the_peer_holds_the_cut() {
        let both = [vec![Lane::Control, Lane::Hold], vec![]];
        assert_eq!(loaded_before_and_after(2, false), both);

        let behind = [vec![Lane::Control], vec![Lane::Hold]];
        assert_eq!(loaded_before_and_after(2, true), behind);
        let not_yet = [vec![Lane::Control], vec![]];
        assert_eq!(loaded_before_and_after(1, true), not_yet);
    }

    /// Whether Mandeli's holds wait at a hub that meets Traibeel, where the root's cut stands in
    /// the hub's own log and at further places; `held_there` are the logs that Traibeel holds.
    fn waits(places: &[(LogId, u64)], held_there: &[(LogId, u64)]) -> bool {
        let (hub, trb) = (
            enrolled(2, Role::Hub, "HUB"),
            enrolled(3, Role::Crossing, "TRB"),
        );
        let (other, man) = (
            enrolled(5, Role::Hub, "HUB"),
            enrolled(4, Role::Crossing, "MAN"),
        );
        let holds = log(&man, Lane::Hold);
        let tip = |size: u64| Tip {
            size,
            root: Hash([size as u8; 32]),
        };
        let words = [&hub, &other].map(|of| (log(of, Lane::Control), tip(3)));
        let snapshot = Snapshot {
            root: RootKey(root().public()),
            me: hub.clone(),
            peer_holds_me: false,
            members: vec![hub, other, trb.clone(), man.clone()],
            frontier: Frontier(words.into_iter().chain([(holds, tip(5))]).collect()),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        };

        let mut session = Session::new(trb.node());
        session.handle(Input::Connected(Box::new(snapshot)));
        let places = places.iter().copied().collect();
        session.handle(Input::NodesCut([(man.node(), vec![places])].into()));
        for message in Message::opening(&trb, 0) {
            session.handle(Input::MessageReceived(message));
        }
        session.handle(Input::PeerHolds(held_there.to_vec()));
        session.waits_for_cut(&holds)
    }

    #[test]
    fn of_a_cut_at_several_places_the_peer_needs_one_and_one_that_it_can_hold_is_waited_for() {
        let [own, other] = [2, 5].map(|seed| log(&enrolled(seed, Role::Hub, "HUB"), Lane::Control));
        let both = [(own, 2), (other, 3)];

        assert!(waits(&both, &[]), "it holds neither");
        assert!(!waits(&both, &[(own, 2)]), "one is enough");
        assert!(!waits(&both, &[(other, 3)]), "whichever it is");
        assert!(waits(&both, &[(other, 2), (own, 1)]));

        // What the hub does not hold itself never comes there from it.
        assert!(waits(&[(own, 9), (other, 3)], &[]));
        assert!(!waits(&[(own, 9), (other, 3)], &[(other, 3)]));
        assert!(!waits(&[(own, 9)], &[]));
    }

    #[test]
    fn nothing_waits_for_a_cut_that_the_peer_will_never_hold() {
        let (hub, man) = (
            enrolled(2, Role::Hub, "HUB"),
            enrolled(4, Role::Crossing, "MAN"),
        );
        let (word, holds) = (log(&hub, Lane::Control), log(&man, Lane::Hold));
        let mut session = Session::new(enrolled(3, Role::Crossing, "TRB").node());
        session.cuts = BTreeMap::from([(man.node(), vec![[(word, 2)].into()])]);

        // Nobody has said who it is: nothing is visible.
        assert!(!session.waits_for_cut(&holds));
        assert!(!session.waits_for_cut(&word), "the hub is not cut");
    }
}
