//! Who may do what, judged by the policy and the officers that the author had taken in.
//!
//! A refused act is kept in the document, ignored by the state's fold, and reported. Acts that
//! restrict are judged mildly: an unknown clerk at a dark crossing may hold a truck. Acts that
//! release are judged strictly.

use crate::{
    Department, HoldType, Policy,
    event_index::{Evidence, Owned, owned},
    judged_change::{EventView, JudgedChange},
    settle::{AuthorView, Rows, Settled},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_log::{Crossing, NodeId, Role};

/// The node that wrote an entry, as its enrolment has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    /// The node.
    pub node: NodeId,
    /// Its name, for people.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its crossing.
    pub crossing: Option<Crossing>,
}

/// An officer's registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Officer {
    /// Of which department; `None` where the entry names one that this version does not know.
    pub department: Option<Department>,
    /// At which crossing; `None` for all.
    pub crossing: Option<Crossing>,
    /// Whether a supervisor.
    pub supervisor: bool,
    /// Whether revoked.
    pub revoked: bool,
}

/// What an entry is judged by: a pure function of its bytes and the control entries its author had
/// taken in.
#[derive(Clone, PartialEq, Debug)]
pub struct Judge {
    /// Who wrote it.
    pub author: Author,
    /// The policy then in force.
    pub policy: Arc<Policy>,
    /// Registrations, then in force, of the officers whom the entry names.
    pub officers: Arc<BTreeMap<String, Officer>>,
}

/// Why an act is kept but does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// A stable code.
    pub code: &'static str,
    /// The reason, for people.
    pub why: String,
}

fn refuse(code: &'static str, why: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal {
        code,
        why: why.into(),
    })
}

/// Acts that let something go, or end what holds it. Only these need a registered officer.
const RELEASING: [&str; 15] = [
    "released",
    "conditional",
    "re_exported",
    "destroyed",
    "seized",
    "check.closed",
    "cleared",
    "handed_over",
    "entry.released",
    "entry.exited",
    "cancelled",
    "lane.lowered",
    "query.answered",
    "k9.clear",
    "finding.decided",
];
/// Acts that a device may say by itself.
const BY_DEVICE: [&str; 8] = [
    "gate.read",
    "weighed",
    "scanned",
    "rad.alarm",
    "store.temperature",
    "sighted",
    "power.lost",
    "power.back",
];

/// Judges one event of an entry by what the entry is based on: the record may hold more, in any
/// order of arrival.
pub(crate) fn judge(
    record: &Settled,
    rows: &Rows,
    said: &JudgedChange,
    view: &AuthorView,
    event: &EventView,
) -> Result<(), Refusal> {
    let kind = event.kind();
    let (common, judge) = (&said.common, &said.judge);
    if common.officer.is_empty() && common.department.is_empty() && !common.device.is_empty() {
        return if BY_DEVICE.contains(&kind) {
            Ok(())
        } else {
            refuse(
                "no_authority",
                format!("a device cannot say {kind}: an officer has to"),
            )
        };
    }

    let Ok(department) = common.department.parse::<Department>() else {
        return refuse(
            "unknown_department",
            format!("{:?} is no department", common.department),
        );
    };

    if !judge.policy.may(department, kind) && department != Department::Hub {
        return refuse("no_authority", format!("{department} may not say {kind}"));
    }

    if department == Department::Hub && judge.author.role != Role::Hub {
        return refuse(
            "no_authority",
            "the commission speaks from a hub's node only",
        );
    }

    let officer = judge.officers.get(&common.officer);
    if RELEASING.contains(&kind) {
        registered(judge, &common.officer, Some(department))?;
        if let Some(of) = record.kind()
            && let Err(why) = crate::check_event(of, &event.members)
        {
            return refuse("malformed_event", why.to_string());
        }
    } else if let Some(o) = officer
        && (o.revoked || o.department != Some(department))
        && !matches!(
            kind,
            "hold.placed" | "rejected" | "recalled" | "check.opened" | "gate.out" | "turned_back"
        )
    {
        let why = format!(
            "{} is not an officer of {department} any longer, or never was",
            common.officer
        );
        return refuse("no_authority", why);
    }

    let seen = || record.events.placed_within(&view.shown);
    let owns_all =
        || !seen().is_empty() && seen().into_iter().all(|p| may_end(p, judge, department));
    let not_owner = || {
        refuse(
            "no_authority",
            format!("{department} may not say {kind} of this hold"),
        )
    };

    match kind {
        "hold.placed" => match event.text("type_of_hold").and_then(HoldType::from_name) {
            Some(hold) if judge.policy.owns(department, hold) => Ok(()),
            Some(hold) => refuse(
                "no_authority",
                format!("{department} does not own {} holds", hold.name()),
            ),
            // A type of a newer version: it restricts all the same.
            None => Ok(()),
        },
        "released" | "conditional" => judge_release(record, said, view, event, department),
        "release.requested" | "rejected" | "recalled" => {
            let owns = |p: Owned| p.hold.is_some_and(|t| judge.policy.owns(department, t));
            if department == Department::Hub || !seen().is_empty() && seen().into_iter().all(owns) {
                Ok(())
            } else {
                not_owner()
            }
        }
        "seized" if owns_all() => Ok(()),
        "re_exported" | "destroyed" if owns_all() => {
            if record.events.any_counts("rejected", &view.shown) {
                Ok(())
            } else {
                refuse(
                    "not_rejected",
                    "goods are re-exported or destroyed only after they were rejected",
                )
            }
        }
        "seized" | "re_exported" | "destroyed" => not_owner(),
        "check.closed" => {
            let opened = event.text("check").and_then(|id| record.events.by_id(id));
            let is_own = opened.is_some_and(|o| {
                o.view.kind() == "check.opened"
                    && view.shown.contains(o.entry)
                    && (o.view.department == Some(department) || department == Department::Hub)
            });

            if is_own {
                Ok(())
            } else {
                refuse(
                    "no_authority",
                    "a check is closed by the department that opened it, which has seen it",
                )
            }
        }
        "diverted" | "handed_over" => {
            let fits = department == Department::Hub
                || match record.lane {
                    wadi_log::Lane::Passage => department == Department::Port,
                    wadi_log::Lane::Customs => department == Department::Cus,
                    wadi_log::Lane::Hold => owns_all(),
                    _ => false,
                };

            if fits {
                Ok(())
            } else {
                refuse(
                    "no_authority",
                    format!("{department} may not say {kind} of this record"),
                )
            }
        }
        "lane.lowered" if !officer.is_some_and(|o| o.supervisor) => refuse(
            "no_authority",
            "a lane is lowered by a supervisor of customs",
        ),
        "assessed" if record.shows_contested(rows, view) => refuse(
            "contested",
            "a legal field is contested; it has to be settled before the entry can be assessed",
        ),
        _ => Ok(()),
    }
}

pub(crate) fn registered(
    judge: &Judge,
    officer: &str,
    department: Option<Department>,
) -> Result<(), Refusal> {
    if !judge.policy.registered_officers {
        return Ok(());
    }

    let Some(found) = judge.officers.get(officer) else {
        return refuse(
            "unregistered_officer",
            format!("{officer:?} was not registered by the hub when this was said"),
        );
    };

    let here = found.crossing.is_none() || found.crossing == judge.author.crossing;
    let fits = department.is_none() || found.department == department;

    if found.revoked {
        refuse("revoked_officer", format!("{officer} was revoked"))
    } else if !here || !fits {
        refuse(
            "no_authority",
            format!("{officer} is not registered for that department at this crossing"),
        )
    } else {
        Ok(())
    }
}

/// Whether a department, at this node, may end a hold: a hold of the commission or of security at
/// the hub only.
pub(crate) fn may_end(placed: Owned, judge: &Judge, department: Department) -> bool {
    let at_hub = judge.author.role == Role::Hub;
    if placed.by_commission || placed.hold == Some(HoldType::Security) {
        return at_hub && matches!(department, Department::Hub | Department::Sec);
    }

    at_hub && department == Department::Hub
        || placed
            .hold
            .is_some_and(|t| judge.policy.owns(department, t))
}

fn judge_release(
    record: &Settled,
    said: &JudgedChange,
    view: &AuthorView,
    event: &EventView,
    department: Department,
) -> Result<(), Refusal> {
    let judge = &said.judge;
    let second = event.text("second_officer").unwrap_or_default();
    if second.is_empty() || second == said.common.officer {
        return refuse("no_second_officer", "a release needs a second officer");
    }

    registered(judge, second, None)?;
    let named: BTreeSet<&str> = event.texts("holds").into_iter().collect();
    if named.is_empty() {
        return refuse(
            "names_no_hold",
            "a release clears only the holds it names, and names none",
        );
    }

    let mut types = BTreeSet::new();
    for id in named {
        let placed = record
            .events
            .by_id(id)
            .filter(|p| p.places && view.shown.contains(p.entry));
        let Some(placed) = placed.map(|p| owned(&p.view)) else {
            return refuse(
                "unseen_hold",
                format!("hold {id} was not in what the officer had seen"),
            );
        };

        if !may_end(placed, judge, department) {
            return refuse(
                "no_authority",
                format!("{department} may not release hold {id} here"),
            );
        }

        types.insert(placed.hold);
    }

    if event.kind() == "released" {
        for hold in types {
            result_allows(record, judge, view, hold)?;
        }
    }

    Ok(())
}

/// Whether the evidence that the officer had seen, and somebody attested, allows a release.
fn result_allows(
    record: &Settled,
    judge: &Judge,
    view: &AuthorView,
    hold: Option<HoldType>,
) -> Result<(), Refusal> {
    if record.events.is_spoken_against(&view.shown) {
        return refuse("result_against", "a result speaks against the release");
    }

    let is_carried = |evidence| record.events.is_carried(evidence, &view.shown);
    let is_allowed = match hold {
        Some(HoldType::Radiological) => is_carried(Evidence::Adjudicated),
        Some(HoldType::Security | HoldType::Customs) => is_carried(Evidence::Searched),
        Some(of) => {
            let owners = Department::ALL
                .into_iter()
                .filter(|d| judge.policy.owns(*d, of));
            owners.map(Evidence::Tested).any(is_carried)
        }
        None => false,
    };

    if is_allowed {
        Ok(())
    } else {
        refuse(
            "no_attested_result",
            "no attested result was seen that allows a release",
        )
    }
}

pub(crate) fn is_result(e: &EventView) -> bool {
    matches!(
        e.kind(),
        "result.issued"
            | "result.amended"
            | "rad.adjudicated"
            | "search.found"
            | "k9.clear"
            | "k9.indicated"
    )
}

/// Whether a result, attested or not, speaks against a release: unattested evidence may restrict.
pub(crate) fn speaks_against(e: &EventView) -> bool {
    match e.kind() {
        "result.issued" | "result.amended" => e.text("outcome") != Some("satisfactory"),
        "rad.adjudicated" => {
            e.int("code").is_none_or(|c| c <= 2 || c == 10)
                || e.text("secondary") == Some("REQUESTED")
        }
        "k9.indicated" => true,
        "search.found" => {
            e.members.get("contraband") == Some(&true.into()) || e.text("seizure_no").is_some()
        }
        _ => false,
    }
}

/// Whether somebody other than the performer, of a supervising department, stands for a
/// measurement. What customs and security found themselves needs no other attester.
pub(crate) fn is_attested(e: &EventView, judge: &Judge) -> bool {
    if matches!(e.kind(), "search.found" | "k9.clear") {
        return matches!(
            e.department,
            Some(Department::Cus | Department::Sec | Department::K9)
        );
    }

    let attester = e.text("attested_by").unwrap_or_default();
    let department = e
        .text("attester_department")
        .and_then(|d| d.parse::<Department>().ok());

    !attester.is_empty()
        && attester != e.officer
        && department.is_some_and(|d| !matches!(d, Department::Ops | Department::It))
        && registered(judge, attester, department).is_ok()
}

/// The officers whom a change names: whoever judges it needs their registrations.
pub fn people(common: &wadi_log::Common, events: &[String]) -> BTreeSet<String> {
    let mut out = BTreeSet::from([common.officer.clone()]);
    for event in events {
        if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(event) {
            let named = ["second_officer", "attested_by"]
                .into_iter()
                .filter_map(|m| members.get(m)?.as_str());
            out.extend(named.map(String::from));
        }
    }

    out.remove("");
    out
}

/// Whether an event is a decision: before one, a node writes down which holds it had taken in.
pub fn is_decision(kind: &str) -> bool {
    RELEASING.contains(&kind) || kind == "gate.out"
}
