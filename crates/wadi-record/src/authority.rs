//! Who may do what, judged by the policy and the officers that the author had taken in.
//!
//! A refused act is kept in the document, ignored by the state's fold, and reported. Acts that
//! restrict are judged mildly: an unknown clerk at a dark crossing may hold a truck. Acts that
//! release are judged strictly.

use crate::{
    Asks, Department, EventType, Gives, HoldType, Policy, Revoked, Right, SYSTEM_OFFICER,
    event_index::{EvidenceKind, Owned, begun_hold, owned},
    event_type,
    held::UNPLACED,
    judged_change::{EventView, JudgedChange},
    normal::normalise_reference,
    settle::{AuthorView, HeldChanges, Settled},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_log::{Crossing, IssuedToken, NodeId, Role, SshKey, defence};

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

impl Author {
    /// The crossing at which it writes; none for who is neither of a crossing nor a hub.
    pub(crate) fn writes_at(&self) -> Option<Crossing> {
        self.crossing
            .or((self.role == Role::Hub).then_some(Crossing::HUB))
    }
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
    /// The keys of their own that may sign decisions.
    pub keys: BTreeSet<SshKey>,
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
    /// Tokens for releases that its events name and that its author had taken in, by their ids.
    pub tokens: Arc<BTreeMap<String, HeldToken>>,
}

/// A token for a release as the author of an entry held it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldToken {
    /// What the hub issued.
    pub issued: IssuedToken,
    /// Whether its end was past by what hubs had told the author by then, whatever its own clock
    /// showed.
    pub is_over: bool,
}

impl Judge {
    /// Whether an officer is registered for another crossing than that of the node that wrote the
    /// entry. Of one whom nobody registered this is not known.
    pub(crate) fn is_elsewhere(&self, officer: &str) -> bool {
        let of = self.officers.get(officer).and_then(|found| found.crossing);
        of.is_some() && of != self.author.crossing && !defence::off("officers-crossing")
    }
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

/// Judges one event of an entry by what the entry is based on: the record may hold more, in any
/// order of arrival.
pub(crate) fn judge(
    record: &Settled,
    rows: &HeldChanges,
    said: &JudgedChange,
    view: &AuthorView,
    event: &EventView,
) -> Result<(), Refusal> {
    let kind = event.kind();
    let found = event_type(kind);
    let (common, judge) = (&said.common, &said.judge);
    if common.officer.is_empty() && common.department.is_empty() && !common.device.is_empty() {
        return if found.is_some_and(|t| t.by_device) {
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

    if found.is_some_and(EventType::lets_go) {
        registered(judge, &common.officer, Some(department))?;
        if let Some(of) = record.kind()
            && let Err(why) = crate::check_event(of, &event.members)
        {
            return refuse("malformed_event", why.to_string());
        }
    } else if found.is_none_or(|t| t.revoked == Revoked::Refused) {
        believed(judge, &common.officer, department)?;
    }

    // A type that this version does not know lets nothing go, and needs no more.
    let Some(found) = found else {
        return Ok(());
    };

    let act = Act {
        record,
        rows,
        said,
        view,
        event,
        department,
    };
    act.has_right(found)?;

    match found.asks {
        // Judged with the right to end the holds that are named.
        Asks::SecondOfficer | Asks::AttestedResult | Asks::Nothing => Ok(()),
        Asks::Seen { event, .. } if record.events.any_counts(event, &view.shown) => Ok(()),
        Asks::Seen { code, why, .. } => refuse(code, why),
        Asks::SettledFields if record.shows_contested(rows, view) => refuse(
            "contested",
            "a legal field is contested; it has to be settled before the entry can be assessed",
        ),
        Asks::SettledFields => Ok(()),
    }
}

/// An event of an entry, and the department whose right to say it is judged.
struct Act<'a> {
    record: &'a Settled,
    rows: &'a HeldChanges,
    said: &'a JudgedChange,
    view: &'a AuthorView,
    event: &'a EventView,
    department: Department,
}

impl Act<'_> {
    /// What a department needs besides being one that may say such an event.
    fn has_right(&self, found: &EventType) -> Result<(), Refusal> {
        let (judge, department, kind) = (&self.said.judge, self.department, found.name);
        let by_commission = department == Department::Hub;
        let owns_seen = |p: Owned| p.hold.is_some_and(|t| judge.policy.owns(department, t));

        match found.right {
            Right::Department => Ok(()),
            Right::OwnerOfType => match begun_hold(self.event) {
                Some(hold) if judge.policy.owns(department, hold) => Ok(()),
                Some(hold) => refuse(
                    "no_authority",
                    format!("{department} does not own {} holds", hold.name()),
                ),
                // A type of a newer version: it restricts all the same.
                None => Ok(()),
            },
            Right::OwnerOfHold if by_commission || self.all_seen(owns_seen) => Ok(()),
            Right::EndsHolds if self.ends_all_seen() => self.names_other_officer(),
            Right::OwnerOfHold | Right::EndsHolds => refuse(
                "no_authority",
                format!("{department} may not say {kind} of this hold"),
            ),
            Right::EndsNamedHolds => judge_release(self, found.asks),
            Right::OpenedCheck if self.closes_own_check() => Ok(()),
            Right::OpenedCheck => refuse(
                "no_authority",
                "a check is closed by the department that opened it, which has seen it",
            ),
            Right::AnswersForRecord if by_commission || self.answers_for_record() => Ok(()),
            Right::AnswersForRecord => refuse(
                "no_authority",
                format!("{department} may not say {kind} of this record"),
            ),
            Right::Itself if self.said.common.officer == SYSTEM_OFFICER => Ok(()),
            Right::Itself => refuse(
                "no_authority",
                format!("{kind} is said by the node itself, and by no person"),
            ),
            Right::Supervisor { .. } if self.is_supervisors() => Ok(()),
            Right::Supervisor { why } => refuse("no_authority", why),
        }
    }

    /// Whether the author had seen a hold on the record, and this is true of all that it had seen.
    fn all_seen(&self, is_true: impl Fn(Owned) -> bool) -> bool {
        let mut seen = self.record.events.placed_within(&self.view.shown);
        seen.extend(self.record.unplaced(self.rows, &self.view.shown));
        !seen.is_empty() && seen.into_iter().all(is_true)
    }

    fn ends_all_seen(&self) -> bool {
        self.all_seen(|p| may_end(p, &self.said.judge, self.department))
    }

    /// Whoever ends a hold may do so alone. Who is named beside him is another, registered officer.
    fn names_other_officer(&self) -> Result<(), Refusal> {
        match self.event.text("second_officer") {
            Some(second) => other_officer(self.said, second),
            None => Ok(()),
        }
    }

    fn closes_own_check(&self) -> bool {
        let opened = self.event.text("check");
        let opened = opened.and_then(|id| self.record.events.by_id(id));

        opened.is_some_and(|o| {
            let is_own =
                o.view.department == Some(self.department) || self.department == Department::Hub;
            o.view.kind() == "check.opened" && self.view.shown.contains(o.entry) && is_own
        })
    }

    fn answers_for_record(&self) -> bool {
        match self.record.lane {
            wadi_log::Lane::Passage => self.department == Department::Port,
            wadi_log::Lane::Customs => self.department == Department::Cus,
            wadi_log::Lane::Hold => self.ends_all_seen(),
            _ => false,
        }
    }

    fn is_supervisors(&self) -> bool {
        let officer = self.said.judge.officers.get(&self.said.common.officer);
        officer.is_some_and(|o| o.supervisor)
    }
}

/// Whether an officer is believed to be of a department: whoever is registered otherwise is not.
pub(crate) fn believed(
    judge: &Judge,
    officer: &str,
    department: Department,
) -> Result<(), Refusal> {
    match judge.officers.get(officer) {
        Some(o) if o.revoked || o.department != Some(department) => {
            let why = format!("{officer} is not an officer of {department}, or no longer");
            refuse("no_authority", why)
        }
        Some(_) if judge.is_elsewhere(officer) => {
            let why = format!("{officer} is registered for another crossing than this one");
            refuse("no_authority", why)
        }
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

    let here = !judge.is_elsewhere(officer);
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

/// Whether a second officer is a registered one, and another than the one who speaks.
fn other_officer(said: &JudgedChange, second: &str) -> Result<(), Refusal> {
    // Whoever writes a name otherwise is no second person.
    let is_own = normalise_reference(second) == normalise_reference(&said.common.officer);
    if second.is_empty() || is_own {
        return refuse("no_second_officer", "a release needs a second officer");
    }

    registered(&said.judge, second, None)
}

fn judge_release(act: &Act, asks: Asks) -> Result<(), Refusal> {
    let Act {
        record,
        rows,
        said,
        view,
        event,
        department,
    } = *act;
    let judge = &said.judge;
    other_officer(said, event.text("second_officer").unwrap_or_default())?;
    let token = event.text("token");
    let token = token.map(|id| spendable(act, id)).transpose()?;
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
        let unplaced = || {
            record
                .unplaced(rows, &view.shown)
                .filter(|_| id == UNPLACED)
        };
        let Some(placed) = placed.map(|p| owned(&p.view)).or_else(unplaced) else {
            return refuse(
                "unseen_hold",
                format!("hold {id} was not in what the officer had seen"),
            );
        };

        let by_token = token.is_some_and(|t| covers(t, judge, record, placed));
        if !may_end(placed, judge, department) && !by_token {
            return refuse(
                "no_authority",
                format!("{department} may not release hold {id} here"),
            );
        }

        types.insert(placed.hold);
    }

    if asks == Asks::AttestedResult {
        for hold in types {
            result_allows(record, judge, view, hold)?;
        }
    }

    Ok(())
}

/// The token that a release spends, where this author may: it had it, it is for this crossing and
/// officer, it has not ended, and was not spent on this record before. It has ended where the
/// author says so, or had heard so of a hub: where neither tells, it counts, and whose clock is
/// wrong beyond doubt is found (R20).
fn spendable<'a>(act: &Act<'a>, id: &str) -> Result<&'a IssuedToken, Refusal> {
    let (common, judge) = (&act.said.common, &act.said.judge);
    let no = |code, why: String| Err(Refusal { code, why });
    let Some(HeldToken { issued, is_over }) = judge.tokens.get(id) else {
        let why = format!("no token {id} of the hub's is held here");
        return no("token_unknown", why);
    };

    let token = &issued.token;
    let is_here = token.crossing.is_none() || token.crossing == judge.author.crossing;
    let is_his = token.officer.is_empty() || token.officer == common.officer;
    if !is_here || !is_his || token.department != act.department.code() {
        let why = format!("token {id} is for another crossing, department or officer");
        return no("token_foreign", why);
    }

    if *is_over {
        let why = format!("token {id} has expired by the hub's time");
        return no("token_expired", why);
    }
    if common.wall_ms >= token.expires_s.saturating_mul(1_000) {
        return no("token_expired", format!("token {id} has expired"));
    }

    let mut spent = act.record.events.releases(&act.view.shown);
    if spent.any(|release| release.text("token") == Some(id)) {
        return no("token_spent", format!("token {id} was spent before"));
    }

    Ok(issued)
}

/// Whether a token lets a hold of a record go: its scope names it, and whoever issued it may let
/// it go.
fn covers(issued: &IssuedToken, judge: &Judge, record: &Settled, placed: Owned) -> bool {
    let scope = &issued.token.scope;
    let is_named =
        *scope == record.id.to_string() || placed.hold.is_some_and(|hold| *scope == hold.name());

    let policy = &judge.policy;
    let may = |by| policy.may_issue(by, placed.hold, placed.by_commission);
    is_named && issued.department.parse::<Department>().is_ok_and(may)
}

/// Whether the evidence that the officer had seen, and somebody attested, allows a release.
fn result_allows(
    record: &Settled,
    judge: &Judge,
    view: &AuthorView,
    hold: Option<HoldType>,
) -> Result<(), Refusal> {
    if record.events.is_spoken_against(&view.shown) {
        return refuse(
            "result_against",
            "a result, or an alarm that nobody adjudicated since, speaks against the release",
        );
    }

    let is_carried = |evidence| record.events.is_carried(evidence, &view.shown);
    let is_allowed = match hold {
        Some(HoldType::Radiological) => is_carried(EvidenceKind::Adjudicated),
        Some(HoldType::Security | HoldType::Customs) => is_carried(EvidenceKind::Searched),
        Some(of) => {
            let owners = Department::ALL
                .into_iter()
                .filter(|d| judge.policy.owns(*d, of));
            owners.map(EvidenceKind::Tested).any(is_carried)
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

/// What evidence an event is.
pub(crate) fn given(e: &EventView) -> Gives {
    event_type(e.kind()).map_or(Gives::Nothing, |t| t.gives)
}

/// Whether somebody other than the performer, of a supervising department, stands for a
/// measurement. What customs and security found themselves needs no other attester.
pub(crate) fn is_attested(e: &EventView, judge: &Judge) -> bool {
    if matches!(given(e), Gives::Search | Gives::AllClear) {
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
        out.extend(texts_named(event, &["second_officer", "attested_by"]));
    }

    out.remove("");
    out
}

/// The texts of these members of an event. One that names none of them is not read: an event that
/// counts is canonical JSON, where a member's name stands as it is.
fn texts_named(event: &str, members: &[&str]) -> Vec<String> {
    if !members.iter().any(|member| event.contains(member)) {
        return Vec::new();
    }
    let Ok(serde_json::Value::Object(said)) = serde_json::from_str(event) else {
        return Vec::new();
    };

    let named = members.iter().filter_map(|m| said.get(*m)?.as_str());
    named.map(String::from).collect()
}

/// The tokens for releases that events name: whoever judges them needs those.
pub fn tokens_named(events: &[String]) -> BTreeSet<String> {
    let named = events
        .iter()
        .flat_map(|event| texts_named(event, &["token"]));
    named.collect()
}

/// Whether an event is a decision: before one, a node writes down which holds it had taken in.
pub fn is_decision(kind: &str) -> bool {
    event_type(kind).is_some_and(|t| t.decision)
}
