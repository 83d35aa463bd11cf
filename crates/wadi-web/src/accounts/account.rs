//! An account: a person who may sign in at this node, as it is kept here and nowhere else.

use super::{passkeys::Passkey, password, pauses};
use crate::{Problem, Token, TokenScope, hash_token, read_grant::ReadGrant};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wadi_node::{KeptToken, Node};

/// How long an invitation holds: a person who is away for a week still finds it.
const INVITATION_MS: i64 = 7 * 86_400_000;
/// How long a link that signs its own bearer in holds.
const LINK_MS: i64 = 10 * 60_000;
/// How long a session lasts at most: a shift.
const SESSION_MS: i64 = 12 * 3_600_000;
/// Sessions of one account at once; the oldest ends for one more.
const SESSIONS_MAX: usize = 10;

/// A code that works once, as it is kept: never the code itself.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct OneTimeCode {
    hash: String,
    expires_ms: i64,
}

impl OneTimeCode {
    /// A fresh code, with its text.
    fn fresh(expires_ms: i64) -> (String, Self) {
        let random: [u8; 20] = rand::random();
        let text: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let hash = hash_token(&text);
        (text, Self { hash, expires_ms })
    }

    fn holds(&self, text: &str, now_ms: i64) -> bool {
        self.hash == hash_token(text) && now_ms < self.expires_ms
    }
}

/// An account as it is kept.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct PersonAccount {
    /// The name to sign in with.
    pub name: String,
    /// What the person may say.
    pub scope: TokenScope,
    /// The person.
    pub person: String,
    /// What they read, where that is narrowed or granted.
    #[serde(default)]
    pub reads: Option<ReadGrant>,
    /// The password, by argon2id; nothing before the invitation was taken up.
    #[serde(default)]
    pub password: Option<String>,
    /// Whether the operator locked it.
    #[serde(default)]
    pub locked: bool,
    /// When it was begun.
    #[serde(default)]
    pub created_ms: i64,
    /// When somebody last signed in with it.
    #[serde(default)]
    pub signed_in_ms: Option<i64>,
    /// The invitation, until it is taken up.
    #[serde(default)]
    pub invitation: Option<OneTimeCode>,
    /// A link that signs in once.
    #[serde(default)]
    pub link: Option<OneTimeCode>,
    /// The language that the person chose, as ar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// By what authenticators know it, base64url; nothing before the first passkey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The passkeys that sign in with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
}

/// What a one-time code is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeUse {
    /// To choose a password.
    Invitation,
    /// To sign in.
    Link,
}

/// A name as accounts are found by: how it is typed does not matter.
pub(crate) fn account_key(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The problem with a code that does not hold, or never did.
pub(crate) fn code_over() -> Problem {
    let why = "the link was used, has expired, or never was: ask for another one";
    Problem::new(StatusCode::FORBIDDEN, "code_over", why)
}

/// So much of people's time from now on, by what the node knows of the time, which may run faster
/// in a demonstration.
pub(crate) fn after_ms(node: &Node, ms: i64) -> i64 {
    node.time()
        .best_ms()
        .saturating_add((ms as f64 * node.pace()) as i64)
}

impl PersonAccount {
    /// Reads an account, as far as there is one.
    pub(crate) fn read(kept: Option<&str>) -> Option<Self> {
        kept.and_then(|text| serde_json::from_str(text).ok())
    }

    /// The account of a name.
    pub(crate) async fn find(node: &Node, name: &str) -> Result<Option<Self>, Problem> {
        let kept = node.accounts().value(&account_key(name)).await?;
        Ok(Self::read(kept.as_deref()))
    }

    /// The account that authenticators know by this handle.
    pub(super) async fn of_handle(node: &Node, handle: &str) -> Result<Option<Self>, Problem> {
        let mut all = Self::all(node).await?.into_iter();
        Ok(all.find(|account| account.handle.as_deref() == Some(handle)))
    }

    /// Ends its passkeys: whoever chooses a password by an invitation may have lost them.
    pub(super) fn end_passkeys(&mut self) {
        self.handle = None;
        self.passkeys.clear();
    }

    /// All accounts.
    pub(crate) async fn all(node: &Node) -> Result<Vec<Self>, Problem> {
        let all = node.accounts().all().await?;
        Ok(all
            .iter()
            .filter_map(|(_, v)| Self::read(Some(v)))
            .collect())
    }

    /// Changes the account of a name; nothing where there is none.
    pub(crate) async fn change_kept<T: Default>(
        node: &Node,
        name: &str,
        change: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, Problem> {
        let key = account_key(name);
        let changed = node
            .accounts()
            .change(&key, |kept| match Self::read(kept.as_deref()) {
                Some(mut account) => {
                    let said = change(&mut account);
                    (serde_json::to_string(&account).ok().or(kept), said)
                }
                None => (kept, T::default()),
            });
        Ok(changed.await?)
    }

    /// The account whose code that is, as long as the code holds.
    pub(crate) async fn of_code(node: &Node, code: &str, to: CodeUse) -> Result<Self, Problem> {
        let now_ms = node.time().best_ms();
        let all = Self::all(node).await?;
        let found = all.into_iter().find(|account| {
            let kept = account.code(to);
            kept.is_some_and(|kept| kept.holds(code, now_ms)) && !account.locked
        });
        found.ok_or_else(code_over)
    }

    fn code(&self, to: CodeUse) -> Option<&OneTimeCode> {
        match to {
            CodeUse::Invitation => self.invitation.as_ref(),
            CodeUse::Link => self.link.as_ref(),
        }
    }

    /// Uses a code up; whether it still held.
    pub(crate) fn use_up(&mut self, code: &str, to: CodeUse, now_ms: i64) -> bool {
        let holds = self.code(to).is_some_and(|kept| kept.holds(code, now_ms));
        if holds {
            match to {
                CodeUse::Invitation => self.invitation = None,
                CodeUse::Link => self.link = None,
            }
        }
        holds
    }

    /// Invites anew: the code's text and when it ends.
    pub(crate) fn invite(&mut self, node: &Node) -> (String, i64) {
        let expires_ms = after_ms(node, INVITATION_MS);
        let (text, code) = OneTimeCode::fresh(expires_ms);
        self.invitation = Some(code);
        (text, expires_ms)
    }

    /// A fresh link that signs in once: the code's text and when it ends.
    pub(crate) fn fresh_link(&mut self, node: &Node) -> (String, i64) {
        let expires_ms = after_ms(node, LINK_MS);
        let (text, code) = OneTimeCode::fresh(expires_ms);
        self.link = Some(code);
        (text, expires_ms)
    }

    /// When the invitation ends, as long as it is open.
    pub(crate) fn invited_until_ms(&self) -> Option<i64> {
        self.invitation.as_ref().map(|code| code.expires_ms)
    }

    /// Refuses a password that is made of the person's names, or is weak.
    pub(crate) fn check_password(&self, word: &str) -> Result<(), Problem> {
        let officer = match &self.scope {
            TokenScope::Officer { officer, .. } => officer.as_str(),
            _ => "",
        };
        password::check_password(word, &[&self.name, &self.person, officer])
    }

    /// Refuses somebody who may not sign in any more.
    pub(crate) fn check_open(&self, node: &Node) -> Result<(), Problem> {
        if self.locked {
            let why = "the account is locked; the operator of this node can unlock it";
            return Err(Problem::new(StatusCode::FORBIDDEN, "account_locked", why));
        }
        check_registered(node, &self.scope)
    }

    /// Begins a session: a token that ends, kept as any other. `passkey` is the id of the one that
    /// begins it.
    pub(crate) async fn begin_session(
        &self,
        node: &Node,
        from: &str,
        passkey: Option<String>,
    ) -> Result<(String, Token), Problem> {
        end_old_sessions(node, &self.name).await?;

        let text = crate::new_token(rand::random());
        let hash = hash_token(&text);
        let short: String = hash.chars().take(8).collect();
        let now_ms = node.time().best_ms();
        let mut session = Token::new(format!("session-{}-{short}", self.name), self.scope.clone());
        session.person = self.person.clone();
        session.reads = self.reads.clone();
        session.language = self.language.clone();
        session.created_ms = now_ms;
        session.expires_ms = Some(after_ms(node, SESSION_MS));
        session.session = Some(SessionOf {
            account: self.name.clone(),
            from: from.into(),
            passkey,
        });

        let scope = serde_json::to_string(&session).unwrap_or_default();
        node.tokens().keep(KeptToken { hash, scope }).await?;
        Self::change_kept(node, &self.name, |account| {
            account.signed_in_ms = Some(now_ms);
        })
        .await?;
        Ok((text, session))
    }

    /// How it stands, for the operator.
    pub(crate) async fn standing(
        &self,
        node: &Node,
        sessions: usize,
    ) -> Result<serde_json::Value, Problem> {
        let paused_s = pauses::pause_s(node, &self.name).await?;
        let state = match (self.locked, &self.password) {
            (true, _) => "locked",
            (false, None) => "invited",
            (false, Some(_)) => "open",
        };
        Ok(json!({
            "account": self.name,
            "person": self.person,
            "scope": self.scope,
            "state": state,
            "created_ms": self.created_ms,
            "signed_in_ms": self.signed_in_ms,
            "invited_until_ms": self.invited_until_ms(),
            "paused_s": paused_s,
            "sessions": sessions,
            "passkeys": self.passkeys.len(),
        }))
    }
}

/// Of which account a token is a session, and where it was begun.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SessionOf {
    /// The account's name.
    pub account: String,
    /// The address that it was begun from.
    pub from: String,
    /// The id of the passkey that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
}

/// Refuses an officer whom no hub names, or whose registration ended.
pub(crate) fn check_registered(node: &Node, scope: &TokenScope) -> Result<(), Problem> {
    let TokenScope::Officer {
        officer,
        department,
    } = scope
    else {
        return Ok(());
    };

    let here = node.door().me().crossing;
    let is_hub = node.door().me().role == wadi_log::Role::Hub;
    let is_named = node.with_control(|control| {
        control.officers().any(|o| {
            let is_here = is_hub || o.crossing.is_none() || o.crossing == here;
            o.officer == *officer && o.department == *department && !o.revoked && is_here
        })
    });
    match is_named {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "officer_not_named",
            format!("no hub names {officer} as an officer of {department} here"),
        )),
    }
}

/// The sessions of an account, by their hashes.
pub(crate) async fn sessions_of(
    node: &Node,
    account: &str,
) -> Result<Vec<(String, Token)>, Problem> {
    let key = account_key(account);
    let sessions = all_sessions(node).await?;
    let is_its = |of: &SessionOf| account_key(&of.account) == key;
    Ok(sessions
        .into_iter()
        .filter(|(_, token)| token.session.as_ref().is_some_and(is_its))
        .collect())
}

/// All sessions, by their hashes.
pub(crate) async fn all_sessions(node: &Node) -> Result<Vec<(String, Token)>, Problem> {
    let all = node.tokens().all().await?;
    let read = all.into_iter().filter_map(|kept| {
        let token: Token = serde_json::from_str(&kept.scope).ok()?;
        token.session.is_some().then_some((kept.hash, token))
    });
    Ok(read.collect())
}

/// Ends the sessions of an account, but for one.
pub(crate) async fn end_sessions(
    node: &Node,
    account: &str,
    but: Option<&str>,
) -> Result<(), Problem> {
    let mut own = sessions_of(node, account).await?;
    own.retain(|(hash, _)| but != Some(hash.as_str()));
    end_sessions_of(node, own).await
}

/// Ends these sessions.
pub(super) async fn end_sessions_of(
    node: &Node,
    sessions: Vec<(String, Token)>,
) -> Result<(), Problem> {
    for (hash, token) in sessions {
        node.tokens().revoke(&hash, &token.name).await?;
    }
    Ok(())
}

/// Clears away sessions that ended by themselves, and the oldest of an account that has too many.
async fn end_old_sessions(node: &Node, account: &str) -> Result<(), Problem> {
    for (hash, token) in all_sessions(node).await? {
        if token.has_expired(node) {
            node.tokens().forget(&hash).await?;
        }
    }

    let mut own = sessions_of(node, account).await?;
    own.sort_by_key(|(_, token)| std::cmp::Reverse(token.created_ms));
    for (hash, token) in own.into_iter().skip(SESSIONS_MAX - 1) {
        node.tokens().revoke(&hash, &token.name).await?;
    }
    Ok(())
}
