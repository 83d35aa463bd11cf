//! Drives one session: carries out what it asks for, against the store and the sequencer, and
//! passes the rest to the porch.

mod carried;
mod fresh;

use crate::{
    evidence::{given, known_root},
    excerpt::{ALL_EXCERPTS, EXCERPT_LOST, excerpt_part},
    hub_time::How,
    node::{Event, Node},
    questions::Questions,
    sequencer::{BlockOutcome, Command},
};
use futures_util::{FutureExt, StreamExt, stream::FuturesOrdered};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast::error::RecvError, mpsc, oneshot};
use wadi_log::{
    BLOCK_ENTRIES_MAX, Block, Branch, Difference, Frontier, Lane, LogId, NodeId, RecordId, Role,
    Tip,
};
use wadi_store::{Carried, PeerRow, RecordFilter, StoreError};
use wadi_sync::{
    Answer, ExcerptAmount, ExcerptEntry, Input, Message, Output, Query, Range, RefuseReason,
    ScopeSum, Session, Snapshot, TreeAsk,
};

/// Bytes of a block: about 8 KiB, ending at a checkpoint.
const BLOCK_BYTES: usize = 8 * 1024;
/// Blocks given to the sequencer and not yet durable, per session: reading stops until they are.
const INGESTING_MAX: usize = 32;
/// Bytes of entries in them: a block of little bytes on the wire may inflate to a megabyte.
const INGESTING_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What is carried for others at most.
const CARRIED_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// The least pause between two writings of what both hold alike; a link that ends in order writes
/// it, too.
const REMEMBER_PAUSE: Duration = Duration::from_secs(15);
/// How much older than the newest one told a cosignature may be and still be told anew: hubs'
/// clocks differ.
const COSIGNED_SLACK_S: u64 = 600;
/// Records whose excerpts are proven in one look, and changes read at once.
const EXCERPTS_AT_ONCE: usize = 32;
const CHANGES_AT_ONCE: u32 = 512;
/// How often a link looks at what time alone brings about: carrying, excerpts, status.
const TICK: Duration = Duration::from_millis(500);

/// What comes in from the peer.
#[derive(Debug)]
pub enum Arriving {
    /// A message.
    Message(Message),
    /// A block frame on a lane's stream.
    Frame(Lane, Vec<u8>),
}

/// What goes out to the peer.
#[derive(Debug)]
pub enum Leaving {
    /// A message.
    Message(Message),
    /// A block frame on a lane's stream.
    Frame(Lane, Vec<u8>),
}

/// What a link is asked to find out from its peer.
#[derive(Debug)]
pub(crate) enum LinkAsk {
    /// Compare everything once more, from what was read anew; answers what differs, and the bytes
    /// both ways.
    Compare(
        Frontier,
        oneshot::Sender<(BTreeMap<LogId, Difference>, u64)>,
    ),
    /// What the peer's records come to.
    Digests(oneshot::Sender<Vec<ScopeSum>>),
    /// Short hashes of a tree's subtrees, and the bytes both ways.
    Tree {
        log: LogId,
        tip: Tip,
        salt: u64,
        asks: Vec<TreeAsk>,
        reply: oneshot::Sender<(Vec<u8>, u64)>,
    },
}

struct Link<'n> {
    node: &'n Arc<Node>,
    peer: NodeId,
    session: Session,
    out: mpsc::Sender<Leaving>,
    inputs: VecDeque<Input>,
    ingesting: FuturesOrdered<IngestFuture>,
    ingesting_bytes: usize,
    excerpts: BTreeMap<RecordId, u32>,
    excerpts_sent: BTreeMap<RecordId, u32>,
    told_cosigned: BTreeMap<LogId, u64>,
    /// A neighbour whose hub is dark asked for the hub's time; and the one that it was told last,
    /// Unix seconds.
    asked_time: bool,
    told_time_s: u64,
    /// Logs of the peer's of whose cosignatures it may not have heard; nothing where that may be
    /// any.
    cosigned: Option<BTreeSet<LogId>>,
    /// The newest cosignature that the peer was told in an earlier connection, Unix seconds.
    cosigned_s: u64,
    carrying: bool,
    offered: BTreeSet<Range>,
    carried_logs: BTreeSet<LogId>,
    received: BTreeMap<LogId, u64>,
    /// Records whose excerpts may have grown; nothing where those may be any that were handed over.
    /// And the change up to which that is known.
    excerpts_due: Option<BTreeSet<RecordId>>,
    excerpts_seen: i64,
    look_at_excerpts: bool,
    /// Whether to look which excerpts the hub has to send again.
    excerpts_doubted: bool,
    look_at_carried: bool,
    /// Something to be remembered of the peer is not written down yet.
    unwritten: bool,
    /// What both hold alike and is not written down yet; and what is, since when.
    alike: Option<Frontier>,
    remembered: Option<Frontier>,
    written: std::time::Instant,
    /// The peer's certificate has expired.
    late: bool,
    /// Forks are known that may want a cut.
    cuts_due: bool,
    /// Whether this link had everything read through already.
    scrubs: AtomicBool,
    comparing: Option<(oneshot::Sender<(BTreeMap<LogId, Difference>, u64)>, u64)>,
    digests: Option<oneshot::Sender<Vec<ScopeSum>>>,
    tree: Option<(u64, oneshot::Sender<(Vec<u8>, u64)>, u64)>,
    /// What the peer asks, to be answered in its turn.
    questions: Questions,
    /// Something of this peer was refused for want of room: it is offered again to the next
    /// session.
    short_of_room: bool,
    closed: Option<String>,
}

type IngestFuture = std::pin::Pin<Box<dyn Future<Output = IngestDone> + Send + Sync>>;

/// What became of a block: its log, where it ends, its bytes.
struct IngestDone {
    log: LogId,
    to: u64,
    bytes: usize,
    outcome: Option<BlockOutcome>,
}

/// Runs a session with an authenticated peer until the connection ends or the session closes it.
/// `tls_key` is the SHA-256 of the peer's certified key, which its enrolment has to name. Returns
/// why it ended.
pub async fn run_link(
    node: Arc<Node>,
    peer: NodeId,
    tls_key: [u8; 32],
    incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    contained(
        drive(node.clone(), (peer, tls_key), incoming, out, false),
        &node,
        peer,
    )
    .await
}

/// The same with a peer whose certificate has expired: it hands in what its own logs hold, and is
/// given nothing of others.
pub async fn run_late_link(
    node: Arc<Node>,
    peer: NodeId,
    tls_key: [u8; 32],
    incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
) -> String {
    let why = "its certificate has expired: it hands in what it holds and takes nothing until it is renewed";
    node.note_refusal(
        peer.to_string(),
        "certificate_expired".into(),
        why.into(),
        String::new(),
    )
    .await;

    contained(
        drive(node.clone(), (peer, tls_key), incoming, out, true),
        &node,
        peer,
    )
    .await
}

/// A link that panics ends alone, and is told by name: whatever it was about came from its peer.
async fn contained(link: impl Future<Output = String>, node: &Arc<Node>, peer: NodeId) -> String {
    let panic = match AssertUnwindSafe(link).catch_unwind().await {
        Ok(why) => return why,
        Err(panic) => panic,
    };

    let why = format!(
        "the link panicked: {}",
        crate::tasks::panic_text(panic.as_ref())
    );

    node.note_peer(peer, |p| p.last_error = why.clone());
    node.note_refusal(
        peer.to_string(),
        "link_panicked".into(),
        why.clone(),
        peer.to_string(),
    )
    .await;

    why
}

async fn drive(
    node: Arc<Node>,
    (peer, tls_key): (NodeId, [u8; 32]),
    mut incoming: mpsc::Receiver<Arriving>,
    out: mpsc::Sender<Leaving>,
    late: bool,
) -> String {
    let mut events = node.listen();
    let mut link = Link {
        node: &node,
        peer,
        session: Session::new(peer),
        out,
        inputs: VecDeque::new(),
        ingesting: FuturesOrdered::new(),
        ingesting_bytes: 0,
        excerpts: BTreeMap::new(),
        excerpts_sent: BTreeMap::new(),
        told_cosigned: asked_for_by_owner(&node, peer),
        asked_time: false,
        told_time_s: 0,
        cosigned: (node.me.role == Role::Hub).then(BTreeSet::new),
        cosigned_s: 0,
        carrying: false,
        offered: BTreeSet::new(),
        carried_logs: BTreeSet::new(),
        received: BTreeMap::new(),
        excerpts_due: None,
        excerpts_seen: 0,
        look_at_excerpts: true,
        excerpts_doubted: true,
        look_at_carried: true,
        unwritten: false,
        alike: None,
        remembered: None,
        written: std::time::Instant::now(),
        cuts_due: node.me.role == Role::Hub,
        late,
        scrubs: AtomicBool::new(false),
        comparing: None,
        digests: None,
        tree: None,
        questions: Questions::default(),
        short_of_room: false,
        closed: None,
    };

    let (asks, mut asked) = mpsc::channel(4);
    node.links
        .lock()
        .expect("no panic holds it")
        .insert(peer, asks.clone());

    let _registered = Registered {
        node: &node,
        peer,
        asks,
    };

    link.remember().await;
    link.inputs
        .push_back(Input::Connected(Box::new(link.snapshot().await)));

    let mut tick = tokio::time::interval(TICK);
    let why = loop {
        link.work().await;
        if link.cuts_due && link.session.knows_control() {
            link.cuts_due = false;
            node.put(Command::CutForks).await;
        }

        if link.session.peer().is_some_and(|p| p.tls_key != tls_key) && link.session.is_greeted() {
            link.closed =
                Some("the certificate's key is not the one that the peer's enrolment names".into());
        }

        if let Some(why) = link.closed.take() {
            node.note_peer(peer, |p| p.last_error = why.clone());
            break why;
        }

        let question_at = link.questions.next_at(std::time::Instant::now());
        tokio::select! {
            biased;
            Some(done) = link.ingesting.next() => link.ingested(done),
            arrived = incoming.recv(), if link.takes_more() => match arrived {
                None => break "the connection ended".into(),
                Some(arriving) => {
                    node.note_peer(peer, |p| p.last_contact_ms = node.now_ms());
                    link.heard_now(&arriving).await;
                    link.inputs.push_back(match arriving {
                        Arriving::Message(m) => Input::MessageReceived(m),
                        Arriving::Frame(lane, bytes) => Input::FrameReceived { lane, bytes },
                    });
                }
            },
            event = events.recv() => match event {
                Ok(event) => link.event(event).await,
                // Too much happened while this link was slow: everything held is told instead.
                Err(RecvError::Lagged(_)) => link.tell_all(),
                Err(RecvError::Closed) => break "the node is stopping".into(),
            },
            Some(ask) = asked.recv() => link.ask(ask),
            _ = tick.tick() => link.tick().await,
            // Last: whatever keeps records in step goes before what a peer wants to know.
            () = until(question_at) => link.answer_question().await,
        }

        node.note_peer(peer, |p| {
            p.connected = true;
            p.unsent = link.session.unsent();
            p.sent_bytes = link.session.sent_bytes();
            if p.unsent > 0 {
                p.in_step = false;
            }
        });
    };

    if link.alike.is_some() || link.unwritten {
        link.write_down().await;
    }

    why
}

/// What a hub need not tell of the peer's logs: their owner asks for the cosignatures that it
/// misses when it connects.
fn asked_for_by_owner(node: &Node, peer: NodeId) -> BTreeMap<LogId, u64> {
    if node.me.role != Role::Hub {
        return BTreeMap::new();
    }

    let frontier = node.frontier.read().expect("no panic holds it");
    frontier
        .0
        .iter()
        .filter(|(log, _)| log.node == peer)
        .map(|(log, tip)| (*log, tip.size))
        .collect()
}

/// Waits until then; for ever where there is no such time.
async fn until(at: Option<std::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Takes the link off the node's list when it ends.
struct Registered<'n> {
    node: &'n Arc<Node>,
    peer: NodeId,
    asks: mpsc::Sender<LinkAsk>,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut links = self.node.links.lock().expect("no panic holds it");
        // Another link with the same peer may have taken the place.
        if links
            .get(&self.peer)
            .is_some_and(|l| l.same_channel(&self.asks))
        {
            links.remove(&self.peer);
        }

        drop(links);
        self.node
            .wants
            .lock()
            .expect("no panic holds it")
            .gone(self.peer);
    }
}

impl Link<'_> {
    async fn snapshot(&self) -> Snapshot {
        let frontier = self
            .node
            .frontier
            .read()
            .expect("no panic holds it")
            .clone();

        let control = self.node.control.read().expect("no panic holds it");
        let held = |l: &LogId| frontier.0.get(l).map_or(0, |t| t.size);

        // Only what a hub has cosigned to its end is folded: of those, two holders' digests are
        // equal for good.
        let closed = control.closed_logs(held).into_iter().filter(|l| {
            control.cosigned(l).is_some_and(|t| t.size == held(l))
                && l.node != self.node.id()
                && l.node != self.peer
        });

        let hub_time_s = match self.node.me.role {
            Role::Hub => self.node.time.now_s(),
            _ => self.node.time.heard_s(),
        };

        Snapshot {
            root: self.node.keys.root,
            me: self.node.me.clone(),
            members: control.enrolments().cloned().collect(),
            closed: closed.collect(),
            hub_time_s,
            forks: control.forks().values().cloned().collect(),
            uncosigned: frontier
                .0
                .iter()
                .filter(|(l, t)| {
                    l.node == self.node.id() && control.cosigned(l).is_none_or(|c| c.size < t.size)
                })
                .map(|(l, _)| *l)
                .chain(
                    self.node
                        .time
                        .unshown()
                        .into_iter()
                        .filter(|l| l.node != self.peer),
                )
                .collect(),
            frontier: frontier.clone(),
            remembered: self.remembered.clone(),
            late: self.late,
            rate_bits_s: self.provisioned_rate(),
        }
    }

    /// What the configuration says of the link, bits a second.
    fn provisioned_rate(&self) -> Option<u64> {
        let peers = self.node.peers.lock().expect("no panic holds it");
        peers.get(&self.peer).and_then(|p| p.rate_bits_s)
    }

    /// What was remembered of this peer: how much of which records it has acknowledged as excerpts.
    async fn remember(&mut self) {
        let Ok(rows) = self.node.store.peers().await else {
            return;
        };
        let row = rows.into_iter().find(|r| r.node == self.peer);
        let json: serde_json::Value = row
            .and_then(|r| serde_json::from_str(&r.json).ok())
            .unwrap_or_default();
        for (id, count) in json["excerpts"].as_object().into_iter().flatten() {
            if let (Ok(id), Some(count)) = (id.parse(), count.as_u64()) {
                self.excerpts.insert(id, count as u32);
            }
        }

        self.cosigned_s = json["cosigned_s"].as_u64().unwrap_or(0);
        let read = |row: &serde_json::Value| {
            let log = LogId::from_slice(&wadi_log::unhex(row[0].as_str()?)?).ok()?;
            let root = wadi_log::Hash::from_slice(&wadi_log::unhex(row[2].as_str()?)?).ok()?;
            Some((
                log,
                Tip {
                    size: row[1].as_u64()?,
                    root,
                },
            ))
        };

        // Whatever of it does not read makes the whole of it nothing: the digest over it would be
        // another one.
        let rows = json["alike"].as_array().filter(|rows| !rows.is_empty());
        self.remembered = rows
            .and_then(|rows| rows.iter().map(read).collect::<Option<_>>())
            .map(Frontier);
    }

    /// Writes down what is remembered of the peer until the next contact.
    async fn write_down(&mut self) {
        if let Some(alike) = self.alike.take() {
            self.remembered = Some(alike);
        }

        self.written = std::time::Instant::now();
        self.unwritten = false;
        let known: serde_json::Map<String, serde_json::Value> = self
            .excerpts
            .iter()
            .map(|(id, n)| (id.to_string(), (*n).into()))
            .collect();

        let logs = self.remembered.iter().flat_map(|f| &f.0);
        let alike: Vec<(String, u64, String)> = logs
            .map(|(l, t)| (wadi_log::hex(&l.to_bytes()), t.size, t.root.to_string()))
            .collect();
        let json =
            serde_json::json!({ "excerpts": known, "alike": alike, "cosigned_s": self.cosigned_s })
                .to_string();

        self.node
            .remember_peer(PeerRow {
                node: self.peer,
                json,
            })
            .await;
    }

    async fn work(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            for output in self.session.handle(input) {
                self.carry_out(output).await;
            }
        }
    }

    async fn carry_out(&mut self, output: Output) {
        match output {
            Output::SendMessage(message) => {
                if self.out.send(Leaving::Message(message)).await.is_err() {
                    self.closed = Some("the connection ended".into());
                }
            }
            Output::SendFrame { lane, bytes } => {
                if self.out.send(Leaving::Frame(lane, bytes)).await.is_err() {
                    self.closed = Some("the connection ended".into());
                }
            }
            Output::AskStore(query) if Questions::is_one(&query) => {
                if !self.questions.put(query) {
                    let why = "the peer asks more than can be answered, and does not wait for what it asked";
                    let peer = self.peer.to_string();
                    self.node
                        .note_refusal(peer.clone(), "too_many_questions".into(), why.into(), peer)
                        .await;
                    self.closed = Some(why.into());
                }
            }
            Output::AskStore(query) => self.look_up(query).await,
            Output::IngestBlock(block) => {
                let (log, to) = (
                    block.checkpoint.checkpoint.log,
                    block.checkpoint.checkpoint.size,
                );

                // Two peers may bring the same block; one peer that brings it twice in one session
                // replays it.
                let before = self.received.entry(log).or_insert(0);
                if to <= *before && !block.entries.is_empty() {
                    let why = format!(
                        "entries {}..{to} were sent a second time; nothing was written",
                        block.from
                    );
                    let peer = self.peer.to_string();
                    let why = format!("{}: {why}", log.origin());

                    self.node
                        .note_refusal(peer.clone(), "replayed_block".into(), why, peer)
                        .await;
                }

                *before = to.max(*before);
                // A head that is shown once more asks for the time.
                self.asked_time |= block.entries.is_empty() && log.node == self.peer;
                let bytes = block.entries.iter().map(Vec::len).sum();
                self.ingesting_bytes = self.ingesting_bytes.saturating_add(bytes);

                let done = self.node.ingest(block, self.peer).await;
                self.ingesting.push_back(Box::pin(async move {
                    IngestDone {
                        log,
                        to,
                        bytes,
                        outcome: done.await.ok(),
                    }
                }));
            }
            Output::LearnMembers(enrolments) => {
                self.node.put(Command::Learn(enrolments, self.peer)).await
            }
            Output::TakeForks(proofs) => self.node.put(Command::Forks(proofs, self.peer)).await,
            Output::TakeCosignature {
                checkpoint,
                cosignature,
            } => {
                self.node
                    .put(Command::Cosigned(checkpoint, cosignature))
                    .await;
            }
            Output::TakeCarried { block, bytes } => self.take_carried(block, bytes).await,
            Output::TakeExcerpt {
                record,
                from,
                entries,
            } => self.take_excerpt(record, from, entries).await,
            // The hub has heard it: what it sends from here on begins anew.
            Output::ExcerptAcked(ExcerptAmount::NothingOfAny) if self.node.me.role != Role::Hub => {
                self.is_back(ALL_EXCERPTS).await;
            }
            Output::ExcerptAcked(amount) => self.excerpt_acked(amount).await,
            Output::TakeStretches(fetched) => {
                let (reply, taken) = oneshot::channel();
                self.node
                    .put(Command::Stretches(fetched, self.peer, reply))
                    .await;
                let _ = taken.await;
                self.ask_wanted();
            }
            Output::TreeHashesReceived { salt, hashes, .. } => {
                if let Some((_, reply, bytes)) = self.tree.take_if(|(asked, ..)| *asked == salt) {
                    let back = hashes.len() as u64 + 90;
                    let _ = reply.send((hashes, bytes + back));
                }
            }
            Output::Compared(differences) => {
                if let Some((reply, before)) = self.comparing.take() {
                    let _ = reply.send((differences, self.session.message_bytes() - before));
                }
            }
            Output::DigestsReceived(sums) => {
                if let Some(reply) = self.digests.take() {
                    let _ = reply.send(sums);
                }
            }
            Output::HubTime(time_s) => {
                self.node
                    .put(Command::HubTime(self.peer, time_s, How::Live))
                    .await
            }
            Output::RememberFrontier(held) => self.alike = Some(*held),
            Output::InStep => self.node.note_peer(self.peer, |p| p.in_step = true),
            Output::NoteRefusal { subject, code, why } => {
                // Counted by peer: what a peer speaks of may be as many things as it invents.
                let peer = self.peer.to_string();
                let why = if subject == peer {
                    why
                } else {
                    format!("{subject}: {why}")
                };

                self.node.note_refusal(peer.clone(), code, why, peer).await;
            }
            Output::CloseConnection { code, why } => {
                self.node
                    .note_refusal(
                        self.peer.to_string(),
                        code.into(),
                        why.clone(),
                        self.peer.to_string(),
                    )
                    .await;

                self.closed = Some(why);
            }
        }
    }

    /// Answers the session out of the store.
    async fn look_up(&mut self, query: Query) {
        match self.answer(&query).await {
            Ok(answer) => self.inputs.push_back(Input::StoreAnswered(query, answer)),
            // What was asked is asked again on the next connection.
            Err(error) => self.closed = Some(format!("the store does not answer: {error}")),
        }
    }

    /// Answers the peer's next question.
    async fn answer_question(&mut self) {
        let Some(query) = self.questions.pop() else {
            return;
        };
        let began = std::time::Instant::now();
        self.look_up(query).await;
        self.questions.answered(began, std::time::Instant::now());
    }

    fn takes_more(&self) -> bool {
        self.ingesting.len() < INGESTING_MAX && self.ingesting_bytes < INGESTING_BYTES_MAX
    }

    fn ingested(&mut self, done: IngestDone) {
        let IngestDone {
            log,
            to,
            bytes,
            outcome,
        } = done;

        self.ingesting_bytes = self.ingesting_bytes.saturating_sub(bytes);
        self.inputs.push_back(match outcome {
            Some(BlockOutcome::Durable { tip, cosignature }) => {
                // The acknowledgement says the cosignature: it need not be told once more.
                if self.node.me.role == Role::Hub && log.node == self.peer && tip.size == to {
                    self.told_cosigned.insert(log, tip.size);
                }

                Input::BlockCommitted {
                    log,
                    to,
                    tip,
                    cosignature: *cosignature,
                }
            }
            Some(BlockOutcome::Refused { held, code }) => {
                let reason = RefuseReason::from_code(&code);
                self.short_of_room |= reason == RefuseReason::DiskLow;
                Input::BlockRefused { log, held, reason }
            }
            None => Input::BlockRefused {
                log,
                held: 0,
                reason: RefuseReason::Stopping,
            },
        });
    }

    /// An answer out of the store; an error where the store may give it in a moment, and not now.
    async fn answer(&self, query: &Query) -> Result<Answer, StoreError> {
        Ok(match query {
            Query::Block { log, from } => {
                Answer::Block(given(self.block(log, *from).await)?.flatten())
            }
            Query::Carried { log, from } => {
                let found = given(self.node.store.carried_block(log, *from).await)?.flatten();
                Answer::Block(found.and_then(|bytes| wadi_sync::decode_plain(&bytes).ok()))
            }
            Query::Roots { log, sizes, .. } => {
                let mut roots = BTreeMap::new();
                for size in sizes.iter().filter(|s| **s > 0) {
                    if let Some(root) = known_root(&*self.node.store, log, *size).await? {
                        roots.insert(*size, root);
                    } else if self.held(log) >= *size && !self.scrubs.swap(true, Ordering::Relaxed)
                    {
                        // It is held and does not read: what is damaged keeps the log from being
                        // sent until it is mended.
                        self.node.scrub_soon();
                    }
                }

                Answer::Roots(roots)
            }
            Query::Branch { log, at, .. } => {
                Answer::Branch(given(self.branch(log, *at).await)?.flatten())
            }
            Query::Stretches {
                log,
                size,
                root,
                ranges,
            } => {
                let tip = Tip {
                    size: *size,
                    root: *root,
                };
                Answer::Stretches(self.node.stretches(*log, tip, ranges).await)
            }
            Query::Digests => Answer::Digests(self.node.own_digests().await),
            Query::Tree {
                log,
                size,
                root,
                salt,
                parts,
            } => {
                let tip = Tip {
                    size: *size,
                    root: *root,
                };
                Answer::Tree(self.node.short_hashes(log, tip, *salt, parts).await)
            }
        })
    }

    /// The block of a log from a position on: to the last checkpoint within about 8 KiB, or else to
    /// the first.
    async fn block(&self, log: &LogId, from: u64) -> Result<Option<Block>, StoreError> {
        let held = self
            .node
            .frontier
            .read()
            .expect("no panic holds it")
            .0
            .get(log)
            .map(|tip| tip.size);

        let Some(held) = held else { return Ok(None) };
        if from >= held {
            // The head signed anew, with a newer hub time: it stands with the log.
            let row = self
                .node
                .store
                .logs()
                .await?
                .into_iter()
                .find(|row| row.log == *log);

            let at_end = row
                .map(|row| row.checkpoint)
                .filter(|c| c.checkpoint.size == from);
            return Ok(at_end.map(|checkpoint| Block {
                from,
                entries: vec![],
                checkpoint,
            }));
        }

        let checkpoints = self.node.store.checkpoints(log, from).await?;
        let mut entries = self.node.store.entries(log, from, BLOCK_BYTES).await?;
        let within = from + entries.len().min(BLOCK_ENTRIES_MAX) as u64;
        let fits = |c: &&wadi_log::SignedCheckpoint| c.checkpoint.size <= within;
        let Some(checkpoint) = checkpoints
            .iter()
            .rev()
            .find(fits)
            .or(checkpoints.first())
            .cloned()
        else {
            return Ok(None);
        };

        let count = (checkpoint.checkpoint.size - from) as usize;
        while entries.len() < count {
            let next = from + entries.len() as u64;
            let more = self.node.store.entries(log, next, 8 * BLOCK_BYTES).await?;
            if more.is_empty() {
                return Ok(None);
            }
            entries.extend(more);
        }

        entries.truncate(count);
        let entries = entries
            .into_iter()
            .map(|e| e.entry.bytes().to_vec())
            .collect();

        Ok(Some(Block {
            from,
            entries,
            checkpoint,
        }))
    }

    async fn branch(&self, log: &LogId, at: u64) -> Result<Option<Branch>, StoreError> {
        let rows = self.node.store.logs().await?;
        let Some(row) = rows.into_iter().find(|r| r.log == *log) else {
            return Ok(None);
        };
        let size = row.checkpoint.checkpoint.size;
        let first = self.node.store.entries(log, at, 1).await?;
        let leaf = first.first().map(|e| e.entry.reference().leaf);
        let path = self.node.path(log, at, size).await?;

        Ok(leaf.zip(path).map(|(leaf, path)| Branch {
            checkpoint: row.checkpoint,
            leaf,
            path,
        }))
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Grew(tips) => {
                if let Some(logs) = &mut self.cosigned {
                    logs.extend(
                        tips.iter()
                            .map(|(log, _)| *log)
                            .filter(|l| l.node == self.peer),
                    );
                }

                self.inputs.push_back(Input::LogsGrew(tips));
            }
            Event::Refreshed(log) if self.shows(&log) => {
                self.inputs.push_back(Input::HeadRefreshed(log))
            }
            Event::Members(new) => self.inputs.push_back(Input::NewMembers(new)),
            Event::Forks(proofs) => {
                self.cuts_due = self.node.me.role == Role::Hub;
                self.inputs.push_back(Input::NewForks(proofs));
            }
            Event::HubCosigned(checkpoint, cosignature) => {
                let log = checkpoint.checkpoint.log;
                // What was carried of it is no more: there is room to offer for what is.
                self.look_at_carried = true;
                let is_hub = self.session.peer().is_some_and(|p| p.role == Role::Hub);
                let size = checkpoint.checkpoint.size;
                let told = self.told_cosigned.get(&log).copied().unwrap_or(0);

                // The same size again is news, too: a head signed anew names a newer hub time.
                if log.node == self.peer && !is_hub && size >= told {
                    self.told_cosigned.insert(log, size);
                    self.inputs.push_back(Input::TellCosigned {
                        checkpoint,
                        cosignature,
                    });
                }
            }
            Event::Records => self.look_at_excerpts = true,
            Event::ExcerptsLost => self.excerpts_doubted = true,
            Event::RoomAgain if self.short_of_room => {
                self.closed = Some(
                    "there is room on the disk again: what was refused is taken from anew".into(),
                );
            }
            // Its log may have rested because of what was missing, and excerpts, too.
            Event::Mended(_) => {
                let frontier = self
                    .node
                    .frontier
                    .read()
                    .expect("no panic holds it")
                    .clone();

                self.inputs
                    .push_back(Input::CompareAnew(Box::new(frontier)));
                (self.excerpts_due, self.look_at_excerpts) = (None, true);
            }
            Event::Carried => self.look_at_carried = true,
            Event::Refreshed(_) | Event::RoomAgain | Event::Failed(_) | Event::Broken(_) => {}
        }
    }

    fn tell_all(&mut self) {
        let frontier = self
            .node
            .frontier
            .read()
            .expect("no panic holds it")
            .clone();

        let tips: Vec<(LogId, Tip)> = frontier.0.into_iter().collect();
        self.inputs.push_back(Input::LogsGrew(tips));
        let (members, forks) = self.node.with_control(|c| {
            (
                c.enrolments().cloned().collect::<Vec<_>>(),
                c.forks().values().cloned().collect::<Vec<_>>(),
            )
        });

        self.inputs.push_back(Input::NewMembers(members));
        self.inputs.push_back(Input::NewForks(forks));
        (
            self.look_at_excerpts,
            self.look_at_carried,
            self.excerpts_doubted,
        ) = (true, true, true);

        self.cosigned = None;
    }

    /// Asks the peer for what this node lacks and both may see, one message at a time.
    fn ask_wanted(&mut self) {
        if !self.session.is_greeted() {
            return;
        }

        let wanted = self.node.wants.lock().expect("no panic holds it").ask(
            self.peer,
            |log| self.session.visible(log),
            std::time::Instant::now(),
        );

        if let Some((log, tip, ranges)) = wanted {
            self.inputs
                .push_back(Input::FetchEntries { log, tip, ranges });
        }
    }

    fn held(&self, log: &LogId) -> u64 {
        self.node
            .frontier
            .read()
            .expect("no panic holds it")
            .0
            .get(log)
            .map_or(0, |t| t.size)
    }

    fn ask(&mut self, ask: LinkAsk) {
        match ask {
            LinkAsk::Compare(frontier, reply) => {
                self.comparing = Some((reply, self.session.message_bytes()));
                self.inputs
                    .push_back(Input::CompareAnew(Box::new(frontier)));
            }
            LinkAsk::Digests(reply) => {
                self.digests = Some(reply);
                self.inputs.push_back(Input::AskDigests);
            }
            LinkAsk::Tree {
                log,
                tip,
                salt,
                asks,
                reply,
            } => {
                let bytes = Message::Tree {
                    log,
                    tip,
                    salt,
                    asks: asks.clone(),
                }
                .encode()
                .len() as u64
                    + 4;

                self.tree = Some((salt, reply, bytes));
                self.inputs.push_back(Input::AskTree {
                    log,
                    tip,
                    salt,
                    asks,
                });
            }
        }
    }

    async fn tick(&mut self) {
        let Some(peer) = self.session.peer().cloned() else {
            return;
        };

        // A node that is cut while it is connected is captured: nothing more is said to it.
        if self.node.with_control(|c| c.is_cut(&self.peer)) {
            self.closed = Some("the peer was cut".into());
            return;
        }

        if (self.alike.is_some() || self.unwritten) && self.written.elapsed() >= REMEMBER_PAUSE {
            self.write_down().await;
        }

        if self.late {
            return;
        }

        self.ask_wanted();
        if peer.role == Role::Hub {
            self.ask_for_excerpts().await;
        }

        match (self.node.me.role, peer.role) {
            (_, Role::Hub) => {
                self.keep_fresh().await;
                self.offer_carried().await;
            }
            (Role::Hub, Role::Crossing) => {
                if let Some(crossing) = peer.crossing {
                    self.send_excerpts(&crossing.to_string()).await;
                }
                self.tell_owner().await;
            }
            (Role::Crossing, Role::Crossing) => {
                self.ask_to_carry();
                if self.carrying {
                    self.keep_fresh().await;
                }
                self.tell_owner().await;
                self.tell_time().await;
            }
            _ => {}
        }
    }

    /// While no hub is connected, a neighbour is given what the hub lacks of this node's own logs.
    fn ask_to_carry(&mut self) {
        let hub_is_up = {
            let peers = self.node.peers.lock().expect("no panic holds it");
            peers.iter().any(|(id, p)| {
                p.connected && self.node.with_control(|c| c.role(id) == Some(Role::Hub))
            })
        };

        if hub_is_up {
            if std::mem::take(&mut self.carrying) {
                self.carried_logs.clear();
                self.inputs.push_back(Input::CarryFor(BTreeMap::new()));
            }
            return;
        }

        self.carrying = true;
        let frontier = self
            .node
            .frontier
            .read()
            .expect("no panic holds it")
            .clone();

        let from = self.node.with_control(|c| {
            let own = frontier.0.keys().filter(|l| l.node == self.node.id());
            own.map(|l| (*l, c.cosigned(l).map_or(0, |t| t.size)))
                .collect::<BTreeMap<_, _>>()
        });

        // Logs that were opened meanwhile are given, too.
        let keys: BTreeSet<LogId> = from.keys().copied().collect();
        if keys == self.carried_logs {
            return;
        }

        self.carried_logs = keys;
        self.inputs.push_back(Input::CarryFor(from));
    }

    async fn take_carried(&mut self, block: Block, bytes: Vec<u8>) {
        if !self.node.room.level().carries() {
            self.short_of_room = true;
            return;
        }

        let head = &block.checkpoint.checkpoint;
        let counts = self.node.store.counts().await.unwrap_or_default();
        let known = self
            .node
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

        if self.node.carry(carried).await {
            self.inputs.push_back(Input::CarriedStored {
                log: head.log,
                to: head.size,
            });
        }
    }

    /// Tells the owner of logs what the hub has cosigned of them, as a carrier learns it.
    async fn tell_owner(&mut self) {
        let mut all = Vec::new();
        // What an earlier connection told is left out where all that is held is looked at.
        let before_s = if self.cosigned.is_none() {
            self.cosigned_s
        } else {
            0
        };

        match self.cosigned.take() {
            None => match self.node.store.cosignatures(None).await {
                Ok(found) => all = found,
                Err(_) => return,
            },
            Some(logs) => {
                for log in &logs {
                    let Ok(found) = self.node.store.cosignatures(Some(log)).await else {
                        return;
                    };
                    all.extend(found);
                }
            }
        }

        self.cosigned = Some(BTreeSet::new());
        for c in all {
            let head = &c.checkpoint.checkpoint;
            let by_hub = self
                .node
                .with_control(|k| k.role(&c.cosignature.witness) == Some(Role::Hub));
            let told = self.told_cosigned.get(&head.log).copied().unwrap_or(0);

            if head.log.node == self.peer && by_hub && head.size > told {
                self.told_cosigned.insert(head.log, head.size);
                let time_s = c.cosignature.time_s;
                if self.session.shares_past() && time_s.saturating_add(COSIGNED_SLACK_S) < before_s
                {
                    continue;
                }

                (self.cosigned_s, self.unwritten) = (self.cosigned_s.max(time_s), true);
                let checkpoint = Box::new(c.checkpoint);
                self.inputs.push_back(Input::TellCosigned {
                    checkpoint,
                    cosignature: c.cosignature,
                });
            }
        }
    }

    async fn take_excerpt(&mut self, record: RecordId, from: u32, entries: Vec<ExcerptEntry>) {
        if from > 0 && self.is_lost(&record).await {
            // Sent before the hub heard what is gone here: what stands before it comes first, and
            // then this once more.
            return;
        }

        let count = entries.len() as u32;
        let (reply, taken) = oneshot::channel();
        self.node
            .put(Command::Excerpt {
                record,
                entries,
                peer: self.peer,
                reply,
            })
            .await;

        if taken.await.unwrap_or(false) {
            self.inputs
                .push_back(Input::ExcerptHeld(ExcerptAmount::Entries {
                    record,
                    entries: from.saturating_add(count),
                }));
            self.is_back(&record.to_string()).await;
        } else {
            self.short_of_room |= !self.node.room.level().takes_excerpts();
        }
    }

    /// Tells the hub of which records handed over entries are gone here: as if none of them had
    /// come yet.
    async fn ask_for_excerpts(&mut self) {
        if !self.session.is_greeted() || !std::mem::take(&mut self.excerpts_doubted) {
            return;
        }

        let lost = self
            .node
            .store
            .local_all(EXCERPT_LOST)
            .await
            .unwrap_or_default();

        let amounts = lost.iter().filter_map(|l| match l.key.as_str() {
            ALL_EXCERPTS => Some(ExcerptAmount::NothingOfAny),
            id => Some(ExcerptAmount::Entries {
                record: id.parse().ok()?,
                entries: 0,
            }),
        });

        self.inputs.extend(amounts.map(Input::ExcerptHeld));
    }

    /// Whether entries of a record handed over are gone here.
    async fn is_lost(&self, record: &RecordId) -> bool {
        for key in [ALL_EXCERPTS, record.to_string().as_str()] {
            if matches!(self.node.store.local(EXCERPT_LOST, key).await, Ok(Some(_))) {
                return true;
            }
        }
        false
    }

    /// What was gone came again.
    async fn is_back(&self, key: &str) {
        if matches!(self.node.store.local(EXCERPT_LOST, key).await, Ok(Some(_))) {
            let _ = self
                .node
                .set_local(vec![], vec![(EXCERPT_LOST.into(), key.into())])
                .await;
        }
    }

    /// The peer says how much of a record it holds. That is no more than it was sent, and of
    /// nothing else anything.
    async fn excerpt_acked(&mut self, amount: ExcerptAmount) {
        let lost = match amount {
            ExcerptAmount::NothingOfAny => {
                self.excerpts.clear();
                self.excerpts_sent.clear();
                self.excerpts_due = None;
                self.inputs.push_back(Input::ExcerptHeld(amount));
                true
            }
            ExcerptAmount::Entries { record, entries } => {
                let before = self.excerpts.get(&record).copied();
                let Some(most) = before.max(self.excerpts_sent.get(&record).copied()) else {
                    return;
                };
                let entries = entries.min(most);

                self.excerpts.insert(record, entries);
                let lost = before.is_some_and(|before| entries < before);
                if lost {
                    // It holds less than it did: what it lost is sent again.
                    self.excerpts_sent.remove(&record);
                }

                if let Some(due) = &mut self.excerpts_due {
                    due.insert(record);
                }

                lost
            }
        };

        (self.look_at_excerpts, self.unwritten) = (true, true);
        if lost {
            // The peer says it once.
            self.write_down().await;
        }
    }

    /// Sends what has grown of the records handed over to the peer's crossing, a few at a time:
    /// proving them takes its time, and the link has other things to do.
    async fn send_excerpts(&mut self, crossing: &str) {
        if !self.look_at_excerpts || self.find_excerpts(crossing).await.is_err() {
            return;
        }

        for _ in 0..EXCERPTS_AT_ONCE {
            let Some(record) = self.excerpts_due.as_mut().and_then(BTreeSet::pop_first) else {
                break;
            };
            let Some(entries) = self.node.excerpt(&record).await else {
                continue;
            };
            let acked = self.excerpts.get(&record).copied().unwrap_or(0) as usize;
            let sent = self.excerpts_sent.get(&record).copied().unwrap_or(0) as usize;
            if entries.len() <= acked || sent > acked {
                continue;
            }

            let part = entries[acked..][..excerpt_part(&entries[acked..])].to_vec();
            self.excerpts_sent
                .insert(record, (acked + part.len()) as u32);

            let message = Message::Excerpt {
                record,
                from: acked as u32,
                entries: part,
            };

            self.inputs.push_back(Input::SendExcerpt(message));
        }

        self.look_at_excerpts = self.excerpts_due.as_ref().is_none_or(|due| !due.is_empty());
    }

    /// Finds the records handed over to a crossing that changed since the last look, or all of them
    /// at the first.
    async fn find_excerpts(&mut self, crossing: &str) -> Result<(), StoreError> {
        let node = self.node;
        let store = &node.store;
        let Some(mut due) = self.excerpts_due.take() else {
            let newest = store
                .records(&RecordFilter {
                    limit: 1,
                    ..RecordFilter::default()
                })
                .await?;

            self.excerpts_seen = newest.first().map_or(0, |r| r.changed);
            self.excerpts_due = Some(store.handed_over_to(crossing).await?.into_iter().collect());
            return Ok(());
        };

        let (mut changed, mut seen) = (BTreeSet::new(), self.excerpts_seen);
        loop {
            let page = store.changes(seen, CHANGES_AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            seen = last.cursor;
            changed.extend(page.iter().map(|c| c.record.id));
        }

        if !changed.is_empty() {
            due.extend(
                store
                    .handed_over_to(crossing)
                    .await?
                    .into_iter()
                    .filter(|id| changed.contains(id)),
            );
        }

        (self.excerpts_due, self.excerpts_seen) = (Some(due), seen);
        Ok(())
    }
}
