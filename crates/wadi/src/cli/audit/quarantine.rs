//! `wadi audit quarantine`: what does not count for a cut or a fork; and admitting it in bulk.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
        confirm::{ConfirmArgs, effect_text},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Entries that one admission names: it stays below the limit of an entry.
const ADMITTED_AT_ONCE: usize = 200;

fn all(client: &Client, log: Option<&str>) -> Result<Vec<Value>, Failure> {
    let mut out = Vec::new();
    let mut after = String::new();
    loop {
        let mut path = format!(
            "/v1/quarantine?log={}",
            percent_encode(log.unwrap_or_default())
        );
        if log.is_none() {
            path = "/v1/quarantine?".into();
        }

        if !after.is_empty() {
            path += &format!("&after={}", percent_encode(&after));
        }

        let page = client.get(&path)?;
        out.extend(page["entries"].as_array().into_iter().flatten().cloned());

        match page["next_after"].as_str() {
            Some(next) => after = next.into(),
            None => return Ok(out),
        }
    }
}

/// Lists what is in quarantine. Exit code 3 where there is any.
pub fn list(log: Option<&str>, at: &NodeAt, json: bool) -> Result<Exit, Failure> {
    let entries = all(&Client::at(at)?, log)?;
    let exit = if entries.is_empty() {
        Exit::Done
    } else {
        Exit::Open
    };

    print_answer(
        json,
        &json!({"count": entries.len(), "entries": entries}),
        |v| {
            let mut table = print::table(["entry", "why", "claimed", "who", "says"]);
            for e in v["entries"].as_array().into_iter().flatten() {
                let words = |member: &str| {
                    let list = e[member]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str);
                    list.collect::<Vec<_>>().join(" ")
                };

                table.add_row(print::row([
                    member_text(e, "entry"),
                    member_text(e, "why"),
                    time_text(e["claimed_ms"].as_i64().unwrap_or(0)),
                    format!(
                        "{} {}",
                        member_text(e, "officer"),
                        member_text(e, "department")
                    ),
                    format!("{} {}", words("events"), words("fields")),
                ]));
            }

            format!(
                "{table}\n{} entries do not count; `wadi say admit` lets single ones, or --log \
                 all of a log's",
                v["count"]
            )
        },
    );

    Ok(exit)
}

/// Admits everything of a log that is in quarantine, in as few entries as may be.
pub fn admit_log(
    log: &str,
    reason: &str,
    confirm: &ConfirmArgs,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let held = all(&client, Some(log))?;
    let entries: Vec<String> = held.iter().map(|e| member_text(e, "entry")).collect();

    if entries.is_empty() {
        return Err(Failure::new(
            "nothing_quarantined",
            format!("nothing of {log} is in quarantine here"),
        ));
    }

    let records: BTreeSet<String> = held.iter().map(|e| member_text(e, "record")).collect();
    let effect = json!({
        "change": "admission",
        "entries_that_begin_to_count": entries.len(),
        "records_that_change": records,
    });
    if confirm.dry_run {
        let told = json!({"dry_run": true, "would": effect});
        print_answer(json, &told, |v| effect_text(&v["would"]));
        return Ok(Exit::Done);
    }

    confirm.ask(|| Ok(effect_text(&effect)))?;
    for part in entries.chunks(ADMITTED_AT_ONCE) {
        client.post(
            &confirm.person.on("/v1/control"),
            &json!({"say": "admit", "entries": part, "reason": reason}),
        )?;
    }

    print_answer(json, &json!({"admitted": entries.len(), "log": log}), |v| {
        format!("{} entries of {log} count now", v["admitted"])
    });

    Ok(Exit::Done)
}
