//! Links of the demonstration: a userspace UDP proxy per pair of nodes, with delay, rate, loss from a seed, and a switch.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, sync::Mutex};

/// What a link is like.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// One way.
    pub delay: Duration,
    /// Bits a second, each way.
    pub rate_bits_s: f64,
    /// Loss, 0 to 1, each way.
    pub loss: f64,
    /// Queue of the modem.
    pub queue: Duration,
}

impl Profile {
    /// Profiles by name.
    pub fn named(name: &str) -> Option<Self> {
        let ms = Duration::from_millis;
        Some(match name {
            // Loopback with a little of everything, so that a minute shows days.
            "brisk" => Self { delay: ms(20), rate_bits_s: 8e6, loss: 0.01, queue: ms(500) },
            // The link to expect: VSAT.
            "vsat" => Self { delay: ms(300), rate_bits_s: 256e3, loss: 0.05, queue: ms(1000) },
            "vsat-64k" => Self { delay: ms(300), rate_bits_s: 64e3, loss: 0.05, queue: ms(1000) },
            "lan" => Self { delay: ms(0), rate_bits_s: 1e9, loss: 0.0, queue: ms(200) },
            _ => return None,
        })
    }
}

/// One link: the dialling side sends to `address`, the proxy passes it on to the target and back.
pub struct Link {
    pub address: SocketAddr,
    up: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

/// One direction's queue.
struct Way {
    free: Instant,
    rng: StdRng,
}

impl Way {
    /// When a packet arrives, if it does.
    fn send(&mut self, profile: &Profile, bytes: usize) -> Option<Instant> {
        let now = Instant::now();
        self.free = self.free.max(now);
        if self.free - now > profile.queue {
            return None;
        }
        // 28 bytes of IP and UDP.
        self.free += Duration::from_secs_f64((bytes + 28) as f64 * 8.0 / profile.rate_bits_s);
        (!self.rng.random_bool(profile.loss)).then(|| self.free + profile.delay)
    }
}

impl Link {
    /// Opens a proxy towards a target.
    pub async fn open(target: SocketAddr, profile: Profile, seed: u64) -> io::Result<Self> {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let address = socket.local_addr()?;
        let up = Arc::new(AtomicBool::new(true));
        let bytes = Arc::new(AtomicU64::new(0));
        let link = Self { address, up: up.clone(), bytes: bytes.clone() };
        tokio::spawn(async move {
            let mut flows: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let way =
                |salt| Arc::new(Mutex::new(Way { free: Instant::now(), rng: StdRng::seed_from_u64(seed ^ salt) }));
            let (there, back) = (way(0x5eed), way(0xbacc));
            let mut packet = vec![0; 2048];
            while let Ok((n, from)) = socket.recv_from(&mut packet).await {
                let flow = match flows.get(&from) {
                    Some(flow) => flow.clone(),
                    None => {
                        let Ok(flow) = UdpSocket::bind("127.0.0.1:0").await else { continue };
                        let flow = Arc::new(flow);
                        flows.insert(from, flow.clone());
                        tokio::spawn(answers(
                            flow.clone(),
                            socket.clone(),
                            from,
                            profile,
                            back.clone(),
                            up.clone(),
                            bytes.clone(),
                        ));
                        flow
                    }
                };
                pass(flow, target, &packet[..n], &profile, &there, &up, &bytes).await;
            }
        });
        Ok(link)
    }

    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }
    /// UDP payload bytes offered, both ways.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

async fn answers(
    flow: Arc<UdpSocket>,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    profile: Profile,
    way: Arc<Mutex<Way>>,
    up: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
) {
    let mut packet = vec![0; 2048];
    while let Ok((n, _)) = flow.recv_from(&mut packet).await {
        pass(socket.clone(), to, &packet[..n], &profile, &way, &up, &bytes).await;
    }
}

async fn pass(
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    packet: &[u8],
    profile: &Profile,
    way: &Mutex<Way>,
    up: &Arc<AtomicBool>,
    bytes: &AtomicU64,
) {
    if !up.load(Ordering::Relaxed) {
        return;
    }
    bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
    let Some(at) = way.lock().await.send(profile, packet.len()) else { return };
    let (packet, up) = (packet.to_vec(), up.clone());
    tokio::spawn(async move {
        tokio::time::sleep_until(at.into()).await;
        if up.load(Ordering::Relaxed) {
            let _ = socket.send_to(&packet, to).await;
        }
    });
}
