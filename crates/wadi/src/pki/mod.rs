//! The commission's CA: a root that signs enrolments, a certificate authority for TLS, and papers
//! for each node.
//!
//! Both keys lie encrypted under a passphrase (age, scrypt). What a node needs is one directory,
//! its papers: copy it to the node's machine and nothing else.

mod ca;
mod cut;
mod exchange;
mod own_keys;
mod papers;
mod requested;
mod sealed;

use crate::failure::{Exit, Failure};
use age::secrecy::{ExposeSecret, SecretString};
use ca::{is_revoked, nodes};
use clap::Subcommand;
use exchange::root_fingerprint;
use requested::{MeantPapers, RequestArgs, issue_requested, renew_requested};
use sealed::{check_passphrase, passphrase_in};
use serde_json::json;
use std::path::{Path, PathBuf};
use wadi_log::{Crossing, Grant, Lane, Role, Scope};

pub use ca::Ca;
pub use own_keys::{AcceptArgs, NodeRequestArgs, accept_answer, make_request};
pub use papers::{
    Papers, close_secrets, exposed_secrets, make_store_key, read_identity, read_store_key,
};
pub use sealed::seal_papers;

/// Days that a node's certificate is valid; a dark site must outlast them.
const NODE_DAYS: u32 = 3 * 365;
/// Characters of a passphrase below which no root is made, unless that is forced.
const PASSPHRASE_CHARS: usize = 12;
/// Whoever asks for a scrypt cost of no more than this makes a trial: the passphrase guards nothing
/// anyhow.
const WORK_FACTOR_TRIAL: u8 = 14;
/// scrypt cost of files accepted at most, as a power of two.
pub(crate) const WORK_FACTOR_MAX: u8 = 22;

#[derive(Subcommand)]
pub enum PkiCommand {
    /// Makes the root and the CA.
    Init {
        /// What opening the CA costs whoever guesses passphrases, as a power of two; fitted to this
        /// machine where it is left out. Low ones are for trials.
        #[arg(long, value_parser = clap::value_parser!(u8).range(10..=i64::from(WORK_FACTOR_MAX)))]
        work_factor: Option<u8>,
        /// Take a short passphrase, for a trial.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Makes a node's keys, certificate and enrolment: its papers. Or, with --request, an answer
    /// for keys that the node made on its own machine.
    Issue(IssueArgs),
    /// Makes a new certificate for a node's key; or, with --request, for a new TLS key that the
    /// node made.
    Renew {
        /// The node's name.
        name: String,
        /// Days that it is valid; at most as many as usual.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(NODE_DAYS)))]
        days: Option<u32>,
        /// Although the node was put on the revocation list: it is let in again.
        #[arg(long)]
        readmit: bool,
        #[command(flatten)]
        request: RequestArgs,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Puts a node's certificate on the revocation list. Cut the node at the hub, too.
    Revoke {
        /// The node's name.
        name: String,
        /// Those of its certificates alone that were replaced for a new key: the node goes on.
        #[arg(long)]
        replaced: bool,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Signs a cut of a node with the root, on the machine where the CA lies: the one way to cut a
    /// hub. `wadi say cut --signed FILE` carries it, at any node.
    Cut {
        /// The node's name.
        name: String,
        /// What counts of it: the answer of `wadi say cut NAME --dry-run --json`, with --since or
        /// without. Nothing does where it is left out.
        #[arg(long)]
        heads: Option<PathBuf>,
        /// An earlier cut of the root's that this one replaces, as saying it answered; repeat it.
        #[arg(long)]
        extends: Vec<String>,
        /// Take back what --extends names, and cut nothing.
        #[arg(long, requires = "extends", conflicts_with = "heads")]
        lift: bool,
        /// The node that goes on in its place.
        #[arg(long, conflicts_with = "lift")]
        successor: Option<String>,
        /// Why, for people.
        #[arg(long)]
        reason: String,
        /// Where the cut is written.
        #[arg(long, short)]
        output: PathBuf,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        ca: CaArgs,
    },
    /// Lists the nodes that have papers.
    List {
        #[command(flatten)]
        ca: CaArgs,
    },
}

/// What is issued.
#[derive(clap::Args)]
pub struct IssueArgs {
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
    /// This machine's own (localhost, 127.0.0.1) is always there. A request names its own.
    #[arg(long, conflicts_with = "request")]
    host: Vec<String>,
    #[command(flatten)]
    request: RequestArgs,
    #[command(flatten)]
    ca: CaArgs,
}

/// Where the passphrase of a node's papers comes from when they are sealed.
#[derive(clap::Args, Clone, Debug)]
pub struct SealArgs {
    /// A file that holds the passphrase; else it is asked for.
    #[arg(long)]
    pub passphrase_file: Option<PathBuf>,
    /// What opening the papers costs whoever guesses passphrases, as a power of two; fitted to this
    /// machine where it is left out.
    #[arg(long, value_parser = clap::value_parser!(u8).range(10..=i64::from(WORK_FACTOR_MAX)))]
    pub work_factor: Option<u8>,
}

impl SealArgs {
    /// The passphrase that is to open the papers from now on.
    ///
    /// # Errors
    ///
    /// `empty_passphrase` and `short_passphrase` where it keeps nobody out.
    pub fn new_passphrase(&self) -> Result<SecretString, Failure> {
        let passphrase = match &self.passphrase_file {
            Some(file) => read_passphrase(file)?,
            None => ask_passphrase("Passphrase of the node's papers: ", true)?,
        };

        check_passphrase(&passphrase, PASSPHRASE_CHARS, "the disk")?;
        Ok(passphrase)
    }
}

fn read_passphrase(file: &Path) -> Result<SecretString, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage("passphrase_file", format!("{}: {e}", file.display())))?;
    Ok(passphrase_in(&text))
}

/// Asks whoever sits at the terminal, twice where it is a new one.
fn ask_passphrase(prompt: &str, twice: bool) -> Result<SecretString, Failure> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|e| {
            let why = format!("no passphrase: {e}; use --passphrase-file or WADI_PASSPHRASE");
            Failure::usage("no_passphrase", why)
        })
    };

    let first = ask(prompt)?;
    if twice && ask("Again: ")? != first {
        return Err(Failure::usage(
            "passphrase_differs",
            "the two passphrases differ",
        ));
    }

    Ok(first.into())
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
    /// The passphrase of a new root: never an empty one, and a short one for a trial alone.
    fn new_passphrase(&self, is_trial: bool) -> Result<SecretString, Failure> {
        let passphrase = self.passphrase(true)?;
        let text = passphrase.expose_secret();
        if text.trim().is_empty() {
            let why = "an empty passphrase protects nothing: whoever gets root.key.age would \
                speak for the commission";
            return Err(Failure::usage("empty_passphrase", why));
        }

        let chars = text.chars().count();
        if chars < PASSPHRASE_CHARS && !is_trial {
            let why = format!(
                "this passphrase has {chars} characters, and can be guessed by whoever gets \
                 root.key.age: take several words, {PASSPHRASE_CHARS} characters or more, or for \
                 a trial --force"
            );
            return Err(Failure::usage("short_passphrase", why));
        }

        if chars < PASSPHRASE_CHARS {
            crate::print::print_error!(
                "wadi: WARNING: this passphrase has {chars} characters, and can be guessed by \
                 whoever gets root.key.age; for \
                 anything but a trial take several words, {PASSPHRASE_CHARS} characters or more"
            );
        }

        Ok(passphrase)
    }

    fn passphrase(&self, twice: bool) -> Result<SecretString, Failure> {
        if let Some(file) = &self.passphrase_file {
            return read_passphrase(file);
        }

        if let Ok(text) = std::env::var("WADI_PASSPHRASE") {
            return Ok(passphrase_in(&text));
        }

        ask_passphrase("Passphrase of the commission's root: ", twice)
    }
}

fn unreadable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new("unreadable_papers", format!("{}: {why}", path.display()))
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
    match command {
        PkiCommand::Init {
            work_factor,
            force,
            ca,
        } => init(work_factor, force, &ca, json)?,
        PkiCommand::Issue(args) => issue(&args, json)?,
        PkiCommand::Renew {
            name,
            days,
            readmit,
            request,
            ca,
        } => {
            let renewal = Renewal {
                name: &name,
                days: days.unwrap_or(NODE_DAYS),
                readmit,
            };
            match request.read()? {
                Some(requested) => renew_requested(&requested, &renewal, &ca, json)?,
                None => renew(&renewal, &ca, json)?,
            }
        }
        PkiCommand::Revoke { name, replaced, ca } => {
            let path = Ca::open(&ca.dir, &ca.passphrase(false)?)?.revoke(&name, replaced)?;
            let text = revoked_text(&name, &path, replaced);

            print_text_or_json(
                json,
                &text,
                &json!({"revoked": name, "crl": path.display().to_string()}),
            );
        }
        PkiCommand::Cut {
            name,
            heads,
            extends,
            lift,
            successor,
            reason,
            output,
            force,
            ca,
        } => {
            let asked = cut::AskedCut {
                name: &name,
                heads: heads.as_deref(),
                extends: &extends,
                lift,
                successor: successor.as_deref(),
                reason,
            };
            cut::run(asked, &output, force, &ca, json)?;
        }
        PkiCommand::List { ca } => list(&ca, json)?,
    }

    Ok(Exit::Done)
}

fn init(work_factor: Option<u8>, force: bool, ca: &CaArgs, json: bool) -> Result<(), Failure> {
    Ca::check_absent(&ca.dir)?;
    let is_trial = force || work_factor.is_some_and(|n| n <= WORK_FACTOR_TRIAL);
    let made = Ca::init(&ca.dir, &ca.new_passphrase(is_trial)?, work_factor)?;
    let root = root_fingerprint(&made.root.public());
    let text = format!(
        "The commission's root and CA are in {}. Keep root.key.age and the passphrase apart and \
         offline. Nodes that make their own keys know the root by {root}.",
        ca.dir.display()
    );

    let value = json!({"dir": ca.dir.display().to_string(), "root": root});
    print_text_or_json(json, &text, &value);
    Ok(())
}

/// A certificate that is to be made anew.
struct Renewal<'a> {
    name: &'a str,
    days: u32,
    /// Although the one before was revoked.
    readmit: bool,
}

fn renew(renewal: &Renewal<'_>, ca: &CaArgs, json: bool) -> Result<(), Failure> {
    let name = renewal.name;
    let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
    opened.check_renewable(name, renewal.readmit)?;
    let dir = opened.renew(name, renewal.days)?;
    let text = format!(
        "A new certificate is in {}: copy tls.pem into the papers on the node's machine. The node \
         takes it up while it runs.",
        dir.display()
    );

    print_text_or_json(
        json,
        &text,
        &json!({"name": name, "papers": dir.display().to_string()}),
    );
    Ok(())
}

/// What is to be done with a revocation list.
fn revoked_text(name: &str, path: &Path, replaced: bool) -> String {
    let file = path.display();
    match replaced {
        true => format!(
            "What {name} showed before its new key is on the list {file}: copy it into every \
             node's papers. The node itself goes on."
        ),
        false => format!(
            "{name} is on the list {file}: copy it into every node's papers. They take it up while \
             they run, and close their links to it. At the hub, `wadi say cut {name}` ends what \
             counts of it."
        ),
    }
}

fn print_text_or_json(json: bool, text: &str, value: &serde_json::Value) {
    if json {
        crate::print::print_line!("{value}");
    } else {
        crate::print::print_line!("{text}");
    }
}

fn issue(args: &IssueArgs, json: bool) -> Result<(), Failure> {
    let (role, crossing) = role_and_crossing(&args.role, args.crossing.as_deref())?;
    let (name, ca) = (args.name.as_str(), &args.ca);
    if let Some(requested) = args.request.read()? {
        let meant = MeantPapers {
            name,
            role,
            crossing,
        };
        return issue_requested(&requested, &meant, &args.grant, ca, json);
    }

    let scope = scope_of(role, crossing, &args.grant)?;
    let opened = Ca::open(&ca.dir, &ca.passphrase(false)?)?;
    let (dir, enrolment) = opened.issue(name, role, crossing, scope, &args.host)?;
    let text = format!(
        "Papers of {name} ({}) are in {}: copy them to its machine.",
        enrolment.node(),
        dir.display()
    );

    print_text_or_json(
        json,
        &text,
        &json!({
            "name": name,
            "node": enrolment.node().to_string(),
            "papers": dir.display().to_string(),
        }),
    );

    Ok(())
}

/// A node's role and crossing, as somebody typed them.
fn role_and_crossing(
    role: &str,
    crossing: Option<&str>,
) -> Result<(Role, Option<Crossing>), Failure> {
    let role: Role = role
        .parse()
        .map_err(|e: wadi_log::LogError| Failure::usage("bad_role", e.to_string()))?;
    let of_none = |role: &str| {
        let why = format!("{role} is of no crossing: leave --crossing out, or name another --role");
        Err(Failure::usage("bad_crossing", why))
    };
    let crossing = match (role, crossing) {
        (Role::Hub, None | Some("HUB")) => Some(Crossing::HUB),
        (Role::Hub, Some(_)) => return of_none("a hub"),
        (Role::Observer, None) => None,
        (Role::Observer, Some(_)) => return of_none("an observer"),
        (Role::Crossing, None) => {
            let why = "a crossing's node needs --crossing";
            return Err(Failure::usage("no_crossing", why));
        }
        (Role::Crossing, Some(code)) => {
            let bad = |e: wadi_log::LogError| Failure::usage("bad_crossing", e.to_string());
            Some(code.parse().map_err(bad)?)
        }
    };

    Ok((role, crossing))
}

fn list(ca: &CaArgs, json: bool) -> Result<(), Failure> {
    let all = nodes(&ca.dir)?;
    let mut rows = Vec::new();
    for (name, e) in &all {
        let crossing = e.crossing.map(|c| c.to_string()).unwrap_or_default();
        let revoked = is_revoked(&ca.dir, name)?;
        if !json {
            let mark = if revoked { " revoked" } else { "" };
            crate::print::print_line!(
                "{name:<24} {:<9} {crossing:<4} {}{mark}",
                e.role.name(),
                e.node()
            );
        }
        rows.push(json!({
            "name": name,
            "role": e.role.name(),
            "node": e.node().to_string(),
            "revoked": revoked,
        }));
    }

    if json {
        crate::print::print_line!("{}", json!({"nodes": rows}));
    }

    Ok(())
}
