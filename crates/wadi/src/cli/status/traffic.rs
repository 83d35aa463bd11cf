//! `wadi status --traffic`: what went over each link, and what for.

use crate::print::{self, member_text, shown};
use comfy_table::Table;
use serde_json::Value;
use std::fmt::Write as _;

/// A table of each link: a line a purpose, then the day and the month.
pub(super) fn traffic_text(v: &Value) -> String {
    let mut out = String::new();
    for peer in v["peers"].as_array().into_iter().flatten() {
        let node = member_text(peer, "node");
        let links = peer["links"].as_array().into_iter().flatten();
        let named: Vec<_> = links
            .map(|link| {
                let name = format!("{node}, {}", member_text(link, "name"));
                (name, &link["traffic"])
            })
            .collect();
        let shown = match named.is_empty() {
            true => vec![(node, &peer["traffic"])],
            false => named,
        };

        for (name, traffic) in shown {
            let table = link_table(traffic);
            let _ = match traffic["month_bytes_max"].as_u64() {
                Some(most) => writeln!(out, "{name}, at most {} MiB a month:\n{table}", most >> 20),
                None => writeln!(out, "{name}:\n{table}"),
            };
        }
    }

    if out.is_empty() {
        out.push_str("no link is configured, and none was heard\n");
    }
    out
}

fn link_table(traffic: &Value) -> Table {
    let mut table = print::table(["what for", "sent, bytes", "received, bytes"]);
    let (mut sent, mut received) = (0_u64, 0_u64);
    for (purpose, bytes) in traffic["day"].as_object().into_iter().flatten() {
        sent = sent.saturating_add(count(&bytes["sent"]));
        received = received.saturating_add(count(&bytes["received"]));
        table.add_row([
            shown(&purpose.replace('_', " ")).into_owned(),
            count(&bytes["sent"]).to_string(),
            count(&bytes["received"]).to_string(),
        ]);
    }

    table.add_row(["today (UTC)".into(), sent.to_string(), received.to_string()]);
    let month = &traffic["month"];
    table.add_row([
        "this month".into(),
        count(&month["sent"]).to_string(),
        count(&month["received"]).to_string(),
    ]);
    table
}

fn count(v: &Value) -> u64 {
    v.as_u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_link_shows_what_for_and_its_budget_and_a_node_without_links_says_so() {
        let status = json!({"peers": [{
            "node": "hub",
            "traffic": {
                "day": {
                    "blocks_hold": {"sent": 12_000, "received": 0},
                    "packets": {"sent": 3_000, "received": 4_000},
                },
                "month": {"sent": 700_000, "received": 90_000},
                "month_bytes_max": 50 << 20,
            },
        }]});

        let text = traffic_text(&status);
        let line = |word: &str| {
            let found = text.lines().find(|line| line.contains(word));
            found
                .unwrap_or_else(|| panic!("{word}: {text}"))
                .to_string()
        };
        assert!(line("hub, at most").contains("50 MiB"));
        assert!(line("blocks hold").contains("12000"));
        assert!(line("today").contains("15000"));
        assert!(line("this month").contains("90000"));

        let link = |name: &str| json!({"name": name, "traffic": {"month_bytes_max": 5 << 20}});
        let several = json!({"peers": [{"node": "hub", "links": [link("vsat"), link("sat")]}]});
        let text = traffic_text(&several);
        assert!(text.contains("hub, vsat, at most 5 MiB") && text.contains("hub, sat, at"));
        assert!(traffic_text(&json!({"peers": []})).contains("no link"));
    }
}
