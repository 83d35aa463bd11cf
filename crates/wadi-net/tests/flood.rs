//! Strangers that send first packets without number: what is kept of them is bounded, and an honest
//! peer still connects. And a member with good papers that sends without end.

use quinn_proto::crypto::rustls::QuicClientConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    net::{SocketAddr, UdpSocket},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::{Crossing, Enrolment, LogKey, Role, RootKey, Scope};
use wadi_net::{Identity, Network, NetworkConfig, PeerAddress, spki_hash};
use wadi_node::{Node, NodeKeys, Start, SystemClock};
use wadi_store::SqliteStore;

/// Strangers.
const STRANGERS: usize = 500;
/// Handshakes that the porch begins with callers who have proven nothing.
const UNPROVEN_MAX: usize = 32;
/// The least bytes of a flight that begins a handshake; refusals and retries are far shorter.
const FLIGHT_BYTES: usize = 1_000;

/// Streams of blocks that a member may have open at once.
const LANE_STREAMS_MAX: usize = 6;
/// Bytes that a member may send beyond what was read, with what packets cost beside them and what
/// is sent twice.
const UNREAD_BYTES_MAX: u64 = 2 * 256 * 1024;
/// Bytes that it has sent by then at the least.
const SENT_MIN: u64 = 128 * 1024;

/// A commission: its root and its CA.
struct Commission {
    root: LogKey,
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
}

struct Member {
    key: LogKey,
    enrolment: Enrolment,
    identity: Identity,
}

impl Commission {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);

        let ca_pem = params.self_signed(&key).unwrap().pem();
        Self {
            root: LogKey::from_seed(&[1; 32]),
            issuer: Issuer::new(params, key),
            ca_pem,
        }
    }

    fn member(&self, n: u8, name: &str, role: Role, crossing: Crossing) -> Member {
        let key = LogKey::from_seed(&[n; 32]);
        let tls = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![format!("{}.node.wadi", key.node())]).unwrap();
        let certificate = params.signed_by(&tls, &self.issuer).unwrap();
        let enrolment = Enrolment {
            name: name.into(),
            role,
            crossing: Some(crossing),
            log_key: key.public(),
            tls_key: spki_hash(certificate.der()).unwrap(),
            scope: if role == Role::Hub {
                Scope::all()
            } else {
                Scope::of_crossing(crossing)
            },
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };

        let identity = Identity {
            ca_pem: self.ca_pem.clone(),
            certificate_pem: certificate.pem(),
            key_pem: tls.serialize_pem(),
            crls_pem: vec![],
        };

        Member {
            key,
            enrolment: enrolment.issue(&self.root).unwrap(),
            identity,
        }
    }

    async fn start(&self, member: &Member, known: &[&Member], dir: &Path) -> Arc<Node> {
        std::fs::create_dir_all(dir).unwrap();
        let me = member.enrolment.clone();
        Node::start(Start {
            keys: NodeKeys {
                log_key: member.key.clone(),
                root: RootKey(self.root.public()),
            },
            store: SqliteStore::open(dir, me.node()).await.unwrap(),
            me,
            known: known.iter().map(|m| m.enrolment.clone()).collect(),
            clock: Arc::new(SystemClock::real()),
            scrub: Default::default(),
            suspects: Default::default(),
            budgets: Default::default(),
        })
        .await
        .unwrap()
    }
}

async fn porch(node: &Arc<Node>, member: &Member, peers: Vec<PeerAddress>) -> Network {
    let config = NetworkConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        identity: member.identity.clone(),
        peers,
        redial: Duration::from_millis(200),
        idle: Duration::from_secs(30),
        own_links: true,
    };

    Network::start(node.clone(), config).await.unwrap()
}

/// First packets of so many connections, each of a client that knows nothing of the commission.
fn first_packets(count: usize, to: SocketAddr) -> Vec<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();

    tls.alpn_protocols = vec![b"wadi/1".to_vec()];
    let client = quinn_proto::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));

    let mut endpoint = quinn_proto::Endpoint::new(Arc::default(), None, true, None);
    let now = Instant::now();
    let first = |_| {
        let (_, mut connection) = endpoint.connect(now, client.clone(), to, "hub").unwrap();
        let mut packet = Vec::new();
        let transmit = connection.poll_transmit(now, 1, &mut packet).unwrap();
        packet.truncate(transmit.size);
        packet
    };

    (0..count).map(first).collect()
}

/// What came back to a stranger: the length of each packet, and whether any was a Retry.
fn answers(socket: &UdpSocket) -> (Vec<usize>, bool) {
    let (mut lengths, mut retry, mut packet) = (Vec::new(), false, [0; 2048]);
    while let Ok(n) = socket.recv(&mut packet) {
        lengths.push(n);
        // A long header of type 3 (RFC 9000, section 17.2.5).
        retry |= packet[0] & 0xf0 == 0xf0;
    }

    (lengths, retry)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_strangers_hold_a_bounded_number_of_places_and_a_crossing_still_gets_in() {
    let dir = tempfile::tempdir().unwrap();
    let commission = Commission::new();
    let hub = commission.member(2, "hub", Role::Hub, Crossing::HUB);
    let trb = commission.member(3, "trb", Role::Crossing, "TRB".parse().unwrap());
    let hub_node = commission
        .start(&hub, &[&trb], &dir.path().join("hub"))
        .await;
    let hub_porch = porch(&hub_node, &hub, vec![]).await;
    let address = hub_porch.local_addr().unwrap();

    // They say hello, and never answer what they are asked.
    let mut strangers = Vec::new();
    for packet in first_packets(STRANGERS, address) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.send_to(&packet, address).unwrap();
        strangers.push(socket);
    }

    let trb_node = commission
        .start(&trb, &[&hub], &dir.path().join("trb"))
        .await;
    let to_hub = PeerAddress {
        node: hub.key.node(),
        addresses: vec![address.to_string()],
        link: None,
        rate_bits_s: None,
        month_bytes_max: None,
    };

    let trb_porch = porch(&trb_node, &trb, vec![to_hub]).await;
    let began = Instant::now();
    loop {
        let status = trb_node.status().await.unwrap();
        if status.peers.iter().any(|p| p["connected"] == true) {
            break;
        }

        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the crossing does not get in: {:?}",
            status.peers
        );

        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let heard: Vec<(Vec<usize>, bool)> = strangers.iter().map(answers).collect();
    let begun = heard
        .iter()
        .filter(|(lengths, _)| lengths.iter().any(|n| *n >= FLIGHT_BYTES))
        .count();
    let retries = heard.iter().filter(|(_, retry)| *retry).count();

    println!("{begun} handshakes begun, {retries} asked to prove their address");
    assert!(
        begun <= UNPROVEN_MAX,
        "{begun} handshakes with strangers at once"
    );
    assert!(retries > 0, "nobody was asked to prove its address");
    assert!(
        hub_node.store().refusals(100).await.unwrap().len() <= 1,
        "a note for each stranger"
    );

    trb_porch.stop().await;
    hub_porch.stop().await;
    trb_node.stop().await;
    hub_node.stop().await;
}

#[test]
fn strangers_take_every_place_where_handshakes_are_not_bounded() {
    if !wadi_store::defence::SWITCHABLE {
        return;
    }

    let flood =
        "five_hundred_strangers_hold_a_bounded_number_of_places_and_a_crossing_still_gets_in";
    assert!(
        fails_without("handshake-seats", flood),
        "the flood's test holds nothing"
    );
}

/// Whether a test fails once a defence is turned off. It is run on its own.
fn fails_without(defence: &str, test: &str) -> bool {
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--test-threads=1"])
        .env("WADI_DEFENCE_OFF", defence)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    !status.unwrap().success()
}

/// What a member dials with, as its own node does.
fn dialling_as(member: &Member) -> quinn_proto::ClientConfig {
    let ca = CertificateDer::from_pem_slice(member.identity.ca_pem.as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).unwrap();
    let chain = CertificateDer::pem_slice_iter(member.identity.certificate_pem.as_bytes());
    let chain: Vec<CertificateDer<'static>> = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(member.identity.key_pem.as_bytes()).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    tls.alpn_protocols = vec![b"wadi/1".to_vec()];
    quinn_proto::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()))
}

/// Bytes that a connection has sent once it sends no more.
async fn sent_in_the_end(connection: &quinn::Connection) -> u64 {
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let sent = connection.stats().udp_tx.bytes;
        // Packets that only keep it alive are small.
        if sent > SENT_MIN && sent.saturating_sub(before) < 2_000 {
            return sent;
        }
        before = sent;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_opens_few_streams_and_leaves_no_more_unread_than_a_window() {
    let dir = tempfile::tempdir().unwrap();
    let commission = Commission::new();
    let hub = commission.member(2, "hub", Role::Hub, Crossing::HUB);
    let trb = commission.member(3, "trb", Role::Crossing, "TRB".parse().unwrap());
    let hub_node = commission
        .start(&hub, &[&trb], &dir.path().join("hub"))
        .await;
    let hub_porch = porch(&hub_node, &hub, vec![]).await;
    let address = hub_porch.local_addr().unwrap();

    // Its papers are good, and it says nothing of who it is.
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let name = format!("{}.node.wadi", hub.key.node());
    let connecting = endpoint.connect_with(dialling_as(&trb), address, &name);
    let connection = connecting.unwrap().await.unwrap();

    let _messages = connection.open_bi().await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(500), connection.open_bi()).await;
    assert!(second.is_err(), "a second stream of messages");

    let mut lanes = Vec::new();
    let wait = Duration::from_millis(500);
    while let Ok(lane) = tokio::time::timeout(wait, connection.open_uni()).await {
        lanes.push(lane.unwrap());
        assert!(lanes.len() <= LANE_STREAMS_MAX, "as many as it likes");
    }
    assert_eq!(lanes.len(), LANE_STREAMS_MAX);

    // On each it sends as fast as it can.
    let mut flood = tokio::task::JoinSet::new();
    for mut lane in lanes {
        flood.spawn(async move {
            let noise = vec![7; 64 * 1024];
            while lane.write_all(&noise).await.is_ok() {}
        });
    }
    let sent = tokio::time::timeout(Duration::from_secs(15), sent_in_the_end(&connection)).await;
    let sent = sent.expect("it stops");
    println!("{sent} bytes were sent and not read");
    assert!(sent <= UNREAD_BYTES_MAX, "{sent} bytes are unread");

    flood.abort_all();
    endpoint.close(0u32.into(), b"");
    hub_porch.stop().await;
    hub_node.stop().await;
}

#[test]
fn a_member_opens_streams_without_end_where_they_are_not_bounded() {
    if !wadi_store::defence::SWITCHABLE {
        return;
    }

    let flood = "a_member_opens_few_streams_and_leaves_no_more_unread_than_a_window";
    assert!(
        fails_without("streams-max", flood),
        "the flood's test holds nothing"
    );
}
