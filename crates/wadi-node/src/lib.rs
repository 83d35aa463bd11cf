//! The hall of the house: every road of a node meets in `commit.rs`.
//!
//! A [`Node`] takes writes from officers and devices, blocks from peers, and control facts from the
//! hub's operators, all through one queue of bounded length. Its sequencer works them off in
//! groups: each group becomes one batch, one commit, one signature for each log it touched. Reads
//! go to the store directly.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod bundle;
mod bundle_export;
mod bundle_import;
mod clock;
mod commit;
mod compare;
mod compare_pages;
mod dossiers;
mod due;
mod error;
mod evidence;
mod excerpt;
#[cfg(test)]
mod guarded_field_tests;
mod history;
mod holds_on;
#[cfg(test)]
mod hostile_order_tests;
mod hub_time;
mod ingest;
mod judging;
mod known_time;
mod life;
mod link;
mod lists;
mod mend;
mod node;
#[cfg(test)]
mod order_tests;
mod pipeline;
mod publishing;
mod quarantine;
mod questions;
mod read;
mod receipt;
mod reconciler;
#[cfg(test)]
mod reconciler_tests;
mod record_cache;
mod repair_queue;
mod repeats;
mod replica_digest;
mod resync;
mod resync_run;
mod resync_state;
mod room;
mod salvage;
mod scrub;
mod scrub_rest;
mod sequencer;
mod stretches;
mod suspects;
mod tasks;
mod tokens;
mod watermarks;
mod write;

pub use bundle_export::{BundlePlanned, LeftOut};
pub use bundle_import::{BundleTaken, NotTaken, Waits};
pub use clock::{Clock, SystemClock};
pub use error::{
    BundleError, ErrorClass, FindingError, NodeError, ResyncError, SetAsideWork, StalePlan,
    WriteError,
};
pub use history::{History, HistoryLine, Knew};
pub use known_time::KnownTime;
pub use life::{FindingAct, FindingDone, PublishedFinding};
pub use link::{Arriving, Leaving, run_late_link, run_link};
pub use lists::{FindingCount, HeldLog, ListedRecord, Members};
pub use node::{Event, Node, NodeKeys, PeerStatus, Start};
pub use quarantine::Quarantined;
pub use read::{DETAINED, Safety, ScopeDigest, Status};
pub use replica_digest::run_replica_digests;
pub use resync::{PlannedLog, RangeProgress, Resync, ResyncAct, ResyncState};
pub use room::{BallastMove, DiskBudget, Look, RoomKeeper, RoomLevel, RoomPlan};
pub use scrub::{Damage, ScrubPace, ScrubStatus};
pub use suspects::{Suspect, Suspects, TaskEnd};
pub use tasks::Tasks;
pub use tokens::KeptToken;
/// Rows as the store has them: plain data, for whoever asks a node.
pub use wadi_store::{
    ChangeRow, CompareRow, FindingFilter, FindingRow, LocalScope, RecordFilter, RecordRow,
    RefusalRow, entries_digest,
};
pub use write::{Based, Target, Write, Written, check_name, is_hidden};
