//! The commands that talk to a running node.

use crate::{
    At,
    client::Client,
    failure::{Exit, Failure},
    print::{self, shown},
};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, io::Read, path::Path, time::Duration};

/// Who speaks, where the operator writes for somebody.
#[derive(Args, Clone, Debug)]
pub struct Who {
    /// The officer's service number.
    #[arg(long)]
    officer: Option<String>,
    /// The department's code.
    #[arg(long)]
    department: Option<String>,
}

/// What is to be recorded.
#[derive(Args, Clone, Debug)]
pub struct What {
    /// field=value; a value of null clears; repeat it.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// An event as JSON, as '{"type":"gate.in","gate":"G1","read":"R7"}'; repeat it.
    #[arg(long = "event", value_name = "JSON")]
    event: Vec<String>,
    /// Entries that the screen showed, as `record show` names them; all that is held, where it is
    /// left out.
    #[arg(long)]
    based_on: Vec<String>,
    /// When it happened, as 2026-03-01T08:00:00Z, where that is not now.
    #[arg(long)]
    happened_at: Option<String>,
    #[command(flatten)]
    who: Who,
}

#[derive(Subcommand)]
pub enum RecordCommand {
    /// Begins a record.
    New {
        /// passage, hold, customs-entry or site-day.
        kind: String,
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        at: At,
    },
    /// Puts fields and says events on a record.
    Set {
        id: String,
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        at: At,
    },
    /// Says one event: a type and member=value pairs.
    Event {
        id: String,
        /// The event's type, as gate.out.
        event_type: String,
        /// member=value.
        members: Vec<String>,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        at: At,
    },
    /// Shows a record.
    Show {
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Shows every entry of a record: who said what, when, and where it is safe.
    History {
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Shows a record as of entries (comma between) or as of a Unix time in milliseconds.
    At {
        id: String,
        as_of: String,
        #[command(flatten)]
        at: At,
    },
    /// Lists records.
    List {
        #[arg(long)]
        kind: Option<String>,
        #[arg(long)]
        crossing: Option<String>,
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        plate: Option<String>,
        #[arg(long)]
        contested: bool,
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub enum SayCommand {
    /// Registers an officer, or with --revoke ends the registration.
    Officer {
        officer: String,
        department: String,
        #[arg(long)]
        crossing: Option<String>,
        #[arg(long)]
        supervisor: bool,
        #[arg(long)]
        revoke: bool,
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// Sets the policy out of a JSON file; what it leaves out takes its default.
    Policy {
        file: std::path::PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Enrols a node by the file `enrolment` of its papers.
    Enrol {
        file: std::path::PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Cuts a node: nothing that this hub does not hold of it by now will count.
    Cut {
        node: String,
        #[arg(long, default_value = "revoked")]
        reason: String,
        #[command(flatten)]
        at: At,
    },
    /// Lets entries past a cut, or on another branch of a forked log, count: single ones, or all of
    /// a log's.
    Admit {
        /// The entries, as `audit quarantine` names them.
        #[arg(required_unless_present = "log", conflicts_with = "log")]
        entries: Vec<String>,
        /// A log's origin: everything of it that is in quarantine.
        #[arg(long)]
        log: Option<String>,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: At,
    },
    /// Declares a crossing closed since a Unix time in seconds.
    Closure {
        crossing: String,
        closed_s: i64,
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: At,
    },
}

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Issues a token: --officer and --department, or --device, or neither to read only.
    Issue {
        /// A name for it.
        name: String,
        #[arg(long)]
        device: Option<String>,
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        at: At,
    },
    /// Lists tokens.
    List {
        #[command(flatten)]
        at: At,
    },
    /// Lets a device's counter begin anew: after a repair, or where it ran over. Its next numbers
    /// were never given before.
    Anew {
        /// The device's name.
        device: String,
        #[command(flatten)]
        at: At,
    },
    /// Revokes a token.
    Revoke {
        name: String,
        #[command(flatten)]
        at: At,
    },
}

fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn pairs(all: &[String], numbers: bool) -> Result<Map<String, Value>, Failure> {
    let mut out = Map::new();
    for pair in all {
        let (name, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage("bad_pair", format!("{pair:?} is not NAME=VALUE")))?;
        let value = match value_of(text) {
            v @ (Value::Null | Value::Bool(_)) => v,
            v @ Value::Number(_) if numbers => v,
            v @ (Value::Array(_) | Value::Object(_)) => v,
            Value::String(s) => s.into(),
            _ => text.into(),
        };

        out.insert(name.into(), value);
    }

    Ok(out)
}

fn put_who(body: &mut Value, who: &Who) {
    if let Some(officer) = &who.officer {
        body["officer"] = officer.as_str().into();
    }
    if let Some(department) = &who.department {
        body["department"] = department.as_str().into();
    }
}

fn body_of(what: &What) -> Result<Value, Failure> {
    let events = what.event.iter().map(|e| {
        serde_json::from_str::<Map<String, Value>>(e)
            .map_err(|why| Failure::usage("broken_json", format!("{e}: {why}")))
    });
    let events = events.collect::<Result<Vec<_>, _>>()?;
    let mut fields = pairs(&what.set, true)?;

    for (name, value) in &mut fields {
        // Whether digits are a number or a text is the field's to say.
        let kinds = wadi_record::Kind::ALL;
        let is_text = !kinds
            .iter()
            .any(|k| wadi_record::known_field(*k, name).is_some_and(|row| row.value.is_number()));
        if is_text && value.is_number() {
            *value = value.to_string().into();
        }
    }

    let mut body = json!({"fields": fields, "events": events});
    if !what.based_on.is_empty() {
        body["based_on"] = what.based_on.clone().into();
    }

    if let Some(at) = &what.happened_at {
        let at: jiff::Timestamp = at
            .parse()
            .map_err(|e| Failure::usage("bad_time", format!("{at}: {e}")))?;
        body["happened_at_ms"] = at.as_millisecond().into();
    }

    put_who(&mut body, &what.who);
    Ok(body)
}

pub(crate) fn tell(json: bool, value: &Value, text: impl FnOnce(&Value) -> String) {
    match json {
        true => print::print_line!("{value}"),
        false => print::print_line!("{}", text(value)),
    }
}

fn written(value: &Value) -> String {
    let mut out = format!(
        "{}  {}\n  entry {}",
        text(value, "id"),
        standing(value),
        text(value, "entry")
    );

    if value["repeated"] == true {
        out += "\n  written before: nothing was written now";
    }

    for warning in value["warnings"].as_array().into_iter().flatten() {
        out += &format!(
            "\n  look again: {}",
            shown(warning.as_str().unwrap_or_default())
        );
    }

    out
}

/// A record's state and flags, and which holds detain it.
fn standing(record: &Value) -> String {
    let words = |member: &str| {
        let all = record[member]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        all.map(shown).collect::<Vec<_>>().join(" ")
    };

    let mut out = format!("{} {}", text(record, "state"), words("flags"));
    let holds = words("detained_by");
    if !holds.is_empty() {
        out += &format!(" by {holds}");
    }

    out.trim().to_string()
}

pub fn record(command: RecordCommand, json: bool) -> Result<Exit, Failure> {
    let pretty = |v: &Value| serde_json::to_string_pretty(v).unwrap_or_default();
    match command {
        RecordCommand::New { kind, what, at } => {
            let mut body = body_of(&what)?;
            body["kind"] = kind.into();
            tell(json, &Client::at(&at)?.post("/v1/records", &body)?, written);
        }
        RecordCommand::Set { id, what, at } => {
            tell(
                json,
                &Client::at(&at)?.post(&format!("/v1/records/{id}/events"), &body_of(&what)?)?,
                written,
            );
        }
        RecordCommand::Event {
            id,
            event_type,
            members,
            who,
            at,
        } => {
            let mut event = pairs(&members, true)?;
            event.insert("type".into(), event_type.into());
            let mut body = json!({"events": [event]});
            put_who(&mut body, &who);
            tell(
                json,
                &Client::at(&at)?.post(&format!("/v1/records/{id}/events"), &body)?,
                written,
            );
        }
        RecordCommand::Show { id, at } => tell(
            json,
            &Client::at(&at)?.get(&format!("/v1/records/{id}"))?,
            pretty,
        ),
        RecordCommand::At { id, as_of, at } => {
            tell(
                json,
                &Client::at(&at)?.get(&format!("/v1/records/{id}?at={as_of}"))?,
                pretty,
            );
        }
        RecordCommand::History { id, at } => {
            let value = Client::at(&at)?.get(&format!("/v1/records/{id}/history"))?;
            tell(json, &value, history_text);
        }
        RecordCommand::List {
            kind,
            crossing,
            state,
            plate,
            contested,
            limit,
            at,
        } => {
            let mut query = format!("/v1/records?limit={limit}&contested={contested}");
            for (name, value) in [
                ("kind", kind),
                ("crossing", crossing),
                ("state", state),
                ("plate", plate),
            ] {
                if let Some(value) = value {
                    query += &format!("&{name}={}", percent(&value));
                }
            }

            let value = Client::at(&at)?.get(&query)?;
            tell(json, &value, |v| {
                let mut table = Table::new();
                table
                    .load_style(UTF8_HORIZONTAL_ONLY)
                    .set_header(["id", "state", "plate", "safe"]);
                for r in v["records"].as_array().into_iter().flatten() {
                    let plate = text(&r["fields"], "vehicle.plate_raw");
                    table.add_row([text(r, "id"), standing(r), plate, text(r, "safety")]);
                }

                table.to_string()
            });
        }
    }

    Ok(Exit::Done)
}

/// The graph of a record's entries, then who set its fields, then what was known at decisions.
fn history_text(v: &Value) -> String {
    let lines: Vec<&Value> = v["entries"].as_array().into_iter().flatten().collect();
    let number = |entry: &Value| {
        let at = lines.iter().position(|l| l["entry"] == *entry);
        at.map_or_else(|| "?".to_string(), |n| (n + 1).to_string())
    };
    let numbers = |list: &Value| {
        list.as_array()
            .into_iter()
            .flatten()
            .map(&number)
            .collect::<Vec<_>>()
            .join(",")
    };

    let hub_time = |s: &Value| {
        s.as_i64()
            .map_or_else(|| "-".into(), |s| time(s.saturating_mul(1_000)))
    };
    let who = |l: &Value| {
        format!(
            "{} {}{}",
            text(l, "officer"),
            text(l, "department"),
            text(l, "device")
        )
    };

    let mut graph = Table::new();
    graph.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "#",
        "builds on",
        "claimed",
        "hub time",
        "node",
        "who",
        "says",
        "safe",
    ]);

    for line in &lines {
        let at = line["happened_ms"]
            .as_i64()
            .or(line["claimed_ms"].as_i64())
            .unwrap_or(0);
        let events: Vec<&str> = line["events"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["type"].as_str())
            .collect();

        let events: Vec<_> = events.into_iter().map(shown).collect();
        let puts: Vec<String> = line["puts"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| format!("{}={v}", shown(k)))
            .collect();

        let mut says = format!("{} {}", events.join(" "), puts.join(" "));
        if line["stands"]["counts"] == false {
            says += &format!("\nDOES NOT COUNT: {}", text(&line["stands"], "why"));
        }

        let between = format!(
            "{}\n{}",
            hub_time(&line["not_before_s"]),
            hub_time(&line["not_after_s"])
        );

        let of = [
            number(&line["entry"]),
            numbers(&line["based_on"]),
            time(at),
            between,
            text(line, "node"),
            who(line),
        ];

        graph.add_row(of.into_iter().chain([says, text(line, "safety")]));
    }

    let mut fields = Table::new();
    fields
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["field", "#", "value", "who", "replaced", ""]);

    for (name, settings) in v["fields"].as_object().into_iter().flatten() {
        for s in settings.as_array().into_iter().flatten() {
            let replaced = s["replaced"].as_array().into_iter().flatten();
            let replaced: Vec<String> = replaced
                .map(|c| format!("#{} {}", number(&c["entry"]), c["value"]))
                .collect();
            let stands = match (s["stands"] == true, numbers(&s["contested_by"])) {
                (true, by) if by.is_empty() => "stands".to_string(),
                (true, by) => format!("CONTESTED by #{by}"),
                (false, _) => String::new(),
            };

            fields.add_row([
                shown(name).into_owned(),
                number(&s["entry"]),
                s["value"].to_string(),
                who(s),
                replaced.join("\n"),
                stands,
            ]);
        }
    }

    let mut out = format!("{graph}\n\n{fields}");
    for line in lines.iter().filter(|l| l["knew"].is_object()) {
        out += &format!(
            "\n\n#{}: what {} could have known",
            number(&line["entry"]),
            who(line)
        );

        let not_shown = numbers(&line["knew"]["not_shown"]);
        if !not_shown.is_empty() {
            out += &format!("\n  the screen did not show #{not_shown}");
        }

        for hold in line["knew"]["holds"].as_array().into_iter().flatten() {
            let known = if hold["taken_in"] == true {
                "had reached this node"
            } else {
                "had NOT reached this node"
            };
            out += &format!("\n  hold {} {known}", text(hold, "hold"));
        }

        for (log, size) in line["knew"]["control"].as_object().into_iter().flatten() {
            out += &format!("\n  policies and officers through entry {size} of {log}");
        }
    }

    out
}

pub(crate) fn percent(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// A member as it is shown in a line or a cell.
pub(crate) fn text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::String(s) => shown(s).into_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| ms.to_string(),
        |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

pub fn status(at: &At, watch: bool, json: bool) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    loop {
        let value = client.get("/v1/sites")?;
        if watch && !json {
            print::clear();
        }

        tell(json, &value, status_text);
        if !watch {
            // A disk that fills or a certificate that ends is an alarm, and no doubt about what is
            // kept.
            let is_in_doubt = value["integrity_alarms"].as_u64().unwrap_or(0) > 0;
            let alarms = value["alarms"]
                .as_array()
                .is_some_and(|all| !all.is_empty());
            let behind = value["unsent"].as_u64().unwrap_or(0) > 0
                || value["waiting"].as_u64().unwrap_or(0) > 0;

            return Ok(if is_in_doubt {
                Exit::Integrity
            } else if behind || alarms {
                Exit::Open
            } else {
                Exit::Done
            });
        }

        std::thread::sleep(Duration::from_secs(1));
    }
}

fn status_text(v: &Value) -> String {
    let mut out = format!(
        "{} ({} {})  records {}  entries {}  unsent {}  waiting {}  refused {}  findings {}\n",
        text(v, "node"),
        text(v, "role"),
        text(v, "crossing"),
        v["records"],
        v["entries"],
        v["unsent"],
        v["waiting"],
        v["refused"],
        v["findings"]
    );

    if let Some(ms) = v["oldest_unsent_ms"].as_i64() {
        out += &format!("oldest entry that no hub holds: {} min\n", ms / 60_000);
    }

    if let Some(bytes) = v["carried_bytes"].as_i64().filter(|bytes| *bytes > 0) {
        out += &format!("carries {bytes} bytes of neighbours' entries for the hub\n");
    }

    for alarm in v["alarms"].as_array().into_iter().flatten() {
        out += &format!("ALARM: {}\n", shown(alarm.as_str().unwrap_or_default()));
    }

    for fork in v["forks"].as_array().into_iter().flatten() {
        out += &format!("FORKED: {}\n", shown(fork.as_str().unwrap_or_default()));
    }

    for cut in v["cuts"].as_array().into_iter().flatten() {
        out += &format!("CUT: {}\n", shown(cut.as_str().unwrap_or_default()));
    }

    for r in v["last_refused"].as_array().into_iter().flatten() {
        out += &format!(
            "refused {}: {} ({})\n",
            text(r, "code"),
            text(r, "why"),
            text(r, "subject")
        );
    }

    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "peer",
        "link",
        "last contact",
        "they lack",
        "in step",
        "rtt ms",
        "last error",
    ]);

    let now = v["now_ms"].as_i64().unwrap_or(0);
    for p in v["peers"].as_array().into_iter().flatten() {
        let last = p["last_contact_ms"].as_i64().unwrap_or(0);
        let ago = if last == 0 {
            "never".into()
        } else {
            format!("{} s ago", (now - last).max(0) / 1000)
        };

        // A dark peer's backlog is not nought but unknown.
        let up = p["connected"] == true;
        let lacks = if up {
            p["unsent"].to_string()
        } else {
            "unknown".into()
        };

        let link = if up { "up" } else { "down" };
        table.add_row([
            text(p, "node"),
            link.into(),
            ago,
            lacks,
            text(p, "in_step"),
            text(p, "rtt_ms"),
            text(p, "last_error"),
        ]);
    }

    out + &table.to_string()
}

/// Lines sent in one request: many share a commit, and a broken link costs no more than these.
const IMPORT_LINES: usize = 500;

pub fn import(at: &At, file: &Path, json: bool) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let lines = read_lines(file)?;
    let bar = if json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(lines.len() as u64)
    };

    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} lines  {per_sec}  {eta} left")
            .expect("a fixed template"),
    );

    let mut told = Imported::default();
    for (n, part) in lines.chunks(IMPORT_LINES).enumerate() {
        let answer = client.post_lines("/v1/imports", part.join(&b'\n'))?;
        told.take(&answer, n * IMPORT_LINES);
        bar.inc(part.len() as u64);
    }

    bar.finish_and_clear();

    for line in &told.bad {
        print::print_error!(
            "{}:{}: {} [{}]",
            file.display(),
            line["line"],
            text_of(&line["detail"]),
            text_of(&line["code"])
        );
    }

    for line in &told.warned {
        for warning in line["warnings"].as_array().into_iter().flatten() {
            print::print_error!(
                "{}:{}: look again: {}",
                file.display(),
                line["line"],
                text_of(warning)
            );
        }
    }

    let exit = if told.bad.is_empty() {
        Exit::Done
    } else {
        Exit::Open
    };

    tell(json, &told.summary(), |summary| {
        let detained = summary["detained"].as_array().map_or(0, Vec::len);
        let mut out = format!(
            "{} written, {} written before, {} bad",
            summary["written"], summary["repeated"], summary["bad"]
        );

        if detained > 0 {
            out += &format!("; {detained} DETAINED:");
            for record in summary["detained"].as_array().into_iter().flatten() {
                out += &format!("\n  {}  {}", text(record, "id"), standing(record));
            }
        }

        out
    });

    Ok(exit)
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
    fn take(&mut self, answer: &Value, before: usize) {
        self.written += answer["written"].as_u64().unwrap_or(0);
        self.repeated += answer["repeated"].as_u64().unwrap_or(0);
        for line in answer["lines"].as_array().into_iter().flatten() {
            let at = before + line["line"].as_u64().unwrap_or(0) as usize;
            if line.get("code").is_some() {
                self.bad
                    .push(json!({"line": at, "code": line["code"], "detail": line["detail"]}));
                continue;
            }

            if line["warnings"].as_array().is_some_and(|w| !w.is_empty()) {
                self.warned
                    .push(json!({"line": at, "id": line["id"], "warnings": line["warnings"]}));
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
            "written": self.written, "repeated": self.repeated, "bad": self.bad.len(), "bad_lines": self.bad,
            "states": self.states, "warned_lines": self.warned, "detained": detained,
        })
    }
}

/// A file's lines, each edit with the key that it has by what stands before it in the whole file: a
/// request holds a part of it alone. A file that says by its mark that it is UTF-16 is read as
/// that; else each line is the node's to read.
fn read_lines(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|mut f| f.read_to_end(&mut bytes)),
    };

    read.map_err(|e| Failure::usage("unreadable", format!("{}: {e}", file.display())))?;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let text = wadi_web::decode_text(&bytes)
            .map_err(|p| Failure::usage(p.code, format!("{}: {}", file.display(), p.detail)))?;
        bytes = text.into_owned().into_bytes();
    }

    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);

    let mut keys = wadi_web::OperationKeys::default();
    Ok(bytes
        .split(|byte| *byte == b'\n')
        .map(|line| with_key(line, &mut keys))
        .collect())
}

/// A line with its key, where it is an edit that has none. What does not read is the node's to
/// refuse.
fn with_key(line: &[u8], keys: &mut wadi_web::OperationKeys) -> Vec<u8> {
    let mut keyed = || {
        let text = std::str::from_utf8(line).ok()?;
        let map = wadi_web::parse_object(text).ok()?;
        let key = keys.next(&map).filter(|_| !map.contains_key("key"))?;
        let (before, after) = text.split_once('{')?;
        Some(format!("{before}{{\"key\":\"{key}\",{after}").into_bytes())
    };

    keyed().unwrap_or_else(|| line.to_vec())
}

fn text_of(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default()).into_owned()
}

pub fn say(command: SayCommand, json: bool) -> Result<Exit, Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|e| Failure::usage("unreadable", format!("{}: {e}", path.display())))
    };
    let (at, body) = match command {
        SayCommand::Officer {
            officer,
            department,
            crossing,
            supervisor,
            revoke,
            name,
            at,
        } => (
            at,
            json!({"say": "officer", "officer": officer, "department": department, "crossing": crossing,
                "supervisor": supervisor, "revoked": revoke, "name": name}),
        ),
        SayCommand::Policy { file, at } => {
            let policy: Value = serde_json::from_str(&read(&file)?)
                .map_err(|e| Failure::usage("broken_json", format!("{}: {e}", file.display())))?;
            (at, json!({"say": "policy", "policy": policy}))
        }
        SayCommand::Enrol { file, at } => (
            at,
            json!({"say": "enrol", "enrolment": read(&file)?.trim()}),
        ),
        SayCommand::Cut { node, reason, at } => (
            at,
            json!({"say": "cut_node", "node": node, "reason": reason}),
        ),
        SayCommand::Admit {
            log: Some(log),
            reason,
            at,
            ..
        } => {
            return crate::quarantine::admit_log(&log, &reason, &at, json);
        }
        SayCommand::Admit {
            entries,
            reason,
            at,
            ..
        } => (
            at,
            json!({"say": "admit", "entries": entries, "reason": reason}),
        ),
        SayCommand::Closure {
            crossing,
            closed_s,
            reason,
            at,
        } => (
            at,
            json!({"say": "closure", "crossing": crossing, "closed_s": closed_s, "reason": reason}),
        ),
    };

    let value = Client::at(&at)?.post("/v1/control", &body)?;
    tell(json, &value, |v| {
        format!("said: {}", v["entries"][0].as_str().unwrap_or_default())
    });

    Ok(Exit::Done)
}

pub fn token(command: TokenCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Issue {
            name,
            device,
            who,
            at,
        } => {
            let scope = match (device, who.officer, who.department) {
                (Some(device), None, None) => json!({"is": "device", "device": device}),
                (None, Some(officer), Some(department)) => {
                    json!({"is": "officer", "officer": officer, "department": department})
                }
                (None, None, None) => json!({"is": "reader"}),
                _ => {
                    let why = "give --officer and --department, or --device, or none of them to read only";
                    return Err(Failure::usage("bad_token", why));
                }
            };

            let value =
                Client::at(&at)?.post("/v1/tokens", &json!({"name": name, "scope": scope}))?;
            tell(json, &value, |v| {
                format!(
                    "{}\nIt is shown this once.",
                    v["token"].as_str().unwrap_or_default()
                )
            });
        }
        TokenCommand::List { at } => {
            let value = Client::at(&at)?.get("/v1/tokens")?;
            tell(json, &value, |v| {
                let rows = v["tokens"].as_array().into_iter().flatten();
                rows.map(|t| format!("{:<24} {}", text(t, "name"), t["scope"]))
                    .collect::<Vec<_>>()
                    .join("\n")
            });
        }
        TokenCommand::Anew { device, at } => {
            let value = Client::at(&at)?.post("/v1/devices/anew", &json!({"device": device}))?;
            tell(json, &value, |_| {
                format!("{device}: its counter may begin anew")
            });
        }
        TokenCommand::Revoke { name, at } => {
            let value = Client::at(&at)?.delete(&format!("/v1/tokens/{}", percent(&name)))?;
            tell(json, &value, |_| format!("{name} is revoked"));
        }
    }

    Ok(Exit::Done)
}
