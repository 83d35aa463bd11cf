//! By which terms holds hold records, as the store takes them.

use crate::door::Door;
use wadi_record::{Policy, SOUGHT, carried_terms, emptied_terms, moved_terms};
use wadi_store::{CarriedWithin, EmptiedBefore, HoldTerms, MovedWithin};

/// By which terms holds hold records, under a policy.
pub(crate) fn hold_terms(policy: &Policy) -> HoldTerms {
    let carried = carried_terms(policy).map(|term| CarriedWithin {
        what: term.what,
        within_ms: term.within_ms,
    });
    let moved = moved_terms(policy).map(|term| MovedWithin {
        from: term.from,
        to: term.to,
        within_ms: term.within_ms,
    });
    let given_up = emptied_terms(policy);

    HoldTerms {
        sought: SOUGHT.to_vec(),
        carried: carried.to_vec(),
        moved: moved.to_vec(),
        emptied: Some(EmptiedBefore {
            what: given_up.what,
            emptied: given_up.emptied,
            own: given_up.own,
            after_ms: given_up.after_ms,
        }),
    }
}

impl Door {
    /// By which terms holds hold records now.
    pub(crate) fn hold_terms(&self) -> HoldTerms {
        hold_terms(&self.policy_now())
    }
}
