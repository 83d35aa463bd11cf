//! `wadi export`: records as NDJSON, CSV or Parquet, page by page in memory that does not grow with
//! their number.
//!
//! The file gets its name only when it is whole: an export that was cut short leaves `FILE.part`,
//! and says so. What is no file, as a pipe or a device, is written into.

mod columns;
mod formats;
mod target;
mod writer;

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, print_answer},
};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use target::ExportTarget;
use writer::write_export;

/// Records asked for at once.
const PAGE_RECORDS: usize = 500;

/// How the records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ExportFormat {
    /// A JSON object a line, whole; the last line is the trailer.
    Ndjson,
    /// RFC 4180, a column a field; a text that a spreadsheet would take for a formula begins with
    /// an apostrophe. The trailer is a file beside it.
    Csv,
    /// Apache Parquet, the same columns; the trailer is a file beside it, and in its metadata.
    Parquet,
}

/// Which records, and where to.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The file, or - for standard output (NDJSON and CSV).
    #[arg(short, long, default_value = "-")]
    output: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
    #[arg(long, value_enum, default_value = "ndjson")]
    format: ExportFormat,
    /// passage, hold, customs-entry or site-day.
    #[arg(long)]
    kind: Option<String>,
    /// The crossing's code, as TRB.
    #[arg(long)]
    crossing: Option<String>,
    /// A state's name or a flag.
    #[arg(long)]
    state: Option<String>,
    /// The vehicle's plate.
    #[arg(long)]
    plate: Option<String>,
    /// Only those with contested fields.
    #[arg(long)]
    contested: bool,
    #[command(flatten)]
    at: NodeAt,
}

pub fn run(args: &ExportArgs, as_json: bool) -> Result<Exit, Failure> {
    let target = ExportTarget::of(&args.output, args.format, args.force)?;
    let client = Client::at(&args.at)?;
    let mut filter = Map::new();
    let named = [
        ("kind", &args.kind),
        ("crossing", &args.crossing),
        ("state", &args.state),
        ("plate", &args.plate),
    ];

    filter.extend(
        named
            .into_iter()
            .filter_map(|(n, v)| Some((n.to_string(), v.as_deref()?.into()))),
    );

    if args.contested {
        filter.insert("contested".into(), true.into());
    }

    let mut query = format!("/v1/records?limit={PAGE_RECORDS}");
    for (name, value) in &filter {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), percent_encode);
        query += &format!("&{name}={value}");
    }

    // In the order of their ids: a record that changes meanwhile is neither missed nor written
    // twice.
    let mut after = "0".repeat(64);
    let bar = print::progress(
        as_json || args.output == Path::new("-"),
        None,
        "{spinner} {pos} records  {per_sec}",
    );

    let pages = || -> Result<Vec<Value>, Failure> {
        let mut page = client.get(&format!("{query}&after={after}"))?;
        let Value::Array(records) = page["records"].take() else {
            return Err(Failure::new(
                "bad_answer",
                "the node's answer holds no records",
            ));
        };

        if let Some(last) = records.last().and_then(|r| r["record"].as_str()) {
            after = last.to_string();
        }

        bar.inc(records.len() as u64);
        Ok(records)
    };

    let trailer = write_export(&target, args.format, filter, pages)?;
    bar.finish_and_clear();
    // A reader that closed its pipe was told nothing more.
    if !matches!(target, ExportTarget::Stdout) && !trailer.is_null() {
        print_answer(as_json, &trailer, |t| {
            let t = &t["export"];
            format!(
                "{} records in {}, SHA-256 {}",
                t["rows"],
                args.output.display(),
                t["sha256"].as_str().unwrap_or("")
            )
        });
    }

    Ok(Exit::Done)
}
