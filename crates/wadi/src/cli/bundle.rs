//! `wadi bundle`: files for the stick in the truck, and receipts to carry back (docs/bundles.md).

use crate::{
    cli::{
        NodeAt, PersonArg,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    output,
    print::{member_text, print_answer, time_text_s},
};
use clap::Subcommand;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};
use wadi_sync::{BUNDLE_BYTES_MAX, BundleFileError, FRONT_BYTES_MAX, Manifest, RECEIPT_BYTES_MAX};

#[derive(Subcommand)]
pub enum BundleCommand {
    /// Writes what a node may take, or with its receipt what it lacks, into files that it alone can
    /// read.
    Export {
        /// The node that is to read it.
        #[arg(long = "for", value_name = "NODE")]
        to: String,
        /// The file to write. With --split, or where it is too large for one, FILE.1, FILE.2 and so
        /// on.
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The last receipt of that node: what it holds by that does not go in again.
        #[arg(long, value_name = "RECEIPT")]
        since_receipt: Option<PathBuf>,
        /// Bytes that a part may have; each can be taken in for itself, in any order.
        #[arg(long, value_name = "BYTES")]
        split: Option<u64>,
        /// Write over files that are there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        person: PersonArg,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Takes files in, in whichever order they are named; what was taken in before changes nothing.
    /// Exit code 3 where something waits for a part that is not there.
    Import {
        /// The files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Then writes a receipt for the sender.
        #[arg(long, value_name = "RECEIPT")]
        receipt_out: Option<PathBuf>,
        /// Write the receipt over a file that is there.
        #[arg(long, requires = "receipt_out")]
        force: bool,
        #[command(flatten)]
        person: PersonArg,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Writes a receipt: what this node holds, for the sender to leave out next time.
    Receipt {
        /// The file to write.
        #[arg(short, long, value_name = "RECEIPT")]
        output: PathBuf,
        /// For whom; the node whose bundle came last, where it is left out.
        #[arg(long = "for", value_name = "NODE")]
        to: Option<String>,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows what a file says of itself, which needs no key, and whether it is whole.
    Show {
        /// The file.
        file: PathBuf,
    },
}

pub fn run(command: BundleCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        BundleCommand::Export {
            to,
            output,
            since_receipt,
            split,
            force,
            person,
            at,
        } => {
            let order = BundleOrder {
                to: &to,
                since_receipt: since_receipt.as_deref(),
                split,
                person: &person,
            };
            export(&order, &output, force, &at, json)
        }

        BundleCommand::Import {
            files,
            receipt_out,
            force,
            person,
            at,
        } => {
            receipt_out
                .iter()
                .try_for_each(|path| output::check_free(path, force))?;

            import(&files, receipt_out.as_deref(), &person, &at, json)
        }

        BundleCommand::Receipt {
            output,
            to,
            force,
            at,
        } => {
            output::check_free(&output, force)?;
            let written = receipt(&Client::at(&at)?, to.as_deref(), &output)?;

            print_answer(json, &written, |_| {
                format!("The receipt is in {}.", output.display())
            });
            Ok(Exit::Done)
        }

        BundleCommand::Show { file } => show_file(&file, json),
    }
}

/// What somebody changed is no mere failure.
fn judged(failure: Failure) -> Failure {
    let changed = ["bundle_changed", "receipt_changed"].contains(&failure.code.as_str());
    Failure {
        exit: if changed {
            Exit::Integrity
        } else {
            failure.exit
        },
        ..failure
    }
}

fn failure(error: BundleFileError) -> Failure {
    judged(Failure::new(error.code, error.why))
}

fn put_failure(value: &mut Value, failure: &Failure) {
    value["error"] = failure.code.as_str().into();
    value["detail"] = failure.why.as_str().into();
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage("unreadable", format!("{}: {why}", path.display()))
}

/// A file's bytes, where it is no larger than it can be.
fn read_file(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let length = std::fs::metadata(path)
        .map_err(|e| unreadable(path, e))?
        .len();
    if length > bytes_max as u64 {
        let why = format!(
            "{}: {length} bytes; the limit is {bytes_max}",
            path.display()
        );
        return Err(Failure::usage("too_large", why));
    }

    std::fs::read(path).map_err(|e| unreadable(path, e))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// What a bundle is to hold.
struct BundleOrder<'a> {
    to: &'a str,
    since_receipt: Option<&'a Path>,
    split: Option<u64>,
    person: &'a PersonArg,
}

fn export(
    order: &BundleOrder<'_>,
    file: &Path,
    force: bool,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    let split = order.split;
    if split.is_none() {
        output::check_free(file, force)?;
    }

    let client = Client::at(at)?;
    let receipt = order.since_receipt.map(read_receipt).transpose()?;
    let body = json!({"for": order.to, "since_receipt": receipt, "split": split});
    let mut planned = client
        .post_patiently(&order.person.on("/v1/bundles"), &body)
        .map_err(judged)?;
    let id = member_text(&planned, "bundle");
    let parts = planned["parts"].as_u64().unwrap_or(0);

    let mut files = Vec::new();
    for part in 1..=parts {
        let bytes = client.get_bytes(&format!("/v1/bundles/{id}/parts/{part}"))?;
        let numbered = split.is_some() || parts > 1;
        let path = if numbered {
            with_suffix(file, &format!(".{part}"))
        } else {
            file.to_path_buf()
        };

        output::check_free(&path, force)?;
        output::write(&path, &bytes)?;
        files.push(json!({"file": path.display().to_string(), "part": part, "bytes": bytes.len()}));
    }

    planned["files"] = files.into();
    let left_out = planned["left_out"].as_array().cloned().unwrap_or_default();
    print_answer(json, &planned, export_text);

    Ok(if left_out.is_empty() {
        Exit::Done
    } else {
        Exit::Open
    })
}

fn read_receipt(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_file(path, RECEIPT_BYTES_MAX)?).map_err(|_| {
        Failure::new(
            "receipt_unreadable",
            format!("{}: not UTF-8", path.display()),
        )
    })
}

fn export_text(v: &Value) -> String {
    let mut out = format!(
        "{} entries of {} logs, {} cosignatures and {} excerpts for {}, in",
        v["entries"],
        v["logs"],
        v["cosignatures"],
        v["excerpts"],
        member_text(v, "for")
    );

    for f in v["files"].as_array().into_iter().flatten() {
        out += &format!("\n  {} ({} bytes)", member_text(f, "file"), f["bytes"]);
    }

    for l in v["left_out"].as_array().into_iter().flatten() {
        out += &format!(
            "\nLEFT OUT: {}: {} [{}]",
            member_text(l, "log"),
            member_text(l, "why"),
            member_text(l, "code")
        );
    }

    out
}

/// A file to be taken in, and what has become of it.
struct BundlePart {
    path: PathBuf,
    /// Whose, from when, which bundle and which part: what comes first is taken in first.
    place: (i64, String, u32),
    sender: String,
    said: Value,
    failure: Option<Failure>,
}

impl BundlePart {
    fn of(path: &Path) -> Self {
        let none = (i64::MAX, String::new(), 0);
        let mut this = Self {
            path: path.into(),
            place: none,
            sender: String::new(),
            said: Value::Null,
            failure: None,
        };

        match front(path) {
            Ok(manifest) => {
                this.place = (manifest.made_s, manifest.bundle, manifest.part);
                this.sender = manifest.from.node;
            }
            Err(failure) => this.failure = Some(failure),
        }

        this
    }

    /// Not taken in yet, or not as a whole.
    fn is_due(&self) -> bool {
        self.failure.is_none() && (self.said.is_null() || self.number("waits") > 0)
    }

    /// What the node said of it, with its name and why it was not taken in.
    fn json(&self) -> Value {
        let mut said = if self.said.is_object() {
            self.said.clone()
        } else {
            json!({})
        };

        said["file"] = self.path.display().to_string().into();
        if let Some(failure) = &self.failure {
            put_failure(&mut said, failure);
        }

        said
    }

    fn number(&self, member: &str) -> u64 {
        self.said[member].as_u64().unwrap_or(0)
    }

    /// Hands it to the node; returns how many entries were new.
    fn import(&mut self, client: &Client, person: &PersonArg) -> u64 {
        let before = self.number("taken");
        let bytes = match read_file(&self.path, BUNDLE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(failure) => {
                self.failure = Some(failure);
                return 0;
            }
        };

        match client.post_bytes(&person.on("/v1/bundles/import"), &bytes) {
            Ok(said) => {
                let already = self.said["already"].clone();
                let new = said["taken"].as_u64().unwrap_or(0);
                self.said = said;
                self.said["taken"] = (before + new).into();
                if !already.is_null() {
                    self.said["already"] = already;
                }

                new
            }
            Err(failure) => {
                self.failure = Some(judged(failure));
                0
            }
        }
    }
}

/// What a file says of itself, without the rest of it.
fn front(path: &Path) -> Result<Manifest, Failure> {
    let file = File::open(path).map_err(|e| unreadable(path, e))?;
    let mut line = Vec::new();
    let mut from = BufReader::new(file).take(FRONT_BYTES_MAX as u64);
    from.read_until(b'\n', &mut line)
        .map_err(|e| unreadable(path, e))?;
    Ok(Manifest::read(&line).map_err(failure)?.0)
}

fn import(
    files: &[PathBuf],
    receipt_out: Option<&Path>,
    person: &PersonArg,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let mut parts: Vec<BundlePart> = files.iter().map(|f| BundlePart::of(f)).collect();
    parts.sort_by(|a, b| a.place.cmp(&b.place));

    let senders: BTreeSet<String> = parts
        .iter()
        .map(|p| p.sender.clone())
        .filter(|s| !s.is_empty())
        .collect();

    if receipt_out.is_some() && senders.len() > 1 {
        let why = "the files are of several senders: take them in without --receipt-out, then \
            `wadi bundle receipt --for`";
        return Err(Failure::usage("receipt_for_whom", why));
    }

    // What waited for a file that came behind it follows in another round.
    loop {
        let new: u64 = parts
            .iter_mut()
            .filter(|p| p.is_due())
            .map(|p| p.import(&client, person))
            .sum();

        if new == 0 || !parts.iter().any(BundlePart::is_due) {
            break;
        }
    }

    let sum = |member: &str| parts.iter().map(|p| p.number(member)).sum::<u64>();
    let mut value = json!({
        "taken": sum("taken"),
        "already": sum("already"),
        "waits": sum("waits"),
        "refused": sum("refused"),
        "cosignatures": sum("cosignatures"),
        "excerpts": sum("excerpts"),
    });
    value["files"] = parts
        .iter()
        .map(BundlePart::json)
        .collect::<Vec<_>>()
        .into();
    let failed: Vec<&BundlePart> = parts.iter().filter(|p| p.failure.is_some()).collect();
    let mut exit = match (value["waits"].as_u64(), value["refused"].as_u64()) {
        (Some(0), Some(0)) => Exit::Done,
        _ => Exit::Open,
    };

    for part in &failed {
        let Some(failure) = &part.failure else {
            continue;
        };
        crate::print::print_error!("wadi: {}: {failure}", part.path.display());
        if value["error"].is_null() || failure.exit == Exit::Integrity {
            put_failure(&mut value, failure);
            exit = failure.exit;
        }
    }

    if let Some(path) = receipt_out
        && failed.len() < parts.len()
    {
        let sender = senders.first().map(String::as_str);
        value["receipt"] = receipt(&client, sender, path)?["receipt"].clone();
    }

    print_answer(json, &value, import_text);
    Ok(exit)
}

fn import_text(v: &Value) -> String {
    let mut out = format!(
        "{} entries taken, {} were here before, {} wait, {} refused; {} cosignatures and {} \
         excerpts are new",
        v["taken"], v["already"], v["waits"], v["refused"], v["cosignatures"], v["excerpts"]
    );

    for file in v["files"].as_array().into_iter().flatten() {
        for w in file["waiting"].as_array().into_iter().flatten() {
            let (held, from, to) = (&w["held"], &w["from"], &w["to"]);
            let part = "bring the part that has them, then this one again";
            out += &format!(
                "\nWAITS: {}: entries {from} to {to} of {} wait for {held} to {from}: {part}",
                member_text(file, "file"),
                member_text(w, "log")
            );
        }

        for r in file["not_taken"].as_array().into_iter().flatten() {
            out += &format!(
                "\nNOT TAKEN: {}: {} [{}]",
                member_text(file, "file"),
                member_text(r, "subject"),
                member_text(r, "code")
            );
        }
    }

    if v["receipt"].is_string() {
        out += &format!(
            "\nThe receipt is in {}: carry it back.",
            member_text(v, "receipt")
        );
    }

    out
}

/// Fetches a receipt and writes it.
fn receipt(client: &Client, to: Option<&str>, file: &Path) -> Result<Value, Failure> {
    let query = to
        .map(|to| format!("?for={}", percent_encode(to)))
        .unwrap_or_default();
    let text = client.get_text(&format!("/v1/bundles/receipt{query}"))?;
    output::write(file, text.as_bytes())?;
    Ok(json!({"receipt": file.display().to_string(), "bytes": text.len()}))
}

fn show_file(file: &Path, json: bool) -> Result<Exit, Failure> {
    let bytes = read_file(file, BUNDLE_BYTES_MAX)?;
    let (manifest, seal, body) = Manifest::read(&bytes).map_err(failure)?;

    // Under whose root the maker is enrolled, only a node can say.
    let sound = manifest
        .maker()
        .and_then(|maker| seal.verify(&maker))
        .and_then(|()| manifest.check_body(body));
    let mut value = serde_json::to_value(&manifest).unwrap_or_default();

    value["whole"] = sound.is_ok().into();
    let exit = match sound {
        Ok(()) => Exit::Done,
        Err(error) => {
            let failure = failure(error);
            put_failure(&mut value, &failure);
            failure.exit
        }
    };

    print_answer(json, &value, |v| {
        let c = &v["counts"];
        let mut out = format!(
            "bundle {}, part {} of {}\nfrom {} for {}, made {}\n{} entries in {} blocks, {} \
             cosignatures, {} excerpts, \
             {} enrolments, {} fork proofs; {} bytes",
            member_text(v, "bundle"),
            v["part"],
            v["parts"],
            manifest.from.name,
            manifest.to.name,
            time_text_s(manifest.made_s),
            c["entries"],
            c["blocks"],
            c["cosignatures"],
            c["excerpts"],
            c["enrolments"],
            c["forks"],
            v["bytes"]
        );

        for l in &manifest.logs {
            let carried = if l.carried { ", carried" } else { "" };
            out += &format!("\n  {} {}..{}{carried}", l.log, l.from, l.to);
        }

        match v["detail"].as_str() {
            Some(why) => out + &format!("\nNOT WHOLE: {why} [{}]", member_text(v, "error")),
            None => out + "\nThe file is whole.",
        }
    });

    Ok(exit)
}
