//! The hall of the house: every road of a node meets in `commit.rs`.
//!
//! A [`Node`] takes writes from officers and devices, blocks from peers, and control facts from the
//! hub's operators, all through one queue of bounded length. Its sequencer works them off in
//! groups: each group becomes one batch, one commit, one signature for each log it touched. Reads
//! go to the store directly.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod api;
mod bundles;
mod door;
mod hub;
mod ledger;
mod links;
mod node;
mod pipeline;
mod records;
#[cfg(test)]
mod tests;
mod upkeep;

pub use api::{
    Reads,
    history::{History, HistoryLine, Knew},
    lists::{FindingCount, HeldLog, ListedRecord, Members},
    quarantine::Quarantined,
    read::{DETAINED, Safety, Status},
    tokens::{KeptToken, Tokens},
};
pub use bundles::{
    Bundles,
    export::{BundlePlanned, LeftOut},
    import::{BundleTaken, NotTaken, Waits},
};
pub use door::{
    Door, NodeKeys,
    clock::{Clock, SystemClock},
    disk::{DiskBudget, Look, RoomLevel},
    error::{
        BundleError, ErrorClass, FindingError, NodeError, ResyncError, SetAsideWork, StalePlan,
        WriteError,
    },
    event::Event,
    known_time::KnownTime,
    resync_state::{ResyncAct, ResyncState},
    scopes::ScopeDigest,
    status::{Damage, PeerStatus, ScrubStatus},
    suspects::{Suspect, Suspects, TaskEnd},
    tasks::Tasks,
    write::{Based, Target, Write, Written, check_name, is_hidden},
};
pub use hub::life::{FindingAct, FindingDone, Findings, PublishedFinding};
pub use links::{Arriving, Leaving, run_late_link, run_link};
pub use node::{Node, Start};
pub use upkeep::{
    replica_digest::run_replica_digests,
    resync::Resyncs,
    resync_row::{PlannedLog, RangeProgress, Resync},
    room::{BallastMove, RoomKeeper, RoomPlan},
    salvage::Salvager,
    scrub::{Scrub, ScrubPace},
};
/// Rows as the store has them: plain data, for whoever asks a node.
pub use wadi_store::{
    ChangeRow, CompareRow, FindingFilter, FindingRow, LocalScope, RecordFilter, RecordRow,
    RefusalRow, entries_digest,
};
