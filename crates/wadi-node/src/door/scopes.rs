//! What a node holds of each lane of each crossing: told to peers, and shown by status.

use crate::door::Door;
use serde::Serialize;
use std::collections::BTreeMap;
use wadi_log::{Crossing, Frontier, Hash, Lane};
use wadi_sync::ScopeSum;

/// Of a lane of a crossing: its records, and digests over their documents and over their states.
pub(crate) type Digests = (u8, String, i64, Hash, Hash);

/// What a node holds of one lane of one crossing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScopeDigest {
    /// The lane.
    pub lane: String,
    /// The crossing.
    pub crossing: String,
    /// Records.
    pub records: i64,
    /// Entries.
    pub entries: u64,
    /// Digest over the logs' sizes and roots.
    pub entries_digest: String,
    /// Digest over the documents.
    pub documents_digest: String,
    /// Digest over the states.
    pub states_digest: String,
}

impl Door {
    /// What this node's records come to, of each lane and crossing that it takes, as they stand on
    /// the disk: who compares them looks for damage, too.
    pub(crate) async fn own_digests(&self) -> Vec<ScopeSum> {
        let frontier = self.frontier();
        let digests = self.store.digests_anew().await.unwrap_or_default();
        let scopes = self.scopes(&frontier, digests);
        let hash = |text: &str| {
            wadi_log::unhex(text)
                .and_then(|b| Hash::from_slice(&b).ok())
                .unwrap_or_default()
        };

        let sum = |s: ScopeDigest| {
            Some(ScopeSum {
                lane: s.lane.parse().ok()?,
                crossing: s.crossing.parse().ok()?,
                records: u64::try_from(s.records).unwrap_or(0),
                entries: s.entries,
                logs: hash(&s.entries_digest),
                documents: hash(&s.documents_digest),
                states: hash(&s.states_digest),
            })
        };

        scopes.into_iter().filter_map(sum).collect()
    }

    pub(crate) fn scopes(&self, frontier: &Frontier, digests: Vec<Digests>) -> Vec<ScopeDigest> {
        let mut out: BTreeMap<(Lane, Crossing), ScopeDigest> = BTreeMap::new();
        let mut logs: BTreeMap<(Lane, Crossing), Frontier> = BTreeMap::new();
        for (log, tip) in frontier
            .0
            .iter()
            .filter(|(l, _)| self.me.scope.takes_log(l))
        {
            logs.entry((log.lane, log.crossing))
                .or_default()
                .0
                .insert(*log, *tip);
        }

        let none = Hash::default().to_string();
        for ((lane, crossing), part) in logs {
            let digest = ScopeDigest {
                lane: lane.to_string(),
                crossing: crossing.to_string(),
                records: 0,
                entries: part.0.values().map(|t| t.size).sum(),
                entries_digest: part.digest().to_string(),
                documents_digest: none.clone(),
                states_digest: none.clone(),
            };

            out.insert((lane, crossing), digest);
        }

        for (lane, crossing, records, documents, states) in digests {
            let Ok(key) = Lane::from_u8(lane).and_then(|l| Ok((l, crossing.parse::<Crossing>()?)))
            else {
                continue;
            };
            if let Some(scope) = out.get_mut(&key) {
                scope.records = records;
                scope.documents_digest = documents.to_string();
                scope.states_digest = states.to_string();
            }
        }

        out.into_values().collect()
    }
}
