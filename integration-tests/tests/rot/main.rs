//! Disks that rot: bits flipped, and pages zeroed, swapped, torn and lost in database, WAL and
//! anchor of a node whose hub holds everything, too. Damage is found or harms nothing, and what it
//! took comes back byte for byte.

mod country;
mod trial;

use country::*;
use integration_tests::{PATIENCE, network::*, seed};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};
use tokio::task::JoinSet;
use trial::*;
use wadi_log::*;
use wadi_node::{Target, Write};
use wadi_record::Passage;
use wadi_store::StoreError;

#[tokio::test(flavor = "multi_thread")]
async fn what_rots_is_found_or_harmless_and_comes_back_from_the_hub() {
    rots(setup(16).await, trials(40, 1_000), "rot").await;
}

/// A cell that rots does not decrypt: it is found, and comes back, as one that lies there in clear.
#[tokio::test(flavor = "multi_thread")]
async fn what_rots_in_an_encrypted_database_is_found_or_harmless_and_comes_back_as_well() {
    rots(encrypted_setup(16).await, trials(20, 500), "rot-encrypted").await;
}

async fn rots(setup: Setup, count: u64, gate: &str) {
    count_panics();
    let (seed, began) = (seed(), Instant::now());
    let setup = Arc::new(setup);
    let (mut next, mut tried, mut lost, mut undetected, mut harmless) = (0, 0, 0, 0, 0);
    let mut running = JoinSet::new();

    loop {
        while running.len() < AT_ONCE && next < count {
            let (setup, n) = (setup.clone(), next);
            running.spawn(async move { (n, trial(setup, n, seed).await) });
            next += 1;
        }

        let Some(ended) = running.join_next().await else {
            break;
        };
        tried += 1;

        let (n, out) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                println!("a trial ended: {error}");
                lost += 1;
                continue;
            }
        };

        harmless += u64::from(out.differed.is_none() && !out.told);
        if !out.lost.is_empty() {
            lost += 1;
            println!("trial {n}, {}: {:#?}", out.damage, out.lost);
        }

        if let Some(differed) = out.differed.as_ref().filter(|_| !out.told) {
            undetected += 1;
            println!("trial {n}, {}: nobody was told of {differed}", out.damage);
        }

        if n < 2 {
            assert!(
                !out.told && out.differed.is_none(),
                "trial {n}: a whole image is told to be damaged"
            );
        }
    }

    println!("{harmless} of {tried} were harmless");
    let exits = PANICS.load(Ordering::Relaxed);
    tell_gate(gate, tried, lost, undetected, exits, began);
    assert_eq!((lost, undetected, exits), (0, 0, 0), "WADI_SEED={seed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_dark_damage_is_told_and_what_is_whole_stays_until_a_peer_brings_the_rest() {
    let setup = setup(4).await;
    let image = &setup.images[1];
    let dir = setup.country.dir().join("dark");
    copy_dir(&image.dir, &dir);

    let flipped = "UPDATE entries SET bytes = CAST(substr(bytes, 1, 50) || x'ff' || substr(bytes, \
                   52) AS BLOB) \
                   WHERE seq IN (3, 7) AND substr(log, 25, 1) = x'03' AND main = 1";
    let mut damaged = on_disk(&dir, flipped).await;
    damaged += on_disk(
        &dir,
        "DELETE FROM entries WHERE seq = 5 AND substr(log, 25, 1) = x'03' AND main = 1",
    )
    .await;

    // A handed-over record's entry, too, which stands in no log that is held here.
    let beside = "UPDATE entries SET bytes = CAST(substr(bytes, 1, 20) || x'ff' || substr(bytes, \
                  22) AS BLOB) \
                  WHERE (log, seq) = (SELECT log, seq FROM entries WHERE main = 2 \
                  ORDER BY log, seq DESC LIMIT 1)";
    let excerpts = on_disk(&dir, beside).await;
    assert!(damaged >= 6 && excerpts == 1, "{damaged} and {excerpts}");

    let left = rows_on_disk(&dir).await.expect("entries");
    let whole: BTreeSet<Row> = image.rows.intersection(&left).cloned().collect();
    assert_eq!((image.rows.len() - whole.len()) as u64, damaged + excerpts);

    let trb = setup
        .country
        .start_as_daemon("trb", &dir, true)
        .await
        .expect("it starts");

    trb.scrub_soon();
    until("everything was read through", async || {
        let scrub = trb.scrub_status();
        !scrub.running && scrub.ended_ms > 0
    })
    .await;

    let (scrub, status) = (trb.scrub_status(), trb.status().await.expect("a status"));
    assert_eq!(scrub.damaged, damaged + excerpts, "{scrub:?}");

    let alarms = json!(status.alarms).to_string();
    assert!(
        alarms.contains(&format!("{damaged} entries are damaged or missing")),
        "{alarms}"
    );
    assert!(
        alarms.contains("handed over to this crossing are damaged"),
        "{alarms}"
    );

    let now = rows_on_disk(&dir).await.expect("entries");
    assert!(whole.is_subset(&now), "what is whole stays");
    assert!(
        records(&trb).await.expect("records") == image.records,
        "records stand as all their entries made them"
    );

    // A start in between forgets nothing of it.
    trb.stop().await;
    let trb = setup
        .country
        .start_as_daemon("trb", &dir, false)
        .await
        .expect("it starts");

    trb.scrub_soon();
    let hub = setup
        .country
        .start_in("hub", &setup.hub)
        .await
        .expect("the hub starts");

    let wire = connect(&trb, &hub);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lacking = lacks(&setup, image, &dir, &trb, &hub).await;
        if lacking.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{lacking:#?}");
        tokio::time::sleep(LOOK).await;
    }

    drop(wire);
    trb.stop().await;
    hub.stop().await;
}

/// A disk that lost its end: some lengths show only when something is written. Each is a damaged
/// database, which a daemon sets aside and goes on; none may end every start.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_anywhere_does_not_keep_its_node_from_starting() {
    let setup = setup(4).await;
    for image in &setup.images {
        let whole = std::fs::metadata(image.dir.join("node.sqlite"))
            .expect("a database")
            .len();
        for part in 1..16 {
            // In the middle of a page, and at its end.
            let pages = whole / PAGE as u64 * part / 16;
            for cut_at in [pages * PAGE as u64, pages * PAGE as u64 + PAGE as u64 / 3] {
                let place = tempfile::tempdir_in(setup.country.dir()).expect("a directory");
                let dir = place.path().join("trb");
                copy_dir(&image.dir, &dir);

                let file = std::fs::OpenOptions::new()
                    .write(true)
                    .open(dir.join("node.sqlite"))
                    .expect("a database");

                file.set_len(cut_at).expect("cut off");
                // Nobody sets a file aside that is still open.
                drop(file);

                let mut starts = 0;
                let written = loop {
                    starts += 1;
                    let clean = image.clean && starts == 1;
                    let trb = match setup.country.start_as_daemon("trb", &dir, clean).await {
                        Ok(trb) => trb,
                        Err(error) => panic!(
                            "cut off at byte {cut_at} of {whole}, it does not start: {error}"
                        ),
                    };

                    let mut events = trb.listen();
                    let write = Write::by("OF-1", "PORT", Target::New(None), truck(1));
                    let written = trb.write(write).await;
                    let mut asked = asks(&mut events);
                    let deadline = Instant::now() + PATIENCE;
                    while written.is_err() && asked.is_none() && Instant::now() < deadline {
                        tokio::time::sleep(LOOK).await;
                        asked = asks(&mut events);
                    }

                    trb.stop().await;
                    match asked {
                        Some(End::StartOver(why)) if written.is_err() && starts < 4 => {
                            why.inspect(|why| mark_for_rebuild(&dir, why));
                        }
                        _ => break written,
                    }
                };

                written.unwrap_or_else(|e| {
                    panic!("cut off at byte {cut_at} of {whole}, it does not write on: {e}")
                });
            }
        }
    }
}

/// A hub that sends again what was handed over writes nothing over that nobody has looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_rotted_is_told_though_its_entries_come_again() {
    let setup = setup(4).await;
    let image = &setup.images[1];
    let dir = setup.country.dir().join("again");
    copy_dir(&image.dir, &dir);

    let rotten = "UPDATE records SET json = replace(json, 'the bridge is closed', \
                  'the bridge is rotten') \
                  WHERE crossing = 'QAM' AND lane = 3";
    assert_eq!(on_disk(&dir, rotten).await, 1);

    // All that was handed over is asked for again, as after any doubt.
    let doubt = "INSERT OR REPLACE INTO local (scope, key, value) VALUES ('excerpt-lost', '*', '')";
    assert_eq!(on_disk(&dir, doubt).await, 1);

    let trb = setup
        .country
        .start_as_daemon("trb", &dir, true)
        .await
        .expect("it starts");

    let hub = setup
        .country
        .start_in("hub", &setup.hub)
        .await
        .expect("the hub starts");

    let wire = connect(&trb, &hub);
    until("what was handed over came again", async || {
        trb.store()
            .local(&wadi_store::LocalScope::ExcerptLost, "*")
            .await
            .is_ok_and(|doubt| doubt.is_none())
    })
    .await;

    trb.scrub_soon();
    until("the scrub has told of it", async || {
        let scrub = trb.scrub_status();
        assert!(
            scrub.running || scrub.ended_ms == 0 || scrub.rederived > 0,
            "nobody was told: {scrub:?}"
        );
        !scrub.running && scrub.rederived > 0
    })
    .await;

    assert!(
        records(&trb).await.expect("records") == image.records,
        "it stands as its entries made it"
    );

    drop(wire);
    trb.stop().await;
    hub.stop().await;
}

/// A bit that turns one word into another: whoever reads the entry without its hash is told what
/// nobody has said.
#[tokio::test(flavor = "multi_thread")]
async fn what_rotted_is_never_taken_for_what_was_said() {
    let country = Country::of(&[("trb", Role::Crossing, "TRB")]);
    let trb = country.start("trb").await;
    let first = trb
        .write(Write::by("OF-1", "PORT", Target::New(None), truck(1)))
        .await
        .expect("written");
    let note = Passage::on().text("note", "sealed at the gate");
    let said = trb
        .write(Write::by("OF-1", "PORT", Target::On(first.record), note))
        .await
        .expect("written");

    trb.stop().await;
    let dir = country.dir_of("trb");

    // In the middle of an entry, which is no text: byte by byte.
    let rows = rows_on_disk(&dir).await.expect("entries");
    let rotten = rows.iter().find_map(|row| {
        let at = row.3.windows(18).position(|w| w == b"sealed at the gate")?;
        let mut bytes = row.3.clone();
        bytes[at] ^= 1;
        Some((row.1, bytes))
    });

    let (seq, bytes) = rotten.expect("the entry");
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path)
        .await
        .expect("the database opens");
    let done =
        sqlx::query("UPDATE entries SET bytes = ?1 WHERE seq = ?2 AND substr(log, 25, 1) = x'03'")
            .bind(bytes)
            .bind(seq)
            .execute(&mut conn)
            .await
            .expect("it is done");

    assert_eq!(done.rows_affected(), 1);

    conn.close().await.expect("closed");
    let trb = country.start("trb").await;
    let shown = trb
        .reads()
        .record_at(&first.record, &[], Some(i64::MAX))
        .await
        .expect("the record")
        .to_string();

    assert!(shown.contains("11-A-00001"), "{shown}");
    assert!(
        !shown.contains("realed at the gate"),
        "nobody has said that: {shown}"
    );

    let entry = trb.store().entry(&said.entry).await;
    assert!(
        matches!(entry, Err(StoreError::Damaged { .. })),
        "{entry:?}"
    );

    trb.stop().await;
}

#[test]
fn what_rotted_would_be_taken_for_what_was_said_without_its_hash() {
    if wadi_store::defence::SWITCHABLE {
        assert!(fails_without(
            "hash-on-read",
            "what_rotted_is_never_taken_for_what_was_said"
        ));
    }
}
