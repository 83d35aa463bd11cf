//! Who belongs to the commission, as a session tells and hears it.

use super::LIST_ITEMS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Enrolment, Hash, LogId, NodeId, Peaks};

/// Logs whose blocks came before their author was known here, with what is held of them: blocks
/// overtake members, as each lane has a stream of its own.
#[derive(Debug, Default)]
pub(crate) struct UnknownAuthors(BTreeMap<LogId, u64>);

impl UnknownAuthors {
    /// A block of the log was refused for want of its author. What is beyond the bound is asked for
    /// on the next connection.
    pub(crate) fn refused(&mut self, log: LogId, held: u64) {
        if self.0.len() < LIST_ITEMS_MAX {
            self.0.insert(log, held);
        }
    }

    /// Logs that wait for their author.
    pub(crate) fn listed(&self) -> usize {
        self.0.len()
    }

    /// These nodes are known now: their logs are asked for again, from what is held of each.
    pub(crate) fn take_known(&mut self, nodes: &BTreeSet<NodeId>) -> Vec<(LogId, u64)> {
        let (known, unknown) = std::mem::take(&mut self.0)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(log, _)| nodes.contains(&log.node));
        self.0 = unknown;
        known.into_iter().collect()
    }
}

/// The mark, among those of the block codec, of who reads a Hello without an enrolment.
pub(crate) const SHORT_HELLO_MARK: u8 = 0x3f;

/// Whether the peer has to be shown this node's own enrolment when they meet again.
#[derive(Debug, Default)]
pub(crate) struct OwnPapers {
    /// The peer reads a Hello without one.
    peer_reads_short: bool,
    /// The peer holds this node's, and nobody was told of it yet.
    pub(crate) peer_holds_them: bool,
}

impl OwnPapers {
    /// Takes down what the peer's Hello says of it.
    pub(crate) fn note_marks(&mut self, marks: &[u8]) {
        self.peer_reads_short = marks.contains(&SHORT_HELLO_MARK);
    }

    /// Both hold the same enrolments, so the peer holds this node's.
    pub(crate) fn note_equal_members(&mut self) {
        self.peer_holds_them = self.peer_reads_short;
    }
}

/// The digest of all enrolments held, whatever their order.
pub(crate) fn members_digest(members: &[Enrolment]) -> Hash {
    let mut all: Vec<Vec<u8>> = members.iter().map(Enrolment::to_bytes).collect();
    all.sort();
    all.dedup();

    let mut peaks = Peaks::default();
    for enrolment in &all {
        peaks.append(wadi_log::leaf_hash(enrolment));
    }

    peaks.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::Message,
        session::{
            Input, Output, Session, Snapshot,
            test_members::{enrolled, root},
        },
    };
    use wadi_log::{Crossing, Epoch, Frontier, Lane, Role, RootKey};

    fn log(node: u8, epoch: u32) -> LogId {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&epoch.to_be_bytes());
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch(bytes),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    #[test]
    fn a_log_is_asked_for_again_once_when_its_author_is_known() {
        let mut unknown = UnknownAuthors::default();
        unknown.refused(log(1, 0), 5);
        unknown.refused(log(2, 0), 7);

        let known = BTreeSet::from([NodeId([1; 16])]);
        assert_eq!(unknown.take_known(&known), [(log(1, 0), 5)]);
        assert!(unknown.take_known(&known).is_empty());

        for epoch in 0..2 * LIST_ITEMS_MAX as u32 {
            unknown.refused(log(1, epoch), 0);
        }

        assert_eq!(unknown.take_known(&known).len(), LIST_ITEMS_MAX - 1);
    }

    /// A session that begins, and what it says first.
    fn begun(own: u8, peer: u8, peer_holds_me: bool, known: &[Enrolment]) -> (Session, Message) {
        let role = |seed| match seed {
            3 => Role::Hub,
            _ => Role::Crossing,
        };
        let snapshot = Snapshot {
            root: RootKey(root().public()),
            me: enrolled(own, role(own)),
            peer_holds_me,
            members: known.to_vec(),
            frontier: Frontier::default(),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        };

        let mut session = Session::new(enrolled(peer, role(peer)).node());
        let said = session.handle(Input::Connected(Box::new(snapshot)));
        let Some(Output::SendMessage(hello)) = said.into_iter().next() else {
            panic!("a Hello");
        };
        (session, hello)
    }

    fn shown(hello: &Message) -> Option<Enrolment> {
        match hello {
            Message::Hello { enrolment, .. } => enrolment.as_deref().cloned(),
            other => panic!("{other:?} is no Hello"),
        }
    }

    fn heard(session: &mut Session, hello: Message) -> Vec<Output> {
        session.handle(Input::MessageReceived(hello))
    }

    #[test]
    fn who_is_known_to_hold_an_enrolment_is_not_shown_it_again() {
        let (trb, hub) = (enrolled(2, Role::Crossing), enrolled(3, Role::Hub));
        let both = [trb.clone(), hub.clone()];

        let (mut site, first) = begun(2, 3, false, &both);
        let (mut centre, answer) = begun(3, 2, false, &both);
        assert_eq!(shown(&first), Some(trb.clone()));
        heard(&mut site, answer);
        heard(&mut centre, first);
        assert!(site.take_peer_holds_me() && centre.take_peer_holds_me());
        assert!(!site.take_peer_holds_me(), "it is told once");

        let (mut site, again) = begun(2, 3, true, &both);
        let (mut centre, answer) = begun(3, 2, true, &both);
        assert_eq!((shown(&again), shown(&answer)), (None, None));
        assert!(again.encode().len() + 100 < first_bytes(&both));
        heard(&mut site, answer);
        heard(&mut centre, again);
        assert_eq!((site.peer(), centre.peer()), (Some(&hub), Some(&trb)));
        assert!(site.is_running() && site.take_peer_holds_me());
    }

    fn first_bytes(known: &[Enrolment]) -> usize {
        begun(2, 3, false, known).1.encode().len()
    }

    #[test]
    fn a_hub_that_lost_a_crossings_enrolment_waits_until_it_is_shown() {
        let (trb, hub) = (enrolled(2, Role::Crossing), enrolled(3, Role::Hub));
        let (_, short) = begun(2, 3, true, &[trb.clone(), hub.clone()]);

        let (mut centre, _) = begun(3, 2, false, std::slice::from_ref(&hub));
        let said = heard(&mut centre, short);
        let is_refusal = |o: &Output| match o {
            Output::CloseConnection { code, .. } => *code == "not_enrolled",
            _ => false,
        };
        assert!(said.iter().any(is_refusal), "{said:?}");
        assert!(!centre.is_greeted());

        let (_, whole) = begun(2, 3, false, &[trb.clone(), hub.clone()]);
        let (mut centre, _) = begun(3, 2, false, &[hub]);
        heard(&mut centre, whole);
        assert_eq!(centre.peer(), Some(&trb));
        assert!(
            !centre.take_peer_holds_me(),
            "they held different enrolments"
        );
    }

    #[test]
    fn a_peer_of_an_earlier_version_is_always_shown_the_enrolment() {
        let both = [enrolled(2, Role::Crossing), enrolled(3, Role::Hub)];
        let (mut site, _) = begun(2, 3, false, &both);
        let (_, mut answer) = begun(3, 2, false, &both);
        let Message::Hello { codecs, .. } = &mut answer else {
            panic!("a Hello");
        };
        codecs.retain(|mark| *mark != SHORT_HELLO_MARK);

        heard(&mut site, answer);
        assert!(site.is_running() && !site.take_peer_holds_me());
    }
}
