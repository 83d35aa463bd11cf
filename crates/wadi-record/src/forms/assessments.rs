//! Which assessments of a customs entry are lower than what stood, and who said why.

use super::Screen;
use crate::{
    ancestry::Past, field_rights::CORRECTION, judged_change::EventView, normal::says_nothing,
    record::Record, sight::Sight, state::counted,
};

/// Assessments of one entry that are told apart. Nobody assesses one so often: of one that has more
/// each is taken for a lower one.
const ASSESSMENTS_MAX: usize = 100;

/// The assessments of a customs entry, and what explains that one is lower than another.
pub(super) struct Assessments<'a> {
    record: &'a Record,
    all: Vec<&'a EventView>,
    /// Those for which a supervisor gave a reason.
    stood_for: Vec<&'a EventView>,
    /// Entries in which a supervisor said why fields were corrected.
    corrections: Past,
}

impl<'a> Assessments<'a> {
    pub(super) fn of(record: &'a Record, sight: &Sight<'_>) -> Assessments<'a> {
        let all: Vec<&EventView> = counted(record, &["assessed"]).collect();
        let has_reason = |e: &&EventView| {
            let is_given = e.text("reason").is_some_and(|why| !says_nothing(why));
            is_given && is_supervisors(record, e)
        };
        let corrections = counted(record, &[CORRECTION]).filter(has_reason);

        Assessments {
            record,
            stood_for: all.iter().copied().filter(has_reason).collect(),
            corrections: sight.entries(corrections),
            all,
        }
    }

    /// Whether a supervisor gave a reason for it, or, before it, for one that was no higher.
    pub(super) fn is_stood_for(
        &self,
        sight: &Sight<'_>,
        event: &EventView,
        screen: &Screen,
    ) -> bool {
        let duty = |e: &EventView| e.int("duty_minor").unwrap_or_default();
        self.stood_for.iter().any(|reasoned| {
            let is_same = reasoned.text("currency") == event.text("currency");
            let is_no_higher = is_same && duty(reasoned) <= duty(event);
            reasoned.id == event.id
                || is_no_higher && is_known_before(sight, reasoned, event, screen)
        })
    }

    /// Whether one tells less than those that stood before, or another currency, though no
    /// supervisor corrected anything since.
    pub(super) fn are_lowered(
        &self,
        sight: &Sight<'_>,
        event: &EventView,
        screen: &Screen,
    ) -> bool {
        if self.all.len() > ASSESSMENTS_MAX {
            return true;
        }

        let before = self.all.iter().copied();
        let before: Vec<&EventView> = before
            .filter(|e| is_known_before(sight, e, event, screen))
            .collect();
        let mut built_on = Past::default();
        for earlier in &before {
            if let Some(shown) = self.record.now().shown(&earlier.reference) {
                built_on.unite(shown);
            }
        }

        let stood = before
            .into_iter()
            .filter(|e| !built_on.contains(sight.number(e)));
        let stood: Vec<&EventView> = stood.collect();
        for earlier in &stood {
            built_on.insert(sight.number(earlier));
        }

        let mut corrections = self.corrections.common(&screen.shown);
        let is_corrected = corrections.any(|entry| !built_on.contains(entry));
        !is_corrected && stood.into_iter().any(|then| is_less(event, then))
    }
}

/// Whether an assessment stands before another one in its entry, or was known to its author or its
/// log.
fn is_known_before(
    sight: &Sight<'_>,
    earlier: &EventView,
    event: &EventView,
    screen: &Screen,
) -> bool {
    match earlier.reference == event.reference {
        true => earlier.ordinal < event.ordinal,
        false => screen.known.contains(sight.number(earlier)),
    }
}

/// Whether an assessment tells less than another, or tells it in another currency.
fn is_less(event: &EventView, then: &EventView) -> bool {
    let duty = |e: &EventView| e.int("duty_minor").unwrap_or_default();
    let is_same = event.text("currency") == then.text("currency");
    duty(then) > 0 && (!is_same || duty(event) < duty(then))
}

/// Whether the officer of an event was a supervisor when it was said.
fn is_supervisors(record: &Record, event: &EventView) -> bool {
    let said = record.row(&event.reference).map(|(said, _)| said);
    let officer = said.and_then(|said| said.judge.officers.get(&event.officer));
    officer.is_some_and(|officer| officer.supervisor)
}
