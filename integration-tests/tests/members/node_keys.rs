//! Keys that a node makes on its own machine: they never leave it. The commission enrols them by
//! files, and nobody gets another's name by a file that was exchanged on the way.

use integration_tests::{World, run, run_json, wadi};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The commission's machine, and those of nodes, in one directory.
struct Machines(tempfile::TempDir);

impl Machines {
    /// A CA that has issued a hub's papers.
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let made = this.pki(&["pki", "init", "--work-factor", "10"]);
        assert!(made["root"].is_string(), "{made}");
        this.pki(&["pki", "issue", "hub", "--role", "hub"]);
        this
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn pki(&self, arguments: &[&str]) -> Value {
        run_json(self.dir(), arguments)
    }

    /// The fingerprint of the root, as the commission tells it.
    fn root(&self) -> String {
        let answer = self.dir().join("for-the-root");
        let asked = self.request("witness", "QAM", &[]);
        let issued = self.issue("witness", "QAM", &asked, &answer);
        issued["root"].as_str().unwrap().into()
    }

    fn machine(&self, name: &str) -> PathBuf {
        let dir = self.dir().join("machines").join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// A node's machine makes keys, and a request for papers for them.
    fn request(&self, name: &str, crossing: &str, more: &[&str]) -> Asked {
        let dir = self.machine(name);
        let asks = [
            "node",
            "request",
            "--name",
            name,
            "--crossing",
            crossing,
            "-o",
            "request",
        ];
        let made = run_json(&dir, &[&asks[..], more].concat());
        Asked {
            file: dir.join("request"),
            fingerprint: made["fingerprint"].as_str().unwrap().into(),
        }
    }

    fn issue(&self, name: &str, crossing: &str, asked: &Asked, answer: &Path) -> Value {
        let issued = self.try_issue(name, crossing, asked, answer);
        assert!(issued["error"].is_null(), "{issued}");
        issued
    }

    fn try_issue(&self, name: &str, crossing: &str, asked: &Asked, answer: &Path) -> Value {
        let (file, answer) = (asked.file.to_str().unwrap(), answer.to_str().unwrap());
        let mut arguments = vec![
            "pki",
            "issue",
            name,
            "--crossing",
            crossing,
            "--request",
            file,
        ];
        arguments.extend(["-o", answer, "--force"]);
        if !asked.fingerprint.is_empty() {
            arguments.extend(["--fingerprint", &asked.fingerprint]);
        }
        told(self.dir(), &arguments)
    }
}

/// A request, and the fingerprint that its maker tells.
#[derive(Clone)]
struct Asked {
    file: PathBuf,
    fingerprint: String,
}

/// What a command answers, whether it succeeds or fails.
fn told(dir: &Path, arguments: &[&str]) -> Value {
    let output = run(dir, &[&["--json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default()
}

fn accept(machine: &Path, answer: &Path, root: &str) -> Value {
    let answer = answer.to_str().unwrap();
    let mut arguments = vec!["node", "accept", answer];
    if !root.is_empty() {
        arguments.extend(["--root", root]);
    }
    told(machine, &arguments)
}

/// Every file below a directory, read whole.
fn all_files(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => out.extend(all_files(&path)),
            false => {
                let bytes = std::fs::read(&path).unwrap();
                out.push((path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
    }
    out
}

#[test]
fn keys_stay_on_the_crossings_machine_and_its_node_works_by_two_files() {
    let machines = Machines::new();
    let asked = machines.request("trb", "TRB", &["--host", "trb.example"]);
    let (machine, answer) = (machines.machine("trb"), machines.dir().join("trb.answer"));
    let issued = machines.issue("trb", "TRB", &asked, &answer);
    let root = issued["root"].as_str().unwrap().to_string();

    // What left the machine, and what the commission keeps, holds none of its secrets.
    let secret = std::fs::read_to_string(machine.join("papers/log.key")).unwrap();
    let tls = std::fs::read_to_string(machine.join("papers/tls.key")).unwrap();
    let tls = tls.lines().nth(1).unwrap();
    let commissions = all_files(&machines.dir().join("certs"));
    let on_the_way =
        [&asked.file, &answer].map(|f| (f.clone(), std::fs::read_to_string(f).unwrap()));
    for (path, text) in commissions.iter().chain(&on_the_way) {
        let path = path.display();
        assert!(
            !text.contains(secret.trim()) && !text.contains(tls),
            "{path}"
        );
    }
    let kept = machines.dir().join("certs/nodes/trb");
    assert!(!kept.join("log.key").exists() && !kept.join("tls.key").exists());

    // Whose answer it is, the file itself cannot say.
    assert_eq!(
        accept(&machine, &answer, "")["error"],
        "no_root_fingerprint"
    );
    let other = "0000-0000-0000-0000-0000-0000-0000-0000";
    assert_eq!(accept(&machine, &answer, other)["error"], "other_root");
    assert!(
        !machine.join("papers/enrolment").exists(),
        "nothing is changed"
    );
    let accepted = accept(&machine, &answer, &root.to_uppercase().replace('-', " "));
    assert_eq!(accepted["name"], "trb", "{accepted}");
    assert_eq!(
        accept(&machine, &answer, "")["name"],
        "trb",
        "again, it is the same"
    );

    // It works as any other, and its certificate is renewed by the public half alone.
    let mut world = World::default();
    world.start_with("hub", &machines.dir().join("certs/nodes/hub"), &[]);
    let hub = [("hub", world.site("hub").listen)];
    world.start_with("trb", &machine.join("papers"), &hub);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let checked = run(&trb.dir, &["node", "check"]);
    assert!(checked.status.success(), "{checked:?}");
    let truck = trb.truck("11-A-00001");
    world.wait("the hub has it", || hub.record(&truck).is_ok());

    machines.pki(&["pki", "renew", "trb"]);
    std::fs::copy(kept.join("tls.pem"), machine.join("papers/tls.pem")).unwrap();
    trb.stop();
    world.boot("trb");
    let truck = world.site("trb").truck("11-A-00002");
    world.wait("the hub has it, too", || hub.record(&truck).is_ok());
}

#[test]
fn a_file_that_was_exchanged_gets_nobody_anothers_name() {
    let machines = Machines::new();
    let answer = machines.dir().join("answer");
    let honest = machines.request("trb", "TRB", &[]);
    let issued = machines.dir().join("certs/nodes/trb");

    // A thief puts a request of his own in its place; whoever issues hears the other fingerprint.
    let thief = machines.machine("thief");
    let asks = [
        "node",
        "request",
        "--name",
        "trb",
        "--crossing",
        "TRB",
        "-o",
        "request",
    ];
    run_json(&thief, &asks);

    // What the commission could issue to nobody is told here, before the journey.
    let nowhere = machines.dir().join("nowhere");
    std::fs::create_dir(&nowhere).unwrap();
    for (name, role, crossing, told) in [
        ("TRB2", "crossing", "TRB", "a-z, 0-9"),
        ("trb2", "crossing", "HUB", "does not fit the role"),
        ("hub3", "hub", "TRB", "of no crossing"),
    ] {
        let asks = [
            "node",
            "request",
            "--name",
            name,
            "--role",
            role,
            "--crossing",
            crossing,
            "-o",
            "request",
        ];
        let output = integration_tests::run(&nowhere, &asks);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && why.contains(told), "{why}");
        assert!(!nowhere.join("request").exists());
    }

    let exchanged = Asked {
        file: thief.join("request"),
        ..honest.clone()
    };
    let refused = machines.try_issue("trb", "TRB", &exchanged, &answer);
    assert_eq!(refused["error"], "other_fingerprint", "{refused}");
    let unheard = Asked {
        fingerprint: String::new(),
        ..exchanged
    };
    let refused = machines.try_issue("trb", "TRB", &unheard, &answer);
    assert_eq!(refused["error"], "no_fingerprint", "{refused}");

    // What a file asks for is not what is issued: name and crossing are said where it is issued.
    for (name, crossing) in [("qam", "TRB"), ("trb", "QAM")] {
        let refused = machines.try_issue(name, crossing, &honest, &answer);
        assert_eq!(refused["error"], "request_differs", "{refused}");
    }

    // A line that was changed is seen.
    let text = std::fs::read_to_string(&honest.file).unwrap();
    let changed = machines.dir().join("changed");
    std::fs::write(&changed, text.replace("crossing TRB", "crossing QAM")).unwrap();
    let forged = Asked {
        file: changed,
        ..honest.clone()
    };
    let refused = machines.try_issue("trb", "QAM", &forged, &answer);
    assert_eq!(refused["error"], "bad_request_file", "{refused}");
    assert!(!issued.exists() && !answer.exists(), "nothing was issued");

    machines.issue("trb", "TRB", &honest, &answer);

    // An answer serves the keys that asked, and no others; an answer of another root none at all.
    let root = machines.root();
    let refused = accept(&thief, &answer, &root);
    assert_eq!(refused["error"], "answer_not_for_these_keys", "{refused}");
    let text = std::fs::read_to_string(&answer).unwrap();
    let spoilt = machines.dir().join("spoilt");
    std::fs::write(&spoilt, text.replacen("known ", "known 00", 1)).unwrap();
    let refused = accept(&machines.machine("trb"), &spoilt, &root);
    assert_eq!(refused["error"], "bad_answer_file", "{refused}");

    let twice = [
        "node",
        "request",
        "--name",
        "trb",
        "--crossing",
        "TRB",
        "-o",
        "two",
    ];
    assert_eq!(
        told(&machines.machine("trb"), &twice)["error"],
        "keys_exist"
    );
}

#[test]
fn keys_that_are_to_lie_sealed_never_lie_open() {
    let machines = Machines::new();
    let machine = machines.machine("trb");
    let passphrase = machines.dir().join("passphrase");
    std::fs::write(&passphrase, "four words of the depot\n").unwrap();
    let seal = ["--seal", "--work-factor", "10", "--passphrase-file"];
    let asked = machines.request(
        "trb",
        "TRB",
        &[&seal[..], &[passphrase.to_str().unwrap()]].concat(),
    );
    let papers = machine.join("papers");
    for name in ["log.key", "tls.key"] {
        assert!(!papers.join(name).exists() && papers.join(format!("{name}.age")).exists());
    }

    let answer = machines.dir().join("answer");
    let issued = machines.issue("trb", "TRB", &asked, &answer);
    let root = issued["root"].as_str().unwrap();
    let closed = accept(&machine, &answer, root);
    assert_eq!(closed["error"], "papers_sealed", "{closed}");

    let with_passphrase = |arguments: &[&str]| {
        let output = Command::new(wadi())
            .current_dir(&machine)
            .arg("--json")
            .args(arguments)
            .env("WADI_PAPERS_PASSPHRASE_FILE", &passphrase)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str::<Value>(text.lines().last().unwrap_or_default()).unwrap_or_default()
    };
    let accepted = with_passphrase(&["node", "accept", answer.to_str().unwrap(), "--root", root]);
    assert_eq!(accepted["name"], "trb", "{accepted}");

    // A new TLS key is sealed as the old one is.
    let asks = [
        "node",
        "request",
        "--new-tls-key",
        "--work-factor",
        "10",
        "-o",
        "next",
    ];
    let asked = with_passphrase(&asks);
    let (file, print) = (machine.join("next"), asked["fingerprint"].as_str().unwrap());
    assert!(papers.join("tls.key.next.age").exists() && !papers.join("tls.key.next").exists());
    let renew = [
        "pki",
        "renew",
        "trb",
        "--request",
        file.to_str().unwrap(),
        "--fingerprint",
        print,
    ];
    let answer = machines.dir().join("renewed");
    machines.pki(&[&renew[..], &["-o", answer.to_str().unwrap()]].concat());
    let accepted = with_passphrase(&["node", "accept", answer.to_str().unwrap()]);
    assert_eq!(accepted["new_key"], true, "{accepted}");
    assert!(!papers.join("tls.key.next.age").exists() && !papers.join("tls.key").exists());
}

/// A TLS key that may have been seen is replaced, and the node goes on.
#[test]
fn a_nodes_tls_key_is_changed_and_whoever_has_the_old_one_is_let_go() {
    let machines = Machines::new();
    let asked = machines.request("trb", "TRB", &[]);
    let (machine, answer) = (machines.machine("trb"), machines.dir().join("answer"));
    let issued = machines.issue("trb", "TRB", &asked, &answer);
    accept(&machine, &answer, issued["root"].as_str().unwrap());
    let papers = machine.join("papers");

    let mut world = World::default();
    world.start_with("hub", &machines.dir().join("certs/nodes/hub"), &[]);
    let hub_at = world.site("hub").listen;
    world.start_with("trb", &papers, &[("hub", hub_at)]);
    let first = world.site("trb").truck("11-A-00001");
    world.wait("the hub has it", || {
        world.site("hub").record(&first).is_ok()
    });
    let node = world.site("trb").get("/v1/sites").unwrap()["id"].clone();

    // Somebody copied the papers as they are now.
    let thief = machines.machine("thief");
    let copied = Command::new("cp")
        .arg("-r")
        .arg(&papers)
        .arg(thief.join("papers"))
        .status();
    assert!(copied.unwrap().success());

    let asked = run_json(
        &machine,
        &["node", "request", "--new-tls-key", "-o", "next"],
    );
    let waits = told(
        &machine,
        &["node", "request", "--new-tls-key", "-o", "other"],
    );
    assert_eq!(waits["error"], "request_under_way", "{waits}");
    let (file, renewed) = (machine.join("next"), machines.dir().join("renewed"));
    let print = asked["fingerprint"].as_str().unwrap();
    let renew = [
        "pki",
        "renew",
        "trb",
        "--request",
        file.to_str().unwrap(),
        "--fingerprint",
        print,
    ];
    machines.pki(&[&renew[..], &["-o", renewed.to_str().unwrap()]].concat());
    let accepted = accept(&machine, &renewed, "");
    assert_eq!(accepted["new_key"], true, "{accepted}");
    assert_eq!(accepted["node"], node, "it is the same node");
    assert_eq!(accept(&machine, &answer, "")["error"], "answer_is_old");

    // The node runs with the key that it began with, says so, and goes by the new one once it is
    // started again.
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    world.wait("it says that it has to be started again", || {
        let alarms = trb.get("/v1/sites").unwrap_or_default()["alarms"].to_string();
        alarms.contains("start the node again")
    });
    trb.stop();
    world.boot("trb");
    let second = world.site("trb").truck("11-A-00002");
    world.wait("the hub has it", || hub.record(&second).is_ok());
    assert_eq!(world.site("trb").get("/v1/sites").unwrap()["id"], node);

    // With the old key nobody is the node any more.
    world.site("trb").stop();
    world.start_with("thief", &thief.join("papers"), &[("hub", hub_at)]);
    let forged = world.site("thief").truck("66-A-00001");
    let hub = world.site("hub");
    world.wait("the hub lets it go", || {
        let peers = hub.get("/v1/sites").unwrap_or_default()["peers"].to_string();
        peers.contains("the certificate's key is not the one that the peer's enrolment names")
    });
    assert!(hub.record(&forged).is_err());

    // Where the enrolment is not heard of yet, the list of revoked certificates closes the door.
    let revoked = machines.pki(&["pki", "revoke", "trb", "--replaced"]);
    let list =
        std::fs::read_to_string(machines.dir().join(revoked["crl"].as_str().unwrap())).unwrap();
    std::fs::write(papers.join("crl.pem"), list).unwrap();
    world.site("thief").stop();
    world.boot("trb");
    let third = world.site("trb").truck("11-A-00003");
    let hub = world.site("hub");
    world.wait("the node goes on", || hub.record(&third).is_ok());
    assert_eq!(
        json!(node),
        world.site("trb").get("/v1/sites").unwrap()["id"]
    );
}

/// A stick is full, or is lost: the same request is answered again, and nothing of it shuts the
/// node out.
#[test]
fn an_answer_that_was_lost_is_written_again_and_the_node_is_not_shut_out_for_it() {
    let machines = Machines::new();
    let asked = machines.request("trb", "TRB", &[]);
    let machine = machines.machine("trb");
    let (no_stick, answer) = (machines.dir().join("stick/answer"), machine.join("answer"));
    let failed = machines.try_issue("trb", "TRB", &asked, &no_stick);
    assert!(failed["error"].is_string(), "{failed}");

    let issued = machines.issue("trb", "TRB", &asked, &answer);
    let again = machines.issue("trb", "TRB", &asked, &answer);
    assert_eq!(issued["serial"], again["serial"], "the same papers");
    let accepted = accept(&machine, &answer, issued["root"].as_str().unwrap());
    assert_eq!(accepted["node"], issued["node"]);

    let elsewhere = Machines::new();
    let other = elsewhere.request("trb", "TRB", &[]);
    let refused = machines.try_issue("trb", "TRB", &other, &answer);
    assert_eq!(refused["error"], "node_exists", "{refused}");

    // A renewal for the same key replaces no key: the certificate that the node goes by stays.
    let file = asked.file.to_str().unwrap();
    let renewed = machines.dir().join("renewed");
    machines.pki(&[
        "pki",
        "renew",
        "trb",
        "--request",
        file,
        "--fingerprint",
        &asked.fingerprint,
        "-o",
        renewed.to_str().unwrap(),
    ]);
    let nothing = told(machines.dir(), &["pki", "revoke", "trb", "--replaced"]);
    assert_eq!(nothing["error"], "nothing_replaced", "{nothing}");
}

/// A log key is replaced: another node succeeds, and the crossing goes on with all its records.
#[test]
fn a_crossings_log_key_is_replaced_by_a_successor_that_the_end_of_the_old_node_names() {
    let machines = Machines::new();
    let root = machines.root();
    let mut world = World::default();
    world.start_with("hub", &machines.dir().join("certs/nodes/hub"), &[]);
    let hub_at = world.site("hub").listen;
    for name in ["trb", "trb-2"] {
        let asked = machines.request(name, "TRB", &[]);
        let answer = machines.dir().join(format!("{name}.answer"));
        machines.issue(name, "TRB", &asked, &answer);
        let accepted = accept(&machines.machine(name), &answer, &root);
        assert_eq!(accepted["name"], name, "{accepted}");
        if name == "trb" {
            let papers = machines.machine(name).join("papers");
            world.start_with(name, &papers, &[("hub", hub_at)]);
        }
    }

    let trb = world.site("trb");
    let truck = trb.truck("11-A-00001");
    world.wait("all of it is at the hub", || {
        trb.record(&truck).is_ok_and(|r| r["safety"] == "at_hub")
    });
    trb.stop();

    // The new node goes on with the old one's records.
    let papers = machines.machine("trb-2").join("papers");
    world.start_with("trb-2", &papers, &[("hub", hub_at)]);
    let new = world.site("trb-2");
    world.wait("the successor has the records", || {
        new.record(&truck).is_ok()
    });

    let hub = world.site("hub");
    let succeed = [
        "say",
        "succeed",
        "trb",
        "--by",
        "trb-2",
        "--reason",
        "keys replaced",
    ];
    let dry = run_json(&hub.dir, &[&succeed[..], &["--dry-run"]].concat());
    assert_eq!(dry["would"]["successor"], "trb-2", "{dry}");
    assert_eq!(dry["would"]["entries_set_aside"], 0, "{dry}");
    let wrong = [
        "say", "succeed", "trb", "--by", "hub", "--reason", "a slip", "--yes",
    ];
    assert_eq!(told(&hub.dir, &wrong)["error"], "bad_control");
    run_json(&hub.dir, &[&succeed[..], &["--yes"]].concat());

    let new = world.site("trb-2");
    let out = json!({"type": "gate.out", "gate": "G2", "read": "R2"});
    new.say(&truck, "PORT", out).unwrap();
    world.wait("the truck leaves by the successor", || {
        let record = hub.record(&truck).unwrap_or_default().to_string();
        record.contains("gate.out") && !record.contains("past_cut")
    });

    // Whoever audits it reads who ended whom, and who goes on.
    let acts = run_json(&hub.dir, &["audit", "members", "--of", "trb"]);
    let acts = acts["acts"].as_array().unwrap().clone();
    let end = acts.iter().find(|act| act["act"] == "cut").unwrap();
    assert_eq!(end["successor"], "trb-2", "{end}");
    assert_eq!(end["reason"], "keys replaced", "{end}");

    // With the old key nobody says anything any more.
    world.boot("trb");
    let forged = world.site("trb").truck("66-A-00001");
    let hub = world.site("hub");
    world.wait("the old node is turned away", || {
        hub.refusals().contains(&"cut_node".to_string())
    });
    assert!(hub.record(&forged).is_err());
}
