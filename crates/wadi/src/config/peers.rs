//! `[[peer]]` and `[[peer.link]]`: whom a node dials, and over which links.

use super::MIB_MAX;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use wadi_record::nearest;
use wadi_sync::{LINK_NAME_CHARS_MAX, LinkCost, LinkPurpose, LinkSpec, is_link_name};

pub(super) const PEER_KEYS: [&str; 5] = ["name", "address", "rate_kbit_s", "month_mib", "link"];
pub(super) const LINK_KEYS: [&str; 6] = [
    "name",
    "address",
    "rate_kbit_s",
    "month_mib",
    "cost",
    "purpose",
];
/// Links to one peer at most.
const LINKS_MAX: usize = 4;
/// Addresses of one link at most.
const ADDRESSES_MAX: usize = 16;

/// A peer that stands twice among these. Of two addresses one would be dialled, and nobody would
/// know which.
pub(super) fn twice(peers: &[PeerConfig]) -> Option<&str> {
    let mut names = BTreeSet::new();
    let names_all = peers.iter().map(|peer| peer.name.as_str());
    names_all.into_iter().find(|name| !names.insert(*name))
}

/// A peer to dial: over one link, or over several.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PeerConfig {
    /// The node's name, as enrolled.
    pub name: String,
    /// `host:port` of its QUIC address, or several of them; none where links are named.
    #[serde(
        default,
        deserialize_with = "one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub address: Vec<String>,
    /// The link's provisioned rate in kbit/s, which the peer is told; none where it is not known.
    #[serde(default)]
    pub rate_kbit_s: Option<u64>,
    /// MiB that may go over the link in a month, both ways; an alarm tells when they end.
    #[serde(default)]
    pub month_mib: Option<u64>,
    /// Links to it, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link: Vec<PeerLinkConfig>,
}

/// One of several links to a peer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PeerLinkConfig {
    /// What it is called; after what it costs, where nothing is said.
    #[serde(default)]
    pub name: Option<String>,
    /// `host:port` of the peer's QUIC address over it, or several of them.
    #[serde(default, deserialize_with = "one_or_many")]
    pub address: Vec<String>,
    /// Its provisioned rate in kbit/s.
    #[serde(default)]
    pub rate_kbit_s: Option<u64>,
    /// MiB that may go over it in a month.
    #[serde(default)]
    pub month_mib: Option<u64>,
    /// How it is paid: `flat` or `metered`.
    #[serde(default)]
    pub cost: Option<String>,
    /// What it is for: `urgent`, `bulk` or `all`.
    #[serde(default)]
    pub purpose: Option<String>,
}

/// A text, or a list of texts.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "an address, as \"hub.example:7700\", or a list of them"
    )]
    enum Given {
        One(String),
        Many(Vec<String>),
    }

    Ok(match Given::deserialize(from)? {
        Given::One(one) => vec![one],
        Given::Many(many) => many,
    })
}

/// How to dial a peer: over its one link, or over one of several.
#[derive(Clone, Debug)]
pub struct PeerDial {
    /// Which of several links it is.
    pub link: Option<LinkSpec>,
    /// Where the peer listens.
    pub addresses: Vec<String>,
    /// The link's rate, kbit/s.
    pub rate_kbit_s: Option<u64>,
    /// MiB in a month.
    pub month_mib: Option<u64>,
}

impl PeerConfig {
    /// How the peer is dialled, a line a link. Of a configuration that was checked.
    pub fn dials(&self) -> Result<Vec<PeerDial>, String> {
        if self.link.is_empty() {
            return Ok(vec![PeerDial {
                link: None,
                addresses: self.address.clone(),
                rate_kbit_s: self.rate_kbit_s,
                month_mib: self.month_mib,
            }]);
        }

        let mut names = BTreeSet::new();
        self.link
            .iter()
            .map(|link| {
                let spec = link.spec(&self.name, &names)?;
                names.insert(spec.name.clone());
                Ok(PeerDial {
                    link: Some(spec),
                    addresses: link.address.clone(),
                    rate_kbit_s: link.rate_kbit_s,
                    month_mib: link.month_mib,
                })
            })
            .collect()
    }

    /// What no node could run with.
    pub(super) fn check(&self) -> Result<(), String> {
        let name = &self.name;
        match (self.address.is_empty(), self.link.is_empty()) {
            (true, true) => {
                return Err(format!(
                    "peer {name} has no address: set address = \"HOST:PORT\", or one in each \
                     [[peer.link]]"
                ));
            }
            (false, false) => {
                return Err(format!(
                    "peer {name} has an address beside its links: move it into a [[peer.link]]"
                ));
            }
            _ => {}
        }

        let one_link = [
            ("rate_kbit_s", self.rate_kbit_s.is_some()),
            ("month_mib", self.month_mib.is_some()),
        ];
        if let Some((key, _)) = one_link.into_iter().find(|(_, is_set)| *is_set)
            && !self.link.is_empty()
        {
            return Err(format!(
                "{key} of peer {name} says nothing of which link: move it into a [[peer.link]]"
            ));
        }

        if self.link.len() > LINKS_MAX {
            return Err(format!("peer {name} has more than {LINKS_MAX} links"));
        }

        for dial in self.dials()? {
            let whose = match &dial.link {
                Some(link) => format!("link {} of peer {name}", link.name),
                None => format!("peer {name}"),
            };
            check_dial(&dial, &whose)?;
        }
        Ok(())
    }

    /// What works, and hardly as it was meant; for `wadi node check`.
    pub fn doubts(&self) -> Vec<String> {
        let specs: Vec<LinkSpec> = self
            .dials()
            .into_iter()
            .flatten()
            .filter_map(|dial| dial.link)
            .collect();
        let takes_bulk = specs.iter().any(|l| l.purpose != LinkPurpose::Urgent);
        if specs.is_empty() || takes_bulk {
            return Vec::new();
        }

        let name = &self.name;
        vec![format!(
            "no link to {name} takes bulk: passages, customs entries and site days reach it by \
             bundle alone; for a link that is to take them set purpose = \"all\""
        )]
    }
}

fn check_dial(dial: &PeerDial, whose: &str) -> Result<(), String> {
    if dial.addresses.is_empty() {
        return Err(format!(
            "{whose} has no address: set address = \"HOST:PORT\""
        ));
    }
    if dial.addresses.len() > ADDRESSES_MAX {
        return Err(format!("{whose} has more than {ADDRESSES_MAX} addresses"));
    }

    if let Some(odd) = dial.addresses.iter().find(|a| !has_port(a)) {
        return Err(format!(
            "address = {odd:?} of {whose}: a host and a port are needed, as hub.example:7700"
        ));
    }
    if let Some(odd) = dial.addresses.iter().find(|a| is_nowhere(a)) {
        return Err(format!(
            "address = {odd:?} of {whose} is where this machine listens, and nobody's: name the \
             peer's"
        ));
    }

    if dial.rate_kbit_s == Some(0) {
        return Err(format!(
            "rate_kbit_s = 0 of {whose}: at least 1; leave it out where it is not known"
        ));
    }
    if let Some(mib) = dial.month_mib
        && !(1..=MIB_MAX).contains(&mib)
    {
        return Err(format!("month_mib = {mib} of {whose}: from 1 to {MIB_MAX}"));
    }

    Ok(())
}

/// Whether this is a host and a port. A URL is none: its host would be looked up as it stands; and
/// of an IPv6 address without brackets nobody can tell where its port begins.
fn has_port(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let is_host = |c: char| !c.is_whitespace() && !['/', '[', ']', ':', '@'].contains(&c);

    is_port && !host.is_empty() && (is_bracketed || host.chars().all(is_host))
}

/// Whether an address stands for all of this machine's own: nothing can be sent to it.
fn is_nowhere(address: &str) -> bool {
    let read = address.parse::<std::net::SocketAddr>();
    read.is_ok_and(|at| at.ip().to_canonical().is_unspecified())
}

impl PeerLinkConfig {
    fn spec(&self, peer: &str, taken: &BTreeSet<String>) -> Result<LinkSpec, String> {
        let cost = match &self.cost {
            None => LinkCost::Flat,
            Some(given) => one_of("cost", given, peer, &LinkCost::ALL, LinkCost::name)?,
        };
        let purpose = match &self.purpose {
            None => LinkPurpose::usual(cost),
            Some(given) => one_of("purpose", given, peer, &LinkPurpose::ALL, LinkPurpose::name)?,
        };

        let name = match &self.name {
            Some(name) => name.clone(),
            None => free_name(cost.name(), taken),
        };
        if !is_link_name(&name) {
            return Err(format!(
                "name = {name:?} of a link to {peer}: letters of a to z, digits, - and _, \
                 {LINK_NAME_CHARS_MAX} at most"
            ));
        }
        if taken.contains(&name) {
            return Err(format!("two links to {peer} have the name {name}"));
        }

        Ok(LinkSpec {
            name,
            cost,
            purpose,
        })
    }
}

/// A name that no link before it has.
fn free_name(first: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{first}-{n}"));
    std::iter::once(first.to_string())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// The value of that name, or which ones there are, with the nearest.
fn one_of<T: Copy>(
    key: &str,
    given: &str,
    peer: &str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T, String> {
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    let found = all.iter().find(|one| name(**one) == given).copied();
    found.ok_or_else(|| {
        let hint = nearest(given, names.iter().copied())
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        format!(
            "{key} = {given:?} of a link to {peer}: one of {}{hint}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// What is wrong with a configuration of these peers; nothing where it is right.
    fn told(peers: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.toml");
        let base = "papers = 'p'\nlisten = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\n";
        std::fs::write(&path, format!("{base}{peers}")).unwrap();
        Config::read(&path).map_err(|failure| failure.why)
    }

    const TWO: &str = "[[peer]]\nname = 'hub'\n\
        [[peer.link]]\naddress = 'hub.example:7700'\nrate_kbit_s = 256\n\
        [[peer.link]]\naddress = ['a.example:7700', '[::1]:7701']\ncost = 'metered'\n\
        month_mib = 50\n";

    #[test]
    fn links_are_named_after_their_cost_and_a_dear_one_is_for_what_is_urgent() {
        let config = told(TWO).unwrap();
        let dials = config.peer[0].dials().unwrap();
        let specs: Vec<(&str, &str)> = dials
            .iter()
            .filter_map(|d| d.link.as_ref())
            .map(|l| (l.name.as_str(), l.purpose.name()))
            .collect();
        assert_eq!(specs, [("flat", "all"), ("metered", "urgent")]);
        assert_eq!(dials[1].addresses.len(), 2);
        assert_eq!(
            (dials[0].rate_kbit_s, dials[1].month_mib),
            (Some(256), Some(50))
        );
        assert!(config.peer[0].doubts().is_empty());

        // As it was before there were links.
        let before = "[[peer]]\nname = 'hub'\naddress = 'hub.example:7700'\nrate_kbit_s = 64\n";
        let dials = told(before).unwrap().peer[0].dials().unwrap();
        assert!(dials.len() == 1 && dials[0].link.is_none());
        assert_eq!(dials[0].rate_kbit_s, Some(64));
    }

    #[test]
    fn wrong_values_are_told_with_the_nearest_right_one() {
        for (from, to, why) in [
            ("'metered'", "'metred'", "did you mean metered?"),
            ("cost =", "csot =", "did you mean peer.link.cost?"),
            (
                "rate_kbit_s =",
                "rate =",
                "did you mean peer.link.rate_kbit_s?",
            ),
            ("rate_kbit_s = 256", "rate_kbit_s = 0", "at least 1"),
            ("month_mib = 50", "month_mib = 0", "from 1 to"),
            (
                "month_mib = 50",
                "purpose = 'urgnt'",
                "did you mean urgent?",
            ),
            (
                "month_mib = 50",
                "name = 'flat'",
                "two links to hub have the name flat",
            ),
            ("month_mib = 50", "name = 'Thuraya 1'", "letters of a to z"),
            ("'hub.example:7700'", "'hub.example'", "a host and a port"),
            ("'hub.example:7700'", "'0.0.0.0:7700'", "name the peer's"),
            ("'hub.example:7700'", "'[::]:7700'", "name the peer's"),
            (
                "'hub.example:7700'",
                "[]",
                "link flat of peer hub has no address",
            ),
            (
                "name = 'hub'",
                "name = 'hub'\naddress = 'x:1'",
                "move it into a [[peer.link]]",
            ),
            (
                "name = 'hub'",
                "name = 'hub'\nmonth_mib = 5",
                "move it into a [[peer.link]]",
            ),
        ] {
            let bad = TWO.replacen(from, to, 1);
            assert_ne!(bad, TWO);
            let failure = told(&bad).unwrap_err();
            assert!(failure.contains(why), "{to}: {failure}");
        }

        let none = told("[[peer]]\nname = 'hub'\n").unwrap_err();
        assert!(none.contains("peer hub has no address"), "{none}");
    }

    #[test]
    fn an_address_is_a_host_and_a_port_and_a_peer_has_one_place() {
        let peer = |address: &str| format!("[[peer]]\nname = 'hub'\naddress = '{address}'\n");
        for right in [
            "hub.example:7700",
            "hub.example.:7700",
            "10.0.0.1:7700",
            "[::1]:7700",
            "[fe80::1%eth0]:7700",
        ] {
            assert!(told(&peer(right)).is_ok(), "{right}");
        }

        for wrong in [
            "https://hub.example:7700",
            "::1:7700",
            "[::1:7700",
            "hub.example:0",
            "hub.example:70000",
            "hub.example",
            " hub.example:7700",
            "user@hub.example:7700",
        ] {
            let why = told(&peer(wrong)).unwrap_err();
            assert!(why.contains("a host and a port"), "{wrong}: {why}");
        }

        let twice = format!("{}{}", peer("a:1"), peer("b:1"));
        assert!(
            told(&twice)
                .unwrap_err()
                .contains("peer hub is named twice")
        );
    }

    #[test]
    fn a_peer_without_a_link_for_bulk_is_doubted_and_taken() {
        let all_dear = TWO.replacen("rate_kbit_s = 256", "purpose = 'urgent'", 1);
        let config = told(&all_dear).unwrap();
        let doubts = config.peer[0].doubts();
        assert!(doubts[0].contains("purpose = \"all\""), "{doubts:?}");
    }
}
