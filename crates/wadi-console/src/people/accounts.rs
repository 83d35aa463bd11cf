//! Accounts, for the operator: who is invited, locked, unlocked, removed.

use crate::{
    Console,
    answer::{page_with, see_other, status_beside},
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    values::query_escaped,
    visitor::Visitor,
};
use askama::Template;
use axum::{Form, extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "people/accounts.html")]
struct AccountsPage {
    f: PageFrame,
    accounts: Vec<AccountLine>,
    officers: Vec<OfficerSaid>,
    invited: Option<Invited>,
    refused: Option<Refused>,
}

/// Asks once more before an account is removed.
#[derive(Template)]
#[template(path = "people/account_ask.html")]
struct AccountAskPage {
    f: PageFrame,
    account: String,
    what: String,
}

#[derive(Deserialize)]
struct AccountsSaid {
    accounts: Vec<AccountSaid>,
}

#[derive(Deserialize)]
struct AccountSaid {
    account: String,
    person: String,
    scope: Value,
    state: String,
    #[serde(default)]
    signed_in_ms: Option<i64>,
    paused_s: u64,
    sessions: u64,
}

struct AccountLine {
    said: AccountSaid,
    is: String,
    department: String,
    signed_in: Option<Moment>,
}

impl AccountLine {
    /// For how many seconds attempts are refused.
    fn paused_s(&self) -> u64 {
        self.said.paused_s
    }
}

#[derive(Deserialize)]
struct OfficersSaid {
    officers: Vec<OfficerSaid>,
}

#[derive(Deserialize)]
struct OfficerSaid {
    officer: String,
    department: String,
    name: String,
    revoked: bool,
}

/// An invitation, shown once.
#[derive(Deserialize)]
struct Invited {
    account: String,
    path: String,
}

impl AccountLine {
    fn of(said: AccountSaid) -> Self {
        let text = |member: &str| said.scope[member].as_str().unwrap_or_default().to_string();
        Self {
            is: text("is"),
            department: text("department"),
            signed_in: said.signed_in_ms.map(Moment::of_ms),
            said,
        }
    }
}

async fn accounts_page(
    console: &Console,
    visitor: &Visitor,
    invited: Option<Invited>,
    refused: Option<Refused>,
) -> Response {
    let asked = console
        .api
        .get::<AccountsSaid>(&visitor.asker, "/v1/accounts")
        .await;
    let accounts = match asked {
        Ok(said) => said.accounts,
        Err(refused) => return refused.page(visitor),
    };
    let asked = console
        .api
        .get::<OfficersSaid>(&visitor.asker, "/v1/officers")
        .await;
    let mut officers = asked.map_or_else(|_| Vec::new(), |said| said.officers);
    officers.retain(|officer| !officer.revoked);

    let status = status_beside(refused.as_ref());
    let title = visitor.language().sentence("accounts-title", []);
    page_with(
        status,
        &AccountsPage {
            f: visitor.frame(&title, "people"),
            accounts: accounts.into_iter().map(AccountLine::of).collect(),
            officers,
            invited,
            refused,
        },
    )
}

/// The accounts of this node.
pub(crate) async fn show(State(console): State<Console>, visitor: Visitor) -> Response {
    accounts_page(&console, &visitor, None, None).await
}

/// Who is invited.
#[derive(Deserialize)]
pub(crate) struct InviteForm {
    is: String,
    #[serde(default)]
    officer: String,
    #[serde(default)]
    person: String,
}

/// Invites somebody. The link is shown on the page that answers, this once.
pub(crate) async fn invite(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<InviteForm>,
) -> Response {
    let scope = match form.is.as_str() {
        "officer" => {
            let (officer, department) = form.officer.split_once('/').unwrap_or_default();
            json!({"is": "officer", "officer": officer, "department": department})
        }
        is => json!({"is": is}),
    };
    let person = match form.is.as_str() {
        "officer" => "",
        _ => form.person.trim(),
    };
    let body = json!({"scope": scope, "person": person});
    let said = console
        .api
        .post::<Invited>(&visitor.asker, "/v1/accounts/invitations", &body, None)
        .await;
    match said {
        Ok(invited) => accounts_page(&console, &visitor, Some(invited), None).await,
        Err(refused) => accounts_page(&console, &visitor, None, Some(refused)).await,
    }
}

/// What becomes of an account.
#[derive(Deserialize)]
pub(crate) struct AccountForm {
    account: String,
    act: String,
}

/// Locks, unlocks or removes an account; a removal is asked for once more.
pub(crate) async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<AccountForm>,
) -> Response {
    if form.act == "ask-remove" {
        let title = visitor.language().sentence("accounts-remove-title", []);
        let f = visitor.frame(&title, "people");
        let what = f.say_of("accounts-removed-ends", &form.account);
        let account = form.account;
        return page_with(StatusCode::OK, &AccountAskPage { f, account, what });
    }

    let path = format!("/v1/accounts/{}", query_escaped(&form.account));
    let done = match form.act.as_str() {
        "remove" => console.api.delete(&visitor.asker, &path).await.map(drop),
        act => {
            let path = format!("{path}/{}", query_escaped(act));
            let said = console
                .api
                .post::<Value>(&visitor.asker, &path, &json!({}), None)
                .await;
            said.map(drop)
        }
    };
    match done {
        Ok(()) => see_other("/console/people/accounts"),
        Err(refused) => accounts_page(&console, &visitor, None, Some(refused)).await,
    }
}
