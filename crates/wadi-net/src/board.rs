//! Who is connected: one connection for each link with each peer.

use crate::{
    identity::RevokedSerials,
    porch::{REVOKED_CODE, certificate_of, is_late},
};
use quinn::{Connection, VarInt};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use wadi_log::NodeId;

/// Links with one peer at once. A caller that comes over one more is turned away.
pub const LINKS_OF_PEER_MAX: usize = 4;

/// Callers of one peer at once that have not begun their link: after an outage all of them call.
pub(crate) const GREETINGS_MAX: usize = LINKS_OF_PEER_MAX;

/// Connections by peer and by the link's name, which is empty where there is one link. Where two
/// nodes dial each other at once, the one that the smaller id dialled stays. Whoever dials a link
/// anew has given its last connection up; the other links stay as they are.
#[derive(Default)]
pub(crate) struct Board {
    standing: Mutex<BTreeMap<NodeId, BTreeMap<String, StandingConnection>>>,
    /// Callers that have not said yet which link they come over, or wait for its memory.
    greeting: Mutex<BTreeMap<NodeId, Vec<Connection>>>,
    /// Whether peers know of one link alone, as they last said.
    singles: Mutex<BTreeMap<NodeId, Arc<AtomicBool>>>,
}

struct StandingConnection {
    connection: Connection,
    /// By this node.
    dialled: bool,
}

impl StandingConnection {
    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }
}

/// What becomes of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Admitted {
    /// It stands.
    Stands,
    /// Another one stands for this link.
    Another,
    /// The peer has as many links as it may have.
    TooMany,
}

/// Whether a connection takes the place of one that stands, by who dialled them.
fn takes_place(me: NodeId, peer: NodeId, standing_dialled: bool, dialled: bool) -> bool {
    let preferred = dialled == (me < peer);
    preferred || standing_dialled == dialled
}

impl Board {
    /// Whether this connection may stand for a link with a peer. One that it replaces is closed,
    /// and so is itself where it may not.
    pub(crate) fn admit(
        &self,
        me: NodeId,
        (peer, link): (NodeId, &str),
        connection: &Connection,
        dialled: bool,
    ) -> Admitted {
        let mut standing = self.standing.lock().expect("no panic holds it");
        let links = standing.entry(peer).or_default();
        links.retain(|_, standing| standing.is_open());
        if let Some(old) = links.get(link) {
            if !takes_place(me, peer, old.dialled, dialled) {
                connection.close(VarInt::from_u32(1), b"another connection stands");
                return Admitted::Another;
            }
            old.connection
                .close(VarInt::from_u32(1), b"replaced by another connection");
        } else if links.len() >= LINKS_OF_PEER_MAX {
            connection.close(VarInt::from_u32(1), b"too many links");
            return Admitted::TooMany;
        }

        let new = StandingConnection {
            connection: connection.clone(),
            dialled,
        };
        links.insert(link.into(), new);
        Admitted::Stands
    }

    /// A caller has yet to say which link it comes over. Of more than may be the oldest is closed.
    pub(crate) fn greets(&self, peer: NodeId, connection: &Connection) {
        let mut greeting = self.greeting.lock().expect("no panic holds it");
        let callers = greeting.entry(peer).or_default();
        callers.retain(|c| c.close_reason().is_none());
        if callers.len() >= GREETINGS_MAX {
            callers
                .remove(0)
                .close(VarInt::from_u32(1), b"it did not say which link it is");
        }
        callers.push(connection.clone());
    }

    /// A caller has said so and its link begins, or it never will.
    pub(crate) fn greeted(&self, peer: &NodeId, connection: &Connection) {
        let mut greeting = self.greeting.lock().expect("no panic holds it");
        if let Some(callers) = greeting.get_mut(peer) {
            callers.retain(|c| c.stable_id() != connection.stable_id());
            if callers.is_empty() {
                greeting.remove(peer);
            }
        }
    }

    /// Where it is noted whether a peer knows of one link alone.
    pub(crate) fn single(&self, peer: NodeId) -> Arc<AtomicBool> {
        let mut singles = self.singles.lock().expect("no panic holds it");
        singles.entry(peer).or_default().clone()
    }

    /// Closes what stands with a certificate that was revoked; who was at the other end.
    pub(crate) fn close_revoked(&self, revoked: &RevokedSerials) -> Vec<NodeId> {
        let standing = self.standing.lock().expect("no panic holds it");
        let is_revoked = |standing: &StandingConnection| {
            certificate_of(&standing.connection).is_some_and(|shown| revoked.names(&shown))
        };

        let mut closed = Vec::new();
        for (peer, links) in standing.iter() {
            let revoked = links.values().filter(|s| s.is_open() && is_revoked(s));
            for standing in revoked {
                let code = VarInt::from_u32(REVOKED_CODE);
                standing.connection.close(code, b"certificate revoked");
                closed.push(*peer);
            }
        }
        closed.dedup();
        closed
    }

    /// Closes what this node dialled with a certificate that had expired.
    pub(crate) fn close_late(&self) {
        let standing = self.standing.lock().expect("no panic holds it");
        let dialled = standing.values().flat_map(BTreeMap::values);
        for late in dialled.filter(|s| s.dialled && s.is_open() && is_late(&s.connection)) {
            late.connection.close(VarInt::from_u32(0), b"renewed");
        }
    }

    /// Whether any link with a peer stands.
    pub(crate) fn is_linked(&self, peer: &NodeId) -> bool {
        let standing = self.standing.lock().expect("no panic holds it");
        let links = standing.get(peer);
        links.is_some_and(|links| links.values().any(StandingConnection::is_open))
    }

    /// Whether a link with a peer stands.
    pub(crate) fn stands(&self, peer: &NodeId, link: &str) -> bool {
        let standing = self.standing.lock().expect("no panic holds it");
        let links = standing.get(peer);
        links
            .and_then(|links| links.get(link))
            .is_some_and(StandingConnection::is_open)
    }

    /// Whether a link need not be dialled: it stands, or another one does and the peer knows of one
    /// alone, for which each of them takes the place of the last.
    pub(crate) fn need_not_dial(&self, peer: &NodeId, link: &str) -> bool {
        let is_single = self.single(*peer).load(Ordering::Relaxed);
        self.stands(peer, link) || is_single && self.is_linked(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_dials_anew_takes_the_place_of_what_it_dialled_before() {
        let (small, large) = (NodeId([1; 16]), NodeId([2; 16]));
        for (me, peer) in [(small, large), (large, small)] {
            for dialled in [true, false] {
                assert!(takes_place(me, peer, dialled, dialled));
            }
        }

        // Both dialled at once: of the two, both ends keep the same.
        assert!(takes_place(small, large, false, true));
        assert!(takes_place(large, small, true, false));
        assert!(!takes_place(small, large, true, false));
        assert!(!takes_place(large, small, false, true));
    }
}
