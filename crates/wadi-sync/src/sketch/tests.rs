//! Searches between two trees, with the bytes and rounds that they take; and peers that answer
//! nonsense.

use super::{
    ask::{SKETCH_CELLS_MAX, SKETCH_TILES_MAX, tile_range, tiles_of},
    estimator::Estimator,
    *,
};
use crate::Message;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeSet;
use wadi_log::{Epoch, Lane, LogId, NodeId, Tip, node_hash};

/// A tree of leaves that follow from their positions.
struct Tree {
    size: u64,
    row: Vec<Hash>,
}

/// What a search came to.
#[derive(Debug)]
struct Sought {
    found: Vec<(u64, u64)>,
    bytes: usize,
    rounds: usize,
}

fn leaf(n: u64) -> Hash {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&mix(9, n).to_be_bytes());
    Hash(hash)
}

fn tile_root(leaves: &[Hash]) -> Hash {
    // Of a whole tile the root of RFC 6962; of a part of one what `tile_row` makes of it.
    if leaves.len() as u64 != TILE_LEAVES {
        return tile_row(Vec::new(), leaves)[0];
    }
    let mut row = leaves.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
    }
    row[0]
}

impl Tree {
    fn new(size: u64) -> Self {
        let leaves = |tile| -> Vec<Hash> {
            let (from, to) = tile_range(tile, size);
            (from..to).map(leaf).collect()
        };
        let row = (0..tiles_of(size)).map(|t| tile_root(&leaves(t))).collect();
        Self { size, row }
    }

    fn leaves(&self, tile: u64, lost: &BTreeSet<u64>) -> Vec<Hash> {
        let (from, to) = tile_range(tile, self.size);
        let of = |n| match lost.contains(&n) {
            true => leaf(!n),
            false => leaf(n),
        };
        (from..to).map(of).collect()
    }

    /// The tree's row where these leaves were replaced by others.
    fn row_without(&self, lost: &BTreeSet<u64>) -> Vec<Hash> {
        let mut row = self.row.clone();
        let touched: BTreeSet<u64> = lost.iter().map(|n| n / TILE_LEAVES).collect();
        for tile in touched {
            row[tile as usize] = tile_root(&self.leaves(tile, lost));
        }
        row
    }

    /// What whoever holds the whole tree answers.
    fn answer(&self, salt: u64, ask: &SketchAsk) -> Vec<u8> {
        match ask {
            SketchAsk::Tiles { estimator, cells } => {
                let mut sketch = TileSketch::new(salt, self.size, *estimator, *cells);
                self.row.iter().for_each(|root| sketch.add(root));
                sketch.to_bytes()
            }
            SketchAsk::Row { from, count } => {
                let run = &self.row[*from as usize..][..*count as usize];
                run.iter().flat_map(|root| short_hash(salt, root)).collect()
            }
            SketchAsk::Leaves { tiles, cells, raw } => {
                let mut sketch = LeafSketch::new(salt, tiles.len(), *cells);
                let all = tiles.iter().chain(raw);
                all.for_each(|tile| sketch.add(&self.leaves(*tile, &BTreeSet::new())));
                sketch.to_bytes()
            }
        }
    }

    /// Searches for these leaves, with all of the wire in between.
    fn search(&self, lost: &BTreeSet<u64>, salt: u64) -> Sought {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([2; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };
        let tip = Tip {
            size: self.size,
            root: Hash([9; 32]),
        };

        let mut search = SketchSearch::new(self.size, salt, self.row_without(lost)).unwrap();
        let (mut bytes, mut rounds) = (0, 0);
        while let Some(ask) = search.ask() {
            let question = Message::Sketch {
                log,
                tip,
                salt,
                ask: ask.clone(),
            };
            let asked = question.encode();
            assert_eq!(Message::decode(&asked).unwrap(), question);
            assert!(ask.fits(self.size));

            let sketch = self.answer(salt, &ask);
            let answer = Message::SketchIs {
                log,
                tip,
                salt,
                sketch: sketch.clone(),
            };
            let told = answer.encode();
            assert_eq!(Message::decode(&told).unwrap(), answer);

            // Each frame has its length in front.
            bytes += asked.len() + told.len() + 8;
            rounds += 1;
            let leaves = ask.leaf_ranges(self.size).into_iter();
            let leaves: Vec<Vec<Hash>> = leaves
                .map(|(from, _)| self.leaves(from / TILE_LEAVES, lost))
                .collect();
            let short = sketch.get(1..).unwrap_or_default();
            assert!(!search.answer(&ask, short, &leaves), "a short one is none");
            assert!(search.answer(&ask, &sketch, &leaves));
        }

        Sought {
            found: search.found(),
            bytes,
            rounds,
        }
    }
}

fn ranges(lost: &BTreeSet<u64>) -> Vec<(u64, u64)> {
    let all: Vec<u64> = lost.iter().copied().collect();
    let runs = all.chunk_by(|a, b| a + 1 == *b);
    runs.map(|run| (run[0], run[run.len() - 1] + 1)).collect()
}

fn scattered(size: u64, count: usize, seed: u64) -> BTreeSet<u64> {
    let mut r = StdRng::seed_from_u64(seed);
    let mut out = BTreeSet::new();
    while out.len() < count {
        out.insert(r.random_range(0..size));
    }
    out
}

#[test]
fn a_thousand_of_five_million_are_found_to_the_position_in_three_rounds_and_25_kilobytes() {
    let tree = Tree::new(5_000_000);
    let draws = 20;
    let (mut all, mut most, mut asked_again) = (0, 0, 0);
    for seed in 0..draws {
        let lost = scattered(tree.size, 1_000, seed);
        let sought = tree.search(&lost, 1_000 + seed);
        assert_eq!(sought.found, ranges(&lost), "seed {seed}");
        all += sought.bytes;
        if sought.rounds > 3 || sought.bytes > 25_000 {
            println!(
                "seed {seed}: {} bytes, {} rounds",
                sought.bytes, sought.rounds
            );
            asked_again += 1;
        } else {
            most = most.max(sought.bytes);
        }
    }
    let average = all / draws as usize;
    println!("scattered: {average} bytes, {most} at most; {asked_again} of {draws} asked again");
    assert!(
        asked_again <= draws / 100,
        "more than three rounds, or 25 KB"
    );

    // As far from each other as can be: one a tile, in every seventy-eighth tile.
    let even: BTreeSet<u64> = (0..1_000).map(|n| n * 4_999 + n % 7).collect();
    let sought = tree.search(&even, 5);
    assert_eq!(sought.found, ranges(&even));
    assert!(sought.rounds <= 3 && sought.bytes <= 25_000);
    println!("evenly: {} bytes, {} rounds", sought.bytes, sought.rounds);

    // Ten here and ten there: more in a tile than its sketch is for, so that they are told one by
    // one in the end.
    let bursts: BTreeSet<u64> = (0..100)
        .flat_map(|n| (0..10).map(move |m| n * 49_999 + m))
        .collect();
    let sought = tree.search(&bursts, 5);
    assert_eq!(sought.found, ranges(&bursts));
    println!(
        "in bursts: {} bytes, {} rounds",
        sought.bytes, sought.rounds
    );
    assert!(sought.bytes <= 30_000 && sought.rounds <= 5);
}

#[test]
fn one_costs_a_kilobyte_a_run_no_more_than_its_tiles_and_equal_ones_one_round() {
    let tree = Tree::new(5_000_000);
    let tell = |what: &str, lost: BTreeSet<u64>, bytes: usize, rounds: usize| {
        let sought = tree.search(&lost, 7);
        println!("{what}: {} bytes, {} rounds", sought.bytes, sought.rounds);
        assert_eq!(sought.found, ranges(&lost), "{what}");
        assert!(sought.bytes <= bytes, "{what}: {} bytes", sought.bytes);
        assert!(sought.rounds <= rounds, "{what}: {} rounds", sought.rounds);
    };

    tell("none", BTreeSet::new(), 800, 1);
    tell("one", BTreeSet::from([1_234_567]), 1_200, 2);
    tell("the last", BTreeSet::from([4_999_999]), 1_200, 2);
    tell("ten", scattered(tree.size, 10, 3), 1_500, 3);
    tell("a hundred", scattered(tree.size, 100, 3), 4_000, 3);
    tell("a run of 1,000", (4_321_000..4_322_000).collect(), 5_000, 3);

    tell("10,000", scattered(tree.size, 10_000, 3), 320_000, 12);
    tell("100,000", scattered(tree.size, 100_000, 3), 1_300_000, 40);
    // Of too many tiles no leaves are compared.
    let nearly_all = (0..66_000).map(|n| n * TILE_LEAVES).collect();
    let sought = tree.search(&nearly_all, 7);
    println!(
        "66,000 tiles: {} bytes, {} rounds",
        sought.bytes, sought.rounds
    );
    assert_eq!(sought.found, [(0, 66_000 * TILE_LEAVES)]);
    assert!(sought.bytes <= 240_000);

    let mixed = scattered(tree.size, 500, 3).into_iter();
    let mixed = mixed.chain(4_321_000..4_322_000).collect();
    tell("500 and a run of 1,000", mixed, 20_000, 3);
}

#[test]
fn what_differs_nearly_everywhere_costs_less_than_three_bytes_an_entry() {
    let tree = Tree::new(500_000);
    for (count, bytes_each) in [(10_000, 16), (100_000, 16), (400_000, 8), (500_000, 4)] {
        let lost = scattered(tree.size, count, 1);
        let sought = tree.search(&lost, 3);
        println!(
            "{count} of 500,000: {} bytes, {} rounds",
            sought.bytes, sought.rounds
        );
        assert_eq!(sought.found, ranges(&lost), "{count}");
        assert!(
            sought.bytes <= count * bytes_each,
            "{count}: {}",
            sought.bytes
        );
        assert!(sought.bytes <= tree.size as usize * 13 / 4, "{count}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn whatever_differs_in_a_tree_of_whatever_size_is_found_and_nothing_else(seed in any::<u64>()) {
        let mut r = StdRng::seed_from_u64(seed);
        let size = match r.random_range(0..3) {
            0 => r.random_range(1..200),
            1 => r.random_range(1..9_000),
            _ => 64 * r.random_range(1..300),
        };
        let tree = Tree::new(size);
        let mut lost = BTreeSet::new();
        for _ in 0..r.random_range(0..6) {
            let from = r.random_range(0..size);
            match r.random_range(0..3) {
                0 => drop(lost.insert(from)),
                1 => lost.extend((from..size).take(r.random_range(1..400))),
                _ => {
                    let count = r.random_range(0..=size.min(600)) as usize;
                    lost.extend(scattered(size, count, r.random()));
                }
            }
        }

        let sought = tree.search(&lost, r.random());
        prop_assert_eq!(sought.found, ranges(&lost), "of {}", size);
    }
}

#[test]
fn an_estimate_is_enough_and_not_far_too_much() {
    let mut short = 0;
    let mut runs = 0;
    for differing in [1u64, 10, 100, 300, 1_000, 4_000, 20_000] {
        let mut sum = 0.0;
        for salt in 0..40 {
            let (mut mine, mut theirs) =
                (Estimator::new(salt, 78_125), Estimator::new(salt, 78_125));
            for n in 0..78_125 {
                mine.add(n, mix(1, n) % FIELD);
                theirs.add(
                    n,
                    mix(if n % 78_125 < differing { 2 } else { 1 }, n) % FIELD,
                );
            }
            let mut told = Vec::new();
            theirs.write_to(&mut told);
            let most = mine.differences_at_most(&told).unwrap();
            sum += most;
            runs += 1;
            short += u32::from(most * 1.34 < differing as f64 * 1.23);
        }

        let times = sum / 40.0 / differing as f64;
        println!("{differing}: {times:.2} times as many");
        assert!(differing == 1 || times < 1.7, "{differing}: {times}");
    }

    println!("too low for its sketch: {short} of {runs}");
    assert!(short <= 2, "{short}");
}

#[test]
fn tables_that_contradict_each_other_are_peeled_no_longer_than_they_have_cells() {
    // One says that a position differs, the other that none does: what is peeled of one comes back
    // in the other, for ever.
    let mut torn = [CellTable::mixed(1, 64), CellTable::mixed(1, 100)];
    torn[0].add(5, 1);
    let peeled = peel(&mut torn, 1_000);
    assert!(!peeled.whole, "{peeled:?}");

    // Nor are sums taken that are none of the field.
    let mut cells = CellTable::mixed(1, 64);
    assert!(cells.subtract(&[0; 64 * CELL_BYTES]) && cells.is_empty());
    assert!(!cells.subtract(&[0xff; 64 * CELL_BYTES]));
}

#[test]
fn whoever_answers_nonsense_is_asked_a_bounded_number_of_questions() {
    let seed = 4;
    let mut r = StdRng::seed_from_u64(seed);
    let tree = Tree::new(40_000);
    for kind in 0..4 {
        let mut search = SketchSearch::new(tree.size, 9, tree.row.clone()).unwrap();
        let mut questions = 0;
        while let Some(ask) = search.ask() {
            questions += 1;
            assert!(questions <= 60, "kind {kind} goes on");
            let mut told = tree.answer(9, &ask);
            match kind {
                0 => told.fill(0xff),
                1 => told.fill(0),
                2 => told
                    .iter_mut()
                    .for_each(|byte| *byte = r.random_range(0..250)),
                _ => {
                    let at = r.random_range(0..told.len());
                    told[at] ^= 1;
                }
            }

            let leaves = ask.leaf_ranges(tree.size).into_iter();
            let leaves: Vec<Vec<Hash>> = leaves
                .map(|(from, _)| tree.leaves(from / TILE_LEAVES, &BTreeSet::new()))
                .collect();
            if !search.answer(&ask, &told, &leaves) {
                break;
            }
        }

        let found = search.found();
        assert!(found.iter().all(|(from, to)| from < to && *to <= tree.size));
        println!("kind {kind}: {questions} questions, {} ranges", found.len());
    }
}

#[test]
fn a_tree_is_not_asked_about_what_it_does_not_have_nor_too_much_at_once() {
    let leaves =
        |tiles: Vec<u64>, cells: u32, raw: Vec<u64>| SketchAsk::Leaves { tiles, cells, raw };
    let tiles = |cells: u32| SketchAsk::Tiles {
        estimator: false,
        cells,
    };
    for (ask, fits) in [
        (tiles(SKETCH_CELLS_MAX as u32), true),
        (tiles(SKETCH_CELLS_MAX as u32 + 1), false),
        (tiles(0), false),
        (SketchAsk::Row { from: 9, count: 1 }, true),
        (SketchAsk::Row { from: 9, count: 2 }, false),
        (
            SketchAsk::Row {
                from: u64::MAX,
                count: 2,
            },
            false,
        ),
        (leaves(vec![0, 9], 24, vec![]), true),
        (leaves(vec![9, 0], 24, vec![]), false),
        (leaves(vec![], 24, vec![10]), false),
        (leaves(vec![u64::MAX], 24, vec![]), false),
        (
            leaves((0..=SKETCH_TILES_MAX as u64).collect(), 0, vec![]),
            false,
        ),
        (leaves(vec![], 0, vec![]), false),
    ] {
        assert_eq!(ask.fits(600), fits, "{ask:?}");
    }

    // A sketch takes no more positions than its field has.
    let rows = SketchAsk::Row { from: 0, count: 1 };
    assert!(rows.fits(POSITIONS_MAX * TILE_LEAVES) && !rows.fits(FIELD * TILE_LEAVES));
}
