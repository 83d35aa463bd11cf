//! What was replaced is found with the help of a peer, and what is missing, rotten or replaced is
//! fetched back in few bytes: this node holds everything else of the log, and the root that its
//! author signed says whether what came is what stood there.

use crate::{
    door::{Door, command::Command},
    upkeep::{
        scrub::{Scrub, of_sequencer},
        scrub_walk::Walked,
    },
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wadi_log::{
    EntryRun, Hash, HeldTree, LogId, NodeId, TILE_LEVELS, Tip, VerifiedStretch, verify_patch,
};
use wadi_store::{LogRow, StoreError};
use wadi_sync::{PICK_ENTRIES_MAX, PICK_RANGES_MAX, SketchSearch, tile_row};

/// Bytes of entries that are held back until all of a log have come. What is more comes proven,
/// stretch by stretch, and is written as it comes.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries of a log that are fetched so at most.
const PICKED_ENTRIES_MAX: u64 = 65_536;
/// Entries that are put back in one commit.
const PUT_BACK_ENTRIES: usize = 512;

/// Where a log differs from what a peer holds.
struct Differing {
    ranges: Vec<(u64, u64)>,
    /// Bytes on the wire, both ways, and questions.
    bytes: u64,
    rounds: u32,
}

impl Scrub {
    /// Where a log that was replaced here differs from what a peer holds: the very positions, and
    /// from a peer of an earlier version runs of 64 entries. Nothing where nobody tells.
    pub(super) async fn find_replaced(
        &self,
        log: LogId,
        tip: Tip,
        own: &Walked,
    ) -> Option<Vec<(u64, u64)>> {
        for peer in self.door.links.peers() {
            let row = tile_row(own.tiles.clone(), &own.tail);
            if let Some(found) = self.door.search_by_sketches(peer, log, tip, row).await
                && !found.ranges.is_empty()
            {
                tracing::info!(
                    log = %log,
                    ranges = found.ranges.len(),
                    bytes = found.bytes,
                    rounds = found.rounds,
                    "found what was replaced",
                );
                return Some(found.ranges);
            }

            if let Some((found, _)) = self.door.bisect(peer, log, tip, &|s| own.hash(s)).await
                && !found.is_empty()
            {
                return Some(found);
            }
        }

        None
    }

    /// Fetches these entries of a log back without a proof for each, and puts them in their places
    /// once all of them make the signed root with what is held. Returns whether that was done:
    /// nothing is written otherwise.
    pub(super) async fn pick_back(
        &self,
        row: &LogRow,
        ranges: &[(u64, u64)],
        walked: &Walked,
        switches: u64,
    ) -> Result<bool, StoreError> {
        let count: u64 = ranges.iter().map(|(from, to)| to - from).sum();
        if count > PICKED_ENTRIES_MAX {
            return Ok(false);
        }

        let log = row.log;
        let author = self.door.with_control(|c| c.enrolment(&log.node).cloned());
        let Some(author) = author else {
            return Ok(false);
        };
        let tip = Tip {
            size: row.peaks.size(),
            root: row.peaks.root(),
        };

        for peer in self.door.links.peers() {
            let Some(runs) = self.door.pick_entries(peer, log, tip, ranges).await else {
                continue;
            };

            let held = self.door.held_tree(log, ranges, walked).await?;
            match verify_patch(runs, held, &row.checkpoint, &author) {
                Ok(proven) => return self.put_back(log, proven, switches).await,
                Err(error) => {
                    tracing::warn!(%error, log = %log, %peer, "entries came that do not fit");
                    let why = format!(
                        "{}: what came for damaged entries does not make the signed root with \
                         what is held; nothing of it is written, and they are asked for again \
                         with proofs",
                        log.origin(),
                    );
                    let sent_by = peer.to_string();
                    self.door
                        .note_refusal(log.origin(), "entries_unproven".into(), why, sent_by)
                        .await;
                }
            }
        }

        Ok(false)
    }

    /// Hands proven entries to the sequencer, in parts.
    async fn put_back(
        &self,
        log: LogId,
        proven: Vec<VerifiedStretch>,
        switches: u64,
    ) -> Result<bool, StoreError> {
        let (mut part, mut entries) = (Vec::new(), 0);
        let mut parts = Vec::new();
        for stretch in proven {
            entries += stretch.entries().len();
            part.push(stretch);
            if entries >= PUT_BACK_ENTRIES {
                parts.push(std::mem::take(&mut part));
                entries = 0;
            }
        }
        parts.push(part);

        for part in parts {
            let written = self
                .door
                .ask(|reply| Command::PutBack(part, switches, reply))
                .await;
            if !written.map_err(of_sequencer)? {
                return Ok(false);
            }
        }

        tracing::info!(log = %log, "damaged entries came back");
        // What is derived from them is made again.
        let _ = self
            .door
            .events
            .send(crate::door::event::Event::Mended(log));
        Ok(true)
    }
}

impl Door {
    /// Which leaves of a tree, of which the roots of the tiles are as recomputed here, differ from
    /// the ones that a peer holds; nothing where the peer does not know how to tell, or does not
    /// hold it.
    async fn search_by_sketches(
        &self,
        peer: NodeId,
        log: LogId,
        tip: Tip,
        row: Vec<Hash>,
    ) -> Option<Differing> {
        let mut search = SketchSearch::new(tip.size, rand::random(), row)?;
        let (mut bytes, mut rounds) = (0, 0);
        while let Some(ask) = search.ask() {
            let mut leaves = Vec::new();
            for range in ask.leaf_ranges(tip.size) {
                leaves.push(self.own_leaves(log, range).await.ok()?);
            }

            let told = self.ask_sketch(peer, log, tip, search.salt(), &ask).await;
            let (told, cost) = told?;
            (bytes, rounds) = (bytes + cost, rounds + 1);
            if !search.answer(&ask, &told, &leaves) {
                return None;
            }
        }

        Some(Differing {
            ranges: search.found(),
            bytes,
            rounds,
        })
    }

    /// The leaves of a range as they lie there; any hash in place of one that is missing.
    async fn own_leaves(
        &self,
        log: LogId,
        (from, to): (u64, u64),
    ) -> Result<Vec<Hash>, StoreError> {
        let found = self.store.leaves(&log, from, to).await?;
        let mut out = vec![Hash::default(); (to - from) as usize];
        for (seq, leaf) in found {
            let place = seq
                .checked_sub(from)
                .and_then(|at| out.get_mut(at as usize));
            if let Some(place) = place {
                *place = leaf;
            }
        }

        Ok(out)
    }

    /// What is held of a log's tree, with the tiles of these ranges open.
    async fn held_tree(
        &self,
        log: LogId,
        ranges: &[(u64, u64)],
        walked: &Walked,
    ) -> Result<HeldTree, StoreError> {
        let tiles = walked.tiles.len() as u64;
        let of_range = |(from, to): &(u64, u64)| from >> TILE_LEVELS..=(to - 1) >> TILE_LEVELS;
        let touched: BTreeSet<u64> = ranges.iter().flat_map(of_range).collect();

        let mut opened = BTreeMap::new();
        for tile in touched.into_iter().filter(|tile| *tile < tiles) {
            let range = (tile << TILE_LEVELS, (tile + 1) << TILE_LEVELS);
            opened.insert(tile, self.own_leaves(log, range).await?);
        }

        Ok(HeldTree {
            tiles: walked.tiles.clone(),
            tail: walked.tail.clone(),
            opened,
        })
    }

    /// All these entries of a tree as a peer gives them, not verified; nothing where it does not
    /// give all of them, or they are too many bytes to hold.
    async fn pick_entries(
        &self,
        peer: NodeId,
        log: LogId,
        tip: Tip,
        ranges: &[(u64, u64)],
    ) -> Option<Vec<EntryRun>> {
        let mut picking = Picking::of(ranges);
        while let Some(asked) = picking.ask() {
            let entries = self.ask_pick(peer, log, tip, asked).await?;
            if !picking.take(entries) {
                return None;
            }
        }

        Some(picking.runs)
    }
}

/// Entries on their way without a proof.
struct Picking {
    /// What has not come yet.
    left: VecDeque<(u64, u64)>,
    runs: Vec<EntryRun>,
    /// Bytes of the entries that came.
    bytes: usize,
}

impl Picking {
    fn of(ranges: &[(u64, u64)]) -> Self {
        Self {
            left: ranges.iter().copied().collect(),
            runs: Vec::new(),
            bytes: 0,
        }
    }

    /// What to ask for at once; nothing where all have come.
    fn ask(&self) -> Option<Vec<(u64, u64)>> {
        let mut room = PICK_ENTRIES_MAX as u64;
        let mut out = Vec::new();
        for (from, to) in self.left.iter().take(PICK_RANGES_MAX) {
            let to = (*to).min(from + room);
            room -= to - from;
            out.push((*from, to));
            if room == 0 {
                break;
            }
        }

        (!out.is_empty()).then_some(out)
    }

    /// Takes the first of what was asked for; false where none came, more than was asked for, or
    /// more bytes than are held back.
    fn take(&mut self, entries: Vec<Vec<u8>>) -> bool {
        let asked = self.ask().unwrap_or_default();
        let wanted: u64 = asked.iter().map(|(from, to)| to - from).sum();
        self.bytes += entries.iter().map(Vec::len).sum::<usize>();
        let is_some = (1..=wanted).contains(&(entries.len() as u64));
        if !is_some || self.bytes > HELD_BYTES_MAX {
            return false;
        }

        let mut entries = entries.into_iter();
        while entries.len() > 0 {
            let Some((from, to)) = self.left.pop_front() else {
                return false;
            };
            let run: Vec<Vec<u8>> = entries.by_ref().take((to - from) as usize).collect();
            let through = from + run.len() as u64;
            if through < to {
                self.left.push_front((through, to));
            }
            self.runs.push((from, run));
        }

        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Epoch, Lane};
    use wadi_sync::{Message, Picked};

    /// Bytes of entries that a peer puts into one answer, and of each entry.
    const ANSWER_BYTES: usize = 48 * 1024;
    const ENTRY_BYTES: usize = 300;

    /// Picks single entries of a peer that holds all of them; the bytes of all messages.
    fn pick(ranges: &[(u64, u64)]) -> (Picking, usize) {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([2; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };
        let tip = Tip {
            size: 5_000_000,
            root: Hash([9; 32]),
        };

        let (mut picking, mut bytes) = (Picking::of(ranges), 0);
        while let Some(ranges) = picking.ask() {
            let from = ranges[0].0;
            let places = ranges.iter().flat_map(|(from, to)| *from..*to);
            let entries: Vec<Vec<u8>> = places
                .take(ANSWER_BYTES / ENTRY_BYTES)
                .map(|n| [&n.to_be_bytes()[..], &[7; ENTRY_BYTES - 8]].concat())
                .collect();

            let question = Message::Pick { log, tip, ranges };
            let answer = Message::Picked(Picked {
                log,
                tip,
                from,
                entries: entries.clone(),
            });
            for message in [question, answer] {
                let encoded = message.encode();
                assert_eq!(Message::decode(&encoded).unwrap(), message);
                bytes += encoded.len() + 4;
            }
            assert!(picking.take(entries));
        }

        (picking, bytes)
    }

    #[test]
    fn a_thousand_scattered_entries_come_back_for_a_thirtieth_more_than_their_own_bytes() {
        let scattered: Vec<(u64, u64)> = (0..1_000).map(|n| (n * 4_999, n * 4_999 + 1)).collect();
        let (picking, bytes) = pick(&scattered);
        println!("1,000 of {ENTRY_BYTES} bytes: {bytes}");
        assert!(bytes <= 1_000 * ENTRY_BYTES * 103 / 100, "{bytes}");

        let came = picking
            .runs
            .iter()
            .flat_map(|(from, run)| (*from..).zip(run));
        let came: Vec<u64> = came
            .map(|(place, bytes)| {
                assert_eq!(bytes[..8], place.to_be_bytes());
                place
            })
            .collect();
        let wanted: Vec<u64> = scattered.iter().map(|(from, _)| *from).collect();
        assert_eq!(came, wanted);

        // A run costs no more questions than its bytes do.
        let (picking, bytes) = pick(&[(70, 1_070)]);
        println!("1,000 in a run: {bytes}");
        assert!(bytes <= 1_000 * ENTRY_BYTES * 102 / 100, "{bytes}");
        assert_eq!(
            picking.runs.iter().map(|(_, run)| run.len()).sum::<usize>(),
            1_000
        );
    }

    #[test]
    fn who_gives_nothing_more_than_was_asked_for_or_too_much_to_hold_is_asked_no_more() {
        let (few, many) = ([(3, 5)], [(0, 60_000)]);
        assert!(!Picking::of(&few).take(vec![]));
        assert!(!Picking::of(&few).take(vec![vec![1]; 3]));
        assert!(Picking::of(&few).take(vec![vec![1]; 2]));

        let mut picking = Picking::of(&many);
        let large = || vec![vec![0; 1 << 20]; 8];
        assert!(picking.take(large()) && picking.take(large()));
        assert!(!picking.take(large()), "sixteen mebibytes are held at most");
    }

    #[test]
    fn a_question_names_a_bounded_number_of_entries() {
        let scattered: Vec<(u64, u64)> = (0..1_000).map(|n| (n * 10, n * 10 + 1)).collect();
        assert_eq!(
            Picking::of(&scattered).ask().unwrap().len(),
            PICK_RANGES_MAX
        );

        let runs = Picking::of(&[(0, 500), (600, 700), (800, 900)]);
        assert_eq!(runs.ask().unwrap(), [(0, 500), (600, 612)]);
        assert_eq!(Picking::of(&[]).ask(), None);
    }
}
