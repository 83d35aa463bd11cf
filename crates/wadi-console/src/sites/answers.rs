//! What these pages read of the API's answers.

use crate::expected::{ExpectedRead, LaneUnsentRead};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How the node and its peers stand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SitesRead {
    pub node: String,
    pub role: String,
    pub crossing: String,
    pub now_ms: i64,
    pub unsent: u64,
    pub oldest_unsent_ms: Option<i64>,
    pub watermarks: std::collections::BTreeMap<String, i64>,
    pub alarms: Vec<String>,
    pub alarm_kinds: BTreeMap<String, u64>,
    pub degraded: Option<DegradedRead>,
    pub software: String,
    pub certificate_ends_s: Option<i64>,
    pub clock_ahead_s: Option<i64>,
    pub expected_at_hub: Option<ExpectedRead>,
    pub unsent_by_lane: Vec<LaneUnsentRead>,
    pub scopes: Vec<ScopeRead>,
    pub peers: Vec<PeerRead>,
    pub forks: Vec<String>,
    pub cuts: Vec<String>,
}

/// What is held of a lane of a crossing.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ScopeRead {
    pub lane: String,
    pub crossing: String,
    pub records: u64,
    pub entries: u64,
    pub entries_digest: String,
    pub documents_digest: String,
    pub states_digest: String,
}

/// What is given up for want of room on the disk.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DegradedRead {
    pub why: String,
    pub free_bytes: u64,
}

/// How a peer stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeerRead {
    pub node: String,
    pub role: Option<String>,
    pub crossing: Option<String>,
    pub connected: bool,
    pub link: String,
    pub contacts_in_hour: u64,
    pub usual_dark_ms: Option<i64>,
    pub dark_as_usual: Option<bool>,
    pub next_contact: Option<ExpectedRead>,
    pub certificate_ends_s: Option<i64>,
    pub software: Option<String>,
    pub backlog: Option<Vec<LaneRead>>,
    pub caught_up_in_ms: Option<i64>,
    pub last_contact_ms: i64,
    pub in_step: Option<bool>,
    pub rtt_ms: Option<u64>,
    pub last_error: String,
    pub alarms: Vec<AlarmRead>,
    pub traffic: TrafficRead,
    pub links: Vec<PeerLinkRead>,
}

/// How one of several links with a peer stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PeerLinkRead {
    pub name: String,
    pub cost: String,
    pub purpose: String,
    pub connected: bool,
    pub link: String,
    pub sends: Vec<String>,
    pub next_contact: Option<ExpectedRead>,
    pub last_contact_ms: i64,
    pub rtt_ms: Option<u64>,
    pub traffic: TrafficRead,
    pub last_error: String,
}

/// What went over a link.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TrafficRead {
    pub day: BTreeMap<String, WayBytesRead>,
    pub month: WayBytesRead,
    pub month_bytes_max: Option<u64>,
}

/// Bytes each way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub(crate) struct WayBytesRead {
    pub sent: u64,
    pub received: u64,
}

/// What is still to go over of a lane.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct LaneRead {
    pub lane: String,
    pub to_send: u64,
    pub sent_in_ms: Option<i64>,
    pub to_fetch: u64,
    pub fetched_in_ms: Option<i64>,
}

/// Something that asks for somebody at another node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct AlarmRead {
    pub about: String,
    /// Empty where what alarms say is withheld.
    #[serde(default)]
    pub text: String,
    pub since_ms: i64,
}

/// When a node was in contact with another one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactsRead {
    pub now_ms: i64,
    pub contacts: Vec<ContactRead>,
    pub backlog: Vec<BacklogRead>,
}

/// One contact.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ContactRead {
    pub began_ms: i64,
    pub ended_ms: i64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// What a node lacked at a time.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct BacklogRead {
    pub at_ms: i64,
    pub unsent: u64,
}

/// Refusals.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RefusalsRead {
    pub refusals: Vec<RefusalRead>,
    pub next_after: Option<String>,
}

/// Something that was refused, and whose it was.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RefusalRead {
    pub subject: String,
    pub code: String,
    pub why: String,
    pub peer: String,
    pub at_ms: i64,
    pub times: u64,
    pub dismissed: Option<DismissalRead>,
}

/// Who dismissed a refusal, and why.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DismissalRead {
    pub by: String,
    pub reason: String,
    pub at_ms: i64,
}

/// The members of the network.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct MembersRead {
    pub members: Vec<MemberRead>,
}

/// A node that is enrolled.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MemberRead {
    pub node: String,
    pub id: String,
    pub role: String,
    pub crossing: Option<String>,
    pub issued_s: i64,
    pub cut: bool,
    pub forked: bool,
    pub closed_s: Option<i64>,
}

impl MembersRead {
    /// The name of a node, by its id; the id where it is not known.
    pub(crate) fn name_of(&self, id: &str) -> String {
        let found = self.members.iter().find(|m| m.id == id);
        found.map_or_else(|| id.into(), |m| m.node.clone())
    }
}
