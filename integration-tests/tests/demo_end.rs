//! However a demonstration ends, nothing of it stays: no process, no port; and it says where to
//! look on.

use integration_tests::{PATIENCE, wadi};
use serde_json::Value;
use std::{
    fs::File,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

const NODES: [&str; 7] = ["hub", "wld", "rab", "mun", "man", "trb", "qam"];

/// Seven nodes at a time are enough for one machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A demonstration in a directory of its own.
struct Demo {
    dir: tempfile::TempDir,
    child: Child,
    _turn: MutexGuard<'static, ()>,
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    wait_or_tell(what, holds, String::new);
}

/// The same; where it does not come, the test ends with what is told of it.
fn wait_or_tell(what: &str, holds: impl Fn() -> bool, told: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} for: {what}\n{}",
            told()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send(signal: &str, pid: i64) {
    let sent = Command::new("kill")
        .args([signal, "--", &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(sent.success(), "kill {signal} {pid}");
}

impl Demo {
    /// Starts one, as a shell does it at a terminal: in a process group of its own.
    fn start(arguments: &[&str]) -> Self {
        let turn = ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let dir = tempfile::tempdir().unwrap();
        let out = File::create(dir.path().join("out")).unwrap();
        let errors = File::create(dir.path().join("errors")).unwrap();
        let mut command = Command::new(wadi());

        command
            .args(arguments)
            .args(["demo", "--seed", "5", "--dir", "net"])
            .current_dir(dir.path());

        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .unwrap();

        Self {
            dir,
            child,
            _turn: turn,
        }
    }

    fn net(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("net")
    }

    fn said(&self) -> String {
        let text =
            |name: &str| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        text("out") + &text("errors")
    }

    /// Processes other than the demonstration itself that were started for its directory.
    fn nodes(&self) -> Vec<(i64, String)> {
        let net = self.net().display().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let pids = processes.filter_map(|p| p.file_name().to_str()?.parse::<i64>().ok());
        let with_line = pids.filter_map(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        });

        with_line.filter(|(_, line)| line.contains(&net)).collect()
    }

    fn pid_of(&self, node: &str) -> i64 {
        let config = self
            .net()
            .join(node)
            .join("node.toml")
            .display()
            .to_string();

        let found = self
            .nodes()
            .into_iter()
            .find(|(_, line)| line.contains(&config));

        found.unwrap_or_else(|| panic!("{node} runs")).0
    }

    /// An address out of a node's configuration.
    fn address(&self, node: &str, key: &str) -> Option<SocketAddr> {
        let text = std::fs::read_to_string(self.net().join(node).join("node.toml")).ok()?;
        let table: toml::Table = text.parse().ok()?;
        table.get(key)?.as_str()?.parse().ok()
    }

    /// Waits until there is traffic: until the officers are registered and the table was shown.
    fn until_it_is_on(&self) {
        wait_or_tell(
            "traffic runs",
            || self.said().contains("at the crossings"),
            || self.said(),
        );
        let answers = |node: &str| {
            self.address(node, "http")
                .is_some_and(|a| TcpStream::connect(a).is_ok())
        };
        assert!(NODES.iter().all(|node| answers(node)), "{}", self.said());
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }

            assert!(
                Instant::now() < deadline,
                "the demonstration does not end: {}",
                self.said()
            );

            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn leaves_nothing(&self) {
        assert_eq!(self.nodes(), vec![], "{}", self.said());

        for node in NODES {
            for key in ["http", "listen"] {
                let Some(address) = self.address(node, key) else {
                    continue;
                };

                // Another demonstration beside this one may have taken a port as soon as it was
                // free.
                wait(&format!("{node}: {key} {address} is free"), || match key {
                    "http" => TcpListener::bind(address).is_ok(),
                    _ => UdpSocket::bind(address).is_ok(),
                });
            }
        }
    }

    fn pid(&self) -> i64 {
        self.child.id().into()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for (pid, _) in self.nodes() {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
        }
    }
}

fn stopped_in_order(net: &Path, node: &str) -> bool {
    net.join(node).join("clean").exists()
}

#[test]
fn a_service_manager_ends_it_in_order_with_all_its_nodes() {
    let mut demo = Demo::start(&[]);
    demo.until_it_is_on();
    assert!(
        demo.said()
            .contains("Meanwhile, in another terminal: wadi status --config net/hub/node.toml")
    );

    send("-TERM", demo.pid());
    assert_eq!(demo.end().code(), Some(143), "{}", demo.said());

    demo.leaves_nothing();
    for node in NODES {
        assert!(
            stopped_in_order(&demo.net(), node),
            "{node} was not stopped in order"
        );
    }

    for told in [
        "Stopped by SIGTERM",
        "net/hub/node.toml",
        "wadi findings list --config",
        "log/node.log",
    ] {
        assert!(demo.said().contains(told), "{told}: {}", demo.said());
    }
}

#[test]
fn ctrl_c_ends_the_traffic_of_an_endless_one_and_its_nodes_agree() {
    let mut demo = Demo::start(&[]);
    demo.until_it_is_on();
    let written = |demo: &Demo| {
        std::fs::metadata(demo.net().join("trb/node.sqlite-wal")).map_or(0, |m| m.len())
    };
    let before = written(&demo);

    wait("there are records", || written(&demo) > before + (1 << 19));
    // As a terminal does it: the whole process group hears of it, and the nodes are not in it.
    send("-INT", -demo.pid());
    assert_eq!(demo.end().code(), Some(0), "{}", demo.said());

    demo.leaves_nothing();
    for node in NODES {
        assert!(
            stopped_in_order(&demo.net(), node),
            "{node} was not stopped in order"
        );
    }

    for told in [
        "Traffic ends",
        "All nodes agree",
        "PENDING findings past their time: 0",
        "Nothing runs any more",
    ] {
        assert!(demo.said().contains(told), "{told}: {}", demo.said());
    }
}

#[test]
fn one_that_hangs_is_killed_and_a_second_ctrl_c_waits_for_nobody() {
    let mut demo = Demo::start(&[]);
    demo.until_it_is_on();
    send("-STOP", demo.pid_of("trb"));
    send("-INT", demo.pid());
    wait("traffic ends", || demo.said().contains("Traffic ends"));
    send("-INT", demo.pid());
    assert_eq!(demo.end().code(), Some(130), "{}", demo.said());

    demo.leaves_nothing();
    assert!(demo.said().contains("Stopped by SIGINT"), "{}", demo.said());
}

#[test]
fn it_ends_in_the_middle_of_its_start_and_although_a_node_hangs() {
    let mut demo = Demo::start(&["--json"]);
    wait("the first node runs", || !demo.nodes().is_empty());
    send("-STOP", demo.nodes()[0].0);
    send("-TERM", demo.pid());
    assert_eq!(demo.end().code(), Some(143), "{}", demo.said());

    demo.leaves_nothing();
    let out = std::fs::read_to_string(demo.dir.path().join("out")).unwrap();
    let value: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&value["converged"], &value["stopped_by"]),
        (&Value::Bool(false), &"SIGTERM".into()),
        "{value}"
    );
}

#[test]
fn killed_it_takes_its_nodes_with_it() {
    let mut demo = Demo::start(&[]);
    demo.until_it_is_on();

    // Even one that hangs, and hears of nothing.
    send("-STOP", demo.pid_of("qam"));
    send("-KILL", demo.pid());
    demo.end();
    wait("no node is left", || demo.nodes().is_empty());
    demo.leaves_nothing();
}
