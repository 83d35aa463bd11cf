//! Which peers hold this node's own enrolment, so that it need not be shown to them again.
//!
//! It is known for one session at a time: what begins without the enrolment and comes to nothing,
//! because the peer lost what it held, is followed by one that shows it.

use std::{collections::BTreeMap, sync::Mutex};
use wadi_log::{Enrolment, NodeId};

/// Peers, each with the enrolment of this node that it holds.
#[derive(Debug, Default)]
pub(crate) struct OwnPapersHeld(Mutex<BTreeMap<NodeId, Enrolment>>);

impl OwnPapersHeld {
    /// The peer holds this enrolment of this node.
    pub(crate) fn note(&self, peer: NodeId, own: &Enrolment) {
        let mut held = self.0.lock().expect("no panic holds it");
        held.insert(peer, own.clone());
    }

    /// Whether the peer holds this very enrolment; forgotten until it is noted again.
    pub(crate) fn take(&self, peer: &NodeId, own: &Enrolment) -> bool {
        let mut held = self.0.lock().expect("no panic holds it");
        held.remove(peer).is_some_and(|held| held == *own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{LogKey, Role, Scope};

    #[test]
    fn it_is_known_for_one_session_and_of_one_enrolment() {
        let (root, trb) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
        let enrolled = |serial| {
            let unsigned = Enrolment {
                name: "trb".into(),
                role: Role::Crossing,
                crossing: "TRB".parse().ok(),
                log_key: trb.public(),
                tls_key: [0; 32],
                scope: Scope::all(),
                serial,
                issued_s: 0,
                root_signature: [0; 64],
            };
            unsigned.issue(&root).unwrap()
        };
        let (hub, first, renewed) = (NodeId([7; 16]), enrolled(1), enrolled(2));
        let held = OwnPapersHeld::default();
        assert!(!held.take(&hub, &first));

        held.note(hub, &first);
        assert!(held.take(&hub, &first));
        assert!(
            !held.take(&hub, &first),
            "whether that went well is not known"
        );

        held.note(hub, &first);
        assert!(!held.take(&hub, &renewed));
    }
}
