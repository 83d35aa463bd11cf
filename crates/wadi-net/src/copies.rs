//! Urgent frames that are sent twice: once on their lane's stream, and where the link loses packets
//! once more as a datagram a moment later. What is lost on a stream is there a round trip and a
//! half later at the earliest; a copy is there after the moment.
//!
//! Datagrams are negotiated by QUIC itself: a peer that takes none is sent none.

use quinn::Connection;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::Notify;
use wadi_log::Lane;

/// Bytes of a frame that is sent twice at most: it has to fit a packet.
pub(crate) const COPY_BYTES_MAX: usize = 1_000;
/// How long after the frame its copy follows: fades are shorter, as a rule.
const COPY_PAUSE: Duration = Duration::from_millis(150);
/// A link that loses less than one packet in so many is sent no copies: they cost bytes.
const LOSS_ONE_IN: u64 = 200;
/// Bytes in front of a copy: its lane, and its number on the lane's stream.
const HEAD_BYTES: usize = 9;
/// Copies that wait for their turn, and how far ahead of it they may be, at most.
pub(crate) const WAITING_COPIES_MAX: usize = 64;
/// Bytes that quinn keeps of datagrams, each way.
pub(crate) const DATAGRAM_BUFFER_BYTES: usize = 16 * 1024;

/// Whether a frame of a lane is sent twice over a connection.
pub(crate) fn is_sent_twice(connection: &Connection, lane: Lane, bytes: usize) -> bool {
    let path = connection.stats().path;
    lane == Lane::Hold
        && bytes <= COPY_BYTES_MAX
        && path.lost_packets * LOSS_ONE_IN >= path.sent_packets
        && path.lost_packets > 0
        && connection
            .max_datagram_size()
            .is_some_and(|most| bytes + HEAD_BYTES <= most)
}

/// Sends a copy of a lane's frame of this number, a moment later.
pub(crate) async fn send_copy(connection: Connection, lane: Lane, number: u64, frame: Vec<u8>) {
    tokio::time::sleep(COPY_PAUSE).await;
    let copy = [&[lane as u8], &number.to_be_bytes()[..], &frame].concat();
    // A copy that cannot go now is of no use later.
    let _ = connection.send_datagram(copy.into());
}

/// Takes copies apart, until the connection ends.
pub(crate) async fn read_copies(connection: &Connection, waiting: &WaitingCopies) -> String {
    loop {
        match connection.read_datagram().await {
            // What is no copy is not heeded.
            Ok(datagram) => drop(waiting.take_in(&datagram)),
            Err(error) => return error.to_string(),
        }
    }
}

/// Copies that came before their frames, by lane and number.
#[derive(Default)]
pub(crate) struct WaitingCopies {
    copies: Mutex<BTreeMap<(u8, u64), Vec<u8>>>,
    came: Notify,
}

impl WaitingCopies {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(u8, u64), Vec<u8>>> {
        self.copies.lock().expect("no panic holds it")
    }

    fn take_in(&self, datagram: &[u8]) -> Option<()> {
        let (lane, rest) = datagram.split_first()?;
        let (number, frame) = rest.split_first_chunk::<8>()?;
        let lane = Lane::from_u8(*lane).ok()?;
        if frame.is_empty() || frame.len() > COPY_BYTES_MAX {
            return None;
        }

        let mut copies = self.lock();
        if copies.len() >= WAITING_COPIES_MAX {
            copies.pop_first();
        }
        let number = u64::from_be_bytes(*number);
        copies.insert((lane as u8, number), frame.to_vec());
        drop(copies);

        self.came.notify_waiters();
        Some(())
    }

    /// The copy of a lane's frame of this number, when it has come.
    pub(crate) async fn take(&self, lane: Lane, number: u64) -> Vec<u8> {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();

            if let Some(copy) = self.claim(lane, number) {
                return copy;
            }
            came.await;
        }
    }

    fn claim(&self, lane: Lane, number: u64) -> Option<Vec<u8>> {
        let mut copies = self.lock();
        // Those of frames that were handed on are of no use any more.
        copies.retain(|(of, n), _| *of != lane as u8 || *n >= number);
        copies.remove(&(lane as u8, number))
    }
}

/// In which order the frames of one lane are handed on: each once, whether it came on the stream or
/// as a copy.
#[derive(Debug, Default)]
pub(crate) struct FrameOrder {
    /// The number of the next frame on the stream.
    on_stream: u64,
    /// The number of the next frame to hand on.
    next: u64,
}

impl FrameOrder {
    /// The frame whose copy would be handed on now.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// A frame came on the stream. Whether it is handed on: not one whose copy was.
    pub(crate) fn take_frame(&mut self) -> bool {
        let is_new = self.on_stream == self.next;
        self.on_stream += 1;
        self.next += u64::from(is_new);
        is_new
    }

    /// The next frame's copy is handed on.
    pub(crate) fn take_copy(&mut self) {
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(lane: Lane, number: u64, frame: &[u8]) -> Vec<u8> {
        [&[lane as u8], &number.to_be_bytes()[..], frame].concat()
    }

    #[test]
    fn each_frame_is_handed_on_once_whichever_way_it_came() {
        let mut order = FrameOrder::default();
        assert!(order.take_frame(), "0 on the stream");

        // 1 and 2 are lost on the stream; their copies come.
        assert_eq!(order.next(), 1);
        order.take_copy();
        order.take_copy();
        assert_eq!(order.next(), 3);

        // They are sent again, and 3 follows.
        assert!(!order.take_frame());
        assert!(!order.take_frame());
        assert!(order.take_frame());
        assert_eq!(order.next(), 4);
    }

    #[tokio::test]
    async fn a_copy_waits_for_its_turn_and_what_is_none_is_not_heeded() {
        let waiting = WaitingCopies::default();
        for bad in [&[][..], &[1; 8], &[99; 40], &datagram(Lane::Hold, 1, &[])] {
            assert!(waiting.take_in(bad).is_none(), "{bad:?}");
        }
        let large = vec![7; COPY_BYTES_MAX + 1];
        assert!(waiting.take_in(&datagram(Lane::Hold, 1, &large)).is_none());

        waiting.take_in(&datagram(Lane::Hold, 5, b"five")).unwrap();
        waiting.take_in(&datagram(Lane::Hold, 4, b"four")).unwrap();
        assert_eq!(waiting.take(Lane::Hold, 4).await, b"four");
        assert_eq!(waiting.take(Lane::Hold, 5).await, b"five");

        // One that comes while it is waited for.
        let (copy, came) = tokio::join!(waiting.take(Lane::Hold, 6), async {
            tokio::task::yield_now().await;
            waiting.take_in(&datagram(Lane::Hold, 6, b"six"))
        });
        assert_eq!((copy.as_slice(), came), (&b"six"[..], Some(())));
    }

    #[test]
    fn whoever_sends_copies_of_nothing_fills_no_memory() {
        let waiting = WaitingCopies::default();
        for number in 0..10_000 {
            waiting.take_in(&datagram(Lane::Hold, number, &[1; 900]));
        }
        assert_eq!(waiting.lock().len(), WAITING_COPIES_MAX);
    }
}
