//! How a resync stands, and how it is steered.

use crate::door::error::ResyncError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Where a resync stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ResyncState {
    /// Everything is being read through and compared.
    Planning,
    Planned,
    /// Ordered for another node, which has not reported yet.
    Ordered,
    Shipping,
    Comparing,
    Mending,
    Verifying,
    Paused,
    Cancelled,
    Done,
    Failed,
}

impl ResyncState {
    /// Whether it is being carried out here.
    pub(crate) fn runs(self) -> bool {
        matches!(
            self,
            Self::Shipping | Self::Comparing | Self::Mending | Self::Verifying
        )
    }
}

/// How a resync is steered once it was approved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResyncAct {
    /// It stops after its step, and can go on.
    Pause,
    /// A paused one goes on.
    Resume,
    /// It ends where it is.
    Cancel,
}

impl ResyncAct {
    const ALL: [(&'static str, Self); 3] = [
        ("pause", Self::Pause),
        ("resume", Self::Resume),
        ("cancel", Self::Cancel),
    ];
}

impl fmt::Display for ResyncAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, act)| act == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

impl FromStr for ResyncAct {
    type Err = ResyncError;

    fn from_str(name: &str) -> Result<Self, ResyncError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        let unknown = || ResyncError::UnknownAct { act: name.into() };
        found.map(|(_, act)| *act).ok_or_else(unknown)
    }
}
