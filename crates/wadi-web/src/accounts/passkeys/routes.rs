//! Adding, listing and removing one's passkeys, and challenges to sign in.

use super::{
    super::{
        CallerAddress,
        account::{PersonAccount, account_key},
        note_means, note_sign_in, password, pauses,
        sessions::own_account,
    },
    PASSKEYS_MAX, Passkey, PasskeyDesk, challenge_times, challenge_to_sign_in, end_sessions_by,
    kept, tell_copied_passkeys, unread, which_passkey,
};
use crate::{
    Problem, Token,
    answers::{ChallengeAnswer, PasskeysAnswer, SignInWaysAnswer},
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
use wadi_node::{Node, check_name};
use webauthn_rp::{
    PublicKeyCredentialCreationOptions, Registration,
    request::{
        ExtensionInfo,
        register::{
            CredProtect, PublicKeyCredentialUserEntity, RegistrationVerificationOptions,
            UserHandle64,
        },
    },
};

/// Characters of a passkey's name at most.
const NAME_CHARS_MAX: usize = 48;

type Desk = Extension<Arc<PasskeyDesk>>;

/// By which means somebody may sign in here.
#[utoipa::path(
    get,
    path = "/v1/sessions/ways",
    tag = "sign-in",
    responses((status = 200, description = "the ways", body = SignInWaysAnswer)),
)]
pub(crate) async fn sign_in_ways(Extension(desk): Desk) -> Json<Value> {
    let host = desk.origins.as_ref().map(|origins| origins.host());
    Json(json!({"password": true, "passkey_host": host}))
}

/// A challenge to sign in with a passkey: what a browser is given
/// (`navigator.credentials.get`), whose answer is `passkey` of `POST /v1/sessions`. It is answered
/// once, and for minutes.
#[utoipa::path(
    post,
    path = "/v1/sessions/challenge",
    tag = "sign-in",
    responses(
        (status = 201, description = "the challenge", body = ChallengeAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn sign_in_challenge(
    State(node): State<Arc<Node>>,
    Extension(desk): Desk,
    CallerAddress(from): CallerAddress,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let challenge = challenge_to_sign_in(&node, &desk, &from)?;
    Ok((StatusCode::CREATED, Json(challenge)))
}

fn told(desk: &PasskeyDesk, account: &PersonAccount) -> Json<Value> {
    let host = desk.origins.as_ref().map(|origins| origins.host());
    let all: Vec<Value> = account.passkeys.iter().map(Passkey::standing).collect();
    Json(json!({"account": account.name, "passkey_host": host, "passkeys": all}))
}

/// The passkeys of the one who asks.
#[utoipa::path(
    get,
    path = "/v1/passkeys",
    tag = "accounts",
    responses(
        (status = 200, description = "passkeys", body = PasskeysAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn passkeys(
    State(node): State<Arc<Node>>,
    Extension(desk): Desk,
    token: Token,
) -> Result<Json<Value>, Problem> {
    let account = own_account(&node, &token).await?;
    Ok(told(&desk, &account))
}

/// The password of the one who adds a passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyChallengeBody {
    /// The account's password: a session that somebody found open adds nothing that outlives it.
    password: String,
}

/// A challenge to add a passkey: what a browser is given (`navigator.credentials.create`), whose
/// answer is `credential` of `POST /v1/passkeys`. It is answered once, for minutes, and by this
/// session alone.
#[utoipa::path(
    post,
    path = "/v1/passkeys/challenge",
    request_body = PasskeyChallengeBody,
    tag = "accounts",
    responses(
        (status = 201, description = "the challenge", body = ChallengeAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 422, body = Problem),
        (status = 429, body = Problem),
    ),
)]
pub(crate) async fn passkey_challenge(
    State(node): State<Arc<Node>>,
    Extension(desk): Desk,
    token: Token,
    CallerAddress(from): CallerAddress,
    body: StrictBody<PasskeyChallengeBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let origins = desk.offered()?;
    let account = own_account(&node, &token).await?;
    check_room(&account)?;

    let attempt = pauses::begin_attempt(&node, &account_key(&account.name), &from).await?;
    if !password::is_password(&body.said.password, account.password.clone()).await? {
        note_sign_in(&node, "failed", &account.name, &token.who(), &from).await;
        return Err(unprocessable(
            "wrong_password",
            "the password is another one",
        ));
    }
    attempt.succeeded(&node).await?;

    let fresh = kept::handle_text(&UserHandle64::new());
    let handle = PersonAccount::change_kept(&node, &account.name, |account| {
        account.handle.get_or_insert(fresh).clone()
    });
    let handle = handle.await?;
    let handle = kept::read_handle(&handle).ok_or_else(|| unread("the account's handle"))?;

    let party = origins.party();
    let there = account.passkeys.iter().filter_map(Passkey::descriptor);
    let user = PublicKeyCredentialUserEntity::from(&handle);
    let mut wanted = PublicKeyCredentialCreationOptions::passkey(&party, user, there.collect());
    // Many authenticators know nothing of it, and verify their user all the same.
    wanted.extensions.cred_protect =
        CredProtect::UserVerificationRequired(ExtensionInfo::AllowDontEnforceValue);
    let (state, client) = wanted.start_ceremony().map_err(unread)?;
    let challenge = client.options().challenge.as_data();
    let mut options = serde_json::to_value(&client).map_err(unread)?;
    // What the authenticator shows whoever chooses among several.
    options["rp"]["name"] = json!(format!("wadi {}", node.door().me().name));
    options["user"]["name"] = json!(account.name);
    options["user"]["displayName"] = json!(account.person);

    let times = challenge_times(&node);
    desk.additions.give(challenge, token.hash(), times, state);
    let told = json!({"options": options, "expires_ms": times.1});
    Ok((StatusCode::CREATED, Json(told)))
}

fn check_room(account: &PersonAccount) -> Result<(), Problem> {
    match account.passkeys.len() < PASSKEYS_MAX {
        true => Ok(()),
        false => Err(unprocessable(
            "too_many_passkeys",
            format!("an account has {PASSKEYS_MAX} passkeys at most; remove one"),
        )),
    }
}

/// A passkey that a browser made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasskeyBody {
    /// What it is called.
    name: String,
    /// The browser's answer, as `PublicKeyCredential.toJSON()` has it.
    #[schema(value_type = Object)]
    credential: Value,
}

/// Adds a passkey to the account of the one who asks.
#[utoipa::path(
    post,
    path = "/v1/passkeys",
    request_body = PasskeyBody,
    tag = "accounts",
    responses(
        (status = 201, description = "passkeys", body = PasskeysAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn add_passkey(
    State(node): State<Arc<Node>>,
    Extension(desk): Desk,
    token: Token,
    CallerAddress(from): CallerAddress,
    body: StrictBody<PasskeyBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let origins = desk.offered()?;
    let account = own_account(&node, &token).await?;
    let name = body.said.name.trim().to_string();
    check_name("name", &name)?;
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let why = format!("name: from 1 to {NAME_CHARS_MAX} characters");
        return Err(unprocessable("bad_value", why));
    }

    let answer = serde_json::to_vec(&body.said.credential).map_err(unread)?;
    let answer = Registration::from_json_relaxed(&answer).map_err(unread)?;
    let challenge = answer.challenge_relaxed().map_err(unread)?;
    let given = desk.additions.take(challenge.0, node.time().best_ms());
    let given = given.filter(|(to, _)| to == token.hash());
    let (_, given) = given.ok_or_else(kept::challenge_over)?;
    let options = RegistrationVerificationOptions::<String, String> {
        allowed_origins: origins.origins(),
        // Some say of themselves what nobody asked for.
        error_on_unsolicited_extensions: false,
        ..Default::default()
    };
    let made = given.verify(&origins.party(), &answer, &options);
    let made = made.map_err(|error| kept::not_added(&error))?;

    let handle = kept::handle_text(made.user_id());
    let passkey = Passkey::of(&made, name, node.time().best_ms());
    let account = keep_passkey(&node, &account, &handle, passkey.clone()).await?;
    let which = which_passkey(&passkey.name);
    note_means(
        &node,
        "passkey_added",
        &account.name,
        &token.who(),
        &from,
        which,
    )
    .await;
    Ok((StatusCode::CREATED, told(&desk, &account)))
}

/// Keeps a passkey with its account, where that is still the one that the challenge was given to.
async fn keep_passkey(
    node: &Node,
    account: &PersonAccount,
    handle: &str,
    passkey: Passkey,
) -> Result<PersonAccount, Problem> {
    let all = PersonAccount::all(node).await?;
    let mut known = all.iter().flat_map(|account| &account.passkeys);
    if known.any(|other| other.is_same(&passkey)) {
        let why = "the passkey is there already";
        return Err(Problem::new(StatusCode::CONFLICT, "passkey_known", why));
    }

    let kept = PersonAccount::change_kept(node, &account.name, |account| {
        let is_its = account.handle.as_deref() == Some(handle);
        if is_its && check_room(account).is_ok() {
            account.passkeys.push(passkey);
            return Some(account.clone());
        }
        None
    });
    kept.await?.ok_or_else(kept::challenge_over)
}

/// Removes a passkey of the one who asks, and ends the sessions that it began.
#[utoipa::path(
    delete,
    path = "/v1/passkeys/{id}",
    params(("id" = String, Path, description = "the passkey's id")),
    tag = "accounts",
    responses(
        (status = 200, description = "passkeys", body = PasskeysAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn remove_passkey(
    State(node): State<Arc<Node>>,
    Extension(desk): Desk,
    token: Token,
    CallerAddress(from): CallerAddress,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let account = own_account(&node, &token).await?;
    let removed = PersonAccount::change_kept(&node, &account.name, |account| {
        let at = account.passkeys.iter().position(|one| one.id() == id)?;
        Some((account.passkeys.remove(at), account.clone()))
    });
    let Some((passkey, account)) = removed.await? else {
        let why = format!("no passkey {id:?} of yours");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_passkey", why));
    };

    end_sessions_by(&node, &account.name, &id, Some(token.hash())).await?;
    let which = which_passkey(&passkey.name);
    note_means(
        &node,
        "passkey_removed",
        &account.name,
        &token.who(),
        &from,
        which,
    )
    .await;
    tell_copied_passkeys(&node).await;
    Ok(told(&desk, &account))
}
