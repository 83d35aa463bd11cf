//! What states and flags are called, for whoever asks for records by them.

/// Every name of a state and every flag that [`crate::state()`] gives.
pub const STATE_NAMES: &[&str] = &[
    // Any record.
    "OPEN",
    "FOREIGN",
    "UNREADABLE",
    "CONTESTED",
    "REFUSED_ACTS",
    "CHANGED_AFTER",
    // Passages.
    "ANNOUNCED",
    "ADMITTED",
    "IN_PROCESS",
    "CLEARED",
    "EXITED",
    "TURNED_BACK",
    "DIVERTED",
    "ARRIVED_ELSEWHERE",
    "ABANDONED",
    "VOID",
    "CHECK_OPEN",
    "ANOMALY",
    "DIVERTED_TWICE",
    "FORCED_EXIT",
    "HANDED_OVER",
    "VOIDED_AFTER_EXIT",
    // Holds.
    "PLACED",
    "SAMPLED",
    "RESULT_IN",
    "RELEASE_REQUESTED",
    "CONDITIONAL",
    "REJECTED",
    "RECALLED",
    "RELEASED",
    "RE_EXPORTED",
    "DESTROYED",
    "SEIZED",
    "RELEASE_REFUSED",
    "LOOKOUT",
    // Customs entries.
    "CANCELLED_AFTER_RELEASE",
    "STORED",
    "REGISTERED",
    "ASSESSED",
    "PAID",
    "CANCELLED",
    "QUERY",
    "CANCEL_REQUESTED",
    "RELEASED_WHILE_OPEN",
    "ASSESSED_UNDULY",
    "PAID_UNDULY",
    "RELEASED_UNDULY",
    "GREEN",
    "BLUE",
    "YELLOW",
    "RED",
    // Site days.
    "POWER_LOST",
    "LINK_DOWN",
    "WATER_BREACH",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_list_is_what_the_folds_say() {
        let folds = include_str!("state.rs")
            .split("#[cfg(test)]")
            .next()
            .unwrap();
        let is_name = |text: &&str| {
            text.len() > 2 && text.bytes().all(|c| c.is_ascii_uppercase() || c == b'_')
        };
        let said: BTreeSet<&str> = folds
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(is_name)
            .chain(crate::events::CHANNELS)
            .collect();

        let listed: BTreeSet<&str> = STATE_NAMES.iter().copied().collect();
        assert_eq!(said, listed);
        assert_eq!(listed.len(), STATE_NAMES.len(), "a name stands there twice");
    }
}
