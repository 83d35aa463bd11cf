//! `wadi export`: records as NDJSON, CSV or Parquet, page by page in memory that does not grow with
//! their number.
//!
//! The file gets its name only when it is whole: an export that was cut short leaves `FILE.part`,
//! and says so.

use crate::{
    At,
    client::Client,
    commands::{percent, tell},
    failure::{Exit, Failure},
};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_record::FIELDS;

/// Records asked for at once.
const PAGE: usize = 500;
/// Rows of a Parquet row group: what is held in memory while one is written.
const GROUP_ROWS: usize = 2_000;

/// How the records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
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
    format: Format,
    /// passage, hold, customs-entry or site-day.
    #[arg(long)]
    kind: Option<String>,
    #[arg(long)]
    crossing: Option<String>,
    /// A state's name or a flag.
    #[arg(long)]
    state: Option<String>,
    #[arg(long)]
    plate: Option<String>,
    /// Only those with contested fields.
    #[arg(long)]
    contested: bool,
    #[command(flatten)]
    at: At,
}

pub fn export(args: &ExportArgs, as_json: bool) -> Result<Exit, Failure> {
    if args.output != Path::new("-") {
        crate::output::check_free(&args.output, args.force)?;
    }

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

    let mut query = format!("/v1/records?limit={PAGE}");
    for (name, value) in &filter {
        let value = value.as_str().map_or_else(|| value.to_string(), percent);
        query += &format!("&{name}={value}");
    }

    // In the order of their ids: a record that changes meanwhile is neither missed nor written
    // twice.
    let mut after = "0".repeat(64);
    let bar = if as_json || args.output == Path::new("-") {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };

    bar.set_style(
        indicatif::ProgressStyle::with_template("{spinner} {pos} records  {per_sec}")
            .expect("a fixed template"),
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

    let trailer = write_export(&args.output, args.format, filter, pages)?;
    bar.finish_and_clear();
    if args.output != Path::new("-") {
        tell(as_json, &trailer, |t| {
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

/// What everything written goes through: its digest is the trailer's.
struct Hashing<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.digest.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Standard output, which a reader may close when it has seen enough (`wadi export -o - | head`).
struct ToReader {
    closed: Arc<AtomicBool>,
}

impl Write for ToReader {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().write(bytes).inspect_err(|e| self.note(e))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush().inspect_err(|e| self.note(e))
    }
}

impl ToReader {
    fn note(&self, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            self.closed.store(true, Ordering::Relaxed);
        }
    }
}

/// Writes page after page until an empty one, and the trailer: rows, filter and SHA-256 of what was
/// written.
fn write_export(
    output: &Path,
    format: Format,
    filter: Map<String, Value>,
    mut pages: impl FnMut() -> Result<Vec<Value>, Failure>,
) -> Result<Value, Failure> {
    let to_stdout = output == Path::new("-");
    if to_stdout && format == Format::Parquet {
        return Err(Failure::usage(
            "needs_a_file",
            "Parquet is not written to standard output: give -o FILE",
        ));
    }

    let part = beside(output, "part");
    let failed =
        |e: std::io::Error| Failure::new("unwritable", format!("{}: {e}", output.display()));
    let closed = Arc::new(AtomicBool::new(false));
    let inner: Box<dyn Write + Send> = match to_stdout {
        true => Box::new(ToReader {
            closed: closed.clone(),
        }),
        false => Box::new(std::fs::File::create(&part).map_err(failed)?),
    };

    let filter = Value::Object(filter);
    let out = Hashing {
        inner: BufWriter::new(inner),
        digest: Sha256::new(),
    };
    let written = match format {
        Format::Ndjson => write_ndjson(out, &mut pages),
        Format::Csv => write_csv(out, &mut pages),
        Format::Parquet => write_parquet(out, &filter, &mut pages),
    };

    // A reader that closes the pipe has what it wanted: that is no failure, as with any tool that
    // writes lines.
    if written.is_err() && closed.load(Ordering::Relaxed) {
        return Ok(Value::Null);
    }

    let (rows, mut out) = written.map_err(|f| {
        let left = if to_stdout {
            String::new()
        } else {
            format!("; what was written until then is in {}", part.display())
        };

        Failure {
            why: format!("the export was cut short: {}{left}", f.why),
            ..f
        }
    })?;

    let sha256 = wadi_log::hex(&out.digest.clone().finalize());
    let name = format.to_possible_value().map(|v| v.get_name().to_string());
    let trailer =
        json!({"export": {"rows": rows, "format": name, "filter": filter, "sha256": sha256}});
    let told = if format == Format::Ndjson {
        writeln!(out, "{trailer}")
    } else {
        Ok(())
    };

    match told.and_then(|()| out.flush()) {
        Err(_) if closed.load(Ordering::Relaxed) => return Ok(Value::Null),
        ended => ended.map_err(failed)?,
    }

    if to_stdout {
        if format == Format::Csv {
            crate::print::print_error!("{trailer}");
        }
        return Ok(trailer);
    }

    out.inner.into_inner().map_err(|e| failed(e.into_error()))?;
    std::fs::File::open(&part)
        .and_then(|f| f.sync_all())
        .map_err(failed)?;
    if format == Format::Ndjson {
        std::fs::rename(&part, output).map_err(failed)?;
        return Ok(trailer);
    }

    // The trailer comes last, and that of an earlier export goes first: it never stands beside
    // another file than its own.
    let trailer_file = beside(output, "trailer.json");
    match std::fs::remove_file(&trailer_file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }

    std::fs::rename(&part, output).map_err(failed)?;
    std::fs::write(&trailer_file, format!("{trailer}\n")).map_err(failed)?;
    Ok(trailer)
}

fn beside(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

type Out = Hashing<BufWriter<Box<dyn Write + Send>>>;
type Pages<'a> = &'a mut dyn FnMut() -> Result<Vec<Value>, Failure>;

fn each_page(
    pages: Pages,
    mut take: impl FnMut(Vec<Value>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut rows = 0;
    loop {
        let page = pages()?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows += page.len() as u64;
        take(page)?;
    }
}

fn write_ndjson(mut out: Out, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: std::io::Error| Failure::new("unwritable", e.to_string());
    let rows = each_page(pages, |page| {
        page.iter()
            .try_for_each(|record| writeln!(out, "{record}"))
            .map_err(failed)
    })?;

    Ok((rows, out))
}

/// A column of the flat formats.
struct Column {
    name: String,
    number: bool,
}

/// Columns of the flat formats: what every record has, every field that is there once, and JSON for
/// the rest.
fn columns() -> Vec<Column> {
    let text = |name: &str| Column {
        name: name.into(),
        number: false,
    };
    let mut out: Vec<Column> = [
        "id", "record", "kind", "crossing", "state", "flags", "safety",
    ]
    .into_iter()
    .map(text)
    .collect();

    out.push(Column {
        name: "changed".into(),
        number: true,
    });

    let mut fields = BTreeMap::new();
    for row in FIELDS.iter().filter(|row| !repeats(row.name)) {
        fields.entry(row.name).or_insert(row.value.is_number());
    }

    out.extend(fields.into_iter().map(|(name, number)| Column {
        name: name.into(),
        number,
    }));
    out.extend(["more_fields", "contested", "events"].into_iter().map(text));

    out
}

fn repeats(field: &str) -> bool {
    field.split('.').any(|part| part == "N")
}

/// What stands in a column of a record; `None` for nothing.
fn cell(record: &Value, column: &Column) -> Option<Value> {
    let words = |v: &Value| {
        let all: Vec<&str> = v
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();

        Value::from(all.join(" "))
    };

    let value = match column.name.as_str() {
        name @ ("id" | "record" | "kind" | "crossing" | "state" | "safety" | "changed") => {
            record[name].clone()
        }
        "flags" => words(&record["flags"]),
        "contested" | "events" => Value::from(record[&column.name].to_string()),
        "more_fields" => {
            let known = columns();
            let is_column = |name: &str| known.iter().any(|c| c.name == name);
            let fields = record["fields"].as_object().cloned().unwrap_or_default();
            let more: Map<String, Value> = fields
                .into_iter()
                .filter(|(name, _)| !is_column(name))
                .collect();

            Value::from(Value::Object(more).to_string())
        }
        field => record["fields"][field].clone(),
    };

    match &value {
        Value::Null => None,
        // A value that does not fit its column is not bent: it stands in the record's own JSON, in
        // NDJSON.
        Value::Number(_) if !column.number => Some(Value::from(value.to_string())),
        Value::String(_) if column.number => None,
        _ => Some(value),
    }
}

/// A text that no spreadsheet takes for a formula: behind an apostrophe it is text. One that begins
/// with an apostrophe gets another, so that to take one away is to have what was recorded.
fn no_formula(text: String) -> String {
    // The last four are as wide as their letters are in the east, and stand for the same.
    let begins = [
        '=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠',
    ];
    if text.trim_start_matches(' ').starts_with(begins) {
        format!("'{text}")
    } else {
        text
    }
}

fn write_csv(out: Out, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: csv::Error| Failure::new("unwritable", e.to_string());
    let columns = columns();
    let mut writer = csv::Writer::from_writer(out);
    writer
        .write_record(columns.iter().map(|c| &c.name))
        .map_err(failed)?;

    let rows = each_page(pages, |page| {
        page.iter().try_for_each(|record| {
            let cells = columns.iter().map(|c| match cell(record, c) {
                None => String::new(),
                Some(Value::String(text)) => no_formula(text),
                Some(other) => other.to_string(),
            });
            writer.write_record(cells).map_err(failed)
        })
    })?;

    let out = writer
        .into_inner()
        .map_err(|e| Failure::new("unwritable", e.to_string()))?;

    Ok((rows, out))
}

fn write_parquet(out: Out, filter: &Value, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: parquet::errors::ParquetError| Failure::new("unwritable", e.to_string());
    let columns = columns();
    let lines: Vec<String> = columns
        .iter()
        .map(|c| match c.number {
            true => format!("optional int64 {};", c.name),
            false => format!("optional binary {} (UTF8);", c.name),
        })
        .collect();

    let schema =
        parse_message_type(&format!("message record {{ {} }}", lines.join(" "))).map_err(failed)?;
    let about = KeyValue::new("wadi.export.filter".to_string(), filter.to_string());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![about]))
        // What is kept of each group until the end is all that grows with the records: no more of
        // it than readers need.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();

    let mut writer =
        SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let mut held: Vec<Value> = Vec::new();
    let mut write_group = |rows: &[Value]| -> parquet::errors::Result<()> {
        let mut group = writer.next_row_group()?;
        for column in &columns {
            let cells: Vec<Option<Value>> = rows.iter().map(|r| cell(r, column)).collect();
            let levels: Vec<i16> = cells.iter().map(|c| i16::from(c.is_some())).collect();
            let mut to = group
                .next_column()?
                .expect("a writer for each column of the schema");

            if column.number {
                let values: Vec<i64> = cells.iter().flatten().filter_map(Value::as_i64).collect();
                to.typed::<Int64Type>()
                    .write_batch(&values, Some(&levels), None)?;
            } else {
                let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), String::from);
                let values: Vec<ByteArray> = cells
                    .iter()
                    .flatten()
                    .map(|v| ByteArray::from(text(v).as_str()))
                    .collect();

                to.typed::<ByteArrayType>()
                    .write_batch(&values, Some(&levels), None)?;
            }

            to.close()?;
        }

        group.close()?;
        Ok(())
    };

    let rows = each_page(pages, |page| {
        held.extend(page);
        if held.len() >= GROUP_ROWS {
            write_group(&held).map_err(failed)?;
            held.clear();
        }
        Ok(())
    })?;

    if !held.is_empty() {
        write_group(&held).map_err(failed)?;
    }

    Ok((rows, writer.into_inner().map_err(failed)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    fn records(from: usize, to: usize) -> Vec<Value> {
        let record = |n: usize| {
            json!({
                "id": format!("TRB-P-{n}"), "record": format!("{n:064x}"), "kind": "passage", "crossing": "TRB",
                "state": "EXITED", "flags": ["CONTESTED"], "safety": "at_hub", "changed": n,
                "fields": {"vehicle.plate": "22 أ \"1\",2", "lane": 3, "container.1": "MSKU1234565"},
                "contested": {"transit.ref": [{"value": "T1"}, {"value": "T2"}]}, "events": [{"type": "gate.in"}],
            })
        };

        (from..to).map(record).collect()
    }

    fn run(dir: &Path, format: Format, rows: usize) -> (PathBuf, Value) {
        let path = dir.join("out");
        let mut at = 0;
        let pages = || {
            let page = records(at, rows.min(at + PAGE));
            at += page.len();
            Ok(page)
        };

        let trailer = write_export(
            &path,
            format,
            Map::from_iter([("kind".into(), "passage".into())]),
            pages,
        )
        .unwrap();

        (path, trailer)
    }

    fn sha256(bytes: &[u8]) -> String {
        wadi_log::hex(&Sha256::digest(bytes))
    }

    #[test]
    fn each_format_holds_every_record_and_tells_its_digest() {
        let dir = tempfile::tempdir().unwrap();
        let (path, trailer) = run(dir.path(), Format::Ndjson, 1_203);
        let text = std::fs::read_to_string(&path).unwrap();
        let (body, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(serde_json::from_str::<Value>(last).unwrap(), trailer);
        assert_eq!(trailer["export"]["rows"], 1_203);
        assert_eq!(
            trailer["export"]["sha256"],
            sha256(format!("{body}\n").as_bytes())
        );
        assert_eq!(
            body.lines()
                .map(|l| serde_json::from_str::<Value>(l).unwrap())
                .collect::<Vec<_>>(),
            records(0, 1_203)
        );

        let (path, trailer) = run(dir.path(), Format::Csv, 1_203);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(trailer["export"]["sha256"], sha256(&bytes));

        let beside: Value = serde_json::from_str(
            &std::fs::read_to_string(dir.path().join("out.trailer.json")).unwrap(),
        )
        .unwrap();
        assert_eq!(beside, trailer);

        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let at = |name: &str| columns().iter().position(|c| c.name == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 1_203);
        assert_eq!(&rows[7][at("vehicle.plate")], "22 أ \"1\",2");
        assert_eq!(&rows[7][at("lane")], "3");
        assert_eq!(
            &rows[7][at("more_fields")],
            r#"{"container.1":"MSKU1234565"}"#
        );
        assert_eq!(&rows[7][at("vehicle.vin")], "");

        let (path, trailer) = run(dir.path(), Format::Parquet, 4_321);
        assert_eq!(
            trailer["export"]["sha256"],
            sha256(&std::fs::read(&path).unwrap())
        );

        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(
            reader.metadata().num_row_groups(),
            3,
            "in groups, not in one piece"
        );

        let rows: Vec<_> = reader
            .get_row_iter(None)
            .unwrap()
            .map(Result::unwrap)
            .collect();

        assert_eq!(rows.len(), 4_321);
        assert_eq!(
            rows[4_000].get_string(at("vehicle.plate")).unwrap(),
            "22 أ \"1\",2"
        );
        assert_eq!(rows[4_000].get_long(at("lane")).unwrap(), 3);
        assert_eq!(rows[4_000].get_long(at("changed")).unwrap(), 4_000);
        assert!(
            rows[0].get_string(at("vehicle.vin")).is_err(),
            "nothing is not an empty text"
        );
    }

    #[test]
    fn an_export_cut_short_is_not_taken_for_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        for format in [Format::Ndjson, Format::Csv, Format::Parquet] {
            let path = dir.path().join("out");
            let mut page = 0;
            let pages = || {
                page += 1;
                if page > 2 {
                    Err(Failure::new("unreachable", "the node is gone"))
                } else {
                    Ok(records(0, PAGE))
                }
            };

            let failure = write_export(&path, format, Map::new(), pages).unwrap_err();
            assert_eq!(failure.code, "unreachable");
            assert!(
                failure.why.contains("cut short") && failure.why.contains("out.part"),
                "{}",
                failure.why
            );

            assert!(!path.exists(), "{format:?}");
            assert!(dir.path().join("out.part").exists());
        }

        // A whole one that was there before stays as it is, with its own trailer.
        let (path, trailer) = run(dir.path(), Format::Csv, 3);
        let cut = || Err(Failure::new("unreachable", "the node is gone"));
        assert!(write_export(&path, Format::Csv, Map::new(), cut).is_err());

        let beside = std::fs::read_to_string(dir.path().join("out.trailer.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), trailer);
        assert_eq!(
            trailer["export"]["sha256"],
            sha256(&std::fs::read(&path).unwrap())
        );

        let failure =
            write_export(Path::new("-"), Format::Parquet, Map::new(), || Ok(vec![])).unwrap_err();
        assert_eq!(failure.code, "needs_a_file");
    }
}
