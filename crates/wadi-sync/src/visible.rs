//! What may travel to whom: one rule for sessions and bundles.

use wadi_log::{Enrolment, LogId, Role};

/// A log that a node may take: by its grant, or because it is its own.
pub fn may_take(node: &Enrolment, log: &LogId) -> bool {
    node.scope.takes_log(log) || log.node == node.node()
}

/// A log that both may see: each by its grant, or because it is its own.
pub fn both_may_see(me: &Enrolment, peer: &Enrolment, log: &LogId) -> bool {
    let theirs =
        peer.scope.takes_log(log) || (peer.role != Role::Observer && log.node == peer.node());
    theirs && may_take(me, log) && me.log_key != peer.log_key
}
