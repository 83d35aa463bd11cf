//! Hostile entries by the hundred thousand: rightly hashed, rightly signed, and meant to do harm.
//! Nodes that get all of them in different orders live on, hold the same, keep their honest records
//! as they were, and grow by little. `scripts/prove` runs it at full size.

mod assaults;
mod cases;
mod defences;
mod equivocation;
mod forge;
mod held;
mod honest;
mod hostile_kinds;
mod hostile_samples;
mod hostile_texts;
mod kept_bytes;
mod large_records;
mod links;
mod membership_defences;
mod silent_peer;
mod twins;
mod wire_fields;
mod world;

use integration_tests::{network::trials, seed};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};
use world::WorldPlan;

/// Hostile entries that each node gets: in CI, and at full size.
const ENTRIES: (u64, u64) = (100_000, 1_000_000);
/// A hub looks at each record as well: it gets one of so many.
const HUB_PART: u64 = 10;
/// By how much a node's process may grow, MiB.
const GROWTH_MIB_MAX: u64 = 64;
/// What a world is told, in the environment of its process: member, order, seed, entries and where
/// it writes what it came to.
const WORLD: &str = "WADI_HOSTILE_WORLD";

/// Not a test of its own: the process of one world, which the gate starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_world() {
    let Ok(told) = std::env::var(WORLD) else {
        return;
    };
    let parts: Vec<&str> = told.splitn(5, ' ').collect();
    let [name, order, seed, entries, dir] = parts[..] else {
        panic!("{WORLD} has five parts: {told}");
    };
    let plan = WorldPlan {
        name: if name == "hub" { "hub" } else { "trb-2" },
        order: order.parse().expect("an order"),
        seed: seed.parse().expect("a seed"),
        entries: entries.parse().expect("a number"),
    };

    let panicked = note_panics();
    let dir = Path::new(dir);
    let mut told = world::run(plan, &dir.join(format!("{name}-{order}.records"))).await;
    told["panicked"] = json!(*panicked.lock().expect("no panic holds it"));
    let out = dir.join(format!("{name}-{order}.json"));
    std::fs::write(out, told.to_string()).expect("written");
}

/// Where each panic of this process is told from now on: one that is contained is one all the same.
fn note_panics() -> Arc<Mutex<Vec<String>>> {
    let panicked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (told, shown) = (panicked.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        told.lock()
            .expect("no panic holds it")
            .push(panic.to_string());
        shown(panic);
    }));

    panicked
}

/// A world in a process of its own.
struct RunningWorld {
    name: &'static str,
    order: u64,
    child: Child,
}

fn start_world(
    name: &'static str,
    order: u64,
    seed: u64,
    entries: u64,
    dir: &Path,
) -> RunningWorld {
    let told = format!("{name} {order} {seed} {entries} {}", dir.display());
    let log = std::fs::File::create(dir.join(format!("{name}-{order}.log"))).expect("a file");
    let child = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["one_world", "--exact", "--nocapture", "--test-threads=1"])
        .env(WORLD, told)
        .env("WADI_SEED", seed.to_string())
        // What the allocator keeps for threads that had a peak once is no memory of the node's.
        .env("MALLOC_ARENA_MAX", "1")
        .stdout(log.try_clone().expect("a file"))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the test runs");

    RunningWorld { name, order, child }
}

impl RunningWorld {
    /// What it came to; nothing where its process ended before.
    fn end(mut self, dir: &Path) -> Option<Json> {
        let status = self.child.wait().expect("it ends");
        let path = |ext: &str| dir.join(format!("{}-{}.{ext}", self.name, self.order));
        let told = std::fs::read_to_string(path("json")).ok();
        if !status.success() || told.is_none() {
            let log = std::fs::read_to_string(path("log")).unwrap_or_default();
            println!("{} {} ended: {status}\n{log}", self.name, self.order);
            return None;
        }

        serde_json::from_str(&told?).ok()
    }
}

/// Records and findings that two worlds do not hold alike, some of them.
fn differing(dir: &Path, name: &str) -> Vec<String> {
    let read = |order: u64| {
        let path: PathBuf = dir.join(format!("{name}-{order}.records"));
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let (one, other) = (read(0), read(1));
    let one: std::collections::BTreeSet<&str> = one.lines().collect();
    let other: std::collections::BTreeSet<&str> = other.lines().collect();
    one.symmetric_difference(&other)
        .take(12)
        .map(|line| line.to_string())
        .collect()
}

/// What two worlds of one member came to.
#[derive(Default)]
struct PairOutcome {
    exits: u64,
    lost: u64,
    undetected: u64,
    growth_mib: u64,
    kinds: Json,
    thrown: Json,
}

/// Runs a pair of worlds, in two orders.
fn run_pair(name: &'static str, seed: u64, entries: u64, dir: &Path) -> PairOutcome {
    let running = [0, 1].map(|order| start_world(name, order, seed, entries, dir));
    let worlds = running.map(|world| world.end(dir));
    let mut out = PairOutcome::default();
    for world in worlds.iter().flatten() {
        println!("{name}: {world}");
        let count = |member: &str| world[member].as_array().map_or(0, Vec::len) as u64;
        out.exits += u64::from(!world["ended"].is_null()) + count("panicked");
        out.lost += count("poisoned") + count("refused_honest");
        out.kinds = world["counts"].clone();
        out.thrown = world["thrown"].clone();
    }

    // Both hold the same: what grows with that grows in both, and the rest is the allocator's.
    let grown = worlds.iter().flatten().map(|world| &world["growth_mib"]);
    out.growth_mib = grown
        .map(|mib| mib.as_u64().unwrap_or(u64::MAX))
        .min()
        .unwrap_or(u64::MAX);

    match &worlds {
        [Some(one), Some(other)] if one["held"] == other["held"] => {}
        [Some(one), Some(other)] => {
            out.undetected += 1;
            println!("{name}: {}\n{}", one["held"], other["held"]);
            println!("what differs: {:#?}", differing(dir, name));
        }
        _ => out.exits += 1,
    }

    out
}

#[test]
fn nodes_live_through_hostile_entries_and_hold_the_same() {
    let began = Instant::now();
    let seed = seed();
    let asked = std::env::var("WADI_HOSTILE_ENTRIES");
    let asked = asked.ok().and_then(|n| n.parse().ok());
    let entries = asked.unwrap_or_else(|| trials(ENTRIES.0, ENTRIES.1));
    let dir = tempfile::tempdir().expect("a directory");

    let site = run_pair("trb-2", seed, entries, dir.path());
    let hub = run_pair("hub", seed, entries / HUB_PART, dir.path());
    let sum = |of: fn(&PairOutcome) -> u64| of(&site) + of(&hub);
    let (exits, lost) = (sum(|o| o.exits), sum(|o| o.lost));
    let undetected = sum(|o| o.undetected);
    let kinds = site.kinds.as_object();
    let tried: u64 = kinds.map_or(0, |all| all.values().filter_map(Json::as_u64).sum());

    println!(
        "GATE {}",
        json!({
            "name": "hostile_entries",
            "tried": tried,
            "lost": lost,
            "undetected": undetected,
            "exits": exits,
            "seconds": (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            "growth_mib": site.growth_mib,
            "growth_of_hub_mib": hub.growth_mib,
            "seed": seed,
            "kinds": site.kinds,
            "thrown": site.thrown,
        })
    );
    assert_eq!((exits, lost, undetected), (0, 0, 0), "WADI_SEED={seed}");

    // A hub's is told and not held: what it keeps in memory for its rules has not come to its
    // bounds by then.
    let growth = site.growth_mib;
    assert!(growth < GROWTH_MIB_MAX, "{growth} MiB; WADI_SEED={seed}");
}
