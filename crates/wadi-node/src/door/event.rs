//! What happens in a node, for whoever listens.

use std::sync::Arc;
use wadi_log::{
    Cosignature, Crossing, Enrolment, ForkProof, LogId, RecordId, SignedCheckpoint, Tip,
};

/// What sessions and screens hear of.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Event {
    Grew(Vec<(LogId, Tip)>),
    Refreshed(LogId),
    Members(Vec<Enrolment>),
    Forks(Vec<ForkProof>),
    HubCosigned(Box<SignedCheckpoint>, Cosignature),
    Carried,
    /// Records changed. At a hub, those among them that are handed over, each with a crossing that
    /// it is handed over to.
    Records(Arc<[(Crossing, RecordId)]>),
    /// Whatever is said of records may have changed.
    RecordsAnew,
    /// All that was missing of a log is back, or another branch of it became the log.
    Mended(LogId),
    /// Entries of records handed over to this crossing are gone: the hub has to send them again.
    ExcerptsLost,
    /// There is more room on the disk than there was: what was refused for want of it can be asked
    /// for again.
    RoomAgain,
    /// Writing failed in a way that only verifying at the next start can judge: the process has to
    /// stop.
    Failed(String),
    /// The database does not read any more: it has to be set aside at the next start.
    Broken(String),
}
