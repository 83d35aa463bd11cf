//! What one record asks of the store for its dossier.

use super::{
    Asked, CARRIED, COHORT_ASKS_MAX, DossierQuestions, HELD_PER_TERM, HOLDING, NAMED_MAX,
    NEAREST_OF_ALL, PER_COHORT_TERM, PER_TERM, Purpose, TIME_MS_MAX, TermPlace,
};
use crate::door::shared_terms::SharedTerms;
use wadi_log::RecordId;
use wadi_reconcile::{Ask, asks};
use wadi_record::Policy;
use wadi_store::TermQuery;

/// A record that asks.
pub(super) struct Asker<'a> {
    pub(super) id: RecordId,
    pub(super) shared_terms: &'a SharedTerms,
    pub(super) is_hold: bool,
    pub(super) policy: &'a Policy,
    pub(super) asked: &'a mut Asked,
}

impl Asker<'_> {
    /// Asks by terms that it has, or had before they were gone.
    pub(super) fn ask_of_terms(
        &mut self,
        questions: &mut DossierQuestions,
        born_ms: i64,
        terms: &[(String, String)],
        gone: bool,
    ) {
        self.name_linked(questions, terms, gone);
        // What an author claims: anything at all.
        let born_ms = born_ms.clamp(-TIME_MS_MAX, TIME_MS_MAX);
        let window_ms = i64::from(self.policy.dossier_window_h).saturating_mul(3_600_000);
        let near = Near {
            at_ms: born_ms,
            between_ms: (
                born_ms.saturating_sub(window_ms),
                born_ms.saturating_add(window_ms),
            ),
        };
        let mut cohort_asks = 0usize;

        for ask in asks(&self.id.to_string(), terms, self.policy) {
            if ask.cohort {
                cohort_asks = cohort_asks.saturating_add(1);
            }

            // Nobody else has it: nobody would answer.
            if !self
                .shared_terms
                .may_be_shared(&self.id, ask.what, &ask.value)
            {
                continue;
            }

            if !ask.cohort && HOLDING.contains(&ask.what) {
                questions
                    .holds
                    .entry((ask.what, ask.value.clone()))
                    .or_default()
                    .push((self.id, gone));
            }

            if cohort_asks <= COHORT_ASKS_MAX {
                self.ask_near(questions, ask, near, gone);
            }
        }

        if cohort_asks > COHORT_ASKS_MAX {
            self.asked.note_cut("cohort", COHORT_ASKS_MAX, cohort_asks);
            self.asked.crowded = true;
        }
    }

    /// What the record names itself belongs into its dossier, whenever it was.
    fn name_linked(
        &mut self,
        questions: &mut DossierQuestions,
        terms: &[(String, String)],
        gone: bool,
    ) {
        let mut named: Vec<RecordId> = terms
            .iter()
            .filter(|(what, _)| what == "link")
            .filter_map(|(_, id)| id.parse().ok())
            .collect();

        let beyond = named.split_off(named.len().min(NAMED_MAX));
        if !beyond.is_empty() && !gone {
            self.asked
                .note_cut("named", NAMED_MAX, named.len().saturating_add(beyond.len()));
            self.asked.crowded = true;
        }

        self.asked.neighbours.extend(beyond);
        if gone {
            self.asked.neighbours.extend(named);
        } else {
            questions.named.extend(named.iter().copied());
            self.asked
                .linked
                .extend(named.into_iter().map(|id| (id, TermPlace::default())));
        }
    }

    fn ask_near(&mut self, questions: &mut DossierQuestions, ask: Ask, near: Near, gone: bool) {
        let by_kind = !ask.cohort && !NEAREST_OF_ALL.contains(&ask.what);
        let holds_by = self.is_hold && CARRIED.contains(&ask.what) && !ask.cohort;
        // All that a counter began in eight weeks, where it does so every day.
        let is_beginning = ask.what == "device_run";
        let most = if holds_by {
            HELD_PER_TERM
        } else if by_kind || is_beginning {
            PER_TERM
        } else {
            PER_COHORT_TERM
        };

        let mut ask_of = |between_ms, most, gone| {
            questions.near.push(TermQuery {
                asker: questions.near.len(),
                what: ask.what.into(),
                value: ask.value.clone(),
                at_ms: near.at_ms,
                between_ms,
                by_kind,
                only_lane: None,
                most,
            });

            questions.purposes.push(Purpose {
                asker: self.id,
                what: ask.what,
                cohort: ask.cohort,
                gone,
            });
        };
        ask_of(near.between_ms, most, gone);

        // A hold holds whenever it was placed, so what it may hold is looked at whenever that was:
        // one that comes late, from a crossing that was dark, was on nobody's list before. And
        // whoever names a record has it in its dossier, whenever it was. Of its own dossier those
        // are no part.
        let is_named = ask.what == "link" && ask.value == self.id.to_string();
        if holds_by || is_named {
            let (from_ms, through_ms) = near.between_ms;
            let before = (-TIME_MS_MAX, from_ms.saturating_sub(1));
            ask_of(
                (through_ms.saturating_add(1), TIME_MS_MAX),
                HELD_PER_TERM,
                true,
            );
            ask_of(before, HELD_PER_TERM, true);
        }
    }
}

/// Around which time is asked.
#[derive(Clone, Copy)]
struct Near {
    at_ms: i64,
    /// Within which time.
    between_ms: (i64, i64),
}
