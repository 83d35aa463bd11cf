//! One's own passkeys: listed, added with the browser's help, and removed after being asked.

use super::own::own_page;
use crate::{
    Console,
    answer::{for_script, page, see_other},
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    sign_in::answer_of_browser,
    values::query_escaped,
    visitor::Visitor,
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The passkeys of an account, and where they are used.
#[derive(Default, Deserialize)]
pub(super) struct OwnPasskeys {
    pub(super) passkey_host: Option<String>,
    passkeys: Vec<PasskeySaid>,
}

#[derive(Deserialize)]
struct PasskeySaid {
    id: String,
    name: String,
    created_ms: i64,
    used_ms: Option<i64>,
    copied: bool,
}

/// A passkey in the list.
pub(super) struct PasskeyLine {
    said: PasskeySaid,
    pub(super) created: Option<Moment>,
    pub(super) used: Option<Moment>,
}

impl PasskeyLine {
    /// What its owner calls it.
    pub(super) fn name(&self) -> &str {
        &self.said.name
    }

    /// Where it is removed.
    pub(super) fn removal(&self) -> String {
        let id = query_escaped(&self.said.id);
        format!("/console/people/passkeys/{id}/remove")
    }

    /// Whether its counter went back.
    pub(super) fn is_copied(&self) -> bool {
        self.said.copied
    }
}

impl OwnPasskeys {
    /// Those of the visitor.
    pub(super) async fn read(console: &Console, visitor: &Visitor) -> Result<Self, Refused> {
        console.api.get(&visitor.asker, "/v1/passkeys").await
    }

    /// Lines of the list.
    pub(super) fn into_lines(self) -> Vec<PasskeyLine> {
        let line = |said: PasskeySaid| PasskeyLine {
            created: Some(Moment::of_ms(said.created_ms)),
            used: said.used_ms.map(Moment::of_ms),
            said,
        };
        self.passkeys.into_iter().map(line).collect()
    }
}

/// The password of the one who adds a passkey.
#[derive(Deserialize)]
pub(crate) struct PasskeyPasswordForm {
    password: String,
}

/// A challenge to add a passkey, for the script.
pub(crate) async fn challenge(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PasskeyPasswordForm>,
) -> Response {
    let body = json!({"password": form.password});
    let path = "/v1/passkeys/challenge";
    let said = console
        .api
        .post::<Value>(&visitor.asker, path, &body, None)
        .await;
    for_script(said)
}

/// A passkey that the browser made.
#[derive(Deserialize)]
pub(crate) struct PasskeyForm {
    name: String,
    credential: String,
}

/// Adds it.
pub(crate) async fn add(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PasskeyForm>,
) -> Response {
    let body = json!({"name": form.name, "credential": answer_of_browser(&form.credential)});
    let said = console
        .api
        .post::<Value>(&visitor.asker, "/v1/passkeys", &body, None)
        .await;
    match said {
        Ok(_) => see_other("/console/people#passkeys"),
        Err(refused) => own_page(&console, &visitor, Some(refused)).await,
    }
}

#[derive(Template)]
#[template(path = "people/passkey_ask.html")]
struct PasskeyAskPage {
    f: PageFrame,
    id: String,
    what: String,
}

/// Asks once more before a passkey is removed.
pub(crate) async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let own = match OwnPasskeys::read(&console, &visitor).await {
        Ok(own) => own,
        Err(refused) => return refused.page(&visitor),
    };
    let language = visitor.language();
    let Some(passkey) = own.passkeys.into_iter().find(|one| one.id == id) else {
        let refused = Refused::new(
            language,
            StatusCode::NOT_FOUND,
            "no_such_passkey",
            language.sentence("people-passkey-gone", []),
        );
        return own_page(&console, &visitor, Some(refused)).await;
    };

    let title = language.sentence("people-passkey-remove", []);
    let f = visitor.frame(&title, "people");
    page(&PasskeyAskPage {
        what: f.say_of("people-passkey-removed-ends", &passkey.name),
        id: passkey.id,
        f,
    })
}

/// Which passkey.
#[derive(Deserialize)]
pub(crate) struct PasskeyIdForm {
    id: String,
}

/// Removes it.
pub(crate) async fn remove(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PasskeyIdForm>,
) -> Response {
    let path = format!("/v1/passkeys/{}", query_escaped(&form.id));
    match console.api.delete(&visitor.asker, &path).await {
        Ok(_) => see_other("/console/people#passkeys"),
        Err(refused) => own_page(&console, &visitor, Some(refused)).await,
    }
}
