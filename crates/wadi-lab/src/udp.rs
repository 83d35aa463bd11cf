//! A link on this machine: a proxy in user space that passes UDP packets on as a [`LinkModel`]
//! says, and counts them. Each flow has a socket of its own, so that both ends see one address a
//! connection.

use crate::{
    command::LinkCommand,
    counters::WayCounters,
    model::{Heading, LinkModel},
    profile::LinkProfile,
    schedule::LinkSchedule,
    schedule_run::run_schedule,
    way::PacketArrival,
};
use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::{
    net::UdpSocket,
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

/// Bytes of a UDP packet that is passed on at most.
const PACKET_BYTES_MAX: usize = 65_536;
/// Flows that are kept apart at most. Beyond them the one that was silent longest is forgotten.
const FLOWS_MAX: usize = 1_024;
/// Packets on their way at most, whatever rate and delay a link has; more are dropped.
const WAITING_MAX: usize = 65_536;
/// How long a socket that fails is left alone: a port that nobody listens on makes one error a
/// packet.
const ERROR_PAUSE: Duration = Duration::from_millis(5);

/// One link: the dialling side sends to `address`, the proxy passes it on to the target and back.
/// It ends when dropped.
pub struct UdpLink {
    /// Where the dialling side sends to.
    pub address: SocketAddr,
    link: Arc<UdpProxy>,
    tasks: JoinSet<()>,
}

/// What the tasks of a proxy share.
struct UdpProxy {
    target: SocketAddr,
    inward: Arc<UdpSocket>,
    state: Mutex<UdpState>,
    /// Something is on its way that may be due before all else.
    earlier: Notify,
}

struct UdpState {
    model: LinkModel,
    flows: HashMap<SocketAddr, UdpFlow>,
    waiting: BinaryHeap<WaitingPacket>,
}

/// Packets of one dialling address.
struct UdpFlow {
    outward: Arc<UdpSocket>,
    /// The task that takes what comes back.
    back: AbortHandle,
    last_used: Instant,
}

impl Drop for UdpFlow {
    fn drop(&mut self) {
        self.back.abort();
    }
}

/// A packet on its way.
struct WaitingPacket {
    arrival: PacketArrival,
    way: Heading,
    from: Arc<UdpSocket>,
    to: SocketAddr,
    packet: Arc<[u8]>,
}

impl PartialEq for WaitingPacket {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for WaitingPacket {}

impl PartialOrd for WaitingPacket {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for WaitingPacket {
    /// What is due first is the greatest, for a heap gives the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |w: &Self| (w.arrival.at, w.arrival.number, w.arrival.is_copy);
        key(other).cmp(&key(self))
    }
}

impl UdpLink {
    /// Opens a proxy on loopback towards a target.
    pub async fn open(target: SocketAddr, profile: LinkProfile, seed: u64) -> io::Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::listen(listen, target, profile, seed).await
    }

    /// Opens a proxy that listens at an address.
    pub async fn listen(
        listen: SocketAddr,
        target: SocketAddr,
        profile: LinkProfile,
        seed: u64,
    ) -> io::Result<Self> {
        let inward = Arc::new(UdpSocket::bind(listen).await?);
        let address = inward.local_addr()?;
        let link = Arc::new(UdpProxy {
            target,
            inward,
            state: Mutex::new(UdpState {
                model: LinkModel::new(profile, seed, Instant::now()),
                flows: HashMap::new(),
                waiting: BinaryHeap::new(),
            }),
            earlier: Notify::new(),
        });

        let mut tasks = JoinSet::new();
        tasks.spawn(take_inward(link.clone()));
        tasks.spawn(deliver(link.clone()));
        Ok(Self {
            address,
            link,
            tasks,
        })
    }

    /// Changes the link, from now on.
    pub async fn control(&self, command: LinkCommand) -> io::Result<()> {
        self.link.control(command).await
    }

    /// Runs a schedule beside whatever else is done to the link.
    pub fn run_schedule(&mut self, schedule: LinkSchedule) {
        let link = self.link.clone();
        self.tasks.spawn(run_schedule(schedule, move |command| {
            let link = link.clone();
            async move {
                // A socket that cannot be had now leaves the flow where it is.
                let _ = link.control(command).await;
            }
        }));
    }

    /// Lets packets through, or none.
    pub fn set_up(&self, is_up: bool) {
        let command = if is_up {
            LinkCommand::Up
        } else {
            LinkCommand::Down
        };
        self.link.lock().model.apply(&command);
    }

    /// Makes the link another one, on which nothing waits; what is on its way arrives as it would
    /// have.
    pub fn reshape(&self, profile: LinkProfile) {
        let command = LinkCommand::Profile(profile);
        self.link.lock().model.apply(&command);
    }

    /// Whether packets get through, black holes apart.
    pub fn is_up(&self) -> bool {
        self.link.lock().model.is_up()
    }

    /// What became of packets of a way so far.
    pub fn counters(&self, way: Heading) -> WayCounters {
        self.link.lock().model.counters(way)
    }

    /// UDP payload bytes that reached a link that was up, both ways.
    pub fn bytes(&self) -> u64 {
        self.up_bytes() + self.down_bytes()
    }

    /// UDP payload bytes that the dialling side offered while the link was up.
    pub fn up_bytes(&self) -> u64 {
        open_bytes(self.counters(Heading::Up))
    }

    /// UDP payload bytes that the target offered while the link was up.
    pub fn down_bytes(&self) -> u64 {
        open_bytes(self.counters(Heading::Down))
    }
}

fn open_bytes(counters: WayCounters) -> u64 {
    counters.offered.bytes - counters.blocked.bytes
}

impl UdpProxy {
    fn lock(&self) -> MutexGuard<'_, UdpState> {
        self.state.lock().expect("no panic holds it")
    }

    async fn control(self: &Arc<Self>, command: LinkCommand) -> io::Result<()> {
        self.lock().model.apply(&command);
        if command != LinkCommand::Move {
            return Ok(());
        }

        let sources: Vec<SocketAddr> = self.lock().flows.keys().copied().collect();
        for source in sources {
            let flow = self.open_flow(source).await?;
            self.lock().flows.insert(source, flow);
        }

        Ok(())
    }

    /// A new outward socket for whoever sends from this address.
    async fn open_flow(self: &Arc<Self>, source: SocketAddr) -> io::Result<UdpFlow> {
        let outward = Arc::new(UdpSocket::bind(outward_address(self.target)).await?);
        let back = tokio::spawn(take_back(self.clone(), outward.clone(), source));
        Ok(UdpFlow {
            outward,
            back: back.abort_handle(),
            last_used: Instant::now(),
        })
    }

    /// Gives the modem a packet.
    fn pass(&self, way: Heading, from: Arc<UdpSocket>, to: SocketAddr, packet: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() >= WAITING_MAX {
            state.model.refuse(way, packet.len());
            return;
        }

        let arrivals = state.model.send(Instant::now(), way, packet.len());
        let packet: Arc<[u8]> = packet.into();
        for arrival in arrivals {
            state.waiting.push(WaitingPacket {
                arrival,
                way,
                from: from.clone(),
                to,
                packet: packet.clone(),
            });
        }

        drop(state);
        self.earlier.notify_one();
    }

    /// The packets that have arrived by now, and when the next one does.
    fn take_arrived(&self) -> (Vec<WaitingPacket>, Option<Instant>) {
        let now = Instant::now();
        let mut arrived = Vec::new();
        let mut state = self.lock();

        while let Some(next) = state.waiting.peek().filter(|w| w.arrival.at <= now) {
            let (way, bytes) = (next.way, next.packet.len());
            let waiting = state.waiting.pop().expect("it was looked at");
            if state.model.deliver(way, &waiting.arrival, bytes) {
                arrived.push(waiting);
            }
        }

        let next = state.waiting.peek().map(|w| w.arrival.at);
        (arrived, next)
    }
}

/// Any port of the interface over which the target is reached.
fn outward_address(target: SocketAddr) -> SocketAddr {
    match (target, target.ip().is_loopback()) {
        (SocketAddr::V4(_), true) => (Ipv4Addr::LOCALHOST, 0).into(),
        (SocketAddr::V4(_), false) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        (SocketAddr::V6(_), true) => (Ipv6Addr::LOCALHOST, 0).into(),
        (SocketAddr::V6(_), false) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// Takes what dials in and gives it to the modem.
async fn take_inward(link: Arc<UdpProxy>) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        let Ok((n, source)) = link.inward.recv_from(&mut packet).await else {
            tokio::time::sleep(ERROR_PAUSE).await;
            continue;
        };

        let known = link.lock().flows.get_mut(&source).map(|flow| {
            flow.last_used = Instant::now();
            flow.outward.clone()
        });
        let outward = match known {
            Some(outward) => outward,
            None => {
                let Ok(flow) = link.open_flow(source).await else {
                    continue;
                };
                let outward = flow.outward.clone();
                let mut state = link.lock();
                forget_one(&mut state.flows);
                state.flows.insert(source, flow);
                outward
            }
        };

        link.pass(Heading::Up, outward, link.target, &packet[..n]);
    }
}

/// Makes room for a flow, where there is none.
fn forget_one(flows: &mut HashMap<SocketAddr, UdpFlow>) {
    if flows.len() < FLOWS_MAX {
        return;
    }

    let silent = flows.iter().min_by_key(|(_, flow)| flow.last_used);
    if let Some(source) = silent.map(|(source, _)| *source) {
        flows.remove(&source);
    }
}

/// Takes what the target sends back to one flow.
async fn take_back(link: Arc<UdpProxy>, outward: Arc<UdpSocket>, source: SocketAddr) {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    loop {
        match outward.recv_from(&mut packet).await {
            Ok((n, _)) => link.pass(Heading::Down, link.inward.clone(), source, &packet[..n]),
            Err(_) => tokio::time::sleep(ERROR_PAUSE).await,
        }
    }
}

/// Hands packets over when they are due.
async fn deliver(link: Arc<UdpProxy>) {
    loop {
        let (arrived, next) = link.take_arrived();
        for waiting in arrived {
            let _ = waiting.from.send_to(&waiting.packet, waiting.to).await;
        }

        match next {
            None => link.earlier.notified().await,
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = link.earlier.notified() => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that answers each packet with the same bytes.
    async fn echo() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut packet = [0; 2_048];
            while let Ok((n, from)) = socket.recv_from(&mut packet).await {
                // The answer names who asked, as the target saw it.
                let seen = format!("{from} {}", String::from_utf8_lossy(&packet[..n]));
                let _ = socket.send_to(seen.as_bytes(), from).await;
            }
        });
        address
    }

    struct Caller(UdpSocket);

    impl Caller {
        async fn to(link: &UdpLink) -> Self {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(link.address).await.unwrap();
            Self(socket)
        }

        /// Whom the target took this one for; none where no answer comes.
        async fn ask(&self, word: &str) -> Option<String> {
            self.0.send(word.as_bytes()).await.unwrap();
            let mut packet = [0; 2_048];
            let waits = tokio::time::timeout(Duration::from_millis(300), self.0.recv(&mut packet));
            let n = waits.await.ok()?.unwrap();
            let answer = String::from_utf8_lossy(&packet[..n]).into_owned();
            let (seen, said) = answer.split_once(' ').unwrap();
            assert_eq!(said, word);
            Some(seen.into())
        }
    }

    async fn link() -> UdpLink {
        let lan = LinkProfile::named("lan").unwrap();
        UdpLink::open(echo().await, lan, 1).await.unwrap()
    }

    #[tokio::test]
    async fn a_flow_keeps_its_address_until_it_is_moved() {
        let link = link().await;
        let (one, two) = (Caller::to(&link).await, Caller::to(&link).await);
        let first = one.ask("a").await.unwrap();
        assert_eq!(one.ask("b").await.unwrap(), first);
        assert_ne!(two.ask("c").await.unwrap(), first, "flows are kept apart");

        link.control(LinkCommand::Move).await.unwrap();
        let moved = one.ask("d").await.unwrap();
        assert_ne!(moved, first);
        assert_eq!(one.ask("e").await.unwrap(), moved);
    }

    #[tokio::test]
    async fn a_link_that_is_down_and_a_black_hole_let_nothing_through_and_count_it() {
        let link = link().await;
        let caller = Caller::to(&link).await;
        assert!(caller.ask("a").await.is_some());

        link.set_up(false);
        assert!(caller.ask("b").await.is_none());
        assert_eq!(link.counters(Heading::Up).blocked.packets, 1);
        assert_eq!(link.up_bytes(), 1, "what meets a dark link is apart");

        link.set_up(true);
        let hole = LinkCommand::BlackHole(Some(Heading::Down));
        link.control(hole).await.unwrap();
        assert!(caller.ask("c").await.is_none());
        assert_eq!(link.counters(Heading::Down).blocked.packets, 1);
        assert_eq!(link.counters(Heading::Up).delivered.packets, 2);
    }

    async fn until(holds: impl Fn() -> bool) {
        let waits = async {
            while !holds() {
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        };
        let within = Duration::from_secs(20);
        assert!(tokio::time::timeout(within, waits).await.is_ok());
    }

    #[tokio::test]
    async fn a_schedule_takes_a_link_down_and_up_again() {
        let mut link = link().await;
        let caller = Caller::to(&link).await;
        assert!(caller.ask("a").await.is_some());

        let schedule = LinkSchedule::parse_lines("0s down\n600ms up").unwrap();
        link.run_schedule(schedule);
        until(|| !link.is_up()).await;
        assert!(caller.ask("b").await.is_none());
        until(|| link.is_up()).await;
        assert!(caller.ask("c").await.is_some());
    }

    #[tokio::test]
    async fn flows_beyond_the_most_push_out_the_silent_ones() {
        let link = link().await;
        let first = Caller::to(&link).await;
        let before = first.ask("a").await.unwrap();
        let mut flows = std::mem::take(&mut link.link.lock().flows);
        for n in 0..FLOWS_MAX + 10 {
            let source = SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 1));
            forget_one(&mut flows);
            flows.insert(source, link.link.open_flow(source).await.unwrap());
            if n % 200 == 0 {
                tokio::task::yield_now().await;
            }
        }

        assert_eq!(flows.len(), FLOWS_MAX);
        drop(flows);
        assert_ne!(first.ask("b").await.unwrap(), before);
    }
}
