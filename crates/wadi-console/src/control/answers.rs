//! What these pages read of the API's answers.

use serde::Deserialize;
use serde_json::Value;

/// Resyncs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ResyncsRead {
    pub resyncs: Vec<ResyncRead>,
}

/// A resync.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ResyncRead {
    pub id: String,
    pub state: String,
    pub node: String,
    pub peer: String,
    pub reason: String,
    pub planned_by: String,
    pub planned_by_token: String,
    pub approved_by: String,
    pub approved_by_token: String,
    pub made_ms: i64,
    pub changed_ms: i64,
    pub order: Option<String>,
    pub compared: bool,
    pub scrubbed_entries: u64,
    pub equal_logs: u64,
    pub logs: Vec<ResyncLogRead>,
    pub send_entries: u64,
    pub fetch_entries: u64,
    pub damaged_entries: u64,
    pub send_bytes: u64,
    pub fetch_bytes: u64,
    pub seconds: Option<f64>,
    pub waits_for: String,
    pub progress: Vec<ProgressRead>,
    pub steered: Vec<SteeredRead>,
    pub outcome: Value,
}

/// One log in a plan.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ResyncLogRead {
    pub log: String,
    pub state: String,
    pub mine: u64,
    pub theirs: Option<u64>,
    pub ranges: Vec<(u64, u64)>,
    pub entries: u64,
}

/// How far one run of entries has come.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ProgressRead {
    pub log: String,
    pub from: u64,
    pub to: u64,
    pub done: u64,
}

/// Somebody steered a resync.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct SteeredRead {
    pub act: String,
    pub by: String,
    #[serde(default)]
    pub by_token: String,
    pub at_ms: i64,
}

/// Entries in quarantine.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct QuarantineRead {
    pub entries: Vec<QuarantinedRead>,
    pub next_after: Option<String>,
}

/// An entry that does not count.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct QuarantinedRead {
    pub entry: String,
    pub log: String,
    pub why: String,
    pub record: Option<String>,
    pub officer: String,
    pub department: String,
    pub claimed_ms: i64,
    pub events: Vec<String>,
    pub fields: Vec<String>,
}

/// The policy in force.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PolicyRead {
    pub revision: u64,
    pub by: Option<String>,
    #[serde(default)]
    pub by_token: Option<String>,
    pub since_ms: Option<i64>,
    pub policy: Value,
    pub default: Value,
}

/// What a control fact came to, or would change.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ControlRead {
    #[serde(default)]
    pub would: Value,
}

/// Officers.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OfficersRead {
    pub officers: Vec<OfficerRead>,
}

/// An officer whom a hub registered.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct OfficerRead {
    pub officer: String,
    pub department: String,
    pub crossing: Option<String>,
    pub supervisor: bool,
    pub revoked: bool,
    pub name: String,
}

/// In what this node and a peer differ.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DifferencesRead {
    pub logs: Vec<DifferingLogRead>,
    pub records: Vec<DifferingRecordRead>,
    pub has_more: bool,
    pub bytes: u64,
}

/// A log of which both hold other entries.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DifferingLogRead {
    pub log: String,
    pub lane: String,
    pub crossing: String,
    pub state: String,
    pub here: u64,
    pub there: u64,
}

/// A record of which the peer lacks entries.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DifferingRecordRead {
    pub record: String,
    pub id: String,
    pub kind: String,
    pub state_here: String,
    pub state_there: Option<String>,
    pub lacking: u64,
    pub fields: Vec<DifferingFieldRead>,
    pub events: Vec<String>,
    pub withheld: Vec<String>,
}

/// A field that differs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct DifferingFieldRead {
    pub field: String,
    pub here: Value,
    pub there: Value,
}

/// Whether this node and a peer hold the same.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct VerifyRead {
    pub equal: bool,
    pub through_s: i64,
    pub logs: u64,
    pub logs_differing: u64,
    pub scopes_differing: Vec<String>,
    pub wrong_here: u64,
    pub bytes: u64,
}
