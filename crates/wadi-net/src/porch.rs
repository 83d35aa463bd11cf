//! What all connections of a node share: who is connected, the transport's settings, and who was
//! turned away.

use crate::{
    NetError, NetworkConfig,
    identity::{RevokedSerials, peer_of},
    late::{LATE_ALPN, ends_s},
    link_rate::LinkRate,
    liveness::{LOOK_PERIOD, SilenceWatch},
    refusals::Refusals,
    streams::{ConnectionPlan, run_connection},
    transport::Transport,
};
use quinn::{Connection, ConnectionError, TransportConfig, VarInt};
use rustls_pki_types::CertificateDer;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use wadi_log::{NodeId, Role};
use wadi_node::{LinkCounter, Node, TrafficPurpose, WayBytes};

/// The code of a connection that is closed because the other end's certificate has expired.
pub(crate) const EXPIRED_CODE: u32 = 4;

/// The code of a connection that is closed because the other end is not who was to be there.
pub(crate) const STRANGER_CODE: u32 = 2;

/// The code of a connection that is closed because the other end was cut.
pub(crate) const CUT_CODE: u32 = 3;

/// The code of a connection that is closed because the other end's certificate was revoked.
pub(crate) const REVOKED_CODE: u32 = 5;

/// How often it is looked whether one that is late still is.
const LATE_RETRY_PAUSE: Duration = Duration::from_secs(20);

/// All that a connection put on the wire and took from it since it began.
fn wire_bytes(connection: &Connection) -> WayBytes {
    let stats = connection.stats();
    WayBytes {
        sent: stats.udp_tx.bytes,
        received: stats.udp_rx.bytes,
    }
}

/// The porch's inside.
pub(crate) struct Porch {
    pub(crate) node: Arc<Node>,
    board: Board,
    refusals: Refusals,
    /// Rates that this node has provisioned, by peer, bits a second.
    rates: BTreeMap<NodeId, u64>,
    transport: Transport,
}

/// Connections by peer: where two nodes dial each other at once, the one that the smaller id
/// dialled stays. Whoever dials anew has given its last connection up.
#[derive(Default)]
struct Board(Mutex<BTreeMap<NodeId, StandingConnection>>);

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

/// Whether a connection takes the place of one that stands, by who dialled them.
fn takes_place(me: NodeId, peer: NodeId, standing_dialled: bool, dialled: bool) -> bool {
    let preferred = dialled == (me < peer);
    preferred || standing_dialled == dialled
}

impl Board {
    /// Whether this connection may stand. One that it replaces is closed.
    fn admit(&self, me: NodeId, peer: NodeId, connection: &Connection, dialled: bool) -> bool {
        let mut board = self.0.lock().expect("no panic holds it");
        if let Some(old) = board.get(&peer).filter(|old| old.is_open()) {
            if !takes_place(me, peer, old.dialled, dialled) {
                connection.close(VarInt::from_u32(1), b"another connection stands");
                return false;
            }
            old.connection
                .close(VarInt::from_u32(1), b"replaced by another connection");
        }

        let standing = StandingConnection {
            connection: connection.clone(),
            dialled,
        };
        board.insert(peer, standing);
        true
    }

    /// Closes what stands with a certificate that was revoked; who was at the other end.
    fn close_revoked(&self, revoked: &RevokedSerials) -> Vec<NodeId> {
        let board = self.0.lock().expect("no panic holds it");
        let is_revoked = |standing: &StandingConnection| {
            certificate_of(&standing.connection).is_some_and(|shown| revoked.names(&shown))
        };

        let mut closed = Vec::new();
        for (peer, standing) in board.iter().filter(|(_, s)| s.is_open() && is_revoked(s)) {
            let code = VarInt::from_u32(REVOKED_CODE);
            standing.connection.close(code, b"certificate revoked");
            closed.push(*peer);
        }
        closed
    }

    fn stands(&self, peer: &NodeId) -> bool {
        self.0
            .lock()
            .expect("no panic holds it")
            .get(peer)
            .is_some_and(StandingConnection::is_open)
    }
}

/// How often it is noted how a contact goes on.
const CONTACT_PERIOD: Duration = Duration::from_secs(2);

/// A peer, as its certificate shows it.
struct Caller {
    peer: NodeId,
    tls_key: [u8; 32],
    /// When its certificate ends, Unix seconds.
    ends_s: i64,
    /// It says itself that its certificate has expired.
    late: bool,
}

impl Porch {
    pub(crate) fn new(node: Arc<Node>, config: &NetworkConfig) -> Self {
        let rates = config
            .peers
            .iter()
            .filter_map(|p| Some((p.node, p.rate_bits_s?)));

        Self {
            node,
            board: Board::default(),
            refusals: Refusals::default(),
            rates: rates.collect(),
            transport: Transport {
                idle: config.idle,
                own_links: config.own_links,
            },
        }
    }

    pub(crate) fn is_connected(&self, peer: &NodeId) -> bool {
        self.board.stands(peer)
    }

    /// Settings of one connection, whose controller follows this rate.
    pub(crate) fn transport(&self, rate: &LinkRate) -> TransportConfig {
        self.transport.config(rate)
    }

    /// Closes connections that stand with a certificate that was revoked.
    pub(crate) async fn close_revoked(&self, revoked: &RevokedSerials) {
        for peer in self.board.close_revoked(revoked) {
            let why = format!("the certificate of {peer} is on the revocation list");
            self.refuse_member(peer, "certificate_revoked", why).await;
        }
    }

    /// Counts a caller who never said who it is; it is noted now and then.
    pub(crate) async fn refuse_stranger(&self, address: IpAddr, why: &str) {
        tracing::debug!(%address, why, "a caller was not let in");
        let Some(times) = self.refusals.count(address.to_string(), Instant::now()) else {
            return;
        };
        let why = match times {
            1 => format!("{address}: {why}"),
            _ => format!("{address}: {why} ({times} times in the last minutes)"),
        };

        self.note_refusal("a caller".into(), "not_let_in", why)
            .await;
    }

    /// Counts a member that was turned away; it is noted now and then.
    async fn refuse_member(&self, peer: NodeId, code: &str, why: String) {
        if self
            .refusals
            .count(format!("{peer} {code}"), Instant::now())
            .is_some()
        {
            self.note_refusal(peer.to_string(), code, why).await;
        }
    }

    async fn note_refusal(&self, subject: String, code: &str, why: String) {
        tracing::warn!(subject, code, why, "a caller was not let in");
        self.node
            .note_refusal(subject, code.into(), why, String::new())
            .await;
    }

    /// Runs a link over a connection, whoever dialled. `expected` is whom this node dialled.
    /// Returns how the other end closed it, where it did.
    pub(crate) async fn serve(
        &self,
        connection: Connection,
        expected: Option<NodeId>,
        rate: LinkRate,
    ) -> Option<ConnectionError> {
        let caller = self.let_in(&connection, expected).await?;
        let peer = caller.peer;
        let dialled = expected.is_some();
        if !self.board.admit(self.node.id(), peer, &connection, dialled) {
            return None;
        }

        rate.provision(self.rates.get(&peer).copied().unwrap_or(0));
        let counter = Arc::new(LinkCounter::default());
        let set_up = wire_bytes(&connection);
        counter.count_sent(TrafficPurpose::Handshake, set_up.sent as usize);
        counter.count_received(TrafficPurpose::Handshake, set_up.received as usize);
        let run = run_connection(
            self.node.clone(),
            (peer, caller.tls_key),
            connection.clone(),
            ConnectionPlan {
                dialled,
                late: caller.late,
                rate,
                counter: counter.clone(),
            },
        );

        self.node.contact_begins(peer, caller.ends_s);
        let why = tokio::select! {
            why = run => why,
            why = self.end_lateness(&caller, &connection) => why,
            why = silence(&connection) => why,
            () = self.follow_contact(peer, &connection, &counter) => {
                unreachable!("it follows for ever")
            }
        };
        self.note_contact(peer, &connection, &counter).await;

        // Closing it here, too, would hide the other end's word.
        let ended = connection.close_reason();
        connection.close(
            VarInt::from_u32(0),
            why.as_bytes().get(..200.min(why.len())).unwrap_or_default(),
        );

        if !self.board.stands(&peer) {
            self.node.note_peer(peer, |p| {
                p.connected = false;
                p.in_step = false;
                p.last_error = why;
            });
        }

        ended
    }

    /// Notes how a contact goes on, until it is dropped.
    async fn follow_contact(&self, peer: NodeId, connection: &Connection, counter: &LinkCounter) {
        loop {
            tokio::time::sleep(CONTACT_PERIOD).await;
            self.note_contact(peer, connection, counter).await;
        }
    }

    async fn note_contact(&self, peer: NodeId, connection: &Connection, counter: &LinkCounter) {
        let wire = wire_bytes(connection);
        let by = counter.take(wire);
        self.node.contact_goes_on(peer, wire, &by).await;
    }

    /// Who it is, where it may be spoken to; the connection is closed otherwise.
    async fn let_in(&self, connection: &Connection, expected: Option<NodeId>) -> Option<Caller> {
        let address = connection.remote_address().ip();
        let caller = match shown(connection, expected) {
            Ok(caller) => caller,
            Err(error) => {
                connection.close(
                    VarInt::from_u32(STRANGER_CODE),
                    b"no node in the certificate",
                );
                self.refuse_stranger(address, &error.to_string()).await;
                return None;
            }
        };

        let peer = caller.peer;
        if expected.is_some_and(|e| e != peer) {
            connection.close(VarInt::from_u32(STRANGER_CODE), b"wrong peer");
            self.refuse_member(peer, "wrong_peer", "another node answered".into())
                .await;
            return None;
        }

        // One that this node dials is let in as it is, for that node to hand in what it holds.
        if expected.is_none() && !caller.late && self.has_expired(&caller) {
            connection.close(VarInt::from_u32(EXPIRED_CODE), b"certificate expired");
            let why =
                format!("the certificate of {peer} has expired: renew it with `wadi pki renew`");
            self.refuse_member(peer, "certificate_expired", why).await;
            return None;
        }

        // A node that was cut as a whole is captured: nothing more is said to it.
        if self.node.with_control(|c| c.is_cut(&peer)) {
            connection.close(VarInt::from_u32(CUT_CODE), b"cut");
            self.refuse_member(peer, "cut_node", "a node that was cut called".into())
                .await;
            return None;
        }

        Some(self.late_or_not(caller, expected.is_some()))
    }

    /// Ends the connection of one that is late no more, because a clock is right again: it dials as
    /// ever then.
    async fn end_lateness(&self, caller: &Caller, connection: &Connection) -> String {
        while caller.late && self.has_expired(caller) {
            tokio::time::sleep(LATE_RETRY_PAUSE).await;
        }

        if caller.late {
            connection.close(VarInt::from_u32(0), b"the certificate has not expired");
        }

        std::future::pending().await
    }

    fn has_expired(&self, caller: &Caller) -> bool {
        self.node.time().expiry_s() > caller.ends_s
    }

    /// One whose certificate has expired is late, whoever dialled. Not so a hub: what is handed in
    /// goes to it.
    fn late_or_not(&self, caller: Caller, dialled: bool) -> Caller {
        let is_hub = self
            .node
            .with_control(|c| c.role(&caller.peer) == Some(Role::Hub));
        let late = caller.late || dialled && !is_hub && self.has_expired(&caller);
        Caller { late, ..caller }
    }
}

/// Returns when a peer owes an answer for too long. Its connection is given up then, so that it is
/// dialled anew.
async fn silence(connection: &Connection) -> String {
    let mut watch = SilenceWatch::default();
    loop {
        tokio::time::sleep(LOOK_PERIOD).await;
        let stats = connection.stats();
        let (received, sent) = (stats.udp_rx.datagrams, stats.udp_tx.datagrams);
        if watch.is_half_dead(Instant::now(), received, sent, connection.rtt()) {
            return "the peer does not answer any more".into();
        }
    }
}

/// The certificate that the other end showed.
fn certificate_of(connection: &Connection) -> Option<CertificateDer<'static>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().cloned()
}

/// Reads what the other end showed of itself.
fn shown(connection: &Connection, expected: Option<NodeId>) -> Result<Caller, NetError> {
    let certificate = certificate_of(connection)
        .ok_or_else(|| NetError::Identity("no certificate was shown".into()))?;
    let (peer, tls_key) = peer_of(&certificate)?;

    let protocol = connection
        .handshake_data()
        .and_then(|d| d.downcast::<quinn::crypto::rustls::HandshakeData>().ok());
    let says_late = protocol
        .and_then(|d| d.protocol)
        .is_some_and(|p| p == LATE_ALPN);
    let late = says_late && expected.is_none();

    Ok(Caller {
        peer,
        tls_key,
        ends_s: ends_s(&certificate).unwrap_or(0),
        late,
    })
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
