//! Secrets stay where they belong: no log of a node holds one, and no command line has to.

use integration_tests::{Site, World, issue_papers, run, run_json, wadi};
use serde_json::json;
use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Tells everything that is told at all.
const DEBUG: &str = "log = \"debug\"\n";
/// What opens the papers of a node, and an account.
const PASSPHRASE: &str = "four words of the depot";
const PASSWORD: &str = "four lorries at dusk";
/// What was never right: it may be what somebody uses elsewhere.
const WRONG_PASSWORD: &str = "five lorries at noon";
const WRONG_TOKEN: &str = "wadi_0123456789abcdefghijklmnopqrstuvwxyz";
/// A line of an officer's key: somebody hands in the wrong one of the two files.
const OFFICERS_KEY: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2g";

/// What is secret in the file of a key: its lines, without what frames them, and its bytes as
/// programs print them.
fn secrets_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a key");
    let lines = text.lines().map(str::trim);
    let mut secrets: Vec<String> = lines
        .filter(|line| line.len() >= 16 && !line.starts_with("-----"))
        .map(String::from)
        .collect();

    if let Some(bytes) = wadi_log::unhex(text.trim()) {
        let numbers = format!("{:?}", &bytes[..8]);
        secrets.push(numbers.trim_end_matches(']').into());
    }

    assert!(!secrets.is_empty(), "{}", file.display());
    secrets
}

/// People sign in at a site, or fail to; every secret that came up.
fn sign_in(trb: &Site) -> Vec<String> {
    let path = run_json(&trb.dir, &["account", "invite", "Zaid Karim", "--operator"])["path"]
        .as_str()
        .expect("a path")
        .to_string();
    let (_, code) = path.split_once("code=").expect("a code");
    trb.get(&path).expect("the page of the invitation");
    let weak = json!({"code": code, "password": "short"});
    trb.post("/v1/invitations/accept", &weak)
        .expect_err("nobody takes that");
    let chosen = json!({"code": code, "password": PASSWORD});
    let session = trb.post("/v1/invitations/accept", &chosen);
    let session = session.expect("a session")["token"].clone();
    let session = session.as_str().expect("a token").to_string();

    let own = trb.as_bearer(&session);
    let account = own.get("/v1/whoami").expect("who it is");
    let name = account["account"].as_str().unwrap_or("Zaid Karim");
    for password in [WRONG_PASSWORD, PASSWORD] {
        let body = json!({"account": name, "password": password});
        let signed_in = trb.post("/v1/sessions", &body);
        assert!(password == PASSWORD || signed_in.is_err());
    }

    let again = json!({"code": code, "password": PASSWORD});
    trb.post("/v1/invitations/accept", &again)
        .expect_err("it was taken up");
    vec![code.to_string(), session]
}

/// Tokens are issued, used, mistyped and revoked; every secret that came up.
fn use_tokens(trb: &Site) -> Vec<String> {
    let by_api = trb.token_of("Amira Salim");
    let issue = ["token", "issue", "scale", "--device", "SCALE-1"];
    let by_command = run_json(&trb.dir, &issue)["token"].clone();
    let by_command = by_command.as_str().expect("a token").to_string();
    for token in [&by_api, &by_command] {
        trb.get_as(token, "/v1/whoami").expect("it speaks");
        // Nobody is to be asked so, and somebody does it all the same.
        let _ = trb.get(&format!("/v1/records?token={token}"));
    }

    trb.get_as(WRONG_TOKEN, "/v1/whoami")
        .expect_err("nobody's token");
    run_json(&trb.dir, &["token", "revoke", "scale"]);
    trb.get_as(&by_command, "/v1/whoami")
        .expect_err("it was revoked");
    vec![by_api, by_command, trb.token()]
}

/// Everything that a node logged.
fn logged(site: &Site) -> String {
    let mut all = std::fs::read_to_string(site.dir.join("stderr.log")).expect("a log");
    let files = std::fs::read_dir(site.dir.join("log"))
        .into_iter()
        .flatten();
    for file in files.filter_map(Result::ok) {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        all += &String::from_utf8_lossy(&bytes);
    }

    all
}

#[test]
fn no_log_of_a_node_holds_a_token_a_password_a_passphrase_or_a_key() {
    let papers = issue_papers();
    let nodes = papers.path().join("certs/nodes");
    let mut secrets: Vec<String> = [PASSPHRASE, PASSWORD, WRONG_PASSWORD, WRONG_TOKEN]
        .map(String::from)
        .into();
    secrets.push(OFFICERS_KEY.into());
    for name in ["hub/log.key", "hub/tls.key", "trb/log.key", "trb/tls.key"] {
        secrets.extend(secrets_in(&nodes.join(name)));
    }

    let mut world = World::default();
    world.prepare_with("hub", &nodes.join("hub"), None, DEBUG);
    let listen = world.site("hub").listen;
    world.prepare_with("trb", &nodes.join("trb"), Some(listen), DEBUG);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let passphrase = world.dir().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).expect("written");
    let file = passphrase.to_str().expect("a path");
    let seal = ["node", "seal", "--work-factor", "10", "--passphrase-file"];
    run_json(&trb.dir, &[&seal[..], &[file]].concat());

    world.boot("hub");
    let given = ("WADI_PAPERS_PASSPHRASE_FILE", passphrase.into_os_string());
    world.launch_with("trb", &[given]);
    world.wait("its papers open", || trb.get("/readyz").is_ok());
    secrets.extend(sign_in(trb));
    secrets.extend(use_tokens(trb));
    secrets.push(hub.token());

    let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{OFFICERS_KEY}\n");
    let said = json!({"say": "officer_key", "officer": "OF-7", "key": key});
    hub.post("/v1/control", &said)
        .expect_err("it is the other file");
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);
    hub.stop();
    trb.stop();

    for site in [hub, trb] {
        let log = logged(site);
        assert!(log.contains("DEBUG"), "it tells all: {log}");
        for secret in &secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert!(secret.len() > 8, "{secret:?} may stand anywhere");
            assert_eq!(line, None, "{secret:?} stands in a log");
        }
    }
}

/// Lists the tokens of a node under the one that a file or the standard input gives.
fn list_tokens(dir: &Path, url: &str, file: &str, stdin: &str) -> Output {
    let mut command = Command::new(wadi());
    command
        .current_dir(dir)
        .args([
            "--json",
            "token",
            "list",
            "--url",
            url,
            "--token-file",
            file,
        ])
        .env("WADI_TOKEN", WRONG_TOKEN)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());

    let mut child = command.spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("a pipe");
    // It may have ended before it reads.
    let _ = input.write_all(stdin.as_bytes());
    drop(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_token_comes_from_a_file_of_ones_own_and_stands_in_no_list_of_processes() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let (url, token) = (trb.url(), trb.token_of("Amira Salim"));

    let elsewhere = tempfile::tempdir().expect("a directory");
    let dir = elsewhere.path();
    let set_mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.join("token"), mode).expect("it is mine");
    };
    std::fs::write(dir.join("token"), format!("{token}\n")).expect("written");
    set_mode(0o600);

    // The file goes before what the environment holds, which is wrong here.
    for (file, stdin) in [("token", ""), ("-", token.as_str())] {
        let listed = list_tokens(dir, &url, file, stdin);
        let told = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.status.success(), "{file}: {told}");
        assert!(told.contains("Amira Salim"), "{file}: {told}");
    }

    let wrong = |file: &str, code: &str| {
        let refused = list_tokens(dir, &url, file, "");
        let told = String::from_utf8_lossy(&refused.stdout).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{file}: {told}");
        assert!(told.contains(code), "{file}: {told}");
        assert!(!told.contains(&token), "{file}: {told}");
    };
    wrong("missing", "token_file");
    wrong("-", "token_file");
    for mode in [0o640, 0o604] {
        set_mode(mode);
        wrong("token", "exposed_token");
    }

    // Of two nodes each may have its own.
    set_mode(0o600);
    let compare = ["--json", "audit", "compare", &url, &url];
    let tokens = ["--token-a-file", "token", "--token-b-file", "token"];
    let same = run(dir, &[&compare[..], &tokens].concat());
    assert_eq!(same.status.code(), Some(0), "{same:?}");
}
