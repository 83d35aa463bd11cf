//! What puts right what rotted or was lost, and which branch of a forked log counts.

use super::{Arg, WriteConnection, hexes, last_of_each, logs, reference};
use crate::{
    Batch, BranchRow, StoreError,
    scope_sums::note_going,
    tables::{self, Rows},
};
use std::collections::BTreeMap;
use wadi_log::{Reference, VerifiedEntry};

/// Takes out what rotted; what is to stand in its place is written after it.
pub(super) async fn take_out(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    for (log, seq, leaf) in &batch.repair.entries_gone {
        let sql = "DELETE FROM entries WHERE log = $1 AND seq = $2 AND leaf = $3 AND main <> 1";
        let entry = [Arg::Bytes(log), Arg::Int(*seq), Arg::Bytes(leaf)];
        conn.execute(sql, &entry).await?;
    }

    for (log, size) in &batch.repair.checkpoints_gone {
        let sql = "DELETE FROM checkpoints WHERE log = $1 AND size = $2";
        conn.execute(sql, &[Arg::Bytes(&log.to_bytes()), Arg::Int(*size)])
            .await?;
    }

    for (log, witness) in &batch.repair.cosignatures_gone {
        let sql = "DELETE FROM cosignatures WHERE log = $1 AND witness = $2";
        conn.execute(sql, &[Arg::Bytes(log), Arg::Bytes(witness)])
            .await?;
    }

    for (log, leaf) in &batch.repair.branches_rotten {
        let sql = "DELETE FROM branches WHERE log = $1 AND leaf = $2";
        conn.execute(sql, &[Arg::Bytes(log), Arg::Bytes(leaf)])
            .await?;
    }

    for node in &batch.repair.enrolments_gone {
        let sql = "DELETE FROM nodes WHERE node = $1";
        conn.execute(sql, &[Arg::Bytes(node)]).await?;
    }

    for log in &batch.repair.forks_gone {
        let sql = "DELETE FROM forks WHERE log = $1";
        conn.execute(sql, &[Arg::Bytes(log)]).await?;
    }

    let mut rows = Rows::of(&tables::CHECKPOINTS);
    let place = |c: &wadi_log::SignedCheckpoint| (c.checkpoint.log, c.checkpoint.size);
    for signed in last_of_each(&batch.repair.heads, place) {
        let (log, size) = place(signed);
        rows.bytes(log.to_bytes())
            .int(size as i64)
            .bytes(signed.to_bytes())
            .int(0);
    }

    let conflict = "ON CONFLICT (log, size) DO UPDATE SET signed = excluded.signed";
    conn.insert(rows, conflict).await
}

/// What stood on a main branch from a fork on stands beside it, and the other branch takes its
/// place.
pub(super) async fn switch_branches(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    for block in &batch.repair.switches {
        let from = block.checkpoint().checkpoint.size - block.entries().len() as u64;
        let log = block.log().to_bytes();
        let place = [Arg::Bytes(&log), Arg::Int(from as i64)];

        // The last one makes the log end where the fork begins, so that the branch is appended like
        // any block.
        for sql in [
            "UPDATE entries SET main = 0 WHERE log = $1 AND seq >= $2 AND main = 1",
            "DELETE FROM tree WHERE log = $1 AND ((idx + 1) << CAST(level AS INTEGER)) > $2",
            "DELETE FROM checkpoints WHERE log = $1 AND size > $2",
        ] {
            conn.execute(sql, &place).await?;
        }

        let sql = "UPDATE logs SET size = $2, unkept_bytes = $3 WHERE log = $1";
        let [log, from] = place;
        conn.execute(sql, &[log, from, Arg::Int(logs::BLOCK_BYTES)])
            .await?;
    }

    logs::write_blocks(conn, &batch.repair.switches, batch.at_ms).await?;
    for (log, leaf) in &batch.repair.branches_gone {
        let sql = "DELETE FROM branches WHERE log = $1 AND leaf = $2";
        conn.execute(sql, &[Arg::Bytes(&log.to_bytes()), Arg::Bytes(&leaf.0)])
            .await?;
    }

    let mut rows = Rows::of(&tables::BRANCHES);
    let first = |b: &BranchRow| b.leaves.first().copied().unwrap_or_default();
    for b in last_of_each(&batch.repair.branches, |b| (b.log, first(b))) {
        let leaves: Vec<u8> = b.leaves.iter().flat_map(|l| l.0).collect();
        rows.bytes(b.log.to_bytes())
            .bytes(first(b).0)
            .int(b.from as i64)
            .bytes(b.checkpoint.to_bytes())
            .bytes(leaves);
    }

    let conflict = "ON CONFLICT (log, leaf) DO UPDATE SET start = excluded.start, \
                    checkpoint = excluded.checkpoint, \
                    leaves = excluded.leaves";
    conn.insert(rows, conflict).await
}

/// Makes room for runs of the index by record that are made anew.
pub(super) async fn clear_index(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    for (log, from, to) in &batch.repair.reindexed {
        let log = log.to_bytes();
        let run = [
            Arg::Bytes(&log),
            Arg::Int(*from as i64),
            Arg::Int(*to as i64),
        ];
        for sql in [
            "DELETE FROM record_entries WHERE log = $1 AND seq >= $2 AND seq < $3",
            "DELETE FROM seen WHERE log = $1 AND seq >= $2 AND seq < $3",
        ] {
            conn.execute(sql, &run).await?;
        }
    }

    Ok(())
}

pub(super) async fn write_mended(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mended: BTreeMap<Reference, &VerifiedEntry> = batch
        .repair
        .mended
        .iter()
        .flat_map(|s| s.entries())
        .map(|e| (e.reference(), e))
        .collect();

    let mut rows = Rows::of(&tables::ENTRIES);
    for (at, entry) in &mended {
        // Whatever rot left in this place under another hash.
        let sql = "DELETE FROM entries WHERE log = $1 AND seq = $2 AND main = 1 AND leaf <> $3";
        let log = at.log.to_bytes();
        let place = [
            Arg::Bytes(&log),
            Arg::Int(at.seq as i64),
            Arg::Bytes(&at.leaf.0),
        ];
        conn.execute(sql, &place).await?;

        reference(&mut rows, at);
        rows.bytes(entry.bytes()).int(1).int(batch.at_ms);
    }

    let conflict = "ON CONFLICT (log, seq, leaf) DO UPDATE SET bytes = excluded.bytes, main = 1";
    conn.insert(rows, conflict).await?;

    let side = batch.repair.side.iter().flat_map(|s| s.entries());
    logs::write_entries(conn, side, 0, batch.at_ms).await?;

    let mut rows = Rows::of(&tables::TREE);
    for (log, subtree, hash) in &batch.repair.tree {
        rows.bytes(log.to_bytes())
            .int(i64::from(subtree.level))
            .int(subtree.index as i64)
            .bytes(hash.0);
    }

    let conflict = "ON CONFLICT (log, level, idx) DO UPDATE SET hash = excluded.hash";
    conn.insert(rows, conflict).await?;

    let gone = &batch.repair.records_gone;
    if !gone.is_empty() {
        note_going(conn, &hexes(gone.iter().map(|r| r.0))).await?;
    }

    for record in gone {
        for sql in [
            "DELETE FROM records WHERE id = $1",
            "DELETE FROM terms WHERE record = $1",
            "DELETE FROM waiting WHERE record = $1",
        ] {
            conn.execute(sql, &[Arg::Bytes(&record.0)]).await?;
        }
    }

    Ok(())
}
