//! Dials one peer, again and again.

use crate::{
    addresses::Turns,
    endpoint::{Crypto, PeerAddress},
    identity::server_name,
    link_rate::LinkRate,
    liveness::{ANSWER_MAX, HANDSHAKE_MAX, next_pause},
    porch::{CUT_CODE, EXPIRED_CODE, Porch, REVOKED_CODE, STRANGER_CODE},
};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, TransportErrorCode, VarInt};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// A node that is turned away for what it is pauses so many times as long before it dials again.
const TURNED_AWAY_PAUSES: u32 = 30;
/// Codes of connections that are closed for that.
const TURNING_AWAY: [u32; 3] = [STRANGER_CODE, CUT_CODE, REVOKED_CODE];
/// Alerts of TLS that say so in the handshake (RFC 8446, section 6.2): `certificate_revoked`,
/// `unknown_ca` and `access_denied`.
const TURNING_AWAY_ALERTS: [u8; 3] = [44, 48, 49];

pub(crate) struct Dialler {
    pub(crate) porch: Arc<Porch>,
    pub(crate) endpoint: Endpoint,
    /// What is shown and believed, as the papers are now.
    pub(crate) crypto: watch::Receiver<Crypto>,
    /// Whether the peer said so at the last attempt. Who answers is the judge of it: this node's
    /// own clock may be wrong.
    pub(crate) late_next: AtomicBool,
    pub(crate) peer: PeerAddress,
    /// Where this node listens, and so sends from.
    pub(crate) listen: SocketAddr,
    /// Which of the peer's addresses is dialled.
    pub(crate) turns: Mutex<Turns>,
    /// Pause between two attempts, before jitter.
    pub(crate) redial: Duration,
}

impl Dialler {
    /// Dials until stopped, with jitter and with pauses that do not grow: the link is up for
    /// minutes, and nobody is there to press a button. Returns why it ended.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) -> String {
        let mut papers = self.crypto.clone();
        loop {
            let mut turned_away = false;
            let (node, link) = (self.peer.node, self.peer.link_name());
            if !self.porch.need_not_dial(&node, link) {
                tokio::select! {
                    away = self.reach() => turned_away = away,
                    _ = stopped.changed() => return "it was stopped".into(),
                }
            }

            // Nobody lets it in before somebody does something there, or here: a handshake every
            // moment would be paid for nothing.
            let redial = match turned_away {
                true => self.redial * TURNED_AWAY_PAUSES,
                false => self.redial,
            };
            let pause = next_pause(redial, rand::random());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                Ok(()) = papers.changed() => {}
                _ = stopped.changed() => return "it was stopped".into(),
            }
        }
    }

    /// Dials once, and serves the connection until it ends. Whether the peer turned this node away
    /// for what it is.
    async fn reach(&self) -> bool {
        let rate = LinkRate::provisioned(self.peer.rate_bits_s.unwrap_or(0));
        let why = match self.dial(&rate).await {
            Ok(connection) => {
                let ended = self.porch.serve(connection, Some(&self.peer), rate).await;

                let is_late = ended.as_ref().is_some_and(says_expired);
                self.late_next.store(is_late, Ordering::Relaxed);
                return ended.as_ref().is_some_and(turns_away);
            }
            Err(why) => why,
        };

        self.turns.lock().expect("no panic holds it").pass_on();
        self.note_failure(why);
        false
    }

    /// Notes why the peer was not reached: of its link, and of itself where no other link stands.
    fn note_failure(&self, why: String) {
        let (node, peer) = (&self.porch.node, self.peer.node);
        if let Some(link) = &self.peer.link {
            node.note_link(peer, link, |l| l.last_error.clone_from(&why));
        }
        if !self.porch.is_linked(&peer) {
            node.note_peer(peer, |p| p.last_error = why);
        }
    }

    /// All that the peer's addresses come to. One that is not found holds up no other.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        let (mut found, mut wrong) = (Vec::new(), Vec::new());
        for address in &self.peer.addresses {
            match tokio::time::timeout(ANSWER_MAX, tokio::net::lookup_host(address)).await {
                Ok(Ok(more)) => found.extend(more),
                Ok(Err(error)) => wrong.push(format!("{address}: {error}")),
                Err(_) => wrong.push(format!("{address}: its name is not found in time")),
            }
        }

        match found.is_empty() {
            true => Err(wrong.join("; ")),
            false => Ok(found),
        }
    }

    async fn dial(&self, rate: &LinkRate) -> Result<Connection, String> {
        let found = self.addresses().await?;
        let address = self
            .turns
            .lock()
            .expect("no panic holds it")
            .next(self.listen, &found)?;

        let is_late = self.late_next.load(Ordering::Relaxed);
        let crypto = self.crypto.borrow().clone();
        let mut config = ClientConfig::new(if is_late { crypto.late } else { crypto.client });

        config.transport_config(Arc::new(self.porch.transport(rate)));

        let name = server_name(&self.peer.node);
        let mut connecting = self
            .endpoint
            .connect_with(config, address, &name)
            .map_err(|e| e.to_string())?;

        // One that failed says why below.
        if tokio::time::timeout(ANSWER_MAX, connecting.handshake_data())
            .await
            .is_err()
        {
            return Err(format!("no answer within {} s", ANSWER_MAX.as_secs()));
        }
        let shaken = tokio::time::timeout(HANDSHAKE_MAX, connecting)
            .await
            .map_err(|_| format!("no handshake within {} s", HANDSHAKE_MAX.as_secs()))?;

        shaken.map_err(|error| {
            // A peer that does not let it in as late may do so as ever, when its clock is right
            // again.
            self.late_next
                .store(says_expired(&error), Ordering::Relaxed);
            format!("{address}: {error}")
        })
    }
}

/// Whether the peer closed a connection because this node's certificate has expired.
fn says_expired(error: &ConnectionError) -> bool {
    let expired = VarInt::from_u32(EXPIRED_CODE);
    matches!(error, ConnectionError::ApplicationClosed(close) if close.error_code == expired)
}

/// Whether the peer closed a connection because this node was cut, its certificate was revoked, or
/// it is no member.
fn turns_away(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::ApplicationClosed(close) => TURNING_AWAY
            .map(VarInt::from_u32)
            .contains(&close.error_code),
        ConnectionError::ConnectionClosed(close) => TURNING_AWAY_ALERTS
            .map(TransportErrorCode::crypto)
            .contains(&close.error_code),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quinn::{ApplicationClose, ConnectionClose};

    fn closed(code: u32) -> ConnectionError {
        ConnectionError::ApplicationClosed(ApplicationClose {
            error_code: VarInt::from_u32(code),
            reason: "".into(),
        })
    }

    fn alert(code: u8) -> ConnectionError {
        ConnectionError::ConnectionClosed(ConnectionClose {
            error_code: TransportErrorCode::crypto(code),
            frame_type: None,
            reason: "".into(),
        })
    }

    #[test]
    fn whoever_was_cut_or_revoked_dials_seldom_and_whoever_lost_the_link_at_once() {
        for away in [closed(CUT_CODE), closed(REVOKED_CODE), alert(44)] {
            assert!(turns_away(&away), "{away}");
        }

        // The link went, the hub was started again, or the certificate ended: it is dialled anew,
        // as one that is late where it has to be.
        let certificate_expired = 45;
        for back in [
            closed(0),
            closed(1),
            closed(EXPIRED_CODE),
            alert(certificate_expired),
            ConnectionError::TimedOut,
            ConnectionError::Reset,
        ] {
            assert!(!turns_away(&back), "{back}");
        }
    }
}
