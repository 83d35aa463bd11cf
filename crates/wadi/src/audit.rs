//! `wadi audit`: recomputes every leaf and root of a database and checks every signature, trusting nothing in it but the
//! commission's root; makes evidence files, and checks them.

use crate::{
    At,
    client::Client,
    commands::{tell, time},
    failure::{Exit, Failure},
};
use clap::Subcommand;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::ProgressBar;
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use wadi_log::{EVIDENCE_BYTES_MAX, Enrolment, LogId, NodeId, Peaks, RootKey, leaf_hash};
use wadi_store::{AuditLog, AuditReader};

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Recomputes every leaf and root, checks every signature, and names the first damaged entry.
    Verify {
        /// The node's directory, with `node.sqlite` in it.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The commission's root: a file with its public key.
        #[arg(long)]
        root: Option<PathBuf>,
    },
    /// Packs everything said of a record, with its proofs, into a file that verifies without this network.
    Evidence {
        /// The record's id.
        record: String,
        /// The file to write.
        #[arg(short, long)]
        output: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Compares what two nodes hold, record by record and field by field. Exit code 3 where they differ.
    Compare(crate::compare::CompareArgs),
    /// Checks an evidence file against the commission's root alone (docs/evidence.md).
    VerifyEvidence {
        file: PathBuf,
        /// The commission's root: a file with its public key.
        #[arg(long)]
        root: PathBuf,
    },
}

/// What was found wrong, in the order in which it was found.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) logs: u64,
    pub(crate) entries: u64,
    pub(crate) signatures: u64,
    pub(crate) damage: Vec<String>,
}

pub async fn run(command: AuditCommand, json: bool) -> Result<Exit, Failure> {
    let (dir, root) = match command {
        AuditCommand::Verify { dir, root } => (dir, root),
        AuditCommand::Evidence { record, output, at } => {
            let done = tokio::task::spawn_blocking(move || evidence(&record, &output, &at, json)).await;
            return done.map_err(|e| Failure::new("panicked", e.to_string()))?;
        }
        AuditCommand::Compare(args) => return crate::compare::run(args, json).await,
        AuditCommand::VerifyEvidence { file, root } => return verify_evidence(&file, &root, json),
    };
    let root =
        match root {
            Some(path) => path,
            None => [dir.join("papers/root.pub"), dir.join("root.pub")].into_iter().find(|p| p.exists()).ok_or_else(
                || Failure::usage("no_root", "name the commission's root with --root FILE (root.pub of any papers)"),
            )?,
        };
    let report = verify(&dir, &root, json).await?;
    let first = report.damage.first().cloned();
    if json {
        println!(
            "{}",
            json!({"logs": report.logs, "entries": report.entries, "signatures": report.signatures,
                "damaged": report.damage.len(), "first": first})
        );
    } else {
        println!("{} logs, {} entries, {} signatures checked", report.logs, report.entries, report.signatures);
        for line in &report.damage {
            println!("DAMAGED: {line}");
        }
        if first.is_none() {
            println!("Every leaf, root and signature is right.");
        }
    }
    Ok(if first.is_some() { Exit::Integrity } else { Exit::Done })
}

async fn verify(dir: &Path, root: &Path, quiet: bool) -> Result<Report, Failure> {
    check(&mut AuditReader::open(dir).await?, &root_key(root)?, quiet).await
}

/// Recomputes every leaf and root of a database and checks every signature.
pub(crate) async fn check(reader: &mut AuditReader, root: &RootKey, quiet: bool) -> Result<Report, Failure> {
    let mut report = Report::default();
    let members = members(reader.enrolments().await?, root, &mut report);
    let logs = reader.logs().await?;
    let total: u64 = logs.iter().map(|l| l.size).sum();
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(total) };
    for log in logs {
        report.logs += 1;
        check_log(reader, &log, members.get(&log.log.node), &mut report, &bar).await?;
    }
    check_cosignatures(reader, &members, &mut report).await?;
    bar.finish_and_clear();
    Ok(report)
}

/// The same of a file that PostgreSQL's own tool wrote: every leaf, every root, and each log's newest signature.
pub(crate) async fn check_dump(file: &Path, root: &RootKey, quiet: bool) -> Result<(Report, Vec<AuditLog>), Failure> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    let found = wadi_store::audit_dump(file, |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    let mut report = Report { entries: found.entries, damage: found.damage, ..Report::default() };
    let members = members(found.enrolments, root, &mut report);
    for row in &found.logs {
        report.logs += 1;
        report.signatures += 1;
        let (log, signed) = (row.log, &row.checkpoint);
        match members.get(&log.node) {
            None => report.damage.push(format!("{log}: its author is not enrolled")),
            Some(author) => {
                if let Err(error) = signed.verify(&author.log_key) {
                    report.damage.push(format!("{log}: checkpoint at {}: {error}", signed.checkpoint.size));
                } else if signed.checkpoint.root != row.peaks.root() {
                    report.damage.push(format!("{log}: the root at {} is not the one that was signed", row.size));
                }
            }
        }
    }
    Ok((report, found.logs))
}

pub(crate) fn root_key(path: &Path) -> Result<RootKey, Failure> {
    let bad = |why: String| Failure::usage("no_root", format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let key = wadi_log::unhex(text.trim()).and_then(|b| b.try_into().ok());
    key.map(RootKey).ok_or_else(|| bad("expected 64 hexadecimal digits".into()))
}

fn evidence(record: &str, output: &Path, at: &At, json: bool) -> Result<Exit, Failure> {
    let text = Client::at(at)?.get_text(&format!("/v1/records/{record}/evidence"))?;
    let failed = |e: std::io::Error| Failure::new("unwritable", format!("{}: {e}", output.display()));
    std::fs::write(output, &text).map_err(failed)?;
    let value = json!({"file": output.display().to_string(), "bytes": text.len(), "lines": text.lines().count()});
    tell(json, &value, |v| {
        format!("{} bytes in {}; check it with: wadi audit verify-evidence", v["bytes"], output.display())
    });
    Ok(Exit::Done)
}

fn verify_evidence(file: &Path, root: &Path, json: bool) -> Result<Exit, Failure> {
    let root = root_key(root)?;
    let unreadable = |e: std::io::Error| Failure::usage("unreadable", format!("{}: {e}", file.display()));
    if std::fs::metadata(file).map_err(unreadable)?.len() > EVIDENCE_BYTES_MAX as u64 {
        return Err(Failure::usage("too_large", format!("{} is larger than evidence can be", file.display())));
    }
    let found = match wadi_log::verify_evidence(&std::fs::read(file).map_err(unreadable)?, &root) {
        Ok(found) => found,
        Err(error) => {
            tell(json, &json!({"valid": false, "code": error.code, "why": error.why}), |_| {
                format!("NOT VALID: {} [{}]", error.why, error.code)
            });
            return Ok(Exit::Integrity);
        }
    };
    let witnessed = found.statements.iter().filter(|s| s.not_after_s.is_some()).count();
    let value = json!({
        "valid": true, "record": found.record.to_string(), "entries": found.statements.len(), "witnessed": witnessed,
    });
    tell(json, &value, |_| {
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
            "claimed",
            "node",
            "who",
            "says",
            "not before",
            "not after",
        ]);
        let hub_time = |t: Option<i64>| t.map_or_else(|| "-".into(), |t| time(t.saturating_mul(1_000)));
        for s in &found.statements {
            let (c, puts) = (&s.common, s.change.puts.iter().map(|p| p.key.as_str()));
            let kind =
                |e: &String| Some(serde_json::from_str::<serde_json::Value>(e).ok()?["type"].as_str()?.to_string());
            let mut says = s.change.events.iter().filter_map(kind).collect::<Vec<_>>().join(" ");
            says += &puts.fold(String::new(), |all, key| all + " " + key);
            if !s.counts {
                says += " (quarantined)";
            }
            let who = format!("{} {}{}", c.officer, c.department, c.device);
            let bracket = [hub_time(s.not_before_s), hub_time(s.not_after_s.map(|t| t as i64))];
            let [from, to] = bracket;
            table.add_row([time(c.happened_ms.unwrap_or(c.wall_ms)), s.node.clone(), who, says, from, to]);
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

fn members(stored: Vec<(NodeId, Vec<u8>)>, root: &RootKey, report: &mut Report) -> BTreeMap<NodeId, Enrolment> {
    let mut out = BTreeMap::new();
    for (node, bytes) in stored {
        report.signatures += 1;
        match Enrolment::from_bytes(&bytes).and_then(|e| e.verify(root).map(|()| e)) {
            Ok(e) if e.node() == node => drop(out.insert(node, e)),
            Ok(_) => report.damage.push(format!("the enrolment stored for {node} is another node's")),
            Err(error) => report.damage.push(format!("the enrolment of {node}: {error}")),
        }
    }
    out
}

async fn check_log(
    reader: &mut AuditReader,
    row: &wadi_store::AuditLog,
    author: Option<&Enrolment>,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let log = row.log;
    let mut peaks = Peaks::default();
    let mut roots = BTreeMap::new();
    let checkpoints = reader.checkpoints(&log).await?;
    let mut sizes: Vec<u64> = checkpoints.iter().map(|c| c.checkpoint.size).collect();
    sizes.push(row.checkpoint.checkpoint.size);
    let mut damaged = false;
    loop {
        let part = reader.entries(&log, peaks.size(), 1_000).await?;
        if part.is_empty() {
            break;
        }
        for (seq, leaf, bytes) in part {
            if seq != peaks.size() {
                report.damage.push(format!("{log}@{}: the entry is missing", peaks.size()));
                return Ok(());
            }
            if leaf_hash(&bytes) != leaf && !damaged {
                report.damage.push(format!("{log}@{seq}: the entry's bytes do not have its hash"));
                damaged = true;
            }
            peaks.append(leaf);
            report.entries += 1;
            bar.inc(1);
            if sizes.contains(&peaks.size()) {
                roots.insert(peaks.size(), peaks.root());
            }
        }
    }
    if peaks.size() != row.size || (row.size > 0 && row.peaks != peaks) {
        report.damage.push(format!(
            "{log}: {} entries are held, {} are recorded, or their root differs",
            peaks.size(),
            row.size
        ));
    }
    let Some(author) = author else {
        report.damage.push(format!("{log}: its author is not enrolled"));
        return Ok(());
    };
    for signed in checkpoints.iter().chain([&row.checkpoint]) {
        let head = &signed.checkpoint;
        report.signatures += 1;
        if let Err(error) = signed.verify(&author.log_key) {
            report.damage.push(format!("{log}: checkpoint at {}: {error}", head.size));
        } else if roots.get(&head.size).is_some_and(|r| *r != head.root) {
            report.damage.push(format!("{log}: the root at {} is not the one that was signed", head.size));
        }
    }
    Ok(())
}

async fn check_cosignatures(
    reader: &mut AuditReader,
    members: &BTreeMap<NodeId, Enrolment>,
    report: &mut Report,
) -> Result<(), Failure> {
    for c in reader.cosignatures().await? {
        report.signatures += 1;
        let log: LogId = c.checkpoint.checkpoint.log;
        let checked = match members.get(&c.cosignature.witness) {
            Some(witness) => {
                c.cosignature.verify(&c.checkpoint.checkpoint, &witness.log_key).map_err(|e| e.to_string())
            }
            None => Err("the witness is not enrolled".into()),
        };
        if let Err(why) = checked {
            report.damage.push(format!("{log}: cosignature of {}: {why}", c.cosignature.witness));
        }
    }
    Ok(())
}
