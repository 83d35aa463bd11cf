//! A call to the disk fails: nothing is acknowledged that is not kept, and after a sync that failed
//! nothing is any more.
//!
//! A child process writes through the real store while a shim fails one of its calls, or all from
//! one on, for want of room or with an input/output error. Then the directory is opened without the
//! shim and asked for every entry that had been acknowledged. With a failed sync taken for a good
//! one, entries are lost: that has to turn up, or this test proves nothing.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Instant,
};
use tempfile::TempDir;
use wadi_log::*;
use wadi_store::prelude::*;
use wadi_store::{AnchorState, Append, Batch, SqliteStore, defence};

/// Commits of a child.
const COMMITS: u32 = 24;
/// WAL frames after which they are moved into the database: several times in so few commits.
const WAL_FRAMES: &str = "100";

fn key() -> LogKey {
    LogKey::from_seed(&[6; 32])
}

fn block(log: LogId, held: &Peaks, n: u32) -> VerifiedBlock {
    let entry = |m: u32| {
        let value = Value::Text(format!("truck {n}.{m} ").repeat(40));
        let change = Change {
            puts: vec![Put {
                key: "note".into(),
                value,
            }],
            ..Default::default()
        };

        Entry {
            common: Common::default(),
            body: Body::Change(change),
        }
    };

    let entries: Vec<Entry> = (0..1 + n % 4).map(entry).collect();
    VerifiedBlock::author(&key(), log, held, &entries, 0, vec![]).unwrap()
}

/// Writes until done, or until three commits failed. What became of each goes into the shim's
/// report, in order with what the shim did. Runs in the child process only.
#[test]
fn child() {
    let Ok(dir) = std::env::var("WADI_FAULTS_CHILD") else {
        return;
    };
    let report = std::env::var("WADI_FAULT_REPORT").unwrap();
    let report = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(report)
        .unwrap();

    let tell = |text: String| {
        use std::io::Write;
        let mut report = &report;
        report.write_all(text.as_bytes()).unwrap();
    };

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let store = match SqliteStore::open(Path::new(&dir), key().node()).await {
            Ok(store) => store,
            Err(error) => return tell(format!("unopened {}\n", error.code())),
        };
        let log = LogId {
            node: key().node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        };

        let (mut peaks, mut failures) = (Peaks::default(), 0);
        for n in 0..COMMITS {
            let block = block(log, &peaks, n);
            let grown = block.peaks().clone();
            let acknowledged: String = block
                .entries()
                .iter()
                .map(|e| format!("ack {}\n", e.reference()))
                .collect();

            let own_heads = vec![(
                log,
                Tip {
                    size: grown.size(),
                    root: grown.root(),
                },
            )];

            match store
                .commit(Batch {
                    own_heads,
                    append: Append {
                        blocks: vec![block],
                        ..Append::default()
                    },
                    ..Batch::default()
                })
                .await
            {
                Ok(()) => {
                    peaks = grown;
                    tell(acknowledged);
                }
                Err(error) => {
                    tell(format!("error {}\n", error.code()));
                    failures += 1;
                    if failures == 3 {
                        // It is closed as it is dropped.
                        return tell("closing\n".into());
                    }
                }
            }
        }

        tell("closing\n".into());
        store.close().await;
    });
}

/// The shim, built once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SHIM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let shim = dir.path().join("faults.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults.c");
        let mut cc = Command::new("cc");

        cc.args(["-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE", "-o"])
            .arg(&shim)
            .arg(&source)
            .arg("-ldl");
        assert!(
            cc.status().unwrap().success(),
            "the shim needs a C compiler"
        );

        (dir, shim)
    });

    path
}

/// A directory for a child; in memory where that can be had, for the shim is all the disk that this
/// test needs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(
            tempfile::tempdir_in("/dev/shm")
                .or_else(|_| tempfile::tempdir())
                .unwrap(),
        )
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Runs a child; its report.
    fn run(&self, env: &[(&str, String)]) -> String {
        let report = self.0.path().join("report");
        std::fs::create_dir(self.data()).unwrap();
        std::fs::write(&report, "").unwrap();

        let status = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--test-threads=1"])
            .env_remove("WADI_DEFENCE_OFF")
            .env("WADI_FAULTS_CHILD", self.data())
            .env("WADI_WAL_FRAMES", WAL_FRAMES)
            .env("WADI_SHIM_DIR", self.data())
            .env("WADI_FAULT_REPORT", &report)
            .env("LD_PRELOAD", shim())
            .envs(env.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();

        let report = std::fs::read_to_string(&report).unwrap();
        assert!(
            status.unwrap().success(),
            "the child fails by itself:\n{report}"
        );

        report
    }
}

/// The kinds of all calls of a child whose disk never fails, a letter each.
fn counted() -> Vec<u8> {
    let place = Place::new();
    let count = place.0.path().join("count");
    let report = place.run(&[("WADI_FAULT_COUNT", count.display().to_string())]);
    assert!(
        report.ends_with("closing\n") && !report.contains("error"),
        "{report}"
    );

    let text = std::fs::read_to_string(&count).unwrap();
    let (total, kinds) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(total.parse::<usize>().unwrap(), kinds.len());

    kinds.as_bytes().to_vec()
}

/// A call that fails.
#[derive(Clone, Copy, Debug)]
struct Fault {
    at: usize,
    eio: bool,
    sticky: bool,
    short: bool,
}

impl Fault {
    fn env(self) -> Vec<(&'static str, String)> {
        let flag = |on: bool| u8::from(on).to_string();
        vec![
            ("WADI_FAULT_AT", self.at.to_string()),
            (
                "WADI_FAULT_ERRNO",
                if self.eio { "EIO" } else { "ENOSPC" }.into(),
            ),
            ("WADI_FAULT_STICKY", flag(self.sticky)),
            ("WADI_FAULT_SHORT", flag(self.short)),
        ]
    }
}

#[derive(Default, Debug)]
struct Found {
    runs: u32,
    struck: u32,
    acknowledged: usize,
    /// Acknowledged and not there: in so many runs.
    lost: u32,
    /// Something was acknowledged after a failure that leaves the disk unknown.
    went_on: u32,
    /// Such a failure was not told to whoever wrote.
    untold: u32,
    unopened: u32,
    false_alarms: u32,
}

/// Whether nobody knows any more what the disk holds of what was to be kept.
fn unknown(kind: &str, name: &str, errno: &str) -> bool {
    let kept = ["node.sqlite", "node.sqlite-wal", "anchor"].contains(&name);
    kept && (kind == "s" || kind == "t" || errno == "EIO")
}

/// Reads the report, opens the store without the shim and asks for everything that was
/// acknowledged.
async fn check(place: &Place, report: &str, what: &impl std::fmt::Debug, found: &mut Found) {
    let mut acknowledged: Vec<Reference> = Vec::new();
    let (mut struck, mut doubtful, mut went_on, mut told) = (false, false, false, false);
    for line in report.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["ack", reference] => {
                acknowledged.push(reference.parse().unwrap());
                went_on |= doubtful;
            }
            ["fault", kind, name, _, errno] => {
                struck = true;
                doubtful |= unknown(kind, name, errno);
            }
            ["error", code] => told |= *code == "write_failed",
            ["unopened", _] => told = true,
            // A failure of closing has nobody to be told to; what was acknowledged stays in the
            // WAL.
            ["closing"] => told = true,
            _ => panic!("{line:?} in a report"),
        }
    }

    let mut lost = Vec::new();
    match SqliteStore::open(&place.data(), key().node()).await {
        Ok(store) => {
            for r in &acknowledged {
                if !matches!(store.entry(r).await, Ok(Some(_))) {
                    lost.push(*r);
                }
            }

            let alarm = matches!(store.anchor_state(), AnchorState::LostTail { .. });
            found.false_alarms += u32::from(alarm && lost.is_empty());
            store.close().await;
        }
        Err(error) => {
            println!("{what:?}: it does not open: {error}");
            found.unopened += 1;
            lost.clone_from(&acknowledged);
        }
    }

    let bad = !lost.is_empty() || went_on || (doubtful && !told);
    if bad {
        println!(
            "{what:?}: {} of {} lost, went on: {went_on}\n{report}",
            lost.len(),
            acknowledged.len()
        );
    }

    found.runs += 1;
    found.struck += u32::from(struck);
    found.acknowledged += acknowledged.len();
    found.lost += u32::from(!lost.is_empty());
    found.went_on += u32::from(went_on);
    found.untold += u32::from(doubtful && !told);
}

async fn sweep(faults: &[Fault], off: &str) -> Found {
    let mut found = Found::default();
    for fault in faults {
        let place = Place::new();
        let mut env = fault.env();
        env.push(("WADI_DEFENCE_OFF", off.into()));
        let report = place.run(&env);
        check(&place, &report, fault, &mut found).await;
    }

    found
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn syncs(kinds: &[u8]) -> Vec<usize> {
    (1..=kinds.len())
        .filter(|at| kinds[at - 1] == b's')
        .collect()
}

#[test]
fn whatever_call_fails_nothing_is_acknowledged_that_is_not_kept() {
    let began = Instant::now();
    let seed = std::env::var("WADI_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());

    println!("WADI_SEED={seed}");
    let mut r = StdRng::seed_from_u64(seed);
    let long = std::env::var("WADI_LONG").is_ok_and(|l| l == "1");
    let kinds = counted();
    let syncs = syncs(&kinds);
    assert!(
        syncs.len() >= 2 * COMMITS as usize,
        "each commit syncs database and anchor"
    );

    let mut faults = Vec::new();
    if long {
        for at in 1..=kinds.len() {
            for (eio, sticky) in [(false, false), (false, true), (true, false), (true, true)] {
                faults.push(Fault {
                    at,
                    eio,
                    sticky,
                    short: at % 3 == 0,
                });
            }
        }
    } else {
        for n in 0..150 {
            let at = if n % 2 == 0 {
                syncs[r.random_range(0..syncs.len())]
            } else {
                r.random_range(1..=kinds.len())
            };

            let short = r.random_bool(0.3);
            faults.push(Fault {
                at,
                eio: r.random_bool(0.5),
                sticky: r.random_bool(0.5),
                short,
            });
        }
    }

    let found = runtime().block_on(sweep(&faults, ""));
    println!("{} calls: {found:?}", kinds.len());
    assert!(
        found.struck * 10 > found.runs * 9,
        "most faults have to strike: {found:?}"
    );
    assert!(found.acknowledged > 0);
    assert_eq!(
        found.lost, 0,
        "an acknowledged entry was lost; WADI_SEED={seed}"
    );
    assert_eq!(
        found.went_on, 0,
        "a write was acknowledged after a failed sync; WADI_SEED={seed}"
    );
    assert_eq!(
        found.untold, 0,
        "a failed sync was told to nobody; WADI_SEED={seed}"
    );
    assert_eq!(found.unopened, 0, "WADI_SEED={seed}");
    assert_eq!(found.false_alarms, 0, "WADI_SEED={seed}");

    // For `scripts/prove`.
    let seconds = (began.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    let gate = serde_json::json!({
        "name": "faults",
        "tried": found.runs,
        "lost": found.lost,
        "undetected": found.went_on + found.untold,
        "exits": found.unopened,
        "seconds": seconds,
    });

    println!("GATE {gate}");
}

#[test]
fn a_failed_sync_taken_for_a_good_one_loses_writes() {
    if !defence::SWITCHABLE {
        return;
    }

    let syncs = syncs(&counted());
    // Opening syncs, too: what is looked at are commits, each with its two syncs.
    let within = &syncs[syncs.len() / 4..syncs.len() * 3 / 4];
    let faults: Vec<Fault> = within
        .iter()
        .map(|at| Fault {
            at: *at,
            eio: true,
            sticky: false,
            short: false,
        })
        .collect();

    let found = runtime().block_on(sweep(&faults, "ack-after-failed-sync"));
    println!("failed syncs taken for good ones: {found:?}");
    assert!(
        found.lost > 0,
        "acknowledging after a failed sync has to be noticed"
    );
    assert!(
        found.went_on > 0,
        "going on after a failed sync has to be noticed"
    );
}
