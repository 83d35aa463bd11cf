//! Why a block is not taken, as an acknowledgement says it.
//!
//! The message names the reason twice: by number, and by the code that people read. A peer of a
//! version before the numbers sends the code alone; [`RefuseReason::from_code`] is the one place
//! that reads it.

use crate::pb;
use std::fmt;

/// What the codes of a database's troubles begin with, whichever trouble it is.
const DATABASE_PREFIX: &str = "database_";

/// Why a block is not taken. Whoever sent it decides by this what becomes of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RefuseReason {
    /// The block begins behind what is held: earlier entries are missing.
    Gap,
    /// No refusal of a block: what made the log rest has passed, and it is asked for again.
    Retry,
    /// The log's author is not enrolled here yet.
    NotEnrolled,
    /// This node may not take the log.
    OutsideGrant,
    /// The block leaves out what this node does not hold: it is sent again in full.
    Unresolved,
    /// Little room is left on the disk: what is not urgent has to wait.
    DiskLow,
    /// The author, or whoever brings it, costs the peer more than it may: the log rests until it is
    /// asked for again.
    OverBudget,
    /// The disk is full.
    DiskFull,
    /// Somebody else wrote to the database.
    StoreConflict,
    /// The disk refused a write.
    WriteFailed,
    /// The store is closed.
    StoreClosed,
    /// The node is stopping.
    Stopping,
    /// The database is in trouble; the code, `database_` in front, says in which.
    Database(String),
    /// Any other reason, which lies with the log itself: a bad signature, say. What this version
    /// does not know is one of them, too.
    Other {
        /// The code that people read.
        code: String,
        /// The number, where a later version gave the reason one.
        number: Option<i32>,
    },
}

impl RefuseReason {
    /// The reason behind a code: of a peer that sends no number, or of this node's own store.
    pub fn from_code(code: &str) -> Self {
        match code {
            "gap" => Self::Gap,
            "retry" => Self::Retry,
            "not_enrolled" => Self::NotEnrolled,
            "outside_grant" => Self::OutsideGrant,
            "unresolved" => Self::Unresolved,
            "disk_low" => Self::DiskLow,
            "over_budget" => Self::OverBudget,
            "disk_full" => Self::DiskFull,
            "store_conflict" => Self::StoreConflict,
            "write_failed" => Self::WriteFailed,
            "store_closed" => Self::StoreClosed,
            "stopping" => Self::Stopping,
            _ if code.starts_with(DATABASE_PREFIX) => Self::Database(code.into()),
            _ => Self::Other {
                code: code.into(),
                number: None,
            },
        }
    }

    /// The code that people read. It is stable.
    pub fn code(&self) -> &str {
        match self {
            Self::Gap => "gap",
            Self::Retry => "retry",
            Self::NotEnrolled => "not_enrolled",
            Self::OutsideGrant => "outside_grant",
            Self::Unresolved => "unresolved",
            Self::DiskLow => "disk_low",
            Self::OverBudget => "over_budget",
            Self::DiskFull => "disk_full",
            Self::StoreConflict => "store_conflict",
            Self::WriteFailed => "write_failed",
            Self::StoreClosed => "store_closed",
            Self::Stopping => "stopping",
            Self::Database(code) | Self::Other { code, .. } => code,
        }
    }

    /// Whether the store behind the node is the reason, and not the log: the next connection tries
    /// again.
    pub fn is_store_trouble(&self) -> bool {
        match self {
            Self::DiskFull
            | Self::StoreConflict
            | Self::WriteFailed
            | Self::StoreClosed
            | Self::Stopping
            | Self::Database(_) => true,
            Self::Gap
            | Self::Retry
            | Self::NotEnrolled
            | Self::OutsideGrant
            | Self::Unresolved
            | Self::DiskLow
            | Self::OverBudget
            | Self::Other { .. } => false,
        }
    }

    /// The number on the wire.
    pub(crate) fn number(&self) -> i32 {
        match self {
            Self::Gap => pb::RefuseReason::Gap as i32,
            Self::Retry => pb::RefuseReason::Retry as i32,
            Self::NotEnrolled => pb::RefuseReason::NotEnrolled as i32,
            Self::OutsideGrant => pb::RefuseReason::OutsideGrant as i32,
            Self::Unresolved => pb::RefuseReason::Unresolved as i32,
            Self::DiskLow => pb::RefuseReason::DiskLow as i32,
            Self::OverBudget => pb::RefuseReason::OverBudget as i32,
            Self::DiskFull => pb::RefuseReason::DiskFull as i32,
            Self::StoreConflict => pb::RefuseReason::StoreConflict as i32,
            Self::WriteFailed => pb::RefuseReason::WriteFailed as i32,
            Self::StoreClosed => pb::RefuseReason::StoreClosed as i32,
            Self::Stopping => pb::RefuseReason::Stopping as i32,
            Self::Database(_) => pb::RefuseReason::Database as i32,
            Self::Other { number, .. } => number.unwrap_or(pb::RefuseReason::Unknown as i32),
        }
    }

    /// The reason that a message gives, in its two fields; none where it refuses nothing.
    ///
    /// Where there is a number it decides, whatever the code says: a later version may send a code
    /// for the sake of earlier ones. A number that this version does not know is kept.
    pub(crate) fn from_wire(number: i32, code: String) -> Option<Self> {
        use pb::RefuseReason as Known;
        let reason = match Known::try_from(number) {
            Ok(Known::Unknown) if code.is_empty() => return None,
            Ok(Known::Unknown) => Self::from_code(&code),
            Ok(Known::Gap) => Self::Gap,
            Ok(Known::Retry) => Self::Retry,
            Ok(Known::NotEnrolled) => Self::NotEnrolled,
            Ok(Known::OutsideGrant) => Self::OutsideGrant,
            Ok(Known::Unresolved) => Self::Unresolved,
            Ok(Known::DiskLow) => Self::DiskLow,
            Ok(Known::OverBudget) => Self::OverBudget,
            Ok(Known::DiskFull) => Self::DiskFull,
            Ok(Known::StoreConflict) => Self::StoreConflict,
            Ok(Known::WriteFailed) => Self::WriteFailed,
            Ok(Known::StoreClosed) => Self::StoreClosed,
            Ok(Known::Stopping) => Self::Stopping,
            Ok(Known::Database) => Self::Database(code),
            Err(_) if code.is_empty() => Self::Other {
                code: format!("reason_{number}"),
                number: Some(number),
            },
            Err(_) => Self::Other {
                code,
                number: Some(number),
            },
        };

        Some(reason)
    }
}

impl fmt::Display for RefuseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_proto_comes_back_as_the_reason_that_it_stands_for() {
        for number in 1..=13 {
            assert!(pb::RefuseReason::try_from(number).is_ok());
            let reason = RefuseReason::from_wire(number, "database_slow".into()).unwrap();
            assert_eq!(reason.number(), number, "{reason}");
            assert_eq!(RefuseReason::from_code(reason.code()), reason);
        }

        assert!(
            pb::RefuseReason::try_from(14).is_err(),
            "a new number wants a place here"
        );
    }

    #[test]
    fn a_code_alone_is_understood_and_what_nobody_knows_rests_with_its_log() {
        let of = |code: &str| RefuseReason::from_wire(0, code.into());
        assert_eq!(of(""), None);
        assert_eq!(of("gap"), Some(RefuseReason::Gap));
        assert!(of("database_of_tomorrow").unwrap().is_store_trouble());
        assert!(of("stopping").unwrap().is_store_trouble());

        let signature = of("bad_signature").unwrap();
        assert_eq!((signature.code(), signature.number()), ("bad_signature", 0));
        assert!(!signature.is_store_trouble());

        // A later version's reason keeps its number, and its code does not decide.
        let later = RefuseReason::from_wire(77, "disk_full".into()).unwrap();
        assert_eq!((later.code(), later.number()), ("disk_full", 77));
        assert!(!later.is_store_trouble());
        assert_eq!(
            RefuseReason::from_wire(78, String::new()).unwrap().code(),
            "reason_78"
        );
    }
}
