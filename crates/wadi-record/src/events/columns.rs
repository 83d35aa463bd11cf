//! The columns of the table of events, and what may stand in them.
//!
//! None has a default: a row that leaves a column out does not compile. Rows whose columns speak
//! against each other do not compile either, see [`EventType::checked`].

use crate::{Department, Guarded, HoldType, Kind, ValueType};

/// A type of event: one row of the table.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// Its name.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub meaning: &'static str,
    /// The kinds of records that have it.
    pub kinds: &'static [Kind],
    /// The departments that may say it.
    pub departments: Departments,
    /// Whether a device may say it by itself.
    pub by_device: bool,
    /// What else a department needs to be.
    pub right: Right,
    /// Whether it counts from an officer who is none of that department, or none any longer.
    pub revoked: Revoked,
    /// What its author has to have seen, or to bring.
    pub asks: Asks,
    /// What it does to what the record is about.
    pub effect: Effect,
    /// Whether a node writes down before it which holds it had taken in.
    pub decision: bool,
    /// What evidence it is.
    pub gives: Gives,
    /// Whether a hold begins with it.
    pub begins: Begins,
    /// Which fields of its record are guarded from it on.
    pub guards: Guarded,
    /// Whether it shows a passage to be under way.
    pub under_way: bool,
    /// Whether it proves that a vehicle was where it is said.
    pub proves_presence: bool,
    /// Whether its officer has to be on shift.
    pub needs_shift: bool,
    /// Its members, besides `type`.
    pub members: &'static [Member],
    /// What holds of several members together.
    pub together: Together,
    /// The terms that its record is found by.
    pub terms: &'static [Term],
}

/// A member of an event.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// What it holds, and in which unit.
    pub value: ValueType,
    /// Whether an event without it is refused.
    pub required: bool,
}

pub(super) const fn required(name: &'static str, value: ValueType) -> Member {
    Member {
        name,
        value,
        required: true,
    }
}

pub(super) const fn optional(name: &'static str, value: ValueType) -> Member {
    Member {
        name,
        value,
        required: false,
    }
}

/// The departments that may say an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departments {
    /// These, unless the policy in force names others.
    Only(&'static [Department]),
    /// Each, unless the policy in force names some.
    Any,
}

impl Departments {
    /// Whether the table names that department.
    pub fn names(self, department: Department) -> bool {
        matches!(self, Self::Only(list) if list.contains(&department))
    }

    /// Whether that department may say it, where no policy says otherwise.
    pub fn may(self, department: Department) -> bool {
        self == Self::Any || self.names(department)
    }
}

/// What a department needs besides being one that may say such an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// Nothing.
    Department,
    /// To own the type of hold that the event names.
    OwnerOfType,
    /// To own every hold of the record that the author had seen, or to be the commission.
    OwnerOfHold,
    /// To be one that may end every hold of the record that the author had seen.
    EndsHolds,
    /// To be one that may end each hold that the event names, all seen by its author.
    EndsNamedHolds,
    /// To have opened the check that the event closes, or to be the commission.
    OpenedCheck,
    /// To answer for the record: the directorate for a passage, customs for an entry, who may end
    /// it for a hold, the commission for any.
    AnswersForRecord,
    /// To be the node itself, and no person.
    Itself,
    /// To speak through one of its supervisors.
    Supervisor {
        /// The reason of the refusal of anybody else.
        why: &'static str,
    },
}

/// Whether an event counts from an officer who was revoked, or is registered for another
/// department. An officer whom nobody registered is believed in either case, unless the event lets
/// something go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revoked {
    /// It does not count.
    Refused,
    /// It counts: better a truck is held in error than let go, and one that left has left.
    Heard,
}

/// What the author of an event has to have seen, or to bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asks {
    /// Nothing.
    Nothing,
    /// A second, registered officer.
    SecondOfficer,
    /// A second, registered officer and, seen by the author, an attested result that allows the
    /// release of each hold, with none that speaks against it.
    AttestedResult,
    /// An event seen by the author.
    Seen {
        /// Its type.
        event: &'static str,
        /// The code of the refusal where it was not seen.
        code: &'static str,
        /// The reason of that refusal.
        why: &'static str,
    },
    /// No legal field contested on the author's screen.
    SettledFields,
}

/// What an event does to what its record is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It tells something, and neither holds back nor lets go.
    Notes,
    /// It holds something back, or may. It does so past a cut of its log, too.
    Restricts,
    /// It lets something go. Its officer has to be registered, and its members well formed.
    Releases,
    /// It ends the goods, and the holds on them with it. Judged as strictly as a release.
    Ends,
}

/// What evidence an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gives {
    /// None.
    Nothing,
    /// A laboratory's result.
    Result,
    /// A laboratory's result in the place of an earlier one.
    Amendment,
    /// A radiation alarm, which waits for its adjudication.
    Alarm,
    /// The adjudication of a radiation alarm.
    Adjudication,
    /// What a search found.
    Search,
    /// A dog that indicated something.
    Indication,
    /// A dog that indicated nothing.
    AllClear,
}

/// Whether a hold begins with an event, and of which type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begins {
    /// None does.
    Nothing,
    /// One of the type that the member names.
    Named(&'static str),
    /// One of this type, where the event is an alarm in the record's first entry.
    Alarm(HoldType),
    /// The same, where this member is true.
    AlarmIf(&'static str, HoldType),
}

/// What holds of several members together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Together {
    /// Nothing.
    Free,
    /// A device's `read`, or a `reason` why there is none.
    ReadOrReason,
    /// `net_kg` is `gross_kg` less `tare_kg`, where all three are given; neither is more than the
    /// gross.
    MassesAgree,
    /// The second of these times is not before the first.
    InOrder(&'static str, &'static str),
}

/// A term that records are looked up and linked by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// What kind of term.
    pub what: &'static str,
    /// Its value.
    pub value: TermValue,
}

/// Where the value of a term is taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TermValue {
    /// A member.
    Member(&'static str),
    /// The first of two members, unless the other one counts nothing.
    MemberOfSome(&'static str, &'static str),
    /// Two members, with a space between.
    Members(&'static str, &'static str),
    /// The officer who says it.
    Officer,
    /// The officer who says it, where this member is given.
    OfficerIf(&'static str),
    /// Always the same.
    Always(&'static str),
}

/// Goods leave or are destroyed only after they were rejected.
pub(super) const AFTER_REJECTION: Asks = Asks::Seen {
    event: "rejected",
    code: "not_rejected",
    why: "goods are re-exported or destroyed only after they were rejected",
};

/// Officers are found by what they decided.
pub(super) const ACTS: Term = Term {
    what: "acts",
    value: TermValue::Officer,
};

pub(super) const fn found_by(what: &'static str, member: &'static str) -> Term {
    Term {
        what,
        value: TermValue::Member(member),
    }
}

impl EventType {
    /// Whether it lets something go or ends what holds it, so that it is judged strictly.
    pub const fn lets_go(&self) -> bool {
        matches!(self.effect, Effect::Releases | Effect::Ends)
    }

    /// Whether it is a laboratory's word on a hold, or an adjudication.
    pub(crate) const fn is_of_laboratory(&self) -> bool {
        matches!(
            self.gives,
            Gives::Result | Gives::Amendment | Gives::Adjudication
        )
    }

    /// Whether it answers what a hold waits for. A portal that measured, or a dog that indicated
    /// something, only asks more.
    pub const fn answers_hold(&self) -> bool {
        !matches!(
            self.gives,
            Gives::Nothing | Gives::Alarm | Gives::Indication
        )
    }

    /// Whether a machine, or a dog, raises an alarm with it.
    pub(crate) const fn may_alarm(&self) -> bool {
        matches!(self.begins, Begins::Alarm(_) | Begins::AlarmIf(..))
    }

    /// The row, whose columns do not speak against each other. Called while the table is compiled.
    pub(super) const fn checked(self) -> Self {
        assert!(
            !self.kinds.is_empty() && !self.members.is_empty(),
            "an event stands on a record and says something"
        );

        if self.lets_go() {
            assert!(self.decision, "letting go is a decision");
            assert!(!self.by_device, "no device lets anything go");
            assert!(
                matches!(self.revoked, Revoked::Refused),
                "only registered officers let anything go"
            );
        }

        let names_holds = matches!(self.right, Right::EndsNamedHolds);
        let asks_of_release = matches!(self.asks, Asks::SecondOfficer | Asks::AttestedResult);
        assert!(
            names_holds == asks_of_release,
            "who names the holds to end brings a second officer, and nobody else does"
        );

        assert!(
            !matches!(self.right, Right::OwnerOfType) || matches!(self.begins, Begins::Named(_)),
            "who has to own a type of hold names it"
        );

        let begins = !matches!(self.begins, Begins::Nothing);
        assert!(
            !begins || matches!(self.effect, Effect::Restricts),
            "what begins a hold restricts"
        );

        assert!(
            !matches!(self.guards, Guarded::Placement),
            "a hold's fields are guarded from its beginning, whatever is said"
        );

        self
    }
}
