//! What a write is held against once it is kept: the shift book, lookouts, the vehicles that are
//! inside, and who placed the hold that it ends. It is read in the task of whoever wrote, so that
//! it keeps no other write waiting.

use super::{
    Door,
    beside::acts_that_let_go,
    ended_alone::{ended_alone, told_alone, was_placed_by},
    off_shift::acts_on_shift,
    read_again::{ReadOff, read_off},
    write::{Write, Written},
};
use std::collections::BTreeSet;
use wadi_record::Kind;
use wadi_store::StoreError;

/// What of a write is looked at again.
pub(super) struct SecondLook {
    /// Plates and containers.
    read: Vec<ReadOff>,
    /// Acts that are done on shift.
    acts: BTreeSet<String>,
    /// Acts by which a vehicle may go.
    lets_go: BTreeSet<String>,
    /// Ends of a hold that the officer says with nobody beside.
    ended_alone: BTreeSet<String>,
    officer: String,
    at_ms: i64,
}

impl SecondLook {
    /// Of a write that is about to be made; none where nothing in it is looked at.
    pub(super) fn of(door: &Door, write: &Write) -> Option<Self> {
        let is_read = matches!(write.draft.kind, Kind::Passage | Kind::CustomsEntry);
        let look = Self {
            read: if is_read {
                read_off(&write.draft)
            } else {
                Vec::new()
            },
            acts: acts_on_shift(write),
            lets_go: acts_that_let_go(write),
            ended_alone: ended_alone(write),
            officer: write.officer.clone(),
            at_ms: match &write.happened {
                Some((at_ms, _)) => *at_ms,
                None => door.now_ms(),
            },
        };

        let has_acts = [&look.acts, &look.lets_go, &look.ended_alone]
            .into_iter()
            .any(|acts| !acts.is_empty());
        (has_acts || !look.read.is_empty()).then_some(look)
    }
}

impl Door {
    /// Adds what was found strange to what whoever wrote is told. Where the store cannot be asked,
    /// it is left out: the write is kept.
    pub(super) async fn look_again(&self, look: Option<SecondLook>, written: &mut Written) {
        let Some(look) = look.filter(|_| !written.repeated) else {
            return;
        };

        match self.looked(&look, written).await {
            Ok(told) => written.warnings.extend(told),
            Err(error) => {
                tracing::warn!(%error, "a write could not be held against what else is known here");
            }
        }
    }

    async fn looked(
        &self,
        look: &SecondLook,
        written: &Written,
    ) -> Result<Vec<String>, StoreError> {
        // Of a write that is told for the first time, what it changed is there.
        let crossing = match &written.changed {
            Some(changed) => changed.crossing.to_string(),
            None => return Ok(Vec::new()),
        };

        let (officer, at_ms) = (look.officer.as_str(), look.at_ms);
        let mut told = self
            .shift_warnings(&look.acts, officer, &crossing, at_ms)
            .await?;
        let own = written.record;
        told.extend(
            self.read_again_warnings(&look.read, own, &crossing, at_ms)
                .await?,
        );
        told.extend(self.beside_warnings(&look.lets_go, own, at_ms).await?);
        told.extend(self.ended_alone_warnings(look, written).await?);
        Ok(told)
    }

    /// What an officer is told who ended a hold alone.
    async fn ended_alone_warnings(
        &self,
        look: &SecondLook,
        written: &Written,
    ) -> Result<Vec<String>, StoreError> {
        let ended = written.changed.as_ref().map(|c| c.holds_ended.as_slice());
        let ended = ended.unwrap_or_default();
        if look.ended_alone.is_empty() || look.officer.is_empty() || ended.is_empty() {
            return Ok(Vec::new());
        }

        let rows = self.store.records_by_id(&[written.record]).await?;
        let mut rows = rows.iter();
        let is_own = rows.any(|row| was_placed_by(&look.officer, ended, &row.json));
        Ok(told_alone(&look.ended_alone, &look.officer, is_own))
    }
}
