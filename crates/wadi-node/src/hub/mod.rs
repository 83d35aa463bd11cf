//! What the hub alone does: reconciling, and the life of its findings.

mod claims;
pub(crate) mod desk;
pub(crate) mod dossiers;
pub(crate) mod due;
mod found;
pub(crate) mod life;
pub(crate) mod publishing;
pub(crate) mod reconciler;
mod silent;
