//! The two files that a node's machine and the commission's exchange: a request for papers, and its
//! answer. Both are lines of text that a person can read, under one signature, and neither holds a
//! secret.

use super::unreadable;
use crate::failure::Failure;
use rcgen::{CertificateSigningRequestParams, PublicKeyData, SanType};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, IsTerminal, stdin},
    path::Path,
};
use wadi_log::{Crossing, Enrolment, LogKey, NodeId, Role, RootKey, hex, unhex, verify_seal};

const REQUEST_FORMAT: &str = "wadi.request/v1";
const ANSWER_FORMAT: &str = "wadi.answer/v1";
/// Bytes of such a file at most: an answer names every node that was ever enrolled.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Host names that a request may ask for.
const HOSTS_MAX: usize = 16;
/// Characters of such a name at most, as DNS has it.
const HOST_CHARS_MAX: usize = 253;

/// Lines of a word and a text, under a signature.
struct SignedLines {
    /// What is signed: the format's name and the lines.
    body: String,
    lines: Vec<(String, String)>,
    seal: [u8; 64],
}

impl SignedLines {
    fn sign(format: &str, lines: Vec<(String, String)>, key: &LogKey) -> Self {
        let body = body_of(format, &lines);
        let seal = key.seal(format, body.as_bytes());
        Self { body, lines, seal }
    }

    fn read(format: &str, text: &str) -> Result<Self, String> {
        let (body, seal) = text
            .rsplit_once("seal ")
            .ok_or("no seal stands at its end")?;
        let seal = unhex(seal.trim_end()).and_then(|bytes| bytes.try_into().ok());
        let seal = seal.ok_or("its seal is not 128 hexadecimal digits")?;

        let mut rest = body.lines();
        if rest.next() != Some(format) {
            return Err(format!("it does not begin with {format}"));
        }

        let line = |line: &str| {
            let (word, text) = line.split_once(' ')?;
            Some((word.to_string(), text.to_string()))
        };
        let lines: Option<Vec<_>> = rest.map(line).collect();
        let lines = lines.ok_or("a line is not a word and a text")?;

        // What was signed is what was read, to the byte.
        match body_of(format, &lines) == body {
            true => Ok(Self {
                body: body.into(),
                lines,
                seal,
            }),
            false => Err("its lines are not written as this format has them".into()),
        }
    }

    fn to_text(&self) -> String {
        format!("{}seal {}\n", self.body, hex(&self.seal))
    }

    fn all<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let of_word = self.lines.iter().filter(move |(w, _)| w == word);
        of_word.map(|(_, text)| text.as_str())
    }

    fn one<'a>(&'a self, word: &'a str) -> Result<&'a str, String> {
        let mut found = self.all(word);
        match (found.next(), found.next()) {
            (Some(text), None) => Ok(text),
            (None, _) => Err(format!("no line {word:?} is in it")),
            _ => Err(format!("it has several lines {word:?}")),
        }
    }

    fn bytes(&self, word: &str) -> Result<Vec<u8>, String> {
        unhex(self.one(word)?).ok_or_else(|| format!("{word}: not hexadecimal"))
    }

    fn check_words(&self, known: &[&str]) -> Result<(), String> {
        let unknown = self
            .lines
            .iter()
            .find(|(w, _)| !known.contains(&w.as_str()));
        match unknown {
            Some((word, _)) => Err(format!("the line {word:?} is not known here")),
            None => Ok(()),
        }
    }
}

fn body_of(format: &str, lines: &[(String, String)]) -> String {
    let lines: String = lines.iter().map(|(w, t)| format!("{w} {t}\n")).collect();
    format!("{format}\n{lines}")
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let about = std::fs::metadata(path).map_err(|e| unreadable(path, e))?;
    if about.len() > FILE_BYTES_MAX {
        return Err(unreadable(path, format!("over {FILE_BYTES_MAX} bytes")));
    }

    std::fs::read_to_string(path).map_err(|e| unreadable(path, e))
}

/// What two people compare by voice or on paper, in groups of four digits: 128 bits of SHA-256.
pub(crate) fn fingerprint(bytes: &[u8]) -> String {
    let digits = hex(&Sha256::digest(bytes)[..16]);
    let groups = digits.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("-")
}

/// Whether somebody typed this fingerprint, in whatever groups and letters.
pub(crate) fn is_fingerprint(typed: &str, of: &str) -> bool {
    let plain = |text: &str| -> String {
        let digits = text.chars().filter(char::is_ascii_alphanumeric);
        digits.map(|c| c.to_ascii_lowercase()).collect()
    };
    plain(typed) == plain(of)
}

/// A fingerprint as somebody was told it: given on the command line, else asked for at a terminal;
/// where there is none, `missing`.
pub(super) fn told_fingerprint(
    given: Option<&str>,
    question: &str,
    missing: impl FnOnce() -> Failure,
) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given.into());
    }
    if !stdin().is_terminal() {
        return Err(missing());
    }

    crate::print::print_error!("{question}");
    let mut line = String::new();
    stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// What the commission's root is known by.
pub(crate) fn root_fingerprint(root: &[u8; 32]) -> String {
    fingerprint(&[b"wadi.root/v1\n", &root[..]].concat())
}

/// A node's machine asks for papers, with keys that never leave it.
pub(crate) struct PapersRequest {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) crossing: Option<Crossing>,
    pub(crate) hosts: Vec<String>,
    pub(crate) log_key: [u8; 32],
    /// A certificate signing request for the TLS key, DER: signed by that key, over the node's id.
    csr: Vec<u8>,
    signed: Option<SignedLines>,
}

impl PapersRequest {
    /// Asks for what `csr` is the TLS half of; sealed by the log key, which the node's id comes of.
    pub(crate) fn of(
        (name, role, crossing): (String, Role, Option<Crossing>),
        hosts: Vec<String>,
        csr: Vec<u8>,
        key: &LogKey,
    ) -> Result<Self, Failure> {
        let mut this = Self {
            name,
            role,
            crossing,
            hosts,
            log_key: key.public(),
            csr,
            signed: None,
        };
        this.signed = Some(SignedLines::sign(REQUEST_FORMAT, this.lines(), key));

        // Nothing leaves here that the commission's machine would refuse.
        Self::read_text(&this.to_text()).map_err(|why| Failure::usage("bad_request_file", why))
    }

    fn lines(&self) -> Vec<(String, String)> {
        let mut lines = vec![
            ("name".to_string(), self.name.clone()),
            ("role".into(), self.role.name().into()),
        ];
        lines.extend(self.crossing.map(|c| ("crossing".into(), c.to_string())));
        lines.extend(self.hosts.iter().map(|h| ("host".into(), h.clone())));
        lines.push(("log-key".into(), hex(&self.log_key)));
        lines.push(("csr".into(), hex(&self.csr)));
        lines
    }

    pub(crate) fn to_text(&self) -> String {
        self.signed
            .as_ref()
            .map(SignedLines::to_text)
            .unwrap_or_default()
    }

    /// What the two machines' people compare: all that is asked for, under both signatures.
    pub(crate) fn fingerprint(&self) -> String {
        fingerprint(self.to_text().as_bytes())
    }

    /// The node whose log key seals it.
    pub(crate) fn node(&self) -> NodeId {
        NodeId::of_key(&self.log_key)
    }

    /// Reads a request, and checks both proofs of possession.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bad = |why: String| {
            let why = format!(
                "{}: {why}; fetch it anew from the node's machine",
                path.display()
            );
            Failure::usage("bad_request_file", why)
        };
        Self::read_text(&read_file(path)?).map_err(bad)
    }

    fn read_text(text: &str) -> Result<Self, String> {
        let signed = SignedLines::read(REQUEST_FORMAT, text)?;
        signed.check_words(&["name", "role", "crossing", "host", "log-key", "csr"])?;
        let log_key = signed.bytes("log-key")?;
        let log_key = log_key.try_into().map_err(|_| "log-key: not 32 bytes")?;
        verify_seal(
            &log_key,
            REQUEST_FORMAT,
            signed.body.as_bytes(),
            &signed.seal,
        )
        .map_err(|_| "the log key that it names did not seal it")?;

        let crossing = match signed.all("crossing").next() {
            Some(_) => Some(signed.one("crossing")?.parse()).transpose(),
            None => Ok(None),
        };
        let role: Result<Role, _> = signed.one("role")?.parse();
        let this = Self {
            name: signed.one("name")?.into(),
            role: role.map_err(|e| e.to_string())?,
            crossing: crossing.map_err(|e: wadi_log::LogError| e.to_string())?,
            hosts: signed.all("host").map(String::from).collect(),
            log_key,
            csr: signed.bytes("csr")?,
            signed: Some(signed),
        };

        Enrolment::check_member(&this.name, this.role, this.crossing).map_err(|e| e.to_string())?;
        check_hosts(&this.hosts)?;
        this.tls_key()?;
        Ok(this)
    }

    /// The TLS key, once it is shown that whoever asks has its secret, and means this node by it.
    pub(crate) fn tls_key(&self) -> Result<impl PublicKeyData + use<>, String> {
        let read = CertificateSigningRequestParams::from_der(&self.csr.as_slice().into());
        let csr = read.map_err(|e| format!("the TLS key did not sign its part: {e}"))?;
        let named: Vec<String> = csr.params.subject_alt_names.iter().map(name_of).collect();
        match named.as_slice() {
            [one] if *one == tls_name(&self.node()) => Ok(csr.public_key),
            _ => Err("its TLS part is another node's".into()),
        }
    }
}

fn name_of(name: &SanType) -> String {
    match name {
        SanType::DnsName(name) => name.as_str().into(),
        _ => String::new(),
    }
}

/// The name under which a node's TLS key stands for it.
pub(crate) fn tls_name(node: &NodeId) -> String {
    format!("{node}.node.wadi")
}

fn check_hosts(hosts: &[String]) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:*".contains(c);
    let is_bad =
        |host: &&String| host.is_empty() || host.len() > HOST_CHARS_MAX || !host.chars().all(plain);
    if hosts.len() > HOSTS_MAX {
        return Err(format!("it asks for more than {HOSTS_MAX} host names"));
    }

    match hosts.iter().find(is_bad) {
        Some(host) => Err(format!("{host:?} is no host name and no address")),
        None => Ok(()),
    }
}

/// What the commission answers: papers without a secret, sealed by the root.
pub(crate) struct PapersAnswer {
    pub(crate) enrolment: Enrolment,
    pub(crate) certificate_pem: String,
    pub(crate) ca_pem: String,
    pub(crate) crl_pem: Option<String>,
    pub(crate) root: RootKey,
    pub(crate) hosts: Vec<String>,
    pub(crate) known: Vec<Enrolment>,
}

impl PapersAnswer {
    pub(crate) fn sign(&self, root: &LogKey) -> String {
        let line = |word: &str, bytes: &[u8]| (word.to_string(), hex(bytes));
        let mut lines = vec![
            line("root", &self.root.0),
            line("enrolment", &self.enrolment.to_bytes()),
            line("certificate", self.certificate_pem.as_bytes()),
            line("ca", self.ca_pem.as_bytes()),
        ];
        lines.extend(self.crl_pem.iter().map(|crl| line("crl", crl.as_bytes())));
        lines.extend(self.hosts.iter().map(|h| ("host".into(), h.clone())));
        lines.extend(self.known.iter().map(|e| line("known", &e.to_bytes())));

        SignedLines::sign(ANSWER_FORMAT, lines, root).to_text()
    }

    /// Reads an answer. The root that it names sealed it; whether that is the commission's, the
    /// caller has to know from elsewhere.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bad = |why: String| {
            let why = format!(
                "{}: {why}; fetch it anew from the CA's machine",
                path.display()
            );
            Failure::usage("bad_answer_file", why)
        };
        Self::read_text(&read_file(path)?).map_err(bad)
    }

    fn read_text(text: &str) -> Result<Self, String> {
        let signed = SignedLines::read(ANSWER_FORMAT, text)?;
        let words = [
            "root",
            "enrolment",
            "certificate",
            "ca",
            "crl",
            "host",
            "known",
        ];
        signed.check_words(&words)?;
        let root: [u8; 32] = signed
            .bytes("root")?
            .try_into()
            .map_err(|_| "root: not 32 bytes")?;
        verify_seal(&root, ANSWER_FORMAT, signed.body.as_bytes(), &signed.seal)
            .map_err(|_| "the root that it names did not seal it")?;

        let enrolment = |bytes: &[u8]| {
            let read = Enrolment::from_bytes(bytes);
            let read = read.and_then(|e| e.verify(&RootKey(root)).map(|()| e));
            read.map_err(|e| e.to_string())
        };
        let text = |word: &str| {
            let bytes = signed.bytes(word)?;
            String::from_utf8(bytes).map_err(|e| format!("{word}: {e}"))
        };
        let known = signed.all("known").map(|line| {
            let bytes = unhex(line).ok_or("known: not hexadecimal")?;
            enrolment(&bytes)
        });

        Ok(Self {
            enrolment: enrolment(&signed.bytes("enrolment")?)?,
            certificate_pem: text("certificate")?,
            ca_pem: text("ca")?,
            crl_pem: match signed.all("crl").next() {
                Some(_) => Some(text("crl")?),
                None => None,
            },
            root: RootKey(root),
            hosts: signed.all("host").map(String::from).collect(),
            known: known.collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};

    fn csr(node: &NodeId) -> Vec<u8> {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let params = CertificateParams::new(vec![tls_name(node)]).unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    fn request(csr_of: &NodeId, key: &LogKey) -> Result<PapersRequest, Failure> {
        let crossing = Some("TRB".parse().unwrap());
        let who = ("trb".to_string(), Role::Crossing, crossing);
        PapersRequest::of(who, vec!["trb.example".into()], csr(csr_of), key)
    }

    #[test]
    fn a_request_is_taken_as_it_was_sealed_and_with_no_letter_changed() {
        let key = LogKey::from_seed(&[7; 32]);
        let text = request(&key.node(), &key).unwrap().to_text();
        let read = PapersRequest::read_text(&text).unwrap();
        assert_eq!((read.name.as_str(), read.node()), ("trb", key.node()));

        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else {
                continue;
            };
            // Digits of the seal read the same in either case, and so does the end of the file.
            let is_same = changed.to_lowercase().trim_end() == text.to_lowercase().trim_end();
            assert!(
                is_same || PapersRequest::read_text(&changed).is_err(),
                "{at}"
            );
        }
    }

    #[test]
    fn nobody_asks_for_a_tls_key_under_another_nodes_log_key() {
        let (key, other) = (LogKey::from_seed(&[7; 32]), LogKey::from_seed(&[8; 32]));
        assert!(request(&key.node(), &key).is_ok());
        let stolen = request(&other.node(), &key).err().unwrap();
        assert_eq!(stolen.code, "bad_request_file");
    }

    #[test]
    fn a_fingerprint_is_typed_as_one_likes() {
        let printed = fingerprint(b"x");
        assert_eq!(printed.len(), 39);
        assert!(is_fingerprint(
            &printed.replace('-', " ").to_uppercase(),
            &printed
        ));
        assert!(!is_fingerprint("", &printed));
        assert!(!is_fingerprint(&fingerprint(b"y"), &printed));
    }
}
