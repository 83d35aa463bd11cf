//! `wadi restore`: a copy in the place of a stopped node's database, which is kept.

use super::{
    RestoreArgs, bar_of, copy_hashed, copy_of,
    manifest::{BackupEngine, BackupManifest, agrees_with, read_manifest},
    next_steps::what_comes_next,
    now_s, unwritable,
    verify::{check_bytes, check_copy, check_size, hash_in_place},
    violated,
};
use crate::{
    config::Config,
    daemon::lock,
    failure::{Exit, Failure},
    pki::Papers,
    print::{print_answer, time_text_s, utc_file_stamp},
};
use serde_json::json;
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wadi_log::{LogId, SignedCheckpoint, Tip};
use wadi_store::{AnchorFile, COMING, CopyReader};

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
        (None, BackupEngine::Sqlite) => {
            restore_file(&copy, &manifest, &config, &papers, args.force_older, json).await?
        }
        (Some(url), BackupEngine::Postgres) => {
            hash_in_place(&copy, &manifest, json)?;
            let key = papers.store_key.as_ref();
            check_copy(&copy, &manifest, &papers.root, key, json).await?;
            let facts = wadi_store::fill_postgres(url, &copy).await?;
            if !agrees_with(&facts, &manifest) {
                let why = "the database does not hold what the manifest says: drop it, and \
                    restore into another one";
                return Err(violated("copy_changed", why));
            }

            ReplacedDatabase::default()
        }
        (None, BackupEngine::Postgres) => {
            let why = "this is a copy of a database on PostgreSQL: name an empty one with \
                database = \"postgres://…\"";
            return Err(Failure::usage("other_engine", why));
        }
        (Some(_), BackupEngine::Sqlite) => {
            let why = "this is a copy of a database in a file: take `database` out of the \
                configuration to restore it; \
                       `wadi node move-store` takes it to PostgreSQL after that";
            return Err(Failure::usage("other_engine", why));
        }
    };

    let (stands, lines) = what_comes_next(&manifest, anchored, &config, &done);
    let value = json!({
        "restored": copy.display().to_string(),
        "node": manifest.name,
        "made_s": manifest.made_s,
        "commits": manifest.commits,
        "records": manifest.records,
        "entries": manifest.entries,
        "anchor": stands,
        "anchored": anchored,
        "missing_commits": anchored.map(|a| a.saturating_sub(manifest.commits)),
        "kept": done.kept.as_ref().map(|kept| kept.display().to_string()),
        "only_in_kept": done.only_in_kept,
        "next": lines,
    });

    print_answer(json, &value, |_| {
        let lines = lines
            .iter()
            .map(|l| format!("- {l}"))
            .collect::<Vec<_>>()
            .join("\n");

        let made = time_text_s(manifest.made_s);
        format!(
            "{} is restored as of {made}, commit {}. What comes next:\n{lines}",
            manifest.name, manifest.commits
        )
    });

    Ok(Exit::Done)
}

/// What became of the database that was there.
#[derive(Default)]
pub(super) struct ReplacedDatabase {
    /// Where it is kept.
    pub(super) kept: Option<PathBuf>,
    /// This node's entries that are in it, and neither in the copy nor, as far as it knows, at any
    /// other node.
    pub(super) only_in_kept: Option<u64>,
}

pub(super) async fn restore_file(
    copy: &Path,
    manifest: &BackupManifest,
    config: &Config,
    papers: &Papers,
    force_older: bool,
    json: bool,
) -> Result<ReplacedDatabase, Failure> {
    let (data, coming) = (&config.data, config.data.join(COMING));
    if !data.join("node.sqlite").exists() && data.join("node.sqlite.moved").exists() {
        let why = "the records were moved to PostgreSQL: name it in the configuration, or put \
            node.sqlite.moved away";
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
    let kept = wadi_store::put_in_place(data, &utc_file_stamp(now_s()))?;

    Ok(ReplacedDatabase { kept, only_in_kept })
}

/// Brings the copy into the node's directory and checks there what will be the node's: nothing can
/// change it in between.
pub(super) async fn make_ready(
    copy: &Path,
    coming: &Path,
    manifest: &BackupManifest,
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
    let key = papers.store_key.as_ref();
    check_copy(coming, manifest, &papers.root, key, json).await?;

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
    let Ok((commits, only_there)) = present_state(&present, papers, manifest).await else {
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
            "the present database can be read and is {} commits further than the backup{alone}. \
             To restore all the same, \
             add --force-older; the present one is kept either way",
            commits - manifest.commits
        );

        return Err(Failure::usage("backup_older", why));
    }

    Ok(Some(only_there))
}

/// How far the present database has come, and how many of this node's entries would be left in it
/// alone.
pub(super) async fn present_state(
    path: &Path,
    papers: &Papers,
    manifest: &BackupManifest,
) -> Result<(u64, u64), Failure> {
    let me = papers.enrolment.node();
    let mut reader = CopyReader::open(path, papers.store_key.as_ref()).await?;
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
