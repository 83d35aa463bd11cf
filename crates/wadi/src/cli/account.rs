//! `wadi account`: who may sign in at the console of this node.

use crate::{
    cli::{
        NodeAt,
        client::{Client, percent_encode},
    },
    failure::{Exit, Failure},
    print::{self, member_text, print_answer, time_text},
};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Invites somebody: an officer whom the hub names, or with --operator or --reader a person.
    /// The link that it prints works once, within a week: there the person chooses a password.
    Invite {
        /// The officer's service number; with --operator or --reader, the person's name.
        who: String,
        /// The officer's department. An auditor of the commission is an officer of HUB.
        #[arg(
            long,
            required_unless_present_any = ["operator", "reader"],
            conflicts_with_all = ["operator", "reader"]
        )]
        department: Option<String>,
        /// An operator of this machine.
        #[arg(long, conflicts_with = "reader")]
        operator: bool,
        /// Somebody who reads, and says nothing.
        #[arg(long)]
        reader: bool,
        /// The name to sign in with, where it is not the number or the person.
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Lists accounts: whose each is, what it may, and how it stands.
    List {
        #[command(flatten)]
        at: NodeAt,
    },
    /// Locks an account, and ends its sessions.
    Lock {
        /// The account's name.
        account: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Unlocks an account, and ends its pause after failures.
    Unlock {
        /// The account's name.
        account: String,
        #[command(flatten)]
        at: NodeAt,
    },
    /// Removes an account, and ends its sessions.
    Remove {
        /// The account's name.
        account: String,
        #[command(flatten)]
        at: NodeAt,
    },
}

fn list_text(answer: &Value) -> String {
    let columns = [
        "account",
        "person",
        "may",
        "state",
        "last signed in",
        "sessions",
    ];
    let mut table = print::table(columns);
    for account in answer["accounts"].as_array().into_iter().flatten() {
        let scope = &account["scope"];
        let may = ["is", "officer", "department"].map(|m| member_text(scope, m));
        let may = may.into_iter().filter(|word| !word.is_empty());
        let paused = account["paused_s"].as_u64().unwrap_or(0);
        let state = match paused {
            0 => member_text(account, "state"),
            seconds => format!("{}, paused {seconds} s", member_text(account, "state")),
        };
        table.add_row([
            member_text(account, "account"),
            member_text(account, "person"),
            may.collect::<Vec<_>>().join(" "),
            state,
            account["signed_in_ms"]
                .as_i64()
                .map_or("-".into(), time_text),
            member_text(account, "sessions"),
        ]);
    }

    table.to_string()
}

pub fn run(command: AccountCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        AccountCommand::Invite {
            who,
            department,
            operator,
            reader: _,
            account,
            at,
        } => {
            let (scope, person) = match (department, operator) {
                (Some(department), _) => (
                    json!({"is": "officer", "officer": who, "department": department}),
                    String::new(),
                ),
                (None, true) => (json!({"is": "operator"}), who),
                (None, false) => (json!({"is": "reader"}), who),
            };
            let body = json!({"scope": scope, "person": person, "account": account});
            let client = Client::at(&at)?;
            let value = client.post("/v1/accounts/invitations", &body)?;
            print_answer(json, &value, |v| {
                let path = v["path"].as_str().unwrap_or_default();
                format!(
                    "{}{path}\nIt is shown this once, works once, and ends {}. The account is {}.",
                    client.base(),
                    v["expires_ms"].as_i64().map_or_else(String::new, time_text),
                    member_text(v, "account"),
                )
            });
        }
        AccountCommand::List { at } => {
            let value = Client::at(&at)?.get("/v1/accounts")?;
            print_answer(json, &value, list_text);
        }
        AccountCommand::Lock { account, at } => change_account(&at, &account, "lock", json)?,
        AccountCommand::Unlock { account, at } => change_account(&at, &account, "unlock", json)?,
        AccountCommand::Remove { account, at } => {
            let path = format!("/v1/accounts/{}", percent_encode(&account));
            let value = Client::at(&at)?.delete(&path)?;
            print_answer(json, &value, |_| format!("{account} is removed"));
        }
    }

    Ok(Exit::Done)
}

fn change_account(at: &NodeAt, account: &str, act: &str, json: bool) -> Result<(), Failure> {
    let path = format!("/v1/accounts/{}/{act}", percent_encode(account));
    let value = Client::at(at)?.post(&path, &json!({}))?;
    print_answer(json, &value, |v| {
        format!("{account} is {}", member_text(v, "state"))
    });
    Ok(())
}
