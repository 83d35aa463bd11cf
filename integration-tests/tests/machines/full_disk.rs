//! A disk that fills and one that fails, under real nodes: what is given up and in which order,
//! what is taken to the end, what comes after, and that nothing is acknowledged that is not kept.

use integration_tests::{Cable, PATIENCE, Site, World, papers, run, run_json};
use serde_json::{Value, json};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;
/// Low begins at 32 MiB, scarce at 8, full at 2.
const ROOM: &str = "ballast_mib = 16\nroom_low_mib = 32";
const BALLAST: u64 = 16 * MIB;

/// The shim, built once.
fn shim() -> &'static Path {
    static SHIM: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SHIM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let shim = dir.path().join("faults.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wadi-store/tests/faults.c");
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

/// A disk of its own under a node: of any size, which others may fill, and that fails when it is
/// told to.
struct Disk {
    dir: PathBuf,
    place: tempfile::TempDir,
}

impl Disk {
    /// Puts it under a prepared node and starts that.
    fn under(world: &World, name: &str) -> Self {
        let dir = world.site(name).dir.canonicalize().unwrap();
        let disk = Self {
            dir,
            place: tempfile::tempdir().unwrap(),
        };

        disk.give_back();
        disk.launch(world, name);
        world.wait(&format!("{name} is ready"), || {
            world.site(name).get("/readyz").is_ok()
        });

        disk
    }

    fn launch(&self, world: &World, name: &str) {
        let env: [(&str, OsString); 4] = [
            ("LD_PRELOAD", shim().into()),
            ("WADI_SHIM_DIR", self.dir.clone().into()),
            (
                "WADI_SHIM_CAPACITY",
                self.place.path().join("capacity").into(),
            ),
            ("WADI_FAULT_WHILE", self.place.path().join("fault").into()),
        ];

        world.launch_with(name, &env);
    }

    fn resize(&self, bytes: u64) {
        // At once, or the node reads half a number.
        let new = self.place.path().join("capacity.new");
        std::fs::write(&new, bytes.to_string()).unwrap();
        std::fs::rename(&new, self.place.path().join("capacity")).unwrap();
    }

    /// Others take all but so many bytes of what the node's own files leave.
    fn leave(&self, bytes: u64) {
        self.resize(used(&self.dir) + bytes);
    }

    /// Others leave as much as anybody wants.
    fn give_back(&self) {
        self.resize(1 << 40);
    }

    fn fail(&self, what: &str) {
        std::fs::write(self.place.path().join("fault"), what).unwrap();
    }

    fn mend(&self) {
        std::fs::remove_file(self.place.path().join("fault")).unwrap();
    }

    fn ballast(&self) -> u64 {
        std::fs::metadata(self.dir.join("ballast")).map_or(0, |m| m.len())
    }
}

/// Bytes of all files of a directory, as the shim counts them.
fn used(dir: &Path) -> u64 {
    let size = |e: std::fs::DirEntry| match e.metadata() {
        Ok(m) if m.is_dir() => used(&e.path()),
        Ok(m) if m.is_file() => m.len().next_multiple_of(4096),
        _ => 0,
    };

    std::fs::read_dir(dir)
        .unwrap()
        .filter_map(Result::ok)
        .map(size)
        .sum()
}

fn level(site: &Site) -> String {
    let status = site.get("/v1/sites").unwrap_or_default();
    status["degraded"]["level"]
        .as_str()
        .unwrap_or("fine")
        .into()
}

fn passage(note: &str) -> Value {
    json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in", "note": note},
        "events": [{"type": "gate.in", "gate": "G1", "read": "R1"}],
    })
}

fn quarantine() -> Value {
    json!({
        "kind": "hold",
        "officer": "OF-1",
        "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "law"},
        "events": [{"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "law"}],
    })
}

fn write(site: &Site, body: &Value) -> Result<String, Value> {
    site.post("/v1/records", body)
        .map(|v| v["id"].as_str().unwrap().to_string())
}

#[test]
fn a_disk_that_fills_takes_holds_to_the_end_and_everything_afterwards() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.prepare("trb", &[("hub", world.site("hub").listen)], ROOM);

    let disk = Disk::under(&world, "trb");
    let (trb, hub) = (world.site("trb"), world.site("hub"));
    assert_eq!((disk.ballast(), level(trb).as_str()), (BALLAST, "fine"));

    let mut trucks = vec![write(trb, &passage("first")).unwrap()];
    world.settle(&["hub", "trb"]);

    // Low: what the hub says of this crossing's passages stays there; holds and local passages go
    // on.
    disk.leave(20 * MIB);
    world.wait("the disk is low", || level(trb) == "low");
    hub.set(&trucks[0], "seal.1", json!("JO1"), None).unwrap();
    world.wait("the hub is told why", || {
        hub.refusals().contains(&"disk_low".to_string())
    });

    let mut holds = vec![write(hub, &quarantine()).unwrap()];
    world.wait("a hold comes", || trb.record(&holds[0]).is_ok());
    assert!(trb.record(&trucks[0]).unwrap()["fields"]["seal.1"].is_null());

    trucks.push(write(trb, &passage("while low")).unwrap());
    assert!(
        trb.get("/readyz").unwrap()["degraded"]["why"]
            .as_str()
            .unwrap()
            .contains("MiB left")
    );

    // Full: the ballast makes room for holds, and for nothing else.
    disk.leave(MIB);
    world.wait("the disk is full", || level(trb) == "full");
    assert_eq!(disk.ballast(), 0);

    let refused = trb.post("/v1/records", &passage("while full")).unwrap_err();
    assert_eq!(
        (refused["code"].as_str(), refused["status"].as_u64()),
        (Some("disk_full"), Some(507))
    );
    assert!(
        refused["detail"].as_str().unwrap().contains("free some"),
        "{refused}"
    );
    assert_eq!(
        trb.say(&trucks[0], "PORT", json!({"type": "gate.out"}))
            .unwrap_err()["code"],
        "disk_full"
    );

    holds.extend((0..10).map(|_| write(trb, &quarantine()).unwrap()));
    assert_eq!(trb.get("/readyz").unwrap_err()["code"], "disk_full");
    assert_eq!(trb.get("/healthz").unwrap()["status"], "degraded");

    let output = run(&trb.dir, &["--json", "status"]);
    assert_eq!(output.status.code(), Some(3), "no doubt about what is kept");
    assert!(String::from_utf8_lossy(&output.stdout).contains("only holds are recorded"));

    let spooled = json!({
        "kind": "passage",
        "device": "ANPR-1",
        "device_seq": 1,
        "fields": {"direction": "in"},
    });
    std::fs::write(trb.dir.join("spool/gate.json"), spooled.to_string()).unwrap();

    // A node that starts on a full disk opens in what the ballast gave up, and takes holds.
    trb.kill();
    disk.launch(&world, "trb");
    world.wait("it is alive", || trb.get("/healthz").is_ok());
    assert_eq!(
        write(trb, &passage("while full")).unwrap_err()["code"],
        "disk_full"
    );

    holds.push(write(trb, &quarantine()).unwrap());
    assert!(
        trb.dir.join("spool/gate.json").exists(),
        "what machines write waits"
    );

    // Room again: the ballast is laid down, and what was refused comes.
    disk.give_back();
    world.wait("there is room", || level(trb) == "fine");
    world.wait("the ballast is laid", || disk.ballast() == BALLAST);
    trucks.push(write(trb, &passage("afterwards")).unwrap());
    world.wait("what the hub said comes", || {
        trb.record(&trucks[0]).unwrap()["fields"]["seal.1"] == "JO1"
    });
    world.wait("the spooled file is taken", || {
        trb.dir.join("spool/done/gate.json").exists()
    });
    world.settle(&["hub", "trb"]);

    for id in trucks.iter().chain(&holds) {
        assert!(
            trb.record(id).is_ok() && hub.record(id).is_ok(),
            "{id} is missing"
        );
    }

    assert_eq!(trb.get("/v1/sites").unwrap()["alarms"], json!([]));
}

#[test]
fn a_disk_that_fills_in_the_middle_of_writes_acknowledges_nothing_that_it_does_not_keep() {
    let mut world = World::default();
    world.prepare("trb", &[], ROOM);
    let disk = Disk::under(&world, "trb");
    let trb = world.site("trb");
    let stop = AtomicBool::new(false);

    // Should a wait below fail, the writers end all the same.
    let end = Instant::now() + 2 * PATIENCE;
    let until_stopped =
        |body: fn(u32) -> Value, taken: &Mutex<Vec<String>>, refused: &Mutex<Vec<Value>>| {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) || Instant::now() > end {
                    return;
                }

                match write(trb, &body(n)) {
                    Ok(id) => taken.lock().unwrap().push(id),
                    Err(problem) => refused.lock().unwrap().push(problem),
                }

                std::thread::sleep(Duration::from_millis(5));
            }
        };

    let (trucks, full) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (holds, refused) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| until_stopped(|n| passage(&n.to_string()), &trucks, &full));
        }

        s.spawn(|| until_stopped(|_| quarantine(), &holds, &refused));
        let count = |of: &Mutex<Vec<String>>| of.lock().unwrap().len();
        world.wait("some writes", || count(&trucks) > 20 && count(&holds) > 5);
        disk.leave(0);
        world.wait("the disk is full", || level(trb) == "full");

        let (before, passages) = (count(&holds), count(&trucks));
        world.wait("holds go on", || count(&holds) > before + 5);

        // Those that were let in before the level changed may be told of late: one a writer.
        assert!(count(&trucks) <= passages + 3, "passages go on");
        stop.store(true, Ordering::Relaxed);
    });

    let full = full.into_inner().unwrap();
    assert!(
        !full.is_empty() && full.iter().all(|p| p["code"] == "disk_full"),
        "{full:?}"
    );

    let refused = refused.into_inner().unwrap();
    assert_eq!(
        refused,
        Vec::<Value>::new(),
        "the ballast is there for holds"
    );

    trb.kill();
    // On a disk with room, and no shim: everything that was acknowledged is there.
    world.boot("trb");
    for id in trucks
        .into_inner()
        .unwrap()
        .iter()
        .chain(&holds.into_inner().unwrap())
    {
        assert!(trb.record(id).is_ok(), "{id} was acknowledged and is lost");
    }

    trb.stop();
    let root = papers().join("certs/root.pub");
    let verified = run_json(
        &trb.dir,
        &["audit", "verify", ".", "--root", root.to_str().unwrap()],
    );
    assert_eq!(verified["damaged"], 0);
}

#[test]
fn a_node_short_of_room_carries_nothing_until_there_is_some() {
    let mut world = World::default();
    world.start("hub", &[]);
    let dark = Cable::to(world.site("hub").listen);
    dark.pull();
    world.prepare("trb", &[("hub", world.site("hub").listen)], ROOM);

    let disk = Disk::under(&world, "trb");
    disk.leave(20 * MIB);
    world.wait("the disk is low", || level(world.site("trb")) == "low");
    world.start(
        "qam",
        &[("hub", dark.address), ("trb", world.site("trb").listen)],
    );

    let (qam, trb, hub) = (world.site("qam"), world.site("trb"), world.site("hub"));
    let ids: Vec<String> = (0..5)
        .map(|n| write(qam, &passage(&format!("{n}"))).unwrap())
        .collect();
    let linked = || {
        trb.get("/v1/sites").unwrap()["peers"]
            .to_string()
            .contains("qam")
    };

    world.wait("the neighbours are linked", linked);
    // Longer than it takes to ask for carrying and to hand the first block over.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(trb.get("/v1/sites").unwrap()["carried_bytes"], 0);
    assert!(hub.record(&ids[0]).is_err());

    disk.give_back();
    world.wait("the hub hears Al-Qaem", || {
        ids.iter().all(|id| hub.record(id).is_ok())
    });
}

#[test]
fn after_a_failed_sync_a_node_stops_and_the_next_start_knows() {
    let mut world = World::default();
    world.prepare("trb", &[], ROOM);
    let disk = Disk::under(&world, "trb");
    let trb = world.site("trb");
    let doubts = || {
        let log = std::fs::read_to_string(trb.dir.join("stderr.log")).unwrap();
        log.matches("the last stop was not in order").count()
    };

    let kept: Vec<String> = (0..5)
        .map(|n| write(trb, &passage(&format!("{n}"))).unwrap())
        .collect();
    disk.fail("EIO s");
    write(trb, &passage("lost or not, nobody knows")).unwrap_err();
    assert_eq!(trb.ended(), Some(4));

    disk.mend();
    assert_eq!(doubts(), 0);

    world.boot("trb");
    assert_eq!(doubts(), 1);

    for id in &kept {
        assert!(trb.record(id).is_ok(), "{id} was acknowledged and is lost");
    }

    assert_eq!(trb.get("/v1/sites").unwrap()["alarms"], json!([]));

    write(trb, &passage("it goes on")).unwrap();
    // A stop in order leaves no doubt, a pulled plug does.
    trb.stop();
    world.boot("trb");
    assert_eq!(doubts(), 1);

    trb.kill();
    world.boot("trb");
    assert_eq!(doubts(), 2);
}
