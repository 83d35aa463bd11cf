//! What a session is told, what it asks the store, and what it wants done.

use crate::{
    codec::{HeldKey, HeldParts},
    link_spec::LaneSet,
    message::{ExcerptAmount, ExcerptEntry, Fetched, Message, Picked, Range, ScopeSum, TreeAsk},
    refuse_reason::RefuseReason,
    sealed_block::{CarriedBlock, SealedBlock},
    sketch::SketchAsk,
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{
    Block, Branch, Cosignature, Difference, Enrolment, ForkProof, Frontier, Hash, Lane, LogId,
    NodeId, RecordId, RootKey, SignedCheckpoint, Subtree, Tip,
};

/// What a session starts from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The commission's root.
    pub root: RootKey,
    /// This node's own enrolment.
    pub me: Enrolment,
    /// The peer held it when they last met, and need not be shown it.
    pub peer_holds_me: bool,
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
    /// What this node has provisioned for the link, bits a second, where it knows. The peer is
    /// told.
    pub rate_bits_s: Option<u64>,
}

/// What happened.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Input {
    /// The connection is up.
    Connected(Box<Snapshot>),
    /// A message came.
    MessageReceived(Message),
    /// A block frame came on a lane's stream.
    FrameReceived { lane: Lane, bytes: Vec<u8> },
    /// A query was answered.
    StoreAnswered(Query, QueryAnswer),
    /// A block that this session handed out is durable.
    /// `to` is where it ended; `tip` is what is held by now, which others may have brought further.
    BlockCommitted {
        log: LogId,
        to: u64,
        tip: Tip,
        cosignature: Cosignature,
    },
    /// A block that this session handed out was not taken.
    BlockRefused {
        log: LogId,
        held: u64,
        reason: RefuseReason,
    },
    /// Blocks of these logs were refused for a reason that has passed: they are asked for again.
    AskAgain(Vec<LogId>),
    /// What the link to the peer holds, bytes, as its congestion control measured it: so much and
    /// as much again may be in flight.
    LinkHolds(u64),
    /// Of several links with the peer this one is to send these lanes, and no others.
    SendLanes(LaneSet),
    /// The peer holds so much of these logs, as another link with it learned.
    PeerHolds(Vec<(LogId, u64)>),
    /// Logs grew here, by this node's own writing or from other peers.
    LogsGrew(Vec<(LogId, Tip)>),
    /// This node signed the head of one of its logs anew, with a newer hub time.
    HeadRefreshed(LogId),
    /// Enrolments were learned elsewhere.
    NewMembers(Vec<Enrolment>),
    /// Fork proofs were learned elsewhere.
    NewForks(Vec<ForkProof>),
    /// All nodes that are cut, and of each cut its places: logs, and how much of each has to be
    /// held to know of it. What they wrote goes behind one place of each.
    NodesCut(BTreeMap<NodeId, Vec<BTreeMap<LogId, u64>>>),
    /// The uplink is down: give this neighbour what the hub lacks of these own logs, from these
    /// sizes on.
    CarryFor(BTreeMap<LogId, u64>),
    /// Blocks carried for others, to be offered to a hub.
    OfferCarried(Vec<Range>),
    /// A block taken to carry is durable.
    CarriedStored { log: LogId, to: u64 },
    /// An excerpt is due to this peer.
    SendExcerpt(Message),
    /// So much of the records handed over to this node is durable here.
    ExcerptHeld(ExcerptAmount),
    /// Compare everything once more, with what was read anew from the disk.
    CompareAnew(Box<Frontier>),
    /// Ask the peer for entries of a tree.
    FetchEntries {
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
    /// Ask the peer for a sketch of a tree.
    AskSketch {
        log: LogId,
        tip: Tip,
        salt: u64,
        ask: SketchAsk,
    },
    /// Ask the peer for entries of a tree without a proof.
    PickEntries {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
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
    /// What the next block of a log, from a position on, leaves out where this node holds it.
    HeldForBlock {
        log: LogId,
        from: u64,
        keys: Vec<HeldKey>,
    },
    /// What the block that came last on a lane's stream leaves out.
    HeldForFrame { lane: Lane, keys: Vec<HeldKey> },
    /// The carried block of a log that begins there.
    Carried { log: LogId, from: u64 },
    /// Entries of a tree of a log, proven; a tree that is held as the log or beside it.
    Stretches {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    },
    /// What the records come to, of each lane and crossing.
    Digests,
    /// Short hashes of a tree's subtrees.
    Tree {
        log: LogId,
        tip: Tip,
        salt: u64,
        parts: Vec<Subtree>,
    },
    /// A sketch of a tree, as the main branch of its log has it.
    Sketch {
        log: LogId,
        tip: Tip,
        salt: u64,
        ask: SketchAsk,
    },
    /// Entries of a tree without a proof, as the main branch of its log has them.
    Pick {
        log: LogId,
        tip: Tip,
        ranges: Vec<(u64, u64)>,
    },
}

/// Its answer; none where the store does not hold what was asked for.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum QueryAnswer {
    Block(Option<Block>),
    Carried(Option<(CarriedBlock, Vec<u8>)>),
    Held(HeldParts),
    Roots(BTreeMap<u64, Hash>),
    Branch(Option<Branch>),
    Stretches(Fetched),
    Tree(Vec<u8>),
    Sketch(Vec<u8>),
    Picked(Picked),
    Digests(Vec<ScopeSum>),
}

impl QueryAnswer {
    /// What is held of what was asked for; nothing, where the store told something else.
    pub(crate) fn into_held(self) -> HeldParts {
        match self {
            Self::Held(held) => held,
            _ => HeldParts::default(),
        }
    }
}

/// What is to be done.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Output {
    /// Send on the message stream.
    SendMessage(Message),
    /// Send on the lane's stream.
    SendFrame { lane: Lane, bytes: Vec<u8> },
    /// Ask the store.
    AskStore(Query),
    /// Verify and commit this block; answer with `BlockCommitted` or `BlockRefused`.
    IngestBlock(Block),
    /// Learn these enrolments, where the root signed them.
    LearnMembers(Vec<Enrolment>),
    /// Verify and keep these fork proofs.
    TakeForks(Vec<ForkProof>),
    /// The peer cosigned a checkpoint, or tells of a hub's cosignature.
    TakeCosignature {
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    },
    /// Seal this block of this node's own to hubs, and hand it to the peer, which carries it.
    SealCarried(Block),
    /// Keep this block for the hub.
    TakeCarried { block: CarriedBlock, bytes: Vec<u8> },
    /// Open this block, which the peer carried, and go on as with `IngestBlock`.
    OpenCarried(SealedBlock),
    /// The peer, a hub, does not take what is carried of this log, for a reason that lies with it.
    CarriedRefused(LogId),
    /// Verify and keep this excerpt.
    TakeExcerpt {
        record: RecordId,
        from: u32,
        entries: Vec<ExcerptEntry>,
    },
    /// So much of the records handed over to the peer is durable there.
    ExcerptAcked(ExcerptAmount),
    /// Entries of a tree, not verified, and what the peer lacks of it.
    TakeStretches(Fetched),
    /// The peer's short hashes of a tree, in the order in which they were asked for.
    TreeHashesReceived {
        log: LogId,
        tip: Tip,
        salt: u64,
        hashes: Vec<u8>,
    },
    /// The peer's sketch of a tree, as it was asked for.
    SketchReceived { salt: u64, sketch: Vec<u8> },
    /// Entries of a tree, not verified.
    PickedReceived(Picked),
    /// What the peer's records come to.
    DigestsReceived(Vec<ScopeSum>),
    /// What comparing everything once more came to: logs that differ.
    Compared(BTreeMap<LogId, Difference>),
    /// A hub's own clock, as it says itself.
    HubTime(i64),
    /// The peer holds so much of a log, for the other links with it to know.
    PeerHolds { log: LogId, size: u64 },
    /// Both hold the same of all that both may see.
    InStep,
    /// What both hold alike, to be remembered until the next contact.
    RememberFrontier(Box<Frontier>),
    /// The peer sent, or was refused, something; to be shown.
    NoteRefusal {
        subject: String,
        code: String,
        why: String,
    },
    /// Nothing more can come of this connection.
    CloseConnection { code: &'static str, why: String },
}
