//! A damaged database is read page by page: every entry whose pages are whole is found, nothing is
//! found that was not written, and no bytes make it panic. What does not open is set aside, and
//! nothing of it is lost on the way.

mod image;
mod own_file;
mod set_aside;

use image::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sqlx::Connection;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};
use wadi_log::*;
use wadi_store::*;

fn scan(dir: &Path) -> (Salvage, Found) {
    let salvage = Salvage::open(&dir.join("node.sqlite")).unwrap();
    let found = salvage.scan(&|_: &LogId| true);
    (salvage, found)
}

/// Positions of a log that were found, each with the very bytes that were written.
fn positions(salvage: &Salvage, found: &Found, author: &Author) -> BTreeSet<u64> {
    let mut out = BTreeSet::new();
    for (seq, all) in found
        .logs
        .get(&author.log)
        .map(|l| &l.entries)
        .into_iter()
        .flatten()
    {
        for (leaf, place) in all {
            let written = &author.entries[*seq as usize];
            assert_eq!(
                *leaf,
                written.reference().leaf,
                "something was found that was not written"
            );

            assert_eq!(salvage.read(place).as_deref(), Some(written.bytes()));
            out.insert(*seq);
        }
    }

    out
}

/// The log as its blocks bring it, each of them verified.
fn rebuilt(salvage: &Salvage, found: &Found, author: &Author) -> Peaks {
    let (me, key) = (enrolment("trb", &author.key), author.key.public());
    let mut peaks = Peaks::default();
    for block in found.blocks(salvage, &author.log, &Peaks::default(), |c| {
        c.verify(&key).is_ok()
    }) {
        peaks = verify_block(block, &peaks, &me).unwrap().peaks().clone();
    }

    peaks
}

fn assert_whole(dir: &Path, image: &Image) {
    let (salvage, found) = scan(dir);
    for author in [&image.own, &image.other] {
        assert_eq!(
            positions(&salvage, &found, author).len(),
            author.entries.len()
        );
        assert_eq!(rebuilt(&salvage, &found, author), author.peaks);
    }
}

fn write(dir: &Path, file: &[u8], wal: Option<&[u8]>) {
    std::fs::write(dir.join("node.sqlite"), file).unwrap();
    match wal {
        Some(wal) => std::fs::write(dir.join("node.sqlite-wal"), wal).unwrap(),
        None => drop(std::fs::remove_file(dir.join("node.sqlite-wal"))),
    }
}

#[tokio::test]
async fn everything_is_found_in_file_and_wal_whatever_became_of_the_first_page() {
    let image = image(&mut random()).await;
    for dir in [image.cut(), image.stopped()] {
        assert_whole(&dir, &image);
        let (salvage, found) = scan(&dir);
        assert!(
            found.pages > 50 && found.unreadable_pages < 5,
            "{} of {}",
            found.unreadable_pages,
            found.pages
        );

        assert_eq!(found.enrolments.len(), 2);
        assert_eq!(found.cosignatures.len(), 1);

        let mut keys = Vec::new();
        salvage.local_keys(|key| keys.push((key.scope, key.key)));
        keys.sort();
        keys.dedup();

        let key = |scope: LocalScope, key: &str| (scope, key.to_string());
        // What was forgotten since the file was written stays forgotten.
        assert_eq!(
            keys,
            [key(LocalScope::Import, "came"), key(LocalScope::Token, "k")]
        );

        let sizes = salvage.survey();
        assert!(sizes[&image.own.log] >= image.own.entries.len() as u64);
        assert!(
            !salvage
                .scan(&|log: &LogId| *log == image.other.log)
                .logs
                .contains_key(&image.own.log)
        );
    }

    let file = std::fs::read(image.cut().join("node.sqlite")).unwrap();
    let wal = std::fs::read(image.cut().join("node.sqlite-wal")).unwrap();

    for rubbish in [0x00, 0xa5] {
        let mut file = file.clone();
        file[..PAGE].fill(rubbish);
        write(&image.cut(), &file, Some(&wal));
        assert_whole(&image.cut(), &image);

        // The WAL's header says how to read it; it is read without.
        let mut wal = wal.clone();
        wal[..32].fill(rubbish);
        write(&image.cut(), &file, Some(&wal));
        assert_whole(&image.cut(), &image);
    }
}

/// Pages of a file in which something of each entry lies: wherever its hash stands, and its
/// overflow pages.
fn pages_of(file: &[u8], entries: &[VerifiedEntry]) -> Vec<BTreeSet<usize>> {
    let mut out = vec![BTreeSet::new(); entries.len()];
    let leaf = |e: &VerifiedEntry| e.reference().leaf.0[..8].to_vec();
    let leaves: HashMap<Vec<u8>, usize> = entries
        .iter()
        .enumerate()
        .map(|(n, e)| (leaf(e), n))
        .collect();

    for (at, window) in file.windows(8).enumerate() {
        if let Some(n) = leaves.get(window) {
            out[*n].extend([at / PAGE, (at + 31) / PAGE]);
        }
    }

    // An overflow page's bytes begin behind the number of the next one; SQLite fills all but the
    // last to their ends, and puts no less than a thousand bytes into that.
    let mut begins: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (n, page) in file.chunks_exact(PAGE).enumerate() {
        begins.entry(&page[4..20]).or_default().push(n);
    }

    for (n, e) in entries.iter().enumerate() {
        for window in e.bytes().windows(16) {
            out[n].extend(begins.get(window).into_iter().flatten());
        }
    }

    out
}

#[tokio::test]
async fn every_entry_whose_pages_are_whole_is_found() {
    let mut r = random();
    let image = image(&mut r).await;
    let file = std::fs::read(image.stopped().join("node.sqlite")).unwrap();
    let pages = pages_of(&file, &image.own.entries);
    assert!(pages.iter().all(|p| !p.is_empty()) && pages.iter().any(|p| p.len() > 3));

    let count = file.len() / PAGE;
    let dir = tempfile::tempdir().unwrap();
    let (mut lost, mut whole) = (0, 0);
    for round in 0..24 {
        let mut file = file.clone();
        let mut gone: BTreeSet<usize> = BTreeSet::new();
        if round % 4 == 0 {
            // Cut off, not always between two pages.
            let kept = r.random_range(count / 4..count);
            file.truncate(kept * PAGE + if round % 8 == 0 { 0 } else { 700 });
            gone.extend(kept..count);
        } else {
            gone.extend((0..r.random_range(1..20)).map(|_| r.random_range(0..count)));
            gone.iter()
                .for_each(|n| file[n * PAGE..(n + 1) * PAGE].fill(0));
        }

        write(dir.path(), &file, None);
        let (salvage, found) = scan(dir.path());
        let positions = positions(&salvage, &found, &image.own);
        for (n, pages) in pages.iter().enumerate() {
            if pages.is_disjoint(&gone) {
                whole += 1;
                assert!(
                    positions.contains(&(n as u64)),
                    "entry {n} on {pages:?} is whole without {gone:?}"
                );
            }

            lost += u32::from(!positions.contains(&(n as u64)));
        }

        // Blocks go as far as every entry is there, and are as good as a peer's.
        let first_gap = (0..).find(|seq| !positions.contains(seq)).unwrap();
        assert!(rebuilt(&salvage, &found, &image.own).size() <= first_gap);
    }

    assert!(lost > 0 && whole > 500, "{lost} lost, {whole} whole");
}

#[tokio::test]
async fn a_wal_that_was_cut_short_gives_what_was_committed_before() {
    let image = image(&mut random()).await;
    let file = std::fs::read(image.cut().join("node.sqlite")).unwrap();
    let wal = std::fs::read(image.cut().join("node.sqlite-wal")).unwrap();
    let dir = tempfile::tempdir().unwrap();

    for (bytes, entries) in &image.wal {
        for torn in [0, 1_000] {
            let end = (*bytes as usize + torn).min(wal.len());
            write(dir.path(), &file, Some(&wal[..end]));
            let (salvage, found) = scan(dir.path());
            let positions = positions(&salvage, &found, &image.own);
            assert!(
                (0..*entries as u64).all(|seq| positions.contains(&seq)),
                "{entries} entries at {end}"
            );
            assert!(rebuilt(&salvage, &found, &image.own).size() >= *entries as u64);
        }
    }

    // The file alone, and the WAL alone.
    write(dir.path(), &file, None);
    let (salvage, found) = scan(dir.path());
    let in_file = positions(&salvage, &found, &image.own);
    std::fs::remove_file(dir.path().join("node.sqlite")).unwrap();
    std::fs::write(dir.path().join("node.sqlite-wal"), &wal).unwrap();

    let (salvage, found) = scan(dir.path());
    let in_wal = positions(&salvage, &found, &image.own);
    assert_eq!(in_file.union(&in_wal).count(), image.own.entries.len());
}

/// Rot of every kind, most of it where it hurts: in the heads of pages.
fn spoil(r: &mut StdRng, bytes: &mut Vec<u8>, stride: usize, first: usize) {
    let pages = (bytes.len() - first) / stride;
    for _ in 0..r.random_range(1..40) {
        let page = first + r.random_range(0..pages) * stride + (stride - PAGE);
        match r.random_range(0..7) {
            0 => {
                let at = r.random_range(0..bytes.len());
                bytes[at] ^= 1u8 << r.random_range(0..8u32);
            }
            1 => {
                let length = r.random_range(1..64);
                (page..page + length).for_each(|at| bytes[at] = r.random());
            }
            2 => bytes[page] = [0x02, 0x0a][r.random_range(0..2usize)],
            3 => {
                let from = first + r.random_range(0..pages) * stride + (stride - PAGE);
                bytes.copy_within(from..from + PAGE, page);
            }
            4 => {
                // An overflow page that goes on in itself, or anywhere.
                let next = r.random_range(0..pages as u32 * 2);
                bytes[page..page + 4].copy_from_slice(&next.to_be_bytes());
            }
            5 => {
                let at = page + r.random_range(0..PAGE - 600);
                let length = r.random_range(1..600);
                (at..at + length).for_each(|at| bytes[at] = r.random());
            }
            _ => bytes[page..page + PAGE].fill(0),
        }
    }

    if r.random_bool(0.2) {
        bytes.truncate(r.random_range(0..bytes.len()));
    }
}

#[tokio::test]
async fn no_bytes_make_it_panic_and_nothing_is_found_that_was_not_written() {
    let mut r = random();
    let image = image(&mut r).await;
    let file = std::fs::read(image.cut().join("node.sqlite")).unwrap();
    let wal = std::fs::read(image.cut().join("node.sqlite-wal")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let leaves: BTreeSet<Hash> = [&image.own, &image.other]
        .iter()
        .flat_map(|a| &a.entries)
        .map(|e| e.reference().leaf)
        .collect();

    let long = std::env::var("WADI_LONG").is_ok_and(|l| l == "1");
    for _ in 0..if long { 1_000 } else { 40 } {
        let (mut file, mut wal) = (file.clone(), wal.clone());
        spoil(&mut r, &mut file, PAGE, 0);
        spoil(&mut r, &mut wal, FRAME, 32);
        if r.random_bool(0.3) {
            file.iter_mut()
                .take(100)
                .for_each(|byte| *byte = r.random());
        }

        write(dir.path(), &file, Some(&wal));
        let (salvage, found) = scan(dir.path());
        let _ = salvage.survey();
        salvage.local_keys(|_| ());

        // Rot may have put an entry into another place: its bytes are those that were written all
        // the same, and blocks are made of what stands where its author signed that it does.
        for (leaf, place) in found
            .logs
            .values()
            .flat_map(|l| l.entries.values().flatten())
        {
            assert!(leaves.contains(leaf) && leaf_hash(&salvage.read(place).unwrap()) == *leaf);
        }

        for author in [&image.own, &image.other] {
            let peaks = rebuilt(&salvage, &found, author);
            let written = author.entries[..peaks.size() as usize].iter();
            let mut same = Peaks::default();
            written.for_each(|e| drop(same.append(e.reference().leaf)));
            assert_eq!(peaks, same);
        }
    }

    for bytes in [
        vec![],
        vec![0; 5],
        vec![0x0a; 3 * PAGE],
        vec![0xff; 100_000],
    ] {
        write(dir.path(), &bytes, Some(&bytes));
        let (_, found) = scan(dir.path());
        assert!(found.logs.values().all(|l| l.entries.is_empty()));
    }
}

#[tokio::test]
async fn of_two_entries_at_one_position_that_one_is_taken_that_was_signed_for() {
    let mut r = random();
    let dir = tempfile::tempdir().unwrap();
    let mut own = Author::new(5, Lane::Passage);
    let store = SqliteStore::open(dir.path(), own.key.node()).await.unwrap();
    let entries: Vec<Entry> = (0..8).map(|_| entry(&mut r, 300)).collect();
    let first = own.block(&entries[..3]);
    let mut thief = Author {
        peaks: own.peaks.clone(),
        ..Author::new(5, Lane::Passage)
    };

    let (mine, theirs) = (own.block(&entries[3..6]), thief.block(&entries[5..8]));
    let batch = Batch::from(Append {
        blocks: vec![first, mine],
        loose: theirs.entries().to_vec(),
        ..Append::default()
    });

    store.commit(batch).await.unwrap();
    store.close().await;
    let (salvage, found) = scan(dir.path());
    let at = |seq: u64| found.logs[&own.log].entries[&seq].len();
    assert_eq!([at(2), at(3), at(4), at(5)], [1, 2, 2, 2]);
    assert_eq!(rebuilt(&salvage, &found, &own), own.peaks);
}
