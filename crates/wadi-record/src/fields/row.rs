//! The words that rows of the table of fields are written in.

pub(super) use super::columns::{ChangedBy, DeviceSets, FieldRow, FieldType::*, Guarded, SetBy};
pub(super) use crate::{Department, Department::*, HoldType, Kind::*, Unit::*};

/// Who writes down what comes to a gate.
pub(super) const GATE: SetBy = SetBy::Departments(&[Ops, Port, Cus, Pas, Sec, Hub]);
/// Who decides where and for what somebody travels.
pub(super) const JOURNEY: SetBy = SetBy::Departments(&[Port, Cus, Pas, Sec, Hub]);
/// Who writes down what a vehicle carries.
pub(super) const LOAD: SetBy = SetBy::Departments(&[Port, Cus, Sec, Hub]);
/// Who writes down what a vehicle is known by. The investor runs the machines that read it.
pub(super) const VEHICLE: SetBy = SetBy::Departments(&[Ops, Port, Cus, Sec, Hub]);
/// Who may change what a vehicle is known by once something rests on it.
pub(super) const IDENTITY: ChangedBy = ChangedBy::UntilMatched(&[Port, Cus, Sec, Hub], Cus);
/// Who writes down travellers and their documents.
pub(super) const TRAVELLER: SetBy = SetBy::Departments(&[Port, Pas, Sec, Hub]);
/// Who may change where and for what somebody travels once something rests on it.
pub(super) const ROUTE: ChangedBy = ChangedBy::UntilMatched(&[Port, Cus, Pas, Sec, Hub], Port);
/// Who may change a traveller's document once something rests on it.
pub(super) const DOCUMENT: ChangedBy = ChangedBy::UntilMatched(&[Pas, Sec, Hub], Pas);
/// Who writes down the seals of a load.
pub(super) const SEALS: SetBy = SetBy::Departments(&[Cus, Sec, Hub]);
/// Who may put another seal in the place of one that is recorded.
pub(super) const SEALERS: ChangedBy = ChangedBy::Officers(&[Cus, Sec, Hub]);
/// Who writes a customs entry.
pub(super) const CUSTOMS: SetBy = SetBy::Departments(&[Cus, Hub]);
/// Who may change what an assessment rests on.
pub(super) const ASSESSORS: ChangedBy = ChangedBy::Supervisors(&[Cus, Hub]);
/// Who may change what goods are known by.
pub(super) const SOUGHT_ASSESSORS: ChangedBy = ChangedBy::SupervisorsOnceSought(&[Cus, Hub]);
/// Who keeps a crossing's day.
pub(super) const SITE: SetBy = SetBy::Departments(&[Ops, Port, Hlt, It, Hub]);
/// Whoever works at a crossing.
pub(super) const EVERYBODY: SetBy = SetBy::Departments(&Department::ALL);
