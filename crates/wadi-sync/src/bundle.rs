//! Bundles: the blocks of a session in a file (`docs/bundles.md`).
//!
//! A part is one line of JSON, the manifest under its maker's seal, and behind it the body. The
//! body is encrypted by whoever calls this module; within it stand frames: what sessions say in
//! messages, blocks in one stream of the block codec, and an end that counts them.

mod frames;
#[cfg(test)]
pub(crate) mod tests;

pub use frames::{Frame, FrameReader, FrameWriter};

use crate::seal::{self, Seal, SealKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use wadi_log::{Enrolment, LogError, LogId, LogKey, NodeId, hex, unhex};

const KIND: SealKind = SealKind {
    name: "bundle",
    format: "wadi.bundle/v1",
    unreadable: "bundle_unreadable",
    version: "bundle_version",
    changed: "bundle_changed",
};
/// Bytes of a part at most, its manifest included.
pub const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a manifest at most: some fifty thousand logs.
pub const FRONT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Why a bundle or a receipt is not taken, or not made. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct BundleFileError {
    /// A stable code.
    pub code: &'static str,
    /// The reason.
    pub why: String,
}

impl BundleFileError {
    /// An error.
    pub fn new(code: &'static str, why: impl ToString) -> Self {
        Self {
            code,
            why: why.to_string(),
        }
    }
}

fn unreadable(why: impl ToString) -> BundleFileError {
    BundleFileError::new(KIND.unreadable, why)
}

fn changed(why: impl ToString) -> BundleFileError {
    BundleFileError::new(KIND.changed, why)
}

/// A node in a manifest or a receipt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its id.
    pub node: String,
    /// Its name, for people.
    pub name: String,
}

impl Party {
    /// The node that is enrolled so.
    pub fn of(enrolment: &Enrolment) -> Self {
        Self {
            node: enrolment.node().to_string(),
            name: enrolment.name.clone(),
        }
    }

    /// Whether it is that node.
    pub fn is(&self, node: &NodeId) -> bool {
        self.node == node.to_string()
    }
}

/// A run of a log's entries in a part.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRange {
    /// The log's origin.
    pub log: String,
    /// Position of the first entry.
    pub from: u64,
    /// The log's size after the last.
    pub to: u64,
    /// The maker keeps them for their author, and does not read them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carried: bool,
}

impl LogRange {
    /// The log.
    pub fn id(&self) -> Result<LogId, LogError> {
        LogId::from_origin(&self.log)
    }
}

/// How much of everything a part holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Counts {
    pub enrolments: u64,
    pub forks: u64,
    pub blocks: u64,
    pub entries: u64,
    pub cosignatures: u64,
    pub excerpts: u64,
}

/// What a part says of itself to anybody who holds it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always `wadi.bundle/v1`; [`Manifest::seal`] fills it in.
    pub format: String,
    /// The bundle that this is a part of: 32 hexadecimal digits, random.
    pub bundle: String,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub parts: u32,
    /// Who made it.
    pub from: Party,
    /// Its maker's enrolment, encoded, in hexadecimal: so that a reader who never heard of the
    /// maker can judge it.
    pub enrolment: String,
    /// Whom it is encrypted to.
    #[serde(rename = "for")]
    pub to: Party,
    /// When, by its maker's clock, Unix seconds.
    pub made_s: i64,
    /// Runs of entries, the urgent lanes first.
    pub logs: Vec<LogRange>,
    /// How much there is.
    pub counts: Counts,
    /// Bytes of the body; filled in, too.
    pub bytes: u64,
    /// SHA-256 of the body, in hexadecimal; filled in, too.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a body, on one line, under its maker's seal: the part is this line and the
    /// body behind it.
    pub fn seal(&mut self, body: &[u8], key: &LogKey) -> String {
        self.format = KIND.format.into();
        self.bytes = body.len() as u64;
        self.sha256 = hex(&Sha256::digest(body));
        seal::write(&KIND, self, key)
    }

    /// Reads the front of a part; the rest of it is the body. Who made it is known when the seal is
    /// checked.
    pub fn read(part: &[u8]) -> Result<(Self, Seal, &[u8]), BundleFileError> {
        let Some(end) = part.iter().take(FRONT_BYTES_MAX).position(|b| *b == b'\n') else {
            let begun =
                part.len() < FRONT_BYTES_MAX && part.starts_with(b"{\"format\":\"wadi.bundle/");
            let cut = BundleFileError::new(
                "bundle_cut",
                "the file ends within its manifest: copy it again",
            );

            return Err(if begun {
                cut
            } else {
                unreadable("this is no bundle of wadi: it begins with no manifest")
            });
        };

        let line = std::str::from_utf8(&part[..end])
            .map_err(|e| unreadable(format!("this is no bundle: {e}")))?;
        let (this, seal): (Self, Seal) = seal::read(&KIND, line)?;
        if this.part == 0
            || this.part > this.parts
            || unhex(&this.bundle).is_none_or(|id| id.len() != 16)
        {
            return Err(unreadable(format!(
                "part {} of {} of {:?}",
                this.part, this.parts, this.bundle
            )));
        }

        Ok((this, seal, &part[end + 1..]))
    }

    /// Its maker's enrolment, as the manifest shows it; the commission's root has to have signed
    /// it.
    pub fn maker(&self) -> Result<Enrolment, BundleFileError> {
        let bytes = unhex(&self.enrolment)
            .ok_or_else(|| unreadable("its maker's enrolment is not hexadecimal"))?;
        let maker = Enrolment::from_bytes(&bytes).map_err(unreadable)?;
        if !self.from.is(&maker.node()) {
            return Err(BundleFileError::new(
                "bundle_foreign",
                "the enrolment shown is not its maker's",
            ));
        }

        Ok(maker)
    }

    /// Checks that the body is the one that was sealed.
    pub fn check_body(&self, body: &[u8]) -> Result<(), BundleFileError> {
        let there = body.len() as u64;
        if there < self.bytes {
            let why = format!(
                "{there} of {} bytes are there: the file was cut short, copy it again",
                self.bytes
            );
            return Err(BundleFileError::new("bundle_cut", why));
        }

        if there > self.bytes {
            return Err(changed(format!(
                "{there} bytes are there, {} were sealed",
                self.bytes
            )));
        }

        if hex(&Sha256::digest(body)) != self.sha256 {
            return Err(changed(
                "its bytes are not those that were sealed: a bad stick, or somebody changed it",
            ));
        }

        Ok(())
    }
}
