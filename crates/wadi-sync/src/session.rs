//! The session: one per peer connection, symmetrical, without IO.

use crate::{
    codec::{BlockDecoder, BlockEncoder, decode_plain, fits_frame},
    forks::{ForkSearch, PROBES},
    frontiers::Partial,
    message::{Fetched, Message, Range, SCOPES_MAX, ScopeSum, SyncError, TreeAsk},
    visible::{both_may_see, may_take},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wadi_log::{
    Block, Branch, Cosignature, Difference, Enrolment, ForkProof, Frontier, Hash, Lane, LogId,
    NodeId, Peaks, RecordId, Role, RootKey, Scope, SignedCheckpoint, Subtree, Tip,
};

/// The protocol's version.
const VERSION: u32 = 1;
/// Compressed bytes in flight before the next block waits for an acknowledgement: about two
/// bandwidth-delay products of the fastest link to expect (512 kbit/s, 600 ms).
const WINDOW_BYTES: usize = 80 * 1024;
/// What urgent lanes may have in flight beyond the window, so that bulk never delays them.
const URGENT_BYTES: usize = 32 * 1024;
/// Enrolments, ranges and sizes taken from one message at most.
pub(crate) const LIST_MAX: usize = 4096;
/// Times a peer may report a gap in one log before its blocks stop for this session.
const GAPS_MAX: u32 = 8;

/// What an acknowledgement says that asks for a log again.
const RETRY: &str = "retry";
/// What it says, beside all of a database, where the log is not the reason.
const PEER_STORE: [&str; 5] = [
    "disk_full",
    "store_conflict",
    "write_failed",
    "store_closed",
    "stopping",
];

/// What a session starts from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The commission's root.
    pub root: RootKey,
    /// This node's own enrolment.
    pub me: Enrolment,
    /// All enrolments held.
    pub members: Vec<Enrolment>,
    /// What this node holds.
    pub frontier: Frontier,
    /// Logs that will not grow any more and that a hub has cosigned to their end.
    pub closed: BTreeSet<LogId>,
    /// Newest hub time known, Unix seconds; a hub's own clock.
    pub hub_time_s: i64,
    /// Fork proofs held.
    pub forks: Vec<ForkProof>,
    /// Own logs whose end no hub is known to have cosigned.
    pub uncosigned: BTreeSet<LogId>,
    /// What both held alike when this peer was last in contact.
    pub remembered: Option<Frontier>,
    /// The peer's certificate has expired: only its own logs are exchanged.
    pub late: bool,
    /// What this node has provisioned for the link, bits a second; 0 where it does not know. The
    /// peer is told.
    pub rate_bits_s: u64,
}

/// What happened.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Input {
    /// The connection is up.
    Start(Box<Snapshot>),
    /// A message came.
    Received(Message),
    /// A block frame came on a lane's stream.
    Frame { lane: Lane, bytes: Vec<u8> },
    /// A query was answered.
    Answered(Query, Answer),
    /// A block that this session handed out is durable.
    /// `to` is where it ended; `tip` is what is held by now, which others may have brought further.
    Committed {
        log: LogId,
        to: u64,
        tip: Tip,
        cosignature: Cosignature,
    },
    /// A block that this session handed out was not taken.
    NotTaken { log: LogId, held: u64, code: String },
    /// Logs grew here, by this node's own writing or from other peers.
    Grew(Vec<(LogId, Tip)>),
    /// This node signed the head of one of its logs anew, with a newer hub time.
    Refreshed(LogId),
    /// Enrolments were learned elsewhere.
    NewMembers(Vec<Enrolment>),
    /// Fork proofs were learned elsewhere.
    NewForks(Vec<ForkProof>),
    /// The uplink is down: give this neighbour what the hub lacks of these own logs, from these
    /// sizes on.
    CarryFor(BTreeMap<LogId, u64>),
    /// Blocks carried for others, to be offered to a hub.
    Carrying(Vec<Range>),
    /// A block taken to carry is durable.
    CarriedStored { log: LogId, to: u64 },
    /// An excerpt is due to this peer.
    SendExcerpt(Message),
    /// An excerpt is durable here: so many of the record's entries.
    ExcerptTaken { record: RecordId, entries: u32 },
    /// Compare everything once more, with what was read anew from the disk.
    Recompare(Box<Frontier>),
    /// Ask the peer for entries of a tree.
    Fetch {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    },
    /// Ask the peer what its records come to.
    AskDigests,
    /// Ask the peer for hashes of a tree.
    AskTree {
        log: LogId,
        tip: Tip,
        salt: u64,
        asks: Vec<TreeAsk>,
    },
    /// A hub's cosignature that the peer should hear of.
    TellCosigned {
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    },
}

/// A question to the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Query {
    /// The block of a log from that position on, about 8 KiB, ending at a checkpoint.
    Block { log: LogId, from: u64 },
    /// Roots of a log at sizes that are held.
    Roots {
        log: LogId,
        sizes: Vec<u64>,
        for_peer: bool,
    },
    /// The checkpoint held of a log, and the leaf at a position with its audit path.
    Branch { log: LogId, at: u64, for_peer: bool },
    /// The carried block of a log that begins there.
    Carried { log: LogId, from: u64 },
    /// Entries of a tree of a log, proven; a tree that is held as the log or beside it.
    Stretches {
        log: LogId,
        size: u64,
        root: Hash,
        ranges: Vec<(u64, u64)>,
    },
    /// What the records come to, of each lane and crossing.
    Digests,
    /// Short hashes of a tree's subtrees.
    Tree {
        log: LogId,
        size: u64,
        root: Hash,
        salt: u64,
        parts: Vec<Subtree>,
    },
}

/// Its answer; none where the store does not hold what was asked for.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Answer {
    Block(Option<Block>),
    Roots(BTreeMap<u64, Hash>),
    Branch(Option<Branch>),
    Stretches(Fetched),
    Tree(Vec<u8>),
    Digests(Vec<ScopeSum>),
}

/// What is to be done.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Output {
    /// Send on the message stream.
    Send(Message),
    /// Send on the lane's stream.
    SendFrame { lane: Lane, bytes: Vec<u8> },
    /// Ask the store.
    Ask(Query),
    /// Verify and commit this block; answer with `Committed` or `NotTaken`.
    Ingest(Block),
    /// Learn these enrolments, where the root signed them.
    Learn(Vec<Enrolment>),
    /// Verify and keep these fork proofs.
    TakeForks(Vec<ForkProof>),
    /// The peer cosigned a checkpoint, or tells of a hub's cosignature.
    TakeCosignature {
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    },
    /// Keep this block for the hub.
    TakeCarried { block: Block, bytes: Vec<u8> },
    /// Verify and keep this excerpt.
    TakeExcerpt {
        record: RecordId,
        from: u32,
        entries: Vec<crate::ExcerptEntry>,
    },
    /// The peer holds so many of the record's entries as an excerpt.
    ExcerptAcked { record: RecordId, entries: u32 },
    /// Entries of a tree, not verified, and what the peer lacks of it.
    TakeStretches(Fetched),
    /// The peer's short hashes of a tree, in the order in which they were asked for.
    TreeTold {
        log: LogId,
        tip: Tip,
        salt: u64,
        hashes: Vec<u8>,
    },
    /// What the peer's records come to.
    DigestsTold(Vec<ScopeSum>),
    /// What comparing everything once more came to: logs that differ.
    Compared(BTreeMap<LogId, Difference>),
    /// A hub's own clock, as it says itself.
    HubTime(i64),
    /// Both hold the same of all that both may see.
    InStep,
    /// What both hold alike, to be remembered until the next contact.
    Remember(Box<Frontier>),
    /// The peer sent, or was refused, something; to be shown.
    Refuse {
        subject: String,
        code: String,
        why: String,
    },
    /// Nothing more can come of this connection.
    Close { code: &'static str, why: String },
}

/// What is known of one log at the peer.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    /// Entries durable at the peer.
    pub(crate) theirs: u64,
    /// Entries sent, acknowledged or not.
    pub(crate) sent: u64,
    /// What the peer holds is a prefix of what is held here.
    pub(crate) checked: bool,
    /// Nothing more of it in this session.
    pub(crate) stuck: bool,
    gaps: u32,
    /// Boxed: hardly any log has one, and a peer may name many logs.
    pub(crate) fork_search: Option<Box<ForkSearch>>,
}

impl PeerLog {
    /// Whatever made the log rest is asked anew.
    pub(crate) fn begin_anew(&mut self) {
        (self.stuck, self.gaps, self.fork_search) = (false, 0, None);
    }
}

struct InFlight {
    log: LogId,
    to: u64,
    bytes: usize,
    checkpoint: SignedCheckpoint,
    /// Sent before the peer reported a gap: it will report one for this block too.
    void: bool,
}

/// One session.
pub struct Session {
    peer_node: NodeId,
    peer: Option<Enrolment>,
    pub(crate) start: Option<Snapshot>,
    said: Frontier,
    said_digest: Hash,
    said_members: Hash,
    pub(crate) logs: BTreeMap<LogId, PeerLog>,
    greeted: bool,
    pub(crate) told_frontier: bool,
    pub(crate) agreed: bool,
    pub(crate) unfolding: BTreeSet<NodeId>,
    /// Nodes whose closed logs the peer was told one by one since the frontier was told.
    pub(crate) unfolded: BTreeSet<NodeId>,
    loading: BTreeSet<Query>,
    in_flight: Vec<InFlight>,
    encoders: BTreeMap<Lane, BlockEncoder>,
    decoders: BTreeMap<Lane, BlockDecoder>,
    carry: BTreeMap<LogId, u64>,
    wanted: VecDeque<Range>,
    pub(crate) comparing: Option<BTreeMap<LogId, Difference>>,
    /// The digest of what the peer remembers that both held alike.
    pub(crate) peer_remembers: Option<Hash>,
    /// Parts of the peer's frontier.
    pub(crate) partial: Option<Partial>,
    /// The digest of what was last given to be remembered.
    pub(crate) remembered: Option<Hash>,
    /// Logs whose blocks came before their author was known here, with what is held.
    unknown: BTreeMap<LogId, u64>,
    known_before: bool,
    closed: bool,
    sent_bytes: u64,
    message_bytes: u64,
}

impl Session {
    /// A session with the node that the peer's certificate names.
    pub fn new(peer_node: NodeId) -> Self {
        Self {
            peer_node,
            peer: None,
            start: None,
            said: Frontier::default(),
            said_digest: Hash::default(),
            said_members: Hash::default(),
            logs: BTreeMap::new(),
            greeted: false,
            told_frontier: false,
            agreed: false,
            unfolding: BTreeSet::new(),
            unfolded: BTreeSet::new(),
            loading: BTreeSet::new(),
            in_flight: Vec::new(),
            encoders: BTreeMap::new(),
            decoders: BTreeMap::new(),
            carry: BTreeMap::new(),
            wanted: VecDeque::new(),
            comparing: None,
            peer_remembers: None,
            partial: None,
            remembered: None,
            unknown: BTreeMap::new(),
            known_before: false,
            closed: false,
            sent_bytes: 0,
            message_bytes: 0,
        }
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
        self.greeted
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

        start.frontier.0.iter().map(lacks).sum()
    }

    /// Whether frontiers were compared and nothing is left to send, load or search out.
    pub fn is_idle(&self) -> bool {
        self.agreed
            && self.in_flight.is_empty()
            && self.loading.is_empty()
            && self.unfolding.is_empty()
    }

    /// Whether frontiers were compared, and no control entries are known that the peer holds and
    /// this node does not.
    pub fn knows_control(&self) -> bool {
        let behind = |(log, link): (&LogId, &PeerLog)| {
            log.lane == Lane::Control && !link.stuck && link.theirs > self.mine(log).size
        };
        self.agreed && self.unfolding.is_empty() && !self.logs.iter().any(behind)
    }

    /// Bytes of messages, both ways, that compare what both hold.
    pub fn message_bytes(&self) -> u64 {
        self.message_bytes
    }

    /// Bytes of block frames handed out so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Takes in what happened; returns what is to be done, in order.
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.closed {
            return out;
        }

        if let Input::Received(message) = &input {
            self.message_bytes += compared_bytes(message);
        }

        if let Err(error) = self.take(input, &mut out) {
            self.closed = true;
            out.push(Output::Close {
                code: error.code(),
                why: error.to_string(),
            });
        }

        let sent = out.iter().filter_map(|o| {
            if let Output::Send(m) = o {
                Some(compared_bytes(m))
            } else {
                None
            }
        });

        self.message_bytes += sent.sum::<u64>();
        out
    }

    fn take(&mut self, input: Input, out: &mut Vec<Output>) -> Result<(), SyncError> {
        match input {
            Input::Start(snapshot) => self.begin(*snapshot, out),
            Input::Received(message) => return self.received(message, out),
            Input::Frame { lane, bytes } => return self.frame(lane, &bytes, out),
            Input::Answered(query, answer) => return self.answered(query, answer, out),
            Input::Committed {
                log,
                to,
                tip,
                cosignature,
            } => {
                self.grew(log, tip);
                let link = self.logs.entry(log).or_default();

                // The peer holds what it sent, which was proven to be a prefix of what is held
                // here; not what others brought.
                let end = to.min(tip.size);
                link.theirs = link.theirs.max(end);
                link.sent = link.sent.max(end);
                link.checked |= link.fork_search.is_none();

                let size = tip.size;
                out.push(Output::Send(Message::Ack {
                    log,
                    size,
                    cosignature: Some(cosignature),
                    refused: String::new(),
                }));

                self.pump(out);
                // An own log that came back from a hub came without the hub's cosignature.
                let is_own = self.start.as_ref().is_some_and(|s| s.me.node() == log.node);
                if is_own && self.peer_is_hub() {
                    self.refresh(log, out);
                }

                self.in_step(out);
            }
            Input::NotTaken { log, held, code } => {
                if code == "not_enrolled" && self.unknown.len() < LIST_MAX {
                    self.unknown.insert(log, held);
                }

                out.push(Output::Send(Message::Ack {
                    log,
                    size: held,
                    cosignature: None,
                    refused: code,
                }));
            }
            Input::Grew(tips) => {
                for (log, tip) in tips {
                    self.grew(log, tip);
                }
                self.pump(out);
            }
            Input::Refreshed(log) => {
                // Too early to be shown: it is when the frontiers are compared.
                if let Some(start) = self.start.as_mut().filter(|_| !self.agreed) {
                    start.uncosigned.insert(log);
                }
                self.refresh(log, out);
            }
            Input::NewMembers(new) => {
                if let Some(start) = &mut self.start {
                    start.members.extend(new.iter().cloned());
                    out.push(Output::Send(Message::Members(new)));
                }
            }
            Input::NewForks(proofs) => self.send_forks(proofs, out),
            Input::CarryFor(from) => {
                self.carry.retain(|log, _| from.contains_key(log));
                for (log, at) in from {
                    if !self.carry.contains_key(&log) && !self.visible(&log) {
                        self.logs.entry(log).or_default().sent = at;
                        self.carry.insert(log, at);
                    }
                }

                self.pump(out);
            }
            Input::Carrying(ranges) => {
                if self.peer_is_hub() && !ranges.is_empty() {
                    out.push(Output::Send(Message::CarryOffer(ranges)));
                }
            }
            Input::CarriedStored { log, to } => {
                out.push(Output::Send(Message::CarryAck { log, size: to }))
            }
            Input::SendExcerpt(message) => out.push(Output::Send(message)),
            Input::ExcerptTaken { record, entries } => {
                out.push(Output::Send(Message::ExcerptAck { record, entries }));
            }
            Input::Recompare(frontier) => self.recompare(*frontier, out),
            Input::Fetch { log, tip, ranges } => {
                if self.visible(&log) {
                    out.push(Output::Send(Message::Fetch { log, tip, ranges }));
                }
            }
            Input::AskDigests => out.push(Output::Send(Message::AskDigests)),
            Input::AskTree {
                log,
                tip,
                salt,
                asks,
            } => {
                if self.visible(&log) {
                    out.push(Output::Send(Message::Tree {
                        log,
                        tip,
                        salt,
                        asks,
                    }));
                }
            }
            Input::TellCosigned {
                checkpoint,
                cosignature,
            } => {
                out.push(Output::Send(Message::Cosigned {
                    checkpoint,
                    cosignature,
                }));
            }
        }

        Ok(())
    }

    fn begin(&mut self, snapshot: Snapshot, out: &mut Vec<Output>) {
        // Until the peer has said who it is, the enrolment on record tells what both may see; a
        // stranger's digest will differ, and the frontiers tell.
        self.peer = snapshot
            .members
            .iter()
            .find(|e| e.node() == self.peer_node)
            .cloned();

        self.known_before = self.peer.is_some();
        self.narrow(snapshot.late);
        self.start = Some(snapshot);
        self.said = self.visible_frontier();
        self.said_digest = self.said.digest();

        let start = self.start.as_ref().expect("just set");
        self.said_members = members_digest(&start.members);
        out.push(Output::Send(Message::Hello {
            version: VERSION,
            enrolment: Box::new(start.me.clone()),
            digest: self.said_digest,
            members: self.said_members,
            hub_time_s: start.hub_time_s,
            remembers: start
                .remembered
                .as_ref()
                .map(Frontier::digest)
                .unwrap_or_default(),
            rate_bits_s: start.rate_bits_s,
        }));

        // Proofs travel first.
        let forks = start.forks.clone();
        self.send_forks(forks, out);
    }

    /// Of a peer that is late nothing is taken and to it nothing is given but what is its own.
    fn narrow(&mut self, late: bool) {
        if let Some(peer) = self.peer.as_mut().filter(|_| late) {
            peer.scope = Scope(Vec::new());
        }
    }

    /// A log that both may see: each by its grant, or because it is its own.
    pub fn visible(&self, log: &LogId) -> bool {
        let (Some(start), Some(peer)) = (&self.start, &self.peer) else {
            return false;
        };
        both_may_see(&start.me, peer, log)
    }

    fn mine_to_take(&self, log: &LogId) -> bool {
        self.start.as_ref().is_some_and(|s| may_take(&s.me, log))
    }

    pub(crate) fn visible_frontier(&self) -> Frontier {
        let all = self.start.iter().flat_map(|s| s.frontier.0.iter());
        Frontier(
            all.filter(|(log, _)| self.visible(log))
                .map(|(log, tip)| (*log, *tip))
                .collect(),
        )
    }

    fn grew(&mut self, log: LogId, tip: Tip) {
        if let Some(start) = &mut self.start {
            let held = start.frontier.0.entry(log).or_insert(tip);
            if held.size <= tip.size {
                *held = tip;
            }
        }
    }

    pub(crate) fn mine(&self, log: &LogId) -> Tip {
        let held = self
            .start
            .as_ref()
            .and_then(|s| s.frontier.0.get(log))
            .copied();

        held.unwrap_or(Tip {
            size: 0,
            root: Peaks::default().root(),
        })
    }

    fn received(&mut self, message: Message, out: &mut Vec<Output>) -> Result<(), SyncError> {
        // Who speaks, and with which papers, is known before anything of it is heeded.
        if self.start.is_none() || !self.greeted && !matches!(message, Message::Hello { .. }) {
            return Err(SyncError::OutOfOrder("a message"));
        }

        match message {
            // Its rate is for the porch, which knows the link.
            Message::Hello {
                version,
                enrolment,
                digest,
                members,
                hub_time_s,
                remembers,
                rate_bits_s: _,
            } => {
                self.peer_remembers = Some(remembers).filter(|r| *r != Hash::default());
                return self.hello(version, *enrolment, digest, members, hub_time_s, out);
            }
            Message::Members(list) => {
                let known: BTreeSet<NodeId> = list.iter().map(Enrolment::node).collect();
                out.push(Output::Learn(list.into_iter().take(LIST_MAX).collect()));

                // Blocks overtake members: now that their author is known, they are asked for
                // again.
                let again: Vec<(LogId, u64)> = self
                    .unknown
                    .iter()
                    .filter(|(l, _)| known.contains(&l.node))
                    .map(|(l, held)| (*l, *held))
                    .collect();

                for (log, size) in again {
                    self.unknown.remove(&log);
                    out.push(Output::Send(Message::Ack {
                        log,
                        size,
                        cosignature: None,
                        refused: RETRY.into(),
                    }));
                }
            }
            // The driver has to learn the members before the proofs can be verified: order is kept.
            Message::ForkProofs(proofs) => out.push(Output::TakeForks(
                proofs.into_iter().take(LIST_MAX).collect(),
            )),
            Message::Frontier { folded, told } => return self.frontier_part(folded, told, out),
            Message::Unfold(nodes) => self.unfold(&nodes, out),
            Message::Ack {
                log,
                size,
                cosignature,
                refused,
            } => self.ack(log, size, cosignature, refused, out),
            Message::Probe { log, sizes } => {
                if self.visible(&log) {
                    let held = self.mine(&log).size;
                    let sizes = sizes
                        .into_iter()
                        .filter(|s| *s <= held)
                        .take(2 * PROBES as usize)
                        .collect();

                    out.push(Output::Ask(Query::Roots {
                        log,
                        sizes,
                        for_peer: true,
                    }));
                }
            }
            Message::Roots { log, roots } => {
                if let Some(fork_search) =
                    self.logs.get_mut(&log).and_then(|l| l.fork_search.as_mut())
                {
                    fork_search.theirs = Some(roots);
                    self.fork_search(log, out);
                }
            }
            Message::WantBranch { log, at } => {
                if self.visible(&log) && at < self.mine(&log).size {
                    out.push(Output::Ask(Query::Branch {
                        log,
                        at,
                        for_peer: true,
                    }));
                }
            }
            Message::BranchAt { log, at, branch } => {
                if let Some(fork_search) =
                    self.logs.get_mut(&log).and_then(|l| l.fork_search.as_mut())
                    && fork_search.equal == at
                {
                    fork_search.their_branch = Some(*branch);
                    self.prove(log, out);
                }
            }
            Message::Excerpt {
                record,
                from,
                entries,
            } => out.push(Output::TakeExcerpt {
                record,
                from,
                entries,
            }),
            Message::ExcerptAck { record, entries } => {
                out.push(Output::ExcerptAcked { record, entries })
            }
            Message::Cosigned {
                checkpoint,
                cosignature,
            } => {
                out.push(Output::TakeCosignature {
                    checkpoint,
                    cosignature,
                });
            }
            Message::CarryOffer(ranges) => self.carry_offer(&ranges, out),
            Message::CarryWant(ranges) => {
                // What is carried for somebody is for hubs: nobody else reads it, whoever asks.
                let theirs = self.peer.clone().filter(|p| p.role == Role::Hub);
                let ranges = ranges
                    .into_iter()
                    .filter(|r| theirs.as_ref().is_some_and(|p| may_take(p, &r.log)));
                let room = LIST_MAX - self.wanted.len();

                self.wanted.extend(ranges.take(room));
                self.pump(out);
            }
            Message::Carry { log, block: bytes } => {
                let block = decode_plain(&bytes)?;
                if log.node != self.peer_node || block.checkpoint.checkpoint.log != log {
                    refuse(
                        out,
                        log.origin(),
                        "carry_foreign",
                        "a node carries only what the owner itself hands it",
                    );
                } else if !fits_frame(&block) {
                    refuse(
                        out,
                        log.origin(),
                        "block_too_large",
                        "no hub could be given what is carried so",
                    );
                } else {
                    out.push(Output::TakeCarried { block, bytes });
                }
            }
            Message::Recompare => self.compared_anew(),
            Message::Fetch { log, tip, ranges } => {
                if self.visible(&log) {
                    let Tip { size, root } = tip;
                    out.push(Output::Ask(Query::Stretches {
                        log,
                        size,
                        root,
                        ranges,
                    }));
                }
            }
            Message::Fetched(fetched) => out.push(Output::TakeStretches(fetched)),
            Message::Tree {
                log,
                tip,
                salt,
                asks,
            } => {
                if self.visible(&log) {
                    let (Tip { size, root }, parts) =
                        (tip, asks.iter().flat_map(TreeAsk::parts).collect());
                    out.push(Output::Ask(Query::Tree {
                        log,
                        size,
                        root,
                        salt,
                        parts,
                    }));
                }
            }
            Message::AskDigests => out.push(Output::Ask(Query::Digests)),
            Message::Digests(sums) => out.push(Output::DigestsTold(sums)),
            Message::TreeIs {
                log,
                tip,
                salt,
                hashes,
            } => {
                out.push(Output::TreeTold {
                    log,
                    tip,
                    salt,
                    hashes,
                });
            }
            Message::CarryAck { log, size } => {
                if let Some(from) = self.carry.get_mut(&log) {
                    *from = (*from).max(size);
                    self.pump(out);
                }
            }
        }

        Ok(())
    }

    fn hello(
        &mut self,
        version: u32,
        enrolment: Enrolment,
        digest: Hash,
        members: Hash,
        hub_time_s: i64,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let start = self.start.as_ref().expect("checked by the caller");
        if version != VERSION {
            return Err(SyncError::Version {
                theirs: version,
                ours: VERSION,
            });
        }

        if enrolment.node() != self.peer_node || enrolment.verify(&start.root).is_err() {
            let why = format!(
                "{} did not show an enrolment of the commission for its own node",
                self.peer_node
            );
            return Err(SyncError::NotEnrolled(why));
        }

        // Grants change by a newer enrolment: an older one that the peer prefers to show does not
        // bring them back.
        let known = self.peer.take().filter(|k| k.serial >= enrolment.serial);
        self.greeted = true;
        let news = known.is_none();
        self.peer = Some(known.unwrap_or_else(|| enrolment.clone()));
        self.narrow(self.start.as_ref().is_some_and(|s| s.late));
        if news {
            out.push(Output::Learn(vec![enrolment]));
        }

        if self.peer_is_hub() && hub_time_s > 0 {
            out.push(Output::HubTime(hub_time_s));
        }

        let start = self.start.as_ref().expect("checked by the caller");
        if members != self.said_members {
            for part in start.members.chunks(200) {
                out.push(Output::Send(Message::Members(part.to_vec())));
            }
        }

        // Two strangers' digests are equal because neither knows what the other may see.
        if digest == self.said_digest && self.known_before {
            for (log, tip) in &self.said.0 {
                let link = self.logs.entry(*log).or_default();
                (link.theirs, link.sent, link.checked) = (tip.size, tip.size, true);
            }

            self.agreed = true;
            self.ask_for_cosignatures(out);
            self.pump(out);
            self.in_step(out);
        } else {
            self.tell_frontier(out);
        }

        Ok(())
    }

    fn answered(
        &mut self,
        query: Query,
        answer: Answer,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        self.loading.remove(&query);
        match (query, answer) {
            (Query::Block { log, from }, Answer::Block(Some(block))) => {
                if self.carry.contains_key(&log) && !self.visible(&log) {
                    let to = block.checkpoint.checkpoint.size;
                    let bytes = crate::encode_plain(&block);
                    if let Some(at) = self.carry.get_mut(&log)
                        && *at == from
                    {
                        // Held back until the neighbour has it; CarryAck goes on from there.
                        self.logs.entry(log).or_default().sent = to;
                        out.push(Output::Send(Message::Carry { log, block: bytes }));
                    }
                } else {
                    self.send_block(log, block, out)?;
                }

                self.pump(out);
            }
            (Query::Block { log, from }, _) if from < self.mine(&log).size => {
                self.logs.entry(log).or_default().stuck = true;
                refuse(
                    out,
                    log.origin(),
                    "unreadable",
                    "the store does not give the next block of this log",
                );

                self.pump(out);
            }
            (Query::Carried { log, .. }, answer) => {
                if let Answer::Block(Some(block)) = answer {
                    self.send_block(log, block, out)?;
                }
                self.pump(out);
            }
            (
                Query::Roots {
                    log,
                    for_peer: true,
                    ..
                },
                Answer::Roots(roots),
            ) => {
                out.push(Output::Send(Message::Roots { log, roots }));
            }
            (Query::Roots { log, .. }, Answer::Roots(roots)) => {
                if let Some(fork_search) =
                    self.logs.get_mut(&log).and_then(|l| l.fork_search.as_mut())
                {
                    fork_search.mine = Some(roots);
                    self.fork_search(log, out);
                }
            }
            (
                Query::Branch {
                    log,
                    at,
                    for_peer: true,
                },
                Answer::Branch(Some(branch)),
            ) => {
                out.push(Output::Send(Message::BranchAt {
                    log,
                    at,
                    branch: Box::new(branch),
                }));
            }
            (Query::Branch { log, at, .. }, Answer::Branch(Some(branch))) => {
                if let Some(fork_search) =
                    self.logs.get_mut(&log).and_then(|l| l.fork_search.as_mut())
                    && fork_search.equal == at
                {
                    fork_search.my_branch = Some(branch);
                    self.prove(log, out);
                }
            }
            (Query::Stretches { .. }, Answer::Stretches(fetched)) => {
                out.push(Output::Send(Message::Fetched(fetched)));
            }
            (Query::Digests, Answer::Digests(sums)) => {
                // Of what the peer takes as a whole, and no more: a sum over part of a lane would
                // equal nothing.
                let takes = |s: &ScopeSum| {
                    self.peer
                        .as_ref()
                        .is_some_and(|p| p.scope.takes(s.lane, s.crossing))
                };

                let sums = sums.into_iter().filter(takes).take(SCOPES_MAX).collect();
                out.push(Output::Send(Message::Digests(sums)));
            }
            (
                Query::Tree {
                    log,
                    size,
                    root,
                    salt,
                    ..
                },
                Answer::Tree(hashes),
            ) => {
                out.push(Output::Send(Message::TreeIs {
                    log,
                    tip: Tip { size, root },
                    salt,
                    hashes,
                }));
            }
            _ => {}
        }

        Ok(())
    }

    fn send_block(
        &mut self,
        log: LogId,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let lane = log.lane;
        if !fits_frame(&block) {
            // It would end the peer's patience with this node, each time anew, and every other
            // log's with it.
            self.logs.entry(log).or_default().stuck = true;
            refuse(
                out,
                log.origin(),
                "block_too_large",
                "the next block of this log is larger than a frame takes",
            );

            return Ok(());
        }

        let encoder = match self.encoders.entry(lane) {
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::btree_map::Entry::Vacant(e) => e.insert(BlockEncoder::new()?),
        };
        let bytes = encoder.encode(&block)?;
        let to = block.checkpoint.checkpoint.size;

        self.logs.entry(log).or_default().sent = to;
        self.sent_bytes += bytes.len() as u64;
        self.in_flight.push(InFlight {
            log,
            to,
            bytes: bytes.len(),
            checkpoint: block.checkpoint,
            void: false,
        });

        out.push(Output::SendFrame { lane, bytes });
        Ok(())
    }

    /// Asks for the next block to send, the most urgent lane first, as long as the window is open.
    pub(crate) fn pump(&mut self, out: &mut Vec<Output>) {
        if !self.agreed {
            return;
        }

        let in_flight: usize = self.in_flight.iter().map(|f| f.bytes).sum();
        let Some(start) = &self.start else { return };
        let mut due: Vec<(Lane, LogId, u64)> = Vec::new();
        for (log, tip) in &start.frontier.0 {
            let carried = self.carry.get(log).copied();
            let visible = self.visible(log);
            if !visible && carried.is_none() || visible && self.unfolding.contains(&log.node) {
                continue;
            }

            let from = match self.logs.get(log) {
                Some(l) if l.stuck || l.fork_search.is_some() || (!l.checked && visible) => {
                    continue;
                }
                // A carried block is sent only when the one before it is durable at the neighbour.
                Some(l) if !visible && l.sent > carried.unwrap_or(0) => continue,
                Some(l) if visible => l.sent,
                _ => carried.filter(|_| !visible).unwrap_or(0),
            };

            if from < tip.size {
                due.push((log.lane, *log, from));
            }
        }

        due.sort();
        let mut loading = self.loading.len();
        if due.is_empty()
            && loading == 0
            && in_flight < WINDOW_BYTES
            && let Some(r) = self.wanted.pop_front()
        {
            let query = Query::Carried {
                log: r.log,
                from: r.from,
            };
            if self.loading.insert(query.clone()) {
                out.push(Output::Ask(query));
            }

            return;
        }

        for (lane, log, from) in due {
            let urgent = lane <= Lane::Hold;
            let window = if urgent {
                WINDOW_BYTES + URGENT_BYTES
            } else {
                WINDOW_BYTES
            };

            // One block at a time is loaded: what is loaded later is fresher, and an urgent lane
            // waits for one at most.
            if in_flight >= window || loading > usize::from(urgent) {
                break;
            }

            if self
                .loading
                .iter()
                .any(|q| matches!(q, Query::Block { log: l, .. } if *l == log))
            {
                continue;
            }

            let query = Query::Block { log, from };
            if self.loading.insert(query.clone()) {
                self.logs.entry(log).or_default().checked |= from == 0;
                loading += 1;
                out.push(Output::Ask(query));
            }
        }
    }

    fn peer_is_hub(&self) -> bool {
        self.peer.as_ref().is_some_and(|p| p.role == Role::Hub)
    }

    /// A hub that holds all of an own log and whose cosignature was lost on the way is shown the
    /// head again.
    pub(crate) fn ask_for_cosignatures(&mut self, out: &mut Vec<Output>) {
        let logs = self
            .start
            .as_ref()
            .filter(|_| self.peer_is_hub())
            .map(|s| s.uncosigned.clone())
            .unwrap_or_default();

        for log in logs {
            self.refresh(log, out);
        }
    }

    fn refresh(&mut self, log: LogId, out: &mut Vec<Output>) {
        let size = self.mine(&log).size;
        let at_end = self
            .logs
            .get(&log)
            .is_some_and(|l| l.theirs == size && l.sent == size && !l.stuck);

        if self.agreed && at_end && self.visible(&log) {
            let query = Query::Block { log, from: size };
            if self.loading.insert(query.clone()) {
                out.push(Output::Ask(query));
            }
        }
    }

    fn ack(
        &mut self,
        log: LogId,
        size: u64,
        cosignature: Option<Cosignature>,
        refused: String,
        out: &mut Vec<Output>,
    ) {
        if refused == RETRY {
            if let Some(link) = self.logs.get_mut(&log)
                && link.gaps < GAPS_MAX
                && link.fork_search.is_none()
            {
                let held = size.min(link.sent);
                (link.theirs, link.sent, link.stuck) = (held, held, false);
                link.gaps += 1;
                self.in_flight
                    .iter_mut()
                    .filter(|f| f.log == log)
                    .for_each(|f| f.void = true);
                self.pump(out);
            }

            return;
        }

        // Every block is answered once, in the order of its log: this answers the first in flight.
        let Some(at) = self.in_flight.iter().position(|f| f.log == log) else {
            return;
        };
        let answered = self.in_flight.remove(at);
        let link = self.logs.entry(log).or_default();

        match refused.as_str() {
            "" => {
                // Nothing the peer says moves a log beyond what was sent to it.
                link.theirs = link.theirs.max(size.min(link.sent)).max(answered.to);
                link.gaps = 0;
                if let Some(cosignature) = cosignature
                    && answered.to == size
                {
                    let checkpoint = Box::new(answered.checkpoint);
                    out.push(Output::TakeCosignature {
                        checkpoint,
                        cosignature,
                    });
                }
            }
            _ if answered.void => {}
            "gap" if link.gaps < GAPS_MAX => {
                link.gaps += 1;
                let held = size.min(link.sent);
                (link.theirs, link.sent) = (held, held);
                self.in_flight
                    .iter_mut()
                    .filter(|f| f.log == log)
                    .for_each(|f| f.void = true);
            }
            "not_enrolled" => {
                // It rests until the peer, having learned of the author, asks for it again.
                link.stuck = true;
                self.in_flight
                    .iter_mut()
                    .filter(|f| f.log == log)
                    .for_each(|f| f.void = true);

                let members = self.start.iter().flat_map(|s| &s.members);
                let author: Vec<Enrolment> =
                    members.filter(|e| e.node() == log.node).cloned().collect();
                out.push(Output::Send(Message::Members(author)));
            }
            code if code.starts_with("database_") || PEER_STORE.contains(&code) => {
                // Not the log's fault: the next connection tries again.
                self.closed = true;
                out.push(Output::Close {
                    code: "peer_store",
                    why: format!("the peer cannot store: {refused}"),
                });
                return;
            }
            _ => {
                link.stuck = true;
                refuse(
                    out,
                    log.origin(),
                    &refused,
                    &format!("the peer does not take this log beyond {size} entries"),
                );
            }
        }

        self.pump(out);
        self.in_step(out);
    }

    fn frame(&mut self, lane: Lane, bytes: &[u8], out: &mut Vec<Output>) -> Result<(), SyncError> {
        if self.peer.is_none() || self.start.is_none() {
            return Err(SyncError::OutOfOrder("a block"));
        }

        let decoder = match self.decoders.entry(lane) {
            std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::btree_map::Entry::Vacant(e) => e.insert(BlockDecoder::new()?),
        };
        let block = decoder.decode(bytes)?;
        let log = block.checkpoint.checkpoint.log;
        if log.lane != lane {
            return Err(SyncError::BadBlock(
                "it came on another lane's stream".into(),
            ));
        }

        if self.mine_to_take(&log) {
            out.push(Output::Ingest(block));
        } else {
            refuse(
                out,
                log.origin(),
                "outside_grant",
                "the peer sent a log that this node may not take",
            );

            out.push(Output::Send(Message::Ack {
                log,
                size: 0,
                cosignature: None,
                refused: "outside_grant".into(),
            }));
        }

        Ok(())
    }

    fn carry_offer(&mut self, ranges: &[Range], out: &mut Vec<Output>) {
        let mut reach: BTreeMap<LogId, u64> = BTreeMap::new();
        let mut wanted = Vec::new();
        let mut ranges: Vec<Range> = ranges.iter().take(LIST_MAX).copied().collect();
        ranges.sort();

        for r in ranges {
            let held = *reach.entry(r.log).or_insert_with(|| self.mine(&r.log).size);
            if self.mine_to_take(&r.log) && r.from <= held && r.to > held {
                reach.insert(r.log, r.to);
                wanted.push(r);
            }
        }

        if !wanted.is_empty() {
            out.push(Output::Send(Message::CarryWant(wanted)));
        }
    }

    pub(crate) fn in_step(&mut self, out: &mut Vec<Output>) {
        if self.is_idle() && self.unsent() == 0 {
            self.remember(out);
            out.push(Output::InStep);
        }
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

pub(crate) fn refuse(out: &mut Vec<Output>, subject: String, code: &str, why: &str) {
    out.push(Output::Refuse {
        subject,
        code: code.into(),
        why: why.into(),
    });
}

fn members_digest(members: &[Enrolment]) -> Hash {
    let mut peaks = Peaks::default();
    let mut all: Vec<Vec<u8>> = members.iter().map(Enrolment::to_bytes).collect();
    all.sort();
    all.dedup();
    all.iter()
        .for_each(|e| drop(peaks.append(wadi_log::leaf_hash(e))));

    peaks.root()
}
