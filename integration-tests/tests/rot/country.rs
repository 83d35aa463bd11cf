//! A country that has worked for a while: what rots in it, and what it is compared by.

use integration_tests::network::*;
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wadi_log::*;
use wadi_node::{Node, ScopeDigest, Status, Target, Write};
use wadi_record::{CustomsEntry, Draft, HoldType, Passage, QuarantineHold, SiteDay};
use wadi_store::{RecordFilter, RecordRow, StoreError};

pub(crate) const PAGE: usize = 8192;
/// Bytes of a frame of a WAL, and of what stands before the first.
pub(crate) const FRAME: usize = 24 + PAGE;
pub(crate) const WAL_HEADER: usize = 32;
/// Bytes of a slot of the anchor.
pub(crate) const SLOT: usize = 4096;
/// Trials at once: they mostly wait.
pub(crate) const AT_ONCE: usize = 6;
/// How often it is looked how a trial stands.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
/// How often in a row everything has to be at rest: longer than links take to look at what time
/// alone brings about.
pub(crate) const CALM: u32 = 30;

/// An entry as it lies on the disk: log, position, leaf, bytes, and on which branch.
pub(crate) type Row = (Vec<u8>, i64, Vec<u8>, Vec<u8>, i64);

/// Records with their terms.
pub(crate) type Told = BTreeMap<RecordId, (RecordRow, BTreeSet<(String, String)>)>;

pub(crate) async fn rows_on_disk(dir: &Path) -> Result<BTreeSet<Row>, sqlx::Error> {
    let path = format!("sqlite://{}?mode=ro", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path).await?;
    let rows: Result<Vec<Row>, sqlx::Error> =
        sqlx::query_as("SELECT log, seq, leaf, bytes, main FROM entries")
            .fetch_all(&mut conn)
            .await;
    let _ = conn.close().await;

    Ok(rows?.into_iter().collect())
}

pub(crate) async fn records(node: &Node) -> Result<Told, StoreError> {
    let rows = node
        .store()
        .records(&RecordFilter {
            limit: 10_000,
            ..Default::default()
        })
        .await?;

    let ids: Vec<RecordId> = rows.iter().map(|r| r.id).collect();
    let mut out: Told = BTreeMap::new();
    for row in rows {
        out.insert(row.id, (RecordRow { changed: 0, ..row }, BTreeSet::new()));
    }

    for (id, what, value) in node.store().terms_of(&ids).await? {
        if let Some((_, terms)) = out.get_mut(&id) {
            terms.insert((what, value));
        }
    }

    Ok(out)
}

pub(crate) fn scopes_of(status: Status) -> BTreeMap<(String, String), ScopeDigest> {
    status
        .scopes
        .into_iter()
        .map(|s| ((s.lane.clone(), s.crossing.clone()), s))
        .collect()
}

/// Traibeel's directory at some moment, and what has to be there ever after.
pub(crate) struct Image {
    pub(crate) dir: PathBuf,
    /// Whether it was stopped in order.
    pub(crate) clean: bool,
    pub(crate) rows: BTreeSet<Row>,
    pub(crate) records: Told,
    pub(crate) scopes: BTreeMap<(String, String), ScopeDigest>,
}

pub(crate) struct Setup {
    pub(crate) country: Country,
    pub(crate) hub: PathBuf,
    /// As a running machine is imaged, with a WAL; and after a stop in order.
    pub(crate) images: [Image; 2],
    /// The database file as it was before the last start.
    pub(crate) old: Vec<u8>,
}

pub(crate) fn truck(n: usize) -> Draft {
    Passage::announce("in")
        .plate(&format!("11-A-{n:05}"), "IQ")
        .gate_in("G1", &format!("R{n}"))
}

/// Writes many at once; the records they are on.
pub(crate) async fn write_all(
    node: &Node,
    department: &str,
    drafts: Vec<(Target, Draft)>,
) -> Vec<RecordId> {
    let officer = match department {
        "PORT" => "OF-1",
        "VET" => "OF-2",
        _ => "OF-3",
    };
    let writes = drafts
        .into_iter()
        .map(|(target, draft)| Write::by(officer, department, target, draft))
        .collect();

    node.write_all(writes)
        .await
        .into_iter()
        .map(|w| w.expect("written").record)
        .collect()
}

/// What a crossing has to tell: passages with several edits and events, holds, a declaration, a
/// day, and a long note.
pub(crate) async fn tell(node: &Node, from: usize, count: usize) {
    let new = |draft| (Target::New(None), draft);
    let trucks = write_all(
        node,
        "PORT",
        (from..from + count).map(|n| new(truck(n))).collect(),
    )
    .await;

    for edit in 0..5 {
        let draft = |n: usize| match edit {
            0 => Passage::on()
                .text("seal.1", format!("S{n}"))
                .text("goods.origin", "IR"),
            1 => Passage::on().text("note", format!("the driver of truck {n} waits at gate 1")),
            2 => Passage::on()
                .text("purpose", "goods")
                .text("goods.hs_code", "0803.90"),
            3 => Passage::on().int("lane", 1 + n as i64 % 4),
            _ => Passage::on().text("handled_by", format!("desk {n}")),
        };

        let all = trucks
            .iter()
            .enumerate()
            .map(|(n, id)| (Target::On(*id), draft(from + n)))
            .collect();

        let department = if edit == 0 { "CUS" } else { "PORT" };
        write_all(node, department, all).await;
    }

    // Longer than a page: its entry and its record lie on overflow pages.
    let long: String = (0..14_000)
        .map(|n| char::from(b'a' + (n * 7 + from) as u8 % 26))
        .collect();
    write_all(
        node,
        "PORT",
        vec![(Target::On(trucks[0]), Passage::on().text("note", long))],
    )
    .await;

    let holds = (0..3).map(|n| {
        new(QuarantineHold::place(HoldType::Veterinary, "law 1")
            .text("commodity", format!("animals {n}")))
    });
    let holds = write_all(node, "VET", holds.collect()).await;
    let more = |id: &RecordId| {
        (
            Target::On(*id),
            QuarantineHold::on().text("note", "papers are awaited"),
        )
    };

    write_all(node, "VET", holds.iter().map(more).collect()).await;
    let declared = CustomsEntry::store("D1", &format!("REF-{from}"))
        .int("total_packages", 12)
        .text("office", "TRB1");
    let day = SiteDay::open(&format!("2026-01-{:02}", 1 + from % 28)).text("note", "a quiet day");

    write_all(node, "CUS", vec![new(declared)]).await;
    write_all(node, "PORT", vec![new(day)]).await;
}

pub(crate) async fn at_rest(nodes: &[&Arc<Node>], hub: &Arc<Node>) {
    let mut calm = 0;
    until("everything is at rest", async || {
        let mut rests = hub
            .store()
            .changes(hub.reconciled(), 1)
            .await
            .expect("changes")
            .is_empty();

        for node in nodes {
            rests &= agree(node, hub).await && node.status().await.expect("a status").unsent == 0;
        }

        calm = if rests { calm + 1 } else { 0 };
        calm >= CALM
    })
    .await;
}

/// A crossing whose hub holds all that it holds, twice: running and stopped.
pub(crate) async fn setup(trucks: usize) -> Setup {
    setup_in(three(), trucks).await
}

/// The same, of nodes that encrypt their databases.
pub(crate) async fn encrypted_setup(trucks: usize) -> Setup {
    setup_in(three().encrypting(), trucks).await
}

fn three() -> Country {
    Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ])
}

async fn setup_in(country: Country, trucks: usize) -> Setup {
    let (hub, qam, trb) = (
        country.start("hub").await,
        country.start("qam").await,
        country.start("trb").await,
    );

    let officer = |officer: &str, department: &str| {
        let (officer, department) = (officer.to_string(), department.to_string());
        let name = format!("officer of {department}");
        Body::Officer(OfficerEntry {
            officer,
            department,
            crossing: None,
            supervisor: false,
            revision: 1,
            revoked: false,
            name,
        })
    };

    hub.write_control(
        vec![officer("OF-1", "PORT"), officer("OF-2", "VET")],
        "OP-1",
    )
    .await
    .expect("registered");

    let wires = [connect(&qam, &hub), connect(&trb, &hub)];
    at_rest(&[&qam, &trb], &hub).await;
    tell(&trb, 0, trucks).await;

    // One that began at Qaim was sent on: Traibeel holds its entries and not their logs.
    let sent_on = write_all(&qam, "PORT", vec![(Target::New(None), truck(900))]).await[0];
    let there = Passage::on().hand_over("TRB", "the bridge is closed");
    write_all(&qam, "PORT", vec![(Target::On(sent_on), there)]).await;
    until("it has come to Traibeel", async || {
        trb.store()
            .record(&sent_on)
            .await
            .expect("records")
            .is_some()
    })
    .await;

    at_rest(&[&qam, &trb], &hub).await;
    drop(wires);
    qam.stop().await;
    trb.stop().await;

    let dir = country.dir_of("trb");
    let old = std::fs::read(dir.join("node.sqlite")).expect("the database");
    let trb = country.start("trb").await;
    let wire = connect(&trb, &hub);

    tell(&trb, trucks, trucks).await;
    at_rest(&[&trb], &hub).await;
    drop(wire);

    let scopes = scopes_of(trb.status().await.expect("a status"));
    let records = records(&trb).await.expect("records");
    let running = country.dir().join("running");
    copy_dir(&dir, &running);

    let wal = std::fs::metadata(running.join("node.sqlite-wal"))
        .expect("a WAL")
        .len() as usize;
    assert!(
        wal > WAL_HEADER + 8 * FRAME,
        "what was written last lies in the WAL: {wal}"
    );

    let rows = rows_on_disk(&dir).await.expect("entries");
    assert!(rows.iter().any(|r| r.4 == 2), "an excerpt is among them");
    assert!(
        rows.iter().any(|r| r.3.len() > PAGE),
        "a long one is among them"
    );

    trb.stop().await;
    hub.stop().await;
    let image = |dir: PathBuf, clean| Image {
        dir,
        clean,
        rows: rows.clone(),
        records: records.clone(),
        scopes: scopes.clone(),
    };

    let images = [image(running, false), image(dir, true)];
    Setup {
        hub: country.dir_of("hub"),
        country,
        images,
        old,
    }
}

/// Runs a statement on the database of a node that does not run.
pub(crate) async fn on_disk(dir: &Path, statement: &'static str) -> u64 {
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path)
        .await
        .expect("the database opens");
    let done = sqlx::query(statement)
        .execute(&mut conn)
        .await
        .expect("it is done");

    conn.close().await.expect("closed");
    done.rows_affected()
}
