//! What the demonstration shows: the table while it runs, the report at its end, and where to look
//! on.

use super::{
    ORIGIN_MS,
    agreement::{PendingFindings, Statuses},
    network::{DemoNetwork, HOURS_PER_SECOND},
    signals::Signal,
};
use crate::print::{self, kb_text, print_line, time_text};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

/// Disagreements that are shown of many.
const SHOWN_MAX: usize = 20;
/// Characters of a digest that are shown.
const DIGEST_CHARS: usize = 16;

/// How a demonstration ended.
pub enum Ending {
    /// Its nodes were asked whether they agree.
    Judged(Box<Judged>),
    /// A signal cut it short.
    Stopped(Signal),
}

/// What was found when all links were healed.
#[derive(Default)]
pub struct Judged {
    pub statuses: Vec<(String, Option<Value>)>,
    pub disagreements: Vec<String>,
    pub waited: Duration,
    pub pending: PendingFindings,
    /// Findings by rule and phase.
    pub findings: BTreeMap<(String, String), u64>,
    pub written: u64,
    pub refused: u64,
    /// What was shown besides contradictions, a sentence each.
    pub scenes: Vec<String>,
}

impl Judged {
    pub fn converged(&self) -> bool {
        self.disagreements.is_empty() && !self.statuses.is_empty()
    }
}

/// How the nodes stand.
pub fn table(network: &DemoNetwork, statuses: &Statuses, started: Instant) -> String {
    let header = [
        "node",
        "hub link",
        "records",
        "unsent",
        "last contact",
        "heard through",
        "waiting",
        "carries",
        "refused",
        "findings",
    ];

    let mut table = print::table(header);
    let hub = statuses.iter().find(|(name, _)| name == "hub");
    let marks = hub.and_then(|(_, status)| Some(status.as_ref()?["watermarks"].clone()));
    for (name, status) in statuses {
        let link = network
            .links
            .iter()
            .find(|(f, t, _)| f == name && t == "hub");
        let link = link.map_or("", |(_, _, l)| if l.is_up() { "up" } else { "down" });
        let Some(s) = status else {
            table.add_row([name.as_str(), link, "no answer: killed, or starting"]);
            continue;
        };

        let peers = s["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let last = peers
            .iter()
            .filter_map(|p| p["last_contact_ms"].as_i64())
            .max()
            .unwrap_or(0);

        let minutes = (s["now_ms"].as_i64().unwrap_or(0) - last) / 60_000;
        let ago = if last == 0 {
            "never".into()
        } else {
            format!("{minutes} min ago")
        };

        let through = heard_through(marks.as_ref(), s);

        let number = |k: &str| s[k].to_string();
        let carries = kb_text(s["carried_bytes"].as_u64().unwrap_or(0));
        let cells = [
            name.clone(),
            link.into(),
            number("records"),
            number("unsent"),
            ago,
            through,
            number("waiting"),
            carries,
            number("refused"),
            number("findings"),
        ];

        table.add_row(cells);
    }

    let seconds = started.elapsed().as_secs_f64();
    let domain = time_text(ORIGIN_MS + (seconds * HOURS_PER_SECOND * 3_600_000.0) as i64);

    format!(
        "{seconds:.0} s, {domain} at the crossings, {} on the wire\n{table}",
        kb_text(network.wire_bytes())
    )
}

/// Through which time a node's crossing is heard, as the hub tells it; while the hub does not
/// answer, nobody knows.
fn heard_through(marks: Option<&Value>, node: &Value) -> String {
    let crossing = node["crossing"].as_str().unwrap_or_default();
    match marks.map(|marks| &marks[crossing]) {
        None => "unknown".into(),
        Some(Value::Null) => String::new(),
        Some(through) => print::heard_through_text(through.as_i64().unwrap_or(0))
            .unwrap_or_else(|| "never".into()),
    }
}

/// The alarms of all sites, as they were told to the hub: of which site, about what, and the text.
pub fn alarms(statuses: &Statuses) -> Vec<Value> {
    let hub = statuses.iter().find(|(name, _)| name == "hub");
    let status = hub.and_then(|(_, status)| status.as_ref());
    let peers = status.and_then(|s| s["peers"].as_array());
    let told = peers.into_iter().flatten().flat_map(|peer| {
        let alarms = peer["alarms"].as_array().into_iter().flatten();
        alarms.map(|alarm| {
            json!({
                "site": peer["node"],
                "about": alarm["about"],
                "text": alarm["text"],
                "since_ms": alarm["since_ms"],
            })
        })
    });

    told.collect()
}

/// The end of it, as one line of JSON or as text.
pub fn print_report(
    network: &DemoNetwork,
    dir: &Path,
    ending: &Ending,
    started: Instant,
    json: bool,
) {
    match (ending, json) {
        (_, true) => print_line!("{}", in_json(network, dir, ending, started)),
        (Ending::Stopped(signal), false) => {
            print_line!(
                "\nStopped by {} before the nodes could be asked whether they agree.",
                signal.name()
            );
        }
        (Ending::Judged(judged), false) => print_line!("{}", in_words(network, judged, started)),
    }
}

fn in_json(network: &DemoNetwork, dir: &Path, ending: &Ending, started: Instant) -> Value {
    let none = Judged::default();
    let (judged, stopped) = match ending {
        Ending::Judged(judged) => (judged.as_ref(), None),
        Ending::Stopped(signal) => (&none, Some(signal.name())),
    };
    let node = |(name, status): &(String, Option<Value>)| {
        let s = status.clone().unwrap_or_default();
        json!({
            "node": name,
            "records": s["records"],
            "entries": s["entries"],
            "digest": s["digest"],
            "unsent": s["unsent"],
            "refused": s["refused"],
        })
    };

    let findings = judged.findings.iter();
    let findings =
        findings.map(|((rule, phase), n)| json!({"rule": rule, "phase": phase, "count": n}));
    let waiting = judged.pending.waiting.iter();
    let waiting = waiting.map(|(rule, d)| {
        json!({
            "rule": rule,
            "count": d.count,
            "first_due_ms": d.first_ms,
            "last_due_ms": d.last_ms,
        })
    });

    let hub = judged.statuses.iter().find(|(name, _)| name == "hub");
    let watermarks = hub.and_then(|(_, status)| Some(status.as_ref()?["watermarks"].clone()));

    json!({
        "converged": judged.converged(),
        "seconds": started.elapsed().as_secs_f64(),
        "wire_bytes": network.wire_bytes(),
        "nodes": judged.statuses.iter().map(node).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
        "overdue": judged.pending.overdue,
        "watermarks": watermarks,
        "deadlines": waiting.collect::<Vec<_>>(),
        "disagreements": judged.disagreements,
        "written": judged.written,
        "refused": judged.refused,
        "shown": judged.scenes,
        "alarms": alarms(&judged.statuses),
        "stopped_by": stopped,
        "dir": dir.display().to_string(),
    })
}

fn in_words(network: &DemoNetwork, judged: &Judged, started: Instant) -> String {
    let mut out = table(network, &judged.statuses, started) + "\n";
    for scene in &judged.scenes {
        out += &format!("shown: {scene}\n");
    }

    for alarm in alarms(&judged.statuses) {
        let text = |member: &str| print::member_text(&alarm, member);
        out += &format!(
            "ALARM at {}: {}: {}\n",
            text("site"),
            text("about"),
            text("text")
        );
    }

    for ((rule, phase), n) in &judged.findings {
        out += &format!("finding {rule} {phase}: {n}\n");
    }

    for (rule, deadline) in &judged.pending.waiting {
        out += &format!("deadline {}\n", deadline.text(rule));
    }

    out += &format!(
        "PENDING findings past their time: {}\n",
        judged.pending.overdue
    );
    out += &format!(
        "{} writes, {} refused by the rules.\n",
        judged.written, judged.refused
    );

    if judged.converged() {
        let hub = judged
            .statuses
            .iter()
            .find_map(|(name, s)| (name == "hub").then_some(s.as_ref()?));
        let digest = hub.and_then(|s| s["digest"].as_str()).unwrap_or_default();
        let digest: String = digest.chars().take(DIGEST_CHARS).collect();

        out += "All nodes agree: every lane of every crossing has equal entries, documents and \
            states wherever it is held,\n";
        out += &format!("and the hub has everything. Holds and control, held by all: {digest}");
    } else {
        out += &format!("NOT CONVERGED after {} s:", judged.waited.as_secs());
        for line in judged.disagreements.iter().take(SHOWN_MAX) {
            out += &format!("\n  {line}");
        }

        let more = judged.disagreements.len().saturating_sub(SHOWN_MAX);
        if more > 0 {
            out += &format!("\n  and {more} more");
        }
    }

    out
}

/// How to look at a node that runs.
pub fn where_to_look(network: &DemoNetwork, dir: &Path) -> String {
    let Some(hub) = network.sites.first() else {
        return String::new();
    };
    let config = dir.join("hub/node.toml");

    format!(
        "{3}Meanwhile, in another terminal: wadi status --config {0}, wadi findings list --config \
         {0}; or over HTTP at \
         http://{1} (/openapi.json says how), with the token in {2}. Ctrl-C ends it.",
        config.display(),
        hub.http,
        dir.join("hub/operator.token").display(),
        who_signs_in(network)
    )
}

/// The consoles, and who signs in there.
fn who_signs_in(network: &DemoNetwork) -> String {
    let mut told = String::new();
    if let Some(link) = &network.accounts.link {
        told += &format!("The hub's console, once and within ten minutes: {link}\n");
    }
    for (node, account, password) in &network.accounts.lines {
        let site = network.sites.iter().find(|site| site.name == *node);
        let http = site.map(|site| site.http.to_string()).unwrap_or_default();
        told += &format!("  http://{http}/console  {node}: {account}, {password}\n");
    }
    told
}

/// How to look at what is left, once nothing runs any more.
pub fn where_to_look_on(network: &DemoNetwork, dir: &Path, on_postgres: bool) -> String {
    let names: Vec<&str> = network.sites.iter().map(|s| s.name.as_str()).collect();
    if names.is_empty() {
        return format!(
            "Nothing runs any more; what there is lies in {}.",
            dir.display()
        );
    }

    // A hub on PostgreSQL has lost its server.
    let node = dir.join(if on_postgres { "trb" } else { "hub" });
    let config = node.join("node.toml").display().to_string();
    let node = node.display();

    format!(
        "Nothing runs any more. {} holds a directory for each node ({}), with its database and \
         its log, log/node.log.\n\
         To look at one, start it again and ask it:\n  \
         wadi node run --config {config} &\n  \
         wadi status --config {config}\n  \
         wadi findings list --config {config}\n\
         or check all that it holds: wadi audit verify {node} --root {}",
        dir.display(),
        names.join(", "),
        dir.join("certs/root.pub").display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_through_which_time_each_crossing_is_heard() {
        let marks = json!({"TRB": 1_772_341_200_000_i64, "QAM": 0});
        let of = |crossing: &str| heard_through(Some(&marks), &json!({"crossing": crossing}));
        assert_eq!(of("TRB"), "2026-03-01 05:00:00");
        assert_eq!(of("QAM"), "never");
        assert_eq!(of("XXX"), "");
        assert_eq!(heard_through(None, &json!({"crossing": "TRB"})), "unknown");
    }
}
