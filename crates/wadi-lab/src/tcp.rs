//! A link on this machine for byte streams: rate, delay, and whether anything gets through, each
//! way.
//!
//! TCP mends losses by itself, so that none are made here, and a link that is down holds bytes back
//! instead of losing them. A new connection waits one round trip before its first byte, as for
//! TCP's handshake. What is not modelled is TCP's own slow start over the long path.

use crate::{
    command::LinkCommand,
    counters::WayCounters,
    model::{Heading, LinkModel},
    profile::LinkProfile,
    schedule::LinkSchedule,
    schedule_run::run_schedule,
};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

/// Bytes that are passed on at once: one segment on an ordinary path.
const SEGMENT_BYTES: usize = 1_460;
/// Segments on their way at most, each way of a connection; then its sender waits.
const WAITING_MAX: usize = 4_096;
/// Connections at most; more wait to be taken.
const CONNECTIONS_MAX: usize = 512;

/// One link: who dials connects to `address`, the proxy passes bytes on to the target and back. It
/// ends when dropped.
pub struct TcpLink {
    /// Where the dialling side connects to.
    pub address: SocketAddr,
    link: Arc<TcpProxy>,
    tasks: JoinSet<()>,
}

/// What the tasks of a proxy share.
struct TcpProxy {
    target: SocketAddr,
    model: Mutex<LinkModel>,
    /// Counts changes: whoever waits for a link that is down looks again, and connections that were
    /// there before a move end with it.
    changed: watch::Sender<LinkChanges>,
}

#[derive(Clone, Copy, Default)]
struct LinkChanges {
    all: u64,
    moves: u64,
}

/// A segment on its way: when it arrives, and what it holds; empty where the stream ends.
type WaitingSegment = (Instant, Vec<u8>);

impl TcpLink {
    /// Opens a proxy that listens at an address.
    pub async fn listen(
        listen: SocketAddr,
        target: SocketAddr,
        profile: LinkProfile,
        seed: u64,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let link = Arc::new(TcpProxy {
            target,
            model: Mutex::new(LinkModel::new(profile, seed, Instant::now())),
            changed: watch::channel(LinkChanges::default()).0,
        });

        let mut tasks = JoinSet::new();
        tasks.spawn(take_connections(link.clone(), listener));
        Ok(Self {
            address,
            link,
            tasks,
        })
    }

    /// Changes the link, from now on. A move ends the connections that there are, as a change of
    /// address does.
    pub fn control(&self, command: &LinkCommand) {
        self.link.control(command);
    }

    /// Runs a schedule beside whatever else is done to the link.
    pub fn run_schedule(&mut self, schedule: LinkSchedule) {
        let link = self.link.clone();
        self.tasks.spawn(run_schedule(schedule, move |command| {
            link.control(&command);
            std::future::ready(())
        }));
    }

    /// What became of segments of a way so far; bytes are those of the stream.
    pub fn counters(&self, way: Heading) -> WayCounters {
        self.link.lock().counters(way)
    }
}

impl TcpProxy {
    fn lock(&self) -> MutexGuard<'_, LinkModel> {
        self.model.lock().expect("no panic holds it")
    }

    fn control(&self, command: &LinkCommand) {
        self.lock().apply(command);
        self.changed.send_modify(|changes| {
            changes.all += 1;
            changes.moves += u64::from(*command == LinkCommand::Move);
        });
    }

    /// Returns when bytes of this way get through.
    async fn open(&self, way: Heading) {
        let mut changed = self.changed.subscribe();
        while !self.lock().is_open(way) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns when the link was moved.
    async fn moved(&self) {
        let mut changed = self.changed.subscribe();
        let before = changed.borrow().moves;
        let _ = changed.wait_for(|now| now.moves != before).await;
    }

    /// Waits as long as TCP's handshake takes.
    async fn shake_hands(&self) {
        for way in Heading::BOTH {
            self.open(way).await;
            let arrives = self.lock().send_segment(Instant::now(), way, 0).arrives;
            tokio::time::sleep_until(arrives.into()).await;
            self.lock().deliver_segment(way, 0);
        }
    }
}

async fn take_connections(link: Arc<TcpProxy>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let place = places.clone().acquire_owned().await;
        let Ok((near, _)) = listener.accept().await else {
            continue;
        };

        let link = link.clone();
        connections.spawn(async move {
            let _place = place;
            tokio::select! {
                _ = serve(&link, near) => {}
                () = link.moved() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(link: &Arc<TcpProxy>, near: TcpStream) -> io::Result<()> {
    link.shake_hands().await;
    let far = TcpStream::connect(link.target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;

    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(
        pass_on(link, Heading::Up, near_read, far_write),
        pass_on(link, Heading::Down, far_read, near_write),
    );

    Ok(())
}

/// Passes one way of a connection on until it ends.
async fn pass_on(link: &TcpProxy, way: Heading, from: OwnedReadHalf, to: OwnedWriteHalf) {
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    // One that takes no more ends the other, which finds its channel closed.
    let ((), _) = tokio::join!(
        take(link, way, from, sender),
        hand_over(link, way, to, waiting)
    );
}

/// Takes bytes from who sends, as fast as the modem has room for them.
async fn take(
    link: &TcpProxy,
    way: Heading,
    mut from: OwnedReadHalf,
    waiting: mpsc::Sender<WaitingSegment>,
) {
    let mut segment = vec![0; SEGMENT_BYTES];
    loop {
        // A stream that breaks ends at the other end as one that is closed.
        let n = from.read(&mut segment).await.unwrap_or(0);
        link.open(way).await;

        let times = link.lock().send_segment(Instant::now(), way, n);
        let sent = waiting.send((times.arrives, segment[..n].to_vec())).await;
        if n == 0 || sent.is_err() {
            return;
        }
        tokio::time::sleep_until(times.has_room.into()).await;
    }
}

/// Hands bytes over when they are due.
async fn hand_over(
    link: &TcpProxy,
    way: Heading,
    mut to: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<WaitingSegment>,
) -> io::Result<()> {
    while let Some((arrives, segment)) = waiting.recv().await {
        tokio::time::sleep_until(arrives.into()).await;
        link.open(way).await;
        if segment.is_empty() {
            return to.shutdown().await;
        }

        to.write_all(&segment).await?;
        link.lock().deliver_segment(way, segment.len());
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::Ipv4Addr, time::Duration};

    const ANYWHERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    /// A target that gives back what it is sent.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(ANYWHERE).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn link(profile: &str) -> TcpLink {
        let profile = profile.parse().unwrap();
        TcpLink::listen(ANYWHERE.into(), echo().await, profile, 1)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn every_byte_arrives_and_is_counted_and_the_end_does_too() {
        let link = link("brisk,loss=20%,delay=1ms").await;
        let sent: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let (mut read, mut write) = TcpStream::connect(link.address).await.unwrap().into_split();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        });

        let mut received = Vec::new();
        read.read_to_end(&mut received).await.unwrap();
        writer.await.unwrap();
        assert!(received == expected);
        for way in Heading::BOTH {
            let counters = link.counters(way);
            assert_eq!(counters.offered.bytes, 200_000);
            assert_eq!(counters.delivered.bytes, 200_000);
            assert_eq!(counters.lost.packets, 0);
        }
    }

    #[tokio::test]
    async fn a_link_that_is_down_holds_bytes_back_and_a_move_ends_a_connection() {
        let link = link("lan").await;
        let mut stream = TcpStream::connect(link.address).await.unwrap();
        let mut answer = [0; 1];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();

        link.control(&LinkCommand::Down);
        stream.write_all(b"b").await.unwrap();
        let waits = Duration::from_millis(200);
        let held = tokio::time::timeout(waits, stream.read_exact(&mut answer)).await;
        assert!(held.is_err(), "it came through a link that is down");

        link.control(&LinkCommand::Up);
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"b");

        link.control(&LinkCommand::Move);
        let ended = stream.read(&mut answer).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        let mut anew = TcpStream::connect(link.address).await.unwrap();
        anew.write_all(b"c").await.unwrap();
        anew.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"c");
    }
}
