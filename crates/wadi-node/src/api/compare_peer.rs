//! In what this node's records differ from a peer's, as far as this node holds what it takes: the
//! peer says over the link how much of each log it holds, and a record is what the entries that are
//! held make of it. What the peer holds and this node lacks is counted, and not known.

use crate::{
    api::{Reads, known::taken_in},
    door::{
        error::{NodeError, ResyncError},
        proofs::record_of,
    },
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Crossing, Difference, Lane, LogId, RecordId, Reference};

/// Bytes of entries that are read for one comparison at most: of more, the first.
const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of entries read at once.
const ENTRY_BYTES_AT_ONCE: usize = 256 * 1024;

/// A log of which both hold other entries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DifferingLog {
    /// The log.
    pub log: LogId,
    /// `ahead`: this node holds more; `behind`: the peer does; `forked`: each holds another branch.
    pub state: &'static str,
    /// Entries held here.
    pub here: u64,
    /// Entries that the peer holds.
    pub there: u64,
}

/// A record of which the peer lacks entries that are held here.
#[derive(Clone, PartialEq, Debug)]
pub struct DifferingRecord {
    /// The record.
    pub id: RecordId,
    /// The record as it is here.
    pub here: Json,
    /// The record as the entries that the peer holds make it; nothing where they make none.
    pub there: Option<Json>,
    /// Entries that the peer lacks.
    pub lacking: usize,
}

/// In what this node and a peer differ.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PeerDifferences {
    /// The logs that differ.
    pub logs: Vec<DifferingLog>,
    /// Records that differ, in the order of their ids.
    pub records: Vec<DifferingRecord>,
    /// Whether there are more of them.
    pub has_more: bool,
    /// Bytes that asking the peer took, both ways.
    pub bytes: u64,
}

/// How much of each log that differs a peer holds of what is held here.
fn held_there(
    differences: &BTreeMap<LogId, Difference>,
    forked_at: impl Fn(&LogId) -> u64,
) -> BTreeMap<LogId, u64> {
    let held = differences
        .iter()
        .filter_map(|(log, difference)| match difference {
            Difference::Ahead { theirs } => Some((*log, theirs.size)),
            Difference::Forked { .. } => Some((*log, forked_at(log))),
            Difference::Behind { .. } => None,
        });
    held.collect()
}

impl Reads {
    /// In what this node and a peer in contact differ, of a lane of a crossing or of all; so many
    /// records at most.
    pub async fn differences_with(
        &self,
        peer: &str,
        of: Option<(Lane, Crossing)>,
        limit: usize,
    ) -> Result<PeerDifferences, NodeError> {
        if self.door.with_control(|c| c.by_name(peer).is_none()) {
            return Err(ResyncError::UnknownPeer { name: peer.into() }.into());
        }

        let dark = || ResyncError::PeerDark { peer: peer.into() };
        let id = self.door.connected(Some(peer)).ok_or_else(dark)?;
        let compared = self.door.compare(id).await?.ok_or_else(dark)?;
        let is_asked = |log: &LogId| of.is_none_or(|of| of == (log.lane, log.crossing));

        let mut out = PeerDifferences {
            bytes: compared.bytes,
            ..PeerDifferences::default()
        };
        for (log, difference) in compared.differences.iter().filter(|(log, _)| is_asked(log)) {
            let (state, theirs) = match difference {
                Difference::Ahead { theirs } => ("ahead", theirs),
                Difference::Behind { theirs } => ("behind", theirs),
                Difference::Forked { theirs } => ("forked", theirs),
            };
            out.logs.push(DifferingLog {
                log: *log,
                state,
                here: compared.mine.0.get(log).map_or(0, |tip| tip.size),
                there: theirs.size,
            });
        }

        let forked_at = |log: &LogId| {
            self.door
                .with_control(|c| c.forks().get(log).map_or(0, |f| f.at))
        };
        let there = held_there(&compared.differences, forked_at);
        let asked: Vec<(LogId, u64)> = there
            .iter()
            .filter(|(log, _)| is_asked(log))
            .map(|(log, from)| (*log, *from))
            .collect();
        let (ids, has_more) = self.records_beyond(&asked, limit).await?;
        out.has_more = has_more;
        for id in ids {
            out.records.extend(self.differing(&id, &there).await?);
        }

        Ok(out)
    }

    /// The records that logs speak of beyond a position each; whether there are more than so many.
    async fn records_beyond(
        &self,
        logs: &[(LogId, u64)],
        limit: usize,
    ) -> Result<(BTreeSet<RecordId>, bool), NodeError> {
        let (mut ids, mut bytes) = (BTreeSet::new(), 0);
        for (log, from) in logs {
            let mut from = *from;
            loop {
                let read = self
                    .door
                    .store
                    .entries(log, from, ENTRY_BYTES_AT_ONCE)
                    .await?;
                let Some(last) = read.last() else { break };
                from = last.entry.reference().seq + 1;
                bytes += ENTRY_BYTES_AT_ONCE;

                for id in read.iter().filter_map(|stored| record_of(&stored.entry)) {
                    if ids.len() >= limit && !ids.contains(&id) {
                        return Ok((ids, true));
                    }
                    ids.insert(id);
                }
                if bytes >= ENTRY_BYTES_MAX {
                    return Ok((ids, true));
                }
            }
        }

        Ok((ids, false))
    }

    /// A record here, and as the peer's entries make it; nothing where this node has no record of
    /// the entries yet, which wait for others.
    async fn differing(
        &self,
        id: &RecordId,
        there: &BTreeMap<LogId, u64>,
    ) -> Result<Option<DifferingRecord>, NodeError> {
        let stored = self.door.store.record_entries(id).await?;
        let holds = |at: &Reference| there.get(&at.log).is_none_or(|size| at.seq < *size);
        let held = taken_in(&stored, |s| holds(&s.entry.reference()));
        let here = taken_in(&stored, |_| true);
        let Some(here) = self.record_of_entries(id, &here).await? else {
            return Ok(None);
        };

        let lacks = |s: &&wadi_store::StoredEntry| !holds(&s.entry.reference());
        Ok(Some(DifferingRecord {
            id: *id,
            here,
            there: self.record_of_entries(id, &held).await?,
            lacking: stored.iter().filter(lacks).count(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Epoch, NodeId, Peaks, Tip};

    #[test]
    fn a_peer_holds_what_it_says_and_of_a_fork_what_both_branches_share() {
        let log = |n| LogId {
            node: NodeId([n; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        };
        let theirs = Tip {
            size: 7,
            root: Peaks::default().root(),
        };
        let differences = BTreeMap::from([
            (log(1), Difference::Ahead { theirs }),
            (log(2), Difference::Behind { theirs }),
            (log(3), Difference::Forked { theirs }),
        ]);
        let held = held_there(&differences, |_| 4);
        assert_eq!(held, BTreeMap::from([(log(1), 7), (log(3), 4)]));
    }
}
