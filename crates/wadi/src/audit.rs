//! `wadi audit verify`: recomputes every leaf and root of a database and checks every signature, trusting nothing in it
//! but the commission's root.

use crate::failure::{Exit, Failure};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use wadi_log::{Enrolment, LogId, NodeId, Peaks, RootKey, leaf_hash};
use wadi_store::AuditReader;

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
}

/// What was found wrong, in the order in which it was found.
#[derive(Default)]
struct Report {
    logs: u64,
    entries: u64,
    signatures: u64,
    damage: Vec<String>,
}

pub async fn run(command: AuditCommand, json: bool) -> Result<Exit, Failure> {
    let AuditCommand::Verify { dir, root } = command;
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
    let text =
        std::fs::read_to_string(root).map_err(|e| Failure::usage("no_root", format!("{}: {e}", root.display())))?;
    let key: [u8; 32] = wadi_log::unhex(text.trim())
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| Failure::usage("no_root", format!("{}: expected 64 hexadecimal digits", root.display())))?;
    let root = RootKey(key);
    let mut reader = AuditReader::open(dir).await?;
    let mut report = Report::default();
    let members = members(&mut reader, &root, &mut report).await?;
    let logs = reader.logs().await?;
    let total: u64 = logs.iter().map(|l| l.size).sum();
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(total) };
    for log in logs {
        report.logs += 1;
        check_log(&mut reader, &log, members.get(&log.log.node), &mut report, &bar).await?;
    }
    check_cosignatures(&mut reader, &members, &mut report).await?;
    bar.finish_and_clear();
    Ok(report)
}

async fn members(
    reader: &mut AuditReader,
    root: &RootKey,
    report: &mut Report,
) -> Result<BTreeMap<NodeId, Enrolment>, Failure> {
    let mut out = BTreeMap::new();
    for (node, bytes) in reader.enrolments().await? {
        report.signatures += 1;
        match Enrolment::from_bytes(&bytes).and_then(|e| e.verify(root).map(|()| e)) {
            Ok(e) if e.node() == node => drop(out.insert(node, e)),
            Ok(_) => report.damage.push(format!("the enrolment stored for {node} is another node's")),
            Err(error) => report.damage.push(format!("the enrolment of {node}: {error}")),
        }
    }
    Ok(out)
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
