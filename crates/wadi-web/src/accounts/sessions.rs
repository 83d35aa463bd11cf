//! Sessions: a person signs in with a password, with a passkey, or once by a link, and is given a
//! token that ends.

use super::{
    CallerAddress,
    account::{CodeUse, PersonAccount, account_key, code_over, end_sessions, sessions_of},
    note_means, note_sign_in,
    passkeys::{PasskeyDesk, account_of_answer, passkey_means},
    password, pauses, tell_copied_passkeys,
};
use crate::{
    Problem, Token,
    answers::{EndedSessionAnswer, InvitedAnswer, LinkAnswer, SessionAnswer, SessionsAnswer},
    problem::unprocessable,
    strict::StrictBody,
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::Node;
use wadi_words::Language;

/// Who signs in: by account and password, by a passkey, or by the code of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    /// The account's name.
    #[serde(default)]
    account: String,
    /// The password.
    #[serde(default)]
    password: String,
    /// The code of a link, in place of both.
    #[serde(default)]
    code: Option<String>,
    /// A browser's answer to `POST /v1/sessions/challenge`, as `PublicKeyCredential.toJSON()` has
    /// it, in place of both.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    passkey: Option<Value>,
}

/// Begins a session.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    request_body = SignInBody,
    tag = "sign-in",
    responses(
        (status = 201, description = "the session", body = SessionAnswer),
        (status = 401, body = Problem),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn sign_in(
    State(node): State<Arc<Node>>,
    Extension(desk): Extension<Arc<PasskeyDesk>>,
    CallerAddress(from): CallerAddress,
    body: StrictBody<SignInBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let said = body.said;
    if let Some(code) = said.code {
        return sign_in_by_link(&node, &code, &from).await;
    }
    if let Some(answer) = said.passkey {
        return sign_in_by_passkey(&node, &desk, &answer, &from).await;
    }

    let attempt = pauses::begin_attempt(&node, &account_key(&said.account), &from).await?;
    let account = PersonAccount::find(&node, &said.account).await?;
    let kept = account
        .as_ref()
        .and_then(|account| account.password.clone());
    let is_right = password::is_password(&said.password, kept).await?;
    let Some(account) = account.filter(|_| is_right) else {
        let known = PersonAccount::find(&node, &said.account).await?;
        let name = known.map(|account| account.name).unwrap_or_default();
        note_means(&node, "failed", &name, "", &from, by_means("password")).await;
        let why = "there is no such account, or the password is another one";
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "sign_in_failed",
            why,
        ));
    };

    attempt.succeeded(&node).await?;
    begin_if_open(&node, &account, &from, None, by_means("password")).await
}

/// By which means, as a line of the audit has it.
fn by_means(means: &str) -> Value {
    json!({"means": means})
}

async fn begin_if_open(
    node: &Node,
    account: &PersonAccount,
    from: &str,
    passkey: Option<String>,
    means: Value,
) -> Result<(StatusCode, Json<Value>), Problem> {
    if let Err(problem) = account.check_open(node) {
        note_means(node, "refused", &account.name, &account.person, from, means).await;
        return Err(problem);
    }
    begin(node, account, from, passkey, means).await
}

async fn begin(
    node: &Node,
    account: &PersonAccount,
    from: &str,
    passkey: Option<String>,
    means: Value,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (text, session) = account.begin_session(node, from, passkey).await?;
    note_means(
        node,
        "signed_in",
        &account.name,
        &account.person,
        from,
        means,
    )
    .await;
    let told = json!({
        "token": text,
        "name": session.name,
        "account": account.name,
        "person": account.person,
        "expires_ms": session.expires_ms,
    });
    Ok((StatusCode::CREATED, Json(told)))
}

async fn sign_in_by_link(
    node: &Node,
    code: &str,
    from: &str,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let account = take_code(node, code, CodeUse::Link, from, |_| ()).await?;
    account.check_open(node)?;
    begin(node, &account, from, None, by_means("link")).await
}

async fn sign_in_by_passkey(
    node: &Node,
    desk: &PasskeyDesk,
    answer: &Value,
    from: &str,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (account, id, name) = account_of_answer(node, desk, answer, from).await?;
    begin_if_open(node, &account, from, Some(id), passkey_means(&name)).await
}

/// Uses a code up, with what is changed by that. Codes that never were count as guesses.
async fn take_code(
    node: &Node,
    code: &str,
    to: CodeUse,
    from: &str,
    also: impl FnOnce(&mut PersonAccount),
) -> Result<PersonAccount, Problem> {
    let attempt = pauses::begin_attempt(node, &format!("code of {from}"), from).await?;
    let found = PersonAccount::of_code(node, code, to).await?;
    let now_ms = node.time().best_ms();
    let taken = PersonAccount::change_kept(node, &found.name, |account| {
        let holds = account.use_up(code, to, now_ms);
        if holds {
            also(account);
        }
        holds
    });
    if !taken.await? {
        return Err(code_over());
    }

    attempt.succeeded(node).await?;
    PersonAccount::find(node, &found.name)
        .await?
        .ok_or_else(code_over)
}

/// The code of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodeBody {
    /// The code.
    code: String,
}

/// Whose invitation it is. It is not used up by that.
#[utoipa::path(
    post,
    path = "/v1/invitations/show",
    request_body = CodeBody,
    tag = "sign-in",
    responses(
        (status = 200, description = "whose it is", body = InvitedAnswer),
        (status = 403, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn show_invitation(
    State(node): State<Arc<Node>>,
    CallerAddress(from): CallerAddress,
    body: StrictBody<CodeBody>,
) -> Result<Json<Value>, Problem> {
    let attempt = pauses::begin_attempt(&node, &format!("code of {from}"), &from).await?;
    let account = PersonAccount::of_code(&node, &body.said.code, CodeUse::Invitation).await?;
    attempt.succeeded(&node).await?;
    Ok(Json(json!({
        "account": account.name,
        "person": account.person,
        "expires_ms": account.invited_until_ms(),
        "characters_min": password::CHARS_MIN,
    })))
}

/// A password that is chosen by invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptBody {
    /// The invitation's code.
    code: String,
    /// The password.
    password: String,
}

/// Takes an invitation up: the person chooses a password, and is signed in. The account's sessions
/// and passkeys end. A password that is refused leaves the invitation as it is.
#[utoipa::path(
    post,
    path = "/v1/invitations/accept",
    request_body = AcceptBody,
    tag = "sign-in",
    responses(
        (status = 201, description = "the session", body = SessionAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn accept_invitation(
    State(node): State<Arc<Node>>,
    CallerAddress(from): CallerAddress,
    body: StrictBody<AcceptBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let said = body.said;
    let attempt = pauses::begin_attempt(&node, &format!("code of {from}"), &from).await?;
    let invited = PersonAccount::of_code(&node, &said.code, CodeUse::Invitation).await?;
    attempt.succeeded(&node).await?;
    invited.check_open(&node)?;
    invited.check_password(&said.password)?;

    let hashed = password::hash_password(&said.password).await?;
    let set = |account: &mut PersonAccount| {
        account.password = Some(hashed);
        account.end_passkeys();
    };
    let account = take_code(&node, &said.code, CodeUse::Invitation, &from, set).await?;
    end_sessions(&node, &account.name, None).await?;
    tell_copied_passkeys(&node).await;
    note_sign_in(&node, "password_set", &account.name, &account.person, &from).await;
    begin(&node, &account, &from, None, by_means("invitation")).await
}

/// The account whose session the token is.
pub(super) async fn own_account(node: &Node, token: &Token) -> Result<PersonAccount, Problem> {
    let found = match &token.session {
        Some(of) => PersonAccount::find(node, &of.account).await?,
        None => None,
    };
    found.ok_or_else(|| {
        let why = "the token is no session of an account";
        Problem::new(StatusCode::FORBIDDEN, "no_account", why)
    })
}

/// The sessions of the one who asks.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    tag = "accounts",
    responses(
        (status = 200, description = "sessions", body = SessionsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn sessions(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    let account = own_account(&node, &token).await?;
    let mut told = Vec::new();
    for (_, session) in sessions_of(&node, &account.name).await? {
        if session.has_expired(&node) {
            continue;
        }
        told.push(json!({
            "name": session.name,
            "from": session.session.as_ref().map(|of| of.from.clone()),
            "began_ms": session.created_ms,
            "last_used_ms": session.last_used_ms,
            "expires_ms": session.expires_ms,
            "is_own": session.name == token.name,
        }));
    }

    Ok(Json(json!({"account": account.name, "sessions": told})))
}

/// Ends a session: `own` is the one that asks.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{name}",
    params(("name" = String, Path, description = "the session's name, or `own`")),
    tag = "accounts",
    responses(
        (status = 200, description = "ended", body = EndedSessionAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn end_session(
    State(node): State<Arc<Node>>,
    token: Token,
    CallerAddress(from): CallerAddress,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let account = own_account(&node, &token).await?;
    let name = match name.as_str() {
        "own" => token.name.clone(),
        _ => name,
    };
    let own = sessions_of(&node, &account.name).await?;
    let Some((hash, _)) = own.iter().find(|(_, session)| session.name == name) else {
        let why = format!("no session {name:?} of yours");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_session", why));
    };

    node.tokens().revoke(hash, &name).await?;
    note_sign_in(&node, "signed_out", &account.name, &token.who(), &from).await;
    Ok(Json(json!({"ended": name})))
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The password that there is.
    old: String,
    /// The one that is to be.
    new: String,
}

/// Changes the password of the one who asks, and ends their other sessions.
#[utoipa::path(
    post,
    path = "/v1/password",
    request_body = PasswordBody,
    tag = "accounts",
    responses(
        (status = 200, description = "changed", body = SessionsAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn change_password(
    State(node): State<Arc<Node>>,
    token: Token,
    CallerAddress(from): CallerAddress,
    body: StrictBody<PasswordBody>,
) -> Result<Json<Value>, Problem> {
    let said = body.said;
    let account = own_account(&node, &token).await?;
    account.check_password(&said.new)?;
    let attempt = pauses::begin_attempt(&node, &account_key(&account.name), &from).await?;
    if !password::is_password(&said.old, account.password.clone()).await? {
        note_sign_in(&node, "failed", &account.name, &token.who(), &from).await;
        return Err(unprocessable(
            "old_password",
            "the old password is another one",
        ));
    }

    attempt.succeeded(&node).await?;
    let hashed = password::hash_password(&said.new).await?;
    PersonAccount::change_kept(&node, &account.name, |account| {
        account.password = Some(hashed);
        account.link = None;
    })
    .await?;
    end_sessions(&node, &account.name, Some(token.hash())).await?;
    note_sign_in(&node, "password_set", &account.name, &token.who(), &from).await;
    sessions(State(node), token).await
}

/// Which language somebody reads.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LanguageBody {
    /// Its tag: ar or en.
    language: String,
}

/// Keeps the language of the one who asks with their account: their sessions are answered in it,
/// on whatever machine, where a request asks for none.
#[utoipa::path(
    post,
    path = "/v1/language",
    request_body = LanguageBody,
    tag = "accounts",
    responses(
        (status = 200, description = "kept", body = SessionsAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn choose_language(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<LanguageBody>,
) -> Result<Json<Value>, Problem> {
    let tag = known_tag(&body.said.language)?;
    let account = own_account(&node, &token).await?;
    PersonAccount::change_kept(&node, &account.name, |account| {
        account.language = Some(tag.clone());
    })
    .await?;

    for (hash, _) in sessions_of(&node, &account.name).await? {
        let tag = tag.clone();
        Token::change_kept(&node, &hash, |session| session.language = Some(tag)).await?;
    }
    sessions(State(node), token).await
}

/// The tag of a language that the catalogue has.
pub(crate) fn known_tag(tag: &str) -> Result<String, Problem> {
    let known = Language::ALL.into_iter().find(|known| known.tag() == tag);
    known.map(|known| known.tag().to_string()).ok_or_else(|| {
        let tags = Language::ALL.map(Language::tag).join(", ");
        unprocessable("bad_value", format!("language: one of {tags}"))
    })
}

/// A link that signs the one who asks in once more, as on another machine. It holds for minutes.
#[utoipa::path(
    post,
    path = "/v1/sessions/link",
    tag = "accounts",
    responses(
        (status = 201, description = "the link", body = LinkAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn own_link(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let account = own_account(&node, &token).await?;
    let (code, expires_ms) =
        PersonAccount::change_kept(&node, &account.name, |account| account.fresh_link(&node))
            .await?;
    let path = format!("/console/link?code={code}");
    let told = json!({"code": code, "path": path, "expires_ms": expires_ms});
    Ok((StatusCode::CREATED, Json(told)))
}
