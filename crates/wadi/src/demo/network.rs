//! The demonstration's network: a CA, seven nodes as processes of their own, and the links between
//! them.

use super::{DemoArgs, ORIGIN_MS, accounts::DemoAccounts, goods, parent, signals::Signals};
use crate::{
    cli::client::Client,
    config::{ClockConfig, Config, PeerConfig, SpoolConfig},
    failure::Failure,
    pki::{Ca, scope_of},
    ports::free_addresses,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
};
use wadi_lab::{LinkProfile, UdpLink};
use wadi_log::{Crossing, Role};
use wadi_store::{StoreError, TemporaryServer, private};

/// The six crossings of the first network.
pub const CROSSINGS: [&str; 6] = ["WLD", "RAB", "MUN", "MAN", "TRB", "QAM"];
/// Neighbours that hear each other without the hub.
const NEIGHBOURS: [(&str, &str); 4] = [
    ("QAM", "TRB"),
    ("WLD", "TRB"),
    ("MUN", "MAN"),
    ("RAB", "WLD"),
];
/// Hours of domain time in a second: deadlines of days fall within a minute.
pub const HOURS_PER_SECOND: f64 = 1.0;
/// How long a node may take to start.
const START_MAX: Duration = Duration::from_secs(30);
/// How long nodes may take to stop in order; whoever still runs then is killed …
const STOP_MAX: Duration = Duration::from_secs(10);
/// … and how long where somebody asks for it a second time.
const STOP_AT_ONCE_MAX: Duration = Duration::from_secs(1);
/// How long a node may take over an answer, before it is told as silent.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Lines of a node's log that are shown of one that does not start.
const LOG_LINES: usize = 5;

/// A node's process.
pub struct SiteProcess {
    pub name: String,
    pub dir: PathBuf,
    pub http: SocketAddr,
    pub client: Client,
    pub child: Option<Child>,
}

/// Everything that runs, and that has to end with the demonstration.
#[derive(Default)]
pub struct DemoNetwork {
    pub sites: Vec<SiteProcess>,
    pub links: Vec<(String, String, UdpLink)>,
    /// A database server that is on its way, while the links and nodes are not there yet …
    starting: Option<JoinHandle<Result<TemporaryServer, StoreError>>>,
    /// … and one that runs. It stops after the nodes.
    server: Option<TemporaryServer>,
    /// Whether a node was started without its anchor: it has something to tell the hub.
    pub lost_anchor: bool,
    /// Who may sign in.
    pub accounts: DemoAccounts,
}

/// A node's place in the network.
struct SiteAddresses {
    listen: SocketAddr,
    http: SocketAddr,
    papers: PathBuf,
}

fn panicked(error: tokio::task::JoinError) -> Failure {
    Failure::new("panicked", error.to_string())
}

impl DemoNetwork {
    /// Makes papers, links and configurations, and starts the hub's database server where it has
    /// one; no node runs yet.
    pub async fn build(&mut self, args: &DemoArgs, profile: LinkProfile) -> Result<(), Failure> {
        let dir = std::path::absolute(&args.dir)?;
        let places = issue_papers(&dir)?;
        let mut peers = self.open_links(&places, profile, args.seed).await?;
        let database = self.start_server(args, &dir).await?;

        let real_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64);
        let clock = ClockConfig {
            origin_ms: ORIGIN_MS,
            real_ms,
            scale: HOURS_PER_SECOND * 3_600.0,
        };

        for (name, place) in places {
            let node_dir = dir.join(&name);
            private::create_dir_all(&node_dir.join("log"))?;
            let config = Config {
                database: database.clone().filter(|_| name == "hub"),
                clock: Some(clock.clone()),
                peer: peers.remove(&name).unwrap_or_default(),
                ..configuration(&place)
            };

            let text = toml::to_string(&config)
                .map_err(|e| Failure::new("configuration", e.to_string()))?;
            private::write(&node_dir.join("node.toml"), text.as_bytes())?;

            let client = Client::new(format!("http://{}", place.http), "");
            self.sites.push(SiteProcess {
                name,
                dir: node_dir,
                http: place.http,
                client,
                child: None,
            });
        }

        Ok(())
    }

    /// A link for each crossing to the hub, and between neighbours; whom each node dials.
    async fn open_links(
        &mut self,
        places: &[(String, SiteAddresses)],
        profile: LinkProfile,
        seed: u64,
    ) -> Result<BTreeMap<String, Vec<PeerConfig>>, Failure> {
        let mut pairs: Vec<(String, String)> = CROSSINGS
            .iter()
            .map(|c| (c.to_lowercase(), "hub".to_string()))
            .collect();

        pairs.extend(
            NEIGHBOURS
                .iter()
                .map(|(a, b)| (a.to_lowercase(), b.to_lowercase())),
        );

        let mut peers: BTreeMap<String, Vec<PeerConfig>> = BTreeMap::new();
        for (n, (from, to)) in pairs.into_iter().enumerate() {
            let Some((_, target)) = places.iter().find(|(name, _)| *name == to) else {
                continue;
            };
            let link = UdpLink::open(target.listen, profile, seed.wrapping_add(n as u64)).await?;
            let rate_kbit_s = Some(profile.provisioned_bits_s() / 1_000);
            let peer = PeerConfig {
                name: to.clone(),
                address: vec![link.address.to_string()],
                rate_kbit_s,
                ..PeerConfig::default()
            };

            peers.entry(from.clone()).or_default().push(peer);
            self.links.push((from, to, link));
        }

        Ok(peers)
    }

    /// The URL of the hub's database on a server of its own, where the command line asks for one.
    async fn start_server(
        &mut self,
        args: &DemoArgs,
        dir: &Path,
    ) -> Result<Option<String>, Failure> {
        match args.hub_store.as_str() {
            "sqlite" => Ok(None),
            "postgres" => {
                let place = dir.join("postgres");
                let starting = tokio::task::spawn_blocking(move || TemporaryServer::start(&place));
                let server = self.starting.insert(starting).await.map_err(panicked)??;
                self.starting = None;
                let url = self.server.insert(server).create("wadi")?;
                Ok(Some(url))
            }
            other => Err(Failure::usage(
                "unknown_store",
                format!("{other:?} is none of sqlite, postgres"),
            )),
        }
    }

    /// Starts all nodes and waits until they answer.
    pub async fn start(&mut self) -> Result<(), Failure> {
        for site in &mut self.sites {
            site.start()?;
        }

        for site in &mut self.sites {
            site.ready().await?;
        }

        Ok(())
    }

    pub fn site(&mut self, name: &str) -> Option<&mut SiteProcess> {
        self.sites.iter_mut().find(|s| s.name == name)
    }

    pub fn client(&self, name: &str) -> Option<Client> {
        self.sites
            .iter()
            .find(|s| s.name == name)
            .map(|s| s.client.clone())
    }

    /// Links up, and whoever was killed started again.
    pub fn heal(&mut self) -> Result<(), Failure> {
        for (_, _, link) in &self.links {
            link.set_up(true);
        }

        for site in &mut self.sites {
            if !site.runs() {
                site.start()?;
            }
        }

        Ok(())
    }

    /// How each node stands; nothing of one that does not answer in time.
    pub async fn statuses(&self) -> Vec<(String, Option<Value>)> {
        let asked: Vec<_> = self
            .sites
            .iter()
            .map(|site| (site.name.clone(), site.get("/v1/sites")))
            .collect();

        let mut out = Vec::new();
        for (name, answer) in asked {
            out.push((name, answer.await));
        }

        out
    }

    pub fn wire_bytes(&self) -> u64 {
        self.links.iter().map(|(_, _, l)| l.bytes()).sum()
    }

    /// Ends everything: nodes are asked to stop and waited for, whoever does not stop is killed.
    /// One more signal kills at once.
    pub async fn stop(&mut self, signals: &Signals) {
        // All are told first and waited for after: each says goodbye to its peers.
        for site in &self.sites {
            site.send_signal(Signal::TERM);
        }

        let patience = if signals.is_urgent() {
            STOP_AT_ONCE_MAX
        } else {
            STOP_MAX
        };

        tokio::select! {
            _ = tokio::time::timeout(patience, gone(&mut self.sites)) => {}
            () = signals.another() => {}
        }
        for site in &mut self.sites {
            site.kill().await;
        }

        let starting = self.starting.take();
        let server = self.server.take();
        if starting.is_none() && server.is_none() {
            return;
        }

        let late = match starting {
            Some(starting) => starting.await.ok().and_then(Result::ok),
            None => None,
        };

        // Dropping a server waits until it has stopped.
        let _ = tokio::task::spawn_blocking(move || drop((late, server))).await;
    }
}

async fn gone(sites: &mut [SiteProcess]) {
    for site in sites {
        if let Some(child) = &mut site.child {
            let _ = child.wait().await;
            site.child = None;
        }
    }
}

impl SiteProcess {
    /// Starts the process, in a process group of its own: Ctrl-C is for the demonstration, which
    /// stops its nodes in order.
    ///
    /// To be called on the main thread: a node ends with the thread that started it.
    pub fn start(&mut self) -> Result<(), Failure> {
        let log = private::options()
            .append(true)
            .open(self.dir.join("log/node.log"))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["node", "run", "--config"])
            .arg(self.dir.join("node.toml"))
            .env(parent::PARENT_VARIABLE, parent::this_process())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;

        self.child = Some(child);
        Ok(())
    }

    /// Whether the process runs, hangs though it may.
    pub fn runs(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_MAX;
        while self.get("/readyz").await.is_none() {
            let why = match self.runs() {
                false => "ends as it starts",
                true if Instant::now() > deadline => "does not come up",
                true => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };

            let path = self.dir.join("log/node.log");
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n  ");
            let why = format!(
                "{} {why}; its log is {}, and ends with\n  {last}\n",
                self.name,
                path.display()
            );

            return Err(Failure::new("not_ready", why));
        }

        Ok(())
    }

    /// An answer, where it comes in time. It is asked for at once, whenever the answer is waited
    /// for.
    fn get(&self, path: &'static str) -> impl Future<Output = Option<Value>> + use<> {
        let client = self.client.clone();
        let asked = tokio::task::spawn_blocking(move || client.get(path));
        let in_time = tokio::time::timeout(ANSWER_MAX, asked);
        async move { in_time.await.ok()?.ok()?.ok() }
    }

    /// Pulls the plug.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill().await;
        }
    }

    fn send_signal(&self, signal: Signal) {
        let pid = self
            .child
            .as_ref()
            .and_then(Child::id)
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));

        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
    }
}

/// The hub's place and the crossings', with fresh papers of a fresh CA.
fn issue_papers(dir: &Path) -> Result<Vec<(String, SiteAddresses)>, Failure> {
    let passphrase: String = format!("{:032x}", rand::random::<u128>());
    let ca = Ca::init(&dir.join("certs"), &passphrase.into(), Some(10))?;
    let names =
        std::iter::once("hub".to_string()).chain(CROSSINGS.iter().map(|c| c.to_lowercase()));

    let mut free = free_addresses(2 * (1 + CROSSINGS.len()))?.into_iter();
    let mut places = Vec::new();
    for name in names {
        let (role, crossing) = match name.as_str() {
            "hub" => (Role::Hub, Crossing::HUB),
            _ => (Role::Crossing, name.to_uppercase().parse()?),
        };
        let (papers, _) = ca.issue(
            &name,
            role,
            Some(crossing),
            scope_of(role, Some(crossing), &[])?,
            &[],
        )?;

        let mut address = || free.next().expect("as many as nodes need");

        places.push((
            name,
            SiteAddresses {
                listen: address(),
                http: address(),
                papers,
            },
        ));
    }

    Ok(places)
}

fn configuration(place: &SiteAddresses) -> Config {
    Config {
        budgets: Default::default(),
        data: ".".into(),
        database: None,
        database_encrypted: false,
        papers: place.papers.clone(),
        listen: place.listen,
        http: place.http,
        http_tls: false,
        http_certificate: None,
        http_key: None,
        http_proxies: vec![],
        http_passkeys: vec![],
        spool: vec![SpoolConfig::of_devices("spool")],
        redial_s: 1.0,
        idle_s: 6.0,
        own_links: true,
        scrub_hours: 24.0,
        scrub_mib_s: 4.0,
        // Seven nodes share this machine's disk.
        ballast_mib: 1,
        room_low_mib: 16,
        log: "warn,wadi=info".into(),
        clock: None,
        country: Default::default(),
        peer: Vec::new(),
    }
}

/// The hub registers every crossing's officers, as a real one would before anybody may release
/// anything.
pub async fn register_officers(network: &DemoNetwork) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for site in &network.sites {
        let token = std::fs::read_to_string(site.dir.join("operator.token"))?;
        clients.push(token.trim().to_string());
    }

    let hub = network.sites[0].client.with_token(&clients[0]);
    let work = move || {
        for crossing in CROSSINGS {
            for (officer, department, supervisor) in goods::officers(crossing) {
                let body = json!({
                    "say": "officer",
                    "officer": officer,
                    "department": department,
                    "crossing": crossing,
                    "supervisor": supervisor,
                });
                hub.post("/v1/control", &body)?;
            }
        }

        for auditor in ["HUB-1", "HUB-2"] {
            let body = json!({
                "say": "officer",
                "officer": auditor,
                "department": "HUB",
                "supervisor": true,
            });
            hub.post("/v1/control", &body)?;
        }

        Ok::<_, Failure>(())
    };

    tokio::task::spawn_blocking(work)
        .await
        .map_err(panicked)??;
    for (site, token) in network.sites.iter().zip(&clients) {
        site.client.set_token(token);
    }

    Ok(())
}
