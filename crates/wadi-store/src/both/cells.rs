//! Cells and rows as they are read, and lists as they are asked for.

use super::{DbRow, at_rest::secret_or_rot};
use crate::{
    RecordRow, StoreError, StoredEntry,
    at_rest::CellCipher,
    defence,
    lists::{BoundValue, Listing},
    tables::RECORDS,
};
use sqlx::{AssertSqlSafe, Decode, Row, Type};
use wadi_log::{Hash, LogId, RecordId, Reference, VerifiedEntry, leaf_hash};

type Db = <DbRow as Row>::Database;

/// A cell, of the type that its column has. A cell that rotted into something else is an error, and
/// ends nothing.
pub(super) fn cell<'r, T>(row: &'r DbRow, column: &str) -> Result<T, StoreError>
where
    T: Decode<'r, <DbRow as Row>::Database> + Type<<DbRow as Row>::Database>,
{
    Ok(row.try_get(column)?)
}

pub(super) fn log_of(row: &DbRow, column: &str) -> Result<LogId, StoreError> {
    LogId::from_slice(cell(row, column)?).map_err(damaged)
}

pub(super) fn damaged(error: wadi_log::LogError) -> StoreError {
    StoreError::Damaged {
        entry: error.to_string(),
    }
}

/// log, seq, leaf, bytes, received_ms, main.
pub(super) fn stored_entry(row: &DbRow, cipher: &CellCipher) -> Result<StoredEntry, StoreError> {
    let leaf = Hash::from_slice(cell(row, "leaf")?).map_err(damaged)?;
    let bytes = cipher.entry(cell(row, "bytes")?);
    let leaf = if defence::off("hash-on-read") {
        leaf_hash(&bytes)
    } else {
        leaf
    };

    let reference = Reference {
        log: log_of(row, "log")?,
        seq: cell::<i64>(row, "seq")? as u64,
        leaf,
    };

    let entry = VerifiedEntry::recheck(reference, bytes).map_err(|_| StoreError::Damaged {
        entry: reference.to_string(),
    })?;

    Ok(StoredEntry {
        entry,
        received_ms: cell(row, "received_ms")?,
        main: cell::<i64>(row, "main")? == 1,
    })
}

/// One rotten entry does not hold up the rest of its record; it is told, and found by every audit
/// until repaired.
pub(super) fn readable(row: &DbRow, cipher: &CellCipher) -> Option<StoredEntry> {
    stored_entry(row, cipher)
        .inspect_err(
            |error| tracing::error!(code = error.code(), %error, "a stored entry is damaged"),
        )
        .ok()
}

/// One rotten row of what can be made again does not hold up the others.
pub(super) fn read_or_skip<T>(row: Result<T, StoreError>) -> Option<T> {
    row.inspect_err(
        |error| tracing::error!(code = error.code(), %error, "a stored row does not read"),
    )
    .ok()
}

/// What a statement takes as `EACH`.
pub(super) fn json_list(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("lists of text and numbers serialise")
}

pub(super) fn id_list(ids: &[RecordId]) -> String {
    json_list(&ids.iter().map(|id| [id.to_string()]).collect::<Vec<_>>())
}

pub(super) fn record_row(row: &DbRow, cipher: &CellCipher) -> Result<RecordRow, StoreError> {
    Ok(RecordRow {
        id: RecordId::from_slice(cell(row, "id")?).map_err(damaged)?,
        printed: cell(row, "printed")?,
        lane: cell::<i64>(row, "lane")? as u8,
        crossing: cell(row, "crossing")?,
        state: cell(row, "state")?,
        open: cell(row, "open")?,
        contested: cell(row, "contested")?,
        json: secret_or_rot(row, cipher, &RECORDS, "json", "")?,
        digest: Hash::from_slice(cell(row, "digest")?).map_err(damaged)?,
        entries: cell::<i64>(row, "entries")? as u32,
        at_ms: cell(row, "at_ms")?,
        changed: cell(row, "changed")?,
        born_ms: cell(row, "born_ms")?,
        terms: Vec::new(),
        waiting: Vec::new(),
    })
}

pub(super) fn record_id(row: &DbRow, column: &str) -> Result<RecordId, StoreError> {
    RecordId::from_slice(cell(row, column)?).map_err(damaged)
}

/// A listing's statement with its values.
pub(super) fn bound<'q>(
    listing: Listing,
) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
    let mut statement = sqlx::query(AssertSqlSafe(listing.sql));
    for value in listing.values {
        statement = match value {
            BoundValue::Int(number) => statement.bind(number),
            BoundValue::Text(text) => statement.bind(text),
            BoundValue::Bytes(bytes) => statement.bind(bytes),
        };
    }

    statement
}
