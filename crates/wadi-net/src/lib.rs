//! The QUIC porch: quinn and rustls, mutual TLS from the commission's CA, one connection per pair
//! of nodes.
//!
//! The settings are those of thin links (`docs/links.md`): no session resumption (it would outlive
//! a revocation), no MTU discovery, small windows, a short idle timeout with quick redial, and a
//! congestion controller that follows the queue's delay and not single losses.

mod addresses;
mod callers;
mod congestion;
mod dialler;
mod endpoint;
mod identity;
mod late;
mod link_model;
mod link_rate;
mod porch;
mod refusals;
mod streams;
mod transport;
#[cfg(test)]
mod two_way_tests;
#[cfg(test)]
mod virtual_time;

pub use addresses::unreachable_from;
pub use congestion::DelayTarget;
pub use endpoint::{NetError, Network, NetworkConfig, PeerAddress};
pub use identity::{Identity, peer_of, serial_of, spki_hash};
pub use link_model::{LinkProfile, LinkWay};
pub use link_rate::LinkRate;
