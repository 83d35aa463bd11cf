//! Stories told to real processes: nodes under their own certificates, links that can be pulled,
//! plugs too.

pub mod browser;
mod cable;
mod exchange;
mod feed;
pub mod network;
pub mod pages;
pub mod passkey;
mod ports;

pub use cable::Cable;
pub use exchange::OPERATOR;
pub use ports::reserve_address;

use rand::RngExt;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

/// How long a story waits for something that has to come. It costs nothing where it comes, and a
/// machine that does much else at once may take minutes for what takes a second.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How long this story waits: not long where its defence was taken away, and it is to fail.
pub fn patience() -> Duration {
    match std::env::var_os("WADI_DEFENCE_OFF") {
        Some(_) => PATIENCE / 6,
        None => PATIENCE,
    }
}

/// The wadi binary that was built beside this test.
pub fn wadi() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }

    let binary = path.join("wadi");
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --workspace` first, or ./scripts/test",
        binary.display()
    );

    binary
}

/// Runs a wadi command to its end, in the name of [`OPERATOR`] where it needs one.
pub fn run(dir: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(wadi())
        .current_dir(dir)
        .args(arguments)
        .env("WADI_PASSPHRASE", "correct horse")
        .env("WADI_PERSON", OPERATOR)
        .env("LC_ALL", "C")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output();

    output.expect("the binary runs")
}

/// Runs a wadi command that has to succeed; its last line as JSON.
pub fn run_json(dir: &Path, arguments: &[&str]) -> Value {
    let output = run(dir, &[&["--json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );

    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default()
}

/// The six crossings' nodes.
pub const SITES: [&str; 6] = ["wld", "rab", "mun", "man", "trb", "qam"];

/// The commission's papers, made once for all stories of a test binary, which leave them as they
/// are: two hubs, the six crossings, an observer of Traibeel's passages, and a crossing and a hub
/// of another CA.
pub fn papers() -> &'static Path {
    static PAPERS: OnceLock<tempfile::TempDir> = OnceLock::new();
    PAPERS.get_or_init(issue_papers).path()
}

/// The same papers for a story of its own, which revokes or renews some of them.
pub fn issue_papers() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    // Opened at once: what a CA's passphrase costs is no part of these stories.
    let init = |ca: &str| {
        run_json(
            dir.path(),
            &["pki", "init", "--work-factor", "10", "--dir", ca],
        )
    };

    let issue = |ca: &str, arguments: &[&str]| {
        run_json(
            dir.path(),
            &[&["pki", "issue", "--dir", ca], arguments].concat(),
        );
    };

    init("certs");
    issue("certs", &["hub", "--role", "hub"]);
    issue("certs", &["hub2", "--role", "hub"]);
    for name in SITES {
        issue("certs", &[name, "--crossing", &name.to_uppercase()]);
    }

    issue(
        "certs",
        &["army", "--role", "observer", "--grant", "passage:TRB"],
    );
    init("other");
    issue("other", &["stranger", "--crossing", "TRB"]);
    issue("other", &["elsewhere", "--role", "hub"]);

    dir
}

/// Lines for an import: loaded trucks that arrive, with ids and plates of these numbers.
pub fn operations(from: u32, count: u32) -> String {
    let line = |n: u32| {
        json!({
            "id": format!("K{n}"),
            "plate": format!("22-A-{n:05}"),
            "direction": "in",
            "status": "arrived",
            "gross_kg": 31_000,
            "tare_kg": 14_000,
            "officer": "OF-1",
        })
    };

    (from..from + count)
        .map(|n| line(n).to_string() + "\n")
        .collect()
}

/// A node's process and how to talk to it.
pub struct Site {
    /// Its directory.
    pub dir: PathBuf,
    /// Its QUIC address.
    pub listen: SocketAddr,
    http: SocketAddr,
    bearer: Option<String>,
    child: Mutex<Option<Child>>,
}

/// A network of real processes in one directory.
pub struct World {
    dir: tempfile::TempDir,
    sites: BTreeMap<String, Site>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            sites: BTreeMap::new(),
        }
    }
}

impl World {
    /// Adds a node with papers of that name, dialling these peers, and starts it.
    pub fn start(&mut self, name: &str, peers: &[(&str, SocketAddr)]) {
        let from = if name == "stranger" {
            papers().join("other/nodes")
        } else {
            papers().join("certs/nodes")
        };
        self.start_with(name, &from.join(name), peers);
    }

    /// Starts a hub, and Traibeel, which has heard that the hub registered this officer.
    pub fn start_with_officer(&mut self, officer: &str, department: &str) {
        self.start("hub", &[]);
        self.start("trb", &[("hub", self.site("hub").listen)]);
        let said = json!({"say": "officer", "officer": officer, "department": department});
        let said = self.site("hub").post("/v1/control", &said);
        said.expect("the officer is registered");
        self.settle(&["hub", "trb"]);
    }

    /// Adds a node with other papers, dialling these peers, and starts it.
    pub fn start_with(&mut self, name: &str, papers: &Path, peers: &[(&str, SocketAddr)]) {
        self.place(name, papers, peers, "");
        self.boot(name);
    }

    /// Adds a node with the commission's papers and more lines of configuration; it is started by
    /// [`Self::boot`].
    pub fn prepare(&mut self, name: &str, peers: &[(&str, SocketAddr)], more: &str) {
        self.place(name, &papers().join("certs/nodes").join(name), peers, more);
    }

    /// The same with other papers.
    pub fn prepare_with(&mut self, name: &str, papers: &Path, at: Option<SocketAddr>, more: &str) {
        let peers: Vec<(&str, SocketAddr)> = at.map(|hub| ("hub", hub)).into_iter().collect();
        self.place(name, papers, &peers, more);
    }

    fn place(&mut self, name: &str, papers: &Path, peers: &[(&str, SocketAddr)], more: &str) {
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let (listen, http) = (ports::reserve_address(), ports::reserve_address());

        // Many nodes share this machine's disk.
        let room = if more.contains("ballast_mib") {
            ""
        } else {
            "ballast_mib = 1\nroom_low_mib = 16\n"
        };

        let mut text = format!(
            "papers = {:?}\nlisten = \"{listen}\"\nhttp = \"{http}\"\nspool = \"spool\"\nredial_s \
             = 0.3\nidle_s = 3.0\n{room}{more}\n",
            papers,
        );
        for (peer, address) in peers {
            text += &format!("[[peer]]\nname = {peer:?}\naddress = \"{address}\"\n");
        }

        std::fs::write(dir.join("node.toml"), text).expect("written");
        self.sites.insert(
            name.into(),
            Site {
                dir,
                listen,
                http,
                bearer: None,
                child: Mutex::new(None),
            },
        );
    }

    /// The directory that all nodes' directories are in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts a node's process, again or for the first time, and waits until it is ready.
    pub fn boot(&self, name: &str) {
        self.launch(name);
        let site = self.site(name);
        self.wait(&format!("{name} is ready"), || site.get("/readyz").is_ok());
    }

    /// Starts a node's process and waits for nothing.
    pub fn launch(&self, name: &str) {
        self.launch_with(name, &[]);
    }

    /// The same with more in its environment.
    pub fn launch_with(&self, name: &str, env: &[(&str, OsString)]) {
        let path = self.site(name).dir.join("stderr.log");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("a log");

        self.launch_logging_to(name, env, log.into());
    }

    /// The same with a log of which nobody reads a line: the reading end is given back.
    pub fn launch_unread(&self, name: &str) -> std::process::ChildStderr {
        self.launch_logging_to(name, &[], Stdio::piped())
            .expect("a pipe")
    }

    fn launch_logging_to(
        &self,
        name: &str,
        env: &[(&str, OsString)],
        log: Stdio,
    ) -> Option<std::process::ChildStderr> {
        let site = self.site(name);
        let child = Command::new(wadi())
            .args(["node", "run", "--config"])
            .arg(site.dir.join("node.toml"))
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();

        let mut child = child.expect("the binary runs");
        let pipe = child.stderr.take();
        *site.child.lock().expect("no panic holds it") = Some(child);

        pipe
    }

    /// A node.
    pub fn site(&self, name: &str) -> &Site {
        self.sites
            .get(name)
            .unwrap_or_else(|| panic!("no site {name}"))
    }

    /// Waits, bounded, until something holds.
    pub fn wait(&self, what: &str, holds: impl Fn() -> bool) {
        let patience = patience();
        let deadline = Instant::now() + patience;
        while !holds() {
            assert!(
                Instant::now() < deadline,
                "waited {patience:?} for: {what}\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn logs(&self) -> String {
        let tail = |s: &Site| {
            let text = std::fs::read_to_string(s.dir.join("stderr.log")).unwrap_or_default();
            text.lines().rev().take(8).collect::<Vec<_>>().join("\n")
        };
        let status = |s: &Site| {
            s.get("/v1/sites")
                .map(|v| v.to_string())
                .unwrap_or_default()
        };

        self.sites
            .iter()
            .map(|(n, s)| format!("-- {n}\n{}\n{}\n", tail(s), status(s)))
            .collect()
    }

    /// Waits until these nodes hold the same of every scope that they share, and nothing waits or
    /// is unsent. The hub's own site days are the hub's alone.
    pub fn settle(&self, names: &[&str]) {
        self.wait(&format!("{names:?} agree"), || {
            let statuses: Vec<Value> = names
                .iter()
                .filter_map(|n| self.site(n).get("/v1/sites").ok())
                .collect();
            let calm = |s: &Value| s["unsent"] == 0 && s["waiting"] == 0;
            let of_hub_alone =
                |scope: &Value| scope["lane"] == "site" && scope["crossing"] == "HUB";
            let mut scopes: BTreeMap<String, Vec<Value>> = BTreeMap::new();

            for s in &statuses {
                for scope in s["scopes"].as_array().into_iter().flatten() {
                    scopes
                        .entry(format!("{} {}", scope["lane"], scope["crossing"]))
                        .or_default()
                        .push(scope.clone());
                }
            }

            statuses.len() == names.len()
                && statuses.iter().all(calm)
                && scopes.values().all(|held| {
                    (held.len() > 1 || of_hub_alone(&held[0]))
                        && held.windows(2).all(|w| w[0] == w[1])
                })
        });
    }
}

impl Site {
    /// The address of its API.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The same node, asked with another token.
    pub fn as_bearer(&self, token: &str) -> Self {
        Self {
            dir: self.dir.clone(),
            listen: self.listen,
            http: self.http,
            bearer: Some(token.into()),
            child: Mutex::new(None),
        }
    }

    /// The token that it is asked with: its operator's, where it is no other.
    pub fn token(&self) -> String {
        if let Some(bearer) = &self.bearer {
            return bearer.clone();
        }

        std::fs::read_to_string(self.dir.join("operator.token"))
            .unwrap_or_default()
            .trim()
            .into()
    }

    fn succeed(&self, method: &str, path: &str, body: Option<&str>) -> Result<Value, Value> {
        match self.send(method, path, body) {
            (Some(200..300), value) => Ok(value),
            (_, value) => Err(value),
        }
    }

    /// Status and body of an answer; no status where there is no answer.
    fn send(&self, method: &str, path: &str, body: Option<&str>) -> (Option<u16>, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();

        let url = format!("http://{}{path}", self.http);
        let bearer = format!("Bearer {}", self.token());
        let sent = match body {
            None if method == "GET" => agent.get(url).header("authorization", bearer).call(),
            None => agent.delete(url).header("authorization", bearer).call(),
            Some(text) => {
                let kind = if path == "/v1/imports" {
                    "application/x-ndjson"
                } else {
                    "application/json"
                };

                agent
                    .post(url)
                    .header("authorization", bearer)
                    .header("content-type", kind)
                    .send(text)
            }
        };

        match sent {
            Ok(mut response) => {
                let text = response.body_mut().read_to_string().unwrap_or_default();
                let value = serde_json::from_str(&text).unwrap_or(json!({"text": text}));
                (Some(response.status().as_u16()), value)
            }
            Err(e) => (
                None,
                json!({"code": "unreachable", "detail": e.to_string()}),
            ),
        }
    }

    /// GET as the operator; a problem is the error.
    pub fn get(&self, path: &str) -> Result<Value, Value> {
        self.succeed("GET", path, None)
    }

    /// POST as the operator.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Value> {
        self.succeed("POST", path, Some(&body.to_string()))
    }

    /// DELETE as the operator.
    pub fn delete(&self, path: &str) -> Result<Value, Value> {
        self.succeed("DELETE", path, None)
    }

    /// POST of raw text.
    pub fn post_text(&self, path: &str, body: &str) -> Result<Value, Value> {
        self.succeed("POST", path, Some(body))
    }

    /// Begins a passage at the gate; its printed id.
    pub fn truck(&self, plate: &str) -> String {
        let body = json!({
            "kind": "passage", "officer": "OF-1", "department": "PORT",
            "fields": {"direction": "in", "vehicle.plate_raw": plate, "purpose": "passengers"},
            "events": [{"type": "gate.in", "gate": "G1", "read": "R1"}],
        });

        let answer = self
            .post("/v1/records", &body)
            .unwrap_or_else(|e| panic!("{e}"));
        answer["id"].as_str().expect("an id").to_string()
    }

    /// Says an event on a record.
    pub fn say(&self, id: &str, department: &str, event: Value) -> Result<Value, Value> {
        let body = json!({"officer": "OF-1", "department": department, "events": [event]});
        self.post(&format!("/v1/records/{id}/events"), &body)
    }

    /// Puts a field, as somebody of the gate, or of customs where it is a seal.
    pub fn set(
        &self,
        id: &str,
        field: &str,
        value: Value,
        based_on: Option<&Value>,
    ) -> Result<Value, Value> {
        let (officer, department) = match field.starts_with("seal.") {
            true => ("OF-C", "CUS"),
            false => ("OF-1", "PORT"),
        };
        let fields = json!({field: value});
        let mut body = json!({"officer": officer, "department": department, "fields": fields});
        if let Some(entries) = based_on {
            body["based_on"] = entries.clone();
        }
        self.post(&format!("/v1/records/{id}/events"), &body)
    }

    /// A record.
    pub fn record(&self, id: &str) -> Result<Value, Value> {
        self.get(&format!("/v1/records/{id}"))
    }

    /// Codes of what this node refused.
    pub fn refusals(&self) -> Vec<String> {
        let all = self.get("/v1/refusals").unwrap_or_default();
        let codes = all["refusals"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|r| r["code"].as_str());

        codes.map(String::from).collect()
    }

    /// Pulls the plug: kill -9.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().expect("no panic holds it").take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether its process has ended.
    pub fn has_ended(&self) -> bool {
        let mut child = self.child.lock().expect("no panic holds it");
        child
            .as_mut()
            .is_none_or(|c| matches!(c.try_wait(), Ok(Some(_))))
    }

    /// Waits until it has ended by itself; its exit code.
    pub fn ended(&self) -> Option<i32> {
        let mut child = self.child.lock().expect("no panic holds it").take()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.code(),
                _ if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return None;
                }
            }
        }
    }

    /// Stops it in order.
    pub fn stop(&self) {
        if let Some(mut child) = self.child.lock().expect("no panic holds it").take() {
            let _ = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status();
            let _ = child.wait();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A seed, printed so that a failure can be replayed with `WADI_SEED`.
pub fn seed() -> u64 {
    let seed = std::env::var("WADI_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("WADI_SEED={seed}");
    seed
}
