//! Reads a dump entry by entry, without a server.

use super::dump::{program, tool_failed};
use crate::{
    AuditLog, StoreError, StoreKey,
    at_rest::{CellCipher, META_KEY},
    audit::odd,
};
use std::{collections::HashMap, path::Path, process::Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use wadi_log::{Hash, LogId, Peaks, leaf_hash, unhex};

/// What a file that `pg_dump` wrote holds, for verifying it.
#[derive(Default)]
pub struct DumpAudit {
    /// Enrolments as stored: node and bytes.
    pub enrolments: Vec<(Vec<u8>, Vec<u8>)>,
    /// The logs as they are recorded, ascending, each with the tree of the entries that are held of
    /// it.
    pub logs: Vec<(AuditLog, Peaks)>,
    /// Entries, on whichever branch, each one's bytes held against its hash.
    pub entries: u64,
    /// Entries that are not what they are recorded as, or missing.
    pub damage: Vec<String>,
}

/// Reads a file that `pg_dump` wrote: every entry is held against its hash, and put into its log's
/// tree. Memory grows with the largest of the sixteen parts that entries lie in. `progress` hears
/// of entries.
///
/// # Errors
///
/// [`StoreError::Encrypted`] where it takes a key to read it, and none is given.
pub async fn audit_dump(
    path: &Path,
    key: Option<&StoreKey>,
    mut progress: impl FnMut(u64),
) -> Result<DumpAudit, StoreError> {
    const TOOL: &str = "pg_restore";
    let mut command = program(TOOL, None)?;
    command
        .args(["--data-only", "--file=-"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());

    let mut child = command
        .spawn()
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?;
    let (stdout, stderr) = (
        child.stdout.take().expect("piped"),
        child.stderr.take().expect("piped"),
    );
    let said = tokio::spawn(async move {
        let (mut text, mut stderr) = (String::new(), stderr);
        let _ = stderr.read_to_string(&mut text).await;
        text
    });

    let mut reader = DumpReader {
        cipher: CellCipher::of(key),
        ..DumpReader::default()
    };
    let (mut lines, mut line, mut told) = (BufReader::new(stdout), Vec::new(), 0);
    while lines
        .read_until(b'\n', &mut line)
        .await
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?
        > 0
    {
        reader.take(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
        line.clear();
        if reader.audit.entries - told >= 1_000 {
            progress(reader.audit.entries - told);
            told = reader.audit.entries;
        }
    }

    let status = child
        .wait()
        .await
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?;
    let said = said.await.unwrap_or_default();
    if !status.success() {
        return Err(tool_failed(TOOL, &said));
    }

    progress(reader.audit.entries - told);
    if reader.encrypted && key.is_none() {
        return Err(StoreError::Encrypted);
    }
    Ok(reader.finish())
}

/// Takes the lines of a dump's data one after the other: `COPY` with a table's columns, its rows,
/// and `\.`.
#[derive(Default)]
pub(super) struct DumpReader {
    pub(super) cipher: CellCipher,
    /// Whether the database says that it is encrypted. It says so after its entries.
    pub(super) encrypted: bool,
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) leaves: HashMap<LogId, Vec<(u64, Hash)>>,
    pub(super) held: HashMap<LogId, Peaks>,
    pub(super) logs: Vec<AuditLog>,
    pub(super) audit: DumpAudit,
}

impl DumpReader {
    pub(super) fn take(&mut self, line: &str) -> Result<(), StoreError> {
        if self.columns.is_empty() {
            let head = line
                .strip_prefix("COPY ")
                .and_then(|l| l.strip_suffix(") FROM stdin;"));
            if let Some((table, columns)) = head.and_then(|h| h.split_once(" (")) {
                self.table = table.rsplit('.').next().unwrap_or(table).to_string();
                self.columns = columns.split(", ").map(String::from).collect();
            }

            return Ok(());
        }

        if line == "\\." {
            self.columns.clear();
            self.end_of_part();
            return Ok(());
        }

        match self.table.as_str() {
            "nodes" => {
                let stored = (self.bytes(line, "node")?, self.bytes(line, "enrolment")?);
                self.audit.enrolments.push(stored);
            }
            "logs" => {
                let log = AuditLog {
                    log: self.bytes(line, "log")?,
                    size: self.number(line, "size")?,
                    peaks: self.bytes(line, "peaks")?,
                    checkpoint: self.bytes(line, "checkpoint")?,
                };

                self.logs.push(log);
            }
            "meta" => self.encrypted |= self.cell(line, "key")? == META_KEY,
            table if table == "entries" || table.starts_with("entries_") => self.entry(line)?,
            _ => {}
        }

        Ok(())
    }

    pub(super) fn entry(&mut self, line: &str) -> Result<(), StoreError> {
        let log = LogId::from_slice(&self.bytes(line, "log")?).map_err(odd("log"))?;
        let leaf = Hash::from_slice(&self.bytes(line, "leaf")?).map_err(odd("leaf"))?;
        let seq = self.number(line, "seq")?;
        let stored = self.bytes(line, "bytes")?;
        if leaf_hash(&stored) != leaf && leaf_hash(&self.cipher.entry(stored)) != leaf {
            self.audit.damage.push(format!(
                "{log}@{seq}: the entry's bytes do not have its hash"
            ));
        }

        self.audit.entries += 1;
        if self.number(line, "main")? == 1 {
            self.leaves.entry(log).or_default().push((seq, leaf));
        }

        Ok(())
    }

    /// All of a log's entries lie in one part.
    pub(super) fn end_of_part(&mut self) {
        for (log, mut leaves) in std::mem::take(&mut self.leaves) {
            leaves.sort();
            let mut peaks = Peaks::default();
            for (seq, leaf) in leaves {
                if seq != peaks.size() {
                    self.audit
                        .damage
                        .push(format!("{log}@{}: the entry is missing", peaks.size()));
                    break;
                }

                peaks.append(leaf);
            }

            self.held.insert(log, peaks);
        }
    }

    pub(super) fn cell<'l>(&self, line: &'l str, name: &str) -> Result<&'l str, StoreError> {
        let at = self.columns.iter().position(|c| c == name);
        at.and_then(|n| line.split('\t').nth(n))
            .ok_or_else(|| self.misread(name))
    }

    pub(super) fn bytes(&self, line: &str, name: &str) -> Result<Vec<u8>, StoreError> {
        let text = self.cell(line, name)?;
        text.strip_prefix("\\\\x")
            .and_then(unhex)
            .ok_or_else(|| self.misread(name))
    }

    pub(super) fn number(&self, line: &str, name: &str) -> Result<u64, StoreError> {
        self.cell(line, name)?
            .parse()
            .map_err(|_| self.misread(name))
    }

    pub(super) fn misread(&self, name: &str) -> StoreError {
        StoreError::Damaged {
            entry: format!("a row of {}: its {name} does not read", self.table),
        }
    }

    pub(super) fn finish(mut self) -> DumpAudit {
        self.logs.sort_by(|a, b| a.log.cmp(&b.log));
        for row in self.logs {
            let held = LogId::from_slice(&row.log)
                .ok()
                .and_then(|log| self.held.remove(&log));
            self.audit.logs.push((row, held.unwrap_or_default()));
        }

        self.audit
    }
}
