//! The columns of the table of fields, and what may stand in them.
//!
//! None has a default: a row that leaves a column out does not compile. Rows whose columns speak
//! against each other do not compile either, see [`FieldRow::checked`].

use crate::{Department, Kind, Unit};

/// A field: one row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldRow {
    /// Its name; `N` stands for a number from 1 to 999.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// The kinds of records that have it.
    pub kinds: &'static [Kind],
    /// What it holds, and in which unit.
    pub value: FieldType,
    /// Whether it is legal: contested, it blocks an assessment.
    pub legal: bool,
    /// Who may set it.
    pub set_by: SetBy,
    /// When a device may set it.
    pub device: DeviceSets,
    /// From when on it is guarded.
    pub guarded: Guarded,
    /// Who may change it once it is guarded.
    pub changed_by: ChangedBy,
}

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldType {
    /// Text.
    Text,
    /// A whole number.
    Int(Unit),
    /// A Unix time in milliseconds.
    Time,
    /// One of a list.
    OneOf(&'static [&'static str]),
    /// Two letters, ISO 3166.
    Country,
    /// The state or organisation that a travel document names: ISO 3166, or ICAO Doc 9303.
    Nationality,
    /// A day, as `2026-03-01`.
    Day,
    /// Three letters, ISO 4217.
    Currency,
    /// A Harmonized System code: 4 to 12 digits in pairs, dots allowed.
    HsCode,
    /// A crossing's code.
    Crossing,
    /// SHA-256 in hexadecimal.
    Digest,
    /// What a lookout seeks.
    Lookout,
}

/// From when on a field is guarded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Guarded {
    /// Never.
    Never,
    /// Once a passage was let in, checked, linked or handed on; a field that holds nothing may
    /// still be captured.
    Passing,
    /// From the hold's beginning.
    Placement,
    /// Once the entry is assessed.
    Assessment,
}

/// Who may set a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetBy {
    /// These departments, unless the policy in force names others. Their officers need not be
    /// registered.
    Departments(&'static [Department]),
    /// The department that owns the type of the hold, with the hold's first entry, or the machine
    /// with whose alarm the hold begins.
    HoldOwner,
    /// The same, through a registered officer unless the policy says otherwise, and no machine:
    /// what is looked out for is held all over the country.
    RegisteredHoldOwner,
}

impl SetBy {
    /// Whether who owns the hold sets it, with the hold's first entry.
    pub const fn is_hold_owner(self) -> bool {
        matches!(self, Self::HoldOwner | Self::RegisteredHoldOwner)
    }
}

/// Who may change a field once it is guarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChangedBy {
    /// Whoever may set it: it is never guarded.
    Setters,
    /// Registered officers of these departments.
    Officers(&'static [Department]),
    /// Registered officers of these departments. Once a link or a lookout rests on it, officers of
    /// security or the commission and supervisors of the other department alone, who say why.
    UntilMatched(&'static [Department], Department),
    /// Registered supervisors of these departments, who say why.
    Supervisors(&'static [Department]),
    /// The same, and before the assessment, too, as soon as a lookout seeks what it holds.
    SupervisorsOnceSought(&'static [Department]),
    /// Registered officers of the department that owns the hold.
    HoldOwner,
    /// The same, who say why.
    HoldOwnerWithReason,
    /// Nobody: who owns the hold may add it, and says why, and what stands there stands.
    Nobody,
}

/// When a device may set a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceSets {
    /// At any time.
    Always,
    /// As long as it is not guarded.
    UntilGuarded,
    /// As long as the customs entry is not registered: a declarant's import.
    UntilRegistered,
    /// Together with the alarm that a hold begins with.
    WithAlarm,
    /// Never.
    Never,
}

impl FieldType {
    /// Whether it holds numbers, rather than text.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int(_) | Self::Time)
    }
}

impl FieldRow {
    /// Whether its row lets a device set it at some time.
    pub const fn by_device(&self) -> bool {
        !matches!(self.device, DeviceSets::Never)
    }

    /// The row, whose columns do not speak against each other. Called while the table is compiled.
    pub(super) const fn checked(self) -> Self {
        assert!(!self.kinds.is_empty(), "a field stands on a record");

        match self.set_by {
            SetBy::Departments(list) => assert!(!list.is_empty(), "somebody may set a field"),
            SetBy::HoldOwner | SetBy::RegisteredHoldOwner => assert!(
                matches!(self.guarded, Guarded::Placement),
                "a hold's owner is known from the hold's beginning"
            ),
        }

        let fits = match self.guarded {
            Guarded::Never => {
                matches!(self.changed_by, ChangedBy::Setters)
                    && !matches!(
                        self.device,
                        DeviceSets::UntilGuarded | DeviceSets::WithAlarm
                    )
            }
            Guarded::Passing => {
                matches!(
                    self.changed_by,
                    ChangedBy::Officers(_) | ChangedBy::UntilMatched(..)
                ) && matches!(self.device, DeviceSets::UntilGuarded | DeviceSets::Never)
            }
            Guarded::Assessment => {
                matches!(
                    self.changed_by,
                    ChangedBy::Supervisors(_) | ChangedBy::SupervisorsOnceSought(_)
                ) && matches!(self.device, DeviceSets::UntilRegistered | DeviceSets::Never)
            }
            Guarded::Placement => {
                self.set_by.is_hold_owner()
                    && matches!(
                        self.changed_by,
                        ChangedBy::HoldOwner | ChangedBy::HoldOwnerWithReason | ChangedBy::Nobody
                    )
                    && matches!(self.device, DeviceSets::WithAlarm | DeviceSets::Never)
            }
        };
        assert!(fits, "who may change a field fits what it is guarded from");

        self
    }
}
