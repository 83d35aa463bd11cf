//! What the store gives of a log's tree, and which record an entry speaks of.

use wadi_log::{Body, Hash, LogId, Peaks, RecordId, VerifiedEntry, proof};
use wadi_store::{Store, StoreError};

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
