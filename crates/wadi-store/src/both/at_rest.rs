//! How the cells of a database lie there, and cells that may lie encrypted.

use super::{DbConn, DbRow, cells::cell};
use crate::{
    StoreError, StoreKey,
    at_rest::{
        CellCipher, ENTRY_BYTES, FoundCells, META_KEY, SecretCell, cipher_of, cipher_to_write,
        undecipherable,
    },
    tables::{LOCAL, Rows, TABLES, Table},
};
use sqlx::AssertSqlSafe;
use wadi_log::leaf_hash;

/// Cells that are tried: some may be rotten.
const TRIED: i64 = 16;

/// What a database says of the key by which it is encrypted; nothing where it is not. What rotted
/// there is a saying, and none that any key fits.
pub(crate) async fn said_key(conn: &mut DbConn) -> Result<Option<i64>, StoreError> {
    let row = sqlx::query("SELECT value FROM meta WHERE key = $1")
        .bind(META_KEY)
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|row| cell::<i64>(&row, "value").unwrap_or_default()))
}

/// Whether a table has any row.
async fn has_rows(conn: &mut DbConn, table: &Table) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 AS one FROM {} LIMIT 1", table.name);
    let found = sqlx::query(AssertSqlSafe(sql)).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Looks at a few cells, whether this key decrypts them.
pub(crate) async fn found_cells(
    conn: &mut DbConn,
    key: Option<&StoreKey>,
) -> Result<FoundCells, StoreError> {
    let cipher = CellCipher::of(key);
    if key.is_some() {
        let entries = sqlx::query("SELECT leaf, bytes FROM entries LIMIT $1")
            .bind(TRIED)
            .fetch_all(&mut *conn)
            .await?;
        let decrypts = |row: &DbRow| {
            let bytes = cell::<Vec<u8>>(row, "bytes").ok();
            bytes
                .and_then(|b| cipher.open_bytes(ENTRY_BYTES, b))
                .is_some()
        };

        let keys = sqlx::query("SELECT scope, value FROM local WHERE scope <> 'anchor' LIMIT $1")
            .bind(TRIED)
            .fetch_all(&mut *conn)
            .await?;
        let key_decrypts = |row: &DbRow| {
            let kind = cell::<String>(row, "scope").unwrap_or_default();
            secret(row, &cipher, local_value(&kind)).is_ok()
        };
        if entries.iter().any(decrypts) || keys.iter().any(key_decrypts) {
            return Ok(FoundCells::Encrypted);
        }

        let is_clear = |row: &DbRow| {
            let (leaf, bytes) = (cell::<Vec<u8>>(row, "leaf"), cell::<Vec<u8>>(row, "bytes"));
            matches!((leaf, bytes), (Ok(leaf), Ok(bytes)) if leaf_hash(&bytes).0[..] == leaf[..])
        };
        if !entries.is_empty() && !entries.iter().any(is_clear) {
            return Ok(FoundCells::Unknown);
        }
    }

    for table in TABLES.iter().filter(|table| table.has_secrets()) {
        if has_rows(conn, table).await? {
            return Ok(FoundCells::Clear);
        }
    }

    Ok(FoundCells::None)
}

/// How a database that is only read has its cells.
pub(crate) async fn cipher_to_read(
    conn: &mut DbConn,
    key: Option<&StoreKey>,
) -> Result<CellCipher, StoreError> {
    let said = said_key(conn).await?;
    let fits = said.is_none() || said == key.map(StoreKey::check);
    let found = match key {
        Some(_) if !fits || said.is_none() => found_cells(conn, key).await?,
        _ => FoundCells::Clear,
    };
    cipher_of(said, key, found)
}

/// How a database has its cells that is written from now on. What it says of its key is set right
/// where that rotted, and is written down where it begins.
pub(crate) async fn open_cipher(
    conn: &mut DbConn,
    key: Option<&StoreKey>,
) -> Result<CellCipher, StoreError> {
    let said = said_key(conn).await?;
    let Some(given) = key else {
        return cipher_of(said, None, FoundCells::Clear);
    };
    if said == Some(given.check()) {
        return Ok(CellCipher::of(key));
    }

    let found = found_cells(conn, key).await?;
    let cipher = cipher_to_write(said, key, found)?;
    if found == FoundCells::Encrypted {
        tracing::error!("what the database says of its key was damaged; it is set right");
    }
    say_key(conn, Some(given)).await?;
    Ok(cipher)
}

/// Writes down by which key a database is encrypted, or that it is not.
pub(crate) async fn say_key(conn: &mut DbConn, key: Option<&StoreKey>) -> Result<(), StoreError> {
    match key {
        None => {
            sqlx::query("DELETE FROM meta WHERE key = $1")
                .bind(META_KEY)
                .execute(conn)
                .await?;
        }
        Some(key) => {
            let sql = "INSERT INTO meta (key, value) VALUES ($1, $2) \
                       ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            sqlx::query(sql)
                .bind(META_KEY)
                .bind(key.check())
                .execute(conn)
                .await?;
        }
    }

    Ok(())
}

/// The value of a key of this node, of a scope.
pub(crate) fn local_value(scope: &str) -> SecretCell<'_> {
    SecretCell::new(&LOCAL, "value", scope)
}

/// A text that may lie encrypted. One that rotted is an error, and ends nothing.
pub(crate) fn secret(
    row: &DbRow,
    cipher: &CellCipher,
    at: SecretCell<'_>,
) -> Result<String, StoreError> {
    let stored: String = cell(row, at.column)?;
    cipher
        .open_text(at, stored)
        .ok_or_else(|| undecipherable(at))
}

/// The same of a row that is still worth something without it: it reads as nothing.
pub(super) fn secret_or_rot(
    row: &DbRow,
    cipher: &CellCipher,
    table: &'static Table,
    column: &'static str,
    kind: &str,
) -> Result<String, StoreError> {
    let at = SecretCell::new(table, column, kind);
    Ok(cipher.text_or_rot(at, cell(row, column)?))
}

/// Takes a row over as it lies there, in the order of its table's columns.
pub(crate) fn copy_row(rows: &mut Rows, row: &DbRow) -> Result<(), sqlx::Error> {
    use crate::tables::Of;
    use sqlx::Row;

    for (at, column) in rows.table.columns.iter().enumerate() {
        match column.of {
            Of::Bytes => rows.bytes_or_none(row.try_get(at)?),
            Of::Int => rows.int(row.try_get(at)?),
            Of::Text => rows.text(row.try_get::<String, _>(at)?),
            Of::Flag => rows.flag(row.try_get(at)?),
        };
    }

    Ok(())
}
