//! Officers who sign what they decide with keys of their own: by a file, by the real ssh-agent, by
//! the real ssh-keygen, and a key that was lost.

use integration_tests::{Cable, Site, World, papers, run, run_json, wadi};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use wadi_record::{DECISION_NAMESPACE, DecisionStatement};

const OFFICER: [&str; 4] = ["--officer", "OF-7", "--department", "CUS"];

/// Whether OpenSSH's tools are here; a story that needs them says so where it is left out.
fn has_openssh() -> bool {
    let found = ["ssh-keygen", "ssh-agent", "ssh-add"].iter().all(|tool| {
        let shell = Command::new("sh")
            .args(["-c", &format!("command -v {tool}")])
            .stdout(Stdio::null())
            .status();
        shell.is_ok_and(|status| status.success())
    });
    if !found {
        eprintln!("left out: ssh-keygen, ssh-agent and ssh-add of openssh-client are not here");
    }

    found
}

fn ssh_keygen(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("ssh-keygen");
    command.current_dir(dir).args(arguments);
    command.stdin(Stdio::null()).output().expect("ssh-keygen")
}

/// A new key of an officer's, as `ssh-keygen` makes it: the files NAME and NAME.pub.
fn new_key(dir: &Path, name: &str) {
    let made = ssh_keygen(
        dir,
        &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name],
    );
    assert!(made.status.success());
}

/// The real ssh-agent, with these keys; it ends with its story.
struct RealAgent {
    child: Child,
    socket: PathBuf,
}

impl RealAgent {
    fn with(world: &World, dir: &Path, keys: &[&str]) -> Self {
        let socket = dir.join("agent.sock");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect("ssh-agent");
        let agent = Self { child, socket };
        world.wait("the agent listens", || agent.socket.exists());

        for key in keys {
            let added = Command::new("ssh-add")
                .arg(dir.join(key))
                .env("SSH_AUTH_SOCK", &agent.socket)
                .stderr(Stdio::null())
                .status();
            assert!(added.expect("ssh-add").success());
        }

        agent
    }
}

impl Drop for RealAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A hub and Traibeel, which has heard of two officers of customs and of the key of one.
fn network(world: &mut World) -> Cable {
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);
    let hub = world.site("hub");
    for officer in ["OF-7", "OF-8"] {
        let said = json!({"say": "officer", "officer": officer, "department": "CUS"});
        hub.post("/v1/control", &said).unwrap();
    }

    new_key(&hub.dir, "of7");
    run_json(&hub.dir, &["say", "officer-key", "OF-7", "of7.pub"]);
    let unknown = run(&hub.dir, &["say", "officer-key", "OF-9", "of7.pub"]);
    assert!(!unknown.status.success(), "nobody registered OF-9");
    let shared = run(&hub.dir, &["say", "officer-key", "OF-8", "of7.pub"]);
    assert!(!shared.status.success(), "one key is one person");
    assert!(said(&shared).contains("OF-7"), "{}", said(&shared));
    run_json(&hub.dir, &["policy", "set", "signed_decisions=required"]);

    world.wait("the site has heard of the key and the policy", || {
        let policy = world.site("trb").get("/v1/policy").unwrap();
        let keys = keys_of(world.site("trb"), "OF-7");
        keys.len() == 1 && policy["policy"]["signed_decisions"] == "required"
    });
    cable
}

fn keys_of(site: &Site, officer: &str) -> Vec<Value> {
    let all = site.get("/v1/officers").unwrap()["officers"].clone();
    let all = all.as_array().unwrap().clone();
    let found = all.iter().find(|o| o["officer"] == officer);
    found.map_or_else(Vec::new, |o| o["keys"].as_array().unwrap().clone())
}

/// A hold of customs at a site.
fn placed(site: &Site) -> String {
    let placed = json!({"type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "order"});
    let hold = json!({
        "kind": "hold", "officer": "OF-7", "department": "CUS", "events": [placed],
        "fields": {"type": "CUSTOMS", "legal_basis": "order"},
    });
    let id = site.post("/v1/records", &hold).unwrap()["id"].clone();
    id.as_str().unwrap().to_string()
}

/// `wadi record event ID seized …` at a site, with more arguments.
fn seize(site: &Site, id: &str, more: &[&str], agent: Option<&RealAgent>) -> Output {
    let mut command = Command::new(wadi());
    command
        .current_dir(&site.dir)
        .args(["--json", "record", "event", id, "seized", "seizure_no=S-7"])
        .args(OFFICER)
        .args(more)
        .env("LC_ALL", "C")
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null());
    if let Some(agent) = agent {
        command.env("SSH_AUTH_SOCK", &agent.socket);
    }

    command.output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// How the officer's signature over a record's last decision stands.
fn signature(site: &Site, id: &str) -> Value {
    let history = site.get(&format!("/v1/records/{id}/history")).unwrap();
    let entries = history["entries"].as_array().unwrap().clone();
    let decided = entries.iter().rev().find(|e| e["signature"].is_object());
    decided.map_or(Value::Null, |e| e["signature"].clone())
}

#[test]
fn an_officer_signs_a_seizure_by_a_file_and_by_the_real_agent_and_nobody_else_decides() {
    if !has_openssh() {
        return;
    }

    let mut world = World::default();
    let _cable = network(&mut world);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let key = hub.dir.join("of7");
    let key = key.to_str().unwrap();
    let id = placed(trb);

    // With a good token and without the key nothing is decided: not at all, by no other key, and
    // not by an agent that holds none of his.
    let refused = seize(trb, &id, &[], None);
    assert!(
        said(&refused).contains("decision_unsigned"),
        "{}",
        said(&refused)
    );
    assert!(said(&refused).contains("--ssh-agent"), "it says what to do");
    new_key(&trb.dir, "stranger");
    let refused = seize(trb, &id, &["--sign-key", "stranger"], None);
    assert!(
        said(&refused).contains("decision_key"),
        "{}",
        said(&refused)
    );
    let refused = seize(trb, &id, &["--ssh-agent"], None);
    assert!(said(&refused).contains("no_agent"), "{}", said(&refused));
    let strangers = RealAgent::with(&world, &trb.dir, &["stranger"]);
    let refused = seize(trb, &id, &["--ssh-agent"], Some(&strangers));
    assert!(
        said(&refused).contains("decision_key"),
        "{}",
        said(&refused)
    );
    drop(strangers);
    assert_eq!(trb.record(&id).unwrap()["state"], "PLACED");

    let done = seize(trb, &id, &["--sign-key", key], None);
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("signing: {"), "he sees what he signs");
    assert_eq!(trb.record(&id).unwrap()["state"], "SEIZED");
    let fingerprint = keys_of(trb, "OF-7")[0]["fingerprint"].clone();
    assert_eq!(
        signature(trb, &id),
        json!({"state": "signed", "key": fingerprint})
    );
    let told = run(&trb.dir, &["record", "history", &id]);
    assert!(said(&told).contains("signed by the officer's own key SHA256:"));

    let by_agent = placed(trb);
    let agent = RealAgent::with(&world, &hub.dir, &["of7"]);
    let done = seize(trb, &by_agent, &["--ssh-agent"], Some(&agent));
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(signature(trb, &by_agent)["state"], "signed");

    // What one signature was made for is no other decision, on this record or another.
    let history = trb.get(&format!("/v1/records/{by_agent}/history")).unwrap();
    let entries = history["entries"].as_array().unwrap().clone();
    let events = entries.iter().flat_map(|e| e["events"].as_array().unwrap());
    let own = events.clone().find(|e| e["type"] == "decision.signed");
    let third = placed(trb);
    let moved = json!({
        "officer": "OF-7", "department": "CUS",
        "events": [{"type": "seized", "seizure_no": "7"}, own.unwrap()],
    });
    let refused = trb.post(&format!("/v1/records/{third}/events"), &moved);
    assert_eq!(refused.unwrap_err()["code"], "decision_signature");

    // The hub comes to the same.
    world.settle(&["hub", "trb"]);
    assert_eq!(hub.record(&id).unwrap()["state"], "SEIZED");
    assert_eq!(signature(hub, &id), signature(trb, &id));
}

#[test]
fn what_ssh_keygen_signs_is_taken_and_what_an_officer_signed_ssh_keygen_verifies() {
    if !has_openssh() {
        return;
    }

    let mut world = World::default();
    let _cable = network(&mut world);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let id = placed(trb);

    // Others' program signs what the API gives it.
    let seized = json!({
        "officer": "OF-7", "department": "CUS",
        "events": [{"type": "seized", "seizure_no": "7"}],
    });
    let asked = trb
        .post(&format!("/v1/records/{id}/statement"), &seized)
        .unwrap();
    assert_eq!(asked["signed_decisions"], "required");
    assert_eq!(asked["namespace"], DECISION_NAMESPACE);
    std::fs::write(hub.dir.join("said"), asked["statement"].as_str().unwrap()).unwrap();
    let arguments = ["-Y", "sign", "-f", "of7", "-n", DECISION_NAMESPACE, "said"];
    assert!(ssh_keygen(&hub.dir, &arguments).status.success());

    let armored = std::fs::read_to_string(hub.dir.join("said.sig")).unwrap();
    let mut signed = seized.clone();
    signed["based_on"] = asked["based_on"].clone();
    let own = json!({
        "type": "decision.signed", "signed_at_ms": asked["signed_at_ms"], "signature": armored,
    });
    signed["events"].as_array_mut().unwrap().push(own);
    trb.post(&format!("/v1/records/{id}/events"), &signed)
        .unwrap();
    assert_eq!(trb.record(&id).unwrap()["state"], "SEIZED");

    // And an outsider's program verifies it, out of the file of evidence alone.
    world.settle(&["hub", "trb"]);
    run_json(&hub.dir, &["audit", "evidence", &id, "-o", "case.evidence"]);
    let root = papers().join("certs/nodes/hub/root.pub");
    let root = root.to_str().unwrap();
    let arguments = ["audit", "verify-evidence", "case.evidence", "--root", root];
    let verdict = run_json(&hub.dir, &arguments);
    let told = verdict["statements"].as_array().unwrap().clone();
    let of_key = |said: &&Value| said["officer_signature"]["holds"] == true;
    let told = told.iter().find(of_key).expect("one is signed");
    assert_eq!(told["officer_signature"]["named"], true);
    assert_eq!(
        by_python(&hub.dir, "case.evidence", root)["statements"]
            .as_array()
            .unwrap()
            .iter()
            .find(of_key)
            .unwrap()["officer_signature"],
        told["officer_signature"]
    );

    let proven = wadi_log::verify_evidence(
        &std::fs::read(hub.dir.join("case.evidence")).unwrap(),
        &wadi_log::RootKey(root_key(root)),
    );
    let proven = proven.unwrap();
    let of_key = |s: &&wadi_log::ProvenStatement| {
        wadi_record::own_signature(&s.reference, &s.common, &s.change).is_some()
    };
    let said = proven.statements.iter().find(of_key).unwrap();
    let own = wadi_record::own_signature(&said.reference, &said.common, &said.change);
    let log = said.reference.log;
    let text = DecisionStatement {
        node: log.node,
        crossing: log.crossing,
        lane: log.lane,
        record: proven.record,
        based_on: &said.change.based_on,
        puts: &said.change.puts,
        events: &said.change.events,
        common: &said.common,
        signed_at_ms: own.unwrap().unwrap().signed_at_ms,
    };
    let text = text.text().unwrap();
    assert_eq!(text, asked["statement"], "made again from the entry");
    std::fs::write(hub.dir.join("again.sig"), &armored).unwrap();
    let public = std::fs::read_to_string(hub.dir.join("of7.pub")).unwrap();
    std::fs::write(hub.dir.join("allowed"), format!("OF-7 {public}")).unwrap();
    assert!(verified_by_ssh_keygen(&hub.dir, &text));
    assert!(!verified_by_ssh_keygen(
        &hub.dir,
        &text.replace("\"7\"", "\"8\"")
    ));
}

fn root_key(path: &str) -> [u8; 32] {
    let text = std::fs::read_to_string(path).unwrap();
    wadi_log::unhex(text.trim()).unwrap().try_into().unwrap()
}

fn by_python(dir: &Path, file: &str, root: &str) -> Value {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("verify_evidence.py");
    let python = std::env::var("WADI_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(python)
        .current_dir(dir)
        .arg(script)
        .args([file, "--root", root, "--json"])
        .output()
        .expect("python3");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&output)))
}

fn verified_by_ssh_keygen(dir: &Path, text: &str) -> bool {
    std::fs::write(dir.join("again"), text).unwrap();
    let verified = Command::new("ssh-keygen")
        .current_dir(dir)
        .args(["-Y", "verify", "-f", "allowed", "-I", "OF-7"])
        .args(["-n", DECISION_NAMESPACE, "-s", "again.sig"])
        .stdin(std::fs::File::open(dir.join("again")).unwrap())
        .output();
    verified.expect("ssh-keygen").status.success()
}

#[test]
fn a_lost_key_signs_nothing_more_where_that_was_heard_and_is_found_where_it_was_not() {
    if !has_openssh() {
        return;
    }

    let mut world = World::default();
    let cable = network(&mut world);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let key = hub.dir.join("of7");
    let key = key.to_str().unwrap();
    let id = placed(trb);
    world.settle(&["hub", "trb"]);

    // The site is dark, and cannot know.
    cable.pull();
    run_json(
        &hub.dir,
        &["say", "officer-key", "OF-7", "of7.pub", "--take-back"],
    );
    let listed = run(&hub.dir, &["officers"]);
    assert!(said(&listed).contains("taken back"), "{}", said(&listed));
    let done = seize(trb, &id, &["--sign-key", key], None);
    assert!(done.status.success(), "{}", said(&done));

    cable.plug();
    world.wait("the hub finds who signed", || {
        let all = hub.get("/v1/findings?rule=R21").unwrap();
        let all = all["findings"].as_array().unwrap().clone();
        all.iter()
            .any(|f| f["text"].as_str().unwrap().contains("taken back"))
    });
    assert_eq!(hub.record(&id).unwrap()["state"], "SEIZED", "it stands");

    world.wait("the site has heard", || {
        keys_of(trb, "OF-7")[0]["taken_back"] == true
    });
    let later = placed(trb);
    let refused = seize(trb, &later, &["--sign-key", key], None);
    assert!(
        said(&refused).contains("decision_key"),
        "{}",
        said(&refused)
    );
    assert_eq!(trb.record(&later).unwrap()["state"], "PLACED");
}

#[test]
fn an_auditor_signs_how_a_finding_is_closed() {
    if !has_openssh() {
        return;
    }

    let mut world = World::default();
    let _cable = network(&mut world);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let mut tokens = Vec::new();
    for auditor in ["AU-1", "AU-2"] {
        let said = json!({"say": "officer", "officer": auditor, "department": "HUB"});
        hub.post("/v1/control", &said).unwrap();
        let issued = [
            "token",
            "issue",
            auditor,
            "--officer",
            auditor,
            "--department",
            "HUB",
        ];
        let token = run_json(&hub.dir, &issued)["token"].clone();
        tokens.push(token.as_str().unwrap().to_string());
    }
    new_key(&hub.dir, "au2");
    run_json(&hub.dir, &["say", "officer-key", "AU-2", "au2.pub"]);

    // A hold that is not open is let go: that is a finding.
    let id = trb.truck("22-A-00001");
    trb.say(
        &id,
        "PORT",
        json!({"type": "gate.in", "gate": "G1", "read": "R1"}),
    )
    .unwrap();
    trb.say(
        &id,
        "PORT",
        json!({"type": "gate.out", "gate": "G1", "reason": "no reader"}),
    )
    .ok();
    world.wait("something is found", || {
        hub.get("/v1/findings").unwrap()["count"] != 0
    });
    let found = hub.get("/v1/findings").unwrap()["findings"][0].clone();
    let finding = found["finding"].as_str().unwrap();

    let (proposer, decider) = (hub.as_bearer(&tokens[0]), hub.as_bearer(&tokens[1]));
    let acts = format!("/v1/findings/{finding}/acts");
    let propose = json!({"act": "propose", "reason": "the reader was repaired"});
    proposer.post(&acts, &propose).unwrap();
    world.wait("it is proposed", || {
        let state = hub.get(&format!("/v1/findings/{finding}")).unwrap();
        state["state"] == "PENDING_RESOLUTION"
    });

    let decide = json!({"act": "decide", "approve": true, "disposition": "explained"});
    let refused = decider.post(&acts, &decide).unwrap_err();
    assert_eq!(refused["code"], "decision_unsigned");

    let arguments = [
        "findings",
        "decide",
        finding,
        "--approve",
        "--disposition",
        "explained",
        "--sign-key",
        "au2",
        "--token",
        &tokens[1],
    ];
    run_json(&hub.dir, &arguments);
    world.wait("it is closed", || {
        let state = hub.get(&format!("/v1/findings/{finding}")).unwrap();
        state["state"] == "RESOLVED"
    });
    let anchor = found["record"].as_str().unwrap();
    assert_eq!(signature(hub, anchor)["state"], "signed");
}

#[test]
fn a_key_that_is_locked_asks_for_its_passphrase_and_signs_with_the_right_one_alone() {
    if !has_openssh() {
        return;
    }

    let mut world = World::default();
    let _cable = network(&mut world);
    let trb = world.site("trb");
    let key = trb.dir.join("of7");
    std::fs::copy(world.site("hub").dir.join("of7"), &key).unwrap();
    let (unlocked, locked) = ("", "the well at dusk");
    let lock = ["-q", "-p", "-P", unlocked, "-N", locked, "-f", "of7"];
    assert!(ssh_keygen(&trb.dir, &lock).status.success());

    // Nobody is there who could be asked.
    let id = placed(trb);
    let refused = seize(trb, &id, &["--sign-key", "of7"], None);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert_eq!(trb.record(&id).unwrap()["state"], "PLACED");

    // At a terminal: a wrong passphrase, then the right one.
    for (passphrase, signs) in [("the well at dawn", false), (locked, true)] {
        let command = format!(
            "{} record event {id} seized seizure_no=S-7 {} --sign-key of7",
            wadi().display(),
            OFFICER.join(" ")
        );
        let mut terminal = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(&trb.dir)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Debian has script");
        // What is typed before anybody asks may be thrown away.
        let mut shown = terminal.stdout.take().expect("piped");
        let (mut told, mut byte) = (Vec::new(), [0]);
        while !told.ends_with(b"of7: ") && shown.read(&mut byte).unwrap() == 1 {
            told.extend(byte);
        }
        let mut keys = terminal.stdin.take().expect("piped");
        writeln!(keys, "{passphrase}").unwrap();
        shown.read_to_end(&mut told).unwrap();
        let told = String::from_utf8_lossy(&told).into_owned();

        assert_eq!(terminal.wait().unwrap().success(), signs, "{told}");
        assert_eq!(told.contains("passphrase is another"), !signs, "{told}");
        let state = if signs { "SEIZED" } else { "PLACED" };
        assert_eq!(trb.record(&id).unwrap()["state"], state);
    }
}

#[test]
fn a_site_whose_software_was_changed_decides_unsigned_and_the_hub_counts_none_of_it() {
    if !has_openssh() || !wadi_store::defence::SWITCHABLE {
        return;
    }

    let mut world = World::default();
    let _cable = network(&mut world);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let id = placed(trb);
    trb.stop();
    world.launch_with("trb", &[("WADI_DEFENCE_OFF", "signed-decisions".into())]);
    world.wait("it is up", || trb.get("/readyz").is_ok());

    // There the seizure stands: its papers are good, and so is the log's signature.
    let done = seize(trb, &id, &[], None);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(trb.record(&id).unwrap()["state"], "SEIZED");

    // At the hub it is kept, shown as refused, and does not count.
    let refused = || {
        let history = hub.get(&format!("/v1/records/{id}/history")).ok()?;
        let entries = history["entries"].as_array()?.clone();
        entries
            .iter()
            .any(|e| e.to_string().contains("decision_unsigned"))
            .then_some(())
    };
    world.wait("the hub has it, and says why not", || refused().is_some());
    assert_eq!(hub.record(&id).unwrap()["state"], "PLACED");
}
