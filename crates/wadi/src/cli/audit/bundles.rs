//! `wadi audit bundles`: who made bundles at a node, and who took some in.

use super::looks::verdict_text;
use crate::{
    cli::{NodeAt, client::Client, people::claimed_text},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub struct BundlesArgs {
    /// Lines at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Read the whole chain, and say whether it is whole.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    at: NodeAt,
}

pub(super) fn list_bundles(args: BundlesArgs, json: bool) -> Result<Exit, Failure> {
    let path = format!(
        "/v1/bundles/acts?limit={}&verify={}",
        args.limit, args.verify
    );
    let value = Client::at(&args.at)?.get(&path)?;
    print_answer(json, &value, bundles_text);

    Ok(match value["verified"]["whole"].as_bool() {
        Some(false) => Exit::Integrity,
        _ => Exit::Done,
    })
}

fn bundles_text(answer: &Value) -> String {
    let mut table = print::table([
        "when",
        "act",
        "by",
        "for or from",
        "bundle",
        "part",
        "entries",
    ]);
    for act in answer["acts"].as_array().into_iter().flatten() {
        table.add_row([
            act["at_ms"].as_i64().map_or("-".into(), time_text),
            act_text(act),
            claimed_text(member_text(act, "by"), &member_text(act, "by_token")),
            member_text(act, "node"),
            member_text(act, "bundle"),
            part_text(act),
            member_text(act, "entries"),
        ]);
    }

    match verdict_text(&answer["verified"]) {
        Some(said) => format!("{table}\n{said}"),
        None => table.to_string(),
    }
}

fn act_text(act: &Value) -> String {
    let name = member_text(act, "act").replace('_', " ");
    match act["code"].is_string() {
        true => format!("{name}: {}", member_text(act, "code")),
        false => name,
    }
}

fn part_text(act: &Value) -> String {
    match (act["part"].as_u64(), act["parts"].as_u64()) {
        (Some(part), Some(parts)) => format!("{part} of {parts}"),
        (None, Some(parts)) => format!("all {parts}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_not_taken_in_says_why() {
        let act = json!({"act": "not_taken_in", "code": "bundle_cut", "part": null});
        assert_eq!(act_text(&act), "not taken in: bundle_cut");
        assert_eq!(part_text(&act), "");
        let made = json!({"act": "made", "code": null, "part": null, "parts": 3});
        assert_eq!(
            (act_text(&made).as_str(), part_text(&made).as_str()),
            ("made", "all 3")
        );
    }
}
