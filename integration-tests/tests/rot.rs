//! Disks that rot: bits flipped, and pages zeroed, swapped, torn and lost in database, WAL and
//! anchor of a node whose hub holds everything, too. Damage is found or harms nothing, and what it
//! took comes back byte for byte.

use integration_tests::{PATIENCE, network::*, seed};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::broadcast::{Receiver, error::TryRecvError},
    task::JoinSet,
};
use wadi_log::*;
use wadi_node::{Event, Node, ScopeDigest, Status, Target, Write};
use wadi_record::{CustomsEntry, Draft, HoldType, Passage, QuarantineHold, SiteDay};
use wadi_store::{AnchorState, RecordFilter, RecordRow, SetAside, StoreError};

const PAGE: usize = 8192;
/// Bytes of a frame of a WAL, and of what stands before the first.
const FRAME: usize = 24 + PAGE;
const WAL_HEADER: usize = 32;
/// Bytes of a slot of the anchor.
const SLOT: usize = 4096;
/// Trials at once: they mostly wait.
const AT_ONCE: usize = 6;
/// How often it is looked how a trial stands.
const LOOK: Duration = Duration::from_millis(50);
/// How often in a row everything has to be at rest: longer than links take to look at what time
/// alone brings about.
const CALM: u32 = 30;

/// An entry as it lies on the disk: log, position, leaf, bytes, and on which branch.
type Row = (Vec<u8>, i64, Vec<u8>, Vec<u8>, i64);
/// Records with their terms.
type Told = BTreeMap<RecordId, (RecordRow, BTreeSet<(String, String)>)>;

/// Panics of any task: those of a node's own end no test by themselves.
static PANICS: AtomicU64 = AtomicU64::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(info);
        }));
    });
}

async fn rows_on_disk(dir: &Path) -> Result<BTreeSet<Row>, sqlx::Error> {
    let path = format!("sqlite://{}?mode=ro", dir.join("node.sqlite").display());
    let mut conn = SqliteConnection::connect(&path).await?;
    let rows: Result<Vec<Row>, sqlx::Error> =
        sqlx::query_as("SELECT log, seq, leaf, bytes, main FROM entries")
            .fetch_all(&mut conn)
            .await;
    let _ = conn.close().await;

    Ok(rows?.into_iter().collect())
}

async fn records(node: &Node) -> Result<Told, StoreError> {
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

fn scopes_of(status: Status) -> BTreeMap<(String, String), ScopeDigest> {
    status
        .scopes
        .into_iter()
        .map(|s| ((s.lane.clone(), s.crossing.clone()), s))
        .collect()
}

/// Traibeel's directory at some moment, and what has to be there ever after.
struct Image {
    dir: PathBuf,
    /// Whether it was stopped in order.
    clean: bool,
    rows: BTreeSet<Row>,
    records: Told,
    scopes: BTreeMap<(String, String), ScopeDigest>,
}

struct Setup {
    country: Country,
    hub: PathBuf,
    /// As a running machine is imaged, with a WAL; and after a stop in order.
    images: [Image; 2],
    /// The database file as it was before the last start.
    old: Vec<u8>,
}

fn truck(n: usize) -> Draft {
    Passage::announce("in")
        .plate(&format!("11-A-{n:05}"), "IQ")
        .gate_in("G1", &format!("R{n}"))
}

/// Writes many at once; the records they are on.
async fn write_all(node: &Node, department: &str, drafts: Vec<(Target, Draft)>) -> Vec<RecordId> {
    let officer = if department == "PORT" { "OF-1" } else { "OF-2" };
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
async fn tell(node: &Node, from: usize, count: usize) {
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

        write_all(node, "PORT", all).await;
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

async fn at_rest(nodes: &[&Arc<Node>], hub: &Arc<Node>) {
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
async fn setup(trucks: usize) -> Setup {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ]);

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

/// One damage, as the seed has it; says what was done.
fn spoil(dir: &Path, old: &[u8], r: &mut StdRng) -> String {
    let wal = std::fs::metadata(dir.join("node.sqlite-wal")).map_or(0, |m| m.len());
    let name = match r.random_range(0..100) {
        0..15 => "anchor",
        15..50 if wal as usize > WAL_HEADER + FRAME => "node.sqlite-wal",
        _ => "node.sqlite",
    };

    let path = dir.join(name);
    let mut bytes = std::fs::read(&path).expect("a file");
    let (header, page) = match name {
        "anchor" => (0, SLOT),
        "node.sqlite" => (0, PAGE),
        _ => (WAL_HEADER, FRAME),
    };

    let pages = (bytes.len() - header) / page;
    let place = |n: usize| header + n * page;
    let (one, other) = (r.random_range(0..pages), r.random_range(0..pages));
    let half = page / 2;
    let what = match r.random_range(0..12) {
        0..5 => {
            let (at, bit) = (r.random_range(0..bytes.len()), r.random_range(0..8));
            bytes[at] ^= 1u8 << bit;
            format!("bit {bit} of byte {at} is flipped")
        }
        5 if name == "anchor" => {
            bytes.fill(0);
            "it is all zeros".into()
        }
        5 | 6 => {
            bytes[place(one)..place(one) + page].fill(0);
            format!("page {one} is all zeros")
        }
        7 => {
            (0..page).for_each(|n| bytes.swap(place(one) + n, place(other) + n));
            format!("pages {one} and {other} are swapped")
        }
        8 => {
            let torn = bytes[place(other) + half..place(other) + page].to_vec();
            bytes[place(one) + half..place(one) + page].copy_from_slice(&torn);
            format!("page {one} ends as page {other} does")
        }
        9 if name == "node.sqlite" && place(one) + page <= old.len() => {
            // A write of the page, or of its second half, that never reached the disk.
            let from = place(one) + if r.random() { half } else { 0 };
            bytes[from..place(one) + page].copy_from_slice(&old[from..place(one) + page]);
            format!(
                "page {one} is an older one from byte {} on",
                from - place(one)
            )
        }
        9 | 10 => {
            bytes[place(one) + half..place(one) + page].fill_with(|| r.random());
            format!("page {one} ends in rubbish")
        }
        _ => {
            let to = r.random_range(0..bytes.len());
            bytes.truncate(to);
            format!("it is cut off at byte {to}")
        }
    };

    std::fs::write(&path, &bytes).expect("written");
    format!("{name}: {what}")
}

/// What came of a trial.
#[derive(Default)]
struct Outcome {
    damage: String,
    /// What is not there or not right in the end.
    lost: Vec<String>,
    /// What was there at first and was not what had been written.
    differed: Option<String>,
    /// Somebody was told.
    told: bool,
}

enum End {
    Whole,
    /// The node asks for a new start, and may say that its database has to be set aside.
    StartOver(Option<String>),
    Late(Vec<String>),
}

/// Whether a node says that something was wrong.
async fn tells(node: &Node, dir: &Path) -> bool {
    let scrub = node.scrub_status();
    let found = scrub.damaged + scrub.remade + scrub.rederived > 0 || !scrub.structure.is_empty();
    let anchor = *node.store().anchor_state() != AnchorState::Whole;

    found
        || anchor
        || !SetAside::all(dir).is_empty()
        || node.status().await.is_ok_and(|s| !s.alarms.is_empty())
}

/// What is signed and does not verify.
async fn unsigned(country: &Country, node: &Node) -> Result<Vec<String>, StoreError> {
    let members = ["hub", "trb", "qam"].map(|name| country.member(name));
    let key = |node: &NodeId| {
        members
            .iter()
            .find(|e| e.node() == *node)
            .map(|e| e.log_key)
            .unwrap_or_default()
    };

    let mut out = Vec::new();
    for c in node.store().cosignatures(None).await? {
        let head = &c.checkpoint.checkpoint;
        let author = c.checkpoint.verify(&key(&head.log.node));
        if author
            .and_then(|()| c.cosignature.verify(head, &key(&c.cosignature.witness)))
            .is_err()
        {
            out.push(format!("a cosignature of {}", head.log));
        }
    }

    for row in node.store().logs().await? {
        let mut all = node.store().checkpoints(&row.log, 0).await?;
        all.push(row.checkpoint);
        if all.iter().any(|c| c.verify(&key(&row.log.node)).is_err()) {
            out.push(format!("a checkpoint of {}", row.log));
        }
    }

    Ok(out)
}

/// What of an image is not there, or not as it was.
async fn lacks(setup: &Setup, image: &Image, dir: &Path, trb: &Node, hub: &Node) -> Vec<String> {
    let scrub = trb.scrub_status();
    if scrub.running || scrub.ended_ms == 0 {
        return vec![format!("the scrub has not come to its end: {scrub:?}")];
    }

    let (status, hub_status) = match (trb.status().await, hub.status().await) {
        (Ok(status), Ok(hub_status)) => (status, hub_status),
        (Err(error), _) | (_, Err(error)) => {
            return vec![format!("a status does not read: {error}")];
        }
    };

    // An anchor that is gone is told until the next start.
    let unexplained = status
        .alarms
        .iter()
        .filter(|a| !a.starts_with("the anchor file is missing"));
    let mut out: Vec<String> = unexplained.map(|a| format!("alarm: {a}")).collect();
    if status.unsent > 0 {
        out.push(format!("{} entries are not safe at the hub", status.unsent));
    }

    let (mine, theirs) = (scopes_of(status), scopes_of(hub_status));
    let holds_less = |(key, scope): (&(String, String), &ScopeDigest)| {
        mine.get(key).is_none_or(|now| {
            now.entries < scope.entries || theirs.get(key).is_some_and(|hub| hub != now)
        })
    };

    if image.scopes.iter().any(holds_less) {
        out.push(format!("{mine:?} is not {theirs:?}"));
    }

    if !out.is_empty() {
        return out;
    }

    match rows_on_disk(dir).await {
        Ok(rows) => {
            let gone: Vec<&Row> = image.rows.difference(&rows).collect();
            let first = gone.first().map(|r| (hex(&r.0), r.1, r.4));
            out.extend(first.map(|first| format!("{} entries, {first:?} among them", gone.len())));
        }
        Err(error) => out.push(format!("the entries do not read: {error}")),
    }

    match unsigned(&setup.country, trb).await {
        Ok(all) => out.extend(all),
        Err(error) => out.push(format!("what is signed does not read: {error}")),
    }

    match records(trb).await {
        Ok(now) => {
            for (id, (row, terms)) in &image.records {
                match now.get(id) {
                    Some((as_it_was, same)) if as_it_was == row && same == terms => {}
                    // What the hub has said of it since.
                    Some((grown, _)) if grown.entries > row.entries => {
                        let hub = hub.store().record(id).await.ok().flatten();
                        if hub.is_none_or(|h| {
                            (h.digest, h.state) != (grown.digest, grown.state.clone())
                        }) {
                            out.push(format!("{} is another than at the hub", row.printed));
                        }
                    }
                    Some((now, _)) => out.push(format!("{}: {row:?} is now {now:?}", row.printed)),
                    None => out.push(format!("{} is gone", row.printed)),
                }
            }
        }
        Err(error) => out.push(format!("the records do not read: {error}")),
    }

    out
}

/// What a node asks of the daemon that runs it.
fn asks(events: &mut Receiver<Event>) -> Option<End> {
    loop {
        match events.try_recv() {
            Ok(Event::Broken(why)) => return Some(End::StartOver(Some(why))),
            Ok(Event::Failed(_)) => return Some(End::StartOver(None)),
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(_) => return None,
        }
    }
}

/// Whether a node's writing arrives at the hub, and forks nothing.
async fn works_on(trb: &Node, hub: &Node, n: u64) -> Vec<String> {
    let written = match trb
        .write(Write::by(
            "OF-1",
            "PORT",
            Target::New(None),
            truck(10_000 + n as usize),
        ))
        .await
    {
        Ok(written) => written,
        Err(error) => return vec![format!("it does not write: {error}")],
    };

    let deadline = Instant::now() + PATIENCE;
    while !matches!(hub.store().record(&written.record).await, Ok(Some(_))) {
        if Instant::now() > deadline {
            return vec!["what it writes afterwards does not arrive".into()];
        }
        tokio::time::sleep(LOOK).await;
    }

    let forks = hub.with_control(|c| c.forks().len());
    if forks > 0 {
        vec![format!("{forks} logs are forked")]
    } else {
        vec![]
    }
}

/// The first thing that is not as it was written, in words.
fn differs(
    image: &Image,
    rows: Result<BTreeSet<Row>, sqlx::Error>,
    records: Result<Told, StoreError>,
) -> Option<String> {
    match rows {
        Ok(rows) if rows == image.rows => {}
        Ok(rows) => {
            let one = image.rows.symmetric_difference(&rows).next()?;
            return Some(format!(
                "an entry: log {}, position {}, branch {}",
                hex(&one.0),
                one.1,
                one.4
            ));
        }
        Err(error) => return Some(format!("entries that do not read: {error}")),
    }

    match records {
        Ok(records) if records == image.records => None,
        Ok(records) => {
            let (id, was) = image
                .records
                .iter()
                .find(|(id, was)| records.get(*id) != Some(*was))?;

            Some(format!(
                "a record: {was:?} was read as {:?}",
                records.get(id)
            ))
        }
        Err(error) => Some(format!("records that do not read: {error}")),
    }
}

async fn trial(setup: Arc<Setup>, n: u64, seed: u64) -> Outcome {
    let mut r = StdRng::seed_from_u64(seed.wrapping_add(n));
    let image = &setup.images[n as usize % 2];
    let place = tempfile::tempdir_in(setup.country.dir()).expect("a directory");
    let (dir, hub_dir) = (place.path().join("trb"), place.path().join("hub"));

    copy_dir(&image.dir, &dir);
    copy_dir(&setup.hub, &hub_dir);

    // The first of each are left as they are: nothing may be found where nothing is wrong.
    let damage = if n < 2 {
        String::new()
    } else {
        spoil(&dir, &setup.old, &mut r)
    };

    let mut out = Outcome {
        damage,
        ..Outcome::default()
    };
    let hub = setup
        .country
        .start_in("hub", &hub_dir)
        .await
        .expect("the hub starts");

    let mut clean = image.clean;
    let mut starts = 0;
    loop {
        let trb = match setup.country.start_as_daemon("trb", &dir, clean).await {
            Ok(trb) => trb,
            Err(error) => {
                out.lost.push(format!("it does not start: {error}"));
                break;
            }
        };

        let mut events = trb.listen();
        if starts == 0 {
            out.differed = differs(image, rows_on_disk(&dir).await, records(&trb).await);
        }

        starts += 1;
        out.told |= tells(&trb, &dir).await;
        let wire = connect(&trb, &hub);
        trb.scrub_soon();

        let deadline = Instant::now() + PATIENCE;
        let end = loop {
            out.told |= tells(&trb, &dir).await;
            if let Some(end) = asks(&mut events) {
                break end;
            }

            let lacking = lacks(&setup, image, &dir, &trb, &hub).await;
            if lacking.is_empty() {
                break End::Whole;
            }

            if Instant::now() > deadline {
                break End::Late(lacking);
            }

            tokio::time::sleep(LOOK).await;
        };

        let over = match end {
            End::Whole => {
                out.lost.extend(works_on(&trb, &hub, n).await);
                true
            }
            End::Late(lacking) => {
                out.lost.extend(lacking);
                true
            }
            End::StartOver(_) if starts >= 4 => {
                out.lost
                    .push("it asks for a new start again and again".into());
                true
            }
            End::StartOver(why) => {
                out.told = true;
                clean = false;
                if let Some(why) = why {
                    mark_for_rebuild(&dir, &why);
                }
                false
            }
        };

        drop(wire);
        trb.stop().await;

        if over {
            break;
        }
    }

    hub.stop().await;
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rots_is_found_or_harmless_and_comes_back_from_the_hub() {
    count_panics();
    let seed = seed();
    let setup = Arc::new(setup(16).await);
    let (began, count) = (Instant::now(), trials(40, 1_000));
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
    tell_gate("rot", tried, lost, undetected, exits, began);
    assert_eq!((lost, undetected, exits), (0, 0, 0), "WADI_SEED={seed}");
}

/// Runs a statement on the database of a node that does not run.
async fn on_disk(dir: &Path, statement: &'static str) -> u64 {
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

#[tokio::test(flavor = "multi_thread")]
async fn in_the_dark_damage_is_told_and_what_is_whole_stays_until_a_peer_brings_the_rest() {
    let setup = setup(4).await;
    let image = &setup.images[1];
    let dir = setup.country.dir().join("dark");
    copy_dir(&image.dir, &dir);

    let flipped = "UPDATE entries SET bytes = CAST(substr(bytes, 1, 50) || x'ff' || substr(bytes, 52) AS BLOB) \
                   WHERE seq IN (3, 7) AND substr(log, 25, 1) = x'03' AND main = 1";
    let mut damaged = on_disk(&dir, flipped).await;
    damaged += on_disk(
        &dir,
        "DELETE FROM entries WHERE seq = 5 AND substr(log, 25, 1) = x'03' AND main = 1",
    )
    .await;

    // A handed-over record's entry, too, which stands in no log that is held here.
    let beside = "UPDATE entries SET bytes = CAST(substr(bytes, 1, 20) || x'ff' || substr(bytes, 22) AS BLOB) \
                  WHERE (log, seq) = (SELECT log, seq FROM entries WHERE main = 2 ORDER BY log, seq DESC LIMIT 1)";
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

    let rotten = "UPDATE records SET json = replace(json, 'the bridge is closed', 'the bridge is rotten') \
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
