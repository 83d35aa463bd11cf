//! Drives one session: carries out what it asks for, against the store and the sequencer, and
//! passes the rest to the porch.

mod answers;
mod budgeting;
mod carried;
mod due;
mod events;
mod excerpts;
mod fresh;
mod held;
mod hub_word;
mod ingesting;
mod peer_memory;
mod questions;
mod requests;
mod several;
mod sketches;
mod stretches;
mod unkept;
mod unlearned;

use crate::{
    door::{Door, command::Command, excerpt::ALL_EXCERPTS, peers::LinkAsk, status::LinkStatus},
    ledger::hub_time::How,
    links::questions::Questions,
};
use answers::Answers;
use budgeting::RestingLogs;
use carried::LinkCarrying;
use due::Due;
use excerpts::Excerpts;
use futures_util::{FutureExt, StreamExt};
use held::LinkHolding;
use hub_word::{HubWord, asked_for_by_owner};
use ingesting::Ingesting;
use peer_memory::PeerMemory;
pub(crate) use peer_memory::recall_hubs;
use requests::Requests;
pub use several::LinkPlan;
use several::{LinkTurn, Registered};
use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{broadcast::error::RecvError, mpsc, oneshot};
use unkept::Unkept;
use unlearned::Unlearned;
use wadi_log::{Lane, LogId, NodeId, Role};
use wadi_sync::{ExcerptAmount, Fetched, Input, Message, Output, Session, Snapshot};

/// How often a link looks at what time alone brings about: carrying, excerpts, status.
const TICK_PERIOD: Duration = Duration::from_millis(500);

/// What comes in from the peer.
#[derive(Debug)]
pub enum Arriving {
    /// A message.
    Message(Message),
    /// A block frame on a lane's stream.
    Frame(Lane, Vec<u8>),
    /// Not from the peer, but from whoever carries its messages: what the link holds, bytes.
    LinkHolds(u64),
}

/// What goes out to the peer.
#[derive(Debug)]
pub enum Leaving {
    /// A message.
    Message(Message),
    /// A block frame on a lane's stream.
    Frame(Lane, Vec<u8>),
}

/// One link: the loop around a session, and the tasks beside it, each with fields of its own.
struct Link<'n> {
    door: &'n Arc<Door>,
    peer: NodeId,
    plan: LinkPlan,
    session: Session,
    registered: Registered,
    turn: LinkTurn,
    /// What the session has to hear.
    inputs: VecDeque<Input>,
    out: mpsc::Sender<Leaving>,
    ingesting: Ingesting,
    answers: Answers,
    requests: Requests,
    excerpts: Excerpts,
    hub_word: HubWord,
    carrying: LinkCarrying,
    /// Logs of which blocks were refused because a budget is used up.
    resting: RestingLogs,
    /// When more is read of the peer, which is slowed; none where it is read at once.
    reads_at: Option<Instant>,
    /// What the peer has this link hold in memory.
    held: LinkHolding,
    memory: PeerMemory,
    unkept: Unkept,
    unlearned: Unlearned,
    /// Forks are known that may want a cut.
    cuts_due: bool,
    ending: LinkEnding,
}

/// Why a link ends, or may.
#[derive(Default)]
struct LinkEnding {
    /// Why it ends now.
    closed: Option<String>,
    /// Something of this peer was refused for want of room: it is offered again to the next
    /// session.
    short_of_room: bool,
}

/// Runs a session with an authenticated peer until the connection ends or the session closes it.
/// `tls_key` is the SHA-256 of the peer's certified key, which its enrolment has to name. Returns
/// why it ended.
pub async fn run_link(
    door: Arc<Door>,
    peer: NodeId,
    tls_key: [u8; 32],
    incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    let plan = LinkPlan {
        peer,
        tls_key,
        late: false,
        link: None,
        rate_bits_s: None,
    };
    run_planned_link(door, plan, incoming, out).await
}

/// The same with a peer whose certificate has expired: it hands in what its own logs hold, and is
/// given nothing of others.
pub async fn run_late_link(
    door: Arc<Door>,
    peer: NodeId,
    tls_key: [u8; 32],
    incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    let plan = LinkPlan {
        peer,
        tls_key,
        late: true,
        link: None,
        rate_bits_s: None,
    };
    run_planned_link(door, plan, incoming, out).await
}

/// The same of a link as it was planned: it may be one of several with the peer.
pub async fn run_planned_link(
    door: Arc<Door>,
    plan: LinkPlan,
    incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    let peer = plan.peer;
    if plan.late {
        let why = "its certificate has expired: it hands in what it holds and takes nothing until \
                   it is renewed";
        door.note_refusal(
            peer.to_string(),
            "certificate_expired".into(),
            why.into(),
            String::new(),
        )
        .await;
    }

    contained(drive_link(door.clone(), plan, incoming, out), &door, peer).await
}

/// A link that panics ends alone, and is told by name: whatever it was about came from its peer.
async fn contained(link: impl Future<Output = String>, door: &Arc<Door>, peer: NodeId) -> String {
    let panic = match AssertUnwindSafe(link).catch_unwind().await {
        Ok(why) => return why,
        Err(panic) => panic,
    };

    let why = format!(
        "the link panicked: {}",
        crate::door::tasks::panic_text(panic.as_ref())
    );

    door.note_peer(peer, |p| p.last_error = why.clone());
    door.note_refusal(
        peer.to_string(),
        "link_panicked".into(),
        why.clone(),
        peer.to_string(),
    )
    .await;

    why
}

async fn drive_link(
    door: Arc<Door>,
    plan: LinkPlan,
    mut incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    let mut events = door.listen();
    let (asks, mut asked) = mpsc::channel(4);
    let tls_key = plan.tls_key;
    let mut link = Link::new(&door, plan, asks, out);

    link.recall_peer().await;
    link.take_turn().await;
    link.inputs
        .push_back(Input::Connected(Box::new(link.snapshot().await)));
    link.note_places_of_cuts();

    let mut tick = tokio::time::interval(TICK_PERIOD);
    let why = loop {
        link.run_inputs().await;
        link.tell_turn().await;
        link.run_inputs().await;
        link.count_held().await;
        if let Some(why) = link.end_of(tls_key).await {
            door.note_peer(link.peer, |p| p.last_error = why.clone());
            break why;
        }

        let question_at = link.question_at(Instant::now());
        let reads_at = link.reads_at;
        let turn_at = link.turn_at(Instant::now());

        // Each branch waits for one thing, and takes it out only when it is ready, so that a branch
        // that is dropped because another was ready loses nothing:
        // - `FuturesOrdered::next` borrows the queue; blocks that are not durable yet stay in it.
        // - `recv` of an mpsc or a broadcast channel takes nothing before it returns.
        // - `Interval::tick` keeps its next time; `until` holds a time and nothing else.
        //
        // A branch's body runs to its end before anything else of this link is polled, and no body
        // waits for one of these futures. What happens meanwhile waits in its own channel: the
        // sequencer answers each block into one of its own, and never waits for a link; the events
        // that a slow link loses are told as `Lagged`. A body that sends waits for the peer to
        // read.
        tokio::select! {
            biased;
            Some(done) = link.ingesting.queue.next() => link.ingested(done),
            arrived = incoming.recv(), if link.takes_more() => match arrived {
                None => break "the connection ended".into(),
                Some(arriving) => link.hear_peer(arriving).await,
            },
            () = until(reads_at), if reads_at.is_some() => link.reads_at = None,
            () = until(turn_at) => if link.read_in_turn(&mut incoming).await {
                break "the connection ended".into();
            },
            event = events.recv() => match event {
                Ok(event) => link.handle_event(event).await,
                // Too much happened while this link was slow: everything held is told instead.
                Err(RecvError::Lagged(_)) => link.tell_all_held(),
                Err(RecvError::Closed) => break "the node is stopping".into(),
            },
            Some(ask) = asked.recv() => link.start_request(ask),
            () = link.registered.place.news() => link.take_turn().await,
            _ = tick.tick() => link.on_tick().await,
            // Last: whatever keeps records in step goes before what a peer wants to know.
            () = until(question_at) => link.answer_question().await,
        }

        link.note_progress();
    };

    if link.memory.is_due() && link.leads_in_all() {
        link.write_memory().await;
    }

    why
}

/// Waits until then; for ever where there is no such time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl<'n> Link<'n> {
    /// A link on which nothing was said yet.
    fn new(
        door: &'n Arc<Door>,
        plan: LinkPlan,
        asks: mpsc::Sender<LinkAsk>,
        out: mpsc::Sender<Leaving>,
    ) -> Self {
        let peer = plan.peer;
        Self {
            door,
            peer,
            session: Session::new(peer).over(plan.link.clone()),
            registered: Registered::new(door, &plan, asks),
            turn: LinkTurn::default(),
            plan,
            inputs: VecDeque::new(),
            out,
            ingesting: Ingesting::default(),
            answers: Answers::default(),
            requests: Requests::default(),
            excerpts: Excerpts::default(),
            hub_word: HubWord::new(door, asked_for_by_owner(door, peer)),
            carrying: LinkCarrying::default(),
            resting: RestingLogs::default(),
            reads_at: None,
            held: LinkHolding::new(door.held_of_peers.part(peer)),
            memory: PeerMemory::new(Instant::now()),
            unkept: Unkept::default(),
            unlearned: Unlearned::new(Instant::now()),
            cuts_due: door.me.role == Role::Hub,
            ending: LinkEnding::default(),
        }
    }

    /// What the session starts from.
    async fn snapshot(&self) -> Snapshot {
        let frontier = self.door.frontier();

        let control = self.door.view().control.clone();
        let held = |l: &LogId| frontier.0.get(l).map_or(0, |t| t.size);

        // Only what a hub has cosigned to its end is folded: of those, two holders' digests are
        // equal for good.
        let closed = control.closed_logs(held).into_iter().filter(|l| {
            control.cosigned(l).is_some_and(|t| t.size == held(l))
                && l.node != self.door.id()
                && l.node != self.peer
        });

        let hub_time_s = match self.door.me.role {
            Role::Hub => self.door.time.now_s(),
            _ => self.door.time.heard_s(),
        };

        Snapshot {
            root: self.door.keys.root,
            me: self.door.me.clone(),
            peer_holds_me: self.door.own_papers.take(&self.peer, &self.door.me),
            members: control.enrolments().cloned().collect(),
            closed: closed.collect(),
            hub_time_s,
            forks: control.forks().values().cloned().collect(),
            uncosigned: frontier
                .0
                .iter()
                .filter(|_| self.leads())
                .filter(|(l, t)| {
                    l.node == self.door.id() && control.cosigned(l).is_none_or(|c| c.size < t.size)
                })
                .map(|(l, _)| *l)
                .chain(
                    self.door
                        .time
                        .unshown()
                        .into_iter()
                        .filter(|l| l.node != self.peer),
                )
                .collect(),
            frontier: frontier.as_ref().clone(),
            remembered: self.memory.remembered.clone(),
            late: self.plan.late,
            rate_bits_s: self.provisioned_rate(),
        }
    }

    /// What the configuration says of the link, bits a second.
    fn provisioned_rate(&self) -> Option<u64> {
        if self.plan.link.is_some() {
            return self.plan.rate_bits_s;
        }

        let peers = self.door.peers.lock().expect("no panic holds it");
        peers.get(&self.peer).and_then(|p| p.rate_bits_s)
    }

    /// Whether the link is over, and why; what forks ask of a hub is ordered on the way.
    async fn end_of(&mut self, tls_key: [u8; 32]) -> Option<String> {
        if self.cuts_due && self.session.knows_control() {
            self.cuts_due = false;
            self.door.put(Command::CutForks).await;
        }

        let other_key = self.session.peer().is_some_and(|p| p.tls_key != tls_key);
        let is_held = !wadi_store::defence::off("peer-certificate");
        if other_key && is_held && self.session.is_greeted() {
            self.ending.closed =
                Some("the certificate's key is not the one that the peer's enrolment names".into());
        }

        self.ending.closed.take()
    }

    /// Something came from the peer.
    async fn hear_peer(&mut self, arriving: Arriving) {
        // What does not come from the peer is no contact.
        if !matches!(arriving, Arriving::LinkHolds(_)) {
            let now_ms = self.door.now_ms();
            self.door
                .note_peer(self.peer, |p| p.last_contact_ms = now_ms);
            self.note_link(|l| l.last_contact_ms = now_ms);
        }

        if let Arriving::Message(Message::Hello { software, .. }) = &arriving {
            self.door.note_software(self.peer, software);
        }

        self.charge_arriving(&arriving);
        self.hear_clock(&arriving).await;
        self.inputs.push_back(match arriving {
            Arriving::Message(m) => Input::MessageReceived(m),
            Arriving::Frame(lane, bytes) => Input::FrameReceived { lane, bytes },
            Arriving::LinkHolds(bytes) => Input::LinkHolds(bytes),
        });
    }

    /// Notes for the status how far the link has come.
    fn note_progress(&mut self) {
        if self.session.take_peer_holds_me() {
            self.door.own_papers.note(self.peer, &self.door.me);
        }

        let sent_bytes = self.session.sent_bytes();
        self.note_link(|l| l.sent_bytes = sent_bytes);
        if self.leads() {
            let now_ms = self.door.now_ms();
            let compares_everything = self.session.compares_everything();
            let lanes = self.session.lanes();
            self.door.note_peer(self.peer, |p| {
                p.connected = true;
                p.note_lanes(lanes, now_ms);
                p.sent_bytes = sent_bytes;
                if p.unsent > 0 || !compares_everything {
                    p.in_step = false;
                }
            });
        }
    }

    /// Notes for the status how it stands as one of several links.
    fn note_link(&self, change: impl FnOnce(&mut LinkStatus)) {
        if let Some(link) = &self.plan.link {
            self.door.note_link(self.peer, link, change);
        }
    }

    /// Hands the session what it has to hear, and carries out what it asks for.
    async fn run_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            for output in self.session.handle(input) {
                self.carry_out(output).await;
            }
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::SendMessage(message) => self.send_peer(Leaving::Message(message)).await,
            Output::SendFrame { lane, bytes } => self.send_peer(Leaving::Frame(lane, bytes)).await,

            Output::AskStore(query) if Questions::is_one(&query) => {
                self.queue_question(query).await;
            }
            Output::AskStore(query) => self.answer_session(query).await,

            Output::IngestBlock(block) => self.ingest(block).await,
            Output::LearnMembers(enrolments) => self.take_enrolments(enrolments).await,
            Output::TakeForks(proofs) => self.take_proofs(proofs).await,
            Output::TakeCosignature {
                checkpoint,
                cosignature,
            } => self.take_cosigned(checkpoint, cosignature).await,

            Output::SealCarried(block) => self.hand_to_carry(block).await,
            Output::TakeCarried { block, bytes } => self.keep_carried(block, bytes).await,
            Output::OpenCarried(sealed) => self.ingest_carried(sealed).await,
            Output::CarriedRefused(log) => self.drop_carried(log).await,
            Output::TakeExcerpt {
                record,
                from,
                entries,
            } => self.keep_excerpt(record, from, entries).await,
            // The hub has heard it: what it sends from here on begins anew.
            Output::ExcerptAcked(ExcerptAmount::NothingOfAny) if self.door.me.role != Role::Hub => {
                self.note_excerpt_back(ALL_EXCERPTS).await;
            }
            Output::ExcerptAcked(amount) => self.excerpt_acked(amount).await,

            Output::TakeStretches(fetched) => self.keep_stretches(fetched).await,
            Output::TreeHashesReceived { salt, hashes, .. } => {
                self.requests.tree_came(salt, hashes);
            }
            Output::SketchReceived { salt, sketch } => self.requests.sketch_came(salt, sketch),
            Output::PickedReceived(picked) => self.requests.picked_came(picked),
            Output::Compared(differences) => {
                let bytes = self.session.message_bytes();
                self.requests.compared(differences, bytes);
            }
            Output::DigestsReceived(sums) => self.requests.digests_came(sums),

            Output::HubTime(time_s) => {
                self.door
                    .put_from(self.peer, Command::HubTime(self.peer, time_s, How::Live))
                    .await;
            }
            Output::RememberFrontier(held) => {
                if self.session.peer().is_some_and(|p| p.role == Role::Hub) {
                    self.door.hub_holdings.are_alike(self.peer, &held);
                }
                self.memory.alike = Some(*held);
            }
            Output::PeerHolds { log, size } => self.tell_other_links(log, size),
            Output::InStep => self.door.note_peer(self.peer, |p| p.in_step = true),

            Output::NoteRefusal { subject, code, why } => {
                self.note_refusal(&subject, code, why).await;
            }
            Output::CloseConnection { code, why } => {
                let peer = self.peer.to_string();
                self.door
                    .note_refusal(peer.clone(), code.into(), why.clone(), peer)
                    .await;
                self.ending.closed = Some(why);
            }
        }
    }

    async fn send_peer(&mut self, leaving: Leaving) {
        if self.out.send(leaving).await.is_err() {
            self.ending.closed = Some("the connection ended".into());
        }
    }

    /// Counted by peer: what a peer speaks of may be as many things as it invents.
    async fn note_refusal(&self, subject: &str, code: String, why: String) {
        let peer = self.peer.to_string();
        let why = if subject == peer {
            why
        } else {
            format!("{subject}: {why}")
        };

        self.door.note_refusal(peer.clone(), code, why, peer).await;
    }

    async fn keep_stretches(&mut self, fetched: Fetched) {
        let (reply, taken) = oneshot::channel();
        self.door
            .put_from(self.peer, Command::Stretches(fetched, self.peer, reply))
            .await;
        let _ = taken.await;
        self.fetch_wanted();
    }
}
