//! Who may write on a record at all: its own crossing, a hub, and the crossing that it was handed
//! over to.
//!
//! A node of another crossing can name any record in its entries. They are kept and shown, and do
//! nothing: they open no hold and no check, reopen nothing that was released, link nothing. A
//! record that another crossing began in its name is of no kind, so that nothing is read of it;
//! only what the hub says of findings on it counts.

use crate::{
    authority::Refusal,
    judged_change::{EventView, JudgedChange},
    record::Record,
    settle::{AuthorView, HeldChanges, Settled},
};
use wadi_log::{Crossing, Reference, Role, defence};

/// Whose acts a record rests on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beginning {
    /// Its own crossing, or a hub, began it.
    Own,
    /// Another crossing began it.
    Foreign,
    /// Its first entry has not come; its own crossing, or a hub, speaks of it.
    Awaited,
    /// Its first entry has not come, and only others speak of it.
    AwaitedByOthers,
}

impl Beginning {
    pub(crate) fn of(first: Option<Reference>, rows: &HeldChanges) -> Self {
        match first.map(|first| is_own(&rows[&first])) {
            Some(true) => Self::Own,
            Some(false) => Self::Foreign,
            None if rows.values().any(is_own) => Self::Awaited,
            None => Self::AwaitedByOthers,
        }
    }

    /// Takes in an entry that came before the first one.
    pub(crate) fn take_waiting(&mut self, said: &JudgedChange) {
        if *self == Self::AwaitedByOthers && is_own(said) {
            *self = Self::Awaited;
        }
    }
}

/// Whether a hub, or the crossing of its log, wrote an entry.
fn is_own(said: &JudgedChange) -> bool {
    let author = &said.judge.author;
    match author.role {
        Role::Hub => true,
        Role::Crossing => author.crossing == Some(said.reference.log.crossing),
        Role::Observer => false,
    }
}

impl Settled {
    /// Why an entry may not count, whatever it says, where its author may not write on the record,
    /// or where nobody may.
    pub(crate) fn foreign(&self, said: &JudgedChange, view: &AuthorView) -> Option<Refusal> {
        if !self.may_write(said, view) && !defence::off("foreign-acts") {
            return Some(Refusal {
                code: "foreign_crossing",
                why: "the record was not handed over to the crossing that wrote this".into(),
            });
        }

        let is_barred = self.beginning == Beginning::Foreign && !is_of_findings(said);
        let is_barred = is_barred && !defence::off("foreign-records");
        is_barred.then(|| Refusal {
            code: "foreign_record",
            why: "another crossing began this record in the name of this one: nothing that is \
                  said of it counts"
                .into(),
        })
    }

    fn may_write(&self, said: &JudgedChange, view: &AuthorView) -> bool {
        let author = &said.judge.author;
        let was_handed_over = |to: Crossing| self.events.was_handed_to(to.to_string(), &view.shown);
        match author.role {
            Role::Hub => true,
            Role::Crossing => author
                .crossing
                .is_some_and(|c| c == self.crossing || was_handed_over(c)),
            Role::Observer => false,
        }
    }
}

/// Whether an entry says nothing but what a hub says of its findings.
fn is_of_findings(said: &JudgedChange) -> bool {
    let change = &said.change;
    let mut events = (0..change.events.len()).map(|n| EventView::of(said, n));
    let is_of_finding = |e: EventView| e.kind() == "finding" || e.kind().starts_with("finding.");

    said.judge.author.role == Role::Hub && change.puts.is_empty() && events.all(is_of_finding)
}

impl Record {
    /// Whether another crossing began it in its crossing's name: it is of no kind, is no record of
    /// that crossing, and holds nothing.
    pub fn is_foreign(&self) -> bool {
        self.now().beginning == Beginning::Foreign && !defence::off("foreign-records")
    }

    /// The crossing among whose records it stands; none of what another one began in its name.
    pub fn listed_under(&self) -> Option<Crossing> {
        (!self.is_foreign()).then(|| self.crossing())
    }
}
