//! `wadi status`: how a node and its peers stand.

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, shown},
};
use comfy_table::Table;
use serde_json::Value;
use std::time::Duration;

pub fn run(at: &NodeAt, watch: bool, json: bool) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    loop {
        let value = client.get("/v1/sites")?;
        if watch && !json {
            print::clear();
        }

        print_answer(json, &value, status_text);
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
        member_text(v, "node"),
        member_text(v, "role"),
        member_text(v, "crossing"),
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
            member_text(r, "code"),
            member_text(r, "why"),
            member_text(r, "subject")
        );
    }

    out + &peers_table(v).to_string()
}

fn peers_table(v: &Value) -> Table {
    let mut table = print::table([
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
            member_text(p, "node"),
            link.into(),
            ago,
            lacks,
            member_text(p, "in_step"),
            member_text(p, "rtt_ms"),
            member_text(p, "last_error"),
        ]);
    }

    table
}
