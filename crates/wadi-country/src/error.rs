//! Every way in which texts of the country log can be wrong.

use thiserror::Error;

/// Why a text is not what it claims to be. Nothing was changed by the call that returned it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CountryError {
    /// The text does not read.
    #[error("malformed {what}: {why}")]
    Malformed {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A key that is known signed, and its signature is wrong.
    #[error("the signature by {0} is wrong")]
    BadSignature(String),
    /// No log that the reader knows signed it.
    #[error("it is signed by no log that the policy names, or the log is another one: {0}")]
    UnknownLog(String),
    /// Too few witnesses cosigned.
    #[error("the quorum {quorum} is not reached: cosigned by {}", told(.cosigned))]
    NoQuorum {
        /// The witness or group that is asked for.
        quorum: String,
        /// The witnesses that did, by their names in the policy.
        cosigned: Vec<String>,
    },
    /// A hash, a root or a proof does not come out as claimed.
    #[error("{0} does not lead to the root")]
    Mismatch(&'static str),
}

fn told(names: &[String]) -> String {
    match names {
        [] => "none of the witnesses that it names".into(),
        names => names.join(", "),
    }
}

impl CountryError {
    /// A stable code for people and programs; it does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "malformed",
            Self::BadSignature(_) => "bad_signature",
            Self::UnknownLog(_) => "unknown_country_log",
            Self::NoQuorum { .. } => "no_quorum",
            Self::Mismatch(_) => "hash_mismatch",
        }
    }

    pub(crate) fn malformed(what: &'static str, why: impl ToString) -> Self {
        let why = why.to_string();
        Self::Malformed { what, why }
    }
}
