//! An entry's bytes taken apart, and put together again: just far enough that each value has its
//! column. What does not come back byte by byte is said word for word.

use wadi_log::LogId;

/// An entry in parts, the defaults of protobuf in place of what is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct WireEntry {
    pub(super) kind: u64,
    pub(super) wall_ms: i64,
    pub(super) doubt_ms: u64,
    pub(super) happened_ms: Option<i64>,
    pub(super) happened_source: Vec<u8>,
    pub(super) officer: Vec<u8>,
    pub(super) department: Vec<u8>,
    pub(super) device: Vec<u8>,
    pub(super) device_seq: u64,
    pub(super) device_run: Vec<u8>,
    pub(super) body: WireBody,
}

/// What it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum WireBody {
    Change(WireChange),
    /// A `Boot`, which has a text, or a `Seen`, which has none.
    Heads(Vec<u8>, Vec<WireHead>),
    Other(Vec<u8>),
}

impl Default for WireBody {
    fn default() -> Self {
        Self::Other(Vec::new())
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct WireChange {
    pub(super) record: Option<[u8; 32]>,
    pub(super) based_on: Vec<WireReference>,
    pub(super) puts: Vec<(Vec<u8>, WireValue)>,
    pub(super) events: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WireReference {
    pub(super) log: LogId,
    pub(super) seq: u64,
    pub(super) leaf: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WireHead {
    pub(super) log: LogId,
    pub(super) size: u64,
    pub(super) root: [u8; 32],
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum WireValue {
    Null,
    Text(Vec<u8>),
    Int(i64),
    Flag(bool),
}

/// Kinds that have columns of their own.
pub(super) const CHANGE_KIND: u64 = 1;
pub(super) const BOOT_KIND: u64 = 2;
pub(super) const SEEN_KIND: u64 = 3;

/// Stands beside an entry's kind where it names the run of its device's counter: most name none,
/// and say nothing of it.
pub(super) const WITH_RUN: u64 = 1 << 32;

impl WireEntry {
    /// Takes bytes apart; none where putting the parts together would not give the same bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let entry = read_entry(bytes)?;
        (entry.to_bytes() == bytes).then_some(entry)
    }

    /// Puts the parts together.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        put_number(&mut out, 1, 1);
        put_number(&mut out, 2, self.kind);
        put_number(&mut out, 3, self.wall_ms as u64);
        put_number(&mut out, 4, self.doubt_ms);
        if let Some(happened_ms) = self.happened_ms {
            put_tag(&mut out, 5, 0);
            put_varint(&mut out, happened_ms as u64);
        }

        for (field, text) in [
            (6, &self.happened_source),
            (7, &self.officer),
            (8, &self.department),
            (9, &self.device),
        ] {
            put_bytes(&mut out, field, text);
        }

        put_number(&mut out, 10, self.device_seq);
        put_bytes(&mut out, 11, &self.body.to_bytes());
        put_bytes(&mut out, 12, &self.device_run);
        out
    }

    /// Whether no text holds a zero byte, which ends a text in its column.
    pub(super) fn has_plain_texts(&self) -> bool {
        let common = [
            &self.happened_source,
            &self.officer,
            &self.department,
            &self.device,
            &self.device_run,
        ];
        let plain = |text: &Vec<u8>| !text.contains(&0);
        let of_body = match &self.body {
            WireBody::Change(change) => {
                change.events.iter().all(plain)
                    && change.puts.iter().all(|(key, value)| {
                        plain(key)
                            && match value {
                                WireValue::Text(text) => plain(text),
                                _ => true,
                            }
                    })
            }
            WireBody::Heads(text, _) => plain(text),
            WireBody::Other(_) => true,
        };

        of_body && common.into_iter().all(plain)
    }
}

impl WireBody {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Other(bytes) => out.extend(bytes),
            Self::Heads(text, heads) => {
                // A Seen has its heads in the first field, a Boot in the second.
                put_bytes(&mut out, 1, text);
                let field = if text.is_empty() { 1 } else { 2 };
                for head in heads {
                    put_message(
                        &mut out,
                        field,
                        &head_bytes(&head.log, head.size, &head.root),
                    );
                }
            }
            Self::Change(change) => {
                put_bytes(&mut out, 1, change.record.as_ref().map_or(&[], |r| &r[..]));
                for r in &change.based_on {
                    put_message(&mut out, 2, &head_bytes(&r.log, r.seq, &r.leaf));
                }
                for (key, value) in &change.puts {
                    let mut put = Vec::new();
                    put_bytes(&mut put, 1, key);
                    put_message(&mut put, 2, &value.to_bytes());
                    put_message(&mut out, 3, &put);
                }
                for event in &change.events {
                    put_message(&mut out, 4, event);
                }
            }
        }

        out
    }
}

impl WireValue {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Null => out.extend([1 << 3, 1]),
            Self::Text(text) => put_message(&mut out, 2, text),
            Self::Int(int) => {
                put_tag(&mut out, 3, 0);
                put_varint(&mut out, (int << 1 ^ int >> 63) as u64);
            }
            Self::Flag(flag) => out.extend([4 << 3, u8::from(*flag)]),
        }
        out
    }
}

fn head_bytes(log: &LogId, number: u64, hash: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(76);
    put_bytes(&mut out, 1, &log.to_bytes());
    put_number(&mut out, 2, number);
    put_bytes(&mut out, 3, hash);
    out
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_tag(out: &mut Vec<u8>, field: u64, wire: u64) {
    put_varint(out, field << 3 | wire);
}

/// A number that is left out where it is 0.
fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        put_tag(out, field, 0);
        put_varint(out, number);
    }
}

/// Bytes that are left out where they are empty.
fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_message(out, field, bytes);
    }
}

fn put_message(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_tag(out, field, 2);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A field of a message.
enum WireField<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The next field; what is neither a number nor bytes stands in no entry.
fn take_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, WireField<'a>)> {
    let tag = take_varint(bytes)?;
    match tag & 7 {
        0 => Some((tag >> 3, WireField::Number(take_varint(bytes)?))),
        2 => {
            let length = usize::try_from(take_varint(bytes)?).ok()?;
            let (inner, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some((tag >> 3, WireField::Bytes(inner)))
        }
        _ => None,
    }
}

fn read_entry(mut bytes: &[u8]) -> Option<WireEntry> {
    let mut entry = WireEntry::default();
    let mut version = 0;
    let mut body: &[u8] = &[];
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, WireField::Number(n)) => version = n,
            (2, WireField::Number(n)) => entry.kind = n,
            (3, WireField::Number(n)) => entry.wall_ms = n as i64,
            (4, WireField::Number(n)) => entry.doubt_ms = n,
            (5, WireField::Number(n)) => entry.happened_ms = Some(n as i64),
            (6, WireField::Bytes(b)) => entry.happened_source = b.into(),
            (7, WireField::Bytes(b)) => entry.officer = b.into(),
            (8, WireField::Bytes(b)) => entry.department = b.into(),
            (9, WireField::Bytes(b)) => entry.device = b.into(),
            (10, WireField::Number(n)) => entry.device_seq = n,
            (11, WireField::Bytes(b)) => body = b,
            (12, WireField::Bytes(b)) => entry.device_run = b.into(),
            _ => return None,
        }
    }

    if version != 1 || entry.kind >= WITH_RUN {
        return None;
    }

    entry.body = match entry.kind {
        CHANGE_KIND => read_change(body).map(WireBody::Change),
        BOOT_KIND => read_heads(body, 2),
        SEEN_KIND => read_heads(body, 1),
        _ => None,
    }
    .unwrap_or_else(|| WireBody::Other(body.into()));
    Some(entry)
}

fn read_heads(mut bytes: &[u8], heads_field: u64) -> Option<WireBody> {
    let mut text = Vec::new();
    let mut heads = Vec::new();
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (field, WireField::Bytes(b)) if field == heads_field => {
                let (log, size, root) = read_head(b)?;
                heads.push(WireHead { log, size, root });
            }
            (1, WireField::Bytes(b)) => text = b.into(),
            _ => return None,
        }
    }

    // The text tells a Boot from a Seen.
    (text.is_empty() == (heads_field == 1)).then_some(WireBody::Heads(text, heads))
}

fn read_head(mut bytes: &[u8]) -> Option<(LogId, u64, [u8; 32])> {
    let (mut log, mut number, mut hash) = (None, 0, None);
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, WireField::Bytes(b)) => log = Some(LogId::from_slice(b).ok()?),
            (2, WireField::Number(n)) => number = n,
            (3, WireField::Bytes(b)) => hash = Some(b.try_into().ok()?),
            _ => return None,
        }
    }

    Some((log?, number, hash?))
}

fn read_change(mut bytes: &[u8]) -> Option<WireChange> {
    let mut change = WireChange::default();
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, WireField::Bytes(b)) => change.record = Some(b.try_into().ok()?),
            (2, WireField::Bytes(b)) => {
                let (log, seq, leaf) = read_head(b)?;
                change.based_on.push(WireReference { log, seq, leaf });
            }
            (3, WireField::Bytes(b)) => change.puts.push(read_put(b)?),
            (4, WireField::Bytes(b)) => change.events.push(b.into()),
            _ => return None,
        }
    }

    Some(change)
}

fn read_put(mut bytes: &[u8]) -> Option<(Vec<u8>, WireValue)> {
    let (mut key, mut value) = (Vec::new(), None);
    while !bytes.is_empty() {
        match take_field(&mut bytes)? {
            (1, WireField::Bytes(b)) => key = b.into(),
            (2, WireField::Bytes(mut b)) => {
                value = Some(match take_field(&mut b)? {
                    (1, WireField::Number(1)) => WireValue::Null,
                    (2, WireField::Bytes(text)) => WireValue::Text(text.into()),
                    (3, WireField::Number(n)) => {
                        WireValue::Int((n >> 1) as i64 ^ -((n & 1) as i64))
                    }
                    (4, WireField::Number(n @ 0..=1)) => WireValue::Flag(n == 1),
                    _ => return None,
                });
            }
            _ => return None,
        }
    }

    Some((key, value?))
}
