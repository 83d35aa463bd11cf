//! Settings of a connection on a thin link; `docs/links.md` has their reasons.

use crate::{
    congestion::DelayTarget,
    copies::DATAGRAM_BUFFER_BYTES,
    link_rate::LinkRate,
    windows::{RECEIVE_BYTES_MIN, SEND_BYTES_MIN, WINDOW_BYTES_MAX},
};
use quinn::{IdleTimeout, TransportConfig, VarInt, congestion::CubicConfig};
use std::{sync::Arc, time::Duration};

/// The queueing delay aimed at; two packets where these take longer.
const TARGET_DELAY: Duration = Duration::from_millis(100);
/// The round trip taken for granted until one is measured. A shorter guess would send the first
/// flight twice.
const INITIAL_RTT: Duration = Duration::from_millis(700);

/// Streams that a peer may have open at once beside that of messages: one a lane, and room for
/// lanes to come.
pub(crate) const LANE_STREAMS_MAX: u32 = 6;

fn streams_max() -> u32 {
    match wadi_log::defence::off("streams-max") {
        true => 1_000,
        false => LANE_STREAMS_MAX,
    }
}

/// What the connections of one node have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transport {
    /// A connection that hears nothing for so long is given up.
    pub(crate) idle: Duration,
    /// Whether the commission owns the links: the controller that follows delay, not Cubic.
    pub(crate) own_links: bool,
}

impl Transport {
    /// Settings of one connection, whose controller follows this rate.
    pub(crate) fn config(&self, rate: &LinkRate) -> TransportConfig {
        let small = VarInt::from_u32;
        let idle =
            IdleTimeout::try_from(self.idle).expect("an idle timeout of less than centuries");
        let mut t = TransportConfig::default();

        t.max_idle_timeout(Some(idle))
            .keep_alive_interval(Some(self.idle / 3))
            .initial_rtt(INITIAL_RTT)
            .mtu_discovery_config(None)
            .initial_mtu(1200)
            .enable_segmentation_offload(false)
            .datagram_receive_buffer_size(Some(DATAGRAM_BUFFER_BYTES))
            .datagram_send_buffer_size(DATAGRAM_BUFFER_BYTES)
            .send_window(SEND_BYTES_MIN)
            // Those of a connection follow the link (`windows.rs`); that of a stream never changes.
            .stream_receive_window(small(WINDOW_BYTES_MAX as u32))
            .receive_window(small(RECEIVE_BYTES_MIN as u32))
            .max_concurrent_bidi_streams(small(1))
            .max_concurrent_uni_streams(small(streams_max()));

        if self.own_links {
            t.congestion_controller_factory(Arc::new(DelayTarget {
                target: TARGET_DELAY,
                rate: rate.clone(),
            }));
        } else {
            t.congestion_controller_factory(Arc::new(CubicConfig::default()));
        }

        t
    }
}
