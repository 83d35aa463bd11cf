//! Which clearing lets a vehicle out: one that whoever opened the gate had seen, that had not ended
//! by then, and with which the vehicle had not gone out and come back before.

use crate::{
    judged_change::EventView,
    record::Record,
    sight::{SeenTogether, Sight},
    state::{counted, is_earlier_in_log},
};
use wadi_log::Reference;

/// Clearings, exits and returns of one passage that are told apart. No vehicle comes back so often
/// on one passage: of one that does, no clearing holds any more.
const TOLD_APART_MAX: usize = 100;

/// The clearings of a passage, and what used them up.
pub(crate) struct Clearings<'a> {
    cleared: Vec<&'a EventView>,
    exits: Vec<&'a EventView>,
    /// Arrivals of a vehicle of which was known that it had gone out.
    returns: Vec<&'a EventView>,
}

/// Whether the author of one event had seen another, or the other stands before it in its log.
pub(crate) fn knew(sight: &Sight<'_>, later: &EventView, event: &EventView) -> bool {
    sight.saw(later, event) || is_earlier_in_log(event, later)
}

impl<'a> Clearings<'a> {
    pub(crate) fn of(record: &'a Record, sight: &Sight<'_>) -> Self {
        let cleared: Vec<&EventView> = counted(record, &["cleared"]).collect();
        let exits: Vec<&EventView> = counted(record, &["gate.out"]).collect();
        let mut clearings = Self {
            cleared,
            exits,
            returns: Vec::new(),
        };

        // Most vehicles are cleared once and gone.
        if !clearings.cleared.is_empty() && !clearings.exits.is_empty() {
            let came = counted(record, &["gate.in"]);
            clearings.returns = came.filter(|e| clearings.is_return(sight, e)).collect();
        }

        clearings
    }

    fn is_return(&self, sight: &Sight<'_>, came: &EventView) -> bool {
        self.exits.len() > TOLD_APART_MAX || self.exits.iter().any(|out| knew(sight, came, out))
    }

    /// Whether an exit was covered by one of them.
    pub(crate) fn let_out(&self, record: &Record, sight: &Sight<'_>, out: &EventView) -> bool {
        if self.cleared.len().min(self.exits.len()) > TOLD_APART_MAX {
            return false;
        }

        let doubt_ms = doubt_ms(record, &out.reference);
        let is_over = |cleared: &EventView| {
            let until_ms = cleared.int("until").map(|ms| ms.saturating_add(doubt_ms));
            until_ms.is_some_and(|until_ms| until_ms < out.at_ms)
        };
        let is_known = |back: &EventView| knew(sight, out, back);
        let is_seen =
            |cleared: &EventView| sight.saw(out, cleared) || is_on_paper(record, out, cleared);
        let mut seen = self
            .cleared
            .iter()
            .filter(|cleared| is_seen(cleared) && !is_over(cleared));

        match self.used(sight, is_known) {
            Used::Nothing => seen.next().is_some(),
            Used::All => false,
            Used::SeenBy(left) => seen.any(|cleared| !sight.is_among(cleared, &left)),
        }
    }

    /// Whether one of them still holds for the vehicle that is there, as far as anybody knows.
    pub(crate) fn stands(&self, sight: &Sight<'_>) -> bool {
        let mut all = self.cleared.iter();
        match self.used(sight, |_| true) {
            Used::Nothing => all.next().is_some(),
            Used::All => false,
            Used::SeenBy(left) => all.any(|cleared| !sight.is_among(cleared, &left)),
        }
    }

    /// What the vehicle used up that came back as these returns tell.
    fn used(&self, sight: &Sight<'_>, is_known: impl Fn(&EventView) -> bool) -> Used {
        if self.returns.is_empty() {
            return Used::Nothing;
        }

        let most = self.cleared.len().max(self.exits.len());
        if most.max(self.returns.len()) > TOLD_APART_MAX {
            return Used::All;
        }

        let returns: Vec<&EventView> = self
            .returns
            .iter()
            .copied()
            .filter(|back| is_known(back))
            .collect();
        let is_followed = |out: &&EventView| returns.iter().any(|back| knew(sight, back, out));
        let left = self.exits.iter().copied().filter(is_followed);
        Used::SeenBy(sight.together(left))
    }
}

/// Which clearings were used up.
enum Used {
    /// None: nothing came back.
    Nothing,
    /// All, as far as anybody can tell.
    All,
    /// Those that the authors of exits had seen after which the vehicle came back.
    SeenBy(SeenTogether),
}

/// Whether an act stood on paper when an exit did, though it was typed after it: after an outage
/// the forms of a day are typed in whatever order they lie in. Both are of a time that was over
/// when they were typed, and the second one follows soon: what is written of an exit that was typed
/// when it happened mends nothing.
pub(crate) fn is_on_paper(record: &Record, out: &EventView, act: &EventView) -> bool {
    let doubt_ms = doubt_ms(record, &out.reference);
    let is_late = |e: &EventView| e.entered_ms.saturating_sub(e.at_ms) > doubt_ms;
    let waited_ms = act.entered_ms.saturating_sub(out.entered_ms);

    is_late(out)
        && is_late(act)
        && act.at_ms <= out.at_ms
        && waited_ms <= forms_ms(record, &out.reference)
}

/// How long the rest of a day's forms may take, milliseconds: as long as a counterpart.
fn forms_ms(record: &Record, reference: &Reference) -> i64 {
    let row = record.row(reference);
    row.map_or(0, |(said, _)| {
        i64::from(said.judge.policy.counterpart_h).saturating_mul(3_600_000)
    })
}

/// The doubt that the clock of whoever wrote an entry is given, milliseconds.
fn doubt_ms(record: &Record, reference: &Reference) -> i64 {
    let row = record.row(reference);
    row.map_or(0, |(said, _)| {
        i64::from(said.judge.policy.clock_doubt_s).saturating_mul(1_000)
    })
}
