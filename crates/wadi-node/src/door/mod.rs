//! The one way in, and what all wings share.

pub(crate) mod clock;
pub(crate) mod command;
pub(crate) mod disk;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod excerpt;
pub(crate) mod known_time;
pub(crate) mod orders;
pub(crate) mod proofs;
pub(crate) mod resync_state;
pub(crate) mod suspects;
pub(crate) mod tasks;
pub(crate) mod write;

use wadi_log::{LogKey, RootKey};

/// A node's keys and papers.
#[derive(Clone)]
pub struct NodeKeys {
    /// Signs checkpoints and cosignatures.
    pub log_key: LogKey,
    /// The commission's root.
    pub root: RootKey,
}
