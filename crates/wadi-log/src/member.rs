//! Who belongs to the network: enrolments, signed by the commission's offline root.

use crate::{
    Crossing, Lane, LogError, LogId, NodeId,
    entry::canonical,
    note::{LogKey, verify, verify_seal, x25519_public},
    pb,
};
use prost::Message;

/// The commission's root, which signs enrolments and cuts against hubs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RootKey(pub [u8; 32]);

impl RootKey {
    pub(crate) fn verify(&self, bytes: &[u8], signature: &[u8; 64]) -> Result<(), LogError> {
        verify(&self.0, bytes, signature, "root statement")
    }
}

/// What a node is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Writes its own crossing's records and those handed over to it.
    Crossing,
    /// The commission: takes everything, writes any record, and alone writes control facts.
    Hub,
    /// Takes its grant and writes nothing.
    Observer,
}

impl Role {
    fn number(self) -> u32 {
        match self {
            Self::Crossing => 1,
            Self::Hub => 2,
            Self::Observer => 3,
        }
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crossing => "crossing",
            Self::Hub => "hub",
            Self::Observer => "observer",
        }
    }
}
impl std::str::FromStr for Role {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        [Self::Crossing, Self::Hub, Self::Observer]
            .into_iter()
            .find(|r| r.name() == text)
            .ok_or_else(|| {
                LogError::malformed(
                    "role",
                    format!("{text:?} is none of crossing, hub, observer"),
                )
            })
    }
}

/// Lanes of a crossing, or of every crossing, that a node may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Bit n: lane n.
    pub lanes: u32,
    /// `None` for every crossing.
    pub crossing: Option<Crossing>,
}

/// The logs that a node may take: a union of grants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scope(pub Vec<Grant>);

impl Scope {
    /// Whether a lane of a crossing lies in it.
    pub fn takes(&self, lane: Lane, crossing: Crossing) -> bool {
        self.0
            .iter()
            .any(|g| g.lanes & lane.bit() != 0 && g.crossing.is_none_or(|c| c == crossing))
    }

    /// Whether a log lies in it.
    pub fn takes_log(&self, log: &LogId) -> bool {
        self.takes(log.lane, log.crossing)
    }

    /// Everything.
    pub fn all() -> Self {
        Self(vec![Grant {
            lanes: 0x1f,
            crossing: None,
        }])
    }

    /// What a crossing takes: all control, all holds, and its own crossing's logs.
    pub fn of_crossing(crossing: Crossing) -> Self {
        let all = Grant {
            lanes: Lane::Control.bit() | Lane::Hold.bit(),
            crossing: None,
        };

        Self(vec![
            all,
            Grant {
                lanes: 0x1f,
                crossing: Some(crossing),
            },
        ])
    }
}

/// Binds a node's keys to its role, crossing and grant. Opens only with the root's signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrolment {
    /// The node's name, for people.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Its crossing; `HUB` for a hub, none for an observer.
    pub crossing: Option<Crossing>,
    /// Its Ed25519 log key.
    pub log_key: [u8; 32],
    /// SHA-256 of its TLS key's SubjectPublicKeyInfo.
    pub tls_key: [u8; 32],
    /// What it may take.
    pub scope: Scope,
    /// Larger replaces smaller.
    pub serial: u64,
    /// Unix seconds.
    pub issued_s: i64,
    /// Ed25519 by the commission's root.
    pub root_signature: [u8; 64],
}

const ENROLMENT_CONTEXT: &[u8] = b"wadi.enrolment/v1\n";
/// Names are short enough for a table and safe in a file name.
const NAME_CHARS_MAX: usize = 24;

impl Enrolment {
    /// Signs an enrolment with the root's key; `root_signature` is filled in.
    pub fn issue(mut self, root: &LogKey) -> Result<Self, LogError> {
        self.root_signature = root.sign_bytes(&self.signed_bytes());
        Self::from_pb(&self.to_pb())
    }

    /// Whether a node may be called so, and be of that crossing in that role.
    ///
    /// # Errors
    ///
    /// `malformed` where it may not.
    pub fn check_member(
        name: &str,
        role: Role,
        crossing: Option<Crossing>,
    ) -> Result<(), LogError> {
        let bad = |why: &str| Err(LogError::malformed("enrolment", why));
        match (role, crossing) {
            (Role::Hub, Some(Crossing::HUB)) | (Role::Observer, None) => {}
            (Role::Crossing, Some(c)) if c != Crossing::HUB => {}
            _ => return bad("the crossing does not fit the role"),
        }

        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        match name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
            true => bad("names are 1 to 24 of a-z, 0-9 and -"),
            false => Ok(()),
        }
    }

    /// The node enrolled.
    pub fn node(&self) -> NodeId {
        NodeId::of_key(&self.log_key)
    }

    /// Whether the commission's root signed it.
    pub fn verify(&self, root: &RootKey) -> Result<(), LogError> {
        root.verify(&self.signed_bytes(), &self.root_signature)
            .map_err(|_| LogError::BadSignature { what: "enrolment" })
    }

    /// Checks that this node's log key sealed these bytes.
    pub fn verify_seal(
        &self,
        context: &str,
        bytes: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), LogError> {
        verify_seal(&self.log_key, context, bytes, signature)
    }

    /// The X25519 public key of its log key: what is encrypted to it, this node alone can read.
    pub fn x25519_public(&self) -> Result<[u8; 32], LogError> {
        x25519_public(&self.log_key)
    }

    /// The encoded enrolment, as in an entry's body.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_pb().encode_to_vec()
    }

    /// Reads an encoded enrolment. The signature is not checked here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LogError> {
        Self::from_pb(&canonical("enrolment", bytes)?)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [ENROLMENT_CONTEXT, &self.statement()].concat()
    }

    fn statement(&self) -> Vec<u8> {
        pb::EnrolmentStatement {
            name: self.name.clone(),
            role: self.role.number(),
            crossing: self.crossing.map(|c| c.to_string()).unwrap_or_default(),
            log_key: self.log_key.to_vec(),
            tls_key: self.tls_key.to_vec(),
            grants: self
                .scope
                .0
                .iter()
                .map(|g| pb::Grant {
                    lanes: g.lanes,
                    crossing: g.crossing.map_or("*".into(), |c| c.to_string()),
                })
                .collect(),
            serial: self.serial,
            issued_s: self.issued_s,
        }
        .encode_to_vec()
    }

    pub(crate) fn to_pb(&self) -> pb::Enrolment {
        pb::Enrolment {
            statement: self.statement(),
            root_signature: self.root_signature.to_vec(),
        }
    }

    pub(crate) fn from_pb(p: &pb::Enrolment) -> Result<Self, LogError> {
        let bad = |why: &str| LogError::malformed("enrolment", why);
        let s: pb::EnrolmentStatement = canonical("enrolment statement", &p.statement)?;
        let role = match s.role {
            1 => Role::Crossing,
            2 => Role::Hub,
            3 => Role::Observer,
            _ => return Err(bad("unknown role")),
        };

        let crossing = if s.crossing.is_empty() {
            None
        } else {
            Some(s.crossing.parse()?)
        };

        Self::check_member(&s.name, role, crossing)?;

        if s.grants.len() > 64 {
            return Err(LogError::Limit {
                what: "grants",
                found: s.grants.len(),
                max: 64,
            });
        }

        let grant = |g: &pb::Grant| {
            let crossing = if g.crossing == "*" {
                None
            } else {
                Some(g.crossing.parse()?)
            };

            Ok(Grant {
                lanes: g.lanes,
                crossing,
            })
        };

        Ok(Self {
            name: s.name,
            role,
            crossing,
            log_key: s.log_key.try_into().map_err(|_| bad("log key length"))?,
            tls_key: s.tls_key.try_into().map_err(|_| bad("TLS key length"))?,
            scope: Scope(
                s.grants
                    .iter()
                    .map(grant)
                    .collect::<Result<_, LogError>>()?,
            ),
            serial: s.serial,
            issued_s: s.issued_s,
            root_signature: p
                .root_signature
                .clone()
                .try_into()
                .map_err(|_| bad("signature length"))?,
        })
    }
}
