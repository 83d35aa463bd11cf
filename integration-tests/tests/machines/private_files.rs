//! What a node keeps is its own user's: databases, what lies beside them, tokens, keys, and copies
//! of them.

use integration_tests::{OPERATOR, World, papers, run, run_json, wadi};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What the test itself has put there, and the directory in which machines drop files.
const OPERATORS: [&str; 4] = ["node.toml", "stderr.log", "papers", "spool"];

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path)
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Everything below a directory, but for what is its operator's.
fn all(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if OPERATORS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }

        out.push(entry.path());
        if entry.path().is_dir() {
            out.extend(all(&entry.path()));
        }
    }

    out
}

fn open_to_others(dir: &Path) -> Vec<String> {
    let open = all(dir).into_iter().filter(|path| mode(path) & 0o077 != 0);
    open.map(|path| format!("{} {:o}", path.display(), mode(&path)))
        .collect()
}

/// A node under an umask that keeps nothing from anybody.
struct Careless(Child);

impl Careless {
    fn start(world: &World, name: &str) -> Self {
        let site = world.site(name);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(site.dir.join("stderr.log"))
            .unwrap();

        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 000; exec \"$0\" node run --config \"$1\""])
            .arg(wadi())
            .arg(site.dir.join("node.toml"));

        let child = shell
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();

        world.wait("the node is ready", || site.get("/readyz").is_ok());
        Self(child)
    }

    fn stop(mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.0.id().to_string()])
            .status();
        self.0.wait().unwrap();
    }
}

impl Drop for Careless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command under such an umask.
fn careless(dir: &Path, arguments: &[&str]) {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 000; exec \"$0\" \"$@\""])
        .arg(wadi())
        .args(arguments)
        .current_dir(dir);

    let done = shell
        .env("WADI_PASSPHRASE", "correct horse")
        .env("WADI_PERSON", OPERATOR)
        .stdin(Stdio::null())
        .output()
        .unwrap();

    assert!(
        done.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn every_file_of_a_node_is_its_users_alone_whatever_the_umask() {
    let mut world = World::default();
    world.prepare("trb", &[], "");
    let node = Careless::start(&world, "trb");
    let trb = world.site("trb");
    let id = trb.truck("11-A-00001");

    for name in [
        "node.sqlite",
        "node.sqlite-wal",
        "node.sqlite-shm",
        "anchor",
        "operator.token",
        "lock",
        "ballast",
    ] {
        assert_eq!(format!("{:o}", mode(&trb.dir.join(name))), "600", "{name}");
    }

    careless(&trb.dir, &["backup", "-o", "copy.sqlite"]);
    careless(&trb.dir, &["audit", "evidence", &id, "-o", "case.evidence"]);
    careless(
        &trb.dir,
        &["bundle", "export", "--for", "hub", "-o", "hub.wadi"],
    );
    careless(
        &trb.dir,
        &["bundle", "receipt", "--for", "hub", "-o", "hub.receipt"],
    );
    careless(&trb.dir, &["export", "-o", "all.ndjson"]);
    assert_eq!(open_to_others(&trb.dir), Vec::<String>::new());

    // What an older version left is closed at the next start, which says so. A database that does
    // not read is set aside.
    node.stop();
    all(&trb.dir)
        .iter()
        .filter(|path| path.is_file())
        .for_each(|path| set_mode(path, 0o644));

    let exported = [
        "copy.sqlite",
        "copy.sqlite.manifest",
        "case.evidence",
        "hub.wadi",
        "hub.receipt",
        "all.ndjson",
    ];

    exported
        .iter()
        .for_each(|name| drop(std::fs::remove_file(trb.dir.join(name))));

    let trailer = all(&trb.dir)
        .into_iter()
        .filter(|p| p.display().to_string().contains("all.ndjson"));
    trailer.for_each(|path| std::fs::remove_file(path).unwrap());
    std::fs::write(trb.dir.join("rebuild"), "it was found damaged\n").unwrap();

    let node = Careless::start(&world, "trb");
    assert!(trb.record(&id).is_ok());
    assert!(trb.dir.join("set-aside").exists());
    assert_eq!(open_to_others(&trb.dir), Vec::<String>::new());

    let log = std::fs::read_to_string(trb.dir.join("stderr.log")).unwrap();
    assert!(
        log.contains("others could read this") && log.contains("operator.token"),
        "{log}"
    );

    node.stop();
}

#[test]
fn papers_are_made_private_and_those_that_are_not_are_told_by_a_check() {
    let dir = tempfile::tempdir().unwrap();
    careless(dir.path(), &["pki", "init", "--work-factor", "10"]);
    careless(dir.path(), &["pki", "issue", "hub", "--role", "hub"]);
    careless(dir.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);
    careless(dir.path(), &["pki", "renew", "trb"]);
    careless(dir.path(), &["pki", "revoke", "hub"]);
    assert_eq!(
        open_to_others(&dir.path().join("certs")),
        Vec::<String>::new()
    );

    let site = dir.path().join("site");
    std::fs::create_dir(&site).unwrap();
    let papers = dir.path().join("certs/nodes/trb");
    let text = format!("papers = {papers:?}\nlisten = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n");

    std::fs::write(site.join("node.toml"), text).unwrap();
    assert!(run(&site, &["node", "check"]).status.success());

    set_mode(&papers.join("log.key"), 0o640);
    set_mode(&papers.join("tls.key"), 0o604);
    let output = run(&site, &["--json", "node", "check"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("exposed_key") && told.contains("2 things are wrong"),
        "{told}"
    );

    for name in ["log.key", "tls.key"] {
        assert!(
            told.contains(&format!("chmod 600 {}", papers.join(name).display())),
            "{told}"
        );
    }
}

#[test]
fn a_check_names_papers_that_do_not_fit_and_addresses_that_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("papers");
    let copy = |from: &Path| {
        let _ = std::fs::remove_dir_all(&own);
        let copied = Command::new("cp")
            .arg("-r")
            .arg(from)
            .arg(&own)
            .status()
            .unwrap();

        assert!(copied.success());
    };

    let nodes = papers().join("certs/nodes");
    let configure = |listen: &str, http: &str| {
        let text = format!("papers = \"papers\"\nlisten = {listen:?}\nhttp = {http:?}\n");
        std::fs::write(dir.path().join("node.toml"), text).unwrap();
    };
    let check = || {
        let output = run(dir.path(), &["--json", "node", "check"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.code(),
            serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default(),
        )
    };

    let wrong = |code: &str, words: &str| {
        let (exit, told) = check();
        assert_eq!((exit, &told["error"]), (Some(2), &json!(code)), "{told}");
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    };

    let free = "127.0.0.1:0";
    copy(&nodes.join("trb"));
    configure(free, free);
    assert_eq!(check().0, Some(0));

    // Another node's certificate, another commission's, and keys of another node.
    std::fs::copy(nodes.join("qam/tls.pem"), own.join("tls.pem")).unwrap();
    wrong("wrong_certificate", "not for the key");
    copy(&nodes.join("trb"));
    std::fs::copy(papers().join("other/ca.pem"), own.join("ca.pem")).unwrap();
    wrong("wrong_certificate", "not of the CA");
    copy(&nodes.join("trb"));
    for name in ["log.key", "tls.key"] {
        std::fs::copy(nodes.join("qam").join(name), own.join(name)).unwrap();
        wrong("wrong_key", name);
        copy(&nodes.join("trb"));
    }

    // A spool among the papers, and a peer that is the node itself.
    let add = |text: &str| {
        let file = dir.path().join("node.toml");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, before + text).unwrap();
    };
    add("spool = \"papers\"\n");
    wrong("bad_configuration", "the node's papers lie there");
    configure(free, free);
    add("[[peer]]\nname = \"trb\"\naddress = \"127.0.0.1:9\"\n");
    wrong("bad_configuration", "is this node itself");

    // Somebody listens there, this machine has no such address, and what is none.
    let tcp = std::net::TcpListener::bind(free).unwrap();
    configure(free, &tcp.local_addr().unwrap().to_string());
    wrong("cannot_listen", "http = 127.0.0.1:");

    let udp = std::net::UdpSocket::bind(free).unwrap();
    configure(&udp.local_addr().unwrap().to_string(), free);
    wrong("cannot_listen", "another process listens there");
    configure("192.0.2.77:7700", free);
    wrong("cannot_listen", "no such address");
    configure("hub.example:7700", free);
    wrong("bad_configuration", "listen = \"hub.example:7700\"");

    // A peer of the other family: a socket of one address sends to its own alone.
    let peer = |listen: &str, address: &str| {
        configure(listen, free);
        let file = dir.path().join("node.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let peer = format!("[[peer]]\nname = \"hub\"\naddress = {address:?}\n");
        std::fs::write(file, text + &peer).unwrap();
    };
    peer("0.0.0.0:0", "[::1]:7700");
    wrong("cannot_reach", "listen on [::]");
    peer("[::]:0", "127.0.0.1:7700");
    assert_eq!(check().0, Some(0));

    // A node that runs is in its own way, and that is no error.
    let mut world = World::default();
    world.start("trb", &[]);
    let output = run(&world.site("trb").dir, &["node", "check"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn nothing_is_written_over_unless_somebody_says_so() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("11-A-00001");
    let into = |arguments: &[&str], file: &str| {
        let path = trb.dir.join(file);
        std::fs::write(&path, "last week's").unwrap();
        let arguments = [arguments, &["-o", file]].concat();
        let output = run(&trb.dir, &[&["--json"], &arguments[..]].concat());
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains("file_exists"), "{told}");
        assert_eq!(std::fs::read(&path).unwrap(), b"last week's");

        run_json(&trb.dir, &[&arguments[..], &["--force"]].concat());
        assert_ne!(std::fs::read(&path).unwrap(), b"last week's");
    };

    into(&["audit", "evidence", &id], "case.evidence");
    into(&["bundle", "export", "--for", "hub"], "hub.wadi");
    into(&["bundle", "receipt", "--for", "hub"], "hub.receipt");
    into(&["export"], "all.ndjson");
}
