//! What a link offers a hub of what is carried for others.

use super::Link;
use wadi_sync::{Input, Range};

/// Ranges carried for others that are offered in one message.
const OFFERED_AT_ONCE: usize = 1_024;

impl Link<'_> {
    /// Offers a hub what is carried here for others.
    pub(super) async fn offer_carried(&mut self) {
        if !std::mem::take(&mut self.look_at_carried) {
            return;
        }

        let Ok(carried) = self.node.store.carried_ranges().await else {
            self.look_at_carried = true;
            return;
        };
        let ranges = carried
            .into_iter()
            .map(|(log, from, to)| Range { log, from, to });
        let new: Vec<Range> = ranges
            .filter(|r| !self.offered.contains(r))
            .take(OFFERED_AT_ONCE)
            .collect();

        self.look_at_carried = new.len() == OFFERED_AT_ONCE;
        if !new.is_empty() {
            self.offered.extend(new.iter().copied());
            self.inputs.push_back(Input::OfferCarried(new));
        }
    }
}
