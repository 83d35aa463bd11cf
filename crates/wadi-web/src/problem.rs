//! Errors as RFC 9457 problems.

use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use wadi_node::NodeError;

/// What went wrong: a stable code, the reason, and what to do where that is not plain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `https://wadi.example/problems/` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The stable code.
    #[schema(example = "unknown_field")]
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// A short title.
    pub title: String,
    /// The reason.
    pub detail: String,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            kind: format!("https://wadi.example/problems/{code}"),
            title: code.replace('_', " "),
            status: status.as_u16(),
            detail: detail.into(),
            code,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (
            status,
            [(header::CONTENT_TYPE, "application/problem+json")],
            Json(self),
        )
            .into_response()
    }
}

/// A node's error as a problem.
pub fn problem_of(error: &NodeError) -> Problem {
    let status = match error {
        NodeError::Bundle(e) if e.code == "no_such_bundle" || e.code == "no_such_part" => {
            StatusCode::NOT_FOUND
        }
        NodeError::Record(_)
        | NodeError::UnknownEntry(_)
        | NodeError::Bundle(_)
        | NodeError::KeyReused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        NodeError::NumberReused { .. } => StatusCode::CONFLICT,
        NodeError::NoRecord(_) => StatusCode::NOT_FOUND,
        NodeError::Ambiguous { .. } | NodeError::Unproven(_) => StatusCode::CONFLICT,
        NodeError::Refused { code, .. } if code == "no_such_finding" => StatusCode::NOT_FOUND,
        NodeError::Refused { code, .. }
            if [
                "already_decided",
                "already_proposed",
                "nothing_proposed",
                "nothing_to_undo",
            ]
            .contains(&code.as_str()) =>
        {
            StatusCode::CONFLICT
        }
        NodeError::ForeignCrossing(_) | NodeError::Refused { .. } | NodeError::NotAHub(_) => {
            StatusCode::FORBIDDEN
        }
        NodeError::Busy | NodeError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        NodeError::Store(e) if e.code() == "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
        NodeError::Store(e) if e.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
        NodeError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        NodeError::Log(e) if e.code() == "no_right" => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };

    Problem::new(status, error.code(), error.to_string())
}

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        problem_of(&error)
    }
}

impl From<wadi_record::RecordError> for Problem {
    fn from(error: wadi_record::RecordError) -> Self {
        problem_of(&NodeError::Record(error))
    }
}

impl From<QueryRejection> for Problem {
    fn from(error: QueryRejection) -> Self {
        Self::new(error.status(), "bad_query", error.body_text())
    }
}

pub(crate) async fn standing_by() -> Problem {
    let why = "this daemon stands by: another one writes to the database, and this one takes over when it stops";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "standing_by", why)
}

pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        format!("{} is no route; see /openapi.json", uri.path()),
    )
}
