//! What writing a batch asks of an engine: a handful of statements, inside a transaction.

use crate::{StoreError, at_rest::CellCipher, scope_sums::Sums, tables::Rows};
use async_trait::async_trait;
use std::sync::Arc;

/// A value for a statement's `$1`, `$2` and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Text(&'a str),
}

/// A cell of an answer.
#[derive(Debug)]
pub(crate) enum Cell {
    Bytes(Vec<u8>),
    Int(i64),
    Text(String),
    /// Nothing, or what no column of the tables holds.
    Other,
}

/// A row of an answer, its cells by the names of their columns. A cell that rotted into something
/// else is an error, and ends nothing.
pub(crate) struct Answer {
    names: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Answer {
    pub(crate) fn new(names: Arc<[String]>, cells: Vec<Cell>) -> Self {
        Self { names, cells }
    }

    pub(crate) fn bytes(&mut self, column: &str) -> Result<Vec<u8>, StoreError> {
        match self.cell(column)? {
            Cell::Bytes(bytes) => Ok(bytes),
            other => Err(wrong(column, &other)),
        }
    }

    pub(crate) fn int(&mut self, column: &str) -> Result<i64, StoreError> {
        match self.cell(column)? {
            Cell::Int(number) => Ok(number),
            other => Err(wrong(column, &other)),
        }
    }

    pub(crate) fn text(&mut self, column: &str) -> Result<String, StoreError> {
        match self.cell(column)? {
            Cell::Text(text) => Ok(text),
            other => Err(wrong(column, &other)),
        }
    }

    /// Takes a cell out: each is asked for once.
    fn cell(&mut self, column: &str) -> Result<Cell, StoreError> {
        let at = self.names.iter().position(|name| name == column);
        let cell = at.and_then(|at| self.cells.get_mut(at));
        match cell {
            Some(cell) => Ok(std::mem::replace(cell, Cell::Other)),
            None => Err(StoreError::Malformed(format!("there is no {column}"))),
        }
    }
}

fn wrong(column: &str, cell: &Cell) -> StoreError {
    StoreError::Malformed(format!("column {column} holds {cell:?}"))
}

/// The one connection that writes, inside a transaction.
///
/// SQLite answers at once, on the thread that owns the connection; PostgreSQL is waited for.
#[async_trait]
pub(crate) trait WriteConnection: Send {
    /// A list of lists, in `$1` as JSON, as rows `j`, each with its `value`.
    fn each(&self) -> &'static str;

    /// Runs a statement, and says how many rows it changed.
    async fn execute(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StoreError>;

    /// All rows of an answer.
    async fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Answer>, StoreError>;

    /// Rows into their table, by as few statements as may be; their secret cells are encrypted
    /// where the database is.
    async fn insert(&mut self, rows: Rows, conflict: &str) -> Result<(), StoreError>;

    /// How secret cells lie in the tables.
    fn cipher(&self) -> &CellCipher;

    /// What is known of the tables without asking.
    fn known(&mut self) -> &mut Known;
}

/// What the one writer knows of the tables without asking them: nobody else writes. A transaction
/// that is undone takes with it whatever was learned in it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Known {
    /// The cursor of the newest change. It is written with the transaction's end.
    pub(crate) changed: Option<i64>,
    /// Whether any entry waits for another.
    pub(crate) waiting: Option<bool>,
    /// Whether any term that went is remembered.
    pub(crate) terms_gone: Option<bool>,
    /// What the transaction moves of the scopes' sums, where that is noted and can be told.
    pub(crate) moved: Option<Sums>,
}

impl Known {
    /// What is left where a batch was undone and those before it in its transaction were not. The
    /// cursor of their changes stands nowhere else yet.
    pub(crate) fn undone_to(before: &Self) -> Self {
        Self {
            changed: before.changed,
            moved: before.moved.clone(),
            ..Self::default()
        }
    }
}
