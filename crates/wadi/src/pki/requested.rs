//! Papers for keys that a node made on its own machine: asked for by a request, given by an answer.

use super::{
    Ca, CaArgs, NODE_DAYS, Renewal,
    ca::{NewMember, is_revoked, now_s},
    exchange::{PapersAnswer, PapersRequest, is_fingerprint, root_fingerprint, told_fingerprint},
    papers::read_enrolment,
    print_text_or_json, scope_of,
    sealed::write,
    unreadable,
};
use crate::{failure::Failure, output};
use rcgen::PublicKeyData;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use wadi_log::{Crossing, Enrolment, Role, RootKey, hex};

/// Papers by request: the file, what its maker read out of it, and where the answer goes.
#[derive(clap::Args, Clone, Debug)]
pub struct RequestArgs {
    /// A request that `wadi node request` wrote on the node's machine; the keys stay there.
    #[arg(long, requires = "output")]
    pub request: Option<PathBuf>,
    /// The request's fingerprint as the node's machine printed it, told by its operator on another
    /// way than the file came; else it is asked for.
    #[arg(long, requires = "request")]
    pub fingerprint: Option<String>,
    /// Where the answer to a request is written.
    #[arg(long, short, requires = "request")]
    pub output: Option<PathBuf>,
    /// Write over a file that is there.
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// A request, and where its answer goes.
pub(super) struct Requested<'a> {
    args: &'a RequestArgs,
    request: PapersRequest,
    output: &'a Path,
}

impl RequestArgs {
    /// The request, where one was named: both proofs in it are checked.
    pub(super) fn read(&self) -> Result<Option<Requested<'_>>, Failure> {
        let (Some(file), Some(output)) = (&self.request, &self.output) else {
            return Ok(None);
        };

        output::check_free(output, self.force)?;
        Ok(Some(Requested {
            args: self,
            request: PapersRequest::read(file)?,
            output,
        }))
    }
}

/// What the person at the CA means to issue, by the command line.
pub(super) struct MeantPapers<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) crossing: Option<Crossing>,
}

impl MeantPapers<'_> {
    /// A request asks for no more than was meant: nobody has another's name or crossing issued by
    /// what is written in a file.
    fn check(&self, asks: &PapersRequest) -> Result<(), Failure> {
        let differs = |what: &str, asked: &str, meant: &str| {
            let why = format!(
                "the request asks for {what} {asked:?}, and {meant:?} is to be issued: nothing is. \
                 Ask the node's operator what was meant"
            );
            Err(Failure::usage("request_differs", why))
        };
        let code = |c: Option<Crossing>| c.map(|c| c.to_string()).unwrap_or_default();

        if asks.name != self.name {
            return differs("the name", &asks.name, self.name);
        }
        if asks.role != self.role {
            return differs("the role", asks.role.name(), self.role.name());
        }
        if asks.crossing != self.crossing {
            return differs("the crossing", &code(asks.crossing), &code(self.crossing));
        }
        Ok(())
    }
}

impl Requested<'_> {
    /// What is to be issued, for people.
    fn text(&self) -> String {
        let asks = &self.request;
        let hosts = match asks.hosts.is_empty() {
            true => "this machine's own alone".into(),
            false => asks.hosts.join(", "),
        };
        format!(
            "To be issued:\n  name      {}\n  role      {}\n  crossing  {}\n  hosts     {hosts}\n  \
             node      {}",
            asks.name,
            asks.role.name(),
            asks.crossing.map(|c| c.to_string()).unwrap_or_default(),
            asks.node()
        )
    }

    /// Shows what is to be issued, and holds the request against what its maker says of it: a file
    /// that somebody exchanged on the way has another fingerprint.
    fn confirm(&self) -> Result<(), Failure> {
        crate::print::print_error!("{}", self.text());
        let question = "Fingerprint, as the node's operator reads it out on another way than the \
            file came:";
        let typed = told_fingerprint(self.args.fingerprint.as_deref(), question, || {
            let why = "give --fingerprint, as the node's machine printed it when it made the \
                request, and as its operator told it on another way than the file came";
            Failure::usage("no_fingerprint", why)
        })?;
        match is_fingerprint(&typed, &self.request.fingerprint()) {
            true => Ok(()),
            false => {
                let why = "this is not the request that the node's machine made, or the \
                    fingerprint was misread: nothing is issued. Fetch the file anew, and hear the \
                    fingerprint from the node's operator";
                Err(Failure::usage("other_fingerprint", why))
            }
        }
    }

    fn tls_key(&self) -> Result<impl PublicKeyData + use<>, Failure> {
        let key = self.request.tls_key();
        key.map_err(|why| Failure::usage("bad_request_file", why))
    }

    fn write(&self, ca: &Ca, answer: &PapersAnswer, json: bool) -> Result<(), Failure> {
        output::write(self.output, answer.sign(&ca.root).as_bytes())?;
        let root = root_fingerprint(&answer.root.0);
        let file = self.output.display();
        let e = &answer.enrolment;
        let text = format!(
            "The answer for {} ({}) is in {file}: take it to its machine, and there\n  wadi node \
             accept {file} --root {root}\nThe fingerprint is the root's; tell it to the node's \
             operator on another way than the file.",
            e.name,
            e.node()
        );
        let value = json!({
            "name": e.name,
            "node": e.node().to_string(),
            "serial": e.serial,
            "answer": file.to_string(),
            "root": root,
        });
        print_text_or_json(json, &text, &value);
        Ok(())
    }
}

/// Issues papers for keys that lie on the node's own machine.
pub(super) fn issue_requested(
    requested: &Requested<'_>,
    meant: &MeantPapers<'_>,
    grants: &[String],
    ca: &CaArgs,
    json: bool,
) -> Result<(), Failure> {
    let asks = &requested.request;
    meant.check(asks)?;
    let scope = scope_of(meant.role, meant.crossing, grants)?;
    requested.confirm()?;

    let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
    if let Some(answer) = opened.answered(requested, meant.name)? {
        return requested.write(&opened, &answer, json);
    }

    opened.check_new(meant.name)?;
    let member = NewMember {
        name: meant.name,
        role: meant.role,
        crossing: meant.crossing,
        scope,
        hosts: &asks.hosts,
    };
    let key = requested.tls_key()?;
    let certificate =
        opened.certificate(meant.name, &asks.node(), &asks.hosts, (&key, NODE_DAYS))?;
    let enrolment = opened.enrol(&member, asks.log_key, &certificate, now_s())?;

    opened.check_unused(&enrolment)?;
    opened.place(&member, &[], &certificate, &enrolment)?;
    requested.write(
        &opened,
        &opened.answer(enrolment, certificate.pem, &asks.hosts)?,
        json,
    )
}

/// Issues a certificate and an enrolment for a node's new TLS key; its log key, and so the node, is
/// the same.
pub(super) fn renew_requested(
    requested: &Requested<'_>,
    renewal: &Renewal<'_>,
    ca: &CaArgs,
    json: bool,
) -> Result<(), Failure> {
    let name = renewal.name;
    let dir = ca.dir.join("nodes").join(name);
    let known = read_enrolment(&dir.join("enrolment"))?;
    let asks = &requested.request;
    let meant = MeantPapers {
        name,
        role: known.role,
        crossing: known.crossing,
    };
    meant.check(asks)?;
    if asks.log_key != known.log_key {
        let why = format!(
            "the request is sealed by another log key than {name} is enrolled with: a node whose \
             log key is replaced is a new node, and gets papers of its own"
        );
        return Err(Failure::usage("other_log_key", why));
    }

    requested.confirm()?;
    let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
    opened.check_renewable(name, renewal.readmit)?;
    let member = NewMember {
        name,
        role: known.role,
        crossing: known.crossing,
        scope: known.scope.clone(),
        hosts: &asks.hosts,
    };
    let key = requested.tls_key()?;
    let certificate = opened.certificate(name, &asks.node(), &asks.hosts, (&key, renewal.days))?;

    // A larger serial replaces a smaller one everywhere, whatever this machine's clock shows.
    let serial = now_s().max(known.serial.saturating_add(1));
    let enrolment = opened.enrol(&member, asks.log_key, &certificate, serial)?;

    opened.check_unused(&enrolment)?;

    // What the CA keeps of the node is public: a secret that was made here is the old key's.
    opened.note_replaced(name, &certificate)?;
    write(&dir.join("tls.pem"), &certificate.pem)?;
    write(&dir.join("hosts"), asks.hosts.join("\n"))?;
    write(&dir.join("enrolment"), hex(&enrolment.to_bytes()) + "\n")?;
    if dir.join("tls.key").exists() {
        std::fs::remove_file(dir.join("tls.key"))?;
    }

    opened.share()?;
    requested.write(
        &opened,
        &opened.answer(enrolment, certificate.pem, &asks.hosts)?,
        json,
    )
}

impl Ca {
    /// The answer to a request that was answered already: the medium was full, or was lost. The
    /// same request has the same papers again.
    fn answered(
        &self,
        requested: &Requested<'_>,
        name: &str,
    ) -> Result<Option<PapersAnswer>, Failure> {
        let dir = self.dir.join("nodes").join(name);
        if !dir.exists() {
            return Ok(None);
        }

        let known = read_enrolment(&dir.join("enrolment"))?;
        let asks = &requested.request;
        let key = Sha256::digest(requested.tls_key()?.subject_public_key_info());
        let is_same = known.log_key == asks.log_key
            && known.tls_key == <[u8; 32]>::from(key)
            && self.hosts_of(name) == asks.hosts;
        if !is_same || is_revoked(&self.dir, name)? {
            return Ok(None);
        }

        let path = dir.join("tls.pem");
        let pem = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        self.answer(known, pem, &asks.hosts).map(Some)
    }

    /// Whether no other node was enrolled with these keys: two names of one key are one node, which
    /// would be whichever was heard last.
    fn check_unused(&self, new: &Enrolment) -> Result<(), Failure> {
        let known = super::ca::nodes(&self.dir)?;
        let same = |e: &Enrolment| e.log_key == new.log_key || e.tls_key == new.tls_key;
        let mut others = known.iter().filter(|(name, _)| *name != new.name);
        match others.find(|(_, e)| same(e)) {
            None => Ok(()),
            Some((name, _)) => {
                let why = format!("its keys are those of {name}: each node makes keys of its own");
                Err(Failure::usage("key_in_use", why))
            }
        }
    }

    fn answer(
        &self,
        enrolment: Enrolment,
        certificate_pem: String,
        hosts: &[String],
    ) -> Result<PapersAnswer, Failure> {
        let known = super::ca::nodes(&self.dir)?;
        Ok(PapersAnswer {
            enrolment,
            certificate_pem,
            ca_pem: self.ca_pem.clone(),
            crl_pem: std::fs::read_to_string(self.dir.join("crl.pem")).ok(),
            root: RootKey(self.root.public()),
            hosts: hosts.to_vec(),
            known: known.into_iter().map(|(_, e)| e).collect(),
        })
    }
}
