//! The file of an export: its digest, its trailer, and its name, which it gets when it is whole.

use super::{
    ExportFormat,
    formats::{write_csv, write_ndjson, write_parquet},
};
use crate::{failure::Failure, print};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// What everything written goes through: its digest is the trailer's.
pub(super) struct Hashing<W> {
    pub(super) inner: W,
    pub(super) digest: Sha256,
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
pub(super) struct ToReader {
    closed: Arc<AtomicBool>,
}

impl Write for ToReader {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout()
            .write(bytes)
            .inspect_err(|e| self.note_closed(e))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout()
            .flush()
            .inspect_err(|e| self.note_closed(e))
    }
}

impl ToReader {
    fn note_closed(&self, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            self.closed.store(true, Ordering::Relaxed);
        }
    }
}

/// A terminal, on which nothing that others wrote moves the cursor or hides a word. Of a file, or
/// of another program, nothing is changed.
struct TerminalScreen<W> {
    inner: W,
    is_json: bool,
    /// The line that has not ended yet.
    line: Vec<u8>,
}

impl<W: Write> TerminalScreen<W> {
    fn show(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        let shown = match self.is_json {
            true => print::shown_json(&text),
            false => print::shown_lines(&text),
        };

        self.inner.write_all(shown.as_bytes())
    }
}

impl<W: Write> Write for TerminalScreen<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let lines = std::mem::replace(&mut self.line, rest);
            self.show(&lines)?;
        }

        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut self.line);
        self.show(&rest)?;
        self.inner.flush()
    }
}

/// Standard output, and whether its reader has closed it.
fn to_stdout(format: ExportFormat, closed: &Arc<AtomicBool>) -> Box<dyn Write + Send> {
    let reader = ToReader {
        closed: closed.clone(),
    };
    match std::io::stdout().is_terminal() {
        true => Box::new(TerminalScreen {
            inner: reader,
            is_json: format == ExportFormat::Ndjson,
            line: Vec::new(),
        }),
        false => Box::new(reader),
    }
}

/// Writes page after page until an empty one, and the trailer: rows, filter and SHA-256 of what was
/// written.
pub(super) fn write_export(
    output: &Path,
    format: ExportFormat,
    filter: Map<String, Value>,
    mut pages: impl FnMut() -> Result<Vec<Value>, Failure>,
) -> Result<Value, Failure> {
    let is_stdout = output == Path::new("-");
    if is_stdout && format == ExportFormat::Parquet {
        return Err(Failure::usage(
            "needs_a_file",
            "Parquet is not written to standard output: give -o FILE",
        ));
    }

    let part = beside(output, "part");
    let failed =
        |e: std::io::Error| Failure::new("unwritable", format!("{}: {e}", output.display()));
    let closed = Arc::new(AtomicBool::new(false));
    let inner = match is_stdout {
        true => to_stdout(format, &closed),
        false => Box::new(std::fs::File::create(&part).map_err(failed)?),
    };

    // What is refused at once leaves no file behind.
    let first = pages().inspect_err(|_| {
        if !is_stdout {
            let _ = std::fs::remove_file(&part);
        }
    })?;
    let mut first = Some(first);
    let mut pages = || first.take().map_or_else(&mut pages, Ok);

    let filter = Value::Object(filter);
    let out = Hashing {
        inner: BufWriter::new(inner),
        digest: Sha256::new(),
    };
    let written = match format {
        ExportFormat::Ndjson => write_ndjson(out, &mut pages),
        ExportFormat::Csv => write_csv(out, &mut pages),
        ExportFormat::Parquet => write_parquet(out, &filter, &mut pages),
    };

    // A reader that closes the pipe has what it wanted: that is no failure, as with any tool that
    // writes lines.
    if written.is_err() && closed.load(Ordering::Relaxed) {
        return Ok(Value::Null);
    }

    let left = (!is_stdout).then_some(part.as_path());
    let (rows, mut out) = written.map_err(|f| cut_short(f, left))?;

    let sha256 = wadi_log::hex(&out.digest.clone().finalize());
    let name = format.to_possible_value().map(|v| v.get_name().to_string());
    let trailer =
        json!({"export": {"rows": rows, "format": name, "filter": filter, "sha256": sha256}});
    let told = if format == ExportFormat::Ndjson {
        writeln!(out, "{trailer}")
    } else {
        Ok(())
    };

    match told.and_then(|()| out.flush()) {
        Err(_) if closed.load(Ordering::Relaxed) => return Ok(Value::Null),
        ended => ended.map_err(failed)?,
    }

    if is_stdout {
        if format == ExportFormat::Csv {
            print::print_error!("{trailer}");
        }
        return Ok(trailer);
    }

    out.inner.into_inner().map_err(|e| failed(e.into_error()))?;
    put_in_place(&part, output, format, &trailer).map_err(failed)?;
    Ok(trailer)
}

/// A failure in the middle of an export, with the file that holds what was written until then.
fn cut_short(failure: Failure, left: Option<&Path>) -> Failure {
    let left = left.map_or(String::new(), |part| {
        format!("; what was written until then is in {}", part.display())
    });

    Failure {
        why: format!("the export was cut short: {}{left}", failure.why),
        ..failure
    }
}

/// Gives a whole export its name, and the flat formats their trailer.
fn put_in_place(
    part: &Path,
    output: &Path,
    format: ExportFormat,
    trailer: &Value,
) -> std::io::Result<()> {
    std::fs::File::open(part)?.sync_all()?;
    if format == ExportFormat::Ndjson {
        return std::fs::rename(part, output);
    }

    // The trailer comes last, and that of an earlier export goes first: it never stands beside
    // another file than its own.
    let trailer_file = beside(output, "trailer.json");
    match std::fs::remove_file(&trailer_file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }

    std::fs::rename(part, output)?;
    std::fs::write(&trailer_file, format!("{trailer}\n"))
}

pub(super) fn beside(output: &Path, ending: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::{PAGE_RECORDS, columns::columns},
        *,
    };
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    fn records(from: usize, to: usize) -> Vec<Value> {
        let record = |n: usize| {
            json!({
                "id": format!("TRB-P-{n}"),
                "record": format!("{n:064x}"),
                "kind": "passage",
                "crossing": "TRB",
                "state": "EXITED",
                "flags": ["CONTESTED"],
                "safety": "at_hub",
                "changed": n,
                "fields": {
                    "vehicle.plate": "22 أ \"1\",2",
                    "lane": 3,
                    "container.1": "MSKU1234565",
                },
                "contested": {"transit.ref": [{"value": "T1"}, {"value": "T2"}]},
                "events": [{"type": "gate.in"}],
            })
        };

        (from..to).map(record).collect()
    }

    fn run(dir: &Path, format: ExportFormat, rows: usize) -> (PathBuf, Value) {
        let path = dir.join("out");
        let mut at = 0;
        let pages = || {
            let page = records(at, rows.min(at + PAGE_RECORDS));
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
        let (path, trailer) = run(dir.path(), ExportFormat::Ndjson, 1_203);
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

        let (path, trailer) = run(dir.path(), ExportFormat::Csv, 1_203);
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

        let (path, trailer) = run(dir.path(), ExportFormat::Parquet, 4_321);
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
    fn on_a_terminal_nothing_that_others_wrote_bites() {
        let hidden = "11\u{202e}A\u{9b}2J\u{1b}[2J";
        for (is_json, wanted) in [
            (true, "{\"plate\":\"11\\u202eA\\u009b2J\\u001b[2J\"}\nب\n"),
            (false, "11\\u{202e}A\\u{9b}2J\\u{1b}[2J,2\nب\n"),
        ] {
            let line = match is_json {
                true => json!({"plate": hidden}).to_string(),
                false => format!("{hidden},2"),
            };
            let mut screen = TerminalScreen {
                inner: Vec::new(),
                is_json,
                line: Vec::new(),
            };
            // A character may be cut by the buffer before it.
            for byte in format!("{line}\nب\n").as_bytes() {
                screen.write_all(&[*byte]).unwrap();
            }

            screen.flush().unwrap();
            assert_eq!(String::from_utf8(screen.inner).unwrap(), wanted);
        }
    }

    #[test]
    fn an_export_that_is_refused_at_once_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || Err(Failure::usage("bad_value", "no crossing XYZ"));
        let path = dir.path().join("out");
        let failure = write_export(&path, ExportFormat::Csv, Map::new(), refused).unwrap_err();

        assert_eq!(failure.why, "no crossing XYZ");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_export_cut_short_is_not_taken_for_a_whole_one() {
        let dir = tempfile::tempdir().unwrap();
        for format in [
            ExportFormat::Ndjson,
            ExportFormat::Csv,
            ExportFormat::Parquet,
        ] {
            let path = dir.path().join("out");
            let mut page = 0;
            let pages = || {
                page += 1;
                if page > 2 {
                    Err(Failure::new("unreachable", "the node is gone"))
                } else {
                    Ok(records(0, PAGE_RECORDS))
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
        let (path, trailer) = run(dir.path(), ExportFormat::Csv, 3);
        let cut = || Err(Failure::new("unreachable", "the node is gone"));
        assert!(write_export(&path, ExportFormat::Csv, Map::new(), cut).is_err());

        let beside = std::fs::read_to_string(dir.path().join("out.trailer.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), trailer);
        assert_eq!(
            trailer["export"]["sha256"],
            sha256(&std::fs::read(&path).unwrap())
        );

        let failure = write_export(Path::new("-"), ExportFormat::Parquet, Map::new(), || {
            Ok(vec![])
        })
        .unwrap_err();
        assert_eq!(failure.code, "needs_a_file");
    }
}
