//! Evidence: everything said of one record in one file, which an outsider checks against the
//! commission's root alone.
//!
//! The format is specified in `docs/evidence.md`; whoever changes a line here changes it there.

mod verify;

pub use verify::verify_evidence;

use crate::{
    Change, Common, Cosignature, Enrolment, ForkProof, Hash, LogId, LogKey, NodeId, RecordId,
    Reference, SignedCheckpoint, SshKey, merkle::sha256,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;

const EVIDENCE_VERSION: &str = "wadi.evidence/v1";
/// Lines of a file at most.
const LINES_MAX: usize = 100_000;
/// Bytes of a file at most.
pub const EVIDENCE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why a file proves nothing: the first check that failed, by its code in `docs/evidence.md`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct EvidenceError {
    /// A stable code.
    pub code: &'static str,
    /// The reason.
    pub why: String,
}

fn bad<T>(code: &'static str, why: impl ToString) -> Result<T, EvidenceError> {
    Err(EvidenceError {
        code,
        why: why.to_string(),
    })
}

/// Why an entry is in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceRole {
    /// It speaks of the record.
    Record,
    /// What its author had taken in.
    Seen,
    /// What the record is judged by.
    Control,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    evidence: String,
    record: String,
    printed: String,
    made_s: i64,
    by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Enrolment(String),
    Checkpoint(String),
    Entry(EntryLine),
    Fork(String),
    Seal(SealLine),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    log: String,
    seq: u64,
    role: EvidenceRole,
    counts: bool,
    bytes: String,
    proofs: Vec<ProofLine>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofLine {
    checkpoint: usize,
    path: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealLine {
    by: String,
    lines: usize,
    sha256: String,
    signature: String,
}

fn sealed_text(sha256: &str) -> Vec<u8> {
    format!("{EVIDENCE_VERSION}\n{sha256}\n").into_bytes()
}

/// Writes a file line by line.
pub struct EvidenceWriter {
    text: String,
    lines: usize,
    checkpoints: usize,
}

impl EvidenceWriter {
    /// Begins a file: which record, its printed id, the maker and the maker's clock in Unix
    /// seconds.
    pub fn new(record: &RecordId, printed: &str, by: &NodeId, made_s: i64) -> Self {
        let mut this = Self {
            text: String::new(),
            lines: 0,
            checkpoints: 0,
        };

        this.push(&HeaderLine {
            evidence: EVIDENCE_VERSION.into(),
            record: record.to_string(),
            printed: printed.into(),
            made_s,
            by: by.to_string(),
        });

        this
    }

    fn push(&mut self, line: &impl Serialize) {
        self.text += &serde_json::to_string(line).expect("text and numbers serialise");
        self.text.push('\n');
        self.lines += 1;
    }

    /// A member whose signatures stand in the file.
    pub fn enrolment(&mut self, enrolment: &Enrolment) {
        self.push(&Line::Enrolment(STANDARD.encode(enrolment.to_bytes())));
    }

    /// A checkpoint with its cosignatures; returns the number that proofs name it by.
    pub fn checkpoint(
        &mut self,
        checkpoint: &SignedCheckpoint,
        author: &Enrolment,
        cosignatures: &[(Cosignature, [u8; 32])],
    ) -> usize {
        self.push(&Line::Checkpoint(
            checkpoint.note(&author.log_key, cosignatures),
        ));
        self.checkpoints += 1;
        self.checkpoints - 1
    }

    /// An entry with its audit paths, each by the number of its checkpoint.
    pub fn entry(
        &mut self,
        at: (&LogId, u64),
        bytes: &[u8],
        role: EvidenceRole,
        counts: bool,
        proofs: &[(usize, Vec<Hash>)],
    ) {
        let path = |path: &[Hash]| path.iter().map(|h| STANDARD.encode(h.0)).collect();
        self.push(&Line::Entry(EntryLine {
            log: at.0.origin(),
            seq: at.1,
            role,
            counts,
            bytes: STANDARD.encode(bytes),
            proofs: proofs
                .iter()
                .map(|(n, p)| ProofLine {
                    checkpoint: *n,
                    path: path(p),
                })
                .collect(),
        }));
    }

    /// A fork proof.
    pub fn fork(&mut self, fork: &ForkProof) {
        self.push(&Line::Fork(STANDARD.encode(fork.to_bytes())));
    }

    /// Ends the file under the maker's seal.
    pub fn seal(mut self, key: &LogKey) -> String {
        let sha256 = sha256(&[self.text.as_bytes()]).to_string();
        let signature = STANDARD.encode(key.sign_bytes(&sealed_text(&sha256)));
        let seal = SealLine {
            by: key.node().to_string(),
            lines: self.lines,
            sha256,
            signature,
        };

        self.push(&Line::Seal(seal));
        self.text
    }
}

/// One statement about the record, proven.
#[derive(Clone, PartialEq, Debug)]
pub struct ProvenStatement {
    /// Where it stands.
    pub reference: Reference,
    /// The name of the node that signed it.
    pub node: String,
    /// Who says it, and when by their clock.
    pub common: Common,
    /// What is said.
    pub change: Change,
    /// Whether it counts, by the maker's word.
    pub counts: bool,
    /// The hub time that its author had heard of, Unix seconds.
    pub not_before_s: Option<i64>,
    /// The first hub time by which a hub of the file held it, Unix seconds; none where no hub
    /// vouches for it.
    pub not_after_s: Option<u64>,
}

/// What a file proves.
#[derive(Clone, PartialEq, Debug)]
pub struct Evidence {
    /// The record.
    pub record: RecordId,
    /// Its printed id, by the maker's word.
    pub printed: String,
    /// The name of the node that made the file.
    pub made_by: String,
    /// When, by its clock, Unix seconds.
    pub made_s: i64,
    /// What was said of the record, in the order of the file.
    pub statements: Vec<ProvenStatement>,
    /// Control entries in the file.
    pub control: usize,
    /// Officers' own keys that hubs named in control entries of the file.
    pub officer_keys: BTreeSet<(String, SshKey)>,
    /// Proofs that a log was forked.
    pub forks: usize,
}

struct Proven {
    signed: SignedCheckpoint,
    hub_cosigned_s: Option<u64>,
}
