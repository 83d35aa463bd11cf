//! `wadi audit`: recomputes every leaf and root of a database and checks every signature, trusting
//! nothing in it but the commission's root; makes evidence files, and checks them.

use crate::{
    At,
    client::Client,
    commands::{tell, time},
    config::Config,
    failure::{Exit, Failure},
    output,
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};
use wadi_log::{
    Cosignature, EVIDENCE_BYTES_MAX, Enrolment, Hash, LogId, NodeId, Peaks, RootKey,
    SignedCheckpoint, Tip, leaf_hash,
};
use wadi_store::{AuditCosignature, AuditLog, AuditReader};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Recomputes every leaf and root, checks every signature, and names the first damaged entry.
    Verify {
        /// The node's directory, with `node.sqlite` in it, or a `node.toml` that names a PostgreSQL
        /// database.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The node's configuration, in place of its directory.
        #[arg(long)]
        config: Option<PathBuf>,
        /// A PostgreSQL database, as postgres://user@host/name.
        #[arg(long)]
        database: Option<String>,
        /// The commission's root: a file with its public key.
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Packs everything said of a record, with its proofs, into a file that verifies without this
    /// network.
    Evidence {
        /// The record's id.
        record: String,
        /// The file to write.
        #[arg(short, long)]
        output: PathBuf,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        at: At,
    },
    /// Lists what does not count for a cut or a fork. Exit code 3 where there is any.
    Quarantine {
        /// A log's origin, as `status` names it; all, where it is left out.
        #[arg(long)]
        log: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Compares what two nodes hold, record by record and field by field. Exit code 3 where they
    /// differ.
    Compare(crate::compare::CompareArgs),
    /// Checks an evidence file against the commission's root alone (docs/evidence.md).
    VerifyEvidence {
        file: PathBuf,
        /// The commission's root: a file with its public key.
        #[arg(long)]
        root: PathBuf,
    },
}

/// Kinds of damage told one by one; more are counted.
const TOLD_MAX: usize = 1_000;

/// What was found wrong, in the order in which it was found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) logs: u64,
    pub(crate) entries: u64,
    pub(crate) signatures: u64,
    pub(crate) damaged: u64,
    pub(crate) damage: Vec<String>,
}

impl Report {
    fn damage(&mut self, what: String) {
        self.damaged += 1;
        if self.damage.len() < TOLD_MAX {
            self.damage.push(what);
        }
    }
}

pub async fn run(command: AuditCommand, json: bool) -> Result<Exit, Failure> {
    let (source, root) = match command {
        AuditCommand::Verify {
            dir,
            config,
            database,
            root,
        } => source(&dir, config.as_deref(), database, root)?,
        AuditCommand::Evidence {
            record,
            output,
            force,
            at,
        } => {
            output::check_free(&output, force)?;
            let done =
                tokio::task::spawn_blocking(move || evidence(&record, &output, &at, json)).await;
            return done.map_err(|e| Failure::new("panicked", e.to_string()))?;
        }
        AuditCommand::Quarantine { log, at } => {
            let done = tokio::task::spawn_blocking(move || {
                crate::quarantine::list(log.as_deref(), &at, json)
            })
            .await;
            return done.map_err(|e| Failure::new("panicked", e.to_string()))?;
        }
        AuditCommand::Compare(args) => return crate::compare::run(args, json).await,
        AuditCommand::VerifyEvidence { file, root } => return verify_evidence(&file, &root, json),
    };

    let report = verify(source, &root, json).await?;
    let first = report.damage.first().cloned();
    if json {
        crate::print::print_line!(
            "{}",
            json!({"logs": report.logs, "entries": report.entries, "signatures": report.signatures,
                "damaged": report.damaged, "first": first})
        );
    } else {
        crate::print::print_line!(
            "{} logs, {} entries, {} signatures checked",
            report.logs,
            report.entries,
            report.signatures
        );

        for line in &report.damage {
            crate::print::print_line!("DAMAGED: {line}");
        }

        let untold = report.damaged - report.damage.len() as u64;
        if untold > 0 {
            crate::print::print_line!("DAMAGED: {untold} more");
        }

        if first.is_none() {
            crate::print::print_line!("Every leaf, root and signature is right.");
        }
    }

    Ok(if first.is_some() {
        Exit::Integrity
    } else {
        Exit::Done
    })
}

/// What is audited.
enum Source {
    Sqlite(PathBuf),
    Postgres(String),
}

/// Where the entries lie, and the file with the commission's root.
fn source(
    dir: &Path,
    config: Option<&Path>,
    database: Option<String>,
    root: Option<PathBuf>,
) -> Result<(Source, PathBuf), Failure> {
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
    let papers = known.map(|c| c.papers.join("root.pub"));
    let mut usual = papers
        .into_iter()
        .chain([dir.join("papers/root.pub"), dir.join("root.pub")]);

    let root = root.or_else(|| usual.find(|p| p.exists())).ok_or_else(|| {
        Failure::usage(
            "no_root",
            "name the commission's root with --root FILE (root.pub of any papers)",
        )
    })?;

    Ok((source, root))
}

async fn verify(source: Source, root: &Path, quiet: bool) -> Result<Report, Failure> {
    let root = root_key(root)?;
    let mut reader = match &source {
        Source::Sqlite(dir) => wadi_store::audit_sqlite(dir).await?,
        Source::Postgres(url) => wadi_store::audit_postgres(url).await?,
    };
    check(&mut *reader, &root, quiet).await
}

/// Recomputes every leaf and root and checks every signature. It reads the database once, page
/// after page: the memory that it takes does not grow with what is held.
pub(crate) async fn check(
    reader: &mut dyn AuditReader,
    root: &RootKey,
    quiet: bool,
) -> Result<Report, Failure> {
    let mut report = Report::default();
    let members = members(reader.enrolments().await?, root, &mut report);
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };

    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} entries  {per_sec}")
            .expect("a fixed template"),
    );

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
    root: &RootKey,
    quiet: bool,
) -> Result<(Report, Vec<(LogId, Tip)>), Failure> {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };

    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} entries  {per_sec}")
            .expect("a fixed template"),
    );

    let found = wadi_store::audit_dump(file, |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    let mut report = Report {
        entries: found.entries,
        ..Report::default()
    };

    found
        .damage
        .into_iter()
        .for_each(|what| report.damage(what));

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

pub(crate) fn root_key(path: &Path) -> Result<RootKey, Failure> {
    let bad = |why: String| Failure::usage("no_root", format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let key = wadi_log::unhex(text.trim()).and_then(|b| b.try_into().ok());
    key.map(RootKey)
        .ok_or_else(|| bad("expected 64 hexadecimal digits".into()))
}

fn evidence(record: &str, file: &Path, at: &At, json: bool) -> Result<Exit, Failure> {
    let text = Client::at(at)?.get_text(&format!("/v1/records/{record}/evidence"))?;
    output::write(file, text.as_bytes())?;
    let value = json!({"file": file.display().to_string(), "bytes": text.len(), "lines": text.lines().count()});
    tell(json, &value, |v| {
        format!(
            "{} bytes in {}; check it with: wadi audit verify-evidence",
            v["bytes"],
            file.display()
        )
    });

    Ok(Exit::Done)
}

fn verify_evidence(file: &Path, root: &Path, json: bool) -> Result<Exit, Failure> {
    let root = root_key(root)?;
    let unreadable =
        |e: std::io::Error| Failure::usage("unreadable", format!("{}: {e}", file.display()));
    if std::fs::metadata(file).map_err(unreadable)?.len() > EVIDENCE_BYTES_MAX as u64 {
        return Err(Failure::usage(
            "too_large",
            format!("{} is larger than evidence can be", file.display()),
        ));
    }

    let found = match wadi_log::verify_evidence(&std::fs::read(file).map_err(unreadable)?, &root) {
        Ok(found) => found,
        Err(error) => {
            tell(
                json,
                &json!({"valid": false, "code": error.code, "why": error.why}),
                |_| format!("NOT VALID: {} [{}]", error.why, error.code),
            );
            return Ok(Exit::Integrity);
        }
    };

    let witnessed = found
        .statements
        .iter()
        .filter(|s| s.not_after_s.is_some())
        .count();

    let value = json!({
        "valid": true, "record": found.record.to_string(), "entries": found.statements.len(), "witnessed": witnessed,
    });
    tell(json, &value, |_| {
        let mut table =
            output::table(["claimed", "node", "who", "says", "not before", "not after"]);
        let hub_time =
            |t: Option<i64>| t.map_or_else(|| "-".into(), |t| time(t.saturating_mul(1_000)));

        for s in &found.statements {
            let (c, puts) = (&s.common, s.change.puts.iter().map(|p| p.key.as_str()));
            let kind = |e: &String| {
                Some(
                    serde_json::from_str::<serde_json::Value>(e).ok()?["type"]
                        .as_str()?
                        .to_string(),
                )
            };

            let mut says = s
                .change
                .events
                .iter()
                .filter_map(kind)
                .collect::<Vec<_>>()
                .join(" ");

            says += &puts.fold(String::new(), |all, key| all + " " + key);
            if !s.counts {
                says += " (quarantined)";
            }

            let who = format!("{} {}{}", c.officer, c.department, c.device);
            let bracket = [
                hub_time(s.not_before_s),
                hub_time(s.not_after_s.map(|t| t as i64)),
            ];
            let [from, to] = bracket;
            let claimed = time(c.happened_ms.unwrap_or(c.wall_ms));

            table.add_row(output::row([claimed, s.node.clone(), who, says, from, to]));
        }

        format!(
            "{table}\nVALID: {} ({}), {} entries, {witnessed} vouched for by a hub, {} forks; made by {} at {}",
            found.printed,
            found.record,
            found.statements.len(),
            found.forks,
            found.made_by,
            time(found.made_s.saturating_mul(1_000)),
        )
    });

    Ok(Exit::Done)
}

/// Enrolments as stored, node and bytes, by node where they hold.
fn members(
    enrolments: Vec<(Vec<u8>, Vec<u8>)>,
    root: &RootKey,
    report: &mut Report,
) -> BTreeMap<NodeId, Enrolment> {
    let mut out = BTreeMap::new();
    for (stored, bytes) in enrolments {
        report.signatures += 1;
        let node =
            NodeId::from_slice(&stored).map_or_else(|_| wadi_log::hex(&stored), |n| n.to_string());
        match Enrolment::from_bytes(&bytes).and_then(|e| e.verify(root).map(|()| e)) {
            Ok(e) if e.node().to_string() == node => drop(out.insert(e.node(), e)),
            Ok(_) => report.damage(format!("the enrolment stored for {node} is another node's")),
            Err(error) => report.damage(format!("the enrolment of {node}: {error}")),
        }
    }

    out
}

/// A log's name for people, whatever is left of it.
fn name(log: &[u8]) -> String {
    LogId::from_slice(log).map_or_else(|_| wadi_log::hex(log), |l| l.to_string())
}

/// Every leaf of a log, and every checkpoint kept of it against the root of its first entries.
async fn check_log(
    reader: &mut dyn AuditReader,
    row: &AuditLog,
    members: &BTreeMap<NodeId, Enrolment>,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let Ok(log) = LogId::from_slice(&row.log) else {
        report.damage(format!("{}: this is no log's id", name(&row.log)));
        return Ok(());
    };
    let author = members.get(&log.node);
    let mut peaks = Peaks::default();
    let mut told = false;

    loop {
        let part = reader.entries(&log, peaks.size()).await?;
        let Some(last) = part.last() else { break };

        // A page of entries has no more checkpoints than entries.
        let mut heads = VecDeque::from(
            reader
                .checkpoints(&log, peaks.size(), last.seq.saturating_add(1))
                .await?,
        );

        for entry in part {
            if entry.seq != peaks.size() {
                let what = if entry.seq < peaks.size() {
                    "two entries stand here"
                } else {
                    "the entry is missing"
                };

                report.damage(format!("{log}@{}: {what}", entry.seq.min(peaks.size())));
                return Ok(());
            }

            // One of a log is told: the first.
            if leaf_hash(&entry.bytes).0[..] != entry.leaf[..]
                && !std::mem::replace(&mut told, true)
            {
                report.damage(format!(
                    "{log}@{}: the entry's bytes do not have its hash",
                    entry.seq
                ));
            }

            let Ok(leaf) = Hash::from_slice(&entry.leaf) else {
                report.damage(format!("{log}@{}: its hash does not read", entry.seq));
                return Ok(());
            };

            peaks.append(leaf);
            report.entries += 1;
            bar.inc(1);

            while let Some(head) = heads.front() {
                match SignedCheckpoint::from_bytes(head) {
                    Ok(signed) if signed.checkpoint.size > peaks.size() => break,
                    Ok(signed) => check_head(&log, &signed, &peaks, author, report),
                    Err(error) => report.damage(format!(
                        "{log}: a checkpoint at about {}: {error}",
                        peaks.size()
                    )),
                }

                heads.pop_front();
            }
        }

        if !heads.is_empty() {
            report.damage(format!(
                "{log}: a checkpoint stands under {} entries, and is of more",
                peaks.size()
            ));
        }
    }

    check_end(&log, row, &peaks, author, report);
    // What was signed and is no longer there was cut off.
    let beyond = reader.checkpoints(&log, peaks.size(), u64::MAX).await?;
    if !beyond.is_empty() {
        report.damage(format!(
            "{log}: checkpoints are kept of more than the {} entries held",
            peaks.size()
        ));
    }

    Ok(())
}

/// What is recorded of a log, and its last checkpoint, against what is held.
fn check_end(
    log: &LogId,
    row: &AuditLog,
    held: &Peaks,
    author: Option<&Enrolment>,
    report: &mut Report,
) {
    let recorded = Peaks::from_parts(row.size, &row.peaks);
    if held.size() != row.size || (row.size > 0 && recorded.as_ref() != Ok(held)) {
        report.damage(format!(
            "{log}: {} entries are held, {} are recorded, or their root differs",
            held.size(),
            row.size
        ));
    }

    match SignedCheckpoint::from_bytes(&row.checkpoint) {
        Ok(signed) => check_head(log, &signed, held, author, report),
        Err(error) => report.damage(format!("{log}: its last checkpoint: {error}")),
    }

    if author.is_none() {
        report.damage(format!("{log}: its author is not enrolled"));
    }
}

/// A checkpoint against the root of what is held, and its author's signature.
fn check_head(
    log: &LogId,
    signed: &SignedCheckpoint,
    held: &Peaks,
    author: Option<&Enrolment>,
    report: &mut Report,
) {
    let head = &signed.checkpoint;
    let Some(author) = author else { return };
    report.signatures += 1;

    if let Err(error) = signed.verify(&author.log_key) {
        report.damage(format!("{log}: checkpoint at {}: {error}", head.size));
    } else if head.log != *log
        || head.size != held.size()
        || (head.size > 0 && head.root != held.root())
    {
        report.damage(format!(
            "{log}: the root at {} is not the one that was signed",
            head.size
        ));
    }
}

/// Entries outside their logs have their hashes alone to be checked by.
async fn check_loose(
    reader: &mut dyn AuditReader,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut page = reader.loose_entries(None).await?;
    while !page.is_empty() {
        for entry in &page {
            report.entries += 1;
            bar.inc(1);
            if leaf_hash(&entry.bytes).0[..] != entry.leaf[..] {
                let log = name(&entry.log);
                report.damage(format!(
                    "{log}@{}: the bytes of an excerpt do not have its hash",
                    entry.seq
                ));
            }
        }

        page = reader.loose_entries(page.last()).await?;
    }

    Ok(())
}

async fn check_cosignatures(
    reader: &mut dyn AuditReader,
    members: &BTreeMap<NodeId, Enrolment>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut page = reader.cosignatures(None).await?;
    while !page.is_empty() {
        for c in &page {
            report.signatures += 1;
            if let Err(why) = check_cosignature(c, members) {
                report.damage(format!(
                    "{}: cosignature of {}: {why}",
                    name(&c.log),
                    wadi_log::hex(&c.witness)
                ));
            }
        }

        page = reader.cosignatures(page.last()).await?;
    }

    Ok(())
}

fn check_cosignature(
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
