//! `wadi backup` and `wadi restore`: a copy of a node's database under the node's seal, and back in
//! its place.
//!
//! A backup is two files: the copy, and the manifest that says what it holds. The manifest gets its
//! name last, so that what was cut off has none and is no backup. Neither keys nor the anchor are
//! in it: keys would sign for whoever finds the copy, and an anchor that goes back with its
//! database hides what is missing (docs/backup.md).

mod make;
mod manifest;
mod next_steps;
mod restore;
mod verify;

#[cfg(test)]
mod tests;

use crate::{
    cli::audit::root_key,
    config::Config,
    failure::{Exit, Failure},
    print,
};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use make::make_backup;
pub use restore::restore;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use verify::verify_backup;
use wadi_log::hex;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// The file to write, or a directory in which a file gets the node's name and the time. Nothing
    /// is overwritten.
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The node's configuration.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
}

#[derive(Subcommand)]
pub enum BackupCommand {
    /// Checks a backup: its seal, its bytes, and every leaf, root and signature in it.
    Verify {
        /// The copy; its manifest lies beside it.
        file: PathBuf,
        /// The commission's root: a file with its public key; else that of the configuration's
        /// papers.
        #[arg(long)]
        root: Option<PathBuf>,
        /// The configuration whose papers name the root, and hold the key of a copy that is
        /// encrypted.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
}

#[derive(Args)]
pub struct RestoreArgs {
    /// The copy; its manifest lies beside it.
    file: PathBuf,
    /// The node's configuration.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// Restore although the present database can be read and has come further than the backup.
    #[arg(long)]
    force_older: bool,
}

fn violated(code: &str, why: impl Into<String>) -> Failure {
    Failure {
        exit: Exit::Integrity,
        ..Failure::new(code, why)
    }
}

fn unwritable(path: &Path, e: std::io::Error) -> Failure {
    let code = match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "disk_full",
        _ => "unwritable",
    };
    Failure::new(code, format!("{}: {e}", path.display()))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

fn sync_parent(path: &Path) -> Result<(), Failure> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));

    File::open(parent)
        .and_then(|d| d.sync_all())
        .map_err(|e| unwritable(parent, e))
}

fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

fn bar_of(json: bool, bytes: u64) -> ProgressBar {
    let template = "{bar:40} {bytes}/{total_bytes}  {eta} left";
    print::progress(json, Some(bytes), template)
}

/// Copies to the end; how many bytes there were, and their SHA-256.
fn copy_hashed(
    mut from: impl Read,
    mut to: impl Write,
    bar: &ProgressBar,
) -> std::io::Result<(u64, String)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex(&digest.finalize()))),
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };

        digest.update(&buffer[..n]);
        to.write_all(&buffer[..n])?;
        bytes += n as u64;
        bar.inc(n as u64);
    }
}

pub async fn run(args: BackupArgs, json: bool) -> Result<Exit, Failure> {
    match (args.command, args.output) {
        (Some(BackupCommand::Verify { file, root, config }), _) => {
            let root = match root {
                Some(path) => path,
                None => Config::read(&config)
                    .map(|c| c.papers.join("root.pub"))
                    .map_err(|_| {
                        Failure::usage(
                            "no_root",
                            "name the commission's root with --root FILE (root.pub of any papers)",
                        )
                    })?,
            };

            let papers = Config::read(&config).map(|c| c.papers).ok();
            let (copy, root) = (copy_of(&file), root_key(&root)?);
            verify_backup(&copy, &root, papers.as_deref(), json).await
        }
        (None, Some(output)) => make_backup(&output, &args.config, json).await,
        (None, None) => Err(Failure::usage(
            "no_output",
            "name a file or a directory for the backup with -o",
        )),
    }
}

/// The copy of which somebody named the copy or the manifest.
fn copy_of(file: &Path) -> PathBuf {
    match file.extension() {
        Some(ending) if ending == "manifest" => file.with_extension(""),
        _ => file.to_path_buf(),
    }
}
