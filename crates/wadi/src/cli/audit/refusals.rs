//! `wadi audit refusals` and `wadi audit dismiss`: what a node refused, and what nothing more is to
//! be done about.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Args;
use serde_json::{Value, json};

/// Refusals that are asked for at a time.
const PAGE_ROWS: u32 = 500;

#[derive(Args)]
pub struct RefusalsArgs {
    /// Those that were dismissed, too.
    #[arg(long)]
    all: bool,
    /// Refusals at most; every one, where it is left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    at: NodeAt,
}

#[derive(Args)]
pub struct DismissArgs {
    /// Whose it is, as `audit refusals` names it.
    subject: String,
    /// The refusal's code.
    code: String,
    /// How often it had been refused when you looked at it.
    #[arg(long)]
    times: u64,
    /// Why nothing more is to be done about it.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    at: NodeAt,
}

/// Lists refusals. Exit code 3 where there are any that nobody dismissed.
pub(super) fn list_refusals(args: RefusalsArgs, json: bool) -> Result<Exit, Failure> {
    let refusals = read_pages(&Client::at(&args.at)?, &args)?;
    let exit = match refusals.iter().any(is_open) {
        true => Exit::Open,
        false => Exit::Done,
    };

    print_answer(json, &json!({"refusals": refusals}), refusals_text);
    Ok(exit)
}

/// The refusals that are asked for, page by page.
fn read_pages(client: &Client, args: &RefusalsArgs) -> Result<Vec<Value>, Failure> {
    let wanted = args.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut out: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/refusals?limit={PAGE_ROWS}&open={}{cursor}", !args.all);
        let page = client.get(&path)?;
        out.extend(page["refusals"].as_array().into_iter().flatten().cloned());
        match page["next_after"].as_str() {
            Some(next) if out.len() < wanted => {
                cursor = format!("&after={}", percent_encode(next));
            }
            _ => break,
        }
    }

    out.truncate(wanted);
    Ok(out)
}

fn is_open(refusal: &Value) -> bool {
    refusal["dismissed"].is_null()
}

fn refusals_text(answer: &Value) -> String {
    let mut table = print::table([
        "subject",
        "code",
        "times",
        "last",
        "from",
        "why",
        "dismissed",
    ]);
    for refusal in answer["refusals"].as_array().into_iter().flatten() {
        let dismissed = match is_open(refusal) {
            true => "-".into(),
            false => {
                let of = &refusal["dismissed"];
                format!("{}: {}", member_text(of, "by"), member_text(of, "reason"))
            }
        };
        table.add_row(print::row([
            member_text(refusal, "subject"),
            member_text(refusal, "code"),
            refusal["times"].to_string(),
            refusal["at_ms"].as_i64().map_or("-".into(), time_text),
            member_text(refusal, "peer"),
            member_text(refusal, "why"),
            dismissed,
        ]));
    }

    table.to_string()
}

/// Dismisses one with a reason.
pub(super) fn dismiss_refusal(args: DismissArgs, json: bool) -> Result<Exit, Failure> {
    let body = json!({
        "subject": args.subject,
        "code": args.code,
        "times": args.times,
        "reason": args.reason,
    });
    let value = Client::at(&args.at)?.post("/v1/refusals/dismiss", &body)?;
    print_answer(json, &value, |said| {
        format!(
            "dismissed: {} of {}, refused {} times",
            member_text(said, "code"),
            member_text(said, "subject"),
            said["times"]
        )
    });

    Ok(Exit::Done)
}
