//! A site and a hub as processes of their own, on a link of this machine: for measuring what they
//! say to each other.

use crate::{
    bench::{cpu_s_of, rss_bytes_of},
    cli::client::Client,
    failure::Failure,
    pki::{Ca, scope_of},
    ports::free_addresses,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};
use wadi_lab::{LinkProfile, UdpLink};
use wadi_log::{Crossing, Role};

/// How often the two are asked how they stand: their answers take time of the processors, too.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Lines of an import that are sent in one request.
const IMPORT_LINES: usize = 500;
/// How long a process may take to start, and to stop.
const START_MAX: Duration = Duration::from_secs(60);
const STOP_MAX: Duration = Duration::from_secs(20);

/// One of the two.
pub struct Process {
    name: &'static str,
    dir: PathBuf,
    client: Client,
    child: Child,
}

/// Both, and the link between them.
pub struct BenchPair {
    pub site: Process,
    pub hub: Process,
    pub link: Arc<UdpLink>,
}

/// Where a process listens.
struct ProcessAddresses {
    quic: SocketAddr,
    http: SocketAddr,
}

impl BenchPair {
    /// Starts both with fresh papers. The site dials the hub over a link that is like `profile`,
    /// and knows a rate of it.
    pub async fn start(
        program: &Path,
        dir: &Path,
        profile: LinkProfile,
        rate_kbit_s: u64,
        seed: u64,
    ) -> Result<Self, Failure> {
        let passphrase = format!("{:032x}", rand::random::<u128>());
        let ca = Ca::init(&dir.join("certs"), &passphrase.into(), Some(10))?;
        let trb: Crossing = "TRB".parse()?;
        let scope = |role, crossing| scope_of(role, Some(crossing), &[]);
        let (hub_papers, _) = ca.issue(
            "hub",
            Role::Hub,
            Some(Crossing::HUB),
            scope(Role::Hub, Crossing::HUB)?,
            &[],
        )?;

        let (site_papers, _) = ca.issue(
            "trb",
            Role::Crossing,
            Some(trb),
            scope(Role::Crossing, trb)?,
            &[],
        )?;

        let free = free_addresses(4)?;
        let places = [0, 2].map(|n| ProcessAddresses {
            quic: free[n],
            http: free[n + 1],
        });
        let [hub_place, site_place] = &places;
        let link = Arc::new(UdpLink::open(hub_place.quic, profile, seed).await?);
        let peer = format!(
            "\n[[peer]]\nname = \"hub\"\naddress = \"{}\"\nrate_kbit_s = {rate_kbit_s}\n",
            link.address
        );
        let mut hub =
            Process::start(program, "hub", &dir.join("hub"), &hub_papers, hub_place, "").await?;
        let mut site = Process::start(
            program,
            "trb",
            &dir.join("trb"),
            &site_papers,
            site_place,
            &peer,
        )
        .await?;

        for process in [&mut hub, &mut site] {
            process.ready().await?;
        }

        Ok(Self { site, hub, link })
    }

    /// Waits until both hold the same, and a hub's cosignature covers all of it. Returns when.
    pub async fn converged(&self, most: Duration) -> Result<Instant, Failure> {
        let deadline = Instant::now() + most;
        loop {
            let (site, hub) = (self.site.status().await?, self.hub.status().await?);
            let now = Instant::now();
            if in_step(&site, "hub")
                && in_step(&hub, "trb")
                && site["unsent"] == 0
                && agree(&site, &hub)
            {
                return Ok(now);
            }

            if now > deadline {
                let lacks = |status: &Value| status["peers"][0]["unsent"].clone();
                let why = format!(
                    "not converged after {} s: the hub lacks {}, the site {}",
                    most.as_secs(),
                    lacks(&site),
                    lacks(&hub)
                );

                return Err(Failure::new("not_converged", why));
            }

            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Takes the link down, and waits until both have given their connection up.
    pub async fn cut_link(&self) -> Result<(), Failure> {
        self.link.set_up(false);
        for process in [&self.site, &self.hub] {
            let peer = if process.name == "hub" { "trb" } else { "hub" };
            while peer_of(&process.status().await?, peer)["connected"] == true {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }

        Ok(())
    }

    /// Bytes of blocks that both have sent over the connection that stands.
    pub async fn block_bytes(&self) -> Result<u64, Failure> {
        let (site, hub) = (self.site.status().await?, self.hub.status().await?);
        let sent = |status: &Value, peer| peer_of(status, peer)["sent_bytes"].as_u64().unwrap_or(0);
        Ok(sent(&site, "hub") + sent(&hub, "trb"))
    }

    /// Stops both in order.
    pub async fn stop(mut self) {
        for process in [&mut self.site, &mut self.hub] {
            process.stop().await;
        }
    }
}

fn peer_of(status: &Value, name: &str) -> Value {
    let peers = status["peers"].as_array().into_iter().flatten();
    let mut peers = peers;
    peers
        .find(|p| p["node"] == name)
        .cloned()
        .unwrap_or_default()
}

fn in_step(status: &Value, peer: &str) -> bool {
    let peer = peer_of(status, peer);
    peer["connected"] == true && peer["in_step"] == true && peer["unsent"] == 0
}

/// Whether both hold the same of each lane and crossing that both know.
fn agree(site: &Value, hub: &Value) -> bool {
    let scopes = |status: &Value| -> BTreeMap<(String, String), Value> {
        let all = status["scopes"].as_array().cloned().unwrap_or_default();
        let key = |s: &Value, k: &str| s[k].as_str().unwrap_or_default().to_string();
        all.into_iter()
            .map(|s| ((key(&s, "lane"), key(&s, "crossing")), s))
            .collect()
    };

    let hub = scopes(hub);
    scopes(site)
        .iter()
        .all(|(scope, sums)| hub.get(scope).is_none_or(|other| other == sums))
}

impl Process {
    async fn start(
        program: &Path,
        name: &'static str,
        dir: &Path,
        papers: &Path,
        place: &ProcessAddresses,
        peer: &str,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(dir.join("log"))?;
        // Only what every version knows, so that one can be measured beside another; all else as it
        // is by default.
        let config = format!(
            "papers = {:?}\nlisten = \"{}\"\nhttp = \"{}\"\nballast_mib = 1\nroom_low_mib = \
             16\n{peer}",
            papers.display().to_string(),
            place.quic,
            place.http
        );

        let path = dir.join("node.toml");
        std::fs::write(&path, config)?;

        let log = std::fs::File::create(dir.join("log/node.log"))?;
        let child = Command::new(program)
            .args(["node", "run", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| Failure::usage("bad_program", format!("{}: {e}", program.display())))?;

        let client = Client::new(format!("http://{}", place.http), "");
        Ok(Self {
            name,
            dir: dir.into(),
            client,
            child,
        })
    }

    /// Waits until it answers, and takes its operator's token.
    async fn ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if self.get("/readyz").await.is_ok()
                && let Ok(token) = std::fs::read_to_string(self.dir.join("operator.token"))
            {
                self.client.set_token(token.trim());
                return Ok(());
            }

            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log =
                    std::fs::read_to_string(self.dir.join("log/node.log")).unwrap_or_default();
                return Err(Failure::new(
                    "not_ready",
                    format!("{} does not come up:\n{log}", self.name),
                ));
            }

            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn get(&self, path: &'static str) -> Result<Value, Failure> {
        let client = self.client.clone();
        blocking(move || client.get(path)).await
    }

    async fn status(&self) -> Result<Value, Failure> {
        self.get("/v1/sites").await
    }

    /// Imports lines of the workload; the record that each sender's key has come to.
    pub async fn import(&self, lines: Vec<String>) -> Result<BTreeMap<String, String>, Failure> {
        let client = self.client.clone();
        blocking(move || {
            let mut records = BTreeMap::new();
            for part in lines.chunks(IMPORT_LINES) {
                let answer = client.post_lines("/v1/imports", part.join("\n").into_bytes())?;
                for result in answer["lines"].as_array().into_iter().flatten() {
                    let line = result["line"].as_u64().unwrap_or(0) as usize;
                    let (Some(record), Some(line)) =
                        (result["record"].as_str(), part.get(line.wrapping_sub(1)))
                    else {
                        return Err(Failure::new(
                            "import",
                            format!("a line was not taken: {result}"),
                        ));
                    };

                    let operation: Value = parse(line)?;
                    let key = operation["id"].as_str().unwrap_or_default();
                    records.insert(key.to_string(), record.to_string());
                }
            }

            Ok(records)
        })
        .await
    }

    /// Imports edits of records that were begun elsewhere: senders' keys stay where they were
    /// imported, so that the records' own ids stand in their place.
    pub async fn edit(
        &self,
        lines: &[String],
        records: &BTreeMap<String, String>,
    ) -> Result<(), Failure> {
        let with_id = |line: &String| {
            let mut operation = parse(line)?;
            let key = operation["id"].as_str().unwrap_or_default();
            let record = records.get(key);
            let record = record.ok_or_else(|| {
                Failure::new("workload", format!("{key} is no record of the base"))
            })?;

            operation["id"] = record.as_str().into();
            Ok(operation.to_string())
        };

        let lines: Vec<String> = lines.iter().map(with_id).collect::<Result<_, Failure>>()?;
        self.import(lines).await.map(drop)
    }

    /// Seconds of processors that it has taken since its start.
    pub fn cpu_s(&self) -> f64 {
        self.child
            .id()
            .map_or(0.0, |pid| cpu_s_of(&pid.to_string()))
    }

    /// Bytes of memory that it holds.
    pub fn rss_bytes(&self) -> u64 {
        self.child
            .id()
            .map_or(0, |pid| rss_bytes_of(&pid.to_string()))
    }

    async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            let _ = Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status()
                .await;
        }

        if tokio::time::timeout(STOP_MAX, self.child.wait())
            .await
            .is_err()
        {
            let _ = self.child.kill().await;
        }
    }
}

fn parse(line: &str) -> Result<Value, Failure> {
    serde_json::from_str(line).map_err(|e| Failure::new("workload", format!("{line}: {e}")))
}

/// Runs what waits for an answer, off the tasks that pass packets on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Failure::new("bench", e.to_string()))?
}
