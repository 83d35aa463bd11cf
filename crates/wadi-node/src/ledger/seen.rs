//! What the author of a log had taken in when it wrote each of its entries.

use std::collections::BTreeMap;
use wadi_log::{Body, Hash, LogId, Reference, VerifiedEntry};
use wadi_store::{Store, StoreError};

/// Entries read at once where one that is looked for is damaged.
const SEEN_PAGE: u32 = 512;

/// What a log's author had taken in, from each position of the log on: control and hold logs with
/// sizes. It takes as much room as the `Seen` entries themselves, however many they are and
/// whatever they name.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenIndex {
    /// Of each log that was named: from which position on how much of it was taken in, both
    /// ascending.
    named: BTreeMap<LogId, Vec<(u64, u64)>>,
}

impl SeenIndex {
    /// Adds what the `Seen` at a position names. Logs come in order; excerpts of them may not.
    pub(crate) fn push(&mut self, seq: u64, heads: &[wadi_log::Head]) {
        for head in heads {
            let of = self.named.entry(head.log).or_default();
            let at = of.partition_point(|(s, _)| *s <= seq);
            if at.checked_sub(1).map_or(0, |n| of[n].1) >= head.size {
                continue;
            }

            let covered = of[at..]
                .iter()
                .take_while(|(_, size)| *size <= head.size)
                .count();

            of.splice(at..at + covered, [(seq, head.size)]);
        }
    }

    /// The logs that were ever named.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &LogId> {
        self.named.keys()
    }

    /// How much of a log was covered when position `seq` was written.
    pub(crate) fn covered(&self, seq: u64, log: &LogId) -> u64 {
        let Some(of) = self.named.get(log) else {
            return 0;
        };
        let n = of.partition_point(|(s, _)| *s < seq);
        n.checked_sub(1).map_or(0, |n| of[n].1)
    }

    /// All that was covered when position `seq` was written.
    pub(crate) fn at(&self, seq: u64) -> BTreeMap<LogId, u64> {
        self.logs()
            .map(|log| (*log, self.covered(seq, log)))
            .filter(|(_, size)| *size > 0)
            .collect()
    }
}

/// What a log's author had taken in, out of the store.
pub(crate) async fn seen_index(store: &dyn Store, log: &LogId) -> Result<SeenIndex, StoreError> {
    let mut index = SeenIndex::default();
    for entry in seen_entries(store, log).await? {
        if let Some(Body::Seen(seen)) = entry.entry().map(|e| &e.body) {
            index.push(entry.reference().seq, &seen.heads);
        }
    }

    Ok(index)
}

/// The `Seen` entries of a log.
pub(crate) async fn seen_entries(
    store: &dyn Store,
    log: &LogId,
) -> Result<Vec<VerifiedEntry>, StoreError> {
    match store.seen(log).await {
        // One that is rotten holds up neither the rest nor its own mending.
        Err(StoreError::Damaged { .. }) => seen_that_read(store, log).await,
        all => all,
    }
}

/// The `Seen` entries of a log that still read, as they lie there.
async fn seen_that_read(store: &dyn Store, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError> {
    let (mut out, mut from) = (Vec::new(), 0);
    loop {
        let page = store.raw_entries(log, from, SEEN_PAGE).await?;
        let Some(last) = page.last().map(|raw| raw.seq) else {
            return Ok(out);
        };

        for raw in page {
            let Ok(leaf) = Hash::from_slice(&raw.leaf) else {
                continue;
            };
            if let Ok(entry) = VerifiedEntry::recheck(
                Reference {
                    log: *log,
                    seq: raw.seq,
                    leaf,
                },
                raw.bytes,
            ) && matches!(entry.entry().map(|e| &e.body), Some(Body::Seen(_)))
            {
                out.push(entry);
            }
        }

        let Some(next) = last.checked_add(1) else {
            return Ok(out);
        };
        from = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Head, Lane, NodeId};

    fn head(node: u32, size: u64) -> Head {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&node.to_be_bytes());
        let log = LogId {
            node: NodeId(id),
            epoch: Epoch([1; 8]),
            lane: Lane::Control,
            crossing: Crossing::HUB,
        };

        Head {
            log,
            size,
            root: Hash::default(),
        }
    }

    fn covered(index: &SeenIndex, seq: u64) -> (u64, u64) {
        (
            index.covered(seq, &head(1, 0).log),
            index.covered(seq, &head(2, 0).log),
        )
    }

    #[test]
    fn what_was_taken_in_is_the_same_in_whatever_order_it_is_told() {
        let said = [
            (3, vec![head(1, 5), head(2, 1)]),
            (7, vec![head(1, 4)]),
            (9, vec![head(1, 8)]),
            (12, vec![head(2, 6)]),
        ];

        let mut in_order = SeenIndex::default();
        said.iter()
            .for_each(|(seq, heads)| in_order.push(*seq, heads));

        let at = [3, 4, 9, 10, 13].map(|seq| covered(&in_order, seq));
        assert_eq!(at, [(0, 0), (5, 1), (5, 1), (8, 1), (8, 6)]);
        assert_eq!(in_order.at(10).into_values().collect::<Vec<_>>(), [8, 1]);

        for order in [[3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut index = SeenIndex::default();
            order
                .iter()
                .for_each(|n: &usize| index.push(said[*n].0, &said[*n].1));

            for seq in 0..15 {
                assert_eq!(
                    covered(&index, seq),
                    covered(&in_order, seq),
                    "{order:?} at {seq}"
                );
            }
        }
    }

    #[test]
    fn who_names_ever_more_logs_fills_no_more_room_than_was_sent() {
        let mut index = SeenIndex::default();
        for seq in 0..500 {
            let heads: Vec<Head> = (0..200).map(|n| head(seq * 200 + n, 1)).collect();
            index.push(u64::from(seq), &heads);
        }
        assert_eq!(index.named.values().map(Vec::len).sum::<usize>(), 100_000);
    }
}
