//! `wadi say`: officers, policies, cuts and closures, as operators of a hub have them.

use super::{
    confirm::{ConfirmArgs, say_control},
    policy::{read, read_policy},
    signing::read_public_key,
};
use crate::{
    cli::{NodeAt, PersonArg, client::Client},
    failure::{Exit, Failure},
};
use clap::Subcommand;
use serde_json::{Value, json};
use wadi_record::read_time_ms;

/// Unix seconds of a time as people write it, or as a number of them.
fn unix_seconds(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }

    read_time_ms(text)
        .map(|at_ms| at_ms.div_euclid(1_000))
        .map_err(|_| "a time as 2026-03-01T08:00:00Z, or Unix time in seconds".into())
}

#[derive(Subcommand)]
pub enum SayCommand {
    /// Registers an officer, or with --revoke ends the registration.
    Officer {
        /// The officer's service number.
        officer: String,
        /// The department's code, as VET.
        department: String,
        /// The one crossing where the officer serves; any, where it is left out.
        #[arg(long)]
        crossing: Option<String>,
        /// The officer is a supervisor.
        #[arg(long)]
        supervisor: bool,
        /// End the registration.
        #[arg(long)]
        revoke: bool,
        /// The officer's name, for people.
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        person: PersonArg,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Names an officer's own key, which may sign decisions, or with --take-back ends that. Several
    /// may stand beside each other: a card, and the one kept for its loss.
    OfficerKey {
        /// The officer's service number.
        officer: String,
        /// The file of an OpenSSH public key, type ed25519.
        key: std::path::PathBuf,
        /// It signs no longer.
        #[arg(long)]
        take_back: bool,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Sets values of the policy out of a JSON file; what it leaves out stays as it is. `wadi
    /// policy` shows it, compares and sets single values.
    Policy {
        /// The JSON file.
        file: std::path::PathBuf,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Enrols a node by the file `enrolment` of its papers.
    Enrol {
        /// The file `enrolment`.
        file: std::path::PathBuf,
        #[command(flatten)]
        person: PersonArg,
        #[command(flatten)]
        at: NodeAt,
    },
    #[command(flatten)]
    OfNode(OfNodeCommand),
    /// Lets entries past a cut, or on another branch of a forked log, count: single ones, or all of
    /// a log's.
    Admit {
        /// The entries, as `audit quarantine` names them.
        #[arg(required_unless_present = "log", conflicts_with = "log")]
        entries: Vec<String>,
        /// A log's origin: everything of it that is in quarantine.
        #[arg(long)]
        log: Option<String>,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Declares a crossing closed since a time.
    Closure {
        /// The crossing's code, as TRB.
        crossing: String,
        /// Since when, as 2026-03-01T08:00:00Z or as Unix time in seconds.
        #[arg(value_parser = unix_seconds)]
        closed_s: i64,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
}

/// What is said of a node's membership.
#[derive(Subcommand)]
pub enum OfNodeCommand {
    /// Cuts a node: nothing that this hub does not hold of it by now will count. Or carries a cut
    /// that the root signed, at any node.
    Cut {
        #[command(flatten)]
        cut: CutArgs,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Ends a node because another one goes on in its place: its log key or its machine was
    /// replaced. All that this hub holds of it counts on.
    Succeed {
        /// The node that ends.
        node: String,
        /// The node that goes on, of the same crossing.
        #[arg(long)]
        by: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Takes back what hubs said against a node as a whole: all that it said counts again. What the
    /// root signed is the root's to take back.
    Uncut {
        /// The node's name.
        node: String,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Declares that a node which was enrolled and never heard is a spare: nobody waits for it
    /// until it is heard. It takes an operator's token that names its person.
    Spare {
        /// The node's name.
        node: String,
        /// It is a spare no longer.
        #[arg(long)]
        end: bool,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
}

/// What is cut, and where the cut falls.
#[derive(clap::Args)]
pub struct CutArgs {
    /// The node's name.
    #[arg(required_unless_present = "signed", conflicts_with = "signed")]
    node: Option<String>,
    /// Why, for people.
    #[arg(long, default_value = "revoked")]
    reason: String,
    /// Nothing that the node ever said counts.
    #[arg(long, conflicts_with_all = ["since", "signed"])]
    all: bool,
    /// Only what a hub had cosigned by then counts, as 2026-11-24T08:00:00Z.
    #[arg(long, conflicts_with = "signed")]
    since: Option<String>,
    /// A file that `wadi pki cut` wrote.
    #[arg(long)]
    signed: Option<std::path::PathBuf>,
}

impl CutArgs {
    fn body(&self) -> Result<Value, Failure> {
        Ok(match &self.signed {
            Some(file) => json!({"say": "cut_signed", "cut": read(file)?.trim()}),
            None => json!({
                "say": "cut_node",
                "node": self.node,
                "reason": self.reason,
                "all": self.all,
                "since_ms": self.since.as_deref().map(moment_ms).transpose()?,
            }),
        })
    }
}

pub fn run(command: SayCommand, json: bool) -> Result<Exit, Failure> {
    let said = match command {
        SayCommand::Admit {
            log: Some(log),
            reason,
            confirm,
            at,
            ..
        } => return super::audit::admit_log(&log, &reason, &confirm, &at, json),
        command => said(command)?,
    };

    say_control(&Client::at(&said.at)?, &said.body, &said.confirm, json)
}

/// What is said, at which node, and whether its effect is shown first.
struct SaidControl {
    at: NodeAt,
    confirm: ConfirmArgs,
    body: Value,
}

fn said(command: SayCommand) -> Result<SaidControl, Failure> {
    let (at, confirm, body) = match command {
        SayCommand::Officer {
            officer,
            department,
            crossing,
            supervisor,
            revoke,
            name,
            person,
            at,
        } => (
            at,
            ConfirmArgs::unasked(person),
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
        SayCommand::OfficerKey {
            officer,
            key,
            take_back,
            confirm,
            at,
        } => {
            let key = read_public_key(&key)?;
            let body = json!({
                "say": "officer_key", "officer": officer, "key": key, "taken_back": take_back,
            });
            (at, confirm, body)
        }
        SayCommand::Policy { file, confirm, at } => {
            let policy = read_policy(&file)?;
            (at, confirm, json!({"say": "policy", "policy": policy}))
        }
        SayCommand::Admit {
            entries,
            reason,
            confirm,
            at,
            ..
        } => (
            at,
            confirm,
            json!({"say": "admit", "entries": entries, "reason": reason}),
        ),
        SayCommand::Closure {
            crossing,
            closed_s,
            reason,
            confirm,
            at,
        } => (
            at,
            confirm,
            json!({"say": "closure", "crossing": crossing, "closed_s": closed_s, "reason": reason}),
        ),
        SayCommand::Enrol { file, person, at } => (
            at,
            ConfirmArgs::unasked(person),
            json!({"say": "enrol", "enrolment": read(&file)?.trim()}),
        ),
        SayCommand::OfNode(of_node) => of_node.said()?,
    };

    Ok(SaidControl { at, confirm, body })
}

impl OfNodeCommand {
    /// At which node it is said, whether its effect is shown first, and what.
    fn said(self) -> Result<(NodeAt, ConfirmArgs, Value), Failure> {
        Ok(match self {
            Self::Cut { cut, confirm, at } => (at, confirm, cut.body()?),
            Self::Succeed {
                node,
                by,
                reason,
                confirm,
                at,
            } => (
                at,
                confirm,
                json!({"say": "succeed_node", "node": node, "by": by, "reason": reason}),
            ),
            Self::Uncut {
                node,
                reason,
                confirm,
                at,
            } => (
                at,
                confirm,
                json!({"say": "uncut_node", "node": node, "reason": reason}),
            ),
            Self::Spare {
                node,
                end,
                reason,
                confirm,
                at,
            } => (
                at,
                confirm,
                json!({"say": "spare", "node": node, "end": end, "reason": reason}),
            ),
        })
    }
}

/// A moment that somebody typed, Unix milliseconds.
pub(super) fn moment_ms(text: &str) -> Result<i64, Failure> {
    read_time_ms(text).map_err(|e| {
        let why = format!("{text:?}: {e}; a time is written as 2026-11-24T08:00:00Z");
        Failure::usage("bad_time", why)
    })
}
