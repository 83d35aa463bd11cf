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

use crate::{CosignedHead, LocalKey, LocalScope};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use wadi_log::{
    Block, Cosignature, ENTRY_BYTES_MAX, Enrolment, ForkProof, Hash, LogId, NodeId, Peaks,
    SignedCheckpoint, leaf_hash,
};

/// The page size that this project sets.
const PAGE_BYTES: usize = 8192;
/// The least that SQLite lets a page hold.
const USABLE_MIN: usize = 480;
/// Bytes of a row at most, an entry's with what stands around it: a longer one is nothing that is
/// looked for.
const ROW_BYTES_MAX: usize = ENTRY_BYTES_MAX + 4096;
/// Columns at most of a row that is looked for.
const COLUMNS_MAX: usize = 6;
/// Bytes before the first frame of a WAL.
const WAL_HEADER: u64 = 32;
/// Bytes before the page of a frame.
const FRAME_HEADER: u64 = 24;
/// Statements that are kept side by side where only one of them can be true: rot may have made one
/// of two.
const CLAIMS_MAX: usize = 8;
/// Branches that are followed at once where a position has more than one entry.
const TRAILS_MAX: usize = 64;

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

/// What was found of one log.
#[derive(Clone, Debug, Default)]
pub struct FoundLog {
    /// Its entries by position: leaf and place; a forked log has more than one at a position.
    pub entries: BTreeMap<u64, Vec<(Hash, Place)>>,
    /// Its checkpoints by size, those with the newest hub time first. Their signatures are not
    /// checked.
    pub checkpoints: BTreeMap<u64, Vec<SignedCheckpoint>>,
}

/// What was found. Nothing of it is verified but that entries have their hashes.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Logs.
    pub logs: BTreeMap<LogId, FoundLog>,
    /// Cosignatures by log and witness, the longest first.
    pub cosignatures: BTreeMap<(LogId, NodeId), Vec<CosignedHead>>,
    /// Enrolments by node.
    pub enrolments: BTreeMap<NodeId, Vec<Enrolment>>,
    /// Fork proofs by log.
    pub forks: BTreeMap<LogId, Vec<ForkProof>>,
    /// Pages that were looked at, frames among them.
    pub pages: u64,
    /// Those that the disk did not give, or that hold nothing but zeros.
    pub unreadable_pages: u64,
}

/// A page in a WAL.
#[derive(Clone, Copy)]
struct Frame {
    number: u32,
    commits: bool,
    /// The last frame of its transaction.
    end: u32,
    /// Written since the WAL last began anew.
    current: bool,
}

struct Wal {
    file: File,
    frames: Vec<Frame>,
    /// The frames of each page, the newest last.
    versions: HashMap<u32, Vec<u32>>,
}

/// A damaged database, and the WALs beside it.
pub struct Salvage {
    file: Option<File>,
    pages: u64,
    wals: Vec<Wal>,
    page: usize,
    usable: usize,
}

/// A cell of an index page.
struct Cell<'p> {
    page: &'p [u8],
    at: usize,
    source: u8,
    offset: u64,
    view: View,
    newest: bool,
}

impl Cell<'_> {
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Int,
    Text,
    Blob(usize),
    Other,
}
use Kind::{Blob, Int, Text};

/// A row's columns: what they are, and where in the row they stand.
struct Layout {
    kinds: Vec<Kind>,
    spans: Vec<(u64, usize, usize)>,
}

impl Layout {
    /// Reads a row's header.
    fn of(row: &[u8]) -> Option<Self> {
        let (header, mut at) = varint(row, 0)?;
        let end = usize::try_from(header)
            .ok()
            .filter(|end| *end <= row.len())?;
        let mut start = end;
        let (mut kinds, mut spans) = (
            Vec::with_capacity(COLUMNS_MAX),
            Vec::with_capacity(COLUMNS_MAX),
        );

        while at < end {
            let (serial, next) = varint(row, at)?;
            let bytes = match serial {
                0 | 8 | 9 => 0,
                1..=4 => serial as usize,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => usize::try_from((serial - 12) / 2).ok()?,
            };

            if kinds.len() == COLUMNS_MAX || bytes > ROW_BYTES_MAX {
                return None;
            }

            kinds.push(match serial {
                1..=6 | 8 | 9 => Int,
                0 | 7 => Kind::Other,
                _ if serial.is_multiple_of(2) => Blob(bytes),
                _ => Text,
            });

            spans.push((serial, start, start + bytes));
            (start, at) = (start + bytes, next);
        }

        (at == end).then_some(Self { kinds, spans })
    }

    fn bytes<'r>(&self, row: &'r [u8], column: usize) -> Option<&'r [u8]> {
        let (_, start, end) = *self.spans.get(column)?;
        row.get(start..end)
    }

    fn int(&self, row: &[u8], column: usize) -> Option<i64> {
        let bytes = self.bytes(row, column)?;
        match self.spans.get(column)?.0 {
            8 => Some(0),
            9 => Some(1),
            _ => {
                let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
                Some(
                    bytes
                        .iter()
                        .fold(sign, |value: i64, byte| (value << 8) | i64::from(*byte)),
                )
            }
        }
    }

    fn log(&self, row: &[u8]) -> Option<LogId> {
        LogId::from_slice(self.bytes(row, 0)?).ok()
    }

    fn is_entry(&self) -> bool {
        matches!(
            self.kinds[..],
            [Blob(LogId::BYTES), Int, Blob(32), Blob(_), Int, Int]
        )
    }
}

impl Wal {
    fn new(file: File, page: usize) -> io::Result<Self> {
        let stride = FRAME_HEADER + page as u64;
        let count = file
            .metadata()?
            .len()
            .saturating_sub(WAL_HEADER)
            .div_ceil(stride);

        let mut header = [0; WAL_HEADER as usize];
        let _ = fill(&file, 0, &mut header);
        let (mut frames, mut salts) = (Vec::new(), Vec::new());
        for n in 0..u32::try_from(count).unwrap_or(u32::MAX) {
            let mut bytes = [0; FRAME_HEADER as usize];
            let _ = fill(&file, WAL_HEADER + u64::from(n) * stride, &mut bytes);
            salts.push([u32_at(&bytes, 8), u32_at(&bytes, 12)]);
            frames.push(Frame {
                number: u32_at(&bytes, 0),
                commits: u32_at(&bytes, 4) != 0,
                end: n,
                current: false,
            });
        }

        // Frames of before the WAL last began anew have other salts than its header; should that be
        // rotten, than the first.
        let named = [u32_at(&header, 16), u32_at(&header, 20)];
        let salt = if salts.contains(&named) {
            Some(named)
        } else {
            salts.first().copied()
        };

        let mut end = frames.len().saturating_sub(1) as u32;
        for (n, frame) in frames.iter_mut().enumerate().rev() {
            if frame.commits {
                end = n as u32;
            }
            (frame.end, frame.current) = (end, salts.get(n).copied() == salt);
        }

        let mut versions: HashMap<u32, Vec<u32>> = HashMap::new();
        for current in [false, true] {
            for (n, frame) in frames
                .iter()
                .enumerate()
                .filter(|(_, f)| f.current == current)
            {
                versions.entry(frame.number).or_default().push(n as u32);
            }
        }

        Ok(Self {
            file,
            frames,
            versions,
        })
    }

    fn version(&self, number: u32, through: u32) -> Option<u32> {
        self.versions
            .get(&number)?
            .iter()
            .rev()
            .find(|n| **n <= through)
            .copied()
    }

    /// The newest frame of a page, where it is newer than the database file.
    fn newest(&self, number: u32) -> Option<u32> {
        let last = *self.versions.get(&number)?.last()?;
        self.frames
            .get(last as usize)
            .is_some_and(|f| f.current)
            .then_some(last)
    }
}

impl Salvage {
    /// Opens what there is of a database file, its WAL (`-wal`) and a copy of its WAL
    /// (`-wal-before`).
    pub fn open(path: &Path) -> io::Result<Self> {
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
        self.walk(&mut |cell: &Cell<'_>| {
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
        let (pages, unreadable) = self.walk(&mut |cell: &Cell<'_>| {
            let _ = found.take(self, cell, wanted);
        });
        (found.pages, found.unreadable_pages) = (pages, unreadable);
        found
    }

    /// Keys that have a meaning on this node alone, from the newest version of each page; those of
    /// a scope that this version does not know are left where they lie.
    pub fn local_keys(&self, mut take: impl FnMut(LocalKey)) {
        self.walk(&mut |cell: &Cell<'_>| {
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
        Layout::of(&row)?.bytes(&row, 3).map(<[u8]>::to_vec)
    }

    /// Visits every cell of every index page; returns how many pages there were, and how many of
    /// them hold nothing.
    fn walk(&self, visit: &mut dyn FnMut(&Cell<'_>)) -> (u64, u64) {
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
                visit(&Cell {
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
    fn first<T>(&self, cell: &Cell<'_>, read: impl Fn(&[u8]) -> Option<T>) -> Option<(T, View)> {
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

    fn local_key(&self, cell: &Cell<'_>) -> Option<LocalKey> {
        let local = self.local(cell.page, cell.at)?;
        let layout = Layout::of(local.bytes)?;
        if layout.kinds[..] != [Text; 3] {
            return None;
        }

        let text =
            |row: &[u8], column: usize| String::from_utf8(layout.bytes(row, column)?.to_vec()).ok();
        let read = |row: &[u8]| {
            Some(LocalKey {
                scope: LocalScope::parse(&text(row, 0)?)?,
                key: text(row, 1)?,
                value: text(row, 2)?,
            })
        };

        self.first(cell, read).map(|(key, _)| key)
    }
}

impl Found {
    /// Takes a cell for what its shape says, where what it holds bears that out.
    fn take(
        &mut self,
        salvage: &Salvage,
        cell: &Cell<'_>,
        wanted: &dyn Fn(&LogId) -> bool,
    ) -> Option<()> {
        let local = salvage.local(cell.page, cell.at)?;
        let row = Layout::of(local.bytes)?;
        match row.kinds[..] {
            [Blob(16), Blob(_)] => {
                let read = |r: &[u8]| Enrolment::from_bytes(row.bytes(r, 1)?).ok();
                let (enrolment, _) = salvage.first(cell, read)?;
                claim(
                    self.enrolments.entry(enrolment.node()).or_default(),
                    enrolment,
                    |e| Reverse(e.serial),
                );
            }
            [Blob(LogId::BYTES), Blob(_)] => {
                row.log(local.bytes).filter(wanted)?;
                let (proof, _) =
                    salvage.first(cell, |r| ForkProof::from_bytes(row.bytes(r, 1)?).ok())?;
                claim(self.forks.entry(proof.log()).or_default(), proof, |p| p.at);
            }
            [Blob(LogId::BYTES), Blob(16), Int, Int, Blob(_), Blob(88)] => {
                row.log(local.bytes).filter(wanted)?;
                let read = |r: &[u8]| {
                    let checkpoint = SignedCheckpoint::from_bytes(row.bytes(r, 4)?).ok()?;
                    let cosignature = Cosignature::from_slice(row.bytes(r, 5)?).ok()?;
                    Some(CosignedHead {
                        checkpoint,
                        cosignature,
                    })
                };

                let (head, _) = salvage.first(cell, read)?;
                self.keep(head.checkpoint.clone(), wanted);
                let key = (head.checkpoint.checkpoint.log, head.cosignature.witness);
                let all = self.cosignatures.entry(key).or_default();

                if all
                    .iter()
                    .all(|known| known.cosignature != head.cosignature)
                {
                    all.push(head);
                    all.sort_by_key(|c| {
                        Reverse((c.checkpoint.checkpoint.size, c.cosignature.time_s))
                    });
                    all.truncate(CLAIMS_MAX);
                }
            }
            // Entries, and rows of `logs` whose sizes are powers of two.
            [Blob(LogId::BYTES), Int, Blob(32), Blob(_), Int, Int] => {
                let log = row.log(local.bytes).filter(wanted)?;
                if self.entry(salvage, cell, &row, local.bytes, log).is_none() {
                    self.checkpoint(salvage, cell, &row, 3, wanted);
                }
            }
            // `logs`, `checkpoints`, and the other branches of forked logs.
            [Blob(LogId::BYTES), Int, Blob(_), Blob(_), Int, Int]
            | [Blob(LogId::BYTES), Blob(32), Int, Blob(_), Blob(_)] => {
                row.log(local.bytes).filter(wanted)?;
                self.checkpoint(salvage, cell, &row, 3, wanted);
            }
            [Blob(LogId::BYTES), Int, Blob(_), Int] => {
                row.log(local.bytes).filter(wanted)?;
                self.checkpoint(salvage, cell, &row, 2, wanted);
            }
            _ => {}
        }

        Some(())
    }

    fn entry(
        &mut self,
        salvage: &Salvage,
        cell: &Cell<'_>,
        row: &Layout,
        local: &[u8],
        log: LogId,
    ) -> Option<()> {
        let seq = u64::try_from(row.int(local, 1)?).ok()?;
        let leaf = Hash::from_slice(row.bytes(local, 2)?).ok()?;
        let known = self.logs.get(&log).and_then(|l| l.entries.get(&seq));
        if known.is_some_and(|all| all.iter().any(|(known, _)| *known == leaf)) {
            return Some(());
        }

        let read = |r: &[u8]| {
            let bytes = row
                .bytes(r, 3)
                .filter(|bytes| bytes.len() <= ENTRY_BYTES_MAX)?;
            (leaf_hash(bytes) == leaf).then_some(())
        };

        let ((), view) = salvage.first(cell, read)?;
        let all = self
            .logs
            .entry(log)
            .or_default()
            .entries
            .entry(seq)
            .or_default();

        if all.len() < CLAIMS_MAX {
            all.push((leaf, cell.place(view)));
        }

        Some(())
    }

    fn checkpoint(
        &mut self,
        salvage: &Salvage,
        cell: &Cell<'_>,
        row: &Layout,
        column: usize,
        wanted: &dyn Fn(&LogId) -> bool,
    ) {
        if let Some((signed, _)) = salvage.first(cell, |r| {
            SignedCheckpoint::from_bytes(row.bytes(r, column)?).ok()
        }) {
            self.keep(signed, wanted);
        }
    }

    fn keep(&mut self, signed: SignedCheckpoint, wanted: &dyn Fn(&LogId) -> bool) {
        let head = &signed.checkpoint;
        if wanted(&head.log) {
            let of = self.logs.entry(head.log).or_default();
            claim(of.checkpoints.entry(head.size).or_default(), signed, |c| {
                Reverse(c.checkpoint.hub_time_s)
            });
        }
    }

    /// The blocks of a log on top of what is held of it, each up to a checkpoint that `proven` says
    /// is signed and whose root the entries found make. They end where an entry is missing. Where a
    /// position has more than one entry, that one is taken whose branch comes to such a root.
    pub fn blocks<'a, P: Fn(&SignedCheckpoint) -> bool>(
        &'a self,
        salvage: &'a Salvage,
        log: &LogId,
        held: &Peaks,
        proven: P,
    ) -> Blocks<'a, P> {
        let trails = vec![Trail {
            peaks: held.clone(),
            places: Vec::new(),
        }];
        let (from, size) = (held.size(), held.size());

        Blocks {
            salvage,
            of: self.logs.get(log),
            from,
            size,
            trails,
            proven,
        }
    }
}

/// One way in which the log may go on.
#[derive(Clone)]
struct Trail {
    peaks: Peaks,
    places: Vec<Place>,
}

impl Trail {
    fn on(mut self, (leaf, place): &(Hash, Place)) -> Self {
        self.peaks.append(*leaf);
        self.places.push(*place);
        self
    }
}

/// Blocks of a log, as [`Found::blocks`] finds them.
pub struct Blocks<'a, P> {
    salvage: &'a Salvage,
    of: Option<&'a FoundLog>,
    from: u64,
    size: u64,
    trails: Vec<Trail>,
    proven: P,
}

impl<P: Fn(&SignedCheckpoint) -> bool> Iterator for Blocks<'_, P> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let of = self.of?;
        loop {
            let (last, others) = of.entries.get(&self.size)?.split_last()?;
            let mut trails = Vec::with_capacity(self.trails.len());
            for trail in self.trails.drain(..) {
                trails.extend(others.iter().map(|entry| trail.clone().on(entry)));
                trails.push(trail.on(last));
            }

            trails.truncate(TRAILS_MAX);
            self.trails = trails;
            self.size += 1;

            for signed in of.checkpoints.get(&self.size).into_iter().flatten() {
                let fits = self
                    .trails
                    .iter()
                    .position(|trail| trail.peaks.root() == signed.checkpoint.root);
                let Some(at) = fits.filter(|_| (self.proven)(signed)) else {
                    continue;
                };
                let Trail { peaks, places } = self.trails.swap_remove(at);

                self.trails = vec![Trail {
                    peaks,
                    places: Vec::new(),
                }];

                let from = std::mem::replace(&mut self.from, self.size);
                let entries = places
                    .iter()
                    .map(|place| self.salvage.read(place))
                    .collect::<Option<_>>()?;

                return Some(Block {
                    from,
                    entries,
                    checkpoint: signed.clone(),
                });
            }
        }
    }
}

/// Keeps one more of several that cannot all be true, the most promising first.
fn claim<T: PartialEq, K: Ord>(all: &mut Vec<T>, new: T, order: impl Fn(&T) -> K) {
    if !all.contains(&new) {
        all.push(new);
        all.sort_by_key(order);
        all.truncate(CLAIMS_MAX);
    }
}

fn existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads as much as there is and zeros after it; returns how much there was.
fn fill(file: &File, mut at: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], at) {
            Ok(0) => break,
            Ok(n) => (read, at) = (read + n, at + n as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }

    into[read..].fill(0);
    Ok(read)
}

/// Bytes of a page, and how many of them SQLite uses. Another size than this project sets is
/// believed only where the file is as long as its header says.
fn page_sizes(file: Option<&File>, bytes: u64, wals: &[File]) -> (usize, usize) {
    let is_size = |page: usize| page.is_power_of_two() && (512..=65_536).contains(&page);
    let mut header = [0u8; 100];
    if let Some(file) = file
        && fill(file, 0, &mut header).is_ok()
        && header.starts_with(b"SQLite format 3\0")
    {
        let page = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            page => usize::from(page),
        };

        // No bytes of this project's pages are reserved: a header that says so is rotten.
        let reserved = if page == PAGE_BYTES {
            0
        } else {
            usize::from(header[20])
        };

        let usable = page.saturating_sub(reserved);
        let fits = page == PAGE_BYTES || u64::from(u32_at(&header, 28)) * page as u64 == bytes;

        if is_size(page) && usable >= USABLE_MIN && fits {
            return (page, usable);
        }
    }

    for wal in wals {
        let mut header = [0u8; 32];
        let page = match fill(wal, 0, &mut header) {
            Ok(_) if matches!(u32_at(&header, 0), 0x377f_0682 | 0x377f_0683) => {
                u32_at(&header, 8) as usize
            }
            _ => 0,
        };

        if is_size(page) {
            return (page, page);
        }
    }

    (PAGE_BYTES, PAGE_BYTES)
}

/// Where the cells of a page begin, past the child pointers of an interior one; none where it is no
/// index page.
fn cells(page: &[u8]) -> impl Iterator<Item = usize> {
    let (pointers, child) = match page.first() {
        Some(0x0a) => (8, 0),
        Some(0x02) => (12, 4),
        _ => (page.len(), 0),
    };

    let two = move |at: usize| {
        Some(usize::from(u16::from_be_bytes(
            page.get(at..at + 2)?.try_into().ok()?,
        )))
    };

    let count = if pointers < page.len() {
        two(3).unwrap_or(0)
    } else {
        0
    };

    (0..count).map_while(move |n| Some(two(pointers + 2 * n)? + child))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

/// A variable-length integer, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for n in 0..8 {
        let byte = *bytes.get(at + n)?;
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((value, at + n + 1));
        }
    }

    Some(((value << 8) | u64::from(*bytes.get(at + 8)?), at + 9))
}
