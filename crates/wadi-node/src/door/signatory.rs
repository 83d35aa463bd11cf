//! In whose name a control entry is written.

/// The person in whose name a control entry is written, and by whose word.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Signatory {
    /// The person, or an officer's service number; empty where the node does it by itself.
    pub name: String,
    /// The token whose bearer named that person, where it is nobody's own: the name is a claim.
    /// Empty where the token is that person's.
    pub by_token: String,
    /// The department that it is said for; the node's own, where this is empty.
    pub department: String,
}

impl Signatory {
    /// A person by a token of their own.
    pub fn person(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Whether a token that is nobody's own names the person.
    pub fn is_claimed(&self) -> bool {
        !self.by_token.is_empty()
    }
}

impl From<&str> for Signatory {
    fn from(name: &str) -> Self {
        Self::person(name)
    }
}
