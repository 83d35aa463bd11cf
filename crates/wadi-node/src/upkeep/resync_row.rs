//! A resync as it is written down.

use crate::door::resync_state::ResyncState;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// One log in a plan: what is held here and there, and why they differ.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedLog {
    /// The log's origin.
    pub log: String,
    /// `ahead`, `behind`, `forked`, `damaged`.
    pub state: String,
    /// Entries held here.
    pub mine: u64,
    /// Entries held by the peer; none where that was not compared.
    pub theirs: Option<u64>,
    /// Runs of entries concerned, from and to a position.
    pub ranges: Vec<(u64, u64)>,
    /// How many entries those are.
    pub entries: u64,
    /// For damage: missing, rotten or replaced entries.
    pub kinds: Vec<String>,
}

/// Somebody held a resync up, let it go on, or ended it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Steering {
    /// `pause`, `resume` or `cancel`.
    pub act: String,
    /// Who.
    pub by: String,
    /// The token that named that person, where it is nobody's own; else empty.
    #[serde(default)]
    pub by_token: String,
    /// When, Unix milliseconds by this node's clock.
    pub at_ms: i64,
}

/// How far one run of entries has come.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RangeProgress {
    /// The log's origin.
    pub log: String,
    /// First position.
    pub from: u64,
    /// Position after the last.
    pub to: u64,
    /// Entries of it that are in place.
    pub done: u64,
}

/// A resync: its plan, how far it has come, and what came of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Resync {
    pub id: String,
    pub state: ResyncState,
    /// The node that carries it out.
    pub node: String,
    /// With whom it compares.
    pub peer: String,
    pub reason: String,
    pub planned_by: String,
    /// The token that named that person, where it is nobody's own; else empty.
    #[serde(default)]
    pub planned_by_token: String,
    pub approved_by: String,
    /// The same of who approved it.
    #[serde(default)]
    pub approved_by_token: String,
    pub made_ms: i64,
    pub changed_ms: i64,
    /// The order's entry, where a hub gave one.
    pub order: Option<String>,
    /// Whether the peer was there to be compared with.
    pub compared: bool,
    pub scrubbed_entries: u64,
    pub equal_logs: u64,
    pub logs: Vec<PlannedLog>,
    /// Logs that were known to be forked when it was planned, by origin: a fork proven since makes
    /// the plan stale.
    #[serde(default)]
    pub forked: Vec<String>,
    pub waiting: i64,
    pub refused: i64,
    /// Records that stood differently than their entries say.
    pub rederived: u64,
    pub send_entries: u64,
    pub fetch_entries: u64,
    pub damaged_entries: u64,
    /// Bytes that comparing took, both ways.
    pub compare_bytes: u64,
    /// Bytes that the run will take, about.
    pub send_bytes: u64,
    pub fetch_bytes: u64,
    /// How long they take at the link's provisioned rate; none where that is not known.
    pub seconds: Option<f64>,
    /// What it waits for, in words.
    pub waits_for: String,
    pub progress: Vec<RangeProgress>,
    /// Who steered it, the last ones.
    #[serde(default)]
    pub steered: Vec<Steering>,
    /// What was found at the end: equal or not, through which time, what could not be mended.
    pub outcome: serde_json::Value,
}

impl Resync {
    /// One that was ordered or approved, and has no plan of its own yet.
    pub(crate) fn begun(
        id: String,
        reason: &str,
        by: &str,
        made_ms: i64,
        order: Option<String>,
    ) -> Self {
        Self {
            id,
            state: ResyncState::Shipping,
            node: String::new(),
            peer: String::new(),
            reason: reason.into(),
            planned_by: by.into(),
            planned_by_token: String::new(),
            approved_by: by.into(),
            approved_by_token: String::new(),
            made_ms,
            changed_ms: made_ms,
            order,

            steered: vec![],
            compared: false,
            scrubbed_entries: 0,
            equal_logs: 0,
            logs: vec![],
            forked: vec![],
            waiting: 0,
            refused: 0,
            rederived: 0,

            send_entries: 0,
            fetch_entries: 0,
            damaged_entries: 0,
            compare_bytes: 0,
            send_bytes: 0,
            fetch_bytes: 0,
            seconds: None,

            waits_for: String::new(),
            progress: vec![],
            outcome: json!(null),
        }
    }
}
