//! `wadi findings show`: a finding as people read it, with what it rests on and what became of it.

use super::{
    client::Client,
    history::{says_text, who_text, whole_history},
};
use crate::{
    print::{member_text, shown, time_text},
    words::found_text_in,
};
use serde_json::Value;
use wadi_words::{Filling, Group, Language};

/// Records whose histories are read for the entries that a finding cites.
const RECORDS_MAX: usize = 8;
/// Entries and facts that are shown; the rest stands in the answer with `--json`.
const ENTRIES_MAX: usize = 40;
const FACTS_MAX: usize = 80;
/// How deep lists and objects are followed.
const DEPTH_MAX: usize = 4;

/// The entries that a finding cites, as the histories of its records have them. One who does not
/// read a record is shown the finding without its entries.
pub(super) fn cited_entries(client: &Client, finding: &Value) -> Vec<Value> {
    let evidence = finding["evidence"].to_string();
    let about = finding["about"]["record"].as_array().into_iter().flatten();
    let mut records: Vec<&str> = about.filter_map(Value::as_str).collect();
    if records.is_empty() {
        records.extend(finding["record"].as_str());
    }

    let mut cited = Vec::new();
    for record in records.into_iter().take(RECORDS_MAX) {
        let history = whole_history(client, record).unwrap_or_default();
        let entries = history["entries"].as_array().into_iter().flatten();
        let is_cited = |entry: &&Value| {
            let reference = entry["entry"].as_str().unwrap_or_default();
            !reference.is_empty() && evidence.contains(reference)
        };
        cited.extend(entries.filter(is_cited).cloned());
    }

    cited.truncate(ENTRIES_MAX);
    cited
}

/// The page of a finding.
pub(super) fn finding_page(language: Language, finding: &Value, entries: &[Value]) -> String {
    let mut lines = head_lines(language, finding);
    let say = |name: &str| language.sentence(name, []);

    let mut facts = Vec::new();
    if let Value::Object(all) = &finding["evidence"] {
        for (member, value) in all {
            tell_fact(language, member, value, 1, &mut facts);
        }
    }
    if !facts.is_empty() {
        facts.truncate(FACTS_MAX);
        lines.push(format!("\n{}", say("findings-facts")));
        lines.append(&mut facts);
    }
    if finding["withheld"]
        .as_array()
        .is_some_and(|w| !w.is_empty())
    {
        lines.push(format!("  {}", say("findings-withheld")));
    }

    if !entries.is_empty() {
        lines.push(format!("\n{}", say("findings-entries")));
        lines.extend(entries.iter().map(entry_text));
    }

    lines.push(format!("\n{}", say("findings-life")));
    lines.extend(life_lines(language, &finding["life"]));
    lines.join("\n")
}

/// What it says, how it stands, and what it is about.
fn head_lines(language: Language, finding: &Value) -> Vec<String> {
    let say = |name: &str| language.sentence(name, []);
    let code = |member: &str| finding[member].as_str().unwrap_or_default();
    let rule = named(language, Group::Rule, code("rule"));
    let severity = format!("{} {}", say("findings-severity"), finding["severity"]);
    let state = match finding["life"]["state"].as_str() {
        Some(state) => state,
        None => code("state"),
    };
    let mut stands = vec![
        severity,
        named(language, Group::Phase, code("phase")),
        named(language, Group::FindingState, state),
    ];
    if let Some(was) = finding["life"]["disposition"].as_str() {
        stands.push(named(language, Group::Disposition, was));
    }
    if finding["life"]["reopened"] == true {
        stands.push(say("findings-reopened"));
    }
    if !code("assignee").is_empty() {
        stands.push(format!(
            "{} {}",
            say("findings-with"),
            member_text(finding, "assignee")
        ));
    }

    let mut lines = vec![
        format!("{}  {rule}", member_text(finding, "finding")),
        stands.join(", "),
        found_text_in(language, finding),
    ];
    lines.extend(language.more(Group::Rule, code("rule")));
    lines.push(format!(
        "{}: {}",
        say("findings-record"),
        member_text(finding, "record")
    ));
    lines.push(format!(
        "{}: {}",
        say("findings-col-crossing"),
        crossing(language, code("crossing"))
    ));
    if let Some(at_ms) = finding["at_ms"].as_i64() {
        lines.push(format!(
            "{}: {}",
            say("findings-happened"),
            time_text(at_ms)
        ));
    }
    lines.extend(waits_text(language, finding));
    lines
}

/// A code, and what it is called beside it.
fn named(language: Language, group: Group, code: &str) -> String {
    match language.has(group, code) {
        true => format!("{} ({})", shown(code), language.title(group, code)),
        false => shown(code).into_owned(),
    }
}

/// What the catalogue says under an id of the console's; none where nothing.
fn worded(language: Language, id: &str) -> Option<String> {
    Some(language.sentence(id, [])).filter(|said| said != id)
}

/// A crossing's code, and its name beside it.
fn crossing(language: Language, code: &str) -> String {
    match worded(language, &format!("findings-crossing-{code}")) {
        Some(name) => format!("{} ({name})", shown(code)),
        None => shown(code).into_owned(),
    }
}

/// What a pending finding waits for: which crossings, and through when.
fn waits_text(language: Language, finding: &Value) -> Option<String> {
    let wait = &finding["waits_for"];
    let through = time_text(wait["through_ms"].as_i64()?);
    let codes = |member: &str| -> Vec<String> {
        let all = wait[member].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(String::from).collect()
    };

    let mut waited = codes("missing");
    if waited.is_empty() {
        waited = codes("crossings");
    }
    if waited.iter().all(|code| code == "HUB") {
        let time = [("time", Filling::from(through))];
        return Some(language.sentence("findings-waits-time", time));
    }

    let names: Vec<String> = waited.iter().map(|code| crossing(language, code)).collect();
    let between = match language {
        Language::Arabic => "، ",
        Language::English => ", ",
    };
    let fillings = [
        ("what", Filling::from(names.join(between))),
        ("time", Filling::from(through)),
    ];
    Some(language.sentence("findings-waits", fillings))
}

/// A fact of the evidence: its name and its value. A value of several is told by the lines after
/// it, further in.
fn tell_fact(language: Language, member: &str, value: &Value, depth: usize, out: &mut Vec<String>) {
    if out.len() > FACTS_MAX || depth > DEPTH_MAX || value.is_null() {
        return;
    }

    let name = ["findings-fact", "records-member"]
        .into_iter()
        .find_map(|group| worded(language, &format!("{group}-{}", member.replace(' ', "-"))))
        .unwrap_or_else(|| shown(&member.replace('_', " ")).into_owned());
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(all) => {
            out.push(format!("{indent}{name}:"));
            for (member, value) in all {
                tell_fact(language, member, value, depth + 1, out);
            }
        }
        Value::Array(all) => {
            for one in all {
                tell_fact(language, member, one, depth, out);
            }
        }
        one => out.push(format!(
            "{indent}{name}: {}",
            fact_text(language, member, one)
        )),
    }
}

fn fact_text(language: Language, member: &str, value: &Value) -> String {
    if let (Some(ms), "by_ms") = (value.as_i64(), member) {
        let seconds = [("n", Filling::from(ms / 1_000))];
        return language.sentence("findings-seconds", seconds);
    }
    if let Some(ms) = value.as_i64().filter(|_| member.ends_with("_ms")) {
        return time_text(ms);
    }
    if let Some(flag) = value.as_bool() {
        return language.sentence(if flag { "records-yes" } else { "records-no" }, []);
    }

    let Value::String(text) = value else {
        return value.to_string();
    };
    let group = match member {
        "type" | "after" => Group::Event,
        "field" | "fields" => Group::Field,
        "department" => Group::Department,
        "code" => Group::Problem,
        "rule" => Group::Rule,
        "state" => Group::State,
        "missing" => Group::Kind,
        "to" | "from" | "exit" | "ended_at" | "crossing" | "crossings" => {
            return crossing(language, text);
        }
        _ => return shown(text).into_owned(),
    };
    named(language, group, text)
}

/// An entry that it rests on: when, where, by whom, and what it says.
fn entry_text(entry: &Value) -> String {
    let at_ms = entry["happened_ms"]
        .as_i64()
        .or(entry["claimed_ms"].as_i64())
        .unwrap_or(0);
    let says = says_text(entry).replace('\n', "\n      ");
    format!(
        "  {}  {}  {}\n      {says}\n      {}",
        time_text(at_ms),
        member_text(entry, "node"),
        who_text(entry).trim(),
        member_text(entry, "entry")
    )
}

/// What people did with it, the oldest first, each with who did it and why.
fn life_lines(language: Language, life: &Value) -> Vec<String> {
    let acts = life["acts"].as_array().into_iter().flatten();
    let line = |act: &Value| {
        let mut out = format!(
            "  {}  {}: {}",
            time_text(act["at_ms"].as_i64().unwrap_or(0)),
            member_text(act, "officer"),
            act_text(language, act)
        );
        if act["duplicate_of"].is_string() {
            out += &format!(" {}", member_text(act, "duplicate_of"));
        }
        if act["undone"] == true {
            out += &format!(" ({})", language.sentence("findings-undone", []));
        }
        if act["reason"].as_str().is_some_and(|why| !why.is_empty()) {
            let reason = language.sentence("findings-reason", []);
            out += &format!("\n      {reason}: {}", member_text(act, "reason"));
        }
        out + &format!("\n      {}", member_text(act, "event"))
    };

    let lines: Vec<String> = acts.map(line).collect();
    match lines.is_empty() {
        true => vec![format!("  {}", language.sentence("findings-no-acts", []))],
        false => lines,
    }
}

/// What an act was.
fn act_text(language: Language, act: &Value) -> String {
    let text = |member: &str| act[member].as_str().unwrap_or_default();
    let said = |name: &str, what: String| language.sentence(name, [("what", Filling::from(what))]);
    match text("act") {
        "assigned" => said("findings-did-assigned", member_text(act, "assignee")),
        "proposed" => match text("resolution") {
            "WAIVED" => language.sentence("findings-did-proposed-waived", []),
            _ => language.sentence("findings-did-proposed-resolved", []),
        },
        "decided" => match (text("decision"), text("disposition")) {
            ("REJECTED", _) => language.sentence("findings-did-rejected", []),
            (_, "") => language.sentence("findings-did-approved", []),
            (_, was) => said("findings-did-approved-as", language.disposition(was)),
        },
        "undone" => language.sentence("findings-did-undone", []),
        other => shown(other).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};
    use serde_json::json;

    fn finding() -> Value {
        let sentence = json!({"id": "R02-left", "values": {
            "passage": {"record": "TRB-P-1"}, "hold": {"record": "TRB-H-1"},
        }});
        json!({
            "finding": "1e60", "rule": "R02", "severity": 1, "phase": "PENDING",
            "record": "TRB-P-1", "crossing": "TRB", "at_ms": 1_772_341_200_000_i64,
            "text": "TRB-P-1 left while hold TRB-H-1 was open", "sentence": sentence,
            "evidence": {
                "hold": "TRB-H-1", "left_ms": 1_772_341_200_000_i64, "declared_kg": 31_000,
                "entries": ["e1"], "claims": [{"officer": "OF-1", "value": "x\u{202e}y"}],
            },
            "state": "PENDING_RESOLUTION", "assignee": "AU-1",
            "waits_for": {"crossings": ["TRB"], "through_ms": 1_772_341_200_000_i64},
            "life": {
                "state": "PENDING_RESOLUTION", "reopened": false, "disposition": null,
                "acts": [
                    {"event": "ev1", "act": "assigned", "officer": "AU-9", "assignee": "AU-1",
                     "at_ms": 1_772_341_200_000_i64, "undone": false},
                    {"event": "ev2", "act": "proposed", "officer": "AU-1", "at_ms": 0,
                     "resolution": "WAIVED", "reason": "a test of ours", "undone": false},
                ],
            },
        })
    }

    #[test]
    fn a_finding_is_a_page_with_its_facts_its_entries_and_its_life() {
        let entry = json!({
            "entry": "e1", "node": "trb", "officer": "OF-1", "department": "PORT", "device": "",
            "claimed_ms": 1_772_341_200_000_i64, "happened_ms": null, "puts": {},
            "events": [{"type": "gate.out"}], "stands": {"counts": true},
        });
        let page = finding_page(English, &finding(), &[entry]);
        for told in [
            "R02 (Passed while held)",
            "TRB-P-1 left while hold TRB-H-1 was open",
            "severity 1, PENDING (",
            "Waits for TRB (Traibeel) through ",
            "left at: 20",
            "declared, kg: 31000",
            "  officer: OF-1",
            "value: x\\u{202e}y",
            "gate.out",
            "AU-9: Assigned to AU-1",
            "AU-1: Proposed to waive it\n      Reason: a test of ours",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
    }

    #[test]
    fn an_arabic_speaker_reads_it_in_arabic_with_the_codes() {
        let page = finding_page(Arabic, &finding(), &[]);
        for english in ["left", "Waits", "severity", "Assigned", "Proposed"] {
            assert!(!page.contains(english), "{english}: {page}");
        }
        assert!(
            page.contains("R02 (") && page.contains("PENDING ("),
            "{page}"
        );
        assert!(page.contains("a test of ours") && page.contains("طريبيل"));
    }

    #[test]
    fn evidence_without_an_end_is_told_to_a_bound() {
        let mut deep = json!({"x": 1});
        for _ in 0..50 {
            deep = json!({ "x": [deep] });
        }
        let wide = json!({"evidence": {"claims": vec!["x"; 10_000], "deep": deep}, "life": {}});
        let page = finding_page(English, &wide, &[]);
        assert!(page.lines().count() < FACTS_MAX + 20);
    }
}
