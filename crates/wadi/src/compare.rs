//! `wadi audit compare`: what two nodes hold, side by side. Logs first, then records in the order
//! of their ids; where two differ, entry by entry and field by field. A page of each node is held
//! in memory, however much they hold.

use crate::{
    At,
    client::Client,
    commands::percent,
    failure::{Exit, Failure},
    output,
};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
};
use wadi_log::{Crossing, Enrolment, Hash, Lane, LogId, RecordId, Scope, Tip, unhex};
use wadi_store::{CompareRow, CopyReader, entries_digest};

/// Records read at once: of a running node, as many as it gives …
const LIVE_PAGE: u32 = 500;
/// … and of a database.
const PAGE: u32 = 2_000;
/// Characters of a value in the table; `--json` shows it whole.
const CELL_CHARS: usize = 60;

#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// A node: its data directory (or a copy out of a backup), its node.toml, or the URL of its
    /// API.
    a: String,
    /// The node to compare it with.
    b: String,
    /// A token of the operator of A, where the one that lies beside its configuration is not to be
    /// used.
    #[arg(long)]
    token_a: Option<String>,
    /// The same of B.
    #[arg(long)]
    token_b: Option<String>,
    /// The configuration whose operator's token, and whose authority for https, serve for a URL.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// Differences shown; all are counted.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub async fn run(args: CompareArgs, json: bool) -> Result<Exit, Failure> {
    let mut a = Holder::open(&args.a, args.token_a.as_deref(), &args.config).await?;
    let mut b = Holder::open(&args.b, args.token_b.as_deref(), &args.config).await?;
    let both = Both(a.scope.clone(), b.scope.clone());
    let mut found = Found {
        limit: args.limit,
        ..Found::default()
    };

    compare_logs(&mut a, &mut b, &both, &mut found).await?;
    let bar = if json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };

    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} records  {per_sec}")
            .expect("a fixed template"),
    );
    compare_records(&mut a, &mut b, &both, &mut found, &bar).await?;
    bar.finish_and_clear();

    if json {
        found
            .shown
            .iter()
            .for_each(|line| crate::print::print_line!("{line}"));
        crate::print::print_line!("{}", found.counts(&a.name, &b.name));
    } else {
        crate::print::print_line!("{}", found.text(&a, &b));
    }

    Ok(if found.is_equal() {
        Exit::Done
    } else {
        Exit::Open
    })
}

/// What both nodes may take: what lies outside is neither's to lack.
struct Both(Scope, Scope);

impl Both {
    fn take(&self, lane: Lane, crossing: Crossing) -> bool {
        self.0.takes(lane, crossing) && self.1.takes(lane, crossing)
    }
}

/// A record as it is compared at first.
#[derive(Clone, PartialEq, Debug)]
struct Row {
    id: RecordId,
    printed: String,
    lane: Lane,
    crossing: Crossing,
    state: String,
    document: String,
    entries: String,
}

impl Row {
    fn of(row: CompareRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id,
            lane: Lane::from_u8(row.lane)?,
            crossing: row.crossing.parse()?,
            document: row.document.to_string(),
            entries: entries_digest(&row.entries).to_string(),
            printed: row.printed,
            state: row.state,
        })
    }

    fn of_json(row: &Value) -> Option<Self> {
        let text = |member: &str| row[member].as_str().map(String::from);
        Some(Self {
            id: row["record"].as_str()?.parse().ok()?,
            printed: text("id")?,
            lane: row["lane"].as_str()?.parse().ok()?,
            crossing: row["crossing"].as_str()?.parse().ok()?,
            state: text("state")?,
            document: text("document")?,
            entries: text("entries_digest")?,
        })
    }
}

/// A record whole: the entries held of it, and what they come to.
struct Detail {
    entries: BTreeSet<String>,
    record: Value,
}

enum Side {
    /// A running node.
    Live(Client),
    /// A database as it lies there.
    Lying(CopyReader),
}

/// One of the two nodes.
struct Holder {
    named: String,
    name: String,
    scope: Scope,
    logs: BTreeMap<LogId, Tip>,
    side: Side,
    page: VecDeque<Row>,
    after: RecordId,
    ended: bool,
}

fn bad_answer() -> Failure {
    Failure::new(
        "bad_answer",
        "the node's answer does not read: is it of another version?",
    )
}

async fn ask(client: &Client, path: String) -> Result<Value, Failure> {
    let client = client.clone();
    let asked = tokio::task::spawn_blocking(move || client.get(&path)).await;
    asked.map_err(|e| Failure::new("panicked", e.to_string()))?
}

fn hash_of(text: &Value) -> Option<Hash> {
    Hash::from_slice(&unhex(text.as_str()?)?).ok()
}

fn tip_of(log: &Value) -> Option<(LogId, Tip)> {
    let id = LogId::from_origin(log["log"].as_str()?).ok()?;
    Some((
        id,
        Tip {
            size: log["size"].as_u64()?,
            root: hash_of(&log["root"])?,
        },
    ))
}

impl Holder {
    async fn open(named: &str, token: Option<&str>, config: &Path) -> Result<Self, Failure> {
        let path = Path::new(named);
        let is_config = path.extension().is_some_and(|e| e == "toml");
        if named.starts_with("http://") || named.starts_with("https://") || is_config {
            let (config, url) = if is_config {
                (path, None)
            } else {
                (config, Some(named.to_string()))
            };

            let at = At {
                config: config.into(),
                url,
                token: token.map(String::from),
            };

            return Self::live(named, Client::at(&at)?).await;
        }

        let file = if path.is_dir() {
            path.join("node.sqlite")
        } else {
            path.to_path_buf()
        };

        if !file.is_file() {
            let why = format!(
                "{} is not there; name a node by its data directory, its node.toml (a hub on PostgreSQL, too) or its URL",
                file.display()
            );
            return Err(Failure::usage("no_database", why));
        }

        let mut reader = CopyReader::open(&file).await?;
        let enrolment = reader.own_enrolment().await?;
        let logs = reader.logs().await?.into_iter().collect();

        Ok(Self::new(named, enrolment, logs, Side::Lying(reader)))
    }

    async fn live(named: &str, client: Client) -> Result<Self, Failure> {
        let about = ask(&client, "/v1/compare/logs".into()).await?;
        let enrolment = about["enrolment"]
            .as_str()
            .and_then(unhex)
            .and_then(|b| Enrolment::from_bytes(&b).ok());
        let logs = about["logs"]
            .as_array()
            .into_iter()
            .flatten()
            .map(tip_of)
            .collect::<Option<_>>();

        match (enrolment, logs) {
            (Some(enrolment), Some(logs)) => {
                Ok(Self::new(named, enrolment, logs, Side::Live(client)))
            }
            _ => Err(bad_answer()),
        }
    }

    fn new(named: &str, enrolment: Enrolment, mut logs: BTreeMap<LogId, Tip>, side: Side) -> Self {
        // Holding nothing of a log and not knowing it are the same.
        logs.retain(|_, tip| tip.size > 0);
        Self {
            named: named.into(),
            name: enrolment.name,
            scope: enrolment.scope,
            logs,
            side,
            page: VecDeque::new(),
            after: RecordId([0; 32]),
            ended: false,
        }
    }

    /// The next record that both may take, in the order of ids.
    async fn next(&mut self, both: &Both) -> Result<Option<Row>, Failure> {
        loop {
            while let Some(row) = self.page.pop_front() {
                if both.take(row.lane, row.crossing) {
                    return Ok(Some(row));
                }
            }

            if self.ended {
                return Ok(None);
            }

            let rows: Vec<Row> = match &mut self.side {
                Side::Live(client) => {
                    let page = ask(
                        client,
                        format!("/v1/compare?after={}&limit={LIVE_PAGE}", self.after),
                    )
                    .await?;

                    let rows = page["records"].as_array().ok_or_else(bad_answer)?;
                    rows.iter()
                        .map(Row::of_json)
                        .collect::<Option<_>>()
                        .ok_or_else(bad_answer)?
                }
                Side::Lying(reader) => {
                    let rows = reader.compare_page(&self.after, PAGE).await?;
                    rows.into_iter().map(Row::of).collect::<Result<_, _>>()?
                }
            };

            // Out of order, the two could not be read side by side, and without an end.
            for row in &rows {
                if row.id <= self.after {
                    return Err(bad_answer());
                }
                self.after = row.id;
            }

            self.ended = rows.is_empty();
            self.page.extend(rows);
        }
    }

    async fn detail(&mut self, id: &RecordId) -> Result<Detail, Failure> {
        let none = || Detail {
            entries: BTreeSet::new(),
            record: Value::Null,
        };

        match &mut self.side {
            Side::Live(client) => match ask(client, format!("/v1/compare/{id}")).await {
                Ok(found) => {
                    let entries = found["entries"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str);

                    Ok(Detail {
                        entries: entries.map(String::from).collect(),
                        record: found["record"].clone(),
                    })
                }
                // It was there a moment ago.
                Err(failure) if failure.code == "no_such_record" => Ok(none()),
                Err(failure) => Err(failure),
            },
            Side::Lying(reader) => {
                Ok(reader
                    .compare_record(id)
                    .await?
                    .map_or_else(none, |(json, entries)| Detail {
                        entries: entries.iter().map(ToString::to_string).collect(),
                        record: serde_json::from_str(&json).unwrap_or_default(),
                    }))
            }
        }
    }

    /// The root of a log's first entries; nothing where they are not all held.
    async fn root_at(&mut self, log: &LogId, size: u64) -> Result<Option<Hash>, Failure> {
        if let Some(tip) = self.logs.get(log).filter(|t| t.size == size) {
            return Ok(Some(tip.root));
        }

        match &mut self.side {
            Side::Live(client) => {
                let path = format!(
                    "/v1/compare/root?log={}&size={size}",
                    percent(&log.origin())
                );
                match ask(client, path).await {
                    Ok(found) => Ok(hash_of(&found["root"])),
                    Err(failure) if failure.code == "not_held" => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
            Side::Lying(reader) => Ok(reader.root_at(log, size).await?),
        }
    }
}

/// What was found, counted; the first of it with its values.
#[derive(Default)]
struct Found {
    limit: usize,
    shown: Vec<Value>,
    records_a: u64,
    records_b: u64,
    only_a: u64,
    only_b: u64,
    entries_differ: u64,
    fields_differ: u64,
    states_differ: u64,
    logs: u64,
    logs_differ: u64,
    forked: u64,
}

impl Found {
    fn is_full(&self) -> bool {
        self.shown.len() >= self.limit
    }

    fn show(&mut self, lines: impl IntoIterator<Item = Value>) {
        let room = self.limit.saturating_sub(self.shown.len());
        self.shown.extend(lines.into_iter().take(room));
    }

    fn is_equal(&self) -> bool {
        let of_records = self.only_a
            + self.only_b
            + self.entries_differ
            + self.fields_differ
            + self.states_differ;
        of_records + self.logs_differ + self.forked == 0
    }

    fn counts(&self, a: &str, b: &str) -> Value {
        json!({
            "equal": self.is_equal(), "a": a, "b": b, "records_a": self.records_a, "records_b": self.records_b,
            "only_a": self.only_a, "only_b": self.only_b, "entries_differ": self.entries_differ,
            "fields_differ": self.fields_differ, "states_differ": self.states_differ, "logs": self.logs,
            "logs_differ": self.logs_differ, "forked": self.forked, "shown": self.shown.len(),
        })
    }

    fn text(&self, a: &Holder, b: &Holder) -> String {
        let mut out = format!(
            "A is {} ({}): {} records. B is {} ({}): {} records. Compared is what both may take.\n",
            a.name, a.named, self.records_a, b.name, b.named, self.records_b
        );

        if self.is_equal() {
            return out
                + &format!(
                    "Equal: every entry, field and state, and {} logs by size and root.",
                    self.logs
                );
        }

        let mut table = output::table(["record", "differs", "", "A", "B"]);
        for line in &self.shown {
            let cells = ["record", "differs", "key", "a", "b"].map(|member| cell(&line[member]));
            table.add_row(output::row(cells));
        }

        if !self.shown.is_empty() {
            out += &format!("{table}\n");
        }

        out += &format!(
            "only in A: {}   only in B: {}   other entries: {}   other fields or events: {}   other state: {}\n\
             logs that differ: {} of {}   forked: {}",
            self.only_a,
            self.only_b,
            self.entries_differ,
            self.fields_differ,
            self.states_differ,
            self.logs_differ,
            self.logs,
            self.forked
        );

        if self.is_full() {
            out += &format!(
                "\nThe first {} differences are shown; --limit shows more.",
                self.shown.len()
            );
        }

        out
    }
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };

    match text.chars().nth(CELL_CHARS) {
        Some(_) => format!("{}…", text.chars().take(CELL_CHARS).collect::<String>()),
        None => text,
    }
}

fn line(record: &str, differs: &str, key: &str, a: Value, b: Value) -> Value {
    json!({"record": record, "differs": differs, "key": key, "a": a, "b": b})
}

fn held(is: bool) -> Value {
    if is { "held".into() } else { "lacks it".into() }
}

async fn compare_logs(
    a: &mut Holder,
    b: &mut Holder,
    both: &Both,
    found: &mut Found,
) -> Result<(), Failure> {
    let all = a
        .logs
        .keys()
        .chain(b.logs.keys())
        .filter(|l| both.take(l.lane, l.crossing));

    let all: BTreeSet<LogId> = all.copied().collect();
    for log in all {
        found.logs += 1;
        let (in_a, in_b) = (a.logs.get(&log).copied(), b.logs.get(&log).copied());
        if in_a == in_b {
            continue;
        }

        found.logs_differ += 1;
        let size = |tip: Option<Tip>| tip.map_or(0, |t| t.size);
        let common = size(in_a).min(size(in_b));

        // Where one holds more of it, the other's part has to be its beginning.
        let forked = common > 0
            && match (
                a.root_at(&log, common).await?,
                b.root_at(&log, common).await?,
            ) {
                (Some(one), Some(other)) => one != other,
                _ => false,
            };

        found.forked += u64::from(forked);
        let told = |tip: Option<Tip>| {
            tip.map_or(Value::Null, |t| {
                format!("{} entries, root {}", t.size, t.root).into()
            })
        };

        let differs = if forked { "FORK" } else { "log" };
        found.show([line("", differs, &log.origin(), told(in_a), told(in_b))]);
    }

    Ok(())
}

async fn compare_records(
    a: &mut Holder,
    b: &mut Holder,
    both: &Both,
    found: &mut Found,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let (mut in_a, mut in_b) = (a.next(both).await?, b.next(both).await?);
    loop {
        let order = match (&in_a, &in_b) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.id.cmp(&other.id),
        };

        match (&in_a, &in_b) {
            (Some(one), Some(other)) if order == Ordering::Equal => {
                compare_two(a, b, one, other, found).await?
            }
            (Some(one), _) if order == Ordering::Less => {
                found.only_a += 1;
                found.show([line(
                    &one.printed,
                    "record",
                    &one.id.to_string(),
                    held(true),
                    held(false),
                )]);
            }
            (_, Some(other)) => {
                found.only_b += 1;
                found.show([line(
                    &other.printed,
                    "record",
                    &other.id.to_string(),
                    held(false),
                    held(true),
                )]);
            }
            (_, None) => {}
        }

        if order != Ordering::Greater {
            found.records_a += 1;
            in_a = a.next(both).await?;
        }

        if order != Ordering::Less {
            found.records_b += 1;
            in_b = b.next(both).await?;
        }

        bar.inc(1);
    }
}

async fn compare_two(
    a: &mut Holder,
    b: &mut Holder,
    one: &Row,
    other: &Row,
    found: &mut Found,
) -> Result<(), Failure> {
    let entries = one.entries != other.entries;
    let fields = one.document != other.document;
    let states = one.state != other.state;
    found.entries_differ += u64::from(entries);
    found.fields_differ += u64::from(fields);
    found.states_differ += u64::from(states);
    if (entries || fields || states) && !found.is_full() {
        let (in_a, in_b) = (a.detail(&one.id).await?, b.detail(&one.id).await?);
        found.show(differences((one, &in_a), (other, &in_b)));
    }

    Ok(())
}

/// In what two nodes differ over a record.
fn differences((one, in_a): (&Row, &Detail), (other, in_b): (&Row, &Detail)) -> Vec<Value> {
    let record = &one.printed;
    let mut out = Vec::new();
    for entry in in_a.entries.symmetric_difference(&in_b.entries) {
        let here = in_a.entries.contains(entry);
        out.push(line(record, "entry", entry, held(here), held(!here)));
    }

    let (a, b) = (flat(&in_a.record), flat(&in_b.record));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut any = false;
    for name in names {
        let (x, y) = (
            a.get(name).cloned().unwrap_or_default(),
            b.get(name).cloned().unwrap_or_default(),
        );

        if x != y {
            any = true;
            out.push(line(
                record,
                if name.starts_with("ev.") {
                    "event"
                } else {
                    "field"
                },
                name,
                x,
                y,
            ));
        }
    }

    if one.document != other.document && !any {
        // What is overwritten by now, or cleared.
        let (x, y) = (one.document.as_str().into(), other.document.as_str().into());
        out.push(line(record, "document", "", x, y));
    }

    if one.state != other.state {
        out.push(line(
            record,
            "state",
            "",
            one.state.as_str().into(),
            other.state.as_str().into(),
        ));
    }

    if out.is_empty() {
        out.push(line(
            record,
            "meanwhile",
            "it changed while it was compared",
            Value::Null,
            Value::Null,
        ));
    }

    out
}

/// A record's fields by name, contested ones as the list of their values, and its events by id.
fn flat(record: &Value) -> BTreeMap<String, Value> {
    let mut out: BTreeMap<String, Value> = record["fields"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();

    for (name, claims) in record["contested"].as_object().into_iter().flatten() {
        let values: Value = claims
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| c["value"].clone())
            .collect();

        out.insert(name.clone(), json!({"contested": values}));
    }

    for event in record["events"].as_array().into_iter().flatten() {
        let mut event = event.clone();
        let id = event
            .as_object_mut()
            .and_then(|e| e.remove("id"))
            .unwrap_or_default();
        out.insert(format!("ev.{}", id.as_str().unwrap_or_default()), event);
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, document: &str, entries: &str) -> Row {
        Row {
            id: RecordId([1; 32]),
            printed: "TRB-P-1".into(),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
            state: state.into(),
            document: document.into(),
            entries: entries.into(),
        }
    }

    fn detail(entries: &[&str], record: Value) -> Detail {
        Detail {
            entries: entries.iter().map(ToString::to_string).collect(),
            record,
        }
    }

    #[test]
    fn entries_fields_events_and_states_are_told_by_name() {
        let a = detail(
            &["e1", "e2"],
            json!({"fields": {"note": "old", "lane": 3}, "contested": {}, "events": [{"id": "X", "type": "gate.in"}]}),
        );
        let b = detail(
            &["e1", "e3"],
            json!({
                "fields": {"lane": 3}, "contested": {"note": [{"value": "old"}, {"value": "new"}]},
                "events": [{"id": "X", "type": "gate.in"}, {"id": "Y", "type": "gate.out"}],
            }),
        );

        let (one, other) = (row("ADMITTED", "d1", "x"), row("EXITED", "d2", "y"));
        let lines = differences((&one, &a), (&other, &b));
        let told: Vec<(&str, &str)> = lines
            .iter()
            .map(|l| (l["differs"].as_str().unwrap(), l["key"].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("entry", "e2"),
                ("entry", "e3"),
                ("event", "ev.Y"),
                ("field", "note"),
                ("state", "")
            ]
        );

        assert_eq!(
            (&lines[0]["a"], &lines[0]["b"]),
            (&json!("held"), &json!("lacks it"))
        );
        assert_eq!(
            (&lines[3]["a"], &lines[3]["b"]),
            (&json!("old"), &json!({"contested": ["old", "new"]}))
        );
        assert_eq!(lines[2]["a"], Value::Null);

        // A document may differ in what nobody sees any more; a record may change under the eyes of
        // who compares.
        let lines = differences((&one, &a), (&row("ADMITTED", "d2", "x"), &a));
        assert_eq!((lines.len(), &lines[0]["differs"]), (1, &json!("document")));

        let lines = differences((&one, &a), (&row("ADMITTED", "d1", "z"), &a));
        assert_eq!(lines[0]["differs"], "meanwhile");
    }

    #[test]
    fn a_row_of_a_running_node_reads_and_a_strange_one_does_not() {
        let good = json!({
            "record": "01".repeat(32), "id": "TRB-P-1", "lane": "passage", "crossing": "TRB", "state": "ADMITTED",
            "document": "d", "entries": 2, "entries_digest": "x",
        });
        assert_eq!(Row::of_json(&good), Some(row("ADMITTED", "d", "x")));

        for member in ["record", "lane", "crossing", "document"] {
            let mut bad = good.clone();
            bad[member] = 7.into();
            assert_eq!(Row::of_json(&bad), None, "{member}");
        }
    }

    #[test]
    fn what_is_shown_is_bounded_and_what_is_counted_is_not() {
        let mut found = Found {
            limit: 3,
            only_a: 9,
            ..Found::default()
        };

        found.show((0..9).map(|n| line("", "record", &n.to_string(), held(true), held(false))));
        assert_eq!(
            (found.shown.len(), found.is_full(), found.is_equal()),
            (3, true, false)
        );
        assert_eq!(found.counts("a", "b")["only_a"], 9);
        assert!(Found::default().is_equal());
        assert_eq!(
            cell(&json!("س".repeat(100))).chars().count(),
            CELL_CHARS + 1
        );
    }
}
