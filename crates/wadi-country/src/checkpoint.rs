//! The head of a country log as a C2SP checkpoint: a signed note of three lines.

use crate::{CountryError, HeadSigner, VKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use wadi_log::{Hash, parse_note};

/// Bytes of a signed checkpoint at most: sixteen signatures of post-quantum length, and more.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// Signature lines at most.
const LINES_MAX: usize = 64;

/// Size and root of a country log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CountryHead {
    /// Which log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
}

impl CountryHead {
    /// The signed text, ending in a newline. It has no extension lines: ML-DSA-44 would not sign
    /// them.
    pub fn body(&self) -> String {
        let root = STANDARD.encode(self.root.0);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads a body back, in its one writing.
    pub fn from_body(body: &str) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("checkpoint", why);
        let mut lines = body.split('\n');
        let mut next = || lines.next().ok_or_else(|| bad("cut short"));
        let origin = next()?.to_string();
        let size = next()?.parse().map_err(|_| bad("its size"))?;
        let root = STANDARD.decode(next()?).map_err(|_| bad("its root"))?;
        let root = Hash::from_slice(&root).map_err(|_| bad("its root"))?;

        let this = Self { origin, size, root };
        if !this.origin.is_empty() && this.body() == body {
            Ok(this)
        } else {
            Err(bad(
                "it is not an origin, a size and a root, each on a line",
            ))
        }
    }

    /// The note that a signer makes of it, without cosignatures.
    pub fn note(&self, signer: &dyn HeadSigner, time_s: u64) -> String {
        format!("{}\n{}", self.body(), signer.lines(self, time_s))
    }
}

/// A checkpoint with its signature lines, none of them checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedHead {
    /// What is signed.
    pub head: CountryHead,
    body: String,
    lines: Vec<(String, Vec<u8>)>,
}

impl SignedHead {
    /// Reads a note.
    pub fn parse(note: &str) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("checkpoint", why);
        if note.len() > NOTE_BYTES_MAX {
            return Err(bad("it is too long"));
        }

        let is_control = |c: char| c.is_ascii_control() && c != '\n';
        if note.chars().any(is_control) {
            return Err(bad("a control character"));
        }

        let (body, lines) =
            parse_note(note).map_err(|e| CountryError::malformed("checkpoint", e))?;
        if lines.len() > LINES_MAX {
            return Err(bad("too many signatures"));
        }

        let lines = lines.into_iter().map(|(name, s)| (name.to_string(), s));
        Ok(Self {
            head: CountryHead::from_body(body)?,
            body: body.into(),
            lines: lines.collect(),
        })
    }

    /// Whether a key signed it, and at which time, Unix seconds; 0 for a signature without one. A
    /// line by this key that is wrong is an error, whatever else stands there.
    pub fn signed_by(&self, key: &VKey) -> Result<Option<u64>, CountryError> {
        let mut newest = None;
        for (name, bytes) in &self.lines {
            if let Some(signature) = bytes.get(4..).filter(|_| key.is_of(name, bytes)) {
                newest = newest.max(Some(key.verify(&self.head, &self.body, signature)?));
            }
        }

        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URY\
        N7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn the_example_of_the_standard_reads_and_odd_ones_do_not() {
        let read = SignedHead::parse(EXAMPLE).unwrap();
        assert_eq!(read.head.size, 20_852_163);
        assert!(EXAMPLE.starts_with(&read.head.body()));

        for odd in [
            EXAMPLE.replace("20852163", "020852163"),
            EXAMPLE.replace("20852163", "-1"),
            EXAMPLE.replace("\n\n", "\nextension\n\n"),
            EXAMPLE.replace("\n\n", "\n"),
            EXAMPLE.replace("sofa\n", "so\tfa\n"),
            EXAMPLE.trim_end().to_string(),
            String::new(),
        ] {
            assert!(SignedHead::parse(&odd).is_err(), "{odd}");
        }
    }
}
