//! Who is looking: the session's cookie holds a token of the API, and nothing else.
//!
//! So a session is listed, ends and is revoked as any token is, and what its bearer may read and do
//! is decided in one place.

use crate::{
    Console,
    api::{self, ApiCaller, Refused},
    frame::PageFrame,
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, Query, Request},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, net::SocketAddr};
use wadi_words::Language;

/// The cookie of a session. Its prefix has the browser hold that it is of this host alone.
const SESSION_COOKIE: &str = "__Host-wadi";
/// The cookie of a session where the console is read without TLS, on this machine.
const SESSION_COOKIE_PLAIN: &str = "wadi";
/// The cookie of the language that somebody chose.
const LANGUAGE_COOKIE: &str = "wadi-language";
/// The field of a form that proves that the form is the console's own.
pub(crate) const PROOF_FIELD: &str = "proof";

/// Whoever looks at a page: the session, the language, and where the page is.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// The token and the language, as the API is asked with.
    pub asker: ApiCaller,
    /// The page's path with its query.
    pub here: String,
    /// Whether the browser speaks TLS, and may keep its cookie for that alone.
    pub over_tls: bool,
    /// What the pages say of the node and of the person.
    pub who: Who,
}

/// Who speaks, as the API knows it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Who {
    /// The person's or token's name.
    #[serde(default)]
    pub name: String,
    /// officer, operator, reader.
    #[serde(default)]
    pub is: String,
    /// The officer's service number.
    #[serde(default)]
    pub officer: String,
    /// The officer's department.
    #[serde(default)]
    pub department: String,
    /// The account whose session it is; empty where it is a token's.
    #[serde(default, deserialize_with = "text_or_none")]
    pub account: String,
    /// The language that the person chose; empty where none was.
    #[serde(default, deserialize_with = "text_or_none")]
    pub language: String,
    /// The node's name.
    #[serde(default)]
    pub node: String,
    /// hub, crossing or observer.
    #[serde(default)]
    pub role: String,
    /// The node's crossing.
    #[serde(default)]
    pub crossing: String,
    /// The node's time, Unix milliseconds.
    #[serde(default)]
    pub now_ms: i64,
    /// A number for each part of what the node shows: another one once the part changed.
    #[serde(default)]
    pub live: BTreeMap<String, u64>,
}

/// A text that may be null.
fn text_or_none<'de, D: serde::Deserializer<'de>>(read: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(read)?.unwrap_or_default())
}

impl Who {
    /// Whether it is the operator of this machine.
    pub(crate) fn is_operator(&self) -> bool {
        self.is == "operator"
    }

    /// Whether it is an auditor of the commission, or the operator.
    pub(crate) fn is_auditor(&self) -> bool {
        self.is_operator() || self.is == "officer" && self.department == "HUB"
    }
}

/// Somebody who need not be signed in.
#[derive(Clone, Debug)]
pub(crate) struct Guest(pub(crate) Visitor);

impl Guest {
    pub(crate) fn at(here: &str, headers: &HeaderMap, from: Option<SocketAddr>) -> Self {
        Self(Visitor {
            asker: ApiCaller {
                bearer: String::new(),
                language: language(headers),
                from,
                is_unattended: false,
            },
            here: here.into(),
            over_tls: false,
            who: Who::default(),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Guest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let here = here_of(parts);
        let mut guest = Self::at(&here, &parts.headers, address_of(parts));
        guest.0.over_tls = is_over_tls(parts);
        Ok(guest)
    }
}

/// The page that somebody is on: of a form that was sent, the page that it stands on.
fn here_of(parts: &Parts) -> String {
    if parts.method != Method::GET {
        let referer = parts.headers.get(header::REFERER);
        let page = referer.and_then(|value| value.to_str().ok());
        let path = page.and_then(|page| page.splitn(4, '/').nth(3));
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        return crate::values::own_path(&path).into();
    }

    let path = parts.uri.path_and_query();
    path.map_or("/console", |path| path.as_str()).to_string()
}

fn address_of(parts: &Parts) -> Option<SocketAddr> {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|at| at.0)
}

/// Whether the browser speaks TLS, with the node or with a proxy before it.
fn is_over_tls(parts: &Parts) -> bool {
    parts.extensions.get() == Some(&crate::OverTls(true))
}

impl Visitor {
    /// Where the visitor signs in, to come back to this page.
    pub(crate) fn sign_in_path(&self) -> String {
        sign_in_path(&self.here)
    }

    /// The frame of a page: its title, and the name of the part that it belongs to.
    pub(crate) fn frame(&self, title: &str, part: &'static str) -> PageFrame {
        PageFrame::new(self, title, part)
    }

    /// What proves that a form was made by the console for this session.
    pub(crate) fn proof(&self) -> String {
        proof_of(&self.asker.bearer)
    }

    /// The language of the pages.
    pub(crate) fn language(&self) -> Language {
        self.asker.language
    }
}

/// The page to sign in at, with where to go on.
fn sign_in_path(here: &str) -> String {
    match here {
        "/console" => "/console/sign-in".into(),
        _ => format!(
            "/console/sign-in?next={}",
            crate::values::query_escaped(here)
        ),
    }
}

/// What a form of a session carries. Whoever cannot read the session's cookie cannot make it.
pub(crate) fn proof_of(bearer: &str) -> String {
    let digest = Sha256::digest(format!("form of {bearer}").as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// A cookie's value.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(n, value)| (n == name).then_some(value))
}

/// The session's token, where there is one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE)
        .or_else(|| cookie(headers, SESSION_COOKIE_PLAIN))
        .filter(|value| !value.is_empty())
}

/// The language of pages: the one chosen, else what the browser asks for, else Arabic.
pub(crate) fn language(headers: &HeaderMap) -> Language {
    let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Language::of_tag);
    let asked = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    match (chosen, asked) {
        (Some(chosen), _) => chosen,
        (None, Some(asked)) => Language::of_header(asked),
        (None, None) => Language::Arabic,
    }
}

/// The cookie that begins a session of so many seconds; with no text, the one that ends it.
pub(crate) fn session_cookie(bearer: &str, seconds: i64, over_tls: bool) -> String {
    let (name, secure) = match over_tls {
        true => (SESSION_COOKIE, "; Secure"),
        false => (SESSION_COOKIE_PLAIN, ""),
    };
    format!("{name}={bearer}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The cookie that remembers a language for a year.
pub(crate) fn language_cookie(language: Language) -> String {
    let tag = language.tag();
    format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let here = here_of(parts);
        let language = language(&parts.headers);
        let Some(bearer) = bearer(&parts.headers) else {
            return Err(crate::answer::see_other(&sign_in_path(&here)));
        };

        let mut visitor = Self {
            asker: ApiCaller {
                bearer: bearer.into(),
                language,
                from: address_of(parts),
                is_unattended: parts.headers.contains_key(api::UNATTENDED),
            },
            here,
            over_tls: is_over_tls(parts),
            who: Who::default(),
        };
        match console.api.get(&visitor.asker, "/v1/whoami").await {
            Ok(who) => visitor.who = who,
            Err(refused) => return Err(refused.page(&visitor)),
        }

        Ok(visitor)
    }
}

/// What a page's address asks for after the question mark. One that does not read is told on a page
/// of the console, in the visitor's language.
pub(crate) struct PageQuery<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromRequestParts<Console> for PageQuery<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        if let Ok(Query(read)) = Query::try_from_uri(&parts.uri) {
            return Ok(Self(read));
        }

        let visitor = Visitor::from_request_parts(parts, console).await?;
        let refused = Refused::new(
            visitor.language(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_query",
            "the query does not read",
        );
        Err(refused.page(&visitor))
    }
}

/// Refuses forms that are not the console's own: of another site, or without the session's proof
/// (OWASP's synchroniser token). A form that begins a session has no session yet; the browser's
/// word on where it comes from stands for the proof there.
pub(crate) async fn forms_are_ours(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }

    let guest = Guest::at("/console", request.headers(), None);
    let answer = own_form(&guest, request, next).await;
    in_a_page(&guest, answer)
}

/// The page for a form that is too long: whoever reads forms refuses it in a bare line.
fn in_a_page(guest: &Guest, answer: Response) -> Response {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let is_bare = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match answer.status() {
        StatusCode::PAYLOAD_TOO_LARGE if is_bare => long_form(guest),
        _ => answer,
    }
}

/// Runs what a form asks for, unless it was made elsewhere.
async fn own_form(guest: &Guest, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let elsewhere = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let foreign = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| !is_own_origin(origin.as_bytes(), headers));
    if elsewhere || foreign {
        return foreign_form(guest);
    }

    let Some(bearer) = bearer(headers).map(str::to_string) else {
        return next.run(request).await;
    };
    if OPEN_FORMS.contains(&request.uri().path()) {
        return next.run(request).await;
    }

    // What was typed into a form of records is never lost: the page itself looks for the proof, and
    // shows the form again where it is another session's.
    if request.uri().path().starts_with(crate::today::FORMS) {
        return next.run(request).await;
    }

    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, FORM_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let proof = form_field(&body, PROOF_FIELD);
    if proof.as_deref() != Some(proof_of(&bearer).as_str()) {
        return foreign_form(guest);
    }

    next.run(Request::from_parts(parts, body.into())).await
}

/// Forms that begin a session, and the language: nobody is signed in there yet.
const OPEN_FORMS: &[&str] = &[
    "/console/sign-in",
    "/console/sign-in/challenge",
    "/console/invitation",
    "/console/link",
    "/console/language",
];
/// Bytes of a form at most.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// A field of a form that came as `application/x-www-form-urlencoded`.
fn form_field(body: &[u8], name: &str) -> Option<String> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
    fields
        .into_iter()
        .find_map(|(n, value)| (n == name).then_some(value))
}

/// Whether an `Origin` is the host that was asked.
fn is_own_origin(origin: &[u8], headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(|h| h.as_bytes());
    let named = [b"https://".as_slice(), b"http://"]
        .into_iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    named.is_some() && named == host
}

fn long_form(guest: &Guest) -> Response {
    let refused = Refused::new(
        guest.0.language(),
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "the form is longer than this page takes",
    );
    refused.page(&guest.0)
}

fn foreign_form(guest: &Guest) -> Response {
    let refused = Refused::new(
        guest.0.language(),
        StatusCode::FORBIDDEN,
        "foreign_form",
        "the form was not made by this console for this session",
    );
    refused.page(&guest.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_host_itself_is_an_origin_of_forms() {
        let asked = headers(&[("host", "hub.example:7443")]);
        assert!(is_own_origin(b"https://hub.example:7443", &asked));
        for foreign in [
            "https://hub.example",
            "null",
            "https://evil.example:7443",
            "",
        ] {
            assert!(!is_own_origin(foreign.as_bytes(), &asked), "{foreign}");
        }
        assert!(!is_own_origin(b"null", &headers(&[])));
    }

    #[test]
    fn a_form_that_is_too_long_is_refused_with_a_page() {
        let guest = Guest::at("/console", &headers(&[]), None);
        let is_page = |answer: Response| {
            let kind = answer.headers().get(header::CONTENT_TYPE);
            kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
        };
        let long = || (StatusCode::PAYLOAD_TOO_LARGE, "length limit exceeded").into_response();
        assert!(!is_page(long()));

        let told = in_a_page(&guest, long());
        assert_eq!(told.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!(is_page(told));
        let other = (StatusCode::BAD_REQUEST, "no form").into_response();
        assert!(!is_page(in_a_page(&guest, other)));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let asked = headers(&[("cookie", "a=1; wadi=wadi_ff; wadi-language=ar")]);
        assert_eq!(bearer(&asked), Some("wadi_ff"));
        assert_eq!(language(&asked), Language::Arabic);
        assert_eq!(bearer(&headers(&[("cookie", "wadi=")])), None);
    }

    #[test]
    fn whoever_says_nothing_reads_arabic() {
        assert_eq!(language(&headers(&[])), Language::Arabic);
        let english = headers(&[("accept-language", "en-GB, ar;q=0.5")]);
        assert_eq!(language(&english), Language::English);
    }
}
