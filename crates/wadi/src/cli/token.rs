//! `wadi token`: who may use the API.

use super::record::SpeakerArgs;
use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{member_text, print_answer},
};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Issues a token: --officer and --department, or --device, or neither to read only.
    Issue {
        /// A name for it.
        name: String,
        #[arg(long)]
        device: Option<String>,
        #[command(flatten)]
        who: SpeakerArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists tokens.
    List {
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lets a device's counter begin anew: after a repair, or where it ran over. Its next numbers
    /// were never given before.
    Anew {
        /// The device's name.
        device: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Revokes a token.
    Revoke {
        name: String,
        #[command(flatten)]
        at: NodeAt,
    },
}

pub fn run(command: TokenCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Issue {
            name,
            device,
            who,
            at,
        } => {
            let scope = match (device, who.officer, who.department) {
                (Some(device), None, None) => json!({"is": "device", "device": device}),
                (None, Some(officer), Some(department)) => {
                    json!({"is": "officer", "officer": officer, "department": department})
                }
                (None, None, None) => json!({"is": "reader"}),
                _ => {
                    let why = "give --officer and --department, or --device, or none of them to \
                        read only";
                    return Err(Failure::usage("bad_token", why));
                }
            };

            let value =
                Client::at(&at)?.post("/v1/tokens", &json!({"name": name, "scope": scope}))?;
            print_answer(json, &value, |v| {
                format!(
                    "{}\nIt is shown this once.",
                    v["token"].as_str().unwrap_or_default()
                )
            });
        }
        TokenCommand::List { at } => {
            let value = Client::at(&at)?.get("/v1/tokens")?;
            print_answer(json, &value, |v| {
                let rows = v["tokens"].as_array().into_iter().flatten();
                rows.map(|t| format!("{:<24} {}", member_text(t, "name"), t["scope"]))
                    .collect::<Vec<_>>()
                    .join("\n")
            });
        }
        TokenCommand::Anew { device, at } => {
            let value = Client::at(&at)?.post("/v1/devices/anew", &json!({"device": device}))?;
            print_answer(json, &value, |_| {
                format!("{device}: its counter may begin anew")
            });
        }
        TokenCommand::Revoke { name, at } => {
            let value =
                Client::at(&at)?.delete(&format!("/v1/tokens/{}", percent_encode(&name)))?;
            print_answer(json, &value, |_| format!("{name} is revoked"));
        }
    }

    Ok(Exit::Done)
}
