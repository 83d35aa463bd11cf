//! The file of an export: its digest, its trailer, and its name, which it gets when it is whole.

use super::{
    ExportFormat,
    formats::{write_csv, write_ndjson, write_parquet},
    target::{ExportTarget, beside},
};
use crate::{failure::Failure, output, print};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_store::private;

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

/// Writes page after page until an empty one, and the trailer: rows, filter and SHA-256 of what was
/// written. Nothing, where a reader closed its pipe before the end.
pub(super) fn write_export(
    target: &ExportTarget,
    format: ExportFormat,
    filter: Map<String, Value>,
    mut pages: impl FnMut() -> Result<Vec<Value>, Failure>,
) -> Result<Value, Failure> {
    let failed = |e: std::io::Error| output::unwritable(target.path(), &e);
    let closed = Arc::new(AtomicBool::new(false));
    let inner = target.open(format, &closed)?;

    // What is refused at once leaves no file behind.
    let first = pages().inspect_err(|_| {
        if let Some(part) = target.part() {
            let _ = std::fs::remove_file(part);
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

    let (rows, mut out) = written.map_err(|f| cut_short(f, target.part()))?;

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

    match target {
        ExportTarget::File { output, part } => {
            out.inner.into_inner().map_err(|e| failed(e.into_error()))?;
            put_in_place(part, output, format, &trailer).map_err(failed)?;
        }
        // What nothing lies beside has its trailer told beside it.
        ExportTarget::Stdout if format == ExportFormat::Csv => {
            print::print_error!("{trailer}");
        }
        ExportTarget::Stdout | ExportTarget::Stream(_) => {}
    }

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
    private::write(&trailer_file, format!("{trailer}\n").as_bytes())
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
    use std::{
        os::unix::fs::{FileTypeExt, PermissionsExt},
        path::PathBuf,
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

        let target = ExportTarget::of(&path, format, true).unwrap();
        let filter = Map::from_iter([("kind".into(), "passage".into())]);
        let trailer = write_export(&target, format, filter, pages).unwrap();

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
    fn an_export_that_is_refused_at_once_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let refused = || Err(Failure::usage("bad_value", "no crossing XYZ"));
        let path = dir.path().join("out");
        let target = ExportTarget::of(&path, ExportFormat::Csv, false).unwrap();
        let failure = write_export(&target, ExportFormat::Csv, Map::new(), refused).unwrap_err();

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

            let target = ExportTarget::of(&path, format, true).unwrap();
            let failure = write_export(&target, format, Map::new(), pages).unwrap_err();
            assert_eq!(failure.code, "unreachable");
            assert!(
                failure.why.contains("cut short") && failure.why.contains("out.part"),
                "{}",
                failure.why
            );

            assert!(!path.exists(), "{format:?}");
            assert!(dir.path().join("out.part").exists());
            let again = ExportTarget::of(&path, format, false).unwrap_err();
            assert_eq!(again.code, "file_exists", "it may be anybody's");
        }

        // A whole one that was there before stays as it is, with its own trailer.
        let (path, trailer) = run(dir.path(), ExportFormat::Csv, 3);
        let cut = || Err(Failure::new("unreachable", "the node is gone"));
        let target = ExportTarget::of(&path, ExportFormat::Csv, true).unwrap();
        assert!(write_export(&target, ExportFormat::Csv, Map::new(), cut).is_err());

        let beside = std::fs::read_to_string(dir.path().join("out.trailer.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&beside).unwrap(), trailer);
        assert_eq!(
            trailer["export"]["sha256"],
            sha256(&std::fs::read(&path).unwrap())
        );

        let failure = ExportTarget::of(Path::new("-"), ExportFormat::Parquet, false).unwrap_err();
        assert_eq!(failure.code, "needs_a_file");
    }

    #[test]
    fn an_export_is_its_users_alone_and_is_written_into_nothing_that_lay_there() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        std::fs::write(at("keep"), "mine").unwrap();
        std::fs::write(at("out.part"), "left").unwrap();
        std::fs::set_permissions(at("out.part"), std::fs::Permissions::from_mode(0o666)).unwrap();
        let left = std::fs::File::open(at("out.part")).unwrap();

        run(dir.path(), ExportFormat::Csv, 3);
        assert_eq!((mode("out"), mode("out.trailer.json")), (0o600, 0o600));
        assert_eq!(std::io::read_to_string(left).unwrap(), "left");

        std::os::unix::fs::symlink("keep", at("out.part")).unwrap();
        let linked = ExportTarget::of(&at("out"), ExportFormat::Ndjson, true).unwrap_err();
        assert_eq!(linked.code, "is_a_link");
        std::fs::remove_file(at("out.part")).unwrap();

        // What comes to lie there after it was looked at is no file of this export's, either.
        let target = ExportTarget::of(&at("out"), ExportFormat::Ndjson, true).unwrap();
        std::os::unix::fs::symlink("keep", at("out.part")).unwrap();
        let none = || Ok(vec![]);
        assert!(write_export(&target, ExportFormat::Ndjson, Map::new(), none).is_err());
        assert_eq!(std::fs::read_to_string(at("keep")).unwrap(), "mine");
        std::fs::remove_file(at("out.part")).unwrap();

        // A trailer that nobody said may go stays, and the export before which it would go is none.
        std::fs::write(at("new.trailer.json"), "mine").unwrap();
        let trailed = ExportTarget::of(&at("new"), ExportFormat::Parquet, false).unwrap_err();
        assert_eq!(trailed.code, "file_exists");
    }

    #[test]
    fn a_device_is_written_into_and_stays_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("nul");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [Path::new("/dev/null"), link.as_path()] {
            for format in [
                ExportFormat::Ndjson,
                ExportFormat::Csv,
                ExportFormat::Parquet,
            ] {
                let mut left = Some(records(0, 2));
                let pages = || Ok(left.take().unwrap_or_default());
                let target = ExportTarget::of(path, format, false).unwrap();
                let trailer = write_export(&target, format, Map::new(), pages).unwrap();
                assert_eq!(trailer["export"]["rows"], 2);
            }
        }

        let null = std::fs::metadata("/dev/null").unwrap();
        assert!(null.file_type().is_char_device() && link.is_symlink());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        let full = ExportTarget::of(Path::new("/dev/full"), ExportFormat::Csv, false).unwrap();
        let page = || Ok(records(0, 2));
        let failure = write_export(&full, ExportFormat::Csv, Map::new(), page).unwrap_err();
        assert_eq!(failure.code, "unwritable");
    }
}
