//! What these pages read of the API's answers.

use crate::expected::{ExpectedRead, LaneUnsentRead};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What somebody may say and set.
#[derive(Debug, Deserialize)]
pub(super) struct MaySay {
    pub department: String,
    pub departments: Vec<String>,
    pub owns: Vec<String>,
    pub events: Vec<Sayable>,
    pub fields: Vec<Settable>,
}

/// An event that may be said.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sayable {
    pub event: String,
    pub kinds: Vec<String>,
    pub effect: String,
    pub begins_hold: bool,
    #[serde(default)]
    pub hold_type_member: Option<String>,
    pub read_or_reason: bool,
    pub members: Vec<ValueShape>,
}

/// A field that may be set.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Settable {
    pub kind: String,
    pub value: ValueShape,
}

/// What a member or a field holds.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ValueShape {
    pub name: String,
    pub holds: String,
    #[serde(default)]
    pub unit: Option<String>,
    #[serde(default)]
    pub choices: Option<Vec<String>>,
    #[serde(default)]
    pub from: Option<i64>,
    #[serde(default)]
    pub to: Option<i64>,
    pub required: bool,
}

/// A crossing's day.
#[derive(Debug, Deserialize)]
pub(super) struct CrossingDay {
    pub counts: Vec<DayStateCount>,
    pub passages: Vec<DayLine>,
    pub holds: Vec<DayLine>,
    pub entries: Vec<DayLine>,
    pub site_days: Vec<DayLine>,
    pub open_holds: Vec<DayLine>,
}

/// How many records of a kind and state.
#[derive(Debug, Deserialize)]
pub(super) struct DayStateCount {
    pub kind: String,
    pub state: String,
    pub count: u64,
}

/// A record of a day.
#[derive(Debug, Deserialize)]
pub(super) struct DayLine {
    pub began_ms: i64,
    pub record: ReadRecord,
}

/// A page of records.
#[derive(Debug, Deserialize)]
pub(super) struct FoundPage {
    pub records: Vec<ReadRecord>,
    #[serde(default)]
    pub next_before: Option<i64>,
}

/// A record, as far as these pages show it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReadRecord {
    pub id: String,
    pub record: String,
    pub kind: String,
    pub crossing: String,
    pub state: String,
    pub flags: Vec<String>,
    pub detained_by: Vec<ReadDetention>,
    pub placements: Vec<ReadPlacement>,
    pub fields: BTreeMap<String, Value>,
    pub events: Vec<ReadEvent>,
    pub heads: Vec<String>,
    pub warnings: Vec<String>,
    pub safety: String,
}

/// An open hold on a record.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadDetention {
    pub hold: String,
    #[serde(rename = "type")]
    pub of: Option<String>,
    pub department: Option<String>,
    pub legal_basis: Option<String>,
    pub placed_ms: Option<i64>,
}

/// How a hold was placed.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ReadPlacement {
    pub id: String,
    #[serde(rename = "type")]
    pub of: Option<String>,
    pub placed_ms: i64,
    pub open: bool,
}

/// An event of a record.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReadEvent {
    #[serde(rename = "type")]
    pub of: Option<String>,
    pub data: BTreeMap<String, Value>,
    pub officer: String,
    pub at_ms: i64,
    pub entered_ms: i64,
    pub entry: String,
    pub counts: bool,
}

/// What a write came to.
#[derive(Debug, Deserialize)]
pub(super) struct ReadWritten {
    pub id: String,
    pub entry: String,
    pub repeated: bool,
    pub warnings: Vec<String>,
}

/// How the node stands.
#[derive(Debug, Deserialize)]
pub(super) struct LinkStanding {
    pub unsent: u64,
    pub oldest_unsent_ms: Option<i64>,
    pub expected_at_hub: Option<ExpectedRead>,
    pub unsent_by_lane: Vec<LaneUnsentRead>,
    pub alarms: Vec<String>,
    pub peers: Vec<PeerStanding>,
}

/// How a peer stands.
#[derive(Debug, Deserialize)]
pub(super) struct PeerStanding {
    pub node: String,
    pub connected: bool,
    pub last_contact_ms: i64,
    pub unsent: Option<u64>,
    pub rtt_ms: Option<u64>,
}

/// Officers whom the hub registered.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OfficerList {
    pub officers: Vec<OfficerLine>,
}

/// An officer.
#[derive(Debug, Deserialize)]
pub(super) struct OfficerLine {
    pub officer: String,
    pub crossing: Option<String>,
    pub revoked: bool,
    #[serde(default)]
    pub name: String,
}

impl ReadRecord {
    /// A field's value as text; nothing where it has none.
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The plate as it was read, or as it is compared.
    pub(super) fn plate(&self) -> &str {
        match self.text("vehicle.plate_raw") {
            "" => self.text("vehicle.plate"),
            raw => raw,
        }
    }

    /// Whether it has left, or will never come: nothing more is expected of it here.
    pub(super) fn is_over(&self) -> bool {
        const OVER: [&str; 6] = [
            "EXITED",
            "VOID",
            "TURNED_BACK",
            "ABANDONED",
            "ARRIVED_ELSEWHERE",
            "CANCELLED",
        ];
        OVER.contains(&self.state.as_str())
    }
}
