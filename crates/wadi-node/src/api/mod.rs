//! What porches and commands read of a node: nothing here changes a record.

pub(crate) mod alarms;
mod borne_out;
pub(crate) mod chain_heads;
pub(crate) mod compare_pages;
pub(crate) mod compare_peer;
pub(crate) mod cursors;
mod cut_heads;
mod cut_lists;
pub(crate) mod day;
pub(crate) mod evidence;
pub(crate) mod expected;
pub(crate) mod finding_figures;
pub(crate) mod history;
mod history_order;
mod holds_on;
pub(crate) mod known;
pub(crate) mod lists;
pub(crate) mod local_chain;
pub(crate) mod local_table;
pub(crate) mod outages;
pub(crate) mod quarantine;
pub(crate) mod read;
pub(crate) mod related;
mod release_tokens;
pub(crate) mod statement;
pub(crate) mod status;
pub(crate) mod tokens;

use crate::door::Door;
use cursors::Cursors;
use std::sync::Arc;

/// What people and programs read of a node.
pub struct Reads {
    door: Arc<Door>,
    cursors: Cursors,
}

impl Reads {
    pub(crate) fn new(door: Arc<Door>, cursors: Cursors) -> Self {
        Self { door, cursors }
    }
}
