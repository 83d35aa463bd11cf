//! From which time the end of what is issued is reckoned, and what is told to whoever issues it.

use super::{DAY_S, KnownTime, date, span};

impl KnownTime {
    /// What is told to whoever issues something that ends, where the machine's clock and what the
    /// node goes by differ, or nothing but that clock tells the time: its end may lie in another
    /// year than was meant.
    pub fn issue_warning(&self) -> Option<String> {
        let (now, best_s) = (self.now(), self.best_s());
        let by = date(best_s);
        let ahead_s = now.machine_s.saturating_sub(best_s);
        let apart = span(ahead_s.saturating_abs());
        if ahead_s > now.agree_s {
            return Some(format!(
                "this machine's clock is {apart} ahead of the time that the node goes by: the end \
                 is reckoned from {by}"
            ));
        }
        if ahead_s < now.agree_s.saturating_neg() {
            return Some(format!(
                "this machine's clock is {apart} behind the time that the node goes by: the end \
                 is reckoned from {by}"
            ));
        }

        (!self.knows_hub_time()).then(|| {
            format!(
                "no hub was heard since this node started: the end is reckoned from {by}, by this \
                 machine's clock; look whether that is right"
            )
        })
    }

    /// Whether a time at which this node issued something lies ahead by more than a day, as a hub
    /// tells that was heard since this start: the machine's clock ran ahead then, and nobody knows
    /// when what was issued ends.
    pub fn was_issued_ahead(&self, issued_ms: i64) -> bool {
        let ahead_ms = issued_ms.saturating_sub(self.best_ms());
        ahead_ms > DAY_S * 1_000 && self.knows_hub_time()
    }

    /// The time from which the end of a token for a release is reckoned, Unix seconds: what the
    /// hub goes by, or what it signed last, or heard of another, where that is later. By what hubs
    /// signed sites judge such a token, and a hub never signs less than it signed before: one that
    /// ended by its clock alone would be over before it was issued.
    pub fn release_from_s(&self) -> i64 {
        let best_s = self.best_s();
        let state = self.lock();
        let heard_s = state.hub.believed().map_or(0, |claim| claim.time_s);
        let signed_s = state.own.signed_s().unwrap_or(0);
        best_s.max(heard_s).max(signed_s)
    }

    /// What is told to whoever issues a token for a release: that it can be spent for longer than
    /// was meant, where hubs signed a time ahead; else as of whatever ends.
    pub fn release_warning(&self) -> Option<String> {
        let from_s = self.release_from_s();
        let ahead_s = from_s.saturating_sub(self.best_s());
        if ahead_s <= self.now().agree_s {
            return self.issue_warning();
        }

        let (apart, from) = (span(ahead_s), date(from_s));
        Some(format!(
            "a hub signed a time before that is {apart} ahead of the one that this node goes by, \
             and sites judge by it: the end is reckoned from {from}, so that it can be spent for \
             so much longer"
        ))
    }
}
