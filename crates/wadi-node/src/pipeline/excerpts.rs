//! Excerpts: the entries of one record of another crossing, each proven by a hub's cosignature.

use crate::pipeline::{commit::Commit, sequencer::Sequencer};
use wadi_log::{Body, NodeId, RecordId, VerifiedEntry, verify_excerpt};
use wadi_record::Verdict;
use wadi_store::StoreError;
use wadi_sync::ExcerptEntry;

impl Sequencer {
    /// Takes an excerpt of a record. Answers whether it was taken whole.
    pub(crate) async fn take_excerpt(
        &mut self,
        g: &mut Commit,
        record: RecordId,
        entries: Vec<ExcerptEntry>,
        peer: NodeId,
    ) -> bool {
        let Some(verified) = self.verified(g, record, entries, peer) else {
            return false;
        };

        // What the authors had taken in comes first: the changes are judged by it.
        for entry in &verified {
            if let Some(Body::Seen(seen)) = entry.entry().map(|e| &e.body) {
                let reference = entry.reference();
                if self.take_seen(reference, &seen.heads).await.is_err() {
                    return false;
                }
                g.batch.project.seen.push(reference);
            }
        }

        for entry in verified {
            if let Some(of) = self.changed_record(&entry) {
                // An excerpt is of one record: anything else in it was not asked for.
                if of != record {
                    return false;
                }

                if let Err(error) = self.add_of_excerpt(g, record, &entry).await {
                    // Half of it is in the group already.
                    g.broken = Some(error);
                    return false;
                }
            }

            g.batch.append.loose.push(entry);
        }

        true
    }

    /// The entries of an excerpt, each proven; none where one of them is not.
    fn verified(
        &self,
        g: &mut Commit,
        record: RecordId,
        entries: Vec<ExcerptEntry>,
        peer: NodeId,
    ) -> Option<Vec<VerifiedEntry>> {
        let mut verified = Vec::with_capacity(entries.len());
        for e in entries {
            let (author, hub) = {
                let control = self.ledger.control();
                (
                    control.enrolment(&e.log.node).cloned()?,
                    control.enrolment(&e.cosignature.witness).cloned()?,
                )
            };

            let proven = verify_excerpt(
                (e.log, e.seq),
                e.bytes,
                &e.path,
                &e.checkpoint,
                &author,
                (&e.cosignature, &hub),
            );
            match proven {
                Ok(entry) => verified.push(entry),
                Err(error) => {
                    let why = format!("an excerpt of {record}: {error}");
                    self.note(g, peer.to_string(), error.code(), why, peer.to_string());
                    return None;
                }
            }
        }

        Some(verified)
    }

    /// The record that an entry changes, where its author had the right to say it.
    fn changed_record(&self, entry: &VerifiedEntry) -> Option<RecordId> {
        let (reference, said) = (entry.reference(), entry.entry()?);
        let Body::Change(change) = &said.body else {
            return None;
        };

        let right = self.ledger.control().check_right(&reference.log, said);
        let record = change.record;
        right
            .is_ok()
            .then(|| record.unwrap_or_else(|| RecordId::of_first(&reference)))
    }

    /// Adds a change to its record. What is held already is not written anew: what lies there may
    /// have rotted, and the scrub is to find it.
    async fn add_of_excerpt(
        &mut self,
        g: &mut Commit,
        record: RecordId,
        entry: &VerifiedEntry,
    ) -> Result<(), StoreError> {
        let reference = entry.reference();
        let held = self.record(g, record).await?;
        let row = held.and_then(|held| held.row(&reference));
        if let Some((_, Verdict::Counts | Verdict::Refused(_))) = row {
            g.batch.project.about.push((record, reference));
            return Ok(());
        }

        self.add_change(g, entry, record).await
    }
}
