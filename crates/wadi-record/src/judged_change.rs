//! What a record is made of, and how its parts are shown: entries, claims, fields, events.

use crate::{
    Department,
    authority::{Judge, Refusal},
};
use serde_json::{Map, Value as Json};
use wadi_log::{Change, Common, Crossing, LogVerdict, Reference, SshKey, Value};

/// An entry on a record, with the verdict on it and what it is judged by.
#[derive(Clone, PartialEq, Debug)]
pub struct JudgedChange {
    /// Where it stands.
    pub reference: Reference,
    /// Who and when.
    pub common: Common,
    /// What.
    pub change: Change,
    /// Whether its log counts that far.
    pub verdict: LogVerdict,
    /// What it is judged by.
    pub judge: Judge,
}

impl JudgedChange {
    /// When it happened, as claimed, Unix milliseconds.
    pub fn at_ms(&self) -> i64 {
        self.common.happened_ms.unwrap_or(self.common.wall_ms)
    }
}

/// How a row stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It counts and is in the document.
    Counts,
    /// It is kept and does not count.
    Refused(Refusal),
    /// Something it builds on is not held yet: that entry, or the record's first one, which has no
    /// reference before it comes.
    Waits(Option<Reference>),
}

/// A value of a field and who put it.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// The value.
    pub value: Value,
    /// The entry that put it.
    pub entry: Reference,
    /// The officer.
    pub officer: String,
    /// The department.
    pub department: String,
    /// When it happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
}

/// A field as merged.
#[derive(Clone, PartialEq, Debug)]
pub enum Field {
    /// One value, or several entries that agree on it.
    Settled(Value),
    /// Concurrent values that differ, each with its author.
    Contested(Vec<Claim>),
}

/// An event, and whether it counts for the state.
#[derive(Clone, PartialEq, Debug)]
pub struct EventView {
    /// Its id.
    pub id: String,
    /// The entry that says it.
    pub reference: Reference,
    /// Which of the entry's events it is.
    pub(crate) ordinal: usize,
    /// Its members; `type` among them. Empty where the text is no JSON object.
    pub members: Map<String, Json>,
    /// The text as signed.
    pub text: String,
    /// The officer.
    pub officer: String,
    /// The department, where this version knows it.
    pub department: Option<Department>,
    /// The device.
    pub device: String,
    /// The device's own counter; 0 where it gave none.
    pub device_seq: u64,
    /// The run of that counter; empty where it never began anew.
    pub device_run: String,
    /// When it happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// When it was entered, by the author's clock.
    pub entered_ms: i64,
    /// Why it does not count for the state.
    pub refusal: Option<Refusal>,
    /// It lies past a cut: it may restrict, never release.
    pub quarantined: bool,
    /// Somebody other than the performer, of a supervising department, stands for it.
    pub attested: bool,
    /// Its officer is registered for another crossing than that of the node that wrote it.
    pub elsewhere: bool,
    /// The crossing of the node that wrote it, `HUB` for a hub's; none for any other node.
    pub written_at: Option<Crossing>,
    /// The key of its officer's own that signed its entry.
    pub signed_by: Option<SshKey>,
}

/// A value that an entry put into a field without having the right to. It is kept and shown, and
/// does not count.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusedPut {
    /// The entry that put it.
    pub entry: Reference,
    /// The field.
    pub field: String,
    /// The value.
    pub value: Value,
    /// Why it does not count.
    pub refusal: Refusal,
}

/// A value that somebody was permitted to put in the place of another one, after a decision rested
/// on the field, or where one of another record may rest on it.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedPut {
    /// The entry that put it.
    pub entry: Reference,
    /// The field.
    pub field: String,
    /// What it held, as far as the author or its log knew.
    pub before: Vec<Value>,
    /// The type of the event that its author knew of and that rests on the field; none where only
    /// another record may.
    pub after: Option<&'static str>,
}

impl EventView {
    /// An event as its entry says it, not yet judged.
    pub(crate) fn of(said: &JudgedChange, ordinal: usize) -> Self {
        let text = &said.change.events[ordinal];
        let members = match serde_json::from_str(text) {
            // One text, one reading: a member given twice, or any other spelling, would read
            // differently elsewhere.
            Ok(Json::Object(m))
                if serde_json_canonicalizer::to_string(&m).is_ok_and(|t| t == *text) =>
            {
                m
            }
            _ => Map::new(),
        };

        let common = &said.common;
        let mut event = Self {
            id: said.reference.event_id(ordinal),
            reference: said.reference,
            ordinal,
            members,
            text: text.clone(),
            officer: common.officer.clone(),
            department: common.department.parse().ok(),
            device: common.device.clone(),
            device_seq: common.device_seq,
            device_run: common.device_run.clone(),
            at_ms: said.at_ms(),
            entered_ms: common.wall_ms,
            refusal: None,
            quarantined: false,
            attested: false,
            elsewhere: false,
            written_at: said.judge.author.writes_at(),
            signed_by: None,
        };

        if event.device.is_empty() {
            // An officer enters what a device says: the device and its counter are members of the
            // event.
            event.device = event
                .text("device")
                .or(event.text("scale"))
                .unwrap_or_default()
                .into();

            event.device_seq = event
                .int("device_seq")
                .and_then(|n| n.try_into().ok())
                .unwrap_or(0);
        }

        event
    }

    #[cfg(test)]
    pub(crate) fn for_test(kind: &str) -> Self {
        Self {
            id: kind.into(),
            reference: Reference {
                log: wadi_log::LogId {
                    node: wadi_log::NodeId([1; 16]),
                    epoch: wadi_log::Epoch([1; 8]),
                    lane: wadi_log::Lane::Passage,
                    crossing: wadi_log::Crossing::HUB,
                },
                seq: 0,
                leaf: wadi_log::Hash::default(),
            },
            ordinal: 0,
            members: Map::from_iter([("type".to_string(), Json::from(kind))]),
            text: String::new(),
            officer: String::new(),
            department: None,
            device: String::new(),
            device_seq: 0,
            device_run: String::new(),
            at_ms: 0,
            entered_ms: 0,
            refusal: None,
            quarantined: false,
            attested: false,
            elsewhere: false,
            written_at: None,
            signed_by: None,
        }
    }

    /// The type's name; empty where there is none.
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// A member's text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Json::as_str)
    }

    /// A member's whole number.
    pub fn int(&self, member: &str) -> Option<i64> {
        self.members.get(member).and_then(Json::as_i64)
    }

    /// A member's list of text.
    pub fn texts(&self, member: &str) -> Vec<&str> {
        let list = self.members.get(member).and_then(Json::as_array);
        list.map(|l| l.iter().filter_map(Json::as_str).collect())
            .unwrap_or_default()
    }

    /// Whether it counts in full.
    pub fn counts(&self) -> bool {
        self.refusal.is_none() && !self.quarantined
    }

    /// Whether it counts where it restricts.
    pub fn restricts(&self) -> bool {
        self.refusal.is_none()
    }
}
