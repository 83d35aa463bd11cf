//! Errors as RFC 9457 problems.

use crate::filters;
use axum::{
    Json,
    extract::rejection::QueryRejection,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::num::NonZeroU32;
use utoipa::ToSchema;
use wadi_node::{ErrorClass, NodeError};
use wadi_words::Language;

/// The media type of problems (RFC 9457).
const PROBLEM_JSON: &str = "application/problem+json";
/// Bytes of the framework's own words that a problem passes on.
const WORDS_BYTES_MAX: usize = 4_096;

/// What went wrong: a stable code, the reason, and what to do where that is not plain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `https://wadi.example/problems/` and the code.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// The stable code.
    #[schema(example = "unknown_field")]
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// A short title, in the language that `Accept-Language` asks for.
    #[schema(value_type = String)]
    pub title: Box<str>,
    /// The reason, and what to do about it; in the language that `Accept-Language` asks for, where
    /// the catalogue has it, else in English.
    pub detail: String,
    /// What to do about it alone, where the node knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub remedy: Option<&'static str>,
    /// What people do about such a problem, in the language that `Accept-Language` asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub help: Option<Box<str>>,
    /// In how many seconds to try again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub wait_s: Option<NonZeroU32>,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let code = code.into();
        Self {
            kind: format!("https://wadi.example/problems/{code}").into(),
            title: code.replace('_', " ").into(),
            help: None,
            wait_s: None,
            status: status.as_u16(),
            detail: detail.into(),
            remedy: None,
            code,
        }
    }

    /// The problem as the answer in place of another one, with what that says in its headers; the
    /// body's own are its own.
    pub(crate) fn in_place_of(self, headers: &HeaderMap) -> Response {
        let mut told = self.into_response();
        for (name, value) in headers {
            if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
                told.headers_mut().append(name, value.clone());
            }
        }

        told
    }

    /// The same in the words of a language. A code that no catalogue has keeps its title, a reason
    /// that none has its English.
    pub(crate) fn in_words(mut self, language: Language) -> Self {
        let title = language.problem_title(&self.code);
        if title != self.code {
            self.title = title.into();
        }

        if let Some(detail) = language.problem_detail(&self.code, &self.detail) {
            self.detail = detail;
        }

        self.help = language.problem_help(&self.code).map(Box::from);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let told = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        let mut answer = (status, told, Json(&self)).into_response();
        if let Some(wait_s) = self.wait_s {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, wait_s.get().into());
        }

        // What tells it in the language of whoever asked takes it from here.
        answer.extensions_mut().insert(self);
        answer
    }
}

/// A problem with what was sent: it reads, and is wrong.
pub(crate) fn unprocessable(code: &str, why: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, why)
}

/// The HTTP status of each class of errors.
fn status_of(class: ErrorClass) -> StatusCode {
    match class {
        ErrorClass::Malformed => StatusCode::BAD_REQUEST,
        ErrorClass::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorClass::Forbidden => StatusCode::FORBIDDEN,
        ErrorClass::NotFound => StatusCode::NOT_FOUND,
        ErrorClass::Conflict => StatusCode::CONFLICT,
        ErrorClass::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorClass::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
        ErrorClass::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A node's error as a problem.
pub fn problem_of(error: &NodeError) -> Problem {
    Problem {
        remedy: error.remedy(),
        ..Problem::new(status_of(error.class()), error.code(), error.to_string())
    }
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
        let words = error.body_text();
        let told = words.strip_prefix("Failed to deserialize query string: ");
        let why = filters::with_nearest(told.unwrap_or(&words));
        Self::new(error.status(), "bad_query", why)
    }
}

pub(crate) async fn standing_by() -> Problem {
    let why = "this daemon stands by: another one writes to the database, and this one takes over \
               when it stops";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "standing_by", why)
}

/// What the framework answers by itself, in plain words or none, as a problem like all others: a
/// method that a route does not have, a path that is no text.
pub(crate) async fn every_error_is_a_problem(answer: Response) -> Response {
    let status = answer.status();
    let is_told = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == PROBLEM_JSON);
    if is_told || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }

    let (parts, body) = answer.into_parts();
    let words = axum::body::to_bytes(body, WORDS_BYTES_MAX).await;
    let words = words.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let title = status.canonical_reason().unwrap_or("error").to_lowercase();
    let detail = words.ok().filter(|words| !words.is_empty());
    let problem = Problem::new(
        status,
        title.replace([' ', '-'], "_"),
        detail.unwrap_or(title),
    );

    problem.in_place_of(&parts.headers)
}

pub(crate) async fn not_found(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_route",
        format!("{} is no route; see /openapi.json", uri.path()),
    )
}
