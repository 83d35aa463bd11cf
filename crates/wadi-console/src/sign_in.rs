//! Signing in and out.

use crate::{
    Console,
    answer::{page_with, see_other},
    api::{Asker, Refused},
    frame::Frame,
    values, visitor,
    visitor::{Visitor, Who},
};
use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

/// How long a session lasts: a shift.
const SESSION_SECONDS: i64 = 12 * 3_600;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    f: Frame,
    next: String,
    refused: Option<Refused>,
}

/// Where to go on after signing in.
#[derive(Default, Deserialize)]
pub(crate) struct NextQuery {
    #[serde(default)]
    next: String,
}

/// A token that begins a session, and where to go on.
#[derive(Deserialize)]
pub(crate) struct TokenForm {
    token: String,
    #[serde(default)]
    next: String,
}

fn nobody(headers: &HeaderMap) -> Visitor {
    Visitor {
        asker: Asker {
            bearer: String::new(),
            language: visitor::language(headers),
        },
        here: "/console/sign-in".into(),
        who: Who::default(),
    }
}

fn sign_in_page(visitor: &Visitor, next: &str, refused: Option<Refused>) -> Response {
    let title = visitor.language().sentence("sign-in-title", []);
    let status = match refused {
        Some(_) => StatusCode::UNAUTHORIZED,
        None => StatusCode::OK,
    };
    page_with(
        status,
        &SignInPage {
            f: visitor.frame(&title, ""),
            next: values::own_path(next).into(),
            refused,
        },
    )
}

/// The page to sign in at.
pub(crate) async fn show(headers: HeaderMap, Query(query): Query<NextQuery>) -> Response {
    sign_in_page(&nobody(&headers), &query.next, None)
}

/// Begins a session with a token.
pub(crate) async fn enter(
    State(console): State<Console>,
    headers: HeaderMap,
    Form(form): Form<TokenForm>,
) -> Response {
    let nobody = nobody(&headers);
    let asker = Asker {
        bearer: form.token.trim().into(),
        language: nobody.language(),
    };
    if let Err(refused) = console.api.get::<Who>(&asker, "/v1/whoami").await {
        return sign_in_page(&nobody, &form.next, Some(refused));
    }

    let cookie = visitor::session_cookie(&asker.bearer, SESSION_SECONDS, false);
    let cookie = [(header::SET_COOKIE, cookie)];
    (cookie, see_other(values::own_path(&form.next))).into_response()
}

/// Ends the session in this browser.
pub(crate) async fn leave(_: Visitor) -> Response {
    let cookie = [(header::SET_COOKIE, visitor::session_cookie("", 0, false))];
    (cookie, see_other("/console/sign-in")).into_response()
}
