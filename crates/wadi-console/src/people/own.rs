//! What everybody has of their own: a password, passkeys, and the sessions that go on.

use super::passkeys::{OwnPasskeys, PasskeyLine};
use crate::{
    Console,
    answer::{page_with, see_other, status_beside},
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    values::query_escaped,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{Form, extract::State, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Template)]
#[template(path = "people/own.html")]
struct OwnPage {
    f: PageFrame,
    sessions: Vec<SessionLine>,
    passkey_host: Option<String>,
    passkeys: Vec<PasskeyLine>,
    refused: Option<Refused>,
    done: bool,
}

#[derive(Deserialize)]
struct OwnSessions {
    sessions: Vec<SessionSaid>,
}

#[derive(Deserialize)]
struct SessionSaid {
    name: String,
    #[serde(default)]
    from: Option<String>,
    began_ms: i64,
    expires_ms: i64,
    is_own: bool,
}

struct SessionLine {
    said: SessionSaid,
    began: Option<Moment>,
    ends: Option<Moment>,
}

/// What was just done.
#[derive(Default, Deserialize)]
pub(crate) struct DoneQuery {
    #[serde(default)]
    done: Option<String>,
}

pub(super) async fn own_page(
    console: &Console,
    visitor: &Visitor,
    refused: Option<Refused>,
) -> Response {
    own_page_saying(console, visitor, refused, false).await
}

async fn own_page_saying(
    console: &Console,
    visitor: &Visitor,
    refused: Option<Refused>,
    done: bool,
) -> Response {
    let (mut sessions, mut passkeys) = (Vec::new(), OwnPasskeys::default());
    if !visitor.who.account.is_empty() {
        match console
            .api
            .get::<OwnSessions>(&visitor.asker, "/v1/sessions")
            .await
        {
            Ok(own) => sessions = own.sessions,
            Err(refused) => return refused.page(visitor),
        }
        match OwnPasskeys::read(console, visitor).await {
            Ok(own) => passkeys = own,
            Err(refused) => return refused.page(visitor),
        }
    }

    let line = |said: SessionSaid| SessionLine {
        began: Some(Moment::of_ms(said.began_ms)),
        ends: Some(Moment::of_ms(said.expires_ms)),
        said,
    };
    let status = status_beside(refused.as_ref());
    let title = visitor.language().sentence("people-title", []);
    page_with(
        status,
        &OwnPage {
            f: visitor.frame(&title, "people"),
            sessions: sessions.into_iter().map(line).collect(),
            passkey_host: passkeys.passkey_host.take(),
            passkeys: passkeys.into_lines(),
            refused,
            done,
        },
    )
}

/// The page of one's own account, and the way to the others.
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(query): PageQuery<DoneQuery>,
) -> Response {
    own_page_saying(&console, &visitor, None, query.done.is_some()).await
}

/// The old password and the new one.
#[derive(Deserialize)]
pub(crate) struct PasswordForm {
    old: String,
    new: String,
}

/// Changes the password; the other sessions end.
pub(crate) async fn change_password(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PasswordForm>,
) -> Response {
    let body = json!({"old": form.old, "new": form.new});
    let said = console
        .api
        .post::<Value>(&visitor.asker, "/v1/password", &body, None)
        .await;
    match said {
        Ok(_) => see_other("/console/people?done=password"),
        Err(refused) => own_page(&console, &visitor, Some(refused)).await,
    }
}

/// Which session.
#[derive(Deserialize)]
pub(crate) struct SessionForm {
    name: String,
}

/// Ends a session.
pub(crate) async fn end_session(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<SessionForm>,
) -> Response {
    let path = format!("/v1/sessions/{}", query_escaped(&form.name));
    match console.api.delete(&visitor.asker, &path).await {
        Ok(_) => see_other("/console/people"),
        Err(refused) => own_page(&console, &visitor, Some(refused)).await,
    }
}
