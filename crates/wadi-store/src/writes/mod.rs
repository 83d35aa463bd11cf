//! Every write of the store, once for both engines: what they do not share, a
//! [`WriteConnection`] says. One statement a table wherever there can be many rows.

mod connection;
mod derived;
mod local;
mod logs;
mod repairs;

pub(crate) use connection::{Answer, Arg, Cell, Known, WriteConnection};

use crate::{Batch, StoreError, tables::Rows};
use std::collections::BTreeMap;
use wadi_log::{Reference, hex};

/// Writes a batch, inside a transaction.
pub(crate) async fn write_batch(
    conn: &mut dyn WriteConnection,
    batch: &Batch,
) -> Result<(), StoreError> {
    repairs::take_out(conn, batch).await?;
    repairs::switch_branches(conn, batch).await?;
    logs::write_blocks(conn, &batch.append.blocks, batch.at_ms).await?;
    logs::write_entries(conn, batch.append.loose.iter(), 2, batch.at_ms).await?;
    repairs::clear_index(conn, batch).await?;
    repairs::write_mended(conn, batch).await?;
    derived::write_index(conn, batch).await?;
    logs::write_cosignatures(conn, batch).await?;
    logs::write_enrolments_and_forks(conn, batch).await?;
    derived::write_records(conn, batch).await?;
    derived::write_waiting(conn, batch).await?;
    derived::write_findings(conn, batch).await?;

    local::write_local(conn, batch).await
}

/// Ends a transaction's statements with its counters: it is the commit of that number.
pub(crate) async fn write_counters(
    conn: &mut dyn WriteConnection,
    commits: u64,
) -> Result<(), StoreError> {
    let commits = Arg::Int(commits as i64);
    match conn.known().changed {
        Some(changed) => {
            let sql = "UPDATE meta SET value = CASE key WHEN 'commits' THEN CAST($1 AS BIGINT) \
                       ELSE CAST($2 AS BIGINT) END WHERE key IN ('commits', 'changed')";
            conn.execute(sql, &[commits, Arg::Int(changed)]).await?;
        }
        None => {
            let sql = "UPDATE meta SET value = $1 WHERE key = 'commits'";
            conn.execute(sql, &[commits]).await?;
        }
    }

    Ok(())
}

/// One statement may touch a row once: of each key, the last that a batch has.
fn last_of_each<'a, T, K: Ord>(all: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let last: BTreeMap<K, &T> = all.iter().map(|one| (key(one), one)).collect();
    last.into_values().collect()
}

fn reference(rows: &mut Rows, r: &Reference) {
    rows.bytes(r.log.to_bytes())
        .int(r.seq as i64)
        .bytes(r.leaf.0);
}

/// What a statement takes as [`WriteConnection::each`].
fn json_list(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("lists of text and numbers serialise")
}

/// The same: a list of one hexadecimal text each.
fn hexes(all: impl Iterator<Item = impl AsRef<[u8]>>) -> String {
    json_list(&all.map(|bytes| [hex(bytes.as_ref())]).collect::<Vec<_>>())
}
