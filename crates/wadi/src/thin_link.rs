//! Thin links on this machine: a userspace UDP proxy that passes packets on as a `LinkProfile`
//! says, and counts them. Each flow has a socket of its own, so that both ends see one address a
//! connection.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::{net::UdpSocket, sync::mpsc};
pub use wadi_net::LinkProfile as Profile;
use wadi_net::LinkWay;

/// Bytes of a UDP packet that is passed on at most.
const PACKET_BYTES_MAX: usize = 2048;
/// Flows that are kept apart at most: one a connection, and dialling anew begins one.
const FLOWS_MAX: usize = 4096;

/// One link: the dialling side sends to `address`, the proxy passes it on to the target and back.
pub struct ThinLink {
    pub address: SocketAddr,
    up: Arc<AtomicBool>,
    there: Arc<LinkDirection>,
    back: Arc<LinkDirection>,
}

/// One direction, shared by all flows: they wait in one queue.
struct LinkDirection {
    way: Mutex<LinkWay>,
    up: Arc<AtomicBool>,
    bytes: AtomicU64,
    arriving: mpsc::UnboundedSender<QueuedPacket>,
}

/// A packet on its way.
struct QueuedPacket {
    at: Instant,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    packet: Vec<u8>,
}

impl LinkDirection {
    fn open(way: LinkWay, up: Arc<AtomicBool>) -> Arc<Self> {
        // What waits is bounded by the link's rate, queue and delay.
        let (arriving, arrivals) = mpsc::unbounded_channel();
        tokio::spawn(deliver(arrivals, up.clone()));
        Arc::new(Self {
            way: Mutex::new(way),
            up,
            bytes: AtomicU64::new(0),
            arriving,
        })
    }

    fn pass(&self, packet: &[u8], from: &Arc<UdpSocket>, to: SocketAddr) {
        if !self.up.load(Ordering::Relaxed) {
            return;
        }

        self.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
        // The lock is held while the packet is queued, so that packets are queued in the order of
        // their arrival.
        let mut way = self.way.lock().expect("no panic holds it");

        if let Some(at) = way.send(Instant::now(), packet.len()) {
            let _ = self.arriving.send(QueuedPacket {
                at,
                from: from.clone(),
                to,
                packet: packet.to_vec(),
            });
        }
    }
}

/// Hands packets over when they are due. They are in order.
async fn deliver(mut arrivals: mpsc::UnboundedReceiver<QueuedPacket>, up: Arc<AtomicBool>) {
    while let Some(arrival) = arrivals.recv().await {
        tokio::time::sleep_until(arrival.at.into()).await;
        if up.load(Ordering::Relaxed) {
            let _ = arrival.from.send_to(&arrival.packet, arrival.to).await;
        }
    }
}

impl ThinLink {
    /// Opens a proxy towards a target.
    pub async fn open(target: SocketAddr, profile: Profile, seed: u64) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let address = socket.local_addr()?;
        let up = Arc::new(AtomicBool::new(true));
        let there = LinkDirection::open(LinkWay::new(profile, seed ^ 0x5eed), up.clone());
        let back = LinkDirection::open(LinkWay::new(profile, seed ^ 0xbacc), up.clone());

        tokio::spawn(pass_on(socket, target, there.clone(), back.clone()));
        Ok(Self {
            address,
            up,
            there,
            back,
        })
    }

    /// Makes the link another one, on which nothing waits; what is on its way arrives as it would
    /// have.
    pub fn reshape(&self, profile: Profile, seed: u64) {
        for (direction, salt) in [(&self.there, 0x5eed), (&self.back, 0xbacc)] {
            *direction.way.lock().expect("no panic holds it") = LinkWay::new(profile, seed ^ salt);
        }
    }

    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// UDP payload bytes offered, both ways.
    pub fn bytes(&self) -> u64 {
        self.up_bytes() + self.down_bytes()
    }

    /// UDP payload bytes that the dialling side offered.
    pub fn up_bytes(&self) -> u64 {
        self.there.bytes.load(Ordering::Relaxed)
    }

    /// UDP payload bytes that the target offered.
    pub fn down_bytes(&self) -> u64 {
        self.back.bytes.load(Ordering::Relaxed)
    }
}

/// Takes what dials in and passes it on, a socket a flow.
async fn pass_on(
    socket: Arc<UdpSocket>,
    target: SocketAddr,
    there: Arc<LinkDirection>,
    back: Arc<LinkDirection>,
) {
    let mut flows: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        // An error of one packet (a port that nobody listens on) is no end of the link.
        let Ok((n, from)) = socket.recv_from(&mut packet).await else {
            continue;
        };
        if !flows.contains_key(&from) {
            if flows.len() >= FLOWS_MAX {
                continue;
            }

            let Ok(flow) = UdpSocket::bind("127.0.0.1:0").await else {
                continue;
            };
            let flow = Arc::new(flow);

            flows.insert(from, flow.clone());
            tokio::spawn(pass_back(flow, socket.clone(), from, back.clone()));
        }

        there.pass(&packet[..n], &flows[&from], target);
    }
}

async fn pass_back(
    flow: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    back: Arc<LinkDirection>,
) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok((n, _)) = flow.recv_from(&mut packet).await else {
            continue;
        };
        back.pass(&packet[..n], &socket, to);
    }
}
