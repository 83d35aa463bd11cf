//! A witness that others wrote (`aics-witness`, from PyPI) cosigns the log, and evidence shows it.

use super::mirror::{get, get_text, start_hub};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey};
use integration_tests::{World, papers, wadi};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Where its programs lie. `scripts/test` installs them, and says so by the variable; without it
/// this test is left out, and says so.
fn programs() -> Option<PathBuf> {
    let python = std::env::var_os("WADI_WITNESS_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("left out: WADI_WITNESS_PYTHON is not set; ./scripts/test sets it");
    }

    let python = std::path::absolute(python?).expect("a path");
    Some(python.parent().expect("a directory").into())
}

/// The witness of somebody else.
struct Witness {
    program: PathBuf,
    config: PathBuf,
    address: SocketAddr,
    vkey: String,
    child: Option<Child>,
}

impl Witness {
    fn prepare(programs: &Path, dir: &Path, name: &str) -> Self {
        let address = integration_tests::reserve_address();
        let mut this = Self {
            program: programs.join("aics-witness"),
            config: dir.join(format!("{name}.json")),
            address,
            vkey: String::new(),
            child: None,
        };
        let listen = address.to_string();
        let (db, key) = (format!("{name}.db"), format!("{name}.key"));
        let full = format!("witness.example/{name}");
        let said = this.run(
            "init",
            &[
                "--name",
                &full,
                "--listen",
                &listen,
                "--db",
                &db,
                "--key-file",
                &key,
            ],
        );
        let vkey = said.split_whitespace().find(|word| word.starts_with(&full));
        this.vkey = vkey.expect("its key").to_string();
        this
    }

    fn run(&self, command: &str, arguments: &[&str]) -> String {
        let output = Command::new(&self.program)
            .args([command, "--config"])
            .arg(&self.config)
            .args(arguments)
            .output()
            .expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}: {told}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn serve(&mut self) {
        let child = Command::new(&self.program)
            .args(["serve", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("it runs"));
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn is_up(&self) -> bool {
        std::net::TcpStream::connect(self.address).is_ok()
    }

    /// Status and body of a request of anybody's.
    fn ask(&self, body: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let answer = agent
            .post(format!("{}/add-checkpoint", self.url()))
            .send(body);
        let mut answer = answer.expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        (answer.status().as_u16(), text)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Adds lines to a node's configuration.
fn configure(world: &World, name: &str, more: &str) {
    let path = world.dir().join(name).join("node.toml");
    let text = std::fs::read_to_string(&path).expect("it reads");
    std::fs::write(&path, format!("{text}\n{more}")).expect("written");
}

/// `wadi audit verify-evidence`: its exit code and what it says.
fn verify(dir: &Path, policy: &Path) -> (i32, Value) {
    let output = Command::new(wadi())
        .current_dir(dir)
        .args([
            "--json",
            "audit",
            "verify-evidence",
            "case.evidence",
            "--root",
        ])
        .arg(papers().join("certs/nodes/trb/root.pub"))
        .arg("--policy")
        .arg(policy)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = said.lines().last().unwrap_or_default();
    let value = serde_json::from_str(last).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), value)
}

/// A checkpoint of somebody who has the hub's log key and shows another tree.
fn forged(note: &str) -> String {
    let mut lines = note.lines();
    let (origin, size) = (lines.next().unwrap(), lines.next().unwrap());
    let root = STANDARD.encode([9u8; 32]);
    let body = format!("{origin}\n{size}\n{root}\n");
    let key = SigningKey::from_bytes(&hub_seed());
    let public = key.verifying_key().to_bytes();
    let mut hasher = Sha256::new();
    hasher.update(format!("{origin}\n\u{1}"));
    hasher.update(public);
    let id: [u8; 32] = hasher.finalize().into();
    let signature = key.sign(body.as_bytes()).to_bytes();
    let line = STANDARD.encode([&id[..4], &signature].concat());
    format!("{body}\n\u{2014} {origin} {line}\n")
}

/// The seed of the hub's log key.
fn hub_seed() -> [u8; 32] {
    let path = papers().join("certs/nodes/hub/log.key");
    let text = std::fs::read_to_string(path).expect("the hub's key");
    let seed = wadi_log::unhex(text.trim()).and_then(|bytes| bytes.try_into().ok());
    seed.expect("64 hexadecimal digits")
}

#[test]
fn a_witness_that_others_wrote_cosigns_and_evidence_reaches_the_quorum() {
    let Some(programs) = programs() else { return };
    let mut world = World::default();
    start_hub(&mut world, "public = true\n");
    let prefix = format!("{}/tlog", world.site("hub").url());
    let checkpoint = format!("{prefix}/checkpoint");
    world.wait("a checkpoint", || get(&checkpoint).0 == 200);
    let vkeys = get_text(&format!("{prefix}/vkeys"));
    let log_key = vkeys.lines().next().expect("a key").to_string();
    let origin = log_key.split('+').next().expect("a name").to_string();

    let dir = world.dir().to_path_buf();
    let mut witness = Witness::prepare(&programs, &dir, "w1");
    let stranger = Witness::prepare(&programs, &dir, "w2");
    witness.run("add-log", &["--origin", &origin, "--vkey", &log_key]);
    witness.serve();
    world.wait("the witness listens", || witness.is_up());

    // The hub hears of its witness, starts again, and goes on with the same log.
    world.site("hub").stop();
    let (url, vkey) = (witness.url(), witness.vkey.clone());
    let asked = format!("[[country.witness]]\nurl = \"{url}\"\nvkeys = [\"{vkey}\"]\n");
    configure(&world, "hub", &asked);
    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let truck = world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let file = dir.join("case.evidence");
    let proofs = dir.join("case.evidence.proofs");
    let pack = || {
        let _ = std::fs::remove_dir_all(&proofs);
        let output = Command::new(wadi())
            .args([
                "--json",
                "audit",
                "evidence",
                &truck,
                "--tlog-proof",
                "--force",
                "-o",
            ])
            .arg(&file)
            .arg("--config")
            .arg(world.dir().join("hub/node.toml"))
            .output()
            .expect("it runs");
        output.status.success()
    };
    let policy = |quorum: &str| {
        let stranger = &stranger.vkey;
        let text = format!("log {log_key}\nwitness W1 {vkey}\nwitness W2 {stranger}\n{quorum}\n");
        let path = dir.join("policy");
        std::fs::write(&path, text).expect("written");
        path
    };

    let one = policy("group either any W1 W2\nquorum either");
    world.wait("proofs that the witness cosigned", || {
        pack() && verify(&dir, &one).0 == 0
    });
    let (code, said) = verify(&dir, &one);
    assert_eq!((code, &said["valid"]), (0, &Value::Bool(true)), "{said}");
    assert_eq!(said["country"]["cosigned"], serde_json::json!(["W1"]));

    // The operator sees how far the log goes, and who cosigned it.
    let standing = || world.site("hub").get("/v1/sites").unwrap()["country_log"].clone();
    world.wait("status tells of the witness", || {
        standing()["witnesses"][0]["has_cosigned"] == true
    });
    let told = standing();
    assert_eq!(told["witnesses"][0]["trouble"], Value::Null, "{told}");
    assert!(told["cosigned_leaves"].as_u64() >= Some(1), "{told}");

    let both = policy("group both all W1 W2\nquorum both");
    let (code, said) = verify(&dir, &both);
    assert_eq!(
        (code, &said["code"]),
        (4, &Value::from("no_quorum")),
        "{said}"
    );

    // A proof that somebody changed is none, and one that is not there is missed.
    let one = policy("quorum W1");
    let paths = || std::fs::read_dir(&proofs).expect("proofs").flatten();
    for path in paths().map(|entry| entry.path()) {
        let whole = std::fs::read_to_string(&path).expect("it reads");
        // The third line is the index, the fourth the leaf's sibling.
        let line = |n| whole.lines().nth(n).expect("a line");
        let changes = [(2, "index 0".into()), (3, STANDARD.encode([7u8; 32]))];
        for (n, other) in changes {
            std::fs::write(&path, whole.replacen(line(n), &other, 1)).expect("written");
            let (code, said) = verify(&dir, &one);
            let refused = (code, &said["code"]);
            assert_eq!(refused, (4, &Value::from("hash_mismatch")), "{said}");
        }

        std::fs::remove_file(&path).expect("removed");
        let (code, said) = verify(&dir, &one);
        assert_eq!(
            (code, &said["code"]),
            (4, &Value::from("not_in_country_log")),
            "{said}"
        );
        std::fs::write(&path, whole).expect("written");
    }
    assert_eq!(verify(&dir, &one).0, 0);

    // Whoever has the hub's key and shows another tree is refused, and kept as evidence.
    world.site("hub").stop();
    let seen = get_text(&format!(
        "{url}/{}/checkpoint",
        Sha256::digest(origin.as_bytes())
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    ));
    let size = seen.lines().nth(1).expect("a size");
    let (status, told) = witness.ask(&format!("old {size}\n\n{}", forged(&seen)));
    assert_eq!(status, 422, "{told}");
    let kept = witness.run("evidence", &[]);
    assert!(kept.contains(&origin), "{kept}");
}
