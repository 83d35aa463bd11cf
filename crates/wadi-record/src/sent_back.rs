//! Vehicles that were sent back, and the gate that led them out.
//!
//! Who is sent back at a counter goes out by a gate as everybody does. The exit of whoever was sent
//! back takes no clearing, and is no way into the country: the vehicle stays turned back. Unless it
//! was cleared after that, or came in again, or the gate says that it went in.

use crate::{clearings::knew, judged_change::EventView, record::Record, sight::Sight};

/// Words of one kind on one passage that are held against each other. Nobody is sent back so often
/// on one passage: of one that is, every exit takes a clearing.
const TOLD_APART_MAX: usize = 10;

/// What sent the vehicle of a passage back, and what may have let it go after all.
pub(crate) struct SentBack<'a> {
    back: Vec<&'a EventView>,
    cleared: Vec<&'a EventView>,
    came: Vec<&'a EventView>,
}

impl<'a> SentBack<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let all = |kind: &str| -> Vec<&'a EventView> {
            let counting = record.events().filter(|e| e.counts());
            counting.filter(|e| e.kind() == kind).collect()
        };
        let back = all("turned_back");
        // Few are ever sent back.
        let (cleared, came) = match back.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => (all("cleared"), all("gate.in")),
        };

        Self {
            back,
            cleared,
            came,
        }
    }

    /// Whether an exit is that of a vehicle that was sent back, as its author knew.
    pub(crate) fn is_led_out(&self, sight: &Sight<'_>, out: &EventView) -> bool {
        let most = self.cleared.len().max(self.came.len());
        let goes_in = out
            .text("direction")
            .is_some_and(|way| way.trim().eq_ignore_ascii_case("in"));
        if goes_in || most.max(self.back.len()) > TOLD_APART_MAX {
            return false;
        }

        let is_cleared_since = |back: &EventView| {
            let mut seen = self.cleared.iter().filter(|c| knew(sight, out, c));
            seen.any(|cleared| !knew(sight, back, cleared))
        };
        let is_back_since = |back: &EventView| {
            let mut seen = self.came.iter().filter(|came| knew(sight, out, came));
            seen.any(|came| knew(sight, came, back))
        };

        let mut known = self.back.iter().filter(|back| knew(sight, out, back));
        known.any(|back| !is_cleared_since(back) && !is_back_since(back))
    }
}
