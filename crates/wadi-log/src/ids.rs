//! Names of nodes, logs, entries and records.

use crate::{LogError, merkle::sha256};
use std::{fmt, str::FromStr};

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| LogError::malformed("hash", format!("{} bytes, not 32", bytes.len())))
    }

    /// The first `n` bytes in lower-case hexadecimal, for people.
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// Bytes out of hexadecimal of either case; nothing where there is an odd digit or any other
/// character.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
}

/// A node: the first 16 bytes of the SHA-256 of its log key, so that a name can never stand for two
/// keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    /// The id of the node that signs with this Ed25519 public key.
    pub fn of_key(log_key: &[u8; 32]) -> Self {
        let hash = sha256(&[b"wadi.node/v1\n", log_key]);
        Self(hash.0[..16].try_into().expect("16 of 32 bytes"))
    }

    /// Reads 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| LogError::malformed("node", format!("{} bytes, not 16", bytes.len())))
    }
}
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4]))
    }
}
impl FromStr for NodeId {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let bytes = data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .map_err(|e| LogError::malformed("node", e))?;
        Self::from_slice(&bytes)
    }
}

/// One life of a node's process: 8 random bytes, new at the first write after every start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub [u8; 8]);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
impl FromStr for Epoch {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let bytes = unhex(text).and_then(|b| b.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            LogError::malformed("epoch", format!("{text:?} is not 16 hexadecimal digits"))
        })
    }
}
impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..3]))
    }
}

/// What a log speaks of, in the order of priority on a thin link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Lane {
    /// Enrolments, policies, cuts, boots.
    Control = 0,
    /// Quarantine holds.
    Hold = 1,
    /// Customs entries.
    Customs = 2,
    /// Passages.
    Passage = 3,
    /// Site days.
    Site = 4,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Lane; 5] = [
        Lane::Control,
        Lane::Hold,
        Lane::Customs,
        Lane::Passage,
        Lane::Site,
    ];

    /// The lane of that number.
    pub fn from_u8(n: u8) -> Result<Self, LogError> {
        Self::ALL
            .get(n as usize)
            .copied()
            .ok_or_else(|| LogError::malformed("lane", n))
    }

    /// The bit of this lane in a grant's mask.
    pub fn bit(self) -> u32 {
        1 << (self as u32)
    }

    /// The lane's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Hold => "hold",
            Self::Customs => "customs",
            Self::Passage => "passage",
            Self::Site => "site",
        }
    }

    /// The letter that stands in printed record ids.
    pub fn letter(self) -> char {
        match self {
            Self::Control => 'C',
            Self::Hold => 'H',
            Self::Customs => 'E',
            Self::Passage => 'P',
            Self::Site => 'S',
        }
    }
}
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for Lane {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        Self::ALL
            .into_iter()
            .find(|l| l.name() == text)
            .ok_or_else(|| LogError::malformed("lane", text))
    }
}

/// A crossing's code: three characters of A–Z and 0–9. `HUB` is the commission itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Crossing([u8; 3]);

impl Crossing {
    /// The commission's own code.
    pub const HUB: Crossing = Crossing(*b"HUB");

    /// Reads three bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        match <[u8; 3]>::try_from(bytes) {
            Ok(code)
                if code
                    .iter()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) =>
            {
                Ok(Self(code))
            }
            _ => Err(LogError::malformed(
                "crossing",
                format!(
                    "{:?} is not three of A-Z and 0-9",
                    String::from_utf8_lossy(bytes)
                ),
            )),
        }
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII by construction")
    }

    /// The code as bytes.
    pub fn bytes(&self) -> &[u8; 3] {
        &self.0
    }
}
impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for Crossing {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        Self::from_slice(text.as_bytes())
    }
}

/// One log: what one node said, in one life, in one lane, about one crossing's records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// Whose log it is.
    pub node: NodeId,
    /// In which life of its process.
    pub epoch: Epoch,
    /// In which lane.
    pub lane: Lane,
    /// Whose records it speaks of.
    pub crossing: Crossing,
}

impl LogId {
    /// Bytes of an encoded log id.
    pub const BYTES: usize = 28;

    /// Node 16, epoch 8, lane 1, crossing 3.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..16].copy_from_slice(&self.node.0);
        out[16..24].copy_from_slice(&self.epoch.0);
        out[24] = self.lane as u8;
        out[25..].copy_from_slice(self.crossing.bytes());
        out
    }

    /// Reads [`Self::BYTES`] bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        if bytes.len() != Self::BYTES {
            return Err(LogError::malformed(
                "log id",
                format!("{} bytes, not 28", bytes.len()),
            ));
        }

        Ok(Self {
            node: NodeId::from_slice(&bytes[..16])?,
            epoch: Epoch(bytes[16..24].try_into().expect("8 bytes")),
            lane: Lane::from_u8(bytes[24])?,
            crossing: Crossing::from_slice(&bytes[25..])?,
        })
    }

    /// Where the logs of a node begin in the order of ids, for looking up ranges.
    pub fn first_of(node: NodeId) -> Self {
        Self {
            node,
            epoch: Epoch([0; 8]),
            lane: Lane::Control,
            crossing: Crossing(*b"000"),
        }
    }

    /// The checkpoint origin, C2SP tlog-checkpoint: a schema-less URL that names this log alone.
    pub fn origin(&self) -> String {
        format!(
            "wadi.log/v1/{}/{}/{}/{}",
            self.node, self.epoch, self.lane, self.crossing
        )
    }

    /// Reads an origin line.
    pub fn from_origin(origin: &str) -> Result<Self, LogError> {
        let bad = || LogError::malformed("checkpoint origin", origin);
        let mut parts = origin
            .strip_prefix("wadi.log/v1/")
            .ok_or_else(bad)?
            .split('/');
        let mut next = || parts.next().ok_or_else(bad);
        let node = next()?.parse()?;
        let epoch = data_encoding::HEXLOWER
            .decode(next()?.as_bytes())
            .map_err(|_| bad())?;

        let epoch = Epoch(epoch.try_into().map_err(|_| bad())?);
        let log = Self {
            node,
            epoch,
            lane: next()?.parse()?,
            crossing: next()?.parse()?,
        };

        if parts.next().is_some() {
            return Err(bad());
        }

        Ok(log)
    }
}
impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}
impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}/{:?}/{}/{}",
            self.node, self.epoch, self.lane, self.crossing
        )
    }
}

/// A position in a log, from 0.
pub type Seq = u64;

/// An entry by position and content: on a forked log a position alone names two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reference {
    /// The log.
    pub log: LogId,
    /// The position in it.
    pub seq: Seq,
    /// The leaf hash of the entry at that position.
    pub leaf: Hash,
}

impl Reference {
    /// Bytes of an encoded reference.
    pub const BYTES: usize = LogId::BYTES + 8 + 32;

    /// Log 28, seq 8 (big endian), leaf 32.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut out = [0; Self::BYTES];
        out[..28].copy_from_slice(&self.log.to_bytes());
        out[28..36].copy_from_slice(&self.seq.to_be_bytes());
        out[36..].copy_from_slice(&self.leaf.0);
        out
    }

    /// Reads [`Self::BYTES`] bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        if bytes.len() != Self::BYTES {
            return Err(LogError::malformed(
                "reference",
                format!("{} bytes, not 68", bytes.len()),
            ));
        }

        Ok(Self {
            log: LogId::from_slice(&bytes[..28])?,
            seq: u64::from_be_bytes(bytes[28..36].try_into().expect("8 bytes")),
            leaf: Hash::from_slice(&bytes[36..])?,
        })
    }

    /// The id of the `ordinal`-th event of this entry: 16 base32 characters, derived so that no
    /// author can choose it.
    pub fn event_id(&self, ordinal: usize) -> String {
        let hash = sha256(&[
            b"wadi.event/v1\n",
            &self.to_bytes(),
            &(ordinal as u32).to_be_bytes(),
        ]);
        base32(&hash.0[..10])
    }
}

/// `ORIGIN@SEQ:LEAF`, as `based_on` takes it and JSON shows it.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.log, self.seq, self.leaf)
    }
}
impl FromStr for Reference {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let bad = || LogError::malformed("reference", format!("{text:?} is not ORIGIN@SEQ:LEAF"));
        let (origin, rest) = text.split_once('@').ok_or_else(bad)?;
        let (seq, leaf) = rest.split_once(':').ok_or_else(bad)?;
        let leaf = data_encoding::HEXLOWER
            .decode(leaf.as_bytes())
            .map_err(|_| bad())?;
        let seq = seq.parse().map_err(|_| bad())?;

        Ok(Self {
            log: LogId::from_origin(origin)?,
            seq,
            leaf: Hash::from_slice(&leaf)?,
        })
    }
}

/// A record: the hash of its first entry's reference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub [u8; 32]);

/// Characters of a printed tail before its check character: 60 bits.
pub(crate) const TAIL_CHARS: usize = 12;
impl RecordId {
    /// The id of the record that this entry began.
    pub fn of_first(first: &Reference) -> Self {
        Self(sha256(&[b"wadi.record/v1\n", &first.to_bytes()]).0)
    }

    /// Reads 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, LogError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| LogError::malformed("record id", format!("{} bytes", bytes.len())))
    }

    /// The printed form, `TRB-P-…`: crossing, lane letter, 12 base32 characters (60 bits) and a
    /// check character.
    pub fn print(&self, crossing: Crossing, lane: Lane) -> String {
        let tail: String = base32(&self.0[..8]).chars().take(TAIL_CHARS).collect();
        let body = format!("{crossing}-{}-{tail}", lane.letter());
        let check = check_char(&body);
        format!("{body}{check}")
    }

    /// Checks a printed id's shape and check character, so that a mistyped id is told from an
    /// absent record.
    pub fn check_printed(text: &str) -> Result<(), LogError> {
        let bad = |why: &str| Err(LogError::malformed("record id", format!("{text:?}: {why}")));
        let parts: Vec<&str> = text.split('-').collect();
        let [crossing, letter, tail] = parts[..] else {
            return bad("expected CROSSING-LETTER-TAIL");
        };

        crossing.parse::<Crossing>()?;
        if !Lane::ALL.iter().any(|l| l.letter().to_string() == letter) {
            return bad("unknown kind letter");
        }

        if tail.len() != TAIL_CHARS + 1
            || !tail.bytes().take(TAIL_CHARS).all(|c| ALPHABET.contains(&c))
        {
            return bad("expected 13 characters of 0-9 and A-Z without I, L, O, U");
        }

        let (body, check) = text.split_at(text.len() - 1);
        if !check.starts_with(check_char(body)) {
            return bad(
                "its check character does not match; a character is wrong or two are swapped",
            );
        }

        Ok(())
    }
}
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}
impl FromStr for RecordId {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let bytes = unhex(text).and_then(|b| b.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            LogError::malformed(
                "record id",
                format!("{text:?} is not 64 hexadecimal digits"),
            )
        })
    }
}
impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4]))
    }
}

/// Crockford's base32: no I, L, O, U, so that a handwritten id survives.
pub(crate) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut acc = 0u32;
    let mut bits = 0;
    for byte in bytes {
        acc = (acc << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(acc >> bits) as usize & 31]));
        }
    }

    out
}

/// ISO 7064 MOD 37,36 over letters and digits (separators are skipped): finds every single wrong
/// character and nearly every swap of neighbours.
pub fn check_char(text: &str) -> char {
    const SET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut p = 36;
    for c in text
        .bytes()
        .filter_map(|c| SET.iter().position(|s| *s == c))
    {
        let s = (p + c) % 36;
        p = (if s == 0 { 36 } else { s }) * 2 % 37;
    }

    let at = (37 - p) % 36;
    char::from(SET[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> LogId {
        LogId {
            node: NodeId([7; 16]),
            epoch: Epoch([9; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        }
    }

    #[test]
    fn a_log_id_survives_bytes_and_origin() {
        assert_eq!(LogId::from_slice(&log().to_bytes()).unwrap(), log());
        assert_eq!(LogId::from_origin(&log().origin()).unwrap(), log());
        assert!(LogId::from_origin("wadi.log/v1/zz").is_err());
    }

    #[test]
    fn a_mistyped_record_id_is_told_from_an_absent_one() {
        let first = Reference {
            log: log(),
            seq: 3,
            leaf: Hash([1; 32]),
        };

        let printed = RecordId::of_first(&first).print(log().crossing, log().lane);
        assert!(printed.starts_with("TRB-P-"), "{printed}");

        RecordId::check_printed(&printed).unwrap();
        let mut wrong = 0;
        for at in 6..printed.len() {
            for other in ALPHABET {
                let mut bytes = printed.clone().into_bytes();
                if bytes[at] != *other {
                    bytes[at] = *other;
                    assert!(RecordId::check_printed(std::str::from_utf8(&bytes).unwrap()).is_err());
                    wrong += 1;
                }
            }
        }

        assert!(wrong > 350);
    }
}
