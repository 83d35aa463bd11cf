//! The commission's CA: a root that signs enrolments, a certificate authority for TLS, and papers
//! for each node.
//!
//! Both keys lie encrypted under a passphrase (age, scrypt). What a node needs is one directory,
//! its papers: copy it to the node's machine and nothing else.

use crate::failure::{Exit, Failure};
use age::secrecy::{ExposeSecret, SecretString};
use clap::Subcommand;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, RevokedCertParams, SerialNumber,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use wadi_log::{
    Crossing, Enrolment, Grant, Lane, LogKey, NodeId, Role, RootKey, Scope, hex, unhex,
};
use wadi_store::private;

const DAY: Duration = Duration::from_secs(86_400);
/// Days that a node's certificate is valid; a dark site must outlast them.
const NODE_DAYS: u32 = 3 * 365;
/// Days that the CA's certificate is valid.
const CA_DAYS: u32 = 20 * 365;
/// Characters of a passphrase below which whoever makes a root is warned.
const PASSPHRASE_CHARS: usize = 12;
/// Stands in the CA's directory from before its first file is written until after the last.
const UNFINISHED: &str = "init.unfinished";
/// The files of a CA.
const CA_FILES: [&str; 4] = ["root.key.age", "ca.key.age", "ca.pem", "root.pub"];
/// A node's papers that are its own secret.
const SECRETS: [&str; 2] = ["log.key", "tls.key"];
/// scrypt cost of files accepted at most, as a power of two.
const WORK_FACTOR_MAX: u8 = 22;

#[derive(Subcommand)]
pub enum PkiCommand {
    /// Makes the root and the CA.
    Init {
        /// What opening the CA costs whoever guesses passphrases, as a power of two; fitted to this
        /// machine where it is left out. Low ones are for trials.
        #[arg(long, value_parser = clap::value_parser!(u8).range(10..=i64::from(WORK_FACTOR_MAX)))]
        work_factor: Option<u8>,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Makes a node's keys, certificate and enrolment: its papers.
    Issue {
        /// The node's name: a-z, 0-9 and -.
        name: String,
        /// crossing, hub or observer.
        #[arg(long, default_value = "crossing")]
        role: String,
        /// The crossing's code, as TRB.
        #[arg(long)]
        crossing: Option<String>,
        /// For an observer: what it may take, as passage:TRB or hold:*; repeat it.
        #[arg(long)]
        grant: Vec<String>,
        /// A host name or address under which its HTTP API is called, for `http_tls`; repeat it.
        /// This machine's own (localhost, 127.0.0.1) is always there.
        #[arg(long)]
        host: Vec<String>,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Makes a new certificate for a node's key.
    Renew {
        /// The node's name.
        name: String,
        /// Days that it is valid; at most as many as usual.
        #[arg(long, value_parser = clap::value_parser!(u32).range(..=i64::from(NODE_DAYS)))]
        days: Option<u32>,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Puts a node's certificate on the revocation list. Cut the node at the hub, too.
    Revoke {
        /// The node's name.
        name: String,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Lists the nodes that have papers.
    List {
        #[command(flatten)]
        ca: CaArgs,
    },
}

/// Where the CA lies and what opens it.
#[derive(clap::Args, Clone, Debug)]
pub struct CaArgs {
    /// The CA's directory.
    #[arg(long, default_value = "certs")]
    pub dir: PathBuf,
    /// A file that holds the passphrase; else WADI_PASSPHRASE, else it is asked for.
    #[arg(long)]
    pub passphrase_file: Option<PathBuf>,
}

impl CaArgs {
    /// The passphrase of a new root: never an empty one, and not a short one without a word.
    fn new_passphrase(&self) -> Result<SecretString, Failure> {
        let passphrase = self.passphrase(true)?;
        let text = passphrase.expose_secret();
        if text.trim().is_empty() {
            let why = "an empty passphrase protects nothing: whoever gets root.key.age would speak for the commission";
            return Err(Failure::usage("empty_passphrase", why));
        }

        let chars = text.chars().count();
        if chars < PASSPHRASE_CHARS {
            crate::print::print_error!(
                "wadi: WARNING: this passphrase has {chars} characters, and can be guessed by whoever gets root.key.age; for \
                 anything but a trial take several words, {PASSPHRASE_CHARS} characters or more"
            );
        }

        Ok(passphrase)
    }

    fn passphrase(&self, twice: bool) -> Result<SecretString, Failure> {
        if let Some(file) = &self.passphrase_file {
            let text = std::fs::read_to_string(file).map_err(|e| {
                Failure::usage("passphrase_file", format!("{}: {e}", file.display()))
            })?;
            return Ok(text.trim_end_matches('\n').to_string().into());
        }

        if let Ok(text) = std::env::var("WADI_PASSPHRASE") {
            return Ok(text.into());
        }

        let ask = |prompt: &str| {
            rpassword::prompt_password(prompt).map_err(|e| {
                let why = format!("no passphrase: {e}; use --passphrase-file or WADI_PASSPHRASE");
                Failure::usage("no_passphrase", why)
            })
        };

        let first = ask("Passphrase of the commission's root: ")?;
        if twice && ask("Again: ")? != first {
            return Err(Failure::usage(
                "passphrase_differs",
                "the two passphrases differ",
            ));
        }

        Ok(first.into())
    }
}

/// The opened CA.
pub struct Ca {
    dir: PathBuf,
    root: LogKey,
    ca_pem: String,
    ca_key: KeyPair,
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new("unreadable_papers", format!("{}: {why}", path.display()))
}

/// Writes a file whole or not at all, for its owner alone.
fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new("unwritable", format!("{}: {e}", path.display()));
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    private::write(Path::new(&part), bytes.as_ref()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

fn seal(
    secret: &str,
    passphrase: &SecretString,
    work_factor: Option<u8>,
) -> Result<String, Failure> {
    let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
    if let Some(n) = work_factor {
        recipient.set_work_factor(n);
    }
    age::encrypt_and_armor(&recipient, secret.as_bytes())
        .map_err(|e| Failure::new("encrypt", e.to_string()))
}

fn unseal(path: &Path, passphrase: &SecretString) -> Result<String, Failure> {
    let armoured = std::fs::read_to_string(path).map_err(|e| {
        Failure::usage(
            "no_ca",
            format!(
                "{}: {e}; `wadi pki init` makes a CA, --dir names another",
                path.display()
            ),
        )
    })?;

    let mut identity = age::scrypt::Identity::new(passphrase.clone());
    identity.set_max_work_factor(WORK_FACTOR_MAX);
    let bytes = age::decrypt(&identity, armoured.as_bytes()).map_err(|e| match e {
        age::DecryptError::DecryptionFailed => Failure::new(
            "wrong_passphrase",
            "the passphrase does not open the CA's keys",
        ),
        other => unreadable(path, other),
    })?;

    String::from_utf8(bytes).map_err(|e| unreadable(path, e))
}

fn valid(params: &mut CertificateParams, days: u32) {
    // A day back: a site's clock may lie behind.
    params.not_before = (SystemTime::now() - DAY).into();
    params.not_after = (SystemTime::now() + DAY * days).into();
}

impl Ca {
    /// Whether a CA may be made in a directory: there is none, or the making of one was cut off,
    /// which nobody can have used.
    fn check_absent(dir: &Path) -> Result<(), Failure> {
        let begun = dir.join(UNFINISHED).exists();
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
            &dir.join(UNFINISHED),
            "wadi pki init was cut off here; run it again\n",
        )?;
        write(&dir.join("root.key.age"), root_sealed)?;
        write(&dir.join("ca.key.age"), ca_sealed)?;
        write(&dir.join("ca.pem"), &ca_pem)?;
        write(&dir.join("root.pub"), hex(&root.public()) + "\n")?;
        std::fs::remove_file(dir.join(UNFINISHED)).map_err(|e| unreadable(dir, e))?;

        Ok(Self {
            dir: dir.into(),
            root,
            ca_pem,
            ca_key,
        })
    }

    /// Opens a CA.
    pub fn open(dir: &Path, passphrase: &SecretString) -> Result<Self, Failure> {
        if dir.join(UNFINISHED).exists() {
            let why = format!(
                "the CA in {} was not made to its end: run `wadi pki init` again",
                dir.display()
            );
            return Err(Failure::usage("init_unfinished", why));
        }

        let seed = unseal(&dir.join("root.key.age"), passphrase)?;
        let seed: [u8; 32] = unhex(seed.trim())
            .and_then(|s| s.try_into().ok())
            .ok_or_else(|| unreadable(&dir.join("root.key.age"), "it holds no key"))?;
        let ca_key = unseal(&dir.join("ca.key.age"), passphrase)?;
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

    fn certificate(
        &self,
        name: &str,
        node: &NodeId,
        hosts: &[String],
        (key, days): (&KeyPair, u32),
    ) -> Result<(String, Vec<u8>), Failure> {
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
        Ok((certificate.pem(), certificate.der().to_vec()))
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
        let dir = self.dir.join("nodes").join(name);
        if dir.exists() {
            let why = format!(
                "{} exists: a node that is replaced gets another name",
                dir.display()
            );
            return Err(Failure::usage("node_exists", why));
        }

        let seed: [u8; 32] = rand::random();
        let log_key = LogKey::from_seed(&seed);
        let key = KeyPair::generate_for(&PKCS_ED25519)
            .map_err(|e| Failure::new("certificate", e.to_string()))?;
        let (certificate, der) =
            self.certificate(name, &log_key.node(), hosts, (&key, NODE_DAYS))?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs() as i64);

        let enrolment = Enrolment {
            name: name.into(),
            role,
            crossing,
            log_key: log_key.public(),
            tls_key: wadi_net::spki_hash(&der)?,
            scope,
            serial: now.max(0) as u64,
            issued_s: now,
            root_signature: [0; 64],
        }
        .issue(&self.root)
        .map_err(|e| Failure::usage(e.code(), e.to_string()))?;

        // Under a name that is no node's until all of it is there: half of a node's papers would be
        // in everybody's way.
        let part = self.dir.join("nodes").join(format!(".{name}"));
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }

        private::create_dir_all(&part)?;
        write(&part.join("log.key"), hex(&seed) + "\n")?;
        write(&part.join("tls.key"), key.serialize_pem())?;
        write(&part.join("tls.pem"), certificate)?;
        write(&part.join("hosts"), hosts.join("\n"))?;
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

        Ok((dir, enrolment))
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
                let (path, text) = (known.join(other), hex(&enrolment.to_bytes()) + "\n");
                if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
                    write(&path, text)?;
                }
            }
        }

        Ok(())
    }

    fn renew(&self, name: &str, days: u32) -> Result<PathBuf, Failure> {
        let dir = self.dir.join("nodes").join(name);
        let enrolment = read_enrolment(&dir.join("enrolment"))?;
        let path = dir.join("tls.key");
        let key = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        let key = KeyPair::from_pem(&key).map_err(|e| unreadable(&path, e))?;
        let hosts = std::fs::read_to_string(dir.join("hosts")).unwrap_or_default();
        let hosts: Vec<String> = hosts.lines().map(String::from).collect();
        let (certificate, _) = self.certificate(name, &enrolment.node(), &hosts, (&key, days))?;

        write(&dir.join("tls.pem"), certificate)?;
        Ok(dir)
    }

    fn revoke(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.dir.join("nodes").join(name).join("tls.pem");
        let pem = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        let serial = serial_of(&pem).ok_or_else(|| unreadable(&path, "no certificate in it"))?;
        let list = self.dir.join("revoked");
        let mut revoked = std::fs::read_to_string(&list).unwrap_or_default();
        if !revoked.lines().any(|l| l.starts_with(&hex(&serial))) {
            revoked.push_str(&format!("{} {name}\n", hex(&serial)));
            write(&list, &revoked)?;
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

fn serial_of(pem: &str) -> Option<Vec<u8>> {
    wadi_net::serial_of(pem)
}

/// Reads an encoded enrolment.
pub fn read_enrolment(path: &Path) -> Result<Enrolment, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
    let bytes = unhex(text.trim()).ok_or_else(|| unreadable(path, "not hexadecimal"))?;
    Enrolment::from_bytes(&bytes).map_err(|e| unreadable(path, e))
}

fn nodes(dir: &Path) -> Result<Vec<(String, Enrolment)>, Failure> {
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

/// A node's papers, read.
pub struct Papers {
    /// Its log key.
    pub log_key: LogKey,
    /// The commission's root.
    pub root: RootKey,
    /// Its enrolment.
    pub enrolment: Enrolment,
    /// Enrolments of others.
    pub known: Vec<Enrolment>,
    /// For TLS.
    pub identity: wadi_net::Identity,
}

/// The secret ones of a node's papers that others than their owner may read, each with its mode.
pub fn exposed_secrets(dir: &Path) -> Vec<(PathBuf, u32)> {
    let paths = SECRETS.iter().map(|name| dir.join(name));
    paths
        .filter_map(|path| private::exposed(&path).map(|mode| (path, mode)))
        .collect()
}

/// Takes the secret ones of a node's papers from others, where this process may, and says so in the
/// log.
pub fn close_secrets(dir: &Path) {
    SECRETS
        .iter()
        .for_each(|name| private::close(&dir.join(name)));
}

impl Papers {
    /// Reads a directory that `wadi pki issue` wrote.
    pub fn read(dir: &Path) -> Result<Self, Failure> {
        if !dir.is_dir() {
            let why = "no directory; `papers` of the configuration names the one that `wadi pki issue` made for this node";
            return Err(unreadable(dir, why));
        }

        let text = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))
        };
        let key = |name: &str| {
            let bytes: Option<[u8; 32]> = unhex(text(name)?.trim()).and_then(|b| b.try_into().ok());
            bytes.ok_or_else(|| unreadable(&dir.join(name), "expected 64 hexadecimal digits"))
        };

        let mut known = Vec::new();
        for entry in std::fs::read_dir(dir.join("known"))
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            // A copy that was cut off, and what editors and file managers leave.
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') || name.to_string_lossy().ends_with(".part")
            {
                continue;
            }
            known.push(read_enrolment(&entry.path())?);
        }

        Ok(Self {
            log_key: LogKey::from_seed(&key("log.key")?),
            root: RootKey(key("root.pub")?),
            enrolment: read_enrolment(&dir.join("enrolment"))?,
            known,
            identity: wadi_net::Identity {
                ca_pem: text("ca.pem")?,
                certificate_pem: text("tls.pem")?,
                key_pem: text("tls.key")?,
                crls_pem: text("crl.pem").into_iter().collect(),
            },
        })
    }
}

fn grant(text: &str) -> Result<Grant, Failure> {
    let bad = || {
        Failure::usage(
            "bad_grant",
            format!("{text:?}: a grant is LANE:CROSSING, as passage:TRB, or hold:*"),
        )
    };

    let (lane, crossing) = text.split_once(':').ok_or_else(bad)?;
    let lanes = if lane == "*" {
        0x1f
    } else {
        lane.parse::<Lane>().map_err(|_| bad())?.bit()
    };

    let crossing = if crossing == "*" {
        None
    } else {
        Some(crossing.parse().map_err(|_| bad())?)
    };

    Ok(Grant { lanes, crossing })
}

/// The scope of a role: a crossing's own, everything for a hub, its grants and the hub's control
/// for an observer.
pub fn scope_of(
    role: Role,
    crossing: Option<Crossing>,
    grants: &[String],
) -> Result<Scope, Failure> {
    Ok(match (role, crossing) {
        (Role::Hub, _) => Scope::all(),
        (Role::Crossing, Some(c)) => Scope::of_crossing(c),
        (Role::Crossing, None) => {
            return Err(Failure::usage(
                "no_crossing",
                "a crossing's node needs --crossing",
            ));
        }
        (Role::Observer, _) => {
            let mut all = vec![Grant {
                lanes: Lane::Control.bit(),
                crossing: Some(Crossing::HUB),
            }];
            for text in grants {
                all.push(grant(text)?);
            }

            Scope(all)
        }
    })
}

pub fn run(command: PkiCommand, json: bool) -> Result<Exit, Failure> {
    let tell = |text: String, value: serde_json::Value| {
        if json {
            crate::print::print_line!("{value}")
        } else {
            crate::print::print_line!("{text}")
        }
    };

    match command {
        PkiCommand::Init { work_factor, ca } => {
            Ca::check_absent(&ca.dir)?;
            Ca::init(&ca.dir, &ca.new_passphrase()?, work_factor)?;
            let text = format!(
                "The commission's root and CA are in {}. Keep root.key.age and the passphrase apart and offline.",
                ca.dir.display()
            );

            tell(text, json!({"dir": ca.dir.display().to_string()}));
        }
        PkiCommand::Issue {
            name,
            role,
            crossing,
            grant,
            host,
            ca,
        } => {
            let role: Role = role
                .parse()
                .map_err(|e: wadi_log::LogError| Failure::usage("bad_role", e.to_string()))?;
            let crossing = match (role, crossing) {
                (Role::Hub, _) => Some(Crossing::HUB),
                (Role::Observer, _) => None,
                (Role::Crossing, c) => {
                    let code = c.ok_or_else(|| {
                        Failure::usage("no_crossing", "a crossing's node needs --crossing")
                    })?;
                    Some(code.parse().map_err(|e: wadi_log::LogError| {
                        Failure::usage("bad_crossing", e.to_string())
                    })?)
                }
            };

            let scope = scope_of(role, crossing, &grant)?;
            let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
            let (dir, enrolment) = opened.issue(&name, role, crossing, scope, &host)?;
            let text = format!(
                "Papers of {name} ({}) are in {}: copy them to its machine.",
                enrolment.node(),
                dir.display()
            );

            tell(
                text,
                json!({"name": name, "node": enrolment.node().to_string(), "papers": dir.display().to_string()}),
            );
        }
        PkiCommand::Renew { name, days, ca } => {
            let dir = Ca::open(&ca.dir, &ca.passphrase(false)?)?
                .renew(&name, days.unwrap_or(NODE_DAYS))?;
            let text = format!(
                "A new certificate is in {}: copy tls.pem into the papers on the node's machine, and restart the node.",
                dir.display()
            );

            tell(
                text,
                json!({"name": name, "papers": dir.display().to_string()}),
            );
        }
        PkiCommand::Revoke { name, ca } => {
            let path = Ca::open(&ca.dir, &ca.passphrase(false)?)?.revoke(&name)?;
            let text = format!(
                "{name} is on the list {}: copy it into every node's papers, and restart the nodes. At the hub, `wadi say cut \
                 {name}` ends what counts of it.",
                path.display()
            );

            tell(
                text,
                json!({"revoked": name, "crl": path.display().to_string()}),
            );
        }
        PkiCommand::List { ca } => {
            let all = nodes(&ca.dir)?;
            for (name, e) in &all {
                let crossing = e.crossing.map(|c| c.to_string()).unwrap_or_default();
                if !json {
                    crate::print::print_line!(
                        "{name:<24} {:<9} {crossing:<4} {}",
                        e.role.name(),
                        e.node()
                    );
                }
            }

            if json {
                let rows: Vec<_> = all
                    .iter()
                    .map(|(name, e)| json!({"name": name, "role": e.role.name(), "node": e.node().to_string()}))
                    .collect();
                crate::print::print_line!("{}", json!({"nodes": rows}));
            }
        }
    }

    Ok(Exit::Done)
}
