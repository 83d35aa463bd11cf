//! A passkey as an account keeps it, and what its owner's browser answers with.
//!
//! What is kept is a public key. It proves nothing to whoever reads it, and stays in this node's
//! own tables with its account.

use super::super::account::PersonAccount;
use super::origins::PasskeyOrigins;
use crate::{Problem, auth::hash_bytes};
use axum::http::StatusCode;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication64, DiscoverableAuthenticationServerState,
    RegisteredCredential,
    bin::{Decode, Encode},
    request::{
        PublicKeyCredentialDescriptor,
        auth::AuthenticationVerificationOptions,
        register::{UserHandle, UserHandle64},
    },
    response::{
        CredentialId,
        auth::error::AuthCeremonyErr,
        register::{CompressedPubKey, DynamicState, StaticState, error::RegCeremonyErr},
    },
};

/// Bytes of the handle by which an authenticator knows an account.
pub(super) const HANDLE_BYTES: usize = 64;

/// What does not change of a passkey: its public key.
type KeptKey = StaticState<CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>>;

/// A passkey of an account.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Passkey {
    /// What its owner calls it.
    pub name: String,
    /// Under what its authenticator keeps it, base64url.
    credential: String,
    /// Its public key, base64url.
    key: String,
    /// What moves with each use, its counter above all, base64url.
    state: String,
    /// When it was added, this node's clock, Unix milliseconds.
    pub created_ms: i64,
    /// When somebody last signed in with it.
    #[serde(default)]
    pub used_ms: Option<i64>,
    /// Whether its counter went back: there are two of it, and it signs nobody in any more.
    #[serde(default)]
    pub copied: bool,
}

/// What a browser's answer to a sign-in comes to.
#[derive(Debug, Default)]
pub(super) enum SignedAnswer {
    /// It is the account's: the passkey's short id and its name.
    Holds { id: String, name: String },
    /// There are two of this passkey; `newly` where that is known since now.
    Copied {
        id: String,
        name: String,
        newly: bool,
    },
    /// It was signed too late, or for another challenge.
    Late,
    /// It was signed by no passkey of the account.
    #[default]
    NotTheirs,
    /// It was signed for a page elsewhere.
    Elsewhere,
    /// The authenticator did not verify who uses it.
    Unverified,
}

impl SignedAnswer {
    fn of_error(error: &AuthCeremonyErr) -> Self {
        use AuthCeremonyErr as E;
        match error {
            E::Timeout | E::ChallengeMismatch => Self::Late,
            E::OriginMismatch | E::CrossOrigin | E::TopOriginMismatch | E::RpIdHashMismatch => {
                Self::Elsewhere
            }
            E::UserNotVerified => Self::Unverified,
            _ => Self::NotTheirs,
        }
    }

    /// What is told where it lets nobody in; none where it holds.
    pub(super) fn problem(&self) -> Option<Problem> {
        let why = match self {
            Self::Holds { .. } => return None,
            Self::Copied { .. } => return Some(copied()),
            Self::Late => return Some(challenge_over()),
            Self::NotTheirs => "no passkey of an account here signed that",
            Self::Elsewhere => SIGNED_ELSEWHERE,
            Self::Unverified => USER_NOT_VERIFIED,
        };
        Some(Problem::new(
            StatusCode::UNAUTHORIZED,
            "passkey_failed",
            why,
        ))
    }
}

const SIGNED_ELSEWHERE: &str = "it was signed for another page than this console's";
const USER_NOT_VERIFIED: &str =
    "the authenticator did not verify who uses it: a PIN, a finger or a face is asked for";

/// The problem with a passkey of which there are two.
pub(super) fn copied() -> Problem {
    let why = "there are two of this passkey: its counter went back. It signs nobody in any more";
    Problem::new(StatusCode::FORBIDDEN, "passkey_copied", why)
}

/// The problem with a challenge that was answered, has ended, or never was.
pub(super) fn challenge_over() -> Problem {
    let why = "the challenge was answered, has expired, or never was: begin again";
    Problem::new(StatusCode::FORBIDDEN, "passkey_challenge_over", why)
}

/// The problem with a passkey that is not added.
pub(super) fn not_added(error: &RegCeremonyErr) -> Problem {
    use RegCeremonyErr as E;
    let why = match error {
        E::Timeout | E::ChallengeMismatch => return challenge_over(),
        E::OriginMismatch | E::CrossOrigin | E::TopOriginMismatch | E::RpIdHashMismatch => {
            SIGNED_ELSEWHERE.into()
        }
        E::UserNotVerified | E::UserNotPresent => USER_NOT_VERIFIED.into(),
        other => format!("the passkey does not hold: {other}"),
    };
    crate::problem::unprocessable("passkey_failed", why)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// The handle that is kept as text.
pub(super) fn read_handle(kept: &str) -> Option<UserHandle64> {
    let bytes: [u8; HANDLE_BYTES] = decoded(kept)?.try_into().ok()?;
    let Ok(handle) = UserHandle::decode(bytes);
    Some(handle)
}

/// A handle as text.
pub(super) fn handle_text(handle: &UserHandle64) -> String {
    BASE64URL_NOPAD.encode(handle.as_ref())
}

impl Passkey {
    /// One that was just made.
    pub(super) fn of(
        made: &RegisteredCredential<'_, HANDLE_BYTES>,
        name: String,
        now_ms: i64,
    ) -> Self {
        let (Ok(key), Ok(state)) = (made.static_state().encode(), made.dynamic_state().encode());
        Self {
            name,
            credential: BASE64URL_NOPAD.encode(made.id().as_ref()),
            key: BASE64URL_NOPAD.encode(&key),
            state: BASE64URL_NOPAD.encode(&state),
            created_ms: now_ms,
            used_ms: None,
            copied: false,
        }
    }

    /// What it is named by in routes and sessions.
    pub(crate) fn id(&self) -> String {
        hash_bytes(self.credential.as_bytes())
            .chars()
            .take(16)
            .collect()
    }

    /// Whether it is the same passkey.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.credential == other.credential
    }

    /// It, as a browser is told of what there is already.
    pub(super) fn descriptor(&self) -> Option<PublicKeyCredentialDescriptor<Vec<u8>>> {
        let id = CredentialId::<Vec<u8>>::decode(decoded(&self.credential)?).ok()?;
        let transports = webauthn_rp::response::AuthTransports::decode(0).ok()?;
        Some(PublicKeyCredentialDescriptor { id, transports })
    }

    /// How it stands, for its owner.
    pub(super) fn standing(&self) -> Value {
        json!({
            "id": self.id(),
            "name": self.name,
            "created_ms": self.created_ms,
            "used_ms": self.used_ms,
            "copied": self.copied,
        })
    }

    /// Verifies an answer, and takes its counter in. `None` where what is kept does not read.
    fn verify(
        &mut self,
        answer: &DiscoverableAuthentication64,
        handle: &UserHandle64,
        challenge: DiscoverableAuthenticationServerState,
        origins: &PasskeyOrigins,
    ) -> Option<Result<(), AuthCeremonyErr>> {
        let credential = decoded(&self.credential)?;
        let key = KeptKey::decode(&decoded(&self.key)?).ok()?;
        let state = DynamicState::decode(decoded(&self.state)?.try_into().ok()?).ok()?;
        let id = CredentialId::<&[u8]>::decode(credential.as_slice()).ok()?;
        let mut kept = AuthenticatedCredential::new(id, handle, key, state).ok()?;
        let options = AuthenticationVerificationOptions::<String, String> {
            allowed_origins: origins.origins(),
            // Some say of themselves what nobody asked for.
            error_on_unsolicited_extensions: false,
            ..Default::default()
        };

        let verified = challenge.verify(&origins.party(), answer, &mut kept, &options);
        let Ok(after) = kept.dynamic_state().encode();
        self.state = BASE64URL_NOPAD.encode(&after);
        Some(verified.map(drop))
    }
}

impl PersonAccount {
    /// Judges a browser's answer by this account's passkeys, and takes its counter in.
    pub(super) fn judge_answer(
        &mut self,
        answer: &DiscoverableAuthentication64,
        challenge: DiscoverableAuthenticationServerState,
        origins: &PasskeyOrigins,
        now_ms: i64,
    ) -> SignedAnswer {
        let Some(handle) = self.handle.as_deref().and_then(read_handle) else {
            return SignedAnswer::NotTheirs;
        };
        let credential = BASE64URL_NOPAD.encode(answer.raw_id().as_ref());
        let mut own = self.passkeys.iter_mut();
        let Some(passkey) = own.find(|one| one.credential == credential) else {
            return SignedAnswer::NotTheirs;
        };

        let (id, name) = (passkey.id(), passkey.name.clone());
        let was_copied = passkey.copied;
        match passkey.verify(answer, &handle, challenge, origins) {
            Some(Ok(())) if !was_copied => {
                passkey.used_ms = Some(now_ms);
                SignedAnswer::Holds { id, name }
            }
            Some(Ok(()) | Err(AuthCeremonyErr::SignatureCounter)) => {
                passkey.copied = true;
                let newly = !was_copied;
                SignedAnswer::Copied { id, name, newly }
            }
            Some(Err(error)) => SignedAnswer::of_error(&error),
            None => SignedAnswer::NotTheirs,
        }
    }
}
