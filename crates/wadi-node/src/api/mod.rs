//! What porches and commands read of a node: nothing here changes a record.

pub(crate) mod alarms;
pub(crate) mod compare_pages;
pub(crate) mod cursors;
pub(crate) mod evidence;
pub(crate) mod history;
mod holds_on;
pub(crate) mod lists;
pub(crate) mod local_chain;
pub(crate) mod local_table;
pub(crate) mod quarantine;
pub(crate) mod read;
mod release_tokens;
pub(crate) mod status;
pub(crate) mod tokens;

use crate::door::{Door, scopes::Digests};
use cursors::Cursors;
use std::sync::{Arc, Mutex};

/// What people and programs read of a node.
pub struct Reads {
    door: Arc<Door>,
    /// What the records came to when status was last asked for, and of which newest change and how
    /// many records.
    digests: Mutex<Option<((i64, i64), Vec<Digests>)>>,
    cursors: Cursors,
}

impl Reads {
    pub(crate) fn new(door: Arc<Door>, cursors: Cursors) -> Self {
        Self {
            door,
            cursors,
            digests: Mutex::default(),
        }
    }
}
