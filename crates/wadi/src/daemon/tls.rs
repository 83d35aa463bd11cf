//! HTTP under TLS: with the node's own certificate for programs that trust the commission's
//! authority, and with another one for browsers, which take no certificate of an Ed25519 key.

use crate::{config::Config, failure::Failure};
use rustls::{
    SignatureScheme,
    client::verify_server_name,
    crypto::{CryptoProvider, ring::default_provider},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{path::Path, sync::Arc};
use tokio_rustls::TlsAcceptor;

/// Which certificate a caller is shown.
#[derive(Debug)]
struct CertificateByCaller {
    /// The node's, of an Ed25519 key.
    own: Arc<CertifiedKey>,
    /// One of a key that browsers know.
    for_browsers: Option<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for CertificateByCaller {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let knows_own = hello
            .signature_schemes()
            .contains(&SignatureScheme::ED25519);
        match &self.for_browsers {
            Some(other) if !knows_own => Some(other.clone()),
            _ => Some(self.own.clone()),
        }
    }
}

/// What makes TLS of accepted connections.
///
/// # Errors
///
/// `bad_identity` where the papers' certificate does not read, `bad_certificate` where that for
/// browsers does not, or is not its key's.
pub fn acceptor(identity: &wadi_net::Identity, config: &Config) -> Result<TlsAcceptor, Failure> {
    let bad = |why: String| Failure::new("bad_identity", why);
    let provider = Arc::new(default_provider());
    let own = certified(
        identity.certificate_pem.as_bytes(),
        identity.key_pem.as_bytes(),
        &provider,
    );

    let resolver = CertificateByCaller {
        own: Arc::new(own.map_err(bad)?),
        for_browsers: for_browsers(config, &provider)?.map(Arc::new),
    };
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(e.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));

    Ok(TlsAcceptor::from(Arc::new(tls)))
}

/// Whether the certificate for browsers reads, where there is one.
pub(super) fn check_for_browsers(config: &Config) -> Result<(), Failure> {
    for_browsers(config, &default_provider()).map(drop)
}

/// What keeps browsers from showing the console where passkeys are offered; for `wadi node check`.
pub(super) fn passkey_doubts(config: &Config) -> Option<String> {
    let origins = config.passkeys()?;
    let speaks_tls = origins.origins().iter().any(|o| o.starts_with("https:"));
    if !speaks_tls || !config.http_proxies.is_empty() {
        return None;
    }

    let Some(path) = &config.http_certificate else {
        return Some(
            "http_passkeys: browsers take no certificate of an Ed25519 key, as the node's is: give \
             them another one in http_certificate, or put a proxy before http"
                .into(),
        );
    };
    let pem = std::fs::read(path).ok()?;
    let certificate = CertificateDer::from_pem_slice(&pem).ok()?;
    let name = ServerName::try_from(origins.host().to_string()).ok()?;
    let read = ParsedCertificate::try_from(&certificate).ok()?;
    match verify_server_name(&read, &name) {
        Ok(()) => None,
        Err(_) => Some(format!(
            "http_passkeys: the certificate in {} is not for {}: browsers show nothing there",
            path.display(),
            origins.host()
        )),
    }
}

fn for_browsers(
    config: &Config,
    provider: &CryptoProvider,
) -> Result<Option<CertifiedKey>, Failure> {
    let (Some(certificate), Some(key)) = (&config.http_certificate, &config.http_key) else {
        return Ok(None);
    };
    let bad = |path: &Path, why: String| {
        Failure::usage("bad_certificate", format!("{}: {why}", path.display()))
    };
    let read = |path: &Path| std::fs::read(path).map_err(|e| bad(path, e.to_string()));

    let made = certified(&read(certificate)?, &read(key)?, provider);
    made.map(Some).map_err(|why| bad(certificate, why))
}

/// A certificate with its chain, and its key, both PEM.
fn certified(
    certificate: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    if chain.is_empty() {
        return Err("it holds no certificate".into());
    }

    let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| format!("its key: {e}"))?;
    let made = CertifiedKey::from_der(chain, key, provider).map_err(|e| e.to_string())?;
    made.keys_match().map_err(|e| e.to_string())?;
    Ok(made)
}
