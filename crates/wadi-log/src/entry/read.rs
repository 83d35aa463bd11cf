//! Reads the parts of an entry, and refuses what has another encoding or goes beyond a bound.

use super::{
    ALARM_ABOUT_BYTES_MAX, ALARM_BYTES_MAX, Admit, AlarmEntry, Body, Boot, CHAIN_NAME_BYTES_MAX,
    ChainHeadEntry, Change, Closure, Cut, CutTarget, EVENT_BYTES_MAX, Head, KEY_BYTES_MAX,
    LIST_ITEMS_MAX, NAME_BYTES_MAX, OfficerEntry, OfficerKeyEntry, PUTS_MAX, PolicyEntry, Put,
    ReleaseToken, ResyncOrder, ResyncReport, SPARE_REASON_BYTES_MAX, Seen, SpareEntry,
    VALUE_BYTES_MAX, Value,
};
use crate::{
    Crossing, Hash, Lane, LogError, LogId, NodeId, RecordId, Reference, SshKey, member::Enrolment,
    pb,
};
use prost::Message;

/// The version, read before anything else is parsed, so that a later layout is kept and not
/// refused.
pub(super) fn leading_version(bytes: &[u8]) -> Result<u32, LogError> {
    let missing = || LogError::malformed("entry", "it does not begin with a version");
    let (tag, rest) = bytes.split_first().ok_or_else(missing)?;
    if *tag != 0x08 {
        return Err(missing());
    }

    let (first, _) = rest.split_first().ok_or_else(missing)?;
    match *first {
        0 => Err(LogError::malformed("entry", "version 0")),
        1..=0x7f => Ok(u32::from(*first)),
        // A multi-byte number: some later version, or a long spelling of 1 that version 1 refuses.
        _ => Ok(u32::MAX),
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
    if message.encode_to_vec() == bytes || crate::defence::off("canonical-entry") {
        Ok(message)
    } else {
        Err(LogError::NotCanonical { what })
    }
}

pub(super) fn limit(what: &'static str, found: usize, max: usize) -> Result<(), LogError> {
    if found > max {
        Err(LogError::Limit { what, found, max })
    } else {
        Ok(())
    }
}

fn ascending<T: Ord>(what: &'static str, items: &[T]) -> Result<(), LogError> {
    limit(what, items.len(), LIST_ITEMS_MAX)?;
    if items.windows(2).all(|w| w[0] < w[1]) {
        Ok(())
    } else {
        Err(LogError::malformed(what, "not strictly ascending"))
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
    limit(what, refs.len(), LIST_ITEMS_MAX)?;
    let refs = refs.iter().map(ref_in).collect::<Result<Vec<_>, _>>()?;
    ascending(what, &refs)?;
    Ok(refs)
}

fn heads_in(heads: &[pb::Head]) -> Result<Vec<Head>, LogError> {
    limit("heads", heads.len(), LIST_ITEMS_MAX)?;
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
    pub(super) fn read(kind: u32, bytes: Vec<u8>) -> Result<Self, LogError> {
        Ok(match kind {
            0 => return Err(LogError::malformed("entry", "kind 0")),

            1 => Self::Change(Change::read(&bytes)?),
            2 => Self::Boot(Boot::read(&bytes)?),
            3 => Self::Seen(Seen::read(&bytes)?),
            4 => Self::Enrolment(Enrolment::from_pb(&canonical("enrolment", &bytes)?)?),
            5 => Self::Officer(OfficerEntry::read(&bytes)?),
            6 => Self::Policy(PolicyEntry::read(&bytes)?),

            7 => Self::Cut(Cut::from_pb(canonical("cut", &bytes)?)?),
            8 => Self::Admit(Admit::read(&bytes)?),
            9 => Self::Closure(Closure::read(&bytes)?),
            10 => Self::ResyncOrder(ResyncOrder::read(&bytes)?),
            11 => Self::ResyncReport(ResyncReport::read(&bytes)?),
            12 => Self::ReleaseToken(ReleaseToken::read(&bytes)?),
            13 => Self::Alarm(AlarmEntry::read(&bytes)?),
            14 => Self::ChainHead(ChainHeadEntry::read(&bytes)?),
            15 => Self::Spare(SpareEntry::read(&bytes)?),
            16 => Self::OfficerKey(OfficerKeyEntry::read(&bytes)?),

            _ => Self::Unknown { kind, bytes },
        })
    }
}

impl PolicyEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let p: pb::Policy = canonical("policy", bytes)?;
        Ok(Self {
            revision: p.revision,
            text: p.text,
        })
    }
}

impl Admit {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let a: pb::Admit = canonical("admit", bytes)?;
        Ok(Self {
            entries: refs_in("admitted entries", &a.entries)?,
            reason: a.reason,
        })
    }
}

impl Closure {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let c: pb::Closure = canonical("closure", bytes)?;
        Ok(Self {
            crossing: c.crossing.parse()?,
            closed_s: c.closed_s,
            reason: c.reason,
        })
    }
}

impl ReleaseToken {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let t: pb::ReleaseToken = canonical("release token", bytes)?;
        for (what, text) in [
            ("department", &t.department),
            ("officer", &t.officer),
            ("scope", &t.scope),
        ] {
            limit(what, text.len(), NAME_BYTES_MAX)?;
        }

        Ok(Self {
            crossing: crossing_or_all(&t.crossing)?,
            department: t.department,
            officer: t.officer,
            scope: t.scope,
            expires_s: t.expires_s,
            reason: t.reason,
        })
    }
}

impl Boot {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let b: pb::Boot = canonical("boot", bytes)?;
        limit("software", b.software.len(), NAME_BYTES_MAX)?;
        let previous = heads_in(&b.previous)?;
        if previous
            .windows(2)
            .any(|w| (w[0].log.node, w[0].log.epoch) != (w[1].log.node, w[1].log.epoch))
        {
            return Err(LogError::malformed("boot", "heads of more than one epoch"));
        }

        Ok(Self {
            software: b.software,
            previous,
        })
    }
}

impl Seen {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let s: pb::Seen = canonical("seen", bytes)?;
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

        Ok(Self { heads })
    }
}

impl OfficerEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let o: pb::Officer = canonical("officer", bytes)?;
        for text in [&o.officer, &o.department] {
            limit("officer", text.len(), NAME_BYTES_MAX)?;
        }

        limit("officer name", o.name.len(), 256)?;
        Ok(Self {
            crossing: crossing_or_all(&o.crossing)?,
            officer: o.officer,
            department: o.department,
            supervisor: o.supervisor,
            revision: o.revision,
            revoked: o.revoked,
            name: o.name,
        })
    }
}

impl OfficerKeyEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let k: pb::OfficerKey = canonical("officer key", bytes)?;
        limit("officer", k.officer.len(), NAME_BYTES_MAX)?;
        let key = k.key.try_into();
        let key = key.map_err(|_| LogError::malformed("officer key", "it has not 32 bytes"))?;

        Ok(Self {
            officer: k.officer,
            key: SshKey(key),
            revision: k.revision,
            taken_back: k.taken_back,
        })
    }
}

impl ResyncOrder {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let o: pb::ResyncOrder = canonical("resync order", bytes)?;
        limit("resync order id", o.id.len(), NAME_BYTES_MAX)?;
        Ok(Self {
            crossing: o.crossing.parse()?,
            id: o.id,
            reason: o.reason,
            approved_by: o.approved_by,
        })
    }
}

impl ResyncReport {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let r: pb::ResyncReport = canonical("resync report", bytes)?;
        let order = r
            .order
            .ok_or_else(|| LogError::malformed("resync report", "no order"))?;

        Ok(Self {
            order: ref_in(&order)?,
            text: r.text,
        })
    }
}

impl AlarmEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let a: pb::Alarm = canonical("alarm", bytes)?;
        if !is_word(&a.about, ALARM_ABOUT_BYTES_MAX) || a.text.len() > ALARM_BYTES_MAX {
            return Err(LogError::malformed(
                "alarm",
                format!(
                    "it is about one word of a to z and underscores, and its text of at most \
                     {ALARM_BYTES_MAX} bytes"
                ),
            ));
        }

        Ok(Self {
            about: a.about,
            text: a.text,
            at_ms: a.at_ms,
            turn: a.turn,
        })
    }
}

impl SpareEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let s: pb::Spare = canonical("spare", bytes)?;
        limit("reason", s.reason.len(), SPARE_REASON_BYTES_MAX)?;
        Ok(Self {
            node: NodeId::from_slice(&s.node)?,
            ends: refs_in("ended declarations", &s.ends)?,
            reason: s.reason,
        })
    }
}

impl ChainHeadEntry {
    fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let c: pb::ChainHead = canonical("head of a chain", bytes)?;
        if !is_word(&c.chain, CHAIN_NAME_BYTES_MAX) || c.lines == 0 {
            return Err(LogError::malformed(
                "head of a chain",
                "it names a chain by one word of a to z and underscores, and a line from 1",
            ));
        }

        Ok(Self {
            chain: c.chain,
            lines: c.lines,
            head: Hash::from_slice(&c.head)?,
        })
    }
}

/// Whether a text is one word of a to z and underscores.
fn is_word(text: &str, bytes_max: usize) -> bool {
    let is_letter = |c: u8| c.is_ascii_lowercase() || c == b'_';
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(is_letter)
}

impl Put {
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
    pub(super) fn from_pb(c: pb::Cut) -> Result<Self, LogError> {
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

        let part_of = match c.part_of.is_empty() {
            true => None,
            false => Some(Hash::from_slice(&c.part_of)?),
        };
        if part_of.is_some() && (c.lifted || !c.extends.is_empty()) {
            let why = "a part neither extends nor takes back";
            return Err(LogError::malformed("cut", why));
        }

        let successor = match c.successor.is_empty() {
            true => None,
            false => Some(NodeId::from_slice(&c.successor)?),
        };
        let succeeds = matches!(target, CutTarget::Node(node) if Some(node) != successor);
        if successor.is_some() && (!succeeds || c.lifted || part_of.is_some()) {
            let why = "a successor is another node's than the one that is cut as a whole";
            return Err(LogError::malformed("cut", why));
        }

        Ok(Self {
            target,
            heads,
            extends: refs_in("extended cuts", &c.extends)?,
            reason: c.reason,
            root_signature,
            lifted: c.lifted,
            part_of,
            successor,
        })
    }
}
