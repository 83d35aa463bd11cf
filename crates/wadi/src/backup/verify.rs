//! `wadi backup verify`: a copy against its manifest, and every leaf, root and signature in it.

use super::{
    bar_of, copy_hashed,
    manifest::{BackupEngine, BackupManifest, agrees_with, heads, read_manifest},
    unwritable, violated,
};
use crate::{
    cli::audit::{AuditReport, check_database, check_dump},
    failure::{Exit, Failure},
    pki::read_store_key,
    print::{print_answer, time_text_s},
};
use serde_json::json;
use std::{
    fs::{self, File},
    path::Path,
};
use wadi_log::RootKey;
use wadi_store::{CopyReader, StoreError, StoreKey};

pub(super) async fn verify_backup(
    copy: &Path,
    root: &RootKey,
    papers: Option<&Path>,
    json: bool,
) -> Result<Exit, Failure> {
    let manifest = read_manifest(copy, root, None)?;
    hash_in_place(copy, &manifest, json)?;
    let report = match check_copy(copy, &manifest, root, None, json).await {
        Err(failure) if failure.code == StoreError::Encrypted.code() => {
            let key = papers.map(read_store_key).transpose()?.flatten();
            check_copy(copy, &manifest, root, key.as_ref(), json).await?
        }
        checked => checked?,
    };
    let value = json!({
        "valid": true,
        "node": manifest.name,
        "engine": manifest.engine,
        "made_s": manifest.made_s,
        "commits": manifest.commits,
        "records": manifest.records,
        "logs": report.logs,
        "entries": report.entries,
        "signatures": report.signatures,
    });

    print_answer(json, &value, |_| {
        format!(
            "VALID: {} as of {}, commit {}: {} records, {} entries of {} logs; every leaf, root \
             and signature is right.",
            manifest.name,
            time_text_s(manifest.made_s),
            manifest.commits,
            manifest.records,
            report.entries,
            report.logs
        )
    });

    Ok(Exit::Done)
}

/// Holds a copy's bytes against its manifest.
pub(super) fn check_bytes(
    manifest: &BackupManifest,
    bytes: u64,
    sha256: &str,
) -> Result<(), Failure> {
    if bytes < manifest.bytes {
        let why = format!(
            "the copy has {bytes} bytes of {}: it was cut off on its way",
            manifest.bytes
        );
        return Err(violated("copy_truncated", why));
    }

    if bytes != manifest.bytes || sha256 != manifest.sha256 {
        return Err(violated(
            "copy_changed",
            "the copy's bytes are not those that the node sealed",
        ));
    }

    Ok(())
}

pub(super) fn check_size(copy: &Path, manifest: &BackupManifest) -> Result<(), Failure> {
    let bytes = fs::metadata(copy).map_err(|e| unwritable(copy, e))?.len();
    if bytes == manifest.bytes {
        Ok(())
    } else {
        check_bytes(manifest, bytes, "")
    }
}

/// Holds what a copy says against its manifest, and every leaf, root and signature in it against
/// the rest.
pub(super) async fn check_copy(
    copy: &Path,
    manifest: &BackupManifest,
    root: &RootKey,
    key: Option<&StoreKey>,
    json: bool,
) -> Result<AuditReport, Failure> {
    let (agrees, report) = match manifest.engine {
        BackupEngine::Sqlite => {
            let mut reader = CopyReader::open(copy, key).await?;
            let facts = reader.facts().await?;
            let node = facts.node.map(|n| n.to_string());
            let agrees = node.as_ref() == Some(&manifest.node) && agrees_with(&facts, manifest);
            (agrees, check_database(reader.audit(), root, json).await?)
        }
        BackupEngine::Postgres => {
            let (report, logs) = check_dump(copy, key, root, json).await?;
            (
                heads(&logs) == manifest.logs && report.entries == manifest.entries,
                report,
            )
        }
    };

    if !agrees {
        return Err(violated(
            "copy_changed",
            "the copy does not hold what its manifest says",
        ));
    }

    match report.damage.first() {
        Some(first) => Err(violated(
            "entry_damaged",
            format!("the copy is damaged: {first}"),
        )),
        None => Ok(report),
    }
}

pub(super) fn hash_in_place(
    copy: &Path,
    manifest: &BackupManifest,
    json: bool,
) -> Result<(), Failure> {
    check_size(copy, manifest)?;
    let bar = bar_of(json, manifest.bytes);
    let file = File::open(copy).map_err(|e| unwritable(copy, e))?;
    let (bytes, sha256) =
        copy_hashed(file, std::io::sink(), &bar).map_err(|e| unwritable(copy, e))?;

    bar.finish_and_clear();
    check_bytes(manifest, bytes, &sha256)
}
