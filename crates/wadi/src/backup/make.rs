//! `wadi backup`: the copy is made and checked, sealed, and given its name.

use super::{
    bar_of, beside, copy_hashed,
    manifest::{BackupEngine, BackupManifest, MANIFEST_KIND, heads},
    now_s, sync_parent, unwritable, violated,
};
use crate::{
    cli::audit::{AuditReport, check_database, check_dump},
    config::Config,
    failure::{Exit, Failure},
    pki::Papers,
    print::{print_answer, utc_file_stamp},
};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use wadi_log::hex;
use wadi_store::{CopyFacts, CopyReader};
use wadi_sync::seal::{self};

pub(super) async fn make_backup(output: &Path, config: &Path, json: bool) -> Result<Exit, Failure> {
    let config = Config::read(config)?;
    let papers = Papers::read(&config.papers)?;
    papers.enrolment.verify(&papers.root)?;

    let made_s = now_s();
    let engine = if config.database.is_some() {
        BackupEngine::Postgres
    } else {
        BackupEngine::Sqlite
    };

    let ending = if engine == BackupEngine::Sqlite {
        "sqlite"
    } else {
        "pgdump"
    };

    let copy = match output.is_dir() {
        true => output.join(format!(
            "{}-{}.{ending}",
            papers.enrolment.name,
            utc_file_stamp(made_s)
        )),
        false => output.to_path_buf(),
    };

    let paths = BackupPaths::of(copy);
    paths.check_free()?;

    let made = match fill_copy(&config, &papers, engine, &paths.part, json).await {
        Ok((facts, report)) => {
            seal_copy(&papers, engine, made_s, &facts, &paths, json).map(|m| (m, report))
        }
        Err(failure) => Err(failure),
    };

    let (manifest, report) = made.inspect_err(|_| paths.remove_unfinished())?;
    let value = json!({
        "file": paths.copy.display().to_string(),
        "manifest": paths.manifest.display().to_string(),
        "node": manifest.name,
        "engine": manifest.engine,
        "made_s": manifest.made_s,
        "commits": manifest.commits,
        "records": manifest.records,
        "entries": manifest.entries,
        "logs": manifest.logs.len(),
        "signatures": report.signatures,
        "bytes": manifest.bytes,
        "sha256": manifest.sha256,
    });

    print_answer(json, &value, |_| {
        format!(
            "{} holds {} records and {} entries of {} logs, through commit {}: every leaf, root \
             and signature is right.\n\
             Its manifest is {}; keep the two together, and the node's papers somewhere else.",
            paths.copy.display(),
            manifest.records,
            manifest.entries,
            manifest.logs.len(),
            manifest.commits,
            paths.manifest.display()
        )
    });

    Ok(Exit::Done)
}

/// The files of a backup, finished and not.
struct BackupPaths {
    copy: PathBuf,
    manifest: PathBuf,
    part: PathBuf,
    manifest_part: PathBuf,
}

impl BackupPaths {
    fn of(copy: PathBuf) -> Self {
        let manifest = beside(&copy, "manifest");
        Self {
            part: beside(&copy, "part"),
            manifest_part: beside(&manifest, "part"),
            copy,
            manifest,
        }
    }

    /// Nothing is overwritten, and no other backup is being made here.
    fn check_free(&self) -> Result<(), Failure> {
        for path in [&self.copy, &self.manifest, &self.part, &self.manifest_part] {
            if path.symlink_metadata().is_err() {
                continue;
            }

            let being_made = [&self.part, &self.manifest_part].contains(&path);
            let more = if being_made {
                ": a backup is being made there, or one was cut off; then remove it"
            } else {
                ""
            };
            let why = format!(
                "{} exists, and nothing is overwritten{more}",
                path.display()
            );

            return Err(Failure::usage("backup_exists", why));
        }

        Ok(())
    }

    fn remove_unfinished(&self) {
        let journal = PathBuf::from(format!("{}-journal", self.part.display()));
        for left in [&self.part, &journal, &self.manifest_part] {
            let _ = fs::remove_file(left);
        }
    }
}

/// Seals a copy that was filled and checked, and gives both files their names: the manifest last.
fn seal_copy(
    papers: &Papers,
    engine: BackupEngine,
    made_s: i64,
    facts: &CopyFacts,
    paths: &BackupPaths,
    json: bool,
) -> Result<BackupManifest, Failure> {
    let part = &paths.part;
    let bytes = fs::metadata(part).map_err(|e| unwritable(part, e))?.len();
    let bar = bar_of(json, bytes);
    let file = File::open(part).map_err(|e| unwritable(part, e))?;
    let (bytes, sha256) =
        copy_hashed(file, std::io::sink(), &bar).map_err(|e| unwritable(part, e))?;
    bar.finish_and_clear();

    let manifest = BackupManifest {
        format: MANIFEST_KIND.format.into(),
        engine,
        node: papers.enrolment.node().to_string(),
        name: papers.enrolment.name.clone(),
        enrolment: hex(&papers.enrolment.to_bytes()),
        made_s,
        software: env!("CARGO_PKG_VERSION").into(),
        schema: facts.schema,
        commits: facts.commits,
        records: facts.records,
        entries: facts.entries,
        logs: heads(&facts.logs),
        bytes,
        sha256,
    };
    write_new(
        &paths.manifest_part,
        seal::write(&MANIFEST_KIND, &manifest, &papers.log_key).as_bytes(),
    )?;

    fs::rename(part, &paths.copy).map_err(|e| unwritable(&paths.copy, e))?;
    sync_parent(&paths.copy)?;
    fs::rename(&paths.manifest_part, &paths.manifest)
        .map_err(|e| unwritable(&paths.manifest, e))?;
    sync_parent(&paths.copy)?;

    Ok(manifest)
}

/// A file that must not be there yet, synced.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
    written.map_err(|e| unwritable(path, e))
}

/// Makes the copy and checks every entry of it: one that was rotten in the database is rotten in
/// it.
pub(super) async fn fill_copy(
    config: &Config,
    papers: &Papers,
    engine: BackupEngine,
    part: &Path,
    json: bool,
) -> Result<(CopyFacts, AuditReport), Failure> {
    write_new(part, &[])?;
    let (facts, report) = match &config.database {
        Some(url) => {
            let facts = wadi_store::dump_postgres(url, part).await?;
            let key = papers.store_key.as_ref();
            let (report, logs) = check_dump(part, key, &papers.root, json).await?;
            if logs != facts.logs || report.entries != facts.entries {
                return Err(violated(
                    "copy_changed",
                    "the copy does not hold what the database said that it holds",
                ));
            }

            (facts, report)
        }
        None => {
            let from = config.data.join("node.sqlite");
            if !from.exists() {
                let (code, why) = match config.data.join("node.sqlite.moved").exists() {
                    true => (
                        "database_moved",
                        "the records were moved to PostgreSQL: name it in the configuration".into(),
                    ),
                    false => (
                        "no_database",
                        format!("{} is not there: did the node ever run?", from.display()),
                    ),
                };

                return Err(Failure::usage(code, why));
            }

            wadi_store::copy_sqlite(&from, part).await?;
            let mut reader = CopyReader::open(part, papers.store_key.as_ref()).await?;
            let facts = reader.facts().await?;
            if facts.node != Some(papers.enrolment.node()) {
                return Err(Failure::usage(
                    "other_node",
                    "the database belongs to another node than the papers",
                ));
            }

            (
                facts,
                check_database(reader.audit(), &papers.root, json).await?,
            )
        }
    };

    if let Some(first) = report.damage.first() {
        let whose = if engine == BackupEngine::Sqlite {
            "the directory of the stopped node"
        } else {
            "the database"
        };

        return Err(violated(
            "entry_damaged",
            format!(
                "the database itself is damaged, and a copy of it would be: {first}. No backup is \
                 kept; copy {whose} as it is before it is mended"
            ),
        ));
    }

    Ok((facts, report))
}
