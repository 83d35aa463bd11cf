//! Dialling, answering, and one connection per pair.

use crate::{
    congestion::DelayTarget,
    identity::{Identity, peer_of, server_name, witnessed_s},
    late::{LATE_ALPN, ends_s},
    streams::run_connection,
};
use quinn::{Connection, Endpoint, IdleTimeout, TransportConfig, VarInt, congestion::CubicConfig};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicI64},
    time::Duration,
};
use thiserror::Error;
use tokio::sync::watch;
use wadi_log::NodeId;
use wadi_node::Node;

/// An error of the porch.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    /// Certificates or keys do not serve.
    #[error("{0}")]
    Identity(String),
    /// The socket could not be opened.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
}

impl NetError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(_) => "bad_identity",
            Self::Listen { .. } => "cannot_listen",
        }
    }
}

/// A peer to be dialled.
#[derive(Clone, Debug)]
pub struct PeerAddress {
    /// The node.
    pub node: NodeId,
    /// Where it listens: `host:port`.
    pub address: String,
    /// The link's provisioned rate, bits a second.
    pub rate_bits_s: Option<u64>,
}

/// Settings of the porch.
#[derive(Clone)]
pub struct NetworkConfig {
    /// The UDP address to listen on.
    pub listen: SocketAddr,
    /// Papers.
    pub identity: Identity,
    /// Peers to dial.
    pub peers: Vec<PeerAddress>,
    /// Time between two attempts to reach a peer, before jitter. At most 30 s: a desert link is up for minutes.
    pub redial: Duration,
    /// A connection that hears nothing for so long is given up.
    pub idle: Duration,
    /// Whether the commission owns the links: the controller that follows delay, not Cubic.
    pub own_links: bool,
}

/// The running porch.
pub struct Network {
    endpoint: Endpoint,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

/// Connections by peer: where two nodes dial each other at once, the one that the smaller id dialled stays.
#[derive(Default)]
struct Board(Mutex<BTreeMap<NodeId, (Connection, bool)>>);

impl Board {
    /// Whether this connection may stand. One that it replaces is closed.
    fn admit(&self, me: NodeId, peer: NodeId, connection: &Connection, dialled: bool) -> bool {
        let mut board = self.0.lock().expect("no panic holds it");
        let preferred = dialled == (me < peer);
        if let Some((old, _)) = board.get(&peer)
            && old.close_reason().is_none()
        {
            if !preferred {
                connection.close(VarInt::from_u32(1), b"another connection stands");
                return false;
            }
            old.close(VarInt::from_u32(1), b"replaced by another connection");
        }
        board.insert(peer, (connection.clone(), dialled));
        true
    }
    fn stands(&self, peer: &NodeId) -> bool {
        self.0.lock().expect("no panic holds it").get(peer).is_some_and(|(c, _)| c.close_reason().is_none())
    }
}

fn transport(config: &NetworkConfig, rate_bits_s: Option<u64>) -> TransportConfig {
    let mut t = TransportConfig::default();
    let small = |n: u32| VarInt::from_u32(n);
    t.max_idle_timeout(Some(IdleTimeout::try_from(config.idle).expect("an idle timeout of less than centuries")))
        .keep_alive_interval(Some(config.idle / 3))
        .initial_rtt(Duration::from_millis(700))
        .mtu_discovery_config(None)
        .initial_mtu(1200)
        .enable_segmentation_offload(false)
        .datagram_receive_buffer_size(None)
        .send_window(64 * 1024)
        .stream_receive_window(small(128 * 1024))
        .receive_window(small(256 * 1024))
        .max_concurrent_bidi_streams(small(1))
        .max_concurrent_uni_streams(small(8));
    if config.own_links {
        let target = Duration::from_millis(100);
        t.congestion_controller_factory(Arc::new(DelayTarget { target, rate_bits_s }));
    } else {
        t.congestion_controller_factory(Arc::new(CubicConfig::default()));
    }
    t
}

impl Network {
    /// Listens, dials the peers, and runs a link for every connection until stopped.
    pub async fn start(node: Arc<Node>, config: NetworkConfig, hub_time_s: Arc<AtomicI64>) -> Result<Self, NetError> {
        let listen = |e: std::io::Error| NetError::Listen { address: config.listen, why: e.to_string() };
        let (server, client) = config.identity.configs(hub_time_s)?;
        let bad = |e: quinn::crypto::rustls::NoInitialCipherSuite| NetError::Identity(e.to_string());
        let server = quinn::crypto::rustls::QuicServerConfig::try_from(server).map_err(bad)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(server));
        server.transport_config(Arc::new(transport(&config, None))).max_incoming(64);
        let mut late = client.clone();
        late.alpn_protocols = vec![LATE_ALPN.to_vec()];
        let client = Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(client).map_err(bad)?);
        let late = Arc::new(quinn::crypto::rustls::QuicClientConfig::try_from(late).map_err(bad)?);
        let ends_s = config.identity.ends_s().unwrap_or(i64::MAX);
        let endpoint = Endpoint::server(server, config.listen).map_err(listen)?;
        let (stop, stopped) = watch::channel(false);
        let board = Arc::new(Board::default());
        let mut tasks = vec![tokio::spawn(answer(node.clone(), endpoint.clone(), board.clone(), stopped.clone()))];
        for peer in config.peers.clone() {
            node.note_peer(peer.node, |p| p.rate_bits_s = peer.rate_bits_s);
            let transport = Arc::new(transport(&config, peer.rate_bits_s));
            let [client, late] = [&client, &late].map(|crypto| {
                let mut config = quinn::ClientConfig::new(crypto.clone());
                config.transport_config(transport.clone());
                config
            });
            let dialler = Dialler {
                node: node.clone(),
                endpoint: endpoint.clone(),
                board: board.clone(),
                client,
                late,
                ends_s,
                peer,
                redial: config.redial,
            };
            tasks.push(tokio::spawn(dialler.run(stopped.clone())));
        }
        Ok(Self { endpoint, stop, tasks: Mutex::new(tasks) })
    }

    /// The address listened on.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.endpoint.local_addr().ok()
    }

    /// Closes all connections and returns when they are gone.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        self.endpoint.close(VarInt::from_u32(0), b"stopping");
        let tasks: Vec<_> = std::mem::take(&mut *self.tasks.lock().expect("no panic holds it"));
        for task in tasks {
            let _ = task.await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}

/// Takes what dials in.
async fn answer(node: Arc<Node>, endpoint: Endpoint, board: Arc<Board>, mut stopped: watch::Receiver<bool>) {
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = stopped.changed() => None,
        };
        let Some(incoming) = incoming else { return };
        let (node, board) = (node.clone(), board.clone());
        tokio::spawn(async move {
            match incoming.await {
                Ok(connection) => serve(node, board, connection, None).await,
                Err(error) => {
                    let why = error.to_string();
                    tracing::warn!(%error, "a caller was not let in");
                    node.note_refusal("a caller".into(), "not_let_in".into(), why, String::new()).await;
                }
            }
        });
    }
}

/// Runs a link over a connection, whoever dialled.
async fn serve(node: Arc<Node>, board: Arc<Board>, connection: Connection, expected: Option<NodeId>) {
    let certificates =
        connection.peer_identity().and_then(|i| i.downcast::<Vec<rustls_pki_types::CertificateDer<'static>>>().ok());
    let found = match certificates.as_ref().and_then(|c| c.first()) {
        Some(certificate) => peer_of(certificate),
        None => Err(NetError::Identity("no certificate was shown".into())),
    };
    let (peer, tls_key) = match found {
        Ok((peer, key)) if expected.is_none_or(|e| e == peer) => (peer, key),
        Ok((peer, _)) => {
            node.note_refusal(peer.to_string(), "wrong_peer".into(), "another node answered".into(), String::new())
                .await;
            connection.close(VarInt::from_u32(2), b"wrong peer");
            return;
        }
        Err(error) => {
            node.note_refusal("a caller".into(), error.code().into(), error.to_string(), String::new()).await;
            connection.close(VarInt::from_u32(2), b"no node in the certificate");
            return;
        }
    };
    let protocol = connection.handshake_data().and_then(|d| d.downcast::<quinn::crypto::rustls::HandshakeData>().ok());
    let late = protocol.and_then(|d| d.protocol).is_some_and(|p| p == LATE_ALPN) && expected.is_none();
    let ended = certificates.as_ref().and_then(|c| ends_s(c.first()?)).unwrap_or(0);
    if !late && witnessed_s(&node.hub_time()) > ended {
        let why = format!("the certificate of {peer} has expired: renew it with `wadi pki renew`");
        node.note_refusal(peer.to_string(), "certificate_expired".into(), why, String::new()).await;
        connection.close(VarInt::from_u32(4), b"certificate expired");
        return;
    }
    // A node that was cut as a whole is captured: nothing more is said to it.
    if node.with_control(|c| c.is_cut(&peer)) {
        node.note_refusal(peer.to_string(), "cut_node".into(), "a node that was cut called".into(), String::new())
            .await;
        connection.close(VarInt::from_u32(3), b"cut");
        return;
    }
    if !board.admit(node.id(), peer, &connection, expected.is_some()) {
        return;
    }
    let dialled = expected.is_some();
    let why = run_connection(node.clone(), (peer, tls_key), connection.clone(), dialled, late).await;
    connection.close(VarInt::from_u32(0), why.as_bytes().get(..200.min(why.len())).unwrap_or_default());
    if !board.stands(&peer) {
        node.note_peer(peer, |p| {
            p.connected = false;
            p.in_step = false;
            p.last_error = why;
        });
    }
}

struct Dialler {
    node: Arc<Node>,
    endpoint: Endpoint,
    board: Arc<Board>,
    client: quinn::ClientConfig,
    /// For dialling when this node's own certificate has expired.
    late: quinn::ClientConfig,
    ends_s: i64,
    peer: PeerAddress,
    redial: Duration,
}

impl Dialler {
    /// Dials again and again, with jitter and without growing pauses: the link is up for minutes, and nobody is there
    /// to press a button.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            if !self.board.stands(&self.peer.node) {
                let attempt = tokio::select! {
                    attempt = self.dial() => attempt,
                    _ = stopped.changed() => return,
                };
                match attempt {
                    Ok(connection) => {
                        let served = serve(self.node.clone(), self.board.clone(), connection, Some(self.peer.node));
                        tokio::select! {
                            () = served => {}
                            _ = stopped.changed() => return,
                        }
                    }
                    Err(why) => self.node.note_peer(self.peer.node, |p| p.last_error = why),
                }
            }
            let pause = self.redial.mul_f64(0.75 + 0.5 * rand::random::<f64>());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.changed() => return,
            }
        }
    }

    async fn dial(&self) -> Result<Connection, String> {
        let mut addresses = tokio::net::lookup_host(&self.peer.address).await.map_err(|e| e.to_string())?;
        let address = addresses.next().ok_or("the peer's address does not resolve")?;
        let name = server_name(&self.peer.node);
        let is_late = witnessed_s(&self.node.hub_time()) > self.ends_s;
        let config = if is_late { &self.late } else { &self.client };
        let connecting = self.endpoint.connect_with(config.clone(), address, &name).map_err(|e| e.to_string())?;
        connecting.await.map_err(|e| e.to_string())
    }
}
