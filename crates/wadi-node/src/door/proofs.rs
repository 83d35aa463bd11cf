//! What the store gives of a log's tree, and which record an entry speaks of.

use crate::door::Door;
use wadi_log::{Body, Hash, LogId, LogState, Peaks, RecordId, VerifiedBlock, VerifiedEntry, proof};
use wadi_store::{CosignedHead, Store, StoreError};
use wadi_sync::{HeldEntry, HeldKey, HeldParts};

/// What the store gives of something, or nothing where it will not; an error where it may in a
/// moment, so that nobody takes a database which is away for one that does not hold it.
pub(crate) fn given<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(given) => Ok(Some(given)),
        Err(error) if error.is_passing() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The root of a log's first `size` entries, where so much of it is held.
pub(crate) async fn root_at(
    store: &dyn Store,
    log: &LogId,
    size: u64,
) -> Result<Option<Hash>, StoreError> {
    let Some(parts) = given(store.subtrees(log, &proof::subtrees((0, size))).await)? else {
        return Ok(None);
    };
    Ok(proof::assemble(&[(0, size)], &parts)
        .ok()
        .and_then(|roots| roots.first().copied()))
}

/// The same, out of what was signed at just that size where that is kept: entries that are damaged
/// below it keep nobody from knowing it, and nothing of the log is read.
pub(crate) async fn known_root(
    store: &dyn Store,
    log: &LogId,
    size: u64,
) -> Result<Option<Hash>, StoreError> {
    // Those kept are of the branch that is held as the log, unlike cosigned heads, which may be of
    // any.
    let kept = given(store.checkpoints(log, size.saturating_sub(1)).await)?.unwrap_or_default();
    match kept
        .first()
        .map(|c| &c.checkpoint)
        .filter(|c| c.size == size)
    {
        Some(head) => Ok(Some(head.root)),
        None => root_at(store, log, size).await,
    }
}

/// The peaks of a log's main branch at some size.
pub(crate) async fn peaks_at(store: &dyn Store, log: &LogId, size: u64) -> Option<Peaks> {
    let parts = proof::subtrees((0, size));
    let hashes = store.subtrees(log, &parts).await.ok()?;
    let bytes: Vec<u8> = parts
        .iter()
        .filter_map(|p| hashes.get(p))
        .flat_map(|h| h.0)
        .collect();

    Peaks::from_parts(size, &bytes).ok()
}

/// The same of a log that grows: of what the store does not hold yet, out of the blocks that a
/// commit brings.
pub(crate) async fn peaks_with(
    store: &dyn Store,
    brought: &[VerifiedBlock],
    log: &LogId,
    size: u64,
) -> Option<Peaks> {
    if let Some(kept) = peaks_at(store, log, size).await {
        return Some(kept);
    }

    let mut leaves = Vec::new();
    for block in brought.iter().filter(|block| block.log() == *log) {
        leaves.extend(block.entries().iter().map(VerifiedEntry::reference));
    }

    let from = leaves.first()?.seq;
    let more = usize::try_from(size.checked_sub(from)?).ok()?;
    let mut peaks = peaks_at(store, log, from).await?;
    for at in leaves.iter().take(more) {
        peaks.append(at.leaf);
    }

    (peaks.size() == size).then_some(peaks)
}

/// What is held of all that a block may leave out; what is not held, or does not read, is left out
/// of the answer.
pub(crate) async fn held_parts(
    store: &dyn Store,
    keys: &[HeldKey],
) -> Result<HeldParts, StoreError> {
    let mut held = HeldParts::default();
    for key in keys {
        match *key {
            HeldKey::Entry(log, seq) => {
                let read = given(store.entries(&log, seq, 1).await)?.unwrap_or_default();
                if let Some(found) = read.first().filter(|e| e.entry.reference().seq == seq) {
                    let entry = HeldEntry {
                        leaf: found.entry.reference().leaf,
                        record: record_of(&found.entry),
                    };
                    held.entries.insert((log, seq), entry);
                }
            }
            HeldKey::Root(log, size) => {
                let root = known_root(store, &log, size).await?;
                held.roots.extend(root.map(|root| ((log, size), root)));
            }
            HeldKey::Peaks(log, size) => {
                let peaks = peaks_at(store, &log, size).await;
                held.peaks.extend(peaks.map(|peaks| ((log, size), peaks)));
            }
        }
    }

    Ok(held)
}

/// The record that an entry speaks of, if it speaks of one.
pub(crate) fn record_of(entry: &VerifiedEntry) -> Option<RecordId> {
    match &entry.entry()?.body {
        Body::Change(change) => Some(
            change
                .record
                .unwrap_or_else(|| RecordId::of_first(&entry.reference())),
        ),
        _ => None,
    }
}

impl Door {
    /// The audit path of a position in a log of some size.
    pub(crate) async fn path(
        &self,
        log: &LogId,
        at: u64,
        size: u64,
    ) -> Result<Option<Vec<Hash>>, StoreError> {
        let ranges = proof::inclusion_ranges(at, size);
        let wanted: Vec<_> = ranges.iter().flat_map(|r| proof::subtrees(*r)).collect();
        let Some(parts) = given(self.store.subtrees(log, &wanted).await)? else {
            return Ok(None);
        };
        Ok(proof::assemble(&ranges, &parts).ok())
    }

    /// How many entries count of a log as held here.
    pub(crate) async fn counts_to(&self, log: &LogId) -> Result<u64, StoreError> {
        let Some(bound) = self.with_control(|c| c.bound(log)) else {
            return Ok(u64::MAX);
        };
        let size = self.frontier().0.get(log).map_or(0, |t| t.size);

        let reached = bound.size > 0 && bound.size <= size;
        let root_at_bound = if reached {
            root_at(&*self.store, log, bound.size).await?
        } else {
            None
        };

        Ok(self.with_control(|c| {
            c.counts_to(
                log,
                LogState {
                    size,
                    root_at_bound,
                },
            )
        }))
    }

    /// Whether author and witness are enrolled here, and signed it.
    pub(crate) fn is_signed(&self, c: &CosignedHead) -> bool {
        let head = &c.checkpoint.checkpoint;
        self.with_control(|control| {
            let author = control
                .enrolment(&head.log.node)
                .is_some_and(|e| c.checkpoint.verify(&e.log_key).is_ok());
            let witness = control.enrolment(&c.cosignature.witness);
            author && witness.is_some_and(|e| c.cosignature.verify(head, &e.log_key).is_ok())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        door::write::{Target, Write},
        tests::order::Country,
    };
    use wadi_log::{Entry, Lane, LogKey};
    use wadi_record::Passage;

    /// Traibeel has written three times, and two more entries are in a commit that is being made.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_peaks_of_a_log_count_what_a_commit_brings() {
        let dir = tempfile::tempdir().unwrap();
        let country = Country::of(&[("trb", "TRB")], &["hub"]);
        let trb = country.node(dir.path(), 10, "trb").await;
        for n in 0..3 {
            let draft = Passage::announce("in").plate(&format!("11-A-{n:05}"), "IQ");
            let write = Write::by("OF-1", "PORT", Target::New(None), draft);
            trb.write(write).await.unwrap();
        }

        let rows = trb.store.logs().await.unwrap();
        let mut logs = rows.iter().map(|row| row.log);
        let log = logs.find(|log| log.lane == Lane::Passage).unwrap();
        let held = trb.store.entries(&log, 0, 1 << 20).await.unwrap();
        let again: Vec<Entry> = held[..2]
            .iter()
            .map(|e| e.entry.entry().unwrap().clone())
            .collect();

        let key = LogKey::from_seed(&[10; 32]);
        let peaks = peaks_at(&*trb.store, &log, 3).await.unwrap();
        let block = VerifiedBlock::author(&key, log, &peaks, &again, 0, vec![]).unwrap();
        let brought = [block];
        let at = async |size| peaks_with(&*trb.store, &brought, &log, size).await;

        assert_eq!(at(2).await, peaks_at(&*trb.store, &log, 2).await);
        assert_eq!(at(3).await.as_ref(), Some(&peaks));
        assert_eq!(at(5).await.as_ref(), Some(brought[0].peaks()));
        assert!(at(4).await.is_some_and(|four| four.size() == 4));
        assert_eq!(at(6).await, None, "nobody holds the sixth");
        assert_eq!(
            peaks_at(&*trb.store, &log, 5).await,
            None,
            "the store does not hold it"
        );

        trb.stop().await;
    }
}
