//! What an author says that it had taken in, as far as what is held here bears it out: a size
//! counts where the root that the author named for it is the root of the log as held.

use crate::{
    door::{Door, proofs::known_root},
    ledger::seen::SeenIndex,
};
use std::{collections::HashMap, sync::Arc};
use wadi_log::{Frontier, Hash, Lane, LogId};
use wadi_store::StoreError;

/// Control logs that are not held here, of which it is told for one decision that they were named.
/// An honest author names none.
const NOT_HELD_MAX: usize = 16;
/// Logs that were named among which those are looked for.
const NAMED_READ: usize = 10_000;

/// How much of a log an author had taken in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct TakenIn {
    /// The furthest size of which what is held here bears it out; 0 for none.
    pub(super) borne_out: u64,
    /// The furthest size that the author names; 0 for none.
    pub(super) claimed: u64,
}

/// Holds what authors name against the logs that are held, and reads each root once.
pub(super) struct HeldRoots<'a> {
    door: &'a Door,
    frontier: Arc<Frontier>,
    roots: HashMap<(LogId, u64), Option<Hash>>,
}

impl<'a> HeldRoots<'a> {
    pub(super) fn of(door: &'a Door) -> Self {
        Self {
            door,
            frontier: door.frontier(),
            roots: HashMap::new(),
        }
    }

    /// How much of a log an author had taken in when it wrote position `before` of its own. What is
    /// damaged or not held here, or stands on another branch, bears nothing out.
    pub(super) async fn taken_in(
        &mut self,
        seen: &SeenIndex,
        before: u64,
        log: &LogId,
    ) -> Result<TakenIn, StoreError> {
        let held = self.frontier.0.get(log).map_or(0, |tip| tip.size);
        let claims = seen.claims(before, log);
        let claimed = claims.first().map_or(0, |(size, _)| *size);

        let mut borne_out = 0;
        for (size, root) in claims {
            let is_believed = wadi_store::defence::off("borne-out");
            if is_believed || size <= held && self.root(log, size).await? == Some(root) {
                borne_out = size;
                break;
            }
        }

        Ok(TakenIn { borne_out, claimed })
    }

    /// The control logs of which an author may have taken in something: those held here, and some
    /// of those that it names and that are not.
    pub(super) fn control_logs(&self, seen: &SeenIndex) -> Vec<LogId> {
        let is_control = |log: &&LogId| log.lane == Lane::Control;
        let held = self.frontier.0.keys().filter(is_control);
        let named = seen.logs().take(NAMED_READ).filter(is_control);
        let not_held = named.filter(|log| !self.frontier.0.contains_key(log));
        held.chain(not_held.take(NOT_HELD_MAX)).copied().collect()
    }

    async fn root(&mut self, log: &LogId, size: u64) -> Result<Option<Hash>, StoreError> {
        if let Some(known) = self.roots.get(&(*log, size)) {
            return Ok(*known);
        }

        let root = known_root(&*self.door.store, log, size).await?;
        self.roots.insert((*log, size), root);
        Ok(root)
    }
}
