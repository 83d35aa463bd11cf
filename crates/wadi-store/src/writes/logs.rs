//! Blocks, entries, checkpoints and cosignatures: what logs are made of.

use super::{Arg, WriteConnection, hexes, json_list, last_of_each, reference};
use crate::{
    Batch, StoreError,
    tables::{self, Rows},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{BLOCK_ENTRIES_MAX, LogId, Reference, VerifiedBlock, VerifiedEntry, hex};

/// Checkpoints are kept at about this spacing: blocks end at them.
pub(super) const BLOCK_BYTES: i64 = 8 * 1024;
/// What an entry counts at least: between two checkpoints that are kept lie fewer than two blocks'
/// bytes, and so no more entries than a block may have.
const ENTRY_BYTES_LEAST: i64 = 2 * BLOCK_BYTES / BLOCK_ENTRIES_MAX as i64;

/// Entries, with what they are to their log: 1 for the main branch, 0 for another, 2 for an
/// excerpt.
pub(super) async fn write_entries<'a>(
    conn: &mut dyn WriteConnection,
    entries: impl Iterator<Item = &'a VerifiedEntry>,
    main: i64,
    at_ms: i64,
) -> Result<(), StoreError> {
    // One statement may touch a row once.
    let entries: BTreeMap<Reference, &VerifiedEntry> =
        entries.map(|e| (e.reference(), e)).collect();
    let mut rows = Rows::of(&tables::ENTRIES);
    for (at, entry) in &entries {
        reference(&mut rows, at);
        rows.bytes(entry.bytes()).int(main).int(at_ms);
    }

    // An entry that came as an excerpt before its log did becomes part of the log.
    let conflict = "ON CONFLICT (log, seq, leaf) DO UPDATE SET main = 1 WHERE excluded.main = 1";
    conn.insert(rows, conflict).await
}

/// How far a log goes: its size, and the bytes since the last checkpoint that is kept.
type LogEnd = (u64, i64);

/// What blocks add to their logs.
struct Growth<'a> {
    tree: Rows,
    /// By log and size: the signed checkpoint, and whether it is kept.
    checkpoints: BTreeMap<(Vec<u8>, i64), (Vec<u8>, bool)>,
    /// Checkpoints that lie there already, and are to be kept: log and size.
    closed: Vec<(Vec<u8>, i64)>,
    /// The last block of each log, and the bytes since the last checkpoint that is kept.
    last: BTreeMap<Vec<u8>, (&'a VerifiedBlock, i64)>,
}

impl<'a> Growth<'a> {
    /// Each block must begin where its log ends.
    fn of(
        blocks: &'a [VerifiedBlock],
        mut ends: BTreeMap<Vec<u8>, LogEnd>,
    ) -> Result<Self, StoreError> {
        let mut growth = Self {
            tree: Rows::of(&tables::TREE),
            checkpoints: BTreeMap::new(),
            closed: Vec::new(),
            last: BTreeMap::new(),
        };

        for block in blocks {
            let log = block.log().to_bytes().to_vec();
            let end = ends.get(&log).copied().unwrap_or((0, BLOCK_BYTES));
            let end = growth.append(&log, block, end)?;
            ends.insert(log, end);
        }

        Ok(growth)
    }

    fn append(
        &mut self,
        log: &[u8],
        block: &'a VerifiedBlock,
        (size, mut unkept): LogEnd,
    ) -> Result<LogEnd, StoreError> {
        let head = &block.checkpoint().checkpoint;
        let from = head.size - block.entries().len() as u64;
        if size != from {
            let why = format!(
                "{} holds {size} entries, the block begins at {from}",
                block.log()
            );
            return Err(StoreError::Conflict(why));
        }

        for (subtree, hash) in block.kept() {
            self.tree
                .bytes(log)
                .int(i64::from(subtree.level))
                .int(subtree.index as i64)
                .bytes(hash.0);
        }

        // Earlier checkpoints of a run of about 8 KiB are dropped once a later one is durable.
        let bytes: i64 = block
            .entries()
            .iter()
            .map(|e| (e.bytes().len() as i64).max(ENTRY_BYTES_LEAST))
            .sum();

        if unkept + bytes > 2 * BLOCK_BYTES {
            // A large block goes out for itself: together with what stands before it, it might be
            // more than a frame takes.
            match self.checkpoints.get_mut(&(log.to_vec(), from as i64)) {
                Some((_, kept)) => *kept = true,
                None => self.closed.push((log.to_vec(), from as i64)),
            }
            unkept = 0;
        }

        let kept = unkept + bytes >= BLOCK_BYTES;
        let unkept = if kept { 0 } else { unkept + bytes };
        self.checkpoints
            .retain(|(l, _), (_, kept)| l != log || *kept);

        // An emptier block signs the same size anew: whether that size is kept stays as it was.
        let place = (log.to_vec(), head.size as i64);
        let before = self.checkpoints.get(&place).map_or(kept, |(_, k)| *k);
        self.checkpoints
            .insert(place, (block.checkpoint().to_bytes(), before));
        self.last.insert(log.to_vec(), (block, unkept));

        Ok((head.size, unkept))
    }
}

/// Appends the blocks to their logs; each must begin where its log ends.
pub(super) async fn write_blocks(
    conn: &mut dyn WriteConnection,
    blocks: &[VerifiedBlock],
    at_ms: i64,
) -> Result<(), StoreError> {
    if blocks.is_empty() {
        return Ok(());
    }

    let ends = ends(conn, blocks).await?;
    let heads: Vec<(String, u64)> = ends
        .iter()
        .map(|(log, (size, _))| (hex(log), *size))
        .collect();
    let growth = Growth::of(blocks, ends)?;
    write_entries(conn, blocks.iter().flat_map(|b| b.entries()), 1, at_ms).await?;

    let conflict = "ON CONFLICT (log, level, idx) DO UPDATE SET hash = excluded.hash";
    conn.insert(growth.tree, conflict).await?;
    for (log, size) in growth.closed {
        let keep = "UPDATE checkpoints SET kept = 1 WHERE log = $1 AND size = $2";
        conn.execute(keep, &[Arg::Bytes(&log), Arg::Int(size)])
            .await?;
    }

    // Of each log, the last head alone may lie there without being kept.
    if !heads.is_empty() {
        let sql = format!(
            "DELETE FROM checkpoints WHERE kept = 0 AND (log, size) IN \
             (SELECT unhex(j.value ->> 0), CAST(j.value ->> 1 AS BIGINT) FROM {})",
            conn.each()
        );
        conn.execute(&sql, &[Arg::Text(&json_list(&heads))]).await?;
    }

    let mut rows = Rows::of(&tables::CHECKPOINTS);
    for ((log, size), (signed, kept)) in growth.checkpoints {
        rows.bytes(log).int(size).bytes(signed).int(i64::from(kept));
    }

    // What a cosignature is kept over stays as it was signed then; the newest head stands with the
    // log.
    let conflict = "ON CONFLICT (log, size) DO UPDATE SET signed = excluded.signed \
                    WHERE NOT EXISTS (SELECT 1 FROM cosigned c WHERE c.log = checkpoints.log \
                    AND c.size = checkpoints.size)";
    conn.insert(rows, conflict).await?;

    let mut rows = Rows::of(&tables::LOGS);
    for (log, (block, unkept)) in growth.last {
        rows.bytes(log)
            .int(block.checkpoint().checkpoint.size as i64)
            .bytes(block.peaks().to_bytes());
        rows.bytes(block.checkpoint().to_bytes())
            .int(unkept)
            .int(at_ms);
    }

    let conflict = "ON CONFLICT (log) DO UPDATE SET size = excluded.size, peaks = excluded.peaks, \
                    checkpoint = excluded.checkpoint, unkept_bytes = excluded.unkept_bytes, \
                    grew_ms = excluded.grew_ms";
    conn.insert(rows, conflict).await
}

/// How far the logs of these blocks go, those that are held.
async fn ends(
    conn: &mut dyn WriteConnection,
    blocks: &[VerifiedBlock],
) -> Result<BTreeMap<Vec<u8>, LogEnd>, StoreError> {
    let logs: BTreeSet<LogId> = blocks.iter().map(|b| b.log()).collect();
    let logs = hexes(logs.iter().map(LogId::to_bytes));
    let sql = format!(
        "SELECT l.log, l.size, l.unkept_bytes FROM {} JOIN logs l ON l.log = unhex(j.value ->> 0)",
        conn.each()
    );

    let mut ends = BTreeMap::new();
    for mut row in conn.rows(&sql, &[Arg::Text(&logs)]).await? {
        let end = (row.int("size")? as u64, row.int("unkept_bytes")?);
        ends.insert(row.bytes("log")?, end);
    }

    Ok(ends)
}

pub(super) async fn write_enrolments_and_forks(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut rows = Rows::of(&tables::NODES);
    for e in last_of_each(&batch.append.enrolments, |e| e.node()) {
        rows.bytes(e.node().0).bytes(e.to_bytes());
    }

    let conflict = "ON CONFLICT (node) DO UPDATE SET enrolment = excluded.enrolment";
    conn.insert(rows, conflict).await?;

    let mut rows = Rows::of(&tables::FORKS);
    for f in last_of_each(&batch.append.forks, |f| f.log()) {
        rows.bytes(f.log().to_bytes()).bytes(f.to_bytes());
    }

    let conflict = "ON CONFLICT (log) DO UPDATE SET proof = excluded.proof";
    conn.insert(rows, conflict).await
}

pub(super) async fn write_cosignatures(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut longest = BTreeMap::new();
    for c in &batch.append.cosignatures {
        let (size, time_s) = (
            c.checkpoint.checkpoint.size as i64,
            c.cosignature.time_s as i64,
        );
        let kept = longest
            .entry((c.checkpoint.checkpoint.log, c.cosignature.witness))
            .or_insert((size, time_s, c));
        if (kept.0, kept.1) < (size, time_s) {
            *kept = (size, time_s, c);
        }
    }

    let mut rows = Rows::of(&tables::COSIGNATURES);
    for ((log, witness), (size, time_s, c)) in longest {
        rows.bytes(log.to_bytes())
            .bytes(witness.0)
            .int(size)
            .int(time_s);
        rows.bytes(c.checkpoint.to_bytes())
            .bytes(c.cosignature.to_bytes());
    }

    let conflict = "ON CONFLICT (log, witness) DO UPDATE SET size = excluded.size, \
                    time_s = excluded.time_s, checkpoint = excluded.checkpoint, \
                    cosignature = excluded.cosignature \
                    WHERE (excluded.size, excluded.time_s) > \
                    (cosignatures.size, cosignatures.time_s)";
    conn.insert(rows, conflict).await?;
    keep_heads(conn, batch).await?;

    write_cosigned(conn, batch).await
}

/// Keeps checkpoints that a hub cosigned.
async fn keep_heads(conn: &mut dyn WriteConnection, batch: &Batch) -> Result<(), StoreError> {
    let place = |c: &wadi_log::SignedCheckpoint| (c.checkpoint.log, c.checkpoint.size);
    let mut rows = Rows::of(&tables::CHECKPOINTS);
    for head in last_of_each(&batch.append.kept_heads, place) {
        let (log, size) = place(head);
        rows.bytes(log.to_bytes())
            .int(size as i64)
            .bytes(head.to_bytes())
            .int(1);
    }

    let conflict = "ON CONFLICT (log, size) DO UPDATE SET kept = 1";
    conn.insert(rows, conflict).await
}

/// Cosignatures of checkpoints that are kept, each the first of its witness: what was cosigned
/// first bounds the time of what stands below, and no later word moves that.
async fn write_cosigned(conn: &mut dyn WriteConnection, batch: &Batch) -> Result<(), StoreError> {
    let mut all = BTreeMap::new();
    for c in &batch.append.cosignatures {
        let head = &c.checkpoint.checkpoint;
        all.insert((head.log, head.size, c.cosignature.witness), c);
    }

    if all.is_empty() {
        return Ok(());
    }

    let sizes: Vec<(String, u64)> = all
        .keys()
        .map(|(log, size, _)| (hex(&log.to_bytes()), *size))
        .collect();
    let sql = format!(
        "SELECT k.log, k.size, k.signed FROM {} JOIN checkpoints k ON k.log = unhex(j.value ->> 0) \
         AND k.size = CAST(j.value ->> 1 AS BIGINT) WHERE k.kept = 1",
        conn.each()
    );

    let mut kept = BTreeMap::new();
    for mut row in conn.rows(&sql, &[Arg::Text(&json_list(&sizes))]).await? {
        let place = (row.bytes("log")?, row.int("size")? as u64);
        kept.insert(place, row.bytes("signed")?);
    }

    let mut rows = Rows::of(&tables::COSIGNED);
    for ((log, size, witness), c) in all {
        if kept
            .get(&(log.to_bytes().to_vec(), size))
            .is_some_and(|signed| *signed == c.checkpoint.to_bytes())
        {
            rows.bytes(log.to_bytes())
                .int(size as i64)
                .bytes(witness.0)
                .bytes(c.cosignature.to_bytes());
        }
    }

    let conflict = "ON CONFLICT (log, size, witness) DO NOTHING";
    conn.insert(rows, conflict).await
}
