//! `wadi resync`: planned, approved, run and verified. It first ships everything local, and never
//! replaces.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
        people::claimed_text,
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text_s},
};
use clap::Subcommand;
use comfy_table::Table;
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
        /// The person who asks for it, where the token is nobody's own.
        #[arg(long, env = "WADI_PERSON", hide_env_values = true)]
        by: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Approves a plan and carries it out.
    Run {
        /// The plan's id.
        id: String,
        /// The person who approves it, where the token is nobody's own.
        #[arg(long, env = "WADI_PERSON", hide_env_values = true)]
        by: Option<String>,
        /// Return at once; `status` tells how it goes.
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        at: NodeAt,
    },
    /// How resyncs stand, or one with everything it found.
    Status {
        /// The resync's id; all, where it is left out.
        id: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Holds one up after the step it is in.
    Pause {
        /// The resync's id.
        id: String,
        /// The person who does, where the token is nobody's own.
        #[arg(long, env = "WADI_PERSON", hide_env_values = true)]
        by: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Goes on with one that was paused.
    Resume {
        /// The resync's id.
        id: String,
        /// The person who does, where the token is nobody's own.
        #[arg(long, env = "WADI_PERSON", hide_env_values = true)]
        by: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Ends one. What was mended already stays.
    Cancel {
        /// The resync's id.
        id: String,
        /// The person who does, where the token is nobody's own.
        #[arg(long, env = "WADI_PERSON", hide_env_values = true)]
        by: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Proves that this node and a peer hold the same, through a stated time. Exit code 3 where
    /// they do not.
    Verify {
        /// The peer; the hub in contact, where it is left out.
        #[arg(long)]
        peer: Option<String>,
        /// Take the last scrub's word for what lies on this disk, in place of reading everything
        /// through.
        #[arg(long)]
        quick: bool,
        #[command(flatten)]
        at: NodeAt,
    },
}

/// States in which nothing more happens by itself.
const STATES_AT_REST: [&str; 5] = ["planned", "paused", "cancelled", "done", "failed"];

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
                follow_resync(&client, &member_text(&begun, "id"), json, &["planning"])?
            };

            print_answer(json, &plan, plan_text);
            Ok(if member_text(&plan, "state") == "failed" {
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
                print_answer(json, &begun, |_| {
                    format!("{id} runs; `wadi resync status {id}` tells how it goes")
                });
                return Ok(Exit::Done);
            }

            let done = follow_resync(
                &client,
                &id,
                json,
                &["shipping", "comparing", "mending", "verifying"],
            )?;

            print_answer(json, &done, plan_text);
            Ok(match member_text(&done, "state").as_str() {
                "done" => Exit::Done,
                _ => Exit::Open,
            })
        }
        ResyncCommand::Status { id: Some(id), at } => {
            print_answer(
                json,
                &Client::at(&at)?.get(&format!("/v1/resyncs/{id}"))?,
                plan_text,
            );
            Ok(Exit::Done)
        }
        ResyncCommand::Status { id: None, at } => {
            let all = Client::at(&at)?.get("/v1/resyncs")?;
            print_answer(json, &all, list_text);
            let open = |r: &Value| !STATES_AT_REST.contains(&member_text(r, "state").as_str());
            let any = all["resyncs"].as_array().into_iter().flatten().any(open);
            Ok(if any { Exit::Open } else { Exit::Done })
        }
        ResyncCommand::Pause { id, by, at } => steer_resync(&at, &id, "pause", by, json),
        ResyncCommand::Resume { id, by, at } => steer_resync(&at, &id, "resume", by, json),
        ResyncCommand::Cancel { id, by, at } => steer_resync(&at, &id, "cancel", by, json),
        ResyncCommand::Verify { peer, quick, at } => verify_with(peer, quick, &at, json),
    }
}

/// The name of the hub in contact, or of one that this node knows.
fn hub_of(client: &Client) -> Result<String, Failure> {
    let sites = client.get("/v1/sites")?;
    let peers = sites["peers"].as_array().into_iter().flatten();
    let mut hubs: Vec<&Value> = peers.filter(|peer| peer["role"] == "hub").collect();
    hubs.sort_by_key(|peer| peer["connected"] != true);

    let hub = hubs.first().map(|peer| member_text(peer, "node"));
    hub.ok_or_else(|| {
        let why = "this node knows no hub among its peers: name a peer with --peer";
        Failure::usage("unknown_peer", why)
    })
}

fn verify_with(
    peer: Option<String>,
    quick: bool,
    at: &NodeAt,
    json: bool,
) -> Result<Exit, Failure> {
    let client = Client::at(at)?;
    let peer = match peer {
        Some(peer) => peer,
        None => hub_of(&client)?,
    };
    let path = format!("/v1/verify/{}?quick={quick}", percent_encode(&peer));
    let found = client.get_slow(&path)?;
    print_answer(json, &found, |v| {
        let through = time_text_s(v["through_s"].as_i64().unwrap_or(0));
        if v["equal"] == true {
            format!(
                "EQUAL with {peer} through {through} (hub time): {} logs, {} scopes of records, \
                 {} bytes to compare",
                v["logs"], v["scopes"], v["bytes"]
            )
        } else {
            format!(
                "NOT EQUAL with {peer}, compared at {through} (hub time): {} logs differ; records \
                 differ in {}; {} entries, records or indexes are wrong on this disk",
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

fn steer_resync(
    at: &NodeAt,
    id: &str,
    act: &str,
    by: Option<String>,
    json: bool,
) -> Result<Exit, Failure> {
    let path = format!("/v1/resyncs/{id}/{act}");
    let done = Client::at(at)?.post(&path, &json!({"by": by}))?;
    print_answer(json, &done, |r| {
        format!("{id} is {}", member_text(r, "state"))
    });
    Ok(Exit::Done)
}

/// Shows how it goes until it leaves these states.
fn follow_resync(
    client: &Client,
    id: &str,
    quiet: bool,
    states: &[&str],
) -> Result<Value, Failure> {
    let bar = print::progress(
        quiet,
        Some(0),
        "{spinner} {msg} {bar:30} {pos}/{len}  {elapsed}",
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
        let state = member_text(&resync, "state");
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
        let waits = member_text(&resync, "waits_for");
        bar.set_message(if waits.is_empty() {
            state
        } else {
            format!("{state}: waits for {waits}")
        });

        std::thread::sleep(Duration::from_millis(250));
    }
}

fn list_text(all: &Value) -> String {
    let mut table = print::table(["id", "state", "node", "with", "why", "waits for"]);
    for r in all["resyncs"].as_array().into_iter().flatten() {
        table.add_row(print::row(
            ["id", "state", "node", "peer", "reason", "waits_for"].map(|m| member_text(r, m)),
        ));
    }

    table.to_string()
}

fn plan_text(r: &Value) -> String {
    let mut out = format!(
        "{}  {}  {} with {}",
        member_text(r, "id"),
        member_text(r, "state").to_uppercase(),
        member_text(r, "node"),
        member_text(r, "peer"),
    );

    out += &persons_text(r);
    // What was ordered has no plan, and of one that could not be made there is nothing to tell but
    // why.
    let no_plan =
        r["order"].is_string() || (r["state"] == "failed" && r["outcome"]["why"].is_string());
    if r["state"] == "ordered" {
        return out
            + "\nThe site carries it out at its next contact and reports; `wadi resync status` \
                shows it.";
    }

    out += &match (no_plan, r["compared"] == true) {
        (true, _) => "\n".to_string(),
        (false, true) => format!(
            "  ({} entries read, {} logs equal)\n",
            r["scrubbed_entries"], r["equal_logs"]
        ),
        (false, false) => format!(
            "  ({} entries read)\nThe peer was not in contact: what it holds is unknown. Only \
             this node's own disk was read.\n",
            r["scrubbed_entries"]
        ),
    };

    if r["logs"].as_array().is_some_and(|l| !l.is_empty()) {
        out += &format!("{}\n", logs_table(r));
    }

    if !no_plan {
        out += &format!(
            "to send {} entries (about {} bytes), to fetch {} (about {} bytes){}; {} wait, {} \
             refused, {} records stood wrong\n",
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

    out + &outcome_text(r)
}

/// Who planned it, and who approved it.
fn persons_text(r: &Value) -> String {
    let person = |who: &str| {
        let token = member_text(r, &format!("{who}_token"));
        claimed_text(member_text(r, who), &token)
    };

    let (planned, approved) = (person("planned_by"), person("approved_by"));
    if approved.is_empty() {
        format!("  planned by {planned}")
    } else if planned == approved {
        format!("  by {planned}")
    } else {
        format!("  planned by {planned}, approved by {approved}")
    }
}

/// What became of a plan, or what comes next.
fn outcome_text(r: &Value) -> String {
    let outcome = &r["outcome"];
    match member_text(r, "state").as_str() {
        "planned" => format!(
            "Nothing was changed. Carry it out with: wadi resync run {}",
            member_text(r, "id")
        ),
        "failed" if outcome["why"].is_string() => member_text(outcome, "why"),
        "done" | "failed" => {
            let through = time_text_s(outcome["through_s"].as_i64().unwrap_or(0));
            let equal = if outcome["equal"] == true {
                "EQUAL"
            } else {
                "NOT EQUAL"
            };

            format!(
                "{equal} through {through} (hub time): {} damaged entries found, {} mended, {} \
                 that no peer holds",
                outcome["damaged"], outcome["mended"], outcome["unmended"]
            )
        }
        _ if !member_text(r, "waits_for").is_empty() => {
            format!("waits for {}", member_text(r, "waits_for"))
        }
        _ => String::new(),
    }
}

fn logs_table(r: &Value) -> Table {
    let mut table = print::table(["log", "state", "here", "there", "entries", "ranges"]);
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
            member_text(log, "state")
        } else {
            kinds.join(" ")
        };

        let there = log["theirs"]
            .as_u64()
            .map_or_else(|| "unknown".into(), |n| n.to_string());
        let cells = [
            member_text(log, "log"),
            state,
            member_text(log, "mine"),
            there,
            member_text(log, "entries"),
            ranges.join(" "),
        ];

        table.add_row(print::row(cells));
    }

    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_planned_and_who_approved_are_told_apart() {
        let told = |approved: &str, token: &str| {
            persons_text(&json!({
                "planned_by": "Layla", "planned_by_token": token,
                "approved_by": approved, "approved_by_token": token,
            }))
        };
        assert_eq!(told("", ""), "  planned by Layla");
        assert_eq!(told("Omar", ""), "  planned by Layla, approved by Omar");
        assert_eq!(
            told("Layla", "operator"),
            "  by Layla (claimed, token operator)"
        );
    }
}
