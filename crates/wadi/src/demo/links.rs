//! Links of the demonstration.

pub use crate::links::{Link, Profile};
