//! `wadi resync`: planned, approved, run and verified. It first ships everything local, and never
//! replaces.

use crate::{
    At,
    client::Client,
    commands::{tell, text, time},
    failure::{Exit, Failure},
    output,
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Subcommand)]
pub enum ResyncCommand {
    /// Reads everything through, compares with a peer, says what differs, and changes nothing.
    Plan {
        /// The peer; the hub, where it is left out.
        #[arg(long, conflicts_with = "site")]
        peer: Option<String>,
        /// At a hub: order it for this crossing, or this node of one.
        #[arg(long)]
        site: Option<String>,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// Who asks for it.
        #[arg(long)]
        by: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Approves a plan and carries it out.
    Run {
        /// The plan's id.
        id: String,
        /// Who approves it.
        #[arg(long)]
        by: Option<String>,
        /// Return at once; `status` tells how it goes.
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        at: At,
    },
    /// How resyncs stand, or one with everything it found.
    Status {
        id: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// Holds one up after the step it is in.
    Pause {
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Goes on with one that was paused.
    Resume {
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Ends one. What was mended already stays.
    Cancel {
        id: String,
        #[command(flatten)]
        at: At,
    },
    /// Proves that this node and a peer hold the same, through a stated time. Exit code 3 where
    /// they do not.
    Verify {
        /// The peer.
        #[arg(long, default_value = "hub")]
        peer: String,
        /// Take the last scrub's word for what lies on this disk, in place of reading everything
        /// through.
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        at: At,
    },
}

/// States in which nothing more happens by itself.
const AT_REST: [&str; 5] = ["planned", "paused", "cancelled", "done", "failed"];

pub fn run(command: ResyncCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        ResyncCommand::Plan {
            peer,
            site,
            reason,
            by,
            at,
        } => {
            let client = Client::at(&at)?;
            let ordering = site.is_some();
            let body = json!({"peer": peer, "site": site, "reason": reason, "by": by});
            let begun = client.post("/v1/resyncs", &body)?;
            let plan = if ordering {
                begun
            } else {
                follow(&client, &text(&begun, "id"), json, &["planning"])?
            };

            tell(json, &plan, plan_text);
            Ok(if text(&plan, "state") == "failed" {
                Exit::Failed
            } else {
                Exit::Done
            })
        }
        ResyncCommand::Run {
            id,
            by,
            no_wait,
            at,
        } => {
            let client = Client::at(&at)?;
            let begun = client.post(&format!("/v1/resyncs/{id}/run"), &json!({"by": by}))?;
            if no_wait {
                tell(json, &begun, |_| {
                    format!("{id} runs; `wadi resync status {id}` tells how it goes")
                });
                return Ok(Exit::Done);
            }

            let done = follow(
                &client,
                &id,
                json,
                &["shipping", "comparing", "mending", "verifying"],
            )?;

            tell(json, &done, plan_text);
            Ok(match text(&done, "state").as_str() {
                "done" => Exit::Done,
                _ => Exit::Open,
            })
        }
        ResyncCommand::Status { id: Some(id), at } => {
            tell(
                json,
                &Client::at(&at)?.get(&format!("/v1/resyncs/{id}"))?,
                plan_text,
            );
            Ok(Exit::Done)
        }
        ResyncCommand::Status { id: None, at } => {
            let all = Client::at(&at)?.get("/v1/resyncs")?;
            tell(json, &all, list_text);
            let open = |r: &Value| !AT_REST.contains(&text(r, "state").as_str());
            let any = all["resyncs"].as_array().into_iter().flatten().any(open);
            Ok(if any { Exit::Open } else { Exit::Done })
        }
        ResyncCommand::Pause { id, at } => steer(&at, &id, "pause", json),
        ResyncCommand::Resume { id, at } => steer(&at, &id, "resume", json),
        ResyncCommand::Cancel { id, at } => steer(&at, &id, "cancel", json),
        ResyncCommand::Verify { peer, quick, at } => {
            let path = format!(
                "/v1/verify/{}?quick={quick}",
                crate::commands::percent(&peer)
            );
            let found = Client::at(&at)?.get_slow(&path)?;

            tell(json, &found, |v| {
                let through = time(v["through_s"].as_i64().unwrap_or(0).saturating_mul(1_000));
                if v["equal"] == true {
                    format!(
                        "EQUAL with {peer} through {through} (hub time): {} logs, {} scopes of records, {} bytes to compare",
                        v["logs"], v["scopes"], v["bytes"]
                    )
                } else {
                    format!(
                        "NOT EQUAL with {peer}, compared at {through} (hub time): {} logs differ; records differ in {}; {} \
                         entries, records or indexes are wrong on this disk",
                        v["logs_differing"], v["scopes_differing"], v["wrong_here"]
                    )
                }
            });

            Ok(if found["equal"] == true {
                Exit::Done
            } else {
                Exit::Open
            })
        }
    }
}

fn steer(at: &At, id: &str, act: &str, json: bool) -> Result<Exit, Failure> {
    let done = Client::at(at)?.post(&format!("/v1/resyncs/{id}/{act}"), &json!({}))?;
    tell(json, &done, |r| format!("{id} is {}", text(r, "state")));
    Ok(Exit::Done)
}

/// Shows how it goes until it leaves these states.
fn follow(client: &Client, id: &str, quiet: bool, states: &[&str]) -> Result<Value, Failure> {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
    };

    bar.set_style(
        ProgressStyle::with_template("{spinner} {msg} {bar:30} {pos}/{len}  {elapsed}")
            .expect("a fixed template"),
    );

    loop {
        let all = client.get("/v1/resyncs")?;
        let found = all["resyncs"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|r| r["id"] == id);

        let resync = found
            .cloned()
            .ok_or_else(|| Failure::new("no_such_resync", format!("{id} is gone")))?;
        let state = text(&resync, "state");
        if !states.contains(&state.as_str()) {
            bar.finish_and_clear();
            return Ok(resync);
        }

        let progress = resync["progress"].as_array().into_iter().flatten();
        let (mut done, mut of) = progress.fold((0, 0), |(done, of), p| {
            let n = |m: &str| p[m].as_u64().unwrap_or(0);
            (done + n("done"), of + n("to") - n("from"))
        });

        if all["scrub"]["running"] == true {
            (done, of) = (
                all["scrub"]["entries"].as_u64().unwrap_or(0),
                all["scrub"]["of"].as_u64().unwrap_or(0),
            );
        }

        bar.set_length(of);
        bar.set_position(done);
        let waits = text(&resync, "waits_for");
        bar.set_message(if waits.is_empty() {
            state
        } else {
            format!("{state}: waits for {waits}")
        });

        std::thread::sleep(Duration::from_millis(250));
    }
}

fn list_text(all: &Value) -> String {
    let mut table = output::table(["id", "state", "node", "with", "why", "waits for"]);
    for r in all["resyncs"].as_array().into_iter().flatten() {
        table.add_row(output::row(
            ["id", "state", "node", "peer", "reason", "waits_for"].map(|m| text(r, m)),
        ));
    }

    table.to_string()
}

fn plan_text(r: &Value) -> String {
    let mut out = format!(
        "{}  {}  {} with {}",
        text(r, "id"),
        text(r, "state").to_uppercase(),
        text(r, "node"),
        text(r, "peer"),
    );

    // What was ordered has no plan, and of one that could not be made there is nothing to tell but
    // why.
    let no_plan =
        r["order"].is_string() || (r["state"] == "failed" && r["outcome"]["why"].is_string());
    if r["state"] == "ordered" {
        return out
            + "\nThe site carries it out at its next contact and reports; `wadi resync status` shows it.";
    }

    out += &match (no_plan, r["compared"] == true) {
        (true, _) => "\n".to_string(),
        (false, true) => format!(
            "  ({} entries read, {} logs equal)\n",
            r["scrubbed_entries"], r["equal_logs"]
        ),
        (false, false) => format!(
            "  ({} entries read)\nThe peer was not in contact: what it holds is unknown. Only this node's own disk was read.\n",
            r["scrubbed_entries"]
        ),
    };

    let mut table = output::table(["log", "state", "here", "there", "entries", "ranges"]);
    for log in r["logs"].as_array().into_iter().flatten() {
        let ranges: Vec<String> = log["ranges"]
            .as_array()
            .into_iter()
            .flatten()
            .take(6)
            .map(|pair| format!("{}..{}", pair[0], pair[1]))
            .collect();

        let kinds: Vec<&str> = log["kinds"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();

        let state = if kinds.is_empty() {
            text(log, "state")
        } else {
            kinds.join(" ")
        };

        let there = log["theirs"]
            .as_u64()
            .map_or_else(|| "unknown".into(), |n| n.to_string());
        let cells = [
            text(log, "log"),
            state,
            text(log, "mine"),
            there,
            text(log, "entries"),
            ranges.join(" "),
        ];

        table.add_row(output::row(cells));
    }

    if r["logs"].as_array().is_some_and(|l| !l.is_empty()) {
        out += &format!("{table}\n");
    }

    if !no_plan {
        out += &format!(
            "to send {} entries (about {} bytes), to fetch {} (about {} bytes){}; {} wait, {} refused, {} records stood wrong\n",
            r["send_entries"],
            r["send_bytes"],
            r["fetch_entries"].as_u64().unwrap_or(0) + r["damaged_entries"].as_u64().unwrap_or(0),
            r["fetch_bytes"],
            r["seconds"].as_f64().map_or_else(String::new, |s| format!(
                ", about {s:.0} s at the link's rate"
            )),
            r["waiting"],
            r["refused"],
            r["rederived"],
        );
    }

    let outcome = &r["outcome"];
    match text(r, "state").as_str() {
        "planned" => {
            out += &format!(
                "Nothing was changed. Carry it out with: wadi resync run {}",
                text(r, "id")
            )
        }
        "failed" if outcome["why"].is_string() => out += &text(outcome, "why"),
        "done" | "failed" => {
            let through = time(
                outcome["through_s"]
                    .as_i64()
                    .unwrap_or(0)
                    .saturating_mul(1_000),
            );

            let equal = if outcome["equal"] == true {
                "EQUAL"
            } else {
                "NOT EQUAL"
            };

            out += &format!(
                "{equal} through {through} (hub time): {} damaged entries found, {} mended, {} that no peer holds",
                outcome["damaged"], outcome["mended"], outcome["unmended"]
            );
        }
        _ if !text(r, "waits_for").is_empty() => {
            out += &format!("waits for {}", text(r, "waits_for"))
        }
        _ => {}
    }

    out
}
