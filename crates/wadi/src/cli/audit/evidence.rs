//! `wadi audit evidence` and `wadi audit verify-evidence`: evidence files, made and checked.

use super::{country, root_key};
use crate::{
    cli::{
        NodeAt,
        client::Client,
        said::{entered_later, event_words, put_words},
    },
    failure::{Exit, Failure},
    output,
    print::{self, hub_time_text, print_answer, shown, time_text, time_text_s},
};
use comfy_table::Table;
use serde_json::{Map, Value, json};
use std::path::Path;
use wadi_log::{EVIDENCE_BYTES_MAX, Evidence, ProvenStatement};

pub(super) fn write_evidence(
    record: &str,
    file: &Path,
    proofs: Option<bool>,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let text = client.get_text(&format!("/v1/records/{record}/evidence"))?;
    let proofs = match proofs {
        Some(force) => country::write_proofs(&client, record, file, force)?,
        None => Value::Null,
    };

    output::write(file, text.as_bytes())?;
    let mut value = json!({
        "file": file.display().to_string(),
        "bytes": text.len(),
        "lines": text.lines().count(),
    });
    if !proofs.is_null() {
        value["country"] = proofs;
    }

    print_answer(json, &value, |v| {
        let country = &v["country"];
        let beside = match country["directory"].as_str() {
            Some(dir) => format!(
                "; {} proofs in {dir}, {} entries not listed yet",
                country["proofs"], country["not_listed"]
            ),
            None => String::new(),
        };
        format!(
            "{} bytes in {}{beside}; check it with: wadi audit verify-evidence",
            v["bytes"],
            file.display()
        )
    });

    Ok(Exit::Done)
}

/// Checks a file; against a policy and its directory of proofs, too, where they are given.
pub(super) fn verify_evidence(
    file: &Path,
    root: &Path,
    asked: Option<(&Path, &Path)>,
    json: bool,
) -> Result<Exit, Failure> {
    let root = root_key(root)?;
    let policy = asked.map(|(policy, _)| country::read_policy(policy));
    let policy = policy.transpose()?;
    let unreadable =
        |e: std::io::Error| Failure::usage("unreadable", format!("{}: {e}", file.display()));
    if std::fs::metadata(file).map_err(unreadable)?.len() > EVIDENCE_BYTES_MAX as u64 {
        return Err(Failure::usage(
            "too_large",
            format!("{} is larger than evidence can be", file.display()),
        ));
    }

    let found = match wadi_log::verify_evidence(&std::fs::read(file).map_err(unreadable)?, &root) {
        Ok(found) => found,
        Err(error) => {
            print_answer(
                json,
                &json!({"valid": false, "code": error.code, "why": error.why}),
                |_| format!("NOT VALID: {} [{}]", error.why, error.code),
            );
            return Ok(Exit::Integrity);
        }
    };

    let mut watched = None;
    if let (Some(policy), Some((_, proofs))) = (&policy, asked) {
        match country::check_watched(&found, policy, proofs)? {
            Ok(by) => watched = Some(by),
            Err((code, why)) => return Ok(country::refused(json, code, &why)),
        }
    }

    Ok(print_valid(&found, watched.as_ref(), json))
}

fn print_valid(found: &Evidence, watched: Option<&country::WatchedEvidence>, json: bool) -> Exit {
    let witnessed = found
        .statements
        .iter()
        .filter(|s| s.not_after_s.is_some())
        .count();

    let country = watched.map(|w| json!({"proofs": w.proofs, "cosigned": w.cosigned}));
    let value = json!({
        "valid": true,
        "country": country,
        "record": found.record.to_string(),
        "entries": found.statements.len(),
        "witnessed": witnessed,
        "statements": found.statements.iter().map(statement_json).collect::<Vec<_>>(),
    });
    let seen = watched.map_or(String::new(), |w| {
        let names: Vec<&str> = w.cosigned.iter().map(String::as_str).collect();
        format!(
            "; listed in the country log, all of it cosigned by {}",
            names.join(", ")
        )
    });
    print_answer(json, &value, |_| {
        format!(
            "{}\nVALID: {} ({}), {} entries, {witnessed} vouched for by a hub, {} forks; \
             made by {} at {}{seen}",
            statements_table(&found.statements),
            found.printed,
            found.record,
            found.statements.len(),
            found.forks,
            found.made_by,
            time_text_s(found.made_s),
        )
    });

    Exit::Done
}

fn statements_table(statements: &[ProvenStatement]) -> Table {
    let mut table = print::table(["claimed", "node", "who", "says", "not before", "not after"]);
    for s in statements {
        let c = &s.common;
        table.add_row(print::row([
            time_text(c.happened_ms.unwrap_or(c.wall_ms)),
            s.node.clone(),
            format!("{} {}{}", c.officer, c.department, c.device),
            says_text(s),
            hub_time_text(s.not_before_s),
            hub_time_text(s.not_after_s.map(|t| t as i64)),
        ]));
    }

    table
}

/// What a statement says, word for word.
fn statement_json(statement: &ProvenStatement) -> Value {
    let puts = statement.change.puts.iter();
    let puts: Map<String, Value> = puts
        .map(|put| (put.key.clone(), put_json(&put.value)))
        .collect();

    json!({
        "entry": statement.reference.to_string(),
        "events": statement.change.events,
        "puts": puts,
        "counts": statement.counts,
    })
}

fn put_json(value: &wadi_log::Value) -> Value {
    match value {
        wadi_log::Value::Null => Value::Null,
        wadi_log::Value::Text(text) => text.as_str().into(),
        wadi_log::Value::Int(number) => (*number).into(),
        wadi_log::Value::Flag(flag) => (*flag).into(),
    }
}

/// What a statement says: its events with their members, the values that it puts.
fn says_text(statement: &ProvenStatement) -> String {
    let change = &statement.change;
    let event = |text: &String| match serde_json::from_str(text) {
        Ok(Value::Object(members)) => event_words(&members),
        _ => shown(text).into_owned(),
    };

    let mut lines: Vec<String> = change.events.iter().map(event).collect();
    lines.extend(
        change
            .puts
            .iter()
            .map(|put| put_words(&put.key, &put_json(&put.value))),
    );

    let common = &statement.common;
    lines.extend(entered_later(common.happened_ms, common.wall_ms));
    if !statement.counts {
        lines.push("DOES NOT COUNT: in quarantine".into());
    }

    lines.join("\n")
}
