//! Tokens, and devices' counters: who may use the API here, issued and revoked by the operator.

use crate::{
    Problem, Token, TokenScope,
    accounts::sessions::known_tag,
    answers::{
        DeviceAnewAnswer, IssuedTokenAnswer, RevokedTokenAnswer, TokenReadsAnswer, TokensAnswer,
    },
    hash_token, new_token,
    problem::unprocessable,
    read_grant::ReadGrant,
    release_tokens::end_warnings,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_node::{KeptToken, Node, check_given_name, check_name, check_person};
use wadi_record::{Department, FIELDS, event_type, hint, nearest};

/// Days that a token may last at most: ten years.
const DAYS_MAX: u32 = 3_650;

/// The tokens known here, without the tokens themselves.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "tokens",
    responses((status = 200, description = "tokens", body = TokensAnswer)),
)]
pub(crate) async fn tokens(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    Ok(Json(json!({"tokens": kept_tokens(&node).await?})))
}

/// How often each token was shown who a traveller is, and what a lookout seeks: for the auditors of
/// the commission and the operator. Each record counts as often as it was shown.
#[utoipa::path(
    get,
    path = "/v1/reads",
    tag = "tokens",
    responses(
        (status = 200, description = "reads by token", body = TokenReadsAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn reads(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.auditor()?;
    token.reading(&node)?.all_records()?;

    let mut lines = Vec::new();
    for kept in node.tokens().all().await? {
        let Ok(read) = serde_json::from_str::<Token>(&kept.scope) else {
            continue;
        };
        let waiting = node.tokens().reads_waiting(&kept.hash);
        lines.push(json!({
            "token": read.name,
            "person": read.person,
            "scope": read.scope,
            "persons": read.persons_read.saturating_add(waiting.persons),
            "lookouts": read.lookouts_read.saturating_add(waiting.lookouts),
            "last_used_ms": read.last_used_ms,
        }));
    }

    Ok(Json(json!({"reads": lines})))
}

/// Which token is to be issued.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// The token's name, for people.
    name: String,
    /// What its bearer may say.
    scope: TokenScope,
    /// The person who bears it.
    #[serde(default)]
    person: String,
    /// What it reads, where that is narrowed, or granted to a token that only reads.
    #[serde(default)]
    reads: Option<ReadGrant>,
    /// Days until it ends; it does not, where they are left out.
    #[serde(default)]
    days: Option<u32>,
    /// The language of its bearer, ar or en: answers are in it where a request asks for none.
    #[serde(default)]
    language: Option<String>,
}

impl TokenBody {
    /// Refuses a token that nobody may have, or that says less than it has to.
    fn check(&self) -> Result<(), Problem> {
        check_name("name", &self.name)?;
        match &self.scope {
            TokenScope::Officer {
                officer,
                department,
                ..
            } => {
                check_given_name("officer", officer)?;
                check_person(officer)?;
                department.parse::<Department>()?;
            }
            TokenScope::Device {
                device,
                events,
                fields,
            } => {
                check_given_name("device", device)?;
                check_device_lists(events.as_deref(), fields.as_deref())?;
            }
            TokenScope::Operator | TokenScope::Reader => {}
        }

        check_name("person", &self.person)?;
        self.language.as_deref().map(known_tag).transpose()?;
        if self.scope == TokenScope::Operator && self.person.is_empty() {
            return Err(unprocessable(
                "person_missing",
                "an operator's token names its person: what is said with it at a hub carries that \
                 name",
            ));
        }

        if self
            .days
            .is_some_and(|days| !(1..=DAYS_MAX).contains(&days))
        {
            let why = format!("days: from 1 to {DAYS_MAX}");
            return Err(unprocessable("bad_value", why));
        }

        Ok(())
    }
}

/// Issues a token; it is shown this once.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    request_body = TokenBody,
    tag = "tokens",
    responses(
        (status = 201, description = "the token", body = IssuedTokenAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn issue_token(
    State(node): State<Arc<Node>>,
    token: Token,
    headers: HeaderMap,
    body: StrictBody<TokenBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let wanted = body.said;
    wanted.check()?;

    let now_ms = node.time().best_ms();
    let mut issued = Token::new(wanted.name, wanted.scope);
    issued.person = wanted.person;
    issued.reads = wanted.reads.map(|reads| reads.checked(&node)).transpose()?;
    issued.language = wanted.language;
    issued.created_ms = now_ms;
    issued.expires_ms = wanted
        .days
        .map(|days| now_ms.saturating_add(i64::from(days) * 86_400_000));

    let all = kept_tokens(&node).await?;
    if issued.name.is_empty() || all.iter().any(|t| t.name == issued.name) {
        let why = format!(
            "a token needs a name of its own; {:?} is taken or empty",
            issued.name
        );
        return Err(Problem::new(StatusCode::CONFLICT, "token_name", why));
    }

    check_one_person(&issued, &all)?;
    let text = new_token(rand::random());
    node.tokens()
        .keep(KeptToken {
            hash: hash_token(&text),
            scope: serde_json::to_string(&issued).unwrap_or_default(),
        })
        .await?;

    Ok((
        StatusCode::CREATED,
        Json(json!({
            "token": text,
            "name": issued.name,
            "person": issued.person,
            "expires_ms": issued.expires_ms,
            "warnings": match issued.expires_ms {
                Some(_) => end_warnings(&node, &token, &headers),
                None => Vec::new(),
            },
        })),
    ))
}

/// Refuses to enrol a device for what no device may, or for what there is not.
fn check_device_lists(events: Option<&[String]>, fields: Option<&[String]>) -> Result<(), Problem> {
    let is_event = |name: &&String| event_type(name).is_some_and(|t| t.by_device);
    let is_field = |name: &&String| FIELDS.iter().any(|f| f.name == **name && f.by_device());

    let wrong_event = events.into_iter().flatten().find(|name| !is_event(name));
    let wrong_field = fields.into_iter().flatten().find(|name| !is_field(name));
    match wrong_event.or(wrong_field) {
        Some(name) => Err(unprocessable(
            "bad_value",
            format!("{name}: no device may say or set that; docs/authority.md lists what one may"),
        )),
        None => Ok(()),
    }
}

/// What a device may say by the token that it was issued here; what any device may, where it has
/// none.
pub(crate) async fn scope_of_device(node: &Node, device: &str) -> Result<TokenScope, Problem> {
    let is_its =
        |scope: &TokenScope| matches!(scope, TokenScope::Device { device: d, .. } if d == device);
    let all = kept_tokens(node).await?;
    let own = all.into_iter().map(|t| t.scope).find(is_its);
    Ok(own.unwrap_or_else(|| TokenScope::device(device)))
}

async fn kept_tokens(node: &Node) -> Result<Vec<Token>, Problem> {
    let all = node.tokens().all().await?;
    let read = all
        .iter()
        .filter_map(|t| serde_json::from_str(&t.scope).ok());
    Ok(read.collect())
}

/// Refuses a second service number for one person, and a second person for one number: who
/// proposes and who decides would be told apart by tokens that one person bears.
fn check_one_person(issued: &Token, all: &[Token]) -> Result<(), Problem> {
    let officer_of = |token: &Token| match &token.scope {
        TokenScope::Officer { officer, .. } => Some(officer.clone()),
        _ => None,
    };
    let Some(officer) = officer_of(issued) else {
        return Ok(());
    };

    for other in all.iter().filter(|t| !t.person.is_empty()) {
        let Some(number) = officer_of(other) else {
            continue;
        };
        if (number == officer) != (other.person == issued.person) && !issued.person.is_empty() {
            let why = format!(
                "the token {:?} is of {} as {number}: a person has one service number, and a \
                 number is one person's; revoke that one first",
                other.name, other.person
            );
            return Err(Problem::new(StatusCode::CONFLICT, "other_person", why));
        }
    }

    Ok(())
}

/// The device whose counter is to begin anew.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnewBody {
    /// Its name.
    device: String,
}

/// Lets a device's counter begin anew: numbers that it gives from now on were never given before.
#[utoipa::path(
    post,
    path = "/v1/devices/anew",
    request_body = AnewBody,
    tag = "tokens",
    responses(
        (status = 200, description = "how often that was done", body = DeviceAnewAnswer),
        (status = 403, body = Problem),
        (status = 422, description = "no device of that name gave a number here", body = Problem),
    ),
)]
pub(crate) async fn device_anew(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<AnewBody>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let device = body.said.device;
    check_name("device", &device)?;
    if device.is_empty() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_value",
            "device: is empty",
        ));
    }

    // A slip of the pen would leave the counter that is meant as it is.
    let numbered = node.numbered_devices().await?;
    if !numbered.contains(&device) {
        let near = hint(&nearest(&device, numbered.iter().map(String::as_str)));
        let why = format!("device: {device:?} gave no number here{near}");
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_value",
            why,
        ));
    }

    let runs = node.begin_anew(&device).await?;
    Ok(Json(json!({"device": device, "begun_anew": runs})))
}

/// Revokes a token by its name.
#[utoipa::path(
    delete,
    path = "/v1/tokens/{name}",
    params(("name" = String, Path, description = "the token's name")),
    tag = "tokens",
    responses(
        (status = 200, description = "revoked", body = RevokedTokenAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn revoke_token(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let all = node.tokens().all().await?;

    let named =
        |t: &&KeptToken| serde_json::from_str::<Token>(&t.scope).is_ok_and(|t| t.name == name);
    let Some(found) = all.iter().find(named) else {
        return Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_such_token",
            format!("no token {name:?}"),
        ));
    };

    if token.name == name {
        let why = format!(
            "{name:?} is the token that asks: revoked by itself it would leave nobody to issue \
             another; revoke it with another operator's"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "own_token", why));
    }

    node.tokens().revoke(&found.hash, &name).await?;
    Ok(Json(json!({"revoked": name})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(scope: Value) -> Result<(), Problem> {
        let body = json!({"name": "t", "scope": scope});
        serde_json::from_value::<TokenBody>(body).unwrap().check()
    }

    #[test]
    fn nobody_bears_a_token_without_a_name_that_is_seen() {
        let officer =
            |name: &str| checked(json!({"is": "officer", "officer": name, "department": "CUS"}));
        let device = |name: &str| checked(json!({"is": "device", "device": name}));
        officer("CU-1").unwrap();
        device("ANPR-1").unwrap();

        for name in ["", " ", "\u{3164}", "CU-\u{AD}1", "CU-1\u{FE0F}"] {
            for told in [officer(name), device(name)] {
                assert_eq!(told.unwrap_err().code, "bad_value", "{name:?}");
            }
        }
    }
}
