//! What has a meaning on this node alone.

use super::{Arg, WriteConnection, json_list, last_of_each};
use crate::{
    Batch, StoreError,
    tables::{self, Rows},
};
use std::collections::BTreeMap;
use wadi_log::{LogId, hex};

pub(super) async fn write_local(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    write_refusals(conn, batch).await?;
    let mut rows = Rows::of(&tables::PEERS);
    for p in last_of_each(&batch.local.peers, |p| p.node) {
        rows.bytes(p.node.0).text(&p.json);
    }

    let conflict = "ON CONFLICT (node) DO UPDATE SET json = excluded.json";
    conn.insert(rows, conflict).await?;
    write_carried(conn, batch).await?;

    if batch.repair.healed {
        let sql = "DELETE FROM meta WHERE key IN ('lost_tail', 'lost_held')";
        conn.execute(sql, &[]).await?;
    }

    let mut rows = Rows::of(&tables::RESYNCS);
    for (id, json) in last_of_each(&batch.local.resyncs, |(id, _)| id) {
        rows.text(id).text(json);
    }

    let conflict = "ON CONFLICT (id) DO UPDATE SET json = excluded.json";
    conn.insert(rows, conflict).await?;

    let mut rows = Rows::of(&tables::LOCAL);
    for l in last_of_each(&batch.local.keys, |l| (&l.scope, &l.key)) {
        rows.text(l.scope.as_str()).text(&l.key).text(&l.value);
    }

    let conflict = "ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value";
    conn.insert(rows, conflict).await?;

    for (scope, key) in &batch.local.keys_gone {
        let sql = "DELETE FROM local WHERE scope = $1 AND key = $2";
        conn.execute(sql, &[Arg::Text(&scope.as_str()), Arg::Text(key)])
            .await?;
    }

    Ok(())
}

async fn write_refusals(conn: &mut dyn WriteConnection, batch: &Batch) -> Result<(), StoreError> {
    // One after the other: each repetition counts.
    for r in &batch.local.refusals {
        let mut rows = Rows::of(&tables::REFUSALS);
        rows.text(&r.subject)
            .text(&r.code)
            .text(&r.why)
            .text(&r.peer)
            .int(r.at_ms)
            .int(r.times.try_into().unwrap_or(i64::MAX));

        let conflict = "ON CONFLICT (subject, code) DO UPDATE SET why = excluded.why, \
                        peer = excluded.peer, at_ms = excluded.at_ms, \
                        times = refusals.times + excluded.times";
        conn.insert(rows, conflict).await?;
    }

    Ok(())
}

async fn write_carried(conn: &mut dyn WriteConnection, batch: &Batch) -> Result<(), StoreError> {
    let mut rows = Rows::of(&tables::CARRIED);
    for c in last_of_each(&batch.local.carry, |c| (c.log, c.from)) {
        rows.bytes(c.log.to_bytes())
            .int(c.from as i64)
            .int(c.to as i64)
            .bytes(&c.bytes[..]);
    }

    let conflict =
        "ON CONFLICT (log, start) DO UPDATE SET size = excluded.size, bytes = excluded.bytes";
    conn.insert(rows, conflict).await?;

    let done: BTreeMap<LogId, u64> = batch.local.carried_done.iter().copied().collect();
    if done.is_empty() {
        return Ok(());
    }

    let done: Vec<(String, u64)> = done
        .iter()
        .map(|(log, size)| (hex(&log.to_bytes()), *size))
        .collect();
    let sql = format!(
        "DELETE FROM carried WHERE EXISTS (SELECT 1 FROM {} \
         WHERE unhex(j.value ->> 0) = carried.log \
         AND CAST(j.value ->> 1 AS BIGINT) >= carried.size)",
        conn.each(),
    );
    conn.execute(&sql, &[Arg::Text(&json_list(&done))]).await?;

    Ok(())
}
