//! wadi: the engine that keeps a country's border-crossing records in step.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

/// Entries, documents and JSON are many small pieces: measured, this allocator serves them faster
/// than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod backup;
mod bench;
mod cli;
mod config;
mod daemon;
mod demo;
mod failure;
mod output;
mod pki;
mod ports;
mod print;
mod words;

use clap::{Parser, Subcommand};
use cli::{NodeAt, run_blocking};
use failure::{Exit, Failure};
use std::{path::PathBuf, process::ExitCode};

#[derive(Parser)]
#[command(name = "wadi", version, about, max_term_width = 110)]
struct Cli {
    /// Answer with one JSON object on the last line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
enum CliCommand {
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
        at: NodeAt,
        /// Show it again every second.
        #[arg(long)]
        watch: bool,
        /// Show what went over each link today, by what it was for, and this month.
        #[arg(long)]
        traffic: bool,
    },
    /// Records: new, set, event, show, history, list, at.
    Record {
        #[command(subcommand)]
        command: cli::record::RecordCommand,
    },
    /// Takes operations out of an NDJSON file; what was imported before is not written again. Exit
    /// code 3 where lines were bad, else 5 where a record that was written to is detained.
    Import {
        /// The file, or - for standard input.
        file: PathBuf,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Writes records as NDJSON, CSV or Parquet, with a trailer of row count, filter and digest.
    Export(cli::export::ExportArgs),
    /// Bundles, for the stick in the truck: export, import, receipt, show.
    Bundle {
        #[command(subcommand)]
        command: cli::bundle::BundleCommand,
    },
    /// Findings: contradictions between records; list, show, assign, propose, decide, undo,
    /// recheck.
    Findings {
        #[command(subcommand)]
        command: cli::findings::FindingsCommand,
    },
    /// Officers, policies, cuts and closures: what operators of a hub say.
    Say {
        #[command(subcommand)]
        command: cli::say::SayCommand,
    },
    /// The policy in force: show, diff, set.
    Policy {
        #[command(subcommand)]
        command: cli::policy::PolicyCommand,
    },
    /// The officers whom the hub registered.
    Officers {
        #[command(flatten)]
        at: NodeAt,
    },
    /// The nodes that are enrolled: role, crossing, and whether each is cut, forked,
    /// a spare, or of a closed crossing.
    Members {
        #[command(flatten)]
        at: NodeAt,
    },
    /// The forced resync: plan, run, status, pause, resume, cancel, verify.
    Resync {
        #[command(subcommand)]
        command: cli::resync::ResyncCommand,
    },
    /// Proofs.
    Audit {
        #[command(subcommand)]
        command: cli::audit::AuditCommand,
    },
    /// Tokens for releases while dark: single, and only for what the hub named.
    ReleaseToken {
        #[command(subcommand)]
        command: cli::release_token::ReleaseTokenCommand,
    },
    /// Copies a node's database while the node runs, with a manifest under its seal; `backup
    /// verify` checks such a copy.
    Backup(backup::BackupArgs),
    /// Puts a backup in the place of a stopped node's database, which is kept.
    Restore(backup::RestoreArgs),
    /// The fields and events that records may have, who may set and say them, and their units.
    Schema(cli::schema::SchemaArgs),
    /// Who may use the API.
    Token {
        #[command(subcommand)]
        command: cli::token::TokenCommand,
    },
    /// Who may sign in at this node's console.
    Account {
        #[command(subcommand)]
        command: cli::account::AccountCommand,
    },
    /// A link as thin as you like between two processes: a proxy with rate, delay, queue, loss and
    /// outages.
    Lab(cli::lab::LabArgs),
    /// The figures of docs/performance.md.
    Bench {
        #[command(subcommand)]
        command: bench::BenchCommand,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage(&error),
    };

    // What is written here is for its own user, whatever the umask was: records, keys, tokens, and
    // copies of them.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    if matches!(cli.command, CliCommand::Node { .. }) && !demo::die_with_demonstration() {
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
        Ok(_) if let Some(why) = print::unwritten() => {
            crate::print::print_error!(
                "wadi: standard output: {why}; what was asked for was done all the same \
                 [unwritable]"
            );
            ExitCode::from(Exit::Failed as u8)
        }
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            crate::print::print_error!("wadi: {}", words::failure_text(&failure));
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
fn print_usage(error: &clap::Error) -> ExitCode {
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
        CliCommand::Demo(args) => demo::run(args, json).await,
        CliCommand::Pki { command } => pki::run(command, json),
        CliCommand::Node { command } => daemon::run(command, json).await,

        CliCommand::Status { at, watch, traffic } => {
            run_blocking(move || cli::status::run(&at, watch, traffic, json)).await
        }
        CliCommand::Record { command } => {
            run_blocking(move || cli::record::run(command, json)).await
        }

        CliCommand::Import { file, at } => {
            run_blocking(move || cli::import::run(&at, &file, json)).await
        }
        CliCommand::Export(args) => run_blocking(move || cli::export::run(&args, json)).await,
        CliCommand::Bundle { command } => {
            run_blocking(move || cli::bundle::run(command, json)).await
        }

        CliCommand::Findings { command } => {
            run_blocking(move || cli::findings::run(command, json)).await
        }
        CliCommand::Say { command } => run_blocking(move || cli::say::run(command, json)).await,
        CliCommand::Policy { command } => {
            run_blocking(move || cli::policy::run(command, json)).await
        }
        CliCommand::Officers { at } => {
            run_blocking(move || cli::people::list_officers(&at, json)).await
        }
        CliCommand::Members { at } => {
            run_blocking(move || cli::people::list_members(&at, json)).await
        }
        CliCommand::Resync { command } => {
            run_blocking(move || cli::resync::run(command, json)).await
        }

        CliCommand::Audit { command } => cli::audit::run(command, json).await,
        CliCommand::Backup(args) => backup::run(args, json).await,
        CliCommand::Restore(args) => backup::restore(args, json).await,
        CliCommand::ReleaseToken { command } => {
            run_blocking(move || cli::release_token::run(command, json)).await
        }
        CliCommand::Account { command } => {
            run_blocking(move || cli::account::run(command, json)).await
        }
        CliCommand::Token { command } => run_blocking(move || cli::token::run(command, json)).await,

        CliCommand::Lab(args) => cli::lab::run(args, json).await,
        CliCommand::Bench { command } => bench::run(command, json).await,
        CliCommand::Schema(args) => cli::schema::run(&args, json),
    }
}
