//! Writes that come while an earlier commit is still being written: they know of it, nobody is
//! answered before it is durable, and where it fails they fail with it.

use integration_tests::{PATIENCE, network::*};
use sqlx::{Connection, SqliteConnection};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use wadi_log::{RecordId, Role};
use wadi_node::{Node, NodeError, Target, Write, WriteError, Written};
use wadi_record::Passage;
use wadi_store::LocalScope;

type Answer = JoinHandle<Result<Written, NodeError>>;

/// Somebody else who has the database's write lock, as a tool that copies it may: commits wait.
async fn write_lock(dir: &Path) -> SqliteConnection {
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path)
        .await
        .expect("the database opens");
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut conn)
        .await
        .expect("the lock is free");
    conn
}

async fn release(mut lock: SqliteConnection) {
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut lock)
        .await
        .expect("rolled back");
    lock.close().await.expect("closed");
}

fn begin(node: &Arc<Node>, write: Write) -> Answer {
    let node = node.clone();
    tokio::spawn(async move { node.write(write).await })
}

/// Returns when all that was written before is in a commit of its own that is being written: a
/// write that is refused at once was worked off after it, and a second one in a later round.
async fn until_in_flight(node: &Arc<Node>) {
    for _ in 0..2 {
        let nowhere = Target::On(RecordId([7; 32]));
        let refused = node
            .write(Write::by("OF-1", "PORT", nowhere, note("nothing")))
            .await;
        assert!(
            matches!(refused, Err(NodeError::NoRecord(_))),
            "{refused:?}"
        );
    }
}

fn note(text: &str) -> wadi_record::Draft {
    Passage::on().text("note", text)
}

fn truck(plate: &str) -> wadi_record::Draft {
    Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", plate)
}

fn with_key(plate: &str) -> Write {
    let write = Write::by("OF-1", "PORT", Target::New(None), truck(plate));
    Write {
        key: Some((LocalScope::Idempotency("gate".into()), "K-1".into())),
        ..write
    }
}

async fn answered(answer: Answer) -> Result<Written, NodeError> {
    let answer = tokio::time::timeout(PATIENCE, answer)
        .await
        .expect("it is answered");
    answer.expect("the task lives")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_yet_is_known_to_the_next_write_and_to_nobody_else() {
    let country = Country::of(&[("trb", Role::Crossing, "TRB")]);
    let trb = country.start("trb").await;
    let on = |id, text: &str| Write::by("OF-1", "PORT", Target::On(id), note(text));
    let known = trb
        .write(Write::by(
            "OF-1",
            "PORT",
            Target::New(None),
            truck("11-A-1"),
        ))
        .await;
    let known = known.expect("written").record;

    let lock = write_lock(&country.dir_of("trb")).await;
    let first = begin(&trb, with_key("11-A-2"));
    let one = begin(&trb, on(known, "the first note"));
    until_in_flight(&trb).await;

    let repeat = begin(&trb, with_key("11-A-2"));
    let other = begin(&trb, with_key("11-A-3"));
    let two = begin(&trb, on(known, "the second note"));
    let reused = answered(other).await;
    assert!(
        matches!(reused, Err(NodeError::Write(WriteError::KeyReused { .. }))),
        "{reused:?}"
    );

    until_in_flight(&trb).await;
    for answer in [&first, &one, &repeat, &two] {
        assert!(
            !answer.is_finished(),
            "nobody is answered before it is durable"
        );
    }
    let fields = trb.reads().record(&known).await.expect("a record")["fields"].clone();
    assert!(
        fields["note"].is_null(),
        "nobody sees what is not kept: {fields}"
    );

    release(lock).await;
    let (first, repeat) = (
        answered(first).await.unwrap(),
        answered(repeat).await.unwrap(),
    );
    assert!(repeat.repeated && !first.repeated);
    assert_eq!((repeat.record, repeat.entry), (first.record, first.entry));
    answered(one).await.expect("written");
    answered(two).await.expect("written");

    let record = trb.reads().record(&known).await.expect("a record");
    assert_eq!(
        record["fields"]["note"], "the second note",
        "it was written after the first"
    );
    trb.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_takes_with_it_what_was_built_on_it() {
    let country = Country::of(&[("trb", Role::Crossing, "TRB")]);
    let trb = country.start("trb").await;
    let on = |id, text: &str| Write::by("OF-1", "PORT", Target::On(id), note(text));
    let known = trb
        .write(Write::by(
            "OF-1",
            "PORT",
            Target::New(None),
            truck("11-A-1"),
        ))
        .await;
    let known = known.expect("written").record;

    // Whoever has the lock does not give it back for longer than the node waits for it.
    let lock = write_lock(&country.dir_of("trb")).await;
    let first = begin(&trb, with_key("11-A-2"));
    until_in_flight(&trb).await;
    let built_on_it = begin(&trb, with_key("11-A-2"));
    let beside_it = begin(&trb, on(known, "a note"));
    for answer in [first, built_on_it, beside_it] {
        let answer = answered(answer).await;
        assert!(matches!(answer, Err(NodeError::Store(_))), "{answer:?}");
    }

    release(lock).await;
    let again = trb.write(with_key("11-A-2")).await.expect("written");
    assert!(!again.repeated, "nothing was kept of the first");
    trb.write(on(known, "another note")).await.expect("written");
    let record = trb.reads().record(&known).await.expect("a record");
    assert_eq!(record["fields"]["note"], "another note");
    assert_eq!(
        trb.store()
            .record_entries(&known)
            .await
            .expect("entries")
            .len(),
        2
    );
    trb.stop().await;
}

/// Commits that a database holds.
async fn commits(dir: &Path) -> i64 {
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path)
        .await
        .expect("the database opens");
    let held = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'commits'")
        .fetch_one(&mut conn)
        .await
        .expect("it counts its commits");
    conn.close().await.expect("closed");
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_rides_on_the_next_commit() {
    let country = Country::of(&[("trb", Role::Crossing, "TRB")]);
    let trb = country.start("trb").await;
    let dir = country.dir_of("trb");
    let write = || Write::by("OF-1", "PORT", Target::New(None), truck("11-A-1"));
    trb.write(write()).await.expect("written");

    let (before, began) = (commits(&dir).await, Instant::now());
    for n in 0..20 {
        let subject = format!("stranger {n}");
        trb.note_refusal(subject, "odd".into(), "it was odd".into(), "trb".into())
            .await;
        // Whatever is written by itself is written by the time that this is read.
        commits(&dir).await;
    }
    trb.write(write()).await.expect("written");

    // One that is begun waits for a quarter of a second at most, and the write waits for none.
    let most = 2 + began.elapsed().as_millis() as i64 / 250;
    let made = commits(&dir).await - before;
    assert!((1..=most).contains(&made), "{made} commits, {most} at most");
    let told = trb.store().refusals(100).await.expect("refusals").len();
    assert_eq!(told, 20, "all of them came with the write at the latest");

    // Without company it is written all the same.
    trb.note_refusal(
        "last".into(),
        "odd".into(),
        "it was odd".into(),
        "trb".into(),
    )
    .await;
    let deadline = Instant::now() + PATIENCE;
    while trb.store().refusals(100).await.expect("refusals").len() < 21 {
        assert!(Instant::now() < deadline, "the last one is never written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    trb.stop().await;
}
