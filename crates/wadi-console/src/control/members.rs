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
    records::times::time_ms,
    sites::answers::{MembersRead, SitesRead},
    visitor::Visitor,
};
use askama::Template;
use axum::{Form, extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::{Value, json};

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
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "control_members.html")]
struct MembersPage {
    f: PageFrame,
    members: Vec<MemberLine>,
    any_cut: bool,
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
            is_cut: m.cut,
        }
    };

    Ok(MembersPage {
        any_cut: members.members.iter().any(|m| m.cut),
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

/// A node to be cut, and where the cut falls.
#[derive(Deserialize)]
pub(super) struct CutForm {
    node: String,
    reason: String,
    /// `held`, `since` or `nothing`; what is held counts where it is left out.
    #[serde(default)]
    counts: String,
    /// For `since`: a day, or a day with a time.
    #[serde(default)]
    since: String,
}

/// What a form of a cut says.
fn cut_body(form: &CutForm) -> Option<Value> {
    let reason = form.reason.trim();
    let mut body = json!({"say": "cut_node", "node": form.node, "reason": reason});
    match form.counts.as_str() {
        "" | "held" => {}
        "nothing" => body["all"] = true.into(),
        "since" => body["since_ms"] = time_ms(&form.since)?.into(),
        _ => return None,
    }

    Some(body)
}

/// Shows what cutting the node would do.
pub(super) async fn look_at_cut(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<CutForm>,
) -> Response {
    let Some(body) = cut_body(&form) else {
        let language = visitor.language();
        let why = language.sentence("control-cut-wrong-since", []);
        let refused = Refused::new(
            language,
            StatusCode::UNPROCESSABLE_ENTITY,
            "bad_control",
            why,
        );
        return refused.page(&visitor);
    };

    let intent = Intent {
        body,
        title: "control-cut",
        warning: "control-cut-warning",
        back: PATH,
        revision: None,
    };
    look(&console, &visitor, intent).await
}

/// A node whose cuts are to be taken back.
#[derive(Deserialize)]
pub(super) struct UncutForm {
    node: String,
    reason: String,
}

/// Shows what taking the cuts back would do.
pub(super) async fn look_at_uncut(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<UncutForm>,
) -> Response {
    let intent = Intent {
        body: json!({"say": "uncut_node", "node": form.node, "reason": form.reason.trim()}),
        title: "control-uncut",
        warning: "control-uncut-warning",
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

#[cfg(test)]
mod tests {
    use super::*;

    fn form(counts: &str, since: &str) -> CutForm {
        CutForm {
            node: "trb".into(),
            reason: " stolen ".into(),
            counts: counts.into(),
            since: since.into(),
        }
    }

    #[test]
    fn a_cut_falls_where_the_form_says_and_a_form_that_does_not_read_cuts_nothing() {
        let held = json!({"say": "cut_node", "node": "trb", "reason": "stolen"});
        assert_eq!(cut_body(&form("held", "2026-03-01")), Some(held));
        assert_eq!(cut_body(&form("nothing", "")).unwrap()["all"], true);

        let since = cut_body(&form("since", "2026-03-01T08:00")).unwrap();
        assert_eq!(since["since_ms"], 1_772_341_200_000_i64);
        assert_eq!(cut_body(&form("since", "yesterday")), None);
        assert_eq!(cut_body(&form("all", "")), None);
    }
}
