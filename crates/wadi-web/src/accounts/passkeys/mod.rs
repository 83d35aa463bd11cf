//! Passkeys (W3C Web Authentication): a person signs in with a key that their machine or a stick
//! keeps, and opens with a PIN, a finger or a face. No other host is needed for it, so it works at
//! a crossing that nobody reaches.
//!
//! They are offered where the configuration names the console's origins, and nowhere else.

mod challenges;
mod kept;
mod origins;
pub(crate) mod routes;

pub(crate) use kept::Passkey;
pub use origins::PasskeyOrigins;

use super::{
    account::{PersonAccount, account_key, after_ms, end_sessions_of, sessions_of},
    note_means, pauses,
};
use crate::{Problem, problem::unprocessable};
use axum::http::StatusCode;
use challenges::Challenges;
use kept::{SignedAnswer, challenge_over};
use serde_json::{Value, json};
use wadi_node::Node;
use webauthn_rp::{
    DiscoverableAuthentication64, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, RegistrationServerState,
};

/// How long a challenge waits for its answer: somebody looks for their stick.
const CHALLENGE_MS: i64 = 5 * 60_000;
/// Passkeys of an account at most.
const PASSKEYS_MAX: usize = 10;
/// What the alarm about them is called.
const ALARM: &str = "passkey";

/// What this node gives passkeys, and what it waits for: in memory, for a restart asks anew.
#[derive(Debug, Default)]
pub(crate) struct PasskeyDesk {
    origins: Option<PasskeyOrigins>,
    sign_ins: Challenges<DiscoverableAuthenticationServerState>,
    additions: Challenges<RegistrationServerState<{ kept::HANDLE_BYTES }>>,
}

impl PasskeyDesk {
    pub(crate) fn new(origins: Option<PasskeyOrigins>) -> Self {
        Self {
            origins,
            ..Self::default()
        }
    }

    fn offered(&self) -> Result<&PasskeyOrigins, Problem> {
        self.origins.as_ref().ok_or_else(|| {
            let why = "this node offers no passkeys: its operator names the console's origins in \
                       http_passkeys";
            Problem::new(StatusCode::NOT_FOUND, "passkeys_not_offered", why)
        })
    }
}

/// The node's time now, and that at which a challenge ends.
fn challenge_times(node: &Node) -> (i64, i64) {
    (node.time().best_ms(), after_ms(node, CHALLENGE_MS))
}

fn unread(error: impl std::fmt::Display) -> Problem {
    let why = format!("the browser's answer does not read: {error}");
    unprocessable("passkey_unread", why)
}

/// A challenge to sign in, as a browser takes it.
fn challenge_to_sign_in(node: &Node, desk: &PasskeyDesk, from: &str) -> Result<Value, Problem> {
    let party = desk.offered()?.party();
    let begun = DiscoverableCredentialRequestOptions::passkey(&party).start_ceremony();
    let (state, client) = begun.map_err(unread)?;
    let challenge = client.options().0.challenge.as_data();
    let options = serde_json::to_value(&client).map_err(unread)?;

    let times = challenge_times(node);
    desk.sign_ins.give(challenge, from, times, state);
    Ok(json!({"options": options, "expires_ms": times.1}))
}

/// The account that a browser's answer is of, with what it was signed in by.
///
/// Failures count as those with a password do, by account and by address; each is noted, whatever
/// it was.
pub(super) async fn account_of_answer(
    node: &Node,
    desk: &PasskeyDesk,
    answer: &Value,
    from: &str,
) -> Result<(PersonAccount, String, String), Problem> {
    let origins = desk.offered()?;
    let answer = serde_json::to_vec(answer).map_err(unread)?;
    let answer = DiscoverableAuthentication64::from_json_relaxed(&answer).map_err(unread)?;
    let challenge = answer.challenge_relaxed().map_err(unread)?;

    let handle = kept::handle_text(answer.response().user_handle());
    let account = PersonAccount::of_handle(node, &handle).await?;
    let counted = match &account {
        Some(account) => account_key(&account.name),
        None => format!("passkey of {from}"),
    };
    let attempt = pauses::begin_attempt(node, &counted, from).await?;

    let now_ms = node.time().best_ms();
    let given = desk.sign_ins.take(challenge.0, now_ms);
    let judged = match (&account, given) {
        (Some(account), Some((_, given))) => {
            PersonAccount::change_kept(node, &account.name, |account| {
                account.judge_answer(&answer, given, origins, now_ms)
            })
            .await?
        }
        (_, None) => SignedAnswer::Late,
        (None, _) => SignedAnswer::NotTheirs,
    };

    let who = account.as_ref().map(|account| account.name.clone());
    let who = who.unwrap_or_default();
    match (judged, account) {
        (SignedAnswer::Holds { id, name }, Some(account)) => {
            attempt.succeeded(node).await?;
            Ok((account, id, name))
        }
        (SignedAnswer::Copied { id, name, newly }, Some(account)) => {
            let which = which_passkey(&name);
            note_means(node, "passkey_copied", &who, "", from, which).await;
            if newly {
                end_sessions_by(node, &account.name, &id, None).await?;
                tell_copied_passkeys(node).await;
            }
            Err(kept::copied())
        }
        (judged, _) => {
            note_means(node, "failed", &who, "", from, passkey_means("")).await;
            Err(judged.problem().unwrap_or_else(challenge_over))
        }
    }
}

/// By which means, as a line of the audit has it.
pub(super) fn passkey_means(name: &str) -> Value {
    match name {
        "" => json!({"means": "passkey"}),
        name => json!({"means": "passkey", "passkey": name}),
    }
}

/// Which passkey a line of the audit is about.
fn which_passkey(name: &str) -> Value {
    json!({"passkey": name})
}

/// Ends the sessions that a passkey began, but for one.
async fn end_sessions_by(
    node: &Node,
    account: &str,
    id: &str,
    but: Option<&str>,
) -> Result<(), Problem> {
    let mut begun = sessions_of(node, account).await?;
    begun.retain(|(hash, token)| {
        let by = token.session.as_ref().and_then(|of| of.passkey.as_deref());
        by == Some(id) && but != Some(hash.as_str())
    });
    end_sessions_of(node, begun).await
}

/// Raises the alarm about passkeys of which there are two, or ends it. It names no person: alarms
/// are entries.
pub async fn tell_copied_passkeys(node: &Node) {
    let Ok(all) = PersonAccount::all(node).await else {
        return;
    };
    let copied = all.iter().flat_map(|account| &account.passkeys);
    let copied = copied.filter(|passkey| passkey.copied).count();
    let text = format!(
        "{copied} passkey(s) of accounts of this node were copied: a counter went back. Each signs \
         nobody in any more; GET /v1/sign-ins names whose, who removes it and adds another one"
    );
    node.door().set_alarm(ALARM, (copied > 0).then_some(text));
}
