//! Certificates that expired during an outage: their nodes may still hand in what they hold, on a
//! protocol name of their own, and take nothing but acknowledgements until they are renewed.
//!
//! When a certificate ends is a matter of clocks, and clocks are claims: whoever answers judges
//! whether the caller is late. The handshake itself fails for no clock: a certificate counts as
//! what it was while it was valid. Its signature, its authority, its name and the revocation list
//! hold as ever, and the link holds its key to be the one that the enrolment names.

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::{sync::Arc, time::Duration};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The protocol's name for those who are late.
pub(crate) const LATE_ALPN: &[u8] = b"wadi-late/1";

/// When a certificate ends, Unix seconds.
pub fn ends_s(certificate: &[u8]) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

/// When a certificate begins, Unix seconds. Whoever signed it did so no earlier: no clock that
/// shows less is right.
pub fn begins_s(certificate: &[u8]) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_before.timestamp())
}

/// A moment at which a certificate was valid, where it was found that now it is not.
fn when_valid(found: &CertificateError, certificate: &[u8]) -> Option<UnixTime> {
    let at_s = match found {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ends_s(certificate)?.saturating_sub(1)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            begins_s(certificate)?
        }
        _ => return None,
    };

    Some(UnixTime::since_unix_epoch(Duration::from_secs(
        u64::try_from(at_s).ok()?,
    )))
}

/// Judges a certificate by now, and where only the time is wrong, by a time at which it was valid.
fn at_its_time<T>(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
    verify: impl Fn(UnixTime) -> Result<T, Error>,
) -> Result<T, Error> {
    let verified = verify(now);
    let Err(Error::InvalidCertificate(found)) = &verified else {
        return verified;
    };
    match when_valid(found, certificate) {
        Some(then) => verify(then),
        None => verified,
    }
}

/// Verifies clients' certificates as another verifier does, whatever the time.
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
        at_its_time(end_entity, now, |at| {
            self.0.verify_client_cert(end_entity, intermediates, at)
        })
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

/// The same of servers' certificates: a node whose clock is years ahead still finds its hub.
#[derive(Debug)]
pub(crate) struct LateServers(pub(crate) Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for LateServers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        at_its_time(end_entity, now, |at| {
            self.0
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at)
        })
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
