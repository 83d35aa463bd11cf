//! A log as it lies on the disk, entry by entry: its leaves computed anew, its tree grown from
//! them, and its entries' places in the indexes held against what the entries say.

use crate::{
    door::proofs::record_of,
    upkeep::{
        scrub::{PAGE, Round, Scrub, pause},
        scrub_log::perfect_root,
    },
};
use std::collections::BTreeSet;
use wadi_log::{
    Body, Hash, Peaks, RecordId, Reference, Subtree, TILE_LEVELS, VerifiedEntry, leaf_hash,
};
use wadi_store::{Batch, LogRow, ProjectedRows, RawEntry, Repair, StoreError};

/// A run of entries, from a position to a position, and what is wrong with them.
pub(super) type DamagedRun = (u64, u64, &'static str);
/// A row of the index of entries by record: the record, the position, the leaf as it lies there.
type IndexRow = (RecordId, u64, Vec<u8>);

/// What one log came to.
pub(super) struct Walked {
    pub(super) damage: Vec<DamagedRun>,
    /// Roots of full tiles. Those with a place in which nothing lies are none.
    pub(super) tiles: Vec<Hash>,
    /// Leaves after the last full tile.
    pub(super) tail: Vec<Hash>,
    /// Hashes that the tree keeps.
    pub(super) kept: Vec<(Subtree, Hash)>,
    /// Whether there is a leaf in every place.
    pub(super) whole: bool,
    /// Whether the leaves come to the root that was signed.
    pub(super) root_fits: bool,
}

/// A log on the way from its first entry to its last.
struct Walk<'a> {
    scrub: &'a Scrub,
    row: &'a LogRow,
    /// How often another branch had become the log before its row was read.
    switches: u64,
    mend: bool,
    /// The next place.
    at: u64,
    out: Walked,
    peaks: Peaks,
    /// `Seen` entries that count.
    seen: BTreeSet<Reference>,
}

/// What the entries of one page say of the index.
#[derive(Default)]
struct PageIndex {
    /// What has to stand in it.
    expected: BTreeSet<IndexRow>,
    /// What may, though its author had no right to say it when it came, or has none by now.
    possible: BTreeSet<IndexRow>,
}

impl Scrub {
    /// Reads a log as it lies there.
    pub(super) async fn walk_log(
        &self,
        row: &LogRow,
        switches: u64,
        round: Round,
    ) -> Result<Walked, StoreError> {
        let mut walk = Walk {
            scrub: self,
            row,
            switches,
            mend: round.mend,
            at: 0,
            out: Walked {
                damage: vec![],
                tiles: vec![],
                tail: vec![],
                kept: vec![],
                whole: true,
                root_fits: false,
            },
            peaks: Peaks::default(),
            seen: BTreeSet::new(),
        };

        while walk.at < row.peaks.size() {
            let (entries, bytes) = walk.take_page().await?;
            self.note_scrub(|s| s.entries += entries);
            pause(bytes, round.bytes_s).await;
        }

        walk.mend_seen().await?;
        Ok(walk.end())
    }
}

impl Walk<'_> {
    /// Goes over one page: how many places it covers, and its entries' bytes.
    async fn take_page(&mut self) -> Result<(u64, u64), StoreError> {
        let (log, size, from) = (self.row.log, self.row.peaks.size(), self.at);
        let mut page = self.scrub.door.store.raw_entries(&log, from, PAGE).await?;
        page.retain(|e| e.seq >= from && e.seq < size);
        let end = page.last().map_or(size, |last| last.seq + 1);
        let bytes = page.iter().map(|e| e.bytes.len() as u64).sum();

        let mut index = PageIndex::default();
        for raw in page {
            self.take_entry(raw, &mut index);
        }

        if end == size {
            self.miss_until(size);
        }

        self.mend_index(from, end, &index).await?;
        Ok((end - from, bytes))
    }

    /// Notes that nothing lies between here and a place.
    fn miss_until(&mut self, place: u64) {
        if place > self.at {
            self.out.damage.push((self.at, place, "missing"));
            self.out.whole = false;
            // What comes back to these places is proven with the tiles around them.
            (self.at..place).for_each(|_| self.grow(Hash::default()));
            self.at = place;
        }
    }

    fn take_entry(&mut self, raw: RawEntry, index: &mut PageIndex) {
        if raw.seq < self.at {
            // A second entry in one place: the one that does not belong there goes when the other
            // comes once more.
            self.out.damage.push((raw.seq, raw.seq + 1, "replaced"));
            return;
        }

        self.miss_until(raw.seq);
        self.at = raw.seq + 1;
        let stored = Hash::from_slice(&raw.leaf).ok();
        let leaf = leaf_hash(&raw.bytes);

        if stored == Some(leaf) {
            self.take_sound(raw, leaf, index);
        } else {
            self.out.damage.push((raw.seq, self.at, "rotten"));
            self.out.whole &= stored.is_some();
        }

        self.grow(stored.unwrap_or(leaf));
    }

    /// Notes where an entry that has its hash belongs in the indexes.
    fn take_sound(&mut self, raw: RawEntry, leaf: Hash, index: &mut PageIndex) {
        let log = self.row.log;
        let reference = Reference {
            log,
            seq: raw.seq,
            leaf,
        };
        let Ok(entry) = VerifiedEntry::recheck(reference, raw.bytes) else {
            return;
        };

        let may = entry.entry().is_some_and(|e| {
            let door = &self.scrub.door;
            door.with_control(|c| c.check_right(&log, e).is_ok())
        });
        if let Some(record) = record_of(&entry) {
            if may {
                index.expected.insert((record, raw.seq, raw.leaf.clone()));
            }
            index.possible.insert((record, raw.seq, raw.leaf));
        } else if may && matches!(entry.entry().map(|e| &e.body), Some(Body::Seen(_))) {
            self.seen.insert(reference);
        }
    }

    /// The tree takes one leaf more.
    fn grow(&mut self, leaf: Hash) {
        self.out.tail.push(leaf);
        if self.out.tail.len() == 1 << TILE_LEVELS {
            self.out.tiles.push(perfect_root(&self.out.tail));
            self.out.tail.clear();
        }

        if self.out.whole {
            self.out.kept.extend(self.peaks.append(leaf));
        }
    }

    /// Holds the index over these places against what their entries say, and makes it again where
    /// it says otherwise.
    async fn mend_index(&self, from: u64, end: u64, page: &PageIndex) -> Result<(), StoreError> {
        let (log, door) = (self.row.log, &self.scrub.door);
        let lies: BTreeSet<IndexRow> = door
            .store
            .index(&log, from, end)
            .await?
            .into_iter()
            .collect();

        // An entry that is rotten keeps its place in the index: it comes back.
        let damaged = |seq: &u64| self.out.damage.iter().any(|(a, b, _)| a <= seq && seq < b);
        let side =
            |seq: &u64| door.with_control(|c| c.forks().get(&log).is_some_and(|f| f.at <= *seq));
        let stays =
            |row: &&IndexRow| page.possible.contains(*row) || damaged(&row.1) || side(&row.1);
        let odd = !lies.iter().all(|row| stays(&row));
        if !odd && page.expected.is_subset(&lies) {
            return Ok(());
        }

        let row = |(record, seq, leaf): &IndexRow| {
            let reference = Reference {
                log,
                seq: *seq,
                leaf: Hash::from_slice(leaf).ok()?,
            };
            Some((*record, reference))
        };
        let about = page.expected.iter().chain(lies.iter().filter(stays));
        let batch = Batch {
            project: ProjectedRows {
                about: about.filter_map(row).collect(),
                ..ProjectedRows::default()
            },
            repair: Repair {
                reindexed: if odd { vec![(log, from, end)] } else { vec![] },
                ..Repair::default()
            },
            ..Batch::default()
        };

        self.scrub
            .remake(batch, Some(self.switches), self.mend)
            .await
    }

    /// Makes the list of `Seen` entries again where some are not on it.
    async fn mend_seen(&self) -> Result<(), StoreError> {
        let held: BTreeSet<Reference> = match self.scrub.door.store.seen(&self.row.log).await {
            Ok(held) => held.iter().map(VerifiedEntry::reference).collect(),
            // It is rotten, and on the list already.
            Err(StoreError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };

        let missing: Vec<Reference> = self.seen.difference(&held).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }

        let batch = Batch::from(ProjectedRows {
            seen: missing,
            ..ProjectedRows::default()
        });
        self.scrub
            .remake(batch, Some(self.switches), self.mend)
            .await
    }

    fn end(self) -> Walked {
        let root = self.row.checkpoint.checkpoint.root;
        let root_fits = self.out.whole && self.peaks == self.row.peaks && self.peaks.root() == root;
        Walked {
            root_fits,
            ..self.out
        }
    }
}
