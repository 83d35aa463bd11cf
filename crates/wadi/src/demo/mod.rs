//! `wadi demo`: seven real nodes, real QUIC on loopback, real SQLite files, and links that come and go.

mod contradictions;
mod links;
mod traffic;

use crate::{
    client::Client,
    config::{ClockConfig, Config, PeerConfig},
    failure::{Exit, Failure},
    pki::{Ca, scope_of},
};
use clap::Args;
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};
use links::{Link, Profile};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::IsTerminal,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::process::{Child, Command};
use wadi_log::{Crossing, Role};
use wadi_store::TemporaryServer;

/// The six crossings of the first network.
const CROSSINGS: [&str; 6] = ["WLD", "RAB", "MUN", "MAN", "TRB", "QAM"];
/// Neighbours that hear each other without the hub.
const NEIGHBOURS: [(&str, &str); 4] = [("QAM", "TRB"), ("WLD", "TRB"), ("MUN", "MAN"), ("RAB", "WLD")];
/// Hours of domain time in a second: deadlines of days fall within a minute.
const HOURS_PER_SECOND: f64 = 1.0;
/// 2026-03-01T05:00:00Z, when the demonstration's day begins.
const ORIGIN_MS: i64 = 1_772_341_200_000;
/// How long nodes may take to agree once all links are healed.
const HEAL: Duration = Duration::from_secs(25);

#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// How long traffic runs before all links are healed, as 60s or 5m. Without it: until Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    /// Traffic, links and outages come out of this seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Directory of the network; one directory a node in it.
    #[arg(long, default_value = "wadi-demo")]
    dir: PathBuf,
    /// What links are like: brisk, vsat, vsat-64k or lan.
    #[arg(long, default_value = "brisk")]
    links: String,
    /// What the hub stores in: sqlite, or postgres: a server of its own, started from the system's binaries.
    #[arg(long, default_value = "sqlite")]
    hub_store: String,
    /// No contradictions in the traffic.
    #[arg(long)]
    clean: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let n: f64 = number.parse().map_err(|_| format!("{text:?} is no time; use 60s or 5m"))?;
    match unit {
        "s" | "" => Ok(Duration::from_secs_f64(n)),
        "m" => Ok(Duration::from_secs_f64(n * 60.0)),
        _ => Err(format!("{text:?} is no time; use 60s or 5m")),
    }
}

struct Site {
    name: String,
    dir: PathBuf,
    child: Option<Child>,
    client: Client,
}

struct Network {
    /// Stops when the demonstration ends, after the nodes.
    _server: Option<TemporaryServer>,
    sites: Vec<Site>,
    links: Vec<(String, String, Link)>,
}

pub async fn run(args: DemoArgs, json: bool) -> Result<Exit, Failure> {
    let profile = Profile::named(&args.links).ok_or_else(|| {
        Failure::usage("unknown_links", format!("{:?} is none of brisk, vsat, vsat-64k, lan", args.links))
    })?;
    prepare_dir(&args.dir)?;
    if !json {
        println!(
            "Six crossings and the hub in {}; seed {}, links {}, an hour of domain time a second.",
            args.dir.display(),
            args.seed,
            args.links
        );
    }
    let mut network = build(&args, profile).await?;
    for site in &mut network.sites {
        site.start()?;
    }
    for site in &network.sites {
        site.ready().await?;
    }
    register_officers(&network).await?;
    let started = Instant::now();
    let (stop, written, refused) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut threads = Vec::new();
    let hub = network.sites[0].client.clone();
    for (n, site) in network.sites.iter().enumerate().skip(1) {
        let traffic = traffic::Traffic {
            crossing: site.name.to_uppercase(),
            client: site.client.clone(),
            hub: hub.clone(),
            seed: args.seed.wrapping_mul(31).wrapping_add(n as u64),
            clean: args.clean,
            pause: Duration::from_millis(90),
            stop: stop.clone(),
            written: written.clone(),
            refused: refused.clone(),
        };
        threads.push(std::thread::spawn(move || traffic.run()));
    }
    if !args.clean {
        let of = |name: &str| network.sites.iter().find(|s| s.name == name).map(|s| s.client.clone());
        if let (Some(hub), Some(trb), Some(qam)) = (of("hub"), of("trb"), of("qam")) {
            let told = contradictions::Contradictions::new(hub, trb, qam, args.seed, stop.clone());
            threads.push(std::thread::spawn(move || told.run()));
        }
    }
    live(&mut network, &args, json, started).await?;
    stop.store(true, Ordering::Relaxed);
    let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|t| drop(t.join()))).await;
    joined.map_err(|e| Failure::new("panicked", e.to_string()))?;
    for (_, _, link) in &network.links {
        link.set_up(true);
    }
    for site in &mut network.sites {
        if site.child.is_none() {
            site.start()?;
        }
    }
    if !json {
        println!("\nAll links are healed; waiting until the nodes agree.");
    }
    let healed = Instant::now();
    let (mut statuses, mut converged) = (Vec::new(), false);
    let mut disagreements = Vec::new();
    while healed.elapsed() < HEAL {
        statuses = network.statuses().await;
        disagreements = disagree(&statuses);
        converged = disagreements.is_empty();
        if converged {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let findings = network.sites[0].client.clone();
    let findings = tokio::task::spawn_blocking(move || findings.get("/v1/findings")).await.ok().and_then(Result::ok);
    report(&network, &statuses, converged, &disagreements, findings, started, json);
    if !json {
        println!(
            "{} writes, {} refused by the rules.",
            written.load(Ordering::Relaxed),
            refused.load(Ordering::Relaxed)
        );
    }
    // All are told first and waited for after: each says goodbye to its peers.
    for site in &network.sites {
        site.terminate().await;
    }
    for site in &mut network.sites {
        site.gone().await;
    }
    Ok(if converged { Exit::Done } else { Exit::Open })
}

fn prepare_dir(dir: &Path) -> Result<(), Failure> {
    if dir.exists() {
        // Only what a demonstration made is cleared away.
        if !dir.join("demo").exists() && std::fs::read_dir(dir)?.next().is_some() {
            let why = format!("{} exists and is no demonstration's; name another with --dir", dir.display());
            return Err(Failure::usage("dir_in_use", why));
        }
        std::fs::remove_dir_all(dir)?;
    }
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("demo"), "made by wadi demo; cleared by the next one\n")?;
    Ok(())
}

fn free_udp() -> Result<SocketAddr, Failure> {
    Ok(std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?)
}
fn free_tcp() -> Result<SocketAddr, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn build(args: &DemoArgs, profile: Profile) -> Result<Network, Failure> {
    let dir = std::path::absolute(&args.dir)?;
    let passphrase: String = format!("{:032x}", rand::random::<u128>());
    let ca = Ca::init(&dir.join("certs"), &passphrase.into(), Some(10))?;
    let names: Vec<String> =
        std::iter::once("hub".to_string()).chain(CROSSINGS.iter().map(|c| c.to_lowercase())).collect();
    let mut ports = BTreeMap::new();
    for name in &names {
        let (role, crossing) = match name.as_str() {
            "hub" => (Role::Hub, Crossing::HUB),
            _ => (Role::Crossing, name.to_uppercase().parse()?),
        };
        let (papers, _) = ca.issue(name, role, Some(crossing), scope_of(role, Some(crossing), &[])?, &[])?;
        ports.insert(name.clone(), (free_udp()?, free_tcp()?, papers));
    }
    let mut pairs: Vec<(String, String)> = CROSSINGS.iter().map(|c| (c.to_lowercase(), "hub".to_string())).collect();
    pairs.extend(NEIGHBOURS.iter().map(|(a, b)| (a.to_lowercase(), b.to_lowercase())));
    let mut links = Vec::new();
    let mut peers: BTreeMap<String, Vec<PeerConfig>> = BTreeMap::new();
    for (n, (from, to)) in pairs.into_iter().enumerate() {
        let link = Link::open(ports[&to].0, profile, args.seed.wrapping_add(n as u64)).await?;
        let rate_kbit_s = Some((profile.rate_bits_s / 1000.0) as u64);
        let peer = PeerConfig { name: to.clone(), address: link.address.to_string(), rate_kbit_s };
        peers.entry(from.clone()).or_default().push(peer);
        links.push((from, to, link));
    }
    let (server, database) = match args.hub_store.as_str() {
        "sqlite" => (None, None),
        "postgres" => {
            let place = dir.join("postgres");
            let server = tokio::task::spawn_blocking(move || TemporaryServer::start(&place))
                .await
                .map_err(|e| Failure::new("panicked", e.to_string()))??;
            let url = server.create("wadi")?;
            (Some(server), Some(url))
        }
        other => return Err(Failure::usage("unknown_store", format!("{other:?} is none of sqlite, postgres"))),
    };
    let real_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    let clock = ClockConfig { origin_ms: ORIGIN_MS, real_ms, scale: HOURS_PER_SECOND * 3_600.0 };
    let mut sites = Vec::new();
    for name in names {
        let (listen, http, papers) = &ports[&name];
        let node_dir = dir.join(&name);
        std::fs::create_dir_all(node_dir.join("log"))?;
        let config = Config {
            data: ".".into(),
            database: database.clone().filter(|_| name == "hub"),
            papers: papers.clone(),
            listen: *listen,
            http: *http,
            http_tls: false,
            spool: Some("spool".into()),
            redial_s: 1.0,
            idle_s: 6.0,
            own_links: true,
            scrub_hours: 24.0,
            scrub_mib_s: 4.0,
            // Seven nodes share this machine's disk.
            ballast_mib: 1,
            room_low_mib: 16,
            log: "warn,wadi=info".into(),
            clock: Some(clock.clone()),
            peer: peers.remove(&name).unwrap_or_default(),
        };
        let text = toml::to_string(&config).map_err(|e| Failure::new("configuration", e.to_string()))?;
        std::fs::write(node_dir.join("node.toml"), text)?;
        let client = Client::new(format!("http://{http}"), "");
        sites.push(Site { name, dir: node_dir, child: None, client });
    }
    Ok(Network { _server: server, sites, links })
}

impl Site {
    fn start(&mut self) -> Result<(), Failure> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.dir.join("log/node.log"))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["node", "run", "--config"])
            .arg(self.dir.join("node.toml"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    async fn ready(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let client = self.client.clone();
            let ready = tokio::task::spawn_blocking(move || client.get("/readyz")).await;
            if ready.is_ok_and(|r| r.is_ok()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let why = format!("{} does not come up; see {}", self.name, self.dir.join("log/node.log").display());
                return Err(Failure::new("not_ready", why));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Pulls the plug.
    async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    async fn terminate(&self) {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            let _ = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await;
        }
    }

    async fn gone(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if tokio::time::timeout(Duration::from_secs(10), child.wait()).await.is_err() {
            let _ = child.kill().await;
        }
    }
}

impl Network {
    async fn statuses(&self) -> Vec<(String, Option<Value>)> {
        let mut out = Vec::new();
        for site in &self.sites {
            let client = site.client.clone();
            let status = tokio::task::spawn_blocking(move || client.get("/v1/sites")).await.ok().and_then(Result::ok);
            out.push((site.name.clone(), status));
        }
        out
    }
    fn wire_bytes(&self) -> u64 {
        self.links.iter().map(|(_, _, l)| l.bytes()).sum()
    }
}

/// The hub registers every crossing's officers, as a real one would before anybody may release anything.
async fn register_officers(network: &Network) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for site in &network.sites {
        let token = std::fs::read_to_string(site.dir.join("operator.token"))?;
        clients.push(token.trim().to_string());
    }
    let hub = network.sites[0].client.with_token(&clients[0]);
    let work = move || {
        for crossing in CROSSINGS {
            for (officer, department, supervisor) in traffic::officers(crossing) {
                let body = json!({"say": "officer", "officer": officer, "department": department, "crossing": crossing, "supervisor": supervisor});
                hub.post("/v1/control", &body)?;
            }
        }
        let body = json!({"say": "officer", "officer": "HUB-1", "department": "HUB", "supervisor": true});
        hub.post("/v1/control", &body).map(drop)
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| Failure::new("panicked", e.to_string()))??;
    for (site, token) in network.sites.iter().zip(&clients) {
        site.client.set_token(token);
    }
    Ok(())
}

/// Runs links and outages by schedule and shows the table, until the time is up.
async fn live(network: &mut Network, args: &DemoArgs, json: bool, started: Instant) -> Result<(), Failure> {
    let mut r = StdRng::seed_from_u64(args.seed ^ 0x11aa);
    let mut next: Vec<(Instant, bool)> = network.links.iter().map(|_| (started, true)).collect();
    let total = args.time.unwrap_or(Duration::MAX);
    let kill_at = total.min(Duration::from_secs(120)).mul_f64(0.4);
    let revive_at = kill_at + Duration::from_secs(5);
    let (mut killed, mut revived) = (false, false);
    let mut shown = Instant::now() - Duration::from_secs(60);
    let live = std::io::stdout().is_terminal() && !json;
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    while started.elapsed() < total {
        let now = Instant::now();
        for ((from, to, link), (at, up)) in network.links.iter().zip(&mut next) {
            if now >= *at {
                *up = !*up || at == &started;
                // Al-Qaem is dark most of the time and heard through Traibeel.
                let dark = from == "qam" && to == "hub";
                let (long, short) = if dark { (1.0..2.0, 12.0..18.0) } else { (5.0..12.0, 1.5..4.0) };
                let seconds = if *up { r.random_range(long) } else { r.random_range(short) };
                *at = now + Duration::from_secs_f64(seconds);
                link.set_up(*up);
            }
        }
        if !killed && started.elapsed() >= kill_at {
            killed = true;
            if let Some(site) = network.sites.iter_mut().find(|s| s.name == "man") {
                site.kill().await;
            }
        }
        if killed && !revived && started.elapsed() >= revive_at {
            revived = true;
            if let Some(site) = network.sites.iter_mut().find(|s| s.name == "man") {
                site.start()?;
            }
        }
        let every = if live { Duration::from_secs(1) } else { Duration::from_secs(15) };
        if !json && shown.elapsed() >= every {
            shown = Instant::now();
            let statuses = network.statuses().await;
            if live {
                print!("\x1b[2J\x1b[H");
            }
            println!("{}", table(network, &statuses, started));
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
            _ = &mut interrupted => return Ok(()),
        }
    }
    Ok(())
}

fn table(network: &Network, statuses: &[(String, Option<Value>)], started: Instant) -> String {
    let mut table = Table::new();
    let header = ["node", "hub link", "records", "unsent", "last contact", "waiting", "carries", "refused", "findings"];
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(header);
    for (name, status) in statuses {
        let link = network.links.iter().find(|(f, t, _)| f == name && t == "hub");
        let link = link.map_or("", |(_, _, l)| if l.is_up() { "up" } else { "down" });
        let Some(s) = status else {
            table.add_row([name.as_str(), link, "no answer: killed, or starting"]);
            continue;
        };
        let peers = s["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let last = peers.iter().filter_map(|p| p["last_contact_ms"].as_i64()).max().unwrap_or(0);
        let minutes = (s["now_ms"].as_i64().unwrap_or(0) - last) / 60_000;
        let ago = if last == 0 { "never".into() } else { format!("{minutes} min ago") };
        let number = |k: &str| s[k].to_string();
        let carries = format!("{} KB", s["carried_bytes"].as_i64().unwrap_or(0) / 1024);
        let cells = [
            name.clone(),
            link.into(),
            number("records"),
            number("unsent"),
            ago,
            number("waiting"),
            carries,
            number("refused"),
            number("findings"),
        ];
        table.add_row(cells);
    }
    let seconds = started.elapsed().as_secs_f64();
    let domain = crate::commands::time(ORIGIN_MS + (seconds * HOURS_PER_SECOND * 3_600_000.0) as i64);
    format!("{seconds:.0} s, {domain} at the crossings, {} KB on the wire\n{table}", network.wire_bytes() / 1024)
}

/// What keeps the nodes from agreeing; empty when all that take a lane of a crossing hold the same entries, documents and
/// states of it, nothing waits, and the hub holds everything.
fn disagree(statuses: &[(String, Option<Value>)]) -> Vec<String> {
    let mut out = Vec::new();
    let mut scopes: BTreeMap<(String, String), Vec<(&str, Value)>> = BTreeMap::new();
    for (name, status) in statuses {
        let Some(s) = status else {
            out.push(format!("{name} does not answer"));
            continue;
        };
        for member in ["unsent", "waiting"] {
            if s[member] != 0 {
                out.push(format!("{name}: {} {member}", s[member]));
            }
        }
        for scope in s["scopes"].as_array().into_iter().flatten() {
            let key = (
                scope["lane"].as_str().unwrap_or_default().into(),
                scope["crossing"].as_str().unwrap_or_default().into(),
            );
            scopes.entry(key).or_default().push((name, scope.clone()));
        }
    }
    for ((lane, crossing), held) in &scopes {
        let (first, wanted) = &held[0];
        for (name, scope) in &held[1..] {
            for digest in ["entries_digest", "documents_digest", "states_digest"] {
                if scope[digest] != wanted[digest] {
                    out.push(format!(
                        "{lane} of {crossing}: {digest} of {name} ({} entries, {} records) is not that of {first} ({} entries, {} records)",
                        scope["entries"], scope["records"], wanted["entries"], wanted["records"]
                    ));
                }
            }
        }
        if !held.iter().any(|(name, _)| *name == "hub") {
            out.push(format!("{lane} of {crossing}: the hub holds nothing"));
        }
        // The hub's own site days are the hub's alone.
        if held.len() < 2 && !(lane == "site" && crossing == "HUB") {
            out.push(format!("{lane} of {crossing}: only {first} holds it"));
        }
    }
    // Everybody who takes control and holds takes them of every crossing.
    for lane in ["control", "hold"] {
        for ((l, crossing), held) in &scopes {
            if l == lane && held.len() != statuses.len() {
                out.push(format!("{lane} of {crossing}: held by {} of {} nodes", held.len(), statuses.len()));
            }
        }
    }
    out
}

fn report(
    network: &Network,
    statuses: &[(String, Option<Value>)],
    converged: bool,
    disagreements: &[String],
    findings: Option<Value>,
    started: Instant,
    json: bool,
) {
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for f in findings.iter().flat_map(|f| f["counts"].as_array().into_iter().flatten()) {
        let text = |m: &str| f[m].as_str().unwrap_or_default().to_string();
        *counts.entry((text("rule"), text("phase"))).or_default() += f["count"].as_u64().unwrap_or(0);
    }
    let nodes: Vec<Value> = statuses
        .iter()
        .map(|(name, s)| {
            let s = s.clone().unwrap_or_default();
            json!({"node": name, "records": s["records"], "entries": s["entries"], "digest": s["digest"], "unsent": s["unsent"], "refused": s["refused"]})
        })
        .collect();
    let seconds = started.elapsed().as_secs_f64();
    if json {
        let findings: Vec<Value> =
            counts.iter().map(|((rule, phase), n)| json!({"rule": rule, "phase": phase, "count": n})).collect();
        println!(
            "{}",
            json!({"converged": converged, "seconds": seconds, "wire_bytes": network.wire_bytes(), "nodes": nodes,
                "findings": findings, "disagreements": disagreements})
        );
        return;
    }
    println!("{}", table(network, statuses, started));
    for ((rule, phase), n) in &counts {
        println!("finding {rule} {phase}: {n}");
    }
    if converged {
        println!(
            "All nodes agree: every lane of every crossing has equal entries, documents and states wherever it is held,"
        );
        println!(
            "and the hub has everything. Holds and control, held by all: {}",
            &nodes[0]["digest"].as_str().unwrap_or_default()[..16]
        );
    } else {
        println!("NOT CONVERGED after {} s:", HEAL.as_secs());
        disagreements.iter().take(20).for_each(|d| println!("  {d}"));
    }
}
