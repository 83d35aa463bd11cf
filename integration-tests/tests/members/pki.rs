//! The commission's certificates: revoked ones are not let in, renewed ones are, and a CA is never
//! overwritten.

use integration_tests::{World, run, run_json};
use serde_json::json;

#[test]
fn a_revoked_certificate_is_not_let_in_and_a_renewed_one_is() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "hub", "--role", "hub"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);

    let again = run(ca.path(), &["--json", "pki", "init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stdout).contains("ca_exists"));

    let twice = run(
        ca.path(),
        &["--json", "pki", "issue", "trb", "--crossing", "TRB"],
    );
    assert!(String::from_utf8_lossy(&twice.stdout).contains("node_exists"));

    run_json(ca.path(), &["pki", "revoke", "trb"]);
    let nodes = ca.path().join("certs/nodes");
    let mut world = World::default();
    world.start_with("hub", &nodes.join("hub"), &[]);

    // The node that was revoked does not know it yet: somebody has its papers.
    std::fs::remove_file(nodes.join("trb/crl.pem")).unwrap();
    world.start_with(
        "trb",
        &nodes.join("trb"),
        &[("hub", world.site("hub").listen)],
    );

    let id = world.site("trb").truck("11-A-00001");
    let hub = world.site("hub");
    world.wait("the hub shows that it was not let in", || {
        hub.refusals().contains(&"not_let_in".to_string())
    });
    assert!(hub.record(&id).is_err());

    // The commission finds the node in good hands and renews its certificate: the same keys,
    // another serial number.
    world.site("trb").stop();
    let listed = run_json(ca.path(), &["pki", "list"]);
    assert_eq!(listed["nodes"][1]["revoked"], true, "{listed}");
    let yearly = run(ca.path(), &["--json", "pki", "renew", "trb"]);
    assert!(String::from_utf8_lossy(&yearly.stdout).contains("node_revoked"));

    run_json(ca.path(), &["pki", "renew", "trb", "--readmit"]);
    world.boot("trb");
    world.wait("the hub hears it again", || hub.record(&id).is_ok());

    let listed = run_json(ca.path(), &["pki", "list"]);
    assert_eq!(listed["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(listed["nodes"][1]["revoked"], false, "{listed}");
}

/// Papers are copied onto a machine that nobody restarts.
#[test]
fn a_renewed_certificate_and_a_newer_revocation_list_are_taken_up_while_nodes_run() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "hub", "--role", "hub"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);

    // The nodes' machines have copies of their papers.
    let nodes = ca.path().join("certs/nodes");
    let (made, machine) = (nodes.join("trb"), ca.path().join("trb-machine"));
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([&made, &machine])
        .status();
    assert!(copied.unwrap().success());

    let mut world = World::default();
    world.start_with("hub", &nodes.join("hub"), &[]);
    world.start_with("trb", &machine, &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let first = trb.truck("11-A-00001");
    world.wait("the link is up", || hub.record(&first).is_ok());

    // Half of what belongs together is not taken up, and is told.
    let alarms = || trb.get("/v1/sites").unwrap()["alarms"].to_string();
    let own = std::fs::read(machine.join("tls.pem")).unwrap();
    std::fs::copy(nodes.join("hub/tls.pem"), machine.join("tls.pem")).unwrap();
    world.wait("the wrong certificate is told", || {
        alarms().contains("another node")
    });
    std::fs::write(machine.join("tls.pem"), own).unwrap();
    world.wait("the right one is back", || {
        !alarms().contains("another node")
    });

    // The commission revokes the certificate: the hub closes the link that stands.
    run_json(ca.path(), &["pki", "revoke", "trb"]);
    std::fs::copy(ca.path().join("certs/crl.pem"), nodes.join("hub/crl.pem")).unwrap();
    world.wait("the hub turns it away", || {
        hub.refusals().contains(&"not_let_in".to_string())
    });
    let second = trb.truck("11-A-00002");
    assert!(hub.record(&second).is_err());

    // The node is in good hands after all: a renewed certificate is enough.
    run_json(ca.path(), &["pki", "renew", "trb", "--readmit"]);
    std::fs::copy(made.join("tls.pem"), machine.join("tls.pem")).unwrap();
    world.wait("the hub hears it again", || hub.record(&second).is_ok());
}

#[test]
fn a_certificate_that_expired_during_an_outage_still_lets_its_node_hand_in_what_it_holds() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "hub", "--role", "hub"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);

    // One that ends before it is copied is none, and nobody means it.
    let none = ["--json", "pki", "renew", "trb", "--days", "0"];
    assert_eq!(run(ca.path(), &none).status.code(), Some(2));
    run_json(ca.path(), &["pki", "renew", "trb", "--days", "1"]);

    // Two days later.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = since.unwrap().as_millis();
    let later = format!(
        "\n[clock]\norigin_ms = {}\nreal_ms = {now_ms}\nscale = 1.0\n",
        now_ms + 2 * 86_400_000
    );
    let nodes = ca.path().join("certs/nodes");
    let mut world = World::default();
    world.prepare_with("hub", &nodes.join("hub"), None, &later);
    world.boot("hub");

    // Said by the hub while the site was away: it is not for whoever has an old certificate.
    let hub = world.site("hub");
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": "OF-9", "department": "VET"}),
    )
    .unwrap();

    let hub_at = Some(hub.listen);
    world.prepare_with("trb", &nodes.join("trb"), hub_at, &later);
    world.boot("trb");

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let ids: Vec<String> = (0..5).map(|n| trb.truck(&format!("11-A-{n:05}"))).collect();
    world.wait("the hub hears what it holds", || {
        ids.iter().all(|id| hub.record(id).is_ok())
    });
    world.wait("the site knows that it is safe", || {
        ids.iter()
            .all(|id| trb.record(id).unwrap()["safety"] == "at_hub")
    });

    let alarms = trb.get("/v1/sites").unwrap()["alarms"].to_string();
    assert!(alarms.contains("certificate has expired"), "{alarms}");
    assert!(
        hub.refusals().contains(&"certificate_expired".to_string()),
        "the hub shows it, too"
    );

    let holds_hubs_word = || {
        let scopes = trb.get("/v1/sites").unwrap()["scopes"].clone();
        scopes
            .as_array()
            .unwrap()
            .iter()
            .any(|s| s["crossing"] == "HUB")
    };

    assert!(!holds_hubs_word(), "it takes nothing");

    // It is in order to start such a node: it hands in. Whoever looks is told, and so is a program.
    let checked = run(&trb.dir, &["node", "check"]);
    assert!(
        String::from_utf8_lossy(&checked.stderr).contains("expired"),
        "{checked:?}"
    );
    let notes = || run_json(&trb.dir, &["node", "check"])["notes"].to_string();
    let told = notes();
    assert!(told.contains("certificate has expired"), "{told}");

    // It is renewed while it runs: nobody is there to start it again.
    run_json(ca.path(), &["pki", "renew", "trb"]);
    let told = notes();
    assert!(!told.contains("expired"), "{told}");
    world.wait("renewed, it takes the hub's word", holds_hubs_word);
    world.wait("and nothing is wrong any more", || {
        trb.get("/v1/sites").unwrap()["alarms"] == json!([])
    });
}

/// Whoever carries a crossing's disk away does not speak for it.
#[test]
fn sealed_papers_open_with_a_passphrase_from_outside_the_disk_and_with_nothing_else() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);
    let papers = ca.path().join("certs/nodes/trb");

    let mut world = World::default();
    world.start_with("trb", &papers, &[]);
    let trb = world.site("trb");
    let id = trb.truck("11-A-00001");
    trb.stop();

    // The passphrase's file stands for what systemd keeps in the machine's TPM.
    let credentials = ca.path().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let (right, short) = (credentials.join("wadi-papers"), ca.path().join("short"));
    std::fs::write(&right, "four words of the depot\n").unwrap();
    std::fs::write(&short, "depot\n").unwrap();
    let key = std::fs::read_to_string(papers.join("log.key")).unwrap();

    let seal = |file: &std::path::Path| {
        let file = file.to_str().unwrap();
        run(
            &trb.dir,
            &[
                "--json",
                "node",
                "seal",
                "--work-factor",
                "10",
                "--passphrase-file",
                file,
            ],
        )
    };
    let refused = seal(&short);
    assert!(String::from_utf8_lossy(&refused.stdout).contains("short_passphrase"));
    assert!(
        papers.join("log.key").exists(),
        "nothing is sealed under that"
    );

    assert_eq!(seal(&right).status.code(), Some(0));
    for name in ["log.key", "tls.key"] {
        assert!(!papers.join(name).exists(), "{name}");
        let sealed = std::fs::read_to_string(papers.join(format!("{name}.age"))).unwrap();
        assert!(!sealed.contains(key.trim()));
    }

    let check = |variable: &str, value: &std::path::Path| {
        let output = std::process::Command::new(integration_tests::wadi())
            .current_dir(&trb.dir)
            .args(["--json", "node", "check"])
            .env(variable, value)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let nothing = check("LANG", std::path::Path::new("C"));
    assert!(nothing.contains("papers_sealed"), "{nothing}");
    let wrong = check("WADI_PAPERS_PASSPHRASE_FILE", &short);
    assert!(wrong.contains("wrong_passphrase"), "{wrong}");
    let by_file = check("WADI_PAPERS_PASSPHRASE_FILE", &right);
    assert!(by_file.contains("\"node\":\"trb\""), "{by_file}");

    // Started with systemd's credential it is who it was, and holds what it held.
    let environment = ("CREDENTIALS_DIRECTORY", credentials.into_os_string());
    world.launch_with("trb", &[environment]);
    let trb = world.site("trb");
    world.wait("it is ready", || trb.get("/readyz").is_ok());
    assert_eq!(trb.record(&id).unwrap()["id"], json!(id));
    trb.truck("11-A-00002");
}

/// `wadi pki` with a passphrase of one's own: the exit code, and what was said.
fn pki(dir: &std::path::Path, passphrase: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(integration_tests::wadi())
        .current_dir(dir)
        .args(["--json", "pki"])
        .args(arguments)
        .env("WADI_PASSPHRASE", passphrase)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[test]
fn an_empty_passphrase_is_refused_and_a_short_one_is_too_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    for empty in ["", " ", "\t \n"] {
        let (exit, told) = pki(dir.path(), empty, &["init", "--work-factor", "10"]);
        assert_eq!(
            (exit, told.contains("empty_passphrase")),
            (Some(2), true),
            "{empty:?}: {told}"
        );

        assert!(!dir.path().join("certs").exists(), "nothing is begun");
    }

    let file = dir.path().join("passphrase");
    std::fs::write(&file, "\n").unwrap();
    let (exit, told) = pki(
        dir.path(),
        "",
        &["init", "--passphrase-file", file.to_str().unwrap()],
    );

    assert_eq!(
        (exit, told.contains("empty_passphrase")),
        (Some(2), true),
        "{told}"
    );

    let (exit, told) = pki(dir.path(), "trial", &["init", "--work-factor", "15"]);
    assert_eq!(
        (exit, told.contains("[short_passphrase]")),
        (Some(2), true),
        "{told}"
    );
    assert!(!dir.path().join("certs").exists(), "nothing is begun");

    // A low work factor makes a trial as well: it warns, and goes on.
    let trial = ["init", "--work-factor", "10", "--dir", "trial"];
    let (exit, told) = pki(dir.path(), "trial", &trial);
    assert_eq!((exit, told.contains("WARNING")), (Some(0), true), "{told}");

    let forced = ["init", "--work-factor", "15", "--force"];
    let (exit, told) = pki(dir.path(), "trial", &forced);
    assert_eq!(
        (
            exit,
            told.contains("WARNING: this passphrase has 5 characters")
        ),
        (Some(0), true),
        "{told}"
    );

    let (exit, told) = pki(dir.path(), "trial", &["issue", "hub", "--role", "hub"]);
    assert_eq!((exit, told.contains("WARNING")), (Some(0), false), "{told}");

    let (exit, told) = pki(
        dir.path(),
        "correct horse",
        &["init", "--work-factor", "10", "--dir", "other"],
    );

    assert_eq!((exit, told.contains("WARNING")), (Some(0), false), "{told}");
}

#[test]
fn what_was_cut_off_while_a_ca_or_papers_were_made_is_begun_again_and_a_ca_never_is() {
    let dir = tempfile::tempdir().unwrap();
    let certs = dir.path().join("certs");
    let init = || {
        pki(
            dir.path(),
            "correct horse",
            &["init", "--work-factor", "10"],
        )
    };

    let issue = |name: &str| {
        pki(
            dir.path(),
            "correct horse",
            &["issue", name, "--crossing", "TRB"],
        )
    };

    // As a power cut leaves it, after each of its steps.
    let files = ["root.key.age", "ca.key.age", "ca.pem", "root.pub"];
    for written in 0..=files.len() {
        std::fs::create_dir_all(certs.join("nodes")).unwrap();
        std::fs::write(certs.join("init.unfinished"), "").unwrap();
        files[..written]
            .iter()
            .for_each(|name| std::fs::write(certs.join(name), "of another root").unwrap());

        let (exit, told) = issue("trb");
        assert_eq!(
            (exit, told.contains("init_unfinished")),
            (Some(2), true),
            "{told}"
        );

        assert_eq!(init().0, Some(0));
        assert_eq!(issue("trb").0, Some(0), "the new CA is whole");
        std::fs::remove_dir_all(&certs).unwrap();
    }

    // Half of a node's papers are in nobody's way.
    assert_eq!(init().0, Some(0));

    std::fs::create_dir_all(certs.join("nodes/.trb")).unwrap();
    std::fs::write(certs.join("nodes/.trb/log.key"), "half").unwrap();
    std::fs::write(certs.join("nodes/.trb/enrolment"), "").unwrap();
    assert_eq!(pki(dir.path(), "", &["list"]).0, Some(0));
    assert_eq!(issue("trb").0, Some(0));
    assert!(!certs.join("nodes/.trb").exists());

    // One that was finished is not begun again, whichever of its files was taken away to keep it
    // offline.
    for name in files {
        let kept = std::fs::read(certs.join(name)).unwrap();
        std::fs::remove_file(certs.join(name)).unwrap();
        let (exit, told) = init();
        assert_eq!(
            (exit, told.contains("ca_exists")),
            (Some(2), true),
            "{name}: {told}"
        );

        std::fs::write(certs.join(name), kept).unwrap();
    }

    assert_eq!(issue("trb-2").0, Some(0));
}
