//! The daemon: a node in the role its papers give.

mod check;
mod encrypt;
mod log_sink;
mod move_store;
mod papers_check;
mod papers_watch;
mod proxies;
mod serve;
mod stop;
mod store;
mod tls;
mod witness_http;

use crate::{
    config::Config,
    failure::{Exit, Failure},
    pki::{
        AcceptArgs, NodeRequestArgs, Papers, SealArgs, accept_answer, make_request, seal_papers,
    },
};
use check::check;
use clap::Subcommand;
use encrypt::{EncryptArgs, encrypt};
use move_store::move_store;
use serve::serve;
use std::path::PathBuf;
use wadi_net::PeerAddress;

#[derive(Subcommand)]
pub enum NodeCommand {
    /// Runs the node until it is told to stop.
    Run {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
    /// Takes a hub's records from SQLite to an empty PostgreSQL database, each entry checked; the
    /// node must not run.
    MoveStore {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
        /// The database, as postgres://user@host/name.
        #[arg(long)]
        to: String,
    },
    /// Encrypts the node's keys in its papers under a passphrase that is kept elsewhere; the node
    /// is given it at each start.
    Seal {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
        #[command(flatten)]
        passphrase: SealArgs,
    },
    /// Encrypts the database of a node that does not run by a key in its papers, which it makes
    /// where there is none; or takes that back.
    Encrypt(EncryptArgs),
    /// Makes the node's keys on this machine, where they stay, and a request for papers for them;
    /// or for a new TLS key.
    Request(NodeRequestArgs),
    /// Puts the commission's answer to a request in its place, once it fits the keys.
    Accept(AcceptArgs),
    /// Checks configuration, papers and database, and starts nothing.
    Check {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
}

pub async fn run(command: NodeCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        NodeCommand::Run { config } => serve(Config::read(&config)?).await,
        NodeCommand::MoveStore { config, to } => {
            move_store(&Config::read(&config)?, &to, json).await
        }
        NodeCommand::Seal { config, passphrase } => {
            seal(&Config::read(&config)?, &passphrase, json)
        }
        NodeCommand::Encrypt(args) => encrypt(&args, json).await,
        NodeCommand::Request(args) => Ok(print_made(make_request(&args)?, json)),
        NodeCommand::Accept(args) => Ok(print_made(accept_answer(&args)?, json)),
        NodeCommand::Check { config } => check(&Config::read(&config)?, json).await,
    }
}

/// What a command made, for people or for scripts.
fn print_made((text, value): (String, serde_json::Value), json: bool) -> Exit {
    match json {
        true => crate::print::print_line!("{value}"),
        false => crate::print::print_line!("{text}"),
    }

    Exit::Done
}

/// Seals the papers. A node that runs goes on: it has read its keys.
fn seal(config: &Config, passphrase: &SealArgs, json: bool) -> Result<Exit, Failure> {
    // Papers that do not read are not made unreadable for good.
    Papers::read(&config.papers)?;
    let made = seal_papers(
        &config.papers,
        &passphrase.new_passphrase()?,
        passphrase.work_factor,
    )?;
    let made: Vec<String> = made.iter().map(|p| p.display().to_string()).collect();

    if json {
        crate::print::print_line!("{}", serde_json::json!({"sealed": made}));
    } else if made.is_empty() {
        crate::print::print_line!("The papers are sealed already.");
    } else {
        crate::print::print_line!(
            "Sealed: {}. Keep the passphrase away from this disk, and a copy of it where the \
             commission can find it: without it the node does not start. What the disk held \
             before may still be read from it: overwrite copies of the papers.",
            made.join(", ")
        );
    }

    Ok(Exit::Done)
}

fn peer_addresses(config: &Config, papers: &Papers) -> Result<Vec<PeerAddress>, Failure> {
    let find = |name: &str| {
        papers
            .known
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.node())
    };

    let mut addresses = Vec::new();
    for p in &config.peer {
        if p.name == papers.enrolment.name {
            let why = format!(
                "peer {:?} is this node itself: name the hub, or a neighbour",
                p.name
            );
            return Err(Failure::usage("bad_configuration", why));
        }

        let node = find(&p.name).ok_or_else(|| {
            let why = format!(
                "peer {:?} is not among the enrolments in {}/known",
                p.name,
                config.papers.display()
            );
            Failure::usage("unknown_peer", why)
        })?;

        let dials = p.dials();
        let dials = dials.map_err(|why| Failure::usage("bad_configuration", why))?;
        addresses.extend(dials.into_iter().map(|dial| PeerAddress {
            node,
            addresses: dial.addresses,
            link: dial.link,
            rate_bits_s: dial.rate_kbit_s.map(|k| k.saturating_mul(1_000)),
            month_bytes_max: dial.month_mib.map(|mib| mib << 20),
        }));
    }
    Ok(addresses)
}

/// The directory's lock, held as long as the file is open.
pub(crate) fn lock(config: &Config) -> Result<std::fs::File, Failure> {
    let path = config.data.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;

    file.try_lock().map_err(|_| {
        let why = format!(
            "{}: another process runs this node; two of them would fork its logs",
            path.display()
        );
        Failure::new("already_running", why)
    })?;

    Ok(file)
}

/// Days before its end from which a certificate is an alarm.
const CERTIFICATE_DAYS: i64 = 30;

/// What is to be said of a certificate that ends then, if anything.
fn certificate_alarm(ends_s: Option<i64>, now_s: i64) -> Option<String> {
    let left_s = ends_s?.saturating_sub(now_s);
    match left_s / 86_400 {
        _ if left_s <= 0 => Some(
            "this node's certificate has expired: it hands in what it holds and takes nothing; \
             renew it with \
             `wadi pki renew`"
                .into(),
        ),
        days if days < CERTIFICATE_DAYS => Some(format!(
            "this node's certificate expires in {days} days; renew it with `wadi pki \
                renew`"
        )),
        _ => None,
    }
}
