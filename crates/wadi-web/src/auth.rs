//! Who is speaking: bearer tokens that carry an officer and a department, a device, or the operator
//! of this machine.

use crate::{
    Problem,
    accounts::{SessionOf, check_registered},
    language::BearersLanguage,
    problem::unprocessable,
    read_grant::ReadGrant,
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::{Node, NodeError, Signatory, check_given_name, check_person};
use wadi_record::Department;

/// How often the use of a token is written down: more often would be a write for each read.
const USE_NOTED_MS: i64 = 3_600_000;
/// A session that was not used for so long has ended. Uses are noted to the hour.
const SESSION_IDLE_MS: i64 = 4 * 3_600_000;

/// A request with this header is a screen's, which asks for itself while nobody may sit before it:
/// it is no use of a session, which ends all the same.
const UNATTENDED: &str = "wadi-unattended";

/// What a token's bearer may say.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TokenScope {
    /// An officer of a department.
    Officer {
        /// The service number.
        officer: String,
        /// The department.
        department: String,
    },
    /// A device, which says readings with its own sequence numbers.
    Device {
        /// The device's name.
        device: String,
        /// The events that it was enrolled for; those that a device may say at all, where they are
        /// left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        events: Option<Vec<String>>,
        /// The fields that it was enrolled for, `N` for any number; those that a device may set at
        /// all, where they are left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fields: Option<Vec<String>>,
    },
    /// The operator of this machine: may name any officer and department, and issue tokens.
    Operator,
    /// May read and nothing else.
    Reader,
}

impl TokenScope {
    /// A device that may say and set what a device may at all.
    pub fn device(name: impl Into<String>) -> Self {
        Self::Device {
            device: name.into(),
            events: None,
            fields: None,
        }
    }
}

/// A token as kept: never the token itself, only its hash.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// The token's name, for people.
    pub name: String,
    /// What its bearer may say.
    pub scope: TokenScope,
    /// The person who bears it; empty where it is a machine's, or the machine's own operator's.
    #[serde(default)]
    pub person: String,
    /// When it was issued, Unix milliseconds by what the node knows of the time; 0 where unknown.
    #[serde(default)]
    pub created_ms: i64,
    /// When it ends, Unix milliseconds by the same; never, where it is left out.
    #[serde(default)]
    pub expires_ms: Option<i64>,
    /// What it reads, where that was narrowed or granted.
    #[serde(default)]
    pub reads: Option<ReadGrant>,
    /// Records in which it was shown who a traveller is.
    #[serde(default)]
    pub persons_read: u64,
    /// Records in which it was shown what a lookout seeks.
    #[serde(default)]
    pub lookouts_read: u64,
    /// When it was last used, to the hour, Unix milliseconds by the same.
    #[serde(default)]
    pub last_used_ms: Option<i64>,
    /// The account whose session it is; none where it was issued as a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionOf>,
    /// The language of its bearer, as ar: they are answered in it where a request asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Under what it is kept, so that those who stay connected can be told that it was revoked.
    #[serde(skip)]
    hash: String,
}

/// The key under which a token is kept: SHA-256 in hexadecimal.
pub fn hash_token(token: &str) -> String {
    hash_bytes(token.as_bytes())
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A token's text out of 32 random bytes.
pub fn new_token(random: [u8; 32]) -> String {
    let hex: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("wadi_{hex}")
}

/// The token that a request bears. The name of the scheme has no case (RFC 9110, 11.1); of two
/// tokens nobody can tell whose request it is.
fn bearer(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let first = given.next().and_then(|header| header.to_str().ok());
    if given.next().is_some() {
        return Err("one Authorization header for a request: there are two");
    }

    first
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or("send Authorization: Bearer TOKEN; `wadi token issue` makes one")
}

/// The problem with somebody who is named under another one's token.
pub(crate) fn other_person(own: &str, named: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "other_person",
        format!("the token is {own}'s, who cannot speak as {named}"),
    )
}

impl FromRequestParts<Arc<Node>> for Token {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let denied = |why: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", why);
        let token = bearer(&parts.headers).map_err(denied)?;

        let hash = hash_token(token);
        let kept = node.tokens().scope_of(&hash).await?;
        let kept = kept.ok_or_else(|| denied("the token is unknown here, or was revoked"))?;
        let mut token: Self =
            serde_json::from_str(&kept).map_err(|_| denied("the token does not read"))?;
        token.hash = hash;

        let now_ms = node.time().best_ms();
        if token.has_expired(node) {
            return Err(token.expired());
        }
        if token.session.is_some() {
            check_registered(node, &token.scope)?;
        }

        if !parts.headers.contains_key(UNATTENDED) {
            token.note_use(node, now_ms);
        }
        if let Some(bearers) = parts.extensions.get::<BearersLanguage>() {
            bearers.tell(&token);
        }

        Ok(token)
    }
}

impl Token {
    /// A token that nobody in person bears, and that does not end.
    pub fn new(name: impl Into<String>, scope: TokenScope) -> Self {
        Self {
            name: name.into(),
            scope,
            person: String::new(),
            created_ms: 0,
            expires_ms: None,
            reads: None,
            persons_read: 0,
            lookouts_read: 0,
            last_used_ms: None,
            session: None,
            language: None,
            hash: String::new(),
        }
    }

    /// Under what it is kept.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether its time is over, or, of a session, whether nobody used it for too long. What was
    /// issued while the clock ran ahead has no end that anybody knows, and is over, too.
    pub(crate) fn has_expired(&self, node: &Node) -> bool {
        let now_ms = node.time().best_ms();
        let used_ms = self.last_used_ms.unwrap_or(0).max(self.created_ms);
        let idle_ms = (SESSION_IDLE_MS as f64 * node.pace()) as i64;
        let is_idle = self.session.is_some() && now_ms.saturating_sub(used_ms) > idle_ms;
        let is_over = |end_ms| end_ms <= now_ms || node.time().was_issued_ahead(self.created_ms);
        is_idle || self.expires_ms.is_some_and(is_over)
    }

    fn expired(&self) -> Problem {
        let (code, why) = match &self.session {
            Some(_) => (
                "session_over",
                "the session has ended; sign in again".into(),
            ),
            None => (
                "token_expired",
                format!(
                    "the token {:?} has expired; have another one issued",
                    self.name
                ),
            ),
        };
        Problem::new(StatusCode::UNAUTHORIZED, code, why)
    }

    /// Whether it still may do anything: it is known, and has not ended.
    pub(crate) async fn still_holds(&self, node: &Node) -> bool {
        !self.has_expired(node) && matches!(node.tokens().scope_of(&self.hash).await, Ok(Some(_)))
    }

    /// The token as it is kept by now; none where it was revoked, or does not read.
    pub(crate) async fn read_anew(&self, node: &Node) -> Result<Option<Self>, NodeError> {
        let kept = node.tokens().scope_of(&self.hash).await?;
        let token = kept.and_then(|kept| serde_json::from_str::<Self>(&kept).ok());
        Ok(token.map(|token| Self {
            hash: self.hash.clone(),
            ..token
        }))
    }

    /// Notes that it was used. Nobody waits for that, and a full disk or a database that is away
    /// takes the note alone.
    fn note_use(&self, node: &Arc<Node>, now_ms: i64) {
        let long_ago = self
            .last_used_ms
            .is_none_or(|last| now_ms.saturating_sub(last) >= USE_NOTED_MS);
        if !node.tokens().note_use(&self.hash, now_ms, USE_NOTED_MS) || !long_ago {
            return;
        }

        let (node, hash) = (node.clone(), self.hash.clone());
        tokio::spawn(async move {
            let note = |token: &mut Self| token.last_used_ms = Some(now_ms);
            if let Err(error) = Self::change_kept(&node, &hash, note).await {
                tracing::debug!(%error, "the use of a token was not noted");
            }
        });
    }

    /// Changes a token as it is kept; one that was revoked meanwhile, or that does not read, stays
    /// as it is.
    pub(crate) async fn change_kept(
        node: &Node,
        hash: &str,
        change: impl FnOnce(&mut Self),
    ) -> Result<(), NodeError> {
        let rewrite = |kept: String| match serde_json::from_str::<Self>(&kept) {
            Ok(mut token) => {
                change(&mut token);
                serde_json::to_string(&token).unwrap_or(kept)
            }
            Err(_) => kept,
        };

        node.tokens().change(hash, rewrite).await
    }

    /// Who speaks, as acts that are signed carry it: the person, else the officer, else the token.
    pub(crate) fn who(&self) -> String {
        match &self.scope {
            _ if !self.person.is_empty() => self.person.clone(),
            TokenScope::Officer { officer, .. } => officer.clone(),
            _ => self.name.clone(),
        }
    }

    /// Refuses a person who is named and is not whose token it is: by the name, or of an officer by
    /// the service number. A token that is nobody's own may name any.
    pub(crate) fn check_named(&self, named: Option<&str>) -> Result<(), Problem> {
        let Some(named) = named.filter(|named| !named.is_empty()) else {
            return Ok(());
        };

        let number = match &self.scope {
            TokenScope::Officer { officer, .. } => officer.as_str(),
            _ if self.person.is_empty() => return Ok(()),
            _ => "",
        };
        match named == self.person || named == number {
            true => Ok(()),
            false => Err(other_person(&self.who(), named)),
        }
    }

    /// In whose name an act is signed: the person's whose token it is, who speaks for nobody else.
    /// A token that is nobody's own, as the machine's, names the person with each act, and what is
    /// signed says that it did.
    pub(crate) fn signatory(&self, named: Option<&str>) -> Result<Signatory, Problem> {
        let named = named.filter(|named| !named.is_empty());
        let own = &self.person;
        match named {
            Some(named) if own.is_empty() => {
                check_given_name("person", named)?;
                check_person(named)?;
                Ok(Signatory {
                    by_token: self.name.clone(),
                    ..Signatory::person(named)
                })
            }
            Some(named) if named != own => Err(other_person(own, named)),
            None if own.is_empty() => Err(unprocessable(
                "person_missing",
                "this token is nobody's own: name the person whose act it is, as `--person \
                 \"Layla Hasan\"` does, of a resync `--by`; or use a token of theirs",
            )),
            _ => Ok(Signatory::person(own.clone())),
        }
    }

    /// The same where nobody has to be named: then the token stands in the person's place.
    pub(crate) fn signatory_if_named(&self, named: Option<&str>) -> Result<Signatory, Problem> {
        let is_named = named.is_some_and(|named| !named.is_empty());
        match is_named || !self.person.is_empty() {
            true => self.signatory(named),
            false => Ok(Signatory {
                by_token: self.name.clone(),
                ..Signatory::person(self.name.clone())
            }),
        }
    }

    /// Refuses devices: what concerns people is none of theirs.
    pub(crate) fn no_device(&self) -> Result<(), Problem> {
        match self.scope {
            TokenScope::Device { .. } => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "not_for_devices",
                "a device's token does not read that",
            )),
            _ => Ok(()),
        }
    }

    /// Refuses all but the auditors of the commission and the operator.
    pub(crate) fn auditor(&self) -> Result<(), Problem> {
        match &self.scope {
            TokenScope::Officer { department, .. } if department == Department::Hub.code() => {
                Ok(())
            }
            _ => self.operator(),
        }
    }

    /// Refuses all but the operator.
    pub(crate) fn operator(&self) -> Result<(), Problem> {
        match self.scope {
            TokenScope::Operator => Ok(()),
            _ => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "operator_only",
                "only the operator of this machine may do that",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_carries_a_person_and_says_by_whose_word() {
        let machines = Token::new("operator", TokenScope::Operator);
        let claimed = machines.signatory(Some("Layla Hasan")).unwrap();
        assert_eq!(claimed.name, "Layla Hasan");
        assert_eq!(claimed.by_token, "operator");
        for nobody in [None, Some("")] {
            let refused = machines.signatory(nobody).unwrap_err();
            assert_eq!(refused.code, "person_missing");
        }
        for wrong in [" ", "Layla ", "\u{AD}", "SYSTEM"] {
            assert_eq!(
                machines.signatory(Some(wrong)).unwrap_err().code,
                "bad_value"
            );
        }
        let unnamed = machines.signatory_if_named(None).unwrap();
        assert_eq!(
            (&*unnamed.name, &*unnamed.by_token),
            ("operator", "operator")
        );

        let mut own = Token::new("layla", TokenScope::Operator);
        own.person = "Layla".into();
        for named in [None, Some("Layla")] {
            assert_eq!(own.signatory(named).unwrap(), Signatory::person("Layla"));
        }
        assert_eq!(
            own.signatory(Some("Omar")).unwrap_err().code,
            "other_person"
        );
    }

    #[test]
    fn a_token_names_nobody_but_whose_it_is_and_a_machines_anybody() {
        let officer = TokenScope::Officer {
            officer: "OF-7".into(),
            department: "SEC".into(),
        };
        let mut own = Token::new("zaid", officer);
        let code = |token: &Token, named| token.check_named(named).err().map(|p| p.code);
        for named in [None, Some(""), Some("OF-7")] {
            assert_eq!(code(&own, named), None, "{named:?}");
        }
        assert_eq!(code(&own, Some("Zaid")).as_deref(), Some("other_person"));

        own.person = "Zaid".into();
        assert_eq!(code(&own, Some("Zaid")), None);
        for other in ["Omar", "zaid", "OF-70"] {
            let refused = code(&own, Some(other));
            assert_eq!(refused.as_deref(), Some("other_person"), "{other}");
        }

        let mut machines = Token::new("operator", TokenScope::Operator);
        assert_eq!(code(&machines, Some("Omar")), None);
        machines.person = "Layla".into();
        assert_eq!(
            code(&machines, Some("Omar")).as_deref(),
            Some("other_person")
        );
    }

    #[test]
    fn a_request_bears_one_token_and_the_scheme_has_no_case() {
        let told = |all: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in all {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(String::from)
        };

        for scheme in ["Bearer wadi_1", "bearer wadi_1", "BEARER  wadi_1"] {
            assert_eq!(told(&[scheme]), Ok("wadi_1".to_string()), "{scheme}");
        }
        for wrong in [
            &["Basic wadi_1"][..],
            &["wadi_1"],
            &[],
            &["Bearer a", "Bearer b"],
        ] {
            assert!(told(wrong).is_err(), "{wrong:?}");
        }
    }
}
