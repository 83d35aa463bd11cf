//! What `wadi node check` looks at beside configuration and database: whether the papers fit
//! together and are this node's alone, and whether the addresses can be listened on.

use crate::{
    config::{Config, PeerConfig, PeerDial},
    failure::Failure,
    pki::{Papers, exposed_secrets},
};
use rcgen::{KeyPair, PublicKeyData};
use rustls::{
    CertificateError, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket},
    path::Path,
    sync::Arc,
};
use wadi_net::unreachable_from;

/// Everything that is wrong, told at once: nobody wants to mend one thing to hear of the next.
pub fn papers_and_addresses(config: &Config, papers: &Papers) -> Result<(), Failure> {
    let mut wrong = secrets(&config.papers);
    wrong.extend(keys(config, papers));
    wrong.extend(certificate(config, papers).err());
    wrong.extend(peers(config));
    if !runs(config) {
        wrong.extend(addresses(config));
    }

    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        [first, ..] => {
            let all: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            Err(Failure {
                why: format!("{} things are wrong: {}", all.len(), all.join("; ")),
                ..first.clone()
            })
        }
    }
}

/// Keys that others than the node's user may read.
fn secrets(dir: &Path) -> Vec<Failure> {
    let told = |(path, mode): (std::path::PathBuf, u32)| {
        let path = path.display();
        let why = format!(
            "others can read {path} (mode {mode:o}), and speak for this node: chmod 600 {path}"
        );
        Failure::usage("exposed_key", why)
    };

    exposed_secrets(dir).into_iter().map(told).collect()
}

/// Keys that are not those under which the node is enrolled.
fn keys(config: &Config, papers: &Papers) -> Vec<Failure> {
    let wrong = |name: &str, why: &str| {
        let why = format!(
            "{}: {why}; copy the papers of this node whole, or, where the keys were made here, \
             accept its answer again",
            config.papers.join(name).display()
        );
        Failure::usage("wrong_key", why)
    };

    let mut out = Vec::new();
    if papers.log_key.public() != papers.enrolment.log_key {
        out.push(wrong(
            "log.key",
            "it is not the key under which this node is enrolled",
        ));
    }

    match KeyPair::from_pem(&papers.identity.key_pem) {
        Ok(key)
            if Sha256::digest(key.subject_public_key_info())[..] == papers.enrolment.tls_key => {}
        Ok(_) => out.push(wrong(
            "tls.key",
            "it is not the key under which this node is enrolled",
        )),
        Err(error) => out.push(wrong("tls.key", &error.to_string())),
    }

    out
}

/// A certificate that is not this node's, or not of this commission. That it has expired is no
/// error: such a node hands in.
fn certificate(config: &Config, papers: &Papers) -> Result<(), Failure> {
    let named = |name: &str| config.papers.join(name).display().to_string();
    let wrong = |name: &str, why: String| {
        let why = format!(
            "{}: {why}; `wadi pki renew` makes another one for this node's key",
            named(name)
        );
        Failure::usage("wrong_certificate", why)
    };

    let read = |name: &str, pem: &str| {
        CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|e| wrong(name, format!("no certificate in it: {e}")))
    };
    let own = read("tls.pem", &papers.identity.certificate_pem)?;
    let ca = read("ca.pem", &papers.identity.ca_pem)?;

    if wadi_net::spki_hash(&own)? != papers.enrolment.tls_key {
        return Err(wrong(
            "tls.pem",
            "it is not for the key under which this node is enrolled".into(),
        ));
    }

    let mut roots = RootCertStore::empty();
    roots.add(ca).map_err(|e| wrong("ca.pem", e.to_string()))?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
            .build();
    let verifier = verifier.map_err(|e| wrong("ca.pem", e.to_string()))?;
    let name = format!("{}.node.wadi", papers.enrolment.node());
    let name = ServerName::try_from(name).map_err(|e| wrong("tls.pem", e.to_string()))?;

    match verifier.verify_server_cert(&own, &[], &name, &[], UnixTime::now()) {
        Ok(_) => Ok(()),
        // What has expired, or is not valid yet by a clock that fell back, is told as an alarm.
        Err(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => Ok(()),
        Err(error) => Err(wrong(
            "tls.pem",
            format!("it is not this node's, or not of the CA in ca.pem: {error}"),
        )),
    }
}

/// Whether this node runs: then its addresses are in use, by itself.
fn runs(config: &Config) -> bool {
    File::open(config.data.join("lock")).is_ok_and(|lock| lock.try_lock().is_err())
}

/// Peers whose addresses are of a family that this node's socket does not send to. A name that does
/// not resolve at the moment may do so later: the link may be down.
fn peers(config: &Config) -> Vec<Failure> {
    let of = |peer: &PeerConfig, dial: PeerDial| {
        let addresses = dial.addresses.iter();
        let found: Vec<SocketAddr> = addresses
            .filter_map(|address| address.to_socket_addrs().ok())
            .flatten()
            .collect();
        if found.is_empty() {
            return None;
        }

        let why = unreachable_from(config.listen, &found)?;
        let over = dial
            .link
            .map_or_else(String::new, |link| format!(" over {}", link.name));
        let at = dial.addresses.join(", ");
        let why = format!("peer {}{over}, {at}: {why}", peer.name);
        Some(Failure::usage("cannot_reach", why))
    };

    let mut wrong = Vec::new();
    for peer in &config.peer {
        let dials = peer.dials().unwrap_or_default();
        wrong.extend(dials.into_iter().filter_map(|dial| of(peer, dial)));
    }
    wrong
}

/// Addresses that cannot be listened on.
fn addresses(config: &Config) -> Vec<Failure> {
    let told = |key: &str, address: String, error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another process listens there already: stop it, or take another port"
            }
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 are not for this user",
            _ => "it cannot be listened on",
        };

        Failure::usage(
            "cannot_listen",
            format!("{key} = {address}: {why} ({error})"),
        )
    };

    let http = TcpListener::bind(config.http)
        .err()
        .map(|e| told("http", config.http.to_string(), e));
    let listen = UdpSocket::bind(config.listen)
        .err()
        .map(|e| told("listen", config.listen.to_string(), e));

    http.into_iter().chain(listen).collect()
}
