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
mod links;
mod twins;
mod wire_fields;
mod world;

use integration_tests::{network::trials, seed};
use serde_json::{Value as Json, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
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

    let dir = Path::new(dir);
    let told = world::run(plan, &dir.join(format!("{name}-{order}.records"))).await;
    let out = dir.join(format!("{name}-{order}.json"));
    std::fs::write(out, told.to_string()).expect("written");
}

/// A world in a process of its own.
struct Running {
    name: &'static str,
    order: u64,
    child: Child,
}

fn start_world(name: &'static str, order: u64, seed: u64, entries: u64, dir: &Path) -> Running {
    let told = format!("{name} {order} {seed} {entries} {}", dir.display());
    let log = std::fs::File::create(dir.join(format!("{name}-{order}.log"))).expect("a file");
    let child = Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["one_world", "--exact", "--nocapture", "--test-threads=1"])
        .env(WORLD, told)
        .env("WADI_SEED", seed.to_string())
        .stdout(log.try_clone().expect("a file"))
        .stderr(Stdio::from(log))
        .spawn()
        .expect("the test runs");

    Running { name, order, child }
}

impl Running {
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

#[test]
fn nodes_live_through_hostile_entries_and_hold_the_same() {
    let began = Instant::now();
    let seed = seed();
    let entries = trials(ENTRIES.0, ENTRIES.1);
    let entries = std::env::var("WADI_HOSTILE_ENTRIES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(entries);
    let dir = tempfile::tempdir().expect("a directory");
    let only = std::env::var("WADI_HOSTILE_NODE").ok();
    let (mut exits, mut lost, mut undetected) = (0, 0, 0);
    let mut growth = 0;
    let mut kinds = Json::Null;
    let mut thrown = Json::Null;

    for name in ["trb-2", "hub"] {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let entries = if name == "hub" {
            entries / HUB_PART
        } else {
            entries
        };
        let running: Vec<Running> = (0..2)
            .map(|order| start_world(name, order, seed, entries, dir.path()))
            .collect();
        let worlds: Vec<Option<Json>> = running.into_iter().map(|w| w.end(dir.path())).collect();
        for world in worlds.iter().flatten() {
            println!("{name}: {world}");
            let count = |member: &str| world[member].as_array().map_or(0, Vec::len) as u64;
            exits += u64::from(!world["ended"].is_null());
            lost += count("poisoned") + count("refused_honest");
            growth = growth.max(world["growth_mib"].as_u64().unwrap_or(0));
            if name != "hub" || only.is_some() {
                kinds = world["counts"].clone();
                thrown = world["thrown"].clone();
            }
        }

        match &worlds[..] {
            [Some(one), Some(other)] if one["held"] == other["held"] => {}
            [Some(one), Some(other)] => {
                undetected += 1;
                println!("{name}: {}\n{}", one["held"], other["held"]);
                println!("what differs: {:#?}", differing(dir.path(), name));
            }
            _ => exits += 1,
        }
    }

    let tried: u64 = kinds
        .as_object()
        .map_or(0, |all| all.values().filter_map(Json::as_u64).sum());
    println!(
        "GATE {}",
        json!({
            "name": "hostile_entries",
            "tried": tried,
            "lost": lost,
            "undetected": undetected,
            "exits": exits,
            "seconds": (began.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            "growth_mib": growth,
            "seed": seed,
            "kinds": kinds,
            "thrown": thrown,
        })
    );
    assert_eq!((exits, lost, undetected), (0, 0, 0), "WADI_SEED={seed}");
    assert!(growth < GROWTH_MIB_MAX, "{growth} MiB; WADI_SEED={seed}");
}
