//! `wadi audit`: recomputes every leaf and root of a database and checks every signature, trusting
//! nothing in it but the commission's root; makes evidence files, and checks them.

mod bundles;
mod compare;
mod country;
mod evidence;
mod finding;
mod looks;
mod members;
mod quarantine;
mod refusals;
mod verify;

use crate::{
    cli::{NodeAt, run_blocking},
    failure::{Exit, Failure},
    output,
};
use clap::Subcommand;
use evidence::{verify_evidence, write_evidence};
use finding::{is_finding, pack_finding};
use serde_json::json;
use std::path::{Path, PathBuf};
use verify::{find_source, verify_source};
use wadi_log::RootKey;

pub(crate) use quarantine::admit_log;
pub(crate) use verify::{check_database, check_dump};

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
    /// network; of a finding, a directory with the finding and such a file of each record that it
    /// rests on.
    Evidence {
        /// The record's id, or the finding's.
        id: String,
        /// The file to write; of a finding, the directory.
        #[arg(short, long)]
        output: PathBuf,
        /// Write proofs of the hub's country log beside the file, into FILE.proofs; of a record
        /// alone.
        #[arg(long)]
        tlog_proof: bool,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists what does not count for a cut or a fork. Exit code 3 where there is any.
    Quarantine {
        /// A log's origin, as `status` names it; all, where it is left out.
        #[arg(long)]
        log: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists what was refused, the newest first. Exit code 3 where there is any that nobody
    /// dismissed.
    Refusals(refusals::RefusalsArgs),
    /// Dismisses a refusal with a reason; should the same come again, it is open once more.
    Dismiss(refusals::DismissArgs),
    /// Compares what two nodes hold, record by record and field by field. Exit code 3 where they
    /// differ.
    Compare(compare::CompareArgs),
    /// Lists who looked at personal data, the newest first. Exit code 4 where the chain of looks is
    /// not whole.
    Looks(looks::LooksArgs),
    /// Lists who made bundles at this node and who took some in, the newest first. Exit code 4
    /// where that chain is not whole.
    Bundles(bundles::BundlesArgs),
    /// Lists who became a member when, who ceased to be one, and by whose act: enrolments, cuts,
    /// closures, admissions, spares. With --at, who was a member then.
    Members(members::MembersArgs),
    /// Checks an evidence file against the commission's root alone (docs/evidence.md), and where a
    /// policy is given, whether the witnesses that it names saw what the file says.
    VerifyEvidence {
        /// The evidence file.
        file: PathBuf,
        /// The commission's root: a file with its public key.
        #[arg(long)]
        root: PathBuf,
        /// A C2SP tlog-policy: which country logs and which quorum of witnesses are trusted.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// The directory of tlog-proofs; FILE.proofs, where it is left out.
        #[arg(long, requires = "policy")]
        proofs: Option<PathBuf>,
    },
}

/// Kinds of damage told one by one; more are counted.
const DAMAGE_SHOWN_MAX: usize = 1_000;

/// What was found wrong, in the order in which it was found.
#[derive(Default)]
pub(crate) struct AuditReport {
    pub(crate) logs: u64,
    pub(crate) entries: u64,
    pub(crate) signatures: u64,
    pub(crate) damaged: u64,
    pub(crate) damage: Vec<String>,
}

impl AuditReport {
    fn add_damage(&mut self, what: String) {
        self.damaged += 1;
        if self.damage.len() < DAMAGE_SHOWN_MAX {
            self.damage.push(what);
        }
    }
}

pub async fn run(command: AuditCommand, json: bool) -> Result<Exit, Failure> {
    let found = match command {
        AuditCommand::Verify {
            dir,
            config,
            database,
            root,
        } => find_source(&dir, config.as_deref(), database, root)?,
        AuditCommand::Evidence {
            id,
            output,
            tlog_proof,
            force,
            at,
        } => {
            if is_finding(&id) {
                let pack = move || pack_finding(&id, &output, force, &at, json);
                return run_blocking(pack).await;
            }

            output::check_free(&output, force)?;
            let proofs = tlog_proof.then_some(force);
            return run_blocking(move || write_evidence(&id, &output, proofs, &at, json)).await;
        }
        AuditCommand::Quarantine { log, at } => {
            return run_blocking(move || quarantine::list(log.as_deref(), &at, json)).await;
        }
        AuditCommand::Refusals(args) => {
            return run_blocking(move || refusals::list_refusals(args, json)).await;
        }
        AuditCommand::Dismiss(args) => {
            return run_blocking(move || refusals::dismiss_refusal(args, json)).await;
        }
        AuditCommand::Compare(args) => return compare::run(args, json).await,
        AuditCommand::Looks(args) => {
            return run_blocking(move || looks::list_looks(args, json)).await;
        }
        AuditCommand::Bundles(args) => {
            return run_blocking(move || bundles::list_bundles(args, json)).await;
        }
        AuditCommand::Members(args) => {
            return run_blocking(move || members::list(args, json)).await;
        }
        AuditCommand::VerifyEvidence {
            file,
            root,
            policy,
            proofs,
        } => {
            let proofs = proofs.unwrap_or_else(|| country::proofs_of(&file));
            let asked = policy.as_deref().map(|policy| (policy, proofs.as_path()));
            return verify_evidence(&file, &root, asked, json);
        }
    };

    let papers = found.papers.as_deref();
    let report = verify_source(found.source, &found.root, papers, json).await?;
    Ok(print_report(&report, json))
}

fn print_report(report: &AuditReport, json: bool) -> Exit {
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

    if first.is_some() {
        Exit::Integrity
    } else {
        Exit::Done
    }
}

pub(crate) fn root_key(path: &Path) -> Result<RootKey, Failure> {
    let bad = |why: String| Failure::usage("no_root", format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let key = wadi_log::unhex(text.trim()).and_then(|b| b.try_into().ok());
    key.map(RootKey)
        .ok_or_else(|| bad("expected 64 hexadecimal digits".into()))
}
