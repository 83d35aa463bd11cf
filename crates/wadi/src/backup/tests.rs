use super::{
    beside, copy_hashed, copy_of,
    manifest::{BackupEngine, BackupManifest, MANIFEST_KIND, read_manifest},
    next_steps::what_comes_next,
    restore::ReplacedDatabase,
    verify::check_bytes,
};
use crate::{config::Config, failure::Failure, print::utc_file_stamp};
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use std::fs;
use wadi_log::{Enrolment, LogKey, NodeId, Role, RootKey, Scope, hex};
use wadi_store::known_schema;
use wadi_sync::seal;

fn enrolled(root: &LogKey, key: &LogKey) -> Enrolment {
    let crossing = "TRB".parse().unwrap();
    Enrolment {
        name: "trb".into(),
        role: Role::Crossing,
        crossing: Some(crossing),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::of_crossing(crossing),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    }
    .issue(root)
    .unwrap()
}

fn manifest(enrolment: &Enrolment) -> BackupManifest {
    BackupManifest {
        format: MANIFEST_KIND.format.into(),
        engine: BackupEngine::Sqlite,
        node: enrolment.node().to_string(),
        name: enrolment.name.clone(),
        enrolment: hex(&enrolment.to_bytes()),
        made_s: 1_767_225_600,
        software: "0".into(),
        schema: known_schema(false),
        commits: 7,
        records: 2,
        entries: 3,
        logs: vec![],
        bytes: 4,
        sha256: hex(&Sha256::digest(b"copy")),
    }
}

#[test]
fn a_manifest_is_read_as_its_node_sealed_it_and_in_no_other_way() {
    let (root, key, other) = (
        LogKey::from_seed(&[1; 32]),
        LogKey::from_seed(&[2; 32]),
        LogKey::from_seed(&[3; 32]),
    );

    let enrolment = enrolled(&root, &key);
    let good = manifest(&enrolment);
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("a.sqlite");
    let root = RootKey(root.public());
    let read = |expected: Option<NodeId>| read_manifest(&copy, &root, expected);
    let code = |read: Result<BackupManifest, Failure>| read.unwrap_err().code;
    assert_eq!(code(read(None)), "no_backup");

    fs::write(&copy, "copy").unwrap();
    assert_eq!(code(read(None)), "no_backup");

    let path = beside(&copy, "manifest");
    let write = |text: &str| fs::write(&path, text).unwrap();
    let sealed = seal::write(&MANIFEST_KIND, &good, &key);
    write(&sealed);
    assert_eq!(read(None).unwrap(), good);
    assert_eq!(read(Some(key.node())).unwrap(), good);
    assert_eq!(code(read(Some(other.node()))), "other_node");
    assert_eq!(
        code(read_manifest(&copy, &RootKey(other.public()), None)),
        "not_enrolled"
    );

    for text in [
        sealed.replace("\"commits\":7", "\"commits\":8"),
        sealed.replace("\"made_s\":1767225600", "\"made_s\":1767225601"),
        sealed.chars().take(sealed.len() - 40).collect::<String>(),
        seal::write(&MANIFEST_KIND, &good, &other),
        seal::write(
            &MANIFEST_KIND,
            &BackupManifest {
                enrolment: String::new(),
                ..good.clone()
            },
            &key,
        ),
        "{}\n{}\n".into(),
        String::new(),
    ] {
        write(&text);
        assert_eq!(code(read(None)), "manifest_tampered", "{text}");
    }

    write(&seal::write(
        &MANIFEST_KIND,
        &BackupManifest {
            format: "wadi.backup/v2".into(),
            ..good.clone()
        },
        &key,
    ));

    assert_eq!(code(read(None)), "manifest_newer");

    write(&seal::write(
        &MANIFEST_KIND,
        &BackupManifest {
            schema: known_schema(false) + 1,
            ..good.clone()
        },
        &key,
    ));

    assert_eq!(code(read(None)), "database_newer");
    assert_eq!(copy_of(&path), copy);
}

#[test]
fn bytes_that_are_missing_and_bytes_that_changed_are_told_apart() {
    let root = LogKey::from_seed(&[1; 32]);
    let key = LogKey::from_seed(&[2; 32]);
    let manifest = manifest(&enrolled(&root, &key));
    let bar = ProgressBar::hidden();
    let check = |bytes: &[u8]| {
        let (n, sha256) = copy_hashed(bytes, std::io::sink(), &bar).unwrap();
        check_bytes(&manifest, n, &sha256).map_err(|f| f.code)
    };
    assert_eq!(check(b"copy"), Ok(()));
    assert_eq!(check(b"cop"), Err("copy_truncated".into()));
    assert_eq!(check(b"cope"), Err("copy_changed".into()));
    assert_eq!(check(b"copy\0"), Err("copy_changed".into()));
}

#[test]
fn what_comes_next_is_told_by_the_anchor() {
    let root = LogKey::from_seed(&[1; 32]);
    let key = LogKey::from_seed(&[2; 32]);
    let manifest = manifest(&enrolled(&root, &key));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    let text = "papers = 'p'\nlisten = '127.0.0.1:1'\nhttp = '127.0.0.1:2'\n[[peer]]\nname = \
        'hub'\naddress = 'h:1'\n";

    fs::write(&path, text).unwrap();
    let config = Config::read(&path).unwrap();
    let next = |anchored, only_in_kept| {
        let done = ReplacedDatabase {
            kept: Some("old".into()),
            only_in_kept,
        };
        let (stands, lines) = what_comes_next(&manifest, anchored, &config, &done);
        (stands, lines.join("\n"))
    };

    let (stands, text) = next(Some(9), Some(5));
    assert_eq!(stands, "behind");
    assert!(
        text.contains("lacks 2") && text.contains("from hub") && text.contains("5 entries"),
        "{text}"
    );
    assert_eq!(next(Some(7), Some(0)).0, "agrees");

    let (stands, text) = next(None, None);
    assert_eq!(stands, "missing");
    assert!(
        text.contains("no anchor") && text.contains("2026-01-01 00:00:00"),
        "{text}"
    );
    assert_eq!(utc_file_stamp(manifest.made_s), "20260101T000000Z");
}
