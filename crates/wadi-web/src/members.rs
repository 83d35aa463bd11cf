//! Who belongs to the network, who was a member when, and by whose act.

use crate::{
    Problem, Token,
    answers::{MemberActsAnswer, MembersAnswer},
    filters, pages,
    problem::unprocessable,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::IntoParams;
use wadi_log::{Control, CutTarget, Enrolment, MemberAct, NodeId, Role, SaidMemberAct};
use wadi_node::Node;

/// As of when.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct MembersQuery {
    /// What was in force by what had been said by then, Unix milliseconds of the hub's time; now,
    /// where it is left out.
    at_ms: Option<i64>,
}

/// The members of the network: every node that is enrolled, and how it stands, now or at a time.
#[utoipa::path(
    get,
    path = "/v1/members",
    params(MembersQuery),
    tag = "sites",
    responses((status = 200, description = "members", body = MembersAnswer)),
)]
pub(crate) async fn members(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<MembersQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    let Query(query) = query?;
    let view = node.view();
    let mut members: Vec<Value> = match query.at_ms {
        None => {
            let is_spare = |id: &NodeId| view.is_spare(id);
            let all = view.control.enrolments();
            all.map(|e| member_json(&view.control, e, is_spare))
                .collect()
        }
        Some(then_ms) => {
            let then = view.control.as_of(then_ms);
            let is_spare = |id: &NodeId| !then.spare_declarations(id).is_empty();
            let all = then.enrolments();
            all.map(|e| member_json(&then, e, is_spare)).collect()
        }
    };

    members.retain(|member| reading.shows_place(member));
    Ok(Json(json!({"members": members})))
}

fn member_json(c: &Control, e: &Enrolment, is_spare: impl Fn(&NodeId) -> bool) -> Value {
    let id = e.node();
    json!({
        "node": e.name,
        "id": id.to_string(),
        "role": e.role.name(),
        "crossing": e.crossing.map(|c| c.to_string()),
        "issued_s": e.issued_s,
        "cut": c.is_cut(&id),
        "forked": c.forks().keys().any(|log| log.node == id),
        "closed_s": e.crossing.and_then(|crossing| c.closed_s(crossing)),
        "spare": is_spare(&id),
    })
}

/// Which acts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct MemberActsQuery {
    /// Only acts on this node, by its name.
    node: Option<String>,
    /// Only what was said by then, Unix milliseconds.
    until_ms: Option<i64>,
    /// The `id` of the last act of the page before.
    after: Option<String>,
    /// Acts at most; as many as fit in 50,000 bytes, where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// Who became a member when, who ceased to be one, and by whose act: enrolments, cuts, what takes
/// cuts back, closures, admissions and spares, the oldest first, with the entry that says each.
#[utoipa::path(
    get,
    path = "/v1/members/acts",
    params(MemberActsQuery),
    tag = "sites",
    responses(
        (status = 200, description = "acts on membership", body = MemberActsAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn acts(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<MemberActsQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    let Query(query) = query?;
    let rows = pages::rows(query.limit)? as usize;
    let named = query.node.as_deref();
    let named = named.map(|name| filters::member(&node, name)).transpose()?;
    let control = node.view().control.clone();

    let mut lines = act_lines(&control);
    lines.retain(|line| reading.shows_place(line));
    lines.retain(|line| named.is_none() || line["node"].as_str() == named.as_deref());
    lines.retain(|line| query.until_ms.is_none_or(|until| at_ms(line) <= until));
    if let Some(after) = &query.after {
        let last = lines
            .iter()
            .position(|line| line["id"].as_str() == Some(after));
        let last = last.ok_or_else(|| {
            let why = "after: no act of that id is known here; begin from the first page";
            unprocessable("bad_cursor", why)
        })?;
        lines.drain(..=last);
    }

    let first: Vec<&Value> = lines.iter().take(rows).collect();
    let beside = json!({"acts": [], "next_after": "x".repeat(200)});
    let shown = pages::fitting(first.iter().copied(), &beside, query.limit);
    let next = first.get(..shown).and_then(|page| page.last());
    let next = next
        .filter(|_| shown < lines.len())
        .map(|line| line["id"].clone());

    Ok(Json(
        json!({"acts": first.get(..shown), "next_after": next}),
    ))
}

fn at_ms(line: &Value) -> i64 {
    line["at_ms"].as_i64().unwrap_or_default()
}

/// All acts that are known, the oldest first.
fn act_lines(c: &Control) -> Vec<Value> {
    let mut said_enrolments: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut lines: Vec<Value> = Vec::new();
    for said in c.member_acts() {
        if let MemberAct::Enrolled(e) = said.act {
            said_enrolments.insert(e.to_bytes());
        }
        lines.push(act_line(c, &said));
    }

    // Papers that no hub said: a node shows them itself, and the root's signature is all there is.
    let unsaid = c
        .enrolments()
        .filter(|e| !said_enrolments.contains(&e.to_bytes()));
    lines.extend(unsaid.map(|e| {
        let mut line = empty_line("enrolled");
        line["id"] = format!("enrolment:{}:{}", e.node(), e.serial).into();
        line["at_ms"] = e.issued_s.saturating_mul(1_000).into();
        line["root_signed"] = true.into();
        line["counts"] = true.into();
        describe_enrolment(&mut line, e);
        line
    }));

    lines.sort_by_key(|line| (at_ms(line), line["id"].to_string()));
    lines
}

fn empty_line(act: &str) -> Value {
    json!({
        "id": "", "at_ms": 0, "act": act, "node": null, "node_id": null, "role": null,
        "crossing": null, "serial": null, "log": null, "closed_s": null, "entries": null,
        "successor": null,
        "by": "", "by_token": "", "said_at": "", "by_hub": false, "root_signed": false,
        "counts": false, "reason": "", "entry": null, "replaces": [],
    })
}

fn act_line(c: &Control, said: &SaidMemberAct<'_>) -> Value {
    let name = match said.act {
        MemberAct::Enrolled(_) => "enrolled",
        MemberAct::Cut(cut) if cut.lifted => "uncut",
        MemberAct::Cut(_) => "cut",
        MemberAct::Admitted { .. } => "admitted",
        MemberAct::Closed(_) => "closed",
        MemberAct::Spare(spare) if spare.ends.is_empty() => "spare",
        MemberAct::Spare(_) => "spare_ended",
    };
    let author = &said.reference.log.node;
    let mut line = empty_line(name);
    line["id"] = said.reference.to_string().into();
    line["entry"] = said.reference.to_string().into();
    line["at_ms"] = said.said_ms.into();
    line["by"] = said.officer.into();
    line["by_token"] = said.by_token.into();
    line["said_at"] = name_of(c, author).into();
    line["by_hub"] = (c.role(author) == Some(Role::Hub)).into();
    line["counts"] = said.counts.into();
    describe_act(c, &mut line, &said.act);
    line
}

/// What an act does, and to whom.
fn describe_act(c: &Control, line: &mut Value, act: &MemberAct<'_>) {
    let texts = |all: &[wadi_log::Reference]| -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    };

    match act {
        MemberAct::Enrolled(e) => {
            line["root_signed"] = true.into();
            describe_enrolment(line, e);
        }
        MemberAct::Cut(cut) => {
            let node = match cut.target {
                CutTarget::Node(node) => node,
                CutTarget::Log(log) => {
                    line["log"] = log.origin().into();
                    log.node
                }
            };
            describe_node(c, line, &node);
            line["root_signed"] = cut.is_root_signed(c.root()).into();
            line["entries"] = cut
                .heads
                .iter()
                .map(|head| head.size)
                .fold(0, u64::saturating_add)
                .into();
            line["reason"] = cut.reason.clone().into();
            line["successor"] = cut.successor.map(|by| name_of(c, &by)).into();
            line["replaces"] = texts(&cut.extends).into();
        }
        MemberAct::Admitted { entries, reason } => {
            if let Some(first) = entries.first() {
                describe_node(c, line, &first.log.node);
            }
            line["entries"] = entries.len().into();
            line["reason"] = (*reason).into();
        }
        MemberAct::Closed(closure) => {
            line["crossing"] = closure.crossing.to_string().into();
            line["closed_s"] = closure.closed_s.into();
            line["reason"] = closure.reason.clone().into();
        }
        MemberAct::Spare(spare) => {
            describe_node(c, line, &spare.node);
            line["reason"] = spare.reason.clone().into();
            line["replaces"] = texts(&spare.ends).into();
        }
    }
}

fn describe_enrolment(line: &mut Value, e: &Enrolment) {
    line["node"] = e.name.clone().into();
    line["node_id"] = e.node().to_string().into();
    line["role"] = e.role.name().into();
    line["crossing"] = e.crossing.map(|c| c.to_string()).into();
    line["serial"] = e.serial.into();
}

fn describe_node(c: &Control, line: &mut Value, node: &NodeId) {
    line["node_id"] = node.to_string().into();
    if let Some(e) = c.enrolment(node) {
        line["node"] = e.name.clone().into();
        line["role"] = e.role.name().into();
        line["crossing"] = e.crossing.map(|c| c.to_string()).into();
    }
}

fn name_of(c: &Control, node: &NodeId) -> String {
    c.enrolment(node)
        .map_or_else(|| node.to_string(), |e| e.name.clone())
}
