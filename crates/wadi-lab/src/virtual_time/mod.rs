//! Two of quinn's endpoints over a modelled link in virtual time: hours of a thin link take
//! milliseconds here, and no other work on the machine changes what comes of them.
//!
//! Both are quinn's own state machines with rustls and certificates on both sides. Their settings
//! are given from outside, so that a porch tests its own.

mod end;
mod papers;
mod traffic;

use crate::{
    command::LinkCommand,
    counters::WayCounters,
    model::{Heading, LinkModel},
    profile::LinkProfile,
    schedule::LinkSchedule,
    way::PacketArrival,
};
use bytes::BytesMut;
use end::VirtualEnd;
pub use end::{EndSettings, Tuner};
use papers::{HUB_NAME, papers};
use quinn_proto::{
    ClientConfig, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, ServerConfig,
    Transmit, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use rustls::crypto::CryptoProvider;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
pub use traffic::Transfer;

/// Who dials.
pub const SITE: usize = 0;
/// Who is dialled.
pub const HUB: usize = 1;

/// A packet on its way: when it arrives, in which order, which way, and what.
struct FlyingPacket {
    arrival: PacketArrival,
    way: Heading,
    source: SocketAddr,
    target: SocketAddr,
    bytes: Vec<u8>,
}

/// The two ends, and the link between them.
pub struct VirtualWorld {
    start: Instant,
    now: Instant,
    link: LinkModel,
    schedule: LinkSchedule,
    ends: [VirtualEnd; 2],
    client: ClientConfig,
    /// Where packets on their way are found: by arrival, then by the order in which they were sent.
    flying: BinaryHeap<Reverse<(Instant, u64)>>,
    packets: BTreeMap<u64, FlyingPacket>,
    sent: u64,
    transfers: Vec<Transfer>,
    moves: u16,
}

impl VirtualWorld {
    /// A link and two ends that have not spoken yet.
    pub fn new(profile: LinkProfile, seed: u64, site: EndSettings, hub: EndSettings) -> Self {
        Self::with_provider(
            profile,
            seed,
            site,
            hub,
            rustls::crypto::ring::default_provider(),
        )
    }

    /// The same, with TLS of another provider.
    pub fn with_provider(
        profile: LinkProfile,
        seed: u64,
        site: EndSettings,
        hub: EndSettings,
        provider: CryptoProvider,
    ) -> Self {
        let (server, client) = papers(provider).expect("papers of its own making");
        let server = QuicServerConfig::try_from(server).expect("TLS 1.3");
        let mut server = ServerConfig::with_crypto(Arc::new(server));
        server.transport_config(Arc::new(hub.transport));
        let client = QuicClientConfig::try_from(client).expect("TLS 1.3");
        let mut client = ClientConfig::new(Arc::new(client));
        client.transport_config(Arc::new(site.transport));

        let start = Instant::now();
        let end = |n: u8, server: Option<Arc<ServerConfig>>, new_tuner| {
            let mut config = EndpointConfig::default();
            config.rng_seed(Some([n; 32]));
            VirtualEnd {
                endpoint: Endpoint::new(Arc::new(config), server, true, None),
                address: SocketAddr::from(([10, 0, 0, n], 4433)),
                connections: BTreeMap::new(),
                current: None,
                new_tuner,
                window_min: u64::MAX,
                established: 0,
                arrived: Vec::new(),
            }
        };

        Self {
            start,
            now: start,
            link: LinkModel::new(profile, seed, start),
            schedule: LinkSchedule::default(),
            ends: [
                end(1, None, site.tuner),
                end(2, Some(Arc::new(server)), hub.tuner),
            ],
            client,
            flying: BinaryHeap::new(),
            packets: BTreeMap::new(),
            sent: 0,
            transfers: Vec::new(),
            moves: 0,
        }
    }

    /// Runs a schedule, whose times count from now.
    pub fn set_schedule(&mut self, schedule: LinkSchedule) {
        self.schedule = schedule.delayed(self.elapsed());
    }

    /// Changes the link.
    pub fn apply(&mut self, command: &LinkCommand) {
        self.link.apply(command);
        if *command == LinkCommand::Move {
            self.moves += 1;
            self.ends[SITE].address.set_port(4433 + self.moves);
        }
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// What became of packets of a way so far.
    pub fn counters(&self, way: Heading) -> WayCounters {
        self.link.counters(way)
    }

    /// The site begins to shake hands, whatever connection it has.
    pub fn dial(&mut self) {
        let to = self.ends[HUB].address;
        let site = &mut self.ends[SITE];
        let (handle, connection) = site
            .endpoint
            .connect(self.now, self.client.clone(), to, HUB_NAME)
            .expect("it dials");
        site.take_connection(handle, connection);
        site.current = Some(handle);
    }

    /// An end gives its connection up, and says so.
    pub fn hang_up(&mut self, of: usize) {
        let now = self.now;
        let end = &mut self.ends[of];
        let current = end.current.take();
        if let Some(connection) = current.and_then(|c| end.connections.get_mut(&c)) {
            let code = VarInt::from_u32(0);
            connection.connection.close(now, code, bytes::Bytes::new());
            connection.is_lost = true;
        }
    }

    /// Whether an end has a connection on which both have shaken hands, as far as it knows.
    pub fn is_connected(&self, of: usize) -> bool {
        self.ends[of]
            .current()
            .is_some_and(|c| c.is_established && !c.is_lost)
    }

    /// Whether the other end has answered what this one dialled with.
    pub fn is_answered(&self, of: usize) -> bool {
        let current = self.ends[of].current();
        current.is_some_and(|c| !c.is_lost && c.connection.stats().udp_rx.datagrams > 0)
    }

    /// Connections that an end has had.
    pub fn established(&self, of: usize) -> u64 {
        self.ends[of].established
    }

    /// Shakes hands over a link that is up.
    ///
    /// # Panics
    /// Where it takes longer than a minute.
    pub fn connect(&mut self) {
        self.dial();
        let both = |world: &Self| world.is_connected(SITE) && world.is_connected(HUB);
        assert!(
            self.run_until(Duration::from_secs(60), both),
            "no handshake"
        );
    }

    /// Has an end send so many bytes; those of the higher priority go first. What an end has not
    /// got over before its connection ends, it sends again over the next one.
    pub fn send(&mut self, from: usize, priority: i32, bytes: usize) -> usize {
        self.give(Transfer {
            from,
            priority,
            bytes,
            given: self.now,
            arrived: None,
            content: None,
        })
    }

    /// The same with something to hand out at the other end.
    pub fn send_content(&mut self, from: usize, priority: i32, content: Vec<u8>) -> usize {
        self.give(Transfer {
            from,
            priority,
            bytes: content.len(),
            given: self.now,
            arrived: None,
            content: Some(content),
        })
    }

    /// Whether something is to be handed out at an end.
    pub fn has_content(&self, at: usize) -> bool {
        !self.ends[at].arrived.is_empty()
    }

    /// What has arrived at an end and was not handed out: priorities and contents, in the order of
    /// their arrival.
    pub fn take_content(&mut self, at: usize) -> Vec<(i32, Vec<u8>)> {
        let numbers = std::mem::take(&mut self.ends[at].arrived);
        let content = |number: usize| {
            let transfer = self.transfers.get(number)?;
            Some((transfer.priority, transfer.content.clone()?))
        };
        numbers.into_iter().filter_map(content).collect()
    }

    fn give(&mut self, transfer: Transfer) -> usize {
        let number = self.transfers.len();
        let end = &mut self.ends[transfer.from];
        end.window_min = u64::MAX;
        if let Some(current) = end.current_mut().filter(|c| c.is_established) {
            current.streams.push(number, &transfer);
        }
        self.transfers.push(transfer);
        number
    }

    /// All that was given so far.
    pub fn transfers(&self) -> &[Transfer] {
        &self.transfers
    }

    /// How long a transfer took, where it has arrived.
    pub fn taken(&self, number: usize) -> Option<Duration> {
        let transfer = self.transfers.get(number)?;
        Some(transfer.arrived? - transfer.given)
    }

    /// The least congestion window that an end had since it was last given something.
    pub fn window_min(&self, of: usize) -> u64 {
        self.ends[of].window_min
    }

    /// The congestion window of an end now; none without a connection.
    pub fn window(&self, of: usize) -> Option<u64> {
        let current = self.ends[of].current()?;
        Some(current.connection.congestion_state().window())
    }

    /// Packets that came to an end on its connection, and that it sent; none without one.
    pub fn datagrams(&self, of: usize) -> Option<(u64, u64)> {
        let stats = self.ends[of].current()?.connection.stats();
        Some((stats.udp_rx.datagrams, stats.udp_tx.datagrams))
    }

    /// The round trip as an end measures it; none without a connection.
    pub fn rtt(&self, of: usize) -> Option<Duration> {
        Some(self.ends[of].current()?.connection.rtt())
    }

    /// Runs until everything has arrived. How long that took.
    ///
    /// # Panics
    /// Where it takes longer than `most`.
    pub fn settle(&mut self, most: Duration) -> Duration {
        let began = self.now;
        let all = |world: &Self| world.transfers.iter().all(|t| t.arrived.is_some());
        let is_done = self.run_until(most, all);
        let missing = self
            .transfers
            .iter()
            .filter(|t| t.arrived.is_none())
            .count();
        assert!(
            is_done,
            "not done after {most:?}: {missing} have not arrived"
        );
        self.now - began
    }

    /// Runs for so long.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until something holds, or for so long. Whether it holds.
    pub fn run_until(&mut self, most: Duration, is_done: impl Fn(&Self) -> bool) -> bool {
        let deadline = self.now + most;
        loop {
            self.drive();
            if is_done(self) {
                return true;
            }

            match self.next_event().filter(|at| *at < deadline) {
                Some(at) => self.now = at,
                None => {
                    self.now = deadline;
                    self.drive();
                    return is_done(self);
                }
            }
        }
    }

    fn next_event(&mut self) -> Option<Instant> {
        let arrival = self.flying.peek().map(|Reverse((at, _))| *at);
        let command = self.schedule.next_at().map(|at| self.start + at);
        let timers = self.ends.iter_mut().flat_map(|end| {
            let all = end.connections.values_mut();
            all.filter_map(|c| c.connection.poll_timeout())
        });

        let next = timers.chain(arrival).chain(command).min();
        next.map(|at| at.max(self.now))
    }

    /// Lets everything happen that is due now.
    fn drive(&mut self) {
        while let Some(command) = self.schedule.take_due(self.elapsed()) {
            self.apply(&command);
        }

        self.take_arrivals();
        for end in [SITE, HUB] {
            let handles: Vec<ConnectionHandle> =
                self.ends[end].connections.keys().copied().collect();
            for handle in handles {
                while self.drive_connection(end, handle) {}
            }
        }
    }

    fn take_arrivals(&mut self) {
        while let Some(Reverse((at, number))) = self.flying.peek().copied() {
            if at > self.now {
                return;
            }

            self.flying.pop();
            let Some(packet) = self.packets.remove(&number) else {
                continue;
            };
            let arrives = self
                .link
                .deliver(packet.way, &packet.arrival, packet.bytes.len());
            let end = match packet.way {
                Heading::Up => HUB,
                Heading::Down => SITE,
            };
            // What is for an address that nobody has any more goes nowhere.
            if arrives && packet.target == self.ends[end].address {
                self.hand_in(end, &packet);
            }
        }
    }

    fn hand_in(&mut self, at: usize, packet: &FlyingPacket) {
        let now = self.now;
        let mut response = Vec::new();
        let data = BytesMut::from(&packet.bytes[..]);
        let end = &mut self.ends[at];
        let event = end
            .endpoint
            .handle(now, packet.source, None, None, data, &mut response);

        match event {
            Some(DatagramEvent::NewConnection(incoming)) => {
                match end.endpoint.accept(incoming, now, &mut response, None) {
                    Ok((handle, connection)) => end.take_connection(handle, connection),
                    Err(refused) => {
                        if let Some(transmit) = refused.response {
                            self.emit(at, &response, &transmit);
                        }
                    }
                }
            }
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                if let Some(c) = end.connections.get_mut(&handle) {
                    c.connection.handle_event(event);
                }
            }
            Some(DatagramEvent::Response(transmit)) => self.emit(at, &response, &transmit),
            None => {}
        }
    }

    /// One round over a connection; whether there was anything to do.
    fn drive_connection(&mut self, at: usize, handle: ConnectionHandle) -> bool {
        let now = self.now;
        let transfers = &mut self.transfers;
        let Some(busy) = self.ends[at].drive_connection(at, handle, now, transfers) else {
            return false;
        };

        let mut packet = Vec::new();
        let end = &mut self.ends[at];
        let Some(c) = end.connections.get_mut(&handle) else {
            return busy;
        };
        if let Some(transmit) = c.connection.poll_transmit(now, 1, &mut packet) {
            self.emit(at, &packet, &transmit);
            return true;
        }

        busy
    }

    fn emit(&mut self, from: usize, bytes: &[u8], transmit: &Transmit) {
        let way = match from {
            SITE => Heading::Up,
            _ => Heading::Down,
        };
        for arrival in self.link.send(self.now, way, transmit.size) {
            let number = self.sent;
            self.sent += 1;
            self.flying.push(Reverse((arrival.at, number)));
            self.packets.insert(
                number,
                FlyingPacket {
                    arrival,
                    way,
                    source: self.ends[from].address,
                    target: transmit.destination,
                    bytes: bytes[..transmit.size].to_vec(),
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quinn_proto::TransportConfig;

    /// quinn's own settings, and an idle timeout.
    fn world(link: &str, seed: u64) -> VirtualWorld {
        let settings = || {
            let mut transport = TransportConfig::default();
            transport
                .mtu_discovery_config(None)
                .initial_rtt(Duration::from_millis(700))
                .max_idle_timeout(Some(VarInt::from_u32(30_000).into()));
            EndSettings::plain(transport)
        };
        VirtualWorld::new(link.parse().unwrap(), seed, settings(), settings())
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn one_seed_gives_one_world_to_the_nanosecond() {
        let told = |seed| {
            let mut world = world("sandstorm", seed);
            world.connect();
            world.send(SITE, 1, 100_000);
            world.send(HUB, 1, 30_000);
            let taken = world.settle(MINUTE * 10);
            (taken, Heading::BOTH.map(|way| world.counters(way)))
        };

        assert_eq!(told(3), told(3));
        assert_ne!(told(3), told(4));
    }

    #[test]
    fn what_is_urgent_overtakes_what_waits_in_quinn() {
        let mut world = world("vsat-256", 1);
        world.connect();
        let bulk = world.send(SITE, 1, 200_000);
        world.run_for(Duration::from_secs(2));
        let urgent = world.send(SITE, 9, 300);
        world.settle(MINUTE * 10);
        let at = |n: usize| world.transfers()[n].arrived.unwrap();
        assert!(at(urgent) < at(bulk));
    }

    #[test]
    fn a_connection_outlives_a_change_of_address_and_no_long_outage() {
        let mut world = world("vsat-256", 1);
        world.connect();
        world.send(SITE, 1, 100_000);
        world.run_for(Duration::from_secs(2));
        world.apply(&LinkCommand::Move);
        world.settle(MINUTE);
        assert_eq!(world.established(SITE), 1);

        world.apply(&LinkCommand::Down);
        world.run_for(MINUTE * 2);
        assert!(!world.is_connected(SITE) && !world.is_connected(HUB));

        // What was given while it was down goes over the next connection.
        world.send(SITE, 1, 5_000);
        world.apply(&LinkCommand::Up);
        world.connect();
        world.settle(MINUTE);
        assert_eq!(world.established(HUB), 2);
    }
}
