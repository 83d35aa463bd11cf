//! `wadi release-token`: what a hub lets a site release while it is dark.

use crate::{
    cli::{NodeAt, PersonArg, client::Client, people::claimed_text, token::tell_warnings},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text_s},
};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum ReleaseTokenCommand {
    /// Issues one, at a hub: a single release, by an officer at a site, of a hold that else only
    /// the hub lets go. The hub's operator may, and an officer of SEC for what SEC lets go.
    Issue {
        /// A type of hold, as SECURITY, or the id of one hold.
        scope: String,
        /// The department whose officers may spend it.
        #[arg(long)]
        department: String,
        /// The one officer who may.
        #[arg(long)]
        officer: Option<String>,
        /// The crossing where it may be spent; at any, where it is left out.
        #[arg(long)]
        crossing: Option<String>,
        /// Hours until it ends, by the hub's time.
        #[arg(long, default_value_t = 72)]
        hours: u32,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        person: PersonArg,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists those that this node holds, and what each was spent on.
    List {
        #[command(flatten)]
        at: NodeAt,
    },
}

fn list_text(answer: &Value) -> String {
    let mut table = print::table([
        "token",
        "lets go",
        "at",
        "department",
        "officer",
        "ends",
        "spent on",
        "issued by",
        "why",
    ]);
    for t in answer["release_tokens"].as_array().into_iter().flatten() {
        let spent = t["spent_on"].as_array().into_iter().flatten();
        let spent: Vec<&str> = spent.filter_map(Value::as_str).collect();
        let at = match t["crossing"].as_str() {
            Some(crossing) => crossing.to_string(),
            None => "any".into(),
        };

        table.add_row([
            member_text(t, "token"),
            member_text(t, "scope"),
            at,
            member_text(t, "department"),
            member_text(t, "officer"),
            time_text_s(t["expires_s"].as_i64().unwrap_or(0)),
            spent.join(" "),
            issuer_text(t),
            member_text(t, "reason"),
        ]);
    }

    table.to_string()
}

fn issuer_text(token: &Value) -> String {
    let by = claimed_text(
        member_text(token, "issued_by"),
        &member_text(token, "by_token"),
    );
    format!("{by} {}", member_text(token, "issued_for"))
}

pub fn run(command: ReleaseTokenCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        ReleaseTokenCommand::Issue {
            scope,
            department,
            officer,
            crossing,
            hours,
            reason,
            person,
            at,
        } => {
            let body = json!({
                "scope": scope,
                "department": department,
                "officer": officer.unwrap_or_default(),
                "crossing": crossing,
                "hours": hours,
                "reason": reason,
            });
            let value = Client::at(&at)?.post(&person.on("/v1/release-tokens"), &body)?;
            print_answer(json, &value, |v| member_text(v, "token"));
            tell_warnings(&value);
        }
        ReleaseTokenCommand::List { at } => {
            let value = Client::at(&at)?.get("/v1/release-tokens")?;
            print_answer(json, &value, list_text);
        }
    }

    Ok(Exit::Done)
}
