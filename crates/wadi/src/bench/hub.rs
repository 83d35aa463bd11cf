//! `wadi bench hub`: six synthetic sites' blocks into one hub, end to end, and each stage alone.
//!
//! The sites are keys, not nodes: what they signed is made while it is sent, so that memory and CPU
//! are the hub's but for the making, which is measured alone and taken off.

use crate::{
    bench::{Bench, cpu_s, rss_bytes},
    failure::Failure,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use wadi_log::{
    Block, Body, Change, Common, Crossing, Enrolment, Entry, Epoch, Lane, LogId, LogKey,
    LogVerdict, Peaks, RecordId, Reference, Role, VerifiedBlock, verify_block,
};
use wadi_node::{Arriving, Leaving, Node, run_link};
use wadi_reconcile::{Dossier, Facts, reconcile};
use wadi_record::{Author, Draft, Judge, JudgedChange, Passage, Record, state, terms};
use wadi_store::prelude::*;
use wadi_store::{
    Append, Batch, PostgresStore, ProjectedRows, RecordFilter, RecordRow, SqliteStore,
    TemporaryServer,
};
use wadi_sync::{BlockDecoder, BlockEncoder, Message};

pub(super) const SITES: [&str; 6] = ["WLD", "RAB", "MUN", "MAN", "TRB", "QAM"];
/// Bytes of a block, as sites send them.
const BLOCK_BYTES: usize = 8 * 1024;
/// Blocks sent and not yet acknowledged.
const BLOCKS_IN_FLIGHT: usize = 8;
/// Records that each stage alone is measured with.
const STAGE_RECORDS: usize = 4_000;

/// A site's key, and how far it has signed.
pub(super) struct BenchSite {
    key: LogKey,
    pub(super) enrolment: Enrolment,
    log: LogId,
    peaks: Peaks,
    wall_ms: i64,
}

fn draft(n: usize, contradictory: bool) -> Draft {
    // A container number whose check digit is right, or mostly wrong.
    let serial = format!("MSCU{:06}", n % 1_000_000);
    let digit = (0..10)
        .find(|d| iso6346::validate(&format!("{serial}{d}")).is_ok())
        .unwrap_or(0);
    let container = if contradictory {
        format!("{serial}{}", (digit + 1) % 10)
    } else {
        format!("{serial}{digit}")
    };

    Passage::announce("in")
        .plate(
            &format!("{}-A-{:05}", 11 + n / 100_000 % 80, n % 100_000),
            "IQ",
        )
        .text("container.1", container)
        .text("purpose", if contradictory { "goods" } else { "empty" })
        .text("note", "documents complete")
        .gate_in("G1", &format!("ANPR-{n}"))
}

/// Whether a record is one of those that contradict themselves: each so many, or none.
fn contradicts(n: usize, each: usize) -> bool {
    each > 0 && n.is_multiple_of(each)
}

fn edit(n: usize) -> Draft {
    // A customs seal on an empty truck would want an entry of its load.
    Passage::on().text("vehicle.vin", format!("WDB9634031L{:06}", n % 1_000_000))
}

impl BenchSite {
    pub(super) fn new(bench: &Bench, code: &str) -> Result<Self, Failure> {
        let crossing: Crossing = code.parse()?;
        let (key, enrolment) = bench.enrol(&code.to_lowercase(), Role::Crossing, crossing)?;
        let log = LogId {
            node: key.node(),
            epoch: Epoch(rand::random()),
            lane: Lane::Passage,
            crossing,
        };

        Ok(Self {
            key,
            enrolment,
            log,
            peaks: Peaks::default(),
            wall_ms: 1_767_225_600_000,
        })
    }

    fn entry(
        &mut self,
        department: &str,
        draft: &Draft,
        record: Option<RecordId>,
        on: Vec<Reference>,
    ) -> Result<Entry, Failure> {
        let (puts, events) = draft
            .check()
            .map_err(|e| Failure::new(e.code(), e.to_string()))?;
        self.wall_ms += 1_000;

        let common = Common {
            wall_ms: self.wall_ms,
            officer: "OF-0001".into(),
            department: department.into(),
            ..Common::default()
        };

        Ok(Entry {
            common,
            body: Body::Change(Change {
                record,
                based_on: on,
                puts,
                events,
            }),
        })
    }

    /// The records of these numbers, and an edit of each after all of them, in blocks as sites send
    /// them.
    fn blocks(&mut self, numbers: &[usize], each: usize) -> Result<Vec<Block>, Failure> {
        let (mut entries, mut firsts) = (Vec::new(), Vec::new());
        let from = self.peaks.size();
        for (n, seq) in numbers.iter().zip(from..) {
            let entry = self.entry("PORT", &draft(*n, contradicts(*n, each)), None, vec![])?;
            let reference = Reference {
                log: self.log,
                seq,
                leaf: wadi_log::leaf_hash(&entry.encode()?),
            };

            firsts.push(reference);
            entries.push(entry);
        }

        for (n, first) in numbers.iter().zip(firsts) {
            entries.push(self.entry(
                "CUS",
                &edit(*n),
                Some(RecordId::of_first(&first)),
                vec![first],
            )?);
        }

        let mut out = Vec::new();
        let mut run = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            bytes += entry.encode()?.len();
            run.push(entry);
            if bytes >= BLOCK_BYTES {
                out.push(self.sign(&std::mem::take(&mut run))?);
                bytes = 0;
            }
        }

        if !run.is_empty() {
            out.push(self.sign(&run)?);
        }

        Ok(out)
    }

    fn sign(&mut self, entries: &[Entry]) -> Result<Block, Failure> {
        let from = self.peaks.size();
        let signed = VerifiedBlock::author(&self.key, self.log, &self.peaks, entries, 0, vec![])?;
        self.peaks = signed.peaks().clone();

        let entries = signed
            .entries()
            .iter()
            .map(|e| e.bytes().to_vec())
            .collect();

        Ok(Block {
            from,
            entries,
            checkpoint: signed.checkpoint().clone(),
        })
    }
}

/// Makes and encodes a site's frames; without a hub they are thrown away.
async fn feed(
    mut site: BenchSite,
    numbers: Vec<usize>,
    each: usize,
    hub: Option<Arc<Node>>,
) -> Result<u64, Failure> {
    let failed = |why: &str| Failure::new("bench", why);
    let mut encoder = BlockEncoder::new().map_err(|e| failed(&e.to_string()))?;
    let mut wire = None;
    if let Some(hub) = hub {
        let (to, incoming) = mpsc::channel(64);
        let (out, from) = mpsc::channel(64);
        tokio::spawn(run_link(
            hub.door().clone(),
            site.key.node(),
            site.enrolment.tls_key,
            incoming,
            out,
        ));

        for message in Message::opening(&site.enrolment, 0) {
            to.send(Arriving::Message(message))
                .await
                .map_err(|_| failed("the link ended"))?;
        }

        wire = Some((to, from));
    }

    let (mut bytes, mut unacknowledged) = (0, 0);
    for part in numbers.chunks(1_000) {
        for block in site.blocks(part, each)? {
            let frame = encoder.encode(&block).map_err(|e| failed(&e.to_string()))?;
            bytes += frame.len() as u64;
            let Some((to, from)) = &mut wire else {
                continue;
            };

            to.send(Arriving::Frame(Lane::Passage, frame))
                .await
                .map_err(|_| failed("the link ended"))?;
            unacknowledged += 1;

            while unacknowledged >= BLOCKS_IN_FLIGHT {
                unacknowledged -= acknowledged(from).await?;
            }
        }
    }

    if let Some((_to, from)) = &mut wire {
        while unacknowledged > 0 {
            unacknowledged -= acknowledged(from).await?;
        }
    }

    Ok(bytes)
}

async fn acknowledged(from: &mut mpsc::Receiver<Leaving>) -> Result<usize, Failure> {
    match from.recv().await {
        Some(Leaving::Message(Message::Ack { refused: None, .. })) => Ok(1),
        Some(Leaving::Message(Message::Ack {
            refused: Some(reason),
            ..
        })) => Err(Failure::new("bench", format!("refused: {reason}"))),
        Some(_) => Ok(0),
        None => Err(Failure::new("bench", "the link ended")),
    }
}

/// All sites at once; the bytes of their frames. Of `each` records one contradicts itself.
pub(super) async fn feed_all(
    sites: Vec<BenchSite>,
    records: usize,
    each: usize,
    hub: Option<&Arc<Node>>,
) -> Result<u64, Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for (n, site) in sites.into_iter().enumerate() {
        let numbers = (n..records).step_by(SITES.len()).collect();
        tasks.spawn(feed(site, numbers, each, hub.cloned()));
    }

    let mut bytes = 0;
    while let Some(done) = tasks.join_next().await {
        bytes += done.map_err(|e| Failure::new("bench", e.to_string()))??;
    }

    Ok(bytes)
}

/// Waits until a hub has reconciled everything; begun then.
pub(super) async fn until_reconciled(hub: &Node, started: Instant) -> Result<(), Failure> {
    while !hub.store().changes(hub.reconciled(), 1).await?.is_empty() {
        if started.elapsed() > Duration::from_secs(7_200) {
            let why = "the hub did not reconcile everything within two hours";
            return Err(Failure::new("bench", why));
        }

        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    Ok(())
}

pub(crate) async fn hub(
    bench: &Bench,
    records: usize,
    contradictory: bool,
    server: Option<&TemporaryServer>,
) -> Result<Value, Failure> {
    let sites = || {
        SITES
            .iter()
            .map(|code| BenchSite::new(bench, code))
            .collect::<Result<Vec<_>, _>>()
    };

    // What making the blocks costs, to be taken off.
    let each = usize::from(contradictory);
    let before = cpu_s();
    feed_all(sites()?, records, each, None).await?;
    let making = cpu_s() - before;
    let sites = sites()?;
    let papers = bench.enrol("hub", Role::Hub, Crossing::HUB)?;
    let mut known: Vec<Enrolment> = sites.iter().map(|s| s.enrolment.clone()).collect();

    known.push(papers.1.clone());
    let hub = match server {
        None => bench.node(papers, known).await?,
        Some(server) => {
            let dir = bench.dir.path().join("hub");
            std::fs::create_dir_all(&dir)?;
            let (url, key) = (server.create("wadi")?, bench.store_key.as_ref());
            let node = papers.1.node();
            let store = PostgresStore::open_encrypted(&url, &dir, node, key, || ()).await?;
            bench.node_on(store, papers, known).await?
        }
    };

    let cpu = cpu_s();
    let started = Instant::now();
    let bytes = feed_all(sites, records, each, Some(&hub)).await?;
    let durable_s = started.elapsed().as_secs_f64();
    until_reconciled(&hub, started).await?;

    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_s() - cpu - making;
    let rss = rss_bytes();
    let filter = RecordFilter {
        limit: STAGE_RECORDS as u32,
        ..RecordFilter::default()
    };
    let rows = hub.store().records(&filter).await?;
    let counts = hub.store().counts().await?;

    hub.stop().await;
    let disk = match server {
        None => std::fs::metadata(bench.dir.path().join("hub/node.sqlite"))?.len(),
        Some(server) => server.database_bytes("wadi").await?,
    };
    let changes = (2 * records) as f64;

    Ok(json!({
        "store": if server.is_some() { "postgres" } else { "sqlite" },
        "encrypted": bench.store_key.is_some(),
        "records": records,
        "durable_per_s": (changes / durable_s).round(),
        "changes_per_s": (changes / seconds).round(),
        "cpu_us_per_change": (cpu * 1e6 / changes).round(),
        "rss_bytes": rss,
        "disk_bytes_per_change": (disk as f64 / changes).round(),
        "wire_bytes_per_change": (bytes as f64 / changes).round(),
        "findings": counts.findings,
        "stages_us_per_change": stages(bench, rows, contradictory).await?,
    }))
}

/// Each stage alone, on one processor: microseconds a change.
async fn stages(
    bench: &Bench,
    rows: Vec<RecordRow>,
    contradictory: bool,
) -> Result<Value, Failure> {
    let mut site = BenchSite::new(bench, "TRB")?;
    let numbers: Vec<usize> = (0..STAGE_RECORDS).collect();
    let blocks = site.blocks(&numbers, usize::from(contradictory))?;
    let decode = decode_us(&blocks)?;

    let began = Instant::now();
    let verified = verify_blocks(blocks, &site)?;
    let verify = us_per_change(began);

    let changes = judged_changes(&verified, &site);
    let began = Instant::now();
    let records: Vec<Record> = changes
        .into_iter()
        .filter_map(|(id, rows)| Record::build(id, rows))
        .collect();
    let derive = us_per_change(began);

    let project = project_us(&records)?;
    let write = write_us(bench, &site, verified, &rows).await?;
    let rules = rules_us(&rows);

    Ok(json!({
        "decode": decode,
        "verify": verify,
        "derive": derive,
        "project": project,
        "write_one_commit_a_block": write,
        "rules": rules,
    }))
}

/// Microseconds a change of a stage that began then, to a tenth.
fn us_per_change(began: Instant) -> f64 {
    let changes = (2 * STAGE_RECORDS) as f64;
    (began.elapsed().as_secs_f64() * 1e7 / changes).round() / 10.0
}

fn decode_us(blocks: &[Block]) -> Result<f64, Failure> {
    let failed = |e: wadi_sync::SyncError| Failure::new("bench", e.to_string());
    let mut encoder = BlockEncoder::new().map_err(failed)?;
    let frames = blocks
        .iter()
        .map(|b| encoder.encode(b))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;

    let began = Instant::now();
    let mut decoder = BlockDecoder::new().map_err(failed)?;
    for frame in &frames {
        decoder.decode(frame).map_err(failed)?;
    }

    Ok(us_per_change(began))
}

fn verify_blocks(blocks: Vec<Block>, site: &BenchSite) -> Result<Vec<VerifiedBlock>, Failure> {
    let mut peaks = Peaks::default();
    let mut verified = Vec::new();
    for block in blocks {
        let block = verify_block(block, &peaks, &site.enrolment)?;
        peaks = block.peaks().clone();
        verified.push(block);
    }

    Ok(verified)
}

/// The changes of each record, as a hub has them before it derives the record.
fn judged_changes(
    verified: &[VerifiedBlock],
    site: &BenchSite,
) -> BTreeMap<RecordId, Vec<JudgedChange>> {
    let author = Author {
        node: site.key.node(),
        name: "trb".into(),
        role: Role::Crossing,
        crossing: site.enrolment.crossing,
    };
    let judge = Judge {
        author,
        policy: Default::default(),
        officers: Default::default(),
        tokens: Default::default(),
    };

    let mut out: BTreeMap<RecordId, Vec<JudgedChange>> = BTreeMap::new();
    for entry in verified.iter().flat_map(VerifiedBlock::entries) {
        let Some(Entry {
            common,
            body: Body::Change(change),
        }) = entry.entry()
        else {
            continue;
        };

        let reference = entry.reference();
        let id = change
            .record
            .unwrap_or_else(|| RecordId::of_first(&reference));

        out.entry(id).or_default().push(JudgedChange {
            reference,
            common: common.clone(),
            change: change.clone(),
            verdict: LogVerdict::Counts,
            judge: judge.clone(),
        });
    }

    out
}

fn project_us(records: &[Record]) -> Result<f64, Failure> {
    let began = Instant::now();
    let mut bytes = 0;
    for record in records {
        bytes += state(record).line().len()
            + record.json().to_string().len()
            + terms(record).len()
            + record.digest().len();
    }

    let project = us_per_change(began);
    if bytes == 0 || records.len() != STAGE_RECORDS {
        return Err(Failure::new("bench", "the stages measured nothing"));
    }

    Ok(project)
}

/// The rows as the hub came to them, into an empty store: what of the time is the engine's.
async fn write_us(
    bench: &Bench,
    site: &BenchSite,
    verified: Vec<VerifiedBlock>,
    rows: &[RecordRow],
) -> Result<f64, Failure> {
    let dir = bench.dir.path().join("stages");
    std::fs::create_dir_all(&dir)?;
    let store = SqliteStore::open_with(&dir, site.key.node(), bench.store_key.as_ref()).await?;

    let began = Instant::now();
    let mut records = rows.chunks(64).map(<[RecordRow]>::to_vec);
    for block in verified {
        let about = block
            .entries()
            .iter()
            .map(|e| (RecordId::of_first(&e.reference()), e.reference()))
            .collect();

        let records = records.next().unwrap_or_default();
        store
            .commit(Batch {
                append: Append {
                    blocks: vec![block],
                    ..Append::default()
                },
                project: ProjectedRows {
                    about,
                    records,
                    ..ProjectedRows::default()
                },
                ..Batch::default()
            })
            .await?;
    }

    let write = us_per_change(began);
    store.close().await;
    Ok(write)
}

/// A record is looked at once for its two changes, at best.
fn rules_us(rows: &[RecordRow]) -> f64 {
    let facts: Vec<Facts> = rows
        .iter()
        .map(|row| {
            let mut json: Value = serde_json::from_str(&row.json).unwrap_or_default();
            json["born_ms"] = row.born_ms.into();
            Facts {
                id: row.id.to_string(),
                json: Arc::new(json),
            }
        })
        .collect();

    let began = Instant::now();
    for anchor in &facts {
        let dossier = Dossier {
            anchor: anchor.clone(),
            linked: vec![],
            peers: vec![],
            watermarks: BTreeMap::new(),
            policy: Default::default(),
            revoked: BTreeMap::new(),
            keys_taken_back: BTreeMap::new(),
            knew: Default::default(),
            claims: vec![],
            clock_doubts: vec![],
            cut: BTreeMap::new(),
            asked: Default::default(),
        };

        reconcile(&dossier);
    }

    us_per_change(began)
}
