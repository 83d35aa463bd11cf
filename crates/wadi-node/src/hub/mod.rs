//! What the hub alone does: reconciling, the life of its findings, and its country log.

mod claims;
pub(crate) mod country;
pub(crate) mod desk;
pub(crate) mod dossiers;
pub(crate) mod due;
mod found;
pub(crate) mod life;
pub(crate) mod publishing;
pub(crate) mod reconciler;
mod silent;
