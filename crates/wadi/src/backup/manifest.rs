//! The manifest of a backup: what it holds, on one line of JSON under the seal of its node.

use super::{beside, violated};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};
use wadi_log::{Enrolment, LogId, NodeId, RootKey, Tip, unhex};
use wadi_store::{CopyFacts, StoreError, known_schema};
use wadi_sync::{
    BundleFileError,
    seal::{self, Seal, SealKind},
};

/// A manifest is a statement under its node's seal, as a bundle's is.
pub(super) const MANIFEST_KIND: SealKind = SealKind {
    name: "manifest",
    format: "wadi.backup/v1",
    unreadable: "manifest_tampered",
    version: "manifest_newer",
    changed: "manifest_tampered",
};
/// Bytes of a manifest at most: some 200 a log.
pub(super) const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// In which form the copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BackupEngine {
    /// A SQLite database.
    Sqlite,
    /// What `pg_dump` writes, in its custom format.
    Postgres,
}

/// What a backup holds, on one line of JSON under the node's seal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct BackupManifest {
    pub(super) format: String,
    pub(super) engine: BackupEngine,
    pub(super) node: String,
    pub(super) name: String,
    pub(super) enrolment: String,
    pub(super) made_s: i64,
    pub(super) software: String,
    pub(super) schema: i64,
    pub(super) commits: u64,
    pub(super) records: u64,
    pub(super) entries: u64,
    pub(super) logs: Vec<ManifestLog>,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A log in the copy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct ManifestLog {
    pub(super) log: String,
    pub(super) size: u64,
    pub(super) root: String,
}

pub(super) fn heads(logs: &[(LogId, Tip)]) -> Vec<ManifestLog> {
    let head = |(log, tip): &(LogId, Tip)| ManifestLog {
        log: log.origin(),
        size: tip.size,
        root: tip.root.to_string(),
    };
    logs.iter().map(head).collect()
}

/// Reads the manifest beside a copy and checks its seal. A backup of another node than the one
/// expected is told first.
pub(super) fn read_manifest(
    copy: &Path,
    root: &RootKey,
    expected: Option<NodeId>,
) -> Result<BackupManifest, Failure> {
    let path = beside(copy, "manifest");
    let missing = |path: &Path| {
        let why = format!(
            "{} is not there: the backup was cut off, or its files were parted",
            path.display()
        );
        Failure::usage("no_backup", why)
    };

    if !copy.is_file() {
        return Err(missing(copy));
    }

    let about = fs::metadata(&path).map_err(|_| missing(&path))?;
    let tampered =
        |why: String| violated("manifest_tampered", format!("{}: {why}", path.display()));
    if about.len() > MANIFEST_BYTES_MAX {
        return Err(tampered("it is larger than a manifest can be".into()));
    }

    let judged = |e: BundleFileError| match e.code == MANIFEST_KIND.version {
        true => Failure::new(e.code, e.why),
        false => tampered(e.why),
    };
    let text = fs::read_to_string(&path).map_err(|e| tampered(e.to_string()))?;
    let line = text
        .strip_suffix('\n')
        .ok_or_else(|| tampered("it is cut short".into()))?;

    let (manifest, seal): (BackupManifest, Seal) =
        seal::read(&MANIFEST_KIND, line).map_err(judged)?;
    if let Some(node) = expected.filter(|n| n.to_string() != manifest.node) {
        let why = format!(
            "this is a backup of {} ({}), not of this node ({node})",
            manifest.name, manifest.node
        );
        return Err(Failure::usage("other_node", why));
    }

    let enrolment = unhex(&manifest.enrolment).and_then(|bytes| Enrolment::from_bytes(&bytes).ok());
    let enrolment = enrolment.ok_or_else(|| tampered("its enrolment does not read".into()))?;
    enrolment.verify(root).map_err(|_| {
        violated(
            "not_enrolled",
            format!(
                "{} is not enrolled under this root: the seal proves nothing",
                manifest.name
            ),
        )
    })?;

    if enrolment.node().to_string() != manifest.node {
        return Err(tampered("its enrolment is another node's".into()));
    }

    seal.verify(&enrolment).map_err(judged)?;
    let (found, known) = (
        manifest.schema,
        known_schema(manifest.engine == BackupEngine::Postgres),
    );

    if found > known {
        Err(StoreError::NewerSchema { found, known }.into())
    } else {
        Ok(manifest)
    }
}

pub(super) fn agrees_with(facts: &CopyFacts, manifest: &BackupManifest) -> bool {
    (facts.schema, facts.commits, facts.records, facts.entries)
        == (
            manifest.schema,
            manifest.commits,
            manifest.records,
            manifest.entries,
        )
        && heads(&facts.logs) == manifest.logs
}
