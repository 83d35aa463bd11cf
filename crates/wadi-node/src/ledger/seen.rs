//! What the author of a log had taken in when it wrote each of its entries.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use wadi_log::{Body, Hash, LogId, Reference, VerifiedEntry};
use wadi_store::{Store, StoreError};

/// Entries read at once where one that is looked for is damaged.
const SEEN_PAGE: u32 = 512;
/// Heads of one log that are held against it for one decision, the furthest first: whoever names
/// more that are not there has been found by then.
pub(crate) const HEADS_MAX: usize = 16;
/// Heads that name no more than an earlier one did, of which those before a position are picked.
/// No honest author writes any.
const LESSER_READ: usize = 1_024;

/// A head that was named, by the position of the `Seen` that names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct NamedHead {
    seq: u64,
    size: u64,
    root: Hash,
}

/// The heads of one log that were named.
#[derive(Clone, Debug, Default)]
struct NamedHeads {
    /// Those that name more than all before them: positions and sizes ascend.
    grown: Vec<NamedHead>,
    /// The others, the furthest first: size, position and root.
    lesser: BTreeSet<(Reverse<u64>, u64, Hash)>,
}

impl NamedHeads {
    fn push(&mut self, head: NamedHead) {
        let at = self.grown.partition_point(|g| g.seq <= head.seq);
        let is_known = self.grown[..at]
            .iter()
            .rev()
            .take_while(|g| g.seq == head.seq)
            .any(|g| *g == head);
        if is_known {
            return;
        }

        let before = at.checked_sub(1).map_or(0, |n| self.grown[n].size);
        if before >= head.size {
            self.keep_lesser(head);
            return;
        }

        let outgrown = self.grown[at..]
            .iter()
            .take_while(|g| g.size <= head.size)
            .count();
        let fallen: Vec<NamedHead> = self.grown.splice(at..at + outgrown, [head]).collect();
        for head in fallen {
            self.keep_lesser(head);
        }
    }

    fn keep_lesser(&mut self, head: NamedHead) {
        if head.size > 0 {
            self.lesser
                .insert((Reverse(head.size), head.seq, head.root));
        }
    }

    /// How many of those that grew were named before a position.
    fn grown_before(&self, seq: u64) -> usize {
        self.grown.partition_point(|g| g.seq < seq)
    }
}

/// What a log's author says that it had taken in, from each position of the log on: heads of
/// control and hold logs. It takes as much room as the `Seen` entries themselves, however many they
/// are and whatever they name.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeenIndex {
    named: BTreeMap<LogId, NamedHeads>,
}

impl SeenIndex {
    /// Adds what the `Seen` at a position names. Logs come in order; excerpts of them may not.
    pub(crate) fn push(&mut self, seq: u64, heads: &[wadi_log::Head]) {
        for head in heads {
            let of = self.named.entry(head.log).or_default();
            of.push(NamedHead {
                seq,
                size: head.size,
                root: head.root,
            });
        }
    }

    /// The logs that were ever named.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &LogId> {
        self.named.keys()
    }

    /// How much of a log the author says that it had taken in when position `seq` was written.
    /// Nothing bears that out yet: see [`Self::claims`].
    pub(crate) fn covered(&self, seq: u64, log: &LogId) -> u64 {
        let Some(of) = self.named.get(log) else {
            return 0;
        };
        let n = of.grown_before(seq);
        n.checked_sub(1).map_or(0, |n| of.grown[n].size)
    }

    /// The heads of a log that were named before position `seq`, the furthest first, each once:
    /// size and root. Of more than [`HEADS_MAX`] the furthest.
    pub(crate) fn claims(&self, seq: u64, log: &LogId) -> Vec<(u64, Hash)> {
        let Some(of) = self.named.get(log) else {
            return Vec::new();
        };

        let grown = of.grown[..of.grown_before(seq)].iter().rev();
        let lesser = of.lesser.iter().take(LESSER_READ);
        let lesser = lesser.filter(|(_, at, _)| *at < seq);
        let mut claims: Vec<(u64, Hash)> = grown
            .take(HEADS_MAX)
            .map(|g| (g.size, g.root))
            .chain(
                lesser
                    .take(HEADS_MAX)
                    .map(|(size, _, root)| (size.0, *root)),
            )
            .collect();

        claims.sort_unstable_by_key(|claim| Reverse(*claim));
        claims.dedup();
        claims.truncate(HEADS_MAX);
        claims
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
        let kept = |of: &NamedHeads| of.grown.len() + of.lesser.len();
        assert_eq!(index.named.values().map(kept).sum::<usize>(), 100_000);
    }

    #[test]
    fn every_head_that_was_named_can_be_held_against_its_log_whatever_was_claimed_beside_it() {
        let root = |n: u8| Hash([n; 32]);
        let with = |size, n| Head {
            root: root(n),
            ..head(1, size)
        };
        let log = head(1, 0).log;
        let said = [
            (3, vec![with(5, 1)]),
            (7, vec![with(1 << 60, 0)]),
            (9, vec![with(8, 2), with(8, 3)]),
            (12, vec![with(0, 4)]),
        ];

        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut index = SeenIndex::default();
            for n in order.iter().chain(&order) {
                let (seq, heads): &(u64, Vec<Head>) = &said[*n];
                index.push(*seq, heads);
            }

            assert!(index.claims(3, &log).is_empty());
            assert_eq!(index.claims(7, &log), [(5, root(1))]);
            let all = [(1 << 60, root(0)), (8, root(3)), (8, root(2)), (5, root(1))];
            assert_eq!(index.claims(20, &log), all, "{order:?}");
            assert_eq!(index.covered(20, &log), 1 << 60);
        }
    }

    #[test]
    fn who_names_ever_more_of_one_log_is_read_as_far_as_the_furthest() {
        let mut index = SeenIndex::default();
        for seq in 0..5_000 {
            index.push(seq, &[head(1, 5_000 - seq)]);
        }

        let claims = index.claims(u64::MAX, &head(1, 0).log);
        let sizes: Vec<u64> = claims.into_iter().map(|(size, _)| size).collect();
        assert_eq!(sizes, (4_985..=5_000).rev().collect::<Vec<u64>>());
    }
}
