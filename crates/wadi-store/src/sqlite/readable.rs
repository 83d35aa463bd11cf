//! What a node reads before it does anything else has to read. A database in which it does not is
//! one that does not open.

use crate::StoreError;
use sqlx::{Decode, Row, Sqlite, SqliteConnection, Type, sqlite::SqliteRow};
use wadi_log::{Cosignature, Enrolment, ForkProof, LogId, Peaks, SignedCheckpoint};

fn rotten(error: impl std::fmt::Display) -> StoreError {
    StoreError::Malformed(error.to_string())
}

fn cell<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: usize,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(rotten)
}

fn bytes(row: &SqliteRow, column: usize) -> Result<Vec<u8>, StoreError> {
    cell(row, column)
}

/// Reads `meta`, `logs`, and the small tables that a start rests on, to their last rows.
pub(crate) async fn check_readable(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    for row in &sqlx::query("SELECT key, length(value) FROM meta")
        .fetch_all(&mut *conn)
        .await?
    {
        cell::<String>(row, 0)?;
    }

    for row in &sqlx::query("SELECT log, size, peaks, checkpoint, grew_ms FROM logs")
        .fetch_all(&mut *conn)
        .await?
    {
        let log = LogId::from_slice(&bytes(row, 0)?).map_err(rotten)?;
        let peaks =
            Peaks::from_parts(cell::<i64>(row, 1)? as u64, &bytes(row, 2)?).map_err(rotten)?;
        let head = SignedCheckpoint::from_bytes(&bytes(row, 3)?)
            .map_err(rotten)?
            .checkpoint;

        // Whatever else is read of the log, and whatever is appended to it, rests on this.
        if (head.log, head.size, head.root) != (log, peaks.size(), peaks.root()) {
            return Err(rotten(format!(
                "the head of {log} is not the one that was signed"
            )));
        }

        cell::<i64>(row, 4)?;
    }

    for row in &sqlx::query("SELECT enrolment FROM nodes")
        .fetch_all(&mut *conn)
        .await?
    {
        Enrolment::from_bytes(&bytes(row, 0)?).map_err(rotten)?;
    }

    for row in &sqlx::query("SELECT checkpoint, cosignature FROM cosignatures")
        .fetch_all(&mut *conn)
        .await?
    {
        SignedCheckpoint::from_bytes(&bytes(row, 0)?).map_err(rotten)?;
        Cosignature::from_slice(&bytes(row, 1)?).map_err(rotten)?;
    }

    for row in &sqlx::query("SELECT proof FROM forks")
        .fetch_all(&mut *conn)
        .await?
    {
        ForkProof::from_bytes(&bytes(row, 0)?).map_err(rotten)?;
    }

    Ok(())
}
