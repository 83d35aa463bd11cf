//! A record's history: the graph of its entries, who set its fields, and what was known.

use super::{
    said::{entered_later, event_words, field_value_text, put_words},
    signing::signature_words,
};
use crate::{
    cli::client::{Client, percent_encode},
    failure::Failure,
    print::{hub_time_text, member_text, shown, time_text},
    words,
};
use comfy_table::Table;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use wadi_record::SIGNATURE_EVENT;
use wadi_words::{Filling, Group};

/// A record's history, its pages put together.
pub(super) fn whole_history(client: &Client, id: &str) -> Result<Value, Failure> {
    let path = format!("/v1/records/{}/history", percent_encode(id));
    let mut history = client.get(&path)?;
    while let Some(after) = history["next_after"].as_str() {
        let mut page = client.get(&format!("{path}?after={}", percent_encode(after)))?;
        history["next_after"] = page["next_after"].take();
        if let (Some(all), Some(more)) = (
            history["entries"].as_array_mut(),
            page["entries"].as_array_mut(),
        ) {
            all.append(more);
        }
        withhold_too(&mut history, &page["withheld"]);
    }

    Ok(history)
}

/// Names in a history what a further page of it was shown without.
fn withhold_too(history: &mut Value, of_page: &Value) {
    let both = [&history["withheld"], of_page];
    let names: BTreeSet<String> = both
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|name| name.as_str().map(String::from))
        .collect();
    if !names.is_empty() {
        history["withheld"] = json!(names);
    }
}

/// The graph of a record's entries, then who set its fields, then what was known at decisions.
pub(super) fn history_text(history: &Value) -> String {
    let entries = history["entries"].as_array().into_iter().flatten();
    let numbered = NumberedEntries::of(entries.collect());

    let graph = graph_table(&numbered);
    let fields = fields_table(&numbered, &history["fields"]);
    let gaps = gaps_text(history);
    format!("{graph}\n\n{fields}{gaps}{}", knowledge_text(&numbered))
}

/// What is not shown of a history: the oldest values of fields, and what the token does not read.
fn gaps_text(history: &Value) -> String {
    let mut out = String::new();
    for (field, count) in history["left_out"].as_object().into_iter().flatten() {
        let told = [
            ("field", words::beside(Group::Field, field)),
            ("count", count.to_string()),
        ];
        out += &format!("\n{}", words::said("history-left-out", told));
    }

    let withheld = history["withheld"].as_array().into_iter().flatten();
    let names: Vec<String> = withheld
        .filter_map(Value::as_str)
        .map(|name| words::beside(Group::Field, name))
        .collect();
    if !names.is_empty() {
        let told = [("names", names.join(", "))];
        out += &format!("\n{}", words::said("history-withheld", told));
    }

    out
}

/// A history's entries in their order, which gives each the number under which it is shown.
struct NumberedEntries<'a> {
    entries: Vec<&'a Value>,
    numbers: HashMap<&'a str, usize>,
}

impl<'a> NumberedEntries<'a> {
    fn of(entries: Vec<&'a Value>) -> Self {
        let references = entries.iter().filter_map(|line| line["entry"].as_str());
        let numbers = references.zip(1..).collect();
        Self { entries, numbers }
    }

    fn number(&self, entry: &Value) -> String {
        let number = entry.as_str().and_then(|entry| self.numbers.get(entry));
        number.map_or_else(|| "?".to_string(), ToString::to_string)
    }

    fn numbers(&self, list: &Value) -> String {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|entry| self.number(entry))
            .collect::<Vec<_>>()
            .join(",")
    }
}

pub(super) fn who_text(entry: &Value) -> String {
    let department = match entry["department"].as_str() {
        None | Some("") => String::new(),
        Some(code) => words::beside(Group::Department, code),
    };
    format!(
        "{} {department}{}",
        member_text(entry, "officer"),
        member_text(entry, "device")
    )
}

/// What an entry says, how late it was entered, and why it does not count, where it does not.
pub(super) fn says_text(entry: &Value) -> String {
    // What the officer's own signature comes to is told below, and not its letters.
    let events = entry["events"].as_array().into_iter().flatten();
    let events = events.filter(|event| event["type"] != SIGNATURE_EVENT);
    let mut lines: Vec<String> = events
        .map(|event| match event.as_object() {
            Some(members) => event_words(members),
            None => shown(&event.to_string()).into_owned(),
        })
        .collect();

    let puts = entry["puts"].as_object().into_iter().flatten();
    lines.extend(puts.map(|(field, value)| put_words(field, value)));
    lines.extend(entered_later(
        entry["happened_ms"].as_i64(),
        entry["claimed_ms"].as_i64().unwrap_or(0),
    ));
    lines.extend(signature_words(&entry["signature"]));
    if entry["stands"]["counts"] == false {
        let text = |member: &str| entry["stands"][member].as_str().unwrap_or_default();
        let why = words::reason(text("code"), text("why"));
        let count = words::told(words::language(), "records-no-count", [], || {
            "DOES NOT COUNT".into()
        });
        lines.push(format!("{count}: {why}"));
    }

    lines.join("\n")
}

fn graph_table(numbered: &NumberedEntries<'_>) -> Table {
    let mut graph = words::table([
        "#",
        "builds-on",
        "claimed",
        "hub-time",
        "node",
        "who",
        "says",
        "safe",
    ]);

    for entry in &numbered.entries {
        let at = entry["happened_ms"]
            .as_i64()
            .or(entry["claimed_ms"].as_i64())
            .unwrap_or(0);
        let between = format!(
            "{}\n{}",
            hub_time_text(entry["not_before_s"].as_i64()),
            hub_time_text(entry["not_after_s"].as_i64())
        );

        graph.add_row([
            numbered.number(&entry["entry"]),
            numbered.numbers(&entry["based_on"]),
            time_text(at),
            between,
            member_text(entry, "node"),
            who_text(entry),
            says_text(entry),
            words::beside(Group::Safety, entry["safety"].as_str().unwrap_or_default()),
        ]);
    }

    graph
}

fn fields_table(numbered: &NumberedEntries<'_>, fields: &Value) -> Table {
    let mut table = words::table(["field", "#", "value", "who", "replaced", ""]);
    for (name, settings) in fields.as_object().into_iter().flatten() {
        for s in settings.as_array().into_iter().flatten() {
            let replaced = s["replaced"].as_array().into_iter().flatten();
            let replaced: Vec<String> = replaced
                .map(|c| {
                    let value = field_value_text(name, &c["value"]);
                    format!("#{} {value}", numbered.number(&c["entry"]))
                })
                .collect();
            let contested_by = numbered.numbers(&s["contested_by"]);
            let mut who = who_text(s);
            let language = words::language();
            if let Some(key) = s["signed_by"].as_str() {
                let key = shown(key).into_owned();
                let english = || format!("signed by {key}");
                let filling = [("key", Filling::from(key.clone()))];
                let signed = words::told(language, "records-signed", filling, english);
                who += &format!("\n{signed}");
            }
            let stands = match s["stands"] == true {
                true if contested_by.is_empty() => {
                    words::told(language, "records-setting-stands", [], || "stands".into())
                }
                true => {
                    let contested = words::beside(Group::State, "CONTESTED");
                    let by = words::said("contested-by", []);
                    format!("{contested} {by} #{contested_by}")
                }
                false => String::new(),
            };

            table.add_row([
                words::beside(Group::Field, name),
                numbered.number(&s["entry"]),
                field_value_text(name, &s["value"]),
                who,
                replaced.join("\n"),
                stands,
            ]);
        }
    }

    table
}

/// What those who decided could have known.
fn knowledge_text(numbered: &NumberedEntries<'_>) -> String {
    let mut out = String::new();
    for entry in numbered.entries.iter().filter(|l| l["knew"].is_object()) {
        let who = [("who", who_text(entry))];
        out += &format!(
            "\n\n#{}: {}",
            numbered.number(&entry["entry"]),
            words::said("knew", who)
        );

        let not_shown = numbered.numbers(&entry["knew"]["not_shown"]);
        if !not_shown.is_empty() {
            let entries = [("entries", format!("#{not_shown}"))];
            out += &format!("\n  {}", words::said("knew-not-shown", entries));
        }

        for hold in entry["knew"]["holds"].as_array().into_iter().flatten() {
            let known = match (hold["taken_in"] == true, hold["claimed"] == true) {
                (true, _) => "knew-hold",
                (false, true) => "knew-hold-claimed",
                (false, false) => "knew-hold-not",
            };
            let of = [("hold", member_text(hold, "hold"))];
            out += &format!("\n  {}", words::said(known, of));
        }

        for (member, told) in [
            ("control", "knew-control"),
            ("claimed_control", "knew-control-claimed"),
        ] {
            for (log, size) in entry["knew"][member].as_object().into_iter().flatten() {
                let of = [("size", size.to_string()), ("log", shown(log).into_owned())];
                out += &format!("\n  {}", words::said(told, of));
            }
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hold(id: &str, taken_in: bool, claimed: bool) -> Value {
        json!({"hold": id, "taken_in": taken_in, "claimed": claimed})
    }

    #[test]
    fn what_is_left_out_of_a_history_and_withheld_is_told() {
        let mut history = json!({
            "entries": [],
            "fields": {},
            "left_out": {"note": 300},
            "withheld": ["target.term"],
        });
        withhold_too(&mut history, &json!(["finding", "target.term"]));
        assert_eq!(history["withheld"], json!(["finding", "target.term"]));

        let text = history_text(&history);
        for told in ["note: the 300 oldest", "finding, target.term"] {
            assert!(text.contains(told), "{told} in {text}");
        }

        let mut whole = json!({"entries": [], "fields": {}});
        withhold_too(&mut whole, &Value::Null);
        assert!(whole.get("withheld").is_none() && gaps_text(&whole).is_empty());
    }

    #[test]
    fn what_a_node_only_claims_to_have_had_is_told_apart() {
        let entry = json!({
            "entry": "e1",
            "officer": "OF-1",
            "department": "PORT",
            "device": "",
            "knew": {
                "not_shown": [],
                "holds": [
                    hold("H1", true, false),
                    hold("H2", false, true),
                    hold("H3", false, false),
                ],
                "control": {"a log": 5},
                "claimed_control": {"a log": 9},
            },
        });

        let text = knowledge_text(&NumberedEntries::of(vec![&entry]));
        for line in [
            "  hold H1 had reached this node",
            "  hold H2 had reached this node, as it says: NOT borne out",
            "  hold H3 had NOT reached this node",
            "  policies and officers through entry 5 of a log",
            "  policies and officers through entry 9 of a log: NOT borne out",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
