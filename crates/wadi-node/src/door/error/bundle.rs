//! Why a bundle or a receipt is not made, or not taken.

use super::ErrorClass;
use thiserror::Error;

/// Why a bundle or a receipt is not made, or not taken.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The file itself is wrong.
    #[error(transparent)]
    File(#[from] wadi_sync::BundleFileError),
    /// No node of that name or id is enrolled.
    #[error("no node {name:?} is enrolled here")]
    UnknownNode {
        /// The name or id.
        name: String,
    },
    /// A node needs no bundle from itself.
    #[error("this node needs no bundle from itself")]
    ForMyself,
    /// Parts of that size are not made.
    #[error("{split} bytes a part: at least {min}, at most {max}")]
    BadSplit {
        /// Bytes asked for.
        split: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// No such bundle is planned, or not any more.
    #[error("no bundle {bundle} is planned here: the last {kept} are known until the node stops")]
    NoSuchBundle {
        /// Its id.
        bundle: String,
        /// How many are remembered.
        kept: usize,
    },
    /// The bundle has no such part.
    #[error("the bundle has parts 1 to {parts}")]
    NoSuchPart {
        /// How many there are.
        parts: u32,
    },
    /// A part came out larger than may be.
    #[error("{bytes} bytes; the limit of a part is {max}")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Whoever made it is none of this commission's.
    #[error("{maker} is not enrolled by this commission: nothing of it is taken")]
    Foreign {
        /// Who made it.
        maker: String,
    },
    /// It is for another node.
    #[error("the bundle is for {recipient}, this is {me}")]
    NotForMe {
        /// For whom it is.
        recipient: String,
        /// This node.
        me: String,
    },
    /// Nobody is named, and no bundle was taken in yet.
    #[error("no bundle was taken in here yet: {}", SAY_FOR_WHOM)]
    ReceiptForWhom,
    /// A node needs no receipt from itself.
    #[error("this node needs no receipt from itself")]
    ReceiptForMyself,
    /// The receipt is another node's than the one that the bundle is for.
    #[error("the receipt is by {by}, the bundle is for {recipient}")]
    ReceiptNotTheirs {
        /// Whose it is.
        by: String,
        /// For whom the bundle is.
        recipient: String,
    },
    /// The receipt was given to another node.
    #[error("the receipt is for {recipient}, this is {me}")]
    ReceiptNotForMe {
        /// To whom it was given.
        recipient: String,
        /// This node.
        me: String,
    },
}

const SAY_FOR_WHOM: &str = "say for whom the receipt is";

impl BundleError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(e) => e.code,
            Self::UnknownNode { .. } => "unknown_node",
            Self::ForMyself => "bundle_for_myself",
            Self::BadSplit { .. } => "bad_split",
            Self::NoSuchBundle { .. } => "no_such_bundle",
            Self::NoSuchPart { .. } => "no_such_part",
            Self::TooLarge { .. } => "bundle_too_large",
            Self::Foreign { .. } => "bundle_foreign",
            Self::NotForMe { .. } => "bundle_not_for_me",
            Self::ReceiptForWhom | Self::ReceiptForMyself => "receipt_for_whom",
            Self::ReceiptNotTheirs { .. } => "receipt_not_theirs",
            Self::ReceiptNotForMe { .. } => "receipt_not_for_me",
        }
    }

    /// What kind of trouble it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoSuchBundle { .. } | Self::NoSuchPart { .. } => ErrorClass::NotFound,
            _ => ErrorClass::Invalid,
        }
    }

    /// What can be done about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::ReceiptForWhom => Some(SAY_FOR_WHOM),
            _ => None,
        }
    }
}
