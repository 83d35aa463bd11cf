//! Links that work once: an invitation, by which a person chooses a password, and one that signs
//! its own bearer in. Reading the page uses neither up: only the form does.

use crate::{
    Console,
    answer::{page_with, see_other, status_beside},
    api::{ApiCaller, Refused},
    frame::PageFrame,
    sign_in::begin_session,
    visitor::Guest,
};
use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::json;

/// The code of a link.
#[derive(Default, Deserialize)]
pub(crate) struct CodeQuery {
    #[serde(default)]
    code: String,
}

/// Whose invitation it is.
#[derive(Default, Deserialize)]
struct InvitedSaid {
    account: String,
    person: String,
    characters_min: u64,
}

impl InvitedSaid {
    /// Characters of a password at least.
    fn characters(&self) -> u64 {
        self.characters_min
    }
}

#[derive(Template)]
#[template(path = "people/invitation.html")]
struct InvitationPage {
    f: PageFrame,
    code: String,
    invited: Option<InvitedSaid>,
    refused: Option<Refused>,
}

async fn invitation_page(
    console: &Console,
    guest: &Guest,
    code: &str,
    refused: Option<Refused>,
) -> Response {
    let asked = console
        .api
        .post::<InvitedSaid>(
            &guest.0.asker,
            "/v1/invitations/show",
            &json!({"code": code}),
            None,
        )
        .await;
    let (invited, refused) = match (asked, refused) {
        (Ok(invited), refused) => (Some(invited), refused),
        (Err(_), Some(refused)) | (Err(refused), None) => (None, Some(refused)),
    };
    let status = status_beside(refused.as_ref());
    let title = guest.0.language().sentence("invitation-title", []);
    page_with(
        status,
        &InvitationPage {
            f: guest.0.frame(&title, ""),
            code: code.into(),
            invited,
            refused,
        },
    )
}

/// The page on which somebody who is invited chooses a password.
pub(crate) async fn show(
    State(console): State<Console>,
    guest: Guest,
    Query(query): Query<CodeQuery>,
) -> Response {
    invitation_page(&console, &guest, &query.code, None).await
}

/// The password that was chosen, twice.
#[derive(Deserialize)]
pub(crate) struct ChosenForm {
    code: String,
    password: String,
    again: String,
}

/// A session that begins.
#[derive(Deserialize)]
pub(crate) struct Begun {
    /// Its token.
    pub token: String,
}

/// Takes the invitation up.
pub(crate) async fn accept(
    State(console): State<Console>,
    guest: Guest,
    Form(form): Form<ChosenForm>,
) -> Response {
    if form.password != form.again {
        let refused = Refused::new(
            guest.0.language(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "passwords_differ",
            "the two passwords are not the same",
        );
        return invitation_page(&console, &guest, &form.code, Some(refused)).await;
    }

    let body = json!({"code": form.code, "password": form.password});
    let said = console
        .api
        .post::<Begun>(&guest.0.asker, "/v1/invitations/accept", &body, None)
        .await;
    match said {
        Ok(begun) => begin_session(&console, &guest.0, &begun.token, "/console").await,
        Err(refused) => invitation_page(&console, &guest, &form.code, Some(refused)).await,
    }
}

#[derive(Template)]
#[template(path = "people/link.html")]
struct LinkPage {
    f: PageFrame,
    code: String,
    refused: Option<Refused>,
}

fn link_page(guest: &Guest, code: &str, refused: Option<Refused>) -> Response {
    let status = status_beside(refused.as_ref());
    let title = guest.0.language().sentence("link-title", []);
    page_with(
        status,
        &LinkPage {
            f: guest.0.frame(&title, ""),
            code: code.into(),
            refused,
        },
    )
}

/// The page on which a link signs in.
pub(crate) async fn show_link(guest: Guest, Query(query): Query<CodeQuery>) -> Response {
    match query.code.is_empty() {
        true => see_other("/console/sign-in"),
        false => link_page(&guest, &query.code, None),
    }
}

/// Signs in by the link.
pub(crate) async fn follow_link(
    State(console): State<Console>,
    guest: Guest,
    Form(form): Form<CodeQuery>,
) -> Response {
    let asker = ApiCaller {
        ..guest.0.asker.clone()
    };
    let said = console
        .api
        .post::<Begun>(&asker, "/v1/sessions", &json!({"code": form.code}), None)
        .await;
    match said {
        Ok(begun) => begin_session(&console, &guest.0, &begun.token, "/console").await,
        Err(refused) => link_page(&guest, "", Some(refused)),
    }
}
