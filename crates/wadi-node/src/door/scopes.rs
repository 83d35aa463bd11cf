//! What a node holds of each lane of each crossing: told to peers, and shown by status.

use crate::door::Door;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};
use wadi_log::{Crossing, Frontier, Hash, Lane};
use wadi_sync::ScopeSum;

/// Of a lane of a crossing: its records, and digests over their documents and over their states.
pub(crate) type Digests = (u8, String, i64, Hash, Hash);

/// So long what was read for one peer is told to others, while nothing was committed: reading it
/// takes a second and more, and asking ten bytes.
const READ_HOLDS: Duration = Duration::from_secs(5);

/// What a node's records came to when they were read last for a peer.
#[derive(Default)]
pub(crate) struct DigestsRead(Mutex<Option<ReadSums>>);

struct ReadSums {
    /// Of the view of logs beside which they were read.
    generation: u64,
    at: Instant,
    sums: Vec<ScopeSum>,
}

impl DigestsRead {
    fn known(&self, generation: u64, now: Instant) -> Option<Vec<ScopeSum>> {
        let read = self.0.lock().expect("no panic holds it");
        let read = read.as_ref()?;
        let holds = now.saturating_duration_since(read.at) < READ_HOLDS;
        (holds && read.generation == generation).then(|| read.sums.clone())
    }

    fn keep(&self, generation: u64, at: Instant, sums: &[ScopeSum]) {
        let read = ReadSums {
            generation,
            at,
            sums: sums.to_vec(),
        };
        *self.0.lock().expect("no panic holds it") = Some(read);
    }
}

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
        let view = self.view();
        let generation = view.generation;
        if let Some(known) = self.digests.known(generation, Instant::now()) {
            return known;
        }

        let frontier = view.frontier.clone();
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

        let sums: Vec<ScopeSum> = scopes.into_iter().filter_map(sum).collect();
        self.digests.keep(generation, Instant::now(), &sums);
        sums
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
