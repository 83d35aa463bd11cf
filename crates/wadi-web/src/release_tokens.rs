//! Tokens for releases while dark: the commission, or SEC for its own holds, issues them at a hub
//! before an outage, and a site that is dark by then spends one on a hold that only the hub could
//! let go.

use crate::{
    Problem, Token, TokenScope,
    accounts::check_registered,
    answers::{IssuedReleaseTokenAnswer, ReleaseTokensAnswer},
    bundles::PersonQuery,
    control::registration,
    filters,
    language::language_for,
    problem::unprocessable,
    records::reads_record,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_log::{Body, Crossing, ReleaseToken, Role};
use wadi_node::{Node, Signatory, check_name};
use wadi_record::{Department, HoldType, Kind, is_blank};

/// Hours that a token may hold at most: a month.
const HOURS_MAX: u32 = 31 * 24;

/// Which release is to be allowed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTokenBody {
    /// A type of hold, as SECURITY, or the id of one hold.
    scope: String,
    /// The department whose officers may spend it.
    department: String,
    /// The one officer who may.
    #[serde(default)]
    officer: String,
    /// The crossing where it may be spent; at any, where it is left out.
    #[serde(default)]
    crossing: Option<String>,
    /// Hours from now until it ends, by the hub's time: where a hub signed a later one before, from
    /// that, by which sites judge it.
    hours: u32,
    /// Why.
    reason: String,
}

/// The tokens for releases that this node holds, and what each was spent on. An officer reads those
/// that the own department may spend or issued, one of the commission all; a token that was
/// narrowed those that may be spent at a crossing that it reads, where it reads holds.
#[utoipa::path(
    get,
    path = "/v1/release-tokens",
    tag = "tokens",
    responses(
        (status = 200, description = "tokens for releases", body = ReleaseTokensAnswer),
        (status = 403, description = "holds are not read", body = Problem),
    ),
)]
pub(crate) async fn release_tokens(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.reading(&node)?.check_kind(Kind::QuarantineHold)?;
    let mut shown = Vec::new();
    for mut line in node.reads().release_tokens().await? {
        if is_of_department(&token, &line) && show_line(&node, &token, &mut line).await? {
            shown.push(line);
        }
    }

    Ok(Json(json!({"release_tokens": shown})))
}

/// Whether whoever asks has to do with a token for a release.
fn is_of_department(token: &Token, line: &Value) -> bool {
    let TokenScope::Officer { department, .. } = &token.scope else {
        return true;
    };

    let own = department.as_str();
    let is_own = |member: &str| line[member] == *own;
    own == Department::Hub.code() || is_own("department") || is_own("issued_for")
}

/// Takes out of the line of a token what is not read. Whether the line is read at all: one for a
/// type of hold where holds of it are, and one for a single hold as far as that hold is.
async fn show_line(node: &Arc<Node>, token: &Token, line: &mut Value) -> Result<bool, Problem> {
    if token.reading(node)?.all_records().is_ok() {
        return Ok(true);
    }

    let scope = line["scope"].as_str().unwrap_or_default();
    let is_read = match HoldType::from_name(scope) {
        Some(of) => token.reading(node)?.check_hold_type(of.name()).is_ok(),
        None => reads_record(node, token, scope).await?,
    };
    if !is_read || !token.reading(node)?.shows_place(line) {
        return Ok(false);
    }

    let all = line["spent_on"].as_array().cloned().unwrap_or_default();
    let mut spent = Vec::new();
    for id in &all {
        if reads_spent(node, token, id.as_str().unwrap_or_default()).await? {
            spent.push(id.clone());
        }
    }
    if spent.len() < all.len() {
        line["spent_on"] = spent.into();
        line["withheld"] = json!(["spent_on"]);
    }

    Ok(true)
}

/// Whether a record that a token was spent on is read. Its id begins with its crossing.
async fn reads_spent(node: &Arc<Node>, token: &Token, id: &str) -> Result<bool, Problem> {
    let code = id.split('-').next().unwrap_or_default();
    let narrowed = {
        let reading = token.reading(node)?;
        if reading.check_crossing(code).is_err() {
            return Ok(false);
        }
        reading.hold_types().is_some()
    };

    match narrowed {
        true => reads_record(node, token, id).await,
        false => Ok(true),
    }
}

/// Issues one, at a hub: an entry of its control log, which every site takes in. The hub's operator
/// issues it for the commission, and a registered officer of SEC for holds that SEC lets go.
#[utoipa::path(
    post,
    path = "/v1/release-tokens",
    params(PersonQuery),
    request_body = ReleaseTokenBody,
    tag = "tokens",
    responses(
        (status = 201, description = "the token's id", body = IssuedReleaseTokenAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn issue_release_token(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<PersonQuery>, QueryRejection>,
    headers: HeaderMap,
    body: StrictBody<ReleaseTokenBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Query(query) = query?;
    let (issuer, signatory) = issuer(&node, &token, query.named())?;
    let wanted = body.said;
    let bad = |why: String| unprocessable("bad_value", why);
    check_name("officer", &wanted.officer)?;
    let department: Department = wanted.department.parse()?;
    let crossing = crossing_of(&node, wanted.crossing.as_deref())?;
    check_spender(&node, &wanted.officer, department)?;

    if !(1..=HOURS_MAX).contains(&wanted.hours) {
        return Err(bad(format!("hours: from 1 to {HOURS_MAX}")));
    }
    if is_blank(&wanted.reason) {
        return Err(bad("reason: say why".into()));
    }

    let scope = scope_of(&node, &wanted.scope, issuer).await?;
    let from_s = node.time().release_from_s();
    let expires_s = from_s.saturating_add(i64::from(wanted.hours) * 3_600);
    let issued = Body::ReleaseToken(ReleaseToken {
        crossing,
        department: department.code().into(),
        officer: wanted.officer,
        scope,
        expires_s,
        reason: wanted.reason,
    });

    let written = node.write_control(vec![issued], signatory).await?;
    let id = written.first().map(|entry| entry.leaf.to_string());
    Ok((
        StatusCode::CREATED,
        Json(json!({
            "token": id,
            "expires_s": expires_s,
            "warnings": told_in(&token, &headers, node.time().release_warning()),
        })),
    ))
}

/// What looks wrong about the end of what is issued now, in the language of whoever issues it.
pub(crate) fn end_warnings(node: &Node, token: &Token, headers: &HeaderMap) -> Vec<String> {
    told_in(token, headers, node.time().issue_warning())
}

fn told_in(token: &Token, headers: &HeaderMap, warning: Option<String>) -> Vec<String> {
    let language = language_for(headers, token);
    let warnings = warning.into_iter();
    warnings
        .map(|english| language.warning(&english).unwrap_or(english))
        .collect()
}

/// A crossing that this hub knows: what is signed for another one could never be spent.
fn crossing_of(node: &Node, given: Option<&str>) -> Result<Option<Crossing>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let crossing: Crossing = given
        .parse()
        .map_err(|e| unprocessable("bad_crossing", format!("{e}")))?;

    filters::crossing(node, &crossing.to_string())?;
    Ok(Some(crossing))
}

/// For which department a token is issued, and in whose name: the operator's person for the
/// commission, an officer of SEC for SEC.
fn issuer(
    node: &Node,
    token: &Token,
    named: Option<&str>,
) -> Result<(Department, Signatory), Problem> {
    match &token.scope {
        TokenScope::Officer {
            officer,
            department,
        } if department == Department::Sec.code() && node.door().me().role == Role::Hub => {
            token.check_named(named)?;
            check_registered(node, &token.scope)?;
            let signatory = Signatory {
                department: department.clone(),
                ..Signatory::person(officer.as_str())
            };
            Ok((Department::Sec, signatory))
        }
        _ => {
            token.operator()?;
            Ok((Department::Hub, token.signatory(named)?))
        }
    }
}

/// What a token lets go, as it is signed: a type of hold, or one hold, which whoever issues it may
/// let go. A record that is no hold, or that holds nothing any more, is a slip.
async fn scope_of(node: &Node, scope: &str, issuer: Department) -> Result<String, Problem> {
    let policy = node.policy_in_force().1;
    let may = |hold, by_commission| match policy.may_issue(issuer, hold, by_commission) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_authority",
            format!("{issuer} issues no token for the release of {scope}"),
        )),
    };
    if let Some(hold) = HoldType::from_name(scope) {
        may(Some(hold), false)?;
        return Ok(hold.name().to_string());
    }

    let reads = node.reads();
    let (id, kind) = reads.find_kind(scope).await?;
    let bad = |why: String| unprocessable("bad_value", format!("scope: {scope} {why}"));
    if kind != Kind::QuarantineHold {
        return Err(bad(format!("is a {}, and no hold", kind.name())));
    }

    let record = reads.record(&id).await?;
    let placements = record["placements"].as_array().into_iter().flatten();
    let mut open = placements.filter(|p| p["open"] == true).peekable();
    if open.peek().is_none() {
        return Err(bad("holds nothing back any more".into()));
    }

    for placed in open {
        let hold = placed["type"].as_str().and_then(HoldType::from_name);
        may(hold, placed["department"] == Department::Hub.code())?;
    }

    Ok(id.to_string())
}

/// Refuses an officer who could never spend it: one who is not registered, or not in that
/// department. Where the policy asks for no registration, anybody may be one.
fn check_spender(node: &Node, officer: &str, department: Department) -> Result<(), Problem> {
    if officer.is_empty() || !node.policy_in_force().1.registered_officers {
        return Ok(());
    }

    let bad = |why: String| unprocessable("bad_value", why);
    let known = registration(node, officer).map_err(bad)?;
    if known.revoked {
        return Err(bad(format!("officer: {officer} was revoked")));
    }

    let of = known.department;
    match of == department.code() {
        true => Ok(()),
        false => Err(bad(format!(
            "officer: {officer} is of {of}, not of {department}"
        ))),
    }
}
