//! The words that rows of the table of events are written in.

pub(super) use super::{
    CHANNELS, OUTCOMES,
    columns::{Departments::*, *},
};
pub(super) use crate::{Department::*, Guarded, HoldType, Kind::*, Unit::*, ValueType::*};
