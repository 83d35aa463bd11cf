//! Accounts: begun by the operator's invitation, kept at this node alone, so that they work while
//! all else is dark.

mod account;
pub(crate) mod passkeys;
mod password;
mod pauses;
pub(crate) mod sessions;

pub use account::SessionOf;
pub(crate) use account::{PersonAccount, check_registered};
pub use passkeys::{PasskeyOrigins, tell_copied_passkeys};
pub(crate) use pauses::CallerAddress;

use crate::{
    Problem, Token, TokenScope,
    answers::{AccountAnswer, AccountsAnswer, InvitationAnswer, SignInsAnswer},
    pages,
    problem::unprocessable,
    read_grant::ReadGrant,
    strict::StrictBody,
};
use account::{account_key, all_sessions, end_sessions};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use wadi_node::{Node, check_given_name, check_name};
use wadi_record::Department;

/// Characters of an account's name at most: it stands in the names of its sessions.
const NAME_CHARS_MAX: usize = 48;
/// Accounts of a node at most.
const ACCOUNTS_MAX: usize = 2_000;

/// Notes a line about signing in. A name that no account has may be a password typed into the wrong
/// field: it is not kept.
async fn note_sign_in(node: &Node, what: &str, account: &str, by: &str, from: &str) {
    note_means(node, what, account, by, from, json!({})).await;
}

/// The same with the means by which it was: members of the line.
async fn note_means(node: &Node, what: &str, account: &str, by: &str, from: &str, means: Value) {
    let mut line = json!({
        "at_ms": node.now_ms(),
        "what": what,
        "account": account,
        "by": by,
        "from": from,
    });
    for (name, value) in means.as_object().into_iter().flatten() {
        line[name] = value.clone();
    }
    if let Err(error) = node.sign_ins().append(vec![line]).await {
        tracing::warn!(%error, what, account, "the audit of sign-ins was not written");
    }
}

/// Who is invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationBody {
    /// What the person may say: an officer whom the hub names, an operator, or a reader.
    scope: TokenScope,
    /// The name to sign in with; the service number or the person, where it is left out.
    #[serde(default)]
    account: Option<String>,
    /// The person; needed for all but officers, whom the hub's entries name.
    #[serde(default)]
    person: String,
    /// What they read, where that is narrowed, or granted to one who only reads.
    #[serde(default)]
    reads: Option<ReadGrant>,
}

/// Begins an account by inviting its person, or invites them anew: the password that there is ends
/// once another one is chosen. The code is shown this once.
#[utoipa::path(
    post,
    path = "/v1/accounts/invitations",
    request_body = InvitationBody,
    tag = "accounts",
    responses(
        (status = 201, description = "the invitation", body = InvitationAnswer),
        (status = 403, body = Problem),
        (status = 409, body = Problem),
    ),
)]
pub(crate) async fn invite(
    State(node): State<Arc<Node>>,
    token: Token,
    CallerAddress(from): CallerAddress,
    body: StrictBody<InvitationBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let mut said = body.said;
    check_name("person", &said.person)?;
    let usual = match &said.scope {
        TokenScope::Officer {
            officer,
            department,
        } => {
            check_given_name("officer", officer)?;
            department.parse::<Department>()?;
            check_registered(&node, &said.scope)?;
            officer.clone()
        }
        TokenScope::Device { .. } => {
            let why = "a device has a token, and signs in nowhere";
            return Err(unprocessable("bad_value", why));
        }
        TokenScope::Operator | TokenScope::Reader => said.person.clone(),
    };
    if said.person.is_empty() {
        said.person = person_of(&node, &said.scope);
    }
    if said.person.is_empty() {
        let why = "an account is of a person: name whose it is";
        return Err(unprocessable("person_missing", why));
    }
    let reads = said.reads.take().map(|reads| reads.checked(&node));
    said.reads = reads.transpose()?;

    let name = said.account.take().unwrap_or(usual).trim().to_string();
    check_name("account", &name)?;
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let why = format!("account: from 1 to {NAME_CHARS_MAX} characters");
        return Err(unprocessable("bad_value", why));
    }

    let (code, expires_ms) = keep_invited(&node, &name, said).await?;
    note_sign_in(&node, "invited", &name, &token.who(), &from).await;
    let path = format!("/console/invitation?code={code}");
    let told = json!({"account": name, "code": code, "path": path, "expires_ms": expires_ms});
    Ok((StatusCode::CREATED, Json(told)))
}

/// The person of an officer: as the hub's entries name them, else the service number.
fn person_of(node: &Node, scope: &TokenScope) -> String {
    let TokenScope::Officer { officer, .. } = scope else {
        return String::new();
    };
    let named = node.with_control(|control| {
        let mut all = control.officers().filter(|o| o.officer == *officer);
        all.find(|o| !o.name.is_empty()).map(|o| o.name.clone())
    });
    named.unwrap_or_else(|| officer.clone())
}

/// Keeps the account with its invitation. One that there is keeps what it may: for anything else it
/// is removed first.
async fn keep_invited(
    node: &Node,
    name: &str,
    said: InvitationBody,
) -> Result<(String, i64), Problem> {
    if node.accounts().count().await? >= ACCOUNTS_MAX {
        return Err(unprocessable(
            "too_many",
            "this node has as many accounts as it may",
        ));
    }

    let created_ms = node.time().best_ms();
    let key = account_key(name);
    let kept = node.accounts().change(&key, |kept| {
        let there = PersonAccount::read(kept.as_deref());
        let is_other = |there: &PersonAccount| {
            there.scope != said.scope || there.person != said.person || there.locked
        };
        if there.as_ref().is_some_and(is_other) {
            return (kept, None);
        }

        let mut account = there.unwrap_or_else(|| PersonAccount {
            name: name.into(),
            scope: said.scope,
            person: said.person,
            reads: said.reads,
            password: None,
            locked: false,
            created_ms,
            signed_in_ms: None,
            invitation: None,
            link: None,
            language: None,
            handle: None,
            passkeys: Vec::new(),
        });
        let code = account.invite(node);
        (serde_json::to_string(&account).ok(), Some(code))
    });
    kept.await?.ok_or_else(|| {
        let why =
            format!("the account {name:?} is another person's, may something else, or is locked");
        Problem::new(StatusCode::CONFLICT, "account_taken", why)
    })
}

/// The accounts of this node.
#[utoipa::path(
    get,
    path = "/v1/accounts",
    tag = "accounts",
    responses(
        (status = 200, description = "accounts", body = AccountsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn accounts(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let sessions = all_sessions(&node).await?;
    let mut told = Vec::new();
    for account in PersonAccount::all(&node).await? {
        let is_open = |(_, s): &&(String, Token)| {
            !s.has_expired(&node)
                && s.session
                    .as_ref()
                    .is_some_and(|of| of.account == account.name)
        };
        let open = sessions.iter().filter(is_open).count();
        told.push(account.standing(&node, open).await?);
    }

    Ok(Json(json!({"accounts": told})))
}

/// Locks an account and ends its sessions, or unlocks it and ends its pause.
#[utoipa::path(
    post,
    path = "/v1/accounts/{account}/{act}",
    params(
        ("account" = String, Path, description = "the account's name"),
        ("act" = String, Path, description = "lock or unlock"),
    ),
    tag = "accounts",
    responses(
        (status = 200, description = "how it stands", body = AccountAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn act(
    State(node): State<Arc<Node>>,
    token: Token,
    CallerAddress(from): CallerAddress,
    Path((name, act)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let account = known(&node, &name).await?;
    let locks = match act.as_str() {
        "lock" => true,
        "unlock" => false,
        other => {
            let why = format!("{other:?} is none of lock, unlock");
            return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_value", why));
        }
    };

    if locks {
        not_own(&token, &account.name)?;
    }
    PersonAccount::change_kept(&node, &name, |account| account.locked = locks).await?;
    if locks {
        end_sessions(&node, &account.name, None).await?;
    } else {
        pauses::end_pause(&node, &account_key(&account.name)).await?;
    }

    let what = if locks { "locked" } else { "unlocked" };
    note_sign_in(&node, what, &account.name, &token.who(), &from).await;
    let account = known(&node, &name).await?;
    let open = account::sessions_of(&node, &account.name).await?.len();
    Ok(Json(account.standing(&node, open).await?))
}

/// Removes an account and ends its sessions.
#[utoipa::path(
    delete,
    path = "/v1/accounts/{account}",
    params(("account" = String, Path, description = "the account's name")),
    tag = "accounts",
    responses(
        (status = 200, description = "removed", body = crate::answers::RemovedAccountAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn remove(
    State(node): State<Arc<Node>>,
    token: Token,
    CallerAddress(from): CallerAddress,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let account = known(&node, &name).await?;
    not_own(&token, &account.name)?;
    node.accounts()
        .change(&account_key(&name), |_| (None, ()))
        .await?;
    end_sessions(&node, &account.name, None).await?;
    tell_copied_passkeys(&node).await;
    note_sign_in(&node, "removed", &account.name, &token.who(), &from).await;
    Ok(Json(json!({"removed": account.name})))
}

async fn known(node: &Node, name: &str) -> Result<PersonAccount, Problem> {
    let found = PersonAccount::find(node, name).await?;
    found.ok_or_else(|| {
        let why = format!("no account {name:?} here");
        Problem::new(StatusCode::NOT_FOUND, "no_such_account", why)
    })
}

/// Refuses an operator to lock themselves out.
fn not_own(token: &Token, account: &str) -> Result<(), Problem> {
    match &token.session {
        Some(of) if of.account == account => {
            let why = "it is your own account: another operator does that";
            Err(Problem::new(StatusCode::CONFLICT, "own_account", why))
        }
        _ => Ok(()),
    }
}

/// Which lines of a chain.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SignInsQuery {
    /// Lines before this number.
    #[param(minimum = 0)]
    before: Option<i64>,
    /// Lines at most, 500 at most; 100, where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// A page of a chain: before which line, and how many of them.
pub(crate) fn chain_page(
    before: Option<i64>,
    limit: Option<u32>,
) -> Result<(Option<u64>, u32), Problem> {
    let number = |before: i64| {
        u64::try_from(before).map_err(|_| unprocessable("bad_value", "before: a number from 0 on"))
    };
    let before = before.map(number).transpose()?;
    Ok((before, pages::rows(limit)?))
}

/// Who signed in, failed to, signed out, was invited, locked, unlocked: the newest first. For the
/// auditors of the commission and the operator.
#[utoipa::path(
    get,
    path = "/v1/sign-ins",
    params(SignInsQuery),
    tag = "accounts",
    responses(
        (status = 200, description = "lines", body = SignInsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn sign_ins(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<SignInsQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.auditor()?;
    token.reading(&node)?.all_records()?;
    let Query(query) = query?;
    let (before, limit) = chain_page(query.before, query.limit)?;
    let lines = node.sign_ins().page(before, limit).await?;
    let next = lines.last().filter(|line| line.n > 1).map(|line| line.n);
    let told: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str(&line.text).ok())
        .collect();
    Ok(Json(json!({"sign_ins": told, "before": next})))
}
