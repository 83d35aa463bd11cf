//! What all connections of a node share: who is connected, the transport's settings, and who was
//! turned away.

use crate::{
    NetError, NetworkConfig,
    board::{Admitted, Board, LINKS_OF_PEER_MAX},
    endpoint::PeerAddress,
    identity::{RevokedSerials, peer_of},
    late::{LATE_ALPN, ends_s},
    link_rate::LinkRate,
    liveness::{LOOK_PERIOD, SilenceWatch},
    memory::LINK_BYTES,
    refusals::Refusals,
    streams::{ConnectionPlan, Greeting, MessageStream, accept_greeting, run_connection},
    transport::Transport,
};
use quinn::{Connection, ConnectionError, TransportConfig, VarInt};
use rustls_pki_types::CertificateDer;
use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::{NodeId, Role};
use wadi_node::{HeldPart, LinkCounter, LinkPlan, Node, TrafficPurpose, WayBytes};
use wadi_sync::LinkSpec;

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
    /// Rates that this node has provisioned, by peer and link, bits a second.
    rates: BTreeMap<(NodeId, String), u64>,
    transport: Transport,
}

/// How often it is noted how a contact goes on.
const CONTACT_PERIOD: Duration = Duration::from_secs(2);

/// What strangers are called among the refusals: who never said who it is has no name.
const STRANGER: &str = "a caller";

/// How long a caller may take to say over which link it comes.
const GREETING_MAX: Duration = Duration::from_secs(20);

/// How long a link waits for the memory that it takes at least, and how often it looks.
const SEAT_WAIT: Duration = Duration::from_secs(10);
const SEAT_LOOK: Duration = Duration::from_millis(20);

/// A link whose contact is noted.
struct FollowedLink {
    peer: NodeId,
    /// Which of several with the peer it is.
    link: Option<LinkSpec>,
    connection: Connection,
    counter: Arc<LinkCounter>,
}

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
        let rates = config.peers.iter().filter_map(|p| {
            let link = p.link_name().to_string();
            Some(((p.node, link), p.rate_bits_s?))
        });

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

    /// Whether a link need not be dialled now.
    pub(crate) fn need_not_dial(&self, peer: &NodeId, link: &str) -> bool {
        self.board.need_not_dial(peer, link)
    }

    /// Whether any link with a peer stands.
    pub(crate) fn is_linked(&self, peer: &NodeId) -> bool {
        self.board.is_linked(peer)
    }

    /// Settings of one connection, whose controller follows this rate.
    pub(crate) fn transport(&self, rate: &LinkRate) -> TransportConfig {
        self.transport.config(rate)
    }

    /// Closes what this node dialled as one that is late: with renewed papers it dials as ever.
    pub(crate) fn close_late(&self) {
        self.board.close_late();
    }

    /// Closes connections that stand with a certificate that was revoked.
    pub(crate) async fn close_revoked(&self, revoked: &RevokedSerials) {
        for peer in self.board.close_revoked(revoked) {
            let why = format!("the certificate of {peer} is on the revocation list");
            self.refuse_member(peer, "certificate_revoked", why).await;
        }
    }

    /// Counts a caller whose papers do not hold here, for the alarm, too.
    pub(crate) async fn turn_away(&self, address: IpAddr, why: &str) {
        self.node
            .note_refused_caller(STRANGER, "not_let_in", address, why);
        self.refuse_stranger(address, why).await;
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

        self.note_refusal(STRANGER.into(), "not_let_in", why).await;
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

    /// Runs a link over a connection, whoever dialled. `expected` is what this node dialled.
    /// Returns how the other end closed it, where it did.
    pub(crate) async fn serve(
        &self,
        connection: Connection,
        expected: Option<&PeerAddress>,
        rate: LinkRate,
    ) -> Option<ConnectionError> {
        let caller = self.let_in(&connection, expected.map(|e| e.node)).await?;
        let peer = caller.peer;
        let (link, told_rate, stream) = match expected {
            Some(dialled) => (dialled.link.clone(), None, MessageStream::ToOpen),
            None => {
                let greeting = self.greeting_of(peer, &connection).await?;
                let (link, rate) = greeting.link_and_rate();
                (link, rate, MessageStream::Greeted(greeting))
            }
        };

        let name = link.as_ref().map_or("", |link| &link.name);
        let seat = match self
            .admit((peer, name), &connection, expected.is_some())
            .await
        {
            Some(()) => self.seat_of(peer, &connection).await,
            None => None,
        };
        self.board.greeted(&peer, &connection);
        let seat = seat?;

        let provisioned = self.rates.get(&(peer, name.to_string())).copied();
        rate.provision(provisioned.unwrap_or(0));
        let counter = Arc::new(LinkCounter::default());
        let set_up = wire_bytes(&connection);
        counter.count_sent(TrafficPurpose::Handshake, set_up.sent as usize);
        counter.count_received(TrafficPurpose::Handshake, set_up.received as usize);
        let run = run_connection(
            self.node.clone(),
            connection.clone(),
            ConnectionPlan {
                stream,
                link: LinkPlan {
                    peer,
                    tls_key: caller.tls_key,
                    late: caller.late,
                    link: link.clone(),
                    rate_bits_s: provisioned.or(told_rate),
                },
                rate,
                counter: counter.clone(),
                peer_is_single: self.board.single(peer),
                seat,
            },
        );

        let followed = FollowedLink {
            peer,
            link: link.clone(),
            connection: connection.clone(),
            counter,
        };
        self.node.contact_begins(peer, link.as_ref(), caller.ends_s);
        let why = tokio::select! {
            why = run => why,
            why = self.end_lateness(&caller, &connection) => why,
            why = silence(&connection) => why,
            () = self.follow_contact(&followed) => unreachable!("it follows for ever"),
        };
        self.note_contact(&followed).await;

        // Closing it here, too, would hide the other end's word.
        let ended = connection.close_reason();
        connection.close(
            VarInt::from_u32(0),
            why.as_bytes().get(..200.min(why.len())).unwrap_or_default(),
        );

        self.note_end(&followed, why);
        ended
    }

    /// Whether a connection may stand for a link; it is closed otherwise.
    async fn admit(
        &self,
        (peer, link): (NodeId, &str),
        connection: &Connection,
        dialled: bool,
    ) -> Option<()> {
        let me = self.node.id();
        match self.board.admit(me, (peer, link), connection, dialled) {
            Admitted::Stands => Some(()),
            Admitted::Another => None,
            Admitted::TooMany => {
                let why = format!(
                    "{peer} calls over one link more than the {LINKS_OF_PEER_MAX} that it may have"
                );
                self.refuse_member(peer, "too_many_links", why).await;
                None
            }
        }
    }

    /// The memory that a link takes at least. One that takes the place of another waits until that
    /// one has ended, and given its own back; the connection is closed where there is none then.
    async fn seat_of(&self, peer: NodeId, connection: &Connection) -> Option<HeldPart> {
        let holdings = self.node.door().held_of_peers();
        let began = Instant::now();
        while connection.close_reason().is_none() {
            if let Some(seat) = holdings.begin(peer, LINK_BYTES) {
                return Some(seat);
            }
            if began.elapsed() >= SEAT_WAIT {
                break;
            }
            tokio::time::sleep(SEAT_LOOK).await;
        }

        if connection.close_reason().is_none() {
            connection.close(VarInt::from_u32(1), b"no memory left for this peer");
            let why = "the peer has this node hold more than it may; the link begins anew";
            self.refuse_member(peer, "peer_memory", why.into()).await;
        }
        None
    }

    /// What a caller says first, which tells over which link it comes.
    async fn greeting_of(&self, peer: NodeId, connection: &Connection) -> Option<Greeting> {
        self.board.greets(peer, connection);
        let greeting = tokio::time::timeout(GREETING_MAX, accept_greeting(connection)).await;
        let why = match greeting {
            Ok(Ok(greeting)) => return Some(greeting),
            Ok(Err(why)) => why,
            Err(_) => "it did not say who it is in time".into(),
        };
        self.board.greeted(&peer, connection);
        connection.close(VarInt::from_u32(0), b"no greeting");
        if !self.board.is_linked(&peer) {
            self.node.note_peer(peer, |p| p.last_error = why);
        }
        None
    }

    /// Notes that a link ended, and why; and where it was the last one, that the peer is dark.
    fn note_end(&self, ended: &FollowedLink, why: String) {
        let peer = ended.peer;
        if let Some(link) = &ended.link
            && !self.board.stands(&peer, &link.name)
        {
            self.node.note_link(peer, link, |l| {
                l.connected = false;
                l.last_error.clone_from(&why);
            });
        }

        if !self.board.is_linked(&peer) {
            self.node.note_peer(peer, |p| {
                p.connected = false;
                p.in_step = false;
                p.last_error = why;
            });
        }
    }

    /// Notes how a contact goes on, until it is dropped.
    async fn follow_contact(&self, followed: &FollowedLink) {
        loop {
            tokio::time::sleep(CONTACT_PERIOD).await;
            self.note_contact(followed).await;
        }
    }

    async fn note_contact(&self, followed: &FollowedLink) {
        let wire = wire_bytes(&followed.connection);
        let by = followed.counter.take(wire);
        let (peer, link) = (followed.peer, followed.link.as_ref());
        self.node.contact_goes_on(peer, link, wire, &by).await;
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
                match expected {
                    None => self.turn_away(address, &error.to_string()).await,
                    Some(_) => self.refuse_stranger(address, &error.to_string()).await,
                }
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
            let why = "a node that was cut called";
            if expected.is_none() {
                self.node
                    .note_refused_caller(&peer.to_string(), "cut_node", address, why);
            }
            self.refuse_member(peer, "cut_node", format!("{address}: {why}"))
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
pub(crate) fn certificate_of(connection: &Connection) -> Option<CertificateDer<'static>> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().cloned()
}

/// Reads what the other end showed of itself.
fn shown(connection: &Connection, expected: Option<NodeId>) -> Result<Caller, NetError> {
    let certificate = certificate_of(connection)
        .ok_or_else(|| NetError::Identity("no certificate was shown".into()))?;
    let (peer, tls_key) = peer_of(&certificate)?;

    Ok(Caller {
        peer,
        tls_key,
        ends_s: ends_s(&certificate).unwrap_or(0),
        late: is_late(connection) && expected.is_none(),
    })
}

/// Whether whoever dialled a connection said that its certificate has expired.
pub(crate) fn is_late(connection: &Connection) -> bool {
    let shaken = connection
        .handshake_data()
        .and_then(|d| d.downcast::<quinn::crypto::rustls::HandshakeData>().ok());
    shaken
        .and_then(|d| d.protocol)
        .is_some_and(|p| p == LATE_ALPN)
}
