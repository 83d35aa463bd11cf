//! Takes what dials in: a bounded number of handshakes at once, and of strangers no more than that
//! is kept.

use crate::{endpoint::Crypto, link_rate::LinkRate, porch::Porch};
use quinn::{ConnectionError, Endpoint, Incoming, ServerConfig};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// Handshakes at once with callers who have not shown that they can be reached at the address they
/// name. From there on a caller is asked to show it (a Retry, of which nothing is kept here): that
/// costs an honest one a round trip.
const UNPROVEN_MAX: usize = 32;
/// Handshakes at once with callers who have shown it: 64 in all.
const PROVEN_MAX: usize = 32;
/// Of these with one address. Several crossings may share one behind their provider.
const PROVEN_PER_ADDRESS_MAX: usize = 8;
/// How long a handshake may take. A dialler gives up sooner.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Codes of connections that TLS itself ended, with the alert in the last byte (RFC 9001, 4.8).
const TLS_ALERTS: Range<u64> = 0x100..0x200;
/// The alert that the caller speaks another protocol (RFC 7301, 3.2).
const NO_SUCH_PROTOCOL: u64 = 120;
/// Callers that quinn keeps before they are looked at, and bytes of what they sent.
const WAITING_CALLERS_MAX: usize = 64;
const WAITING_BYTES_MAX: u64 = 8 * 1024;

/// Bounds what quinn itself keeps of callers.
pub(crate) fn bound_incoming(server: &mut ServerConfig) {
    server
        .max_incoming(WAITING_CALLERS_MAX)
        .incoming_buffer_size(WAITING_BYTES_MAX)
        .incoming_buffer_size_total(WAITING_CALLERS_MAX as u64 * WAITING_BYTES_MAX);
}

/// Takes callers until the porch is stopped. What goes wrong with one ends that one's task. Returns
/// why it ended.
pub(crate) async fn take_callers(
    porch: Arc<Porch>,
    endpoint: Endpoint,
    (mut server, crypto): (ServerConfig, watch::Receiver<Crypto>),
    mut stopped: watch::Receiver<bool>,
) -> String {
    let slots = Arc::new(Slots::default());
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = stopped.changed() => return "it was stopped".into(),
        };
        let Some(incoming) = incoming else {
            return "the endpoint takes no more callers".into();
        };

        let address = incoming.remote_address().ip();
        match Slots::take_slot(&slots, address, incoming.remote_address_validated()) {
            Admission::Slot(slot) => {
                server.crypto = crypto.borrow().server.clone();
                tokio::spawn(shake_hands(porch.clone(), server.clone(), incoming, slot));
            }
            Admission::Prove => {
                // It fails only for callers who have proven their address.
                let _ = incoming.retry();
            }
            // No answer: an honest caller tries again in a moment, and others learn nothing.
            Admission::Full => incoming.ignore(),
        }
    }
}

/// Shakes hands with one caller and serves it.
async fn shake_hands(porch: Arc<Porch>, mut server: ServerConfig, incoming: Incoming, slot: Slot) {
    let address = incoming.remote_address();
    // Each connection has a controller that knows its own link: the caller tells the rate when it
    // has said who it is.
    let rate = LinkRate::default();
    server.transport_config(Arc::new(porch.transport(&rate)));

    let shaken = match incoming.accept_with(Arc::new(server)) {
        Ok(connecting) => tokio::time::timeout(HANDSHAKE_MAX, connecting).await,
        Err(error) => Ok(Err(error)),
    };

    drop(slot);

    match shaken {
        Ok(Ok(connection)) => drop(porch.serve(connection, None, rate).await),
        Ok(Err(error)) if is_refusal(&error) => {
            porch.turn_away(address.ip(), &error.to_string()).await
        }
        Ok(Err(error)) => {
            porch
                .refuse_stranger(address.ip(), &error.to_string())
                .await
        }
        Err(_) => {
            porch
                .refuse_stranger(address.ip(), "it did not finish its handshake")
                .await
        }
    }
}

/// Whether a handshake failed because this node did not accept what the caller showed. A thin link
/// that broke, and a program that looks for something else at this port, call nobody.
fn is_refusal(error: &ConnectionError) -> bool {
    let ConnectionError::TransportError(error) = error else {
        return false;
    };

    let code = u64::from(error.code);
    TLS_ALERTS.contains(&code) && code != TLS_ALERTS.start + NO_SUCH_PROTOCOL
}

/// Handshakes going on.
#[derive(Default)]
struct Slots(Mutex<TakenSlots>);

#[derive(Default)]
struct TakenSlots {
    unproven: usize,
    proven: BTreeMap<IpAddr, usize>,
}

/// What becomes of a caller.
enum Admission {
    /// The handshake begins.
    Slot(Slot),
    /// It first has to show that it can be reached at its address.
    Prove,
    /// There is no room now.
    Full,
}

/// One handshake's place, given back when dropped.
struct Slot {
    slots: Arc<Slots>,
    /// Whose it is; none where the address is not proven.
    proven: Option<IpAddr>,
}

impl Slots {
    fn take_slot(slots: &Arc<Self>, address: IpAddr, proven: bool) -> Admission {
        let mut taken = slots.0.lock().expect("no panic holds it");
        let is_full = taken.unproven >= UNPROVEN_MAX && !wadi_log::defence::off("handshake-seats");
        if !proven && is_full {
            return Admission::Prove;
        }

        if !proven {
            taken.unproven += 1;
            return Admission::Slot(Slot {
                slots: slots.clone(),
                proven: None,
            });
        }

        let whose = network_of(address);
        let all: usize = taken.proven.values().sum();
        let theirs = taken.proven.entry(whose).or_default();
        if all >= PROVEN_MAX || *theirs >= PROVEN_PER_ADDRESS_MAX {
            if *theirs == 0 {
                taken.proven.remove(&whose);
            }
            return Admission::Full;
        }

        *theirs += 1;
        Admission::Slot(Slot {
            slots: slots.clone(),
            proven: Some(whose),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.0.lock().expect("no panic holds it");
        let Some(whose) = self.proven else {
            taken.unproven -= 1;
            return;
        };

        if let Some(theirs) = taken.proven.get_mut(&whose) {
            *theirs -= 1;
            if *theirs == 0 {
                taken.proven.remove(&whose);
            }
        }
    }
}

/// The network of an address, as one subscriber has it: of IPv6 the first 64 bits.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_all_unproven_places_does_not_keep_out_those_who_prove_their_address() {
        let slots = Arc::new(Slots::default());
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut held = Vec::new();
        for n in 0..=255 {
            match Slots::take_slot(&slots, address(n), false) {
                Admission::Slot(slot) => held.push(slot),
                Admission::Prove => {}
                Admission::Full => panic!("an unproven caller is asked to prove"),
            }
        }

        assert_eq!(held.len(), UNPROVEN_MAX);

        // One address takes no more than its part.
        let mut greedy = Vec::new();
        while let Admission::Slot(slot) = Slots::take_slot(&slots, address(7), true) {
            greedy.push(slot);
        }

        assert_eq!(greedy.len(), PROVEN_PER_ADDRESS_MAX);

        let honest = Slots::take_slot(&slots, address(8), true);
        assert!(matches!(honest, Admission::Slot(_)));

        // All is given back.
        drop((held, greedy, honest));
        let taken = slots.0.lock().unwrap();
        assert_eq!((taken.unproven, taken.proven.len()), (0, 0));
    }

    #[test]
    fn a_certificate_that_does_not_hold_is_a_refusal_and_a_link_that_broke_is_none() {
        let tls = |alert: u8| {
            let reason = "the handshake failed".to_string();
            ConnectionError::TransportError(quinn_proto::TransportError {
                code: quinn_proto::TransportErrorCode::crypto(alert),
                frame: None,
                reason,
            })
        };
        let unknown_ca = 48;
        assert!(is_refusal(&tls(unknown_ca)));
        assert!(!is_refusal(&tls(NO_SUCH_PROTOCOL as u8)));
        for broke in [ConnectionError::TimedOut, ConnectionError::Reset] {
            assert!(!is_refusal(&broke));
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_caller() {
        let slots = Arc::new(Slots::default());
        let address = |n: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n));
        let taken: Vec<Admission> = (0..100)
            .map(|n| Slots::take_slot(&slots, address(n), true))
            .collect();
        let let_in = taken
            .iter()
            .filter(|a| matches!(a, Admission::Slot(_)))
            .count();
        assert_eq!(let_in, PROVEN_PER_ADDRESS_MAX);
    }
}
