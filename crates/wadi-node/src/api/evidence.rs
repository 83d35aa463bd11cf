//! Packs everything said of one record, with its proofs, into a file that an outsider can check
//! (`docs/evidence.md`).

use crate::{api::Reads, door::error::NodeError};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{
    Body, Cosignature, Evidence, EvidenceError, EvidenceRole, EvidenceWriter, Hash, LogId,
    LogVerdict, NodeId, RecordId, Reference, SignedCheckpoint, VerifiedEntry,
};
use wadi_record::people;
use wadi_store::{CosignedHead, StoreError};

/// Cosigned checkpoints over an entry that are looked at for the first one of a hub.
const COSIGNED_LOOKED_AT: u32 = 64;

/// An entry with the checkpoints that prove it, by their places in the list of all.
struct Packed {
    entry: VerifiedEntry,
    role: EvidenceRole,
    proofs: Vec<(usize, Vec<Hash>)>,
}

type Witnessed = (SignedCheckpoint, BTreeMap<NodeId, Cosignature>);

impl Reads {
    /// The evidence file of a record, under this node's seal.
    pub async fn evidence(&self, id: &RecordId) -> Result<String, NodeError> {
        let row = self
            .door
            .store
            .record(id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;

        let stored = self.door.store.record_entries(id).await?;
        let mut wanted: BTreeMap<Reference, (VerifiedEntry, EvidenceRole)> = BTreeMap::new();
        let mut officers = BTreeSet::new();
        for s in &stored {
            let reference = s.entry.reference();
            if !s.main {
                return Err(NodeError::Unproven(reference.to_string()));
            }

            if let Some(entry) = s.entry.entry()
                && let Body::Change(change) = &entry.body
            {
                officers.extend(people(&entry.common, &change.events));
            }

            wanted.insert(reference, (s.entry.clone(), EvidenceRole::Record));
        }

        let record: BTreeSet<Reference> = wanted.keys().copied().collect();
        for reference in &record {
            for seen in self.taken_in(reference).await? {
                wanted
                    .entry(seen.reference())
                    .or_insert((seen, EvidenceRole::Seen));
            }
        }

        for reference in self.door.with_control(|c| c.bearing(&officers, &record)) {
            if let Some(entry) = self.door.store.entry(&reference).await? {
                wanted.insert(reference, (entry, EvidenceRole::Control));
            }
        }

        let mut checkpoints: Vec<Witnessed> = Vec::new();
        let mut packed = Vec::with_capacity(wanted.len());
        for (entry, role) in wanted.into_values() {
            let proofs = self.prove(&entry.reference(), &mut checkpoints).await?;
            packed.push(Packed {
                entry,
                role,
                proofs,
            });
        }

        let logs: BTreeSet<LogId> = packed.iter().map(|p| p.entry.reference().log).collect();
        let mut counts_to = BTreeMap::new();
        for log in logs {
            counts_to.insert(log, self.door.counts_to(&log).await?);
        }

        Ok(self.write_evidence(id, &row.printed, &checkpoints, &packed, &counts_to))
    }

    /// Makes the evidence file of a record and checks it as an outsider would: against the
    /// commission's root and nothing else.
    pub async fn verify_evidence(
        &self,
        id: &RecordId,
    ) -> Result<(String, Result<Evidence, EvidenceError>), NodeError> {
        let text = self.evidence(id).await?;
        let verdict = wadi_log::verify_evidence(text.as_bytes(), &self.door.keys.root);
        Ok((text, verdict))
    }

    /// The last `Seen` entries that named each log its author had taken in before an entry, and no
    /// more of them.
    async fn taken_in(&self, before: &Reference) -> Result<Vec<VerifiedEntry>, NodeError> {
        let (mut out, mut named) = (Vec::new(), BTreeSet::new());
        let mut all = self.door.store.seen(&before.log).await?;
        all.retain(|s| s.reference().seq < before.seq);
        all.sort_by_key(|s| std::cmp::Reverse(s.reference().seq));

        for seen in all {
            let Some(Body::Seen(said)) = seen.entry().map(|e| &e.body) else {
                continue;
            };
            let before = named.len();

            named.extend(said.heads.iter().map(|h| h.log));
            if named.len() > before {
                out.push(seen);
            }
        }

        Ok(out)
    }

    /// Proofs of one entry: by the first checkpoint over it, and by the hubs' cosigned heads, which
    /// bound its time from above; the last checkpoint before it bounds it from below.
    async fn prove(
        &self,
        reference: &Reference,
        checkpoints: &mut Vec<Witnessed>,
    ) -> Result<Vec<(usize, Vec<Hash>)>, NodeError> {
        let log = &reference.log;
        let mut over: Vec<(SignedCheckpoint, Option<Cosignature>)> = Vec::new();
        over.extend(
            self.door
                .store
                .checkpoints(log, reference.seq)
                .await?
                .into_iter()
                .take(1)
                .map(|c| (c, None)),
        );

        for head in self.door.store.cosignatures(Some(log)).await? {
            let by_hub = self
                .door
                .with_control(|c| c.is_witness(&head.cosignature.witness));
            if by_hub && head.checkpoint.checkpoint.size > reference.seq {
                over.push((head.checkpoint, Some(head.cosignature)));
            }
        }

        over.extend(
            self.first_cosigned(reference)
                .await?
                .map(|c| (c.checkpoint, Some(c.cosignature))),
        );

        let mut out: BTreeMap<usize, Vec<Hash>> = BTreeMap::new();
        for (checkpoint, cosignature) in over {
            let size = checkpoint.checkpoint.size;
            let place = checkpoints
                .iter()
                .position(|(c, _)| *c == checkpoint)
                .unwrap_or_else(|| {
                    checkpoints.push((checkpoint, BTreeMap::new()));
                    checkpoints.len() - 1
                });

            checkpoints[place]
                .1
                .extend(cosignature.map(|c| (c.witness, c)));

            if !out.contains_key(&place) {
                let path = self.door.path(log, reference.seq, size).await?;
                out.insert(
                    place,
                    path.ok_or_else(|| NodeError::Unproven(reference.to_string()))?,
                );
            }
        }

        // It proves nothing of the entry but that its author had heard that hub time before.
        if let Some(before) = self
            .door
            .store
            .checkpoint_before(log, reference.seq)
            .await?
            && before.checkpoint.hub_time_s != 0
            && !checkpoints.iter().any(|(c, _)| *c == before)
        {
            checkpoints.push((before, BTreeMap::new()));
        }

        if out.is_empty() {
            Err(NodeError::Unproven(reference.to_string()))
        } else {
            Ok(out.into_iter().collect())
        }
    }

    /// The first kept checkpoint over an entry that a hub cosigned. One that was cut witnesses
    /// nothing, whatever time it signed: nobody can tell when it did.
    pub(crate) async fn first_cosigned(
        &self,
        reference: &Reference,
    ) -> Result<Option<CosignedHead>, StoreError> {
        let over = self
            .door
            .store
            .cosigned_over(&reference.log, reference.seq, COSIGNED_LOOKED_AT)
            .await?;
        let by_hub = |c: &CosignedHead| {
            self.door.with_control(|control| {
                let witness = control
                    .enrolment(&c.cosignature.witness)
                    .filter(|e| control.is_witness(&e.node()));
                witness.is_some_and(|w| {
                    c.cosignature
                        .verify(&c.checkpoint.checkpoint, &w.log_key)
                        .is_ok()
                })
            })
        };

        Ok(over.into_iter().find(by_hub))
    }

    fn write_evidence(
        &self,
        id: &RecordId,
        printed: &str,
        checkpoints: &[Witnessed],
        packed: &[Packed],
        counts_to: &BTreeMap<LogId, u64>,
    ) -> String {
        let mut file = EvidenceWriter::new(id, printed, &self.door.id(), self.door.time.now_s());
        let mut members: BTreeSet<NodeId> = [self.door.id()].into();
        members.extend(checkpoints.iter().map(|(c, _)| c.checkpoint.log.node));
        members.extend(checkpoints.iter().flat_map(|(_, by)| by.keys()));
        self.door.with_control(|control| {
            members
                .iter()
                .filter_map(|m| control.enrolment(m))
                .for_each(|e| file.enrolment(e));

            for (checkpoint, by) in checkpoints {
                let Some(author) = control.enrolment(&checkpoint.checkpoint.log.node) else {
                    continue;
                };
                let key = |c: &Cosignature| Some((*c, control.enrolment(&c.witness)?.log_key));

                file.checkpoint(
                    checkpoint,
                    author,
                    &by.values().filter_map(key).collect::<Vec<_>>(),
                );
            }

            for p in packed {
                let r = p.entry.reference();
                let counts = control.verdict(&r, counts_to[&r.log]) == LogVerdict::Counts;
                file.entry((&r.log, r.seq), p.entry.bytes(), p.role, counts, &p.proofs);
            }

            control
                .forks()
                .iter()
                .filter(|(log, _)| counts_to.contains_key(log))
                .for_each(|(_, fork)| file.fork(fork));
        });

        file.seal(&self.door.keys.log_key)
    }
}
