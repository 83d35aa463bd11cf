//! `wadi audit looks`: who looked at personal data at a node.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub struct LooksArgs {
    /// Only looks of this person.
    #[arg(long)]
    who: Option<String>,
    /// Only looks at this record.
    #[arg(long)]
    record: Option<String>,
    /// Looks at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Read the whole chain, and say whether it is whole.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    at: NodeAt,
}

pub(super) fn list_looks(args: LooksArgs, json: bool) -> Result<Exit, Failure> {
    let mut path = format!("/v1/looks?limit={}&verify={}", args.limit, args.verify);
    for (name, value) in [("who", &args.who), ("record", &args.record)] {
        if let Some(value) = value {
            path += &format!("&{name}={}", percent_encode(value));
        }
    }
    let value = Client::at(&args.at)?.get(&path)?;
    print_answer(json, &value, looks_text);

    Ok(match value["verified"]["whole"].as_bool() {
        Some(false) => Exit::Integrity,
        _ => Exit::Done,
    })
}

fn looks_text(answer: &Value) -> String {
    let mut table = print::table(["when", "who", "saw", "of", "with"]);
    for look in answer["looks"].as_array().into_iter().flatten() {
        table.add_row([
            look["at_ms"].as_i64().map_or("-".into(), time_text),
            member_text(look, "who"),
            member_text(look, "what"),
            member_text(look, "record"),
            member_text(look, "token"),
        ]);
    }

    match verdict_text(&answer["verified"]) {
        Some(said) => format!("{table}\n{said}"),
        None => table.to_string(),
    }
}

/// What reading a chain found; none where nobody asked for that.
pub(super) fn verdict_text(verified: &Value) -> Option<String> {
    Some(match verified["whole"].as_bool()? {
        true => format!(
            "whole: lines {} to {}, head {}; it bears out {} heads that the control log tells of",
            verified["first"],
            verified["last"],
            member_text(verified, "head"),
            verified["told_heads"],
        ),
        false if verified["broken_at"].is_null() => format!(
            "CONTRADICTED at line {}: the control log tells of another one, so lines were changed \
             or lost after that was told",
            verified["contradicts_told"]
        ),
        false => format!(
            "BROKEN at line {}: it was changed, or lines were taken out",
            verified["broken_at"]
        ),
    })
}
