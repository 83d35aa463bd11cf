//! What operators of a hub say in its control log, in whose name, and what that would change.

use crate::{
    Problem, Token,
    answers::ControlAnswer,
    cuts::{cut_of_node, signed_cut, spare_of_node, succession, uncut},
    foresee::{check_admission, foresee_control},
    language::language_for,
    policy::{emptied, policy_entry},
    problem::unprocessable,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use wadi_log::{
    Admit, Body, Closure, Crossing, Enrolment, OfficerEntry, OfficerKeyEntry, Reference, SshKey,
};
use wadi_node::{Node, check_name};
use wadi_record::{
    Department, hint, impossible_time, is_blank, nearest, normalise_reference, unlikely_time,
};

/// How far an operator's clock may be ahead of the node's.
const CLOCKS_APART_MS: i64 = 3_600_000;

/// A control fact that an operator of the hub says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "say", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum ControlBody {
    Officer {
        officer: String,
        department: String,
        crossing: Option<String>,
        #[serde(default)]
        supervisor: bool,
        #[serde(default)]
        revoked: bool,
        #[serde(default)]
        name: String,
    },
    /// Names a key of an officer's own, which may sign decisions, or takes it back.
    OfficerKey {
        officer: String,
        /// The line of an OpenSSH public key of type ssh-ed25519, as a `.pub` file has it.
        key: String,
        /// It signs no longer.
        #[serde(default)]
        taken_back: bool,
    },
    /// Values of a policy: what it leaves out stays as it is. In members that are objects one
    /// can be set alone. Null gives a value, or one within a value, its default back, and takes
    /// away what has none.
    Policy { policy: Value },
    /// An enrolment that the root signed, in hexadecimal.
    Enrol { enrolment: String },
    /// Cuts a node at what this hub holds of it.
    CutNode {
        node: String,
        reason: String,
        /// Nothing that it ever said counts.
        #[serde(default)]
        all: bool,
        /// Only what a hub had cosigned by then counts, Unix milliseconds.
        since_ms: Option<i64>,
    },
    /// Takes back what stands against a node as a whole: all that it said counts again.
    UncutNode { node: String, reason: String },
    /// Ends a node at what this hub holds of it, all of which counts on, because another one goes
    /// on in its place: its log key or its machine was replaced.
    SucceedNode {
        node: String,
        /// The node that goes on, of the same crossing.
        by: String,
        reason: String,
    },
    /// Carries a cut that the root signed, as `wadi pki cut` writes it: hexadecimal, a part a
    /// line. Any member that writes may.
    CutSigned { cut: String },
    /// Lets single entries past a cut count.
    Admit {
        entries: Vec<String>,
        reason: String,
    },
    Closure {
        crossing: String,
        closed_s: i64,
        reason: String,
    },
    /// Declares that a node which was enrolled and never heard is a spare: nobody waits for it
    /// until it is heard. It takes an operator's token that names its person.
    Spare {
        node: String,
        reason: String,
        /// It is a spare no longer, and waited for.
        #[serde(default)]
        end: bool,
    },
}

impl ControlBody {
    /// Whether it is said by a person, by name: a registration, which names one itself, and an
    /// enrolment, which the root signed, are taken from the machine's own token as they come.
    fn needs_person(&self) -> bool {
        match self {
            Self::Officer { .. } | Self::OfficerKey { .. } | Self::Enrol { .. } => false,
            Self::Policy { .. }
            | Self::CutNode { .. }
            | Self::UncutNode { .. }
            | Self::SucceedNode { .. }
            | Self::CutSigned { .. }
            | Self::Admit { .. }
            | Self::Closure { .. }
            | Self::Spare { .. } => true,
        }
    }
}

/// Whether something is only asked about, and whose act it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ControlQuery {
    /// Write nothing, and answer with what it would change.
    dry_run: bool,
    /// The person whose act it is, where the token is nobody's own: then all but registrations and
    /// enrolments need it. The entry says that the token named them.
    person: Option<String>,
}

/// Writes a control fact into this node's own control log, in the name of the person whose token it
/// is, or whom the request names; or, asked for a dry run, says what it would change. All but a cut
/// that the root signed is for hubs to say.
#[utoipa::path(
    post,
    path = "/v1/control",
    params(ControlQuery),
    request_body = ControlBody,
    tag = "sites",
    responses(
        (status = 201, description = "written", body = ControlAnswer),
        (status = 200, description = "a dry run: what it would change", body = ControlAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn control(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<ControlQuery>, QueryRejection>,
    headers: HeaderMap,
    body: StrictBody<ControlBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    let Query(query) = query?;
    // A dry run tells, too, that the act would be refused.
    token.check_named(query.person.as_deref())?;
    if matches!(body.said, ControlBody::Spare { .. }) && token.person.is_empty() {
        return Err(unprocessable(
            "person_missing",
            "for whom is waited is said by a person: use an operator's token that names one, as \
             `wadi token issue layla --operator --person \"Layla Hasan\"` makes it",
        ));
    }

    let needs_person = body.said.needs_person();
    let said = control_entries(&node, body.said).await?;
    let language = language_for(&headers, &token);
    let told = |why: String| language.warning(&why).unwrap_or(why);
    let warnings: Vec<String> = emptied(&node, &said).into_iter().map(told).collect();
    if query.dry_run {
        let mut changes = foresee_control(&node, &said).await?;
        if !warnings.is_empty() {
            changes["warnings"] = json!(warnings);
        }
        return Ok((
            StatusCode::OK,
            Json(json!({"dry_run": true, "would": changes})),
        ));
    }

    for body in &said {
        if let Body::Admit(admit) = body {
            check_admission(&node, admit).await?;
        }
    }

    let named = query.person.as_deref();
    let signatory = match needs_person {
        true => token.signatory(named)?,
        false => token.signatory_if_named(named)?,
    };
    let written = node.write_control(said, signatory).await?;
    let entries: Vec<String> = written.iter().map(ToString::to_string).collect();
    let mut answer = json!({"entries": entries});
    if !warnings.is_empty() {
        answer["warnings"] = json!(warnings);
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

/// What is to be written: one entry, or a cut in as many as its heads need.
async fn control_entries(node: &Node, body: ControlBody) -> Result<Vec<Body>, Problem> {
    let cuts = match body {
        ControlBody::CutNode {
            node: name,
            reason,
            all,
            since_ms,
        } => cut_of_node(node, &name, reason, all, since_ms).await?,
        ControlBody::SucceedNode {
            node: name,
            by,
            reason,
        } => succession(node, &name, &by, reason)?,
        ControlBody::UncutNode { node: name, reason } => vec![uncut(node, &name, reason)?],
        ControlBody::CutSigned { cut } => signed_cut(node, &cut)?,
        other => return Ok(vec![control_entry(node, other)?]),
    };

    Ok(cuts.into_iter().map(Body::Cut).collect())
}

fn control_entry(node: &Node, body: ControlBody) -> Result<Body, Problem> {
    let bad = bad_control;
    let crossing = |c: &str| c.parse().map_err(|e| bad(format!("{e}")));
    Ok(match body {
        ControlBody::Officer {
            officer,
            department,
            crossing: at,
            supervisor,
            revoked,
            name,
        } => {
            department.parse::<Department>()?;
            // Who was registered by a name that none may have any more can be ended.
            match revoked {
                true => check_revoked(node, &officer, &department)?,
                false => check_registered(node, &officer, &name)?,
            }

            let at: Option<Crossing> = at.as_deref().map(crossing).transpose()?;
            // What is signed stays for ever; one that stands there already can be ended.
            if let Some(at) = at.as_ref().filter(|_| !revoked) {
                crate::filters::crossing(node, &at.to_string())?;
            }

            let known = node.with_control(|c| {
                let all = c.officers().filter(|o| o.officer == officer);
                all.map(|o| o.revision).max()
            });

            Body::Officer(OfficerEntry {
                officer,
                department,
                crossing: at,
                supervisor,
                revision: known.unwrap_or(0) + 1,
                revoked,
                name,
            })
        }
        ControlBody::OfficerKey {
            officer,
            key,
            taken_back,
        } => Body::OfficerKey(officer_key(node, officer, &key, taken_back)?),
        ControlBody::Policy { policy } => policy_entry(node, policy)?,
        ControlBody::Enrol { enrolment } => {
            let bytes = wadi_log::unhex(&enrolment)
                .ok_or_else(|| bad("the enrolment is not hexadecimal".into()))?;
            Body::Enrolment(Enrolment::from_bytes(&bytes).map_err(|e| bad(e.to_string()))?)
        }
        ControlBody::CutNode { .. }
        | ControlBody::UncutNode { .. }
        | ControlBody::SucceedNode { .. }
        | ControlBody::CutSigned { .. } => {
            return Err(bad("a cut is made by itself".into()));
        }
        ControlBody::Admit { entries, reason } => {
            let entries: BTreeSet<Reference> = entries
                .iter()
                .map(|e| e.parse())
                .collect::<Result<_, _>>()
                .map_err(|e: wadi_log::LogError| bad(e.to_string()))?;
            let entries = entries.into_iter().collect();

            check_reason(&reason)?;
            Body::Admit(Admit { entries, reason })
        }
        ControlBody::Spare {
            node: name,
            reason,
            end,
        } => Body::Spare(spare_of_node(node, &name, reason, end)?),
        ControlBody::Closure {
            crossing: c,
            closed_s,
            reason,
        } => closure(node, crossing(&c)?, closed_s, reason)?,
    })
}

/// Refuses names that nobody may have.
fn check_registered(node: &Node, officer: &str, name: &str) -> Result<(), Problem> {
    check_name("officer", officer)?;
    check_own_name(node, officer)?;
    check_name("name", name)?;
    Ok(())
}

/// Refuses a name that only looks like another: whoever has both is no second person.
fn check_own_name(node: &Node, officer: &str) -> Result<(), Problem> {
    let form = normalise_reference(officer);
    let other = node.with_control(|c| {
        let mut all = c.officers();
        let other = all.find(|o| o.officer != officer && normalise_reference(&o.officer) == form);
        other.map(|o| o.officer.clone())
    });

    match other {
        Some(other) => Err(bad_control(format!(
            "officer: {officer:?} is {other:?} written otherwise, who is registered: take another \
             name"
        ))),
        None => Ok(()),
    }
}

/// Refuses to revoke whom nobody registered, or in another department: what is signed would stand,
/// and the one who is meant go on.
fn check_revoked(node: &Node, officer: &str, department: &str) -> Result<(), Problem> {
    let of = registration(node, officer).map_err(bad_control)?.department;
    match of == department {
        true => Ok(()),
        false => Err(bad_control(format!(
            "department: {officer} is of {of}, not of {department}"
        ))),
    }
}

/// What stands of an officer whom a hub registered; where none did, what is wrong, with the nearest
/// who is.
pub(crate) fn registration(node: &Node, officer: &str) -> Result<OfficerEntry, String> {
    node.with_control(|c| match c.officer(officer, |_| u64::MAX) {
        Some(known) => Ok(known.clone()),
        None => {
            let near = nearest(officer, c.officers().map(|o| o.officer.as_str()));
            let near = hint(&near);
            Err(format!(
                "officer: no officer {officer:?} is registered{near}"
            ))
        }
    })
}

/// Refuses a reason in which nobody reads anything.
pub(crate) fn check_reason(reason: &str) -> Result<(), Problem> {
    match is_blank(reason) {
        true => Err(bad_control(
            "reason: say why, for those who audit it".into(),
        )),
        false => Ok(()),
    }
}

/// The end of a crossing at a time that has come.
fn closure(
    node: &Node,
    crossing: Crossing,
    closed_s: i64,
    reason: String,
) -> Result<Body, Problem> {
    let code = crate::filters::crossing(node, &crossing.to_string())?;
    if code == Crossing::HUB.to_string() {
        return Err(bad_control(
            "crossing: a hub is no crossing, and is closed by none".into(),
        ));
    }

    check_reason(&reason)?;
    let unit = "Unix time in seconds";
    let closed_ms = closed_s.saturating_mul(1_000);
    check_past(node, "closed_s", closed_s, closed_ms, unit)?;

    Ok(Body::Closure(Closure {
        crossing,
        closed_s,
        reason,
    }))
}

/// Refuses a time in another unit, and one to come: what an act says of it did not happen yet.
pub(crate) fn check_past(
    node: &Node,
    member: &str,
    given: i64,
    at_ms: i64,
    unit: &str,
) -> Result<(), Problem> {
    let shown = jiff::Timestamp::from_millisecond(at_ms);
    let shown = shown.map_or("no time at all".to_string(), |at| format!("{at:.0}"));
    if impossible_time(at_ms).is_some() || unlikely_time(at_ms).is_some() {
        let why = format!("{member}: {given} would be {shown}; it is a {unit}");
        return Err(bad_control(why));
    }

    let ahead_ms = at_ms.saturating_sub(node.time().best_ms());
    match ahead_ms > CLOCKS_APART_MS {
        true => {
            let why = format!("{member}: {given} is {shown}, which is still to come: say it then");
            Err(bad_control(why))
        }
        false => Ok(()),
    }
}

/// A key of an officer whom a hub registered, or the end of one that was named.
fn officer_key(
    node: &Node,
    officer: String,
    line: &str,
    taken_back: bool,
) -> Result<OfficerKeyEntry, Problem> {
    let key = SshKey::from_openssh(line).map_err(|e| bad_control(e.to_string()))?;
    registration(node, &officer).map_err(bad_control)?;
    let (revision, other) = node.with_control(|c| {
        let other = c.other_holder(&key, &officer, |_| u64::MAX);
        let revision = c.officer_key_revision(&officer, &key);
        (revision, other.map(str::to_string))
    });

    if let Some(other) = other.filter(|_| !taken_back) {
        let why = format!(
            "{key} is a key of {other}: each officer has keys of their own; `--take-back` ends it"
        );
        return Err(bad_control(why));
    }

    if taken_back && revision == 0 {
        return Err(bad_control(format!("{key} was never a key of {officer}")));
    }

    Ok(OfficerKeyEntry {
        officer,
        key,
        revision: revision + 1,
        taken_back,
    })
}

/// What is wrong with a control fact.
pub(crate) fn bad_control(why: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_control", why)
}
