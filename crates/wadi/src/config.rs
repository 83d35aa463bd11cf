//! A node's configuration, `node.toml`. Every key is documented in `docs/configuration.md`; unknown
//! ones are refused.

mod country;
mod passkeys;
mod peers;
mod spool;

pub(crate) use peers::{PeerConfig, PeerDial};
pub(crate) use spool::{SpoolConfig, spool_places};

use crate::failure::Failure;
use country::{COUNTRY_KEYS, CountryConfig, WITNESS_KEYS};
use passkeys::check_passkeys;
use peers::{LINK_KEYS, PEER_KEYS};
use serde::{Deserialize, Serialize};
use spool::{SPOOL_KEYS, check_spools, read_spools};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use wadi_node::{BudgetLimits, Cost, Limit};
use wadi_record::nearest;

/// The configuration, with paths relative to the file's directory made absolute.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Config {
    /// Directory of `node.sqlite`, `anchor`, `log/` and the operator's token.
    #[serde(default = "here")]
    pub data: PathBuf,
    /// URL of a PostgreSQL database in place of `node.sqlite`; for a hub.
    #[serde(default)]
    pub database: Option<String>,
    /// Whether the database is encrypted by the key `store.key` of the papers.
    #[serde(default)]
    pub database_encrypted: bool,
    /// Directory of the papers that `wadi pki issue` wrote.
    pub papers: PathBuf,
    /// UDP address for QUIC.
    pub listen: SocketAddr,
    /// Address of the HTTP API; loopback unless `http_tls`.
    pub http: SocketAddr,
    /// Serve the HTTP API under TLS with the node's certificate; required on any but loopback
    /// addresses.
    #[serde(default)]
    pub http_tls: bool,
    /// A certificate that browsers take, with its chain, PEM: they take none of an Ed25519 key, as
    /// the node's is.
    #[serde(default)]
    pub http_certificate: Option<PathBuf>,
    /// The key of `http_certificate`, PEM.
    #[serde(default)]
    pub http_key: Option<PathBuf>,
    /// Addresses of proxies before the HTTP API that are believed whom they speak for, and whether
    /// the browser speaks TLS with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_proxies: Vec<IpAddr>,
    /// Origins of the console at which passkeys are offered; none where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http_passkeys: Vec<String>,
    /// Spool directories; none where machines do not write files.
    #[serde(
        default,
        deserialize_with = "read_spools",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub spool: Vec<SpoolConfig>,
    /// Seconds of pause between two attempts to reach a peer; one waits four for a first answer.
    #[serde(default = "redial")]
    pub redial_s: f64,
    /// Seconds without a sign of life after which a connection is given up.
    #[serde(default = "idle")]
    pub idle_s: f64,
    /// Whether the commission owns the links: congestion control by delay, not by loss.
    #[serde(default = "yes")]
    pub own_links: bool,
    /// Hours from one reading through of everything held to the next.
    #[serde(default = "scrub_hours")]
    pub scrub_hours: f64,
    /// MiB of entries that the scrub reads a second at most.
    #[serde(default = "scrub_mib_s")]
    pub scrub_mib_s: f64,
    /// MiB of the file `ballast`, which is given up when the disk is full, so that holds can still
    /// be recorded; 0 for none.
    #[serde(default = "ballast")]
    pub ballast_mib: u64,
    /// MiB free, the ballast apart, below which less is taken (`docs/configuration.md`).
    #[serde(default = "room_low")]
    pub room_low_mib: u64,
    /// What is logged: error, warn, info, debug, or a filter of tracing.
    #[serde(default = "info")]
    pub log: String,
    /// A clock for demonstrations.
    #[serde(default)]
    pub clock: Option<ClockConfig>,
    /// What members may cost, by what it is (`docs/configuration.md`).
    #[serde(default)]
    pub budgets: BTreeMap<String, BudgetConfig>,
    /// The country log of a hub.
    #[serde(default)]
    pub country: CountryConfig,
    /// Peers to dial.
    #[serde(default)]
    pub peer: Vec<PeerConfig>,
}

/// How much of something a crossing may cost; a hub sixteen times that, an observer a quarter.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct BudgetConfig {
    /// At once, where it cost nothing for long.
    pub burst: f64,
    /// For as long as it likes, a second.
    pub per_s: f64,
}

/// A clock that runs faster than the machine's.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ClockConfig {
    /// What it showed, Unix milliseconds …
    pub origin_ms: i64,
    /// … when the machine's clock showed that.
    pub real_ms: i64,
    /// How many times as fast it runs.
    pub scale: f64,
}

fn here() -> PathBuf {
    ".".into()
}
fn redial() -> f64 {
    2.0
}
fn idle() -> f64 {
    30.0
}
fn scrub_hours() -> f64 {
    24.0
}
fn scrub_mib_s() -> f64 {
    4.0
}
fn yes() -> bool {
    true
}
fn ballast() -> u64 {
    64
}
fn room_low() -> u64 {
    512
}
fn info() -> String {
    "info".into()
}

const KEYS: [&str; 24] = [
    "data",
    "database",
    "database_encrypted",
    "papers",
    "listen",
    "http",
    "http_tls",
    "http_certificate",
    "http_key",
    "http_proxies",
    "http_passkeys",
    "spool",
    "redial_s",
    "idle_s",
    "own_links",
    "scrub_hours",
    "scrub_mib_s",
    "ballast_mib",
    "room_low_mib",
    "log",
    "clock",
    "budgets",
    "country",
    "peer",
];
/// MiB that a key may ask for: a TiB.
const MIB_MAX: u64 = 1 << 20;
const BUDGET_KEYS: [&str; 2] = ["burst", "per_s"];
/// The most that a budget may be, of whatever it is: more is a slip.
const BUDGET_MAX: f64 = 1e15;
const CLOCK_KEYS: [&str; 3] = ["origin_ms", "real_ms", "scale"];

impl Config {
    /// Reads a configuration.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bad =
            |why: String| Failure::usage("bad_configuration", format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path)
            .map_err(|e| bad(format!("{e}; name another with --config")))?;
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| bad(e.to_string()))?;

        check_all_keys(&table).map_err(bad)?;
        check_addresses(&table).map_err(bad)?;
        check_proxies(&table).map_err(bad)?;
        let mut config: Self = table
            .try_into()
            .map_err(|e: toml::de::Error| bad(e.message().to_string()))?;
        config.check_values().map_err(bad)?;
        let dir = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));

        config.data = if config.data == Path::new(".") {
            dir.into()
        } else {
            dir.join(&config.data)
        };

        config.papers = dir.join(&config.papers);
        for spool in &mut config.spool {
            spool.dir = dir.join(&spool.dir);
        }
        config.http_certificate = config.http_certificate.map(|c| dir.join(c));
        config.http_key = config.http_key.map(|k| dir.join(k));
        Ok(config)
    }

    /// Values that no node could run with.
    fn check_values(&self) -> Result<(), String> {
        if !self.http.ip().is_loopback() && !self.http_tls {
            return Err(format!(
                "http = {} is not a loopback address: set http_tls = true",
                self.http
            ));
        }

        if self.http_certificate.is_some() != self.http_key.is_some() {
            return Err("http_certificate and http_key are given together".into());
        }

        if self.http_certificate.is_some() && !self.http_tls {
            return Err("http_certificate is shown under TLS: set http_tls = true".into());
        }

        if self.database.as_deref().is_some_and(|url| {
            !["postgres://", "postgresql://"]
                .iter()
                .any(|s| url.starts_with(s))
        }) {
            return Err(
                "database is a URL, postgres://user@host/name; leave it out for SQLite".into(),
            );
        }

        check_passkeys(self)?;
        check_spools(&self.spool, &self.papers)?;
        self.country.check()?;
        for (key, seconds, most) in [
            ("redial_s", self.redial_s, 30.0),
            ("idle_s", self.idle_s, 600.0),
        ] {
            if !(seconds > 0.0 && seconds <= most) {
                return Err(format!("{key} = {seconds}: more than 0 and at most {most}"));
            }
        }

        for (key, value, most) in [
            ("scrub_hours", self.scrub_hours, 8_760.0),
            ("scrub_mib_s", self.scrub_mib_s, 10_000.0),
        ] {
            if !(value > 0.0 && value <= most) {
                return Err(format!("{key} = {value}: more than 0 and at most {most}"));
            }
        }

        for (key, mib) in [
            ("ballast_mib", self.ballast_mib),
            ("room_low_mib", self.room_low_mib),
        ] {
            if mib > MIB_MAX {
                return Err(format!("{key} = {mib}: at most {MIB_MAX}"));
            }
        }

        for peer in &self.peer {
            peer.check()?;
        }
        if let Some(name) = peers::twice(&self.peer) {
            return Err(format!(
                "peer {name} is named twice: give one [[peer]] all its addresses, or a \
                 [[peer.link]] for each link"
            ));
        }

        for (name, budget) in &self.budgets {
            for (key, value) in [("burst", budget.burst), ("per_s", budget.per_s)] {
                if !(value > 0.0 && value <= BUDGET_MAX) {
                    return Err(format!("budgets.{name}.{key} = {value}: more than 0"));
                }
            }
        }

        Ok(())
    }

    /// What members may cost: what is not named here keeps its default.
    pub fn budget_limits(&self) -> BudgetLimits {
        let named = self.budgets.iter().filter_map(|(name, budget)| {
            let BudgetConfig { burst, per_s } = *budget;
            Some((Cost::of_name(name)?, Limit { burst, per_s }))
        });

        named.fold(BudgetLimits::default(), |limits, (cost, limit)| {
            limits.with(cost, limit)
        })
    }
}

fn check_all_keys(table: &toml::Table) -> Result<(), String> {
    check_keys(table, &KEYS, "")?;
    if let Some(toml::Value::Table(clock)) = table.get("clock") {
        check_keys(clock, &CLOCK_KEYS, "clock.")?;
    }

    if let Some(toml::Value::Table(budgets)) = table.get("budgets") {
        let names = Cost::ALL.map(Cost::name);
        check_keys(budgets, &names, "budgets.")?;
        for (name, budget) in budgets {
            if let toml::Value::Table(budget) = budget {
                check_keys(budget, &BUDGET_KEYS, &format!("budgets.{name}."))?;
            }
        }
    }

    let country = table.get("country").and_then(toml::Value::as_table);
    if let Some(country) = country {
        check_keys(country, &COUNTRY_KEYS, "country.")?;
        let given = country.get("witness").and_then(toml::Value::as_array);
        for one in given.into_iter().flatten() {
            if let toml::Value::Table(one) = one {
                check_keys(one, &WITNESS_KEYS, "country.witness.")?;
            }
        }
    }

    let lists = [
        ("peer", "peer.", &PEER_KEYS[..]),
        ("spool", "spool.", &SPOOL_KEYS),
    ];
    for (key, prefix, known) in lists {
        for one in tables(table.get(key)) {
            check_keys(one, known, prefix)?;
        }
    }
    for peer in tables(table.get("peer")) {
        for link in tables(peer.get("link")) {
            check_keys(link, &LINK_KEYS, "peer.link.")?;
        }
    }

    Ok(())
}

/// The tables of a list of them.
fn tables(list: Option<&toml::Value>) -> impl Iterator<Item = &toml::Table> {
    let given = list.and_then(toml::Value::as_array);
    given
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_table)
}

fn check_addresses(table: &toml::Table) -> Result<(), String> {
    for key in ["listen", "http"] {
        if let Some(toml::Value::String(given)) = table.get(key)
            && given.parse::<SocketAddr>().is_err()
        {
            let why = "an address of this machine and a port are needed, as 0.0.0.0:7700; names \
                are not looked up";
            return Err(format!("{key} = {given:?}: {why}"));
        }
    }

    Ok(())
}

fn check_proxies(table: &toml::Table) -> Result<(), String> {
    let given = table.get("http_proxies").and_then(toml::Value::as_array);
    for one in given.into_iter().flatten().filter_map(toml::Value::as_str) {
        if one.parse::<IpAddr>().is_err() {
            let why = "an address is needed, without a port, as 127.0.0.1; names and networks are \
                not looked up";
            return Err(format!("http_proxies = {one:?}: {why}"));
        }
    }

    Ok(())
}

fn check_keys(table: &toml::Table, known: &[&str], prefix: &str) -> Result<(), String> {
    for key in table.keys() {
        if !known.contains(&key.as_str()) {
            let hint = nearest(key, known.iter().copied())
                .map(|n| format!("; did you mean {prefix}{n}?"))
                .unwrap_or_default();

            return Err(format!("unknown key {prefix}{key}{hint}"));
        }
    }

    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_neighbour() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let base = "papers = 'p'\nlisten = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\n";
        std::fs::write(&path, format!("{base}redail_s = 3\n")).unwrap();

        let failure = Config::read(&path).unwrap_err();
        assert!(
            failure
                .why
                .contains("unknown key redail_s; did you mean redial_s?"),
            "{failure}"
        );

        assert_eq!(failure.exit as u8, 2);

        std::fs::write(
            &path,
            format!("{base}[[peer]]\nname = 'hub'\nadress = 'x:1'\n"),
        )
        .unwrap();

        assert!(
            Config::read(&path)
                .unwrap_err()
                .why
                .contains("did you mean peer.address?")
        );

        std::fs::write(&path, base.replace("127.0.0.1:2", "0.0.0.0:2")).unwrap();
        assert!(Config::read(&path).unwrap_err().why.contains("http_tls"));

        for bad in ["localhost:2", "127.0.0.1", "127.0.0.1:99999", ""] {
            std::fs::write(&path, base.replace("127.0.0.1:1", bad)).unwrap();
            let failure = Config::read(&path).unwrap_err();
            assert!(
                failure
                    .why
                    .contains(&format!("listen = {bad:?}: an address")),
                "{failure}"
            );
        }

        let budget = "[budgets.stored_bytes]\nburst = 1000\nper_s = 0.5\n";
        std::fs::write(&path, format!("{base}{budget}")).unwrap();
        let limits = Config::read(&path).unwrap().budget_limits();
        assert_eq!(limits.of_crossing(Cost::Stored).burst, 1_000.0);
        for (bad, told) in [
            (
                budget.replace("stored", "stoled"),
                "did you mean budgets.stored_bytes?",
            ),
            (
                budget.replace("0.5", "0"),
                "budgets.stored_bytes.per_s = 0: more than 0",
            ),
        ] {
            std::fs::write(&path, format!("{base}{bad}")).unwrap();
            let failure = Config::read(&path).unwrap_err();
            assert!(failure.why.contains(told), "{failure}");
        }

        std::fs::write(&path, base).unwrap();
        assert_eq!(Config::read(&path).unwrap().data, dir.path().join("."));
    }
}
