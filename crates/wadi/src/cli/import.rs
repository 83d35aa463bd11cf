//! `wadi import`: operations out of an NDJSON file, many in a request.

use super::record::state_text;
use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, shown},
    words,
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    path::Path,
};

/// Lines sent in one request: many share a commit, and a broken link costs no more than these.
const IMPORT_LINES: usize = 500;
/// Bytes sent in one request, where its first line is no longer.
const IMPORT_PART_BYTES: usize = 1024 * 1024;

pub fn run(at: &NodeAt, file: &Path, json: bool) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let ImportFile { lines, followed } = read_file(file)?;
    let bar = print::progress(
        json,
        Some(lines.len() as u64),
        "{bar:40} {pos}/{len} lines  {per_sec}  {eta} left",
    );

    let mut told = Imported::default();
    let mut from = 0;
    while from < lines.len() {
        let to = part_end(&lines, from);
        if to == from {
            told.bad.push(too_long(from, lines[from].len()));
        } else {
            let answer = client.post_lines("/v1/imports", lines[from..to].join(&b'\n'))?;
            told.add_answer(&answer, from, &followed);
        }

        let next = to.max(from + 1);
        bar.inc((next - from) as u64);
        from = next;
    }

    bar.finish_and_clear();

    for line in &told.bad {
        print::print_error!(
            "{}:{}: {} [{}]",
            file.display(),
            line["line"],
            words::reason(raw_text(&line["code"]), raw_text(&line["detail"])),
            text_of(&line["code"])
        );
    }

    for line in &told.warned {
        for warning in line["warnings"].as_array().into_iter().flatten() {
            print::print_error!(
                "{}:{}: look again: {}",
                file.display(),
                line["line"],
                words::warning(raw_text(warning))
            );
        }
    }

    let exit = if !told.bad.is_empty() {
        Exit::Open
    } else if !told.detained.is_empty() {
        Exit::Detained
    } else {
        Exit::Done
    };

    print_answer(json, &told.summary(), |summary| {
        let detained = summary["detained"].as_array().map_or(0, Vec::len);
        let mut out = format!(
            "{} written, {} written before, {} bad",
            summary["written"], summary["repeated"], summary["bad"]
        );

        if detained > 0 {
            out += &format!("; {detained} DETAINED:");
            for record in summary["detained"].as_array().into_iter().flatten() {
                out += &format!("\n  {}  {}", member_text(record, "id"), state_text(record));
            }
        }

        out
    });

    Ok(exit)
}

/// The end of the part that begins at a line: so many lines and bytes as a request takes. A line
/// that no request takes is in none.
fn part_end(lines: &[Vec<u8>], from: usize) -> usize {
    let mut bytes: usize = 0;
    let fits = |(n, line): &(usize, &Vec<u8>)| {
        bytes = bytes.saturating_add(line.len()).saturating_add(1);
        line.len() < wadi_web::IMPORT_BYTES_MAX && (*n == 0 || bytes <= IMPORT_PART_BYTES)
    };

    let part = lines[from..].iter().take(IMPORT_LINES).enumerate();
    from + part.take_while(fits).count()
}

/// What is told of a line that no request takes.
fn too_long(at: usize, bytes: usize) -> Value {
    let detail = format!(
        "{bytes} bytes in one line, and a node takes less than {}: nothing of it was written; is a \
         line break missing?",
        wadi_web::IMPORT_BYTES_MAX
    );
    json!({"line": at + 1, "code": "line_too_long", "detail": detail})
}

/// What became of the lines of an import.
#[derive(Default)]
struct Imported {
    written: u64,
    repeated: u64,
    bad: Vec<Value>,
    /// Lines with warnings.
    warned: Vec<Value>,
    /// Records that open holds detain, by id.
    detained: BTreeMap<String, Value>,
    /// How many lines left their record in which state.
    states: BTreeMap<String, u64>,
}

impl Imported {
    /// Takes in the answer to a request whose first line is that many lines into the file.
    fn add_answer(&mut self, answer: &Value, before: usize, followed: &BTreeSet<usize>) {
        self.written += answer["written"].as_u64().unwrap_or(0);
        self.repeated += answer["repeated"].as_u64().unwrap_or(0);
        for line in answer["lines"].as_array().into_iter().flatten() {
            let at = before + line["line"].as_u64().unwrap_or(0) as usize;
            if line.get("code").is_some() {
                self.bad
                    .push(json!({"line": at, "code": line["code"], "detail": line["detail"]}));
                continue;
            }

            // Of a part the node does not know that the file itself says otherwise further on.
            let mut warnings = line["warnings"].as_array().cloned().unwrap_or_default();
            if line["overtaken"] == true && followed.contains(&at.saturating_sub(1)) {
                warnings.pop();
            }
            if !warnings.is_empty() {
                self.warned
                    .push(json!({"line": at, "id": line["id"], "warnings": warnings}));
            }

            if let Some(state) = line["state"].as_str() {
                *self.states.entry(state.into()).or_default() += 1;
            }

            if line["detained_by"].is_array() {
                let members = ["id", "state", "flags", "detained_by"];
                let told: Map<String, Value> = members
                    .map(|m| (m.to_string(), line[m].clone()))
                    .into_iter()
                    .collect();
                self.detained.insert(text_of(&line["id"]), told.into());
            }
        }
    }

    fn summary(&self) -> Value {
        let detained: Vec<&Value> = self.detained.values().collect();
        json!({
            "written": self.written,
            "repeated": self.repeated,
            "bad": self.bad.len(),
            "bad_lines": self.bad,
            "states": self.states,
            "warned_lines": self.warned,
            "detained": detained,
        })
    }
}

/// A file to be imported.
struct ImportFile {
    /// Its lines, each edit with the key that it has by what stands before it in the whole file: a
    /// request holds a part of it alone.
    lines: Vec<Vec<u8>>,
    /// The places, from nought, of edits below which the file says more of the same.
    followed: BTreeSet<usize>,
}

/// Reads a file. One that says by its mark that it is UTF-16 is read as that; else each line is the
/// node's to read.
fn read_file(file: &Path) -> Result<ImportFile, Failure> {
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|mut f| f.read_to_end(&mut bytes)),
    };

    read.map_err(|e| Failure::usage("unreadable", format!("{}: {e}", file.display())))?;
    if bytes.starts_with(&[0xFF, 0xFE, 0, 0]) {
        let text = wadi_web::decode_text(&bytes)
            .map_err(|p| Failure::usage(p.code, format!("{}: {}", file.display(), p.detail)))?;
        bytes = text.into_owned().into_bytes();
    } else if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        bytes = wadi_web::wide_to_utf8(&bytes);
    }

    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);

    let mut keys = wadi_web::OperationKeys::default();
    let mut last: HashMap<(String, String), usize> = HashMap::new();
    let (mut lines, mut followed) = (Vec::new(), BTreeSet::new());
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let text = std::str::from_utf8(line).ok();
        let read = text.and_then(|text| Some((text, wadi_web::parse_object(text).ok()?)));
        // What does not read is the node's to refuse.
        let Some((text, map)) = read else {
            lines.push(line.to_vec());
            continue;
        };

        for what in edited(&map) {
            followed.extend(last.insert(what, n));
        }
        lines.push(with_key(text, &map, &mut keys));
    }

    Ok(ImportFile { lines, followed })
}

/// What an edit sets: the sender's id and each member.
fn edited(map: &Map<String, Value>) -> Vec<(String, String)> {
    let is_edit = map.get("op").is_some_and(|op| op == "set");
    let id = map.get("id").and_then(Value::as_str).filter(|_| is_edit);
    let set = map.get("set").and_then(Value::as_object);
    match (id, set) {
        (Some(id), Some(set)) => set.keys().map(|m| (id.into(), m.clone())).collect(),
        _ => Vec::new(),
    }
}

/// A line with its key, where it is an edit that has none.
fn with_key(text: &str, map: &Map<String, Value>, keys: &mut wadi_web::OperationKeys) -> Vec<u8> {
    let mut keyed = || {
        let key = keys.next(map).filter(|_| !map.contains_key("key"))?;
        let (before, after) = text.split_once('{')?;
        Some(format!("{before}{{\"key\":\"{key}\",{after}").into_bytes())
    };

    keyed().unwrap_or_else(|| text.as_bytes().to_vec())
}

fn raw_text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    shown(raw_text(value)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_below_which_the_file_says_more_of_the_same_is_not_overtaken_by_that() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("edits");
        let set = |id: &str, member: &str, value: u32| {
            json!({"op": "set", "id": id, "set": {member: value}}).to_string()
        };
        let lines = [
            json!({"op": "new", "id": "T-1", "set": {"direction": "in"}}).to_string(),
            set("T-1", "lane", 3),
            "{".to_string(),
            set("T-2", "lane", 5),
            set("T-1", "gross_kg", 4),
            set("T-1", "lane", 4),
        ];
        std::fs::write(&path, lines.join("\n")).unwrap();
        let file = read_file(&path).unwrap();
        assert_eq!(file.lines.len(), lines.len());
        assert_eq!(file.followed, BTreeSet::from([1]));

        let told = |line: u32| {
            json!({
                "line": line, "id": "TRB-P-1", "overtaken": true, "warnings": ["look", "since"],
            })
        };
        let answer = json!({"written": 0, "repeated": 2, "lines": [told(2), told(6)]});
        let mut imported = Imported::default();
        imported.add_answer(&answer, 0, &file.followed);
        let warnings: Vec<&Value> = imported.warned.iter().map(|w| &w["warnings"]).collect();
        assert_eq!(warnings, [&json!(["look"]), &json!(["look", "since"])]);
    }

    #[test]
    fn parts_are_cut_by_lines_and_bytes_and_a_line_beyond_both_goes_alone_or_not_at_all() {
        let line = |bytes| vec![b'x'; bytes];
        assert_eq!(part_end(&vec![line(9); 1_200], 0), IMPORT_LINES);
        assert_eq!(part_end(&vec![line(9); 1_200], 1_000), 1_200);

        let half = IMPORT_PART_BYTES / 2;
        assert_eq!(part_end(&vec![line(half - 1); 5], 0), 2);
        assert_eq!(part_end(&[line(3 * half), line(9)], 0), 1, "alone");

        let endless = [line(9), line(wadi_web::IMPORT_BYTES_MAX), line(9)];
        assert_eq!(part_end(&endless, 0), 1);
        assert_eq!(part_end(&endless, 1), 1, "in none");
        assert_eq!(part_end(&endless, 2), 3);
    }
}
