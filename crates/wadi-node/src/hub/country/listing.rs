//! What is listed: heads that moved, the day's policy, cuts that came.

use super::kept::{KeptLog, ListedRow};
use crate::door::{Door, error::NodeError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;
use wadi_country::CountryLeaf;
use wadi_log::{Hash, Reference};

/// So long it is an alarm that a log began anew: a week, in which somebody gives its keys to
/// witnesses and to those who check evidence.
const ANEW_STANDS_MS: i64 = 7 * 24 * 3_600_000;

/// Why a log follows on another one of this hub's, and since when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct BegunAnew {
    /// The hub's time, Unix milliseconds.
    pub(super) at_ms: i64,
    pub(super) why: String,
}

impl BegunAnew {
    /// What the alarm says, while it stands. A clock that was set back does not end it.
    pub(super) fn alarm(&self, now_ms: i64) -> Option<String> {
        let is_fresh = now_ms.saturating_sub(self.at_ms) < ANEW_STANDS_MS;
        is_fresh.then(|| {
            let why = &self.why;
            format!("{why}; give witnesses and policies its keys (/tlog/vkeys)")
        })
    }
}

/// How far the log has come.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ListingState {
    /// The last part of its origin.
    pub(super) name: String,
    /// Leaves.
    pub(super) size: u64,
    /// When it was listed last, the hub's time, Unix milliseconds.
    pub(super) at_ms: i64,
    /// The day whose policy was listed last.
    pub(super) day: String,
    /// That policy's revision.
    pub(super) revision: Option<u64>,
    /// Why it follows on another one, where it does.
    #[serde(default)]
    pub(super) anew: Option<BegunAnew>,
}

impl KeptLog {
    /// Whether a listing is due: its time has come, or a cut was heard of.
    pub(super) fn is_due(&self, door: &Door, every: Duration) -> bool {
        let since_ms = door.time().now_ms().saturating_sub(self.state.at_ms);
        let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        // A clock that was set back does not keep it silent.
        !(0..every_ms).contains(&since_ms) || !self.new_cuts(door).is_empty()
    }

    fn new_cuts(&self, door: &Door) -> Vec<Reference> {
        let cuts = |c: &wadi_log::Control| {
            let all = c.cuts().map(|cut| cut.reference);
            all.filter(|cut| !self.cuts.contains(cut)).collect()
        };
        door.with_control(cuts)
    }

    /// Appends what is due.
    pub(super) async fn list(&mut self, door: &Door) -> Result<(), NodeError> {
        let (now_ms, hub_time_s) = (door.time().now_ms(), door.time().now_s());
        let mut leaves = Vec::new();
        for entry in self.new_cuts(door) {
            let leaf = CountryLeaf::Cut { entry, hub_time_s };
            leaves.push((leaf, Some(ListedRow::Cut(entry))));
        }

        let (revision, sha256) = policy(door);
        let day = day_of(hub_time_s);
        if self.state.day != day || self.state.revision != Some(revision) {
            let leaf = CountryLeaf::Policy {
                day: day.clone(),
                revision,
                sha256,
                hub_time_s,
            };
            leaves.push((leaf, None));
        }

        for (log, tip) in &door.frontier().0 {
            let (log, size, root) = (*log, tip.size, tip.root);
            let listed = self.heads.get(&log).map(|l| (l.size, l.root));
            if size > 0 && listed != Some((size, root)) {
                let leaf = CountryLeaf::Head {
                    log,
                    size,
                    root,
                    hub_time_s,
                };
                leaves.push((leaf, Some(ListedRow::Head(log, size, root))));
            }
        }

        let state = ListingState {
            at_ms: now_ms,
            day,
            revision: Some(revision),
            ..self.state.clone()
        };
        self.append(door, leaves, state).await
    }
}

/// The revision of the policy in force and the hash of its text; 0 and that of nothing before any.
fn policy(door: &Door) -> (u64, Hash) {
    let hash = |text: &str| Hash(Sha256::digest(text.as_bytes()).into());
    door.with_control(|control| {
        let newest = control.policy(|_| u64::MAX);
        newest.map_or_else(|| (0, hash("")), |(_, p)| (p.revision, hash(&p.text)))
    })
}

fn day_of(time_s: i64) -> String {
    let time = jiff::Timestamp::from_second(time_s).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_log_began_anew_is_told_for_a_week() {
        let anew = BegunAnew {
            at_ms: 1_000,
            why: "it was lost".into(),
        };
        let told = anew.alarm(1_000).expect("it is told at once");
        assert!(told.starts_with("it was lost; give witnesses"), "{told}");
        assert_eq!(anew.alarm(ANEW_STANDS_MS + 999), Some(told.clone()));
        assert_eq!(anew.alarm(ANEW_STANDS_MS + 1_000), None);
        assert_eq!(anew.alarm(-1_000_000), Some(told), "a clock set back");
    }

    #[test]
    fn days_are_those_of_the_hubs_time() {
        assert_eq!(day_of(1_795_737_599), "2026-11-26");
        assert_eq!(day_of(1_795_737_600), "2026-11-27");
        assert_eq!(day_of(i64::MAX), "1970-01-01");
    }
}
