//! Rules that watch radiation portals.

pub(super) mod radiation_unresolved;
