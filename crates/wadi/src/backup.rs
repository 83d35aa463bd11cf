//! `wadi backup` and `wadi restore`: a copy of a node's database under the node's seal, and back in
//! its place.
//!
//! A backup is two files: the copy, and the manifest that says what it holds. The manifest gets its
//! name last, so that what was cut off has none and is no backup. Neither keys nor the anchor are
//! in it: keys would sign for whoever finds the copy, and an anchor that goes back with its
//! database hides what is missing (docs/backup.md).

use crate::{
    audit::{Report, check, check_dump, root_key},
    commands::{tell, time},
    config::Config,
    daemon::lock,
    failure::{Exit, Failure},
    pki::Papers,
};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use wadi_log::{Enrolment, LogId, NodeId, RootKey, SignedCheckpoint, Tip, hex, unhex};
use wadi_store::{AnchorFile, COMING, CopyFacts, CopyReader, StoreError, known_schema};
use wadi_sync::{
    BundleError,
    seal::{self, Kind, Seal},
};

/// A manifest is a statement under its node's seal, as a bundle's is.
const KIND: Kind = Kind {
    name: "manifest",
    format: "wadi.backup/v1",
    unreadable: "manifest_tampered",
    version: "manifest_newer",
    changed: "manifest_tampered",
};
/// Bytes of a manifest at most: some 200 a log.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// The file to write, or a directory in which a file gets the node's name and the time. Nothing
    /// is overwritten.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The node's configuration.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
}

#[derive(Subcommand)]
pub enum BackupCommand {
    /// Checks a backup: its seal, its bytes, and every leaf, root and signature in it.
    Verify {
        /// The copy; its manifest lies beside it.
        file: PathBuf,
        /// The commission's root: a file with its public key; else that of the configuration's
        /// papers.
        #[arg(long)]
        root: Option<PathBuf>,
        /// The configuration whose papers name the root.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
}

#[derive(Args)]
pub struct RestoreArgs {
    /// The copy; its manifest lies beside it.
    file: PathBuf,
    /// The node's configuration.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// Restore although the present database can be read and has come further than the backup.
    #[arg(long)]
    force_older: bool,
}

/// In which form the copy is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Engine {
    /// A SQLite database.
    Sqlite,
    /// What `pg_dump` writes, in its custom format.
    Postgres,
}

/// What a backup holds, on one line of JSON under the node's seal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    engine: Engine,
    node: String,
    name: String,
    enrolment: String,
    made_s: i64,
    software: String,
    schema: i64,
    commits: u64,
    records: u64,
    entries: u64,
    logs: Vec<Head>,
    bytes: u64,
    sha256: String,
}

/// A log in the copy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Head {
    log: String,
    size: u64,
    root: String,
}

fn heads(logs: &[(LogId, Tip)]) -> Vec<Head> {
    let head = |(log, tip): &(LogId, Tip)| Head {
        log: log.origin(),
        size: tip.size,
        root: tip.root.to_string(),
    };
    logs.iter().map(head).collect()
}

fn violated(code: &str, why: impl Into<String>) -> Failure {
    Failure {
        exit: Exit::Integrity,
        ..Failure::new(code, why)
    }
}

fn unwritable(path: &Path, e: std::io::Error) -> Failure {
    let code = match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "disk_full",
        _ => "unwritable",
    };
    Failure::new(code, format!("{}: {e}", path.display()))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

fn sync_parent(path: &Path) -> Result<(), Failure> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));

    File::open(parent)
        .and_then(|d| d.sync_all())
        .map_err(|e| unwritable(parent, e))
}

fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

/// A time that stands in a file's name.
fn stamp(time_s: i64) -> String {
    jiff::Timestamp::from_second(time_s).map_or_else(
        |_| time_s.to_string(),
        |t| t.strftime("%Y%m%dT%H%M%SZ").to_string(),
    )
}

fn bar_of(json: bool, bytes: u64) -> ProgressBar {
    let bar = if json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(bytes)
    };

    bar.set_style(
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {eta} left")
            .expect("a fixed template"),
    );
    bar
}

/// Copies to the end; how many bytes there were, and their SHA-256.
fn copy_hashed(
    mut from: impl Read,
    mut to: impl Write,
    bar: &ProgressBar,
) -> std::io::Result<(u64, String)> {
    let (mut digest, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex(&digest.finalize()))),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };

        digest.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        bytes += n as u64;
        bar.inc(n as u64);
    }
}

pub async fn run(args: BackupArgs, json: bool) -> Result<Exit, Failure> {
    match (args.command, args.output) {
        (Some(BackupCommand::Verify { file, root, config }), _) => {
            let root = match root {
                Some(path) => path,
                None => Config::read(&config)
                    .map(|c| c.papers.join("root.pub"))
                    .map_err(|_| {
                        Failure::usage(
                            "no_root",
                            "name the commission's root with --root FILE (root.pub of any papers)",
                        )
                    })?,
            };

            verify(&copy_of(&file), &root_key(&root)?, json).await
        }
        (None, Some(output)) => make(&output, &args.config, json).await,
        (None, None) => Err(Failure::usage(
            "no_output",
            "name a file or a directory for the backup with -o",
        )),
    }
}

async fn make(output: &Path, config: &Path, json: bool) -> Result<Exit, Failure> {
    let config = Config::read(config)?;
    let papers = Papers::read(&config.papers)?;
    papers.enrolment.verify(&papers.root)?;

    let made_s = now_s();
    let engine = if config.database.is_some() {
        Engine::Postgres
    } else {
        Engine::Sqlite
    };

    let ending = if engine == Engine::Sqlite {
        "sqlite"
    } else {
        "pgdump"
    };

    let copy = match output.is_dir() {
        true => output.join(format!(
            "{}-{}.{ending}",
            papers.enrolment.name,
            stamp(made_s)
        )),
        false => output.to_path_buf(),
    };

    let (part, manifest_path) = (beside(&copy, "part"), beside(&copy, "manifest"));
    let manifest_part = beside(&manifest_path, "part");
    for path in [&copy, &manifest_path, &part, &manifest_part] {
        if path.symlink_metadata().is_ok() {
            let being_made = [&part, &manifest_part].contains(&path);
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
    }

    let made = fill(&config, &papers, engine, &part, json)
        .await
        .and_then(|(facts, report)| {
            let bytes = fs::metadata(&part).map_err(|e| unwritable(&part, e))?.len();
            let bar = bar_of(json, bytes);
            let file = File::open(&part).map_err(|e| unwritable(&part, e))?;
            let (bytes, sha256) =
                copy_hashed(file, std::io::sink(), &bar).map_err(|e| unwritable(&part, e))?;

            bar.finish_and_clear();
            let manifest = Manifest {
                format: KIND.format.into(),
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
                &manifest_part,
                seal::write(&KIND, &manifest, &papers.log_key).as_bytes(),
            )?;
            fs::rename(&part, &copy).map_err(|e| unwritable(&copy, e))?;
            sync_parent(&copy)?;
            fs::rename(&manifest_part, &manifest_path)
                .map_err(|e| unwritable(&manifest_path, e))?;
            sync_parent(&copy)?;

            Ok((manifest, report))
        });

    let (manifest, report) = made.inspect_err(|_| {
        let journal = PathBuf::from(format!("{}-journal", part.display()));
        for left in [&part, &journal, &manifest_part] {
            let _ = fs::remove_file(left);
        }
    })?;

    let value = json!({
        "file": copy.display().to_string(), "manifest": manifest_path.display().to_string(), "node": manifest.name, "engine": manifest.engine,
        "made_s": manifest.made_s, "commits": manifest.commits, "records": manifest.records,
        "entries": manifest.entries, "logs": manifest.logs.len(), "signatures": report.signatures,
        "bytes": manifest.bytes, "sha256": manifest.sha256,
    });

    tell(json, &value, |_| {
        format!(
            "{} holds {} records and {} entries of {} logs, through commit {}: every leaf, root and signature is right.\n\
             Its manifest is {}; keep the two together, and the node's papers somewhere else.",
            copy.display(),
            manifest.records,
            manifest.entries,
            manifest.logs.len(),
            manifest.commits,
            manifest_path.display()
        )
    });

    Ok(Exit::Done)
}

/// A file that must not be there yet, synced.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut f| f.write_all(bytes).and_then(|()| f.sync_all()));
    written.map_err(|e| unwritable(path, e))
}

/// Makes the copy and checks every entry of it: one that was rotten in the database is rotten in
/// it.
async fn fill(
    config: &Config,
    papers: &Papers,
    engine: Engine,
    part: &Path,
    json: bool,
) -> Result<(CopyFacts, Report), Failure> {
    write_new(part, &[])?;
    let (facts, report) = match &config.database {
        Some(url) => {
            let facts = wadi_store::dump_postgres(url, part).await?;
            let (report, logs) = check_dump(part, &papers.root, json).await?;
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
            let mut reader = CopyReader::open(part).await?;
            let facts = reader.facts().await?;
            if facts.node != Some(papers.enrolment.node()) {
                return Err(Failure::usage(
                    "other_node",
                    "the database belongs to another node than the papers",
                ));
            }

            (facts, check(reader.audit(), &papers.root, json).await?)
        }
    };

    if let Some(first) = report.damage.first() {
        let whose = if engine == Engine::Sqlite {
            "the directory of the stopped node"
        } else {
            "the database"
        };

        return Err(violated(
            "entry_damaged",
            format!(
                "the database itself is damaged, and a copy of it would be: {first}. No backup is kept; copy {whose} as it is before it is mended"
            ),
        ));
    }

    Ok((facts, report))
}

/// The copy of which somebody named the copy or the manifest.
fn copy_of(file: &Path) -> PathBuf {
    match file.extension() {
        Some(ending) if ending == "manifest" => file.with_extension(""),
        _ => file.to_path_buf(),
    }
}

/// Reads the manifest beside a copy and checks its seal. A backup of another node than the one
/// expected is told first.
fn read_manifest(
    copy: &Path,
    root: &RootKey,
    expected: Option<NodeId>,
) -> Result<Manifest, Failure> {
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

    let judged = |e: BundleError| match e.code == KIND.version {
        true => Failure::new(e.code, e.why),
        false => tampered(e.why),
    };
    let text = fs::read_to_string(&path).map_err(|e| tampered(e.to_string()))?;
    let line = text
        .strip_suffix('\n')
        .ok_or_else(|| tampered("it is cut short".into()))?;

    let (manifest, seal): (Manifest, Seal) = seal::read(&KIND, line).map_err(judged)?;
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
        known_schema(manifest.engine == Engine::Postgres),
    );

    if found > known {
        Err(StoreError::NewerSchema { found, known }.into())
    } else {
        Ok(manifest)
    }
}

/// Holds a copy's bytes against its manifest.
fn check_bytes(manifest: &Manifest, bytes: u64, sha256: &str) -> Result<(), Failure> {
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

fn check_size(copy: &Path, manifest: &Manifest) -> Result<(), Failure> {
    let bytes = fs::metadata(copy).map_err(|e| unwritable(copy, e))?.len();
    if bytes == manifest.bytes {
        Ok(())
    } else {
        check_bytes(manifest, bytes, "")
    }
}

/// Holds what a copy says against its manifest, and every leaf, root and signature in it against
/// the rest.
async fn check_copy(
    copy: &Path,
    manifest: &Manifest,
    root: &RootKey,
    json: bool,
) -> Result<Report, Failure> {
    let (agrees, report) = match manifest.engine {
        Engine::Sqlite => {
            let mut reader = CopyReader::open(copy).await?;
            let facts = reader.facts().await?;
            let node = facts.node.map(|n| n.to_string());
            let agrees = node.as_ref() == Some(&manifest.node) && says(&facts, manifest);
            (agrees, check(reader.audit(), root, json).await?)
        }
        Engine::Postgres => {
            let (report, logs) = check_dump(copy, root, json).await?;
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

fn says(facts: &CopyFacts, manifest: &Manifest) -> bool {
    (facts.schema, facts.commits, facts.records, facts.entries)
        == (
            manifest.schema,
            manifest.commits,
            manifest.records,
            manifest.entries,
        )
        && heads(&facts.logs) == manifest.logs
}

async fn verify(copy: &Path, root: &RootKey, json: bool) -> Result<Exit, Failure> {
    let manifest = read_manifest(copy, root, None)?;
    hash_in_place(copy, &manifest, json)?;
    let report = check_copy(copy, &manifest, root, json).await?;
    let value = json!({
        "valid": true, "node": manifest.name, "engine": manifest.engine, "made_s": manifest.made_s,
        "commits": manifest.commits, "records": manifest.records, "logs": report.logs, "entries": report.entries,
        "signatures": report.signatures,
    });

    tell(json, &value, |_| {
        format!(
            "VALID: {} as of {}, commit {}: {} records, {} entries of {} logs; every leaf, root and signature is right.",
            manifest.name,
            time(manifest.made_s.saturating_mul(1_000)),
            manifest.commits,
            manifest.records,
            report.entries,
            report.logs
        )
    });

    Ok(Exit::Done)
}

fn hash_in_place(copy: &Path, manifest: &Manifest, json: bool) -> Result<(), Failure> {
    check_size(copy, manifest)?;
    let bar = bar_of(json, manifest.bytes);
    let file = File::open(copy).map_err(|e| unwritable(copy, e))?;
    let (bytes, sha256) =
        copy_hashed(file, std::io::sink(), &bar).map_err(|e| unwritable(copy, e))?;

    bar.finish_and_clear();
    check_bytes(manifest, bytes, &sha256)
}

pub async fn restore(args: RestoreArgs, json: bool) -> Result<Exit, Failure> {
    let config = Config::read(&args.config)?;
    let papers = Papers::read(&config.papers)?;
    papers.enrolment.verify(&papers.root)?;

    let copy = copy_of(&args.file);
    let manifest = read_manifest(&copy, &papers.root, Some(papers.enrolment.node()))?;
    wadi_store::private::create_dir_all(&config.data).map_err(|e| unwritable(&config.data, e))?;

    // Held until this is done: a node that starts meanwhile would write into a database that is
    // being taken away.
    let _lock = lock(&config)?;
    let anchored = AnchorFile::read(&config.data.join("anchor"))?.map(|a| a.commits);
    let done = match (&config.database, manifest.engine) {
        (None, Engine::Sqlite) => {
            restore_file(&copy, &manifest, &config, &papers, args.force_older, json).await?
        }
        (Some(url), Engine::Postgres) => {
            hash_in_place(&copy, &manifest, json)?;
            check_copy(&copy, &manifest, &papers.root, json).await?;
            let facts = wadi_store::fill_postgres(url, &copy).await?;
            if !says(&facts, &manifest) {
                let why = "the database does not hold what the manifest says: drop it, and restore into another one";
                return Err(violated("copy_changed", why));
            }

            Done::default()
        }
        (None, Engine::Postgres) => {
            let why = "this is a copy of a database on PostgreSQL: name an empty one with database = \"postgres://…\"";
            return Err(Failure::usage("other_engine", why));
        }
        (Some(_), Engine::Sqlite) => {
            let why = "this is a copy of a database in a file: take `database` out of the configuration to restore it; \
                       `wadi node move-store` takes it to PostgreSQL after that";
            return Err(Failure::usage("other_engine", why));
        }
    };

    let (stands, lines) = what_comes_next(&manifest, anchored, &config, &done);
    let value = json!({
        "restored": copy.display().to_string(), "node": manifest.name, "made_s": manifest.made_s, "commits": manifest.commits,
        "records": manifest.records, "entries": manifest.entries, "anchor": stands, "anchored": anchored,
        "missing_commits": anchored.map(|a| a.saturating_sub(manifest.commits)), "kept": done.kept.as_ref().map(|kept| kept.display().to_string()),
        "only_in_kept": done.only_in_kept, "next": lines,
    });

    tell(json, &value, |_| {
        let lines = lines
            .iter()
            .map(|l| format!("- {l}"))
            .collect::<Vec<_>>()
            .join("\n");

        let made = time(manifest.made_s.saturating_mul(1_000));
        format!(
            "{} is restored as of {made}, commit {}. What comes next:\n{lines}",
            manifest.name, manifest.commits
        )
    });

    Ok(Exit::Done)
}

/// What became of the database that was there.
#[derive(Default)]
struct Done {
    /// Where it is kept.
    kept: Option<PathBuf>,
    /// This node's entries that are in it, and neither in the copy nor, as far as it knows, at any
    /// other node.
    only_in_kept: Option<u64>,
}

async fn restore_file(
    copy: &Path,
    manifest: &Manifest,
    config: &Config,
    papers: &Papers,
    force_older: bool,
    json: bool,
) -> Result<Done, Failure> {
    let (data, coming) = (&config.data, config.data.join(COMING));
    if !data.join("node.sqlite").exists() && data.join("node.sqlite.moved").exists() {
        let why = "the records were moved to PostgreSQL: name it in the configuration, or put node.sqlite.moved away";
        return Err(Failure::usage("database_moved", why));
    }

    // What an attempt before this one left of its copy; the lock says that none is under way.
    if let Err(e) = fs::remove_file(&coming)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(unwritable(&coming, e));
    }

    let ready = make_ready(copy, &coming, manifest, config, papers, force_older, json).await;
    let only_in_kept = ready.inspect_err(|_| drop(fs::remove_file(&coming)))?;
    let kept = wadi_store::put_in_place(data, &stamp(now_s()))?;

    Ok(Done { kept, only_in_kept })
}

/// Brings the copy into the node's directory and checks there what will be the node's: nothing can
/// change it in between.
async fn make_ready(
    copy: &Path,
    coming: &Path,
    manifest: &Manifest,
    config: &Config,
    papers: &Papers,
    force_older: bool,
    json: bool,
) -> Result<Option<u64>, Failure> {
    check_size(copy, manifest)?;
    let bar = bar_of(json, manifest.bytes);
    let from = File::open(copy).map_err(|e| unwritable(copy, e))?;
    let mut options = OpenOptions::new();
    let to = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(coming)
        .map_err(|e| unwritable(coming, e))?;

    let (bytes, sha256) = copy_hashed(from, &to, &bar).map_err(|e| unwritable(coming, e))?;
    bar.finish_and_clear();
    to.sync_all().map_err(|e| unwritable(coming, e))?;
    check_bytes(manifest, bytes, &sha256)?;
    check_copy(coming, manifest, &papers.root, json).await?;

    // The node has to be able to write to it.
    let about = |path: &Path| fs::metadata(path).map_err(|e| unwritable(path, e));
    if about(coming)?.uid() != about(&config.data)?.uid() {
        let why = format!(
            "run it as the user who owns {}: the node could not write to the copy",
            config.data.display()
        );
        return Err(Failure::usage("wrong_user", why));
    }

    let present = config.data.join("node.sqlite");
    if !present.exists() || wadi_store::restore_unfinished(&config.data) {
        return Ok(None);
    }

    // One that cannot be read is what backups are for.
    let Ok((commits, only_there)) =
        present_state(&present, papers.enrolment.node(), manifest).await
    else {
        return Ok(None);
    };

    if commits > manifest.commits && !force_older {
        let alone = match only_there {
            0 => String::new(),
            n => format!(
                ", and {n} entries of this node are in it and, as far as it knows, at no other node"
            ),
        };

        let why = format!(
            "the present database can be read and is {} commits further than the backup{alone}. To restore all the same, \
             add --force-older; the present one is kept either way",
            commits - manifest.commits
        );

        return Err(Failure::usage("backup_older", why));
    }

    Ok(Some(only_there))
}

/// How far the present database has come, and how many of this node's entries would be left in it
/// alone.
async fn present_state(
    path: &Path,
    me: NodeId,
    manifest: &Manifest,
) -> Result<(u64, u64), Failure> {
    let mut reader = CopyReader::open(path).await?;
    let facts = reader.facts().await?;
    let mut elsewhere: HashMap<LogId, u64> = manifest
        .logs
        .iter()
        .filter_map(|h| Some((LogId::from_origin(&h.log).ok()?, h.size)))
        .collect();

    let mut page = reader.audit().cosignatures(None).await?;
    while !page.is_empty() {
        for c in page.iter().filter(|c| c.witness != me.0) {
            let head = SignedCheckpoint::from_bytes(&c.checkpoint)?.checkpoint;
            let size = elsewhere.entry(head.log).or_default();
            *size = (*size).max(head.size);
        }
        page = reader.audit().cosignatures(page.last()).await?;
    }

    let left = |(log, tip): &(LogId, Tip)| {
        tip.size
            .saturating_sub(elsewhere.get(log).copied().unwrap_or(0))
    };
    let only_there: u64 = facts
        .logs
        .iter()
        .filter(|(log, _)| log.node == me)
        .map(left)
        .sum();

    Ok((facts.commits, only_there))
}

/// How the anchor stands to the copy, and what the node and its people have to expect.
fn what_comes_next(
    manifest: &Manifest,
    anchored: Option<u64>,
    config: &Config,
    done: &Done,
) -> (&'static str, Vec<String>) {
    let made = time(manifest.made_s.saturating_mul(1_000));
    let names: Vec<&str> = config.peer.iter().map(|p| p.name.as_str()).collect();
    let peers = if names.is_empty() {
        "the peers that dial it".to_string()
    } else {
        names.join(", ")
    };

    let at_once = "It can be written to at once: what it writes goes into logs of a new epoch, which continue nothing and fork nothing.";
    let kept = done
        .kept
        .as_ref()
        .map(|k| format!("The database that was there is kept as {}", k.display()));
    let mut lines = Vec::new();
    let stands = match anchored {
        Some(anchored) if anchored > manifest.commits => {
            lines.push(format!(
                "The anchor knows of {anchored} commits, the copy holds {}: it lacks {} that were acknowledged.",
                manifest.commits,
                anchored - manifest.commits
            ));

            lines.push(format!(
                "Start the node. It finds the database behind its anchor, raises the alarm that `wadi status` shows, and \
                 fetches its own entries back from {peers} as soon as it reaches them."
            ));
            lines.push(at_once.into());
            lines.push(
                "The alarm ends when everything that the anchor vouches for is held again.".into(),
            );

            "behind"
        }
        Some(_) => {
            lines.push(
                "The anchor agrees with the copy: nothing that was acknowledged is missing.".into(),
            );
            lines.push("Start the node. What it lacks of its peers, it fetches as after any time in the dark.".into());
            "agrees"
        }
        None => {
            lines.push(
                "There is no anchor here that can be read: nobody can tell whether the copy holds all that was acknowledged."
                    .into(),
            );
            lines.push(match config.database {
                None => format!(
                    "Start the node. It raises that as an alarm, fetches its own entries back from {peers}, and makes a new \
                     anchor with its first commit; the alarm ends with the start after that."
                ),
                Some(_) => format!(
                    "Start the hub. It makes a new anchor without an alarm, as a standby does at its first start, and \
                     fetches its own entries back from {peers}."
                ),
            });

            lines.push(at_once.into());
            lines.push(format!(
                "What was written after {made} and had reached no peer is lost with the old disk."
            ));

            "missing"
        }
    };

    lines.extend(kept.map(|kept| match done.only_in_kept {
        Some(0) => {
            format!("{kept}; every entry of this node in it is in the copy or at another node.")
        }
        Some(n) => format!(
            "{kept}: {n} entries of this node are in it alone, as far as it knows. \
             Do not delete it: docs/operating.md says how the node takes them back."
        ),
        None => {
            format!("{kept}. It could not be read to its end: keep it until the alarm has ended.")
        }
    }));

    lines.push(format!(
        "Tokens are as they were at {made}: those revoked since are valid again and those issued since are unknown; look \
         at `wadi token list`. Keys of requests and imports and the counters of devices since then are forgotten: who \
         repeats a request from that time writes twice."
    ));

    (stands, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{LogKey, Role, Scope};

    fn enrolled(root: &LogKey, key: &LogKey) -> Enrolment {
        let crossing = "TRB".parse().unwrap();
        Enrolment {
            name: "trb".into(),
            role: Role::Crossing,
            crossing: Some(crossing),
            log_key: key.public(),
            tls_key: [0; 32],
            scope: Scope::of_crossing(crossing),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        }
        .issue(root)
        .unwrap()
    }

    fn manifest(enrolment: &Enrolment) -> Manifest {
        Manifest {
            format: KIND.format.into(),
            engine: Engine::Sqlite,
            node: enrolment.node().to_string(),
            name: enrolment.name.clone(),
            enrolment: hex(&enrolment.to_bytes()),
            made_s: 1_767_225_600,
            software: "0".into(),
            schema: known_schema(false),
            commits: 7,
            records: 2,
            entries: 3,
            logs: vec![],
            bytes: 4,
            sha256: hex(&Sha256::digest(b"copy")),
        }
    }

    #[test]
    fn a_manifest_is_read_as_its_node_sealed_it_and_in_no_other_way() {
        let (root, key, other) = (
            LogKey::from_seed(&[1; 32]),
            LogKey::from_seed(&[2; 32]),
            LogKey::from_seed(&[3; 32]),
        );

        let enrolment = enrolled(&root, &key);
        let good = manifest(&enrolment);
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("a.sqlite");
        let root = RootKey(root.public());
        let read = |expected: Option<NodeId>| read_manifest(&copy, &root, expected);
        let code = |read: Result<Manifest, Failure>| read.unwrap_err().code;
        assert_eq!(code(read(None)), "no_backup");

        fs::write(&copy, "copy").unwrap();
        assert_eq!(code(read(None)), "no_backup");

        let path = beside(&copy, "manifest");
        let write = |text: &str| fs::write(&path, text).unwrap();
        let sealed = seal::write(&KIND, &good, &key);
        write(&sealed);
        assert_eq!(read(None).unwrap(), good);
        assert_eq!(read(Some(key.node())).unwrap(), good);
        assert_eq!(code(read(Some(other.node()))), "other_node");
        assert_eq!(
            code(read_manifest(&copy, &RootKey(other.public()), None)),
            "not_enrolled"
        );

        for text in [
            sealed.replace("\"commits\":7", "\"commits\":8"),
            sealed.replace("\"made_s\":1767225600", "\"made_s\":1767225601"),
            sealed.chars().take(sealed.len() - 40).collect::<String>(),
            seal::write(&KIND, &good, &other),
            seal::write(
                &KIND,
                &Manifest {
                    enrolment: String::new(),
                    ..good.clone()
                },
                &key,
            ),
            "{}\n{}\n".into(),
            String::new(),
        ] {
            write(&text);
            assert_eq!(code(read(None)), "manifest_tampered", "{text}");
        }

        write(&seal::write(
            &KIND,
            &Manifest {
                format: "wadi.backup/v2".into(),
                ..good.clone()
            },
            &key,
        ));

        assert_eq!(code(read(None)), "manifest_newer");

        write(&seal::write(
            &KIND,
            &Manifest {
                schema: known_schema(false) + 1,
                ..good.clone()
            },
            &key,
        ));

        assert_eq!(code(read(None)), "database_newer");
        assert_eq!(copy_of(&path), copy);
    }

    #[test]
    fn bytes_that_are_missing_and_bytes_that_changed_are_told_apart() {
        let (root, key) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let manifest = manifest(&enrolled(&root, &key));
        let bar = ProgressBar::hidden();
        let check = |bytes: &[u8]| {
            let (n, sha256) = copy_hashed(bytes, std::io::sink(), &bar).unwrap();
            check_bytes(&manifest, n, &sha256).map_err(|f| f.code)
        };
        assert_eq!(check(b"copy"), Ok(()));
        assert_eq!(check(b"cop"), Err("copy_truncated".into()));
        assert_eq!(check(b"cope"), Err("copy_changed".into()));
        assert_eq!(check(b"copy\0"), Err("copy_changed".into()));
    }

    #[test]
    fn what_comes_next_is_told_by_the_anchor() {
        let (root, key) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let manifest = manifest(&enrolled(&root, &key));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let text = "papers = 'p'\nlisten = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\n[[peer]]\nname = 'hub'\naddress = 'h:1'\n";

        fs::write(&path, text).unwrap();
        let config = Config::read(&path).unwrap();
        let next = |anchored, only_in_kept| {
            let done = Done {
                kept: Some("old".into()),
                only_in_kept,
            };
            let (stands, lines) = what_comes_next(&manifest, anchored, &config, &done);
            (stands, lines.join("\n"))
        };

        let (stands, text) = next(Some(9), Some(5));
        assert_eq!(stands, "behind");
        assert!(
            text.contains("lacks 2") && text.contains("from hub") && text.contains("5 entries"),
            "{text}"
        );
        assert_eq!(next(Some(7), Some(0)).0, "agrees");

        let (stands, text) = next(None, None);
        assert_eq!(stands, "missing");
        assert!(
            text.contains("no anchor") && text.contains("2026-01-01 00:00:00"),
            "{text}"
        );
        assert_eq!(stamp(manifest.made_s), "20260101T000000Z");
    }
}
