//! The words that rows of the table of fields are written in.

pub(super) use super::columns::{DeviceSets, FieldRow, FieldType::*, Guarded, SetBy};
pub(super) use crate::{Department::*, HoldType, Kind::*, Unit::*};

/// Officers who may change what identifies a vehicle once something rests on it.
pub(super) const IDENTITY: SetBy = SetBy::Officers(&[Port, Cus, Sec, Hub]);
/// Officers who may change a traveller once something rests on it.
pub(super) const TRAVELLER: SetBy = SetBy::Officers(&[Pas, Hub]);
/// Officers who may change what an assessment rests on.
pub(super) const CUSTOMS: SetBy = SetBy::Officers(&[Cus, Hub]);
/// Officers who may put another seal in the place of one that is recorded.
pub(super) const SEALS: SetBy = SetBy::Officers(&[Cus, Sec, Hub]);
