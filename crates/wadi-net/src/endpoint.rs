//! The porch as its owner sees it: it listens, dials the peers, and tells when a task of it ends.

use crate::{
    callers::{bound_incoming, take_callers},
    dialler::Dialler,
    identity::Identity,
    late::LATE_ALPN,
    link_rate::LinkRate,
    porch::Porch,
};
use quinn::{
    Endpoint, VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};
use wadi_log::NodeId;
use wadi_node::{KnownTime, Node};
use wadi_sync::LinkSpec;

/// An error of the porch.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    /// Certificates or keys do not serve.
    #[error("{0}")]
    Identity(String),
    /// The socket could not be opened.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
}

impl NetError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(_) => "bad_identity",
            Self::Listen { .. } => "cannot_listen",
        }
    }
}

/// A peer to be dialled, over its link or over one of several.
#[derive(Clone, Debug)]
pub struct PeerAddress {
    /// The node.
    pub node: NodeId,
    /// Where it listens: `host:port`, each in its turn.
    pub addresses: Vec<String>,
    /// Which of several links it is; none where there is one.
    pub link: Option<LinkSpec>,
    /// The link's provisioned rate, bits a second.
    pub rate_bits_s: Option<u64>,
    /// Bytes that may go over the link in a month, both ways; none where nobody counts.
    pub month_bytes_max: Option<u64>,
}

impl PeerAddress {
    /// The link's name; empty where there is one.
    pub(crate) fn link_name(&self) -> &str {
        self.link.as_ref().map_or("", |link| &link.name)
    }

    /// What it is called in logs.
    fn text(&self) -> String {
        match self.link_name() {
            "" => self.node.to_string(),
            name => format!("{} over {name}", self.node),
        }
    }
}

/// Settings of the porch.
#[derive(Clone)]
pub struct NetworkConfig {
    /// The UDP address to listen on.
    pub listen: SocketAddr,
    /// Papers.
    pub identity: Identity,
    /// Peers to dial.
    pub peers: Vec<PeerAddress>,
    /// Pause between two attempts to reach a peer, before jitter. At most 30 s: a desert link is up
    /// for minutes.
    pub redial: Duration,
    /// A connection that hears nothing for so long is given up.
    pub idle: Duration,
    /// Whether the commission owns the links: the controller that follows delay, not Cubic.
    pub own_links: bool,
}

/// The running porch.
pub struct Network {
    endpoint: Endpoint,
    /// What is renewed with the papers.
    papers: Option<(Arc<Porch>, watch::Sender<Crypto>)>,
    stop: watch::Sender<bool>,
    /// Why a task ended that nobody stopped.
    failed: watch::Sender<Option<String>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Network {
    /// Listens, dials the peers, and runs a link for every connection until stopped.
    pub async fn start(node: Arc<Node>, config: NetworkConfig) -> Result<Self, NetError> {
        let crypto = Crypto::of(&config.identity, node.time().clone())?;
        let mut server = quinn::ServerConfig::with_crypto(crypto.server.clone());
        bound_incoming(&mut server);
        let crypto = watch::channel(crypto).0;

        let porch = Arc::new(Porch::new(node, &config));
        server.transport_config(Arc::new(porch.transport(&LinkRate::default())));
        let endpoint =
            Endpoint::server(server.clone(), config.listen).map_err(|e| NetError::Listen {
                address: config.listen,
                why: e.to_string(),
            })?;

        let network = Self {
            endpoint: endpoint.clone(),
            papers: Some((porch.clone(), crypto.clone())),
            stop: watch::channel(false).0,
            failed: watch::channel(None).0,
            tasks: Mutex::default(),
        };

        let callers = take_callers(
            porch.clone(),
            endpoint.clone(),
            (server, crypto.subscribe()),
            network.stop.subscribe(),
        );

        network.keep_task("the task that takes callers".into(), callers);

        for peer in config.peers.clone() {
            match &peer.link {
                None => porch.node.note_peer(peer.node, |p| {
                    p.rate_bits_s = peer.rate_bits_s;
                    p.month_bytes_max = peer.month_bytes_max;
                }),
                Some(link) => porch.node.note_link(peer.node, link, |l| {
                    l.rate_bits_s = peer.rate_bits_s;
                    l.month_bytes_max = peer.month_bytes_max;
                }),
            }

            let name = format!("the task that dials {}", peer.text());
            let dialler = Dialler {
                porch: porch.clone(),
                endpoint: endpoint.clone(),
                crypto: crypto.subscribe(),
                late_next: AtomicBool::new(false),
                peer,
                listen: config.listen,
                turns: Mutex::default(),
                redial: config.redial,
            };

            network.keep_task(name, dialler.run(network.stop.subscribe()));
        }
        porch.node.tell_metered_links();

        Ok(network)
    }

    /// Runs a task that has to run as long as the porch, and tells when it does not.
    fn keep_task(&self, name: String, task: impl Future<Output = String> + Send + 'static) {
        let (failed, stopped) = (self.failed.clone(), self.stop.subscribe());
        let watched = async move {
            let why = match tokio::spawn(task).await {
                Ok(why) => why,
                Err(error) => error.to_string(),
            };
            if !*stopped.borrow() {
                tracing::error!(why, "{name} ended");
                failed.send_replace(Some(format!("{name} ended: {why}")));
            }
        };

        self.tasks
            .lock()
            .expect("no panic holds it")
            .push(tokio::spawn(watched));
    }

    /// Resolves when a task of the porch (taking callers, dialling a peer) ends although nobody
    /// stopped it; the text says which and why. It never resolves while all run, nor after an
    /// orderly stop.
    pub fn failed(&self) -> impl Future<Output = String> + Send + 'static + use<> {
        let mut failed = self.failed.subscribe();
        async move {
            let why = failed
                .wait_for(Option::is_some)
                .await
                .ok()
                .and_then(|why| why.clone());

            match why {
                Some(why) => why,
                None => std::future::pending().await,
            }
        }
    }

    /// Goes on with renewed papers: connections from now on show this certificate and are judged by
    /// these revocation lists. Those that stand with a certificate that was revoked are closed, and
    /// so are those that this node dialled with one that had expired, to be dialled as ever.
    ///
    /// # Errors
    ///
    /// [`NetError::Identity`] where the papers do not serve; everything stays as it was then.
    pub async fn renew(&self, identity: &Identity) -> Result<(), NetError> {
        let Some((porch, crypto)) = &self.papers else {
            return Ok(());
        };
        let renewed = Crypto::of(identity, porch.node.time().clone())?;
        let revoked = identity.revoked()?;

        crypto.send_replace(renewed);
        porch.close_late();
        porch.close_revoked(&revoked).await;
        Ok(())
    }

    /// The address listened on.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.endpoint.local_addr().ok()
    }

    /// Closes all connections and returns when they are gone.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        self.endpoint.close(VarInt::from_u32(0), b"stopping");
        let tasks: Vec<_> = std::mem::take(&mut *self.tasks.lock().expect("no panic holds it"));
        for task in tasks {
            let _ = task.await;
        }

        let _ = tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}

/// What TLS of QUIC needs.
#[derive(Clone)]
pub(crate) struct Crypto {
    pub(crate) server: Arc<QuicServerConfig>,
    pub(crate) client: Arc<QuicClientConfig>,
    /// For dialling with a certificate that has expired.
    pub(crate) late: Arc<QuicClientConfig>,
}

impl Crypto {
    fn of(identity: &Identity, time: Arc<KnownTime>) -> Result<Self, NetError> {
        let bad =
            |e: quinn::crypto::rustls::NoInitialCipherSuite| NetError::Identity(e.to_string());
        let (server, client) = identity.configs(time)?;
        let mut late = client.clone();

        late.alpn_protocols = vec![LATE_ALPN.to_vec()];
        Ok(Self {
            server: Arc::new(QuicServerConfig::try_from(server).map_err(bad)?),
            client: Arc::new(QuicClientConfig::try_from(client).map_err(bad)?),
            late: Arc::new(QuicClientConfig::try_from(late).map_err(bad)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle_network() -> Network {
        Network {
            endpoint: Endpoint::client("127.0.0.1:0".parse().expect("an address"))
                .expect("a socket"),
            papers: None,
            stop: watch::channel(false).0,
            failed: watch::channel(None).0,
            tasks: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_told_and_one_that_panics_is_too() {
        let network = idle_network();
        network.keep_task("the task that takes callers".into(), async {
            "the endpoint takes no more callers".into()
        });

        let told = network.failed().await;
        assert_eq!(
            told,
            "the task that takes callers ended: the endpoint takes no more callers"
        );

        let network = idle_network();
        network.keep_task("the task that dials".into(), async { panic!("a bug") });
        assert!(network.failed().await.contains("panicked"));
    }

    #[tokio::test]
    async fn an_orderly_stop_is_no_failure() {
        let network = idle_network();
        let mut stopped = network.stop.subscribe();
        let task = async move {
            let _ = stopped.changed().await;
            "it was stopped".into()
        };

        network.keep_task("the task that takes callers".into(), task);
        let failed = network.failed();
        network.stop().await;
        assert!(
            tokio::time::timeout(Duration::from_millis(100), failed)
                .await
                .is_err()
        );
    }
}
