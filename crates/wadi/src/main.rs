//! wadi: the engine that keeps a country's border-crossing records in step.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

/// Entries, documents and JSON are many small pieces: measured, this allocator serves them faster
/// than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod audit;
mod backup;
mod bench;
mod bench_hub;
mod bench_link;
mod bench_pair;
mod bundle;
mod check;
mod client;
mod commands;
mod compare;
mod config;
mod daemon;
mod demo;
mod export;
mod failure;
mod findings;
mod links;
mod log_sink;
mod output;
mod pki;
mod print;
mod quarantine;
mod resync;
mod tls;

use clap::{Args, Parser, Subcommand};
use failure::{Exit, Failure};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "wadi", version, about, max_term_width = 110)]
struct Cli {
    /// Answer with one JSON object on the last line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Which running node to talk to.
#[derive(Args, Clone, Debug)]
// Its group would have the name of the command `record at`, and clap takes a name once.
#[group(skip)]
pub struct At {
    /// The node's configuration; its directory holds the operator's token.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// The node's HTTP address, where it is not the one in the configuration.
    #[arg(long)]
    url: Option<String>,
    /// A bearer token, where it is not the operator's own of this machine.
    #[arg(long, env = "WADI_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// The whole network on this machine: six crossings and the hub, traffic, and links that come
    /// and go.
    Demo(demo::DemoArgs),
    /// The commission's certificate authority.
    Pki {
        #[command(subcommand)]
        command: pki::PkiCommand,
    },
    /// The daemon, in the role its papers give.
    Node {
        #[command(subcommand)]
        command: daemon::NodeCommand,
    },
    /// How a node and its peers stand.
    Status {
        #[command(flatten)]
        at: At,
        /// Show it again every second.
        #[arg(long)]
        watch: bool,
    },
    /// Records: new, set, event, show, history, list, at.
    Record {
        #[command(subcommand)]
        command: commands::RecordCommand,
    },
    /// Takes operations out of an NDJSON file; what was imported before is not written again.
    Import {
        /// The file, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Writes records as NDJSON, CSV or Parquet, with a trailer of row count, filter and digest.
    Export(export::ExportArgs),
    /// Bundles, for the stick in the truck: export, import, receipt, show.
    Bundle {
        #[command(subcommand)]
        command: bundle::BundleCommand,
    },
    /// Findings: contradictions between records; list, show, assign, propose, decide, undo,
    /// recheck.
    Findings {
        #[command(subcommand)]
        command: findings::FindingsCommand,
    },
    /// Officers, policies, cuts and closures: what operators of a hub say.
    Say {
        #[command(subcommand)]
        command: commands::SayCommand,
    },
    /// The forced resync: plan, run, status, pause, resume, cancel, verify.
    Resync {
        #[command(subcommand)]
        command: resync::ResyncCommand,
    },
    /// Proofs.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Copies a node's database while the node runs, with a manifest under its seal; `backup
    /// verify` checks such a copy.
    Backup(backup::BackupArgs),
    /// Puts a backup in the place of a stopped node's database, which is kept.
    Restore(backup::RestoreArgs),
    /// Who may use the API.
    Token {
        #[command(subcommand)]
        command: commands::TokenCommand,
    },
    /// The figures of docs/performance.md.
    Bench {
        #[command(subcommand)]
        command: bench::BenchCommand,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return told_of_usage(&error),
    };

    // What is written here is for its own user, whatever the umask was: records, keys, tokens, and
    // copies of them.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if matches!(cli.command, Command::Node { .. }) && !demo::die_with_demonstration() {
        return ExitCode::from(1);
    }

    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::print::print_error!("wadi: {error}");
            return ExitCode::from(1);
        }
    };

    let json = cli.json;
    let outcome = runtime.block_on(run(cli));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));

    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            crate::print::print_error!("wadi: {failure}");
            if json {
                // Standard output may be what failed.
                let told = serde_json::json!({"error": failure.code, "detail": failure.why});
                print::print_line!("{told}");
            }

            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Help and versions, which were asked for, and command lines that do not read.
fn told_of_usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    // A script that asked for JSON reads this as it reads any other failure.
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let why = error.to_string();
        let why = why
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("error: ");

        let told = serde_json::json!({"error": "usage", "detail": why});
        print::print_line!("{told}");
    }

    let exit = if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    };

    ExitCode::from(exit as u8)
}

async fn run(cli: Cli) -> Result<Exit, Failure> {
    let json = cli.json;
    match cli.command {
        Command::Demo(args) => demo::run(args, json).await,
        Command::Pki { command } => pki::run(command, json),
        Command::Node { command } => daemon::run(command, json).await,
        Command::Audit { command } => audit::run(command, json).await,
        Command::Backup(args) => backup::run(args, json).await,
        Command::Restore(args) => backup::restore(args, json).await,
        Command::Bench { command } => bench::run(command, json).await,
        // The commands that talk to a running node block: they are nobody's but the user's.
        other => tokio::task::spawn_blocking(move || match other {
            Command::Status { at, watch } => commands::status(&at, watch, json),
            Command::Record { command } => commands::record(command, json),
            Command::Import { file, at } => commands::import(&at, &file, json),
            Command::Export(args) => export::export(&args, json),
            Command::Bundle { command } => bundle::run(command, json),
            Command::Findings { command } => findings::run(command, json),
            Command::Resync { command } => resync::run(command, json),
            Command::Say { command } => commands::say(command, json),
            Command::Token { command } => commands::token(command, json),
            _ => unreachable!("taken above"),
        })
        .await
        .map_err(|e| Failure::new("panicked", e.to_string()))?,
    }
}
