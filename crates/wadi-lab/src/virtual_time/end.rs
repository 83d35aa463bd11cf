//! One end of a virtual world: an endpoint and its connections.

use super::traffic::{Streams, Transfer};
use quinn_proto::{Connection, ConnectionHandle, Endpoint, Event, TransportConfig, VarInt};
use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

/// What looks at a connection after each of its events, and may change its windows.
pub type Tuner = Box<dyn FnMut(Instant, &mut Connection)>;

/// Settings of one end.
pub struct EndSettings {
    /// Of each of its connections.
    pub transport: TransportConfig,
    /// Makes what looks after one of its connections, where something does.
    pub tuner: Box<dyn FnMut() -> Option<Tuner>>,
}

impl EndSettings {
    /// Connections that nobody looks after.
    pub fn plain(transport: TransportConfig) -> Self {
        Self {
            transport,
            tuner: Box::new(|| None),
        }
    }
}

/// One of an end's connections.
pub(super) struct VirtualConnection {
    pub(super) connection: Connection,
    pub(super) streams: Streams,
    tuner: Option<Tuner>,
    pub(super) is_established: bool,
    pub(super) is_lost: bool,
}

pub(super) struct VirtualEnd {
    pub(super) endpoint: Endpoint,
    pub(super) address: SocketAddr,
    pub(super) connections: BTreeMap<ConnectionHandle, VirtualConnection>,
    /// The one that is used.
    pub(super) current: Option<ConnectionHandle>,
    pub(super) new_tuner: Box<dyn FnMut() -> Option<Tuner>>,
    /// The least congestion window since something was given to send.
    pub(super) window_min: u64,
    pub(super) established: u64,
    /// Transfers with contents that have arrived and were not handed out.
    pub(super) arrived: Vec<usize>,
}

impl VirtualEnd {
    pub(super) fn current(&self) -> Option<&VirtualConnection> {
        self.connections.get(&self.current?)
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut VirtualConnection> {
        self.connections.get_mut(&self.current?)
    }

    pub(super) fn take_connection(&mut self, handle: ConnectionHandle, connection: Connection) {
        let connection = VirtualConnection {
            connection,
            streams: Streams::default(),
            tuner: (self.new_tuner)(),
            is_established: false,
            is_lost: false,
        };
        self.connections.insert(handle, connection);
    }

    /// A connection has shaken hands: it takes the place of the one before, and carries what has
    /// not arrived.
    pub(super) fn establish(
        &mut self,
        me: usize,
        handle: ConnectionHandle,
        now: Instant,
        all: &[Transfer],
    ) {
        let before = self.current.replace(handle).filter(|c| *c != handle);
        if let Some(before) = before.and_then(|c| self.connections.get_mut(&c)) {
            let code = VarInt::from_u32(1);
            before.connection.close(now, code, bytes::Bytes::new());
            before.is_lost = true;
        }

        self.established += 1;
        if let Some(c) = self.connections.get_mut(&handle) {
            let mine = all.iter().enumerate();
            mine.filter(|(_, t)| t.from == me && t.arrived.is_none())
                .for_each(|(number, transfer)| c.streams.push(number, transfer));
        }
    }

    /// Timers, events and streams of a connection; whether there was anything to do, or none where
    /// the connection is gone.
    pub(super) fn drive_connection(
        &mut self,
        me: usize,
        handle: ConnectionHandle,
        now: Instant,
        transfers: &mut [Transfer],
    ) -> Option<bool> {
        let c = self.connections.get_mut(&handle)?;
        let mut busy = false;
        if c.connection.poll_timeout().is_some_and(|due| due <= now) {
            c.connection.handle_timeout(now);
            busy = true;
        }

        while let Some(event) = c.connection.poll_endpoint_events() {
            busy = true;
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                c.connection.handle_event(event);
            }
        }

        let mut is_new = false;
        while let Some(event) = c.connection.poll() {
            match event {
                Event::Connected => is_new = true,
                Event::ConnectionLost { .. } => c.is_lost = true,
                _ => {}
            }
        }
        if is_new {
            c.is_established = true;
            self.establish(me, handle, now, transfers);
        }

        let c = self.connections.get_mut(&handle)?;
        if c.connection.is_drained() {
            self.connections.remove(&handle);
            self.current = self.current.filter(|current| *current != handle);
            return None;
        }

        if c.is_established && !c.is_lost {
            if let Some(tuner) = &mut c.tuner {
                tuner(now, &mut c.connection);
            }
            c.streams.write(&mut c.connection);
            for number in c.streams.read(&mut c.connection) {
                if let Some(transfer) = transfers.get_mut(number) {
                    if transfer.arrived.is_none() && transfer.content.is_some() {
                        self.arrived.push(number);
                    }
                    transfer.arrived.get_or_insert(now);
                }
            }
            let window = c.connection.congestion_state().window();
            self.window_min = self.window_min.min(window);
        }

        Some(busy)
    }
}
