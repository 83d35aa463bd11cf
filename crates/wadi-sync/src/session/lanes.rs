//! Which lanes go over the link of this session, where there are several links with the peer.
//!
//! A link compares the lanes that it is for, as both ends know from `Hello`, and sends those of
//! them that its node gives it at the time: a lane belongs to one link at a time, by each sender's
//! own decision. What comes is taken, whichever link it comes over. How much the peer holds is
//! told to the other links, so that one that takes a lane over sends nothing twice.

use super::{Output, Session};
use crate::link_spec::{LaneSet, LinkSpec};
use wadi_log::{Lane, LogId};

/// The lanes of one session.
#[derive(Debug)]
pub(crate) struct SessionLanes {
    /// Which of several links it is; none where there is one.
    link: Option<LinkSpec>,
    /// Those whose logs are compared.
    compared: LaneSet,
    /// Those of which blocks are sent.
    sent: LaneSet,
}

impl Default for SessionLanes {
    fn default() -> Self {
        Self {
            link: None,
            compared: LaneSet::all(),
            sent: LaneSet::all(),
        }
    }
}

impl SessionLanes {
    /// Those of one of several links.
    pub(crate) fn over(link: LinkSpec) -> Self {
        Self {
            compared: link.scope(),
            sent: LaneSet::NONE,
            link: Some(link),
        }
    }

    /// Which of several links it is.
    pub(crate) fn link(&self) -> Option<&LinkSpec> {
        self.link.as_ref()
    }

    /// Whether logs of a lane are compared.
    pub(crate) fn compares(&self, lane: Lane) -> bool {
        self.compared.contains(lane)
    }

    /// Whether blocks of a lane are sent.
    pub(crate) fn sends(&self, lane: Lane) -> bool {
        self.sent.contains(lane)
    }

    /// The peer knows of no such links: it compares everything.
    pub(crate) fn compare_everything(&mut self) {
        self.compared = LaneSet::all();
    }
}

impl Session {
    /// Whether the logs of all lanes are compared.
    pub fn compares_everything(&self) -> bool {
        Lane::ALL.into_iter().all(|l| self.lanes_here.compares(l))
    }

    /// Whether blocks of these lanes are on their way, or about to be.
    pub fn is_sending(&self, lanes: LaneSet) -> bool {
        self.window.is_sending(lanes)
    }

    /// What the peer says of links: one that says nothing knows of none.
    pub(super) fn note_link(&mut self, told: Option<&LinkSpec>) {
        if told.is_none() {
            self.lanes_here.compare_everything();
        }
    }

    /// From here on these lanes are sent over this link, and no others.
    pub(super) fn send_lanes(&mut self, lanes: LaneSet, out: &mut Vec<Output>) {
        self.lanes_here.sent = lanes;
        self.pump(out);
    }

    /// Another link with the peer learned how much it holds of these logs.
    pub(super) fn note_held_there(&mut self, held: Vec<(LogId, u64)>, out: &mut Vec<Output>) {
        for (log, size) in held {
            if self.visible(&log) {
                self.logs.entry(log).or_default().held_there(size);
            }
        }

        self.pump(out);
        self.note_in_step(out);
    }

    /// Tells the other links with the peer how much it holds of a log.
    pub(super) fn tell_other_links(&self, log: LogId, out: &mut Vec<Output>) {
        let held = self.logs.get(&log).map_or(0, |l| l.theirs);
        if self.lanes_here.link.is_some() && held > 0 {
            out.push(Output::PeerHolds { log, size: held });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        link_spec::{LinkCost, LinkPurpose},
        message::Message,
        session::{
            Input, Query, Snapshot,
            test_members::{enrolled, root},
        },
        sketch::{SKETCH_MARK, SketchAsk},
    };
    use std::collections::{BTreeMap, BTreeSet};
    use wadi_log::{Epoch, Frontier, Hash, Role, RootKey, Tip};

    fn log(lane: Lane) -> LogId {
        LogId {
            node: enrolled(2, Role::Crossing).node(),
            epoch: Epoch([1; 8]),
            lane,
            crossing: "TRB".parse().unwrap(),
        }
    }

    fn tip(size: u64) -> Tip {
        Tip {
            size,
            root: Hash([size as u8; 32]),
        }
    }

    fn link(cost: LinkCost, purpose: LinkPurpose) -> Option<LinkSpec> {
        Some(LinkSpec {
            name: cost.name().into(),
            cost,
            purpose,
        })
    }

    /// A crossing's session over a link, in which both hold seven entries of each lane.
    fn in_step(link: Option<LinkSpec>) -> Session {
        in_step_with(link, vec![])
    }

    /// The same with a peer that told these marks.
    fn in_step_with(link: Option<LinkSpec>, codecs: Vec<u8>) -> Session {
        let (me, hub) = (enrolled(2, Role::Crossing), enrolled(3, Role::Hub));
        let frontier = Frontier(Lane::ALL.into_iter().map(|l| (log(l), tip(7))).collect());
        let snapshot = Snapshot {
            root: RootKey(root().public()),
            me: me.clone(),
            peer_holds_me: false,
            members: vec![me, hub.clone()],
            frontier,
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        };

        let mut session = Session::new(hub.node()).over(link);
        let said = session.handle(Input::Connected(Box::new(snapshot)));
        let Some(Output::SendMessage(Message::Hello {
            version,
            digest,
            members,
            link,
            ..
        })) = said.first()
        else {
            panic!("a Hello");
        };
        let answer = Message::Hello {
            version: *version,
            enrolment: Some(Box::new(hub)),
            digest: *digest,
            members: *members,
            hub_time_s: 0,
            remembers: None,
            rate_bits_s: None,
            codecs,
            software: String::new(),
            link: link.clone(),
        };
        session.handle(Input::MessageReceived(answer));
        assert!(session.is_running());
        session
    }

    /// The lanes of which a block is asked for, when each log grew to so many entries.
    fn sent(session: &mut Session, size: u64) -> Vec<Lane> {
        let mut lanes = Vec::new();
        for lane in Lane::ALL {
            let grown = vec![(log(lane), tip(size))];
            let out = session.handle(Input::LogsGrew(grown));
            lanes.extend(loaded(&out));
            for output in out {
                if let Output::AskStore(query) = output {
                    let nothing = crate::session::QueryAnswer::Block(None);
                    session.handle(Input::StoreAnswered(query, nothing));
                }
            }
        }
        lanes
    }

    fn loaded(out: &[Output]) -> Vec<Lane> {
        let lane = |o: &Output| match o {
            Output::AskStore(Query::Block { log, .. }) => Some(log.lane),
            _ => None,
        };
        out.iter().filter_map(lane).collect()
    }

    #[test]
    fn only_a_peer_that_says_so_is_asked_for_sketches_and_single_entries() {
        let of_tree = || {
            let (log, tip) = (log(Lane::Passage), tip(7));
            let ask = SketchAsk::Row { from: 0, count: 1 };
            let ranges = vec![(3, 4)];
            [
                Input::AskSketch {
                    log,
                    tip,
                    salt: 1,
                    ask,
                },
                Input::PickEntries { log, tip, ranges },
            ]
        };

        let mut earlier = in_step_with(None, vec![0x12, 0x1f]);
        assert!(!earlier.sketches(&log(Lane::Passage)));
        for question in of_tree() {
            assert!(
                earlier.handle(question).is_empty(),
                "it would close the link"
            );
        }

        let mut knows = in_step_with(None, vec![SKETCH_MARK]);
        assert!(knows.sketches(&log(Lane::Passage)));
        for question in of_tree() {
            let said = knows.handle(question);
            assert!(matches!(said[..], [Output::SendMessage(_)]), "{said:?}");
        }
    }

    #[test]
    fn one_of_several_links_sends_nothing_until_it_is_told_which_lanes_are_its_own() {
        let mut session = in_step(link(LinkCost::Flat, LinkPurpose::All));
        assert!(sent(&mut session, 8).is_empty());

        let out = session.handle(Input::SendLanes(LaneSet::bulk()));
        assert_eq!(loaded(&out), [Lane::Customs], "one block at a time");
        assert!(session.is_sending(LaneSet::bulk()) && !session.is_sending(LaneSet::urgent()));
        assert_eq!(
            session.unsent(),
            5,
            "what another link sends is lacking, too"
        );

        // The only one sends everything.
        let mut only = in_step(None);
        assert_eq!(sent(&mut only, 8)[0], Lane::Control);
    }

    #[test]
    fn a_link_for_urgent_matters_compares_nothing_else_and_says_nothing_of_being_in_step() {
        let dear = in_step(link(LinkCost::Metered, LinkPurpose::Urgent));
        assert!(dear.visible(&log(Lane::Hold)) && !dear.visible(&log(Lane::Passage)));
        assert!(!dear.compares_everything());
        let flat = in_step(link(LinkCost::Flat, LinkPurpose::Bulk));
        assert!(flat.compares_everything());
    }

    #[test]
    fn a_lane_that_moves_goes_on_behind_what_the_peer_acknowledged_over_the_other_link() {
        let mut session = in_step(link(LinkCost::Flat, LinkPurpose::All));
        sent(&mut session, 30);
        let held: BTreeMap<LogId, u64> = [(log(Lane::Hold), 20), (log(Lane::Control), 30)].into();
        session.handle(Input::PeerHolds(held.into_iter().collect()));

        let out = session.handle(Input::SendLanes(LaneSet::urgent()));
        let from = out.iter().find_map(|o| match o {
            Output::AskStore(Query::Block { log, from }) => Some((log.lane, *from)),
            _ => None,
        });
        assert_eq!(
            from,
            Some((Lane::Hold, 20)),
            "control entries are all there"
        );

        // What is older news moves nothing back.
        session.handle(Input::PeerHolds(vec![(log(Lane::Hold), 5)]));
        assert_eq!(session.lanes()[&Lane::Hold].0, 10);
    }

    #[test]
    fn a_peer_that_says_to_hold_more_than_can_be_counted_is_counted_to_the_most() {
        let mut session = in_step(None);
        let claimed = (0..3).map(|epoch| {
            let epoch = Epoch([epoch; 8]);
            let log = log(Lane::Hold);
            (LogId { epoch, ..log }, u64::MAX)
        });
        session.handle(Input::PeerHolds(claimed.collect()));
        assert_eq!(session.lanes()[&Lane::Hold].1, u64::MAX);
    }

    #[test]
    fn a_peer_that_knows_of_no_links_compares_everything() {
        let mut session = in_step(link(LinkCost::Metered, LinkPurpose::Urgent));
        session.note_link(None);
        assert!(session.compares_everything());
        assert!(session.visible(&log(Lane::Passage)));

        // It still sends what it is told to, and no more.
        session.handle(Input::SendLanes(LaneSet::urgent()));
        let lanes = sent(&mut session, 9);
        assert!(lanes.iter().all(|l| *l <= Lane::Hold), "{lanes:?}");
    }

    #[test]
    fn a_neighbour_that_takes_no_sealed_blocks_is_given_nothing_and_that_is_said_once() {
        let mut session = in_step(None);
        let from = || Input::CarryFor([(log(Lane::Passage), 0)].into());
        let codes = |out: Vec<Output>| -> Vec<String> {
            let code = |o| match o {
                Output::NoteRefusal { code, .. } => Some(code),
                Output::AskStore(_) | Output::SealCarried(_) => panic!("it is given something"),
                _ => None,
            };
            out.into_iter().filter_map(code).collect()
        };
        assert_eq!(codes(session.handle(from())), ["carries_open"]);
        assert!(codes(session.handle(from())).is_empty());
    }
}
