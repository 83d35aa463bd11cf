//! `wadi bench hostile`: members with valid papers attack a hub, and an honest site goes on
//! writing.
//!
//! What an attacker sends is made before, so that the processor measured is the hub's and the
//! honest site's. It is sent as fast as the hub's link takes it.

use crate::{
    bench::{Bench, cpu_s, rss_bytes, write},
    failure::Failure,
};
use clap::Args;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};
use wadi_log::{
    Block, Body, Change, Checkpoint, Common, Enrolment, Entry, Epoch, Lane, LogId, LogKey, Peaks,
    Put, RecordId, Role, Value as LogValue, VerifiedBlock, leaf_hash,
};
use wadi_node::{Arriving, Leaving, Node, run_link};
use wadi_sync::{BlockEncoder, Message};

/// Letters of a value that compresses well: as long as one may be, about.
const LONG_VALUE: usize = 15_000;
/// How often it is looked whether a post shows at the hub.
const LOOK_PERIOD: Duration = Duration::from_millis(2);
/// A post that does not show in this time ends the measurement.
const SHOWS_MAX: Duration = Duration::from_secs(120);
/// Frames and messages on their way between two nodes, each way: as many as a session has in
/// flight, which on a real link lie in its buffers.
const JOINED_MAX: usize = 4_096;
/// Pause between two posts of the honest site.
const POST_PAUSE: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct HostileArgs {
    /// Seconds of each attack, and of the quiet before it.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Frames or messages that an attacker has ready; it begins anew with none.
    #[arg(long, default_value_t = 4_000)]
    frames: usize,
    /// One kind of attack alone: compressible, one-byte, new-logs, questions or refusals.
    #[arg(long)]
    kind: Option<String>,
}

/// What an attacker does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Attack {
    /// Entries with long values that cost next to nothing on the wire.
    Compressible,
    /// Entries of one byte, as many as a block takes.
    OneByte,
    /// Each block opens a log.
    NewLogs,
    /// Questions that cost ten bytes to ask.
    Questions,
    /// Blocks that are refused.
    Refusals,
}

impl Attack {
    const ALL: [Self; 5] = [
        Self::Compressible,
        Self::OneByte,
        Self::NewLogs,
        Self::Questions,
        Self::Refusals,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Compressible => "compressible",
            Self::OneByte => "one-byte",
            Self::NewLogs => "new-logs",
            Self::Questions => "questions",
            Self::Refusals => "refusals",
        }
    }

    /// What the attacker has ready, and bytes on the wire of each.
    fn arms(self, key: &LogKey, count: usize) -> Result<Vec<(Arriving, usize)>, Failure> {
        if self == Self::Questions {
            let one = || (Arriving::Message(Message::AskDigests), 10);
            return Ok((0..count).map(|_| one()).collect());
        }

        let failed = |e: wadi_sync::SyncError| Failure::new("bench", e.to_string());
        let mut encoder = BlockEncoder::new().map_err(failed)?;
        let lane = match self {
            Self::NewLogs => Lane::Hold,
            _ => Lane::Passage,
        };
        let mut log = log_of(key, lane, rand::random())?;
        let mut peaks = Peaks::default();
        let mut out = Vec::with_capacity(count);

        for n in 0..count {
            let block = match self {
                Self::Compressible => signed(key, log, &mut peaks, &[long(0), long(1), long(2)])?,
                Self::OneByte => one_byte(key, log, &mut peaks),
                Self::NewLogs => {
                    log.epoch = Epoch((n as u64).to_be_bytes());
                    signed(key, log, &mut Peaks::default(), &[short(n)])?
                }
                _ => {
                    let mut block = signed(key, log, &mut Peaks::default(), &[short(n)])?;
                    block.checkpoint.signature[0] ^= 1;
                    block
                }
            };

            let frame = encoder.encode(&block).map_err(failed)?;
            let bytes = frame.len();
            out.push((Arriving::Frame(lane, frame), bytes));
        }

        Ok(out)
    }
}

fn log_of(key: &LogKey, lane: Lane, epoch: [u8; 8]) -> Result<LogId, Failure> {
    Ok(LogId {
        node: key.node(),
        epoch: Epoch(epoch),
        lane,
        crossing: "QAM".parse()?,
    })
}

fn entry(puts: Vec<(&str, String)>) -> Entry {
    let put = |(key, text): (&str, String)| Put {
        key: key.into(),
        value: LogValue::Text(text),
    };
    let common = Common {
        officer: "OF-1".into(),
        department: "PORT".into(),
        ..Common::default()
    };
    let change = Change {
        puts: puts.into_iter().map(put).collect(),
        ..Change::default()
    };

    Entry {
        common,
        body: Body::Change(change),
    }
}

fn long(n: usize) -> Entry {
    let text = || "a".repeat(LONG_VALUE);
    entry(vec![
        ("direction", format!("in{n}")),
        ("note", text()),
        ("vehicle.plate", text()),
    ])
}

fn short(n: usize) -> Entry {
    entry(vec![("note", format!("{n}"))])
}

fn signed(
    key: &LogKey,
    log: LogId,
    peaks: &mut Peaks,
    entries: &[Entry],
) -> Result<Block, Failure> {
    let from = peaks.size();
    let block = VerifiedBlock::author(key, log, peaks, entries, 0, vec![])?;
    *peaks = block.peaks().clone();

    Ok(Block {
        from,
        entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
        checkpoint: block.checkpoint().clone(),
    })
}

/// What no author of ours makes: entries of one byte, signed all the same.
fn one_byte(key: &LogKey, log: LogId, peaks: &mut Peaks) -> Block {
    let from = peaks.size();
    let entries: Vec<Vec<u8>> = (0..wadi_log::BLOCK_ENTRIES_MAX)
        .map(|n| vec![n as u8])
        .collect();
    for entry in &entries {
        peaks.append(leaf_hash(entry));
    }

    let checkpoint = Checkpoint {
        log,
        size: peaks.size(),
        root: peaks.root(),
        hub_time_s: 0,
        logs: Vec::new(),
    };
    Block {
        from,
        entries,
        checkpoint: key.sign(checkpoint),
    }
}

/// Two nodes in this process, joined as a link joins them.
fn join(tasks: &mut JoinSet<()>, one: &Arc<Node>, other: &Arc<Node>) {
    let ends = [(one, other), (other, one)].map(|(at, peer)| {
        let (to, incoming) = mpsc::channel(JOINED_MAX);
        let (out, from) = mpsc::channel::<Leaving>(JOINED_MAX);
        let (door, peer) = (at.door().clone(), peer.me().clone());
        tasks.spawn(async move {
            run_link(door, peer.node(), peer.tls_key, incoming, out).await;
        });
        (to, from)
    });

    let [(to_one, from_one), (to_other, from_other)] = ends;
    for (mut from, to) in [(from_one, to_other), (from_other, to_one)] {
        tasks.spawn(async move {
            while let Some(leaving) = from.recv().await {
                let arriving = match leaving {
                    Leaving::Message(message) => Arriving::Message(message),
                    Leaving::Frame(lane, bytes) => Arriving::Frame(lane, bytes),
                };
                if to.send(arriving).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Milliseconds from a post at the honest site until the hub shows its record, sorted.
async fn posts(
    site: &Node,
    hub: &Node,
    numbers: &mut usize,
    seconds: f64,
) -> Result<Vec<f64>, Failure> {
    let began = Instant::now();
    let mut took = Vec::new();
    while took.len() < 3 || began.elapsed().as_secs_f64() < seconds {
        *numbers += 1;
        let posted = Instant::now();
        let record = site.write(write(*numbers)).await?.record;
        until_shown(hub, &record, posted).await?;
        took.push(posted.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(POST_PAUSE).await;
    }

    took.sort_by(f64::total_cmp);
    Ok(took)
}

async fn until_shown(hub: &Node, record: &RecordId, posted: Instant) -> Result<(), Failure> {
    while hub.store().record(record).await?.is_none() {
        if posted.elapsed() > SHOWS_MAX {
            return Err(Failure::new("bench", "a post does not show at the hub"));
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }

    Ok(())
}

/// The n-th hundredth of what is sorted, to a tenth.
fn percentile(sorted: &[f64], n: usize) -> f64 {
    let at = (sorted.len() * n / 100).min(sorted.len().saturating_sub(1));
    (sorted.get(at).copied().unwrap_or(0.0) * 10.0).round() / 10.0
}

fn latency_json(sorted: &[f64]) -> Value {
    json!({
        "posts": sorted.len(),
        "p50_ms": percentile(sorted, 50),
        "p99_ms": percentile(sorted, 99),
    })
}

/// Sends what it has as fast as it is taken, until the time is over; bytes on the wire.
async fn attack(hub: Arc<Node>, papers: Enrolment, arms: Vec<(Arriving, usize)>) -> AttackLink {
    let (to, incoming) = mpsc::channel(8);
    let (out, mut from) = mpsc::channel(64);
    let link = tokio::spawn(run_link(
        hub.door().clone(),
        papers.node(),
        papers.tls_key,
        incoming,
        out,
    ));
    let answers = tokio::spawn(async move { while from.recv().await.is_some() {} });
    let sent: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
    let count = sent.clone();
    let sending = tokio::spawn(async move {
        for message in Message::opening(&papers, 0) {
            let _ = to.send(Arriving::Message(message)).await;
        }
        for (arm, bytes) in arms {
            if to.send(arm).await.is_err() {
                break;
            }
            count.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        }
        // The link stays up while it is measured.
        std::future::pending::<()>().await;
    });

    AttackLink {
        sent,
        tasks: [link_task(link), answers, sending],
    }
}

/// An attack that is under way.
struct AttackLink {
    sent: Arc<std::sync::atomic::AtomicUsize>,
    tasks: [tokio::task::JoinHandle<()>; 3],
}

impl AttackLink {
    fn sent(&self) -> usize {
        self.sent.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn end(self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}

fn link_task(link: tokio::task::JoinHandle<String>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let _ = link.await;
    })
}

pub(super) async fn hostile(args: HostileArgs) -> Result<Value, Failure> {
    let known = Attack::ALL.into_iter();
    let chosen: Vec<Attack> = known
        .filter(|a| args.kind.as_deref().is_none_or(|kind| kind == a.name()))
        .collect();
    if chosen.is_empty() {
        let names = Attack::ALL.map(Attack::name).join(", ");
        let why = format!("{:?} is none of {names}", args.kind.unwrap_or_default());
        return Err(Failure::usage("unknown_attack", why));
    }

    let mut attacks = Vec::new();
    for attack in chosen {
        attacks.push(one_attack(attack, &args).await?);
    }

    Ok(json!({"seconds": args.seconds, "attacks": attacks}))
}

async fn one_attack(kind: Attack, args: &HostileArgs) -> Result<Value, Failure> {
    let bench = Bench::new()?;
    let papers = bench.enrol("hub", Role::Hub, wadi_log::Crossing::HUB)?;
    let honest = bench.enrol("trb", Role::Crossing, "TRB".parse()?)?;
    let (key, hostile) = bench.enrol("qam", Role::Crossing, "QAM".parse()?)?;
    let members = vec![papers.1.clone(), honest.1.clone(), hostile.clone()];
    let hub = bench.node(papers, members.clone()).await?;
    let site = bench.node(honest, members).await?;

    let mut links = JoinSet::new();
    join(&mut links, &hub, &site);
    let arms = kind.arms(&key, args.frames)?;
    let mut numbers = 0;
    let quiet = posts(&site, &hub, &mut numbers, args.seconds).await?;

    let (cpu, began) = (cpu_s(), Instant::now());
    posts(&site, &hub, &mut numbers, args.seconds / 2.0).await?;
    let quiet_cpu_per_s = (cpu_s() - cpu) / began.elapsed().as_secs_f64();

    let (disk, memory) = (hub.reads().database_bytes().await?, rss_bytes());
    let (cpu, began) = (cpu_s(), Instant::now());
    let under_way = attack(hub.clone(), hostile, arms).await;
    let attacked = posts(&site, &hub, &mut numbers, args.seconds).await?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = (cpu_s() - cpu - quiet_cpu_per_s * seconds).max(0.0);
    let disk = hub.reads().database_bytes().await?.saturating_sub(disk);
    let memory = rss_bytes().saturating_sub(memory);
    let sent = under_way.sent();
    let member = hub.costs().into_iter().find(|m| m.node == "qam");

    under_way.end();
    links.shutdown().await;
    site.stop().await;
    hub.stop().await;
    let per_byte = |amount: f64| (amount * 10.0 / sent.max(1) as f64).round() / 10.0;

    Ok(json!({
        "attack": kind.name(),
        "sent_bytes": sent,
        "disk_bytes": disk,
        "disk_bytes_per_byte": per_byte(disk as f64),
        "cpu_us_per_byte": per_byte(cpu * 1e6),
        "memory_bytes": memory,
        "memory_bytes_per_byte": per_byte(memory as f64),
        "honest": {"quiet": latency_json(&quiet), "attacked": latency_json(&attacked)},
        "member": member,
    }))
}
