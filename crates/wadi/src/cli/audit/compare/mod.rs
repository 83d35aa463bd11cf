//! `wadi audit compare`: what two nodes hold, side by side. Logs first, then records in the order
//! of their ids; where two differ, entry by entry and field by field. A page of each node is held
//! in memory, however much they hold.

mod differences;
mod holder;

use crate::{
    cli::token_file::given_token,
    failure::{Exit, Failure},
    print,
};
use clap::Args;
use differences::{Differences, differences, held, line};
use holder::{BothScopes, ComparedNode, ComparedRecord};
use indicatif::ProgressBar;
use serde_json::Value;
use std::{cmp::Ordering, collections::BTreeSet, path::PathBuf};
use wadi_log::{LogId, Tip};

#[derive(Args, Clone, Debug)]
pub struct CompareArgs {
    /// A node: its data directory (or a copy out of a backup), its node.toml, or the URL of its
    /// API.
    a: String,
    /// The node to compare it with.
    b: String,
    /// A token of the operator of A, where the one that lies beside its configuration is not to be
    /// used. Everybody on the machine can read a command line: give --token-a-file.
    #[arg(long)]
    token_a: Option<String>,
    /// The same of B.
    #[arg(long)]
    token_b: Option<String>,
    /// A file with A's token, which others may not read; - for the standard input.
    #[arg(long, value_name = "FILE")]
    token_a_file: Option<PathBuf>,
    /// The same of B.
    #[arg(long, value_name = "FILE")]
    token_b_file: Option<PathBuf>,
    /// The configuration whose operator's token, and whose authority for https, serve for a URL.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// Differences shown; all are counted.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub async fn run(args: CompareArgs, json: bool) -> Result<Exit, Failure> {
    let token_a = given_token(args.token_a.as_deref(), args.token_a_file.as_deref())?;
    let token_b = given_token(args.token_b.as_deref(), args.token_b_file.as_deref())?;
    let mut a = ComparedNode::open(&args.a, token_a.as_deref(), &args.config).await?;
    let mut b = ComparedNode::open(&args.b, token_b.as_deref(), &args.config).await?;
    let both = BothScopes(a.scope.clone(), b.scope.clone());
    let mut found = Differences {
        limit: args.limit,
        ..Differences::default()
    };

    compare_logs(&mut a, &mut b, &both, &mut found).await?;
    let bar = print::progress(json, None, "{spinner} {pos} records  {per_sec}");
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

async fn compare_logs(
    a: &mut ComparedNode,
    b: &mut ComparedNode,
    both: &BothScopes,
    found: &mut Differences,
) -> Result<(), Failure> {
    let all = a
        .logs
        .keys()
        .chain(b.logs.keys())
        .filter(|l| both.may_hold(l.lane, l.crossing));

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
        found.add_lines([line("", differs, &log.origin(), told(in_a), told(in_b))]);
    }

    Ok(())
}

async fn compare_records(
    a: &mut ComparedNode,
    b: &mut ComparedNode,
    both: &BothScopes,
    found: &mut Differences,
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
                found.add_lines([line(
                    &one.printed,
                    "record",
                    &one.id.to_string(),
                    held(true),
                    held(false),
                )]);
            }
            (_, Some(other)) => {
                found.only_b += 1;
                found.add_lines([line(
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
    a: &mut ComparedNode,
    b: &mut ComparedNode,
    one: &ComparedRecord,
    other: &ComparedRecord,
    found: &mut Differences,
) -> Result<(), Failure> {
    let entries = one.entries != other.entries;
    let fields = one.document != other.document;
    let states = one.state != other.state;
    found.entries_differ += u64::from(entries);
    found.fields_differ += u64::from(fields);
    found.states_differ += u64::from(states);
    if (entries || fields || states) && !found.is_full() {
        let (in_a, in_b) = (a.detail(&one.id).await?, b.detail(&one.id).await?);
        found.add_lines(differences((one, &in_a), (other, &in_b)));
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        differences::{CELL_CHARS, Differences, cell, differences, held, line},
        holder::{ComparedRecord, RecordDetail},
    };
    use serde_json::{Value, json};
    use wadi_log::{Lane, RecordId};

    fn row(state: &str, document: &str, entries: &str) -> ComparedRecord {
        ComparedRecord {
            id: RecordId([1; 32]),
            printed: "TRB-P-1".into(),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
            state: state.into(),
            document: document.into(),
            entries: entries.into(),
        }
    }

    fn detail(entries: &[&str], record: Value) -> RecordDetail {
        RecordDetail {
            entries: entries.iter().map(ToString::to_string).collect(),
            record,
        }
    }

    #[test]
    fn entries_fields_events_and_states_are_told_by_name() {
        let a = detail(
            &["e1", "e2"],
            json!({
                "fields": {"note": "old", "lane": 3},
                "contested": {},
                "events": [{"id": "X", "type": "gate.in"}],
            }),
        );
        let b = detail(
            &["e1", "e3"],
            json!({
                "fields": {"lane": 3}, "contested": {"note": [{"value": "old"}, {"value": "new"}]},
                "events": [{"id": "X", "type": "gate.in"}, {"id": "Y", "type": "gate.out"}],
            }),
        );

        let one = row("ADMITTED", "d1", "x");
        let other = row("EXITED", "d2", "y");
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
            "record": "01".repeat(32),
            "id": "TRB-P-1",
            "lane": "passage",
            "crossing": "TRB",
            "state": "ADMITTED",
            "document": "d",
            "entries": 2,
            "entries_digest": "x",
        });
        assert_eq!(
            ComparedRecord::of_json(&good),
            Some(row("ADMITTED", "d", "x"))
        );

        for member in ["record", "lane", "crossing", "document"] {
            let mut bad = good.clone();
            bad[member] = 7.into();
            assert_eq!(ComparedRecord::of_json(&bad), None, "{member}");
        }
    }

    #[test]
    fn what_is_shown_is_bounded_and_what_is_counted_is_not() {
        let mut found = Differences {
            limit: 3,
            only_a: 9,
            ..Differences::default()
        };

        found
            .add_lines((0..9).map(|n| line("", "record", &n.to_string(), held(true), held(false))));
        assert_eq!(
            (found.shown.len(), found.is_full(), found.is_equal()),
            (3, true, false)
        );
        assert_eq!(found.counts("a", "b")["only_a"], 9);
        assert!(Differences::default().is_equal());
        assert_eq!(
            cell(&json!("س".repeat(100))).chars().count(),
            CELL_CHARS + 1
        );
    }
}
