//! Checks an evidence file against the commission's root, and nothing else.

use super::{
    EVIDENCE_BYTES_MAX, EVIDENCE_VERSION, EntryLine, Evidence, EvidenceError, EvidenceRole,
    HeaderLine, LINES_MAX, Line, Proven, ProvenStatement, SealLine, bad, sealed_text,
};
use crate::{
    Body, Checkpoint, Cosignature, ENTRY_BYTES_MAX, Enrolment, Entry, Hash, LogId, NodeId, Reading,
    RecordId, Reference, Role, RootKey, SignedCheckpoint, SshKey, leaf_hash, merkle::sha256,
    note::witness_name, note_key_id, parse_note, proof,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::{BTreeMap, BTreeSet};

/// Checks a file against the commission's root, in the order of `docs/evidence.md`; the first check
/// that fails ends it.
pub fn verify_evidence(bytes: &[u8], root: &RootKey) -> Result<Evidence, EvidenceError> {
    let (header, lines, before_seal) = parse(bytes)?;
    let (seal, lines) = sealed_lines(&lines, before_seal)?;
    let members = members(lines, root)?;
    let checkpoints = checkpoints(lines, &members)?;
    let entries = entries(lines, &checkpoints)?;
    let maker = check_seal(seal, &header, &members)?;
    let record: RecordId = header.record.parse().or_else(|e| bad("other_record", e))?;
    if record.to_string() != header.record {
        return bad("other_record", "the record's id is not in lower case");
    }

    let statements = statements(record, &entries, &checkpoints, &members)?;
    check_complete(&statements)?;

    let control = entries
        .iter()
        .filter(|(l, ..)| l.role == EvidenceRole::Control)
        .count();
    let forks = lines.iter().filter(|l| matches!(l, Line::Fork(_))).count();
    let HeaderLine {
        printed, made_s, ..
    } = header;

    let officer_keys = officer_keys(&entries, &members);

    Ok(Evidence {
        record,
        printed,
        made_by: maker,
        made_s,
        statements,
        control,
        officer_keys,
        forks,
    })
}

/// The seal, and the lines before it: as many as were sealed, with the bytes that were sealed.
fn sealed_lines<'a>(
    lines: &'a [Line],
    before_seal: &[u8],
) -> Result<(&'a SealLine, &'a [Line]), EvidenceError> {
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

    Ok((seal, lines))
}

/// What the entries say of the record, each with the times between which it was written.
fn statements(
    record: RecordId,
    entries: &[EntryOf<'_>],
    checkpoints: &[Proven],
    members: &BTreeMap<NodeId, Enrolment>,
) -> Result<Vec<ProvenStatement>, EvidenceError> {
    let mut statements = Vec::new();
    let mut firsts = 0;
    for (line, reference, bytes) in entries {
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
        statements.push(ProvenStatement {
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

    Ok(statements)
}

/// Officers' own keys that hubs of the file named.
fn officer_keys(
    entries: &[EntryOf<'_>],
    members: &BTreeMap<NodeId, Enrolment>,
) -> BTreeSet<(String, SshKey)> {
    let by_hubs = entries.iter().filter(|(line, reference, _)| {
        let author = members.get(&reference.log.node);
        line.role == EvidenceRole::Control && author.is_some_and(|a| a.role == Role::Hub)
    });
    let named = by_hubs.filter_map(|(_, _, bytes)| match Entry::read(bytes) {
        Ok(Reading::Entry(Entry {
            body: Body::OfficerKey(key),
            ..
        })) if !key.taken_back => Some((key.officer, key.key)),
        _ => None,
    });

    named.collect()
}

/// No entry builds on one that is not there.
fn check_complete(statements: &[ProvenStatement]) -> Result<(), EvidenceError> {
    let there: BTreeSet<Reference> = statements.iter().map(|s| s.reference).collect();
    for statement in statements {
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

    Ok(())
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
    if header.evidence != EVIDENCE_VERSION {
        return bad(
            "not_evidence",
            format!("{:?} is not {EVIDENCE_VERSION}", header.evidence),
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
    let mut out = Vec::new();
    let mut there = BTreeSet::new();
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
