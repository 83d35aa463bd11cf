//! What a proof of this country log says besides: the leaf itself, which lists the head of a log,
//! and entries that stand in that log below the head.

use crate::{CountryError, CountryLeaf};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;
use wadi_log::{Hash, LogId, proof};

/// Entries that one proof names at most.
pub const ENTRIES_MAX: usize = 20_000;
/// Hashes of a path at most.
const PATH_MAX: usize = 63;
const BEGINS: &str = "wadi.country.extra/v1\n";

/// An entry below a listed head.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedEntry {
    /// Its position.
    pub seq: u64,
    /// Its leaf.
    pub leaf: Hash,
    /// Its audit path in the tree of the listed size, from the leaf upward.
    pub path: Vec<Hash>,
}

/// A listed head, and entries below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvenHead {
    /// The text of the country log's leaf.
    pub leaf: String,
    /// Entries of the log that it lists.
    pub entries: Vec<NamedEntry>,
}

/// A listed head that its entries were held against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedHead {
    /// The log.
    pub log: LogId,
    /// Its entries.
    pub size: u64,
    /// The hub's time when it listed them, Unix seconds.
    pub hub_time_s: i64,
}

impl ProvenHead {
    /// The bytes that go into a proof as its extra data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = BEGINS.to_string();
        writeln!(out, "leaf {}", STANDARD.encode(&self.leaf)).expect("a String grows");
        for entry in &self.entries {
            write!(out, "entry {} {}", entry.seq, STANDARD.encode(entry.leaf.0)).expect("it grows");
            for hash in &entry.path {
                write!(out, " {}", STANDARD.encode(hash.0)).expect("a String grows");
            }
            out.push('\n');
        }

        out.into_bytes()
    }

    /// Reads such bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("extra data", why);
        let text = str::from_utf8(bytes).map_err(|_| bad("it is no text"))?;
        let rest = text
            .strip_prefix(BEGINS)
            .and_then(|rest| rest.strip_suffix('\n'));
        let mut lines = rest
            .ok_or_else(|| bad("its first or last line"))?
            .split('\n');
        let leaf = lines.next().and_then(|line| line.strip_prefix("leaf "));
        let leaf = leaf.and_then(|text| STANDARD.decode(text).ok());
        let leaf = leaf.and_then(|bytes| String::from_utf8(bytes).ok());

        let mut entries = Vec::new();
        for line in lines {
            if entries.len() == ENTRIES_MAX {
                return Err(bad("it names too many entries"));
            }
            entries.push(named_entry(line).ok_or_else(|| bad("an entry"))?);
        }

        Ok(Self {
            leaf: leaf.ok_or_else(|| bad("its leaf"))?,
            entries,
        })
    }

    /// Checks each entry against the head that the leaf lists.
    pub fn check(&self) -> Result<ListedHead, CountryError> {
        let CountryLeaf::Head {
            log,
            size,
            root,
            hub_time_s,
        } = CountryLeaf::parse(&self.leaf)?
        else {
            return Err(CountryError::malformed(
                "extra data",
                "its leaf lists no head",
            ));
        };

        for entry in &self.entries {
            let found = proof::root_from_inclusion(entry.leaf, entry.seq, size, &entry.path);
            if found != Ok(root) {
                return Err(CountryError::Mismatch("the path of an entry"));
            }
        }

        Ok(ListedHead {
            log,
            size,
            hub_time_s,
        })
    }
}

fn named_entry(line: &str) -> Option<NamedEntry> {
    let mut parts = line.strip_prefix("entry ")?.split(' ');
    let seq = parts.next()?.parse().ok()?;
    let mut hashes = Vec::new();
    for part in parts {
        if hashes.len() > PATH_MAX {
            return None;
        }
        hashes.push(Hash::from_slice(&STANDARD.decode(part).ok()?).ok()?);
    }

    let (leaf, path) = hashes.split_first()?;
    Some(NamedEntry {
        seq,
        leaf: *leaf,
        path: path.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId, leaf_hash, node_hash};

    fn named() -> ProvenHead {
        let [a, b] = [leaf_hash(b"a"), leaf_hash(b"b")];
        let leaf = CountryLeaf::Head {
            log: LogId {
                node: NodeId([1; 16]),
                epoch: Epoch([2; 8]),
                lane: Lane::Passage,
                crossing: Crossing::HUB,
            },
            size: 2,
            root: node_hash(&a, &b),
            hub_time_s: 9,
        };
        let entry = |seq, leaf, path| NamedEntry { seq, leaf, path };
        ProvenHead {
            leaf: leaf.text(),
            entries: vec![entry(0, a, vec![b]), entry(1, b, vec![a])],
        }
    }

    #[test]
    fn entries_are_held_against_the_head_that_was_listed() {
        let named = named();
        assert_eq!(ProvenHead::parse(&named.to_bytes()), Ok(named.clone()));
        assert_eq!(named.check().unwrap().size, 2);

        let mut other = named.clone();
        other.entries[1].leaf = leaf_hash(b"c");
        other.check().unwrap_err();
        let mut other = named;
        other.entries[1].seq = 0;
        other.check().unwrap_err();
    }

    #[test]
    fn odd_bytes_are_none() {
        let text = String::from_utf8(named().to_bytes()).unwrap();
        for odd in [
            text.replace("extra/v1", "extra/v2"),
            text.replace("entry 0", "entry x"),
            text.replace("entry 0 ", "entry 0"),
            text.replace("leaf ", "leaf !"),
            text.trim_end().to_string(),
            String::new(),
        ] {
            assert!(ProvenHead::parse(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
