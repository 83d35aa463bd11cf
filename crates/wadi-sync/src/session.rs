//! The session: one per peer connection, symmetrical, without IO.
//!
//! [`Session`] is what its parts share: who the peer is, what is held, and how far the session has
//! come ([`SessionPhase`]). Each part owns what it needs: what is known of a log at the peer
//! ([`PeerLog`]), what is in flight ([`SendWindow`]), what a neighbour keeps for the hub
//! ([`Carrying`]), the telling of frontiers ([`FrontierExchange`]), what is remembered of the last
//! contact ([`FrontierMemory`]), logs whose author is not known yet ([`UnknownAuthors`]), which
//! lanes go over this one of several links ([`SessionLanes`]), and where the cuts stand that go
//! before what they cut ([`CutPlaces`]).

mod answers;
mod carrying;
mod cuts_first;
mod held;
mod io;
mod lanes;
mod members;
mod peer_log;
mod phase;
mod reading;
mod receive;
mod sending;
#[cfg(test)]
mod test_members;
mod window;

pub use io::{Input, Output, Query, QueryAnswer, Snapshot};
pub(crate) use peer_log::PeerLog;

use crate::{
    codec::CodecVersion,
    frontiers::{FrontierExchange, FrontierMemory},
    link_spec::LinkSpec,
    message::{Message, SyncError},
    refuse_reason::RefuseReason,
    visible::{both_may_see, may_take},
};
use carrying::Carrying;
use cuts_first::CutPlaces;
use lanes::SessionLanes;
use members::{OwnPapers, UnknownAuthors, members_digest};
use phase::SessionPhase;
use reading::{AnswerOrder, LaneReader};
use std::collections::BTreeMap;
use wadi_log::{
    Cosignature, Enrolment, Frontier, Hash, Lane, LogId, NodeId, Peaks, Role, Scope, Tip,
};
use window::SendWindow;

/// The version of this software, as peers are told it.
const SOFTWARE: &str = env!("CARGO_PKG_VERSION");
/// The protocol's version.
const PROTOCOL_VERSION: u32 = 1;
/// Enrolments, ranges and sizes taken from one message at most.
pub(crate) const LIST_ITEMS_MAX: usize = 4096;

/// What this node said in its Hello. The peer's is held against it.
#[derive(Default)]
struct OwnHello {
    /// What both may see, as far as it was known then.
    frontier: Frontier,
    digest: Hash,
    /// The digest of all enrolments.
    members: Hash,
    /// The peer was enrolled here already. Two strangers' digests are equal because neither knows
    /// what the other may see.
    knew_peer: bool,
}

/// One session.
pub struct Session {
    peer_node: NodeId,
    peer: Option<Enrolment>,
    pub(crate) phase: SessionPhase,
    pub(crate) start: Option<Snapshot>,
    own_hello: OwnHello,
    pub(crate) logs: BTreeMap<LogId, PeerLog>,
    pub(crate) exchange: FrontierExchange,
    pub(crate) memory: FrontierMemory,
    window: SendWindow,
    readers: BTreeMap<Lane, LaneReader>,
    answer_order: AnswerOrder,
    /// The newest version of the block codec that this node speaks.
    codec: CodecVersion,
    carrying: Carrying,
    cuts: CutPlaces,
    /// The peer answers sketches, and picks single entries.
    peer_sketches: bool,
    own_papers: OwnPapers,
    unknown_authors: UnknownAuthors,
    pub(crate) lanes_here: SessionLanes,
    message_bytes: u64,
}

impl Session {
    /// A session with the node that the peer's certificate names.
    pub fn new(peer_node: NodeId) -> Self {
        Self {
            peer_node,
            peer: None,
            phase: SessionPhase::New,
            start: None,
            own_hello: OwnHello::default(),
            logs: BTreeMap::new(),
            exchange: FrontierExchange::default(),
            memory: FrontierMemory::default(),
            window: SendWindow::default(),
            readers: BTreeMap::new(),
            answer_order: AnswerOrder::default(),
            codec: CodecVersion::Columns,
            carrying: Carrying::default(),
            cuts: CutPlaces::new(),
            peer_sketches: false,
            own_papers: OwnPapers::default(),
            unknown_authors: UnknownAuthors::default(),
            lanes_here: SessionLanes::default(),
            message_bytes: 0,
        }
    }

    /// A session over one of several links with the peer. It compares the lanes that go over that
    /// link, and sends none until it is told which ([`Input::SendLanes`]).
    pub fn over(mut self, link: Option<LinkSpec>) -> Self {
        if let Some(link) = link {
            self.lanes_here = SessionLanes::over(link);
        }
        self
    }

    /// A session that speaks no newer version of the block codec than this one.
    pub fn speaking(mut self, codec: CodecVersion) -> Self {
        self.codec = codec;
        self
    }

    /// The node that the peer's certificate names.
    pub(crate) fn peer_node(&self) -> NodeId {
        self.peer_node
    }

    /// The peer's enrolment, once it said Hello.
    pub fn peer(&self) -> Option<&Enrolment> {
        self.peer.as_ref()
    }

    /// Whether the peer has said Hello.
    pub fn is_greeted(&self) -> bool {
        self.phase.is_greeted()
    }

    /// Whether it came out, since this was last asked, that the peer holds this node's enrolment:
    /// the next session with it may begin without ([`Snapshot::peer_holds_me`]).
    pub fn take_peer_holds_me(&mut self) -> bool {
        std::mem::take(&mut self.own_papers.peer_holds_them)
    }

    /// Whether the peer may be asked for sketches and single entries of a log
    /// ([`Input::AskSketch`], [`Input::PickEntries`]); one of an earlier version does not know
    /// them.
    pub fn sketches(&self, log: &LogId) -> bool {
        self.peer_sketches && self.visible(log)
    }

    /// Entries that the peer is known to lack, of what it may take.
    pub fn unsent(&self) -> u64 {
        let Some(start) = &self.start else { return 0 };
        let lacks = |(log, tip): (&LogId, &Tip)| {
            let theirs = self.logs.get(log).map_or(0, |l| l.theirs);
            if self.visible(log) {
                tip.size.saturating_sub(theirs)
            } else {
                0
            }
        };

        start
            .frontier
            .0
            .iter()
            .map(lacks)
            .fold(0, u64::saturating_add)
    }

    /// Of each lane, the entries that the peer is known to lack, of what it may take, and those
    /// that it says to hold and this node lacks. Lanes of which nothing is lacking are left out.
    /// What a peer says may be any number: the sums stop at the largest one.
    pub fn lanes(&self) -> BTreeMap<Lane, (u64, u64)> {
        let mut lanes: BTreeMap<Lane, (u64, u64)> = BTreeMap::new();
        let Some(start) = &self.start else {
            return lanes;
        };

        for (log, tip) in &start.frontier.0 {
            let theirs = self.logs.get(log).map_or(0, |l| l.theirs);
            let lacks = tip.size.saturating_sub(theirs);
            if lacks > 0 && self.visible(log) {
                let (send, _) = lanes.entry(log.lane).or_default();
                *send = send.saturating_add(lacks);
            }
        }
        for (log, peer) in &self.logs {
            let ahead = peer.theirs.saturating_sub(self.own_tip(log).size);
            if ahead > 0 {
                let (_, fetch) = lanes.entry(log.lane).or_default();
                *fetch = fetch.saturating_add(ahead);
            }
        }
        lanes
    }

    /// Whether frontiers were compared and nothing is left to send, load or search out.
    pub fn is_idle(&self) -> bool {
        self.phase.is_running() && self.window.is_empty() && !self.exchange.is_unfolding()
    }

    /// Whether frontiers were compared, and no control entries are known that the peer holds and
    /// this node does not.
    pub fn knows_control(&self) -> bool {
        let behind = |(log, link): (&LogId, &PeerLog)| {
            log.lane == Lane::Control && !link.stuck && link.theirs > self.own_tip(log).size
        };

        self.phase.is_running() && !self.exchange.is_unfolding() && !self.logs.iter().any(behind)
    }

    /// Whether frontiers were compared.
    pub fn is_running(&self) -> bool {
        self.phase.is_running()
    }

    /// Bytes of messages, both ways, that compare what both hold.
    pub fn message_bytes(&self) -> u64 {
        self.message_bytes
    }

    /// Bytes of block frames handed out so far.
    pub fn sent_bytes(&self) -> u64 {
        self.window.sent_bytes()
    }

    /// Takes in what happened; returns what is to be done, in order.
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.phase.is_closed() {
            return out;
        }

        if let Input::MessageReceived(message) = &input {
            self.message_bytes += compared_bytes(message);
        }

        if let Err(error) = self.dispatch(input, &mut out) {
            self.phase.close();
            out.push(Output::CloseConnection {
                code: error.code(),
                why: error.to_string(),
            });
        }

        for output in &out {
            if let Output::SendMessage(message) = output {
                self.message_bytes += compared_bytes(message);
            }
        }

        out
    }

    fn dispatch(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), SyncError> {
        match input {
            Input::Connected(snapshot) => self.say_hello(*snapshot, out),
            Input::MessageReceived(message) => return self.receive_message(message, out),
            Input::FrameReceived { lane, bytes } => return self.receive_frame(lane, bytes, out),
            Input::StoreAnswered(query, answer) => return self.use_answer(query, answer, out),
            Input::BlockCommitted {
                log,
                to,
                tip,
                cosignature,
            } => self.acknowledge(log, to, tip, cosignature, out),
            Input::BlockRefused { log, held, reason } => self.refuse_block(log, held, reason, out),
            Input::AskAgain(logs) => self.ask_again(&logs, out),
            Input::LinkHolds(bytes) => self.move_window(bytes, out),
            Input::SendLanes(lanes) => self.send_lanes(lanes, out),
            Input::PeerHolds(held) => self.note_held_there(held, out),
            Input::LogsGrew(tips) => self.note_growths(tips, out),
            Input::HeadRefreshed(log) => {
                // Too early to be shown: it is when the frontiers are compared.
                let running = self.phase.is_running();
                if let Some(start) = self.start.as_mut().filter(|_| !running) {
                    start.uncosigned.insert(log);
                }
                self.show_head(log, out);
            }
            Input::NewMembers(new) => self.tell_members(new, out),
            Input::NewForks(proofs) => self.send_forks(proofs, out),
            Input::NodesCut(places) => self.note_cuts(places, out),
            Input::CarryFor(from) => self.give_to_carry(from, out),
            Input::OfferCarried(ranges) => {
                if self.peer_is_hub() && !ranges.is_empty() {
                    out.push(Output::SendMessage(Message::CarryOffer(ranges)));
                }
            }
            Input::CarriedStored { log, to } => {
                out.push(Output::SendMessage(Message::CarryAck { log, size: to }));
            }
            Input::SendExcerpt(message) => out.push(Output::SendMessage(message)),
            Input::ExcerptHeld(amount) => {
                out.push(Output::SendMessage(Message::ExcerptAck(amount)));
            }
            Input::CompareAnew(frontier) => self.compare_anew(*frontier, out),
            question @ (Input::FetchEntries { .. }
            | Input::AskTree { .. }
            | Input::AskSketch { .. }
            | Input::PickEntries { .. }) => self.ask_of_tree(question, out),
            Input::AskDigests => out.push(Output::SendMessage(Message::AskDigests)),
            Input::TellCosigned {
                checkpoint,
                cosignature,
            } => {
                out.push(Output::SendMessage(Message::Cosigned {
                    checkpoint,
                    cosignature,
                }));
            }
        }

        Ok(())
    }

    /// Asks the peer about a tree of a log that both may see, in words that it knows.
    fn ask_of_tree(&self, question: Input, out: &mut Vec<Output>) {
        let (log, message) = match question {
            Input::FetchEntries { log, tip, ranges } => (log, Message::Fetch { log, tip, ranges }),
            Input::AskTree {
                log,
                tip,
                salt,
                asks,
            } => {
                let message = Message::Tree {
                    log,
                    tip,
                    salt,
                    asks,
                };
                (log, message)
            }
            Input::AskSketch {
                log,
                tip,
                salt,
                ask,
            } if self.peer_sketches => {
                let message = Message::Sketch {
                    log,
                    tip,
                    salt,
                    ask,
                };
                (log, message)
            }
            Input::PickEntries { log, tip, ranges } if self.peer_sketches => {
                (log, Message::Pick { log, tip, ranges })
            }
            _ => return,
        };

        if self.visible(&log) {
            out.push(Output::SendMessage(message));
        }
    }

    fn tell_members(&mut self, new: Vec<Enrolment>, out: &mut Vec<Output>) {
        if let Some(start) = &mut self.start {
            start.members.extend(new.iter().cloned());
            out.push(Output::SendMessage(Message::Members(new)));
        }
    }

    /// What made these logs rest has passed: the peer sends them again from what is held.
    fn ask_again(&self, logs: &[LogId], out: &mut Vec<Output>) {
        for log in logs {
            send_refusal(out, *log, self.own_tip(log).size, RefuseReason::Retry);
        }
    }

    fn move_window(&mut self, link_bytes: u64, out: &mut Vec<Output>) {
        self.window.set_link_holds(link_bytes);
        self.pump(out);
    }

    fn note_growths(&mut self, tips: Vec<(LogId, Tip)>, out: &mut Vec<Output>) {
        for (log, tip) in tips {
            self.note_growth(log, tip);
        }
        self.pump(out);
    }

    fn say_hello(&mut self, snapshot: Snapshot, out: &mut Vec<Output>) {
        // Until the peer has said who it is, the enrolment on record tells what both may see; a
        // stranger's digest will differ, and the frontiers tell.
        self.peer = snapshot
            .members
            .iter()
            .find(|e| e.node() == self.peer_node)
            .cloned();

        let knew_peer = self.peer.is_some();
        self.phase.start();
        self.narrow_scope(snapshot.late);

        let me = (!snapshot.peer_holds_me).then(|| Box::new(snapshot.me.clone()));
        let members = members_digest(&snapshot.members);
        let forks = snapshot.forks.clone();
        let hub_time_s = snapshot.hub_time_s;
        let remembers = snapshot.remembered.as_ref().map(Frontier::digest);
        let rate_bits_s = snapshot.rate_bits_s;

        self.start = Some(snapshot);
        let frontier = self.visible_frontier();
        let digest = frontier.digest();
        self.own_hello = OwnHello {
            frontier,
            digest,
            members,
            knew_peer,
        };

        out.push(Output::SendMessage(Message::Hello {
            version: PROTOCOL_VERSION,
            enrolment: me,
            digest,
            members,
            hub_time_s,
            remembers,
            rate_bits_s,
            codecs: self.codec_marks(),
            software: SOFTWARE.into(),
            link: self.lanes_here.link().cloned(),
        }));

        // Proofs travel first.
        self.send_forks(forks, out);
    }

    /// Of a peer that is late nothing is taken and to it nothing is given but what is its own.
    fn narrow_scope(&mut self, late: bool) {
        let is_narrow = late && !wadi_log::defence::off("late-scope");
        if let Some(peer) = self.peer.as_mut().filter(|_| is_narrow) {
            peer.scope = Scope(Vec::new());
        }
    }

    /// A log that both may see: each by its grant, or because it is its own.
    pub fn visible(&self, log: &LogId) -> bool {
        let (Some(start), Some(peer)) = (&self.start, &self.peer) else {
            return false;
        };
        self.lanes_here.compares(log.lane) && both_may_see(&start.me, peer, log)
    }

    fn may_take_here(&self, log: &LogId) -> bool {
        let granted = self.start.as_ref().is_some_and(|s| may_take(&s.me, log));
        granted || wadi_log::defence::off("grant")
    }

    fn peer_is_hub(&self) -> bool {
        self.peer.as_ref().is_some_and(|p| p.role == Role::Hub)
    }

    pub(crate) fn visible_frontier(&self) -> Frontier {
        let all = self.start.iter().flat_map(|s| s.frontier.0.iter());
        Frontier(
            all.filter(|(log, _)| self.visible(log))
                .map(|(log, tip)| (*log, *tip))
                .collect(),
        )
    }

    fn note_growth(&mut self, log: LogId, tip: Tip) {
        if let Some(start) = &mut self.start {
            let held = start.frontier.0.entry(log).or_insert(tip);
            if held.size <= tip.size {
                *held = tip;
            }
        }
    }

    /// What is held here of a log.
    pub(crate) fn own_tip(&self, log: &LogId) -> Tip {
        self.start
            .as_ref()
            .and_then(|s| s.frontier.0.get(log))
            .copied()
            .unwrap_or_else(empty_tip)
    }

    /// A block of the peer's is durable here.
    fn acknowledge(
        &mut self,
        log: LogId,
        to: u64,
        tip: Tip,
        cosignature: Cosignature,
        out: &mut Vec<Output>,
    ) {
        self.note_growth(log, tip);

        // The peer holds what it sent, which was proven to be a prefix of what is held here; not
        // what others brought.
        let brought = to.min(tip.size);
        self.logs.entry(log).or_default().brought(brought);
        self.tell_other_links(log, out);
        out.push(Output::SendMessage(Message::Ack {
            log,
            size: tip.size,
            cosignature: Some(cosignature),
            refused: None,
        }));

        self.refuse_behind(log, out);
        self.pump(out);

        // An own log that came back from a hub came without the hub's cosignature.
        let is_own = self.start.as_ref().is_some_and(|s| s.me.node() == log.node);
        if is_own && self.peer_is_hub() {
            self.show_head(log, out);
        }

        self.note_in_step(out);
    }

    /// A block of the peer's is not taken.
    fn refuse_block(&mut self, log: LogId, held: u64, reason: RefuseReason, out: &mut Vec<Output>) {
        if reason == RefuseReason::NotEnrolled {
            self.unknown_authors.refused(log, held);
        }

        send_refusal(out, log, held, reason);
        self.refuse_behind(log, out);
    }

    /// Tells that both hold the same, where nothing is left to do.
    pub(crate) fn note_in_step(&mut self, out: &mut Vec<Output>) {
        if self.compares_everything() && self.is_idle() && self.unsent() == 0 {
            self.remember_frontier(out);
            out.push(Output::InStep);
        }
    }
}

/// What is held of a log of which nothing is held: an empty tree.
pub(crate) fn empty_tip() -> Tip {
    Tip {
        size: 0,
        root: Peaks::default().root(),
    }
}

/// Bytes on the wire of a message that compares what both hold, its length in front; none of any
/// other.
fn compared_bytes(message: &Message) -> u64 {
    match message {
        Message::Frontier { .. } | Message::Unfold(_) | Message::Recompare => {
            message.encode().len() as u64 + 4
        }
        _ => 0,
    }
}

fn send_refusal(out: &mut Vec<Output>, log: LogId, size: u64, reason: RefuseReason) {
    out.push(Output::SendMessage(Message::Ack {
        log,
        size,
        cosignature: None,
        refused: Some(reason),
    }));
}

pub(crate) fn note_refusal(out: &mut Vec<Output>, subject: String, code: &str, why: &str) {
    out.push(Output::NoteRefusal {
        subject,
        code: code.into(),
        why: why.into(),
    });
}
