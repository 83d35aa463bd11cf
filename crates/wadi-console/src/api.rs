//! Asking the HTTP API in this process, with the visitor's own token.

use crate::values::reason_in;
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header, response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::net::SocketAddr;
use tower::ServiceExt;
use wadi_words::Language;

/// Bytes of an answer that a page reads at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A request with this header is a screen's own: nobody may sit before it, and a session that is
/// used by nobody else ends all the same.
pub(crate) const UNATTENDED: &str = "wadi-unattended";

/// The routes of the HTTP API.
#[derive(Clone)]
pub(crate) struct Api {
    routes: Router,
}

/// What the API said no with: a problem of RFC 9457, in the visitor's language.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// What it is called.
    pub title: String,
    /// The reason.
    pub detail: String,
    /// What to do about it, where that is known.
    #[serde(default)]
    pub help: Option<String>,
    /// In how many seconds to try again, where that is known.
    #[serde(default)]
    pub wait_s: Option<u64>,
}

impl Refused {
    /// Something that the console itself refuses.
    pub(crate) fn new(
        language: Language,
        status: StatusCode,
        code: &str,
        detail: impl Into<String>,
    ) -> Self {
        let detail = reason_in(language, code, &detail.into());
        Self {
            status: status.as_u16(),
            code: code.into(),
            title: language.problem_title(code),
            detail,
            help: language.problem_help(code),
            wait_s: None,
        }
    }
}

/// A file or page of the API as it is: its headers and its bytes.
pub(crate) struct Raw {
    /// The headers, as `Content-Type` and `Content-Disposition`.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Who asks, and in which language answers are read.
#[derive(Clone, Debug)]
pub(crate) struct ApiCaller {
    /// The token's text.
    pub bearer: String,
    /// The language of problems.
    pub language: Language,
    /// Where the browser asks from.
    pub from: Option<SocketAddr>,
    /// Whether a page asks by itself, and nobody for it.
    pub is_unattended: bool,
}

impl Api {
    pub(crate) fn new(routes: Router) -> Self {
        Self { routes }
    }

    /// Reads an answer.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        asker: &ApiCaller,
        path: &str,
    ) -> Result<T, Refused> {
        let raw = self.ask(asker, Method::GET, path, None, None).await?;
        read(asker.language, &raw.body)
    }

    /// Reads an answer as it is: a file to be handed on.
    pub(crate) async fn fetch(&self, asker: &ApiCaller, path: &str) -> Result<Raw, Refused> {
        self.ask(asker, Method::GET, path, None, None).await
    }

    /// Says something. `key` is the form's own (`Idempotency-Key`): a form that was sent twice
    /// makes one entry.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        asker: &ApiCaller,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<T, Refused> {
        let body = serde_json::to_vec(body).map_err(|error| broken(asker.language, error))?;
        let raw = self.ask(asker, Method::POST, path, Some(body), key).await?;
        read(asker.language, &raw.body)
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, asker: &ApiCaller, path: &str) -> Result<Raw, Refused> {
        self.ask(asker, Method::DELETE, path, None, None).await
    }

    /// Begins an answer that goes on: what comes is handed on as it comes.
    pub(crate) async fn stream(&self, asker: &ApiCaller, path: &str) -> Result<Body, Refused> {
        let (parts, body) = self.begin(asker, Method::GET, path, None, None).await?;
        if parts.status.is_success() {
            return Ok(body);
        }

        let body = whole(asker.language, body).await?;
        Err(refusal(asker.language, parts.status, &body))
    }

    async fn ask(
        &self,
        asker: &ApiCaller,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        key: Option<&str>,
    ) -> Result<Raw, Refused> {
        let (parts, body) = self.begin(asker, method, path, body, key).await?;
        let body = whole(asker.language, body).await?;
        if !parts.status.is_success() {
            return Err(refusal(asker.language, parts.status, &body));
        }

        Ok(Raw {
            headers: parts.headers,
            body,
        })
    }

    /// Asks; the answer's head is there when it returns.
    async fn begin(
        &self,
        asker: &ApiCaller,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        key: Option<&str>,
    ) -> Result<(response::Parts, Body), Refused> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", asker.bearer))
            .header(header::ACCEPT_LANGUAGE, asker.language.tag());
        if asker.is_unattended {
            request = request.header(UNATTENDED, "1");
        }

        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }

        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }

        if let Some(from) = asker.from {
            request = request.extension(ConnectInfo(from));
        }

        let request = request
            .body(Body::from(body.unwrap_or_default()))
            .map_err(|error| broken(asker.language, error))?;
        let answer = self.routes.clone().oneshot(request).await;
        match answer {
            Ok(answer) => Ok(answer.into_parts()),
            Err(never) => match never {},
        }
    }
}

/// An answer's whole body.
async fn whole(language: Language, body: Body) -> Result<Bytes, Refused> {
    let read = to_bytes(body, ANSWER_BYTES_MAX).await;
    read.map_err(|error| broken(language, error))
}

/// Reads an answer of the API. One that does not read is a fault of ours, and is told as one.
fn read<T: DeserializeOwned>(language: Language, body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| broken(language, error))
}

fn refusal(language: Language, status: StatusCode, body: &[u8]) -> Refused {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Refused::new(language, status, "console_failed", status.to_string()))
}

fn broken(language: Language, error: impl std::fmt::Display) -> Refused {
    tracing::error!(%error, "the console could not ask the interface, or not read its answer");
    Refused::new(
        language,
        StatusCode::INTERNAL_SERVER_ERROR,
        "console_failed",
        error.to_string(),
    )
}
