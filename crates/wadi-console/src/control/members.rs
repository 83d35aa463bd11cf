//! Members: the nodes that are enrolled, their certificates and cuts, and the officers.

use super::{
    answers::{OfficerRead, OfficersRead},
    frame, is_hub, is_operator,
    sign::{Intent, look},
};
use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    sites::answers::{MembersRead, SitesRead},
    visitor::Visitor,
};
use askama::Template;
use axum::{Form, extract::State, response::Response};
use serde::Deserialize;
use serde_json::json;

const PATH: &str = "/console/control/members";
const DAY_S: i64 = 86_400;
/// Departments that an officer may be of.
const DEPARTMENTS: [&str; 13] = [
    "OPS", "PORT", "CUS", "PAS", "AGR", "VET", "HLT", "COS", "RAD", "SEC", "K9", "IT", "HUB",
];

/// A node in the table.
struct MemberLine {
    name: String,
    id: String,
    role: String,
    crossing: String,
    issued: Moment,
    certificate: String,
    state: String,
    state_kind: &'static str,
    may_be_cut: bool,
}

#[derive(Template)]
#[template(path = "control_members.html")]
struct MembersPage {
    f: PageFrame,
    members: Vec<MemberLine>,
    officers: Vec<OfficerRead>,
    cuts: Vec<String>,
    departments: &'static [&'static str],
    may_change: bool,
}

/// The members and officers.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Response {
    match read_page(&console, &visitor).await {
        Ok(page) => answer::page(&page),
        Err(refused) => refused.page(&visitor),
    }
}

async fn read_page(console: &Console, visitor: &Visitor) -> Result<MembersPage, Refused> {
    let (api, asker) = (&console.api, &visitor.asker);
    let members: MembersRead = api.get(asker, "/v1/members").await?;
    let officers: OfficersRead = api.get(asker, "/v1/officers").await?;
    let sites: SitesRead = api.get(asker, "/v1/sites").await?;

    let f = frame(visitor, "control-members");
    let line = |m: &crate::sites::answers::MemberRead| {
        let peer = sites.peers.iter().find(|p| p.node == m.node);
        let ends_s = peer.and_then(|p| p.certificate_ends_s);
        let (state, state_kind) = match (m.cut, m.forked, m.closed_s) {
            (true, _, _) => (f.say("control-member-cut"), "bad"),
            (_, true, _) => (f.say("control-member-forked"), "bad"),
            (_, _, Some(_)) => (f.say("control-member-closed"), "note"),
            _ => (f.say("control-member-enrolled"), "good"),
        };
        MemberLine {
            name: m.node.clone(),
            id: m.id.clone(),
            role: f.say(&format!("control-role-{}", m.role)),
            crossing: m.crossing.clone().unwrap_or_default(),
            issued: Moment::of_ms(m.issued_s.saturating_mul(1_000)),
            certificate: match ends_s {
                Some(s) => f.say_n(
                    "sites-days",
                    ((s * 1_000 - sites.now_ms) / 1_000 / DAY_S).max(0),
                ),
                None => f.say("sites-unknown"),
            },
            state,
            state_kind,
            may_be_cut: !m.cut && m.node != sites.node,
        }
    };

    Ok(MembersPage {
        members: members.members.iter().map(line).collect(),
        officers: officers.officers,
        cuts: sites.cuts.clone(),
        departments: &DEPARTMENTS,
        may_change: is_operator(&f) && is_hub(&f),
        f,
    })
}

/// An officer to be registered, or whose registration ends.
#[derive(Deserialize)]
pub(super) struct OfficerForm {
    officer: String,
    department: String,
    #[serde(default)]
    crossing: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    supervisor: String,
    #[serde(default)]
    revoked: String,
}

/// Shows what registering the officer would change.
pub(super) async fn look_at_officer(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<OfficerForm>,
) -> Response {
    let crossing = form.crossing.trim().to_uppercase();
    let is_revoked = !form.revoked.is_empty();
    let intent = Intent {
        body: json!({
            "say": "officer",
            "officer": form.officer.trim(),
            "department": form.department,
            "crossing": (!crossing.is_empty()).then_some(crossing),
            "name": form.name.trim(),
            "supervisor": !form.supervisor.is_empty(),
            "revoked": is_revoked,
        }),
        title: match is_revoked {
            true => "control-officer-revoke",
            false => "control-officer-register",
        },
        warning: "control-officer-warning",
        back: PATH,
        revision: None,
    };
    look(&console, &visitor, intent).await
}

/// A node to be cut.
#[derive(Deserialize)]
pub(super) struct CutForm {
    node: String,
    reason: String,
}

/// Shows what cutting the node would do.
pub(super) async fn look_at_cut(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<CutForm>,
) -> Response {
    let intent = Intent {
        body: json!({"say": "cut_node", "node": form.node, "reason": form.reason.trim()}),
        title: "control-cut",
        warning: "control-cut-warning",
        back: PATH,
        revision: None,
    };
    look(&console, &visitor, intent).await
}

/// An enrolment that the root signed.
#[derive(Deserialize)]
pub(super) struct EnrolForm {
    enrolment: String,
}

/// Shows whom the enrolment takes in.
pub(super) async fn look_at_enrolment(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<EnrolForm>,
) -> Response {
    let intent = Intent {
        body: json!({"say": "enrol", "enrolment": form.enrolment.trim()}),
        title: "control-enrol",
        warning: "control-enrol-warning",
        back: PATH,
        revision: None,
    };
    look(&console, &visitor, intent).await
}
