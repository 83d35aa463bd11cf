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
    print::{self, hub_time_text, print_answer, print_words_answer, shown, time_text, time_text_s},
    words,
};
use comfy_table::Table;
use serde_json::{Map, Value, json};
use std::path::Path;
use wadi_log::{EVIDENCE_BYTES_MAX, Evidence, ProvenStatement};
use wadi_record::SIGNATURE_EVENT;

/// The column of a statement's own words.
const SAYS: usize = 3;

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
        let file = file.display();
        format!(
            "{} bytes in {file}{beside}; check it with: wadi audit verify-evidence {file} --root \
             root.pub",
            v["bytes"],
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
        "statements": found
            .statements
            .iter()
            .map(|s| statement_json(s, found))
            .collect::<Vec<_>>(),
    });
    let seen = watched.map_or(String::new(), |w| {
        let names: Vec<&str> = w.cosigned.iter().map(String::as_str).collect();
        format!(
            "; listed in the country log, all of it cosigned by {}",
            names.join(", ")
        )
    });
    print_words_answer(json, &value, |_| {
        format!(
            "{}\nVALID: {} ({}), {} entries, {witnessed} vouched for by a hub, {} forks; \
             made by {} at {}{seen}",
            statements_table(found),
            found.printed,
            found.record,
            found.statements.len(),
            found.forks,
            shown(&found.made_by),
            time_text_s(found.made_s),
        )
    });

    Exit::Done
}

fn statements_table(found: &Evidence) -> Table {
    let mut table = print::table(["claimed", "node", "who", "says", "not before", "not after"]);
    for s in &found.statements {
        let c = &s.common;
        let mut cells = print::row([
            time_text(c.happened_ms.unwrap_or(c.wall_ms)),
            s.node.clone(),
            format!("{} {}{}", c.officer, c.department, c.device),
            String::new(),
            hub_time_text(s.not_before_s),
            hub_time_text(s.not_after_s.map(|t| t as i64)),
        ]);
        cells[SAYS] = says_text(s, found);
        table.add_row(cells);
    }

    table
}

/// What a statement says, word for word.
fn statement_json(statement: &ProvenStatement, found: &Evidence) -> Value {
    let puts = statement.change.puts.iter();
    let puts: Map<String, Value> = puts
        .map(|put| (put.key.clone(), put_json(&put.value)))
        .collect();

    json!({
        "entry": statement.reference.to_string(),
        "events": statement.change.events,
        "puts": puts,
        "counts": statement.counts,
        "officer_signature": signature_json(statement, found),
    })
}

/// What the officer's own signature over a statement comes to: by which key, whether it holds, and
/// whether a hub named that key as the officer's in this file. Null where there is none.
fn signature_json(statement: &ProvenStatement, found: &Evidence) -> Value {
    let s = statement;
    match wadi_record::own_signature(&s.reference, &s.common, &s.change) {
        None => Value::Null,
        Some(Err(_)) => json!({"holds": false, "key": null, "named": false}),
        Some(Ok(own)) => json!({
            "holds": own.holds,
            "key": own.key.fingerprint(),
            "named": found.officer_keys.contains(&(s.common.officer.clone(), own.key)),
        }),
    }
}

fn signature_words(signature: &Value) -> Option<String> {
    let key = signature["key"].as_str().unwrap_or_default();
    match (signature["holds"].as_bool()?, signature["named"] == true) {
        (true, true) => Some(format!("signed by the officer's own key {key}")),
        (true, false) => Some(format!(
            "signed by the key {key}, which no hub names here as the officer's"
        )),
        (false, _) => Some("THE OFFICER'S OWN SIGNATURE DOES NOT HOLD".into()),
    }
}

fn put_json(value: &wadi_log::Value) -> Value {
    match value {
        wadi_log::Value::Null => Value::Null,
        wadi_log::Value::Text(text) => text.as_str().into(),
        wadi_log::Value::Int(number) => (*number).into(),
        wadi_log::Value::Flag(flag) => (*flag).into(),
    }
}

/// What a statement says: its events with their members, the values that it puts, a line each. What
/// others wrote breaks no line.
fn says_text(statement: &ProvenStatement, found: &Evidence) -> String {
    let change = &statement.change;
    let event = |text: &String| match serde_json::from_str(text) {
        Ok(Value::Object(members)) => event_words(&members),
        _ => shown(text).into_owned(),
    };

    // What the officer's own signature comes to is told below, and not its letters.
    let is_signature = |text: &str| {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        event["type"] == SIGNATURE_EVENT
    };
    let events = change.events.iter().filter(|text| !is_signature(text));
    let mut lines: Vec<String> = events.map(event).collect();
    lines.extend(signature_words(&signature_json(statement, found)));
    lines.extend(
        change
            .puts
            .iter()
            .map(|put| put_words(&put.key, &put_json(&put.value))),
    );

    let common = &statement.common;
    lines.extend(entered_later(common.happened_ms, common.wall_ms));
    if !statement.counts {
        let english = || "DOES NOT COUNT: in quarantine".into();
        lines.push(words::told(
            words::language(),
            "records-quarantined",
            [],
            english,
        ));
    }

    // What others wrote in them is shown as it is by now.
    lines.join("\n")
}
