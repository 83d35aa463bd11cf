//! What a hub's country log shows of evidence: proofs written down beside the file, and held
//! against a policy of the reader's own.

use crate::{
    cli::client::Client,
    failure::{Exit, Failure},
    output,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};
use wadi_country::{
    CountryError, POLICY_BYTES_MAX, PROOF_BYTES_MAX, ProvenHead, TlogPolicy, TlogProof,
};
use wadi_log::{Evidence, Hash, LogId};

/// Proofs that are read of one directory at most: a record stands in few logs.
const PROOFS_MAX: usize = 1_000;
/// Entries without a proof that are told.
const TOLD_MAX: usize = 8;

/// Where the proofs of an evidence file lie.
pub(super) fn proofs_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_os_string();
    name.push(".proofs");
    name.into()
}

/// Writes the proofs of a record beside its evidence. How many, and the entries that the country
/// log does not list yet.
pub(super) fn write_proofs(
    client: &Client,
    record: &str,
    file: &Path,
    force: bool,
) -> Result<Value, Failure> {
    let answer = client.get(&format!("/v1/records/{record}/country"))?;
    let proofs = answer["proofs"].as_array().cloned().unwrap_or_default();
    let not_listed = answer["not_listed"].as_array().map_or(0, Vec::len);
    if proofs.is_empty() {
        return Err(Failure::new(
            "not_in_country_log",
            "the node that was asked has no country log that lists this record yet; ask a hub, or \
             again in an hour",
        ));
    }

    let dir = proofs_of(file);
    std::fs::create_dir_all(&dir)?;
    for (n, proof) in proofs.iter().enumerate() {
        let path = dir.join(format!("{n}.tlog-proof"));
        output::check_free(&path, force)?;
        output::write(&path, proof.as_str().unwrap_or_default().as_bytes())?;
    }

    Ok(json!({
        "directory": dir.display().to_string(),
        "proofs": proofs.len(),
        "not_listed": not_listed,
    }))
}

/// What the proofs came to.
pub(super) struct WatchedEvidence {
    /// Proofs that the policy accepts.
    pub(super) proofs: usize,
    /// The witnesses that cosigned each of them, by their names in the policy.
    pub(super) cosigned: BTreeSet<String>,
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage("unreadable", format!("{}: {error}", path.display()))
}

fn read_bounded(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let length = std::fs::metadata(path)
        .map_err(|e| unreadable(path, &e))?
        .len();
    if length > most as u64 {
        let why = format!("{} has more than {most} bytes", path.display());
        return Err(Failure::usage("too_large", why));
    }
    std::fs::read(path).map_err(|e| unreadable(path, &e))
}

/// The reader's policy.
pub(super) fn read_policy(path: &Path) -> Result<TlogPolicy, Failure> {
    let bytes = read_bounded(path, POLICY_BYTES_MAX)?;
    let bad =
        |error: CountryError| Failure::usage("bad_policy", format!("{}: {error}", path.display()));
    TlogPolicy::parse(&bytes).map_err(bad)
}

fn proof_files(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
        let path = entry.map_err(|e| unreadable(dir, &e))?.path();
        if path
            .extension()
            .is_some_and(|ending| ending == "tlog-proof")
        {
            files.push(path);
        }
    }

    files.sort();
    files.truncate(PROOFS_MAX);
    Ok(files)
}

/// Holds evidence against a policy: each of its statements must lie below a head that a country log
/// listed, in a checkpoint that the policy accepts. The error is what is wrong with them.
pub(super) fn check_watched(
    evidence: &Evidence,
    policy: &TlogPolicy,
    dir: &Path,
) -> Result<Result<WatchedEvidence, (&'static str, String)>, Failure> {
    let mut proven: BTreeSet<(LogId, u64, Hash)> = BTreeSet::new();
    let mut watched = WatchedEvidence {
        proofs: 0,
        cosigned: BTreeSet::new(),
    };
    for path in proof_files(dir)? {
        let bytes = read_bounded(&path, PROOF_BYTES_MAX)?;
        match check_proof(&bytes, policy) {
            Ok((entries, cosigned)) => {
                proven.extend(entries);
                watched.cosigned = match watched.proofs {
                    0 => cosigned,
                    _ => &watched.cosigned & &cosigned,
                };
                watched.proofs += 1;
            }
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                return Ok(Err((error.code(), why)));
            }
        }
    }

    let without: Vec<String> = evidence
        .statements
        .iter()
        .map(|statement| statement.reference)
        .filter(|r| !proven.contains(&(r.log, r.seq, r.leaf)))
        .map(|reference| reference.to_string())
        .collect();
    if without.is_empty() {
        return Ok(Ok(watched));
    }

    let told: Vec<&str> = without.iter().take(TOLD_MAX).map(String::as_str).collect();
    let why = format!(
        "{} of {} entries are shown by no proof in {}: {}",
        without.len(),
        evidence.statements.len(),
        dir.display(),
        told.join(", ")
    );
    Ok(Err(("not_in_country_log", why)))
}

type ProofShows = (Vec<(LogId, u64, Hash)>, BTreeSet<String>);

/// What one proof shows, and which witnesses cosigned it.
fn check_proof(bytes: &[u8], policy: &TlogPolicy) -> Result<ProofShows, CountryError> {
    let proof = TlogProof::parse(&String::from_utf8_lossy(bytes))?;
    let signed = proof.signed_head()?;
    let accepted = policy.accept(&signed, &[])?;
    let named = ProvenHead::parse(&proof.extra)?;
    proof.check(named.leaf.as_bytes(), &signed.head)?;
    let listed = named.check()?;

    let entries = named.entries.iter().map(|e| (listed.log, e.seq, e.leaf));
    Ok((entries.collect(), accepted.cosigned.into_iter().collect()))
}

/// What is printed of evidence that a policy does not accept.
pub(super) fn refused(json: bool, code: &str, why: &str) -> Exit {
    let value = json!({"valid": false, "code": code, "why": why});
    crate::print::print_answer(json, &value, |_| format!("NOT VALID: {why} [{code}]"));
    Exit::Integrity
}
