//! Bundles: what is carried by hand where no link reaches, and the receipts that answer it.

pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod parts;
pub(crate) mod receipt;
