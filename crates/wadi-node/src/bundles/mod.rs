//! Bundles: what is carried by hand where no link reaches, and the receipts that answer it.

mod blocks;
pub(crate) mod export;
pub(crate) mod import;
mod parts;
mod receipt;

use crate::door::Door;
use export::BundlePlan;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// Makes bundles, takes them in, and writes receipts.
pub struct Bundles {
    door: Arc<Door>,
    /// The last plans, whose parts may be asked for.
    plans: Mutex<VecDeque<Arc<BundlePlan>>>,
}

impl Bundles {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            plans: Mutex::default(),
        }
    }
}
