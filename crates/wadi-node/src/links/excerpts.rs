//! Excerpts on a link: what a hub sends of records handed over to the peer's crossing, and what
//! this node keeps of those handed over to it.

use super::{Due, Link};
use crate::door::{
    command::Command,
    excerpt::{ALL_EXCERPTS, EXCERPT_LOST, excerpt_part},
};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use wadi_log::{Crossing, RecordId};
use wadi_store::StoreError;
use wadi_sync::{ExcerptAmount, ExcerptEntry, Input, Message};

/// Records whose excerpts are proven in one look.
const EXCERPTS_AT_ONCE: usize = 32;

/// How far excerpts have come with a peer.
pub(super) struct Excerpts {
    /// Entries of each record that the peer acknowledged.
    pub(super) acked: BTreeMap<RecordId, u32>,
    /// Entries of each record that it was sent.
    sent: BTreeMap<RecordId, u32>,
    /// Records whose excerpts may have grown.
    pub(super) due: Due<RecordId>,
    /// Whether to look for what has grown.
    pub(super) may_have_grown: bool,
    /// Whether to look which excerpts the hub has to send again.
    pub(super) doubted: bool,
}

impl Default for Excerpts {
    fn default() -> Self {
        Self {
            acked: BTreeMap::new(),
            sent: BTreeMap::new(),
            due: Due::Any,
            may_have_grown: true,
            doubted: true,
        }
    }
}

impl Link<'_> {
    pub(super) async fn keep_excerpt(
        &mut self,
        record: RecordId,
        from: u32,
        entries: Vec<ExcerptEntry>,
    ) {
        if from > 0 && self.is_excerpt_lost(&record).await {
            // Sent before the hub heard what is gone here: what stands before it comes first, and
            // then this once more.
            return;
        }

        let count = entries.len() as u32;
        let (reply, taken) = oneshot::channel();
        self.door
            .put_from(
                self.peer,
                Command::Excerpt {
                    record,
                    entries,
                    peer: self.peer,
                    reply,
                },
            )
            .await;

        if taken.await.unwrap_or(false) {
            self.inputs
                .push_back(Input::ExcerptHeld(ExcerptAmount::Entries {
                    record,
                    entries: from.saturating_add(count),
                }));
            self.note_excerpt_back(&record.to_string()).await;
        } else {
            self.ending.short_of_room |= !self.door.room.level().takes_excerpts();
        }
    }

    /// Tells the hub of which records handed over entries are gone here: as if none of them had
    /// come yet.
    pub(super) async fn ask_for_excerpts(&mut self) {
        if !self.session.is_greeted() || !std::mem::take(&mut self.excerpts.doubted) {
            return;
        }

        let lost = self
            .door
            .store
            .local_all(&EXCERPT_LOST)
            .await
            .unwrap_or_default();

        let amounts = lost.iter().filter_map(|l| match l.key.as_str() {
            ALL_EXCERPTS => Some(ExcerptAmount::NothingOfAny),
            id => Some(ExcerptAmount::Entries {
                record: id.parse().ok()?,
                entries: 0,
            }),
        });

        self.inputs.extend(amounts.map(Input::ExcerptHeld));
    }

    /// Whether entries of a record handed over are gone here.
    pub(super) async fn is_excerpt_lost(&self, record: &RecordId) -> bool {
        for key in [ALL_EXCERPTS, record.to_string().as_str()] {
            if matches!(self.door.store.local(&EXCERPT_LOST, key).await, Ok(Some(_))) {
                return true;
            }
        }
        false
    }

    /// What was gone came again.
    pub(super) async fn note_excerpt_back(&self, key: &str) {
        if matches!(self.door.store.local(&EXCERPT_LOST, key).await, Ok(Some(_))) {
            let _ = self
                .door
                .set_local(vec![], vec![(EXCERPT_LOST, key.into())])
                .await;
        }
    }

    /// The peer says how much of a record it holds. That is no more than it was sent, and of
    /// nothing else anything.
    pub(super) async fn excerpt_acked(&mut self, amount: ExcerptAmount) {
        let lost = match amount {
            ExcerptAmount::NothingOfAny => {
                self.excerpts.acked.clear();
                self.excerpts.sent.clear();
                self.excerpts.due = Due::Any;
                self.inputs.push_back(Input::ExcerptHeld(amount));
                true
            }
            ExcerptAmount::Entries { record, entries } => {
                let before = self.excerpts.acked.get(&record).copied();
                let Some(most) = before.max(self.excerpts.sent.get(&record).copied()) else {
                    return;
                };
                let entries = entries.min(most);

                self.excerpts.acked.insert(record, entries);
                let lost = before.is_some_and(|before| entries < before);
                if lost {
                    // It holds less than it did: what it lost is sent again.
                    self.excerpts.sent.remove(&record);
                }

                self.excerpts.due.add([record]);

                lost
            }
        };

        self.excerpts.may_have_grown = true;
        self.memory.unwritten = true;
        if lost {
            // The peer says it once.
            self.write_memory().await;
        }
    }

    /// Sends what has grown of the records handed over to the peer's crossing, a few at a time:
    /// proving them takes its time, and the link has other things to do.
    pub(super) async fn send_excerpts(&mut self, crossing: &str) {
        if !self.excerpts.may_have_grown || self.find_excerpts(crossing).await.is_err() {
            return;
        }

        for _ in 0..EXCERPTS_AT_ONCE {
            let Some(record) = self.excerpts.due.pop_first() else {
                break;
            };
            let Some(entries) = self.door.excerpt(&record).await else {
                continue;
            };
            let acked = self.excerpts.acked.get(&record).copied().unwrap_or(0) as usize;
            let sent = self.excerpts.sent.get(&record).copied().unwrap_or(0) as usize;
            if entries.len() <= acked || sent > acked {
                continue;
            }

            let part = entries[acked..][..excerpt_part(&entries[acked..])].to_vec();
            self.excerpts
                .sent
                .insert(record, (acked + part.len()) as u32);

            let message = Message::Excerpt {
                record,
                from: acked as u32,
                entries: part,
            };

            self.inputs.push_back(Input::SendExcerpt(message));
        }

        self.excerpts.may_have_grown = !self.excerpts.due.is_empty();
    }

    /// Notes which of the records that changed are handed over to the peer's crossing.
    pub(super) fn note_handed_over(&mut self, handed_over: &[(Crossing, RecordId)]) {
        let peers = self.session.peer().and_then(|peer| peer.crossing);
        let own: Vec<RecordId> = handed_over
            .iter()
            .filter(|(crossing, _)| Some(*crossing) == peers)
            .map(|(_, record)| *record)
            .collect();

        if !own.is_empty() {
            self.excerpts.due.add(own);
            self.excerpts.may_have_grown = true;
        }
    }

    /// Has all records handed over to the peer's crossing looked at.
    pub(super) fn find_excerpts_anew(&mut self) {
        self.excerpts.due = Due::Any;
        self.excerpts.may_have_grown = true;
    }

    /// Finds all records handed over to a crossing, where it is not known which of them changed.
    async fn find_excerpts(&mut self, crossing: &str) -> Result<(), StoreError> {
        if matches!(self.excerpts.due, Due::Any) {
            let all = self.door.store.handed_over_to(crossing).await?;
            self.excerpts.due = Due::These(all.into_iter().collect());
        }

        Ok(())
    }
}
