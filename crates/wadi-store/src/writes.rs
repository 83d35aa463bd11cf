//! Every write of the store, once for both engines: compiled as a part of `sqlite.rs` and as a part
//! of `postgres.rs`. One statement a table wherever there can be many rows; how many rows become
//! one statement (`insert`) each engine says itself.

use super::{DbConn, EACH, insert, reads::cell};
use crate::{
    Batch, BranchRow, StoreError,
    tables::{self, Rows},
};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{BLOCK_ENTRIES_MAX, LogId, RecordId, Reference, VerifiedBlock, VerifiedEntry, hex};

/// Checkpoints are kept at about this spacing: blocks end at them.
const BLOCK_BYTES: i64 = 8 * 1024;
/// What an entry counts at least: between two checkpoints that are kept lie fewer than two blocks'
/// bytes, and so no more entries than a block may have.
const ENTRY_BYTES_LEAST: i64 = 2 * BLOCK_BYTES / BLOCK_ENTRIES_MAX as i64;

pub(crate) async fn write_batch(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    take_out(conn, batch).await?;
    switch_branches(conn, batch).await?;
    write_blocks(conn, &batch.append.blocks, batch.at_ms).await?;
    write_entries(conn, batch.append.loose.iter(), 2, batch.at_ms).await?;

    for (log, from, to) in &batch.repair.reindexed {
        for sql in [
            "DELETE FROM record_entries WHERE log = $1 AND seq >= $2 AND seq < $3",
            "DELETE FROM seen WHERE log = $1 AND seq >= $2 AND seq < $3",
        ] {
            let query = sqlx::query(sql)
                .bind(log.to_bytes().to_vec())
                .bind(*from as i64)
                .bind(*to as i64);
            query.execute(&mut *conn).await?;
        }
    }

    write_mended(conn, batch).await?;
    let mut rows = Rows::of(&tables::RECORD_ENTRIES);
    for (record, entry) in batch.project.about.iter().collect::<BTreeSet<_>>() {
        reference(rows.bytes(record.0), entry);
    }

    insert(conn, rows, "ON CONFLICT DO NOTHING").await?;
    let mut rows = Rows::of(&tables::SEEN);
    batch
        .project
        .seen
        .iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .for_each(|entry| reference(&mut rows, entry));

    insert(conn, rows, "ON CONFLICT DO NOTHING").await?;
    write_cosignatures(conn, batch).await?;
    let mut rows = Rows::of(&tables::NODES);
    for e in batch
        .append
        .enrolments
        .iter()
        .map(|e| (e.node(), e))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.bytes(e.node().0).bytes(e.to_bytes());
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (node) DO UPDATE SET enrolment = excluded.enrolment",
    )
    .await?;

    let mut rows = Rows::of(&tables::FORKS);
    for f in batch
        .append
        .forks
        .iter()
        .map(|f| (f.log(), f))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.bytes(f.log().to_bytes()).bytes(f.to_bytes());
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (log) DO UPDATE SET proof = excluded.proof",
    )
    .await?;

    write_records(conn, batch).await?;
    write_waiting(conn, batch).await?;
    write_findings(conn, batch).await?;

    write_rest(conn, batch).await
}

/// Takes out what rotted; what is to stand in its place is written after it.
async fn take_out(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    for (log, seq, leaf) in &batch.repair.entries_gone {
        sqlx::query("DELETE FROM entries WHERE log = $1 AND seq = $2 AND leaf = $3 AND main <> 1")
            .bind(&log[..])
            .bind(*seq)
            .bind(&leaf[..])
            .execute(&mut *conn)
            .await?;
    }

    for (log, size) in &batch.repair.checkpoints_gone {
        sqlx::query("DELETE FROM checkpoints WHERE log = $1 AND size = $2")
            .bind(log.to_bytes().to_vec())
            .bind(*size)
            .execute(&mut *conn)
            .await?;
    }

    for (sql, keys) in [
        (
            "DELETE FROM cosignatures WHERE log = $1 AND witness = $2",
            &batch.repair.cosignatures_gone,
        ),
        (
            "DELETE FROM branches WHERE log = $1 AND leaf = $2",
            &batch.repair.branches_rotten,
        ),
    ] {
        for (log, of) in keys {
            sqlx::query(sql)
                .bind(&log[..])
                .bind(&of[..])
                .execute(&mut *conn)
                .await?;
        }
    }

    for (sql, keys) in [
        (
            "DELETE FROM nodes WHERE node = $1",
            &batch.repair.enrolments_gone,
        ),
        ("DELETE FROM forks WHERE log = $1", &batch.repair.forks_gone),
    ] {
        for key in keys {
            sqlx::query(sql).bind(&key[..]).execute(&mut *conn).await?;
        }
    }

    let mut rows = Rows::of(&tables::CHECKPOINTS);
    let heads: BTreeMap<_, _> = batch
        .repair
        .heads
        .iter()
        .map(|c| ((c.checkpoint.log, c.checkpoint.size), c))
        .collect();

    for ((log, size), signed) in heads {
        rows.bytes(log.to_bytes())
            .int(size as i64)
            .bytes(signed.to_bytes())
            .int(0);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (log, size) DO UPDATE SET signed = excluded.signed",
    )
    .await
}

fn reference(rows: &mut Rows, r: &Reference) {
    rows.bytes(r.log.to_bytes())
        .int(r.seq as i64)
        .bytes(r.leaf.0);
}

/// What a statement takes as `EACH`: a list of one hexadecimal text each.
fn hexes(all: impl Iterator<Item = impl AsRef<[u8]>>) -> String {
    let list: Vec<[String; 1]> = all.map(|bytes| [hex(bytes.as_ref())]).collect();
    serde_json::to_string(&list).expect("text serialises")
}

async fn write_entries<'a>(
    conn: &mut DbConn,
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
    insert(
        conn,
        rows,
        "ON CONFLICT (log, seq, leaf) DO UPDATE SET main = 1 WHERE excluded.main = 1",
    )
    .await
}

/// Appends the blocks to their logs; each must begin where its log ends.
async fn write_blocks(
    conn: &mut DbConn,
    blocks: &[VerifiedBlock],
    at_ms: i64,
) -> Result<(), StoreError> {
    if blocks.is_empty() {
        return Ok(());
    }

    let logs: BTreeSet<LogId> = blocks.iter().map(|b| b.log()).collect();
    let logs = hexes(logs.iter().map(LogId::to_bytes));
    let held = sqlx::query(AssertSqlSafe(format!(
        "SELECT l.log, l.size, l.unkept_bytes FROM {EACH} JOIN logs l ON l.log = unhex(j.value ->> 0)"
    )))
    .bind(&logs)
    .fetch_all(&mut *conn)
    .await?;

    let mut ends: BTreeMap<Vec<u8>, (u64, i64)> = BTreeMap::new();
    for r in &held {
        ends.insert(cell(r, 0)?, (cell::<i64>(r, 1)? as u64, cell(r, 2)?));
    }

    let mut tree = Rows::of(&tables::TREE);
    let mut checkpoints: BTreeMap<(Vec<u8>, i64), (Vec<u8>, i64)> = BTreeMap::new();
    let (mut last, mut closed) = (BTreeMap::new(), Vec::new());
    for block in blocks {
        let log = block.log().to_bytes().to_vec();
        let head = &block.checkpoint().checkpoint;
        let from = head.size - block.entries().len() as u64;
        let (size, mut unkept) = ends.get(&log).copied().unwrap_or((0, BLOCK_BYTES));

        if size != from {
            let why = format!(
                "{} holds {size} entries, the block begins at {from}",
                block.log()
            );
            return Err(StoreError::Conflict(why));
        }

        for (subtree, hash) in block.kept() {
            tree.bytes(&log[..])
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
            match checkpoints.get_mut(&(log.clone(), from as i64)) {
                Some((_, kept)) => *kept = 1,
                None => closed.push((log.clone(), from as i64)),
            }
            unkept = 0;
        }

        let (kept, unkept) = if unkept + bytes >= BLOCK_BYTES {
            (1, 0)
        } else {
            (0, unkept + bytes)
        };

        checkpoints.retain(|(l, _), (_, kept)| *l != log || *kept == 1);
        // An emptier block signs the same size anew: whether that size is kept stays as it was.
        let before = checkpoints
            .get(&(log.clone(), head.size as i64))
            .map_or(kept, |(_, k)| *k);

        checkpoints.insert(
            (log.clone(), head.size as i64),
            (block.checkpoint().to_bytes(), before),
        );
        ends.insert(log.clone(), (head.size, unkept));
        last.insert(log, (block, unkept));
    }

    write_entries(conn, blocks.iter().flat_map(|b| b.entries()), 1, at_ms).await?;
    insert(
        conn,
        tree,
        "ON CONFLICT (log, level, idx) DO UPDATE SET hash = excluded.hash",
    )
    .await?;

    for (log, size) in closed {
        let keep = sqlx::query("UPDATE checkpoints SET kept = 1 WHERE log = $1 AND size = $2");
        keep.bind(log).bind(size).execute(&mut *conn).await?;
    }

    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM checkpoints WHERE kept = 0 AND log IN (SELECT unhex(j.value ->> 0) FROM {EACH})"
    )))
    .bind(&logs)
    .execute(&mut *conn)
    .await?;

    let mut rows = Rows::of(&tables::CHECKPOINTS);
    for ((log, size), (signed, kept)) in checkpoints {
        rows.bytes(log).int(size).bytes(signed).int(kept);
    }

    // What a cosignature is kept over stays as it was signed then; the newest head stands with the
    // log.
    let conflict = "ON CONFLICT (log, size) DO UPDATE SET signed = excluded.signed WHERE NOT EXISTS \
                    (SELECT 1 FROM cosigned c WHERE c.log = checkpoints.log AND c.size = checkpoints.size)";
    insert(conn, rows, conflict).await?;

    let mut rows = Rows::of(&tables::LOGS);
    for (log, (block, unkept)) in last {
        rows.bytes(log)
            .int(block.checkpoint().checkpoint.size as i64)
            .bytes(block.peaks().to_bytes());
        rows.bytes(block.checkpoint().to_bytes())
            .int(unkept)
            .int(at_ms);
    }

    let conflict = "ON CONFLICT (log) DO UPDATE SET size = excluded.size, peaks = excluded.peaks, \
                    checkpoint = excluded.checkpoint, unkept_bytes = excluded.unkept_bytes, grew_ms = excluded.grew_ms";
    insert(conn, rows, conflict).await
}

/// What stood on a main branch from a fork on stands beside it, and the other branch takes its
/// place.
async fn switch_branches(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    for block in &batch.repair.switches {
        let from = block.checkpoint().checkpoint.size - block.entries().len() as u64;
        // The last one makes the log end where the fork begins, so that the branch is appended like
        // any block.
        for sql in [
            "UPDATE entries SET main = 0 WHERE log = $1 AND seq >= $2 AND main = 1",
            "DELETE FROM tree WHERE log = $1 AND ((idx + 1) << CAST(level AS INTEGER)) > $2",
            "DELETE FROM checkpoints WHERE log = $1 AND size > $2",
            "UPDATE logs SET size = $2, unkept_bytes = 8192 WHERE log = $1",
        ] {
            sqlx::query(sql)
                .bind(block.log().to_bytes().to_vec())
                .bind(from as i64)
                .execute(&mut *conn)
                .await?;
        }
    }

    write_blocks(conn, &batch.repair.switches, batch.at_ms).await?;
    for (log, leaf) in &batch.repair.branches_gone {
        sqlx::query("DELETE FROM branches WHERE log = $1 AND leaf = $2")
            .bind(log.to_bytes().to_vec())
            .bind(leaf.0.to_vec())
            .execute(&mut *conn)
            .await?;
    }

    let mut rows = Rows::of(&tables::BRANCHES);
    let first = |b: &BranchRow| b.leaves.first().copied().unwrap_or_default();
    for b in batch
        .repair
        .branches
        .iter()
        .map(|b| ((b.log, first(b)), b))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        let leaves: Vec<u8> = b.leaves.iter().flat_map(|l| l.0).collect();
        rows.bytes(b.log.to_bytes())
            .bytes(first(b).0)
            .int(b.from as i64)
            .bytes(b.checkpoint.to_bytes())
            .bytes(leaves);
    }

    let conflict = "ON CONFLICT (log, leaf) DO UPDATE SET start = excluded.start, checkpoint = excluded.checkpoint, \
                    leaves = excluded.leaves";
    insert(conn, rows, conflict).await
}

async fn write_mended(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
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
        sqlx::query("DELETE FROM entries WHERE log = $1 AND seq = $2 AND main = 1 AND leaf <> $3")
            .bind(at.log.to_bytes().to_vec())
            .bind(at.seq as i64)
            .bind(at.leaf.0.to_vec())
            .execute(&mut *conn)
            .await?;

        reference(&mut rows, at);
        rows.bytes(entry.bytes()).int(1).int(batch.at_ms);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (log, seq, leaf) DO UPDATE SET bytes = excluded.bytes, main = 1",
    )
    .await?;

    write_entries(
        conn,
        batch.repair.side.iter().flat_map(|s| s.entries()),
        0,
        batch.at_ms,
    )
    .await?;

    let mut rows = Rows::of(&tables::TREE);
    for (log, subtree, hash) in &batch.repair.tree {
        rows.bytes(log.to_bytes())
            .int(i64::from(subtree.level))
            .int(subtree.index as i64)
            .bytes(hash.0);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (log, level, idx) DO UPDATE SET hash = excluded.hash",
    )
    .await?;

    for record in &batch.repair.records_gone {
        for sql in [
            "DELETE FROM records WHERE id = $1",
            "DELETE FROM terms WHERE record = $1",
            "DELETE FROM waiting WHERE record = $1",
        ] {
            sqlx::query(sql)
                .bind(record.0.to_vec())
                .execute(&mut *conn)
                .await?;
        }
    }

    Ok(())
}

async fn write_cosignatures(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
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

    let conflict = "ON CONFLICT (log, witness) DO UPDATE SET size = excluded.size, time_s = excluded.time_s, \
                    checkpoint = excluded.checkpoint, cosignature = excluded.cosignature \
                    WHERE (excluded.size, excluded.time_s) > (cosignatures.size, cosignatures.time_s)";
    insert(conn, rows, conflict).await?;
    keep_heads(conn, batch).await?;

    write_cosigned(conn, batch).await
}

/// Keeps checkpoints that a hub cosigned.
async fn keep_heads(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    let heads: BTreeMap<_, _> = batch
        .append
        .kept_heads
        .iter()
        .map(|c| ((c.checkpoint.log, c.checkpoint.size), c))
        .collect();

    let mut rows = Rows::of(&tables::CHECKPOINTS);
    for ((log, size), head) in heads {
        rows.bytes(log.to_bytes())
            .int(size as i64)
            .bytes(head.to_bytes())
            .int(1);
    }

    insert(conn, rows, "ON CONFLICT (log, size) DO UPDATE SET kept = 1").await
}

/// Cosignatures of checkpoints that are kept, each the first of its witness: what was cosigned
/// first bounds the time of what stands below, and no later word moves that.
async fn write_cosigned(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
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
    let kept = sqlx::query(AssertSqlSafe(format!(
        "SELECT k.log, k.size, k.signed FROM {EACH} JOIN checkpoints k ON k.log = unhex(j.value ->> 0) \
         AND k.size = CAST(j.value ->> 1 AS BIGINT) WHERE k.kept = 1"
    )))
    .bind(serde_json::to_string(&sizes).expect("text and numbers serialise"))
    .fetch_all(&mut *conn)
    .await?;

    let signed = |r| {
        Ok::<_, StoreError>((
            (cell::<Vec<u8>>(r, 0)?, cell::<i64>(r, 1)? as u64),
            cell::<Vec<u8>>(r, 2)?,
        ))
    };

    let kept = kept
        .iter()
        .map(signed)
        .collect::<Result<BTreeMap<_, _>, _>>()?;
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

    insert(conn, rows, "ON CONFLICT (log, size, witness) DO NOTHING").await
}

async fn write_records(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    if batch.project.records.is_empty() {
        return Ok(());
    }

    let count = batch.project.records.len() as i64;
    let last: i64 = sqlx::query_scalar(
        "UPDATE meta SET value = value + $1 WHERE key = 'changed' RETURNING value",
    )
    .bind(count)
    .fetch_one(&mut *conn)
    .await?;

    let mut rows = Rows::of(&tables::RECORDS);
    let mut cursors = BTreeMap::new();
    for (n, r) in batch.project.records.iter().enumerate() {
        let cursor = last - count + n as i64 + 1;
        cursors.insert(r.id, cursor);
        rows.bytes(r.id.0)
            .text(&r.printed)
            .int(i64::from(r.lane))
            .text(&r.crossing)
            .text(&r.state);

        rows.flag(r.open)
            .flag(r.contested)
            .text(&r.json)
            .bytes(r.digest.0)
            .int(i64::from(r.entries));

        rows.int(r.at_ms).int(r.born_ms).int(cursor);
    }

    let conflict = "ON CONFLICT (id) DO UPDATE SET printed = excluded.printed, lane = excluded.lane, \
                    crossing = excluded.crossing, state = excluded.state, open = excluded.open, \
                    contested = excluded.contested, json = excluded.json, digest = excluded.digest, \
                    entries = excluded.entries, at_ms = excluded.at_ms, born_ms = excluded.born_ms, changed = excluded.changed";

    insert(conn, rows, conflict).await?;
    let ids = hexes(batch.project.records.iter().map(|r| r.id.0));
    write_terms(conn, batch, &cursors, &ids).await?;
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM waiting WHERE record IN (SELECT unhex(j.value ->> 0) FROM {EACH})"
    )))
    .bind(ids)
    .execute(conn)
    .await?;

    Ok(())
}

type Term = (Vec<u8>, String, String, i64);

/// Terms seldom change: what is there is read, and only the difference is written. A hub remembers
/// what went until it has looked at the records that were held together by it.
async fn write_terms(
    conn: &mut DbConn,
    batch: &Batch,
    cursors: &BTreeMap<RecordId, i64>,
    ids: &str,
) -> Result<(), StoreError> {
    let held = sqlx::query(AssertSqlSafe(format!(
        "SELECT t.record, t.what, t.value, t.born_ms FROM {EACH} JOIN terms t ON t.record = unhex(j.value ->> 0)"
    )))
    .bind(ids)
    .fetch_all(&mut *conn)
    .await?;

    let term = |r| Ok::<Term, StoreError>((cell(r, 0)?, cell(r, 1)?, cell(r, 2)?, cell(r, 3)?));
    let held = held
        .iter()
        .map(term)
        .collect::<Result<BTreeSet<Term>, _>>()?;
    let mut now: BTreeSet<Term> = BTreeSet::new();

    for r in &batch.project.records {
        now.extend(
            r.terms
                .iter()
                .map(|(what, value)| (r.id.0.to_vec(), what.clone(), value.clone(), r.born_ms)),
        );
    }

    let mut rows = Rows::of(&tables::TERMS);
    for (record, what, value, born_ms) in now.difference(&held) {
        rows.bytes(&record[..]).text(what).text(value).int(*born_ms);
    }

    insert(conn, rows, "ON CONFLICT DO NOTHING").await?;
    let mut gone = Rows::of(&tables::TERMS_GONE);
    for (record, what, value, born_ms) in held.difference(&now) {
        sqlx::query(
            "DELETE FROM terms WHERE what = $1 AND value = $2 AND born_ms = $3 AND record = $4",
        )
        .bind(what)
        .bind(value)
        .bind(born_ms)
        .bind(record)
        .execute(&mut *conn)
        .await?;

        gone.bytes(&record[..])
            .text(what)
            .text(value)
            .int(*born_ms)
            .int(0);
    }

    if !batch.remember_gone {
        return Ok(());
    }

    insert(conn, gone, "ON CONFLICT DO NOTHING").await?;
    // Whatever went earlier of a record that changes again belongs to its newest change.
    let cursors: Vec<(String, i64)> = cursors
        .iter()
        .map(|(id, cursor)| (id.to_string(), *cursor))
        .collect();

    sqlx::query(AssertSqlSafe(format!(
        "UPDATE terms_gone SET changed = c.cursor FROM (SELECT unhex(j.value ->> 0) AS record, \
         CAST(j.value ->> 1 AS BIGINT) AS cursor FROM {EACH}) AS c WHERE terms_gone.record = c.record"
    )))
    .bind(serde_json::to_string(&cursors).expect("text and numbers serialise"))
    .execute(conn)
    .await?;

    Ok(())
}

async fn write_waiting(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    let mut waiting: BTreeMap<Reference, (RecordId, Option<Reference>)> = BTreeMap::new();
    for r in &batch.project.records {
        waiting.extend(
            r.waiting
                .iter()
                .map(|(entry, missing)| (*entry, (r.id, *missing))),
        );
    }

    waiting.extend(
        batch
            .project
            .waiting
            .iter()
            .map(|w| (w.entry, (w.record, w.missing))),
    );

    let mut rows = Rows::of(&tables::WAITING);
    for (entry, (record, missing)) in waiting {
        reference(&mut rows, &entry);
        rows.bytes(record.0)
            .bytes_or_none(missing.map(|m| m.to_bytes().to_vec()));
    }

    let conflict = "ON CONFLICT (log, seq, leaf) DO UPDATE SET record = excluded.record, missing = excluded.missing";
    insert(conn, rows, conflict).await
}

async fn write_findings(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    let mut rows = Rows::of(&tables::FINDINGS);
    for f in batch
        .findings
        .changed
        .iter()
        .map(|f| (&f.id, f))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.text(&f.id)
            .text(&f.rule)
            .int(i64::from(f.severity))
            .text(&f.phase)
            .text(&f.state)
            .text(&f.crossing);

        rows.text(&f.assignee)
            .bytes(f.anchor.0)
            .text(&f.evidence)
            .int(f.at_ms)
            .int(f.due_ms)
            .text(&f.json);
    }

    let conflict = "ON CONFLICT (id) DO UPDATE SET rule = excluded.rule, severity = excluded.severity, \
                    phase = excluded.phase, state = excluded.state, crossing = excluded.crossing, \
                    assignee = excluded.assignee, anchor = excluded.anchor, evidence = excluded.evidence, \
                    at_ms = excluded.at_ms, due_ms = excluded.due_ms, json = excluded.json";

    insert(conn, rows, conflict).await?;
    if !batch.findings.gone.is_empty() {
        let gone: Vec<[&String; 1]> = batch.findings.gone.iter().map(|id| [id]).collect();
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM findings WHERE id IN (SELECT j.value ->> 0 FROM {EACH})"
        )))
        .bind(serde_json::to_string(&gone).expect("text serialises"))
        .execute(&mut *conn)
        .await?;
    }

    if let Some(cursor) = batch.project.gone_seen {
        sqlx::query("DELETE FROM terms_gone WHERE changed <= $1")
            .bind(cursor)
            .execute(conn)
            .await?;
    }

    Ok(())
}

async fn write_rest(conn: &mut DbConn, batch: &Batch) -> Result<(), StoreError> {
    // One after the other: each repetition counts.
    for r in &batch.local.refusals {
        let mut rows = Rows::of(&tables::REFUSALS);
        rows.text(&r.subject)
            .text(&r.code)
            .text(&r.why)
            .text(&r.peer)
            .int(r.at_ms)
            .int(r.times.try_into().unwrap_or(i64::MAX));

        let conflict = "ON CONFLICT (subject, code) DO UPDATE SET why = excluded.why, peer = excluded.peer, \
                        at_ms = excluded.at_ms, times = refusals.times + excluded.times";
        insert(conn, rows, conflict).await?;
    }

    let mut rows = Rows::of(&tables::PEERS);
    for p in batch
        .local
        .peers
        .iter()
        .map(|p| (p.node, p))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.bytes(p.node.0).text(&p.json);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (node) DO UPDATE SET json = excluded.json",
    )
    .await?;

    let mut rows = Rows::of(&tables::CARRIED);
    for c in batch
        .local
        .carry
        .iter()
        .map(|c| ((c.log, c.from), c))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.bytes(c.log.to_bytes())
            .int(c.from as i64)
            .int(c.to as i64)
            .bytes(&c.bytes[..]);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (log, start) DO UPDATE SET size = excluded.size, bytes = excluded.bytes",
    )
    .await?;

    let done: BTreeMap<LogId, u64> = batch.local.carried_done.iter().copied().collect();
    if !done.is_empty() {
        let done: Vec<(String, u64)> = done
            .iter()
            .map(|(log, size)| (hex(&log.to_bytes()), *size))
            .collect();

        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM carried WHERE EXISTS (SELECT 1 FROM {EACH} WHERE unhex(j.value ->> 0) = carried.log \
             AND CAST(j.value ->> 1 AS BIGINT) >= carried.size)"
        )))
        .bind(serde_json::to_string(&done).expect("text and numbers serialise"))
        .execute(&mut *conn)
        .await?;
    }

    if batch.repair.healed {
        sqlx::query("DELETE FROM meta WHERE key IN ('lost_tail', 'lost_held')")
            .execute(&mut *conn)
            .await?;
    }

    let mut rows = Rows::of(&tables::RESYNCS);
    for (id, json) in batch
        .local
        .resyncs
        .iter()
        .map(|(id, json)| (id, json))
        .collect::<BTreeMap<_, _>>()
    {
        rows.text(id).text(json);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (id) DO UPDATE SET json = excluded.json",
    )
    .await?;

    let mut rows = Rows::of(&tables::LOCAL);
    for l in batch
        .local
        .keys
        .iter()
        .map(|l| ((&l.scope, &l.key), l))
        .collect::<BTreeMap<_, _>>()
        .into_values()
    {
        rows.text(l.scope.as_str()).text(&l.key).text(&l.value);
    }

    insert(
        conn,
        rows,
        "ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
    )
    .await?;

    for (scope, key) in &batch.local.keys_gone {
        sqlx::query("DELETE FROM local WHERE scope = $1 AND key = $2")
            .bind(scope.to_string())
            .bind(key)
            .execute(&mut *conn)
            .await?;
    }

    Ok(())
}
