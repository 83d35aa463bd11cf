//! The first page: where a visitor's work begins.

use crate::{Console, answer, frame::Frame, visitor::Visitor};
use askama::Template;
use axum::{extract::State, response::Response};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    f: Frame,
}

/// The first page.
pub(crate) async fn show(State(_): State<Console>, visitor: Visitor) -> Response {
    let title = visitor.language().sentence("home-title", []);
    answer::page(&HomePage {
        f: visitor.frame(&title, "home"),
    })
}
