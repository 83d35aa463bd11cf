//! Entries: canonical protobuf bytes of at most 32 KiB, and what they can say.

use crate::{
    Crossing, Epoch, Hash, Lane, LogError, LogId, NodeId, RecordId, Reference,
    ids::Seq,
    member::{Enrolment, RootKey},
    pb,
};
use prost::Message;

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
const LIST_MAX: usize = 256;

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

/// Authority, tolerances and deadlines, as JSON that `wadi-record` reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyEntry {
    /// Larger replaces smaller.
    pub revision: u64,
    /// RFC 8785 JSON.
    pub text: String,
}

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
        };

        Ok(Reading::Entry(Self {
            common,
            body: Body::read(e.kind, e.body)?,
        }))
    }
}

/// The version, read before anything else is parsed, so that a later layout is kept and not
/// refused.
fn leading_version(bytes: &[u8]) -> Result<u32, LogError> {
    let missing = || LogError::malformed("entry", "it does not begin with a version");
    let (tag, rest) = bytes.split_first().ok_or_else(missing)?;
    if *tag != 0x08 {
        return Err(missing());
    }

    let (first, _) = rest.split_first().ok_or_else(missing)?;
    match *first {
        0 => Err(LogError::malformed("entry", "version 0")),
        1..=0x7f => Ok(u32::from(*first)),
        _ => Ok(u32::MAX), // a multi-byte number: some later version, or a long spelling of 1 that version 1 refuses
    }
    .and_then(|v| {
        if v == u32::MAX {
            long_version(rest)
        } else {
            Ok(v)
        }
    })
}

fn long_version(rest: &[u8]) -> Result<u32, LogError> {
    let version = prost::encoding::decode_varint(&mut &rest[..])
        .map_err(|e| LogError::malformed("entry", e))?;
    match u32::try_from(version) {
        Ok(v) if v > 0x7f => Ok(v),
        _ => Err(LogError::NotCanonical { what: "entry" }),
    }
}

pub(crate) fn canonical<M: Message + Default>(
    what: &'static str,
    bytes: &[u8],
) -> Result<M, LogError> {
    let message = M::decode(bytes).map_err(|e| LogError::malformed(what, e))?;
    if message.encode_to_vec() == bytes {
        Ok(message)
    } else {
        Err(LogError::NotCanonical { what })
    }
}

fn limit(what: &'static str, found: usize, max: usize) -> Result<(), LogError> {
    if found > max {
        Err(LogError::Limit { what, found, max })
    } else {
        Ok(())
    }
}

fn ascending<T: Ord>(what: &'static str, items: &[T]) -> Result<(), LogError> {
    limit(what, items.len(), LIST_MAX)?;
    if items.windows(2).all(|w| w[0] < w[1]) {
        Ok(())
    } else {
        Err(LogError::malformed(what, "not strictly ascending"))
    }
}

fn ref_out(r: &Reference) -> pb::Reference {
    pb::Reference {
        log: r.log.to_bytes().to_vec(),
        seq: r.seq,
        leaf: r.leaf.0.to_vec(),
    }
}

pub(crate) fn ref_in(r: &pb::Reference) -> Result<Reference, LogError> {
    Ok(Reference {
        log: LogId::from_slice(&r.log)?,
        seq: r.seq,
        leaf: Hash::from_slice(&r.leaf)?,
    })
}

fn refs_in(what: &'static str, refs: &[pb::Reference]) -> Result<Vec<Reference>, LogError> {
    limit(what, refs.len(), LIST_MAX)?;
    let refs = refs.iter().map(ref_in).collect::<Result<Vec<_>, _>>()?;
    ascending(what, &refs)?;
    Ok(refs)
}

fn heads_out(heads: &[Head]) -> Vec<pb::Head> {
    heads
        .iter()
        .map(|h| pb::Head {
            log: h.log.to_bytes().to_vec(),
            size: h.size,
            root: h.root.0.to_vec(),
        })
        .collect()
}

fn heads_in(heads: &[pb::Head]) -> Result<Vec<Head>, LogError> {
    limit("heads", heads.len(), LIST_MAX)?;
    let read = |h: &pb::Head| {
        Ok(Head {
            log: LogId::from_slice(&h.log)?,
            size: h.size,
            root: Hash::from_slice(&h.root)?,
        })
    };

    let heads = heads
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, LogError>>()?;

    if !heads.windows(2).all(|w| w[0].log < w[1].log) {
        return Err(LogError::malformed(
            "heads",
            "not strictly ascending by log",
        ));
    }

    Ok(heads)
}

fn crossing_or_all(text: &str) -> Result<Option<Crossing>, LogError> {
    if text == "*" {
        Ok(None)
    } else {
        text.parse().map(Some)
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
            Self::Unknown { kind, .. } => *kind,
        }
    }

    fn encode(&self) -> (u32, Vec<u8>) {
        let bytes = match self {
            Self::Change(c) => pb::Change {
                record: c.record.map(|r| r.0.to_vec()).unwrap_or_default(),
                based_on: c.based_on.iter().map(ref_out).collect(),
                puts: c.puts.iter().map(Put::encode).collect(),
                events: c.events.clone(),
            }
            .encode_to_vec(),
            Self::Boot(b) => pb::Boot {
                software: b.software.clone(),
                previous: heads_out(&b.previous),
            }
            .encode_to_vec(),
            Self::Seen(s) => pb::Seen {
                heads: heads_out(&s.heads),
            }
            .encode_to_vec(),
            Self::Enrolment(e) => e.to_pb().encode_to_vec(),
            Self::Officer(o) => pb::Officer {
                officer: o.officer.clone(),
                department: o.department.clone(),
                crossing: o.crossing.map_or("*".into(), |c| c.to_string()),
                supervisor: o.supervisor,
                revision: o.revision,
                revoked: o.revoked,
                name: o.name.clone(),
            }
            .encode_to_vec(),
            Self::Policy(p) => pb::Policy {
                revision: p.revision,
                text: p.text.clone(),
            }
            .encode_to_vec(),
            Self::Cut(c) => c.to_pb().encode_to_vec(),
            Self::Admit(a) => pb::Admit {
                entries: a.entries.iter().map(ref_out).collect(),
                reason: a.reason.clone(),
            }
            .encode_to_vec(),
            Self::Closure(c) => pb::Closure {
                crossing: c.crossing.to_string(),
                closed_s: c.closed_s,
                reason: c.reason.clone(),
            }
            .encode_to_vec(),
            Self::ResyncOrder(o) => pb::ResyncOrder {
                id: o.id.clone(),
                crossing: o.crossing.to_string(),
                reason: o.reason.clone(),
                approved_by: o.approved_by.clone(),
            }
            .encode_to_vec(),
            Self::ResyncReport(r) => pb::ResyncReport {
                order: Some(ref_out(&r.order)),
                text: r.text.clone(),
            }
            .encode_to_vec(),
            Self::Unknown { bytes, .. } => bytes.clone(),
        };

        (self.kind(), bytes)
    }

    fn read(kind: u32, bytes: Vec<u8>) -> Result<Self, LogError> {
        Ok(match kind {
            0 => return Err(LogError::malformed("entry", "kind 0")),
            1 => Self::Change(Change::read(&bytes)?),
            2 => {
                let b: pb::Boot = canonical("boot", &bytes)?;
                limit("software", b.software.len(), NAME_BYTES_MAX)?;
                let previous = heads_in(&b.previous)?;
                if previous
                    .windows(2)
                    .any(|w| (w[0].log.node, w[0].log.epoch) != (w[1].log.node, w[1].log.epoch))
                {
                    return Err(LogError::malformed("boot", "heads of more than one epoch"));
                }

                Self::Boot(Boot {
                    software: b.software,
                    previous,
                })
            }
            3 => {
                let s: pb::Seen = canonical("seen", &bytes)?;
                let heads = heads_in(&s.heads)?;
                if heads
                    .iter()
                    .any(|h| !matches!(h.log.lane, Lane::Control | Lane::Hold))
                {
                    return Err(LogError::malformed(
                        "seen",
                        "names a log that is neither control nor hold",
                    ));
                }

                Self::Seen(Seen { heads })
            }
            4 => Self::Enrolment(Enrolment::from_pb(&canonical("enrolment", &bytes)?)?),
            5 => {
                let o: pb::Officer = canonical("officer", &bytes)?;
                for text in [&o.officer, &o.department] {
                    limit("officer", text.len(), NAME_BYTES_MAX)?;
                }

                limit("officer name", o.name.len(), 256)?;
                Self::Officer(OfficerEntry {
                    crossing: crossing_or_all(&o.crossing)?,
                    officer: o.officer,
                    department: o.department,
                    supervisor: o.supervisor,
                    revision: o.revision,
                    revoked: o.revoked,
                    name: o.name,
                })
            }
            6 => {
                let p: pb::Policy = canonical("policy", &bytes)?;
                Self::Policy(PolicyEntry {
                    revision: p.revision,
                    text: p.text,
                })
            }
            7 => Self::Cut(Cut::from_pb(canonical("cut", &bytes)?)?),
            8 => {
                let a: pb::Admit = canonical("admit", &bytes)?;
                Self::Admit(Admit {
                    entries: refs_in("admitted entries", &a.entries)?,
                    reason: a.reason,
                })
            }
            9 => {
                let c: pb::Closure = canonical("closure", &bytes)?;
                Self::Closure(Closure {
                    crossing: c.crossing.parse()?,
                    closed_s: c.closed_s,
                    reason: c.reason,
                })
            }
            10 => {
                let o: pb::ResyncOrder = canonical("resync order", &bytes)?;
                limit("resync order id", o.id.len(), NAME_BYTES_MAX)?;
                Self::ResyncOrder(ResyncOrder {
                    crossing: o.crossing.parse()?,
                    id: o.id,
                    reason: o.reason,
                    approved_by: o.approved_by,
                })
            }
            11 => {
                let r: pb::ResyncReport = canonical("resync report", &bytes)?;
                let order = r
                    .order
                    .ok_or_else(|| LogError::malformed("resync report", "no order"))?;

                Self::ResyncReport(ResyncReport {
                    order: ref_in(&order)?,
                    text: r.text,
                })
            }
            _ => Self::Unknown { kind, bytes },
        })
    }
}

impl Put {
    fn encode(&self) -> pb::Put {
        use pb::value::Of;
        let of = match &self.value {
            Value::Null => Of::Null(true),
            Value::Text(t) => Of::Text(t.clone()),
            Value::Int(i) => Of::Int(*i),
            Value::Flag(b) => Of::Flag(*b),
        };

        pb::Put {
            key: self.key.clone(),
            value: Some(pb::Value { of: Some(of) }),
        }
    }

    fn read(p: pb::Put) -> Result<Self, LogError> {
        use pb::value::Of;
        if p.key.is_empty()
            || !p
                .key
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._".contains(&c))
        {
            return Err(LogError::malformed(
                "key",
                format!("{:?}: keys are of a-z, 0-9, dot and underscore", p.key),
            ));
        }

        limit("key", p.key.len(), KEY_BYTES_MAX)?;
        if p.key.starts_with("ev.") {
            return Err(LogError::malformed(
                "key",
                "ev. belongs to events, whose keys are derived",
            ));
        }

        let value = match p.value.and_then(|v| v.of) {
            Some(Of::Null(true)) => Value::Null,
            Some(Of::Null(false)) | None => return Err(LogError::malformed("value", "none given")),
            Some(Of::Text(t)) => Value::Text(t),
            Some(Of::Int(i)) => Value::Int(i),
            Some(Of::Flag(b)) => Value::Flag(b),
        };

        if let Value::Text(t) = &value {
            limit("value", t.len(), VALUE_BYTES_MAX)?;
        }

        Ok(Self { key: p.key, value })
    }
}

impl Change {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let c: pb::Change = canonical("change", bytes)?;
        limit("puts", c.puts.len() + c.events.len(), PUTS_MAX)?;
        let record = if c.record.is_empty() {
            None
        } else {
            Some(RecordId::from_slice(&c.record)?)
        };

        let based_on = refs_in("dependencies", &c.based_on)?;
        if record.is_none() && !based_on.is_empty() {
            return Err(LogError::malformed(
                "change",
                "a record's first entry has no dependencies",
            ));
        }

        let puts = c
            .puts
            .into_iter()
            .map(Put::read)
            .collect::<Result<Vec<_>, _>>()?;

        if !puts.windows(2).all(|w| w[0].key < w[1].key) {
            return Err(LogError::malformed("puts", "keys not strictly ascending"));
        }

        for event in &c.events {
            limit("event", event.len(), EVENT_BYTES_MAX)?;
        }

        if puts.is_empty() && c.events.is_empty() {
            return Err(LogError::malformed("change", "it changes nothing"));
        }

        Ok(Self {
            record,
            based_on,
            puts,
            events: c.events,
        })
    }
}

impl Cut {
    fn to_pb(&self) -> pb::Cut {
        let (node, log) = match self.target {
            CutTarget::Node(n) => (n.0.to_vec(), vec![]),
            CutTarget::Log(l) => (vec![], l.to_bytes().to_vec()),
        };

        pb::Cut {
            node,
            log,
            heads: heads_out(&self.heads),
            extends: self.extends.iter().map(ref_out).collect(),
            reason: self.reason.clone(),
            root_signature: self.root_signature.map(|s| s.to_vec()).unwrap_or_default(),
        }
    }

    fn from_pb(c: pb::Cut) -> Result<Self, LogError> {
        let target = match (c.node.is_empty(), c.log.is_empty()) {
            (false, true) => CutTarget::Node(NodeId::from_slice(&c.node)?),
            (true, false) => CutTarget::Log(LogId::from_slice(&c.log)?),
            _ => {
                return Err(LogError::malformed(
                    "cut",
                    "it names not exactly one of node and log",
                ));
            }
        };

        let heads = heads_in(&c.heads)?;
        let fits = |h: &Head| match target {
            CutTarget::Node(n) => h.log.node == n,
            CutTarget::Log(l) => h.log == l,
        };
        if !heads.iter().all(fits) {
            return Err(LogError::malformed("cut", "a head lies outside its target"));
        }

        let root_signature = match c.root_signature.len() {
            0 => None,
            _ => Some(
                c.root_signature
                    .try_into()
                    .map_err(|_| LogError::malformed("cut", "root signature is not 64 bytes"))?,
            ),
        };

        Ok(Self {
            target,
            heads,
            extends: refs_in("extended cuts", &c.extends)?,
            reason: c.reason,
            root_signature,
        })
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
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn log(lane: Lane) -> LogId {
        LogId {
            node: NodeId([3; 16]),
            epoch: Epoch([4; 8]),
            lane,
            crossing: "QAM".parse().unwrap(),
        }
    }

    fn entry() -> Entry {
        let reference = Reference {
            log: log(Lane::Passage),
            seq: 4,
            leaf: Hash([9; 32]),
        };

        Entry {
            common: Common {
                wall_ms: -5,
                officer: "OF-0012".into(),
                department: "PORT".into(),
                ..Default::default()
            },
            body: Body::Change(Change {
                record: Some(RecordId([1; 32])),
                based_on: vec![reference],
                puts: vec![
                    Put {
                        key: "direction".into(),
                        value: Value::Text("in".into()),
                    },
                    Put {
                        key: "vehicle.plate".into(),
                        value: Value::Null,
                    },
                ],
                events: vec![r#"{"type":"gate.in"}"#.into()],
            }),
        }
    }

    #[test]
    fn an_entry_survives_its_bytes() {
        let bytes = entry().encode().unwrap();
        assert_eq!(Entry::read(&bytes).unwrap(), Reading::Entry(entry()));
    }

    #[test]
    fn every_other_encoding_of_an_entry_is_refused() {
        let bytes = entry().encode().unwrap();
        let unknown_field = [&bytes[..], &[0x7a, 0x01, 0x00]].concat();
        assert_eq!(
            Entry::read(&unknown_field),
            Err(LogError::NotCanonical { what: "entry" })
        );

        let written_twice = [&bytes[..], &[0x22, 0x00]].concat();
        assert!(Entry::read(&written_twice).is_err());

        let long_version = [&[0x08, 0x81, 0x00], &bytes[2..]].concat();
        assert_eq!(
            Entry::read(&long_version),
            Err(LogError::NotCanonical { what: "entry" })
        );
    }

    #[test]
    fn later_versions_and_kinds_are_kept_verbatim() {
        assert_eq!(
            Entry::read(&[0x08, 0x02, 0xff, 0xff]).unwrap(),
            Reading::Later { version: 2 }
        );

        let unknown = Entry {
            body: Body::Unknown {
                kind: 99,
                bytes: vec![1, 2, 3],
            },
            ..entry()
        };

        assert_eq!(
            Entry::read(&unknown.encode().unwrap()).unwrap(),
            Reading::Entry(unknown)
        );
    }

    #[test]
    fn bounds_are_told_by_name() {
        let mut big = entry();
        let Body::Change(c) = &mut big.body else {
            unreachable!()
        };

        c.puts = vec![Put {
            key: "k".repeat(65),
            value: Value::Int(1),
        }];
        assert_eq!(big.encode().unwrap_err().code(), "limit_exceeded");

        let Body::Change(c) = &mut big.body else {
            unreachable!()
        };
        c.puts = vec![Put {
            key: "ev.x".into(),
            value: Value::Int(1),
        }];
        assert_eq!(big.encode().unwrap_err().code(), "malformed");

        let Body::Change(c) = &mut big.body else {
            unreachable!()
        };
        c.puts = (0..3)
            .map(|i| Put {
                key: format!("k{i}"),
                value: Value::Text("x".repeat(VALUE_BYTES_MAX)),
            })
            .collect();

        assert_eq!(big.encode().unwrap_err().code(), "entry_too_large");
    }

    proptest! {
        #[test]
        fn whatever_reads_is_the_one_encoding(flips in proptest::collection::vec((0usize..400, any::<u8>()), 1..6)) {
            let mut bytes = entry().encode().unwrap();
            for (at, with) in flips {
                let at = at % bytes.len();
                bytes[at] = with;
            }
            if let Ok(Reading::Entry(e)) = Entry::read(&bytes) {
                prop_assert_eq!(e.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Entry::read(&bytes);
            let _ = Entry::read(&[&[0x08, 0x01, 0x10, 0x07, 0x5a, bytes.len().min(120) as u8], &bytes[..]].concat());
        }
    }
}
