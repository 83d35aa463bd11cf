//! Materialised records.

pub(crate) mod projections;
pub(crate) mod shelf;
