//! Reads a damaged database as it lies there, page by page and without SQLite.
//!
//! The format is SQLite's (<https://www.sqlite.org/fileformat2.html>). Tables without rowid are
//! index b-trees, whose rows stand in leaf pages (type 10) and in interior ones (type 2) alike;
//! `records` and `refusals`, the two that have a rowid, tell nothing that the entries do not. Every
//! page of the file and every frame of its WAL is looked at, whether anything points to it or not:
//! a row counts for what it says, wherever it lies. An entry has its hash beside it; checkpoints,
//! cosignatures, enrolments and fork proofs are signed, which whoever takes them has to check. Keys
//! that have a meaning on this node alone have neither, and are read from the newest version of
//! their pages only.
//!
//! Entries are indexed by where they lie, and read again when they are wanted. No bytes make any of
//! this panic.

mod found;
mod layout;
mod pages;
mod wal;

pub use found::{Blocks, Found, FoundLog};

use crate::{
    LocalKey, LocalScope,
    at_rest::{self, CellCipher, SecretCell},
    tables::LOCAL,
};
use layout::{CellKind::Text, Layout};
use pages::{cells, existing, fill, page_sizes, u32_at, varint};
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};
use wadi_log::{ENTRY_BYTES_MAX, LogId, leaf_hash};
use wal::{FRAME_HEADER, WAL_HEADER, Wal};

/// The page size that this project sets.
const PAGE_BYTES: usize = 8192;

/// Bytes of a row at most, an entry's with what stands around it: a longer one is nothing that is
/// looked for.
const ROW_BYTES_MAX: usize = ENTRY_BYTES_MAX + 4096;

/// Stands for the database file where a WAL could be named.
const THE_FILE: u8 = u8::MAX;

/// Which version of a page is meant: the last one of a WAL's frames through one of them, or else
/// the file's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct View {
    wal: u8,
    through: u32,
}

impl View {
    const FILE: Self = Self {
        wal: THE_FILE,
        through: 0,
    };

    fn newest(wal: u8) -> Self {
        Self {
            wal,
            through: u32::MAX,
        }
    }
}

/// Where an entry lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    source: u8,
    cell: u32,
    page: u64,
    view: View,
}

/// A damaged database, and the WALs beside it.
pub struct Salvage {
    file: Option<File>,
    pages: u64,
    wals: Vec<Wal>,
    page: usize,
    usable: usize,
    cipher: CellCipher,
}

/// A cell of an index page.
struct PageCell<'p> {
    page: &'p [u8],
    at: usize,
    source: u8,
    offset: u64,
    view: View,
    newest: bool,
}

impl PageCell<'_> {
    fn place(&self, view: View) -> Place {
        Place {
            source: self.source,
            cell: self.at as u32,
            page: self.offset,
            view,
        }
    }
}

/// A row as far as it lies in the page of its cell.
struct Local<'p> {
    bytes: &'p [u8],
    total: usize,
    overflow: u32,
}

impl Salvage {
    /// As a store's own way in ([`crate::RepairSource::old_database`]), without a key.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_with(path, CellCipher::default())
    }

    /// Opens what there is of a database file, its WAL (`-wal`) and a copy of its WAL
    /// (`-wal-before`). What lies there encrypted is read where the key is at hand, and what lies
    /// there in clear as well: it may have been set aside before its node's database was encrypted.
    pub(crate) fn open_with(path: &Path, cipher: CellCipher) -> io::Result<Self> {
        let beside = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };

        let file = existing(path)?;
        let wals = ["-wal", "-wal-before"]
            .iter()
            .filter_map(|suffix| existing(&beside(suffix)).transpose());
        let wals = wals.collect::<io::Result<Vec<File>>>()?;
        let bytes = match &file {
            Some(file) => file.metadata()?.len(),
            None => 0,
        };

        let (page, usable) = page_sizes(file.as_ref(), bytes, &wals);
        let wals = wals
            .into_iter()
            .map(|file| Wal::new(file, page))
            .collect::<io::Result<_>>()?;

        Ok(Self {
            file,
            pages: bytes.div_ceil(page as u64),
            wals,
            page,
            usable,
            cipher,
        })
    }

    /// About how many bytes there are to read.
    pub fn bytes(&self) -> u64 {
        (self.pages + self.wals.iter().map(|w| w.frames.len() as u64).sum::<u64>())
            * self.page as u64
    }

    /// About how many entries there are of each log: for reading a large database in parts.
    pub fn survey(&self) -> BTreeMap<LogId, u64> {
        let mut out = BTreeMap::new();
        self.walk_cells(&mut |cell: &PageCell<'_>| {
            if cell.newest
                && let Some(local) = self.local(cell.page, cell.at)
                && let Some(row) = Layout::of(local.bytes).filter(Layout::is_entry)
                && let Some(log) = row.log(local.bytes)
            {
                *out.entry(log).or_insert(0) += 1;
            }
        });

        out
    }

    /// Looks at every page: entries and checkpoints of the logs that are wanted, and whatever else
    /// is signed.
    pub fn scan(&self, wanted: &dyn Fn(&LogId) -> bool) -> Found {
        let mut found = Found::default();
        let (pages, unreadable) = self.walk_cells(&mut |cell: &PageCell<'_>| {
            let _ = found.take_cell(self, cell, wanted);
        });
        (found.pages, found.unreadable_pages) = (pages, unreadable);
        found
    }

    /// Keys that have a meaning on this node alone, from the newest version of each page; those of
    /// a scope that this version does not know are left where they lie.
    pub fn local_keys(&self, mut take: impl FnMut(LocalKey)) {
        self.walk_cells(&mut |cell: &PageCell<'_>| {
            if cell.newest
                && let Some(key) = self.local_key(cell)
            {
                take(key);
            }
        });
    }

    /// The bytes of an entry.
    pub fn read(&self, place: &Place) -> Option<Vec<u8>> {
        let file = match place.source {
            THE_FILE => self.file.as_ref()?,
            wal => &self.wals.get(usize::from(wal))?.file,
        };
        let mut page = vec![0; self.page];

        fill(file, place.page, &mut page).ok()?;
        let row = self.row(page.get(..self.usable)?, place.cell as usize, place.view)?;
        let layout = Layout::of(&row)?;
        self.entry_bytes(layout.bytes(&row, 3)?, layout.bytes(&row, 2)?)
    }

    /// An entry's bytes out of its cell, where they have its hash.
    fn entry_bytes(&self, cell: &[u8], leaf: &[u8]) -> Option<Vec<u8>> {
        let fits = |bytes: &[u8]| bytes.len() <= ENTRY_BYTES_MAX && leaf_hash(bytes).0 == *leaf;
        if fits(cell) {
            return Some(cell.to_vec());
        }

        let clear = self
            .cipher
            .is_on()
            .then(|| self.cipher.entry(cell.to_vec()))?;
        fits(&clear).then_some(clear)
    }

    /// Visits every cell of every index page; returns how many pages there were, and how many of
    /// them hold nothing.
    fn walk_cells(&self, visit: &mut dyn FnMut(&PageCell<'_>)) -> (u64, u64) {
        let (mut pages, mut unreadable) = (0, 0);
        let mut buffer = vec![0; self.page];
        let mut look = |file: &File, source: u8, offset: u64, view: View, newest: bool| {
            pages += 1;
            let there = fill(file, offset, &mut buffer).unwrap_or(0);
            let page = &buffer[..self.usable];
            if there == 0 || page.iter().all(|byte| *byte == 0) {
                unreadable += 1;
                return;
            }

            for at in cells(page) {
                visit(&PageCell {
                    page,
                    at,
                    source,
                    offset,
                    view,
                    newest,
                });
            }
        };

        if let Some(file) = &self.file {
            for n in 0..self.pages {
                let number = u32::try_from(n + 1).unwrap_or(u32::MAX);
                let newest = self.wals.iter().all(|wal| wal.newest(number).is_none());
                look(file, THE_FILE, n * self.page as u64, View::FILE, newest);
            }
        }

        for (w, wal) in self.wals.iter().enumerate() {
            for (n, frame) in wal.frames.iter().enumerate() {
                let newest = wal.newest(frame.number) == Some(n as u32);
                let view = View {
                    wal: w as u8,
                    through: frame.end,
                };
                look(&wal.file, w as u8, self.frame_page(n as u32), view, newest);
            }
        }

        (pages, unreadable)
    }

    fn frame_page(&self, frame: u32) -> u64 {
        WAL_HEADER + u64::from(frame) * (FRAME_HEADER + self.page as u64) + FRAME_HEADER
    }

    /// What of a cell's row lies in its page (file format, 1.6: B-tree cell payload overflow).
    fn local<'p>(&self, page: &'p [u8], at: usize) -> Option<Local<'p>> {
        let (total, start) = varint(page, at)?;
        let total = usize::try_from(total)
            .ok()
            .filter(|total| (1..=ROW_BYTES_MAX).contains(total))?;
        let max = (self.usable - 12) * 64 / 255 - 23;

        if total <= max {
            return Some(Local {
                bytes: page.get(start..start + total)?,
                total,
                overflow: 0,
            });
        }

        let min = (self.usable - 12) * 32 / 255 - 23;
        let fits = min + (total - min) % (self.usable - 4);
        let end = start + if fits <= max { fits } else { min };
        let overflow = page.get(end..end + 4)?;

        Some(Local {
            bytes: page.get(start..end)?,
            total,
            overflow: u32_at(overflow, 0),
        })
    }

    /// A cell's whole row, its overflow pages as a view has them. Each of them adds to the row, and
    /// no row is longer than [`ROW_BYTES_MAX`]: a chain that runs in a circle ends, too.
    fn row(&self, page: &[u8], at: usize, view: View) -> Option<Vec<u8>> {
        let local = self.local(page, at)?;
        let mut out = local.bytes.to_vec();
        let mut next = local.overflow;
        let mut buffer = vec![
            0;
            if out.len() < local.total {
                self.page
            } else {
                0
            }
        ];

        while out.len() < local.total {
            self.read_page(next, view, &mut buffer)?;
            next = u32_at(&buffer, 0);
            let part = (local.total - out.len()).min(self.usable - 4);
            out.extend_from_slice(buffer.get(4..4 + part)?);
        }

        Some(out)
    }

    fn read_page(&self, number: u32, view: View, into: &mut [u8]) -> Option<()> {
        let before = number.checked_sub(1)?;
        let wal = self.wals.get(usize::from(view.wal));
        let frame = wal.and_then(|wal| Some((wal, wal.version(number, view.through)?)));
        let there = match frame {
            Some((wal, frame)) => fill(&wal.file, self.frame_page(frame), into),
            None => fill(
                self.file.as_ref()?,
                u64::from(before) * self.page as u64,
                into,
            ),
        };

        there.is_ok_and(|bytes| bytes > 0).then_some(())
    }

    /// What the first version of a row comes to that comes to anything, and that version.
    fn first<T>(
        &self,
        cell: &PageCell<'_>,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Option<(T, View)> {
        let newest = (0..self.wals.len()).map(|wal| View::newest(wal as u8));
        for view in [cell.view].into_iter().chain(newest).chain([View::FILE]) {
            if let Some(row) = self.row(cell.page, cell.at, view)
                && let Some(read) = read(&row)
            {
                return Some((read, view));
            }
        }

        None
    }

    fn local_key(&self, cell: &PageCell<'_>) -> Option<LocalKey> {
        let local = self.local(cell.page, cell.at)?;
        let layout = Layout::of(local.bytes)?;
        if layout.kinds[..] != [Text; 3] {
            return None;
        }

        let text =
            |row: &[u8], column: usize| String::from_utf8(layout.bytes(row, column)?.to_vec()).ok();
        let read = |row: &[u8]| {
            let scope = LocalScope::parse(&text(row, 0)?)?;
            let stored = text(row, 2)?;
            let at = SecretCell {
                table: &LOCAL,
                column: "value",
                kind: &scope.as_str(),
            };

            // What looks encrypted and does not decrypt is rotten.
            let value = match self.cipher.open_text(at, stored.clone()) {
                Some(value) => value,
                None if at_rest::looks_sealed(&stored) => return None,
                None => stored,
            };
            let key = text(row, 1)?;
            Some(LocalKey { scope, key, value })
        };

        self.first(cell, read).map(|(key, _)| key)
    }
}
