//! Two of quinn's endpoints over a modelled link in virtual time: seconds of a thin link take
//! milliseconds here, and no other work on the machine changes what comes of them.

use crate::{LinkProfile, LinkWay, streams::PIECE_BYTES};
use bytes::BytesMut;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ServerConfig, StreamId, Transmit, TransportConfig,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Who dialled, and who was dialled.
pub(crate) const SITE: usize = 0;
pub(crate) const HUB: usize = 1;

/// A packet that arrives: when, in which order, and what.
type Arrival = Reverse<(Instant, u64, Vec<u8>)>;

struct SimulatedEnd {
    endpoint: Endpoint,
    address: SocketAddr,
    connection: Option<(ConnectionHandle, Connection)>,
    inbox: BinaryHeap<Arrival>,
    /// What it still has to write, and on which stream.
    unwritten: usize,
    stream: Option<StreamId>,
    /// The peer's stream, the bytes that it brought, and whether it has ended.
    reading: Option<StreamId>,
    received: usize,
    ended: bool,
    /// The least congestion window seen since it was asked for.
    window_min: u64,
}

/// The two, and the link between them.
pub(crate) struct World {
    now: Instant,
    sides: [SimulatedEnd; 2],
    ways: [LinkWay; 2],
    sent: u64,
}

impl World {
    /// Connects a site to a hub, each with its own settings. Returns when both have shaken hands.
    pub(crate) fn connect(
        profile: LinkProfile,
        seed: u64,
        site: TransportConfig,
        hub: TransportConfig,
    ) -> Self {
        let (server, client) = configs(site, hub);
        let start = Instant::now();
        let side = |n: u8, server: Option<Arc<ServerConfig>>| {
            let mut config = EndpointConfig::default();
            config.rng_seed(Some([n; 32]));
            SimulatedEnd {
                endpoint: Endpoint::new(Arc::new(config), server, true, None),
                address: SocketAddr::from(([10, 0, 0, n], 4433)),
                connection: None,
                inbox: BinaryHeap::new(),
                unwritten: 0,
                stream: None,
                reading: None,
                received: 0,
                ended: false,
                window_min: u64::MAX,
            }
        };

        let mut world = Self {
            now: start,
            sides: [side(1, None), side(2, Some(server))],
            ways: [
                LinkWay::new(profile, seed),
                LinkWay::new(profile, seed ^ 0xbacc),
            ],
            sent: 0,
        };

        let to = world.sides[HUB].address;
        let dialled = world.sides[SITE]
            .endpoint
            .connect(start, client, to, "hub")
            .expect("it dials");

        world.sides[SITE].connection = Some(dialled);
        world.run_until(Duration::from_secs(60), |world| {
            let shaken = |side: &SimulatedEnd| {
                side.connection
                    .as_ref()
                    .is_some_and(|(_, c)| !c.is_handshaking())
            };
            world.sides.iter().all(shaken)
        });

        world
    }

    /// Has a side send so many bytes on a stream of its own.
    pub(crate) fn send(&mut self, from: usize, bytes: usize) {
        let side = &mut self.sides[from];
        let (_, connection) = side.connection.as_mut().expect("connected");
        side.stream = connection.streams().open(Dir::Uni);
        side.unwritten = bytes;
        side.window_min = u64::MAX;
    }

    /// The least congestion window that a side had since it began to send.
    pub(crate) fn window_min(&self, of: usize) -> u64 {
        self.sides[of].window_min
    }

    /// Runs until both have received all that the other sent; returns how many seconds that took.
    pub(crate) fn settle(&mut self, most: Duration) -> f64 {
        let began = self.now;
        let is_done = |world: &Self| {
            let [site, hub] = &world.sides;
            (site.stream.is_none() || hub.ended) && (hub.stream.is_none() || site.ended)
        };

        self.run_until(most, is_done);
        (self.now - began).as_secs_f64()
    }

    fn run_until(&mut self, most: Duration, is_done: impl Fn(&Self) -> bool) {
        let deadline = self.now + most;
        loop {
            self.drive();
            if is_done(self) {
                return;
            }

            let received = (self.sides[SITE].received, self.sides[HUB].received);
            let next = self
                .next_event()
                .unwrap_or_else(|| panic!("nothing is left to happen: {received:?} bytes"));
            assert!(
                next <= deadline,
                "not done after {most:?}: {received:?} bytes arrived"
            );

            self.now = next;
        }
    }

    fn next_event(&mut self) -> Option<Instant> {
        let now = self.now;
        let times = self.sides.iter_mut().flat_map(|side| {
            let arrival = side.inbox.peek().map(|Reverse((at, _, _))| *at);
            let timer = side.connection.as_mut().and_then(|(_, c)| c.poll_timeout());
            [arrival, timer].into_iter().flatten()
        });

        times.min().map(|at| at.max(now))
    }

    /// Lets everything happen that is due now.
    fn drive(&mut self) {
        for at in [SITE, HUB] {
            self.take_arrivals(at);
            while self.drive_connection(at) {}
        }
    }

    fn take_arrivals(&mut self, at: usize) {
        let remote = self.sides[1 - at].address;
        let mut response = Vec::new();
        while self.sides[at]
            .inbox
            .peek()
            .is_some_and(|Reverse((due, _, _))| *due <= self.now)
        {
            let Some(Reverse((_, _, packet))) = self.sides[at].inbox.pop() else {
                return;
            };
            response.clear();

            let data = BytesMut::from(&packet[..]);
            let event =
                self.sides[at]
                    .endpoint
                    .handle(self.now, remote, None, None, data, &mut response);

            match event {
                Some(DatagramEvent::NewConnection(incoming)) => {
                    let accepted =
                        self.sides[at]
                            .endpoint
                            .accept(incoming, self.now, &mut response, None);
                    self.sides[at].connection =
                        Some(accepted.unwrap_or_else(|e| panic!("{}", e.cause)));
                }
                Some(DatagramEvent::ConnectionEvent(_, event)) => {
                    let (_, connection) = self.sides[at]
                        .connection
                        .as_mut()
                        .expect("it is its connection's");
                    connection.handle_event(event);
                }
                Some(DatagramEvent::Response(transmit)) => self.emit(at, &response, &transmit),
                None => {}
            }
        }
    }

    /// One round over a side's connection; whether there was anything to do.
    fn drive_connection(&mut self, at: usize) -> bool {
        let now = self.now;
        let side = &mut self.sides[at];
        let Some((handle, connection)) = &mut side.connection else {
            return false;
        };
        let mut busy = false;
        if connection.poll_timeout().is_some_and(|due| due <= now) {
            connection.handle_timeout(now);
            busy = true;
        }

        while let Some(event) = connection.poll_endpoint_events() {
            busy = true;
            if let Some(event) = side.endpoint.handle_event(*handle, event) {
                connection.handle_event(event);
            }
        }

        while let Some(event) = connection.poll() {
            if let Event::ConnectionLost { reason } = event {
                panic!("the connection was lost: {reason}");
            }
        }

        side.use_streams();

        let mut packet = Vec::new();
        let (_, connection) = self.sides[at].connection.as_mut().expect("looked at above");
        if let Some(transmit) = connection.poll_transmit(now, 1, &mut packet) {
            self.emit(at, &packet, &transmit);
            busy = true;
        }

        busy
    }

    fn emit(&mut self, from: usize, bytes: &[u8], transmit: &Transmit) {
        self.sent += 1;
        if let Some(arrives) = self.ways[from].send(self.now, transmit.size) {
            let packet = bytes[..transmit.size].to_vec();
            self.sides[1 - from]
                .inbox
                .push(Reverse((arrives, self.sent, packet)));
        }
    }
}

impl SimulatedEnd {
    /// Writes what there is room for, and reads what came.
    fn use_streams(&mut self) {
        let Some((_, connection)) = &mut self.connection else {
            return;
        };
        self.window_min = self.window_min.min(connection.congestion_state().window());

        if let Some(stream) = self.stream.filter(|_| self.unwritten > 0) {
            let mut stream = connection.send_stream(stream);
            while self.unwritten > 0
                && let Ok(written) =
                    stream.write(&[7; PIECE_BYTES][..self.unwritten.min(PIECE_BYTES)])
            {
                self.unwritten -= written;
            }

            if self.unwritten == 0 {
                stream.finish().expect("it is open");
            }
        }

        if let Some(stream) = connection.streams().accept(Dir::Uni) {
            self.reading = Some(stream);
        }

        let Some(stream) = self.reading.filter(|_| !self.ended) else {
            return;
        };
        let mut stream = connection.recv_stream(stream);
        let Ok(mut chunks) = stream.read(true) else {
            return;
        };

        loop {
            match chunks.next(usize::MAX) {
                Ok(Some(chunk)) => self.received += chunk.bytes.len(),
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(_) => break,
            }
        }

        let _ = chunks.finalize();
    }
}

/// Papers of a CA of its own, in TLS 1.3 with certificates on both sides.
fn configs(site: TransportConfig, hub: TransportConfig) -> (Arc<ServerConfig>, ClientConfig) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![]).expect("no names");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);

    let ca = params.self_signed(&ca_key).expect("a certificate");
    let issuer = rcgen::Issuer::new(params, ca_key);
    let papers = |name: &str| {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.into()]).expect("a name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        (chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    };

    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).expect("a CA");
    let roots = Arc::new(roots);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

    let (chain, key) = papers("hub");
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        roots.clone(),
        provider.clone(),
    );
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(tls13)
        .expect("TLS 1.3")
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("papers");

    let (chain, key) = papers("site");
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(tls13)
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .expect("papers");

    let server = QuicServerConfig::try_from(server).expect("TLS 1.3");
    let mut server = ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(Arc::new(hub));

    let client = QuicClientConfig::try_from(client).expect("TLS 1.3");
    let mut client = ClientConfig::new(Arc::new(client));
    client.transport_config(Arc::new(site));

    (Arc::new(server), client)
}
