//! The first page: where a visitor's work begins.

use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    visitor::{Guest, Visitor},
};
use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    f: PageFrame,
}

/// The first page.
pub(crate) async fn show(State(_): State<Console>, visitor: Visitor) -> Response {
    let title = visitor.language().sentence("home-title", []);
    answer::page(&HomePage {
        f: visitor.frame(&title, "home"),
    })
}

/// An address of the console at which there is nothing.
pub(crate) async fn nowhere(signed_in: Result<Visitor, Response>, guest: Guest) -> Response {
    let visitor = signed_in.unwrap_or(guest.0);
    let language = visitor.language();
    let detail = language.sentence("home-nowhere", []);
    Refused::new(language, StatusCode::NOT_FOUND, "not_found", detail).page(&visitor)
}
