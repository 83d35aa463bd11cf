//! `wadi say`: officers, policies, cuts and closures, as operators of a hub have them.

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::print_answer,
};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::Path;

#[derive(Subcommand)]
pub enum SayCommand {
    /// Registers an officer, or with --revoke ends the registration.
    Officer {
        officer: String,
        department: String,
        #[arg(long)]
        crossing: Option<String>,
        #[arg(long)]
        supervisor: bool,
        #[arg(long)]
        revoke: bool,
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Sets the policy out of a JSON file; what it leaves out takes its default.
    Policy {
        file: std::path::PathBuf,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Enrols a node by the file `enrolment` of its papers.
    Enrol {
        file: std::path::PathBuf,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Cuts a node: nothing that this hub does not hold of it by now will count.
    Cut {
        node: String,
        #[arg(long, default_value = "revoked")]
        reason: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lets entries past a cut, or on another branch of a forked log, count: single ones, or all of
    /// a log's.
    Admit {
        /// The entries, as `audit quarantine` names them.
        #[arg(required_unless_present = "log", conflicts_with = "log")]
        entries: Vec<String>,
        /// A log's origin: everything of it that is in quarantine.
        #[arg(long)]
        log: Option<String>,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Declares a crossing closed since a Unix time in seconds.
    Closure {
        crossing: String,
        closed_s: i64,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: NodeAt,
    },
}

pub fn run(command: SayCommand, json: bool) -> Result<Exit, Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|e| Failure::usage("unreadable", format!("{}: {e}", path.display())))
    };
    let (at, body) = match command {
        SayCommand::Officer {
            officer,
            department,
            crossing,
            supervisor,
            revoke,
            name,
            at,
        } => (
            at,
            json!({
                "say": "officer",
                "officer": officer,
                "department": department,
                "crossing": crossing,
                "supervisor": supervisor,
                "revoked": revoke,
                "name": name,
            }),
        ),
        SayCommand::Policy { file, at } => {
            let policy: Value = serde_json::from_str(&read(&file)?)
                .map_err(|e| Failure::usage("broken_json", format!("{}: {e}", file.display())))?;
            (at, json!({"say": "policy", "policy": policy}))
        }
        SayCommand::Enrol { file, at } => (
            at,
            json!({"say": "enrol", "enrolment": read(&file)?.trim()}),
        ),
        SayCommand::Cut { node, reason, at } => (
            at,
            json!({"say": "cut_node", "node": node, "reason": reason}),
        ),
        SayCommand::Admit {
            log: Some(log),
            reason,
            at,
            ..
        } => {
            return super::audit::admit_log(&log, &reason, &at, json);
        }
        SayCommand::Admit {
            entries,
            reason,
            at,
            ..
        } => (
            at,
            json!({"say": "admit", "entries": entries, "reason": reason}),
        ),
        SayCommand::Closure {
            crossing,
            closed_s,
            reason,
            at,
        } => (
            at,
            json!({"say": "closure", "crossing": crossing, "closed_s": closed_s, "reason": reason}),
        ),
    };

    let value = Client::at(&at)?.post("/v1/control", &body)?;
    print_answer(json, &value, |v| {
        format!("said: {}", v["entries"][0].as_str().unwrap_or_default())
    });

    Ok(Exit::Done)
}
