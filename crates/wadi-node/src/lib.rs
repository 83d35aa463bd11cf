//! The hall of the house: one door, and behind it the rooms in which a node works.
//!
//! A [`Node`] takes writes from officers and devices, blocks from peers, and control facts from the
//! hub's operators, all as commands through its [`Door`], one queue of bounded length. The pipeline
//! works them off: each group becomes one batch, one commit, one signature for each log it touched.
//! Whoever only reads asks the store, or what the pipeline has published.
//!
//! # The rooms
//!
//! ```text
//! node.rs                               starts and stops; leads to each part, and decides nothing
//!   api/ bundles/ hub/ links/ upkeep/   the wings
//!   pipeline/                           works commands off; the one that gives positions
//!     records/                          records as they were built last
//!       door/                           the one way in, and all that two wings share
//!         ledger/                       what is known of logs
//! ```
//!
//! - `ledger`: plain types without locks, tasks or clocks: the ledger itself, the views of it that
//!   everybody reads, what entries are judged by, the hub's time as it is judged, what is to be
//!   repaired.
//! - `door`: [`Door`], commands and events, errors, tasks, suspects, the disk's budget, the clock
//!   and what is known of the time, the boards that status reads, and what is asked of peers.
//! - `records`: the shelf of records, bounded by bytes.
//! - `pipeline`: sequencing, judging, committing; forks, cuts and mends.
//! - `links`: one session with one peer, and its side tasks.
//! - `bundles`: what is carried by hand, and receipts.
//! - `hub`: reconciling, the life of findings, and the country log.
//! - `upkeep`: scrub, resync, databases that were set aside, replicas, room on the disk.
//! - `api`: what porches and commands read.
//!
//! # The rules of the road
//!
//! - A room imports itself and what lies below it. No wing imports another, and neither the
//!   pipeline nor a wing imports the other: what two of them need moves down to `door`. The records
//!   lie above the door: what builds them may ask it, and nothing in the door asks for a record.
//! - Only the pipeline's sequencer gives positions and changes what is known; everybody else sends
//!   it a command.
//! - A fact is visible only when it is durable: views of the ledger and answers follow the commit.
//! - One place hands batches to the store.
//! - Every point at which a task may be dropped is safe.
//!
//! `integration-tests/tests/tidy.rs` reads every import and every call of the store, and holds the
//! first and the last but one.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod api;
mod bundles;
mod door;
mod hub;
mod ledger;
mod links;
mod node;
mod parts;
mod pipeline;
mod records;
#[cfg(test)]
mod tests;
mod upkeep;

pub use api::{
    Reads,
    alarms::Alarm,
    chain_heads::ToldHeads,
    compare_peer::{DifferingLog, DifferingRecord, PeerDifferences},
    cursors::CursorGone,
    day::{DayCount, DayRecord},
    expected::LaneUnsent,
    finding_figures::FigureQuery,
    history::{History, HistoryLine, Knew},
    known::KnownPage,
    lists::{FindingCount, HeldLog, ListedRecord, Members},
    local_chain::{ChainHead, ChainLine, ChainReading, ChainVerdict, LocalChain},
    local_table::LocalTable,
    outages::SiteOutage,
    quarantine::Quarantined,
    read::{DETAINED, Safety, SaidBy},
    statement::StatementToSign,
    status::Status,
    tokens::{KeptToken, SensitiveReads, Tokens},
};
pub use bundles::{
    Bundles,
    export::{BundlePlanned, LeftOut},
    import::{BundleTaken, NotTaken, Waits},
};
pub use door::{
    Door, NodeKeys,
    budget_limits::{BudgetLimits, Cost, Limit},
    budgets::{BudgetState, CostUse, MemberCost},
    clock::{Clock, SystemClock},
    contacts::{BacklogThen, Contact, LinkState, PeerContacts},
    disk::{DiskBudget, Look, RoomLevel},
    error::{
        BundleError, ErrorClass, FindingError, NodeError, ResyncError, SetAsideWork, StalePlan,
        WriteError,
    },
    event::Event,
    held_of_peers::{
        HeldPart, PEER_ALLOWANCE_BYTES, PEER_BYTES_MAX, PeerHoldings, PeerMemoryUse,
        WINDOWS_BYTES_MAX,
    },
    known_time::KnownTime,
    live::{LivePart, LiveVersions},
    next_contact::{EstimatedBy, NextContact},
    pace::{Pace, PeerBacklog},
    resync_state::{ResyncAct, ResyncState},
    scopes::ScopeDigest,
    signatory::Signatory,
    status::{CountryStanding, Damage, LinkStatus, PeerStatus, ScrubStatus, WitnessStanding},
    suspects::{Suspect, Suspects, TaskEnd},
    tasks::Tasks,
    traffic::{LinkCounter, LinkTraffic, PurposeBytes, TrafficPurpose, WayBytes, sum_of},
    write::{
        Based, Changed, ChangedField, SentContent, Target, Write, Written, check_given_name,
        check_name, check_person, is_hidden,
    },
};
pub use hub::{
    country::{Country, CountryPlan, CountryProofs, WitnessPlan, WitnessTransport},
    desk::{FindingDesk, SavedView, Snooze},
    life::{ActSignature, FindingAct, FindingDone, Findings, PublishedFinding, finding_version},
};
pub use links::{Arriving, Leaving, LinkPlan, run_late_link, run_link, run_planned_link};
pub use node::Node;
pub use parts::Start;
pub use upkeep::{
    replica_digest::run_replica_digests,
    resync::Resyncs,
    resync_row::{PlannedLog, RangeProgress, Resync, Steering},
    room::{BallastMove, RoomKeeper, RoomPlan},
    salvage::Salvager,
    scrub::{Scrub, ScrubPace},
};
/// What a country log is made of.
pub use wadi_country::{ANSWER_BYTES_MAX, SignatureKind, TILE_WIDTH, TilePath, VKey};
/// What a decision says a finding was.
pub use wadi_reconcile::Disposition;
/// Rows as the store has them: plain data, for whoever asks a node.
pub use wadi_store::{
    BornFilter, CaseFilter, CaseRow, ChangeRow, ChosenFindings, CompareRow, FindingFilter,
    FindingRow, HoldTerms, LocalScope, RecordFilter, RecordRow, RefusalPage, RefusalPlace,
    RefusalRow, SoughtBy, entries_digest,
};
