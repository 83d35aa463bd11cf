//! What one batch writes on PostgreSQL: one statement a table, its rows as arrays.

use crate::{Batch, StoreError};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{LogId, RecordId, Reference, VerifiedEntry};

/// Checkpoints are kept at about this spacing: blocks end at them.
const BLOCK_BYTES: i64 = 8 * 1024;

pub(crate) async fn write_batch(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    write_blocks(conn, batch).await?;
    write_entries(conn, batch.loose.iter(), 2, batch.at_ms).await?;
    let about: BTreeSet<(RecordId, Reference)> = batch.about.iter().copied().collect();
    if !about.is_empty() {
        let (logs, seqs, leaves) = split(about.iter().map(|(_, r)| r));
        sqlx::query(
            "INSERT INTO record_entries SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::int8[], $4::bytea[]) \
             ON CONFLICT DO NOTHING",
        )
        .bind(about.iter().map(|(id, _)| id.0.to_vec()).collect::<Vec<_>>())
        .bind(logs)
        .bind(seqs)
        .bind(leaves)
        .execute(&mut *conn)
        .await?;
    }
    if !batch.seen.is_empty() {
        let (logs, seqs, leaves) = split(batch.seen.iter());
        sqlx::query(
            "INSERT INTO seen SELECT * FROM UNNEST($1::bytea[], $2::int8[], $3::bytea[]) ON CONFLICT DO NOTHING",
        )
        .bind(logs)
        .bind(seqs)
        .bind(leaves)
        .execute(&mut *conn)
        .await?;
    }
    write_cosignatures(conn, batch).await?;
    let enrolments: BTreeMap<Vec<u8>, Vec<u8>> =
        batch.enrolments.iter().map(|e| (e.node().0.to_vec(), e.to_bytes())).collect();
    upsert_pairs(conn, "nodes", "node", "enrolment", enrolments).await?;
    let forks: BTreeMap<Vec<u8>, Vec<u8>> =
        batch.forks.iter().map(|f| (f.log().to_bytes().to_vec(), f.to_bytes())).collect();
    upsert_pairs(conn, "forks", "log", "proof", forks).await?;
    write_records(conn, batch).await?;
    write_waiting(conn, batch).await?;
    write_findings(conn, batch).await?;
    write_rest(conn, batch).await
}

/// References as the arrays that UNNEST takes.
fn split<'a>(references: impl Iterator<Item = &'a Reference>) -> (Vec<Vec<u8>>, Vec<i64>, Vec<Vec<u8>>) {
    let (mut logs, mut seqs, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
    for r in references {
        logs.push(r.log.to_bytes().to_vec());
        seqs.push(r.seq as i64);
        leaves.push(r.leaf.0.to_vec());
    }
    (logs, seqs, leaves)
}

/// The names are this file's own; the values are bound.
async fn upsert_pairs(
    conn: &mut PgConnection,
    table: &'static str,
    key: &'static str,
    value: &'static str,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (keys, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO {table} SELECT * FROM UNNEST($1::bytea[], $2::bytea[]) \
         ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}"
    )))
    .bind(keys)
    .bind(values)
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_entries<'a>(
    conn: &mut PgConnection,
    entries: impl Iterator<Item = &'a VerifiedEntry>,
    main: i64,
    at_ms: i64,
) -> Result<(), StoreError> {
    // One statement may touch a row once.
    let rows: BTreeMap<Reference, &[u8]> = entries.map(|e| (e.reference(), e.bytes())).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let (logs, seqs, leaves) = split(rows.keys());
    // An entry that came as an excerpt before its log did becomes part of the log.
    sqlx::query(
        "INSERT INTO entries SELECT u.*, $5::int8, $6::int8 \
         FROM UNNEST($1::bytea[], $2::int8[], $3::bytea[], $4::bytea[]) AS u \
         ON CONFLICT (log, seq, leaf) DO UPDATE SET main = 1 WHERE excluded.main = 1",
    )
    .bind(logs)
    .bind(seqs)
    .bind(leaves)
    .bind(rows.values().map(|b| b.to_vec()).collect::<Vec<_>>())
    .bind(main)
    .bind(at_ms)
    .execute(conn)
    .await?;
    Ok(())
}

/// Appends the blocks to their logs; each must begin where its log ends.
async fn write_blocks(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    if batch.blocks.is_empty() {
        return Ok(());
    }
    let logs: BTreeSet<LogId> = batch.blocks.iter().map(|b| b.log()).collect();
    let logs: Vec<Vec<u8>> = logs.iter().map(|l| l.to_bytes().to_vec()).collect();
    let held = sqlx::query("SELECT log, size, unkept_bytes FROM logs WHERE log = ANY($1) FOR UPDATE")
        .bind(&logs)
        .fetch_all(&mut *conn)
        .await?;
    let mut ends: BTreeMap<Vec<u8>, (u64, i64)> =
        held.iter().map(|r| (r.get(0), (r.get::<i64, _>(1) as u64, r.get(2)))).collect();
    let (mut tree_logs, mut levels, mut places, mut hashes) = (vec![], vec![], vec![], vec![]);
    let mut checkpoints: BTreeMap<(Vec<u8>, i64), (Vec<u8>, i64)> = BTreeMap::new();
    let mut last = BTreeMap::new();
    for block in &batch.blocks {
        let log = block.log().to_bytes().to_vec();
        let head = &block.checkpoint().checkpoint;
        let from = head.size - block.entries().len() as u64;
        let (size, unkept) = ends.get(&log).copied().unwrap_or((0, BLOCK_BYTES));
        if size != from {
            return Err(StoreError::Conflict(format!(
                "{} holds {size} entries, the block begins at {from}",
                block.log()
            )));
        }
        for (subtree, hash) in block.kept() {
            tree_logs.push(log.clone());
            levels.push(i64::from(subtree.level));
            places.push(subtree.index as i64);
            hashes.push(hash.0.to_vec());
        }
        // Earlier checkpoints of a run of about 8 KiB are dropped once a later one is durable.
        let bytes: i64 = block.entries().iter().map(|e| e.bytes().len() as i64).sum();
        let (kept, unkept) = if unkept + bytes >= BLOCK_BYTES { (1, 0) } else { (0, unkept + bytes) };
        checkpoints.retain(|(l, _), (_, kept)| *l != log || *kept == 1);
        // An emptier block signs the same size anew: whether that size is kept stays as it was.
        let before = checkpoints.get(&(log.clone(), head.size as i64)).map_or(kept, |(_, k)| *k);
        checkpoints.insert((log.clone(), head.size as i64), (block.checkpoint().to_bytes(), before));
        ends.insert(log.clone(), (head.size, unkept));
        last.insert(log, (block, unkept));
    }
    write_entries(conn, batch.blocks.iter().flat_map(|b| b.entries()), 1, batch.at_ms).await?;
    sqlx::query(
        "INSERT INTO tree SELECT * FROM UNNEST($1::bytea[], $2::int8[], $3::int8[], $4::bytea[]) \
         ON CONFLICT (log, level, idx) DO UPDATE SET hash = excluded.hash",
    )
    .bind(tree_logs)
    .bind(levels)
    .bind(places)
    .bind(hashes)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM checkpoints WHERE log = ANY($1) AND kept = 0").bind(&logs).execute(&mut *conn).await?;
    let (mut of, mut sizes, mut signed, mut kept) = (vec![], vec![], vec![], vec![]);
    for ((log, size), (bytes, keep)) in checkpoints {
        of.push(log);
        sizes.push(size);
        signed.push(bytes);
        kept.push(keep);
    }
    sqlx::query(
        "INSERT INTO checkpoints SELECT * FROM UNNEST($1::bytea[], $2::int8[], $3::bytea[], $4::int8[]) \
         ON CONFLICT (log, size) DO UPDATE SET signed = excluded.signed",
    )
    .bind(of)
    .bind(sizes)
    .bind(signed)
    .bind(kept)
    .execute(&mut *conn)
    .await?;
    let rows = || last.values();
    sqlx::query(
        "INSERT INTO logs SELECT u.*, $6::int8 \
         FROM UNNEST($1::bytea[], $2::int8[], $3::bytea[], $4::bytea[], $5::int8[]) AS u \
         ON CONFLICT (log) DO UPDATE SET size = excluded.size, peaks = excluded.peaks, checkpoint = excluded.checkpoint, \
         unkept_bytes = excluded.unkept_bytes, grew_ms = excluded.grew_ms",
    )
    .bind(last.keys().cloned().collect::<Vec<_>>())
    .bind(rows().map(|(b, _)| b.checkpoint().checkpoint.size as i64).collect::<Vec<_>>())
    .bind(rows().map(|(b, _)| b.peaks().to_bytes()).collect::<Vec<_>>())
    .bind(rows().map(|(b, _)| b.checkpoint().to_bytes()).collect::<Vec<_>>())
    .bind(rows().map(|(_, unkept)| *unkept).collect::<Vec<_>>())
    .bind(batch.at_ms)
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_cosignatures(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let mut longest: BTreeMap<(Vec<u8>, Vec<u8>), (i64, i64, Vec<u8>, Vec<u8>)> = BTreeMap::new();
    for c in &batch.cosignatures {
        let head = &c.checkpoint.checkpoint;
        let key = (head.log.to_bytes().to_vec(), c.cosignature.witness.0.to_vec());
        let row =
            (head.size as i64, c.cosignature.time_s as i64, c.checkpoint.to_bytes(), c.cosignature.to_bytes().to_vec());
        let kept = longest.entry(key).or_insert_with(|| row.clone());
        if (kept.0, kept.1) < (row.0, row.1) {
            *kept = row;
        }
    }
    if longest.is_empty() {
        return Ok(());
    }
    let (keys, rows): (Vec<_>, Vec<_>) = longest.into_iter().unzip();
    let (logs, witnesses): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    sqlx::query(
        "INSERT INTO cosignatures \
         SELECT * FROM UNNEST($1::bytea[], $2::bytea[], $3::int8[], $4::int8[], $5::bytea[], $6::bytea[]) \
         ON CONFLICT (log, witness) DO UPDATE SET size = excluded.size, time_s = excluded.time_s, \
         checkpoint = excluded.checkpoint, cosignature = excluded.cosignature \
         WHERE (excluded.size, excluded.time_s) > (cosignatures.size, cosignatures.time_s)",
    )
    .bind(logs)
    .bind(witnesses)
    .bind(rows.iter().map(|r| r.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.2.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|r| r.3.clone()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_records(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let records = &batch.records;
    if records.is_empty() {
        return Ok(());
    }
    let count = records.len() as i64;
    let last: i64 = sqlx::query_scalar("UPDATE meta SET value = value + $1 WHERE key = 'changed' RETURNING value")
        .bind(count)
        .fetch_one(&mut *conn)
        .await?;
    let ids: Vec<Vec<u8>> = records.iter().map(|r| r.id.0.to_vec()).collect();
    sqlx::query(
        "INSERT INTO records SELECT * FROM UNNEST($1::bytea[], $2::text[], $3::int8[], $4::text[], $5::text[], \
         $6::bool[], $7::bool[], $8::text[], $9::bytea[], $10::int8[], $11::int8[], $12::int8[], $13::int8[]) \
         ON CONFLICT (id) DO UPDATE SET printed = excluded.printed, lane = excluded.lane, crossing = excluded.crossing, \
         state = excluded.state, open = excluded.open, contested = excluded.contested, json = excluded.json, \
         digest = excluded.digest, entries = excluded.entries, at_ms = excluded.at_ms, born_ms = excluded.born_ms, \
         changed = excluded.changed",
    )
    .bind(&ids)
    .bind(records.iter().map(|r| r.printed.clone()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| i64::from(r.lane)).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.crossing.clone()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.state.clone()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.open).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.contested).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.json.clone()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.digest.0.to_vec()).collect::<Vec<_>>())
    .bind(records.iter().map(|r| i64::from(r.entries)).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.at_ms).collect::<Vec<_>>())
    .bind(records.iter().map(|r| r.born_ms).collect::<Vec<_>>())
    .bind((1..=count).map(|n| last - count + n).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    let mut terms: BTreeSet<(Vec<u8>, &str, &str, i64)> = BTreeSet::new();
    for r in records {
        terms.extend(r.terms.iter().map(|(what, value)| (r.id.0.to_vec(), what.as_str(), value.as_str(), r.born_ms)));
    }
    sqlx::query("DELETE FROM terms WHERE record = ANY($1)").bind(&ids).execute(&mut *conn).await?;
    sqlx::query(
        "INSERT INTO terms SELECT * FROM UNNEST($1::bytea[], $2::text[], $3::text[], $4::int8[]) ON CONFLICT DO NOTHING",
    )
    .bind(terms.iter().map(|t| t.0.clone()).collect::<Vec<_>>())
    .bind(terms.iter().map(|t| t.1.to_string()).collect::<Vec<_>>())
    .bind(terms.iter().map(|t| t.2.to_string()).collect::<Vec<_>>())
    .bind(terms.iter().map(|t| t.3).collect::<Vec<_>>())
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM waiting WHERE record = ANY($1)").bind(&ids).execute(conn).await?;
    Ok(())
}

async fn write_waiting(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    let mut rows: BTreeMap<Reference, (RecordId, Option<Reference>)> = BTreeMap::new();
    for r in &batch.records {
        rows.extend(r.waiting.iter().map(|(entry, missing)| (*entry, (r.id, *missing))));
    }
    rows.extend(batch.waiting.iter().map(|w| (w.entry, (w.record, w.missing))));
    if rows.is_empty() {
        return Ok(());
    }
    let (logs, seqs, leaves) = split(rows.keys());
    sqlx::query(
        "INSERT INTO waiting SELECT * FROM UNNEST($1::bytea[], $2::int8[], $3::bytea[], $4::bytea[], $5::bytea[]) \
         ON CONFLICT (log, seq, leaf) DO UPDATE SET record = excluded.record, missing = excluded.missing",
    )
    .bind(logs)
    .bind(seqs)
    .bind(leaves)
    .bind(rows.values().map(|(id, _)| id.0.to_vec()).collect::<Vec<_>>())
    .bind(rows.values().map(|(_, missing)| missing.map(|m| m.to_bytes().to_vec())).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_findings(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    if !batch.findings_gone.is_empty() {
        sqlx::query("DELETE FROM findings WHERE id = ANY($1)").bind(&batch.findings_gone).execute(&mut *conn).await?;
    }
    let rows: BTreeMap<&str, &crate::FindingRow> = batch.findings.iter().map(|f| (f.id.as_str(), f)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let text = |get: fn(&crate::FindingRow) -> &String| rows.values().map(|f| get(f).clone()).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO findings SELECT * FROM UNNEST($1::text[], $2::text[], $3::int8[], $4::text[], $5::text[], \
         $6::text[], $7::text[], $8::bytea[], $9::text[], $10::int8[], $11::int8[], $12::text[]) \
         ON CONFLICT (id) DO UPDATE SET rule = excluded.rule, severity = excluded.severity, phase = excluded.phase, \
         state = excluded.state, crossing = excluded.crossing, assignee = excluded.assignee, anchor = excluded.anchor, \
         evidence = excluded.evidence, at_ms = excluded.at_ms, due_ms = excluded.due_ms, json = excluded.json",
    )
    .bind(text(|f| &f.id))
    .bind(text(|f| &f.rule))
    .bind(rows.values().map(|f| i64::from(f.severity)).collect::<Vec<_>>())
    .bind(text(|f| &f.phase))
    .bind(text(|f| &f.state))
    .bind(text(|f| &f.crossing))
    .bind(text(|f| &f.assignee))
    .bind(rows.values().map(|f| f.anchor.0.to_vec()).collect::<Vec<_>>())
    .bind(text(|f| &f.evidence))
    .bind(rows.values().map(|f| f.at_ms).collect::<Vec<_>>())
    .bind(rows.values().map(|f| f.due_ms).collect::<Vec<_>>())
    .bind(text(|f| &f.json))
    .execute(conn)
    .await?;
    Ok(())
}

/// PostgreSQL's text holds no NUL; what people are shown may have one come from a hostile peer.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// What is written seldom, row by row.
async fn write_rest(conn: &mut PgConnection, batch: &Batch) -> Result<(), StoreError> {
    for r in &batch.refusals {
        sqlx::query(
            "INSERT INTO refusals (subject, code, why, peer, at_ms) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (subject, code) DO UPDATE SET why = $3, peer = $4, at_ms = $5, times = refusals.times + 1",
        )
        .bind(clean(&r.subject))
        .bind(&r.code)
        .bind(clean(&r.why))
        .bind(clean(&r.peer))
        .bind(r.at_ms)
        .execute(&mut *conn)
        .await?;
    }
    for p in &batch.peers {
        sqlx::query("INSERT INTO peers VALUES ($1, $2) ON CONFLICT (node) DO UPDATE SET json = $2")
            .bind(&p.node.0[..])
            .bind(&p.json)
            .execute(&mut *conn)
            .await?;
    }
    for c in &batch.carry {
        sqlx::query(
            "INSERT INTO carried VALUES ($1, $2, $3, $4) ON CONFLICT (log, start) DO UPDATE SET size = $3, bytes = $4",
        )
        .bind(&c.log.to_bytes()[..])
        .bind(c.from as i64)
        .bind(c.to as i64)
        .bind(&c.bytes)
        .execute(&mut *conn)
        .await?;
    }
    let done: BTreeMap<LogId, u64> = batch.carried_done.iter().copied().collect();
    if !done.is_empty() {
        sqlx::query(
            "DELETE FROM carried c USING UNNEST($1::bytea[], $2::int8[]) AS d(log, size) \
             WHERE c.log = d.log AND c.size <= d.size",
        )
        .bind(done.keys().map(|l| l.to_bytes().to_vec()).collect::<Vec<_>>())
        .bind(done.values().map(|s| *s as i64).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    let local: BTreeMap<(&str, &str), &str> =
        batch.local.iter().map(|l| ((l.scope.as_str(), l.key.as_str()), l.value.as_str())).collect();
    if !local.is_empty() {
        sqlx::query(
            "INSERT INTO local SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[]) \
             ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value",
        )
        .bind(local.keys().map(|k| clean(k.0)).collect::<Vec<_>>())
        .bind(local.keys().map(|k| clean(k.1)).collect::<Vec<_>>())
        .bind(local.values().map(|v| clean(v)).collect::<Vec<_>>())
        .execute(&mut *conn)
        .await?;
    }
    for (scope, key) in &batch.local_gone {
        sqlx::query("DELETE FROM local WHERE scope = $1 AND key = $2")
            .bind(scope)
            .bind(key)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
