//! Entries: canonical protobuf bytes of at most 32 KiB, and what they can say.

mod encode;
mod read;

pub(crate) use read::canonical;

use crate::{
    Crossing, Epoch, Hash, LogError, LogId, NodeId, RecordId, Reference,
    ids::Seq,
    member::{Enrolment, RootKey},
    note::LogKey,
    pb,
    ssh::SshKey,
};
use prost::Message;
use read::{leading_version, limit};

/// Bytes of an entry at most.
pub const ENTRY_BYTES_MAX: usize = 32 * 1024;
/// Puts of an entry at most.
pub const PUTS_MAX: usize = 256;
/// Bytes of a key at most.
pub const KEY_BYTES_MAX: usize = 64;
/// Bytes of a text value at most.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an event's JSON at most.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an officer, department, device or source name at most.
const NAME_BYTES_MAX: usize = 64;
/// Dependencies, heads or references of an entry at most; what does not fit goes into a further
/// entry.
const LIST_ITEMS_MAX: usize = 256;
/// Entries that one entry is based on at most.
pub const BASED_ON_MAX: usize = LIST_ITEMS_MAX;

/// An entry: who says it, when by their own clock, and what.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// What every entry carries.
    pub common: Common,
    /// What this one says.
    pub body: Body,
}

/// The part common to all entries. Empty text stands for none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Common {
    /// The author's clock as claimed, Unix milliseconds. Nothing is refused because it is wrong.
    pub wall_ms: i64,
    /// How far the author believes that clock may be off, in milliseconds.
    pub doubt_ms: u64,
    /// When it happened, where that differs from when it was entered (a paper backlog), Unix
    /// milliseconds.
    pub happened_ms: Option<i64>,
    /// Where `happened_ms` comes from.
    pub happened_source: String,
    /// The officer who says it.
    pub officer: String,
    /// The department the officer acts for.
    pub department: String,
    /// The device that says it.
    pub device: String,
    /// The device's own counter; 0 where it has none.
    pub device_seq: u64,
    /// The run of that counter: as the device names it; where an operator let it begin anew, `#`
    /// and how often. Empty where it never did.
    pub device_run: String,
}

/// What an entry says.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Body {
    Change(Change),
    Boot(Boot),
    Seen(Seen),
    Enrolment(Enrolment),
    Officer(OfficerEntry),
    Policy(PolicyEntry),
    Cut(Cut),
    Admit(Admit),
    Closure(Closure),
    ResyncOrder(ResyncOrder),
    ResyncReport(ResyncReport),
    ReleaseToken(ReleaseToken),
    Alarm(AlarmEntry),
    ChainHead(ChainHeadEntry),
    Spare(SpareEntry),
    OfficerKey(OfficerKeyEntry),
    /// A kind of a newer version, kept verbatim.
    Unknown {
        kind: u32,
        bytes: Vec<u8>,
    },
}

/// Puts and events on one record.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Change {
    /// The record; `None` where this entry is its first.
    pub record: Option<RecordId>,
    /// The record's entries that the author's screen showed, strictly ascending.
    pub based_on: Vec<Reference>,
    /// Values put into fields, keys strictly ascending.
    pub puts: Vec<Put>,
    /// Events, each a canonical JSON object (RFC 8785) with a `type`.
    pub events: Vec<String>,
}

/// One value put into one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Put {
    /// The field.
    pub key: String,
    /// The value; null clears the field.
    pub value: Value,
}

/// A field's value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Value {
    /// The field is cleared.
    Null,
    /// UTF-8 text.
    Text(String),
    /// A whole number; units stand in the field's name.
    Int(i64),
    /// Yes or no.
    Flag(bool),
}

/// The last position of a log that somebody vouches for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Head {
    /// The log.
    pub log: LogId,
    /// Entries.
    pub size: Seq,
    /// The root over them.
    pub root: Hash,
}

/// The first control entry of an epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Boot {
    /// The software's name and version.
    pub software: String,
    /// Heads of the node's previous epoch, ascending; the same node and one epoch in all of them.
    pub previous: Vec<Head>,
}

/// Heads of control and hold logs that this node had taken in, those that moved since this log's
/// last `Seen`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Ascending by log.
    pub heads: Vec<Head>,
}

/// An officer's registration by the hub; a larger revision replaces a smaller one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfficerEntry {
    /// The officer's service number.
    pub officer: String,
    /// The department.
    pub department: String,
    /// Where; `None` for every crossing.
    pub crossing: Option<Crossing>,
    /// Whether a supervisor.
    pub supervisor: bool,
    /// Larger replaces smaller.
    pub revision: u64,
    /// Whether the officer may act no longer.
    pub revoked: bool,
    /// The officer's name, for people.
    pub name: String,
}

/// An officer's own signing key, or its end. An entry of its own kind, so that a node of an older
/// version keeps it and goes on: a member more of the registration would stop it there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfficerKeyEntry {
    /// The officer's service number.
    pub officer: String,
    /// The key. An officer may have several: a card, and the one kept for its loss.
    pub key: SshKey,
    /// Larger replaces smaller, of the same officer and key.
    pub revision: u64,
    /// The key signs no longer.
    pub taken_back: bool,
}

/// Authority, tolerances and deadlines, as JSON that `wadi-record` reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyEntry {
    /// Larger replaces smaller.
    pub revision: u64,
    /// RFC 8785 JSON.
    pub text: String,
}

/// Heads that one entry of a cut names at most.
pub const CUT_HEADS_MAX: usize = LIST_ITEMS_MAX;

/// What a cut is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CutTarget {
    /// All logs of a node.
    Node(NodeId),
    /// One log.
    Log(LogId),
}

/// The last that counts of a node or a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    /// For what.
    pub target: CutTarget,
    /// The last (size, root) that counts for each named log, ascending; unnamed logs of a cut node
    /// count to 0.
    pub heads: Vec<Head>,
    /// Earlier cuts that this one replaces.
    pub extends: Vec<Reference>,
    /// Why, for people.
    pub reason: String,
    /// The commission's root signature, which a cut against a hub needs.
    pub root_signature: Option<[u8; 64]>,
    /// It takes back what it extends, and cuts nothing. A node that does not know of that refuses
    /// it, and goes on with the cut.
    pub lifted: bool,
    /// It is no cut of its own, but names further heads of the cut with this content: one entry has
    /// room for 256 of them.
    pub part_of: Option<Hash>,
    /// The node that goes on in the place of the one that is cut: its log key was replaced, or its
    /// machine. It tells who audits, and decides nothing.
    pub successor: Option<NodeId>,
}

/// Single entries past a cut that count all the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admit {
    /// The entries, ascending.
    pub entries: Vec<Reference>,
    /// Why.
    pub reason: String,
}

/// A crossing has closed: nothing more is to come from it after that time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closure {
    /// The crossing.
    pub crossing: Crossing,
    /// Unix seconds of hub time.
    pub closed_s: i64,
    /// Why.
    pub reason: String,
}

/// The hub lets one hold of the commission's or of security be released at a site, once, should
/// the site be dark by then. Its id is the hash of its entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReleaseToken {
    /// At which crossing; `None` for any.
    pub crossing: Option<Crossing>,
    /// Whose officers may spend it.
    pub department: String,
    /// The one officer who may; empty for any of the department.
    pub officer: String,
    /// What it lets go: a hold of this type, or the hold of this id.
    pub scope: String,
    /// When it ends, Unix seconds of hub time.
    pub expires_s: i64,
    /// Why.
    pub reason: String,
}

/// A token for a release, and who issued it, as its entry says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: ReleaseToken,
    /// The person or the officer in whose name.
    pub officer: String,
    /// For which department: HUB, or SEC for what SEC itself may let go.
    pub department: String,
    /// The token that named that person, where it is nobody's own; else empty.
    pub by_token: String,
}

/// The hub orders a site to resync.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct ResyncOrder {
    pub id: String,
    pub crossing: Crossing,
    pub reason: String,
    pub approved_by: String,
}

/// What a resync found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct ResyncReport {
    pub order: Reference,
    pub text: String,
}

/// Bytes of an alarm's text.
pub const ALARM_BYTES_MAX: usize = 1_000;
/// Bytes of the word for what it is about.
pub const ALARM_ABOUT_BYTES_MAX: usize = 40;

/// A node asks for somebody, or does no longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlarmEntry {
    /// What it is about: one word of a to z and underscores, at most [`ALARM_ABOUT_BYTES_MAX`]
    /// bytes.
    pub about: String,
    /// Why, and what to do, at most [`ALARM_BYTES_MAX`] bytes; empty where it has ended.
    pub text: String,
    /// Since when, by the node, Unix milliseconds.
    pub at_ms: i64,
    /// The node's words of this, counted from 1: the highest holds, whatever clocks show.
    pub turn: u64,
}

/// Bytes of a chain's name.
pub const CHAIN_NAME_BYTES_MAX: usize = 40;

/// How far a chain of lines goes that a node keeps for itself alone, as who looked at whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainHeadEntry {
    /// Its name: one word of a to z and underscores, at most [`CHAIN_NAME_BYTES_MAX`] bytes.
    pub chain: String,
    /// The number of its newest line, from 1.
    pub lines: u64,
    /// SHA-256 of that line.
    pub head: Hash,
}

/// Bytes of the reason for a spare.
pub const SPARE_REASON_BYTES_MAX: usize = 1_000;

/// A node that was enrolled and never heard is a spare, and nobody waits for it; or is one no
/// longer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpareEntry {
    /// The node.
    pub node: NodeId,
    /// Declarations of it that end, ascending; empty where this is a declaration.
    pub ends: Vec<Reference>,
    /// Why, at most [`SPARE_REASON_BYTES_MAX`] bytes.
    pub reason: String,
}

/// What bytes turned out to be.
#[derive(Clone, PartialEq, Debug)]
pub enum Reading {
    /// An entry of this version.
    Entry(Entry),
    /// An entry of a later version: kept verbatim, counts for nothing until the software is
    /// renewed.
    Later {
        /// The version it claims.
        version: u32,
    },
}

impl Entry {
    /// The one encoding of this entry. Fails where a bound of the format is exceeded.
    pub fn encode(&self) -> Result<Vec<u8>, LogError> {
        let (kind, body) = self.body.encode();
        let c = &self.common;
        let bytes = pb::Entry {
            version: 1,
            kind,
            wall_ms: c.wall_ms,
            doubt_ms: c.doubt_ms,
            happened_ms: c.happened_ms,
            happened_source: c.happened_source.clone(),
            officer: c.officer.clone(),
            department: c.department.clone(),
            device: c.device.clone(),
            device_seq: c.device_seq,
            body,
            device_run: c.device_run.clone(),
        }
        .encode_to_vec();

        // Read back what was written: nothing leaves here that another node would refuse.
        match Self::read(&bytes)? {
            Reading::Entry(_) => Ok(bytes),
            Reading::Later { .. } => unreachable!("version 1 was just written"),
        }
    }

    /// Reads an entry's bytes. Refuses any other encoding of the same entry, and anything beyond
    /// the format's bounds.
    pub fn read(bytes: &[u8]) -> Result<Reading, LogError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(LogError::TooLarge {
                bytes: bytes.len(),
                max: ENTRY_BYTES_MAX,
            });
        }

        let version = leading_version(bytes)?;
        if version > 1 {
            return Ok(Reading::Later { version });
        }

        let e: pb::Entry = canonical("entry", bytes)?;
        for (what, text) in [
            ("officer", &e.officer),
            ("department", &e.department),
            ("device", &e.device),
            ("happened_source", &e.happened_source),
            ("device_run", &e.device_run),
        ] {
            limit(what, text.len(), NAME_BYTES_MAX)?;
        }

        if e.happened_ms.is_none() && !e.happened_source.is_empty() {
            return Err(LogError::malformed(
                "entry",
                "happened_source without happened_ms",
            ));
        }

        let common = Common {
            wall_ms: e.wall_ms,
            doubt_ms: e.doubt_ms,
            happened_ms: e.happened_ms,
            happened_source: e.happened_source,
            officer: e.officer,
            department: e.department,
            device: e.device,
            device_seq: e.device_seq,
            device_run: e.device_run,
        };

        Ok(Reading::Entry(Self {
            common,
            body: Body::read(e.kind, e.body)?,
        }))
    }
}

impl Body {
    /// The number that stands in the entry.
    pub fn kind(&self) -> u32 {
        match self {
            Self::Change(_) => 1,
            Self::Boot(_) => 2,
            Self::Seen(_) => 3,
            Self::Enrolment(_) => 4,
            Self::Officer(_) => 5,
            Self::Policy(_) => 6,
            Self::Cut(_) => 7,
            Self::Admit(_) => 8,
            Self::Closure(_) => 9,
            Self::ResyncOrder(_) => 10,
            Self::ResyncReport(_) => 11,
            Self::ReleaseToken(_) => 12,
            Self::Alarm(_) => 13,
            Self::ChainHead(_) => 14,
            Self::Spare(_) => 15,
            Self::OfficerKey(_) => 16,
            Self::Unknown { kind, .. } => *kind,
        }
    }
}

impl Cut {
    /// A cut of these heads, without the root's signature.
    pub fn of(target: CutTarget, heads: Vec<Head>, reason: String) -> Self {
        Self {
            target,
            heads,
            extends: Vec::new(),
            reason,
            root_signature: None,
            lifted: false,
            part_of: None,
            successor: None,
        }
    }

    /// The same in as many parts as its heads need, each with room in one entry: the cut first,
    /// then what belongs to it. Parts are for who signs them to sign.
    pub fn in_parts(mut self) -> Vec<Self> {
        let rest = self.heads.split_off(self.heads.len().min(CUT_HEADS_MAX));
        let whole = self.content();
        let part = |heads: &[Head]| Self {
            heads: heads.to_vec(),
            part_of: Some(whole),
            ..Self::of(self.target, Vec::new(), String::new())
        };

        let parts: Vec<Self> = rest.chunks(CUT_HEADS_MAX).map(part).collect();
        std::iter::once(self).chain(parts).collect()
    }

    /// The same, signed by the commission's root.
    pub fn issue(mut self, root: &LogKey) -> Self {
        self.root_signature = Some(root.sign_bytes(&self.signed_bytes()));
        self
    }

    /// The encoded cut, as a file brings one that the root signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_pb().encode_to_vec()
    }

    /// Reads an encoded cut; nothing is verified.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LogError> {
        Self::from_pb(canonical("cut", bytes)?)
    }

    /// The hash of what the root signs of it, whoever says it where.
    pub fn content(&self) -> Hash {
        crate::merkle::sha256(&[&self.signed_bytes()])
    }

    /// The bytes that the commission's root signs for a cut against a hub.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"wadi.cut/v1\n".to_vec();
        Self {
            root_signature: None,
            ..self.clone()
        }
        .to_pb()
        .encode(&mut bytes)
        .expect("a Vec grows");

        bytes
    }

    /// Whether the commission's root signed this cut.
    pub fn is_root_signed(&self, root: &RootKey) -> bool {
        self.root_signature
            .is_some_and(|s| root.verify(&self.signed_bytes(), &s).is_ok())
    }
}

impl Boot {
    /// The previous epoch, if it left anything.
    pub fn previous_epoch(&self) -> Option<Epoch> {
        self.previous.first().map(|h| h.log.epoch)
    }
}

#[cfg(test)]
pub(crate) mod tests;
