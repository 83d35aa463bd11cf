//! Every way in which log bytes can be wrong, one variant each.

use thiserror::Error;

/// Why bytes are not what they claim to be. Nothing was changed by the call that returned it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LogError {
    /// More than [`crate::ENTRY_BYTES_MAX`] bytes.
    #[error("entry of {bytes} bytes; the limit is {max}")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes do not parse.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// Which structure.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The bytes parse, but are not the one encoding of their content.
    #[error("{what} is not canonically encoded")]
    NotCanonical {
        /// Which structure.
        what: &'static str,
    },
    /// A bound of the format is exceeded.
    #[error("{what}: {found}; the limit is {max}")]
    Limit {
        /// Which bound.
        what: &'static str,
        /// What was found.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A signature does not verify under the key that should have made it.
    #[error("bad signature on {what}")]
    BadSignature {
        /// What was signed.
        what: &'static str,
    },
    /// A hash or root does not come out as claimed.
    #[error("{what} does not match its hash")]
    Mismatch {
        /// What was hashed.
        what: &'static str,
    },
    /// A run of entries does not begin where the log ends.
    #[error("block begins at {from}, the log holds {size}")]
    Gap {
        /// First position of the block.
        from: u64,
        /// Entries held.
        size: u64,
    },
    /// The node is not enrolled.
    #[error("node {0} is not enrolled")]
    NotEnrolled(String),
    /// The node's enrolment does not let it write that log.
    #[error("{0}")]
    NoRight(String),
}

impl LogError {
    /// A stable code for people and programs; it does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "entry_too_large",
            Self::Malformed { .. } => "malformed",
            Self::NotCanonical { .. } => "not_canonical",
            Self::Limit { .. } => "limit_exceeded",
            Self::BadSignature { .. } => "bad_signature",
            Self::Mismatch { .. } => "hash_mismatch",
            Self::Gap { .. } => "gap",
            Self::NotEnrolled(_) => "not_enrolled",
            Self::NoRight(_) => "no_right",
        }
    }

    pub(crate) fn malformed(what: &'static str, why: impl ToString) -> Self {
        Self::Malformed {
            what,
            why: why.to_string(),
        }
    }
}
