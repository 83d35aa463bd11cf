//! Rules that watch customs entries: what was declared, weighed, counted, certified and paid.

pub(super) mod certificate_missing;
pub(super) mod duplicate_reference;
pub(super) mod lane_ignored;
pub(super) mod money_against_state;
pub(super) mod package_count;
pub(super) mod transit_open;
pub(super) mod undervalued;
pub(super) mod weight_mismatch;
