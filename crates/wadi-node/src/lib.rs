//! The hall of the house: every road of a node meets in `commit.rs`.
//!
//! A [`Node`] takes writes from officers and devices, blocks from peers, and control facts from the hub's operators, all
//! through one queue of bounded length. Its desk works them off in groups: each group becomes one batch, one commit, one
//! signature for each log it touched. Reads go to the store directly.

mod clock;
mod commit;
mod compare;
mod desk;
mod error;
mod evidence;
mod history;
mod ingest;
mod judging;
mod life;
mod link;
mod node;
#[cfg(test)]
mod order_tests;
mod read;
mod reconciler;
mod watermarks;
mod write;

pub use clock::{Clock, SystemClock};
pub use error::NodeError;
pub use history::{History, HistoryLine, Knew};
pub use life::{FindingAct, FindingDone};
pub use link::{Arriving, Leaving, run_link};
pub use node::{Event, Node, NodeKeys, PeerStatus, Start};
pub use read::{Safety, ScopeDigest, Status};
pub use write::{Based, Target, Write, Written};
