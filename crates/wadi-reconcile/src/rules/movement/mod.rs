//! Rules that watch how trucks, goods and their seals move: between crossings, in
//! and out, and inland.

pub(super) mod diversion_open;
pub(super) mod impossible_journey;
pub(super) mod inland_overdue;
pub(super) mod left_uncleared;
pub(super) mod missing_counterpart;
pub(super) mod near_duplicate_vehicle;
pub(super) mod presence_outside_stay;
pub(super) mod seal_broken;
