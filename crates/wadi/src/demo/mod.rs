//! `wadi demo`: seven real nodes, real QUIC on loopback, real SQLite files, and links that come and
//! go.
//!
//! Nothing that it starts outlives it: nodes are asked to stop and waited for, whoever does not is
//! killed, and where the demonstration itself is killed the system ends its nodes with it.

mod accounts;
mod agreement;
mod contradictions;
mod goods;
mod network;
mod parent;
mod report;
mod signals;
mod traffic;

pub use parent::die_with_demonstration;

use crate::{
    cli::lab,
    failure::{Exit, Failure},
    print::print_line,
};
use clap::Args;
use network::{DemoNetwork, register_officers};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use report::{Ending, Judged};
use signals::Signals;
use std::{
    fs::File,
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use wadi_lab::LinkProfile;
use wadi_store::private;

/// 2026-03-01T05:00:00Z, when the demonstration's day begins.
const ORIGIN_MS: i64 = 1_772_341_200_000;
/// How long nodes may take to agree once all links are healed.
const HEAL_MAX: Duration = Duration::from_secs(25);
/// How often they are asked meanwhile.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// The file that tells a demonstration's directory from others; it is locked while one runs in it.
const MARK_FILE: &str = "demo";
/// The file by which a node knows whether its database is whole.
const ANCHOR_FILE: &str = "anchor";
/// The node whose plug is pulled, how far into the demonstration (at most two minutes), and for how
/// long.
const KILLED: (&str, f64, Duration) = ("man", 0.4, Duration::from_secs(5));

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How long traffic runs before all links are healed, as 60s or 5m. Without it: until Ctrl-C,
    /// and a second one stops at once.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Traffic, links and outages come out of this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory of the network; one directory a node in it.
    #[arg(long, default_value = "wadi-demo")]
    dir: PathBuf,
    /// What links are like: vsat-64, vsat-256, vsat-512, vsat-10m, leo, cellular, hf-32, fibre,
    /// sandstorm, brisk or lan; what is different stands behind it, as vsat-256,loss=5%.
    #[arg(long, default_value = "brisk")]
    links: String,
    /// What the hub stores in: sqlite, or postgres: a server of its own, started from the system's
    /// binaries.
    #[arg(long, default_value = "sqlite", value_parser = ["sqlite", "postgres"])]
    hub_store: String,
    /// Keeps the network running once its nodes agree, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// No contradictions in the traffic.
    #[arg(long)]
    clean: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is no time; use 60s or 5m");
    let (number, unit) = text.split_at(
        text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .len(),
    );
    let number: f64 = number.parse().map_err(|_| bad())?;
    let seconds = match unit {
        "s" | "" => number,
        "m" => number * 60.0,
        _ => return Err(bad()),
    };

    Duration::try_from_secs_f64(seconds).map_err(|_| bad())
}

pub async fn run(args: DemoArgs, json: bool) -> Result<Exit, Failure> {
    let profile = args.links.parse().map_err(lab::link_failure)?;

    let signals = Signals::listen()?;
    let _mark = prepare_dir(&args.dir)?;
    if !json {
        print_line!(
            "Six crossings and the hub in {}; seed {}, links {}, an hour of domain time a second.",
            args.dir.display(),
            args.seed,
            args.links
        );
    }

    let started = Instant::now();
    let mut network = DemoNetwork::default();
    let ending = tokio::select! {
        ending = play(&mut network, &args, profile, &signals, json) => ending,
        signal = signals.to_stop() => Ok(Ending::Stopped(signal)),
    };
    if let Ok(ending) = &ending {
        report::print_report(&network, &args.dir, ending, started, json);
    }
    if args.stay && matches!(ending, Ok(Ending::Judged(_))) {
        if !json {
            print_line!("{}", report::where_to_look(&network, &args.dir));
        }
        signals.to_stop().await;
    }

    network.stop(&signals).await;

    if !json {
        print_line!(
            "{}",
            report::where_to_look_on(&network, &args.dir, args.hub_store == "postgres")
        );
    }

    Ok(match ending? {
        Ending::Stopped(signal) => signal.exit(),
        Ending::Judged(judged) if judged.converged() => Exit::Done,
        Ending::Judged(_) => Exit::Open,
    })
}

/// The whole story. It can be dropped at any moment: whatever runs is in the network.
async fn play(
    network: &mut DemoNetwork,
    args: &DemoArgs,
    profile: LinkProfile,
    signals: &Signals,
    json: bool,
) -> Result<Ending, Failure> {
    network.build(args, profile).await?;
    network.start().await?;
    register_officers(network).await?;
    // Whoever reads JSON signs in nowhere, unless the network stays.
    if !json || args.stay {
        network.accounts = accounts::open_accounts(network).await;
    }
    if !json {
        print_line!("{}", report::where_to_look(network, &args.dir));
    }

    let started = Instant::now();
    let traffic = Running::start(network, args);
    live(network, args, signals, json, started).await?;
    signals.traffic_has_ended();
    if !json {
        print_line!(
            "\nTraffic ends, and links are healed; waiting until the nodes agree. Ctrl-C stops at \
             once."
        );
    }

    let scenes = traffic.scenes.clone();
    let (written, refused) = traffic.end().await?;
    network.heal()?;
    let judged = judge_network(network).await;

    Ok(Ending::Judged(Box::new(Judged {
        written,
        refused,
        scenes: scenes.lock().expect("no panic holds it").clone(),
        ..judged
    })))
}

/// Asks the nodes until they agree and the hub was told the alarm, or for so long.
async fn judge_network(network: &DemoNetwork) -> Judged {
    let healed = Instant::now();
    let mut judged = Judged::default();
    while healed.elapsed() < HEAL_MAX {
        judged.statuses = network.statuses().await;
        judged.disagreements = agreement::disagreements(&judged.statuses);
        let is_told = !network.lost_anchor || !report::alarms(&judged.statuses).is_empty();
        if judged.disagreements.is_empty() && is_told {
            break;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }

    judged.waited = healed.elapsed();

    let hub = network.client("hub");
    let asked = tokio::task::spawn_blocking(move || {
        let hub = hub?;
        Some((
            agreement::pending(&hub),
            hub.get("/v1/findings?limit=1").ok()?,
        ))
    });

    if let Ok(Some((pending, findings))) = asked.await {
        judged.pending = pending;
        for count in findings["counts"].as_array().into_iter().flatten() {
            let text = |member: &str| count[member].as_str().unwrap_or_default().to_string();
            *judged
                .findings
                .entry((text("rule"), text("phase")))
                .or_default() += count["count"].as_u64().unwrap_or(0);
        }
    }

    judged.pending.overdue = agreement::overdue(&judged.statuses).unwrap_or(0);
    judged
}

/// Makes the directory, or clears it of what another demonstration left. Another one that runs in
/// it is left in peace.
fn prepare_dir(dir: &Path) -> Result<File, Failure> {
    let mark = dir.join(MARK_FILE);
    let in_use = |why: &str| {
        Failure::usage(
            "dir_in_use",
            format!("{} {why}; name another with --dir", dir.display()),
        )
    };

    if dir.exists() {
        // Only what a demonstration made is cleared away.
        if !mark.exists() && std::fs::read_dir(dir)?.next().is_some() {
            return Err(in_use("exists and is no demonstration's"));
        }

        if File::open(&mark).is_ok_and(|mark| mark.try_lock().is_err()) {
            return Err(in_use("is another demonstration's, which runs"));
        }

        std::fs::remove_dir_all(dir)?;
    }

    private::create_dir_all(dir)?;
    private::write(&mark, b"made by wadi demo; cleared by the next one\n")?;
    let file = File::open(&mark)?;
    file.try_lock()
        .map_err(|_| in_use("is another demonstration's, which runs"))?;

    Ok(file)
}

/// The people at the crossings and at the hub.
struct Running {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    /// What was shown besides contradictions, a sentence each.
    scenes: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(network: &DemoNetwork, args: &DemoArgs) -> Self {
        let mut this = Self {
            threads: Vec::new(),
            stop: Arc::default(),
            written: Arc::default(),
            refused: Arc::default(),
            scenes: Arc::default(),
        };

        let Some(hub) = network.client("hub") else {
            return this;
        };
        for (n, site) in network.sites.iter().enumerate().skip(1) {
            let traffic = traffic::Traffic {
                crossing: site.name.to_uppercase(),
                client: site.client.clone(),
                hub: hub.clone(),
                seed: args.seed.wrapping_mul(31).wrapping_add(n as u64),
                clean: args.clean,
                pause: Duration::from_millis(90),
                stop: this.stop.clone(),
                written: this.written.clone(),
                refused: this.refused.clone(),
            };

            this.threads.push(std::thread::spawn(move || traffic.run()));
        }

        if !args.clean
            && let (Some(trb), Some(qam)) = (network.client("trb"), network.client("qam"))
        {
            let told = contradictions::Contradictions::new(
                hub,
                trb,
                qam,
                args.seed,
                this.stop.clone(),
                this.scenes.clone(),
            );
            this.threads.push(std::thread::spawn(move || told.run()));
        }

        this
    }

    /// Lets them see off who is there; how much was written, and how much refused.
    async fn end(mut self) -> Result<(u64, u64), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join())))
                .await;

        joined.map_err(|e| Failure::new("panicked", e.to_string()))?;
        Ok((
            self.written.load(Ordering::Relaxed),
            self.refused.load(Ordering::Relaxed),
        ))
    }
}

impl Drop for Running {
    /// Nobody says anything more to nodes that are being stopped.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Runs links and outages by schedule and shows the table, until the time is up or somebody ends
/// it.
async fn live(
    network: &mut DemoNetwork,
    args: &DemoArgs,
    signals: &Signals,
    json: bool,
    started: Instant,
) -> Result<(), Failure> {
    if args.time.is_none() {
        signals.until_interrupted();
    }

    let total = args.time.unwrap_or(Duration::MAX);
    let mut outage = Outage::of(total);
    let mut weather = Weather::new(network, args.seed, started);
    let on_terminal = std::io::stdout().is_terminal();
    let every = if on_terminal {
        Duration::from_secs(1)
    } else {
        Duration::from_secs(15)
    };

    let mut shown: Option<Instant> = None;

    while started.elapsed() < total {
        weather.change(network);
        outage.run(network, started.elapsed()).await?;
        if !json && shown.is_none_or(|at| at.elapsed() >= every) {
            shown = Some(Instant::now());
            let statuses = network.statuses().await;
            if on_terminal {
                crate::print::clear();
            }

            print_line!("{}", report::table(network, &statuses, started));
            if on_terminal {
                print_line!("{}", report::where_to_look(network, &args.dir));
            }
        }

        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            () = signals.to_end() => break,
        }
    }

    Ok(())
}

/// Which links are up, by a schedule out of the seed.
struct Weather {
    random: StdRng,
    begun: bool,
    next: Vec<(Instant, bool)>,
}

impl Weather {
    fn new(network: &DemoNetwork, seed: u64, started: Instant) -> Self {
        let next = network.links.iter().map(|_| (started, false)).collect();
        Self {
            random: StdRng::seed_from_u64(seed ^ 0x11aa),
            begun: false,
            next,
        }
    }

    fn change(&mut self, network: &DemoNetwork) {
        let now = Instant::now();
        for ((from, to, link), (at, up)) in network.links.iter().zip(&mut self.next) {
            if now < *at {
                continue;
            }

            // All begin up.
            *up = !*up || !self.begun;
            // Al-Qaem is dark most of the time and heard through Traibeel.
            let dark = from == "qam" && to == "hub";
            let (long, short) = if dark {
                (1.0..2.0, 12.0..18.0)
            } else {
                (5.0..12.0, 1.5..4.0)
            };

            let seconds = if *up {
                self.random.random_range(long)
            } else {
                self.random.random_range(short)
            };

            *at = now + Duration::from_secs_f64(seconds);
            link.set_up(*up);
        }

        self.begun = true;
    }
}

/// One node's process is killed, and comes back.
struct Outage {
    at: Duration,
    killed: bool,
    revived: bool,
}

impl Outage {
    fn of(total: Duration) -> Self {
        Self {
            at: total.min(Duration::from_secs(120)).mul_f64(KILLED.1),
            killed: false,
            revived: false,
        }
    }

    async fn run(&mut self, network: &mut DemoNetwork, elapsed: Duration) -> Result<(), Failure> {
        let Some(site) = network.site(KILLED.0) else {
            return Ok(());
        };
        if !self.killed && elapsed >= self.at {
            self.killed = true;
            site.kill().await;
        }

        if self.killed && !self.revived && elapsed >= self.at + KILLED.2 {
            self.revived = true;
            // Whoever pulled the plug took the file along by which a node knows that it lost
            // nothing: that is an alarm, and the hub hears of it.
            std::fs::remove_file(site.dir.join(ANCHOR_FILE)).or_else(|error| {
                (error.kind() == std::io::ErrorKind::NotFound)
                    .then_some(())
                    .ok_or(error)
            })?;
            site.start()?;
            network.lost_anchor = true;
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_minutes_and_nothing_that_cannot_pass() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));

        for bad in [
            "", "s", "5h", "-5s", "1e400s", "1e300m", "nan", "infs", "5 s",
        ] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_directory_of_somebody_elses_is_not_cleared_nor_one_in_which_a_demonstration_runs() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("net");
        let mark = prepare_dir(&at).unwrap();
        std::fs::write(at.join("kept"), "x").unwrap();

        let refused = prepare_dir(&at).unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.exit),
            ("dir_in_use", Exit::Usage)
        );
        assert!(at.join("kept").exists());

        drop(mark);
        let _mark = prepare_dir(&at).unwrap();
        assert!(!at.join("kept").exists());

        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("mine"), "x").unwrap();
        assert_eq!(prepare_dir(&other).unwrap_err().code, "dir_in_use");
        assert!(other.join("mine").exists());
    }
}
