//! Dials one peer, again and again.

use crate::{
    addresses::Turns,
    endpoint::{Crypto, PeerAddress},
    identity::server_name,
    link_rate::LinkRate,
    liveness::{ANSWER_MAX, HANDSHAKE_MAX, next_pause},
    porch::{EXPIRED_CODE, Porch},
};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, VarInt};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

pub(crate) struct Dialler {
    pub(crate) porch: Arc<Porch>,
    pub(crate) endpoint: Endpoint,
    /// By the papers as they are now.
    pub(crate) crypto: watch::Receiver<Arc<Crypto>>,
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
        loop {
            if !self.porch.is_connected(&self.peer.node) {
                tokio::select! {
                    () = self.reach() => {}
                    _ = stopped.changed() => return "it was stopped".into(),
                }
            }

            let pause = next_pause(self.redial, rand::random());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.changed() => return "it was stopped".into(),
            }
        }
    }

    /// Dials once, and serves the connection until it ends.
    async fn reach(&self) {
        let rate = LinkRate::provisioned(self.peer.rate_bits_s.unwrap_or(0));
        let why = match self.dial(&rate).await {
            Ok(connection) => {
                let ended = self
                    .porch
                    .serve(connection, Some(self.peer.node), rate)
                    .await;

                self.late_next.store(
                    ended.is_some_and(|error| says_expired(&error)),
                    Ordering::Relaxed,
                );
                return;
            }
            Err(why) => why,
        };

        self.turns.lock().expect("no panic holds it").pass_on();
        self.porch
            .node
            .note_peer(self.peer.node, |p| p.last_error = why);
    }

    async fn dial(&self, rate: &LinkRate) -> Result<Connection, String> {
        let found = tokio::time::timeout(ANSWER_MAX, tokio::net::lookup_host(&self.peer.address));
        let found: Vec<SocketAddr> = found
            .await
            .map_err(|_| format!("{}: its name is not found in time", self.peer.address))?
            .map_err(|e| e.to_string())?
            .collect();
        let address = self
            .turns
            .lock()
            .expect("no panic holds it")
            .next(self.listen, &found)?;

        let is_late = self.late_next.load(Ordering::Relaxed);
        let mut config = {
            let crypto = self.crypto.borrow();
            ClientConfig::new(match is_late {
                true => crypto.late.clone(),
                false => crypto.client.clone(),
            })
        };

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
