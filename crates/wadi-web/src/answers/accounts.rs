//! Accounts, sessions, and what is noted of those who sign in and look.

use crate::TokenScope;
use serde::Deserialize;
use utoipa::ToSchema;

/// An invitation. The code is shown this once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationAnswer {
    /// The name to sign in with.
    account: String,
    /// The code.
    code: String,
    /// The page of the console where it is taken up.
    path: String,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
}

/// Whose invitation it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitedAnswer {
    /// The name to sign in with.
    account: String,
    /// The person.
    person: String,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
    /// Characters of a password at least.
    characters_min: u64,
}

/// The accounts of this node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountsAnswer {
    /// Each account.
    accounts: Vec<AccountAnswer>,
}

/// An account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountAnswer {
    /// The name to sign in with.
    account: String,
    /// The person.
    person: String,
    /// What they may say.
    scope: TokenScope,
    /// invited, open or locked.
    state: String,
    /// When it was begun, Unix milliseconds.
    created_ms: i64,
    /// When somebody last signed in with it, Unix milliseconds.
    #[schema(required = true)]
    signed_in_ms: Option<i64>,
    /// When its open invitation ends, Unix milliseconds.
    #[schema(required = true)]
    invited_until_ms: Option<i64>,
    /// For how many seconds attempts are refused.
    paused_s: u64,
    /// Sessions that go on.
    sessions: u64,
    /// Passkeys that sign in with it.
    passkeys: u64,
}

/// An account that is gone.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemovedAccountAnswer {
    /// Its name.
    removed: String,
}

/// A session that begins. Its token is shown this once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionAnswer {
    /// The token.
    token: String,
    /// The session's name.
    name: String,
    /// The account.
    account: String,
    /// The person.
    person: String,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
}

/// The sessions of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionsAnswer {
    /// The account.
    account: String,
    /// Those that go on.
    sessions: Vec<SessionLineAnswer>,
}

/// A session.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionLineAnswer {
    /// Its name.
    name: String,
    /// The address that it was begun from.
    from: String,
    /// When it began, Unix milliseconds.
    began_ms: i64,
    /// When it was last used, to the hour, Unix milliseconds.
    #[schema(required = true)]
    last_used_ms: Option<i64>,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
    /// Whether it is the one that asks.
    is_own: bool,
}

/// A session that ended.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndedSessionAnswer {
    /// Its name.
    ended: String,
}

/// A link that signs in once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkAnswer {
    /// The code.
    code: String,
    /// The page of the console.
    path: String,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
}

/// Who signed in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInsAnswer {
    /// Lines, the newest first.
    sign_ins: Vec<SignInLineAnswer>,
    /// Where the next page begins; null after the last.
    #[schema(required = true)]
    before: Option<u64>,
}

/// A line about signing in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInLineAnswer {
    /// Its number.
    n: u64,
    /// The hash of the line before.
    prev: String,
    /// When it was, Unix milliseconds.
    at_ms: i64,
    /// signed_in, failed, refused, signed_out, invited, password_set, passkey_added,
    /// passkey_removed, passkey_copied, locked, unlocked, removed.
    what: String,
    /// The account; empty where there is none of the name that was given.
    account: String,
    /// Who did it.
    by: String,
    /// The address that it came from.
    from: String,
    /// By which means: password, passkey, link, invitation; left out where it is about none.
    means: Option<String>,
    /// What the passkey is called, where it is about one that is known.
    passkey: Option<String>,
}

/// By which means somebody may sign in at this node.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInWaysAnswer {
    /// With an account and its password.
    password: bool,
    /// The host to whose pages browsers give passkeys; null where none are offered.
    #[schema(required = true)]
    passkey_host: Option<String>,
}

/// A challenge for a browser.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChallengeAnswer {
    /// What `PublicKeyCredential.parseCreationOptionsFromJSON`, or of a sign-in
    /// `parseRequestOptionsFromJSON`, takes.
    #[schema(value_type = Object)]
    options: serde_json::Value,
    /// When it ends, Unix milliseconds.
    expires_ms: i64,
}

/// The passkeys of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeysAnswer {
    /// The account.
    account: String,
    /// The host to whose pages browsers give passkeys; null where none are offered.
    #[schema(required = true)]
    passkey_host: Option<String>,
    /// Each passkey.
    passkeys: Vec<PasskeyAnswer>,
}

/// A passkey.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    /// Its id, to remove it by.
    id: String,
    /// What its owner calls it.
    name: String,
    /// When it was added, Unix milliseconds.
    created_ms: i64,
    /// When somebody last signed in with it, Unix milliseconds.
    #[schema(required = true)]
    used_ms: Option<i64>,
    /// Whether its counter went back: it signs nobody in any more.
    copied: bool,
}

/// Looks at personal data.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LooksAnswer {
    /// Lines, the newest first.
    looks: Vec<LookLineAnswer>,
    /// Where the next page begins; null after the last.
    #[schema(required = true)]
    before: Option<u64>,
    /// What reading the chain, or what is newer of it, found, where that was asked for.
    #[schema(required = true)]
    verified: Option<ChainVerdictAnswer>,
    /// The last time that the whole chain was read, or how far that has come.
    reading: ChainReadingAnswer,
}

/// How far reading a whole chain has come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainReadingAnswer {
    /// Lines read.
    read: u64,
    /// Lines that there were when it began; 0 where it never did, or just begins.
    of: u64,
    /// When it ended, Unix milliseconds; null while it is under way, or never was.
    #[schema(required = true)]
    ended_ms: Option<i64>,
    /// Why it could not be read to its end.
    #[schema(required = true)]
    failed: Option<String>,
    /// What it found.
    #[schema(required = true)]
    verdict: Option<ChainVerdictAnswer>,
}

/// A look.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookLineAnswer {
    /// Its number.
    n: u64,
    /// The hash of the line before.
    prev: String,
    /// When it was, Unix milliseconds.
    at_ms: i64,
    /// Who looked.
    who: String,
    /// With which token or session.
    token: String,
    /// The record, or the finding.
    record: String,
    /// person: who a traveller is; lookout: what a lookout seeks.
    what: String,
}

/// Whether a chain is whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChainVerdictAnswer {
    /// Whether every line follows from the one before, and bears out what was told of it.
    whole: bool,
    /// The oldest line that was read for it.
    first: u64,
    /// The newest line.
    last: u64,
    /// The hash of the newest line.
    head: String,
    /// The newest line that does not follow, or is missing.
    #[schema(required = true)]
    broken_at: Option<u64>,
    /// Heads of it that this node's control log tells of, and that it bears out.
    told_heads: u64,
    /// The newest line of which the control log tells another hash, or that is gone.
    #[schema(required = true)]
    contradicts_told: Option<u64>,
}
