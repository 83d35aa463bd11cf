//! Dials one peer, again and again.

use crate::{
    addresses::Turns,
    endpoint::PeerAddress,
    identity::server_name,
    link_rate::LinkRate,
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

/// How long one attempt may last. Within it QUIC sends its first packet twice, after 0 and 2.1 s; a
/// third would follow 4.2 s later, and each one more after twice as long: a new attempt finds a
/// link that is back sooner.
const ATTEMPT_MAX: Duration = Duration::from_secs(6);
/// How much longer the pause is after each attempt that failed, and how much at most.
const PAUSE_GROWTH: f64 = 1.1;
const PAUSE_GROWTH_MAX: f64 = 1.5;

pub(crate) struct Dialler {
    pub(crate) porch: Arc<Porch>,
    pub(crate) endpoint: Endpoint,
    pub(crate) client: ClientConfig,
    /// For dialling when this node's own certificate has expired.
    pub(crate) late: ClientConfig,
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
    /// Dials until stopped, with jitter and with pauses that hardly grow: the link is up for
    /// minutes, and nobody is there to press a button. Returns why it ended.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) -> String {
        let mut growth = 1.0;
        loop {
            if !self.porch.is_connected(&self.peer.node) {
                let reached = tokio::select! {
                    reached = self.reach() => reached,
                    _ = stopped.changed() => return "it was stopped".into(),
                };
                growth = if reached { 1.0 } else { next_growth(growth) };
            }

            let pause = self
                .redial
                .mul_f64(growth * (0.75 + 0.5 * rand::random::<f64>()));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopped.changed() => return "it was stopped".into(),
            }
        }
    }

    /// Dials once, and serves the connection until it ends. Whether there was one.
    async fn reach(&self) -> bool {
        let rate = LinkRate::provisioned(self.peer.rate_bits_s.unwrap_or(0));
        let attempt = tokio::time::timeout(ATTEMPT_MAX, self.dial(&rate)).await;
        let why = match attempt {
            Ok(Ok(connection)) => {
                let ended = self
                    .porch
                    .serve(connection, Some(self.peer.node), rate)
                    .await;

                self.late_next.store(
                    ended.is_some_and(|error| says_expired(&error)),
                    Ordering::Relaxed,
                );
                return true;
            }
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} s", ATTEMPT_MAX.as_secs()),
        };

        self.turns.lock().expect("no panic holds it").pass_on();
        self.porch
            .node
            .note_peer(self.peer.node, |p| p.last_error = why);

        false
    }

    async fn dial(&self, rate: &LinkRate) -> Result<Connection, String> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host(&self.peer.address)
            .await
            .map_err(|e| e.to_string())?
            .collect();
        let address = self
            .turns
            .lock()
            .expect("no panic holds it")
            .next(self.listen, &found)?;

        let is_late = self.late_next.load(Ordering::Relaxed);
        let mut config = if is_late {
            self.late.clone()
        } else {
            self.client.clone()
        };

        config.transport_config(Arc::new(self.porch.transport(rate)));

        let name = server_name(&self.peer.node);
        let connecting = self
            .endpoint
            .connect_with(config, address, &name)
            .map_err(|e| e.to_string())?;

        connecting.await.map_err(|error| {
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

fn next_growth(growth: f64) -> f64 {
    (growth * PAUSE_GROWTH).min(PAUSE_GROWTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_by_half_and_no_more_however_long_the_outage() {
        let after_an_outage = (0..10_000).fold(1.0, |growth, _| next_growth(growth));
        assert_eq!(after_an_outage, 1.5);
    }
}
