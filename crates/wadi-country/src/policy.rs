//! `tlog-policy`: which logs and witnesses somebody trusts, and how many of them are enough.

use crate::{CountryError, SignatureKind, SignedHead, VKey};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a policy at most.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;
/// Logs, witnesses and groups at most, together.
const NAMES_MAX: usize = 1_024;

/// A policy as a file has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlogPolicy {
    logs: Vec<VKey>,
    /// In the order in which they are defined: a group names earlier ones alone.
    names: Vec<(Vec<u8>, Named)>,
    /// The witness or group that must have witnessed; nothing for `none`.
    quorum: Option<usize>,
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Named {
    Witness(VKey),
    /// So many of these, by their places.
    Group(usize, Vec<usize>),
}

fn bad(why: impl ToString) -> CountryError {
    CountryError::malformed("policy", why)
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// What reading a policy has come to.
#[derive(Default)]
struct PolicyReading {
    logs: Vec<VKey>,
    names: Vec<(Vec<u8>, Named)>,
    places: BTreeMap<Vec<u8>, usize>,
    grouped: BTreeSet<usize>,
    keys_of_logs: BTreeSet<Vec<u8>>,
    keys_of_witnesses: BTreeSet<Vec<u8>>,
    quorum: Option<Option<usize>>,
}

impl PolicyReading {
    fn line(&mut self, items: &[&[u8]]) -> Result<(), CountryError> {
        if self.names.len() + self.logs.len() > NAMES_MAX {
            return Err(bad("it names too many"));
        }

        match items {
            [b"log", key] | [b"log", key, _] => self.log(key),
            [b"witness", name, key] | [b"witness", name, key, _] => self.witness(name, key),
            [b"group", name, k, members @ ..] => self.group(name, k, members),
            [b"quorum", name] => self.quorum(name),
            [word, ..] => Err(bad(format!("a line of {:?}", shown(word)))),
            [] => Ok(()),
        }
    }

    fn log(&mut self, key: &[u8]) -> Result<(), CountryError> {
        let key = vkey(key)?;
        if key.kind() == SignatureKind::Cosignature {
            return Err(bad(format!(
                "{}: the type of its key is not a log's",
                key.name()
            )));
        }

        if !self.keys_of_logs.insert(key.key().to_vec()) {
            return Err(bad(format!("the log {} stands there twice", key.name())));
        }

        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, name: &[u8], key: &[u8]) -> Result<(), CountryError> {
        let key = vkey(key)?;
        if key.kind() == SignatureKind::Ed25519 {
            let name = shown(name);
            return Err(bad(format!(
                "{name}: the type of its key is not a witness's"
            )));
        }

        if !self.keys_of_witnesses.insert(key.key().to_vec()) {
            return Err(bad(format!(
                "the key of {} stands there twice",
                shown(name)
            )));
        }

        self.define(name, Named::Witness(key))
    }

    fn group(&mut self, name: &[u8], k: &[u8], members: &[&[u8]]) -> Result<(), CountryError> {
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place = self.place(member)?;
            if !self.grouped.insert(place) {
                return Err(bad(format!("{} is a member twice", shown(member))));
            }
            places.push(place);
        }

        let needed = match k {
            b"all" => places.len(),
            b"any" => 1,
            k => decimal(k).ok_or_else(|| bad("a group's number"))?,
        };
        if needed < 1 || needed > places.len() {
            return Err(bad(format!(
                "{}: so many members are not there",
                shown(name)
            )));
        }

        self.define(name, Named::Group(needed, places))
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), CountryError> {
        let place = match name {
            b"none" => None,
            name => Some(self.place(name)?),
        };
        match self.quorum.replace(place) {
            None => Ok(()),
            Some(_) => Err(bad("two quorum lines")),
        }
    }

    fn place(&self, name: &[u8]) -> Result<usize, CountryError> {
        let place = self.places.get(name).copied();
        place.ok_or_else(|| bad(format!("{} is not defined before it is named", shown(name))))
    }

    fn define(&mut self, name: &[u8], named: Named) -> Result<(), CountryError> {
        let place = self.names.len();
        if name == b"none" || self.places.insert(name.to_vec(), place).is_some() {
            return Err(bad(format!("{} is defined already", shown(name))));
        }

        self.names.push((name.to_vec(), named));
        Ok(())
    }
}

fn vkey(text: &[u8]) -> Result<VKey, CountryError> {
    VKey::parse(str::from_utf8(text).map_err(|_| bad("a verifier key"))?)
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let is_number = digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

/// A checkpoint that a policy accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The witnesses that cosigned it, by their names in the policy.
    pub cosigned: Vec<String>,
    /// When the first of them did, Unix seconds; nothing where none is asked for and none did.
    pub first_cosigned_s: Option<u64>,
}

impl TlogPolicy {
    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, CountryError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(bad("it is too long"));
        }

        let is_allowed = |b: &u8| matches!(b, 0x09 | 0x0A | 0x20..=0x7E | 0x80..);
        if !bytes.iter().all(is_allowed) {
            return Err(bad("a control character"));
        }

        let mut reading = PolicyReading::default();
        for (n, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let items = line.split(|b| matches!(b, b' ' | b'\t'));
            let items: Vec<&[u8]> = items.filter(|item| !item.is_empty()).collect();
            if items.first().is_some_and(|first| first.starts_with(b"#")) {
                continue;
            }

            reading.line(&items).map_err(|error| match error {
                CountryError::Malformed { why, .. } => bad(format!("line {}: {why}", n + 1)),
                other => other,
            })?;
        }

        let quorum = reading.quorum.ok_or_else(|| bad("no quorum line"))?;
        Ok(Self {
            logs: reading.logs,
            names: reading.names,
            quorum,
        })
    }

    /// Whether this checkpoint is good enough: a log signed it that the policy names, or, where it
    /// names none, one of `known`; and the quorum cosigned it.
    pub fn accept(&self, note: &SignedHead, known: &[VKey]) -> Result<Accepted, CountryError> {
        let logs = if self.logs.is_empty() {
            known
        } else {
            &self.logs
        };
        let mut signed = false;
        for key in logs.iter().filter(|key| key.name() == note.head.origin) {
            signed |= note.signed_by(key)?.is_some();
        }
        if !signed {
            return Err(CountryError::UnknownLog(note.head.origin.clone()));
        }

        let (mut witnessed, mut cosigned) = (Vec::with_capacity(self.names.len()), vec![]);
        let mut first_cosigned_s: Option<u64> = None;
        for (name, named) in &self.names {
            let has = match named {
                Named::Witness(key) => {
                    let time_s = note.signed_by(key)?;
                    first_cosigned_s = first_cosigned_s.into_iter().chain(time_s).min();
                    cosigned.extend(time_s.map(|_| shown(name)));
                    time_s.is_some()
                }
                Named::Group(needed, members) => {
                    members.iter().filter(|m| witnessed[**m]).count() >= *needed
                }
            };
            witnessed.push(has);
        }

        match self.quorum {
            Some(place) if !witnessed[place] => Err(CountryError::NoQuorum {
                quorum: shown(&self.names[place].0),
                cosigned,
            }),
            _ => Ok(Accepted {
                cosigned,
                first_cosigned_s,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CountryHead, CountryKey, HeadSigner};
    use base64::{Engine, engine::general_purpose::STANDARD};
    use wadi_log::{Hash, LogKey};

    fn key(seed: u8) -> LogKey {
        LogKey::from_seed(&[seed; 32])
    }

    fn witness(seed: u8) -> VKey {
        let name = format!("witness.example/{seed}");
        VKey::new(&name, SignatureKind::Cosignature, &key(seed).public()).unwrap()
    }

    /// A checkpoint of one log, cosigned by these.
    fn note(by: &[u8]) -> SignedHead {
        let head = CountryHead {
            origin: "log.example/1".into(),
            size: 3,
            root: Hash([1; 32]),
        };
        let mut note = head.note(&CountryKey::new(&key(1), &head.origin), 7);
        for seed in by {
            let vkey = witness(*seed);
            let text = format!("cosignature/v1\ntime 9\n{}", head.body());
            let parts = [
                &vkey.id()[..],
                &9u64.to_be_bytes(),
                &key(*seed).sign_text(&text),
            ];
            let line = STANDARD.encode(parts.concat());
            note += &format!("\u{2014} {} {line}\n", vkey.name());
        }

        SignedHead::parse(&note).unwrap()
    }

    fn policy(rest: &str) -> Result<TlogPolicy, CountryError> {
        let log = CountryKey::new(&key(1), "log.example/1").vkeys()[0].text();
        let mut text = format!("# who is trusted\nlog {log} https://log.example/\n\n");
        for seed in 2..=6 {
            text += &format!("\twitness W{seed}  {} \n", witness(seed).text());
        }
        TlogPolicy::parse((text + rest).as_bytes())
    }

    #[test]
    fn two_levels_of_groups_ask_for_what_they_say() {
        let asks = "group X 2 W2 W3 W4\ngroup Y any W5 W6\ngroup both all X Y\nquorum both\n";
        let asks = policy(asks).unwrap();
        for (by, enough) in [
            (&[2, 3, 5][..], true),
            (&[2, 4, 6], true),
            (&[2, 3, 4, 5, 6], true),
            (&[2, 5, 6], false),
            (&[2, 3, 4], false),
            (&[], false),
        ] {
            let said = asks.accept(&note(by), &[]);
            assert_eq!(said.is_ok(), enough, "{by:?}: {said:?}");
            if let Err(error) = said {
                assert_eq!(error.code(), "no_quorum");
            }
        }

        let none = policy("quorum none\n").unwrap();
        assert!(none.accept(&note(&[]), &[]).is_ok());
        let accepted = none.accept(&note(&[4]), &[]).unwrap();
        assert_eq!(accepted.cosigned, ["W4"]);
        assert_eq!(accepted.first_cosigned_s, Some(9));
    }

    #[test]
    fn a_checkpoint_of_a_log_that_is_not_named_is_none() {
        let other = CountryKey::new(&key(8), "log.example/1").vkeys()[0].text();
        let other = TlogPolicy::parse(format!("log {other}\nquorum none\n").as_bytes()).unwrap();
        let refused = other.accept(&note(&[]), &[]).unwrap_err();
        assert_eq!(refused.code(), "unknown_country_log");

        // Where the policy names none, the caller says which are known, by both kinds of keys.
        let open = TlogPolicy::parse(b"quorum none").unwrap();
        assert!(open.accept(&note(&[]), &[]).is_err());
        for key in CountryKey::new(&key(1), "log.example/1").vkeys() {
            assert!(open.accept(&note(&[]), &[key]).is_ok());
        }
    }

    #[test]
    fn policies_that_do_not_say_clearly_what_they_ask_are_refused() {
        for (bad, told) in [
            ("", "no quorum line"),
            ("quorum W9\n", "not defined"),
            ("quorum W2\nquorum W2\n", "two quorum"),
            ("group X 3 W2 W3\nquorum X\n", "so many members"),
            ("group X 0 W2 W3\nquorum X\n", "so many members"),
            ("group X +1 W2 W3\nquorum X\n", "number"),
            ("group X any\nquorum X\n", "so many members"),
            ("group X any W2 W2\nquorum X\n", "member twice"),
            ("group X any W2\ngroup Y any W2\nquorum X\n", "member twice"),
            ("group X any Y\ngroup Y any W2\nquorum X\n", "not defined"),
            ("group none any W2\nquorum none\n", "defined already"),
            ("group W2 any W3\nquorum W2\n", "defined already"),
            ("quorum W2\r\n", "control character"),
            ("quorom W2\n", "quorom"),
            ("quorum\n", "quorum"),
        ] {
            let error = policy(bad).unwrap_err().to_string();
            assert!(error.contains(told), "{bad:?}: {error}");
        }

        let (w, again) = (witness(2).text(), witness(2));
        let again = VKey::new("other", again.kind(), again.key())
            .unwrap()
            .text();
        let twice = format!("witness A {w}\nwitness B {again}\nquorum A\n");
        assert!(TlogPolicy::parse(twice.as_bytes()).is_err());
    }
}
