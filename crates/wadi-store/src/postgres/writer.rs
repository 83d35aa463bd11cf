//! The one session that writes. What became of a transaction whose COMMIT was not answered, the
//! counter of commits tells.

use super::{
    ASK, EACH,
    connect::{CONNECT, WRITER_LOCK, check_server, meta, session, take_lock},
};
use crate::{
    Batch, StoreError,
    at_rest::CellCipher,
    queue::{GroupWriter, Progress},
    tables::{Cells, Of, Rows, TableColumn},
    writes::{Answer, Arg, Cell, Known, WriteConnection, write_batch, write_counters},
};
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column as _, Connection, PgConnection, Postgres, Row, TypeInfo,
    postgres::{PgArguments, PgConnectOptions, PgRow},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A server may take so long to notice that the session which had the lock is gone.
const NOTICE: Duration = Duration::from_secs(15);

/// Rows into their table by one statement, each column an array.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    rows: Rows,
    conflict: &str,
) -> Result<(), StoreError> {
    if rows.len() == 0 {
        return Ok(());
    }

    let array = |(n, column): (usize, &TableColumn)| {
        let of = match column.of {
            Of::Bytes => "bytea",
            Of::Int => "bigint",
            Of::Text => "text",
            Of::Flag => "boolean",
        };

        format!("${}::{of}[]", n + 1)
    };

    let arrays: Vec<String> = rows.table.columns.iter().enumerate().map(array).collect();
    let (table, names) = (rows.table.name, rows.table.names());
    let sql = format!(
        "INSERT INTO {table} ({names}) SELECT * FROM UNNEST({}) {conflict}",
        arrays.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));

    for column in rows.cells {
        query = match column {
            Cells::Bytes(cells) => query.bind(cells),
            Cells::Int(cells) => query.bind(cells),
            Cells::Text(cells) => query.bind(cells),
            Cells::Flag(cells) => query.bind(cells),
        };
    }

    query.execute(conn).await?;
    Ok(())
}

/// A cell as its column has it; a type that no column of the tables has is no cell.
fn answer_cell(row: &PgRow, at: usize) -> Result<Cell, StoreError> {
    Ok(match row.column(at).type_info().name() {
        "BYTEA" => Cell::Bytes(row.try_get(at)?),
        "INT8" => Cell::Int(row.try_get(at)?),
        "TEXT" => Cell::Text(row.try_get(at)?),
        _ => Cell::Other,
    })
}

type Statement<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

fn bound<'q>(sql: &str, args: &[Arg<'_>]) -> Statement<'q> {
    let mut statement = sqlx::query(AssertSqlSafe(sql.to_string()));
    for arg in args {
        statement = match arg {
            Arg::Bytes(bytes) => statement.bind(*bytes),
            Arg::Int(number) => statement.bind(*number),
            Arg::Text(text) => statement.bind(*text),
        };
    }

    statement
}

/// The session inside a transaction, and what is known of the tables behind it.
struct WriterSession<'c> {
    conn: &'c mut PgConnection,
    cipher: &'c CellCipher,
    known: &'c mut Known,
}

#[async_trait]
impl WriteConnection for WriterSession<'_> {
    fn each(&self) -> &'static str {
        EACH
    }

    async fn execute(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let done = bound(sql, args).execute(&mut *self.conn).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Answer>, StoreError> {
        let rows = bound(sql, args).fetch_all(&mut *self.conn).await?;
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };

        let names: Arc<[String]> = first.columns().iter().map(|c| c.name().into()).collect();
        let answer = |row: &PgRow| {
            let cells = (0..names.len()).map(|at| answer_cell(row, at));
            Ok(Answer::new(names.clone(), cells.collect::<Result<_, _>>()?))
        };

        rows.iter().map(answer).collect()
    }

    async fn insert(&mut self, mut rows: Rows, conflict: &str) -> Result<(), StoreError> {
        self.cipher.seal_rows(&mut rows);
        insert(self.conn, rows, conflict).await
    }

    fn cipher(&self) -> &CellCipher {
        self.cipher
    }

    fn known(&mut self) -> &mut Known {
        self.known
    }
}

/// Writes a group in one transaction. `sent` is what became of each batch, once nothing but COMMIT
/// is left.
async fn write_group(
    conn: &mut PgConnection,
    cipher: &CellCipher,
    known: &mut Known,
    group: &[Box<Batch>],
    commits: u64,
    sent: &mut Option<Vec<Result<(), StoreError>>>,
) -> Result<(), StoreError> {
    let mut tx = conn.begin().await?;
    let mut each = Vec::with_capacity(group.len());

    for batch in group {
        let before = known.clone();
        let mut part = tx.begin().await?;
        let mut session = WriterSession {
            conn: &mut part,
            cipher,
            known,
        };

        match write_batch(&mut session, batch).await {
            Ok(()) => {
                part.commit().await?;
                each.push(Ok(()));
            }
            Err(error @ StoreError::Conflict(_)) => {
                *known = Known::undone_to(&before);
                part.rollback().await?;
                each.push(Err(error));
            }
            Err(error) => return Err(error),
        }
    }

    let mut session = WriterSession {
        conn: &mut tx,
        cipher,
        known,
    };
    write_counters(&mut session, commits).await?;
    *sent = Some(each);
    tx.commit().await?;

    Ok(())
}

/// The one session that writes; none while the server is away.
pub(super) struct Writer {
    pub(super) conn: Option<PgConnection>,
    pub(super) cipher: CellCipher,
    pub(super) known: Known,
    pub(super) options: PgConnectOptions,
    pub(super) patience: Duration,
    /// The last statement was refused because the session may only read.
    pub(super) read_only: bool,
    pub(super) progress: Progress,
}

/// How a group failed.
enum Trouble {
    /// The statements failed; the server has undone all.
    Undone(StoreError),
    /// The connection broke, or COMMIT was not answered well: the server may then have committed
    /// this outcome.
    Broken(StoreError, Option<Vec<Result<(), StoreError>>>),
}

impl Writer {
    /// One attempt at the transaction.
    async fn attempt(
        &mut self,
        group: &[Box<Batch>],
    ) -> Result<Vec<Result<(), StoreError>>, Trouble> {
        let commits = self.progress.commits + 1;
        let Some(conn) = &mut self.conn else {
            return Err(Trouble::Broken(
                StoreError::Down("no connection".into()),
                None,
            ));
        };

        let mut sent = None;
        let done = write_group(
            conn,
            &self.cipher,
            &mut self.known,
            group,
            commits,
            &mut sent,
        )
        .await;
        if done.is_err() {
            self.known = Known::default();
        }

        match (done, sent) {
            (Ok(()), each) => Ok(each.unwrap_or_default()),
            // Once COMMIT was sent, the counter alone tells whether it arrived, whatever the server
            // said last: where the disk of its own log is full it ends with those words.
            (Err(error), Some(each)) => Err(Trouble::Broken(error, Some(each))),
            (Err(error @ StoreError::Down(_)), None) => Err(Trouble::Broken(error, None)),
            (Err(error), None) => {
                self.read_only = matches!(error, StoreError::ReadOnly(_));
                Err(Trouble::Undone(error))
            }
        }
    }

    /// A new session with the lock. Another daemon that has it meanwhile is for good: this one
    /// stops.
    async fn connect(&mut self) -> Result<(), StoreError> {
        self.conn = None;
        // Another daemon may have written since.
        self.known = Known::default();
        let mut conn = session(&self.options, CONNECT.min(self.patience)).await?;
        check_server(&mut conn).await?;
        if !take_lock(&mut conn).await? {
            return Err(StoreError::Failed(
                "the connection to the database broke, and another daemon has taken over since"
                    .into(),
            ));
        }

        self.conn = Some(conn);
        self.read_only = false;
        Ok(())
    }

    /// A session keeps the settings that it began with: whether the database takes writes again, a
    /// new one tells. The lock goes over to it.
    async fn renew(&mut self) -> Result<(), StoreError> {
        let mut fresh = session(&self.options, CONNECT.min(self.patience)).await?;
        let read_only: bool =
            sqlx::query_scalar("SELECT current_setting('transaction_read_only')::boolean")
                .fetch_one(&mut fresh)
                .await?;

        if read_only {
            let _ = fresh.close().await;
            return Err(StoreError::ReadOnly(
                "it was so a moment ago, and still is".into(),
            ));
        }

        check_server(&mut fresh).await?;
        self.known = Known::default();
        if let Some(mut old) = self.conn.take() {
            let _ = sqlx::query("SELECT pg_advisory_unlock($1)")
                .bind(WRITER_LOCK)
                .execute(&mut old)
                .await;
            let _ = old.close().await;
        }

        if take_lock(&mut fresh).await? {
            self.conn = Some(fresh);
            self.read_only = false;
            return Ok(());
        }

        let _ = fresh.close().await;
        self.connect_patiently(StoreError::ReadOnly("it takes writes again".into()))
            .await
    }

    async fn connect_patiently(&mut self, why: StoreError) -> Result<(), StoreError> {
        tracing::warn!(%why, "the database is away; trying again");
        let begun = Instant::now();
        loop {
            match self.connect().await {
                Ok(()) => return Ok(()),
                // The server may not have noticed yet that the old session is gone.
                Err(failed @ StoreError::Failed(_)) if begun.elapsed() > NOTICE => {
                    return Err(failed);
                }
                Err(StoreError::Failed(_)) => {}
                Err(error) if begun.elapsed() > self.patience => return Err(error),
                Err(_) => {}
            }

            tokio::time::sleep(ASK).await;
        }
    }
}

#[async_trait]
impl GroupWriter for Writer {
    async fn write(
        &mut self,
        group: &[Box<Batch>],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if self.conn.is_none() {
            self.connect_patiently(StoreError::Down(
                "not connected since the last write".into(),
            ))
            .await?;
        } else if self.read_only {
            self.renew().await?;
        }

        let mut last = StoreError::Down("the connection broke".into());
        for _ in 0..3 {
            let outcome = self.attempt(group).await;
            match outcome {
                Ok(each) => {
                    self.progress.advance(group, &each)?;
                    return Ok(each);
                }
                Err(Trouble::Undone(error)) => return Err(error),
                Err(Trouble::Broken(error, sent)) => {
                    self.connect_patiently(error.clone()).await?;
                    last = error;
                    let conn = self.conn.as_mut().expect("just connected");
                    let arrived = meta(conn, "commits").await? as u64 > self.progress.commits;

                    if let Some(each) = sent.filter(|_| arrived) {
                        self.progress.advance(group, &each)?;
                        return Ok(each);
                    }
                }
            }
        }

        Err(last)
    }

    fn known(&mut self) -> &mut Known {
        &mut self.known
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        // The transaction was undone with its guard. A session that does not answer is opened anew
        // with the next group.
        if let Some(conn) = &mut self.conn
            && conn.ping().await.is_err()
        {
            self.conn = None;
        }
        Ok(())
    }

    async fn close(self) {
        if let Some(conn) = self.conn {
            let _ = conn.close().await;
        }
    }
}
