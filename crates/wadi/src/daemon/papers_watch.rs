//! Takes up papers that change while the node runs: a renewed certificate, a newer revocation list.
//! What does not serve is told, and the node goes on with what it has.

use super::{certificate_alarm, tls};
use crate::{config::Config, failure::Failure, pki::read_identity};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use wadi_log::Enrolment;
use wadi_net::{Identity, Network, peer_of_pem};
use wadi_node::Node;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The papers that are taken up without a new start. The keys are not: they may lie sealed, and
/// nobody is there to open them.
const FILES: [&str; 3] = ["ca.pem", "tls.pem", "crl.pem"];
/// The alarms' subjects.
const PAPERS_ALARM: &str = "papers";
const CERTIFICATE_ALARM: &str = "certificate";

/// Length and time of each file, none where there is none.
type Stamp = Vec<Option<(u64, Option<SystemTime>)>>;

/// What goes on with renewed papers.
pub(super) struct PapersWatch {
    pub(super) node: Arc<Node>,
    pub(super) network: Arc<Network>,
    /// What accepts HTTP under TLS, where it is.
    pub(super) tls: Option<watch::Sender<TlsAcceptor>>,
    pub(super) config: Config,
    pub(super) enrolment: Enrolment,
    /// What is shown and believed now.
    pub(super) identity: Identity,
}

impl PapersWatch {
    /// Watches until the future is dropped.
    pub(super) async fn run(mut self) {
        let mut taken_up = self.stamp();
        let mut seen = taken_up.clone();
        loop {
            let ends_s = self.identity.ends_s();
            self.node.set_own_certificate(ends_s.unwrap_or(0));
            let alarm = certificate_alarm(ends_s, self.node.time().expiry_s());
            self.node.set_alarm(CERTIFICATE_ALARM, alarm);
            tokio::time::sleep(LOOK).await;

            let now = self.stamp();
            // Whoever copies several files, or a long one, is let finish.
            let is_quiet = std::mem::replace(&mut seen, now.clone()) == now;
            if now == taken_up || !is_quiet {
                continue;
            }

            taken_up = now;
            self.look_again().await;
        }
    }

    async fn look_again(&mut self) {
        let alarm = match self.take_up().await {
            Ok(()) => None,
            Err(failure) => {
                tracing::error!(why = failure.why, "changed papers are not taken up");
                Some(format!(
                    "the papers changed and are not taken up, and the node goes on with those that \
                     it had: {}",
                    failure.why
                ))
            }
        };
        self.node.set_alarm(PAPERS_ALARM, alarm);
    }

    async fn take_up(&mut self) -> Result<(), Failure> {
        let key = self.identity.key_pem.clone();
        let identity = read_identity(&self.config.papers, key)?;
        self.check_own(&identity)?;
        if identity.crls_pem.is_empty() && !self.identity.crls_pem.is_empty() {
            let why = "crl.pem was there and is gone: whoever it revoked would be let in again; \
                       put the newest list back";
            return Err(Failure::new("bad_identity", why));
        }

        let missing = identity.revokes_fewer_than(&self.identity)?;
        if missing > 0 {
            let why = format!(
                "crl.pem is older than what is known: {missing} certificates that were revoked \
                 would be let in again; put the newest list back"
            );
            return Err(Failure::new("bad_identity", why));
        }

        let acceptor = match self.tls {
            Some(_) => Some(tls::acceptor(&identity, &self.config)?),
            None => None,
        };
        self.network.renew(&identity).await?;
        if let (Some(tls), Some(acceptor)) = (&self.tls, acceptor) {
            tls.send_replace(acceptor);
        }

        tracing::info!(ends_s = identity.ends_s(), "renewed papers are taken up");
        self.identity = identity;
        Ok(())
    }

    /// The certificate has to be this node's, of the key that its enrolment names: peers would take
    /// no other.
    fn check_own(&self, identity: &Identity) -> Result<(), Failure> {
        let (node, key) = peer_of_pem(&identity.certificate_pem)?;
        if node != self.enrolment.node() {
            let why = format!("tls.pem is the certificate of {node}, which is another node");
            return Err(Failure::new("bad_identity", why));
        }

        if key != self.enrolment.tls_key {
            let why = "tls.pem is of another key than the enrolment names that this node runs \
                       with: put the enrolment for it into the papers and start the node again";
            return Err(Failure::new("bad_identity", why));
        }

        Ok(())
    }

    fn stamp(&self) -> Stamp {
        let papers = FILES.iter().map(|name| self.config.papers.join(name));
        let browsers = [&self.config.http_certificate, &self.config.http_key];
        let files: Vec<PathBuf> = papers
            .chain(browsers.into_iter().flatten().cloned())
            .collect();

        let look = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.len(), meta.modified().ok()))
        };
        files.iter().map(look).collect()
    }
}
