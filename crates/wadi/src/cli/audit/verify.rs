//! `wadi audit verify`: every leaf, root and signature of a database, recomputed and checked.

use super::{AuditReport, root_key};
use crate::{config::Config, failure::Failure, pki::read_store_key, print};
use indicatif::ProgressBar;
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};
use wadi_log::{
    Cosignature, Enrolment, Hash, LogId, NodeId, Peaks, RootKey, SignedCheckpoint, Tip, leaf_hash,
};
use wadi_store::{AuditCosignature, AuditEntry, AuditLog, AuditReader, StoreError, StoreKey};

/// What is audited.
pub(super) enum Source {
    Sqlite(PathBuf),
    Postgres(String),
}

/// What a command names, and what goes with it.
pub(super) struct FoundSource {
    /// Where the entries lie.
    pub(super) source: Source,
    /// The file with the commission's root.
    pub(super) root: PathBuf,
    /// The node's papers, which hold the key of an encrypted database.
    pub(super) papers: Option<PathBuf>,
}

/// Where the entries lie, and what goes with them.
pub(super) fn find_source(
    dir: &Path,
    config: Option<&Path>,
    database: Option<String>,
    root: Option<PathBuf>,
) -> Result<FoundSource, Failure> {
    let named = config.map(Config::read).transpose()?;
    // A directory is audited whatever its configuration is worth.
    let beside = if named.is_some() {
        None
    } else {
        Config::read(&dir.join("node.toml")).ok()
    };

    let known = named.as_ref().or(beside.as_ref());
    let source = match database.or_else(|| known?.database.clone()) {
        Some(url) => Source::Postgres(url),
        None => Source::Sqlite(named.as_ref().map_or(dir, |c| c.data.as_path()).into()),
    };
    let papers = known.map(|c| c.papers.clone());
    let named = papers.as_ref().map(|papers| papers.join("root.pub"));
    let mut usual = named
        .into_iter()
        .chain([dir.join("papers/root.pub"), dir.join("root.pub")]);

    let root = root.or_else(|| usual.find(|p| p.exists())).ok_or_else(|| {
        Failure::usage(
            "no_root",
            "name the commission's root with --root FILE (root.pub of any papers)",
        )
    })?;

    Ok(FoundSource {
        source,
        root,
        papers,
    })
}

async fn open_source(
    source: &Source,
    key: Option<&StoreKey>,
) -> Result<Box<dyn AuditReader>, StoreError> {
    match source {
        Source::Sqlite(dir) => wadi_store::audit_sqlite(dir, key).await,
        Source::Postgres(url) => wadi_store::audit_postgres(url, key).await,
    }
}

pub(super) async fn verify_source(
    source: Source,
    root: &Path,
    papers: Option<&Path>,
    quiet: bool,
) -> Result<AuditReport, Failure> {
    let root = root_key(root)?;
    let mut reader = match open_source(&source, None).await {
        Err(StoreError::Encrypted) => {
            let key = papers.map(read_store_key).transpose()?.flatten();
            open_source(&source, key.as_ref()).await?
        }
        opened => opened?,
    };
    check_database(&mut *reader, &root, quiet).await
}

/// Recomputes every leaf and root and checks every signature. It reads the database once, page
/// after page: the memory that it takes does not grow with what is held.
pub(crate) async fn check_database(
    reader: &mut dyn AuditReader,
    root: &RootKey,
    quiet: bool,
) -> Result<AuditReport, Failure> {
    let mut report = AuditReport::default();
    let members = members(reader.enrolments().await?, root, &mut report);
    let bar = print::progress(quiet, None, "{spinner} {pos} entries  {per_sec}");

    let mut page = reader.logs(None).await?;
    while !page.is_empty() {
        for row in &page {
            report.logs += 1;
            check_log(reader, row, &members, &mut report, &bar).await?;
        }
        page = reader.logs(page.last()).await?;
    }

    check_loose(reader, &mut report, &bar).await?;
    check_cosignatures(reader, &members, &mut report).await?;
    bar.finish_and_clear();

    Ok(report)
}

/// The same of a file that PostgreSQL's own tool wrote, but for checkpoints and cosignatures: every
/// leaf, every root, and each log's newest signature. Returns the logs as they are recorded, too.
pub(crate) async fn check_dump(
    file: &Path,
    key: Option<&StoreKey>,
    root: &RootKey,
    quiet: bool,
) -> Result<(AuditReport, Vec<(LogId, Tip)>), Failure> {
    let bar = print::progress(quiet, None, "{spinner} {pos} entries  {per_sec}");

    let found = wadi_store::audit_dump(file, key, |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    let mut report = AuditReport {
        entries: found.entries,
        ..AuditReport::default()
    };

    found
        .damage
        .into_iter()
        .for_each(|what| report.add_damage(what));

    let members = members(found.enrolments, root, &mut report);
    let mut tips = Vec::with_capacity(found.logs.len());
    for (row, held) in &found.logs {
        report.logs += 1;
        let (log, tip) = row.tip()?;
        check_end(&log, row, held, members.get(&log.node), &mut report);
        tips.push((log, tip));
    }

    Ok((report, tips))
}

/// Enrolments as stored, node and bytes, by node where they hold.
pub(super) fn members(
    enrolments: Vec<(Vec<u8>, Vec<u8>)>,
    root: &RootKey,
    report: &mut AuditReport,
) -> BTreeMap<NodeId, Enrolment> {
    let mut out = BTreeMap::new();
    for (stored, bytes) in enrolments {
        report.signatures += 1;
        let node =
            NodeId::from_slice(&stored).map_or_else(|_| wadi_log::hex(&stored), |n| n.to_string());
        match Enrolment::from_bytes(&bytes).and_then(|e| e.verify(root).map(|()| e)) {
            Ok(e) if e.node().to_string() == node => drop(out.insert(e.node(), e)),
            Ok(_) => {
                report.add_damage(format!("the enrolment stored for {node} is another node's"))
            }
            Err(error) => report.add_damage(format!("the enrolment of {node}: {error}")),
        }
    }

    out
}

/// A log's name for people, whatever is left of it.
pub(super) fn log_name(log: &[u8]) -> String {
    LogId::from_slice(log).map_or_else(|_| wadi_log::hex(log), |l| l.to_string())
}

/// Every leaf of a log, and every checkpoint kept of it against the root of its first entries.
pub(super) async fn check_log(
    reader: &mut dyn AuditReader,
    row: &AuditLog,
    members: &BTreeMap<NodeId, Enrolment>,
    report: &mut AuditReport,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let Ok(log) = LogId::from_slice(&row.log) else {
        report.add_damage(format!("{}: this is no log's id", log_name(&row.log)));
        return Ok(());
    };
    let mut check = LogCheck {
        log,
        author: members.get(&log.node),
        peaks: Peaks::default(),
        is_damage_told: false,
    };

    loop {
        let from = check.peaks.size();
        let part = reader.entries(&log, from).await?;
        let Some(last) = part.last() else { break };

        // A page of entries has no more checkpoints than entries.
        let mut heads = VecDeque::from(
            reader
                .checkpoints(&log, from, last.seq.saturating_add(1))
                .await?,
        );

        for entry in part {
            if !check.add_entry(&entry, report) {
                return Ok(());
            }

            bar.inc(1);
            check.check_due_heads(&mut heads, report);
        }

        if !heads.is_empty() {
            report.add_damage(format!(
                "{log}: a checkpoint stands under {} entries, and is of more",
                check.peaks.size()
            ));
        }
    }

    check_end(&log, row, &check.peaks, check.author, report);

    // What was signed and is no longer there was cut off.
    let held = check.peaks.size();
    let beyond = reader.checkpoints(&log, held, u64::MAX).await?;
    if !beyond.is_empty() {
        report.add_damage(format!(
            "{log}: checkpoints are kept of more than the {held} entries held"
        ));
    }

    Ok(())
}

/// How far a log has been checked.
struct LogCheck<'a> {
    log: LogId,
    author: Option<&'a Enrolment>,
    peaks: Peaks,
    /// One entry whose bytes do not have its hash is told of a log: the first.
    is_damage_told: bool,
}

impl LogCheck<'_> {
    /// Takes the next entry in; false where the log cannot be followed beyond it.
    fn add_entry(&mut self, entry: &AuditEntry, report: &mut AuditReport) -> bool {
        let log = &self.log;
        if entry.seq != self.peaks.size() {
            let what = if entry.seq < self.peaks.size() {
                "two entries stand here"
            } else {
                "the entry is missing"
            };

            report.add_damage(format!(
                "{log}@{}: {what}",
                entry.seq.min(self.peaks.size())
            ));
            return false;
        }

        if leaf_hash(&entry.bytes).0[..] != entry.leaf[..]
            && !std::mem::replace(&mut self.is_damage_told, true)
        {
            report.add_damage(format!(
                "{log}@{}: the entry's bytes do not have its hash",
                entry.seq
            ));
        }

        let Ok(leaf) = Hash::from_slice(&entry.leaf) else {
            report.add_damage(format!("{log}@{}: its hash does not read", entry.seq));
            return false;
        };

        self.peaks.append(leaf);
        report.entries += 1;
        true
    }

    /// Checks the checkpoints that are of no more than the entries seen by now.
    fn check_due_heads(&self, heads: &mut VecDeque<Vec<u8>>, report: &mut AuditReport) {
        while let Some(head) = heads.front() {
            match SignedCheckpoint::from_bytes(head) {
                Ok(signed) if signed.checkpoint.size > self.peaks.size() => break,
                Ok(signed) => check_head(&self.log, &signed, &self.peaks, self.author, report),
                Err(error) => report.add_damage(format!(
                    "{}: a checkpoint at about {}: {error}",
                    self.log,
                    self.peaks.size()
                )),
            }

            heads.pop_front();
        }
    }
}

/// What is recorded of a log, and its last checkpoint, against what is held.
pub(super) fn check_end(
    log: &LogId,
    row: &AuditLog,
    held: &Peaks,
    author: Option<&Enrolment>,
    report: &mut AuditReport,
) {
    let recorded = Peaks::from_parts(row.size, &row.peaks);
    if held.size() != row.size || (row.size > 0 && recorded.as_ref() != Ok(held)) {
        report.add_damage(format!(
            "{log}: {} entries are held, {} are recorded, or their root differs",
            held.size(),
            row.size
        ));
    }

    match SignedCheckpoint::from_bytes(&row.checkpoint) {
        Ok(signed) => check_head(log, &signed, held, author, report),
        Err(error) => report.add_damage(format!("{log}: its last checkpoint: {error}")),
    }

    if author.is_none() {
        report.add_damage(format!("{log}: its author is not enrolled"));
    }
}

/// A checkpoint against the root of what is held, and its author's signature.
pub(super) fn check_head(
    log: &LogId,
    signed: &SignedCheckpoint,
    held: &Peaks,
    author: Option<&Enrolment>,
    report: &mut AuditReport,
) {
    let head = &signed.checkpoint;
    let Some(author) = author else { return };
    report.signatures += 1;

    if let Err(error) = signed.verify(&author.log_key) {
        report.add_damage(format!("{log}: checkpoint at {}: {error}", head.size));
    } else if head.log != *log
        || head.size != held.size()
        || (head.size > 0 && head.root != held.root())
    {
        report.add_damage(format!(
            "{log}: the root at {} is not the one that was signed",
            head.size
        ));
    }
}

/// Entries outside their logs have their hashes alone to be checked by.
pub(super) async fn check_loose(
    reader: &mut dyn AuditReader,
    report: &mut AuditReport,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut page = reader.loose_entries(None).await?;
    while !page.is_empty() {
        for entry in &page {
            report.entries += 1;
            bar.inc(1);
            if leaf_hash(&entry.bytes).0[..] != entry.leaf[..] {
                let log = log_name(&entry.log);
                report.add_damage(format!(
                    "{log}@{}: the bytes of an excerpt do not have its hash",
                    entry.seq
                ));
            }
        }

        page = reader.loose_entries(page.last()).await?;
    }

    Ok(())
}

pub(super) async fn check_cosignatures(
    reader: &mut dyn AuditReader,
    members: &BTreeMap<NodeId, Enrolment>,
    report: &mut AuditReport,
) -> Result<(), Failure> {
    let mut page = reader.cosignatures(None).await?;
    while !page.is_empty() {
        for c in &page {
            report.signatures += 1;
            if let Err(why) = check_cosignature(c, members) {
                report.add_damage(format!(
                    "{}: cosignature of {}: {why}",
                    log_name(&c.log),
                    wadi_log::hex(&c.witness)
                ));
            }
        }

        page = reader.cosignatures(page.last()).await?;
    }

    Ok(())
}

pub(super) fn check_cosignature(
    c: &AuditCosignature,
    members: &BTreeMap<NodeId, Enrolment>,
) -> Result<(), String> {
    let text = |e: wadi_log::LogError| e.to_string();
    let signed = SignedCheckpoint::from_bytes(&c.checkpoint).map_err(text)?;
    let cosignature = Cosignature::from_slice(&c.cosignature).map_err(text)?;
    let witness = members
        .get(&cosignature.witness)
        .ok_or("the witness is not enrolled")?;

    cosignature
        .verify(&signed.checkpoint, &witness.log_key)
        .map_err(text)
}
