//! `wadi audit members`: who was a member when, and by whose act.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
        people::{claimed_text, members_text},
        say::moment_ms,
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct MembersArgs {
    /// Who was a member then, as 2026-11-24T08:00:00Z, and by which acts until then.
    #[arg(long)]
    at: Option<String>,
    /// Only acts on this node.
    #[arg(long)]
    of: Option<String>,
    #[command(flatten)]
    node: NodeAt,
}

fn acts(client: &Client, args: &MembersArgs, at_ms: Option<i64>) -> Result<Vec<Value>, Failure> {
    let mut filter = String::new();
    for (name, value) in [
        ("node", args.of.clone()),
        ("until_ms", at_ms.map(|ms| ms.to_string())),
    ] {
        if let Some(value) = value {
            filter += &format!("&{name}={}", percent_encode(&value));
        }
    }

    let mut out = Vec::new();
    let mut after = String::new();
    loop {
        let asked = format!("{after}{filter}");
        let asked = asked.trim_start_matches('&');
        let page = client.get(&format!("/v1/members/acts?{asked}"))?;
        out.extend(page["acts"].as_array().into_iter().flatten().cloned());
        match page["next_after"].as_str() {
            Some(next) => after = format!("&after={}", percent_encode(next)),
            None => return Ok(out),
        }
    }
}

pub(super) fn list(args: MembersArgs, json: bool) -> Result<Exit, Failure> {
    let at_ms = args.at.as_deref().map(moment_ms).transpose()?;
    let client = Client::at(&args.node)?;
    let mut told = json!({"acts": acts(&client, &args, at_ms)?});
    if let Some(ms) = at_ms {
        let mut members = client.get(&format!("/v1/members?at_ms={ms}"))?["members"].take();
        if let (Some(of), Some(all)) = (&args.of, members.as_array_mut()) {
            all.retain(|member| member["node"].as_str() == Some(of));
        }
        told["members"] = members;
        told["at_ms"] = ms.into();
    }

    print_answer(json, &told, members_and_acts);
    Ok(Exit::Done)
}

fn members_and_acts(told: &Value) -> String {
    let mut table = print::table(["when", "act", "on", "by", "said at", "why", "entry"]);
    for act in told["acts"].as_array().into_iter().flatten() {
        table.add_row(print::row([
            time_text(act["at_ms"].as_i64().unwrap_or(0)),
            act_text(act),
            on_text(act),
            by_text(act),
            member_text(act, "said_at"),
            why_text(act),
            member_text(act, "entry"),
        ]));
    }

    match told["at_ms"].as_i64() {
        None => table.to_string(),
        Some(ms) => format!(
            "{table}\nMembers as of {}:\n{}",
            time_text(ms),
            members_text(told)
        ),
    }
}

fn act_text(act: &Value) -> String {
    let name = member_text(act, "act").replace('_', " ");
    match act["counts"].as_bool() {
        Some(false) => format!("{name}, DOES NOT COUNT"),
        _ => name,
    }
}

fn on_text(act: &Value) -> String {
    let name = match act["node"].is_string() {
        true => member_text(act, "node"),
        false => member_text(act, "node_id"),
    };
    let parts = [name, member_text(act, "crossing"), member_text(act, "role")];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(" ")
}

fn why_text(act: &Value) -> String {
    let reason = member_text(act, "reason");
    match act["successor"].is_string() {
        true => format!("{reason} ({} goes on)", member_text(act, "successor")),
        false => reason,
    }
}

fn by_text(act: &Value) -> String {
    let person = claimed_text(member_text(act, "by"), &member_text(act, "by_token"));
    match (act["root_signed"].as_bool(), person.is_empty()) {
        (Some(true), true) => "the root".into(),
        (Some(true), false) => format!("the root, {person}"),
        _ => person,
    }
}
