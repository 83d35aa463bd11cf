//! Answers: pages, redirects, and the headers of all of them.

use crate::{api::Refused, frame::PageFrame, visitor::Visitor};
use askama::Template;
use axum::{
    Json,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};

/// What a page may load: its own styles, script, pictures and streams, and nothing from elsewhere.
/// No script or style stands in a page, so that a field's text never becomes one.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Puts on each answer what keeps browsers strict. A page is nobody else's: it is not kept by
/// anybody on the way. Assets say themselves how long they are kept.
pub(crate) async fn strict_headers(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    let strict = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
        ),
    ];
    for (name, value) in strict {
        headers.insert(name, HeaderValue::from_static(value));
    }

    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// A page; one that cannot be made is a fault of ours.
pub(crate) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// A page with a status of its own.
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that was made, or what was refused in its place.
pub(crate) fn made_or_refused(made: Result<impl Template, Refused>, visitor: &Visitor) -> Response {
    match made {
        Ok(made) => page(&made),
        Err(refused) => refused.page(visitor),
    }
}

/// The status of a page that may show a refusal beside what it is about.
pub(crate) fn status_beside(refused: Option<&Refused>) -> StatusCode {
    refused.map_or(StatusCode::OK, Refused::http_status)
}

/// Sends the browser on after a form: loading anew does not send it again.
pub(crate) fn see_other(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// What the script asked for, or why it was refused, in the visitor's language.
pub(crate) fn for_script(said: Result<serde_json::Value, Refused>) -> Response {
    match said {
        Ok(said) => Json(said).into_response(),
        Err(refused) => {
            let told = serde_json::json!({"code": refused.code, "detail": refused.detail});
            (refused.http_status(), Json(told)).into_response()
        }
    }
}

/// A refusal as a page of its own.
#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    f: &'a PageFrame,
    refused: &'a Refused,
}

impl Refused {
    /// The status of HTTP; a fault of ours, where it is none.
    pub(crate) fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Tells the visitor what was refused and what to do. One whose session ended signs in again
    /// and comes back.
    pub(crate) fn page(&self, visitor: &Visitor) -> Response {
        if self.status == StatusCode::UNAUTHORIZED.as_u16() {
            return see_other(&visitor.sign_in_path());
        }

        let frame = visitor.frame(&self.title, "");
        let mut answer = page_with(
            self.http_status(),
            &RefusedPage {
                f: &frame,
                refused: self,
            },
        );
        // Whoever keeps what was typed tells the same on a page of its own.
        answer.extensions_mut().insert(self.clone());
        answer
    }
}
