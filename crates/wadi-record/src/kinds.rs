//! Kinds of records, departments, types of holds.

use crate::{RecordError, error::nearest};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use wadi_log::Lane;

/// What a record is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A vehicle or person passing the crossing.
    Passage,
    /// Goods, vehicle or person held back.
    QuarantineHold,
    /// A customs declaration.
    CustomsEntry,
    /// One crossing and day: power, water, link, shifts.
    SiteDay,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 4] = [
        Kind::Passage,
        Kind::QuarantineHold,
        Kind::CustomsEntry,
        Kind::SiteDay,
    ];

    /// The kind whose records live in that lane; none for control.
    pub fn of_lane(lane: Lane) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.lane() == lane)
    }

    /// The lane in which records of this kind stay for ever.
    pub fn lane(self) -> Lane {
        match self {
            Self::Passage => Lane::Passage,
            Self::QuarantineHold => Lane::Hold,
            Self::CustomsEntry => Lane::Customs,
            Self::SiteDay => Lane::Site,
        }
    }

    /// The name in API and command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passage => "passage",
            Self::QuarantineHold => "hold",
            Self::CustomsEntry => "customs-entry",
            Self::SiteDay => "site-day",
        }
    }
}
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
impl FromStr for Kind {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        Self::ALL
            .into_iter()
            .find(|k| k.name() == text)
            .ok_or_else(|| RecordError::UnknownKind {
                kind: text.into(),
                suggestion: nearest(text, Self::ALL.into_iter().map(Self::name)).map(String::from),
            })
    }
}

/// A department at a crossing, or the commission.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Department {
    /// The operating investor.
    Ops,
    /// The commission's crossing directorate.
    Port,
    /// Customs.
    Cus,
    /// Passports.
    Pas,
    /// Agricultural quarantine.
    Agr,
    /// Veterinary quarantine.
    Vet,
    /// Health.
    Hlt,
    /// Standards.
    Cos,
    /// Radiological protection.
    Rad,
    /// Customs police and intelligence.
    Sec,
    /// Dogs.
    K9,
    /// Information technology.
    It,
    /// The commission, national.
    Hub,
}

impl Department {
    /// All departments.
    pub const ALL: [Department; 13] = [
        Self::Ops,
        Self::Port,
        Self::Cus,
        Self::Pas,
        Self::Agr,
        Self::Vet,
        Self::Hlt,
        Self::Cos,
        Self::Rad,
        Self::Sec,
        Self::K9,
        Self::It,
        Self::Hub,
    ];

    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ops => "OPS",
            Self::Port => "PORT",
            Self::Cus => "CUS",
            Self::Pas => "PAS",
            Self::Agr => "AGR",
            Self::Vet => "VET",
            Self::Hlt => "HLT",
            Self::Cos => "COS",
            Self::Rad => "RAD",
            Self::Sec => "SEC",
            Self::K9 => "K9",
            Self::It => "IT",
            Self::Hub => "HUB",
        }
    }
}
impl fmt::Display for Department {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl FromStr for Department {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        Self::ALL
            .into_iter()
            .find(|d| d.code() == text)
            .ok_or_else(|| RecordError::UnknownDepartment {
                department: text.into(),
                suggestion: nearest(text, Self::ALL.into_iter().map(Self::code)).map(String::from),
            })
    }
}

/// Why something is held, and so who owns the hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum HoldType {
    FoodEquipment,
    Agricultural,
    Veterinary,
    Medical,
    Radiological,
    Security,
    Customs,
}

impl HoldType {
    /// All types.
    pub const ALL: [HoldType; 7] = [
        Self::FoodEquipment,
        Self::Agricultural,
        Self::Veterinary,
        Self::Medical,
        Self::Radiological,
        Self::Security,
        Self::Customs,
    ];

    /// The names of all types.
    pub(crate) const NAMES: [&'static str; 7] = {
        let mut names = [""; 7];
        let mut n = 0;
        while n < names.len() {
            names[n] = Self::ALL[n].name();
            n += 1;
        }

        names
    };

    /// The name that stands in the field `type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FoodEquipment => "FOOD_EQUIPMENT",
            Self::Agricultural => "AGRICULTURAL",
            Self::Veterinary => "VETERINARY",
            Self::Medical => "MEDICAL",
            Self::Radiological => "RADIOLOGICAL",
            Self::Security => "SECURITY",
            Self::Customs => "CUSTOMS",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}
