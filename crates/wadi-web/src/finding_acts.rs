//! What auditors do with findings: assigning, proposing, deciding, undoing.

use crate::{
    Problem, Token, TokenScope,
    answers::{AssignedAnswer, FindingActAnswer},
    auth::other_person,
    problem::unprocessable,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use wadi_log::{LogError, Reference, SshSignature};
use wadi_node::{ActSignature, Disposition, FindingAct, Node};
use wadi_record::DECISION_NAMESPACE;

/// Findings that one request may assign.
const BULK_MAX: usize = 500;

/// What an auditor does with a finding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "act", deny_unknown_fields)]
pub enum ActBody {
    /// Somebody is to look into it.
    Assign {
        /// Who: a service number.
        to: String,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
    /// How it should be settled, on the evidence as it stands.
    Propose {
        /// Waive it, and do not resolve it.
        #[serde(default)]
        waive: bool,
        /// Why.
        reason: String,
        /// The finding's `version` as it was looked at: where somebody acted since, nothing is
        /// done.
        #[serde(default)]
        version: Option<String>,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
    /// Another auditor's word on the proposal.
    Decide {
        /// Whether it is approved.
        approve: bool,
        /// What the finding was: an approval names it.
        #[serde(default)]
        disposition: Option<DispositionBody>,
        /// The other finding, of a duplicate alone.
        #[serde(default)]
        duplicate_of: Option<String>,
        /// Why.
        #[serde(default)]
        reason: String,
        /// The finding's `version` as it was looked at: where somebody acted since, nothing is
        /// done.
        #[serde(default)]
        version: Option<String>,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
        /// The auditor's own signature over the decision.
        #[serde(default)]
        signature: Option<SignatureBody>,
    },
    /// An earlier act never was.
    Undo {
        /// The event; the last decision or proposal where none is given.
        #[serde(default)]
        event: Option<String>,
        /// Why.
        reason: String,
        /// The finding's `version` as it was looked at: where somebody acted since, nothing is
        /// done.
        #[serde(default)]
        version: Option<String>,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
}

/// An auditor's own signature over an act, as `/v1/findings/{id}/statement` gives it to be signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureBody {
    /// The entries that the act is based on.
    based_on: Vec<String>,
    /// When it was signed, Unix milliseconds, as the statement says it.
    signed_at_ms: i64,
    /// The signature, as `ssh-keygen -Y sign` writes it, or its base64 alone.
    signature: String,
}

/// What a finding was.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DispositionBody {
    /// What it says happened, and should not have.
    True,
    /// What it says happened, for a good reason.
    Explained,
    /// What it says did not happen.
    FalseAlarm,
    /// Another finding says the same.
    Duplicate,
}

impl From<DispositionBody> for Disposition {
    fn from(said: DispositionBody) -> Self {
        match said {
            DispositionBody::True => Self::True,
            DispositionBody::Explained => Self::Explained,
            DispositionBody::FalseAlarm => Self::FalseAlarm,
            DispositionBody::Duplicate => Self::Duplicate,
        }
    }
}

/// The act that a body says.
pub(crate) struct SaidFindingAct {
    pub(crate) act: FindingAct,
    /// In whose name.
    pub(crate) officer: Option<String>,
    /// On what version of the finding.
    pub(crate) version: Option<String>,
    /// The auditor's own signature.
    pub(crate) signature: Option<ActSignature>,
}

fn signature_of(body: SignatureBody) -> Result<ActSignature, Problem> {
    let bad = |e: LogError| unprocessable("decision_signature", e.to_string());
    let parse = |e: &String| {
        e.parse::<Reference>()
            .map_err(|why| unprocessable("bad_reference", why.to_string()))
    };

    Ok(ActSignature {
        based_on: body.based_on.iter().map(parse).collect::<Result<_, _>>()?,
        signed_at_ms: body.signed_at_ms,
        signature: SshSignature::read(&body.signature, DECISION_NAMESPACE).map_err(bad)?,
    })
}

pub(crate) fn said_act(mut body: ActBody) -> Result<SaidFindingAct, Problem> {
    let signature = match &mut body {
        ActBody::Decide { signature, .. } => signature.take().map(signature_of).transpose()?,
        _ => None,
    };
    let (act, officer, version) = act_of(body);
    Ok(SaidFindingAct {
        act,
        officer,
        version,
        signature,
    })
}

/// The act that a body says, in whose name, and on what version of the finding.
fn act_of(body: ActBody) -> (FindingAct, Option<String>, Option<String>) {
    match body {
        ActBody::Assign { to, officer } => (FindingAct::Assign { to }, officer, None),
        ActBody::Propose {
            waive,
            reason,
            version,
            officer,
        } => (FindingAct::Propose { waive, reason }, officer, version),
        ActBody::Decide {
            approve,
            disposition,
            duplicate_of,
            reason,
            version,
            officer,
            signature: _,
        } => {
            let act = FindingAct::Decide {
                approve,
                reason,
                disposition: disposition.map(Disposition::from),
                duplicate_of,
            };
            (act, officer, version)
        }
        ActBody::Undo {
            event,
            reason,
            version,
            officer,
        } => (FindingAct::Undo { event, reason }, officer, version),
    }
}

/// The auditor who speaks: the token's, or whom the operator names.
fn auditor(token: &Token, named: Option<String>) -> Result<String, Problem> {
    match (&token.scope, named) {
        (
            TokenScope::Officer {
                officer,
                department,
            },
            named,
        ) if department == "HUB" => match named.filter(|named| !named.is_empty()) {
            Some(named) if named != *officer => Err(other_person(officer, &named)),
            _ => Ok(officer.clone()),
        },
        (TokenScope::Operator, Some(named)) if !named.is_empty() => Ok(named),
        (TokenScope::Operator, _) => {
            Err(unprocessable("no_officer", "name the auditor: `officer`"))
        }
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_authority",
            "findings are the commission's auditors' to decide",
        )),
    }
}

/// The auditor who settles findings, by their own token alone: who proposes and who decides are two
/// persons, and whoever holds this machine is not both of them.
fn settling_auditor(token: &Token, named: Option<String>) -> Result<String, Problem> {
    if token.scope == TokenScope::Operator {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "own_token_needed",
            "findings are settled by auditors with tokens of their own: `wadi token issue NAME \
             --officer AU-1 --department HUB`, and the command with --token-file",
        ));
    }

    auditor(token, named)
}

/// The auditor in whose name an act is said.
pub(crate) fn speaker(
    token: &Token,
    act: &FindingAct,
    named: Option<String>,
) -> Result<String, Problem> {
    match act {
        FindingAct::Assign { .. } => auditor(token, named),
        _ => settling_auditor(token, named),
    }
}

/// Assigns, proposes, decides or undoes; a signed event on the anchor record. Durable when it
/// answers.
#[utoipa::path(
    post,
    path = "/v1/findings/{id}/acts",
    request_body = ActBody,
    tag = "findings",
    params(("id" = String, Path, description = "the finding's id")),
    responses(
        (status = 201, description = "written", body = FindingActAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
pub(crate) async fn act(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    body: StrictBody<ActBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let said = said_act(body.said)?;
    let officer = speaker(&token, &said.act, said.officer)?;
    let findings = node.findings();
    let done = findings
        .act(
            &id,
            said.act,
            &officer,
            said.version.as_deref(),
            said.signature,
        )
        .await?;
    findings.listed(done.changed).await;
    let written = json!({
        "finding": done.finding,
        "record": done.written.printed,
        "entry": done.written.entry.to_string(),
    });

    Ok((StatusCode::CREATED, Json(written)))
}

/// Findings to assign together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// The findings' ids, 500 at most.
    findings: Vec<String>,
    /// Who: a service number.
    to: String,
    /// Who says so, where the token names nobody.
    #[serde(default)]
    officer: Option<String>,
}

/// Assigns many; each for itself, and each that could not be is named with its reason.
#[utoipa::path(
    post,
    path = "/v1/findings/assign",
    request_body = AssignBody,
    tag = "findings",
    responses(
        (status = 200, description = "assigned and refused", body = AssignedAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn assign(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<AssignBody>,
) -> Result<Json<Value>, Problem> {
    let body = body.said;
    if body.findings.len() > BULK_MAX {
        let why = format!(
            "{} findings; {BULK_MAX} at most in one request",
            body.findings.len()
        );
        return Err(unprocessable("too_many", why));
    }

    let officer = auditor(&token, body.officer)?;
    let (mut assigned, mut refused) = (Vec::new(), Vec::new());
    let mut changed = 0;
    for id in body.findings {
        match node
            .findings()
            .act(
                &id,
                FindingAct::Assign {
                    to: body.to.clone(),
                },
                &officer,
                None,
                None,
            )
            .await
        {
            Ok(done) => {
                changed = changed.max(done.changed);
                assigned.push(id);
            }
            Err(error) => {
                refused.push(json!({"finding": id, "code": error.code(), "why": error.to_string()}))
            }
        }
    }

    node.findings().listed(changed).await;
    Ok(Json(json!({"assigned": assigned, "refused": refused})))
}
