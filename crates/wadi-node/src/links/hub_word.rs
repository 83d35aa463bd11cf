//! What a peer is told of hubs' cosignatures: of its own logs, and as the hub's time.

use super::{Due, Link};
use crate::door::Door;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Cosignature, LogId, NodeId, Role, SignedCheckpoint};
use wadi_sync::Input;

/// How much older than the newest one told a cosignature may be and still be told anew: hubs'
/// clocks differ.
const COSIGNED_SLACK_S: u64 = 600;

/// What the peer heard of hubs.
pub(super) struct HubWord {
    /// The size up to which it heard that each of its logs is cosigned.
    pub(super) told: BTreeMap<LogId, u64>,
    /// Logs of the peer's of whose cosignatures it may not have heard.
    pub(super) due: Due<LogId>,
    /// The newest cosignature that it was told, in this connection or an earlier one, Unix seconds.
    pub(super) newest_told_s: Option<u64>,
    /// It asked for the hub's time: its own hub is dark.
    pub(super) time_asked: bool,
    /// The hub's time that it was told last, Unix seconds.
    pub(super) time_told_s: Option<u64>,
}

impl HubWord {
    /// What the peer is known to have heard when the link begins.
    pub(super) fn new(door: &Door, told: BTreeMap<LogId, u64>) -> Self {
        let due = match door.me.role {
            Role::Hub => Due::These(BTreeSet::new()),
            _ => Due::Any,
        };

        Self {
            told,
            due,
            newest_told_s: None,
            time_asked: false,
            time_told_s: None,
        }
    }
}

/// What a hub need not tell of the peer's logs: their owner asks for the cosignatures that it
/// misses when it connects.
pub(super) fn asked_for_by_owner(door: &Door, peer: NodeId) -> BTreeMap<LogId, u64> {
    if door.me.role != Role::Hub {
        return BTreeMap::new();
    }

    let frontier = door.frontier();
    frontier
        .0
        .iter()
        .filter(|(log, _)| log.node == peer)
        .map(|(log, tip)| (*log, tip.size))
        .collect()
}

impl Link<'_> {
    /// Tells the owner of logs what the hub has cosigned of them, as a carrier learns it.
    pub(super) async fn tell_owner_cosigned(&mut self) {
        let mut all = Vec::new();
        // What an earlier connection told is left out where all that is held is looked at.
        let before_s = match self.hub_word.due {
            Due::Any => self.hub_word.newest_told_s,
            Due::These(_) => None,
        };

        match std::mem::take(&mut self.hub_word.due) {
            Due::Any => match self.door.store.cosignatures(None).await {
                Ok(found) => all = found,
                Err(_) => return,
            },
            Due::These(logs) => {
                for log in &logs {
                    let Ok(found) = self.door.store.cosignatures(Some(log)).await else {
                        return;
                    };
                    all.extend(found);
                }
            }
        }

        self.hub_word.due = Due::These(BTreeSet::new());
        for c in all {
            let head = &c.checkpoint.checkpoint;
            let by_hub = self
                .door
                .with_control(|k| k.role(&c.cosignature.witness) == Some(Role::Hub));
            let told = self.hub_word.told.get(&head.log).copied().unwrap_or(0);

            if head.log.node == self.peer && by_hub && head.size > told {
                self.hub_word.told.insert(head.log, head.size);
                let time_s = c.cosignature.time_s;
                let heard = before_s.is_some_and(|s| time_s.saturating_add(COSIGNED_SLACK_S) < s);
                if self.session.shares_past() && heard {
                    continue;
                }

                self.hub_word.newest_told_s = self.hub_word.newest_told_s.max(Some(time_s));
                self.memory.unwritten = true;
                let checkpoint = Box::new(c.checkpoint);
                self.inputs.push_back(Input::TellCosigned {
                    checkpoint,
                    cosignature: c.cosignature,
                });
            }
        }
    }

    /// A hub cosigned a head: the peer is told, where the log is its own and it is no hub.
    pub(super) fn tell_cosigned(
        &mut self,
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    ) {
        let log = checkpoint.checkpoint.log;
        let size = checkpoint.checkpoint.size;
        let is_hub = self.session.peer().is_some_and(|p| p.role == Role::Hub);
        let told = self.hub_word.told.get(&log).copied().unwrap_or(0);

        // The same size again is news, too: a head signed anew names a newer hub time.
        if log.node == self.peer && !is_hub && size >= told {
            self.hub_word.told.insert(log, size);
            self.inputs.push_back(Input::TellCosigned {
                checkpoint,
                cosignature,
            });
        }
    }
}
