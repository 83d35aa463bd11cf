//! Who is at the other end: certificates of the commission's CA, and the node that each names.

use crate::{
    NetError,
    late::{LATE_ALPN, LateClients, LateServers, begins_s, ends_s},
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, client::Resumption, server::WebPkiClientVerifier,
    time_provider::TimeProvider,
};
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use wadi_log::NodeId;
use wadi_node::KnownTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer, GeneralName, X509Certificate};

/// The protocol's name in TLS.
pub(crate) const ALPN: &[u8] = b"wadi/1";
/// What certificates append to a node's id to make a DNS name of it.
const NAME_SUFFIX: &str = ".node.wadi";

/// A node's papers for TLS, in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The commission's CA certificate.
    pub ca_pem: String,
    /// This node's certificate.
    pub certificate_pem: String,
    /// Its private key.
    pub key_pem: String,
    /// Revocation lists of the CA.
    pub crls_pem: Vec<String>,
}

/// The time by which certificates are judged: neither this machine's clock nor a hub's alone makes
/// them expire.
#[derive(Debug)]
struct PapersTime(Arc<KnownTime>);

impl TimeProvider for PapersTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(
            self.0.expiry_s().unsigned_abs(),
        )))
    }
}

/// A certificate's SubjectPublicKeyInfo, DER.
fn public_key_of(certificate: &[u8]) -> Result<Vec<u8>, NetError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|e| NetError::Identity(e.to_string()))?;
    Ok(parsed.public_key().raw.to_vec())
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo, as enrolments name TLS keys.
pub fn spki_hash(certificate: &[u8]) -> Result<[u8; 32], NetError> {
    Ok(Sha256::digest(public_key_of(certificate)?).into())
}

/// The SubjectPublicKeyInfo of the first certificate of a PEM text, DER: the key that another
/// certificate can be made for, wherever its secret lies.
pub fn public_key_of_pem(pem: &str) -> Result<Vec<u8>, NetError> {
    public_key_of(&certificate_of_pem(pem)?)
}

/// The node that a certificate names, and the hash of its key.
pub fn peer_of(certificate: &[u8]) -> Result<(NodeId, [u8; 32]), NetError> {
    let bad = |why: String| NetError::Identity(why);
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|e| bad(e.to_string()))?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|e| bad(e.to_string()))?;
    let names = names.iter().flat_map(|n| &n.value.general_names);
    let node = names
        .filter_map(|n| {
            if let GeneralName::DNSName(name) = n {
                name.strip_suffix(NAME_SUFFIX)
            } else {
                None
            }
        })
        .find_map(|hex| hex.parse::<NodeId>().ok())
        .ok_or_else(|| bad("the certificate names no node".into()))?;

    Ok((node, Sha256::digest(parsed.public_key().raw).into()))
}

/// The same of the first certificate of a PEM text.
pub fn peer_of_pem(pem: &str) -> Result<(NodeId, [u8; 32]), NetError> {
    peer_of(&certificate_of_pem(pem)?)
}

fn certificate_of_pem(pem: &str) -> Result<CertificateDer<'static>, NetError> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|e| NetError::Identity(format!("the node's certificate does not read: {e}")))
}

/// Serial numbers of certificates that the commission's CA has revoked, big endian.
#[derive(Default)]
pub(crate) struct RevokedSerials(BTreeSet<Vec<u8>>);

impl RevokedSerials {
    /// Whether the list names this certificate.
    pub(crate) fn names(&self, certificate: &[u8]) -> bool {
        X509Certificate::from_der(certificate)
            .is_ok_and(|(_, parsed)| self.0.contains(parsed.raw_serial()))
    }
}

/// The DNS name under which a node's certificate is checked.
pub(crate) fn server_name(node: &NodeId) -> String {
    format!("{node}{NAME_SUFFIX}")
}

type Configs = (ServerConfig, ClientConfig);

impl Identity {
    /// When this node's own certificate ends, Unix seconds.
    pub fn ends_s(&self) -> Option<i64> {
        ends_s(&CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).ok()?)
    }

    /// When this node's own certificate begins, Unix seconds.
    pub fn begins_s(&self) -> Option<i64> {
        begins_s(&CertificateDer::from_pem_slice(self.certificate_pem.as_bytes()).ok()?)
    }

    /// Whether the revocation lists read; what is wrong with them, where they do not.
    pub fn check_revocation_lists(&self) -> Result<(), NetError> {
        self.revoked().map(drop)
    }

    /// How many certificates that other papers of this node revoked these do not: their list is
    /// older than what is known already.
    pub fn revokes_fewer_than(&self, known: &Self) -> Result<usize, NetError> {
        let revoked = self.revoked()?.0;
        Ok(known.revoked()?.0.difference(&revoked).count())
    }

    /// What the revocation lists name. They are checked where handshakes use them.
    pub(crate) fn revoked(&self) -> Result<RevokedSerials, NetError> {
        let bad = |why: String| NetError::Identity(format!("a revocation list: {why}"));
        let mut revoked = RevokedSerials::default();
        for list in self.revocation_lists()? {
            let (_, parsed) =
                CertificateRevocationList::from_der(&list).map_err(|e| bad(e.to_string()))?;
            let serials = parsed.iter_revoked_certificates();
            revoked
                .0
                .extend(serials.map(|one| one.raw_serial().to_vec()));
        }

        Ok(revoked)
    }

    fn revocation_lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, NetError> {
        let lists = self.crls_pem.iter();
        lists
            .map(|p| CertificateRevocationListDer::from_pem_slice(p.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|e| NetError::Identity(format!("a revocation list does not read: {e}")))
    }

    /// TLS 1.3 on both sides, certificates on both sides, no resumption, no early data.
    pub(crate) fn configs(&self, time: Arc<KnownTime>) -> Result<Configs, NetError> {
        self.configs_by(Arc::new(PapersTime(time)))
    }

    fn configs_by(&self, clock: Arc<dyn TimeProvider>) -> Result<Configs, NetError> {
        let bad = |what: &str, why: String| NetError::Identity(format!("{what}: {why}"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let ca = CertificateDer::from_pem_slice(self.ca_pem.as_bytes())
            .map_err(|e| bad("the CA's certificate does not read", e.to_string()))?;
        let mut roots = RootCertStore::empty();

        roots
            .add(ca)
            .map_err(|e| bad("the CA's certificate is not usable", e.to_string()))?;

        let roots = Arc::new(roots);
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|e| bad("the node's certificate does not read", e.to_string()))?;

        if chain.is_empty() {
            return Err(bad(
                "the node's certificate does not read",
                "no CERTIFICATE block in it".into(),
            ));
        }

        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())
            .map_err(|e| bad("the node's TLS key does not read", e.to_string()))?;
        let crls = self.revocation_lists()?;

        // An expired list is used all the same: enforcing its expiry would strand sites that nobody
        // can reach.
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        let mut servers =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots, provider.clone());

        if !crls.is_empty() {
            verifier = verifier
                .with_crls(crls.clone())
                .allow_unknown_revocation_status();
            servers = servers.with_crls(crls).allow_unknown_revocation_status();
        }

        let verifier = verifier.build().map_err(|e| bad("the CA", e.to_string()))?;
        let servers = servers.build().map_err(|e| bad("the CA", e.to_string()))?;
        let tls = |e: rustls::Error| bad("the node's certificate and key", e.to_string());
        let mut server = ServerConfig::builder_with_details(provider.clone(), clock.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(tls)?
            .with_client_cert_verifier(Arc::new(LateClients(verifier)))
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(tls)?;

        server.alpn_protocols = vec![ALPN.to_vec(), LATE_ALPN.to_vec()];
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_details(provider, clock)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(LateServers(servers)))
            .with_client_auth_cert(chain, key)
            .map_err(tls)?;

        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        Ok((server, client))
    }
}

/// The serial number of the first certificate of a PEM text, big endian.
pub fn serial_of(pem: &str) -> Option<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&certificate).ok()?;
    Some(parsed.raw_serial().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::time_provider::DefaultTimeProvider;

    #[test]
    fn links_resume_nothing_and_send_nothing_early() {
        let signed = rcgen::generate_simple_self_signed(vec!["hub.node.wadi".into()]).unwrap();
        let papers = Identity {
            ca_pem: signed.cert.pem(),
            certificate_pem: signed.cert.pem(),
            key_pem: signed.signing_key.serialize_pem(),
            crls_pem: vec![],
        };

        let (server, client) = papers.configs_by(Arc::new(DefaultTimeProvider)).unwrap();
        let handed_out = (server.send_tls13_tickets, server.max_early_data_size);
        assert_eq!(handed_out, (0, 0));
        assert!(!client.enable_early_data);
    }
}
