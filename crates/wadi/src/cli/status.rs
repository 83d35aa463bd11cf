//! `wadi status`: how a node and its peers stand.

mod traffic;

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_words_answer, shown},
    words,
};
use comfy_table::Table;
use serde_json::{Map, Value};
use std::time::Duration;
use wadi_words::{Group, Language};

pub fn run(at: &NodeAt, watch: bool, traffic: bool, json: bool) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    loop {
        let value = client.get("/v1/sites")?;
        if watch && !json {
            print::clear();
        }

        print_words_answer(json, &value, |v| match traffic {
            true => traffic::traffic_text(v),
            false => status_text(v),
        });
        if !watch {
            // A disk that fills or a certificate that ends is an alarm, and no doubt about what is
            // kept.
            let is_in_doubt = value["integrity_alarms"].as_u64().unwrap_or(0) > 0;
            let kinds = value["alarm_kinds"].as_object();
            let alarms = kinds.is_some_and(|all| !all.is_empty());
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

        if print::reader_is_gone() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn status_text(v: &Value) -> String {
    let mut out = head_text(v) + &alarms_text(v);
    for fork in v["forks"].as_array().into_iter().flatten() {
        let fork = shown(fork.as_str().unwrap_or_default());
        out += &format!("{}: {fork}\n", words::said("forked", []));
    }

    for cut in v["cuts"].as_array().into_iter().flatten() {
        let cut = shown(cut.as_str().unwrap_or_default());
        out += &format!("{}: {cut}\n", words::said("cut", []));
    }

    for refused in v["last_refused"].as_array().into_iter().flatten() {
        out += &refused_text(refused);
    }

    if v["country_log"].is_object() {
        out += &country_text(&v["country_log"]);
    }

    for member in v["costs"].as_array().into_iter().flatten() {
        out += &cost_text(member);
    }

    out += &peers_table(v).to_string();
    match watermark_table(v) {
        Some(table) => format!("{out}\n{table}"),
        None => out,
    }
}

/// How much there is, and what of it no hub holds yet.
fn head_text(v: &Value) -> String {
    let counts = [
        "records", "entries", "unsent", "waiting", "refused", "findings",
    ];
    let mut out = format!(
        "{} ({} {})  {}\n",
        member_text(v, "node"),
        member_text(v, "role"),
        member_text(v, "crossing"),
        words::said(
            "counts",
            counts.map(|member| (member, v[member].to_string()))
        )
    );

    if let Some(ms) = v["oldest_unsent_ms"].as_i64() {
        let minutes = [("minutes", (ms / 60_000).to_string())];
        out += &line(words::said("oldest-unsent", minutes));
    }

    let has_unsent = v["unsent"].as_u64().unwrap_or(0) > 0;
    if has_unsent && v["role"] != "hub" {
        let when = [("when", expected_text(&v["expected_at_hub"]))];
        out += &line(words::said("expected-at-hub", when));
        for lane in v["unsent_by_lane"].as_array().into_iter().flatten() {
            out += &lane_text(lane);
        }
    }

    if let Some(bytes) = v["carried_bytes"].as_i64().filter(|bytes| *bytes > 0) {
        out += &line(words::said("carries", [("bytes", bytes.to_string())]));
    }

    out
}

/// What asks for somebody, here and at peers.
fn alarms_text(v: &Value) -> String {
    let mut out = String::new();
    for alarm in v["alarms"].as_array().into_iter().flatten() {
        let text = words::alarm(alarm.as_str().unwrap_or_default());
        out += &format!("{}: {text}\n", words::said("alarm", []));
    }

    // Whoever does not read all is told their kinds alone.
    let kinds = v["alarm_kinds"].as_object();
    let is_told = v["alarms"].as_array().is_some_and(|all| !all.is_empty());
    for about in kinds.filter(|_| !is_told).into_iter().flat_map(Map::keys) {
        let title = words::language().title(Group::Alarm, about);
        out += &format!("{}: {}\n", words::said("alarm", []), shown(&title));
    }

    for peer in v["peers"].as_array().into_iter().flatten() {
        for alarm in peer["alarms"].as_array().into_iter().flatten() {
            let since_ms = alarm["since_ms"].as_i64().unwrap_or(0);
            let at = [
                ("node", member_text(peer, "node")),
                ("time", print::time_text(since_ms)),
            ];
            out += &format!("{}: {}\n", words::said("alarm-at", at), alarm_text(alarm));
        }
    }

    out
}

fn refused_text(refused: &Value) -> String {
    let text = |member: &str| refused[member].as_str().unwrap_or_default();
    let told = [
        ("code", words::beside(Group::Problem, text("code"))),
        ("why", words::reason(text("code"), text("why"))),
        ("subject", member_text(refused, "subject")),
    ];
    line(words::said("refused", told))
}

/// A sentence as a line.
fn line(sentence: String) -> String {
    sentence + "\n"
}

/// What an alarm of another node says, behind what it is called; in English the text says that,
/// where it is not withheld.
fn alarm_text(alarm: &Value) -> String {
    let about = alarm["about"].as_str().unwrap_or_default();
    let language = words::language();
    let title = language.title(Group::Alarm, about);
    let Some(text) = alarm["text"].as_str() else {
        return shown(&title).into_owned();
    };

    match language != Language::English && language.has(Group::Alarm, about) {
        true => format!("{title}: {}", words::alarm(text)),
        false => words::alarm(text),
    }
}

/// The country log, and each of its witnesses that has not cosigned.
fn country_text(log: &Value) -> String {
    let witnesses = log["witnesses"].as_array().map_or(0, Vec::len);
    let told = [
        ("origin", member_text(log, "origin")),
        ("leaves", log["leaves"].to_string()),
        ("cosigned", log["cosigned"].to_string()),
        ("witnesses", witnesses.to_string()),
    ];
    let mut out = line(words::said("country", told));

    for witness in log["witnesses"].as_array().into_iter().flatten() {
        if witness["has_cosigned"] == false {
            let why = match witness["trouble"].as_str() {
                Some(trouble) => shown(trouble).into_owned(),
                None => words::said("not-asked", []),
            };
            let told = [("name", member_text(witness, "name")), ("why", why)];
            out += &format!("  {}\n", words::said("country-not-by", told));
        }
    }

    out
}

/// A member that is slowed or paused for what it costs; nothing of any other.
fn cost_text(member: &Value) -> String {
    if member["state"] == "open" {
        return String::new();
    }

    let told = [
        ("node", member_text(member, "node")),
        ("state", member_text(member, "state")),
        ("over", member_text(member, "over")),
        ("seconds", member["again_in_s"].to_string()),
    ];
    line(words::said("cost", told))
}

/// What of a lane no hub holds yet, and when it is expected there.
fn lane_text(lane: &Value) -> String {
    let expected = match lane["expected_at_hub"]["at_ms"].as_i64() {
        Some(at_ms) => words::said("about", [("when", print::time_text(at_ms))]),
        None => words::said("unknown", []),
    };
    let told = [
        ("unsent", lane["unsent"].to_string()),
        ("lane", member_text(lane, "lane")),
        ("when", expected),
    ];
    format!("  {}\n", words::said("lane-unsent", told))
}

/// When something is expected, and by how much such estimates were wrong before.
fn expected_text(v: &Value) -> String {
    let Some(at_ms) = v["at_ms"].as_i64() else {
        return words::said("unknown", []);
    };

    let by = match v["by"].as_str() {
        Some("hour_of_week") => "by-hour-of-week",
        Some("hour_of_day") => "by-hour-of-day",
        _ => "by-pace",
    };
    let when = ("when", print::time_text(at_ms));
    let by = ("by", words::said(by, []));
    match v["wrong_by_ms"].as_i64() {
        Some(ms) => {
            let minutes = ("minutes", (ms / 60_000).to_string());
            words::said("about-wrong", [when, by, minutes])
        }
        None => words::said("about-by", [when, by]),
    }
}

/// Through which time each crossing is heard; a hub's alone.
fn watermark_table(v: &Value) -> Option<Table> {
    let marks = v["watermarks"].as_object()?;
    let of_crossings = || marks.iter().filter(|(crossing, _)| *crossing != "HUB");
    of_crossings().next()?;

    let now_ms = v["hub_time_s"].as_i64().unwrap_or(0).saturating_mul(1_000);
    let mut table = words::table(["crossing", "heard-through", "behind"]);
    for (crossing, through) in of_crossings() {
        let through_ms = through.as_i64().unwrap_or(0);
        let (through, behind) = match print::heard_through_text(through_ms) {
            Some(text) => (text, length_text(now_ms.saturating_sub(through_ms))),
            None => (words::said("never", []), String::new()),
        };
        table.add_row([shown(crossing).into_owned(), through, behind]);
    }

    Some(table)
}

fn peers_table(v: &Value) -> Table {
    let mut table = words::table([
        "peer",
        "link",
        "last-contact",
        "they-lack",
        "in-step",
        "rtt-ms",
        "last-error",
    ]);

    let now = v["now_ms"].as_i64().unwrap_or(0);
    for p in v["peers"].as_array().into_iter().flatten() {
        let ago = ago_text(p["last_contact_ms"].as_i64().unwrap_or(0), now);

        // A dark peer's backlog is not nought but unknown.
        let up = p["connected"] == true;
        let lacks = if up {
            p["unsent"].to_string()
        } else {
            words::said("unknown", [])
        };

        let link = match up {
            true => words::said("up", []),
            false => down_text(p),
        };
        table.add_row([
            member_text(p, "node"),
            link,
            ago,
            lacks,
            known_text(&p["in_step"]),
            known_text(&p["rtt_ms"]),
            member_text(p, "last_error"),
        ]);
        for link in p["links"].as_array().into_iter().flatten() {
            table.add_row(link_row(link, now));
        }
    }

    table
}

/// A link that is not up, and when it is expected to be.
fn down_text(link: &Value) -> String {
    match link["next_contact"]["at_ms"].as_i64() {
        Some(ms) => words::said("down-expected", [("when", print::time_text(ms))]),
        None => words::said("down", []),
    }
}

/// A number, or yes or no, where it is known.
fn known_text(value: &Value) -> String {
    match value {
        Value::Null => words::said("unknown", []),
        Value::Bool(flag) => {
            let name = if *flag { "records-yes" } else { "records-no" };
            words::told(words::language(), name, [], || flag.to_string())
        }
        other => other.to_string(),
    }
}

/// One of several links with the peer above it: what it is, and the lanes that go over it now.
fn link_row(link: &Value, now_ms: i64) -> [String; 7] {
    let state = match link["connected"] == true {
        true => {
            let lanes = link["sends"].as_array().into_iter().flatten();
            let lanes: Vec<String> = lanes
                .filter_map(Value::as_str)
                .map(|lane| shown(lane).into_owned())
                .collect();
            match lanes.is_empty() {
                true => words::said("up-sends-nothing", []),
                false => words::said("up-sends", [("lanes", lanes.join(", "))]),
            }
        }
        false => down_text(link),
    };

    [
        format!(
            "- {} ({}, {})",
            member_text(link, "name"),
            member_text(link, "cost"),
            member_text(link, "purpose")
        ),
        state,
        ago_text(link["last_contact_ms"].as_i64().unwrap_or(0), now_ms),
        String::new(),
        String::new(),
        known_text(&link["rtt_ms"]),
        member_text(link, "last_error"),
    ]
}

fn ago_text(last_ms: i64, now_ms: i64) -> String {
    match last_ms {
        0 => words::said("never", []),
        last_ms => {
            let length = length_text(now_ms.saturating_sub(last_ms));
            words::said("ago", [("length", length)])
        }
    }
}

/// A length of time as somebody would say it: seconds below two minutes, minutes below two hours,
/// hours below two days.
fn length_text(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let of = |n: i64| [("n", n.to_string())];
    match seconds {
        ..120 => words::said("seconds", of(seconds)),
        120..7_200 => words::said("minutes", of(seconds / 60)),
        7_200..172_800 => words::said("hours", of(seconds / 3_600)),
        172_800.. => words::said("days", of(seconds / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_known_of_a_dark_peer_is_unknown_and_each_crossing_shows_how_far_it_is_heard() {
        let status = json!({
            "node": "hub",
            "role": "hub",
            "now_ms": 1_772_341_260_000_i64,
            "hub_time_s": 1_772_341_260,
            "watermarks": {"HUB": 1_772_341_260_000_i64, "QAM": 0, "TRB": 1_772_341_200_000_i64},
            "peers": [{
                "node": "trb",
                "connected": false,
                "last_contact_ms": 1_772_341_200_000_i64,
                "unsent": null,
                "in_step": null,
                "rtt_ms": null,
                "last_error": "",
            }],
        });

        let text = status_text(&status);
        let row = |word: &str| {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(word));
            line.unwrap_or_else(|| panic!("{word}: {text}")).to_string()
        };
        assert_eq!(row("trb").matches("unknown").count(), 3, "{text}");
        assert!(row("TRB").contains("2026-03-01 05:00:00") && row("TRB").contains("60 s"));
        assert!(row("QAM").contains("never"));
        let lengths = [119_000, 120_000, 7_200_000, 172_800_000].map(length_text);
        assert_eq!(lengths, ["119 s", "2 min", "2 h", "2 days"]);
        assert!(
            !text.contains("sends"),
            "one link is the peer's own line: {text}"
        );
        assert!(
            !text.contains("HUB "),
            "a hub's own time is no news: {text}"
        );
    }

    #[test]
    fn several_links_stand_below_their_peer_with_what_goes_over_them() {
        let status = json!({
            "node": "trb",
            "role": "crossing",
            "now_ms": 1_772_341_260_000_i64,
            "peers": [{
                "node": "hub",
                "connected": true,
                "last_contact_ms": 1_772_341_260_000_i64,
                "links": [
                    {"name": "vsat", "cost": "flat", "purpose": "all", "connected": false,
                     "sends": [], "last_contact_ms": 0, "rtt_ms": null, "last_error": "dark"},
                    {"name": "sat", "cost": "metered", "purpose": "urgent", "connected": true,
                     "sends": ["control", "hold"], "last_contact_ms": 1_772_341_259_000_i64,
                     "rtt_ms": 640, "last_error": ""},
                ],
            }],
        });

        let text = status_text(&status);
        let row = |word: &str| {
            let line = text.lines().find(|line| line.contains(word));
            line.unwrap_or_else(|| panic!("{word}: {text}")).to_string()
        };
        let sat = row("- sat (metered, urgent)");
        assert!(sat.contains("up, sends control, hold"), "{text}");
        assert!(sat.contains("640") && sat.contains("1 s ago"), "{text}");
        let vsat = row("- vsat (flat, all)");
        assert!(vsat.contains("down") && vsat.contains("dark"), "{text}");
    }
}
