//! Materialised records.

pub(crate) mod shelf;
