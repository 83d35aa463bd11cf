//! Callers that are turned away are counted, and noted now and then: a note is a commit of the
//! database, and strangers must not be able to have one for each packet.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

/// The least time between two notes of one subject.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Subjects counted apart at most; what comes beyond them is counted together.
const SUBJECTS_MAX: usize = 256;
/// What those are counted as.
const OTHER_SUBJECTS: &str = "others";

/// Who was turned away, and how often since it was last noted.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<String, Counted>>);

struct Counted {
    noted: Instant,
    since: u64,
}

impl Refusals {
    /// Counts one. Where it is to be noted now, returns how many of its subject it stands for.
    pub(crate) fn count(&self, subject: String, now: Instant) -> Option<u64> {
        let mut counts = self.0.lock().expect("no panic holds it");
        if counts.len() >= SUBJECTS_MAX && !counts.contains_key(&subject) {
            counts.retain(|_, counted| now.duration_since(counted.noted) < TOLD_AGAIN_AFTER);
        }

        let apart = counts.len() < SUBJECTS_MAX || counts.contains_key(&subject);
        let subject = if apart {
            subject
        } else {
            OTHER_SUBJECTS.to_string()
        };
        let Some(counted) = counts.get_mut(&subject) else {
            counts.insert(
                subject,
                Counted {
                    noted: now,
                    since: 0,
                },
            );

            return Some(1);
        };

        counted.since += 1;
        if now.duration_since(counted.noted) < TOLD_AGAIN_AFTER {
            return None;
        }

        counted.noted = now;
        Some(std::mem::take(&mut counted.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subject_is_noted_once_a_minute_with_how_many_there_were() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let at = |s| refusals.count("10.0.0.1".into(), start + Duration::from_secs(s));
        assert_eq!(at(0), Some(1));
        assert!((1..60).all(|s| at(s).is_none()));
        assert_eq!(at(60), Some(60), "those of the minute, and this one");
        assert_eq!(at(61), None);
    }

    #[test]
    fn subjects_without_number_take_bounded_room_and_bounded_notes() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let noted = (0..20_000)
            .filter(|n| refusals.count(format!("stranger {n}"), start).is_some())
            .count();
        assert_eq!(noted, SUBJECTS_MAX + 1);
        assert_eq!(refusals.0.lock().unwrap().len(), SUBJECTS_MAX + 1);

        // A minute later there is room for others again.
        assert_eq!(
            refusals.count("somebody else".into(), start + TOLD_AGAIN_AFTER),
            Some(1)
        );
        assert!(refusals.0.lock().unwrap().len() <= 2);
    }
}
