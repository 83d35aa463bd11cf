//! One trial: bytes of a database are spoiled, the node starts on it, and what it makes of that is
//! judged.

use crate::country::*;
use integration_tests::{PATIENCE, network::*};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use wadi_log::*;
use wadi_node::{Event, Node, ScopeDigest, Target, Write};
use wadi_store::{AnchorState, SetAside, StoreError};

/// Panics of any task: those of a node's own end no test by themselves. A test that fails panics in
/// a thread of its own name, and is told of anyway.
pub(crate) static PANICS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let thread = std::thread::current();
            if thread.name().is_none_or(|name| name.starts_with("tokio")) {
                PANICS.fetch_add(1, Ordering::Relaxed);
            }
            before(info);
        }));
    });
}

/// One damage, as the seed has it; says what was done.
pub(crate) fn spoil(dir: &Path, old: &[u8], r: &mut StdRng) -> String {
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
pub(crate) struct Outcome {
    pub(crate) damage: String,
    /// What is not there or not right in the end.
    pub(crate) lost: Vec<String>,
    /// What was there at first and was not what had been written.
    pub(crate) differed: Option<String>,
    /// Somebody was told.
    pub(crate) told: bool,
}

pub(crate) enum End {
    Whole,
    /// The node asks for a new start, and may say that its database has to be set aside.
    StartOver(Option<String>),
    Late(Vec<String>),
}

/// Whether a node says that something was wrong.
pub(crate) async fn tells(node: &Node, dir: &Path) -> bool {
    let scrub = node.scrub_status();
    let found = scrub.damaged + scrub.remade + scrub.rederived > 0 || !scrub.structure.is_empty();
    let anchor = *node.store().anchor_state() != AnchorState::Whole;

    found
        || anchor
        || !SetAside::all(dir).is_empty()
        || node.status().await.is_ok_and(|s| !s.alarms.is_empty())
}

/// What is signed and does not verify.
pub(crate) async fn unsigned(country: &Country, node: &Node) -> Result<Vec<String>, StoreError> {
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
pub(crate) async fn lacks(
    setup: &Setup,
    image: &Image,
    dir: &Path,
    trb: &Node,
    hub: &Node,
) -> Vec<String> {
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
pub(crate) fn asks(events: &mut Receiver<Event>) -> Option<End> {
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
pub(crate) async fn works_on(trb: &Node, hub: &Node, n: u64) -> Vec<String> {
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
pub(crate) fn differs(
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

pub(crate) async fn trial(setup: Arc<Setup>, n: u64, seed: u64) -> Outcome {
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

        // What the scrub found between the last two looks.
        out.told |= tells(&trb, &dir).await;

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
