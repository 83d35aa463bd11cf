//! Where entries are kept: the only table that cannot be rebuilt, and everything derived from it.
//!
//! [`LogStore::commit`] is the only write. It takes a [`Batch`], and a batch takes entries only as
//! `wadi-log` has verified them. A commit is durable, with its anchor, when it returns. Every read
//! of an entry checks its hash.
//!
//! Runs no rule, and knows nothing of documents, peers' protocols or HTTP.

// A text is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod anchor;
mod at_rest;
mod audit;
mod backup;
mod batch;
mod compare;
mod days;
pub mod defence;
mod error;
mod hold_terms;
mod lists;
mod local_scope;
mod move_store;
mod ports;
mod postgres;
pub mod private;
mod queue;
mod rows;
mod salvage;
mod scope_sums;
mod set_aside;
mod sqlite;
mod tables;
mod temporary;
mod writes;

pub use anchor::{Anchor, AnchorFile, AnchorState};
pub use at_rest::StoreKey;
pub use audit::{
    AuditCosignature, AuditEntry, AuditLog, AuditReader, audit_postgres, audit_sqlite,
};
pub use backup::{
    COMING, CopyFacts, CopyReader, DumpAudit, audit_dump, copy_sqlite, dump_postgres,
    fill_postgres, known_schema, put_in_place, restore_unfinished,
};
pub use batch::{Append, Batch, FindingChanges, LocalState, ProjectedRows, Repair};
pub use compare::{CompareRow, entries_digest};
pub use error::StoreError;
pub use hold_terms::{CameAgain, CarriedWithin, EmptiedBefore, HoldTerms, MovedWithin, StoredOn};
pub use local_scope::LocalScope;
pub use move_store::{Moved, move_store};
pub use ports::{
    EntrySource, FindingIndex, LocalKeys, LogStore, Neighbours, RecordIndex, RepairSource, Store,
};
pub use postgres::{Looked, PostgresStore, recode_postgres};
pub use rows::{
    AboutRow, BornFilter, BranchRow, Carried, CaseFilter, CaseRow, ChangeRow, ChosenFindings,
    CosignedHead, CourseFilter, CourseRow, Detention, FindingFilter, FindingRow, HoldHit, LocalKey,
    LogRow, PeerRow, RawCosignature, RawEntry, RawLoose, RecordFilter, RecordRow, RefusalPage,
    RefusalPlace, RefusalRow, SoughtBy, StoreCounts, StoredEntry, TermHit, TermQuery, Waiting,
};
pub use salvage::{Blocks, Found, FoundLog, Place, Salvage};
pub use set_aside::{REBUILD_MARKER, SetAside};
pub use sqlite::{Recoded, SqliteStore, recode_sqlite};
pub use temporary::TemporaryServer;

/// The ports of a store, for whoever calls them on an engine and not on a `dyn Store`.
pub mod prelude {
    pub use crate::{
        EntrySource as _, FindingIndex as _, LocalKeys as _, LogStore as _, Neighbours as _,
        RecordIndex as _, RepairSource as _, Store,
    };
}
