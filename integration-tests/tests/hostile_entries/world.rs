//! One node that gets all of it, in an order of its own, in a process of its own: what it holds
//! afterwards, what it costs, and whether its honest records still answer.

use super::{
    assaults::thrown,
    equivocation::Equivocator,
    forge::{Captive, Delivery, Forge},
    held::held,
    honest::{HonestSite, registrations},
    hostile_texts::DAY_MS,
    links::HostileLink,
};
use integration_tests::network::Country;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use wadi_log::*;
use wadi_node::{Arriving, Clock, Node, Target, Write};
use wadi_record::Passage;
use wadi_sync::Message;

/// Entries of a chapter: what is made, mixed and delivered before the next is made.
const CHAPTER_ENTRIES: u64 = 5_000;
/// Chapters after which growth is told: caches fill in the first of them.
const MEASURED_CHAPTERS: usize = 15;
/// Honest trucks of a chapter.
const CHAPTER_TRUCKS: usize = 3;
/// Things thrown at links in a chapter.
const CHAPTER_ASSAULTS: usize = 8;
/// Logs of a chapter of which more than one branch is signed.
const CHAPTER_FORKS: usize = 2;
/// Logs that the equivocator forks at a hub at most: one more, and the hub takes the member out, by
/// what it has heard of it so far, which is another thing in each order.
const FORKS_AT_HUB_MAX: usize = 7;
/// How many of the logs of a chapter come later than it, by chance.
const LATE_SHARE: f64 = 0.3;
/// Honest records that are written on at the end.
const WRITTEN_ON: usize = 60;

/// What a world is told.
#[derive(Clone, Copy)]
pub(crate) struct WorldPlan {
    /// The member whose node it is.
    pub(crate) name: &'static str,
    /// Its order.
    pub(crate) order: u64,
    /// The seed of what all worlds get.
    pub(crate) seed: u64,
    /// Hostile entries.
    pub(crate) entries: u64,
}

/// A clock that stands: two worlds differ in nothing but the order of what they hear.
struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(crate) fn country() -> Country {
    Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("trb-2", Role::Crossing, "TRB"),
        ("trb-3", Role::Crossing, "TRB"),
        ("man", Role::Crossing, "MAN"),
        ("mun", Role::Crossing, "MUN"),
        ("qam", Role::Crossing, "QAM"),
    ])
}

/// The two captured members, with their keys.
pub(crate) fn captives(country: &Country) -> Vec<Captive> {
    let captive = |name: &'static str, code: &str| Captive {
        name,
        key: country.key(name),
        crossing: code.parse().expect("a code"),
    };
    vec![captive("trb", "TRB"), captive("man", "MAN")]
}

pub(crate) async fn start(country: &Country, name: &str) -> Arc<Node> {
    let clock = Arc::new(StandingClock(AtomicI64::new(DAY_MS + 86_400_000)));
    let node = country.start_unspared(name, clock).await;
    integration_tests::network::until("it knows the members", async || {
        node.with_control(|c| c.enrolments().count()) >= 7
    })
    .await;

    node
}

/// Memory of this process that lies in memory, MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// By how much a process grew: from the highest of the first third of its chapters, when its caches
/// are full, to the highest of all. Of few chapters it tells nothing.
fn growth_of(resident: &[u64]) -> u64 {
    if resident.len() < MEASURED_CHAPTERS {
        return 0;
    }

    let warm = &resident[..resident.len().div_ceil(3)];
    let highest = |of: &[u64]| of.iter().max().copied().unwrap_or(0);
    highest(resident).saturating_sub(highest(warm))
}

/// What waits to be delivered: each log's blocks in their order.
#[derive(Default)]
struct Undelivered(BTreeMap<LogId, VecDeque<Delivery>>);

impl Undelivered {
    fn put(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let log = delivery.block.checkpoint.checkpoint.log;
            self.0.entry(log).or_default().push_back(delivery);
        }
    }

    fn take(&mut self, r: &mut StdRng) -> Option<Delivery> {
        if self.0.is_empty() {
            return None;
        }

        let at = r.random_range(0..self.0.len());
        let log = *self.0.keys().nth(at)?;
        let queue = self.0.get_mut(&log)?;
        let out = queue.pop_front();
        if queue.is_empty() {
            self.0.remove(&log);
        }
        out
    }
}

/// A world while it runs.
struct World {
    plan: WorldPlan,
    country: Country,
    node: Arc<Node>,
    r: StdRng,
    links: BTreeMap<&'static str, HostileLink>,
    forge: Forge,
    honest: HonestSite,
    equivocator: Equivocator,
    /// Logs that it forked.
    forked: usize,
    waiting: Undelivered,
    refused_honest: Vec<String>,
    slowest: Duration,
    /// When each chapter was over, milliseconds.
    chapter_ms: Vec<u64>,
    thrown: BTreeMap<&'static str, u64>,
}

/// Runs one world to its end; what it came to, as JSON. A line for each record goes into `listing`.
pub(crate) async fn run(plan: WorldPlan, listing: &Path) -> Json {
    let country = country();
    let node = start(&country, plan.name).await;
    let mut world = World {
        plan,
        r: StdRng::seed_from_u64(plan.order.wrapping_mul(0x9e37_79b9).wrapping_add(plan.seed)),
        links: BTreeMap::new(),
        forge: Forge::new(plan.seed, captives(&country)),
        honest: HonestSite::new("trb-3", country.key("trb-3"), "TRB"),
        equivocator: Equivocator::new(plan.seed, "qam", country.key("qam"), "QAM"),
        forked: 0,
        waiting: Undelivered::default(),
        refused_honest: vec![],
        slowest: Duration::ZERO,
        chapter_ms: vec![],
        thrown: BTreeMap::new(),
        country,
        node,
    };

    let began = Instant::now();
    let resident = world.play().await;
    let seconds = began.elapsed().as_secs_f64();
    world.links.clear();
    let held = held(&world.node, listing).await;
    let poisoned = world.poisoned_records().await;
    let ended = ended(&world.node).await;
    let entries = world.node.store().counts().await.expect("counts").entries;
    world.node.stop().await;

    let of_forge = world.forge.counts.iter();
    let counts: BTreeMap<String, u64> = of_forge.map(|(k, n)| (k.name(), *n)).collect();
    json!({
        "held": held,
        "poisoned": poisoned,
        "refused_honest": world.refused_honest,
        "ended": ended,
        "growth_mib": growth_of(&resident),
        "resident_mib": resident,
        "seconds": seconds,
        "chapter_ms": world.chapter_ms,
        "slowest_ms": world.slowest.as_millis() as u64,
        "entries": entries,
        "honest_records": world.honest.records.len(),
        "counts": counts,
        "thrown": world.thrown,
    })
}

/// The task that ended, if any did.
pub(crate) async fn ended(node: &Node) -> Option<String> {
    let ended = tokio::time::timeout(Duration::from_millis(1), node.tasks().ended()).await;
    ended.ok().map(|end| format!("{}: {}", end.task, end.why))
}

impl World {
    /// Everything is made and delivered. This process's memory after each chapter, MiB.
    async fn play(&mut self) -> Vec<u64> {
        self.deliver(registrations(&self.country.key("hub"), "trb-3"))
            .await;
        let (mut made, mut resident) = (0, Vec::new());
        let began = Instant::now();
        while made < self.plan.entries {
            let of_chapter = CHAPTER_ENTRIES.min(self.plan.entries - made);
            let chapter = self.forge.chapter(of_chapter);
            made += chapter
                .iter()
                .map(|d| d.block.entries.len() as u64)
                .sum::<u64>();

            let honest = self.honest.chapter(CHAPTER_TRUCKS);
            self.tell_of_honest_records();
            let assaulted = chapter.last().map(|d| d.block.clone());
            self.waiting.put(chapter);
            self.deliver_some(honest, made >= self.plan.entries).await;
            if let Some(block) = assaulted {
                self.assault(&block).await;
            }
            self.equivocate().await;

            self.settle().await;
            resident.push(resident_mib());
            self.chapter_ms.push(began.elapsed().as_millis() as u64);
        }

        resident
    }

    /// What is there to be touched: some of it by right, and the rest not.
    fn tell_of_honest_records(&mut self) {
        let newest = self.honest.records.iter().rev().take(CHAPTER_TRUCKS);
        for record in newest {
            self.forge.forbidden.note_record(record.id, Lane::Passage);
            self.forge.forbidden.note_entry(record.first);
            self.forge.around.note_log(record.first.log);
            if record.is_shared {
                self.forge.around.note_record(record.id, Lane::Passage);
                self.forge.around.note_entry(record.first);
            }
        }
    }

    /// Delivers what waits, in this world's order, the honest site's between; all of it at the end.
    async fn deliver_some(&mut self, honest: Vec<Delivery>, is_last: bool) {
        let stays = match is_last {
            true => 0,
            false => (self.waiting.0.len() as f64 * LATE_SHARE) as usize,
        };
        let mut honest = VecDeque::from(honest);
        let every = (self.waiting.0.len() / honest.len().max(1)).max(1);
        let mut n = 0;
        while self.waiting.0.len() > stays {
            let Some(delivery) = self.waiting.take(&mut self.r) else {
                break;
            };
            self.deliver(delivery).await;
            n += 1;
            if n % every == 0
                && let Some(delivery) = honest.pop_front()
            {
                self.deliver_honest(delivery).await;
            }
        }

        for delivery in honest {
            self.deliver_honest(delivery).await;
        }
    }

    async fn deliver(&mut self, delivery: Delivery) {
        let link = self.link(delivery.by).await;
        link.send_block(&delivery.block).await;
    }

    /// An honest block is answered, and taken.
    async fn deliver_honest(&mut self, delivery: Delivery) {
        let began = Instant::now();
        let head = delivery.block.checkpoint.checkpoint.clone();
        let link = self.link(delivery.by).await;
        link.settle().await;
        link.send_block(&delivery.block).await;
        let refused = link.settle().await;
        self.slowest = self.slowest.max(began.elapsed());
        self.refused_honest.extend(
            refused
                .into_iter()
                .map(|code| format!("{}: {code}", head.size)),
        );
    }

    async fn link(&mut self, by: &'static str) -> &mut HostileLink {
        let gone = self.links.get(by).is_none_or(HostileLink::has_ended);
        if gone {
            let link = HostileLink::open(&self.country, &self.node, by).await;
            self.links.insert(by, link);
        }

        self.links.get_mut(by).expect("it was opened")
    }

    async fn settle(&mut self) {
        for link in self.links.values_mut() {
            link.settle().await;
        }
    }

    /// A member is heard to have signed more than one branch. Which one counts is a hub's to say,
    /// by what it heard: here each has heard the same one, and the proofs in an order of its own.
    async fn equivocate(&mut self) {
        let left = match self.plan.name {
            "hub" => FORKS_AT_HUB_MAX.saturating_sub(self.forked),
            _ => CHAPTER_FORKS,
        };
        for _ in 0..CHAPTER_FORKS.min(left) {
            self.forked += 1;
            let (deliveries, mut proofs) = self.equivocator.forked_log();
            let last = deliveries.last().cloned();
            for delivery in deliveries {
                self.deliver(delivery).await;
            }

            self.settle().await;
            proofs.shuffle(&mut self.r);
            *self.thrown.entry("fork_proof").or_default() += proofs.len() as u64;
            for proof in proofs {
                let link = self.link("qam").await;
                link.throw(Arriving::Message(Message::ForkProofs(vec![proof])))
                    .await;
            }

            // A block that is answered tells that the proofs before it were taken.
            if let Some(last) = last {
                self.deliver(last).await;
            }
            self.settle().await;
        }
    }

    /// Throws what is no entry at links of a captive's, and lets a stranger knock.
    async fn assault(&mut self, block: &Block) {
        for _ in 0..CHAPTER_ASSAULTS {
            let (name, what) = thrown(&mut self.r, &self.forge.around, block);
            *self.thrown.entry(name).or_default() += 1;
            let link = self.link("mun").await;
            link.throw(what).await;
        }

        *self.thrown.entry("stranger").or_default() += 1;
        HostileLink::knock(&self.country, &self.node, self.r.random()).await;
    }

    /// Honest records that are not as they are where nobody attacks, or take no new write.
    async fn poisoned_records(&self) -> Vec<String> {
        let (_directory, calm) = self.calm_node().await;
        let mut out = Vec::new();
        for record in &self.honest.records {
            let here = self.node.reads().record(&record.id).await;
            let there = calm
                .reads()
                .record(&record.id)
                .await
                .expect("a calm record");
            let Ok(here) = here else {
                out.push(format!("{}: it does not answer", record.id));
                continue;
            };
            // What the captured node of the same crossing may say of it, it says.
            for part in ["fields", "state", "contested"] {
                if !record.is_shared && here[part] != there[part] {
                    out.push(format!(
                        "{}: {part} {} {}",
                        record.id, here[part], there[part]
                    ));
                }
            }
        }

        calm.stop().await;
        let step = (self.honest.records.len() / WRITTEN_ON).max(1);
        for (n, record) in self.honest.records.iter().enumerate().step_by(step) {
            let note = Passage::on().text("note", format!("looked at again {n}"));
            let written = self
                .node
                .write(Write::by("OF-1", "PORT", Target::On(record.id), note))
                .await;
            if let Err(error) = written {
                out.push(format!("{}: {error}", record.id));
            }
        }

        out
    }

    /// The same node with nothing but the honest blocks.
    async fn calm_node(&self) -> (Country, Arc<Node>) {
        let country = country();
        let node = start(&country, self.plan.name).await;
        let mut link = HostileLink::open(&country, &node, "trb-3").await;
        link.send_block(&registrations(&country.key("hub"), "trb-3").block)
            .await;
        let mut honest = HonestSite::new("trb-3", country.key("trb-3"), "TRB");
        while honest.records.len() < self.honest.records.len() {
            for delivery in honest.chapter(CHAPTER_TRUCKS) {
                link.send_block(&delivery.block).await;
            }
        }

        link.settle().await;
        drop(link);
        (country, node)
    }
}
