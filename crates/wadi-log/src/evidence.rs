//! Evidence: everything said of one record in one file, which an outsider checks against the
//! commission's root alone.
//!
//! The format is specified in `docs/evidence.md`; whoever changes a line here changes it there.

use crate::{
    Body, Change, Checkpoint, Common, Cosignature, ENTRY_BYTES_MAX, Enrolment, Entry, ForkProof,
    Hash, LogId, LogKey, NodeId, Reading, RecordId, Reference, Role, RootKey, SignedCheckpoint,
    leaf_hash, merkle::sha256, note::witness_name, note_key_id, parse_note, proof,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

const VERSION: &str = "wadi.evidence/v1";
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
    format!("{VERSION}\n{sha256}\n").into_bytes()
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
            evidence: VERSION.into(),
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
pub struct Statement {
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
    pub statements: Vec<Statement>,
    /// Control entries in the file.
    pub control: usize,
    /// Proofs that a log was forked.
    pub forks: usize,
}

struct Proven {
    signed: SignedCheckpoint,
    hub_cosigned_s: Option<u64>,
}

/// Checks a file against the commission's root, in the order of `docs/evidence.md`; the first check
/// that fails ends it.
pub fn verify_evidence(bytes: &[u8], root: &RootKey) -> Result<Evidence, EvidenceError> {
    let (header, lines, before_seal) = parse(bytes)?;
    let Some((Line::Seal(seal), lines)) = lines.split_last() else {
        return bad("cut", "the last line is no seal");
    };
    if lines.iter().any(|l| matches!(l, Line::Seal(_))) {
        return bad("cut", "a seal stands before the last line");
    }

    if seal.lines != lines.len() + 1 {
        return bad(
            "changed",
            format!(
                "{} lines are sealed, {} are there",
                seal.lines,
                lines.len() + 1
            ),
        );
    }

    if seal.sha256 != sha256(&[before_seal]).to_string() {
        return bad("changed", "the bytes are not those that were sealed");
    }

    let members = members(lines, root)?;
    let checkpoints = checkpoints(lines, &members)?;
    let entries = entries(lines, &checkpoints)?;
    let maker = check_seal(seal, &header, &members)?;
    let record: RecordId = header.record.parse().or_else(|e| bad("other_record", e))?;
    if record.to_string() != header.record {
        return bad("other_record", "the record's id is not in lower case");
    }

    let (mut statements, mut firsts) = (Vec::new(), 0);
    for (line, reference, bytes) in &entries {
        if line.role != EvidenceRole::Record {
            continue;
        }

        let (common, change) = match Entry::read(bytes) {
            Ok(Reading::Entry(Entry {
                common,
                body: Body::Change(change),
            })) => (common, change),
            _ => return bad("other_record", format!("{reference} is no change")),
        };

        firsts += usize::from(change.record.is_none());
        if change
            .record
            .unwrap_or_else(|| RecordId::of_first(reference))
            != record
        {
            return bad(
                "other_record",
                format!("{reference} speaks of another record"),
            );
        }

        let by = line.proofs.iter().map(|p| &checkpoints[p.checkpoint]);
        let not_after_s = by.filter_map(|p| p.hub_cosigned_s).min();

        // Nobody has heard of a time after the one at which a hub had the entry: an author that
        // names one lies, or was lied to.
        let may_be = |named_s: &i64| {
            not_after_s.is_none_or(|end_s| u64::try_from(*named_s).is_ok_and(|s| s <= end_s))
        };
        statements.push(Statement {
            reference: *reference,
            node: members[&reference.log.node].name.clone(),
            common,
            change,
            counts: line.counts,
            not_before_s: checkpoints
                .iter()
                .map(|p| &p.signed.checkpoint)
                .filter(|c| c.log == reference.log && c.size <= reference.seq && c.hub_time_s != 0)
                .map(|c| c.hub_time_s)
                .filter(may_be)
                .max(),
            not_after_s,
        });
    }

    if firsts != 1 {
        return bad("other_record", format!("{firsts} entries begin the record"));
    }

    let there: BTreeSet<Reference> = statements.iter().map(|s| s.reference).collect();
    for statement in &statements {
        if let Some(missing) = statement
            .change
            .based_on
            .iter()
            .find(|r| !there.contains(r))
        {
            return bad(
                "incomplete",
                format!(
                    "{} builds on {missing}, which is not there",
                    statement.reference
                ),
            );
        }
    }

    let control = entries
        .iter()
        .filter(|(l, ..)| l.role == EvidenceRole::Control)
        .count();
    let forks = lines.iter().filter(|l| matches!(l, Line::Fork(_))).count();
    let HeaderLine {
        printed, made_s, ..
    } = header;

    Ok(Evidence {
        record,
        printed,
        made_by: maker,
        made_s,
        statements,
        control,
        forks,
    })
}

/// Lines, the header apart, and the bytes before the seal's line.
fn parse(bytes: &[u8]) -> Result<(HeaderLine, Vec<Line>, &[u8]), EvidenceError> {
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return bad(
            "malformed",
            format!("{} bytes; the limit is {EVIDENCE_BYTES_MAX}", bytes.len()),
        );
    }

    let text = std::str::from_utf8(bytes).or_else(|e| bad("malformed", e))?;
    // JSON writes it as an escape; as it stands it could only be another line end.
    if text.contains('\r') {
        return bad("malformed", "a carriage return");
    }

    let Some(body) = text.strip_suffix('\n') else {
        return bad("malformed", "no final line feed");
    };
    let mut lines = body.split('\n');
    let first = lines.next().unwrap_or_default();
    let mut out = Vec::new();

    for (n, line) in lines.enumerate() {
        if n >= LINES_MAX {
            return bad("malformed", format!("more than {LINES_MAX} lines"));
        }

        let parsed: Line = serde_json::from_str(line)
            .or_else(|e| bad("malformed", format!("line {}: {e}", n + 2)))?;
        if let Line::Fork(fork) = &parsed {
            STANDARD
                .decode(fork)
                .or_else(|e| bad("malformed", format!("line {}: {e}", n + 2)))?;
        }

        out.push(parsed);
    }

    if serde_json::from_str::<serde_json::Value>(first).is_err() {
        return bad("malformed", "line 1 is no JSON");
    }

    let header: HeaderLine = serde_json::from_str(first).or_else(|e| bad("not_evidence", e))?;
    if header.evidence != VERSION {
        return bad(
            "not_evidence",
            format!("{:?} is not {VERSION}", header.evidence),
        );
    }

    let seal_at = body.rfind('\n').map_or(0, |at| at + 1);
    Ok((header, out, &bytes[..seal_at]))
}

fn members(lines: &[Line], root: &RootKey) -> Result<BTreeMap<NodeId, Enrolment>, EvidenceError> {
    let mut out = BTreeMap::new();
    for line in lines {
        let Line::Enrolment(text) = line else {
            continue;
        };
        let bytes = STANDARD.decode(text).or_else(|e| bad("bad_enrolment", e))?;
        let enrolment = Enrolment::from_bytes(&bytes).or_else(|e| bad("bad_enrolment", e))?;

        enrolment
            .verify(root)
            .or_else(|e| bad("bad_enrolment", format!("{}: {e}", enrolment.name)))?;

        if let Some(old) = out.insert(enrolment.node(), enrolment) {
            return bad("bad_enrolment", format!("{} is enrolled twice", old.name));
        }
    }

    Ok(out)
}

fn checkpoints(
    lines: &[Line],
    members: &BTreeMap<NodeId, Enrolment>,
) -> Result<Vec<Proven>, EvidenceError> {
    let notes = lines.iter().filter_map(|l| {
        if let Line::Checkpoint(note) = l {
            Some(note)
        } else {
            None
        }
    });

    notes
        .enumerate()
        .map(|(n, note)| {
            checkpoint(note, members)
                .or_else(|why| bad("bad_checkpoint", format!("checkpoint {n}: {why}")))
        })
        .collect()
}

fn checkpoint(note: &str, members: &BTreeMap<NodeId, Enrolment>) -> Result<Proven, String> {
    let text = |e: crate::LogError| e.to_string();
    let (body, lines) = parse_note(note).map_err(text)?;
    let checkpoint = Checkpoint::from_body(body).map_err(text)?;
    let origin = checkpoint.log.origin();
    let ((name, first), cosigned) = lines.split_first().ok_or("no signature")?;
    let author = members
        .get(&checkpoint.log.node)
        .ok_or("its author's enrolment is missing")?;

    let id = note_key_id(&origin, 0x01, &author.log_key);
    let signature = first
        .strip_prefix(&id[..])
        .and_then(|s| s.try_into().ok())
        .filter(|_| *name == origin);
    let signed = SignedCheckpoint {
        checkpoint,
        signature: signature.ok_or("the first line is not its author's")?,
    };

    signed.verify(&author.log_key).map_err(text)?;
    let mut hub_cosigned_s = None;
    for (name, bytes) in cosigned {
        let witness = members
            .values()
            .find(|m| witness_name(&m.node()) == *name)
            .ok_or("a witness is not enrolled")?;
        let id = note_key_id(name, 0x04, &witness.log_key);
        let rest: &[u8; 72] = bytes
            .strip_prefix(&id[..])
            .and_then(|r| r.try_into().ok())
            .ok_or("a cosignature's form")?;

        let cosignature =
            Cosignature::from_slice(&[&witness.node().0[..], rest].concat()).map_err(text)?;
        cosignature
            .verify(&signed.checkpoint, &witness.log_key)
            .map_err(text)?;

        if witness.role == Role::Hub {
            let earliest =
                hub_cosigned_s.map_or(cosignature.time_s, |t: u64| t.min(cosignature.time_s));
            hub_cosigned_s = Some(earliest);
        }
    }

    Ok(Proven {
        signed,
        hub_cosigned_s,
    })
}

type EntryOf<'a> = (&'a EntryLine, Reference, Vec<u8>);

fn entries<'a>(
    lines: &'a [Line],
    checkpoints: &[Proven],
) -> Result<Vec<EntryOf<'a>>, EvidenceError> {
    let (mut out, mut there) = (Vec::new(), BTreeSet::new());
    for line in lines {
        let Line::Entry(line) = line else { continue };
        let (reference, bytes) = entry(line, checkpoints)
            .or_else(|why| bad("bad_proof", format!("{}@{}: {why}", line.log, line.seq)))?;
        if !there.insert(reference) {
            return bad("bad_proof", format!("{reference} stands there twice"));
        }

        out.push((line, reference, bytes));
    }

    Ok(out)
}

fn entry(line: &EntryLine, checkpoints: &[Proven]) -> Result<(Reference, Vec<u8>), String> {
    let log = LogId::from_origin(&line.log).map_err(|e| e.to_string())?;
    let bytes = STANDARD.decode(&line.bytes).map_err(|e| e.to_string())?;
    if bytes.len() > ENTRY_BYTES_MAX {
        return Err(format!(
            "{} bytes; the limit is {ENTRY_BYTES_MAX}",
            bytes.len()
        ));
    }

    let leaf = leaf_hash(&bytes);
    if line.proofs.is_empty() {
        return Err("no proof".into());
    }

    for p in &line.proofs {
        let head = &checkpoints
            .get(p.checkpoint)
            .ok_or("its checkpoint is missing")?
            .signed
            .checkpoint;

        if head.log != log {
            return Err("its checkpoint is another log's".into());
        }

        let path = p.path.iter().map(|h| {
            STANDARD
                .decode(h)
                .ok()
                .and_then(|h| Hash::from_slice(&h).ok())
        });

        let path: Vec<Hash> = path
            .collect::<Option<_>>()
            .ok_or("a hash of its path does not read")?;
        let root = proof::root_from_inclusion(leaf, line.seq, head.size, &path)
            .map_err(|e| e.to_string())?;

        if root != head.root {
            return Err("its path does not lead to the root that was signed".into());
        }
    }

    Ok((
        Reference {
            log,
            seq: line.seq,
            leaf,
        },
        bytes,
    ))
}

/// The maker's name.
fn check_seal(
    seal: &SealLine,
    header: &HeaderLine,
    members: &BTreeMap<NodeId, Enrolment>,
) -> Result<String, EvidenceError> {
    let maker = seal
        .by
        .parse()
        .ok()
        .filter(|_| seal.by == header.by)
        .and_then(|n: NodeId| members.get(&n));

    let Some(maker) = maker else {
        return bad("bad_seal", "the maker is not enrolled, or not the header's");
    };
    let signature = STANDARD
        .decode(&seal.signature)
        .ok()
        .and_then(|s| s.try_into().ok());
    let Some(signature) = signature else {
        return bad("bad_seal", "the signature does not read");
    };

    crate::note::verify(
        &maker.log_key,
        &sealed_text(&seal.sha256),
        &signature,
        "seal",
    )
    .or_else(|e| bad("bad_seal", e))?;

    Ok(maker.name.clone())
}
