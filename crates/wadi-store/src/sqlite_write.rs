//! What one batch writes, statement by statement, inside the writer's transaction.

use crate::{Batch, StoreError, rows::RecordRow};
use sqlx::{Row, SqliteConnection};
use wadi_log::{RecordId, Reference, VerifiedBlock, VerifiedEntry};

/// Checkpoints are kept at about this spacing: blocks end at them.
const BLOCK_BYTES: i64 = 8 * 1024;

pub(crate) async fn write_batch(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    for block in &batch.blocks {
        write_block(conn, block, batch.at_ms).await?;
    }
    for entry in &batch.loose {
        write_entry(conn, entry, 2, batch.at_ms).await?;
    }
    for (record, r) in &batch.about {
        sqlx::query("INSERT OR IGNORE INTO record_entries VALUES (?1, ?2, ?3, ?4)")
            .bind(&record.0[..])
            .bind(&r.log.to_bytes()[..])
            .bind(r.seq as i64)
            .bind(&r.leaf.0[..])
            .execute(&mut *conn)
            .await?;
    }
    for r in &batch.seen {
        sqlx::query("INSERT OR IGNORE INTO seen VALUES (?1, ?2, ?3)")
            .bind(&r.log.to_bytes()[..])
            .bind(r.seq as i64)
            .bind(&r.leaf.0[..])
            .execute(&mut *conn)
            .await?;
    }
    for c in &batch.cosignatures {
        let head = &c.checkpoint.checkpoint;
        sqlx::query(
            "INSERT INTO cosignatures VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET size = ?3, time_s = ?4, \
             checkpoint = ?5, cosignature = ?6 WHERE excluded.size > size OR (excluded.size = size AND excluded.time_s > time_s)",
        )
        .bind(&head.log.to_bytes()[..])
        .bind(&c.cosignature.witness.0[..])
        .bind(head.size as i64)
        .bind(c.cosignature.time_s as i64)
        .bind(c.checkpoint.to_bytes())
        .bind(c.cosignature.to_bytes())
        .execute(&mut *conn)
        .await?;
    }
    for e in &batch.enrolments {
        sqlx::query("INSERT INTO nodes VALUES (?1, ?2) ON CONFLICT DO UPDATE SET enrolment = ?2")
            .bind(&e.node().0[..])
            .bind(e.to_bytes())
            .execute(&mut *conn)
            .await?;
    }
    for f in &batch.forks {
        sqlx::query("INSERT INTO forks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET proof = ?2")
            .bind(&f.log().to_bytes()[..])
            .bind(f.to_bytes())
            .execute(&mut *conn)
            .await?;
    }
    write_derived(conn, batch).await
}

/// Appends a block to its log, which must end where the block begins.
async fn write_block(conn: &mut SqliteConnection, block: &VerifiedBlock, at_ms: i64) -> Result<(), StoreError> {
    let log = block.log().to_bytes();
    let head = &block.checkpoint().checkpoint;
    let from = head.size - block.entries().len() as u64;
    let held = sqlx::query("SELECT size, unkept_bytes FROM logs WHERE log = ?1")
        .bind(&log[..])
        .fetch_optional(&mut *conn)
        .await?;
    let (size, unkept) = held.map_or((0, BLOCK_BYTES), |r| (r.get::<i64, _>(0) as u64, r.get::<i64, _>(1)));
    if size != from {
        return Err(StoreError::Conflict(format!("{} holds {size} entries, the block begins at {from}", block.log())));
    }
    for entry in block.entries() {
        write_entry(conn, entry, 1, at_ms).await?;
    }
    for (subtree, hash) in block.kept() {
        sqlx::query("INSERT OR REPLACE INTO tree VALUES (?1, ?2, ?3, ?4)")
            .bind(&log[..])
            .bind(i64::from(subtree.level))
            .bind(subtree.index as i64)
            .bind(&hash.0[..])
            .execute(&mut *conn)
            .await?;
    }
    // Earlier checkpoints of a run of about 8 KiB are dropped once a later one is durable.
    let bytes: i64 = block.entries().iter().map(|e| e.bytes().len() as i64).sum();
    let (kept, unkept) = if unkept + bytes >= BLOCK_BYTES { (1, 0) } else { (0, unkept + bytes) };
    sqlx::query("DELETE FROM checkpoints WHERE log = ?1 AND kept = 0").bind(&log[..]).execute(&mut *conn).await?;
    sqlx::query("INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET signed = ?3")
        .bind(&log[..])
        .bind(head.size as i64)
        .bind(block.checkpoint().to_bytes())
        .bind(kept)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO logs VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET size = ?2, peaks = ?3, checkpoint = ?4, \
         unkept_bytes = ?5, grew_ms = ?6",
    )
    .bind(&log[..])
    .bind(head.size as i64)
    .bind(block.peaks().to_bytes())
    .bind(block.checkpoint().to_bytes())
    .bind(unkept)
    .bind(at_ms)
    .execute(&mut *conn)
    .await?;
    Ok(())
}

async fn write_entry(
    conn: &mut SqliteConnection,
    entry: &VerifiedEntry,
    main: i64,
    at_ms: i64,
) -> Result<(), StoreError> {
    let r = entry.reference();
    // An entry that came as an excerpt before its log did becomes part of the log.
    sqlx::query(
        "INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET main = 1 WHERE excluded.main = 1",
    )
    .bind(&r.log.to_bytes()[..])
    .bind(r.seq as i64)
    .bind(&r.leaf.0[..])
    .bind(entry.bytes())
    .bind(main)
    .bind(at_ms)
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_derived(conn: &mut SqliteConnection, batch: &Batch) -> Result<(), StoreError> {
    if !batch.records.is_empty() {
        sqlx::query("UPDATE meta SET value = value + ?1 WHERE key = 'changed'")
            .bind(batch.records.len() as i64)
            .execute(&mut *conn)
            .await?;
    }
    let mut cursor = if batch.records.is_empty() {
        0
    } else {
        crate::sqlite::meta(conn, "changed").await? - batch.records.len() as i64
    };
    for r in &batch.records {
        cursor += 1;
        write_record(conn, r, cursor).await?;
    }
    for w in &batch.waiting {
        write_waiting(conn, &w.record, &w.entry, w.missing).await?;
    }
    for r in &batch.refusals {
        sqlx::query(
            "INSERT INTO refusals (subject, code, why, peer, at_ms) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO UPDATE SET why = ?3, peer = ?4, at_ms = ?5, times = times + 1",
        )
        .bind(&r.subject)
        .bind(&r.code)
        .bind(&r.why)
        .bind(&r.peer)
        .bind(r.at_ms)
        .execute(&mut *conn)
        .await?;
    }
    for f in &batch.findings {
        sqlx::query("INSERT OR REPLACE INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)")
            .bind(&f.id)
            .bind(&f.rule)
            .bind(i64::from(f.severity))
            .bind(&f.phase)
            .bind(&f.state)
            .bind(&f.crossing)
            .bind(&f.assignee)
            .bind(&f.anchor.0[..])
            .bind(&f.evidence)
            .bind(f.at_ms)
            .bind(f.due_ms)
            .bind(&f.json)
            .execute(&mut *conn)
            .await?;
    }
    for id in &batch.findings_gone {
        sqlx::query("DELETE FROM findings WHERE id = ?1").bind(id).execute(&mut *conn).await?;
    }
    for p in &batch.peers {
        sqlx::query("INSERT OR REPLACE INTO peers VALUES (?1, ?2)")
            .bind(&p.node.0[..])
            .bind(&p.json)
            .execute(&mut *conn)
            .await?;
    }
    for c in &batch.carry {
        sqlx::query("INSERT OR REPLACE INTO carried VALUES (?1, ?2, ?3, ?4)")
            .bind(&c.log.to_bytes()[..])
            .bind(c.from as i64)
            .bind(c.to as i64)
            .bind(&c.bytes)
            .execute(&mut *conn)
            .await?;
    }
    for (log, size) in &batch.carried_done {
        sqlx::query("DELETE FROM carried WHERE log = ?1 AND size <= ?2")
            .bind(&log.to_bytes()[..])
            .bind(*size as i64)
            .execute(&mut *conn)
            .await?;
    }
    for l in &batch.local {
        sqlx::query("INSERT OR REPLACE INTO local VALUES (?1, ?2, ?3)")
            .bind(&l.scope)
            .bind(&l.key)
            .bind(&l.value)
            .execute(&mut *conn)
            .await?;
    }
    for (scope, key) in &batch.local_gone {
        sqlx::query("DELETE FROM local WHERE scope = ?1 AND key = ?2")
            .bind(scope)
            .bind(key)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn write_record(conn: &mut SqliteConnection, r: &RecordRow, cursor: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")
        .bind(&r.id.0[..])
        .bind(&r.printed)
        .bind(i64::from(r.lane))
        .bind(&r.crossing)
        .bind(&r.state)
        .bind(r.open)
        .bind(r.contested)
        .bind(&r.json)
        .bind(&r.digest.0[..])
        .bind(i64::from(r.entries))
        .bind(r.at_ms)
        .bind(cursor)
        .bind(r.born_ms)
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM terms WHERE record = ?1").bind(&r.id.0[..]).execute(&mut *conn).await?;
    for (what, value) in &r.terms {
        sqlx::query("INSERT OR IGNORE INTO terms VALUES (?1, ?2, ?3, ?4)")
            .bind(&r.id.0[..])
            .bind(what)
            .bind(value)
            .bind(r.born_ms)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("DELETE FROM waiting WHERE record = ?1").bind(&r.id.0[..]).execute(&mut *conn).await?;
    for (entry, missing) in &r.waiting {
        write_waiting(conn, &r.id, entry, *missing).await?;
    }
    Ok(())
}

async fn write_waiting(
    conn: &mut SqliteConnection,
    record: &RecordId,
    entry: &Reference,
    missing: Option<Reference>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT OR REPLACE INTO waiting VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(&entry.log.to_bytes()[..])
        .bind(entry.seq as i64)
        .bind(&entry.leaf.0[..])
        .bind(&record.0[..])
        .bind(missing.map(|m| m.to_bytes().to_vec()))
        .execute(conn)
        .await?;
    Ok(())
}
