//! Who may do what, judged by the policy and the officers that the author had taken in.
//!
//! A refused act is kept in the document, ignored by the state's fold, and reported. Acts that restrict are judged
//! mildly: an unknown clerk at a dark crossing may hold a truck. Acts that release are judged strictly.

use crate::{
    Department, HoldType, Policy,
    book::{Book, EventView, Said},
};
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Crossing, NodeId, Reference, Role};

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

/// What an entry is judged by: a pure function of its bytes and the control entries its author had taken in.
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
    Err(Refusal { code, why: why.into() })
}

/// Acts that let something go. Only these need a registered officer.
const RELEASING: [&str; 5] = ["released", "conditional", "entry.released", "lane.lowered", "query.answered"];
/// Acts that a device may say by itself.
const BY_DEVICE: [&str; 7] =
    ["gate.read", "weighed", "rad.alarm", "store.temperature", "sighted", "power.lost", "power.back"];

/// Judges one event of an entry by what the entry is based on: `book` may hold more, in any order of arrival.
pub(crate) fn judge(book: &Book, said: &Said, event: &EventView) -> Result<(), Refusal> {
    let kind = event.kind();
    let (common, judge) = (&said.common, &said.judge);
    if common.officer.is_empty() && common.department.is_empty() && !common.device.is_empty() {
        return if BY_DEVICE.contains(&kind) {
            Ok(())
        } else {
            refuse("no_authority", format!("a device cannot say {kind}: an officer has to"))
        };
    }
    let Ok(department) = common.department.parse::<Department>() else {
        return refuse("unknown_department", format!("{:?} is no department", common.department));
    };
    if !judge.policy.may(department, kind) && department != Department::Hub {
        return refuse("no_authority", format!("{department} may not say {kind}"));
    }
    if department == Department::Hub && judge.author.role != Role::Hub {
        return refuse("no_authority", "the commission speaks from a hub's node only");
    }
    let officer = judge.officers.get(&common.officer);
    if RELEASING.contains(&kind) {
        registered(judge, &common.officer, Some(department))?;
    } else if let Some(o) = officer
        && (o.revoked || o.department != Some(department))
        && !matches!(kind, "hold.placed" | "rejected" | "recalled" | "seized" | "check.opened")
    {
        return refuse(
            "no_authority",
            format!("{} is not an officer of {department} any longer, or never was", common.officer),
        );
    }
    match kind {
        "hold.placed" => match event.text("type_of_hold").and_then(HoldType::from_name) {
            Some(hold) if judge.policy.owns(department, hold) => Ok(()),
            Some(hold) => refuse("no_authority", format!("{department} does not own {} holds", hold.name())),
            None => Ok(()), // A type of a newer version: it restricts all the same.
        },
        "released" | "conditional" => judge_release(book, said, event, department),
        "release.requested" | "rejected" | "re_exported" | "destroyed" | "recalled" => {
            let past = book.past(&said.change.based_on);
            let mut seen = book.placed().filter(|p| past.contains(&p.reference)).peekable();
            if seen.peek().is_some() && seen.all(|p| owner(p, judge, department)) {
                Ok(())
            } else {
                refuse("no_authority", format!("{department} does not own this hold"))
            }
        }
        "diverted" | "handed_over" => {
            let past = book.past(&said.change.based_on);
            let fits = department == Department::Hub
                || match book.lane() {
                    wadi_log::Lane::Passage => department == Department::Port,
                    wadi_log::Lane::Customs => department == Department::Cus,
                    wadi_log::Lane::Hold => {
                        book.placed().any(|p| past.contains(&p.reference) && owner(p, judge, department))
                    }
                    _ => false,
                };
            if fits {
                Ok(())
            } else {
                refuse("no_authority", format!("{department} may not say {kind} of this record"))
            }
        }
        "lane.lowered" if !officer.is_some_and(|o| o.supervisor) => {
            refuse("no_authority", "a lane is lowered by a supervisor of customs")
        }
        "assessed" if book.contested_legal_field_at(&said.change.based_on).is_some() => {
            refuse("contested", "a legal field is contested; it has to be settled before the entry can be assessed")
        }
        _ => Ok(()),
    }
}

fn registered(judge: &Judge, officer: &str, department: Option<Department>) -> Result<(), Refusal> {
    if !judge.policy.registered_officers {
        return Ok(());
    }
    let Some(found) = judge.officers.get(officer) else {
        return refuse("unregistered_officer", format!("{officer:?} was not registered by the hub when this was said"));
    };
    let here = found.crossing.is_none() || found.crossing == judge.author.crossing;
    let fits = department.is_none() || found.department == department;
    if found.revoked {
        refuse("revoked_officer", format!("{officer} was revoked"))
    } else if !here || !fits {
        refuse("no_authority", format!("{officer} is not registered for that department at this crossing"))
    } else {
        Ok(())
    }
}

fn owner(placed: &EventView, judge: &Judge, department: Department) -> bool {
    placed.text("type_of_hold").and_then(HoldType::from_name).is_some_and(|t| judge.policy.owns(department, t))
}

fn judge_release(book: &Book, said: &Said, event: &EventView, department: Department) -> Result<(), Refusal> {
    let judge = &said.judge;
    let second = event.text("second_officer").unwrap_or_default();
    if second.is_empty() || second == said.common.officer {
        return refuse("no_second_officer", "a release needs a second officer");
    }
    registered(judge, second, None)?;
    let past = book.past(&said.change.based_on);
    let seen = |e: &&EventView| past.contains(&e.reference);
    let named = event.texts("holds");
    if named.is_empty() {
        return refuse("names_no_hold", "a release clears only the holds it names, and names none");
    }
    for id in named {
        let Some(placed) = book.placed().filter(seen).find(|p| p.id == id) else {
            return refuse("unseen_hold", format!("hold {id} was not in what the officer had seen"));
        };
        let hold = placed.text("type_of_hold").and_then(HoldType::from_name);
        let by_hub = placed.department == Some(Department::Hub);
        if by_hub || hold == Some(HoldType::Security) {
            if !matches!(department, Department::Hub | Department::Sec) || judge.author.role != Role::Hub {
                return refuse("no_authority", "a hold of the commission or of security is released at the hub");
            }
        } else if !hold.is_some_and(|t| judge.policy.owns(department, t)) {
            return refuse("no_authority", format!("{department} does not own hold {id}"));
        }
        if event.kind() == "released" {
            result_allows(book, &past, hold)?;
        }
    }
    Ok(())
}

/// Whether the evidence that the officer had seen, and somebody attested, allows a release.
fn result_allows(
    book: &Book,
    past: &std::collections::BTreeSet<Reference>,
    hold: Option<HoldType>,
) -> Result<(), Refusal> {
    let results: Vec<&EventView> =
        book.events().filter(|e| past.contains(&e.reference) && is_result(e) && e.counts()).collect();
    let latest: Vec<&&EventView> = results.iter().filter(|e| latest_of_its_sample(e, &results)).collect();
    if latest.iter().any(|e| speaks_against(e)) {
        return refuse("result_against", "a result speaks against the release");
    }
    let needs_laboratory = !matches!(hold, Some(HoldType::Security | HoldType::Customs));
    let carries = |e: &&&EventView| is_attested(e) && (!needs_laboratory || speaks_for(e));
    if latest.iter().any(|e| carries(&e)) {
        Ok(())
    } else {
        refuse("no_attested_result", "no attested result was seen that allows a release")
    }
}

fn is_result(e: &EventView) -> bool {
    matches!(
        e.kind(),
        "result.issued" | "result.amended" | "rad.adjudicated" | "search.found" | "k9.clear" | "k9.indicated"
    )
}

fn latest_of_its_sample(e: &EventView, all: &[&EventView]) -> bool {
    // An amendment replaces what was issued for the same sample, whatever the clocks say.
    !(e.kind() == "result.issued"
        && all.iter().any(|o| o.kind() == "result.amended" && o.text("sample") == e.text("sample")))
}

/// Whether a result, attested or not, speaks against a release: unattested evidence may restrict.
pub(crate) fn speaks_against(e: &EventView) -> bool {
    match e.kind() {
        "result.issued" | "result.amended" => e.text("outcome") != Some("satisfactory"),
        "rad.adjudicated" => {
            e.int("code").is_none_or(|c| c <= 2 || c == 10) || e.text("secondary") == Some("REQUESTED")
        }
        _ => false,
    }
}

fn speaks_for(e: &EventView) -> bool {
    !speaks_against(e) && matches!(e.kind(), "result.issued" | "result.amended" | "rad.adjudicated")
}

/// Whether somebody other than the performer, of a supervising department, attests a measurement. What customs and
/// security found themselves needs no other attester.
pub(crate) fn is_attested(e: &EventView) -> bool {
    if matches!(e.kind(), "search.found" | "k9.clear" | "k9.indicated") {
        return e.department != Some(Department::Ops);
    }
    let attester = e.text("attested_by").unwrap_or_default();
    let department = e.text("attester_department").and_then(|d| d.parse::<Department>().ok());
    !attester.is_empty() && attester != e.officer && department.is_some_and(|d| d != Department::Ops)
}
