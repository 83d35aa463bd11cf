//! The opened CA: what makes, renews and revokes papers.

use super::{
    NODE_DAYS,
    papers::read_enrolment,
    sealed::{seal, unseal, write},
    unreadable,
};
use crate::failure::Failure;
use age::secrecy::SecretString;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, PublicKeyData, RevokedCertParams, SerialNumber, SubjectPublicKeyInfo,
};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wadi_log::{Crossing, Cut, Enrolment, LogKey, NodeId, Role, Scope, hex, unhex};
use wadi_store::private;

const DAY: Duration = Duration::from_secs(86_400);
/// Days that the CA's certificate is valid.
const CA_DAYS: u32 = 20 * 365;
/// Stands in the CA's directory from before its first file is written until after the last.
const UNFINISHED_FILE: &str = "init.unfinished";
/// In a node's papers at the CA: serial numbers of certificates that a new key replaced.
const REPLACED_FILE: &str = "replaced";
/// The same of certificates that were renewed for the same key.
const RENEWED_FILE: &str = "renewed";
/// The files of a CA.
const CA_FILES: [&str; 4] = ["root.key.age", "ca.key.age", "ca.pem", "root.pub"];

/// The opened CA.
pub struct Ca {
    pub(super) dir: PathBuf,
    pub(super) root: LogKey,
    pub(super) ca_pem: String,
    ca_key: KeyPair,
}

/// What a node is to be enrolled as.
pub(super) struct NewMember<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) crossing: Option<Crossing>,
    pub(super) scope: Scope,
    pub(super) hosts: &'a [String],
}

/// A certificate, in both its forms.
pub(super) struct MadeCertificate {
    pub(super) pem: String,
    der: Vec<u8>,
}

/// Opens a key of the CA.
fn open_key(path: &Path, passphrase: &SecretString) -> Result<String, Failure> {
    let armoured = std::fs::read_to_string(path).map_err(|e| {
        Failure::usage(
            "no_ca",
            format!(
                "{}: {e}; `wadi pki init` makes a CA, --dir names another",
                path.display()
            ),
        )
    })?;

    let wrong = "the passphrase does not open the CA's keys";
    unseal(path, &armoured, passphrase, wrong)
}

fn valid(params: &mut CertificateParams, days: u32) {
    // A day back: a site's clock may lie behind.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + DAY * days).into();
}

impl Ca {
    /// Whether a CA may be made in a directory: there is none, or the making of one was cut off,
    /// which nobody can have used.
    pub(super) fn check_absent(dir: &Path) -> Result<(), Failure> {
        let begun = dir.join(UNFINISHED_FILE).exists();
        match CA_FILES.iter().find(|name| dir.join(name).exists()) {
            Some(name) if !begun => {
                let why = format!(
                    "{} holds a CA already ({name}); it is not overwritten",
                    dir.display()
                );
                Err(Failure::usage("ca_exists", why))
            }
            _ => Ok(()),
        }
    }

    /// Makes a new CA. `work_factor` is for demonstrations; else it is fitted to this machine.
    pub fn init(
        dir: &Path,
        passphrase: &SecretString,
        work_factor: Option<u8>,
    ) -> Result<Self, Failure> {
        Self::check_absent(dir)?;
        private::create_dir_all(&dir.join("nodes")).map_err(|e| unreadable(dir, e))?;
        let seed: [u8; 32] = rand::random();
        let root = LogKey::from_seed(&seed);
        let rc = |e: rcgen::Error| Failure::new("certificate", e.to_string());
        let ca_key = KeyPair::generate_for(&PKCS_ED25519).map_err(rc)?;
        let mut params = CertificateParams::default();

        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "wadi commission CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid(&mut params, CA_DAYS);

        let ca_pem = params.self_signed(&ca_key).map_err(rc)?.pem();
        let root_sealed = seal(&hex(&seed), passphrase, work_factor)?;
        let ca_sealed = seal(&ca_key.serialize_pem(), passphrase, work_factor)?;

        write(
            &dir.join(UNFINISHED_FILE),
            "wadi pki init was cut off here; run it again\n",
        )?;
        write(&dir.join("root.key.age"), root_sealed)?;
        write(&dir.join("ca.key.age"), ca_sealed)?;
        write(&dir.join("ca.pem"), &ca_pem)?;
        write(&dir.join("root.pub"), hex(&root.public()) + "\n")?;
        std::fs::remove_file(dir.join(UNFINISHED_FILE)).map_err(|e| unreadable(dir, e))?;

        Ok(Self {
            dir: dir.into(),
            root,
            ca_pem,
            ca_key,
        })
    }

    /// Opens a CA.
    pub fn open(dir: &Path, passphrase: &SecretString) -> Result<Self, Failure> {
        if dir.join(UNFINISHED_FILE).exists() {
            let why = format!(
                "the CA in {} was not made to its end: run `wadi pki init` again",
                dir.display()
            );
            return Err(Failure::usage("init_unfinished", why));
        }

        let seed = open_key(&dir.join("root.key.age"), passphrase)?;
        let seed: [u8; 32] = unhex(seed.trim())
            .and_then(|s| s.try_into().ok())
            .ok_or_else(|| unreadable(&dir.join("root.key.age"), "it holds no key"))?;
        let ca_key = open_key(&dir.join("ca.key.age"), passphrase)?;
        let ca_key =
            KeyPair::from_pem(&ca_key).map_err(|e| unreadable(&dir.join("ca.key.age"), e))?;
        let ca_pem = std::fs::read_to_string(dir.join("ca.pem"))
            .map_err(|e| unreadable(&dir.join("ca.pem"), e))?;

        Ok(Self {
            dir: dir.into(),
            root: LogKey::from_seed(&seed),
            ca_pem,
            ca_key,
        })
    }

    pub(super) fn certificate(
        &self,
        name: &str,
        node: &NodeId,
        hosts: &[String],
        (key, days): (&impl PublicKeyData, u32),
    ) -> Result<MadeCertificate, Failure> {
        let rc = |e: rcgen::Error| Failure::new("certificate", e.to_string());
        let issuer = Issuer::from_ca_cert_pem(&self.ca_pem, &self.ca_key).map_err(rc)?;

        // Peers go by the first name alone; the others are for HTTP.
        let own = [
            format!("{node}.node.wadi"),
            "localhost".into(),
            "127.0.0.1".into(),
        ];

        let names: Vec<String> = own
            .into_iter()
            .chain(hosts.iter().filter(|h| !h.is_empty()).cloned())
            .collect();
        let mut params = CertificateParams::new(names).map_err(rc)?;

        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.serial_number = Some(SerialNumber::from(rand::random::<u64>() >> 1));
        valid(&mut params, days);

        let certificate = params.signed_by(key, &issuer).map_err(rc)?;
        Ok(MadeCertificate {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
        })
    }

    /// Makes a node's papers; returns their directory and the enrolment.
    pub fn issue(
        &self,
        name: &str,
        role: Role,
        crossing: Option<Crossing>,
        scope: Scope,
        hosts: &[String],
    ) -> Result<(PathBuf, Enrolment), Failure> {
        self.check_new(name)?;
        let seed: [u8; 32] = rand::random();
        let log_key = LogKey::from_seed(&seed);
        let key = KeyPair::generate_for(&PKCS_ED25519)
            .map_err(|e| Failure::new("certificate", e.to_string()))?;
        let certificate = self.certificate(name, &log_key.node(), hosts, (&key, NODE_DAYS))?;

        let member = NewMember {
            name,
            role,
            crossing,
            scope,
            hosts,
        };
        let enrolment = self.enrol(&member, log_key.public(), &certificate, now_s())?;
        let secrets = [
            ("log.key", hex(&seed) + "\n"),
            ("tls.key", key.serialize_pem()),
        ];

        let dir = self.place(&member, &secrets, &certificate, &enrolment)?;
        Ok((dir, enrolment))
    }

    /// Whether no node has papers of that name.
    pub(super) fn check_new(&self, name: &str) -> Result<(), Failure> {
        let dir = self.dir.join("nodes").join(name);
        if dir.exists() {
            let why = format!(
                "{} exists: {name} has papers already. A node that is replaced gets another name; \
                 `wadi pki renew {name}` makes a new certificate for the same one",
                dir.display()
            );
            return Err(Failure::usage("node_exists", why));
        }

        Ok(())
    }

    /// Signs an enrolment with the commission's root.
    pub(super) fn enrol(
        &self,
        member: &NewMember<'_>,
        log_key: [u8; 32],
        certificate: &MadeCertificate,
        serial: u64,
    ) -> Result<Enrolment, Failure> {
        Enrolment {
            name: member.name.into(),
            role: member.role,
            crossing: member.crossing,
            log_key,
            tls_key: wadi_net::spki_hash(&certificate.der)?,
            scope: member.scope.clone(),
            serial,
            issued_s: now_s() as i64,
            root_signature: [0; 64],
        }
        .issue(&self.root)
        .map_err(|e| Failure::usage(e.code(), e.to_string()))
    }

    /// Lays out a node's papers, under a name that is no node's until all of it is there: half of a
    /// node's papers would be in everybody's way.
    pub(super) fn place(
        &self,
        member: &NewMember<'_>,
        secrets: &[(&str, String)],
        certificate: &MadeCertificate,
        enrolment: &Enrolment,
    ) -> Result<PathBuf, Failure> {
        let dir = self.dir.join("nodes").join(member.name);
        let part = self.dir.join("nodes").join(format!(".{}", member.name));
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }

        private::create_dir_all(&part)?;
        for (name, secret) in secrets {
            write(&part.join(name), secret)?;
        }

        write(&part.join("tls.pem"), &certificate.pem)?;
        write(&part.join("hosts"), member.hosts.join("\n"))?;
        write(&part.join("ca.pem"), &self.ca_pem)?;
        write(&part.join("root.pub"), hex(&self.root.public()) + "\n")?;

        if self.dir.join("crl.pem").exists() {
            write(
                &part.join("crl.pem"),
                std::fs::read(self.dir.join("crl.pem"))?,
            )?;
        }

        write(&part.join("enrolment"), hex(&enrolment.to_bytes()) + "\n")?;
        std::fs::rename(&part, &dir)?;
        self.share()?;

        Ok(dir)
    }

    /// Gives every node's papers the enrolments of all: public, and what lets two nodes know each
    /// other at first sight.
    pub fn share(&self) -> Result<(), Failure> {
        let nodes = nodes(&self.dir)?;
        for (name, _) in &nodes {
            let known = self.dir.join("nodes").join(name).join("known");
            private::create_dir_all(&known)?;

            // What was cut off here before is no enrolment, and would not read as one.
            let entries = std::fs::read_dir(&known)?.filter_map(Result::ok);
            let left = entries
                .map(|e| e.path())
                .filter(|p| p.extension().is_some_and(|e| e == "part"));

            left.for_each(|path| drop(std::fs::remove_file(path)));
            for (other, enrolment) in &nodes {
                let path = known.join(other);
                let text = hex(&enrolment.to_bytes()) + "\n";
                if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
                    write(&path, text)?;
                }
            }
        }

        Ok(())
    }

    /// Signs a cut with the commission's root.
    pub(super) fn sign_cut(&self, cut: Cut) -> Cut {
        cut.issue(&self.root)
    }

    pub(super) fn renew(&self, name: &str, days: u32) -> Result<PathBuf, Failure> {
        let dir = self.dir.join("nodes").join(name);
        let enrolment = read_enrolment(&dir.join("enrolment"))?;
        let key = public_tls_key(&dir)?;
        let hosts = self.hosts_of(name);
        let certificate = self.certificate(name, &enrolment.node(), &hosts, (&key, days))?;

        // The one before is good until it ends: whoever has the key has it, too.
        note_serials(&dir.join(RENEWED_FILE), &[serial_in(&dir.join("tls.pem"))?])?;
        write(&dir.join("tls.pem"), certificate.pem)?;
        Ok(dir)
    }

    /// Notes that a node's certificate is replaced by one for a new key: it can be revoked by
    /// itself, once the node goes by the new one, and so can those before it for the same key. One
    /// for the same key replaces nothing: the node may go by either.
    pub(super) fn note_replaced(&self, name: &str, new: &MadeCertificate) -> Result<(), Failure> {
        let dir = self.dir.join("nodes").join(name);
        let serial = serial_in(&dir.join("tls.pem"))?;
        if certified_key(&dir)? == wadi_net::spki_hash(&new.der)? {
            return note_serials(&dir.join(RENEWED_FILE), &[serial]);
        }

        let mut serials = noted_serials(&dir.join(RENEWED_FILE));
        serials.push(serial);
        note_serials(&dir.join(REPLACED_FILE), &serials)
    }

    /// Whether a node may have another certificate: whoever was put out is let in again by nobody
    /// who does not mean it.
    pub(super) fn check_renewable(&self, name: &str, readmit: bool) -> Result<(), Failure> {
        if readmit || !is_revoked(&self.dir, name)? {
            return Ok(());
        }

        let why = format!(
            "{name} was put on the revocation list: a new certificate lets whoever has its keys in \
             again. If that is meant, add --readmit; a node that is replaced gets another name"
        );
        Err(Failure::usage("node_revoked", why))
    }

    /// The names under which a node's HTTP API is called, as its papers were made with.
    pub(super) fn hosts_of(&self, name: &str) -> Vec<String> {
        let path = self.dir.join("nodes").join(name).join("hosts");
        let hosts = std::fs::read_to_string(path).unwrap_or_default();
        hosts.lines().map(String::from).collect()
    }

    /// Puts all certificates that a node ever had on the revocation list; or, with `replaced`,
    /// those alone that a new key replaced.
    pub(super) fn revoke(&self, name: &str, replaced: bool) -> Result<PathBuf, Failure> {
        let dir = self.dir.join("nodes").join(name);
        let current = serial_in(&dir.join("tls.pem"))?;
        let mut serials = noted_serials(&dir.join(REPLACED_FILE));
        if replaced && serials.contains(&current) {
            let why = format!(
                "the last `wadi pki renew {name}` was cut off: the certificate that the node goes \
                 by would be revoked. Run that again, with the same request"
            );
            return Err(Failure::usage("renewal_unfinished", why));
        }

        if !replaced {
            serials.extend(noted_serials(&dir.join(RENEWED_FILE)));
            serials.push(current);
        }
        if serials.is_empty() {
            let why = format!("no certificate of {name} was replaced for a new key");
            return Err(Failure::usage("nothing_replaced", why));
        }

        let list = self.dir.join("revoked");
        let mut revoked = std::fs::read_to_string(&list).unwrap_or_default();
        for serial in serials.iter().map(|serial| hex(serial)) {
            if !revoked.lines().any(|l| l.starts_with(&serial)) {
                revoked.push_str(&format!("{serial} {name}\n"));
                write(&list, &revoked)?;
            }
        }

        let rc = |e: rcgen::Error| Failure::new("certificate", e.to_string());
        let issuer = Issuer::from_ca_cert_pem(&self.ca_pem, &self.ca_key).map_err(rc)?;
        let certs = revoked
            .lines()
            .filter_map(|l| unhex(l.split(' ').next()?))
            .map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial),
                revocation_time: SystemTime::now().into(),
                reason_code: None,
                invalidity_date: None,
            });

        let crl = CertificateRevocationListParams {
            this_update: (SystemTime::now() - DAY).into(),
            next_update: (SystemTime::now() + DAY * 365).into(),
            crl_number: SerialNumber::from(revoked.lines().count() as u64),
            issuing_distribution_point: None,
            revoked_certs: certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&issuer)
        .map_err(rc)?;

        let path = self.dir.join("crl.pem");
        let list = crl.pem().map_err(rc)?;
        write(&path, &list)?;
        for (node, _) in nodes(&self.dir)? {
            write(&self.dir.join("nodes").join(node).join("crl.pem"), &list)?;
        }

        Ok(path)
    }
}

/// Whether the certificate that a node goes by is on the revocation list.
pub(super) fn is_revoked(dir: &Path, name: &str) -> Result<bool, Failure> {
    let serial = hex(&serial_in(&dir.join("nodes").join(name).join("tls.pem"))?);
    let revoked = std::fs::read_to_string(dir.join("revoked")).unwrap_or_default();
    let mut serials = revoked.lines().filter_map(|line| line.split(' ').next());
    Ok(serials.any(|revoked| revoked == serial))
}

/// The hash of the key that a node's certificate is for.
pub(super) fn certified_key(dir: &Path) -> Result<[u8; 32], Failure> {
    let path = dir.join("tls.pem");
    let pem = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
    let key = wadi_net::public_key_of_pem(&pem).map_err(|e| unreadable(&path, e))?;
    Ok(Sha256::digest(key).into())
}

/// The serial numbers that a file of them lists, a line each in hexadecimal digits.
fn noted_serials(path: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(unhex).collect()
}

/// Adds serial numbers to such a file, each once.
fn note_serials(path: &Path, serials: &[Vec<u8>]) -> Result<(), Failure> {
    let mut noted = noted_serials(path);
    let fresh: Vec<_> = serials.iter().filter(|s| !noted.contains(s)).collect();
    if fresh.is_empty() {
        return Ok(());
    }

    noted.extend(fresh.into_iter().cloned());
    let lines: String = noted.iter().map(|serial| hex(serial) + "\n").collect();
    write(path, lines)
}

/// The serial number of the certificate in a file.
fn serial_in(path: &Path) -> Result<Vec<u8>, Failure> {
    let pem = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    wadi_net::serial_of(&pem).ok_or_else(|| unreadable(path, "no certificate in it"))
}

/// The public half of a node's TLS key: of the key, or of its certificate where the key lies on the
/// node's machine alone.
fn public_tls_key(dir: &Path) -> Result<SubjectPublicKeyInfo, Failure> {
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|e| unreadable(path, e));
    let (secret, certificate) = (dir.join("tls.key"), dir.join("tls.pem"));
    let public = match secret.exists() {
        true => {
            let key = KeyPair::from_pem(&text(&secret)?).map_err(|e| unreadable(&secret, e))?;
            key.subject_public_key_info()
        }
        false => wadi_net::public_key_of_pem(&text(&certificate)?)?,
    };

    SubjectPublicKeyInfo::from_der(&public).map_err(|e| unreadable(dir, e))
}

/// This machine's clock, Unix seconds.
pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs())
}

pub(super) fn nodes(dir: &Path) -> Result<Vec<(String, Enrolment)>, Failure> {
    let path = dir.join("nodes");
    let entries = std::fs::read_dir(&path).map_err(|e| {
        Failure::usage(
            "no_ca",
            format!("{}: {e}; `wadi pki init` makes a CA", path.display()),
        )
    })?;

    let mut out = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Papers that are being made, or were not made to their end.
        if name.starts_with('.') {
            continue;
        }
        out.push((name, read_enrolment(&entry.path().join("enrolment"))?));
    }

    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}
