//! The commands that talk to a running node or read what one left, a module a noun.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod bundle;
pub(crate) mod client;
mod confirm;
pub(crate) mod export;
mod finding_page;
pub(crate) mod findings;
mod history;
pub(crate) mod import;
pub(crate) mod lab;
pub(crate) mod people;
pub(crate) mod policy;
pub(crate) mod record;
pub(crate) mod release_token;
pub(crate) mod resync;
mod said;
pub(crate) mod say;
pub(crate) mod schema;
mod signing;
pub(crate) mod status;
pub(crate) mod token;
mod token_file;
mod typed;

use crate::failure::{Exit, Failure};
use client::percent_encode;
use std::path::PathBuf;

/// Which running node to talk to.
#[derive(clap::Args, Clone, Debug)]
// Its group would have a name of its own, and clap takes a name once.
#[group(skip)]
pub struct NodeAt {
    /// The node's configuration; its directory holds the operator's token.
    #[arg(long, default_value = "node.toml")]
    config: PathBuf,
    /// The node's HTTP address, where it is not the one in the configuration.
    #[arg(long)]
    url: Option<String>,
    /// A bearer token, where it is not the operator's own of this machine. Everybody on the machine
    /// can read a command line: give --token-file, or WADI_TOKEN.
    #[arg(long, env = "WADI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with such a token, which others may not read; - for the standard input. It goes
    /// before --token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Whose act it is.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)]
pub struct PersonArg {
    /// The person whose act it is, where the token is nobody's own, as the machine's.
    #[arg(long, env = "WADI_PERSON", hide_env_values = true, value_name = "NAME")]
    person: Option<String>,
}

impl PersonArg {
    /// A path with the person, as the node is asked there.
    fn on(&self, path: &str) -> String {
        match &self.person {
            Some(person) => format!("{path}?person={}", percent_encode(person)),
            None => path.into(),
        }
    }
}

/// Runs a command that blocks, as those do that talk to a running node, off the runtime's threads.
pub async fn run_blocking(
    command: impl FnOnce() -> Result<Exit, Failure> + Send + 'static,
) -> Result<Exit, Failure> {
    tokio::task::spawn_blocking(command)
        .await
        .map_err(|e| Failure::new("panicked", e.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_whatever_letters_the_name_has() {
        let on = |person: Option<&str>| {
            let person = person.map(String::from);
            PersonArg { person }.on("/v1/control")
        };
        assert_eq!(on(None), "/v1/control");
        assert_eq!(on(Some("Layla H&n")), "/v1/control?person=Layla%20H%26n");
    }
}
