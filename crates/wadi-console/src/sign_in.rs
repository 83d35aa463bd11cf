//! Signing in and out.

use crate::{
    Console,
    answer::{for_script, page_with, see_other, status_beside},
    api::{ApiCaller, Refused},
    frame::PageFrame,
    people::Begun,
    values, visitor,
    visitor::{Guest, Visitor, Who},
};
use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::header,
    response::{AppendHeaders, IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wadi_words::{Filling, Language};

/// How long the browser keeps a session: a shift, as the session itself lasts.
const SESSION_SECONDS: i64 = 12 * 3_600;
/// From so many seconds on, a pause is told in minutes.
const MINUTES_FROM_S: u64 = 120;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    f: PageFrame,
    next: String,
    account: String,
    by_token: bool,
    wait: Option<String>,
    /// The host whose passkeys sign in; none where none are offered.
    passkey_host: Option<String>,
    refused: Option<Refused>,
}

/// By which means somebody may sign in here.
#[derive(Default, Deserialize)]
struct SignInWays {
    passkey_host: Option<String>,
}

/// Where to go on after signing in.
#[derive(Default, Deserialize)]
pub(crate) struct NextQuery {
    #[serde(default)]
    next: String,
}

/// An account with its password, a passkey's answer, or a token, and where to go on.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignInForm {
    account: String,
    password: String,
    credential: String,
    token: String,
    next: String,
}

async fn sign_in_page(
    console: &Console,
    guest: &Guest,
    form: &SignInForm,
    refused: Option<Refused>,
) -> Response {
    let language = guest.0.language();
    let ways = console
        .api
        .get::<SignInWays>(&guest.0.asker, "/v1/sessions/ways")
        .await;
    let status = status_beside(refused.as_ref());
    let wait = refused.as_ref().and_then(|refused| refused.wait_s);
    let wait = wait.map(|seconds| {
        let (name, n) = match seconds {
            MINUTES_FROM_S.. => ("sign-in-wait-minutes", seconds.div_ceil(60)),
            _ => ("sign-in-wait", seconds),
        };
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        language.sentence(name, [("n", Filling::from(n))])
    });

    let title = language.sentence("sign-in-title", []);
    page_with(
        status,
        &SignInPage {
            f: guest.0.frame(&title, ""),
            next: values::own_path(&form.next).into(),
            account: form.account.clone(),
            by_token: !form.token.is_empty(),
            wait,
            passkey_host: ways.unwrap_or_default().passkey_host,
            refused,
        },
    )
}

/// The page to sign in at.
pub(crate) async fn show(
    State(console): State<Console>,
    guest: Guest,
    Query(query): Query<NextQuery>,
) -> Response {
    let form = SignInForm {
        next: query.next,
        ..SignInForm::default()
    };
    sign_in_page(&console, &guest, &form, None).await
}

/// A challenge to sign in with a passkey, for the script.
pub(crate) async fn challenge(State(console): State<Console>, guest: Guest) -> Response {
    let path = "/v1/sessions/challenge";
    let said = console
        .api
        .post::<Value>(&guest.0.asker, path, &json!({}), None)
        .await;
    for_script(said)
}

/// Begins a session, with an account, a passkey or a token.
pub(crate) async fn enter(
    State(console): State<Console>,
    guest: Guest,
    Form(form): Form<SignInForm>,
) -> Response {
    let begun = match form.token.trim() {
        "" => {
            let body = match form.credential.as_str() {
                "" => json!({"account": form.account, "password": form.password}),
                answer => json!({"passkey": answer_of_browser(answer)}),
            };
            let said = console
                .api
                .post::<Begun>(&guest.0.asker, "/v1/sessions", &body, None);
            said.await.map(|begun| begun.token)
        }
        token => {
            let asker = ApiCaller {
                bearer: token.into(),
                ..guest.0.asker.clone()
            };
            let said = console.api.get::<Who>(&asker, "/v1/whoami").await;
            said.map(|_| asker.bearer)
        }
    };
    match begun {
        Ok(bearer) => begin_session(&console, &guest.0, &bearer, &form.next).await,
        Err(refused) => sign_in_page(&console, &guest, &form, Some(refused)).await,
    }
}

/// What a browser answered to a challenge; the API says what is wrong with it.
pub(crate) fn answer_of_browser(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({}))
}

/// Gives the browser its session and the language that the person chose, at whatever browser, and
/// sends it on.
pub(crate) async fn begin_session(
    console: &Console,
    visitor: &Visitor,
    bearer: &str,
    next: &str,
) -> Response {
    let asker = ApiCaller {
        bearer: bearer.into(),
        ..visitor.asker.clone()
    };
    let who = console.api.get::<Who>(&asker, "/v1/whoami").await;
    let chosen = who.ok().and_then(|who| Language::of_tag(&who.language));

    let cookie = visitor::session_cookie(bearer, SESSION_SECONDS, visitor.over_tls);
    let cookies = std::iter::once(cookie).chain(chosen.map(visitor::language_cookie));
    let cookies: Vec<_> = cookies.map(|cookie| (header::SET_COOKIE, cookie)).collect();
    (AppendHeaders(cookies), see_other(values::own_path(next))).into_response()
}

/// Ends the session. One of a token ends in this browser alone: the token goes on.
pub(crate) async fn leave(State(console): State<Console>, visitor: Visitor) -> Response {
    if !visitor.who.account.is_empty()
        && let Err(refused) = console.api.delete(&visitor.asker, "/v1/sessions/own").await
    {
        return refused.page(&visitor);
    }

    let cookie = visitor::session_cookie("", 0, visitor.over_tls);
    (
        [(header::SET_COOKIE, cookie)],
        see_other("/console/sign-in"),
    )
        .into_response()
}
