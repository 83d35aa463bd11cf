//! Parts and their frames: written, read, cut short, changed and inflated.

use super::{
    frames::{BLOCK_KIND, INFLATED_BYTES_MAX, MESSAGE_KIND},
    *,
};
use crate::{Message, SealedBlock};
use wadi_log::{
    Block, Body, Change, Common, Entry, Epoch, Lane, Peaks, Put, Role, Scope, Value, VerifiedBlock,
};

pub(crate) fn enrolment(key: &LogKey, name: &str) -> Enrolment {
    let of = Enrolment {
        name: name.into(),
        role: Role::Hub,
        crossing: "HUB".parse().ok(),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::all(),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    };

    of.issue(&LogKey::from_seed(&[9; 32])).unwrap()
}
pub(crate) fn party(key: &LogKey) -> Party {
    Party {
        node: key.node().to_string(),
        name: "somebody".into(),
    }
}
pub(crate) fn log(key: &LogKey) -> LogId {
    LogId {
        node: key.node(),
        epoch: Epoch([1; 8]),
        lane: Lane::Passage,
        crossing: "TRB".parse().unwrap(),
    }
}

fn block(key: &LogKey, note: &str) -> Block {
    let puts = vec![Put {
        key: "note".into(),
        value: Value::Text(note.into()),
    }];
    let change = Change {
        puts,
        ..Default::default()
    };

    let entry = Entry {
        common: Common::default(),
        body: Body::Change(change),
    };
    let made =
        VerifiedBlock::author(key, log(key), &Peaks::default(), &[entry], 0, vec![]).unwrap();
    let entries = made.entries().iter().map(|e| e.bytes().to_vec()).collect();

    Block {
        from: 0,
        entries,
        checkpoint: made.checkpoint().clone(),
    }
}

fn manifest(from: &LogKey, to: &LogKey) -> Manifest {
    Manifest {
        format: String::new(),
        bundle: "0".repeat(32),
        part: 1,
        parts: 2,
        from: party(from),
        enrolment: hex(&enrolment(from, "hub").to_bytes()),
        to: party(to),
        made_s: 100,
        logs: vec![LogRange {
            log: log(from).origin(),
            from: 0,
            to: 1,
            carried: false,
        }],
        counts: Counts {
            blocks: 1,
            entries: 1,
            ..Counts::default()
        },
        bytes: 0,
        sha256: String::new(),
    }
}

/// What becomes of a part, as an importer would read it.
fn take(part: &[u8]) -> Result<Manifest, BundleFileError> {
    let (manifest, seal, body) = Manifest::read(part)?;
    seal.verify(&manifest.maker()?)?;
    manifest.check_body(body)?;
    Ok(manifest)
}

#[test]
fn every_way_of_tampering_with_a_part_is_told() {
    let (hub, trb) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[2; 32]));
    let body: Vec<u8> = (0..500u32).flat_map(u32::to_be_bytes).collect();
    let mut said = manifest(&hub, &trb);
    let line = said.seal(&body, &hub);
    assert!(line.ends_with('\n') && line.matches('\n').count() == 1);

    let good = [line.as_bytes(), &body[..]].concat();
    assert_eq!(take(&good).unwrap(), said);
    assert_eq!(said.logs[0].id().unwrap(), log(&hub));

    let edit = |from: &str, to: &str| [line.replacen(from, to, 1).as_bytes(), &body[..]].concat();
    let flipped = |at: usize| {
        let mut part = good.clone();
        part[at] ^= 1;
        part
    };

    let resealed = manifest(&hub, &trb).seal(&body, &trb);
    let stranger = {
        let mut said = manifest(&hub, &trb);
        said.from = party(&trb);
        said.seal(&body, &trb)
    };

    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("nothing", "bundle_unreadable", vec![]),
        (
            "something else",
            "bundle_unreadable",
            b"{\"kind\":\"passage\"}\n".to_vec(),
        ),
        (
            "cut within the manifest",
            "bundle_cut",
            good[..line.len() / 2].to_vec(),
        ),
        (
            "cut within the body",
            "bundle_cut",
            good[..good.len() - 1].to_vec(),
        ),
        (
            "a body that is gone",
            "bundle_cut",
            line.clone().into_bytes(),
        ),
        (
            "more behind the body",
            "bundle_changed",
            [&good[..], b"x"].concat(),
        ),
        (
            "the body's first byte",
            "bundle_changed",
            flipped(line.len()),
        ),
        (
            "the body's last byte",
            "bundle_changed",
            flipped(good.len() - 1),
        ),
        (
            "another part's body",
            "bundle_changed",
            [line.as_bytes(), &vec![7; body.len()][..]].concat(),
        ),
        (
            "another recipient",
            "bundle_changed",
            edit(&trb.node().to_string(), &hub.node().to_string()),
        ),
        (
            "another part",
            "bundle_changed",
            edit("\"part\":1", "\"part\":2"),
        ),
        (
            "another time",
            "bundle_changed",
            edit("\"made_s\":100", "\"made_s\":101"),
        ),
        (
            "other ranges",
            "bundle_changed",
            edit("\"to\":1", "\"to\":9"),
        ),
        (
            "a part that cannot be",
            "bundle_unreadable",
            edit("\"part\":1", "\"part\":3"),
        ),
        (
            "a later version",
            "bundle_version",
            edit("bundle/v1", "bundle/v2"),
        ),
        (
            "another format",
            "bundle_unreadable",
            edit("wadi.bundle/v1", "tar.bundle/v1"),
        ),
        (
            "a member nobody knows",
            "bundle_unreadable",
            edit("\"made_s\"", "\"more\":1,\"made_s\""),
        ),
        (
            "sealed by another",
            "bundle_changed",
            [resealed.as_bytes(), &body[..]].concat(),
        ),
        (
            "an enrolment that is not its maker's",
            "bundle_foreign",
            [stranger.as_bytes(), &body[..]].concat(),
        ),
    ];

    for (what, code, part) in cases {
        assert_eq!(take(&part).unwrap_err().code, code, "{what}");
    }
}

fn sealed(key: &LogKey) -> SealedBlock {
    let log = block(key, "one").checkpoint.checkpoint.log;
    let range = crate::Range {
        log,
        from: 2,
        to: 5,
    };
    SealedBlock::seal(range, b"nobody reads this".to_vec(), key)
}

#[test]
fn frames_come_back_in_order_and_what_is_missing_or_too_much_is_told() {
    let key = LogKey::from_seed(&[1; 32]);
    let frames = [
        Frame::Message(Message::Members(vec![enrolment(&key, "hub")])),
        Frame::Block(block(&key, "one")),
        Frame::Block(block(&key, "two")),
        Frame::Sealed(sealed(&key)),
    ];

    let mut writer = FrameWriter::new().unwrap();
    let written: Vec<Vec<u8>> = frames
        .iter()
        .map(|f| match f {
            Frame::Message(m) => writer.message(m),
            Frame::Block(b) => writer.block(b).unwrap(),
            Frame::Sealed(sealed) => writer.sealed(sealed),
        })
        .collect();

    let end = writer.end();
    let read = |body: &[u8]| {
        let mut reader = FrameReader::new(body)?;
        let mut out = Vec::new();
        while let Some(frame) = reader.read()? {
            out.push(frame);
        }

        assert!(reader.read()?.is_none());
        Ok::<_, BundleFileError>(out)
    };

    let body = [written.concat(), end.clone()].concat();
    assert_eq!(read(&body).unwrap(), frames);

    let huge = [&[BLOCK_KIND][..], &u32::MAX.to_be_bytes()].concat();
    for (what, body) in [
        ("cut short", body[..body.len() - 3].to_vec()),
        ("no end", written.concat()),
        (
            "a frame taken out",
            [&written[0][..], &written[1][..], &end[..]].concat(),
        ),
        ("something behind the end", [&body[..], &[0]].concat()),
        ("a frame of four gigabytes", huge),
        ("an unknown kind", vec![7, 0, 0, 0, 0]),
        ("no message", vec![MESSAGE_KIND, 0, 0, 0, 1, 255]),
        (
            "blocks in another order",
            [&written[0][..], &written[2][..], &written[1][..], &end[..]].concat(),
        ),
    ] {
        assert_eq!(
            read(&body).map_err(|e| e.code),
            Err("bundle_unreadable"),
            "{what}"
        );
    }
}

#[test]
fn what_inflates_without_bound_is_refused() {
    let key = LogKey::from_seed(&[1; 32]);
    let mut writer = FrameWriter::new().unwrap();

    // Seven entries of 32 KiB each, again and again: a few hundred bytes a frame.
    let big = Block {
        from: 0,
        entries: vec![vec![0; 32 * 1024]; 7],
        checkpoint: block(&key, "x").checkpoint,
    };

    let checkpoint = {
        let mut head = big.checkpoint.checkpoint.clone();
        head.size = 7;
        key.sign(head)
    };

    let big = Block { checkpoint, ..big };
    let frames = INFLATED_BYTES_MAX / (7 * 32 * 1024) + 2;
    let mut body = Vec::new();
    for _ in 0..frames {
        body.extend(writer.block(&big).unwrap());
    }

    assert!(body.len() < 1 << 20, "{}", body.len());

    let mut reader = FrameReader::new(&body[..]).unwrap();
    let error = (0..frames).find_map(|_| reader.read().err()).unwrap();
    assert!(
        error.code == "bundle_unreadable" && error.why.contains("inflates"),
        "{error:?}"
    );
}
