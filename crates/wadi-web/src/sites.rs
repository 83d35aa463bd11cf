//! The node itself: how it stands, its tokens, its health; and what operators of a hub say.

use crate::{Problem, Token, TokenScope, hash_token, new_token, pages, strict::StrictBody};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use wadi_log::{
    Admit, Body, Closure, Cut, CutTarget, Enrolment, Head, Lane, OfficerEntry, PolicyEntry,
};
use wadi_node::{KeptToken, Node, check_name};
use wadi_record::{Department, Policy};

/// How this node and its peers stand.
#[utoipa::path(
    get,
    path = "/v1/sites",
    tag = "sites",
    responses((status = 200, description = "status", body = Object)),
)]
pub(crate) async fn sites(
    State(node): State<Arc<Node>>,
    _token: Token,
) -> Result<Json<Value>, Problem> {
    let status = node.status().await?;
    Ok(Json(serde_json::to_value(status).unwrap_or_default()))
}

/// How many refusals to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RefusalQuery {
    /// At most so many, 500 at most. Where it is left out, as many as fit in 50,000 bytes.
    limit: Option<u32>,
}

/// What was refused, and why: the newest first.
#[utoipa::path(get, path = "/v1/refusals", params(RefusalQuery), tag = "sites",
    responses((status = 200, description = "refusals", body = Object)))]
pub(crate) async fn refusals(
    State(node): State<Arc<Node>>,
    _token: Token,
    query: Result<Query<RefusalQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(RefusalQuery { limit }) = query?;
    let rows = node
        .reads()
        .refusals(limit.unwrap_or(pages::ROWS_MAX).clamp(1, pages::ROWS_MAX))
        .await?;
    let mut rows: Vec<Value> = rows
        .iter()
        .map(|r| {
            json!({
                "subject": r.subject,
                "code": r.code,
                "why": r.why,
                "peer": r.peer,
                "at_ms": r.at_ms,
                "times": r.times,
            })
        })
        .collect();
    rows.truncate(pages::fitting(rows.iter(), &json!({"refusals": []}), limit));
    Ok(Json(json!({"refusals": rows})))
}

/// Alive: the process answers. `degraded` says what is given up for want of room on the disk,
/// `troubles` which tasks cannot work, and why.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    responses((status = 200, description = "alive", body = Object)),
)]
pub(crate) async fn healthz(State(node): State<Arc<Node>>) -> Json<Value> {
    let degraded = node.room().degraded();
    let troubles = node.tasks().troubles();
    let status = if degraded.is_some() || !troubles.is_empty() {
        "degraded"
    } else {
        "ok"
    };

    Json(json!({"status": status, "degraded": degraded, "troubles": troubles}))
}

/// A standby's: alive, and no more.
pub(crate) async fn standby_healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Ready: every task that the node lives by can work, the store answers, and takes more than holds.
/// `degraded` says what is given up for want of room on the disk.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses((status = 200, description = "ready", body = Object), (status = 503, body = Problem)),
)]
pub(crate) async fn readyz(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let records = node.reads().record_count().await;
    let down = |code: &str, why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, why);
    if let Some((task, why)) = node.tasks().troubles().first_key_value() {
        return Err(down("task_in_trouble", format!("{task}: {why}")));
    }

    let records = records.map_err(|e| down(e.code(), e.to_string()))?;
    node.room()
        .check(Lane::Site)
        .map_err(|e| down(e.code(), e.to_string()))?;

    Ok(Json(
        json!({"status": "ready", "records": records, "degraded": node.room().degraded()}),
    ))
}

/// The tokens known here, without the tokens themselves.
#[utoipa::path(
    get,
    path = "/v1/tokens",
    tag = "tokens",
    responses((status = 200, description = "tokens", body = Object)),
)]
pub(crate) async fn tokens(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let all = node.tokens().all().await?;

    let all: Vec<Value> = all
        .iter()
        .filter_map(|t| serde_json::from_str(&t.scope).ok())
        .collect();

    Ok(Json(json!({"tokens": all})))
}

/// Issues a token; it is shown this once.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    request_body = Token,
    tag = "tokens",
    responses(
        (status = 201, description = "the token", body = Object),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn issue_token(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<Token>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let wanted = body.said;
    check_name("name", &wanted.name)?;
    match &wanted.scope {
        TokenScope::Officer { officer, .. } => check_name("officer", officer)?,
        TokenScope::Device { device } => check_name("device", device)?,
        TokenScope::Operator | TokenScope::Reader => {}
    }

    if let TokenScope::Officer { department, .. } = &wanted.scope {
        department.parse::<Department>()?;
    }

    let all = node.tokens().all().await?;

    let taken = |t: &KeptToken| {
        serde_json::from_str::<Token>(&t.scope).is_ok_and(|t| t.name == wanted.name)
    };
    if wanted.name.is_empty() || all.iter().any(taken) {
        let why = format!(
            "a token needs a name of its own; {:?} is taken or empty",
            wanted.name
        );
        return Err(Problem::new(StatusCode::CONFLICT, "token_name", why));
    }

    let text = new_token(rand::random());
    node.tokens()
        .keep(KeptToken {
            hash: hash_token(&text),
            scope: serde_json::to_string(&wanted).unwrap_or_default(),
        })
        .await?;

    Ok((
        StatusCode::CREATED,
        Json(json!({"token": text, "name": wanted.name})),
    ))
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
        (status = 200, description = "how often that was done", body = Object),
        (status = 403, body = Problem),
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
        (status = 200, description = "revoked", body = Object),
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

    node.tokens().revoke(&found.hash, &name).await?;
    Ok(Json(json!({"revoked": name})))
}

/// A control fact that an operator of the hub says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum ControlBody {
    Officer {
        officer: String,
        department: String,
        crossing: Option<String>,
        #[serde(default)]
        supervisor: bool,
        #[serde(default)]
        revoked: bool,
        #[serde(default)]
        name: String,
    },
    /// A policy's text: what it leaves out takes its default.
    Policy { policy: Value },
    /// An enrolment that the root signed, in hexadecimal.
    Enrol { enrolment: String },
    /// Cuts a node at what this hub holds of it.
    CutNode { node: String, reason: String },
    /// Lets single entries past a cut count.
    Admit {
        entries: Vec<String>,
        reason: String,
    },
    Closure {
        crossing: String,
        closed_s: i64,
        reason: String,
    },
}

/// Writes a control fact into the hub's own control log.
#[utoipa::path(
    post,
    path = "/v1/control",
    request_body = ControlBody,
    tag = "sites",
    responses(
        (status = 201, description = "written", body = Object),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn control(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<ControlBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let said = control_entry(&node, body.said)?;
    let written = node.write_control(vec![said], &token.name).await?;
    let entries: Vec<String> = written.iter().map(ToString::to_string).collect();
    Ok((StatusCode::CREATED, Json(json!({"entries": entries}))))
}

fn control_entry(node: &Node, body: ControlBody) -> Result<Body, Problem> {
    let bad = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_control", why);
    let crossing = |c: &str| c.parse().map_err(|e| bad(format!("{e}")));
    Ok(match body {
        ControlBody::Officer {
            officer,
            department,
            crossing: at,
            supervisor,
            revoked,
            name,
        } => {
            check_name("officer", &officer)?;
            check_name("name", &name)?;
            department.parse::<Department>()?;

            let known = node.with_control(|c| {
                c.officers()
                    .filter(|o| o.officer == officer)
                    .map(|o| o.revision)
                    .max()
            });

            Body::Officer(OfficerEntry {
                officer,
                department,
                crossing: at.as_deref().map(crossing).transpose()?,
                supervisor,
                revision: known.unwrap_or(0) + 1,
                revoked,
                name,
            })
        }
        ControlBody::Policy { policy } => {
            let policy: Policy = serde_json::from_value(policy).map_err(|e| bad(e.to_string()))?;
            let known = node.with_control(|c| c.policy(|_| u64::MAX).map(|(_, p)| p.revision));
            Body::Policy(PolicyEntry {
                revision: known.unwrap_or(0) + 1,
                text: policy.text(),
            })
        }
        ControlBody::Enrol { enrolment } => {
            let bytes = wadi_log::unhex(&enrolment)
                .ok_or_else(|| bad("the enrolment is not hexadecimal".into()))?;
            Body::Enrolment(Enrolment::from_bytes(&bytes).map_err(|e| bad(e.to_string()))?)
        }
        ControlBody::CutNode { node: name, reason } => {
            let found = node.with_control(|c| c.by_name(&name).map(Enrolment::node));
            let id = found.ok_or_else(|| bad(format!("no node {name:?} is enrolled")))?;
            let heads: Vec<Head> = node.heads_of(&id);

            Body::Cut(Cut {
                target: CutTarget::Node(id),
                heads,
                extends: vec![],
                reason,
                root_signature: None,
            })
        }
        ControlBody::Admit { entries, reason } => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|e| e.parse())
                .collect::<Result<_, _>>()
                .map_err(|e: wadi_log::LogError| bad(e.to_string()))?;

            entries.sort();
            Body::Admit(Admit { entries, reason })
        }
        ControlBody::Closure {
            crossing: c,
            closed_s,
            reason,
        } => Body::Closure(Closure {
            crossing: crossing(&c)?,
            closed_s,
            reason,
        }),
    })
}
