//! Nodes as processes of their own over the lab's proxy: links that flap, whose address changes,
//! and that lose packets in bursts. Nobody helps, and nothing is lost.

use integration_tests::{World, wadi};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use wadi_lab::{Heading, LinkCommand, LinkSchedule, UdpLink};

/// A crossing and the hub, and the link that the crossing dials over.
struct LinkedPair {
    world: World,
    link: UdpLink,
    runtime: Runtime,
}

impl LinkedPair {
    fn over(link: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut world = World::default();
        world.start("hub", &[]);

        let target = world.site("hub").listen;
        let profile = link.parse().unwrap();
        let opened = UdpLink::open(target, profile, integration_tests::seed());
        let link = runtime.block_on(opened).unwrap();
        world.start("trb", &[("hub", link.address)]);
        Self {
            world,
            link,
            runtime,
        }
    }

    fn command(&self, command: LinkCommand) {
        self.runtime.block_on(self.link.control(command)).unwrap();
    }

    /// Writes so many records at the crossing, of which no two are alike: others would take eight
    /// bytes each on the wire.
    fn write(&self, count: usize) {
        let line = |_| {
            let (key, number): (u128, u32) = (rand::random(), rand::random());
            let line = json!({
                "id": format!("{key:032x}"),
                "plate": format!("{}-A-{:05}", 10 + number % 90, number / 90 % 100_000),
                "direction": "in",
                "status": "arrived",
                "gross_kg": 20_000 + number % 20_011,
                "tare_kg": 10_000 + number % 5_003,
                "officer": format!("OF-{}", number % 997),
            });
            line.to_string() + "\n"
        };

        let lines: String = (0..count).map(line).collect();
        let answer = self.world.site("trb").post_text("/v1/imports", &lines);
        let answer = answer.unwrap();
        assert_eq!(answer["lines"].as_array().map(Vec::len), Some(count));
    }

    /// The crossing's records at a node.
    fn passages(&self, name: &str) -> Option<Value> {
        let status = self.world.site(name).get("/v1/sites").ok()?;
        let scopes = status["scopes"].as_array()?;
        let of_trb = |scope: &&Value| scope["lane"] == "passage" && scope["crossing"] == "TRB";
        scopes.iter().find(of_trb).cloned()
    }

    /// Waits until the hub holds what the crossing holds.
    fn converge(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let (site, hub) = (self.passages("trb"), self.passages("hub"));
            if site.is_some() && site == hub {
                break;
            }
            assert!(Instant::now() < deadline, "the hub lacks: {site:?} {hub:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.world.settle(&["hub", "trb"]);
    }

    /// The first record arrives: both know each other.
    fn converge_first(&self) {
        self.write(1);
        self.converge(Duration::from_secs(60));
    }

    /// What the crossing says of its link to the hub.
    fn peer(&self) -> Value {
        let status = self.world.site("trb").get("/v1/sites").unwrap();
        status["peers"][0].clone()
    }
}

fn is_long() -> bool {
    std::env::var("WADI_LONG").is_ok_and(|long| long == "1")
}

#[test]
fn a_link_that_flaps_carries_everything_and_nobody_helps() {
    // Three minutes of 20 s up and 20 s down, where there is time for it.
    let (half, rounds) = if is_long() { (20, 5) } else { (5, 2) };
    let mut pair = LinkedPair::over("vsat-256");
    pair.converge_first();

    let half = Duration::from_secs(half);
    let schedule = LinkSchedule::alternating(half, half);
    let entered = pair.runtime.enter();
    pair.link.run_schedule(schedule);
    drop(entered);

    // Written all the while, whatever the link does.
    for _ in 0..rounds * 4 {
        pair.write(25);
        std::thread::sleep(half / 2);
    }
    pair.converge(Duration::from_secs(120));

    let up = pair.link.counters(Heading::Up);
    assert!(
        up.blocked.packets + up.cut_off.packets > 0,
        "it never was down"
    );
    let peer = pair.peer();
    assert!(peer["contacts_in_hour"].as_u64() >= Some(2), "{peer}");
}

#[test]
fn a_transfer_goes_on_where_the_address_changes_in_its_middle() {
    let pair = LinkedPair::over("vsat-64");
    pair.converge_first();

    // From a backlog: a slow machine writes no faster than the link carries.
    pair.command(LinkCommand::Down);
    pair.write(4_000);
    pair.command(LinkCommand::Up);
    let before = pair.link.up_bytes();
    pair.world.wait("the transfer has begun", || {
        pair.link.up_bytes() > before + 10_000
    });
    assert_ne!(pair.passages("trb"), pair.passages("hub"), "it goes on");

    // The connection that carries it: the one before may have ended while the link was down.
    let peer = pair.peer();
    pair.command(LinkCommand::Move);
    pair.converge(Duration::from_secs(120));
    // A connection that ends says why.
    assert_eq!(pair.peer()["last_error"], peer["last_error"]);
}

#[test]
fn ten_percent_lost_in_bursts_cost_time_alone() {
    let pair = LinkedPair::over("vsat-256,burst=10%x4");
    pair.converge_first();

    // So few packets carry it all that a burst may miss them: then more is said.
    let lost = || Heading::BOTH.map(|way| pair.link.counters(way).lost.packets);
    for _ in 0..8 {
        pair.write(2_000);
        pair.converge(Duration::from_secs(90));
        if lost().iter().sum::<u64>() > 3 {
            break;
        }
    }

    let [up, down] = Heading::BOTH.map(|way| pair.link.counters(way));
    assert!(up.lost.packets + down.lost.packets > 3, "{up:?} {down:?}");
    assert_eq!(up.dropped.packets, 0, "no queue ran over: {up:?}");
}

/// `wadi lab` as a process; it is killed with the test.
struct Lab {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Lab {
    fn to(target: &UdpSocket) -> Self {
        let target = target.local_addr().unwrap().to_string();
        let mut child = Command::new(wadi())
            .args(["lab", "--json", "--link", "lan", "--to", &target])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    fn order(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_lab_takes_orders_while_it_runs_and_says_what_became_of_packets() {
    let target = UdpSocket::bind("127.0.0.1:0").unwrap();
    target
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut lab = Lab::to(&target);
    let listen = lab.answer()["listen"].as_str().unwrap().to_string();

    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut packet = [0; 64];
    caller.send_to(b"one", &listen).unwrap();
    let (n, before) = target.recv_from(&mut packet).unwrap();
    assert_eq!(&packet[..n], b"one");

    // An order is carried out before the next one is answered.
    lab.order("down");
    lab.order("counters");
    assert_eq!(lab.answer()["up"]["delivered"]["packets"], 1);
    caller.send_to(b"into the dark", &listen).unwrap();
    let blocked = |lab: &mut Lab| {
        lab.order("counters");
        lab.answer()["up"]["blocked"]["bytes"] == 13
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    while !blocked(&mut lab) {
        assert!(Instant::now() < deadline, "it was not counted");
    }

    lab.order("up");
    lab.order("move");
    lab.order("dwon");
    lab.order("counters");
    lab.answer();
    caller.send_to(b"two", &listen).unwrap();
    let (n, after) = target.recv_from(&mut packet).unwrap();
    assert_eq!(&packet[..n], b"two", "what met the dark is lost");
    assert_ne!(before, after, "it comes from another address");

    let pid = lab.child.id().to_string();
    Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    let last = lab.answer();
    assert_eq!(last["up"]["offered"]["packets"], 3, "{last}");
    assert!(lab.child.wait().unwrap().success());
    let mut told = String::new();
    let errors = lab.child.stderr.as_mut().unwrap();
    errors.read_to_string(&mut told).unwrap();
    assert!(told.contains("did you mean down?"), "{told}");
}

#[test]
fn a_wrong_link_is_told_the_nearest_right_one() {
    for command in [
        &["lab", "--to", "127.0.0.1:9", "--link", "sandstrom"][..],
        &["demo", "--links", "sandstrom"],
        &[
            "bench",
            "link",
            "--workload",
            "none",
            "--links",
            "sandstrom",
        ],
    ] {
        let output = Command::new(wadi()).args(command).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {told}");
        assert!(told.contains("did you mean sandstorm?"), "{told}");
        assert!(told.contains("[unknown_links]"), "{told}");
    }
}
