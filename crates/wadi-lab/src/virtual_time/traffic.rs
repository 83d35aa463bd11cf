//! What two ends of the virtual world say to each other: transfers of so many bytes, on one stream
//! a lane with a priority, in frames that begin with their number and length.

use quinn_proto::{Connection, Dir, StreamId};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

/// Bytes that are given to quinn at once, as nodes do: it frees what it keeps to send again a piece
/// at a time.
const PIECE_BYTES: usize = 2 * 1024;
/// Bytes of a frame's number and length.
const FRAME_HEAD_BYTES: usize = 8;

/// Something that one end sends to the other.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Who sends it.
    pub from: usize,
    /// The priority of its stream: the higher goes first.
    pub priority: i32,
    /// Bytes, its head apart.
    pub bytes: usize,
    /// When it was given.
    pub given: Instant,
    /// When its last byte had arrived in order.
    pub arrived: Option<Instant>,
    /// What is handed out at the other end then, where it means something. On the wire lie as many
    /// bytes of no meaning: QUIC seals them, and does not compress.
    pub content: Option<Vec<u8>>,
}

/// The streams of one connection.
#[derive(Default)]
pub(super) struct Streams {
    lanes: BTreeMap<i32, LaneOut>,
    incoming: BTreeMap<StreamId, LaneIn>,
}

#[derive(Default)]
struct LaneOut {
    stream: Option<StreamId>,
    unwritten: VecDeque<FrameOut>,
}

struct FrameOut {
    head: Vec<u8>,
    left: usize,
}

#[derive(Default)]
struct LaneIn {
    head: Vec<u8>,
    left: usize,
}

impl Streams {
    /// Queues a transfer.
    pub(super) fn push(&mut self, number: usize, transfer: &Transfer) {
        let [number, bytes] = [number, transfer.bytes].map(|n| u32::try_from(n).unwrap_or(0));
        let head = [number.to_be_bytes(), bytes.to_be_bytes()].concat();
        let lane = self.lanes.entry(transfer.priority).or_default();
        lane.unwritten.push_back(FrameOut {
            head,
            left: transfer.bytes,
        });
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self, connection: &mut Connection) {
        for (priority, lane) in self.lanes.iter_mut().rev() {
            if lane.unwritten.is_empty() {
                continue;
            }
            if lane.stream.is_none() {
                lane.stream = connection.streams().open(Dir::Uni);
                if let Some(id) = lane.stream {
                    let _ = connection.send_stream(id).set_priority(*priority);
                }
            }
            if let Some(id) = lane.stream {
                lane.write(id, connection);
            }
        }
    }

    /// Reads what came; the numbers of transfers that are whole.
    pub(super) fn read(&mut self, connection: &mut Connection) -> Vec<usize> {
        while let Some(id) = connection.streams().accept(Dir::Uni) {
            self.incoming.insert(id, LaneIn::default());
        }

        let mut whole = Vec::new();
        for (id, lane) in &mut self.incoming {
            let mut stream = connection.recv_stream(*id);
            let Ok(mut chunks) = stream.read(true) else {
                continue;
            };
            while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
                lane.take(&chunk.bytes, &mut whole);
            }
            let _ = chunks.finalize();
        }

        whole
    }
}

impl LaneOut {
    fn write(&mut self, id: StreamId, connection: &mut Connection) {
        let mut stream = connection.send_stream(id);
        while let Some(frame) = self.unwritten.front_mut() {
            if !frame.head.is_empty() {
                let Ok(written) = stream.write(&frame.head) else {
                    return;
                };
                frame.head.drain(..written);
                continue;
            }

            let piece = frame.left.min(PIECE_BYTES);
            if piece > 0 {
                let Ok(written) = stream.write(&[7; PIECE_BYTES][..piece]) else {
                    return;
                };
                frame.left -= written;
            }
            if frame.left == 0 {
                self.unwritten.pop_front();
            }
        }
    }
}

impl LaneIn {
    fn take(&mut self, mut bytes: &[u8], whole: &mut Vec<usize>) {
        while !bytes.is_empty() {
            if self.head.len() < FRAME_HEAD_BYTES {
                let n = bytes.len().min(FRAME_HEAD_BYTES - self.head.len());
                self.head.extend_from_slice(&bytes[..n]);
                bytes = &bytes[n..];
                if self.head.len() < FRAME_HEAD_BYTES {
                    return;
                }
                self.left = word(&self.head[4..]);
            }

            let n = bytes.len().min(self.left);
            self.left -= n;
            bytes = &bytes[n..];
            if self.left == 0 {
                whole.push(word(&self.head[..4]));
                self.head.clear();
            }
        }
    }
}

fn word(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b))
}
