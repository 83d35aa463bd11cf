//! Excerpts: one record's entries with proofs, for the crossing that it was handed over to.
//! Sessions and bundles carry them.

use crate::door::Door;
use std::collections::BTreeSet;
use wadi_log::{Body, LogId, RecordId};
use wadi_store::LocalScope;
use wadi_sync::ExcerptEntry;

/// The term of records that are handed over; its value is the crossing they are handed over to.
pub(crate) const HANDED_OVER: &str = "handed_over";

/// The scope of the keys that name records handed over to this crossing of which entries are gone
/// from this disk, until the hub has sent them again.
pub(crate) const EXCERPT_LOST: LocalScope = LocalScope::ExcerptLost;
/// The key that stands for all of them: this database may be younger than what the hub remembers of
/// it.
pub(crate) const ALL_EXCERPTS: &str = "*";

/// Bytes of an excerpt message at most.
const EXCERPT_BYTES_MAX: usize = 128 * 1024;
/// Bytes of an entry's proof, about.
const PROOF_BYTES: usize = 1_024;

/// How many of these entries one message takes: at least one.
pub(crate) fn excerpt_part(entries: &[ExcerptEntry]) -> usize {
    let mut bytes = 0;
    let fits = entries.iter().take_while(|e| {
        bytes += excerpt_bytes(e);
        bytes <= EXCERPT_BYTES_MAX
    });
    fits.count().max(1).min(entries.len())
}

/// Bytes of an entry with its proof, about.
pub(crate) fn excerpt_bytes(entry: &ExcerptEntry) -> usize {
    entry.bytes.len() + PROOF_BYTES
}

impl Door {
    /// A record's entries, each proven against a head that this hub has cosigned, with the `Seen`
    /// entries they are judged by, in the order in which they came.
    pub(crate) async fn excerpt(&self, record: &RecordId) -> Option<Vec<ExcerptEntry>> {
        let mut stored = self.store.record_entries(record).await.ok()?;
        stored.sort_by_key(|s| (s.received_ms, s.entry.reference()));
        let mut wanted = Vec::new();
        let mut have = BTreeSet::new();

        for s in &stored {
            let r = s.entry.reference();
            let last = have
                .iter()
                .filter(|(l, _): &&(LogId, u64)| *l == r.log)
                .map(|(_, q)| *q)
                .max();

            for seen in self.store.seen(&r.log).await.ok()? {
                let q = seen.reference().seq;
                if q < r.seq && last.is_none_or(|l| q > l) && have.insert((r.log, q)) {
                    wanted.push(seen);
                }
            }

            have.insert((r.log, r.seq));
            wanted.push(s.entry.clone());
        }

        let mut out = Vec::new();
        for entry in wanted {
            debug_assert!(matches!(
                entry.entry().map(|e| &e.body),
                Some(Body::Change(_) | Body::Seen(_)) | None
            ));

            let r = entry.reference();
            let cosigned = self.store.cosignatures(Some(&r.log)).await.ok()?;
            let own = cosigned
                .into_iter()
                .find(|c| c.cosignature.witness == self.id())?;
            let size = own.checkpoint.checkpoint.size;
            if r.seq >= size {
                break; // what follows is sent when it is cosigned
            }

            out.push(ExcerptEntry {
                log: r.log,
                seq: r.seq,
                path: self.path(&r.log, r.seq, size).await.ok()??,
                bytes: entry.bytes().to_vec(),
                checkpoint: own.checkpoint,
                cosignature: own.cosignature,
            });
        }

        Some(out)
    }
}
