//! The first page: where a visitor's work begins.

use crate::{Console, answer, frame::PageFrame, visitor::Visitor};
use askama::Template;
use axum::{extract::State, response::Response};

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
