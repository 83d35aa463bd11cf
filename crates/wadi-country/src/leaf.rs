//! What stands in a country log: one text a leaf, in its one writing.

use crate::CountryError;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::Write;
use wadi_log::{Hash, LogId, Reference};

/// Bytes of a leaf at most: an entry bundle counts them in two bytes, and no leaf is near that.
pub const LEAF_BYTES_MAX: usize = 16 * 1024;
const BEGINS: &str = "wadi.country.leaf/v1 ";

/// A leaf: what was listed, and the hub's time then, Unix seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CountryLeaf {
    /// The first leaf: the keys of this log, and the logs of this hub that went before.
    Keys {
        /// Verifier keys.
        vkeys: Vec<String>,
        /// Earlier country logs of this hub: origin, size and root as they were told last.
        follows: Vec<(String, u64, Hash)>,
        /// The hub's time.
        hub_time_s: i64,
    },
    /// The head of a log that the hub holds.
    Head {
        /// The log.
        log: LogId,
        /// Its entries.
        size: u64,
        /// The root over them.
        root: Hash,
        /// The hub's time.
        hub_time_s: i64,
    },
    /// The policy in force on a day.
    Policy {
        /// The day by the hub's time, as 2026-11-27.
        day: String,
        /// The policy's revision; 0 before the hub said one.
        revision: u64,
        /// SHA-256 of its text.
        sha256: Hash,
        /// The hub's time.
        hub_time_s: i64,
    },
    /// A cut.
    Cut {
        /// The control entry that says it.
        entry: Reference,
        /// The hub's time.
        hub_time_s: i64,
    },
}

fn b64(hash: &Hash) -> String {
    STANDARD.encode(hash.0)
}

impl CountryLeaf {
    /// Its text, ending in a newline.
    pub fn text(&self) -> String {
        let mut out = BEGINS.to_string();
        let time = match self {
            Self::Keys {
                vkeys,
                follows,
                hub_time_s,
            } => {
                out.push_str("keys\n");
                for key in vkeys {
                    writeln!(out, "vkey {key}").expect("a String grows");
                }
                for (origin, size, root) in follows {
                    writeln!(out, "follows {origin} {size} {}", b64(root)).expect("it grows");
                }
                hub_time_s
            }
            Self::Head {
                log,
                size,
                root,
                hub_time_s,
            } => {
                let (origin, root) = (log.origin(), b64(root));
                write!(out, "head\nlog {origin}\nsize {size}\nroot {root}\n").expect("it grows");
                hub_time_s
            }
            Self::Policy {
                day,
                revision,
                sha256,
                hub_time_s,
            } => {
                let hash = b64(sha256);
                write!(
                    out,
                    "policy\nday {day}\nrevision {revision}\nsha256 {hash}\n"
                )
                .expect("it grows");
                hub_time_s
            }
            Self::Cut { entry, hub_time_s } => {
                let (origin, leaf) = (entry.log.origin(), b64(&entry.leaf));
                let seq = entry.seq;
                write!(out, "cut\nlog {origin}\nseq {seq}\nleaf {leaf}\n").expect("it grows");
                hub_time_s
            }
        };

        writeln!(out, "hub-time {time}").expect("a String grows");
        out
    }

    /// Reads a text back; any other writing of the same is refused.
    pub fn parse(text: &str) -> Result<Self, CountryError> {
        let bad = |why: &str| CountryError::malformed("leaf of a country log", why);
        if text.len() > LEAF_BYTES_MAX {
            return Err(bad("it is too long"));
        }

        let rest = text.strip_prefix(BEGINS);
        let rest = rest.and_then(|r| r.strip_suffix('\n'));
        let mut lines = Lines(
            rest.ok_or_else(|| bad("it begins or ends otherwise"))?
                .split('\n'),
        );
        let this = match lines.0.next() {
            Some("keys") => lines.keys()?,
            Some("head") => Self::Head {
                log: lines.log()?,
                size: lines.number("size ")?,
                root: lines.hash("root ")?,
                hub_time_s: lines.number("hub-time ")?,
            },
            Some("policy") => Self::Policy {
                day: lines.value("day ")?.to_string(),
                revision: lines.number("revision ")?,
                sha256: lines.hash("sha256 ")?,
                hub_time_s: lines.number("hub-time ")?,
            },
            Some("cut") => Self::Cut {
                entry: Reference {
                    log: lines.log()?,
                    seq: lines.number("seq ")?,
                    leaf: lines.hash("leaf ")?,
                },
                hub_time_s: lines.number("hub-time ")?,
            },
            _ => return Err(bad("its kind is not known")),
        };

        if this.text() == text {
            Ok(this)
        } else {
            Err(bad("it is written otherwise than it would be"))
        }
    }
}

struct Lines<'a>(std::str::Split<'a, char>);

impl<'a> Lines<'a> {
    fn value(&mut self, name: &'static str) -> Result<&'a str, CountryError> {
        let line = self.0.next().and_then(|line| line.strip_prefix(name));
        line.ok_or_else(|| CountryError::malformed("leaf of a country log", name.trim()))
    }

    fn number<T: std::str::FromStr>(&mut self, name: &'static str) -> Result<T, CountryError> {
        let bad = |_| CountryError::malformed("leaf of a country log", name.trim());
        self.value(name)?.parse().map_err(bad)
    }

    fn hash(&mut self, name: &'static str) -> Result<Hash, CountryError> {
        hash_of(self.value(name)?)
    }

    fn log(&mut self) -> Result<LogId, CountryError> {
        let bad = |e| CountryError::malformed("leaf of a country log", e);
        LogId::from_origin(self.value("log ")?).map_err(bad)
    }

    fn keys(&mut self) -> Result<CountryLeaf, CountryError> {
        let bad = |why: &str| CountryError::malformed("leaf of a country log", why);
        let (mut vkeys, mut follows) = (vec![], vec![]);
        for line in self.0.by_ref() {
            if let Some(key) = line.strip_prefix("vkey ") {
                vkeys.push(key.to_string());
            } else if let Some(earlier) = line.strip_prefix("follows ") {
                let mut parts = earlier.split(' ');
                let mut next = || parts.next().ok_or_else(|| bad("follows"));
                let origin = next()?.to_string();
                let size = next()?.parse().map_err(|_| bad("follows"))?;
                follows.push((origin, size, hash_of(next()?)?));
            } else {
                let time = line.strip_prefix("hub-time ").and_then(|t| t.parse().ok());
                return Ok(CountryLeaf::Keys {
                    vkeys,
                    follows,
                    hub_time_s: time.ok_or_else(|| bad("hub-time"))?,
                });
            }
        }

        Err(bad("hub-time"))
    }
}

fn hash_of(text: &str) -> Result<Hash, CountryError> {
    let bytes = STANDARD.decode(text).ok();
    bytes
        .and_then(|b| Hash::from_slice(&b).ok())
        .ok_or_else(|| CountryError::malformed("leaf of a country log", "a hash"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId};

    fn leaves() -> Vec<CountryLeaf> {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([2; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse::<Crossing>().unwrap(),
        };
        let (root, hub_time_s) = (Hash([7; 32]), 1_800_000_000);
        let follows = vec![("wadi.country/v1/a".to_string(), 9, root)];
        vec![
            CountryLeaf::Keys {
                vkeys: vec!["a+b+c".into(), "d+e+f".into()],
                follows,
                hub_time_s,
            },
            CountryLeaf::Head {
                log,
                size: 3,
                root,
                hub_time_s,
            },
            CountryLeaf::Policy {
                day: "2026-11-27".into(),
                revision: 4,
                sha256: root,
                hub_time_s,
            },
            CountryLeaf::Cut {
                entry: Reference {
                    log,
                    seq: 5,
                    leaf: root,
                },
                hub_time_s,
            },
        ]
    }

    #[test]
    fn every_leaf_reads_back_from_its_text_and_from_no_other() {
        for leaf in leaves() {
            let text = leaf.text();
            assert_eq!(CountryLeaf::parse(&text), Ok(leaf), "{text}");
            for odd in [
                text.replace("hub-time 1", "hub-time +1"),
                text.replace("/v1 ", "/v2 "),
                format!("{text}\n"),
                format!("{text}more\n"),
                text.trim_end().to_string(),
                text.replace(" ", "  "),
            ] {
                assert!(CountryLeaf::parse(&odd).is_err(), "{odd}");
            }
        }
    }
}
