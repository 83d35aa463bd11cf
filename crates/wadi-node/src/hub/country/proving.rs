//! Proofs that entries lie below heads that the country log lists.

use super::{Country, Published};
use crate::door::error::NodeError;
use std::collections::BTreeMap;
use wadi_country::{ENTRIES_MAX, NamedEntry, ProvenHead, TlogProof};
use wadi_log::{LogId, RecordId, Reference, proof};

/// What the country log shows of a record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CountryProofs {
    /// Texts of tlog-proofs, one for each log that has entries of the record.
    pub proofs: Vec<String>,
    /// Entries that no listed head covers yet, by their references.
    pub not_listed: Vec<String>,
}

impl Country {
    /// A proof for each log in which something of a record stands, as far as it was listed.
    pub async fn proofs_of(&self, record: &RecordId) -> Result<CountryProofs, NodeError> {
        let mut by_log: BTreeMap<LogId, Vec<Reference>> = BTreeMap::new();
        for stored in self.door.store.record_entries(record).await? {
            let reference = stored.entry.reference();
            by_log.entry(reference.log).or_default().push(reference);
        }

        if by_log.is_empty() {
            return Err(NodeError::NoRecord(record.to_string()));
        }

        let mut out = CountryProofs::default();
        for (log, mut references) in by_log {
            references.sort();
            references.truncate(ENTRIES_MAX);
            let made = self.prove_log(&log, &references).await?;
            out.proofs.extend(made.proof);
            out.not_listed
                .extend(made.not_listed.iter().map(ToString::to_string));
        }
        Ok(out)
    }

    async fn prove_log(&self, log: &LogId, references: &[Reference]) -> Result<OfLog, NodeError> {
        let not_listed = |references: &[Reference]| OfLog {
            proof: None,
            not_listed: references.to_vec(),
        };

        let mut kept = self.kept.lock().await;
        let Some(listing) = kept.as_mut() else {
            return Ok(not_listed(references));
        };
        let Some(listed) = listing.heads.get(log).copied() else {
            return Ok(not_listed(references));
        };
        let Some(published) = self.best_over(listed.index) else {
            return Ok(not_listed(references));
        };

        let leaf = listing.leaves(&self.door, listed.index, 1).await?;
        let ranges = proof::inclusion_ranges(listed.index, published.size);
        let path = listing.roots(&self.door, &ranges).await?;
        drop(kept);

        let mut out = not_listed(&[]);
        let mut named = ProvenHead {
            leaf: leaf.concat(),
            entries: vec![],
        };
        for reference in references {
            let (seq, size) = (reference.seq, listed.size);
            let path = match seq < size {
                true => self.door.path(log, seq, size).await?,
                false => None,
            };
            let leads = |path: &[wadi_log::Hash]| {
                let root = proof::root_from_inclusion(reference.leaf, seq, size, path);
                root == Ok(listed.root)
            };
            match path.filter(|path| leads(path)) {
                Some(path) => named.entries.push(NamedEntry {
                    seq,
                    leaf: reference.leaf,
                    path,
                }),
                None => out.not_listed.push(*reference),
            }
        }

        let proof = TlogProof {
            extra: named.to_bytes(),
            index: listed.index,
            path,
            note: published.note,
        };
        out.proof = (!named.entries.is_empty()).then(|| proof.text());
        Ok(out)
    }

    /// The checkpoint over a leaf that most witnesses cosigned, the newest of such.
    fn best_over(&self, index: u64) -> Option<Published> {
        let shown = self.shown.read().expect("no panic holds it");
        let both = [&shown.cosigned, &shown.newest].into_iter().flatten();
        let over = both.filter(|published| published.size > index);
        over.max_by_key(|published| published.cosigned).cloned()
    }
}

struct OfLog {
    proof: Option<String>,
    not_listed: Vec<Reference>,
}
