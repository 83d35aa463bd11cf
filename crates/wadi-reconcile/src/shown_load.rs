//! What attested scales showed on a vehicle, before something happened to its load and since.

use crate::{Dossier, Fact, Facts};

/// Parts of a mass that a permille is.
const PERMILLE: i64 = 1_000;

/// What attested scales showed on a vehicle, kilograms.
pub(crate) struct ShownLoad {
    /// The most until a time.
    pub(crate) before: Option<i64>,
    /// The most since, where that was a load.
    pub(crate) laden_after: Option<i64>,
    /// Whether one showed anything since.
    pub(crate) is_weighed_after: bool,
}

impl ShownLoad {
    /// What was shown until a time, Unix milliseconds, and since.
    pub(crate) fn of(passage: &Facts, at_ms: i64) -> Self {
        let all: Vec<Fact<'_>> = passage.weighings().filter(Fact::attested).collect();
        Self::among(&all, at_ms)
    }

    /// The same by attested weighings that were read before.
    pub(crate) fn among(all: &[Fact<'_>], at_ms: i64) -> Self {
        let before = all.iter().filter(|w| w.at_ms() <= at_ms);
        let after = || all.iter().filter(move |w| w.at_ms() > at_ms);
        let laden = after().filter(|w| w.shows_a_load());

        Self {
            before: before.filter_map(Fact::net_kg).max(),
            laden_after: laden.filter_map(Fact::net_kg).max(),
            is_weighed_after: after().any(|w| w.net_kg().is_some()),
        }
    }

    /// How much less it had since, where it is known what it had.
    pub(crate) fn given_kg(&self) -> Option<i64> {
        let before = self.before?;
        Some(before.saturating_sub(self.laden_after.unwrap_or(0)))
    }

    /// Whether it had its load since as before, as far as scales tell.
    pub(crate) fn is_kept(&self, dossier: &Dossier) -> bool {
        let is_less = |before: i64| {
            let given_kg = self.given_kg().unwrap_or(0);
            given_kg > allowed_kg(dossier, before)
        };
        self.laden_after.is_some() && !self.before.is_some_and(is_less)
    }
}

/// By how much two weighings of so much may differ, kilograms.
pub(crate) fn allowed_kg(dossier: &Dossier, kg: i64) -> i64 {
    let permille = i64::from(dossier.policy.weight_permille);
    kg.saturating_mul(permille) / PERMILLE
}
