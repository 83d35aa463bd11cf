//! The QUIC porch: quinn and rustls, mutual TLS from the commission's CA, one connection for each
//! link of a pair of nodes.
//!
//! The settings are those of thin links (`docs/links.md`): no session resumption (it would outlive
//! a revocation), no MTU discovery, windows that follow the link, a short idle timeout with quick
//! redial, and a congestion controller that follows the queue's delay and not single losses.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod addresses;
mod board;
mod callers;
#[cfg(test)]
mod coming_back_tests;
mod congestion;
mod copies;
mod dialler;
mod endpoint;
#[cfg(test)]
mod handshake_tests;
mod identity;
#[cfg(test)]
mod lane_tests;
mod late;
mod link_rate;
mod liveness;
mod memory;
mod porch;
mod refusals;
#[cfg(test)]
mod session_tests;
mod streams;
#[cfg(test)]
mod thin_link_tests;
mod transport;
#[cfg(test)]
mod two_way_tests;
mod windows;

pub use addresses::unreachable_from;
pub use congestion::DelayTarget;
pub use endpoint::{NetError, Network, NetworkConfig, PeerAddress};
pub use identity::{Identity, peer_of, peer_of_pem, public_key_of_pem, serial_of, spki_hash};
pub use link_rate::LinkRate;
