//! By which terms holds hold records, as the store takes them.

use crate::door::Door;
use wadi_record::{Policy, SOUGHT, carried_terms};
use wadi_store::{CarriedWithin, HoldTerms};

/// By which terms holds hold records, under a policy.
pub(crate) fn hold_terms(policy: &Policy) -> HoldTerms {
    let carried = carried_terms(policy).map(|term| CarriedWithin {
        what: term.what,
        within_ms: term.within_ms,
    });

    HoldTerms {
        sought: SOUGHT.to_vec(),
        carried: carried.to_vec(),
    }
}

impl Door {
    /// By which terms holds hold records now.
    pub(crate) fn hold_terms(&self) -> HoldTerms {
        hold_terms(&self.policy_now())
    }
}
