//! What changes by itself while somebody looks at it: a number for each part, which moves when the
//! part does. Whoever shows a part asks for it anew where its number is another one.

use tokio::sync::watch;
use wadi_store::Batch;

/// How many parts there are.
const PARTS: usize = LivePart::ALL.len();

/// A part of what a node shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LivePart {
    /// Records as they are listed.
    Records,
    /// Findings; a hub's alone.
    Findings,
    /// How links and peers stand.
    Links,
    /// Resyncs and their progress.
    Resyncs,
    /// What was refused.
    Refusals,
}

impl LivePart {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Records,
        Self::Findings,
        Self::Links,
        Self::Resyncs,
        Self::Refusals,
    ];

    /// Its name, as addresses and streams have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Findings => "findings",
            Self::Links => "links",
            Self::Resyncs => "resyncs",
            Self::Refusals => "refusals",
        }
    }

    fn place(self) -> usize {
        self as usize
    }
}

/// The numbers of all parts at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LiveVersions([u64; PARTS]);

impl LiveVersions {
    /// A part's number. It says nothing but whether the part changed; none is 0.
    pub fn of(&self, part: LivePart) -> u64 {
        self.0.get(part.place()).copied().unwrap_or(0)
    }
}

/// The numbers of all parts as they move.
#[derive(Debug)]
pub(crate) struct LiveParts(watch::Sender<LiveVersions>);

impl LiveParts {
    /// Numbers of a process that starts at this time, Unix milliseconds. They begin there, so that
    /// none of them is one of an earlier start.
    pub(crate) fn new(now_ms: i64) -> Self {
        let first = u64::try_from(now_ms).unwrap_or(0).max(1);
        Self(watch::Sender::new(LiveVersions([first; PARTS])))
    }

    /// The numbers from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<LiveVersions> {
        self.0.subscribe()
    }

    /// A part changed.
    pub(crate) fn moved(&self, part: LivePart) {
        self.all_moved(&[part]);
    }

    /// Parts changed.
    pub(crate) fn all_moved(&self, parts: &[LivePart]) {
        if parts.is_empty() {
            return;
        }

        self.0.send_modify(|versions| {
            for part in parts {
                if let Some(version) = versions.0.get_mut(part.place()) {
                    *version += 1;
                }
            }
        });
    }
}

/// The parts that a batch changes once it is durable.
pub(crate) fn moved_by(batch: &Batch) -> Vec<LivePart> {
    let changes = [
        (
            LivePart::Records,
            !batch.project.records.is_empty() || !batch.repair.records_gone.is_empty(),
        ),
        (
            LivePart::Findings,
            !batch.findings.changed.is_empty() || !batch.findings.gone.is_empty(),
        ),
        (LivePart::Resyncs, !batch.local.resyncs.is_empty()),
        (LivePart::Refusals, !batch.local.refusals.is_empty()),
    ];

    let moved = changes.into_iter().filter(|(_, is_moved)| *is_moved);
    moved.map(|(part, _)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_moves_has_another_number_and_the_others_keep_theirs() {
        let parts = LiveParts::new(1_000);
        let mut followed = parts.follow();
        let before = *followed.borrow_and_update();
        parts.moved(LivePart::Findings);
        assert!(followed.has_changed().unwrap());

        let after = *followed.borrow_and_update();
        for part in LivePart::ALL {
            let is_same = before.of(part) == after.of(part);
            assert_eq!(is_same, part != LivePart::Findings, "{part:?}");
        }

        parts.all_moved(&[]);
        assert!(
            !followed.has_changed().unwrap(),
            "nobody is woken for nothing"
        );
    }

    #[test]
    fn a_later_start_has_none_of_the_numbers_of_an_earlier_one() {
        let earlier = LiveParts::new(1_000);
        earlier.moved(LivePart::Links);
        let (then, now) = (
            *earlier.follow().borrow(),
            *LiveParts::new(9_000).follow().borrow(),
        );
        assert_ne!(then.of(LivePart::Links), now.of(LivePart::Links));
        assert_ne!(LiveParts::new(-1).follow().borrow().of(LivePart::Links), 0);
    }
}
