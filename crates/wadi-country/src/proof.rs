//! `tlog-proof`: one leaf, and all that shows that it was logged and seen.

use crate::{CountryError, CountryHead, SignedHead};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;
use wadi_log::{Hash, leaf_hash, proof};

/// Bytes of a proof at most.
pub const PROOF_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Hashes of a path at most: the leaves of a log are counted in 64 bits.
const PATH_MAX: usize = 63;
const BEGINS: &str = "c2sp.org/tlog-proof@v1\n";

/// A proof. Nothing of it is checked before [`Self::check`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlogProof {
    /// What its maker put beside it; nobody signed that.
    pub extra: Vec<u8>,
    /// The leaf's position.
    pub index: u64,
    /// From its sibling upward.
    pub path: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub note: String,
}

impl TlogProof {
    /// Its text.
    pub fn text(&self) -> String {
        let mut out = BEGINS.to_string();
        if !self.extra.is_empty() {
            writeln!(out, "extra {}", STANDARD.encode(&self.extra)).expect("a String grows");
        }

        writeln!(out, "index {}", self.index).expect("a String grows");
        for hash in &self.path {
            writeln!(out, "{}", STANDARD.encode(hash.0)).expect("a String grows");
        }

        format!("{out}\n{}", self.note)
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("tlog-proof", why);
        if text.len() > PROOF_BYTES_MAX {
            return Err(bad("it is too long"));
        }

        let rest = text
            .strip_prefix(BEGINS)
            .ok_or_else(|| bad("its first line"))?;
        let (lines, note) = rest
            .split_once("\n\n")
            .ok_or_else(|| bad("no checkpoint"))?;
        let mut lines = lines.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => {
                let extra = line.trim_start_matches("extra ");
                STANDARD.decode(extra).map_err(|_| bad("its extra data"))?
            }
            None => vec![],
        };

        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.ok_or_else(|| bad("its index"))?;
        let number: u64 = index.parse().map_err(|_| bad("its index"))?;
        if number.to_string() != index {
            return Err(bad("its index"));
        }

        let mut path = Vec::new();
        for line in lines {
            if path.len() == PATH_MAX {
                return Err(bad("its path is too long"));
            }
            let bytes = STANDARD.decode(line).map_err(|_| bad("its path"))?;
            path.push(Hash::from_slice(&bytes).map_err(|_| bad("its path"))?);
        }

        Ok(Self {
            extra,
            index: number,
            path,
            note: note.into(),
        })
    }

    /// The checkpoint that it leads to. Its signatures are still to be checked.
    pub fn signed_head(&self) -> Result<SignedHead, CountryError> {
        SignedHead::parse(&self.note)
    }

    /// Checks that this leaf stands there in the tree that the checkpoint names.
    pub fn check(&self, leaf: &[u8], head: &CountryHead) -> Result<(), CountryError> {
        let wrong = CountryError::Mismatch("the path of the leaf");
        let root = proof::root_from_inclusion(leaf_hash(leaf), self.index, head.size, &self.path);
        match root {
            Ok(root) if root == head.root => Ok(()),
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TileAt;
    use crate::{
        CountryKey, RightEdge,
        tree::{Tiles, roots_of},
    };
    use wadi_log::LogKey;

    fn made() -> (TlogProof, CountryHead) {
        let mut edge = RightEdge::default();
        for n in 0..11u8 {
            edge.append(leaf_hash(&[n]));
        }

        let at = TileAt { level: 0, index: 0 };
        let tiles = Tiles::from([(at, edge.tile(at).unwrap().to_vec())]);
        let head = CountryHead {
            origin: "log.example/1".into(),
            size: 11,
            root: edge.root(),
        };
        let note = head.note(
            &CountryKey::new(&LogKey::from_seed(&[1; 32]), &head.origin),
            7,
        );
        let path = roots_of(&proof::inclusion_ranges(6, 11), &tiles).unwrap();
        let made = TlogProof {
            extra: b"what it is about".to_vec(),
            index: 6,
            path,
            note,
        };
        (made, head)
    }

    #[test]
    fn a_proof_reads_back_and_holds_for_its_leaf_alone() {
        let (made, head) = made();
        for extra in [made.extra.clone(), vec![]] {
            let made = TlogProof {
                extra,
                ..made.clone()
            };
            assert_eq!(TlogProof::parse(&made.text()), Ok(made.clone()));
        }

        made.check(&[6], &head).unwrap();
        made.check(&[5], &head).unwrap_err();
        let elsewhere = TlogProof {
            index: 7,
            ..made.clone()
        };
        elsewhere.check(&[6], &head).unwrap_err();
        let other = CountryHead {
            root: Hash([9; 32]),
            ..head
        };
        made.check(&[6], &other).unwrap_err();
    }

    #[test]
    fn somebody_elses_code_reads_the_checkpoint_and_follows_the_path() {
        let (made, head) = made();
        let vkey =
            crate::HeadSigner::vkeys(&CountryKey::new(&LogKey::from_seed(&[1; 32]), &head.origin));
        let theirs = signed_note::Note::from_bytes(made.note.as_bytes()).unwrap();
        let key = signed_note::StandardVerifier::new(&vkey[0].text()).unwrap();
        let known = signed_note::VerifierList::new(vec![Box::new(key)]);
        let (verified, others) = theirs.verify(&known).unwrap();
        assert_eq!((verified.len(), others.len()), (1, 1));

        let point = tlog_tiles::Checkpoint::from_bytes(theirs.text()).unwrap();
        assert_eq!((point.origin(), point.size()), (head.origin.as_str(), 11));
        let path: Vec<tlog_tiles::Hash> = made.path.iter().map(|h| tlog_tiles::Hash(h.0)).collect();
        let leaf = tlog_tiles::record_hash(&[6]);
        tlog_tiles::check_record(&path, 11, *point.hash(), 6, leaf).unwrap();
    }

    #[test]
    fn odd_texts_are_none() {
        let text = made().0.text();
        for odd in [
            text.replace("@v1", "@v2"),
            text.replace("index 6", "index 06"),
            text.replace("index 6\n", ""),
            text.replace("\n\n", "\n"),
            text.replace("extra ", "extra!"),
            text.replace("index 6\n", "index 6\nAAAA\n"),
            text.replace("index 6\n", &format!("index 6\n{}", "A\n".repeat(70))),
            String::new(),
        ] {
            let read = TlogProof::parse(&odd).and_then(|p| p.signed_head());
            assert!(read.is_err(), "{odd}");
        }
    }
}
