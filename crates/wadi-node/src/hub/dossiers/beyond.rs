//! Whose dossiers a record belongs to though they are not in its own.
//!
//! A dossier takes those nearest in time, and being near is not mutual: a lone entry has the first
//! of a hundred trucks among its nearest, and that truck has ninety-nine entries that are nearer.
//! When the truck changes the entry has to be looked at all the same; else what two hubs find
//! depends on what each heard first.

use super::{DossierQuestions, HELD_PER_TERM, Purpose};
use std::collections::BTreeMap;
use wadi_log::RecordId;
use wadi_store::{TermHit, TermQuery};

/// What the store answered of one kind.
#[derive(Default)]
struct OfKind {
    of: u64,
    /// The asker is among them.
    has_asker: bool,
}

impl DossierQuestions {
    /// What is asked of terms that more records share than were taken, and who asks: those found
    /// are neighbours.
    pub(super) fn beyond(&self, hits: &[TermHit]) -> (Vec<TermQuery>, Vec<RecordId>) {
        let mut kinds: BTreeMap<(usize, Option<u8>), OfKind> = BTreeMap::new();
        for hit in hits {
            let kind = kinds.entry((hit.asker, hit.lane)).or_default();
            kind.of = kind.of.max(hit.of);
            let purpose = self.purposes.get(hit.asker);
            kind.has_asker |= purpose.is_some_and(|p| p.asker == hit.record);
        }

        let (mut queries, mut askers) = (Vec::new(), Vec::new());
        for ((n, lane), kind) in kinds {
            let (Some(query), Some(purpose)) = (self.near.get(n), self.purposes.get(n)) else {
                continue;
            };
            if purpose.gone || kind.of <= u64::from(query.most) {
                continue;
            }

            for (between_ms, most) in around(query, purpose, kind.has_asker) {
                askers.push(purpose.asker);
                queries.push(TermQuery {
                    asker: queries.len(),
                    only_lane: lane,
                    between_ms,
                    most,
                    ..query.clone()
                });
            }
        }

        (queries, askers)
    }
}

/// Within which times is asked, and for how many.
///
/// Between a record and one that has it among its nearest stand fewer of the record's own kind than
/// a dossier takes: where those found are of that kind, so many before it and so many after it are
/// all. Of those at the same time, and of another kind, as many as a hold may hold are looked at;
/// of more the alarm of crowded dossiers tells.
fn around(query: &TermQuery, purpose: &Purpose, is_own_kind: bool) -> Vec<((i64, i64), u32)> {
    let (from_ms, through_ms) = query.between_ms;
    let at_ms = query.at_ms;
    if !is_own_kind && !purpose.cohort {
        return vec![(query.between_ms, HELD_PER_TERM)];
    }

    vec![
        ((from_ms, at_ms.saturating_sub(1)), query.most),
        ((at_ms, at_ms), HELD_PER_TERM),
        ((at_ms.saturating_add(1), through_ms), query.most),
    ]
}
