//! Certificates that expired during an outage: their nodes may still hand in what they hold, on a protocol name of their own,
//! and take nothing but acknowledgements until they are renewed.

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::{sync::Arc, time::Duration};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The protocol's name for those who are late.
pub(crate) const LATE_ALPN: &[u8] = b"wadi-late/1";
/// A certificate that expired longer ago than a year and a month is let in no more.
const LATE_S_MAX: u64 = 396 * 86_400;

/// When a certificate ends, Unix seconds.
pub fn ends_s(certificate: &[u8]) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

/// Verifies clients' certificates as another verifier does, and takes one that has expired for what it was on its last day. Its
/// signature, its authority and the revocation list hold as ever.
#[derive(Debug)]
pub(crate) struct LateClients(pub(crate) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for LateClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        let expired =
            |e: &CertificateError| matches!(e, CertificateError::Expired | CertificateError::ExpiredContext { .. });
        match &verified {
            Err(Error::InvalidCertificate(error)) if expired(error) => {}
            _ => return verified,
        }
        let Some(ended) = ends_s(end_entity).and_then(|s| u64::try_from(s).ok()) else { return verified };
        if now.as_secs().saturating_sub(ended) > LATE_S_MAX {
            return verified;
        }
        let last_day = UnixTime::since_unix_epoch(Duration::from_secs(ended.saturating_sub(1)));
        self.0.verify_client_cert(end_entity, intermediates, last_day)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
