//! Ports for nodes that are started, killed and started again while other tests run.
//!
//! A port that was only found free is anybody's again a moment later: two networks may then pick
//! the same one, and a test talks to a node of another. So each port is reserved by a lock on a
//! file for as long as the test's process lives, and lies below the range that the kernel gives
//! to whoever asks for any port.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Mutex;

/// Below the kernel's own range (`net.ipv4.ip_local_port_range`, 32768 and up by default), and
/// above the ports of demonstrations and benches.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The locks that this process holds, and where it looks next.
struct Reserved {
    locks: Vec<File>,
    next: u16,
}

static RESERVED: Mutex<Option<Reserved>> = Mutex::new(None);

/// An address of this machine whose port no other test has, for UDP and for TCP.
///
/// # Panics
/// When every port of the range is taken.
pub fn reserve_address() -> SocketAddr {
    let dir = std::env::temp_dir().join("wadi-test-ports");
    std::fs::create_dir_all(&dir).expect("a directory for the locks of ports");

    let mut held = RESERVED.lock().expect("no panic holds it");
    let reserved = held.get_or_insert_with(|| Reserved {
        locks: Vec::new(),
        // Processes begin in different places, so that they seldom meet.
        next: PORTS.start + (std::process::id() % PORTS.len() as u32) as u16,
    });

    for _ in PORTS {
        let port = reserved.next;
        reserved.next = if port + 1 < PORTS.end {
            port + 1
        } else {
            PORTS.start
        };

        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let lock = File::create(dir.join(port.to_string())).expect("a lock of a port");
        let is_free = lock.try_lock().is_ok()
            && TcpListener::bind(address).is_ok()
            && UdpSocket::bind(address).is_ok();

        if is_free {
            reserved.locks.push(lock);
            return address;
        }
    }

    panic!("every port from {} to {} is taken", PORTS.start, PORTS.end);
}
