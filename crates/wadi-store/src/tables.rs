//! The tables as both engines have them, and rows on their way into one.

use crate::at_rest::SecretCell;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    Bytes,
    Int,
    Text,
    Flag,
}
use Of::{Bytes, Flag, Int, Text};

/// A column.
#[derive(Debug)]
pub(crate) struct TableColumn {
    pub(crate) name: &'static str,
    pub(crate) of: Of,
    /// Whether its cells say something of people or goods: they lie encrypted where the database
    /// is (`at_rest.rs`).
    pub(crate) secret: bool,
}

/// A table's name and columns.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [TableColumn],
}

macro_rules! secret {
    () => {
        false
    };
    (secret) => {
        true
    };
}

macro_rules! tables {
    ($($constant:ident = $name:literal: $($column:ident $of:ident $($secret:ident)?),+;)+) => {
        $(pub(crate) static $constant: Table = Table {
            name: $name,
            columns: &[$(TableColumn {
                name: stringify!($column),
                of: $of,
                secret: secret!($($secret)?),
            }),+],
        };)+
        /// All tables but `meta`, which each engine fills in its own way.
        pub(crate) static TABLES: &[&Table] = &[$(&$constant),+];
    };
}

tables! {
    NODES = "nodes": node Bytes, enrolment Bytes;
    LOGS = "logs": log Bytes, size Int, peaks Bytes, checkpoint Bytes, unkept_bytes Int,
        grew_ms Int;
    ENTRIES = "entries": log Bytes, seq Int, leaf Bytes, bytes Bytes secret, main Int,
        received_ms Int;
    TREE = "tree": log Bytes, level Int, idx Int, hash Bytes;
    CHECKPOINTS = "checkpoints": log Bytes, size Int, signed Bytes, kept Int;
    COSIGNATURES = "cosignatures": log Bytes, witness Bytes, size Int, time_s Int, checkpoint Bytes,
        cosignature Bytes;
    COSIGNED = "cosigned": log Bytes, size Int, witness Bytes, cosignature Bytes;
    SEEN = "seen": log Bytes, seq Int, leaf Bytes;
    FORKS = "forks": log Bytes, proof Bytes;
    RECORD_ENTRIES = "record_entries": record Bytes, log Bytes, seq Int, leaf Bytes;
    RECORDS = "records": id Bytes, printed Text, lane Int, crossing Text, state Text, open Flag,
        contested Flag, json Text secret, digest Bytes, entries Int, at_ms Int,
        born_ms Int, changed Int;
    TERMS = "terms": record Bytes, what Text, value Text secret, born_ms Int;
    TERMS_GONE = "terms_gone": record Bytes, what Text, value Text secret, born_ms Int,
        changed Int;
    WAITING = "waiting": log Bytes, seq Int, leaf Bytes, record Bytes, missing Bytes;
    REFUSALS = "refusals": subject Text, code Text, why Text secret, peer Text, at_ms Int,
        times Int;
    FINDINGS = "findings": id Text, rule Text, severity Int, phase Text, state Text, crossing Text,
        assignee Text secret, anchor Bytes, evidence Text, at_ms Int, due_ms Int,
        json Text secret, disposition Text, decided_ms Int;
    FINDING_ABOUT = "finding_about": what Text, value Text secret, finding Text;
    FINDING_COURSES = "finding_courses": id Text, rule Text, crossing Text, found_ms Int,
        decided_ms Int, gone_ms Int, disposition Text;
    PEERS = "peers": node Bytes, json Text secret;
    CARRIED = "carried": log Bytes, start Int, size Int, bytes Bytes secret;
    LOCAL = "local": scope Text, key Text, value Text secret;
    RESYNCS = "resyncs": id Text, json Text secret;
    BRANCHES = "branches": log Bytes, leaf Bytes, start Int, checkpoint Bytes, leaves Bytes;
}

impl Table {
    /// Its columns' names with commas between.
    pub(crate) fn names(&self) -> String {
        let names = self.columns.iter().map(|column| column.name);
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether any of its columns is secret.
    pub(crate) fn has_secrets(&self) -> bool {
        self.columns.iter().any(|column| column.secret)
    }

    /// Which column says of what kind a row is, where its rows are of several.
    fn kind_column(&self) -> Option<usize> {
        let names = |column: &TableColumn| matches!(column.name, "what" | "scope");
        self.columns.iter().position(names)
    }
}

/// The cells of one column.
#[derive(Debug)]
pub(crate) enum Cells {
    Bytes(Vec<Option<Vec<u8>>>),
    Int(Vec<i64>),
    Text(Vec<String>),
    Flag(Vec<bool>),
}

/// Rows for one table, column by column. Cells are put in the order of its columns.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) table: &'static Table,
    pub(crate) cells: Vec<Cells>,
    at: usize,
    bytes: usize,
}

impl Rows {
    pub(crate) fn of(table: &'static Table) -> Self {
        let empty = |column: &TableColumn| match column.of {
            Bytes => Cells::Bytes(Vec::new()),
            Int => Cells::Int(Vec::new()),
            Text => Cells::Text(Vec::new()),
            Flag => Cells::Flag(Vec::new()),
        };

        Self {
            table,
            cells: table.columns.iter().map(empty).collect(),
            at: 0,
            bytes: 0,
        }
    }

    /// How many rows are whole.
    pub(crate) fn len(&self) -> usize {
        match self.cells.last() {
            Some(Cells::Bytes(c)) => c.len(),
            Some(Cells::Int(c)) => c.len(),
            Some(Cells::Text(c)) => c.len(),
            Some(Cells::Flag(c)) => c.len(),
            None => 0,
        }
    }

    /// About how many bytes the cells hold.
    pub(crate) fn bytes_held(&self) -> usize {
        self.bytes
    }

    fn next(&mut self, bytes: usize) -> &mut Cells {
        let at = self.at;
        self.at = (at + 1) % self.cells.len();
        self.bytes += bytes;
        &mut self.cells[at]
    }

    pub(crate) fn bytes(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        self.bytes_or_none(Some(value.into()))
    }

    pub(crate) fn bytes_or_none(&mut self, value: Option<Vec<u8>>) -> &mut Self {
        match self.next(value.as_ref().map_or(0, Vec::len)) {
            Cells::Bytes(cells) => cells.push(value),
            other => unreachable!("bytes do not go into {other:?}"),
        }
        self
    }

    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        match self.next(8) {
            Cells::Int(cells) => cells.push(value),
            other => unreachable!("a number does not go into {other:?}"),
        }
        self
    }

    pub(crate) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        let mut value = value.into();
        // PostgreSQL's text holds no NUL; what people are shown may have one come from a hostile
        // peer.
        if value.contains('\0') {
            value = value.replace('\0', "\u{FFFD}");
        }

        match self.next(value.len()) {
            Cells::Text(cells) => cells.push(value),
            other => unreachable!("text does not go into {other:?}"),
        }

        self
    }

    pub(crate) fn flag(&mut self, value: bool) -> &mut Self {
        match self.next(1) {
            Cells::Flag(cells) => cells.push(value),
            other => unreachable!("a flag does not go into {other:?}"),
        }
        self
    }

    /// Puts others in the place of the secret cells.
    pub(crate) fn map_secrets(
        &mut self,
        bytes: impl Fn(SecretCell<'_>, Vec<u8>) -> Vec<u8>,
        text: impl Fn(SecretCell<'_>, String) -> String,
    ) {
        let table = self.table;
        let kinds = match table.kind_column().map(|at| &self.cells[at]) {
            Some(Cells::Text(kinds)) => kinds.clone(),
            _ => Vec::new(),
        };

        let columns = table.columns.iter().zip(&mut self.cells);
        for (column, cells) in columns.filter(|(column, _)| column.secret) {
            let at = |row: usize| SecretCell {
                table,
                column: column.name,
                kind: kinds.get(row).map_or("", String::as_str),
            };

            match cells {
                Cells::Bytes(cells) => {
                    for (row, cell) in cells.iter_mut().enumerate() {
                        *cell = cell.take().map(|clear| bytes(at(row), clear));
                    }
                }
                Cells::Text(cells) => {
                    for (row, cell) in cells.iter_mut().enumerate() {
                        *cell = text(at(row), std::mem::take(cell));
                    }
                }
                other => unreachable!("no secret is kept in {other:?}"),
            }
        }
    }
}
