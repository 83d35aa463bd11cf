//! What operators do: resyncs, refusals, members, comparisons, policy.

mod answers;
mod compare;
mod members;
mod policy;
mod refused;
mod resyncs;
mod sign;

use crate::{Console, answer, frame::PageFrame, visitor::Visitor};
use askama::Template;
use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/control", get(show))
        .route(
            "/console/control/resyncs",
            get(resyncs::show_list).post(resyncs::plan),
        )
        .route("/console/control/resyncs/{id}", get(resyncs::show))
        .route(
            "/console/control/resyncs/{id}/{act}",
            get(resyncs::ask).post(resyncs::act),
        )
        .route("/console/control/refused", get(refused::show))
        .route("/console/control/admit", post(refused::look_at_admission))
        .route("/console/control/dismiss", post(refused::dismiss))
        .route("/console/control/members", get(members::show))
        .route("/console/control/officer", post(members::look_at_officer))
        .route("/console/control/cut", post(members::look_at_cut))
        .route("/console/control/uncut", post(members::look_at_uncut))
        .route("/console/control/enrol", post(members::look_at_enrolment))
        .route("/console/control/compare", get(compare::show))
        .route(
            "/console/control/policy",
            get(policy::show).post(policy::look_at),
        )
        .route("/console/control/sign", post(sign::sign))
}

/// A page of this part, as the beginning names it.
struct ControlPart {
    path: &'static str,
    title: &'static str,
    about: &'static str,
}

const WAYS: [ControlPart; 5] = [
    ControlPart {
        path: "/console/control/resyncs",
        title: "control-resyncs",
        about: "control-resyncs-about",
    },
    ControlPart {
        path: "/console/control/refused",
        title: "control-refused",
        about: "control-refused-about",
    },
    ControlPart {
        path: "/console/control/members",
        title: "control-members",
        about: "control-members-about",
    },
    ControlPart {
        path: "/console/control/compare",
        title: "control-compare",
        about: "control-compare-about",
    },
    ControlPart {
        path: "/console/control/policy",
        title: "control-policy",
        about: "control-policy-about",
    },
];

#[derive(Template)]
#[template(path = "control.html")]
struct ControlPage {
    f: PageFrame,
    ways: &'static [ControlPart],
}

async fn show(State(_): State<Console>, visitor: Visitor) -> Response {
    answer::page(&ControlPage {
        f: frame(&visitor, "part-control"),
        ways: &WAYS,
    })
}

/// The frame of a page of this part, whose title is that sentence.
fn frame(visitor: &Visitor, title: &str) -> PageFrame {
    let title = visitor.language().sentence(title, []);
    visitor.frame(&title, "control")
}

/// Whether the visitor may do what operators do; the API decides, the pages only offer it.
fn is_operator(f: &PageFrame) -> bool {
    f.who.is == "operator"
}

/// Whether the node is a hub: there alone control facts are said.
fn is_hub(f: &PageFrame) -> bool {
    f.who.role == "hub"
}
