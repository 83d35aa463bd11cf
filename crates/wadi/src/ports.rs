//! Ports of this machine for nodes that are started a moment later.
//!
//! They lie below the range that the kernel gives to whoever asks for any port
//! (`net.ipv4.ip_local_port_range`, 32768 and up by default): a port out of that range may go to
//! somebody's connection before the node that it was chosen for listens on it.

use crate::failure::Failure;
use std::net::{SocketAddr, TcpListener, UdpSocket};

const FIRST: u16 = 10_000;
const COUNT: u16 = 8_000;

/// As many addresses, each free for UDP and for TCP, and no two alike.
pub(crate) fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Failure> {
    // Whoever else chooses ports at this moment begins elsewhere.
    let start = rand::random::<u16>() % COUNT;
    let addresses = (0..COUNT).map(|n| FIRST + (start + n) % COUNT);
    let is_free = |address: &SocketAddr| {
        TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
    };

    let free: Vec<SocketAddr> = addresses
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .filter(is_free)
        .take(count)
        .collect();

    if free.len() < count {
        let why = format!("of ports {FIRST} and up, {count} are wanted and fewer are free");
        return Err(Failure::new("no_free_port", why));
    }

    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ports_differ_are_free_and_are_nobodys_by_chance() {
        let found = free_addresses(20).unwrap();
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 20);
        assert!(
            found
                .iter()
                .all(|a| (FIRST..FIRST + COUNT).contains(&a.port()))
        );

        let taken = TcpListener::bind(found[0]).unwrap();
        let others = free_addresses(20).unwrap();
        assert!(!others.contains(&taken.local_addr().unwrap()));
    }
}
