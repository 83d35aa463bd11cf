//! `wadi audit refusals` and `wadi audit dismiss`: what a node refused, and what nothing more is to
//! be done about.

use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Args;
use serde_json::{Value, json};

#[derive(Args)]
pub struct RefusalsArgs {
    /// Those that were dismissed, too.
    #[arg(long)]
    all: bool,
    /// Refusals at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
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
    let path = format!("/v1/refusals?limit={}&open={}", args.limit, !args.all);
    let value = Client::at(&args.at)?.get(&path)?;
    print_answer(json, &value, refusals_text);

    let all = value["refusals"].as_array();
    Ok(match all.is_some_and(|all| all.iter().any(is_open)) {
        true => Exit::Open,
        false => Exit::Done,
    })
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
