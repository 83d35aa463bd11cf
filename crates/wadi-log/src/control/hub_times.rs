//! How late it was, by the entries of hubs' control logs: whoever had taken one of them in wrote
//! after it, whatever the own clock showed.

use super::Control;
use crate::{Hash, LogId, Reference, shared::Shared};
use std::collections::BTreeMap;

/// Two clocks that differ by no more agree: that a time is past is known where a hub told a later
/// step.
const STEP_MS: i64 = 600_000;

/// Of each control log the first position at which a step, or a later one, was told. Later steps
/// stand at later positions.
#[derive(Clone, Debug, Default)]
pub(super) struct HubTimes(BTreeMap<LogId, Shared<BTreeMap<i64, u64>>>);

impl HubTimes {
    /// Takes in what an entry tells, in whatever order entries come.
    fn learn(&mut self, at: &Reference, told_ms: i64) {
        let step = told_ms.div_euclid(STEP_MS);
        let steps = self.0.entry(at.log).or_default();
        if first_of(steps, step).is_some_and(|first| first <= at.seq) {
            return;
        }

        let earlier = steps.range(..step).rev();
        let told_by_this = earlier.take_while(|(_, seq)| **seq >= at.seq);
        let told_by_this: Vec<i64> = told_by_this.map(|(step, _)| *step).collect();
        for step in told_by_this {
            steps.remove(&step);
        }

        steps.insert(step, at.seq);
    }
}

/// The first position at which a step, or a later one, was told.
fn first_of(steps: &BTreeMap<i64, u64>, step: i64) -> Option<u64> {
    steps.range(step..).next().map(|(_, seq)| *seq)
}

impl Control {
    /// Notes the time that an entry of a hub's tells.
    pub(super) fn note_hub_time(&mut self, at: &Reference, told_ms: i64) {
        self.hub_times.learn(at, told_ms);
    }

    /// Whether somebody who had taken in `covered` of each control log wrote after a time, for
    /// sure: a hub had told a later one there, within what counts of its log.
    pub fn is_past(&self, then_ms: i64, covered: impl Fn(&LogId) -> u64) -> bool {
        let step = then_ms.div_euclid(STEP_MS).saturating_add(1);
        self.hub_times.0.iter().any(|(log, steps)| {
            let Some(seq) = first_of(steps, step) else {
                return false;
            };
            let at = Reference {
                log: *log,
                seq,
                leaf: Hash::default(),
            };

            seq < covered(log) && self.fact_counts(&at)
        })
    }
}
