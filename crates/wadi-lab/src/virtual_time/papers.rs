//! Papers for the virtual world: a CA of its own, TLS 1.3 with certificates on both sides, Ed25519
//! throughout, so that a handshake has the same number of bytes each time.

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SerialNumber};
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The name that is dialled.
pub(crate) const HUB_NAME: &str = "hub";

/// What both ends need for TLS.
pub(crate) fn papers(
    provider: CryptoProvider,
) -> Result<(rustls::ServerConfig, rustls::ClientConfig), Box<dyn std::error::Error>> {
    let ca_key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = CertificateParams::new(vec![])?;
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.serial_number = Some(SerialNumber::from(1));

    let ca = params.self_signed(&ca_key)?;
    let issuer = rcgen::Issuer::new(params, ca_key);
    let papers = |name: &str, serial: u64| -> Result<_, rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let mut params = CertificateParams::new(vec![name.into()])?;
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        Ok((chain, key))
    };

    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone())?;
    let roots = Arc::new(roots);
    let provider = Arc::new(provider);
    let tls13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

    let (chain, key) = papers(HUB_NAME, 2)?;
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        roots.clone(),
        provider.clone(),
    );
    let mut server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(tls13)?
        .with_client_cert_verifier(verifier.build()?)
        .with_single_cert(chain, key)?;
    // As nodes have it: no session is resumed.
    server.send_tls13_tickets = 0;

    let (chain, key) = papers("site", 3)?;
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(tls13)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;

    Ok((server, client))
}
