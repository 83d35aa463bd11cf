//! `wadi policy`: what is in force, what a file would change, and single values set.

use super::{
    confirm::{ConfirmArgs, effect_text, row_text, say_control, value_text},
    people::claimed_text,
    typed::strict_json,
};
use crate::{
    cli::{NodeAt, client::Client},
    failure::{Exit, Failure},
    print::{self, member_text, print_answer},
};
use clap::Subcommand;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Shows the policy in force, whole, and which values of the defaults it does not have.
    Show {
        #[command(flatten)]
        at: NodeAt,
    },
    /// Shows what a file would change of it, or each value of it that is not the default.
    Diff {
        /// The file; the defaults, where it is left out.
        file: Option<PathBuf>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// At a hub: sets single values; all others stay as they are.
    Set {
        /// KEY=VALUE, the value as JSON or one word, as hold_deadline_h=48 or
        /// distances_km.QAM-TRB=260; null gives the default back, of one value within another,
        /// too, and takes away what has none.
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
        #[command(flatten)]
        confirm: ConfirmArgs,
        #[command(flatten)]
        at: NodeAt,
    },
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|e| Failure::usage("unreadable", format!("{}: {e}", path.display())))
}

pub(super) fn read_policy(path: &Path) -> Result<Value, Failure> {
    wadi_web::parse_json(&read(path)?).map_err(|problem| {
        let why = format!("{}: {}", path.display(), problem.detail);
        Failure::usage(problem.code.clone(), why)
    })
}

/// The values that pairs set. What stands behind the first dot is a member of the value before it:
/// names of events have dots themselves.
fn values_of(pairs: &[String]) -> Result<Value, Failure> {
    let mut out = Map::new();
    for pair in pairs {
        let (key, text) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage("bad_pair", format!("{pair:?} is not KEY=VALUE")))?;
        let value = match strict_json(text) {
            Ok(value) => value,
            // One word needs no quotation marks.
            Err(_) if is_word(text) => Value::from(text),
            Err(failure) => {
                let why = format!("{key}: no JSON: {}", failure.why);
                return Err(Failure::usage(failure.code, why));
            }
        };

        let before = match key.split_once('.') {
            None => out.insert(key.into(), value),
            Some((whole, member)) => {
                let whole = out.entry(whole).or_insert_with(|| json!({}));
                let members = whole.as_object_mut();
                // A whole value was given before: one of its members is a second word on it.
                members.map_or(Some(Value::Null), |m| m.insert(member.into(), value))
            }
        };
        if before.is_some() {
            let why = format!("{key:?} is given twice: say which of its values counts");
            return Err(Failure::usage("duplicate_member", why));
        }
    }

    Ok(out.into())
}

/// What of the policy is not the default, as the node tells it.
fn not_default(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["not_default"].as_array().into_iter().flatten()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
}

pub fn run(command: PolicyCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Show { at } => {
            let value = Client::at(&at)?.get("/v1/policy")?;
            print_answer(json, &value, |v| {
                let mut policy = print::pretty(&v["policy"]);
                for missing in not_default(v).filter(|change| change["to"].is_null()) {
                    let (key, default) = (member_text(missing, "key"), &missing["from"]);
                    policy += &format!("\nmissing: {key}, by default {}", value_text(default));
                }
                match v["revision"].as_u64() {
                    Some(0) | None => format!("{policy}\nthe defaults: no hub said a policy yet"),
                    Some(revision) => {
                        let by = claimed_text(member_text(v, "by"), &member_text(v, "by_token"));
                        format!("{policy}\nrevision {revision}, by {by}")
                    }
                }
            });
        }
        PolicyCommand::Diff {
            file: Some(file),
            at,
        } => {
            let body = json!({"say": "policy", "policy": read_policy(&file)?});
            let value = Client::at(&at)?.post("/v1/control?dry_run=true", &body)?;
            print_answer(json, &value, |v| effect_text(&v["would"]));
        }
        PolicyCommand::Diff { file: None, at } => {
            let value = Client::at(&at)?.get("/v1/policy")?;
            print_answer(json, &json!({"not_default": value["not_default"]}), |v| {
                let lines: Vec<String> = not_default(v).map(row_text).collect();
                match lines.is_empty() {
                    true => "every value is the default".into(),
                    false => lines.join("\n"),
                }
            });
        }
        PolicyCommand::Set { pairs, confirm, at } => {
            let body = json!({"say": "policy", "policy": values_of(&pairs)?});
            return say_control(&Client::at(&at)?, &body, &confirm, json);
        }
    }

    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_set_alone_and_a_member_of_one_too() {
        let pairs = [
            "hold_deadline_h=48",
            "acts.gate.out=[\"PORT\"]",
            "peers_min=null",
            "signed_decisions=warn",
        ];
        let pairs = pairs.map(String::from);
        assert_eq!(
            values_of(&pairs).unwrap(),
            json!({
                "hold_deadline_h": 48, "acts": {"gate.out": ["PORT"]}, "peers_min": null,
                "signed_decisions": "warn",
            })
        );
        assert!(values_of(&["hold_deadline_h=48 h".into()]).is_err());
        assert!(values_of(&["hold_deadline_h".into()]).is_err());
    }
}
