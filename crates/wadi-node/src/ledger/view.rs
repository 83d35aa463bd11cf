//! What everybody but the sequencer reads of logs.

use crate::ledger::watermarks::HeardNode;
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::{Control, Frontier, LogId, NodeId};

/// What was known of logs when a commit was handed to the store. It never changes, and is published
/// once that commit is durable: nobody sees what is not kept.
#[derive(Clone, Debug)]
pub struct LedgerView {
    /// Which of all views it is: a later one has a larger number.
    pub generation: u64,
    /// Control facts.
    pub control: Arc<Control>,
    /// How far each log has come.
    pub frontier: Arc<Frontier>,
    /// Through which time each crossing is received, Unix milliseconds.
    pub watermarks: Arc<BTreeMap<String, i64>>,
    /// Of each crossing the node that holds that time back.
    pub slowest: Arc<BTreeMap<String, HeardNode>>,
    /// Of each closed crossing the node that was heard furthest past its end.
    pub past_closure: Arc<BTreeMap<String, HeardNode>>,
}

impl LedgerView {
    /// Whether anything is held of a node's logs.
    pub fn is_heard(&self, node: &NodeId) -> bool {
        let mut logs = self.frontier.0.range(LogId::first_of(*node)..);
        logs.next().is_some_and(|(log, _)| log.node == *node)
    }

    /// Whether nobody waits for a node: a hub declared it a spare, and nothing of it is held.
    pub fn is_spare(&self, node: &NodeId) -> bool {
        !self.is_heard(node) && !self.control.spare_declarations(node).is_empty()
    }
}
