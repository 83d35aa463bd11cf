//! What local keys are about: each scope with the text under which it lies on disk, in one place.

use std::{borrow::Cow, fmt};

/// Begins the text of [`LocalScope::Idempotency`]; the token's name follows.
const IDEMPOTENCY: &str = "idempotency/";

macro_rules! local_scopes {
    ($($(#[$doc:meta])* $scope:ident = $text:literal;)*) => {
        /// What a local key is about. Its text is a part of the disk format.
        ///
        /// A scope that a newer version wrote is none of these: its keys stay as they lie there,
        /// and nobody reads them.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum LocalScope {
            $($(#[$doc])* $scope,)*
            /// Keys that senders give their writes, of the token with this name.
            Idempotency(String),
        }

        impl LocalScope {
            /// The text under which keys of this scope lie on disk.
            pub fn as_str(&self) -> Cow<'_, str> {
                match self {
                    $(Self::$scope => Cow::Borrowed($text),)*
                    Self::Idempotency(token) => Cow::Owned(format!("{IDEMPOTENCY}{token}")),
                }
            }

            /// Reads a scope; nothing where this version does not know that text.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$scope),)*
                    _ => text
                        .strip_prefix(IDEMPOTENCY)
                        .map(|token| Self::Idempotency(token.into())),
                }
            }
        }

        #[cfg(test)]
        const FIXED: &[LocalScope] = &[$(LocalScope::$scope),*];
    };
}

local_scopes! {
    /// Accounts of people who may sign in here.
    Account = "account";
    /// A loss that PostgreSQL's anchor found, until it is held again.
    Anchor = "anchor";
    /// What members used up of what they may cost this node.
    Budget = "budget";
    /// Bundles: whose came last, and which logs somebody carries.
    Bundle = "bundle";
    /// Who made a bundle and who took one in: a chain of lines.
    BundleAct = "bundle-act";
    /// Entries whose times the hub's word does not allow; at a hub.
    ClockDoubt = "clock-doubt";
    /// When each peer was in contact, and what went over.
    Contact = "contact";
    /// The country log: how far it has come, and its newest checkpoints; at a hub.
    Country = "country";
    /// The leaves of the country log.
    CountryLeaf = "country-leaf";
    /// What the country log listed last of each log, and which cuts.
    CountryListed = "country-listed";
    /// The full tiles of the country log's tree.
    CountryTile = "country-tile";
    /// The lives of a store: after which change each began.
    Cursor = "cursor";
    /// The newest number of a device.
    Device = "device";
    /// How often devices give readings: a device that falls silent is told by its habit.
    DeviceHabit = "device-habit";
    /// What the numbers of devices stood for.
    DeviceNumber = "device-number";
    /// How often an operator let a device's counter begin anew.
    DeviceSession = "device-session";
    /// The newest epoch of a node that wrote into this database.
    Epoch = "epoch";
    /// Records handed over to this crossing of which entries are gone from this disk.
    ExcerptLost = "excerpt-lost";
    /// What was told to the hub of excerpts that were lost.
    Excerpts = "excerpts";
    /// What auditors keep on their desks: saved views, and findings put aside for a while.
    FindingDesk = "finding-desk";
    /// What is believed of the hub's time.
    Hub = "hub";
    /// Who looked at personal data: a chain of lines.
    Look = "look";
    /// Records that an import made.
    Import = "import";
    /// Operations of an import that changed a record.
    ImportOp = "import-op";
    /// Which version projected the records.
    Projection = "projection";
    /// How far the changes were reconciled.
    Reconcile = "reconcile";
    /// Refusals that somebody dismissed, and why.
    RefusalDismissed = "refusal-dismissed";
    /// What was said last of this replica's digests.
    Replica = "replica";
    /// Databases set aside, and how far each was read back.
    SetAside = "set_aside";
    /// Who signed in: a chain of lines.
    SignIn = "sign-in";
    /// Failures to sign in, by account and by address.
    SignInPause = "sign-in-pause";
    /// Tokens, by their hashes.
    Token = "token";
    /// Tokens that were revoked, by their hashes.
    TokenRevoked = "token-revoked";
    /// Records with findings that wait to be published.
    Unpublished = "unpublished";
}

impl fmt::Display for LocalScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_reads_back_from_its_text() {
        let with_name = LocalScope::Idempotency("gate/1".into());

        for scope in FIXED.iter().chain([&with_name]) {
            assert_eq!(LocalScope::parse(&scope.as_str()).as_ref(), Some(scope));
        }
    }

    #[test]
    fn an_unknown_scope_is_none() {
        for text in ["", "tokens", "Token", "idempotency"] {
            assert_eq!(LocalScope::parse(text), None, "{text:?}");
        }
    }
}
