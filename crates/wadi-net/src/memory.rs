//! What one peer can have this node hold in memory, all that is not counted as it is filled:
//! bounds, and their sum, which is checked when this is built. `docs/security.md` has the whole
//! list, with what is counted (`wadi_node::PeerHoldings`).

use crate::{
    board::GREETINGS_MAX,
    copies::{COPY_BYTES_MAX, DATAGRAM_BUFFER_BYTES, WAITING_COPIES_MAX},
    streams::{ARRIVED_MAX, DECODED_TIMES, HELLO_BYTES_MAX, LEAVING_MAX, SMALL_BYTES},
    transport::LANE_STREAMS_MAX,
    windows::{LinkWindows, RECEIVE_BYTES_MIN, SEND_BYTES_MIN, WINDOW_BYTES_MAX},
};
use std::sync::Arc;
use wadi_log::NodeId;
use wadi_node::{HeldPart, PEER_ALLOWANCE_BYTES, PEER_BYTES_MAX, PeerHoldings};
use wadi_sync::MESSAGE_BYTES_MAX;

/// Streams of one connection that are received.
const STREAMS: usize = LANE_STREAMS_MAX as usize + 1;
/// What quinn may hold of the least window: up to one and a half bytes beside each that is not
/// read, where packets are cut small on purpose, and 32 KiB a stream.
const UNREAD_BYTES: usize = RECEIVE_BYTES_MIN as usize * 5 / 2 + STREAMS * 32 * 1024;
/// What a copy of a frame takes beside its bytes, about.
const COPY_OVERHEAD: usize = 64;
/// TLS, what is known of packets on their way, and the tasks of a connection, about.
const CONNECTION_BYTES: usize = 64 * 1024;

/// What a link may hold from its beginning on, each whatever the others do; `docs/security.md` says
/// what each is.
const LINK_BOUNDS: [usize; 8] = [
    UNREAD_BYTES,
    SEND_BYTES_MIN as usize,
    2 * DATAGRAM_BUFFER_BYTES,
    WAITING_COPIES_MAX * (COPY_BYTES_MAX + COPY_OVERHEAD),
    LANE_STREAMS_MAX as usize * SMALL_BYTES,
    (1 + DECODED_TIMES + ARRIVED_MAX * DECODED_TIMES) * SMALL_BYTES,
    (LEAVING_MAX + 1) * MESSAGE_BYTES_MAX,
    CONNECTION_BYTES,
];

/// The same of a caller that has not begun its link.
const GREETING_BOUNDS: [usize; 4] = [
    UNREAD_BYTES,
    DATAGRAM_BUFFER_BYTES,
    (1 + DECODED_TIMES) * HELLO_BYTES_MAX,
    CONNECTION_BYTES,
];

const fn sum(bounds: &[usize]) -> usize {
    let (mut all, mut n) = (0, 0);
    while n < bounds.len() {
        all += bounds[n];
        n += 1;
    }
    all
}

/// What a link counts to its peer's allowance from its beginning on.
pub(crate) const LINK_BYTES: usize = sum(&LINK_BOUNDS);
/// What a caller that has not begun its link may hold.
const GREETING_BYTES: usize = sum(&GREETING_BOUNDS);

// All that a peer can have this node hold: what is counted, and its callers.
const _: () = assert!(PEER_ALLOWANCE_BYTES + GREETINGS_MAX * GREETING_BYTES <= PEER_BYTES_MAX);
/// A stream of blocks that has remembered all that it may, about.
const FULL_STREAM_BYTES: usize = 2_300_000;
/// Blocks in flight, what waits for the disk, and what is read next, about.
const WORK_BYTES: usize = 9_000_000;
/// The widest windows of one link.
const WIDE_WINDOWS_BYTES: usize = 2 * WINDOW_BYTES_MAX as usize;
// A link on which all lanes are busy both ways for days keeps far from what its peer may hold.
const _: () = assert!(
    LINK_BYTES + WIDE_WINDOWS_BYTES + 10 * FULL_STREAM_BYTES + WORK_BYTES <= PEER_ALLOWANCE_BYTES
);

/// What the windows of one connection take beyond their least.
pub(crate) struct GrantedWindows {
    receive: HeldPart,
    send: HeldPart,
}

impl GrantedWindows {
    /// Those of a peer's connection: nothing yet.
    pub(crate) fn of(holdings: &Arc<PeerHoldings>, peer: NodeId) -> Self {
        Self {
            receive: holdings.window(peer),
            send: holdings.window(peer),
        }
    }

    /// The windows, as far as the peer's allowance goes.
    pub(crate) fn grant(&self, wanted: LinkWindows) -> LinkWindows {
        LinkWindows {
            receive: granted(&self.receive, wanted.receive, RECEIVE_BYTES_MIN),
            send: granted(&self.send, wanted.send, SEND_BYTES_MIN),
        }
    }
}

fn granted(part: &HeldPart, wanted: u64, least: u64) -> u64 {
    let beyond = usize::try_from(wanted.saturating_sub(least)).unwrap_or(usize::MAX);
    let held = part.grow(beyond).min(beyond);
    least.saturating_add(held as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_node::WINDOWS_BYTES_MAX;

    const TRB: NodeId = NodeId([3; 16]);

    #[test]
    fn all_that_a_peer_can_fill_is_bounded_over_all_of_its_links() {
        let bounds = [PEER_ALLOWANCE_BYTES, GREETINGS_MAX * GREETING_BYTES];
        println!("a link {LINK_BYTES}; counted, and callers: {bounds:?}");
        assert!(bounds.into_iter().sum::<usize>() <= 64_000_000);
    }

    #[test]
    fn a_peer_with_valid_papers_that_fills_everything_stays_within_its_allowance() {
        let holdings: Arc<PeerHoldings> = Arc::default();
        let (mut seats, mut windows) = (Vec::new(), Vec::new());
        // As many links as are let in, each with the widest windows both ways.
        while let Some(seat) = holdings.begin(TRB, LINK_BYTES) {
            seats.push(seat);
            windows.push(GrantedWindows::of(&holdings, TRB));
            for granted in &windows {
                granted.grant(LinkWindows {
                    send: WINDOW_BYTES_MAX,
                    receive: WINDOW_BYTES_MAX,
                });
            }
            assert!(seats.len() < 100, "without end");
        }

        let held = holdings.of(&TRB);
        assert!(held.held <= held.most, "{held:?}");
        assert!(seats.len() >= 2, "one, and one that takes its place");
    }

    #[test]
    fn a_fat_link_far_away_has_the_windows_that_it_needs() {
        let holdings: Arc<PeerHoldings> = Arc::default();
        let _seat = holdings.begin(TRB, LINK_BYTES).expect("there is room");
        let wanted = LinkWindows {
            send: 1_500_000 + 128 * 1024,
            receive: 1_500_000,
        };
        let granted = GrantedWindows::of(&holdings, TRB).grant(wanted);
        assert_eq!(granted, wanted, "of {WINDOWS_BYTES_MAX}");
    }
}
