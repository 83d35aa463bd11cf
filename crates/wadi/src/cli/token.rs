//! `wadi token`: who may use the API.

use super::record::SpeakerArgs;
use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, shown, time_text},
    words,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::borrow::Cow;

/// What a token reads. Without any of these an officer's reads what the department does, and one
/// that only reads neither travellers nor lookouts.
#[derive(Args)]
pub struct ReadArgs {
    /// Kinds of records that it reads, comma between; all, where it is left out.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Codes of the crossings whose records it reads, comma between, as TRB; all, where it is left
    /// out.
    #[arg(long = "crossing", value_delimiter = ',', value_name = "CODES")]
    crossings: Vec<String>,
    /// Types of the holds that it reads, comma between, as RADIOLOGICAL,CUSTOMS; all, where it is
    /// left out. What else it reads stays as it is.
    #[arg(long, value_delimiter = ',', value_name = "TYPES")]
    hold_types: Vec<String>,
    /// It reads who travellers are.
    #[arg(long)]
    persons: bool,
    /// It reads what lookouts seek.
    #[arg(long)]
    lookouts: bool,
    /// It reads what those lookouts seek that these departments own, comma between, as SEC.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "DEPARTMENTS",
        conflicts_with = "lookouts"
    )]
    lookouts_of: Vec<String>,
}

impl ReadArgs {
    /// What it is to read; nothing where nothing is said of it.
    fn grant(&self) -> Option<Value> {
        let is_given = !self.kinds.is_empty()
            || !self.crossings.is_empty()
            || !self.hold_types.is_empty()
            || !self.lookouts_of.is_empty()
            || self.persons
            || self.lookouts;
        let lookouts = match self.lookouts_of.is_empty() {
            true => json!(self.lookouts),
            false => json!(self.lookouts_of),
        };

        is_given.then(|| {
            json!({
                "kinds": self.kinds,
                "crossings": self.crossings,
                "hold_types": self.hold_types,
                "persons": self.persons,
                "lookouts": lookouts,
            })
        })
    }
}

/// What a token reads, as far as its issuer named it.
fn read_words(reads: &Value) -> String {
    if reads.is_null() {
        return "-".into();
    }

    let names = |member: &str| {
        let named = reads[member].as_array().into_iter().flatten();
        let named: Vec<Cow<'_, str>> = named.filter_map(Value::as_str).map(shown).collect();
        named.join(", ")
    };
    let mut words = Vec::new();
    let members = [
        ("", "kinds"),
        ("at ", "crossings"),
        ("holds of ", "hold_types"),
    ];
    for (before, member) in members {
        let named = names(member);
        if !named.is_empty() {
            words.push(format!("{before}{named}"));
        }
    }

    words.push(match reads["persons"] == true {
        true => "travellers".into(),
        false => "no travellers".into(),
    });
    let owners = names("lookouts");
    words.push(match (reads["lookouts"] == true, owners.is_empty()) {
        (true, _) => "lookouts".into(),
        (false, true) => "no lookouts".into(),
        (false, false) => format!("lookouts of {owners}"),
    });
    words.join("; ")
}

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Issues a token: --officer and --department, or --device, or --operator, or none of them to
    /// read only.
    Issue {
        /// A name for it.
        name: String,
        /// For a device: its name.
        #[arg(long)]
        device: Option<String>,
        /// With --device: the events that it may say, comma between; those that a device may at
        /// all, where they are left out.
        #[arg(long, value_delimiter = ',', requires = "device")]
        events: Option<Vec<String>>,
        /// With --device: the fields that it may set, comma between, `N` for any number.
        #[arg(long, value_delimiter = ',', requires = "device")]
        fields: Option<Vec<String>>,
        /// A second operator of this machine, in person: what they say at a hub carries their name.
        #[arg(long, requires = "person")]
        operator: bool,
        /// The person who bears it.
        #[arg(long)]
        person: Option<String>,
        /// Days until it ends; it does not, where they are left out.
        #[arg(long)]
        days: Option<u32>,
        /// The language in which its bearer is answered where a request asks for none: ar or en.
        #[arg(long, value_name = "TAG")]
        language: Option<String>,
        #[command(flatten)]
        reads: ReadArgs,
        #[command(flatten)]
        who: SpeakerArgs,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists tokens: whose each is, what it may say and was let read, when it was issued and last
    /// used, when it ends.
    List {
        #[command(flatten)]
        at: NodeAt,
    },
    /// How often each token was shown who a traveller is, and what a lookout seeks.
    Reads {
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
    /// Revokes a token, and ends what is followed with it.
    Revoke {
        /// The token's name.
        name: String,
        #[command(flatten)]
        at: NodeAt,
    },
}

fn list_text(answer: &Value) -> String {
    let mut table = print::table([
        "token",
        "person",
        "may",
        "reads",
        "issued",
        "last used",
        "ends",
    ]);

    for t in answer["tokens"].as_array().into_iter().flatten() {
        let scope = &t["scope"];
        let words = ["is", "officer", "department", "device"].map(|m| member_text(scope, m));
        let listed = ["events", "fields"]
            .into_iter()
            .flat_map(|m| scope[m].as_array());
        let listed = listed.flatten().filter_map(Value::as_str).map(String::from);
        let may = words.into_iter().filter(|w| !w.is_empty()).chain(listed);
        let time = |member: &str, none: &str| match t[member].as_i64() {
            None | Some(0) => none.to_string(),
            Some(ms) => time_text(ms),
        };

        table.add_row([
            member_text(t, "name"),
            member_text(t, "person"),
            may.collect::<Vec<_>>().join(" "),
            read_words(&t["reads"]),
            time("created_ms", "-"),
            time("last_used_ms", "-"),
            time("expires_ms", "never"),
        ]);
    }

    table.to_string()
}

fn reads_text(answer: &Value) -> String {
    let mut table = print::table(["token", "person", "travellers", "lookouts", "last used"]);
    for line in answer["reads"].as_array().into_iter().flatten() {
        let last = line["last_used_ms"].as_i64().map_or("-".into(), time_text);
        table.add_row([
            member_text(line, "token"),
            member_text(line, "person"),
            member_text(line, "persons"),
            member_text(line, "lookouts"),
            last,
        ]);
    }

    table.to_string()
}

/// Says to whoever issued something what looks wrong about it.
pub(crate) fn tell_warnings(issued: &Value) {
    let warnings = issued["warnings"].as_array().into_iter().flatten();
    for warning in warnings.filter_map(Value::as_str) {
        print::print_error!("look again: {}", words::warning(warning));
    }
}

pub fn run(command: TokenCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Issue {
            name,
            device,
            events,
            fields,
            operator,
            person,
            days,
            language,
            reads,
            who,
            at,
        } => {
            let scope = match (device, who.officer, who.department, operator) {
                (Some(device), None, None, false) => json!({
                    "is": "device",
                    "device": device,
                    "events": events,
                    "fields": fields,
                }),
                (None, Some(officer), Some(department), false) => {
                    json!({"is": "officer", "officer": officer, "department": department})
                }
                (None, None, None, true) => json!({"is": "operator"}),
                (None, None, None, false) => json!({"is": "reader"}),
                _ => {
                    let why = "give --officer and --department, or --device, or --operator, or \
                        none of them to read only";
                    return Err(Failure::usage("bad_token", why));
                }
            };

            let mut body = json!({
                "name": name,
                "reads": reads.grant(),
                "scope": scope,
                "person": person.unwrap_or_default(),
                "days": days,
            });
            if let Some(language) = language {
                body["language"] = language.into();
            }
            let value = Client::at(&at)?.post("/v1/tokens", &body)?;
            print_answer(json, &value, |v| {
                format!(
                    "{}\nIt is shown this once.",
                    v["token"].as_str().unwrap_or_default()
                )
            });
            tell_warnings(&value);
        }
        TokenCommand::List { at } => {
            let value = Client::at(&at)?.get("/v1/tokens")?;
            print_answer(json, &value, list_text);
        }
        TokenCommand::Reads { at } => {
            let value = Client::at(&at)?.get("/v1/reads")?;
            print_answer(json, &value, reads_text);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_was_let_read_stands_in_words() {
        assert_eq!(read_words(&Value::Null), "-");
        let all = json!({
            "kinds": ["hold", "passage"],
            "crossings": ["QAM", "TRB"],
            "hold_types": ["CUSTOMS", "RADIOLOGICAL"],
            "persons": true,
            "lookouts": ["SEC"],
        });
        assert_eq!(
            read_words(&all),
            "hold, passage; at QAM, TRB; holds of CUSTOMS, RADIOLOGICAL; travellers; \
             lookouts of SEC"
        );

        // As tokens were kept before.
        let old = json!({"kinds": [], "persons": false, "lookouts": true});
        assert_eq!(read_words(&old), "no travellers; lookouts");
        let none = json!({"lookouts": false});
        assert_eq!(read_words(&none), "no travellers; no lookouts");
    }
}
