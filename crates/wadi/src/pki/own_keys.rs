//! A node's keys, made on its own machine, which they never leave: asking for papers for them, and
//! putting the answer in its place.

use super::{
    SealArgs,
    exchange::{
        PapersAnswer, PapersRequest, is_fingerprint, root_fingerprint, tls_name, told_fingerprint,
    },
    papers::{key_bytes, read_enrolment},
    role_and_crossing,
    sealed::{SecretPapers, seal, write},
    unreadable,
};
use crate::{failure::Failure, output};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use wadi_log::{Crossing, LogKey, Role, hex, unhex};
use wadi_store::private;

/// A TLS key that was asked for, until the answer puts it in the old one's place.
const NEXT_TLS_KEY: &str = "tls.key.next";
/// What was asked last, as it was asked.
const REQUEST_FILE: &str = "request";

/// What a node's machine asks for.
#[derive(clap::Args)]
pub struct NodeRequestArgs {
    /// The node's name, as agreed with the commission: a-z, 0-9 and -.
    #[arg(long, required_unless_present = "new_tls_key")]
    name: Option<String>,
    /// crossing, hub or observer.
    #[arg(long, default_value = "crossing")]
    role: String,
    /// The crossing's code, as TRB.
    #[arg(long)]
    crossing: Option<String>,
    /// A host name or address under which its HTTP API is called, for `http_tls`; repeat it. With
    /// --new-tls-key those that it has, where none is given.
    #[arg(long)]
    host: Vec<String>,
    /// Make a new TLS key for the node whose papers are there: its name, crossing and log key stay.
    #[arg(long, conflicts_with_all = ["name", "role", "crossing", "seal"])]
    new_tls_key: bool,
    /// The directory of the node's papers, where the keys are made and stay.
    #[arg(long, default_value = "papers")]
    papers: PathBuf,
    /// Encrypt the keys under a passphrase before they are written, as `wadi node seal` does. A new
    /// TLS key is sealed where the old one is.
    #[arg(long)]
    seal: bool,
    #[command(flatten)]
    passphrase: SealArgs,
    /// Where the request is written.
    #[arg(long, short)]
    output: PathBuf,
    /// Write over a file that is there, and over a TLS key that was asked for and not answered.
    #[arg(long)]
    force: bool,
}

/// What puts an answer in its place.
#[derive(clap::Args)]
pub struct AcceptArgs {
    /// The answer that `wadi pki issue --request` or `wadi pki renew --request` wrote.
    file: PathBuf,
    /// The directory of the node's papers.
    #[arg(long, default_value = "papers")]
    papers: PathBuf,
    /// The fingerprint of the commission's root, told by the commission on another way than the
    /// file came; else it is asked for. Papers that hold a root already are held against it.
    #[arg(long)]
    root: Option<String>,
}

fn new_key() -> Result<KeyPair, Failure> {
    KeyPair::generate_for(&PKCS_ED25519).map_err(|e| Failure::new("certificate", e.to_string()))
}

/// What shows that whoever asks has the TLS key's secret, and means this node by it.
fn csr(name: &str, log_key: &LogKey, key: &KeyPair) -> Result<Vec<u8>, Failure> {
    let rc = |e: rcgen::Error| Failure::new("certificate", e.to_string());
    let mut params = CertificateParams::new(vec![tls_name(&log_key.node())]).map_err(rc)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params.serialize_request(key).map_err(rc)?.der().to_vec())
}

/// Makes keys, and a request for papers for them.
///
/// # Errors
///
/// `keys_exist` where the papers hold keys already, `request_under_way` where a new TLS key waits
/// for its answer, and what files and passphrases bring.
pub fn make_request(args: &NodeRequestArgs) -> Result<(String, Value), Failure> {
    output::check_free(&args.output, args.force)?;
    let request = match args.new_tls_key {
        true => ask_for_new_tls_key(args)?,
        false => ask_for_papers(args)?,
    };

    write(&args.papers.join(REQUEST_FILE), request.to_text())?;
    output::write(&args.output, request.to_text().as_bytes())?;

    let file = args.output.display();
    let command = match args.new_tls_key {
        true => "renew",
        false => "issue",
    };
    let crossing = request.crossing.map(|c| format!(" --crossing {c}"));
    let crossing = crossing.filter(|_| !args.new_tls_key && request.role == Role::Crossing);
    let role = match request.role {
        Role::Crossing => String::new(),
        _ if args.new_tls_key => String::new(),
        role => format!(" --role {}", role.name()),
    };
    let text = format!(
        "The keys are in {} and stay there. The request is in {file}: take it to the commission's \
         CA, and tell its operator this fingerprint on another way than the file:\n\n  {}\n\n\
         There: wadi pki {command} {}{role}{} --request {} -o {}.answer",
        args.papers.display(),
        request.fingerprint(),
        request.name,
        crossing.unwrap_or_default(),
        file_name(&args.output),
        request.name
    );
    let value = json!({
        "name": request.name,
        "node": request.node().to_string(),
        "request": file.to_string(),
        "papers": args.papers.display().to_string(),
        "fingerprint": request.fingerprint(),
    });
    Ok((text, value))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

fn ask_for_papers(args: &NodeRequestArgs) -> Result<PapersRequest, Failure> {
    let dir = &args.papers;
    let (role, crossing) = role_and_crossing(&args.role, args.crossing.as_deref())?;
    let held = dir.exists() && std::fs::read_dir(dir)?.next().is_some();
    if held {
        let why = format!(
            "{} holds papers already, or asked for them: what was asked is in its file {}; name \
             another directory with --papers, or ask for a new TLS key with --new-tls-key",
            dir.display(),
            REQUEST_FILE
        );
        return Err(Failure::usage("keys_exist", why));
    }

    let passphrase = match args.seal {
        true => Some(args.passphrase.new_passphrase()?),
        false => None,
    };
    let seed: [u8; 32] = rand::random();
    let (log_key, tls_key) = (LogKey::from_seed(&seed), new_key()?);
    let name = args.name.clone().unwrap_or_default();
    let signed = csr(&name, &log_key, &tls_key)?;
    let who = (name, role, crossing);
    let request = PapersRequest::of(who, args.host.clone(), signed, &log_key)?;

    // Under another name until all of it is there, and encrypted before it meets the disk.
    let mut part = dir.as_os_str().to_owned();
    part.push(".unfinished");
    let part = PathBuf::from(part);
    if part.exists() {
        std::fs::remove_dir_all(&part)?;
    }

    private::create_dir_all(&part)?;
    let secrets = [
        ("log.key", hex(&seed) + "\n"),
        ("tls.key", tls_key.serialize_pem()),
    ];
    for (name, secret) in secrets {
        match &passphrase {
            None => write(&part.join(name), secret)?,
            Some(passphrase) => {
                let sealed = seal(&secret, passphrase, args.passphrase.work_factor)?;
                write(&part.join(format!("{name}.age")), sealed)?;
            }
        }
    }

    write(&part.join(REQUEST_FILE), request.to_text())?;
    std::fs::rename(&part, dir).map_err(|e| unreadable(dir, e))?;
    Ok(request)
}

fn ask_for_new_tls_key(args: &NodeRequestArgs) -> Result<PapersRequest, Failure> {
    let dir = &args.papers;
    let known = read_enrolment(&dir.join("enrolment"))?;
    let mut secrets = SecretPapers::of(dir);
    let log_key = own_log_key(dir, &mut secrets)?;
    let waits = [
        dir.join(NEXT_TLS_KEY),
        dir.join(format!("{NEXT_TLS_KEY}.age")),
    ];
    if waits.iter().any(|path| path.exists()) && !args.force {
        let why = format!(
            "a new TLS key waits for its answer in {}; what was asked is in its file {}. Accept \
             the answer, or ask for another key with --force",
            dir.display(),
            REQUEST_FILE
        );
        return Err(Failure::usage("request_under_way", why));
    }

    let hosts = match args.host.is_empty() {
        false => args.host.clone(),
        true => {
            let hosts = std::fs::read_to_string(dir.join("hosts")).unwrap_or_default();
            hosts.lines().map(String::from).collect()
        }
    };
    let key = new_key()?;
    let signed = csr(&known.name, &log_key, &key)?;
    let who = (known.name, known.role, known.crossing);
    let request = PapersRequest::of(who, hosts, signed, &log_key)?;

    for path in waits.iter().filter(|path| path.exists()) {
        std::fs::remove_file(path)?;
    }
    let work_factor = args.passphrase.work_factor;
    secrets.write_alike(NEXT_TLS_KEY, &key.serialize_pem(), work_factor)?;
    Ok(request)
}

fn own_log_key(dir: &Path, secrets: &mut SecretPapers<'_>) -> Result<LogKey, Failure> {
    let seed = key_bytes(&dir.join("log.key"), &secrets.text("log.key")?)?;
    Ok(LogKey::from_seed(&seed))
}

/// Which of a node's TLS keys an answer is for.
#[derive(PartialEq)]
enum AnsweredKey {
    /// The one in use.
    Own,
    /// The one that was asked for.
    Next,
}

/// Puts an answer in its place, once it is sure that it is this commission's, of these keys, and of
/// what was asked.
///
/// # Errors
///
/// `other_root`, `no_root_fingerprint`, `answer_not_for_these_keys`, `answer_differs`,
/// `answer_is_old` and `bad_answer_file`; nothing is changed then.
pub fn accept_answer(args: &AcceptArgs) -> Result<(String, Value), Failure> {
    let dir = &args.papers;
    let answer = PapersAnswer::read(&args.file)?;
    check_root(args, &answer)?;

    let mut secrets = SecretPapers::of(dir);
    let log_key = own_log_key(dir, &mut secrets)?;
    if answer.enrolment.log_key != log_key.public() {
        let why = format!(
            "it enrols {} ({}), whose log key is not the one in {}",
            answer.enrolment.name,
            answer.enrolment.node(),
            dir.display()
        );
        return Err(Failure::usage("answer_not_for_these_keys", why));
    }

    check_asked(dir, &answer)?;
    check_newest(dir, &answer)?;
    let key = answered_key(dir, &mut secrets, &answer)?;
    put_in_place(dir, &answer, key == AnsweredKey::Next)?;

    let e = &answer.enrolment;
    let crossing = e.crossing.map(|c| c.to_string()).unwrap_or_default();
    let text = format!(
        "{} ({} {crossing}, {}) has its papers in {}. `wadi node check` looks at them; a node that \
         runs goes by a new key once it is started again.",
        e.name,
        e.role.name(),
        e.node(),
        dir.display()
    );
    let value = json!({
        "name": e.name,
        "node": e.node().to_string(),
        "role": e.role.name(),
        "crossing": e.crossing.map(|c| c.to_string()),
        "serial": e.serial,
        "new_key": key == AnsweredKey::Next,
        "papers": dir.display().to_string(),
    });
    Ok((text, value))
}

/// Whether the root that sealed the answer is the commission's: by the one held, or by what the
/// commission says of it.
fn check_root(args: &AcceptArgs, answer: &PapersAnswer) -> Result<(), Failure> {
    let held = args.papers.join("root.pub");
    let printed = root_fingerprint(&answer.root.0);
    let other = |than: String| {
        let why = format!(
            "{}: another root than {than} sealed it, {printed}: it is not this commission's answer",
            args.file.display()
        );
        Err(Failure::usage("other_root", why))
    };

    if let Ok(text) = std::fs::read_to_string(&held)
        && unhex(text.trim()).as_deref() != Some(&answer.root.0[..])
    {
        return other(format!("the one in {}", held.display()));
    }

    if args.root.is_none() && held.exists() {
        return Ok(());
    }

    let question = "Fingerprint of the commission's root, as the commission reads it out:";
    let typed = told_fingerprint(args.root.as_deref(), question, || {
        let why = "give --root, the fingerprint of the commission's root, as the commission told \
            it on another way than the file came";
        Failure::usage("no_root_fingerprint", why)
    })?;
    match is_fingerprint(&typed, &printed) {
        true => Ok(()),
        false => other(typed.trim().into()),
    }
}

/// Whether the answer gives what was asked for.
fn check_asked(dir: &Path, answer: &PapersAnswer) -> Result<(), Failure> {
    let request = PapersRequest::read(&dir.join(REQUEST_FILE))?;
    let asked: (&str, Role, Option<Crossing>) = (&request.name, request.role, request.crossing);
    let e = &answer.enrolment;
    if (e.name.as_str(), e.role, e.crossing) == asked && answer.hosts == request.hosts {
        return Ok(());
    }

    let why = format!(
        "it is for {} ({}), and {} was asked for, with other host names, role or crossing; ask \
         the commission what was issued",
        e.name,
        e.node(),
        request.name
    );
    Err(Failure::usage("answer_differs", why))
}

/// Whether no newer enrolment is in force: what peers know replaces an older one.
fn check_newest(dir: &Path, answer: &PapersAnswer) -> Result<(), Failure> {
    let path = dir.join("enrolment");
    if !path.exists() {
        return Ok(());
    }

    let held = read_enrolment(&path)?;
    match held == answer.enrolment || held.serial < answer.enrolment.serial {
        true => Ok(()),
        false => Err(Failure::usage(
            "answer_is_old",
            "a newer enrolment of this node is in its place already",
        )),
    }
}

/// Which of the node's TLS keys the answer is for; its certificate and its enrolment name the same.
fn answered_key(
    dir: &Path,
    secrets: &mut SecretPapers<'_>,
    answer: &PapersAnswer,
) -> Result<AnsweredKey, Failure> {
    let (node, certified) = wadi_net::peer_of_pem(&answer.certificate_pem)?;
    let enrolled = answer.enrolment.tls_key;
    let mut is = |name: &str| -> Result<bool, Failure> {
        if !secrets.has(name) {
            return Ok(false);
        }

        let pem = secrets.text(name)?;
        let key = KeyPair::from_pem(&pem).map_err(|e| unreadable(&dir.join(name), e))?;
        Ok(Sha256::digest(key.subject_public_key_info())[..] == enrolled)
    };

    let fits = node == answer.enrolment.node() && certified == enrolled;
    match (fits, is(NEXT_TLS_KEY)?, is("tls.key")?) {
        (true, true, _) => Ok(AnsweredKey::Next),
        (true, false, true) => Ok(AnsweredKey::Own),
        _ => {
            let why = format!("it is for another TLS key than those in {}", dir.display());
            Err(Failure::usage("answer_not_for_these_keys", why))
        }
    }
}

/// Writes the papers. What is cut off here is done again by accepting the answer once more.
fn put_in_place(dir: &Path, answer: &PapersAnswer, is_next: bool) -> Result<(), Failure> {
    let known = dir.join("known");
    private::create_dir_all(&known)?;
    for enrolment in &answer.known {
        write(
            &known.join(&enrolment.name),
            hex(&enrolment.to_bytes()) + "\n",
        )?;
    }

    write(&dir.join("ca.pem"), &answer.ca_pem)?;
    write(&dir.join("root.pub"), hex(&answer.root.0) + "\n")?;
    write(&dir.join("hosts"), answer.hosts.join("\n"))?;
    if let Some(crl) = &answer.crl_pem {
        write(&dir.join("crl.pem"), crl)?;
    }

    if is_next {
        SecretPapers::of(dir).replace("tls.key", NEXT_TLS_KEY)?;
    }
    write(&dir.join("tls.pem"), &answer.certificate_pem)?;
    write(
        &dir.join("enrolment"),
        hex(&answer.enrolment.to_bytes()) + "\n",
    )
}
