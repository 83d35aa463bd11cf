//! Messages and blocks on QUIC streams: the first bidirectional stream carries messages, one
//! unidirectional stream a lane carries blocks, the urgent lanes with the higher priority.

use crate::{
    copies::{FrameOrder, WaitingCopies, is_sent_twice, read_copies, send_copy},
    link_rate::LinkRate,
    memory::GrantedWindows,
    windows::{FOLLOW_PERIOD, LinkSample, WindowFollower},
};
use quinn::{Connection, RecvStream, SendStream, VarInt};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use wadi_log::{Lane, NodeId};
use wadi_node::{
    Arriving, HeldPart, Leaving, LinkCounter, LinkPlan, Node, PeerHoldings, TrafficPurpose,
    run_planned_link,
};
use wadi_sync::{BLOCK_FRAME_BYTES_MAX, LinkSpec, MESSAGE_BYTES_MAX, Message};

/// Frames and messages that came and wait for the link, and those that wait for their stream.
pub(crate) const ARRIVED_MAX: usize = 8;
pub(crate) const LEAVING_MAX: usize = 8;
/// A message or a frame of more bytes than these is counted to what the peer holds before it is
/// read, until the next one of its stream was handed on.
pub(crate) const SMALL_BYTES: usize = 8 * 1024;
/// What a message takes while it is decoded, of its bytes on the wire, at most: lists are bounded
/// before they are decoded.
pub(crate) const DECODED_TIMES: usize = 5;
/// Bytes of what a caller says first: its enrolment is the most of it.
pub(crate) const HELLO_BYTES_MAX: usize = 32 * 1024;
/// How long a large one waits until there is room for it, and how often it is looked.
const ROOM_WAIT: Duration = Duration::from_secs(10);
const ROOM_LOOK: Duration = Duration::from_millis(20);
/// Bytes that are given to quinn at once. It frees what it keeps to send again only when a whole
/// piece is acknowledged: of one large piece it would keep all until its last byte is, and send
/// nothing behind it meanwhile.
const PIECE_BYTES: usize = 2 * 1024;
/// Messages are small and answer each other: they go before all blocks.
const MESSAGE_PRIORITY: i32 = 100;

/// How long a link whose connection ended may take to come to its own end.
const LINK_END_MAX: Duration = Duration::from_secs(5);

/// What is known of a connection before its link begins.
pub(crate) struct ConnectionPlan {
    pub(crate) stream: MessageStream,
    pub(crate) link: LinkPlan,
    pub(crate) rate: LinkRate,
    /// Counts what goes over it, by what it is for.
    pub(crate) counter: Arc<LinkCounter>,
    /// Where it is noted whether the peer knows of one link alone.
    pub(crate) peer_is_single: Arc<AtomicBool>,
    /// The memory that the link takes at least.
    pub(crate) seat: HeldPart,
}

/// The stream of messages.
pub(crate) enum MessageStream {
    /// This node dialled, and opens it.
    ToOpen,
    /// The peer opened it, and said who it is.
    Greeted(Greeting),
}

/// What a caller said first, and the stream that it said it on.
pub(crate) struct Greeting {
    send: SendStream,
    recv: RecvStream,
    hello: Message,
    /// Bytes of it, with its length.
    bytes: usize,
}

impl Greeting {
    /// Over which of several links it comes, and its rate as the caller tells it, bits a second.
    pub(crate) fn link_and_rate(&self) -> (Option<LinkSpec>, Option<u64>) {
        match &self.hello {
            Message::Hello {
                link, rate_bits_s, ..
            } => (link.clone(), *rate_bits_s),
            _ => (None, None),
        }
    }
}

/// Takes the stream of messages, which shows itself with its first bytes, and reads what the
/// caller says first.
pub(crate) async fn accept_greeting(connection: &Connection) -> Result<Greeting, String> {
    let (send, mut recv) = connection.accept_bi().await.map_err(|e| e.to_string())?;
    let bytes = read_frame(&mut recv, HELLO_BYTES_MAX)
        .await?
        .ok_or("the peer closed its streams")?;
    let hello = Message::decode(&bytes).map_err(|e| e.to_string())?;

    Ok(Greeting {
        send,
        recv,
        hello,
        bytes: framed(bytes.len()),
    })
}

/// Runs a link over one connection; returns why it ended.
pub(crate) async fn run_connection(
    node: Arc<Node>,
    connection: Connection,
    plan: ConnectionPlan,
) -> String {
    let ConnectionPlan {
        stream,
        link: planned,
        rate,
        counter,
        peer_is_single,
        seat: _seat,
    } = plan;
    let (peer, spec) = (planned.peer, planned.link.clone());
    let memory = ArrivingMemory {
        holdings: node.door().held_of_peers().clone(),
        peer,
    };
    let granted = GrantedWindows::of(&memory.holdings, peer);
    let (arriving, incoming) = mpsc::channel(ARRIVED_MAX);
    let (outgoing, leaving) = mpsc::channel(LEAVING_MAX);
    let (windows, holds) = (WindowFollower::new(rate.clone()), arriving.clone());
    let streams = async {
        let copies = Arc::new(WaitingCopies::default());
        let messages = ArrivingMessages {
            arriving: arriving.clone(),
            rate: rate.clone(),
            counter: counter.clone(),
            peer_is_single,
            memory: memory.clone(),
        };
        let (send, recv) = match stream {
            MessageStream::ToOpen => connection.open_bi().await.map_err(|e| e.to_string())?,
            MessageStream::Greeted(greeting) => {
                messages.take(greeting.hello, greeting.bytes).await;
                (greeting.send, greeting.recv)
            }
        };

        tokio::select! {
            r = write_all(&connection, send, leaving, &counter) => r,
            r = messages.read(recv) => r,
            r = read_lanes(&connection, (arriving, memory), &copies, &counter) => r,
            why = read_copies(&connection, &copies) => Err(why),
        }
    };

    let sample = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let rtt_ms = connection.rtt().as_millis() as u64;
            node.note_peer(peer, |p| p.rtt_ms = rtt_ms);
            if let Some(link) = &spec {
                node.note_link(peer, link, |l| l.rtt_ms = rtt_ms);
            }
        }
    };
    let follow = follow_link(&connection, (windows, granted), holds);
    let link = run_planned_link(node.door().clone(), planned, incoming, outgoing);

    tokio::pin!(link);
    let why = tokio::select! {
        why = &mut link => why,
        ended = streams => {
            // Nothing comes any more: the link ends in order, and writes down what it remembers.
            let _ = tokio::time::timeout(LINK_END_MAX, &mut link).await;
            ended.err().unwrap_or_else(|| "the peer closed its streams".into())
        }
        () = sample => unreachable!("it samples for ever"),
        () = follow => unreachable!("it follows for ever"),
    };

    match connection.close_reason() {
        Some(reason) => reason.to_string(),
        None => why,
    }
}

/// Lets the windows of a connection follow its link, and tells the session what the link holds,
/// until it is dropped.
async fn follow_link(
    connection: &Connection,
    (mut windows, granted): (WindowFollower, GrantedWindows),
    holds: mpsc::Sender<Arriving>,
) {
    let mut untold = None;
    loop {
        tokio::time::sleep(FOLLOW_PERIOD).await;
        let stats = connection.stats();
        let sample = LinkSample {
            rtt: connection.rtt(),
            congestion_window: stats.path.cwnd,
            received_bytes: stats.udp_rx.bytes,
        };

        if let Some(wanted) = windows.follow(Instant::now(), sample) {
            let windows = granted.grant(wanted);
            connection.set_send_window(windows.send);
            let receive = u32::try_from(windows.receive).unwrap_or(u32::MAX);
            connection.set_receive_window(VarInt::from_u32(receive));
            untold = Some(sample.congestion_window);
        }
        // A link that is busy with what came hears of it the next time.
        if let Some(bytes) = untold
            && holds.try_send(Arriving::LinkHolds(bytes)).is_ok()
        {
            untold = None;
        }
    }
}

/// Bytes of a frame with its length before it.
const fn framed(bytes: usize) -> usize {
    bytes + size_of::<u32>()
}

async fn write_frame(stream: &mut SendStream, bytes: &[u8]) -> Result<(), String> {
    let length = u32::try_from(bytes.len()).map_err(|e| e.to_string())?;
    stream
        .write_all(&length.to_be_bytes())
        .await
        .map_err(|e| e.to_string())?;
    for piece in bytes.chunks(PIECE_BYTES) {
        stream.write_all(piece).await.map_err(|e| e.to_string())?;
    }

    Ok(())
}

/// A frame; its length is checked before anything is allocated for it.
async fn read_frame(stream: &mut RecvStream, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    match read_length(stream, bytes_max).await? {
        Some(length) => read_body(stream, length).await.map(Some),
        None => Ok(None),
    }
}

/// How long the next frame is; none at the stream's end.
async fn read_length(stream: &mut RecvStream, bytes_max: usize) -> Result<Option<usize>, String> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(()) => {}
        Err(quinn::ReadExactError::FinishedEarly(0)) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }

    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        return Err(format!(
            "a frame of {length} bytes; the limit is {bytes_max}"
        ));
    }

    Ok(Some(length))
}

async fn read_body(stream: &mut RecvStream, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    stream
        .read_exact(&mut bytes)
        .await
        .map_err(|e| e.to_string())?;

    Ok(bytes)
}

/// Blocks are written by a task of their lane: one that waits for the window must not hold up the
/// others.
async fn write_all(
    connection: &Connection,
    mut messages: SendStream,
    mut leaving: mpsc::Receiver<Leaving>,
    counter: &Arc<LinkCounter>,
) -> Result<(), String> {
    let _ = messages.set_priority(MESSAGE_PRIORITY);
    let mut lanes: BTreeMap<Lane, mpsc::Sender<Vec<u8>>> = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();

    loop {
        tokio::select! {
            next = leaving.recv() => match next {
                None => return Ok(()),
                Some(Leaving::Message(m)) => {
                    let bytes = m.encode();
                    write_frame(&mut messages, &bytes).await?;
                    counter.count_sent(TrafficPurpose::of_message(&m), framed(bytes.len()));
                }
                Some(Leaving::Frame(lane, bytes)) => {
                    if !lanes.contains_key(&lane) {
                        let stream = connection.open_uni().await.map_err(|e| e.to_string())?;
                        let _ = stream.set_priority(10 - lane as i32);
                        let (sender, receiver) = mpsc::channel::<Vec<u8>>(64);
                        lanes.insert(lane, sender);
                        let writing = LaneWriter {
                            connection: connection.clone(),
                            lane,
                            counter: counter.clone(),
                        };
                        tasks.spawn(writing.write(stream, receiver));
                    }
                    // The session keeps at most its window in flight: the queue cannot grow beyond
                    // that.
                    let sent = lanes[&lane].send(bytes).await;
                    sent.map_err(|_| "a lane's stream ended".to_string())?;
                }
            },
            Some(ended) = tasks.join_next() => ended.map_err(|e| e.to_string())??,
        }
    }
}

/// What writes one lane.
struct LaneWriter {
    connection: Connection,
    lane: Lane,
    counter: Arc<LinkCounter>,
}

impl LaneWriter {
    /// Writes the lane's frames, those that are urgent and small twice.
    async fn write(
        self,
        mut stream: SendStream,
        mut frames: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), String> {
        let purpose = TrafficPurpose::of_lane(self.lane);
        // They end with this task.
        let mut copies = tokio::task::JoinSet::new();
        let mut number = 0;
        stream
            .write_all(&[self.lane as u8])
            .await
            .map_err(|e| e.to_string())?;

        while let Some(bytes) = frames.recv().await {
            write_frame(&mut stream, &bytes).await?;
            self.counter.count_sent(purpose, framed(bytes.len()));
            if is_sent_twice(&self.connection, self.lane, bytes.len()) {
                self.counter.count_sent(purpose, bytes.len());
                copies.spawn(send_copy(self.connection.clone(), self.lane, number, bytes));
            }
            number += 1;
            while copies.try_join_next().is_some() {}
        }

        Ok(())
    }
}

/// The memory that the peer of a connection has, for what comes.
#[derive(Clone)]
pub(crate) struct ArrivingMemory {
    pub(crate) holdings: Arc<PeerHoldings>,
    pub(crate) peer: NodeId,
}

impl ArrivingMemory {
    /// So much for a message or a frame of this length, which its peer may have used up for now;
    /// nothing where it is small.
    async fn room_for(&self, length: usize, bytes: usize) -> Result<Option<HeldPart>, String> {
        if length <= SMALL_BYTES {
            return Ok(None);
        }

        let began = Instant::now();
        loop {
            if let Some(room) = self.holdings.begin(self.peer, bytes) {
                return Ok(Some(room));
            }
            if began.elapsed() >= ROOM_WAIT {
                return Err("the peer has this node hold more than it may".into());
            }
            tokio::time::sleep(ROOM_LOOK).await;
        }
    }
}

/// Messages as they come.
struct ArrivingMessages {
    arriving: mpsc::Sender<Arriving>,
    rate: LinkRate,
    counter: Arc<LinkCounter>,
    peer_is_single: Arc<AtomicBool>,
    memory: ArrivingMemory,
}

impl ArrivingMessages {
    async fn read(&self, mut stream: RecvStream) -> Result<(), String> {
        // What the last message takes, which the link may be at still.
        let mut kept = None;
        while let Some(length) = read_length(&mut stream, MESSAGE_BYTES_MAX).await? {
            let room = self.memory.room_for(length, DECODED_TIMES * length).await?;
            let bytes = read_body(&mut stream, length).await?;
            let message = Message::decode(&bytes).map_err(|e| e.to_string())?;
            drop(bytes);
            if !self.take(message, framed(length)).await {
                return Ok(());
            }
            drop(std::mem::replace(&mut kept, room));
        }

        Ok(())
    }

    /// Hands a message on; false where nobody takes it any more.
    async fn take(&self, message: Message, bytes: usize) -> bool {
        let purpose = TrafficPurpose::of_message(&message);
        self.counter.count_received(purpose, bytes);
        if let Message::Hello {
            rate_bits_s, link, ..
        } = &message
        {
            self.rate.peer_told(rate_bits_s.unwrap_or(0));
            self.peer_is_single.store(link.is_none(), Ordering::Relaxed);
        }

        self.arriving.send(Arriving::Message(message)).await.is_ok()
    }
}

async fn read_lanes(
    connection: &Connection,
    (arriving, memory): (mpsc::Sender<Arriving>, ArrivingMemory),
    copies: &Arc<WaitingCopies>,
    counter: &Arc<LinkCounter>,
) -> Result<(), String> {
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_uni() => {
                let stream = stream.map_err(|e| e.to_string())?;
                let to = (arriving.clone(), memory.clone());
                tasks.spawn(read_lane(stream, to, copies.clone(), counter.clone()));
            }
            Some(ended) = tasks.join_next() => ended.map_err(|e| e.to_string())??,
        }
    }
}

/// Reads the frames of one lane, each from its stream or from the copy that came before it.
pub(crate) async fn read_lane(
    mut stream: RecvStream,
    (arriving, memory): (mpsc::Sender<Arriving>, ArrivingMemory),
    copies: Arc<WaitingCopies>,
    counter: Arc<LinkCounter>,
) -> Result<(), String> {
    let mut lane = [0; 1];
    stream
        .read_exact(&mut lane)
        .await
        .map_err(|e| e.to_string())?;
    let lane = Lane::from_u8(lane[0]).map_err(|e| e.to_string())?;
    let mut order = FrameOrder::default();
    // What the last frame takes, which may wait for the link still.
    let mut kept = None;

    loop {
        // Reading goes on where it was while copies are handed on: half a frame stays read.
        let reading = read_counted(&mut stream, &memory);
        tokio::pin!(reading);
        let frame = loop {
            tokio::select! {
                biased;
                frame = &mut reading => break frame?,
                copy = copies.take(lane, order.next()) => {
                    order.take_copy();
                    if arriving.send(Arriving::Frame(lane, copy)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        };

        let Some((frame, room)) = frame else {
            return Ok(());
        };
        counter.count_received(TrafficPurpose::of_lane(lane), framed(frame.len()));
        if order.take_frame() && arriving.send(Arriving::Frame(lane, frame)).await.is_err() {
            return Ok(());
        }
        drop(std::mem::replace(&mut kept, room));
    }
}

/// The next frame of a lane, and what it counts to what the peer holds, where it is large.
async fn read_counted(
    stream: &mut RecvStream,
    memory: &ArrivingMemory,
) -> Result<Option<(Vec<u8>, Option<HeldPart>)>, String> {
    let Some(length) = read_length(stream, BLOCK_FRAME_BYTES_MAX).await? else {
        return Ok(None);
    };
    let room = memory.room_for(length, length).await?;
    let frame = read_body(stream, length).await?;
    Ok(Some((frame, room)))
}
