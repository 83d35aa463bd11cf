//! Whatever comes from elsewhere is decoded or refused, and never panics: good inputs of each
//! decoder, spoilt from a printed seed.

#[path = "../../fuzz/decoders.rs"]
mod decoders;
#[path = "decoders/entries.rs"]
mod entries;

use base64::{Engine, engine::general_purpose::STANDARD};
use decoders::{DECODERS, author, block_frames, key, root};
use ed25519_dalek::{Signer, SigningKey};
use entries::entries;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};
use wadi_log::{
    Block, Body, Branch, Change, Checkpoint, Cosignature, Entry, Epoch, EvidenceRole,
    EvidenceWriter, Folded, ForkProof, Frontier, Hash, Head, Lane, LogId, Peaks, Put, RecordId,
    Reference, SignedCheckpoint, Stretch, Tip, Value, VerifiedBlock, hex,
};
use wadi_sync::{
    CodecVersion, Counts, ExcerptAmount, ExcerptEntry, Fetched, FrameWriter, FrontierPart,
    LinkCost, LinkPurpose, LinkSpec, LogRange, Manifest, Message, Party, Picked, Range, Receipt,
    RefuseReason, ScopeSum, SealedBlock, SketchAsk, TreeAsk, encode_plain,
};

/// Spoilt inputs of each decoder.
const INPUTS: usize = 2_000;

fn log(lane: Lane) -> LogId {
    LogId {
        node: key().node(),
        epoch: Epoch([4; 8]),
        lane,
        crossing: "TRB".parse().unwrap(),
    }
}

fn reference(seq: u64) -> Reference {
    Reference {
        log: log(Lane::Passage),
        seq,
        leaf: Hash([9; 32]),
    }
}

fn head() -> Head {
    Head {
        log: log(Lane::Hold),
        size: 12,
        root: Hash([7; 32]),
    }
}

fn authored() -> VerifiedBlock {
    let change = entries().remove(0);
    let first = Entry {
        body: Body::Change(Change {
            puts: vec![Put {
                key: "direction".into(),
                value: Value::Text("in".into()),
            }],
            ..Change::default()
        }),
        ..change.clone()
    };

    let entries = [first, change];
    let log = log(Lane::Passage);
    VerifiedBlock::author(&key(), log, &Peaks::default(), &entries, 99, vec![]).unwrap()
}

fn block() -> Block {
    let made = authored();
    Block {
        from: 0,
        entries: made.entries().iter().map(|e| e.bytes().to_vec()).collect(),
        checkpoint: made.checkpoint().clone(),
    }
}

/// A head of a control log, which names the epoch's other logs.
fn control_head() -> SignedCheckpoint {
    key().sign(Checkpoint {
        log: log(Lane::Control),
        size: 4,
        root: Hash([6; 32]),
        hub_time_s: 1_767_225_600,
        logs: vec![(Lane::Passage, "TRB".parse().unwrap(), 2)],
    })
}

fn cosignature() -> Cosignature {
    root().cosign(&control_head().checkpoint, 1_767_225_700)
}

fn fork_proof() -> ForkProof {
    let branch = |leaf: u8| Branch {
        checkpoint: authored().checkpoint().clone(),
        leaf: Hash([leaf; 32]),
        path: vec![Hash([1; 32])],
    };
    ForkProof::new(1, branch(1), branch(2))
}

fn messages() -> Vec<Message> {
    let passages = log(Lane::Passage);
    let tip = Tip {
        size: 7,
        root: Hash([3; 32]),
    };
    let range = Range {
        log: passages,
        from: 1,
        to: 7,
    };
    let folded = Folded {
        open: [(passages, tip), (log(Lane::Control), tip)].into(),
        closed: [(root().node(), (3, Hash([2; 32])))].into(),
    };
    let excerpt = ExcerptEntry {
        log: passages,
        seq: 0,
        bytes: block().entries[0].clone(),
        path: vec![Hash([1; 32])],
        checkpoint: block().checkpoint,
        cosignature: cosignature(),
    };
    let stretch = Stretch {
        from: 0,
        entries: block().entries,
        around: vec![Hash([1; 32]), Hash([2; 32])],
    };
    let sum = ScopeSum {
        lane: Lane::Hold,
        crossing: "TRB".parse().unwrap(),
        records: 3,
        entries: 9,
        logs: Hash([1; 32]),
        documents: Hash([2; 32]),
        states: Hash([3; 32]),
    };
    vec![
        Message::Hello {
            version: 1,
            enrolment: Some(Box::new(author().clone())),
            digest: Hash([1; 32]),
            members: Hash([2; 32]),
            hub_time_s: 1_767_225_600,
            remembers: Some(Hash([3; 32])),
            rate_bits_s: Some(64_000),
            codecs: vec![CodecVersion::Columns.mark()],
            software: "0.1.0".into(),
            link: Some(LinkSpec {
                name: "vsat".into(),
                cost: LinkCost::Metered,
                purpose: LinkPurpose::Urgent,
            }),
        },
        Message::Members(vec![author().clone()]),
        Message::Frontier {
            folded,
            part: FrontierPart {
                unfolded: false,
                since: true,
                more: true,
            },
        },
        Message::Unfold(vec![root().node()]),
        Message::Ack {
            log: passages,
            size: 7,
            cosignature: Some(cosignature()),
            refused: Some(RefuseReason::DiskLow),
        },
        Message::Probe {
            log: passages,
            sizes: vec![1, 2, 4],
        },
        Message::Roots {
            log: passages,
            roots: [(1, Hash([1; 32])), (4, Hash([4; 32]))].into(),
        },
        Message::WantBranch {
            log: passages,
            at: 3,
        },
        Message::BranchAt {
            log: passages,
            at: 1,
            branch: Box::new(fork_proof().one),
        },
        Message::ForkProofs(vec![fork_proof()]),
        Message::Excerpt {
            record: RecordId([5; 32]),
            from: 0,
            entries: vec![excerpt],
        },
        Message::ExcerptAck(ExcerptAmount::Entries {
            record: RecordId([5; 32]),
            entries: 2,
        }),
        Message::Cosigned {
            checkpoint: Box::new(control_head()),
            cosignature: cosignature(),
        },
        Message::CarryOffer(vec![range]),
        Message::CarryWant(vec![range]),
        Message::Carry {
            log: passages,
            block: encode_plain(&block()),
        },
        Message::CarryAck {
            log: passages,
            size: 7,
        },
        Message::Fetch {
            log: passages,
            tip,
            ranges: vec![(0, 2), (4, 5)],
        },
        Message::Fetched(Fetched {
            log: passages,
            tip,
            stretches: vec![stretch],
            absent: vec![(4, 5)],
        }),
        Message::Tree {
            log: passages,
            tip,
            salt: 17,
            asks: vec![TreeAsk {
                level: 8,
                step: 2,
                indices: vec![0, 3],
            }],
        },
        Message::TreeIs {
            log: passages,
            tip,
            salt: 17,
            hashes: vec![1, 2, 3],
        },
        Message::Sketch {
            log: passages,
            tip,
            salt: 17,
            ask: SketchAsk::Tiles {
                estimator: true,
                cells: 24,
            },
        },
        Message::Sketch {
            log: passages,
            tip,
            salt: 17,
            ask: SketchAsk::Row { from: 3, count: 7 },
        },
        Message::Sketch {
            log: passages,
            tip,
            salt: 17,
            ask: SketchAsk::Leaves {
                tiles: vec![0, 300, 301],
                cells: 24,
                raw: vec![7],
            },
        },
        Message::SketchIs {
            log: passages,
            tip,
            salt: 17,
            sketch: vec![0, 0, 1, 0, 0, 2],
        },
        Message::Pick {
            log: passages,
            tip,
            ranges: vec![(0, 2), (40_000, 40_001)],
        },
        Message::Picked(Picked {
            log: passages,
            tip,
            from: 0,
            entries: vec![vec![1, 2, 3], vec![]],
        }),
        Message::Recompare,
        Message::AskDigests,
        Message::Digests(vec![sum]),
    ]
}

fn bundle_body() -> Vec<u8> {
    let mut writer = FrameWriter::new().unwrap();
    let mut body = writer.message(&Message::Members(vec![author().clone()]));
    body.extend(writer.block(&block()).unwrap());
    body.extend(writer.message(&Message::ForkProofs(vec![fork_proof()])));
    body.extend(writer.end());
    body
}

fn bundle() -> Vec<u8> {
    let body = bundle_body();
    let mut manifest = Manifest {
        format: String::new(),
        bundle: "0123456789abcdef".repeat(2),
        part: 1,
        parts: 2,
        from: Party::of(author()),
        enrolment: hex(&author().to_bytes()),
        to: Party::of(author()),
        made_s: 1_767_225_600,
        logs: vec![LogRange {
            log: log(Lane::Passage).origin(),
            from: 0,
            to: 2,
            carried: false,
        }],
        counts: Counts::default(),
        bytes: 0,
        sha256: String::new(),
    };

    let mut part = manifest.seal(&body, &key()).into_bytes();
    part.extend(body);
    part
}

fn receipt() -> String {
    let tip = Tip {
        size: 7,
        root: Hash([3; 32]),
    };
    let held = Frontier([(log(Lane::Passage), tip)].into());
    let cosigned = [(control_head(), cosignature())];
    let party = Party::of(author());
    Receipt::new(party.clone(), party, 1_767_225_600, &held, &cosigned).seal(&key())
}

fn evidence() -> String {
    let made = authored();
    let (first, second) = (&made.entries()[0], &made.entries()[1]);
    let record = RecordId::of_first(&first.reference());
    let mut file =
        EvidenceWriter::new(&record, "TRB-P-2N5R8QK1M7ZX4", &key().node(), 1_767_225_600);

    file.enrolment(author());
    let at = file.checkpoint(made.checkpoint(), author(), &[]);
    let path = vec![second.reference().leaf];
    file.entry(
        (&first.reference().log, 0),
        first.bytes(),
        EvidenceRole::Record,
        true,
        &[(at, path)],
    );
    file.fork(&fork_proof());
    file.seal(&key())
}

/// Seals spoilt lines anew: a member with valid keys can seal what nobody else would write.
fn sealed_anew(spoilt: &[u8]) -> Vec<u8> {
    let end = spoilt[..spoilt.len().saturating_sub(1)]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = &spoilt[..end];
    let sha256 = hex(&Sha256::digest(lines));
    let sealed = format!("wadi.evidence/v1\n{sha256}\n");
    let signature = SigningKey::from_bytes(&[2; 32]).sign(sealed.as_bytes());
    let seal = serde_json::json!({"seal": {
        "by": key().node().to_string(),
        "lines": lines.split(|byte| *byte == b'\n').count() - 1,
        "sha256": sha256,
        "signature": STANDARD.encode(signature.to_bytes()),
    }});

    [lines, seal.to_string().as_bytes(), b"\n"].concat()
}

fn sealed_block() -> SealedBlock {
    let block = block();
    let range = Range {
        log: block.checkpoint.checkpoint.log,
        from: block.from,
        to: block.checkpoint.checkpoint.size,
    };
    SealedBlock::seal(range, block_frames(&block).concat(), &key())
}

/// Good inputs of a decoder.
fn good(name: &str) -> Vec<Vec<u8>> {
    match name {
        "entry" => entries().iter().map(|e| e.encode().unwrap()).collect(),
        "block" => vec![encode_plain(&block())],
        "block_frame" => block_frames(&block()),
        "sealed_block" => vec![sealed_block().encode()],

        "checkpoint" => vec![
            control_head().to_bytes(),
            authored().checkpoint().to_bytes(),
        ],
        "note" => {
            let by = (cosignature(), root().public());
            vec![control_head().note(&key().public(), &[by]).into_bytes()]
        }
        "cosignature" => vec![cosignature().to_bytes()],
        "enrolment" => vec![author().to_bytes()],
        "fork_proof" => vec![fork_proof().to_bytes()],

        "message" => messages().iter().map(Message::encode).collect(),
        "bundle_manifest" => vec![bundle()],
        "bundle_body" => vec![bundle_body()],
        "receipt" => vec![receipt().into_bytes()],
        "evidence" => vec![evidence().into_bytes()],

        "names" => [
            key().node().to_string(),
            log(Lane::Hold).origin(),
            reference(12).to_string(),
            RecordId([5; 32]).print("TRB".parse().unwrap(), Lane::Passage),
            "passage".into(),
            "TRB".into(),
        ]
        .map(String::into_bytes)
        .into(),
        other => panic!("no good input of {other}: add one here"),
    }
}

/// Numbers at which lengths, tags and counts go wrong.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0x81, 0xfe, 0xff, b'"'];
/// Spoils an input in one to four places.
fn spoil(r: &mut StdRng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..r.random_range(1..=4) {
        let at = r.random_range(0..=bytes.len());
        let end = r.random_range(at..=bytes.len());

        match r.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << r.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = EDGES[r.random_range(0..EDGES.len())],
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end.min(at + 16))),
            4 => {
                // A run twice: a field repeated, a list longer than it says.
                let run = bytes[at..end.min(at + 64)].to_vec();
                bytes.splice(at..at, run);
            }
            5 => {
                // A length, a count or a size of 64 bits.
                let huge = [0xff; 9].into_iter().chain([0x01]);
                bytes.splice(at..at, huge);
            }
            6 => {
                // The end of another good input.
                let from = r.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ => bytes.insert(at, r.random()),
        }
    }
}

#[test]
fn no_spoilt_input_makes_a_decoder_panic() {
    let seed = integration_tests::seed();
    for (name, decoder) in DECODERS {
        let good = good(name);
        let mut r = StdRng::seed_from_u64(seed);

        for n in 0..INPUTS {
            let mut bytes = good[n % good.len()].clone();
            let other = &good[r.random_range(0..good.len())];
            spoil(&mut r, &mut bytes, other);
            if *name == "evidence" && r.random_bool(0.8) {
                bytes = sealed_anew(&bytes);
            }

            let outcome = catch_unwind(AssertUnwindSafe(|| decoder(&bytes)));
            assert!(
                outcome.is_ok(),
                "{name} panicked at input {n} of seed {seed}: {}",
                hex(&bytes)
            );
        }
    }
}

#[test]
fn good_inputs_are_good() {
    use wadi_log::{Enrolment, Reading, RootKey, verify_evidence};
    use wadi_sync::{BlockDecoder, FrameReader, decode_plain};

    // An input that every decoder refuses at its first byte would spoil nothing.
    for bytes in good("entry") {
        assert!(matches!(Entry::read(&bytes), Ok(Reading::Entry(_))));
    }

    for (bytes, message) in good("message").iter().zip(messages()) {
        assert_eq!(Message::decode(bytes), Ok(message));
    }

    assert_eq!(decode_plain(&good("block")[0]).unwrap(), block());
    for frame in good("block_frame") {
        assert_eq!(BlockDecoder::new().unwrap().decode(&frame), Ok(block()));
    }
    assert!(SignedCheckpoint::from_bytes(&good("checkpoint")[0]).is_ok());
    assert!(Enrolment::from_bytes(&good("enrolment")[0]).is_ok());
    assert!(ForkProof::from_bytes(&good("fork_proof")[0]).is_ok());

    let bundle = bundle();
    let (manifest, seal, body) = Manifest::read(&bundle).unwrap();
    seal.verify(author()).unwrap();
    manifest.check_body(body).unwrap();
    let mut frames = FrameReader::new(body).unwrap();
    let read = std::iter::from_fn(|| frames.read().unwrap());
    assert_eq!(read.count(), 3);

    let (read, seal) = Receipt::read(&receipt()).unwrap();
    seal.verify(author()).unwrap();
    assert_eq!(read.cosignatures().unwrap().len(), 1);

    // All but the fork, of which only the shape is good.
    let root = RootKey(root().public());
    let text = evidence();
    let without: String = text
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("{\"fork\""))
        .collect();
    let proven = verify_evidence(&sealed_anew(without.as_bytes()), &root).unwrap();
    assert_eq!(proven.statements.len(), 1);
}

#[test]
fn every_decoder_has_its_fuzz_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest: toml::Table = std::fs::read_to_string(fuzz.join("Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let targets: BTreeSet<&str> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|bin| bin["name"].as_str())
        .collect();

    for (name, _) in DECODERS {
        assert!(targets.contains(name), "fuzz/Cargo.toml has no {name}");
        let target = fuzz.join(format!("fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(&target).unwrap_or_default();
        let asks = text.contains(&format!("decode(\"{name}\", bytes)"));
        assert!(asks, "{} does not ask for {name}", target.display());
    }
}
