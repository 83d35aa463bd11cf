//! By which terms holds hold records, as the store takes them.

use crate::door::Door;
use wadi_record::{
    Policy, SOUGHT, again_terms, carried_terms, emptied_terms, moved_terms, stored_terms,
};
use wadi_store::{CameAgain, CarriedWithin, EmptiedBefore, HoldTerms, MovedWithin, StoredOn};

/// By which terms holds hold records, under a policy.
pub(crate) fn hold_terms(policy: &Policy) -> HoldTerms {
    let carried = carried_terms(policy).map(|term| CarriedWithin {
        what: term.what,
        within_ms: term.within_ms,
    });
    let moved = moved_terms(policy).map(|term| MovedWithin {
        from: term.from,
        to: term.to,
        said: term.said,
        within_ms: term.within_ms,
    });
    let given_up = emptied_terms(policy);
    let again = again_terms(policy);
    let stored = stored_terms();

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
        again: Some(CameAgain {
            what: again.what,
            own: again.own,
            within_ms: again.within_ms,
        }),
        stored: Some(StoredOn {
            came_off: stored.came_off,
            came_off_by: stored.came_off_by,
            stored: stored.stored,
            stored_by: stored.stored_by,
            declared: stored.declared,
        }),
    }
}

impl Door {
    /// By which terms holds hold records now.
    pub(crate) fn hold_terms(&self) -> HoldTerms {
        hold_terms(&self.policy_now())
    }
}
