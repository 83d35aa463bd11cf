//! Encrypts a database on PostgreSQL, or takes that back: in one transaction, and then every table
//! is written anew, so that nothing of what stood there before lies in its files.

use super::{
    DbRow,
    both::at_rest,
    connect::{CONNECT, check_server, migrate, open_error, options, session, take_lock_soon},
    writer::insert,
};
use crate::{
    Recoded, StoreError, StoreKey,
    sqlite::Recoding,
    tables::{self, Rows, TABLES, Table},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Rows written at once.
const ROWS: usize = 500;

/// Encrypts a database to which no daemon writes, or brings it back into clear. Nothing where it is
/// so already; its tables are written anew all the same, for an attempt may have been cut off
/// before that. After an error it is what it was before. `progress` hears of rows.
///
/// # Errors
///
/// [`StoreError::WrongKey`] where it is encrypted by another key; [`StoreError::Conflict`] where a
/// daemon writes to it.
pub async fn recode_postgres(
    url: &str,
    key: &StoreKey,
    encrypt: bool,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Option<Recoded>, StoreError> {
    // It takes as long as it takes: the statements are bounded by their rows.
    let mut conn = session(&options(url, "0")?, CONNECT)
        .await
        .map_err(open_error(url))?;
    check_server(&mut conn).await?;
    if !take_lock_soon(&mut conn).await? {
        let why = "a daemon writes to that database: stop it, and the one that stands by";
        return Err(StoreError::Conflict(why.into()));
    }

    migrate(&mut conn).await?;
    let said = at_rest::said_key(&mut conn).await?;
    let found = at_rest::found_cells(&mut conn, Some(key)).await?;
    let mut done = None;
    if let Some(recoding) = Recoding::of(key, encrypt, said, found)? {
        let mut tx = conn.begin().await?;
        let mut sums = Recoded::default();
        for table in TABLES.iter().filter(|table| table.has_secrets()) {
            let rows = recode(&mut tx, table, &recoding, &mut progress).await?;
            sums.rows += rows;
            if table.name == tables::ENTRIES.name {
                sums.entries = rows;
            }
        }

        at_rest::say_key(&mut tx, encrypt.then_some(key)).await?;
        tx.commit().await?;
        done = Some(sums);
    }

    for table in TABLES.iter().filter(|table| table.has_secrets()) {
        sqlx::raw_sql(AssertSqlSafe(format!("VACUUM (FULL) {}", table.name)))
            .execute(&mut conn)
            .await?;
    }

    conn.close().await?;
    Ok(done)
}

/// Writes the rows of a table anew. The cursor sees the table as it stood when it was opened.
async fn recode(
    conn: &mut PgConnection,
    table: &'static Table,
    recoding: &Recoding,
    progress: &mut (impl FnMut(u64) + Send),
) -> Result<u64, StoreError> {
    let (name, names) = (table.name, table.names());
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    let open = format!("DECLARE old_{name} NO SCROLL CURSOR FOR SELECT {names} FROM {name}");
    run(open).execute(&mut *conn).await?;
    run(format!("DELETE FROM {name}"))
        .execute(&mut *conn)
        .await?;

    // The session keeps what a statement of the same text gives: each table has a cursor of its
    // own.
    let fetch = format!("FETCH {ROWS} FROM old_{name}");
    let mut total = 0;
    loop {
        let page: Vec<DbRow> = sqlx::query(AssertSqlSafe(fetch.clone()))
            .fetch_all(&mut *conn)
            .await?;
        if page.is_empty() {
            break;
        }

        let mut rows = Rows::of(table);
        for row in &page {
            at_rest::copy_row(&mut rows, row)?;
        }
        recoding.recode(&mut rows);
        insert(conn, rows, "").await?;

        total += page.len() as u64;
        progress(page.len() as u64);
    }

    run(format!("CLOSE old_{name}")).execute(&mut *conn).await?;
    Ok(total)
}
